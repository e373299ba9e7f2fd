//! Keeps as many pods as a ReplicaSet asks for.
//!
//! Counts come from an index, so that a sync that finds nothing to do costs the same for ten pods
//! and for ten thousand; pods are only listed when some are to go, or when labels disagree.
//!
//! Models `pkg/controller/replicaset/replica_set.go`.

mod kinds;
mod ranking;
pub use ranking::first_to_go;
#[cfg(test)]
mod tests;

use std::{marker::PhantomData, rc::Rc, time::Duration};

use k8s_openapi::api::{
    apps::v1::ReplicaSet,
    core::v1::{Pod, ReplicationController},
};

pub use kinds::{Condition, Counts, Replicated, non_zero};

use super::{
    framework::{Controller, Key, Queue},
    owners, pods,
};
use crate::{
    api::{
        KindId, Object, Status, Typed,
        meta::{controller_of, controller_ref, is_deleting},
        selector::Selector,
    },
    client::{Change, Client, DeleteOptions, EventType, IndexId, Op, Recorder},
};

/// Most pods made or deleted in one sync (`BurstReplicas`).
const BURST: usize = 500;

/// The ReplicaSet controller.
pub fn make(client: &Client) -> Box<dyn Controller> {
    Box::new(Replicas::<ReplicaSet>::new(client))
}

/// The ReplicationController controller: the same for the older kind.
pub fn make_older(client: &Client) -> Box<dyn Controller> {
    Box::new(Replicas::<ReplicationController>::new(client))
}

/// Index: ReplicaSets by the uid of their controller, or `orphan/<namespace>`.
pub fn sets_by_controller(object: &dyn Object) -> Vec<String> {
    match controller_of(object.metadata()) {
        Some(owner) => vec![owner.uid.clone()],
        None => vec![format!("orphan/{}", object.namespace())],
    }
}

/// Keeps the pods of one kind of owner.
pub struct Replicas<T> {
    client: Client,
    events: Recorder,
    pods: IndexId,
    sets: IndexId,
    of: PhantomData<T>,
}

impl<T: Replicated> Replicas<T> {
    /// A controller for owners of type `T`.
    pub fn new(client: &Client) -> Self {
        Replicas {
            client: client.clone(),
            events: Recorder::new(client, T::SOURCE, ""),
            pods: client.index::<Pod>(pods::by_controller),
            sets: client.index::<T>(sets_by_controller),
            of: PhantomData,
        }
    }

    fn count(&self, uid: &str, what: &str) -> usize {
        self.client.count_by_index(self.pods, &format!("{uid}{what}"))
    }

    fn listed(&self, uid: &str, what: &str) -> Vec<Rc<Pod>> {
        self.client.by_index::<Pod>(self.pods, &format!("{uid}{what}"))
    }

    fn pod_changed(&self, pod: &Pod, old: Option<&Pod>, op: Op, queue: &Queue) {
        let owner = controller_of(&pod.metadata);
        let before = old.and_then(|o| controller_of(&o.metadata));
        if let Some(before) = before.filter(|b| owner.is_none_or(|o| o.uid != b.uid)) {
            if before.kind == T::KIND {
                queue.add_name(pod.metadata.namespace.as_deref().unwrap_or_default(), &before.name);
            }
        }
        if owner.is_some() {
            if let Some(set) = owners::controller::<T>(&self.client, &pod.metadata) {
                let set: &dyn Object = &*set;
                queue.add_name(set.namespace(), set.name());
            }
            return;
        }
        let same_labels = old.is_some_and(|o| o.metadata.labels == pod.metadata.labels);
        if op == Op::Deleted || is_deleting(&pod.metadata) || (same_labels && before.is_none()) {
            return;
        }
        for set in self.client.list::<T>(pod.metadata.namespace.as_deref()) {
            if set.selector().is_ok_and(|s| s.matches(pod.metadata.labels.as_ref())) {
                let set: &dyn Object = &*set;
                queue.add_name(set.namespace(), set.name());
            }
        }
    }

    /// Adopts and releases. Cheap where nobody is without a controller and all pods have the
    /// labels of the template, which the selector matches.
    fn claim(&self, set: &T, selector: &Selector) -> Result<(), Status> {
        let owner: &dyn Object = set;
        let orphans = self.listed("orphan/", owner.namespace());
        let candidates: Vec<_> = orphans.into_iter().filter(|p| pods::is_active(p)).collect();
        if !candidates.is_empty() {
            owners::claim(&self.client, owner, selector, candidates)?;
        }
        if self.count(owner.uid(), "/a") != self.alike(set) {
            owners::claim(&self.client, owner, selector, self.listed(owner.uid(), "/a"))?;
        }
        Ok(())
    }

    /// How many active pods have exactly the template's labels.
    fn alike(&self, set: &T) -> usize {
        let template = set.template().and_then(|t| t.metadata.as_ref());
        let Some(meta) = template else { return 0 };
        let owner: &dyn Object = set;
        self.count(owner.uid(), &format!("/l{}", pods::labels_hash(meta)))
    }

    fn fully_labeled(&self, set: &T, active: usize) -> usize {
        if self.alike(set) == active {
            return active;
        }
        let template = set.template().and_then(|t| t.metadata.as_ref());
        let labels = template.and_then(|m| m.labels.clone()).unwrap_or_default();
        let selector = Selector::from_labels(&labels);
        let owner: &dyn Object = set;
        let pods = self.listed(owner.uid(), "/a");
        pods.iter().filter(|p| selector.matches(p.metadata.labels.as_ref())).count()
    }

    /// Makes or deletes pods until there are as many as wanted.
    fn manage(&self, set: &T, active: usize) -> Result<(), Status> {
        let wanted = set.replicas().max(0) as usize;
        if active < wanted {
            return self.create_pods(set, (wanted - active).min(BURST));
        }
        if active > wanted {
            return self.delete_pods(set, (active - wanted).min(BURST));
        }
        Ok(())
    }

    /// One, then twice as many each time, until one fails: a template that can't be used is tried
    /// once and not a thousand times.
    fn create_pods(&self, set: &T, count: usize) -> Result<(), Status> {
        let (mut left, mut batch) = (count, 1);
        while left > 0 {
            let mut failure = None;
            for _ in 0..batch.min(left) {
                if let Err(error) = self.create_pod(set) {
                    failure.get_or_insert(error);
                }
            }
            if let Some(error) = failure {
                return Err(error);
            }
            left -= batch.min(left);
            batch *= 2;
        }
        Ok(())
    }

    fn create_pod(&self, set: &T) -> Result<(), Status> {
        let owner: &dyn Object = set;
        let Some(template) = set.template() else { return Ok(()) };
        let reference = controller_ref(&self.client.kinds(), owner);
        let pod = pods::from_template(template, owner.namespace(), owner.name(), reference);
        match self.client.create(pod) {
            Ok(pod) => {
                let name = pod.metadata.name.as_deref().unwrap_or_default();
                let text = format!("Created pod: {name}");
                self.events.event(owner, EventType::Normal, "SuccessfulCreate", &text);
                Ok(())
            }
            // The namespace is going: there is nothing to tell and nothing to try again.
            Err(error) if error.message.contains("because it is being terminated") => Ok(()),
            Err(error) => {
                let text = format!("Error creating: {error}");
                self.events.event(owner, EventType::Warning, "FailedCreate", &text);
                Err(error)
            }
        }
    }

    fn delete_pods(&self, set: &T, count: usize) -> Result<(), Status> {
        let owner: &dyn Object = set;
        let mine = self.listed(owner.uid(), "/a");
        let victims = if count < mine.len() {
            let related = self.related(set);
            ranking::first_to_go(mine, &related, self.client.sim().now(), count)
        } else {
            mine
        };
        let mut failure = None;
        for pod in victims {
            let (namespace, name) = (owner.namespace(), (&*pod as &dyn Object).name());
            match self.client.delete::<Pod>(namespace, name, &DeleteOptions::default()) {
                Ok(()) => {
                    let text = format!("Deleted pod: {name}");
                    self.events.event(owner, EventType::Normal, "SuccessfulDelete", &text);
                }
                Err(error) if error.is_not_found() => {}
                Err(error) => {
                    let text = format!("Error deleting: {error}");
                    self.events.event(owner, EventType::Warning, "FailedDelete", &text);
                    failure.get_or_insert(error);
                }
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// Active pods of all sets with the same controller (the Deployment's others included).
    fn related(&self, set: &T) -> Vec<Rc<Pod>> {
        let owner: &dyn Object = set;
        let Some(above) = controller_of(owner.metadata()) else {
            return self.listed(owner.uid(), "/a");
        };
        let sets = self.client.by_index::<T>(self.sets, &above.uid);
        sets.iter().flat_map(|s| self.listed((&**s as &dyn Object).uid(), "/a")).collect()
    }

    /// The status, conditions as they were.
    fn counts(&self, set: &T, active: usize) -> Counts {
        let owner: &dyn Object = set;
        let ready = self.count(owner.uid(), "/r");
        let now = self.client.sim().now();
        let min_ready = Duration::from_secs(set.min_ready_seconds().max(0) as u64);
        let available = if min_ready.is_zero() {
            ready
        } else {
            let pods = self.listed(owner.uid(), "/r");
            pods.iter().filter(|p| pods::is_available(p, min_ready, now)).count()
        };
        Counts {
            replicas: active as i32,
            fully_labeled: self.fully_labeled(set, active) as i32,
            ready: ready as i32,
            available: available as i32,
            terminating: T::COUNTS_TERMINATING.then(|| self.count(owner.uid(), "/t") as i32),
            observed_generation: owner.metadata().generation,
            conditions: set.counts().conditions,
        }
    }

    /// Tells in the status whether pods could be made and deleted.
    fn note_failure(&self, set: &T, counts: &mut Counts, managed: &Result<(), Status>) {
        let known = counts.conditions.iter().any(|c| c.type_ == "ReplicaFailure");
        match managed {
            Err(error) if !known => counts.conditions.push(Condition {
                type_: "ReplicaFailure".into(),
                status: "True".into(),
                reason: failure_reason(counts.replicas, set.replicas()).into(),
                message: error.message.clone(),
                last_transition_time: self.client.sim().now().to_meta(),
            }),
            Ok(()) if known => counts.conditions.retain(|c| c.type_ != "ReplicaFailure"),
            _ => {}
        }
    }

    /// When the next ready pod becomes available, where that takes time.
    fn next_available(&self, set: &T, counts: &Counts) -> Option<Duration> {
        let min_ready = Duration::from_secs(u64::try_from(set.min_ready_seconds()).ok()?);
        if min_ready.is_zero() || counts.ready == counts.available {
            return None;
        }
        let now = self.client.sim().now();
        let pods = self.listed((set as &dyn Object).uid(), "/r");
        pods::next_available(&pods, min_ready, now)
    }
}

fn failure_reason(active: i32, wanted: i32) -> &'static str {
    match active.cmp(&wanted) {
        std::cmp::Ordering::Less => "FailedCreate",
        std::cmp::Ordering::Greater => "FailedDelete",
        std::cmp::Ordering::Equal => "",
    }
}

impl<T: Replicated> Controller for Replicas<T> {
    fn name(&self) -> &'static str {
        T::CONTROLLER
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![T::ID, Pod::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        if let Some(pod) = change.object.downcast::<Pod>() {
            let old = change.old.as_ref().and_then(|o| o.downcast::<Pod>());
            self.pod_changed(pod, old, change.op, queue);
        } else {
            queue.add_name(change.object.namespace(), change.object.name());
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        let Some(set) = self.client.find::<T>(&key.0, &key.1) else { return Ok(None) };
        // A selector that can't be read stays unread until the object changes.
        let Ok(selector) = set.selector() else { return Ok(None) };
        self.claim(&set, &selector)?;
        let owner: &dyn Object = &*set;
        let active = self.count(owner.uid(), "/a");
        // The status tells what was found, not what is done now: that follows with the pods' own
        // changes.
        let mut counts = self.counts(&set, active);
        let going = is_deleting(owner.metadata());
        let managed = if going { Ok(()) } else { self.manage(&set, active) };
        self.note_failure(&set, &mut counts, &managed);
        if counts != set.counts() {
            let mut new = (*set).clone();
            new.set_counts(counts.clone());
            self.client.update_status(new)?;
        }
        managed?;
        Ok(self.next_available(&set, &counts))
    }
}
