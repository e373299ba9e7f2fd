//! The quality of service a pod gets, from its requests and limits.
//!
//! Models `pkg/apis/core/helper/qos.ComputePodQOS`.

use k8s_openapi::api::core::v1::PodSpec;

use crate::api::quantity::Amount;

/// `Guaranteed`, `Burstable` or `BestEffort`.
pub fn class(spec: &PodSpec) -> &'static str {
    let (mut any, mut guaranteed) = (false, true);
    let containers = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    for container in containers {
        let wanted = container.resources.as_ref();
        for name in ["cpu", "memory"] {
            let request = Amount::get(wanted.and_then(|r| r.requests.as_ref()), name);
            let limit = Amount::get(wanted.and_then(|r| r.limits.as_ref()), name);
            any |= !request.is_zero() || !limit.is_zero();
            guaranteed &= !limit.is_zero() && request == limit;
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}
