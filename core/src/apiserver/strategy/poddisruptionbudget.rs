//! The rules of PodDisruptionBudgets.
//!
//! Models `pkg/apis/policy/validation` and `pkg/registry/policy/poddisruptionbudget`.

use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};

use super::{
    Strategy, StrategyCx,
    pod::{containers::one_of, selectors},
    workload,
};
use crate::api::{FieldError, Path, object::to_value};

/// See the module.
pub struct PodDisruptionBudgets;

impl Strategy for PodDisruptionBudgets {
    type Object = PodDisruptionBudget;

    fn prepare_create(&self, _: &StrategyCx, budget: &mut PodDisruptionBudget) {
        budget.status = Some(Default::default());
    }

    fn prepare_update(
        &self,
        _: &StrategyCx,
        new: &mut PodDisruptionBudget,
        old: &PodDisruptionBudget,
    ) {
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(&self, new: &mut PodDisruptionBudget, old: &PodDisruptionBudget) {
        new.spec.clone_from(&old.spec);
    }

    fn spec_changed(&self, new: &PodDisruptionBudget, old: &PodDisruptionBudget) -> Option<bool> {
        Some(new.spec != old.spec)
    }

    fn validate(&self, _: &StrategyCx, budget: &PodDisruptionBudget) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let Some(spec) = &budget.spec else { return errors };
        if spec.min_available.is_some() && spec.max_unavailable.is_some() {
            let why = "minAvailable and maxUnavailable cannot be both set";
            errors.push(FieldError::invalid("spec", shown(spec), why));
        }
        for (field, value) in [
            ("spec.minAvailable", &spec.min_available),
            ("spec.maxUnavailable", &spec.max_unavailable),
        ] {
            if let Some(value) = value {
                workload::count_or_percent(value, field, &mut errors);
                workload::at_most_all(value, field, &mut errors);
            }
        }
        if let Some(selector) = &spec.selector {
            selectors::check(selector, &Path::new("spec.selector"), &mut errors);
        }
        if let Some(policy) = spec.unhealthy_pod_eviction_policy.as_deref() {
            let at = Path::new("spec.unhealthyPodEvictionPolicy");
            one_of(policy, &["AlwaysAllow", "IfHealthyBudget"], &at, &mut errors);
        }
        errors
    }

    fn validate_status(
        &self,
        new: &PodDisruptionBudget,
        _: &PodDisruptionBudget,
    ) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let Some(s) = &new.status else { return errors };
        workload::status::counts(
            &[
                ("disruptionsAllowed", s.disruptions_allowed.map(i64::from)),
                ("currentHealthy", s.current_healthy.map(i64::from)),
                ("desiredHealthy", s.desired_healthy.map(i64::from)),
                ("expectedPods", s.expected_pods.map(i64::from)),
            ],
            &mut errors,
        );
        errors
    }
}

/// A spec as errors show it: with the names of Kubernetes' internal type, in its order.
fn shown(spec: &PodDisruptionBudgetSpec) -> String {
    let spec = to_value(spec);
    let fields = ["MinAvailable", "Selector", "MaxUnavailable", "UnhealthyPodEvictionPolicy"];
    let part = |name: &&str| {
        let mut own = name.to_string();
        own[..1].make_ascii_lowercase();
        format!("{name:?}:{}", spec[&own])
    };
    format!("{{{}}}", fields.iter().map(part).collect::<Vec<_>>().join(","))
}
