//! A cluster of parts: an API server, every controller, the scheduler, and nodes with real kubelets,
//! container engines and proxies. Every part can be stopped and started again.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use k8s_openapi::api::core::v1::Namespace;
use sandbar_core::{
    api::object::from_value,
    apiserver::ApiServer,
    checkers::{ALWAYS, SOON, Seen, Watch, violations},
    client::{Client, FieldValidation, User},
    clusters::{
        MetricsServer, Provisioner,
        cloud::disks::{self, Disks},
    },
    controllers::{
        self,
        framework::{self, Running},
    },
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

/// The provider's zones, in which the nodes take turns.
const ZONES: [&str; 3] = ["sandbar-1a", "sandbar-1b", "sandbar-1c"];

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
    /// minikube's provisioner, on the first node.
    Provisioner,
    /// The controller of the provider's disks.
    Disks,
    /// metrics-server.
    Metrics,
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

/// How often processes are charged with their load.
const LOAD_EVERY: Duration = Duration::from_secs(5);
/// How often kubelets are asked what is used.
const SCRAPE_EVERY: Duration = Duration::from_secs(15);

/// Thousandths of a processor that pods use, by how their names begin.
type Loads = Rc<RefCell<BTreeMap<String, u64>>>;

/// The cluster.
pub struct Cluster {
    /// Its clock.
    pub sim: Sim,
    /// An administrator's client.
    pub admin: Client,
    api: ApiServer,
    controllers: BTreeMap<String, Running>,
    scheduler: Option<Scheduler>,
    provisioner: Option<Provisioner>,
    driver: Option<[Running; 2]>,
    metrics: Option<Rc<MetricsServer>>,
    /// What is on the provider's disks: it outlives whoever serves them.
    disks: Rc<Disks>,
    loads: Loads,
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
            provisioner: None,
            driver: None,
            metrics: None,
            disks: Rc::default(),
            loads: Rc::default(),
            nodes: Vec::new(),
            engines: Vec::new(),
            hub,
            watch,
            api,
            sim,
        };
        cluster.furnish();
        let wire = fabric.network("192.168.49.0/24".parse().expect("a range"));
        for number in 0..nodes {
            let name = format!("node-{}", number + 1);
            let machine = machine(&cluster.sim, &name);
            let endpoint = fabric.host(&name);
            let address = format!("192.168.49.{}", number + 2).parse().expect("an address");
            endpoint.site().join(&wire, address, true);
            machine.set(Rc::new(endpoint.clone()));
            let zone = ZONES[number % ZONES.len()];
            machine.set(Rc::new(disks::node_driver(&cluster.disks, &name, zone)));
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
        for part in cluster.control_plane() {
            cluster.start(&part);
        }
        let engines = cluster.engines.iter().map(|(_, engine)| engine.clone()).collect();
        charge(&cluster.sim, &cluster.loads, engines);
        cluster.pass(Duration::from_secs(30));
        cluster
    }

    /// Classes of volumes and of priority.
    fn furnish(&self) {
        let classes = [
            json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
                "metadata": {"name": "standard"}, "reclaimPolicy": "Delete",
                "provisioner": "k8s.io/minikube-hostpath", "volumeBindingMode": "Immediate"}),
            json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
                "metadata": {"name": "standard-rwo"}, "reclaimPolicy": "Delete",
                "provisioner": disks::DRIVER, "volumeBindingMode": "WaitForFirstConsumer",
                "allowVolumeExpansion": true}),
            json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass",
                "metadata": {"name": "high"}, "value": 1_000}),
            json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass",
                "metadata": {"name": "low"}, "value": -10}),
        ];
        for class in classes {
            let text = |key: &str| class[key].as_str().unwrap_or_default().to_string();
            let known = self.admin.kinds().by_kind(&text("apiVersion"), &text("kind")).cloned();
            let kind = known.expect("a built-in kind").id;
            self.admin.create_value(kind, "", class, FieldValidation::Strict).expect("made");
        }
    }

    fn control_plane(&self) -> Vec<Part> {
        let controllers = controllers::names().map(|name| Part::Controller(name.to_string()));
        let others = [Part::Scheduler, Part::Provisioner, Part::Disks, Part::Metrics];
        controllers.chain(others).collect()
    }

    /// Pods whose names begin so use so many thousandths of a processor together from now on.
    pub fn load(&self, pods: &str, millis: u64) {
        self.loads.borrow_mut().insert(pods.to_string(), millis);
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
            Part::Provisioner => drop(self.provisioner.take()),
            Part::Disks => drop(self.driver.take()),
            Part::Metrics => drop(self.metrics.take()),
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
            Part::Provisioner => {
                let client = Client::system(&self.api, "storage-provisioner");
                let node = &self.nodes[0];
                let start = || Provisioner::start(&client, &node.machine, &node.name);
                self.provisioner.get_or_insert_with(start);
            }
            Part::Disks => {
                let client = Client::system(&self.api, "csi-controller");
                let parts = disks::parts(&client, &self.disks);
                let start = || parts.map(|part| framework::start(&client, part));
                self.driver.get_or_insert_with(start);
            }
            Part::Metrics => {
                let client = Client::system_account(&self.api, "kube-system", "metrics-server");
                if self.metrics.is_none() {
                    let server = Rc::new(MetricsServer::start(&self.api, &client));
                    scrape(&self.sim, &server);
                    self.metrics = Some(server);
                }
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
            labels: BTreeMap::from([(
                "topology.kubernetes.io/zone".to_string(),
                ZONES[number % ZONES.len()].to_string(),
            )]),
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

    /// How often each object was written since the last call.
    pub fn writes(&self) -> BTreeMap<String, u32> {
        self.watch.take_writes()
    }

    /// Whether every part runs.
    fn is_whole(&self) -> bool {
        self.controllers.len() == controllers::names().count()
            && self.scheduler.is_some()
            && self.provisioner.is_some()
            && self.driver.is_some()
            && self.metrics.is_some()
            && self.nodes.iter().all(|n| n.kubelet.is_some() && n.proxy.is_some())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.sim.shutdown();
    }
}

/// Charges processes with the load of their pods, again and again.
fn charge(sim: &Sim, loads: &Loads, engines: Vec<Engine>) {
    let (own, loads) = (sim.clone(), loads.clone());
    sim.after(LOAD_EVERY, move || {
        for (begin, millis) in loads.borrow().iter().filter(|(_, millis)| **millis > 0) {
            let mut busy = Vec::new();
            for container in engines.iter().flat_map(Engine::containers) {
                let pod = container.spec.pod.as_ref();
                let counts = pod.is_some_and(|p| !p.is_sandbox() && p.pod.starts_with(begin));
                if counts && container.is_running() {
                    busy.extend(container.process());
                }
            }
            for child in &busy {
                let micros = millis * 1_000 * LOAD_EVERY.as_secs() / busy.len() as u64;
                child.process().add_cpu_micros(micros);
            }
        }
        charge(&own, &loads, engines);
    });
}

/// Measures again and again, as long as the server is held.
fn scrape(sim: &Sim, server: &Rc<MetricsServer>) {
    server.scrape();
    let (own, weak) = (sim.clone(), Rc::downgrade(server));
    sim.after(SCRAPE_EVERY, move || {
        if let Some(server) = weak.upgrade() {
            scrape(&own, &server);
        }
    });
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
