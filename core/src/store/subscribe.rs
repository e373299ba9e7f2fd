//! Those who watch: each gets the changes of its kinds, in order, a little later.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::{Rc, Weak},
};

use super::{Change, Inner, Store, WATCH_LATENCY};
use crate::{api::KindId, sim::Sim};

type Handler = Rc<dyn Fn(&Change)>;

struct Subscriber {
    sim: Sim,
    handler: Handler,
    queue: RefCell<VecDeque<Change>>,
    scheduled: Cell<bool>,
    alive: Cell<bool>,
}

#[derive(Default)]
pub(super) struct Subscribers {
    of_kind: Vec<Vec<Weak<Subscriber>>>,
}

/// Keeps a subscription alive; dropping it ends it at once.
#[must_use]
pub struct Subscription(Rc<Subscriber>);

impl Drop for Subscription {
    fn drop(&mut self) {
        self.0.alive.set(false);
        let queue = self.0.queue.take();
        drop(queue);
    }
}

pub(super) fn publish(inner: &Inner, change: &Change) {
    let mut subscribers = inner.subscribers.borrow_mut();
    let Some(list) = subscribers.of_kind.get_mut(change.kind.0 as usize) else { return };
    list.retain(|weak| {
        let Some(subscriber) = weak.upgrade() else { return false };
        subscriber.queue.borrow_mut().push_back(change.clone());
        schedule(&inner.sim, &subscriber);
        true
    });
}

fn schedule(sim: &Sim, subscriber: &Rc<Subscriber>) {
    if subscriber.scheduled.replace(true) {
        return;
    }
    let weak = Rc::downgrade(subscriber);
    sim.after(WATCH_LATENCY, move || {
        let Some(subscriber) = weak.upgrade() else { return };
        subscriber.scheduled.set(false);
        // Only what is there now: what handlers write is delivered another latency later.
        let batch = subscriber.queue.take();
        for change in &batch {
            if subscriber.alive.get() {
                subscriber.sim.under(change.cause, || (subscriber.handler)(change));
            }
        }
    });
}

impl Store {
    /// Calls `handler` for every change of these kinds from now on, from the event loop.
    pub fn subscribe(&self, kinds: &[KindId], handler: impl Fn(&Change) + 'static) -> Subscription {
        let subscriber = Rc::new(Subscriber {
            sim: self.0.sim.clone(),
            handler: Rc::new(handler),
            queue: RefCell::default(),
            scheduled: Cell::new(false),
            alive: Cell::new(true),
        });
        let mut subscribers = self.0.subscribers.borrow_mut();
        for kind in kinds {
            let place = kind.0 as usize;
            if subscribers.of_kind.len() <= place {
                subscribers.of_kind.resize_with(place + 1, Vec::new);
            }
            subscribers.of_kind[place].push(Rc::downgrade(&subscriber));
        }
        Subscription(subscriber)
    }
}
