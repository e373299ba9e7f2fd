//! The rules of Endpoints.
//!
//! Models `pkg/registry/core/endpoint/strategy.go` and `ValidateEndpoints`.

use k8s_openapi::api::core::v1::{EndpointPort, Endpoints};

use super::{
    NameRule, Strategy, StrategyCx,
    metadata::name_error,
    pod::{
        containers::{dns_label, one_of, port_number},
        defaults::text,
    },
    service::check::external_ip,
};
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
                    let at = at.index(i);
                    external_ip(&address.ip, &at.child("ip"), &mut errors);
                    if let Some(name) = address.hostname.as_deref().filter(|h| !h.is_empty()) {
                        dns_label(name, &at.child("hostname"), &mut errors);
                    }
                    if let Some(node) = address.node_name.as_deref() {
                        if let Some(why) = name_error(NameRule::Subdomain, node) {
                            let at = at.child("nodeName");
                            errors.push(FieldError::invalid_str(at, node, &why));
                        }
                    }
                }
            }
            let ports = subset.ports.as_deref().unwrap_or_default();
            let ports_at = at.child("ports");
            for (i, port) in ports.iter().enumerate() {
                check_port(port, ports.len() > 1, &ports_at.index(i), &mut errors);
            }
        }
        errors
    }
}

/// Models `validateEndpointPort`; of several ports each needs a name.
fn check_port(port: &EndpointPort, needs_name: bool, at: &Path, errors: &mut Vec<FieldError>) {
    match port.name.as_deref().unwrap_or_default() {
        "" if needs_name => errors.push(FieldError::required(at.child("name"), "")),
        "" => {}
        name => dns_label(name, &at.child("name"), errors),
    }
    port_number(port.port, &at.child("port"), errors);
    let protocol = port.protocol.as_deref().unwrap_or_default();
    one_of(protocol, &["SCTP", "TCP", "UDP"], &at.child("protocol"), errors);
}
