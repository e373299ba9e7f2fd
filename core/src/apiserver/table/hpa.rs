//! The table of HorizontalPodAutoscalers. Models `printHorizontalPodAutoscaler` and
//! `formatHPAMetrics`.

use k8s_openapi::{
    api::autoscaling::v2::{
        HorizontalPodAutoscaler, MetricSpec, MetricStatus, MetricTarget, MetricValueStatus,
    },
    apimachinery::pkg::api::resource::Quantity,
};

use super::{Printer, age, col};
use crate::api::quantity::Amount;

/// So many metrics are shown.
const SHOWN: usize = 2;

/// HorizontalPodAutoscalers.
pub const AUTOSCALER: Printer = Printer {
    columns: &[
        col("Name"),
        col("Reference"),
        col("Targets"),
        col("MinPods"),
        col("MaxPods"),
        col("Replicas"),
        col("Age"),
    ],
    row: |cx, object| {
        let Some(hpa) = object.downcast::<HorizontalPodAutoscaler>() else { return Vec::new() };
        let spec = &hpa.spec;
        let status = hpa.status.as_ref();
        let metrics = spec.metrics.as_deref().unwrap_or_default();
        let current = status.and_then(|s| s.current_metrics.as_deref()).unwrap_or_default();
        let least = spec.min_replicas.map_or("<unset>".to_string(), |n| n.to_string());
        vec![
            object.name().to_string(),
            format!("{}/{}", spec.scale_target_ref.kind, spec.scale_target_ref.name),
            targets(metrics, current),
            least,
            spec.max_replicas.to_string(),
            status.and_then(|s| s.current_replicas).unwrap_or(0).to_string(),
            age(cx, object),
        ]
    },
};

fn targets(metrics: &[MetricSpec], current: &[MetricStatus]) -> String {
    if metrics.is_empty() {
        return "<none>".into();
    }
    let all: Vec<_> = metrics
        .iter()
        .enumerate()
        .take(SHOWN)
        .map(|(i, metric)| target(metric, current.get(i)))
        .collect();
    let text = all.join(", ");
    match metrics.len().saturating_sub(SHOWN) {
        0 => text,
        more => format!("{text} + {more} more..."),
    }
}

fn amount(quantity: Option<&Quantity>) -> String {
    quantity.map_or("<unknown>".into(), |q| Amount::of(q).to_string())
}

fn target(metric: &MetricSpec, current: Option<&MetricStatus>) -> String {
    if let Some(resource) = &metric.resource {
        let now = current.and_then(|c| c.resource.as_ref()).map(|r| &r.current);
        return format!("{}: {}", resource.name, share(&resource.target, now));
    }
    if let Some(resource) = &metric.container_resource {
        let now = current.and_then(|c| c.container_resource.as_ref()).map(|r| &r.current);
        return format!("{}: {}", resource.name, share(&resource.target, now));
    }
    if let Some(pods) = &metric.pods {
        let now = current.and_then(|c| c.pods.as_ref()).map(|p| &p.current);
        return average(&pods.target, now, "");
    }
    let (aim, now) = match (&metric.object, &metric.external) {
        (Some(object), _) => {
            (&object.target, current.and_then(|c| c.object.as_ref()).map(|o| &o.current))
        }
        (None, Some(external)) => {
            (&external.target, current.and_then(|c| c.external.as_ref()).map(|e| &e.current))
        }
        (None, None) => return "<unknown type>".into(),
    };
    if aim.average_value.is_some() {
        return average(aim, now, " (avg)");
    }
    let now = amount(now.and_then(|n| n.value.as_ref()));
    format!("{now}/{}", amount(aim.value.as_ref()))
}

fn average(aim: &MetricTarget, now: Option<&MetricValueStatus>, mark: &str) -> String {
    let now = amount(now.and_then(|n| n.average_value.as_ref()));
    format!("{now}/{}{mark}", amount(aim.average_value.as_ref()))
}

fn share(aim: &MetricTarget, now: Option<&MetricValueStatus>) -> String {
    if aim.average_value.is_some() {
        return average(aim, now, "");
    }
    let percent = |n: Option<i32>, or: &str| n.map_or(or.to_string(), |n| format!("{n}%"));
    let now = percent(now.and_then(|n| n.average_utilization), "<unknown>");
    format!("{now}/{}", percent(aim.average_utilization, "<auto>"))
}
