//! `kubectl describe poddisruptionbudget`. Models `describePodDisruptionBudgetV1`.

use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetStatus};

use super::{Cx, Writer, common, events};
use crate::api::Object;

/// See the module.
pub fn describe(cx: &Cx, object: &dyn Object, w: &mut Writer) {
    let Some(budget) = object.downcast::<PodDisruptionBudget>() else { return };
    let spec = budget.spec.as_ref();
    let none = PodDisruptionBudgetStatus::default();
    let status = budget.status.as_ref().unwrap_or(&none);
    common::name(object, w);
    if let Some(least) = spec.and_then(|s| s.min_available.as_ref()) {
        w.put(0, format_args!("Min available:\t{}\n", common::int_or_string(Some(least))));
    } else if let Some(most) = spec.and_then(|s| s.max_unavailable.as_ref()) {
        w.put(0, format_args!("Max unavailable:\t{}\n", common::int_or_string(Some(most))));
    }
    let selector = spec.and_then(|s| s.selector.as_ref());
    let selector = selector.map_or("<unset>".into(), |s| common::selector(Some(s)));
    w.put(0, format_args!("Selector:\t{selector}\n"));
    w.put(0, "Status:\n");
    for (title, value) in [
        ("Allowed disruptions", status.disruptions_allowed),
        ("Current", status.current_healthy),
        ("Desired", status.desired_healthy),
        ("Total", status.expected_pods),
    ] {
        w.put(2, format_args!("{title}:\t{}\n", value.unwrap_or(0)));
    }
    events::of(cx, object, w);
}
