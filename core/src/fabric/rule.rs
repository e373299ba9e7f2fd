//! Rules that sites ask about new connections: accept, drop, reject, send elsewhere.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddrV4},
    rc::Rc,
};

use super::conn::Tally;

/// What kind of traffic it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proto {
    /// Connections.
    Tcp,
    /// Single messages.
    Udp,
}

/// Where traffic comes from, as the asked site sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A process of the site's own host (iptables' OUTPUT).
    Host,
    /// An endpoint behind the site: a pod (PREROUTING).
    Pod,
    /// Another site (PREROUTING).
    Outside,
}

/// A new connection (or message) that asks for its way.
#[derive(Clone, Copy, Debug)]
pub struct Flow {
    /// Sender's address.
    pub from: Ipv4Addr,
    /// Where it wants to go.
    pub to: SocketAddrV4,
    /// What it is.
    pub proto: Proto,
    /// Where it entered the site that asks.
    pub origin: Origin,
}

/// What a rule says.
#[derive(Clone)]
pub enum Verdict {
    /// Nothing: the next rule is asked.
    Pass,
    /// No further rule is asked; it goes where it wanted.
    Accept,
    /// It vanishes: the sender times out.
    Drop,
    /// It is refused at once.
    Reject,
    /// It goes elsewhere (DNAT).
    Redirect(Target),
}

/// Where a rule sends a connection.
#[derive(Clone)]
pub struct Target {
    /// There.
    pub to: SocketAddrV4,
    /// What it costs is counted here.
    pub tally: Option<Rc<Tally>>,
    /// Whether the receiver sees the site as the sender (SNAT, masquerading).
    pub masquerade: bool,
}

impl Target {
    /// Nothing but another address.
    pub fn plain(to: SocketAddrV4) -> Self {
        Target { to, tally: None, masquerade: false }
    }
}

/// Something that has a say about new connections. Established ones are never asked about again.
pub trait Rule {
    /// What is to become of this one.
    fn verdict(&self, flow: &Flow) -> Verdict;
}

/// Ports of a host that lead to other addresses: `docker run -p`, a pod's `hostPort`.
#[derive(Default)]
pub struct PortMap(RefCell<BTreeMap<(Proto, u16), (Option<Ipv4Addr>, SocketAddrV4)>>);

impl PortMap {
    /// Maps a port of one of the host's addresses (`None`: of all) to a target, in place of what it
    /// was mapped to.
    pub fn insert(&self, proto: Proto, port: u16, on: Option<Ipv4Addr>, target: SocketAddrV4) {
        self.0.borrow_mut().insert((proto, port), (on, target));
    }

    /// Takes a mapping away.
    pub fn remove(&self, proto: Proto, port: u16) {
        self.0.borrow_mut().remove(&(proto, port));
    }

    /// Whether a port is mapped.
    pub fn contains(&self, proto: Proto, port: u16) -> bool {
        self.0.borrow().contains_key(&(proto, port))
    }
}

/// A port map, and the addresses whose ports it maps.
pub(super) struct HostPorts {
    pub map: Rc<PortMap>,
    pub is_own: Box<dyn Fn(Ipv4Addr) -> bool>,
}

impl Rule for HostPorts {
    fn verdict(&self, flow: &Flow) -> Verdict {
        match self.map.0.borrow().get(&(flow.proto, flow.to.port())) {
            Some((on, target))
                if on.is_none_or(|on| on == *flow.to.ip()) && (self.is_own)(*flow.to.ip()) =>
            {
                Verdict::Redirect(Target::plain(*target))
            }
            _ => Verdict::Pass,
        }
    }
}
