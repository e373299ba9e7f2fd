//! Ephemeral containers: what their subresource may change, and what is wrong with them.
//!
//! Models `podEphemeralContainersStrategy` and `ValidatePodEphemeralContainersUpdate`.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{EphemeralContainer, Pod};

use super::defaults;
use crate::api::{FieldError, Object, Path};

/// Leaves of a pod that was sent only its ephemeral containers; the rest stays as it is.
pub fn prepare(pod: &mut Pod, old: &dyn Object) {
    let Some(old) = old.downcast::<Pod>() else { return };
    let sent = pod.spec.as_mut().and_then(|s| s.ephemeral_containers.take());
    let mut kept = old.clone();
    kept.metadata = pod.metadata.clone();
    kept.metadata.labels.clone_from(&old.metadata.labels);
    kept.metadata.annotations.clone_from(&old.metadata.annotations);
    *pod = kept;
    let Some(spec) = &mut pod.spec else { return };
    spec.ephemeral_containers = sent.filter(|list| !list.is_empty());
    for container in spec.ephemeral_containers.iter_mut().flatten() {
        defaults::ephemeral(container);
    }
}

fn list(pod: &Pod) -> &[EphemeralContainer] {
    let spec = pod.spec.as_ref();
    spec.and_then(|s| s.ephemeral_containers.as_deref()).unwrap_or_default()
}

/// What is wrong with a pod's new ephemeral containers.
pub fn validate(pod: &Pod, old: &dyn Object) -> Vec<FieldError> {
    let Some(old) = old.downcast::<Pod>() else { return Vec::new() };
    let root = Path::new("spec");
    let at = root.child("ephemeralContainers");
    let mut errors = Vec::new();
    let Some(spec) = &pod.spec else { return errors };
    let regular = spec.containers.iter().map(|c| c.name.as_str());
    let init = spec.init_containers.iter().flatten().map(|c| c.name.as_str());
    let known: BTreeSet<&str> = regular.chain(init).collect();
    let mut seen = known.clone();
    for (index, container) in list(pod).iter().enumerate() {
        let at = at.index(index);
        let name = container.name.as_str();
        if name.is_empty() {
            errors.push(FieldError::required(at.child("name"), ""));
        } else {
            super::containers::dns_label(name, &at.child("name"), &mut errors);
        }
        if !name.is_empty() && !seen.insert(name) {
            let name = crate::api::gofmt::quote(name);
            errors.push(FieldError::duplicate(at.child("name"), name));
        }
        if container.image.as_deref().is_none_or(str::is_empty) {
            errors.push(FieldError::required(at.child("image"), ""));
        }
        let target = container.target_container_name.as_deref().unwrap_or_default();
        if !target.is_empty() && !known.contains(target) {
            errors.push(FieldError::not_found(at.child("targetContainerName"), target));
        }
        let forbidden = [
            ("lifecycle", container.lifecycle.is_some()),
            ("livenessProbe", container.liveness_probe.is_some()),
            ("ports", container.ports.as_ref().is_some_and(|p| !p.is_empty())),
            ("readinessProbe", container.readiness_probe.is_some()),
            ("startupProbe", container.startup_probe.is_some()),
        ];
        for (field, given) in forbidden {
            if given {
                let why = "cannot be set for an Ephemeral Container";
                errors.push(FieldError::forbidden(at.child(field), why));
            }
        }
    }
    for was in list(old) {
        let name = crate::api::gofmt::quote(&was.name);
        let why = match list(pod).iter().find(|c| c.name == was.name) {
            Some(now) if now == was => continue,
            Some(_) => format!("existing ephemeral containers {name} may not be changed\n"),
            None => format!("existing ephemeral containers {name} may not be removed\n"),
        };
        errors.push(FieldError::forbidden(root.child("ephemeralContainers"), &why));
    }
    errors
}
