//! Addresses and node ports of services, taken from the cluster's ranges.
//!
//! The services in the store are the record of what is taken: two indexes find it, so nothing is
//! kept besides and nothing has to be given back.
//!
//! Models `pkg/registry/core/service/ipallocator` and `portallocator`.

use std::net::Ipv4Addr;

use k8s_openapi::api::core::v1::{Service, ServicePort};

use super::{has_cluster_ip, has_node_ports, is_headless};
use crate::{
    api::{FieldError, Status, Typed},
    apiserver::strategy::StrategyCx,
    store::IndexFn,
};

/// First address and size of the range of cluster addresses: 10.96.0.0/12.
const BASE: u32 = 0x0a60_0000;
const SIZE: u32 = 1 << 20;
/// Addresses at the beginning are left to those who choose theirs (`calculateRangeOffset`).
const STATIC_IPS: u32 = 256;
/// Node ports, and how many at the beginning are left to those who choose theirs.
const PORTS: std::ops::RangeInclusive<i32> = 30_000..=32_767;
const STATIC_PORTS: i32 = 86;
/// Random tries before the range is searched from its beginning.
const TRIES: usize = 64;

const BY_IP: IndexFn = |object| {
    let spec = object.downcast::<Service>().and_then(|s| s.spec.as_ref());
    spec.and_then(|s| s.cluster_ips.clone()).unwrap_or_default()
};

const BY_PORT: IndexFn = |object| {
    let spec = object.downcast::<Service>().and_then(|s| s.spec.as_ref());
    let ports = spec.and_then(|s| s.ports.as_deref()).unwrap_or_default();
    ports.iter().filter_map(|p| Some(port_key(p, p.node_port?))).collect()
};

fn port_key(port: &ServicePort, number: i32) -> String {
    format!("{}/{number}", port.protocol.as_deref().unwrap_or("TCP"))
}

/// Gives the service what it needs and does not have.
pub fn allocate(
    cx: &StrategyCx,
    service: &mut Service,
    old: Option<&Service>,
) -> Result<(), Status> {
    let name = service.metadata.name.clone().unwrap_or_default();
    let old = old.and_then(|o| o.spec.as_ref());
    let Some(spec) = &mut service.spec else { return Ok(()) };
    let invalid =
        |error: FieldError| Status::invalid(&cx.api.kind(Service::ID), &name, vec![error]);
    if has_cluster_ip(spec) {
        spec.ip_families.get_or_insert_with(|| vec!["IPv4".into()]);
        if spec.ip_family_policy.is_none() {
            spec.ip_family_policy = Some("SingleStack".into());
        }
        let had = old.and_then(|o| o.cluster_ip.clone());
        if !is_headless(spec) && (spec.cluster_ip.is_none() || spec.cluster_ip != had) {
            let ip = cluster_ip(cx, spec.cluster_ip.as_deref()).map_err(invalid)?;
            spec.cluster_ips = Some(vec![ip.clone()]);
            spec.cluster_ip = Some(ip);
        }
    }
    if !has_node_ports(spec) {
        return Ok(());
    }
    let had: Vec<_> = old.iter().flat_map(|o| o.ports.iter().flatten()).cloned().collect();
    let mut given: Vec<String> = Vec::new();
    for (i, port) in spec.ports.iter_mut().flatten().enumerate() {
        let mine = had.iter().any(|o| o.node_port == port.node_port && o.protocol == port.protocol);
        if port.node_port.is_some() && mine {
            continue;
        }
        let number = node_port(cx, i, port, &given).map_err(invalid)?;
        port.node_port = Some(number);
        given.push(port_key(port, number));
    }
    Ok(())
}

fn cluster_ip(cx: &StrategyCx, wanted: Option<&str>) -> Result<String, FieldError> {
    let store = cx.api.store();
    let index = store.add_index(Service::ID, BY_IP);
    let taken = |ip: &str| store.count_by_index(index, ip) > 0;
    if let Some(wanted) = wanted {
        let refuse = |why: String| {
            let value = format!("[{wanted:?}]");
            let why = format!("failed to allocate IP {wanted}: {why}");
            FieldError::invalid("spec.clusterIPs", value, &why)
        };
        let inside = wanted
            .parse::<Ipv4Addr>()
            .is_ok_and(|ip| (BASE + 1..BASE + SIZE - 1).contains(&u32::from(ip)));
        if !inside {
            return Err(refuse(format!(
                "the provided IP ({wanted}) is not in the valid range. The range of valid IPs is \
                 10.96.0.0/12"
            )));
        }
        if taken(wanted) {
            return Err(refuse("provided IP is already allocated".into()));
        }
        return Ok(wanted.to_string());
    }
    let at = |offset: u32| Ipv4Addr::from(BASE + offset).to_string();
    let span = SIZE - STATIC_IPS - 1;
    let random = (0..TRIES).map(|_| at(STATIC_IPS + cx.api.sim().random(u64::from(span)) as u32));
    let mut random = random.filter(|ip| !taken(ip));
    if let Some(ip) = random.next() {
        return Ok(ip);
    }
    let mut rest = (1..SIZE - 1).map(at).filter(|ip| !taken(ip));
    rest.next().ok_or_else(|| {
        let why = "failed to allocate a serviceIP: range is full";
        FieldError::invalid("spec.clusterIPs", "null", why)
    })
}

fn node_port(
    cx: &StrategyCx,
    i: usize,
    port: &ServicePort,
    given: &[String],
) -> Result<i32, FieldError> {
    let store = cx.api.store();
    let index = store.add_index(Service::ID, BY_PORT);
    let taken = |number: i32| {
        let key = port_key(port, number);
        store.count_by_index(index, &key) > 0 || given.contains(&key)
    };
    let field = format!("spec.ports[{i}].nodePort");
    if let Some(wanted) = port.node_port {
        if !PORTS.contains(&wanted) {
            let why = "provided port is not in the valid range. The range of valid ports is \
                       30000-32767";
            return Err(FieldError::invalid(field, wanted, why));
        }
        if taken(wanted) {
            return Err(FieldError::invalid(field, wanted, "provided port is already allocated"));
        }
        return Ok(wanted);
    }
    let first = PORTS.start() + STATIC_PORTS;
    let span = (PORTS.end() - first + 1) as u64;
    let random = (0..TRIES).map(|_| first + cx.api.sim().random(span) as i32);
    let mut free = random.chain(PORTS).filter(|number| !taken(*number));
    free.next().ok_or_else(|| {
        FieldError::invalid(field, 0, "failed to allocate a nodePort: range is full")
    })
}
