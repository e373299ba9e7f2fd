//! Endpoints: network namespaces that listen and connect.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    collections::{BTreeMap, VecDeque},
    fmt,
    future::poll_fn,
    net::{Ipv4Addr, SocketAddrV4},
    rc::{Rc, Weak},
    task::{Poll, Waker},
    time::Duration,
};

use super::{
    NameFiles,
    conn::{Conn, Ends},
    datagram::Mailbox,
    http::{Handler, HttpRequest, Reply},
    rule::Proto,
    site::{NoWay, Site, Way},
};
use crate::sim::Sim;

/// Until a kernel gives up looking for who has an address (three ARP requests, a second apart).
const UNREACHABLE_AFTER: Duration = Duration::from_millis(3_060);
/// Until a kernel gives up connecting where nothing answers (`tcp_syn_retries` = 6).
const SYN_TIMEOUT: Duration = Duration::from_secs(127);
/// Connections that wait to be accepted (`net.core.somaxconn`); more are not answered.
const BACKLOG: usize = 4096;
/// The first and last port for connections that go out (`ip_local_port_range`).
const EPHEMERAL: (u16, u16) = (32_768, 60_999);

/// A network namespace. Clones are the same one.
#[derive(Clone)]
pub struct Endpoint(pub(super) Rc<EndpointInner>);

pub(super) struct EndpointInner {
    site: Site,
    name: RefCell<Rc<str>>,
    is_host: bool,
    address: Cell<Option<Ipv4Addr>>,
    ports: RefCell<BTreeMap<u16, Port>>,
    pub mailboxes: RefCell<BTreeMap<u16, Rc<Mailbox>>>,
    next_port: Cell<u16>,
    names: RefCell<Option<Rc<dyn NameFiles>>>,
}

#[derive(Clone)]
struct Port {
    loopback_only: bool,
    queue: Rc<Queue>,
    /// What those find who speak to it in our own types.
    service: Option<Rc<dyn Any>>,
}

/// Why a connection did not come about. Displays as Go's `net` package words it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectError {
    /// Nothing listens there, or a rule refuses it.
    Refused,
    /// Nothing answers.
    TimedOut,
    /// Nobody has the address.
    NoRoute,
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ConnectError::Refused => "connection refused",
            ConnectError::TimedOut => "connection timed out",
            ConnectError::NoRoute => "no route to host",
        })
    }
}

impl std::error::Error for ConnectError {}

/// The port has a listener already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddrInUse;

/// Why a ping got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PingError {
    /// Nothing answers.
    NoAnswer,
    /// Nobody has the address.
    Unreachable,
}

impl Endpoint {
    pub(super) fn host(sim: &Sim, name: &str) -> Self {
        let site = Site::new(sim, name);
        let endpoint = Endpoint::make(&site, name, true, None);
        site.set_host(&endpoint.0);
        endpoint
    }

    pub(super) fn behind(site: &Site, name: &str, address: Option<Ipv4Addr>) -> Self {
        let endpoint = Endpoint::make(site, name, false, address);
        if let Some(address) = address {
            site.0.endpoints.borrow_mut().insert(address, Rc::downgrade(&endpoint.0));
        }
        endpoint
    }

    fn make(site: &Site, name: &str, is_host: bool, address: Option<Ipv4Addr>) -> Self {
        Endpoint(Rc::new(EndpointInner {
            site: site.clone(),
            name: RefCell::new(name.into()),
            is_host,
            address: Cell::new(address),
            ports: RefCell::default(),
            mailboxes: RefCell::default(),
            next_port: Cell::new(EPHEMERAL.0),
            names: RefCell::default(),
        }))
    }

    /// The site it is behind, or whose host's it is.
    pub fn site(&self) -> &Site {
        &self.0.site
    }

    /// The simulation.
    pub fn sim(&self) -> &Sim {
        &self.0.site.0.sim
    }

    /// What is told of who answered: a machine's or a pod's name.
    pub fn name(&self) -> Rc<str> {
        self.0.name.borrow().clone()
    }

    /// Changes what is told of who answered.
    pub fn set_name(&self, name: &str) {
        *self.0.name.borrow_mut() = name.into();
    }

    /// Whether it is a host's own and not one behind it.
    pub fn is_host(&self) -> bool {
        self.0.is_host
    }

    /// Whether both are the same.
    pub fn same_as(&self, other: &Endpoint) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// Its addresses but loopback.
    pub fn addresses(&self) -> Vec<Ipv4Addr> {
        if self.is_host() {
            return self.site().addresses();
        }
        self.0.address.get().into_iter().collect()
    }

    /// Whether an address is its own, loopback included.
    pub fn is_own(&self, address: Ipv4Addr) -> bool {
        if self.is_host() {
            return self.site().is_own(address);
        }
        address.is_loopback() || self.0.address.get() == Some(address)
    }

    pub(super) fn address_towards(&self, to: Ipv4Addr) -> Option<Ipv4Addr> {
        match (to.is_loopback(), self.is_host()) {
            (true, _) => Some(Ipv4Addr::LOCALHOST),
            (_, true) if self.is_own(to) => Some(to),
            (_, true) => self.site().address_towards(to),
            _ => self.0.address.get(),
        }
    }

    /// Where names are looked up for requests that no process makes (browser, load, probes).
    pub fn set_names(&self, names: Rc<dyn NameFiles>) {
        *self.0.names.borrow_mut() = Some(names);
    }

    /// Where names are looked up.
    pub fn names(&self) -> Option<Rc<dyn NameFiles>> {
        self.0.names.borrow().clone()
    }

    /// Takes its address away for good: it can't be reached any more.
    pub fn detach(&self) {
        if let Some(address) = self.0.address.take() {
            self.site().0.endpoints.borrow_mut().remove(&address);
        }
    }

    /// Whether it still has its address and its site is on.
    pub(super) fn is_connected(&self) -> bool {
        self.site().is_up() && (self.is_host() || self.0.address.get().is_some())
    }

    /// Waits for connections to a port of all its addresses.
    ///
    /// # Errors
    /// [`AddrInUse`].
    pub fn listen(&self, port: u16) -> Result<Listener, AddrInUse> {
        self.listen_on(port, false)
    }

    /// Waits for connections to a port, of its loopback address only if so wished.
    ///
    /// # Errors
    /// [`AddrInUse`].
    pub fn listen_on(&self, port: u16, loopback_only: bool) -> Result<Listener, AddrInUse> {
        self.open(port, loopback_only, None)
    }

    /// As [`Endpoint::listen`], and offers a service to those who speak to it in our own types
    /// ([`Endpoint::service`]). It is there until the listener is dropped.
    ///
    /// # Errors
    /// [`AddrInUse`].
    pub fn listen_service(
        &self,
        port: u16,
        service: Rc<dyn Any>,
        loopback_only: bool,
    ) -> Result<Listener, AddrInUse> {
        self.open(port, loopback_only, Some(service))
    }

    fn open(
        &self,
        port: u16,
        loopback_only: bool,
        service: Option<Rc<dyn Any>>,
    ) -> Result<Listener, AddrInUse> {
        let mut ports = self.0.ports.borrow_mut();
        if port == 0 || ports.contains_key(&port) {
            return Err(AddrInUse);
        }
        let queue = Rc::new(Queue::default());
        ports.insert(port, Port { loopback_only, queue: queue.clone(), service });
        Ok(Listener { endpoint: Rc::downgrade(&self.0), port, queue })
    }

    /// A port that is free now, as the kernel chooses one for `listen(0)`.
    pub fn free_port(&self) -> u16 {
        let ports = self.0.ports.borrow();
        loop {
            let port = self.0.next_port.get();
            self.0.next_port.set(if port >= EPHEMERAL.1 { EPHEMERAL.0 } else { port + 1 });
            if !ports.contains_key(&port) {
                return port;
            }
        }
    }

    /// The ports that are listened on, sorted, with whether only on loopback.
    pub fn listening(&self) -> Vec<(u16, bool)> {
        self.0.ports.borrow().iter().map(|(p, how)| (*p, how.loopback_only)).collect()
    }

    /// The way to an address now, or how long it takes to learn that there is none.
    fn way(&self, to: SocketAddrV4, proto: Proto) -> Result<Way, (Duration, ConnectError)> {
        self.site().way(self, to, proto).map_err(|no| match no {
            NoWay::Rejected => (Duration::from_micros(80), ConnectError::Refused),
            NoWay::Unreachable => (UNREACHABLE_AFTER, ConnectError::NoRoute),
            NoWay::Dropped => (SYN_TIMEOUT, ConnectError::TimedOut),
        })
    }

    /// What listens at the end of a way, once a packet has gone there and back.
    async fn knock(&self, to: SocketAddrV4) -> Result<(Way, Port), ConnectError> {
        let way = match self.way(to, Proto::Tcp) {
            Ok(way) => way,
            Err((after, error)) => {
                self.sim().sleep(after).await;
                return Err(error);
            }
        };
        self.sim().sleep(2 * way.latency).await;
        if !way.loopback && !way.endpoint.is_connected() {
            self.sim().sleep(UNREACHABLE_AFTER).await;
            return Err(ConnectError::NoRoute);
        }
        let port = way.endpoint.0.ports.borrow().get(&way.to.port()).cloned();
        match port {
            Some(port) if way.loopback || !port.loopback_only => Ok((way, port)),
            _ => Err(ConnectError::Refused),
        }
    }

    /// Connects to an address.
    ///
    /// # Errors
    /// Where nothing listens there (at once) or nothing answers (after the kernel's own timeouts;
    /// whoever has less patience races this against a timer).
    pub async fn connect(&self, to: SocketAddrV4) -> Result<Conn, ConnectError> {
        let (way, port) = self.knock(to).await?;
        let queue = port.queue;
        if queue.waiting.borrow().len() >= BACKLOG {
            self.sim().sleep(SYN_TIMEOUT).await;
            return Err(ConnectError::TimedOut);
        }
        let from = self.address_towards(*to.ip()).unwrap_or(Ipv4Addr::LOCALHOST);
        let from = SocketAddrV4::new(from, self.free_port());
        let seen = SocketAddrV4::new(way.seen.unwrap_or(*from.ip()), from.port());
        let (client, server, asked) = (self.clone(), way.endpoint, to);
        let ends = Ends { client, server, from, seen, asked, to: way.to };
        let (client, server) = Conn::pair(ends, way.latency, way.tally);
        queue.push(server);
        Ok(client)
    }

    /// One request over a connection of its own, asked in one go: how long until there is an answer,
    /// and what it is. The same rules, routes and listener decide as for [`Endpoint::connect`], and
    /// the same handler answers, but no task has to wait for each packet: for probes, of which idle
    /// clusters do hundreds of thousands. `None` where only the long way tells (something else than
    /// a server of requests listens, or connections are waiting to be accepted).
    pub fn ask_now(
        &self,
        to: SocketAddrV4,
        request: &Rc<HttpRequest>,
    ) -> Option<(Duration, Result<Reply, ConnectError>)> {
        let way = match self.way(to, Proto::Tcp) {
            Ok(way) => way,
            Err((after, error)) => return Some((after, Err(error))),
        };
        if !way.loopback && !way.endpoint.is_connected() {
            return None;
        }
        let port = way.endpoint.0.ports.borrow().get(&way.to.port()).cloned();
        let Some(port) = port.filter(|port| way.loopback || !port.loopback_only) else {
            return Some((2 * way.latency, Err(ConnectError::Refused)));
        };
        if !port.queue.waiting.borrow().is_empty() {
            return None;
        }
        let handler = port.queue.handler.borrow().clone()?;
        let from = self.address_towards(*to.ip()).unwrap_or(Ipv4Addr::LOCALHOST);
        let from = SocketAddrV4::new(from, self.free_port());
        let seen = SocketAddrV4::new(way.seen.unwrap_or(*from.ip()), from.port());
        let (client, server, asked) = (self.clone(), way.endpoint, to);
        let ends = Ends { client, server, from, seen, asked, to: way.to };
        let (client, server) = Conn::pair(ends, way.latency, way.tally);
        client.count_request();
        let reply = handler(request, &server);
        // There and back to connect, there and back for the request.
        let mut after = 4 * way.latency;
        if let Reply::Now(_, takes) = &reply {
            after += *takes;
        }
        Some((after, Ok(reply)))
    }

    /// The service of our own types behind an address.
    ///
    /// # Errors
    /// As [`Endpoint::connect`]; refused where something else listens.
    pub async fn service<T: 'static>(&self, to: SocketAddrV4) -> Result<Rc<T>, ConnectError> {
        let (_, port) = self.knock(to).await?;
        let service = port.service.ok_or(ConnectError::Refused)?;
        service.downcast().map_err(|_| ConnectError::Refused)
    }

    /// As [`Endpoint::service`] without waiting: what would be answered now.
    ///
    /// # Errors
    /// As [`Endpoint::connect`].
    pub fn service_now<T: 'static>(&self, to: SocketAddrV4) -> Result<Rc<T>, ConnectError> {
        let way = self.way(to, Proto::Tcp).map_err(|(_, error)| error)?;
        let port = way.endpoint.0.ports.borrow().get(&way.to.port()).cloned();
        let port = port.filter(|port| way.loopback || !port.loopback_only);
        let service = port.and_then(|port| port.service).ok_or(ConnectError::Refused)?;
        service.downcast().map_err(|_| ConnectError::Refused)
    }

    /// Whether something would accept a connection to an address now.
    pub fn listens_now(&self, to: SocketAddrV4) -> bool {
        let Ok(way) = self.way(to, Proto::Tcp) else { return false };
        let ports = way.endpoint.0.ports.borrow();
        ports.get(&way.to.port()).is_some_and(|port| way.loopback || !port.loopback_only)
    }

    /// Sends an echo request: the time until its answer.
    ///
    /// # Errors
    /// Where none comes; no answer takes `patience`.
    pub async fn ping(&self, to: Ipv4Addr, patience: Duration) -> Result<Duration, PingError> {
        // Echo requests have no port, so no service's rule applies to them.
        match self.site().way(self, SocketAddrV4::new(to, 0), Proto::Udp) {
            Ok(way) => {
                // Two kernels that have other things to do as well.
                let more = Duration::from_micros(self.sim().random(60));
                self.sim().sleep(2 * way.latency + more).await;
                Ok(2 * way.latency + more)
            }
            Err(NoWay::Unreachable) => {
                self.sim().sleep(UNREACHABLE_AFTER.min(patience)).await;
                let told = patience >= UNREACHABLE_AFTER;
                Err(if told { PingError::Unreachable } else { PingError::NoAnswer })
            }
            Err(_) => {
                self.sim().sleep(patience).await;
                Err(PingError::NoAnswer)
            }
        }
    }

    pub(super) fn udp_way(&self, to: SocketAddrV4) -> Result<Way, (Duration, ConnectError)> {
        self.way(to, Proto::Udp)
    }
}

impl Drop for EndpointInner {
    fn drop(&mut self) {
        if let Some(address) = self.address.get() {
            let mut endpoints = self.site.0.endpoints.borrow_mut();
            // Another one may have got the address meanwhile.
            if endpoints.get(&address).is_some_and(|e| e.strong_count() == 0) {
                endpoints.remove(&address);
            }
        }
    }
}

#[derive(Default)]
struct Queue {
    waiting: RefCell<VecDeque<Conn>>,
    waker: RefCell<Option<Waker>>,
    /// Who answers whole requests, for [`Endpoint::ask_now`].
    handler: RefCell<Option<Handler>>,
}

impl Queue {
    fn push(&self, conn: Conn) {
        self.waiting.borrow_mut().push_back(conn);
        let waker = self.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// A port that is listened on. Dropping it closes the port; who waits to be accepted is reset.
pub struct Listener {
    endpoint: Weak<EndpointInner>,
    port: u16,
    queue: Rc<Queue>,
}

impl Listener {
    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its endpoint, while it exists.
    pub fn endpoint(&self) -> Option<Endpoint> {
        self.endpoint.upgrade().map(Endpoint)
    }

    /// The next connection.
    pub fn accept(&self) -> impl Future<Output = Conn> + '_ {
        poll_fn(|cx| match self.queue.waiting.borrow_mut().pop_front() {
            Some(conn) => Poll::Ready(conn),
            None => {
                *self.queue.waker.borrow_mut() = Some(cx.waker().clone());
                Poll::Pending
            }
        })
    }

    /// Names who answers whole requests that come over connections of their own.
    pub fn set_handler(&self, handler: &Handler) {
        *self.queue.handler.borrow_mut() = Some(handler.clone());
    }

    /// Connections that wait to be accepted.
    pub fn waiting(&self) -> usize {
        self.queue.waiting.borrow().len()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(endpoint) = self.endpoint.upgrade() {
            endpoint.ports.borrow_mut().remove(&self.port);
        }
        for conn in self.queue.waiting.take() {
            conn.reset();
        }
    }
}
