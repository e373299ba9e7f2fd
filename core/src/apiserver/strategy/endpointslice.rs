//! The rules of EndpointSlices.
//!
//! Models `pkg/registry/discovery/endpointslice/strategy.go`.

use k8s_openapi::api::discovery::v1::EndpointSlice;

use super::{Strategy, StrategyCx, pod::defaults::text};
use crate::api::{FieldError, Path};

const TYPES: &[&str] = &["FQDN", "IPv4", "IPv6"];
/// Addresses that one endpoint can have.
const MAX_ADDRESSES: usize = 100;

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
        let at = Path::new("endpoints");
        for (i, endpoint) in slice.endpoints.iter().flatten().enumerate() {
            let at = at.index(i);
            let at = at.child("addresses");
            if endpoint.addresses.is_empty() {
                errors.push(FieldError::required(at, "must contain at least 1 address"));
            } else if endpoint.addresses.len() > MAX_ADDRESSES {
                let shown = endpoint.addresses.len();
                errors.push(FieldError::invalid(at, shown, "must have at most 100 items"));
            }
            for (i, address) in endpoint.addresses.iter().enumerate() {
                let wrong = match kind {
                    "IPv4" => address.parse::<std::net::Ipv4Addr>().is_err(),
                    "IPv6" => address.parse::<std::net::Ipv6Addr>().is_err(),
                    _ => false,
                };
                if wrong {
                    let why = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
                    errors.push(FieldError::invalid_str(at.index(i), address, why));
                }
            }
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
