//! Revisions: the annotations in which a Deployment's history is kept.
//!
//! Models the annotation functions of `pkg/controller/deployment/util/deployment_util.go`.

use std::rc::Rc;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};

use super::sets::Spec;

pub const REVISION: &str = "deployment.kubernetes.io/revision";
pub const HISTORY: &str = "deployment.kubernetes.io/revision-history";
pub const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
pub const MAXIMUM: &str = "deployment.kubernetes.io/max-replicas";

/// Longest list of former revisions, in bytes (`maxRevHistoryLengthInChars`).
const HISTORY_MAX: usize = 2000;

/// Annotations that belong to the Deployment or to the ReplicaSet alone.
const OWN: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    HISTORY,
    DESIRED,
    MAXIMUM,
    "deprecated.deployment.rollback.to",
];

/// A ReplicaSet's revision; 0 without one.
pub fn revision(set: &ReplicaSet) -> i64 {
    let text = crate::api::meta::annotation(&set.metadata, REVISION);
    text.and_then(|t| t.parse().ok()).unwrap_or(0)
}

/// The highest revision among ReplicaSets.
pub fn highest(sets: &[Rc<ReplicaSet>]) -> i64 {
    sets.iter().map(|s| revision(s)).max().unwrap_or(0)
}

fn set(map: &mut std::collections::BTreeMap<String, String>, key: &str, value: String) -> bool {
    if map.get(key) == Some(&value) {
        return false;
    }
    map.insert(key.to_string(), value);
    true
}

/// Notes the wanted and the most replicas, by which a later change of size is noticed and
/// measured. Whether anything changed.
pub fn note_size(set_: &mut ReplicaSet, spec: &Spec) -> bool {
    let map = set_.metadata.annotations.get_or_insert_default();
    let desired = set(map, DESIRED, spec.replicas.to_string());
    set(map, MAXIMUM, spec.replicas.saturating_add(spec.max_surge).to_string()) || desired
}

/// Brings the new ReplicaSet's annotations up to date: the Deployment's own, and `new_revision`
/// if that is higher than what it has (its former one joins the history: that is a rollback).
/// Whether anything changed.
pub fn note_revision(d: &Deployment, new: &mut ReplicaSet, new_revision: i64) -> bool {
    let before = revision(new);
    let map = new.metadata.annotations.get_or_insert_default();
    let mut changed = false;
    for (key, value) in d.metadata.annotations.iter().flatten() {
        if !OWN.contains(&key.as_str()) {
            changed |= set(map, key, value.clone());
        }
    }
    if before >= new_revision {
        return changed;
    }
    let former = map.insert(REVISION.to_string(), new_revision.to_string());
    if let Some(former) = former {
        let history = map.get(HISTORY).cloned().unwrap_or_default();
        map.insert(HISTORY.to_string(), lengthened(&history, &former));
    }
    true
}

fn lengthened(history: &str, revision: &str) -> String {
    if history.is_empty() {
        return revision.to_string();
    }
    let mut rest = history;
    while rest.len() + 1 + revision.len() > HISTORY_MAX {
        let Some((_, tail)) = rest.split_once(',') else { return revision.to_string() };
        rest = tail;
    }
    format!("{rest},{revision}")
}

/// Gives the Deployment its new ReplicaSet's revision. Whether it changed.
pub fn note_current(d: &mut Deployment, revision: String) -> bool {
    set(d.metadata.annotations.get_or_insert_default(), REVISION, revision)
}
