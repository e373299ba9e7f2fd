//! The rules of EndpointSlices.
//!
//! Models `pkg/registry/discovery/endpointslice/strategy.go` and `pkg/apis/discovery/validation`.

use std::collections::BTreeSet;

use k8s_openapi::api::discovery::v1::{Endpoint, EndpointPort, EndpointSlice};

use super::{
    NameRule, Strategy, StrategyCx,
    metadata::{label_value_error, name_error, qualified_name_error},
    pod::{containers::one_of, defaults::text},
    service::check::external_ip,
};
use crate::api::{FieldError, Path, gofmt::quote};

const TYPES: &[&str] = &["FQDN", "IPv4", "IPv6"];
/// Addresses that one endpoint can have, and other limits of a slice.
const MOST_ADDRESSES: usize = 100;
const MOST_ENDPOINTS: usize = 1000;
const MOST_PORTS: usize = 20_000;
const MOST_ZONES: usize = 8;

/// See the module.
pub struct EndpointSlices;

impl Strategy for EndpointSlices {
    type Object = EndpointSlice;

    fn defaults(&self, slice: &mut EndpointSlice) {
        for port in slice.ports.iter_mut().flatten() {
            port.name.get_or_insert_default();
            text(&mut port.protocol, "TCP");
        }
    }

    fn spec_changed(&self, new: &EndpointSlice, old: &EndpointSlice) -> Option<bool> {
        let labels = new.metadata.labels != old.metadata.labels;
        Some(labels || new.endpoints != old.endpoints || new.ports != old.ports)
    }

    fn validate(&self, _: &StrategyCx, slice: &EndpointSlice) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let kind = slice.address_type.as_str();
        if kind.is_empty() {
            errors.push(FieldError::required("addressType", ""));
        } else if !TYPES.contains(&kind) {
            errors.push(FieldError::not_supported("addressType", kind, TYPES));
        }
        ports(slice.ports.as_deref().unwrap_or_default(), &Path::new("ports"), &mut errors);
        let at = Path::new("endpoints");
        let endpoints = slice.endpoints.as_deref().unwrap_or_default();
        if endpoints.len() > MOST_ENDPOINTS {
            let (count, most) = (endpoints.len() as u64, MOST_ENDPOINTS as u64);
            errors.push(FieldError::too_many(at, count, most));
            return errors;
        }
        for (i, one) in endpoints.iter().enumerate() {
            endpoint(one, kind, &at.index(i), &mut errors);
        }
        errors
    }

    fn validate_update(
        &self,
        _: &StrategyCx,
        new: &EndpointSlice,
        old: &EndpointSlice,
    ) -> Vec<FieldError> {
        if new.address_type == old.address_type {
            return Vec::new();
        }
        vec![FieldError::invalid_str("addressType", &new.address_type, "field is immutable")]
    }
}

fn endpoint(endpoint: &Endpoint, kind: &str, at: &Path, errors: &mut Vec<FieldError>) {
    let addresses_at = at.child("addresses");
    let count = endpoint.addresses.len();
    if count == 0 {
        errors.push(FieldError::required(addresses_at, "must contain at least 1 address"));
    } else if count > MOST_ADDRESSES {
        let (count, most) = (count as u64, MOST_ADDRESSES as u64);
        errors.push(FieldError::too_many(addresses_at, count, most));
    }
    for (i, address) in endpoint.addresses.iter().enumerate() {
        let at = addresses_at.index(i);
        let (wrong, version) = match kind {
            "IPv4" => (address.parse::<std::net::Ipv4Addr>().is_err(), 4),
            "IPv6" => (address.parse::<std::net::Ipv6Addr>().is_err(), 6),
            _ => continue,
        };
        if wrong {
            let why = format!("must be a valid IPv{version} address");
            errors.push(FieldError::invalid_str(at, address, &why));
        }
        external_ip(address, &at, errors);
    }
    if let Some(node) = endpoint.node_name.as_deref() {
        if let Some(why) = name_error(NameRule::Subdomain, node) {
            errors.push(FieldError::invalid_str(at.child("nodeName"), node, &why));
        }
    }
    if let Some(name) = endpoint.hostname.as_deref() {
        if let Some(why) = name_error(NameRule::Label, name) {
            errors.push(FieldError::invalid_str(at.child("hostname"), name, &why));
        }
    }
    let zones = endpoint.hints.as_ref().and_then(|h| h.for_zones.as_deref()).unwrap_or_default();
    let at = at.child("hints");
    let at = at.child("forZones");
    if zones.len() > MOST_ZONES {
        let (count, most) = (zones.len() as u64, MOST_ZONES as u64);
        return errors.push(FieldError::too_many(at, count, most));
    }
    for (i, zone) in zones.iter().enumerate() {
        let at = at.index(i);
        let at = at.child("name");
        if zones.iter().take(i).any(|other| other.name == zone.name) {
            errors.push(FieldError::duplicate(at, quote(&zone.name)));
        }
        if let Some(why) = label_value_error(&zone.name) {
            errors.push(FieldError::invalid_str(at, &zone.name, &why));
        }
    }
}

fn ports(ports: &[EndpointPort], at: &Path, errors: &mut Vec<FieldError>) {
    if ports.len() > MOST_PORTS {
        let (count, most) = (ports.len() as u64, MOST_PORTS as u64);
        return errors.push(FieldError::too_many(at, count, most));
    }
    let mut seen = BTreeSet::new();
    for (i, port) in ports.iter().enumerate() {
        let at = at.index(i);
        let name = port.name.as_deref().unwrap_or_default();
        if let Some(why) = name_error(NameRule::Label, name).filter(|_| !name.is_empty()) {
            errors.push(FieldError::invalid_str(at.child("name"), name, &why));
        }
        if !seen.insert(name) {
            errors.push(FieldError::duplicate(at.child("name"), quote(name)));
        }
        let protocol = port.protocol.as_deref().unwrap_or_default();
        one_of(protocol, &["SCTP", "TCP", "UDP"], &at.child("protocol"), errors);
        if let Some(app) = port.app_protocol.as_deref() {
            if let Some(why) = qualified_name_error(app) {
                errors.push(FieldError::invalid_str(at.child("appProtocol"), app, &why));
            }
        }
    }
}
