//! NamespaceLifecycle: the system's namespaces can't be deleted.

use k8s_openapi::api::core::v1::Namespace;

use super::Attributes;
use crate::api::{Object, Status, Typed};

const IMMORTAL: &[&str] = &["default", "kube-system", "kube-public"];

/// Refuses the deletion of an immortal namespace.
pub fn delete(attributes: &Attributes, object: &dyn Object) -> Result<(), Status> {
    if attributes.kind.id != Namespace::ID || !IMMORTAL.contains(&object.name()) {
        return Ok(());
    }
    let why = "this namespace may not be deleted";
    Err(Status::forbidden(attributes.kind, object.name(), why))
}
