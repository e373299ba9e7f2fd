//! Why an object is as it is: who wants it, what holds it and what it owns back, who warned.

use std::rc::Rc;

use k8s_openapi::api::{
    apps::v1::ReplicaSet,
    batch::v1::Job,
    core::v1::{Event, Node, Pod},
};
use serde_json::Value;

use super::{called, graph::Graph, pods, text::clock};
use crate::{
    api::{Kind, ObjRef, Object, Status, Typed, meta, pods as pod_facts},
    client::{Client, IndexFn},
    sim::trace::Did,
    view::{Reason, Warning, Why},
};

/// The most reasons of an answer.
const REASONS: usize = 20;
/// The most warnings of an answer.
const WARNINGS: usize = 8;
/// Owners of owners of owners …: as far as this.
const OWNERS: usize = 8;

/// Conditions whose truth is bad news.
const BAD: &[&str] = &["Failed", "FailureTarget", "ReplicaFailure", "NetworkUnavailable"];

/// Why an object is as it is. Errors: NotFound (nothing is remembered of it either), Forbidden.
pub fn why(client: &Client, kind: &Kind, namespace: &str, name: &str) -> Result<Why, Status> {
    client.may_get(kind.id, namespace, name)?;
    let graph = Graph::of(client);
    let about = graph.about(kind.id, namespace, name);
    let mut why = Why { object: called(kind, name), namespace: namespace.into(), ..Why::default() };
    let object = match client.get_any(kind.id, namespace, name) {
        Ok(object) => object,
        Err(error) => {
            why.summary = gone(&graph, &about).ok_or(error)?;
            return Ok(why);
        }
    };
    why.owners = owners(client, &object);
    let mut warnings = warnings(client, &object);
    if let Some(pod) = object.downcast::<Pod>() {
        pods::explain(client, &graph, &about, pod, &warnings, &mut why);
    } else {
        why.summary = summary(&object);
        why.reasons = conditions(&object);
        why.reasons.extend(of_node(&object));
        let (more, told) = owned(client, &object, 0);
        why.reasons.extend(more);
        warnings.extend(told);
    }
    once(&mut why.reasons);
    why.reasons.truncate(REASONS);
    warnings.sort_by(|a, b| (a.at_ms, &a.object).cmp(&(b.at_ms, &b.object)));
    let mut warnings = alike(warnings);
    let surplus = warnings.len().saturating_sub(WARNINGS);
    why.warnings = warnings.split_off(surplus);
    Ok(why)
}

/// Who deleted an object, and by which command.
fn gone(graph: &Graph, about: &[usize]) -> Option<String> {
    let (ended, _) = graph.last(about, Did::Deleted)?;
    // Kubelets and finalizers only end what someone else began.
    let began = graph.last(about, Did::DeletionBegan).unwrap_or((ended, graph.write(ended)?));
    let record = &graph.records[began.0];
    let at = clock(record.at.as_millis());
    let by = &began.1.by;
    Some(match graph.command(began.0) {
        Some(line) => format!("It is gone: {by} deleted it at {at} because of `{line}`."),
        None => format!("It is gone: {by} deleted it at {at}."),
    })
}

/// Drops reasons that say the same as an earlier one.
fn once(reasons: &mut Vec<Reason>) {
    let mut said: Vec<(String, String)> = Vec::new();
    reasons.retain(|reason| {
        let what = (reason.reason.clone(), reason.message.clone());
        let new = what.1.is_empty() || !said.contains(&what);
        said.push(what);
        new
    });
}

/// Of warnings of one sort about one object the latest, counted together.
fn alike(warnings: Vec<Warning>) -> Vec<Warning> {
    let mut kept: Vec<Warning> = Vec::new();
    for mut warning in warnings {
        let same = |w: &Warning| w.object == warning.object && w.reason == warning.reason;
        if let Some(place) = kept.iter().position(same) {
            warning.count = warning.count.saturating_add(kept.remove(place).count);
        }
        kept.push(warning);
    }
    kept
}

/// The controllers above an object, nearest first.
fn owners(client: &Client, object: &ObjRef) -> Vec<String> {
    let (mut owners, mut here) = (Vec::new(), object.clone());
    while owners.len() < OWNERS {
        let Some(owner) = meta::controller_of(here.metadata()).cloned() else { break };
        let kind = client.kinds().by_kind(&owner.api_version, &owner.kind).cloned();
        let Some(kind) = kind else { break };
        owners.push(called(&kind, &owner.name));
        let namespace = if kind.namespaced { here.namespace().to_string() } else { String::new() };
        match client.get_any(kind.id, &namespace, &owner.name) {
            Ok(above) if above.uid() == owner.uid => here = above,
            _ => break,
        }
    }
    owners
}

const EVENTS: IndexFn = by_uid;

fn by_uid(object: &dyn Object) -> Vec<String> {
    let event = object.downcast::<Event>();
    event.and_then(|e| e.involved_object.uid.clone()).into_iter().collect()
}

fn warnings(client: &Client, object: &ObjRef) -> Vec<Warning> {
    let index = client.index::<Event>(EVENTS);
    let events = client.by_index::<Event>(index, object.uid());
    let bad = events.iter().filter(|e| e.type_.as_deref() == Some("Warning"));
    bad.map(|event| pods::warning(event)).collect()
}

/// One sentence about any object, from what its status counts.
fn summary(object: &ObjRef) -> String {
    let value = object.to_value();
    if object.metadata().deletion_timestamp.is_some() {
        let held = object.metadata().finalizers.clone().unwrap_or_default();
        return match held.is_empty() {
            true => "It is going.".to_string(),
            false => format!("It is going; finalizers hold it: {}.", held.join(", ")),
        };
    }
    let number = |path: &str| value.pointer(path).and_then(Value::as_i64);
    let ready = number("/status/readyReplicas").or(number("/status/numberReady")).unwrap_or(0);
    let wanted = number("/spec/replicas").or(number("/status/desiredNumberScheduled"));
    if let Some(wanted) = wanted {
        let paused = value.pointer("/spec/paused") == Some(&Value::Bool(true));
        let paused = if paused { " Its rollout is paused." } else { "" };
        return format!("{ready} of {wanted} pods that it wants are ready.{paused}");
    }
    if let Some(phase) = value.pointer("/status/phase").and_then(Value::as_str) {
        return format!("It is {phase}.");
    }
    let ready = |c: &&Value| c["type"] == "Ready";
    let list = value.pointer("/status/conditions").and_then(Value::as_array);
    match list.into_iter().flatten().find(ready) {
        Some(ready) if ready["status"] == "True" => "It is ready.".to_string(),
        Some(_) => "It is not ready.".to_string(),
        None => "It is there.".to_string(),
    }
}

/// What keeps pods off a node.
fn of_node(object: &ObjRef) -> Vec<Reason> {
    let Some(spec) = object.downcast::<Node>().and_then(|node| node.spec.as_ref()) else {
        return Vec::new();
    };
    let mut reasons = Vec::new();
    if spec.unschedulable == Some(true) {
        let message = "no new pods are put on it".to_string();
        reasons.push(Reason { about: "node".into(), reason: "Cordoned".into(), message });
    }
    for taint in spec.taints.iter().flatten() {
        let value = taint.value.as_deref().map_or(String::new(), |v| format!("={v}"));
        reasons.push(Reason {
            about: "taint".into(),
            reason: format!("{}{value}:{}", taint.key, taint.effect),
            message: "only pods that tolerate it".to_string(),
        });
    }
    reasons
}

/// Conditions that are bad news.
fn conditions(object: &ObjRef) -> Vec<Reason> {
    let value = object.to_value();
    let list = value.pointer("/status/conditions").and_then(Value::as_array);
    let text = |c: &Value, key: &str| c[key].as_str().unwrap_or_default().to_string();
    let bad = |c: &&Value| {
        let kind = c["type"].as_str().unwrap_or_default();
        let pressure = BAD.contains(&kind) || kind.ends_with("Pressure");
        let status = c["status"].as_str().unwrap_or_default();
        // What is merely not complete yet is no bad news.
        let pending = matches!(kind, "Complete" | "Suspended" | "SuccessCriteriaMet");
        if pressure { status == "True" } else { status != "True" && !pending }
    };
    list.into_iter()
        .flatten()
        .filter(bad)
        .map(|c| Reason {
            about: format!("condition {}", text(c, "type")),
            reason: text(c, "reason"),
            message: text(c, "message"),
        })
        .collect()
}

/// What holds back what an object owns, and the warnings about that.
fn owned(client: &Client, object: &ObjRef, depth: usize) -> (Vec<Reason>, Vec<Warning>) {
    let (mut reasons, mut told) = (Vec::new(), Vec::new());

    let index = client.index::<Pod>(pod_facts::by_controller);
    let mut pods = client.by_index::<Pod>(index, object.uid());
    pods.truncate(REASONS);
    for pod in pods {
        let shared: ObjRef = pod.clone();
        let own = warnings(client, &shared);
        let mut held = pods::holding(client, &pod, &own);
        if pod_facts::node_name(&pod).is_empty() {
            let condition = pod_facts::condition(&pod, "PodScheduled");
            held.extend(condition.map(|c| Reason {
                about: String::new(),
                reason: c.reason.clone().unwrap_or_default(),
                message: c.message.clone().unwrap_or_default(),
            }));
        }
        if let Some(first) = held.into_iter().next() {
            let name = shared.name();
            let about = format!("pod/{name} {}", first.about).trim().to_string();
            reasons.push(Reason { about, ..first });
        }
        told.extend(own);
    }
    if depth < 2 {
        for child in children(client, object) {
            let name = called(&client.kind(child.kind_id()), child.name());
            let bad = conditions(&child);
            reasons.extend(
                bad.into_iter().map(|r| Reason { about: format!("{name} {}", r.about), ..r }),
            );
            told.extend(warnings(client, &child));
            let (more, warned) = owned(client, &child, depth + 1);
            reasons.extend(more);
            told.extend(warned);
        }
    }
    (reasons, told)
}

/// Replica sets and jobs that an object controls.
fn children(client: &Client, object: &ObjRef) -> Vec<ObjRef> {
    fn of<T: Typed>(client: &Client, object: &ObjRef, found: &mut Vec<ObjRef>) {
        for child in client.list::<T>(Some(object.namespace())) {
            let owner = meta::controller_of((*child).metadata());
            if owner.is_some_and(|o| o.uid == object.uid()) {
                let child: Rc<dyn Object> = child;
                found.push(child);
            }
        }
    }
    let mut found = Vec::new();
    of::<ReplicaSet>(client, object, &mut found);
    of::<Job>(client, object, &mut found);
    found
}
