//! The kubelet: makes a machine a node and its containers what the API server says.
//!
//! Reading order: [`plan`] (decides, pure), `worker.rs` (one per pod, when anything happens),
//! `act.rs`, `start.rs`, `kill.rs` (do what was decided and take their time), `status.rs` (tells the API
//! server), `probes.rs`, `volumes/`, `node.rs`, `agent.rs` (logs and exec).
//!
//! Nothing polls: pods come from a subscription that all kubelets share ([`Hub`]), containers' ends
//! from the engine, everything else from timers. The real kubelet's relist period is a delay here.
//!
//! Invariant: what runs is found in the engine, what should run in the API server; a kubelet that is
//! started anew goes on from these two alone.

mod act;
mod admission;
mod agent;
mod backoff;
mod drivers;
mod endpoints;
mod env;
mod files;
mod hub;
mod images;
mod kill;
mod node;
mod node_status;
pub mod plan;
mod probes;
mod resources;
mod start;
mod static_pods;
mod status;
#[cfg(test)]
mod tests;
mod volumes;
mod worker;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    net::Ipv4Addr,
    rc::{Rc, Weak},
};

use k8s_openapi::api::core::v1::{Pod, Taint};

pub use hub::Hub;
pub use plan::Plan;
pub use volumes::NodeDriver;

use crate::{
    client::{Client, Recorder},
    fabric::{Cidr, Endpoint},
    machine::Machine,
    runtime::{Container, Engine, EngineWatch, EventKind, PodLabels},
    sim::{Cause, Sim, TaskHandle, TimerId},
};

/// What a kubelet is started with.
pub struct KubeletConfig {
    /// Its door to the API server (`system:node:<name>`).
    pub client: Client,
    /// What the kubelets of one cluster share.
    pub hub: Rc<Hub>,
    /// The node's name.
    pub node_name: String,
    /// The machine it runs on, with its network endpoint on it.
    pub machine: Rc<Machine>,
    /// The machine's container engine.
    pub engine: Engine,
    /// The addresses of its pods; `None` to wait for the node's `spec.podCIDR`.
    pub pod_cidr: Option<Cidr>,
    /// What the machine has.
    pub capacity: Capacity,
    /// Labels of the node beside the usual ones.
    pub labels: BTreeMap<String, String>,
    /// Taints it registers with.
    pub taints: Vec<Taint>,
    /// Pods it runs without being told (`/etc/kubernetes/manifests`).
    pub static_pods: Vec<Pod>,
    /// The address of the cluster's DNS.
    pub cluster_dns: Option<Ipv4Addr>,
    /// `cluster.local`.
    pub cluster_domain: String,
    /// What `status.nodeInfo.osImage` says.
    pub os_image: String,
    /// `v1.36.2`.
    pub version: String,
}

/// What a machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Processors.
    pub cpus: u32,
    /// Bytes of memory.
    pub memory: u64,
    /// Bytes of disk.
    pub storage: u64,
    /// The most pods.
    pub pods: u32,
}

impl Default for Capacity {
    /// An ordinary laptop's, as minikube finds it.
    fn default() -> Self {
        Capacity { cpus: 2, memory: 8 << 30, storage: 64 << 30, pods: 110 }
    }
}

/// A kubelet that runs. Dropping it is as killing the process: containers go on without it, probes
/// don't, and another kubelet on the same machine takes over.
pub struct Kubelet(Rc<Inner>);

/// A pod's uid.
type Uid = Rc<str>;

struct Inner {
    me: Weak<Inner>,
    sim: Sim,
    client: Client,
    recorder: Recorder,
    hub: Rc<Hub>,
    node: Rc<str>,
    machine: Rc<Machine>,
    endpoint: Option<Endpoint>,
    engine: Engine,
    config: Settings,
    alive: Cell<bool>,
    workers: RefCell<BTreeMap<Uid, Rc<worker::Worker>>>,
    /// The engine's containers by pod, newest first.
    containers: RefCell<BTreeMap<Uid, Vec<Rc<Container>>>>,
    relist: RefCell<Relist>,
    /// What containers used so far, by id.
    usage: RefCell<BTreeMap<String, endpoints::Used>>,
    image_backoff: RefCell<backoff::Backoff>,
    crash_backoff: RefCell<backoff::Backoff>,
    pulls: images::PullQueue,
    node_state: RefCell<node::NodeState>,
    static_pods: RefCell<static_pods::StaticPods>,
    watch: RefCell<Option<EngineWatch>>,
    tasks: RefCell<Vec<TaskHandle>>,
    timers: RefCell<BTreeMap<&'static str, TimerId>>,
    /// Claims of devices that are prepared here, as `namespace/name`.
    claims: RefCell<BTreeMap<String, drivers::Prepared>>,
}

struct Settings {
    capacity: Capacity,
    labels: BTreeMap<String, String>,
    taints: Vec<Taint>,
    pod_cidr: Cell<Option<Cidr>>,
    cluster_dns: Option<Ipv4Addr>,
    cluster_domain: String,
    os_image: String,
    version: String,
}

/// Pods whose containers changed since the last relist.
#[derive(Default)]
struct Relist {
    /// Each with what happened to it last.
    pending: BTreeMap<Uid, Cause>,
    timer: Option<TimerId>,
    /// Where in the second this kubelet looks.
    phase: u64,
}

impl Kubelet {
    /// Starts a kubelet: it registers its node, takes over what runs, and runs what it is told.
    pub fn start(config: KubeletConfig) -> Kubelet {
        let sim = config.machine.sim().clone();
        let endpoint = config.machine.get::<Endpoint>().as_deref().cloned();
        let node: Rc<str> = config.node_name.as_str().into();
        let phase = sim.random(1_000_000);
        let inner = Rc::new_cyclic(|me| Inner {
            me: me.clone(),
            recorder: Recorder::new(&config.client, "kubelet", &node),
            client: config.client,
            hub: config.hub,
            node,
            machine: config.machine,
            endpoint,
            engine: config.engine,
            config: Settings {
                capacity: config.capacity,
                labels: config.labels,
                taints: config.taints,
                pod_cidr: Cell::new(config.pod_cidr),
                cluster_dns: config.cluster_dns,
                cluster_domain: config.cluster_domain,
                os_image: config.os_image,
                version: config.version,
            },
            alive: Cell::new(true),
            workers: RefCell::default(),
            containers: RefCell::default(),
            usage: RefCell::default(),
            relist: RefCell::new(Relist { phase, ..Relist::default() }),
            image_backoff: RefCell::new(backoff::Backoff::new()),
            crash_backoff: RefCell::new(backoff::Backoff::new()),
            pulls: images::PullQueue::default(),
            node_state: RefCell::default(),
            static_pods: RefCell::default(),
            watch: RefCell::default(),
            tasks: RefCell::default(),
            timers: RefCell::default(),
            claims: RefCell::default(),
            sim,
        });
        inner.begin(config.static_pods);
        Kubelet(inner)
    }

    /// The node's name.
    pub fn node(&self) -> &str {
        &self.0.node
    }

    /// The engine it drives.
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Inner {
    fn begin(&self, static_pods: Vec<Pod>) {
        if let Some(range) = self.config.pod_cidr.get() {
            self.engine.set_pod_range(range);
        }
        for container in self.engine.containers().into_iter().rev() {
            self.note_container(EventKind::Create, &container);
        }
        let me = self.me.clone();
        let watch = self.engine.watch(move |kind, container| {
            if let Some(me) = me.upgrade() {
                me.note_container(kind, container);
            }
        });
        *self.watch.borrow_mut() = Some(watch);
        self.ensure_pause_image();
        self.hub.join(&self.node, self.me.clone());
        self.register_node();
        self.begin_static_pods(static_pods);
        self.client.set_agent(&self.node, Some(agent::Agent::of(self.me.clone())));
        for pod in self.hub.pods_of(&self.node) {
            self.pod_seen(&pod);
        }
        self.clean_orphans();
    }

    fn end(&self) {
        self.alive.set(false);
        self.hub.leave(&self.node, &self.me);
        self.client.set_agent(&self.node, None);
        self.watch.take();
        for task in self.tasks.take() {
            self.sim.kill(&task);
        }
        for (_, timer) in self.timers.take() {
            self.sim.cancel(timer);
        }
        if let Some(timer) = self.relist.borrow_mut().timer.take() {
            self.sim.cancel(timer);
        }
        let workers = self.workers.take();
        for worker in workers.values() {
            worker.end(&self.sim);
        }
        self.containers.take();
    }

    /// Calls `f` after a delay while the kubelet lives; a call of the same name that waits is replaced.
    fn later(
        &self,
        name: &'static str,
        delay: std::time::Duration,
        f: impl FnOnce(&Inner) + 'static,
    ) {
        let me = self.me.clone();
        let timer = self.sim.after(delay, move || {
            if let Some(me) = me.upgrade() {
                me.timers.borrow_mut().remove(name);
                f(&me);
            }
        });
        if let Some(old) = self.timers.borrow_mut().insert(name, timer) {
            self.sim.cancel(old);
        }
    }

    /// Keeps the index of containers, and asks for a look at the pod at the next relist.
    fn note_container(&self, kind: EventKind, container: &Rc<Container>) {
        let Some(pod) = container.spec.pod.clone() else { return };
        let uid: Uid = pod.uid.as_str().into();
        {
            let mut containers = self.containers.borrow_mut();
            match kind {
                EventKind::Create => {
                    containers.entry(uid.clone()).or_default().insert(0, container.clone());
                }
                EventKind::Destroy => {
                    if let Some(list) = containers.get_mut(&uid) {
                        list.retain(|c| c.id != container.id);
                        if list.is_empty() {
                            containers.remove(&uid);
                        }
                    }
                }
                EventKind::Start | EventKind::Die => {}
            }
        }
        // Creation and removal alone are nothing the kubelet reacts to.
        if matches!(kind, EventKind::Start | EventKind::Die) {
            if kind == EventKind::Die {
                self.watch_drivers();
            }
            self.look_soon(&uid);
        }
    }

    /// Has a pod looked at when the real kubelet would have seen the change: at its next relist,
    /// which it does every second.
    fn look_soon(&self, uid: &Uid) {
        if !self.alive.get() || !self.workers.borrow().contains_key(uid) {
            return;
        }
        let mut relist = self.relist.borrow_mut();
        relist.pending.insert(uid.clone(), self.sim.cause());
        if relist.timer.is_some() {
            return;
        }
        const PERIOD: u64 = 1_000_000;
        let now = self.sim.now().as_micros();
        let next = now + PERIOD - (now + PERIOD - relist.phase) % PERIOD;
        let me = self.me.clone();
        relist.timer = Some(self.sim.at(crate::sim::Time::from_micros(next), move || {
            let Some(me) = me.upgrade() else { return };
            let pending = {
                let mut relist = me.relist.borrow_mut();
                relist.timer = None;
                std::mem::take(&mut relist.pending)
            };
            for (uid, cause) in pending {
                let worker = me.workers.borrow().get(&uid).cloned();
                if let Some(worker) = worker {
                    me.sim.under(cause, || me.kick(&worker));
                }
            }
        }));
    }

    /// Where in the second (and in longer periods) this kubelet does what it does again and again.
    fn phase(&self) -> u64 {
        self.relist.borrow().phase
    }

    /// A pod's containers, newest first, sandboxes included.
    fn containers_of(&self, uid: &str) -> Vec<Rc<Container>> {
        self.containers.borrow().get(uid).cloned().unwrap_or_default()
    }

    /// Containers of pods that nobody knows any more (deleted while no kubelet ran) are removed.
    fn clean_orphans(&self) {
        let orphans: Vec<Uid> = {
            let workers = self.workers.borrow();
            self.containers
                .borrow()
                .keys()
                .filter(|uid| !workers.contains_key(*uid))
                .cloned()
                .collect()
        };
        for uid in orphans {
            for container in self.containers_of(&uid) {
                let _ = self.engine.remove(&container, true);
            }
            self.engine.forget_pod(&uid);
        }
    }
}

/// The labels of a container that belongs to a pod.
fn labels(container: &Container) -> &PodLabels {
    static NONE: PodLabels = PodLabels {
        namespace: String::new(),
        pod: String::new(),
        uid: String::new(),
        container: String::new(),
        attempt: 0,
        sandbox: String::new(),
        hash: 0,
        message_path: String::new(),
        message_from_log: false,
    };
    container.spec.pod.as_deref().unwrap_or(&NONE)
}
