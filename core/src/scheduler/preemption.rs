//! Making room for a pod by removing less important ones.
//!
//! Models `pkg/scheduler/framework/preemption` and the `DefaultPreemption` plugin.

use std::{cmp::Reverse, rc::Rc};

use super::{
    cache::{NodeInfo, PodInfo},
    cycle::{self, Checks, Cycle, Failure},
    framework::Rejection,
};
use crate::{api::pods, sim::Time};

/// A node that could take the pod, and who would have to go.
pub struct Candidate {
    /// The node.
    pub node: Rc<str>,
    /// Those who go, most important first.
    pub victims: Vec<Rc<PodInfo>>,
}

/// Finds the node where the least is lost. The text says why there is none.
pub fn find(
    cycle: &Cycle,
    checks: Option<&Checks>,
    failure: &Failure,
) -> Result<Candidate, String> {
    let spec = cycle.pod.pod.spec.as_ref();
    if spec.and_then(|s| s.preemption_policy.as_deref()) == Some("Never") {
        return Err("not eligible due to preemptionPolicy=Never.".into());
    }
    if victims_are_going(cycle) {
        return Err("not eligible due to a terminating pod on the nominated node.".into());
    }
    let mut reasons: Vec<Rejection> = Vec::new();
    let unhelpful = || Rejection::final_("Preemption is not helpful for scheduling");
    let mut candidates = Vec::new();
    // Where a rejection came before any node was looked at, it holds for every node.
    let looked: Vec<_> = failure.nodes.iter().map(|(name, (_, r))| (name, r.resolvable)).collect();
    reasons.extend((looked.len()..failure.all).map(|_| unhelpful()));
    for (name, resolvable) in looked {
        let node = cycle.cache.node(name).filter(|_| resolvable);
        match (node, checks) {
            (Some(node), Some(checks)) => match victims(cycle, checks, node) {
                Ok(victims) => candidates.push(Candidate { node: name.clone(), victims }),
                Err(why) => reasons.push(why),
            },
            _ => reasons.push(unhelpful()),
        }
    }
    let best = candidates.into_iter().min_by_key(|c| {
        let top = c.victims.iter().map(|v| v.priority()).max().unwrap_or(i32::MIN);
        let sum: i64 = c.victims.iter().map(|v| i64::from(v.priority()) + (1 << 31)).sum();
        let started = c.victims.iter().filter(|v| v.priority() == top).map(|v| start(v)).min();
        (top, sum, c.victims.len(), Reverse(started))
    });
    let all = failure.all;
    best.ok_or_else(|| cycle::histogram(all, reasons.iter().flat_map(|r| &r.reasons)))
}

/// Whether the room made for the pod last time is still being cleared.
fn victims_are_going(cycle: &Cycle) -> bool {
    let node = cycle.nominated.node(cycle.pod.uid()).and_then(|n| cycle.cache.node(n));
    node.is_some_and(|node| {
        node.pods.values().any(|p| {
            p.pod.metadata.deletion_timestamp.is_some()
                && p.priority() < cycle.pod.priority()
                && pods::condition(&p.pod, "DisruptionTarget").is_some_and(|c| {
                    c.status == "True" && c.reason.as_deref() == Some("PreemptionByScheduler")
                })
        })
    })
}

fn start(pod: &PodInfo) -> Time {
    let status = pod.pod.status.as_ref();
    status.and_then(|s| s.start_time.as_ref()).map(Time::from).unwrap_or_default()
}

/// Who has to go from a node: all less important pods, less those that can stay after all.
fn victims(cycle: &Cycle, checks: &Checks, node: &NodeInfo) -> Result<Vec<Rc<PodInfo>>, Rejection> {
    let cx = cycle.cx();
    let mut lesser: Vec<_> =
        node.pods.values().filter(|p| p.priority() < cycle.pod.priority()).cloned().collect();
    if lesser.is_empty() {
        return Err(Rejection::final_("No preemption victims found for incoming pod"));
    }
    let (mut node, mut checks) = (node.clone(), cycle::clone(checks));
    for pod in &lesser {
        node.remove(pod.uid());
        checks.iter_mut().for_each(|(_, c)| c.with_pod(&cx, &node, pod, -1));
    }
    cycle.fits(&checks, &node).map_err(|(_, why)| why)?;
    lesser.sort_by_key(|p| (Reverse(p.priority()), start(p)));
    let mut victims = Vec::new();
    for pod in lesser {
        checks.iter_mut().for_each(|(_, c)| c.with_pod(&cx, &node, &pod, 1));
        node.add(pod.clone());
        if cycle.fits(&checks, &node).is_err() {
            node.remove(pod.uid());
            checks.iter_mut().for_each(|(_, c)| c.with_pod(&cx, &node, &pod, -1));
            victims.push(pod);
        }
    }
    Ok(victims)
}
