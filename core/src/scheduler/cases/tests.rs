//! Which nodes can take a pod and why the others can't, and what plugins score: a table of cases.
//!
//! Each case says which of upstream's plugin tests it follows, and in short which of its rows. The data is in the YAML files beside;
//! this is how they are read and judged. Plugins are asked through the scheduler's own cycle, on objects
//! of a real API server.

use std::{collections::BTreeMap, rc::Rc};

use k8s_openapi::api::core::v1::{Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod};
use k8s_openapi::api::{
    apps::v1::ReplicaSet,
    core::v1::Service,
    resource::v1::{DeviceClass, ResourceClaim, ResourceSlice},
    storage::v1::{CSIDriver, CSINode, CSIStorageCapacity, StorageClass},
};
use serde_json::{Map, Value, json};

use super::super::{
    cache::{Cache, PodInfo},
    config::{self, Config},
    cycle::Cycle,
    decisions::{Decision, Verdict},
    nominated::Nominated,
};
use crate::{
    api::{object::from_value, patch::merge, yaml},
    client::Client,
    controllers::testing::{self, cluster, make},
};

const FILES: &[(&str, &str)] = &[
    ("affinity.yaml", include_str!("affinity.yaml")),
    ("filter.yaml", include_str!("filter.yaml")),
    ("more.yaml", include_str!("more.yaml")),
    ("pods.yaml", include_str!("pods.yaml")),
    ("score.yaml", include_str!("score.yaml")),
    ("spread.yaml", include_str!("spread.yaml")),
    ("volumes.yaml", include_str!("volumes.yaml")),
];

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// `{name: n1, cpu: 4, labels: {…}, taints: ["k=v:NoSchedule"], images: {a: 10}}`
fn node(given: &Value) -> Node {
    let name = text(given, "name");
    let mut room = json!({"cpu": "32", "memory": "64Gi", "pods": "110"});
    for resource in ["cpu", "memory", "pods", "ephemeral-storage"] {
        if let Some(amount) = given.get(resource) {
            room[resource] = quantity(amount);
        }
    }
    for (resource, amount) in given.get("has").and_then(Value::as_object).into_iter().flatten() {
        room[resource] = quantity(amount);
    }
    let taints = list(given, "taints").iter().filter_map(|taint| {
        let (pair, effect) = taint.as_str()?.split_once(':')?;
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some(json!({"key": key, "value": value, "effect": effect}))
    });
    let images = given.get("images").and_then(Value::as_object).into_iter().flatten();
    let images = images.map(|(name, mib)| {
        json!({"names": [name], "sizeBytes": mib.as_i64().unwrap_or(0) * 1024 * 1024})
    });
    let labels = given.get("labels").cloned().unwrap_or(json!({}));
    let node = json!({
        "metadata": {"name": name, "labels": merge(json!({"kubernetes.io/hostname": name}), labels)},
        "spec": {"taints": taints.collect::<Vec<_>>(),
            "unschedulable": given.get("unschedulable").cloned().unwrap_or(json!(false))},
        "status": {"allocatable": room, "images": images.collect::<Vec<_>>()},
    });
    from_value(node).expect("a node")
}

fn quantity(amount: &Value) -> Value {
    match amount {
        Value::String(_) => amount.clone(),
        other => json!(other.to_string()),
    }
}

/// `{at: n1, cpu: 1, labels: {…}, spec: {…}}`
fn pod(given: &Value, name: &str) -> Rc<PodInfo> {
    let mut requests = Map::new();
    for resource in ["cpu", "memory", "ephemeral-storage"] {
        if let Some(amount) = given.get(resource) {
            requests.insert(resource.into(), quantity(amount));
        }
    }
    for (resource, amount) in given.get("wants").and_then(Value::as_object).into_iter().flatten() {
        requests.insert(resource.clone(), quantity(amount));
    }
    let namespace = Some(text(given, "namespace")).filter(|n| !n.is_empty()).unwrap_or("default");
    let mut metadata = json!({"name": name, "namespace": namespace, "uid": name,
        "labels": given.get("labels").cloned().unwrap_or(json!({}))});
    if given.get("going").is_some() {
        metadata["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    }
    if let Some(owner) = given.get("owner") {
        metadata["ownerReferences"] = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet",
            "name": owner, "uid": "u", "controller": true}]);
    }
    let mut made = json!({
        "metadata": metadata,
        "spec": {"containers": [{"name": "c", "image": "i", "resources": {"requests": requests}}]},
        "status": given.get("status").cloned().unwrap_or(json!({})),
    });
    if let Some(on) = given.get("at") {
        made["spec"]["nodeName"] = on.clone();
    }
    made["spec"] = merge(made["spec"].take(), given.get("spec").cloned().unwrap_or(json!({})));
    let pod: Pod = from_value(made).expect("a pod");
    Rc::new(PodInfo::new(&Rc::new(pod)))
}

fn objects(client: &Client, case: &Value) {
    for object in list(case, "objects") {
        let made = object.clone();
        match text(object, "kind") {
            "Namespace" => drop(make::<Namespace>(client, made)),
            "PersistentVolumeClaim" => drop(make::<PersistentVolumeClaim>(client, made)),
            "PersistentVolume" => {
                let volume = make::<PersistentVolume>(client, made);
                // As the binder says of a volume that nobody has.
                testing::set_status::<PersistentVolume>(client, &volume, |v| {
                    v.status.get_or_insert_default().phase = Some("Available".into());
                });
            }
            "CSIDriver" => drop(make::<CSIDriver>(client, made)),
            "CSIStorageCapacity" => drop(make::<CSIStorageCapacity>(client, made)),
            "StorageClass" => drop(make::<StorageClass>(client, made)),
            "Service" => drop(make::<Service>(client, made)),
            "ReplicaSet" => drop(make::<ReplicaSet>(client, made)),
            "CSINode" => drop(make::<CSINode>(client, made)),
            "DeviceClass" => drop(make::<DeviceClass>(client, made)),
            "ResourceSlice" => drop(make::<ResourceSlice>(client, made)),
            "ResourceClaim" => drop(make::<ResourceClaim>(client, made)),
            other => panic!("objects of kind {other:?} are not made here"),
        }
    }
}

/// The scheduler's configuration with a case's `pluginConfig`.
fn configured(case: &Value) -> Config {
    let Some(args) = case.get("pluginConfig") else { return Config::default() };
    let config = json!({"apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration", "profiles": [{"pluginConfig": args}]});
    config::read(&yaml::to_string(&config)).expect("a configuration")
}

/// What the scheduler says: a reason a node (`ok` where there is none), or scores.
fn judge(case: &Value) -> BTreeMap<String, Value> {
    let (_sim, client) = cluster(1);
    objects(&client, case);
    let mut cache = Cache::new(&client);
    for given in list(case, "nodes") {
        cache.set_node(&Rc::new(node(given)));
    }
    for (i, given) in list(case, "pods").iter().enumerate() {
        cache.set_pod(pod(given, &format!("there-{i}")));
    }
    cache.refresh();
    let new = pod(case.get("pod").unwrap_or(&Value::Null), "new");
    let (config, nominated) = (configured(case), Nominated::default());
    let profile = &config.profiles[0];
    let cycle = Cycle { client: &client, cache: &cache, nominated: &nominated, profile, pod: &new };
    let mut checks = match cycle.checks() {
        Ok(checks) => checks,
        Err((plugin, why)) => {
            let all = cache.nodes().map(|n| n.name.to_string());
            return all
                .map(|n| (n, json!(format!("{plugin}: {}", why.reasons.join(", ")))))
                .collect();
        }
    };
    let plugin = text(case, "scores");
    if plugin.is_empty() {
        return cache
            .nodes()
            .map(|node| {
                let said = match cycle.fits(&checks, node) {
                    Ok(()) => "ok".to_string(),
                    Err((plugin, why)) => {
                        let last = if why.resolvable { "" } else { "!" };
                        format!("{plugin}: {}{last}", why.reasons.join(", "))
                    }
                };
                (node.name.to_string(), json!(said))
            })
            .collect();
    }
    let nodes: Vec<_> = cache.nodes().filter(|node| cycle.fits(&checks, node).is_ok()).collect();
    let mut decision = Decision::default();
    cycle.scores(&mut checks, &nodes, &mut decision);
    let scored = decision.nodes.iter().filter_map(|(node, verdict)| {
        let Verdict::Scored { parts, .. } = verdict else { return None };
        let part = parts.iter().find(|p| p.plugin == plugin)?;
        Some((node.clone(), json!(part.score)))
    });
    scored.collect()
}

#[test]
fn nodes_and_reasons_are_upstreams() {
    let (mut count, mut wrong) = (0, Vec::new());
    for (file, source) in FILES {
        let cases = yaml::parse(source).expect("a table of cases");
        for case in cases.as_array().expect("a list") {
            count += 1;
            let name = format!("{file}: {}", text(case, "case"));
            assert!(text(case, "follows").contains(' '), "{name}: follows no test");
            let want = case.get("want").and_then(Value::as_object).cloned().unwrap_or_default();
            let want: BTreeMap<String, Value> = want.into_iter().collect();
            assert!(!want.is_empty(), "{name}: wants nothing");
            let got = judge(case);
            if got != want {
                wrong.push(format!("{name}\n  want {want:?}\n  got  {got:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 140, "only {count} cases");
}
