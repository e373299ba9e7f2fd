//! Deployments in virtual time, with the ReplicaSet controller and stand-in kubelets.

use std::time::Duration;

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;
use crate::controllers::{
    framework::{self, Running},
    replicaset,
    testing::{cluster, edit, events, kubelets, make as create, pass, run},
};
use crate::{client::Subscription, sim::Sim};

struct World {
    sim: Sim,
    client: Client,
    _parts: (Running, Running, Subscription),
}

fn world(seed: u64, ready_after: Option<u64>) -> World {
    let (sim, client) = cluster(seed);
    let parts = (
        framework::start(&client, super::make(&client)),
        framework::start(&client, replicaset::make(&client)),
        kubelets(&client, ready_after.map(Duration::from_secs)),
    );
    World { sim, client, _parts: parts }
}

fn web(replicas: i32, image: &str) -> Value {
    json!({
        "metadata": {"name": "web", "namespace": "default", "annotations": {"note": "mine"}},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
            "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600,
            "strategy": {"type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": image}]},
            },
        },
    })
}

impl World {
    fn deployment(&self) -> Rc<Deployment> {
        self.client.get("default", "web").unwrap()
    }

    fn edit(&self, change: impl FnOnce(&mut k8s_openapi::api::apps::v1::DeploymentSpec)) {
        edit::<Deployment>(&self.client, "default", "web", |d| {
            d.metadata.generation = d.metadata.generation.map(|g| g + 1);
            change(d.spec.get_or_insert_default());
        });
    }

    fn set_image(&self, image: &str) {
        self.edit(|spec| {
            let pod = spec.template.spec.get_or_insert_default();
            pod.containers[0].image = Some(image.into());
        });
    }

    /// Image, size, available, revision and history of each ReplicaSet, by revision.
    fn sets(&self) -> String {
        let mut sets = self.client.list::<ReplicaSet>(None);
        sets.sort_by_key(|s| revisions::revision(s));
        let line = |s: &Rc<ReplicaSet>| {
            let template = s.spec.as_ref().unwrap().template.as_ref().unwrap();
            let image = template.spec.as_ref().unwrap().containers[0].image.clone().unwrap();
            let history =
                crate::api::meta::annotation(&s.metadata, revisions::HISTORY).unwrap_or("-");
            format!(
                "{image} {}/{} r{} {history}\n",
                sets::available(s),
                sets::size(s),
                revisions::revision(s)
            )
        };
        sets.iter().map(line).collect()
    }

    fn conditions(&self) -> String {
        let d = self.deployment();
        let status = d.status.clone().unwrap_or_default();
        let line = |c: &k8s_openapi::api::apps::v1::DeploymentCondition| {
            format!("{} {} {}\n", c.type_, c.status, c.reason.clone().unwrap_or_default())
        };
        status.conditions.iter().flatten().map(line).collect()
    }

    fn told(&self, expect: Expect) {
        // The hash of a set's name says nothing here: the first is A, the next B.
        let mut known: Vec<String> = Vec::new();
        let mut out = String::new();
        for event in events(&self.client, "Deployment") {
            let words: Vec<String> = event
                .split(' ')
                .map(|word| match word.strip_prefix("web-") {
                    Some(hash) => {
                        let place = known.iter().position(|k| k == hash).unwrap_or_else(|| {
                            known.push(hash.to_string());
                            known.len() - 1
                        });
                        char::from(b'A' + place as u8).to_string()
                    }
                    None => word.to_string(),
                })
                .collect();
            out += &words.join(" ");
            out.push('\n');
        }
        expect.assert_eq(&out);
    }
}

#[test]
fn a_rollout_replaces_pods_one_by_one_and_tells_each_step() {
    let w = world(1, Some(1));
    create::<Deployment>(&w.client, web(3, "nginx:1.25"));
    pass(&w.sim, 5.0);
    assert_eq!(w.sets(), "nginx:1.25 3/3 r1 -\n");
    w.set_image("nginx:1.26");
    pass(&w.sim, 30.0);
    assert_eq!(w.sets(), "nginx:1.25 0/0 r1 -\nnginx:1.26 3/3 r2 -\n");
    assert_eq!(
        w.conditions(),
        "Available True MinimumReplicasAvailable\nProgressing True NewReplicaSetAvailable\n"
    );
    w.told(expect![[r#"
        ScalingReplicaSet Scaled up replica set A from 0 to 3
        ScalingReplicaSet Scaled up replica set B from 0 to 1
        ScalingReplicaSet Scaled down replica set A from 3 to 2
        ScalingReplicaSet Scaled up replica set B from 1 to 2
        ScalingReplicaSet Scaled down replica set A from 2 to 1
        ScalingReplicaSet Scaled up replica set B from 2 to 3
        ScalingReplicaSet Scaled down replica set A from 1 to 0
    "#]]);
    // Back again: the old set gets the next revision and remembers its former one.
    w.set_image("nginx:1.25");
    pass(&w.sim, 30.0);
    assert_eq!(w.sets(), "nginx:1.26 0/0 r2 -\nnginx:1.25 3/3 r3 1\n");
    let d = w.deployment();
    assert_eq!(crate::api::meta::annotation(&d.metadata, revisions::REVISION), Some("3"));
    let status = d.status.clone().unwrap();
    assert_eq!((status.replicas, status.updated_replicas), (Some(3), Some(3)));
    assert_eq!((status.unavailable_replicas, status.terminating_replicas), (None, Some(0)));
    let set = &w.client.list::<ReplicaSet>(None)[0];
    let name = set.metadata.name.clone().unwrap();
    let hash = name.strip_prefix("web-").unwrap();
    assert!((8..=10).contains(&hash.len()), "{name}");
    assert_eq!(set.metadata.labels.as_ref().unwrap()[sets::HASH_LABEL], hash);
}

#[test]
fn a_broken_rollout_keeps_the_old_pods_and_fails_at_its_deadline() {
    let w = world(2, None);
    create::<Deployment>(&w.client, web(4, "good"));
    pass(&w.sim, 1.0);
    for pod in w.client.list::<Pod>(None) {
        run(&w.client, &pod, true);
    }
    pass(&w.sim, 1.0);
    w.set_image("never");
    pass(&w.sim, 100.0);
    assert_eq!(w.sets(), "good 3/3 r1 -\nnever 0/2 r2 -\n");
    let progressing =
        "Available True MinimumReplicasAvailable\nProgressing True ReplicaSetUpdated\n";
    assert_eq!(w.conditions(), progressing);
    pass(&w.sim, 600.0);
    let failed =
        "Available True MinimumReplicasAvailable\nProgressing False ProgressDeadlineExceeded\n";
    assert_eq!(w.conditions(), failed);
    // A change of size now is shared out in proportion.
    w.edit(|spec| spec.replicas = Some(8));
    pass(&w.sim, 2.0);
    assert_eq!(w.sets(), "good 3/6 r1 -\nnever 0/4 r2 -\n");
}

#[test]
fn recreate_waits_for_the_old_pods_to_go() {
    let w = world(3, Some(1));
    let mut d = web(2, "a");
    d["spec"]["strategy"] = json!({"type": "Recreate"});
    d["spec"]["template"]["metadata"]["finalizers"] = json!(["example.com/slow-to-go"]);
    create::<Deployment>(&w.client, d);
    pass(&w.sim, 5.0);
    w.set_image("b");
    pass(&w.sim, 5.0);
    assert_eq!(w.sets(), "a 0/0 r1 -\n");
    for pod in w.client.list::<Pod>(None) {
        edit::<Pod>(&w.client, "default", pod.metadata.name.as_deref().unwrap(), |pod| {
            pod.metadata.finalizers = None;
        });
    }
    pass(&w.sim, 5.0);
    assert_eq!(w.sets(), "a 0/0 r1 -\nb 2/2 r2 -\n");
}

#[test]
fn a_paused_deployment_scales_but_does_not_roll() {
    let w = world(4, Some(1));
    create::<Deployment>(&w.client, web(1, "a"));
    pass(&w.sim, 5.0);
    w.edit(|spec| spec.paused = Some(true));
    w.set_image("b");
    pass(&w.sim, 5.0);
    w.edit(|spec| spec.replicas = Some(2));
    pass(&w.sim, 5.0);
    assert_eq!(w.sets(), "a 2/2 r1 -\n");
    assert_eq!(
        w.conditions(),
        "Progressing Unknown DeploymentPaused\nAvailable True MinimumReplicasAvailable\n"
    );
    w.edit(|spec| spec.paused = None);
    pass(&w.sim, 15.0);
    assert_eq!(w.sets(), "a 0/0 r1 -\nb 2/2 r2 -\n");
}

#[test]
fn old_revisions_go_beyond_the_limit() {
    let w = world(5, Some(1));
    let mut d = web(1, "i0");
    d["spec"]["revisionHistoryLimit"] = json!(2);
    create::<Deployment>(&w.client, d);
    for n in 1..6 {
        pass(&w.sim, 10.0);
        w.set_image(&format!("i{n}"));
    }
    pass(&w.sim, 10.0);
    assert_eq!(w.sets(), "i3 0/0 r4 -\ni4 0/0 r5 -\ni5 1/1 r6 -\n");
}

#[test]
fn whatever_happens_when_it_settles_in_the_end_and_never_lacks_too_many() {
    for seed in 0..15 {
        let w = world(100 + seed, Some(1));
        create::<Deployment>(&w.client, web(8, "i0"));
        pass(&w.sim, 10.0);
        let mut wanted = 8;
        for step in 0..12 {
            match w.sim.random(4) {
                0 => {
                    wanted = w.sim.random(12) as i32 + 1;
                    w.edit(|spec| spec.replicas = Some(wanted));
                }
                1 => w.set_image(&format!("i{}", w.sim.random(4))),
                2 => {
                    let pods = w.client.list::<Pod>(None);
                    let pod = &pods[w.sim.random(pods.len() as u64) as usize];
                    let name = pod.metadata.name.clone().unwrap();
                    let _ = w.client.delete::<Pod>("default", &name, &Default::default());
                }
                _ => {}
            }
            pass(&w.sim, w.sim.random(3000) as f64 / 1000.0);
            let pods = w.client.list::<Pod>(None);
            let most = 12 + 3 + 12; // scaled down pods linger for a second
            assert!(pods.len() <= most, "seed {seed} step {step}: {} pods", pods.len());
        }
        pass(&w.sim, 60.0);
        let status = w.deployment().status.clone().unwrap();
        assert_eq!(status.available_replicas, Some(wanted), "seed {seed}");
        assert_eq!(status.updated_replicas, Some(wanted), "seed {seed}");
        assert_eq!(w.client.count::<Pod>(), wanted as usize, "seed {seed}");
    }
}
