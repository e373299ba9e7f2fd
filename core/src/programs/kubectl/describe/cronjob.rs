//! `kubectl describe cronjob`. Models `describeCronJob`.

use std::fmt::Display;

use k8s_openapi::api::batch::v1::{CronJob, JobSpec};

use super::{
    Cx, Writer,
    common::{self, text},
    events, template,
};
use crate::api::Object;

fn or_unset(value: Option<impl Display>) -> String {
    value.map_or("<unset>".into(), |v| v.to_string())
}

/// See the module.
pub fn describe(cx: &Cx, object: &dyn Object, w: &mut Writer) {
    let Some(cron) = object.downcast::<CronJob>() else { return };
    let (spec, status) = (&cron.spec, cron.status.as_ref());
    common::name(object, w);
    common::labels_and_annotations(&cron.metadata, w);
    w.put(0, format_args!("Schedule:\t{}\n", spec.schedule));
    w.put(0, format_args!("Concurrency Policy:\t{}\n", text(&spec.concurrency_policy)));
    for (title, value) in [
        ("Suspend", or_unset(spec.suspend.map(common::capital))),
        ("Time Zone", or_unset(spec.time_zone.as_ref())),
        ("Successful Job History Limit", or_unset(spec.successful_jobs_history_limit)),
        ("Failed Job History Limit", or_unset(spec.failed_jobs_history_limit)),
        (
            "Starting Deadline Seconds",
            or_unset(spec.starting_deadline_seconds.map(|s| format!("{s}s"))),
        ),
    ] {
        w.put(0, format_args!("{title}:\t{value}\n"));
    }
    let none = JobSpec::default();
    job(spec.job_template.spec.as_ref().unwrap_or(&none), w);
    let last = status.and_then(|s| s.last_schedule_time.as_ref());
    let last = or_unset(last.map(|t| common::meta_date(Some(t))));
    w.put(0, format_args!("Last Schedule Time:\t{last}\n"));
    let active = status.and_then(|s| s.active.as_deref()).unwrap_or_default();
    let names: Vec<_> = active.iter().map(|job| text(&job.name)).collect();
    w.put(0, format_args!("Active Jobs:\t{}\n", common::or(names.join(", "), "<none>")));
    events::of(cx, object, w);
}

fn job(spec: &JobSpec, w: &mut Writer) {
    let selector = spec.selector.as_ref().map(|s| common::selector(Some(s)));
    for (title, value) in [
        ("Selector", or_unset(selector)),
        ("Parallelism", or_unset(spec.parallelism)),
        ("Completions", or_unset(spec.completions)),
    ] {
        w.put(0, format_args!("{title}:\t{value}\n"));
    }
    if let Some(seconds) = spec.active_deadline_seconds {
        w.put(0, format_args!("Active Deadline Seconds:\t{seconds}s\n"));
    }
    template::show(Some(&spec.template), w);
}
