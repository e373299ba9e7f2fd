//! Makes the claims of volumes that live as long as their pod.
//!
//! What becomes of such a claim afterwards is the garbage collector's business: its pod owns it.
//!
//! Models `pkg/controller/volume/ephemeral`.

use std::time::Duration;

use k8s_openapi::{
    api::core::v1::{PersistentVolumeClaim, Pod, Volume},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use crate::{
    api::{
        KindId, Object, Status, Typed,
        meta::{controller_of, controller_ref, is_deleting},
        volumes,
    },
    client::{Change, Client, EventType, Op, Recorder},
    controllers::framework::{Controller, Key, Queue},
};

/// The ephemeral volume controller.
pub fn make(client: &Client) -> Box<dyn Controller> {
    Box::new(Ephemeral {
        client: client.clone(),
        events: Recorder::new(client, "ephemeral_volume", ""),
    })
}

struct Ephemeral {
    client: Client,
    events: Recorder,
}

fn asks(pod: &Pod) -> impl Iterator<Item = &Volume> {
    let volumes = pod.spec.iter().flat_map(|s| s.volumes.iter().flatten());
    volumes.filter(|v| v.ephemeral.is_some())
}

impl Ephemeral {
    fn ensure(&self, pod: &Pod, volume: &Volume) -> Result<(), String> {
        let object: &dyn Object = pod;
        let Some(name) = volumes::claim_of(pod, volume) else { return Ok(()) };
        let namespace = object.namespace();
        if let Some(claim) = self.client.find::<PersistentVolumeClaim>(namespace, &name) {
            let mine = controller_of(&claim.metadata).is_some_and(|o| o.uid == object.uid());
            return match mine {
                true => Ok(()),
                false => Err(format!(
                    "PVC {namespace}/{name} was not created for pod {namespace}/{} (pod is not \
                     owner)",
                    object.name()
                )),
            };
        }
        let template = volume.ephemeral.as_ref().and_then(|e| e.volume_claim_template.as_ref());
        let Some(template) = template else { return Ok(()) };
        let meta = template.metadata.clone().unwrap_or_default();
        let claim = PersistentVolumeClaim {
            metadata: ObjectMeta {
                name: Some(name),
                namespace: Some(namespace.to_string()),
                labels: meta.labels,
                annotations: meta.annotations,
                owner_references: Some(vec![controller_ref(&self.client.kinds(), object)]),
                ..Default::default()
            },
            spec: Some(template.spec.clone()),
            status: None,
        };
        let made = self.client.create(claim).map(|_| ());
        made.map_err(|error| format!("create PVC {namespace}/{}: {error}", volume.name))
    }
}

impl Controller for Ephemeral {
    fn name(&self) -> &'static str {
        "ephemeral-volume-controller"
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![Pod::ID, PersistentVolumeClaim::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        let object = &*change.object;
        if let Some(pod) = object.downcast::<Pod>() {
            if change.op == Op::Added && asks(pod).next().is_some() {
                queue.add_name(object.namespace(), object.name());
            }
        } else if change.op == Op::Deleted {
            // A claim that was removed while its pod is still there is made again.
            if let Some(owner) = controller_of(object.metadata()).filter(|o| o.kind == "Pod") {
                queue.add_name(object.namespace(), &owner.name);
            }
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        let Some(pod) = self.client.find::<Pod>(&key.0, &key.1) else { return Ok(None) };
        if is_deleting(&pod.metadata) {
            return Ok(None);
        }
        for volume in asks(&pod) {
            if let Err(error) = self.ensure(&pod, volume) {
                let text = format!("ephemeral volume {}: {error}", volume.name);
                self.events.event(&*pod, EventType::Warning, "FailedBinding", &text);
                return Err(Status::internal(text));
            }
        }
        Ok(None)
    }
}
