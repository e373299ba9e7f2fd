//! `kubectl describe horizontalpodautoscaler`. Models `describeHorizontalPodAutoscalerV2`.

use k8s_openapi::{
    api::autoscaling::v2::{
        HPAScalingRules, HorizontalPodAutoscaler, HorizontalPodAutoscalerStatus, MetricSpec,
        MetricStatus, MetricTarget, MetricValueStatus,
    },
    apimachinery::pkg::api::resource::Quantity,
};

use super::{
    Cx, Writer,
    common::{self, text},
    events,
};
use crate::api::{Object, quantity::Amount};

/// See the module.
pub fn describe(cx: &Cx, object: &dyn Object, w: &mut Writer) {
    let Some(hpa) = object.downcast::<HorizontalPodAutoscaler>() else { return };
    let no_status = HorizontalPodAutoscalerStatus::default();
    let spec = &hpa.spec;
    let status = hpa.status.as_ref().unwrap_or(&no_status);
    common::name(object, w);
    common::labels_and_annotations(&hpa.metadata, w);
    let created = common::meta_date(hpa.metadata.creation_timestamp.as_ref());
    w.put(0, format_args!("CreationTimestamp:\t{created}\n"));
    let target = &spec.scale_target_ref;
    w.put(0, format_args!("Reference:\t{}/{}\n", target.kind, target.name));
    w.put(0, "Metrics:\t( current / target )\n");
    let current = status.current_metrics.as_deref().unwrap_or_default();
    for (i, one) in spec.metrics.iter().flatten().enumerate() {
        metric(one, current.get(i), w);
    }
    let least = spec.min_replicas.map_or("<unset>".to_string(), |n| n.to_string());
    w.put(0, format_args!("Min replicas:\t{least}\n"));
    w.put(0, format_args!("Max replicas:\t{}\n", spec.max_replicas));
    if let Some(behavior) = &spec.behavior {
        w.put(0, "Behavior:\n");
        rules("Scale Up", behavior.scale_up.as_ref(), w);
        rules("Scale Down", behavior.scale_down.as_ref(), w);
    }
    let (now, wanted) = (status.current_replicas.unwrap_or(0), status.desired_replicas);
    w.put(0, format_args!("{} pods:\t{now} current / {wanted} desired\n", target.kind));
    let conditions = status.conditions.as_deref().unwrap_or_default();
    if !conditions.is_empty() {
        w.put(0, "Conditions:\n");
        w.put(1, "Type\tStatus\tReason\tMessage\n");
        w.put(1, "----\t------\t------\t-------\n");
    }
    for c in conditions {
        let (reason, message) = (text(&c.reason), text(&c.message));
        w.put(1, format_args!("{}\t{}\t{reason}\t{message}\n", c.type_, c.status));
    }
    events::of(cx, object, w);
}

fn amount(quantity: Option<&Quantity>) -> String {
    quantity.map_or("<unknown>".into(), |q| Amount::of(q).to_string())
}

fn metric(metric: &MetricSpec, now: Option<&MetricStatus>, w: &mut Writer) {
    if let Some(m) = &metric.resource {
        let now = now.and_then(|n| n.resource.as_ref()).map(|r| &r.current);
        w.put(1, format_args!("resource {} on pods", m.name));
        resource(&m.target, now, w);
    } else if let Some(m) = &metric.container_resource {
        let now = now.and_then(|n| n.container_resource.as_ref()).map(|r| &r.current);
        w.put(1, format_args!("resource {} of container \"{}\" on pods", m.name, m.container));
        resource(&m.target, now, w);
    } else if let Some(m) = &metric.pods {
        let now = now.and_then(|n| n.pods.as_ref()).map(|p| &p.current);
        let now = amount(now.and_then(|n| n.average_value.as_ref()));
        let target = amount(m.target.average_value.as_ref());
        w.put(1, format_args!("{:?} on pods:\t{now} / {target}\n", m.metric.name));
    } else if let Some(m) = &metric.object {
        let on = &m.described_object;
        w.put(1, format_args!("{:?} on {}/{} ", m.metric.name, on.kind, on.name));
        value(&m.target, now.and_then(|n| n.object.as_ref()).map(|o| &o.current), w);
    } else if let Some(m) = &metric.external {
        w.put(1, format_args!("{:?} ", m.metric.name));
        value(&m.target, now.and_then(|n| n.external.as_ref()).map(|e| &e.current), w);
    } else {
        w.put(1, format_args!("<unknown metric type {:?}>\n", metric.type_));
    }
}

fn value(target: &MetricTarget, now: Option<&MetricValueStatus>, w: &mut Writer) {
    if target.average_value.is_some() {
        let now = amount(now.and_then(|n| n.average_value.as_ref()));
        let target = amount(target.average_value.as_ref());
        w.put(0, format_args!("(target average value):\t{now} / {target}\n"));
    } else {
        let now = amount(now.and_then(|n| n.value.as_ref()));
        w.put(0, format_args!("(target value):\t{now} / {}\n", amount(target.value.as_ref())));
    }
}

fn resource(target: &MetricTarget, now: Option<&MetricValueStatus>, w: &mut Writer) {
    let average = amount(now.and_then(|n| n.average_value.as_ref()));
    if target.average_value.is_some() {
        w.put(0, format_args!(":\t{average} / {}\n", amount(target.average_value.as_ref())));
        return;
    }
    let now = now.and_then(|n| n.average_utilization);
    let now = now.map_or("<unknown>".to_string(), |n| format!("{n}% ({average})"));
    let target = target.average_utilization.map_or("<auto>".to_string(), |n| format!("{n}%"));
    w.put(1, format_args!("(as a percentage of request):\t{now} / {target}\n"));
}

fn rules(direction: &str, rules: Option<&HPAScalingRules>, w: &mut Writer) {
    let Some(rules) = rules else { return };
    w.put(1, format_args!("{direction}:\n"));
    if let Some(window) = rules.stabilization_window_seconds {
        w.put(2, format_args!("Stabilization Window: {window} seconds\n"));
    }
    let policies = rules.policies.as_deref().unwrap_or_default();
    if policies.is_empty() {
        return;
    }
    let select = rules.select_policy.clone().unwrap_or_else(|| "Max".into());
    w.put(2, format_args!("Select Policy: {select}\n"));
    w.put(2, "Policies:\n");
    for p in policies {
        let (kind, value, period) = (&p.type_, p.value, p.period_seconds);
        w.put(3, format_args!("- Type: {kind}\tValue: {value}\tPeriod: {period} seconds\n"));
    }
}
