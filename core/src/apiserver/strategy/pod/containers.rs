//! What is wrong with containers: names, images, ports, environment, mounts, resources.
//!
//! Models `validateContainers` of `pkg/apis/core/validation/validation.go`.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{
    Container, ContainerPort, EnvFromSource, EnvVar, EnvVarSource, ObjectFieldSelector,
    ResourceRequirements, Volume, VolumeDevice, VolumeMount,
};

use super::{probes, resources, security};
use crate::{
    api::{FieldError, Path},
    apiserver::strategy::{
        NameRule,
        metadata::{name_error, qualified_name_error},
    },
};

/// Fields that a variable of the environment can take its value from.
const ENV_FIELDS: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
/// Fields that the downward API knows at all.
const DOWNWARD_FIELDS: &[&str] = &[
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.serviceAccountName",
    "spec.schedulerName",
    "status.phase",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

/// What a pod's containers may refer to.
pub struct Known<'a> {
    /// The pod's valid volumes, by name.
    pub volumes: &'a BTreeMap<&'a str, &'a Volume>,
    /// How long the pod has to end.
    pub grace: Option<i64>,
    /// Whether it has the host's users.
    pub host_users: bool,
    /// When its containers are started again.
    pub restart: &'a str,
}

/// All of a pod's containers and init containers.
pub fn check<'a>(
    containers: &'a [Container],
    init: &'a [Container],
    known: &Known,
    path: &Path,
) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let at = path.child("containers");
    if containers.is_empty() {
        errors.push(FieldError::required(at, ""));
    }
    let mut names = BTreeSet::new();
    for (i, c) in containers.iter().enumerate() {
        let at = at.index(i);
        container(c, known, &at, &mut errors);
        if !names.insert(c.name.as_str()) {
            errors.push(FieldError::duplicate(at.child("name"), quoted(&c.name)));
        }
        probes::check(c, known.grace, &at, &mut errors);
    }
    // Only then: ports that two containers want.
    let mut host_ports = BTreeSet::new();
    for (i, c) in containers.iter().enumerate() {
        host_port_conflicts(c, &at.index(i), &mut host_ports, &mut errors);
    }
    let at = path.child("initContainers");
    for (i, c) in init.iter().enumerate() {
        let place = at.index(i);
        container(c, known, &place, &mut errors);
        init_restart(c, &place, &mut errors);
        if !names.insert(c.name.as_str()) && !c.name.is_empty() {
            errors.push(FieldError::duplicate(place.child("name"), quoted(&c.name)));
        }
        // Upstream calls each of them the first.
        host_port_conflicts(c, &at.index(0), &mut BTreeSet::new(), &mut errors);
        init_container(c, known, &place, &mut errors);
    }
    errors
}

fn init_restart(c: &Container, at: &Path, errors: &mut Vec<FieldError>) {
    let known = &["Always", "OnFailure", "Never"];
    if let Some(policy) = c.restart_policy.as_deref().filter(|p| !known.contains(p)) {
        errors.push(FieldError::not_supported(at.child("restartPolicy"), policy, known));
    }
}

fn init_container(c: &Container, known: &Known, at: &Path, errors: &mut Vec<FieldError>) {
    if c.restart_policy.as_deref() == Some("Always") {
        return probes::check(c, known.grace, at, errors);
    }
    for (field, set) in [
        ("lifecycle", c.lifecycle.is_some()),
        ("livenessProbe", c.liveness_probe.is_some()),
        ("readinessProbe", c.readiness_probe.is_some()),
        ("startupProbe", c.startup_probe.is_some()),
    ] {
        if set {
            let why = "may not be set for init containers without restartPolicy=Always";
            errors.push(FieldError::forbidden(at.child(field), why));
        }
    }
}

/// As Go quotes it.
pub fn quoted(text: &str) -> String {
    format!("{text:?}")
}

fn container(c: &Container, known: &Known, at: &Path, errors: &mut Vec<FieldError>) {
    dns_label(&c.name, &at.child("name"), errors);
    let image = c.image.as_deref().unwrap_or_default();
    if image.is_empty() {
        errors.push(FieldError::required(at.child("image"), ""));
    }
    let policy = c.termination_message_policy.as_deref().unwrap_or_default();
    one_of(
        policy,
        &["File", "FallbackToLogsOnError"],
        &at.child("terminationMessagePolicy"),
        errors,
    );
    ports(c.ports.as_deref().unwrap_or_default(), &at.child("ports"), errors);
    env(c.env.as_deref().unwrap_or_default(), &at.child("env"), errors);
    env_from(c.env_from.as_deref().unwrap_or_default(), &at.child("envFrom"), errors);
    mounts(c, known, &at.child("volumeMounts"), errors);
    devices(c, known, &at.child("volumeDevices"), errors);
    let pull = c.image_pull_policy.as_deref().unwrap_or_default();
    one_of(pull, &["Always", "IfNotPresent", "Never"], &at.child("imagePullPolicy"), errors);
    let none = ResourceRequirements::default();
    let wanted = c.resources.as_ref().unwrap_or(&none);
    resources::check(wanted, &at.child("resources"), errors);
    resize_policy(c, known, &at.child("resizePolicy"), errors);
    let context = c.security_context.as_ref();
    security::of_container(context, known.host_users, &at.child("securityContext"), errors);
}

/// Models `validateResizePolicy`.
fn resize_policy(c: &Container, known: &Known, at: &Path, errors: &mut Vec<FieldError>) {
    let mut seen = BTreeSet::new();
    for (i, policy) in c.resize_policy.iter().flatten().enumerate() {
        if !seen.insert(policy.resource_name.as_str()) {
            errors.push(FieldError::duplicate(at.index(i), quoted(&policy.resource_name)));
        }
        one_of(&policy.resource_name, &["cpu", "memory"], at, errors);
        let restart = policy.restart_policy.as_str();
        one_of(restart, &["NotRequired", "RestartContainer"], at, errors);
        if known.restart == "Never" && restart != "NotRequired" {
            let why = "must be 'NotRequired' when `restartPolicy` is 'Never'";
            errors.push(FieldError::invalid_str(at, restart, why));
        }
    }
}

/// A value that must be one of a few.
pub fn one_of(value: &str, known: &[&str], at: &Path, errors: &mut Vec<FieldError>) {
    if value.is_empty() {
        errors.push(FieldError::required(at, ""));
    } else if !known.contains(&value) {
        errors.push(FieldError::not_supported(at, value, known));
    }
}

/// A name that must be there and be an RFC 1123 label.
pub fn dns_label(name: &str, at: &Path, errors: &mut Vec<FieldError>) {
    if name.is_empty() {
        errors.push(FieldError::required(at, ""));
    } else if let Some(why) = name_error(NameRule::Label, name) {
        errors.push(FieldError::invalid_str(at, name, &why));
    }
}

/// Why a name is no domain in small letters.
pub fn lower_subdomain_error(name: &str) -> Option<String> {
    name_error(NameRule::Subdomain, &name.to_ascii_lowercase())
}

/// A port's number.
pub fn port_number(port: i32, at: &Path, errors: &mut Vec<FieldError>) {
    if !(1..=65535).contains(&port) {
        errors.push(FieldError::invalid(at, port, "must be between 1 and 65535, inclusive"));
    }
}

/// Why a port's name is none (`IsValidPortName`).
pub fn port_name_errors(name: &str) -> Vec<&'static str> {
    let mut why = Vec::new();
    if name.len() > 15 {
        why.push("must be no more than 15 characters");
    }
    if !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
        why.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
    }
    if !name.bytes().any(|b| b.is_ascii_lowercase()) {
        why.push("must contain at least one letter (a-z)");
    }
    if name.contains("--") {
        why.push("must not contain consecutive hyphens");
    }
    if name.starts_with('-') || name.ends_with('-') {
        why.push("must not begin or end with a hyphen");
    }
    why
}

fn ports(ports: &[ContainerPort], at: &Path, errors: &mut Vec<FieldError>) {
    let mut names = BTreeSet::new();
    for (i, port) in ports.iter().enumerate() {
        let at = at.index(i);
        if let Some(name) = port.name.as_deref().filter(|n| !n.is_empty()) {
            let wrong = port_name_errors(name);
            if wrong.is_empty() && !names.insert(name) {
                errors.push(FieldError::duplicate(at.child("name"), quoted(name)));
            }
            for why in wrong {
                errors.push(FieldError::invalid_str(at.child("name"), name, why));
            }
        }
        if port.container_port == 0 {
            errors.push(FieldError::required(at.child("containerPort"), ""));
        } else {
            port_number(port.container_port, &at.child("containerPort"), errors);
        }
        if let Some(host) = port.host_port.filter(|p| *p != 0) {
            port_number(host, &at.child("hostPort"), errors);
        }
        let protocol = port.protocol.as_deref().unwrap_or_default();
        one_of(protocol, &["SCTP", "TCP", "UDP"], &at.child("protocol"), errors);
    }
}

fn host_port_conflicts(
    c: &Container,
    at: &Path,
    taken: &mut BTreeSet<String>,
    errors: &mut Vec<FieldError>,
) {
    for (i, port) in c.ports.iter().flatten().enumerate() {
        let Some(host) = port.host_port.filter(|p| *p != 0) else { continue };
        let protocol = port.protocol.as_deref().unwrap_or_default();
        let key = format!("{protocol}/{}/{host}", port.host_ip.as_deref().unwrap_or_default());
        if taken.contains(&key) {
            let at = at.child("ports");
            let at = at.index(i);
            errors.push(FieldError::duplicate(at.child("hostPort"), quoted(&key)));
        }
        taken.insert(key);
    }
}

fn env(vars: &[EnvVar], at: &Path, errors: &mut Vec<FieldError>) {
    for (i, var) in vars.iter().enumerate() {
        let at = at.index(i);
        if var.name.is_empty() {
            errors.push(FieldError::required(at.child("name"), ""));
        } else if let Some(why) = env_name_error(&var.name) {
            errors.push(FieldError::invalid_str(at.child("name"), &var.name, why));
        }
        if let Some(from) = &var.value_from {
            env_value_from(var, from, &at.child("valueFrom"), errors);
        }
    }
}

/// Why a name of the environment is none.
pub fn env_name_error(name: &str) -> Option<&'static str> {
    let bad = name.chars().any(|c| !(' '..='~').contains(&c) || c == '=');
    bad.then_some(
        "a valid environment variable name must consist only of printable ASCII characters other \
         than '='",
    )
}

fn env_value_from(var: &EnvVar, from: &EnvVarSource, at: &Path, errors: &mut Vec<FieldError>) {
    let mut sources = 0;
    if let Some(field) = &from.field_ref {
        sources += 1;
        field_ref(field, ENV_FIELDS, true, &at.child("fieldRef"), errors);
    }
    if let Some(resource) = &from.resource_field_ref {
        sources += 1;
        resources::field_ref(resource, &at.child("resourceFieldRef"), errors);
    }
    let keys = [
        ("configMapKeyRef", from.config_map_key_ref.as_ref().map(|r| (&r.name, &r.key))),
        ("secretKeyRef", from.secret_key_ref.as_ref().map(|r| (&r.name, &r.key))),
    ];
    for (field, key_ref) in keys {
        let Some((name, key)) = key_ref else { continue };
        sources += 1;
        let at = at.child(field);
        if let Some(why) = name_error(NameRule::Subdomain, name) {
            errors.push(FieldError::invalid_str(at.child("name"), name, &why));
        }
        if key.is_empty() {
            errors.push(FieldError::required(at.child("key"), ""));
        } else if let Some(why) = config_key_error(key) {
            errors.push(FieldError::invalid_str(at.child("key"), key, &why));
        }
    }
    sources += usize::from(from.file_key_ref.is_some());
    let why = if sources == 0 {
        "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or \
         `fileKeyRef`"
    } else if var.value.as_deref().is_some_and(|v| !v.is_empty()) {
        "may not be specified when `value` is not empty"
    } else if sources > 1 {
        "may not have more than one field specified at a time"
    } else {
        return;
    };
    errors.push(FieldError::invalid_str(at, "", why));
}

/// A reference to a field of the pod. `subscripts`: labels and annotations by key are known too.
pub fn field_ref(
    field: &ObjectFieldSelector,
    known: &[&str],
    subscripts: bool,
    at: &Path,
    errors: &mut Vec<FieldError>,
) {
    let path = field.field_path.as_str();
    if path.is_empty() {
        errors.push(FieldError::required(at.child("fieldPath"), ""));
        return;
    }
    if let Some((base, rest)) = path.split_once("['") {
        let is_map = matches!(base, "metadata.labels" | "metadata.annotations");
        if let (true, true, Some(key)) = (subscripts, is_map, rest.strip_suffix("']")) {
            let key = match base {
                "metadata.annotations" => key.to_ascii_lowercase(),
                _ => key.to_owned(),
            };
            if let Some(why) = qualified_name_error(&key) {
                errors.push(FieldError::invalid_str(at, &key, &why));
            }
            return;
        }
        let why =
            format!("error converting fieldPath: field label does not support subscript: {path}");
        errors.push(FieldError::invalid_str(at.child("fieldPath"), path, &why));
    } else if !DOWNWARD_FIELDS.contains(&path) {
        let why = format!("error converting fieldPath: field label not supported: {path}");
        errors.push(FieldError::invalid_str(at.child("fieldPath"), path, &why));
    } else if !known.contains(&path) {
        errors.push(FieldError::not_supported(at.child("fieldPath"), path, known));
    }
}

fn env_from(sources: &[EnvFromSource], list_at: &Path, errors: &mut Vec<FieldError>) {
    for (i, source) in sources.iter().enumerate() {
        let at = list_at.index(i);
        if let Some(prefix) = source.prefix.as_deref().filter(|p| !p.is_empty()) {
            if let Some(why) = env_name_error(prefix) {
                errors.push(FieldError::invalid_str(at.child("prefix"), prefix, why));
            }
        }
        let refs = [
            ("configMapRef", source.config_map_ref.as_ref().map(|r| &r.name)),
            ("secretRef", source.secret_ref.as_ref().map(|r| &r.name)),
        ];
        let count = refs.iter().filter(|(_, r)| r.is_some()).count();
        for (field, name) in refs {
            let Some(name) = name else { continue };
            let at = at.child(field);
            if name.is_empty() {
                errors.push(FieldError::required(at.child("name"), ""));
            } else if let Some(why) = name_error(NameRule::Subdomain, name) {
                errors.push(FieldError::invalid_str(at.child("name"), name, &why));
            }
        }
        if count == 0 {
            let why = "must specify one of: `configMapRef` or `secretRef`";
            errors.push(FieldError::invalid_str(list_at, "", why));
        } else if count > 1 {
            let why = "may not have more than one field specified at a time";
            errors.push(FieldError::invalid_str(list_at, "", why));
        }
    }
}

fn mounts(c: &Container, known: &Known, list_at: &Path, errors: &mut Vec<FieldError>) {
    let devices = c.volume_devices.as_deref().unwrap_or_default();
    let mut paths = BTreeSet::new();
    for (i, mount) in c.volume_mounts.iter().flatten().enumerate() {
        let at = list_at.index(i);
        let path = mount.mount_path.as_str();
        if mount.name.is_empty() {
            errors.push(FieldError::required(at.child("name"), ""));
        }
        let volume = known.volumes.get(mount.name.as_str());
        if volume.is_none() {
            errors.push(FieldError::not_found(at.child("name"), &mount.name));
        }
        if path.is_empty() {
            errors.push(FieldError::required(at.child("mountPath"), ""));
        }
        if !paths.insert(path) {
            errors.push(FieldError::invalid_str(at.child("mountPath"), path, "must be unique"));
        }
        if devices.iter().any(|d| d.name == mount.name) {
            let why = "must not already exist in volumeDevices";
            errors.push(FieldError::invalid_str(at.child("name"), &mount.name, why));
        }
        if devices.iter().any(|d| d.device_path == path) {
            let why = "must not already exist as a path in volumeDevices";
            errors.push(FieldError::invalid_str(at.child("mountPath"), path, why));
        }
        // From here on upstream's errors name the list and not the mount.
        let sub = mount.sub_path.as_deref().unwrap_or_default();
        let expr = mount.sub_path_expr.as_deref().unwrap_or_default();
        descending(sub, &list_at.child("subPath"), errors);
        if !sub.is_empty() && !expr.is_empty() {
            let why = "subPathExpr and subPath are mutually exclusive";
            errors.push(FieldError::invalid_str(at.child("subPathExpr"), expr, why));
        }
        descending(expr, &list_at.child("subPathExpr"), errors);
        propagation(c, mount, list_at, errors);
    }
}

fn propagation(c: &Container, mount: &VolumeMount, at: &Path, errors: &mut Vec<FieldError>) {
    let way = mount.mount_propagation.as_deref();
    if let Some(way) = way {
        let at = at.child("mountPropagation");
        let known = &["Bidirectional", "HostToContainer", "None"];
        if !known.contains(&way) {
            errors.push(FieldError::not_supported(at, way, known));
        }
        let privileged = c.security_context.as_ref().and_then(|s| s.privileged) == Some(true);
        if way == "Bidirectional" && !privileged {
            let why = "Bidirectional mount propagation is available only to privileged containers";
            errors.push(FieldError::forbidden(at, why));
        }
    }
    let at = at.child("recursiveReadOnly");
    match mount.recursive_read_only.as_deref() {
        None | Some("Disabled") => {}
        Some("Enabled" | "IfPossible") => {
            if mount.read_only != Some(true) {
                let why = "may only be specified when readOnly is true";
                errors.push(FieldError::forbidden(at, why));
            }
            if way.is_some_and(|way| way != "None") {
                let why = "may only be specified when mountPropagation is None or not specified";
                errors.push(FieldError::forbidden(at, why));
            }
        }
        Some(other) => {
            let known = &["Disabled", "Enabled", "IfPossible"];
            errors.push(FieldError::not_supported(at, other, known));
        }
    }
}

fn devices(c: &Container, known: &Known, at: &Path, errors: &mut Vec<FieldError>) {
    let mounts = c.volume_mounts.as_deref().unwrap_or_default();
    let (mut names, mut paths) = (BTreeSet::new(), BTreeSet::new());
    for (i, device) in c.volume_devices.iter().flatten().enumerate() {
        let at = at.index(i);
        let VolumeDevice { name, device_path: path } = device;
        let volume = known.volumes.get(name.as_str());
        let claim = volume.map(|v| v.persistent_volume_claim.is_some() || v.ephemeral.is_some());
        let mut wrong = |field: &str, value: &str, why: &str| {
            errors.push(FieldError::invalid_str(at.child(field), value, why));
        };
        if names.contains(name.as_str()) {
            wrong("name", name, "must be unique");
        }
        if claim == Some(false) {
            let why = "can only use volume source type of PersistentVolumeClaim or Ephemeral for \
                       block mode";
            wrong("name", name, why);
        }
        if paths.contains(path.as_str()) {
            wrong("devicePath", path, "must be unique");
        }
        if path.split('/').any(|part| part == "..") {
            wrong("devicePath", path, "can not contain backsteps ('..')");
        } else {
            paths.insert(path.as_str());
        }
        if mounts.iter().any(|m| m.name == *name) {
            wrong("name", name, "must not already exist in volumeMounts");
        }
        if mounts.iter().any(|m| m.mount_path == *path) {
            wrong("devicePath", path, "must not already exist as a path in volumeMounts");
        }
        if name.is_empty() {
            errors.push(FieldError::required(at.child("name"), ""));
        } else {
            names.insert(name.as_str());
        }
        if claim.is_none() {
            errors.push(FieldError::not_found(at.child("name"), name));
        }
        if path.is_empty() {
            errors.push(FieldError::required(at.child("devicePath"), ""));
        }
    }
}

/// A path that must not lead out of where it starts.
pub fn descending(path: &str, at: &Path, errors: &mut Vec<FieldError>) {
    if path.starts_with('/') {
        errors.push(FieldError::invalid_str(at, path, "must be a relative path"));
    }
    if path.split('/').any(|part| part == "..") {
        errors.push(FieldError::invalid_str(at, path, "must not contain '..'"));
    }
}

/// Why a key of a config map or secret is none.
pub fn config_key_error(key: &str) -> Option<String> {
    if key.len() > 253 {
        return Some("must be no more than 253 bytes".into());
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if key.is_empty() || !key.bytes().all(plain) {
        return Some(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. \
             'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is \
             '[-._a-zA-Z0-9]+')"
                .into(),
        );
    }
    match key {
        "." => Some("must not be '.'".into()),
        ".." => Some("must not be '..'".into()),
        _ if key.starts_with("..") => Some("must not start with '..'".into()),
        _ => None,
    }
}
