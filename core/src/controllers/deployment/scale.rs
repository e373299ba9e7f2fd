//! A change of size in the middle of a rollout is spread over the ReplicaSets in proportion.
//!
//! Otherwise all of it would fall to the new one, which may be broken.
//! Models `scale` in `pkg/controller/deployment/sync.go` and `GetReplicaSetProportion`.

use std::{cmp::Reverse, rc::Rc};

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};

use super::{
    Deployments, revisions,
    sets::{self, Sets, Spec},
};
use crate::api::Status;

impl Deployments {
    pub(super) fn scale(&self, d: &Deployment, sets: &mut Sets) -> Result<(), Status> {
        let spec = Spec::of(d);
        if let Some(only) = active_or_latest(sets) {
            if sets::size(&only) != spec.replicas {
                self.resize(d, sets, &only, spec.replicas)?;
            }
            return Ok(());
        }
        if sets.new.as_ref().is_some_and(|new| is_saturated(new, &spec)) {
            for old in sets.old.clone().iter().filter(|s| sets::size(s) > 0) {
                self.resize(d, sets, old, 0)?;
            }
            return Ok(());
        }
        if spec.recreates() {
            return Ok(());
        }
        for (set, size) in shares(d, &spec, sets) {
            self.resize(d, sets, &set, size)?;
        }
        Ok(())
    }
}

/// The only active ReplicaSet, or the newest if none is; `None` if there are several.
fn active_or_latest(sets: &Sets) -> Option<Rc<ReplicaSet>> {
    let mut active = sets.all().filter(|s| sets::size(s) > 0);
    match (active.next(), active.next()) {
        (None, _) => sets.new.clone().or_else(|| sets.old.last().cloned()),
        (only, None) => only.cloned(),
        _ => None,
    }
}

fn is_saturated(new: &ReplicaSet, spec: &Spec) -> bool {
    let wanted = spec.replicas;
    sets::size(new) == wanted
        && sets::number(new, revisions::DESIRED) == Some(wanted)
        && sets::available(new) == wanted
}

/// The size that each active ReplicaSet is to get.
fn shares(d: &Deployment, spec: &Spec, sets: &Sets) -> Vec<(Rc<ReplicaSet>, i32)> {
    let mut active: Vec<_> = sets.all().filter(|s| sets::size(s) > 0).cloned().collect();
    let all: i32 = active.iter().map(|s| sets::size(s)).sum();
    let allowed = if spec.replicas > 0 { spec.replicas + spec.max_surge } else { 0 };
    let to_add = allowed - all;
    active.sort_by(|a, b| sets::by_creation(a, b));
    if to_add > 0 {
        active.reverse(); // of equal sizes the newer grows first, and the older shrinks first
    }
    active.sort_by_key(|s| Reverse(sets::size(s)));
    let mut added = 0;
    let mut shares: Vec<_> = active
        .into_iter()
        .map(|set| {
            let part = proportion(d, spec, &set, to_add, added);
            added += part;
            let size = sets::size(&set) + part;
            (set, size)
        })
        .collect();
    if let Some((_, largest)) = shares.first_mut().filter(|_| to_add != 0) {
        *largest = (*largest + to_add - added).max(0);
    }
    shares
}

fn proportion(d: &Deployment, spec: &Spec, set: &ReplicaSet, to_add: i32, added: i32) -> i32 {
    let size = sets::size(set);
    if size == 0 || to_add == 0 || to_add == added {
        return 0;
    }
    let allowed = to_add - added;
    let part = fraction(d, spec, set, size);
    if to_add > 0 { part.min(allowed) } else { part.max(allowed) }
}

/// How much a ReplicaSet would change if it kept its share of the Deployment.
fn fraction(d: &Deployment, spec: &Spec, set: &ReplicaSet, size: i32) -> i32 {
    if spec.replicas == 0 {
        return -size;
    }
    let most = i64::from(spec.replicas) + i64::from(spec.max_surge);
    let before = sets::number(set, revisions::MAXIMUM).filter(|n| *n != 0);
    let before = before.or_else(|| d.status.as_ref()?.replicas).filter(|n| *n != 0).unwrap_or(size);
    let share = (i64::from(size) * most) as f64 / f64::from(before);
    (share.round() as i32).saturating_sub(size)
}
