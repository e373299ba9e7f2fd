//! What is wrong with where a pod wants to run: tolerations, affinity, spreading.
//!
//! Models `ValidateTolerations`, `validateAffinity` and `validateTopologySpreadConstraints`.

use k8s_openapi::{
    api::core::v1::{
        Affinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodAffinityTerm,
        Toleration, TopologySpreadConstraint, WeightedPodAffinityTerm,
    },
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};

use super::{containers::quoted, selectors};
use crate::{
    api::{FieldError, Path},
    apiserver::strategy::{
        NameRule,
        metadata::{label_value_error, name_error, qualified_name_error},
    },
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
            node_term(&term.preference, false, &at.child("preference"), errors);
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
        return;
    }
    for (i, term) in selector.node_selector_terms.iter().enumerate() {
        node_term(term, true, &at.index(i), errors);
    }
}

fn weight(weight: i32, at: &Path, errors: &mut Vec<FieldError>) {
    if !(1..=100).contains(&weight) {
        errors.push(FieldError::invalid(at.child("weight"), weight, "must be in the range 1-100"));
    }
}

/// A term; values of terms that are only preferred may be what no label can be.
fn node_term(term: &NodeSelectorTerm, strict: bool, at: &Path, errors: &mut Vec<FieldError>) {
    let labels = at.child("matchExpressions");
    for (i, requirement) in term.match_expressions.iter().flatten().enumerate() {
        let at = labels.index(i);
        node_requirement(requirement, &at, errors);
        if let Some(why) = qualified_name_error(&requirement.key) {
            errors.push(FieldError::invalid_str(at.child("key"), &requirement.key, &why));
        }
        let values = at.child("values");
        for (i, value) in requirement.values.iter().flatten().enumerate().filter(|_| strict) {
            if let Some(why) = label_value_error(value) {
                errors.push(FieldError::invalid_str(values.index(i), value, &why));
            }
        }
    }
    let fields = at.child("matchFields");
    for (i, requirement) in term.match_fields.iter().flatten().enumerate() {
        field_requirement(requirement, &fields.index(i), errors);
    }
}

fn field_requirement(r: &NodeSelectorRequirement, at: &Path, errors: &mut Vec<FieldError>) {
    let values = r.values.as_deref().unwrap_or_default();
    match r.operator.as_str() {
        "In" | "NotIn" if values.len() != 1 => {
            let why = "must be only one value when `operator` is 'In' or 'NotIn' for node field \
                       selector";
            errors.push(FieldError::required(at.child("values"), why));
        }
        "In" | "NotIn" => {}
        other => {
            let why = "not a valid selector operator";
            errors.push(FieldError::invalid_str(at.child("operator"), other, why));
        }
    }
    if r.key != "metadata.name" {
        let why = "not a valid field selector key";
        errors.push(FieldError::invalid_str(at.child("key"), &r.key, why));
        return;
    }
    let at = at.child("values");
    for (i, value) in values.iter().enumerate() {
        if let Some(why) = name_error(NameRule::Subdomain, value) {
            errors.push(FieldError::invalid_str(at.index(i), value, &why));
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
    if let Some(selector) = &term.namespace_selector {
        selectors::check(selector, &at.child("namespaceSelector"), errors);
    }
    for name in term.namespaces.iter().flatten() {
        if let Some(why) = name_error(NameRule::Label, name) {
            errors.push(FieldError::invalid_str(at.child("namespace"), name, &why));
        }
    }
    let selector = term.label_selector.as_ref();
    let matching = term.match_label_keys.as_deref().unwrap_or_default();
    let other = term.mismatch_label_keys.as_deref().unwrap_or_default();
    for (field, keys) in [("matchLabelKeys", matching), ("mismatchLabelKeys", other)] {
        label_keys(keys, selector, &at.child(field), errors);
    }
    let keys_at = at.child("matchLabelKeys");
    for (i, key) in matching.iter().enumerate().filter(|(_, key)| other.contains(key)) {
        let why = "exists in both matchLabelKeys and mismatchLabelKeys";
        errors.push(FieldError::invalid_str(keys_at.index(i), key, why));
    }
    let at = at.child("topologyKey");
    if term.topology_key.is_empty() {
        errors.push(FieldError::required(at, "can not be empty"));
    }
    if let Some(why) = qualified_name_error(&term.topology_key) {
        errors.push(FieldError::invalid_str(at, &term.topology_key, &why));
    }
}

fn label_keys(
    keys: &[String],
    selector: Option<&LabelSelector>,
    at: &Path,
    errors: &mut Vec<FieldError>,
) {
    if !keys.is_empty() && selector.is_none() {
        let why = "must not be specified when labelSelector is not set";
        errors.push(FieldError::forbidden(at, why));
        return;
    }
    for (i, key) in keys.iter().enumerate() {
        if let Some(why) = qualified_name_error(key) {
            errors.push(FieldError::invalid_str(at.index(i), key, &why));
        }
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
        if c.topology_key.is_empty() {
            errors.push(FieldError::required(at.child("topologyKey"), "can not be empty"));
        }
        let action = c.when_unsatisfiable.as_str();
        if !ACTIONS.contains(&action) {
            let at = at.child("whenUnsatisfiable");
            errors.push(FieldError::not_supported(at, action, ACTIONS));
        }
        let mut later = list.iter().skip(i + 1);
        if later.any(|o| o.topology_key == c.topology_key && o.when_unsatisfiable == action) {
            let value = quoted(&format!("{{{}, {action}}}", c.topology_key));
            let at = at.child("{topologyKey, whenUnsatisfiable}");
            errors.push(FieldError::duplicate(at, value));
        }
        if let Some(least) = c.min_domains {
            let at = at.child("minDomains");
            if least <= 0 {
                errors.push(FieldError::invalid(at, least, "must be greater than zero"));
            }
            if action != "DoNotSchedule" {
                let why = format!(
                    "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
                );
                errors.push(FieldError::invalid(at, least, &why));
            }
        }
        for (field, policy) in [
            ("nodeAffinityPolicy", c.node_affinity_policy.as_deref()),
            ("nodeTaintsPolicy", c.node_taints_policy.as_deref()),
        ] {
            let known = &["Honor", "Ignore"];
            if let Some(policy) = policy.filter(|p| !known.contains(p)) {
                errors.push(FieldError::not_supported(at.child(field), policy, known));
            }
        }
        spread_keys(c, &at.child("matchLabelKeys"), errors);
        if let Some(selector) = &c.label_selector {
            selectors::check(selector, &at.child("labelSelector"), errors);
        }
    }
}

fn spread_keys(c: &TopologySpreadConstraint, at: &Path, errors: &mut Vec<FieldError>) {
    let keys = c.match_label_keys.as_deref().unwrap_or_default();
    if !keys.is_empty() && c.label_selector.is_none() {
        let why = "must not be specified when labelSelector is not set";
        errors.push(FieldError::forbidden(at, why));
    }
    for (i, key) in keys.iter().enumerate() {
        let at = at.index(i);
        if let Some(why) = qualified_name_error(key) {
            errors.push(FieldError::invalid_str(at, key, &why));
        }
        let selects = c.label_selector.as_ref().is_some_and(|s| {
            s.match_labels.as_ref().is_some_and(|l| l.contains_key(key))
                || s.match_expressions.iter().flatten().any(|e| e.key == *key)
        });
        if selects {
            let why = "exists in both matchLabelKeys and labelSelector";
            errors.push(FieldError::invalid_str(at, key, why));
        }
    }
}
