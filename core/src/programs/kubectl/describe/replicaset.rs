//! `kubectl describe replicaset`. Models `describeReplicaSet`.

use k8s_openapi::api::apps::v1::ReplicaSet;

use super::{
    Cx, Writer,
    common::{self, text},
    events, template,
};
use crate::api::{Object, meta};

/// See the module.
pub fn describe(cx: &Cx, object: &dyn Object, w: &mut Writer) {
    let Some(rs) = object.downcast::<ReplicaSet>() else { return };
    let selector = rs.spec.as_ref().map(|s| &s.selector);
    common::name(object, w);
    w.put(0, format_args!("Selector:\t{}\n", common::selector(selector)));
    common::labels_and_annotations(&rs.metadata, w);
    if let Some(owner) = meta::controller_of(&rs.metadata) {
        w.put(0, format_args!("Controlled By:\t{}/{}\n", owner.kind, owner.name));
    }
    let current = rs.status.as_ref().map_or(0, |s| s.replicas);
    let desired = rs.spec.as_ref().and_then(|s| s.replicas).unwrap_or(0);
    w.put(0, format_args!("Replicas:\t{current} current / {desired} desired\n"));
    w.put(0, format_args!("Pods Status:\t{}\n", template::pods(cx, object, selector)));
    template::show(rs.spec.as_ref().and_then(|s| s.template.as_ref()), w);
    let conditions = rs.status.as_ref().and_then(|s| s.conditions.as_deref()).unwrap_or_default();
    if !conditions.is_empty() {
        w.put(0, "Conditions:\n  Type\tStatus\tReason\n");
        w.put(1, "----\t------\t------\n");
        for c in conditions {
            w.put(1, format_args!("{} \t{}\t{}\n", c.type_, c.status, text(&c.reason)));
        }
    }
    events::of(cx, object, w);
}
