//! Endpoints that take traffic are ready pods of the service, unless it asks for unready ones too;
//! and every ready pod is one.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::{
    core::v1::{Pod, Service, ServiceSpec},
    discovery::v1::EndpointSlice,
};

use super::Seen;
use crate::api::{Object, meta, pods, selector::Selector};

/// The label that names a slice's service.
const SERVICE: &str = "kubernetes.io/service-name";

/// Endpoints that should not be there, or that are missing.
pub fn check(seen: &Seen) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut ready: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for slice in seen.client.list::<EndpointSlice>(None) {
        let namespace = slice.metadata.namespace.clone().unwrap_or_default();
        let Some(name) = meta::label(&slice.metadata, SERVICE) else { continue };
        let service = seen.client.find::<Service>(&namespace, name);
        let spec = service.as_ref().and_then(|s| s.spec.as_ref());
        let unready_too = spec.is_some_and(|s| s.publish_not_ready_addresses == Some(true));
        for endpoint in slice.endpoints.iter().flatten() {
            let takes = endpoint.conditions.as_ref().is_none_or(|c| c.ready != Some(false));
            let target = endpoint.target_ref.as_ref().filter(|t| t.kind.as_deref() == Some("Pod"));
            let Some(pod) = target.and_then(|t| t.name.clone()).filter(|_| takes) else { continue };
            let key = (namespace.clone(), name.to_string());
            ready.entry(key).or_default().insert(pod.clone());
            match seen.client.find::<Pod>(&namespace, &pod) {
                None => wrong.push(format!("{name} leads to {namespace}/{pod}, which is gone")),
                Some(found) if !unready_too && !pods::is_ready(&found) => {
                    wrong.push(format!(
                        "{name} leads to {namespace}/{pod}: {namespace}/{pod} is not ready"
                    ));
                }
                Some(found) if !endpoint.addresses.iter().any(|a| a == pods::ip(&found)) => {
                    wrong.push(format!(
                        "{name} leads to an address that is not {namespace}/{pod}'s"
                    ));
                }
                Some(found) if !chosen(spec, &found) => {
                    wrong.push(format!(
                        "{name} leads to {namespace}/{pod}, which it does not choose"
                    ));
                }
                Some(_) => {}
            }
        }
    }
    wrong.extend(missing(seen, &ready));
    wrong
}

/// Whether a service chooses a pod; one without a selector has endpoints made by hand.
fn chosen(spec: Option<&ServiceSpec>, pod: &Pod) -> bool {
    let selector = spec.and_then(|s| s.selector.as_ref()).filter(|s| !s.is_empty());
    selector.is_none_or(|s| Selector::from_labels(s).matches(pod.metadata.labels.as_ref()))
}

/// Ready pods to which their service does not lead.
fn missing(seen: &Seen, ready: &BTreeMap<(String, String), BTreeSet<String>>) -> Vec<String> {
    let mut wrong = Vec::new();
    for service in seen.client.list::<Service>(None) {
        let object: &dyn Object = &*service;
        let selector = service.spec.as_ref().and_then(|s| s.selector.clone()).unwrap_or_default();
        if selector.is_empty() {
            continue;
        }
        let selector = Selector::from_labels(&selector);
        let key = (object.namespace().to_string(), object.name().to_string());
        for pod in seen.client.list::<Pod>(Some(object.namespace())) {
            let name = (&*pod as &dyn Object).name().to_string();
            let counts = pods::is_ready(&pod)
                && pods::is_active(&pod)
                && !pods::ip(&pod).is_empty()
                && selector.matches(pod.metadata.labels.as_ref());
            if counts && !ready.get(&key).is_some_and(|pods| pods.contains(&name)) {
                wrong.push(format!("{} does not lead to {}/{name}, which is ready", key.1, key.0));
            }
        }
    }
    wrong
}
