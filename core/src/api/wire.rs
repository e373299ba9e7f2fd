//! What Go writes although nothing was said: times that are not pointers become null, structs `{}`.
//!
//! Applied to objects on their way out, so that `-o yaml` shows what a real server sends; reading
//! takes these values for "not said" again.

use k8s_openapi::api::{
    apps::v1::*, autoscaling::v2::HorizontalPodAutoscaler, batch::v1::*, core::v1::*,
};
use serde_json::{Map, Value, json};

use super::{KindId, Typed};

type Complete = fn(&mut Value);

/// One line a kind, sorted by the kind's name.
const KINDS: &[(KindId, Complete)] = &[
    (CronJob::ID, cron_job),
    (DaemonSet::ID, conditions),
    (Deployment::ID, deployment),
    (Event::ID, event),
    (HorizontalPodAutoscaler::ID, autoscaler),
    (Job::ID, job),
    (Namespace::ID, conditions),
    (Node::ID, node),
    (PersistentVolumeClaim::ID, claim),
    (Pod::ID, pod),
    (ReplicaSet::ID, conditions),
    (ReplicationController::ID, conditions),
    (StatefulSet::ID, stateful_set),
];

/// Completes an object of a kind.
pub fn complete(kind: KindId, value: &mut Value) {
    if let Some((_, complete)) = KINDS.iter().find(|(id, _)| *id == kind) {
        complete(value);
    }
}

fn default(map: &mut Map<String, Value>, key: &str, value: Value) {
    if !map.contains_key(key) {
        map.insert(key.into(), value);
    }
}

/// The maps of a list below a value.
fn each<'a>(
    value: &'a mut Value,
    path: &[&str],
) -> impl Iterator<Item = &'a mut Map<String, Value>> {
    let mut list = Some(value);
    for key in path {
        list = list.and_then(|v| v.get_mut(*key));
    }
    let items = list.and_then(Value::as_array_mut).into_iter().flatten();
    items.filter_map(Value::as_object_mut)
}

fn conditions(value: &mut Value) {
    for condition in each(value, &["status", "conditions"]) {
        default(condition, "lastTransitionTime", Value::Null);
    }
}

fn deployment(value: &mut Value) {
    for condition in each(value, &["status", "conditions"]) {
        default(condition, "lastTransitionTime", Value::Null);
        default(condition, "lastUpdateTime", Value::Null);
    }
}

fn node(value: &mut Value) {
    for condition in each(value, &["status", "conditions"]) {
        default(condition, "lastHeartbeatTime", Value::Null);
        default(condition, "lastTransitionTime", Value::Null);
    }
}

fn claim(value: &mut Value) {
    for condition in each(value, &["status", "conditions"]) {
        default(condition, "lastProbeTime", Value::Null);
        default(condition, "lastTransitionTime", Value::Null);
    }
}

fn job(value: &mut Value) {
    claim(value);
}

fn autoscaler(value: &mut Value) {
    conditions(value);
    if let Some(status) = value.get_mut("status").and_then(Value::as_object_mut) {
        default(status, "currentMetrics", Value::Null);
    }
}

fn cron_job(value: &mut Value) {
    if let Some(template) = value.pointer_mut("/spec/jobTemplate").and_then(Value::as_object_mut) {
        default(template, "metadata", json!({}));
    }
}

fn stateful_set(value: &mut Value) {
    conditions(value);
    if let Some(status) = value.get_mut("status").and_then(Value::as_object_mut) {
        default(status, "availableReplicas", Value::from(0));
    }
}

fn event(value: &mut Value) {
    let Some(event) = value.as_object_mut() else { return };
    for key in ["eventTime", "firstTimestamp", "lastTimestamp"] {
        default(event, key, Value::Null);
    }
    for key in ["reportingComponent", "reportingInstance"] {
        default(event, key, Value::from(""));
    }
    default(event, "source", json!({}));
}

fn pod(value: &mut Value) {
    for condition in each(value, &["status", "conditions"]) {
        default(condition, "lastProbeTime", Value::Null);
        default(condition, "lastTransitionTime", Value::Null);
    }
    for list in ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"] {
        for status in each(value, &["status", list]) {
            for key in ["lastState", "state"] {
                default(status, key, json!({}));
                let Some(state) = status.get_mut(key) else { continue };
                for (which, times) in
                    [("running", &["startedAt"][..]), ("terminated", &["startedAt", "finishedAt"])]
                {
                    if let Some(found) = state.get_mut(which).and_then(Value::as_object_mut) {
                        times.iter().for_each(|time| default(found, time, Value::Null));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pods_status_has_what_go_always_writes() {
        let mut value = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "c", "state": {"terminated": {"exitCode": 1}}}]}});
        complete(Pod::ID, &mut value);
        assert_eq!(
            value["status"],
            json!({
                "conditions": [{"type": "Ready", "status": "True", "lastProbeTime": null, "lastTransitionTime": null}],
                "containerStatuses": [{"name": "c", "lastState": {},
                    "state": {"terminated": {"exitCode": 1, "startedAt": null, "finishedAt": null}}}],
            })
        );
    }
}
