//! What is refused, word for word: `refusals.txt` has a line for each small change that makes a good
//! object bad, and what the server says of it.
//!
//! A line is `kind: path=value & path=value => error | error`; a kind with `~` before it is changed
//! after it was made. Values are YAML; `!` removes a field. The words are upstream's
//! (`pkg/apis/core/validation` and its siblings).

use k8s_openapi::{
    api::{
        apps::v1::{Deployment, StatefulSet},
        batch::v1::{CronJob, Job},
        core::v1::{ConfigMap, Node, PersistentVolumeClaim, Pod, Secret, Service},
        networking::v1::Ingress,
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use serde_json::{Map, Value};

use super::tests::{api, create};
use crate::{
    api::{KindId, Typed, patch::PatchType, yaml},
    apiserver::Subresource,
};

const LINES: &str = include_str!("refusals.txt");

/// Good objects by the name that the lines call them.
const GOOD: &[(&str, KindId, &str)] = &[
    ("config", ConfigMap::ID, "{metadata: {name: c}, data: {a: b}}"),
    (
        "claim",
        PersistentVolumeClaim::ID,
        "{metadata: {name: c}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}",
    ),
    (
        "crd",
        CustomResourceDefinition::ID,
        "{metadata: {name: crons.example.com}, spec: {group: example.com, scope: Namespaced, names: {plural: crons, kind: Cron}, \
         versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object}}}}}]}}",
    ),
    (
        "cronjob",
        CronJob::ID,
        "{metadata: {name: c}, spec: {schedule: '* * * * *', jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}}}}",
    ),
    (
        "deployment",
        Deployment::ID,
        "{metadata: {name: d}, spec: {selector: {matchLabels: {app: d}}, template: {metadata: {labels: {app: d}}, spec: {containers: [{name: c, image: i}]}}}}",
    ),
    (
        "gated",
        Pod::ID,
        "{metadata: {name: p}, spec: {schedulingGates: [{name: g}], nodeSelector: {a: b}, containers: [{name: c, image: i}]}}",
    ),
    (
        "ingress",
        Ingress::ID,
        "{metadata: {name: i}, spec: {defaultBackend: {service: {name: s, port: {number: 80}}}}}",
    ),
    (
        "job",
        Job::ID,
        "{metadata: {name: j}, spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}}",
    ),
    (
        "node",
        Node::ID,
        "{metadata: {name: n1}, spec: {podCIDR: 10.0.0.0/24, podCIDRs: [10.0.0.0/24]}}",
    ),
    (
        "pod",
        Pod::ID,
        "{metadata: {name: p}, spec: {containers: [{name: c, image: i}], volumes: [{name: v, emptyDir: {}}]}}",
    ),
    ("secret", Secret::ID, "{metadata: {name: s}, stringData: {a: b}}"),
    (
        "service",
        Service::ID,
        "{metadata: {name: s}, spec: {ports: [{port: 80}], selector: {app: d}}}",
    ),
    (
        "statefulset",
        StatefulSet::ID,
        "{metadata: {name: d}, spec: {serviceName: s, selector: {matchLabels: {app: d}}, template: {metadata: {labels: {app: d}}, spec: {containers: [{name: c, image: i}]}}}}",
    ),
];

/// Sets a value at a path, making what leads there.
fn set(value: &mut Value, path: &str, new: Option<Value>) {
    let path = path.replace('[', ".[");
    let steps: Vec<&str> = path.split('.').filter(|s| !s.is_empty()).collect();
    let Some((last, way)) = steps.split_last() else { return };
    let mut here = value;
    for step in way {
        here = enter(here, step);
    }
    match (new, last.strip_prefix('[')) {
        (Some(new), _) => *enter(here, last) = new,
        (None, _) => {
            if let Some(map) = here.as_object_mut() {
                map.remove(&last.replace('~', "."));
            }
        }
    }
}

fn enter<'a>(here: &'a mut Value, step: &str) -> &'a mut Value {
    match step.strip_prefix('[').and_then(|s| s.strip_suffix(']')) {
        Some(index) => {
            if !here.is_array() {
                *here = Value::Array(Vec::new());
            }
            let (index, list) = (index.parse::<usize>().unwrap(), here.as_array_mut().unwrap());
            while list.len() <= index {
                list.push(Value::Null);
            }
            &mut list[index]
        }
        None => {
            if !here.is_object() {
                *here = Value::Object(Map::new());
            }
            here.as_object_mut().unwrap().entry(step.replace('~', ".")).or_insert(Value::Null)
        }
    }
}

/// What the server says of a line.
fn said(line: &str) -> Vec<String> {
    let (name, changes) = line.split_once(": ").unwrap();
    let (update, name) = name.strip_prefix('~').map_or((false, name), |name| (true, name));
    let (_, kind, good) = GOOD.iter().find(|(own, ..)| *own == name).unwrap();
    let (api, cx) = api();
    let mut value = yaml::parse(good).unwrap();
    if update {
        value = create(&api, &cx, *kind, good).unwrap().to_value();
    }
    for change in changes.split(" & ") {
        let (path, new) = change.split_once('=').unwrap();
        let new = (new != "!").then(|| yaml::parse(new).unwrap());
        set(&mut value, path, new);
    }
    let result = if update {
        let (ns, own) =
            (value["metadata"]["namespace"].as_str(), value["metadata"]["name"].as_str());
        let (ns, own) = (ns.unwrap_or_default().to_owned(), own.unwrap_or_default().to_owned());
        let old = api.get(*kind, &ns, &own).unwrap().to_value();
        let patch = crate::api::patch::two_way_merge(&old, &value);
        api.patch(&cx, *kind, (&ns, &own), (PatchType::Merge, &patch), Subresource::Main)
    } else {
        create(&api, &cx, *kind, &yaml::to_string(&value))
    };
    match result {
        Ok(_) => vec!["nothing".into()],
        Err(status) if status.causes.is_empty() => vec![status.message],
        Err(status) => status.causes.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn every_refusal_reads_as_upstreams() {
    let mut wrong = Vec::new();
    let sentences: Vec<(&str, &str)> =
        LINES.lines().filter(|l| l.starts_with('$')).filter_map(|l| l.split_once(' ')).collect();
    let lines: Vec<&str> =
        LINES.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', '$'])).collect();
    for line in &lines {
        let (change, want) = line.split_once(" => ").unwrap_or((line, "nothing"));
        let mut got = said(change).join(" | ").replace('\n', "\\n");
        for (name, sentence) in &sentences {
            got = got.replace(sentence, name);
        }
        if got != want {
            wrong.push(format!("{change} => {got}"));
        }
    }
    assert!(wrong.is_empty(), "these differ:\n{}", wrong.join("\n"));
    assert!(lines.len() >= 200, "only {} lines", lines.len());
}
