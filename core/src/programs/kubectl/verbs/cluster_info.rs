//! `kubectl cluster-info` and its `dump`. Models `k8s.io/kubectl/pkg/cmd/clusterinfo`.

use std::rc::Rc;

use k8s_openapi::api::core::v1::{Namespace, Pod};
use serde_json::{Value, json};

use crate::{
    client::{ListOptions, LogOptions},
    programs::{
        kubectl::{
            Conn, Cx, Error,
            flags::{Command, Flag, Parsed},
            output::{self, Printer},
            pods,
        },
        tar::make_parents,
    },
};

/// `kubectl cluster-info`
pub static COMMAND: Command = Command {
    name: "cluster-info",
    usage: "cluster-info [flags]",
    short: "Show where the cluster's services are",
    long: "Show the addresses of the control plane and of services with the label \
           kubernetes.io/cluster-service=true.",
    examples: "# Where is it?\nkubectl cluster-info",
    subcommands: &[&DUMP],
    run: Some(|cx, p| Box::pin(cluster(cx, p))),
    ..Command::EMPTY
};

async fn cluster(cx: Cx, p: Parsed) -> Result<(), Error> {
    let conn = cx.connect(&p, 5)?;
    // Colours only where there is a terminal to show them.
    let colour = cx.proc.stdout_is_tty();
    let paint = |code: &str, text: &str| match colour {
        true => format!("\x1b[{code}m{text}\x1b[0m"),
        false => text.to_owned(),
    };
    let line = |name: &str, url: &str| {
        format!("{} is running at {}\n", paint("0;32", name), paint("0;33", url))
    };
    let mut text = line("Kubernetes control plane", &conn.server);
    let services: Vec<Rc<k8s_openapi::api::core::v1::Service>> =
        conn.client.list(Some("kube-system"));
    for service in services {
        let label = |key: &str| service.metadata.labels.as_ref().and_then(|l| l.get(key)).cloned();
        if label("kubernetes.io/cluster-service").as_deref() != Some("true") {
            continue;
        }
        let name = label("kubernetes.io/name").unwrap_or_default();
        let ports = service.spec.as_ref().and_then(|s| s.ports.clone()).unwrap_or_default();
        let own = service.metadata.name.clone().unwrap_or_default();
        let port = ports
            .first()
            .and_then(|p| p.name.clone())
            .map_or(own.clone(), |p| format!("{own}:{p}"));
        let url = format!("{}/api/v1/namespaces/kube-system/services/{port}/proxy", conn.server);
        text.push_str(&line(&name, &url));
    }
    text.push_str(
        "\nTo further debug and diagnose cluster problems, use 'kubectl cluster-info dump'.\n",
    );
    cx.out(&text).await;
    Ok(())
}

static DUMP: Command = Command {
    name: "dump",
    usage: "dump [flags]",
    short: "Print everything that may help to find a fault",
    long: "Print the cluster's nodes, and of each namespace the events, workloads, services, pods \
           and the logs of all containers.\n\nNamespaces are kube-system and the current one, \
           unless flags say otherwise. With --output-directory files are written.",
    examples: "# Onto the screen\nkubectl cluster-info dump\n\n\
               # Into files\nkubectl cluster-info dump --output-directory=state",
    flags: &[
        &[
            Flag::bool("all-namespaces", false, "Of all namespaces; --namespaces counts no more.")
                .short("A"),
            Flag::slice("namespaces", "Of these namespaces."),
            Flag::str("output", "json", output::USAGE).short("o"),
            Flag::str(
                "output-directory",
                "",
                "The folder for the files; empty or '-': standard output.",
            ),
            Flag::duration("pod-running-timeout", "20s", "How long to wait for a pod."),
        ],
        output::FLAGS_BUT_OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(dump(cx, p))),
    ..Command::EMPTY
};

/// Kinds that are dumped of each namespace, with the names of their files.
const DUMPED: &[(&str, &str, &str)] = &[
    ("v1", "Event", "events"),
    ("v1", "ReplicationController", "replication-controllers"),
    ("v1", "Service", "services"),
    ("apps/v1", "DaemonSet", "daemonsets"),
    ("apps/v1", "Deployment", "deployments"),
    ("apps/v1", "ReplicaSet", "replicasets"),
    ("v1", "Pod", "pods"),
];

/// Where a dump goes.
struct Target<'a> {
    cx: &'a Cx,
    folder: &'a str,
}

impl Target<'_> {
    fn to_files(&self) -> bool {
        !self.folder.is_empty() && self.folder != "-"
    }

    async fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        if !self.to_files() {
            self.cx.out(text).await;
            return Ok(());
        }
        let path = format!("{}/{name}", self.folder.trim_end_matches('/'));
        let proc = &self.cx.proc;
        make_parents(proc, &path)
            .and_then(|()| proc.write_file(&path, text.as_bytes()))
            .and_then(|()| proc.set_attributes(&path, |node| node.mode = 0o600))
            .map_err(|e| Error::plain(format!("open {path}: {e}")))
    }
}

async fn dump(cx: Cx, p: Parsed) -> Result<(), Error> {
    let conn = cx.connect(&p, 0)?;
    let mut printer = Printer::new(&cx, &p, "json", "")?;
    printer.typed(true);
    let end = match p.str("output") {
        "json" => ".json",
        "yaml" => ".yaml",
        _ => ".txt",
    };
    let target = Target { cx: &cx, folder: p.str("output-directory") };
    let nodes = list(&conn, ("v1", "Node"), None)?;
    target.write(&format!("nodes{end}"), &printer.one(&nodes)?).await?;
    for namespace in namespaces(&conn, &p) {
        for (version, kind, file) in DUMPED {
            let found = list(&conn, (version, kind), Some(&namespace))?;
            target.write(&format!("{namespace}/{file}{end}"), &printer.one(&found)?).await?;
        }
        let pods: Vec<Rc<Pod>> = conn.client.list(Some(&namespace));
        for pod in pods {
            let text = logs(&conn, &pod).await;
            let name = format!("{namespace}/{}/logs.txt", pods::name(&pod));
            target.write(&name, &text).await?;
        }
    }
    if target.to_files() {
        cx.out(&format!("Cluster info dumped to {}\n", target.folder)).await;
    }
    Ok(())
}

fn namespaces(conn: &Conn, p: &Parsed) -> Vec<String> {
    if p.bool("all-namespaces") {
        let all: Vec<Rc<Namespace>> = conn.client.list(None);
        return all.iter().filter_map(|n| n.metadata.name.clone()).collect();
    }
    match p.list("namespaces") {
        [] => vec!["kube-system".to_owned(), conn.namespace.clone()],
        given => given.to_vec(),
    }
}

/// All objects of a kind as a list of Go's; empty where the server has no such kind.
fn list(conn: &Conn, kind: (&str, &str), namespace: Option<&str>) -> Result<Value, Error> {
    let known = conn.client.kinds().by_kind(kind.0, kind.1).cloned();
    let found = match known {
        Some(kind) => conn.client.list_any(kind.id, namespace, &ListOptions::default())?,
        None => Vec::new(),
    };
    let item = |object: &crate::api::ObjRef| {
        let mut value = object.to_value();
        if let Some(map) = value.as_object_mut() {
            map.remove("kind");
            map.remove("apiVersion");
        }
        value
    };
    Ok(json!({"kind": format!("{}List", kind.1), "apiVersion": kind.0,
        "metadata": {"resourceVersion": conn.client.revision().to_string()},
        "items": found.iter().map(item).collect::<Vec<_>>()}))
}

/// What all containers of a pod have written.
async fn logs(conn: &Conn, pod: &Pod) -> String {
    let Some(spec) = &pod.spec else { return String::new() };
    let (namespace, name) = (pods::namespace(pod), pods::name(pod));
    let mut text = String::new();
    for container in spec.init_containers.iter().flatten().chain(&spec.containers) {
        let of = format!("logs for container {} of pod {namespace}/{name}", container.name);
        text.push_str(&format!("==== START {of} ====\n"));
        let options =
            LogOptions { container: Some(container.name.clone()), ..LogOptions::default() };
        match conn.client.logs(namespace, name, &options) {
            Ok(mut log) => {
                while let Some(bytes) = log.recv().await {
                    text.push_str(&String::from_utf8_lossy(&bytes));
                }
            }
            Err(e) => text.push_str(&format!("Request log error: {}\n", e.message)),
        }
        text.push_str(&format!("==== END {of} ====\n"));
    }
    text
}
