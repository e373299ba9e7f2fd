//! Starts jobs when their CronJob's schedule says so.
//!
//! Models `pkg/controller/cronjob/cronjob_controllerv2.go`.

use std::{collections::BTreeMap, rc::Rc, time::Duration};

use jiff::tz::TimeZone;
use k8s_openapi::{
    api::{
        batch::v1::{CronJob, CronJobSpec, CronJobStatus, Job},
        core::v1::ObjectReference,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{
    framework::{Controller, Key, Queue},
    job,
};
use crate::{
    api::{
        KindId, Object, Status, Typed,
        cron::Schedule,
        meta::{controller_of, controller_ref, is_deleting},
        zones,
    },
    client::{Change, Client, DeleteOptions, EventType, IndexId, Op, Recorder},
    sim::Time,
};

const NAME: &str = "cronjob-controller";
/// When the job was due, in its annotations.
const SCHEDULED: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";
/// A little later than the schedule says, so that it is surely due (`nextScheduleDelta`).
const DELTA: Duration = Duration::from_millis(100);
/// With so many missed starts nobody looks back any more.
const TOO_MANY: usize = 100;

/// The CronJob controller.
pub fn make(client: &Client) -> Box<dyn Controller> {
    Box::new(CronJobs {
        client: client.clone(),
        events: Recorder::new(client, NAME, ""),
        jobs: client.index::<Job>(jobs_by_owner),
    })
}

/// Index: jobs by the uid of their controller.
fn jobs_by_owner(object: &dyn Object) -> Vec<String> {
    controller_of(object.metadata()).map(|owner| owner.uid.clone()).into_iter().collect()
}

struct CronJobs {
    client: Client,
    events: Recorder,
    jobs: IndexId,
}

/// `Mon, 02 Jan 2006 15:04:05 -0700`
fn date(at: Time, zone: &TimeZone) -> String {
    let zoned = at.to_timestamp().to_zoned(zone.clone());
    jiff::fmt::strtime::format("%a, %d %b %Y %H:%M:%S %z", &zoned).unwrap_or_default()
}

/// As Go's RFC 3339 writes a time in a zone.
fn rfc3339(at: Time, zone: &TimeZone) -> String {
    let zoned = at.to_timestamp().to_zoned(zone.clone());
    if *zone == TimeZone::UTC {
        return jiff::fmt::strtime::format("%Y-%m-%dT%H:%M:%SZ", &zoned).unwrap_or_default();
    }
    jiff::fmt::strtime::format("%Y-%m-%dT%H:%M:%S%:z", &zoned).unwrap_or_default()
}

/// The last time at which the schedule was due after `earliest`, and whether too many were missed.
/// Models `mostRecentScheduleTime`.
fn most_recent(
    schedule: &Schedule,
    zone: &TimeZone,
    earliest: Time,
    now: Time,
) -> (Option<Time>, usize) {
    let Some(mut last) = schedule.next(earliest, zone).filter(|t| *t <= now) else {
        return (None, 0);
    };
    let mut missed = 1;
    // Many starts may have been missed: as upstream, the distance of two tells how many, and only
    // the last stretch is walked.
    let second = schedule.next(last, zone);
    if let Some(second) = second.filter(|t| *t <= now) {
        let between = second.since(last).as_secs().max(1);
        let passed = now.since(last).as_secs() / between;
        if passed > TOO_MANY as u64 {
            missed = usize::try_from(passed).unwrap_or(usize::MAX);
            let back = Duration::from_secs(between.saturating_mul(2));
            if let Some(close) = schedule.next(now - back, zone).filter(|t| *t <= now) {
                last = close;
            }
        }
    }
    for _ in 0..TOO_MANY * 2 {
        match schedule.next(last, zone).filter(|t| *t <= now) {
            Some(next) => last = next,
            None => break,
        }
        missed = missed.saturating_add(1);
    }
    (Some(last), missed)
}

impl CronJobs {
    fn tell(&self, cron: &CronJob, kind: EventType, reason: &str, text: &str) {
        self.events.event(cron, kind, reason, text);
    }

    /// Brings the list of active jobs up to date.
    fn update_active(&self, cron: &CronJob, status: &mut CronJobStatus, jobs: &[Rc<Job>]) {
        let mut active = status.active.take().unwrap_or_default();
        for job in jobs {
            let object: &dyn Object = &**job;
            let place = active.iter().position(|a| a.uid.as_deref() == Some(object.uid()));
            match (job::end_of(job), place) {
                (None, None) => {
                    let text = format!(
                        "Saw a job that the controller did not create or forgot: {}",
                        object.name()
                    );
                    self.tell(cron, EventType::Warning, "UnexpectedJob", &text);
                }
                (Some((how, _)), Some(place)) => {
                    active.remove(place);
                    let text = format!("Saw completed job: {}, condition: {how}", object.name());
                    self.tell(cron, EventType::Normal, "SawCompletedJob", &text);
                }
                _ => {}
            }
            if let Some(("Complete", _)) = job::end_of(job) {
                let done = job.status.as_ref().and_then(|s| s.completion_time.clone());
                let newer = |t: &k8s_openapi::apimachinery::pkg::apis::meta::v1::Time| {
                    status.last_successful_time.as_ref().is_none_or(|last| last.0 < t.0)
                };
                if let Some(done) = done.filter(newer) {
                    status.last_successful_time = Some(done);
                }
            }
        }
        active.retain(|reference| {
            let there = jobs.iter().any(|j| j.metadata.uid == reference.uid);
            if !there {
                let name = reference.name.as_deref().unwrap_or_default();
                let text = format!("Active job went missing: {name}");
                self.tell(cron, EventType::Normal, "MissingJob", &text);
            }
            there
        });
        status.active = (!active.is_empty()).then_some(active);
    }

    fn delete(&self, cron: &CronJob, job: &Job) -> Result<(), Status> {
        let object: &dyn Object = job;
        let options = DeleteOptions::default();
        match self.client.delete::<Job>(object.namespace(), object.name(), &options) {
            Ok(()) => {
                let text = format!("Deleted job {}", object.name());
                self.tell(cron, EventType::Normal, "SuccessfulDelete", &text);
                Ok(())
            }
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => {
                let text = format!("Deleted job: {error}");
                self.tell(cron, EventType::Warning, "FailedDelete", &text);
                Err(error)
            }
        }
    }

    /// Old jobs go, as many as are not to be kept.
    fn clean_up(&self, cron: &CronJob, spec: &CronJobSpec, jobs: &[Rc<Job>]) -> Result<(), Status> {
        for (how, limit) in [
            ("Complete", spec.successful_jobs_history_limit),
            ("Failed", spec.failed_jobs_history_limit),
        ] {
            let Some(limit) = limit else { continue };
            let ended = |j: &&Rc<Job>| {
                !is_deleting(&j.metadata) && job::end_of(j).is_some_and(|(end, _)| end == how)
            };
            let mut old: Vec<_> = jobs.iter().filter(ended).collect();
            old.sort_by_key(|j| {
                let start = j.status.as_ref().and_then(|s| s.start_time.clone());
                (start.is_none(), start, j.metadata.name.clone())
            });
            let surplus = old.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
            for job in old.into_iter().take(surplus) {
                self.delete(cron, job)?;
            }
        }
        Ok(())
    }

    fn new_job(&self, cron: &CronJob, spec: &CronJobSpec, due: Time, zone: &TimeZone) -> Job {
        let owner: &dyn Object = cron;
        let template = spec.job_template.metadata.clone().unwrap_or_default();
        let mut annotations: BTreeMap<_, _> = template.annotations.unwrap_or_default();
        annotations.insert(SCHEDULED.into(), rfc3339(due, zone));
        let minutes = due.to_timestamp().as_second() / 60;
        Job {
            metadata: ObjectMeta {
                name: Some(format!("{}-{minutes}", owner.name())),
                namespace: Some(owner.namespace().to_string()),
                labels: template.labels,
                annotations: Some(annotations),
                owner_references: Some(vec![controller_ref(&self.client.kinds(), owner)]),
                ..Default::default()
            },
            spec: spec.job_template.spec.clone(),
            status: None,
        }
    }

    /// Starts what is due. How long until the next start, if there is one.
    fn start_due(
        &self,
        cron: &CronJob,
        spec: &CronJobSpec,
        status: &mut CronJobStatus,
        jobs: &[Rc<Job>],
    ) -> Result<Option<Duration>, Status> {
        let now = self.client.sim().now();
        let zone = match &spec.time_zone {
            None => TimeZone::UTC,
            Some(name) => match zones::find(name) {
                Some(zone) => zone,
                None => {
                    let text = format!("invalid timeZone: {name:?}: unknown time zone {name}");
                    self.tell(cron, EventType::Warning, "UnknownTimeZone", &text);
                    return Ok(None);
                }
            },
        };
        if spec.suspend == Some(true) {
            return Ok(None);
        }
        let Ok(schedule) = Schedule::parse(&spec.schedule) else {
            let text = format!("unparseable schedule: {}", spec.schedule);
            self.tell(cron, EventType::Warning, "UnparseableSchedule", &text);
            return Ok(None);
        };
        let next = |after: Time| {
            let next = schedule.next(after, &zone)?;
            Some(next.since(now) + DELTA)
        };
        let last = status.last_schedule_time.as_ref().map(Time::from);
        let created = cron.metadata.creation_timestamp.as_ref().map(Time::from);
        let mut earliest = last.or(created).unwrap_or(now);
        let deadline = spec
            .starting_deadline_seconds
            .map(|s| Duration::from_secs(u64::try_from(s).unwrap_or(0)));
        if let Some(deadline) = deadline {
            earliest = earliest.max(now - deadline);
        }
        let (due, missed) = most_recent(&schedule, &zone, earliest, now);
        if missed > TOO_MANY {
            let text = format!(
                "too many missed start times: {missed}. Set or decrease \
                 .spec.startingDeadlineSeconds or check clock skew"
            );
            self.tell(cron, EventType::Warning, "TooManyMissedTimes", &text);
        }
        let Some(due) = due else { return Ok(next(now)) };
        if deadline.is_some_and(|deadline| due + deadline < now) {
            let text = format!("Missed scheduled time to start a job: {}", date(due, &zone));
            self.tell(cron, EventType::Warning, "MissSchedule", &text);
            return Ok(next(now));
        }
        let job = self.new_job(cron, spec, due, &zone);
        let name = job.metadata.name.clone();
        let active = status.active.as_deref().unwrap_or_default();
        if last == Some(due) || active.iter().any(|a| a.name == name) {
            return Ok(next(now));
        }
        match spec.concurrency_policy.as_deref() {
            Some("Forbid") if !active.is_empty() => {
                let text = "Not starting job because prior execution is running and concurrency \
                            policy is Forbid";
                self.tell(cron, EventType::Normal, "JobAlreadyActive", text);
                return Ok(next(now));
            }
            Some("Replace") => {
                for old in jobs.iter().filter(|j| active.iter().any(|a| a.uid == j.metadata.uid)) {
                    self.delete(cron, old)?;
                }
                status.active = None;
            }
            _ => {}
        }
        self.start(cron, status, job, due)?;
        Ok(next(now))
    }

    fn start(
        &self,
        cron: &CronJob,
        status: &mut CronJobStatus,
        job: Job,
        due: Time,
    ) -> Result<(), Status> {
        let job = match self.client.create(job.clone()) {
            Ok(job) => job,
            Err(error) if error.message.contains("because it is being terminated") => {
                return Ok(());
            }
            Err(error) if error.is_already_exists() => {
                let (ns, name) = (job.metadata.namespace, job.metadata.name);
                let found =
                    self.client.get::<Job>(&ns.unwrap_or_default(), &name.unwrap_or_default())?;
                let mine = controller_of(&found.metadata)
                    .is_some_and(|o| Some(&o.uid) == cron.metadata.uid.as_ref());
                if !mine || job::is_finished(&found) {
                    return Ok(());
                }
                found
            }
            Err(error) => {
                let text = format!("Error creating job: {error}");
                self.tell(cron, EventType::Warning, "FailedCreate", &text);
                return Err(error);
            }
        };
        let object: &dyn Object = &*job;
        let text = format!("Created job {}", object.name());
        self.tell(cron, EventType::Normal, "SuccessfulCreate", &text);
        status.active.get_or_insert_default().push(ObjectReference {
            api_version: Some("batch/v1".into()),
            kind: Some("Job".into()),
            namespace: Some(object.namespace().to_string()),
            name: Some(object.name().to_string()),
            uid: Some(object.uid().to_string()),
            resource_version: object.metadata().resource_version.clone(),
            field_path: None,
        });
        status.last_schedule_time = Some(due.to_meta());
        Ok(())
    }
}

impl Controller for CronJobs {
    fn name(&self) -> &'static str {
        NAME
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![CronJob::ID, Job::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        let object = &*change.object;
        if change.kind == Job::ID {
            let owner = controller_of(object.metadata()).filter(|o| o.kind == "CronJob");
            if let Some(owner) = owner {
                queue.add_name(object.namespace(), &owner.name);
            }
        } else if change.op != Op::Deleted {
            queue.add_name(object.namespace(), object.name());
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        let Some(cron) = self.client.find::<CronJob>(&key.0, &key.1) else { return Ok(None) };
        let spec = &cron.spec;
        let uid = (&*cron as &dyn Object).uid().to_string();
        let jobs = self.client.by_index::<Job>(self.jobs, &uid);
        self.clean_up(&cron, spec, &jobs)?;
        let mut status = cron.status.clone().unwrap_or_default();
        self.update_active(&cron, &mut status, &jobs);
        let next = match is_deleting(&cron.metadata) {
            true => Ok(None),
            false => self.start_due(&cron, spec, &mut status, &jobs),
        };
        if cron.status.as_ref() != Some(&status) {
            let mut new = (*cron).clone();
            new.status = Some(status);
            self.client.update_status(new)?;
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::batch::v1::JobCondition;
    use serde_json::{Value, json};

    use super::*;
    use crate::controllers::{
        framework,
        testing::{cluster, events, make, pass, set_status},
    };

    fn tick(extra: Value) -> Value {
        let spec = json!({"schedule": "*/10 * * * *", "jobTemplate": {"spec": {"template": {
            "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}}}});
        let spec = crate::api::patch::merge(spec, extra);
        json!({"metadata": {"name": "tick", "namespace": "default"}, "spec": spec})
    }

    fn finish(client: &Client, job: &Job) {
        let now = client.sim().now().to_meta();
        set_status::<Job>(client, job, |job| {
            let status = job.status.get_or_insert_default();
            status.start_time.get_or_insert(now.clone());
            status.completion_time = Some(now.clone());
            let condition = |kind: &str| JobCondition {
                type_: kind.into(),
                status: "True".into(),
                last_transition_time: Some(now.clone()),
                ..Default::default()
            };
            status.conditions = Some(vec![condition("SuccessCriteriaMet"), condition("Complete")]);
        });
    }

    #[test]
    fn jobs_start_on_time_and_old_ones_go() {
        let (sim, client) = cluster(1);
        let _running = framework::start(&client, super::make(&client));
        make::<CronJob>(&client, tick(json!({"successfulJobsHistoryLimit": 2})));
        for round in 1..=4 {
            pass(&sim, 600.0);
            let jobs = client.list::<Job>(None);
            let status = client.get::<CronJob>("default", "tick").unwrap().status.clone();
            assert_eq!(status.unwrap_or_default().active.map_or(0, |a| a.len()), 1, "{round}");
            for job in jobs.iter().filter(|j| !job::is_finished(j)) {
                finish(&client, job);
            }
            pass(&sim, 1.0);
        }
        assert_eq!(client.count::<Job>(), 2);
        let told = events(&client, "CronJob");
        for want in ["SuccessfulCreate Created job tick-", "SawCompletedJob Saw completed job: "] {
            assert!(told.iter().filter(|e| e.starts_with(want)).count() >= 4, "{told:#?}");
        }
    }

    #[test]
    fn overlapping_jobs_are_allowed_forbidden_or_replaced() {
        for (policy, want) in [("Allow", 3), ("Forbid", 1), ("Replace", 1)] {
            let (sim, client) = cluster(1);
            let _running = framework::start(&client, super::make(&client));
            make::<CronJob>(&client, tick(json!({"concurrencyPolicy": policy})));
            pass(&sim, 1801.0);
            assert_eq!(client.count::<Job>(), want, "{policy}");
            let reasons = events(&client, "CronJob");
            let forbidden = reasons.iter().any(|e| e.starts_with("JobAlreadyActive"));
            assert_eq!(forbidden, policy == "Forbid");
            let replaced = reasons.iter().any(|e| e.starts_with("SuccessfulDelete"));
            assert_eq!(replaced, policy == "Replace");
        }
    }

    #[test]
    fn what_was_missed_is_started_once_if_it_is_not_too_late() {
        for (deadline, want) in [(json!(null), 1), (json!(30), 0), (json!(599), 1)] {
            let (sim, client) = cluster(1);
            let name = deadline.to_string();
            make::<CronJob>(&client, tick(json!({"startingDeadlineSeconds": deadline})));
            // 22:13:20 at the start; 22:43:20 at the end: the last start was due 200 s ago.
            pass(&sim, 1800.0);
            let _running = framework::start(&client, super::make(&client));
            pass(&sim, 1.0);
            assert_eq!(client.count::<Job>(), want, "{name}");
        }
    }
}
