//! The table of nodes.
//!
//! Models `printNode`.

use k8s_openapi::api::core::v1::{Node, NodeStatus};

use super::{Printer, age, col, or_none, wide};

/// See the module.
pub const NODE: Printer = Printer {
    columns: &[
        col("Name"),
        col("Status"),
        col("Roles"),
        col("Age"),
        col("Version"),
        wide("Internal-IP"),
        wide("External-IP"),
        wide("OS-Image"),
        wide("Kernel-Version"),
        wide("Container-Runtime"),
    ],
    row: |cx, object| {
        let Some(node) = object.downcast::<Node>() else { return Vec::new() };
        let none = NodeStatus::default();
        let status = node.status.as_ref().unwrap_or(&none);
        let info = status.node_info.clone().unwrap_or_default();
        let unknown = |text: String| if text.is_empty() { "<unknown>".into() } else { text };
        vec![
            object.name().to_string(),
            state(node),
            or_none(roles(node).join(",")),
            age(cx, object),
            info.kubelet_version,
            address(status, "InternalIP"),
            address(status, "ExternalIP"),
            unknown(info.os_image),
            unknown(info.kernel_version),
            unknown(info.container_runtime_version),
        ]
    },
};

fn state(node: &Node) -> String {
    let conditions = node.status.as_ref().and_then(|s| s.conditions.as_deref()).unwrap_or_default();
    let ready = conditions.iter().find(|c| c.type_ == "Ready");
    let mut text = match ready.map(|c| c.status.as_str()) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }
    .to_string();
    if node.spec.as_ref().is_some_and(|s| s.unschedulable == Some(true)) {
        text += ",SchedulingDisabled";
    }
    text
}

/// A node's roles, from its labels.
pub fn roles(node: &Node) -> Vec<String> {
    const PREFIX: &str = "node-role.kubernetes.io/";
    let mut roles: Vec<_> = node
        .metadata
        .labels
        .iter()
        .flatten()
        .filter_map(|(key, value)| {
            let role = key.strip_prefix(PREFIX).or((key == "kubernetes.io/role").then_some(value));
            role.filter(|r| !r.is_empty()).map(str::to_string)
        })
        .collect();
    roles.sort();
    roles.dedup();
    roles
}

fn address(status: &NodeStatus, kind: &str) -> String {
    let found = status.addresses.iter().flatten().find(|a| a.type_ == kind);
    or_none(found.map(|a| a.address.clone()).unwrap_or_default())
}
