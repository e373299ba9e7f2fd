//! The rules of Namespaces: they stay until their content is gone.
//!
//! Models `pkg/registry/core/namespace`.

use k8s_openapi::api::core::v1::{Namespace, NamespaceStatus};

use super::{NameRule, Strategy, StrategyCx};

/// What keeps a namespace until the namespace controller has emptied it.
const FINALIZER: &str = "kubernetes";
/// The label by which selectors find a namespace by name.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// See the module.
pub struct Namespaces;

impl Strategy for Namespaces {
    type Object = Namespace;

    fn name_rule(&self) -> NameRule {
        NameRule::Label
    }

    fn defaults(&self, ns: &mut Namespace) {
        if let Some(name) = ns.metadata.name.clone() {
            ns.metadata.labels.get_or_insert_default().insert(NAME_LABEL.into(), name);
        }
    }

    fn prepare_create(&self, _: &StrategyCx, ns: &mut Namespace) {
        let finalizers = ns.spec.get_or_insert_default().finalizers.get_or_insert_default();
        if !finalizers.iter().any(|f| f == FINALIZER) {
            finalizers.push(FINALIZER.into());
        }
        ns.status = Some(NamespaceStatus { phase: Some("Active".into()), ..Default::default() });
    }

    fn prepare_update(&self, _: &StrategyCx, new: &mut Namespace, old: &Namespace) {
        new.spec.clone_from(&old.spec);
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(&self, new: &mut Namespace, old: &Namespace) {
        new.spec.clone_from(&old.spec);
    }

    fn may_be_removed(&self, ns: &Namespace) -> bool {
        let finalizers = ns.spec.as_ref().and_then(|s| s.finalizers.as_ref());
        finalizers.is_none_or(Vec::is_empty)
    }

    fn deletion_begins(&self, ns: &mut Namespace) {
        ns.status.get_or_insert_default().phase = Some("Terminating".into());
    }

    fn field(&self, ns: &Namespace, path: &str) -> Option<String> {
        let phase = ns.status.as_ref().and_then(|s| s.phase.clone());
        (path == "status.phase").then(|| phase.unwrap_or_default())
    }
}
