//! The rules of Nodes.
//!
//! Models `pkg/registry/core/node/strategy.go` and `ValidateNode`.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Node, Taint};

use super::{
    Strategy, StrategyCx,
    metadata::{label_value_error, qualified_name_error},
    pod::resources,
};
use crate::api::{
    FieldError, Path,
    gofmt::quote,
    quantity::{Amount, canonicalize},
};

const EFFECTS: &[&str] = &["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// See the module.
pub struct Nodes;

impl Strategy for Nodes {
    type Object = Node;

    fn defaults(&self, node: &mut Node) {
        let spec = node.spec.get_or_insert_default();
        if spec.unschedulable == Some(false) {
            spec.unschedulable = None;
        }
        if spec.taints.as_ref().is_some_and(Vec::is_empty) {
            spec.taints = None;
        }
        if let Some(status) = &mut node.status {
            canonicalize(&mut status.capacity);
            canonicalize(&mut status.allocatable);
            if status.allocatable.is_none() {
                status.allocatable.clone_from(&status.capacity);
            }
        }
    }

    fn prepare_update(&self, _: &StrategyCx, new: &mut Node, old: &Node) {
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(&self, new: &mut Node, old: &Node) {
        new.spec.clone_from(&old.spec);
        if let Some(status) = &mut new.status {
            canonicalize(&mut status.capacity);
            canonicalize(&mut status.allocatable);
        }
    }

    fn validate(&self, _: &StrategyCx, node: &Node) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if let Some(spec) = &node.spec {
            let taints = spec.taints.as_deref().unwrap_or_default();
            // Upstream looks for them in the wrong place.
            check_taints(taints, &Path::new("metadata.taints"), &mut errors);
            let at = Path::new("spec.podCIDRs");
            for (i, text) in spec.pod_cidrs.iter().flatten().enumerate() {
                if !is_cidr(text) {
                    let why = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
                    errors.push(FieldError::invalid_str(at.index(i), text, why));
                }
            }
        }
        errors
    }

    fn validate_update(&self, _: &StrategyCx, new: &Node, old: &Node) -> Vec<FieldError> {
        let (Some(new), Some(old)) = (&new.spec, &old.spec) else { return Vec::new() };
        let mut errors = Vec::new();
        if old.pod_cidrs.as_ref().is_some_and(|c| !c.is_empty()) && new.pod_cidrs != old.pod_cidrs {
            let why = "node updates may not change podCIDR except from \"\" to valid";
            errors.push(FieldError::forbidden("spec.podCIDRs", why));
        }
        let provider = old.provider_id.as_deref().is_some_and(|p| !p.is_empty());
        if provider && new.provider_id != old.provider_id {
            let why = "node updates may not change providerID except from \"\" to valid";
            errors.push(FieldError::forbidden("spec.providerID", why));
        }
        errors
    }

    fn validate_status(&self, new: &Node, _: &Node) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let Some(status) = &new.status else { return errors };
        let at = Path::new("status.addresses");
        let mut seen = BTreeSet::new();
        for (i, address) in status.addresses.iter().flatten().enumerate() {
            if !seen.insert((&address.type_, &address.address)) {
                let (kind, own) = (quote(&address.type_), quote(&address.address));
                let shown = format!("{{\"Type\":{kind},\"Address\":{own}}}");
                errors.push(FieldError::duplicate(at.index(i), shown));
            }
        }
        for (field, list) in
            [("status.capacity", &status.capacity), ("status.allocatable", &status.allocatable)]
        {
            let at = Path::new(field);
            for (name, amount) in list.iter().flatten() {
                resources::value(name, Amount::of(amount), &at.key(name), &mut errors);
            }
        }
        errors
    }

    fn warnings(&self, node: &Node, _: Option<&Node>) -> Vec<String> {
        let mut out = Vec::new();
        let Some(spec) = &node.spec else { return out };
        if spec.config_source.is_some() {
            out.push("spec.configSource: the feature is no longer supported".into());
        }
        if spec.external_id.as_deref().is_some_and(|id| !id.is_empty()) {
            let why = "this field is deprecated, and is unused by Kubernetes";
            out.push(format!("spec.externalID: {why}"));
        }
        out
    }

    fn field(&self, node: &Node, path: &str) -> Option<String> {
        let off = node.spec.as_ref().is_some_and(|s| s.unschedulable == Some(true));
        (path == "spec.unschedulable").then(|| off.to_string())
    }
}

fn is_cidr(text: &str) -> bool {
    let parts = text.split_once('/').and_then(|(address, bits)| {
        Some((address.parse::<std::net::IpAddr>().ok()?, bits.parse::<u8>().ok()?))
    });
    parts.is_some_and(|(address, bits)| bits <= if address.is_ipv4() { 32 } else { 128 })
}

fn check_taints(taints: &[Taint], at: &Path, errors: &mut Vec<FieldError>) {
    let mut seen = BTreeSet::new();
    for (i, taint) in taints.iter().enumerate() {
        let at = at.index(i);
        if let Some(why) = qualified_name_error(&taint.key) {
            errors.push(FieldError::invalid_str(at.child("key"), &taint.key, &why));
        }
        let value = taint.value.as_deref().unwrap_or_default();
        if let Some(why) = label_value_error(value) {
            errors.push(FieldError::invalid_str(at.child("value"), value, &why));
        }
        if taint.effect.is_empty() {
            errors.push(FieldError::required(at.child("effect"), ""));
        } else if !EFFECTS.contains(&taint.effect.as_str()) {
            errors.push(FieldError::not_supported(at.child("effect"), &taint.effect, EFFECTS));
        }
        if !seen.insert((&taint.key, &taint.effect)) {
            let value = format!(
                "{{\"Key\":{:?},\"Value\":{value:?},\"Effect\":{:?},\"TimeAdded\":null}}",
                taint.key, taint.effect
            );
            errors.push(FieldError::duplicate_because(
                at,
                value,
                "taints must be unique by key and effect pair",
            ));
        }
    }
}
