//! What becomes of a volume whose claim is gone. Models `reclaimVolume` and `deleteVolumeOperation`.

use std::time::Duration;

use k8s_openapi::api::core::v1::PersistentVolume;

use super::{Binder, has};
use crate::{
    api::{Object, Status, meta::is_deleting, volumes},
    client::{DeleteOptions, EventType},
};

fn policy(volume: &PersistentVolume) -> &str {
    let policy = volume.spec.as_ref().and_then(|s| s.persistent_volume_reclaim_policy.as_deref());
    policy.unwrap_or("Retain")
}

/// Whether the volume goes with its claim.
pub fn deletes(volume: &PersistentVolume) -> bool {
    policy(volume) == "Delete"
}

impl Binder {
    /// Keeps the volume, has it deleted, or says why that can't be.
    pub(super) fn reclaim(&self, volume: &PersistentVolume) -> Result<Option<Duration>, Status> {
        match policy(volume) {
            // Whoever made the volume removes it.
            "Delete" if has(volume, volumes::PROVISIONED_BY) => Ok(None),
            "Delete" if is_deleting(&volume.metadata) => Ok(None),
            "Delete" => self.delete_volume(volume).map(|()| None),
            "Recycle" => self.recycle(volume),
            _ => Ok(None),
        }
    }

    fn delete_volume(&self, volume: &PersistentVolume) -> Result<(), Status> {
        let object: &dyn Object = volume;
        let path = volume.spec.as_ref().and_then(|s| s.host_path.as_ref());
        match path.map(|p| p.path.as_str()) {
            Some(path) if path.starts_with("/tmp/") && path.len() > "/tmp/".len() => {
                let options = DeleteOptions::default();
                match self.client.delete::<PersistentVolume>("", object.name(), &options) {
                    Err(error) if !error.is_not_found() => Err(error),
                    _ => Ok(()),
                }
            }
            Some(path) => {
                let text =
                    format!("host_path deleter only supports /tmp/.+ but received provided {path}");
                self.fail(volume, "VolumeFailedDelete", &text)
            }
            None => {
                let text = format!(
                    "error getting deleter volume plugin for volume {:?}: no deletable volume \
                     plugin matched",
                    object.name()
                );
                self.fail(volume, "VolumeFailedDelete", &text)
            }
        }
    }

    pub(super) fn fail(
        &self,
        volume: &PersistentVolume,
        reason: &str,
        text: &str,
    ) -> Result<(), Status> {
        if volumes::volume_phase(volume) != "Failed" {
            self.set_volume_phase(volume, "Failed", Some(text))?;
            self.events.event(volume, EventType::Warning, reason, text);
        }
        Ok(())
    }
}
