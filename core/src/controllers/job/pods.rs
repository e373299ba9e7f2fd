//! The pods of a job: making them, telling how they stand, when the next may be made.
//!
//! Models `pkg/controller/job/{indexed_job_utils,backoff_utils}.go`.

use std::{rc::Rc, time::Duration};

use k8s_openapi::api::{
    batch::v1::{Job, JobSpec},
    core::v1::{Container, EnvVar, EnvVarSource, ObjectFieldSelector, Pod},
};

use super::indexes;
use crate::{
    api::{
        KindTable, Object,
        meta::{annotation, controller_ref, is_deleting},
        pods,
    },
    sim::Time,
};

/// What holds a pod until it was counted.
pub const FINALIZER: &str = "batch.kubernetes.io/job-tracking";
/// How often an index failed before the pod was made.
const FAILURES: &str = "batch.kubernetes.io/job-index-failure-count";
const INDEX_ENV: &str = "JOB_COMPLETION_INDEX";

/// First wait after a failure (`DefaultJobPodFailureBackOff`), and the longest
/// (`MaxJobPodFailureBackOff`).
const BACKOFF: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(600));

/// Whether the pod waits to be counted.
pub fn is_tracked(pod: &Pod) -> bool {
    pod.metadata.finalizers.iter().flatten().any(|f| f == FINALIZER)
}

/// Whether the job's pods are only replaced once they have really ended.
pub fn waits_for_end(spec: &JobSpec) -> bool {
    spec.pod_replacement_policy.as_deref() == Some("Failed")
}

/// Whether a pod counts as failed: also one that is going before it could end by itself.
pub fn is_failed(spec: &JobSpec, pod: &Pod) -> bool {
    match pods::phase(pod) {
        "Failed" => true,
        "Succeeded" => false,
        _ => !waits_for_end(spec) && is_deleting(&pod.metadata),
    }
}

/// A new pod of the job; of one index where the job has them.
pub fn new(kinds: &KindTable, job: &Job, spec: &JobSpec, index: Option<(i32, i32)>) -> Pod {
    let owner: &dyn Object = job;
    let reference = controller_ref(kinds, owner);
    let mut pod = pods::from_template(&spec.template, owner.namespace(), owner.name(), reference);
    let finalizers = pod.metadata.finalizers.get_or_insert_default();
    if !finalizers.iter().any(|f| f == FINALIZER) {
        finalizers.push(FINALIZER.into());
    }
    let Some((index, failures)) = index else { return pod };
    let text = index.to_string();
    let annotations = pod.metadata.annotations.get_or_insert_default();
    annotations.insert(indexes::INDEX.into(), text.clone());
    if spec.backoff_limit_per_index.is_some() {
        annotations.insert(FAILURES.into(), failures.to_string());
    }
    pod.metadata.labels.get_or_insert_default().insert(indexes::INDEX.into(), text);
    let name = format!("{}-{index}", owner.name());
    pod.metadata.generate_name = Some(format!("{name}-"));
    let pod_spec = pod.spec.get_or_insert_default();
    pod_spec.hostname = Some(name);
    pod_spec.containers.iter_mut().for_each(add_index);
    pod_spec.init_containers.iter_mut().flatten().for_each(add_index);
    pod
}

fn add_index(container: &mut Container) {
    let env = container.env.get_or_insert_default();
    if env.iter().any(|var| var.name == INDEX_ENV) {
        return;
    }
    env.push(EnvVar {
        name: INDEX_ENV.into(),
        value: None,
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                api_version: None,
                field_path: format!("metadata.labels['{}']", indexes::INDEX),
            }),
            ..Default::default()
        }),
    });
}

/// How often an index has failed, by its pods that are still there.
pub fn index_failures(spec: &JobSpec, all: &[Rc<Pod>], index: i32) -> i32 {
    let completions = spec.completions.unwrap_or(0);
    let mine = all.iter().filter(|p| indexes::of(p, completions) == Some(index));
    let before = |pod: &Rc<Pod>| {
        annotation(&pod.metadata, FAILURES).and_then(|n| n.parse::<i32>().ok()).unwrap_or(0)
    };
    mine.filter(|p| is_failed(spec, p)).map(|p| before(p).saturating_add(1)).max().unwrap_or(0)
}

/// When a pod ended.
fn finished_at(pod: &Pod, now: Time) -> Time {
    let statuses = pod.status.as_ref().and_then(|s| s.container_statuses.as_ref());
    let ends = statuses.into_iter().flatten().filter_map(|c| {
        let end = c.state.as_ref()?.terminated.as_ref()?.finished_at.as_ref()?;
        Some(Time::from(end))
    });
    let deleted = pod.metadata.deletion_timestamp.as_ref().map(Time::from);
    ends.max().or(deleted).unwrap_or(now)
}

/// How long to wait before the next pod is made: longer after each failure since the last success.
pub fn backoff(spec: &JobSpec, all: &[Rc<Pod>], index: Option<i32>, now: Time) -> Duration {
    let completions = spec.completions.unwrap_or(0);
    let concerned = |pod: &&Rc<Pod>| index.is_none() || indexes::of(pod, completions) == index;
    let mut ends: Vec<(Time, bool)> = all
        .iter()
        .filter(concerned)
        .filter(|p| pods::is_terminal(p) || is_failed(spec, p))
        .map(|p| (finished_at(p, now), is_failed(spec, p)))
        .collect();
    ends.sort_unstable();
    let failures = ends.iter().rev().take_while(|(_, failed)| *failed).count();
    let Some((last, true)) = ends.last().copied() else { return Duration::ZERO };
    let times = u32::try_from(failures.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
    let wait = BACKOFF.0.saturating_mul(1 << times).min(BACKOFF.1);
    (last + wait).since(now)
}

/// Restarts of containers of pods that run: what counts where pods are not replaced.
pub fn restarts(all: &[Rc<Pod>]) -> i32 {
    let running = all.iter().filter(|p| matches!(pods::phase(p), "Running" | "Pending"));
    let statuses = running
        .filter_map(|p| p.status.as_ref())
        .flat_map(|s| s.container_statuses.iter().chain(&s.init_container_statuses).flatten());
    statuses.map(|c| c.restart_count).sum()
}
