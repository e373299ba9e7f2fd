//! The recreating update: all old pods go before the first new one comes.
//!
//! Models `pkg/controller/deployment/recreate.go`.

use std::{rc::Rc, time::Duration};

use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet},
    core::v1::Pod,
};

use super::{
    Deployments,
    sets::{self, Sets, Spec},
};
use crate::{
    api::{Object, Status},
    controllers::pods,
};

impl Deployments {
    pub(super) fn recreate(
        &self,
        mut d: Deployment,
        all: Vec<Rc<ReplicaSet>>,
    ) -> Result<Option<Duration>, Status> {
        let mut sets = self.sets(&mut d, all.clone(), false)?;
        let mut shrunk = false;
        for set in sets.old.clone() {
            if sets::size(&set) > 0 {
                shrunk |= self.resize(&d, &mut sets, &set, 0)?;
            }
        }
        if shrunk || self.old_pods_run(&sets) {
            return self.sync_rollout(d, &sets);
        }
        if sets.new.is_none() {
            sets = self.sets(&mut d, all, true)?;
        }
        let wanted = Spec::of(&d).replicas;
        if let Some(new) = sets.new.clone().filter(|s| sets::size(s) != wanted) {
            self.resize(&d, &mut sets, &new, wanted)?;
        }
        if self.is_complete(&d) {
            self.clean_up(&d, &sets)?;
        }
        self.sync_rollout(d, &sets)
    }

    fn old_pods_run(&self, sets: &Sets) -> bool {
        sets.old.iter().any(|set| {
            let uid = (&**set as &dyn Object).uid();
            sets::actual(set) > 0
                || self.client.by_index::<Pod>(self.pods, uid).iter().any(|p| !pods::is_terminal(p))
        })
    }
}
