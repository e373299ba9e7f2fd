//! Admission: what looks at a write after its defaults and before its validation.
//!
//! One file a plugin, one line in [`PLUGINS`], in the order in which they run
//! (`pkg/kubeapiserver/options/plugins.go`). Plugins may change the object or refuse it.

mod ingress_class;
mod limit_ranger;
mod namespace_lifecycle;
mod node_restriction;
mod node_taints;
mod pod_security;
pub mod policies;
mod priority;
mod quota;
mod runtime_class;
mod service_account;
mod storage;
mod toleration_seconds;
mod webhooks;

use super::{ApiServer, RequestCx};
use crate::api::{Kind, Object, Status};

/// A write that is looked at.
pub struct Attributes<'a> {
    /// The API server (to read other objects).
    pub api: &'a ApiServer,
    /// The request.
    pub request: &'a RequestCx,
    /// The object's kind.
    pub kind: &'a Kind,
    /// The object before the write; `None` for a create.
    pub old: Option<&'a dyn Object>,
}

/// A plugin.
pub struct Plugin {
    /// Its name upstream.
    pub name: &'static str,
    /// Changes the object or refuses the write. Runs for creates and updates of main resources.
    pub admit: Option<fn(&Attributes, &mut dyn Object) -> Result<(), Status>>,
    /// Refuses the write when everything else is well, just before it is stored.
    pub commit: Option<fn(&Attributes, &dyn Object) -> Result<(), Status>>,
    /// Refuses a deletion of `old`.
    pub delete: Option<fn(&Attributes, &dyn Object) -> Result<(), Status>>,
}

const MUTATING_POLICIES: &str = "MutatingAdmissionPolicy";

/// In the order in which they run.
pub const PLUGINS: &[Plugin] = &[
    Plugin {
        name: "NamespaceLifecycle",
        admit: None, // creation is looked at by the pipeline itself
        delete: Some(namespace_lifecycle::delete),
        commit: None,
    },
    Plugin { name: "LimitRanger", admit: Some(limit_ranger::admit), delete: None, commit: None },
    Plugin {
        name: "TaintNodesByCondition",
        admit: Some(node_taints::admit),
        delete: None,
        commit: None,
    },
    Plugin {
        name: "NodeRestriction",
        admit: Some(node_restriction::admit),
        delete: Some(node_restriction::delete),
        commit: None,
    },
    Plugin {
        name: "ServiceAccount",
        admit: Some(service_account::admit),
        delete: None,
        commit: None,
    },
    Plugin {
        name: "Priority",
        admit: Some(priority::admit),
        delete: Some(priority::delete),
        commit: None,
    },
    Plugin {
        name: "DefaultTolerationSeconds",
        admit: Some(toleration_seconds::admit),
        delete: None,
        commit: None,
    },
    Plugin {
        name: "PersistentVolumeClaimResize",
        admit: Some(storage::resize),
        delete: None,
        commit: None,
    },
    Plugin {
        name: "DefaultStorageClass",
        admit: Some(storage::default_class),
        delete: None,
        commit: None,
    },
    Plugin {
        name: "StorageObjectInUseProtection",
        admit: Some(storage::protect),
        delete: None,
        commit: None,
    },
    Plugin {
        name: "RuntimeClass",
        admit: Some(runtime_class::admit),
        delete: None,
        commit: Some(runtime_class::commit),
    },
    Plugin {
        name: "DefaultIngressClass",
        admit: Some(ingress_class::admit),
        delete: None,
        commit: None,
    },
    Plugin {
        name: MUTATING_POLICIES,
        admit: Some(policies::mutating::admit),
        delete: None,
        commit: None,
    },
    Plugin { name: "PodSecurity", admit: Some(pod_security::admit), delete: None, commit: None },
    Plugin {
        name: "ValidatingAdmissionPolicy",
        admit: None,
        delete: Some(policies::validating::delete),
        commit: Some(policies::validating::commit),
    },
    Plugin {
        name: "MutatingAdmissionWebhook",
        admit: Some(webhooks::mutate),
        delete: None,
        commit: None,
    },
    Plugin {
        name: "ValidatingAdmissionWebhook",
        admit: None,
        delete: Some(webhooks::delete),
        commit: Some(webhooks::validate),
    },
    Plugin { name: "ResourceQuota", admit: None, delete: None, commit: Some(quota::commit) },
];

/// Runs all plugins on a create or an update.
pub(super) fn admit(attributes: &Attributes, object: &mut dyn Object) -> Result<(), Status> {
    let mut plugins = PLUGINS.iter().filter_map(|plugin| plugin.admit);
    plugins.try_for_each(|admit| admit(attributes, object))
}

/// Runs the plugins before the mutating policies once more, because those changed something.
fn again(attributes: &Attributes, object: &mut dyn Object) -> Result<(), Status> {
    let before = PLUGINS.iter().take_while(|plugin| plugin.name != MUTATING_POLICIES);
    before.filter_map(|plugin| plugin.admit).try_for_each(|admit| admit(attributes, object))
}

/// Runs the plugins that look at new statuses.
pub(super) fn status(attributes: &Attributes, object: &dyn Object) -> Result<(), Status> {
    node_restriction::status(attributes, object)
}

/// Runs the plugins that look at new sizes of a running pod's containers.
pub(super) fn resize(attributes: &Attributes, object: &mut dyn Object) -> Result<(), Status> {
    limit_ranger::admit_resize(attributes, object)
}

/// Runs the plugins that want to know what is stored, just before it is.
pub(super) fn commit(attributes: &Attributes, object: &dyn Object) -> Result<(), Status> {
    let mut plugins = PLUGINS.iter().filter_map(|plugin| plugin.commit);
    plugins.try_for_each(|commit| commit(attributes, object))
}

/// Runs all plugins on a deletion.
pub(super) fn delete(attributes: &Attributes, object: &dyn Object) -> Result<(), Status> {
    let mut plugins = PLUGINS.iter().filter_map(|plugin| plugin.delete);
    plugins.try_for_each(|delete| delete(attributes, object))
}
