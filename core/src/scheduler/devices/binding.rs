//! Writes into claims' statuses what they get and who may use it, and reads there whether drivers
//! have made the devices ready.
//!
//! Models `bindClaim`, `isClaimReadyForBinding` and `isClaimTimeout`.

use std::{rc::Rc, time::Duration};

use k8s_openapi::api::{
    core::v1::Pod,
    resource::v1::{
        AllocationResult, DeviceRequestAllocationResult, ResourceClaim,
        ResourceClaimConsumerReference,
    },
};

use super::outcome;
use crate::{
    api::{Object, claims, meta::is_deleting},
    client::Client,
    sim::Time,
};

/// So long a driver may take to make devices ready (`BindingTimeoutDefaultSeconds`).
const PATIENCE: Duration = Duration::from_secs(600);

/// Gives a claim its devices, if it has none, and reserves it for a pod.
pub fn bind(
    client: &Client,
    pod: &Pod,
    claim: &Rc<ResourceClaim>,
    allocation: Option<AllocationResult>,
) -> Result<Rc<ResourceClaim>, String> {
    if claims::is_reserved_for(claim, pod) && allocation.is_none() {
        return Ok(claim.clone());
    }
    let object: &dyn Object = &**claim;
    let name = format!("{}/{}", object.namespace(), object.name());
    if is_deleting(&claim.metadata) {
        return Err(format!("claim {name} got deleted in the meantime"));
    }
    let mut new = (**claim).clone();
    let allocates = allocation.is_some();
    let finalizers = new.metadata.finalizers.get_or_insert_default();
    if allocates && !finalizers.iter().any(|f| f == claims::FINALIZER) {
        finalizers.push(claims::FINALIZER.into());
        let updated = client.update(new);
        let updated = updated.map_err(|why| format!("add finalizer to claim {name}: {why}"))?;
        new = (*updated).clone();
    }
    let status = new.status.get_or_insert_default();
    if let Some(mut allocation) = allocation {
        outcome::name_shares(client.sim(), &mut allocation);
        status.allocation = Some(allocation);
    }
    let now = client.sim().now().to_meta();
    if let Some(allocation) = &mut status.allocation {
        allocation.allocation_timestamp.get_or_insert(now);
    }
    let pod: &dyn Object = pod;
    status.reserved_for.get_or_insert_default().push(ResourceClaimConsumerReference {
        api_group: None,
        name: pod.name().to_string(),
        resource: "pods".into(),
        uid: pod.uid().to_string(),
    });
    client.update_status(new).map_err(|why| match allocates {
        true => format!("add allocation and reservation to claim {name}: {why}"),
        false => format!("add reservation to claim {name}: {why}"),
    })
}

/// A claim is not reserved for a pod any more.
pub fn release(
    client: &Client,
    pod: &Pod,
    claim: &ResourceClaim,
) -> Result<(), crate::api::Status> {
    if !claims::is_allocated(claim) || !claims::is_reserved_for(claim, pod) {
        return Ok(());
    }
    let mut new = claim.clone();
    let uid = (pod as &dyn Object).uid();
    if let Some(reserved) = new.status.as_mut().and_then(|s| s.reserved_for.as_mut()) {
        reserved.retain(|r| r.uid != uid);
    }
    client.update_status(new).map(|_| ())
}

fn waits(result: &DeviceRequestAllocationResult) -> bool {
    result.binding_conditions.as_ref().is_some_and(|c| !c.is_empty())
}

/// Whether all of a claim's devices are ready. Errors: a driver says that one can't be.
fn is_ready(claim: &ResourceClaim) -> Result<bool, String> {
    for result in claims::results(claim).iter().filter(|r| waits(r)) {
        let status = claim.status.iter().flat_map(|s| s.devices.iter().flatten()).find(|d| {
            (&d.driver, &d.pool, &d.device) == (&result.driver, &result.pool, &result.device)
        });
        let Some(status) = status else { return Ok(false) };
        let holds = |name: &String| {
            let conditions = status.conditions.iter().flatten();
            conditions.clone().find(|c| c.type_ == *name && c.status == "True")
        };
        let failed = result.binding_failure_conditions.iter().flatten().find_map(holds);
        if let Some(failed) = failed {
            return Err(format!(
                "claim {} binding failed: reason={}, message={:?}",
                claim.metadata.name.as_deref().unwrap_or_default(),
                failed.reason,
                failed.message
            ));
        }
        if !result.binding_conditions.iter().flatten().all(|name| holds(name).is_some()) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_late(claim: &ResourceClaim, now: Time) -> bool {
    let allocation = claim.status.as_ref().and_then(|s| s.allocation.as_ref());
    let since = allocation.and_then(|a| a.allocation_timestamp.as_ref()).map(Time::from);
    since.is_some_and(|since| since + PATIENCE < now)
        && claims::results(claim).iter().any(|r| r.binding_conditions.is_some())
}

/// Whether devices that a claim has will not be ready.
pub fn has_failed(claim: &ResourceClaim, now: Time) -> bool {
    match is_ready(claim) {
        Err(_) => true,
        Ok(ready) => !ready && is_late(claim, now),
    }
}

/// Whether the devices of all claims are ready. Errors: one will not be.
pub fn are_ready(claims: &[Rc<ResourceClaim>], now: Time) -> Result<bool, String> {
    for claim in claims {
        if !is_ready(claim)? {
            if is_late(claim, now) {
                let name = claim.metadata.name.as_deref().unwrap_or_default();
                return Err(format!("claim {name} binding timeout"));
            }
            return Ok(false);
        }
    }
    Ok(true)
}
