//! The rules of IngressClasses.
//!
//! Models `pkg/apis/networking/validation` (`ValidateIngressClass`) and `pkg/registry/networking/ingressclass`.

use k8s_openapi::api::{
    core::v1::TypedLocalObjectReference,
    networking::v1::{IngressClass, IngressClassParametersReference},
};

use super::typed_reference;
use crate::{
    api::{FieldError, Path},
    apiserver::strategy::{
        NameRule, Strategy, StrategyCx,
        metadata::{domain_prefixed_path, name_error},
    },
};

/// Longest name of a controller.
const LONGEST: usize = 250;

/// Rules of IngressClasses.
pub struct IngressClasses;

impl Strategy for IngressClasses {
    type Object = IngressClass;

    fn defaults(&self, class: &mut IngressClass) {
        if let Some(parameters) = class.spec.as_mut().and_then(|s| s.parameters.as_mut()) {
            parameters.scope.get_or_insert_with(|| "Cluster".into());
        }
    }

    fn spec_changed(&self, new: &IngressClass, old: &IngressClass) -> Option<bool> {
        Some(new.spec != old.spec)
    }

    fn validate(&self, _: &StrategyCx, class: &IngressClass) -> Vec<FieldError> {
        let spec = class.spec.as_ref();
        let controller = spec.and_then(|s| s.controller.as_deref()).unwrap_or_default();
        let at = Path::new("spec.controller");
        let mut errors = Vec::new();
        if controller.len() > LONGEST {
            errors.push(FieldError::too_long(at, LONGEST));
        }
        domain_prefixed_path(controller, &at, &mut errors);
        if let Some(parameters) = spec.and_then(|s| s.parameters.as_ref()) {
            class_parameters(parameters, &Path::new("spec.parameters"), &mut errors);
        }
        errors
    }

    fn validate_update(
        &self,
        _: &StrategyCx,
        new: &IngressClass,
        old: &IngressClass,
    ) -> Vec<FieldError> {
        let controller = |c: &IngressClass| c.spec.as_ref().and_then(|s| s.controller.clone());
        if controller(new) == controller(old) {
            return Vec::new();
        }
        let value = controller(new).unwrap_or_default();
        vec![FieldError::invalid_str("spec.controller", &value, "field is immutable")]
    }
}

/// Models `validateIngressClassParametersReference`.
fn class_parameters(
    parameters: &IngressClassParametersReference,
    at: &Path,
    errors: &mut Vec<FieldError>,
) {
    let reference = TypedLocalObjectReference {
        api_group: parameters.api_group.clone(),
        kind: parameters.kind.clone(),
        name: parameters.name.clone(),
    };
    typed_reference(&reference, at, errors);
    let namespace_at = at.child("namespace");
    let scope = parameters.scope.as_deref().unwrap_or_default();
    match (scope, parameters.namespace.as_deref()) {
        ("Namespace", None) => {
            let why = "`parameters.scope` is set to 'Namespace'";
            errors.push(FieldError::required(namespace_at, why));
        }
        ("Namespace", Some(namespace)) => {
            if let Some(why) = name_error(NameRule::Label, namespace) {
                errors.push(FieldError::invalid_str(namespace_at, namespace, &why));
            }
        }
        ("Cluster", Some(_)) => {
            let why = "`parameters.scope` is set to 'Cluster'";
            errors.push(FieldError::forbidden(namespace_at, why));
        }
        ("Cluster", None) => {}
        (other, _) => {
            let known = ["Cluster", "Namespace"];
            errors.push(FieldError::not_supported(at.child("scope"), other, &known));
        }
    }
}
