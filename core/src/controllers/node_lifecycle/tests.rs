//! Nodes that fall silent, in virtual time.

use serde_json::json;

use super::*;
use crate::{
    controllers::{
        framework::{self, Running},
        taint_eviction,
        testing::{cluster, edit, events, make as create, node, pass, run, set_status},
    },
    sim::Sim,
};

struct World {
    sim: Sim,
    client: Client,
    parts: Vec<Running>,
}

fn world(nodes: usize) -> World {
    let (sim, client) = cluster(1);
    create::<k8s_openapi::api::core::v1::Namespace>(&client, json!({"metadata": {"name": LEASES}}));
    for i in 1..=nodes {
        node(&client, &format!("n{i}"), "4", "8Gi");
        let meta = json!({"name": format!("n{i}"), "namespace": LEASES});
        create::<Lease>(&client, json!({"metadata": meta, "spec": {}}));
    }
    let mut world = World { sim, client, parts: Vec::new() };
    world.start();
    pass(&world.sim, 1.0);
    world
}

impl World {
    fn start(&mut self) {
        self.parts = vec![
            framework::start(&self.client, super::make(&self.client)),
            framework::start(&self.client, taint_eviction::make(&self.client)),
        ];
    }

    /// Time passes while these nodes renew their leases every ten seconds.
    fn live(&self, seconds: u64, alive: &[&str]) {
        for _ in 0..seconds / 10 {
            for name in alive {
                edit::<Lease>(&self.client, LEASES, name, |l| {
                    let now = self.sim.now().to_micro();
                    l.spec.get_or_insert_default().renew_time = Some(now);
                });
            }
            pass(&self.sim, 10.0);
        }
    }

    fn status(&self, node: &str) -> String {
        let node = self.client.get::<Node>("", node).unwrap();
        let taints = crate::api::scheduling::taints(&node).iter();
        let taints: Vec<_> = taints
            .map(|t| format!("{}:{}", t.key.trim_start_matches("node.kubernetes.io/"), t.effect))
            .collect();
        format!("{} [{}]", conditions::status(&node, "Ready"), taints.join(" "))
    }

    fn pod(&self, name: &str, node: &str) {
        let pod = create::<Pod>(
            &self.client,
            json!({"metadata": {"name": name, "namespace": "default"},
                "spec": {"nodeName": node, "containers": [{"name": "c", "image": "i"}]}}),
        );
        run(&self.client, &pod, true);
    }

    fn is_going(&self, pod: &str) -> bool {
        self.client.get::<Pod>("default", pod).unwrap().metadata.deletion_timestamp.is_some()
    }
}

#[test]
fn a_silent_node_is_unknown_after_its_grace_and_its_pods_go_five_minutes_later() {
    let w = world(3);
    w.pod("web", "n1");
    w.live(40, &["n2", "n3"]);
    assert_eq!(w.status("n1"), "True []");
    w.live(20, &["n2", "n3"]);
    assert_eq!(w.status("n1"), "Unknown [unreachable:NoSchedule unreachable:NoExecute]");
    let pod = w.client.get::<Pod>("default", "web").unwrap();
    assert!(!pods::is_ready(&pod));
    assert_eq!(events(&w.client, "Pod")[0], "NodeNotReady Node is not ready");
    assert!(
        events(&w.client, "Node")
            .contains(&"NodeNotReady Node n1 status is now: NodeNotReady".into())
    );
    w.live(280, &["n2", "n3"]);
    assert!(!w.is_going("web"));
    w.live(30, &["n2", "n3"]);
    assert!(w.is_going("web"));
    let told = events(&w.client, "Pod");
    assert_eq!(told[1], "TaintManagerEviction Marking for deletion Pod default/web");
    assert_eq!(w.status("n2"), "True []");
}

#[test]
fn a_node_that_comes_back_in_time_keeps_its_pods() {
    let mut w = world(2);
    w.pod("web", "n1");
    w.live(100, &["n2"]);
    assert!(w.status("n1").starts_with("Unknown"));
    w.start(); // a restart in between changes nothing
    w.live(20, &["n2"]);
    assert!(w.status("n1").contains("NoExecute"));
    let n1 = w.client.get::<Node>("", "n1").unwrap();
    set_status::<Node>(&w.client, &n1, |n| {
        let now = w.sim.now().to_meta();
        let conditions = n.status.as_mut().unwrap().conditions.as_mut().unwrap();
        let ready = conditions.iter_mut().find(|c| c.type_ == "Ready").unwrap();
        ready.status = "True".into();
        ready.last_heartbeat_time = Some(now);
    });
    w.live(400, &["n1", "n2"]);
    assert_eq!(w.status("n1"), "True []");
    assert!(!w.is_going("web"));
}

#[test]
fn where_all_nodes_are_lost_no_pod_is_sent_away() {
    let w = world(1);
    w.pod("web", "n1");
    pass(&w.sim, 1000.0);
    assert_eq!(w.status("n1"), "Unknown [unreachable:NoSchedule]");
    assert!(!w.is_going("web"));
}

#[test]
fn of_several_lost_nodes_one_in_ten_seconds_is_emptied() {
    let w = world(6);
    w.live(60, &["n1", "n2", "n3", "n4"]);
    let emptied = || ["n5", "n6"].iter().filter(|n| w.status(n).contains("NoExecute")).count();
    assert_eq!(emptied(), 1);
    w.live(10, &["n1", "n2", "n3", "n4"]);
    assert_eq!(emptied(), 2);
}

#[test]
fn cordoning_and_conditions_taint() {
    let w = world(1);
    edit::<Node>(&w.client, "", "n1", |n| {
        n.spec.get_or_insert_default().unschedulable = Some(true);
    });
    pass(&w.sim, 1.0);
    assert_eq!(w.status("n1"), "True [unschedulable:NoSchedule]");
    let n1 = w.client.get::<Node>("", "n1").unwrap();
    set_status::<Node>(&w.client, &n1, |n| {
        let json = json!([{"type": "Ready", "status": "True"}, {"type": "DiskPressure", "status": "True"}]);
        n.status.as_mut().unwrap().conditions = crate::api::object::from_value(json).unwrap();
    });
    edit::<Node>(&w.client, "", "n1", |n| {
        n.spec.get_or_insert_default().unschedulable = None;
    });
    pass(&w.sim, 1.0);
    assert_eq!(w.status("n1"), "True [disk-pressure:NoSchedule]");
}

#[test]
fn five_thousand_nodes_cost_a_timer_each_and_no_scans() {
    let (sim, client) = cluster(9);
    for i in 0..5000 {
        node(&client, &format!("n{i}"), "4", "8Gi");
    }
    let _running = framework::start(&client, super::make(&client));
    pass(&sim, 6.0);
    let before = sim.steps();
    pass(&sim, 30.0);
    assert!(sim.steps() - before < 100, "{}", sim.steps() - before);
}
