//! kube-rs against the endpoint: list, watch, apply, exec, logs, a small controller.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, TryStreamExt};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ConfigMap, Node, Pod},
};
use kube::{
    Api, Client, Config, ResourceExt,
    api::{AttachParams, ListParams, LogParams, Patch, PatchParams, WatchEvent, WatchParams},
    config::{KubeConfigOptions, Kubeconfig},
    runtime::{
        controller::{Action, Controller},
        wait::{await_condition, conditions},
        watcher,
    },
};
use sandbar_core::sim::Time;
use sandbar_server::{Endpoint, Options, engine::Pace, worlds::Sandbox};
use serde_json::json;
use tokio::io::AsyncReadExt;

const LONGEST: Duration = Duration::from_secs(60);

fn endpoint() -> Endpoint {
    let options = Options {
        listen: ([127, 0, 0, 1], 0).into(),
        cluster: "minikube".into(),
        // Ten simulated seconds in one: images are pulled while nobody has to wait.
        pace: Pace { speed: 10.0, paused: false },
        node_ports: false,
    };
    let make = || -> Box<dyn sandbar_server::World> {
        let start = Time::from_secs(1_795_000_000);
        Box::new(Sandbox::new(1, start, &["minikube start"]).expect("a cluster"))
    };
    Endpoint::start(Box::new(make), &options).expect("an endpoint")
}

async fn client(endpoint: &Endpoint) -> Client {
    let config = Kubeconfig::from_yaml(&endpoint.kubeconfig).expect("a kubeconfig");
    let config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await;
    Client::try_from(config.expect("a configuration")).expect("a client")
}

fn web() -> serde_json::Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "nginx", "image": "nginx"}]}}}})
}

/// Copies what `source` says into a config map of its own, as controllers do.
async fn reconcile(map: Arc<ConfigMap>, client: Arc<Client>) -> Result<Action, kube::Error> {
    if map.labels().contains_key("copy") {
        let api: Api<ConfigMap> = Api::default_namespaced((*client).clone());
        let copy = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": format!("{}-copy", map.name_any())}, "data": map.data});
        let name = format!("{}-copy", map.name_any());
        api.patch(&name, &PatchParams::apply("copier"), &Patch::Apply(copy)).await?;
    }
    Ok(Action::await_change())
}

#[test]
fn a_library_that_nobody_here_wrote_finds_its_way() {
    let endpoint = endpoint();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let client = client(&endpoint).await;
        tokio::time::timeout(LONGEST * 3, story(client)).await.expect("it ends");
    });
}

async fn story(client: Client) {
    let nodes: Api<Node> = Api::all(client.clone());
    let listed = nodes.list(&ListParams::default()).await.expect("nodes");
    assert_eq!(listed.items.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), ["minikube"]);

    let deployments: Api<Deployment> = Api::default_namespaced(client.clone());
    let apply = PatchParams::apply("story").force();
    deployments.patch("web", &apply, &Patch::Apply(web())).await.expect("applied");
    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    let watched = WatchParams::default().labels("app=web").timeout(60);
    let mut events = pods.watch(&watched, "0").await.expect("a watch").boxed();
    let name = loop {
        match events.try_next().await.expect("an event") {
            Some(WatchEvent::Added(pod) | WatchEvent::Modified(pod)) => break pod.name_any(),
            Some(_) => {}
            None => panic!("the watch ended"),
        }
    };
    drop(events);
    await_condition(pods.clone(), &name, conditions::is_pod_running()).await.expect("it runs");

    let attach = AttachParams::default().stderr(false);
    let mut process =
        pods.exec(&name, ["sh", "-c", "echo hi; exit 3"], &attach).await.expect("exec");
    let mut said = String::new();
    process.stdout().expect("its output").read_to_string(&mut said).await.expect("text");
    let status = process.take_status().expect("a status").await.expect("an end");
    assert_eq!((said.as_str(), status.reason.as_deref()), ("hi\n", Some("NonZeroExitCode")));
    let log = pods.logs(&name, &LogParams::default()).await.expect("a log");
    assert!(log.contains("docker-entrypoint"), "{log}");
    let missing = pods.get("none").await.expect_err("no such pod");
    assert!(missing.to_string().contains("pods \"none\" not found"), "{missing}");

    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let source = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "source", "labels": {"copy": "yes"}}, "data": {"k": "1"}});
    maps.patch("source", &apply, &Patch::Apply(source)).await.expect("a config map");
    let controller = Controller::new(maps.clone(), watcher::Config::default()).run(
        reconcile,
        |_, _, _| Action::requeue(Duration::from_secs(1)),
        Arc::new(client),
    );
    let controller = tokio::spawn(controller.for_each(|_| async {}));
    let copied = |map: Option<&ConfigMap>| {
        let data = map.and_then(|m| m.data.as_ref()).and_then(|d| d.get("k"));
        data.is_some_and(|v| v == "2")
    };
    let change = json!({"data": {"k": "2"}});
    maps.patch("source", &PatchParams::default(), &Patch::Merge(change)).await.expect("changed");
    await_condition(maps, "source-copy", copied).await.expect("the controller follows");
    controller.abort();
}
