//! The tables of roles and their bindings.
//!
//! Roles have no table of their own: the server shows name and time of creation.

use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleBinding, RoleRef, Subject};

use super::{Printer, RowCx, age, col, wide};
use crate::api::Object;

/// Roles and ClusterRoles.
pub const ROLE: Printer = Printer {
    columns: &[col("Name"), col("Created At")],
    row: |_, object| {
        let created = object.metadata().creation_timestamp.as_ref();
        let created = created.map(|t| t.0.to_string()).unwrap_or_default();
        vec![object.name().to_string(), created]
    },
};

/// RoleBindings.
pub const ROLE_BINDING: Printer = Printer {
    columns: BINDING,
    row: |cx, object| {
        let Some(b) = object.downcast::<RoleBinding>() else { return Vec::new() };
        binding(cx, object, &b.role_ref, b.subjects.as_deref().unwrap_or_default())
    },
};

/// ClusterRoleBindings.
pub const CLUSTER_ROLE_BINDING: Printer = Printer {
    columns: BINDING,
    row: |cx, object| {
        let Some(b) = object.downcast::<ClusterRoleBinding>() else { return Vec::new() };
        binding(cx, object, &b.role_ref, b.subjects.as_deref().unwrap_or_default())
    },
};

const BINDING: &[super::Column] =
    &[col("Name"), col("Role"), col("Age"), wide("Users"), wide("Groups"), wide("ServiceAccounts")];

fn binding(cx: &RowCx, object: &dyn Object, role: &RoleRef, subjects: &[Subject]) -> Vec<String> {
    let of = |kind: &str| {
        let of_kind = subjects.iter().filter(|s| s.kind == kind);
        let names = of_kind.map(|s| match &s.namespace {
            Some(ns) if kind == "ServiceAccount" => format!("{ns}/{}", s.name),
            _ => s.name.clone(),
        });
        names.collect::<Vec<_>>().join(", ")
    };
    vec![
        object.name().to_string(),
        format!("{}/{}", role.kind, role.name),
        age(cx, object),
        of("User"),
        of("Group"),
        of("ServiceAccount"),
    ]
}
