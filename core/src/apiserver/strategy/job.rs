//! The rules of Jobs.
//!
//! Models `pkg/apis/batch/v1/defaults.go`, `pkg/apis/batch/validation` and
//! `pkg/registry/batch/job/strategy.go`.

use std::collections::BTreeMap;

use k8s_openapi::api::{
    batch::v1::{Job, JobSpec, JobStatus, PodFailurePolicy, PodFailurePolicyRule},
    core::v1::PodTemplateSpec,
};

use super::{
    Strategy, StrategyCx, godump, metadata,
    pod::{self, containers::one_of, defaults::text, selectors},
    workload,
};
use crate::api::{FieldError, Path, object::to_value, selector::Selector};

/// See the module.
pub struct Jobs;

/// The labels by which a job's pods are known, old and new names.
const UID_LABELS: [&str; 2] = ["controller-uid", "batch.kubernetes.io/controller-uid"];
const NAME_LABELS: [&str; 2] = ["job-name", "batch.kubernetes.io/job-name"];

/// Most pods at once of an indexed job, and most of its indexes where each may fail by itself.
const MOST_PARALLEL: i32 = 100_000;

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
        errors
    }

    fn validate_update(&self, _: &StrategyCx, new: &Job, old: &Job) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if let (Some(spec), Some(was)) = (&new.spec, &old.spec) {
            check_update(spec, was, old, &mut errors);
        }
        errors
    }

    fn field(&self, job: &Job, path: &str) -> Option<String> {
        let succeeded = job.status.as_ref().and_then(|s| s.succeeded).unwrap_or(0);
        (path == "status.successful").then(|| succeeded.to_string())
    }

    fn warnings(&self, job: &Job, old: Option<&Job>) -> Vec<String> {
        match (&job.spec, old) {
            (Some(s), None) => pod::template_warnings(&s.template, &Path::new("spec.template")),
            _ => Vec::new(),
        }
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
    indexed(spec, at, errors);
    if let Some(policy) = &spec.pod_failure_policy {
        failure_policy(policy, &at.child("podFailurePolicy"), errors);
    }
    success_policy(spec, at, errors);
    if let Some(policy) = spec.pod_replacement_policy.as_deref() {
        let at = at.child("podReplacementPolicy");
        match &spec.pod_failure_policy {
            Some(_) => one_of(policy, &["Failed"], &at, errors),
            None => one_of(policy, &["Failed", "TerminatingOrFailed"], &at, errors),
        }
    }
    if let Some(manager) = spec.managed_by.as_deref() {
        managed_by(manager, &at.child("managedBy"), errors);
    }
    let template_at = at.child("template");
    pod::spec::template(&spec.template, &template_at, errors);
    restart_policy(spec, &template_at, errors);
}

/// The longest name of a controller (`maxManagedByLength`).
const MANAGER_LENGTH: usize = 63;

fn managed_by(name: &str, at: &Path, errors: &mut Vec<FieldError>) {
    if name.is_empty() {
        errors.push(FieldError::required(at, ""));
    } else if let Some(why) = metadata::domain_prefixed_path(name) {
        errors.push(FieldError::invalid_str(at, name, &why));
    }
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
    match spec.completion_mode.as_deref() {
        None | Some("NonIndexed") => {
            if let Some(limit) = spec.backoff_limit_per_index {
                let why = "requires indexed completion mode";
                errors.push(FieldError::invalid(at.child("backoffLimitPerIndex"), limit, why));
            }
            if let Some(limit) = spec.max_failed_indexes {
                let why = "requires indexed completion mode";
                errors.push(FieldError::invalid(at.child("maxFailedIndexes"), limit, why));
            }
        }
        Some("Indexed") => {
            let Some(completions) = spec.completions else {
                let why = "when completion mode is Indexed";
                errors.push(FieldError::required(at.child("completions"), why));
                return;
            };
            if let Some(parallel) = spec.parallelism.filter(|p| *p > MOST_PARALLEL) {
                let why = format!(
                    "must be less than or equal to {MOST_PARALLEL} when completion mode is Indexed"
                );
                errors.push(FieldError::invalid(at.child("parallelism"), parallel, &why));
            }
            if let Some(most) = spec.max_failed_indexes {
                if spec.backoff_limit_per_index.is_none() {
                    let why = "when maxFailedIndexes is specified";
                    errors.push(FieldError::required(at.child("backoffLimitPerIndex"), why));
                } else if most > completions {
                    let why = "must be less than or equal to completions";
                    errors.push(FieldError::invalid(at.child("maxFailedIndexes"), most, why));
                }
            }
        }
        Some(other) => errors.push(FieldError::not_supported(
            at.child("completionMode"),
            other,
            &["NonIndexed", "Indexed"],
        )),
    }
}

fn failure_policy(policy: &PodFailurePolicy, at: &Path, errors: &mut Vec<FieldError>) {
    let rules_at = at.child("rules");
    for (i, rule) in policy.rules.iter().enumerate() {
        failure_rule(rule, &rules_at.index(i), errors);
    }
}

fn failure_rule(rule: &PodFailurePolicyRule, at: &Path, errors: &mut Vec<FieldError>) {
    let actions = &["Count", "FailIndex", "FailJob", "Ignore"];
    one_of(&rule.action, actions, &at.child("action"), errors);
    let conditions = rule.on_pod_conditions.as_deref().unwrap_or_default();
    match (&rule.on_exit_codes, conditions.is_empty()) {
        (Some(_), false) => {
            let why = "specifying both OnExitCodes and OnPodConditions is not supported";
            errors.push(FieldError::invalid(at, to_value(rule), why));
        }
        (None, true) => {
            let why = "specifying one of OnExitCodes and OnPodConditions is required";
            errors.push(FieldError::invalid(at, to_value(rule), why));
        }
        _ => {}
    }
    if let Some(codes) = &rule.on_exit_codes {
        let at = at.child("onExitCodes");
        one_of(&codes.operator, &["In", "NotIn"], &at.child("operator"), errors);
        let values_at = at.child("values");
        if codes.values.is_empty() {
            let why = "at least one value is required";
            errors.push(FieldError::invalid(values_at, "[]", why));
        }
        for (i, value) in codes.values.iter().enumerate() {
            let at = values_at.index(i);
            if *value == 0 && codes.operator == "In" {
                errors.push(FieldError::invalid(at, value, "must not be 0 for the In operator"));
            }
            if codes.values[..i].contains(value) {
                errors.push(FieldError::duplicate(at, value));
            }
        }
    }
}

fn success_policy(spec: &JobSpec, at: &Path, errors: &mut Vec<FieldError>) {
    let Some(policy) = &spec.success_policy else { return };
    let at = at.child("successPolicy");
    if spec.completion_mode.as_deref() != Some("Indexed") {
        let why = "requires indexed completion mode";
        errors.push(FieldError::invalid(at, to_value(policy), why));
        return;
    }
    let rules_at = at.child("rules");
    if policy.rules.is_empty() {
        let why = "at least one rules must be specified when the successPolicy is specified";
        errors.push(FieldError::required(rules_at, why));
    }
    for (i, rule) in policy.rules.iter().enumerate() {
        let at = rules_at.index(i);
        if rule.succeeded_count.is_none() && rule.succeeded_indexes.is_none() {
            let why = "at least one of succeededCount or succeededIndexes must be specified";
            errors.push(FieldError::required(at, why));
        }
        if let Some(count) = rule.succeeded_count.filter(|n| *n <= 0) {
            let why = "must be greater than zero";
            errors.push(FieldError::invalid(at.child("succeededCount"), count, why));
        }
        if let Some(indexes) = &rule.succeeded_indexes {
            let most = spec.completions.unwrap_or(0);
            if let Err(why) = parse_indexes(indexes, most) {
                let why = format!("error parsing succeededIndexes: {why}");
                errors.push(FieldError::invalid_str(at.child("succeededIndexes"), indexes, &why));
            }
        }
    }
}

/// Intervals of indexes below `completions`: `0,2-4`.
pub fn parse_indexes(text: &str, completions: i32) -> Result<Vec<(i32, i32)>, String> {
    let mut intervals = Vec::new();
    let mut last = -1;
    for part in text.split(',').filter(|_| !text.is_empty()) {
        let number = |text: &str| {
            text.parse::<i32>()
                .map_err(|_| format!("cannot convert string to integer for index: {text:?}"))
        };
        let (low, high) = match part.split_once('-') {
            Some((low, high)) => (number(low)?, number(high)?),
            None => (number(part)?, number(part)?),
        };
        if high >= completions {
            return Err(format!("too large index: {high:?}"));
        }
        if low > high || low <= last {
            return Err(format!("non-increasing order, previous: {last}, current: {low}"));
        }
        last = high;
        intervals.push((low, high));
    }
    Ok(intervals)
}

fn check_update(spec: &JobSpec, was: &JobSpec, old: &Job, errors: &mut Vec<FieldError>) {
    let at = Path::new("spec");
    let immutable = |field: &str, shown: String, errors: &mut Vec<FieldError>| {
        errors.push(FieldError::invalid(at.child(field), shown, "field is immutable"));
    };
    let number = |n: Option<i32>| n.map_or("null".into(), |n| n.to_string());
    let elastic =
        spec.completion_mode.as_deref() == Some("Indexed") && spec.completions == spec.parallelism;
    if spec.completions != was.completions && !elastic {
        immutable("completions", number(spec.completions), errors);
    }
    if spec.selector != was.selector {
        immutable("selector", selectors::shown(spec.selector.as_ref()), errors);
    }
    if template_as_allowed(spec, was, old) != was.template {
        immutable("template", godump::template(&spec.template), errors);
    }
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

/// The template with what may change while a job that never started is suspended set back.
fn template_as_allowed(spec: &JobSpec, was: &JobSpec, old: &Job) -> PodTemplateSpec {
    let started = old.status.as_ref().is_some_and(|s| s.start_time.is_some());
    let mut template = spec.template.clone();
    if was.suspend != Some(true) || started {
        return template;
    }
    if let (Some(new), Some(old)) = (&mut template.spec, &was.template.spec) {
        new.node_selector.clone_from(&old.node_selector);
        new.tolerations.clone_from(&old.tolerations);
        new.scheduling_gates.clone_from(&old.scheduling_gates);
        new.affinity.clone_from(&old.affinity);
    }
    template.metadata.clone_from(&was.template.metadata);
    template
}
