//! Conditions of a Deployment.

use k8s_openapi::api::apps::v1::{DeploymentCondition, DeploymentStatus};

use crate::sim::Time;

pub const AVAILABLE: &str = "Available";
pub const PROGRESSING: &str = "Progressing";
pub const FAILURE: &str = "ReplicaFailure";

/// A condition as of now.
pub fn condition(
    now: Time,
    type_: &str,
    status: &str,
    reason: &str,
    message: &str,
) -> DeploymentCondition {
    DeploymentCondition {
        type_: type_.to_string(),
        status: status.to_string(),
        reason: Some(reason.to_string()),
        message: Some(message.to_string()),
        last_update_time: Some(now.to_meta()),
        last_transition_time: Some(now.to_meta()),
    }
}

/// One of the conditions.
pub fn get<'a>(status: &'a DeploymentStatus, type_: &str) -> Option<&'a DeploymentCondition> {
    status.conditions.as_ref()?.iter().find(|c| c.type_ == type_)
}

/// The reason of a condition; empty without it.
pub fn reason<'a>(status: &'a DeploymentStatus, type_: &str) -> &'a str {
    get(status, type_).and_then(|c| c.reason.as_deref()).unwrap_or_default()
}

/// Sets a condition, unless it has this status and reason already; it goes to the end.
pub fn set(status: &mut DeploymentStatus, mut new: DeploymentCondition) {
    if let Some(old) = get(status, &new.type_) {
        if old.status == new.status && old.reason == new.reason {
            return;
        }
        if old.status == new.status {
            new.last_transition_time.clone_from(&old.last_transition_time);
        }
    }
    remove(status, &new.type_);
    status.conditions.get_or_insert_default().push(new);
}

/// Removes a condition.
pub fn remove(status: &mut DeploymentStatus, type_: &str) {
    if let Some(conditions) = &mut status.conditions {
        conditions.retain(|c| c.type_ != type_);
    }
    if status.conditions.as_ref().is_some_and(Vec::is_empty) {
        status.conditions = None;
    }
}
