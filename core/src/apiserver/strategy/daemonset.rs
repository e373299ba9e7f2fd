//! The rules of DaemonSets.
//!
//! Models `pkg/registry/apps/daemonset/strategy.go`.

use k8s_openapi::{
    api::apps::v1::{DaemonSet, DaemonSetSpec},
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{Strategy, StrategyCx, pod, workload, workload::status};
use crate::api::{FieldError, Path};

/// Where the generation of the template is kept, for readers from before `apps/v1`.
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

/// See the module.
pub struct DaemonSets;

fn set_template_generation(ds: &mut DaemonSet, generation: i64) {
    let annotations = ds.metadata.annotations.get_or_insert_default();
    annotations.insert(TEMPLATE_GENERATION.into(), generation.to_string());
}

fn template_generation(ds: &DaemonSet) -> i64 {
    let annotations = ds.metadata.annotations.as_ref();
    annotations.and_then(|a| a.get(TEMPLATE_GENERATION)?.parse().ok()).unwrap_or(1)
}

impl Strategy for DaemonSets {
    type Object = DaemonSet;

    fn defaults(&self, ds: &mut DaemonSet) {
        let spec = ds.spec.get_or_insert_default();
        let strategy = spec.update_strategy.get_or_insert_default();
        pod::defaults::text(&mut strategy.type_, "RollingUpdate");
        if strategy.type_.as_deref() == Some("RollingUpdate") {
            let rolling = strategy.rolling_update.get_or_insert_default();
            rolling.max_unavailable.get_or_insert(IntOrString::Int(1));
            rolling.max_surge.get_or_insert(IntOrString::Int(0));
        }
        spec.revision_history_limit.get_or_insert(10);
        workload::template_defaults(&mut spec.template);
    }

    fn prepare_create(&self, _: &StrategyCx, ds: &mut DaemonSet) {
        ds.status = Some(Default::default());
        set_template_generation(ds, 1);
    }

    fn prepare_update(&self, _: &StrategyCx, new: &mut DaemonSet, old: &DaemonSet) {
        new.status.clone_from(&old.status);
        let template = |d: &DaemonSet| d.spec.as_ref().map(|s| s.template.clone());
        let changed = template(new) != template(old);
        set_template_generation(new, template_generation(old) + i64::from(changed));
    }

    fn prepare_status_update(&self, new: &mut DaemonSet, old: &DaemonSet) {
        new.spec.clone_from(&old.spec);
    }

    fn spec_changed(&self, new: &DaemonSet, old: &DaemonSet) -> Option<bool> {
        Some(new.spec != old.spec)
    }

    fn validate(&self, _: &StrategyCx, ds: &DaemonSet) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let Some(spec) = &ds.spec else { return errors };
        workload::selector(&spec.selector, "daemonset", &mut errors);
        workload::daemon_template(&spec.template, &spec.selector, &mut errors);
        workload::not_negative(spec.min_ready_seconds, "spec.minReadySeconds", &mut errors);
        update_strategy(spec, &mut errors);
        let history = spec.revision_history_limit;
        workload::not_negative(history, "spec.revisionHistoryLimit", &mut errors);
        errors
    }

    fn validate_update(&self, _: &StrategyCx, new: &DaemonSet, old: &DaemonSet) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if let (Some(new), Some(old)) = (&new.spec, &old.spec) {
            workload::immutable_selector(&new.selector, &old.selector, &mut errors);
        }
        errors
    }

    fn validate_status(&self, new: &DaemonSet, old: &DaemonSet) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let Some(s) = &new.status else { return errors };
        status::counts(
            &[
                ("currentNumberScheduled", Some(s.current_number_scheduled.into())),
                ("numberMisscheduled", Some(s.number_misscheduled.into())),
                ("desiredNumberScheduled", Some(s.desired_number_scheduled.into())),
                ("numberReady", Some(s.number_ready.into())),
                ("observedGeneration", s.observed_generation),
                ("updatedNumberScheduled", s.updated_number_scheduled.map(i64::from)),
                ("numberAvailable", s.number_available.map(i64::from)),
                ("numberUnavailable", s.number_unavailable.map(i64::from)),
                ("collisionCount", s.collision_count.map(i64::from)),
            ],
            &mut errors,
        );
        let was = old.status.as_ref().and_then(|s| s.collision_count);
        status::collisions(s.collision_count, was, &mut errors);
        errors
    }

    fn warnings(&self, ds: &DaemonSet, old: Option<&DaemonSet>) -> Vec<String> {
        let template = ds.spec.as_ref().map(|s| &s.template);
        let metas = (&ds.metadata, old.map(|o| &o.metadata));
        pod::owner_warnings(metas, false, template, &Path::new("spec.template"))
    }
}

/// Models `ValidateDaemonSetUpdateStrategy`.
fn update_strategy(spec: &DaemonSetSpec, errors: &mut Vec<FieldError>) {
    let strategy = spec.update_strategy.as_ref();
    let rolling = strategy.and_then(|s| s.rolling_update.as_ref());
    let zero = IntOrString::Int(0);
    let unavailable = rolling.and_then(|r| r.max_unavailable.as_ref()).unwrap_or(&zero);
    let surge = rolling.and_then(|r| r.max_surge.as_ref()).unwrap_or(&zero);
    match strategy.and_then(|s| s.type_.as_deref()).unwrap_or_default() {
        "OnDelete" => {}
        "RollingUpdate" => {
            let field = "spec.updateStrategy.rollingUpdate.maxUnavailable";
            let surge_field = "spec.updateStrategy.rollingUpdate.maxSurge";
            workload::count_or_percent(unavailable, field, errors);
            workload::count_or_percent(surge, surge_field, errors);
            workload::at_most_all(unavailable, field, errors);
            workload::at_most_all(surge, surge_field, errors);
            match (workload::is_zero(unavailable), workload::is_zero(surge)) {
                (true, true) => {
                    errors.push(FieldError::required(field, "cannot be 0 when maxSurge is 0"));
                }
                (false, false) => {
                    let why = "may not be set when maxUnavailable is non-zero";
                    let shown = workload::shown(surge);
                    errors.push(FieldError::invalid(surge_field, shown, why));
                }
                _ => {}
            }
        }
        other => {
            let known = &["RollingUpdate", "OnDelete"];
            let shown = workload::shown_strategy(other, rolling.map(|_| (unavailable, surge)));
            errors.push(FieldError::not_supported_value("spec.updateStrategy", &shown, known));
        }
    }
}
