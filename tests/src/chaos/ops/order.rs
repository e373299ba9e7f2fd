//! How workloads change and what belongs to what: rollouts, services of every kind, namespaces,
//! custom resources with owners.

use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet},
    core::v1::Namespace,
};
use sandbar_core::{
    api::{meta, object::to_value, patch::PatchType},
    client::{DeleteOptions, FieldValidation, ListOptions, Subresource},
};
use serde_json::{Value, json};

use super::{NAMES, PLACE, kind_named, make, make_in, merge, remove};
use crate::chaos::{Chance, cluster::Cluster};

/// One thing that is done.
#[derive(Clone, Debug)]
pub enum Order {
    /// A deployment's rollout is paused, or goes on.
    Pause(u64, bool),
    /// A deployment goes back to what it was before.
    Undo(u64),
    /// A workload's pods are made anew.
    Restart(u64),
    /// How far a deployment may be above and below what it wants, in percent.
    Strategy(u64, u64, u64),
    /// A service of another sort.
    Service(u64, Sort),
    /// A namespace with a bit of everything.
    Space,
    /// The namespace goes.
    DeleteSpace,
    /// A definition of a kind.
    Definition,
    /// The definition goes, and all objects of the kind.
    DeleteDefinition,
    /// An object of that kind, owned by a deployment, and a map owned by it.
    Custom(u64),
    /// The object goes; its map stays without an owner if asked for.
    DeleteCustom(u64, bool),
}

/// Sorts of services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Without an address.
    Headless,
    /// A name only.
    External,
    /// With a load balancer, which nobody makes here.
    Balanced,
    /// An address again.
    Plain,
}

impl Order {
    /// By chance.
    pub fn draw(chance: &mut Chance) -> Order {
        let (n, more) = (chance.below(NAMES), chance.below(1_000));
        let sort = [Sort::Headless, Sort::External, Sort::Balanced, Sort::Plain];
        match chance.below(16) {
            0 | 1 => Order::Pause(n, more.is_multiple_of(2)),
            2 | 3 => Order::Undo(n),
            4 => Order::Restart(n),
            5 => Order::Strategy(n, more % 101, (more * 7) % 101),
            6 | 7 => Order::Service(n, sort[more as usize % 4]),
            8 | 9 => Order::Space,
            10 => Order::DeleteSpace,
            11 => Order::Definition,
            12 => Order::DeleteDefinition,
            13 | 14 => Order::Custom(n),
            _ => Order::DeleteCustom(n, more.is_multiple_of(2)),
        }
    }

    /// Does it.
    pub fn run(&self, cluster: &Cluster) {
        match self {
            Order::Pause(n, yes) => {
                merge(cluster, "Deployment", &deploy(*n), &json!({"spec": {"paused": yes}}));
            }
            Order::Undo(n) => undo(cluster, *n),
            Order::Restart(n) => {
                let at = format!("{:?}", cluster.sim.now());
                let stamp = json!({"spec": {"template": {"metadata": {"annotations":
                    {"kubectl.kubernetes.io/restartedAt": at}}}}});
                merge(cluster, "Deployment", &deploy(*n), &stamp);
                merge(cluster, "StatefulSet", &format!("sts-{n}"), &stamp);
                merge(cluster, "DaemonSet", &format!("ds-{n}"), &stamp);
            }
            Order::Strategy(n, above, below) => {
                let strategy = json!({"spec": {"strategy": {"type": "RollingUpdate",
                    "rollingUpdate": {"maxSurge": format!("{above}%"),
                        "maxUnavailable": format!("{below}%")}}}});
                merge(cluster, "Deployment", &deploy(*n), &strategy);
            }
            Order::Service(n, sort) => service(cluster, *n, *sort),
            Order::Space => space(cluster),
            Order::DeleteSpace => {
                let options = DeleteOptions::default();
                let _ = cluster.admin.delete::<Namespace>("", SPACE, &options);
            }
            Order::Definition => make(cluster, definition()),
            Order::DeleteDefinition => {
                remove(cluster, "CustomResourceDefinition", "widgets.example.com");
            }
            Order::Custom(n) => custom(cluster, *n),
            Order::DeleteCustom(n, orphan) => {
                let Some(kind) = widgets(cluster) else { return };
                let propagation = match orphan {
                    true => sandbar_core::client::Propagation::Orphan,
                    false => sandbar_core::client::Propagation::Foreground,
                };
                let options = DeleteOptions { propagation, ..DeleteOptions::default() };
                let _ = cluster.admin.delete_any(kind, PLACE, &format!("widget-{n}"), &options);
            }
        }
    }
}

/// Lets rollouts go on.
pub fn heal(cluster: &Cluster) {
    for n in 0..NAMES {
        Order::Pause(n, false).run(cluster);
    }
}

/// The namespace that comes and goes.
const SPACE: &str = "side";

fn deploy(n: u64) -> String {
    format!("deploy-{n}")
}

fn revision(set: &ReplicaSet) -> u64 {
    let text = meta::annotation(&set.metadata, "deployment.kubernetes.io/revision");
    text.and_then(|t| t.parse().ok()).unwrap_or(0)
}

/// As `kubectl rollout undo`: the template of the last replica set but one.
fn undo(cluster: &Cluster, n: u64) {
    let name = deploy(n);
    let Some(deployment) = cluster.admin.find::<Deployment>(PLACE, &name) else { return };
    let uid = deployment.metadata.uid.clone().unwrap_or_default();
    let mut sets = cluster.admin.list::<ReplicaSet>(Some(PLACE));
    sets.retain(|set| meta::controller_of(&set.metadata).is_some_and(|c| c.uid == uid));
    sets.sort_by_key(|set| std::cmp::Reverse(revision(set)));
    let Some(template) = sets.get(1).and_then(|set| set.spec.as_ref()?.template.clone()) else {
        return;
    };
    let mut template = to_value(&template);
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove("pod-template-hash");
    }
    let patch = json!([{"op": "replace", "path": "/spec/template", "value": template}]);
    let kind = kind_named(cluster, "Deployment");
    let what = (PatchType::Json, &patch);
    let _ = cluster.admin.patch(kind, (PLACE, &name), what, Subresource::Main);
}

fn service(cluster: &Cluster, n: u64, sort: Sort) {
    let name = format!("other-{n}");
    let selector = json!({"app": format!("deploy-{n}")});
    let spec = match sort {
        Sort::Headless => json!({"clusterIP": "None", "selector": selector,
            "ports": [{"port": 80}]}),
        Sort::External => json!({"type": "ExternalName", "externalName": "example.com"}),
        Sort::Balanced => json!({"type": "LoadBalancer", "selector": selector,
            "ports": [{"port": 80}]}),
        Sort::Plain => json!({"selector": selector, "ports": [{"port": 8080, "targetPort": 80}]}),
    };
    remove(cluster, "Service", &name);
    make(
        cluster,
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}),
    );
}

fn space(cluster: &Cluster) {
    make(cluster, json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}}));
    let labels = json!({"app": "inner"});
    let inner = json!({"metadata": {"labels": labels}, "spec": {"containers": [
        {"name": "c", "image": "web-example:1.25"}], "terminationGracePeriodSeconds": 3}});
    let objects = [
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "inner"},
            "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": inner}}),
        json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "inner-set"},
            "spec": {"replicas": 1, "serviceName": "inner",
                "selector": {"matchLabels": labels}, "template": inner,
                "volumeClaimTemplates": [{"metadata": {"name": "data"},
                    "spec": {"accessModes": ["ReadWriteOnce"],
                        "storageClassName": "standard-rwo",
                        "resources": {"requests": {"storage": "1Gi"}}}}]}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "inner"},
            "spec": {"selector": labels, "ports": [{"port": 80}]}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "inner"}}),
    ];
    for object in objects {
        make_in(cluster, SPACE, object);
    }
}

fn definition() -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object",
                    "properties": {"spec": {"type": "object",
                        "x-kubernetes-preserve-unknown-fields": true}}}}}]}})
}

fn widgets(cluster: &Cluster) -> Option<sandbar_core::api::KindId> {
    cluster.admin.kinds().by_kind("example.com/v1", "Widget").map(|kind| kind.id)
}

fn custom(cluster: &Cluster, n: u64) {
    let Some(kind) = widgets(cluster) else { return };
    let mut widget = json!({"apiVersion": "example.com/v1", "kind": "Widget",
        "metadata": {"name": format!("widget-{n}")}, "spec": {"size": n}});
    if let Some(owner) = cluster.admin.find::<Deployment>(PLACE, &deploy(n)) {
        widget["metadata"]["ownerReferences"] = json!([{"apiVersion": "apps/v1",
            "kind": "Deployment", "name": deploy(n), "uid": owner.metadata.uid}]);
    }
    let _ = cluster.admin.create_value(kind, PLACE, widget, FieldValidation::Strict);
    let all = cluster.admin.list_any(kind, Some(PLACE), &ListOptions::default());
    let name = format!("widget-{n}");
    let Some(widget) = all.unwrap_or_default().into_iter().find(|w| w.name() == name) else {
        return;
    };
    make(
        cluster,
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("map-{n}"),
            "ownerReferences": [{"apiVersion": "example.com/v1", "kind": "Widget", "name": name,
                "uid": widget.uid(), "blockOwnerDeletion": true}]}}),
    );
}
