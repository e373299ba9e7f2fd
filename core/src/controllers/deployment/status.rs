//! How a rollout goes: counts, conditions, the deadline.
//!
//! Models `pkg/controller/deployment/progress.go` and `calculateStatus`.

use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet};

use super::{
    Deployments,
    conditions::{self, AVAILABLE, FAILURE, PROGRESSING},
    sets::{self, Sets, Spec},
};
use crate::{
    api::{Object, Status},
    controllers::replicaset::non_zero,
    sim::Time,
};

const DONE: &str = "NewReplicaSetAvailable";
const TIMED_OUT: &str = "ProgressDeadlineExceeded";

impl Deployments {
    /// Whether the rollout is over, by the status that is stored.
    pub(super) fn is_complete(&self, d: &Deployment) -> bool {
        d.status.as_ref().is_some_and(|s| is_complete(d, s))
    }

    pub(super) fn sync_status(
        &self,
        mut d: Deployment,
        sets: &Sets,
    ) -> Result<Option<Duration>, Status> {
        let new = calculate(&d, sets, self.client.sim().now());
        if d.status.as_ref() != Some(&new) {
            d.status = Some(new);
            self.client.update_status(d)?;
        }
        Ok(None)
    }

    /// Writes the status of a Deployment that rolls out, and asks to look again when its time
    /// may be up.
    pub(super) fn sync_rollout(
        &self,
        mut d: Deployment,
        sets: &Sets,
    ) -> Result<Option<Duration>, Status> {
        let now = self.client.sim().now();
        let spec = Spec::of(&d);
        let mut new = calculate(&d, sets, now);
        if spec.deadline.is_none() {
            conditions::remove(&mut new, PROGRESSING);
        }
        let old = d.status.clone().unwrap_or_default();
        let settled =
            new.replicas == new.updated_replicas && conditions::reason(&old, PROGRESSING) == DONE;
        if spec.deadline.is_some() && !settled {
            note_progress(&d, &spec, &old, &mut new, sets, now);
        }
        match failure(sets) {
            Some(failure) => conditions::set(&mut new, failure),
            None => conditions::remove(&mut new, FAILURE),
        }
        if d.status.as_ref() == Some(&new) {
            return Ok(until_deadline(&d, &spec, &new, now));
        }
        d.status = Some(new);
        self.client.update_status(d)?;
        Ok(None)
    }
}

fn calculate(d: &Deployment, sets: &Sets, now: Time) -> DeploymentStatus {
    let spec = Spec::of(d);
    let sum = |of: fn(&ReplicaSet) -> i32| sets.all().map(|s| of(s)).sum::<i32>();
    let available = sum(sets::available);
    let ready = sum(|s| s.status.as_ref().and_then(|s| s.ready_replicas).unwrap_or(0));
    let terminating: Option<i32> =
        sets.all().map(|s| s.status.as_ref().and_then(|s| s.terminating_replicas)).sum();
    let old = d.status.as_ref();
    let mut status = DeploymentStatus {
        observed_generation: d.metadata.generation,
        replicas: non_zero(sum(sets::actual)),
        updated_replicas: non_zero(sets.new.as_ref().map_or(0, |s| sets::actual(s))),
        ready_replicas: non_zero(ready),
        available_replicas: non_zero(available),
        unavailable_replicas: non_zero((sum(sets::size) - available).max(0)),
        terminating_replicas: terminating,
        collision_count: old.and_then(|s| s.collision_count),
        conditions: old.and_then(|s| s.conditions.clone()),
    };
    let enough = available >= spec.replicas - spec.max_unavailable;
    let (state, reason, text) = if enough {
        ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    };
    conditions::set(&mut status, conditions::condition(now, AVAILABLE, state, reason, text));
    status
}

fn is_complete(d: &Deployment, status: &DeploymentStatus) -> bool {
    let wanted = Spec::of(d).replicas;
    status.updated_replicas.unwrap_or(0) == wanted
        && status.replicas.unwrap_or(0) == wanted
        && status.available_replicas.unwrap_or(0) == wanted
        && status.observed_generation >= d.metadata.generation
}

/// Whether anything got better since `old`.
fn progresses(old: &DeploymentStatus, new: &DeploymentStatus) -> bool {
    let n = |count: Option<i32>| count.unwrap_or(0);
    let outdated = |s: &DeploymentStatus| n(s.replicas) - n(s.updated_replicas);
    n(new.updated_replicas) > n(old.updated_replicas)
        || outdated(new) < outdated(old)
        || n(new.ready_replicas) > n(old.ready_replicas)
        || n(new.available_replicas) > n(old.available_replicas)
}

fn has_timed_out(spec: &Spec, status: &DeploymentStatus, now: Time) -> bool {
    let Some(condition) = conditions::get(status, PROGRESSING) else { return false };
    match condition.reason.as_deref() {
        Some(DONE) => false,
        Some(TIMED_OUT) => true,
        _ => due(spec, condition).is_some_and(|due| due < now),
    }
}

/// When a rollout that made its last progress with this condition has failed.
fn due(spec: &Spec, condition: &DeploymentCondition) -> Option<Time> {
    let seconds = u64::try_from(spec.deadline?).ok()?;
    let from = condition.last_update_time.as_ref().map(Time::from)?;
    Some(from + Duration::from_secs(seconds))
}

fn note_progress(
    d: &Deployment,
    spec: &Spec,
    old: &DeploymentStatus,
    new: &mut DeploymentStatus,
    sets: &Sets,
    now: Time,
) {
    let what = match &sets.new {
        Some(set) => format!("ReplicaSet {:?}", (&**set as &dyn Object).name()),
        None => format!("Deployment {:?}", (d as &dyn Object).name()),
    };
    let make = |status: &str, reason: &str, text: &str| {
        conditions::condition(now, PROGRESSING, status, reason, &format!("{what} {text}"))
    };
    if is_complete(d, new) {
        conditions::set(new, make("True", DONE, "has successfully progressed."));
    } else if progresses(old, new) {
        let mut condition = make("True", "ReplicaSetUpdated", "is progressing.");
        // The same reason again still tells when progress was last made.
        if let Some(before) = conditions::get(old, PROGRESSING) {
            if before.status == "True" {
                condition.last_transition_time.clone_from(&before.last_transition_time);
            }
            conditions::remove(new, PROGRESSING);
        }
        conditions::set(new, condition);
    } else if has_timed_out(spec, new, now) {
        conditions::set(new, make("False", TIMED_OUT, "has timed out progressing."));
    }
}

/// The ReplicaSets' failure to make pods, the new one's first.
fn failure(sets: &Sets) -> Option<DeploymentCondition> {
    let mut candidates = sets.new.iter().chain(&sets.old);
    candidates.find_map(|set| {
        let conditions = set.status.as_ref()?.conditions.as_ref()?;
        let c = conditions.iter().find(|c| c.type_ == FAILURE && c.status == "True")?;
        Some(DeploymentCondition {
            type_: c.type_.clone(),
            status: c.status.clone(),
            reason: c.reason.clone(),
            message: c.message.clone(),
            last_update_time: c.last_transition_time.clone(),
            last_transition_time: c.last_transition_time.clone(),
        })
    })
}

/// How long until a rollout without progress has failed; a second more, because the stored
/// time is in whole seconds. Models `requeueStuckDeployment`.
fn until_deadline(
    d: &Deployment,
    spec: &Spec,
    status: &DeploymentStatus,
    now: Time,
) -> Option<Duration> {
    let condition = conditions::get(status, PROGRESSING)?;
    if is_complete(d, status) || condition.reason.as_deref() == Some(TIMED_OUT) {
        return None;
    }
    Some(due(spec, condition)?.since(now) + Duration::from_secs(1))
}
