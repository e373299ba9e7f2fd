//! A pod's node selector and node affinity: required terms exclude, preferred ones are better.

use crate::{
    api::scheduling,
    scheduler::{
        cache::NodeInfo,
        framework::{self, Check, Cx, Event, Plugin, Rejection},
    },
};

pub const PLUGIN: Plugin = Plugin {
    name: "NodeAffinity",
    weight: 2,
    check: |cx| {
        let spec = cx.pod.pod.spec.as_ref();
        let wishes = spec.is_some_and(|s| {
            let affinity = s.affinity.as_ref().is_some_and(|a| a.node_affinity.is_some());
            s.node_selector.as_ref().is_some_and(|m| !m.is_empty()) || affinity
        });
        Ok(wishes.then(|| Box::new(Affinity) as Box<dyn Check>))
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
struct Affinity;

impl Check for Affinity {
    fn filter(&self, cx: &Cx, node: &NodeInfo) -> Result<(), Rejection> {
        match &cx.pod.pod.spec {
            Some(spec) if !scheduling::selects(spec, &node.node) => {
                Err(Rejection::final_("node(s) didn't match Pod's node affinity/selector"))
            }
            _ => Ok(()),
        }
    }

    fn prepare_scores(&mut self, cx: &Cx, _nodes: &[&NodeInfo]) -> bool {
        preferences(cx).is_some_and(|p| !p.is_empty())
    }

    fn score(&self, cx: &Cx, node: &NodeInfo) -> i64 {
        let terms = preferences(cx).into_iter().flatten();
        let met = terms.filter(|t| scheduling::allows(&t.preference, &node.node));
        met.map(|t| i64::from(t.weight)).sum()
    }

    fn normalize(&self, _nodes: &[&NodeInfo], scores: &mut [i64]) {
        framework::normalize(scores, false);
    }

    fn boxed_clone(&self) -> Box<dyn Check> {
        Box::new(self.clone())
    }
}

fn preferences<'a>(
    cx: &'a Cx,
) -> Option<&'a Vec<k8s_openapi::api::core::v1::PreferredSchedulingTerm>> {
    let affinity = cx.pod.pod.spec.as_ref()?.affinity.as_ref()?.node_affinity.as_ref()?;
    affinity.preferred_during_scheduling_ignored_during_execution.as_ref()
}
