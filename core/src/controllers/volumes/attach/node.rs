//! What nodes say of volumes, and what they are told: `volumesInUse`, `volumesAttached`.
//!
//! Models `pkg/controller/volume/attachdetach/statusupdater`.

use k8s_openapi::api::core::v1::{AttachedVolume, Node, NodeStatus};

use crate::{api::Status, client::Client};

const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

/// The volumes that a node has mounted, or is about to.
pub fn in_use(node: &Node) -> &[String] {
    let status = node.status.as_ref();
    status.and_then(|s| s.volumes_in_use.as_deref()).unwrap_or_default()
}

/// Whether a node has a volume mounted.
pub fn uses(node: &Node, unique: &str) -> bool {
    in_use(node).iter().any(|name| name == unique)
}

/// Whether a node reports that it is well.
pub fn is_ready(node: &Node) -> bool {
    let conditions = node.status.as_ref().and_then(|s| s.conditions.as_deref());
    conditions.unwrap_or_default().iter().any(|c| c.type_ == "Ready" && c.status == "True")
}

/// Whether somebody said that a node will not come back as it was.
pub fn is_out_of_service(node: &Node) -> bool {
    let taints = node.spec.as_ref().and_then(|s| s.taints.as_deref());
    taints.unwrap_or_default().iter().any(|t| t.key == OUT_OF_SERVICE)
}

/// All of a node that matters to its volumes.
pub fn what_counts(node: &Node) -> (&[String], bool, bool) {
    (in_use(node), is_ready(node), is_out_of_service(node))
}

/// Writes into a node's status that a volume is attached, or not; whether that was news.
pub fn set_attached(
    client: &Client,
    node: &Node,
    unique: &str,
    attached: bool,
) -> Result<bool, Status> {
    let status = node.status.as_ref();
    let mut list = status.and_then(|s| s.volumes_attached.clone()).unwrap_or_default();
    if list.iter().any(|v| v.name == unique) == attached {
        return Ok(false);
    }
    match attached {
        true => list.push(AttachedVolume { name: unique.to_string(), ..Default::default() }),
        false => list.retain(|v| v.name != unique),
    }
    let mut new = node.clone();
    let status: &mut NodeStatus = new.status.get_or_insert_default();
    status.volumes_attached = (!list.is_empty()).then_some(list);
    client.update_status(new).map(|_| true)
}
