//! DaemonSets in virtual time, with the scheduler and stand-in kubelets.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::{
    client::Subscription,
    controllers::{
        framework::{self, Running},
        testing::{cluster, edit, events, kubelets, make as create, node, pass},
    },
    scheduler::Scheduler,
    sim::Sim,
};

struct World {
    sim: Sim,
    client: Client,
    _parts: (Running, Scheduler, Subscription),
}

fn world(nodes: usize) -> World {
    let (sim, client) = cluster(1);
    for i in 1..=nodes {
        node(&client, &format!("n{i}"), "4", "8Gi");
    }
    let parts = (
        framework::start(&client, super::make(&client)),
        Scheduler::start(&client),
        kubelets(&client, Some(Duration::from_secs(1))),
    );
    World { sim, client, _parts: parts }
}

fn agent(extra: Value) -> Value {
    let ds = json!({
        "metadata": {"name": "agent", "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": {"app": "agent"}},
            "template": {
                "metadata": {"labels": {"app": "agent"}},
                "spec": {"containers": [{"name": "c", "image": "fluentd:1"}]},
            },
        },
    });
    crate::api::patch::merge(ds, extra)
}

impl World {
    /// Node and image of each pod that is not going.
    fn pods(&self) -> Vec<String> {
        let pods = self.client.list::<Pod>(None);
        let alive = pods.iter().filter(|p| !is_deleting(&p.metadata));
        let mut lines: Vec<_> = alive
            .map(|p| {
                let image = p.spec.as_ref().unwrap().containers[0].image.clone().unwrap();
                format!("{} {image}", pods::node_name(p))
            })
            .collect();
        lines.sort();
        lines
    }

    fn status(&self) -> (i32, i32, i32, i32) {
        let status = self.client.get::<DaemonSet>("default", "agent").unwrap().status.clone();
        let s = status.unwrap();
        (
            s.desired_number_scheduled,
            s.current_number_scheduled,
            s.number_available.unwrap_or(0),
            s.updated_number_scheduled.unwrap_or(0),
        )
    }

    fn set_image(&self, image: &str) {
        edit::<DaemonSet>(&self.client, "default", "agent", |ds| {
            let template = &mut ds.spec.get_or_insert_default().template;
            template.spec.get_or_insert_default().containers[0].image = Some(image.into());
        });
    }
}

#[test]
fn every_node_that_is_chosen_has_one_pod() {
    let w = world(3);
    let selector = json!({"spec": {"template": {"spec": {"nodeSelector": {"logging": "on"}}}}});
    create::<DaemonSet>(&w.client, agent(selector));
    pass(&w.sim, 1.0);
    assert_eq!(w.status(), (0, 0, 0, 0));
    let label = |node: &str, on: bool| {
        edit::<Node>(&w.client, "", node, |n| {
            let labels = n.metadata.labels.get_or_insert_default();
            labels.remove("logging");
            if on {
                labels.insert("logging".into(), "on".into());
            }
        });
    };
    ["n1", "n2", "n3"].iter().for_each(|n| label(n, true));
    pass(&w.sim, 5.0);
    assert_eq!(w.pods(), ["n1 fluentd:1", "n2 fluentd:1", "n3 fluentd:1"]);
    assert_eq!(w.status(), (3, 3, 3, 3));
    label("n1", false);
    pass(&w.sim, 5.0);
    assert_eq!(w.pods(), ["n2 fluentd:1", "n3 fluentd:1"]);
    let pod = w.client.list::<Pod>(None)[0].clone();
    let keys: Vec<_> = pod.spec.as_ref().unwrap().tolerations.iter().flatten().collect();
    assert_eq!(keys.len(), 6);
    assert_eq!(label_of(&pod, GENERATION_LABEL), "1");
    let told = events(&w.client, "DaemonSet");
    assert_eq!(
        told.iter().filter(|e| e.starts_with("SuccessfulCreate Created pod: agent-")).count(),
        3
    );
}

fn label_of(pod: &Pod, key: &str) -> String {
    label(&pod.metadata, key).unwrap_or_default().to_string()
}

#[test]
fn a_new_node_and_a_cordoned_one_get_theirs_a_tainted_one_does_not() {
    let w = world(1);
    create::<DaemonSet>(&w.client, agent(json!({})));
    pass(&w.sim, 5.0);
    node(&w.client, "n2", "4", "8Gi");
    for (name, taint) in [
        ("n3", json!({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"})),
        ("n4", json!({"key": "mine", "effect": "NoSchedule"})),
    ] {
        node(&w.client, name, "0", "0");
        edit::<Node>(&w.client, "", name, |n| {
            let taint = crate::api::object::from_value(taint).unwrap();
            n.spec.get_or_insert_default().taints = Some(vec![taint]);
        });
        let n = w.client.get::<Node>("", name).unwrap();
        crate::controllers::testing::set_status::<Node>(&w.client, &n, |n| {
            let room = json!({"cpu": "4", "memory": "8Gi", "pods": "110"});
            n.status.get_or_insert_default().allocatable =
                crate::api::object::from_value(room).unwrap();
        });
    }
    pass(&w.sim, 5.0);
    assert_eq!(w.pods(), ["n1 fluentd:1", "n2 fluentd:1", "n3 fluentd:1"]);
}

#[test]
fn an_update_goes_node_by_node_and_leaves_its_history() {
    let w = world(4);
    create::<DaemonSet>(&w.client, agent(json!({})));
    pass(&w.sim, 5.0);
    w.set_image("fluentd:2");
    let mut fewest = 4;
    for _ in 0..200 {
        pass(&w.sim, 0.1);
        fewest = fewest.min(w.pods().len());
    }
    assert_eq!(fewest, 3);
    assert!(w.pods().iter().all(|p| p.ends_with("fluentd:2")), "{:?}", w.pods());
    assert_eq!(w.status(), (4, 4, 4, 4));
    w.set_image("fluentd:1");
    pass(&w.sim, 30.0);
    let revisions = w.client.list::<ControllerRevision>(None);
    let mut numbers: Vec<_> = revisions.iter().map(|r| r.revision).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [2, 3], "the first revision became the third");
}

#[test]
fn with_surge_the_new_pod_comes_before_the_old_one_goes() {
    let w = world(3);
    let surge = json!({"spec": {"updateStrategy": {"type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}}});
    create::<DaemonSet>(&w.client, agent(surge));
    pass(&w.sim, 5.0);
    w.set_image("fluentd:2");
    for _ in 0..200 {
        pass(&w.sim, 0.1);
        assert!((3..=4).contains(&w.pods().len()), "{:?}", w.pods());
    }
    assert_eq!(w.pods(), ["n1 fluentd:2", "n2 fluentd:2", "n3 fluentd:2"]);
}

#[test]
fn a_pod_that_is_deleted_or_fails_is_replaced() {
    let w = world(2);
    create::<DaemonSet>(&w.client, agent(json!({})));
    pass(&w.sim, 5.0);
    let pods = w.client.list::<Pod>(None);
    crate::controllers::testing::set_status::<Pod>(&w.client, &pods[0], |p| {
        p.status.get_or_insert_default().phase = Some("Failed".into());
    });
    let name = pods[1].metadata.name.clone().unwrap();
    w.client.delete::<Pod>("default", &name, &DeleteOptions::default()).unwrap();
    pass(&w.sim, 10.0);
    assert_eq!(w.status(), (2, 2, 2, 2));
    assert!(
        events(&w.client, "DaemonSet")
            .iter()
            .any(|e| e.starts_with("FailedDaemonPod Found failed"))
    );
}
