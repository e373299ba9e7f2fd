//! The rules of APIServices.
//!
//! Models `kube-aggregator/pkg/apis/apiregistration/validation` and `pkg/registry/apiservice`.

use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;

use super::{NameRule, Strategy, StrategyCx, metadata::name_error};
use crate::api::{FieldError, Path};

/// See the module.
pub struct ApiServices;

impl Strategy for ApiServices {
    type Object = APIService;

    /// `v1.`, the core group's, is no DNS name.
    fn name_rule(&self) -> NameRule {
        NameRule::PathSegment
    }

    fn defaults(&self, service: &mut APIService) {
        let spec = service.spec.as_mut();
        if let Some(place) = spec.and_then(|s| s.service.as_mut()) {
            place.port.get_or_insert(443);
        }
    }

    fn prepare_create(&self, _: &StrategyCx, service: &mut APIService) {
        service.status = Some(Default::default());
    }

    fn prepare_update(&self, _: &StrategyCx, new: &mut APIService, old: &APIService) {
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(&self, new: &mut APIService, old: &APIService) {
        new.spec.clone_from(&old.spec);
    }

    fn validate(&self, _: &StrategyCx, service: &APIService) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let none = Default::default();
        let spec = service.spec.as_ref().unwrap_or(&none);
        let text = |t: &Option<String>| t.clone().unwrap_or_default();
        let (group, version) = (text(&spec.group), text(&spec.version));
        let wanted = format!("{version}.{group}");
        let name = text(&service.metadata.name);
        if name != wanted {
            let why = format!("must be `spec.version+\".\"+spec.group`: {wanted:?}");
            errors.push(FieldError::invalid_str("metadata.name", &name, &why));
        }
        let at = Path::new("spec");
        let own = (group.as_str(), version.as_str()) == ("", "v1");
        if group.is_empty() && !own {
            let why = "only v1 may have an empty group and it better be legacy kube";
            errors.push(FieldError::required(at.child("group"), why));
        }
        if let Some(why) = name_error(NameRule::Label1035, &version) {
            errors.push(FieldError::invalid_str(at.child("version"), &version, &why));
        }
        if !(1..=20_000).contains(&spec.group_priority_minimum) {
            let at = at.child("groupPriorityMinimum");
            let why = "must be positive and less than 20000";
            errors.push(FieldError::invalid(at, spec.group_priority_minimum, why));
        }
        if !(1..=1000).contains(&spec.version_priority) {
            let at = at.child("versionPriority");
            let why = "must be positive and less than 1000";
            errors.push(FieldError::invalid(at, spec.version_priority, why));
        }
        let insecure = spec.insecure_skip_tls_verify.unwrap_or(false);
        let Some(place) = &spec.service else {
            if spec.ca_bundle.as_ref().is_some_and(|b| !b.0.is_empty()) {
                let shown = format!("{} bytes", spec.ca_bundle.as_ref().map_or(0, |b| b.0.len()));
                let why = "local APIServices may not have a caBundle";
                errors.push(FieldError::invalid_str(at.child("caBundle"), &shown, why));
            }
            if insecure {
                let why = "local APIServices may not have insecureSkipTLSVerify";
                errors.push(FieldError::invalid(at.child("insecureSkipTLSVerify"), true, why));
            }
            return errors;
        };
        let service_at = at.child("service");
        for (field, value) in [("namespace", &place.namespace), ("name", &place.name)] {
            if value.as_ref().is_none_or(String::is_empty) {
                errors.push(FieldError::required(service_at.child(field), ""));
            }
        }
        if insecure && spec.ca_bundle.as_ref().is_some_and(|b| !b.0.is_empty()) {
            let why = "may not be true if caBundle is present";
            errors.push(FieldError::invalid(at.child("insecureSkipTLSVerify"), true, why));
        }
        errors
    }
}
