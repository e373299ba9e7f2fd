//! `kubectl describe job`. Models `describeJob`.

use k8s_openapi::api::batch::v1::{Job, JobSpec, JobStatus};

use super::{
    Cx, Writer,
    common::{self, text},
    events, template,
};
use crate::{
    api::{Object, duration, meta, selector::Selector},
    sim::Time,
};

/// See the module.
pub fn describe(cx: &Cx, object: &dyn Object, w: &mut Writer) {
    let Some(job) = object.downcast::<Job>() else { return };
    let (no_spec, no_status) = (JobSpec::default(), JobStatus::default());
    let spec = job.spec.as_ref().unwrap_or(&no_spec);
    let status = job.status.as_ref().unwrap_or(&no_status);
    common::name(object, w);
    let selector = Selector::from_label_selector(spec.selector.as_ref()).unwrap_or_default();
    w.put(0, format_args!("Selector:\t{selector}\n"));
    common::labels_and_annotations(&job.metadata, w);
    if let Some(owner) = meta::controller_of(&job.metadata) {
        w.put(0, format_args!("Controlled By:\t{}/{}\n", owner.kind, owner.name));
    }
    limits(spec, w);
    times(spec, status, w);
    let n = |value: Option<i32>| value.unwrap_or(0);
    let ready = status.ready.map_or(String::new(), |ready| format!(" ({ready} Ready)"));
    w.put(
        0,
        format_args!(
            "Pods Statuses:\t{} Active{ready} / {} Succeeded / {} Failed\n",
            n(status.active),
            n(status.succeeded),
            n(status.failed)
        ),
    );
    if text(&spec.completion_mode) == "Indexed" {
        w.put(0, format_args!("Completed Indexes:\t{}\n", capped(text(&status.completed_indexes))));
    }
    template::show(Some(&spec.template), w);
    events::of(cx, object, w);
}

fn limits(spec: &JobSpec, w: &mut Writer) {
    if let Some(parallelism) = spec.parallelism {
        w.put(0, format_args!("Parallelism:\t{parallelism}\n"));
    }
    let completions = spec.completions.map_or("<unset>".to_string(), |n| n.to_string());
    w.put(0, format_args!("Completions:\t{completions}\n"));
    if let Some(mode) = &spec.completion_mode {
        w.put(0, format_args!("Completion Mode:\t{mode}\n"));
    }
    if let Some(suspend) = spec.suspend {
        w.put(0, format_args!("Suspend:\t{suspend}\n"));
    }
    if let Some(limit) = spec.backoff_limit {
        w.put(0, format_args!("Backoff Limit:\t{limit}\n"));
    }
    if let Some(ttl) = spec.ttl_seconds_after_finished {
        w.put(0, format_args!("TTL Seconds After Finished:\t{ttl}\n"));
    }
}

fn times(spec: &JobSpec, status: &JobStatus, w: &mut Writer) {
    let (start, end) = (status.start_time.as_ref(), status.completion_time.as_ref());
    if start.is_some() {
        w.put(0, format_args!("Start Time:\t{}\n", common::meta_date(start)));
    }
    if end.is_some() {
        w.put(0, format_args!("Completed At:\t{}\n", common::meta_date(end)));
    }
    if let (Some(start), Some(end)) = (start, end) {
        let took = duration::human(Time::from(end).since(Time::from(start)));
        w.put(0, format_args!("Duration:\t{took}\n"));
    }
    if let Some(seconds) = spec.active_deadline_seconds {
        w.put(0, format_args!("Active Deadline Seconds:\t{seconds}s\n"));
    }
}

/// Long lists end after the index that goes over fifty characters.
fn capped(indexes: &str) -> String {
    const SOFT_LIMIT: usize = 50;
    let end = indexes.get(SOFT_LIMIT..).and_then(|rest| rest.find(','));
    match end.and_then(|end| indexes.get(..=SOFT_LIMIT + end)) {
        Some(start) => format!("{start}..."),
        None => common::or(indexes.to_string(), "<none>"),
    }
}
