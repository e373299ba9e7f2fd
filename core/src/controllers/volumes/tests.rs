//! Claims and volumes in virtual time.

use serde_json::{Value, json};

use super::*;
use crate::{
    client::DeleteOptions,
    controllers::{
        framework::{self, Running},
        testing::{cluster, edit, events, make, pass},
    },
    sim::Sim,
};

fn world() -> (Sim, Client, Vec<Running>) {
    let (sim, client) = cluster(1);
    let makers: [fn(&Client) -> Box<dyn Controller>; 3] =
        [super::make, protection::make_claims, protection::make_volumes];
    let running = makers.iter().map(|make| framework::start(&client, make(&client))).collect();
    (sim, client, running)
}

fn volume(name: &str, size: &str, extra: Value) -> Value {
    let spec = json!({"capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"],
        "storageClassName": "manual", "hostPath": {"path": "/mnt"}});
    json!({"metadata": {"name": name}, "spec": crate::api::patch::merge(spec, extra)})
}

fn claim(name: &str, size: &str, extra: Value) -> Value {
    let spec = json!({"accessModes": ["ReadWriteOnce"], "storageClassName": "manual",
        "resources": {"requests": {"storage": size}}});
    let spec = crate::api::patch::merge(spec, extra);
    json!({"metadata": {"name": name, "namespace": "default"}, "spec": spec})
}

fn got(client: &Client, name: &str) -> (String, String) {
    let claim = client.get::<PersistentVolumeClaim>("default", name).unwrap();
    (volumes::claim_phase(&claim).to_string(), volume_name(&claim).to_string())
}

fn phase(client: &Client, name: &str) -> String {
    volume_phase(&client.get::<PersistentVolume>("", name).unwrap()).to_string()
}

#[test]
fn a_claim_gets_the_smallest_volume_that_suits_and_leaves_it_released() {
    let (sim, client, _running) = world();
    for (name, size) in [("large", "9Gi"), ("small", "2Gi"), ("tiny", "500Mi")] {
        make::<PersistentVolume>(&client, volume(name, size, json!({})));
    }
    make::<PersistentVolumeClaim>(&client, claim("data", "1Gi", json!({})));
    make::<PersistentVolumeClaim>(&client, claim("huge", "1Ti", json!({})));
    pass(&sim, 2.0);
    assert_eq!(got(&client, "data"), ("Bound".into(), "small".into()));
    assert_eq!(got(&client, "huge"), ("Pending".into(), String::new()));
    assert_eq!(phase(&client, "large"), "Available");
    client.delete::<PersistentVolumeClaim>("default", "data", &DeleteOptions::default()).unwrap();
    pass(&sim, 2.0);
    assert_eq!(phase(&client, "small"), "Released");
    // A volume that is larger than need be comes later, and is taken then.
    make::<PersistentVolume>(&client, volume("vast", "2Ti", json!({})));
    pass(&sim, 2.0);
    assert_eq!(got(&client, "huge"), ("Bound".into(), "vast".into()));
}

#[test]
fn what_is_in_use_stays_until_it_is_not() {
    let (sim, client, _running) = world();
    make::<PersistentVolume>(&client, volume("disk", "1Gi", json!({})));
    make::<PersistentVolumeClaim>(&client, claim("data", "1Gi", json!({})));
    make::<Pod>(
        &client,
        json!({"metadata": {"name": "p", "namespace": "default"},
            "spec": {"nodeName": "n", "containers": [{"name": "c", "image": "i"}], "volumes": [
                {"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]}}),
    );
    pass(&sim, 1.0);
    let gone = DeleteOptions::default();
    client.delete::<PersistentVolume>("", "disk", &gone).unwrap();
    client.delete::<PersistentVolumeClaim>("default", "data", &gone).unwrap();
    pass(&sim, 1.0);
    assert_eq!(
        (client.count::<PersistentVolume>(), client.count::<PersistentVolumeClaim>()),
        (1, 1)
    );
    let now = DeleteOptions { grace_seconds: Some(0), ..Default::default() };
    client.delete::<Pod>("default", "p", &now).unwrap();
    pass(&sim, 1.0);
    assert_eq!(
        (client.count::<PersistentVolume>(), client.count::<PersistentVolumeClaim>()),
        (0, 0)
    );
}

#[test]
fn claims_say_what_they_wait_for() {
    let (sim, client, _running) = world();
    for (class, mode) in [("later", "WaitForFirstConsumer"), ("now", "Immediate")] {
        make::<StorageClass>(
            &client,
            json!({"metadata": {"name": class}, "provisioner": "example.com/disks",
                "volumeBindingMode": mode}),
        );
    }
    for (name, class) in
        [("a", json!("missing")), ("b", json!("later")), ("c", json!("now")), ("d", json!(""))]
    {
        let value = claim(name, "1Gi", json!({"storageClassName": class}));
        make::<PersistentVolumeClaim>(&client, value);
    }
    pass(&sim, 1.0);
    let told = events(&client, "PersistentVolumeClaim");
    for want in [
        "ProvisioningFailed storageclass.storage.k8s.io \"missing\" not found",
        "WaitForFirstConsumer waiting for first consumer to be created before binding",
        "ExternalProvisioning Waiting for a volume to be created",
        "FailedBinding no persistent volumes available for this claim and no storage class is set",
    ] {
        assert!(told.iter().any(|e| e.starts_with(want)), "{want}: {told:#?}");
    }
    let c = client.get::<PersistentVolumeClaim>("default", "c").unwrap();
    assert_eq!(annotation(&c.metadata, volumes::PROVISIONER), Some("example.com/disks"));
    // Whoever makes the volume names the claim; the binder does the rest.
    let uid = c.metadata.uid.clone();
    make::<PersistentVolume>(
        &client,
        volume(
            "made",
            "1Gi",
            json!({"storageClassName": "now", "claimRef": {"kind":
            "PersistentVolumeClaim", "namespace": "default", "name": "c", "uid": uid}}),
        ),
    );
    pass(&sim, 1.0);
    assert_eq!(got(&client, "c"), ("Bound".into(), "made".into()));
    edit::<PersistentVolumeClaim>(&client, "default", "b", |b| {
        annotate(b, volumes::SELECTED_NODE, "n");
    });
    pass(&sim, 1.0);
    let b = client.get::<PersistentVolumeClaim>("default", "b").unwrap();
    assert!(has(&*b, volumes::PROVISIONER));
}
