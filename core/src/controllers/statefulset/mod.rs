//! Keeps the pods of StatefulSets: each with a name and claims of its own, made and removed in
//! order.
//!
//! [`identity`] says who a pod is, [`update`] what is done next.
//!
//! Models `pkg/controller/statefulset`.

mod identity;
#[cfg(test)]
mod tests;
mod update;

use std::{rc::Rc, time::Duration};

use k8s_openapi::api::{
    apps::v1::{ControllerRevision, StatefulSet, StatefulSetStatus},
    core::v1::{PersistentVolumeClaim, Pod},
};

use super::{
    framework::{Controller, Key, Queue},
    history::{self, History},
    owners, pods,
};
use crate::{
    api::{
        KindId, Object, Status, Typed,
        meta::{controller_of, is_deleting},
        selector::Selector,
    },
    client::{Change, Client, DeleteOptions, EventType, IndexId, Op, Recorder},
};

const NAME: &str = "statefulset-controller";

/// The StatefulSet controller.
pub fn make(client: &Client) -> Box<dyn Controller> {
    Box::new(StatefulSets {
        client: client.clone(),
        events: Recorder::new(client, NAME, ""),
        pods: client.index::<Pod>(pods::by_controller),
        revisions: client.index::<ControllerRevision>(history::by_controller),
    })
}

struct StatefulSets {
    client: Client,
    events: Recorder,
    pods: IndexId,
    revisions: IndexId,
}

/// What a sync is about.
struct Cx<'a> {
    set: &'a StatefulSet,
    current: &'a ControllerRevision,
    update: &'a ControllerRevision,
    min_ready: Duration,
}

impl StatefulSets {
    /// The set's pods: its own and those that it adopts.
    fn claim_pods(&self, set: &StatefulSet, selector: &Selector) -> Result<Vec<Rc<Pod>>, Status> {
        let owner: &dyn Object = set;
        let mut mine = self.client.by_index::<Pod>(self.pods, owner.uid());
        let orphans = format!("orphan/{}", owner.namespace());
        let is_member = |p: &Rc<Pod>| {
            let name = (&**p as &dyn Object).name();
            identity::parent_and_ordinal(name).is_some_and(|(parent, _)| parent == owner.name())
        };
        let orphans = self.client.by_index::<Pod>(self.pods, &orphans);
        mine.extend(orphans.into_iter().filter(is_member));
        owners::claim(&self.client, owner, selector, mine)
    }

    /// An event about something done to a pod.
    fn tell(&self, set: &StatefulSet, verb: &str, pod: &str, done: &Result<(), Status>) {
        let name = (set as &dyn Object).name();
        match done {
            Ok(()) => {
                let text = format!("{verb} Pod {pod} in StatefulSet {name} successful");
                self.events.event(set, EventType::Normal, &format!("Successful{verb}"), &text);
            }
            Err(error) => {
                let text = format!("{verb} Pod {pod} in StatefulSet {name} failed error: {error}");
                self.events.event(set, EventType::Warning, &format!("Failed{verb}"), &text);
            }
        }
    }

    fn delete_pod(&self, set: &StatefulSet, pod: &Pod) -> Result<(), Status> {
        let object: &dyn Object = pod;
        let options = DeleteOptions::default();
        let done = self.client.delete::<Pod>(object.namespace(), object.name(), &options);
        self.tell(set, "Delete", object.name(), &done);
        match done {
            Err(error) if error.is_not_found() => Ok(()),
            other => other,
        }
    }

    fn create_pod(&self, set: &StatefulSet, ordinal: i64, pod: Pod) -> Result<(), Status> {
        let name = pod.metadata.name.clone().unwrap_or_default();
        let claims = self.create_claims(set, ordinal, &name);
        if claims.is_err() {
            self.tell(set, "Create", &name, &claims);
            return claims;
        }
        match self.client.create(pod) {
            Err(error) if error.is_already_exists() => Err(error),
            // The namespace is going: there is nothing to tell and nothing to try again.
            Err(error) if error.message.contains("because it is being terminated") => Ok(()),
            made => {
                let made = made.map(|_| ());
                self.tell(set, "Create", &name, &made);
                made
            }
        }
    }

    /// Makes the claims of an ordinal that are missing.
    fn create_claims(&self, set: &StatefulSet, ordinal: i64, pod: &str) -> Result<(), Status> {
        for (_, claim) in identity::claims(set, ordinal) {
            let name = claim.metadata.name.clone().unwrap_or_default();
            let ns = (set as &dyn Object).namespace();
            if let Some(found) = self.client.find::<PersistentVolumeClaim>(ns, &name) {
                if is_deleting(&found.metadata) {
                    let text = format!("pvc {name} is being deleted");
                    return Err(Status::internal(text));
                }
                continue;
            }
            let owner = (set as &dyn Object).name();
            let made = self.client.create(claim);
            let (kind, reason, text) = match &made {
                Ok(_) => (
                    EventType::Normal,
                    "SuccessfulCreate",
                    format!("Create Claim {name} Pod {pod} in StatefulSet {owner} success"),
                ),
                Err(error) if error.is_already_exists() => continue,
                Err(error) => (
                    EventType::Warning,
                    "FailedCreate",
                    format!(
                        "Create Claim {name} for Pod {pod} in StatefulSet {owner} failed error: \
                         {error}"
                    ),
                ),
            };
            self.events.event(set, kind, reason, &text);
            made.map_err(|error| {
                let text = format!("failed to create PVC {name}: {error}");
                Status::new(error.code, error.reason, text)
            })?;
        }
        Ok(())
    }

    /// Whether a claim of the ordinal still belongs to a pod that is gone and goes with it.
    fn claim_is_stale(&self, set: &StatefulSet, ordinal: i64) -> bool {
        let ns = (set as &dyn Object).namespace();
        identity::claims(set, ordinal).iter().any(|(_, claim)| {
            let name = claim.metadata.name.as_deref().unwrap_or_default();
            let Some(found) = self.client.find::<PersistentVolumeClaim>(ns, name) else {
                return false;
            };
            let mut owners = found.metadata.owner_references.iter().flatten();
            owners.any(|o| {
                let pod = self.client.find::<Pod>(ns, &o.name);
                o.kind == "Pod" && pod.is_none_or(|p| p.metadata.uid.as_ref() != Some(&o.uid))
            })
        })
    }

    /// Gives an ordinal's claims the owners that the retention policy asks for.
    fn correct_claim_owners(
        &self,
        set: &StatefulSet,
        ordinal: i64,
        pod: Option<&Pod>,
    ) -> Result<(), Status> {
        let ns = (set as &dyn Object).namespace();
        for (_, claim) in identity::claims(set, ordinal) {
            let name = claim.metadata.name.as_deref().unwrap_or_default();
            let Some(found) = self.client.find::<PersistentVolumeClaim>(ns, name) else { continue };
            let owners = identity::claim_owners(&self.client.kinds(), set, ordinal, pod, &found);
            let Some(owners) = owners else { continue };
            let mut new = (*found).clone();
            new.metadata.owner_references = (!owners.is_empty()).then_some(owners);
            self.client.update(new)?;
        }
        Ok(())
    }

    fn pod_changed(&self, pod: &Pod, old: Option<&Pod>, op: Op, queue: &Queue) {
        let ns = pod.metadata.namespace.as_deref().unwrap_or_default();
        let before = old.and_then(|o| controller_of(&o.metadata));
        let owner = controller_of(&pod.metadata);
        for reference in before.into_iter().chain(owner) {
            if reference.kind == "StatefulSet" {
                queue.add_name(ns, &reference.name);
            }
        }
        let same = old.is_some_and(|o| o.metadata.labels == pod.metadata.labels);
        if owner.is_some() || op == Op::Deleted || (same && before.is_none()) {
            return;
        }
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        if let Some((parent, _)) = identity::parent_and_ordinal(name) {
            queue.add_name(ns, parent);
        }
    }

    /// The revision that pods were made from so far: the one that the status names.
    fn current<'a>(
        set: &StatefulSet,
        update: &'a Rc<ControllerRevision>,
        others: &'a [Rc<ControllerRevision>],
    ) -> &'a Rc<ControllerRevision> {
        let name = set.status.as_ref().and_then(|s| s.current_revision.as_ref());
        let mut all = others.iter().chain([update]);
        all.find(|r| name.is_some() && r.metadata.name.as_ref() == name).unwrap_or(update)
    }

    fn write_status(&self, set: &StatefulSet, mut status: StatefulSetStatus) -> Result<(), Status> {
        update::complete(set, &mut status);
        if set.status.as_ref() == Some(&status) {
            return Ok(());
        }
        let owner: &dyn Object = set;
        // What was done meanwhile (a count of collisions) may have made a newer one.
        let Some(stored) = self.client.find::<StatefulSet>(owner.namespace(), owner.name()) else {
            return Ok(());
        };
        let mut new = (*stored).clone();
        new.status = Some(status);
        self.client.update_status(new).map(|_| ())
    }
}

impl Controller for StatefulSets {
    fn name(&self) -> &'static str {
        NAME
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![StatefulSet::ID, Pod::ID, PersistentVolumeClaim::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        if let Some(pod) = change.object.downcast::<Pod>() {
            let old = change.old.as_ref().and_then(|o| o.downcast::<Pod>());
            self.pod_changed(pod, old, change.op, queue);
        } else if change.kind == PersistentVolumeClaim::ID {
            // `data-db-0`: whoever waits for the claim to go may go on.
            let ns = change.object.namespace();
            let rest = identity::parent_and_ordinal(change.object.name()).map(|(rest, _)| rest);
            let Some(rest) = rest.filter(|_| change.op == Op::Deleted) else { return };
            for set in self.client.list::<StatefulSet>(Some(ns)) {
                let name = (&*set as &dyn Object).name();
                if rest.strip_suffix(name).is_some_and(|claim| claim.ends_with('-')) {
                    queue.add_name(ns, name);
                }
            }
        } else {
            queue.add_name(change.object.namespace(), change.object.name());
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        let Some(set) = self.client.find::<StatefulSet>(&key.0, &key.1) else { return Ok(None) };
        let Some(spec) = &set.spec else { return Ok(None) };
        let Ok(selector) = Selector::from_label_selector(Some(&spec.selector)) else {
            return Ok(None);
        };
        let all = self.claim_pods(&set, &selector)?;
        let history = History {
            client: &self.client,
            index: self.revisions,
            owner: &*set,
            selector: &selector,
            label: history::REVISION_LABEL,
        };
        let collisions = set.status.as_ref().and_then(|s| s.collision_count).unwrap_or(0);
        let (update, others) = match history.current(&spec.template, Some(collisions)) {
            Err(error) if error.is_already_exists() => {
                let mut new = (*set).clone();
                new.status.get_or_insert_default().collision_count = Some(collisions + 1);
                self.client.update_status(new)?;
                return Err(error);
            }
            other => other?,
        };
        let current = Self::current(&set, &update, &others);
        let min_ready = Duration::from_secs(spec.min_ready_seconds.unwrap_or(0).max(0) as u64);
        let cx = Cx { set: &set, current, update: &update, min_ready };
        let (status, done) = self.work(&cx, spec, &all);
        let waits = status.ready_replicas != status.available_replicas;
        let written = self.write_status(&set, status);
        done.and(written)?;
        let live = |r: &ControllerRevision| {
            let name = r.metadata.name.as_deref().unwrap_or_default();
            r.metadata.name == current.metadata.name
                || all.iter().any(|p| identity::revision(p) == name)
        };
        let limit = spec.revision_history_limit.unwrap_or(10);
        if limit >= 0 {
            history.clean_up(&others, limit, live)?;
        }
        let now = self.client.sim().now();
        Ok(if waits { pods::next_available(&all, min_ready, now) } else { None })
    }
}
