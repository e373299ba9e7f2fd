//! What a new cluster is given: static pods, the API server's own objects, DNS and the proxy.

use std::{rc::Rc, time::Duration};

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Endpoints, Namespace, Node, Pod, Service, ServiceAccount},
    discovery::v1::EndpointSlice,
};

use serde_json::Value;

use super::{join, minikube::Layout};
use crate::{
    api::{Status, Typed, base64, yaml},
    client::{Client, DeleteOptions, FieldValidation, Op, Subscription},
};

/// How long the token is good with which a cluster is made.
const TOKEN_LIFE: Duration = Duration::from_secs(24 * 3600);

/// Manifests of `/etc/kubernetes/manifests`, by name.
pub const STATIC_PODS: &[(&str, &str)] = &[
    ("etcd", include_str!("manifests/etcd.yaml")),
    ("kube-apiserver", include_str!("manifests/kube-apiserver.yaml")),
    ("kube-controller-manager", include_str!("manifests/kube-controller-manager.yaml")),
    ("kube-scheduler", include_str!("manifests/kube-scheduler.yaml")),
];

/// The API server's own objects: namespaces, and the service by which pods reach it.
fn own_objects(client: &Client, layout: &Layout) -> Result<(), String> {
    // The manifests are minikube's.
    let address = layout.first.to_string();
    let text = include_str!("manifests/bootstrap.yaml").replace("192.168.49.2", &address);
    create_missing(client, &text, |_| true)
}

/// Looks after the API server's own objects until it is dropped: who deletes one has it back.
pub struct Keeper(#[expect(dead_code, reason = "held, not read")] (Rc<()>, Subscription));

impl Keeper {
    /// Begins. Models `pkg/controlplane/controller/kubernetesservice`, which looks every 10 seconds,
    /// and `…/systemnamespaces`, every minute.
    pub fn start(client: &Client, layout: &'static Layout) -> Keeper {
        let alive = Rc::new(());
        let (weak, began, own) = (Rc::downgrade(&alive), client.sim().now(), client.clone());
        let kinds = [Service::ID, Endpoints::ID, EndpointSlice::ID, Namespace::ID];
        let subscription = client.on_change(&kinds, move |change| {
            let (object, is_namespace) = (&change.object, change.kind == Namespace::ID);
            let is_own = object.namespace() == "default" && object.name() == "kubernetes";
            if change.op != Op::Deleted || !(is_own || is_namespace) {
                return;
            }
            let period = if is_namespace { 60_000 } else { 10_000 };
            let passed = own.sim().now().since(began).as_millis() as u64 % period;
            let (weak, own) = (weak.clone(), own.clone());
            own.sim().clone().after(Duration::from_millis(period - passed), move || {
                if weak.upgrade().is_some() {
                    let _ = own_objects(&own, layout);
                }
            });
        });
        Keeper((alive, subscription))
    }
}

/// What the API server makes sure is there whenever it starts.
pub fn bootstrap(client: &Client, layout: &Layout) -> Result<(), String> {
    own_objects(client, layout)?;
    create_missing(client, include_str!("manifests/flowcontrol.yaml"), |_| true)?;
    client.ensure_policy().map_err(|error| error.message)
}

const METRICS: &str = include_str!("manifests/metrics-server.yaml");

/// minikube's addon `metrics-server`.
pub fn enable_metrics(client: &Client) -> Result<(), String> {
    create_missing(client, METRICS, |_| true)
}

/// Takes the addon away again.
pub fn disable_metrics(client: &Client) -> Result<(), String> {
    let (documents, _) = yaml::documents(METRICS);
    for document in documents.iter().rev() {
        let text = |path: &str| document.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let known = client.kinds().by_kind(text("/apiVersion"), text("/kind")).map(|k| k.id);
        let Some(kind) = known else { continue };
        let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
        match client.delete_any(kind, namespace, name, &DeleteOptions::default()) {
            Err(error) if !error.is_not_found() => return Err(error.message),
            _ => {}
        }
    }
    Ok(())
}

/// Whether the addon is there.
pub fn has_metrics(client: &Client) -> bool {
    client.find::<Deployment>("kube-system", "metrics-server").is_some()
}

/// What kubeadm and minikube add; a provider's clusters have no storage on their nodes.
pub fn addons(client: &Client, name: &str, layout: &Layout) -> Result<(), String> {
    kubeadm(client, name, layout)?;
    let text = include_str!("manifests/addons.yaml");
    if !layout.managed {
        return create_missing(client, text, |_| true);
    }
    let hosts = "192.168.49.1 host.minikube.internal\n           ";
    create_missing(client, &text.replace(hosts, ""), |document| {
        let name = document["metadata"]["name"].as_str().unwrap_or_default();
        document["kind"] != "StorageClass" && name != "storage-provisioner"
    })?;
    create_missing(client, include_str!("manifests/cloud.yaml"), |_| true)
}

/// What kubeadm keeps of a cluster, its rules for machines that join, and a token for a day.
fn kubeadm(client: &Client, name: &str, layout: &Layout) -> Result<(), String> {
    let host = layout.server.split(':').next().unwrap_or_default();
    let text = include_str!("manifests/kubeadm.yaml")
        .replace("AUTHORITY", &base64::encode(client.authority().as_bytes()))
        .replace("CLUSTER", name)
        .replace("HOST", host)
        .replace("SERVER", layout.server);
    let client = client.managed_by("kubeadm");
    create_missing(&client, &text, |_| true)?;
    let token = join::new_token(client.sim()).to_secret(Some(client.sim().now() + TOKEN_LIFE));
    client.create(token).map(|_| ()).map_err(|error| error.message)
}

fn create_missing(
    client: &Client,
    text: &str,
    wanted: impl Fn(&Value) -> bool,
) -> Result<(), String> {
    let (documents, error) = yaml::documents(text);
    if let Some(error) = error {
        return Err(error.to_string());
    }
    for document in documents.into_iter().filter(wanted) {
        let field = |name: &str| document[name].as_str().unwrap_or_default().to_string();
        let kind = client
            .kinds()
            .by_kind(&field("apiVersion"), &field("kind"))
            .map(|k| k.id)
            .ok_or_else(|| format!("no kind {}", field("kind")))?;
        let namespace = document["metadata"]["namespace"].as_str().unwrap_or_default().to_string();
        match client.create_value(kind, &namespace, document, FieldValidation::Strict) {
            Ok(_) => {}
            Err(error) if error.is_already_exists() => {}
            Err(Status { message, .. }) => return Err(message),
        }
    }
    Ok(())
}

/// Completes when `nodes` nodes are ready, `default` has its service account and the cluster's own pods
/// have a node (what `minikube start` waits for by default).
pub async fn settled(client: &Client, nodes: usize) {
    let (sender, mut receiver) = crate::sim::channel();
    let kinds = [Node::ID, Pod::ID, ServiceAccount::ID];
    let _subscription = client.on_change(&kinds, move |_| {
        sender.send(());
    });
    while !is_settled(client, nodes) {
        receiver.recv().await;
    }
}

fn is_settled(client: &Client, wanted: usize) -> bool {
    let nodes = client.list::<Node>(None);
    let ready = nodes.iter().filter(|node| {
        let conditions = node.status.as_ref().and_then(|s| s.conditions.as_ref());
        conditions.into_iter().flatten().any(|c| c.type_ == "Ready" && c.status == "True")
    });
    let ready = ready.count() >= wanted;
    let pods = client.list::<Pod>(Some("kube-system"));
    ready
        && client.find::<ServiceAccount>("default", "default").is_some()
        && pods.iter().all(|p| p.spec.as_ref().is_some_and(|s| s.node_name.is_some()))
        && pods.iter().any(|p| p.metadata.name.as_ref().is_some_and(|n| n.starts_with("coredns")))
}
