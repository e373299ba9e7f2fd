//! Evicting pods: deletion that is told to the pod first.
//!
//! The server has no disruption budgets yet, so nothing ever speaks against it.
//!
//! Models `pkg/registry/core/pod/storage/eviction.go`.

use k8s_openapi::api::core::v1::{Pod, PodCondition};

use super::{ApiServer, DeleteOptions, RequestCx, Subresource};
use crate::api::{Status, Typed};

impl ApiServer {
    /// Evicts a pod: notes why, then deletes it. Errors: as for deletions.
    pub fn evict(
        &self,
        cx: &RequestCx,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<(), Status> {
        let object = self.get(Pod::ID, namespace, name)?;
        if let Some(pod) = object.downcast::<Pod>().filter(|pod| disrupted(pod)) {
            let mut pod = pod.clone();
            note(&mut pod, self.sim().now().to_meta());
            self.update(cx, Box::new(pod), Subresource::Status)?;
        }
        self.delete(cx, Pod::ID, namespace, name, options).map(|_| ())
    }
}

/// Whether the eviction ends something: the pod runs on a node and is not going already.
fn disrupted(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|s| s.phase.as_deref());
    let placed = pod.spec.as_ref().is_some_and(|s| s.node_name.is_some());
    placed
        && pod.metadata.deletion_timestamp.is_none()
        && !matches!(phase, Some("Succeeded" | "Failed"))
}

fn note(pod: &mut Pod, now: k8s_openapi::apimachinery::pkg::apis::meta::v1::Time) {
    let generation = pod.metadata.generation;
    let conditions = pod.status.get_or_insert_default().conditions.get_or_insert_default();
    conditions.retain(|c| c.type_ != "DisruptionTarget");
    conditions.push(PodCondition {
        type_: "DisruptionTarget".into(),
        status: "True".into(),
        reason: Some("EvictionByEvictionAPI".into()),
        message: Some("Eviction API: evicting".into()),
        last_transition_time: Some(now),
        observed_generation: generation,
        ..Default::default()
    });
}
