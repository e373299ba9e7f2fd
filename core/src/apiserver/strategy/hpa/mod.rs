//! The rules of HorizontalPodAutoscalers.
//!
//! Models `pkg/apis/autoscaling/v2/defaults.go`, `pkg/apis/autoscaling/validation` and
//! `pkg/registry/autoscaling/horizontalpodautoscaler/strategy.go`.

mod check;

use k8s_openapi::api::autoscaling::v2::{
    HPAScalingPolicy, HPAScalingRules, HorizontalPodAutoscaler, MetricSpec, MetricTarget,
    ResourceMetricSource,
};

use super::{Strategy, StrategyCx, pod::defaults::text, workload::status};
use crate::api::FieldError;

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

    fn validate_new(&self, _: &StrategyCx, hpa: &HorizontalPodAutoscaler) -> Vec<FieldError> {
        check::spec(&hpa.spec, None)
    }

    fn validate_update(
        &self,
        _: &StrategyCx,
        new: &HorizontalPodAutoscaler,
        old: &HorizontalPodAutoscaler,
    ) -> Vec<FieldError> {
        check::spec(&new.spec, Some(&old.spec))
    }

    fn validate_status(
        &self,
        new: &HorizontalPodAutoscaler,
        _: &HorizontalPodAutoscaler,
    ) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let Some(s) = &new.status else { return errors };
        let counts = [
            ("currentReplicas", s.current_replicas.map(i64::from)),
            ("desiredReplicas", Some(s.desired_replicas.into())),
        ];
        status::counts(&counts, &mut errors);
        errors
    }
}
