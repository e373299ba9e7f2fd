//! The rules of HorizontalPodAutoscalers.
//!
//! Models `pkg/apis/autoscaling/v2/defaults.go`, `pkg/apis/autoscaling/validation` and
//! `pkg/registry/autoscaling/horizontalpodautoscaler/strategy.go`.

use k8s_openapi::api::autoscaling::v2::{
    HPAScalingPolicy, HPAScalingRules, HorizontalPodAutoscaler, MetricSpec, MetricTarget,
    ResourceMetricSource,
};

use super::{
    NameRule, Strategy, StrategyCx,
    metadata::name_error,
    pod::{containers::one_of, defaults::text},
};
use crate::api::{FieldError, Path, object::to_value, quantity::Amount};

/// See the module.
pub struct Autoscalers;

fn policy(kind: &str, value: i32) -> HPAScalingPolicy {
    HPAScalingPolicy { type_: kind.into(), value, period_seconds: 15 }
}

fn fill(rules: &mut HPAScalingRules, policies: Vec<HPAScalingPolicy>, window: Option<i32>) {
    text(&mut rules.select_policy, "Max");
    if rules.policies.is_none() {
        rules.policies = Some(policies);
    }
    if rules.stabilization_window_seconds.is_none() {
        rules.stabilization_window_seconds = window;
    }
}

impl Strategy for Autoscalers {
    type Object = HorizontalPodAutoscaler;

    fn defaults(&self, hpa: &mut HorizontalPodAutoscaler) {
        let spec = &mut hpa.spec;
        spec.min_replicas.get_or_insert(1);
        if spec.metrics.as_ref().is_none_or(Vec::is_empty) {
            spec.metrics = Some(vec![MetricSpec {
                type_: "Resource".into(),
                resource: Some(ResourceMetricSource {
                    name: "cpu".into(),
                    target: MetricTarget {
                        type_: "Utilization".into(),
                        average_utilization: Some(80),
                        ..Default::default()
                    },
                }),
                ..Default::default()
            }]);
        }
        if let Some(behavior) = &mut spec.behavior {
            let up = vec![policy("Pods", 4), policy("Percent", 100)];
            fill(behavior.scale_up.get_or_insert_default(), up, Some(0));
            let down = vec![policy("Percent", 100)];
            fill(behavior.scale_down.get_or_insert_default(), down, None);
        }
    }

    fn prepare_create(&self, _: &StrategyCx, hpa: &mut HorizontalPodAutoscaler) {
        hpa.status = Some(Default::default());
    }

    fn prepare_update(
        &self,
        _: &StrategyCx,
        new: &mut HorizontalPodAutoscaler,
        old: &HorizontalPodAutoscaler,
    ) {
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(
        &self,
        new: &mut HorizontalPodAutoscaler,
        old: &HorizontalPodAutoscaler,
    ) {
        new.spec.clone_from(&old.spec);
    }

    fn validate(&self, _: &StrategyCx, hpa: &HorizontalPodAutoscaler) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let spec = &hpa.spec;
        let at = Path::new("spec");
        let least = spec.min_replicas.unwrap_or(1);
        if least < 1 {
            let why = "must be greater than or equal to 1";
            errors.push(FieldError::invalid(at.child("minReplicas"), least, why));
        }
        if spec.max_replicas < 1 {
            let why = "must be greater than 0";
            errors.push(FieldError::invalid(at.child("maxReplicas"), spec.max_replicas, why));
        }
        if spec.max_replicas < least {
            let why = "must be greater than or equal to `minReplicas`";
            errors.push(FieldError::invalid(at.child("maxReplicas"), spec.max_replicas, why));
        }
        let reference = &spec.scale_target_ref;
        let ref_at = at.child("scaleTargetRef");
        for (field, value) in [("kind", &reference.kind), ("name", &reference.name)] {
            if value.is_empty() {
                errors.push(FieldError::required(ref_at.child(field), ""));
            } else if let Some(why) = name_error(NameRule::PathSegment, value) {
                errors.push(FieldError::invalid_str(ref_at.child(field), value, &why));
            }
        }
        let metrics_at = at.child("metrics");
        for (i, metric) in spec.metrics.iter().flatten().enumerate() {
            check_metric(metric, &metrics_at.index(i), &mut errors);
        }
        let behavior_at = at.child("behavior");
        let behavior = spec.behavior.as_ref();
        for (field, rules, longest) in [
            ("scaleUp", behavior.and_then(|b| b.scale_up.as_ref()), 3600),
            ("scaleDown", behavior.and_then(|b| b.scale_down.as_ref()), 3600),
        ] {
            if let Some(rules) = rules {
                check_rules(rules, longest, &behavior_at.child(field), &mut errors);
            }
        }
        errors
    }
}

fn check_rules(rules: &HPAScalingRules, longest: i32, at: &Path, errors: &mut Vec<FieldError>) {
    if let Some(window) = rules.stabilization_window_seconds {
        let at = at.child("stabilizationWindowSeconds");
        if window < 0 {
            let why = "must be greater than or equal to zero";
            errors.push(FieldError::invalid(at, window, why));
        } else if window > longest {
            let why = format!("must be less than or equal to {longest}");
            errors.push(FieldError::invalid(at, window, &why));
        }
    }
    let select = rules.select_policy.as_deref().unwrap_or_default();
    one_of(select, &["Disabled", "Max", "Min"], &at.child("selectPolicy"), errors);
    let policies_at = at.child("policies");
    if rules.policies.as_ref().is_none_or(Vec::is_empty) {
        errors.push(FieldError::required(policies_at, "must specify at least one Policy"));
    }
    for (i, policy) in rules.policies.iter().flatten().enumerate() {
        let at = policies_at.index(i);
        one_of(&policy.type_, &["Percent", "Pods"], &at.child("type"), errors);
        for (field, value) in [("value", policy.value), ("periodSeconds", policy.period_seconds)] {
            if value <= 0 {
                let why = "must be greater than zero";
                errors.push(FieldError::invalid(at.child(field), value, why));
            }
        }
        if policy.period_seconds > 1800 {
            let why = "must be less than or equal to 1800";
            errors.push(FieldError::invalid(at.child("periodSeconds"), policy.period_seconds, why));
        }
    }
}

fn check_metric(metric: &MetricSpec, at: &Path, errors: &mut Vec<FieldError>) {
    let kinds = &["ContainerResource", "External", "Object", "Pods", "Resource"];
    one_of(&metric.type_, kinds, &at.child("type"), errors);
    // The field of the type's own name, and what it aims at.
    let (field, target) = match metric.type_.as_str() {
        "Resource" => ("resource", metric.resource.as_ref().map(|m| &m.target)),
        "ContainerResource" => {
            ("containerResource", metric.container_resource.as_ref().map(|m| &m.target))
        }
        "Pods" => ("pods", metric.pods.as_ref().map(|m| &m.target)),
        "Object" => ("object", metric.object.as_ref().map(|m| &m.target)),
        "External" => ("external", metric.external.as_ref().map(|m| &m.target)),
        _ => return,
    };
    let Some(target) = target else {
        let why = "must populate information for the given metric source";
        errors.push(FieldError::required(at.child(field), why));
        return;
    };
    let at = at.child(field);
    check_target(target, &metric.type_, &at.child("target"), errors);
}

fn check_target(target: &MetricTarget, metric: &str, at: &Path, errors: &mut Vec<FieldError>) {
    one_of(&target.type_, &["AverageValue", "Utilization", "Value"], &at.child("type"), errors);
    for (field, value) in [("value", &target.value), ("averageValue", &target.average_value)] {
        if value.as_ref().map(Amount::of).is_some_and(|a| a <= Amount::ZERO) {
            let shown = to_value(value);
            errors.push(FieldError::invalid(at.child(field), shown, "must be positive"));
        }
    }
    if let Some(share) = target.average_utilization.filter(|n| *n < 1) {
        let why = "must be greater than 0";
        errors.push(FieldError::invalid(at.child("averageUtilization"), share, why));
    }
    if matches!(metric, "Resource" | "ContainerResource") {
        match (target.average_utilization, &target.average_value) {
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
}
