//! ComponentStatuses, which are worked out when somebody asks, and Bindings, which are only created.
//!
//! Models `pkg/registry/core/componentstatus` and `pkg/registry/core/pod/storage` (`LegacyBindingREST`).

use k8s_openapi::api::core::v1::{Binding, ComponentCondition, ComponentStatus};

use super::{Strategy, StrategyCx};
use crate::{
    api::{FieldError, Status},
    apiserver::ApiServer,
};

/// See the module.
pub struct ComponentStatuses;

/// Names of components, and where each is asked whether it is well; etcd's answer is no text.
const COMPONENTS: &[(&str, &str)] =
    &[("etcd-0", ""), ("controller-manager", "127.0.0.1:10257"), ("scheduler", "127.0.0.1:10259")];

impl Strategy for ComponentStatuses {
    type Object = ComponentStatus;

    fn deprecated(&self) -> Option<&'static str> {
        Some("v1 ComponentStatus is deprecated in v1.19+")
    }

    fn worked_out(&self, api: &ApiServer) -> Option<Vec<ComponentStatus>> {
        let status = |(name, place): &(&str, &str)| {
            let well = place.is_empty() || api.is_at_work(name);
            let message = match well {
                true => "ok".to_string(),
                false => format!(
                    "Get \"https://{place}/healthz\": dial tcp {place}: connect: connection refused"
                ),
            };
            let mut status = ComponentStatus::default();
            status.metadata.name = Some((*name).to_string());
            status.conditions = Some(vec![ComponentCondition {
                type_: "Healthy".into(),
                status: if well { "True" } else { "False" }.into(),
                message: Some(message),
                error: None,
            }]);
            status
        };
        Some(COMPONENTS.iter().map(status).collect())
    }
}

/// See the module.
pub struct Bindings;

impl Strategy for Bindings {
    type Object = Binding;

    fn validate(&self, _: &StrategyCx, binding: &Binding) -> Vec<FieldError> {
        let target = &binding.target;
        let mut errors = Vec::new();
        let kind = target.kind.as_deref().unwrap_or_default();
        if !matches!(kind, "" | "Node") {
            let known = &["Node", "<empty>"];
            errors.push(FieldError::not_supported("target.kind", kind, known));
        }
        if target.name.as_deref().unwrap_or_default().is_empty() {
            errors.push(FieldError::required("target.name", ""));
        }
        errors
    }

    fn answer(&self, cx: &StrategyCx, binding: &mut Binding) -> Option<Result<(), Status>> {
        let meta = &binding.metadata;
        let text = |t: &Option<String>| t.clone().unwrap_or_default();
        let (namespace, pod) = (text(&meta.namespace), text(&meta.name));
        let node = text(&binding.target.name);
        Some(cx.api.bind(cx.request, &namespace, &pod, &node).map(|_| ()))
    }
}
