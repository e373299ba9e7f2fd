//! What is wrong with a change of a pod.
//!
//! Models `ValidatePodUpdate`.

use k8s_openapi::api::core::v1::{
    Affinity, Container, NodeAffinity, NodeSelectorRequirement, Pod, PodSpec, Toleration,
};

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
    images(&new.containers, &at.child("containers"), &mut errors);
    let init = new.init_containers.as_deref().unwrap_or_default();
    images(init, &at.child("initContainers"), &mut errors);
    active_deadline(new, old, &at.child("activeDeadlineSeconds"), &mut errors);
    tolerations(new, old, &at.child("tolerations"), &mut errors);
    gates(new, old, &at.child("schedulingGates"), &mut errors);
    let mut same = munged(new, old);
    if old.scheduling_gates.as_ref().is_some_and(|gates| !gates.is_empty()) {
        gated(&mut same, old, &at, &mut errors);
    }
    if same != *old {
        let diff = super::super::godump::diff(&same, old);
        errors.push(FieldError::forbidden(at, &format!("{ONLY}\n{diff}")));
    }
    errors
}

/// Where a gated pod runs may still be narrowed. What is allowed is set back in `spec`.
fn gated(spec: &mut PodSpec, old: &PodSpec, at: &Path, errors: &mut Vec<FieldError>) {
    if spec.node_selector != old.node_selector {
        let kept = old.node_selector.iter().flatten().all(|(key, value)| {
            spec.node_selector.as_ref().and_then(|s| s.get(key)) == Some(value)
        });
        if !kept {
            let shown = crate::api::object::to_value(&spec.node_selector).to_string();
            let why = "only additions are allowed to spec.nodeSelector (no mutations or deletions)";
            errors.push(FieldError::invalid(at.child("nodeSelector"), shown, why));
        }
        spec.node_selector.clone_from(&old.node_selector);
    }
    let was = old.affinity.as_ref().and_then(|a| a.node_affinity.clone());
    let is = spec.affinity.as_ref().and_then(|a| a.node_affinity.clone());
    if was == is {
        return;
    }
    let at = at.child("affinity");
    let at = at.child("nodeAffinity");
    node_affinity(is.as_ref(), was.as_ref(), &at, errors);
    match (&mut spec.affinity, was) {
        (None, was) => {
            spec.affinity = was.map(|a| Affinity { node_affinity: Some(a), ..Default::default() });
        }
        (Some(own), None)
            if old.affinity.is_none()
                && own.pod_affinity.is_none()
                && own.pod_anti_affinity.is_none() =>
        {
            spec.affinity = None;
        }
        (Some(own), was) => own.node_affinity = was,
    }
}

/// Models `validateNodeAffinityMutation`: required terms may get stricter, preferences change freely.
fn node_affinity(
    new: Option<&NodeAffinity>,
    old: Option<&NodeAffinity>,
    at: &Path,
    errors: &mut Vec<FieldError>,
) {
    let required = |a: Option<&NodeAffinity>| {
        a.and_then(|a| a.required_during_scheduling_ignored_during_execution.clone())
    };
    let Some(old) = required(old) else { return };
    let at = at.child("requiredDuringSchedulingIgnoredDuringExecution");
    let terms = required(new).map(|r| r.node_selector_terms).unwrap_or_default();
    let old = old.node_selector_terms;
    if terms.len() != old.len() {
        let shown = crate::api::object::to_value(&terms).to_string();
        let why = "no additions/deletions to non-empty NodeSelectorTerms list are allowed";
        errors.push(FieldError::invalid(at.child("nodeSelectorTerms"), shown, why));
        return;
    }
    let at = at.child("nodeSelectorTerms");
    for (i, (new, old)) in terms.iter().zip(&old).enumerate() {
        let begins = |new: &Option<Vec<NodeSelectorRequirement>>, old: &Option<Vec<_>>| {
            let old = old.as_deref().unwrap_or_default();
            new.as_deref().unwrap_or_default().starts_with(old)
        };
        let empty = old.match_expressions.is_none() && old.match_fields.is_none();
        let kept = begins(&new.match_expressions, &old.match_expressions)
            && begins(&new.match_fields, &old.match_fields);
        if new != old && (empty || !kept) {
            let shown = crate::api::object::to_value(new).to_string();
            let why = "only additions are allowed (no mutations or deletions)";
            errors.push(FieldError::invalid(at.index(i), shown, why));
        }
    }
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

/// Told a second time, as upstream does.
fn images(containers: &[Container], at: &Path, errors: &mut Vec<FieldError>) {
    for (i, container) in containers.iter().enumerate() {
        if container.image.as_deref().is_none_or(str::is_empty) {
            let at = at.index(i);
            errors.push(FieldError::required(at.child("image"), ""));
        }
    }
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
    for (i, gate) in new.scheduling_gates.iter().flatten().enumerate() {
        if had.contains(&gate) {
            continue;
        }
        let at = at.index(i);
        let why =
            format!("only deletion is allowed, but found new scheduling gate '{}'", gate.name);
        errors.push(FieldError::forbidden(at.child("name"), &why));
    }
}
