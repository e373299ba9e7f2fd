//! The kinds whose pods are kept: what the controller needs to know of them.

use k8s_openapi::{
    api::{
        apps::v1::{ReplicaSet, ReplicaSetCondition, ReplicaSetStatus},
        core::v1::{
            PodTemplateSpec, ReplicationController, ReplicationControllerCondition,
            ReplicationControllerStatus,
        },
    },
    apimachinery::pkg::apis::meta::v1::Time,
};

use crate::api::{Typed, selector::Selector};

/// A condition of such a kind.
#[allow(missing_docs)]
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    pub type_: String,
    pub status: String,
    pub reason: String,
    pub message: String,
    pub last_transition_time: Time,
}

/// Its status.
#[allow(missing_docs)]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    pub replicas: i32,
    pub fully_labeled: i32,
    pub ready: i32,
    pub available: i32,
    pub terminating: Option<i32>,
    pub observed_generation: Option<i64>,
    pub conditions: Vec<Condition>,
}

/// A kind that asks for a number of equal pods.
pub trait Replicated: Typed {
    /// The name of its controller.
    const CONTROLLER: &'static str;
    /// Who its events are from.
    const SOURCE: &'static str = Self::CONTROLLER;
    /// Whether its status counts pods that are going.
    const COUNTS_TERMINATING: bool = true;
    /// How many pods it wants.
    fn replicas(&self) -> i32;
    /// How long a pod must be ready to be available, in seconds.
    fn min_ready_seconds(&self) -> i32;
    /// Which pods are its own. Errors: an operator that is not one.
    fn selector(&self) -> Result<Selector, String>;
    /// What its pods are like.
    fn template(&self) -> Option<&PodTemplateSpec>;
    /// Its status.
    fn counts(&self) -> Counts;
    /// Sets its status.
    fn set_counts(&mut self, counts: Counts);
}

/// The two kinds' statuses have the same fields (but for one) and no type in common.
macro_rules! status_as_counts {
    (@of $status:ident) => {
        None
    };
    (@of $status:ident $field:ident) => {
        $status.$field
    };
    ($status:ident, $condition:ident $(, $terminating:ident)?) => {
        fn counts(&self) -> Counts {
            let Some(status) = &self.status else { return Counts::default() };
            let conditions = status.conditions.iter().flatten().map(|c| Condition {
                type_: c.type_.clone(),
                status: c.status.clone(),
                reason: c.reason.clone().unwrap_or_default(),
                message: c.message.clone().unwrap_or_default(),
                last_transition_time: c.last_transition_time.clone().unwrap_or_else(epoch),
            });
            Counts {
                replicas: status.replicas,
                fully_labeled: status.fully_labeled_replicas.unwrap_or(0),
                ready: status.ready_replicas.unwrap_or(0),
                available: status.available_replicas.unwrap_or(0),
                observed_generation: status.observed_generation,
                conditions: conditions.collect(),
                terminating: status_as_counts!(@of status $($terminating)?),
            }
        }

        fn set_counts(&mut self, counts: Counts) {
            let conditions: Vec<_> = counts
                .conditions
                .into_iter()
                .map(|c| $condition {
                    type_: c.type_,
                    status: c.status,
                    reason: Some(c.reason).filter(|r| !r.is_empty()),
                    message: Some(c.message).filter(|m| !m.is_empty()),
                    last_transition_time: Some(c.last_transition_time),
                })
                .collect();
            self.status = Some($status {
                replicas: counts.replicas,
                fully_labeled_replicas: non_zero(counts.fully_labeled),
                ready_replicas: non_zero(counts.ready),
                available_replicas: non_zero(counts.available),
                observed_generation: counts.observed_generation,
                conditions: (!conditions.is_empty()).then_some(conditions),
                $($terminating: counts.terminating,)?
            });
        }
    };
}

impl Replicated for ReplicaSet {
    const CONTROLLER: &'static str = "replicaset-controller";

    fn replicas(&self) -> i32 {
        self.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1)
    }

    fn min_ready_seconds(&self) -> i32 {
        self.spec.as_ref().and_then(|s| s.min_ready_seconds).unwrap_or(0)
    }

    fn selector(&self) -> Result<Selector, String> {
        Selector::from_label_selector(self.spec.as_ref().map(|s| &s.selector))
    }

    fn template(&self) -> Option<&PodTemplateSpec> {
        self.spec.as_ref()?.template.as_ref()
    }

    status_as_counts!(ReplicaSetStatus, ReplicaSetCondition, terminating_replicas);
}

impl Replicated for ReplicationController {
    const CONTROLLER: &'static str = "replicationcontroller-controller";
    const SOURCE: &'static str = "replication-controller";
    const COUNTS_TERMINATING: bool = false;

    fn replicas(&self) -> i32 {
        self.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1)
    }

    fn min_ready_seconds(&self) -> i32 {
        self.spec.as_ref().and_then(|s| s.min_ready_seconds).unwrap_or(0)
    }

    fn selector(&self) -> Result<Selector, String> {
        let labels = self.spec.as_ref().and_then(|s| s.selector.clone()).unwrap_or_default();
        Ok(Selector::from_labels(&labels))
    }

    fn template(&self) -> Option<&PodTemplateSpec> {
        self.spec.as_ref()?.template.as_ref()
    }

    status_as_counts!(ReplicationControllerStatus, ReplicationControllerCondition);
}

/// Zeros are left out of statuses (`omitempty`).
pub fn non_zero(n: i32) -> Option<i32> {
    (n != 0).then_some(n)
}

fn epoch() -> Time {
    crate::sim::Time::default().to_meta()
}
