//! `kubectl describe`: an object, what belongs to it and what happened to it, to be read.
//!
//! One file a kind (or family), one line in [`DESCRIBERS`]; kinds without a line are shown field by
//! field ([`generic`]). Finding objects by name, prefix or label is the verb's work.
//!
//! Models `k8s.io/kubectl/pkg/describe/describe.go`.

mod addresses;
mod certificate;
mod common;
mod configmap;
mod containers;
mod cronjob;
mod csi;
mod daemonset;
mod deployment;
mod endpoints;
mod endpointslice;
mod events;
mod generic;
mod hpa;
mod ingress;
mod job;
mod namespace;
mod networkpolicy;
mod node;
mod persistentvolume;
mod persistentvolumeclaim;
mod pod;
mod poddisruptionbudget;
mod priorityclass;
mod quota;
pub mod rbac;
mod replicaset;
mod replicationcontroller;
mod secret;
mod service;
mod serviceaccount;
mod statefulset;
mod storageclass;
mod template;
#[cfg(test)]
mod tests;
mod volumes;

use std::fmt::Display;

use k8s_openapi::api::{
    apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet},
    autoscaling::v2::HorizontalPodAutoscaler,
    batch::v1::{CronJob, Job},
    certificates::v1::CertificateSigningRequest,
    core::v1::{
        ConfigMap, Endpoints, LimitRange, Namespace, Node, PersistentVolume, PersistentVolumeClaim,
        Pod, ReplicationController, ResourceQuota, Secret, Service, ServiceAccount,
    },
    discovery::v1::EndpointSlice,
    networking::v1::{IPAddress, Ingress, IngressClass, NetworkPolicy, ServiceCIDR},
    policy::v1::PodDisruptionBudget,
    rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding},
    scheduling::v1::PriorityClass,
    storage::v1::{CSINode, StorageClass, VolumeAttributesClass},
};

use super::print::tabwriter::Tabwriter;
use crate::{
    api::{KindId, Object, Status, Typed},
    client::Client,
    sim::Time,
};

/// What a describer may look at besides the object.
pub struct Cx<'a> {
    /// To read other objects.
    pub client: &'a Client,
    /// Now, for ages.
    pub now: Time,
    /// Whether the object's events are wanted.
    pub show_events: bool,
}

/// Text with levels of indentation, two blanks each; tabs line up.
pub struct Writer(Tabwriter);

impl Writer {
    fn new() -> Self {
        Writer(Tabwriter::describe())
    }

    /// Writes at a level. The text brings its own end of line.
    pub fn put(&mut self, level: usize, text: impl Display) {
        self.0.write(&"  ".repeat(level));
        self.0.write(&text.to_string());
    }

    fn finish(mut self) -> String {
        self.0.flush()
    }
}

type Describer = fn(&Cx, &dyn Object, &mut Writer);

/// One line a kind, sorted by the kind's name.
const DESCRIBERS: &[(KindId, Describer)] = &[
    (CSINode::ID, csi::node),
    (CertificateSigningRequest::ID, certificate::describe),
    (ClusterRole::ID, rbac::cluster_role),
    (ClusterRoleBinding::ID, rbac::cluster_role_binding),
    (ConfigMap::ID, configmap::describe),
    (CronJob::ID, cronjob::describe),
    (DaemonSet::ID, daemonset::describe),
    (Deployment::ID, deployment::describe),
    (EndpointSlice::ID, endpointslice::describe),
    (Endpoints::ID, endpoints::describe),
    (HorizontalPodAutoscaler::ID, hpa::describe),
    (IPAddress::ID, addresses::address),
    (Ingress::ID, ingress::describe),
    (IngressClass::ID, ingress::class),
    (Job::ID, job::describe),
    (LimitRange::ID, quota::limit_range),
    (Namespace::ID, namespace::describe),
    (NetworkPolicy::ID, networkpolicy::describe),
    (Node::ID, node::describe),
    (PersistentVolume::ID, persistentvolume::describe),
    (PersistentVolumeClaim::ID, persistentvolumeclaim::describe),
    (Pod::ID, pod::describe),
    (PodDisruptionBudget::ID, poddisruptionbudget::describe),
    (PriorityClass::ID, priorityclass::describe),
    (ReplicaSet::ID, replicaset::describe),
    (ReplicationController::ID, replicationcontroller::describe),
    (ResourceQuota::ID, quota::quota),
    (Role::ID, rbac::role),
    (RoleBinding::ID, rbac::role_binding),
    (Secret::ID, secret::describe),
    (Service::ID, service::describe),
    (ServiceAccount::ID, serviceaccount::describe),
    (ServiceCIDR::ID, addresses::cidr),
    (StatefulSet::ID, statefulset::describe),
    (StorageClass::ID, storageclass::describe),
    (VolumeAttributesClass::ID, csi::attributes_class),
];

/// A pod template as it is described, its cells separated by tabs. Errors: it is no template.
pub fn template_text(template: serde_json::Value) -> Result<String, String> {
    let template = crate::api::object::from_value(template).map_err(|e| e.to_string())?;
    let mut w = Writer(Tabwriter::raw());
    template::show(Some(&template), &mut w);
    Ok(w.finish())
}

/// Describes one object. Errors: NotFound.
pub fn describe(
    client: &Client,
    kind: KindId,
    namespace: &str,
    name: &str,
    show_events: bool,
) -> Result<String, Status> {
    let object = client.get_any(kind, namespace, name)?;
    let cx = Cx { client, now: client.sim().now(), show_events };
    let mut w = Writer::new();
    let line = DESCRIBERS.iter().find(|(id, _)| *id == kind);
    line.map_or(generic::describe as Describer, |(_, d)| *d)(&cx, &*object, &mut w);
    Ok(w.finish())
}
