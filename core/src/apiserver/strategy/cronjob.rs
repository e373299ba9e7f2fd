//! The rules of CronJobs.
//!
//! Models `pkg/apis/batch/v1/defaults.go`, `ValidateCronJobCreate` and
//! `pkg/registry/batch/cronjob/strategy.go`.

use k8s_openapi::api::batch::v1::{CronJob, CronJobSpec, CronJobStatus, JobSpec};

use super::{
    Strategy, StrategyCx, job,
    pod::{containers::one_of, defaults::text, selectors},
    workload,
};
use crate::api::{FieldError, Path, cron::Schedule, zones};

/// Jobs get eleven characters more than their owner's name.
const LONGEST_NAME: usize = 52;

/// See the module.
pub struct CronJobs;

impl Strategy for CronJobs {
    type Object = CronJob;

    fn defaults(&self, cron: &mut CronJob) {
        let spec = &mut cron.spec;
        text(&mut spec.concurrency_policy, "Allow");
        spec.suspend.get_or_insert(false);
        spec.successful_jobs_history_limit.get_or_insert(3);
        spec.failed_jobs_history_limit.get_or_insert(1);
        job::defaults(spec.job_template.spec.get_or_insert_default(), false);
    }

    fn prepare_create(&self, _: &StrategyCx, cron: &mut CronJob) {
        cron.status = Some(CronJobStatus::default());
    }

    fn prepare_update(&self, _: &StrategyCx, new: &mut CronJob, old: &CronJob) {
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(&self, new: &mut CronJob, old: &CronJob) {
        new.spec.clone_from(&old.spec);
    }

    fn spec_changed(&self, new: &CronJob, old: &CronJob) -> Option<bool> {
        Some(new.spec != old.spec)
    }

    fn validate_new(&self, _: &StrategyCx, cron: &CronJob) -> Vec<FieldError> {
        let mut errors = Vec::new();
        check(&cron.spec, None, &mut errors);
        let name = cron.metadata.name.as_deref().unwrap_or_default();
        if name.len() > LONGEST_NAME {
            let why = format!("must be no more than {LONGEST_NAME} bytes");
            errors.push(FieldError::invalid_str("metadata.name", name, &why));
        }
        errors
    }

    fn validate_update(&self, _: &StrategyCx, new: &CronJob, old: &CronJob) -> Vec<FieldError> {
        let mut errors = Vec::new();
        check(&new.spec, Some(&old.spec), &mut errors);
        errors
    }

    fn warnings(&self, cron: &CronJob, old: Option<&CronJob>) -> Vec<String> {
        let at = Path::new("spec.jobTemplate.spec");
        let metas = (&cron.metadata, old.map(|o| &o.metadata));
        let mut out = job::warnings(metas, cron.spec.job_template.spec.as_ref(), &at);
        if cron.spec.schedule.contains("TZ") {
            // The field is named twice, as upstream does.
            out.push(
                "CRON_TZ or TZ used in spec.spec.schedule is not officially supported, see \
                 https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more \
                 details"
                    .into(),
            );
        }
        out
    }
}

fn check(spec: &CronJobSpec, old: Option<&CronJobSpec>, errors: &mut Vec<FieldError>) {
    let at = Path::new("spec");
    let had_zone = old.is_some_and(|old| old.schedule.contains("TZ"));
    schedule(spec, had_zone, errors);
    if let Some(seconds) = spec.starting_deadline_seconds.filter(|s| *s < 0) {
        let why = "must be greater than or equal to 0";
        errors.push(FieldError::invalid(at.child("startingDeadlineSeconds"), seconds, why));
    }
    let same_zone = old.is_some_and(|old| old.time_zone == spec.time_zone);
    if let Some(zone) = spec.time_zone.as_ref().filter(|_| !same_zone) {
        time_zone(zone, errors);
    }
    let policy = spec.concurrency_policy.as_deref().unwrap_or_default();
    let policies = &["Allow", "Forbid", "Replace"];
    one_of(policy, policies, &at.child("concurrencyPolicy"), errors);
    let template_at = at.child("jobTemplate");
    let none = JobSpec::default();
    let template = spec.job_template.spec.as_ref().unwrap_or(&none);
    let spec_at = template_at.child("spec");
    job::check(template, &spec_at, errors);
    if let Some(selector) = &template.selector {
        let shown = selectors::shown(Some(selector));
        let why = "`selector` will be auto-generated";
        errors.push(FieldError::invalid(spec_at.child("selector"), shown, why));
    }
    if template.manual_selector == Some(true) {
        let at = spec_at.child("manualSelector");
        errors.push(FieldError::not_supported_value(at, "true", &["nil", "false"]));
    }
    let limits = [
        ("spec.successfulJobsHistoryLimit", spec.successful_jobs_history_limit),
        ("spec.failedJobsHistoryLimit", spec.failed_jobs_history_limit),
    ];
    for (field, limit) in limits {
        workload::not_negative(limit, field, errors);
    }
}

/// A schedule may begin with the zone by whose clocks it goes.
fn parse(text: &str) -> Result<Schedule, String> {
    let zoned = text.strip_prefix("TZ=").or_else(|| text.strip_prefix("CRON_TZ="));
    let Some((zone, rest)) = zoned.and_then(|z| z.split_once(' ')) else {
        return Schedule::parse(text);
    };
    if zones::find(zone).is_none() {
        return Err(format!("provided bad location {zone}: unknown time zone {zone}"));
    }
    Schedule::parse(rest.trim())
}

fn schedule(spec: &CronJobSpec, had_zone: bool, errors: &mut Vec<FieldError>) {
    let field = "spec.schedule";
    let text = spec.schedule.as_str();
    if text.is_empty() {
        errors.push(FieldError::required(field, ""));
        return;
    }
    if let Err(why) = parse(text) {
        errors.push(FieldError::invalid_str(field, text, &why));
    }
    let why = match (had_zone, spec.time_zone.is_some()) {
        _ if !text.contains("TZ") => return,
        (true, false) => return,
        (true, true) => "cannot use both timeZone field and TZ or CRON_TZ in schedule",
        (false, _) => "cannot use TZ or CRON_TZ in schedule, use timeZone field instead",
    };
    errors.push(FieldError::invalid_str(field, text, why));
}

fn time_zone(zone: &str, errors: &mut Vec<FieldError>) {
    let field = "spec.timeZone";
    if zone.is_empty() {
        let why = "timeZone must be nil or non-empty string";
        errors.push(FieldError::invalid_str(field, zone, why));
    } else if zone.eq_ignore_ascii_case("local") {
        let why = "timeZone must be an explicit time zone as defined in \
                   https://www.iana.org/time-zones";
        errors.push(FieldError::invalid_str(field, zone, why));
        // Go's own name for where it runs is this one only.
        if zone != "Local" {
            let why = format!("unknown time zone {zone}");
            errors.push(FieldError::invalid_str(field, zone, &why));
        }
    } else if zones::find(zone).is_none() {
        errors.push(FieldError::invalid_str(field, zone, &format!("unknown time zone {zone}")));
    }
}
