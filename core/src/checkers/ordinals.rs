//! Pods of a stateful set come one after the other, if it wants them so.

use k8s_openapi::api::{apps::v1::StatefulSet, core::v1::Pod};

use crate::{
    api::{Object, meta, pods},
    client::Client,
    sim::Time,
};

/// So long ago a predecessor may have been ready last: news take a moment, and conditions have
/// whole seconds.
const NEWS_SECONDS: u64 = 2;

/// Why a pod that was just created came too early; `gone` says when a pod of a name went last.
pub fn objections(client: &Client, pod: &Pod, gone: impl Fn(&str) -> Option<Time>) -> Vec<String> {
    let object: &dyn Object = pod;
    let owner = meta::controller_of(&pod.metadata).filter(|owner| owner.kind == "StatefulSet");
    let Some(owner) = owner else { return Vec::new() };
    let Some(set) = client.find::<StatefulSet>(object.namespace(), &owner.name) else {
        return Vec::new();
    };
    let Some(spec) = &set.spec else { return Vec::new() };
    let number = object.name().rsplit('-').next().and_then(|n| n.parse::<i32>().ok());
    let parallel = spec.pod_management_policy.as_deref() == Some("Parallel");
    let Some(number) = number.filter(|_| !parallel) else { return Vec::new() };
    let first = spec.ordinals.as_ref().and_then(|o| o.start).unwrap_or(0);
    let now = client.sim().now();
    let recent = |at: Time| now.since(at).as_secs() <= NEWS_SECONDS;
    let mut found = Vec::new();
    for before in first..number {
        let name = format!("{}-{before}", owner.name);
        match client.find::<Pod>(object.namespace(), &name) {
            None if gone(&name).is_some_and(recent) => {}
            None => found.push(format!("{name} is not there")),
            Some(other) => {
                let changed = pods::condition(&other, "Ready")
                    .and_then(|c| c.last_transition_time.as_ref())
                    .is_some_and(|t| recent(Time::from_timestamp(t.0)));
                let leaving = other.metadata.deletion_timestamp.is_some();
                if !pods::is_ready(&other) && !changed && !leaving {
                    found.push(format!("{name} is not ready"));
                }
            }
        }
    }
    found
}
