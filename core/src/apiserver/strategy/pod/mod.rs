//! The rules of pods.
//!
//! Models `pkg/registry/core/pod/strategy.go`, `ValidatePodUpdate` and `pkg/api/pod/warnings.go`.

pub mod containers;
pub mod defaults;
pub mod ephemeral;
pub mod placement;
mod probes;
pub mod qos;
pub mod resources;
pub mod selectors;
pub mod spec;
mod update;
mod volumes;
mod warnings;

use k8s_openapi::api::core::v1::{Pod, PodStatus};

use super::{Strategy, StrategyCx};
use crate::api::{FieldError, Path, meta::annotation, pods::DELETION_COST};
pub use warnings::template_warnings;

/// See the module.
pub struct Pods;

impl Strategy for Pods {
    type Object = Pod;

    fn defaults(&self, pod: &mut Pod) {
        defaults::pod(pod);
    }

    fn prepare_create(&self, _: &StrategyCx, pod: &mut Pod) {
        let qos = pod.spec.as_ref().map_or("BestEffort", qos::class);
        let gated = pod
            .spec
            .as_ref()
            .is_some_and(|s| s.scheduling_gates.as_ref().is_some_and(|gates| !gates.is_empty()));
        let mut status = PodStatus {
            phase: Some("Pending".into()),
            qos_class: Some(qos.into()),
            ..Default::default()
        };
        if gated {
            status.conditions = Some(vec![k8s_openapi::api::core::v1::PodCondition {
                type_: "PodScheduled".into(),
                status: "False".into(),
                reason: Some("SchedulingGated".into()),
                message: Some("Scheduling is blocked due to non-empty scheduling gates".into()),
                ..Default::default()
            }]);
        }
        pod.status = Some(status);
    }

    fn prepare_update(&self, _: &StrategyCx, new: &mut Pod, old: &Pod) {
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(&self, new: &mut Pod, old: &Pod) {
        new.spec.clone_from(&old.spec);
        new.metadata.owner_references.clone_from(&old.metadata.owner_references);
        let qos = old.status.as_ref().and_then(|s| s.qos_class.clone());
        new.status.get_or_insert_default().qos_class = qos;
    }

    fn spec_changed(&self, new: &Pod, old: &Pod) -> Option<bool> {
        Some(new.spec != old.spec)
    }

    fn validate(&self, _: &StrategyCx, pod: &Pod) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if let Some(s) = &pod.spec {
            spec::check(s, &Path::new("spec"), &mut errors);
        }
        deletion_cost(pod, &mut errors);
        errors
    }

    fn validate_update(&self, _: &StrategyCx, new: &Pod, old: &Pod) -> Vec<FieldError> {
        update::check(new, old)
    }

    fn grace(&self, pod: &Pod, wanted: Option<i64>) -> Option<i64> {
        let spec = pod.spec.as_ref();
        let own = spec.and_then(|s| s.termination_grace_period_seconds);
        let seconds = wanted.or(own).unwrap_or(0);
        let waits = spec.is_none_or(|s| s.node_name.as_deref().is_none_or(str::is_empty));
        let phase = pod.status.as_ref().and_then(|s| s.phase.as_deref());
        if waits || matches!(phase, Some("Succeeded" | "Failed")) {
            return Some(0);
        }
        Some(if seconds < 0 { 1 } else { seconds })
    }

    fn field(&self, pod: &Pod, path: &str) -> Option<String> {
        let spec = pod.spec.as_ref();
        let status = pod.status.as_ref();
        let found = match path {
            "spec.nodeName" => spec.and_then(|s| s.node_name.clone()),
            "spec.restartPolicy" => spec.and_then(|s| s.restart_policy.clone()),
            "spec.schedulerName" => spec.and_then(|s| s.scheduler_name.clone()),
            "spec.serviceAccountName" => spec.and_then(|s| s.service_account_name.clone()),
            "spec.hostNetwork" => {
                Some(spec.is_some_and(|s| s.host_network == Some(true)).to_string())
            }
            "status.phase" => status.and_then(|s| s.phase.clone()),
            "status.podIP" => status.and_then(|s| s.pod_ip.clone()),
            "status.nominatedNodeName" => status.and_then(|s| s.nominated_node_name.clone()),
            _ => return None,
        };
        Some(found.unwrap_or_default())
    }

    fn warnings(&self, pod: &Pod, old: Option<&Pod>) -> Vec<String> {
        match (&pod.spec, old) {
            (Some(s), None) => warnings::of_spec(s, &pod.metadata, &Path::new("spec")),
            _ => Vec::new(),
        }
    }
}

/// What a pod says it costs to delete it is a number without sign or zeros before it.
fn deletion_cost(pod: &Pod, errors: &mut Vec<FieldError>) {
    let Some(cost) = annotation(&pod.metadata, DELETION_COST) else { return };
    let first = cost.as_bytes().first();
    let plain = cost == "0" || matches!(first, Some(b'-' | b'1'..=b'9'));
    if !plain || cost.parse::<i32>().is_err() {
        let at = format!("metadata.annotations[{DELETION_COST}]");
        errors.push(FieldError::invalid_str(at, cost, "must be a 32bit integer"));
    }
}
