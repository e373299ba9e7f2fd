//! The rules of ReplicaSets.
//!
//! Models `pkg/registry/apps/replicaset/strategy.go`.

use k8s_openapi::api::apps::v1::ReplicaSet;

use super::{Strategy, StrategyCx, pod, workload, workload::status};
use crate::api::{FieldError, Path, selector::Selector};

/// See the module.
pub struct ReplicaSets;

impl Strategy for ReplicaSets {
    type Object = ReplicaSet;

    fn defaults(&self, rs: &mut ReplicaSet) {
        let spec = rs.spec.get_or_insert_default();
        spec.replicas.get_or_insert(1);
        if spec.min_ready_seconds == Some(0) {
            spec.min_ready_seconds = None;
        }
        workload::template_defaults(spec.template.get_or_insert_default());
    }

    fn prepare_create(&self, _: &StrategyCx, rs: &mut ReplicaSet) {
        rs.status = Some(Default::default());
    }

    fn prepare_update(&self, _: &StrategyCx, new: &mut ReplicaSet, old: &ReplicaSet) {
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(&self, new: &mut ReplicaSet, old: &ReplicaSet) {
        new.spec.clone_from(&old.spec);
    }

    fn spec_changed(&self, new: &ReplicaSet, old: &ReplicaSet) -> Option<bool> {
        Some(new.spec != old.spec)
    }

    fn validate(&self, _: &StrategyCx, rs: &ReplicaSet) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let Some(spec) = &rs.spec else { return errors };
        workload::not_negative(spec.replicas, "spec.replicas", &mut errors);
        workload::not_negative(spec.min_ready_seconds, "spec.minReadySeconds", &mut errors);
        // The words are upstream's.
        workload::selector(&spec.selector, "deployment", &mut errors);
        if let Some(template) = &spec.template {
            workload::template(template, &spec.selector, &mut errors);
        }
        errors
    }

    fn validate_update(
        &self,
        _: &StrategyCx,
        new: &ReplicaSet,
        old: &ReplicaSet,
    ) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if let (Some(new), Some(old)) = (&new.spec, &old.spec) {
            workload::immutable_selector(&new.selector, &old.selector, &mut errors);
        }
        errors
    }

    fn field(&self, rs: &ReplicaSet, path: &str) -> Option<String> {
        let replicas = rs.status.as_ref().map_or(0, |s| s.replicas);
        (path == "status.replicas").then(|| replicas.to_string())
    }

    fn validate_status(&self, new: &ReplicaSet, _: &ReplicaSet) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let Some(s) = &new.status else { return errors };
        let counted = status::Replicas {
            all: s.replicas,
            labeled: s.fully_labeled_replicas,
            ready: s.ready_replicas,
            available: s.available_replicas,
            observed: s.observed_generation,
            terminating: s.terminating_replicas,
        };
        status::replicas(&counted, &mut errors);
        errors
    }

    fn warnings(&self, rs: &ReplicaSet, old: Option<&ReplicaSet>) -> Vec<String> {
        let template = rs.spec.as_ref().and_then(|s| s.template.as_ref());
        let metas = (&rs.metadata, old.map(|o| &o.metadata));
        pod::owner_warnings(metas, true, template, &Path::new("spec.template"))
    }

    fn scale(&self, rs: &ReplicaSet) -> Option<(i32, i32, String)> {
        let spec = rs.spec.as_ref()?;
        let selector = Selector::from_label_selector(Some(&spec.selector)).unwrap_or_default();
        let current = rs.status.as_ref().map_or(0, |s| s.replicas);
        Some((spec.replicas.unwrap_or(1), current, selector.to_string()))
    }

    fn set_scale(&self, rs: &mut ReplicaSet, replicas: i32) {
        rs.spec.get_or_insert_default().replicas = Some(replicas);
    }
}
