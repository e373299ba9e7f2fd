//! Keeps classes of volumes' attributes until no claim and no volume names them any more.
//!
//! Models `pkg/controller/volume/vacprotection`.

use std::time::Duration;

use k8s_openapi::api::{
    core::v1::{PersistentVolume, PersistentVolumeClaim},
    storage::v1::VolumeAttributesClass,
};

use super::protection::settle;
use crate::{
    api::{KindId, Object, Status, Typed},
    client::{Change, Client, IndexId},
    controllers::framework::{Controller, Key, Queue},
};

/// What holds a class.
const FINALIZER: &str = "kubernetes.io/vac-protection";

/// The controller.
pub fn make(client: &Client) -> Box<dyn Controller> {
    Box::new(Classes {
        claims: client.index::<PersistentVolumeClaim>(classes_of),
        volumes: client.index::<PersistentVolume>(classes_of),
        client: client.clone(),
    })
}

struct Classes {
    client: Client,
    claims: IndexId,
    volumes: IndexId,
}

/// The classes that a claim or a volume names: that it wants, has, or is being given.
fn classes_of(object: &dyn Object) -> Vec<String> {
    let mut names = Vec::new();
    if let Some(claim) = object.downcast::<PersistentVolumeClaim>() {
        let status = claim.status.as_ref();
        let changing = status.and_then(|s| s.modify_volume_status.as_ref());
        names.extend(claim.spec.as_ref().and_then(|s| s.volume_attributes_class_name.clone()));
        names.extend(status.and_then(|s| s.current_volume_attributes_class_name.clone()));
        names.extend(changing.and_then(|m| m.target_volume_attributes_class_name.clone()));
    } else if let Some(volume) = object.downcast::<PersistentVolume>() {
        names.extend(volume.spec.as_ref().and_then(|s| s.volume_attributes_class_name.clone()));
    }
    names.retain(|name| !name.is_empty());
    names.sort();
    names.dedup();
    names
}

impl Controller for Classes {
    fn name(&self) -> &'static str {
        "volumeattributesclass-protection-controller"
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![VolumeAttributesClass::ID, PersistentVolumeClaim::ID, PersistentVolume::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        if change.kind == VolumeAttributesClass::ID {
            return queue.add_name("", change.object.name());
        }
        // Classes that it names no more may go.
        let before = change.old.as_ref().map(|old| classes_of(&**old)).unwrap_or_default();
        for name in before.into_iter().chain(classes_of(&*change.object)) {
            queue.add_name("", &name);
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        let Some(class) = self.client.find::<VolumeAttributesClass>("", &key.1) else {
            return Ok(None);
        };
        let used = || {
            self.client.count_by_index(self.claims, &key.1) > 0
                || self.client.count_by_index(self.volumes, &key.1) > 0
        };
        settle(&self.client, &*class, FINALIZER, used).map(|()| None)
    }
}
