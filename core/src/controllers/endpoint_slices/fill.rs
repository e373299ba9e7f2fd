//! Spreads endpoints over slices, changing as few slices as possible.
//!
//! Models `reconcileByPortMapping` in `staging/src/k8s.io/endpointslice/reconciler.go`.

use std::{collections::BTreeMap, rc::Rc};

use k8s_openapi::api::discovery::v1::{Endpoint, EndpointPort, EndpointSlice};

use super::Existing;

/// Most endpoints in a slice (`maxEndpointsPerSlice`).
const MOST: usize = 100;

/// The ports of a slice, comparable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ports(Vec<(String, Option<i32>, String, Option<String>)>);

impl Ports {
    pub fn new(ports: Vec<EndpointPort>) -> Self {
        let key = |p: EndpointPort| {
            let protocol = p.protocol.unwrap_or_else(|| "TCP".into());
            (p.name.unwrap_or_default(), p.port, protocol, p.app_protocol)
        };
        Ports(ports.into_iter().map(key).collect())
    }

    pub fn list(&self) -> Option<Vec<EndpointPort>> {
        let make = |(name, port, protocol, app): &(String, Option<i32>, String, Option<String>)| {
            EndpointPort {
                name: Some(name.clone()),
                port: *port,
                protocol: Some(protocol.clone()),
                app_protocol: app.clone(),
            }
        };
        (!self.0.is_empty()).then(|| self.0.iter().map(make).collect())
    }
}

/// What is to be written.
#[derive(Default)]
pub struct Plan {
    pub create: Vec<EndpointSlice>,
    pub update: Vec<EndpointSlice>,
    pub delete: Existing,
    /// What stays as it is.
    pub unchanged: Existing,
}

/// An existing slice and what it shall hold.
struct Slot {
    slice: Rc<EndpointSlice>,
    endpoints: Vec<Endpoint>,
    changed: bool,
}

/// How slices have to change to hold `desired`; hints of endpoints that are there already stay, if
/// `keep_hints`. `blank` makes an empty slice for ports, with the
/// labels and owner that all slices should have; `key` tells which endpoint is which.
pub fn plan(
    existing: Existing,
    desired: BTreeMap<Ports, Vec<Endpoint>>,
    blank: impl Fn(&Ports) -> EndpointSlice,
    key: &dyn Fn(&Endpoint) -> String,
    keep_hints: bool,
) -> Plan {
    let mut by_ports: BTreeMap<Ports, Existing> = BTreeMap::new();
    for slice in existing {
        by_ports
            .entry(Ports::new(slice.ports.clone().unwrap_or_default()))
            .or_default()
            .push(slice);
    }
    let mut plan = Plan::default();
    for (ports, endpoints) in desired {
        let slices = by_ports.remove(&ports).unwrap_or_default();
        let wanted = Wanted { endpoints, key, keep_hints };
        plan_ports(&mut plan, slices, wanted, &blank(&ports));
    }
    plan.delete.extend(by_ports.into_values().flatten());
    reuse(&mut plan);
    plan
}

/// A slice that would be deleted while another one is made becomes that one.
fn reuse(plan: &mut Plan) {
    while !plan.delete.is_empty() && !plan.create.is_empty() {
        let (Some(old), Some(new)) = (plan.delete.pop(), plan.create.pop()) else { return };
        let mut slice = (*old).clone();
        slice.metadata.labels = new.metadata.labels;
        slice.endpoints = new.endpoints;
        slice.ports = new.ports;
        plan.update.push(slice);
    }
}

/// The endpoints of the slices with the same ports, as [`plan`] was asked for them.
struct Wanted<'a> {
    endpoints: Vec<Endpoint>,
    key: &'a dyn Fn(&Endpoint) -> String,
    keep_hints: bool,
}

fn plan_ports(plan: &mut Plan, slices: Existing, wanted: Wanted, blank: &EndpointSlice) {
    let Wanted { endpoints, key, keep_hints } = wanted;
    let nothing = endpoints.is_empty();
    let order: Vec<String> = endpoints.iter().map(key).collect();
    let mut wanted: BTreeMap<String, Endpoint> = order.iter().cloned().zip(endpoints).collect();
    let mut slots: Vec<Slot> =
        slices.into_iter().map(|s| keep(s, &mut wanted, key, keep_hints)).collect();
    let mut rest: Vec<Endpoint> = order.iter().filter_map(|k| wanted.remove(k)).collect();
    rest.reverse(); // taken from the end
    // Slices that change anyway are filled first, then the fullest that has room for all that is
    // left, then new ones are made.
    for slot in slots.iter_mut().filter(|s| s.changed) {
        while slot.endpoints.len() < MOST {
            let Some(endpoint) = rest.pop() else { break };
            slot.endpoints.push(endpoint);
        }
    }
    let mut new: Vec<Vec<Endpoint>> = Vec::new();
    while rest.len() > MOST {
        new.push(rest.split_off(rest.len() - MOST).into_iter().rev().collect());
    }
    rest.reverse();
    if !rest.is_empty() {
        let room = slots.iter_mut().filter(|s| s.endpoints.len() + rest.len() <= MOST);
        match room.max_by_key(|s| s.endpoints.len()) {
            Some(slot) => {
                slot.endpoints.append(&mut rest);
                slot.changed = true;
            }
            None => new.push(rest),
        }
    }
    if nothing && slots.is_empty() {
        new.push(Vec::new());
    }
    for endpoints in new {
        plan.create.push(EndpointSlice { endpoints: Some(endpoints), ..blank.clone() });
    }
    let mut kept_empty = false;
    for slot in slots {
        let first_empty = nothing && !std::mem::replace(&mut kept_empty, true);
        if slot.endpoints.is_empty() && !first_empty {
            plan.delete.push(slot.slice);
            continue;
        }
        let labels = slot.slice.metadata.labels != blank.metadata.labels;
        if slot.changed || labels {
            let mut slice = (*slot.slice).clone();
            slice.metadata.labels.clone_from(&blank.metadata.labels);
            slice.endpoints = Some(slot.endpoints);
            plan.update.push(slice);
        } else {
            plan.unchanged.push(slot.slice);
        }
    }
}

/// Keeps of a slice's endpoints those that are wanted, as they are wanted, and takes them from
/// `wanted`.
fn keep(
    slice: Rc<EndpointSlice>,
    wanted: &mut BTreeMap<String, Endpoint>,
    key: &dyn Fn(&Endpoint) -> String,
    keep_hints: bool,
) -> Slot {
    let mut changed = false;
    let mut endpoints = Vec::new();
    for old in slice.endpoints.iter().flatten() {
        match wanted.remove(&key(old)) {
            Some(mut new) => {
                if keep_hints {
                    new.hints.clone_from(&old.hints);
                }
                changed |= new != *old;
                endpoints.push(new);
            }
            None => changed = true,
        }
    }
    Slot { slice, endpoints, changed }
}
