//! What a request takes of a device's capacity, where several may share the device.
//!
//! Models `consumable_capacity.go`.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::resource::v1::{
        CapacityRequestPolicy, CapacityRequestPolicyRange, CapacityRequirements, Device,
        DeviceCapacity,
    },
    apimachinery::pkg::api::resource::Quantity,
};

use crate::api::quantity::Amount;

/// Sums of capacity, by name.
pub type Amounts = BTreeMap<String, Amount>;

fn asked<'a>(wish: Option<&'a CapacityRequirements>, name: &str) -> Option<&'a Quantity> {
    wish?.requests.as_ref()?.get(name)
}

/// What is taken of each of a device's capacities: what is asked for, rounded up to what the device
/// gives at once; where nothing is asked for, the default or everything.
pub fn consumed(
    device: &Device,
    wish: Option<&CapacityRequirements>,
) -> BTreeMap<String, Quantity> {
    let all = device.capacity.iter().flatten();
    all.map(|(name, capacity)| (name.clone(), taken(asked(wish, name), capacity))).collect()
}

fn taken(asked: Option<&Quantity>, capacity: &DeviceCapacity) -> Quantity {
    let policy = capacity.request_policy.as_ref();
    let Some(asked) = asked else {
        let default = policy.and_then(|p| p.default.clone());
        return default.unwrap_or_else(|| capacity.value.clone());
    };
    let Some(policy) = policy else { return asked.clone() };
    if let Some(range) = &policy.valid_range {
        return round_up(asked, range);
    }
    let wanted = Amount::of(asked);
    let values = policy.valid_values.iter().flatten();
    values.clone().find(|v| wanted <= Amount::of(v)).unwrap_or(asked).clone()
}

fn round_up(asked: &Quantity, range: &CapacityRequestPolicyRange) -> Quantity {
    let (wanted, min) = (Amount::of(asked), Amount::of(&range.min));
    if wanted < min {
        return range.min.clone();
    }
    let Some(step) = range.step.as_ref().map(|s| Amount::of(s).units()).filter(|s| *s > 0) else {
        return asked.clone();
    };
    let added = wanted.units().saturating_sub(min.units());
    let steps = added / step + i64::from(added % step != 0);
    let value = min.units().saturating_add(step.saturating_mul(steps));
    Amount::from_bytes(value).to_quantity()
}

fn violates(taken: &Quantity, policy: &CapacityRequestPolicy) -> bool {
    let amount = Amount::of(taken);
    if policy.default.as_ref().is_some_and(|d| Amount::of(d) == amount) {
        return false;
    }
    if let Some(range) = &policy.valid_range {
        let step = range.step.as_ref().map(|s| Amount::of(s).units()).filter(|s| *s > 0);
        let added = amount.units().saturating_sub(Amount::of(&range.min).units());
        return range.max.as_ref().is_some_and(|max| amount > Amount::of(max))
            || step.is_some_and(|step| added % step != 0);
    }
    let values = policy.valid_values.as_deref().unwrap_or_default();
    !values.is_empty() && !values.iter().any(|v| Amount::of(v) == amount)
}

/// Whether a device has enough left for a request, beyond what claims have of it already and what
/// is about to be taken. A request for a capacity that it does not have is never met.
pub fn suffices(
    device: &Device,
    wish: Option<&CapacityRequirements>,
    had: Option<&Amounts>,
    about: Option<&Amounts>,
) -> bool {
    let known = |name: &String| device.capacity.as_ref().is_some_and(|c| c.contains_key(name));
    let requests = wish.and_then(|w| w.requests.as_ref());
    if !requests.is_none_or(|r| r.keys().all(known)) {
        return false;
    }
    device.capacity.iter().flatten().all(|(name, capacity)| {
        let taken = taken(asked(wish, name), capacity);
        if capacity.request_policy.as_ref().is_some_and(|p| violates(&taken, p)) {
            return false;
        }
        let others = [had, about].into_iter().flatten().filter_map(|a| a.get(name));
        let sum = others.fold(Amount::of(&taken), |sum, more| sum.plus(*more));
        sum <= Amount::of(&capacity.value)
    })
}
