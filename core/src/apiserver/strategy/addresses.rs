//! The rules of IPAddresses and ServiceCIDRs.
//!
//! Models `pkg/apis/networking/validation` (`ValidateIPAddress`, `ValidateServiceCIDR`) and
//! `pkg/registry/networking/{ipaddress,servicecidr}`.

use std::net::IpAddr;

use k8s_openapi::api::networking::v1::{IPAddress, ServiceCIDR};

use super::{NameRule, Strategy, StrategyCx, metadata::name_error};
use crate::api::{FieldError, Path, cidr::Cidr, gofmt};

/// See the module.
pub struct IpAddresses;

impl Strategy for IpAddresses {
    type Object = IPAddress;

    fn validate(&self, _: &StrategyCx, address: &IPAddress) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let name = address.metadata.name.as_deref().unwrap_or_default();
        match name.parse::<IpAddr>() {
            Ok(ip) if ip.to_string() == name => {}
            Ok(_) => {
                let why = "must be a canonical format IP address";
                errors.push(FieldError::invalid_str("metadata.name", name, why));
            }
            Err(_) => {
                let why = format!("ParseAddr({}): unable to parse IP", gofmt::quote(name));
                errors.push(FieldError::invalid_str("metadata.name", name, &why));
            }
        }
        let spec_at = Path::new("spec");
        let at = spec_at.child("parentRef");
        let spec = &address.spec;
        for (field, value) in
            [("resource", &spec.parent_ref.resource), ("name", &spec.parent_ref.name)]
        {
            if value.is_empty() {
                errors.push(FieldError::required(at.child(field), ""));
            } else if let Some(why) = name_error(NameRule::PathSegment, value) {
                errors.push(FieldError::invalid_str(at.child(field), value, &why));
            }
        }
        errors
    }

    fn validate_update(&self, _: &StrategyCx, new: &IPAddress, old: &IPAddress) -> Vec<FieldError> {
        if new.spec == old.spec {
            return Vec::new();
        }
        let to = &new.spec.parent_ref;
        let text = |t: &Option<String>| gofmt::quote(t.as_deref().unwrap_or_default());
        let shown = format!(
            "{{\"Group\":{},\"Resource\":{},\"Namespace\":{},\"Name\":{}}}",
            text(&to.group),
            gofmt::quote(&to.resource),
            text(&to.namespace),
            gofmt::quote(&to.name)
        );
        vec![FieldError::invalid("spec.parentRef", shown, "field is immutable")]
    }

    fn field(&self, address: &IPAddress, path: &str) -> Option<String> {
        let parent = address.spec.parent_ref.clone();
        match path {
            "spec.parentRef.group" => Some(parent.group.unwrap_or_default()),
            "spec.parentRef.resource" => Some(parent.resource),
            "spec.parentRef.namespace" => Some(parent.namespace.unwrap_or_default()),
            "spec.parentRef.name" => Some(parent.name),
            _ => None,
        }
    }
}

/// See the module.
pub struct ServiceCidrs;

impl Strategy for ServiceCidrs {
    type Object = ServiceCIDR;

    fn prepare_create(&self, _: &StrategyCx, cidr: &mut ServiceCIDR) {
        cidr.status = Some(Default::default());
    }

    fn prepare_update(&self, _: &StrategyCx, new: &mut ServiceCIDR, old: &ServiceCIDR) {
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(&self, new: &mut ServiceCIDR, old: &ServiceCIDR) {
        new.spec.clone_from(&old.spec);
    }

    fn validate(&self, _: &StrategyCx, cidr: &ServiceCIDR) -> Vec<FieldError> {
        let spec_at = Path::new("spec");
        let at = spec_at.child("cidrs");
        let cidrs = cidr.spec.as_ref().and_then(|s| s.cidrs.as_deref()).unwrap_or_default();
        let mut errors = Vec::new();
        if cidrs.is_empty() {
            errors.push(FieldError::required(at, "at least one CIDR required"));
            return errors;
        }
        if cidrs.len() > 2 {
            let shown = format!("{{\"CIDRs\":{}}}", crate::api::object::to_value(&cidrs));
            let why = "may only hold up to 2 values";
            errors.push(FieldError::invalid(at, shown, why));
            return errors;
        }
        for (i, text) in cidrs.iter().enumerate() {
            let at = at.index(i);
            if text.contains(':') {
                let why = "addresses of version 6 are not simulated";
                errors.push(FieldError::invalid_str(at, text, why));
            } else if text.parse::<Cidr>().is_err() {
                let why = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
                errors.push(FieldError::invalid_str(at, text, why));
            }
        }
        errors
    }

    fn validate_update(
        &self,
        _: &StrategyCx,
        new: &ServiceCIDR,
        old: &ServiceCIDR,
    ) -> Vec<FieldError> {
        if new.spec == old.spec {
            return Vec::new();
        }
        let list =
            |c: &ServiceCIDR| c.spec.as_ref().and_then(|s| s.cidrs.clone()).unwrap_or_default();
        let (now, was) = (list(new), list(old));
        let spec_at = Path::new("spec");
        let at = spec_at.child("cidrs");
        let why = "field is immutable";
        if now.len() < was.len() {
            let shown = crate::api::object::to_value(&now);
            return vec![FieldError::invalid(at, shown, why)];
        }
        let both = was.iter().zip(&now).enumerate().filter(|(_, (a, b))| a != b);
        both.map(|(i, (_, now))| FieldError::invalid_str(at.index(i), now, why)).collect()
    }
}
