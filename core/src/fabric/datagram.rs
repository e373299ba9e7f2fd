//! Single messages: a question to a port, and an answer or none (UDP).

use std::{
    any::Any,
    cell::RefCell,
    collections::VecDeque,
    future::poll_fn,
    net::{Ipv4Addr, SocketAddrV4},
    rc::{Rc, Weak},
    task::{Poll, Waker},
    time::Duration,
};

use super::{AddrInUse, ConnectError, Endpoint, endpoint::EndpointInner};
use crate::sim::{Either, race};

/// Why a question got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryError {
    /// Nothing listens there (ICMP port unreachable).
    Refused,
    /// No answer came in time.
    TimedOut,
}

#[derive(Default)]
pub(super) struct Mailbox {
    waiting: RefCell<VecDeque<Datagram>>,
    waker: RefCell<Option<Waker>>,
}

#[derive(Default)]
struct Slot {
    answer: RefCell<Option<Rc<dyn Any>>>,
    waker: RefCell<Option<Waker>>,
}

/// A message that came, and the way back.
pub struct Datagram {
    /// Who sent it.
    pub from: Ipv4Addr,
    /// What it says.
    pub message: Rc<dyn Any>,
    slot: Rc<Slot>,
    latency: Duration,
    server: Endpoint,
}

impl Datagram {
    /// Answers it after a delay (the time it takes to find the answer).
    pub fn answer(self, delay: Duration, answer: Rc<dyn Any>) {
        let slot = self.slot;
        let server = self.server.clone();
        self.server.sim().after(self.latency + delay, move || {
            if !server.is_connected() {
                return;
            }
            *slot.answer.borrow_mut() = Some(answer);
            let waker = slot.waker.borrow_mut().take();
            if let Some(waker) = waker {
                waker.wake();
            }
        });
    }
}

/// A port that takes messages. Dropping it closes the port.
pub struct DatagramSocket {
    endpoint: Weak<EndpointInner>,
    port: u16,
    mailbox: Rc<Mailbox>,
}

impl DatagramSocket {
    /// The next message.
    pub fn recv(&self) -> impl Future<Output = Datagram> + '_ {
        poll_fn(|cx| match self.mailbox.waiting.borrow_mut().pop_front() {
            Some(datagram) => Poll::Ready(datagram),
            None => {
                *self.mailbox.waker.borrow_mut() = Some(cx.waker().clone());
                Poll::Pending
            }
        })
    }
}

impl Drop for DatagramSocket {
    fn drop(&mut self) {
        if let Some(endpoint) = self.endpoint.upgrade() {
            endpoint.mailboxes.borrow_mut().remove(&self.port);
        }
    }
}

impl Endpoint {
    /// Takes messages at a port.
    ///
    /// # Errors
    /// [`AddrInUse`].
    pub fn listen_datagrams(&self, port: u16) -> Result<DatagramSocket, AddrInUse> {
        let mut mailboxes = self.0.mailboxes.borrow_mut();
        if mailboxes.contains_key(&port) {
            return Err(AddrInUse);
        }
        let mailbox = Rc::new(Mailbox::default());
        mailboxes.insert(port, mailbox.clone());
        Ok(DatagramSocket { endpoint: Rc::downgrade(&self.0), port, mailbox })
    }

    /// Sends a message and waits for the answer, at most `patience`.
    ///
    /// # Errors
    /// Where none came.
    pub async fn query<T: 'static>(
        &self,
        to: SocketAddrV4,
        message: Rc<dyn Any>,
        patience: Duration,
    ) -> Result<Rc<T>, QueryError> {
        let way = match self.udp_way(to) {
            Ok(way) => way,
            Err((after, error)) => {
                self.sim().sleep(after.min(patience)).await;
                let refused = error == ConnectError::Refused;
                return Err(if refused { QueryError::Refused } else { QueryError::TimedOut });
            }
        };
        self.sim().sleep(way.latency).await;
        let mailbox = way.endpoint.0.mailboxes.borrow().get(&way.to.port()).cloned();
        let Some(mailbox) = mailbox else {
            self.sim().sleep(way.latency).await;
            return Err(QueryError::Refused);
        };
        let slot = Rc::new(Slot::default());
        let from = self.address_towards(*to.ip()).unwrap_or(Ipv4Addr::LOCALHOST);
        mailbox.waiting.borrow_mut().push_back(Datagram {
            from,
            message,
            slot: slot.clone(),
            latency: way.latency,
            server: way.endpoint,
        });
        let waker = mailbox.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
        let answer = poll_fn(|cx| match slot.answer.borrow_mut().take() {
            Some(answer) => Poll::Ready(answer),
            None => {
                *slot.waker.borrow_mut() = Some(cx.waker().clone());
                Poll::Pending
            }
        });
        match race(answer, self.sim().sleep(patience)).await {
            Either::Left(answer) => answer.downcast().map_err(|_| QueryError::TimedOut),
            Either::Right(()) => Err(QueryError::TimedOut),
        }
    }
}
