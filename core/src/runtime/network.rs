//! Where containers are plugged in: docker's networks, the pods' range, published ports.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddrV4},
    rc::{Rc, Weak},
};

use super::{
    Container, Engine, EngineError,
    container::{NetworkMode, PortBinding},
    digest,
};
use crate::{
    fabric::{Cidr, Endpoint, Fabric, NameFiles, Network, PortMap, Proto},
    machine::{Machine, fs::Who},
};

/// The bridge every docker has.
const BRIDGE: &str = "bridge";
/// Its range.
const BRIDGE_RANGE: (Ipv4Addr, u8) = (Ipv4Addr::new(172, 17, 0, 0), 16);
/// The rule under which published ports are asked for.
const PORTS_RULE: &str = "10-hostports";

/// The networks of one engine.
pub struct Networks {
    fabric: Fabric,
    /// The machine's own endpoint; another one each time the machine is switched on.
    host: RefCell<Option<Endpoint>>,
    named: RefCell<BTreeMap<String, Rc<DockerNetwork>>>,
    pods: RefCell<Option<Pool>>,
    published: Rc<PortMap>,
    next_port: Cell<u16>,
}

/// A network of the engine.
pub struct DockerNetwork {
    /// Its name.
    pub name: String,
    /// 64 hex digits.
    pub id: String,
    /// Its addresses; the first is the machine's.
    pub range: Cidr,
    pool: RefCell<Pool>,
    /// The wire that machines in containers are on.
    wire: Network,
}

/// Addresses of a range that are given out.
struct Pool {
    range: Cidr,
    used: BTreeSet<Ipv4Addr>,
    last: u32,
    /// Whether the lowest free address is taken (docker) or the one after the last (CNI's host-local).
    lowest: bool,
}

impl Pool {
    fn new(range: Cidr, lowest: bool) -> Self {
        Pool { range, used: BTreeSet::new(), last: 1, lowest }
    }

    fn take(&mut self, wanted: Option<Ipv4Addr>) -> Option<Ipv4Addr> {
        if let Some(wanted) = wanted {
            return self.used.insert(wanted).then_some(wanted);
        }
        let size = u32::from(self.range.last()) - u32::from(self.range.base());
        let from = if self.lowest { 1 } else { self.last };
        let numbers = (from + 1..size).chain(2..=from.min(size.saturating_sub(1)));
        for number in numbers {
            let address = self.range.nth(number)?;
            if self.used.insert(address) {
                self.last = number;
                return Some(address);
            }
        }
        None
    }
}

impl Networks {
    pub(super) fn new(fabric: &Fabric, host: Option<Endpoint>) -> Self {
        let networks = Networks {
            fabric: fabric.clone(),
            host: RefCell::new(host),
            named: RefCell::default(),
            pods: RefCell::default(),
            published: Rc::default(),
            next_port: Cell::new(32_768),
        };
        let _ = networks.create(BRIDGE, Cidr::new(BRIDGE_RANGE.0, BRIDGE_RANGE.1));
        if let Some(host) = networks.host() {
            host.site().set_port_map(PORTS_RULE, Some(networks.published.clone()));
        }
        networks
    }

    /// Adds a network; the machine gets its first address.
    ///
    /// # Errors
    /// Where the name is taken.
    pub fn create(&self, name: &str, range: Cidr) -> Result<Rc<DockerNetwork>, EngineError> {
        if self.named.borrow().contains_key(name) {
            return Err(EngineError::new(format!("network with name {name} already exists")));
        }
        let wire = self.fabric.network(range);
        if let Some(host) = self.host() {
            plug(&host, &wire, range);
        }
        let network = Rc::new(DockerNetwork {
            name: name.to_string(),
            id: digest::hex64(["network", name, &range.to_string()]),
            range,
            pool: RefCell::new(Pool::new(range, true)),
            wire,
        });
        self.named.borrow_mut().insert(name.to_string(), network.clone());
        Ok(network)
    }

    /// Takes a network away; whether it was there.
    pub fn remove(&self, name: &str) -> bool {
        let gone = self.named.borrow_mut().remove(name);
        if let (Some(network), Some(host)) = (&gone, self.host()) {
            host.site().leave(&network.wire);
        }
        gone.is_some()
    }

    /// A network by name.
    pub fn get(&self, name: &str) -> Option<Rc<DockerNetwork>> {
        self.named.borrow().get(name).cloned()
    }

    /// The networks, by name (`host` and `none`, which have no addresses, left out).
    pub fn list(&self) -> Vec<Rc<DockerNetwork>> {
        self.named.borrow().values().cloned().collect()
    }

    pub(super) fn set_pod_range(&self, range: Cidr) {
        let same = self.pods.borrow().as_ref().is_some_and(|pool| pool.range == range);
        if same {
            return;
        }
        *self.pods.borrow_mut() = Some(Pool::new(range, false));
        if let Some(host) = self.host() {
            host.site().add_subnet(range);
            host.site().announce(range);
        }
    }

    /// The machine was switched on again and has another endpoint: everything is plugged in anew.
    pub(super) fn replug(&self, host: &Endpoint) {
        if self.host().is_some_and(|old| old.same_as(host)) {
            return;
        }
        *self.host.borrow_mut() = Some(host.clone());
        for network in self.list() {
            plug(host, &network.wire, network.range);
        }
        if let Some(pool) = &*self.pods.borrow() {
            host.site().add_subnet(pool.range);
            host.site().announce(pool.range);
        }
        host.site().set_port_map(PORTS_RULE, Some(self.published.clone()));
    }

    /// The machine's own endpoint.
    pub fn host(&self) -> Option<Endpoint> {
        self.host.borrow().clone()
    }

    fn publish(&self, container: &Container, to: Ipv4Addr) -> Result<(), EngineError> {
        let mut done: Vec<PortBinding> = Vec::new();
        for wanted in &container.spec.ports {
            let proto = if wanted.udp { Proto::Udp } else { Proto::Tcp };
            let mut binding = wanted.clone();
            if binding.host_port == 0 {
                binding.host_port = self.free_port();
            }
            let listening = self.host().is_some_and(|host| {
                host.listening().iter().any(|(port, _)| *port == binding.host_port)
            });
            if self.published.contains(proto, binding.host_port) || (listening && !wanted.udp) {
                for binding in &done {
                    self.unpublish(binding);
                }
                let ip = binding.host_ip.map_or("0.0.0.0".into(), |ip| ip.to_string());
                return Err(EngineError::new(format!(
                    "failed to set up container networking: driver failed programming external \
                     connectivity on endpoint {} ({}): Bind for {ip}:{} failed: port is already \
                     allocated",
                    container.name.borrow(),
                    container.id,
                    binding.host_port
                )));
            }
            let target = SocketAddrV4::new(to, binding.port);
            self.published.insert(proto, binding.host_port, binding.host_ip, target);
            done.push(binding);
        }
        *container.ports.borrow_mut() = done;
        Ok(())
    }

    fn unpublish(&self, binding: &PortBinding) {
        let proto = if binding.udp { Proto::Udp } else { Proto::Tcp };
        self.published.remove(proto, binding.host_port);
    }

    fn free_port(&self) -> u16 {
        loop {
            let port = self.next_port.get();
            self.next_port.set(if port >= 60_999 { 32_768 } else { port + 1 });
            if !self.published.contains(Proto::Tcp, port) {
                return port;
            }
        }
    }
}

impl Engine {
    /// Plugs a container into its network.
    pub(super) fn connect(&self, container: &Rc<Container>) -> Result<(), EngineError> {
        if container.endpoint.borrow().is_some() {
            return Ok(());
        }
        let networks = self.networks();
        let name = container.machine.hostname();
        let endpoint = match &container.spec.network {
            NetworkMode::Host => networks.host(),
            NetworkMode::None => Some(networks.fabric.isolated(&name)),
            NetworkMode::Container(id) => {
                let other = self.find(id)?;
                if !other.is_running() {
                    return Err(EngineError::new(format!(
                        "cannot join network namespace of a non running container: {id}"
                    )));
                }
                other.endpoint()
            }
            NetworkMode::Pod => {
                let mut pods = networks.pods.borrow_mut();
                let address = pods.as_mut().and_then(|pool| pool.take(None));
                let address = address.ok_or_else(|| {
                    EngineError::new("no IP addresses available in range set of the pods' network")
                })?;
                self.behind_host(&name, address)
            }
            NetworkMode::Bridge => self.join(container, BRIDGE, None)?,
            NetworkMode::Named(network, wanted) => self.join(container, network, *wanted)?,
        };
        let Some(endpoint) = endpoint else { return Ok(()) };
        if owns_address(&container.spec.network) {
            let names = Rc::new(Names(Rc::downgrade(&container.machine)));
            endpoint.set_names(names);
            if let Some(address) = endpoint.addresses().first() {
                if let Err(error) = networks.publish(container, *address) {
                    self.release(&container.spec.network, &endpoint);
                    return Err(error);
                }
            }
        }
        self.write_names(container, &endpoint);
        container.machine.set(Rc::new(endpoint.clone()));
        *container.endpoint.borrow_mut() = Some(endpoint);
        Ok(())
    }

    fn behind_host(&self, name: &str, address: Ipv4Addr) -> Option<Endpoint> {
        let networks = self.networks();
        match networks.host() {
            Some(host) => Some(networks.fabric.pod(host.site(), name, address)),
            None => Some(networks.fabric.isolated(name)),
        }
    }

    fn join(
        &self,
        container: &Container,
        network: &str,
        wanted: Option<Ipv4Addr>,
    ) -> Result<Option<Endpoint>, EngineError> {
        let networks = self.networks();
        let network = networks
            .get(network)
            .ok_or_else(|| EngineError::new(format!("network {network} not found")))?;
        let address = network.pool.borrow_mut().take(wanted);
        let address = address.ok_or_else(|| EngineError::new("Address already in use"))?;
        let name = container.machine.hostname();
        if container.spec.privileged {
            // A machine in a container: it has a kernel's network of its own.
            let host = networks.fabric.host(&name);
            host.site().join(&network.wire, address, true);
            return Ok(Some(host));
        }
        Ok(self.behind_host(&name, address))
    }

    /// Unplugs a container: its address is free again, its ports are closed.
    pub(super) fn disconnect(&self, container: &Rc<Container>) {
        let Some(endpoint) = container.endpoint.take() else { return };
        container.machine.unset::<Endpoint>();
        for binding in container.ports.take() {
            self.networks().unpublish(&binding);
        }
        self.release(&container.spec.network, &endpoint);
    }

    fn release(&self, mode: &NetworkMode, endpoint: &Endpoint) {
        if !owns_address(mode) {
            return;
        }
        let networks = self.networks();
        let addresses = endpoint.addresses();
        for address in &addresses {
            match mode {
                NetworkMode::Pod => {
                    if let Some(pool) = networks.pods.borrow_mut().as_mut() {
                        pool.used.remove(address);
                    }
                }
                NetworkMode::Bridge => networks.free(BRIDGE, address),
                NetworkMode::Named(name, _) => networks.free(name, address),
                _ => {}
            }
        }
        endpoint.detach();
    }

    /// `/etc/hosts`, `/etc/hostname` and `/etc/resolv.conf` of a container whose files are the
    /// engine's business (a pod's are the kubelet's).
    fn write_names(&self, container: &Container, endpoint: &Endpoint) {
        if container.spec.pod.is_some() || container.spec.privileged {
            return;
        }
        let (now, fs) = (self.sim().now(), container.machine.files().root());
        let hostname = container.machine.hostname();
        let mut hosts = String::from(
            "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n\
             fe00::\tip6-localnet\nff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\n\
             ff02::2\tip6-allrouters\n",
        );
        if let Some(address) = endpoint.addresses().first() {
            hosts.push_str(&format!("{address}\t{hostname}\n"));
        }
        let resolv = self
            .machine()
            .and_then(|host| host.files().read("/etc/resolv.conf", Who::ROOT).ok())
            .unwrap_or_default();
        let _ = fs.write("/etc/hosts", hosts, now);
        let _ = fs.write("/etc/hostname", format!("{hostname}\n"), now);
        let _ = fs.write_shared("/etc/resolv.conf", resolv, 0o644, now);
    }
}

impl Networks {
    fn free(&self, network: &str, address: &Ipv4Addr) {
        if let Some(network) = self.get(network) {
            network.pool.borrow_mut().used.remove(address);
        }
    }
}

/// Gives a machine the first address of a network.
fn plug(host: &Endpoint, wire: &Network, range: Cidr) {
    if let Some(gateway) = range.nth(1) {
        host.site().add_subnet(range);
        // The machine itself learns no routes: pods are reached from nodes only.
        host.site().join(wire, gateway, false);
    }
}

fn owns_address(mode: &NetworkMode) -> bool {
    !matches!(mode, NetworkMode::Host | NetworkMode::Container(_))
}

/// Names are looked up in a machine's own files.
pub struct Names(Weak<Machine>);

impl Names {
    /// The names that a machine's files tell.
    pub fn of(machine: &Rc<Machine>) -> Rc<Self> {
        Rc::new(Names(Rc::downgrade(machine)))
    }

    fn read(&self, path: &str) -> Rc<Vec<u8>> {
        let machine = self.0.upgrade();
        machine.and_then(|m| m.files().read(path, Who::ROOT).ok()).unwrap_or_default()
    }
}

impl NameFiles for Names {
    fn hosts(&self) -> Rc<Vec<u8>> {
        self.read("/etc/hosts")
    }

    fn resolv_conf(&self) -> Rc<Vec<u8>> {
        self.read("/etc/resolv.conf")
    }
}
