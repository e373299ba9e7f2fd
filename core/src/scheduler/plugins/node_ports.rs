//! Two pods can't have the same port of a node's own address.

use crate::{
    api::pods::ports_conflict,
    scheduler::{
        cache::{NodeInfo, PodInfo},
        framework::{Check, Cx, Event, Plugin, Point, Rejection, interest},
    },
};

pub const PLUGIN: Plugin = Plugin {
    name: "NodePorts",
    weight: 0,
    points: &[Point::PreFilter, Point::Filter],
    events: interest::NODE | interest::POD_REMOVED,
    check: |cx| Ok((!cx.pod.ports.is_empty()).then(|| Box::new(Ports) as Box<dyn Check>)),
    helps: |_, pod, event| match event {
        Event::Node(_, None) => true,
        Event::PodRemoved(gone) => conflict(pod, gone),
        _ => false,
    },
};

#[derive(Clone)]
struct Ports;

fn conflict(a: &PodInfo, b: &PodInfo) -> bool {
    ports_conflict(&a.ports, &b.ports)
}

impl Check for Ports {
    fn filter(&self, cx: &Cx, node: &NodeInfo) -> Result<(), Rejection> {
        if node.with_ports > 0 && node.pods.values().any(|p| conflict(cx.pod, p)) {
            let why = "node(s) didn't have free ports for the requested pod ports";
            return Err(Rejection::resolvable(why));
        }
        Ok(())
    }

    fn boxed_clone(&self) -> Box<dyn Check> {
        Box::new(self.clone())
    }
}
