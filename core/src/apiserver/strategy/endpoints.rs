//! The rules of Endpoints.
//!
//! Models `pkg/registry/core/endpoint/strategy.go` and `ValidateEndpoints`.

use k8s_openapi::api::core::v1::Endpoints;

use super::{Strategy, StrategyCx, pod::defaults::text};
use crate::api::{FieldError, Path};

/// What everyone is told who reads or writes Endpoints.
const DEPRECATED: &str =
    "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice";

/// See the module.
pub struct EndpointsRules;

impl Strategy for EndpointsRules {
    type Object = Endpoints;

    fn defaults(&self, endpoints: &mut Endpoints) {
        let subsets = endpoints.subsets.iter_mut().flatten();
        for port in subsets.flat_map(|s| s.ports.iter_mut().flatten()) {
            text(&mut port.protocol, "TCP");
        }
    }

    fn deprecated(&self) -> Option<&'static str> {
        Some(DEPRECATED)
    }

    fn validate(&self, _: &StrategyCx, endpoints: &Endpoints) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let at = Path::new("subsets");
        for (i, subset) in endpoints.subsets.iter().flatten().enumerate() {
            let at = at.index(i);
            let ready = subset.addresses.as_deref().unwrap_or_default();
            let waiting = subset.not_ready_addresses.as_deref().unwrap_or_default();
            if ready.is_empty() && waiting.is_empty() {
                let why = "must specify `addresses` or `notReadyAddresses`";
                errors.push(FieldError::required(at, why));
            }
            for (field, list) in [("addresses", ready), ("notReadyAddresses", waiting)] {
                let at = at.child(field);
                for (i, address) in list.iter().enumerate() {
                    if address.ip.parse::<std::net::IpAddr>().is_err() {
                        let at = at.index(i);
                        let why = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
                        errors.push(FieldError::invalid_str(at.child("ip"), &address.ip, why));
                    }
                }
            }
        }
        errors
    }
}
