//! StatefulSets in virtual time.

use std::time::Duration;

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use serde_json::{Value, json};

use super::*;
use crate::{
    client::Subscription,
    controllers::{
        framework::{self, Running},
        testing::{cluster, edit, events, kubelets, make, pass},
    },
    sim::Sim,
};

fn db(replicas: i32, extra: Value) -> Value {
    let spec = json!({
        "replicas": replicas, "serviceName": "db", "selector": {"matchLabels": {"app": "db"}},
        "template": {
            "metadata": {"labels": {"app": "db"}},
            "spec": {"containers": [{"name": "c", "image": "redis:7"}]},
        },
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}],
    });
    let spec = crate::api::patch::merge(spec, extra);
    json!({"metadata": {"name": "db", "namespace": "default"}, "spec": spec})
}

fn world(set: Value) -> (Sim, Client, (Subscription, Running)) {
    let (sim, client) = cluster(1);
    let kubelets = kubelets(&client, Some(Duration::from_secs(2)));
    let running = framework::start(&client, super::make(&client));
    make::<StatefulSet>(&client, set);
    (sim, client, (kubelets, running))
}

fn names<T: Typed>(client: &Client) -> Vec<String> {
    let all = client.list::<T>(None);
    all.iter().map(|o| (&**o as &dyn Object).name().to_string()).collect()
}

fn images(client: &Client) -> Vec<String> {
    let pods = client.list::<Pod>(None);
    let image = |p: &Rc<Pod>| p.spec.as_ref()?.containers.first()?.image.clone();
    pods.iter().map(|p| image(p).unwrap_or_default()).collect()
}

fn set_image(client: &Client, image: &str) {
    edit::<StatefulSet>(client, "default", "db", |set| {
        let template = &mut set.spec.get_or_insert_default().template;
        template.spec.get_or_insert_default().containers[0].image = Some(image.into());
    });
}

fn status(client: &Client) -> StatefulSetStatus {
    client.get::<StatefulSet>("default", "db").unwrap().status.clone().unwrap()
}

#[test]
fn pods_come_one_after_the_other_with_claims_of_their_own_and_go_from_the_end() {
    let (sim, client, _running) = world(db(3, json!({})));
    pass(&sim, 1.0);
    assert_eq!(names::<Pod>(&client), ["db-0"]);
    pass(&sim, 2.5);
    assert_eq!(names::<Pod>(&client), ["db-0", "db-1"]);
    pass(&sim, 6.0);
    assert_eq!(status(&client).ready_replicas, Some(3));
    let claims = ["data-db-0", "data-db-1", "data-db-2"];
    assert_eq!(names::<PersistentVolumeClaim>(&client), claims);
    let pod = client.get::<Pod>("default", "db-1").unwrap();
    let spec = pod.spec.as_ref().unwrap();
    assert_eq!(spec.hostname.as_deref(), Some("db-1"));
    assert_eq!(crate::api::volumes::claims(&pod), ["data-db-1"]);
    edit::<StatefulSet>(&client, "default", "db", |set| {
        set.spec.get_or_insert_default().replicas = Some(1);
    });
    pass(&sim, 3.0);
    assert_eq!(names::<Pod>(&client), ["db-0"]);
    assert_eq!(names::<PersistentVolumeClaim>(&client), claims);
    let told = events(&client, "StatefulSet");
    for want in [
        "SuccessfulCreate Create Claim data-db-0 Pod db-0 in StatefulSet db success",
        "SuccessfulCreate Create Pod db-0 in StatefulSet db successful",
        "SuccessfulDelete Delete Pod db-2 in StatefulSet db successful",
    ] {
        assert!(told.iter().any(|e| e == want), "{want}: {told:#?}");
    }
}

#[test]
fn an_update_goes_backwards_and_stops_at_the_partition() {
    let strategy = json!({"updateStrategy": {"rollingUpdate": {"partition": 1}}});
    let (sim, client, _running) = world(db(3, strategy));
    pass(&sim, 10.0);
    set_image(&client, "redis:8");
    pass(&sim, 1.5);
    assert_eq!(images(&client), ["redis:7", "redis:7", "redis:8"]);
    pass(&sim, 10.0);
    assert_eq!(images(&client), ["redis:7", "redis:8", "redis:8"]);
    let mid = status(&client);
    assert_ne!(mid.current_revision, mid.update_revision);
    assert_eq!((mid.current_replicas, mid.updated_replicas), (Some(1), Some(2)));
    // A pod below the partition comes back as it was.
    client.delete::<Pod>("default", "db-0", &DeleteOptions::default()).unwrap();
    pass(&sim, 5.0);
    assert_eq!(images(&client), ["redis:7", "redis:8", "redis:8"]);
    edit::<StatefulSet>(&client, "default", "db", |set| {
        let strategy = set.spec.get_or_insert_default().update_strategy.get_or_insert_default();
        strategy.rolling_update.get_or_insert_default().partition = Some(0);
    });
    pass(&sim, 10.0);
    assert_eq!(images(&client), ["redis:8"; 3]);
    let end = status(&client);
    assert_eq!(end.current_revision, end.update_revision);
}

#[test]
fn on_delete_waits_for_somebody_to_delete() {
    let strategy = json!({"updateStrategy": {"type": "OnDelete"}});
    let (sim, client, _running) = world(db(2, strategy));
    pass(&sim, 10.0);
    set_image(&client, "redis:8");
    pass(&sim, 10.0);
    assert_eq!(images(&client), ["redis:7", "redis:7"]);
    client.delete::<Pod>("default", "db-0", &DeleteOptions::default()).unwrap();
    pass(&sim, 5.0);
    assert_eq!(images(&client), ["redis:8", "redis:7"]);
}

#[test]
fn in_parallel_all_come_at_once_and_a_restart_settles() {
    let (sim, client, running) =
        world(db(40, json!({"podManagementPolicy": "Parallel", "ordinals": {"start": 5}})));
    pass(&sim, 0.1);
    drop(running);
    let _kubelets = kubelets(&client, Some(Duration::from_secs(2)));
    pass(&sim, 0.1);
    let _second = framework::start(&client, super::make(&client));
    pass(&sim, 10.0);
    assert_eq!(status(&client).replicas, 40);
    assert!(client.find::<Pod>("default", "db-44").is_some());
    assert!(client.find::<Pod>("default", "db-4").is_none());
}

#[test]
fn claims_go_as_the_retention_policy_says() {
    let retention = json!({"persistentVolumeClaimRetentionPolicy":
        {"whenScaled": "Delete", "whenDeleted": "Retain"}});
    let (sim, client, _running) = world(db(2, retention));
    pass(&sim, 8.0);
    let owners = |name: &str| {
        let claim = client.get::<PersistentVolumeClaim>("default", name).unwrap();
        let owners = claim.metadata.owner_references.clone().unwrap_or_default();
        owners.iter().map(|o| o.kind.clone()).collect::<Vec<_>>()
    };
    assert!(owners("data-db-1").is_empty());
    edit::<StatefulSet>(&client, "default", "db", |set| {
        set.spec.get_or_insert_default().replicas = Some(1);
    });
    pass(&sim, 0.5);
    assert_eq!(owners("data-db-1"), ["Pod"]);
    assert!(owners("data-db-0").is_empty());
}
