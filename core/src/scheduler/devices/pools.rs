//! The pools of devices that a node reaches.
//!
//! A driver replaces a pool's slices one by one: older generations are passed over, and a pool of
//! which slices are still missing gives nothing.
//!
//! Models `pools_incubating.go`.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use k8s_openapi::api::{
    core::v1::{Node, NodeSelector},
    resource::v1::{CounterSet, Device, ResourceSlice},
};

use super::{Offers, index};
use crate::api::scheduling;

/// A pool, as one node sees it.
pub struct Pool {
    /// `driver/pool`.
    pub id: String,
    /// What of it can be used.
    pub state: State,
    /// Slices that reach the node, by name.
    pub slices: Vec<Rc<ResourceSlice>>,
    /// Others of the pool, whose devices may use up the same counters.
    pub elsewhere: Vec<Rc<ResourceSlice>>,
    /// What its devices share, by name.
    pub counters: BTreeMap<String, CounterSet>,
}

/// Whether a pool gives devices.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It does.
    Ready,
    /// Slices are missing: it is being changed.
    Incomplete,
    /// It contradicts itself.
    Invalid,
}

impl Pool {
    /// Whether it contradicts itself.
    pub fn is_invalid(&self) -> bool {
        self.state == State::Invalid
    }

    fn unusable(id: String, state: State) -> Pool {
        Pool { id, state, slices: Vec::new(), elsewhere: Vec::new(), counters: BTreeMap::new() }
    }

    fn has_binding_conditions(&self) -> bool {
        self.slices.iter().flat_map(|s| devices(s)).any(|d| d.binding_conditions.is_some())
    }
}

/// A slice's devices.
pub fn devices(slice: &ResourceSlice) -> &[Device] {
    slice.spec.devices.as_deref().unwrap_or_default()
}

/// Whether something is for a node: by its name, for all, or by a selector.
pub fn reaches(
    node: &Node,
    name: Option<&str>,
    all: Option<bool>,
    selector: Option<&NodeSelector>,
) -> bool {
    match name.filter(|n| !n.is_empty()) {
        Some(name) => node.metadata.name.as_deref() == Some(name),
        None => all == Some(true) || selector.is_some_and(|s| scheduling::any_term(s, node)),
    }
}

/// Whether a device of a slice that leaves that to its devices is for a node.
pub fn device_reaches(device: &Device, node: &Node) -> bool {
    reaches(node, device.node_name.as_deref(), device.all_nodes, device.node_selector.as_ref())
}

fn has_counters(slice: &ResourceSlice) -> bool {
    slice.spec.shared_counters.as_ref().is_some_and(|c| !c.is_empty())
}

fn concerns(slice: &ResourceSlice, node: &Node) -> bool {
    let spec = &slice.spec;
    has_counters(slice)
        || reaches(node, spec.node_name.as_deref(), spec.all_nodes, spec.node_selector.as_ref())
        || (spec.per_device_node_selection == Some(true)
            && devices(slice).iter().any(|d| device_reaches(d, node)))
}

fn pool_id(slice: &ResourceSlice) -> String {
    format!("{}/{}", slice.spec.driver, slice.spec.pool.name)
}

/// The pools of a node, by name; those whose devices take time to be bound come last.
pub fn gather(offers: &Offers, node: &Node) -> Vec<Pool> {
    let by_node = offers.client.index::<ResourceSlice>(index::slices_by_node);
    let name = node.metadata.name.as_deref().unwrap_or_default();
    let own = offers.client.by_index::<ResourceSlice>(by_node, name);
    let mut found: BTreeMap<(String, String), Vec<Rc<ResourceSlice>>> = BTreeMap::new();
    for slice in own.iter().chain(&offers.shared).filter(|s| concerns(s, node)) {
        let key = (slice.spec.driver.clone(), slice.spec.pool.name.clone());
        let known = found.entry(key).or_default();
        let newest = known.first().map_or(i64::MIN, |s| s.spec.pool.generation);
        if slice.spec.pool.generation > newest {
            known.clear();
        }
        if slice.spec.pool.generation >= newest {
            known.push(slice.clone());
        }
    }
    let pools = found.into_values().filter_map(|slices| complete(offers, slices));
    let (slow, mut ready): (Vec<_>, Vec<_>) = pools.partition(Pool::has_binding_conditions);
    ready.extend(slow);
    ready
}

/// Makes a pool of the slices that concern a node; nothing if there is a newer generation that has
/// none for it.
fn complete(offers: &Offers, mut slices: Vec<Rc<ResourceSlice>>) -> Option<Pool> {
    let first = slices.first()?.clone();
    let (id, count) = (pool_id(&first), first.spec.pool.resource_slice_count);
    let is_all = |n: usize| i64::try_from(n) == Ok(count);
    slices.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    if is_all(slices.len()) {
        return Some(build(id, slices, Vec::new()));
    }
    let by_pool = offers.client.index::<ResourceSlice>(index::slices_by_pool);
    let generation = first.spec.pool.generation;
    let mut all = offers.client.by_index::<ResourceSlice>(by_pool, &id);
    if all.iter().any(|s| s.spec.pool.generation > generation) {
        return None;
    }
    all.retain(|s| s.spec.pool.generation == generation);
    if !is_all(all.len()) {
        return Some(Pool::unusable(id, State::Incomplete));
    }
    let known: BTreeSet<_> = slices.iter().map(|s| s.metadata.name.clone()).collect();
    all.retain(|s| !known.contains(&s.metadata.name));
    Some(build(id, slices, all))
}

fn build(id: String, slices: Vec<Rc<ResourceSlice>>, elsewhere: Vec<Rc<ResourceSlice>>) -> Pool {
    let mut counters = BTreeMap::new();
    let sets = slices.iter().flat_map(|s| s.spec.shared_counters.iter().flatten());
    let twice = sets
        .fold(false, |twice, set| twice | counters.insert(set.name.clone(), set.clone()).is_some());
    let (_, offering): (Vec<_>, Vec<_>) = slices.into_iter().partition(|s| has_counters(s));
    let mut names = BTreeSet::new();
    let alike = !offering.iter().flat_map(|s| devices(s)).all(|d| names.insert(&d.name));
    let wrong = offering.iter().chain(&elsewhere).flat_map(|s| devices(s)).any(|device| {
        device.consumes_counters.iter().flatten().any(|use_| {
            let set = counters.get(&use_.counter_set);
            set.is_none_or(|set| use_.counters.keys().any(|c| !set.counters.contains_key(c)))
        })
    });
    if twice || alike || wrong {
        return Pool::unusable(id, State::Invalid);
    }
    Pool { id, state: State::Ready, slices: offering, elsewhere, counters }
}
