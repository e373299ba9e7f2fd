//! What can be done with volumes: claims of every class, who uses them, and stateful sets that make
//! claims of their own.

use serde_json::{Value, json};

use super::{NAMES, is_there, make, merge, remove};
use crate::chaos::{Chance, cluster::Cluster};

/// One thing that is done with volumes.
#[derive(Clone, Debug)]
pub enum Storage {
    /// A claim of this number; its class is the second.
    Claim(u64, Class),
    /// The claim is deleted.
    DeleteClaim(u64),
    /// The claim wants so many GiB.
    Grow(u64, u64),
    /// A volume made by hand, and the claim for it.
    ByHand(u64),
    /// Two small volumes made by hand, and a pod with two claims that each fit both.
    Pair(u64),
    /// A deployment of one pod that uses the claim of its number.
    User(u64),
    /// The deployment goes.
    DeleteUser(u64),
    /// A stateful set that makes claims: so many pods, whether claims go with the set and when it
    /// is scaled down.
    Set(u64, u64, bool, bool),
    /// The stateful set wants so many pods.
    ScaleSet(u64, u64),
    /// The stateful set goes.
    DeleteSet(u64),
}

/// Where a volume comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// minikube's, at once, on the node's disk.
    Standard,
    /// The provider's, once a pod wants it.
    Disk,
    /// The same, for one pod alone.
    OnePod,
}

impl Class {
    fn name(self) -> &'static str {
        if self == Class::Standard { "standard" } else { "standard-rwo" }
    }

    fn mode(self) -> &'static str {
        if self == Class::OnePod { "ReadWriteOncePod" } else { "ReadWriteOnce" }
    }
}

impl Storage {
    /// By chance.
    pub fn draw(chance: &mut Chance) -> Storage {
        let (n, count, more) = (chance.below(NAMES), chance.below(4), chance.below(1_000));
        let class = [Class::Standard, Class::Disk, Class::OnePod][more as usize % 3];
        match chance.below(14) {
            0 | 1 => Storage::Claim(n, class),
            2 => Storage::DeleteClaim(n),
            3 => Storage::Grow(n, 1 + count),
            4 => Storage::ByHand(n),
            5 => Storage::Pair(n),
            6..=8 => Storage::User(n),
            9 => Storage::DeleteUser(n),
            10 | 11 => Storage::Set(n, count, more.is_multiple_of(2), (more / 2).is_multiple_of(2)),
            12 => Storage::ScaleSet(n, count),
            _ => Storage::DeleteSet(n),
        }
    }

    /// Does it.
    pub fn run(&self, cluster: &Cluster) {
        match self {
            Storage::Claim(n, class) => make(cluster, claim(&format!("claim-{n}"), *class)),
            Storage::DeleteClaim(n) => {
                remove(cluster, "PersistentVolumeClaim", &format!("claim-{n}"));
            }
            Storage::Grow(n, size) => {
                let wanted = json!({"spec": {"resources": {
                    "requests": {"storage": format!("{size}Gi")}}}});
                merge(cluster, "PersistentVolumeClaim", &format!("claim-{n}"), &wanted);
            }
            Storage::ByHand(n) => {
                make(cluster, by_hand(&format!("disk-{n}"), "manual"));
                make(cluster, for_hand(&format!("hand-{n}"), "manual"));
            }
            Storage::Pair(n) => pair(cluster, *n),
            Storage::User(n) => make(cluster, user(*n)),
            Storage::DeleteUser(n) => remove(cluster, "Deployment", &format!("user-{n}")),
            Storage::Set(n, count, with_set, scaled) => {
                make(cluster, set(*n, *count, *with_set, *scaled));
            }
            Storage::ScaleSet(n, count) => {
                let wanted = json!({"spec": {"replicas": count}});
                merge(cluster, "StatefulSet", &format!("data-{n}"), &wanted);
            }
            Storage::DeleteSet(n) => remove(cluster, "StatefulSet", &format!("data-{n}")),
        }
    }
}

/// Makes claims that deployments wait for, now that nobody deletes them any more.
pub fn heal(cluster: &Cluster) {
    for n in 0..NAMES {
        if is_there(cluster, "Deployment", &format!("user-{n}")) {
            make(cluster, claim(&format!("claim-{n}"), Class::Disk));
        }
    }
}

fn claim(name: &str, class: Class) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name},
        "spec": {"storageClassName": class.name(), "accessModes": [class.mode()],
            "resources": {"requests": {"storage": "1Gi"}}}})
}

fn by_hand(name: &str, class: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
        "spec": {"storageClassName": class, "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "1Gi"}, "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": format!("/srv/{name}")}}})
}

fn for_hand(name: &str, class: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name},
        "spec": {"storageClassName": class, "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}}}})
}

/// Volumes of a class that waits for the first pod; both claims are that pod's.
fn pair(cluster: &Cluster, n: u64) {
    let class = format!("pair-{n}");
    make(
        cluster,
        json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
            "metadata": {"name": class}, "provisioner": "kubernetes.io/no-provisioner",
            "volumeBindingMode": "WaitForFirstConsumer"}),
    );
    for letter in ["a", "b"] {
        make(cluster, by_hand(&format!("pair-{n}-{letter}"), &class));
        make(cluster, for_hand(&format!("pair-{n}-{letter}"), &class));
    }
    let volume = |letter: &str| {
        json!({"name": letter,
            "persistentVolumeClaim": {"claimName": format!("pair-{n}-{letter}")}})
    };
    make(
        cluster,
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": format!("pair-{n}")},
            "spec": {"terminationGracePeriodSeconds": 5,
                "containers": [{"name": "c", "image": "web-example:1.25"}],
                "volumes": [volume("a"), volume("b")]}}),
    );
}

/// A deployment that gives its claim up before it takes it again: two of its pods can't have it.
fn user(n: u64) -> Value {
    let name = format!("user-{n}");
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"replicas": 1, "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name, "number": n.to_string()}},
                "spec": {"terminationGracePeriodSeconds": 5,
                    "containers": [{"name": "c", "image": "web-example:1.25",
                        "volumeMounts": [{"name": "data", "mountPath": "/data"}]}],
                    "volumes": [{"name": "data", "persistentVolumeClaim":
                        {"claimName": format!("claim-{n}")}}]}}}})
}

fn set(n: u64, count: u64, with_set: bool, scaled: bool) -> Value {
    let name = format!("data-{n}");
    let policy = |deletes: bool| if deletes { "Delete" } else { "Retain" };
    let class = if n == 1 { Class::Standard } else { Class::Disk };
    let made = claim("data", class);
    let template = json!({"metadata": made["metadata"], "spec": made["spec"]});
    json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name},
        "spec": {"replicas": count, "serviceName": name,
            "selector": {"matchLabels": {"app": name}},
            "persistentVolumeClaimRetentionPolicy":
                {"whenDeleted": policy(with_set), "whenScaled": policy(scaled)},
            "volumeClaimTemplates": [template],
            "template": {"metadata": {"labels": {"app": name, "number": n.to_string()}},
                "spec": {"terminationGracePeriodSeconds": 5,
                    "containers": [{"name": "c", "image": "web-example:1.25",
                        "volumeMounts": [{"name": "data", "mountPath": "/data"}]}]}}}})
}
