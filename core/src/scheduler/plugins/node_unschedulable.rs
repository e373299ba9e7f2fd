//! Cordoned nodes take no new pods.

use k8s_openapi::api::core::v1::{Node, Taint};

use crate::{
    api::scheduling,
    scheduler::{
        cache::{NodeInfo, PodInfo},
        framework::{Check, Cx, Event, Plugin, Point, Rejection, interest},
    },
};

pub const PLUGIN: Plugin = Plugin {
    name: "NodeUnschedulable",
    weight: 0,
    points: &[Point::Filter],
    events: interest::NODE,
    check: |_| Ok(Some(Box::new(Unschedulable))),
    helps: |_, pod, event| match event {
        Event::Node(new, old) => takes(pod, new) && old.is_none_or(|old| !takes(pod, old)),
        Event::Own(new, old) => new.spec != old.spec,
        _ => false,
    },
};

#[derive(Clone)]
struct Unschedulable;

fn takes(pod: &PodInfo, node: &Node) -> bool {
    let cordoned = node.spec.as_ref().and_then(|s| s.unschedulable).unwrap_or(false);
    !cordoned || {
        let taint = Taint {
            key: "node.kubernetes.io/unschedulable".into(),
            effect: "NoSchedule".into(),
            ..Default::default()
        };
        let tolerations = pod.pod.spec.as_ref().map(scheduling::tolerations).unwrap_or_default();
        tolerations.iter().any(|t| scheduling::tolerates(t, &taint))
    }
}

impl Check for Unschedulable {
    fn filter(&self, cx: &Cx, node: &NodeInfo) -> Result<(), Rejection> {
        if takes(cx.pod, &node.node) {
            return Ok(());
        }
        Err(Rejection::final_("node(s) were unschedulable"))
    }

    fn boxed_clone(&self) -> Box<dyn Check> {
        Box::new(self.clone())
    }
}
