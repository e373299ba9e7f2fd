//! The rules of `resource.k8s.io`: what is filled in and what is checked of claims, classes and slices.
//!
//! Models `pkg/apis/resource/validation` and `pkg/registry/resource`.

use k8s_openapi::api::resource::v1::{
    DeviceClass, DeviceToleration, ResourceClaim, ResourceClaimSpec, ResourceClaimTemplate,
    ResourceSlice,
};

use super::{NameRule, Strategy, StrategyCx, metadata::name_error};
use crate::api::{FieldError, Path, object::to_value};

fn check_spec(spec: &ResourceClaimSpec, at: &Path, errors: &mut Vec<FieldError>) {
    let devices = at.child("devices");
    let at = devices.child("requests");
    let requests = spec.devices.as_ref().and_then(|d| d.requests.as_deref()).unwrap_or_default();
    let mut seen: Vec<&str> = Vec::new();
    for (i, request) in requests.iter().enumerate() {
        let at = at.index(i);
        if request.name.is_empty() {
            errors.push(FieldError::required(at.child("name"), ""));
        } else if let Some(why) = name_error(NameRule::Label, &request.name) {
            errors.push(FieldError::invalid_str(at.child("name"), &request.name, &why));
        }
        if seen.contains(&request.name.as_str()) {
            let name = crate::api::gofmt::quote(&request.name);
            errors.push(FieldError::duplicate(at.child("name"), name));
        }
        seen.push(&request.name);
        let alternatives = request.first_available.as_ref().is_some_and(|f| !f.is_empty());
        match (&request.exactly, alternatives) {
            (None, false) => {
                let why = "exactly one of `exactly` or `firstAvailable` is required";
                errors.push(FieldError::required(at, why));
            }
            (Some(_), true) => {
                let why = "exactly one of `exactly` or `firstAvailable` is required, but multiple \
                           fields are set";
                errors.push(FieldError::invalid(at, to_value(request), why));
            }
            (Some(exactly), false) if exactly.device_class_name.is_empty() => {
                let exactly = at.child("exactly");
                errors.push(FieldError::required(exactly.child("deviceClassName"), ""));
            }
            _ => {}
        }
    }
}

/// See the module.
pub struct Classes;

impl Strategy for Classes {
    type Object = DeviceClass;

    fn spec_changed(&self, new: &DeviceClass, old: &DeviceClass) -> Option<bool> {
        Some(new.spec != old.spec)
    }

    fn validate(&self, _: &StrategyCx, class: &DeviceClass) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let spec = Path::new("spec");
        let at = spec.child("selectors");
        for (i, selector) in class.spec.selectors.iter().flatten().enumerate() {
            if selector.cel.as_ref().is_none_or(|c| c.expression.trim().is_empty()) {
                let at = at.index(i);
                errors.push(FieldError::required(at.child("cel"), ""));
            }
        }
        errors
    }
}

/// See the module.
pub struct Claims;

impl Strategy for Claims {
    type Object = ResourceClaim;

    fn defaults(&self, claim: &mut ResourceClaim) {
        fill(&mut claim.spec);
    }

    fn prepare_create(&self, _: &StrategyCx, claim: &mut ResourceClaim) {
        claim.status = Some(Default::default());
    }

    fn prepare_update(&self, _: &StrategyCx, new: &mut ResourceClaim, old: &ResourceClaim) {
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(&self, new: &mut ResourceClaim, old: &ResourceClaim) {
        new.spec.clone_from(&old.spec);
    }

    fn validate(&self, _: &StrategyCx, claim: &ResourceClaim) -> Vec<FieldError> {
        let mut errors = Vec::new();
        check_spec(&claim.spec, &Path::new("spec"), &mut errors);
        errors
    }

    fn validate_update(
        &self,
        _: &StrategyCx,
        new: &ResourceClaim,
        old: &ResourceClaim,
    ) -> Vec<FieldError> {
        if new.spec == old.spec {
            return Vec::new();
        }
        vec![FieldError::invalid("spec", to_value(&new.spec), "field is immutable")]
    }
}

/// How many devices a request asks for where it does not say, and how taints are tolerated.
fn fill(spec: &mut ResourceClaimSpec) {
    let Some(devices) = &mut spec.devices else { return };
    let fill = |mode: &mut Option<String>,
                count: &mut Option<i64>,
                tolerations: &mut Option<Vec<DeviceToleration>>| {
        if mode.get_or_insert_with(|| "ExactCount".into()) == "ExactCount" {
            count.get_or_insert(1);
        }
        for toleration in tolerations.iter_mut().flatten() {
            toleration.operator.get_or_insert_with(|| "Equal".into());
        }
    };
    for request in devices.requests.iter_mut().flatten() {
        if let Some(r) = &mut request.exactly {
            fill(&mut r.allocation_mode, &mut r.count, &mut r.tolerations);
        }
        for r in request.first_available.iter_mut().flatten() {
            fill(&mut r.allocation_mode, &mut r.count, &mut r.tolerations);
        }
    }
}

/// See the module.
pub struct Templates;

impl Strategy for Templates {
    type Object = ResourceClaimTemplate;

    fn defaults(&self, template: &mut ResourceClaimTemplate) {
        fill(&mut template.spec.spec);
    }

    fn validate(&self, _: &StrategyCx, template: &ResourceClaimTemplate) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let spec = Path::new("spec");
        check_spec(&template.spec.spec, &spec.child("spec"), &mut errors);
        errors
    }

    fn validate_update(
        &self,
        _: &StrategyCx,
        new: &ResourceClaimTemplate,
        old: &ResourceClaimTemplate,
    ) -> Vec<FieldError> {
        if new.spec == old.spec {
            return Vec::new();
        }
        vec![FieldError::invalid("spec", to_value(&new.spec), "field is immutable")]
    }
}

/// See the module.
pub struct Slices;

impl Strategy for Slices {
    type Object = ResourceSlice;

    fn prepare_create(&self, cx: &StrategyCx, slice: &mut ResourceSlice) {
        since(cx, slice);
    }

    fn prepare_update(&self, cx: &StrategyCx, new: &mut ResourceSlice, _: &ResourceSlice) {
        since(cx, new);
    }

    fn spec_changed(&self, new: &ResourceSlice, old: &ResourceSlice) -> Option<bool> {
        Some(new.spec != old.spec)
    }

    fn validate(&self, _: &StrategyCx, slice: &ResourceSlice) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let at = Path::new("spec");
        if slice.spec.driver.is_empty() {
            errors.push(FieldError::required(at.child("driver"), ""));
        } else if let Some(why) = name_error(NameRule::Subdomain, &slice.spec.driver) {
            errors.push(FieldError::invalid_str(at.child("driver"), &slice.spec.driver, &why));
        }
        let pool = at.child("pool");
        if slice.spec.pool.name.is_empty() {
            errors.push(FieldError::required(pool.child("name"), ""));
        }
        if slice.spec.pool.resource_slice_count <= 0 {
            let why = "must be greater than zero";
            let count = slice.spec.pool.resource_slice_count;
            errors.push(FieldError::invalid(pool.child("resourceSliceCount"), count, why));
        }
        errors
    }

    fn field(&self, slice: &ResourceSlice, path: &str) -> Option<String> {
        match path {
            "spec.nodeName" => Some(slice.spec.node_name.clone().unwrap_or_default()),
            "spec.driver" => Some(slice.spec.driver.clone()),
            _ => None,
        }
    }
}

/// Taints without time were added now.
fn since(cx: &StrategyCx, slice: &mut ResourceSlice) {
    let devices = slice.spec.devices.iter_mut().flatten();
    for taint in devices.flat_map(|d| d.taints.iter_mut().flatten()) {
        taint.time_added.get_or_insert_with(|| cx.now.to_meta());
    }
}
