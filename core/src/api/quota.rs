//! What objects take of a quota: for the admission that guards it and the controller that counts.
//!
//! Models `pkg/quota/v1/evaluator/core` and `apiserver/pkg/quota/v1`.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Container, PersistentVolumeClaim, Pod, ResourceQuotaSpec, ScopedResourceSelectorRequirement,
    Service,
};

use super::{
    Kind, Object, pods,
    quantity::{Amount, ResourceList},
    volumes::{claim_class, requested},
};

/// Amounts by the names that quotas have for them.
pub type Usage = BTreeMap<String, Amount>;

/// Names that quotas know without a domain.
pub const STANDARD: &[&str] = &[
    "configmaps",
    "cpu",
    "ephemeral-storage",
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "memory",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
    "requests.storage",
    "resourcequotas",
    "secrets",
    "services",
    "services.loadbalancers",
    "services.nodeports",
];

/// Kinds of the core group whose objects quotas count under their plural alone.
const COUNTED: &[&str] = &[
    "configmaps",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "services",
];

fn add(usage: &mut Usage, name: String, amount: Amount) {
    let entry = usage.entry(name).or_insert(Amount::ZERO);
    *entry = entry.plus(amount);
}

/// What an object takes, by every name that a quota could have for it.
pub fn usage(kind: &Kind, object: &dyn Object) -> Usage {
    let one = Amount::from_units(1);
    let mut usage = Usage::from([(format!("count/{}", kind.resource()), one)]);
    if let Some(pod) = object.downcast::<Pod>() {
        if pods::is_terminal(pod) {
            return usage;
        }
        compute(pod, &mut usage);
    } else if let Some(service) = object.downcast::<Service>() {
        addresses(service, &mut usage);
    } else if let Some(claim) = object.downcast::<PersistentVolumeClaim>() {
        storage(claim, &mut usage);
    }
    if kind.group.is_empty() && COUNTED.contains(&&*kind.plural) {
        usage.insert(kind.plural.to_string(), one);
    }
    usage
}

fn compute(pod: &Pod, usage: &mut Usage) {
    for (limits, prefix) in [(false, "requests."), (true, "limits.")] {
        for (name, amount) in pod_resources(pod, limits) {
            let known = matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage");
            if !limits && known {
                usage.insert(name.clone(), amount);
            }
            if known || (!limits && (name.contains('/') || name.starts_with("hugepages-"))) {
                usage.insert(format!("{prefix}{name}"), amount);
            }
        }
    }
}

fn addresses(service: &Service, usage: &mut Usage) {
    let spec = service.spec.as_ref();
    let ports = spec.and_then(|s| s.ports.as_deref()).unwrap_or_default();
    let all = Amount::from_units(ports.len() as i64);
    match spec.and_then(|s| s.type_.as_deref()) {
        Some("NodePort") => add(usage, "services.nodeports".into(), all),
        Some("LoadBalancer") => {
            add(usage, "services.loadbalancers".into(), Amount::from_units(1));
            if spec.and_then(|s| s.allocate_load_balancer_node_ports) != Some(false) {
                add(usage, "services.nodeports".into(), all);
            }
        }
        _ => {}
    }
}

fn storage(claim: &PersistentVolumeClaim, usage: &mut Usage) {
    let size = requested(claim);
    usage.insert("requests.storage".into(), size);
    let class = claim_class(claim);
    if !class.is_empty() {
        let base = format!("{class}.storageclass.storage.k8s.io");
        usage.insert(format!("{base}/requests.storage"), size);
        usage.insert(format!("{base}/persistentvolumeclaims"), Amount::from_units(1));
    }
}

fn wanted(container: &Container, limits: bool) -> Option<&ResourceList> {
    let resources = container.resources.as_ref()?;
    if limits { resources.limits.as_ref() } else { resources.requests.as_ref() }
}

/// What a pod asks for (or is limited to): its containers together, or the most that its init
/// containers need, each with the sidecars started before it. Models `PodRequests`.
pub fn pod_resources(pod: &Pod, limits: bool) -> Usage {
    let mut total = Usage::new();
    let Some(spec) = &pod.spec else { return total };
    let add_all = |usage: &mut Usage, list: Option<&ResourceList>| {
        for (name, amount) in list.into_iter().flatten() {
            add(usage, name.clone(), Amount::of(amount));
        }
    };
    for container in &spec.containers {
        add_all(&mut total, wanted(container, limits));
    }
    let (mut sidecars, mut most) = (Usage::new(), Usage::new());
    for container in spec.init_containers.iter().flatten() {
        let mut now = sidecars.clone();
        add_all(&mut now, wanted(container, limits));
        if container.restart_policy.as_deref() == Some("Always") {
            add_all(&mut total, wanted(container, limits));
            sidecars.clone_from(&now);
        }
        for (name, amount) in now {
            let entry = most.entry(name).or_insert(amount);
            *entry = (*entry).max(amount);
        }
    }
    for (name, amount) in most {
        let entry = total.entry(name).or_insert(amount);
        *entry = (*entry).max(amount);
    }
    if let Some(overhead) = &spec.overhead {
        let known: Vec<_> =
            overhead.iter().filter(|(n, _)| !limits || total.contains_key(*n)).collect();
        for (name, amount) in known {
            add(&mut total, name.clone(), Amount::of(amount));
        }
    }
    total
}

/// Whether a quota is about an object: about all, or about pods of its scopes.
pub fn concerns(spec: &ResourceQuotaSpec, object: &dyn Object) -> bool {
    let selector = spec.scope_selector.as_ref().and_then(|s| s.match_expressions.as_deref());
    let selector = selector.unwrap_or_default();
    let scopes = spec.scopes.as_deref().unwrap_or_default();
    if scopes.is_empty() && selector.is_empty() {
        return true;
    }
    let Some(pod) = object.downcast::<Pod>() else { return false };
    let exists = |scope: &String| ScopedResourceSelectorRequirement {
        operator: "Exists".into(),
        scope_name: scope.clone(),
        values: None,
    };
    scopes.iter().map(exists).chain(selector.iter().cloned()).all(|r| in_scope(&r, pod))
}

fn in_scope(requirement: &ScopedResourceSelectorRequirement, pod: &Pod) -> bool {
    let spec = pod.spec.as_ref();
    let terminating =
        spec.is_some_and(|s| s.active_deadline_seconds.is_some_and(|seconds| seconds >= 0));
    match requirement.scope_name.as_str() {
        "Terminating" => terminating,
        "NotTerminating" => !terminating,
        "BestEffort" => best_effort(pod),
        "NotBestEffort" => !best_effort(pod),
        "PriorityClass" => {
            let class = spec.and_then(|s| s.priority_class_name.as_deref()).unwrap_or_default();
            let values = requirement.values.as_deref().unwrap_or_default();
            let listed = values.iter().any(|v| v == class);
            match requirement.operator.as_str() {
                "Exists" => !class.is_empty(),
                "DoesNotExist" => class.is_empty(),
                "In" => listed,
                "NotIn" => !listed,
                _ => false,
            }
        }
        "CrossNamespacePodAffinity" => spec.is_some_and(|s| {
            let affinity = s.affinity.as_ref();
            let attracts = affinity.and_then(|a| a.pod_affinity.as_ref());
            let repels = affinity.and_then(|a| a.pod_anti_affinity.as_ref());
            let terms =
                attracts
                    .and_then(|a| a.required_during_scheduling_ignored_during_execution.as_ref())
                    .into_iter()
                    .chain(repels.and_then(|a| {
                        a.required_during_scheduling_ignored_during_execution.as_ref()
                    }));
            terms.flatten().any(|t| t.namespaces.is_some() || t.namespace_selector.is_some())
        }),
        _ => false,
    }
}

fn best_effort(pod: &Pod) -> bool {
    [false, true].iter().all(|limits| {
        let resources = pod_resources(pod, *limits);
        ["cpu", "memory"].iter().all(|n| resources.get(*n).is_none_or(|a| a.is_zero()))
    })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Service;
    use serde_json::json;

    use super::*;
    use crate::api::{KindTable, Typed, object::from_value};

    #[test]
    fn objects_take_what_they_are() {
        let kinds = KindTable::default();
        let pod: Pod = from_value(json!({"spec": {"containers": [
            {"name": "a", "resources": {"requests": {"cpu": "100m"}, "limits": {"cpu": "1"}}},
            {"name": "b", "resources": {"requests": {"cpu": "50m", "memory": "1Gi"}}}],
            "initContainers": [{"name": "i", "resources": {"requests": {"cpu": "400m"}}}]}}))
        .unwrap();
        let used = usage(kinds.get(Pod::ID), &pod);
        for (name, want) in [
            ("pods", "1"),
            ("count/pods", "1"),
            ("cpu", "400m"),
            ("requests.cpu", "400m"),
            ("requests.memory", "1Gi"),
            ("limits.cpu", "1"),
        ] {
            assert_eq!(used[name].to_string(), want, "{name}");
        }
        let service: Service = from_value(json!({"spec": {"type": "LoadBalancer",
            "ports": [{"port": 1}, {"port": 2}]}}))
        .unwrap();
        let used = usage(kinds.get(Service::ID), &service);
        assert_eq!(used["services.nodeports"].to_string(), "2");
        let scope = |scope: &str| ResourceQuotaSpec {
            scopes: Some(vec![scope.into()]),
            ..Default::default()
        };
        assert!(concerns(&scope("NotBestEffort"), &pod) && !concerns(&scope("BestEffort"), &pod));
        assert!(!concerns(&scope("NotTerminating"), &service));
    }
}
