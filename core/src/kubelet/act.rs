//! Does what was planned for a pod: kills, makes the sandbox, starts containers, and comes back later
//! where something failed.
//!
//! Models `kubeGenericRuntimeManager.SyncPod` and the requeueing of `pod_workers.completeWork`.

use std::{rc::Rc, time::Duration};

use k8s_openapi::api::core::v1::Pod;

use super::{
    Inner, drivers,
    images::PAUSE_IMAGE,
    labels,
    plan::{Health, Observed, Plan, Seen, SeenSandbox, as_container},
    start::StartError,
    worker::{Waiting, Worker},
};
use crate::{
    client::EventType,
    runtime::{Container, ContainerSpec, NetworkMode, PodLabels, PortBinding, Work},
    sim::Time,
};

/// Until a pod whose sync failed is looked at again (`backOffPeriod`); chance adds up to half.
const AGAIN: Duration = Duration::from_secs(10);
/// The kubelet's volume manager and cgroups, before a pod's first sandbox.
const PREPARE: Duration = Duration::from_millis(120);

impl Inner {
    /// What the engine has for a pod.
    pub fn observe(&self, worker: &Worker) -> Observed {
        let host_network = uses_host_network(&worker.pod());
        let mut observed = Observed::default();
        for container in self.containers_of(&worker.uid) {
            let labels = labels(&container);
            if labels.is_sandbox() {
                observed.sandboxes.push(SeenSandbox {
                    id: container.id.clone(),
                    ready: container.is_running(),
                    attempt: labels.attempt,
                    has_address: host_network || container.address().is_some(),
                });
                continue;
            }
            let status = container.status();
            let health = match container.is_running() {
                true => worker.probes.borrow().health(&labels.container, &container.id),
                false => Health::default(),
            };
            observed.containers.push(Seen {
                id: container.id.clone(),
                name: labels.container.clone(),
                state: status.state,
                exit_code: status.exit_code,
                hash: labels.hash,
                health,
            });
        }
        observed
    }

    /// Does what was planned.
    pub async fn act(&self, worker: &Rc<Worker>, plan: Plan) {
        if plan.kill_pod {
            if plan.create_sandbox && plan.sandbox.is_some() {
                let message = "Pod sandbox changed, it will be killed and re-created.";
                let pod = worker.pod();
                self.recorder.event(&*pod, EventType::Normal, "SandboxChanged", message);
            }
            self.kill_everything(worker, None).await;
            if !plan.create_sandbox {
                return self.kick_later(worker);
            }
        }
        for kill in &plan.kill {
            self.kill_planned(worker, kill).await;
        }
        if let Err(error) = self.prepare(worker).await {
            self.mount_failed(worker, error.as_deref());
            return;
        }
        let anew = plan.create_sandbox || !self.has_claims(worker);
        if let Err(error) = if anew { self.prepare_claims(worker).await } else { Ok(()) } {
            self.prepare_failed(worker, &error);
            self.retry(worker, self.jitter(drivers::RESYNC, 50));
            return;
        }
        let sandbox = match plan.create_sandbox {
            true => self.create_sandbox(worker, plan.attempt).await,
            false => plan.sandbox.as_deref().and_then(|id| self.engine.get(id)),
        };
        let Some(sandbox) = sandbox else {
            self.retry(worker, self.jitter(AGAIN, 50));
            return;
        };
        self.start_planned(worker, &plan, &sandbox).await;
    }

    async fn start_planned(&self, worker: &Rc<Worker>, plan: &Plan, sandbox: &Rc<Container>) {
        let pod = worker.pod();
        let Some(spec) = &pod.spec else { return };
        let mut failed: Option<Option<Time>> = None;
        let mut note = |name: &str, result: Result<(), StartError>| match result {
            Ok(()) => {
                worker.waiting.borrow_mut().remove(name);
                true
            }
            Err(error) => {
                let earlier = match (failed, error.again) {
                    (Some(Some(a)), Some(b)) => Some(a.min(b)),
                    (Some(a), b) => a.or(b),
                    (None, b) => b,
                };
                failed = Some(earlier);
                let waiting = Waiting { reason: error.reason, message: error.message };
                worker.waiting.borrow_mut().insert(name.to_string(), waiting);
                false
            }
        };
        let ephemeral = spec.ephemeral_containers.as_deref().unwrap_or_default();
        for container in plan.ephemeral.iter().filter_map(|i| ephemeral.get(*i)) {
            let container = as_container(container);
            let field = format!("spec.ephemeralContainers{{{}}}", container.name);
            let result = self.start_container(worker, &container, &field, sandbox).await;
            note(&container.name, result);
        }
        let init = spec.init_containers.as_deref().unwrap_or_default();
        let mut go_on = true;
        for container in plan.init.iter().filter_map(|i| init.get(*i)) {
            let field = format!("spec.initContainers{{{}}}", container.name);
            let result = self.start_container(worker, container, &field, sandbox).await;
            if !note(&container.name, result) && !super::plan::is_sidecar(container) {
                go_on = false;
                break;
            }
        }
        let regular = plan.start.iter().filter_map(|i| spec.containers.get(*i));
        for container in regular.take_while(|_| go_on) {
            let field = format!("spec.containers{{{}}}", container.name);
            let result = self.start_container(worker, container, &field, sandbox).await;
            note(&container.name, result);
        }
        if let Some(again) = failed {
            let now = self.sim.now();
            let delay = again.map_or(AGAIN, |at| at.since(now));
            self.retry(worker, self.jitter(delay, if again.is_some() { 5 } else { 50 }));
            if !tells_why(worker) {
                self.write_status_soon(worker);
            }
        }
    }

    /// Everything was killed and nothing is to be started: the next look ends the pod.
    fn kick_later(&self, worker: &Rc<Worker>) {
        self.look_soon(&worker.uid);
    }

    /// What must be there before a sandbox: volumes, and files that the kubelet manages.
    async fn prepare(&self, worker: &Rc<Worker>) -> Result<(), Option<String>> {
        if worker.volumes.borrow().is_some() {
            return Ok(());
        }
        self.sim.sleep(PREPARE).await;
        let volumes = self.mount_volumes(worker)?;
        *worker.volumes.borrow_mut() = Some(volumes);
        worker.failures.set(0);
        Ok(())
    }

    fn mount_failed(&self, worker: &Rc<Worker>, error: Option<&str>) {
        if let Some(error) = error {
            let pod = worker.pod();
            self.recorder.event(&*pod, EventType::Warning, "FailedMount", error);
        }
        // Models `exponentialbackoff`: 500 ms, doubling to 2 min 2 s.
        let failures = worker.failures.get();
        worker.failures.set(failures + 1);
        let delay = Duration::from_millis((500_u64 << failures.min(8)).min(122_000));
        self.retry(worker, delay);
    }

    async fn create_sandbox(&self, worker: &Rc<Worker>, attempt: u32) -> Option<Rc<Container>> {
        self.engine.takes(Work::Sandbox).await;
        let pod = worker.pod();
        let result = self.make_sandbox(worker, &pod, attempt);
        match result {
            Ok(sandbox) => {
                self.manage_files(worker, &sandbox);
                self.prune(worker);
                Some(sandbox)
            }
            Err(error) => {
                let message = format!("Failed to create pod sandbox: {error}");
                let kind = EventType::Warning;
                self.recorder.event(&*pod, kind, "FailedCreatePodSandBox", &message);
                None
            }
        }
    }

    fn make_sandbox(
        &self,
        worker: &Rc<Worker>,
        pod: &Pod,
        attempt: u32,
    ) -> Result<Rc<Container>, String> {
        let host_network = uses_host_network(pod);
        let image = self.engine.images().find(PAUSE_IMAGE);
        let image = image.ok_or_else(|| format!("image {PAUSE_IMAGE} is not there"))?;
        let labels = PodLabels {
            namespace: worker.namespace.clone(),
            pod: worker.name.clone(),
            uid: worker.uid.to_string(),
            container: String::new(),
            attempt,
            sandbox: String::new(),
            hash: 0,
            message_path: String::new(),
            message_from_log: false,
        };
        let spec = ContainerSpec {
            name: labels.container_name(),
            image_name: PAUSE_IMAGE.into(),
            hostname: Some(super::files::hostname(pod, &self.machine.hostname())),
            network: if host_network { NetworkMode::Host } else { NetworkMode::Pod },
            ports: if host_network { Vec::new() } else { host_ports(pod) },
            pod: Some(Rc::new(labels)),
            ..ContainerSpec::default()
        };
        let sandbox = self.engine.create(&image, spec).map_err(|e| e.to_string())?;
        if let Err(error) = self.engine.launch(&sandbox) {
            let _ = self.engine.remove(&sandbox, true);
            return Err(error.to_string());
        }
        if let Some(endpoint) = sandbox.endpoint().filter(|_| !host_network) {
            endpoint.set_name(&worker.name);
        }
        Ok(sandbox)
    }

    /// Removes what is older than anybody needs: of each container the newest and the one before it
    /// stay (for `--previous`), of sandboxes the newest.
    pub fn prune(&self, worker: &Worker) {
        let mut seen: Vec<(String, u32)> = Vec::new();
        for container in self.containers_of(&worker.uid) {
            let name = labels(&container).container.clone();
            let keep = if name.is_empty() { 1 } else { 2 };
            let count = match seen.iter_mut().find(|(n, _)| *n == name) {
                Some((_, count)) => {
                    *count += 1;
                    *count
                }
                None => {
                    seen.push((name, 1));
                    1
                }
            };
            if count > keep && !container.is_running() {
                let _ = self.engine.remove(&container, false);
            }
        }
    }
}

/// Whether the last status told already why a container can't be started. The next sync then tells
/// what became of it: `ErrImagePull` is seen for some seconds before `ImagePullBackOff`.
fn tells_why(worker: &Worker) -> bool {
    let status = worker.status.borrow().clone().unwrap_or_default();
    let mut all = status.container_statuses.iter().chain(&status.init_container_statuses).flatten();
    all.any(|s| {
        let waiting = s.state.as_ref().and_then(|state| state.waiting.as_ref());
        let reason = waiting.and_then(|w| w.reason.as_deref()).unwrap_or("ContainerCreating");
        !matches!(reason, "ContainerCreating" | "PodInitializing")
    })
}

/// Whether a pod's network is its node's.
pub fn uses_host_network(pod: &Pod) -> bool {
    pod.spec.as_ref().and_then(|s| s.host_network) == Some(true)
}

fn host_ports(pod: &Pod) -> Vec<PortBinding> {
    let Some(spec) = &pod.spec else { return Vec::new() };
    let sidecars = spec.init_containers.iter().flatten().filter(|c| super::plan::is_sidecar(c));
    let ports = spec.containers.iter().chain(sidecars).flat_map(|c| c.ports.iter().flatten());
    ports
        .filter_map(|p| {
            Some(PortBinding {
                host_ip: p.host_ip.as_ref().and_then(|ip| ip.parse().ok()),
                host_port: u16::try_from(p.host_port?).ok().filter(|p| *p > 0)?,
                port: u16::try_from(p.container_port).ok()?,
                udp: p.protocol.as_deref() == Some("UDP"),
            })
        })
        .collect()
}
