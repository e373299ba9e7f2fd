//! The tables of Jobs and CronJobs. Models `printJob` and `printCronJob`.

use k8s_openapi::api::batch::v1::{CronJob, Job};

use super::{
    Printer, age, ago, col, wide,
    workloads::{containers, selector},
};
use crate::{
    api::{duration, meta::is_deleting},
    sim::Time,
};

/// Jobs.
pub const JOB: Printer = Printer {
    columns: &[
        col("Name"),
        col("Status"),
        col("Completions"),
        col("Duration"),
        col("Age"),
        wide("Containers"),
        wide("Images"),
        wide("Selector"),
    ],
    row: |cx, object| {
        let Some(job) = object.downcast::<Job>() else { return Vec::new() };
        let (spec, status) = (job.spec.as_ref(), job.status.clone().unwrap_or_default());
        let succeeded = status.succeeded.unwrap_or(0);
        let completions = match spec.and_then(|s| s.completions) {
            Some(wanted) => format!("{succeeded}/{wanted}"),
            None => match spec.and_then(|s| s.parallelism).unwrap_or(0) {
                parallel @ 2.. => format!("{succeeded}/1 of {parallel}"),
                _ => format!("{succeeded}/1"),
            },
        };
        let took = status.start_time.as_ref().map(|start| {
            let end = status.completion_time.as_ref().map_or(cx.now, Time::from);
            duration::human(end.since(Time::from(start)))
        });
        let mut row = vec![
            object.name().to_string(),
            state(job).to_string(),
            completions,
            took.unwrap_or_default(),
            age(cx, object),
        ];
        row.extend(containers(spec.map(|s| &s.template)));
        row.push(selector(spec.and_then(|s| s.selector.as_ref())));
        row
    },
};

fn state(job: &Job) -> &'static str {
    let conditions = job.status.as_ref().and_then(|s| s.conditions.as_deref()).unwrap_or_default();
    let has = |kind: &str| conditions.iter().any(|c| c.type_ == kind && c.status == "True");
    let known = ["Complete", "Failed"].into_iter().find(|kind| has(kind));
    match known {
        Some(known) => known,
        None if is_deleting(&job.metadata) => "Terminating",
        None => ["Suspended", "FailureTarget", "SuccessCriteriaMet"]
            .into_iter()
            .find(|kind| has(kind))
            .unwrap_or("Running"),
    }
}

/// CronJobs.
pub const CRON_JOB: Printer = Printer {
    columns: &[
        col("Name"),
        col("Schedule"),
        col("Timezone"),
        col("Suspend"),
        col("Active"),
        col("Last Schedule"),
        col("Age"),
        wide("Containers"),
        wide("Images"),
        wide("Selector"),
    ],
    row: |cx, object| {
        let Some(cron) = object.downcast::<CronJob>() else { return Vec::new() };
        let (spec, status) = (&cron.spec, cron.status.as_ref());
        let last = status.and_then(|s| s.last_schedule_time.as_ref());
        let suspended = spec.suspend.map_or("<unset>", |s| if s { "True" } else { "False" });
        let job = spec.job_template.spec.as_ref();
        let mut row = vec![
            object.name().to_string(),
            spec.schedule.clone(),
            spec.time_zone.clone().unwrap_or_else(|| "<none>".into()),
            suspended.to_string(),
            status.and_then(|s| s.active.as_ref()).map_or(0, Vec::len).to_string(),
            last.map_or("<none>".into(), |t| ago(cx, Some(t))),
            age(cx, object),
        ];
        row.extend(containers(job.map(|j| &j.template)));
        row.push(selector(job.and_then(|j| j.selector.as_ref())));
        row
    },
};
