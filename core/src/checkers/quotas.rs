//! A quota's status counts what is there.

use k8s_openapi::api::core::v1::{Pod, ResourceQuota};

use super::Seen;
use crate::api::{Object, pods, quantity::Amount};

/// Pods that a quota counts: all but those that have ended.
pub fn pods_of(seen: &Seen, namespace: &str) -> i64 {
    let all = seen.client.list::<Pod>(Some(namespace));
    all.iter().filter(|pod| !pods::is_terminal(pod)).count() as i64
}

/// Quotas that count wrong. Only pods are looked at, as others are counted the same way.
pub fn check(seen: &Seen) -> Vec<String> {
    let mut wrong = Vec::new();
    for quota in seen.client.list::<ResourceQuota>(None) {
        let object: &dyn Object = &*quota;
        let used = quota.status.as_ref().and_then(|s| s.used.as_ref()).and_then(|u| u.get("pods"));
        let Some(used) = used.map(|q| Amount::of(q).units()) else { continue };
        let there = pods_of(seen, object.namespace());
        if used != there {
            let (ns, name) = (object.namespace(), object.name());
            wrong.push(format!("{ns}/{name} counts {} pods of {there}", used));
        }
    }
    wrong
}
