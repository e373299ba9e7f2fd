//! Which pods go first when there are too many.
//!
//! Models `ActivePodsWithRanks` in `pkg/controller/controller_utils.go`.

use std::{cmp::Ordering, collections::BTreeMap, rc::Rc};

use k8s_openapi::api::core::v1::Pod;

use crate::{api::meta::annotation, controllers::pods, sim::Time};

/// What decides, worked out once a pod.
struct Standing {
    pod: Rc<Pod>,
    unassigned: bool,
    phase: u8,
    ready: Option<Time>,
    cost: i32,
    /// Related pods on the same node, itself included.
    crowd: usize,
    restarts: (i32, i32),
    created: Option<Time>,
}

/// The `count` pods that go first. `related` are the pods that count as doubles on a node.
pub fn first_to_go(
    pods: Vec<Rc<Pod>>,
    related: &[Rc<Pod>],
    now: Time,
    count: usize,
) -> Vec<Rc<Pod>> {
    let mut on_node: BTreeMap<&str, usize> = BTreeMap::new();
    for pod in related {
        *on_node.entry(pods::node_name(pod)).or_default() += 1;
    }
    let mut all: Vec<_> = pods.into_iter().map(|pod| standing(pod, &on_node)).collect();
    all.sort_by(|a, b| compare(a, b, now));
    all.into_iter().take(count).map(|s| s.pod).collect()
}

fn standing(pod: Rc<Pod>, on_node: &BTreeMap<&str, usize>) -> Standing {
    let node = pods::node_name(&pod);
    let cost = annotation(&pod.metadata, pods::DELETION_COST).and_then(|v| v.parse().ok());
    Standing {
        unassigned: node.is_empty(),
        phase: match pods::phase(&pod) {
            "Running" => 2,
            "Unknown" => 1,
            _ => 0,
        },
        ready: pods::ready_since(&pod),
        cost: cost.unwrap_or(0),
        crowd: on_node.get(node).copied().unwrap_or(0),
        restarts: restarts(&pod),
        created: pod.metadata.creation_timestamp.as_ref().map(Time::from),
        pod,
    }
}

/// Most restarts of a container, and of a sidecar.
fn restarts(pod: &Pod) -> (i32, i32) {
    let status = pod.status.as_ref();
    let containers = status.and_then(|s| s.container_statuses.as_ref());
    let regular = containers.into_iter().flatten().map(|c| c.restart_count).max();
    let init = status.and_then(|s| s.init_container_statuses.as_ref());
    let is_sidecar = |name: &str| {
        let spec = pod.spec.as_ref().and_then(|s| s.init_containers.as_ref());
        let mut containers = spec.into_iter().flatten();
        containers.any(|c| c.name == name && c.restart_policy.as_deref() == Some("Always"))
    };
    let sidecars = init.into_iter().flatten().filter(|c| is_sidecar(&c.name));
    (regular.unwrap_or(0), sidecars.map(|c| c.restart_count).max().unwrap_or(0))
}

fn compare(a: &Standing, b: &Standing, now: Time) -> Ordering {
    b.unassigned
        .cmp(&a.unassigned)
        .then(a.phase.cmp(&b.phase))
        .then(a.ready.is_some().cmp(&b.ready.is_some()))
        .then(a.cost.cmp(&b.cost))
        .then(b.crowd.cmp(&a.crowd))
        .then_with(|| younger_first(a, b, a.ready, b.ready, now))
        .then(b.restarts.cmp(&a.restarts))
        .then_with(|| younger_first(a, b, a.created, b.created, now))
}

/// Younger first, but only by orders of magnitude; within one the uid decides, so that old and
/// new pods of about the same age go in no particular order.
fn younger_first(
    a: &Standing,
    b: &Standing,
    at_a: Option<Time>,
    at_b: Option<Time>,
    now: Time,
) -> Ordering {
    let (Some(at_a), Some(at_b)) = (at_a, at_b) else { return at_a.is_some().cmp(&at_b.is_some()) };
    if at_a == at_b {
        return Ordering::Equal;
    }
    let uid = |s: &Standing| s.pod.metadata.uid.clone();
    magnitude(now, at_a).cmp(&magnitude(now, at_b)).then_with(|| uid(a).cmp(&uid(b)))
}

/// The age's logarithm (of nanoseconds, to base 2), rounded down; -1 for no age at all.
fn magnitude(now: Time, since: Time) -> i32 {
    let nanos = now.since(since).as_nanos();
    if nanos == 0 { -1 } else { nanos.ilog2() as i32 }
}
