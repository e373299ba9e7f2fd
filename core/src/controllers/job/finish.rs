//! How a job ends: which limits it went over, what its conditions say.

use std::time::Duration;

use k8s_openapi::api::batch::v1::{Job, JobCondition, JobStatus};

use super::{Jobs, Sync, pods, policy};
use crate::{client::EventType, sim::Time};

/// How a job ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Whether it reached what it was for.
    pub success: bool,
    /// `BackoffLimitExceeded` …
    pub reason: String,
    /// For people.
    pub message: String,
}

impl End {
    /// It failed.
    pub fn failed(reason: &str, message: &str) -> Self {
        End { success: false, reason: reason.into(), message: message.into() }
    }

    fn succeeded(reason: &str, message: &str) -> Self {
        End { success: true, reason: reason.into(), message: message.into() }
    }

    /// The condition that says where it goes, and the one that says that it is over.
    fn conditions(&self) -> (&'static str, &'static str) {
        if self.success { ("SuccessCriteriaMet", "Complete") } else { ("FailureTarget", "Failed") }
    }
}

/// Whether a condition is true.
pub fn has_condition(status: &JobStatus, kind: &str) -> bool {
    let mut conditions = status.conditions.iter().flatten();
    conditions.any(|c| c.type_ == kind && c.status == "True")
}

/// Whether a job is over.
pub fn is_finished(job: &Job) -> bool {
    end_of(job).is_some()
}

/// `Complete` or `Failed` and since when, once a job is over.
pub fn end_of(job: &Job) -> Option<(&str, Time)> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let over = conditions
        .iter()
        .find(|c| matches!(c.type_.as_str(), "Complete" | "Failed") && c.status == "True")?;
    let since = over.last_transition_time.as_ref().map(Time::from).unwrap_or_default();
    Some((&over.type_, since))
}

/// Sets a condition. `false` as status only where the condition was there before.
pub fn set(status: &mut JobStatus, now: Time, kind: &str, value: bool, reason: &str, text: &str) {
    let conditions = status.conditions.get_or_insert_default();
    let old = conditions.iter().position(|c| c.type_ == kind);
    let wanted = if value { "True" } else { "False" };
    match old.and_then(|at| conditions.get(at)) {
        Some(old) if old.status == wanted => return,
        None if !value => return,
        _ => {}
    }
    let condition = JobCondition {
        type_: kind.into(),
        status: wanted.into(),
        reason: Some(reason.into()),
        message: Some(text.into()),
        last_probe_time: Some(now.to_meta()),
        last_transition_time: Some(now.to_meta()),
    };
    match old.and_then(|at| conditions.get_mut(at)) {
        Some(old) => *old = condition,
        None => conditions.push(condition),
    }
}

impl Jobs {
    /// Whether the job is to end. A returned time is that until its deadline.
    pub(super) fn judge(&self, sync: &mut Sync, suspended: bool) -> Option<Duration> {
        if let Some(end) = decided(&sync.status) {
            sync.end = Some(end);
            return None;
        }
        let spec = sync.spec;
        let limit = spec.backoff_limit.unwrap_or(6);
        let on_failure = spec.template.spec.as_ref().and_then(|s| s.restart_policy.as_deref())
            == Some("OnFailure");
        let restarts = if on_failure { pods::restarts(&sync.active) } else { 0 };
        let too_often = sync.status.failed.unwrap_or(0) > limit
            || (on_failure && if limit == 0 { restarts > 0 } else { restarts >= limit });
        if too_often && sync.end.is_none() {
            let text = "Job has reached the specified backoff limit";
            sync.end = Some(End::failed("BackoffLimitExceeded", text));
        }
        let mut wait = None;
        if let (Some(seconds), Some(start), false) =
            (spec.active_deadline_seconds, sync.status.start_time.as_ref(), suspended)
        {
            let seconds = u64::try_from(seconds).unwrap_or(0);
            let due = Time::from(start) + Duration::from_secs(seconds);
            if due > sync.now {
                wait = Some(due.since(sync.now));
            } else if sync.end.is_none() {
                let text = "Job was active longer than specified deadline";
                sync.end = Some(End::failed("DeadlineExceeded", text));
            }
        }
        self.judge_indexes(sync);
        wait
    }

    fn judge_indexes(&self, sync: &mut Sync) {
        if sync.end.is_some() || !sync.is_indexed() {
            return;
        }
        if let Some(rule) = policy::success(sync.spec, &sync.succeeded) {
            let text = format!("Matched rules at index {rule}");
            sync.end = Some(End::succeeded("SuccessPolicy", &text));
            return;
        }
        let failed = sync.failed.count();
        if sync.spec.backoff_limit_per_index.is_none() || failed == 0 {
            return;
        }
        if sync.spec.max_failed_indexes.is_some_and(|most| failed > most) {
            let text = "Job has exceeded the specified maximal number of failed indexes";
            sync.end = Some(End::failed("MaxFailedIndexesExceeded", text));
        } else if failed + sync.succeeded.count() >= sync.completions() {
            sync.end = Some(End::failed("FailedIndexes", "Job has failed indexes"));
        }
    }

    /// Writes the conditions: first where it goes, and once no pod is left that it is over.
    pub(super) fn close(&self, sync: &mut Sync) {
        if sync.end.is_none() {
            let succeeded = sync.status.succeeded.unwrap_or(0);
            let done = match sync.spec.completions {
                None => succeeded > 0 && sync.active.is_empty(),
                Some(wanted) => succeeded >= wanted && sync.active.is_empty(),
            };
            if !done || sync.spec.suspend == Some(true) && sync.spec.completions != Some(0) {
                return;
            }
            let text = "Reached expected number of succeeded pods";
            sync.end = Some(End::succeeded("CompletionsReached", text));
        }
        let Some(end) = sync.end.clone() else { return };
        let (target, over) = end.conditions();
        set(&mut sync.status, sync.now, target, true, &end.reason, &end.message);
        if sync.terminating == 0 && sync.active.is_empty() {
            set(&mut sync.status, sync.now, over, true, &end.reason, &end.message);
            if end.success {
                sync.status.completion_time = Some(sync.now.to_meta());
            }
        }
    }

    /// Tells how it ended, once it has.
    pub(super) fn tell_end(&self, job: &Job, sync: &Sync) {
        let Some(end) = &sync.end else { return };
        let (_, over) = end.conditions();
        if !has_condition(&sync.status, over) {
            return;
        }
        if end.success {
            self.tell(job, EventType::Normal, "Completed", "Job completed");
        } else {
            self.tell(job, EventType::Warning, &end.reason, &end.message);
        }
    }
}

/// What an earlier sync decided.
fn decided(status: &JobStatus) -> Option<End> {
    let mut conditions = status.conditions.iter().flatten().filter(|c| c.status == "True");
    let found =
        conditions.find(|c| matches!(c.type_.as_str(), "SuccessCriteriaMet" | "FailureTarget"))?;
    Some(End {
        success: found.type_ == "SuccessCriteriaMet",
        reason: found.reason.clone().unwrap_or_default(),
        message: found.message.clone().unwrap_or_default(),
    })
}
