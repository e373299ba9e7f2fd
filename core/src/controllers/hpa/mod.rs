//! Scales workloads between their limits, as HorizontalPodAutoscalers ask for.
//!
//! Use of resources comes from the metrics API, if the cluster serves it; other metrics are served by
//! nobody here. What can't be had ends as on a real cluster: with conditions and events that say so.
//!
//! Models `pkg/controller/podautoscaler/horizontal.go`.

mod limits;
mod replicas;

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use k8s_openapi::api::{
    autoscaling::v2::{
        ContainerResourceMetricStatus, HorizontalPodAutoscaler, HorizontalPodAutoscalerCondition,
        HorizontalPodAutoscalerSpec, HorizontalPodAutoscalerStatus, MetricSpec, MetricStatus,
        MetricTarget, MetricValueStatus, ResourceMetricStatus,
    },
    core::v1::Pod,
};
use serde_json::Value;

use limits::History;
use replicas::{Aim, Answer, Measured, Metrics, Question, Tolerance};

use super::framework::{Controller, Key, Queue};
use crate::{
    api::{KindId, Object, Status, Typed, duration, quantity::Amount, selector::Selector},
    client::{Change, Client, EventType, ListOptions, Op, Recorder},
    sim::Time,
};

/// How often each autoscaler is looked at (`--horizontal-pod-autoscaler-sync-period`).
const PERIOD: Duration = Duration::from_secs(15);

/// The controller.
pub fn make(client: &Client) -> Box<dyn Controller> {
    Box::new(Autoscalers {
        client: client.clone(),
        events: Recorder::new(client, "horizontal-pod-autoscaler", ""),
        histories: RefCell::default(),
    })
}

struct Autoscalers {
    client: Client,
    events: Recorder,
    histories: RefCell<BTreeMap<Key, History>>,
}

/// How far from its aim a metric may be where nothing is said.
const TOLERANCE: f64 = 0.1;

/// What a metric asks for, as the status shows it, and what it is called.
struct Proposal {
    replicas: i32,
    status: MetricStatus,
    name: String,
}

/// Why a metric can't be had: its reason, what of it is missing, and the whole story.
struct Missing {
    reason: &'static str,
    what: String,
    why: String,
}

fn set(
    status: &mut HorizontalPodAutoscalerStatus,
    now: Time,
    kind: &str,
    value: bool,
    reason: &str,
    message: &str,
) {
    let conditions = status.conditions.get_or_insert_default();
    let value = if value { "True" } else { "False" };
    let place = conditions.iter().position(|c| c.type_ == kind);
    let since = place.and_then(|at| conditions.get(at)).filter(|c| c.status == value);
    let condition = HorizontalPodAutoscalerCondition {
        type_: kind.into(),
        status: value.into(),
        reason: Some(reason.into()),
        message: Some(message.into()),
        last_transition_time: match since {
            Some(same) => same.last_transition_time.clone(),
            None => Some(now.to_meta()),
        },
    };
    match place.and_then(|at| conditions.get_mut(at)) {
        Some(old) => *old = condition,
        None => conditions.push(condition),
    }
}

/// Whether a target is a share of what was asked for or an amount.
fn aim(target: &MetricTarget) -> &'static str {
    if target.average_value.is_some() { "usage" } else { "utilization" }
}

/// The resource, container and target of a metric that is about what pods use.
fn of_pods(metric: &MetricSpec) -> Option<(&str, Option<&str>, &MetricTarget)> {
    match (&metric.resource, &metric.container_resource) {
        (Some(m), _) => Some((&m.name, None, &m.target)),
        (_, Some(m)) => Some((&m.name, Some(&m.container), &m.target)),
        _ => None,
    }
}

/// Why a metric about what pods use can't be had.
fn failed(metric: &MetricSpec, why: &str) -> Missing {
    let (name, container, target) = of_pods(metric).unwrap_or(("", None, &NO_TARGET));
    let (reason, kind) = match container {
        None => ("FailedGetResourceMetric", "resource"),
        Some(_) => ("FailedGetContainerResourceMetric", "container"),
    };
    let why = format!("failed to get {name} {}: {why}", aim(target));
    Missing { reason, what: format!("{name} {kind} metric value"), why }
}

static NO_TARGET: MetricTarget = MetricTarget {
    average_utilization: None,
    average_value: None,
    type_: String::new(),
    value: None,
};

/// What the other metrics APIs answer: nobody serves them.
fn missing(metric: &MetricSpec) -> Missing {
    let (reason, kind, name, api) = match (&metric.pods, &metric.object, &metric.external) {
        (Some(m), ..) => ("FailedGetPodsMetric", "pods", &m.metric.name, "custom.metrics.k8s.io"),
        (_, Some(m), _) => {
            ("FailedGetObjectMetric", "object", &m.metric.name, "custom.metrics.k8s.io")
        }
        (.., Some(m)) => {
            ("FailedGetExternalMetric", "external", &m.metric.name, "external.metrics.k8s.io")
        }
        _ => {
            let why = format!("unknown metric source type {:?}", metric.type_);
            return Missing { reason: "InvalidMetricSourceType", what: "metric value".into(), why };
        }
    };
    let why = format!(
        "unable to get metric {name}: unable to fetch metrics from {kind} metrics API: no {api} \
         API is served"
    );
    Missing { reason, what: format!("{kind} metric value"), why }
}

/// An answer as the status shows it.
fn shown(metric: &MetricSpec, answer: Answer) -> MetricStatus {
    let current = MetricValueStatus {
        average_utilization: answer.share.map(|n| i32::try_from(n).unwrap_or(i32::MAX)),
        average_value: Some(Amount::from_milli(answer.average).to_quantity()),
        value: None,
    };
    let mut status = MetricStatus { type_: metric.type_.clone(), ..MetricStatus::default() };
    match (&metric.resource, &metric.container_resource) {
        (Some(m), _) => {
            status.resource = Some(ResourceMetricStatus { name: m.name.clone(), current });
        }
        (_, Some(m)) => {
            status.container_resource = Some(ContainerResourceMetricStatus {
                name: m.name.clone(),
                container: m.container.clone(),
                current,
            });
        }
        _ => {}
    }
    status
}

fn tolerance(spec: &HorizontalPodAutoscalerSpec) -> Tolerance {
    let behavior = spec.behavior.as_ref();
    let of = |rules: Option<&k8s_openapi::api::autoscaling::v2::HPAScalingRules>| {
        let own = rules.and_then(|r| r.tolerance.as_ref());
        own.map_or(TOLERANCE, |q| Amount::of(q).milli() as f64 / 1000.0)
    };
    Tolerance {
        up: of(behavior.and_then(|b| b.scale_up.as_ref())),
        down: of(behavior.and_then(|b| b.scale_down.as_ref())),
    }
}

impl Autoscalers {
    fn tell(&self, hpa: &HorizontalPodAutoscaler, kind: EventType, reason: &str, text: &str) {
        self.events.event(hpa, kind, reason, text);
    }

    fn target(&self, spec: &HorizontalPodAutoscalerSpec) -> Result<KindId, String> {
        let target = &spec.scale_target_ref;
        let version = target.api_version.as_deref().unwrap_or_default();
        let kinds = self.client.kinds();
        let found = kinds.by_kind(version, &target.kind).map(|k| k.id);
        found.ok_or_else(|| {
            let group = version.split_once('/').map_or("", |(group, _)| group);
            let (dot, kind) = (if group.is_empty() { "" } else { "." }, &target.kind);
            format!(
                "no matches for kind {kind:?} in group {:?}",
                format!("{dot}{group}").trim_start_matches('.')
            )
        })
    }

    fn work(
        &self,
        hpa: &HorizontalPodAutoscaler,
        spec: &HorizontalPodAutoscalerSpec,
        status: &mut HorizontalPodAutoscalerStatus,
    ) {
        let now = self.client.sim().now();
        let ns = (hpa as &dyn Object).namespace();
        let name = &spec.scale_target_ref.name;
        let scale = self.target(spec).and_then(|kind| {
            let scale = self.client.get_scale(kind, ns, name).map_err(|e| e.message)?;
            Ok((kind, scale.1))
        });
        let (kind, (wanted, current, selector)) = match scale {
            Ok(scale) => scale,
            Err(why) => {
                self.tell(hpa, EventType::Warning, "FailedGetScale", &why);
                let text = format!(
                    "the HPA controller was unable to get the target's current scale: {why}"
                );
                set(status, now, "AbleToScale", false, "FailedGetScale", &text);
                return;
            }
        };
        let text = "the HPA controller was able to get the target's current scale";
        set(status, now, "AbleToScale", true, "SucceededGetScale", text);
        status.current_replicas = Some(wanted);
        let _ = current;
        let key = (Rc::<str>::from(ns), Rc::<str>::from((hpa as &dyn Object).name()));
        self.histories.borrow_mut().entry(key.clone()).or_default().begin(now, wanted);
        let least = spec.min_replicas.unwrap_or(1);
        let (desired, why) = if wanted == 0 && least != 0 {
            let text = "scaling is disabled since the replica count of the target is zero";
            set(status, now, "ScalingActive", false, "ScalingDisabled", text);
            status.desired_replicas = 0;
            return;
        } else if wanted > spec.max_replicas {
            (spec.max_replicas, "Current number of replicas above Spec.MaxReplicas".to_string())
        } else if wanted < least {
            (least, "Current number of replicas below Spec.MinReplicas".to_string())
        } else {
            match self.measure(hpa, (spec, wanted), status, &selector) {
                Some(wish) => self.limited(&key, (spec, wanted), wish, status),
                None => return,
            }
        };
        status.desired_replicas = desired;
        if desired == wanted {
            return;
        }
        match self.client.set_scale(kind, (ns, name), desired, None) {
            Ok(_) => {
                let text =
                    format!("the HPA controller was able to update the target scale to {desired}");
                set(status, now, "AbleToScale", true, "SucceededRescale", &text);
                let text = format!("New size: {desired}; reason: {why}");
                self.tell(hpa, EventType::Normal, "SuccessfulRescale", &text);
                status.last_scale_time = Some(now.to_meta());
                if let Some(history) = self.histories.borrow_mut().get_mut(&key) {
                    history.changed(now, wanted, desired);
                }
            }
            Err(error) => {
                let text =
                    format!("the HPA controller was unable to update the target scale: {error}");
                set(status, now, "AbleToScale", false, "FailedUpdateScale", &text);
                let text = format!("New size: {desired}; reason: {why}; error: {error}");
                self.tell(hpa, EventType::Warning, "FailedRescale", &text);
                status.desired_replicas = wanted;
            }
        }
    }

    /// How much of what metrics ask for is done now, and why.
    fn limited(
        &self,
        key: &Key,
        (spec, current): (&HorizontalPodAutoscalerSpec, i32),
        (wish, metric): (i32, String),
        status: &mut HorizontalPodAutoscalerStatus,
    ) -> (i32, String) {
        let now = self.client.sim().now();
        let why = match wish {
            n if n > current => format!("{metric} above target"),
            _ => "All metrics below target".to_string(),
        };
        let range = (spec.min_replicas.unwrap_or(1), spec.max_replicas);
        let mut histories = self.histories.borrow_mut();
        let history = histories.entry(key.clone()).or_default();
        let done = match &spec.behavior {
            None => history.limit(now, (current, wish), range),
            Some(behavior) => history.limit_by(now, behavior, (current, wish), range),
        };
        set(status, now, "AbleToScale", true, done.able.0, done.able.1);
        let (limited, (reason, text)) = done.limited;
        set(status, now, "ScalingLimited", limited, reason, text);
        (done.replicas, why)
    }

    /// What pods that a selector finds use of a resource. Errors: as the metrics client's.
    fn usage(
        &self,
        namespace: &str,
        selector: &Selector,
        (resource, container): (&str, Option<&str>),
    ) -> Result<Metrics, String> {
        let unable = |why: &str| {
            format!(
                "unable to get metrics for resource {resource}: unable to fetch metrics from \
                 resource metrics API: {why}"
            )
        };
        let kind = {
            let kinds = self.client.kinds();
            kinds.by_kind("metrics.k8s.io/v1beta1", "PodMetrics").map(|k| k.id)
        };
        let kind = kind.ok_or_else(|| {
            unable("the server could not find the requested resource (get pods.metrics.k8s.io)")
        })?;
        let options = ListOptions { labels: selector.clone(), ..ListOptions::default() };
        let found = self.client.list_any(kind, Some(namespace), &options);
        let found = found.map_err(|error| unable(&error.message))?;
        if found.is_empty() {
            return Err(format!(
                "unable to get metrics for resource {resource}: no metrics returned from resource \
                 metrics API"
            ));
        }
        let mut metrics = Metrics::new();
        for object in found {
            let value = object.to_value();
            let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
            let at = Time::parse(text("timestamp")).unwrap_or_else(|| self.client.sim().now());
            let window = duration::parse_go(text("window")).unwrap_or_default();
            let window = Duration::from_nanos(u64::try_from(window).unwrap_or_default());
            let containers = value.get("containers").and_then(Value::as_array);
            let mut milli = 0;
            for one in containers.into_iter().flatten() {
                let name = one.get("name").and_then(Value::as_str);
                if container.is_some() && name != container {
                    continue;
                }
                let used = one.get("usage").and_then(|u| u.get(resource)).and_then(Value::as_str);
                milli += used.and_then(|u| Amount::parse(u).ok()).map_or(0, Amount::milli);
            }
            metrics.insert(object.name().to_string(), Measured { at, window, milli });
        }
        Ok(metrics)
    }

    fn propose(
        &self,
        (namespace, selector): (&str, &Selector),
        (spec, current): (&HorizontalPodAutoscalerSpec, i32),
        metric: &MetricSpec,
    ) -> Result<Proposal, Missing> {
        let Some((resource, container, target)) = of_pods(metric) else {
            return Err(missing(metric));
        };
        let (goal, suffix) = match (&target.average_value, target.average_utilization) {
            (Some(amount), _) => (Aim::Amount(Amount::of(amount).milli()), ""),
            (None, Some(share)) => {
                (Aim::Share(share.into()), " utilization (percentage of request)")
            }
            (None, None) => {
                let why = "neither a utilization target nor a value (usage) target was set";
                return Err(failed(metric, why));
            }
        };
        let metrics = self.usage(namespace, selector, (resource, container));
        let metrics = metrics.map_err(|why| failed(metric, &why))?;
        let mut pods: Vec<Rc<Pod>> = self.client.list(Some(namespace));
        pods.retain(|pod| selector.matches(pod.metadata.labels.as_ref()));
        let now = self.client.sim().now();
        let tolerance = tolerance(spec);
        let question = Question { resource, container, aim: goal, tolerance, current, now };
        let answer = replicas::of_resource(&question, &pods, metrics);
        let answer = answer.map_err(|why| failed(metric, &why))?;
        let middle = if container.is_some() { " container resource" } else { " resource" };
        Ok(Proposal {
            replicas: answer.replicas,
            status: shown(metric, answer),
            name: format!("{resource}{middle}{suffix}"),
        })
    }

    /// Asks for all metrics: the most replicas that one wants, and which. `None` where nothing can be
    /// said.
    fn measure(
        &self,
        hpa: &HorizontalPodAutoscaler,
        (spec, current): (&HorizontalPodAutoscalerSpec, i32),
        status: &mut HorizontalPodAutoscalerStatus,
        selector: &str,
    ) -> Option<(i32, String)> {
        let now = self.client.sim().now();
        if selector.is_empty() {
            let text = "selector is required";
            self.tell(hpa, EventType::Warning, "SelectorRequired", text);
            let text = "the HPA target's scale is missing a selector";
            set(status, now, "ScalingActive", false, "InvalidSelector", text);
            return None;
        }
        let chosen = match Selector::parse(selector) {
            Ok(chosen) => chosen,
            Err(why) => {
                let text = format!(
                    "couldn't convert selector into a corresponding internal \
                                    selector object: {why}"
                );
                self.tell(hpa, EventType::Warning, "InvalidSelector", &text);
                set(status, now, "ScalingActive", false, "InvalidSelector", &text);
                return None;
            }
        };
        let metrics = spec.metrics.as_deref().unwrap_or_default();
        let place = ((hpa as &dyn Object).namespace(), &chosen);
        let (mut best, mut invalid): (Option<(i32, String)>, Vec<Missing>) = (None, Vec::new());
        let mut statuses = Vec::new();
        for metric in metrics {
            match self.propose(place, (spec, current), metric) {
                Ok(proposal) => {
                    if best.as_ref().is_none_or(|(n, _)| proposal.replicas > *n) {
                        best = Some((proposal.replicas, proposal.name));
                    }
                    statuses.push(proposal.status);
                }
                Err(why) => {
                    self.tell(hpa, EventType::Warning, why.reason, &why.why);
                    statuses.push(MetricStatus::default());
                    invalid.push(why);
                }
            }
        }
        let any = statuses.iter().any(|s| !s.type_.is_empty());
        status.current_metrics = any.then_some(statuses);
        if let Some(first) = invalid.first() {
            let down = best.as_ref().is_some_and(|(n, _)| *n < current);
            if best.is_none() || down {
                let text =
                    format!("the HPA was unable to compute the replica count: {}", first.why);
                set(status, now, "ScalingActive", false, first.reason, &text);
                let text = format!(
                    "invalid metrics ({} invalid out of {}), first error is: failed to get {}: {}",
                    invalid.len(),
                    metrics.len(),
                    first.what,
                    first.why
                );
                self.tell(hpa, EventType::Warning, "FailedComputeMetricsReplicas", &text);
                return None;
            }
        }
        let (replicas, name) = best?;
        let text =
            format!("the HPA was able to successfully calculate a replica count from {name}");
        set(status, now, "ScalingActive", true, "ValidMetricFound", &text);
        Some((replicas, name))
    }
}

impl Controller for Autoscalers {
    fn name(&self) -> &'static str {
        "horizontal-pod-autoscaler-controller"
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![HorizontalPodAutoscaler::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        let object = &*change.object;
        if change.op == Op::Added {
            // Each is looked at once a period, the first time after one.
            queue.add_after((object.namespace().into(), object.name().into()), PERIOD);
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        let Some(hpa) = self.client.find::<HorizontalPodAutoscaler>(&key.0, &key.1) else {
            self.histories.borrow_mut().remove(key);
            return Ok(None);
        };
        let spec = &hpa.spec;
        let mut status = hpa.status.clone().unwrap_or_default();
        self.work(&hpa, spec, &mut status);
        if hpa.status.as_ref() != Some(&status) {
            let mut new = (*hpa).clone();
            new.status = Some(status);
            let _ = self.client.update_status(new); // the next period tells it again
        }
        Ok(Some(PERIOD))
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::ReplicaSet;
    use serde_json::json;

    use super::*;
    use crate::controllers::{
        framework,
        testing::{cluster, edit, events, make, pass},
    };

    #[test]
    fn limits_are_kept_and_what_is_not_measured_is_said() {
        let (sim, client) = cluster(1);
        let _running = framework::start(&client, super::make(&client));
        make::<ReplicaSet>(
            &client,
            json!({"metadata": {"name": "web", "namespace": "default"}, "spec": {"replicas": 1,
                "selector": {"matchLabels": {"app": "web"}}, "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [{"name": "c", "image": "i"}]}}}}),
        );
        make::<HorizontalPodAutoscaler>(
            &client,
            json!({"metadata": {"name": "web", "namespace": "default"}, "spec": {"minReplicas": 2,
                "maxReplicas": 4, "scaleTargetRef": {"apiVersion": "apps/v1",
                    "kind": "ReplicaSet", "name": "web"}}}),
        );
        let wanted = || {
            let set = client.get::<ReplicaSet>("default", "web").unwrap();
            set.spec.as_ref().and_then(|s| s.replicas)
        };
        pass(&sim, 14.0);
        assert_eq!(wanted(), Some(1));
        pass(&sim, 2.0);
        assert_eq!(wanted(), Some(2));
        edit::<ReplicaSet>(&client, "default", "web", |set| {
            set.spec.get_or_insert_default().replicas = Some(9);
        });
        pass(&sim, 15.0);
        assert_eq!(wanted(), Some(4));
        pass(&sim, 15.0);
        let told = events(&client, "HorizontalPodAutoscaler");
        for want in
            ["SuccessfulRescale New size: 2;", "FailedComputeMetricsReplicas invalid metrics (1"]
        {
            assert!(told.iter().any(|e| e.starts_with(want)), "{told:#?}");
        }
    }
}
