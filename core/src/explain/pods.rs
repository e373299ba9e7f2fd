//! What holds a pod back: no node, an image, a crash, a probe, its node, its deletion.

use k8s_openapi::api::core::v1::{ContainerStatus, Event, Node, Pod};

use super::graph::Graph;
use crate::{
    api::{Object, pods},
    client::Client,
    scheduler::{Decision, Decisions, Verdict, missing_claim},
    sim::{Time, trace::Did},
    view::{NodeVerdict, Placement, Reason, Score, Warning, Why},
};

/// Adds the sentence, the reasons and the scheduler's decisions.
pub fn explain(
    client: &Client,
    graph: &Graph,
    about: &[usize],
    pod: &Pod,
    warnings: &[Warning],
    why: &mut Why,
) {
    let object: &dyn Object = pod;
    let mut decisions = Decisions::of(client).all(object.namespace(), object.name());
    // Another pod may have had the name before.
    decisions.retain(|decision| decision.uid == object.uid());
    let decision = decisions.pop();
    why.placement = decision.as_deref().map(placement);
    let brief =
        |decision: &std::rc::Rc<Decision>| Placement { nodes: Vec::new(), ..placement(decision) };
    why.earlier = decisions.iter().map(brief).collect();
    why.reasons = holding(client, pod, warnings);
    why.summary = match pods::node_name(pod) {
        "" => waiting(client, pod, decision.as_deref(), &mut why.reasons),
        node => placed(graph, about, pod, node, decision.is_some()),
    };
}

/// A pod without node.
fn waiting(
    client: &Client,
    pod: &Pod,
    decision: Option<&Decision>,
    reasons: &mut Vec<Reason>,
) -> String {
    let spec = pod.spec.as_ref();
    let gates = spec.and_then(|s| s.scheduling_gates.as_deref()).unwrap_or_default();
    if !gates.is_empty() {
        let names: Vec<&str> = gates.iter().map(|g| g.name.as_str()).collect();
        return format!("It waits for its scheduling gates to be removed: {}.", names.join(", "));
    }
    if let Some(missing) = missing_claim(client, pod) {
        return format!("It waits for its claims of devices before it is tried: {missing}.");
    }
    let Some(decision) = decision else {
        let name = spec.and_then(|s| s.scheduler_name.as_deref()).unwrap_or("default-scheduler");
        return format!("It has no node: the scheduler {name} has not looked at it.");
    };
    reasons.insert(
        0,
        Reason {
            about: "scheduling".into(),
            reason: "Unschedulable".into(),
            message: decision.message.clone(),
        },
    );
    match pod.status.as_ref().and_then(|s| s.nominated_node_name.as_deref()) {
        Some(node) if !node.is_empty() => {
            format!("It has no node yet: room is being made for it on {node}.")
        }
        _ => "It has no node: none fits.".to_string(),
    }
}

/// A pod that has a node: how it got there, and how it is.
fn placed(graph: &Graph, about: &[usize], pod: &Pod, node: &str, decided: bool) -> String {
    let how = match (graph.last(about, Did::Bound), graph.last(about, Did::Created)) {
        (Some((_, bound)), _) if decided => format!("{} chose {node} for it", bound.by),
        (Some((_, bound)), _) => {
            format!("{} bound it to {node} and left no reasons", bound.by)
        }
        (None, Some((_, made))) => {
            format!("{} created it with the node {node} already set", made.by)
        }
        (None, None) => format!("it is on {node}; how it got there is not remembered"),
    };
    let state = match (pods::phase(pod), pod.metadata.deletion_timestamp.is_some()) {
        (_, true) => "is going",
        ("Running", _) if pods::is_ready(pod) => "runs and is ready",
        ("Running", _) => "runs and is not ready",
        ("Succeeded", _) => "has ended well",
        ("Failed", _) => "has failed",
        _ => "has not started",
    };
    format!("It {state}; {how}.")
}

fn placement(decision: &Decision) -> Placement {
    let node = |(name, verdict): (&String, &Verdict)| match verdict {
        Verdict::Rejected { plugin, reasons, .. } => NodeVerdict {
            node: name.clone(),
            rejected_by: plugin.to_string(),
            reasons: reasons.clone(),
            ..NodeVerdict::default()
        },
        Verdict::Scored { total, parts } => NodeVerdict {
            node: name.clone(),
            total: Some(*total),
            scores: parts
                .iter()
                .map(|part| Score {
                    plugin: part.plugin.to_string(),
                    raw: part.raw,
                    score: part.score,
                    weight: part.weight,
                })
                .collect(),
            ..NodeVerdict::default()
        },
        Verdict::Only => NodeVerdict { node: name.clone(), ..NodeVerdict::default() },
    };
    Placement {
        at_ms: decision.at.as_millis(),
        scheduler: decision.scheduler.clone(),
        attempt: decision.attempt,
        node: decision.node.clone().unwrap_or_default(),
        counts: (decision.all, decision.looked_at, decision.feasible),
        refused: decision.refused.as_ref().map(|(p, why)| (p.to_string(), why.clone())),
        nominated: decision.nominated.clone().unwrap_or_default(),
        victims: decision.victims.iter().map(|v| format!("{}/{}", v.namespace, v.name)).collect(),
        message: decision.message.clone(),
        nodes: decision.nodes.iter().map(node).collect(),
    }
}

/// What holds a pod back that is more telling than its phase; nothing where all is well.
pub fn holding(client: &Client, pod: &Pod, warnings: &[Warning]) -> Vec<Reason> {
    let mut reasons = Vec::new();
    going(pod, &mut reasons);
    let status = pod.status.clone().unwrap_or_default();
    if let Some(reason) = status.reason.filter(|r| !r.is_empty()) {
        let message = status.message.clone().unwrap_or_default();
        reasons.push(Reason { about: "pod".into(), reason, message });
    }
    let init = status.init_container_statuses.iter().flatten();
    for container in init.chain(status.container_statuses.iter().flatten()) {
        reasons.extend(of_container(pod, container, warnings));
    }
    for condition in status.conditions.iter().flatten() {
        let disrupted = condition.type_ == "DisruptionTarget" && condition.status == "True";
        // A pod without node is told of by the scheduler itself.
        let gate = condition.status == "False"
            && condition.reason.as_deref() == Some("ReadinessGatesNotReady");
        if disrupted || gate {
            reasons.push(Reason {
                about: format!("condition {}", condition.type_),
                reason: condition.reason.clone().unwrap_or_default(),
                message: condition.message.clone().unwrap_or_default(),
            });
        }
    }
    reasons.extend(of_node(client, pods::node_name(pod)));
    reasons
}

fn going(pod: &Pod, reasons: &mut Vec<Reason>) {
    let Some(at) = &pod.metadata.deletion_timestamp else { return };
    let held = pod.metadata.finalizers.clone().unwrap_or_default();
    let message = match held.is_empty() {
        true => format!(
            "its containers have until {} to end",
            super::text::clock(Time::from(at).as_millis())
        ),
        false => format!("finalizers hold it: {}", held.join(", ")),
    };
    reasons.push(Reason { about: "pod".into(), reason: "Terminating".into(), message });
}

/// The registries here offer what was written for the sandbox; a real one may offer more.
const NO_IMAGE: &str = " (the images that there are in this sandbox: sandbar images)";

fn of_container(pod: &Pod, status: &ContainerStatus, warnings: &[Warning]) -> Option<Reason> {
    let about = format!("container {}", status.name);
    let state = status.state.clone().unwrap_or_default();
    if let Some(waiting) = state.waiting {
        let mut message = waiting.message.unwrap_or_default();
        let last = status.last_state.as_ref().and_then(|s| s.terminated.as_ref());
        if let Some(last) = last {
            let reason = last.reason.clone().unwrap_or_default();
            message.push_str(&format!(" (it exited with code {}: {reason})", last.exit_code));
        }
        let reason = waiting.reason.unwrap_or_default();
        if matches!(reason.as_str(), "ErrImagePull" | "ImagePullBackOff") {
            message.push_str(NO_IMAGE);
        }
        return Some(Reason { about, reason, message: message.trim().to_string() });
    }
    if let Some(ended) = state.terminated {
        let over = ended.exit_code == 0;
        let message = format!("it exited with code {}", ended.exit_code);
        let reason = ended.reason.unwrap_or_default();
        return (!over).then_some(Reason { about, reason, message });
    }
    if status.ready || state.running.is_none() {
        return None;
    }
    let probe = warnings.iter().rev().find(|w| w.reason == "Unhealthy").map(|w| w.message.clone());
    let spec = pod.spec.iter().flat_map(|s| &s.containers).find(|c| c.name == status.name);
    let (reason, message) = match spec {
        Some(c) if c.startup_probe.is_some() && status.started != Some(true) => {
            ("NotStarted", probe.unwrap_or_else(|| "its startup probe has not passed yet".into()))
        }
        Some(c) if c.readiness_probe.is_some() => {
            ("NotReady", probe.unwrap_or_else(|| "its readiness probe has not passed yet".into()))
        }
        _ => return None,
    };
    Some(Reason { about, reason: reason.into(), message })
}

fn of_node(client: &Client, name: &str) -> Option<Reason> {
    if name.is_empty() {
        return None;
    }
    let about = format!("node {name}");
    let Some(node) = client.find::<Node>("", name) else {
        let message = "there is no such node, or you may not see it".to_string();
        return Some(Reason { about, reason: "NodeNotFound".into(), message });
    };
    let conditions = node.status.as_ref().and_then(|s| s.conditions.as_deref()).unwrap_or_default();
    let ready = conditions.iter().find(|c| c.type_ == "Ready").filter(|c| c.status != "True")?;
    Some(Reason {
        about,
        reason: ready.reason.clone().unwrap_or_else(|| "NotReady".into()),
        message: ready.message.clone().unwrap_or_default(),
    })
}

/// A warning as it is told of here.
pub fn warning(event: &Event) -> Warning {
    let text = |s: &Option<String>| s.clone().unwrap_or_default();
    let about = &event.involved_object;
    let last = event.last_timestamp.as_ref().map(|t| Time::from(t).as_millis());
    let series = event.series.as_ref();
    let again =
        series.and_then(|s| s.last_observed_time.as_ref()).map(|t| Time::from(t).as_millis());
    let first = event.event_time.as_ref().map(|t| Time::from(t).as_millis());
    let count = series.and_then(|s| s.count).or(event.count).unwrap_or(1);
    Warning {
        object: format!("{}/{}", text(&about.kind).to_lowercase(), text(&about.name)),
        at_ms: again.or(last).or(first).unwrap_or_default(),
        count: u32::try_from(count).unwrap_or(1).max(1),
        reason: text(&event.reason),
        message: text(&event.message),
    }
}
