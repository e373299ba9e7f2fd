//! What is wrong with a change of a pod.
//!
//! Models `ValidatePodUpdate`.

use k8s_openapi::api::core::v1::{Pod, PodSpec, Toleration};

use super::spec::deadline;
use crate::api::{FieldError, Path};

const ONLY: &str = "pod updates may not change fields other than `spec.containers[*].image`,\
    `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions \
    to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it \
    was previously negative)";

/// What a change may not do.
pub fn check(new: &Pod, old: &Pod) -> Vec<FieldError> {
    let (Some(new), Some(old)) = (&new.spec, &old.spec) else { return Vec::new() };
    if new == old {
        return Vec::new();
    }
    let at = Path::new("spec");
    let count = |s: &PodSpec| s.init_containers.as_ref().map_or(0, Vec::len);
    let mut errors = Vec::new();
    for (field, changed) in [
        ("containers", new.containers.len() != old.containers.len()),
        ("initContainers", count(new) != count(old)),
    ] {
        if changed {
            let why = "pod updates may not add or remove containers";
            errors.push(FieldError::forbidden(at.child(field), why));
        }
    }
    if !errors.is_empty() {
        return errors;
    }
    active_deadline(new, old, &at.child("activeDeadlineSeconds"), &mut errors);
    tolerations(new, old, &at.child("tolerations"), &mut errors);
    gates(new, old, &at.child("schedulingGates"), &mut errors);
    if !errors.is_empty() {
        return errors;
    }
    if munged(new, old) != *old {
        let diff = super::super::godump::diff(&munged(new, old), old);
        errors.push(FieldError::forbidden(at, &format!("{ONLY}\n{diff}")));
    }
    errors
}

/// The new spec with everything that may change set back: equal to the old one if nothing else did.
fn munged(new: &PodSpec, old: &PodSpec) -> PodSpec {
    let mut spec = new.clone();
    for (c, was) in spec.containers.iter_mut().zip(&old.containers) {
        c.image.clone_from(&was.image);
    }
    let init = spec.init_containers.iter_mut().flatten();
    for (c, was) in init.zip(old.init_containers.iter().flatten()) {
        c.image.clone_from(&was.image);
    }
    spec.active_deadline_seconds = old.active_deadline_seconds;
    spec.tolerations.clone_from(&old.tolerations);
    spec.scheduling_gates.clone_from(&old.scheduling_gates);
    let negative = old.termination_grace_period_seconds.is_some_and(|s| s < 0);
    if negative && spec.termination_grace_period_seconds == Some(1) {
        spec.termination_grace_period_seconds = old.termination_grace_period_seconds;
    }
    spec
}

fn active_deadline(new: &PodSpec, old: &PodSpec, at: &Path, errors: &mut Vec<FieldError>) {
    match (new.active_deadline_seconds, old.active_deadline_seconds) {
        (Some(new), was) => {
            deadline(new, at, errors);
            if was.is_some_and(|was| was < new) {
                let why = "must be less than or equal to previous value";
                errors.push(FieldError::invalid(at, new, why));
            }
        }
        (None, Some(_)) => {
            let why = "must not update from a positive integer to nil value";
            errors.push(FieldError::invalid(at, "null", why));
        }
        (None, None) => {}
    }
}

/// Tolerations may only be added, and the time of an existing one may change.
fn tolerations(new: &PodSpec, old: &PodSpec, at: &Path, errors: &mut Vec<FieldError>) {
    let same = |a: &Toleration, b: &Toleration| {
        (&a.key, &a.operator, &a.value, &a.effect) == (&b.key, &b.operator, &b.value, &b.effect)
    };
    let list = |s: &PodSpec| s.tolerations.clone().unwrap_or_default();
    let now = list(new);
    if list(old).iter().any(|t| !now.iter().any(|n| same(n, t))) {
        let why = "existing toleration can not be modified except its tolerationSeconds";
        errors.push(FieldError::forbidden(at, why));
    }
}

/// Scheduling gates may only be removed.
fn gates(new: &PodSpec, old: &PodSpec, at: &Path, errors: &mut Vec<FieldError>) {
    let had: Vec<_> = old.scheduling_gates.iter().flatten().collect();
    for gate in new.scheduling_gates.iter().flatten().filter(|g| !had.contains(g)) {
        let why =
            format!("only deletion is allowed, but found new scheduling gate '{}'", gate.name);
        errors.push(FieldError::forbidden(at, &why));
    }
}
