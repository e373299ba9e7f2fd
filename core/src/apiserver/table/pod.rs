//! The table of pods, and the one word that says how a pod is.
//!
//! Models `printPod` of `pkg/printers/internalversion/printers.go`.

use k8s_openapi::{
    api::core::v1::{Container, ContainerStatus, Pod, PodStatus},
    apimachinery::pkg::apis::meta::v1::Time as MetaTime,
};

use super::{Printer, RowCx, age, ago, col, or_none, wide};
use crate::sim::Time;

/// See the module.
pub const POD: Printer = Printer {
    columns: &[
        col("Name"),
        col("Ready"),
        col("Status"),
        col("Restarts"),
        col("Age"),
        wide("IP"),
        wide("Node"),
        wide("Nominated Node"),
        wide("Readiness Gates"),
    ],
    row: |cx, object| {
        let Some(pod) = object.downcast::<Pod>() else { return Vec::new() };
        let summary = summary(pod);
        let (spec, status) = (pod.spec.as_ref(), pod.status.as_ref());
        let text = |value: Option<&String>| or_none(value.cloned().unwrap_or_default());
        vec![
            object.name().to_string(),
            format!("{}/{}", summary.ready, summary.containers),
            summary.reason.clone(),
            summary.restarts_text(cx),
            age(cx, object),
            text(status.and_then(|s| s.pod_ip.as_ref())),
            text(spec.and_then(|s| s.node_name.as_ref())),
            text(status.and_then(|s| s.nominated_node_name.as_ref())),
            readiness_gates(pod),
        ]
    },
};

/// What one row says of a pod.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Containers that are ready, restartable init containers included.
    pub ready: usize,
    /// Containers that count.
    pub containers: usize,
    /// The STATUS column: `Running`, `CrashLoopBackOff`, `Init:0/1`, `Terminating` …
    pub reason: String,
    /// How often containers were restarted.
    pub restarts: i32,
    /// When the last one ended, if one did.
    pub last_restart: Option<MetaTime>,
}

impl Summary {
    /// The RESTARTS column: `2 (5s ago)`.
    pub fn restarts_text(&self, cx: &RowCx) -> String {
        match &self.last_restart {
            Some(at) if self.restarts != 0 => {
                format!("{} ({} ago)", self.restarts, ago(cx, Some(at)))
            }
            _ => self.restarts.to_string(),
        }
    }
}

/// The STATUS column of a pod.
pub fn status(pod: &Pod, _now: Time) -> String {
    summary(pod).reason
}

/// Sums up a pod.
pub fn summary(pod: &Pod) -> Summary {
    let none = PodStatus::default();
    let status = pod.status.as_ref().unwrap_or(&none);
    let init: &[Container] =
        pod.spec.as_ref().and_then(|s| s.init_containers.as_deref()).unwrap_or_default();
    let sidecars = init.iter().filter(|c| is_sidecar(c)).count();
    let mut out = Summary {
        containers: pod.spec.as_ref().map_or(0, |s| s.containers.len()) + sidecars,
        reason: first_reason(status),
        ..Default::default()
    };
    let mut sidecar_restarts = Summary::default();
    let initializing = init_containers(status, init, &mut out, &mut sidecar_restarts);
    if !initializing || is_true(status, "Initialized") {
        out.restarts = sidecar_restarts.restarts;
        out.last_restart = sidecar_restarts.last_restart;
        containers(status, &mut out);
    }
    if pod.metadata.deletion_timestamp.is_some() {
        let phase = status.phase.as_deref().unwrap_or_default();
        if status.reason.as_deref() == Some("NodeLost") {
            out.reason = "Unknown".into();
        } else if !matches!(phase, "Succeeded" | "Failed") {
            out.reason = "Terminating".into();
        }
    }
    out
}

fn is_sidecar(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

fn is_true(status: &PodStatus, condition: &str) -> bool {
    status.conditions.iter().flatten().any(|c| c.type_ == condition && c.status == "True")
}

fn first_reason(status: &PodStatus) -> String {
    let gated = status
        .conditions
        .iter()
        .flatten()
        .any(|c| c.type_ == "PodScheduled" && c.reason.as_deref() == Some("SchedulingGated"));
    if gated {
        return "SchedulingGated".into();
    }
    let own = status.reason.clone().filter(|r| !r.is_empty());
    own.or_else(|| status.phase.clone()).unwrap_or_default()
}

fn count_restarts(container: &ContainerStatus, out: &mut Summary) {
    out.restarts += container.restart_count;
    let ended = container.last_state.as_ref().and_then(|s| s.terminated.as_ref());
    if let Some(at) = ended.and_then(|t| t.finished_at.clone()) {
        if out.last_restart.as_ref().is_none_or(|last| last.0 < at.0) {
            out.last_restart = Some(at);
        }
    }
}

/// Looks at init containers up to the first that has not done its work. Whether there is one.
fn init_containers(
    status: &PodStatus,
    specs: &[Container],
    out: &mut Summary,
    sidecars: &mut Summary,
) -> bool {
    for (i, container) in status.init_container_statuses.iter().flatten().enumerate() {
        count_restarts(container, out);
        let sidecar = specs.iter().any(|c| c.name == container.name && is_sidecar(c));
        if sidecar {
            count_restarts(container, sidecars);
        }
        let state = container.state.as_ref();
        let terminated = state.and_then(|s| s.terminated.as_ref());
        let waiting = state.and_then(|s| s.waiting.as_ref()?.reason.as_deref());
        if terminated.is_some_and(|t| t.exit_code == 0) {
            continue;
        }
        if sidecar && container.started == Some(true) {
            out.ready += usize::from(container.ready);
            continue;
        }
        out.reason = match (terminated, waiting) {
            (Some(t), _) => match t.reason.as_deref().filter(|r| !r.is_empty()) {
                Some(reason) => format!("Init:{reason}"),
                None => format!("Init:{}", exit(t.signal, t.exit_code)),
            },
            (None, Some(reason)) if !reason.is_empty() && reason != "PodInitializing" => {
                format!("Init:{reason}")
            }
            _ => format!("Init:{i}/{}", specs.len()),
        };
        return true;
    }
    false
}

fn exit(signal: Option<i32>, code: i32) -> String {
    match signal.filter(|s| *s != 0) {
        Some(signal) => format!("Signal:{signal}"),
        None => format!("ExitCode:{code}"),
    }
}

fn containers(status: &PodStatus, out: &mut Summary) {
    let mut running = false;
    for container in status.container_statuses.iter().flatten().rev() {
        count_restarts(container, out);
        let Some(state) = &container.state else { continue };
        let waiting = state.waiting.as_ref().and_then(|w| w.reason.clone());
        if let Some(reason) = waiting.filter(|r| !r.is_empty()) {
            out.reason = reason;
        } else if let Some(t) = &state.terminated {
            let reason = t.reason.clone().filter(|r| !r.is_empty());
            out.reason = reason.unwrap_or_else(|| exit(t.signal, t.exit_code));
        } else if container.ready && state.running.is_some() {
            running = true;
            out.ready += 1;
        }
    }
    if out.reason == "Completed" && running {
        out.reason = if is_true(status, "Ready") { "Running" } else { "NotReady" }.into();
    }
}

fn readiness_gates(pod: &Pod) -> String {
    let gates = pod.spec.as_ref().and_then(|s| s.readiness_gates.as_deref()).unwrap_or_default();
    if gates.is_empty() {
        return "<none>".into();
    }
    let none = PodStatus::default();
    let status = pod.status.as_ref().unwrap_or(&none);
    let open = gates.iter().filter(|g| is_true(status, &g.condition_type)).count();
    format!("{open}/{}", gates.len())
}
