//! The rules of Deployments.
//!
//! Models `pkg/apis/apps/v1/defaults.go`, `pkg/apis/apps/validation` and
//! `pkg/registry/apps/deployment/strategy.go`.

use k8s_openapi::{
    api::apps::v1::{Deployment, DeploymentStrategy},
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{Strategy, StrategyCx, pod, workload, workload::status};
use crate::api::{FieldError, Path, selector::Selector};

/// See the module.
pub struct Deployments;

impl Strategy for Deployments {
    type Object = Deployment;

    fn defaults(&self, d: &mut Deployment) {
        let spec = d.spec.get_or_insert_default();
        spec.replicas.get_or_insert(1);
        let strategy = spec.strategy.get_or_insert_default();
        pod::defaults::text(&mut strategy.type_, "RollingUpdate");
        if strategy.type_.as_deref() == Some("RollingUpdate") {
            let rolling = strategy.rolling_update.get_or_insert_default();
            let quarter = || IntOrString::String("25%".into());
            rolling.max_unavailable.get_or_insert_with(quarter);
            rolling.max_surge.get_or_insert_with(quarter);
        }
        spec.revision_history_limit.get_or_insert(10);
        spec.progress_deadline_seconds.get_or_insert(600);
        if spec.min_ready_seconds == Some(0) {
            spec.min_ready_seconds = None;
        }
        if spec.paused == Some(false) {
            spec.paused = None;
        }
        workload::template_defaults(&mut spec.template);
    }

    fn prepare_create(&self, _: &StrategyCx, d: &mut Deployment) {
        d.status = Some(Default::default());
    }

    fn prepare_update(&self, _: &StrategyCx, new: &mut Deployment, old: &Deployment) {
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(&self, new: &mut Deployment, old: &Deployment) {
        new.spec.clone_from(&old.spec);
        new.metadata.labels.clone_from(&old.metadata.labels);
    }

    /// Annotations count as well: the deployment controller copies them.
    fn spec_changed(&self, new: &Deployment, old: &Deployment) -> Option<bool> {
        let annotations = new.metadata.annotations != old.metadata.annotations;
        Some(new.spec != old.spec || annotations)
    }

    fn validate(&self, _: &StrategyCx, d: &Deployment) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let Some(spec) = &d.spec else { return errors };
        workload::not_negative(spec.replicas, "spec.replicas", &mut errors);
        workload::selector(&spec.selector, "deployment", &mut errors);
        workload::template(&spec.template, &spec.selector, &mut errors);
        if let Some(strategy) = &spec.strategy {
            check_strategy(strategy, &mut errors);
        }
        workload::not_negative(spec.min_ready_seconds, "spec.minReadySeconds", &mut errors);
        let history = spec.revision_history_limit;
        workload::not_negative(history, "spec.revisionHistoryLimit", &mut errors);
        if let Some(deadline) = spec.progress_deadline_seconds {
            let field = "spec.progressDeadlineSeconds";
            workload::not_negative(Some(deadline), field, &mut errors);
            if deadline <= spec.min_ready_seconds.unwrap_or(0) {
                let why = "must be greater than minReadySeconds";
                errors.push(FieldError::invalid(field, deadline, why));
            }
        }
        errors
    }

    fn validate_update(
        &self,
        _: &StrategyCx,
        new: &Deployment,
        old: &Deployment,
    ) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if let (Some(new), Some(old)) = (&new.spec, &old.spec) {
            workload::immutable_selector(&new.selector, &old.selector, &mut errors);
        }
        errors
    }

    fn validate_status(&self, new: &Deployment, old: &Deployment) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let none = Default::default();
        let (s, was) = (new.status.as_ref().unwrap_or(&none), old.status.as_ref());
        let replicas = s.replicas.unwrap_or(0);
        let (updated, ready) = (s.updated_replicas.unwrap_or(0), s.ready_replicas.unwrap_or(0));
        let available = s.available_replicas.unwrap_or(0);
        status::counts(
            &[
                ("observedGeneration", s.observed_generation),
                ("replicas", s.replicas.map(i64::from)),
                ("updatedReplicas", s.updated_replicas.map(i64::from)),
                ("readyReplicas", s.ready_replicas.map(i64::from)),
                ("availableReplicas", s.available_replicas.map(i64::from)),
                ("unavailableReplicas", s.unavailable_replicas.map(i64::from)),
                ("terminatingReplicas", s.terminating_replicas.map(i64::from)),
                ("collisionCount", s.collision_count.map(i64::from)),
            ],
            &mut errors,
        );
        let of = |field, n| (field, n, replicas, "status.replicas");
        status::at_most(
            &[
                of("updatedReplicas", updated),
                of("readyReplicas", ready),
                of("availableReplicas", available),
                ("availableReplicas", available, ready, "readyReplicas"),
            ],
            &mut errors,
        );
        status::collisions(s.collision_count, was.and_then(|s| s.collision_count), &mut errors);
        errors
    }

    fn warnings(&self, d: &Deployment, old: Option<&Deployment>) -> Vec<String> {
        let template = d.spec.as_ref().map(|s| &s.template);
        let metas = (&d.metadata, old.map(|o| &o.metadata));
        pod::owner_warnings(metas, true, template, &Path::new("spec.template"))
    }

    fn scale(&self, d: &Deployment) -> Option<(i32, i32, String)> {
        let spec = d.spec.as_ref()?;
        let selector = Selector::from_label_selector(Some(&spec.selector)).unwrap_or_default();
        let current = d.status.as_ref().and_then(|s| s.replicas).unwrap_or(0);
        Some((spec.replicas.unwrap_or(1), current, selector.to_string()))
    }

    fn set_scale(&self, d: &mut Deployment, replicas: i32) {
        d.spec.get_or_insert_default().replicas = Some(replicas);
    }
}

fn check_strategy(strategy: &DeploymentStrategy, errors: &mut Vec<FieldError>) {
    let rolling = strategy.rolling_update.as_ref();
    match strategy.type_.as_deref().unwrap_or_default() {
        "Recreate" => {
            if rolling.is_some() {
                let why = "may not be specified when strategy `type` is 'Recreate'";
                errors.push(FieldError::forbidden("spec.strategy.rollingUpdate", why));
            }
        }
        "RollingUpdate" => {
            let Some(rolling) = rolling else {
                let why = "this should be defaulted and never be nil";
                errors.push(FieldError::required("spec.strategy.rollingUpdate", why));
                return;
            };
            let zero = IntOrString::Int(0);
            let unavailable = rolling.max_unavailable.as_ref().unwrap_or(&zero);
            let surge = rolling.max_surge.as_ref().unwrap_or(&zero);
            let field = "spec.strategy.rollingUpdate.maxUnavailable";
            workload::count_or_percent(unavailable, field, errors);
            let surge_field = "spec.strategy.rollingUpdate.maxSurge";
            workload::count_or_percent(surge, surge_field, errors);
            if workload::is_zero(unavailable) && workload::is_zero(surge) {
                let why = "may not be 0 when `maxSurge` is 0";
                errors.push(FieldError::invalid(field, workload::shown(unavailable), why));
            }
            workload::at_most_all(unavailable, field, errors);
        }
        _ => {
            let zero = IntOrString::Int(0);
            let rolling = rolling.map(|r| {
                (r.max_unavailable.as_ref().unwrap_or(&zero), r.max_surge.as_ref().unwrap_or(&zero))
            });
            let name = strategy.type_.as_deref().unwrap_or_default();
            let value = workload::shown_strategy(name, rolling);
            errors.push(FieldError::not_supported_value(
                "spec.strategy",
                &value,
                &["Recreate", "RollingUpdate"],
            ));
        }
    }
}
