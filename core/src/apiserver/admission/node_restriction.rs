//! NodeRestriction: a kubelet changes its own node and the pods on it, and no labels by which others
//! tell nodes apart.
//!
//! Which objects a kubelet may read is the authorizer's matter (`auth/node`).
//!
//! Models `plugin/pkg/admission/noderestriction`.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Node, Pod};

use super::Attributes;
use crate::api::{Object, Status, meta::annotation};

const MIRROR: &str = "kubernetes.io/config.mirror";
const RESTRICTED: &str = "node-restriction.kubernetes.io";

/// Labels that kubelets themselves set.
const OWN_LABELS: &[&str] = &[
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/instance-type",
    "beta.kubernetes.io/os",
    "failure-domain.beta.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "kubernetes.io/arch",
    "kubernetes.io/hostname",
    "kubernetes.io/os",
    "node.kubernetes.io/instance-type",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
];

fn refuse(attributes: &Attributes, object: &dyn Object, why: &str) -> Status {
    Status::forbidden(attributes.kind, object.name(), why)
}

/// Looks at what a kubelet creates or changes.
pub fn admit(attributes: &Attributes, object: &mut dyn Object) -> Result<(), Status> {
    let Some(own) = attributes.request.user.as_node() else { return Ok(()) };
    let refused = if let Some(node) = object.downcast::<Node>() {
        of_node(own, node, attributes.old.and_then(|o| o.downcast()))
    } else if let Some(pod) = object.downcast::<Pod>() {
        if attributes.old.is_none() { of_new_pod(own, pod) } else { None }
    } else {
        None
    };
    refused.map_or(Ok(()), |why| Err(refuse(attributes, object, &why)))
}

/// Looks at a status that a kubelet writes.
pub fn status(attributes: &Attributes, object: &dyn Object) -> Result<(), Status> {
    let Some(own) = attributes.request.user.as_node() else { return Ok(()) };
    let refused = if object.downcast::<Node>().is_some() {
        other_node(own, object.name())
    } else if let Some(pod) = object.downcast::<Pod>() {
        let why = "update pod status for pods with spec.nodeName set to itself";
        (!is_on(own, pod)).then(|| format!("node {own:?} can only {why}"))
    } else {
        None
    };
    refused.map_or(Ok(()), |why| Err(refuse(attributes, object, &why)))
}

/// Looks at what a kubelet deletes.
pub fn delete(attributes: &Attributes, object: &dyn Object) -> Result<(), Status> {
    let Some(own) = attributes.request.user.as_node() else { return Ok(()) };
    let refused = if object.downcast::<Node>().is_some() {
        other_node(own, object.name())
    } else if let Some(pod) = object.downcast::<Pod>() {
        let why = "can only delete pods with spec.nodeName set to itself";
        (!is_on(own, pod)).then(|| format!("node {own:?} {why}"))
    } else {
        None
    };
    refused.map_or(Ok(()), |why| Err(refuse(attributes, object, &why)))
}

fn is_on(node: &str, pod: &Pod) -> bool {
    pod.spec.as_ref().and_then(|s| s.node_name.as_deref()) == Some(node)
}

fn other_node(own: &str, name: &str) -> Option<String> {
    (own != name).then(|| format!("node {own:?} is not allowed to modify node {name:?}"))
}

fn of_node(own: &str, node: &Node, old: Option<&Node>) -> Option<String> {
    let name = node.metadata.name.as_deref().unwrap_or_default();
    let labels = forbidden_labels(node, old);
    let spec = |n: &Node| n.spec.clone().unwrap_or_default();
    let Some(old) = old else {
        if spec(node).config_source.is_some() {
            return Some("is not allowed to create pods with a non-nil configSource".into());
        }
        // What kubeadm and minikube label the node with later is registered here at once
        // (`clusters::components`), so only labels that nobody may claim are refused of a new node.
        let labels: Vec<String> = labels.into_iter().filter(|l| claims(l, RESTRICTED)).collect();
        let why = "is not allowed to set the following labels";
        return match labels.is_empty() {
            true => other_node(own, name),
            false => Some(format!("{why}: {}", labels.join(", "))),
        };
    };
    if let Some(why) = other_node(own, name) {
        return Some(why);
    }
    if spec(node).config_source.is_some() && spec(node).config_source != spec(old).config_source {
        return Some("is not allowed to update configSource to a new non-nil configSource".into());
    }
    if spec(node).taints.unwrap_or_default() != spec(old).taints.unwrap_or_default() {
        return Some("is not allowed to modify taints".into());
    }
    if !labels.is_empty() {
        return Some(format!("is not allowed to modify labels: {}", labels.join(", ")));
    }
    let owners = |n: &Node| n.metadata.owner_references.clone().unwrap_or_default();
    (owners(node) != owners(old)).then(|| "is not allowed to modify ownerReferences".into())
}

/// Labels that differ and that a kubelet may not set, sorted.
fn forbidden_labels(node: &Node, old: Option<&Node>) -> Vec<String> {
    let none = Default::default();
    let new = node.metadata.labels.as_ref().unwrap_or(&none);
    let was = old.and_then(|o| o.metadata.labels.as_ref()).unwrap_or(&none);
    let keys: BTreeSet<&String> = new.keys().chain(was.keys()).collect();
    let changed = keys.into_iter().filter(|key| new.get(*key) != was.get(*key));
    changed.filter(|key| !may_set(key)).cloned().collect()
}

/// Whether a label lies in a domain or below it.
fn claims(label: &str, root: &str) -> bool {
    let domain = label.split_once('/').map_or("", |(domain, _)| domain);
    domain == root || domain.strip_suffix(root).is_some_and(|head| head.ends_with('.'))
}

fn may_set(label: &str) -> bool {
    let within = |root: &str| claims(label, root);
    if within(RESTRICTED) {
        return false;
    }
    let theirs = within("kubernetes.io") || within("k8s.io");
    let own = within("kubelet.kubernetes.io") || within("node.kubernetes.io");
    !theirs || own || OWN_LABELS.contains(&label)
}

/// A kubelet makes images of its static pods only.
fn of_new_pod(own: &str, pod: &Pod) -> Option<String> {
    if annotation(&pod.metadata, MIRROR).is_none() {
        return Some(format!(
            "pod does not have {MIRROR:?} annotation, node {own:?} can only create mirror pods"
        ));
    }
    if !is_on(own, pod) {
        return Some(format!("node {own:?} can only create pods with spec.nodeName set to itself"));
    }
    let owners = pod.metadata.owner_references.as_deref().unwrap_or_default();
    match owners {
        [one] if one.api_version == "v1" && one.kind == "Node" && one.name == own => {}
        _ => {
            return Some(format!(
                "node {own:?} can only create pods with an owner reference set to itself"
            ));
        }
    }
    let spec = pod.spec.as_ref()?;
    if spec.service_account_name.as_deref().is_some_and(|name| !name.is_empty()) {
        return Some(format!("node {own:?} can not create pods that reference a service account"));
    }
    None
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;

    use super::*;
    use crate::api::yaml;

    fn read<T: DeserializeOwned>(text: &str) -> T {
        serde_json::from_value(yaml::parse(text).unwrap()).unwrap()
    }

    #[test]
    fn kubelets_change_their_own_node_only() {
        let base = "metadata: {name: n1, labels: {a: b}}";
        let table = [
            ("metadata: {name: n1, labels: {a: c, kubernetes.io/os: linux}}", ""),
            ("metadata: {name: n2}", r#"node "n1" is not allowed to modify node "n2""#),
            (
                "{metadata: {name: n1, labels: {a: b}}, spec: {taints: [{key: k, effect: NoExecute}]}}",
                "is not allowed to modify taints",
            ),
            (
                "metadata: {name: n1, labels: {a: b, node-role.kubernetes.io/x: '', x.k8s.io/y: ''}}",
                "is not allowed to modify labels: node-role.kubernetes.io/x, x.k8s.io/y",
            ),
            ("metadata: {name: n1, labels: {a: b, kubelet.kubernetes.io/x: ''}}", ""),
            (
                "metadata: {name: n1, labels: {a: b}, ownerReferences: [{apiVersion: v1, kind: Node, name: n1, uid: u}]}",
                "is not allowed to modify ownerReferences",
            ),
        ];
        let old: Node = read(base);
        for (new, wanted) in table {
            let said = of_node("n1", &read(new), Some(&old)).unwrap_or_default();
            assert_eq!(said, wanted, "{new}");
        }
        let new = "metadata: {name: n1, labels: {node-restriction.kubernetes.io/x: ''}}";
        assert_eq!(
            of_node("n1", &read(new), None).unwrap(),
            "is not allowed to set the following labels: node-restriction.kubernetes.io/x"
        );
    }

    #[test]
    fn kubelets_create_mirror_pods_only() {
        let mirror = "annotations: {kubernetes.io/config.mirror: h}";
        let owner = "ownerReferences: [{apiVersion: v1, kind: Node, name: n1, uid: u}]";
        let account = "nodeName: n1, serviceAccountName: s";
        let table = [
            (
                "{metadata: {name: p}}".to_owned(),
                r#"pod does not have "kubernetes.io/config.mirror" annotation, node "n1" can only create mirror pods"#,
            ),
            (
                format!("{{metadata: {{name: p, {mirror}}}}}"),
                r#"node "n1" can only create pods with spec.nodeName set to itself"#,
            ),
            (
                format!(
                    "{{metadata: {{name: p, {mirror}}}, spec: {{nodeName: n1, containers: []}}}}"
                ),
                r#"node "n1" can only create pods with an owner reference set to itself"#,
            ),
            (
                format!(
                    "{{metadata: {{name: p, {mirror}, {owner}}}, spec: {{{account}, containers: []}}}}"
                ),
                r#"node "n1" can not create pods that reference a service account"#,
            ),
            (
                format!(
                    "{{metadata: {{name: p, {mirror}, {owner}}}, spec: {{nodeName: n1, containers: []}}}}"
                ),
                "",
            ),
        ];
        for (pod, wanted) in table {
            assert_eq!(of_new_pod("n1", &read(&pod)).unwrap_or_default(), wanted, "{pod}");
        }
    }
}
