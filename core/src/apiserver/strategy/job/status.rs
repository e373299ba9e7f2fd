//! What a job's status may become: whoever manages it, clients can rely on how it ends.
//!
//! Models `ValidateJobStatusUpdate` and `getStatusValidationOptions` in `pkg/registry/batch/job`.

use std::collections::BTreeSet;

use k8s_openapi::api::batch::v1::{Job, JobStatus};

use super::{not_negative, policies::parse_indexes};
use crate::api::{FieldError, Path, object::to_value};

fn is(status: &JobStatus, kind: &str) -> bool {
    status.conditions.iter().flatten().any(|c| c.type_ == kind && c.status == "True")
}

fn finished(status: &JobStatus) -> bool {
    is(status, "Complete") || is(status, "Failed")
}

/// Both statuses, and the errors found so far.
struct Change<'a> {
    job: &'a Job,
    new: &'a JobStatus,
    old: &'a JobStatus,
    at: Path<'a>,
    errors: Vec<FieldError>,
}

impl Change<'_> {
    fn turned(&self, kind: &str) -> bool {
        is(self.new, kind) != is(self.old, kind)
    }

    fn conditions(&mut self, why: &str) {
        self.errors.push(FieldError::invalid_unshown(self.at.child("conditions"), why));
    }

    fn invalid(&mut self, field: &str, shown: impl std::fmt::Display, why: &str) {
        self.errors.push(FieldError::invalid(self.at.child(field), shown, why));
    }

    fn required(&mut self, field: &str, why: &str) {
        self.errors.push(FieldError::required(self.at.child(field), why));
    }
}

/// What is wrong with a change of the status.
pub fn check(job: &Job, was: &Job) -> Vec<FieldError> {
    let none = JobStatus::default();
    let new = job.status.as_ref().unwrap_or(&none);
    let old = was.status.as_ref().unwrap_or(&none);
    let mut change = Change { job, new, old, at: Path::new("status"), errors: Vec::new() };
    numbers(&mut change);
    ends(&mut change);
    end_needs(&mut change);
    indexes(&mut change);
    rest(&mut change);
    transitions(&mut change);
    change.errors
}

fn numbers(change: &mut Change) {
    let new = change.new;
    for (field, value) in [
        ("active", new.active),
        ("succeeded", new.succeeded),
        ("failed", new.failed),
        ("ready", new.ready),
        ("terminating", new.terminating),
    ] {
        not_negative(value.map(i64::from), &change.at.child(field), &mut change.errors);
    }
    let Some(uncounted) = &new.uncounted_terminated_pods else { return };
    let at = change.at.child("uncountedTerminatedPods");
    let mut seen = BTreeSet::new();
    for (field, uids) in [("succeeded", &uncounted.succeeded), ("failed", &uncounted.failed)] {
        let at = at.child(field);
        for (i, uid) in uids.iter().flatten().enumerate() {
            if uid.is_empty() {
                change.errors.push(FieldError::invalid_str(at.index(i), uid, "must not be empty"));
            } else if !seen.insert(uid) {
                change.errors.push(FieldError::duplicate(at.index(i), format!("{uid:?}")));
            }
        }
    }
}

fn ends(change: &mut Change) {
    let new = change.new;
    let (complete, failed) = (is(new, "Complete"), is(new, "Failed"));
    let either = change.turned("Complete") || change.turned("Failed");
    if either && complete && failed {
        change.conditions("cannot set Complete=True and Failed=true conditions");
    }
    let either = change.turned("Complete") || change.turned("FailureTarget");
    if either && complete && is(new, "FailureTarget") {
        change.conditions("cannot set Complete=True and FailureTarget=true conditions");
    }
    let shown = to_value(&new.completion_time);
    let ended = change.turned("Complete") || new.completion_time != change.old.completion_time;
    if ended && new.completion_time.is_some() && !complete {
        let why = "cannot set completionTime when there is no Complete=True condition";
        change.invalid("completionTime", &shown, why);
    }
    if ended && new.completion_time.is_none() && complete {
        change.required("completionTime", "completionTime is required for Complete jobs");
    }
    let moved = new.start_time != change.old.start_time
        || new.completion_time != change.old.completion_time;
    let times = new.start_time.as_ref().zip(new.completion_time.as_ref());
    if moved && times.is_some_and(|(start, end)| end < start) {
        change.invalid("completionTime", &shown, "must be equal to or after `startTime`");
    }
    let either = change.turned("Failed") || change.turned("FailureTarget");
    if either && failed && !is(new, "FailureTarget") {
        let why = "cannot set Failed=True condition without the FailureTarget=true condition";
        change.conditions(why);
    }
    let either = change.turned("Complete") || change.turned("SuccessCriteriaMet");
    if either && complete && !is(new, "SuccessCriteriaMet") {
        let why =
            "cannot set Complete=True condition without the SuccessCriteriaMet=true condition";
        change.conditions(why);
    }
}

/// What must hold once it is over.
fn end_needs(change: &mut Change) {
    let (new, old) = (change.new, change.old);
    if !finished(new) {
        return;
    }
    let turned = finished(new) != finished(old);
    let active = new.active.unwrap_or(0);
    if (turned || new.active != old.active) && active > 0 {
        change.invalid("active", active, "active>0 is invalid for finished job");
    }
    let spec = change.job.spec.as_ref();
    let nothing = spec.is_some_and(|s| s.suspend == Some(true) && s.completions == Some(0));
    let started = turned || new.start_time != old.start_time;
    if started && !nothing && new.start_time.is_none() {
        change.required("startTime", "startTime is required for finished job");
    }
    let uncounted = &new.uncounted_terminated_pods;
    let some = uncounted.as_ref().is_some_and(|u| {
        let count = |l: &Option<Vec<String>>| l.as_ref().map_or(0, Vec::len);
        count(&u.failed) + count(&u.succeeded) > 0
    });
    if (turned || *uncounted != old.uncounted_terminated_pods) && some {
        let shown = to_value(uncounted);
        change.invalid("uncountedTerminatedPods", shown, "must be empty for finished job");
    }
}

fn indexes(change: &mut Change) {
    let (new, old) = (change.new, change.old);
    let spec = change.job.spec.as_ref();
    let completions = spec.and_then(|s| s.completions);
    let per_index = spec.is_some_and(|s| s.backoff_limit_per_index.is_some());
    let indexed = spec.is_some_and(|s| s.completion_mode.as_deref() == Some("Indexed"));
    let done = new.completed_indexes.as_deref().unwrap_or_default();
    let failed = new.failed_indexes.as_deref();
    let done_changed = new.completed_indexes != old.completed_indexes;
    let failed_changed = new.failed_indexes != old.failed_indexes;
    let quote = crate::api::gofmt::quote;
    if let (true, Some(all)) = (done_changed, completions) {
        if let Err(why) = parse_indexes(done, all) {
            let why = format!("error parsing completedIndexes: {why}");
            change.invalid("completedIndexes", quote(done), &why);
        }
    }
    if let (true, true, Some(all), Some(failed)) = (failed_changed, per_index, completions, failed)
    {
        if let Err(why) = parse_indexes(failed, all) {
            let why = format!("error parsing failedIndexes: {why}");
            change.invalid("failedIndexes", quote(failed), &why);
        }
    }
    if done_changed && !done.is_empty() && !indexed {
        let why = "cannot set non-empty completedIndexes when non-indexed completion mode";
        change.invalid("completedIndexes", quote(done), why);
    }
    let Some(failed) = failed else { return };
    if failed_changed && !per_index {
        let why = "cannot set non-null failedIndexes when backoffLimitPerIndex is null";
        change.invalid("failedIndexes", quote(failed), why);
    }
    if let (true, Some(all)) = (failed_changed || done_changed, completions) {
        if let Some(index) = overlap(done, failed, all) {
            let why = format!("failedIndexes and completedIndexes overlap at index: {index}");
            change.invalid("failedIndexes", quote(failed), &why);
        }
    }
}

/// The first index that two lists both have.
fn overlap(a: &str, b: &str, completions: i32) -> Option<i32> {
    let parse = |text: &str| parse_indexes(text, completions).unwrap_or_default();
    let (a, b) = (parse(a), parse(b));
    let (mut i, mut j) = (0, 0);
    while let (Some((low, high)), Some((from, to))) = (a.get(i), b.get(j)) {
        if low <= to && from <= high {
            return Some(*low.max(from));
        }
        if low <= from { i += 1 } else { j += 1 }
    }
    None
}

fn rest(change: &mut Change) {
    let (new, old) = (change.new, change.old);
    let turned = finished(new) != finished(old);
    let ending = new.terminating.unwrap_or(0);
    if (turned || new.terminating != old.terminating) && ending > 0 && finished(new) {
        change.invalid("terminating", ending, "terminating>0 is invalid for finished job");
    }
    let ready = new.ready.unwrap_or(0);
    let moved = new.ready != old.ready || new.active != old.active;
    if moved && ready > new.active.unwrap_or(0) {
        change.invalid("ready", ready, "cannot set more ready pods than active");
    }
    if is(new, "SuccessCriteriaMet") && is(new, "Failed") {
        change.conditions("cannot set SuccessCriteriaMet=True and Failed=true conditions");
    }
    if is(new, "SuccessCriteriaMet") && is(new, "FailureTarget") {
        change.conditions("cannot set SuccessCriteriaMet=True and FailureTarget=true conditions");
    }
    let policy = change.job.spec.as_ref().is_some_and(|s| s.success_policy.is_some());
    if policy && !is(new, "SuccessCriteriaMet") && is(new, "Complete") {
        let why = "cannot set Complete=True for Job with SuccessPolicy unless \
                   SuccessCriteriaMet=True";
        change.conditions(why);
    }
}

fn transitions(change: &mut Change) {
    let (new, old) = (change.new, change.old);
    for kind in ["Failed", "Complete", "FailureTarget"] {
        if is(old, kind) && !is(new, kind) {
            change.conditions(&format!("cannot disable the terminal {kind}=True condition"));
        }
    }
    let spec = change.job.spec.as_ref();
    let (failed, succeeded) = (new.failed.unwrap_or(0), new.succeeded.unwrap_or(0));
    if failed < old.failed.unwrap_or(0) {
        change.invalid("failed", failed, "cannot decrease the failed counter");
    }
    // Where both are equal, an indexed job can be made smaller.
    let shrinks = spec.is_some_and(|s| {
        s.completion_mode.as_deref() == Some("Indexed") && s.completions == s.parallelism
    });
    if !shrinks && succeeded < old.succeeded.unwrap_or(0) {
        change.invalid("succeeded", succeeded, "cannot decrease the succeeded counter");
    }
    let both = new.completion_time.is_some() && old.completion_time.is_some();
    if both && new.completion_time != old.completion_time {
        change.invalid("completionTime", to_value(&new.completion_time), "field is immutable");
    }
    let resumes = is(old, "Suspended") && !is(new, "Suspended");
    let suspended = spec.is_some_and(|s| s.suspend == Some(true));
    let moved = old.start_time.is_some() && old.start_time != new.start_time;
    if moved && !suspended && !resumes {
        change.required("startTime", "startTime cannot be removed for unsuspended job");
    }
    if is(old, "SuccessCriteriaMet") && !is(new, "SuccessCriteriaMet") {
        change.conditions("cannot disable the SuccessCriteriaMet=True condition");
    }
    let late = is(old, "Complete") && !is(old, "SuccessCriteriaMet");
    if late && is(new, "SuccessCriteriaMet") {
        let why = "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions";
        change.conditions(why);
    }
}
