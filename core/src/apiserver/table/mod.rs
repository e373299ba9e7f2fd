//! Tables: the columns in which the server shows a kind (`Accept: …;as=Table`).
//!
//! One file a kind (or family), one line in [`PRINTERS`]; a kind without a line shows NAME and
//! its age. Models `pkg/printers/internalversion/printers.go`.

mod batch;
pub mod certificate;
mod csi;
mod data;
mod endpoints;
mod event;
mod extensions;
mod hpa;
pub mod networking;
mod node;
pub mod pod;
mod policy;
mod rbac;
mod service;
mod storage;
#[cfg(test)]
mod tests;
mod workloads;

use k8s_openapi::{
    api::{
        admissionregistration::v1::{
            MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding, MutatingWebhookConfiguration,
            ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
            ValidatingWebhookConfiguration,
        },
        apps::v1::{ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet},
        autoscaling::v2::HorizontalPodAutoscaler,
        batch::v1::{CronJob, Job},
        certificates::v1::CertificateSigningRequest,
        coordination::v1::Lease,
        core::v1::{
            ComponentStatus, ConfigMap, Endpoints, Event, LimitRange, Namespace, Node,
            PersistentVolume, PersistentVolumeClaim, Pod, PodTemplate, ReplicationController,
            ResourceQuota, Secret, Service, ServiceAccount,
        },
        discovery::v1::EndpointSlice,
        flowcontrol::v1::{FlowSchema, PriorityLevelConfiguration},
        networking::v1::{IPAddress, Ingress, IngressClass, NetworkPolicy, ServiceCIDR},
        node::v1::RuntimeClass,
        policy::v1::PodDisruptionBudget,
        rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding},
        resource::v1::{ResourceClaim, ResourceSlice},
        scheduling::v1::PriorityClass,
        storage::v1::{
            CSIDriver, CSINode, CSIStorageCapacity, StorageClass, VolumeAttachment,
            VolumeAttributesClass,
        },
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    apimachinery::pkg::apis::meta::v1::Time as MetaTime,
    kube_aggregator::pkg::apis::apiregistration::v1::APIService,
};

use super::{ApiServer, custom::Custom};
use crate::{
    api::{KindId, ObjRef, Object, Typed},
    sim::Time,
};

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// As the table carries it (`Name`, `Ready`); kubectl prints it in capitals.
    pub name: &'static str,
    /// 0: always shown; 1: with `-o wide`.
    pub priority: u8,
}

/// A kind's columns and how an object fills them.
pub struct Printer {
    /// The columns, `Name` first.
    pub columns: &'static [Column],
    /// One cell a column.
    pub row: fn(&RowCx, &dyn Object) -> Vec<String>,
}

/// What a row may look at besides the object.
pub struct RowCx {
    /// Now, for ages.
    pub now: Time,
}

/// Objects as a table.
pub struct Table {
    /// Columns, all priorities.
    pub columns: Vec<Column>,
    /// One row an object.
    pub rows: Vec<Row>,
}

/// A row.
pub struct Row {
    /// One cell a column.
    pub cells: Vec<String>,
    /// The object.
    pub object: ObjRef,
}

/// One line a kind, sorted by the kind's name.
const PRINTERS: &[(KindId, Printer)] = &[
    (APIService::ID, extensions::API_SERVICE),
    (CSIDriver::ID, csi::DRIVER),
    (CSINode::ID, csi::NODE),
    (CSIStorageCapacity::ID, csi::CAPACITY),
    (CertificateSigningRequest::ID, certificate::REQUEST),
    (ClusterRole::ID, rbac::ROLE),
    (ClusterRoleBinding::ID, rbac::CLUSTER_ROLE_BINDING),
    (ComponentStatus::ID, extensions::COMPONENT),
    (ConfigMap::ID, data::CONFIG_MAP),
    (ControllerRevision::ID, workloads::CONTROLLER_REVISION),
    (CronJob::ID, batch::CRON_JOB),
    (CustomResourceDefinition::ID, data::DEFINITION),
    (DaemonSet::ID, workloads::DAEMON_SET),
    (Deployment::ID, workloads::DEPLOYMENT),
    (EndpointSlice::ID, endpoints::ENDPOINT_SLICE),
    (Endpoints::ID, endpoints::ENDPOINTS),
    (Event::ID, event::EVENT),
    (FlowSchema::ID, extensions::FLOW_SCHEMA),
    (HorizontalPodAutoscaler::ID, hpa::AUTOSCALER),
    (IPAddress::ID, extensions::IP_ADDRESS),
    (Ingress::ID, networking::INGRESS),
    (IngressClass::ID, networking::INGRESS_CLASS),
    (Job::ID, batch::JOB),
    (Lease::ID, data::LEASE),
    (LimitRange::ID, policy::LIMIT_RANGE),
    (MutatingAdmissionPolicy::ID, extensions::MUTATING_POLICY),
    (MutatingAdmissionPolicyBinding::ID, extensions::MUTATING_BINDING),
    (MutatingWebhookConfiguration::ID, extensions::MUTATING_WEBHOOK),
    (Namespace::ID, data::NAMESPACE),
    (NetworkPolicy::ID, networking::NETWORK_POLICY),
    (Node::ID, node::NODE),
    (PersistentVolume::ID, storage::PERSISTENT_VOLUME),
    (PersistentVolumeClaim::ID, storage::PERSISTENT_VOLUME_CLAIM),
    (Pod::ID, pod::POD),
    (PodDisruptionBudget::ID, policy::POD_DISRUPTION_BUDGET),
    (PodTemplate::ID, policy::POD_TEMPLATE),
    (PriorityClass::ID, data::PRIORITY_CLASS),
    (PriorityLevelConfiguration::ID, extensions::PRIORITY_LEVEL),
    (ReplicaSet::ID, workloads::REPLICA_SET),
    (ReplicationController::ID, workloads::REPLICATION_CONTROLLER),
    (ResourceClaim::ID, extensions::CLAIM),
    (ResourceQuota::ID, policy::RESOURCE_QUOTA),
    (ResourceSlice::ID, extensions::SLICE),
    (Role::ID, rbac::ROLE),
    (RoleBinding::ID, rbac::ROLE_BINDING),
    (RuntimeClass::ID, extensions::RUNTIME_CLASS),
    (Secret::ID, data::SECRET),
    (Service::ID, service::SERVICE),
    (ServiceAccount::ID, data::SERVICE_ACCOUNT),
    (ServiceCIDR::ID, extensions::SERVICE_CIDR),
    (StatefulSet::ID, workloads::STATEFUL_SET),
    (StorageClass::ID, storage::STORAGE_CLASS),
    (ValidatingAdmissionPolicy::ID, extensions::VALIDATING_POLICY),
    (ValidatingAdmissionPolicyBinding::ID, extensions::VALIDATING_BINDING),
    (ValidatingWebhookConfiguration::ID, extensions::VALIDATING_WEBHOOK),
    (VolumeAttachment::ID, csi::ATTACHMENT),
    (VolumeAttributesClass::ID, csi::ATTRIBUTES),
];

/// A column that is always shown.
const fn col(name: &'static str) -> Column {
    Column { name, priority: 0 }
}

/// A column of `-o wide`.
const fn wide(name: &'static str) -> Column {
    Column { name, priority: 1 }
}

impl ApiServer {
    /// Objects of one kind as a table.
    pub fn table(&self, kind: KindId, objects: &[ObjRef]) -> Table {
        if let Some(custom) = self.custom(kind) {
            return self.custom_table(&custom, objects);
        }
        let stored = self.storage_of(kind);
        let converted = (stored != kind).then(|| self.stored_forms(objects));
        let read = converted.as_deref().unwrap_or(objects);
        let printer = PRINTERS.iter().find(|(id, _)| *id == stored).map_or(&PLAIN, |(_, p)| p);
        self.printed(printer, read, objects)
    }

    /// Names and ages alone, as clients show what has no columns of its own.
    pub fn plain_table(&self, objects: &[ObjRef]) -> Table {
        self.printed(&PLAIN, objects, objects)
    }

    /// One row an object; cells are read from the objects' stored forms.
    fn printed(&self, printer: &Printer, read: &[ObjRef], objects: &[ObjRef]) -> Table {
        let cx = RowCx { now: self.sim().now() };
        Table {
            columns: printer.columns.to_vec(),
            rows: read
                .iter()
                .zip(objects)
                .map(|(o, shown)| Row { cells: (printer.row)(&cx, &**o), object: shown.clone() })
                .collect(),
        }
    }
}

impl ApiServer {
    fn custom_table(&self, custom: &Custom, objects: &[ObjRef]) -> Table {
        let cx = RowCx { now: self.sim().now() };
        let columns = custom.columns.iter().map(|(column, ..)| *column);
        Table {
            columns: std::iter::once(col("Name")).chain(columns).collect(),
            rows: objects
                .iter()
                .map(|o| Row { cells: custom.row(&cx, &**o), object: o.clone() })
                .collect(),
        }
    }
}

const PLAIN: Printer = Printer {
    columns: &[Column { name: "Name", priority: 0 }, Column { name: "Age", priority: 0 }],
    row: |cx, object| vec![object.name().to_string(), age(cx, object)],
};

/// An object's age as tables show it; `<unknown>` without a creation time.
pub fn age(cx: &RowCx, object: &dyn Object) -> String {
    ago(cx, object.metadata().creation_timestamp.as_ref())
}

/// When an object was made, in full.
pub fn created_at(object: &dyn Object) -> String {
    let time = object.metadata().creation_timestamp.as_ref();
    time.map_or("<unknown>".into(), |t| t.0.to_string())
}

/// How long ago something was; `<unknown>` if it never was.
pub fn ago(cx: &RowCx, time: Option<&MetaTime>) -> String {
    time.map_or("<unknown>".into(), |t| crate::api::duration::human(cx.now.since(Time::from(t))))
}

/// `<none>` for nothing.
pub fn or_none(text: String) -> String {
    if text.is_empty() { "<none>".into() } else { text }
}

/// Labels as `a=b,c=d`; `<none>` if there are none.
pub fn labels(labels: Option<&std::collections::BTreeMap<String, String>>) -> String {
    let pairs = labels.into_iter().flatten().map(|(key, value)| format!("{key}={value}"));
    or_none(pairs.collect::<Vec<_>>().join(","))
}
