//! What the kubelet's own server answers besides logs and processes: health, its pods, a few metrics,
//! the node's log files.
//!
//! Models `pkg/kubelet/server/server.go`.

use std::{collections::BTreeMap, fmt::Write};

use serde_json::json;

use super::{Inner, agent::Agent};
use crate::{api::Object, machine::fs::Who, runtime::State};

const TEXT: &str = "text/plain; charset=utf-8";

type Answer = (u16, &'static str, Vec<u8>);

fn text(status: u16, text: &str) -> Answer {
    (status, TEXT, text.as_bytes().to_vec())
}

fn not_found() -> Answer {
    text(404, "404 page not found\n")
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
            "/pods" => (200, "application/json", me.pod_list().into_bytes()),
            path => match path.strip_prefix("/logs") {
                Some(rest) if rest.is_empty() || rest.starts_with('/') => me.log_files(rest),
                _ => not_found(),
            },
        }
    }
}

impl Inner {
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
