//! Pods that belong together are spread evenly over nodes, zones or other domains.
//!
//! Models `pkg/scheduler/framework/plugins/podtopologyspread`. A pod without constraints of its
//! own that belongs to a service or a set of replicas gets the cluster's soft ones.

use std::collections::BTreeMap;

use k8s_openapi::api::{
    apps::v1::ReplicaSet,
    core::v1::{Service, TopologySpreadConstraint},
};

use crate::{
    api::{Object, meta::controller_of, scheduling, selector::Selector},
    scheduler::{
        cache::{NodeInfo, PodInfo},
        framework::{Check, Cx, Event, MAX_SCORE, Plugin, Rejection},
    },
};

pub const PLUGIN: Plugin = Plugin {
    name: "PodTopologySpread",
    weight: 2,
    check: |cx| {
        let spread = Spread::new(cx);
        let nothing = spread.hard.is_empty() && spread.soft.is_empty();
        Ok((!nothing).then(|| Box::new(spread) as Box<dyn Check>))
    },
    helps: |_, pod, event| match event {
        Event::Storage => false,
        Event::PodAdded(other) | Event::PodRemoved(other) => counts(pod, other),
        Event::PodUpdated(new, old) => counts(pod, new) || counts(pod, old),
        Event::Node(new, Some(old)) => {
            new.metadata.labels != old.metadata.labels
                || scheduling::taints(new) != scheduling::taints(old)
        }
        Event::Node(_, None) => true,
        Event::Own(new, old) => new.metadata.labels != old.metadata.labels,
    },
};

/// Whether another pod is one that the pod's constraints count.
fn counts(pod: &PodInfo, other: &PodInfo) -> bool {
    pod.namespace() == other.namespace()
        && constraints(pod, "DoNotSchedule")
            .iter()
            .any(|c| c.selector.matches(other.pod.metadata.labels.as_ref()))
}

const HOSTNAME: &str = "kubernetes.io/hostname";

#[derive(Clone, Debug)]
struct Constraint {
    key: String,
    max_skew: i64,
    min_domains: i64,
    selector: Selector,
    honor_affinity: bool,
    honor_taints: bool,
}

impl Constraint {
    fn new(pod: &PodInfo, c: &TopologySpreadConstraint) -> Self {
        let mut wanted = c.label_selector.clone();
        let own = pod.pod.metadata.labels.as_ref();
        for key in c.match_label_keys.iter().flatten() {
            if let Some(value) = own.and_then(|l| l.get(key)) {
                let labels = wanted.get_or_insert_default().match_labels.get_or_insert_default();
                labels.insert(key.clone(), value.clone());
            }
        }
        Constraint {
            key: c.topology_key.clone(),
            max_skew: i64::from(c.max_skew),
            min_domains: i64::from(c.min_domains.unwrap_or(1)),
            selector: Selector::from_label_selector(wanted.as_ref()).unwrap_or_default(),
            honor_affinity: c.node_affinity_policy.as_deref().unwrap_or("Honor") == "Honor",
            honor_taints: c.node_taints_policy.as_deref() == Some("Honor"),
        }
    }

    /// Whether a node counts at all for the pod.
    fn includes(&self, pod: &PodInfo, node: &NodeInfo) -> bool {
        let Some(spec) = &pod.pod.spec else { return true };
        let effects = ["NoSchedule", "NoExecute"];
        (!self.honor_affinity || scheduling::selects(spec, &node.node))
            && (!self.honor_taints
                || scheduling::untolerated(
                    scheduling::taints(&node.node),
                    scheduling::tolerations(spec),
                    &effects,
                )
                .is_none())
    }

    /// Pods on the node that it counts: those that are going do not.
    fn count(&self, pod: &PodInfo, node: &NodeInfo) -> i64 {
        let groups = node.groups.values();
        let alike = groups.filter(|g| {
            !g.going
                && g.sample.namespace() == pod.namespace()
                && self.selector.matches(g.sample.pod.metadata.labels.as_ref())
        });
        alike.map(|g| g.count).sum()
    }
}

fn constraints(pod: &PodInfo, action: &str) -> Vec<Constraint> {
    let spec = pod.pod.spec.as_ref();
    let all = spec.and_then(|s| s.topology_spread_constraints.as_ref()).into_iter().flatten();
    all.filter(|c| c.when_unsatisfiable == action).map(|c| Constraint::new(pod, c)).collect()
}

/// The cluster's own constraints for a pod of a service or a set of replicas.
fn default_constraints(cx: &Cx) -> Vec<Constraint> {
    let meta = &cx.pod.pod.metadata;
    let mut wanted = BTreeMap::new();
    for service in cx.client.list::<Service>(Some(cx.pod.namespace())) {
        let selector = service.spec.as_ref().and_then(|s| s.selector.clone()).unwrap_or_default();
        let own = meta.labels.as_ref();
        let chosen = selector.iter().all(|(k, v)| own.and_then(|l| l.get(k)) == Some(v));
        if chosen && !selector.is_empty() {
            wanted.extend(selector);
        }
    }
    let owner = controller_of(meta).filter(|o| o.kind == "ReplicaSet");
    let set = owner.and_then(|o| cx.client.find::<ReplicaSet>(cx.pod.namespace(), &o.name));
    let of_set = set.as_ref().and_then(|s| s.spec.as_ref()).map(|s| s.selector.clone());
    if wanted.is_empty() && of_set.is_none() {
        return Vec::new();
    }
    let mut selector = of_set.unwrap_or_default();
    selector.match_labels.get_or_insert_default().extend(wanted);
    let selector = Selector::from_label_selector(Some(&selector)).unwrap_or_default();
    let soft = |key: &str, max_skew| Constraint {
        key: key.into(),
        max_skew,
        min_domains: 1,
        selector: selector.clone(),
        honor_affinity: true,
        honor_taints: false,
    };
    vec![soft(HOSTNAME, 3), soft("topology.kubernetes.io/zone", 5)]
}

#[derive(Clone, Default)]
struct Spread {
    hard: Vec<Constraint>,
    /// Pods a domain, for each of the hard constraints.
    matches: Vec<BTreeMap<String, i64>>,
    soft: Vec<Constraint>,
    /// Whether nodes without one of the labels are left out of the scores.
    require_all: bool,
    /// The same for the soft ones, counted where the domain has a node that can take the pod.
    soft_matches: Vec<BTreeMap<String, i64>>,
    weights: Vec<f64>,
    /// Which of the nodes to be scored are left out.
    ignored: Vec<bool>,
}

fn has_all(node: &NodeInfo, constraints: &[Constraint]) -> bool {
    constraints.iter().all(|c| node.label(&c.key).is_some())
}

impl Spread {
    fn new(cx: &Cx) -> Self {
        let hard = constraints(cx.pod, "DoNotSchedule");
        let spec = cx.pod.pod.spec.as_ref();
        let own = spec
            .and_then(|s| s.topology_spread_constraints.as_ref())
            .is_some_and(|c| !c.is_empty());
        let soft =
            if own { constraints(cx.pod, "ScheduleAnyway") } else { default_constraints(cx) };
        let mut matches = vec![BTreeMap::new(); hard.len()];
        if !hard.is_empty() {
            for node in cx.cache.nodes().filter(|n| has_all(n, &hard)) {
                for (constraint, matches) in hard.iter().zip(&mut matches) {
                    if !constraint.includes(cx.pod, node) {
                        continue;
                    }
                    let domain = node.label(&constraint.key).unwrap_or_default();
                    *matches.entry(domain.to_string()).or_default() +=
                        constraint.count(cx.pod, node);
                }
            }
        }
        Spread { hard, matches, soft, require_all: own, ..Default::default() }
    }
}

impl Check for Spread {
    fn filter(&self, cx: &Cx, node: &NodeInfo) -> Result<(), Rejection> {
        const MISSING: &str =
            "node(s) didn't match pod topology spread constraints (missing required label)";
        const SKEWED: &str = "node(s) didn't match pod topology spread constraints";
        for (constraint, matches) in self.hard.iter().zip(&self.matches) {
            let Some(domain) = node.label(&constraint.key) else {
                return Err(Rejection::final_(MISSING));
            };
            let enough = matches.len() as i64 >= constraint.min_domains;
            let fewest = if enough { matches.values().copied().min().unwrap_or(0) } else { 0 };
            let own = i64::from(constraint.selector.matches(cx.pod.pod.metadata.labels.as_ref()));
            let there = matches.get(domain).copied().unwrap_or(0);
            if there + own - fewest > constraint.max_skew {
                return Err(Rejection::resolvable(SKEWED));
            }
        }
        Ok(())
    }

    fn prepare_scores(&mut self, cx: &Cx, nodes: &[&NodeInfo]) -> bool {
        if self.soft.is_empty() {
            return false;
        }
        let counts = |n: &NodeInfo| !self.require_all || has_all(n, &self.soft);
        let candidates: Vec<_> = nodes.iter().filter(|n| counts(n)).collect();
        let (mut matches, mut weights) = (Vec::new(), Vec::new());
        for constraint in &self.soft {
            let mut domains: BTreeMap<String, i64> = BTreeMap::new();
            let mut size = candidates.len();
            if constraint.key != HOSTNAME {
                for node in &candidates {
                    // A node without the label is a domain of its own, as upstream counts it.
                    let domain = node.label(&constraint.key).unwrap_or_default();
                    domains.entry(domain.to_string()).or_default();
                }
                size = domains.len();
                for node in cx.cache.nodes().filter(|n| counts(n)) {
                    let domain = node.label(&constraint.key).unwrap_or_default();
                    let Some(sum) = domains.get_mut(domain) else { continue };
                    if constraint.includes(cx.pod, node) {
                        *sum += constraint.count(cx.pod, node);
                    }
                }
            }
            matches.push(domains);
            weights.push(((size + 2) as f64).ln());
        }
        let ignored = nodes.iter().map(|n| !counts(n)).collect();
        (self.soft_matches, self.weights, self.ignored) = (matches, weights, ignored);
        true
    }

    fn score(&self, cx: &Cx, node: &NodeInfo) -> i64 {
        if self.require_all && !has_all(node, &self.soft) {
            return 0;
        }
        let mut score = 0.0;
        for ((c, matches), weight) in self.soft.iter().zip(&self.soft_matches).zip(&self.weights) {
            let Some(domain) = node.label(&c.key) else { continue };
            let there = if c.key == HOSTNAME {
                c.count(cx.pod, node)
            } else {
                matches.get(domain).copied().unwrap_or(0)
            };
            score += there as f64 * weight + (c.max_skew - 1) as f64;
        }
        score.round() as i64
    }

    fn normalize(&self, _nodes: &[&NodeInfo], scores: &mut [i64]) {
        let ignored = &self.ignored;
        let counted = || scores.iter().zip(ignored.iter()).filter(|(_, i)| !**i).map(|(s, _)| *s);
        let lowest = counted().min().unwrap_or(0);
        let highest = counted().max().unwrap_or(0);
        for (score, ignored) in scores.iter_mut().zip(ignored.iter()) {
            *score = match (*ignored, highest) {
                (true, _) => 0,
                (false, 0) => MAX_SCORE,
                (false, _) => MAX_SCORE * (highest + lowest - *score) / highest,
            };
        }
    }

    fn boxed_clone(&self) -> Box<dyn Check> {
        Box::new(self.clone())
    }

    fn with_pod(&mut self, cx: &Cx, node: &NodeInfo, other: &PodInfo, sign: i64) {
        if other.namespace() != cx.pod.namespace() || !has_all(node, &self.hard) {
            return;
        }
        for (constraint, matches) in self.hard.iter().zip(&mut self.matches) {
            let alike = constraint
                .selector
                .matches((&*other.pod as &dyn Object).metadata().labels.as_ref());
            if !alike || !constraint.includes(cx.pod, node) {
                continue;
            }
            if let Some(domain) = node.label(&constraint.key) {
                *matches.entry(domain.to_string()).or_default() += sign;
            }
        }
    }
}
