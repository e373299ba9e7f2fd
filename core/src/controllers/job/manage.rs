//! Making and deleting a job's pods. Models `manageJob`.

use std::{collections::BTreeSet, rc::Rc, time::Duration};

use k8s_openapi::api::core::v1::Pod;

use super::{Jobs, Sync, finish, indexes, pods};
use crate::{
    api::{Object, Status, meta::is_deleting},
    client::{DeleteOptions, EventType},
    controllers::replicaset::first_to_go,
};

/// Most pods made or deleted in one sync (`MaxPodCreateDeletePerSync`).
const BURST: usize = 500;

impl Jobs {
    /// Makes or deletes pods until as many run as should. A returned time is that until more can
    /// be made.
    pub(super) fn manage(
        &self,
        sync: &mut Sync,
        suspended: bool,
    ) -> Result<Option<Duration>, Status> {
        if is_deleting(&sync.job.metadata) {
            return Ok(None);
        }
        if sync.end.is_some() {
            let all = sync.active.clone();
            return self.delete(sync, all).map(|()| None);
        }
        if suspended {
            let all = sync.active.clone();
            self.delete(sync, all)?;
            self.note_suspended(sync);
            return Ok(None);
        }
        self.note_resumed(sync);
        let parallel = sync.spec.parallelism.unwrap_or(1).max(0);
        let (active, succeeded) = (sync.active.len() as i32, sync.status.succeeded.unwrap_or(0));
        let wanted = match sync.spec.completions {
            None if succeeded > 0 => active.min(parallel),
            None => parallel,
            Some(completions) => {
                let left = completions - succeeded - sync.failed.count();
                parallel.min(left.max(0))
            }
        };
        if active > wanted {
            let surplus = (active - wanted) as usize;
            let all = sync.active.clone();
            let victims = first_to_go(all.clone(), &all, sync.now, surplus);
            return self.delete(sync, victims).map(|()| None);
        }
        let going = if pods::waits_for_end(sync.spec) { sync.terminating as i32 } else { 0 };
        let missing = (wanted - active - going).max(0) as usize;
        if missing == 0 {
            return Ok(None);
        }
        self.create(sync, missing)
    }

    fn create(&self, sync: &mut Sync, missing: usize) -> Result<Option<Duration>, Status> {
        let mut wait: Option<Duration> = None;
        let count = missing.min(BURST);
        let places: Vec<Option<(i32, i32)>> = if sync.is_indexed() {
            let free = self.free_indexes(sync, count);
            let mut places = Vec::with_capacity(free.len());
            for index in free {
                if sync.spec.backoff_limit_per_index.is_none() {
                    places.push(Some((index, 0)));
                    continue;
                }
                let delay = pods::backoff(sync.spec, &sync.pods, Some(index), sync.now);
                if delay.is_zero() {
                    let failures = pods::index_failures(sync.spec, &sync.pods, index);
                    places.push(Some((index, failures)));
                } else {
                    wait = Some(wait.map_or(delay, |w| w.min(delay)));
                }
            }
            places
        } else {
            vec![None; count]
        };
        if sync.spec.backoff_limit_per_index.is_none() {
            let delay = pods::backoff(sync.spec, &sync.pods, None, sync.now);
            if !delay.is_zero() {
                return Ok(Some(delay));
            }
        }
        let more = missing > BURST;
        for place in places {
            let pod = pods::new(&self.client.kinds(), sync.job, sync.spec, place);
            match self.client.create(pod) {
                Ok(pod) => {
                    let text = format!("Created pod: {}", (&*pod as &dyn Object).name());
                    self.tell(sync.job, EventType::Normal, "SuccessfulCreate", &text);
                    sync.active.push(pod);
                }
                Err(error) if error.message.contains("because it is being terminated") => {
                    return Ok(None);
                }
                Err(error) => {
                    let text = format!("Error creating: {error}");
                    self.tell(sync.job, EventType::Warning, "FailedCreate", &text);
                    return Err(error);
                }
            }
        }
        Ok(if more { Some(Duration::from_millis(1)) } else { wait })
    }

    /// The lowest indexes that have neither ended nor a pod.
    fn free_indexes(&self, sync: &Sync, count: usize) -> Vec<i32> {
        let completions = sync.completions();
        let mut taken: BTreeSet<i32> =
            sync.active.iter().filter_map(|p| indexes::of(p, completions)).collect();
        if pods::waits_for_end(sync.spec) {
            let going = sync.pods.iter().filter(|p| super::is_terminating(p));
            taken.extend(going.filter_map(|p| indexes::of(p, completions)));
        }
        (0..completions)
            .filter(|i| !taken.contains(i) && !sync.succeeded.has(*i) && !sync.failed.has(*i))
            .take(count)
            .collect()
    }

    fn delete(&self, sync: &mut Sync, victims: Vec<Rc<Pod>>) -> Result<(), Status> {
        let mut failure = None;
        for pod in victims.into_iter().take(BURST) {
            let object: &dyn Object = &*pod;
            let options = DeleteOptions::default();
            match self.client.delete::<Pod>(object.namespace(), object.name(), &options) {
                Ok(()) => {
                    let text = format!("Deleted pod: {}", object.name());
                    self.tell(sync.job, EventType::Normal, "SuccessfulDelete", &text);
                    sync.terminating += 1;
                }
                Err(error) if error.is_not_found() => {}
                Err(error) => {
                    failure.get_or_insert(error);
                    continue;
                }
            }
            sync.active.retain(|p| p.metadata.uid != pod.metadata.uid);
        }
        failure.map_or(Ok(()), Err)
    }

    fn note_suspended(&self, sync: &mut Sync) {
        if finish::has_condition(&sync.status, "Suspended") {
            return;
        }
        let text = "Job suspended";
        finish::set(&mut sync.status, sync.now, "Suspended", true, "JobSuspended", text);
        sync.status.start_time = None;
        self.tell(sync.job, EventType::Normal, "Suspended", text);
    }

    fn note_resumed(&self, sync: &mut Sync) {
        if !finish::has_condition(&sync.status, "Suspended") {
            return;
        }
        let text = "Job resumed";
        finish::set(&mut sync.status, sync.now, "Suspended", false, "JobResumed", text);
        sync.status.start_time = Some(sync.now.to_meta());
        self.tell(sync.job, EventType::Normal, "Resumed", text);
    }
}
