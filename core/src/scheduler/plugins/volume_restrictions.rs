//! Some volumes are for one pod at a time: claims that one pod has for itself, and disks of some
//! vendors that are attached to one node.
//!
//! Models `pkg/scheduler/framework/plugins/volumerestrictions`.

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Volume};

use crate::{
    api::{pods, volumes},
    client::Client,
    scheduler::{
        cache::{NodeInfo, PodInfo},
        framework::{Check, Cx, Event, Plugin, Point, Rejection, interest},
    },
};

pub const PLUGIN: Plugin = Plugin {
    name: "VolumeRestrictions",
    weight: 0,
    points: &[Point::PreFilter, Point::Filter],
    events: interest::NODE | interest::STORAGE | interest::POD_REMOVED,
    check: |cx| {
        let exclusive = exclusive(cx.client, cx.pod);
        let disks = volumes_of(cx.pod).iter().any(is_disk);
        let users = exclusive.iter().map(|claim| users(cx, claim)).sum();
        let judged = disks || !exclusive.is_empty();
        Ok(judged.then(|| Box::new(Restrictions { exclusive, users, disks }) as Box<dyn Check>))
    },
    helps: |client, pod, event| match event {
        Event::PodRemoved(gone) => {
            let own = exclusive(client, pod);
            let theirs = claims_of(gone);
            own.iter().any(|claim| theirs.contains(claim))
                || volumes_of(pod).iter().any(|v| conflicts(v, gone))
        }
        Event::Storage => !volumes::claims(&pod.pod).is_empty(),
        Event::Node(_, old) => old.is_none(),
        _ => false,
    },
};

#[derive(Clone)]
struct Restrictions {
    /// Claims of the pod (`namespace/name`) that no other pod may use.
    exclusive: Vec<String>,
    /// Pods on nodes that use them.
    users: i64,
    /// Whether the pod has a disk that may be taken.
    disks: bool,
}

fn volumes_of(pod: &PodInfo) -> &[Volume] {
    pod.pod.spec.as_ref().and_then(|s| s.volumes.as_deref()).unwrap_or_default()
}

/// A pod's claims, as `namespace/name`.
fn claims_of(pod: &PodInfo) -> Vec<String> {
    let names = volumes::claims(&pod.pod).into_iter();
    names.map(|name| format!("{}/{name}", pod.namespace())).collect()
}

fn exclusive(client: &Client, pod: &PodInfo) -> Vec<String> {
    let only_one = |name: &String| {
        let claim = client.find::<PersistentVolumeClaim>(pod.namespace(), name);
        let modes = claim.as_ref().and_then(|c| c.spec.as_ref()?.access_modes.as_ref());
        modes.is_some_and(|m| m.iter().any(|m| m == "ReadWriteOncePod"))
    };
    let names = volumes::claims(&pod.pod).into_iter().filter(only_one);
    names.map(|name| format!("{}/{name}", pod.namespace())).collect()
}

fn users(cx: &Cx, claim: &str) -> i64 {
    let index = cx.client.index::<Pod>(volumes::pods_by_claim);
    let all = cx.client.by_index::<Pod>(index, claim);
    let there = |p: &Pod| !pods::node_name(p).is_empty() && !pods::is_terminal(p);
    all.iter().filter(|p| there(p)).count() as i64
}

fn is_disk(volume: &Volume) -> bool {
    volume.gce_persistent_disk.is_some()
        || volume.aws_elastic_block_store.is_some()
        || volume.rbd.is_some()
        || volume.iscsi.is_some()
}

/// Whether a pod has the same disk in a way that does not allow for another.
fn conflicts(volume: &Volume, other: &PodInfo) -> bool {
    let writes = |a: Option<bool>, b: Option<bool>| !(a == Some(true) && b == Some(true));
    volumes_of(other).iter().any(|there| {
        let gce = volume.gce_persistent_disk.as_ref().zip(there.gce_persistent_disk.as_ref());
        let aws = volume.aws_elastic_block_store.as_ref();
        let aws = aws.zip(there.aws_elastic_block_store.as_ref());
        let iscsi = volume.iscsi.as_ref().zip(there.iscsi.as_ref());
        let rbd = volume.rbd.as_ref().zip(there.rbd.as_ref());
        gce.is_some_and(|(a, b)| a.pd_name == b.pd_name && writes(a.read_only, b.read_only))
            || aws.is_some_and(|(a, b)| a.volume_id == b.volume_id)
            || iscsi.is_some_and(|(a, b)| a.iqn == b.iqn && writes(a.read_only, b.read_only))
            || rbd.is_some_and(|(a, b)| {
                a.monitors.iter().any(|m| b.monitors.contains(m))
                    && (&a.pool, &a.image) == (&b.pool, &b.image)
                    && writes(a.read_only, b.read_only)
            })
    })
}

impl Check for Restrictions {
    fn filter(&self, cx: &Cx, node: &NodeInfo) -> Result<(), Rejection> {
        let taken = |v: &Volume| is_disk(v) && node.pods.values().any(|p| conflicts(v, p));
        if self.disks && volumes_of(cx.pod).iter().any(taken) {
            return Err(Rejection::resolvable("node(s) had no available disk"));
        }
        if self.users > 0 {
            return Err(Rejection::resolvable(
                "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod \
                 access mode",
            ));
        }
        Ok(())
    }

    fn boxed_clone(&self) -> Box<dyn Check> {
        Box::new(self.clone())
    }

    fn with_pod(&mut self, _cx: &Cx, _node: &NodeInfo, other: &PodInfo, sign: i64) {
        if !self.exclusive.is_empty() {
            let theirs = claims_of(other);
            let shared = theirs.iter().filter(|c| self.exclusive.contains(c)).count();
            self.users += sign * shared as i64;
        }
    }
}
