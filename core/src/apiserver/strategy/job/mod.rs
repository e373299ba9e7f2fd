//! The rules of Jobs.
//!
//! Models `pkg/apis/batch/v1/defaults.go`, `pkg/apis/batch/validation` and
//! `pkg/registry/batch/job/strategy.go`.

mod policies;
mod status;

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        batch::v1::{Job, JobSpec, JobStatus},
        core::v1::{Affinity, Container, PodSpec},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{
    NameRule, Strategy, StrategyCx, godump, metadata,
    pod::{self, defaults::text, selectors},
    workload,
};
use crate::api::{FieldError, Path, object::to_value, selector::Selector};

/// See the module.
pub struct Jobs;

/// The labels by which a job's pods are known, old and new names.
const UID_LABELS: [&str; 2] = ["controller-uid", "batch.kubernetes.io/controller-uid"];
const NAME_LABELS: [&str; 2] = ["job-name", "batch.kubernetes.io/job-name"];

/// Most pods at once and most failed indexes of an indexed job; more completions than this are many.
const MANY: i32 = 100_000;
/// Most pods at once and most failed indexes where there are many and each may fail by itself.
const FEWER: i32 = 10_000;

/// What is filled in, also in templates of jobs.
pub fn defaults(spec: &mut JobSpec, is_job: bool) {
    workload::template_defaults(&mut spec.template);
    if !is_job {
        return;
    }
    if spec.completions.is_none() && spec.parallelism.is_none() {
        (spec.completions, spec.parallelism) = (Some(1), Some(1));
    }
    spec.parallelism.get_or_insert(1);
    let limit = if spec.backoff_limit_per_index.is_some() { i32::MAX } else { 6 };
    spec.backoff_limit.get_or_insert(limit);
    text(&mut spec.completion_mode, "NonIndexed");
    spec.suspend.get_or_insert(false);
    spec.manual_selector.get_or_insert(false);
    let replacement =
        if spec.pod_failure_policy.is_some() { "Failed" } else { "TerminatingOrFailed" };
    text(&mut spec.pod_replacement_policy, replacement);
    for rule in spec.pod_failure_policy.iter_mut().flat_map(|p| &mut p.rules) {
        for pattern in rule.on_pod_conditions.iter_mut().flatten() {
            text(&mut pattern.status, "True");
        }
    }
}

impl Strategy for Jobs {
    type Object = Job;

    fn defaults(&self, job: &mut Job) {
        defaults(job.spec.get_or_insert_default(), true);
    }

    fn prepare_create(&self, _: &StrategyCx, job: &mut Job) {
        job.status = Some(JobStatus::default());
        let (name, uid) = (job.metadata.name.clone().unwrap_or_default(), job.metadata.uid.clone());
        let spec = job.spec.get_or_insert_default();
        if spec.manual_selector != Some(true) {
            generate_selector(spec, &name, &uid.unwrap_or_default());
        }
        let labels = spec.template.metadata.as_ref().and_then(|m| m.labels.clone());
        if job.metadata.labels.as_ref().is_none_or(BTreeMap::is_empty) {
            job.metadata.labels = labels;
        }
    }

    fn prepare_update(&self, _: &StrategyCx, new: &mut Job, old: &Job) {
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(&self, new: &mut Job, old: &Job) {
        new.spec.clone_from(&old.spec);
    }

    fn spec_changed(&self, new: &Job, old: &Job) -> Option<bool> {
        Some(new.spec != old.spec)
    }

    fn validate(&self, _: &StrategyCx, job: &Job) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let Some(spec) = &job.spec else { return errors };
        if spec.manual_selector != Some(true) {
            check_generated(job, spec, &mut errors);
        }
        check(spec, &Path::new("spec"), &mut errors);
        let at = Path::new("spec.selector");
        match &spec.selector {
            None => errors.push(FieldError::required(at, "")),
            Some(selector) => selectors::check(selector, &at, &mut errors),
        }
        let labels = spec.template.metadata.as_ref().and_then(|m| m.labels.as_ref());
        if let Ok(selector) = Selector::from_label_selector(spec.selector.as_ref()) {
            if !selector.matches(labels) {
                let none = BTreeMap::new();
                let shown = to_value(labels.unwrap_or(&none));
                let why = "`selector` does not match template `labels`";
                errors.push(FieldError::invalid("spec.template.metadata.labels", shown, why));
            }
        }
        hostnames(job, spec, &mut errors);
        errors
    }

    fn validate_update(&self, _: &StrategyCx, new: &Job, old: &Job) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if let (Some(spec), Some(was)) = (&new.spec, &old.spec) {
            check_update(spec, was, old, &mut errors);
        }
        errors
    }

    fn validate_status(&self, new: &Job, old: &Job) -> Vec<FieldError> {
        status::check(new, old)
    }

    fn field(&self, job: &Job, path: &str) -> Option<String> {
        let succeeded = job.status.as_ref().and_then(|s| s.succeeded).unwrap_or(0);
        (path == "status.successful").then(|| succeeded.to_string())
    }

    fn warnings(&self, job: &Job, old: Option<&Job>) -> Vec<String> {
        let metas = (&job.metadata, old.map(|o| &o.metadata));
        warnings(metas, job.spec.as_ref(), &Path::new("spec"))
    }
}

/// What is allowed of a job's spec, but probably not meant. Models `WarningsForJobSpec`.
pub fn warnings(
    metas: (&ObjectMeta, Option<&ObjectMeta>),
    spec: Option<&JobSpec>,
    at: &Path,
) -> Vec<String> {
    let template = spec.map(|s| &s.template);
    let mut out = pod::owner_warnings(metas, true, template, &at.child("template"));
    let changed = metas.1.is_none_or(|old| old.generation != metas.0.generation);
    let above = |n: Option<i32>, most: i32| n.is_some_and(|n| n > most);
    let large = spec.is_some_and(|s| {
        s.completion_mode.as_deref() == Some("Indexed")
            && above(s.completions, MANY)
            && above(s.parallelism, FEWER)
    });
    if changed && large {
        out.push(format!(
            "{at}: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism \
             higher than 10^4, Kubernetes might not be able to track completedIndexes when a big \
             number of indexes fail"
        ));
    }
    out
}

/// An indexed job's pods are called by its name and their index.
fn hostnames(job: &Job, spec: &JobSpec, errors: &mut Vec<FieldError>) {
    let completions = spec.completions.unwrap_or(0);
    if spec.completion_mode.as_deref() != Some("Indexed") || completions <= 0 {
        return;
    }
    let name = job.metadata.name.as_deref().unwrap_or_default();
    let last = format!("{name}-{}", completions - 1);
    if metadata::name_error(NameRule::Label, &last).is_some() {
        let why = format!("will not able to create pod with invalid DNS label: {last}");
        errors.push(FieldError::invalid_str("metadata.name", name, &why));
    }
}

/// Gives the pods labels of their own and selects by the one that nobody else has.
fn generate_selector(spec: &mut JobSpec, name: &str, uid: &str) {
    let labels = spec.template.metadata.get_or_insert_default().labels.get_or_insert_default();
    for (keys, value) in [(NAME_LABELS, name), (UID_LABELS, uid)] {
        if !labels.contains_key(keys[1]) {
            keys.iter().for_each(|key| {
                labels.insert((*key).into(), value.into());
            });
        }
    }
    let selector = spec.selector.get_or_insert_default().match_labels.get_or_insert_default();
    selector.entry(UID_LABELS[1].into()).or_insert_with(|| uid.into());
}

/// What was generated must still be there. Models `ValidateGeneratedSelector`.
fn check_generated(job: &Job, spec: &JobSpec, errors: &mut Vec<FieldError>) {
    let uid = job.metadata.uid.clone().unwrap_or_default();
    let name = job.metadata.name.clone().unwrap_or_default();
    let none = BTreeMap::new();
    let labels = spec.template.metadata.as_ref().and_then(|m| m.labels.as_ref()).unwrap_or(&none);
    let mut wanted = BTreeMap::new();
    for (keys, value) in [(UID_LABELS, &uid), (NAME_LABELS, &name)] {
        for key in keys {
            wanted.insert(key.to_string(), value.clone());
            let field = format!("spec.template.metadata.labels[{key}]");
            match labels.get(key) {
                Some(have) if have == value => {}
                Some(_) => {
                    let why = format!("must be '{value}'");
                    let shown = to_value(labels);
                    errors.push(FieldError::invalid("spec.template.metadata.labels", shown, &why));
                }
                None => errors.push(FieldError::required(field, &format!("must be '{value}'"))),
            }
        }
    }
    if let Ok(selector) = Selector::from_label_selector(spec.selector.as_ref()) {
        if !selector.matches(Some(&wanted)) {
            let shown = selectors::shown(spec.selector.as_ref());
            let why = "`selector` not auto-generated";
            errors.push(FieldError::invalid("spec.selector", shown, why));
        }
    }
}

fn not_negative(value: Option<i64>, at: &Path, errors: &mut Vec<FieldError>) {
    if let Some(value) = value.filter(|v| *v < 0) {
        errors.push(FieldError::invalid(at, value, "must be greater than or equal to 0"));
    }
}

/// What is wrong with a job's spec, also as part of a template. Models `validateJobSpec`.
pub fn check(spec: &JobSpec, at: &Path, errors: &mut Vec<FieldError>) {
    for (field, value) in [
        ("parallelism", spec.parallelism.map(i64::from)),
        ("completions", spec.completions.map(i64::from)),
        ("activeDeadlineSeconds", spec.active_deadline_seconds),
        ("backoffLimit", spec.backoff_limit.map(i64::from)),
        ("ttlSecondsAfterFinished", spec.ttl_seconds_after_finished.map(i64::from)),
        ("backoffLimitPerIndex", spec.backoff_limit_per_index.map(i64::from)),
        ("maxFailedIndexes", spec.max_failed_indexes.map(i64::from)),
    ] {
        not_negative(value, &at.child(field), errors);
    }
    if spec.max_failed_indexes.is_some() && spec.backoff_limit_per_index.is_none() {
        let why = "when maxFailedIndexes is specified";
        errors.push(FieldError::required(at.child("backoffLimitPerIndex"), why));
    }
    if let Some(manager) = spec.managed_by.as_deref() {
        managed_by(manager, &at.child("managedBy"), errors);
    }
    match spec.completion_mode.as_deref() {
        Some("Indexed") => indexed(spec, at, errors),
        None | Some("NonIndexed") => {
            let limits = [
                ("backoffLimitPerIndex", spec.backoff_limit_per_index),
                ("maxFailedIndexes", spec.max_failed_indexes),
            ];
            for (field, limit) in limits {
                if let Some(limit) = limit {
                    let why = "requires indexed completion mode";
                    errors.push(FieldError::invalid(at.child(field), limit, why));
                }
            }
        }
        Some(other) => {
            let at = at.child("completionMode");
            errors.push(FieldError::not_supported(at, other, &["NonIndexed", "Indexed"]));
        }
    }
    if let Some(policy) = &spec.pod_failure_policy {
        policies::failure(spec, policy, &at.child("podFailurePolicy"), errors);
    }
    if let Some(policy) = &spec.success_policy {
        policies::success(spec, policy, &at.child("successPolicy"), errors);
    }
    if let Some(policy) = spec.pod_replacement_policy.as_deref() {
        let known: &[&str] = match &spec.pod_failure_policy {
            Some(_) => &["Failed"],
            None => &["Failed", "TerminatingOrFailed"],
        };
        if !known.contains(&policy) {
            let at = at.child("podReplacementPolicy");
            errors.push(FieldError::not_supported(at, policy, known));
        }
    }
    let template_at = at.child("template");
    pod::spec::template(&spec.template, &template_at, errors);
    restart_policy(spec, &template_at, errors);
}

/// The longest name of a controller (`maxManagedByLength`).
const MANAGER_LENGTH: usize = 63;

fn managed_by(name: &str, at: &Path, errors: &mut Vec<FieldError>) {
    metadata::domain_prefixed_path(name, at, errors);
    if name.len() > MANAGER_LENGTH {
        errors.push(FieldError::too_long(at, MANAGER_LENGTH));
    }
}

fn restart_policy(spec: &JobSpec, template_at: &Path, errors: &mut Vec<FieldError>) {
    let at = template_at.child("spec");
    let at = at.child("restartPolicy");
    let policy = spec.template.spec.as_ref().and_then(|s| s.restart_policy.as_deref());
    let policy = policy.unwrap_or_default();
    match policy {
        "" | "Always" => {
            let why = "valid values: \"OnFailure\", \"Never\"";
            errors.push(FieldError::required(at, why));
        }
        "OnFailure" | "Never" => {
            if spec.pod_failure_policy.is_some() && policy != "Never" {
                let why = "only \"Never\" is supported when podFailurePolicy is specified";
                errors.push(FieldError::invalid_str(at, policy, why));
            }
        }
        other => errors.push(FieldError::not_supported(at, other, &["OnFailure", "Never"])),
    }
}

fn indexed(spec: &JobSpec, at: &Path, errors: &mut Vec<FieldError>) {
    if spec.completions.is_none() {
        let why = "when completion mode is Indexed";
        errors.push(FieldError::required(at.child("completions"), why));
    }
    let completions = spec.completions.unwrap_or(0);
    if let Some(parallel) = spec.parallelism.filter(|p| *p > MANY) {
        let why = format!("must be less than or equal to {MANY} when completion mode is Indexed");
        errors.push(FieldError::invalid(at.child("parallelism"), parallel, &why));
    }
    let most = spec.max_failed_indexes.unwrap_or(0);
    if spec.completions.is_some() && most > completions {
        let why = "must be less than or equal to completions";
        errors.push(FieldError::invalid(at.child("maxFailedIndexes"), most, why));
    }
    if most > MANY {
        let why = format!("must be less than or equal to {MANY}");
        errors.push(FieldError::invalid(at.child("maxFailedIndexes"), most, &why));
    }
    if completions <= MANY || spec.backoff_limit_per_index.is_none() {
        return;
    }
    if spec.max_failed_indexes.is_none() {
        let why = format!("must be specified when completions is above {MANY}");
        errors.push(FieldError::required(at.child("maxFailedIndexes"), &why));
    }
    let when = format!(" when completions are above {MANY} and used with backoff limit per index");
    for (field, value) in
        [("parallelism", spec.parallelism), ("maxFailedIndexes", spec.max_failed_indexes)]
    {
        if let Some(value) = value.filter(|v| *v > FEWER) {
            let why = format!("must be less than or equal to {FEWER}{when}");
            errors.push(FieldError::invalid(at.child(field), value, &why));
        }
    }
}

fn check_update(spec: &JobSpec, was: &JobSpec, old: &Job, errors: &mut Vec<FieldError>) {
    let at = Path::new("spec");
    let immutable = |field: &str, shown: String, errors: &mut Vec<FieldError>| {
        errors.push(FieldError::invalid(at.child(field), shown, "field is immutable"));
    };
    let number = |n: Option<i32>| n.map_or("null".into(), |n| n.to_string());
    if spec.completions != was.completions {
        if spec.completion_mode.as_deref() != Some("Indexed") {
            immutable("completions", number(spec.completions), errors);
        } else if spec.completions.is_some() && spec.completions != spec.parallelism {
            let why = "can only be modified in tandem with spec.parallelism";
            let shown = number(spec.completions);
            errors.push(FieldError::invalid(at.child("completions"), shown, why));
        }
    }
    if spec.selector != was.selector {
        immutable("selector", selectors::shown(spec.selector.as_ref()), errors);
    }
    template_update(spec, was, old, errors);
    if spec.completion_mode != was.completion_mode {
        let mode = spec.completion_mode.clone().unwrap_or_default();
        immutable("completionMode", format!("{mode:?}"), errors);
    }
    if spec.pod_failure_policy != was.pod_failure_policy {
        let shown = spec.pod_failure_policy.as_ref().map_or("null".into(), shown);
        immutable("podFailurePolicy", shown, errors);
    }
    if spec.backoff_limit_per_index != was.backoff_limit_per_index {
        immutable("backoffLimitPerIndex", number(spec.backoff_limit_per_index), errors);
    }
    if spec.managed_by != was.managed_by {
        let shown = spec.managed_by.as_ref().map_or("null".into(), |by| format!("{by:?}"));
        immutable("managedBy", shown, errors);
    }
    if spec.success_policy != was.success_policy {
        let shown = spec.success_policy.as_ref().map_or("null".into(), shown);
        immutable("successPolicy", shown, errors);
    }
}

fn shown<T: serde::Serialize>(value: &T) -> String {
    to_value(value).to_string()
}

/// Models `validatePodTemplateUpdate`: while a job is suspended and has no pods, where they will run
/// and what they need may change.
fn template_update(spec: &JobSpec, was: &JobSpec, old: &Job, errors: &mut Vec<FieldError>) {
    const WHY: &str = "field is immutable";
    let status = old.status.as_ref();
    let marked = status
        .and_then(|s| s.conditions.as_ref())
        .is_some_and(|list| list.iter().any(|c| c.type_ == "Suspended" && c.status == "True"));
    let started = status.is_some_and(|s| s.start_time.is_some());
    let busy = status.and_then(|s| s.active).unwrap_or(0) > 0;
    let open = was.suspend == Some(true) && !busy && (!started || marked);
    if !open {
        if spec.template != was.template {
            let shown = godump::template(&spec.template);
            errors.push(FieldError::invalid("spec.template", shown, WHY));
        }
        return;
    }
    let none = PodSpec::default();
    let new = spec.template.spec.as_ref().unwrap_or(&none);
    let mut allowed = was.template.spec.clone().unwrap_or_default();
    match (&new.affinity, &mut allowed.affinity) {
        (None, Some(own)) => {
            own.node_affinity = None;
            if *own == Affinity::default() {
                allowed.affinity = None;
            }
        }
        (Some(new), own) => {
            own.get_or_insert_default().node_affinity.clone_from(&new.node_affinity);
        }
        (None, None) => {}
    }
    allowed.node_selector.clone_from(&new.node_selector);
    allowed.tolerations.clone_from(&new.tolerations);
    allowed.scheduling_gates.clone_from(&new.scheduling_gates);
    same_resources(&new.containers, &mut allowed.containers);
    let (more, own) = (new.init_containers.as_deref(), allowed.init_containers.as_deref_mut());
    same_resources(more.unwrap_or_default(), own.unwrap_or_default());
    if allowed != *new {
        errors.push(FieldError::invalid("spec.template.spec", godump::spec(new), WHY));
    }
}

/// Containers of the same names may need something else.
fn same_resources(new: &[Container], own: &mut [Container]) {
    if new.len() != own.len() {
        return;
    }
    for (new, own) in new.iter().zip(own).filter(|(new, own)| new.name == own.name) {
        own.resources.clone_from(&new.resources);
    }
}
