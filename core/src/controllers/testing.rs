//! A cluster without kubelets for the tests of controllers and scheduler: nodes are objects, and
//! pods become ready when a test says so.

use std::{rc::Rc, time::Duration};

use k8s_openapi::api::core::v1::{Namespace, Node, Pod, PodCondition, ServiceAccount};
use serde_json::{Value, json};

use crate::{
    api::{Object, Typed, object::from_value},
    apiserver::ApiServer,
    client::{Client, Subscription},
    controllers::pods,
    sim::{Sim, Time},
};

/// A simulation and a client of its cluster, which has the namespace `default`.
pub fn cluster(seed: u64) -> (Sim, Client) {
    let sim = Sim::new(seed, Time::from_secs(1_700_000_000));
    let api = ApiServer::new(&sim);
    let client = Client::system(&api, "kube-controller-manager");
    make::<Namespace>(
        &client,
        json!({"metadata": {"name": "default"}, "spec": {"finalizers": ["kubernetes"]}}),
    );
    // Pods need one; in a whole cluster the service account controller makes it.
    let account = json!({"metadata": {"name": "default", "namespace": "default"}});
    make::<ServiceAccount>(&client, account);
    (sim, client)
}

/// Creates an object from JSON.
pub fn make<T: Typed>(client: &Client, value: Value) -> Rc<T> {
    client.create(from_value::<T>(value).expect("a test's object")).expect("created")
}

/// A ready node with room for `cpu` cores, `memory` and 110 pods.
pub fn node(client: &Client, name: &str, cpu: &str, memory: &str) -> Rc<Node> {
    let room = json!({"cpu": cpu, "memory": memory, "pods": "110"});
    make::<Node>(
        client,
        json!({
            "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
            "status": {
                "allocatable": room, "capacity": room,
                "conditions": [{"type": "Ready", "status": "True"}],
            },
        }),
    );
    // What the node lifecycle controller does once a new node is ready.
    edit::<Node>(client, "", name, |n| n.spec.get_or_insert_default().taints = None)
}

/// Lets simulated time pass.
pub fn pass(sim: &Sim, seconds: f64) {
    let until = sim.now() + Duration::from_secs_f64(seconds);
    assert!(sim.advance(until, 3_000_000).reached, "the cluster never comes to rest");
}

/// Changes an object's status.
pub fn set_status<T: Typed>(client: &Client, object: &T, change: impl FnOnce(&mut T)) -> Rc<T> {
    let object: &dyn Object = object;
    let mut new = (*client.get::<T>(object.namespace(), object.name()).expect("exists")).clone();
    change(&mut new);
    client.update_status(new).expect("status written")
}

/// Changes an object.
pub fn edit<T: Typed>(client: &Client, ns: &str, name: &str, change: impl FnOnce(&mut T)) -> Rc<T> {
    let mut new = (*client.get::<T>(ns, name).expect("exists")).clone();
    change(&mut new);
    client.update(new).expect("written")
}

/// Marks a pod as running, and ready or not.
pub fn run(client: &Client, pod: &Pod, ready: bool) {
    let now = client.sim().now().to_meta();
    let ip = format!("10.244.0.{}", client.sim().random(250) + 2);
    set_status::<Pod>(client, pod, |p| {
        let status = p.status.get_or_insert_default();
        status.phase = Some("Running".into());
        status.pod_ip.get_or_insert(ip);
        let conditions = status.conditions.get_or_insert_default();
        conditions.retain(|c| c.type_ != "Ready");
        conditions.push(PodCondition {
            type_: "Ready".into(),
            status: if ready { "True" } else { "False" }.into(),
            last_transition_time: Some(now),
            ..Default::default()
        });
    });
}

/// Stands in for all kubelets: pods become ready a while after they appear (`None`: never) and go
/// a second after their deletion began.
pub fn kubelets(client: &Client, ready_after: Option<Duration>) -> Subscription {
    let own = client.clone();
    client.on_change(&[Pod::ID], move |change| {
        let Some(pod) = change.object.downcast::<Pod>() else { return };
        if change.op == crate::client::Op::Deleted {
            return;
        }
        let (client, name) = (own.clone(), change.object.name().to_string());
        let ns = change.object.namespace().to_string();
        if pod.metadata.deletion_timestamp.is_some() {
            own.sim().after(Duration::from_secs(1), move || {
                let options =
                    crate::client::DeleteOptions { grace_seconds: Some(0), ..Default::default() };
                let _ = client.delete::<Pod>(&ns, &name, &options);
            });
        } else if let Some(delay) = ready_after.filter(|_| pods::phase(pod) == "Pending") {
            own.sim().after(delay, move || {
                if let Some(pod) = client.find::<Pod>(&ns, &name) {
                    if pods::phase(&pod) == "Pending" {
                        run(&client, &pod, true);
                    }
                }
            });
        }
    })
}

/// Events about objects of a kind, `reason message` each, in order of time.
pub fn events(client: &Client, kind: &str) -> Vec<String> {
    use k8s_openapi::api::core::v1::Event;
    let mut events = client.list::<Event>(None);
    events.retain(|e| e.involved_object.kind.as_deref() == Some(kind));
    events.sort_by_key(|e| {
        let version = e.metadata.resource_version.as_deref().and_then(|v| v.parse::<u64>().ok());
        version.unwrap_or(0)
    });
    let text = |s: &Option<String>| s.clone().unwrap_or_default();
    events.iter().map(|e| format!("{} {}", text(&e.reason), text(&e.message))).collect()
}
