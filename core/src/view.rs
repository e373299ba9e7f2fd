//! The plain data that leaves the engine: what a page shows of a cluster and of a lesson.
//!
//! Rows are keyed by uid and sent as changes, so that a cluster of thousands of pods costs what
//! changed and not what exists. Words (`STATUS`, reasons) are the ones kubectl prints.

mod explain;

use serde::{Deserialize, Serialize};

pub use explain::{NodeVerdict, Placement, Reason, Score, Step, Trace, Warning, Why};

/// One change of the picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ViewChange {
    /// A row is new or different.
    Upsert(Row),
    /// The row with this uid is gone.
    Remove {
        /// Which.
        uid: String,
    },
    /// The cluster as a whole changed.
    Cluster(ClusterView),
    /// Everything is gone (the cluster was deleted); rows follow anew.
    Clear,
}

/// The cluster as a whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClusterView {
    /// Its name (`minikube`), empty where there is none.
    pub name: String,
    /// `Absent`, `Starting`, `Running` or `Stopped`.
    pub state: String,
    /// `v1.36.2`.
    pub version: String,
    /// Simulated time, milliseconds since the Unix epoch, at which the picture was taken.
    pub now_ms: u64,
}

/// A row of the picture. Times are milliseconds since the Unix epoch, simulated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Row {
    /// A node.
    Node(NodeRow),
    /// A pod.
    Pod(PodRow),
    /// What owns pods: Deployment, ReplicaSet, DaemonSet, Job …
    Workload(WorkloadRow),
    /// A service with its routing table.
    Service(ServiceRow),
    /// An event.
    Event(EventRow),
}

impl Row {
    /// The object's uid.
    pub fn uid(&self) -> &str {
        match self {
            Row::Node(r) => &r.uid,
            Row::Pod(r) => &r.uid,
            Row::Workload(r) => &r.uid,
            Row::Service(r) => &r.uid,
            Row::Event(r) => &r.uid,
        }
    }
}

/// A node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeRow {
    /// Identity.
    pub uid: String,
    /// Name.
    pub name: String,
    /// As kubectl's STATUS: `Ready`, `NotReady`, `Ready,SchedulingDisabled`.
    pub status: String,
    /// As kubectl's ROLES.
    pub roles: String,
    /// Internal address.
    pub address: String,
    /// Allocatable CPU in thousandths of a core, and what pods on it request.
    pub cpu_milli: (u64, u64),
    /// Allocatable memory in bytes, and what pods on it request.
    pub memory: (u64, u64),
}

/// A pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PodRow {
    /// Identity.
    pub uid: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// As kubectl's STATUS: `Running`, `ContainerCreating`, `CrashLoopBackOff` …
    pub status: String,
    /// Containers ready, and containers in all.
    pub ready: (u32, u32),
    /// Restarts of all containers.
    pub restarts: u32,
    /// Name of its node, empty while unscheduled.
    pub node: String,
    /// Its address, empty while it has none.
    pub ip: String,
    /// uid of the controller that owns it, empty if none.
    pub owner: String,
    /// Creation.
    pub created_ms: u64,
    /// Images of its containers.
    pub images: Vec<String>,
    /// Labels, sorted.
    pub labels: Vec<(String, String)>,
}

/// What owns pods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkloadRow {
    /// Identity.
    pub uid: String,
    /// `Deployment`, `ReplicaSet` …
    pub kind: String,
    /// Plural with group: `deployments.apps`.
    pub resource: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// uid of its own controller, empty if none.
    pub owner: String,
    /// Replicas wanted.
    pub desired: u32,
    /// Replicas that are ready.
    pub ready: u32,
    /// Replicas that exist.
    pub current: u32,
    /// Revision annotation, 0 where it has none.
    pub revision: u32,
    /// Creation.
    pub created_ms: u64,
}

/// A service with its routing table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServiceRow {
    /// Identity.
    pub uid: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// `ClusterIP`, `NodePort`, `LoadBalancer`, `ExternalName`.
    pub kind: String,
    /// Cluster address, `None` for headless.
    pub cluster_ip: String,
    /// As kubectl's EXTERNAL-IP.
    pub external_ip: String,
    /// As kubectl's PORT(S).
    pub ports: String,
    /// The selector, sorted.
    pub selector: Vec<(String, String)>,
    /// Addresses that are there a way to open in the browser pane (`http://192.168.49.2:32201`).
    pub urls: Vec<String>,
    /// One line for each endpoint, ready or not, sorted by address; draining ones until they are gone.
    pub routes: Vec<RouteRow>,
}

/// One line of a routing table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RouteRow {
    /// Address of the pod.
    pub ip: String,
    /// Port that is asked.
    pub port: u16,
    /// Pod's name, empty if none.
    pub pod: String,
    /// `ready`, `not ready`, `terminating`.
    pub state: String,
    /// Requests sent there so far.
    pub requests: u64,
    /// Connections open now.
    pub open: u32,
}

/// An event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EventRow {
    /// Identity.
    pub uid: String,
    /// Namespace.
    pub namespace: String,
    /// `Normal` or `Warning`.
    pub kind: String,
    /// `Scheduled`, `Pulling` …
    pub reason: String,
    /// `pod/web-1`.
    pub object: String,
    /// The message.
    pub message: String,
    /// How often.
    pub count: u32,
    /// When last.
    pub last_ms: u64,
}

/// The lesson panel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LessonView {
    /// Everything there is to learn, in order.
    pub catalogue: Vec<CatalogueEntry>,
    /// Id of the open lesson, empty if none.
    pub id: String,
    /// Its title.
    pub title: String,
    /// What it is about; Markdown.
    pub intro: String,
    /// Commands that lead to where it begins, for who did not do the lessons before.
    pub setup: Vec<String>,
    /// Its steps, in order.
    pub steps: Vec<StepView>,
    /// Index of the step the learner is at; `steps.len()` when all hold.
    pub current: usize,
}

/// A lesson in the catalogue.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CatalogueEntry {
    /// Id.
    pub id: String,
    /// Title.
    pub title: String,
    /// The course it belongs to.
    pub course: String,
    /// Rows of the inventory that it covers (`P8`).
    pub rows: Vec<String>,
    /// Steps done and steps in all.
    pub done: (usize, usize),
}

/// A step of a lesson.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepView {
    /// Short title.
    pub title: String,
    /// What to do and why; Markdown.
    pub text: String,
    /// The command to type, with placeholders filled in from the cluster's state; empty if none.
    pub command: String,
    /// Whether its check holds (or held when the learner was there).
    pub done: bool,
    /// What is still missing, in words (`1 of 3 replicas ready`); empty once done.
    pub missing: String,
    /// Hints shown so far, vague to exact.
    pub hints: Vec<String>,
    /// How many hints there are.
    pub hints_total: usize,
    /// What happened and why, shown once done; Markdown.
    pub after: String,
}
