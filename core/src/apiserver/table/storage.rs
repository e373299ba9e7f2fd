//! The tables of volumes, claims and storage classes.
//!
//! Models `printPersistentVolume`, `printPersistentVolumeClaim`, `printStorageClass`.

use k8s_openapi::api::{
    core::v1::{PersistentVolume, PersistentVolumeClaim},
    storage::v1::StorageClass,
};

use super::{Printer, age, col, wide};
use crate::api::{
    meta::{self, is_deleting},
    quantity::Amount,
    volumes::{access_modes, claim_class, volume_class},
};

const UNSET: &str = "<unset>";

fn or_unset(text: Option<&String>) -> String {
    text.filter(|t| !t.is_empty()).cloned().unwrap_or_else(|| UNSET.into())
}

/// PersistentVolumes.
pub const PERSISTENT_VOLUME: Printer = Printer {
    columns: &[
        col("Name"),
        col("Capacity"),
        col("Access Modes"),
        col("Reclaim Policy"),
        col("Status"),
        col("Claim"),
        col("StorageClass"),
        col("VolumeAttributesClass"),
        col("Reason"),
        col("Age"),
        wide("VolumeMode"),
    ],
    row: |cx, object| {
        let Some(pv) = object.downcast::<PersistentVolume>() else { return Vec::new() };
        let none = Default::default();
        let (spec, status) = (pv.spec.as_ref().unwrap_or(&none), pv.status.as_ref());
        let phase = status.and_then(|s| s.phase.clone()).unwrap_or_default();
        let claim = spec.claim_ref.as_ref().map(|c| {
            let text = |t: &Option<String>| t.clone().unwrap_or_default();
            format!("{}/{}", text(&c.namespace), text(&c.name))
        });
        vec![
            object.name().to_string(),
            Amount::get(spec.capacity.as_ref(), "storage").to_string(),
            access_modes(spec.access_modes.as_deref()),
            spec.persistent_volume_reclaim_policy.clone().unwrap_or_default(),
            if is_deleting(&pv.metadata) { "Terminating".into() } else { phase },
            claim.unwrap_or_default(),
            volume_class(pv).to_string(),
            or_unset(spec.volume_attributes_class_name.as_ref()),
            status.and_then(|s| s.reason.clone()).unwrap_or_default(),
            age(cx, object),
            or_unset(spec.volume_mode.as_ref()),
        ]
    },
};

/// PersistentVolumeClaims.
pub const PERSISTENT_VOLUME_CLAIM: Printer = Printer {
    columns: &[
        col("Name"),
        col("Status"),
        col("Volume"),
        col("Capacity"),
        col("Access Modes"),
        col("StorageClass"),
        col("VolumeAttributesClass"),
        col("Age"),
        wide("VolumeMode"),
    ],
    row: |cx, object| {
        let Some(pvc) = object.downcast::<PersistentVolumeClaim>() else { return Vec::new() };
        let none = Default::default();
        let (spec, status) = (pvc.spec.as_ref().unwrap_or(&none), pvc.status.as_ref());
        let phase = status.and_then(|s| s.phase.clone()).unwrap_or_default();
        let volume = spec.volume_name.clone().unwrap_or_default();
        let (mut capacity, mut modes) = (String::new(), String::new());
        if !volume.is_empty() {
            let list = status.and_then(|s| s.capacity.as_ref());
            capacity = Amount::get(list, "storage").to_string();
            modes = access_modes(status.and_then(|s| s.access_modes.as_deref()));
        }
        vec![
            object.name().to_string(),
            if is_deleting(&pvc.metadata) { "Terminating".into() } else { phase },
            volume,
            capacity,
            modes,
            claim_class(pvc).to_string(),
            or_unset(spec.volume_attributes_class_name.as_ref()),
            age(cx, object),
            or_unset(spec.volume_mode.as_ref()),
        ]
    },
};

/// StorageClasses.
pub const STORAGE_CLASS: Printer = Printer {
    columns: &[
        col("Name"),
        col("Provisioner"),
        col("ReclaimPolicy"),
        col("VolumeBindingMode"),
        col("AllowVolumeExpansion"),
        col("Age"),
    ],
    row: |cx, object| {
        let Some(class) = object.downcast::<StorageClass>() else { return Vec::new() };
        let mut name = object.name().to_string();
        let mark = "storageclass.kubernetes.io/is-default-class";
        if meta::annotation(object.metadata(), mark) == Some("true") {
            name += " (default)";
        }
        vec![
            name,
            class.provisioner.clone(),
            class.reclaim_policy.clone().unwrap_or_default(),
            class.volume_binding_mode.clone().unwrap_or_default(),
            class.allow_volume_expansion.unwrap_or(false).to_string(),
            age(cx, object),
        ]
    },
};
