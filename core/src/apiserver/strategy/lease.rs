//! The rules of Leases.
//!
//! Models `pkg/apis/coordination/validation`.

use k8s_openapi::api::coordination::v1::Lease;

use super::{Strategy, StrategyCx};
use crate::api::FieldError;

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
        errors
    }
}
