//! What is wrong with where a pod wants to run: tolerations, affinity, spreading.
//!
//! Models `ValidateTolerations`, `validateAffinity` and `validateTopologySpreadConstraints`.

use k8s_openapi::api::core::v1::{
    Affinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodAffinityTerm, Toleration,
    TopologySpreadConstraint, WeightedPodAffinityTerm,
};

use super::selectors;
use crate::{
    api::{FieldError, Path},
    apiserver::strategy::metadata::{label_value_error, qualified_name_error},
};

const EFFECTS: &[&str] = &["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// Tolerations of a pod.
pub fn tolerations(list: &[Toleration], at: &Path, errors: &mut Vec<FieldError>) {
    for (i, t) in list.iter().enumerate() {
        let at = at.index(i);
        let text = |o: &Option<String>| o.clone().unwrap_or_default();
        let (key, operator) = (text(&t.key), text(&t.operator));
        let (value, effect) = (text(&t.value), text(&t.effect));
        if !key.is_empty() {
            if let Some(why) = qualified_name_error(&key) {
                errors.push(FieldError::invalid_str(at.child("key"), &key, &why));
            }
        } else if operator != "Exists" {
            let why = "operator must be Exists when `key` is empty, which means \"match all \
                       values and all keys\"";
            errors.push(FieldError::invalid_str(at.child("operator"), &operator, why));
        }
        if t.toleration_seconds.is_some() && effect != "NoExecute" {
            let why = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            errors.push(FieldError::invalid_str(at.child("effect"), &effect, why));
        }
        match operator.as_str() {
            "" | "Equal" => {
                if let Some(why) = label_value_error(&value) {
                    errors.push(FieldError::invalid_str(at.child("operator"), &value, &why));
                }
            }
            "Exists" => {
                if !value.is_empty() {
                    let why = "value must be empty when `operator` is 'Exists'";
                    errors.push(FieldError::invalid_str(at.child("operator"), &value, why));
                }
            }
            other => errors.push(FieldError::not_supported(
                at.child("operator"),
                other,
                &["Equal", "Exists"],
            )),
        }
        if !effect.is_empty() && !EFFECTS.contains(&effect.as_str()) {
            errors.push(FieldError::not_supported(at.child("effect"), &effect, EFFECTS));
        }
    }
}

/// Affinity and anti-affinity of a pod.
pub fn affinity(affinity: &Affinity, at: &Path, errors: &mut Vec<FieldError>) {
    if let Some(node) = &affinity.node_affinity {
        let at = at.child("nodeAffinity");
        if let Some(selector) = &node.required_during_scheduling_ignored_during_execution {
            let at = at.child("requiredDuringSchedulingIgnoredDuringExecution");
            node_selector(selector, &at, errors);
        }
        let at = at.child("preferredDuringSchedulingIgnoredDuringExecution");
        let preferred = node.preferred_during_scheduling_ignored_during_execution.iter().flatten();
        for (i, term) in preferred.enumerate() {
            let at = at.index(i);
            weight(term.weight, &at, errors);
            node_term(&term.preference, &at.child("preference"), errors);
        }
    }
    if let Some(pod) = &affinity.pod_affinity {
        let at = at.child("podAffinity");
        let required = pod.required_during_scheduling_ignored_during_execution.as_deref();
        let preferred = pod.preferred_during_scheduling_ignored_during_execution.as_deref();
        pod_terms(required, preferred, &at, errors);
    }
    if let Some(pod) = &affinity.pod_anti_affinity {
        let at = at.child("podAntiAffinity");
        let required = pod.required_during_scheduling_ignored_during_execution.as_deref();
        let preferred = pod.preferred_during_scheduling_ignored_during_execution.as_deref();
        pod_terms(required, preferred, &at, errors);
    }
}

/// A selector of nodes, of a pod's affinity or a volume's.
pub fn node_selector(selector: &NodeSelector, at: &Path, errors: &mut Vec<FieldError>) {
    let at = at.child("nodeSelectorTerms");
    if selector.node_selector_terms.is_empty() {
        let why = "must have at least one node selector term";
        errors.push(FieldError::required(at, why));
    }
    for (i, term) in selector.node_selector_terms.iter().enumerate() {
        node_term(term, &at.index(i), errors);
    }
}

fn weight(weight: i32, at: &Path, errors: &mut Vec<FieldError>) {
    if !(1..=100).contains(&weight) {
        errors.push(FieldError::invalid(at.child("weight"), weight, "must be in the range 1-100"));
    }
}

fn node_term(term: &NodeSelectorTerm, at: &Path, errors: &mut Vec<FieldError>) {
    let labels = at.child("matchExpressions");
    for (i, requirement) in term.match_expressions.iter().flatten().enumerate() {
        let at = labels.index(i);
        node_requirement(requirement, &at, errors);
        if let Some(why) = qualified_name_error(&requirement.key) {
            errors.push(FieldError::invalid_str(at.child("key"), &requirement.key, &why));
        }
    }
    let fields = at.child("matchFields");
    for (i, requirement) in term.match_fields.iter().flatten().enumerate() {
        let at = fields.index(i);
        if requirement.key != "metadata.name" {
            let why = "not a valid field selector key";
            errors.push(FieldError::invalid_str(at.child("key"), &requirement.key, why));
        }
    }
}

fn node_requirement(r: &NodeSelectorRequirement, at: &Path, errors: &mut Vec<FieldError>) {
    let count = r.values.as_ref().map_or(0, Vec::len);
    match r.operator.as_str() {
        "In" | "NotIn" if count == 0 => {
            let why = "must be specified when `operator` is 'In' or 'NotIn'";
            errors.push(FieldError::required(at.child("values"), why));
        }
        "Exists" | "DoesNotExist" if count > 0 => {
            let why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
            errors.push(FieldError::forbidden(at.child("values"), why));
        }
        "Gt" | "Lt" if count != 1 => {
            let why = "must be specified single value when `operator` is 'Lt' or 'Gt'";
            errors.push(FieldError::required(at.child("values"), why));
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
        other => {
            let why = "not a valid selector operator";
            errors.push(FieldError::invalid_str(at.child("operator"), other, why));
        }
    }
}

fn pod_terms(
    required: Option<&[PodAffinityTerm]>,
    preferred: Option<&[WeightedPodAffinityTerm]>,
    at: &Path,
    errors: &mut Vec<FieldError>,
) {
    let here = at.child("requiredDuringSchedulingIgnoredDuringExecution");
    for (i, term) in required.into_iter().flatten().enumerate() {
        pod_term(term, &here.index(i), errors);
    }
    let here = at.child("preferredDuringSchedulingIgnoredDuringExecution");
    for (i, term) in preferred.into_iter().flatten().enumerate() {
        let at = here.index(i);
        weight(term.weight, &at, errors);
        pod_term(&term.pod_affinity_term, &at.child("podAffinityTerm"), errors);
    }
}

fn pod_term(term: &PodAffinityTerm, at: &Path, errors: &mut Vec<FieldError>) {
    if let Some(selector) = &term.label_selector {
        selectors::check(selector, &at.child("labelSelector"), errors);
    }
    topology_key(&term.topology_key, at, errors);
}

fn topology_key(key: &str, at: &Path, errors: &mut Vec<FieldError>) {
    let at = at.child("topologyKey");
    if key.is_empty() {
        errors.push(FieldError::required(at, "can not be empty"));
    } else if let Some(why) = qualified_name_error(key) {
        errors.push(FieldError::invalid_str(at, key, &why));
    }
}

/// Constraints of spreading.
pub fn spread(list: &[TopologySpreadConstraint], at: &Path, errors: &mut Vec<FieldError>) {
    const ACTIONS: &[&str] = &["DoNotSchedule", "ScheduleAnyway"];
    for (i, c) in list.iter().enumerate() {
        let at = at.index(i);
        if c.max_skew <= 0 {
            let why = "must be greater than zero";
            errors.push(FieldError::invalid(at.child("maxSkew"), c.max_skew, why));
        }
        topology_key(&c.topology_key, &at, errors);
        if !ACTIONS.contains(&c.when_unsatisfiable.as_str()) {
            let at = at.child("whenUnsatisfiable");
            errors.push(FieldError::not_supported(at, &c.when_unsatisfiable, ACTIONS));
        }
        if let Some(selector) = &c.label_selector {
            selectors::check(selector, &at.child("labelSelector"), errors);
        }
    }
}
