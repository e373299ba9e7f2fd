//! The table of kinds: one line a kind, sorted by group and plural.
//!
//! A line makes its type storable ([`super::Typed`]), names it for commands (plural, short names,
//! categories) and says which verbs the API serves. A kind is listed once the sandbox really does
//! what it promises; discovery shows this table and nothing else.

use std::{borrow::Cow, collections::BTreeSet, rc::Rc};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use k8s_openapi::{
    Resource,
    api::{
        admissionregistration::v1::{
            MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding, MutatingWebhookConfiguration,
            ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
            ValidatingWebhookConfiguration,
        },
        apps::v1::*,
        authentication::v1::*,
        authorization::v1::*,
        autoscaling::v2::HorizontalPodAutoscaler,
        batch::v1::*,
        certificates::v1::*,
        coordination::v1::*,
        core::v1::*,
        discovery::v1::*,
        flowcontrol::v1::{FlowSchema, PriorityLevelConfiguration},
        networking::v1::*,
        node::v1::RuntimeClass,
        policy::v1::*,
        rbac::v1::*,
        resource::v1::{DeviceClass, ResourceClaim, ResourceClaimTemplate, ResourceSlice},
        scheduling::v1::*,
        storage::v1::*,
    },
};
use serde_json::Value;

use super::{
    object::{DynamicObject, Object, Typed, from_value},
    versions::{self, StoredAs, VIEWS},
};

/// A kind's place in a cluster's table of kinds. Built-in kinds have the same place everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KindId(pub u16);

impl KindId {
    /// The place of kinds that a table never had. No request may name it.
    pub const NOWHERE: KindId = KindId(u16::MAX);
}

type Decode = fn(&Kind, Value) -> Result<Box<dyn Object>, String>;

/// What is known of a kind.
#[derive(Clone, Debug)]
pub struct Kind {
    /// Place in the table.
    pub id: KindId,
    /// API group, empty for the core group.
    pub group: Cow<'static, str>,
    /// `v1`.
    pub version: Cow<'static, str>,
    /// `Deployment`.
    pub kind: Cow<'static, str>,
    /// `deployments`.
    pub plural: Cow<'static, str>,
    /// `deployment`.
    pub singular: Cow<'static, str>,
    /// `deploy`.
    pub short_names: Vec<Cow<'static, str>>,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// `all`.
    pub categories: Vec<Cow<'static, str>>,
    /// Subresources that the API serves, as discovery names them (`status`, `scale`, `log` …).
    pub subresources: &'static [&'static str],
    verbs: &'static [&'static str],
    /// Which kind its objects are stored as, where that is not this one.
    pub stored_as: Option<StoredAs>,
    decode: Decode,
}

impl Kind {
    /// `apps/v1`, or `v1` for the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_string()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// `deployments.apps`, or `pods` for the core group: how errors and `-o name` call it.
    pub fn resource(&self) -> String {
        qualified(&self.plural, &self.group)
    }

    /// `deployment.apps`, or `pod`: how kubectl's messages call one object.
    pub fn singular_resource(&self) -> String {
        qualified(&self.singular, &self.group)
    }

    /// The kind that its objects are stored as: itself, but for views.
    pub fn storage(&self) -> KindId {
        self.stored_as.map_or(self.id, |s| s.kind)
    }

    /// Whether its objects are kept; others are questions, which are only answered, or are worked out
    /// whenever somebody asks.
    pub fn is_stored(&self) -> bool {
        self.verbs().contains(&"update")
    }

    /// What can be done with its objects, as discovery names it.
    pub fn verbs(&self) -> &'static [&'static str] {
        self.verbs
    }

    /// Whether it is a custom resource's.
    pub fn is_custom(&self) -> bool {
        std::ptr::fn_addr_eq(self.decode, decode_custom as Decode)
    }

    /// Makes an object of this kind from JSON. Unknown fields are dropped here; the API server
    /// reports them. Errors say which field had the wrong type.
    pub fn decode(&self, value: Value) -> Result<Box<dyn Object>, String> {
        (self.decode)(self, value)
    }
}

fn qualified(name: &str, group: &str) -> String {
    if group.is_empty() { name.to_string() } else { format!("{name}.{group}") }
}

fn decode_typed<T: Typed>(_: &Kind, value: Value) -> Result<Box<dyn Object>, String> {
    from_value::<T>(value).map(|t| Box::new(t) as Box<dyn Object>).map_err(|e| e.to_string())
}

/// Decodes a custom resource.
fn decode_custom(kind: &Kind, value: Value) -> Result<Box<dyn Object>, String> {
    decode_dynamic(kind, value)
}

/// Decodes what has no type here.
fn decode_dynamic(kind: &Kind, value: Value) -> Result<Box<dyn Object>, String> {
    let Value::Object(mut rest) = value else { return Err("not an object".into()) };
    rest.remove("apiVersion");
    rest.remove("kind");
    let metadata = match rest.remove("metadata") {
        Some(metadata) => from_value(metadata).map_err(|e| e.to_string())?,
        None => Default::default(),
    };
    Ok(Box::new(DynamicObject {
        kind_id: kind.id,
        api_version: kind.api_version(),
        kind: kind.kind.to_string(),
        metadata,
        rest,
    }))
}

macro_rules! kinds {
    ($($type:ident $plural:literal [$($short:literal)*] $scope:ident
       [$($category:literal)*] [$($sub:literal)*];)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        enum Place { $($type),* }
        $(impl Typed for $type { const ID: KindId = KindId(Place::$type as u16); })*
        fn builtin() -> Vec<Kind> {
            vec![$(Kind {
                id: <$type as Typed>::ID,
                group: Cow::Borrowed(<$type as Resource>::GROUP),
                version: Cow::Borrowed(<$type as Resource>::VERSION),
                kind: Cow::Borrowed(<$type as Resource>::KIND),
                plural: Cow::Borrowed($plural),
                singular: Cow::Owned(<$type as Resource>::KIND.to_ascii_lowercase()),
                short_names: vec![$(Cow::Borrowed($short)),*],
                namespaced: scope::$scope,
                categories: vec![$(Cow::Borrowed($category)),*],
                subresources: &[$($sub),*],
                verbs: verbs_of(<$type as Typed>::ID),
                stored_as: None,
                decode: decode_typed::<$type>,
            }),*]
        }
    };
}

#[allow(non_upper_case_globals)]
mod scope {
    pub const namespaced: bool = true;
    pub const cluster: bool = false;
}

// Type              plural                   short names  scope      categories subresources
kinds! {
    Binding               "bindings"               []       namespaced []      [];
    ComponentStatus       "componentstatuses"      ["cs"]   cluster    []      [];
    ConfigMap             "configmaps"             ["cm"]     namespaced []      [];
    Endpoints             "endpoints"              ["ep"]     namespaced []      [];
    Event                 "events"                 ["ev"]     namespaced []      [];
    LimitRange            "limitranges"            ["limits"] namespaced []      [];
    Namespace             "namespaces"             ["ns"]     cluster    []      ["finalize" "status"];
    Node                  "nodes"                  ["no"]     cluster    []      ["proxy" "status"];
    PersistentVolumeClaim "persistentvolumeclaims" ["pvc"]    namespaced []      ["status"];
    PersistentVolume      "persistentvolumes"      ["pv"]     cluster    []      ["status"];
    Pod                   "pods"                   ["po"]     namespaced ["all"]
        ["attach" "binding" "ephemeralcontainers" "eviction" "exec" "log" "portforward" "proxy" "resize" "status"];
    PodTemplate           "podtemplates"           []         namespaced []      [];
    ReplicationController "replicationcontrollers" ["rc"]     namespaced ["all"] ["scale" "status"];
    ResourceQuota         "resourcequotas"         ["quota"]  namespaced []      ["status"];
    Secret                "secrets"                []         namespaced []      [];
    ServiceAccount        "serviceaccounts"        ["sa"]     namespaced []      ["token"];
    Service               "services"               ["svc"]    namespaced ["all"] ["proxy" "status"];
    MutatingAdmissionPolicy "mutatingadmissionpolicies" [] cluster ["api-extensions"] [];
    MutatingAdmissionPolicyBinding "mutatingadmissionpolicybindings" [] cluster ["api-extensions"] [];
    MutatingWebhookConfiguration "mutatingwebhookconfigurations" [] cluster ["api-extensions"] [];
    ValidatingAdmissionPolicy "validatingadmissionpolicies" [] cluster ["api-extensions"] ["status"];
    ValidatingAdmissionPolicyBinding "validatingadmissionpolicybindings" [] cluster ["api-extensions"]
        [];
    ValidatingWebhookConfiguration "validatingwebhookconfigurations" [] cluster ["api-extensions"] [];
    CustomResourceDefinition "customresourcedefinitions" ["crd" "crds"] cluster ["api-extensions"]
        ["status"];
    APIService            "apiservices"            []         cluster ["api-extensions"] ["status"];
    ControllerRevision    "controllerrevisions"    []         namespaced []      [];
    DaemonSet             "daemonsets"             ["ds"]     namespaced ["all"] ["status"];
    Deployment            "deployments"            ["deploy"] namespaced ["all"] ["scale" "status"];
    ReplicaSet            "replicasets"            ["rs"]     namespaced ["all"] ["scale" "status"];
    StatefulSet           "statefulsets"           ["sts"]    namespaced ["all"] ["scale" "status"];
    SelfSubjectReview     "selfsubjectreviews"     []         cluster    []      [];
    TokenReview           "tokenreviews"           []         cluster    []      [];
    LocalSubjectAccessReview "localsubjectaccessreviews" []   namespaced []      [];
    SelfSubjectAccessReview  "selfsubjectaccessreviews"  []   cluster    []      [];
    SelfSubjectRulesReview   "selfsubjectrulesreviews"   []   cluster    []      [];
    SubjectAccessReview      "subjectaccessreviews"      []   cluster    []      [];
    HorizontalPodAutoscaler "horizontalpodautoscalers" ["hpa"] namespaced ["all"] ["status"];
    CronJob               "cronjobs"               ["cj"]     namespaced ["all"] ["status"];
    Job                   "jobs"                   []         namespaced ["all"] ["status"];
    CertificateSigningRequest "certificatesigningrequests" ["csr"] cluster []    ["approval" "status"];
    Lease                 "leases"                 []         namespaced []      [];
    EndpointSlice         "endpointslices"         []         namespaced []      [];
    FlowSchema            "flowschemas"            []         cluster    []      ["status"];
    PriorityLevelConfiguration "prioritylevelconfigurations" [] cluster  []      ["status"];
    IngressClass          "ingressclasses"         []         cluster    []      [];
    Ingress               "ingresses"              ["ing"]    namespaced []      ["status"];
    IPAddress             "ipaddresses"            ["ip"]     cluster    []      [];
    NetworkPolicy         "networkpolicies"        ["netpol"] namespaced []      [];
    ServiceCIDR           "servicecidrs"           []         cluster    []      ["status"];
    RuntimeClass          "runtimeclasses"         []         cluster    []      [];
    PodDisruptionBudget   "poddisruptionbudgets"   ["pdb"]    namespaced []      ["status"];
    ClusterRoleBinding    "clusterrolebindings"    []         cluster    []      [];
    ClusterRole           "clusterroles"           []         cluster    []      [];
    RoleBinding           "rolebindings"           []         namespaced []      [];
    Role                  "roles"                  []         namespaced []      [];
    DeviceClass           "deviceclasses"          []         cluster    []      [];
    ResourceClaim         "resourceclaims"         []         namespaced []      ["status"];
    ResourceClaimTemplate "resourceclaimtemplates" []         namespaced []      [];
    ResourceSlice         "resourceslices"         []         cluster    []      [];
    PriorityClass         "priorityclasses"        ["pc"]     cluster    []      [];
    CSIDriver             "csidrivers"             []         cluster    []      [];
    CSINode               "csinodes"               []         cluster    []      [];
    CSIStorageCapacity    "csistoragecapacities"   []         namespaced []      [];
    StorageClass          "storageclasses"         ["sc"]     cluster    []      [];
    VolumeAttachment      "volumeattachments"      []         cluster    []      ["status"];
    VolumeAttributesClass "volumeattributesclasses" ["vac"]   cluster    []      [];
}

/// What can be done with objects that are stored.
const ALL_VERBS: &[&str] =
    &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// What can be done with kinds with which not everything can be done.
const VERBS: &[(KindId, &[&str])] = &[
    (Binding::ID, &["create"]),
    (ComponentStatus::ID, &["get", "list"]),
    (Namespace::ID, &["create", "delete", "get", "list", "patch", "update", "watch"]),
    // Questions are only created, and sent back with an answer.
    (LocalSubjectAccessReview::ID, &["create"]),
    (SelfSubjectAccessReview::ID, &["create"]),
    (SelfSubjectReview::ID, &["create"]),
    (SelfSubjectRulesReview::ID, &["create"]),
    (SubjectAccessReview::ID, &["create"]),
    (TokenReview::ID, &["create"]),
];

fn verbs_of(kind: KindId) -> &'static [&'static str] {
    VERBS.iter().find(|(id, _)| *id == kind).map_or(ALL_VERBS, |(_, verbs)| verbs)
}

/// What a custom resource's kind is called, and what it has.
#[allow(missing_docs)]
pub struct DynamicKind {
    pub group: String,
    pub version: String,
    pub kind: String,
    pub plural: String,
    pub singular: String,
    pub short_names: Vec<Cow<'static, str>>,
    pub namespaced: bool,
    pub categories: Vec<Cow<'static, str>>,
    pub subresources: &'static [&'static str],
    /// Which version of the kind is stored, where that is not this one.
    pub stored_as: Option<KindId>,
    /// What can be done with objects that somebody else than a definition brings; `None` for custom
    /// resources.
    pub verbs: Option<&'static [&'static str]>,
}

/// The views of built-in kinds.
fn views(kinds: &[Kind]) -> Vec<Kind> {
    let made = VIEWS.iter().filter_map(|view| {
        let (group, version, name) = view.of;
        let of =
            kinds.iter().find(|k| k.group == group && k.version == version && k.kind == name)?;
        Some((of, view))
    });
    let make = |(place, (of, view)): (usize, (&Kind, &versions::View))| Kind {
        id: KindId(u16::try_from(kinds.len() + place).unwrap_or(u16::MAX)),
        group: Cow::Borrowed(view.shown.0),
        version: Cow::Borrowed(view.shown.1),
        stored_as: Some(StoredAs { kind: of.id, conversion: view.conversion }),
        decode: decode_dynamic,
        ..of.clone()
    };
    made.enumerate().map(make).collect()
}

/// The kinds that a cluster serves: the built-in ones and its custom resources.
#[derive(Clone, Debug)]
pub struct KindTable {
    kinds: Vec<Rc<Kind>>,
    /// Places of custom resources whose definitions are gone.
    gone: BTreeSet<KindId>,
}

impl Default for KindTable {
    fn default() -> Self {
        let mut kinds = builtin();
        kinds.extend(views(&kinds));
        KindTable { kinds: kinds.into_iter().map(Rc::new).collect(), gone: BTreeSet::new() }
    }
}

impl KindTable {
    /// The kind at a place. Places come from this table, so they exist.
    pub fn get(&self, id: KindId) -> &Rc<Kind> {
        &self.kinds[id.0 as usize]
    }

    /// All kinds, those included that are not served (any more).
    pub fn all(&self) -> impl Iterator<Item = &Rc<Kind>> {
        self.kinds.iter()
    }

    /// Kinds whose objects are stored, each once, in order of place.
    pub fn stored(&self) -> impl Iterator<Item = &Rc<Kind>> {
        let shown = |id: KindId| self.iter().any(|k| k.storage() == id);
        let own = self.kinds.iter().filter(|k| k.is_stored() && k.stored_as.is_none());
        own.filter(move |k| !self.gone.contains(&k.id) || shown(k.id))
    }

    /// All kinds in all of their versions, in order of place: a kind's stored version comes first.
    pub fn iter(&self) -> impl Iterator<Item = &Rc<Kind>> {
        self.kinds.iter().filter(|k| !self.gone.contains(&k.id))
    }

    /// Each kind once, in the version that clients are to prefer; in the order of [`KindTable::iter`].
    pub fn preferred(&self) -> impl Iterator<Item = &Rc<Kind>> {
        self.iter().filter(|kind| {
            let better = |k: &Rc<Kind>| {
                k.plural == kind.plural
                    && k.group == kind.group
                    && versions::order(&k.version) < versions::order(&kind.version)
            };
            !self.iter().any(better)
        })
    }

    /// By group, version and kind, as an object names it.
    pub fn by_kind(&self, api_version: &str, kind: &str) -> Option<&Rc<Kind>> {
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
        self.iter().find(|k| k.group == group && k.version == version && k.kind == kind)
    }

    /// By group, version and plural, as a URL names it.
    pub fn by_resource(&self, group: &str, version: &str, plural: &str) -> Option<&Rc<Kind>> {
        self.iter().find(|k| k.group == group && k.version == version && k.plural == plural)
    }

    /// The custom kind as which all versions of a custom resource are stored, served or not.
    pub fn home_of(&self, group: &str, plural: &str) -> Option<&Rc<Kind>> {
        let home = |k: &&Rc<Kind>| k.is_custom() && k.stored_as.is_none();
        self.kinds.iter().filter(home).find(|k| k.group == group && k.plural == plural)
    }

    /// Adds a custom resource's kind, or changes it, and returns its place: a definition that comes
    /// again finds its old one.
    pub fn add_dynamic(&mut self, kind: DynamicKind) -> KindId {
        let builtin = builtin().len() + VIEWS.len();
        let same = |k: &Rc<Kind>| {
            usize::from(k.id.0) >= builtin
                && k.group == kind.group
                && k.version == kind.version
                && k.plural == kind.plural
        };
        let place = self.kinds.iter().position(same).unwrap_or(self.kinds.len());
        let id = KindId(u16::try_from(place).unwrap_or(u16::MAX));
        let kind = Rc::new(Kind {
            id,
            group: Cow::Owned(kind.group),
            version: Cow::Owned(kind.version),
            kind: Cow::Owned(kind.kind),
            plural: Cow::Owned(kind.plural),
            singular: Cow::Owned(kind.singular),
            short_names: kind.short_names,
            namespaced: kind.namespaced,
            categories: kind.categories,
            subresources: kind.subresources,
            verbs: kind.verbs.unwrap_or(ALL_VERBS),
            stored_as: kind.stored_as.map(|kind| StoredAs { kind, conversion: versions::NONE }),
            decode: if kind.verbs.is_some() { decode_dynamic } else { decode_custom },
        });
        self.gone.remove(&id);
        match self.kinds.get_mut(place) {
            Some(old) => *old = kind,
            None => self.kinds.push(kind),
        }
        id
    }

    /// Whether a kind is in this table and is served.
    pub fn serves(&self, id: KindId) -> bool {
        usize::from(id.0) < self.kinds.len() && !self.gone.contains(&id)
    }

    /// A kind as somebody remembers it who may be behind the times: it has its place where this
    /// table has or had it, and else [`KindId::NOWHERE`]. Verbs and parts are the table's.
    pub fn remembered(&self, told: DynamicKind) -> Rc<Kind> {
        let same = |k: &&Rc<Kind>| {
            k.plural == told.plural && k.group == told.group && k.version == told.version
        };
        let known = self.kinds.iter().find(same);
        let as_told = |k: &&Rc<Kind>| {
            k.kind == told.kind
                && k.singular == told.singular
                && k.namespaced == told.namespaced
                && k.short_names == told.short_names
                && k.categories == told.categories
        };
        if let Some(known) = known.filter(as_told) {
            return known.clone();
        }
        Rc::new(Kind {
            id: known.map_or(KindId::NOWHERE, |k| k.id),
            group: Cow::Owned(told.group),
            version: Cow::Owned(told.version),
            kind: Cow::Owned(told.kind),
            plural: Cow::Owned(told.plural),
            singular: Cow::Owned(told.singular),
            short_names: told.short_names,
            namespaced: told.namespaced,
            categories: told.categories,
            subresources: known.map_or(told.subresources, |k| k.subresources),
            verbs: known.map_or(ALL_VERBS, |k| k.verbs),
            stored_as: known.and_then(|k| k.stored_as),
            decode: known.map_or(decode_custom, |k| k.decode),
        })
    }

    /// A custom resource's kind is not served any more.
    pub fn remove_dynamic(&mut self, id: KindId) {
        self.gone.insert(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_match_the_table_and_lines_are_sorted_by_group_and_plural() {
        let table = KindTable::default();
        let own = table.iter().filter(|k| k.stored_as.is_none());
        let names: Vec<_> = own.map(|k| (k.group.clone(), k.plural.clone())).collect();
        let mut sorted = names.clone();
        sorted.sort();
        assert_eq!(names, sorted);
        for (place, kind) in table.iter().enumerate() {
            assert_eq!(kind.id.0 as usize, place);
        }
        assert_eq!(table.get(Pod::ID).resource(), "pods");
        assert_eq!(table.get(Deployment::ID).resource(), "deployments.apps");
        assert_eq!(table.iter().filter(|k| k.stored_as.is_some()).count(), VIEWS.len());
        let shown = |v: &versions::View| (v.shown.0, v.shown.1);
        assert!(VIEWS.is_sorted_by_key(shown));
    }
}
