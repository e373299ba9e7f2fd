//! What the kubelet's own server answers besides logs and processes: health, its pods, a few metrics,
//! the node's log files.
//!
//! Models `pkg/kubelet/server/server.go`.

use std::{collections::BTreeMap, fmt::Write, rc::Rc};

use serde::Serialize;
use serde_json::{Value, json, ser::PrettyFormatter};

use super::{Inner, agent::Agent};
use crate::{
    api::Object,
    machine::fs::Who,
    runtime::{Container, State},
    sim::Time,
};

const TEXT: &str = "text/plain; charset=utf-8";

type Answer = (u16, &'static str, Vec<u8>);

fn text(status: u16, text: &str) -> Answer {
    (status, TEXT, text.as_bytes().to_vec())
}

fn not_found() -> Answer {
    text(404, "404 page not found\n")
}

/// What `/stats/summary` says. Models `pkg/apis/stats/v1alpha1` of the kubelet.
#[derive(Serialize)]
struct Summary {
    node: NodeUsage,
    pods: Vec<PodUsage>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NodeUsage {
    node_name: String,
    #[serde(flatten)]
    used: Usage,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PodUsage {
    pod_ref: PodRef,
    start_time: Value,
    containers: Vec<ContainerUsage>,
    #[serde(flatten)]
    used: Usage,
}

#[derive(Serialize)]
struct PodRef {
    name: String,
    namespace: String,
    uid: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ContainerUsage {
    name: String,
    start_time: Value,
    #[serde(flatten)]
    used: Usage,
}

#[derive(Serialize)]
struct Usage {
    cpu: Cpu,
    memory: Memory,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Cpu {
    time: Value,
    usage_core_nano_seconds: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Memory {
    time: Value,
    usage_bytes: u64,
    working_set_bytes: u64,
}

impl Agent {
    /// Answers a request.
    pub(super) fn answer(&self, method: &str, path: &str) -> Answer {
        let Some(me) = self.kubelet() else { return text(503, "the kubelet has gone\n") };
        if !matches!(method, "GET" | "HEAD") {
            return text(405, "405: Method Not Allowed");
        }
        match path.trim_end_matches('/') {
            "/healthz" | "/healthz/log" | "/healthz/ping" | "/healthz/syncloop" => text(200, "ok"),
            "/metrics" => text(200, &me.metrics()),
            "/metrics/resource" => text(200, &me.resource_metrics()),
            "/stats/summary" => (200, "application/json", me.summary()),
            "/pods" => (200, "application/json", me.pod_list().into_bytes()),
            path => match path.strip_prefix("/logs") {
                Some(rest) if rest.is_empty() || rest.starts_with('/') => me.log_files(rest),
                _ => not_found(),
            },
        }
    }
}

/// Processor time of a container: what its processes wanted, and what they got under its limit.
#[derive(Clone, Copy)]
pub(super) struct Used {
    at: Time,
    wanted: u64,
    got: u64,
}

/// Bytes that a node's own system takes.
const SYSTEM_MEMORY: u64 = 350 << 20;

impl Inner {
    /// Microseconds of processor time that a container got. Its processes know no limit: what is more
    /// than the limit lets through since the last look counts as waiting.
    fn cpu_of(&self, container: &Container) -> u64 {
        let (at, wanted) = (self.sim.now(), container.machine.cpu_micros());
        let mut all = self.usage.borrow_mut();
        let known = all.get(&container.id).copied();
        let last = known.unwrap_or(Used { at: container.created, wanted: 0, got: 0 });
        let room = container.spec.cpu_limit.map(|milli| {
            let micros = u64::try_from(at.since(last.at).as_micros()).unwrap_or(u64::MAX);
            micros.saturating_mul(milli) / 1000
        });
        let more = wanted.saturating_sub(last.wanted).min(room.unwrap_or(u64::MAX));
        let got = last.got + more;
        all.insert(container.id.clone(), Used { at, wanted, got });
        got
    }

    /// What a scraper wants: processor time and memory of the node, its pods and containers.
    /// Models `pkg/kubelet/metrics/collectors/resource_metrics.go`.
    fn resource_metrics(&self) -> String {
        let millis = self.sim.now().as_secs() * 1000;
        let (mut cpus, mut memories) = (String::new(), String::new());
        let (mut cpu_sum, mut memory_sum) = (self.machine.cpu_micros(), SYSTEM_MEMORY);
        let running: Vec<Rc<Container>> = {
            let containers = self.containers.borrow();
            let all = containers.values().flatten();
            all.filter(|c| c.status().state == State::Running).cloned().collect()
        };
        for container in &running {
            let (cpu, memory) = (self.cpu_of(container), container.memory());
            cpu_sum += cpu;
            memory_sum += memory;
            let Some(pod) = &container.spec.pod else { continue };
            let labels = format!(
                "{{container=\"{}\",namespace=\"{}\",pod=\"{}\"}}",
                pod.container, pod.namespace, pod.pod
            );
            let seconds = cpu as f64 / 1e6;
            let _ = writeln!(cpus, "container_cpu_usage_seconds_total{labels} {seconds} {millis}");
            let _ =
                writeln!(memories, "container_memory_working_set_bytes{labels} {memory} {millis}");
        }
        self.usage.borrow_mut().retain(|id, _| running.iter().any(|c| c.id == *id));
        let head = |name: &str, help: &str, kind: &str| {
            format!("# HELP {name} [STABLE] {help}\n# TYPE {name} {kind}\n")
        };
        let mut out = head(
            "container_cpu_usage_seconds_total",
            "Cumulative cpu time consumed by the container in core-seconds",
            "counter",
        );
        out += &cpus;
        out += &head(
            "container_memory_working_set_bytes",
            "Current working set of the container in bytes",
            "gauge",
        );
        out += &memories;
        let name = "node_cpu_usage_seconds_total";
        out += &head(name, "Cumulative cpu time consumed by the node in core-seconds", "counter");
        let _ = writeln!(out, "{name} {} {millis}", cpu_sum as f64 / 1e6);
        let name = "node_memory_working_set_bytes";
        out += &head(name, "Current working set of the node in bytes", "gauge");
        let _ = writeln!(out, "{name} {memory_sum} {millis}");
        out
    }

    /// The same as a document, by pod. Models `pkg/kubelet/server/stats` (`Summary`), with processor
    /// time and memory only: file systems and interfaces are not measured.
    fn summary(&self) -> Vec<u8> {
        let now = json!(self.sim.now().to_meta());
        let running: Vec<Rc<Container>> = {
            let containers = self.containers.borrow();
            let all = containers.values().flatten();
            all.filter(|c| c.status().state == State::Running).cloned().collect()
        };
        let used = |cpu: u64, memory: u64| Usage {
            cpu: Cpu { time: now.clone(), usage_core_nano_seconds: cpu * 1000 },
            memory: Memory { time: now.clone(), usage_bytes: memory, working_set_bytes: memory },
        };
        let (mut cpu_sum, mut memory_sum) = (self.machine.cpu_micros(), SYSTEM_MEMORY);
        // By namespace and name: the containers, processor time and memory of each pod, and since when
        // it runs.
        let mut found: BTreeMap<(String, String), (Vec<ContainerUsage>, u64, u64, Time)> =
            BTreeMap::new();
        for container in &running {
            let (cpu, memory) = (self.cpu_of(container), container.memory());
            cpu_sum += cpu;
            memory_sum += memory;
            let Some(pod) = &container.spec.pod else { continue };
            let start = container.status().started.unwrap_or(container.created);
            let key = (pod.namespace.to_string(), pod.pod.to_string());
            let entry = found.entry(key).or_insert((Vec::new(), 0, 0, start));
            entry.1 += cpu;
            entry.2 += memory;
            entry.3 = entry.3.min(start);
            // The sandbox has no name and counts for its pod only.
            if !pod.container.is_empty() {
                entry.0.push(ContainerUsage {
                    name: pod.container.to_string(),
                    start_time: json!(start.to_meta()),
                    used: used(cpu, memory),
                });
            }
        }
        let mut pods = Vec::new();
        for worker in self.workers.borrow().values() {
            let pod = worker.pod();
            let meta = pod.metadata();
            let (Some(namespace), Some(name)) = (meta.namespace.clone(), meta.name.clone()) else {
                continue;
            };
            let key = (namespace, name);
            let Some((containers, cpu, memory, start)) = found.remove(&key) else { continue };
            pods.push(PodUsage {
                pod_ref: PodRef { name: key.1, namespace: key.0, uid: meta.uid.clone() },
                start_time: json!(start.to_meta()),
                containers,
                used: used(cpu, memory),
            });
        }
        let node = NodeUsage { node_name: self.node.to_string(), used: used(cpu_sum, memory_sum) };
        let mut out = Vec::new();
        let form = PrettyFormatter::with_indent(b" ");
        let mut serializer = serde_json::Serializer::with_formatter(&mut out, form);
        // Texts and numbers can always be written.
        let _ = Summary { node, pods }.serialize(&mut serializer);
        out
    }

    fn pod_list(&self) -> String {
        let workers = self.workers.borrow();
        let items: Vec<_> = workers.values().map(|w| w.pod().to_value()).collect();
        let list = json!({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items});
        crate::api::json::compact_typed(&list)
    }

    fn metrics(&self) -> String {
        let mut out = String::new();
        let containers = self.containers.borrow();
        let mut states = BTreeMap::new();
        for container in containers.values().flatten() {
            let state = match container.status().state {
                State::Created => "created",
                State::Running => "running",
                _ => "exited",
            };
            *states.entry(state).or_insert(0) += 1;
        }
        let head = |name: &str, help: &str| format!("# HELP {name} {help}\n# TYPE {name} gauge\n");
        out += &head("kubelet_node_name", "[ALPHA] The node's name. The count is always 1.");
        let _ = writeln!(out, "kubelet_node_name{{node=\"{}\"}} 1", self.node);
        let help = "[ALPHA] Number of containers currently running";
        out += &head("kubelet_running_containers", help);
        for (state, count) in states {
            let _ =
                writeln!(out, "kubelet_running_containers{{container_state=\"{state}\"}} {count}");
        }
        let help = "[ALPHA] Number of pods that have a running pod sandbox";
        out += &head("kubelet_running_pods", help);
        let _ = writeln!(out, "kubelet_running_pods {}", self.workers.borrow().len());
        out
    }

    /// A file below `/var/log`, or what a folder there holds, as Go's file server shows it.
    fn log_files(&self, path: &str) -> Answer {
        if path.split('/').any(|part| part == "..") {
            return text(400, "invalid URL path\n");
        }
        let place = format!("/var/log{path}");
        let (files, root) = (self.machine.files(), Who::ROOT);
        if let Ok(bytes) = files.read(&place, root) {
            return (200, TEXT, bytes.to_vec());
        }
        let Ok(entries) = files.list(&place, root) else { return not_found() };
        let lines = entries.iter().map(|(name, node)| {
            let slash = if node.is_dir() { "/" } else { "" };
            format!("<a href=\"{name}{slash}\">{name}{slash}</a>\n")
        });
        let page: String = lines.collect();
        let page = format!(
            "<!doctype html>\n<meta name=\"viewport\" content=\"width=device-width\">\n<pre>\n{page}</pre>\n"
        );
        (200, "text/html; charset=utf-8", page.into_bytes())
    }
}
