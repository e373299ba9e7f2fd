//! What minikube knows of its nodes: the containers of that name, and what runs in them.

use std::rc::Rc;

use super::{PROFILE, style};
use crate::{
    client::{Client, directory::Directory},
    clusters::{Cluster, ClusterNode},
    machine::Proc,
    runtime::{Container, Engine},
};

/// Where minikube keeps the profile.
pub fn profile_dir(proc: &Proc) -> String {
    format!("{}/.minikube/profiles/{PROFILE}", proc.env("HOME").unwrap_or_else(|| "/root".into()))
}

/// Whether a cluster was ever started and not deleted.
pub fn profile_exists(proc: &Proc) -> bool {
    proc.exists(&format!("{}/config.json", profile_dir(proc)))
}

/// How many nodes the profile has.
pub fn profile_nodes(proc: &Proc) -> u32 {
    let text = proc.read_text(&format!("{}/config.json", profile_dir(proc))).unwrap_or_default();
    let config: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    config["Nodes"].as_array().map_or(1, |nodes| nodes.len().max(1) as u32)
}

/// The name of the `index`-th node.
pub fn name(index: u32) -> String {
    if index == 0 { PROFILE.to_string() } else { format!("{PROFILE}-m{:02}", index + 1) }
}

/// A node's container, if there is one.
pub fn container(proc: &Proc, name: &str) -> Option<Rc<Container>> {
    Engine::of(proc.machine())?.find(name).ok().filter(|c| *c.name.borrow() == name)
}

/// The cluster that the control plane's container was made for.
pub fn cluster(proc: &Proc) -> Option<Rc<Cluster>> {
    Some(container(proc, PROFILE)?.machine.get::<ClusterNode>()?.cluster.clone())
}

/// Whether a node's kubelet runs.
pub fn kubelet_runs(container: &Container) -> bool {
    container.is_running() && container.machine.processes().iter().any(|p| p.comm() == "kubelet")
}

/// A client of the cluster's API server, as far as it answers on its port.
pub fn client(proc: &Proc, cluster: &Cluster) -> Option<Client> {
    proc.machine().get::<Directory>()?.connect(&cluster.server(), "minikube")
}

/// The cluster and a client of it; where it does not run, says so as minikube does and yields the
/// exit code. Models `pkg/minikube/mustload.Healthy`.
pub async fn healthy(proc: &Proc) -> Result<(Rc<Cluster>, Client), i32> {
    if !profile_exists(proc) {
        return Err(missing_profile(proc).await);
    }
    let start = "To start a cluster, run: \"minikube start\"";
    let Some(container) = container(proc, PROFILE) else {
        style::out(proc, "🤷", "The control-plane node minikube host does not exist").await;
        style::out(proc, "👉", start).await;
        return Err(85);
    };
    if !container.is_running() {
        let text = "The control-plane node minikube host is not running: state=Stopped";
        style::out(proc, "🤷", text).await;
        style::out(proc, "👉", start).await;
        return Err(83);
    }
    let cluster = cluster(proc);
    let client = cluster.as_ref().and_then(|c| client(proc, c));
    match (cluster, client) {
        (Some(cluster), Some(client)) => Ok((cluster, client)),
        _ => {
            let text = "The control-plane node minikube apiserver is not running: (state=Stopped)";
            style::out(proc, "🤷", text).await;
            style::out(proc, "👉", start).await;
            Err(89)
        }
    }
}

/// There is no cluster.
pub async fn missing_profile(proc: &Proc) -> i32 {
    let text =
        "Profile \"minikube\" not found. Run \"minikube profile list\" to view all profiles.";
    style::out(proc, "🤷", text).await;
    style::out(proc, "👉", "To start a cluster, run: \"minikube start\"").await;
    85
}
