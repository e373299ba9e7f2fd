//! Which nodes a pod may be on, by what both say: node selectors and taints.
//!
//! Models `component-helpers/scheduling/corev1` and `nodeaffinity`.

use k8s_openapi::api::core::v1::{
    Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodSpec, Taint, Toleration,
};

/// Whether a toleration is about a taint.
pub fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let given = |field: &Option<String>| field.clone().filter(|s| !s.is_empty());
    if given(&toleration.effect).is_some_and(|e| e != taint.effect) {
        return false;
    }
    if given(&toleration.key).is_some_and(|k| k != taint.key) {
        return false;
    }
    let value = taint.value.as_deref().unwrap_or_default();
    let wanted = toleration.value.as_deref().unwrap_or_default();
    match toleration.operator.as_deref().unwrap_or_default() {
        "" | "Equal" => wanted == value,
        "Exists" => true,
        operator @ ("Lt" | "Gt") => match (value.parse::<i64>(), wanted.parse::<i64>()) {
            (Ok(value), Ok(wanted)) if operator == "Lt" => value < wanted,
            (Ok(value), Ok(wanted)) => value > wanted,
            _ => false,
        },
        _ => false,
    }
}

/// The first taint with one of these effects that no toleration is about.
pub fn untolerated<'a>(
    taints: impl IntoIterator<Item = &'a Taint>,
    tolerations: &[Toleration],
    effects: &[&str],
) -> Option<&'a Taint> {
    let mut taints = taints.into_iter().filter(|t| effects.contains(&t.effect.as_str()));
    taints.find(|taint| !tolerations.iter().any(|t| tolerates(t, taint)))
}

/// A node's taints.
pub fn taints(node: &Node) -> &[Taint] {
    node.spec.as_ref().and_then(|s| s.taints.as_deref()).unwrap_or_default()
}

/// A pod's tolerations.
pub fn tolerations(spec: &PodSpec) -> &[Toleration] {
    spec.tolerations.as_deref().unwrap_or_default()
}

/// Whether a pod's node selector and required node affinity allow a node.
pub fn selects(spec: &PodSpec, node: &Node) -> bool {
    let label = |key: &str| super::meta::label(&node.metadata, key);
    let plain = spec.node_selector.iter().flatten().all(|(k, v)| label(k) == Some(v.as_str()));
    let affinity = spec.affinity.as_ref().and_then(|a| a.node_affinity.as_ref());
    let required =
        affinity.and_then(|a| a.required_during_scheduling_ignored_during_execution.as_ref());
    plain && required.is_none_or(|selector| any_term(selector, node))
}

/// Whether one of a selector's terms allows a node.
pub fn any_term(selector: &NodeSelector, node: &Node) -> bool {
    selector.node_selector_terms.iter().any(|term| allows(term, node))
}

/// Whether a term allows a node. An empty one allows none.
pub fn allows(term: &NodeSelectorTerm, node: &Node) -> bool {
    let labels = term.match_expressions.as_deref().unwrap_or_default();
    let fields = term.match_fields.as_deref().unwrap_or_default();
    if labels.is_empty() && fields.is_empty() {
        return false;
    }
    labels.iter().all(|r| holds(r, super::meta::label(&node.metadata, &r.key)))
        && fields.iter().all(|r| match r.key.as_str() {
            "metadata.name" => holds(r, node.metadata.name.as_deref()),
            _ => false,
        })
}

fn holds(requirement: &NodeSelectorRequirement, value: Option<&str>) -> bool {
    let values = requirement.values.as_deref().unwrap_or_default();
    let listed = || value.is_some_and(|v| values.iter().any(|x| x == v));
    let compared = || {
        let have: i64 = value?.parse().ok()?;
        let wanted: i64 = values.first()?.parse().ok()?;
        Some(have.cmp(&wanted))
    };
    match requirement.operator.as_str() {
        "In" => listed(),
        "NotIn" => !listed(),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => compared() == Some(std::cmp::Ordering::Greater),
        "Lt" => compared() == Some(std::cmp::Ordering::Less),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::object::from_value;
    use serde_json::json;

    #[test]
    fn tolerations_are_about_their_taints() {
        let taint: Taint =
            from_value(json!({"key": "k", "value": "5", "effect": "NoSchedule"})).unwrap();
        for (toleration, want) in [
            (json!({}), false),
            (json!({"operator": "Exists"}), true),
            (json!({"key": "k", "operator": "Exists"}), true),
            (json!({"key": "k", "operator": "Exists", "effect": "NoExecute"}), false),
            (json!({"key": "k", "value": "5"}), true),
            (json!({"key": "k", "value": "6"}), false),
            (json!({"key": "j", "value": "5"}), false),
            (json!({"key": "k", "operator": "Gt", "value": "4"}), true),
            (json!({"key": "k", "operator": "Lt", "value": "4"}), false),
        ] {
            let t: Toleration = from_value(toleration.clone()).unwrap();
            assert_eq!(tolerates(&t, &taint), want, "{toleration}");
        }
    }

    #[test]
    fn terms_allow_nodes() {
        let node: Node =
            from_value(json!({"metadata": {"name": "n1", "labels": {"disk": "ssd", "n": "5"}}}))
                .unwrap();
        let one = |key: &str, operator: &str, values: &[&str]| json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]});
        for (term, want) in [
            (json!({}), false),
            (one("disk", "In", &["hdd", "ssd"]), true),
            (one("disk", "NotIn", &["ssd"]), false),
            (one("gone", "NotIn", &["ssd"]), true),
            (one("disk", "Exists", &[]), true),
            (one("disk", "DoesNotExist", &[]), false),
            (one("n", "Gt", &["4"]), true),
            (one("n", "Lt", &["4"]), false),
            (
                json!({"matchFields": [
                    {"key": "metadata.name", "operator": "In", "values": ["n1"]}]}),
                true,
            ),
        ] {
            let t: NodeSelectorTerm = from_value(term.clone()).unwrap();
            assert_eq!(allows(&t, &node), want, "{term}");
        }
    }
}
