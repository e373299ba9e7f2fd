//! The rules of pods.
//!
//! Models `pkg/registry/core/pod/strategy.go`, `ValidatePodUpdate` and `pkg/api/pod/warnings.go`.

pub mod containers;
pub mod defaults;
pub mod ephemeral;
pub mod placement;
mod probes;
pub mod qos;
pub mod resize;
pub mod resources;
mod security;
pub mod selectors;
mod sources;
pub mod spec;
mod update;
mod volumes;
mod warnings;

use k8s_openapi::{
    api::core::v1::{Pod, PodSpec, PodStatus, PodTemplateSpec},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{Strategy, StrategyCx};
use crate::api::{FieldError, Path, meta::annotation, pods::DELETION_COST};
pub use warnings::{node_term, old_label, template_warnings};

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
        annotations(pod, &mut errors);
        if let Some(s) = &pod.spec {
            spec::check(s, true, &Path::new("spec"), &mut errors);
            only_for_pods(s, &mut errors);
        }
        errors
    }

    fn validate_new(&self, _: &StrategyCx, pod: &Pod) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let at = Path::new("spec");
        let Some(spec) = &pod.spec else { return errors };
        if spec.ephemeral_containers.as_ref().is_some_and(|list| !list.is_empty()) {
            let why = "cannot be set on create";
            errors.push(FieldError::forbidden(at.child("ephemeralContainers"), why));
        }
        let gated = spec.scheduling_gates.as_ref().is_some_and(|gates| !gates.is_empty());
        if gated && spec.node_name.as_deref().is_some_and(|name| !name.is_empty()) {
            let why = "cannot be set until all schedulingGates have been cleared";
            errors.push(FieldError::forbidden(at.child("nodeName"), why));
        }
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

    /// Changes of pods are not looked at: people rarely change them themselves.
    fn warnings(&self, pod: &Pod, old: Option<&Pod>) -> Vec<String> {
        let (Some(spec), None) = (&pod.spec, old) else { return Vec::new() };
        let mut out: Vec<_> =
            warnings::name(&pod.metadata, "the Pod's hostname").into_iter().collect();
        let place = (&Path::new("spec"), &Path::new("metadata"), false);
        out.extend(warnings::of_spec(spec, &pod.metadata, place));
        out
    }
}

/// What is said of a template's owner: of its name where pods get it (`named`), and of the template
/// when it is new or its owner's spec changed.
pub fn owner_warnings(
    (new, old): (&ObjectMeta, Option<&ObjectMeta>),
    named: bool,
    template: Option<&PodTemplateSpec>,
    at: &Path,
) -> Vec<String> {
    let mut out = Vec::new();
    if old.is_none() && named {
        out.extend(warnings::name(new, "Pod names and hostnames"));
    }
    if old.is_none_or(|old| old.generation != new.generation) {
        out.extend(template.map(|t| template_warnings(t, at)).unwrap_or_default());
    }
    out
}

/// Annotations that mean something. Models `ValidatePodSpecificAnnotations`.
fn annotations(pod: &Pod, errors: &mut Vec<FieldError>) {
    const MIRROR: &str = "kubernetes.io/config.mirror";
    let (meta, at) = (Path::new("metadata"), "annotations");
    let at = meta.child(at);
    let node = pod.spec.as_ref().and_then(|s| s.node_name.as_deref()).unwrap_or_default();
    if let (Some(mirror), "") = (annotation(&pod.metadata, MIRROR), node) {
        let why = "must set spec.nodeName if mirror pod annotation is set";
        errors.push(FieldError::invalid_str(at.key(MIRROR), mirror, why));
    }
    if let Some(cost) = annotation(&pod.metadata, DELETION_COST) {
        // Go writes a number in one way only: no sign, no zeros before it.
        let good = cost.parse::<i32>().is_ok_and(|n| n.to_string() == *cost);
        if !good {
            errors.push(FieldError::invalid_str(
                at.key(DELETION_COST),
                cost,
                "must be a 32bit integer",
            ));
        }
    }
}

/// What is checked of pods, and not of templates.
fn only_for_pods(s: &PodSpec, errors: &mut Vec<FieldError>) {
    let at = Path::new("spec");
    if s.service_account_name.as_deref().is_none_or(str::is_empty) {
        let volumes = at.child("volumes");
        for (i, volume) in s.volumes.iter().flatten().enumerate() {
            let at = volumes.index(i);
            let at = at.child("projected");
            let at = at.child("sources");
            let sources = volume.projected.iter().flat_map(|p| p.sources.iter().flatten());
            for (i, source) in sources.enumerate() {
                if source.service_account_token.is_some() {
                    let at = at.index(i);
                    let why = "must not be specified when serviceAccountName is not set";
                    errors.push(FieldError::forbidden(at.child("serviceAccountToken"), why));
                }
            }
        }
    }
    for (field, list) in
        [("containers", Some(&s.containers)), ("initContainers", s.init_containers.as_ref())]
    {
        let at = at.child(field);
        for (i, container) in list.into_iter().flatten().enumerate() {
            let image = container.image.as_deref().unwrap_or_default();
            if image.trim() != image {
                let at = at.index(i);
                let why = "must not have leading or trailing whitespace";
                errors.push(FieldError::invalid_str(at.child("image"), image, why));
            }
        }
    }
}
