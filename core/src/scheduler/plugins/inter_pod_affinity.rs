//! Pods that want to be near others, or away from them.
//!
//! Models `pkg/scheduler/framework/plugins/interpodaffinity`. What upstream counts for each pod anew
//! is kept counted by the cache.

use std::rc::Rc;

use crate::{
    client::Client,
    scheduler::{
        cache::{NodeInfo, PodInfo},
        framework::{Check, Cx, Event, MAX_SCORE, Plugin, Point, Rejection, interest},
        tally::{Counts, Domains, Sort},
        terms::Term,
    },
};

pub const PLUGIN: Plugin = Plugin {
    name: "InterPodAffinity",
    weight: 2,
    points: &[Point::PreFilter, Point::Filter, Point::PreScore, Point::Score],
    events: interest::NODE | interest::PODS,
    check: |cx| {
        // Where neither the pod nor anyone on a node has wishes there is nothing to judge.
        let others = [cx.cache.repelling.is_empty(), cx.cache.attracted.is_empty()];
        let nobody = others == [true; 2] && cx.cache.preferring.is_empty();
        let wishes = !cx.pod.terms.is_empty() || !nobody;
        Ok(wishes.then(|| Box::new(Affinity::new(cx)) as Box<dyn Check>))
    },
    helps: |client, pod, event| match event {
        Event::PodAdded(new) => attracted(client, pod, new),
        Event::PodUpdated(new, _) => attracted(client, pod, new) || repels(client, pod, new),
        Event::PodRemoved(gone) => repels(client, pod, gone) || repels(client, gone, pod),
        Event::Node(new, Some(old)) => new.metadata.labels != old.metadata.labels,
        Event::Node(_, None) => true,
        Event::Storage | Event::Claim(..) | Event::Devices => false,
        Event::Own(new, old) => new.metadata.labels != old.metadata.labels,
    },
};

fn attracted(client: &Client, pod: &PodInfo, other: &PodInfo) -> bool {
    let terms = &pod.terms.attracts;
    !terms.is_empty() && terms.iter().all(|t| t.about.includes(client, other))
}

fn repels(client: &Client, pod: &PodInfo, other: &PodInfo) -> bool {
    pod.terms.repels.iter().any(|t| t.about.includes(client, other))
}

#[derive(Clone, Default)]
struct Affinity {
    /// For each of the pod's required terms: pods that all of these are about, by the term's domains.
    wanted: Vec<Counts>,
    /// For each of the pod's required anti-affinity terms: pods that it is about.
    shunned: Vec<Counts>,
    /// Required anti-affinity terms of others that are about the pod, and where those others are.
    shunning: Vec<(Term, Counts)>,
    /// Node labels, and what preferred terms on both sides make of their values.
    scores: Vec<(String, Rc<Domains>, i64)>,
}

fn count(cx: &Cx, terms: &[&Term], key: &str) -> Rc<Domains> {
    let all_of = terms.iter().map(|t| t.about.clone()).collect();
    cx.cache.domains(&Sort { all_of, staying: false }, key)
}

fn add(counts: &mut Counts, node: &NodeInfo, key: &str, amount: i64) {
    if let Some(value) = node.label(key) {
        counts.add(value, amount);
    }
}

impl Affinity {
    fn new(cx: &Cx) -> Self {
        let own = &cx.pod.terms;
        let together: Vec<&Term> = own.attracts.iter().collect();
        let wanted = together.iter().map(|t| Counts::new(count(cx, &together, &t.topology_key)));
        let shunned = own.repels.iter().map(|t| Counts::new(count(cx, &[t], &t.topology_key)));
        let shunning = cx.cache.repelling.iter();
        let shunning = shunning.filter(|(term, _)| term.about.includes(cx.client, cx.pod));
        let shunning = shunning.map(|(term, at)| (term.clone(), Counts::new(at.clone())));
        Affinity {
            wanted: wanted.collect(),
            shunned: shunned.collect(),
            shunning: shunning.collect(),
            scores: Vec::new(),
        }
    }

    fn is_attracted_to(&self, cx: &Cx, node: &NodeInfo) -> bool {
        let terms = &cx.pod.terms.attracts;
        let mut there = true;
        for (term, counts) in terms.iter().zip(&self.wanted) {
            let Some(value) = node.label(&term.topology_key) else { return false };
            there &= counts.get(value) > 0;
        }
        // The first of a group that wants to be together may go anywhere.
        there || (self.wanted.iter().all(|c| c.sum() == 0) && attracted(cx.client, cx.pod, cx.pod))
    }
}

impl Check for Affinity {
    fn filter(&self, cx: &Cx, node: &NodeInfo) -> Result<(), Rejection> {
        if !cx.pod.terms.attracts.is_empty() && !self.is_attracted_to(cx, node) {
            return Err(Rejection::final_("node(s) didn't match pod affinity rules"));
        }
        let some =
            |key: &str, counts: &Counts| node.label(key).is_some_and(|value| counts.get(value) > 0);
        let mut shunned = cx.pod.terms.repels.iter().zip(&self.shunned);
        if shunned.any(|(term, counts)| some(&term.topology_key, counts)) {
            return Err(Rejection::resolvable("node(s) didn't match pod anti-affinity rules"));
        }
        if self.shunning.iter().any(|(term, counts)| some(&term.topology_key, counts)) {
            let why = "node(s) didn't satisfy existing pods anti-affinity rules";
            return Err(Rejection::resolvable(why));
        }
        Ok(())
    }

    fn prepare_scores(&mut self, cx: &Cx, _nodes: &[&NodeInfo]) -> bool {
        let own = &cx.pod.terms;
        for (term, weight) in &own.prefers {
            let at = count(cx, &[term], &term.topology_key);
            self.scores.push((term.topology_key.clone(), at, *weight));
        }
        // Without wishes of its own a pod may be told not to mind those of others.
        if cx.args.ignore_preferences_of_others && own.prefers.is_empty() {
            return false;
        }
        let about = |term: &Term| term.about.includes(cx.client, cx.pod);
        for ((term, weight), at) in cx.cache.preferring.iter().filter(|((t, _), _)| about(t)) {
            self.scores.push((term.topology_key.clone(), at.clone(), *weight));
        }
        // Those who need the pod near like it near.
        let hard = cx.args.hard_affinity_weight;
        for (term, at) in cx.cache.attracted.iter().filter(|(t, _)| hard > 0 && about(t)) {
            self.scores.push((term.topology_key.clone(), at.clone(), hard));
        }
        self.scores.retain(|(_, at, _)| at.sum() > 0);
        !self.scores.is_empty()
    }

    fn score(&self, _cx: &Cx, _i: usize, node: &NodeInfo) -> i64 {
        let at = |key: &str, counts: &Domains| node.label(key).map_or(0, |value| counts.get(value));
        self.scores.iter().map(|(key, counts, weight)| at(key, counts) * weight).sum()
    }

    fn normalize(&self, scores: &mut [i64]) {
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
        let own = &cx.pod.terms;
        if attracted(cx.client, cx.pod, other) {
            for (term, counts) in own.attracts.iter().zip(&mut self.wanted) {
                add(counts, node, &term.topology_key, sign);
            }
        }
        for (term, counts) in own.repels.iter().zip(&mut self.shunned) {
            if term.about.includes(cx.client, other) {
                add(counts, node, &term.topology_key, sign);
            }
        }
        for term in other.terms.repels.iter().filter(|t| t.about.includes(cx.client, cx.pod)) {
            let known = self.shunning.iter().position(|(known, _)| known == term);
            let at = known.unwrap_or_else(|| {
                self.shunning.push((term.clone(), Counts::default()));
                self.shunning.len() - 1
            });
            add(&mut self.shunning[at].1, node, &term.topology_key, sign);
        }
    }
}
