//! metrics-server: asks every kubelet what containers use, and serves `metrics.k8s.io` from it.
//!
//! Models `kubernetes-sigs/metrics-server` v0.8 (`pkg/scraper`, `pkg/storage`, `pkg/api`).

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use k8s_openapi::api::core::v1::{Node, Pod};
use serde_json::{Value, json};

use crate::{
    api::kinds::DynamicKind,
    api::{DynamicObject, Object, object::to_value},
    apiserver::{
        ApiServer,
        aggregation::{Bringing, Source},
    },
    client::Client,
    sim::Time,
};

/// How often kubelets are asked (`--metric-resolution` of minikube's addon).
pub const RESOLUTION: Duration = Duration::from_secs(60);

/// What was measured at one time: processor time in microseconds and bytes of memory.
#[derive(Clone, Copy)]
struct Point {
    at: Time,
    cpu: u64,
    memory: u64,
}

/// The last two measurements of something.
#[derive(Clone, Copy, Default)]
struct Series {
    before: Option<Point>,
    last: Option<Point>,
}

impl Series {
    fn add(&mut self, point: Point) {
        // A counter that went back is a container that started anew.
        let anew = self.last.is_some_and(|last| last.cpu > point.cpu);
        self.before = if anew { None } else { self.last };
        self.last = Some(point);
    }

    /// Use as the API has it, the time of the last measurement and seconds since the one before.
    fn usage(&self) -> Option<(Value, Time, u64)> {
        let (before, last) = (self.before?, self.last?);
        let micros = last.at.since(before.at).as_micros().max(1);
        let used = u128::from(last.cpu - before.cpu) * 1_000_000_000 / micros;
        let usage =
            json!({"cpu": format!("{used}n"), "memory": format!("{}Ki", last.memory / 1024)});
        Some((usage, last.at, last.at.since(before.at).as_secs()))
    }
}

type ContainerKey = (String, String, String);

#[derive(Default)]
struct Storage {
    nodes: RefCell<BTreeMap<String, Series>>,
    containers: RefCell<BTreeMap<ContainerKey, Series>>,
}

/// A running metrics-server; it serves as long as it is held.
pub struct MetricsServer {
    client: Client,
    storage: Rc<Storage>,
    _kinds: Vec<Bringing>,
}

fn kind(name: &str, plural: &str, singular: &str, namespaced: bool) -> DynamicKind {
    DynamicKind {
        group: "metrics.k8s.io".into(),
        version: "v1beta1".into(),
        kind: name.into(),
        plural: plural.into(),
        singular: singular.into(),
        short_names: Vec::new(),
        namespaced,
        categories: Vec::new(),
        subresources: &[],
        stored_as: None,
        verbs: Some(&["get", "list"]),
    }
}

impl MetricsServer {
    /// Serves from now on; numbers come once [`MetricsServer::scrape`] was called twice.
    pub fn start(api: &ApiServer, client: &Client) -> MetricsServer {
        let storage: Rc<Storage> = Rc::default();
        let (of, own) = (client.clone(), storage.clone());
        let nodes: Source = Rc::new(move |_| own.node_metrics(&of));
        let (of, own) = (client.clone(), storage.clone());
        let pods: Source = Rc::new(move |namespace| own.pod_metrics(&of, namespace));
        let kinds = vec![
            api.bring(kind("NodeMetrics", "nodes", "", false), nodes),
            api.bring(kind("PodMetrics", "pods", "", true), pods),
        ];
        MetricsServer { client: client.clone(), storage, _kinds: kinds }
    }

    /// Asks all kubelets.
    pub fn scrape(&self) {
        let at = self.client.sim().now();
        for node in self.client.list::<Node>(None) {
            let name = (&*node as &dyn Object).name().to_string();
            let Some(agent) = self.client.kubelet(&name) else { continue };
            let (status, _, body) = agent.serve("GET", "/metrics/resource");
            if status == 200 {
                self.storage.read(&name, at, &String::from_utf8_lossy(&body));
            }
        }
        self.storage.forget_before(at);
    }
}

/// A line of the kubelet's answer: its name, labels and number.
fn line(text: &str) -> Option<(&str, BTreeMap<&str, &str>, f64)> {
    let (head, rest) = text.split_once(' ')?;
    let value = rest.split(' ').next()?.parse().ok()?;
    let (name, labels) = head.split_once('{').unwrap_or((head, ""));
    let pairs = labels.trim_end_matches('}').split(',').filter_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        Some((key, value.trim_matches('"')))
    });
    Some((name, pairs.collect(), value))
}

impl Storage {
    fn read(&self, node: &str, at: Time, text: &str) {
        let mut found: BTreeMap<Option<ContainerKey>, (u64, u64)> = BTreeMap::new();
        for (name, labels, value) in text.lines().filter(|l| !l.starts_with('#')).filter_map(line) {
            let label = |key: &str| labels.get(key).copied().unwrap_or_default().to_string();
            let key = match name.split('_').next() {
                Some("node") => None,
                Some("container") => Some((label("namespace"), label("pod"), label("container"))),
                _ => continue,
            };
            let entry = found.entry(key).or_default();
            if name.ends_with("cpu_usage_seconds_total") {
                entry.0 = (value * 1e6) as u64;
            } else if name.ends_with("memory_working_set_bytes") {
                entry.1 = value as u64;
            }
        }
        for (key, (cpu, memory)) in found {
            let point = Point { at, cpu, memory };
            match key {
                None => self.nodes.borrow_mut().entry(node.to_string()).or_default().add(point),
                Some(key) => self.containers.borrow_mut().entry(key).or_default().add(point),
            }
        }
    }

    /// What was not measured this time is gone.
    fn forget_before(&self, at: Time) {
        let current = |series: &Series| series.last.is_some_and(|p| p.at >= at);
        self.nodes.borrow_mut().retain(|_, s| current(s));
        self.containers.borrow_mut().retain(|_, s| current(s));
    }

    fn node_metrics(&self, client: &Client) -> Vec<DynamicObject> {
        let nodes = self.nodes.borrow();
        let made = client.list::<Node>(None).into_iter().filter_map(|node| {
            let node: &dyn Object = &*node;
            let (usage, at, window) = nodes.get(node.name())?.usage()?;
            let mut value = head("NodeMetrics", node, at, window, client);
            value["usage"] = usage;
            ApiServer::foreign_object(value)
        });
        made.collect()
    }

    fn pod_metrics(&self, client: &Client, namespace: Option<&str>) -> Vec<DynamicObject> {
        let known = self.containers.borrow();
        let made = client.list::<Pod>(namespace).into_iter().filter_map(|pod| {
            let spec = pod.spec.as_ref()?;
            let object: &dyn Object = &*pod;
            let mut containers = Vec::new();
            let mut when = None;
            for container in &spec.containers {
                let key = (
                    object.namespace().to_string(),
                    object.name().to_string(),
                    container.name.clone(),
                );
                // A pod of which something is not known yet is not told of.
                let (usage, at, window) = known.get(&key)?.usage()?;
                when = Some((at, window));
                containers.push(json!({"name": container.name, "usage": usage}));
            }
            let (at, window) = when?;
            let mut value = head("PodMetrics", object, at, window, client);
            value["containers"] = containers.into();
            ApiServer::foreign_object(value)
        });
        made.collect()
    }
}

fn head(kind: &str, of: &dyn Object, at: Time, window: u64, client: &Client) -> Value {
    let mut meta = json!({"name": of.name(),
        "creationTimestamp": to_value(&client.sim().now().to_meta())});
    if !of.namespace().is_empty() {
        meta["namespace"] = of.namespace().into();
    }
    if let Some(labels) = &of.metadata().labels {
        meta["labels"] = to_value(labels);
    }
    json!({"apiVersion": "metrics.k8s.io/v1beta1", "kind": kind, "metadata": meta,
        "timestamp": to_value(&at.to_meta()), "window": format!("{window}s")})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_measurements_make_a_rate() {
        let storage = Storage::default();
        let text = |cpu: f64| {
            format!(
                "# HELP x\nnode_cpu_usage_seconds_total {cpu} 1\nnode_memory_working_set_bytes 2048 1\n\
                 container_cpu_usage_seconds_total{{container=\"c\",namespace=\"n\",pod=\"p\"}} {cpu}\n"
            )
        };
        let start = Time::from_secs(100);
        storage.read("a", start, &text(1.0));
        storage.read("a", start + RESOLUTION, &text(31.0));
        let nodes = storage.nodes.borrow();
        let (usage, _, window) = nodes["a"].usage().unwrap();
        assert_eq!(usage, json!({"cpu": "500000000n", "memory": "2Ki"}));
        assert_eq!(window, 60);
        let key = ("n".to_string(), "p".to_string(), "c".to_string());
        assert!(storage.containers.borrow()[&key].usage().is_some());
    }
}
