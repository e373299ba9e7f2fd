//! A node is not asked for more than it has, and each of its ports has one pod.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Node, Pod};

use super::{Seen, placement};
use crate::api::{Object, pods, quantity::Amount};

/// Pods on nodes whose condition says that they have none.
pub fn scheduled(seen: &Seen) -> Vec<String> {
    let all = seen.client.list::<Pod>(None);
    let denied = all.iter().filter(|pod| {
        let condition = pods::condition(pod, "PodScheduled");
        !pods::node_name(pod).is_empty() && condition.is_some_and(|c| c.status != "True")
    });
    let told = |pod: &std::rc::Rc<Pod>| {
        let why = pods::condition(pod, "PodScheduled").and_then(|c| c.message.clone());
        format!("{}: {}", (&**pod as &dyn Object).name(), why.unwrap_or_default())
    };
    denied.map(told).collect()
}

/// Nodes that are overbooked, and ports that two pods of a node hold.
pub fn check(seen: &Seen) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut on: BTreeMap<String, Vec<std::rc::Rc<Pod>>> = BTreeMap::new();
    for pod in seen.client.list::<Pod>(None) {
        if !pods::node_name(&pod).is_empty() && !pods::is_terminal(&pod) {
            on.entry(pods::node_name(&pod).to_string()).or_default().push(pod);
        }
    }
    for (node, pods) in on {
        let mut holders: BTreeMap<String, String> = BTreeMap::new();
        let mut sum: BTreeMap<String, i64> = BTreeMap::new();
        for pod in &pods {
            let name = (&**pod as &dyn Object).name().to_string();
            for port in placement::host_ports(pod) {
                if let Some(other) = holders.insert(port.clone(), name.clone()) {
                    wrong.push(format!("{other} and {name} both hold {port} of {node}"));
                }
            }
            // What a claim gives in place of the node is that of devices.
            let status = pod.status.as_ref();
            let given = status.and_then(|s| s.extended_resource_claim_status.as_ref());
            let given = given.map(|g| g.request_mappings.as_slice()).unwrap_or_default();
            let own = |what: &str| given.iter().all(|m| m.resource_name != what);
            for (what, milli) in placement::asks(pod).into_iter().filter(|(what, _)| own(what)) {
                *sum.entry(what).or_default() += milli;
            }
        }
        let Some(found) = seen.client.find::<Node>("", &node) else { continue };
        let has = found.status.as_ref().and_then(|s| s.allocatable.as_ref());
        for (what, milli) in sum {
            let most = Amount::get(has, &what).milli();
            if milli > most {
                wrong.push(format!(
                    "{node} has {most} thousandths of {what}, and {milli} are asked"
                ));
            }
        }
    }
    wrong
}
