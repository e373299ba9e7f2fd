//! The scheduler: finds each pod a node.
//!
//! [`queue`] says whose turn it is, [`cycle`] filters and scores with the [`plugins`] as a profile of
//! its [`config`] says, [`preemption`] makes room, [`cache`] knows what is where, [`place`] puts pods
//! on their nodes and [`report`] says what became of them. A pod's node is set by binding it, through
//! the API like everything else; nothing is remembered that a restart could not find again.
//!
//! [`devices`] finds devices for pods' claims.
//!
//! Models `pkg/scheduler`. Not simulated: extenders, permit plugins (upstream has none that is on),
//! pod groups.

mod cache;
#[cfg(test)]
mod cases;
pub mod config;
mod cycle;
mod decisions;
mod devices;
mod framework;
mod nominated;
mod place;
mod plugins;
mod preemption;
mod queue;
mod report;
pub mod resources;
mod tally;
mod terms;
#[cfg(test)]
mod tests;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::{Rc, Weak},
    time::Duration,
};

use k8s_openapi::api::{
    core::v1::{Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod},
    resource::v1::{DeviceClass, ResourceClaim, ResourceSlice},
    storage::v1::{CSINode, StorageClass},
};

use crate::{
    api::{Object, Typed, claims, pods},
    client::{Change, Client, Op, Subscription},
    sim::TimerId,
};
use cache::{Cache, PodInfo};
use config::{Config, Profile};
pub use decisions::{Decision, Decisions, Outcome, Part, Verdict, Victim};
use framework::Event;
use nominated::Nominated;
use place::Reserved;
use plugins::PLUGINS;
pub use plugins::missing_claim;
use queue::{Queue, Waiting};
use report::Reporter;

/// The scheduler at work; it stops when this is dropped.
pub struct Scheduler {
    inner: Rc<Inner>,
    _subscription: Subscription,
    _at_work: Rc<()>,
}

struct Inner {
    client: Client,
    config: Config,
    reporters: BTreeMap<Rc<str>, Reporter>,
    cache: RefCell<Cache>,
    queue: RefCell<Queue>,
    nominated: RefCell<Nominated>,
    /// Pods that have their node and wait for something before they are bound, by uid.
    reserved: RefCell<BTreeMap<Rc<str>, Reserved>>,
    decisions: Rc<Decisions>,
    /// Where the next look at a large cluster's nodes starts.
    start: Cell<usize>,
    scheduled: Cell<bool>,
    timer: Cell<Option<TimerId>>,
}

impl Scheduler {
    /// Starts scheduling as kube-scheduler does without configuration. `client` acts for
    /// `system:kube-scheduler`.
    pub fn start(client: &Client) -> Self {
        Scheduler::with(client, Config::default())
    }

    /// Starts scheduling the pods of a configuration's profiles.
    pub fn with(client: &Client, config: Config) -> Self {
        let reporters = config.profiles.iter().map(|p| (p.name.clone(), &*p.name));
        let inner = Rc::new(Inner {
            client: client.clone(),
            reporters: reporters.map(|(name, p)| (name, Reporter::new(client, p))).collect(),
            cache: RefCell::new(Cache::new(client)),
            queue: RefCell::new(Queue::new(config.initial_backoff, config.max_backoff)),
            nominated: RefCell::default(),
            reserved: RefCell::default(),
            decisions: Decisions::of(client),
            start: Cell::new(0),
            scheduled: Cell::new(false),
            timer: Cell::new(None),
            config,
        });
        for node in client.list::<Node>(None) {
            inner.cache.borrow_mut().set_node(&node);
        }
        for pod in client.list::<Pod>(None) {
            inner.pod_changed(&pod, None, Op::Added);
        }
        let weak = Rc::downgrade(&inner);
        let kinds = [
            Node::ID,
            Pod::ID,
            PersistentVolumeClaim::ID,
            PersistentVolume::ID,
            StorageClass::ID,
            CSINode::ID,
            ResourceClaim::ID,
            DeviceClass::ID,
            ResourceSlice::ID,
            Namespace::ID,
        ];
        let subscription = client.on_change(&kinds, move |change| {
            if let Some(inner) = weak.upgrade() {
                inner.changed(change);
            }
        });
        inner.wake();
        Scheduler { inner, _subscription: subscription, _at_work: client.announce("scheduler") }
    }

    /// What was decided about a pod last, if that is not too long ago.
    pub fn decision(&self, namespace: &str, pod: &str) -> Option<Rc<Decision>> {
        self.inner.decisions.last(namespace, pod)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.take() {
            self.client.sim().cancel(timer);
        }
    }
}

fn typed<T: Typed>(object: &crate::api::ObjRef) -> Option<Rc<T>> {
    crate::api::object::downcast_rc(object)
}

impl Inner {
    fn changed(self: &Rc<Self>, change: &Change) {
        if let Some(pod) = typed::<Pod>(&change.object) {
            let old = change.old.as_ref().and_then(typed::<Pod>);
            self.pod_changed(&pod, old.as_ref(), change.op);
        } else if let Some(node) = typed::<Node>(&change.object) {
            let old = change.old.as_ref().and_then(typed::<Node>);
            self.node_changed(&node, old.as_ref(), change.op);
        } else if let Some(namespace) = typed::<Namespace>(&change.object) {
            let old = change.old.as_ref().and_then(typed::<Namespace>);
            if old.is_none_or(|o| o.metadata.labels != namespace.metadata.labels) {
                self.cache.borrow_mut().namespaces_changed();
            }
        } else if let Some(claim) = typed::<ResourceClaim>(&change.object) {
            let old = change.old.as_ref().and_then(typed::<ResourceClaim>);
            self.claim_changed(&claim, old.as_deref(), change.op);
        } else if [DeviceClass::ID, ResourceSlice::ID].contains(&change.kind) {
            if change.op != Op::Deleted {
                self.move_pods(Event::Devices);
            }
        } else {
            self.try_reserved();
            self.move_pods(Event::Storage);
        }
        self.wake();
    }

    fn claim_changed(&self, claim: &ResourceClaim, old: Option<&ResourceClaim>, op: Op) {
        self.try_reserved();
        if op == Op::Deleted {
            return;
        }
        // Lets pods be tried whose claims are there now.
        let now = self.client.sim().now();
        let object: &dyn Object = claim;
        let key = format!("{}/{}", object.namespace(), object.name());
        let users = self.client.index::<Pod>(claims::pods_by_claim);
        for pod in self.client.by_index::<Pod>(users, &key) {
            let object: &dyn Object = &*pod;
            let key = (object.namespace().into(), object.name().into());
            let gated = self.queue.borrow().gated(&key);
            if let Some(info) = gated.filter(|info| !self.is_gated(info)) {
                self.queue.borrow_mut().update(info, false, false, now);
            }
        }
        self.move_pods(Event::Claim(claim, old));
    }

    fn node_changed(&self, node: &Rc<Node>, old: Option<&Rc<Node>>, op: Op) {
        if op == Op::Deleted {
            self.cache.borrow_mut().remove_node((&**node as &dyn Object).name());
            return;
        }
        self.cache.borrow_mut().set_node(node);
        self.move_pods(Event::Node(node, old.map(|o| &**o)));
    }

    fn pod_changed(&self, pod: &Rc<Pod>, old: Option<&Rc<Pod>>, op: Op) {
        let object: &dyn Object = &**pod;
        let key = (object.namespace().into(), object.name().into());
        let gone = op == Op::Deleted || pods::is_terminal(pod);
        let placed = !pods::node_name(pod).is_empty();
        let going = pod.metadata.deletion_timestamp.is_some();
        if gone || placed || going {
            if let Some(waiting) = self.queue.borrow_mut().remove(&key) {
                self.nominated.borrow_mut().set(&waiting.info, None);
            }
            self.reserved.borrow_mut().remove(object.uid());
        }
        if gone || (going && !placed) {
            let removed = self.cache.borrow_mut().remove_pod(object.uid());
            if let Some(info) = removed {
                self.move_pods(Event::PodRemoved(&info));
            }
        } else if placed {
            self.placed_changed(pod, old);
        } else if self.profile(pod).is_some() {
            self.waiting_changed(pod, old, key);
        }
    }

    /// A pod that is on a node.
    fn placed_changed(&self, pod: &Rc<Pod>, old: Option<&Rc<Pod>>) {
        let known = self.cache.borrow().pod((&**pod as &dyn Object).uid()).cloned();
        let Some(known) = known else {
            let info = Rc::new(PodInfo::new(pod));
            self.cache.borrow_mut().set_pod(info.clone());
            return self.move_pods(Event::PodAdded(&info));
        };
        let info = Rc::new(known.updated(pod));
        let moved = pods::node_name(&known.pod) != pods::node_name(pod);
        if moved || !info.counts_as(&known) {
            self.cache.borrow_mut().set_pod(info.clone());
        } else {
            self.cache.borrow_mut().renew_pod(info.clone());
        }
        if old.is_none_or(|o| pods::node_name(o).is_empty()) {
            self.move_pods(Event::PodAdded(&info));
        } else if !info.counts_as(&known) {
            self.move_pods(Event::PodUpdated(&info, &known));
        }
    }

    /// A pod without node.
    fn waiting_changed(&self, pod: &Rc<Pod>, old: Option<&Rc<Pod>>, key: queue::Key) {
        let uid = (&**pod as &dyn Object).uid();
        // It has its node already; news of what it was before may still be on their way.
        if self.reserved.borrow().contains_key(uid) || self.cache.borrow().pod(uid).is_some() {
            return;
        }
        let now = self.client.sim().now();
        let info = Rc::new(PodInfo::new(pod));
        let known = self.queue.borrow().get(&key).map(|w| w.info.cause.get()).unwrap_or_default();
        info.cause.set(known.or(self.client.sim().cause()));
        // Prospects that were found before a restart.
        let prospect = pod.status.as_ref().and_then(|s| s.nominated_node_name.as_deref());
        self.nominated.borrow_mut().set(&info, prospect.filter(|n| !n.is_empty()));
        let gated = self.is_gated(&info);
        let mut queue = self.queue.borrow_mut();
        let helps = match (queue.get(&key), old) {
            (Some(waiting), Some(old)) => self.helps(waiting, Event::Own(pod, old)),
            _ => return queue.add(info, gated, now),
        };
        queue.update(info, gated, helps, now);
    }

    /// How a pod is scheduled, if it is for this scheduler.
    fn profile(&self, pod: &Pod) -> Option<&Profile> {
        let wanted = pod.spec.as_ref().and_then(|s| s.scheduler_name.as_deref());
        let wanted = wanted.filter(|n| !n.is_empty()).unwrap_or(config::DEFAULT);
        self.config.profiles.iter().find(|p| &*p.name == wanted)
    }

    /// Whether a plugin keeps a pod from being tried (`PreEnqueue`).
    fn is_gated(&self, info: &PodInfo) -> bool {
        let Some(profile) = self.profile(&info.pod) else { return false };
        let gates = info.pod.spec.as_ref().and_then(|s| s.scheduling_gates.as_ref());
        (gates.is_some_and(|g| !g.is_empty()) && Profile::uses(&profile.gates, plugins::GATES))
            || (plugins::missing_claim(&self.client, &info.pod).is_some()
                && Profile::uses(&profile.gates, plugins::CLAIMS))
    }

    /// Whether a change may help a waiting pod with what it was rejected for.
    fn helps(&self, waiting: &Waiting, event: Event) -> bool {
        waiting.rejectors.is_empty()
            || PLUGINS
                .iter()
                .filter(|p| waiting.rejectors.contains(&p.name))
                .any(|p| (p.helps)(&self.client, &waiting.info, event))
    }

    fn move_pods(&self, event: Event) {
        let now = self.client.sim().now();
        let sort = event.sort();
        let concerns = |rejectors: &[&'static str]| {
            let plugins = PLUGINS.iter().filter(|p| rejectors.contains(&p.name));
            rejectors.is_empty() || plugins.fold(0, |all, p| all | p.events) & sort != 0
        };
        let cause = self.client.sim().cause();
        let helps = |waiting: &Waiting| {
            let helps = self.helps(waiting, event);
            if helps && !cause.is_none() {
                waiting.info.cause.set(cause);
            }
            helps
        };
        self.queue.borrow_mut().move_pods(now, concerns, helps);
    }

    /// Sees to it that the next pod is tried, now or when its time comes.
    fn wake(self: &Rc<Self>) {
        if self.scheduled.get() {
            return;
        }
        let sim = self.client.sim();
        if let Some(timer) = self.timer.take() {
            sim.cancel(timer);
        }
        let weak: Weak<Inner> = Rc::downgrade(self);
        if self.queue.borrow().has_work(sim.now()) {
            self.scheduled.set(true);
            sim.after(Duration::ZERO, move || {
                if let Some(inner) = weak.upgrade() {
                    inner.scheduled.set(false);
                    inner.schedule_one();
                    inner.wake();
                }
            });
            return;
        }
        let reserved = self.reserved.borrow();
        let due = self.queue.borrow().next_due();
        let due = due.into_iter().chain(reserved.values().map(|r| r.until)).min();
        drop(reserved);
        if let Some(due) = due {
            let timer = sim.at(due, move || {
                if let Some(inner) = weak.upgrade() {
                    inner.timer.set(None);
                    inner.queue.borrow_mut().wake(inner.client.sim().now());
                    inner.give_up_reserved();
                    inner.wake();
                }
            });
            self.timer.set(Some(timer));
        }
    }
}
