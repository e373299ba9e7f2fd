//! Pods that wait for a node: those to be tried now, those that wait a while after a failure, and
//! those for which something has to change first.
//!
//! Models `pkg/scheduler/backend/queue`.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};

use super::cache::PodInfo;
use crate::sim::Time;

/// Namespace and name.
pub type Key = (Rc<str>, Rc<str>);

/// After so long a pod is tried again even if nothing seems to have changed
/// (`DefaultPodMaxInUnschedulablePodsDuration`).
const PATIENCE: Duration = Duration::from_secs(300);

/// Where a pod waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// To be tried now.
    Active,
    /// To be tried when its time comes, or when nothing else is to be tried.
    Backoff { until: Time },
    /// After an error: to be tried when its time comes.
    Error { until: Time },
    /// Until something changes.
    Unschedulable { since: Time },
    /// Until a plugin lets it be tried at all.
    Gated,
}

/// A waiting pod.
pub struct Waiting {
    /// The pod.
    pub info: Rc<PodInfo>,
    /// How often it was tried.
    pub attempts: u32,
    /// The plugins that rejected it last time; changes that help with none of them are no reason
    /// to try again.
    pub rejectors: Vec<&'static str>,
    place: Place,
    queued: Time,
    /// When its wait after the last failure began.
    failed: Time,
    seq: u64,
}

/// All waiting pods.
pub struct Queue {
    pods: BTreeMap<Key, Waiting>,
    active: BTreeSet<(Reverse<i32>, Time, u64, Key)>,
    backoff: BTreeSet<(Time, u64, Key)>,
    errors: BTreeSet<(Time, u64, Key)>,
    waiting: BTreeSet<(Time, u64, Key)>,
    gated: BTreeSet<Key>,
    /// Those of `waiting` by who rejected them: most changes help with few rejections.
    by_rejectors: BTreeMap<Vec<&'static str>, BTreeSet<Key>>,
    seq: u64,
    /// First wait after a failure (`podInitialBackoffSeconds`); it doubles with each.
    first: Duration,
    /// Longest wait after a failure (`podMaxBackoffSeconds`).
    longest: Duration,
}

/// The key of a pod.
pub fn key(info: &PodInfo) -> Key {
    (info.namespace().into(), info.name().into())
}

impl Queue {
    /// An empty one, with the first and the longest wait after failures.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Queue {
            pods: BTreeMap::new(),
            active: BTreeSet::new(),
            backoff: BTreeSet::new(),
            errors: BTreeSet::new(),
            waiting: BTreeSet::new(),
            gated: BTreeSet::new(),
            by_rejectors: BTreeMap::new(),
            seq: 0,
            first,
            longest,
        }
    }

    /// A pod without node is new. `gated`: it is not to be tried yet.
    pub fn add(&mut self, info: Rc<PodInfo>, gated: bool, now: Time) {
        let key = key(&info);
        self.remove(&key);
        self.seq += 1;
        let place = if gated { Place::Gated } else { Place::Active };
        let waiting = Waiting {
            info,
            attempts: 0,
            rejectors: Vec::new(),
            place,
            queued: now,
            failed: now,
            seq: self.seq,
        };
        self.pods.insert(key.clone(), waiting);
        self.enter(&key);
    }

    /// A waiting pod changed. `helps`: the change may make it schedulable.
    pub fn update(&mut self, info: Rc<PodInfo>, gated: bool, helps: bool, now: Time) {
        let key = key(&info);
        self.leave(&key);
        let Some(waiting) = self.pods.get_mut(&key) else { return self.add(info, gated, now) };
        waiting.info = info;
        match waiting.place {
            _ if gated => waiting.place = Place::Gated,
            Place::Gated => (waiting.place, waiting.queued) = (Place::Active, now),
            Place::Unschedulable { .. } if helps => {
                let wait = waiting.wait(self.first, self.longest);
                waiting.ready(wait, now);
            }
            _ => {}
        }
        self.enter(&key);
    }

    /// A pod waits no more.
    pub fn remove(&mut self, key: &Key) -> Option<Waiting> {
        self.leave(key);
        self.pods.remove(key)
    }

    /// One waiting pod.
    pub fn get(&self, key: &Key) -> Option<&Waiting> {
        self.pods.get(key)
    }

    /// A pod, if it is not to be tried yet.
    pub fn gated(&self, key: &Key) -> Option<Rc<PodInfo>> {
        self.pods.get(key).filter(|w| w.place == Place::Gated).map(|w| w.info.clone())
    }

    /// The next pod to be tried: by priority, then by time. If there is none, one that would wait
    /// a little longer after a failure.
    pub fn pop(&mut self, now: Time) -> Option<Waiting> {
        self.wake(now);
        let active = self.active.first().map(|(.., key)| key.clone());
        let next = active.or_else(|| self.backoff.first().map(|(.., key)| key.clone()))?;
        let mut waiting = self.remove(&next)?;
        waiting.attempts += 1;
        Some(waiting)
    }

    /// A pod found no node; it waits for a change that helps.
    pub fn fail(&mut self, mut waiting: Waiting, rejectors: Vec<&'static str>, now: Time) {
        waiting.rejectors = rejectors;
        waiting.place = Place::Unschedulable { since: now };
        self.put_back(waiting, now);
    }

    /// Something went wrong that has nothing to do with the pod: it is tried again after a while.
    pub fn retry(&mut self, mut waiting: Waiting, now: Time) {
        waiting.place = Place::Error { until: now + waiting.wait(self.first, self.longest) };
        self.put_back(waiting, now);
    }

    fn put_back(&mut self, mut waiting: Waiting, now: Time) {
        self.seq += 1;
        (waiting.failed, waiting.queued, waiting.seq) = (now, now, self.seq);
        let key = key(&waiting.info);
        self.pods.insert(key.clone(), waiting);
        self.enter(&key);
    }

    /// Something changed: pods for which `helps` says so are tried again, when their wait after
    /// the last failure is over. `concerns`: whether it may help at all with these rejections.
    pub fn move_pods(
        &mut self,
        now: Time,
        concerns: impl Fn(&[&'static str]) -> bool,
        helps: impl Fn(&Waiting) -> bool,
    ) {
        let concerned = self.by_rejectors.iter().filter(|(rejectors, _)| concerns(rejectors));
        let helped = concerned
            .flat_map(|(_, keys)| keys)
            .filter(|key| self.pods.get(*key).is_some_and(&helps));
        let keys: Vec<Key> = helped.cloned().collect();
        for key in keys {
            self.leave(&key);
            if let Some(waiting) = self.pods.get_mut(&key) {
                let wait = waiting.wait(self.first, self.longest);
                waiting.ready(wait, now);
            }
            self.enter(&key);
        }
    }

    /// Whether [`Queue::pop`] has something to give.
    pub fn has_work(&self, now: Time) -> bool {
        !self.active.is_empty()
            || !self.backoff.is_empty()
            || self.errors.first().is_some_and(|(until, ..)| *until <= now)
    }

    /// When a waiting pod's time comes without any change.
    pub fn next_due(&self) -> Option<Time> {
        let backoff = self.errors.first().map(|(until, ..)| *until);
        let patience = self.waiting.first().map(|(since, ..)| *since + PATIENCE);
        backoff.into_iter().chain(patience).min()
    }

    /// Moves what is due.
    pub fn wake(&mut self, now: Time) {
        for early in [false, true] {
            let set = |q: &Self| if early { &q.backoff } else { &q.errors }.first().cloned();
            while let Some((_, _, key)) = set(self).filter(|(until, ..)| *until <= now) {
                self.activate(&key);
            }
        }
        while let Some((since, _, key)) = self.waiting.first().cloned() {
            if since + PATIENCE > now {
                break;
            }
            self.activate(&key);
        }
    }

    fn activate(&mut self, key: &Key) {
        self.leave(key);
        if let Some(waiting) = self.pods.get_mut(key) {
            waiting.place = Place::Active;
        }
        self.enter(key);
    }

    fn enter(&mut self, key: &Key) {
        let Some(w) = self.pods.get(key) else { return };
        match w.place {
            Place::Active => {
                self.active.insert((Reverse(w.info.priority()), w.queued, w.seq, key.clone()));
            }
            Place::Backoff { until } => {
                self.backoff.insert((until, w.seq, key.clone()));
            }
            Place::Error { until } => {
                self.errors.insert((until, w.seq, key.clone()));
            }
            Place::Unschedulable { since } => {
                self.waiting.insert((since, w.seq, key.clone()));
                let alike = self.by_rejectors.entry(w.rejectors.clone()).or_default();
                alike.insert(key.clone());
            }
            Place::Gated => drop(self.gated.insert(key.clone())),
        }
    }

    fn leave(&mut self, key: &Key) {
        let Some(w) = self.pods.get(key) else { return };
        match w.place {
            Place::Active => {
                self.active.remove(&(Reverse(w.info.priority()), w.queued, w.seq, key.clone()));
            }
            Place::Backoff { until } => {
                self.backoff.remove(&(until, w.seq, key.clone()));
            }
            Place::Error { until } => {
                self.errors.remove(&(until, w.seq, key.clone()));
            }
            Place::Unschedulable { since } => {
                self.waiting.remove(&(since, w.seq, key.clone()));
                if let Some(alike) = self.by_rejectors.get_mut(&w.rejectors) {
                    alike.remove(key);
                    if alike.is_empty() {
                        self.by_rejectors.remove(&w.rejectors);
                    }
                }
            }
            Place::Gated => drop(self.gated.remove(key)),
        }
    }
}

impl Waiting {
    /// How long to wait after the last failure.
    fn wait(&self, first: Duration, longest: Duration) -> Duration {
        let doublings = self.attempts.saturating_sub(1).min(20);
        first.saturating_mul(1 << doublings).min(longest)
    }

    /// To be tried again, now or when the wait is over.
    fn ready(&mut self, wait: Duration, now: Time) {
        let until = self.failed + wait;
        self.place = if until <= now { Place::Active } else { Place::Backoff { until } };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::object::from_value;
    use serde_json::json;

    fn pod(name: &str, priority: i32) -> Rc<PodInfo> {
        let pod = json!({"metadata": {"name": name, "namespace": "d"},
            "spec": {"priority": priority, "containers": []}});
        Rc::new(PodInfo::new(&Rc::new(from_value(pod).unwrap())))
    }

    fn names(queue: &mut Queue, now: Time) -> Vec<String> {
        std::iter::from_fn(|| queue.pop(now)).map(|w| w.info.name().to_string()).collect()
    }

    #[test]
    fn pods_come_by_priority_then_by_time() {
        let mut queue = Queue::new(Duration::from_secs(1), Duration::from_secs(10));
        let t = Time::from_secs;
        queue.add(pod("late", 0), false, t(5));
        queue.add(pod("early", 0), false, t(3));
        queue.add(pod("urgent", 9), false, t(9));
        assert_eq!(names(&mut queue, t(10)), ["urgent", "early", "late"]);
    }

    #[test]
    fn a_rejected_pod_waits_for_a_change_or_five_minutes() {
        let mut queue = Queue::new(Duration::from_secs(1), Duration::from_secs(10));
        let t = Time::from_secs;
        queue.add(pod("a", 0), false, t(0));
        let waiting = queue.pop(t(0)).unwrap();
        queue.fail(waiting, vec!["Fit"], t(0));
        assert!(!queue.has_work(t(100)));
        assert_eq!(queue.next_due(), Some(t(300)));
        queue.move_pods(t(1), |_| true, |w| w.rejectors.contains(&"Other"));
        assert!(!queue.has_work(t(100)));
        queue.move_pods(t(1), |r| r.contains(&"Fit"), |_| true);
        let waiting = queue.pop(t(1)).unwrap();
        assert_eq!(waiting.attempts, 2);
        queue.fail(waiting, vec!["Fit"], t(1));
        assert_eq!(names(&mut queue, t(301)), ["a"]);
    }

    #[test]
    fn after_an_error_the_wait_doubles_up_to_ten_seconds() {
        let mut queue = Queue::new(Duration::from_secs(1), Duration::from_secs(10));
        let mut now = Time::from_secs(0);
        queue.add(pod("a", 0), false, now);
        for seconds in [1, 2, 4, 8, 10, 10] {
            let waiting = queue.pop(now).unwrap();
            queue.retry(waiting, now);
            assert!(!queue.has_work(now));
            now = now + Duration::from_secs(seconds);
            assert_eq!(queue.next_due(), Some(now));
        }
    }
}
