//! The rolling update: grow the new ReplicaSet, shrink the old ones, within the limits.
//!
//! Models `pkg/controller/deployment/rolling.go`.

use std::{rc::Rc, time::Duration};

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};

use super::{
    Deployments,
    sets::{self, Sets, Spec},
};
use crate::api::Status;

impl Deployments {
    pub(super) fn roll(
        &self,
        mut d: Deployment,
        all: Vec<Rc<ReplicaSet>>,
    ) -> Result<Option<Duration>, Status> {
        let mut sets = self.sets(&mut d, all, true)?;
        if self.grow_new(&d, &mut sets)? || self.shrink_old(&d, &mut sets)? {
            return self.sync_rollout(d, &sets);
        }
        if self.is_complete(&d) {
            self.clean_up(&d, &sets)?;
        }
        self.sync_rollout(d, &sets)
    }

    /// Brings the new ReplicaSet to the size that it may have now; whether that changed.
    fn grow_new(&self, d: &Deployment, sets: &mut Sets) -> Result<bool, Status> {
        let Some(new) = sets.new.clone() else { return Ok(false) };
        let spec = Spec::of(d);
        let now = sets::size(&new);
        match now.cmp(&spec.replicas) {
            std::cmp::Ordering::Equal => Ok(false),
            std::cmp::Ordering::Greater => self.resize(d, sets, &new, spec.replicas),
            std::cmp::Ordering::Less => {
                let size = new_size(&spec, sets, now);
                if size == now { Ok(false) } else { self.resize(d, sets, &new, size) }
            }
        }
    }

    fn shrink_old(&self, d: &Deployment, sets: &mut Sets) -> Result<bool, Status> {
        let spec = Spec::of(d);
        let old: i32 = sets.old.iter().map(|s| sets::size(s)).sum();
        if old == 0 {
            return Ok(false);
        }
        let all: i32 = sets.all().map(|s| sets::size(s)).sum();
        let min_available = spec.replicas - spec.max_unavailable;
        let new_unavailable = sets.new.as_ref().map_or(0, |s| sets::size(s) - sets::available(s));
        // New pods that are not available yet may fail for ever: what they take of the room
        // stays theirs, so that a broken rollout keeps enough old pods.
        let most = all - min_available - new_unavailable;
        if most <= 0 {
            return Ok(false);
        }
        let unhealthy = self.drop_unhealthy(d, sets, most)?;
        let healthy = self.drop_healthy(d, sets, min_available)?;
        Ok(unhealthy + healthy > 0)
    }

    /// Old pods that are not available go first: nobody misses them.
    fn drop_unhealthy(&self, d: &Deployment, sets: &mut Sets, most: i32) -> Result<i32, Status> {
        let mut dropped = 0;
        for set in sets.old.clone() {
            if dropped >= most {
                break;
            }
            let (size, available) = (sets::size(&set), sets::available(&set));
            let drop = (most - dropped).min(size - available);
            if size == 0 || drop <= 0 {
                continue;
            }
            self.resize(d, sets, &set, size - drop)?;
            dropped += drop;
        }
        Ok(dropped)
    }

    fn drop_healthy(
        &self,
        d: &Deployment,
        sets: &mut Sets,
        min_available: i32,
    ) -> Result<i32, Status> {
        let available: i32 = sets.all().map(|s| sets::available(s)).sum();
        let most = available - min_available;
        let mut dropped = 0;
        for set in sets.old.clone() {
            if dropped >= most {
                break;
            }
            let size = sets::size(&set);
            let drop = size.min(most - dropped);
            if size == 0 || drop <= 0 {
                continue;
            }
            self.resize(d, sets, &set, size - drop)?;
            dropped += drop;
        }
        Ok(dropped)
    }
}

/// The size that a new ReplicaSet of size `now` may have. Models `NewRSNewReplicas`.
pub fn new_size(spec: &Spec, sets: &Sets, now: i32) -> i32 {
    if spec.recreates() {
        return spec.replicas;
    }
    let all: i32 = sets.all().map(|s| sets::size(s)).sum();
    let most = spec.replicas.saturating_add(spec.max_surge);
    if all >= most {
        return now;
    }
    now + (most - all).min(spec.replicas - now)
}
