//! Finding and making a Deployment's ReplicaSets, and syncs that are no rollouts.
//!
//! Models `pkg/controller/deployment/sync.go`.

use std::{rc::Rc, time::Duration};

use k8s_openapi::{
    api::apps::v1::{Deployment, ReplicaSet, ReplicaSetSpec},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{
    Deployments, conditions, revisions,
    sets::{self, HASH_LABEL, Sets, Spec},
};
use crate::{
    api::{Object, Status, meta},
    client::{DeleteOptions, EventType},
};

impl Deployments {
    /// Nothing but the generation seen is written.
    pub(super) fn observe(&self, mut d: Deployment) -> Result<Option<Duration>, Status> {
        let generation = d.metadata.generation;
        let status = d.status.get_or_insert_default();
        if status.observed_generation < generation {
            status.observed_generation = generation;
            self.client.update_status(d)?;
        }
        Ok(None)
    }

    pub(super) fn sync_status_only(
        &self,
        mut d: Deployment,
        sets: Vec<Rc<ReplicaSet>>,
    ) -> Result<Option<Duration>, Status> {
        let sets = self.sets(&mut d, sets, false)?;
        self.sync_status(d, &sets)
    }

    /// A change of size, or a paused Deployment: no new ReplicaSet is made.
    pub(super) fn sync(
        &self,
        mut d: Deployment,
        sets: Vec<Rc<ReplicaSet>>,
    ) -> Result<Option<Duration>, Status> {
        let mut sets = self.sets(&mut d, sets, false)?;
        self.scale(&d, &mut sets)?;
        if Spec::of(&d).paused {
            self.clean_up(&d, &sets)?;
        }
        self.sync_status(d, &sets)
    }

    /// Says that a rollout is paused or goes on, so that the time meanwhile does not count.
    pub(super) fn check_paused(&self, d: &mut Deployment) -> Result<(), Status> {
        let spec = Spec::of(d);
        let now = self.client.sim().now();
        let status = d.status.get_or_insert_default();
        let reason = conditions::reason(status, conditions::PROGRESSING);
        if spec.deadline.is_none() || reason == "ProgressDeadlineExceeded" {
            return Ok(());
        }
        let (reason, text) = match (spec.paused, reason == "DeploymentPaused") {
            (true, false) => ("DeploymentPaused", "Deployment is paused"),
            (false, true) => ("DeploymentResumed", "Deployment is resumed"),
            _ => return Ok(()),
        };
        let new = conditions::condition(now, conditions::PROGRESSING, "Unknown", reason, text);
        conditions::set(status, new);
        self.write_status(d)
    }

    /// Whether the wanted size changed since the active ReplicaSets were last sized.
    pub(super) fn is_scaling(
        &self,
        d: &mut Deployment,
        sets: &[Rc<ReplicaSet>],
    ) -> Result<bool, Status> {
        let sets = self.sets(d, sets.to_vec(), false)?;
        let wanted = Spec::of(d).replicas;
        let mut active = sets.all().filter(|s| sets::size(s) > 0);
        let desired = |s: &Rc<ReplicaSet>| sets::number(s, revisions::DESIRED);
        Ok(active.any(|s| desired(s).is_some_and(|n| n != wanted)))
    }

    /// Writes the status (and the annotations, which go with it); `d` becomes what is stored.
    pub(super) fn write_status(&self, d: &mut Deployment) -> Result<(), Status> {
        *d = (*self.client.update_status(d.clone())?).clone();
        Ok(())
    }

    /// The Deployment's ReplicaSets, the new one's revision up to date. `make`: the new one is
    /// made if there is none. Models `getAllReplicaSetsAndSyncRevision`.
    pub(super) fn sets(
        &self,
        d: &mut Deployment,
        sets: Vec<Rc<ReplicaSet>>,
        make: bool,
    ) -> Result<Sets, Status> {
        let mut sets = Sets::split(d, sets);
        let revision = revisions::highest(&sets.old) + 1;
        match sets.new.clone() {
            Some(new) => sets.new = Some(self.refresh(d, &new, revision)?),
            None if make => sets.new = Some(self.make_set(d, &sets, revision)?),
            None => {}
        }
        Ok(sets)
    }

    fn refresh(
        &self,
        d: &mut Deployment,
        new: &Rc<ReplicaSet>,
        revision: i64,
    ) -> Result<Rc<ReplicaSet>, Status> {
        let mut copy = (**new).clone();
        let changed = revisions::note_revision(d, &mut copy, revision);
        let min_ready = d.spec.as_ref().and_then(|s| s.min_ready_seconds);
        let spec = copy.spec.get_or_insert_default();
        if changed || spec.min_ready_seconds.unwrap_or(0) != min_ready.unwrap_or(0) {
            spec.min_ready_seconds = min_ready;
            return self.client.update(copy);
        }
        let mut changed = revisions::note_current(d, revisions::revision(&copy).to_string());
        let now = self.client.sim().now();
        let deadline = Spec::of(d).deadline;
        let status = d.status.get_or_insert_default();
        if deadline.is_some() && conditions::get(status, conditions::PROGRESSING).is_none() {
            let text = format!("Found new replica set {:?}", (&**new as &dyn Object).name());
            let found = conditions::condition(
                now,
                conditions::PROGRESSING,
                "True",
                "FoundNewReplicaSet",
                &text,
            );
            conditions::set(status, found);
            changed = true;
        }
        if changed {
            self.write_status(d)?;
        }
        Ok(new.clone())
    }

    fn make_set(
        &self,
        d: &mut Deployment,
        sets: &Sets,
        revision: i64,
    ) -> Result<Rc<ReplicaSet>, Status> {
        let spec = Spec::of(d);
        let collisions = d.status.as_ref().and_then(|s| s.collision_count);
        let Some(new) = self.describe_set(d, sets, revision, collisions) else {
            return Err(Status::internal("the deployment has no spec"));
        };
        let size = sets::size(&new);
        let name = new.metadata.name.clone().unwrap_or_default();
        let namespace = new.metadata.namespace.clone().unwrap_or_default();
        let (made, existed) = match self.client.create(new) {
            Ok(made) => (made, false),
            Err(error) if error.is_already_exists() => {
                let there = self.client.get::<ReplicaSet>(&namespace, &name)?;
                let mine =
                    meta::controller_of(&there.metadata).map(|o| &o.uid) == d.metadata.uid.as_ref();
                let theirs = there.spec.as_ref().and_then(|s| s.template.as_ref());
                let same = match (&d.spec, theirs) {
                    (Some(spec), Some(theirs)) => sets::same_template(&spec.template, theirs),
                    _ => false,
                };
                if mine && same {
                    (there, true)
                } else {
                    // Another template has this name: count up, and the next sync finds a new one.
                    d.status.get_or_insert_default().collision_count =
                        Some(collisions.unwrap_or(0) + 1);
                    self.write_status(d)?;
                    return Err(error);
                }
            }
            Err(error) if error.message.contains("because it is being terminated") => {
                return Err(error);
            }
            Err(error) => return Err(self.tell_failure(d, &name, error)),
        };
        if !existed && size > 0 {
            let text = format!("Scaled up replica set {name} from 0 to {size}");
            self.events.event(&*d, EventType::Normal, "ScalingReplicaSet", &text);
        }
        let mut changed = revisions::note_current(d, revision.to_string());
        if !existed && spec.deadline.is_some() {
            let text = format!("Created new replica set {name:?}");
            let now = self.client.sim().now();
            let made = conditions::condition(
                now,
                conditions::PROGRESSING,
                "True",
                "NewReplicaSetCreated",
                &text,
            );
            conditions::set(d.status.get_or_insert_default(), made);
            changed = true;
        }
        if changed {
            self.write_status(d)?;
        }
        Ok(made)
    }

    fn tell_failure(&self, d: &mut Deployment, name: &str, error: Status) -> Status {
        const REASON: &str = "ReplicaSetCreateError";
        let text = format!("Failed to create new replica set {name:?}: {error}");
        let now = self.client.sim().now();
        if Spec::of(d).deadline.is_some() {
            let failed =
                conditions::condition(now, conditions::PROGRESSING, "False", REASON, &text);
            conditions::set(d.status.get_or_insert_default(), failed);
            let _ = self.write_status(d); // the first error is the one to tell
        }
        self.events.event(&*d, EventType::Warning, REASON, &text);
        error
    }

    /// The ReplicaSet for the Deployment's template, of the size that it may have at once.
    fn describe_set(
        &self,
        d: &Deployment,
        sets: &Sets,
        revision: i64,
        collisions: Option<i32>,
    ) -> Option<ReplicaSet> {
        let wanted = d.spec.as_ref()?;
        let hash = sets::template_hash(&wanted.template, collisions);
        let mut template = wanted.template.clone();
        let labels = template.metadata.get_or_insert_default().labels.get_or_insert_default();
        labels.insert(HASH_LABEL.into(), hash.clone());
        let labels = labels.clone();
        let mut selector = wanted.selector.clone();
        selector.match_labels.get_or_insert_default().insert(HASH_LABEL.into(), hash.clone());
        let owner: &dyn Object = d;
        let spec = Spec::of(d);
        let mut new = ReplicaSet {
            metadata: ObjectMeta {
                name: Some(format!("{}-{hash}", owner.name())),
                namespace: d.metadata.namespace.clone(),
                owner_references: Some(vec![meta::controller_ref(&self.client.kinds(), owner)]),
                labels: Some(labels),
                ..Default::default()
            },
            spec: Some(ReplicaSetSpec {
                replicas: Some(super::rolling::new_size(&spec, sets, 0)),
                min_ready_seconds: wanted.min_ready_seconds,
                selector,
                template: Some(template),
            }),
            status: None,
        };
        revisions::note_revision(d, &mut new, revision);
        revisions::note_size(&mut new, &spec);
        Some(new)
    }

    /// Resizes one ReplicaSet and tells it; whether its size changed.
    pub(super) fn resize(
        &self,
        d: &Deployment,
        sets: &mut Sets,
        set: &Rc<ReplicaSet>,
        size: i32,
    ) -> Result<bool, Status> {
        let before = sets::size(set);
        let mut copy = (**set).clone();
        let noted = revisions::note_size(&mut copy, &Spec::of(d));
        if before == size && !noted {
            return Ok(false);
        }
        copy.spec.get_or_insert_default().replicas = Some(size);
        sets.replace(self.client.update(copy)?);
        if before == size {
            return Ok(false);
        }
        let direction = if size > before { "up" } else { "down" };
        let name = set.metadata.name.as_deref().unwrap_or_default();
        let text = format!("Scaled {direction} replica set {name} from {before} to {size}");
        self.events.event(d, EventType::Normal, "ScalingReplicaSet", &text);
        Ok(true)
    }

    /// Deletes the oldest revisions beyond the history's limit, if nothing runs in them.
    pub(super) fn clean_up(&self, d: &Deployment, sets: &Sets) -> Result<(), Status> {
        let Some(limit) = Spec::of(d).history else { return Ok(()) };
        let mut alive: Vec<_> =
            sets.old.iter().filter(|s| !meta::is_deleting(&s.metadata)).collect();
        let Some(excess) = alive.len().checked_sub(limit.max(0) as usize) else { return Ok(()) };
        alive.sort_by_key(|s| revisions::revision(s));
        for set in alive.into_iter().take(excess) {
            let seen = set.status.as_ref().and_then(|s| s.observed_generation).unwrap_or(0);
            let unseen = set.metadata.generation.unwrap_or(0) > seen;
            if sets::actual(set) != 0 || sets::size(set) != 0 || unseen {
                continue;
            }
            let set: &dyn Object = &**set;
            let options = DeleteOptions::default();
            match self.client.delete::<ReplicaSet>(set.namespace(), set.name(), &options) {
                Err(error) if !error.is_not_found() => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}
