//! TaintNodesByCondition: a new node takes no pods until it is known to be ready.
//!
//! Models `plugin/pkg/admission/nodetaint`. The node lifecycle controller takes the taint away.

use k8s_openapi::api::core::v1::{Node, Taint};

use super::Attributes;
use crate::api::{Object, Status};

const NOT_READY: &str = "node.kubernetes.io/not-ready";

/// Taints a new node.
pub fn admit(attributes: &Attributes, object: &mut dyn Object) -> Result<(), Status> {
    let Some(node) = object.downcast_mut::<Node>() else { return Ok(()) };
    if attributes.old.is_some() {
        return Ok(());
    }
    let taint = Taint { key: NOT_READY.into(), effect: "NoSchedule".into(), ..Default::default() };
    let taints = node.spec.get_or_insert_default().taints.get_or_insert_default();
    if !taints.iter().any(|t| t.key == taint.key && t.effect == taint.effect) {
        taints.push(taint);
    }
    Ok(())
}
