//! How many replicas a metric asks for. Pure: pods and what was measured go in, a number comes out.
//!
//! Models `pkg/controller/podautoscaler/replica_calculator.go` and `metrics/utilization.go`.

use std::{collections::BTreeMap, rc::Rc, time::Duration};

use k8s_openapi::api::core::v1::Pod;

use crate::{
    api::{Object, meta::is_deleting, pods, quantity::Amount},
    sim::Time,
};

/// Processor use of a pod that is younger counts only once it was ready
/// (`--horizontal-pod-autoscaler-cpu-initialization-period`).
const INITIALIZATION: Duration = Duration::from_secs(300);
/// A pod that became unready so early was never ready (`--…-initial-readiness-delay`).
const READINESS_DELAY: Duration = Duration::from_secs(30);

/// What was measured of a pod, in thousandths.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// When.
    pub at: Time,
    /// Over which time.
    pub window: Duration,
    /// How much.
    pub milli: i64,
}

/// By name of pod.
pub type Metrics = BTreeMap<String, Measured>;

/// What is aimed at.
#[derive(Clone, Copy, Debug)]
pub enum Aim {
    /// Percent of what pods request.
    Share(i64),
    /// Thousandths for each pod.
    Amount(i64),
}

/// How far from its aim a metric may be.
#[derive(Clone, Copy, Debug)]
pub struct Tolerance {
    /// Below.
    pub down: f64,
    /// Above.
    pub up: f64,
}

impl Tolerance {
    fn within(self, ratio: f64) -> bool {
        (1.0 - self.down..=1.0 + self.up).contains(&ratio)
    }
}

/// What came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Replicas.
    pub replicas: i32,
    /// Percent used, where a share is aimed at.
    pub share: Option<i64>,
    /// Thousandths that a pod uses on average.
    pub average: i64,
}

#[derive(Default)]
struct Groups {
    ready: usize,
    unready: Vec<String>,
    missing: Vec<String>,
    ignored: Vec<String>,
}

fn group(all: &[Rc<Pod>], metrics: &Metrics, resource: &str, now: Time) -> Groups {
    let mut groups = Groups::default();
    for pod in all {
        let name = (&**pod as &dyn Object).name().to_string();
        let phase = pods::phase(pod);
        if is_deleting(&pod.metadata) || phase == "Failed" {
            groups.ignored.push(name);
        } else if phase == "Pending" {
            groups.unready.push(name);
        } else {
            match metrics.get(&name) {
                None => groups.missing.push(name),
                Some(m) if resource == "cpu" && is_unready(pod, m, now) => {
                    groups.unready.push(name);
                }
                Some(_) => groups.ready += 1,
            }
        }
    }
    groups
}

fn is_unready(pod: &Pod, measured: &Measured, now: Time) -> bool {
    let Some(status) = &pod.status else { return true };
    let ready = status.conditions.iter().flatten().find(|c| c.type_ == "Ready");
    let (Some(ready), Some(start)) = (ready, &status.start_time) else { return true };
    let start = Time::from(start);
    let since = ready.last_transition_time.as_ref().map_or(start, Time::from);
    if start + INITIALIZATION > now {
        ready.status == "False" || measured.at < since + measured.window
    } else {
        ready.status == "False" && start + READINESS_DELAY > since
    }
}

/// Thousandths that a pod's containers (or one of them) request. Errors: one requests nothing.
fn requests(pod: &Pod, container: Option<&str>, resource: &str) -> Result<i64, String> {
    let name = (pod as &dyn Object).name();
    let spec = pod.spec.clone().unwrap_or_default();
    let sidecars = spec.init_containers.iter().flatten();
    let sidecars = sidecars.filter(|c| c.restart_policy.as_deref() == Some("Always"));
    let mut sum = 0;
    for c in spec.containers.iter().chain(sidecars) {
        if container.is_some_and(|wanted| wanted != c.name) {
            continue;
        }
        let list = c.resources.as_ref().and_then(|r| r.requests.as_ref());
        match list.and_then(|l| l.get(resource)) {
            Some(amount) => sum += Amount::of(amount).milli(),
            None => {
                return Err(format!(
                    "missing request for {resource} in container {} of Pod {name}",
                    c.name
                ));
            }
        }
    }
    Ok(sum)
}

struct Ratio {
    ratio: f64,
    share: Option<i64>,
    average: i64,
}

fn ratio(metrics: &Metrics, asked: &BTreeMap<String, i64>, aim: Aim) -> Result<Ratio, String> {
    let (mut used, mut wanted, mut count) = (0_i64, 0_i64, 0_i64);
    for (pod, measured) in metrics {
        if matches!(aim, Aim::Share(_)) {
            let Some(request) = asked.get(pod) else { continue };
            wanted += request;
        }
        used += measured.milli;
        count += 1;
    }
    let average = used / count.max(1);
    match aim {
        Aim::Amount(goal) => {
            Ok(Ratio { ratio: average as f64 / goal.max(1) as f64, share: None, average })
        }
        Aim::Share(_) if wanted == 0 => Err("no metrics returned matched known pods".to_string()),
        Aim::Share(goal) => {
            let share = used * 100 / wanted;
            Ok(Ratio { ratio: share as f64 / goal.max(1) as f64, share: Some(share), average })
        }
    }
}

/// What a resource metric asks for.
pub struct Question<'a> {
    /// `cpu`, `memory`.
    pub resource: &'a str,
    /// Of which container; `None`: of all.
    pub container: Option<&'a str>,
    /// What is aimed at.
    pub aim: Aim,
    /// How far off is near enough.
    pub tolerance: Tolerance,
    /// Replicas now.
    pub current: i32,
    /// Now.
    pub now: Time,
}

/// The replicas that a resource metric asks for. Errors: why that can't be said.
pub fn of_resource(
    question: &Question,
    all: &[Rc<Pod>],
    mut metrics: Metrics,
) -> Result<Answer, String> {
    if all.is_empty() {
        return Err("no pods returned by selector while calculating replica count".into());
    }
    let groups = group(all, &metrics, question.resource, question.now);
    metrics.retain(|pod, _| !groups.ignored.contains(pod) && !groups.unready.contains(pod));
    if metrics.is_empty() {
        return Err("did not receive metrics for targeted pods (pods might be unready)".into());
    }
    let mut asked = BTreeMap::new();
    if let Aim::Share(_) = question.aim {
        for pod in all {
            let request = requests(pod, question.container, question.resource)?;
            asked.insert((&**pod as &dyn Object).name().to_string(), request);
        }
    }
    let first = ratio(&metrics, &asked, question.aim)?;
    let answer = |replicas| Ok(Answer { replicas, share: first.share, average: first.average });
    let up = |ratio: f64, count: usize| (ratio * count as f64).ceil() as i32;
    let early = !groups.unready.is_empty() && first.ratio > 1.0;
    if !early && groups.missing.is_empty() {
        if question.tolerance.within(first.ratio) {
            return answer(question.current);
        }
        return answer(up(first.ratio, groups.ready));
    }
    // What is not known is taken for what holds the change back.
    let assumed = |milli| Measured { at: question.now, window: Duration::ZERO, milli };
    for pod in &groups.missing {
        if first.ratio < 1.0 {
            let full = match question.aim {
                Aim::Amount(goal) => goal,
                Aim::Share(goal) => asked.get(pod).copied().unwrap_or(0) * goal.max(100) / 100,
            };
            metrics.insert(pod.clone(), assumed(full));
        } else if first.ratio > 1.0 {
            metrics.insert(pod.clone(), assumed(0));
        }
    }
    if early {
        metrics.extend(groups.unready.iter().map(|pod| (pod.clone(), assumed(0))));
    }
    let second = ratio(&metrics, &asked, question.aim)?.ratio;
    let turned = (first.ratio < 1.0 && second > 1.0) || (first.ratio > 1.0 && second < 1.0);
    if question.tolerance.within(second) || turned {
        return answer(question.current);
    }
    let replicas = up(second, metrics.len());
    let against = (second < 1.0 && replicas > question.current)
        || (second > 1.0 && replicas < question.current);
    answer(if against { question.current } else { replicas })
}
