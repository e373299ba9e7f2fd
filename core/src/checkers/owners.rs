//! What is owned goes with its owner: every owner that an object names is there.

use super::Seen;
use crate::{api::ObjRef, client::ListOptions};

/// Objects all of whose owners are gone.
pub fn check(seen: &Seen) -> Vec<String> {
    let kinds: Vec<_> = seen.client.kinds().iter().filter(|k| k.is_stored()).cloned().collect();
    let mut wrong = Vec::new();
    for kind in kinds {
        let objects = seen.client.list_any(kind.id, None, &ListOptions::default());
        for object in objects.unwrap_or_default() {
            if let Some(owner) = orphaned(seen, &object) {
                let (ns, name) = (object.namespace(), object.name());
                wrong.push(format!("{} {ns}/{name} outlives {owner}", kind.singular));
            }
        }
    }
    wrong
}

/// The first owner of an object that has owners of which none is there.
fn orphaned(seen: &Seen, object: &ObjRef) -> Option<String> {
    let owners = object.metadata().owner_references.as_deref().unwrap_or_default();
    let is_there = |owner: &k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference| {
        let kind = seen.client.kinds().by_kind(&owner.api_version, &owner.kind).cloned();
        // Of a kind that nobody knows nothing can be said.
        let Some(kind) = kind else { return true };
        let namespace = if kind.namespaced { object.namespace() } else { "" };
        let found = seen.client.get_any(kind.id, namespace, &owner.name);
        found.is_ok_and(|found| found.uid() == owner.uid)
    };
    let first = owners.first()?;
    let gone = !owners.iter().any(is_there);
    gone.then(|| format!("{} {}", first.kind, first.name))
}
