//! What is allowed in pods and templates, but probably not meant.
//!
//! Models `pkg/api/pod/warnings.go`.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::{
    api::core::v1::{Container, PodSpec, PodTemplateSpec},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use crate::api::{Path, quantity::Amount};

/// Labels of nodes that have newer names.
const OLD_LABELS: &[(&str, &str)] = &[
    ("beta.kubernetes.io/arch", "deprecated since v1.14; use \"kubernetes.io/arch\" instead"),
    ("beta.kubernetes.io/os", "deprecated since v1.14; use \"kubernetes.io/os\" instead"),
    (
        "failure-domain.beta.kubernetes.io/region",
        "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead",
    ),
    (
        "failure-domain.beta.kubernetes.io/zone",
        "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead",
    ),
];

/// Of a template at `at`.
pub fn template_warnings(template: &PodTemplateSpec, at: &Path) -> Vec<String> {
    let none = ObjectMeta::default();
    let meta = template.metadata.as_ref().unwrap_or(&none);
    template.spec.as_ref().map(|s| of_spec(s, meta, &at.child("spec"))).unwrap_or_default()
}

/// Of a spec at `at`.
pub fn of_spec(spec: &PodSpec, _: &ObjectMeta, at: &Path) -> Vec<String> {
    let mut warnings = Vec::new();
    let selector = at.child("nodeSelector");
    for (label, why) in OLD_LABELS {
        if spec.node_selector.as_ref().is_some_and(|s| s.contains_key(*label)) {
            warnings.push(format!("{}: {why}", selector.key(label)));
        }
    }
    if spec.termination_grace_period_seconds.is_some_and(|s| s < 0) {
        warnings.push(format!(
            "{}: must be >= 0; negative values are invalid and will be treated as 1",
            at.child("terminationGracePeriodSeconds")
        ));
    }
    let init = at.child("initContainers");
    for (i, c) in spec.init_containers.iter().flatten().enumerate() {
        container(c, &init.index(i), &mut warnings);
    }
    let containers = at.child("containers");
    for (i, c) in spec.containers.iter().enumerate() {
        container(c, &containers.index(i), &mut warnings);
    }
    warnings
}

fn container(c: &Container, at: &Path, warnings: &mut Vec<String>) {
    if let Some(resources) = &c.resources {
        let at = at.child("resources");
        for (field, list) in [("limits", &resources.limits), ("requests", &resources.requests)] {
            for name in ["memory", "ephemeral-storage"] {
                let Some(quantity) = list.as_ref().and_then(|l| l.get(name)) else { continue };
                let amount = Amount::of(quantity);
                if !amount.is_whole() {
                    warnings.push(format!(
                        "{}: fractional byte value \"{amount}\" is invalid, must be an integer",
                        at.child(field).key(name)
                    ));
                }
            }
        }
    }
    let mut seen = BTreeMap::new();
    let env = at.child("env");
    for (i, var) in c.env.iter().flatten().enumerate() {
        if seen.insert(var.name.as_str(), i).is_some() {
            warnings.push(format!(
                "{}: hides previous definition of \"{}\", which may be dropped when using apply",
                env.index(i),
                var.name
            ));
        }
    }
    let mut ports = BTreeSet::new();
    let at = at.child("ports");
    for (i, port) in c.ports.iter().flatten().enumerate() {
        let key = (port.container_port, port.protocol.as_deref(), port.host_port);
        if !ports.insert(key) {
            warnings.push(format!(
                "{}: duplicate port definition with {}",
                at.index(i),
                at.index(
                    c.ports
                        .iter()
                        .flatten()
                        .position(|p| {
                            (p.container_port, p.protocol.as_deref(), p.host_port) == key
                        })
                        .unwrap_or(i)
                )
            ));
        }
    }
}
