//! The events of an object.
//!
//! Models `searchEvents` and `DescribeEvents`.

use std::rc::Rc;

use k8s_openapi::api::core::v1::Event;

use super::{Cx, Writer, common};
use crate::{
    api::{Object, meta},
    client::IndexFn,
};

/// The marker of pods that a kubelet shows for its static ones; its value is their events' uid.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// Events by the uid of what they are about.
const BY_UID: IndexFn = by_uid;

fn by_uid(object: &dyn Object) -> Vec<String> {
    let event = object.downcast::<Event>();
    event.and_then(|e| e.involved_object.uid.clone()).into_iter().collect()
}

fn about(cx: &Cx, object: &dyn Object, uid: &str) -> Vec<Rc<Event>> {
    let index = cx.client.index::<Event>(BY_UID);
    let mut events = cx.client.by_index::<Event>(index, uid);
    events.retain(|e| {
        let involved = &e.involved_object;
        common::text(&involved.name) == object.name()
            && common::text(&involved.namespace) == object.namespace()
    });
    events
}

/// The object's events, if they are wanted.
pub fn of(cx: &Cx, object: &dyn Object, w: &mut Writer) {
    let mirror = meta::annotation(object.metadata(), MIRROR);
    show(cx, about(cx, object, mirror.unwrap_or(object.uid())), w);
}

/// A node's events: kubelets name the node by its name, controllers by its uid.
pub fn of_node(cx: &Cx, object: &dyn Object, w: &mut Writer) {
    let mut events = about(cx, object, object.uid());
    events.extend(about(cx, object, object.name()));
    show(cx, events, w);
}

fn show(cx: &Cx, mut events: Vec<Rc<Event>>, w: &mut Writer) {
    if !cx.show_events {
        return;
    }
    if events.is_empty() {
        w.put(0, "Events:\t<none>\n");
        return;
    }
    events.sort_by_key(|e| e.last_timestamp.as_ref().map(|t| t.0));
    w.put(0, "Events:\n  Type\tReason\tAge\tFrom\tMessage\n");
    w.put(1, "----\t------\t----\t----\t-------\n");
    for e in events {
        let first = e.event_time.as_ref().map(|t| t.0);
        let first = first.or_else(|| e.first_timestamp.as_ref().map(|t| t.0));
        let first = common::ago(cx, first);
        let age = if let Some(series) = &e.series {
            let last = common::ago(cx, series.last_observed_time.as_ref().map(|t| t.0));
            format!("{last} (x{} over {first})", series.count.unwrap_or(0))
        } else if e.count.is_some_and(|n| n > 1) {
            let last = common::ago(cx, e.last_timestamp.as_ref().map(|t| t.0));
            format!("{last} (x{} over {first})", e.count.unwrap_or(0))
        } else {
            first
        };
        let component = e.source.as_ref().and_then(|s| s.component.clone());
        let component = component.filter(|c| !c.is_empty());
        let component = component.or_else(|| e.reporting_component.clone()).unwrap_or_default();
        let message = common::text(&e.message).trim();
        let (kind, reason) = (common::text(&e.type_), common::text(&e.reason));
        w.put(1, format_args!("{kind}\t{reason}\t{age}\t{component}\t"));
        match common::text(&e.involved_object.field_path) {
            "" => w.put(0, format_args!("{message}\n")),
            field => w.put(0, format_args!("{field}: {message}\n")),
        }
    }
}
