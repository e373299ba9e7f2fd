//! What is wrong with security contexts, and with what namespaces of the host a pod shares.
//!
//! Models `validatePodSpecSecurityContext`, `ValidateSecurityContext`, `validateHostUsers` and
//! `validatePodHostNetworkDeps`.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{
    AppArmorProfile, Container, PodSecurityContext, PodSpec, SeccompProfile, SecurityContext,
};
use serde_json::{Value, json};

use super::containers::{descending, quoted};
use crate::{
    api::{FieldError, Path, object::to_value},
    apiserver::strategy::pod::spec::containers_of,
};

const ID: &str = "must be between 0 and 2147483647, inclusive";
const PROFILES: &[&str] = &["Localhost", "RuntimeDefault", "Unconfined"];
const SYSCTL: &str = "must have at most 253 characters and match regex \
    ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";
/// The most characters of a profile's path.
const LONGEST_PATH: usize = 4095;

fn id(value: Option<i64>, at: &Path, errors: &mut Vec<FieldError>) {
    if let Some(value) = value.filter(|v| !(0..=i64::from(i32::MAX)).contains(v)) {
        errors.push(FieldError::invalid(at, value, ID));
    }
}

/// A pod's security context.
pub fn of_pod(spec: &PodSpec, at: &Path, errors: &mut Vec<FieldError>) {
    let Some(context) = &spec.security_context else { return };
    id(context.fs_group, &at.child("fsGroup"), errors);
    id(context.run_as_user, &at.child("runAsUser"), errors);
    id(context.run_as_group, &at.child("runAsGroup"), errors);
    let groups = at.child("supplementalGroups");
    for (i, group) in context.supplemental_groups.iter().flatten().enumerate() {
        id(Some(*group), &groups.index(i), errors);
    }
    if spec.share_process_namespace == Some(true) && spec.host_pid == Some(true) {
        let why = "ShareProcessNamespace and HostPID cannot both be enabled";
        errors.push(FieldError::invalid(at.child("shareProcessNamespace"), true, why));
    }
    sysctls(spec, context, &at.child("sysctls"), errors);
    one_of_these(
        &context.fs_group_change_policy,
        &["Always", "OnRootMismatch"],
        at,
        errors,
        "fsGroupChangePolicy",
    );
    seccomp(context.seccomp_profile.as_ref(), &at.child("seccompProfile"), errors);
    app_armor(context.app_armor_profile.as_ref(), &at.child("appArmorProfile"), errors);
    one_of_these(
        &context.supplemental_groups_policy,
        &["Merge", "Strict"],
        at,
        errors,
        "supplementalGroupsPolicy",
    );
    one_of_these(
        &context.se_linux_change_policy,
        &["MountOption", "Recursive"],
        at,
        errors,
        "seLinuxChangePolicy",
    );
}

fn one_of_these(
    value: &Option<String>,
    known: &[&str],
    at: &Path,
    errors: &mut Vec<FieldError>,
    field: &str,
) {
    if let Some(value) = value.as_deref().filter(|v| !known.contains(v)) {
        errors.push(FieldError::not_supported(at.child(field), value, known));
    }
}

fn is_sysctl(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let segment = |text: &str| {
        let bytes = text.as_bytes();
        bytes.first().copied().is_some_and(plain)
            && bytes.last().copied().is_some_and(plain)
            && bytes.iter().all(|b| plain(*b) || matches!(b, b'-' | b'_'))
    };
    name.len() <= 253 && name.split(['.', '/']).all(segment)
}

fn sysctls(spec: &PodSpec, context: &PodSecurityContext, at: &Path, errors: &mut Vec<FieldError>) {
    let mut names = BTreeSet::new();
    for (i, sysctl) in context.sysctls.iter().flatten().enumerate() {
        let at = at.index(i);
        let (at, name) = (at.child("name"), sysctl.name.as_str());
        if name.is_empty() {
            errors.push(FieldError::required(at, ""));
        } else if !is_sysctl(name) {
            errors.push(FieldError::invalid_str(at, name, SYSCTL));
        } else if names.contains(name) {
            errors.push(FieldError::duplicate(at, quoted(name)));
        }
        let plain = name.replace('/', ".");
        let of_ipc = plain.starts_with("kernel.shm")
            || plain.starts_with("kernel.msg")
            || plain.starts_with("fs.mqueue.")
            || plain == "kernel.sem";
        let shared = if plain.starts_with("net.") && spec.host_network == Some(true) {
            Some("hostNetwork")
        } else if of_ipc && spec.host_ipc == Some(true) {
            Some("hostIPC")
        } else {
            None
        };
        if let Some(shared) = shared {
            let why = format!("may not be specified when '{shared}' is true");
            errors.push(FieldError::invalid_str(at, name, &why));
        }
        names.insert(name);
    }
}

fn seccomp(profile: Option<&SeccompProfile>, at: &Path, errors: &mut Vec<FieldError>) {
    let Some(profile) = profile else { return };
    match profile.type_.as_str() {
        "" => {
            let why = "type is required when seccompProfile is set";
            errors.push(FieldError::required(at.child("type"), why));
        }
        kind if !PROFILES.contains(&kind) => {
            errors.push(FieldError::not_supported(at.child("type"), kind, PROFILES));
        }
        _ => {}
    }
    let place = at.child("localhostProfile");
    match (profile.type_.as_str(), &profile.localhost_profile) {
        ("Localhost", None) => {
            let why = "must be set when seccomp type is Localhost";
            errors.push(FieldError::required(place, why));
        }
        ("Localhost", Some(path)) => descending(path, &place, errors),
        (_, Some(path)) => {
            let shown = json!({"Type": profile.type_, "LocalhostProfile": path});
            let shown = format!(
                "{{\"Type\":{},\"LocalhostProfile\":{}}}",
                shown["Type"], shown["LocalhostProfile"]
            );
            let why = "can only be set when seccomp type is Localhost";
            errors.push(FieldError::invalid(place, shown, why));
        }
        (_, None) => {}
    }
}

fn app_armor(profile: Option<&AppArmorProfile>, at: &Path, errors: &mut Vec<FieldError>) {
    let Some(profile) = profile else { return };
    let place = at.child("localhostProfile");
    let own = profile.localhost_profile.as_deref();
    match profile.type_.as_str() {
        "Localhost" => {
            let why = "must be set when AppArmor type is Localhost";
            match own {
                None => errors.push(FieldError::required(place, why)),
                Some(text) if text.trim() != text => {
                    let why = "must not be padded with whitespace";
                    errors.push(FieldError::invalid_str(place, text, why));
                }
                Some("") => errors.push(FieldError::required(place, why)),
                Some(text) if text.len() > LONGEST_PATH => {
                    errors.push(FieldError::too_long(place, LONGEST_PATH));
                }
                Some(_) => {}
            }
        }
        "RuntimeDefault" | "Unconfined" => {
            if let Some(text) = own {
                let why = "can only be set when AppArmor type is Localhost";
                errors.push(FieldError::invalid_str(place, text, why));
            }
        }
        "" => {
            let why = "type is required when appArmorProfile is set";
            errors.push(FieldError::required(at.child("type"), why));
        }
        other => errors.push(FieldError::not_supported(at.child("type"), other, PROFILES)),
    }
}

/// A container's security context.
pub fn of_container(
    context: Option<&SecurityContext>,
    host_users: bool,
    at: &Path,
    errors: &mut Vec<FieldError>,
) {
    let Some(context) = context else { return };
    id(context.run_as_user, &at.child("runAsUser"), errors);
    id(context.run_as_group, &at.child("runAsGroup"), errors);
    if let Some(mount) = context.proc_mount.as_deref() {
        let known = &["Default", "Unmasked"];
        if !known.contains(&mount) {
            errors.push(FieldError::not_supported(at.child("procMount"), mount, known));
        }
        if mount == "Unmasked" && host_users {
            let why = "`hostUsers` must be false to use `Unmasked`";
            errors.push(FieldError::invalid_str(at.child("procMount"), mount, why));
        }
    }
    seccomp(context.seccomp_profile.as_ref(), &at.child("seccompProfile"), errors);
    if context.allow_privilege_escalation == Some(false) {
        if context.privileged == Some(true) {
            let why = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
            errors.push(FieldError::invalid(at, shown(context), why));
        }
        let added = context.capabilities.iter().flat_map(|c| c.add.iter().flatten());
        for _ in added.filter(|c| *c == "CAP_SYS_ADMIN") {
            let why = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` \
                       CAP_SYS_ADMIN";
            errors.push(FieldError::invalid(at, shown(context), why));
        }
    }
    app_armor(context.app_armor_profile.as_ref(), &at.child("appArmorProfile"), errors);
}

/// A security context as Go writes its own type as JSON.
fn shown(context: &SecurityContext) -> String {
    const FIELDS: &[&str] = &[
        "capabilities",
        "privileged",
        "seLinuxOptions",
        "windowsOptions",
        "runAsUser",
        "runAsGroup",
        "runAsNonRoot",
        "readOnlyRootFilesystem",
        "allowPrivilegeEscalation",
        "procMount",
        "seccompProfile",
        "appArmorProfile",
    ];
    let value = to_value(context);
    let fields = FIELDS.iter().map(|field| {
        let name = match *field {
            "seLinuxOptions" => "SELinuxOptions".to_owned(),
            other => capital(other),
        };
        let held = match (*field, value.get(*field)) {
            ("capabilities", Some(own)) => {
                let list = |key: &str| own.get(key).unwrap_or(&Value::Null).to_string();
                format!("{{\"Add\":{},\"Drop\":{}}}", list("add"), list("drop"))
            }
            (_, held) => capitals(held.unwrap_or(&Value::Null)).to_string(),
        };
        format!("\"{name}\":{held}")
    });
    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
}

fn capital(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}

fn capitals(value: &Value) -> Value {
    match value {
        Value::Object(map) => map.iter().map(|(k, v)| (capital(k), capitals(v))).collect(),
        other => other.clone(),
    }
}

/// What a pod with users of its own may not share.
pub fn host_users(spec: &PodSpec, at: &Path, errors: &mut Vec<FieldError>) {
    if spec.host_users != Some(false) {
        return;
    }
    for (field, shared) in
        [("hostNetwork", spec.host_network), ("HostPID", spec.host_pid), ("HostIPC", spec.host_ipc)]
    {
        if shared == Some(true) {
            let why = "when `pod.Spec.HostUsers` is false";
            errors.push(FieldError::forbidden(at.child(field), why));
        }
    }
}

/// Ports of a pod in the host's network are the host's. `is_pod`: and not a template, where they may
/// be left out.
pub fn host_network(spec: &PodSpec, is_pod: bool, at: &Path, errors: &mut Vec<FieldError>) {
    if spec.host_network != Some(true) {
        return;
    }
    let at = at.child("containers");
    for (i, container) in spec.containers.iter().enumerate() {
        let at = at.index(i);
        let at = at.child("ports");
        for (i, port) in container.ports.iter().flatten().enumerate() {
            let host = port.host_port.unwrap_or(0);
            if (is_pod || host != 0) && host != port.container_port {
                let at = at.index(i);
                let why = "must match `containerPort` when `hostNetwork` is true";
                errors.push(FieldError::invalid(at.child("hostPort"), host, why));
            }
        }
    }
}

/// What pods of an operating system can't have.
pub fn os(spec: &PodSpec, at: &Path, errors: &mut Vec<FieldError>) {
    let Some(os) = &spec.os else { return };
    let forbid = |at: Path, why: &str, errors: &mut Vec<FieldError>| {
        errors.push(FieldError::forbidden(at, why));
    };
    let each = |look: &mut dyn FnMut(&SecurityContext, &Path)| {
        containers_of(spec, at, &mut |c: &Container, at| {
            if let Some(context) = &c.security_context {
                look(context, &at.child("securityContext"));
            }
        });
    };
    match os.name.as_str() {
        "" => errors.push(FieldError::required(at.child("os").child("name"), "cannot be empty")),
        "linux" => {
            let why = "windows options cannot be set for a linux pod";
            let own = spec.security_context.as_ref();
            if own.is_some_and(|c| c.windows_options.is_some()) {
                forbid(at.child("securityContext").child("windowsOptions"), why, errors);
            }
            each(&mut |context, at| {
                if context.windows_options.is_some() {
                    forbid(at.child("windowsOptions"), why, errors);
                }
            });
        }
        "windows" => windows(spec, at, errors),
        other => {
            errors.push(FieldError::not_supported(at.child("os"), other, &["linux", "windows"]));
        }
    }
}

fn windows(spec: &PodSpec, at: &Path, errors: &mut Vec<FieldError>) {
    const WHY: &str = "cannot be set for a windows pod";
    const POD: &[&str] = &[
        "appArmorProfile",
        "seLinuxOptions",
        "seccompProfile",
        "fsGroup",
        "fsGroupChangePolicy",
        "sysctls",
        "runAsUser",
        "runAsGroup",
        "supplementalGroups",
        "supplementalGroupsPolicy",
        "seLinuxChangePolicy",
    ];
    const CONTAINER: &[&str] = &[
        "appArmorProfile",
        "seLinuxOptions",
        "seccompProfile",
        "capabilities",
        "readOnlyRootFilesystem",
        "privileged",
        "allowPrivilegeEscalation",
        "procMount",
        "runAsUser",
        "runAsGroup",
    ];
    for (field, set) in [
        ("hostUsers", spec.host_users.is_some()),
        ("hostPID", spec.host_pid == Some(true)),
        ("hostIPC", spec.host_ipc == Some(true)),
        ("shareProcessNamespace", spec.share_process_namespace.is_some()),
    ] {
        if set {
            errors.push(FieldError::forbidden(at.child(field), WHY));
        }
    }
    let look = |value: &Value, fields: &[&str], at: &Path, errors: &mut Vec<FieldError>| {
        for field in fields.iter().filter(|field| value.get(**field).is_some()) {
            errors.push(FieldError::forbidden(at.child(field), WHY));
        }
    };
    if let Some(context) = &spec.security_context {
        look(&to_value(context), POD, &at.child("securityContext"), errors);
    }
    containers_of(spec, at, &mut |c, at| {
        if let Some(context) = &c.security_context {
            look(&to_value(context), CONTAINER, &at.child("securityContext"), errors);
        }
    });
}
