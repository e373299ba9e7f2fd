//! The scheduler: finds each pod a node.
//!
//! [`queue`] says whose turn it is, [`cycle`] filters and scores with the [`plugins`],
//! [`preemption`] makes room, [`cache`] knows what is where. A pod's node is set by binding it,
//! through the API like everything else; nothing is remembered that a restart could not find again.
//!
//! Models `pkg/scheduler`.

mod cache;
mod cycle;
mod decisions;
mod framework;
mod plugins;
mod preemption;
mod queue;
mod resources;
mod terms;
#[cfg(test)]
mod tests;

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
    time::Duration,
};

use k8s_openapi::api::{
    core::v1::{Node, PersistentVolume, PersistentVolumeClaim, Pod, PodCondition},
    storage::v1::StorageClass,
};

use crate::{
    api::pods,
    api::{Object, Status, Typed},
    client::{Change, Client, DeleteOptions, EventType, ModernRecorder, Op, Subscription},
    sim::TimerId,
};
use cache::{Cache, PodInfo};
use cycle::{Cycle, Failure, Nominated};
use decisions::Decisions;
pub use decisions::{Decision, Verdict};
use framework::Event;
use plugins::{PLUGINS, volume_binding};
use queue::{Queue, Waiting};

/// The scheduler that pods get unless they name another.
const NAME: &str = "default-scheduler";

/// The scheduler at work; it stops when this is dropped.
pub struct Scheduler {
    inner: Rc<Inner>,
    _subscription: Subscription,
}

struct Inner {
    client: Client,
    events: ModernRecorder,
    cache: RefCell<Cache>,
    queue: RefCell<Queue>,
    nominated: RefCell<Nominated>,
    decisions: Rc<RefCell<Decisions>>,
    /// Where the next look at a large cluster's nodes starts.
    start: Cell<usize>,
    scheduled: Cell<bool>,
    timer: Cell<Option<TimerId>>,
}

impl Scheduler {
    /// Starts scheduling. `client` acts for `system:kube-scheduler`.
    pub fn start(client: &Client) -> Self {
        let inner = Rc::new(Inner {
            client: client.clone(),
            events: ModernRecorder::new(client, NAME, NAME),
            cache: RefCell::default(),
            queue: RefCell::default(),
            nominated: RefCell::default(),
            decisions: client.shared(|_| Rc::default()),
            start: Cell::new(0),
            scheduled: Cell::new(false),
            timer: Cell::new(None),
        });
        for node in client.list::<Node>(None) {
            inner.cache.borrow_mut().set_node(&node);
        }
        for pod in client.list::<Pod>(None) {
            inner.pod_changed(&pod, None, Op::Added);
        }
        let weak = Rc::downgrade(&inner);
        let kinds =
            [Node::ID, Pod::ID, PersistentVolumeClaim::ID, PersistentVolume::ID, StorageClass::ID];
        let subscription = client.on_change(&kinds, move |change| {
            if let Some(inner) = weak.upgrade() {
                inner.changed(change);
            }
        });
        inner.wake();
        Scheduler { inner, _subscription: subscription }
    }

    /// What was decided about a pod last, if that is not too long ago.
    pub fn decision(&self, namespace: &str, pod: &str) -> Option<Rc<Decision>> {
        self.inner.decisions.borrow().get(&(namespace.into(), pod.into()))
    }
}

/// What a scheduler of this cluster decided about a pod last, if that is not too long ago.
pub fn decision(client: &Client, namespace: &str, pod: &str) -> Option<Rc<Decision>> {
    let decisions: Rc<RefCell<Decisions>> = client.shared(|_| Rc::default());
    let found = decisions.borrow().get(&(namespace.into(), pod.into()));
    found
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
        } else {
            self.move_pods(Event::Storage);
        }
        self.wake();
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
        let now = self.client.sim().now();
        let key = (object.namespace().into(), object.name().into());
        let gone = op == Op::Deleted || pods::is_terminal(pod);
        if gone || !pods::node_name(pod).is_empty() {
            if let Some(waiting) = self.queue.borrow_mut().remove(&key) {
                self.nominated.borrow_mut().set(&waiting.info, None);
            }
        }
        if gone {
            let removed = self.cache.borrow_mut().remove_pod(object.uid());
            if let Some(info) = removed {
                self.move_pods(Event::PodRemoved(&info));
            }
        } else if !pods::node_name(pod).is_empty() {
            self.placed_changed(pod, old);
        } else if pod.metadata.deletion_timestamp.is_some() {
            self.queue.borrow_mut().remove(&key); // held by a finalizer: it needs no node any more
        } else if is_mine(pod) {
            self.waiting_changed(pod, old, key, now);
        }
    }

    /// A pod that is on a node.
    fn placed_changed(&self, pod: &Rc<Pod>, old: Option<&Rc<Pod>>) {
        let known = self.cache.borrow().pod((&**pod as &dyn Object).uid()).cloned();
        let info = Rc::new(match &known {
            Some(known) => known.updated(pod),
            None => PodInfo::new(pod),
        });
        self.cache.borrow_mut().set_pod(info.clone());
        match known {
            Some(known) if old.is_some_and(|o| !pods::node_name(o).is_empty()) => {
                if known.pod.metadata.labels != pod.metadata.labels
                    || known.requests != info.requests
                    || known.pod.metadata.deletion_timestamp != pod.metadata.deletion_timestamp
                {
                    self.move_pods(Event::PodUpdated(&info, &known));
                }
            }
            _ => self.move_pods(Event::PodAdded(&info)),
        }
    }

    /// A pod without node.
    fn waiting_changed(
        &self,
        pod: &Rc<Pod>,
        old: Option<&Rc<Pod>>,
        key: queue::Key,
        now: crate::sim::Time,
    ) {
        let info = Rc::new(PodInfo::new(pod));
        let known = self.queue.borrow().get(&key).map(|w| w.info.cause.get()).unwrap_or_default();
        info.cause.set(known.or(self.client.sim().cause()));
        // Prospects that were found before a restart.
        let prospect = pod.status.as_ref().and_then(|s| s.nominated_node_name.as_deref());
        self.nominated.borrow_mut().set(&info, prospect.filter(|n| !n.is_empty()));
        let mut queue = self.queue.borrow_mut();
        let helps = match (queue.get(&key), old) {
            (Some(waiting), Some(old)) => self.helps(waiting, Event::Own(pod, old)),
            _ => return queue.add(info, now),
        };
        queue.update(info, helps, now);
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
        let (now, cause) = (self.client.sim().now(), self.client.sim().cause());
        self.queue.borrow_mut().move_pods(now, |waiting| {
            let helps = self.helps(waiting, event);
            if helps && !cause.is_none() {
                waiting.info.cause.set(cause);
            }
            helps
        });
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
        } else if let Some(due) = self.queue.borrow().next_due() {
            let timer = sim.at(due, move || {
                if let Some(inner) = weak.upgrade() {
                    inner.timer.set(None);
                    inner.queue.borrow_mut().wake(inner.client.sim().now());
                    inner.wake();
                }
            });
            self.timer.set(Some(timer));
        }
    }

    fn schedule_one(&self) {
        let now = self.client.sim().now();
        let Some(waiting) = self.queue.borrow_mut().pop(now) else { return };
        let cause = waiting.info.cause.get();
        self.client.sim().under(cause, || self.try_pod(waiting, now));
    }

    fn try_pod(&self, waiting: Waiting, now: crate::sim::Time) {
        let pod = waiting.info.clone();
        let mut decision = Decision { at: now, ..Default::default() };
        match self.find_node(&pod, &mut decision) {
            Ok(node) => match self.place(&pod, &node) {
                Ok(true) => self.bound(&pod, &node),
                // Its volumes come first.
                Ok(false) => {
                    let rejectors = vec![volume_binding::NAME];
                    self.queue.borrow_mut().fail(waiting, rejectors, now);
                }
                Err(error) if error.is_not_found() => {}
                Err(error) => {
                    let text = error.to_string();
                    decision.message.clone_from(&text);
                    self.tell_failure(&pod, &text, "SchedulerError", None);
                    self.queue.borrow_mut().retry(waiting, now);
                }
            },
            Err(failure) => self.failed(waiting, failure, &mut decision),
        }
        self.decisions.borrow_mut().put(queue::key(&pod), decision);
    }

    /// Puts a pod on a node, if its volumes are there; else asks for them.
    fn place(&self, pod: &Rc<PodInfo>, node: &str) -> Result<bool, Status> {
        if !volume_binding::prepare(&self.client, pod, node)? {
            return Ok(false);
        }
        self.client.bind(pod.namespace(), pod.name(), node).map(|()| true)
    }

    fn find_node(&self, pod: &Rc<PodInfo>, decision: &mut Decision) -> Result<Rc<str>, Failure> {
        let order: Vec<Rc<str>> = self.cache.borrow_mut().order().to_vec();
        let (cache, nominated) = (self.cache.borrow(), self.nominated.borrow());
        let cycle = Cycle {
            client: &self.client,
            sim: self.client.sim(),
            cache: &cache,
            nominated: &nominated,
            pod,
        };
        if order.is_empty() {
            return Err(Failure::default());
        }
        let mut start = self.start.get();
        let checks = match cycle.checks() {
            Ok(checks) => checks,
            Err(before) => {
                let mut failure =
                    Failure { all: order.len(), before: Some(before), ..Default::default() };
                // Upstream's second plugin never saw the pod and can't find what it noted.
                failure.after = "not found".into();
                return Err(failure);
            }
        };
        let (nodes, mut failure) = cycle.feasible(&checks, &order, &mut start);
        self.start.set(start);
        for (name, (plugin, rejection)) in &failure.nodes {
            decision.note(name, || Verdict::Rejected {
                plugin,
                reasons: rejection.reasons.iter().map(ToString::to_string).collect(),
            });
        }
        if nodes.is_empty() {
            match preemption::find(&cycle, Some(&checks), &failure) {
                Ok(candidate) => {
                    drop((cache, nominated));
                    self.preempt(pod, &candidate);
                }
                Err(why) => {
                    failure.after = format!("no new claims to deallocate, preemption: {why}");
                }
            }
            return Err(failure);
        }
        let chosen = cycle.choose(checks, &nodes, decision);
        let Some(node) = chosen else { return Err(failure) };
        decision.node = Some(node.to_string());
        Ok(node)
    }

    fn bound(&self, pod: &Rc<PodInfo>, node: &str) {
        self.nominated.borrow_mut().set(pod, None);
        // The next pod must see this one in its place before the change comes round.
        if let Some(placed) = self.client.find::<Pod>(pod.namespace(), pod.name()) {
            self.cache.borrow_mut().set_pod(Rc::new(PodInfo::new(&placed)));
        }
        let text = format!("Successfully assigned {}/{} to {node}", pod.namespace(), pod.name());
        self.events.event(&*pod.pod, EventType::Normal, "Scheduled", "Binding", &text);
    }

    fn failed(&self, waiting: Waiting, failure: Failure, decision: &mut Decision) {
        let now = self.client.sim().now();
        let text = if failure.all == 0 {
            "no nodes available to schedule pods".to_string()
        } else {
            failure.message()
        };
        decision.message.clone_from(&text);
        let pod = waiting.info.clone();
        self.queue.borrow_mut().fail(waiting, failure.rejectors(), now);
        let prospect = self.nominated.borrow().node(pod.uid()).cloned();
        self.tell_failure(&pod, &text, "Unschedulable", prospect.as_deref());
    }

    /// Event and condition of a pod that found no node.
    fn tell_failure(&self, pod: &PodInfo, text: &str, reason: &str, prospect: Option<&str>) {
        self.events.event(&*pod.pod, EventType::Warning, "FailedScheduling", "Scheduling", text);
        let Some(stored) = self.client.find::<Pod>(pod.namespace(), pod.name()) else { return };
        let now = self.client.sim().now().to_meta();
        let mut new = (*stored).clone();
        let generation = new.metadata.generation;
        let status = new.status.get_or_insert_default();
        set_condition(
            status.conditions.get_or_insert_default(),
            PodCondition {
                type_: "PodScheduled".into(),
                status: "False".into(),
                reason: Some(reason.to_string()),
                message: Some(text.to_string()),
                last_transition_time: Some(now),
                observed_generation: generation,
                ..Default::default()
            },
        );
        if let Some(node) = prospect {
            status.nominated_node_name = Some(node.to_string());
        }
        if new != *stored {
            let _ = self.client.update_status(new); // told again with the next attempt
        }
    }

    /// Sends the victims away and notes the pod's prospect.
    fn preempt(&self, pod: &Rc<PodInfo>, candidate: &preemption::Candidate) {
        for victim in &candidate.victims {
            let Some(stored) = self.client.find::<Pod>(victim.namespace(), victim.name()) else {
                continue;
            };
            let now = self.client.sim().now().to_meta();
            let mut new = (*stored).clone();
            let generation = new.metadata.generation;
            let conditions = new.status.get_or_insert_default().conditions.get_or_insert_default();
            set_condition(
                conditions,
                PodCondition {
                    type_: "DisruptionTarget".into(),
                    status: "True".into(),
                    reason: Some("PreemptionByScheduler".into()),
                    message: Some(format!(
                        "{NAME}: preempting to accommodate a higher priority pod"
                    )),
                    last_transition_time: Some(now),
                    observed_generation: generation,
                    ..Default::default()
                },
            );
            let _ = self.client.update_status(new);
            let options = DeleteOptions::default();
            let _ = self.client.delete::<Pod>(victim.namespace(), victim.name(), &options);
            let text = format!("Preempted by pod {} on node {}", pod.uid(), candidate.node);
            self.events.event(&*victim.pod, EventType::Normal, "Preempted", "Preempting", &text);
        }
        self.nominated.borrow_mut().set(pod, Some(&candidate.node));
    }
}

/// Whether the pod waits for this scheduler.
fn is_mine(pod: &Pod) -> bool {
    let wanted = pod.spec.as_ref().and_then(|s| s.scheduler_name.as_deref()).unwrap_or_default();
    wanted.is_empty() || wanted == NAME
}

/// Sets a condition; its time of transition stays if its status does.
fn set_condition(conditions: &mut Vec<PodCondition>, mut new: PodCondition) {
    match conditions.iter_mut().find(|c| c.type_ == new.type_) {
        Some(old) => {
            if old.status == new.status {
                new.last_transition_time.clone_from(&old.last_transition_time);
            }
            *old = new;
        }
        None => conditions.push(new),
    }
}
