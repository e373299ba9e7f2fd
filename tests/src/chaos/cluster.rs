//! A cluster of parts: an API server, every controller, the scheduler, and nodes with real kubelets,
//! container engines and proxies. Every part can be stopped and started again.

use std::{collections::BTreeMap, rc::Rc, time::Duration};

use k8s_openapi::api::core::v1::Namespace;
use sandbar_core::{
    api::object::from_value,
    apiserver::ApiServer,
    checkers::{ALWAYS, SOON, Seen, Watch, violations},
    client::{Client, User},
    controllers::{self, framework::Running},
    fabric::{Endpoint, Fabric},
    kubelet::{Capacity, Hub, Kubelet, KubeletConfig},
    machine::{Machine, MachineSpec, MemoryTotal, fs::Fs},
    network::Proxy,
    runtime::{Engine, EngineConfig, EngineKind, Registries, images},
    scheduler::Scheduler,
    session::find_program,
    sim::{Sim, Time},
};
use serde_json::json;

/// What pods of these clusters are made of: it serves HTTP on port 80 at once.
pub const IMAGES: &[&str] = &["web-example:1.25", "web-example:1.26", "busybox:1.36"];

/// How long news may be on their way before a promise counts as broken.
const SOON_ENOUGH: Duration = Duration::from_millis(1_500);

/// A part that can be stopped.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// A controller, by name.
    Controller(String),
    /// The scheduler.
    Scheduler,
    /// The kubelet of the node with this number.
    Kubelet(usize),
    /// The proxy of the node with this number.
    Proxy(usize),
}

struct NodeParts {
    name: String,
    machine: Rc<Machine>,
    endpoint: Endpoint,
    engine: Engine,
    kubelet: Option<Kubelet>,
    proxy: Option<Proxy>,
}

/// The cluster.
pub struct Cluster {
    /// Its clock.
    pub sim: Sim,
    /// An administrator's client.
    pub admin: Client,
    api: ApiServer,
    controllers: BTreeMap<String, Running>,
    scheduler: Option<Scheduler>,
    nodes: Vec<NodeParts>,
    engines: Vec<(String, Engine)>,
    hub: Rc<Hub>,
    watch: Watch,
}

impl Cluster {
    /// A cluster of so many nodes, settled. The seed decides all that is left to chance.
    pub fn new(seed: u64, nodes: usize) -> Cluster {
        let sim = Sim::new(seed, Time::from_secs(1_795_000_000));
        let api = ApiServer::new(&sim);
        let admin = Client::new(&api, User::new("admin", ["system:masters"]), "chaos");
        let watch = Watch::start(&Client::system(&api, "checkers"));
        for name in ["default", "kube-node-lease", "kube-public", "kube-system", "other"] {
            let space = json!({"metadata": {"name": name}});
            admin.create(from_value::<Namespace>(space).expect("a namespace")).expect("made");
        }
        let fabric = Fabric::new(&sim);
        let hub = Hub::new(&Client::system(&api, "kubelets"));
        let mut cluster = Cluster {
            admin,
            controllers: BTreeMap::new(),
            scheduler: None,
            nodes: Vec::new(),
            engines: Vec::new(),
            hub,
            watch,
            api,
            sim,
        };
        for part in cluster.control_plane() {
            cluster.start(&part);
        }
        let wire = fabric.network("192.168.49.0/24".parse().expect("a range"));
        for number in 0..nodes {
            let name = format!("node-{}", number + 1);
            let machine = machine(&cluster.sim, &name);
            let endpoint = fabric.host(&name);
            let address = format!("192.168.49.{}", number + 2).parse().expect("an address");
            endpoint.site().join(&wire, address, true);
            machine.set(Rc::new(endpoint.clone()));
            let engine = Engine::start(EngineConfig {
                kind: EngineKind::Containerd,
                machine: machine.clone(),
                fabric: fabric.clone(),
                registries: Registries::new(images::IMAGES),
                programs: find_program,
            });
            for image in IMAGES.iter().chain(&["registry.k8s.io/pause:3.10.2"]) {
                assert!(engine.images().preload(image), "{image}");
            }
            cluster.engines.push((name.clone(), engine.clone()));
            let parts = NodeParts { name, machine, endpoint, engine, kubelet: None, proxy: None };
            cluster.nodes.push(parts);
            cluster.start(&Part::Kubelet(number));
            cluster.start(&Part::Proxy(number));
        }
        cluster.pass(Duration::from_secs(30));
        cluster
    }

    fn control_plane(&self) -> Vec<Part> {
        let controllers = controllers::names().map(|name| Part::Controller(name.to_string()));
        controllers.chain([Part::Scheduler]).collect()
    }

    /// Every part there is.
    pub fn parts(&self) -> Vec<Part> {
        let mut parts = self.control_plane();
        for number in 0..self.nodes.len() {
            parts.extend([Part::Kubelet(number), Part::Proxy(number)]);
        }
        parts
    }

    /// How many nodes there are.
    pub fn size(&self) -> usize {
        self.nodes.len()
    }

    /// A node's name.
    pub fn node(&self, number: usize) -> String {
        self.nodes[number % self.nodes.len()].name.clone()
    }

    /// The engine of a node.
    pub fn engine(&self, number: usize) -> &Engine {
        &self.nodes[number % self.nodes.len()].engine
    }

    /// Stops a part; everything that only it knew is lost.
    pub fn stop(&mut self, part: &Part) {
        match part {
            Part::Controller(name) => drop(self.controllers.remove(name)),
            Part::Scheduler => drop(self.scheduler.take()),
            Part::Kubelet(n) => drop(self.nodes[*n].kubelet.take()),
            Part::Proxy(n) => drop(self.nodes[*n].proxy.take()),
        }
    }

    /// Starts a part, if it does not run.
    pub fn start(&mut self, part: &Part) {
        match part {
            Part::Controller(name) => {
                let client = Client::system(&self.api, "kube-controller-manager");
                if !self.controllers.contains_key(name) {
                    let running = controllers::start(&client, name).expect("a controller");
                    self.controllers.insert(name.clone(), running);
                }
            }
            Part::Scheduler => {
                let client = Client::system(&self.api, "kube-scheduler");
                self.scheduler.get_or_insert_with(|| Scheduler::start(&client));
            }
            Part::Kubelet(n) => self.start_kubelet(*n),
            Part::Proxy(n) => {
                let client = Client::system_account(&self.api, "kube-system", "kube-proxy");
                let node = &mut self.nodes[*n];
                let (endpoint, name) = (&node.endpoint, &node.name);
                node.proxy.get_or_insert_with(|| Proxy::start(&client, endpoint, name));
            }
        }
    }

    fn start_kubelet(&mut self, number: usize) {
        let node = &mut self.nodes[number];
        if node.kubelet.is_some() {
            return;
        }
        let client = Client::system(&self.api, &format!("node:{}", node.name));
        node.kubelet = Some(Kubelet::start(KubeletConfig {
            client: client.managed_by("kubelet"),
            hub: self.hub.clone(),
            node_name: node.name.clone(),
            machine: node.machine.clone(),
            engine: node.engine.clone(),
            pod_cidr: None,
            capacity: Capacity { cpus: 16, memory: 8 << 30, pods: 60, ..Capacity::default() },
            labels: BTreeMap::new(),
            taints: Vec::new(),
            static_pods: Vec::new(),
            cluster_dns: None,
            cluster_domain: "cluster.local".into(),
            os_image: "Test".into(),
            version: "v1.36.2".into(),
        }));
    }

    /// Lets time pass.
    pub fn pass(&self, time: Duration) {
        let until = self.sim.now() + time;
        assert!(self.sim.advance(until, 20_000_000).reached, "the cluster never comes to rest");
    }

    /// What the checkers see.
    pub fn seen(&self) -> Seen<'_> {
        Seen { client: &self.admin, engines: &self.engines }
    }

    /// Promises that are broken now. Those that news on their way may break for a moment only count
    /// if they are broken a little later too.
    pub fn broken(&self) -> Vec<String> {
        let mut broken = self.watch.take();
        broken.extend(violations(ALWAYS, &self.seen()));
        let first = violations(SOON, &self.seen());
        if !first.is_empty() && self.is_whole() {
            self.pass(SOON_ENOUGH);
            let second = violations(SOON, &self.seen());
            broken.extend(first.into_iter().filter(|text| second.contains(text)));
        }
        broken
    }

    /// Whether every part runs.
    fn is_whole(&self) -> bool {
        self.controllers.len() == controllers::names().count()
            && self.scheduler.is_some()
            && self.nodes.iter().all(|n| n.kubelet.is_some() && n.proxy.is_some())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.sim.shutdown();
    }
}

fn machine(sim: &Sim, name: &str) -> Rc<Machine> {
    let fs = Fs::new(sim.now());
    fs.add_basics(sim.now());
    let spec = MachineSpec {
        hostname: name.to_string(),
        fs,
        env: BTreeMap::new(),
        programs: find_program,
    };
    let machine = Machine::new(sim, spec);
    machine.set(Rc::new(MemoryTotal(8 << 30)));
    machine
}
