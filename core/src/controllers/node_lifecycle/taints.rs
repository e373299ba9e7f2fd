//! Taints that follow from a node's conditions.
//!
//! Models `doNoScheduleTaintingPass` and `SwapNodeControllerTaint`.

use std::rc::Rc;

use k8s_openapi::api::core::v1::{Node, Taint};

use super::conditions;
use crate::{
    api::{Status, scheduling},
    client::Client,
    sim::Time,
};

pub const NOT_READY: &str = "node.kubernetes.io/not-ready";
pub const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// Condition, its status, the taint it asks for.
const BY_CONDITION: [(&str, &str, &str); 6] = [
    ("Ready", "False", NOT_READY),
    ("Ready", "Unknown", UNREACHABLE),
    ("MemoryPressure", "True", "node.kubernetes.io/memory-pressure"),
    ("DiskPressure", "True", "node.kubernetes.io/disk-pressure"),
    ("NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"),
    ("PIDPressure", "True", "node.kubernetes.io/pid-pressure"),
];

fn taint(key: &str, effect: &str) -> Taint {
    Taint { key: key.into(), effect: effect.into(), ..Default::default() }
}

/// The taints that keep new pods away.
pub fn no_schedule(node: &Node) -> Vec<Taint> {
    let asked = BY_CONDITION.iter().filter(|(c, s, _)| conditions::status(node, c) == *s);
    let mut taints: Vec<_> = asked.map(|(.., key)| taint(key, "NoSchedule")).collect();
    if node.spec.as_ref().and_then(|s| s.unschedulable).unwrap_or(false) {
        taints.push(taint(UNSCHEDULABLE, "NoSchedule"));
    }
    taints
}

/// A taint that sends pods away.
pub fn no_execute(key: &str) -> Taint {
    taint(key, "NoExecute")
}

/// Whether the node has such a taint already.
pub fn has_eviction(node: &Node) -> bool {
    scheduling::taints(node).iter().any(|t| is_ours(t) && t.effect == "NoExecute")
}

fn is_ours(taint: &Taint) -> bool {
    match taint.effect.as_str() {
        "NoSchedule" => {
            taint.key == UNSCHEDULABLE || BY_CONDITION.iter().any(|(.., key)| taint.key == *key)
        }
        "NoExecute" => matches!(taint.key.as_str(), NOT_READY | UNREACHABLE),
        _ => false,
    }
}

/// Brings the node's taints of this kind to `wanted`; others stay.
pub fn write(
    client: &Client,
    node: &Rc<Node>,
    wanted: Vec<Taint>,
    now: Time,
) -> Result<(), Status> {
    let old = scheduling::taints(node);
    let same = |a: &Taint, b: &Taint| a.key == b.key && a.effect == b.effect;
    let mut new: Vec<Taint> =
        old.iter().filter(|t| !is_ours(t) || wanted.iter().any(|w| same(w, t))).cloned().collect();
    for mut taint in wanted {
        if !old.iter().any(|t| same(t, &taint)) {
            taint.time_added = Some(now.to_meta());
            new.push(taint);
        }
    }
    if new == old {
        return Ok(());
    }
    let mut changed = (**node).clone();
    changed.spec.get_or_insert_default().taints = (!new.is_empty()).then_some(new);
    client.update(changed).map(|_| ())
}
