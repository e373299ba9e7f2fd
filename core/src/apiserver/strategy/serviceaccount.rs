//! The rules of ServiceAccounts.
//!
//! Models `pkg/registry/core/serviceaccount/strategy.go`.

use k8s_openapi::api::core::v1::ServiceAccount;

use super::Strategy;
use crate::api::meta::annotation;

/// Limits what pods of the account may mount.
const MOUNTABLE: &str = "kubernetes.io/enforce-mountable-secrets";

/// See the module.
pub struct ServiceAccounts;

impl Strategy for ServiceAccounts {
    type Object = ServiceAccount;

    fn warnings(&self, account: &ServiceAccount, old: Option<&ServiceAccount>) -> Vec<String> {
        let asks = |a: &ServiceAccount| annotation(&a.metadata, MOUNTABLE).is_some();
        if !asks(account) || old.is_some_and(asks) {
            return Vec::new();
        }
        vec![format!(
            "metadata.annotations[{MOUNTABLE}]: deprecated in v1.32+; prefer separate namespaces to \
             isolate access to mounted secrets"
        )]
    }
}
