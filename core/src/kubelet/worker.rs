//! One worker per pod: it is kicked when anything happens, and does one thing at a time.
//!
//! Models `pod_workers.go`: a pod is synced, then terminated, then finished, and never goes back.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};

use k8s_openapi::api::core::v1::{Pod, PodStatus};

use super::{Inner, Uid, probes::Probes, volumes::PodVolumes};
use crate::{
    api::{meta, names},
    client::EventType,
    sim::{Sim, TaskHandle, Time, TimerId},
};

/// Where a pod is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// It is made what its specification says.
    Syncing,
    /// Its containers are being stopped.
    Terminating,
    /// Nothing of it runs any more.
    Terminated,
}

/// Why a container waits (`reasonCache`).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Waiting {
    pub reason: String,
    pub message: String,
}

/// What the kubelet remembers of a pod.
pub(super) struct Worker {
    pub uid: Uid,
    pub namespace: String,
    pub name: String,
    pub pod: RefCell<Rc<Pod>>,
    /// Whether it comes from a file; the API server then only has a mirror of it.
    pub is_static: bool,
    pub phase: Cell<Phase>,
    /// When the kubelet first saw it.
    pub started: Time,
    /// Seconds of grace once it is being terminated.
    pub grace: Cell<u64>,
    /// Whether the API server has forgotten it.
    pub gone: Cell<bool>,
    /// Reason and message, where this node can't run it.
    pub rejected: RefCell<Option<(String, String)>>,
    /// Whether all its containers have ended for good.
    pub finished: Cell<bool>,
    pub waiting: RefCell<BTreeMap<String, Waiting>>,
    pub volumes: RefCell<Option<Rc<PodVolumes>>>,
    /// Volumes that have to be attached to the node, as its status names them.
    pub attached: RefCell<BTreeSet<String>>,
    pub probes: RefCell<Probes>,
    /// The last status that was written.
    pub status: RefCell<Option<Rc<PodStatus>>>,
    task: RefCell<Option<TaskHandle>>,
    dirty: Cell<bool>,
    retry: Cell<Option<TimerId>>,
    refresh: Cell<Option<TimerId>>,
    pub failures: Cell<u32>,
}

impl Worker {
    fn new(pod: &Rc<Pod>, uid: Uid, is_static: bool, now: Time) -> Rc<Worker> {
        Rc::new(Worker {
            uid,
            namespace: pod.metadata.namespace.clone().unwrap_or_default(),
            name: pod.metadata.name.clone().unwrap_or_default(),
            pod: RefCell::new(pod.clone()),
            is_static,
            phase: Cell::new(Phase::Syncing),
            started: now,
            grace: Cell::new(30),
            gone: Cell::new(false),
            rejected: RefCell::default(),
            finished: Cell::new(false),
            waiting: RefCell::default(),
            volumes: RefCell::default(),
            attached: RefCell::default(),
            probes: RefCell::default(),
            status: RefCell::default(),
            task: RefCell::default(),
            dirty: Cell::new(false),
            retry: Cell::new(None),
            refresh: Cell::new(None),
            failures: Cell::new(0),
        })
    }

    /// The pod as last seen.
    pub fn pod(&self) -> Rc<Pod> {
        self.pod.borrow().clone()
    }

    /// `name_namespace(uid)`, as messages name a pod.
    pub fn full_name(&self) -> String {
        format!("{}_{}({})", self.name, self.namespace, self.uid)
    }

    fn is_busy(&self) -> bool {
        self.task.borrow().as_ref().is_some_and(|t| !t.is_finished())
    }

    fn stop_task(&self, sim: &Sim) {
        if let Some(task) = self.task.take() {
            sim.kill(&task);
        }
    }

    /// Stops everything the worker does; containers stay as they are.
    pub fn end(&self, sim: &Sim) {
        self.stop_task(sim);
        for timer in [self.retry.take(), self.refresh.take()].into_iter().flatten() {
            sim.cancel(timer);
        }
        self.probes.take().stop(sim);
    }
}

impl Inner {
    /// A pod of this node was added or changed.
    pub fn pod_seen(&self, pod: &Rc<Pod>) {
        if !self.alive.get() || self.mirror_seen(pod) {
            return;
        }
        let uid = pod.metadata.uid.as_deref().unwrap_or_default();
        let known = self.workers.borrow().get(uid).cloned();
        match known {
            None => self.pod_added(pod, uid.into(), false),
            Some(worker) => self.pod_changed(&worker, pod),
        }
    }

    /// Begins to care for a pod.
    pub fn pod_added(&self, pod: &Rc<Pod>, uid: Uid, is_static: bool) {
        let phase = pod.status.as_ref().and_then(|s| s.phase.as_deref()).unwrap_or_default();
        let over = matches!(phase, "Succeeded" | "Failed");
        let deleting = meta::is_deleting(&pod.metadata);
        if over && !deleting && self.containers_of(&uid).iter().all(|c| !c.is_running()) {
            // A pod that has ended is not begun again; it is remembered for its logs.
            let worker = Worker::new(pod, uid.clone(), is_static, self.sim.now());
            worker.phase.set(Phase::Terminated);
            worker.finished.set(true);
            *worker.status.borrow_mut() = pod.status.clone().map(Rc::new);
            self.workers.borrow_mut().insert(uid, worker);
            return;
        }
        let worker = Worker::new(pod, uid.clone(), is_static, self.sim.now());
        self.workers.borrow_mut().insert(uid, worker.clone());
        if deleting || over {
            return self.terminate(&worker);
        }
        if let Some(rejection) = self.admission(&worker) {
            *worker.rejected.borrow_mut() = Some(rejection);
            return self.reject(&worker);
        }
        self.kick(&worker);
    }

    fn pod_changed(&self, worker: &Rc<Worker>, pod: &Rc<Pod>) {
        let old = worker.pod.replace(pod.clone());
        if meta::is_deleting(&pod.metadata) {
            return self.terminate(worker);
        }
        let (new, old) = (&pod.metadata, &old.metadata);
        let differs = new.generation != old.generation
            || new.labels != old.labels
            || new.annotations != old.annotations;
        if differs {
            if new.labels != old.labels || new.annotations != old.annotations {
                self.source_changed(&worker.uid);
            }
            self.kick(worker);
        } else if pod.spec.as_ref().is_some_and(|s| s.readiness_gates.is_some()) {
            self.write_status(worker);
        } else if self.was_contradicted(worker, pod) {
            self.reconcile_status(worker);
        }
    }

    /// A pod of this node is gone from the API server.
    pub fn pod_gone(&self, pod: &Pod) {
        if self.mirror_gone(pod) {
            return;
        }
        let uid = pod.metadata.uid.as_deref().unwrap_or_default();
        let worker = self.workers.borrow().get(uid).cloned();
        let Some(worker) = worker else { return };
        worker.gone.set(true);
        if worker.phase.get() == Phase::Terminated {
            return self.forget(&worker);
        }
        self.terminate(&worker);
    }

    /// Has a pod's containers stopped. Asked again, the grace can only get shorter.
    pub fn terminate(&self, worker: &Rc<Worker>) {
        let pod = worker.pod();
        let own = pod.spec.as_ref().and_then(|s| s.termination_grace_period_seconds);
        let given = pod.metadata.deletion_grace_period_seconds;
        // A force-deleted pod (0 s) is stopped with the grace of its specification.
        let wanted = given.filter(|g| *g > 0).or(own).unwrap_or(30).max(1) as u64;
        match worker.phase.get() {
            Phase::Syncing => {
                worker.grace.set(wanted);
                worker.phase.set(Phase::Terminating);
                worker.stop_task(&self.sim);
                self.kick(worker);
            }
            Phase::Terminating if wanted < worker.grace.get() => {
                worker.grace.set(wanted);
                worker.stop_task(&self.sim);
                self.kick(worker);
            }
            Phase::Terminating => {}
            Phase::Terminated => self.finish(worker),
        }
    }

    /// Something happened to a pod: looks at it, now or when what is being done is done.
    pub fn kick(&self, worker: &Rc<Worker>) {
        if !self.alive.get() {
            return;
        }
        if worker.is_busy() {
            worker.dirty.set(true);
            return;
        }
        for timer in [worker.retry.take(), worker.refresh.take()].into_iter().flatten() {
            self.sim.cancel(timer);
        }
        match worker.phase.get() {
            Phase::Syncing => self.sync(worker),
            Phase::Terminating => {
                worker.probes.borrow_mut().stop_but_readiness(&self.sim);
                self.write_status(worker);
                self.run(worker, |me, worker| Box::pin(async move { me.stop_pod(&worker).await }));
            }
            Phase::Terminated => {}
        }
    }

    /// Looks at a pod that is to run; what is to be done is done in a task.
    fn sync(&self, worker: &Rc<Worker>) {
        self.ensure_probes(worker);
        let observed = self.observe(worker);
        let pod = worker.pod();
        let plan = super::plan::plan(&pod, &observed);
        if self.past_deadline(worker) {
            return self.finished(worker);
        }
        let status = self.generate_status(worker);
        let over = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
        if over && !worker.is_static {
            return self.finished(worker);
        }
        self.put_status(worker, status);
        if !plan.is_idle() {
            self.run(worker, |me, worker| Box::pin(async move { me.act(&worker, plan).await }));
        }
    }

    /// A pod's containers have ended for good (or must): what is left of it is stopped.
    fn finished(&self, worker: &Rc<Worker>) {
        worker.finished.set(true);
        let pod = worker.pod();
        let own = pod.spec.as_ref().and_then(|s| s.termination_grace_period_seconds);
        worker.grace.set(own.unwrap_or(30).max(1) as u64);
        worker.phase.set(Phase::Terminating);
        self.kick(worker);
    }

    /// Whether a pod has been active longer than it may; if not yet, it is looked at again then.
    fn past_deadline(&self, worker: &Rc<Worker>) -> bool {
        let pod = worker.pod();
        let limit = pod.spec.as_ref().and_then(|s| s.active_deadline_seconds);
        let Some(limit) = limit.and_then(|l| u64::try_from(l).ok()) else { return false };
        let since = pod.status.as_ref().and_then(|s| s.start_time.as_ref()).map(Time::from);
        let end = since.unwrap_or(worker.started) + Duration::from_secs(limit);
        if self.sim.now() < end {
            self.retry(worker, end.since(self.sim.now()));
            return false;
        }
        let message = "Pod was active on the node longer than the specified deadline";
        self.recorder.event(&*pod, EventType::Normal, "DeadlineExceeded", message);
        *worker.rejected.borrow_mut() = Some(("DeadlineExceeded".into(), message.into()));
        true
    }

    /// Runs a worker's task; when it ends, the worker is kicked again if something happened meanwhile.
    fn run<F>(&self, worker: &Rc<Worker>, work: F)
    where
        F: FnOnce(Rc<Inner>, Rc<Worker>) -> std::pin::Pin<Box<dyn Future<Output = ()>>> + 'static,
    {
        let Some(me) = self.me.upgrade() else { return };
        worker.dirty.set(false);
        let of = worker.clone();
        let task = self.sim.spawn(async move {
            work(me.clone(), of.clone()).await;
            of.task.take();
            if of.dirty.replace(false) {
                me.kick(&of);
            }
        });
        *worker.task.borrow_mut() = Some(task);
    }

    /// Has a pod looked at again after a while, unless something happens before.
    pub fn retry(&self, worker: &Rc<Worker>, delay: Duration) {
        let (me, of) = (self.me.clone(), Rc::downgrade(worker));
        let timer = self.sim.after(delay, move || {
            if let (Some(me), Some(worker)) = (me.upgrade(), of.upgrade()) {
                worker.retry.set(None);
                me.kick(&worker);
            }
        });
        if let Some(old) = worker.retry.replace(Some(timer)) {
            self.sim.cancel(old);
        }
    }

    /// Has a pod's status written when the next relist would have had the pod synced: a container
    /// that waits is told of although nothing more happens to it.
    pub fn write_status_soon(&self, worker: &Rc<Worker>) {
        const SOON: Duration = Duration::from_millis(900);
        self.write_status_after(worker, SOON);
    }

    /// Has a status written that someone else has overwritten, when the real kubelet would: it
    /// compares every ten seconds (`syncBatch`).
    fn reconcile_status(&self, worker: &Rc<Worker>) {
        const PERIOD: u64 = 10_000_000;
        if worker.refresh.get().is_none() {
            let (now, phase) = (self.sim.now().as_micros(), self.phase());
            let wait = PERIOD - (now + PERIOD - phase) % PERIOD;
            self.write_status_after(worker, Duration::from_micros(wait));
        }
    }

    fn write_status_after(&self, worker: &Rc<Worker>, delay: Duration) {
        let (me, of) = (self.me.clone(), Rc::downgrade(worker));
        let timer = self.sim.after(delay, move || {
            if let (Some(me), Some(worker)) = (me.upgrade(), of.upgrade()) {
                worker.refresh.set(None);
                if worker.phase.get() == Phase::Syncing {
                    me.write_status(&worker);
                }
            }
        });
        if let Some(old) = worker.refresh.replace(Some(timer)) {
            self.sim.cancel(old);
        }
    }

    /// A pod's containers have all ended: the API server is told, and a deleted pod deleted for good.
    pub fn finish(&self, worker: &Rc<Worker>) {
        worker.phase.set(Phase::Terminated);
        worker.probes.take().stop(&self.sim);
        self.write_status(worker);
        self.unmount_volumes(worker);
        if worker.gone.get() {
            return self.forget(worker);
        }
        if meta::is_deleting(&worker.pod().metadata) {
            // The object goes a little later: volumes and cgroups are cleaned up first.
            let takes = Duration::from_millis(100 + self.sim.random(400));
            let (me, of) = (self.me.clone(), Rc::downgrade(worker));
            self.sim.after(takes, move || {
                if let (Some(me), Some(worker)) = (me.upgrade(), of.upgrade())
                    && me.alive.get()
                {
                    me.delete_object(&worker);
                }
            });
        }
    }

    fn delete_object(&self, worker: &Rc<Worker>) {
        let options = crate::client::DeleteOptions {
            grace_seconds: Some(0),
            uid: Some(worker.uid.to_string()),
            ..Default::default()
        };
        let result = self.client.delete::<Pod>(&worker.namespace, &worker.name, &options);
        if result.is_err() {
            worker.gone.set(true);
            self.forget(worker);
        }
    }

    /// Forgets a pod that is gone: its containers and logs are removed.
    pub fn forget(&self, worker: &Rc<Worker>) {
        worker.end(&self.sim);
        self.workers.borrow_mut().remove(&worker.uid);
        for container in self.containers_of(&worker.uid) {
            let _ = self.engine.remove(&container, true);
        }
        self.engine.forget_pod(&worker.uid);
        self.image_backoff.borrow_mut().forget(&worker.uid);
        self.crash_backoff.borrow_mut().forget(&worker.uid);
        self.unmount_volumes(worker);
    }

    /// A random part of `base` on top of it, at most `percent` of it.
    pub fn jitter(&self, base: Duration, percent: u64) -> Duration {
        let most = base.as_micros() as u64 * percent / 100;
        base + Duration::from_micros(if most == 0 { 0 } else { self.sim.random(most) })
    }

    /// A new uid from the seed.
    pub fn new_uid(&self) -> String {
        names::new_uid(&self.sim)
    }
}
