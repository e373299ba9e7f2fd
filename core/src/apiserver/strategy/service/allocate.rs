//! Addresses and node ports of services, taken from the cluster's ranges.
//!
//! The services in the store are the record of what is taken (two indexes find it), and for addresses
//! the IPAddresses as well, which others can make, too.
//!
//! Models `pkg/registry/core/service/ipallocator` and `portallocator`.

use std::net::Ipv4Addr;

use k8s_openapi::api::{
    core::v1::{Service, ServicePort},
    networking::v1::ServiceCIDR,
};

use super::{addresses, has_cluster_ip, has_node_ports, is_headless};
use crate::{
    api::{FieldError, Status, Typed, cidr::Cidr, meta::is_deleting},
    apiserver::strategy::StrategyCx,
    store::IndexFn,
};

/// The range of cluster addresses where no ServiceCIDR says another: 10.96.0.0/12.
const USUAL: Range = Range { base: 0x0a60_0000, size: 1 << 20 };

/// First address and size of a range.
#[derive(Clone, Copy)]
struct Range {
    base: u32,
    size: u32,
}

impl Range {
    fn has(self, ip: Ipv4Addr) -> bool {
        let last = self.base.saturating_add(self.size.saturating_sub(1));
        u32::from(ip) > self.base && u32::from(ip) < last
    }

    /// Addresses at the beginning are left to those who choose theirs (`calculateRangeOffset`).
    fn left(self) -> u32 {
        const LEAST: u32 = 16;
        const MOST: u32 = 256;
        if self.size < LEAST { 0 } else { (self.size / 16).clamp(LEAST, MOST) }
    }
}

/// The ranges of ServiceCIDRs that are in use.
fn ranges(cx: &StrategyCx) -> Vec<Range> {
    let all = cx.api.store().list(ServiceCIDR::ID, None);
    let mut found = Vec::new();
    for cidr in all.iter().filter_map(|o| o.downcast::<ServiceCIDR>()) {
        let conditions = cidr.status.as_ref().and_then(|s| s.conditions.as_ref());
        let mut ready = conditions.into_iter().flatten().filter(|c| c.type_ == "Ready");
        if is_deleting(&cidr.metadata) || ready.any(|c| c.status != "True") {
            continue;
        }
        let texts = cidr.spec.as_ref().and_then(|s| s.cidrs.as_deref()).unwrap_or_default();
        found.extend(texts.iter().filter_map(|text| text.parse::<Cidr>().ok()).map(|range| {
            Range {
                base: range.base.into(),
                size: 1_u32.checked_shl(32 - u32::from(range.bits)).unwrap_or(u32::MAX),
            }
        }));
    }
    if all.is_empty() { vec![USUAL] } else { found }
}

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
    let whose = Service { metadata: service.metadata.clone(), ..Service::default() };
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
            let ip = cluster_ip(cx, spec.cluster_ip.as_deref(), &whose).map_err(invalid)?;
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

fn cluster_ip(
    cx: &StrategyCx,
    wanted: Option<&str>,
    service: &Service,
) -> Result<String, FieldError> {
    let store = cx.api.store();
    let index = store.add_index(Service::ID, BY_IP);
    let taken =
        |ip: &str| store.count_by_index(index, ip) > 0 || addresses::is_taken(cx, ip, service);
    let ranges = ranges(cx);
    if let Some(wanted) = wanted {
        let refuse = |why: String| {
            let value = format!("[{wanted:?}]");
            let why = format!("failed to allocate IP {wanted}: {why}");
            FieldError::invalid("spec.clusterIPs", value, &why)
        };
        let parsed = wanted.parse::<Ipv4Addr>();
        if !parsed.is_ok_and(|ip| ranges.iter().any(|range| range.has(ip))) {
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
    for range in ranges {
        let at = |offset: u32| Ipv4Addr::from(range.base.saturating_add(offset)).to_string();
        let left = range.left();
        let span = range.size.saturating_sub(left).saturating_sub(1);
        if span > 0 {
            let mut random =
                (0..TRIES).map(|_| at(left + cx.api.sim().random(u64::from(span)) as u32));
            let fits = |ip: &String| ip.parse().is_ok_and(|ip| range.has(ip)) && !taken(ip);
            if let Some(ip) = random.find(fits) {
                return Ok(ip);
            }
        }
        let mut rest = (1..range.size.saturating_sub(1)).map(at);
        if let Some(ip) = rest.find(|ip| !taken(ip)) {
            return Ok(ip);
        }
    }
    let why = "failed to allocate a serviceIP: range is full";
    Err(FieldError::invalid("spec.clusterIPs", "null", why))
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
