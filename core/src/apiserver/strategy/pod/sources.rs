//! The sources that a volume can have, and what is wrong with those that few clusters know: disks of
//! clouds, network file systems. They are checked as anywhere; what nothing here can mount stays
//! pending. (Sources of drivers that upstream removed long ago are not looked into.)
//!
//! Models `validateVolumeSource` and the smaller `validate…VolumeSource` functions.

use k8s_openapi::api::core::v1::Volume;

use super::{
    containers::descending,
    volumes::{self, required},
};
use crate::api::{FieldError, Path};

type Check = fn(&Volume, &Path, &mut Vec<FieldError>);

/// A source: what its field is called, whether a volume has it, and its check. In the order in which
/// upstream looks at them.
pub struct Source {
    /// The field's name in errors about a second source.
    pub field: &'static str,
    /// The field's name in its own errors.
    pub place: &'static str,
    /// Whether a volume has it.
    pub is: fn(&Volume) -> bool,
    /// What is wrong with it.
    pub check: Check,
}

const fn source(
    field: &'static str,
    place: &'static str,
    is: fn(&Volume) -> bool,
    check: Check,
) -> Source {
    Source { field, place, is, check }
}

/// In the order in which upstream looks at them (one field is misspelt there).
pub const ALL: &[Source] = &[
    source("emptyDir", "emptyDir", |v| v.empty_dir.is_some(), volumes::empty_dir),
    source("hostPath", "hostPath", |v| v.host_path.is_some(), volumes::host_path),
    source(
        "gitRepo",
        "gitRepo",
        |v| v.git_repo.is_some(),
        |v, at, errors| {
            let Some(repo) = &v.git_repo else { return };
            required(Some(&repo.repository), &at.child("repository"), errors);
            descending(
                repo.directory.as_deref().unwrap_or_default(),
                &at.child("directory"),
                errors,
            );
        },
    ),
    source(
        "gcePersistentDisk",
        "persistentDisk",
        |v| v.gce_persistent_disk.is_some(),
        |v, at, errors| {
            let Some(disk) = &v.gce_persistent_disk else { return };
            required(Some(&disk.pd_name), &at.child("pdName"), errors);
            between(disk.partition.unwrap_or(0), 255, &at.child("partition"), errors);
        },
    ),
    source(
        "awsElasticBlockStore",
        "awsElasticBlockStore",
        |v| v.aws_elastic_block_store.is_some(),
        |v, at, errors| {
            let Some(disk) = &v.aws_elastic_block_store else { return };
            required(Some(&disk.volume_id), &at.child("volumeID"), errors);
            between(disk.partition.unwrap_or(0), 255, &at.child("partition"), errors);
        },
    ),
    source("secret", "secret", |v| v.secret.is_some(), volumes::secret),
    source("nfs", "nfs", |v| v.nfs.is_some(), volumes::nfs),
    source("iscsi", "iscsi", |v| v.iscsi.is_some(), iscsi),
    source(
        "glusterfs",
        "glusterfs",
        |v| v.glusterfs.is_some(),
        |v, at, errors| {
            let Some(g) = &v.glusterfs else { return };
            required(Some(&g.endpoints), &at.child("endpoints"), errors);
            required(Some(&g.path), &at.child("path"), errors);
        },
    ),
    source(
        "persistentVolumeClaim",
        "persistentVolumeClaim",
        |v| v.persistent_volume_claim.is_some(),
        volumes::persistent_volume_claim,
    ),
    source(
        "rbd",
        "rbd",
        |v| v.rbd.is_some(),
        |v, at, errors| {
            let Some(rbd) = &v.rbd else { return };
            if rbd.monitors.is_empty() {
                errors.push(FieldError::required(at.child("monitors"), ""));
            }
            required(Some(&rbd.image), &at.child("image"), errors);
        },
    ),
    source(
        "cinder",
        "cinder",
        |v| v.cinder.is_some(),
        |v, at, errors| {
            let Some(disk) = &v.cinder else { return };
            required(Some(&disk.volume_id), &at.child("volumeID"), errors);
            if disk.secret_ref.as_ref().is_some_and(|s| s.name.is_empty()) {
                errors.push(FieldError::required(at.child("secretRef").child("name"), ""));
            }
        },
    ),
    source(
        "cephFS",
        "cephfs",
        |v| v.cephfs.is_some(),
        |v, at, errors| {
            if v.cephfs.as_ref().is_some_and(|c| c.monitors.is_empty()) {
                errors.push(FieldError::required(at.child("monitors"), ""));
            }
        },
    ),
    source("downwarAPI", "downwardAPI", |v| v.downward_api.is_some(), volumes::downward_api),
    source("fc", "fc", |v| v.fc.is_some(), fibre),
    source(
        "flexVolume",
        "flexVolume",
        |v| v.flex_volume.is_some(),
        |v, at, errors| {
            let Some(flex) = &v.flex_volume else { return };
            required(Some(&flex.driver), &at.child("driver"), errors);
        },
    ),
    source("configMap", "configMap", |v| v.config_map.is_some(), volumes::config_map),
    source(
        "azureFile",
        "azureFile",
        |v| v.azure_file.is_some(),
        |v, at, errors| {
            let Some(file) = &v.azure_file else { return };
            required(Some(&file.secret_name), &at.child("secretName"), errors);
            required(Some(&file.share_name), &at.child("shareName"), errors);
        },
    ),
    source("projected", "projected", |v| v.projected.is_some(), volumes::projected),
    source(
        "csi",
        "csi",
        |v| v.csi.is_some(),
        |v, at, errors| {
            let Some(csi) = &v.csi else { return };
            let place = at.child("driver");
            required(Some(&csi.driver), &place, errors);
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
            if csi.driver.len() > 63 {
                errors.push(FieldError::too_long(at.child("driver"), 63));
            } else if !csi.driver.is_empty() && !csi.driver.bytes().all(plain) {
                let why = super::containers::lower_subdomain_error(&csi.driver).unwrap_or_default();
                errors.push(FieldError::invalid_str(at.child("driver"), &csi.driver, &why));
            }
            if csi.node_publish_secret_ref.as_ref().is_some_and(|s| s.name.is_empty()) {
                let at = at.child("nodePublishSecretRef");
                errors.push(FieldError::required(at.child("name"), ""));
            }
        },
    ),
    source(
        "ephemeral",
        "ephemeral",
        |v| v.ephemeral.is_some(),
        |v, at, errors| {
            if v.ephemeral.as_ref().is_some_and(|e| e.volume_claim_template.is_none()) {
                errors.push(FieldError::required(at.child("volumeClaimTemplate"), ""));
            }
        },
    ),
    source(
        "image",
        "image",
        |v| v.image.is_some(),
        |v, at, errors| {
            let Some(image) = &v.image else { return };
            required(image.reference.as_deref(), &at.child("reference"), errors);
            let policy = image.pull_policy.as_deref().unwrap_or_default();
            let known = &["Always", "IfNotPresent", "Never"];
            super::containers::one_of(policy, known, &at.child("pullPolicy"), errors);
        },
    ),
];

fn between(value: i32, most: i32, at: &Path, errors: &mut Vec<FieldError>) {
    if !(0..=most).contains(&value) {
        let why = format!("must be between 1 and {most}, inclusive");
        errors.push(FieldError::invalid(at, value, &why));
    }
}

fn iscsi(volume: &Volume, at: &Path, errors: &mut Vec<FieldError>) {
    let Some(iscsi) = &volume.iscsi else { return };
    required(Some(&iscsi.target_portal), &at.child("targetPortal"), errors);
    required(Some(&iscsi.iqn), &at.child("iqn"), errors);
    let known = ["iqn", "eui", "naa"];
    if !iscsi.iqn.is_empty() && !known.iter().any(|start| iscsi.iqn.starts_with(start)) {
        let why = "must be valid format starting with iqn, eui, or naa";
        errors.push(FieldError::invalid_str(at.child("iqn"), &iscsi.iqn, why));
    }
    if !(0..=255).contains(&iscsi.lun) {
        let why = "must be between 0 and 255, inclusive";
        errors.push(FieldError::invalid(at.child("lun"), iscsi.lun, why));
    }
    let secret = iscsi.chap_auth_discovery == Some(true) || iscsi.chap_auth_session == Some(true);
    if secret && iscsi.secret_ref.is_none() {
        errors.push(FieldError::required(at.child("secretRef"), ""));
    }
}

fn fibre(volume: &Volume, at: &Path, errors: &mut Vec<FieldError>) {
    let Some(fc) = &volume.fc else { return };
    let names = fc.target_wwns.as_deref().unwrap_or_default();
    let ids = fc.wwids.as_deref().unwrap_or_default();
    let place = at.child("targetWWNs");
    if names.is_empty() && ids.is_empty() {
        let why = "must specify either targetWWNs or wwids, but not both";
        errors.push(FieldError::required(place, why));
    }
    if !names.is_empty() && !ids.is_empty() {
        let shown = serde_json::Value::from(names.to_vec()).to_string();
        let why = "targetWWNs and wwids can not be specified simultaneously";
        errors.push(FieldError::invalid(at.child("targetWWNs"), shown, why));
    }
    match fc.lun {
        None if !names.is_empty() => {
            let why = "lun is required if targetWWNs is specified";
            errors.push(FieldError::required(at.child("lun"), why));
        }
        Some(lun) if !names.is_empty() && !(0..=255).contains(&lun) => {
            let why = "must be between 0 and 255, inclusive";
            errors.push(FieldError::invalid(at.child("lun"), lun, why));
        }
        _ => {}
    }
}
