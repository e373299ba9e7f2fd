//! What makes pods many or few, and pushes them aside: autoscalers and load, priorities, ports of
//! nodes, nodes that are deleted.

use k8s_openapi::api::core::v1::Node;
use sandbar_core::client::DeleteOptions;
use serde_json::{Value, json};

use super::{NAMES, is_there, make, merge, remove};
use crate::chaos::{
    Chance,
    cluster::{Cluster, Part},
};

/// One thing that is done.
#[derive(Clone, Debug)]
pub enum Crowd {
    /// An autoscaler of the deployment with this number, between these.
    Autoscaler(u64, u64, u64),
    /// The autoscaler goes.
    DeleteAutoscaler(u64),
    /// A deployment's pods use so many thousandths of a processor together.
    Load(u64, u64),
    /// A deployment of so many pods that each take a third of a node.
    Bulky(u64, u64),
    /// The same, but its pods push others aside.
    Urgent(u64, u64),
    /// One of these deployments goes.
    DeleteBulky(u64, bool),
    /// A deployment of so many pods that each take a port of their node.
    Port(u64, u64),
    /// The deployment goes.
    DeletePort(u64),
    /// A node's object is deleted.
    DeleteNode(usize),
    /// A budget in percent for a workload's pods.
    Percent(u64, u64),
}

impl Crowd {
    /// By chance.
    pub fn draw(chance: &mut Chance, nodes: usize) -> Crowd {
        let node = chance.below(nodes as u64) as usize;
        let (n, count, more) = (chance.below(NAMES), chance.below(5), chance.below(1_000));
        match chance.below(15) {
            0 | 1 => Crowd::Autoscaler(n, 1 + count % 3, 1 + count % 3 + more % 5),
            2 => Crowd::DeleteAutoscaler(n),
            3..=5 => Crowd::Load(n, if more.is_multiple_of(4) { 0 } else { more * 2 }),
            6 | 7 => Crowd::Bulky(n, 1 + count),
            8 | 9 => Crowd::Urgent(n, 1 + count),
            10 => Crowd::DeleteBulky(n, more.is_multiple_of(2)),
            11 => Crowd::Port(n, 1 + count),
            12 => Crowd::DeletePort(n),
            13 => Crowd::DeleteNode(node),
            _ => Crowd::Percent(n, more % 101),
        }
    }

    /// Does it.
    pub fn run(&self, cluster: &Cluster) {
        match self {
            Crowd::Autoscaler(n, min, max) => make(cluster, autoscaler(*n, *min, *max)),
            Crowd::DeleteAutoscaler(n) => {
                remove(cluster, "HorizontalPodAutoscaler", &format!("hpa-{n}"));
            }
            Crowd::Load(n, millis) => cluster.load(&format!("deploy-{n}-"), *millis),
            Crowd::Bulky(n, count) => make(cluster, deployment(*n, *count, "bulky")),
            Crowd::Urgent(n, count) => make(cluster, deployment(*n, *count, "urgent")),
            Crowd::DeleteBulky(n, urgent) => {
                let what = if *urgent { "urgent" } else { "bulky" };
                remove(cluster, "Deployment", &format!("{what}-{n}"));
            }
            Crowd::Port(n, count) => make(cluster, deployment(*n, *count, "port")),
            Crowd::DeletePort(n) => remove(cluster, "Deployment", &format!("port-{n}")),
            Crowd::DeleteNode(node) => {
                let name = cluster.node(*node);
                let _ = cluster.admin.delete::<Node>("", &name, &DeleteOptions::default());
            }
            Crowd::Percent(n, percent) => make(
                cluster,
                json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
                    "metadata": {"name": format!("percent-{n}")},
                    "spec": {"maxUnavailable": format!("{percent}%"),
                        "selector": {"matchLabels": {"app": format!("deploy-{n}")}}}}),
            ),
        }
    }
}

/// Takes away what has no room, and registers nodes that were deleted.
pub fn heal(cluster: &mut Cluster) {
    for n in 0..NAMES {
        // One pod of each finds room everywhere.
        for what in ["bulky", "urgent", "port"] {
            let name = format!("{what}-{n}");
            match n == 0 || what == "port" {
                true => merge(cluster, "Deployment", &name, &json!({"spec": {"replicas": 1}})),
                false => remove(cluster, "Deployment", &name),
            }
        }
        cluster.load(&format!("deploy-{n}-"), 0);
    }
    for number in 0..cluster.size() {
        if !is_there(cluster, "Node", &cluster.node(number)) {
            // As a real one, a kubelet registers when it starts.
            cluster.stop(&Part::Kubelet(number));
            cluster.start(&Part::Kubelet(number));
        }
    }
}

fn autoscaler(n: u64, min: u64, max: u64) -> Value {
    json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": format!("hpa-{n}")},
        "spec": {"minReplicas": min, "maxReplicas": max,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment",
                "name": format!("deploy-{n}")},
            "metrics": [{"type": "Resource", "resource": {"name": "cpu",
                "target": {"type": "Utilization", "averageUtilization": 60}}}]}})
}

fn deployment(n: u64, count: u64, what: &str) -> Value {
    let name = format!("{what}-{n}");
    let mut container = json!({"name": "c", "image": "web-example:1.25"});
    let mut pod = json!({"terminationGracePeriodSeconds": 5});
    if what == "port" {
        container["ports"] = json!([{"containerPort": 80, "hostPort": 8000 + n}]);
    } else {
        container["resources"] = json!({"requests": {"cpu": "5", "memory": "100Mi"}});
        pod["priorityClassName"] = json!(if what == "urgent" { "high" } else { "low" });
    }
    pod["containers"] = json!([container]);
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"replicas": count, "selector": {"matchLabels": {"app": name}},
            // A node whose port is taken can't run the next pod before this one went.
            "strategy": {"type": "Recreate"},
            "template": {"metadata": {"labels": {"app": name, "number": n.to_string()}},
                "spec": pod}}})
}
