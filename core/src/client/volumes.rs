//! Which volume suits a claim: what the binder and the scheduler both ask.
//!
//! Models `component-helpers/storage/volume/pv_helpers.go` (`FindMatchingVolume`).

use std::rc::Rc;

use k8s_openapi::api::{
    core::v1::{
        Node, ObjectReference, PersistentVolume, PersistentVolumeClaim, PersistentVolumeSpec,
    },
    storage::v1::StorageClass,
};

use super::{Client, IndexId};
use crate::api::{
    Object, Status,
    meta::{annotation, is_deleting},
    quantity::Amount,
    scheduling,
    selector::Selector,
    volumes::{
        BOUND_BY_CONTROLLER, DEFAULT_CLASS, claim_class, requested, volume_class, volume_phase,
    },
};

/// Whether the claim's class has it wait for its first pod.
pub fn delays(client: &Client, claim: &PersistentVolumeClaim) -> bool {
    let name = claim_class(claim);
    if name.is_empty() {
        return false;
    }
    let class = client.find::<StorageClass>("", name);
    let mode = class.as_ref().and_then(|c| c.volume_binding_mode.as_deref());
    mode == Some("WaitForFirstConsumer")
}

/// The class of claims that name none: of several marked ones the newest.
pub fn default_class(client: &Client) -> Option<Rc<StorageClass>> {
    let classes = client.list::<StorageClass>(None).into_iter();
    let marked = classes.filter(|c| annotation(&c.metadata, DEFAULT_CLASS) == Some("true"));
    marked.max_by_key(|c| {
        let name = c.metadata.name.clone();
        (c.metadata.creation_timestamp.clone(), std::cmp::Reverse(name))
    })
}

fn mode(mode: Option<&String>) -> &str {
    mode.map_or("Filesystem", String::as_str)
}

/// Why a volume that a claim names can't be its.
pub fn check_named(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> Result<(), String> {
    let none = PersistentVolumeSpec::default();
    let spec = volume.spec.as_ref().unwrap_or(&none);
    let wanted = claim.spec.as_ref();
    if Amount::get(spec.capacity.as_ref(), "storage") < requested(claim) {
        return Err("requested PV is too small".into());
    }
    if volume_class(volume) != claim_class(claim) {
        return Err("storageClassName does not match".into());
    }
    let wanted_mode = wanted.and_then(|s| s.volume_mode.as_ref());
    if mode(spec.volume_mode.as_ref()) != mode(wanted_mode) {
        return Err("incompatible volumeMode".into());
    }
    if !has_modes(spec, claim) {
        return Err("incompatible accessMode".into());
    }
    Ok(())
}

fn has_modes(spec: &PersistentVolumeSpec, claim: &PersistentVolumeClaim) -> bool {
    let have = spec.access_modes.as_deref().unwrap_or_default();
    let wanted = claim.spec.as_ref().and_then(|s| s.access_modes.as_deref()).unwrap_or_default();
    wanted.iter().all(|m| have.contains(m))
}

/// Whether the volume is reachable from a node.
pub fn reaches(volume: &PersistentVolume, node: &Node) -> bool {
    let affinity = volume.spec.as_ref().and_then(|s| s.node_affinity.as_ref());
    let required = affinity.and_then(|a| a.required.as_ref());
    required.is_none_or(|selector| scheduling::any_term(selector, node))
}

/// Whether a volume that nobody has would do for the claim.
pub fn fits_class(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> bool {
    let selector = claim.spec.as_ref().and_then(|s| s.selector.as_ref());
    let selected = match Selector::from_label_selector(selector) {
        Ok(parsed) => selector.is_none() || parsed.matches(volume.metadata.labels.as_ref()),
        Err(_) => false,
    };
    !is_deleting(&volume.metadata)
        && volume_phase(volume) == "Available"
        && check_named(volume, claim).is_ok()
        && selected
}

/// The volume for a claim: one that is meant for it, or else the smallest that suits (and that
/// reaches `node`, where one is given). `only_meant`: only one that is meant for it, because the
/// others wait for the claim's first pod. `volumes` is the index `volumes_by_class`; volumes in
/// `taken` are for other claims.
pub fn best_match(
    client: &Client,
    volumes: IndexId,
    claim: &PersistentVolumeClaim,
    node: Option<&Node>,
    only_meant: bool,
    taken: &[Rc<PersistentVolume>],
) -> Option<Rc<PersistentVolume>> {
    let object: &dyn Object = claim;
    let key = format!("{}/{}", object.namespace(), object.name());
    let meant = client.by_index::<PersistentVolume>(volumes, &key).into_iter().find(|v| {
        is_given_to(v, claim)
            && !is_deleting(&v.metadata)
            && mode(v.spec.as_ref().and_then(|s| s.volume_mode.as_ref()))
                == mode(claim.spec.as_ref().and_then(|s| s.volume_mode.as_ref()))
            && Amount::get(v.spec.as_ref().and_then(|s| s.capacity.as_ref()), "storage")
                >= requested(claim)
    });
    if meant.is_some() || only_meant {
        return meant.filter(|v| node.is_none_or(|n| reaches(v, n)));
    }
    let free = client.by_index::<PersistentVolume>(volumes, &format!("-{}", claim_class(claim)));
    free.into_iter()
        .filter(|v| fits_class(v, claim) && node.is_none_or(|n| reaches(v, n)))
        .filter(|v| !taken.iter().any(|t| t.metadata.uid == v.metadata.uid))
        .min_by_key(|v| Amount::get(v.spec.as_ref().and_then(|s| s.capacity.as_ref()), "storage"))
}

/// The claim that a volume is given to, if to any.
pub fn claim_ref(volume: &PersistentVolume) -> Option<&ObjectReference> {
    volume.spec.as_ref()?.claim_ref.as_ref()
}

/// Whether a volume is given to this claim, by name and (if it says one) by uid.
pub fn is_given_to(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> bool {
    let Some(given) = claim_ref(volume) else { return false };
    let meta = &claim.metadata;
    given.name == meta.name
        && given.namespace == meta.namespace
        && given.uid.as_deref().is_none_or(|uid| uid.is_empty() || Some(uid) == meta.uid.as_deref())
}

/// Writes into a volume that it is the claim's. Used by the scheduler as well, for claims that wait
/// for their first pod.
pub fn give(
    client: &Client,
    volume: &Rc<PersistentVolume>,
    claim: &PersistentVolumeClaim,
) -> Result<Rc<PersistentVolume>, Status> {
    let mut new = (**volume).clone();
    let object: &dyn Object = claim;
    let before = new.spec.get_or_insert_default().claim_ref.clone();
    let uid = before.as_ref().and_then(|c| c.uid.as_deref());
    if uid == Some(object.uid()) {
        return Ok(volume.clone());
    }
    if before.is_none() {
        let annotations = new.metadata.annotations.get_or_insert_default();
        annotations.insert(BOUND_BY_CONTROLLER.into(), "yes".into());
    }
    new.spec.get_or_insert_default().claim_ref = Some(claim_reference(claim));
    client.update(new)
}

/// How a volume names the claim that it is for.
pub fn claim_reference(claim: &PersistentVolumeClaim) -> ObjectReference {
    let object: &dyn Object = claim;
    ObjectReference {
        api_version: Some("v1".into()),
        kind: Some("PersistentVolumeClaim".into()),
        namespace: Some(object.namespace().to_string()),
        name: Some(object.name().to_string()),
        uid: Some(object.uid().to_string()),
        resource_version: object.metadata().resource_version.clone(),
        field_path: None,
    }
}
