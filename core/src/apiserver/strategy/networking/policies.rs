//! The rules of NetworkPolicies.
//!
//! Models `pkg/apis/networking/validation` (`ValidateNetworkPolicySpec`) and
//! `pkg/apis/networking/v1/defaults.go`.

use std::net::IpAddr;

use k8s_openapi::{
    api::networking::v1::{
        IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
    },
    apimachinery::pkg::util::intstr::IntOrString,
};

use crate::{
    api::{FieldError, Path, object::to_value},
    apiserver::strategy::{
        Strategy, StrategyCx,
        pod::{
            containers::{port_name_errors, port_number},
            defaults::text,
            selectors,
        },
    },
};

/// Rules of NetworkPolicies.
pub struct NetworkPolicies;

impl Strategy for NetworkPolicies {
    type Object = NetworkPolicy;

    fn defaults(&self, policy: &mut NetworkPolicy) {
        let spec = policy.spec.get_or_insert_default();
        spec.pod_selector.get_or_insert_default();
        if spec.policy_types.as_ref().is_none_or(Vec::is_empty) {
            let mut types = vec!["Ingress".to_string()];
            if spec.egress.as_ref().is_some_and(|rules| !rules.is_empty()) {
                types.push("Egress".into());
            }
            spec.policy_types = Some(types);
        }
        let ingress = spec.ingress.iter_mut().flatten().flat_map(|r| &mut r.ports);
        let egress = spec.egress.iter_mut().flatten().flat_map(|r| &mut r.ports);
        for port in ingress.chain(egress).flatten() {
            text(&mut port.protocol, "TCP");
        }
    }

    fn spec_changed(&self, new: &NetworkPolicy, old: &NetworkPolicy) -> Option<bool> {
        Some(new.spec != old.spec)
    }

    fn validate(&self, _: &StrategyCx, policy: &NetworkPolicy) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if let Some(spec) = &policy.spec {
            policy_spec(spec, &Path::new("spec"), &mut errors);
        }
        errors
    }
}

fn policy_spec(spec: &NetworkPolicySpec, at: &Path, errors: &mut Vec<FieldError>) {
    if let Some(selector) = &spec.pod_selector {
        selectors::check(selector, &at.child("podSelector"), errors);
    }
    let rules_at = at.child("ingress");
    for (i, rule) in spec.ingress.iter().flatten().enumerate() {
        let at = rules_at.index(i);
        ports(rule.ports.as_deref(), &at.child("ports"), errors);
        peers(rule.from.as_deref(), &at.child("from"), errors);
    }
    let rules_at = at.child("egress");
    for (i, rule) in spec.egress.iter().flatten().enumerate() {
        let at = rules_at.index(i);
        ports(rule.ports.as_deref(), &at.child("ports"), errors);
        peers(rule.to.as_deref(), &at.child("to"), errors);
    }
    let types = spec.policy_types.as_deref().unwrap_or_default();
    let types_at = at.child("policyTypes");
    if types.len() > 2 {
        let why = "may not specify more than two policyTypes";
        errors.push(FieldError::invalid(types_at, to_value(&types), why));
        return;
    }
    for (i, kind) in types.iter().enumerate() {
        let known = &["Ingress", "Egress"];
        if !known.contains(&kind.as_str()) {
            errors.push(FieldError::not_supported(types_at.index(i), kind, known));
        }
    }
}

fn ports(ports: Option<&[NetworkPolicyPort]>, at: &Path, errors: &mut Vec<FieldError>) {
    for (i, port) in ports.into_iter().flatten().enumerate() {
        let at = at.index(i);
        if let Some(protocol) = port.protocol.as_deref() {
            let known = &["TCP", "UDP", "SCTP"];
            if !known.contains(&protocol) {
                errors.push(FieldError::not_supported(at.child("protocol"), protocol, known));
            }
        }
        match (&port.port, port.end_port) {
            (Some(IntOrString::Int(number)), end) => {
                port_number(*number, &at.child("port"), errors);
                if end.is_some_and(|end| end < *number) {
                    // It is the port that upstream shows.
                    let why = "must be greater than or equal to `port`";
                    errors.push(FieldError::invalid(at.child("endPort"), number, why));
                }
                if let Some(end) = end {
                    port_number(end, &at.child("endPort"), errors);
                }
            }
            (Some(IntOrString::String(name)), end) => {
                if let Some(end) = end {
                    let why = "may not be specified when `port` is non-numeric";
                    errors.push(FieldError::invalid(at.child("endPort"), end, why));
                }
                for why in port_name_errors(name) {
                    errors.push(FieldError::invalid_str(at.child("port"), name, why));
                }
            }
            (None, Some(end)) => {
                let why = "may not be specified when `port` is not specified";
                errors.push(FieldError::invalid(at.child("endPort"), end, why));
            }
            (None, None) => {}
        }
    }
}

fn peers(peers: Option<&[NetworkPolicyPeer]>, at: &Path, errors: &mut Vec<FieldError>) {
    for (i, peer) in peers.into_iter().flatten().enumerate() {
        let at = at.index(i);
        for (field, selector) in
            [("podSelector", &peer.pod_selector), ("namespaceSelector", &peer.namespace_selector)]
        {
            if let Some(selector) = selector {
                selectors::check(selector, &at.child(field), errors);
            }
        }
        let selects = peer.pod_selector.is_some() || peer.namespace_selector.is_some();
        if let Some(block) = &peer.ip_block {
            ip_block(block, &at.child("ipBlock"), errors);
        }
        match &peer.ip_block {
            Some(_) if selects => {
                let why = "may not specify both ipBlock and another peer";
                errors.push(FieldError::forbidden(at, why));
            }
            None if !selects => errors.push(FieldError::required(at, "must specify a peer")),
            _ => {}
        }
    }
}

fn ip_block(block: &IPBlock, at: &Path, errors: &mut Vec<FieldError>) {
    let except_at = at.child("except");
    let except = block.except.iter().flatten().enumerate();
    if block.cidr.is_empty() {
        errors.push(FieldError::required(at.child("cidr"), ""));
        return;
    }
    let why = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
    let Some(whole) = range(&block.cidr) else {
        errors.push(FieldError::invalid_str(at.child("cidr"), &block.cidr, why));
        return;
    };
    for (i, text) in except {
        let at = except_at.index(i);
        match range(text) {
            None => errors.push(FieldError::invalid_str(at, text, why)),
            Some(part) if !strictly_in(part, whole) => {
                let why = "must be a strict subset of `cidr`";
                errors.push(FieldError::invalid_str(at, text, why));
            }
            Some(_) => {}
        }
    }
}

/// An address and how many of its bits count.
fn range(text: &str) -> Option<(IpAddr, u32)> {
    let (address, bits) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let bits: u8 = bits.parse().ok()?;
    (bits <= if address.is_ipv4() { 32 } else { 128 }).then_some((address, bits.into()))
}

/// Whether a range is a part of another one, and smaller.
fn strictly_in((part, part_bits): (IpAddr, u32), (whole, bits): (IpAddr, u32)) -> bool {
    let (a, b, width): (u128, u128, u32) = match (part, whole) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (u32::from(a).into(), u32::from(b).into(), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.into(), b.into(), 128),
        _ => return false,
    };
    part_bits > bits && (a ^ b).checked_shr(width.saturating_sub(bits)).unwrap_or(0) == 0
}
