//! Rolls Deployments out: a ReplicaSet for each template, grown and shrunk in step.
//!
//! [`sync`] finds and makes ReplicaSets, [`rolling`] and [`recreate`] are the strategies,
//! [`scale`] spreads a change of size over a rollout under way, [`status`] tells how it goes.
//!
//! Models `pkg/controller/deployment`.

mod conditions;
mod recreate;
mod revisions;
mod rolling;
mod scale;
mod sets;
mod status;
mod sync;
#[cfg(test)]
mod tests;

use std::{rc::Rc, time::Duration};

use k8s_openapi::{
    api::{
        apps::v1::{Deployment, ReplicaSet},
        core::v1::Pod,
    },
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};

use super::{
    framework::{Controller, Key, Queue},
    owners, pods,
    replicaset::sets_by_controller,
};
use crate::{
    api::{
        KindId, Object, Status, Typed,
        meta::{controller_of, is_deleting},
        selector::Selector,
    },
    client::{Change, Client, EventType, IndexId, Op, Recorder},
};
use sets::Spec;
pub use sets::{scaled, template_hash};

/// The Deployment controller.
pub fn make(client: &Client) -> Box<dyn Controller> {
    Box::new(Deployments {
        client: client.clone(),
        events: Recorder::new(client, "deployment-controller", ""),
        sets: client.index::<ReplicaSet>(sets_by_controller),
        pods: client.index::<Pod>(pods::by_controller),
    })
}

struct Deployments {
    client: Client,
    events: Recorder,
    sets: IndexId,
    pods: IndexId,
}

impl Deployments {
    /// ReplicaSets that the Deployment controls, after adoption and release.
    fn claimed(&self, d: &Deployment, selector: &Selector) -> Result<Vec<Rc<ReplicaSet>>, Status> {
        let owner: &dyn Object = d;
        let mut sets = self.client.by_index::<ReplicaSet>(self.sets, owner.uid());
        let orphans = format!("orphan/{}", owner.namespace());
        sets.extend(self.client.by_index::<ReplicaSet>(self.sets, &orphans));
        owners::claim(&self.client, owner, selector, sets)
    }

    fn set_changed(&self, set: &ReplicaSet, old: Option<&ReplicaSet>, op: Op, queue: &Queue) {
        let ns = set.metadata.namespace.as_deref().unwrap_or_default();
        let owner = controller_of(&set.metadata);
        let before = old.and_then(|o| controller_of(&o.metadata));
        if let Some(before) = before.filter(|b| owner.is_none_or(|o| o.uid != b.uid)) {
            queue.add_name(ns, &before.name);
        }
        if owner.is_some() {
            if let Some(d) = owners::controller::<Deployment>(&self.client, &set.metadata) {
                queue.add_name(ns, (&*d as &dyn Object).name());
            }
            return;
        }
        let same = old.is_some_and(|o| o.metadata.labels == set.metadata.labels);
        if op == Op::Deleted || is_deleting(&set.metadata) || (same && before.is_none()) {
            return;
        }
        for d in self.client.list::<Deployment>(Some(ns)) {
            let selector = Selector::from_label_selector(d.spec.as_ref().map(|s| &s.selector));
            if selector.is_ok_and(|s| s.matches(set.metadata.labels.as_ref())) {
                queue.add_name(ns, (&*d as &dyn Object).name());
            }
        }
    }

    /// A Deployment that recreates waits for its last old pod to go.
    fn pod_gone(&self, pod: &Pod, queue: &Queue) {
        let Some(set) = owners::controller::<ReplicaSet>(&self.client, &pod.metadata) else {
            return;
        };
        let Some(d) = owners::controller::<Deployment>(&self.client, &set.metadata) else { return };
        if Spec::of(&d).recreates() {
            let d: &dyn Object = &*d;
            queue.add_name(d.namespace(), d.name());
        }
    }
}

impl Controller for Deployments {
    fn name(&self) -> &'static str {
        "deployment-controller"
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![Deployment::ID, ReplicaSet::ID, Pod::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        if let Some(pod) = change.object.downcast::<Pod>() {
            if change.op == Op::Deleted {
                self.pod_gone(pod, queue);
            }
        } else if let Some(set) = change.object.downcast::<ReplicaSet>() {
            let old = change.old.as_ref().and_then(|o| o.downcast::<ReplicaSet>());
            self.set_changed(set, old, change.op, queue);
        } else {
            queue.add_name(change.object.namespace(), change.object.name());
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        let Some(found) = self.client.find::<Deployment>(&key.0, &key.1) else { return Ok(None) };
        let mut d = (*found).clone();
        let Some(spec) = &d.spec else { return Ok(None) };
        if spec.selector == LabelSelector::default() {
            let text = "This deployment is selecting all pods. A non-empty selector is required.";
            self.events.event(&d, EventType::Warning, "SelectingAll", text);
            return self.observe(d);
        }
        let Ok(selector) = Selector::from_label_selector(Some(&spec.selector)) else {
            return Ok(None);
        };
        let sets = self.claimed(&d, &selector)?;
        if is_deleting(&d.metadata) {
            return self.sync_status_only(d, sets);
        }
        self.check_paused(&mut d)?;
        let spec = Spec::of(&d);
        if spec.paused || self.is_scaling(&mut d, &sets)? {
            return self.sync(d, sets);
        }
        if spec.recreates() { self.recreate(d, sets) } else { self.roll(d, sets) }
    }
}
