//! What an autoscaler scales stays between its limits.

use k8s_openapi::api::{apps::v1::Deployment, autoscaling::v2::HorizontalPodAutoscaler};

use super::Seen;
use crate::api::Object;

/// Deployments beyond the limits of their autoscaler. One that was scaled to 0 is let alone.
pub fn check(seen: &Seen) -> Vec<String> {
    let mut wrong = Vec::new();
    for scaler in seen.client.list::<HorizontalPodAutoscaler>(None) {
        let object: &dyn Object = &*scaler;
        let spec = &scaler.spec;
        let target = &spec.scale_target_ref;
        if target.kind != "Deployment" {
            continue;
        }
        let found = seen.client.find::<Deployment>(object.namespace(), &target.name);
        let Some(wanted) = found.and_then(|d| d.spec.as_ref()?.replicas) else { continue };
        let (least, most) = (spec.min_replicas.unwrap_or(1), spec.max_replicas);
        if wanted != 0 && !(least..=most).contains(&wanted) {
            let name = object.name();
            wrong.push(format!("{name} leaves {wanted} replicas, not {least} to {most}"));
        }
    }
    wrong
}
