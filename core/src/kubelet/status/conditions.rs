//! A pod's conditions.
//!
//! Models `pkg/kubelet/status/generate.go`. Conditions that others own (`PodScheduled`, readiness gates,
//! `DisruptionTarget`) stay as they are stored.

use k8s_openapi::api::core::v1::{
    Container, ContainerStatus, Pod, PodCondition, PodSpec, PodStatus,
};

use crate::{kubelet::plan::is_sidecar, sim::Time};

/// What conditions follow from.
pub struct Input<'a> {
    pub pod: &'a Pod,
    pub spec: &'a PodSpec,
    pub status: &'a PodStatus,
    pub sandbox_ready: bool,
    /// As the API server has them.
    pub stored: &'a [PodCondition],
    /// As the kubelet last told them.
    pub old: &'a [PodCondition],
    pub now: Time,
    pub generation: Option<i64>,
}

const OWN: [&str; 4] = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady"];

struct Said {
    status: bool,
    reason: &'static str,
    message: String,
}

impl Said {
    fn yes() -> Self {
        Said { status: true, reason: "", message: String::new() }
    }

    fn no(reason: &'static str, message: String) -> Self {
        Said { status: false, reason, message }
    }
}

/// The conditions of a pod, in the order in which the kubelet tells them.
pub fn generate(input: Input) -> Vec<PodCondition> {
    let sandbox = match input.sandbox_ready {
        true => Said::yes(),
        false => Said::no("", String::new()),
    };
    let containers = containers_ready(&input);
    let ready = ready(&input, &containers);
    let said = [sandbox, initialized(&input), ready, containers];
    let mut all: Vec<PodCondition> =
        OWN.iter().zip(said).map(|(type_, said)| condition(&input, type_, said)).collect();
    let others = input.stored.iter().filter(|c| !OWN.contains(&c.type_.as_str()));
    for other in others {
        let mut other = other.clone();
        if other.type_ == "PodScheduled" {
            other.observed_generation = input.generation;
        }
        all.push(other);
    }
    if !all.iter().any(|c| c.type_ == "PodScheduled") {
        all.push(condition(&input, "PodScheduled", Said::yes()));
    }
    all
}

fn condition(input: &Input, type_: &str, said: Said) -> PodCondition {
    let status = if said.status { "True" } else { "False" };
    let before = [input.old, input.stored].into_iter().flatten();
    let before = before.clone().find(|c| c.type_ == type_ && c.status == status);
    let since = before.and_then(|c| c.last_transition_time.clone());
    PodCondition {
        type_: type_.into(),
        status: status.into(),
        reason: Some(said.reason.to_string()).filter(|r| !r.is_empty()),
        message: Some(said.message).filter(|m| !m.is_empty()),
        last_transition_time: since.or_else(|| Some(input.now.to_meta())),
        last_probe_time: None,
        observed_generation: input.generation,
    }
}

/// Models `GeneratePodInitializedCondition`.
fn initialized(input: &Input) -> Said {
    let init = input.spec.init_containers.as_deref().unwrap_or_default();
    let statuses = input.status.init_container_statuses.as_deref().unwrap_or_default();
    let done = |container: &&Container| {
        let Some(of) = statuses.iter().find(|s| s.name == container.name) else { return false };
        if is_sidecar(container) {
            return of.started == Some(true);
        }
        of.ready
    };
    let begun = |list: Option<&[ContainerStatus]>| {
        list.unwrap_or_default().iter().any(|s| {
            s.state
                .as_ref()
                .is_some_and(|state| state.running.is_some() || state.terminated.is_some())
        })
    };
    if input.status.phase.as_deref() == Some("Succeeded") {
        return Said { reason: "PodCompleted", ..Said::yes() };
    }
    // Once regular containers have begun, sidecars that restart don't count.
    let main_begun = begun(input.status.container_statuses.as_deref());
    let missing: Vec<_> = init
        .iter()
        .filter(|c| !done(c) && !(main_begun && is_sidecar(c)))
        .map(|c| c.name.as_str())
        .collect();
    if missing.is_empty() {
        return Said::yes();
    }
    let message = format!("containers with incomplete status: [{}]", missing.join(" "));
    Said::no("ContainersNotInitialized", message)
}

/// Models `GenerateContainersReadyCondition`.
fn containers_ready(input: &Input) -> Said {
    match input.status.phase.as_deref() {
        Some("Succeeded") => return Said::no("PodCompleted", String::new()),
        Some("Failed") => return Said::no("PodFailed", String::new()),
        _ => {}
    }
    let statuses = input.status.container_statuses.as_deref().unwrap_or_default();
    let init = input.status.init_container_statuses.as_deref().unwrap_or_default();
    let sidecars = input.spec.init_containers.iter().flatten().filter(|c| is_sidecar(c));
    let all =
        sidecars.map(|c| (c, init)).chain(input.spec.containers.iter().map(|c| (c, statuses)));
    let (mut unknown, mut unready) = (Vec::new(), Vec::new());
    for (container, list) in all {
        match list.iter().find(|s| s.name == container.name) {
            None => unknown.push(container.name.as_str()),
            Some(of) if !of.ready => unready.push(container.name.as_str()),
            Some(_) => {}
        }
    }
    let mut messages = Vec::new();
    for (what, names) in [("unknown", unknown), ("unready", unready)] {
        if !names.is_empty() {
            messages.push(format!("containers with {what} status: [{}]", names.join(" ")));
        }
    }
    match messages.is_empty() {
        true => Said::yes(),
        false => Said::no("ContainersNotReady", messages.join(", ")),
    }
}

/// Models `GeneratePodReadyCondition`.
fn ready(input: &Input, containers: &Said) -> Said {
    if !containers.status {
        return Said::no(containers.reason, containers.message.clone());
    }
    let mut messages = Vec::new();
    for gate in input.spec.readiness_gates.iter().flatten() {
        let type_ = &gate.condition_type;
        match input.stored.iter().find(|c| c.type_ == *type_) {
            None => messages.push(format!(
                "corresponding condition of pod readiness gate \"{type_}\" does not exist."
            )),
            Some(c) if c.status != "True" => messages.push(format!(
                "the status of pod readiness gate \"{type_}\" is not \"True\", but {}",
                c.status
            )),
            Some(_) => {}
        }
    }
    debug_assert!(input.pod.spec.is_some());
    match messages.is_empty() {
        true => Said::yes(),
        false => Said::no("ReadinessGatesNotReady", messages.join(", ")),
    }
}
