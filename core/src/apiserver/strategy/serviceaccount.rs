//! The rules of ServiceAccounts.
//!
//! Models `pkg/registry/core/serviceaccount/strategy.go`.

use k8s_openapi::api::core::v1::ServiceAccount;

use super::Strategy;

/// See the module.
pub struct ServiceAccounts;

impl Strategy for ServiceAccounts {
    type Object = ServiceAccount;
}
