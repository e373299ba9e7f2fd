//! The tables of Endpoints and EndpointSlices.
//!
//! Models `formatEndpoints`, `formatDiscoveryPorts` and `formatDiscoveryEndpoints`.

use k8s_openapi::api::{core::v1::Endpoints, discovery::v1::EndpointSlice};

use super::{Printer, age, col};

/// How many are spelled out.
const SHOWN: usize = 3;

/// Endpoints.
pub const ENDPOINTS: Printer = Printer {
    columns: &[col("Name"), col("Endpoints"), col("Age")],
    row: |cx, object| {
        let Some(endpoints) = object.downcast::<Endpoints>() else { return Vec::new() };
        vec![object.name().to_string(), addresses(endpoints), age(cx, object)]
    },
};

/// EndpointSlices.
pub const ENDPOINT_SLICE: Printer = Printer {
    columns: &[col("Name"), col("AddressType"), col("Ports"), col("Endpoints"), col("Age")],
    row: |cx, object| {
        let Some(slice) = object.downcast::<EndpointSlice>() else { return Vec::new() };
        let ports = slice.ports.iter().flatten();
        let ports = ports.map(|p| p.port.map_or("*".to_string(), |port| port.to_string()));
        let endpoints = slice.endpoints.iter().flatten().flat_map(|e| e.addresses.iter().cloned());
        vec![
            object.name().to_string(),
            slice.address_type.clone(),
            some_of(ports.collect()),
            some_of(endpoints.collect()),
            age(cx, object),
        ]
    },
};

fn some_of(all: Vec<String>) -> String {
    if all.is_empty() {
        return "<unset>".into();
    }
    let shown = all.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(",");
    match all.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} + {more} more..."),
    }
}

fn addresses(endpoints: &Endpoints) -> String {
    let subsets = endpoints.subsets.as_deref().unwrap_or_default();
    if subsets.is_empty() {
        return "<none>".into();
    }
    let mut all = Vec::new();
    for subset in subsets {
        let ips = subset.addresses.as_deref().unwrap_or_default();
        let ports = subset.ports.as_deref().unwrap_or_default();
        if ports.is_empty() {
            all.extend(ips.iter().map(|a| a.ip.clone()));
        }
        for port in ports {
            all.extend(ips.iter().map(|a| host_port(&a.ip, port.port)));
        }
    }
    let shown = all.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(",");
    match all.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} + {more} more..."),
    }
}

/// `10.0.0.1:80`, `[::1]:80`.
pub fn host_port(ip: &str, port: i32) -> String {
    if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") }
}
