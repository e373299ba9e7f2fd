//! What every controller is made of: a queue of keys, one worker, and a `reconcile` that looks at
//! the whole state of one key and moves the world towards it.
//!
//! Models `pkg/controller`'s usual form (informers → work queue → worker). Level driven: a
//! controller that is started at any time is told of every object that exists and settles.
//!
//! Invariant: a controller runs only from the event loop, one key at a time, and nothing of it is
//! left once its [`Running`] is dropped.

mod queue;

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    rc::{Rc, Weak},
    time::Duration,
};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
pub use queue::{Bucket, Key, Queue};

use crate::{
    api::{KindId, Status, Typed},
    client::{Change, Client, ListOptions, Subscription},
    sim::Sim,
};

/// A client in kube-controller-manager may write 20 times a second, 30 times at once
/// (`--kube-api-qps`, `--kube-api-burst`).
const WRITES: (Duration, u32) = (Duration::from_millis(50), 30);

/// One object is looked at so often at once and then 20 times a second. A loop in which the cluster
/// fights itself (a kubelet refuses each pod that a set makes anew) is held up so in a real cluster, by
/// its client's rate; without, it would fill the store in no time.
const LOOKS: (Duration, u32) = (Duration::from_millis(50), 300);
/// So many objects are remembered as busy before those that came to rest are forgotten.
const BUSY: usize = 4096;

/// A control loop. Its state beyond the API's objects may be lost at any time.
pub trait Controller: 'static {
    /// Its name (`replicaset-controller`).
    fn name(&self) -> &'static str;

    /// The kinds whose changes it is told.
    fn kinds(&self) -> Vec<KindId>;

    /// Adds the keys that a change concerns. At the start it is called for every object that
    /// exists, as if it had just been added.
    fn changed(&self, change: &Change, queue: &Queue);

    /// Looks at one key and does what is to be done. A returned time asks to be called again then;
    /// an error, soon and then later and later.
    fn reconcile(&self, key: &Key, queue: &Queue) -> Result<Option<Duration>, Status>;

    /// Whether it is also told of kinds that come later (custom resources); [`Controller::kinds`]
    /// is asked again then.
    fn follows_new_kinds(&self) -> bool {
        false
    }

    /// Whether it is held to a real client's rate of writes. For controllers whose every sync
    /// costs as much as what they look after is large.
    fn is_throttled(&self) -> bool {
        false
    }
}

struct Worker {
    sim: Sim,
    controller: Box<dyn Controller>,
    queue: Queue,
    scheduled: Cell<bool>,
    writes: Bucket,
    /// Objects that were looked at lately.
    busy: RefCell<BTreeMap<Key, Bucket>>,
}

/// A controller at work; it stops when this is dropped.
pub struct Running {
    _worker: Rc<Worker>,
    _subscription: Subscription,
    _later: Option<Subscription>,
}

/// Starts a controller.
pub fn start(client: &Client, controller: Box<dyn Controller>) -> Running {
    let kinds = controller.kinds();
    let worker = Rc::new_cyclic(|weak: &Weak<Worker>| {
        let wake = weak.clone();
        let queue = Queue::new(client.sim(), move || {
            if let Some(worker) = wake.upgrade() {
                worker.schedule(Duration::ZERO);
            }
        });
        Worker {
            sim: client.sim().clone(),
            controller,
            queue,
            scheduled: Cell::new(false),
            writes: Bucket::new(WRITES.0, WRITES.1),
            busy: RefCell::default(),
        }
    });
    let weak = Rc::downgrade(&worker);
    let subscription = client.on_change(&kinds, move |change| {
        if let Some(worker) = weak.upgrade() {
            worker.controller.changed(change, &worker.queue);
        }
    });
    for kind in kinds {
        let objects = client.list_any(kind, None, &ListOptions::default()).unwrap_or_default();
        for object in objects {
            let change = Change::found(client.revision(), client.sim().cause(), kind, object);
            worker.controller.changed(&change, &worker.queue);
        }
    }
    let later = worker.controller.follows_new_kinds().then(|| follow(client, &worker));
    Running { _worker: worker, _subscription: subscription, _later: later }
}

/// Tells a controller of kinds that are new with a definition.
fn follow(client: &Client, worker: &Rc<Worker>) -> Subscription {
    let known: RefCell<BTreeSet<KindId>> = RefCell::default();
    known.borrow_mut().extend(worker.controller.kinds());
    let added: RefCell<Vec<Subscription>> = RefCell::default();
    let (weak, own) = (Rc::downgrade(worker), client.clone());
    client.on_change(&[CustomResourceDefinition::ID], move |_| {
        let Some(worker) = weak.upgrade() else { return };
        let all = worker.controller.kinds();
        let new: Vec<KindId> =
            all.into_iter().filter(|kind| known.borrow_mut().insert(*kind)).collect();
        if new.is_empty() {
            return;
        }
        let inner = weak.clone();
        added.borrow_mut().push(own.on_change(&new, move |change| {
            if let Some(worker) = inner.upgrade() {
                worker.controller.changed(change, &worker.queue);
            }
        }));
    })
}

impl Worker {
    fn schedule(self: &Rc<Self>, delay: Duration) {
        if self.scheduled.replace(true) {
            return;
        }
        let weak = Rc::downgrade(self);
        self.sim.after(delay, move || {
            let Some(worker) = weak.upgrade() else { return };
            worker.scheduled.set(false);
            worker.step();
        });
    }

    /// Works on one key; the next one waits for its turn in the event loop.
    fn step(self: &Rc<Self>) {
        let Some((key, cause)) = self.queue.pop() else { return };
        self.sim.under(cause, || match self.look(&key) {
            Ok(()) => self.work(key),
            Err(wait) => self.queue.add_after(key, wait),
        });
        let throttled = self.controller.is_throttled();
        let pause = if throttled { self.writes.take(self.sim.now()) } else { Duration::ZERO };
        if !self.queue.is_empty() || !pause.is_zero() {
            self.schedule(pause);
        }
    }

    /// Whether an object may be looked at now, or how long it has to wait.
    fn look(&self, key: &Key) -> Result<(), Duration> {
        let now = self.sim.now();
        let mut busy = self.busy.borrow_mut();
        if busy.len() > BUSY {
            busy.retain(|_, bucket| !bucket.is_full(now));
        }
        let bucket = busy.entry(key.clone()).or_insert_with(|| Bucket::new(LOOKS.0, LOOKS.1));
        bucket.try_take(now)
    }

    fn work(&self, key: Key) {
        match self.controller.reconcile(&key, &self.queue) {
            Ok(again) => {
                self.queue.forget(&key);
                if let Some(delay) = again {
                    self.queue.add_after(key, delay);
                }
            }
            Err(_) => self.queue.retry(key),
        }
    }
}
