//! The tables of disruption budgets, quotas, limit ranges and pod templates.

use k8s_openapi::{
    api::{
        core::v1::{LimitRange, PodTemplate, ResourceQuota},
        policy::v1::PodDisruptionBudget,
    },
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{Printer, age, col, labels, workloads::containers};
use crate::api::quantity::Amount;

fn or_na(value: Option<&IntOrString>) -> String {
    match value {
        Some(IntOrString::Int(n)) => n.to_string(),
        Some(IntOrString::String(s)) => s.clone(),
        None => "N/A".into(),
    }
}

/// PodDisruptionBudgets.
pub const POD_DISRUPTION_BUDGET: Printer = Printer {
    columns: &[
        col("Name"),
        col("Min Available"),
        col("Max Unavailable"),
        col("Allowed Disruptions"),
        col("Age"),
    ],
    row: |cx, object| {
        let Some(budget) = object.downcast::<PodDisruptionBudget>() else { return Vec::new() };
        let (spec, status) = (budget.spec.as_ref(), budget.status.as_ref());
        vec![
            object.name().to_string(),
            or_na(spec.and_then(|s| s.min_available.as_ref())),
            or_na(spec.and_then(|s| s.max_unavailable.as_ref())),
            status.and_then(|s| s.disruptions_allowed).unwrap_or(0).to_string(),
            age(cx, object),
        ]
    },
};

/// ResourceQuotas.
pub const RESOURCE_QUOTA: Printer = Printer {
    columns: &[col("Name"), col("Request"), col("Limit"), col("Age")],
    row: |cx, object| {
        let Some(quota) = object.downcast::<ResourceQuota>() else { return Vec::new() };
        let none = Default::default();
        let status = quota.status.as_ref().unwrap_or(&none);
        let (mut requests, mut limits) = (Vec::new(), Vec::new());
        for (name, hard) in status.hard.iter().flatten() {
            let used = Amount::get(status.used.as_ref(), name);
            let text = format!("{name}: {used}/{}", Amount::of(hard));
            if name.starts_with("limits") { limits.push(text) } else { requests.push(text) }
        }
        vec![object.name().to_string(), requests.join(", "), limits.join(", "), age(cx, object)]
    },
};

/// LimitRanges.
pub const LIMIT_RANGE: Printer = Printer {
    columns: &[col("Name"), col("Created At")],
    row: |_, object| {
        if object.downcast::<LimitRange>().is_none() {
            return Vec::new();
        }
        vec![object.name().to_string(), super::created_at(object)]
    },
};

/// PodTemplates.
pub const POD_TEMPLATE: Printer = Printer {
    columns: &[col("Name"), col("Containers"), col("Images"), col("Pod Labels")],
    row: |_, object| {
        let Some(template) = object.downcast::<PodTemplate>() else { return Vec::new() };
        let template = template.template.as_ref();
        let mut row = vec![object.name().to_string()];
        row.extend(containers(template));
        let meta = template.and_then(|t| t.metadata.as_ref());
        row.push(labels(meta.and_then(|m| m.labels.as_ref())));
        row
    },
};
