//! Whether a node may take a pod by what both say, worked out anew and without the scheduler's code.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Node, Pod, Taint, Toleration};

use crate::api::{pods, quantity::Amount};

/// Why a node could not take a pod; `others` are the pods that are on it already.
pub fn objections(pod: &Pod, node: &Node, others: &[std::rc::Rc<Pod>]) -> Vec<String> {
    let mut found = Vec::new();
    let spec = pod.spec.clone().unwrap_or_default();
    let tolerations = spec.tolerations.clone().unwrap_or_default();
    let node_spec = node.spec.clone().unwrap_or_default();
    let cordon = Taint {
        key: "node.kubernetes.io/unschedulable".into(),
        effect: "NoSchedule".into(),
        ..Taint::default()
    };
    if node_spec.unschedulable == Some(true) && !tolerated(&cordon, &tolerations) {
        found.push("it is cordoned".to_string());
    }
    for taint in node_spec.taints.iter().flatten() {
        if taint.effect != "PreferNoSchedule" && !tolerated(taint, &tolerations) {
            found.push(format!("it has the taint {}:{}", taint.key, taint.effect));
        }
    }
    let labels = node.metadata.labels.clone().unwrap_or_default();
    for (key, value) in spec.node_selector.iter().flatten() {
        if labels.get(key) != Some(value) {
            found.push(format!("it lacks the label {key}={value}"));
        }
    }
    found.extend(room(pod, node, others));
    let taken: Vec<String> = others
        .iter()
        .filter(|other| !pods::is_terminal(other))
        .flat_map(|other| host_ports(other))
        .collect();
    let ports = host_ports(pod).into_iter().filter(|port| taken.contains(port));
    found.extend(ports.map(|port| format!("{port} is taken")));
    found
}

/// Whether an objection is about the node itself, not about the room on it.
pub fn is_about_node(objection: &str) -> bool {
    ["it is cordoned", "it has the taint", "it lacks the label"]
        .iter()
        .any(|begin| objection.starts_with(begin))
}

/// Ports of its node that a pod holds: `port 80/TCP of 0.0.0.0`.
pub fn host_ports(pod: &Pod) -> Vec<String> {
    let containers = pod.spec.iter().flat_map(|s| &s.containers);
    let ports = containers.flat_map(|c| c.ports.iter().flatten()).filter_map(|port| {
        let number = port.host_port.filter(|n| *n > 0)?;
        let protocol = port.protocol.as_deref().unwrap_or("TCP");
        let ip = port.host_ip.as_deref().filter(|ip| !ip.is_empty()).unwrap_or("0.0.0.0");
        Some(format!("port {number}/{protocol} of {ip}"))
    });
    ports.collect()
}

fn tolerated(taint: &Taint, tolerations: &[Toleration]) -> bool {
    let text = |t: &Option<String>| t.clone().unwrap_or_default();
    tolerations.iter().any(|t| {
        let (key, effect) = (text(&t.key), text(&t.effect));
        let exists = t.operator.as_deref() == Some("Exists");
        let value = exists || text(&t.value) == text(&taint.value);
        (effect.is_empty() || effect == taint.effect)
            && ((key.is_empty() && exists) || key == taint.key)
            && value
    })
}

/// What a pod's containers ask for, in thousandths.
pub fn asks(pod: &Pod) -> BTreeMap<String, i64> {
    let mut sum = BTreeMap::new();
    for container in pod.spec.iter().flat_map(|s| &s.containers) {
        let requests = container.resources.as_ref().and_then(|r| r.requests.clone());
        for (name, quantity) in requests.unwrap_or_default() {
            *sum.entry(name).or_default() += Amount::of(&quantity).milli();
        }
    }
    sum
}

fn room(pod: &Pod, node: &Node, others: &[std::rc::Rc<Pod>]) -> Vec<String> {
    let has = node.status.as_ref().and_then(|s| s.allocatable.as_ref());
    let amount = |name: &str| Amount::get(has, name).milli();
    let mut found = Vec::new();
    let counted: Vec<_> = others.iter().filter(|other| !pods::is_terminal(other)).collect();
    if (counted.len() as i64 + 1) * 1000 > amount("pods") {
        found.push(format!("it has {} pods already", counted.len()));
    }
    for (name, wanted) in asks(pod) {
        let taken: i64 = counted.iter().map(|o| asks(o).get(&name).copied().unwrap_or(0)).sum();
        if wanted > 0 && taken + wanted > amount(&name) {
            found.push(format!("it has too little {name}"));
        }
    }
    found
}
