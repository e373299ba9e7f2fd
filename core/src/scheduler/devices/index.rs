//! Who has which devices and which devices there are, found without looking through everything.

use std::collections::BTreeMap;

use k8s_openapi::api::resource::v1::{DeviceRequestAllocationResult, ResourceClaim, ResourceSlice};

use crate::{
    api::{Object, claims::results, quantity::Amount},
    client::Client,
};

/// `driver/pool/device`.
pub fn device_key(driver: &str, pool: &str, device: &str) -> String {
    format!("{driver}/{pool}/{device}")
}

/// Index: slices by the node that alone reaches them, by nothing where several may.
pub fn slices_by_node(object: &dyn Object) -> Vec<String> {
    let Some(slice) = object.downcast::<ResourceSlice>() else { return Vec::new() };
    // Counters are needed wherever the pool is used.
    let counters = slice.spec.shared_counters.as_ref().is_some_and(|c| !c.is_empty());
    let node = slice.spec.node_name.clone().filter(|_| !counters);
    vec![node.unwrap_or_default()]
}

/// Index: slices by their pool, as `driver/pool`.
pub fn slices_by_pool(object: &dyn Object) -> Vec<String> {
    let slice = object.downcast::<ResourceSlice>();
    slice.map(|s| format!("{}/{}", s.spec.driver, s.spec.pool.name)).into_iter().collect()
}

/// Index: claims by the devices that they have to themselves, as `driver/pool/device`, and by those
/// of which they have a share, with `~` before that. Administrators' access takes nothing.
pub fn claims_by_device(object: &dyn Object) -> Vec<String> {
    let Some(claim) = object.downcast::<ResourceClaim>() else { return Vec::new() };
    let taken = results(claim).iter().filter(|r| r.admin_access != Some(true));
    let mut keys: Vec<String> = taken
        .map(|r| {
            let key = device_key(&r.driver, &r.pool, &r.device);
            if r.share_id.is_some() { format!("~{key}") } else { key }
        })
        .collect();
    keys.sort();
    keys.dedup();
    keys
}

/// Whether a claim has a device to itself.
pub fn is_taken(client: &Client, key: &str) -> bool {
    client.count_by_index(client.index::<ResourceClaim>(claims_by_device), key) > 0
}

/// What claims have of a device that several share; `None` if none has a share.
pub fn shares(client: &Client, key: &str) -> Option<BTreeMap<String, Amount>> {
    let index = client.index::<ResourceClaim>(claims_by_device);
    let wanted = format!("~{key}");
    if client.count_by_index(index, &wanted) == 0 {
        return None;
    }
    let mut all: BTreeMap<String, Amount> = BTreeMap::new();
    for claim in client.by_index::<ResourceClaim>(index, &wanted) {
        let here = |r: &&DeviceRequestAllocationResult| {
            r.share_id.is_some()
                && r.admin_access != Some(true)
                && device_key(&r.driver, &r.pool, &r.device) == key
        };
        for (name, quantity) in
            results(&claim).iter().filter(here).flat_map(|r| r.consumed_capacity.iter().flatten())
        {
            let sum = all.entry(name.clone()).or_default();
            *sum = sum.plus(Amount::of(quantity));
        }
    }
    Some(all)
}
