//! A device has one claim (unless it is shared, or an administrator looks at it), and a claim that pods
//! use has devices.

use std::collections::BTreeMap;

use k8s_openapi::api::resource::v1::ResourceClaim;

use super::Seen;
use crate::api::{Object, claims};

/// Devices that two claims have, and claims that pods use without devices.
pub fn check(seen: &Seen) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut holders: BTreeMap<String, String> = BTreeMap::new();
    for claim in seen.client.list::<ResourceClaim>(None) {
        let object: &dyn Object = &*claim;
        let name = format!("{}/{}", object.namespace(), object.name());
        let reserved = claim.status.as_ref().and_then(|s| s.reserved_for.as_ref());
        if reserved.is_some_and(|r| !r.is_empty()) && !claims::is_allocated(&claim) {
            wrong.push(format!("{name} is used and has no devices"));
        }
        let own = |r: &&k8s_openapi::api::resource::v1::DeviceRequestAllocationResult| {
            r.share_id.is_none() && r.admin_access != Some(true)
        };
        for result in claims::results(&claim).iter().filter(own) {
            let device = format!("{}/{}/{}", result.driver, result.pool, result.device);
            if let Some(other) = holders.insert(device.clone(), name.clone()) {
                wrong.push(format!("{other} and {name} both have {device}"));
            }
        }
    }
    wrong
}
