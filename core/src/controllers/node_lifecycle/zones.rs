//! How fast pods of lost nodes are sent away: slower where many nodes are lost, and not at all
//! where all are, because then it is the control plane that lost touch.
//!
//! Models `handleDisruption` and `ComputeZoneState` of `node_lifecycle_controller.go`.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};

use k8s_openapi::api::core::v1::Node;

use crate::{api::meta::label, sim::Time};

/// One node in ten seconds (`--node-eviction-rate` 0.1).
const USUAL: Duration = Duration::from_secs(10);
/// One in a hundred seconds where most nodes of a large zone are lost
/// (`--secondary-node-eviction-rate` 0.01).
const CAREFUL: Duration = Duration::from_secs(100);
/// A zone larger than this is large (`--large-cluster-size-threshold`).
const LARGE: usize = 50;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Normal,
    /// At least 55 % and more than two are lost.
    Partial,
    /// All are lost.
    Full,
}

#[derive(Default)]
struct Zone {
    ready: BTreeSet<Rc<str>>,
    lost: BTreeSet<Rc<str>>,
    /// When the next node may be tainted.
    next: Time,
}

impl Zone {
    fn state(&self) -> State {
        let (ready, lost) = (self.ready.len(), self.lost.len());
        if ready == 0 && lost > 0 {
            State::Full
        } else if lost > 2 && lost * 100 >= (lost + ready) * 55 {
            State::Partial
        } else {
            State::Normal
        }
    }
}

/// All zones.
#[derive(Default)]
pub struct Zones {
    zones: BTreeMap<String, Zone>,
    of_node: BTreeMap<Rc<str>, String>,
    /// Nodes that were let be tainted and may stay so.
    granted: BTreeSet<Rc<str>>,
    affected: Vec<Rc<str>>,
}

/// The zone of a node, with its region.
pub fn zone_of(node: &Node) -> String {
    let part = |key| label(&node.metadata, key).unwrap_or_default();
    format!("{}:{}", part("topology.kubernetes.io/region"), part("topology.kubernetes.io/zone"))
}

impl Zones {
    /// A node's state is known (`True`, `False`, `Unknown`).
    pub fn set(&mut self, node: &str, zone: &str, ready: &str) {
        let before = self.stopped();
        let states = self.states();
        self.take_out(node);
        let node: Rc<str> = node.into();
        let entry = self.zones.entry(zone.to_string()).or_default();
        if ready == "True" { &mut entry.ready } else { &mut entry.lost }.insert(node.clone());
        self.of_node.insert(node, zone.to_string());
        if before != self.stopped() || states != self.states() {
            let lost = self.zones.values().flat_map(|z| z.lost.iter().cloned());
            self.affected = lost.collect();
            if self.stopped() {
                self.granted.clear();
            }
        }
    }

    /// A node is gone.
    pub fn remove(&mut self, node: &str) {
        self.take_out(node);
        self.granted.remove(node);
        self.of_node.remove(node);
    }

    fn take_out(&mut self, node: &str) {
        if let Some(zone) = self.of_node.get(node).and_then(|z| self.zones.get_mut(z)) {
            zone.ready.remove(node);
            zone.lost.remove(node);
        }
        self.zones.retain(|_, z| !z.ready.is_empty() || !z.lost.is_empty());
    }

    fn states(&self) -> Vec<State> {
        self.zones.values().map(Zone::state).collect()
    }

    /// Whether every zone is wholly lost.
    fn stopped(&self) -> bool {
        !self.zones.is_empty() && self.zones.values().all(|z| z.state() == State::Full)
    }

    /// Lost nodes for which something changed with the state of the zones.
    pub fn take_affected(&mut self) -> Vec<Rc<str>> {
        std::mem::take(&mut self.affected)
    }

    /// Whether a lost node's pods may be sent away now; else when to ask again, if ever without
    /// another change. `has`: it has the taint already.
    pub fn may_evict(&mut self, node: &str, has: bool, now: Time) -> Result<(), Option<Time>> {
        if self.stopped() {
            return Err(None);
        }
        if has || self.granted.contains(node) {
            return Ok(());
        }
        let zone = self.of_node.get(node).and_then(|z| self.zones.get_mut(z));
        let Some(zone) = zone.filter(|z| z.lost.contains(node)) else { return Err(None) };
        let interval = match zone.state() {
            State::Normal | State::Full => USUAL,
            State::Partial if zone.lost.len() + zone.ready.len() > LARGE => CAREFUL,
            State::Partial => return Err(None),
        };
        if zone.next > now {
            return Err(Some(zone.next));
        }
        zone.next = now + interval;
        self.granted.insert(node.into());
        Ok(())
    }

    /// A node is well again.
    pub fn forget_eviction(&mut self, node: &str) {
        self.granted.remove(node);
    }
}
