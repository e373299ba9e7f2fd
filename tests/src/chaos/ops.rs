//! What can be done to a cluster, drawn from a seed.
//!
//! - [`crowd`][]: what makes pods many or few, and pushes them aside.
//! - [`order`][]: how workloads change, and what belongs to what.
//! - [`storage`][]: volumes.
//! - [`timed`][]: work that ends, or begins by the clock.

pub mod crowd;
pub mod order;
pub mod storage;
pub mod timed;

use std::time::Duration;

use k8s_openapi::api::{
    core::v1::{Node, Pod},
    policy::v1::PodDisruptionBudget,
};
use sandbar_core::{
    api::{Object, Typed, meta, object::from_value, patch::PatchType, pods, selector::Selector},
    client::{DeleteOptions, FieldValidation, Propagation, Subresource},
    machine::Signal,
};
use serde_json::{Value, json};

use super::{
    Chance,
    cluster::{Cluster, Part},
};

/// The namespace in which everything happens.
pub const PLACE: &str = "default";

/// A kind of workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Deployment.
    Deployment,
    /// StatefulSet.
    StatefulSet,
    /// DaemonSet.
    DaemonSet,
    /// Job.
    Job,
    /// ReplicaSet of its own.
    ReplicaSet,
}

/// One thing that is done.
#[derive(Clone, Debug)]
pub enum Op {
    /// A workload is created: its sort, its number and how many pods it wants.
    Create(Sort, u64, u64),
    /// A workload wants another number of pods.
    Scale(Sort, u64, u64),
    /// A workload's pods get another image.
    Image(Sort, u64, u64),
    /// A workload is deleted, and what it owns as said.
    Delete(Sort, u64, Propagation),
    /// A service over the pods of workloads with this number.
    Service(u64, bool),
    /// A service is deleted.
    DeleteService(u64),
    /// The namespace may have so many pods; `None`: any number.
    Quota(Option<u64>),
    /// Of a workload's pods so many must stay; `None`: the budget is deleted.
    Budget(u64, Option<u64>),
    /// A node is cordoned and its pods are evicted.
    Drain(usize),
    /// A node may be used again.
    Uncordon(usize),
    /// A pod is deleted, by chance.
    DeletePod(u64, bool),
    /// A pod loses or gets back the label its controller knows it by.
    Flip(u64),
    /// A container is killed on a node.
    Kill(usize, u64),
    /// A node's kubelet dies.
    KubeletStop(usize),
    /// A node's kubelet is started.
    KubeletStart(usize),
    /// A part of the cluster dies: its place among [`Cluster::parts`].
    Stop(u64),
    /// A part of the cluster is started.
    Start(u64),
    /// A node drives away what does not tolerate its taint, or no longer does.
    Taint(usize),
    /// A job whose pods fail.
    FailingJob(u64),
    /// A node gets or loses the label `disk=fast`.
    NodeLabel(usize),
    /// Volumes.
    Storage(storage::Storage),
    /// Jobs.
    Timed(timed::Timed),
    /// Autoscalers, priorities, nodes.
    Crowd(crowd::Crowd),
    /// Rollouts, services, namespaces, custom resources.
    Order(order::Order),
    /// Nothing is done for so many milliseconds.
    Wait(u64),
}

/// Names are few, so that operations meet.
pub const NAMES: u64 = 3;

impl Op {
    /// An operation by chance.
    pub fn draw(chance: &mut Chance, nodes: usize) -> Op {
        let node = chance.below(nodes as u64) as usize;
        let (n, count) = (chance.below(NAMES), chance.below(6));
        let sort = match chance.below(8) {
            0..=2 => Sort::Deployment,
            3 | 4 => Sort::StatefulSet,
            5 => Sort::DaemonSet,
            6 => Sort::Job,
            _ => Sort::ReplicaSet,
        };
        let more = chance.below(1_000);
        match chance.below(80) {
            0..=8 => Op::Create(sort, n, count),
            9..=12 => Op::Scale(sort, n, count),
            13..=15 => Op::Image(sort, n, more % 3),
            16..=18 => Op::Delete(
                sort,
                n,
                match more % 4 {
                    0 => Propagation::Orphan,
                    1 => Propagation::Foreground,
                    _ => Propagation::Background,
                },
            ),
            19 | 20 => Op::Service(n, more.is_multiple_of(4)),
            21 => Op::DeleteService(n),
            22 | 23 => Op::Quota((!more.is_multiple_of(3)).then_some(count + 3)),
            24 | 25 => Op::Budget(n, (!more.is_multiple_of(3)).then_some(count / 2)),
            26 => Op::Drain(node),
            27 => Op::Uncordon(node),
            28 | 29 => Op::DeletePod(more, more.is_multiple_of(5)),
            30 => Op::Flip(more),
            31 | 32 => Op::Kill(node, more),
            33 => Op::KubeletStop(node),
            34 => Op::KubeletStart(node),
            35 => Op::NodeLabel(node),
            36 => Op::Stop(more),
            37 => Op::Start(more),
            38 => Op::Taint(node),
            39 => Op::FailingJob(n),
            40..=48 => Op::Storage(storage::Storage::draw(chance)),
            49..=54 => Op::Timed(timed::Timed::draw(chance)),
            55..=62 => Op::Crowd(crowd::Crowd::draw(chance, nodes)),
            63..=70 => Op::Order(order::Order::draw(chance)),
            _ => Op::Wait(match more % 4 {
                0 => 100_000,
                1 => 20_000,
                _ => more * 5,
            }),
        }
    }

    /// Does it. What the API refuses is part of the game; broken promises are returned.
    pub fn run(&self, cluster: &mut Cluster) -> Vec<String> {
        match self {
            Op::Create(sort, n, count) => create(cluster, *sort, *n, *count),
            Op::Scale(sort, n, count) => {
                let field = if *sort == Sort::Job { "parallelism" } else { "replicas" };
                if *sort != Sort::DaemonSet {
                    patch(cluster, *sort, *n, json!({"spec": {field: count}}));
                }
            }
            Op::Image(sort, n, version) => {
                // The third is one that no registry has.
                let image = format!("web-example:1.2{}", 5 + version);
                let container = json!({"name": "c", "image": image});
                let template = json!({"spec": {"template": {"spec": {"containers": [container]}}}});
                if *sort != Sort::Job {
                    patch(cluster, *sort, *n, template);
                }
            }
            Op::Delete(sort, n, propagation) => {
                let options =
                    DeleteOptions { propagation: *propagation, ..DeleteOptions::default() };
                let kind = kind_of(cluster, *sort);
                let _ = cluster.admin.delete_any(kind, PLACE, &name(*sort, *n), &options);
            }
            Op::Service(n, unready_too) => make(
                cluster,
                json!({
                "apiVersion": "v1", "kind": "Service",
                "metadata": {"name": format!("svc-{n}")},
                "spec": {"type": if *unready_too { "NodePort" } else { "ClusterIP" },
                    "publishNotReadyAddresses": unready_too,
                    "selector": {"number": n.to_string()}, "ports": [{"port": 80}]}}),
            ),
            Op::DeleteService(n) => remove(cluster, "Service", &format!("svc-{n}")),
            Op::Quota(None) => remove(cluster, "ResourceQuota", "quota"),
            Op::Quota(Some(most)) => {
                remove(cluster, "ResourceQuota", "quota");
                make(
                    cluster,
                    json!({"apiVersion": "v1", "kind": "ResourceQuota",
                    "metadata": {"name": "quota"}, "spec": {"hard": {"pods": most.to_string()}}}),
                );
            }
            Op::Budget(n, None) => remove(cluster, "PodDisruptionBudget", &format!("pdb-{n}")),
            Op::Budget(n, Some(least)) => make(
                cluster,
                json!({
                "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
                "metadata": {"name": format!("pdb-{n}")},
                "spec": {"minAvailable": least,
                    "selector": {"matchLabels": {"number": n.to_string()}}}}),
            ),
            Op::Drain(node) => return drain(cluster, *node),
            Op::Uncordon(node) => cordon(cluster, *node, false),
            Op::DeletePod(which, now) => delete_pod(cluster, *which, *now),
            Op::Flip(which) => flip(cluster, *which),
            Op::Kill(node, which) => kill(cluster, *node, *which),
            Op::KubeletStop(node) => cluster.stop(&Part::Kubelet(*node)),
            Op::KubeletStart(node) => cluster.start(&Part::Kubelet(*node)),
            Op::NodeLabel(node) => label_node(cluster, *node),
            Op::Stop(which) => {
                let parts = cluster.parts();
                cluster.stop(&parts[*which as usize % parts.len()]);
            }
            Op::Start(which) => {
                let parts = cluster.parts();
                cluster.start(&parts[*which as usize % parts.len()]);
            }
            Op::Taint(node) => taint(cluster, *node),
            Op::FailingJob(n) => make(
                cluster,
                json!({"apiVersion": "batch/v1", "kind": "Job",
                "metadata": {"name": format!("fail-{n}")},
                "spec": {"backoffLimit": n, "template": {"spec": {"restartPolicy": "Never",
                    "containers": [{"name": "c", "image": "busybox:1.36",
                        "command": ["sh", "-c", "sleep 1; exit 3"]}]}}}}),
            ),
            Op::Storage(op) => op.run(cluster),
            Op::Timed(op) => op.run(cluster),
            Op::Crowd(op) => op.run(cluster),
            Op::Order(op) => op.run(cluster),
            Op::Wait(millis) => cluster.pass(Duration::from_millis(*millis)),
        }
        Vec::new()
    }
}

/// `sts-1`.
pub fn name(sort: Sort, n: u64) -> String {
    let short = match sort {
        Sort::Deployment => "deploy",
        Sort::StatefulSet => "sts",
        Sort::DaemonSet => "ds",
        Sort::Job => "job",
        Sort::ReplicaSet => "rs",
    };
    format!("{short}-{n}")
}

fn kind_of(cluster: &Cluster, sort: Sort) -> sandbar_core::api::KindId {
    let (version, kind) = group_of(sort);
    cluster.admin.kinds().by_kind(version, kind).expect("a built-in kind").id
}

fn group_of(sort: Sort) -> (&'static str, &'static str) {
    match sort {
        Sort::Deployment => ("apps/v1", "Deployment"),
        Sort::StatefulSet => ("apps/v1", "StatefulSet"),
        Sort::DaemonSet => ("apps/v1", "DaemonSet"),
        Sort::Job => ("batch/v1", "Job"),
        Sort::ReplicaSet => ("apps/v1", "ReplicaSet"),
    }
}

fn kind_named(cluster: &Cluster, kind: &str) -> sandbar_core::api::KindId {
    cluster.admin.kinds().iter().find(|k| k.kind == kind).expect("a built-in kind").id
}

/// Creates an object in [`PLACE`], if the API lets it.
fn make(cluster: &Cluster, value: Value) {
    make_in(cluster, PLACE, value);
}

fn make_in(cluster: &Cluster, namespace: &str, value: Value) {
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_string();
    let known = cluster.admin.kinds().by_kind(&text("apiVersion"), &text("kind")).cloned();
    let kind = known.expect("a built-in kind");
    let namespace = if kind.namespaced { namespace } else { "" };
    let _ = cluster.admin.create_value(kind.id, namespace, value, FieldValidation::Strict);
}

/// Where objects of a kind are.
fn place_of(cluster: &Cluster, kind: sandbar_core::api::KindId) -> &'static str {
    if cluster.admin.kind(kind).namespaced { PLACE } else { "" }
}

fn is_there(cluster: &Cluster, kind: &str, name: &str) -> bool {
    let kind = kind_named(cluster, kind);
    cluster.admin.get_any(kind, place_of(cluster, kind), name).is_ok()
}

fn remove(cluster: &Cluster, kind: &str, name: &str) {
    let kind = kind_named(cluster, kind);
    let place = place_of(cluster, kind);
    let _ = cluster.admin.delete_any(kind, place, name, &DeleteOptions::default());
}

fn merge(cluster: &Cluster, kind: &str, name: &str, patch: &Value) {
    let kind = kind_named(cluster, kind);
    let key = (place_of(cluster, kind), name);
    let _ = cluster.admin.patch(kind, key, (PatchType::Merge, patch), Subresource::Main);
}

fn patch(cluster: &Cluster, sort: Sort, n: u64, patch: Value) {
    let key = (PLACE, &*name(sort, n));
    let kind = kind_of(cluster, sort);
    let _ = cluster.admin.patch(kind, key, (PatchType::Strategic, &patch), Subresource::Main);
}

fn create(cluster: &Cluster, sort: Sort, n: u64, count: u64) {
    let name = name(sort, n);
    let labels = json!({"app": name, "number": n.to_string()});
    let mut pod = json!({"terminationGracePeriodSeconds": 5,
        "containers": [{"name": "c", "image": "web-example:1.25",
            "resources": {"requests": {"cpu": "200m", "memory": "64Mi"}}}]});
    let selector = json!({"matchLabels": {"app": name}});
    let mut spec = match sort {
        Sort::Job => {
            pod["restartPolicy"] = json!("Never");
            pod["containers"][0]["image"] = json!("busybox:1.36");
            pod["containers"][0]["command"] = json!(["sleep", (3 + count * 4).to_string()]);
            json!({"completions": 1 + count, "parallelism": 1 + count / 2})
        }
        Sort::DaemonSet => {
            if n == 1 {
                pod["nodeSelector"] = json!({"disk": "fast"});
            }
            json!({"selector": selector})
        }
        Sort::StatefulSet => {
            let policy = if n == 1 { "Parallel" } else { "OrderedReady" };
            json!({"selector": selector, "replicas": count, "podManagementPolicy": policy})
        }
        Sort::Deployment => {
            let strategy = if n == 2 { json!({"type": "Recreate"}) } else { json!({}) };
            json!({"selector": selector, "replicas": count, "strategy": strategy})
        }
        Sort::ReplicaSet => json!({"selector": selector, "replicas": count}),
    };
    spec["template"] = json!({"metadata": {"labels": labels}, "spec": pod});
    let (version, kind) = group_of(sort);
    make(
        cluster,
        json!({"apiVersion": version, "kind": kind,
        "metadata": {"name": name}, "spec": spec}),
    );
}

fn all_pods(cluster: &Cluster) -> Vec<std::rc::Rc<Pod>> {
    cluster.admin.list::<Pod>(Some(PLACE))
}

fn delete_pod(cluster: &Cluster, which: u64, now: bool) {
    let all = all_pods(cluster);
    let Some(pod) = all.get(which as usize % all.len().max(1)) else { return };
    let grace_seconds = now.then_some(0);
    let options = DeleteOptions { grace_seconds, ..DeleteOptions::default() };
    let _ = cluster.admin.delete::<Pod>(PLACE, (&**pod as &dyn Object).name(), &options);
}

fn flip(cluster: &Cluster, which: u64) {
    let all = all_pods(cluster);
    let Some(pod) = all.get(which as usize % all.len().max(1)) else { return };
    let label = match meta::label(&pod.metadata, "app") {
        Some("lost") => meta::label(&pod.metadata, "was").unwrap_or_default().to_string(),
        _ => "lost".to_string(),
    };
    let was = meta::label(&pod.metadata, "app").unwrap_or_default();
    let patch = json!({"metadata": {"labels": {"app": label, "was": was}}});
    let key = (PLACE, (&**pod as &dyn Object).name());
    let _ = cluster.admin.patch(Pod::ID, key, (PatchType::Merge, &patch), Subresource::Main);
}

fn kill(cluster: &Cluster, node: usize, which: u64) {
    let mut running = cluster.engine(node).containers();
    running.retain(|c| c.is_running() && c.spec.pod.as_ref().is_some_and(|p| !p.is_sandbox()));
    let Some(container) = running.get(which as usize % running.len().max(1)) else { return };
    if let Some(process) = container.process() {
        process.kill(Signal::Kill);
    }
}

fn label_node(cluster: &Cluster, node: usize) {
    let name = cluster.node(node);
    let Some(found) = cluster.admin.find::<Node>("", &name) else { return };
    let has = meta::label(&found.metadata, "disk").is_some();
    let label = if has { Value::Null } else { json!("fast") };
    let patch = json!({"metadata": {"labels": {"disk": label}}});
    let _ =
        cluster.admin.patch(Node::ID, ("", &name), (PatchType::Merge, &patch), Subresource::Main);
}

fn taint(cluster: &Cluster, node: usize) {
    let name = cluster.node(node);
    let Some(found) = cluster.admin.find::<Node>("", &name) else { return };
    let taints = found.spec.as_ref().and_then(|s| s.taints.clone()).unwrap_or_default();
    let has = taints.iter().any(|t| t.key == TAINT);
    untaint(cluster, node);
    if !has {
        let Some(found) = cluster.admin.find::<Node>("", &name) else { return };
        let mut new = (*found).clone();
        let taint = json!({"key": TAINT, "effect": "NoExecute"});
        let taints = new.spec.get_or_insert_default().taints.get_or_insert_default();
        taints.push(from_value(taint).expect("a taint"));
        let _ = cluster.admin.update(new);
    }
}

/// The taint of [`Op::Taint`].
const TAINT: &str = "maintenance";

/// Takes away the taint of [`Op::Taint`].
pub fn untaint(cluster: &Cluster, node: usize) {
    let Some(found) = cluster.admin.find::<Node>("", &cluster.node(node)) else { return };
    let mut new = (*found).clone();
    let taints = new.spec.get_or_insert_default().taints.get_or_insert_default();
    taints.retain(|taint| taint.key != TAINT);
    let _ = cluster.admin.update(new);
}

/// Lets new pods on a node, or keeps them off.
pub fn cordon(cluster: &Cluster, node: usize, off: bool) {
    let name = cluster.node(node);
    let patch = json!({"spec": {"unschedulable": if off { json!(true) } else { Value::Null }}});
    let _ =
        cluster.admin.patch(Node::ID, ("", &name), (PatchType::Merge, &patch), Subresource::Main);
}

/// Cordons a node and evicts its pods once, as one round of `kubectl drain`.
fn drain(cluster: &Cluster, node: usize) -> Vec<String> {
    cordon(cluster, node, true);
    let name = cluster.node(node);
    let mut broken = Vec::new();
    for pod in all_pods(cluster) {
        let object: &dyn Object = &*pod;
        let daemon = meta::controller_of(&pod.metadata).is_some_and(|c| c.kind == "DaemonSet");
        if pods::node_name(&pod) != name || daemon {
            continue;
        }
        let before = budgets(cluster, &pod);
        let counted = pods::is_ready(&pod) && !pods::is_terminating(&pod);
        let done = cluster.admin.evict(PLACE, object.name(), &DeleteOptions::default());
        if done.is_ok() && counted {
            broken.extend(before.into_iter().filter(|(_, have, least)| have - 1 < *least).map(
                |(budget, have, least)| {
                    format!(
                        "{budget} wants {least} pods, has {have}, and {} was evicted",
                        object.name()
                    )
                },
            ));
        }
    }
    broken
}

/// Budgets of a pod, how many healthy pods they have, and how many they want.
fn budgets(cluster: &Cluster, pod: &Pod) -> Vec<(String, i32, i32)> {
    let mut found = Vec::new();
    for budget in cluster.admin.list::<PodDisruptionBudget>(Some(PLACE)) {
        let Some(spec) = &budget.spec else { continue };
        let Ok(selector) = Selector::from_label_selector(spec.selector.as_ref()) else { continue };
        if !selector.matches(pod.metadata.labels.as_ref()) {
            continue;
        }
        let healthy = all_pods(cluster)
            .iter()
            .filter(|p| selector.matches(p.metadata.labels.as_ref()))
            .filter(|p| pods::is_ready(p) && pods::is_active(p))
            .count() as i32;
        let least = match &spec.min_available {
            Some(k8s_openapi::apimachinery::pkg::util::intstr::IntOrString::Int(n)) => *n,
            _ => continue,
        };
        found.push(((&*budget as &dyn Object).name().to_string(), healthy, least));
    }
    found
}
