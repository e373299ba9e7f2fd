//! The rules of PriorityClasses.
//!
//! Models `pkg/apis/scheduling/validation` and `pkg/registry/scheduling/priorityclass`.

use k8s_openapi::api::scheduling::v1::PriorityClass;

use super::{
    Strategy, StrategyCx,
    pod::{containers::one_of, defaults::text},
};
use crate::api::{FieldError, Path};

/// Highest priority that is not the system's own.
const HIGHEST: i32 = 1_000_000_000;
/// The classes that are there from the start, with their values.
const SYSTEM: &[(&str, i32)] =
    &[("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)];

/// Whether a class is one of the system's own.
pub fn is_system(name: &str) -> bool {
    SYSTEM.iter().any(|(known, _)| *known == name)
}

/// Why a class is none of the system's own. Models `IsKnownSystemPriorityClass`.
fn not_system(name: &str, value: i32, global: bool) -> Option<String> {
    let Some((_, known)) = SYSTEM.iter().find(|(known, _)| *known == name) else {
        return Some(format!("{name} is not a known system priority class"));
    };
    if value != *known {
        return Some(format!("value of {name} PriorityClass must be {known}"));
    }
    global.then(|| format!("globalDefault of {name} PriorityClass must be false"))
}

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
        let mut errors = Vec::new();
        if name.starts_with("system-") {
            if let Some(why) = not_system(name, value, class.global_default == Some(true)) {
                let why = format!(
                    "priority class names with 'system-' prefix are reserved for system use only. \
                     error: {why}"
                );
                errors.push(FieldError::forbidden("metadata.name", &why));
            }
        } else if value > HIGHEST {
            let why = format!("maximum allowed value of a user defined priority is {HIGHEST}");
            errors.push(FieldError::forbidden("value", &why));
        }
        if let Some(policy) = class.preemption_policy.as_deref() {
            let at = Path::new("preemptionPolicy");
            one_of(policy, &["PreemptLowerPriority", "Never"], &at, &mut errors);
        }
        errors
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
