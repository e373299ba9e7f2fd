//! One object of a kustomization, and what it was called before.

use serde_json::{Map, Value};

use crate::{
    api::KindTable,
    programs::kubectl::write::{at, map_at},
};

/// Kinds without a namespace that the sandbox does not serve.
const CLUSTER_KINDS: &[&str] = &[
    "APIService",
    "CSIDriver",
    "CSINode",
    "CertificateSigningRequest",
    "ClusterRole",
    "ClusterRoleBinding",
    "ComponentStatus",
    "CustomResourceDefinition",
    "FlowSchema",
    "IngressClass",
    "MutatingWebhookConfiguration",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PriorityClass",
    "PriorityLevelConfiguration",
    "RuntimeClass",
    "StorageClass",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
    "VolumeAttachment",
];

/// What an object is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Id {
    pub group: String,
    pub version: String,
    pub kind: String,
    pub name: String,
    pub namespace: String,
}

impl Id {
    /// Models `ResId.String`.
    pub fn text(&self) -> String {
        let or =
            |text: &str, none: &str| if text.is_empty() { none.to_owned() } else { text.into() };
        format!(
            "{}.{}.{}/{}.{}",
            or(&self.kind, "[noKind]"),
            or(&self.version, "[noVer]"),
            or(&self.group, "[noGrp]"),
            or(&self.name, "[noName]"),
            or(&self.namespace, "[noNs]")
        )
    }

    /// As Go prints the struct.
    pub fn dump(&self) -> String {
        format!(
            "resid.ResId{{Gvk:resid.Gvk{{Group:{:?}, Version:{:?}, Kind:{:?}, \
             isClusterScoped:{}}}, Name:{:?}, Namespace:{:?}}}",
            self.group,
            self.version,
            self.kind,
            is_cluster_scoped(&self.group, &self.kind),
            self.name,
            self.namespace
        )
    }

    /// Whether two mean the same object: no namespace is the default one.
    pub fn same(&self, other: &Id) -> bool {
        let namespace =
            |id: &Id| if id.namespace == "default" { "" } else { &id.namespace }.to_owned();
        self.group == other.group
            && self.version == other.version
            && self.kind == other.kind
            && self.name == other.name
            && namespace(self) == namespace(other)
    }
}

/// What becomes of a generated object that is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Behavior {
    #[default]
    Create,
    Replace,
    Merge,
}

/// An object of a kustomization.
#[derive(Clone, Debug)]
pub(super) struct Res {
    pub value: Value,
    /// What it was called before, oldest first.
    pub before: Vec<Id>,
    /// Whether a hash of its contents goes behind its name.
    pub hash: bool,
    pub behavior: Behavior,
    /// Prefixes and suffixes that its name got.
    pub affixes: Vec<String>,
}

impl Res {
    pub fn new(value: Value) -> Res {
        Res {
            value,
            before: Vec::new(),
            hash: false,
            behavior: Behavior::Create,
            affixes: Vec::new(),
        }
    }

    fn text(&self, path: &[&str]) -> &str {
        at(&self.value, path).and_then(Value::as_str).unwrap_or_default()
    }

    pub fn kind(&self) -> &str {
        self.text(&["kind"])
    }

    pub fn name(&self) -> &str {
        self.text(&["metadata", "name"])
    }

    pub fn namespace(&self) -> &str {
        self.text(&["metadata", "namespace"])
    }

    /// Group and version.
    pub fn group_version(&self) -> (&str, &str) {
        let version = self.text(&["apiVersion"]);
        version.rsplit_once('/').unwrap_or(("", version))
    }

    pub fn annotation(&self, key: &str) -> Option<&str> {
        at(&self.value, &["metadata", "annotations", key])?.as_str()
    }

    /// What it is called now.
    pub fn id(&self) -> Id {
        let (group, version) = self.group_version();
        Id {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: self.kind().to_owned(),
            name: self.name().to_owned(),
            namespace: self.namespace().to_owned(),
        }
    }

    /// What it was called first.
    pub fn first_id(&self) -> Id {
        self.before.first().cloned().unwrap_or_else(|| self.id())
    }

    /// Whether it is or was called so.
    pub fn was(&self, is: impl Fn(&Id) -> bool) -> bool {
        is(&self.id()) || self.before.iter().any(is)
    }

    /// Changes what it is called; the old name is kept in mind.
    pub fn rename(&mut self, name: &str) {
        if name != self.name() {
            self.before.push(self.id());
            self.set_meta("name", name);
        }
    }

    /// Moves it to a namespace; the old one is kept in mind.
    pub fn move_to(&mut self, namespace: &str) {
        if namespace != self.namespace() {
            self.before.push(self.id());
            self.set_meta("namespace", namespace);
        }
    }

    fn set_meta(&mut self, key: &str, value: &str) {
        if let Some(meta) = map_at(&mut self.value, &["metadata"]) {
            meta.insert(key.to_owned(), value.into());
        }
    }

    /// Whether its kind has no namespaces.
    pub fn is_cluster_scoped(&self) -> bool {
        is_cluster_scoped(self.group_version().0, self.kind())
    }

    /// Labels or annotations.
    pub fn meta_map(&self, key: &str) -> Map<String, Value> {
        at(&self.value, &["metadata", key]).and_then(Value::as_object).cloned().unwrap_or_default()
    }
}

fn is_cluster_scoped(group: &str, kind: &str) -> bool {
    let table = KindTable::default();
    let known = table.iter().find(|k| k.kind == kind && k.group == group);
    known.map_or_else(|| CLUSTER_KINDS.contains(&kind), |k| !k.namespaced)
}
