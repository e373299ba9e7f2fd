//! `--profile`: what containers for debugging may do. Models `cmd/debug/profiles.go`.

use serde_json::{Value, json};

use crate::programs::kubectl::{Error, write::map_at};

/// How something is looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A container more in a pod that runs.
    Ephemeral,
    /// A copy of a pod.
    Copy,
    /// A pod on a node.
    Node,
}

const PROFILES: &[&str] = &["legacy", "general", "baseline", "restricted", "netadmin", "sysadmin"];

/// Errors: there is no such profile.
pub fn known(profile: &str) -> Result<(), Error> {
    match PROFILES.contains(&profile) {
        true => Ok(()),
        false => Err(Error::plain(format!("unknown profile: {profile}"))),
    }
}

fn security(container: &mut Value, field: &str, value: Value) {
    if let Some(map) = map_at(container, &["securityContext"]) {
        map.insert(field.into(), value);
    }
}

fn capability(container: &mut Value, name: &str) {
    if let Some(map) = map_at(container, &["securityContext", "capabilities"]) {
        let list = map.entry("add").or_insert_with(|| json!([]));
        if let Some(list) = list.as_array_mut() {
            list.push(name.into());
        }
    }
}

fn clear(container: &mut Value) {
    if let Some(map) = container.as_object_mut() {
        map.remove("securityContext");
    }
}

/// What a profile makes of the new container.
pub fn container(profile: &str, style: Style, container: &mut Value) {
    match profile {
        "general" if style == Style::Node => clear(container),
        "general" => capability(container, "SYS_PTRACE"),
        "baseline" => clear(container),
        "restricted" => {
            clear(container);
            security(container, "runAsNonRoot", json!(true));
            security(container, "capabilities", json!({"drop": ["ALL"]}));
            security(container, "allowPrivilegeEscalation", json!(false));
            security(container, "seccompProfile", json!({"type": "RuntimeDefault"}));
        }
        "netadmin" => {
            capability(container, "NET_ADMIN");
            capability(container, "NET_RAW");
        }
        "sysadmin" => security(container, "privileged", json!(true)),
        _ => {}
    }
}

/// What a profile makes of a pod on a node: how much of the node it sees.
pub fn node(profile: &str, spec: &mut Value, container: &mut Value) {
    if ["legacy", "general", "netadmin", "sysadmin"].contains(&profile) {
        for field in ["hostNetwork", "hostPID", "hostIPC"] {
            spec[field] = true.into();
        }
    }
    if ["legacy", "general", "sysadmin"].contains(&profile) {
        spec["volumes"] = json!([{"name": "host-root", "hostPath": {"path": "/"}}]);
        container["volumeMounts"] = json!([{"mountPath": "/host", "name": "host-root"}]);
    }
}
