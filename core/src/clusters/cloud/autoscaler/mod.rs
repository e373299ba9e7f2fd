//! The cluster autoscaler: more machines for pods that find no room, fewer where they are idle.
//!
//! It looks every ten seconds while there is something to look at ([`SCAN`]), and sleeps while the
//! cluster is quiet. [`up`] adds machines, [`down`] takes them away, [`status`] says how it stands.
//! Whether a pod fits a machine is judged by resources, selectors and taints: what further filters
//! of the scheduler say of machines that are not there yet is not simulated.
//!
//! Models `kubernetes/autoscaler` (`cluster-autoscaler/core`) with its default options.

mod down;
mod status;
mod up;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::{Rc, Weak},
    time::Duration,
};

use k8s_openapi::{
    api::{
        core::v1::{ConfigMap, Node, NodeSpec, NodeStatus, Pod},
        policy::v1::PodDisruptionBudget,
    },
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::ObjectMeta},
};

use super::{Cloud, GROUP, SIZE, UNINITIALIZED, group_label, manager::TO_BE_DELETED};
use crate::{
    api::{KindId, Object, Status, Typed, meta::controller_of, pods, scheduling},
    client::{Change, Client, EventType, IndexId, Op, Recorder},
    controllers::framework::{Controller, Key, Queue},
    scheduler::resources::{Resources, of_pod},
    sim::Time,
};

/// How often it looks (`--scan-interval`).
const SCAN: Duration = Duration::from_secs(10);
/// Where it tells how it stands.
const STATUS: (&str, &str) = ("kube-system", "cluster-autoscaler-status");

/// The cluster autoscaler of a provider's cluster.
pub fn make(client: &Client, cloud: &Rc<Cloud>) -> Box<dyn Controller> {
    Box::new(Autoscaler {
        client: client.clone(),
        events: Recorder::new(client, "cluster-autoscaler", ""),
        pods: client.index::<Pod>(pods::by_node),
        waiting: client.index::<Pod>(unschedulable),
        cloud: Rc::downgrade(cloud),
        grown: Cell::new(None),
        refused: RefCell::default(),
        unneeded: RefCell::default(),
        leaving: RefCell::default(),
        looked: Cell::new(false),
    })
}

struct Autoscaler {
    client: Client,
    events: Recorder,
    pods: IndexId,
    waiting: IndexId,
    cloud: Weak<Cloud>,
    /// When machines were last added.
    grown: Cell<Option<Time>>,
    /// Pods that no machine would help, by uid: what was said of them.
    refused: RefCell<BTreeMap<String, String>>,
    /// Nodes that could go, and since when.
    unneeded: RefCell<BTreeMap<String, Time>>,
    /// Nodes that are being emptied.
    leaving: RefCell<BTreeMap<String, down::Leaving>>,
    /// Whether it has looked since it was started.
    looked: Cell<bool>,
}

/// A node, or a machine that is not there yet, and what is still free on it.
struct Room {
    node: Rc<Node>,
    free: Resources,
}

impl Room {
    fn takes(&self, pod: &Pod) -> bool {
        let Some(spec) = &pod.spec else { return false };
        self.misfit(pod).is_empty() && self.is_open(spec)
    }

    fn is_open(&self, spec: &k8s_openapi::api::core::v1::PodSpec) -> bool {
        let effects = ["NoSchedule", "NoExecute"];
        let taints = scheduling::taints(&self.node).iter();
        // What a node has while it starts is gone once it is there.
        let taints = taints.filter(|t| {
            t.key != UNINITIALIZED && !t.key.starts_with("node.kubernetes.io/not-ready")
        });
        scheduling::selects(spec, &self.node)
            && scheduling::untolerated(taints, scheduling::tolerations(spec), &effects).is_none()
    }

    /// What there is too little of for a pod, as the scheduler's reasons.
    fn misfit(&self, pod: &Pod) -> Vec<String> {
        let wanted = of_pod(pod, false);
        let mut lacking = Vec::new();
        if self.free.pods < 1 {
            lacking.push("Too many pods".to_string());
        }
        for (name, free, wanted) in [
            ("cpu", self.free.cpu, wanted.cpu),
            ("memory", self.free.memory, wanted.memory),
            ("ephemeral-storage", self.free.storage, wanted.storage),
        ] {
            if wanted > 0 && wanted > free {
                lacking.push(format!("Insufficient {name}"));
            }
        }
        for (name, wanted) in wanted.scalar.iter().filter(|(_, n)| **n > 0) {
            if *wanted > self.free.scalar.get(name).copied().unwrap_or(0) {
                lacking.push(format!("Insufficient {name}"));
            }
        }
        lacking
    }

    fn put(&mut self, pod: &Pod) {
        self.free.sub(&of_pod(pod, false));
        self.free.pods -= 1;
    }
}

/// What a scan found.
struct View {
    /// Nodes that are there.
    rooms: Vec<Room>,
    /// Machines that are on their way.
    upcoming: usize,
    /// Pods that found no room, oldest first.
    waiting: Vec<Rc<Pod>>,
}

fn is_ready(node: &Node) -> bool {
    let conditions = node.status.as_ref().and_then(|s| s.conditions.as_ref());
    conditions.into_iter().flatten().any(|c| c.type_ == "Ready" && c.status == "True")
}

fn is_daemon(pod: &Pod) -> bool {
    controller_of(&pod.metadata).is_some_and(|o| o.kind == "DaemonSet")
}

/// Whether the scheduler found no node for a pod.
fn is_unschedulable(pod: &Pod) -> bool {
    let condition = pods::condition(pod, "PodScheduled");
    pods::node_name(pod).is_empty()
        && pod.metadata.deletion_timestamp.is_none()
        && condition
            .is_some_and(|c| c.status == "False" && c.reason.as_deref() == Some("Unschedulable"))
}

const WAITING: &str = "waiting";

/// Index: pods that the scheduler found no node for.
fn unschedulable(object: &dyn Object) -> Vec<String> {
    let waits = object.downcast::<Pod>().is_some_and(is_unschedulable);
    if waits { vec![WAITING.into()] } else { Vec::new() }
}

impl Autoscaler {
    fn now(&self) -> Time {
        self.client.sim().now()
    }

    fn view(&self, cloud: &Cloud) -> View {
        let nodes = self.client.list::<Node>(None);
        let known: Vec<&str> = nodes.iter().map(|n| (&**n as &dyn Object).name()).collect();
        let machines = cloud.machines();
        // A machine that is there and not a ready node yet counts as one that will be.
        let upcoming = machines.iter().filter(|m| !known.contains(&m.as_str())).count()
            + nodes.iter().filter(|n| self.is_own(cloud, n) && !is_ready(n)).count();
        let rooms = nodes.iter().filter(|n| is_ready(n)).map(|n| self.room(n)).collect();
        let mut waiting = self.client.by_index::<Pod>(self.waiting, WAITING);
        waiting.retain(|p| !is_daemon(p));
        waiting.sort_by_key(|p| (p.metadata.creation_timestamp.clone(), p.metadata.uid.clone()));
        View { rooms, upcoming, waiting }
    }

    /// Whether a node is of the group, with a machine behind it.
    fn is_own(&self, cloud: &Cloud, node: &Node) -> bool {
        cloud.instance((node as &dyn Object).name()).is_some()
    }

    fn on_node(&self, node: &str) -> Vec<Rc<Pod>> {
        let mut all = self.client.by_index::<Pod>(self.pods, node);
        all.retain(|p| !pods::is_terminal(p));
        all
    }

    fn room(&self, node: &Rc<Node>) -> Room {
        let status = node.status.as_ref();
        let mut room = Room {
            node: node.clone(),
            free: Resources::of(status.and_then(|s| s.allocatable.as_ref())),
        };
        for pod in self.on_node((&**node as &dyn Object).name()) {
            room.put(&pod);
        }
        room
    }

    /// A machine of the group as a node, with the daemons that it would have.
    fn template(&self, view: &View) -> Room {
        let (key, value) = group_label();
        let list = |n: u64, unit: &str| Quantity(format!("{n}{unit}"));
        let has: BTreeMap<String, Quantity> = [
            ("cpu", list(u64::from(SIZE.cpus), "")),
            ("memory", list(SIZE.memory_mib, "Mi")),
            ("pods", list(110, "")),
            ("ephemeral-storage", list(100, "Gi")),
        ]
        .map(|(name, n)| (name.to_string(), n))
        .into();
        let usual = [
            ("kubernetes.io/arch", "amd64"),
            ("kubernetes.io/os", "linux"),
            ("node.kubernetes.io/instance-type", super::MACHINE_TYPE),
            ("topology.kubernetes.io/region", super::REGION),
        ];
        let usual = usual.into_iter().map(|(k, v)| (k.to_string(), v.to_string()));
        let node = Node {
            metadata: ObjectMeta {
                name: Some(format!("template-node-for-{GROUP}")),
                labels: Some(usual.chain([(key, value)]).collect()),
                ..Default::default()
            },
            spec: Some(NodeSpec::default()),
            status: Some(NodeStatus { allocatable: Some(has.clone()), ..Default::default() }),
        };
        let mut room = Room { node: Rc::new(node), free: Resources::of(Some(&has)) };
        // The daemons of the node that is there are those of the next one.
        if let Some(like) = view.rooms.first() {
            let name = (&*like.node as &dyn Object).name();
            for pod in self.on_node(name).iter().filter(|p| is_daemon(p)) {
                room.put(pod);
            }
        }
        room
    }

    fn tell(&self, about: &dyn Object, reason: &str, text: &str) {
        self.events.event(about, EventType::Normal, reason, text);
    }

    /// Tells something about the cluster: at the object that says how it stands.
    fn announce(&self, reason: &str, text: &str) {
        if let Some(map) = self.client.find::<ConfigMap>(STATUS.0, STATUS.1) {
            self.tell(&*map, reason, text);
        }
    }
}

impl Controller for Autoscaler {
    fn name(&self) -> &'static str {
        "cluster-autoscaler"
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![Node::ID, Pod::ID, PodDisruptionBudget::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        let old = change.old.as_ref();
        let moves = if let Some(pod) = change.object.downcast::<Pod>() {
            // A pod matters when it waits, when it comes to a node and when it goes.
            let of = |p: &Pod| {
                let annotations = p.metadata.annotations.clone();
                let (node, ended) = (pods::node_name(p).to_string(), pods::is_terminal(p));
                (node, ended, is_unschedulable(p), annotations)
            };
            let old = old.and_then(|o| o.downcast::<Pod>());
            change.op == Op::Deleted || old.is_none_or(|old| of(old) != of(pod))
        } else if let Some(node) = change.object.downcast::<Node>() {
            let of = |n: &Node| (is_ready(n), n.metadata.annotations.clone());
            let old = old.and_then(|o| o.downcast::<Node>());
            change.op == Op::Deleted || old.is_none_or(|old| of(old) != of(node))
        } else {
            // A budget decides which pods may be moved.
            true
        };
        if moves {
            let now = self.now().as_micros();
            let next = (now + 1).next_multiple_of(SCAN.as_micros() as u64);
            queue.add_after(("".into(), "scan".into()), Duration::from_micros(next - now));
        }
    }

    fn reconcile(&self, _: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        let Some(cloud) = self.cloud.upgrade() else { return Ok(None) };
        if !self.looked.replace(true) {
            self.take_back()?;
        }
        let view = self.view(&cloud);
        status::write(self, &cloud, &view)?;
        let grew = self.grow(&cloud, &view)?;
        let busy = self.shrink(&cloud, &view)?;
        if grew {
            let view = self.view(&cloud);
            status::write(self, &cloud, &view)?;
        }
        Ok((busy || view.upcoming > 0 || grew).then_some(SCAN))
    }
}

/// Whether a node is on its way out.
fn is_leaving(node: &Node) -> bool {
    scheduling::taints(node).iter().any(|t| t.key == TO_BE_DELETED)
}
