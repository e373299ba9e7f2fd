//! The order of what is printed and applied. Models `SortOrderTransformer` (legacy).

use super::resource::{Id, Res};

const FIRST: &[&str] = &[
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];
const LAST: &[&str] = &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/// First what others need; then by kind, namespace and name.
pub(super) fn sort(all: &mut [Res]) {
    all.sort_by_cached_key(|res| {
        let id = res.id();
        let first = FIRST.iter().position(|kind| *kind == id.kind);
        let last = LAST.iter().position(|kind| *kind == id.kind);
        let rank = match (first, last) {
            (Some(at), _) => (0, at),
            (None, None) => (1, 0),
            (None, Some(at)) => (2, at),
        };
        (rank, kind(&id), (or(&id.namespace, "~X"), or(&id.name, "~N")))
    });
}

fn kind(id: &Id) -> String {
    format!("{}_{}_{}", or(&id.group, "~G"), or(&id.version, "~V"), or(&id.kind, "~K"))
}

fn or(text: &str, none: &str) -> String {
    if text.is_empty() { none.to_owned() } else { text.to_owned() }
}
