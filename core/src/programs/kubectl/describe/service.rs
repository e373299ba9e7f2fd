//! `kubectl describe service`. Models `describeService`.

use k8s_openapi::{
    api::{
        core::v1::{LoadBalancerIngress, Service, ServicePort, ServiceSpec},
        discovery::v1::EndpointSlice,
    },
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{
    Cx, Writer,
    common::{self, text},
    events,
};
use crate::{
    api::{Object, meta},
    client::IndexFn,
};
use std::rc::Rc;

/// Endpoints that are spelled out.
const SHOWN: usize = 3;

/// Endpoint slices by namespace and service.
pub const BY_SERVICE: IndexFn = by_service;

fn by_service(object: &dyn Object) -> Vec<String> {
    let service = meta::label(object.metadata(), "kubernetes.io/service-name");
    service.map(|name| format!("{}/{name}", object.namespace())).into_iter().collect()
}

/// See the module.
pub fn describe(cx: &Cx, object: &dyn Object, w: &mut Writer) {
    let Some(service) = object.downcast::<Service>() else { return };
    let none = ServiceSpec::default();
    let spec = service.spec.as_ref().unwrap_or(&none);
    common::name(object, w);
    common::labels_and_annotations(&service.metadata, w);
    w.put(0, format_args!("Selector:\t{}\n", common::one_line(spec.selector.as_ref())));
    w.put(0, format_args!("Type:\t{}\n", text(&spec.type_)));
    if let Some(policy) = &spec.ip_family_policy {
        w.put(0, format_args!("IP Family Policy:\t{policy}\n"));
    }
    let joined = |list: &Option<Vec<String>>| list.as_deref().unwrap_or_default().join(",");
    let or_none = |list| common::or(joined(list), "<none>");
    w.put(0, format_args!("IP Families:\t{}\n", or_none(&spec.ip_families)));
    w.put(0, format_args!("IP:\t{}\n", text(&spec.cluster_ip)));
    w.put(0, format_args!("IPs:\t{}\n", or_none(&spec.cluster_ips)));
    let balancer = service.status.as_ref().and_then(|s| s.load_balancer.as_ref());
    let ingress = balancer.and_then(|b| b.ingress.as_deref()).unwrap_or_default();
    for (title, value) in [
        ("External IPs", joined(&spec.external_ips)),
        ("Desired LoadBalancer IP", text(&spec.load_balancer_ip).to_string()),
        ("External Name", text(&spec.external_name).to_string()),
        ("LoadBalancer Ingress", ingress.iter().map(entry).collect::<Vec<_>>().join(", ")),
    ] {
        if !value.is_empty() {
            w.put(0, format_args!("{title}:\t{value}\n"));
        }
    }
    let index = cx.client.index::<EndpointSlice>(BY_SERVICE);
    let key = format!("{}/{}", object.namespace(), object.name());
    let slices = cx.client.by_index::<EndpointSlice>(index, &key);
    for p in spec.ports.iter().flatten() {
        port(p, &slices, w);
    }
    policies(spec, w);
    events::of(cx, object, w);
}

fn entry(ingress: &LoadBalancerIngress) -> String {
    match (&ingress.ip, &ingress.ip_mode) {
        (Some(ip), Some(mode)) => format!("{ip} ({mode})"),
        (Some(ip), None) => ip.clone(),
        (None, _) => text(&ingress.hostname).to_string(),
    }
}

fn port(p: &ServicePort, slices: &[Rc<EndpointSlice>], w: &mut Writer) {
    let name = common::or(text(&p.name).to_string(), "<unset>");
    let protocol = text(&p.protocol);
    w.put(0, format_args!("Port:\t{name}\t{}/{protocol}\n", p.port));
    let target = match &p.target_port {
        Some(IntOrString::String(name)) => name.clone(),
        Some(IntOrString::Int(number)) => number.to_string(),
        None => "0".into(),
    };
    w.put(0, format_args!("TargetPort:\t{target}/{protocol}\n"));
    if let Some(app) = &p.app_protocol {
        w.put(0, format_args!("AppProtocol:\t{app}\n"));
    }
    if let Some(on_node) = p.node_port.filter(|n| *n != 0) {
        w.put(0, format_args!("NodePort:\t{name}\t{on_node}/{protocol}\n"));
    }
    w.put(0, format_args!("Endpoints:\t{}\n", endpoints(slices, text(&p.name))));
}

/// Ready endpoints of the port with this name.
pub fn endpoints(slices: &[Rc<EndpointSlice>], name: &str) -> String {
    if slices.is_empty() {
        return "<none>".into();
    }
    let mut all = Vec::new();
    for slice in slices {
        let ready = slice
            .endpoints
            .iter()
            .flatten()
            .filter(|e| e.conditions.as_ref().and_then(|c| c.ready).unwrap_or(true));
        let addresses: Vec<_> = ready.filter_map(|e| e.addresses.first()).collect();
        let ports = slice.ports.as_deref().unwrap_or_default();
        if ports.is_empty() {
            all.extend(addresses.iter().map(ToString::to_string));
        }
        for port in ports.iter().filter(|p| text(&p.name) == name) {
            let number = port.port.unwrap_or(0);
            all.extend(addresses.iter().map(|ip| match ip.contains(':') {
                true => format!("[{ip}]:{number}"),
                false => format!("{ip}:{number}"),
            }));
        }
    }
    let shown = all.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(",");
    match all.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} + {more} more..."),
    }
}

fn policies(spec: &ServiceSpec, w: &mut Writer) {
    w.put(0, format_args!("Session Affinity:\t{}\n", text(&spec.session_affinity)));
    let health = spec.health_check_node_port.filter(|p| *p != 0).map(|p| p.to_string());
    let ranges = spec.load_balancer_source_ranges.as_deref().unwrap_or_default().join(",");
    for (title, value) in [
        ("External Traffic Policy", text(&spec.external_traffic_policy)),
        ("Internal Traffic Policy", text(&spec.internal_traffic_policy)),
        ("HealthCheck NodePort", text(&health)),
        ("LoadBalancer Source Ranges", &ranges),
        ("Traffic Distribution", text(&spec.traffic_distribution)),
    ] {
        if !value.is_empty() {
            w.put(0, format_args!("{title}:\t{value}\n"));
        }
    }
}
