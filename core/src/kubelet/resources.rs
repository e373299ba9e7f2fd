//! Quantities of resources as the kubelet needs them: bytes and thousandths of a processor.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{Container, PodSpec},
    apimachinery::pkg::api::resource::Quantity,
};

use crate::api::quantity::Amount;

/// A quantity's value in thousandths (of bytes, processors …), rounded up; 0 if it is less.
pub fn milli(quantity: &Quantity) -> u128 {
    u128::try_from(Amount::of(quantity).milli()).unwrap_or(0)
}

/// A quantity's value, rounded up; 0 if it is less.
pub fn value(quantity: &Quantity) -> u64 {
    u64::try_from(Amount::of(quantity).units()).unwrap_or(0)
}

/// A quantity's value in thousandths, for processors.
pub fn milli_value(quantity: &Quantity) -> u64 {
    u64::try_from(milli(quantity)).unwrap_or(u64::MAX)
}

type List = BTreeMap<String, Quantity>;

/// A container's limit of a resource.
pub fn limit<'a>(container: &'a Container, name: &str) -> Option<&'a Quantity> {
    container.resources.as_ref()?.limits.as_ref()?.get(name)
}

/// A container's request of a resource.
pub fn request<'a>(container: &'a Container, name: &str) -> Option<&'a Quantity> {
    let list: &List = container.resources.as_ref()?.requests.as_ref()?;
    list.get(name)
}

/// Thousandths of a resource that a pod asks for: its containers' sum, or its hungriest init
/// container with the sidecars before it, and overhead. Models `resourcehelper.PodRequests`.
pub fn pod_request(spec: &PodSpec, name: &str) -> u128 {
    let of = |c: &Container| request(c, name).map_or(0, milli);
    let mut sidecars = 0;
    let mut peak = 0;
    for container in spec.init_containers.iter().flatten() {
        if super::plan::is_sidecar(container) {
            sidecars += of(container);
            peak = peak.max(sidecars);
        } else {
            peak = peak.max(sidecars + of(container));
        }
    }
    let sum: u128 = spec.containers.iter().map(of).sum();
    let overhead = spec.overhead.as_ref().and_then(|o| o.get(name)).map_or(0, milli);
    (sum + sidecars).max(peak) + overhead
}
