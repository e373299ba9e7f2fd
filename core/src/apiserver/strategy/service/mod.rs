//! The rules of Services.
//!
//! Models `pkg/apis/core/v1/defaults.go` (`SetDefaults_Service`), `ValidateService` and
//! `pkg/registry/core/service`.

mod addresses;
mod allocate;
pub(super) mod check;

use k8s_openapi::{
    api::core::v1::{Service, ServiceSpec, ServiceStatus},
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{NameRule, Strategy, StrategyCx, pod::defaults::text};
use crate::api::{FieldError, Status};

/// See the module.
pub struct Services;

/// How long a client sticks to an endpoint: three hours.
const STICKY_SECONDS: i32 = 10_800;

fn kind(spec: &ServiceSpec) -> &str {
    spec.type_.as_deref().unwrap_or("ClusterIP")
}

fn has_cluster_ip(spec: &ServiceSpec) -> bool {
    kind(spec) != "ExternalName"
}

fn has_node_ports(spec: &ServiceSpec) -> bool {
    match kind(spec) {
        "NodePort" => true,
        "LoadBalancer" => spec.allocate_load_balancer_node_ports != Some(false),
        _ => false,
    }
}

/// Whether traffic comes from outside the cluster as well.
fn is_external(spec: &ServiceSpec) -> bool {
    let ips = spec.external_ips.as_ref().is_some_and(|ips| !ips.is_empty());
    matches!(kind(spec), "NodePort" | "LoadBalancer") || (kind(spec) == "ClusterIP" && ips)
}

fn is_headless(spec: &ServiceSpec) -> bool {
    spec.cluster_ip.as_deref() == Some("None")
}

impl Strategy for Services {
    type Object = Service;

    fn name_rule(&self) -> NameRule {
        NameRule::Label1035
    }

    fn defaults(&self, service: &mut Service) {
        let spec = service.spec.get_or_insert_default();
        text(&mut spec.session_affinity, "None");
        if spec.session_affinity.as_deref() == Some("None") {
            spec.session_affinity_config = None;
        }
        if spec.session_affinity.as_deref() == Some("ClientIP") {
            let config = spec.session_affinity_config.get_or_insert_default();
            let client = config.client_ip.get_or_insert_default();
            client.timeout_seconds.get_or_insert(STICKY_SECONDS);
        }
        text(&mut spec.type_, "ClusterIP");
        for port in spec.ports.iter_mut().flatten() {
            text(&mut port.protocol, "TCP");
            let unset = match &port.target_port {
                None | Some(IntOrString::Int(0)) => true,
                Some(IntOrString::String(name)) => name.is_empty(),
                Some(IntOrString::Int(_)) => false,
            };
            if unset {
                port.target_port = Some(IntOrString::Int(port.port));
            }
            if port.node_port == Some(0) {
                port.node_port = None;
            }
            if port.name.as_deref() == Some("") {
                port.name = None;
            }
        }
        if is_external(spec) {
            text(&mut spec.external_traffic_policy, "Cluster");
        }
        if has_cluster_ip(spec) {
            text(&mut spec.internal_traffic_policy, "Cluster");
        }
        if kind(spec) == "LoadBalancer" {
            spec.allocate_load_balancer_node_ports.get_or_insert(true);
        }
        if spec.cluster_ip.as_deref() == Some("") {
            spec.cluster_ip = None;
        }
        if spec.selector.as_ref().is_some_and(|s| s.is_empty()) {
            spec.selector = None;
        }
        if spec.publish_not_ready_addresses == Some(false) {
            spec.publish_not_ready_addresses = None;
        }
        let status = service.status.get_or_insert_default();
        status.load_balancer.get_or_insert_default();
    }

    fn prepare_create(&self, _: &StrategyCx, service: &mut Service) {
        service.status = Some(empty_status());
        if let Some(spec) = &mut service.spec {
            normalise(spec, None);
        }
    }

    fn prepare_update(&self, _: &StrategyCx, new: &mut Service, old: &Service) {
        new.status.clone_from(&old.status);
        let (Some(spec), Some(was)) = (&mut new.spec, &old.spec) else { return };
        normalise(spec, Some(was));
        keep_allocated(spec, was);
        drop_of_type(spec, was);
        drop_unused(spec, was);
        if kind(spec) != "LoadBalancer" {
            new.status = Some(empty_status());
        }
    }

    fn prepare_status_update(&self, new: &mut Service, old: &Service) {
        new.spec.clone_from(&old.spec);
        let status = new.status.as_mut().and_then(|s| s.load_balancer.as_mut());
        for ingress in status.into_iter().flat_map(|s| s.ingress.iter_mut().flatten()) {
            if ingress.ip.is_some() {
                text(&mut ingress.ip_mode, "VIP");
            }
        }
    }

    fn validate(&self, _: &StrategyCx, service: &Service) -> Vec<FieldError> {
        service.spec.as_ref().map(check::service).unwrap_or_default()
    }

    fn validate_update(&self, _: &StrategyCx, new: &Service, old: &Service) -> Vec<FieldError> {
        match (&new.spec, &old.spec) {
            (Some(new), Some(old)) => check::update(new, old),
            _ => Vec::new(),
        }
    }

    fn allocate(
        &self,
        cx: &StrategyCx,
        service: &mut Service,
        old: Option<&Service>,
    ) -> Result<(), Status> {
        allocate::allocate(cx, service, old)
    }

    fn stored(&self, cx: &StrategyCx, service: &Service, old: Option<&Service>) {
        addresses::keep(cx, service, old);
    }

    fn released(&self, cx: &StrategyCx, service: &Service) {
        addresses::release(cx, service);
    }

    fn field(&self, service: &Service, path: &str) -> Option<String> {
        let spec = service.spec.as_ref();
        let found = match path {
            "spec.clusterIP" => spec.and_then(|s| s.cluster_ip.clone()),
            "spec.type" => spec.and_then(|s| s.type_.clone()),
            _ => return None,
        };
        Some(found.unwrap_or_default())
    }

    fn warnings(&self, service: &Service, _: Option<&Service>) -> Vec<String> {
        let ips = service.spec.as_ref().and_then(|s| s.external_ips.as_ref());
        let mut warnings = Vec::new();
        if ips.is_some_and(|ips| !ips.is_empty()) {
            warnings.push(
                "spec.externalIPs is deprecated and may no longer be implemented in some clusters"
                    .to_string(),
            );
        }
        let old_ip = service.spec.as_ref().and_then(|s| s.load_balancer_ip.as_deref());
        if old_ip.is_some_and(|ip| !ip.is_empty()) {
            warnings.push("spec.loadBalancerIP is deprecated".to_string());
        }
        warnings
    }
}

fn empty_status() -> ServiceStatus {
    ServiceStatus { load_balancer: Some(Default::default()), ..Default::default() }
}

/// `clusterIP` and `clusterIPs` say the same, whichever was sent.
fn normalise(spec: &mut ServiceSpec, old: Option<&ServiceSpec>) {
    let one = spec.cluster_ip.clone();
    let many = spec.cluster_ips.clone().unwrap_or_default();
    let Some(old) = old else {
        if let (Some(ip), true) = (one, many.is_empty()) {
            spec.cluster_ips = Some(vec![ip]);
        }
        return;
    };
    let same_one = one == old.cluster_ip;
    let same_many = spec.cluster_ips == old.cluster_ips;
    if !same_one && same_many {
        // Only the old field was changed: the new one follows.
        spec.cluster_ips = one.map(|ip| vec![ip]);
    } else if same_one && !same_many && many.is_empty() {
        spec.cluster_ip = None;
        spec.cluster_ips = None;
    }
}

/// What was allocated stays where the new object does not mention it.
fn keep_allocated(spec: &mut ServiceSpec, old: &ServiceSpec) {
    if has_cluster_ip(old) && has_cluster_ip(spec) {
        if spec.cluster_ip.is_none() {
            spec.cluster_ip.clone_from(&old.cluster_ip);
        }
        if spec.cluster_ips.as_ref().is_none_or(Vec::is_empty) && spec.cluster_ip == old.cluster_ip
        {
            spec.cluster_ips.clone_from(&old.cluster_ips);
        }
        if spec.ip_families.is_none() {
            spec.ip_families.clone_from(&old.ip_families);
        }
        if spec.ip_family_policy.is_none() {
            spec.ip_family_policy.clone_from(&old.ip_family_policy);
        }
    }
    if !has_node_ports(old) || !has_node_ports(spec) {
        return;
    }
    let known: Vec<_> = old.ports.iter().flatten().cloned().collect();
    for port in spec.ports.iter_mut().flatten().filter(|p| p.node_port.is_none()) {
        let was = known.iter().find(|o| (&o.protocol, o.port) == (&port.protocol, port.port));
        port.node_port = was.and_then(|o| o.node_port);
    }
}

/// What belonged to the old type goes with it, unless it was changed as well.
fn drop_of_type(spec: &mut ServiceSpec, old: &ServiceSpec) {
    if has_cluster_ip(old) && !has_cluster_ip(spec) && spec.cluster_ips == old.cluster_ips {
        spec.cluster_ip = None;
        spec.cluster_ips = None;
        spec.ip_families = None;
        spec.ip_family_policy = None;
    }
    if has_node_ports(old) && !has_node_ports(spec) {
        let was: Vec<_> = old.ports.iter().flatten().filter_map(|p| p.node_port).collect();
        for port in spec.ports.iter_mut().flatten() {
            if port.node_port.is_some_and(|p| was.contains(&p)) {
                port.node_port = None;
            }
        }
    }
}

/// What the new type does not know goes, unless it was changed: then it is an error.
fn drop_unused(spec: &mut ServiceSpec, old: &ServiceSpec) {
    if !is_external(spec) && spec.external_traffic_policy == old.external_traffic_policy {
        spec.external_traffic_policy = None;
    }
    if kind(spec) == "LoadBalancer" {
        return;
    }
    if spec.allocate_load_balancer_node_ports == old.allocate_load_balancer_node_ports {
        spec.allocate_load_balancer_node_ports = None;
    }
    if spec.load_balancer_class == old.load_balancer_class {
        spec.load_balancer_class = None;
    }
    if spec.health_check_node_port == old.health_check_node_port {
        spec.health_check_node_port = None;
    }
}
