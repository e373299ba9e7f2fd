//! The provider's edge: load balancers' addresses and machines' own, as the outside sees them.
//!
//! A load balancer sends each connection to the service's node port on one of its machines; there
//! kube-proxy goes on. Like those of real providers that keep the client's address.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddrV4},
};

use crate::{
    fabric::{Flow, Proto, Rule, Target, Verdict},
    sim::Sim,
};

/// The range of the load balancers' addresses.
pub const SERVICES: &str = "203.0.113.0/24";
/// The range of the machines' external addresses.
pub const MACHINES: &str = "198.51.100.0/24";

/// The first load balancer's number in its range: the API server has one before.
const FIRST: u32 = 10;

/// A machine's external address.
pub fn external(index: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 51, 100, 0)) + 10 + index)
}

/// What a load balancer does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balanced {
    /// Port and protocol, and the node port behind.
    pub ports: BTreeMap<(Proto, u16), u16>,
    /// The machines behind it.
    pub machines: BTreeSet<Ipv4Addr>,
}

/// All load balancers of a cluster, by the uid of their service.
pub struct Balancer {
    sim: Sim,
    addresses: RefCell<BTreeMap<String, Ipv4Addr>>,
    table: RefCell<BTreeMap<Ipv4Addr, Balanced>>,
    next: Cell<u32>,
    /// External addresses of machines, and their internal ones.
    machines: RefCell<BTreeMap<Ipv4Addr, Ipv4Addr>>,
}

impl Balancer {
    /// None yet.
    pub fn new(sim: &Sim) -> Self {
        Balancer {
            sim: sim.clone(),
            addresses: RefCell::default(),
            table: RefCell::default(),
            next: Cell::new(FIRST),
            machines: RefCell::default(),
        }
    }

    /// Makes or changes a service's load balancer; its address.
    pub fn ensure(&self, service: &str, balanced: Balanced) -> Ipv4Addr {
        let address =
            *self.addresses.borrow_mut().entry(service.to_string()).or_insert_with(|| {
                let number = self.next.replace(self.next.get() % 253 + 1);
                Ipv4Addr::from(u32::from(Ipv4Addr::new(203, 0, 113, 0)) + number)
            });
        self.table.borrow_mut().insert(address, balanced);
        address
    }

    /// The machines behind a service's load balancer are these now; whether that is a change.
    pub fn set_machines(&self, service: &str, machines: BTreeSet<Ipv4Addr>) -> bool {
        let Some(address) = self.addresses.borrow().get(service).copied() else { return false };
        let mut table = self.table.borrow_mut();
        let Some(balanced) = table.get_mut(&address) else { return false };
        let changed = balanced.machines != machines;
        balanced.machines = machines;
        changed
    }

    /// Whether a service has one.
    pub fn has(&self, service: &str) -> bool {
        self.addresses.borrow().contains_key(service)
    }

    /// Takes a service's load balancer away.
    pub fn remove(&self, service: &str) {
        if let Some(address) = self.addresses.borrow_mut().remove(service) {
            self.table.borrow_mut().remove(&address);
        }
    }

    /// A machine is reached from outside at an address of its own.
    pub fn map_machine(&self, external: Ipv4Addr, internal: Ipv4Addr) {
        self.machines.borrow_mut().insert(external, internal);
    }

    /// It no longer is.
    pub fn unmap_machine(&self, external: Ipv4Addr) {
        self.machines.borrow_mut().remove(&external);
    }
}

impl Rule for Balancer {
    fn verdict(&self, flow: &Flow) -> Verdict {
        let to = |ip, port| Verdict::Redirect(Target::plain(SocketAddrV4::new(ip, port)));
        if let Some(internal) = self.machines.borrow().get(flow.to.ip()) {
            return to(*internal, flow.to.port());
        }
        let table = self.table.borrow();
        let Some(balanced) = table.get(flow.to.ip()) else { return Verdict::Pass };
        let Some(node_port) = balanced.ports.get(&(flow.proto, flow.to.port())) else {
            return Verdict::Drop;
        };
        let count = balanced.machines.len() as u64;
        if count == 0 {
            return Verdict::Drop;
        }
        let chosen = self.sim.random(count) as usize;
        match balanced.machines.iter().nth(chosen) {
            Some(machine) => to(*machine, *node_port),
            None => Verdict::Drop,
        }
    }
}
