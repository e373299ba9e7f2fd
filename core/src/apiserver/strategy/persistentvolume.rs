//! The rules of PersistentVolumes.
//!
//! Models `pkg/apis/core/v1/defaults.go`, `ValidatePersistentVolume(Update)` and
//! `pkg/registry/core/persistentvolume/strategy.go`.

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeSpec, SecretReference};
use serde_json::{Map, Value};

use super::{
    NameRule, Strategy, StrategyCx, csi, godump,
    metadata::name_error,
    persistentvolumeclaim::{check_modes, class_annotation, positive},
    pod::{self, containers::one_of, defaults::text, placement},
};
use crate::api::{FieldError, Path, object::to_value, quantity::Amount};

/// See the module.
pub struct PersistentVolumes;

impl Strategy for PersistentVolumes {
    type Object = PersistentVolume;

    fn defaults(&self, volume: &mut PersistentVolume) {
        text(&mut volume.status.get_or_insert_default().phase, "Pending");
        let spec = volume.spec.get_or_insert_default();
        text(&mut spec.persistent_volume_reclaim_policy, "Retain");
        text(&mut spec.volume_mode, "Filesystem");
        if let Some(path) = &mut spec.host_path {
            path.type_.get_or_insert_default();
        }
        if let Some(claim) = &mut spec.claim_ref {
            // A reference by name only means a claim.
            text(&mut claim.kind, "PersistentVolumeClaim");
            text(&mut claim.api_version, "v1");
        }
    }

    fn prepare_create(&self, cx: &StrategyCx, volume: &mut PersistentVolume) {
        let status = volume.status.insert(Default::default());
        status.phase = Some("Pending".into());
        status.last_phase_transition_time = Some(cx.now.to_meta());
    }

    fn prepare_update(&self, _: &StrategyCx, new: &mut PersistentVolume, old: &PersistentVolume) {
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(&self, new: &mut PersistentVolume, old: &PersistentVolume) {
        new.spec.clone_from(&old.spec);
    }

    fn validate(&self, _: &StrategyCx, volume: &PersistentVolume) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if let Some(spec) = &volume.spec {
            check(spec, &Path::new("spec"), &mut errors);
        }
        errors
    }

    fn validate_update(
        &self,
        _: &StrategyCx,
        new: &PersistentVolume,
        old: &PersistentVolume,
    ) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let (Some(new), Some(old)) = (&new.spec, &old.spec) else { return errors };
        let (now, was) = (Value::Object(sources(new)), Value::Object(sources(old)));
        if now != was {
            let diff = godump::diff_of("PersistentVolumeSource", &now, &was);
            let why = format!("spec.persistentvolumesource is immutable after creation\n{diff}");
            errors.push(FieldError::forbidden("spec.persistentvolumesource", &why));
        }
        if new.volume_mode != old.volume_mode {
            let mode = new.volume_mode.as_deref().unwrap_or_default();
            errors.push(FieldError::invalid_str("volumeMode", mode, "field is immutable"));
        }
        if old.node_affinity.is_some() && new.node_affinity != old.node_affinity {
            let shown = new.node_affinity.as_ref().map_or(Value::Null, to_value);
            errors.push(FieldError::invalid("nodeAffinity", shown, "field is immutable"));
        }
        errors
    }

    fn warnings(&self, volume: &PersistentVolume, _: Option<&PersistentVolume>) -> Vec<String> {
        let mut out = class_annotation(&volume.metadata);
        if let Some(spec) = &volume.spec {
            spec_warnings(spec, &mut out);
        }
        out
    }

    fn field(&self, volume: &PersistentVolume, path: &str) -> Option<String> {
        (path == "name").then(|| volume.metadata.name.clone().unwrap_or_default())
    }
}

/// Models `warningsForPersistentVolumeSpecAndMeta`.
fn spec_warnings(spec: &PersistentVolumeSpec, out: &mut Vec<String>) {
    let at = Path::new("spec");
    if spec.persistent_volume_reclaim_policy.as_deref() == Some("Recycle") {
        out.push(format!(
            "{}: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to \
             use dynamic provisioning.",
            at.child("persistentVolumeReclaimPolicy")
        ));
    }
    let affinity = spec.node_affinity.as_ref().and_then(|a| a.required.as_ref());
    let terms_at = at.child("nodeAffinity");
    let terms_at = terms_at.child("required");
    let terms_at = terms_at.child("nodeSelectorTerms");
    for (i, term) in affinity.iter().flat_map(|a| &a.node_selector_terms).enumerate() {
        pod::node_term(term, &terms_at.index(i), out);
    }
    for (field, there, why) in [
        ("cephfs", spec.cephfs.is_some(), "deprecated in v1.28, non-functional in v1.31+"),
        (
            "photonPersistentDisk",
            spec.photon_persistent_disk.is_some(),
            "deprecated in v1.11, non-functional in v1.16+",
        ),
        ("rbd", spec.rbd.is_some(), "deprecated in v1.28, non-functional in v1.31+"),
        ("scaleIO", spec.scale_io.is_some(), "deprecated in v1.16, non-functional in v1.22+"),
        ("storageOS", spec.storageos.is_some(), "deprecated in v1.22, non-functional in v1.25+"),
        ("glusterfs", spec.glusterfs.is_some(), "deprecated in v1.25, non-functional in v1.26+"),
    ] {
        if there {
            out.push(format!("{}: {why}", at.child(field)));
        }
    }
    let size = spec.capacity.as_ref().and_then(|c| c.get("storage")).map(Amount::of);
    if let Some(size) = size.filter(|s| !s.is_whole()) {
        let at = at.child("capacity");
        out.push(format!(
            "{}: fractional byte value \"{size}\" is invalid, must be an integer",
            at.key("storage")
        ));
    }
}

/// What the volume really is: everything in the spec that is not about every volume.
fn sources(spec: &PersistentVolumeSpec) -> Map<String, Value> {
    const COMMON: &[&str] = &[
        "accessModes",
        "capacity",
        "claimRef",
        "mountOptions",
        "nodeAffinity",
        "persistentVolumeReclaimPolicy",
        "storageClassName",
        "volumeAttributesClassName",
        "volumeMode",
    ];
    let Value::Object(mut map) = to_value(spec) else { return Map::new() };
    map.retain(|field, _| !COMMON.contains(&field.as_str()));
    map
}

fn check(spec: &PersistentVolumeSpec, at: &Path, errors: &mut Vec<FieldError>) {
    let modes = spec.access_modes.as_deref().unwrap_or_default();
    if modes.is_empty() {
        errors.push(FieldError::required(at.child("accessModes"), ""));
    }
    check_modes(modes, &at.child("accessModes"), errors);
    let capacity_at = at.child("capacity");
    let capacity = spec.capacity.clone().unwrap_or_default();
    if capacity.is_empty() {
        errors.push(FieldError::required(capacity_at, ""));
    }
    if !capacity.contains_key("storage") || capacity.len() > 1 {
        let shown = to_value(&capacity).to_string();
        errors.push(FieldError::not_supported_value(capacity_at, &shown, &["storage"]));
    }
    for (name, amount) in &capacity {
        positive(Amount::of(amount), &capacity_at.key(name), errors);
    }
    let policy = spec.persistent_volume_reclaim_policy.as_deref().unwrap_or_default();
    if !policy.is_empty() {
        let policy_at = at.child("persistentVolumeReclaimPolicy");
        one_of(policy, &["Delete", "Recycle", "Retain"], &policy_at, errors);
    }
    let affinity = spec.node_affinity.as_ref();
    if let Some(affinity) = affinity {
        let at = at.child("nodeAffinity");
        match &affinity.required {
            None => {
                let why = "must specify required node constraints";
                errors.push(FieldError::required(at.child("required"), why));
            }
            Some(required) => {
                placement::node_selector(required, &at.child("required"), errors);
            }
        }
    }
    source(spec, at, errors);
    if spec.host_path.as_ref().is_some_and(|p| p.path == "/") && policy == "Recycle" {
        let at = at.child("persistentVolumeReclaimPolicy");
        let why = "may not be 'recycle' for a hostPath mount of '/'";
        errors.push(FieldError::forbidden(at, why));
    }
    for (field, value) in [
        ("storageClassName", &spec.storage_class_name),
        ("volumeAttributesClassName", &spec.volume_attributes_class_name),
    ] {
        let Some(value) = value.as_deref().filter(|v| !v.is_empty()) else { continue };
        if let Some(why) = name_error(NameRule::Subdomain, value) {
            errors.push(FieldError::invalid_str(at.child(field), value, &why));
        }
    }
    if let Some(mode) = spec.volume_mode.as_deref() {
        one_of(mode, &["Block", "Filesystem"], &at.child("volumeMode"), errors);
    }
}

/// Models `validatePVSecretReference`.
fn secret_ref(secret: &SecretReference, at: &Path, errors: &mut Vec<FieldError>) {
    for (field, value, rule) in [
        ("name", &secret.name, NameRule::Subdomain),
        ("namespace", &secret.namespace, NameRule::Label),
    ] {
        let value = value.as_deref().unwrap_or_default();
        if value.is_empty() {
            errors.push(FieldError::required(at.child(field), ""));
        } else if let Some(why) = name_error(rule, value) {
            errors.push(FieldError::invalid_str(at.child(field), value, &why));
        }
    }
}

fn source(spec: &PersistentVolumeSpec, at: &Path, errors: &mut Vec<FieldError>) {
    let all = sources(spec);
    if all.is_empty() {
        errors.push(FieldError::required(at, "must specify a volume type"));
    }
    for (field, _) in all.iter().skip(1) {
        let why = "may not specify more than 1 volume type";
        errors.push(FieldError::forbidden(at.child(field), why));
    }
    let paths = [
        ("hostPath", spec.host_path.as_ref().map(|p| p.path.as_str())),
        ("local", spec.local.as_ref().map(|l| l.path.as_str())),
        ("nfs", spec.nfs.as_ref().map(|n| n.path.as_str())),
    ];
    for (field, path) in paths {
        let Some(path) = path else { continue };
        let at = at.child(field);
        let at = at.child("path");
        if path.is_empty() {
            errors.push(FieldError::required(at, ""));
        } else if path.split('/').any(|part| part == "..") && field != "nfs" {
            errors.push(FieldError::invalid_str(at, path, "must not contain '..'"));
        }
    }
    if spec.nfs.as_ref().is_some_and(|n| n.server.is_empty()) {
        let at = at.child("nfs");
        errors.push(FieldError::required(at.child("server"), ""));
    }
    if let Some(csi) = &spec.csi {
        let at = at.child("csi");
        csi::driver_name(&csi.driver, &at.child("driver"), errors);
        if csi.volume_handle.is_empty() {
            errors.push(FieldError::required(at.child("volumeHandle"), ""));
        }
        for (field, secret) in [
            ("controllerPublishSecretRef", &csi.controller_publish_secret_ref),
            ("controllerExpandSecretRef", &csi.controller_expand_secret_ref),
            ("nodePublishSecretRef", &csi.node_publish_secret_ref),
            ("nodeExpandSecretRef", &csi.node_expand_secret_ref),
        ] {
            if let Some(secret) = secret {
                secret_ref(secret, &at.child(field), errors);
            }
        }
    }
    if spec.local.is_some() && spec.node_affinity.is_none() {
        let why = "Local volume requires node affinity";
        errors.push(FieldError::required(at.child("nodeAffinity"), why));
    }
}
