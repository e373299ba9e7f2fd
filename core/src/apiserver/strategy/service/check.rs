//! What is wrong with a service.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{ServicePort, ServiceSpec};

use super::{has_cluster_ip, has_node_ports, is_headless, kind};
use crate::{
    api::{FieldError, Path},
    apiserver::strategy::{
        NameRule,
        metadata::{label_errors, name_error},
        pod::containers::{one_of, port_name_errors, port_number, quoted},
    },
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

const TYPES: &[&str] = &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const NO_IP: &str = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";

/// A whole service.
pub fn service(spec: &ServiceSpec) -> Vec<FieldError> {
    let at = Path::new("spec");
    let mut errors = Vec::new();
    let ports = spec.ports.as_deref().unwrap_or_default();
    if ports.is_empty() && !is_headless(spec) && kind(spec) != "ExternalName" {
        errors.push(FieldError::required(at.child("ports"), ""));
    }
    of_type(spec, &at, &mut errors);
    let ports_at = at.child("ports");
    let mut names = BTreeSet::new();
    for (i, one) in ports.iter().enumerate() {
        port(one, ports.len() > 1, &mut names, &ports_at.index(i), &mut errors);
    }
    let selector_at = String::from(at.child("selector"));
    for (key, value) in spec.selector.iter().flatten() {
        errors.extend(label_errors(&selector_at, key, value));
    }
    let affinity = spec.session_affinity.as_deref().unwrap_or_default();
    one_of(affinity, &["ClientIP", "None"], &at.child("sessionAffinity"), &mut errors);
    let config = spec.session_affinity_config.as_ref();
    let timeout = config.and_then(|c| c.client_ip.as_ref()?.timeout_seconds);
    if let Some(seconds) = timeout.filter(|s| !(1..=86_400).contains(s)) {
        let field = "spec.sessionAffinityConfig.clientIP.timeoutSeconds";
        let why = "must be greater than 0 and less than 86400";
        errors.push(FieldError::invalid(field, seconds, why));
    }
    cluster_ips(spec, &at, &mut errors);
    let ips_at = at.child("externalIPs");
    for (i, ip) in spec.external_ips.iter().flatten().enumerate() {
        if ip.parse::<std::net::IpAddr>().is_err() {
            errors.push(FieldError::invalid_str(ips_at.index(i), ip, NO_IP));
        }
    }
    node_ports(spec, ports, &ports_at, &mut errors);
    for (field, value) in [
        ("externalTrafficPolicy", &spec.external_traffic_policy),
        ("internalTrafficPolicy", &spec.internal_traffic_policy),
    ] {
        if let Some(value) = value {
            one_of(value, &["Cluster", "Local"], &at.child(field), &mut errors);
        }
    }
    errors
}

fn of_type(spec: &ServiceSpec, at: &Path, errors: &mut Vec<FieldError>) {
    let ips_at = at.child("clusterIPs");
    match kind(spec) {
        kind @ ("LoadBalancer" | "NodePort") => {
            if is_headless(spec) {
                let why = format!("may not be set to 'None' for {kind} services");
                errors.push(FieldError::invalid_str(ips_at.index(0), "None", &why));
            }
        }
        "ExternalName" => {
            if spec.cluster_ips.as_ref().is_some_and(|ips| !ips.is_empty()) {
                let why = "may not be set for ExternalName services";
                errors.push(FieldError::forbidden(ips_at, why));
            }
            let name = spec.external_name.as_deref().unwrap_or_default();
            let name = name.strip_suffix('.').unwrap_or(name);
            if name.is_empty() {
                errors.push(FieldError::required(at.child("externalName"), ""));
            } else if let Some(why) = name_error(NameRule::Subdomain, name) {
                errors.push(FieldError::invalid_str(at.child("externalName"), name, &why));
            }
        }
        "ClusterIP" => {}
        other => errors.push(FieldError::not_supported(at.child("type"), other, TYPES)),
    }
}

fn port<'a>(
    port: &'a ServicePort,
    need_name: bool,
    names: &mut BTreeSet<&'a str>,
    at: &Path,
    errors: &mut Vec<FieldError>,
) {
    match port.name.as_deref().filter(|n| !n.is_empty()) {
        None if need_name => errors.push(FieldError::required(at.child("name"), "")),
        None => {}
        Some(name) => {
            if let Some(why) = name_error(NameRule::Label, name) {
                errors.push(FieldError::invalid_str(at.child("name"), name, &why));
            }
            if !names.insert(name) {
                errors.push(FieldError::duplicate(at.child("name"), quoted(name)));
            }
        }
    }
    port_number(port.port, &at.child("port"), errors);
    let protocol = port.protocol.as_deref().unwrap_or_default();
    one_of(protocol, &["SCTP", "TCP", "UDP"], &at.child("protocol"), errors);
    match &port.target_port {
        Some(IntOrString::Int(number)) => port_number(*number, &at.child("targetPort"), errors),
        Some(IntOrString::String(name)) => {
            for why in port_name_errors(name) {
                errors.push(FieldError::invalid_str(at.child("targetPort"), name, why));
            }
        }
        None => {}
    }
}

fn cluster_ips(spec: &ServiceSpec, at: &Path, errors: &mut Vec<FieldError>) {
    let at = at.child("clusterIPs");
    for (i, ip) in spec.cluster_ips.iter().flatten().enumerate() {
        if ip != "None" && has_cluster_ip(spec) && ip.parse::<std::net::IpAddr>().is_err() {
            errors.push(FieldError::invalid_str(at.index(i), ip, NO_IP));
        }
    }
}

fn node_ports(spec: &ServiceSpec, ports: &[ServicePort], at: &Path, errors: &mut Vec<FieldError>) {
    let (mut on_nodes, mut inside) = (BTreeSet::new(), BTreeSet::new());
    for (i, port) in ports.iter().enumerate() {
        let at = at.index(i);
        let node_port = port.node_port.filter(|p| *p != 0);
        if let Some(node_port) = node_port {
            if !has_node_ports(spec) && kind(spec) != "LoadBalancer" {
                let why = format!("may not be used when `type` is '{}'", kind(spec));
                errors.push(FieldError::forbidden(at.child("nodePort"), &why));
            }
            if !on_nodes.insert((node_port, port.protocol.as_deref())) {
                let value = node_port.to_string();
                errors.push(FieldError::duplicate(at.child("nodePort"), value));
            }
        }
        if !inside.insert((port.port, port.protocol.as_deref())) {
            let value = format!(
                "{{\"Name\":\"\",\"Protocol\":{:?},\"AppProtocol\":null,\"Port\":{},\
                 \"TargetPort\":0,\"NodePort\":0}}",
                port.protocol.as_deref().unwrap_or_default(),
                port.port
            );
            errors.push(FieldError::duplicate(at, value));
        }
    }
}

/// What can't be changed.
pub fn update(new: &ServiceSpec, old: &ServiceSpec) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if !has_cluster_ip(new) || !has_cluster_ip(old) {
        return errors;
    }
    let first = |s: &ServiceSpec| s.cluster_ips.as_ref().and_then(|ips| ips.first().cloned());
    if first(old).is_some() && first(new) != first(old) {
        let shown: Vec<_> = new.cluster_ips.iter().flatten().map(|ip| quoted(ip)).collect();
        let shown = format!("[{}]", shown.join(","));
        errors.push(FieldError::invalid("spec.clusterIPs[0]", shown, "may not change once set"));
    }
    errors
}
