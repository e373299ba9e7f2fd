//! What no write may do to an object's metadata.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::{
    api::meta,
    client::{Change, Op},
};

/// Job controllers hold pods that have ended until they are counted, deleted or not.
const TRACKING: &str = "batch.kubernetes.io/job-tracking";
/// The service controller lets go of services that no longer want a load balancer.
const BALANCER: &str = "service.kubernetes.io/load-balancer-cleanup";

/// What a change did that it may not.
pub fn objections(change: &Change) -> Vec<String> {
    let mut found = Vec::new();
    let new = change.object.metadata();
    let controllers = new.owner_references.iter().flatten().filter(|o| o.controller == Some(true));
    if controllers.count() > 1 {
        found.push("it has two controllers".to_string());
    }
    let Some(old) = change.old.as_ref().map(|old| old.metadata()) else { return found };
    if change.op == Op::Deleted {
        // Its last state is the old one; nothing may hold it any more.
        if !new.finalizers.as_deref().unwrap_or_default().is_empty() {
            found.push(format!("it went with the finalizers {:?}", new.finalizers));
        }
        return found;
    }
    if old.uid != new.uid || old.creation_timestamp != new.creation_timestamp {
        found.push("it became another object".to_string());
    }
    if old.generation > new.generation {
        found.push(format!("its generation fell: {:?}, {:?}", old.generation, new.generation));
    }
    if meta::is_deleting(old) && !meta::is_deleting(new) {
        found.push("its deletion was undone".to_string());
    }
    found.extend(let_go(old, new));
    found
}

/// Finalizers that were taken away although nobody deletes the object.
fn let_go(old: &ObjectMeta, new: &ObjectMeta) -> Option<String> {
    if meta::is_deleting(new) {
        return None;
    }
    let has = |f: &String| new.finalizers.iter().flatten().any(|n| n == f);
    let mut gone = old.finalizers.iter().flatten().filter(|f| !has(f));
    let lost = gone.find(|f| *f != TRACKING && *f != BALANCER)?;
    Some(format!("it lost {lost} and is not being deleted"))
}
