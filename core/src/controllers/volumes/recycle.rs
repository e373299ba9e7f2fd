//! Empties a volume whose claim is gone, so that it can be given to another: a pod does it.
//!
//! Models `recycleVolumeOperation`, `pkg/volume/hostpath` and `pkg/volume/util/recyclerclient`.

use std::time::Duration;

use k8s_openapi::{
    api::core::v1::{
        Container, Event, HostPathVolumeSource, PersistentVolume, Pod, PodSpec, Volume, VolumeMount,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{Binder, RESYNC, has};
use crate::{
    api::{
        Object, Status,
        quantity::Amount,
        volumes::{BOUND_BY_CONTROLLER, volume_phase},
    },
    client::{Change, DeleteOptions, EventType, Op},
    controllers::{framework::Queue, pods},
};

/// Where such pods are, and what their names begin with; the volume's name follows.
const NAMESPACE: &str = "default";
const PREFIX: &str = "recycler-for-";
const IMAGE: &str = "registry.k8s.io/build-image/debian-base:bookworm-v1.0.6";
const SCRIPT: &str =
    "test -e /scrub && find /scrub -mindepth 1 -delete && test -z \"$(ls -A /scrub)\" || exit 1";
/// How long it may take: so much for each GiB, at least …
const SECONDS_PER_GIB: i64 = 30;
const LEAST_SECONDS: i64 = 60;

/// The volume that an object of the namespace of such pods is about, if its name says so.
fn volume_of(name: &str) -> Option<&str> {
    name.strip_prefix(PREFIX).filter(|rest| !rest.is_empty())
}

fn recycler(volume: &PersistentVolume, path: &str) -> Pod {
    let name = (volume as &dyn Object).name();
    let capacity = volume.spec.as_ref().and_then(|s| s.capacity.as_ref());
    let gibs = Amount::get(capacity, "storage").units() >> 30;
    Pod {
        metadata: ObjectMeta {
            name: Some(format!("{PREFIX}{name}")),
            namespace: Some(NAMESPACE.into()),
            ..ObjectMeta::default()
        },
        spec: Some(PodSpec {
            active_deadline_seconds: Some((gibs * SECONDS_PER_GIB).max(LEAST_SECONDS)),
            restart_policy: Some("Never".into()),
            containers: vec![Container {
                name: "pv-recycler".into(),
                image: Some(IMAGE.into()),
                command: Some(vec!["/bin/sh".into()]),
                args: Some(vec!["-c".into(), SCRIPT.into()]),
                volume_mounts: Some(vec![VolumeMount {
                    name: "vol".into(),
                    mount_path: "/scrub".into(),
                    ..VolumeMount::default()
                }]),
                ..Container::default()
            }],
            volumes: Some(vec![Volume {
                name: "vol".into(),
                host_path: Some(HostPathVolumeSource { path: path.into(), type_: None }),
                ..Volume::default()
            }]),
            ..PodSpec::default()
        }),
        status: None,
    }
}

impl Binder {
    /// Has a volume emptied, or sees how far that is. When to look again, unless a pod's end tells.
    pub(super) fn recycle(&self, volume: &PersistentVolume) -> Result<Option<Duration>, Status> {
        let name = (volume as &dyn Object).name();
        let path = volume.spec.as_ref().and_then(|s| s.host_path.as_ref());
        let Some(path) = path.map(|p| p.path.as_str()) else {
            let text = "No recycler plugin found for the volume!";
            return self.fail(volume, "VolumeFailedRecycle", text).map(|()| None);
        };
        let pod = format!("{PREFIX}{name}");
        let Some(found) = self.client.find::<Pod>(NAMESPACE, &pod) else {
            let users = self.users(volume);
            if !users.is_empty() {
                let text = format!("Volume is used by pods: {}", users.join(","));
                self.events.event(volume, EventType::Normal, "VolumeFailedRecycle", &text);
                return Ok(Some(RESYNC));
            }
            self.client.create(recycler(volume, path))?;
            return Ok(None);
        };
        let status = found.status.as_ref();
        let failed = match status.and_then(|s| s.phase.as_deref()) {
            Some("Succeeded") => None,
            Some("Failed") => {
                let why = status.and_then(|s| s.message.clone()).filter(|m| !m.is_empty());
                Some(why.unwrap_or_else(|| "pod failed, pod.Status.Message unknown".into()))
            }
            _ => return Ok(None),
        };
        match self.client.delete::<Pod>(NAMESPACE, &pod, &DeleteOptions::default()) {
            Err(error) if !error.is_not_found() => return Err(error),
            _ => {}
        }
        if let Some(why) = failed {
            let text = format!("Recycle failed: failed to recycle volume: {why}");
            self.fail(volume, "VolumeFailedRecycle", &text)?;
            return Ok(Some(RESYNC));
        }
        self.events.event(volume, EventType::Normal, "VolumeRecycled", "Volume recycled");
        self.unbind(volume).map(|()| None)
    }

    /// The pods that still use a volume, through the claim that is gone.
    fn users(&self, volume: &PersistentVolume) -> Vec<String> {
        let given = volume.spec.as_ref().and_then(|s| s.claim_ref.as_ref());
        let text = |t: Option<&String>| t.cloned().unwrap_or_default();
        let namespace = text(given.and_then(|g| g.namespace.as_ref()));
        let key = format!("{namespace}/{}", text(given.and_then(|g| g.name.as_ref())));
        let all = self.client.by_index::<Pod>(self.pods, &key);
        let running = all.iter().filter(|pod| !pods::is_terminal(pod));
        running.map(|pod| format!("{namespace}/{}", (&**pod as &dyn Object).name())).collect()
    }

    /// Nobody has the volume any more; a claim that it was meant for from the start may again.
    fn unbind(&self, volume: &PersistentVolume) -> Result<(), Status> {
        let mut new = volume.clone();
        let chosen = has(volume, BOUND_BY_CONTROLLER);
        if let Some(notes) = &mut new.metadata.annotations {
            notes.remove(BOUND_BY_CONTROLLER);
        }
        let spec = new.spec.get_or_insert_default();
        if chosen {
            spec.claim_ref = None;
        } else if let Some(given) = &mut spec.claim_ref {
            (given.uid, given.resource_version) = (None, None);
        }
        let new = self.client.update(new)?;
        self.set_volume_phase(&new, "Available", None).map(|_| ())
    }

    /// Something happened to a pod that empties a volume.
    pub(super) fn recycler_changed(&self, change: &Change, queue: &Queue) {
        if change.object.namespace() != NAMESPACE {
            return;
        }
        if let Some(event) = change.object.downcast::<Event>() {
            let about = &event.involved_object;
            let name = about.name.as_deref().filter(|_| about.kind.as_deref() == Some("Pod"));
            // Not those that were there when this began to look.
            let own = event.metadata.resource_version.as_deref().unwrap_or_default();
            let is_new = change.op == Op::Added && own == change.revision.to_string();
            let (Some(name), true) = (name.and_then(volume_of), is_new) else { return };
            let text = event.message.as_deref().unwrap_or_default();
            let volume = self.client.find::<PersistentVolume>("", name);
            if let Some(volume) = volume.filter(|v| volume_phase(v) == "Released") {
                let kind = match event.type_.as_deref() {
                    Some("Warning") => EventType::Warning,
                    _ => EventType::Normal,
                };
                let text = format!("Recycler pod: {text}");
                self.events.event(&*volume, kind, "RecyclerPod", &text);
            }
        } else if let Some(name) = volume_of(change.object.name()) {
            queue.add_name("", name);
        }
    }
}
