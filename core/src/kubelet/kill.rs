//! Ends containers and pods: hooks, signals, grace, and sidecars last.
//!
//! Models `killContainer`, `killContainersWithSyncResult` and `SyncTerminatingPod`.

use std::{rc::Rc, time::Duration};

use k8s_openapi::api::core::v1::{Container as Spec, LifecycleHandler};

use super::{
    Inner, labels,
    plan::{Kill, KillReason, is_sidecar},
    worker::Worker,
};
use crate::{
    client::EventType,
    fabric::http::{HttpRequest, probe},
    runtime::{Container, ExecSpec},
    sim::{Either, Notify, race},
};

/// When claims of devices that could not be given back are tried again (`backOffPeriod`).
const UNPREPARE_AGAIN: Duration = Duration::from_secs(10);
/// What is left after a preStop hook, at least (`minimumGracePeriodInSeconds`).
const LEAST: Duration = Duration::from_secs(2);
/// An HTTP hook's patience.
const HOOK_PATIENCE: Duration = Duration::from_secs(30);

impl Inner {
    /// Ends a pod for good: containers first, then the sandbox.
    pub async fn stop_pod(&self, worker: &Rc<Worker>) {
        self.kill_everything(worker, Some(worker.grace.get())).await;
        if self.unprepare_claims(worker).await.is_err() {
            // The pod stays until its devices are given back.
            self.retry(worker, UNPREPARE_AGAIN);
            return;
        }
        self.finish(worker);
    }

    /// Ends everything a pod has. `grace`: in place of the specification's.
    pub async fn kill_everything(&self, worker: &Rc<Worker>, grace: Option<u64>) {
        let pod = worker.pod();
        let own = pod.spec.as_ref().and_then(|s| s.termination_grace_period_seconds);
        let grace = grace.unwrap_or(own.unwrap_or(30).max(0) as u64);
        let deadline = self.sim.now() + Duration::from_secs(grace);
        let all = self.containers_of(&worker.uid);
        let (sandboxes, containers): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|c| labels(c).is_sandbox());
        let running = containers.into_iter().filter(|c| c.is_running());
        let init = pod.spec.as_ref().and_then(|s| s.init_containers.clone()).unwrap_or_default();
        let place = |c: &Rc<Container>| {
            let name = &labels(c).container;
            init.iter().position(|spec| is_sidecar(spec) && spec.name == *name)
        };
        let (mut sidecars, regular): (Vec<_>, Vec<_>) = running.partition(|c| place(c).is_some());
        self.kill_together(worker, regular, grace).await;
        // Sidecars serve to the end, and end in the reverse order of their start.
        sidecars.sort_by_key(|c| std::cmp::Reverse(place(c)));
        for sidecar in sidecars {
            let left = deadline.since(self.sim.now()).as_secs().max(1);
            self.kill_together(worker, vec![sidecar], left).await;
        }
        for sandbox in sandboxes {
            if sandbox.is_running() {
                self.engine.stop(&sandbox, Duration::ZERO).await;
            }
        }
    }

    async fn kill_together(&self, worker: &Rc<Worker>, list: Vec<Rc<Container>>, grace: u64) {
        let done = Notify::default();
        let mut tasks = Tasks { sim: self.sim.clone(), list: Vec::new() };
        let Some(me) = self.me.upgrade() else { return };
        for container in &list {
            let name = &labels(container).container;
            let message = format!("Stopping container {name}");
            let (me, worker) = (me.clone(), worker.clone());
            let (container, done) = (container.clone(), done.clone());
            tasks.list.push(self.sim.spawn(async move {
                let grace = Duration::from_secs(grace);
                me.kill_container(&worker, &container, &message, grace).await;
                done.notify();
            }));
        }
        while tasks.list.iter().any(|t| !t.is_finished()) {
            // The notification comes from inside the task: it has ended when we are polled.
            done.wait().await;
            crate::sim::yield_now().await;
        }
    }

    /// Kills a container that its probe or a change of its specification condemned.
    pub async fn kill_planned(&self, worker: &Rc<Worker>, kill: &Kill) {
        let Some(container) = self.engine.get(&kill.id) else { return };
        let pod = worker.pod();
        let spec = self.spec_of(worker, &kill.name);
        let probe = spec.as_ref().and_then(|s| match kill.reason {
            KillReason::LivenessProbe => s.liveness_probe.clone(),
            KillReason::StartupProbe => s.startup_probe.clone(),
            KillReason::Changed => None,
        });
        let grace = probe
            .and_then(|p| p.termination_grace_period_seconds)
            .or(pod.spec.as_ref().and_then(|s| s.termination_grace_period_seconds))
            .unwrap_or(30)
            .max(0) as u64;
        self.kill_container(worker, &container, &kill.message, Duration::from_secs(grace)).await;
    }

    async fn kill_container(
        &self,
        worker: &Rc<Worker>,
        container: &Rc<Container>,
        message: &str,
        grace: Duration,
    ) {
        if !container.is_running() {
            return;
        }
        let name = labels(container).container.clone();
        let pod = worker.pod();
        let field = self.field_of(worker, &name);
        self.recorder.event_at(&*pod, &field, EventType::Normal, "Killing", message);
        let begun = self.sim.now();
        let spec = self.spec_of(worker, &name);
        let hook = spec.as_ref().and_then(|s| s.lifecycle.as_ref()?.pre_stop.clone());
        if let (Some(hook), Some(spec)) = (hook, &spec)
            && grace > Duration::ZERO
        {
            let hook = self.run_hook(worker, spec, &hook, container);
            if let Either::Left(Err(_)) = race(hook, self.sim.sleep(grace)).await {
                let kind = EventType::Warning;
                let text = "PreStopHook failed";
                self.recorder.event_at(&*pod, &field, kind, "FailedPreStopHook", text);
            }
            let left = grace.saturating_sub(self.sim.now().since(begun)).max(LEAST);
            return self.engine.stop(container, left).await;
        }
        self.engine.stop(container, grace).await;
    }

    /// A container's specification, init containers included.
    pub fn spec_of(&self, worker: &Worker, name: &str) -> Option<Spec> {
        let pod = worker.pod();
        let spec = pod.spec.as_ref()?;
        let mut all = spec.containers.iter().chain(spec.init_containers.iter().flatten());
        let ephemeral = || {
            let mut all = spec.ephemeral_containers.iter().flatten();
            all.find(|c| c.name == name).map(super::plan::as_container)
        };
        all.find(|c| c.name == name).cloned().or_else(ephemeral)
    }

    /// `spec.containers{web}`
    pub fn field_of(&self, worker: &Worker, name: &str) -> String {
        let pod = worker.pod();
        let Some(spec) = &pod.spec else { return String::new() };
        let list = if spec.init_containers.iter().flatten().any(|c| c.name == name) {
            "initContainers"
        } else if spec.ephemeral_containers.iter().flatten().any(|c| c.name == name) {
            "ephemeralContainers"
        } else {
            "containers"
        };
        format!("spec.{list}{{{name}}}")
    }

    /// Runs a postStart or preStop hook to its end. Errors as `lifecycle/handlers.go` words them.
    pub async fn run_hook(
        &self,
        worker: &Rc<Worker>,
        spec: &Spec,
        hook: &LifecycleHandler,
        container: &Rc<Container>,
    ) -> Result<(), String> {
        if let Some(exec) = &hook.exec {
            let argv = exec.command.clone().unwrap_or_default();
            let shown = argv.join(" ");
            let exec = ExecSpec { argv, ..ExecSpec::default() };
            let child = self.engine.exec(container, exec).map_err(|e| e.message)?;
            return match child.wait().await.code() {
                0 => Ok(()),
                code => Err(format!("command '{shown}' exited with {code}: ")),
            };
        }
        if let Some(http) = &hook.http_get {
            let (to, request) = self.http_target(worker, spec, http)?;
            let Some(endpoint) = &self.endpoint else { return Err("no network".into()) };
            let result = probe(endpoint, to, Rc::new(request), HOOK_PATIENCE).await;
            return result.map(|_| ()).map_err(|e| e.to_string());
        }
        if let Some(sleep) = &hook.sleep {
            let seconds = Duration::from_secs(sleep.seconds.max(0) as u64);
            race(self.sim.sleep(seconds), container.exited()).await;
        }
        Ok(())
    }

    fn http_target(
        &self,
        worker: &Rc<Worker>,
        spec: &Spec,
        http: &k8s_openapi::api::core::v1::HTTPGetAction,
    ) -> Result<(std::net::SocketAddrV4, HttpRequest), String> {
        let target = super::probes::target(self, worker, spec, http)?;
        Ok((target.0, target.1))
    }
}

/// Tasks that end with whoever waits for them.
struct Tasks {
    sim: crate::sim::Sim,
    list: Vec<crate::sim::TaskHandle>,
}

impl Drop for Tasks {
    fn drop(&mut self) {
        for task in self.list.drain(..) {
            self.sim.kill(&task);
        }
    }
}
