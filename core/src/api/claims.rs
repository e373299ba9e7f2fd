//! A pod's claims of devices: which they are, whether they are its own, who may use them.
//!
//! Models `dynamic-resource-allocation/resourceclaim`.

use k8s_openapi::api::{
    core::v1::{Pod, PodResourceClaim},
    resource::v1::{DeviceRequestAllocationResult, DeviceTaint, DeviceToleration, ResourceClaim},
};

use super::{Object, meta::controller_of};

/// On claims that somebody has: they are not removed as long as they have devices.
pub const FINALIZER: &str = "resource.kubernetes.io/delete-protection";
/// On claims that were made for extended resources of a pod.
pub const EXTENDED: &str = "resource.kubernetes.io/extended-resource-claim";

/// What a pod asks for by claims.
pub fn of_pod(pod: &Pod) -> &[PodResourceClaim] {
    pod.spec.as_ref().and_then(|s| s.resource_claims.as_deref()).unwrap_or_default()
}

/// The claim that stands behind one of a pod's, and whether it was made for the pod; `None` if none
/// is needed. Errors: it is not made yet.
pub fn name(pod: &Pod, claim: &PodResourceClaim) -> Result<Option<(String, bool)>, String> {
    let object: &dyn Object = pod;
    let place = || format!("pod \"{}/{}\"", object.namespace(), object.name());
    if let Some(name) = &claim.resource_claim_name {
        return Ok(Some((name.clone(), false)));
    }
    if claim.resource_claim_template_name.is_none() {
        let (place, name) = (place(), &claim.name);
        return Err(format!(
            "{place}, spec.resourceClaim {name:?}: none of the supported fields are set"
        ));
    }
    let made = pod.status.as_ref().and_then(|s| s.resource_claim_statuses.as_deref());
    match made.unwrap_or_default().iter().find(|s| s.name == claim.name) {
        Some(status) => Ok(status.resource_claim_name.clone().map(|name| (name, true))),
        None => Err(format!("{}: ResourceClaim not created yet", place())),
    }
}

/// That a claim was made for a pod. Errors: it was not.
pub fn check_owner(pod: &Pod, claim: &ResourceClaim) -> Result<(), String> {
    let (pod, claim): (&dyn Object, &dyn Object) = (pod, claim);
    match controller_of(claim.metadata()).is_some_and(|owner| owner.uid == pod.uid()) {
        true => Ok(()),
        false => Err(format!(
            "ResourceClaim {}/{} was not created for Pod {}/{} (Pod is not owner)",
            claim.namespace(),
            claim.name(),
            pod.namespace(),
            pod.name()
        )),
    }
}

/// Whether a claim has its devices.
pub fn is_allocated(claim: &ResourceClaim) -> bool {
    claim.status.as_ref().is_some_and(|s| s.allocation.is_some())
}

/// What a claim got.
pub fn results(claim: &ResourceClaim) -> &[DeviceRequestAllocationResult] {
    let allocation = claim.status.as_ref().and_then(|s| s.allocation.as_ref());
    let devices = allocation.and_then(|a| a.devices.as_ref());
    devices.and_then(|d| d.results.as_deref()).unwrap_or_default()
}

/// Whether a pod may use a claim.
pub fn is_reserved_for(claim: &ResourceClaim, pod: &Pod) -> bool {
    let uid = (pod as &dyn Object).uid();
    let reserved = claim.status.as_ref().and_then(|s| s.reserved_for.as_deref());
    reserved.unwrap_or_default().iter().any(|r| r.uid == uid)
}

/// Whether a toleration is about a device's taint.
/// Models `resourceclaim.ToleratesTaint`.
pub fn tolerates(toleration: &DeviceToleration, taint: &DeviceTaint) -> bool {
    let given = |field: &Option<String>, own: &str| {
        field.as_deref().is_none_or(|f| f.is_empty() || f == own)
    };
    if !given(&toleration.effect, &taint.effect) || !given(&toleration.key, &taint.key) {
        return false;
    }
    let value = |v: &Option<String>| v.clone().unwrap_or_default();
    match toleration.operator.as_deref().unwrap_or_default() {
        "" | "Equal" => value(&toleration.value) == value(&taint.value),
        "Exists" => true,
        _ => false,
    }
}

/// Index: pods by the claims that they use, as `namespace/claim`.
pub fn pods_by_claim(object: &dyn Object) -> Vec<String> {
    let Some(pod) = object.downcast::<Pod>() else { return Vec::new() };
    let mut names: Vec<String> =
        of_pod(pod).iter().filter_map(|c| name(pod, c).ok()?).map(|(name, _)| name).collect();
    let extended = pod.status.as_ref().and_then(|s| s.extended_resource_claim_status.as_ref());
    names.extend(extended.map(|e| e.resource_claim_name.clone()));
    names.sort();
    names.dedup();
    names.into_iter().map(|name| format!("{}/{name}", object.namespace())).collect()
}
