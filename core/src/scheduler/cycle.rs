//! One pod's way to a node: filter, score, choose.
//!
//! Models `pkg/scheduler/schedule_one.go`.

use std::{borrow::Cow, collections::BTreeMap, rc::Rc};

use super::{
    cache::{Cache, NodeInfo, PodInfo},
    config::Profile,
    decisions::{Decision, Part, Verdict},
    framework::{Check, Cx, Rejection},
    nominated::Nominated,
    plugins::PLUGINS,
};
use crate::client::Client;

/// Up to so many nodes all are looked at (`minFeasibleNodesToFind`).
const FEW: usize = 100;

/// A plugin's check for the pod at hand.
pub struct Checked {
    /// The plugin's place in [`PLUGINS`].
    plugin: usize,
    check: Box<dyn Check>,
    filters: bool,
    weight: i64,
}

/// All checks of a pod, in the order in which they judge.
pub type Checks = Vec<Checked>;

/// Who rejected something, and why.
pub type Judgement = (&'static str, Rejection);

/// Why a pod found no node.
#[derive(Debug, Default)]
pub struct Failure {
    /// How many nodes there are.
    pub all: usize,
    /// How many were looked at.
    pub looked_at: usize,
    /// The nodes that were rejected, by their places in the cache, and why.
    pub nodes: Vec<(usize, Judgement)>,
    /// A rejection of all nodes before any was looked at.
    pub before: Option<Judgement>,
    /// The plugins that knew beforehand which nodes are worth a look; the others were not looked at.
    pub narrowed: Vec<&'static str>,
    /// What went wrong, where that ended it.
    pub error: Option<String>,
    /// What came of trying to make room.
    pub after: String,
    /// Whether the pod's prospect of a node, if it had one, is gone.
    pub prospect_lost: bool,
}

impl Failure {
    /// The plugins that rejected, sorted.
    pub fn rejectors(&self) -> Vec<&'static str> {
        let judges = self.nodes.iter().map(|(_, (p, _))| *p);
        let mut names: Vec<_> = judges.chain(self.before.iter().map(|b| b.0)).collect();
        names.extend(&self.narrowed);
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
            None => {
                let unseen = Cow::Owned(format!(
                    "node(s) didn't satisfy plugin(s) [{}]",
                    self.narrowed.join(" ")
                ));
                let absent = self.all.saturating_sub(self.nodes.len());
                let absent = if self.narrowed.is_empty() { 0 } else { absent };
                let reasons = self.nodes.iter().flat_map(|(_, (_, r))| &r.reasons);
                histogram(self.all, reasons.map(|r| (r, 1)).chain([(&unseen, absent)]))
            }
        };
        if !self.after.is_empty() {
            text.push(' ');
            text.push_str(&self.after);
        }
        text
    }
}

/// `0/3 nodes are available: 1 a, 2 b.`
pub fn histogram<'a>(
    all: usize,
    reasons: impl Iterator<Item = (&'a Cow<'static, str>, usize)>,
) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (reason, count) in reasons.filter(|(_, count)| *count > 0) {
        *counts.entry(reason).or_default() += count;
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

/// One pod's turn.
pub struct Cycle<'a> {
    /// Everything else in the cluster.
    pub client: &'a Client,
    /// All nodes.
    pub cache: &'a Cache,
    /// Nodes in prospect.
    pub nominated: &'a Nominated,
    /// How the pod is scheduled.
    pub profile: &'a Profile,
    /// The pod.
    pub pod: &'a Rc<PodInfo>,
}

impl<'a> Cycle<'a> {
    /// What plugins see.
    pub fn cx(&self) -> Cx<'a> {
        Cx { client: self.client, pod: self.pod, cache: self.cache, args: &self.profile.args }
    }

    /// Has each plugin look at the pod; an error rules out all nodes.
    pub fn checks(&self) -> Result<Checks, Judgement> {
        let cx = self.cx();
        let mut checks = Checks::new();
        for &plugin in &self.profile.filters {
            let weight = self.profile.scores.iter().find(|(p, _)| *p == plugin).map_or(0, |s| s.1);
            let looked = (PLUGINS[plugin].check)(&cx).map_err(|r| (PLUGINS[plugin].name, r))?;
            checks.extend(looked.map(|check| Checked { plugin, check, filters: true, weight }));
        }
        for &(plugin, weight) in &self.profile.scores {
            if !self.profile.filters.contains(&plugin) {
                let looked = (PLUGINS[plugin].check)(&cx).ok().flatten();
                let check = looked.map(|check| Checked { plugin, check, filters: false, weight });
                checks.extend(check);
            }
        }
        Ok(checks)
    }

    /// Whether the pod may go to a node. Pods with at least its priority that have the node in
    /// prospect count as there; and it must do without them, too.
    /// Models `RunFilterPluginsWithNominatedPods`.
    pub fn fits(&self, checks: &Checks, node: &NodeInfo) -> Result<(), Judgement> {
        let mut nominated = self
            .nominated
            .on(&node.name)
            .filter(|p| p.uid() != self.pod.uid() && p.priority() >= self.pod.priority())
            .peekable();
        if nominated.peek().is_some() {
            let cx = self.cx();
            let (mut with, mut theirs) = (node.clone(), clone(checks));
            for other in nominated {
                assume(&mut theirs, &cx, &with, other, 1);
                with.add(other.clone());
            }
            self.run(&theirs, &with)?;
        }
        self.run(checks, node)
    }

    fn run(&self, checks: &Checks, node: &NodeInfo) -> Result<(), Judgement> {
        let cx = self.cx();
        for checked in checks.iter().filter(|c| c.filters) {
            checked.check.filter(&cx, node).map_err(|r| (PLUGINS[checked.plugin].name, r))?;
        }
        Ok(())
    }

    /// The nodes worth a look, and the plugins that knew so.
    fn worth(&self, checks: &Checks, order: &Rc<[usize]>) -> (Rc<[usize]>, Vec<&'static str>) {
        let mut narrowed = Vec::new();
        let mut nodes = order.clone();
        for checked in checks.iter().filter(|c| c.filters) {
            let Some(names) = checked.check.narrows() else { continue };
            narrowed.push(PLUGINS[checked.plugin].name);
            let named = |place: &usize| {
                self.cache.at(*place).is_some_and(|node| names.contains(&*node.name))
            };
            nodes = match narrowed.len() {
                // By name, so that a daemon's pod costs no walk over all nodes.
                1 => names.iter().filter_map(|n| self.cache.node(n)).map(|n| n.place).collect(),
                _ => nodes.iter().copied().filter(named).collect(),
            };
        }
        (nodes, narrowed)
    }

    /// Nodes that can take the pod, and why the others can't; `start` turns, so that in a large
    /// cluster, where not all nodes are looked at, each gets its turn.
    pub fn feasible(
        &self,
        checks: &Checks,
        order: &Rc<[usize]>,
        start: &mut usize,
    ) -> (Vec<&'a NodeInfo>, Failure) {
        let mut failure = Failure { all: order.len(), ..Default::default() };
        if let Some(node) = self.nominated.node(self.pod.uid()).and_then(|n| self.cache.node(n)) {
            if self.fits(checks, node).is_ok() {
                failure.looked_at = 1;
                return (vec![node], failure);
            }
        }
        let (worth, narrowed) = self.worth(checks, order);
        failure.narrowed = narrowed;
        let enough = nodes_to_find(worth.len(), self.profile.percentage);
        let mut found = Vec::new();
        for i in 0..worth.len() {
            let place = worth[(*start + i) % worth.len()];
            failure.looked_at += 1;
            let Some(node) = self.cache.at(place) else { continue };
            match self.fits(checks, node) {
                Ok(()) => found.push(node),
                Err((plugin, why)) if why.fatal => {
                    let why = why.reasons.join(", ");
                    failure.error = Some(format!("running {plugin:?} filter plugin: {why}"));
                    return (Vec::new(), failure);
                }
                Err(why) => failure.nodes.push((place, why)),
            }
            if found.len() >= enough {
                break;
            }
        }
        *start = (*start + failure.looked_at) % worth.len().max(1);
        (found, failure)
    }

    /// The best of the nodes; of equally good ones a random one. Models `selectHost`.
    pub fn choose(
        &self,
        mut checks: Checks,
        nodes: &[&NodeInfo],
        decision: &mut Decision,
    ) -> Option<Rc<str>> {
        if let [only] = nodes {
            decision.note(&only.name, || Verdict::Only);
            return Some(only.name.clone());
        }
        let totals = self.scores(&mut checks, nodes, decision);
        let best = totals.iter().copied().max()?;
        let (mut chosen, mut seen) = (0, 0);
        for (i, _) in totals.iter().enumerate().filter(|(_, t)| **t == best) {
            seen += 1;
            if seen == 1 || self.client.sim().random(seen) == 0 {
                chosen = i;
            }
        }
        decision.note_chosen(&nodes[chosen].name);
        Some(nodes[chosen].name.clone())
    }

    /// What the nodes are worth. Models `prioritizeNodes`.
    pub fn scores(
        &self,
        checks: &mut Checks,
        nodes: &[&NodeInfo],
        decision: &mut Decision,
    ) -> Vec<i64> {
        let cx = self.cx();
        let mut totals = vec![0i64; nodes.len()];
        let noted = decision.room().min(nodes.len());
        let mut parts: Vec<Vec<Part>> = vec![Vec::with_capacity(8); noted];
        for checked in checks.iter_mut().filter(|c| c.weight > 0) {
            let (plugin, weight) = (PLUGINS[checked.plugin].name, checked.weight);
            if !checked.check.prepare_scores(&cx, nodes) {
                continue;
            }
            let mut scores: Vec<i64> =
                nodes.iter().enumerate().map(|(i, n)| checked.check.score(&cx, i, n)).collect();
            for (parts, raw) in parts.iter_mut().zip(&scores) {
                parts.push(Part { plugin, raw: *raw, score: 0, weight });
            }
            checked.check.normalize(&mut scores);
            for (total, score) in totals.iter_mut().zip(&scores) {
                *total += score * weight;
            }
            for (parts, score) in parts.iter_mut().zip(&scores) {
                if let Some(part) = parts.last_mut() {
                    part.score = *score;
                }
            }
        }
        for (node, (total, parts)) in nodes.iter().zip(totals.iter().zip(parts)) {
            decision.note(&node.name, || Verdict::Scored { total: *total, parts });
        }
        totals
    }
}

/// Copies checks, to try something out.
pub fn clone(checks: &Checks) -> Checks {
    let copy = |c: &Checked| Checked { check: c.check.boxed_clone(), ..*c };
    checks.iter().map(copy).collect()
}

/// As if a pod were on a node, or not on it any more (`sign` 1 or -1).
pub fn assume(checks: &mut Checks, cx: &Cx, node: &NodeInfo, pod: &PodInfo, sign: i64) {
    checks.iter_mut().for_each(|c| c.check.with_pod(cx, node, pod, sign));
}

/// How many nodes that fit are enough to choose from. Models `numFeasibleNodesToFind`.
fn nodes_to_find(all: usize, percentage: usize) -> usize {
    if all < FEW {
        return all.max(1);
    }
    let percent = match percentage {
        0 => 50usize.saturating_sub(all / 125).max(5),
        set => set.min(100),
    };
    (all * percent / 100).max(FEW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_large_clusters_not_all_nodes_are_looked_at() {
        for (all, percentage, want) in [
            (10, 0, 10),
            (99, 0, 99),
            (100, 0, 100),
            (1000, 0, 420),
            (5000, 0, 500),
            (6000, 0, 300),
            (1000, 40, 400),
            (1000, 3, 100),
            (6000, 100, 6000),
        ] {
            assert_eq!(nodes_to_find(all, percentage), want, "{all} {percentage}");
        }
    }
}
