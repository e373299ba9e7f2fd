//! The subresource `resize`: the cpu and memory of a running pod's containers.
//!
//! Models `podResizeStrategy` and `ValidatePodResize`.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{Container, Pod, PodSpec, ResourceRequirements},
    apimachinery::pkg::api::resource::Quantity,
};

use super::{defaults, qos};
use crate::api::{FieldError, Object, Path, quantity::Amount};

type List = Option<BTreeMap<String, Quantity>>;

/// Leaves of a pod that was sent only its containers' resources and resize policies.
pub fn prepare(pod: &mut Pod, old: &dyn Object) {
    let Some(old) = old.downcast::<Pod>() else { return };
    let sent = pod.spec.take().unwrap_or_default();
    let mut kept = old.clone();
    kept.metadata = pod.metadata.clone();
    kept.metadata.labels.clone_from(&old.metadata.labels);
    kept.metadata.annotations.clone_from(&old.metadata.annotations);
    *pod = kept;
    let Some(spec) = &mut pod.spec else { return };
    let take = |containers: &mut [Container], sent: &[Container]| {
        for container in containers {
            let Some(new) = sent.iter().find(|c| c.name == container.name) else { continue };
            container.resources.clone_from(&new.resources);
            container.resize_policy.clone_from(&new.resize_policy);
        }
    };
    take(&mut spec.containers, &sent.containers);
    if let (Some(own), Some(sent)) = (&mut spec.init_containers, &sent.init_containers) {
        take(own, sent);
    }
    defaults::pod(pod);
}

/// What is wrong with a pod's new resources.
pub fn validate(pod: &Pod, old: &dyn Object) -> Vec<FieldError> {
    let Some(old) = old.downcast::<Pod>() else { return Vec::new() };
    let (Some(new), Some(was)) = (&pod.spec, &old.spec) else { return Vec::new() };
    let at = Path::new("spec");
    let mut errors = Vec::new();
    super::spec::check(new, true, &at, &mut errors);
    let mirror = "kubernetes.io/config.mirror";
    if old.metadata.annotations.as_ref().is_some_and(|a| a.contains_key(mirror)) {
        return vec![FieldError::forbidden("", "static pods cannot be resized")];
    }
    if was.os.as_ref().is_some_and(|os| os.name == "windows") {
        return vec![FieldError::forbidden("", "windows pods cannot be resized")];
    }
    if qos::class(new) != qos::class(was) {
        let class = pod.status.as_ref().and_then(|s| s.qos_class.as_deref()).unwrap_or_default();
        let why = "Pod QOS Class may not change as a result of resizing";
        errors.push(FieldError::invalid_str(at, class, why));
    }
    let sidecar = |c: &Container| c.restart_policy.as_deref() == Some("Always");
    each(new, was, &at, &mut |new, was, at, init| {
        if init && !sidecar(new) {
            if new != was {
                let why = "resources for non-sidecar init containers are immutable";
                errors.push(FieldError::forbidden("spec", why));
            }
            return;
        }
        let none = ResourceRequirements::default();
        let (now, before) =
            (new.resources.as_ref().unwrap_or(&none), was.resources.as_ref().unwrap_or(&none));
        let at = at.child("resources");
        if removed(&now.requests, &before.requests) {
            let why = "resource requests cannot be removed";
            errors.push(FieldError::forbidden(at.child("requests"), why));
        }
        if removed(&now.limits, &before.limits) {
            let why = "resource limits cannot be removed";
            errors.push(FieldError::forbidden(at.child("limits"), why));
        }
        let others = others(&now.requests) != others(&before.requests)
            || others(&now.limits) != others(&before.limits);
        if others || new.resize_policy != was.resize_policy {
            let why = match init {
                true => "only cpu and memory resources for sidecar containers are mutable",
                false => "only cpu and memory resources are mutable",
            };
            errors.push(FieldError::forbidden("spec", why));
        }
    });
    errors
}

fn each(
    new: &PodSpec,
    old: &PodSpec,
    at: &Path,
    look: &mut dyn FnMut(&Container, &Container, &Path, bool),
) {
    let init = |s: &PodSpec| s.init_containers.clone().unwrap_or_default();
    let place = at.child("initContainers");
    for (i, (new, old)) in init(new).iter().zip(&init(old)).enumerate() {
        look(new, old, &place.index(i), true);
    }
    let place = at.child("containers");
    for (i, (new, old)) in new.containers.iter().zip(&old.containers).enumerate() {
        look(new, old, &place.index(i), false);
    }
}

fn removed(new: &List, old: &List) -> bool {
    let has = |name: &String| new.as_ref().is_some_and(|list| list.contains_key(name));
    old.iter().flatten().any(|(name, _)| !has(name))
}

/// All but cpu and memory.
fn others(list: &List) -> BTreeMap<&String, Amount> {
    let kept = list.iter().flatten().filter(|(name, _)| !matches!(name.as_str(), "cpu" | "memory"));
    kept.map(|(name, quantity)| (name, Amount::of(quantity))).collect()
}
