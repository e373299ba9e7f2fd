//! Tainted nodes take only pods that tolerate the taint; of the others, those with fewer taints
//! that ask to be left alone are better.

use k8s_openapi::api::core::v1::{Node, Toleration};

use crate::{
    api::scheduling,
    scheduler::{
        cache::{NodeInfo, PodInfo},
        framework::{self, Check, Cx, Event, Plugin, Point, Rejection, interest},
    },
};

pub const PLUGIN: Plugin = Plugin {
    name: "TaintToleration",
    weight: 3,
    points: &[Point::Filter, Point::PreScore, Point::Score],
    events: interest::NODE,
    check: |_| Ok(Some(Box::<Taints>::default())),
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

#[derive(Clone, Default)]
struct Taints {
    /// The pod's tolerations of taints that only ask.
    soft: Vec<Toleration>,
}

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

    fn prepare_scores(&mut self, cx: &Cx, _nodes: &[&NodeInfo]) -> bool {
        let spec = cx.pod.pod.spec.as_ref();
        let all = spec.map(scheduling::tolerations).unwrap_or_default().iter();
        let about =
            |t: &&Toleration| matches!(t.effect.as_deref(), None | Some("" | "PreferNoSchedule"));
        self.soft = all.filter(about).cloned().collect();
        true
    }

    fn score(&self, _cx: &Cx, _i: usize, node: &NodeInfo) -> i64 {
        let taints = scheduling::taints(&node.node).iter();
        let soft = taints.filter(|t| t.effect == "PreferNoSchedule");
        let tolerated = |taint| self.soft.iter().any(|t| scheduling::tolerates(t, taint));
        soft.filter(|taint| !tolerated(taint)).count() as i64
    }

    fn normalize(&self, scores: &mut [i64]) {
        framework::normalize(scores, true);
    }

    fn boxed_clone(&self) -> Box<dyn Check> {
        Box::new(self.clone())
    }
}
