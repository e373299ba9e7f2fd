//! `kubectl describe daemonset`. Models `describeDaemonSet`.

use k8s_openapi::api::apps::v1::{DaemonSet, DaemonSetStatus};

use super::{Cx, Writer, common, events, template};
use crate::api::{Object, selector::Selector};

/// See the module.
pub fn describe(cx: &Cx, object: &dyn Object, w: &mut Writer) {
    let Some(ds) = object.downcast::<DaemonSet>() else { return };
    let none = DaemonSetStatus::default();
    let status = ds.status.as_ref().unwrap_or(&none);
    let selector = ds.spec.as_ref().map(|s| &s.selector);
    common::name(object, w);
    let shown = Selector::from_label_selector(selector).unwrap_or_default();
    w.put(0, format_args!("Selector:\t{shown}\n"));
    let pod = ds.spec.as_ref().and_then(|s| s.template.spec.as_ref());
    let nodes = common::one_line(pod.and_then(|p| p.node_selector.as_ref()));
    w.put(0, format_args!("Node-Selector:\t{nodes}\n"));
    common::labels_and_annotations(&ds.metadata, w);
    for (what, count) in [
        ("Desired Number of Nodes Scheduled", status.desired_number_scheduled),
        ("Current Number of Nodes Scheduled", status.current_number_scheduled),
        (
            "Number of Nodes Scheduled with Up-to-date Pods",
            status.updated_number_scheduled.unwrap_or(0),
        ),
        ("Number of Nodes Scheduled with Available Pods", status.number_available.unwrap_or(0)),
        ("Number of Nodes Misscheduled", status.number_misscheduled),
    ] {
        w.put(0, format_args!("{what}: {count}\n"));
    }
    w.put(0, format_args!("Pods Status:\t{}\n", template::pods(cx, object, selector)));
    template::show(ds.spec.as_ref().map(|s| &s.template), w);
    events::of(cx, object, w);
}
