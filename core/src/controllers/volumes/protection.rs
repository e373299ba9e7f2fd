//! Keeps claims that pods use and volumes that claims have until nobody does any more.
//!
//! Models `pkg/controller/volume/pvcprotection` and `pvprotection`.

use std::time::Duration;

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};

use crate::{
    api::{KindId, Object, Status, Typed, meta::is_deleting, pods, volumes},
    client::{Change, Client, IndexId, Op},
    controllers::framework::{Controller, Key, Queue},
};

/// What holds a claim.
pub const CLAIM_FINALIZER: &str = "kubernetes.io/pvc-protection";
/// What holds a volume.
pub const VOLUME_FINALIZER: &str = "kubernetes.io/pv-protection";

/// The controller for claims.
pub fn make_claims(client: &Client) -> Box<dyn Controller> {
    let pods = client.index::<Pod>(volumes::pods_by_claim);
    Box::new(Claims { client: client.clone(), pods })
}

/// The controller for volumes.
pub fn make_volumes(client: &Client) -> Box<dyn Controller> {
    Box::new(Volumes { client: client.clone() })
}

struct Claims {
    client: Client,
    pods: IndexId,
}

struct Volumes {
    client: Client,
}

/// Adds the finalizer to an object that lacks it, takes it from one that may go.
pub(super) fn settle<T: Typed>(
    client: &Client,
    object: &T,
    finalizer: &str,
    in_use: impl Fn() -> bool,
) -> Result<(), Status> {
    let meta = Object::metadata(object);
    let has = meta.finalizers.iter().flatten().any(|f| f == finalizer);
    let going = is_deleting(meta);
    if has == !going || (going && in_use()) {
        return Ok(());
    }
    let mut new = object.clone();
    let finalizers = new.metadata_mut().finalizers.get_or_insert_default();
    if going {
        finalizers.retain(|f| f != finalizer);
    } else {
        finalizers.push(finalizer.into());
    }
    match client.update(new) {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}

impl Controller for Claims {
    fn name(&self) -> &'static str {
        "persistentvolumeclaim-protection-controller"
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![PersistentVolumeClaim::ID, Pod::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        match change.object.downcast::<Pod>() {
            // A pod that is there keeps its claims; only one that goes can matter.
            Some(pod) if change.op == Op::Deleted => {
                for claim in volumes::claims(pod) {
                    queue.add_name(change.object.namespace(), &claim);
                }
            }
            Some(_) => {}
            None => queue.add_name(change.object.namespace(), change.object.name()),
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        let Some(claim) = self.client.find::<PersistentVolumeClaim>(&key.0, &key.1) else {
            return Ok(None);
        };
        // Pods without a node don't count: no kubelet starts a pod whose claim is going.
        let used = || {
            let users = self.client.by_index::<Pod>(self.pods, &format!("{}/{}", key.0, key.1));
            users.iter().any(|p| !pods::node_name(p).is_empty())
        };
        settle(&self.client, &*claim, CLAIM_FINALIZER, used).map(|()| None)
    }
}

impl Controller for Volumes {
    fn name(&self) -> &'static str {
        "persistentvolume-protection-controller"
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![PersistentVolume::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        queue.add_name("", change.object.name());
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        let Some(volume) = self.client.find::<PersistentVolume>("", &key.1) else {
            return Ok(None);
        };
        let used = || volumes::volume_phase(&volume) == "Bound";
        settle(&self.client, &*volume, VOLUME_FINALIZER, used).map(|()| None)
    }
}
