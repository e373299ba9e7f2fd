//! ReplicaSets in virtual time.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use serde_json::json;

use super::*;
use crate::controllers::{
    framework,
    testing::{cluster, edit, events, kubelets, make, pass, run},
};

fn web(replicas: i32) -> serde_json::Value {
    json!({
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": "nginx"}]},
            },
        },
    })
}

fn counts(client: &Client) -> (i32, i32, i32) {
    let counts = client.get::<ReplicaSet>("default", "web").unwrap().counts();
    (counts.replicas, counts.ready, counts.available)
}

#[test]
fn pods_are_made_replaced_and_removed() {
    let (sim, client) = cluster(1);
    let _kubelets = kubelets(&client, Some(Duration::from_secs(2)));
    let _running = framework::start(&client, super::make(&client));
    make::<ReplicaSet>(&client, web(3));
    pass(&sim, 1.0);
    assert_eq!(counts(&client), (3, 0, 0));
    pass(&sim, 2.0);
    assert_eq!(counts(&client), (3, 3, 3));
    let pods = client.list::<Pod>(None);
    let name = (&*pods[0] as &dyn Object).name().to_string();
    client.delete::<Pod>("default", &name, &DeleteOptions::default()).unwrap();
    pass(&sim, 5.0);
    assert_eq!(counts(&client), (3, 3, 3));
    edit::<ReplicaSet>(&client, "default", "web", |rs| {
        rs.spec.get_or_insert_default().replicas = Some(1);
    });
    pass(&sim, 5.0);
    assert_eq!(counts(&client), (1, 1, 1));
    let told = events(&client, "ReplicaSet");
    assert_eq!(
        told.iter().filter(|e| e.starts_with("SuccessfulCreate Created pod: web-")).count(),
        4
    );
    assert_eq!(
        told.iter().filter(|e| e.starts_with("SuccessfulDelete Deleted pod: web-")).count(),
        2
    );
}

#[test]
fn a_relabelled_pod_is_released_and_adopted_again() {
    let (sim, client) = cluster(2);
    let _kubelets = kubelets(&client, Some(Duration::from_secs(1)));
    let _running = framework::start(&client, super::make(&client));
    make::<ReplicaSet>(&client, web(2));
    pass(&sim, 3.0);
    let pods = client.list::<Pod>(None);
    let name = (&*pods[0] as &dyn Object).name().to_string();
    let relabel = |value: &str| {
        edit::<Pod>(&client, "default", &name, |pod| {
            pod.metadata.labels = Some([("app".to_string(), value.to_string())].into());
        })
    };
    relabel("other");
    pass(&sim, 3.0);
    assert_eq!(client.count::<Pod>(), 3);
    let pod = client.get::<Pod>("default", &name).unwrap();
    assert_eq!(pod.metadata.owner_references, None);
    relabel("web");
    pass(&sim, 3.0);
    assert_eq!(client.count::<Pod>(), 2);
    assert_eq!(counts(&client), (2, 2, 2));
}

#[test]
fn min_ready_seconds_delay_availability() {
    let (sim, client) = cluster(3);
    let _kubelets = kubelets(&client, Some(Duration::from_secs(1)));
    let _running = framework::start(&client, super::make(&client));
    let mut set = web(2);
    set["spec"]["minReadySeconds"] = json!(10);
    make::<ReplicaSet>(&client, set);
    pass(&sim, 5.0);
    assert_eq!(counts(&client), (2, 2, 0));
    pass(&sim, 7.0);
    assert_eq!(counts(&client), (2, 2, 2));
}

#[test]
fn a_restart_at_any_time_settles() {
    for cut in [0, 1, 2, 5, 900, 1_100] {
        let (sim, client) = cluster(4);
        let _kubelets = kubelets(&client, Some(Duration::from_secs(1)));
        let first = framework::start(&client, super::make(&client));
        make::<ReplicaSet>(&client, web(700));
        pass(&sim, f64::from(cut) / 1000.0);
        drop(first);
        pass(&sim, 0.5);
        let _second = framework::start(&client, super::make(&client));
        pass(&sim, 5.0);
        assert_eq!(counts(&client), (700, 700, 700), "cut after {cut} ms");
    }
}

#[test]
fn who_goes_first() {
    // Each pod goes before the ones after it.
    let pod = |name: &str, extra: serde_json::Value| {
        let mut pod = json!({
            "metadata": {"name": name, "uid": name, "creationTimestamp": "2023-11-14T22:00:00Z"},
            "spec": {"nodeName": "n1", "containers": []},
            "status": {"phase": "Running", "conditions": [
                {"type": "Ready", "status": "True", "lastTransitionTime": "2023-11-14T22:00:00Z"}]},
        });
        crate::api::patch::merge(pod.take(), extra)
    };
    let not_ready = json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}});
    let cheap = json!({"metadata": {"annotations": {
        "controller.kubernetes.io/pod-deletion-cost": "-5"}}});
    let fresh = json!({"spec": {"nodeName": "n2"}, "status": {"conditions": [{"type": "Ready",
        "status": "True", "lastTransitionTime": "2023-11-14T22:13:00Z"}]}});
    let restarted = json!({"spec": {"nodeName": "n3"}, "status": {"containerStatuses": [{"name": "c", "image": "",
        "imageID": "", "ready": true, "restartCount": 3}]}});
    let want =
        ["unassigned", "pending", "unready", "cheap", "doubled", "fresh", "restarted", "plain"];
    let pods: Vec<Rc<Pod>> = [
        pod("plain", json!({"spec": {"nodeName": "n4"}})),
        pod("restarted", restarted),
        pod("fresh", fresh),
        pod("doubled", json!({})),
        pod("cheap", cheap),
        pod("unready", not_ready),
        pod("pending", json!({"status": {"phase": "Pending"}})),
        pod("unassigned", json!({"spec": {"nodeName": null}})),
    ]
    .into_iter()
    .map(|v| Rc::new(crate::api::object::from_value(v).unwrap()))
    .collect();
    let now = crate::sim::Time::from_secs(1_700_000_000);
    let related = pods.clone();
    let order = ranking::first_to_go(pods, &related, now, 8);
    let names: Vec<_> = order.iter().map(|p| p.metadata.name.clone().unwrap()).collect();
    assert_eq!(names, want);
}

#[test]
fn a_thousand_pods_cost_linear_time() {
    let (sim, client) = cluster(5);
    let _running = framework::start(&client, super::make(&client));
    make::<ReplicaSet>(&client, web(1000));
    pass(&sim, 1.0);
    let pods = client.list::<Pod>(None);
    assert_eq!(pods.len(), 1000);
    let started = sim.steps();
    for pod in &pods {
        run(&client, pod, true);
        pass(&sim, 0.01);
    }
    pass(&sim, 0.1);
    assert_eq!(counts(&client), (1000, 1000, 1000));
    assert!(sim.steps() - started < 10 * 1000, "{} steps", sim.steps() - started);
}
