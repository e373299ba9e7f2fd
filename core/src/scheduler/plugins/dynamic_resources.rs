//! Claims of devices: pods wait until theirs exist.
//!
//! No driver offers devices here, so no claim is ever allocated: a pod that names one keeps waiting,
//! as on a cluster without drivers.
//!
//! Models `pkg/scheduler/framework/plugins/dynamicresources` as far as that.

use crate::scheduler::{
    cache::PodInfo,
    framework::{Plugin, Point, Rejection},
};

pub const PLUGIN: Plugin = Plugin {
    check: |cx| match missing_claim(cx.pod) {
        Some(why) => Err(Rejection::about(why)),
        None => Ok(None),
    },
    ..Plugin::silent(
        super::CLAIMS,
        &[
            Point::PreEnqueue,
            Point::PreFilter,
            Point::Filter,
            Point::PostFilter,
            Point::Score,
            Point::Reserve,
            Point::PreBind,
        ],
    )
};

/// What a pod's claims lack, if it names any.
pub fn missing_claim(pod: &PodInfo) -> Option<String> {
    let claims = pod.pod.spec.as_ref()?.resource_claims.as_ref()?;
    let first = claims.first()?;
    Some(match (&first.resource_claim_name, &first.resource_claim_template_name) {
        (Some(name), _) => format!("resourceclaim.resource.k8s.io {name:?} not found"),
        _ => {
            let (namespace, pod) = (pod.namespace(), pod.name());
            format!(
                "waiting for dynamic resource controller to create the resourceclaim for pod \
                 {pod:?} in namespace {namespace:?}"
            )
        }
    })
}
