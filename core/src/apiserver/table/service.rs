//! The table of services.
//!
//! Models `printService`.

use k8s_openapi::api::core::v1::{Service, ServiceSpec};

use super::{Printer, age, col, labels, or_none, wide};

/// See the module.
pub const SERVICE: Printer = Printer {
    columns: &[
        col("Name"),
        col("Type"),
        col("Cluster-IP"),
        col("External-IP"),
        col("Port(s)"),
        col("Age"),
        wide("Selector"),
    ],
    row: |cx, object| {
        let Some(service) = object.downcast::<Service>() else { return Vec::new() };
        let none = ServiceSpec::default();
        let spec = service.spec.as_ref().unwrap_or(&none);
        let ip = spec.cluster_ips.as_ref().and_then(|ips| ips.first().cloned());
        vec![
            object.name().to_string(),
            spec.type_.clone().unwrap_or_default(),
            or_none(ip.or_else(|| spec.cluster_ip.clone()).unwrap_or_default()),
            external_ip(service, spec),
            ports(spec),
            age(cx, object),
            labels(spec.selector.as_ref()),
        ]
    },
};

fn external_ip(service: &Service, spec: &ServiceSpec) -> String {
    let own = || spec.external_ips.clone().unwrap_or_default();
    match spec.type_.as_deref().unwrap_or_default() {
        "LoadBalancer" => {
            let balancer = service.status.as_ref().and_then(|s| s.load_balancer.as_ref());
            let mut given: Vec<_> = balancer
                .iter()
                .flat_map(|b| b.ingress.iter().flatten())
                .filter_map(|i| i.ip.clone().or_else(|| i.hostname.clone()))
                .collect();
            given.sort();
            given.dedup();
            let mut all = own();
            if !given.is_empty() {
                all.push(given.join(","));
            }
            if all.is_empty() { "<pending>".into() } else { all.join(",") }
        }
        "ExternalName" => spec.external_name.clone().unwrap_or_default(),
        "ClusterIP" | "NodePort" => or_none(own().join(",")),
        _ => "<unknown>".into(),
    }
}

fn ports(spec: &ServiceSpec) -> String {
    let ports = spec.ports.iter().flatten().map(|p| {
        let protocol = p.protocol.as_deref().unwrap_or_default();
        match p.node_port.filter(|n| *n > 0) {
            Some(on_node) => format!("{}:{on_node}/{protocol}", p.port),
            None => format!("{}/{protocol}", p.port),
        }
    });
    or_none(ports.collect::<Vec<_>>().join(","))
}
