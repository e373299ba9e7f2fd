//! `kubectl describe namespace`. Models `describeNamespace`.

use k8s_openapi::api::core::v1::Namespace;

use super::{
    Cx, Writer,
    common::{self, text},
    quota,
};
use crate::api::Object;

/// See the module.
pub fn describe(cx: &Cx, object: &dyn Object, w: &mut Writer) {
    let Some(ns) = object.downcast::<Namespace>() else { return };
    w.put(0, format_args!("Name:\t{}\n", object.name()));
    common::labels_and_annotations(&ns.metadata, w);
    let status = ns.status.as_ref();
    let phase = status.map(|s| text(&s.phase)).unwrap_or_default();
    w.put(0, format_args!("Status:\t{phase}\n"));
    let conditions = status.and_then(|s| s.conditions.as_deref()).unwrap_or_default();
    if !conditions.is_empty() {
        w.put(0, "Conditions:\n");
        w.put(1, "Type\tStatus\tLastTransitionTime\tReason\tMessage\n");
        w.put(1, "----\t------\t------------------\t------\t-------\n");
    }
    for c in conditions {
        let since = common::meta_date(c.last_transition_time.as_ref());
        let (reason, message) = (text(&c.reason), text(&c.message));
        w.put(1, format_args!("{}\t{}\t{since}\t{reason}\t{message}\n", c.type_, c.status));
    }
    quota::of_namespace(cx, object.name(), w);
}
