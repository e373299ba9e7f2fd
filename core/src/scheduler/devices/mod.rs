//! Which devices a pod's claims get on a node.
//!
//! Drivers offer devices in resource slices; a claim asks for some, by class and by expressions over
//! their attributes. [`allocate`] tries one node: it gathers the pools that the node reaches
//! ([`pools`]), looks through each request ([`request`], [`selectors`]), and takes device after
//! device, going back where that leads nowhere ([`search`]); [`constraint`], [`capacity`] and
//! [`counters`] say which devices go together. Who has what already is read from claims' statuses
//! ([`index`]): nothing is remembered.
//!
//! What stands for devices among extended resources is in [`extended`].
//!
//! With the features that are on in v1.36: alternatives, access for administrators, taints of devices,
//! devices that are parts of others, capacity that several share, conditions for binding. Not those
//! that are off: lists as attributes, devices that stand for a node's own resources, taint rules.
//!
//! Models `dynamic-resource-allocation/structured` (its "incubating" allocator).

pub mod binding;
mod capacity;
mod constraint;
mod counters;
pub mod extended;
pub mod index;
mod outcome;
mod pools;
mod request;
mod search;
mod selectors;
#[cfg(test)]
mod tests;

use std::rc::Rc;

use k8s_openapi::api::{
    core::v1::Node,
    resource::v1::{AllocationResult, ResourceClaim, ResourceSlice},
};

use crate::client::Client;
use pools::Pool;
use search::Search;
use selectors::Programs;

/// Devices that one claim can get (`AllocationResultsMaxSize`).
pub const MOST_DEVICES: usize = 32;

/// Why claims can't be allocated, beyond that there are not enough devices.
#[derive(Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Not on this node.
    Node(String),
    /// A claim, class or slice is wrong: there is no point in trying other nodes.
    Fatal(String),
}

/// What is offered in a cluster, for one turn of a pod.
pub struct Offers {
    client: Client,
    /// Slices that are not one node's own.
    shared: Vec<Rc<ResourceSlice>>,
    programs: Programs,
}

impl Offers {
    /// As things are now.
    pub fn new(client: &Client) -> Self {
        let by_node = client.index::<ResourceSlice>(index::slices_by_node);
        Offers {
            client: client.clone(),
            shared: client.by_index::<ResourceSlice>(by_node, ""),
            programs: Programs::default(),
        }
    }
}

/// Finds devices for claims on a node: a result a claim, in their order; `None` if there are not
/// enough that suit.
pub fn allocate(
    offers: &Offers,
    node: &Node,
    claims: &[Rc<ResourceClaim>],
) -> Result<Option<Vec<AllocationResult>>, Trouble> {
    let pools = pools::gather(offers, node);
    let mut search = Search::new(offers, node, claims, &pools)?;
    if search.run()? {
        return outcome::results(&search, node).map(Some);
    }
    match pools.iter().any(Pool::is_invalid) {
        true => Err(Trouble::Node("invalid resource pools were encountered".into())),
        false => Ok(None),
    }
}
