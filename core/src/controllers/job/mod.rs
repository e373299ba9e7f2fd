//! Runs Jobs to their end: as many pods as may run at once, until enough have succeeded.
//!
//! [`pods`] makes pods, [`indexes`] counts those that have a number, [`policy`] knows what failures
//! and successes mean, [`finish`] writes down how it ended.
//!
//! Models `pkg/controller/job/job_controller.go`.

mod finish;
mod indexes;
mod manage;
mod pods;
mod policy;
#[cfg(test)]
mod tests;

use std::{rc::Rc, time::Duration};

use k8s_openapi::api::{
    batch::v1::{Job, JobSpec, JobStatus},
    core::v1::Pod,
};

use super::{
    framework::{Controller, Key, Queue},
    owners,
    pods::{by_controller, is_active, is_ready, is_terminating},
    replicaset::non_zero,
};
use crate::{
    api::{
        KindId, Object, Status, Typed,
        meta::{controller_of, is_deleting},
        pods::phase,
        selector::Selector,
    },
    client::{Change, Client, EventType, IndexId, Op, Recorder},
    sim::Time,
};
use finish::End;
use indexes::Indexes;
use policy::Consequence;

pub use finish::{end_of, is_finished};

const NAME: &str = "job-controller";
/// Who looks after a job that names nobody.
const MANAGER: &str = "kubernetes.io/job-controller";
/// Keys of pods whose job may be gone begin with this; names of jobs can't.
const ORPHAN: &str = "pod/";

/// The Job controller.
pub fn make(client: &Client) -> Box<dyn Controller> {
    Box::new(Jobs {
        client: client.clone(),
        events: Recorder::new(client, NAME, ""),
        pods: client.index::<Pod>(by_controller),
    })
}

struct Jobs {
    client: Client,
    events: Recorder,
    pods: IndexId,
}

/// How a job stands.
struct Sync<'a> {
    job: &'a Job,
    spec: &'a JobSpec,
    now: Time,
    /// All its pods that are there.
    pods: Vec<Rc<Pod>>,
    active: Vec<Rc<Pod>>,
    /// Ended pods that were not counted before.
    fresh: Vec<Rc<Pod>>,
    terminating: usize,
    status: JobStatus,
    succeeded: Indexes,
    failed: Indexes,
    end: Option<End>,
}

impl Sync<'_> {
    fn is_indexed(&self) -> bool {
        self.spec.completion_mode.as_deref() == Some("Indexed")
    }

    fn completions(&self) -> i32 {
        self.spec.completions.unwrap_or(0)
    }
}

impl Jobs {
    fn claim(&self, job: &Job, selector: &Selector) -> Result<Vec<Rc<Pod>>, Status> {
        let owner: &dyn Object = job;
        let mut mine = self.client.by_index::<Pod>(self.pods, owner.uid());
        let orphans = format!("orphan/{}", owner.namespace());
        mine.extend(self.client.by_index::<Pod>(self.pods, &orphans));
        owners::claim(&self.client, owner, selector, mine)
    }

    /// Looks at all pods.
    fn look<'a>(&self, job: &'a Job, spec: &'a JobSpec, all: Vec<Rc<Pod>>) -> Sync<'a> {
        let status = job.status.clone().unwrap_or_default();
        let completions = spec.completions.unwrap_or(0);
        let indexes = |text: &Option<String>| {
            Indexes::parse(text.as_deref().unwrap_or_default(), completions)
        };
        let ended = |p: &&Rc<Pod>| {
            pods::is_tracked(p) && (phase(p) == "Succeeded" || pods::is_failed(spec, p))
        };
        Sync {
            now: self.client.sim().now(),
            active: all.iter().filter(|p| is_active(p)).cloned().collect(),
            fresh: all.iter().filter(ended).cloned().collect(),
            terminating: all.iter().filter(|p| is_terminating(p)).count(),
            succeeded: indexes(&status.completed_indexes),
            failed: indexes(&status.failed_indexes),
            pods: all,
            end: None,
            job,
            spec,
            status,
        }
    }

    /// Counts pods that ended since the last sync.
    fn count(&self, sync: &mut Sync) {
        let completions = sync.completions();
        let (mut succeeded, mut failed) = (0, 0);
        let (mut done, mut lost) = (Vec::new(), Vec::new());
        for pod in &sync.fresh {
            let index = indexes::of(pod, completions).filter(|_| sync.is_indexed());
            if phase(pod) == "Succeeded" {
                succeeded += 1;
                done.extend(index);
                continue;
            }
            let consequence = policy::consequence(sync.spec, pod);
            failed += i32::from(consequence != Consequence::Ignore);
            if let Consequence::FailJob(why) = &consequence {
                sync.end.get_or_insert_with(|| End::failed("PodFailurePolicy", why));
            }
            if let (Some(index), Some(limit)) = (index, sync.spec.backoff_limit_per_index) {
                let often = pods::index_failures(sync.spec, &sync.pods, index);
                if consequence == Consequence::FailIndex || often > limit {
                    lost.push(index);
                }
            }
        }
        let status = &mut sync.status;
        status.failed = non_zero(status.failed.unwrap_or(0) + failed);
        if sync.spec.completion_mode.as_deref() == Some("Indexed") {
            sync.succeeded.extend(done);
            sync.failed.extend(lost.into_iter().filter(|i| !sync.succeeded.has(*i)));
            status.succeeded = non_zero(sync.succeeded.count());
            let done = sync.succeeded.to_string();
            status.completed_indexes = (!done.is_empty()).then_some(done);
            if sync.spec.backoff_limit_per_index.is_some() {
                status.failed_indexes = Some(sync.failed.to_string());
            }
        } else {
            status.succeeded = non_zero(status.succeeded.unwrap_or(0) + succeeded);
        }
    }

    /// Counted pods may go.
    fn let_go(&self, fresh: &[Rc<Pod>]) -> Result<(), Status> {
        for pod in fresh {
            self.untrack(pod)?;
        }
        Ok(())
    }

    fn untrack(&self, pod: &Pod) -> Result<(), Status> {
        let object: &dyn Object = pod;
        let Some(stored) = self.client.find::<Pod>(object.namespace(), object.name()) else {
            return Ok(());
        };
        if stored.metadata.uid != pod.metadata.uid || !pods::is_tracked(&stored) {
            return Ok(());
        }
        let mut new = (*stored).clone();
        new.metadata.finalizers.get_or_insert_default().retain(|f| f != pods::FINALIZER);
        match self.client.update(new) {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    /// A pod whose job is gone waits for nobody.
    fn sync_orphan(&self, ns: &str, name: &str) -> Result<(), Status> {
        let Some(pod) = self.client.find::<Pod>(ns, name) else { return Ok(()) };
        let owner = owners::controller::<Job>(&self.client, &pod.metadata);
        if owner.is_some_and(|job| !is_deleting(&job.metadata)) || !pods::is_tracked(&pod) {
            return Ok(());
        }
        self.untrack(&pod)
    }

    fn pod_changed(&self, pod: &Pod, old: Option<&Pod>, op: Op, queue: &Queue) {
        let object: &dyn Object = pod;
        let ns = object.namespace();
        let before = old.and_then(|o| controller_of(&o.metadata));
        let owner = controller_of(&pod.metadata);
        for reference in before.into_iter().chain(owner).filter(|r| r.kind == "Job") {
            queue.add_name(ns, &reference.name);
        }
        let mine = owner.is_some_and(|o| o.kind == "Job");
        if op != Op::Deleted && mine && pods::is_tracked(pod) {
            let job = owners::controller::<Job>(&self.client, &pod.metadata);
            if job.is_none_or(|job| is_deleting(&job.metadata)) {
                queue.add_name(ns, &format!("{ORPHAN}{}", object.name()));
            }
        }
        let same = old.is_some_and(|o| o.metadata.labels == pod.metadata.labels);
        if owner.is_some() || op == Op::Deleted || (same && before.is_none()) {
            return;
        }
        for job in self.client.list::<Job>(Some(ns)) {
            let selector = job.spec.as_ref().and_then(|s| s.selector.as_ref());
            let selector = Selector::from_label_selector(selector);
            if selector.is_ok_and(|s| s.matches(pod.metadata.labels.as_ref())) {
                queue.add_name(ns, (&*job as &dyn Object).name());
            }
        }
    }

    fn sync_job(&self, job: &Job) -> Result<Option<Duration>, Status> {
        let Some(spec) = &job.spec else { return Ok(None) };
        let Ok(selector) = Selector::from_label_selector(spec.selector.as_ref()) else {
            return Ok(None);
        };
        // Somebody else's work: they keep its status too.
        let other = spec.managed_by.as_deref().is_some_and(|by| by != MANAGER);
        if other || is_finished(job) {
            return Ok(None);
        }
        let all = self.claim(job, &selector)?;
        let mut sync = self.look(job, spec, all);
        let suspended = spec.suspend == Some(true);
        if sync.status.start_time.is_none() && !suspended {
            sync.status.start_time = Some(sync.now.to_meta());
        }
        self.count(&mut sync);
        let deadline = self.judge(&mut sync, suspended);
        let managed = self.manage(&mut sync, suspended);
        self.close(&mut sync);
        let ready = sync.active.iter().filter(|p| is_ready(p)).count();
        sync.status.active = non_zero(sync.active.len() as i32);
        sync.status.ready = Some(ready as i32);
        sync.status.terminating = Some(sync.terminating as i32);
        sync.status.uncounted_terminated_pods = Some(Default::default());
        if job.status.as_ref() != Some(&sync.status) {
            let mut new = job.clone();
            new.status = Some(sync.status.clone());
            self.client.update_status(new)?;
            self.tell_end(job, &sync);
        }
        self.let_go(&sync.fresh)?;
        let wait = managed?;
        Ok([deadline, wait].into_iter().flatten().min())
    }

    fn tell(&self, job: &Job, kind: EventType, reason: &str, text: &str) {
        self.events.event(job, kind, reason, text);
    }
}

impl Controller for Jobs {
    fn name(&self) -> &'static str {
        NAME
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![Job::ID, Pod::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        let object = &*change.object;
        if let Some(pod) = object.downcast::<Pod>() {
            let old = change.old.as_ref().and_then(|o| o.downcast::<Pod>());
            self.pod_changed(pod, old, change.op, queue);
            return;
        }
        queue.add_name(object.namespace(), object.name());
        if change.op == Op::Deleted || is_deleting(object.metadata()) {
            for pod in self.client.by_index::<Pod>(self.pods, object.uid()) {
                let name = (&*pod as &dyn Object).name().to_string();
                queue.add_name(object.namespace(), &format!("{ORPHAN}{name}"));
            }
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        if let Some(pod) = key.1.strip_prefix(ORPHAN) {
            return self.sync_orphan(&key.0, pod).map(|()| None);
        }
        let job = self.client.find::<Job>(&key.0, &key.1);
        match job {
            Some(job) => self.sync_job(&job),
            None => Ok(None),
        }
    }
}
