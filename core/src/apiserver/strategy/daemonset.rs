//! The rules of DaemonSets.
//!
//! Models `pkg/registry/apps/daemonset/strategy.go`.

use k8s_openapi::{api::apps::v1::DaemonSet, apimachinery::pkg::util::intstr::IntOrString};

use super::{Strategy, StrategyCx, pod, workload};
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
        workload::template(&spec.template, &spec.selector, &mut errors);
        workload::not_negative(spec.min_ready_seconds, "spec.minReadySeconds", &mut errors);
        let strategy = spec.update_strategy.as_ref();
        match strategy.and_then(|s| s.type_.as_deref()).unwrap_or_default() {
            "OnDelete" => {}
            "RollingUpdate" => {
                let rolling = strategy.and_then(|s| s.rolling_update.as_ref());
                let zero = IntOrString::Int(0);
                let one = |v: Option<&IntOrString>| v.cloned().unwrap_or(zero.clone());
                let unavailable = one(rolling.and_then(|r| r.max_unavailable.as_ref()));
                let surge = one(rolling.and_then(|r| r.max_surge.as_ref()));
                let field = "spec.updateStrategy.rollingUpdate.maxUnavailable";
                let surge_field = "spec.updateStrategy.rollingUpdate.maxSurge";
                workload::count_or_percent(&unavailable, field, &mut errors);
                workload::at_most_all(&unavailable, field, &mut errors);
                workload::count_or_percent(&surge, surge_field, &mut errors);
                workload::at_most_all(&surge, surge_field, &mut errors);
                match (workload::is_zero(&unavailable), workload::is_zero(&surge)) {
                    (true, true) => {
                        let why = "cannot be 0 when maxSurge is 0";
                        errors.push(FieldError::invalid(field, workload::shown(&unavailable), why));
                    }
                    (false, false) => {
                        let why = "may not be set when maxUnavailable is non-zero";
                        let shown = workload::shown(&surge);
                        errors.push(FieldError::invalid(surge_field, shown, why));
                    }
                    _ => {}
                }
            }
            other => errors.push(FieldError::not_supported(
                "spec.updateStrategy",
                other,
                &["RollingUpdate", "OnDelete"],
            )),
        }
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

    fn warnings(&self, ds: &DaemonSet, old: Option<&DaemonSet>) -> Vec<String> {
        match (&ds.spec, old) {
            (Some(s), None) => pod::template_warnings(&s.template, &Path::new("spec.template")),
            _ => Vec::new(),
        }
    }
}
