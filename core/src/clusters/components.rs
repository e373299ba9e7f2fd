//! The programs of a node and its control plane: each starts its component and runs as long as it.
//!
//! They are processes like any other: the kubelet starts them in static pods, `docker rm -f` ends
//! them, and with the process its component is gone until it is started again.

use std::{collections::BTreeMap, net::Ipv4Addr, rc::Rc, time::Duration};

use k8s_openapi::api::core::v1::{Pod, Taint};

use super::{
    ClusterNode, api_endpoint, cloud, install, join,
    metrics::{self, MetricsServer},
    minikube::OnNode,
    provisioner::Provisioner,
};
use crate::{
    api::{Typed, yaml},
    client::Client,
    controllers,
    fabric::{
        Endpoint,
        http::{Handler, Tls, serve},
    },
    kubelet::{Capacity, Hub, Kubelet, KubeletConfig},
    machine::{Proc, Program, Signal},
    network::{Dns, Proxy},
    runtime::Engine,
    sim::{Either, race},
};

/// The programs, sorted by name.
pub static PROGRAMS: &[&Program] = &[
    &CLOUD_MANAGER,
    &AUTOSCALER,
    &CONTAINERD,
    &COREDNS,
    &CSI_CONTROLLER,
    &DOCKERD,
    &ETCD,
    &APISERVER,
    &CONTROLLER_MANAGER,
    &PROXY,
    &super::kube_scheduler::PROGRAM,
    &KUBELET,
    &METRICS_SERVER,
    &PROVISIONER,
    &super::systemd::SYSTEMCTL,
    &super::systemd::SYSTEMD,
];

/// A program by name.
pub fn find(name: &str) -> Option<&'static Program> {
    PROGRAMS.iter().find(|p| p.name == name).copied()
}

macro_rules! component {
    ($id:ident, $name:literal, $summary:literal, $main:ident) => {
        static $id: Program = Program {
            name: $name,
            summary: $summary,
            run: |proc| Box::pin($main(proc)),
            complete: None,
        };
    };
}

component!(
    CLOUD_MANAGER,
    "cloud-controller-manager",
    "makes a provider's machines nodes and its load balancers services'",
    cloud_manager
);
component!(AUTOSCALER, "cluster-autoscaler", "adds and removes a provider's machines", autoscaler);
component!(CSI_CONTROLLER, "csi-controller", "makes a provider's disks volumes", csi_controller);
component!(CONTAINERD, "containerd", "the container runtime", dockerd);
component!(DOCKERD, "dockerd", "the Docker daemon", dockerd);
component!(ETCD, "etcd", "the cluster's key-value store", etcd);
component!(APISERVER, "kube-apiserver", "the Kubernetes API server", apiserver);
component!(
    CONTROLLER_MANAGER,
    "kube-controller-manager",
    "the Kubernetes controllers",
    controller_manager
);
component!(COREDNS, "coredns", "the cluster's DNS server", coredns);
component!(PROXY, "kube-proxy", "the node's service proxy", kube_proxy);
component!(
    PROVISIONER,
    "storage-provisioner",
    "makes volumes on the node's disk",
    storage_provisioner
);
component!(METRICS_SERVER, "metrics-server", "tells what pods and nodes use", metrics_server);
component!(KUBELET, "kubelet", "the Kubernetes node agent", kubelet);

/// How long the API server takes from its start until it answers; etcd half of that.
const API_START: Duration = Duration::from_millis(1_600);
const ETCD_START: Duration = Duration::from_millis(600);
/// How long a component tries to reach the API server before it gives up.
const API_PATIENCE: Duration = Duration::from_secs(10);

/// The node that a process of a container (or of the node itself) belongs to.
pub(super) fn node_of(proc: &Proc) -> Option<Rc<ClusterNode>> {
    let machine = proc.machine();
    machine.get::<ClusterNode>().or_else(|| machine.get::<OnNode>()?.0.upgrade())
}

/// A line as components log it (`I1121 08:00:00.000000       1 server.go:150] text`).
async fn log(proc: &Proc, source: &str, text: &str) {
    klog(proc, 'I', source, text).await;
}

/// The same for another level (`E`).
pub(super) async fn klog(proc: &Proc, level: char, source: &str, text: &str) {
    let now = proc.sim().now().to_timestamp();
    let stamp = jiff::fmt::strtime::format("%m%d %H:%M:%S%.6f", now).unwrap_or_default();
    proc.eprint(&format!("{level}{stamp} {:>7} {source}] {text}\n", proc.pid())).await;
}

pub(super) async fn no_node(proc: &Proc) -> i32 {
    proc.eprint(&format!("{}: no cluster was made for this machine\n", proc.name())).await;
    1
}

/// Completes when the process is asked to end.
async fn asked_to_end(proc: &Proc) {
    while !matches!(proc.signal().await, Signal::Term | Signal::Int) {}
}

/// Answers health checks on a port until the process ends.
pub(super) fn healthz(proc: &Proc, port: u16, tls: bool) {
    let Some(endpoint) = proc.machine().get::<Endpoint>() else { return };
    let listener = if tls {
        endpoint.listen_service(port, Rc::new(Tls::default()), false)
    } else {
        endpoint.listen(port)
    };
    let Ok(listener) = listener else { return };
    let spawner = proc.clone();
    serve(
        listener,
        Rc::new(move |future| spawner.spawn_task(future)),
        Rc::new(|request, _| api_endpoint::healthy(request.route())),
    );
}

async fn dockerd(proc: Proc) -> i32 {
    let Some(node) = node_of(&proc) else { return no_node(&proc).await };
    let Some(engine) = node.start_engine() else { return no_node(&proc).await };
    asked_to_end(&proc).await;
    engine.halt();
    0
}

async fn etcd(proc: Proc) -> i32 {
    if node_of(&proc).is_none() {
        return no_node(&proc).await;
    }
    proc.sleep(ETCD_START).await;
    healthz(&proc, 2381, false);
    log(&proc, "server.go:873", "ready to serve client requests").await;
    asked_to_end(&proc).await;
    0
}

/// Takes the API server out of the directory when its process ends, however it ends.
struct Serving(Rc<ClusterNode>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.cluster.stop_serving();
        self.0.cluster.current.touch();
    }
}

async fn apiserver(proc: Proc) -> i32 {
    let Some(node) = node_of(&proc) else { return no_node(&proc).await };
    log(&proc, "server.go:150", "Version: v1.36.2").await;
    proc.sleep(API_START).await;
    let client = Client::system(&node.cluster.api, "apiserver");
    if let Err(error) = install::bootstrap(&client, node.cluster.layout) {
        proc.eprint(&format!("E {error}\n")).await;
        return 1;
    }
    let _keeper = install::Keeper::start(&client, node.cluster.layout);
    let health: Handler = Rc::new(|request, _| api_endpoint::healthy(request.route()));
    api_endpoint::serve(&proc, &client, 8443, &health);
    node.cluster.serve();
    let _serving = Serving(node.clone());
    node.cluster.current.touch();
    log(&proc, "secure_serving.go:211", "Serving securely on [::]:8443").await;
    asked_to_end(&proc).await;
    0
}

/// Waits for the API server; `false` if it does not come in time.
pub(super) async fn api_answers(proc: &Proc, node: &ClusterNode) -> bool {
    let start = proc.sim().now();
    while !node.cluster.answers() {
        if proc.sim().now().since(start) > API_PATIENCE {
            let text = format!(
                "error while reaching the API server: Get \"https://{}/healthz\": dial tcp {}: \
                 connect: connection refused",
                node.cluster.server(),
                node.cluster.server()
            );
            proc.eprint(&format!("E {text}\n")).await;
            return false;
        }
        proc.sleep(Duration::from_millis(500)).await;
    }
    true
}

async fn controller_manager(proc: Proc) -> i32 {
    let Some(node) = node_of(&proc) else { return no_node(&proc).await };
    if !api_answers(&proc, &node).await {
        return 1;
    }
    log(&proc, "controllermanager.go:191", "Version: v1.36.2").await;
    let client = Client::system(&node.cluster.api, "kube-controller-manager");
    let _manager = controllers::Manager::start(&client);
    healthz(&proc, 10257, true);
    asked_to_end(&proc).await;
    0
}

/// The provider of the cluster that a process is part of; ends the process where there is none.
async fn provider(proc: &Proc, node: &ClusterNode) -> Result<Rc<cloud::Cloud>, i32> {
    if !api_answers(proc, node).await {
        return Err(1);
    }
    let provider = node.cluster.cloud.borrow().upgrade();
    match provider {
        Some(provider) => Ok(provider),
        None => Err(no_node(proc).await),
    }
}

async fn cloud_manager(proc: Proc) -> i32 {
    let Some(node) = node_of(&proc) else { return no_node(&proc).await };
    let cloud = match provider(&proc, &node).await {
        Ok(cloud) => cloud,
        Err(code) => return code,
    };
    let client = Client::system(&node.cluster.api, "cloud-controller-manager");
    let _manager = cloud::manager::Manager::start(&client, &cloud);
    asked_to_end(&proc).await;
    0
}

async fn autoscaler(proc: Proc) -> i32 {
    let Some(node) = node_of(&proc) else { return no_node(&proc).await };
    let cloud = match provider(&proc, &node).await {
        Ok(cloud) => cloud,
        Err(code) => return code,
    };
    let client = Client::system(&node.cluster.api, "cluster-autoscaler");
    let _autoscaler =
        controllers::framework::start(&client, cloud::autoscaler::make(&client, &cloud));
    asked_to_end(&proc).await;
    0
}

async fn csi_controller(proc: Proc) -> i32 {
    let Some(node) = node_of(&proc) else { return no_node(&proc).await };
    let cloud = match provider(&proc, &node).await {
        Ok(cloud) => cloud,
        Err(code) => return code,
    };
    let client = Client::system(&node.cluster.api, "csi-controller");
    let _driver = cloud::disks::parts(&client, &cloud.disks)
        .map(|part| controllers::framework::start(&client, part));
    asked_to_end(&proc).await;
    0
}

async fn kubelet(proc: Proc) -> i32 {
    let Some(node) = node_of(&proc) else { return no_node(&proc).await };
    let Some(engine) = node.engine().filter(Engine::is_running) else {
        proc.eprint("E validate service connection: docker is not running\n").await;
        return 1;
    };
    let client =
        Client::system(&node.cluster.api, &format!("node:{}", node.name)).managed_by("kubelet");
    let static_pods = match manifests(&proc, &client) {
        Ok(pods) => pods,
        Err(error) => {
            proc.eprint(&format!("E {error}\n")).await;
            Vec::new()
        }
    };
    if !node.control_plane && !api_answers(&proc, &node).await {
        return 1;
    }
    if !join::has_certificate(&proc) {
        if !join::has_token(&proc) {
            // A provider's machine is told by what it boots with.
            node.write_token();
        }
        let joining = race(asked_to_end(&proc), join::join(&proc, &node)).await;
        if matches!(joining, Either::Left(())) {
            return 0;
        }
    }
    proc.spawn_task(join::keep_certificate(proc.clone(), node.clone()));
    let _kubelet = Kubelet::start(KubeletConfig {
        hub: client.shared(Hub::new),
        client,
        node_name: node.name.clone(),
        machine: proc.machine().clone(),
        engine,
        pod_cidr: None,
        capacity: Capacity {
            cpus: node.size.cpus,
            memory: node.size.memory_mib << 20,
            ..Capacity::default()
        },
        labels: node_labels(&node),
        taints: node_taints(&node),
        static_pods,
        cluster_dns: Some(CLUSTER_DNS),
        cluster_domain: "cluster.local".into(),
        os_image: "Debian GNU/Linux 12 (bookworm)".into(),
        version: "v1.36.2".into(),
    });
    asked_to_end(&proc).await;
    0
}

/// A provider's node takes no pods until the provider's controller has looked at it
/// (`--cloud-provider=external`).
fn node_taints(node: &ClusterNode) -> Vec<Taint> {
    let taint = Taint {
        key: cloud::UNINITIALIZED.into(),
        value: Some("true".into()),
        effect: "NoSchedule".into(),
        ..Default::default()
    };
    if node.cluster.layout.managed { vec![taint] } else { Vec::new() }
}

/// What minikube and kubeadm label nodes with; or the provider, with the group of the node.
fn node_labels(node: &ClusterNode) -> BTreeMap<String, String> {
    if node.cluster.layout.managed {
        return BTreeMap::from([cloud::group_label()]);
    }
    let mut labels = BTreeMap::from([
        ("minikube.k8s.io/name".to_string(), node.cluster.name.clone()),
        ("minikube.k8s.io/primary".into(), node.control_plane.to_string()),
        ("minikube.k8s.io/version".into(), "v1.38.1".into()),
    ]);
    if node.control_plane {
        labels.insert("node-role.kubernetes.io/control-plane".into(), String::new());
        let key = "node.kubernetes.io/exclude-from-external-load-balancers";
        labels.insert(key.into(), String::new());
    }
    labels
}

/// The address of the service `kube-dns`.
const CLUSTER_DNS: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 10);

/// The pods that the node runs without being told.
fn manifests(proc: &Proc, client: &Client) -> Result<Vec<Pod>, String> {
    const FOLDER: &str = "/etc/kubernetes/manifests";
    let mut pods = Vec::new();
    for (name, _) in proc.list(FOLDER).unwrap_or_default() {
        let path = format!("{FOLDER}/{name}");
        let text = proc.read_text(&path).map_err(|e| format!("{path}: {e}"))?;
        let value = yaml::parse(&text).map_err(|e| format!("{path}: {e}"))?;
        let object = client.decode(Pod::ID, value).map_err(|e| format!("{path}: {e}"))?;
        if let Ok(pod) = object.boxed_any().downcast::<Pod>() {
            pods.push(*pod);
        }
    }
    Ok(pods)
}

async fn kube_proxy(proc: Proc) -> i32 {
    let Some(node) = node_of(&proc) else { return no_node(&proc).await };
    if !api_answers(&proc, &node).await {
        return 1;
    }
    let Some(endpoint) = node.endpoint() else { return no_node(&proc).await };
    let client = Client::system_account(&node.cluster.api, "kube-system", "kube-proxy");
    let _proxy = Proxy::start(&client, &endpoint, &node.name);
    log(&proc, "server.go:677", "\"Starting kube-proxy\" mode=\"iptables\"").await;
    asked_to_end(&proc).await;
    0
}

async fn coredns(proc: Proc) -> i32 {
    let Some(node) = node_of(&proc) else { return no_node(&proc).await };
    if !api_answers(&proc, &node).await {
        return 1;
    }
    let Some(endpoint) = proc.machine().get::<Endpoint>() else { return no_node(&proc).await };
    let client = Client::system_account(&node.cluster.api, "kube-system", "coredns");
    let gateway = Ipv4Addr::new(192, 168, 49, 1);
    let hosts = vec![("host.minikube.internal".to_string(), gateway)];
    healthz(&proc, 8080, false);
    healthz(&proc, 8181, false);
    let Ok(_dns) = Dns::start(&client, &endpoint, hosts) else {
        proc.eprint("Listen: listen udp :53: bind: address already in use\n").await;
        return 1;
    };
    proc.print(".:53\nCoreDNS-1.14.2\nlinux/amd64, go1.25.5\n").await;
    asked_to_end(&proc).await;
    0
}

/// Tells what pods and nodes use. It is ready once it has measured.
async fn metrics_server(proc: Proc) -> i32 {
    let Some(node) = node_of(&proc) else { return no_node(&proc).await };
    if !api_answers(&proc, &node).await {
        return 1;
    }
    proc.process().set_memory(18 << 20);
    let client = Client::system_account(&node.cluster.api, "kube-system", "metrics-server");
    let server = MetricsServer::start(&node.cluster.api, &client);
    log(&proc, "secure_serving.go:211", "Serving securely on [::]:4443").await;
    healthz(&proc, 4443, true);
    server.scrape();
    let work = async {
        loop {
            proc.sleep(metrics::RESOLUTION).await;
            proc.process().add_cpu_micros(20_000);
            server.scrape();
        }
    };
    race(asked_to_end(&proc), work).await;
    0
}

/// Makes volumes on the disk of its node.
async fn storage_provisioner(proc: Proc) -> i32 {
    let Some(node) = node_of(&proc) else { return no_node(&proc).await };
    if !api_answers(&proc, &node).await {
        return 1;
    }
    let Some(machine) = node.machine() else { return no_node(&proc).await };
    let client = Client::system(&node.cluster.api, "storage-provisioner");
    let _provisioner = Provisioner::start(&client, &machine, &node.name);
    log(&proc, "main.go:39", "storage provisioner initialized, now starting service!").await;
    asked_to_end(&proc).await;
    0
}
