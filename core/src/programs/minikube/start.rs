//! `minikube start`.

use std::{rc::Rc, time::Duration};

use serde_json::json;

use super::{Command, KUBERNETES, PROFILE, VERSION, kubeconfig, node, style};
use crate::{
    clusters::{self, Cluster, ClusterNode, MOST_NODES, NodeSize},
    machine::Proc,
    programs::kubectl::flags::{Flag, Parsed},
    runtime::{Container, Engine},
    sim::{Either, race},
};

pub(super) const COMMAND: Command = Command {
    name: "start",
    group: super::BASIC,
    short: "Start the local Kubernetes cluster.",
    usage: "start [flags]",
    flags: &[
        Flag::str("cpus", "2", "How many processors the node has."),
        Flag::str("memory", "", "How much memory the node has, as in 3g or 4096mb."),
        Flag::str("driver", "", "What runs the node. Only docker is simulated."),
        Flag::str(
            "container-runtime",
            "",
            "What runs containers on the node. Only docker is simulated.",
        )
        .short("c"),
        Flag::str(
            "kubernetes-version",
            "",
            "The version of Kubernetes. Only v1.36.2 is simulated.",
        ),
        Flag::int("nodes", "1", "How many nodes: one control plane, the others workers.")
            .short("n"),
        Flag::bool("dry-run", false, "Check the settings and do nothing."),
    ],
    run: |proc, parsed| Box::pin(run(proc, parsed)),
};

/// What the real program's steps take, about, where everything was downloaded before.
const STEP: Duration = Duration::from_millis(600);
const CREATE: Duration = Duration::from_millis(3_500);
const PREPARE: Duration = Duration::from_millis(2_500);
/// How long the API server is waited for (`--wait-timeout` is six minutes).
const PATIENCE: Duration = Duration::from_secs(360);
/// What the host can give.
const HOST_CPUS: u32 = 8;
const HOST_MEMORY_MIB: u64 = 15_800;

async fn run(proc: Proc, parsed: Parsed) -> i32 {
    let size = match settings(&parsed) {
        Ok(size) => size,
        Err(why) => return style::exit(&proc, why.0, &why.1, why.2).await,
    };
    style::out(&proc, "😄", &format!("minikube {VERSION} on Debian 12.5")).await;
    let Some(engine) = Engine::of(proc.machine()) else {
        let text = "docker: the docker service is not running";
        return style::exit(&proc, "PROVIDER_DOCKER_NOT_RUNNING", text, 69).await;
    };
    let existing = node::container(&proc, PROFILE).filter(|_| node::profile_exists(&proc));
    if existing.is_some() {
        style::out(&proc, "✨", "Using the docker driver based on existing profile").await;
    } else if parsed.str("driver").is_empty() {
        let text = "Automatically selected the docker driver. Other choices: none, ssh";
        style::out(&proc, "✨", text).await;
    } else {
        style::out(&proc, "✨", "Using the docker driver based on user configuration").await;
    }
    let nodes = match existing {
        Some(_) => i64::from(node::profile_nodes(&proc)),
        None => parsed.int("nodes"),
    };
    if !(1..=i64::from(MOST_NODES)).contains(&nodes) {
        let text = format!("{nodes} nodes can't be simulated; ask for 1 to {MOST_NODES}");
        return style::exit(&proc, "MK_USAGE", &text, 64).await;
    }
    if parsed.bool("dry-run") {
        style::out(&proc, "🌵", "dry-run validation complete!").await;
        return 0;
    }
    proc.sleep(STEP).await;
    if existing.is_none() {
        style::out(&proc, "📌", "Using Docker driver with root privileges").await;
    }
    let cluster = match node::cluster(&proc).filter(|_| existing.is_some()) {
        Some(cluster) => Ok(cluster),
        None => Cluster::create(proc.machine(), &engine, PROFILE),
    };
    let done = match cluster {
        Ok(cluster) => all_nodes(&proc, &engine, &cluster, nodes as u32, size).await,
        Err(text) => Err(("GUEST_PROVISION", text)),
    };
    match done {
        Ok(()) => {
            let text = "Done! kubectl is now configured to use \"minikube\" cluster and \
                        \"default\" namespace by default";
            style::out(&proc, "🏄", text).await;
            0
        }
        Err((reason, text)) => style::exit(&proc, reason, &text, 80).await,
    }
}

pub(super) type Failure = (&'static str, String);

/// Starts the control plane, then each worker.
async fn all_nodes(
    proc: &Proc,
    engine: &Engine,
    cluster: &Rc<Cluster>,
    nodes: u32,
    size: NodeSize,
) -> Result<(), Failure> {
    for index in 0..nodes {
        let node = machine(proc, engine, cluster, index, size).await?;
        if index == 0 {
            write_profile(proc, nodes, size).map_err(|text| ("HOST_PERMISSIONS", text))?;
            control_plane(proc, cluster, &node, nodes).await?;
        } else {
            worker(proc, &node).await;
        }
    }
    cluster.settled().await;
    Ok(())
}

/// Makes and starts the machine of the `index`-th node.
async fn machine(
    proc: &Proc,
    engine: &Engine,
    cluster: &Rc<Cluster>,
    index: u32,
    size: NodeSize,
) -> Result<Rc<ClusterNode>, Failure> {
    let name = node::name(index);
    let role = if index == 0 { "primary control-plane" } else { "worker" };
    let text = format!("Starting \"{name}\" {role} node in \"minikube\" cluster");
    style::out(proc, "👍", &text).await;
    let text = format!("Pulling base image {} ...", clusters::BASE_VERSION);
    style::out(proc, "🚜", &text).await;
    proc.sleep(STEP).await;
    match node::container(proc, &name) {
        Some(container) => restart(proc, engine, &container).await,
        None => create(proc, engine, cluster, size).await,
    }
    .map_err(|text| ("GUEST_PROVISION", text))?;
    cluster.node(&name).ok_or_else(|| {
        let text = format!(
            "the container \"{name}\" was not made by minikube; remove it with docker rm -f"
        );
        ("GUEST_PROVISION", text)
    })
}

/// Adds a worker to a cluster that runs; its name among the cluster's nodes. Errors: reason and
/// text.
pub(super) async fn add_worker(proc: &Proc, cluster: &Rc<Cluster>) -> Result<(), Failure> {
    let engine = Engine::of(proc.machine());
    let engine = engine.ok_or(("PROVIDER_DOCKER_NOT_RUNNING", "docker is not running".into()))?;
    let nodes = cluster.nodes();
    let size = nodes.first().map(|first| first.size);
    let size = size.ok_or(("GUEST_NODE_ADD", "the cluster has no control plane".to_string()))?;
    let index = nodes.len() as u32;
    let node = machine(proc, &engine, cluster, index, size).await?;
    write_profile(proc, index + 1, size).map_err(|text| ("HOST_PERMISSIONS", text))?;
    worker(proc, &node).await;
    cluster.settled().await;
    Ok(())
}

/// Settings as they will be, or reason, text and exit code.
fn settings(parsed: &Parsed) -> Result<NodeSize, (&'static str, String, i32)> {
    let only = |flag: &str, allowed: &[&str], what: &str| {
        let value = parsed.str(flag);
        if value.is_empty() || allowed.contains(&value) {
            return Ok(());
        }
        let text = format!("{what} {value:?} is not simulated; leave out --{flag}");
        Err(("NOT_SIMULATED", text, 64))
    };
    only("driver", &["docker"], "The driver")?;
    only("container-runtime", &["docker"], "The container runtime")?;
    only("kubernetes-version", &[KUBERNETES, "1.36.2", "stable", "latest"], "Kubernetes version")?;
    let cpus: u32 = match parsed.str("cpus") {
        "max" | "no-limit" => HOST_CPUS,
        text => text.parse().map_err(|_| {
            ("RSRC_INSUFFICIENT_CORES", format!("{text:?} is no number of processors"), 64)
        })?,
    };
    if cpus < 2 {
        let text = "Requested cpu count 1 is less than the minimum allowed of 2".to_string();
        return Err(("RSRC_INSUFFICIENT_CORES", text, 64));
    }
    if cpus > HOST_CPUS {
        let text =
            format!("Requested cpu count {cpus} is greater than the available cpus of {HOST_CPUS}");
        return Err(("RSRC_INSUFFICIENT_CORES", text, 64));
    }
    let memory_mib = match parsed.str("memory") {
        "" => 3_072,
        "max" | "no-limit" => HOST_MEMORY_MIB,
        text => mebibytes(text).ok_or_else(|| {
            ("MK_USAGE", format!("Unable to parse memory '{text}': invalid size: '{text}'"), 64)
        })?,
    };
    if memory_mib < 1_800 {
        let text = format!(
            "Requested memory allocation {memory_mib}MiB is less than the usable minimum of 1800MB"
        );
        return Err(("RSRC_INSUFFICIENT_REQ_MEMORY", text, 23));
    }
    if memory_mib > HOST_MEMORY_MIB {
        let text = format!(
            "Requested memory allocation {memory_mib}MB is more than your system limit \
             {HOST_MEMORY_MIB}MB."
        );
        return Err(("RSRC_OVER_ALLOC_MEM", text, 64));
    }
    Ok(NodeSize { cpus, memory_mib })
}

/// `4096`, `4096mb`, `3g`.
fn mebibytes(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let digits = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let n: u64 = digits.parse().ok()?;
    match &lower[digits.len()..] {
        "" | "m" | "mb" | "mi" | "mib" => Some(n),
        "g" | "gb" | "gi" | "gib" => n.checked_mul(1024),
        _ => None,
    }
}

async fn create(
    proc: &Proc,
    engine: &Engine,
    cluster: &Rc<Cluster>,
    size: NodeSize,
) -> Result<(), String> {
    let text =
        format!("Creating docker container (CPUs={}, Memory={}MB) ...", size.cpus, size.memory_mib);
    style::out(proc, "🔥", &text).await;
    proc.sleep(CREATE).await;
    let container = ClusterNode::create(cluster, proc.machine(), engine, size)?;
    engine.launch(&container).map_err(|e| e.message)
}

async fn restart(proc: &Proc, engine: &Engine, container: &Rc<Container>) -> Result<(), String> {
    let name = container.name.borrow().clone();
    if container.is_running() {
        let text = format!("Updating the running docker \"{name}\" container ...");
        style::out(proc, "🏃", &text).await;
        return Ok(());
    }
    let text = format!("Restarting existing docker container for \"{name}\" ...");
    style::out(proc, "🔄", &text).await;
    proc.sleep(CREATE).await;
    engine.launch(container).map_err(|e| e.message)
}

fn write_profile(proc: &Proc, nodes: u32, size: NodeSize) -> Result<(), String> {
    let profile = node::profile_dir(proc);
    let mut path = proc.env("HOME").unwrap_or_else(|| "/root".into());
    for part in [".minikube", "profiles", PROFILE] {
        path = format!("{path}/{part}");
        if !proc.is_dir(&path) {
            proc.make_dir(&path).map_err(|e| e.to_string())?;
        }
    }
    let node = |index: u32| {
        let name = if index == 0 { String::new() } else { format!("m{:02}", index + 1) };
        let port = if index == 0 { 8443 } else { 0 };
        json!({
            "Name": name, "IP": format!("192.168.49.{}", index + 2), "Port": port,
            "ControlPlane": index == 0, "Worker": true,
        })
    };
    let config = json!({
        "Name": PROFILE, "Driver": "docker", "CPUs": size.cpus, "Memory": size.memory_mib,
        "KubernetesConfig": {
            "KubernetesVersion": KUBERNETES, "ClusterName": PROFILE, "ContainerRuntime": "docker",
        },
        "Nodes": (0..nodes).map(node).collect::<Vec<_>>(),
    });
    let text = crate::api::json::pretty(&config);
    proc.write_file(&format!("{profile}/config.json"), text.as_bytes()).map_err(|e| e.to_string())
}

async fn preparing(proc: &Proc, node: &ClusterNode) {
    let version = node.engine().map_or("", |e| e.kind().version());
    let text = format!("Preparing Kubernetes {KUBERNETES} on Docker {version} ...");
    style::out(proc, "🐳", &text).await;
}

/// From a running container to a control plane that answers.
async fn control_plane(
    proc: &Proc,
    cluster: &Rc<Cluster>,
    node: &ClusterNode,
    nodes: u32,
) -> Result<(), Failure> {
    // The node's own services are up a moment after it.
    proc.sleep(STEP).await;
    preparing(proc, node).await;
    proc.sleep(PREPARE).await;
    if node.prepare() {
        let cni = if nodes > 1 { "CNI" } else { "bridge CNI" };
        let text = format!("Configuring {cni} (Container Networking Interface) ...");
        style::out(proc, "🔗", &text).await;
    }
    let server = format!("https://{}", cluster.server());
    let certificates = kubeconfig::write_certificates(proc, cluster);
    certificates.map_err(|error| ("HOST_KUBECONFIG_UPDATE", error))?;
    kubeconfig::add(proc, &server).map_err(|error| ("HOST_KUBECONFIG_UPDATE", error))?;
    style::out(proc, "🔎", "Verifying Kubernetes components...").await;
    let wait = async {
        while node::client(proc, cluster).is_none() {
            proc.sleep(Duration::from_millis(500)).await;
        }
    };
    if let Either::Right(()) = race(wait, proc.sim().sleep(PATIENCE)).await {
        let text = "wait 6m0s for node: wait for healthy API server: apiserver process never \
                    appeared";
        return Err(("GUEST_START", text.to_string()));
    }
    cluster.install(node::client(proc, cluster)).map_err(|error| ("GUEST_START", error))?;
    style::sub(proc, "Using image gcr.io/k8s-minikube/storage-provisioner:v5").await;
    proc.sleep(STEP).await;
    style::out(proc, "🌟", "Enabled addons: storage-provisioner, default-storageclass").await;
    Ok(())
}

async fn worker(proc: &Proc, node: &ClusterNode) {
    style::out(proc, "🌐", "Found network options:").await;
    style::sub(proc, "NO_PROXY=192.168.49.2").await;
    proc.sleep(STEP).await;
    preparing(proc, node).await;
    style::sub(proc, "env NO_PROXY=192.168.49.2").await;
    node.prepare();
    proc.sleep(PREPARE).await;
    style::out(proc, "🔎", "Verifying Kubernetes components...").await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_docker_reads_them() {
        for (text, mib) in
            [("4096", Some(4096)), ("3g", Some(3072)), ("2GB", Some(2048)), ("x", None)]
        {
            assert_eq!(mebibytes(text), mib, "{text}");
        }
    }
}
