//! The work queue: keys to look at, each once, with delays and retries.
//!
//! Models `client-go/util/workqueue` (`TypedRateLimitingInterface` with the default controller
//! rate limiter). One worker takes from it, so nothing has to be locked while it is worked on.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, VecDeque, btree_map::Entry},
    rc::{Rc, Weak},
    time::Duration,
};

use crate::sim::{Cause, Sim, Time, TimerId};

/// Namespace and name of the object to look at (empty namespace for cluster-scoped kinds).
pub type Key = (Rc<str>, Rc<str>);

/// First retry of a key (`ItemExponentialFailureRateLimiter`).
const RETRY_FIRST: Duration = Duration::from_millis(5);
/// Longest wait for a retry of a key.
const RETRY_LONGEST: Duration = Duration::from_secs(1000);
/// All retries of a queue together: ten a second, a hundred at once (`BucketRateLimiter`).
const RETRIES: (Duration, u32) = (Duration::from_millis(100), 100);

/// So many at once, and then one an interval.
#[derive(Debug)]
pub struct Bucket {
    interval: Duration,
    burst: u32,
    /// When all that was taken is paid back (generic cell rate algorithm).
    settled: Cell<Time>,
}

impl Bucket {
    /// A full bucket.
    pub fn new(interval: Duration, burst: u32) -> Self {
        Bucket { interval, burst, settled: Cell::new(Time::default()) }
    }

    /// Takes one; how long the taker has to wait for it.
    pub fn take(&self, now: Time) -> Duration {
        let settled = self.settled.get().max(now) + self.interval;
        self.settled.set(settled);
        settled.since(now).saturating_sub(self.interval * self.burst)
    }

    /// Takes one if that costs no waiting.
    ///
    /// # Errors
    /// How long to wait before it is tried again.
    pub fn try_take(&self, now: Time) -> Result<(), Duration> {
        let before = self.settled.get();
        match self.take(now) {
            Duration::ZERO => Ok(()),
            wait => {
                self.settled.set(before);
                Err(wait)
            }
        }
    }

    /// Whether all that was taken is paid back.
    pub fn is_full(&self, now: Time) -> bool {
        self.settled.get() <= now
    }
}

/// Keys of one controller. Clones share it.
#[derive(Clone)]
pub struct Queue(Rc<Inner>);

struct Inner {
    sim: Sim,
    ready: RefCell<VecDeque<Key>>,
    /// Keys that are ready, and why each is to be looked at.
    known: RefCell<BTreeMap<Key, Cause>>,
    waiting: RefCell<BTreeMap<Key, (Time, TimerId)>>,
    failures: RefCell<BTreeMap<Key, u32>>,
    retries: Bucket,
    wake: Box<dyn Fn()>,
}

impl Queue {
    /// An empty queue that calls `wake` whenever a key is ready.
    pub(super) fn new(sim: &Sim, wake: impl Fn() + 'static) -> Self {
        Queue(Rc::new(Inner {
            sim: sim.clone(),
            ready: RefCell::default(),
            known: RefCell::default(),
            waiting: RefCell::default(),
            failures: RefCell::default(),
            retries: Bucket::new(RETRIES.0, RETRIES.1),
            wake: Box::new(wake),
        }))
    }

    /// A key is to be looked at; nothing happens if it is in the queue already.
    pub fn add(&self, key: Key) {
        self.0.add(key);
    }

    /// [`Queue::add`] for the object of this namespace and name.
    pub fn add_name(&self, namespace: &str, name: &str) {
        self.0.add((namespace.into(), name.into()));
    }

    /// Adds a key after a while; of several waits for one key the shortest counts.
    pub fn add_after(&self, key: Key, delay: Duration) {
        if delay.is_zero() {
            return self.add(key);
        }
        let at = self.0.sim.now() + delay;
        let earlier = self.0.waiting.borrow().get(&key).copied();
        match earlier {
            Some((due, _)) if due <= at => return,
            Some((_, timer)) => self.0.sim.cancel(timer),
            None => {}
        }
        let (weak, k): (Weak<Inner>, _) = (Rc::downgrade(&self.0), key.clone());
        let timer = self.0.sim.at(at, move || {
            let Some(inner) = weak.upgrade() else { return };
            inner.waiting.borrow_mut().remove(&k);
            inner.add(k);
        });
        self.0.waiting.borrow_mut().insert(key, (at, timer));
    }

    /// Adds a key that failed again, later each time.
    pub fn retry(&self, key: Key) {
        let times = {
            let mut failures = self.0.failures.borrow_mut();
            let count = failures.entry(key.clone()).or_insert(0);
            *count += 1;
            *count - 1
        };
        let own = RETRY_FIRST.saturating_mul(1 << times.min(20)).min(RETRY_LONGEST);
        let shared = self.0.retries.take(self.0.sim.now());
        self.add_after(key, own.max(shared));
    }

    /// How often a key failed since it last went well.
    pub fn failures(&self, key: &Key) -> u32 {
        self.0.failures.borrow().get(key).copied().unwrap_or(0)
    }

    /// The key went well: its next failure is its first.
    pub fn forget(&self, key: &Key) {
        self.0.failures.borrow_mut().remove(key);
    }

    pub(super) fn pop(&self) -> Option<(Key, Cause)> {
        let key = self.0.ready.borrow_mut().pop_front()?;
        let cause = self.0.known.borrow_mut().remove(&key).unwrap_or_default();
        Some((key, cause))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.ready.borrow().is_empty()
    }
}

impl Inner {
    fn add(&self, key: Key) {
        let cause = self.sim.cause();
        match self.known.borrow_mut().entry(key.clone()) {
            Entry::Occupied(mut known) => {
                let merged = known.get().or(cause);
                known.insert(merged);
                return;
            }
            Entry::Vacant(new) => drop(new.insert(cause)),
        }
        self.ready.borrow_mut().push_back(key);
        (self.wake)();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for (_, timer) in std::mem::take(self.waiting.get_mut()).into_values() {
            self.sim.cancel(timer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_waits_once_and_failures_wait_longer_each_time() {
        let sim = Sim::new(1, Time::from_secs(100));
        let queue = Queue::new(&sim, || {});
        let key: Key = ("a".into(), "b".into());
        queue.add(key.clone());
        queue.add(key.clone());
        assert_eq!(queue.pop().map(|(key, _)| key), Some(key.clone()));
        assert!(queue.pop().is_none());
        queue.add_after(key.clone(), Duration::from_secs(5));
        queue.add_after(key.clone(), Duration::from_secs(2));
        queue.add_after(key.clone(), Duration::from_secs(9));
        sim.advance(Time::from_secs(102), 10);
        assert!(queue.pop().is_some());
        sim.advance(Time::from_secs(110), 10);
        assert!(queue.is_empty());
        for wait in [5, 10, 20, 40, 80] {
            queue.retry(key.clone());
            sim.advance(sim.now() + Duration::from_millis(wait - 1), 10);
            assert!(queue.is_empty(), "{wait}");
            sim.advance(sim.now() + Duration::from_millis(1), 10);
            assert!(queue.pop().is_some(), "{wait}");
        }
        assert_eq!(queue.failures(&key), 5);
        queue.forget(&key);
        assert_eq!(queue.failures(&key), 0);
    }

    #[test]
    fn a_bucket_lets_its_burst_through_and_then_one_an_interval() {
        let bucket = Bucket::new(Duration::from_millis(50), 3);
        let now = Time::from_secs(1);
        let waits: Vec<_> = (0..5).map(|_| bucket.take(now).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 50, 100]);
        assert_eq!(bucket.take(Time::from_secs(9)).as_millis(), 0);
        let bucket = Bucket::new(Duration::from_millis(50), 1);
        assert_eq!(bucket.try_take(now), Ok(()));
        let wait = Duration::from_millis(50);
        assert_eq!([bucket.try_take(now), bucket.try_take(now)], [Err(wait), Err(wait)]);
        assert!(bucket.try_take(now + wait).is_ok() && !bucket.is_full(now + wait));
    }
}
