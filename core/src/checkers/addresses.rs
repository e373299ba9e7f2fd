//! No two pods have one address, but those that use their node's.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;

use super::Seen;
use crate::api::{Object, pods};

/// Pods that hold the address of another.
pub fn check(seen: &Seen) -> Vec<String> {
    let mut holders: BTreeMap<String, String> = BTreeMap::new();
    let mut wrong = Vec::new();
    for pod in seen.client.list::<Pod>(None) {
        let shares = pod.spec.as_ref().is_some_and(|s| s.host_network == Some(true));
        let ip = pods::ip(&pod);
        if shares || ip.is_empty() || pods::is_terminal(&pod) {
            continue;
        }
        let object: &dyn Object = &*pod;
        let name = format!("{}/{}", object.namespace(), object.name());
        if let Some(other) = holders.get(ip) {
            wrong.push(format!("{other} and {name} both have {ip}"));
        }
        holders.insert(ip.to_string(), name);
    }
    wrong
}
