//! The rules of Leases.
//!
//! Models `pkg/apis/coordination/validation`.

use k8s_openapi::api::coordination::v1::Lease;

use super::{Strategy, StrategyCx, qualified_name_error};
use crate::api::{FieldError, Path};

/// The only strategy that is Kubernetes' own.
const OLDEST: &str = "OldestEmulationVersion";

/// See the module.
pub struct Leases;

impl Strategy for Leases {
    type Object = Lease;

    fn validate(&self, _: &StrategyCx, lease: &Lease) -> Vec<FieldError> {
        let Some(spec) = &lease.spec else { return Vec::new() };
        let mut errors = Vec::new();
        if let Some(seconds) = spec.lease_duration_seconds.filter(|s| *s <= 0) {
            let field = "spec.leaseDurationSeconds";
            errors.push(FieldError::invalid(field, seconds, "must be greater than 0"));
        }
        if let Some(times) = spec.lease_transitions.filter(|t| *t < 0) {
            let why = "must be greater than or equal to 0";
            errors.push(FieldError::invalid("spec.leaseTransitions", times, why));
        }
        let at = Path::new("spec.strategy");
        match spec.strategy.as_deref() {
            // The field is named twice, as upstream does.
            Some(name) if !name.contains('/') && name != OLDEST => {
                errors.push(FieldError::not_supported(at.child("strategy"), name, &[OLDEST]));
            }
            Some(name) if name.contains('/') => {
                if let Some(why) = qualified_name_error(name) {
                    errors.push(FieldError::invalid_str(at.child("strategy"), name, &why));
                }
            }
            _ => {}
        }
        let preferred = spec.preferred_holder.as_deref().is_some_and(|p| !p.is_empty());
        if preferred && spec.strategy.as_deref().is_none_or(str::is_empty) {
            let why = "may only be specified if `strategy` is defined";
            errors.push(FieldError::forbidden("spec.preferredHolder", why));
        }
        errors
    }
}
