//! Pods that want to be near others, or away from them.
//!
//! Models `pkg/scheduler/framework/plugins/interpodaffinity`.

use std::collections::BTreeMap;

use crate::{
    api::Object,
    client::Client,
    scheduler::{
        cache::{Group, NodeInfo, PodInfo},
        framework::{Check, Cx, Event, MAX_SCORE, Plugin, Rejection},
        terms::Term,
    },
};

pub const PLUGIN: Plugin = Plugin {
    name: "InterPodAffinity",
    weight: 2,
    check: |cx| {
        // Where neither the pod nor anyone on a node has wishes there is nothing to judge.
        let wishes = !cx.pod.terms.is_empty() || cx.cache.affine > 0;
        Ok(wishes.then(|| Box::new(Affinity::new(cx)) as Box<dyn Check>))
    },
    helps: |client, pod, event| match event {
        Event::PodAdded(new) => attracted(client, pod, new),
        Event::PodUpdated(new, _) => attracted(client, pod, new) || repels(client, pod, new),
        Event::PodRemoved(gone) => repels(client, pod, gone) || repels(client, gone, pod),
        Event::Node(new, Some(old)) => new.metadata.labels != old.metadata.labels,
        Event::Node(_, None) => true,
        Event::Storage => false,
        Event::Own(new, old) => new.metadata.labels != old.metadata.labels,
    },
};

fn about(client: &Client, term: &Term, pod: &PodInfo) -> bool {
    term.matches(client, pod.namespace(), (&*pod.pod as &dyn Object).metadata().labels.as_ref())
}

fn attracted(client: &Client, pod: &PodInfo, other: &PodInfo) -> bool {
    pod.terms.attracts.iter().all(|t| about(client, t, other)) && !pod.terms.attracts.is_empty()
}

fn repels(client: &Client, pod: &PodInfo, other: &PodInfo) -> bool {
    pod.terms.repels.iter().any(|t| about(client, t, other))
}

/// Pods in a domain: by node label and its value.
type Domains = BTreeMap<(String, String), i64>;

#[derive(Clone, Default)]
struct Affinity {
    /// Pods that all of the pod's required terms are about.
    wanted: Domains,
    /// Pods that one of the pod's required anti-affinity terms is about.
    shunned: Domains,
    /// Pods with a required anti-affinity term that is about the pod.
    shunning: Domains,
    /// What preferred terms on both sides make of each domain.
    scores: Domains,
}

fn count(domains: &mut Domains, node: &NodeInfo, key: &str, amount: i64) {
    let Some(value) = node.label(key).filter(|_| amount != 0) else { return };
    let place = (key.to_string(), value.to_string());
    let sum = domains.entry(place.clone()).or_default();
    *sum += amount;
    if *sum == 0 {
        domains.remove(&place);
    }
}

fn has(domains: &Domains, node: &NodeInfo, key: &str) -> bool {
    let Some(value) = node.label(key) else { return false };
    domains.get(&(key.to_string(), value.to_string())).is_some_and(|n| *n > 0)
}

impl Affinity {
    fn new(cx: &Cx) -> Self {
        let mut made = Affinity::default();
        let own = &cx.pod.terms;
        if own.attracts.is_empty() && own.repels.is_empty() && cx.cache.repelling == 0 {
            return made;
        }
        for node in cx.cache.nodes() {
            for group in node.groups.values() {
                made.count(cx, node, &group.sample, group.count);
            }
        }
        made
    }

    /// Counts `amount` pods like `other` on a node for the required terms.
    fn count(&mut self, cx: &Cx, node: &NodeInfo, other: &PodInfo, amount: i64) {
        let own = &cx.pod.terms;
        if attracted(cx.client, cx.pod, other) {
            for term in &own.attracts {
                count(&mut self.wanted, node, &term.topology_key, amount);
            }
        }
        for term in own.repels.iter().filter(|t| about(cx.client, t, other)) {
            count(&mut self.shunned, node, &term.topology_key, amount);
        }
        for term in other.terms.repels.iter().filter(|t| about(cx.client, t, cx.pod)) {
            count(&mut self.shunning, node, &term.topology_key, amount);
        }
    }

    fn is_attracted_to(&self, cx: &Cx, node: &NodeInfo) -> bool {
        let terms = &cx.pod.terms.attracts;
        if terms.iter().any(|t| node.label(&t.topology_key).is_none()) {
            return false;
        }
        if terms.iter().all(|t| has(&self.wanted, node, &t.topology_key)) {
            return true;
        }
        // The first of a group that wants to be together may go anywhere.
        self.wanted.is_empty() && attracted(cx.client, cx.pod, cx.pod)
    }

    fn weigh(&mut self, cx: &Cx, node: &NodeInfo, group: &Group) {
        let other = &group.sample;
        for (term, weight) in &cx.pod.terms.prefers {
            if about(cx.client, term, other) {
                count(&mut self.scores, node, &term.topology_key, weight * group.count);
            }
        }
        for (term, weight) in &other.terms.prefers {
            if about(cx.client, term, cx.pod) {
                count(&mut self.scores, node, &term.topology_key, weight * group.count);
            }
        }
        // Those who need the pod near like it near (`hardPodAffinityWeight` 1).
        for term in &other.terms.attracts {
            if about(cx.client, term, cx.pod) {
                count(&mut self.scores, node, &term.topology_key, group.count);
            }
        }
    }
}

impl Check for Affinity {
    fn filter(&self, cx: &Cx, node: &NodeInfo) -> Result<(), Rejection> {
        if !cx.pod.terms.attracts.is_empty() && !self.is_attracted_to(cx, node) {
            return Err(Rejection::final_("node(s) didn't match pod affinity rules"));
        }
        if cx.pod.terms.repels.iter().any(|t| has(&self.shunned, node, &t.topology_key)) {
            return Err(Rejection::resolvable("node(s) didn't match pod anti-affinity rules"));
        }
        let labels = node.node.metadata.labels.iter().flatten();
        let mut places = labels.map(|(k, v)| (k.clone(), v.clone()));
        if !self.shunning.is_empty() && places.any(|p| self.shunning.contains_key(&p)) {
            let why = "node(s) didn't satisfy existing pods anti-affinity rules";
            return Err(Rejection::resolvable(why));
        }
        Ok(())
    }

    fn prepare_scores(&mut self, cx: &Cx, _nodes: &[&NodeInfo]) -> bool {
        for node in cx.cache.nodes() {
            for group in node.groups.values() {
                self.weigh(cx, node, group);
            }
        }
        !self.scores.is_empty()
    }

    fn score(&self, _cx: &Cx, node: &NodeInfo) -> i64 {
        let labels = node.node.metadata.labels.iter().flatten();
        labels.filter_map(|(k, v)| self.scores.get(&(k.clone(), v.clone()))).sum()
    }

    fn normalize(&self, _nodes: &[&NodeInfo], scores: &mut [i64]) {
        let lowest = scores.iter().copied().min().unwrap_or(0);
        let span = scores.iter().copied().max().unwrap_or(0) - lowest;
        for score in scores {
            let share = |s: i64| (MAX_SCORE as f64 * ((s - lowest) as f64 / span as f64)) as i64;
            *score = if span > 0 { share(*score) } else { 0 };
        }
    }

    fn boxed_clone(&self) -> Box<dyn Check> {
        Box::new(self.clone())
    }

    fn with_pod(&mut self, cx: &Cx, node: &NodeInfo, other: &PodInfo, sign: i64) {
        self.count(cx, node, other, sign);
    }
}
