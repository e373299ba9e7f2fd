//! Tainted nodes take only pods that tolerate the taint; of the others, those with fewer taints
//! that ask to be left alone are better.

use k8s_openapi::api::core::v1::Node;

use crate::{
    api::scheduling,
    scheduler::{
        cache::{NodeInfo, PodInfo},
        framework::{self, Check, Cx, Event, Plugin, Rejection},
    },
};

pub const PLUGIN: Plugin = Plugin {
    name: "TaintToleration",
    weight: 3,
    check: |_| Ok(Some(Box::new(Taints))),
    helps: |_, pod, event| match event {
        Event::Node(new, old) => takes(pod, new) && old.is_none_or(|old| !takes(pod, old)),
        Event::Own(new, old) => {
            let of = |p: &k8s_openapi::api::core::v1::Pod| {
                p.spec.as_ref().map(|s| scheduling::tolerations(s).to_vec())
            };
            of(new) != of(old)
        }
        _ => false,
    },
};

#[derive(Clone)]
struct Taints;

fn takes(pod: &PodInfo, node: &Node) -> bool {
    let tolerations = pod.pod.spec.as_ref().map(scheduling::tolerations).unwrap_or_default();
    let effects = ["NoSchedule", "NoExecute"];
    scheduling::untolerated(scheduling::taints(node), tolerations, &effects).is_none()
}

impl Check for Taints {
    fn filter(&self, cx: &Cx, node: &NodeInfo) -> Result<(), Rejection> {
        if takes(cx.pod, &node.node) {
            return Ok(());
        }
        Err(Rejection::final_("node(s) had untolerated taint(s)"))
    }

    fn prepare_scores(&mut self, _cx: &Cx, _nodes: &[&NodeInfo]) -> bool {
        true
    }

    fn score(&self, cx: &Cx, node: &NodeInfo) -> i64 {
        let spec = cx.pod.pod.spec.as_ref();
        let about = |t: &&k8s_openapi::api::core::v1::Toleration| {
            matches!(t.effect.as_deref(), None | Some("" | "PreferNoSchedule"))
        };
        let tolerations: Vec<_> =
            spec.map(scheduling::tolerations).unwrap_or_default().iter().filter(about).collect();
        let taints = scheduling::taints(&node.node).iter();
        let soft = taints.filter(|t| t.effect == "PreferNoSchedule");
        soft.filter(|taint| !tolerations.iter().any(|t| scheduling::tolerates(t, taint))).count()
            as i64
    }

    fn normalize(&self, _nodes: &[&NodeInfo], scores: &mut [i64]) {
        framework::normalize(scores, true);
    }

    fn boxed_clone(&self) -> Box<dyn Check> {
        Box::new(self.clone())
    }
}
