//! On which nodes a DaemonSet's pods belong, and what they look like.
//!
//! Models `NodeShouldRunDaemonPod` and `pkg/controller/daemon/util`.

use k8s_openapi::{
    api::{
        apps::v1::DaemonSet,
        core::v1::{
            Affinity, Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod, PodSpec,
            Toleration,
        },
    },
    apimachinery::pkg::apis::meta::v1::OwnerReference,
};

use super::{GENERATION_ANNOTATION, GENERATION_LABEL};
use crate::{
    api::{Object, meta::annotation, scheduling},
    controllers::{history::HASH_LABEL, pods},
};

const FIELD: &str = "metadata.name";

/// What daemons put up with: nodes in trouble need them as well.
const TOLERATED: [(&str, &str); 6] = [
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
];
const HOST_NETWORK: (&str, &str) = ("node.kubernetes.io/network-unavailable", "NoSchedule");

fn toleration((key, effect): &(&str, &str)) -> Toleration {
    Toleration {
        key: Some((*key).to_string()),
        operator: Some("Exists".into()),
        effect: Some((*effect).to_string()),
        ..Default::default()
    }
}

fn daemon_tolerations(spec: &PodSpec) -> impl Iterator<Item = Toleration> {
    let host = spec.host_network.unwrap_or(false).then_some(HOST_NETWORK);
    TOLERATED.iter().map(toleration).chain(host.iter().map(toleration).collect::<Vec<_>>())
}

/// Whether a pod should be started on the node, and whether one that is there may stay.
pub fn fits(ds: &DaemonSet, node: &Node) -> (bool, bool) {
    let Some(spec) = ds.spec.as_ref().and_then(|s| s.template.spec.as_ref()) else {
        return (false, false);
    };
    let named = spec.node_name.as_deref().filter(|n| !n.is_empty());
    if named.is_some_and(|n| Some(n) != node.metadata.name.as_deref()) {
        return (false, false);
    }
    if !scheduling::selects(spec, node) {
        return (false, false);
    }
    let taints = scheduling::taints(node);
    if taints.is_empty() {
        return (true, true);
    }
    let mut tolerations = scheduling::tolerations(spec).to_vec();
    tolerations.extend(daemon_tolerations(spec));
    let free = |effects: &[&str]| scheduling::untolerated(taints, &tolerations, effects).is_none();
    (free(&["NoSchedule", "NoExecute"]), free(&["NoExecute"]))
}

/// The node that a daemon pod is for: where it is, or where it must go.
pub fn target(pod: &Pod) -> String {
    let on = pods::node_name(pod);
    if !on.is_empty() {
        return on.to_string();
    }
    let affinity = pod.spec.as_ref().and_then(|s| s.affinity.as_ref());
    let required = affinity
        .and_then(|a| a.node_affinity.as_ref())
        .and_then(|a| a.required_during_scheduling_ignored_during_execution.as_ref());
    let mut fields = required
        .into_iter()
        .flat_map(|r| &r.node_selector_terms)
        .flat_map(|t| t.match_fields.iter().flatten());
    let field = fields.find(|f| f.key == FIELD && f.operator == "In");
    field.and_then(|f| f.values.as_ref()?.first().cloned()).unwrap_or_default()
}

/// The pod for a node.
pub fn pod(ds: &DaemonSet, node: &str, hash: &str, owner: OwnerReference) -> Pod {
    let object: &dyn Object = ds;
    let empty = Default::default();
    let template = ds.spec.as_ref().map_or(&empty, |s| &s.template);
    let mut pod = pods::from_template(template, object.namespace(), object.name(), owner);
    let labels = pod.metadata.labels.get_or_insert_default();
    labels.insert(HASH_LABEL.into(), hash.to_string());
    if let Some(generation) = annotation(&ds.metadata, GENERATION_ANNOTATION) {
        labels.insert(GENERATION_LABEL.into(), generation.to_string());
    }
    let spec = pod.spec.get_or_insert_default();
    let tolerations: Vec<_> = daemon_tolerations(spec).collect();
    let own = spec.tolerations.get_or_insert_default();
    for toleration in tolerations {
        if !own.contains(&toleration) {
            own.push(toleration);
        }
    }
    pin(spec.affinity.get_or_insert_default(), node);
    pod
}

/// Requires the node, whatever else is required of nodes.
fn pin(affinity: &mut Affinity, node: &str) {
    let field = NodeSelectorRequirement {
        key: FIELD.into(),
        operator: "In".into(),
        values: Some(vec![node.to_string()]),
    };
    let term = NodeSelectorTerm { match_fields: Some(vec![field]), ..Default::default() };
    let required = &mut affinity
        .node_affinity
        .get_or_insert_default()
        .required_during_scheduling_ignored_during_execution;
    *required = Some(NodeSelector { node_selector_terms: vec![term] });
}
