//! The rules of PriorityClasses.
//!
//! Models `pkg/apis/scheduling/validation` and `pkg/registry/scheduling/priorityclass`.

use k8s_openapi::api::scheduling::v1::PriorityClass;

use super::{Strategy, StrategyCx, pod::defaults::text};
use crate::api::FieldError;

/// Highest priority that is not the system's own.
const HIGHEST: i32 = 1_000_000_000;
/// The classes that are there from the start, with their values.
const SYSTEM: &[(&str, i32)] =
    &[("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)];

/// See the module.
pub struct PriorityClasses;

impl Strategy for PriorityClasses {
    type Object = PriorityClass;

    fn defaults(&self, class: &mut PriorityClass) {
        text(&mut class.preemption_policy, "PreemptLowerPriority");
        class.value.get_or_insert(0);
    }

    fn spec_changed(&self, _: &PriorityClass, _: &PriorityClass) -> Option<bool> {
        Some(false)
    }

    fn validate(&self, _: &StrategyCx, class: &PriorityClass) -> Vec<FieldError> {
        let name = class.metadata.name.as_deref().unwrap_or_default();
        let value = class.value.unwrap_or(0);
        if name.starts_with("system-") {
            if SYSTEM.contains(&(name, value)) {
                return Vec::new();
            }
            let why = "priority class names with 'system-' prefix are reserved for system use \
                       only. error: ";
            return vec![FieldError::forbidden("metadata.name", why)];
        }
        if value > HIGHEST {
            let why = format!("maximum allowed value of a user defined priority is {HIGHEST}");
            return vec![FieldError::forbidden("value", &why)];
        }
        Vec::new()
    }

    fn validate_update(
        &self,
        _: &StrategyCx,
        new: &PriorityClass,
        old: &PriorityClass,
    ) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if new.value != old.value {
            let why = "may not be changed in an update.";
            errors.push(FieldError::forbidden("value", why));
        }
        if new.preemption_policy != old.preemption_policy {
            let value = new.preemption_policy.as_deref().unwrap_or_default();
            errors.push(FieldError::invalid_str("preemptionPolicy", value, "field is immutable"));
        }
        errors
    }
}
