//! What tasks use to talk to each other: an unbounded queue and a notification.

use std::{
    cell::RefCell,
    collections::VecDeque,
    future::{Future, poll_fn},
    rc::Rc,
    task::{Poll, Waker},
};

struct Shared<T> {
    queue: VecDeque<T>,
    senders: usize,
    receiver_alive: bool,
    waker: Option<Waker>,
    closing: Vec<Waker>,
}

/// Sending half of [`channel`]. Clones share the queue.
pub struct Sender<T>(Rc<RefCell<Shared<T>>>);

/// Receiving half of [`channel`].
pub struct Receiver<T>(Rc<RefCell<Shared<T>>>);

/// A first-in-first-out queue between tasks, without a bound.
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let shared = Rc::new(RefCell::new(Shared {
        queue: VecDeque::new(),
        senders: 1,
        receiver_alive: true,
        waker: None,
        closing: Vec::new(),
    }));
    (Sender(shared.clone()), Receiver(shared))
}

impl<T> Sender<T> {
    /// Queues a value; `false` (and the value is gone) if nobody can receive it any more.
    pub fn send(&self, value: T) -> bool {
        let mut shared = self.0.borrow_mut();
        if !shared.receiver_alive {
            return false;
        }
        shared.queue.push_back(value);
        let waker = shared.waker.take();
        drop(shared);
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    /// Whether the receiver is gone.
    pub fn is_closed(&self) -> bool {
        !self.0.borrow().receiver_alive
    }

    /// How many values wait to be received.
    pub fn queued(&self) -> usize {
        self.0.borrow().queue.len()
    }

    /// Completes when the receiver is gone.
    pub fn closed(&self) -> impl Future<Output = ()> + '_ {
        poll_fn(|cx| {
            let mut shared = self.0.borrow_mut();
            if !shared.receiver_alive {
                return Poll::Ready(());
            }
            if !shared.closing.iter().any(|waker| waker.will_wake(cx.waker())) {
                shared.closing.push(cx.waker().clone());
            }
            Poll::Pending
        })
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.borrow_mut().senders += 1;
        Sender(self.0.clone())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut shared = self.0.borrow_mut();
        shared.senders -= 1;
        let waker = if shared.senders == 0 { shared.waker.take() } else { None };
        drop(shared);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Receiver<T> {
    /// The next value, or `None` once all senders are gone and the queue is empty.
    pub fn recv(&mut self) -> impl Future<Output = Option<T>> + '_ {
        poll_fn(|cx| {
            let mut shared = self.0.borrow_mut();
            if let Some(value) = shared.queue.pop_front() {
                return Poll::Ready(Some(value));
            }
            if shared.senders == 0 {
                return Poll::Ready(None);
            }
            shared.waker = Some(cx.waker().clone());
            Poll::Pending
        })
    }

    /// The next value if there is one already.
    pub fn try_recv(&mut self) -> Option<T> {
        self.0.borrow_mut().queue.pop_front()
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let (queue, closing) = {
            let mut shared = self.0.borrow_mut();
            shared.receiver_alive = false;
            (std::mem::take(&mut shared.queue), std::mem::take(&mut shared.closing))
        };
        drop(queue);
        closing.into_iter().for_each(Waker::wake);
    }
}

/// Wakes everyone who waits. Clones share the waiters.
#[derive(Clone, Default)]
pub struct Notify(Rc<RefCell<(u64, Vec<Waker>)>>);

impl Notify {
    /// Wakes all current waiters, in the order in which they began to wait.
    pub fn notify(&self) {
        let wakers = {
            let mut inner = self.0.borrow_mut();
            inner.0 += 1;
            std::mem::take(&mut inner.1)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Completes at the first [`Notify::notify`] after this call.
    pub fn wait(&self) -> impl Future<Output = ()> + use<> {
        let (inner, seen) = (self.0.clone(), self.0.borrow().0);
        poll_fn(move |cx| {
            let mut inner = inner.borrow_mut();
            if inner.0 != seen {
                return Poll::Ready(());
            }
            // A task that races this against other things polls it many times.
            if !inner.1.last().is_some_and(|last| last.will_wake(cx.waker())) {
                inner.1.push(cx.waker().clone());
            }
            Poll::Pending
        })
    }
}
