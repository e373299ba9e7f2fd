//! The network between machines: addresses, routes, connections, verdicts.
//!
//! An [`Endpoint`] is a network namespace: a pod's, or a host's own. Endpoints sit behind a [`Site`]: a
//! kernel with interfaces, a routing table and rules. A connection asks the rules of the site it
//! starts at (and of each it enters), is routed to an endpoint and finds there a listener or none.
//! What a kernel would do is done here: nobody answers for a process that is gone.
//!
//! Data travels as [`Frame`]s: bytes, or whole HTTP messages, so that requests between our own
//! programs cost no formatting; whoever wants bytes gets the bytes they stand for.
//!
//! Not here: what runs on machines (`machine`), which rules there are (`network`).
//!
//! Invariant: a connection is refused, dropped or answered by what is really there at that instant;
//! no caller can reach a process but through [`Endpoint`].

mod addr;
mod conn;
mod datagram;
pub mod dns;
mod endpoint;
pub mod http;
mod rule;
mod site;
#[cfg(test)]
mod tests;

use std::{net::Ipv4Addr, rc::Rc};

pub use addr::Cidr;
pub use conn::{Broken, Conn, Frame, Tally};
pub use datagram::{Datagram, DatagramSocket, QueryError};
pub use endpoint::{AddrInUse, ConnectError, Endpoint, Listener, PingError};
pub use rule::{Flow, Origin, PortMap, Proto, Rule, Target, Verdict};
pub use site::{Network, Site, WeakSite};

use crate::sim::Sim;

/// The network of one session. Clones share it.
#[derive(Clone)]
pub struct Fabric {
    sim: Sim,
}

impl Fabric {
    /// A network without anything in it.
    pub fn new(sim: &Sim) -> Self {
        Fabric { sim: sim.clone() }
    }

    /// The simulation.
    pub fn sim(&self) -> &Sim {
        &self.sim
    }

    /// A wire on which sites have addresses of a range and find each other.
    pub fn network(&self, range: Cidr) -> Network {
        Network::new(range)
    }

    /// A machine's own network namespace, behind a site of its own, with no address but loopback.
    /// `name` is what is told of who answered.
    pub fn host(&self, name: &str) -> Endpoint {
        Endpoint::host(&self.sim, name)
    }

    /// A network namespace behind a host's site: a pod's. It can be reached at once.
    pub fn pod(&self, host: &Site, name: &str, address: Ipv4Addr) -> Endpoint {
        Endpoint::behind(host, name, Some(address))
    }

    /// A network namespace with nothing but loopback.
    pub fn isolated(&self, name: &str) -> Endpoint {
        Endpoint::behind(&Site::new(&self.sim, name), name, None)
    }
}

/// What tells names apart from a machine's files: `/etc/hosts` and `/etc/resolv.conf`.
pub trait NameFiles {
    /// The text of `/etc/hosts`, empty if there is none.
    fn hosts(&self) -> Rc<Vec<u8>>;
    /// The text of `/etc/resolv.conf`, empty if there is none.
    fn resolv_conf(&self) -> Rc<Vec<u8>>;
}
