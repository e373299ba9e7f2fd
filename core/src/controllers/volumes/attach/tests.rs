//! Attaching and detaching in virtual time; the test is the driver and the kubelets.

use serde_json::json;

use super::*;
use crate::{
    controllers::{
        framework::{self, Running},
        testing::{self, cluster, edit, events, make, pass, set_status},
    },
    sim::Sim,
};

const UNIQUE: &str = "kubernetes.io/csi/disk.example.com^h1";

fn world() -> (Sim, Client, Running) {
    let (sim, client) = cluster(1);
    for name in ["n1", "n2"] {
        testing::node(&client, name, "4", "8Gi");
    }
    make::<PersistentVolume>(
        &client,
        json!({"metadata": {"name": "v1"}, "spec": {"capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"], "csi": {"driver": "disk.example.com",
            "volumeHandle": "h1"}, "claimRef": {"namespace": "default", "name": "data"}}}),
    );
    let claim = make::<PersistentVolumeClaim>(
        &client,
        json!({"metadata": {"name": "data", "namespace": "default"}, "spec": {"volumeName": "v1",
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}),
    );
    set_status(&client, &*claim, |c| {
        c.status.get_or_insert_default().phase = Some("Bound".into());
    });
    let running = framework::start(&client, super::make(&client));
    (sim, client, running)
}

fn pod(client: &Client, name: &str, node: &str) -> Rc<Pod> {
    make::<Pod>(
        client,
        json!({"metadata": {"name": name, "namespace": "default"}, "spec": {"nodeName": node,
            "containers": [{"name": "c", "image": "i"}], "volumes": [{"name": "d",
            "persistentVolumeClaim": {"claimName": "data"}}]}}),
    )
}

/// The nodes to which the volume is attached or is to be.
fn attachments(client: &Client) -> Vec<(String, bool)> {
    let all = client.list::<VolumeAttachment>(None);
    let of = |a: &Rc<VolumeAttachment>| {
        (a.spec.node_name.clone(), a.status.as_ref().is_some_and(|s| s.attached))
    };
    all.iter().map(of).collect()
}

fn attached(client: &Client) {
    for a in client.list::<VolumeAttachment>(None) {
        set_status(client, &*a, |a| a.status.get_or_insert_default().attached = true);
    }
}

fn mounted(client: &Client, name: &str, is: bool) {
    let node = client.get::<Node>("", name).unwrap();
    set_status(client, &*node, |n| {
        n.status.get_or_insert_default().volumes_in_use = is.then(|| vec![UNIQUE.to_string()]);
    });
}

fn gone(client: &Client, name: &str) {
    let options = DeleteOptions { grace_seconds: Some(0), ..Default::default() };
    client.delete::<Pod>("default", name, &options).unwrap();
}

#[test]
fn a_volume_follows_its_pod_when_the_old_node_has_let_go() {
    let (sim, client, _running) = world();
    pod(&client, "a", "n1");
    pass(&sim, 1.0);
    assert_eq!(attachments(&client), [("n1".into(), false)]);
    attached(&client);
    pass(&sim, 1.0);
    let node = client.get::<Node>("", "n1").unwrap();
    let told = node.status.clone().unwrap().volumes_attached.unwrap();
    assert_eq!(told[0].name, UNIQUE);
    mounted(&client, "n1", true);
    pod(&client, "b", "n2");
    pass(&sim, 1.0);
    assert_eq!(attachments(&client), [("n1".into(), true)]);
    gone(&client, "a");
    pass(&sim, 600.0);
    assert_eq!(attachments(&client), [("n1".into(), true)], "it is still mounted there");
    mounted(&client, "n1", false);
    pass(&sim, 1.0);
    assert_eq!(attachments(&client), [("n2".into(), false)]);
    assert_eq!(
        events(&client, "Pod"),
        [
            "SuccessfulAttachVolume AttachVolume.Attach succeeded for volume \"v1\" ",
            "FailedAttachVolume Multi-Attach error for volume \"v1\" Volume is already \
             used by pod(s) a",
        ]
    );
}

#[test]
fn a_node_that_does_not_answer_loses_its_volumes_after_six_minutes_or_when_given_up() {
    for given_up in [false, true] {
        let (sim, client, _running) = world();
        pod(&client, "a", "n1");
        pass(&sim, 1.0);
        attached(&client);
        mounted(&client, "n1", true);
        let node = client.get::<Node>("", "n1").unwrap();
        set_status(&client, &*node, |n| {
            let conditions = n.status.as_mut().unwrap().conditions.as_mut().unwrap();
            conditions[0].status = "Unknown".into();
        });
        gone(&client, "a");
        if given_up {
            edit::<Node>(&client, "", "n1", |n| {
                let taint = json!([{"key": "node.kubernetes.io/out-of-service",
                    "effect": "NoExecute"}]);
                let taints = crate::api::object::from_value::<Node>(
                    json!({"metadata": {"name": "x"}, "spec": {"taints": taint}}),
                );
                n.spec.get_or_insert_default().taints = taints.unwrap().spec.unwrap().taints;
            });
        }
        pass(&sim, 355.0);
        assert_eq!(attachments(&client).is_empty(), given_up);
        pass(&sim, 10.0);
        assert!(attachments(&client).is_empty());
    }
}

#[test]
fn a_driver_that_says_nothing_is_told_of() {
    let (sim, client, _running) = world();
    pod(&client, "a", "n1");
    pass(&sim, 121.0);
    assert_eq!(
        events(&client, "Pod"),
        ["FailedAttachVolume AttachVolume.Attach failed for volume \"v1\" : timed out \
          waiting for external-attacher of disk.example.com CSI driver to attach volume h1"]
    );
    gone(&client, "a");
    pass(&sim, 1.0);
    assert!(attachments(&client).is_empty());
}
