//! What is wrong with a service.

use std::{collections::BTreeSet, net::IpAddr};

use k8s_openapi::api::core::v1::{ServicePort, ServiceSpec};

use super::{has_cluster_ip, is_external, is_headless, kind};
use crate::{
    api::{FieldError, Path},
    apiserver::strategy::{
        NameRule,
        metadata::{label_errors, name_error, qualified_name_error},
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
    affinity(spec, &at, &mut errors);
    cluster_ips(spec, &at, &mut errors);
    let ips_at = at.child("externalIPs");
    for (i, text) in spec.external_ips.iter().flatten().enumerate() {
        external_ip(text, &ips_at.index(i), &mut errors);
    }
    if !TYPES.contains(&kind(spec)) {
        errors.push(FieldError::not_supported(at.child("type"), kind(spec), TYPES));
    }
    node_ports(spec, ports, &ports_at, &mut errors);
    load_balancer(spec, &at, &mut errors);
    traffic(spec, &at, &mut errors);
    errors
}

fn affinity(spec: &ServiceSpec, at: &Path, errors: &mut Vec<FieldError>) {
    const WHY: &str = "when session affinity type is ClientIP";
    let affinity = spec.session_affinity.as_deref().unwrap_or_default();
    one_of(affinity, &["ClientIP", "None"], &at.child("sessionAffinity"), errors);
    let at = at.child("sessionAffinityConfig");
    let config = spec.session_affinity_config.as_ref();
    match (affinity, config) {
        ("None", Some(_)) => {
            let why = "must not be set when session affinity is None";
            errors.push(FieldError::forbidden(at, why));
        }
        ("ClientIP", None) => errors.push(FieldError::required(at, WHY)),
        ("ClientIP", Some(config)) => {
            let at = at.child("clientIP");
            let Some(client) = &config.client_ip else {
                errors.push(FieldError::required(at, WHY));
                return;
            };
            let at = at.child("timeoutSeconds");
            match client.timeout_seconds {
                None => errors.push(FieldError::required(at, WHY)),
                Some(seconds) if !(1..=86_400).contains(&seconds) => {
                    let why = "must be greater than 0 and less than 86400";
                    errors.push(FieldError::invalid(at, seconds, why));
                }
                Some(_) => {}
            }
        }
        _ => {}
    }
}

/// An address outside. Models `ValidateNonSpecialIP`.
pub fn external_ip(text: &str, at: &Path, errors: &mut Vec<FieldError>) {
    let Ok(ip) = text.parse::<IpAddr>() else {
        errors.push(FieldError::invalid_str(at, text, NO_IP));
        return;
    };
    let link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.segments()[0] & 0xffc0 == 0xfe80,
    };
    let link_multicast = match ip {
        IpAddr::V4(ip) => ip.octets()[..3] == [224, 0, 0],
        IpAddr::V6(ip) => ip.segments()[0] & 0xff0f == 0xff02,
    };
    for (is, why) in [
        (ip.is_unspecified(), format!("may not be unspecified ({text})")),
        (ip.is_loopback(), "may not be in the loopback range (127.0.0.0/8, ::1/128)".into()),
        (link_local, "may not be in the link-local range (169.254.0.0/16, fe80::/10)".into()),
        (
            link_multicast,
            "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)".into(),
        ),
    ] {
        if is {
            errors.push(FieldError::invalid_str(at, text, &why));
        }
    }
}

fn load_balancer(spec: &ServiceSpec, at: &Path, errors: &mut Vec<FieldError>) {
    const WHY: &str = "may only be used when `type` is 'LoadBalancer'";
    let is = kind(spec) == "LoadBalancer";
    let ranges = spec.load_balancer_source_ranges.as_deref().unwrap_or_default();
    let ranges_at = at.child("LoadBalancerSourceRanges");
    if !is && !ranges.is_empty() {
        errors.push(FieldError::forbidden(ranges_at, WHY));
    }
    for (i, range) in ranges.iter().enumerate() {
        if !is_range(range.trim()) {
            let why = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
            errors.push(FieldError::invalid_str(ranges_at.index(i), range.trim(), why));
        }
    }
    if !is && spec.allocate_load_balancer_node_ports.is_some() {
        errors.push(FieldError::forbidden(at.child("allocateLoadBalancerNodePorts"), WHY));
    }
    if let Some(class) = spec.load_balancer_class.as_deref() {
        let at = at.child("loadBalancerClass");
        if !is {
            errors.push(FieldError::forbidden(at, WHY));
        } else if let Some(why) = qualified_name_error(class) {
            errors.push(FieldError::invalid_str(at, class, &why));
        }
    }
}

fn is_range(text: &str) -> bool {
    let Some((ip, bits)) = text.split_once('/') else { return false };
    let most = match ip.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    bits.parse::<u8>().is_ok_and(|bits| bits <= most)
}

fn traffic(spec: &ServiceSpec, at: &Path, errors: &mut Vec<FieldError>) {
    const POLICIES: &[&str] = &["Cluster", "Local"];
    let policy = spec.external_traffic_policy.as_deref().unwrap_or_default();
    let external = at.child("externalTrafficPolicy");
    if is_external(spec) {
        one_of(policy, POLICIES, &external, errors);
    } else if !policy.is_empty() {
        let why = "may only be set for externally-accessible services";
        errors.push(FieldError::invalid_str(external, policy, why));
    }
    let checked = kind(spec) == "LoadBalancer" && policy == "Local";
    if let Some(port) = spec.health_check_node_port.filter(|p| !checked && *p != 0) {
        let why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is \
                   'Local'";
        errors.push(FieldError::invalid(at.child("healthCheckNodePort"), port, why));
    }
    let internal = at.child("internalTrafficPolicy");
    match spec.internal_traffic_policy.as_deref() {
        None if has_cluster_ip(spec) => errors.push(FieldError::required(internal, "")),
        Some(policy) if !POLICIES.contains(&policy) => {
            errors.push(FieldError::not_supported(internal, policy, POLICIES));
        }
        _ => {}
    }
    const WAYS: &[&str] = &["PreferClose", "PreferSameNode", "PreferSameZone"];
    if let Some(way) = spec.traffic_distribution.as_deref().filter(|way| !WAYS.contains(way)) {
        errors.push(FieldError::not_supported(at.child("trafficDistribution"), way, WAYS));
    }
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
            for (field, set) in [
                ("ipFamilies", spec.ip_families.as_ref().is_some_and(|f| !f.is_empty())),
                ("ipFamilyPolicy", spec.ip_family_policy.is_some()),
            ] {
                if set {
                    let why = "may not be set for ExternalName services";
                    errors.push(FieldError::forbidden(at.child(field), why));
                }
            }
            let name = spec.external_name.as_deref().unwrap_or_default();
            let name = name.strip_suffix('.').unwrap_or(name);
            if name.is_empty() {
                errors.push(FieldError::required(at.child("externalName"), ""));
            } else if let Some(why) = name_error(NameRule::Subdomain, name) {
                errors.push(FieldError::invalid_str(at.child("externalName"), name, &why));
            }
        }
        _ => {}
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
    if let Some(app) = port.app_protocol.as_deref() {
        if let Some(why) = qualified_name_error(app) {
            errors.push(FieldError::invalid_str(at.child("appProtocol"), app, &why));
        }
    }
}

/// Models `ValidateServiceClusterIPsRelatedFields`.
fn cluster_ips(spec: &ServiceSpec, at: &Path, errors: &mut Vec<FieldError>) {
    if !has_cluster_ip(spec) {
        return;
    }
    let ips_at = at.child("clusterIPs");
    let ips = spec.cluster_ips.as_deref().unwrap_or_default();
    let one = spec.cluster_ip.as_deref().unwrap_or_default();
    let shown = || serde_json::Value::from(ips.to_vec()).to_string();
    match (one, ips) {
        ("", []) => {}
        ("", _) => {
            let why = "must be empty when `clusterIP` is not specified";
            errors.push(FieldError::invalid(ips_at, shown(), why));
        }
        (_, []) => errors.push(FieldError::required(ips_at, "")),
        (one, [first, ..]) if one != first => {
            let why = "first value must match `clusterIP`";
            errors.push(FieldError::invalid(ips_at, shown(), why));
        }
        _ => {}
    }
    families(spec, at, errors);
    let before = errors.len();
    for (i, ip) in ips.iter().enumerate() {
        if i == 0 && ip == "None" {
            if ips.len() > 1 {
                let why = "'None' must be the first and only value";
                errors.push(FieldError::invalid(ips_at, shown(), why));
            }
        } else if ip.parse::<IpAddr>().is_err() {
            errors.push(FieldError::invalid_str(ips_at.index(i), ip, NO_IP));
        }
    }
    let bad = errors.len() > before;
    if ips.len() > 2 {
        let why = "may only hold up to 2 values";
        errors.push(FieldError::invalid(ips_at, shown(), why));
    }
    if bad {
        return;
    }
    let is_v6 = |ip: &String| ip.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv6());
    if ips.len() > 1 && (ips.iter().all(is_v6) || !ips.iter().any(is_v6)) {
        let why = "may specify no more than one IP for each IP family";
        errors.push(FieldError::invalid(ips_at, shown(), why));
    }
    if is_headless(spec) {
        return;
    }
    for (i, (ip, family)) in ips.iter().zip(spec.ip_families.iter().flatten()).enumerate() {
        if matches!((family.as_str(), is_v6(ip)), ("IPv4", true) | ("IPv6", false)) {
            let why = format!("expected an {family} value as indicated by `ipFamilies[{i}]`");
            errors.push(FieldError::invalid_str(ips_at.index(i), ip, &why));
        }
    }
}

fn families(spec: &ServiceSpec, at: &Path, errors: &mut Vec<FieldError>) {
    const KNOWN: &[&str] = &["IPv4", "IPv6"];
    const POLICIES: &[&str] = &["PreferDualStack", "RequireDualStack", "SingleStack"];
    let list_at = at.child("ipFamilies");
    let mut seen = BTreeSet::new();
    for (i, family) in spec.ip_families.iter().flatten().enumerate() {
        let at = list_at.index(i);
        if !KNOWN.contains(&family.as_str()) {
            errors.push(FieldError::not_supported(at, family, KNOWN));
        }
        if !seen.insert(family) {
            errors.push(FieldError::duplicate(at, quoted(family)));
        }
    }
    if let Some(policy) = spec.ip_family_policy.as_deref().filter(|p| !POLICIES.contains(p)) {
        errors.push(FieldError::not_supported(at.child("ipFamilyPolicy"), policy, POLICIES));
    }
}

fn node_ports(spec: &ServiceSpec, ports: &[ServicePort], at: &Path, errors: &mut Vec<FieldError>) {
    let (mut on_nodes, mut inside) = (BTreeSet::new(), BTreeSet::new());
    for (i, port) in ports.iter().enumerate() {
        let at = at.index(i);
        let node_port = port.node_port.filter(|p| *p != 0);
        if let Some(node_port) = node_port {
            if kind(spec) == "ClusterIP" {
                let why = "may not be used when `type` is 'ClusterIP'";
                errors.push(FieldError::forbidden(at.child("nodePort"), why));
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

/// What can't be changed. Models `validateUpgradeDowngradeClusterIPs` and its siblings.
pub fn update(new: &ServiceSpec, old: &ServiceSpec) -> Vec<FieldError> {
    let mut errors = Vec::new();
    class(new, old, &mut errors);
    if !has_cluster_ip(new) || !has_cluster_ip(old) || (is_headless(new) && is_headless(old)) {
        return errors;
    }
    let list = |s: &ServiceSpec| s.cluster_ips.clone().unwrap_or_default();
    let (now, was) = (list(new), list(old));
    let shown = || serde_json::Value::from(now.clone()).to_string();
    if now.is_empty() && !was.is_empty() {
        let why = "primary clusterIP can not be unset";
        errors.push(FieldError::invalid("spec.clusterIPs[0]", shown(), why));
    }
    for (i, (now, was)) in now.iter().zip(&was).enumerate() {
        if now != was {
            let field = format!("spec.clusterIPs[{i}]");
            errors.push(FieldError::invalid(field, shown(), "may not change once set"));
        }
    }
    let single = new.ip_family_policy.as_deref() == Some("SingleStack");
    if was.len() > now.len() && now.len() == 1 && !single {
        let policy = new.ip_family_policy.as_deref().map_or("null".into(), quoted);
        let why = "must be set to 'SingleStack' when releasing the secondary clusterIP";
        errors.push(FieldError::invalid("spec.ipFamilyPolicy", policy, why));
    }
    if is_headless(new) || is_headless(old) {
        return errors;
    }
    let families = |s: &ServiceSpec| s.ip_families.clone().unwrap_or_default();
    let (now, was) = (families(new), families(old));
    if let (Some(first), Some(had)) = (now.first(), was.first()) {
        if first != had {
            let shown = serde_json::Value::from(now.clone()).to_string();
            errors.push(FieldError::invalid(
                "spec.ipFamilies[0]",
                shown,
                "may not change once set",
            ));
        }
    }
    errors
}

/// A load balancer's class stays with it.
fn class(new: &ServiceSpec, old: &ServiceSpec, errors: &mut Vec<FieldError>) {
    let both = kind(new) == "LoadBalancer" && kind(old) == "LoadBalancer";
    if both && new.load_balancer_class != old.load_balancer_class {
        let shown = new.load_balancer_class.as_deref().map_or("null".into(), quoted);
        let field = "spec.loadBalancerClass";
        errors.push(FieldError::invalid(field, shown, "may not change once set"));
    }
}
