//! What admission does with claims and volumes: their default class, their protection, their growth.
//!
//! Models `plugin/pkg/admission/storage` (`storageclass/setdefault`, `storageobjectinuseprotection`,
//! `persistentvolume/resize`).

use k8s_openapi::api::{
    core::v1::{PersistentVolume, PersistentVolumeClaim},
    storage::v1::{StorageClass, VolumeAttributesClass},
};

use super::Attributes;
use crate::api::{
    Object, Status, Typed,
    meta::annotation,
    object::downcast_rc,
    volumes::{DEFAULT_CLASS, claim_class, claim_phase, names_no_class, requested},
};

/// A new claim that names no class gets the default one: of several the newest.
pub fn default_class(attributes: &Attributes, object: &mut dyn Object) -> Result<(), Status> {
    let Some(claim) = object.downcast_mut::<PersistentVolumeClaim>() else { return Ok(()) };
    if attributes.old.is_some() || !names_no_class(claim) {
        return Ok(());
    }
    let classes = attributes.api.store().list(StorageClass::ID, None);
    let marked = classes.iter().filter_map(downcast_rc::<StorageClass>);
    let marked = marked.filter(|c| annotation(&c.metadata, DEFAULT_CLASS) == Some("true"));
    let newest = marked.max_by_key(|c| {
        let name = c.metadata.name.clone();
        (c.metadata.creation_timestamp.clone(), std::cmp::Reverse(name))
    });
    if let Some(class) = newest {
        claim.spec.get_or_insert_default().storage_class_name = class.metadata.name.clone();
    }
    Ok(())
}

/// New claims, volumes and classes of their attributes are kept while they are in use.
pub fn protect(attributes: &Attributes, object: &mut dyn Object) -> Result<(), Status> {
    let finalizer = match object.kind_id() {
        PersistentVolumeClaim::ID => "kubernetes.io/pvc-protection",
        PersistentVolume::ID => "kubernetes.io/pv-protection",
        VolumeAttributesClass::ID => "kubernetes.io/vac-protection",
        _ => return Ok(()),
    };
    if attributes.old.is_none() {
        let finalizers = object.metadata_mut().finalizers.get_or_insert_default();
        if !finalizers.iter().any(|f| f == finalizer) {
            finalizers.push(finalizer.into());
        }
    }
    Ok(())
}

/// Only bound claims whose class allows it may ask for more.
pub fn resize(attributes: &Attributes, object: &mut dyn Object) -> Result<(), Status> {
    let Some(claim) = object.downcast::<PersistentVolumeClaim>() else { return Ok(()) };
    let old = attributes.old.and_then(|o| o.downcast::<PersistentVolumeClaim>());
    let Some(old) = old.filter(|old| requested(claim) > requested(old)) else { return Ok(()) };
    let refuse =
        |why: &str| Err(Status::forbidden(attributes.kind, (claim as &dyn Object).name(), why));
    if claim_phase(old) != "Bound" {
        return refuse("Only bound persistent volume claims can be expanded");
    }
    let class = attributes.api.store().get(StorageClass::ID, "", claim_class(old));
    let class = class.as_ref().and_then(downcast_rc::<StorageClass>);
    if class.is_none_or(|c| c.allow_volume_expansion != Some(true)) {
        return refuse(
            "only dynamically provisioned pvc can be resized and the storageclass that provisions \
             the pvc must support resize",
        );
    }
    Ok(())
}
