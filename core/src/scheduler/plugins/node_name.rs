//! A pod that names its node goes nowhere else.
//!
//! Such a pod is not scheduled at all as long as the name is set, so this only judges pods that
//! others ask about.

use crate::{
    api::pods,
    scheduler::{
        cache::NodeInfo,
        framework::{Check, Cx, Event, Plugin, Point, Rejection, interest},
    },
};

pub const PLUGIN: Plugin = Plugin {
    name: "NodeName",
    weight: 0,
    points: &[Point::Filter],
    events: interest::NODE,
    check: |cx| {
        let named = !pods::node_name(&cx.pod.pod).is_empty();
        Ok(named.then(|| Box::new(Named) as Box<dyn Check>))
    },
    helps: |_, pod, event| match event {
        Event::Node(node, None) => node.metadata.name.as_deref() == Some(pods::node_name(&pod.pod)),
        _ => false,
    },
};

#[derive(Clone)]
struct Named;

impl Check for Named {
    fn filter(&self, cx: &Cx, node: &NodeInfo) -> Result<(), Rejection> {
        if pods::node_name(&cx.pod.pod) == &*node.name {
            return Ok(());
        }
        Err(Rejection::final_("node(s) didn't match the requested node name"))
    }

    fn boxed_clone(&self) -> Box<dyn Check> {
        Box::new(self.clone())
    }
}
