//! Every service has cluster addresses and node ports of its own.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Service;

use super::Seen;
use crate::api::Object;

/// Addresses and ports that two services have.
pub fn check(seen: &Seen) -> Vec<String> {
    let mut holders: BTreeMap<String, String> = BTreeMap::new();
    let mut wrong = Vec::new();
    for service in seen.client.list::<Service>(None) {
        let object: &dyn Object = &*service;
        let name = format!("{}/{}", object.namespace(), object.name());
        let Some(spec) = &service.spec else { continue };
        let addresses = spec.cluster_ips.iter().flatten().filter(|ip| *ip != "None").cloned();
        let ports = spec.ports.iter().flatten().filter_map(|port| {
            let protocol = port.protocol.as_deref().unwrap_or("TCP");
            port.node_port.filter(|n| *n != 0).map(|n| format!("node port {n}/{protocol}"))
        });
        let own: Vec<String> = addresses.chain(ports).collect();
        for thing in own {
            if let Some(other) = holders.get(&thing) {
                wrong.push(format!("{other} and {name} both have {thing}"));
            }
            holders.insert(thing, name.clone());
        }
    }
    wrong
}
