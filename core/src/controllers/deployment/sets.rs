//! A Deployment's numbers and its ReplicaSets: sums, order, which is the new one.
//!
//! Models `pkg/controller/deployment/util/deployment_util.go`.

use std::rc::Rc;

use k8s_openapi::{
    api::{
        apps::v1::{Deployment, ReplicaSet},
        core::v1::PodTemplateSpec,
    },
    apimachinery::pkg::util::intstr::IntOrString,
};

use crate::{
    api::{meta::annotation, object::to_value},
    controllers::pods::Fnv,
};

/// The label that tells the pods of one template from those of another.
pub const HASH_LABEL: &str = "pod-template-hash";

/// The numbers of a Deployment's spec.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    pub replicas: i32,
    pub paused: bool,
    /// Seconds without progress after which a rollout has failed; `None` for no deadline.
    pub deadline: Option<i32>,
    /// Old ReplicaSets kept; `None` for all.
    pub history: Option<i32>,
    /// Pods above `replicas` that a rollout may make.
    pub max_surge: i32,
    /// Pods below `replicas` that a rollout may lack.
    pub max_unavailable: i32,
    rolling: bool,
}

impl Spec {
    pub fn of(d: &Deployment) -> Self {
        let spec = d.spec.as_ref();
        let replicas = spec.and_then(|s| s.replicas).unwrap_or(1);
        let strategy = spec.and_then(|s| s.strategy.as_ref());
        let rolling =
            strategy.and_then(|s| s.type_.as_deref()).unwrap_or("RollingUpdate") == "RollingUpdate";
        let limits = strategy.and_then(|s| s.rolling_update.as_ref());
        let quarter = IntOrString::String("25%".into());
        let surge = limits.and_then(|l| l.max_surge.as_ref()).unwrap_or(&quarter);
        let unavailable = limits.and_then(|l| l.max_unavailable.as_ref()).unwrap_or(&quarter);
        let (max_surge, max_unavailable) =
            if rolling { fence_posts(surge, unavailable, replicas) } else { (0, 0) };
        // The largest numbers mean that there is no such limit.
        let limited = |n: Option<i32>| n.filter(|n| *n != i32::MAX);
        Spec {
            replicas,
            paused: spec.and_then(|s| s.paused).unwrap_or(false),
            deadline: limited(spec.map(|s| s.progress_deadline_seconds.unwrap_or(600))),
            history: limited(spec.map(|s| s.revision_history_limit.unwrap_or(10))),
            max_surge,
            max_unavailable: if replicas == 0 { 0 } else { max_unavailable.min(replicas) },
            rolling,
        }
    }

    pub fn recreates(&self) -> bool {
        !self.rolling
    }
}

/// Surge rounded up, unavailability rounded down; where both are nothing, one may be missing, so
/// that a rollout can move at all. Models `ResolveFenceposts`.
fn fence_posts(surge: &IntOrString, unavailable: &IntOrString, replicas: i32) -> (i32, i32) {
    let surge = scaled(surge, replicas, true);
    let unavailable = scaled(unavailable, replicas, false);
    if surge == 0 && unavailable == 0 { (0, 1) } else { (surge, unavailable) }
}

/// A number, or a percentage of `total`. Models `GetScaledValueFromIntOrPercent`; what is neither
/// counts as nothing (validation refuses it).
pub fn scaled(value: &IntOrString, total: i32, up: bool) -> i32 {
    match value {
        IntOrString::Int(n) => *n,
        IntOrString::String(text) => {
            let percent = text.strip_suffix('%').and_then(|n| n.parse::<i64>().ok()).unwrap_or(0);
            let hundredths = percent.saturating_mul(i64::from(total));
            let rounded = if up { (hundredths + 99).div_euclid(100) } else { hundredths / 100 };
            i32::try_from(rounded).unwrap_or(i32::MAX)
        }
    }
}

/// The ReplicaSets of a Deployment: the one with its template, if there is one, and the others.
#[derive(Clone, Debug, Default)]
pub struct Sets {
    pub new: Option<Rc<ReplicaSet>>,
    pub old: Vec<Rc<ReplicaSet>>,
}

impl Sets {
    /// Sorts a Deployment's ReplicaSets out. Models `FindNewReplicaSet`: the oldest that fits.
    pub fn split(d: &Deployment, mut sets: Vec<Rc<ReplicaSet>>) -> Self {
        sets.sort_by(|a, b| by_creation(a, b));
        let fits = |s: &Rc<ReplicaSet>| {
            let template = s.spec.as_ref().and_then(|s| s.template.as_ref());
            match (&d.spec, template) {
                (Some(spec), Some(template)) => same_template(&spec.template, template),
                _ => false,
            }
        };
        let new = sets.iter().position(fits).map(|i| sets.remove(i));
        Sets { new, old: sets }
    }

    pub fn all(&self) -> impl Iterator<Item = &Rc<ReplicaSet>> {
        self.old.iter().chain(&self.new)
    }

    /// Puts a changed set in the place of its former state.
    pub fn replace(&mut self, set: Rc<ReplicaSet>) {
        let places = self.old.iter_mut().chain(&mut self.new);
        for place in places.filter(|p| p.metadata.uid == set.metadata.uid) {
            *place = set.clone();
        }
    }
}

/// How many pods a ReplicaSet is to have.
pub fn size(set: &ReplicaSet) -> i32 {
    set.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1)
}

/// How many of its pods are available.
pub fn available(set: &ReplicaSet) -> i32 {
    set.status.as_ref().and_then(|s| s.available_replicas).unwrap_or(0)
}

/// How many pods it has.
pub fn actual(set: &ReplicaSet) -> i32 {
    set.status.as_ref().map_or(0, |s| s.replicas)
}

pub fn by_creation(a: &ReplicaSet, b: &ReplicaSet) -> std::cmp::Ordering {
    let key = |s: &ReplicaSet| (s.metadata.creation_timestamp.clone(), s.metadata.name.clone());
    key(a).cmp(&key(b))
}

/// A whole number kept in an annotation.
pub fn number(set: &ReplicaSet, key: &str) -> Option<i32> {
    annotation(&set.metadata, key)?.parse().ok()
}

/// Whether templates are equal but for the hash label. Models `EqualIgnoreHash`.
pub fn same_template(a: &PodTemplateSpec, b: &PodTemplateSpec) -> bool {
    if a.spec != b.spec {
        return false;
    }
    let empty = Default::default();
    let (a, b) = (a.metadata.as_ref().unwrap_or(&empty), b.metadata.as_ref().unwrap_or(&empty));
    let labels = |m: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta| {
        let mut labels = m.labels.clone().unwrap_or_default();
        labels.remove(HASH_LABEL);
        labels
    };
    a.annotations.iter().flatten().eq(b.annotations.iter().flatten())
        && a.finalizers == b.finalizers
        && labels(a) == labels(b)
}

/// A hash of the template, as it stands in names and labels. Models `ComputeHash`: the same form,
/// but of another serialisation than upstream's dump of Go values, so other digits.
pub fn template_hash(template: &PodTemplateSpec, collisions: Option<i32>) -> String {
    let mut hash = Fnv::default();
    hash.write(to_value(template).to_string().as_bytes());
    if let Some(collisions) = collisions {
        hash.write(&(collisions as u64).to_le_bytes());
    }
    crate::api::names::safe_encode(&hash.0.to_string())
}
