//! Evicting pods: deletion that disruption budgets must allow, and that is told to the pod first.
//!
//! Models `pkg/registry/core/pod/storage/eviction.go`.

use std::rc::Rc;

use k8s_openapi::api::{core::v1::Pod, policy::v1::PodDisruptionBudget};

use super::{ApiServer, DeleteOptions, RequestCx, Subresource};
use crate::api::{
    FieldError, Object, Status, Typed, meta::is_deleting, object::downcast_rc, pods,
    selector::Selector,
};

/// So many evictions may be on their way at once (`MaxDisruptedPodSize`).
const MOST_DISRUPTED: usize = 2000;

impl ApiServer {
    /// Evicts a pod: takes it from its budget, notes why, then deletes it. Errors: as for
    /// deletions, and TooManyRequests where the budget does not allow it now.
    pub fn evict(
        &self,
        cx: &RequestCx,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<(), Status> {
        let object = self.get(Pod::ID, namespace, name)?;
        let Some(pod) = object.downcast::<Pod>() else {
            return Err(Status::internal("not a pod"));
        };
        if !needs_no_budget(pod) {
            self.take_from_budget(cx, pod)?;
        }
        if disrupted(pod) && !cx.dry_run {
            let mut pod = pod.clone();
            let (reason, why) = ("EvictionByEvictionAPI", "Eviction API: evicting");
            pods::disrupt(&mut pod, reason, why, self.sim().now());
            self.update(cx, Box::new(pod), Subresource::Status)?;
        }
        self.delete(cx, Pod::ID, namespace, name, options).map(|_| ())
    }

    fn budgets_of(&self, pod: &Pod) -> Vec<Rc<PodDisruptionBudget>> {
        let all = self.store().list(PodDisruptionBudget::ID, pod.metadata.namespace.as_deref());
        let mut budgets: Vec<_> =
            all.iter().filter_map(downcast_rc::<PodDisruptionBudget>).collect();
        budgets.retain(|budget| {
            let selector = budget.spec.as_ref().and_then(|s| s.selector.as_ref());
            let parsed = selector.map(|s| Selector::from_label_selector(Some(s)));
            matches!(parsed, Some(Ok(s)) if s.matches(pod.metadata.labels.as_ref()))
        });
        budgets
    }

    fn take_from_budget(&self, cx: &RequestCx, pod: &Pod) -> Result<(), Status> {
        let budgets = self.budgets_of(pod);
        let budget = match budgets.as_slice() {
            [] => return Ok(()),
            [one] => one,
            _ => {
                return Err(Status::new(
                    500,
                    "InternalError",
                    "This pod has more than one PodDisruptionBudget, which the eviction \
                     subresource does not support.",
                ));
            }
        };
        let status = budget.status.clone().unwrap_or_default();
        let (current, desired) =
            (status.current_healthy.unwrap_or(0), status.desired_healthy.unwrap_or(0));
        if !pods::is_ready(pod) {
            let policy =
                budget.spec.as_ref().and_then(|s| s.unhealthy_pod_eviction_policy.as_deref());
            if policy == Some("AlwaysAllow") || (current >= desired && desired > 0) {
                return Ok(());
            }
        }
        let name = (&**budget as &dyn Object).name();
        if status.observed_generation.unwrap_or(0) < budget.metadata.generation.unwrap_or(0) {
            let text =
                format!("The disruption budget {name} is still being processed by the server.");
            return Err(refusal(&text));
        }
        let allowed = status.disruptions_allowed.unwrap_or(0);
        let granted = status.disrupted_pods.as_ref().map_or(0, |g| g.len());
        if granted > MOST_DISRUPTED {
            let why = "DisruptedPods map too big - too many evictions not confirmed by PDB \
                       controller";
            return Err(Status::forbidden(&self.kind(PodDisruptionBudget::ID), name, why));
        }
        if allowed <= 0 {
            let text = format!(
                "The disruption budget {name} needs {desired} healthy pods and has {current} \
                 currently"
            );
            return Err(refusal(&text));
        }
        if cx.dry_run {
            return Ok(());
        }
        let mut new = (**budget).clone();
        let status = new.status.get_or_insert_default();
        status.disruptions_allowed = Some(allowed - 1);
        let pod_name = pod.metadata.name.clone().unwrap_or_default();
        let now = self.sim().now().to_meta();
        status.disrupted_pods.get_or_insert_default().insert(pod_name, now);
        self.update(cx, Box::new(new), Subresource::Status).map(|_| ())
    }
}

fn refusal(cause: &str) -> Status {
    let text = "Cannot evict pod as it would violate the pod's disruption budget.";
    let mut status = Status::new(429, "TooManyRequests", text);
    status.causes = vec![FieldError::cause("DisruptionBudget", cause)];
    status
}

/// Pods that have ended, have not begun or are going anyway disturb nobody.
fn needs_no_budget(pod: &Pod) -> bool {
    pods::is_terminal(pod) || pods::phase(pod) == "Pending" || is_deleting(&pod.metadata)
}

/// Whether the eviction ends something: the pod runs on a node and is not going already.
fn disrupted(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|s| s.phase.as_deref());
    let placed = pod.spec.as_ref().is_some_and(|s| s.node_name.is_some());
    placed
        && pod.metadata.deletion_timestamp.is_none()
        && !matches!(phase, Some("Succeeded" | "Failed"))
}
