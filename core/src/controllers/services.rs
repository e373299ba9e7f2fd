//! Services and the pods behind them: questions of both endpoint controllers.
//!
//! Models `pkg/api/v1/endpoints`, `pkg/controller/util/endpoint` and `endpointslice/util`.

use std::rc::Rc;

use k8s_openapi::{
    api::core::v1::{ObjectReference, Pod, Service, ServicePort},
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{framework::Queue, pods};
use crate::{
    api::{Object, selector::Selector},
    client::{Change, Client, Op},
};

/// The label that a headless service's endpoints carry.
pub const HEADLESS: &str = "service.kubernetes.io/headless";
/// When the change that led to this state was noticed.
pub const TRIGGER: &str = "endpoints.kubernetes.io/last-change-trigger-time";

/// The selector of a service that has one.
pub fn selector(service: &Service) -> Option<Selector> {
    let spec = service.spec.as_ref()?;
    let labels = spec.selector.as_ref().filter(|s| !s.is_empty())?;
    Some(Selector::from_labels(labels))
}

/// Whether the service has no address of its own.
pub fn is_headless(service: &Service) -> bool {
    service.spec.as_ref().and_then(|s| s.cluster_ip.as_deref()) == Some("None")
}

/// Whether the service is only a name for something outside.
pub fn is_external_name(service: &Service) -> bool {
    service.spec.as_ref().and_then(|s| s.type_.as_deref()) == Some("ExternalName")
}

/// Whether pods that are not ready count.
pub fn publishes_unready(service: &Service) -> bool {
    service.spec.as_ref().and_then(|s| s.publish_not_ready_addresses).unwrap_or(false)
}

/// A service's ports.
pub fn ports(service: &Service) -> &[ServicePort] {
    service.spec.as_ref().and_then(|s| s.ports.as_deref()).unwrap_or_default()
}

/// Pods that the service selects, sorted by name.
pub fn selected(client: &Client, service: &Service) -> Vec<Rc<Pod>> {
    let Some(selector) = selector(service) else { return Vec::new() };
    let mut pods = client.list::<Pod>(service.metadata.namespace.as_deref());
    pods.retain(|p| selector.matches(p.metadata.labels.as_ref()));
    pods
}

/// Whether a pod can be behind a service at all. Models `ShouldPodBeInEndpoints`.
pub fn is_candidate(pod: &Pod, terminating_too: bool) -> bool {
    !pods::is_terminal(pod)
        && !pods::ip(pod).is_empty()
        && (terminating_too || pod.metadata.deletion_timestamp.is_none())
}

/// The number of the pod's port that a service's port leads to. Models `FindPort`.
pub fn target_port(pod: &Pod, port: &ServicePort) -> Option<i32> {
    match &port.target_port {
        None => Some(port.port),
        Some(IntOrString::Int(0)) => Some(port.port),
        Some(IntOrString::Int(number)) => Some(*number),
        Some(IntOrString::String(name)) => {
            let spec = pod.spec.as_ref()?;
            let protocol = port.protocol.as_deref().unwrap_or("TCP");
            let sidecars = spec.init_containers.iter().flatten();
            let sidecars = sidecars.filter(|c| c.restart_policy.as_deref() == Some("Always"));
            let containers = spec.containers.iter().chain(sidecars);
            let mut all = containers.flat_map(|c| c.ports.iter().flatten());
            let found = all.find(|p| {
                p.name.as_ref() == Some(name) && p.protocol.as_deref().unwrap_or("TCP") == protocol
            })?;
            Some(found.container_port)
        }
    }
}

/// The name under which the pod is known in the service's domain, if it asks for one.
pub fn hostname(pod: &Pod, service: &Service) -> Option<String> {
    let spec = pod.spec.as_ref()?;
    let host = spec.hostname.clone().filter(|h| !h.is_empty())?;
    let here = spec.subdomain.as_deref() == service.metadata.name.as_deref()
        && pod.metadata.namespace == service.metadata.namespace;
    here.then_some(host)
}

/// A reference to the pod as endpoints carry it.
pub fn pod_reference(pod: &Pod) -> ObjectReference {
    let object: &dyn Object = pod;
    ObjectReference {
        kind: Some("Pod".into()),
        namespace: Some(object.namespace().to_string()),
        name: Some(object.name().to_string()),
        uid: Some(object.uid().to_string()),
        ..Default::default()
    }
}

/// Whether a change of a pod can change endpoints. Models `podEndpointsChanged`.
fn matters(new: &Pod, old: &Pod) -> bool {
    new.metadata.labels != old.metadata.labels
        || new.metadata.deletion_timestamp.is_some() != old.metadata.deletion_timestamp.is_some()
        || pods::is_ready(new) != pods::is_ready(old)
        || pods::is_terminal(new) != pods::is_terminal(old)
        || pods::ip(new) != pods::ip(old)
        || pods::node_name(new) != pods::node_name(old)
}

/// Adds the services whose endpoints a pod's change concerns.
pub fn add_services_of(client: &Client, change: &Change, queue: &Queue) {
    let Some(pod) = change.object.downcast::<Pod>() else { return };
    let old = change.old.as_ref().and_then(|o| o.downcast::<Pod>());
    if change.op == Op::Modified && old.is_some_and(|old| !matters(pod, old)) {
        return;
    }
    for service in client.list::<Service>(pod.metadata.namespace.as_deref()) {
        let Some(selector) = selector(&service) else { continue };
        let before = old.is_some_and(|o| selector.matches(o.metadata.labels.as_ref()));
        if before || selector.matches(pod.metadata.labels.as_ref()) {
            let service: &dyn Object = &*service;
            queue.add_name(service.namespace(), service.name());
        }
    }
}
