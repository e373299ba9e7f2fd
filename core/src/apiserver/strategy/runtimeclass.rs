//! The rules of RuntimeClasses. Models `pkg/apis/node/validation` and `pkg/registry/node/runtimeclass`.

use k8s_openapi::api::node::v1::RuntimeClass;

use super::{
    NameRule, Strategy, StrategyCx,
    metadata::name_error,
    pod::{self, placement},
    qualified_name_error,
};
use crate::api::{FieldError, Path, object::to_value};

/// See the module.
pub struct RuntimeClasses;

impl Strategy for RuntimeClasses {
    type Object = RuntimeClass;

    fn validate(&self, _: &StrategyCx, class: &RuntimeClass) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if class.handler.is_empty() {
            errors.push(FieldError::required("handler", ""));
        } else if let Some(why) = name_error(NameRule::Label, &class.handler) {
            errors.push(FieldError::invalid_str("handler", &class.handler, &why));
        }
        let scheduling = class.scheduling.as_ref();
        let selector = scheduling.and_then(|s| s.node_selector.as_ref());
        for key in selector.into_iter().flatten().map(|(key, _)| key) {
            if let Some(why) = qualified_name_error(key) {
                let at = "scheduling.nodeSelector";
                errors.push(FieldError::invalid_str(at, key, &why));
            }
        }
        let at = Path::new("scheduling.tolerations");
        let tolerations = scheduling.and_then(|s| s.tolerations.as_deref()).unwrap_or_default();
        placement::tolerations(tolerations, &at, &mut errors);
        let fixed = class.overhead.as_ref().and_then(|o| o.pod_fixed.as_ref());
        let (overhead, at) = (Path::new("overhead"), "podFixed");
        for (name, amount) in fixed.into_iter().flatten() {
            if crate::api::quantity::Amount::of(amount).is_negative() {
                let at = overhead.child(at);
                let why = "must be greater than or equal to 0";
                errors.push(FieldError::invalid(at.key(name), to_value(amount), why));
            }
        }
        errors
    }

    fn warnings(&self, class: &RuntimeClass, _: Option<&RuntimeClass>) -> Vec<String> {
        let selector = class.scheduling.as_ref().and_then(|s| s.node_selector.as_ref());
        let keys = selector.into_iter().flatten().filter_map(|(key, _)| pod::old_label(key));
        keys.map(|why| format!("scheduling.nodeSelector: {why}")).collect()
    }

    fn validate_update(
        &self,
        _: &StrategyCx,
        new: &RuntimeClass,
        old: &RuntimeClass,
    ) -> Vec<FieldError> {
        if new.handler == old.handler {
            return Vec::new();
        }
        vec![FieldError::invalid_str("handler", &new.handler, "field is immutable")]
    }
}
