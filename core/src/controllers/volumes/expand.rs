//! Tells claims that want to be larger that somebody outside has to do it.
//!
//! No volume of ours is made larger by the controller manager itself: those that can be are a
//! provider's, whose own resizer does it.
//!
//! Models `pkg/controller/volume/expand`.

use std::time::Duration;

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};

use crate::{
    api::{KindId, Object, Status, Typed, quantity::Amount, volumes},
    client::{Change, Client, EventType, Op, Recorder},
    controllers::framework::{Controller, Key, Queue},
};

/// The expand controller.
pub fn make(client: &Client) -> Box<dyn Controller> {
    Box::new(Expander {
        client: client.clone(),
        events: Recorder::new(client, "volume_expand", ""),
    })
}

struct Expander {
    client: Client,
    events: Recorder,
}

/// Whether a bound claim asks for more than it has.
pub fn wants_more(claim: &PersistentVolumeClaim) -> bool {
    let has = claim.status.as_ref().and_then(|s| s.capacity.as_ref());
    let grown = volumes::requested(claim).minus(Amount::get(has, "storage"));
    volumes::claim_phase(claim) == "Bound"
        && has.is_some()
        && !grown.is_zero()
        && !grown.is_negative()
}

impl Controller for Expander {
    fn name(&self) -> &'static str {
        "persistentvolume-expander-controller"
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![PersistentVolumeClaim::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        let claim = change.object.downcast::<PersistentVolumeClaim>();
        let old = change.old.as_ref().and_then(|o| o.downcast::<PersistentVolumeClaim>());
        let Some(claim) = claim.filter(|_| change.op != Op::Deleted) else { return };
        let asked = old.is_none_or(|o| {
            volumes::requested(o).to_quantity() != volumes::requested(claim).to_quantity()
        });
        if asked && wants_more(claim) {
            queue.add_name(change.object.namespace(), change.object.name());
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        let Some(claim) = self.client.find::<PersistentVolumeClaim>(&key.0, &key.1) else {
            return Ok(None);
        };
        let volume = self.client.find::<PersistentVolume>("", volumes::volume_name(&claim));
        if volume.is_some() && wants_more(&claim) {
            let text = "waiting for an external controller to expand this PVC";
            self.events.event(&*claim as &dyn Object, EventType::Normal, "ExternalExpanding", text);
        }
        Ok(None)
    }
}
