//! What is wrong with an autoscaler's spec.
//!
//! Models `pkg/apis/autoscaling/validation`.

use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HPAScalingRules, HorizontalPodAutoscalerSpec, MetricIdentifier,
    MetricSpec, MetricTarget,
};

use crate::{
    api::{FieldError, Path, object::to_value, quantity::Amount},
    apiserver::strategy::{
        NameRule,
        metadata::name_error,
        pod::{containers::dns_label, resources},
    },
};

/// Longest window of stabilisation and longest period of a policy, in seconds.
const LONGEST_WINDOW: i32 = 3600;
const LONGEST_PERIOD: i32 = 1800;

const KINDS: &[&str] = &["ContainerResource", "External", "Object", "Pods", "Resource"];

/// Of a spec that is new or takes the place of another one.
pub fn spec(
    spec: &HorizontalPodAutoscalerSpec,
    old: Option<&HorizontalPodAutoscalerSpec>,
) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let at = Path::new("spec");
    // What went down to nothing before may stay there.
    let lowest = i32::from(old.and_then(|o| o.min_replicas) != Some(0));
    let least = spec.min_replicas.unwrap_or(1);
    if least < lowest {
        let why = format!("must be greater than or equal to {lowest}");
        errors.push(FieldError::invalid(at.child("minReplicas"), least, &why));
    }
    if spec.max_replicas < 1 {
        let why = "must be greater than 0";
        errors.push(FieldError::invalid(at.child("maxReplicas"), spec.max_replicas, why));
    }
    if spec.max_replicas < least {
        let why = "must be greater than or equal to `minReplicas`";
        errors.push(FieldError::invalid(at.child("maxReplicas"), spec.max_replicas, why));
    }
    let groupless = spec.scale_target_ref.kind == "ReplicationController";
    let kept = old.is_some_and(|o| version_error(&o.scale_target_ref, groupless).is_some());
    let target_at = at.child("scaleTargetRef");
    reference(&spec.scale_target_ref, groupless, kept, &target_at, &mut errors);
    let metrics_at = at.child("metrics");
    let metrics = spec.metrics.as_deref().unwrap_or_default();
    for (i, one) in metrics.iter().enumerate() {
        metric(one, &metrics_at.index(i), &mut errors);
    }
    let outside = |m: &MetricSpec| matches!(m.type_.as_str(), "Object" | "External");
    if least == 0 && !metrics.iter().any(outside) {
        let why = "must specify at least one Object or External metric to support scaling to zero \
                   replicas";
        errors.push(FieldError::forbidden(metrics_at, why));
    }
    let behavior_at = at.child("behavior");
    let behavior = spec.behavior.as_ref();
    for (field, rules) in [
        ("scaleUp", behavior.and_then(|b| b.scale_up.as_ref())),
        ("scaleDown", behavior.and_then(|b| b.scale_down.as_ref())),
    ] {
        if let Some(rules) = rules {
            scaling(rules, &behavior_at.child(field), &mut errors);
        }
    }
    errors
}

/// Why a reference's version is none: only kinds of the core group have no group.
fn version_error(reference: &CrossVersionObjectReference, groupless: bool) -> Option<String> {
    let version = reference.api_version.as_deref().unwrap_or_default();
    let slashes = version.matches('/').count();
    if slashes > 1 {
        return Some(format!("unexpected GroupVersion string: {version}"));
    }
    let group = version.split_once('/').map_or("", |(group, _)| group);
    (group.is_empty() && !groupless).then(|| "apiVersion must specify API group".to_string())
}

fn reference(
    reference: &CrossVersionObjectReference,
    groupless: bool,
    any_version: bool,
    at: &Path,
    errors: &mut Vec<FieldError>,
) {
    for (field, value) in [("kind", &reference.kind), ("name", &reference.name)] {
        if value.is_empty() {
            errors.push(FieldError::required(at.child(field), ""));
        } else if let Some(why) = name_error(NameRule::PathSegment, value) {
            errors.push(FieldError::invalid_str(at.child(field), value, &why));
        }
    }
    if let Some(why) = version_error(reference, groupless).filter(|_| !any_version) {
        let version = reference.api_version.as_deref().unwrap_or_default();
        errors.push(FieldError::invalid_str(at.child("apiVersion"), version, &why));
    }
}

fn scaling(rules: &HPAScalingRules, at: &Path, errors: &mut Vec<FieldError>) {
    if let Some(window) = rules.stabilization_window_seconds {
        let at = at.child("stabilizationWindowSeconds");
        if window < 0 {
            let why = "must be greater than or equal to zero";
            errors.push(FieldError::invalid(at, window, why));
        }
        if window > LONGEST_WINDOW {
            let why = format!("must be less than or equal to {LONGEST_WINDOW}");
            errors.push(FieldError::invalid(at, window, &why));
        }
    }
    if let Some(select) = rules.select_policy.as_deref() {
        let known = &["Disabled", "Max", "Min"];
        if !known.contains(&select) {
            errors.push(FieldError::not_supported(at.child("selectPolicy"), select, known));
        }
    }
    let policies_at = at.child("policies");
    if rules.policies.as_ref().is_none_or(Vec::is_empty) {
        errors.push(FieldError::required(policies_at, "must specify at least one Policy"));
    }
    for (i, policy) in rules.policies.iter().flatten().enumerate() {
        let at = policies_at.index(i);
        let known = &["Percent", "Pods"];
        if !known.contains(&policy.type_.as_str()) {
            errors.push(FieldError::not_supported(at.child("type"), &policy.type_, known));
        }
        for (field, value) in [("value", policy.value), ("periodSeconds", policy.period_seconds)] {
            if value <= 0 {
                let why = "must be greater than zero";
                errors.push(FieldError::invalid(at.child(field), value, why));
            }
        }
        if policy.period_seconds > LONGEST_PERIOD {
            let why = format!("must be less than or equal to {LONGEST_PERIOD}");
            let at = at.child("periodSeconds");
            errors.push(FieldError::invalid(at, policy.period_seconds, &why));
        }
    }
    if let Some(tolerance) = rules.tolerance.as_ref().filter(|t| Amount::of(t).is_negative()) {
        let why = "must be greater than or equal to 0";
        errors.push(FieldError::invalid(at.child("tolerance"), to_value(tolerance), why));
    }
}

fn metric(metric: &MetricSpec, at: &Path, errors: &mut Vec<FieldError>) {
    let kind = metric.type_.as_str();
    let unknown = |errors: &mut Vec<FieldError>| {
        if !KINDS.contains(&kind) {
            errors.push(FieldError::not_supported(at.child("type"), kind, KINDS));
        }
    };
    if kind.is_empty() {
        errors.push(FieldError::required(at.child("type"), "must specify a metric source type"));
    }
    unknown(errors);
    let present = [
        ("object", "Object", metric.object.is_some()),
        ("external", "External", metric.external.is_some()),
        ("pods", "Pods", metric.pods.is_some()),
        ("resource", "Resource", metric.resource.is_some()),
        ("containerResource", "ContainerResource", metric.container_resource.is_some()),
    ];
    let there: Vec<_> = present.iter().filter(|(.., is)| *is).map(|(field, ..)| *field).collect();
    if let Some(first) = there.first() {
        source(metric, first, &at.child(first), errors);
    }
    let wanted = present.iter().find(|(_, own, _)| *own == kind);
    if let Some((field, _, false)) = wanted {
        let why = "must populate information for the given metric source";
        errors.push(FieldError::required(at.child(field), why));
    }
    // Told a second time, as upstream does.
    unknown(errors);
    if there.len() > 1 {
        for field in there.iter().filter(|f| wanted.is_none_or(|(own, ..)| own != *f)) {
            let why = "must populate the given metric source only";
            errors.push(FieldError::forbidden(at.child(field), why));
        }
    }
}

fn source(metric: &MetricSpec, field: &str, at: &Path, errors: &mut Vec<FieldError>) {
    let target_at = at.child("target");
    if let (Some(source), "object") = (&metric.object, field) {
        let described_at = at.child("describedObject");
        reference(&source.described_object, true, false, &described_at, errors);
        identifier(&source.metric, &at.child("metric"), errors);
        target(&source.target, &target_at, errors);
        if source.target.value.is_none() && source.target.average_value.is_none() {
            let why = "must set either a target value or averageValue";
            errors.push(FieldError::required(target_at.child("averageValue"), why));
        }
    }
    if let (Some(source), "external") = (&metric.external, field) {
        identifier(&source.metric, &at.child("metric"), errors);
        target(&source.target, &target_at, errors);
        match (&source.target.value, &source.target.average_value) {
            (None, None) => {
                let why = "must set either a target value for metric or a per-pod target";
                errors.push(FieldError::required(target_at.child("averageValue"), why));
            }
            (Some(_), Some(_)) => {
                let why = "may not set both a target value for metric and a per-pod target";
                errors.push(FieldError::forbidden(target_at.child("value"), why));
            }
            _ => {}
        }
    }
    if let (Some(source), "pods") = (&metric.pods, field) {
        identifier(&source.metric, &at.child("metric"), errors);
        target(&source.target, &target_at, errors);
        if source.target.average_value.is_none() {
            let why = "must specify a positive target averageValue";
            errors.push(FieldError::required(target_at.child("averageValue"), why));
        }
    }
    if let (Some(source), "resource") = (&metric.resource, field) {
        if source.name.is_empty() {
            errors.push(FieldError::required(at.child("name"), "must specify a resource name"));
        }
        resource_target(&source.target, &target_at, errors);
    }
    if let (Some(source), "containerResource") = (&metric.container_resource, field) {
        if source.name.is_empty() {
            errors.push(FieldError::required(at.child("name"), "must specify a resource name"));
        } else {
            resources::container_name(&source.name, &at.child("name"), errors);
        }
        let container_at = at.child("container");
        if source.container.is_empty() {
            errors.push(FieldError::required(container_at, "must specify a container"));
        } else {
            dns_label(&source.container, &container_at, errors);
        }
        resource_target(&source.target, &target_at, errors);
    }
}

fn identifier(id: &MetricIdentifier, at: &Path, errors: &mut Vec<FieldError>) {
    if id.name.is_empty() {
        errors.push(FieldError::required(at.child("name"), "must specify a metric name"));
    } else if let Some(why) = name_error(NameRule::PathSegment, &id.name) {
        errors.push(FieldError::invalid_str(at.child("name"), &id.name, &why));
    }
}

fn resource_target(of: &MetricTarget, at: &Path, errors: &mut Vec<FieldError>) {
    target(of, at, errors);
    match (of.average_utilization, &of.average_value) {
        (None, None) => {
            let why = "must set either a target raw value or a target utilization";
            errors.push(FieldError::required(at.child("averageUtilization"), why));
        }
        (Some(_), Some(_)) => {
            let why = "may not set both a target raw value and a target utilization";
            errors.push(FieldError::forbidden(at.child("averageValue"), why));
        }
        _ => {}
    }
}

fn target(target: &MetricTarget, at: &Path, errors: &mut Vec<FieldError>) {
    let kind = target.type_.as_str();
    if kind.is_empty() {
        errors.push(FieldError::required(at.child("type"), "must specify a metric target type"));
    }
    if !matches!(kind, "Utilization" | "Value" | "AverageValue") {
        let why = "must be either Utilization, Value, or AverageValue";
        errors.push(FieldError::invalid_str(at.child("type"), kind, why));
    }
    for (field, value) in [("value", &target.value), ("averageValue", &target.average_value)] {
        if value.as_ref().map(Amount::of).is_some_and(|a| a <= Amount::ZERO) {
            errors.push(FieldError::invalid(at.child(field), to_value(value), "must be positive"));
        }
    }
    if let Some(share) = target.average_utilization.filter(|n| *n < 1) {
        let why = "must be greater than 0";
        errors.push(FieldError::invalid(at.child("averageUtilization"), share, why));
    }
}
