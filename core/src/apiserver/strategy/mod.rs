//! The rules of each kind: defaults, what a client may set, validation, graceful deletion.
//!
//! One file a kind (or family), one line in [`for_kinds`]. A kind without a line gets the plain
//! rules: metadata is validated, everything is kept as sent.
//!
//! Models `pkg/registry/<group>/<kind>/strategy.go`, `pkg/apis/<group>/v1/defaults.go` and
//! `pkg/apis/<group>/validation`.

mod addresses;
mod apiservice;
pub mod certificatesigningrequest;
mod components;
mod configmap;
mod controllerrevision;
mod cronjob;
mod csi;
mod daemonset;
mod definition;
mod deployment;
mod devices;
mod endpoints;
mod endpointslice;
mod event;
mod flowcontrol;
mod godump;
mod hpa;
pub mod job;
mod lease;
mod metadata;
mod namespace;
mod networking;
mod node;
mod persistentvolume;
mod persistentvolumeclaim;
pub mod pod;
mod poddisruptionbudget;
mod podtemplate;
pub mod policies;
pub(super) mod priorityclass;
mod quota;
mod rbac;
#[cfg(test)]
mod refusals;
mod registration;
mod replicaset;
mod replicationcontroller;
mod runtimeclass;
mod secret;
mod service;
mod serviceaccount;
mod statefulset;
mod storageclass;
#[cfg(test)]
pub mod tests;
mod webhook;
mod workload;

use std::{marker::PhantomData, rc::Rc};

pub use metadata::{
    label_errors, label_value_error, meta_errors, name_error, qualified_name_error,
};

use k8s_openapi::api::{
    admissionregistration::v1::{
        MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding, MutatingWebhookConfiguration,
        ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
        ValidatingWebhookConfiguration,
    },
    apps::v1::{ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet},
    authentication::v1::{SelfSubjectReview, TokenReview},
    authorization::v1::{
        LocalSubjectAccessReview, SelfSubjectAccessReview, SelfSubjectRulesReview,
        SubjectAccessReview,
    },
    autoscaling::v2::HorizontalPodAutoscaler,
    batch::v1::{CronJob, Job},
    certificates::v1::CertificateSigningRequest,
    coordination::v1::Lease,
    core::v1::{
        Binding, ComponentStatus, ConfigMap, Endpoints, Event, LimitRange, Namespace, Node,
        PersistentVolume, PersistentVolumeClaim, Pod, PodTemplate, ReplicationController,
        ResourceQuota, Secret, Service, ServiceAccount,
    },
    discovery::v1::EndpointSlice,
    flowcontrol::v1::{FlowSchema, PriorityLevelConfiguration},
    networking::v1::{IPAddress, Ingress, IngressClass, NetworkPolicy, ServiceCIDR},
    node::v1::RuntimeClass,
    policy::v1::PodDisruptionBudget,
    rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding},
    resource::v1::{DeviceClass, ResourceClaim, ResourceClaimTemplate, ResourceSlice},
    scheduling::v1::PriorityClass,
    storage::v1::{
        CSIDriver, CSINode, CSIStorageCapacity, StorageClass, VolumeAttachment,
        VolumeAttributesClass,
    },
};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;

use super::{ApiServer, RequestCx, auth::reviews};
use crate::{
    api::{FieldError, KindId, KindTable, Object, Status, Typed},
    sim::Time,
};

/// What a strategy may look at besides the object.
pub struct StrategyCx<'a> {
    /// The API server (to read other objects).
    pub api: &'a ApiServer,
    /// The request.
    pub request: &'a RequestCx,
    /// Now.
    pub now: Time,
}

/// How a kind's names are checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NameRule {
    /// RFC 1123 subdomain: most kinds.
    #[default]
    Subdomain,
    /// RFC 1123 label: namespaces.
    Label,
    /// RFC 1035 label: services.
    Label1035,
    /// Anything that can be a path segment: RBAC.
    PathSegment,
}

/// The rules of one kind. Every method has the plain rule as its default.
pub trait Strategy: 'static {
    /// The type it is about.
    type Object: Typed;

    /// Fills in what was left out. Runs on every create and update, before anything else.
    fn defaults(&self, _object: &mut Self::Object) {}

    /// Clears what a client may not set (status), sets what the server sets, on create.
    fn prepare_create(&self, _cx: &StrategyCx, _object: &mut Self::Object) {}

    /// The same on update (of the whole object, not its status). Changes of the spec are told by
    /// [`Strategy::spec_changed`]; the pipeline counts up `metadata.generation`.
    fn prepare_update(&self, _cx: &StrategyCx, _new: &mut Self::Object, _old: &Self::Object) {}

    /// On an update of the status: keeps everything else as it was. `new` comes with the old
    /// metadata except labels and annotations' changes already undone.
    fn prepare_status_update(&self, _new: &mut Self::Object, _old: &Self::Object) {}

    /// Whether `metadata.generation` is kept for this kind, and if so whether the spec differs.
    fn spec_changed(&self, _new: &Self::Object, _old: &Self::Object) -> Option<bool> {
        None
    }

    /// How names are checked.
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    /// What is wrong with a new object (its metadata is checked by the pipeline).
    fn validate(&self, _cx: &StrategyCx, _object: &Self::Object) -> Vec<FieldError> {
        Vec::new()
    }

    /// What is wrong with an object only because it is new. Runs after [`Strategy::validate`].
    fn validate_new(&self, _cx: &StrategyCx, _object: &Self::Object) -> Vec<FieldError> {
        Vec::new()
    }

    /// What is wrong with a change. Runs after [`Strategy::validate`] on the new object.
    fn validate_update(
        &self,
        _cx: &StrategyCx,
        _new: &Self::Object,
        _old: &Self::Object,
    ) -> Vec<FieldError> {
        Vec::new()
    }

    /// What is wrong with a change of the status (what [`Strategy::prepare_status_update`] left).
    fn validate_status(&self, _new: &Self::Object, _old: &Self::Object) -> Vec<FieldError> {
        Vec::new()
    }

    /// Last step before a new object (or a changed one: `old`) is stored: takes addresses and ports
    /// from the cluster's pools. Not called in dry runs that need no answer from it.
    fn allocate(
        &self,
        _cx: &StrategyCx,
        _object: &mut Self::Object,
        _old: Option<&Self::Object>,
    ) -> Result<(), Status> {
        Ok(())
    }

    /// The object is gone from the store: gives back what [`Strategy::allocate`] took.
    fn released(&self, _cx: &StrategyCx, _object: &Self::Object) {}

    /// Seconds of grace when deletion is asked for with `wanted` (`None`: not said). `None` means
    /// that this kind knows no grace. Models `CheckGracefulDelete`.
    fn grace(&self, _object: &Self::Object, _wanted: Option<i64>) -> Option<i64> {
        None
    }

    /// Whether the object may leave the store once deletion began and no finalizer of
    /// `metadata.finalizers` is left (namespaces have finalizers in their spec as well).
    fn may_be_removed(&self, _object: &Self::Object) -> bool {
        true
    }

    /// Deletion begins (the object stays for its grace period or its finalizers).
    fn deletion_begins(&self, _object: &mut Self::Object) {}

    /// Fields that field selectors may ask for, besides `metadata.name` and `metadata.namespace`.
    /// `None` for a field that this kind does not offer.
    fn field(&self, _object: &Self::Object, _path: &str) -> Option<String> {
        None
    }

    /// Sentences for the client about a valid object (deprecated fields and the like).
    fn warnings(&self, _object: &Self::Object, _old: Option<&Self::Object>) -> Vec<String> {
        Vec::new()
    }

    /// A sentence for everyone who reads or writes this kind: that it is deprecated.
    fn deprecated(&self) -> Option<&'static str> {
        None
    }

    /// All objects of a kind that is not stored but worked out when somebody asks.
    fn worked_out(&self, _api: &ApiServer) -> Option<Vec<Self::Object>> {
        None
    }

    /// The object was stored, for the first time or again (`old`).
    fn stored(&self, _cx: &StrategyCx, _object: &Self::Object, _old: Option<&Self::Object>) {}

    /// Answers a question: kinds that are not stored complete the object by what was asked for.
    fn answer(&self, _cx: &StrategyCx, _object: &mut Self::Object) -> Option<Result<(), Status>> {
        None
    }

    /// How long objects live without being written (events: an hour).
    fn time_to_live(&self) -> Option<std::time::Duration> {
        None
    }

    /// Replicas wanted, replicas there and the selector as text, for the `scale` subresource.
    fn scale(&self, _object: &Self::Object) -> Option<(i32, i32, String)> {
        None
    }

    /// Sets the replicas wanted, for the `scale` subresource.
    fn set_scale(&self, _object: &mut Self::Object, _replicas: i32) {}
}

/// [`Strategy`] without its type, as the pipeline uses it. Methods mean the same.
#[allow(missing_docs)]
pub trait DynStrategy {
    fn defaults(&self, object: &mut dyn Object);
    fn prepare_create(&self, cx: &StrategyCx, object: &mut dyn Object);
    fn prepare_update(&self, cx: &StrategyCx, new: &mut dyn Object, old: &dyn Object);
    fn prepare_status_update(&self, new: &mut dyn Object, old: &dyn Object);
    fn spec_changed(&self, new: &dyn Object, old: &dyn Object) -> Option<bool>;
    fn name_rule(&self) -> NameRule;
    fn validate(&self, cx: &StrategyCx, object: &dyn Object) -> Vec<FieldError>;
    fn validate_new(&self, cx: &StrategyCx, object: &dyn Object) -> Vec<FieldError>;
    fn validate_update(
        &self,
        cx: &StrategyCx,
        new: &dyn Object,
        old: &dyn Object,
    ) -> Vec<FieldError>;
    fn validate_status(&self, _new: &dyn Object, _old: &dyn Object) -> Vec<FieldError> {
        Vec::new()
    }
    fn allocate(
        &self,
        cx: &StrategyCx,
        object: &mut dyn Object,
        old: Option<&dyn Object>,
    ) -> Result<(), Status>;
    fn released(&self, cx: &StrategyCx, object: &dyn Object);
    fn grace(&self, object: &dyn Object, wanted: Option<i64>) -> Option<i64>;
    fn may_be_removed(&self, object: &dyn Object) -> bool;
    fn deletion_begins(&self, object: &mut dyn Object);
    fn field(&self, object: &dyn Object, path: &str) -> Option<String>;
    fn warnings(&self, object: &dyn Object, old: Option<&dyn Object>) -> Vec<String>;
    fn deprecated(&self) -> Option<&'static str>;
    fn worked_out(&self, _api: &ApiServer) -> Option<Vec<Box<dyn Object>>> {
        None
    }
    fn stored(&self, _cx: &StrategyCx, _object: &dyn Object, _old: Option<&dyn Object>) {}
    fn answer(&self, cx: &StrategyCx, object: &mut dyn Object) -> Option<Result<(), Status>>;
    fn time_to_live(&self) -> Option<std::time::Duration>;
    fn scale(&self, object: &dyn Object) -> Option<(i32, i32, String)>;
    fn set_scale(&self, object: &mut dyn Object, replicas: i32);
}

/// The type of an object is fixed by its kind, and a strategy only meets objects of its kind: a
/// failing downcast would be a bug, and the plain rule is the answer.
impl<S: Strategy> DynStrategy for S {
    fn defaults(&self, object: &mut dyn Object) {
        if let Some(o) = object.downcast_mut::<S::Object>() {
            Strategy::defaults(self, o);
        }
    }

    fn prepare_create(&self, cx: &StrategyCx, object: &mut dyn Object) {
        if let Some(o) = object.downcast_mut::<S::Object>() {
            Strategy::prepare_create(self, cx, o);
        }
    }

    fn prepare_update(&self, cx: &StrategyCx, new: &mut dyn Object, old: &dyn Object) {
        if let (Some(n), Some(o)) = (new.downcast_mut(), old.downcast()) {
            Strategy::prepare_update(self, cx, n, o);
        }
    }

    fn prepare_status_update(&self, new: &mut dyn Object, old: &dyn Object) {
        if let (Some(n), Some(o)) = (new.downcast_mut(), old.downcast()) {
            Strategy::prepare_status_update(self, n, o);
        }
    }

    fn spec_changed(&self, new: &dyn Object, old: &dyn Object) -> Option<bool> {
        Strategy::spec_changed(self, new.downcast()?, old.downcast()?)
    }

    fn name_rule(&self) -> NameRule {
        Strategy::name_rule(self)
    }

    fn validate(&self, cx: &StrategyCx, object: &dyn Object) -> Vec<FieldError> {
        object.downcast().map(|o| Strategy::validate(self, cx, o)).unwrap_or_default()
    }

    fn validate_new(&self, cx: &StrategyCx, object: &dyn Object) -> Vec<FieldError> {
        object.downcast().map(|o| Strategy::validate_new(self, cx, o)).unwrap_or_default()
    }

    fn validate_update(
        &self,
        cx: &StrategyCx,
        new: &dyn Object,
        old: &dyn Object,
    ) -> Vec<FieldError> {
        match (new.downcast(), old.downcast()) {
            (Some(n), Some(o)) => Strategy::validate_update(self, cx, n, o),
            _ => Vec::new(),
        }
    }

    fn validate_status(&self, new: &dyn Object, old: &dyn Object) -> Vec<FieldError> {
        match (new.downcast(), old.downcast()) {
            (Some(n), Some(o)) => Strategy::validate_status(self, n, o),
            _ => Vec::new(),
        }
    }

    fn allocate(
        &self,
        cx: &StrategyCx,
        object: &mut dyn Object,
        old: Option<&dyn Object>,
    ) -> Result<(), Status> {
        match object.downcast_mut() {
            Some(o) => Strategy::allocate(self, cx, o, old.and_then(|o| o.downcast())),
            None => Ok(()),
        }
    }

    fn released(&self, cx: &StrategyCx, object: &dyn Object) {
        if let Some(o) = object.downcast() {
            Strategy::released(self, cx, o);
        }
    }

    fn grace(&self, object: &dyn Object, wanted: Option<i64>) -> Option<i64> {
        Strategy::grace(self, object.downcast()?, wanted)
    }

    fn may_be_removed(&self, object: &dyn Object) -> bool {
        object.downcast().is_none_or(|o| Strategy::may_be_removed(self, o))
    }

    fn deletion_begins(&self, object: &mut dyn Object) {
        if let Some(o) = object.downcast_mut() {
            Strategy::deletion_begins(self, o);
        }
    }

    fn field(&self, object: &dyn Object, path: &str) -> Option<String> {
        Strategy::field(self, object.downcast()?, path)
    }

    fn warnings(&self, object: &dyn Object, old: Option<&dyn Object>) -> Vec<String> {
        let old = old.and_then(|o| o.downcast());
        object.downcast().map(|o| Strategy::warnings(self, o, old)).unwrap_or_default()
    }

    fn deprecated(&self) -> Option<&'static str> {
        Strategy::deprecated(self)
    }

    fn worked_out(&self, api: &ApiServer) -> Option<Vec<Box<dyn Object>>> {
        let made = Strategy::worked_out(self, api)?;
        Some(made.into_iter().map(|o| Box::new(o) as Box<dyn Object>).collect())
    }

    fn stored(&self, cx: &StrategyCx, object: &dyn Object, old: Option<&dyn Object>) {
        if let Some(object) = object.downcast() {
            Strategy::stored(self, cx, object, old.and_then(|o| o.downcast()));
        }
    }

    fn answer(&self, cx: &StrategyCx, object: &mut dyn Object) -> Option<Result<(), Status>> {
        Strategy::answer(self, cx, object.downcast_mut()?)
    }

    fn time_to_live(&self) -> Option<std::time::Duration> {
        Strategy::time_to_live(self)
    }

    fn scale(&self, object: &dyn Object) -> Option<(i32, i32, String)> {
        Strategy::scale(self, object.downcast()?)
    }

    fn set_scale(&self, object: &mut dyn Object, replicas: i32) {
        if let Some(o) = object.downcast_mut() {
            Strategy::set_scale(self, o, replicas);
        }
    }
}

/// The plain rules, for kinds that need no others.
pub struct Plain<T>(PhantomData<T>);

impl<T: Typed> Strategy for Plain<T> {
    type Object = T;
}

type Line = (KindId, fn() -> Rc<dyn DynStrategy>);

/// One line a kind that has rules of its own, sorted by the kind's name.
const STRATEGIES: &[Line] = &[
    (APIService::ID, || Rc::new(apiservice::ApiServices)),
    (Binding::ID, || Rc::new(components::Bindings)),
    (CSIDriver::ID, || Rc::new(csi::Drivers)),
    (CSINode::ID, || Rc::new(csi::Nodes)),
    (CSIStorageCapacity::ID, || Rc::new(csi::Capacities)),
    (CertificateSigningRequest::ID, || Rc::new(certificatesigningrequest::Requests)),
    (ClusterRole::ID, || Rc::new(rbac::ClusterRoles)),
    (ClusterRoleBinding::ID, || Rc::new(rbac::ClusterRoleBindings)),
    (ComponentStatus::ID, || Rc::new(components::ComponentStatuses)),
    (ConfigMap::ID, || Rc::new(configmap::ConfigMaps)),
    (ControllerRevision::ID, || Rc::new(controllerrevision::ControllerRevisions)),
    (CronJob::ID, || Rc::new(cronjob::CronJobs)),
    (CustomResourceDefinition::ID, || Rc::new(definition::Definitions)),
    (DaemonSet::ID, || Rc::new(daemonset::DaemonSets)),
    (Deployment::ID, || Rc::new(deployment::Deployments)),
    (DeviceClass::ID, || Rc::new(devices::Classes)),
    (EndpointSlice::ID, || Rc::new(endpointslice::EndpointSlices)),
    (Endpoints::ID, || Rc::new(endpoints::EndpointsRules)),
    (Event::ID, || Rc::new(event::Events)),
    (FlowSchema::ID, || Rc::new(flowcontrol::FlowSchemas)),
    (HorizontalPodAutoscaler::ID, || Rc::new(hpa::Autoscalers)),
    (IPAddress::ID, || Rc::new(addresses::IpAddresses)),
    (Ingress::ID, || Rc::new(networking::Ingresses)),
    (IngressClass::ID, || Rc::new(networking::IngressClasses)),
    (Job::ID, || Rc::new(job::Jobs)),
    (Lease::ID, || Rc::new(lease::Leases)),
    (LimitRange::ID, || Rc::new(quota::LimitRanges)),
    (LocalSubjectAccessReview::ID, || Rc::new(reviews::LocalSubjectAccess)),
    (MutatingAdmissionPolicy::ID, || Rc::new(policies::MutatingPolicies)),
    (MutatingAdmissionPolicyBinding::ID, || Rc::new(policies::MutatingBindings)),
    (MutatingWebhookConfiguration::ID, || Rc::new(registration::MutatingWebhooks)),
    (Namespace::ID, || Rc::new(namespace::Namespaces)),
    (NetworkPolicy::ID, || Rc::new(networking::NetworkPolicies)),
    (Node::ID, || Rc::new(node::Nodes)),
    (PersistentVolume::ID, || Rc::new(persistentvolume::PersistentVolumes)),
    (PersistentVolumeClaim::ID, || Rc::new(persistentvolumeclaim::PersistentVolumeClaims)),
    (Pod::ID, || Rc::new(pod::Pods)),
    (PodDisruptionBudget::ID, || Rc::new(poddisruptionbudget::PodDisruptionBudgets)),
    (PodTemplate::ID, || Rc::new(podtemplate::PodTemplates)),
    (PriorityClass::ID, || Rc::new(priorityclass::PriorityClasses)),
    (PriorityLevelConfiguration::ID, || Rc::new(flowcontrol::PriorityLevels)),
    (ReplicaSet::ID, || Rc::new(replicaset::ReplicaSets)),
    (ReplicationController::ID, || Rc::new(replicationcontroller::ReplicationControllers)),
    (ResourceClaim::ID, || Rc::new(devices::Claims)),
    (ResourceClaimTemplate::ID, || Rc::new(devices::Templates)),
    (ResourceQuota::ID, || Rc::new(quota::ResourceQuotas)),
    (ResourceSlice::ID, || Rc::new(devices::Slices)),
    (Role::ID, || Rc::new(rbac::Roles)),
    (RoleBinding::ID, || Rc::new(rbac::RoleBindings)),
    (RuntimeClass::ID, || Rc::new(runtimeclass::RuntimeClasses)),
    (Secret::ID, || Rc::new(secret::Secrets)),
    (SelfSubjectAccessReview::ID, || Rc::new(reviews::SelfSubjectAccess)),
    (SelfSubjectReview::ID, || Rc::new(reviews::SelfSubject)),
    (SelfSubjectRulesReview::ID, || Rc::new(reviews::SelfSubjectRules)),
    (Service::ID, || Rc::new(service::Services)),
    (ServiceAccount::ID, || Rc::new(serviceaccount::ServiceAccounts)),
    (ServiceCIDR::ID, || Rc::new(addresses::ServiceCidrs)),
    (StatefulSet::ID, || Rc::new(statefulset::StatefulSets)),
    (StorageClass::ID, || Rc::new(storageclass::StorageClasses)),
    (SubjectAccessReview::ID, || Rc::new(reviews::SubjectAccess)),
    (TokenReview::ID, || Rc::new(reviews::TokenReviews)),
    (ValidatingAdmissionPolicy::ID, || Rc::new(policies::ValidatingPolicies)),
    (ValidatingAdmissionPolicyBinding::ID, || Rc::new(policies::ValidatingBindings)),
    (ValidatingWebhookConfiguration::ID, || Rc::new(registration::ValidatingWebhooks)),
    (VolumeAttachment::ID, || Rc::new(csi::Attachments)),
    (VolumeAttributesClass::ID, || Rc::new(csi::AttributesClasses)),
];

/// The rules of every kind in the table, by place.
pub fn for_kinds(kinds: &KindTable) -> Vec<Rc<dyn DynStrategy>> {
    let plain: Rc<dyn DynStrategy> = Rc::new(Plain::<ConfigMap>(PhantomData));
    kinds
        .iter()
        .map(|kind| {
            let line = STRATEGIES.iter().find(|(id, _)| *id == kind.storage());
            line.map_or_else(|| plain.clone(), |(_, make)| make())
        })
        .collect()
}
