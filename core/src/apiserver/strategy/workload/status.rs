//! What the statuses of workloads have in common: counts that fit each other.
//!
//! Models `ValidateDeploymentStatus` and its siblings in `pkg/apis/apps/validation`.

use crate::api::{FieldError, Path};

const AT: Path = Path::new("status");

/// Counts can't be negative.
pub fn counts(fields: &[(&str, Option<i64>)], errors: &mut Vec<FieldError>) {
    for (field, value) in fields {
        if let Some(value) = value.filter(|v| *v < 0) {
            let why = "must be greater than or equal to 0";
            errors.push(FieldError::invalid(AT.child(field), value, why));
        }
    }
}

/// A field, its count, the count that is the most, and how that is called.
pub type Limit<'a> = (&'a str, i32, i32, &'a str);

/// Some of them can't be more than all.
pub fn at_most(limits: &[Limit], errors: &mut Vec<FieldError>) {
    for (field, value, most, all) in limits {
        if value > most {
            let why = format!("cannot be greater than {all}");
            errors.push(FieldError::invalid(AT.child(field), value, &why));
        }
    }
}

/// What of all replicas a replica set or replication controller counts.
pub struct Replicas {
    /// All.
    pub all: i32,
    /// `fullyLabeledReplicas`
    pub labeled: Option<i32>,
    /// `readyReplicas`
    pub ready: Option<i32>,
    /// `availableReplicas`
    pub available: Option<i32>,
    /// `observedGeneration`
    pub observed: Option<i64>,
    /// `terminatingReplicas`
    pub terminating: Option<i32>,
}

/// Such counts fit each other.
pub fn replicas(of: &Replicas, errors: &mut Vec<FieldError>) {
    counts(
        &[
            ("replicas", Some(of.all.into())),
            ("fullyLabeledReplicas", of.labeled.map(i64::from)),
            ("readyReplicas", of.ready.map(i64::from)),
            ("availableReplicas", of.available.map(i64::from)),
            ("observedGeneration", of.observed),
            ("terminatingReplicas", of.terminating.map(i64::from)),
        ],
        errors,
    );
    let (ready, available) = (of.ready.unwrap_or(0), of.available.unwrap_or(0));
    at_most(
        &[
            ("fullyLabeledReplicas", of.labeled.unwrap_or(0), of.all, "status.replicas"),
            ("readyReplicas", ready, of.all, "status.replicas"),
            ("availableReplicas", available, of.all, "status.replicas"),
            ("availableReplicas", available, ready, "readyReplicas"),
        ],
        errors,
    );
}

/// Collisions of hashes are counted up only.
pub fn collisions(new: Option<i32>, old: Option<i32>, errors: &mut Vec<FieldError>) {
    let fewer = match (new, old) {
        (None, Some(_)) => true,
        (Some(new), Some(old)) => new < old,
        _ => false,
    };
    if fewer {
        let at = AT.child("collisionCount");
        errors.push(FieldError::invalid(at, new.unwrap_or(0), "cannot be decremented"));
    }
}
