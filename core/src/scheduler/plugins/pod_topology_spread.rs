//! Pods that belong together are spread evenly over nodes, zones or other domains.
//!
//! Models `pkg/scheduler/framework/plugins/podtopologyspread`. A pod without constraints of its
//! own that belongs to a service or a set of replicas gets the cluster's soft ones.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use k8s_openapi::{
    api::{
        apps::v1::{ReplicaSet, StatefulSet},
        core::v1::{ReplicationController, Service, TopologySpreadConstraint},
    },
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};

use crate::{
    api::{meta::controller_of, scheduling, selector::Selector},
    scheduler::{
        cache::{NodeInfo, PodInfo},
        framework::{Check, Cx, Event, MAX_SCORE, Plugin, Point, Rejection, interest},
        tally::{Counts, Domains, Sort},
        terms::About,
    },
};

pub const PLUGIN: Plugin = Plugin {
    name: "PodTopologySpread",
    weight: 2,
    points: &[Point::PreFilter, Point::Filter, Point::PreScore, Point::Score],
    events: interest::NODE | interest::PODS,
    check: |cx| {
        let spread = Spread::new(cx);
        let nothing = spread.hard.is_empty() && spread.soft.is_empty();
        Ok((!nothing).then(|| Box::new(spread) as Box<dyn Check>))
    },
    helps: |_, pod, event| match event {
        Event::Storage | Event::Claim(..) | Event::Devices => false,
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
        && constraints(pod, HARD)
            .iter()
            .any(|c| c.selector.matches(other.pod.metadata.labels.as_ref()))
}

const HOSTNAME: &str = "kubernetes.io/hostname";
const HARD: &str = "DoNotSchedule";
const SOFT: &str = "ScheduleAnyway";

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

    /// The pods that it counts: those that are going do not.
    fn sort(&self, pod: &PodInfo) -> Sort {
        Sort { all_of: vec![About::within(pod.namespace(), self.selector.clone())], staying: true }
    }

    /// Whether it counts every node that has its label: the pod wishes for none in particular.
    fn includes_all(&self, pod: &PodInfo) -> bool {
        let spec = pod.pod.spec.as_ref();
        let picky = spec.is_some_and(|s| {
            let affinity = s.affinity.as_ref().is_some_and(|a| a.node_affinity.is_some());
            affinity || s.node_selector.as_ref().is_some_and(|m| !m.is_empty())
        });
        !self.honor_taints && !(self.honor_affinity && picky)
    }
}

/// For each constraint the pods that it counts, by domain, on nodes that have all the labels
/// (`all_labels`) and that it includes.
fn domains(cx: &Cx, constraint: &Constraint, all: &[Constraint], all_labels: bool) -> Rc<Domains> {
    let labelled = |c: &Constraint| cx.cache.values(&c.key).sum() == cx.cache.len() as i64;
    if constraint.includes_all(cx.pod) && (!all_labels || all.iter().all(labelled)) {
        return cx.cache.domains(&constraint.sort(cx.pod), &constraint.key);
    }
    let by_node = cx.cache.by_node(&constraint.sort(cx.pod));
    let mut made = Domains::default();
    for node in cx.cache.nodes() {
        if (all_labels && !has_all(node, all)) || !constraint.includes(cx.pod, node) {
            continue;
        }
        if let Some(domain) = node.label(&constraint.key) {
            made.add(domain, by_node.get(&node.place).copied().unwrap_or(0));
        }
    }
    Rc::new(made)
}

fn constraints(pod: &PodInfo, action: &str) -> Vec<Constraint> {
    let spec = pod.pod.spec.as_ref();
    let all = spec.and_then(|s| s.topology_spread_constraints.as_ref()).into_iter().flatten();
    all.filter(|c| c.when_unsatisfiable == action).map(|c| Constraint::new(pod, c)).collect()
}

/// The scheduler's own constraints for a pod of a service or a set of replicas.
fn default_constraints(cx: &Cx, action: &str) -> Vec<Constraint> {
    let mut wanted: Vec<TopologySpreadConstraint> = match &cx.args.spread {
        Some(own) => own.iter().filter(|c| c.when_unsatisfiable == action).cloned().collect(),
        None if action == SOFT => vec![soft(HOSTNAME, 3), soft("topology.kubernetes.io/zone", 5)],
        None => Vec::new(),
    };
    if wanted.is_empty() {
        return Vec::new();
    }
    let Some(selector) = own_selector(cx) else { return Vec::new() };
    wanted.iter_mut().for_each(|c| c.label_selector = Some(selector.clone()));
    wanted.iter().map(|c| Constraint::new(cx.pod, c)).collect()
}

fn soft(key: &str, max_skew: i32) -> TopologySpreadConstraint {
    TopologySpreadConstraint {
        topology_key: key.into(),
        max_skew,
        when_unsatisfiable: SOFT.into(),
        ..Default::default()
    }
}

/// What selects the pod and its like: its services and its controller together.
/// Models `helper.DefaultSelector`.
fn own_selector(cx: &Cx) -> Option<LabelSelector> {
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
    let ns = cx.pod.namespace();
    let mut selector = LabelSelector::default();
    if let Some(owner) = controller_of(meta) {
        let of_owner = match owner.kind.as_str() {
            "ReplicaSet" => cx
                .client
                .find::<ReplicaSet>(ns, &owner.name)
                .and_then(|o| o.spec.as_ref().map(|s| s.selector.clone())),
            "StatefulSet" => cx
                .client
                .find::<StatefulSet>(ns, &owner.name)
                .and_then(|o| o.spec.as_ref().map(|s| s.selector.clone())),
            "ReplicationController" => {
                let found = cx.client.find::<ReplicationController>(ns, &owner.name);
                wanted.extend(
                    found.and_then(|o| o.spec.as_ref()?.selector.clone()).unwrap_or_default(),
                );
                None
            }
            _ => None,
        };
        selector = of_owner.unwrap_or_default();
    }
    let empty = selector.match_labels.as_ref().is_none_or(BTreeMap::is_empty)
        && selector.match_expressions.as_ref().is_none_or(Vec::is_empty);
    if wanted.is_empty() && empty {
        return None;
    }
    selector.match_labels.get_or_insert_default().extend(wanted);
    Some(selector)
}

#[derive(Clone, Default)]
struct Spread {
    hard: Vec<Constraint>,
    /// Pods a domain, for each of the hard constraints, and the fewest of any.
    matches: Vec<(Counts, i64)>,
    soft: Vec<Constraint>,
    /// Whether nodes without one of the labels are left out of the scores.
    require_all: bool,
    /// The same for the soft ones, counted where the domain has a node that can take the pod.
    soft_matches: Vec<Soft>,
    weights: Vec<f64>,
    /// Which of the nodes to be scored are left out.
    ignored: Vec<bool>,
}

/// What a soft constraint counts.
#[derive(Clone)]
enum Soft {
    /// Pods on each of the nodes to be scored.
    Nodes(Vec<i64>),
    /// Pods a domain.
    Domains(Rc<Domains>),
}

fn has_all(node: &NodeInfo, constraints: &[Constraint]) -> bool {
    constraints.iter().all(|c| node.label(&c.key).is_some())
}

impl Spread {
    fn new(cx: &Cx) -> Self {
        let spec = cx.pod.pod.spec.as_ref();
        let own = spec
            .and_then(|s| s.topology_spread_constraints.as_ref())
            .is_some_and(|c| !c.is_empty());
        let wanted = |action: &str| match own {
            true => constraints(cx.pod, action),
            false => default_constraints(cx, action),
        };
        let (hard, soft) = (wanted(HARD), wanted(SOFT));
        let count = |c: &Constraint| {
            let counts = Counts::new(domains(cx, c, &hard, true));
            let fewest = fewest(c, &counts);
            (counts, fewest)
        };
        let matches = hard.iter().map(count).collect();
        // The system's own constraints leave out no node.
        let require_all = own || cx.args.spread.is_some();
        Spread { hard, matches, soft, require_all, ..Default::default() }
    }
}

/// The fewest pods of any domain; none where there are too few domains.
fn fewest(constraint: &Constraint, counts: &Counts) -> i64 {
    let enough = counts.len() as i64 >= constraint.min_domains;
    counts.fewest().filter(|_| enough).unwrap_or(0)
}

impl Check for Spread {
    fn filter(&self, cx: &Cx, node: &NodeInfo) -> Result<(), Rejection> {
        const MISSING: &str =
            "node(s) didn't match pod topology spread constraints (missing required label)";
        const SKEWED: &str = "node(s) didn't match pod topology spread constraints";
        for (constraint, (matches, fewest)) in self.hard.iter().zip(&self.matches) {
            let Some(domain) = node.label(&constraint.key) else {
                return Err(Rejection::final_(MISSING));
            };
            let own = i64::from(constraint.selector.matches(cx.pod.pod.metadata.labels.as_ref()));
            if matches.get(domain) + own - fewest > constraint.max_skew {
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
            let mut size = candidates.len();
            if constraint.key == HOSTNAME {
                let places = nodes.iter().map(|n| n.place);
                let sort = constraint.sort(cx.pod);
                matches.push(Soft::Nodes(cx.cache.on_nodes(&sort, places)));
            } else {
                // Nodes without the label are in a domain of their own, as upstream counts them.
                let there: BTreeSet<&str> = candidates
                    .iter()
                    .map(|n| n.label(&constraint.key).unwrap_or_default())
                    .collect();
                size = there.len();
                let all = domains(cx, constraint, &self.soft, self.require_all);
                matches.push(Soft::Domains(all));
            }
            weights.push(((size + 2) as f64).ln());
        }
        self.ignored = nodes.iter().map(|n| !counts(n)).collect();
        (self.soft_matches, self.weights) = (matches, weights);
        true
    }

    fn score(&self, _cx: &Cx, i: usize, node: &NodeInfo) -> i64 {
        if self.ignored.get(i).copied().unwrap_or(false) {
            return 0;
        }
        let mut score = 0.0;
        for ((c, matches), weight) in self.soft.iter().zip(&self.soft_matches).zip(&self.weights) {
            let Some(domain) = node.label(&c.key) else { continue };
            let there = match matches {
                Soft::Nodes(counts) => counts.get(i).copied().unwrap_or(0),
                Soft::Domains(counts) => counts.get(domain),
            };
            score += there as f64 * weight + (c.max_skew - 1) as f64;
        }
        score.round() as i64
    }

    fn normalize(&self, scores: &mut [i64]) {
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
        let elsewhere = other.namespace() != cx.pod.namespace();
        if elsewhere || other.is_going() || !has_all(node, &self.hard) {
            return;
        }
        let labels = other.pod.metadata.labels.as_ref();
        for (constraint, (counts, least)) in self.hard.iter().zip(&mut self.matches) {
            let alike = constraint.selector.matches(labels);
            if !alike || !constraint.includes(cx.pod, node) {
                continue;
            }
            if let Some(domain) = node.label(&constraint.key) {
                counts.add(domain, sign);
                *least = fewest(constraint, counts);
            }
        }
    }
}
