//! The rules of ReplicationControllers.
//!
//! Models `pkg/apis/core/v1/defaults.go`, `ValidateReplicationController` and
//! `pkg/registry/core/replicationcontroller/strategy.go`.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{ReplicationController, ReplicationControllerStatus},
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};

use super::{Strategy, StrategyCx, pod, workload, workload::status};
use crate::api::{FieldError, Path, selector::Selector};

/// See the module.
pub struct ReplicationControllers;

impl Strategy for ReplicationControllers {
    type Object = ReplicationController;

    fn defaults(&self, rc: &mut ReplicationController) {
        let spec = rc.spec.get_or_insert_default();
        spec.replicas.get_or_insert(1);
        if spec.min_ready_seconds == Some(0) {
            spec.min_ready_seconds = None;
        }
        let Some(template) = &mut spec.template else { return };
        workload::template_defaults(template);
        let labels = template.metadata.as_ref().and_then(|m| m.labels.clone());
        if spec.selector.as_ref().is_none_or(BTreeMap::is_empty) {
            spec.selector.clone_from(&labels);
        }
        if rc.metadata.labels.as_ref().is_none_or(BTreeMap::is_empty) {
            rc.metadata.labels = labels;
        }
    }

    fn prepare_create(&self, _: &StrategyCx, rc: &mut ReplicationController) {
        rc.status = Some(ReplicationControllerStatus::default());
    }

    fn prepare_update(
        &self,
        _: &StrategyCx,
        new: &mut ReplicationController,
        old: &ReplicationController,
    ) {
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(&self, new: &mut ReplicationController, old: &ReplicationController) {
        new.spec.clone_from(&old.spec);
    }

    fn spec_changed(
        &self,
        new: &ReplicationController,
        old: &ReplicationController,
    ) -> Option<bool> {
        Some(new.spec != old.spec)
    }

    fn validate(&self, _: &StrategyCx, rc: &ReplicationController) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let Some(spec) = &rc.spec else { return errors };
        workload::not_negative(spec.min_ready_seconds, "spec.minReadySeconds", &mut errors);
        let selector = spec.selector.clone().unwrap_or_default();
        if selector.is_empty() {
            errors.push(FieldError::required("spec.selector", ""));
        }
        workload::not_negative(spec.replicas, "spec.replicas", &mut errors);
        match &spec.template {
            None => errors.push(FieldError::required("spec.template", "")),
            Some(template) => {
                let selector = LabelSelector { match_labels: Some(selector), ..Default::default() };
                workload::template(template, &selector, &mut errors);
            }
        }
        errors
    }

    fn field(&self, rc: &ReplicationController, path: &str) -> Option<String> {
        let replicas = rc.status.as_ref().map_or(0, |s| s.replicas);
        (path == "status.replicas").then(|| replicas.to_string())
    }

    fn validate_status(
        &self,
        new: &ReplicationController,
        _: &ReplicationController,
    ) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let Some(s) = &new.status else { return errors };
        let counted = status::Replicas {
            all: s.replicas,
            labeled: s.fully_labeled_replicas,
            ready: s.ready_replicas,
            available: s.available_replicas,
            observed: s.observed_generation,
            terminating: None,
        };
        status::replicas(&counted, &mut errors);
        errors
    }

    fn warnings(
        &self,
        rc: &ReplicationController,
        old: Option<&ReplicationController>,
    ) -> Vec<String> {
        let template = rc.spec.as_ref().and_then(|s| s.template.as_ref());
        let metas = (&rc.metadata, old.map(|o| &o.metadata));
        pod::owner_warnings(metas, true, template, &Path::new("spec.template"))
    }

    fn scale(&self, rc: &ReplicationController) -> Option<(i32, i32, String)> {
        let spec = rc.spec.as_ref()?;
        let selector = Selector::from_labels(&spec.selector.clone().unwrap_or_default());
        let current = rc.status.as_ref().map_or(0, |s| s.replicas);
        Some((spec.replicas.unwrap_or(1), current, selector.to_string()))
    }

    fn set_scale(&self, rc: &mut ReplicationController, replicas: i32) {
        rc.spec.get_or_insert_default().replicas = Some(replicas);
    }
}
