//! `kubectl describe priorityclass`. Models `describePriorityClass`.

use k8s_openapi::api::scheduling::v1::PriorityClass;

use super::{
    Cx, Writer,
    common::{self, text},
    events,
};
use crate::api::Object;

/// See the module.
pub fn describe(cx: &Cx, object: &dyn Object, w: &mut Writer) {
    let Some(class) = object.downcast::<PriorityClass>() else { return };
    w.put(0, format_args!("Name:\t{}\n", object.name()));
    w.put(0, format_args!("Value:\t{}\n", class.value.unwrap_or(0)));
    w.put(0, format_args!("GlobalDefault:\t{}\n", class.global_default.unwrap_or(false)));
    w.put(0, format_args!("PreemptionPolicy:\t{}\n", text(&class.preemption_policy)));
    w.put(0, format_args!("Description:\t{}\n", text(&class.description)));
    let annotations = common::one_line(class.metadata.annotations.as_ref());
    w.put(0, format_args!("Annotations:\t{annotations}\n"));
    events::of(cx, object, w);
}
