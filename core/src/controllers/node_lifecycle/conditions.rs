//! A node's conditions, and what becomes of them when nobody reports them any more.

use std::rc::Rc;

use k8s_openapi::api::core::v1::{Node, NodeCondition};

use crate::{api::Status, client::Client};

/// What kubelets report.
const REPORTED: [&str; 4] = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];

/// One of the conditions.
pub fn get<'a>(node: &'a Node, type_: &str) -> Option<&'a NodeCondition> {
    node.status.as_ref()?.conditions.as_ref()?.iter().find(|c| c.type_ == type_)
}

/// Its status; empty without it.
pub fn status<'a>(node: &'a Node, type_: &str) -> &'a str {
    get(node, type_).map_or("", |c| c.status.as_str())
}

/// All of them, by type, with their status.
pub fn statuses(node: &Node) -> Vec<(&str, &str)> {
    let conditions = node.status.as_ref().and_then(|s| s.conditions.as_ref());
    conditions.into_iter().flatten().map(|c| (c.type_.as_str(), c.status.as_str())).collect()
}

/// Nobody has reported for too long.
pub fn mark_unknown(client: &Client, node: &Rc<Node>) -> Result<(), Status> {
    let now = client.sim().now().to_meta();
    let created = node.metadata.creation_timestamp.clone();
    let mut new = (**node).clone();
    let conditions = new.status.get_or_insert_default().conditions.get_or_insert_default();
    for type_ in REPORTED {
        match conditions.iter_mut().find(|c| c.type_ == type_) {
            Some(condition) if condition.status == "Unknown" => {}
            Some(condition) => {
                condition.status = "Unknown".into();
                condition.reason = Some("NodeStatusUnknown".into());
                condition.message = Some("Kubelet stopped posting node status.".into());
                condition.last_transition_time = Some(now.clone());
            }
            None => conditions.push(NodeCondition {
                type_: type_.into(),
                status: "Unknown".into(),
                reason: Some("NodeStatusNeverUpdated".into()),
                message: Some("Kubelet never posted node status.".into()),
                last_heartbeat_time: created.clone(),
                last_transition_time: Some(now.clone()),
            }),
        }
    }
    if new != **node {
        client.update_status(new)?;
    }
    Ok(())
}
