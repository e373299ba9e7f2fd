//! How fast the scheduler places pods: nodes are objects, kubelets stand-ins that report each pod
//! running, and everything goes through the API server.
//!
//! Nothing here is a cluster that anybody works with; `bench replicas` measures those.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::{Namespace, Node, Pod, Service, ServiceAccount};
use sandbar_core::{
    api::{Object, Typed, object::from_value, pods},
    apiserver::ApiServer,
    client::{Client, Op, Subscription},
    scheduler::Scheduler,
    sim::{Sim, Time},
};
use serde_json::{Value, json};

/// What the pods of a measurement wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wishes {
    /// CPU and memory.
    Plain,
    /// Anti-affinity within groups of ten, and zones in balance.
    Apart,
}

struct World {
    sim: Sim,
    client: Client,
    _kubelets: Subscription,
    _scheduler: Scheduler,
}

fn make<T: Typed>(client: &Client, value: Value) -> Result<Rc<T>, String> {
    let object = from_value::<T>(value).map_err(|e| e.to_string())?;
    client.create(object).map_err(|e| e.to_string())
}

/// A cluster of that many ready nodes of 32 cores in ten zones, with its scheduler.
fn world(nodes: usize) -> Result<World, String> {
    let sim = Sim::new(1, Time::from_secs(1_790_000_000));
    let api = ApiServer::new(&sim);
    let client = Client::system(&api, "kube-controller-manager");
    make::<Namespace>(&client, json!({"metadata": {"name": "default"}}))?;
    let account = json!({"metadata": {"name": "default", "namespace": "default"}});
    make::<ServiceAccount>(&client, account)?;
    // Its pods are spread softly, as those of any service.
    make::<Service>(
        &client,
        json!({"metadata": {"name": "web", "namespace": "default"},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}),
    )?;
    for i in 0..nodes {
        let name = format!("node-{i:04}");
        let room = json!({"cpu": "32", "memory": "128Gi", "pods": "110",
            "ephemeral-storage": "100Gi"});
        let zone = format!("zone-{}", i % 10);
        let made = make::<Node>(
            &client,
            json!({
                "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name,
                    "topology.kubernetes.io/zone": zone}},
                "status": {"allocatable": room, "capacity": room,
                    "conditions": [{"type": "Ready", "status": "True"}]},
            }),
        )?;
        // As the node lifecycle controller does once a node is ready.
        let mut ready = (*made).clone();
        ready.spec.get_or_insert_default().taints = None;
        client.update(ready).map_err(|e| e.to_string())?;
    }
    let kubelets = kubelets(&Client::system(&api, "kubelet"));
    let scheduler = Scheduler::start(&Client::system(&api, "kube-scheduler"));
    Ok(World { sim, client, _kubelets: kubelets, _scheduler: scheduler })
}

/// Each pod that gets a node is reported running at once.
fn kubelets(client: &Client) -> Subscription {
    let own = client.clone();
    client.on_change(&[Pod::ID], move |change| {
        let Some(pod) = change.object.downcast::<Pod>() else { return };
        if change.op == Op::Deleted || pods::node_name(pod).is_empty() {
            return;
        }
        if pods::phase(pod) == "Pending" {
            let mut new = pod.clone();
            new.status.get_or_insert_default().phase = Some("Running".into());
            let _ = own.update_status(new); // somebody else was quicker: the next change tells
        }
    })
}

fn pod(i: usize, wishes: Wishes) -> Value {
    let mut pod = json!({
        "metadata": {"name": format!("pod-{i:05}"), "namespace": "default",
            "labels": {"app": "web", "group": format!("g{}", i / 10)}},
        "spec": {"containers": [{"name": "c", "image": "nginx",
            "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}}}]},
    });
    if wishes == Wishes::Apart {
        let own = json!({"matchLabels": {"group": format!("g{}", i / 10)}});
        pod["spec"]["affinity"] = json!({"podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [
                {"labelSelector": own, "topologyKey": "kubernetes.io/hostname"}]}});
        pod["spec"]["topologySpreadConstraints"] = json!([{"maxSkew": 5,
            "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"app": "web"}}}]);
    }
    pod
}

/// Real seconds from the first pod's creation until all have their nodes.
pub fn measure(nodes: usize, pods_: usize, wishes: Wishes) -> Result<f64, String> {
    let world = world(nodes)?;
    world.sim.advance(world.sim.now() + Duration::from_secs(1), u64::MAX);
    let start = Instant::now();
    for i in 0..pods_ {
        make::<Pod>(&world.client, pod(i, wishes))?;
    }
    world.sim.advance(world.sim.now() + Duration::from_secs(60), u64::MAX);
    let wall = start.elapsed().as_secs_f64();
    let waiting = world.client.list::<Pod>(None);
    let waiting = waiting.iter().filter(|p| pods::node_name(p).is_empty());
    let names: Vec<&str> = waiting.map(|p| (&**p as &dyn Object).name()).take(5).collect();
    if names.is_empty() { Ok(wall) } else { Err(format!("no node for {}, …", names.join(", "))) }
}
