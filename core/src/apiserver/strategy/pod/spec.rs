//! What is wrong with a pod's spec, also as part of a template.
//!
//! Models `ValidatePodSpec` and `ValidatePodTemplateSpec`.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, PodSpec, PodTemplateSpec, ResourceRequirements};

use super::{
    containers::{self, Known, dns_label, one_of, quoted},
    placement, resources, security, volumes,
};
use crate::{
    api::{FieldError, Path},
    apiserver::strategy::{
        NameRule,
        metadata::{label_errors, name_error, qualified_name_error},
    },
};

/// Shows every container, in upstream's order (`VisitContainersWithPath`).
pub fn containers_of(spec: &PodSpec, at: &Path, see: &mut dyn FnMut(&Container, &Path)) {
    let lists = [
        ("initContainers", spec.init_containers.as_deref()),
        ("containers", Some(&*spec.containers)),
    ];
    for (field, list) in lists {
        let at = at.child(field);
        for (i, container) in list.into_iter().flatten().enumerate() {
            see(container, &at.index(i));
        }
    }
}

/// A spec, in the order in which the real server tells. `is_pod`: and not a template's.
pub fn check(spec: &PodSpec, is_pod: bool, at: &Path, errors: &mut Vec<FieldError>) {
    let volumes =
        volumes::check(spec.volumes.as_deref().unwrap_or_default(), &at.child("volumes"), errors);
    let text = |o: &Option<String>| o.clone().unwrap_or_default();
    let restart = text(&spec.restart_policy);
    let known = Known {
        volumes: &volumes,
        grace: spec.termination_grace_period_seconds,
        host_users: spec.host_users != Some(false),
        restart: &restart,
    };
    let init = spec.init_containers.as_deref().unwrap_or_default();
    errors.extend(containers::check(&spec.containers, init, &known, at));
    security::host_network(spec, is_pod, at, errors);
    one_of(&restart, &["Always", "OnFailure", "Never"], &at.child("restartPolicy"), errors);
    let policy = spec.dns_policy.as_deref().unwrap_or_default();
    let policies = &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    one_of(policy, policies, &at.child("dnsPolicy"), errors);
    let selector_at = String::from(at.child("nodeSelector"));
    for (key, value) in spec.node_selector.iter().flatten() {
        errors.extend(label_errors(&selector_at, key, value));
    }
    security::of_pod(spec, &at.child("securityContext"), errors);
    if let Some(affinity) = &spec.affinity {
        placement::affinity(affinity, &at.child("affinity"), errors);
    }
    dns_config(spec, policy, &at.child("dnsConfig"), errors);
    gates(spec, at, errors);
    let spread = spec.topology_spread_constraints.as_deref().unwrap_or_default();
    placement::spread(spread, &at.child("topologySpreadConstraints"), errors);
    security::host_users(spec, at, errors);
    names(spec, at, errors);
    if let Some(policy) = spec.preemption_policy.as_deref() {
        let known = &["PreemptLowerPriority", "Never"];
        one_of(policy, known, &at.child("preemptionPolicy"), errors);
    }
    if let Some(overhead) = &spec.overhead {
        let wanted = ResourceRequirements { limits: Some(overhead.clone()), ..Default::default() };
        resources::check(&wanted, &at.child("overhead"), errors);
    }
    security::os(spec, at, errors);
}

/// Readiness gates and scheduling gates.
fn gates(spec: &PodSpec, at: &Path, errors: &mut Vec<FieldError>) {
    let gates_at = at.child("readinessGates");
    for (i, gate) in spec.readiness_gates.iter().flatten().enumerate() {
        if let Some(why) = qualified_name_error(&gate.condition_type) {
            let at = gates_at.index(i);
            let at = at.child("conditionType");
            errors.push(FieldError::invalid_str(at, &gate.condition_type, &why));
        }
    }
    let gates_at = at.child("schedulingGates");
    let mut seen = BTreeSet::new();
    for (i, gate) in spec.scheduling_gates.iter().flatten().enumerate() {
        let at = gates_at.index(i);
        if let Some(why) = qualified_name_error(&gate.name) {
            errors.push(FieldError::invalid_str(at, &gate.name, &why));
        }
        if !seen.insert(gate.name.as_str()) {
            errors.push(FieldError::duplicate(at, quoted(&gate.name)));
        }
    }
}

/// Names of other objects, of the pod's host, and what stands between them.
fn names(spec: &PodSpec, at: &Path, errors: &mut Vec<FieldError>) {
    let text = |o: &Option<String>| o.clone().unwrap_or_default();
    let name = |field: &str, value: &Option<String>, errors: &mut Vec<FieldError>| {
        let Some(value) = value.as_deref().filter(|v| !v.is_empty()) else { return };
        if let Some(why) = name_error(NameRule::Subdomain, value) {
            errors.push(FieldError::invalid_str(at.child(field), value, &why));
        }
    };
    name("serviceAccountName", &spec.service_account_name, errors);
    name("nodeName", &spec.node_name, errors);
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
        let at = aliases_at.index(i);
        ip(&alias.ip, &at.child("ip"), errors);
        let names_at = at.child("hostnames");
        for (i, host) in alias.hostnames.iter().flatten().enumerate() {
            if let Some(why) = name_error(NameRule::Subdomain, host) {
                errors.push(FieldError::invalid_str(names_at.index(i), host, &why));
            }
        }
    }
    name("priorityClassName", &spec.priority_class_name, errors);
    name("runtimeClassName", &spec.runtime_class_name, errors);
}

/// An address.
pub fn ip(text: &str, at: &Path, errors: &mut Vec<FieldError>) {
    if text.parse::<std::net::IpAddr>().is_err() {
        let why = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
        errors.push(FieldError::invalid_str(at, text, why));
    }
}

/// `activeDeadlineSeconds`.
pub fn deadline(seconds: i64, at: &Path, errors: &mut Vec<FieldError>) {
    if !(1..=i64::from(i32::MAX)).contains(&seconds) {
        let why = "must be between 1 and 2147483647, inclusive";
        errors.push(FieldError::invalid(at, seconds, why));
    }
}

/// Models `validatePodDNSConfig`.
fn dns_config(spec: &PodSpec, policy: &str, at: &Path, errors: &mut Vec<FieldError>) {
    const MOST_SERVERS: usize = 3;
    const MOST_SEARCHES: usize = 32;
    const LONGEST_SEARCH: usize = 2_048;
    let servers = spec.dns_config.as_ref().and_then(|c| c.nameservers.as_deref());
    let servers = servers.unwrap_or_default();
    let servers_at = at.child("nameservers");
    let Some(config) = &spec.dns_config else {
        if policy == "None" {
            let why = "must provide `dnsConfig` when `dnsPolicy` is None";
            errors.push(FieldError::required(at, why));
        }
        return;
    };
    if policy == "None" && servers.is_empty() {
        let why = "must provide at least one DNS nameserver when `dnsPolicy` is None";
        errors.push(FieldError::required(servers_at, why));
        return;
    }
    let shown = |list: &[String]| serde_json::Value::from(list.to_vec()).to_string();
    if servers.len() > MOST_SERVERS {
        let why = format!("must not have more than {MOST_SERVERS} nameservers");
        errors.push(FieldError::invalid(servers_at, shown(servers), &why));
    }
    for (i, server) in servers.iter().enumerate() {
        ip(server, &servers_at.index(i), errors);
    }
    let searches = config.searches.as_deref().unwrap_or_default();
    let searches_at = at.child("searches");
    if searches.len() > MOST_SEARCHES {
        let why = format!("must not have more than {MOST_SEARCHES} search paths");
        errors.push(FieldError::invalid(searches_at, shown(searches), &why));
    }
    if searches.join(" ").len() > LONGEST_SEARCH {
        let why = format!(
            "must not have more than {LONGEST_SEARCH} characters (including spaces) in the search \
             list"
        );
        errors.push(FieldError::invalid(searches_at, shown(searches), &why));
    }
    for (i, search) in searches.iter().enumerate().filter(|(_, search)| *search != ".") {
        let search = search.strip_suffix('.').unwrap_or(search);
        if let Some(why) = underscored_error(search) {
            errors.push(FieldError::invalid_str(searches_at.index(i), search, why));
        }
    }
    let options_at = at.child("options");
    for (i, option) in config.options.iter().flatten().enumerate() {
        if option.name.as_deref().is_none_or(str::is_empty) {
            errors.push(FieldError::required(options_at.index(i), "must not be empty"));
        }
    }
}

/// Why a domain of a search list is none (`IsDNS1123SubdomainWithUnderscore`).
fn underscored_error(name: &str) -> Option<&'static str> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    let label = |text: &str| {
        let bytes = text.as_bytes();
        bytes.first().copied().is_some_and(plain)
            && bytes.last().copied().is_some_and(plain)
            && bytes.iter().all(|b| plain(*b) || *b == b'-')
    };
    if name.len() > 253 {
        return Some("must be no more than 253 bytes");
    }
    (!name.split('.').all(label)).then_some(
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', \
         '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', \
         regex used for validation is \
         '[_a-z0-9]([-_a-z0-9]*[_a-z0-9])?(\\.[_a-z0-9]([-_a-z0-9]*[_a-z0-9])?)*')",
    )
}

/// A template of pods: its labels, annotations and spec.
pub fn template(template: &PodTemplateSpec, at: &Path, errors: &mut Vec<FieldError>) {
    template_meta(template, at, errors);
    let none = PodSpec::default();
    let spec = template.spec.as_ref().unwrap_or(&none);
    let at = at.child("spec");
    check(spec, false, &at, errors);
    if spec.ephemeral_containers.as_ref().is_some_and(|list| !list.is_empty()) {
        let why = "ephemeral containers not allowed in pod template";
        errors.push(FieldError::forbidden(at.child("ephemeralContainers"), why));
    }
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
