//! Making room for a pod by removing less important ones.
//!
//! Models `pkg/scheduler/framework/preemption` and the `DefaultPreemption` plugin.

use std::{borrow::Cow, cmp::Reverse, rc::Rc};

use k8s_openapi::api::policy::v1::PodDisruptionBudget;

use super::{
    cache::{NodeInfo, PodInfo},
    cycle::{self, Checks, Cycle, Failure},
    framework::Rejection,
};
use crate::{
    api::{pods, selector::Selector},
    sim::Time,
};

/// A node that could take the pod, and who would have to go.
pub struct Candidate {
    /// The node.
    pub node: Rc<str>,
    /// Those who go, most important first; whether that breaks a disruption budget.
    pub victims: Vec<(Rc<PodInfo>, bool)>,
}

/// Why no room is made.
pub enum Refusal {
    /// The pod may not, or is waiting for room already; its prospect stays.
    NotEligible(String),
    /// It would not help on any node; the pod has no prospect any more.
    Useless(String),
}

/// A disruption budget: pods, and how many of them may still go.
struct Budget {
    namespace: String,
    selector: Selector,
    going: Vec<String>,
    allowed: i32,
}

/// Finds the node where the least is lost.
pub fn find(
    cycle: &Cycle,
    checks: Option<&Checks>,
    failure: &Failure,
) -> Result<Candidate, Refusal> {
    let spec = cycle.pod.pod.spec.as_ref();
    if spec.and_then(|s| s.preemption_policy.as_deref()) == Some("Never") {
        return Err(Refusal::NotEligible("not eligible due to preemptionPolicy=Never.".into()));
    }
    if victims_are_going(cycle, failure) {
        let why = "not eligible due to a terminating pod on the nominated node.";
        return Err(Refusal::NotEligible(why.into()));
    }
    let hopeful = failure.nodes.iter().filter(|(_, (_, r))| r.resolvable);
    let hopeful: Vec<usize> = hopeful.map(|(place, _)| *place).collect();
    let args = &cycle.profile.args;
    let enough = (hopeful.len() * args.candidates_percent / 100).max(args.candidates);
    let budgets = if hopeful.is_empty() { Vec::new() } else { budgets(cycle) };
    // Of many nodes some are tried, from a random one on.
    let all = hopeful.len();
    let start = if all > enough { cycle.client.sim().random(all as u64) as usize } else { 0 };
    let (mut reasons, mut candidates, mut harmless) = (Vec::new(), Vec::new(), false);
    for i in 0..all {
        let Some(node) = cycle.cache.at(hopeful[(start + i) % all]) else { continue };
        let Some(checks) = checks else { break };
        match victims(cycle, checks, node, &budgets) {
            Ok(victims) => {
                harmless |= victims.iter().all(|(_, breaks)| !breaks);
                candidates.push(Candidate { node: node.name.clone(), victims });
            }
            Err(why) => reasons.push(why),
        }
        if harmless && candidates.len() >= enough {
            break;
        }
    }
    let now = cycle.client.sim().now();
    let best = candidates.into_iter().min_by_key(|c| loss(c, now));
    best.ok_or_else(|| {
        let useless = Cow::Borrowed("Preemption is not helpful for scheduling");
        let others = failure.all.saturating_sub(reasons.len());
        let tried = reasons.iter().flat_map(|r| &r.reasons).map(|reason| (reason, 1));
        Refusal::Useless(cycle::histogram(failure.all, tried.chain([(&useless, others)])))
    })
}

/// What is lost on a node, the least first: broken budgets, the most important victim, all
/// priorities, the number of victims, and how long the most important ones have been running.
fn loss(c: &Candidate, now: Time) -> (usize, i32, i64, usize, Reverse<Time>) {
    let broken = c.victims.iter().filter(|(_, breaks)| *breaks).count();
    let priorities = || c.victims.iter().map(|(v, _)| v.priority());
    let top = priorities().max().unwrap_or(i32::MIN);
    let sum: i64 = priorities().map(|p| i64::from(p) + (1 << 31)).sum();
    let first = c.victims.iter().filter(|(v, _)| v.priority() == top);
    let started = first.map(|(v, _)| start(v, now)).min().unwrap_or_default();
    (broken, top, sum, c.victims.len(), Reverse(started))
}

/// Whether the room made for the pod last time is still being cleared.
fn victims_are_going(cycle: &Cycle, failure: &Failure) -> bool {
    let node = cycle.nominated.node(cycle.pod.uid()).and_then(|n| cycle.cache.node(n));
    node.is_some_and(|node| {
        // A node that is out of the question now is no prospect, whoever goes there.
        let lost =
            failure.nodes.iter().any(|(place, (_, r))| *place == node.place && !r.resolvable);
        !lost
            && node.pods.values().any(|p| {
                p.is_going()
                    && p.priority() < cycle.pod.priority()
                    && pods::condition(&p.pod, "DisruptionTarget").is_some_and(|c| {
                        c.status == "True" && c.reason.as_deref() == Some("PreemptionByScheduler")
                    })
            })
    })
}

fn start(pod: &PodInfo, now: Time) -> Time {
    let status = pod.pod.status.as_ref();
    status.and_then(|s| s.start_time.as_ref()).map_or(now, Time::from)
}

fn budgets(cycle: &Cycle) -> Vec<Budget> {
    let all = cycle.client.list::<PodDisruptionBudget>(None).into_iter();
    let budget = |b: Rc<PodDisruptionBudget>| {
        let selector = b.spec.as_ref().and_then(|s| s.selector.as_ref());
        let selector = Selector::from_label_selector(selector).ok()?;
        let status = b.status.as_ref();
        let going = status.and_then(|s| s.disrupted_pods.as_ref()).into_iter().flatten();
        (!selector.is_everything()).then(|| Budget {
            namespace: b.metadata.namespace.clone().unwrap_or_default(),
            selector,
            going: going.map(|(name, _)| name.clone()).collect(),
            allowed: status.and_then(|s| s.disruptions_allowed).unwrap_or(0),
        })
    };
    all.filter_map(budget).collect()
}

/// Splits pods into those whose going breaks a budget, and the others; each in the given order.
/// Models `filterPodsWithPDBViolation`.
fn split(pods: Vec<Rc<PodInfo>>, budgets: &[Budget]) -> [Vec<Rc<PodInfo>>; 2] {
    let mut left: Vec<i32> = budgets.iter().map(|b| b.allowed).collect();
    let (breaking, harmless) = pods.into_iter().partition(|pod| {
        let labels = pod.pod.metadata.labels.as_ref();
        let mut breaks = false;
        for (budget, left) in budgets.iter().zip(&mut left) {
            let about = labels.is_some_and(|l| !l.is_empty())
                && budget.namespace == pod.namespace()
                && budget.selector.matches(labels)
                && !budget.going.iter().any(|name| name == pod.name());
            if about {
                *left -= 1;
                breaks |= *left < 0;
            }
        }
        breaks
    });
    [breaking, harmless]
}

/// Who has to go from a node: all less important pods, less those that can stay after all. Those
/// whose going would break a budget are the first to stay.
fn victims(
    cycle: &Cycle,
    checks: &Checks,
    node: &NodeInfo,
    budgets: &[Budget],
) -> Result<Vec<(Rc<PodInfo>, bool)>, Rejection> {
    let cx = cycle.cx();
    let lesser = node.pods.values().filter(|p| p.priority() < cycle.pod.priority());
    let mut lesser: Vec<_> = lesser.cloned().collect();
    if lesser.is_empty() {
        return Err(Rejection::final_("No preemption victims found for incoming pod"));
    }
    let (mut node, mut checks) = (node.clone(), cycle::clone(checks));
    for pod in &lesser {
        node.remove(pod.uid());
        cycle::assume(&mut checks, &cx, &node, pod, -1);
    }
    cycle.fits(&checks, &node).map_err(|(_, why)| why)?;
    let now = cycle.client.sim().now();
    let importance = |p: &PodInfo| (Reverse(p.priority()), start(p, now));
    lesser.sort_by_key(|p| importance(p));
    let mut victims = Vec::new();
    for (pods, breaks) in split(lesser, budgets).into_iter().zip([true, false]) {
        for pod in pods {
            cycle::assume(&mut checks, &cx, &node, &pod, 1);
            node.add(pod.clone());
            if cycle.fits(&checks, &node).is_err() {
                node.remove(pod.uid());
                cycle::assume(&mut checks, &cx, &node, &pod, -1);
                victims.push((pod, breaks));
            }
        }
    }
    victims.sort_by_key(|(p, _)| importance(p));
    Ok(victims)
}
