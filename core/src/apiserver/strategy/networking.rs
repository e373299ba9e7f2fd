//! The rules of Ingresses, IngressClasses and NetworkPolicies.
//!
//! Models `pkg/apis/networking/validation`, `pkg/apis/networking/v1/defaults.go` and
//! `pkg/registry/networking`.

use std::net::IpAddr;

use k8s_openapi::{
    api::networking::v1::{
        HTTPIngressPath, IPBlock, Ingress, IngressBackend, IngressClass,
        IngressClassParametersReference, IngressSpec, NetworkPolicy, NetworkPolicyPeer,
        NetworkPolicyPort, NetworkPolicySpec,
    },
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{
    NameRule, Strategy, StrategyCx,
    metadata::{domain_prefixed_path, name_error},
    pod::{
        containers::{one_of, port_name_errors, port_number},
        defaults::text,
        selectors,
    },
};
use crate::api::{FieldError, Path, object::to_value};

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
    for (i, tls) in spec.tls.iter().flatten().enumerate() {
        let at = tls_at.index(i);
        let hosts_at = at.child("hosts");
        for (i, name) in tls.hosts.iter().flatten().enumerate() {
            host(name, &hosts_at.index(i), errors);
        }
    }
    if let Some(class) = spec.ingress_class_name.as_deref() {
        if let Some(why) = name_error(NameRule::Subdomain, class) {
            errors.push(FieldError::invalid_str(at.child("ingressClassName"), class, &why));
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
        return;
    }
    if let Some(rest) = host.strip_prefix("*.") {
        if name_error(NameRule::Subdomain, rest).is_some() {
            let why = "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS \
                       subdomain, which must consist of lower case alphanumeric characters, '-' or \
                       '.' and end with an alphanumeric character (e.g. '*.example.com', regex used \
                       for validation is \
                       '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
            errors.push(FieldError::invalid_str(at, host, why));
        }
    } else if let Some(why) = name_error(NameRule::Subdomain, host) {
        errors.push(FieldError::invalid_str(at, host, &why));
    }
}

fn path(one: &HTTPIngressPath, at: &Path, errors: &mut Vec<FieldError>) {
    let text = one.path.as_deref().unwrap_or_default();
    let path_at = at.child("path");
    match one.path_type.as_str() {
        "" => errors.push(FieldError::required(at.child("pathType"), "pathType must be specified")),
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
        (None, Some(_)) => {}
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
        let controller = class.spec.as_ref().and_then(|s| s.controller.as_deref());
        let at = Path::new("spec.controller");
        let mut errors = Vec::new();
        match controller.unwrap_or_default() {
            "" => errors.push(FieldError::required(at, "")),
            name => {
                if let Some(why) = domain_prefixed_path(name) {
                    errors.push(FieldError::invalid_str(at, name, &why));
                }
            }
        }
        if let Some(parameters) = class.spec.as_ref().and_then(|s| s.parameters.as_ref()) {
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
    if let Some(group) = parameters.api_group.as_deref() {
        if let Some(why) = name_error(NameRule::Subdomain, group) {
            errors.push(FieldError::invalid_str(at.child("apiGroup"), group, &why));
        }
    }
    for (field, value) in [("kind", &parameters.kind), ("name", &parameters.name)] {
        if value.is_empty() {
            errors.push(FieldError::required(at.child(field), ""));
        } else if let Some(why) = name_error(NameRule::PathSegment, value) {
            errors.push(FieldError::invalid_str(at.child(field), value, &why));
        }
    }
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

/// Rules of NetworkPolicies.
pub struct NetworkPolicies;

impl Strategy for NetworkPolicies {
    type Object = NetworkPolicy;

    fn defaults(&self, policy: &mut NetworkPolicy) {
        let spec = policy.spec.get_or_insert_default();
        spec.pod_selector.get_or_insert_default();
        if spec.policy_types.as_ref().is_none_or(Vec::is_empty) {
            let mut types = vec!["Ingress".to_string()];
            if spec.egress.as_ref().is_some_and(|rules| !rules.is_empty()) {
                types.push("Egress".into());
            }
            spec.policy_types = Some(types);
        }
        let ingress = spec.ingress.iter_mut().flatten().flat_map(|r| &mut r.ports);
        let egress = spec.egress.iter_mut().flatten().flat_map(|r| &mut r.ports);
        for port in ingress.chain(egress).flatten() {
            text(&mut port.protocol, "TCP");
        }
    }

    fn spec_changed(&self, new: &NetworkPolicy, old: &NetworkPolicy) -> Option<bool> {
        Some(new.spec != old.spec)
    }

    fn validate(&self, _: &StrategyCx, policy: &NetworkPolicy) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if let Some(spec) = &policy.spec {
            policy_spec(spec, &Path::new("spec"), &mut errors);
        }
        errors
    }
}

fn policy_spec(spec: &NetworkPolicySpec, at: &Path, errors: &mut Vec<FieldError>) {
    if let Some(selector) = &spec.pod_selector {
        selectors::check(selector, &at.child("podSelector"), errors);
    }
    let rules_at = at.child("ingress");
    for (i, rule) in spec.ingress.iter().flatten().enumerate() {
        let at = rules_at.index(i);
        ports(rule.ports.as_deref(), &at.child("ports"), errors);
        peers(rule.from.as_deref(), &at.child("from"), errors);
    }
    let rules_at = at.child("egress");
    for (i, rule) in spec.egress.iter().flatten().enumerate() {
        let at = rules_at.index(i);
        ports(rule.ports.as_deref(), &at.child("ports"), errors);
        peers(rule.to.as_deref(), &at.child("to"), errors);
    }
    let types = spec.policy_types.as_deref().unwrap_or_default();
    let types_at = at.child("policyTypes");
    if types.len() > 2 {
        let why = "may not specify more than two policyTypes";
        errors.push(FieldError::invalid(types_at, to_value(&types), why));
        return;
    }
    for (i, kind) in types.iter().enumerate() {
        one_of(kind, &["Ingress", "Egress"], &types_at.index(i), errors);
    }
}

fn ports(ports: Option<&[NetworkPolicyPort]>, at: &Path, errors: &mut Vec<FieldError>) {
    for (i, port) in ports.into_iter().flatten().enumerate() {
        let at = at.index(i);
        if let Some(protocol) = port.protocol.as_deref() {
            one_of(protocol, &["TCP", "UDP", "SCTP"], &at.child("protocol"), errors);
        }
        match (&port.port, port.end_port) {
            (Some(IntOrString::Int(number)), end) => {
                port_number(*number, &at.child("port"), errors);
                if let Some(end) = end.filter(|end| end < number) {
                    let why = "must be greater than or equal to `port`";
                    errors.push(FieldError::invalid(at.child("endPort"), end, why));
                }
                if let Some(end) = end {
                    port_number(end, &at.child("endPort"), errors);
                }
            }
            (Some(IntOrString::String(name)), end) => {
                if let Some(end) = end {
                    let why = "may not be specified when `port` is non-numeric";
                    errors.push(FieldError::invalid(at.child("endPort"), end, why));
                }
                for why in port_name_errors(name) {
                    errors.push(FieldError::invalid_str(at.child("port"), name, why));
                }
            }
            (None, Some(end)) => {
                let why = "may not be specified when `port` is not specified";
                errors.push(FieldError::invalid(at.child("endPort"), end, why));
            }
            (None, None) => {}
        }
    }
}

fn peers(peers: Option<&[NetworkPolicyPeer]>, at: &Path, errors: &mut Vec<FieldError>) {
    for (i, peer) in peers.into_iter().flatten().enumerate() {
        let at = at.index(i);
        for (field, selector) in
            [("podSelector", &peer.pod_selector), ("namespaceSelector", &peer.namespace_selector)]
        {
            if let Some(selector) = selector {
                selectors::check(selector, &at.child(field), errors);
            }
        }
        let selects = peer.pod_selector.is_some() || peer.namespace_selector.is_some();
        if let Some(block) = &peer.ip_block {
            ip_block(block, &at.child("ipBlock"), errors);
        }
        match &peer.ip_block {
            Some(_) if selects => {
                let why = "may not specify both ipBlock and another peer";
                errors.push(FieldError::forbidden(at, why));
            }
            None if !selects => errors.push(FieldError::required(at, "must specify a peer")),
            _ => {}
        }
    }
}

fn ip_block(block: &IPBlock, at: &Path, errors: &mut Vec<FieldError>) {
    let except_at = at.child("except");
    let except = block.except.iter().flatten().enumerate();
    if block.cidr.is_empty() {
        errors.push(FieldError::required(at.child("cidr"), ""));
        return;
    }
    let why = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
    let Some(whole) = range(&block.cidr) else {
        errors.push(FieldError::invalid_str(at.child("cidr"), &block.cidr, why));
        return;
    };
    for (i, text) in except {
        let at = except_at.index(i);
        match range(text) {
            None => errors.push(FieldError::invalid_str(at, text, why)),
            Some(part) if !strictly_in(part, whole) => {
                let why = "must be a strict subset of `cidr`";
                errors.push(FieldError::invalid_str(at, text, why));
            }
            Some(_) => {}
        }
    }
}

/// An address and how many of its bits count.
fn range(text: &str) -> Option<(IpAddr, u32)> {
    let (address, bits) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let bits: u8 = bits.parse().ok()?;
    (bits <= if address.is_ipv4() { 32 } else { 128 }).then_some((address, bits.into()))
}

/// Whether a range is a part of another one, and smaller.
fn strictly_in((part, part_bits): (IpAddr, u32), (whole, bits): (IpAddr, u32)) -> bool {
    let (a, b, width): (u128, u128, u32) = match (part, whole) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (u32::from(a).into(), u32::from(b).into(), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.into(), b.into(), 128),
        _ => return false,
    };
    part_bits > bits && (a ^ b).checked_shr(width.saturating_sub(bits)).unwrap_or(0) == 0
}
