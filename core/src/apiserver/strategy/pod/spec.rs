//! What is wrong with a pod's spec, also as part of a template.
//!
//! Models `ValidatePodSpec` and `ValidatePodTemplateSpec`.

use k8s_openapi::api::core::v1::{PodSpec, PodTemplateSpec};

use super::{
    containers::{self, Known, dns_label, one_of},
    placement, volumes,
};
use crate::{
    api::{FieldError, Path},
    apiserver::strategy::{
        NameRule,
        metadata::{label_errors, name_error, qualified_name_error},
    },
};

/// In the order in which the real server tells.
pub fn check(spec: &PodSpec, at: &Path, errors: &mut Vec<FieldError>) {
    let known =
        volumes::check(spec.volumes.as_deref().unwrap_or_default(), &at.child("volumes"), errors);
    let known = Known { volumes: &known };
    let init = spec.init_containers.as_deref().unwrap_or_default();
    errors.extend(containers::check(&spec.containers, init, &known, at));
    let text = |o: &Option<String>| o.clone().unwrap_or_default();
    let restart = text(&spec.restart_policy);
    one_of(&restart, &["Always", "OnFailure", "Never"], &at.child("restartPolicy"), errors);
    dns(spec, at, errors);
    let selector_at = String::from(at.child("nodeSelector"));
    for (key, value) in spec.node_selector.iter().flatten() {
        errors.extend(label_errors(&selector_at, key, value));
    }
    for (i, secret) in spec.image_pull_secrets.iter().flatten().enumerate() {
        if secret.name.is_empty() {
            let at = at.child("imagePullSecrets");
            let at = at.index(i);
            errors.push(FieldError::required(at.child("name"), ""));
        }
    }
    if let Some(affinity) = &spec.affinity {
        placement::affinity(affinity, &at.child("affinity"), errors);
    }
    let gates_at = at.child("readinessGates");
    for (i, gate) in spec.readiness_gates.iter().flatten().enumerate() {
        if let Some(why) = qualified_name_error(&gate.condition_type) {
            let at = gates_at.index(i);
            let at = at.child("conditionType");
            errors.push(FieldError::invalid_str(at, &gate.condition_type, &why));
        }
    }
    let spread = spec.topology_spread_constraints.as_deref().unwrap_or_default();
    placement::spread(spread, &at.child("topologySpreadConstraints"), errors);
    for (field, value) in [
        ("serviceAccountName", &spec.service_account_name),
        ("nodeName", &spec.node_name),
        ("priorityClassName", &spec.priority_class_name),
        ("runtimeClassName", &spec.runtime_class_name),
    ] {
        let Some(value) = value.as_deref().filter(|v| !v.is_empty()) else { continue };
        if let Some(why) = name_error(NameRule::Subdomain, value) {
            errors.push(FieldError::invalid_str(at.child(field), value, &why));
        }
    }
    if let Some(seconds) = spec.active_deadline_seconds {
        deadline(seconds, &at.child("activeDeadlineSeconds"), errors);
    }
    for (field, value) in [("hostname", &spec.hostname), ("subdomain", &spec.subdomain)] {
        if value.as_deref().is_some_and(|v| !v.is_empty()) {
            dns_label(&text(value), &at.child(field), errors);
        }
    }
    let tolerations = spec.tolerations.as_deref().unwrap_or_default();
    placement::tolerations(tolerations, &at.child("tolerations"), errors);
    let aliases_at = at.child("hostAliases");
    for (i, alias) in spec.host_aliases.iter().flatten().enumerate() {
        if alias.ip.parse::<std::net::IpAddr>().is_err() {
            let at = aliases_at.index(i);
            let why = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
            errors.push(FieldError::invalid_str(at.child("ip"), &alias.ip, why));
        }
    }
    if let Some(policy) = spec.preemption_policy.as_deref() {
        let known = &["PreemptLowerPriority", "Never"];
        one_of(policy, known, &at.child("preemptionPolicy"), errors);
    }
}

/// `activeDeadlineSeconds`.
pub fn deadline(seconds: i64, at: &Path, errors: &mut Vec<FieldError>) {
    if !(1..=i64::from(i32::MAX)).contains(&seconds) {
        let why = "must be between 1 and 2147483647, inclusive";
        errors.push(FieldError::invalid(at, seconds, why));
    }
}

fn dns(spec: &PodSpec, at: &Path, errors: &mut Vec<FieldError>) {
    let policy = spec.dns_policy.as_deref().unwrap_or_default();
    let known = &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    one_of(policy, known, &at.child("dnsPolicy"), errors);
    let servers = spec.dns_config.as_ref().and_then(|c| c.nameservers.as_ref());
    if policy == "None" && servers.is_none_or(Vec::is_empty) {
        let at = at.child("dnsConfig");
        if spec.dns_config.is_none() {
            let why = "must provide `dnsConfig` when `dnsPolicy` is None";
            errors.push(FieldError::required(at, why));
        } else {
            let why = "must provide at least one DNS nameserver when `dnsPolicy` is None";
            errors.push(FieldError::required(at.child("nameservers"), why));
        }
    }
}

/// A template of pods: its labels, annotations and spec.
pub fn template(template: &PodTemplateSpec, at: &Path, errors: &mut Vec<FieldError>) {
    template_meta(template, at, errors);
    let none = PodSpec::default();
    check(template.spec.as_ref().unwrap_or(&none), &at.child("spec"), errors);
}

/// A template's labels and annotations.
pub fn template_meta(template: &PodTemplateSpec, at: &Path, errors: &mut Vec<FieldError>) {
    let meta = template.metadata.as_ref();
    let metadata_at = at.child("metadata");
    let labels_at = String::from(at.child("labels"));
    for (key, value) in meta.iter().flat_map(|m| &m.labels).flatten() {
        errors.extend(label_errors(&labels_at, key, value));
    }
    for (key, _) in meta.iter().flat_map(|m| &m.annotations).flatten() {
        if let Some(why) = qualified_name_error(&key.to_ascii_lowercase()) {
            errors.push(FieldError::invalid_str(metadata_at.child("annotations"), key, &why));
        }
    }
}
