//! `kubectl describe replicationcontroller`. Models `describeReplicationController`.

use k8s_openapi::api::core::v1::ReplicationController;

use super::{
    Cx, Writer,
    common::{self, text},
    events, template,
};
use crate::api::{Object, selector::Selector};

/// See the module.
pub fn describe(cx: &Cx, object: &dyn Object, w: &mut Writer) {
    let Some(rc) = object.downcast::<ReplicationController>() else { return };
    let (spec, status) = (rc.spec.as_ref(), rc.status.as_ref());
    let labels = spec.and_then(|s| s.selector.clone());
    common::name(object, w);
    w.put(0, format_args!("Selector:\t{}\n", common::one_line(labels.as_ref())));
    common::labels_and_annotations(&rc.metadata, w);
    let (current, desired) =
        (status.map_or(0, |s| s.replicas), spec.and_then(|s| s.replicas).unwrap_or(0));
    w.put(0, format_args!("Replicas:\t{current} current / {desired} desired\n"));
    let selector = Selector::from_labels(&labels.unwrap_or_default());
    w.put(0, format_args!("Pods Status:\t{}\n", template::pods_of(cx, object, &selector)));
    template::show(spec.and_then(|s| s.template.as_ref()), w);
    let conditions = status.and_then(|s| s.conditions.as_deref()).unwrap_or_default();
    if !conditions.is_empty() {
        w.put(0, "Conditions:\n  Type\tStatus\tReason\n");
        w.put(1, "----\t------\t------\n");
        for c in conditions {
            w.put(1, format_args!("{} \t{}\t{}\n", c.type_, c.status, text(&c.reason)));
        }
    }
    events::of(cx, object, w);
}
