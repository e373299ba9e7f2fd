//! The tables of Ingresses, IngressClasses and NetworkPolicies.
//!
//! Models `printIngress`, `printIngressClass`, `printNetworkPolicy`.

use k8s_openapi::api::networking::v1::{Ingress, IngressClass, NetworkPolicy};

use super::{Printer, age, col, or_none, workloads::selector};

/// So many hosts are shown (`formatHosts`).
const SHOWN: usize = 3;

/// Ingresses.
pub const INGRESS: Printer = Printer {
    columns: &[col("Name"), col("Class"), col("Hosts"), col("Address"), col("Ports"), col("Age")],
    row: |cx, object| {
        let Some(ingress) = object.downcast::<Ingress>() else { return Vec::new() };
        let spec = ingress.spec.as_ref();
        let class = spec.and_then(|s| s.ingress_class_name.clone());
        let tls = spec.is_some_and(|s| s.tls.as_ref().is_some_and(|t| !t.is_empty()));
        vec![
            object.name().to_string(),
            class.unwrap_or_else(|| "<none>".into()),
            hosts(ingress),
            addresses(ingress).join(","),
            if tls { "80, 443" } else { "80" }.into(),
            age(cx, object),
        ]
    },
};

fn hosts(ingress: &Ingress) -> String {
    let rules = ingress.spec.iter().flat_map(|s| &s.rules).flatten();
    let mut all: Vec<&str> = Vec::new();
    let mut more = false;
    for host in rules.filter_map(|r| r.host.as_deref()).filter(|h| !h.is_empty()) {
        if all.len() == SHOWN {
            more = true;
        } else {
            all.push(host);
        }
    }
    let text = if all.is_empty() { "*".to_string() } else { all.join(",") };
    if more { format!("{text} + more...") } else { text }
}

/// Where an ingress is reached, sorted.
pub fn addresses(ingress: &Ingress) -> Vec<String> {
    let balancer = ingress.status.as_ref().and_then(|s| s.load_balancer.as_ref());
    let entries = balancer.and_then(|b| b.ingress.as_deref()).unwrap_or_default();
    let text = |t: &Option<String>| t.clone().filter(|t| !t.is_empty());
    let mut all: Vec<_> =
        entries.iter().filter_map(|e| text(&e.ip).or_else(|| text(&e.hostname))).collect();
    all.sort();
    all.dedup();
    all
}

/// IngressClasses.
pub const INGRESS_CLASS: Printer = Printer {
    columns: &[col("Name"), col("Controller"), col("Parameters"), col("Age")],
    row: |cx, object| {
        let Some(class) = object.downcast::<IngressClass>() else { return Vec::new() };
        let spec = class.spec.as_ref();
        let parameters = spec.and_then(|s| s.parameters.as_ref()).map(|p| {
            let group = p.api_group.as_deref().map(|g| format!(".{g}")).unwrap_or_default();
            format!("{}{group}/{}", p.kind, p.name)
        });
        vec![
            object.name().to_string(),
            spec.and_then(|s| s.controller.clone()).unwrap_or_default(),
            or_none(parameters.unwrap_or_default()),
            age(cx, object),
        ]
    },
};

/// NetworkPolicies.
pub const NETWORK_POLICY: Printer = Printer {
    columns: &[col("Name"), col("Pod-Selector"), col("Age")],
    row: |cx, object| {
        let Some(policy) = object.downcast::<NetworkPolicy>() else { return Vec::new() };
        let pods = policy.spec.as_ref().and_then(|s| s.pod_selector.as_ref());
        vec![object.name().to_string(), selector(pods), age(cx, object)]
    },
};
