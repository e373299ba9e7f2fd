//! A pod's node selector and node affinity: required terms exclude, preferred ones are better.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{
    NodeAffinity, NodeSelectorRequirement, PodSpec, PreferredSchedulingTerm,
};

use crate::{
    api::scheduling,
    scheduler::{
        cache::NodeInfo,
        framework::{self, Check, Cx, Event, Plugin, Point, Rejection, interest},
    },
};

pub const PLUGIN: Plugin = Plugin {
    name: "NodeAffinity",
    weight: 2,
    points: &[Point::PreFilter, Point::Filter, Point::PreScore, Point::Score],
    events: interest::NODE,
    check: |cx| {
        let spec = cx.pod.pod.spec.as_ref();
        let wishes = spec.is_some_and(|s| {
            let affinity = s.affinity.as_ref().is_some_and(|a| a.node_affinity.is_some());
            s.node_selector.as_ref().is_some_and(|m| !m.is_empty()) || affinity
        });
        let wishes = wishes || cx.args.added_affinity.is_some();
        let made = || Affinity { named: spec.and_then(named) };
        Ok(wishes.then(|| Box::new(made()) as Box<dyn Check>))
    },
    helps: |_, pod, event| match event {
        Event::Node(new, old) => pod.pod.spec.as_ref().is_some_and(|spec| {
            scheduling::selects(spec, new) && old.is_none_or(|o| !scheduling::selects(spec, o))
        }),
        Event::Own(new, old) => new.spec != old.spec,
        _ => false,
    },
};

#[derive(Clone)]
struct Affinity {
    /// The nodes that the pod's required terms name, if each of them names some.
    named: Option<BTreeSet<String>>,
}

/// The nodes that a pod's terms name (a daemon's pods have such terms), if each term does.
fn named(spec: &PodSpec) -> Option<BTreeSet<String>> {
    let affinity = spec.affinity.as_ref()?.node_affinity.as_ref()?;
    let required = affinity.required_during_scheduling_ignored_during_execution.as_ref()?;
    let mut all = BTreeSet::new();
    for term in &required.node_selector_terms {
        let fields = term.match_fields.iter().flatten();
        let mut by_name = fields.filter(|r| r.key == "metadata.name" && r.operator == "In");
        let names = |r: &NodeSelectorRequirement| -> BTreeSet<String> {
            r.values.iter().flatten().cloned().collect()
        };
        let mut of_term = names(by_name.next()?);
        for more in by_name {
            let more = names(more);
            of_term.retain(|name| more.contains(name));
        }
        all.extend(of_term);
    }
    (!required.node_selector_terms.is_empty()).then_some(all)
}

impl Check for Affinity {
    fn narrows(&self) -> Option<&BTreeSet<String>> {
        self.named.as_ref()
    }

    fn filter(&self, cx: &Cx, node: &NodeInfo) -> Result<(), Rejection> {
        let added = cx.args.added_affinity.as_ref();
        let added =
            added.and_then(|a| a.required_during_scheduling_ignored_during_execution.as_ref());
        if added.is_some_and(|terms| !scheduling::any_term(terms, &node.node)) {
            let why = "node(s) didn't match scheduler-enforced node affinity";
            return Err(Rejection::final_(why));
        }
        match &cx.pod.pod.spec {
            Some(spec) if !scheduling::selects(spec, &node.node) => {
                Err(Rejection::final_("node(s) didn't match Pod's node affinity/selector"))
            }
            _ => Ok(()),
        }
    }

    fn prepare_scores(&mut self, cx: &Cx, _nodes: &[&NodeInfo]) -> bool {
        preferences(cx).next().is_some()
    }

    fn score(&self, cx: &Cx, _i: usize, node: &NodeInfo) -> i64 {
        let met = preferences(cx).filter(|t| scheduling::allows(&t.preference, &node.node));
        met.map(|t| i64::from(t.weight)).sum()
    }

    fn normalize(&self, scores: &mut [i64]) {
        framework::normalize(scores, false);
    }

    fn boxed_clone(&self) -> Box<dyn Check> {
        Box::new(self.clone())
    }
}

/// What the pod, and the scheduler for every pod, would like.
fn preferences<'a>(cx: &Cx<'a>) -> impl Iterator<Item = &'a PreferredSchedulingTerm> {
    fn of(affinity: &NodeAffinity) -> Option<&Vec<PreferredSchedulingTerm>> {
        affinity.preferred_during_scheduling_ignored_during_execution.as_ref()
    }
    let spec = cx.pod.pod.spec.as_ref();
    let own = spec.and_then(|s| s.affinity.as_ref()).and_then(|a| a.node_affinity.as_ref());
    let (own, added) = (own.and_then(of), cx.args.added_affinity.as_ref().and_then(of));
    own.into_iter().flatten().chain(added.into_iter().flatten())
}
