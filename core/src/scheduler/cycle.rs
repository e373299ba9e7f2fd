//! One pod's way to a node: filter, score, choose.
//!
//! Models `pkg/scheduler/schedule_one.go`.

use std::{borrow::Cow, collections::BTreeMap, rc::Rc};

use super::{
    cache::{Cache, NodeInfo, PodInfo},
    decisions::{Decision, Verdict},
    framework::{Check, Cx, Rejection},
    plugins::PLUGINS,
};
use crate::{client::Client, sim::Sim};

/// Up to so many nodes all are looked at (`minFeasibleNodesToFind`).
const FEW: usize = 100;

/// A plugin's check for the pod at hand; its place in [`PLUGINS`] first.
pub type Checks = Vec<(usize, Box<dyn Check>)>;

/// Why a pod found no node.
#[derive(Debug, Default)]
pub struct Failure {
    /// How many nodes there are.
    pub all: usize,
    /// What each rejected node was rejected for, and by which plugin.
    pub nodes: BTreeMap<Rc<str>, (&'static str, Rejection)>,
    /// A rejection of all nodes before any was looked at.
    pub before: Option<(&'static str, Rejection)>,
    /// What came of trying to make room.
    pub after: String,
}

impl Failure {
    /// The plugins that rejected, sorted.
    pub fn rejectors(&self) -> Vec<&'static str> {
        let mut names: Vec<_> =
            self.nodes.values().map(|(p, _)| *p).chain(self.before.iter().map(|b| b.0)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// As the event says it. Models `FitError.Error`.
    pub fn message(&self) -> String {
        let mut text = match &self.before {
            Some((_, rejection)) => {
                format!("0/{} nodes are available: {}.", self.all, rejection.reasons.join(", "))
            }
            None => histogram(self.all, self.nodes.values().flat_map(|(_, r)| &r.reasons)),
        };
        if !self.after.is_empty() {
            text.push(' ');
            text.push_str(&self.after);
        }
        text
    }
}

/// `0/3 nodes are available: 1 a, 2 b.`
pub fn histogram<'a>(all: usize, reasons: impl Iterator<Item = &'a Cow<'static, str>>) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for reason in reasons {
        *counts.entry(reason).or_default() += 1;
    }
    let mut parts: Vec<_> = counts.iter().map(|(reason, n)| format!("{n} {reason}")).collect();
    parts.sort();
    let mut text = format!("0/{all} nodes are available:");
    if !parts.is_empty() {
        text.push(' ');
        text.push_str(&parts.join(", "));
        text.push('.');
    }
    text
}

/// Pods that have a node in prospect, where victims are still going.
#[derive(Default)]
pub struct Nominated {
    by_node: BTreeMap<Rc<str>, BTreeMap<Rc<str>, Rc<PodInfo>>>,
    nodes: BTreeMap<Rc<str>, Rc<str>>,
}

impl Nominated {
    /// Notes a pod's prospect (`None`: it has none any more).
    pub fn set(&mut self, pod: &Rc<PodInfo>, node: Option<&str>) {
        let uid: Rc<str> = pod.uid().into();
        if let Some(old) = self.nodes.remove(&uid) {
            if let Some(pods) = self.by_node.get_mut(&old) {
                pods.remove(&uid);
                if pods.is_empty() {
                    self.by_node.remove(&old);
                }
            }
        }
        if let Some(node) = node {
            let node: Rc<str> = node.into();
            self.nodes.insert(uid.clone(), node.clone());
            self.by_node.entry(node).or_default().insert(uid, pod.clone());
        }
    }

    /// Pods with a prospect of a node.
    pub fn on<'a>(&'a self, node: &str) -> impl Iterator<Item = &'a Rc<PodInfo>> + use<'a> {
        self.by_node.get(node).into_iter().flat_map(BTreeMap::values)
    }

    /// The node in prospect for a pod.
    pub fn node(&self, uid: &str) -> Option<&Rc<str>> {
        self.nodes.get(uid)
    }
}

/// Everything one attempt needs.
pub struct Cycle<'a> {
    /// The cluster.
    pub client: &'a Client,
    /// Its randomness.
    pub sim: &'a Sim,
    /// What is known of nodes.
    pub cache: &'a Cache,
    /// Others' prospects.
    pub nominated: &'a Nominated,
    /// The pod.
    pub pod: &'a Rc<PodInfo>,
}

impl Cycle<'_> {
    /// What plugins get to see.
    pub fn cx(&self) -> Cx<'_> {
        Cx { client: self.client, pod: self.pod, cache: self.cache }
    }

    /// Asks all plugins what there is to check for the pod.
    pub fn checks(&self) -> Result<Checks, (&'static str, Rejection)> {
        let cx = self.cx();
        let mut checks = Vec::with_capacity(PLUGINS.len());
        for (place, plugin) in PLUGINS.iter().enumerate() {
            match (plugin.check)(&cx) {
                Ok(Some(check)) => checks.push((place, check)),
                Ok(None) => {}
                Err(rejection) => return Err((plugin.name, rejection)),
            }
        }
        Ok(checks)
    }

    /// Whether the pod may go to a node; with those in prospect of it that are at least as
    /// important, and without them (they may never come).
    pub fn fits(&self, checks: &Checks, node: &NodeInfo) -> Result<(), (&'static str, Rejection)> {
        let important =
            |p: &&Rc<PodInfo>| p.priority() >= self.pod.priority() && p.uid() != self.pod.uid();
        let mut nominated = self.nominated.on(&node.name).filter(important).peekable();
        if nominated.peek().is_some() {
            let cx = self.cx();
            let (mut with, mut theirs) = (node.clone(), clone(checks));
            for other in nominated {
                theirs.iter_mut().for_each(|(_, c)| c.with_pod(&cx, &with, other, 1));
                with.add(other.clone());
            }
            self.run(&theirs, &with)?;
        }
        self.run(checks, node)
    }

    fn run(&self, checks: &Checks, node: &NodeInfo) -> Result<(), (&'static str, Rejection)> {
        let cx = self.cx();
        for (place, check) in checks {
            check.filter(&cx, node).map_err(|r| (PLUGINS[*place].name, r))?;
        }
        Ok(())
    }

    /// Nodes that can take the pod, and why the others can't; `start` turns, so that in a large
    /// cluster, where not all nodes are looked at, each gets its turn.
    pub fn feasible(
        &self,
        checks: &Checks,
        order: &[Rc<str>],
        start: &mut usize,
    ) -> (Vec<&NodeInfo>, Failure) {
        let mut failure = Failure { all: order.len(), ..Default::default() };
        if let Some(node) = self.nominated.node(self.pod.uid()).and_then(|n| self.cache.node(n)) {
            if self.fits(checks, node).is_ok() {
                return (vec![node], failure);
            }
        }
        let enough = nodes_to_find(order.len());
        let (mut found, mut looked) = (Vec::new(), 0);
        for i in 0..order.len() {
            let name = &order[(*start + i) % order.len()];
            looked += 1;
            let Some(node) = self.cache.node(name) else { continue };
            match self.fits(checks, node) {
                Ok(()) => found.push(node),
                Err(why) => {
                    failure.nodes.insert(name.clone(), why);
                }
            }
            if found.len() >= enough {
                break;
            }
        }
        *start = if order.is_empty() { 0 } else { (*start + looked) % order.len() };
        (found, failure)
    }

    /// The best of the nodes; of equally good ones a random one. Models `selectHost`.
    pub fn choose(
        &self,
        mut checks: Checks,
        nodes: &[&NodeInfo],
        decision: &mut Decision,
    ) -> Option<Rc<str>> {
        if nodes.len() < 2 {
            return nodes.first().map(|n| n.name.clone());
        }
        let cx = self.cx();
        let mut totals = vec![0i64; nodes.len()];
        let mut parts: Vec<Vec<(&'static str, i64)>> = vec![Vec::new(); nodes.len()];
        for (place, check) in &mut checks {
            let plugin = &PLUGINS[*place];
            if plugin.weight == 0 || !check.prepare_scores(&cx, nodes) {
                continue;
            }
            let mut scores: Vec<i64> = nodes.iter().map(|n| check.score(&cx, n)).collect();
            check.normalize(nodes, &mut scores);
            for ((score, total), parts) in scores.iter().zip(&mut totals).zip(&mut parts) {
                *total += score * plugin.weight;
                parts.push((plugin.name, score * plugin.weight));
            }
        }
        let best = totals.iter().copied().max()?;
        let (mut chosen, mut seen) = (0, 0);
        for (i, _) in totals.iter().enumerate().filter(|(_, t)| **t == best) {
            seen += 1;
            if seen == 1 || self.sim.random(seen) == 0 {
                chosen = i;
            }
        }
        for (node, (total, parts)) in nodes.iter().zip(totals.into_iter().zip(parts)) {
            decision.note(&node.name, || Verdict::Scored { total, parts });
        }
        Some(nodes[chosen].name.clone())
    }
}

/// Copies checks, to try something out.
pub fn clone(checks: &Checks) -> Checks {
    checks.iter().map(|(place, check)| (*place, check.boxed_clone())).collect()
}

/// How many nodes that fit are enough to choose from. Models `numFeasibleNodesToFind`.
fn nodes_to_find(all: usize) -> usize {
    if all < FEW {
        return all.max(1);
    }
    let percent = 50usize.saturating_sub(all / 125).max(5);
    (all * percent / 100).max(FEW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_large_clusters_not_all_nodes_are_looked_at() {
        for (all, want) in [(10, 10), (99, 99), (100, 100), (1000, 420), (5000, 500), (6000, 300)] {
            assert_eq!(nodes_to_find(all), want, "{all}");
        }
    }
}
