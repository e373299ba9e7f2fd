//! The rules of Ingresses, IngressClasses and NetworkPolicies.
//!
//! Models `pkg/apis/networking/validation`, `pkg/apis/networking/v1/defaults.go` and
//! `pkg/registry/networking`.

mod classes;
mod policies;

use std::net::IpAddr;

use k8s_openapi::api::{
    core::v1::TypedLocalObjectReference,
    networking::v1::{HTTPIngressPath, Ingress, IngressBackend, IngressSpec, IngressTLS},
};

pub use classes::IngressClasses;
pub use policies::NetworkPolicies;

use super::{
    NameRule, Strategy, StrategyCx,
    metadata::name_error,
    pod::{
        containers::{port_name_errors, port_number},
        spec::ip,
    },
};
use crate::api::{FieldError, Path, meta::annotation};

/// How classes were named before there was a field for it.
const CLASS: &str = "kubernetes.io/ingress.class";

/// Rules of Ingresses.
pub struct Ingresses;

impl Strategy for Ingresses {
    type Object = Ingress;

    fn prepare_create(&self, _: &StrategyCx, ingress: &mut Ingress) {
        ingress.status = Some(Default::default());
    }

    fn prepare_update(&self, _: &StrategyCx, new: &mut Ingress, old: &Ingress) {
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(&self, new: &mut Ingress, old: &Ingress) {
        new.spec.clone_from(&old.spec);
    }

    fn spec_changed(&self, new: &Ingress, old: &Ingress) -> Option<bool> {
        Some(new.spec != old.spec)
    }

    fn validate(&self, _: &StrategyCx, ingress: &Ingress) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let none = IngressSpec::default();
        check(ingress.spec.as_ref().unwrap_or(&none), &Path::new("spec"), &mut errors);
        errors
    }

    fn validate_new(&self, _: &StrategyCx, ingress: &Ingress) -> Vec<FieldError> {
        let class = ingress.spec.as_ref().and_then(|s| s.ingress_class_name.as_ref());
        match (annotation(&ingress.metadata, CLASS), class) {
            (Some(old), Some(class)) if old != class => {
                let why = "must match `ingressClassName` when both are specified";
                let at = format!("annotations.{CLASS}");
                vec![FieldError::invalid_str(at, old, why)]
            }
            _ => Vec::new(),
        }
    }

    fn validate_status(&self, new: &Ingress, _: &Ingress) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let balancer = new.status.as_ref().and_then(|s| s.load_balancer.as_ref());
        let list = balancer.and_then(|b| b.ingress.as_deref()).unwrap_or_default();
        let at = Path::new("status.loadBalancer.ingress");
        for (i, place) in list.iter().enumerate() {
            let at = at.index(i);
            if let Some(address) = place.ip.as_deref().filter(|a| !a.is_empty()) {
                ip(address, &at.child("ip"), &mut errors);
            }
            if let Some(name) = place.hostname.as_deref().filter(|n| !n.is_empty()) {
                let at = at.child("hostname");
                if let Some(why) = name_error(NameRule::Subdomain, name) {
                    errors.push(FieldError::invalid_str(at, name, &why));
                }
                if name.parse::<IpAddr>().is_ok() {
                    let why = "must be a DNS name, not an IP address";
                    errors.push(FieldError::invalid_str(at, name, why));
                }
            }
        }
        errors
    }

    fn warnings(&self, ingress: &Ingress, old: Option<&Ingress>) -> Vec<String> {
        let named = annotation(&ingress.metadata, CLASS).filter(|_| old.is_none());
        let text = named.map(|_| {
            format!(
                "annotation {CLASS:?} is deprecated, please use 'spec.ingressClassName' instead"
            )
        });
        text.into_iter().collect()
    }
}

fn check(spec: &IngressSpec, at: &Path, errors: &mut Vec<FieldError>) {
    let rules = spec.rules.as_deref().unwrap_or_default();
    if rules.is_empty() && spec.default_backend.is_none() {
        let why = "either `defaultBackend` or `rules` must be specified";
        // As Go writes its own type as JSON.
        let class =
            spec.ingress_class_name.as_deref().map_or("null".into(), crate::api::gofmt::quote);
        let shown = format!(
            "{{\"IngressClassName\":{class},\"DefaultBackend\":null,\"TLS\":null,\"Rules\":null}}"
        );
        errors.push(FieldError::invalid(at, shown, why));
    }
    if let Some(default) = &spec.default_backend {
        backend(default, &at.child("defaultBackend"), errors);
    }
    let rules_at = at.child("rules");
    for (i, rule) in rules.iter().enumerate() {
        let at = rules_at.index(i);
        host(rule.host.as_deref().unwrap_or_default(), &at.child("host"), errors);
        let Some(http) = &rule.http else { continue };
        let at = at.child("http");
        let paths_at = at.child("paths");
        if http.paths.is_empty() {
            errors.push(FieldError::required(paths_at, ""));
        }
        for (i, one) in http.paths.iter().enumerate() {
            path(one, &paths_at.index(i), errors);
        }
    }
    let tls_at = at.child("tls");
    for (i, one) in spec.tls.iter().flatten().enumerate() {
        tls(one, &tls_at.index(i), errors);
    }
    if let Some(class) = spec.ingress_class_name.as_deref() {
        if let Some(why) = name_error(NameRule::Subdomain, class) {
            errors.push(FieldError::invalid_str(at.child("ingressClassName"), class, &why));
        }
    }
}

fn tls(tls: &IngressTLS, at: &Path, errors: &mut Vec<FieldError>) {
    let hosts_at = at.child("hosts");
    for (i, name) in tls.hosts.iter().flatten().enumerate() {
        domain(name, &hosts_at.index(i), errors);
    }
    if let Some(secret) = tls.secret_name.as_deref().filter(|s| !s.is_empty()) {
        if let Some(why) = name_error(NameRule::Subdomain, secret) {
            errors.push(FieldError::invalid_str(at.child("secretName"), secret, &why));
        }
    }
}

fn host(host: &str, at: &Path, errors: &mut Vec<FieldError>) {
    if host.is_empty() {
        return;
    }
    if host.parse::<IpAddr>().is_ok() {
        let why = "must be a DNS name, not an IP address";
        errors.push(FieldError::invalid_str(at, host, why));
    }
    domain(host, at, errors);
}

/// A domain, or all domains below one.
fn domain(name: &str, at: &Path, errors: &mut Vec<FieldError>) {
    if name.contains('*') {
        let below = name.strip_prefix("*.");
        if below.is_none_or(|rest| name_error(NameRule::Subdomain, rest).is_some()) {
            let why = "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS \
                       subdomain, which must consist of lower case alphanumeric characters, '-' or \
                       '.' and end with an alphanumeric character (e.g. '*.example.com', regex used \
                       for validation is \
                       '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
            errors.push(FieldError::invalid_str(at, name, why));
        }
    } else if let Some(why) = name_error(NameRule::Subdomain, name) {
        errors.push(FieldError::invalid_str(at, name, &why));
    }
}

fn path(one: &HTTPIngressPath, at: &Path, errors: &mut Vec<FieldError>) {
    let text = one.path.as_deref().unwrap_or_default();
    let path_at = at.child("path");
    match one.path_type.as_str() {
        "" => {
            let why = "pathType must be specified";
            return errors.push(FieldError::required(at.child("pathType"), why));
        }
        "Exact" | "Prefix" => {
            if !text.starts_with('/') {
                errors.push(FieldError::invalid_str(path_at, text, "must be an absolute path"));
            }
            for bad in ["//", "/./", "/../", "%2f", "%2F"] {
                if text.contains(bad) {
                    let why = format!("must not contain '{bad}'");
                    errors.push(FieldError::invalid_str(path_at, text, &why));
                }
            }
            for bad in ["/..", "/."] {
                if text.ends_with(bad) {
                    let why = format!("cannot end with '{bad}'");
                    errors.push(FieldError::invalid_str(path_at, text, &why));
                }
            }
        }
        "ImplementationSpecific" => {
            if !text.is_empty() && !text.starts_with('/') {
                errors.push(FieldError::invalid_str(path_at, text, "must be an absolute path"));
            }
        }
        other => errors.push(FieldError::not_supported(
            at.child("pathType"),
            other,
            &["Exact", "ImplementationSpecific", "Prefix"],
        )),
    }
    backend(&one.backend, &at.child("backend"), errors);
}

fn backend(backend: &IngressBackend, at: &Path, errors: &mut Vec<FieldError>) {
    let backend_at = at;
    match (&backend.service, &backend.resource) {
        (Some(_), Some(_)) => {
            let why = "cannot set both resource and service backends";
            errors.push(FieldError::invalid_str(at, "", why));
        }
        (None, None) => {
            let why = "resource or service backend is required";
            errors.push(FieldError::invalid_str(at, "", why));
        }
        (None, Some(resource)) => typed_reference(resource, &at.child("resource"), errors),
        (Some(service), None) => {
            let at = at.child("service");
            if service.name.is_empty() {
                errors.push(FieldError::required(at.child("name"), ""));
            } else if let Some(why) = name_error(NameRule::Label1035, &service.name) {
                errors.push(FieldError::invalid_str(at.child("name"), &service.name, &why));
            }
            let port_at = at.child("port");
            let port = service.port.clone().unwrap_or_default();
            match (port.name.filter(|n| !n.is_empty()), port.number.filter(|n| *n != 0)) {
                (Some(_), Some(_)) => {
                    let why = "cannot set both port name & port number";
                    errors.push(FieldError::invalid_str(backend_at, "", why));
                }
                (None, None) => {
                    let why = "port name or number is required";
                    errors.push(FieldError::required(backend_at, why));
                }
                (Some(name), None) => {
                    for why in port_name_errors(&name) {
                        errors.push(FieldError::invalid_str(port_at.child("name"), &name, why));
                    }
                }
                (None, Some(number)) => port_number(number, &port_at.child("number"), errors),
            }
        }
    }
}

/// A reference to an object of any kind. Models `validateIngressTypedLocalObjectReference`.
fn typed_reference(to: &TypedLocalObjectReference, at: &Path, errors: &mut Vec<FieldError>) {
    if let Some(group) = to.api_group.as_deref() {
        if let Some(why) = name_error(NameRule::Subdomain, group) {
            errors.push(FieldError::invalid_str(at.child("apiGroup"), group, &why));
        }
    }
    for (field, value) in [("kind", &to.kind), ("name", &to.name)] {
        if value.is_empty() {
            errors.push(FieldError::required(at.child(field), &format!("{field} is required")));
        } else if let Some(why) = name_error(NameRule::PathSegment, value) {
            errors.push(FieldError::invalid_str(at.child(field), value, &why));
        }
    }
}
