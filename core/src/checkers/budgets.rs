//! A disruption budget counts the healthy pods that are there.

use k8s_openapi::api::{core::v1::Pod, policy::v1::PodDisruptionBudget};

use super::Seen;
use crate::api::{Object, pods, selector::Selector};

/// Budgets that count wrong.
pub fn check(seen: &Seen) -> Vec<String> {
    let mut wrong = Vec::new();
    for budget in seen.client.list::<PodDisruptionBudget>(None) {
        let object: &dyn Object = &*budget;
        let (Some(spec), Some(status)) = (&budget.spec, &budget.status) else {
            wrong.push(format!("{} has no status", object.name()));
            continue;
        };
        let Ok(selector) = Selector::from_label_selector(spec.selector.as_ref()) else { continue };
        let all = seen.client.list::<Pod>(Some(object.namespace()));
        let healthy = all.iter().filter(|pod| {
            selector.matches(pod.metadata.labels.as_ref())
                && pods::is_ready(pod)
                && !pods::is_terminating(pod)
        });
        let healthy = healthy.count() as i32;
        let number = |n: Option<i32>| n.unwrap_or(0);
        if number(status.current_healthy) != healthy {
            let (name, says) = (object.name(), number(status.current_healthy));
            wrong.push(format!("{name} counts {says} healthy pods of {healthy}"));
        }
        let may = (healthy - number(status.desired_healthy)).max(0);
        // Where nothing is expected, nothing may be disturbed.
        let may = if number(status.expected_pods) == 0 { 0 } else { may };
        if number(status.disruptions_allowed) != may {
            let (name, says) = (object.name(), number(status.disruptions_allowed));
            wrong.push(format!("{name} allows {says} disruptions of {may}"));
        }
    }
    wrong
}
