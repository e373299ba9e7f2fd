//! What failures and successes of pods mean for a job.
//!
//! Models `pkg/controller/job/pod_failure_policy.go` and `success_policy.go`.

use k8s_openapi::api::{
    batch::v1::{JobSpec, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyRule},
    core::v1::{ContainerStatus, Pod},
};

use super::indexes::Indexes;
use crate::api::{Object, pods};

/// What follows from a pod's failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Consequence {
    /// It counts towards the limit.
    Count,
    /// It counts, and its index has failed.
    FailIndex,
    /// Nothing.
    Ignore,
    /// The job fails, for this reason.
    FailJob(String),
}

/// What the job's policy says of a failed pod.
pub fn consequence(spec: &JobSpec, pod: &Pod) -> Consequence {
    let rules = spec.pod_failure_policy.as_ref().map(|p| p.rules.as_slice()).unwrap_or_default();
    for (i, rule) in rules.iter().enumerate() {
        if let Some(what) = matched(rule, pod) {
            return match rule.action.as_str() {
                "Ignore" => Consequence::Ignore,
                "FailIndex" if spec.backoff_limit_per_index.is_some() => Consequence::FailIndex,
                "FailJob" => {
                    Consequence::FailJob(format!("{what} matching FailJob rule at index {i}"))
                }
                _ => Consequence::Count,
            };
        }
    }
    Consequence::Count
}

fn matched(rule: &PodFailurePolicyRule, pod: &Pod) -> Option<String> {
    let object: &dyn Object = pod;
    let which = format!("{}/{}", object.namespace(), object.name());
    if let Some(codes) = &rule.on_exit_codes {
        let status = pod.status.as_ref()?;
        let all = status.container_statuses.iter().chain(&status.init_container_statuses).flatten();
        let found = all.filter_map(|c| Some((c, exit_code(c)?))).find(|(c, n)| fits(codes, c, *n));
        return found.map(|(c, code)| {
            format!("Container {} for pod {which} failed with exit code {code}", c.name)
        });
    }
    let patterns = rule.on_pod_conditions.as_deref().unwrap_or_default();
    let found = patterns.iter().find(|pattern| {
        let wanted = pattern.status.as_deref().unwrap_or("True");
        pods::condition(pod, &pattern.type_).is_some_and(|c| c.status == wanted)
    });
    found.map(|pattern| format!("Pod {which} has condition {}", pattern.type_))
}

fn exit_code(container: &ContainerStatus) -> Option<i32> {
    let code = container.state.as_ref()?.terminated.as_ref()?.exit_code;
    (code != 0).then_some(code)
}

fn fits(
    codes: &PodFailurePolicyOnExitCodesRequirement,
    container: &ContainerStatus,
    code: i32,
) -> bool {
    let named = codes.container_name.as_ref().is_none_or(|name| *name == container.name);
    named && codes.values.contains(&code) == (codes.operator == "In")
}

/// The rule of the job's success policy that is fulfilled, if one is.
pub fn success(spec: &JobSpec, succeeded: &Indexes) -> Option<usize> {
    let policy = spec.success_policy.as_ref()?;
    let completions = spec.completions.unwrap_or(0);
    policy.rules.iter().position(|rule| {
        let (have, wanted) = match &rule.succeeded_indexes {
            None => (succeeded.count(), completions),
            Some(text) => {
                let mut have = 0;
                let listed = Indexes::parse(text, completions);
                listed.intervals().for_each(|(low, high)| have += succeeded.count_in(low, high));
                (have, listed.count())
            }
        };
        have >= rule.succeeded_count.unwrap_or(wanted)
    })
}
