//! A provider's cluster: machines in three zones that come and go, load balancers, a control plane
//! that is not the learner's business.
//!
//! The provider itself is [`Cloud`]: it has machines made and taken away, as an API of a real
//! provider does, [`balancer`] carries traffic from outside to them, [`disks`] are theirs. What makes a cluster use it
//! runs beside the control plane: [`manager`] is the cloud-controller-manager, [`autoscaler`] the
//! cluster autoscaler.
//!
//! Not simulated: accounts, prices, quotas, the internet.

pub mod attacher;
pub mod autoscaler;
pub mod balancer;
pub mod disks;
pub mod manager;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    net::Ipv4Addr,
    rc::{Rc, Weak},
    time::Duration,
};

use super::{
    BASE_IMAGE, Cluster, ClusterNode, NodeSize,
    minikube::{Layout, MachinePlan},
};
use crate::{
    api::names,
    fabric::{Cidr, Endpoint, Fabric},
    machine::{Command, Machine, MachineSpec, fs::Fs},
    runtime::{Engine, EngineConfig, EngineKind, Registries},
    sim::Sim,
};
use balancer::Balancer;
use disks::Disks;

/// The cluster's name, and its context's.
pub const NAME: &str = "cloud";
/// Where it is.
pub const REGION: &str = "sandbar-1";
/// What its machines are called by the provider.
pub const MACHINE_TYPE: &str = "standard-2";
/// The group of machines that grows and shrinks.
pub const GROUP: &str = "pool-1";
/// What a node is tainted with until the provider's controller knows it.
pub const UNINITIALIZED: &str = "node.cloudprovider.kubernetes.io/uninitialized";
/// What the provider runs for the cluster, as services of a machine.
pub const CONTROL_PLANE: &[&str] = &[
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "cloud-controller-manager",
    "cluster-autoscaler",
    "csi-controller",
];

const ZONES: [&str; 3] = ["sandbar-1a", "sandbar-1b", "sandbar-1c"];
/// From a request for a machine until it begins to boot into a node.
const BOOT: Duration = Duration::from_secs(40);
/// What each machine of the group has.
pub const SIZE: NodeSize = NodeSize { cpus: 2, memory_mib: 4_096 };
/// The control plane's machine.
const CONTROL_SIZE: NodeSize = NodeSize { cpus: 4, memory_mib: 8_192 };
/// The most machines that the group can be given.
pub const MOST: u32 = 100;

static LAYOUT: Layout = Layout {
    network: "10.128.0.0/20",
    first: Ipv4Addr::new(10, 128, 0, 2),
    server: "203.0.113.2:6443",
    engine: EngineKind::Containerd,
    managed: true,
};

/// The label that says which group a node belongs to.
pub fn group_label() -> (String, String) {
    ("cloud.sandbar.dev/node-group".into(), GROUP.into())
}

/// How many machines there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// At least.
    pub min: u32,
    /// At most.
    pub max: u32,
}

/// A machine as its provider describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// `sandbar://ZONE/NAME`
    pub id: String,
    /// Its zone.
    pub zone: &'static str,
    /// Its address among the cluster's machines.
    pub internal: Ipv4Addr,
    /// Its address outside.
    pub external: Ipv4Addr,
}

/// The provider of one cluster. Hangs on the learner's host, in [`Account`].
pub struct Cloud {
    /// The cluster.
    pub cluster: Rc<Cluster>,
    /// What carries traffic from outside.
    pub balancer: Rc<Balancer>,
    /// The disks of the cluster's volumes.
    pub disks: Rc<Disks>,
    /// How far the group of machines may grow and shrink.
    pub bounds: Bounds,
    sim: Sim,
    /// Where the machines are: one that nobody can log in to.
    centre: Rc<Machine>,
    engine: Engine,
    endpoint: Endpoint,
    /// Machines that are there or on their way, by name, with their number.
    machines: RefCell<BTreeMap<String, u32>>,
    next: Cell<u32>,
}

/// What a learner has at the provider; hangs on the host.
#[derive(Default)]
pub struct Account(pub RefCell<Option<Rc<Cloud>>>);

impl Account {
    /// The account of a host's learner.
    pub fn of(host: &Rc<Machine>) -> Rc<Account> {
        host.get::<Account>().unwrap_or_else(|| {
            let account = Rc::new(Account::default());
            host.set(account.clone());
            account
        })
    }
}

fn range(text: &str) -> Result<Cidr, String> {
    text.parse().map_err(|_| format!("{text} is no range of addresses"))
}

impl Cloud {
    /// A cluster whose control plane boots, without nodes yet; reached from a host.
    ///
    /// # Errors
    /// Where the host can have no clusters.
    pub fn create(host: &Rc<Machine>, bounds: Bounds) -> Result<Rc<Cloud>, String> {
        let fabric = host.get::<Fabric>().ok_or("the host has no network")?;
        let registries = host.get::<Registries>().ok_or("the host knows no registries")?;
        let outside = host.get::<Endpoint>().ok_or("the host has no network")?;
        let centre = data_centre(host)?;
        let endpoint = fabric.host("data-centre");
        centre.set(Rc::new(endpoint.clone()));
        centre.set(fabric.clone());
        centre.set(registries.clone());
        let engine = Engine::start(EngineConfig {
            kind: EngineKind::Docker,
            machine: centre.clone(),
            fabric: (*fabric).clone(),
            registries: (*registries).clone(),
            programs: host.finder(),
        });
        engine.images().preload(BASE_IMAGE);
        let cluster = Cluster::laid_out(host, &engine, NAME, &LAYOUT)?;
        let balancer = Rc::new(Balancer::new(host.sim()));
        endpoint.site().set_rule("10-load-balancers", Some(balancer.clone()));
        for text in [balancer::SERVICES, balancer::MACHINES] {
            outside.site().add_route(range(text)?, endpoint.site());
        }
        let cloud = Rc::new(Cloud {
            cluster: cluster.clone(),
            balancer,
            disks: Rc::default(),
            bounds,
            sim: host.sim().clone(),
            centre,
            engine,
            endpoint,
            machines: RefCell::default(),
            next: Cell::new(1),
        });
        *cluster.cloud.borrow_mut() = Rc::downgrade(&cloud);
        let plan = MachinePlan {
            name: "control-plane".into(),
            index: 0,
            size: CONTROL_SIZE,
            control_plane: true,
            zone: None,
        };
        cloud.boot(plan)?;
        Ok(cloud)
    }

    fn boot(&self, plan: MachinePlan) -> Result<(), String> {
        let (name, zone) = (plan.name.clone(), plan.zone);
        let container = ClusterNode::planned(&self.cluster, &self.centre, &self.engine, plan)?;
        if let Some(zone) = zone {
            container.machine.set(Rc::new(disks::node_driver(&self.disks, &name, zone)));
        }
        self.engine.launch(&container).map_err(|error| error.message)
    }

    /// Asks for a machine; it is there after a while. Its name.
    pub fn add_machine(self: &Rc<Self>) -> String {
        let index = self.next.replace(self.next.get() + 1);
        let name = format!("{GROUP}-{}", names::random_suffix(&self.sim, 5));
        self.machines.borrow_mut().insert(name.clone(), index);
        let (weak, own): (Weak<Cloud>, _) = (Rc::downgrade(self), name.clone());
        self.sim.after(BOOT, move || {
            let Some(cloud) = weak.upgrade() else { return };
            // It may have been given back meanwhile.
            if !cloud.machines.borrow().contains_key(&own) {
                return;
            }
            let zone = Some(ZONES[index as usize % ZONES.len()]);
            let plan =
                MachinePlan { name: own.clone(), index, size: SIZE, control_plane: false, zone };
            if cloud.boot(plan).is_err() {
                cloud.machines.borrow_mut().remove(&own);
            }
        });
        name
    }

    /// Gives a machine back. Whether there was one.
    pub fn remove_machine(&self, name: &str) -> bool {
        let known = self.machines.borrow_mut().remove(name).is_some();
        self.disks.machine_gone(name);
        if let Ok(container) = self.engine.find(name) {
            let _ = self.engine.remove(&container, true);
        }
        known
    }

    /// The machines of the group, those that boot included, by name.
    pub fn machines(&self) -> Vec<String> {
        self.machines.borrow().keys().cloned().collect()
    }

    /// A machine of the group.
    pub fn instance(&self, name: &str) -> Option<Instance> {
        let index = *self.machines.borrow().get(name)?;
        let zone = ZONES[index as usize % ZONES.len()];
        Some(Instance {
            id: format!("sandbar://{zone}/{name}"),
            zone,
            internal: Ipv4Addr::from(u32::from(LAYOUT.first) + index),
            external: balancer::external(index),
        })
    }

    /// Everything goes: machines, load balancers, the cluster and what it stored.
    pub fn delete(&self, host: &Rc<Machine>) {
        self.machines.borrow_mut().clear();
        for container in self.engine.containers() {
            let _ = self.engine.remove(&container, true);
        }
        self.endpoint.site().set_rule("10-load-balancers", None);
        if let Some(outside) = host.get::<Endpoint>() {
            for range in [balancer::SERVICES, balancer::MACHINES].into_iter().flat_map(range) {
                outside.site().remove_route(range);
            }
        }
    }
}

/// The machine in which the provider's machines are.
fn data_centre(host: &Rc<Machine>) -> Result<Rc<Machine>, String> {
    let now = host.sim().now();
    let fs = Fs::new(now);
    let made = fs.make_dirs("/usr/sbin", now).and_then(|()| {
        fs.add_basics(now);
        fs.install("/usr/sbin/init", "init", now)
    });
    made.map_err(|error| error.to_string())?;
    let spec = MachineSpec {
        hostname: "data-centre".into(),
        fs,
        env: BTreeMap::new(),
        programs: host.finder(),
    };
    let centre = Machine::new(host.sim(), spec);
    centre.spawn(Command::new(["/usr/sbin/init"])).map_err(|error| error.to_string())?;
    Ok(centre)
}
