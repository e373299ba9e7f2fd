//! Questions about volumes and claims that several rooms ask.
//!
//! Models `component-helpers/storage/volume` and `kubectl/pkg/util/storage`.

use k8s_openapi::api::{
    core::v1::{PersistentVolume, PersistentVolumeClaim, Pod, Volume},
    storage::v1::VolumeAttachment,
};

use super::{Object, meta::annotation, quantity::Amount};
use crate::sim::digest::sha256;

/// The old way of naming a class.
const CLASS_ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";
/// On claims and volumes: the binder chose the other half.
pub const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";
/// On claims: binding is done.
pub const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
/// On claims: the node for which a volume is to be made.
pub const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
/// On claims: who is to make the volume.
pub const PROVISIONER: &str = "volume.kubernetes.io/storage-provisioner";
/// The same, as older provisioners read it.
pub const BETA_PROVISIONER: &str = "volume.beta.kubernetes.io/storage-provisioner";
/// On volumes: who made it.
pub const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
/// On classes: claims that name none get this one.
pub const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";
/// The provisioner of classes whose volumes are made by hand.
pub const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";

/// A claim's class; empty for none.
pub fn claim_class(claim: &PersistentVolumeClaim) -> &str {
    let named = claim.spec.as_ref().and_then(|s| s.storage_class_name.as_deref());
    annotation(&claim.metadata, CLASS_ANNOTATION).or(named).unwrap_or_default()
}

/// Whether a claim says nothing of a class (an empty name is something said).
pub fn names_no_class(claim: &PersistentVolumeClaim) -> bool {
    annotation(&claim.metadata, CLASS_ANNOTATION).is_none()
        && claim.spec.as_ref().is_none_or(|s| s.storage_class_name.is_none())
}

/// A volume's class; empty for none.
pub fn volume_class(volume: &PersistentVolume) -> &str {
    let named = volume.spec.as_ref().and_then(|s| s.storage_class_name.as_deref());
    annotation(&volume.metadata, CLASS_ANNOTATION).or(named).unwrap_or_default()
}

/// `RWO,ROX`
pub fn access_modes(modes: Option<&[String]>) -> String {
    const SHORT: &[(&str, &str)] = &[
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    let has = |mode: &str| modes.unwrap_or_default().iter().any(|m| m == mode);
    let all: Vec<_> = SHORT.iter().filter(|(long, _)| has(long)).map(|(_, short)| *short).collect();
    all.join(",")
}

/// What a claim asks for.
pub fn requested(claim: &PersistentVolumeClaim) -> Amount {
    let resources = claim.spec.as_ref().and_then(|s| s.resources.as_ref());
    Amount::get(resources.and_then(|r| r.requests.as_ref()), "storage")
}

/// A claim's phase.
pub fn claim_phase(claim: &PersistentVolumeClaim) -> &str {
    claim.status.as_ref().and_then(|s| s.phase.as_deref()).unwrap_or("Pending")
}

/// A volume's phase.
pub fn volume_phase(volume: &PersistentVolume) -> &str {
    volume.status.as_ref().and_then(|s| s.phase.as_deref()).unwrap_or("Pending")
}

/// The volume that a claim is bound to, or is to be; empty for none.
pub fn volume_name(claim: &PersistentVolumeClaim) -> &str {
    claim.spec.as_ref().and_then(|s| s.volume_name.as_deref()).unwrap_or_default()
}

/// Whether a claim has its volume for good.
pub fn is_fully_bound(claim: &PersistentVolumeClaim) -> bool {
    !volume_name(claim).is_empty() && annotation(&claim.metadata, BIND_COMPLETED).is_some()
}

/// The claim that a pod's volume is, if it is one: named, or made for the pod.
pub fn claim_of(pod: &Pod, volume: &Volume) -> Option<String> {
    if let Some(claim) = &volume.persistent_volume_claim {
        return Some(claim.claim_name.clone());
    }
    volume.ephemeral.as_ref()?;
    let pod: &dyn Object = pod;
    Some(format!("{}-{}", pod.name(), volume.name))
}

/// The claims of a pod's volumes.
pub fn claims(pod: &Pod) -> Vec<String> {
    let volumes = pod.spec.as_ref().and_then(|s| s.volumes.as_deref()).unwrap_or_default();
    volumes.iter().filter_map(|v| claim_of(pod, v)).collect()
}

/// Index: pods by the claims that they use, as `namespace/claim`.
pub fn pods_by_claim(object: &dyn Object) -> Vec<String> {
    let Some(pod) = object.downcast::<Pod>() else { return Vec::new() };
    let claims = claims(pod).into_iter();
    claims.map(|claim| format!("{}/{claim}", object.namespace())).collect()
}

/// Index: claims by the volume that they name.
pub fn claims_by_volume(object: &dyn Object) -> Vec<String> {
    let claim = object.downcast::<PersistentVolumeClaim>();
    let name = claim.map(volume_name).unwrap_or_default();
    if name.is_empty() { Vec::new() } else { vec![name.to_string()] }
}

/// Index: volumes that could still be given to a claim of their class, by that class (`-` for
/// none), and by the claim for which they are meant, as `namespace/claim`.
pub fn volumes_by_class(object: &dyn Object) -> Vec<String> {
    let Some(volume) = object.downcast::<PersistentVolume>() else { return Vec::new() };
    match volume.spec.as_ref().and_then(|s| s.claim_ref.as_ref()) {
        None => vec![format!("-{}", volume_class(volume))],
        Some(claim) => {
            let text = |t: &Option<String>| t.clone().unwrap_or_default();
            vec![format!("{}/{}", text(&claim.namespace), text(&claim.name))]
        }
    }
}

/// How nodes name a volume of a driver in their status (`GetUniqueVolumeName`).
pub fn csi_name(driver: &str, handle: &str) -> String {
    format!("kubernetes.io/csi/{driver}^{handle}")
}

/// The name of the attachment of a driver's volume to a node.
pub fn attachment_name(driver: &str, handle: &str, node: &str) -> String {
    format!("csi-{}", sha256(format!("{handle}{driver}{node}").as_bytes()))
}

/// Index: attachments by the volume that they attach.
pub fn attachments_by_volume(object: &dyn Object) -> Vec<String> {
    let attachment = object.downcast::<VolumeAttachment>();
    attachment.and_then(|a| a.spec.source.persistent_volume_name.clone()).into_iter().collect()
}

/// Index: attachments by the node to which they attach.
pub fn attachments_by_node(object: &dyn Object) -> Vec<String> {
    let attachment = object.downcast::<VolumeAttachment>();
    attachment.map(|a| a.spec.node_name.clone()).into_iter().collect()
}
