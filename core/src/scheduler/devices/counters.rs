//! What devices that are parts of one another share: counters of their pool.
//!
//! Models `checkAvailableCounters`.

use std::collections::BTreeMap;

use k8s_openapi::api::resource::v1::Device;

use super::{
    Offers, index,
    pools::{Pool, devices},
};
use crate::api::quantity::Amount;

/// Amounts by set and counter.
pub type Counters = BTreeMap<(String, String), Amount>;

/// What a device uses up.
pub fn uses(device: &Device) -> impl Iterator<Item = ((String, String), Amount)> + '_ {
    device.consumes_counters.iter().flatten().flat_map(|use_| {
        let of = |(name, counter): (&String, &k8s_openapi::api::resource::v1::Counter)| {
            ((use_.counter_set.clone(), name.clone()), Amount::of(&counter.value))
        };
        use_.counters.iter().map(of)
    })
}

/// What a pool has left, beyond the devices that claims have.
pub fn left(offers: &Offers, pool: &Pool) -> Counters {
    let mut left = Counters::new();
    for set in pool.counters.values() {
        for (name, counter) in &set.counters {
            left.insert((set.name.clone(), name.clone()), Amount::of(&counter.value));
        }
    }
    for slice in pool.slices.iter().chain(&pool.elsewhere) {
        let consuming = devices(slice).iter().filter(|d| d.consumes_counters.is_some());
        for device in consuming {
            let key = index::device_key(&slice.spec.driver, &slice.spec.pool.name, &device.name);
            let client = &offers.client;
            if !index::is_taken(client, &key) && index::shares(client, &key).is_none() {
                continue;
            }
            for (counter, amount) in uses(device) {
                if let Some(has) = left.get_mut(&counter) {
                    *has = has.minus(amount);
                }
            }
        }
    }
    left
}
