//! minikube's cluster: nodes that are containers of the host's Docker, each a whole machine.

use std::{
    cell::{Cell, RefCell},
    net::Ipv4Addr,
    rc::{Rc, Weak},
};

use super::{
    cloud::Cloud,
    desktop::Current,
    install,
    systemd::{Unit, Units},
};
use crate::{
    apiserver::ApiServer,
    client::{Client, User, directory::Directory},
    fabric::{Cidr, Endpoint, Fabric},
    machine::{Machine, MemoryTotal, fs::Who},
    runtime::{
        Container, ContainerSpec, Engine, EngineConfig, EngineKind, EngineWatch, EventKind,
        NetworkMode, PortBinding, Reference, Registries,
    },
};

/// The nodes' image.
pub const BASE_IMAGE: &str = "gcr.io/k8s-minikube/kicbase:v0.0.50";
/// Its version, as `minikube start` prints it.
pub const BASE_VERSION: &str = "v0.0.50";
/// Where a cluster's machines are, and what they are made of.
pub struct Layout {
    /// The range of the machines' addresses.
    pub network: &'static str,
    /// The control plane's address in it; the others have the next ones.
    pub first: Ipv4Addr,
    /// Where clients reach the API server.
    pub server: &'static str,
    /// What runs containers on the nodes.
    pub engine: EngineKind,
    /// Whether a provider runs the control plane, on a machine that is no node.
    pub managed: bool,
}

/// minikube's.
pub static MINIKUBE: Layout = Layout {
    network: "192.168.49.0/24",
    first: Ipv4Addr::new(192, 168, 49, 2),
    server: "192.168.49.2:8443",
    engine: EngineKind::Docker,
    managed: false,
};
/// The ports of a node that the host publishes: SSH, Docker, registry, API server, ingress.
const PUBLISHED: [u16; 5] = [22, 2376, 5000, 8443, 32443];
/// The most nodes of a cluster: addresses of the network, roughly.
pub const MOST_NODES: u32 = 100;

/// What a node has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeSize {
    /// Processors.
    pub cpus: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
}

/// Images that come with a node, so that nothing is pulled when it starts.
const PRELOADED: &[&str] = &[
    "gcr.io/k8s-minikube/storage-provisioner:v5",
    "registry.k8s.io/coredns/coredns:v1.14.2",
    "registry.k8s.io/etcd:3.6.8-0",
    "registry.k8s.io/kube-apiserver:v1.36.2",
    "registry.k8s.io/kube-controller-manager:v1.36.2",
    "registry.k8s.io/kube-proxy:v1.36.2",
    "registry.k8s.io/kube-scheduler:v1.36.2",
    "registry.k8s.io/pause:3.10.2",
];

/// Where pods reach the API server: address and names of the service `kubernetes`.
const INSIDE: &[&str] = &[
    "10.96.0.1:443",
    "kubernetes:443",
    "kubernetes.default:443",
    "kubernetes.default.svc:443",
    "kubernetes.default.svc.cluster.local:443",
];

/// A cluster: what its nodes share.
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// Where its machines are.
    pub layout: &'static Layout,
    /// The network of the session.
    pub fabric: Fabric,
    /// What etcd keeps: outlives every process, and goes with the control plane's disk.
    pub(super) api: ApiServer,
    pub(super) directory: Rc<Directory>,
    /// Where processes in pods reach the API.
    inside: Rc<Directory>,
    pub(super) current: Rc<Current>,
    nodes: RefCell<Vec<Rc<ClusterNode>>>,
    installed: Cell<bool>,
    watch: RefCell<Option<EngineWatch>>,
    /// The provider, of a cluster that has one.
    pub(super) cloud: RefCell<Weak<Cloud>>,
}

/// What a new machine of a cluster is to be.
pub struct MachinePlan {
    /// Its name, and the node's.
    pub name: String,
    /// How many addresses behind the first one its own is.
    pub index: u32,
    /// What it has.
    pub size: NodeSize,
    /// Whether it runs the control plane.
    pub control_plane: bool,
    /// The provider's zone that it is in.
    pub zone: Option<&'static str>,
}

/// A node. Hangs on its machine, and weakly on those of its containers.
pub struct ClusterNode {
    /// The cluster it belongs to.
    pub cluster: Rc<Cluster>,
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// What it has.
    pub size: NodeSize,
    /// Whether it runs the control plane.
    pub control_plane: bool,
    /// The provider's zone that it is in.
    pub zone: Option<&'static str>,
    /// The id of its container on the host.
    container: String,
    engine: RefCell<Option<Engine>>,
    watch: RefCell<Option<EngineWatch>>,
    prepared: Cell<bool>,
    machine: Weak<Machine>,
}

/// The way from a container's machine to its node.
pub struct OnNode(pub Weak<ClusterNode>);

impl Cluster {
    /// A cluster without nodes on a host; it is the current one from now on.
    ///
    /// # Errors
    /// Where the host is not one that can have clusters.
    pub fn create(host: &Rc<Machine>, engine: &Engine, name: &str) -> Result<Rc<Cluster>, String> {
        Cluster::laid_out(host, engine, name, &MINIKUBE)
    }

    /// The same with machines somewhere else: those of `engine`.
    ///
    /// # Errors
    /// Where the host is not one that can have clusters.
    pub fn laid_out(
        host: &Rc<Machine>,
        engine: &Engine,
        name: &str,
        layout: &'static Layout,
    ) -> Result<Rc<Cluster>, String> {
        let fabric = host.get::<Fabric>().ok_or("the host has no network")?;
        let current = host.get::<Current>().ok_or("the host shows no cluster")?;
        let directory = host.get::<Directory>().ok_or("the host has no directory")?;
        let cluster = Rc::new(Cluster {
            name: name.to_string(),
            layout,
            fabric: (*fabric).clone(),
            api: ApiServer::new(host.sim()),
            directory,
            inside: Directory::new(),
            current: current.clone(),
            nodes: RefCell::default(),
            installed: Cell::new(false),
            watch: RefCell::default(),
            cloud: RefCell::default(),
        });
        let weak = Rc::downgrade(&cluster);
        let watch = engine.watch(move |event, container| {
            if let Some(cluster) = weak.upgrade() {
                cluster.container_changed(event, &container.id);
            }
        });
        *cluster.watch.borrow_mut() = Some(watch);
        current.set(Some(cluster.clone()));
        Ok(cluster)
    }

    /// A node is there as long as its container; the cluster as long as its control plane.
    fn container_changed(&self, event: EventKind, id: &str) {
        let found = self.nodes.borrow().iter().find(|n| n.container == id).cloned();
        let Some(node) = found else { return };
        if event == EventKind::Destroy {
            self.nodes.borrow_mut().retain(|n| n.container != id);
            if node.control_plane {
                if self.current.get().is_some_and(|shown| std::ptr::eq(&*shown, self)) {
                    self.current.set(None);
                }
                self.nodes.take();
            }
        }
        self.current.touch();
    }

    /// Its nodes, the control plane first.
    pub fn nodes(&self) -> Vec<Rc<ClusterNode>> {
        self.nodes.borrow().clone()
    }

    /// A node by name.
    pub fn node(&self, name: &str) -> Option<Rc<ClusterNode>> {
        self.nodes.borrow().iter().find(|n| n.name == name).cloned()
    }

    /// The name of its `index`-th node, as minikube counts: `minikube`, `minikube-m02` …
    pub fn node_name(&self, index: u32) -> String {
        if index == 0 { self.name.clone() } else { format!("{}-m{:02}", self.name, index + 1) }
    }

    /// Where the API server is reached: `192.168.49.2:8443`.
    pub fn server(&self) -> String {
        self.layout.server.to_string()
    }

    /// From now on the API server answers: on the host, and for those in pods on the service's
    /// address and names, too.
    pub(super) fn serve(&self) {
        self.directory.serve(&self.server(), &self.api, Self::admin());
        for address in INSIDE.iter().copied().chain([self.server().as_str()]) {
            self.inside.serve(address, &self.api, Self::admin());
        }
    }

    /// It answers no more.
    pub(super) fn stop_serving(&self) {
        self.directory.stop(&self.server());
        for address in INSIDE.iter().copied().chain([self.server().as_str()]) {
            self.inside.stop(address);
        }
    }

    /// A client of the API that acts for the cluster's administrator.
    pub fn client(&self) -> Client {
        Client::new(&self.api, Cluster::admin(), "kubectl")
    }

    /// A client of the API for the page: looks, never writes.
    pub fn viewer(&self) -> Client {
        Client::system(&self.api, "sandbar-view")
    }

    /// Whether the API server answers.
    pub fn answers(&self) -> bool {
        self.directory.answers(&self.server())
    }

    /// `Running`, `Starting` or `Stopped`.
    pub fn state(&self) -> &'static str {
        let machine = self.nodes.borrow().first().and_then(|n| n.machine());
        let on = machine.is_some_and(|m| m.process(1).is_some());
        match (on, self.answers() && self.installed.get()) {
            (false, _) => "Stopped",
            (true, false) => "Starting",
            (true, true) => "Running",
        }
    }

    /// Puts the cluster's own objects into it, the first time.
    ///
    /// # Errors
    /// What the API server says.
    pub fn install(&self, client: Option<Client>) -> Result<(), String> {
        let client = client.ok_or("the API server does not answer")?;
        if !self.installed.get() {
            install::addons(&client, &self.name, self.layout)?;
            self.installed.set(true);
        }
        self.current.touch();
        Ok(())
    }

    /// Completes when so many nodes are ready and the cluster's own pods were placed.
    pub async fn settled(&self) {
        let managed = |node: &&Rc<ClusterNode>| !(self.layout.managed && node.control_plane);
        let nodes = self.nodes.borrow().iter().filter(managed).count();
        install::settled(&self.viewer(), nodes).await;
    }

    /// The certificate of the authority that signs for this cluster.
    pub fn authority(&self) -> String {
        self.api.authority()
    }

    /// The administrator's certificate and a text in the form of its key.
    pub fn admin_certificate(&self) -> (String, String) {
        self.api.issue_certificate(&Self::admin())
    }

    /// Who holds the administrator's certificate.
    pub(super) fn admin() -> User {
        User::new("minikube-user", ["system:masters"])
    }
}

impl ClusterNode {
    /// Creates a node's container on a host, the control plane's if it is the first. It is not
    /// started yet.
    ///
    /// # Errors
    /// What the engine says, or that the base image is not to be had.
    pub fn create(
        cluster: &Rc<Cluster>,
        host: &Rc<Machine>,
        engine: &Engine,
        size: NodeSize,
    ) -> Result<Rc<Container>, String> {
        let index = cluster.nodes.borrow().len() as u32;
        let name = cluster.node_name(index);
        let plan = MachinePlan { name, index, size, control_plane: index == 0, zone: None };
        ClusterNode::planned(cluster, host, engine, plan)
    }

    /// The same for a machine of a certain name, place and purpose.
    ///
    /// # Errors
    /// What the engine says, or that the base image is not to be had.
    pub fn planned(
        cluster: &Rc<Cluster>,
        host: &Rc<Machine>,
        engine: &Engine,
        plan: MachinePlan,
    ) -> Result<Rc<Container>, String> {
        let MachinePlan { name, index, size, control_plane, zone } = plan;
        let address = Ipv4Addr::from(u32::from(cluster.layout.first) + index);
        if engine.images().find(BASE_IMAGE).is_none() {
            engine.images().preload(BASE_IMAGE);
        }
        let image = engine.images().find(BASE_IMAGE);
        let image = image.ok_or_else(|| format!("Unable to find image {BASE_IMAGE}"))?;
        let range: Cidr = cluster.layout.network.parse().map_err(|_| "bad network")?;
        if engine.networks().get(&cluster.name).is_none() {
            engine.networks().create(&cluster.name, range).map_err(|e| e.message)?;
        }
        let spec = container_spec(&cluster.name, &name, control_plane, address, size);
        let container = engine.create(&image, spec).map_err(|e| e.message)?;
        let node = Rc::new(ClusterNode {
            cluster: cluster.clone(),
            name,
            address,
            size,
            control_plane,
            zone,
            container: container.id.clone(),
            engine: RefCell::default(),
            watch: RefCell::default(),
            prepared: Cell::new(false),
            machine: Rc::downgrade(&container.machine),
        });
        node.furnish(host, &container.machine)?;
        cluster.nodes.borrow_mut().push(node);
        cluster.current.touch();
        Ok(container)
    }

    /// Puts into the node's machine what makes it a node.
    fn furnish(self: &Rc<Self>, host: &Rc<Machine>, machine: &Rc<Machine>) -> Result<(), String> {
        machine.set(Rc::new(MemoryTotal(self.size.memory_mib << 20)));
        machine.set(Rc::new(self.cluster.fabric.clone()));
        // The node pulls from where its host pulls.
        machine.set(host.get::<Registries>().ok_or("the host knows no registries")?);
        machine.set(self.clone());
        let kubelet = Unit::new("kubelet", "kubelet: The Kubernetes Node Agent", &["kubelet"]);
        if !self.cluster.layout.managed {
            let text = "Docker Application Container Engine";
            Units::hang(machine, vec![Unit::new("docker", text, &["dockerd"]), kubelet]);
            if let Some(units) = machine.get::<Units>() {
                units.enable_now("docker");
            }
            return Ok(());
        }
        let units = match self.control_plane {
            true => super::cloud::CONTROL_PLANE.iter().map(|n| Unit::new(n, n, &[n])).collect(),
            false => vec![Unit::new("containerd", "containerd", &["containerd"]), kubelet],
        };
        let root = machine.files().root();
        for unit in &units {
            let path = format!("/usr/bin/{}", unit.name);
            root.install(&path, unit.name, machine.sim().now()).map_err(|e| e.to_string())?;
        }
        let names: Vec<_> = units.iter().map(|u| u.name).collect();
        Units::hang(machine, units);
        if let Some(units) = machine.get::<Units>() {
            names.iter().for_each(|name| units.enable_now(name));
        }
        Ok(())
    }

    /// The node's container engine, once it was started.
    pub fn engine(&self) -> Option<Engine> {
        self.engine.borrow().clone()
    }

    /// The node's machine, while its container exists.
    pub fn machine(&self) -> Option<Rc<Machine>> {
        self.machine.upgrade()
    }

    /// The node's network namespace.
    pub fn endpoint(&self) -> Option<Endpoint> {
        self.machine()?.get::<Endpoint>().map(|e| (*e).clone())
    }

    /// Starts the node's container engine, or lets it go on; `dockerd` calls this.
    pub(super) fn start_engine(self: &Rc<Self>) -> Option<Engine> {
        if let Some(engine) = self.engine() {
            engine.resume();
            return Some(engine);
        }
        let machine = self.machine()?;
        let registries = machine.get::<Registries>()?;
        let engine = Engine::start(EngineConfig {
            kind: self.cluster.layout.engine,
            machine: machine.clone(),
            fabric: self.cluster.fabric.clone(),
            registries: (*registries).clone(),
            programs: machine.finder(),
        });
        for image in PRELOADED {
            engine.images().preload(image);
        }
        // Processes in the node's containers find their node.
        let weak = Rc::downgrade(self);
        let watch = engine.watch(move |event, container| {
            if event == EventKind::Create {
                container.machine.set(Rc::new(OnNode(weak.clone())));
                if let Some(node) = weak.upgrade() {
                    container.machine.set(node.cluster.inside.clone());
                }
            }
        });
        *self.watch.borrow_mut() = Some(watch);
        *self.engine.borrow_mut() = Some(engine.clone());
        Some(engine)
    }

    /// Writes what the kubelet needs and starts it; whether that was the first time.
    pub fn prepare(&self) -> bool {
        let Some(machine) = self.machine() else { return false };
        let first = !self.prepared.replace(true);
        let files = machine.files();
        for dir in ["/etc", "/etc/kubernetes", "/etc/kubernetes/manifests"] {
            let _ = files.make_dir(dir, 0o755, Who::ROOT);
        }
        if first && self.control_plane {
            for (name, text) in install::STATIC_PODS {
                let path = format!("/etc/kubernetes/manifests/{name}.yaml");
                let _ = files.write(&path, text.as_bytes(), 0o600, Who::ROOT);
            }
        }
        match (first, self.control_plane) {
            (true, true) => self.write_certificate(),
            (true, false) => self.write_token(),
            (false, _) => {}
        }
        if let Some(units) = machine.get::<Units>() {
            units.enable_now("kubelet");
        }
        first
    }
}

fn container_spec(
    network: &str,
    name: &str,
    control_plane: bool,
    address: Ipv4Addr,
    size: NodeSize,
) -> ContainerSpec {
    let label = |key: &str, value: &str| (format!("{key}.minikube.sigs.k8s.io"), value.to_string());
    let port = |port: u16| PortBinding {
        host_ip: Some(Ipv4Addr::LOCALHOST),
        host_port: 0,
        port,
        udp: false,
    };
    ContainerSpec {
        name: name.to_string(),
        image_name: Reference::parse(BASE_IMAGE)
            .map_or_else(|_| BASE_IMAGE.to_string(), |r| r.to_string()),
        hostname: Some(name.to_string()),
        labels: [
            label("created_by", "true"),
            label("mode", network),
            label("name", name),
            label("role", if control_plane { "control-plane" } else { "worker" }),
        ]
        .into(),
        tty: true,
        privileged: true,
        memory_limit: Some(size.memory_mib << 20),
        cpu_limit: Some(u64::from(size.cpus) * 1000),
        network: NetworkMode::Named(network.to_string(), Some(address)),
        ports: PUBLISHED.iter().map(|p| port(*p)).collect(),
        ..Default::default()
    }
}
