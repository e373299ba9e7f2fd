//! Scheduling in virtual time, without kubelets.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use k8s_openapi::api::scheduling::v1::PriorityClass;
use serde_json::{Value, json};

use super::*;
use crate::{
    api::patch::merge,
    client::DeleteOptions,
    controllers::testing::{cluster, edit, events, make, node, pass},
    sim::Sim,
};

struct World {
    sim: Sim,
    client: Client,
    scheduler: Scheduler,
}

/// Three nodes of 4 cores and 8 GiB.
fn world(seed: u64) -> World {
    let (sim, client) = cluster(seed);
    for name in ["n1", "n2", "n3"] {
        node(&client, name, "4", "8Gi");
    }
    for value in [0, 1, 2, 50, 100] {
        let policy = if value == 50 { "Never" } else { "PreemptLowerPriority" };
        make::<PriorityClass>(
            &client,
            json!({"metadata": {"name": format!("p{value}")},
            "value": value, "preemptionPolicy": policy}),
        );
    }
    let scheduler = Scheduler::start(&client);
    World { sim, client, scheduler }
}

fn pod(name: &str, extra: Value) -> Value {
    let pod = json!({
        "metadata": {"name": name, "namespace": "default", "labels": {"app": name}},
        "spec": {"containers": [{"name": "c", "image": "nginx"}]},
    });
    merge(pod, extra)
}

fn asks(cpu: &str) -> Value {
    json!([{"name": "c", "image": "nginx", "resources": {"requests": {"cpu": cpu}}}])
}

impl World {
    fn create(&self, pod: Value) {
        make::<Pod>(&self.client, pod);
        pass(&self.sim, 0.1);
    }

    fn node_of(&self, pod: &str) -> String {
        let pod = self.client.find::<Pod>("default", pod);
        pod.map_or("gone".into(), |p| pods::node_name(&p).to_string())
    }

    fn message(&self, name: &str) -> String {
        let pod = self.client.get::<Pod>("default", name).unwrap();
        let condition = pods::condition(&pod, "PodScheduled");
        condition.and_then(|c| c.message.clone()).unwrap_or_default()
    }

    fn label(&self, node: &str, key: &str, value: &str) {
        edit::<Node>(&self.client, "", node, |n| {
            let labels = n.metadata.labels.get_or_insert_default();
            labels.insert(key.into(), value.into());
        });
    }
}

/// As if the pod had gone at once.
fn remove(client: &Client, pod: &str) {
    let options = DeleteOptions { grace_seconds: Some(0), ..Default::default() };
    let _ = client.delete::<Pod>("default", pod, &options);
}

fn near(app: &str, key: &str) -> Value {
    json!([{"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": key}])
}

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";

#[test]
fn a_pod_that_fits_nowhere_is_told_why() {
    let taint = json!({"spec": {"taints": [{"key": "k", "value": "v", "effect": "NoSchedule"}]}});
    let not_helpful = "no new claims to deallocate, preemption: 0/3 nodes are available: \
                       3 Preemption is not helpful for scheduling.";
    let no_victims = "no new claims to deallocate, preemption: 0/3 nodes are available: \
                      3 No preemption victims found for incoming pod.";
    let cases: Vec<(Value, Value, &str, &str)> = vec![
        (
            json!({}),
            json!({"spec": {"nodeSelector": {"disk": "ssd"}}}),
            "3 node(s) didn't match Pod's node affinity/selector",
            not_helpful,
        ),
        (
            json!({}),
            json!({"spec": {"affinity": {"podAffinity": {REQUIRED: near("x", "kubernetes.io/hostname")}}}}),
            "3 node(s) didn't match pod affinity rules",
            not_helpful,
        ),
        (
            json!({}),
            json!({"spec": {"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone",
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchLabels": {"app": "p"}}}]}}),
            "3 node(s) didn't match pod topology spread constraints (missing required label)",
            not_helpful,
        ),
        (taint, json!({}), "3 node(s) had untolerated taint(s)", not_helpful),
        (
            json!({"spec": {"unschedulable": true}}),
            json!({}),
            "3 node(s) were unschedulable",
            not_helpful,
        ),
        (json!({}), json!({"spec": {"containers": asks("5")}}), "3 Insufficient cpu", not_helpful),
        (
            json!({}),
            json!({"spec": {"containers": [{"name": "c", "image": "i",
                "ports": [{"containerPort": 80, "hostPort": 80}]}]}}),
            "3 node(s) didn't have free ports for the requested pod ports",
            no_victims,
        ),
    ];
    for (change, wants, reason, suffix) in cases {
        let w = world(1);
        for name in ["n1", "n2", "n3"] {
            let old = w.client.get::<Node>("", name).unwrap();
            let new = merge((&*old as &dyn Object).to_value(), change.clone());
            w.client.update(crate::api::object::from_value::<Node>(new).unwrap()).unwrap();
            let busy = json!({"metadata": {"name": format!("busy-{name}"), "namespace": "default"},
                "spec": {"nodeName": name, "containers": [{"name": "c", "image": "i",
                    "ports": [{"containerPort": 80, "hostPort": 80}]}]}});
            make::<Pod>(&w.client, busy);
        }
        pass(&w.sim, 0.1);
        w.create(pod("p", wants.clone()));
        let want = format!("0/3 nodes are available: {reason}. {suffix}");
        assert_eq!(w.message("p"), want, "{wants}");
        let told = events(&w.client, "Pod");
        assert_eq!(told, [format!("FailedScheduling {want}")]);
        assert!(w.scheduler.decision("default", "p").unwrap().node.is_none());
    }
}

#[test]
fn what_changes_makes_waiting_pods_schedulable() {
    // The scenario scheduling-affinity, and what else a waiting pod may wait for.
    let w = world(2);
    w.create(pod("wants-ssd", json!({"spec": {"nodeSelector": {"disk": "ssd"}}})));
    w.create(pod(
        "near",
        json!({"spec": {"affinity": {"podAffinity": {
        REQUIRED: near("friend", "kubernetes.io/hostname")}}}}),
    ));
    w.create(pod(
        "spread",
        json!({"spec": {"topologySpreadConstraints": [{"maxSkew": 1,
        "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "spread"}}}]}}),
    ));
    w.create(pod("gated", json!({"spec": {"schedulingGates": [{"name": "wait"}]}})));
    w.create(pod("other", json!({"spec": {"schedulerName": "mine"}})));
    pass(&w.sim, 20.0);
    for name in ["wants-ssd", "near", "spread", "gated", "other"] {
        assert_eq!(w.node_of(name), "", "{name}");
    }
    w.label("n2", "disk", "ssd");
    w.label("n2", "zone", "a");
    pass(&w.sim, 1.0);
    assert_eq!((w.node_of("wants-ssd"), w.node_of("spread")), ("n2".into(), "n2".into()));
    edit::<Pod>(&w.client, "default", "spread", |p| {
        p.metadata.labels = Some([("app".to_string(), "friend".to_string())].into());
    });
    edit::<Pod>(&w.client, "default", "gated", |p| {
        p.spec.get_or_insert_default().scheduling_gates = None;
    });
    pass(&w.sim, 1.0);
    assert_eq!(w.node_of("near"), "n2");
    assert_ne!(w.node_of("gated"), "");
    assert_eq!(w.node_of("other"), "");
}

#[test]
fn pods_that_shun_each_other_go_apart_and_the_last_finds_no_place() {
    let w = world(3);
    for i in 0..4 {
        let apart = json!({"metadata": {"labels": {"app": "apart"}}, "spec": {"affinity": {
            "podAntiAffinity": {REQUIRED: near("apart", "kubernetes.io/hostname")}}}});
        w.create(pod(&format!("p{i}"), apart));
    }
    let mut nodes: Vec<_> = (0..4).map(|i| w.node_of(&format!("p{i}"))).collect();
    nodes.sort();
    assert_eq!(nodes, ["", "n1", "n2", "n3"]);
    assert_eq!(
        w.message("p3"),
        "0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules. no new claims \
         to deallocate, preemption: 0/3 nodes are available: 3 No preemption victims found for \
         incoming pod."
    );
    // An innocent pod that they shun has no place either.
    w.create(pod("q", json!({"metadata": {"labels": {"app": "apart"}}})));
    assert!(w.message("q").contains("3 node(s) didn't satisfy existing pods anti-affinity rules"));
    remove(&w.client, "p0");
    pass(&w.sim, 1.0);
    assert_ne!(w.node_of("p3"), "");
}

#[test]
fn spread_is_kept_even_while_pods_come() {
    let w = world(4);
    for (name, zone) in [("n1", "a"), ("n2", "a"), ("n3", "b")] {
        w.label(name, "zone", zone);
    }
    pass(&w.sim, 0.1);
    for i in 0..8 {
        w.create(pod(
            &format!("p{i}"),
            json!({"metadata": {"labels": {"app": "s"}},
            "spec": {"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone",
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchLabels": {"app": "s"}}}]}}),
        ));
        let in_b = (0..=i).filter(|i| w.node_of(&format!("p{i}")) == "n3").count() as i64;
        assert!((i + 1 - 2 * in_b).abs() <= 1, "{in_b} of {} in b", i + 1);
    }
}

#[test]
fn a_more_important_pod_takes_the_place_of_the_least_important_one() {
    let w = world(5);
    let filler = |priority: i32, cpu: &str| {
        json!({
            "spec": {"priorityClassName": format!("p{priority}"), "containers": asks(cpu)}})
    };
    for i in 0..3 {
        w.create(pod(&format!("low{i}"), filler(i, "3")));
    }
    w.create(pod("high", json!({"spec": {"priorityClassName": "p100", "containers": asks("2")}})));
    assert_eq!(w.message("high"), "0/3 nodes are available: 3 Insufficient cpu.");
    let high = w.client.get::<Pod>("default", "high").unwrap();
    let prospect = high.status.clone().unwrap().nominated_node_name.unwrap();
    assert_eq!(prospect, w.node_of("low0"));
    assert!(w.client.get::<Pod>("default", "low0").unwrap().metadata.deletion_timestamp.is_some());
    // While the victim is going, its room is not given to lesser pods.
    w.create(pod("small", json!({"spec": {"priorityClassName": "p1", "containers": asks("2")}})));
    assert_eq!(w.node_of("small"), "");
    remove(&w.client, "low0");
    pass(&w.sim, 5.0);
    assert_eq!(w.node_of("high"), prospect);
    let uid = high.metadata.uid.clone().unwrap();
    let told = events(&w.client, "Pod");
    assert!(told.contains(&format!("Preempted Preempted by pod {uid} on node {prospect}")));
    w.create(pod(
        "never",
        json!({"spec": {"priorityClassName": "p50",
        "containers": asks("3")}}),
    ));
    assert!(
        w.message("never").ends_with("preemption: not eligible due to preemptionPolicy=Never.")
    );
}

fn scores(w: &World, pod: &str, expect: Expect) {
    let decision = w.scheduler.decision("default", pod).unwrap();
    let part = |p: &Part| format!(" {} {}={}*{}", p.plugin, p.raw, p.score, p.weight);
    let line = |(node, verdict): (&String, &Verdict)| match verdict {
        Verdict::Scored { total, parts } => {
            format!("{node} {total}:{}\n", parts.iter().map(part).collect::<String>())
        }
        other => format!("{node} {other:?}\n"),
    };
    expect.assert_eq(&decision.nodes.iter().map(line).collect::<String>());
}

#[test]
fn scores_are_upstreams() {
    let w = world(6);
    w.create(pod(
        "a",
        json!({"spec": {"nodeSelector": {"kubernetes.io/hostname": "n1"},
        "containers": asks("1")}}),
    ));
    w.create(pod("b", json!({"spec": {"containers": asks("1")}})));
    assert_ne!(w.node_of("b"), "n1");
    scores(
        &w,
        "b",
        expect![[r#"
            n1 441: TaintToleration 0=100*3 NodeResourcesFit 72=72*1 NodeResourcesBalancedAllocation 69=69*1 ImageLocality 0=0*1
            n2 454: TaintToleration 0=100*3 NodeResourcesFit 86=86*1 NodeResourcesBalancedAllocation 68=68*1 ImageLocality 0=0*1
            n3 454: TaintToleration 0=100*3 NodeResourcesFit 86=86*1 NodeResourcesBalancedAllocation 68=68*1 ImageLocality 0=0*1
        "#]],
    );
}

#[test]
fn no_nodes_is_said_and_the_first_node_ends_it() {
    let (sim, client) = cluster(7);
    let _scheduler = Scheduler::start(&client);
    make::<Pod>(&client, pod("p", json!({})));
    pass(&sim, 1.0);
    assert_eq!(events(&client, "Pod"), ["FailedScheduling no nodes available to schedule pods"]);
    node(&client, "n1", "1", "1Gi");
    pass(&sim, 1.0);
    let told = events(&client, "Pod");
    assert_eq!(told[1], "Scheduled Successfully assigned default/p to n1");
}

#[test]
fn nodes_are_never_overfull_whatever_comes_and_goes() {
    for seed in 0..10 {
        let World { sim, client, scheduler } = world(200 + seed);
        let mut scheduler = Some(scheduler);
        for step in 0..60 {
            let cpu = format!("{}m", 200 + sim.random(1500));
            let name = format!("p{step}");
            make::<Pod>(
                &client,
                pod(
                    &name,
                    json!({"spec": {
                "priorityClassName": format!("p{}", sim.random(3)), "containers": asks(&cpu)}}),
                ),
            );
            if sim.random(3) == 0 {
                let victim = format!("p{}", sim.random(step + 1));
                remove(&client, &victim);
            }
            if sim.random(10) == 0 {
                scheduler = None; // a restart finds everything again
            }
            pass(&sim, sim.random(3) as f64);
            if scheduler.is_none() {
                scheduler = Some(Scheduler::start(&client));
            }
            let mut used: BTreeMap<String, i64> = BTreeMap::new();
            for pod in client.list::<Pod>(None) {
                *used.entry(pods::node_name(&pod).into()).or_default() +=
                    resources::of_pod(&pod, false).cpu;
            }
            used.remove("");
            assert!(used.values().all(|cpu| *cpu <= 4000), "seed {seed} step {step}: {used:?}");
        }
    }
}

#[test]
fn a_thousand_pods_are_spread_evenly_over_ten_nodes() {
    let (sim, client) = cluster(8);
    for i in 0..10 {
        node(&client, &format!("n{i}"), "64", "256Gi");
    }
    let _scheduler = Scheduler::start(&client);
    for i in 0..1000 {
        make::<Pod>(&client, pod(&format!("p{i}"), json!({"metadata": {"labels": {"app": "w"}}})));
    }
    let before = sim.steps();
    pass(&sim, 1.0);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for pod in client.list::<Pod>(None) {
        *counts.entry(pods::node_name(&pod).to_string()).or_default() += 1;
    }
    assert!(counts.values().all(|n| (90..=110).contains(n)), "{counts:?}");
    assert!(sim.steps() - before < 4000, "{}", sim.steps() - before);
}
