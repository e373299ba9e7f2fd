//! The table of services: for every address and port, which endpoints are behind it.
//!
//! Every node's kube-proxy keeps a table of its own, all equal; here the proxies of a cluster share
//! one, so that a change costs the same on five nodes and on five thousand.
//!
//! Models `pkg/proxy` (`ServicePortMap`, `EndpointsMap`, `CategorizeEndpoints`) and the rules that
//! `pkg/proxy/iptables` makes of them.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddrV4},
    rc::{Rc, Weak},
    time::Duration,
};

use k8s_openapi::api::{
    core::v1::{Node, Service, ServicePort, ServiceSpec},
    discovery::v1::EndpointSlice,
};

use crate::{
    api::{Object, Typed, meta::label},
    client::{Client, IndexId, Subscription},
    fabric::{Proto, Tally},
    sim::{Sim, Time},
};

/// Between two changes of the rules (`iptables.minSyncPeriod`). Upstream's default is a second;
/// clusters that roll out servers which quit at once when asked set it low, and so do ours.
const MIN_SYNC: Duration = Duration::from_millis(5);

/// How long it takes to put new rules into the kernel (`iptables-restore` of a small cluster).
const RESTORE: Duration = Duration::from_millis(8);

/// Where a slice says which service it belongs to.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

type Key = (Rc<str>, Rc<str>);

/// The services of a cluster as its nodes' rules know them.
pub struct Services {
    client: Client,
    table: RefCell<Table>,
    slices: IndexId,
    dirty: RefCell<BTreeSet<Key>>,
    last_sync: Cell<Time>,
    scheduled: Cell<bool>,
    subscription: RefCell<Option<Subscription>>,
}

/// The rules themselves: what a kernel keeps when its kube-proxy is gone.
#[derive(Clone, Default)]
pub(super) struct Table {
    /// Cluster IPs.
    cluster: BTreeMap<(Ipv4Addr, u16, Proto), Rc<PortRules>>,
    /// External addresses and load balancers'.
    external: BTreeMap<(Ipv4Addr, u16, Proto), Rc<PortRules>>,
    node_ports: BTreeMap<(u16, Proto), Rc<PortRules>>,
    of_service: BTreeMap<Key, Vec<Rc<PortRules>>>,
}

/// One port of a service.
pub(super) struct PortRules {
    name: String,
    spec: Rc<Service>,
    port: u16,
    proto: Proto,
    node_port: Option<u16>,
    slices: Vec<Rc<SliceRules>>,
    ready: usize,
    serving: usize,
    pub internal_local: bool,
    pub external_local: bool,
    affinity: Option<Duration>,
    /// Which endpoint a client had last, and when. Kept over changes.
    sticky: Rc<RefCell<BTreeMap<Ipv4Addr, (SocketAddrV4, Time)>>>,
}

/// The endpoints of one slice for one port. Shared with the next table if the slice stays.
struct SliceRules {
    revision: Option<String>,
    name: String,
    backends: Vec<Backend>,
    /// Indexes of those that are ready, and of those that serve while they terminate.
    ready: Vec<usize>,
    serving: Vec<usize>,
    /// For which zones and nodes ready ones are hinted at, where all of them have such a hint.
    zones: Option<BTreeSet<Rc<str>>>,
    nodes: Option<BTreeSet<Rc<str>>>,
}

/// Which endpoints a connection may go to, by where it begins.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    /// All of them.
    Anywhere,
    /// Those on this node.
    On(&'a str),
    /// Those that are hinted at for this node.
    NearNode(&'a str),
    /// Those that are hinted at for this zone.
    NearZone(&'a str),
}

/// An endpoint.
pub(super) struct Backend {
    pub to: SocketAddrV4,
    pub node: Option<Rc<str>>,
    pub tally: Rc<Tally>,
    pod: Rc<str>,
    ready: bool,
    terminating: bool,
    zones: Vec<Rc<str>>,
    nodes: Vec<Rc<str>>,
}

impl Backend {
    fn is_for(&self, place: Place) -> bool {
        let has = |list: &[Rc<str>], name: &str| list.iter().any(|n| &**n == name);
        match place {
            Place::Anywhere => true,
            Place::On(node) => self.node.as_deref() == Some(node),
            Place::NearNode(node) => has(&self.nodes, node),
            Place::NearZone(zone) => has(&self.zones, zone),
        }
    }
}

/// What a line of a routing table says of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteState {
    /// New connections go there.
    Ready,
    /// None do.
    NotReady,
    /// It is going: open connections go on.
    Terminating,
}

impl RouteState {
    /// In words.
    pub fn text(self) -> &'static str {
        match self {
            RouteState::Ready => "ready",
            RouteState::NotReady => "not ready",
            RouteState::Terminating => "terminating",
        }
    }
}

/// A line of a service's routing table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The service port's name, empty if it has none.
    pub port_name: String,
    /// Where it leads.
    pub to: SocketAddrV4,
    /// The pod behind it, empty if none.
    pub pod: Rc<str>,
    /// Whether new connections go there.
    pub state: RouteState,
    /// Requests sent there so far.
    pub requests: u64,
    /// Connections open now.
    pub open: u32,
}

impl Services {
    /// The table of a client's cluster; it lives as long as somebody holds it.
    pub fn of(client: &Client) -> Rc<Services> {
        client.shared(Services::start)
    }

    fn start(client: &Client) -> Rc<Services> {
        let services = Rc::new(Services {
            client: client.clone(),
            table: RefCell::default(),
            slices: client.index::<EndpointSlice>(by_service),
            dirty: RefCell::default(),
            last_sync: Cell::default(),
            scheduled: Cell::new(false),
            subscription: RefCell::default(),
        });
        for service in client.list::<Service>(None) {
            services.mark(&*service, None);
        }
        services.sync();
        let weak = Rc::downgrade(&services);
        let subscription = client.on_change(&[Service::ID, EndpointSlice::ID], move |change| {
            let Some(services) = weak.upgrade() else { return };
            match change.object.downcast::<EndpointSlice>() {
                Some(slice) => services.mark(slice, service_of(slice)),
                None => services.mark(&*change.object, None),
            }
            services.schedule();
        });
        *services.subscription.borrow_mut() = Some(subscription);
        services
    }

    fn mark(&self, object: &dyn Object, service: Option<&str>) {
        let name = service.unwrap_or(object.name());
        self.dirty.borrow_mut().insert((object.namespace().into(), name.into()));
    }

    fn schedule(self: &Rc<Self>) {
        if self.scheduled.replace(true) {
            return;
        }
        let weak = Rc::downgrade(self);
        let soonest = self.client.sim().now().max(self.last_sync.get() + MIN_SYNC);
        self.client.sim().at(soonest + RESTORE, move || {
            if let Some(services) = Weak::upgrade(&weak) {
                services.scheduled.set(false);
                services.sync();
            }
        });
    }

    /// Makes new rules for the services that changed.
    fn sync(&self) {
        self.last_sync.set(self.client.sim().now());
        for key in self.dirty.take() {
            let service = self.client.find::<Service>(&key.0, &key.1);
            let old = self.table.borrow_mut().remove(&key);
            let Some(service) = service else { continue };
            let value = format!("{}/{}", key.0, key.1);
            let slices = self.client.by_index::<EndpointSlice>(self.slices, &value);
            self.table.borrow_mut().insert(key, &service, &slices, &old);
        }
    }

    /// A service's routing table, sorted by address.
    pub fn routes(&self, namespace: &str, name: &str) -> Vec<Route> {
        let table = self.table.borrow();
        let ports = table.of_service.get(&(namespace.into(), name.into()));
        let mut routes: Vec<Route> = Vec::new();
        for port in ports.into_iter().flatten() {
            for backend in port.slices.iter().flat_map(|s| &s.backends) {
                routes.push(Route {
                    port_name: port.name.clone(),
                    to: backend.to,
                    pod: backend.pod.clone(),
                    state: match (backend.ready, backend.terminating) {
                        (_, true) => RouteState::Terminating,
                        (true, _) => RouteState::Ready,
                        _ => RouteState::NotReady,
                    },
                    requests: backend.tally.requests(),
                    open: backend.tally.open(),
                });
            }
        }
        routes.sort_by_key(|r| r.to);
        routes
    }

    /// A number that differs whenever the counts of a service's routing table do.
    pub fn traffic(&self, namespace: &str, name: &str) -> u64 {
        let table = self.table.borrow();
        let ports = table.of_service.get(&(namespace.into(), name.into()));
        let backends = ports.into_iter().flatten().flat_map(|p| p.slices.iter());
        backends
            .flat_map(|s| &s.backends)
            .map(|b| 2 * b.tally.requests() - u64::from(b.tally.open()).min(b.tally.requests()))
            .sum()
    }

    /// The zone that a node is in, as its label says.
    pub(super) fn zone_of(&self, node: &str) -> Option<String> {
        let node = self.client.find::<Node>("", node)?;
        label(&node.metadata, "topology.kubernetes.io/zone").map(str::to_string)
    }

    pub(super) fn sim(&self) -> &Sim {
        self.client.sim()
    }

    /// Asks the table as it is now.
    pub(super) fn with<R>(&self, f: impl FnOnce(&Table) -> R) -> R {
        f(&self.table.borrow())
    }

    /// The table as it is now, for a node whose kube-proxy is gone.
    pub(super) fn snapshot(&self) -> Table {
        self.table.borrow().clone()
    }
}

impl Table {
    pub fn cluster(&self, to: SocketAddrV4, proto: Proto) -> Option<&Rc<PortRules>> {
        self.cluster.get(&(*to.ip(), to.port(), proto))
    }

    pub fn external(&self, to: SocketAddrV4, proto: Proto) -> Option<&Rc<PortRules>> {
        self.external.get(&(*to.ip(), to.port(), proto))
    }

    pub fn node_port(&self, port: u16, proto: Proto) -> Option<&Rc<PortRules>> {
        self.node_ports.get(&(port, proto))
    }

    fn remove(&mut self, key: &Key) -> Vec<Rc<PortRules>> {
        let old = self.of_service.remove(key).unwrap_or_default();
        for rules in &old {
            for (address, external) in rules.addresses() {
                let map = if external { &mut self.external } else { &mut self.cluster };
                map.remove(&(address, rules.port, rules.proto));
            }
            if let Some(port) = rules.node_port {
                self.node_ports.remove(&(port, rules.proto));
            }
        }
        old
    }

    fn insert(
        &mut self,
        key: Key,
        service: &Rc<Service>,
        slices: &[Rc<EndpointSlice>],
        old: &[Rc<PortRules>],
    ) {
        let Some(spec) = &service.spec else { return };
        if spec.type_.as_deref() == Some("ExternalName") {
            return;
        }
        let ports = spec.ports.iter().flatten();
        let ports: Vec<_> = ports
            .filter_map(|port| PortRules::new(service, spec, port, slices, old).map(Rc::new))
            .collect();
        for rules in &ports {
            for (address, external) in rules.addresses() {
                let map = if external { &mut self.external } else { &mut self.cluster };
                map.insert((address, rules.port, rules.proto), rules.clone());
            }
            if let Some(port) = rules.node_port {
                self.node_ports.insert((port, rules.proto), rules.clone());
            }
        }
        self.of_service.insert(key, ports);
    }
}

impl PortRules {
    fn new(
        service: &Rc<Service>,
        spec: &ServiceSpec,
        port: &ServicePort,
        slices: &[Rc<EndpointSlice>],
        old: &[Rc<PortRules>],
    ) -> Option<Self> {
        let name = port.name.clone().unwrap_or_default();
        let proto = match port.protocol.as_deref() {
            Some("UDP") => Proto::Udp,
            Some("SCTP") => return None,
            _ => Proto::Tcp,
        };
        let old = old.iter().find(|o| o.name == name && o.proto == proto);
        let slices: Vec<_> = slices.iter().map(|s| SliceRules::shared(s, &name, old)).collect();
        let is_local = |policy: &Option<String>| policy.as_deref() == Some("Local");
        let affinity = (spec.session_affinity.as_deref() == Some("ClientIP")).then(|| {
            let config = spec.session_affinity_config.as_ref();
            let seconds = config.and_then(|c| c.client_ip.as_ref()?.timeout_seconds);
            Duration::from_secs(seconds.map_or(10_800, |s| s.max(0) as u64))
        });
        Some(PortRules {
            name,
            spec: service.clone(),
            port: u16::try_from(port.port).ok()?,
            proto,
            node_port: port.node_port.and_then(|p| u16::try_from(p).ok()).filter(|p| *p > 0),
            ready: slices.iter().map(|s| s.ready.len()).sum(),
            serving: slices.iter().map(|s| s.serving.len()).sum(),
            slices,
            internal_local: is_local(&spec.internal_traffic_policy),
            external_local: is_local(&spec.external_traffic_policy),
            affinity,
            sticky: old.map(|o| o.sticky.clone()).unwrap_or_default(),
        })
    }

    /// The addresses it is reached at, and whether each is an external one.
    fn addresses(&self) -> Vec<(Ipv4Addr, bool)> {
        let Some(spec) = &self.spec.spec else { return Vec::new() };
        let parse = |text: &String| text.parse::<Ipv4Addr>().ok();
        let cluster = spec.cluster_ip.iter().filter_map(parse).map(|a| (a, false));
        let external = spec.external_ips.iter().flatten().filter_map(parse).map(|a| (a, true));
        let status = self.spec.status.as_ref().and_then(|s| s.load_balancer.as_ref());
        let ingress = status.and_then(|s| s.ingress.as_ref()).into_iter().flatten();
        let balancers = ingress
            .filter(|i| i.ip_mode.as_deref() != Some("Proxy"))
            .filter_map(|i| i.ip.as_ref().and_then(parse))
            .map(|a| (a, true));
        cluster.chain(external).chain(balancers).collect()
    }

    /// Whether there is any endpoint that new connections may go to.
    pub fn has_any(&self) -> bool {
        self.ready > 0 || self.serving > 0
    }

    /// Whether any endpoint says for what it is near.
    pub fn is_hinted(&self) -> bool {
        self.slices.iter().any(|s| s.zones.as_ref().is_some_and(|z| !z.is_empty()))
    }

    /// From where endpoints are to be used for a connection that begins on a node: near it, where
    /// all of them say for what they are near. Models `topologyModeFromHints` of `pkg/proxy`.
    pub fn near<'a>(&self, node: &'a str, zone: Option<&'a str>) -> Place<'a> {
        let hinted = |of: fn(&SliceRules) -> &Option<BTreeSet<Rc<str>>>, name: &str| {
            let filled = || self.slices.iter().filter(|s| !s.ready.is_empty());
            filled().all(|s| of(s).is_some())
                && filled().any(|s| of(s).as_ref().is_some_and(|names| names.contains(name)))
        };
        if hinted(|s| &s.nodes, node) {
            return Place::NearNode(node);
        }
        match zone {
            Some(zone) if hinted(|s| &s.zones, zone) => Place::NearZone(zone),
            _ => Place::Anywhere,
        }
    }

    /// Chooses an endpoint for a new connection, of those for a place.
    pub fn choose<'a>(
        &'a self,
        sim: &Sim,
        client: Ipv4Addr,
        place: Place<'a>,
    ) -> Option<&'a Backend> {
        if let Some(timeout) = self.affinity {
            let known = self.sticky.borrow().get(&client).copied();
            if let Some((to, since)) = known
                && sim.now().since(since) < timeout
                && let Some(backend) = self.usable(place).find(|b| b.to == to)
            {
                self.sticky.borrow_mut().insert(client, (to, sim.now()));
                return Some(backend);
            }
        }
        let backend = match place {
            Place::Anywhere => self.nth_of_all(sim),
            _ => {
                let count = self.usable(place).count() as u64;
                let index = (count > 0).then(|| sim.random(count) as usize)?;
                self.usable(place).nth(index)
            }
        }?;
        if self.affinity.is_some() {
            self.sticky.borrow_mut().insert(client, (backend.to, sim.now()));
        }
        Some(backend)
    }

    fn nth_of_all(&self, sim: &Sim) -> Option<&Backend> {
        let ready = self.ready > 0;
        let count = if ready { self.ready } else { self.serving };
        let mut index = (count > 0).then(|| sim.random(count as u64) as usize)?;
        for slice in &self.slices {
            let list = if ready { &slice.ready } else { &slice.serving };
            match list.get(index) {
                Some(at) => return slice.backends.get(*at),
                None => index -= list.len(),
            }
        }
        None
    }

    /// Those that new connections go to: the ready ones, or while there is none (for that place)
    /// those that serve while they terminate.
    fn usable<'a>(&'a self, place: Place<'a>) -> impl Iterator<Item = &'a Backend> {
        let here = move |b: &&Backend| b.is_for(place);
        let of = move |ready: bool| {
            let lists = self.slices.iter().flat_map(move |slice| {
                let list = if ready { &slice.ready } else { &slice.serving };
                list.iter().filter_map(|at| slice.backends.get(*at))
            });
            lists.filter(here)
        };
        let ready = of(true).next().is_some();
        of(ready)
    }
}

impl SliceRules {
    /// The slice's rules: the old ones if it has not changed.
    fn shared(slice: &EndpointSlice, port_name: &str, old: Option<&Rc<PortRules>>) -> Rc<Self> {
        let slice_name = slice.metadata.name.as_deref().unwrap_or_default();
        let before = old.and_then(|o| o.slices.iter().find(|s| s.name == slice_name));
        if let Some(same) = before.filter(|s| s.revision == slice.metadata.resource_version) {
            return same.clone();
        }
        // Counts go on; only where an endpoint moves to another slice they begin anew.
        let known: BTreeMap<SocketAddrV4, &Rc<Tally>> =
            before.iter().flat_map(|s| &s.backends).map(|b| (b.to, &b.tally)).collect();
        let ports = slice.ports.iter().flatten();
        let mut ports = ports.filter(|p| p.name.as_deref().unwrap_or_default() == port_name);
        let port = ports.find_map(|p| u16::try_from(p.port?).ok());
        let mut rules = SliceRules {
            revision: slice.metadata.resource_version.clone(),
            name: slice_name.to_string(),
            backends: Vec::new(),
            ready: Vec::new(),
            serving: Vec::new(),
            zones: Some(BTreeSet::new()),
            nodes: Some(BTreeSet::new()),
        };
        let endpoints = slice.endpoints.iter().flatten().filter(|_| slice.address_type == "IPv4");
        for (endpoint, port) in endpoints.filter_map(|e| Some((e, port?))) {
            // kube-proxy uses the first address only.
            let Some(Ok(ip)) = endpoint.addresses.first().map(|a| a.parse()) else { continue };
            let to = SocketAddrV4::new(ip, port);
            let conditions = endpoint.conditions.clone().unwrap_or_default();
            let terminating = conditions.terminating.unwrap_or(false);
            let ready = conditions.ready.unwrap_or(true);
            let serving = conditions.serving.unwrap_or(ready);
            let place = rules.backends.len();
            let hints = endpoint.hints.clone().unwrap_or_default();
            let zones = hints.for_zones.into_iter().flatten().map(|z| z.name.into());
            let nodes = hints.for_nodes.into_iter().flatten().map(|n| n.name.into());
            let (zones, nodes): (Vec<Rc<str>>, Vec<Rc<str>>) = (zones.collect(), nodes.collect());
            if ready {
                rules.ready.push(place);
                gather(&mut rules.zones, &zones);
                gather(&mut rules.nodes, &nodes);
            } else if serving && terminating {
                rules.serving.push(place);
            }
            let pod = endpoint.target_ref.as_ref().and_then(|r| r.name.as_deref());
            rules.backends.push(Backend {
                to,
                node: endpoint.node_name.as_deref().map(Rc::from),
                tally: known.get(&to).map(|tally| Rc::clone(tally)).unwrap_or_default(),
                pod: pod.unwrap_or_default().into(),
                ready,
                terminating,
                zones,
                nodes,
            });
        }
        Rc::new(rules)
    }
}

/// Adds an endpoint's hints to those of its slice; one without any makes them worthless.
fn gather(all: &mut Option<BTreeSet<Rc<str>>>, own: &[Rc<str>]) {
    match all {
        Some(names) if !own.is_empty() => names.extend(own.iter().cloned()),
        _ => *all = None,
    }
}

fn service_of(slice: &EndpointSlice) -> Option<&str> {
    slice.metadata.labels.as_ref()?.get(SERVICE_NAME).map(String::as_str)
}

pub(super) fn by_service(object: &dyn Object) -> Vec<String> {
    let slice = object.downcast::<EndpointSlice>();
    let name = slice.and_then(service_of);
    name.map(|name| format!("{}/{name}", object.namespace())).into_iter().collect()
}
