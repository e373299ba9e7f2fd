//! Sites: kernels with interfaces, routes and rules; and the wires between them.

use std::{
    any::{Any, TypeId},
    cell::{Cell, RefCell},
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddrV4},
    rc::{Rc, Weak},
    time::Duration,
};

use super::{
    Cidr,
    conn::Tally,
    endpoint::{Endpoint, EndpointInner},
    rule::{Flow, HostPorts, Origin, PortMap, Proto, Rule, Verdict},
};
use crate::sim::Sim;

/// One way through a loopback interface.
const LOOPBACK: Duration = Duration::from_micros(15);
/// One way between two endpoints of one site (a veth pair and a bridge).
const SAME_SITE: Duration = Duration::from_micros(40);
/// Added for each further site on the way (a switch, a virtual machine's interface).
const NEXT_SITE: Duration = Duration::from_micros(120);
/// Sites a packet may pass, so that routes that lead in a circle end.
const HOPS: usize = 8;

/// A kernel's network: interfaces, routes, rules. Clones share it.
#[derive(Clone)]
pub struct Site(pub(super) Rc<SiteInner>);

/// A site that may be gone.
#[derive(Clone)]
pub struct WeakSite(Weak<SiteInner>);

impl WeakSite {
    /// The site, if it is still there.
    pub fn upgrade(&self) -> Option<Site> {
        self.0.upgrade().map(Site)
    }
}

pub(super) struct SiteInner {
    pub sim: Sim,
    name: String,
    up: Cell<bool>,
    host: RefCell<Weak<EndpointInner>>,
    interfaces: RefCell<Vec<Interface>>,
    subnets: RefCell<Vec<Cidr>>,
    pub endpoints: RefCell<BTreeMap<Ipv4Addr, Weak<EndpointInner>>>,
    routes: RefCell<BTreeMap<(u8, Ipv4Addr), Site>>,
    rules: RefCell<BTreeMap<String, Rc<dyn Rule>>>,
    extensions: RefCell<BTreeMap<TypeId, Rc<dyn Any>>>,
}

struct Interface {
    address: Ipv4Addr,
    network: Network,
    follows_routes: bool,
}

/// A wire on which sites have addresses. Clones share it.
#[derive(Clone)]
pub struct Network(Rc<NetworkInner>);

struct NetworkInner {
    range: Cidr,
    sites: RefCell<BTreeMap<Ipv4Addr, Weak<SiteInner>>>,
    /// By prefix, then by first address.
    routes: RefCell<BTreeMap<u8, BTreeMap<Ipv4Addr, Weak<SiteInner>>>>,
}

impl Network {
    pub(super) fn new(range: Cidr) -> Self {
        let (sites, routes) = Default::default();
        Network(Rc::new(NetworkInner { range, sites, routes }))
    }

    /// Its range of addresses.
    pub fn range(&self) -> Cidr {
        self.0.range
    }

    /// The first address from number `from` on that no site has.
    pub fn free_address(&self, from: u32) -> Option<Ipv4Addr> {
        let sites = self.0.sites.borrow();
        (from..).map_while(|n| self.0.range.nth(n)).find(|a| !sites.contains_key(a))
    }

    /// A range that is reached through one of its sites: what a node's pods have. Sites that follow
    /// this network's routes find it.
    pub fn add_route(&self, range: Cidr, via: &Site) {
        let mut routes = self.0.routes.borrow_mut();
        routes.entry(range.prefix()).or_default().insert(range.base(), Rc::downgrade(&via.0));
    }

    /// Takes a route away.
    pub fn remove_route(&self, range: Cidr) {
        if let Some(routes) = self.0.routes.borrow_mut().get_mut(&range.prefix()) {
            routes.remove(&range.base());
        }
    }

    fn site(&self, address: Ipv4Addr) -> Option<Site> {
        self.0.sites.borrow().get(&address).and_then(Weak::upgrade).map(Site)
    }

    fn route(&self, to: Ipv4Addr) -> Option<Site> {
        let routes = self.0.routes.borrow();
        let longest_first = routes.iter().rev();
        longest_first
            .filter_map(|(prefix, routes)| routes.get(&Cidr::new(to, *prefix).base()))
            .find_map(Weak::upgrade)
            .map(Site)
    }
}

/// Why there is no way.
pub(super) enum NoWay {
    /// A rule refused it.
    Rejected,
    /// Nobody has the address; the sender is told after a while.
    Unreachable,
    /// It vanished.
    Dropped,
}

/// Where a connection goes.
pub(super) struct Way {
    pub endpoint: Endpoint,
    pub to: SocketAddrV4,
    /// Who the receiver takes for the sender.
    pub seen: Option<Ipv4Addr>,
    /// One way.
    pub latency: Duration,
    pub tally: Option<Rc<Tally>>,
    pub loopback: bool,
}

impl Site {
    pub(super) fn new(sim: &Sim, name: &str) -> Self {
        Site(Rc::new(SiteInner {
            sim: sim.clone(),
            name: name.to_string(),
            up: Cell::new(true),
            host: RefCell::default(),
            interfaces: RefCell::default(),
            subnets: RefCell::default(),
            endpoints: RefCell::default(),
            routes: RefCell::default(),
            rules: RefCell::default(),
            extensions: RefCell::default(),
        }))
    }

    pub(super) fn set_host(&self, host: &Rc<EndpointInner>) {
        *self.0.host.borrow_mut() = Rc::downgrade(host);
    }

    /// For those who must not keep it.
    pub fn downgrade(&self) -> WeakSite {
        WeakSite(Rc::downgrade(&self.0))
    }

    /// The name of its host.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Gives it an address on a network. `follows_routes`: whether it uses the network's routes.
    pub fn join(&self, network: &Network, address: Ipv4Addr, follows_routes: bool) {
        network.0.sites.borrow_mut().insert(address, Rc::downgrade(&self.0));
        let interface = Interface { address, network: network.clone(), follows_routes };
        self.0.interfaces.borrow_mut().push(interface);
    }

    /// Takes its address on a network away.
    pub fn leave(&self, network: &Network) {
        self.0.interfaces.borrow_mut().retain(|i| {
            let stays = !Rc::ptr_eq(&i.network.0, &network.0);
            if !stays {
                network.0.sites.borrow_mut().remove(&i.address);
            }
            stays
        });
    }

    /// Its host's addresses, in the order in which it got them.
    pub fn addresses(&self) -> Vec<Ipv4Addr> {
        self.0.interfaces.borrow().iter().map(|i| i.address).collect()
    }

    /// Whether an address is its host's own.
    pub fn is_own(&self, address: Ipv4Addr) -> bool {
        address.is_loopback()
            || self.0.interfaces.borrow().iter().any(|i| i.address == address)
            || self.0.subnets.borrow().iter().any(|s| s.nth(1) == Some(address))
    }

    /// A range whose addresses are behind it: its pods'. Its host has the first (the bridge's). One
    /// that nobody has is unreachable.
    pub fn add_subnet(&self, range: Cidr) {
        self.0.subnets.borrow_mut().push(range);
    }

    /// Tells the networks it is on that a range is behind it (what a network plugin does with a
    /// node's range of pod addresses).
    pub fn announce(&self, range: Cidr) {
        for interface in self.0.interfaces.borrow().iter() {
            interface.network.add_route(range, self);
        }
    }

    /// A range it reaches through another site (`ip route add`), before any network's routes.
    pub fn add_route(&self, range: Cidr, via: &Site) {
        self.0.routes.borrow_mut().insert((range.prefix(), range.base()), via.clone());
    }

    /// Takes a route away.
    pub fn remove_route(&self, range: Cidr) {
        self.0.routes.borrow_mut().remove(&(range.prefix(), range.base()));
    }

    /// Sets (`None`: takes away) the rule of this name. Rules are asked in order of name, and stay
    /// when who set them is gone, as a kernel's do.
    pub fn set_rule(&self, name: &str, rule: Option<Rc<dyn Rule>>) {
        let mut rules = self.0.rules.borrow_mut();
        match rule {
            Some(rule) => rules.insert(name.to_string(), rule),
            None => rules.remove(name),
        };
    }

    /// Sets (`None`: takes away) a map of its host's ports as the rule of this name.
    pub fn set_port_map(&self, name: &str, map: Option<Rc<PortMap>>) {
        let weak = Rc::downgrade(&self.0);
        self.set_rule(
            name,
            map.map(|map| {
                let is_own = Box::new(move |a| weak.upgrade().is_some_and(|s| Site(s).is_own(a)));
                Rc::new(HostPorts { map, is_own }) as Rc<dyn Rule>
            }),
        );
    }

    /// What another room hung on this site, for those who only know an endpoint.
    pub fn get<T: 'static>(&self) -> Option<Rc<T>> {
        self.0.extensions.borrow().get(&TypeId::of::<T>()).cloned()?.downcast().ok()
    }

    /// Hangs something on this site, in place of what had the same type.
    pub fn set<T: 'static>(&self, value: Rc<T>) {
        let old = self.0.extensions.borrow_mut().insert(TypeId::of::<T>(), value);
        drop(old);
    }

    /// Whether it is on.
    pub fn is_up(&self) -> bool {
        self.0.up.get()
    }

    /// Switches it on or off. While it is off everything to, from and through it vanishes.
    pub fn set_up(&self, up: bool) {
        self.0.up.set(up);
    }

    /// The sender's address towards `to`: of the range or network that is in, else the first.
    pub(super) fn address_towards(&self, to: Ipv4Addr) -> Option<Ipv4Addr> {
        let bridge = self.0.subnets.borrow().iter().find(|s| s.contains(to)).copied();
        if let Some(address) = bridge.and_then(|s| s.nth(1)) {
            return Some(address);
        }
        let interfaces = self.0.interfaces.borrow();
        let near = interfaces.iter().find(|i| i.network.range().contains(to));
        near.or(interfaces.first()).map(|i| i.address)
    }

    fn ask(&self, flow: &Flow) -> Verdict {
        for rule in self.0.rules.borrow().values() {
            match rule.verdict(flow) {
                Verdict::Pass => {}
                verdict => return verdict,
            }
        }
        Verdict::Pass
    }

    /// Finds the way from an endpoint behind (or of) this site.
    pub(super) fn way(
        &self,
        from: &Endpoint,
        to: SocketAddrV4,
        proto: Proto,
    ) -> Result<Way, NoWay> {
        let own = from.is_own(*to.ip());
        if own && !from.is_host() {
            let endpoint = from.clone();
            return Ok(Way {
                endpoint,
                to,
                latency: LOOPBACK,
                tally: None,
                seen: None,
                loopback: true,
            });
        }
        if !self.is_up() {
            return Err(NoWay::Dropped);
        }
        let origin = if from.is_host() { Origin::Host } else { Origin::Pod };
        let source = from.address_towards(*to.ip()).unwrap_or(Ipv4Addr::LOCALHOST);
        let mut flow = Flow { from: source, to, proto, origin };
        let (mut at, mut latency, mut tally, mut seen) = (self.clone(), SAME_SITE, None, None);
        for _ in 0..HOPS {
            match at.ask(&flow) {
                Verdict::Pass | Verdict::Accept => {}
                Verdict::Drop => return Err(NoWay::Dropped),
                Verdict::Reject => return Err(NoWay::Rejected),
                Verdict::Redirect(target) => {
                    flow.to = target.to;
                    tally = target.tally.or(tally);
                    if target.masquerade || flow.from.is_loopback() {
                        flow.from = at.address_towards(*flow.to.ip()).unwrap_or(flow.from);
                        seen = Some(flow.from);
                    }
                }
            }
            match at.step(*flow.to.ip())? {
                Step::Here(endpoint) => {
                    let loopback = own && endpoint.same_as(from);
                    let latency = if endpoint.same_as(from) { LOOPBACK } else { latency };
                    return Ok(Way { endpoint, to: flow.to, seen, latency, tally, loopback });
                }
                Step::Next(next) => {
                    if !next.is_up() {
                        return Err(NoWay::Dropped);
                    }
                    latency += NEXT_SITE;
                    (at, flow.origin) = (next, Origin::Outside);
                }
            }
        }
        Err(NoWay::Dropped)
    }

    fn step(&self, to: Ipv4Addr) -> Result<Step, NoWay> {
        if self.is_own(to) {
            let host = self.0.host.borrow().upgrade().ok_or(NoWay::Dropped)?;
            return Ok(Step::Here(Endpoint(host)));
        }
        let there = self.0.endpoints.borrow().get(&to).and_then(Weak::upgrade);
        if let Some(endpoint) = there {
            return Ok(Step::Here(Endpoint(endpoint)));
        }
        let interfaces = self.0.interfaces.borrow();
        let here = interfaces.iter().find(|i| i.network.range().contains(to));
        if let Some(site) = here.and_then(|i| i.network.site(to)) {
            return Ok(Step::Next(site));
        }
        if self.0.subnets.borrow().iter().any(|s| s.contains(to)) {
            return Err(NoWay::Unreachable);
        }
        let routes = self.0.routes.borrow();
        let route = routes.iter().rev().find(|((p, base), _)| Cidr::new(*base, *p).contains(to));
        if let Some((_, via)) = route {
            return Ok(Step::Next(via.clone()));
        }
        let follows = interfaces.iter().filter(|i| i.follows_routes);
        if let Some(via) = follows.filter_map(|i| i.network.route(to)).next() {
            return if Rc::ptr_eq(&via.0, &self.0) {
                Err(NoWay::Unreachable)
            } else {
                Ok(Step::Next(via))
            };
        }
        if here.is_some() {
            return Err(NoWay::Unreachable);
        }
        // The default route leads to an Internet that isn't there.
        Err(NoWay::Dropped)
    }
}

enum Step {
    Here(Endpoint),
    Next(Site),
}
