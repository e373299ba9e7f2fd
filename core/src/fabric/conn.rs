//! Established connections: frames in order, both ways, until closed or reset.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::poll_fn,
    net::SocketAddrV4,
    rc::Rc,
    task::{Poll, Waker},
    time::Duration,
};

use super::{
    Endpoint,
    http::{HttpRequest, HttpResponse},
};
use crate::sim::Time;

/// What travels: bytes, or a whole HTTP message that stands for its bytes.
#[derive(Clone, Debug)]
pub enum Frame {
    /// Bytes.
    Data(Vec<u8>),
    /// A request.
    Request(Rc<HttpRequest>),
    /// A response.
    Response(Rc<HttpResponse>),
}

impl Frame {
    /// The bytes it stands for.
    pub fn into_bytes(self) -> Vec<u8> {
        match self {
            Frame::Data(bytes) => bytes,
            Frame::Request(request) => request.to_bytes(),
            Frame::Response(response) => response.to_bytes(),
        }
    }
}

/// The peer reset the connection (its process died with data unread, or closed before we wrote).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

/// What went to one endpoint of a service: kept by who made the rule, counted by connections.
#[derive(Debug, Default)]
pub struct Tally {
    requests: Cell<u64>,
    open: Cell<u32>,
}

impl Tally {
    /// Requests (or connections without any) sent so far.
    pub fn requests(&self) -> u64 {
        self.requests.get()
    }

    /// Connections open now.
    pub fn open(&self) -> u32 {
        self.open.get()
    }
}

pub(super) struct Ends {
    pub client: Endpoint,
    pub server: Endpoint,
    pub from: SocketAddrV4,
    /// Who the server takes for the client.
    pub seen: SocketAddrV4,
    /// Where the client wanted to go.
    pub asked: SocketAddrV4,
    /// Where it went.
    pub to: SocketAddrV4,
}

struct Link {
    ends: Ends,
    latency: Duration,
    sides: [Side; 2],
    tally: Option<Rc<Tally>>,
}

/// What has been sent to one side.
#[derive(Default)]
struct Side {
    inbox: RefCell<VecDeque<(Time, Event)>>,
    waker: RefCell<Option<Waker>>,
    timer: Cell<bool>,
    /// This side sends no more.
    closed: Cell<bool>,
    /// This side's connection was dropped: nobody reads any more.
    gone: Cell<bool>,
    /// This side has read the end or a reset.
    ended: Cell<Option<Result<(), Broken>>>,
}

enum Event {
    Frame(Frame),
    End,
    Reset,
}

/// One side of a connection. Dropping it closes it: the peer reads the end, or a reset if it had
/// sent something that was not read.
pub struct Conn {
    link: Rc<Link>,
    side: usize,
}

impl Conn {
    pub(super) fn pair(ends: Ends, latency: Duration, tally: Option<Rc<Tally>>) -> (Conn, Conn) {
        if let Some(tally) = &tally {
            tally.open.set(tally.open.get() + 1);
        }
        let link = Rc::new(Link { ends, latency, sides: Default::default(), tally });
        (Conn { link: link.clone(), side: 0 }, Conn { link, side: 1 })
    }

    fn own(&self) -> &Side {
        &self.link.sides[self.side]
    }

    /// This side's address.
    pub fn local(&self) -> SocketAddrV4 {
        if self.side == 0 { self.link.ends.from } else { self.link.ends.to }
    }

    /// The other side's address, as this side sees it.
    pub fn peer(&self) -> SocketAddrV4 {
        if self.side == 0 { self.link.ends.asked } else { self.link.ends.seen }
    }

    /// The name of the endpoint on the other side, which no real program would know: for showing.
    pub fn peer_name(&self) -> Rc<str> {
        let ends = &self.link.ends;
        if self.side == 0 { ends.server.name() } else { ends.client.name() }
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// If the connection is known to be closed or reset.
    pub fn send(&self, frame: Frame) -> Result<(), Broken> {
        self.send_after(Duration::ZERO, frame)
    }

    /// Sends a frame as if only after a delay (the time it takes to make it).
    ///
    /// # Errors
    /// If the connection is known to be closed or reset.
    pub fn send_after(&self, delay: Duration, frame: Frame) -> Result<(), Broken> {
        let own = self.own();
        if own.closed.get() || own.ended.get() == Some(Err(Broken)) {
            return Err(Broken);
        }
        if self.side == 0 {
            self.count(&frame);
        }
        if self.link.sides[1 - self.side].gone.get() {
            // The peer's kernel answers that there is no such connection any more.
            put(&self.link, self.side, 2 * self.link.latency, Event::Reset);
            return Ok(());
        }
        put(&self.link, 1 - self.side, self.link.latency + delay, Event::Frame(frame));
        Ok(())
    }

    fn count(&self, frame: &Frame) {
        if let Frame::Request(_) | Frame::Data(_) = frame {
            self.count_request();
        }
    }

    pub(super) fn count_request(&self) {
        if let Some(tally) = &self.link.tally {
            tally.requests.set(tally.requests.get() + 1);
        }
    }

    /// The next frame; `None` once the peer has closed.
    ///
    /// # Errors
    /// If the peer reset the connection.
    pub fn recv(&self) -> impl Future<Output = Result<Option<Frame>, Broken>> + '_ {
        poll_fn(|cx| {
            let own = self.own();
            if let Some(ended) = own.ended.get() {
                return Poll::Ready(ended.map(|()| None));
            }
            let now = self.link.ends.client.sim().now();
            let first = own.inbox.borrow().front().map(|(due, _)| *due);
            match first {
                Some(due) if due <= now => {}
                first => {
                    *own.waker.borrow_mut() = Some(cx.waker().clone());
                    if let Some(due) = first {
                        wake_at(&self.link, self.side, due);
                    }
                    return Poll::Pending;
                }
            }
            let event = own.inbox.borrow_mut().pop_front();
            Poll::Ready(match event {
                Some((_, Event::Frame(frame))) => Ok(Some(frame)),
                Some((_, Event::Reset)) => {
                    own.ended.set(Some(Err(Broken)));
                    Err(Broken)
                }
                _ => {
                    own.ended.set(Some(Ok(())));
                    Ok(None)
                }
            })
        })
    }

    /// The next bytes; `None` once the peer has closed.
    ///
    /// # Errors
    /// If the peer reset the connection.
    pub async fn recv_bytes(&self) -> Result<Option<Vec<u8>>, Broken> {
        Ok(self.recv().await?.map(Frame::into_bytes))
    }

    /// Whether nothing has come that was not read yet.
    pub fn is_idle(&self) -> bool {
        self.own().inbox.borrow().is_empty()
    }

    /// Sends no more: the peer reads the end after what was sent. Reading goes on.
    pub fn close(&self) {
        if !self.own().closed.replace(true) && self.own().ended.get() != Some(Err(Broken)) {
            put(&self.link, 1 - self.side, self.link.latency, Event::End);
        }
    }

    /// Ends the connection at once: the peer reads a reset.
    pub fn reset(&self) {
        if !self.own().closed.replace(true) {
            put(&self.link, 1 - self.side, self.link.latency, Event::Reset);
        }
        self.own().ended.set(Some(Err(Broken)));
    }
}

/// Sends an event to one side.
fn put(link: &Rc<Link>, side: usize, after: Duration, event: Event) {
    let Ends { client, server, .. } = &link.ends;
    if !client.same_as(server) && !(client.is_connected() && server.is_connected()) {
        return; // lost on the way; whoever waits needs patience of their own
    }
    let target = &link.sides[side];
    let mut due = client.sim().now() + after;
    {
        let mut inbox = target.inbox.borrow_mut();
        if let Some((last, _)) = inbox.back() {
            due = due.max(*last); // nothing overtakes
        }
        inbox.push_back((due, event));
    }
    if target.waker.borrow().is_some() {
        wake_at(link, side, due);
    }
}

/// Wakes who reads on a side at a time, unless that is arranged for an earlier one.
fn wake_at(link: &Rc<Link>, side: usize, due: Time) {
    if link.sides[side].timer.replace(true) {
        return;
    }
    let this = link.clone();
    link.ends.client.sim().at(due, move || {
        let target = &this.sides[side];
        target.timer.set(false);
        let waker = target.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    });
}

impl Drop for Conn {
    fn drop(&mut self) {
        let own = self.own();
        own.gone.set(true);
        let unread = own.inbox.borrow().iter().any(|(_, e)| matches!(e, Event::Frame(_)));
        if unread {
            self.reset();
        } else {
            self.close();
        }
        if let (Some(tally), true) = (&self.link.tally, self.link.sides[1 - self.side].gone.get()) {
            tally.open.set(tally.open.get().saturating_sub(1));
        }
    }
}
