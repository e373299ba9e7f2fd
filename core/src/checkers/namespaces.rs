//! Everything is in a namespace that there is, and one that goes is gone soon.

use k8s_openapi::api::core::v1::Namespace;

use super::Seen;
use crate::{
    api::{Object, meta},
    client::ListOptions,
};

/// Objects whose namespace is not there.
pub fn check(seen: &Seen) -> Vec<String> {
    let there: std::collections::BTreeSet<String> = seen
        .client
        .list::<Namespace>(None)
        .iter()
        .map(|n| (&**n as &dyn Object).name().to_string())
        .collect();
    let kinds: Vec<_> = seen.client.kinds().iter().filter(|k| k.is_stored()).cloned().collect();
    let mut wrong = Vec::new();
    for kind in kinds.iter().filter(|k| k.namespaced) {
        let all = seen.client.list_any(kind.id, None, &ListOptions::default());
        for object in all.unwrap_or_default() {
            if !there.contains(object.namespace()) {
                let (ns, name) = (object.namespace(), object.name());
                wrong.push(format!("{} {name} is in {ns}, which is not there", kind.singular));
            }
        }
    }
    wrong
}

/// Namespaces that should be gone.
pub fn settled(seen: &Seen) -> Vec<String> {
    let all = seen.client.list::<Namespace>(None);
    let stuck = all.iter().filter(|space| meta::is_deleting(&space.metadata));
    stuck.map(|space| format!("{} is still going", (&**space as &dyn Object).name())).collect()
}
