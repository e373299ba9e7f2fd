//! Scales workloads between their limits, as HorizontalPodAutoscalers ask for.
//!
//! The cluster serves no metrics API (as one without metrics-server), so what depends on
//! measurements ends as it does there: with conditions and events that say so. The limits are kept.
//!
//! Models `pkg/controller/podautoscaler/horizontal.go`.

use std::time::Duration;

use k8s_openapi::api::autoscaling::v2::{
    HorizontalPodAutoscaler, HorizontalPodAutoscalerCondition, HorizontalPodAutoscalerSpec,
    HorizontalPodAutoscalerStatus, MetricSpec, MetricTarget,
};

use super::framework::{Controller, Key, Queue};
use crate::{
    api::{KindId, Object, Status, Typed},
    client::{Change, Client, EventType, Op, Recorder},
    sim::Time,
};

/// How often each autoscaler is looked at (`--horizontal-pod-autoscaler-sync-period`).
const PERIOD: Duration = Duration::from_secs(15);

/// The controller.
pub fn make(client: &Client) -> Box<dyn Controller> {
    Box::new(Autoscalers {
        client: client.clone(),
        events: Recorder::new(client, "horizontal-pod-autoscaler", ""),
    })
}

struct Autoscalers {
    client: Client,
    events: Recorder,
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

/// What the metrics APIs answer where nobody serves them.
fn missing(metric: &MetricSpec) -> Missing {
    let nobody =
        |api: &str| format!("the server could not find the requested resource (get {api})");
    let of_pods = match (&metric.resource, &metric.container_resource) {
        (Some(m), _) => Some((&m.name, &m.target, "FailedGetResourceMetric", "resource")),
        (_, Some(m)) => Some((&m.name, &m.target, "FailedGetContainerResourceMetric", "container")),
        _ => None,
    };
    if let Some((name, target, reason, kind)) = of_pods {
        let why = format!(
            "failed to get {name} {}: unable to get metrics for resource {name}: unable to fetch \
             metrics from resource metrics API: {}",
            aim(target),
            nobody("pods.metrics.k8s.io")
        );
        return Missing { reason, what: format!("{name} {kind} metric value"), why };
    }
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
        status.current_replicas = Some(current);
        let least = spec.min_replicas.unwrap_or(1);
        let (desired, why) = if wanted == 0 && least != 0 {
            let text = "scaling is disabled since the replica count of the target is zero";
            set(status, now, "ScalingActive", false, "ScalingDisabled", text);
            status.desired_replicas = 0;
            return;
        } else if wanted > spec.max_replicas {
            (spec.max_replicas, "Current number of replicas above Spec.MaxReplicas")
        } else if wanted < least {
            (least, "Current number of replicas below Spec.MinReplicas")
        } else {
            self.measure(hpa, spec, status, &selector);
            return;
        };
        match self.client.set_scale(kind, (ns, name), desired, None) {
            Ok(_) => {
                let text =
                    format!("the HPA controller was able to update the target scale to {desired}");
                set(status, now, "AbleToScale", true, "SucceededRescale", &text);
                let text = format!("New size: {desired}; reason: {why}");
                self.tell(hpa, EventType::Normal, "SuccessfulRescale", &text);
                status.desired_replicas = desired;
                status.last_scale_time = Some(now.to_meta());
            }
            Err(error) => {
                let text =
                    format!("the HPA controller was unable to update the target scale: {error}");
                set(status, now, "AbleToScale", false, "FailedUpdateScale", &text);
                let text = format!("New size: {desired}; reason: {why}; error: {error}");
                self.tell(hpa, EventType::Warning, "FailedRescale", &text);
            }
        }
    }

    /// Asks for all metrics; nobody has any.
    fn measure(
        &self,
        hpa: &HorizontalPodAutoscaler,
        spec: &HorizontalPodAutoscalerSpec,
        status: &mut HorizontalPodAutoscalerStatus,
        selector: &str,
    ) {
        let now = self.client.sim().now();
        if selector.is_empty() {
            let text = "selector is required";
            self.tell(hpa, EventType::Warning, "SelectorRequired", text);
            let text = "the HPA target's scale is missing a selector";
            set(status, now, "ScalingActive", false, "InvalidSelector", text);
            return;
        }
        let metrics = spec.metrics.as_deref().unwrap_or_default();
        let all: Vec<Missing> = metrics.iter().map(missing).collect();
        for one in &all {
            self.tell(hpa, EventType::Warning, one.reason, &one.why);
        }
        let Some(first) = all.first() else { return };
        let text = format!("the HPA was unable to compute the replica count: {}", first.why);
        set(status, now, "ScalingActive", false, first.reason, &text);
        let count = all.len();
        let text = format!(
            "invalid metrics ({count} invalid out of {count}), first error is: failed to get {}: {}",
            first.what, first.why
        );
        self.tell(hpa, EventType::Warning, "FailedComputeMetricsReplicas", &text);
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
