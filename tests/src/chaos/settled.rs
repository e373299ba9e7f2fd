//! What is left of a cluster when everything has come to rest, without what is left to chance: to be
//! compared between runs.

use std::collections::BTreeMap;

use sandbar_core::client::ListOptions;
use serde_json::Value;

use super::cluster::Cluster;

/// Kinds that tell of what happened, or of times; and what the world makes by itself.
const LEFT_OUT: &[&str] = &["Event", "Lease", "Secret", "Node"];
/// Fields that differ from run to run.
const CHANCE: &[&str] = &[
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "managedFields",
    "generateName",
    "nodeName",
    "hostIP",
    "hostIPs",
    "podIP",
    "podIPs",
    "containerID",
    "startedAt",
    "finishedAt",
    "startTime",
    "completionTime",
    "lastTransitionTime",
    "lastUpdateTime",
    "lastProbeTime",
    "clusterIP",
    "clusterIPs",
    // How often something was written, and what was wanted when it was scaled down last.
    "generation",
    "observedGeneration",
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "endpoints.kubernetes.io/last-change-trigger-time",
    "batch.kubernetes.io/controller-uid",
    "controller-uid",
    "nodePort",
    "addresses",
    "targetRef",
    "imageID",
    "deletionTimestamp",
    // Where a volume came to be, and by whom.
    "nodeAffinity",
    "volumeHandle",
    "hostPathProvisionerIdentity",
    "storage.kubernetes.io/csiProvisionerIdentity",
    "persistentVolumeName",
    "csi.alpha.kubernetes.io/node-id",
    "attachmentMetadata",
    "volume.kubernetes.io/selected-node",
    // What was measured last.
    "currentMetrics",
    "lastScaleTime",
    "autoscaling.alpha.kubernetes.io/conditions",
    "autoscaling.alpha.kubernetes.io/current-metrics",
    "lastPhaseTransitionTime",
    "zone",
];

/// Volumes that are made are named after their claim's uid.
const MADE: &str = "pvc-";

/// Every object, named by its kind and what of its name is not left to chance, in the form in which
/// runs compare; objects of one name are sorted.
pub fn state(cluster: &Cluster) -> BTreeMap<String, Vec<String>> {
    let client = &cluster.admin;
    let kinds: Vec<_> = client.kinds().iter().filter(|k| k.is_stored()).cloned().collect();
    let mut state: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for kind in kinds.iter().filter(|k| !LEFT_OUT.contains(&&*k.kind)) {
        let objects = client.list_any(kind.id, None, &ListOptions::default()).unwrap_or_default();
        for object in objects {
            let mut value = object.to_value();
            // Addresses of services are drawn by chance, and these objects are named after them.
            let drawn = (kind.kind == "IPAddress").then(String::new);
            let made = kind.kind == "PersistentVolume" && object.name().starts_with(MADE);
            let drawn = drawn.or_else(|| made.then(|| MADE.to_string()));
            // Named after the volume, its driver and the node.
            let attached = kind.kind == "VolumeAttachment";
            let drawn = drawn.or_else(|| attached.then(String::new));
            let generated = drawn.or_else(|| object.metadata().generate_name.clone());
            let name = generated.unwrap_or_else(|| object.name().to_string());
            blank(&mut value, object.name(), &name);
            let key = format!("{} {}/{name}", kind.kind, object.namespace());
            state.entry(key).or_default().push(value.to_string());
        }
    }
    state.values_mut().for_each(|list| list.sort());
    state
}

/// Takes out of a value what differs from run to run.
fn blank(value: &mut Value, own: &str, name: &str) {
    match value {
        Value::Object(map) => {
            map.retain(|key, _| !CHANCE.contains(&key.as_str()));
            map.values_mut().for_each(|v| blank(v, own, name));
        }
        Value::Array(list) => {
            list.iter_mut().for_each(|v| blank(v, own, name));
            // Lists by time or by random name.
            list.sort_by_key(ToString::to_string);
        }
        Value::String(text) => {
            if own != name {
                *text = text.replace(own, name);
            }
            const TOKEN: &str = "kube-api-access-";
            if text.starts_with(MADE) && text.len() == MADE.len() + 36 {
                *text = MADE.to_string();
            }
            if text.starts_with(TOKEN) {
                *text = TOKEN.to_string();
            }
        }
        _ => {}
    }
}

/// Where two states differ, in words.
pub fn differences(
    a: &BTreeMap<String, Vec<String>>,
    b: &BTreeMap<String, Vec<String>>,
) -> Vec<String> {
    let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
    keys.sort();
    keys.dedup();
    let none = Vec::new();
    let mut found = Vec::new();
    for key in keys {
        let (x, y) = (a.get(key).unwrap_or(&none), b.get(key).unwrap_or(&none));
        if x == y {
            continue;
        }
        if x.len() != y.len() {
            found.push(format!("{key}: {} and {}", x.len(), y.len()));
            continue;
        }
        let pair = x.iter().zip(y).find(|(x, y)| x != y);
        if let Some((x, y)) = pair {
            let at =
                x.bytes().zip(y.bytes()).take_while(|(a, b)| a == b).count().saturating_sub(60);
            let part = |text: &str| text.chars().skip(at).take(160).collect::<String>();
            found.push(format!("{key}:\n  …{}\n  …{}", part(x), part(y)));
        }
    }
    found
}
