//! What kubelets may: what the role `system:node` lists, and of secrets, config maps, claims and
//! service accounts only what pods on their node use.
//!
//! Models `plugin/pkg/auth/authorizer/node`.

use k8s_openapi::api::{
    core::v1::{Container, Pod, PodSpec, Volume},
    rbac::v1::ClusterRole,
};

use super::{Attributes, Decision, User, rules};
use crate::{
    api::{Object, Typed},
    apiserver::ApiServer,
    store::{IndexId, Store},
};

const ROLE: &str = "system:node";

/// The index over pods by node.
pub fn index(store: &Store) -> IndexId {
    store.add_index(Pod::ID, by_node)
}

fn by_node(object: &dyn Object) -> Vec<String> {
    let spec = object.downcast::<Pod>().and_then(|p| p.spec.as_ref());
    spec.and_then(|s| s.node_name.clone()).into_iter().collect()
}

/// Whether a kubelet may do something; says nothing of other users.
pub fn decide(api: &ApiServer, user: &User, attributes: &Attributes) -> Decision {
    let Some(node) = user.as_node() else { return Decision::default() };
    let restricted = match (attributes.group, attributes.resource, attributes.subresource) {
        ("", "secrets" | "configmaps", "") => Some(&["get", "list", "watch"][..]),
        ("", "persistentvolumeclaims", "") | ("", "persistentvolumes", "") => Some(&["get"][..]),
        ("", "serviceaccounts", "token") => Some(&["create"][..]),
        _ => None,
    };
    if let Some(verbs) = restricted {
        if !verbs.contains(&attributes.verb) {
            return no(format!("can only {} individual resources of this type", verbs.join("/")));
        }
        if attributes.name.is_empty() {
            return no("No Object name found".into());
        }
        if !uses(api, node, attributes) {
            return no(format!("no relationship found between node '{node}' and this object"));
        }
        return Decision { allowed: true, ..Decision::default() };
    }
    if attributes.group == "coordination.k8s.io" && attributes.resource == "leases" {
        let allowed = attributes.namespace == "kube-node-lease"
            && (attributes.verb == "create" || attributes.name == node);
        return if allowed {
            Decision { allowed: true, ..Decision::default() }
        } else {
            no("can only access node lease with the same name as the requesting node".into())
        };
    }
    let Some(role) = api.store().get(ClusterRole::ID, "", ROLE) else { return Decision::default() };
    let rules_of = role.downcast::<ClusterRole>().and_then(|r| r.rules.as_deref());
    let allowed = rules_of.unwrap_or_default().iter().any(|r| rules::allows(r, attributes));
    Decision { allowed, ..Decision::default() }
}

fn no(reason: String) -> Decision {
    Decision { reason, ..Decision::default() }
}

/// Whether a pod on the node uses an object.
fn uses(api: &ApiServer, node: &str, attributes: &Attributes) -> bool {
    let pods = api.store().by_index(api.0.auth.pods_by_node, node);
    pods.iter().filter_map(|p| p.downcast::<Pod>()).any(|pod| {
        let (namespace, name) = (attributes.namespace, attributes.name);
        let own = pod.metadata.namespace.as_deref().unwrap_or_default();
        let Some(spec) = &pod.spec else { return false };
        match attributes.resource {
            "persistentvolumes" => volumes(spec).any(|v| claims(v) && bound_to(api, own, v, name)),
            _ if own != namespace => false,
            "secrets" => secrets(spec, name),
            "configmaps" => config_maps(spec, name),
            "persistentvolumeclaims" => {
                let claim =
                    |v: &Volume| v.persistent_volume_claim.as_ref().map(|c| c.claim_name.clone());
                volumes(spec).any(|v| claim(v).as_deref() == Some(name))
            }
            _ => spec.service_account_name.as_deref() == Some(name),
        }
    })
}

fn volumes(spec: &PodSpec) -> impl Iterator<Item = &Volume> {
    spec.volumes.iter().flatten()
}

fn containers(spec: &PodSpec) -> impl Iterator<Item = &Container> {
    spec.init_containers.iter().flatten().chain(&spec.containers)
}

fn claims(volume: &Volume) -> bool {
    volume.persistent_volume_claim.is_some()
}

/// Whether a volume's claim is bound to a volume of this name.
fn bound_to(api: &ApiServer, namespace: &str, volume: &Volume, name: &str) -> bool {
    use k8s_openapi::api::core::v1::PersistentVolumeClaim;
    let Some(source) = &volume.persistent_volume_claim else { return false };
    let known = api.kinds().by_resource("", "v1", "persistentvolumeclaims").map(|k| k.id);
    let found = known.and_then(|id| api.store().get(id, namespace, &source.claim_name));
    let claim = found.as_ref().and_then(|o| o.as_any().downcast_ref::<PersistentVolumeClaim>());
    let spec = claim.and_then(|c| c.spec.as_ref());
    spec.is_some_and(|s| s.volume_name.as_deref() == Some(name))
}

fn secrets(spec: &PodSpec, name: &str) -> bool {
    let pull = spec.image_pull_secrets.iter().flatten().any(|s| s.name == name);
    let in_volume = volumes(spec).any(|v| {
        let own = v.secret.as_ref().and_then(|s| s.secret_name.as_deref()) == Some(name);
        let sources = v.projected.iter().flat_map(|p| p.sources.iter().flatten());
        own || sources.filter_map(|s| s.secret.as_ref()).any(|s| s.name == name)
    });
    let in_env = containers(spec).any(|c| {
        let from = c.env_from.iter().flatten().filter_map(|e| e.secret_ref.as_ref());
        let values = c.env.iter().flatten().filter_map(|e| e.value_from.as_ref());
        let keys = values.filter_map(|v| v.secret_key_ref.as_ref());
        from.map(|r| &r.name).chain(keys.map(|k| &k.name)).any(|n| n == name)
    });
    pull || in_volume || in_env
}

fn config_maps(spec: &PodSpec, name: &str) -> bool {
    let in_volume = volumes(spec).any(|v| {
        let own = v.config_map.as_ref().is_some_and(|c| c.name == name);
        let sources = v.projected.iter().flat_map(|p| p.sources.iter().flatten());
        own || sources.filter_map(|s| s.config_map.as_ref()).any(|s| s.name == name)
    });
    let in_env = containers(spec).any(|c| {
        let from = c.env_from.iter().flatten().filter_map(|e| e.config_map_ref.as_ref());
        let values = c.env.iter().flatten().filter_map(|e| e.value_from.as_ref());
        let keys = values.filter_map(|v| v.config_map_key_ref.as_ref());
        from.map(|r| &r.name).chain(keys.map(|k| &k.name)).any(|n| n == name)
    });
    in_volume || in_env
}
