//! Work that ends, and work that begins by the clock.

use sandbar_core::client::{DeleteOptions, Propagation};
use serde_json::{Value, json};

use super::{NAMES, PLACE, kind_named, make, merge};
use crate::chaos::{Chance, cluster::Cluster};

/// One thing that is done with jobs.
#[derive(Clone, Debug)]
pub enum Timed {
    /// A cron job of this number for every minute, whose jobs take so many seconds.
    Cron(u64, Overlap, u64),
    /// The cron job is suspended, or goes on.
    Suspend(u64, bool),
    /// The cron job goes.
    DeleteCron(u64, Propagation),
    /// A job of this number with a rule for its end.
    Job(u64, Rule),
    /// The job is suspended, or goes on.
    SuspendJob(u64, bool),
    /// The job goes.
    DeleteJob(u64),
}

/// What happens when a job still runs that the next should follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// Both run.
    Allow,
    /// The next is left out.
    Forbid,
    /// The next takes its place.
    Replace,
}

/// A rule for how a job ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Its pods' failures with one exit code fail it.
    PodFailure,
    /// Failures that don't count.
    Ignored,
    /// It is enough if its first index is done.
    Success,
    /// Each index may fail once.
    PerIndex,
    /// It has so long.
    Deadline,
    /// It goes by itself when it is done.
    Ttl,
}

const RULES: [Rule; 6] =
    [Rule::PodFailure, Rule::Ignored, Rule::Success, Rule::PerIndex, Rule::Deadline, Rule::Ttl];

impl Timed {
    /// By chance.
    pub fn draw(chance: &mut Chance) -> Timed {
        let (n, more) = (chance.below(NAMES), chance.below(1_000));
        let overlap = [Overlap::Allow, Overlap::Forbid, Overlap::Replace][more as usize % 3];
        match chance.below(10) {
            0..=2 => Timed::Cron(n, overlap, [5, 40, 100][more as usize / 3 % 3]),
            3 => Timed::Suspend(n, more.is_multiple_of(2)),
            4 => Timed::DeleteCron(
                n,
                if more.is_multiple_of(3) { Propagation::Orphan } else { Propagation::Background },
            ),
            5..=7 => Timed::Job(n, RULES[more as usize % RULES.len()]),
            8 => Timed::SuspendJob(n, more.is_multiple_of(2)),
            _ => Timed::DeleteJob(n),
        }
    }

    /// Does it.
    pub fn run(&self, cluster: &Cluster) {
        match self {
            Timed::Cron(n, overlap, seconds) => make(cluster, cron(*n, *overlap, *seconds)),
            Timed::Suspend(n, yes) => {
                merge(cluster, "CronJob", &format!("cron-{n}"), &json!({"spec": {"suspend": yes}}));
            }
            Timed::DeleteCron(n, propagation) => {
                let options =
                    DeleteOptions { propagation: *propagation, ..DeleteOptions::default() };
                let kind = kind_named(cluster, "CronJob");
                let _ = cluster.admin.delete_any(kind, PLACE, &format!("cron-{n}"), &options);
            }
            Timed::Job(n, rule) => make(cluster, job(*n, *rule)),
            Timed::SuspendJob(n, yes) => {
                merge(cluster, "Job", &format!("ruled-{n}"), &json!({"spec": {"suspend": yes}}));
            }
            Timed::DeleteJob(n) => {
                let options = DeleteOptions {
                    propagation: Propagation::Foreground,
                    ..DeleteOptions::default()
                };
                let kind = kind_named(cluster, "Job");
                let _ = cluster.admin.delete_any(kind, PLACE, &format!("ruled-{n}"), &options);
            }
        }
    }
}

/// Nothing new begins, and nothing waits.
pub fn heal(cluster: &Cluster) {
    for n in 0..NAMES {
        Timed::Suspend(n, true).run(cluster);
        Timed::SuspendJob(n, false).run(cluster);
    }
}

fn cron(n: u64, overlap: Overlap, seconds: u64) -> Value {
    json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": format!("cron-{n}")},
        "spec": {"schedule": "* * * * *", "concurrencyPolicy": format!("{overlap:?}"),
            "successfulJobsHistoryLimit": n, "failedJobsHistoryLimit": 1,
            "jobTemplate": {"spec": {"template": pod(&format!("sleep {seconds}"))}}}})
}

fn pod(script: &str) -> Value {
    json!({"spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 2,
        "containers": [{"name": "c", "image": "busybox:1.36", "command": ["sh", "-c", script],
            "resources": {"requests": {"cpu": "100m"}}}]}})
}

fn job(n: u64, rule: Rule) -> Value {
    let first_fails = "sleep 2; test $JOB_COMPLETION_INDEX != 0 || exit 3";
    let spec = match rule {
        Rule::PodFailure => json!({"completions": 3, "parallelism": 2, "backoffLimit": 4,
            "podFailurePolicy": {"rules": [{"action": "FailJob",
                "onExitCodes": {"containerName": "c", "operator": "In", "values": [3]}}]},
            "template": pod("sleep 3; exit 3")}),
        Rule::Ignored => json!({"completions": 3, "parallelism": 3, "backoffLimit": 1,
            "podFailurePolicy": {"rules": [{"action": "Ignore",
                "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]},
            "template": pod("sleep 20")}),
        Rule::Success => json!({"completions": 4, "parallelism": 4, "completionMode": "Indexed",
            "successPolicy": {"rules": [{"succeededIndexes": "0"}]},
            "template": pod("test $JOB_COMPLETION_INDEX = 0 || sleep 60; sleep 5")}),
        Rule::PerIndex => json!({"completions": 4, "parallelism": 2, "completionMode": "Indexed",
            "backoffLimitPerIndex": 1, "maxFailedIndexes": 2, "template": pod(first_fails)}),
        Rule::Deadline => json!({"completions": 2, "parallelism": 1, "activeDeadlineSeconds": 15,
            "template": pod("sleep 10")}),
        Rule::Ttl => json!({"completions": 2, "parallelism": 2, "ttlSecondsAfterFinished": 20,
            "template": pod("sleep 4")}),
    };
    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": format!("ruled-{n}")},
        "spec": spec})
}
