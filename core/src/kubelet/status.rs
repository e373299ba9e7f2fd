//! A pod's status, made from what the engine has and what the kubelet knows, and written where it
//! differs.
//!
//! Models `kubelet_pods.go` (`generateAPIPodStatus`, `convertToAPIContainerStatuses`, `getPhase`) and
//! `status/generate.go`. The conditions are in `conditions`.

mod conditions;
mod containers;

use std::rc::Rc;

use k8s_openapi::api::core::v1::{
    ContainerStatus, HostIP, Pod, PodIP, PodSpec, PodStatus, ResourceRequirements,
};

use super::{
    Inner, labels,
    plan::is_sidecar,
    worker::{Phase, Worker},
};
use crate::runtime::Container;

impl Inner {
    /// The status a pod should have now.
    pub fn generate_status(&self, worker: &Worker) -> PodStatus {
        let pod = worker.pod();
        let stored = self.stored(worker);
        let empty = PodStatus::default();
        let stored_status = stored.as_ref().and_then(|p| p.status.as_ref());
        let last = worker.status.borrow().clone();
        let old = last.as_deref().or(stored_status).unwrap_or(&empty);
        let generation = pod.metadata.generation;
        let mut status = PodStatus {
            observed_generation: generation.filter(|_| !worker.is_static),
            qos_class: stored_status.and_then(|s| s.qos_class.clone()),
            nominated_node_name: old.nominated_node_name.clone(),
            start_time: old.start_time.clone().or(Some(worker.started.to_meta())),
            resources: Some(ResourceRequirements::default()),
            resource_claim_statuses: old.resource_claim_statuses.clone(),
            extended_resource_claim_status: old.extended_resource_claim_status.clone(),
            ..PodStatus::default()
        };
        if let Some((reason, message)) = &*worker.rejected.borrow() {
            return rejected(status, reason, message, old);
        }
        let Some(spec) = &pod.spec else { return status };
        let engine: Vec<_> = self.containers_of(&worker.uid);
        let init = spec.init_containers.as_deref().unwrap_or_default();
        let made = containers::Made { me: self, worker, pod: &pod, engine: &engine };
        status.container_statuses =
            Some(made.statuses(&spec.containers, old.container_statuses.as_deref(), false));
        if !init.is_empty() {
            status.init_container_statuses =
                Some(made.statuses(init, old.init_container_statuses.as_deref(), true));
        }
        let ephemeral: Vec<_> =
            spec.ephemeral_containers.iter().flatten().map(super::plan::as_container).collect();
        if !ephemeral.is_empty() {
            let old = old.ephemeral_container_statuses.as_deref();
            let mut all = made.statuses(&ephemeral, old, false);
            for one in &mut all {
                (one.ready, one.started) = (false, None);
            }
            status.ephemeral_container_statuses = Some(all);
        }
        self.addresses(&pod, worker, &engine, old, &mut status);
        let phase = phase(spec, &status, worker);
        status.phase = Some(phase.into());
        let ready_to_start = engine
            .iter()
            .any(|c| labels(c).is_sandbox() && c.is_running() && c.endpoint().is_some());
        let stored_conditions = stored_status.and_then(|s| s.conditions.as_deref());
        let conditions = conditions::generate(conditions::Input {
            pod: &pod,
            spec,
            status: &status,
            sandbox_ready: ready_to_start,
            stored: stored_conditions.unwrap_or_default(),
            old: old.conditions.as_deref().unwrap_or_default(),
            now: self.sim.now(),
            generation: status.observed_generation,
        });
        status.conditions = Some(conditions);
        status
    }

    /// The pod as the API server has it: for a pod from a file, its mirror.
    fn stored(&self, worker: &Worker) -> Option<Rc<Pod>> {
        let pod = self.client.find::<Pod>(&worker.namespace, &worker.name)?;
        let same = pod.metadata.uid.as_deref() == Some(&*worker.uid);
        (same || worker.is_static).then_some(pod)
    }

    fn addresses(
        &self,
        pod: &Pod,
        worker: &Worker,
        engine: &[Rc<Container>],
        old: &PodStatus,
        status: &mut PodStatus,
    ) {
        let host = self.node_ip().map(|ip| ip.to_string());
        status.host_ip.clone_from(&host);
        status.host_ips = host.clone().map(|ip| vec![HostIP { ip }]);
        let sandbox = engine.iter().find(|c| labels(c).is_sandbox() && c.is_running());
        let own = match (sandbox, super::act::uses_host_network(pod)) {
            (Some(_), true) => host,
            (Some(sandbox), false) => sandbox.address().map(|ip| ip.to_string()),
            (None, _) => None,
        };
        // What has ended keeps the address it had.
        let ended = worker.phase.get() != Phase::Syncing || worker.finished.get();
        let own = own.or_else(|| old.pod_ip.clone().filter(|_| ended || sandbox.is_none()));
        status.pod_ips = own.clone().map(|ip| vec![PodIP { ip }]);
        status.pod_ip = own;
    }

    /// Whether a pod's status was overwritten by someone who says otherwise than this kubelet, as
    /// the node lifecycle controller does for pods of nodes that are not ready.
    pub fn was_contradicted(&self, worker: &Worker, pod: &Pod) -> bool {
        const OWN: &[&str] = &["Ready", "ContainersReady", "Initialized"];
        let Some(written) = worker.status.borrow().clone() else { return false };
        let contradicts = |pod: &Pod| {
            let Some(stored) = &pod.status else { return false };
            let says = |status: &PodStatus, type_: &str| {
                let mut all = status.conditions.iter().flatten();
                all.find(|c| c.type_ == type_).map(|c| c.status == "True")
            };
            written.phase != stored.phase
                || OWN.iter().any(|t| says(&written, t) != says(stored, t))
        };
        // The kubelet's own last write may still be on its way back.
        contradicts(pod) && self.stored(worker).is_some_and(|stored| contradicts(&stored))
    }

    /// Writes a pod's status if it differs from what the API server has.
    pub fn write_status(&self, worker: &Worker) {
        let status = self.generate_status(worker);
        self.put_status(worker, status);
    }

    /// Writes a status that was just generated.
    pub fn put_status(&self, worker: &Worker, status: PodStatus) {
        if worker.gone.get() || !self.alive.get() {
            return;
        }
        let status = Rc::new(status);
        *worker.status.borrow_mut() = Some(status.clone());
        let Some(stored) = self.stored(worker) else { return };
        if stored.status.as_ref() == Some(&*status) {
            return;
        }
        let mut pod = (*stored).clone();
        pod.status = Some((*status).clone());
        // The API server may be away; the next change or the next sync writes it.
        let _ = self.client.update_status(pod);
    }
}

fn rejected(mut status: PodStatus, reason: &str, message: &str, old: &PodStatus) -> PodStatus {
    status.phase = Some("Failed".into());
    status.reason = Some(reason.into());
    status.message = Some(message.into());
    status.conditions.clone_from(&old.conditions);
    status.container_statuses.clone_from(&old.container_statuses);
    status.resources = None;
    status
}

/// Models `getPhase`.
fn phase(spec: &PodSpec, status: &PodStatus, worker: &Worker) -> &'static str {
    let find = |list: &Option<Vec<ContainerStatus>>, name: &str| {
        list.iter().flatten().find(|s| s.name == name).cloned()
    };
    let terminal = worker.finished.get() && !worker.is_static;
    let (mut pending_init, mut pending_sidecars, mut failed_init) = (0, 0, 0);
    let (mut unknown, mut running, mut waiting, mut stopped, mut succeeded) = (0, 0, 0, 0, 0);
    let mut any_regular = false;
    for container in spec.init_containers.iter().flatten() {
        let Some(of) = find(&status.init_container_statuses, &container.name) else { continue };
        let state = of.state.unwrap_or_default();
        let last = of.last_state.and_then(|l| l.terminated);
        if is_sidecar(container) {
            if state.running.is_some() {
                pending_sidecars += u32::from(of.started != Some(true));
                running += 1;
            } else if state.terminated.is_none() && last.is_none() {
                pending_sidecars += 1;
                waiting += 1;
            }
            continue;
        }
        match (state.running, state.terminated, last) {
            (None, Some(ended), _) => failed_init += u32::from(ended.exit_code != 0),
            (None, None, Some(ended)) if ended.exit_code != 0 => failed_init += 1,
            (None, None, Some(_)) => {}
            _ => pending_init += 1,
        }
    }
    for container in &spec.containers {
        let Some(of) = find(&status.container_statuses, &container.name) else {
            unknown += 1;
            continue;
        };
        let state = of.state.unwrap_or_default();
        let last = of.last_state.and_then(|l| l.terminated);
        any_regular |= state.waiting.is_none() || last.is_some();
        match (state.running, state.terminated, last) {
            (Some(_), ..) => running += 1,
            (None, Some(ended), _) => {
                stopped += 1;
                succeeded += u32::from(ended.exit_code == 0);
            }
            (None, None, Some(_)) => stopped += 1,
            (None, None, None) => waiting += 1,
        }
    }
    let policy = spec.restart_policy.as_deref().unwrap_or("Always");
    if failed_init > 0 && policy == "Never" {
        return "Failed";
    }
    if pending_init > 0 || (pending_sidecars > 0 && !any_regular) || waiting > 0 {
        return "Pending";
    }
    if running > 0 && unknown == 0 {
        return "Running";
    }
    if stopped > 0 && unknown == 0 {
        let result = if stopped == succeeded { "Succeeded" } else { "Failed" };
        return match policy {
            _ if terminal => result,
            "Always" => "Running",
            "OnFailure" if result == "Failed" => "Running",
            _ => result,
        };
    }
    "Pending"
}
