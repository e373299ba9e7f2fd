//! A cron job that forbids it never has two jobs at work.

use k8s_openapi::api::batch::v1::{CronJob, Job};

use super::Seen;
use crate::api::{Object, meta};

/// Cron jobs with more jobs at work than they may have.
pub fn check(seen: &Seen) -> Vec<String> {
    let mut wrong = Vec::new();
    for cron in seen.client.list::<CronJob>(None) {
        let object: &dyn Object = &*cron;
        let policy = cron.spec.concurrency_policy.as_deref();
        if policy != Some("Forbid") {
            continue;
        }
        let jobs = seen.client.list::<Job>(Some(object.namespace()));
        let own = |job: &&std::rc::Rc<Job>| {
            meta::controller_of(&job.metadata).is_some_and(|c| c.uid == object.uid())
                && !is_over(job)
                && !meta::is_deleting(&job.metadata)
        };
        let at_work: Vec<_> =
            jobs.iter().filter(own).filter_map(|j| j.metadata.name.clone()).collect();
        if at_work.len() > 1 {
            wrong.push(format!("{} has {} at work", object.name(), at_work.join(", ")));
        }
    }
    wrong
}

/// Whether a job is done or has failed.
pub fn is_over(job: &Job) -> bool {
    let conditions = job.status.as_ref().and_then(|s| s.conditions.as_ref());
    let over = |c: &str| matches!(c, "Complete" | "Failed");
    conditions.into_iter().flatten().any(|c| over(&c.type_) && c.status == "True")
}
