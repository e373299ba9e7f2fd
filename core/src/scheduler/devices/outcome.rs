//! What a search found, as it stands in claims' statuses.

use std::collections::BTreeMap;

use k8s_openapi::api::{
    core::v1::{Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm},
    resource::v1::{
        AllocationResult, DeviceAllocationConfiguration, DeviceAllocationResult,
        DeviceRequestAllocationResult,
    },
};

use super::{
    Trouble,
    request::{Alternative, Request},
    search::{Search, Taken},
};
use crate::api::names::new_uid;

fn given<T: Clone>(list: &Option<Vec<T>>) -> Option<Vec<T>> {
    list.clone().filter(|l| !l.is_empty())
}

/// A result a claim. Shares have no ids yet: they are drawn when a result is stored ([`name_shares`]).
pub fn results(search: &Search, node: &Node) -> Result<Vec<AllocationResult>, Trouble> {
    let all = search.claims.iter().enumerate().zip(&search.result);
    all.map(|((place, claim), taken)| {
        let results = taken.iter().map(|taken| result(search, place, taken));
        let devices = DeviceAllocationResult {
            config: Some(configs(search, place)).filter(|c| !c.is_empty()),
            results: Some(results.flatten().collect()),
        };
        let selector = selector(search, taken, node).map_err(|why| {
            let name = claim.metadata.name.as_deref().unwrap_or_default();
            Trouble::Fatal(format!("create NodeSelector for claim {name}: {why}"))
        })?;
        Ok(AllocationResult {
            allocation_timestamp: None,
            devices: Some(devices),
            node_selector: selector,
        })
    })
    .collect()
}

fn result(search: &Search, claim: usize, taken: &Taken) -> Option<DeviceRequestAllocationResult> {
    let of = search.candidates.get(taken.candidate)?;
    let mut wanted = search.requests.get(claim)?.iter().flat_map(|r| &r.alternatives);
    let tolerations = wanted.find(|a| a.wish.full_name() == taken.request);
    let tolerations = tolerations.map(|a| a.wish.tolerations.to_vec());
    Some(DeviceRequestAllocationResult {
        admin_access: taken.admin.then_some(true),
        binding_conditions: given(&of.device.binding_conditions),
        binding_failure_conditions: given(&of.device.binding_failure_conditions),
        consumed_capacity: taken.share.clone().filter(|s| !s.is_empty()),
        device: of.device.name.clone(),
        driver: of.slice.spec.driver.clone(),
        pool: of.slice.spec.pool.name.clone(),
        request: taken.request.clone(),
        // A mark, see name_shares.
        share_id: taken.share.is_some().then(String::new),
        tolerations: tolerations.filter(|t| !t.is_empty()),
    })
}

/// Gives shares of devices their ids.
pub fn name_shares(sim: &crate::sim::Sim, allocation: &mut AllocationResult) {
    let results = allocation.devices.iter_mut().flat_map(|d| d.results.iter_mut().flatten());
    for share in results.filter_map(|r| r.share_id.as_mut()) {
        *share = new_uid(sim);
    }
}

/// Settings for the driver: those of classes, once each, then those of the claim.
fn configs<'s>(search: &'s Search<'s>, claim: usize) -> Vec<DeviceAllocationConfiguration> {
    let (Some(requests), Some(of)) = (search.requests.get(claim), search.claims.get(claim)) else {
        return Vec::new();
    };
    let mut all: Vec<DeviceAllocationConfiguration> = Vec::new();
    let mut by_class: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let taken = |(i, request): (usize, &'s Request<'s>)| {
        let place = search.chosen.get(&(claim, i)).copied().unwrap_or(0);
        request.alternatives.get(place)
    };
    let chosen: Vec<&Alternative> = requests.iter().enumerate().filter_map(taken).collect();
    for taken in &chosen {
        let name = taken.wish.full_name();
        if let Some((start, end)) = by_class.get(taken.wish.class) {
            for config in all.iter_mut().take(*end).skip(*start) {
                config.requests.get_or_insert_default().push(name.clone());
            }
            continue;
        }
        let start = all.len();
        all.extend(taken.class.spec.config.iter().flatten().map(|config| {
            DeviceAllocationConfiguration {
                opaque: config.opaque.clone(),
                requests: Some(vec![name.clone()]),
                source: "FromClass".into(),
            }
        }));
        by_class.insert(taken.wish.class, (start, all.len()));
    }
    let own = of.spec.devices.iter().flat_map(|d| d.config.iter().flatten());
    for config in own {
        let names = config.requests.as_deref().unwrap_or_default();
        let about = |taken: &&&Alternative| {
            let (base, full) = (taken.wish.base_name(), taken.wish.full_name());
            names.iter().any(|n| n == base || *n == full)
        };
        let times = if names.is_empty() { 1 } else { chosen.iter().filter(about).count() };
        for _ in 0..times {
            all.push(DeviceAllocationConfiguration {
                opaque: config.opaque.clone(),
                requests: given(&config.requests),
                source: "FromClaim".into(),
            });
        }
    }
    all
}

/// The nodes that reach all of a claim's devices; `None`: every one.
fn selector(search: &Search, taken: &[Taken], node: &Node) -> Result<Option<NodeSelector>, String> {
    let mut term = NodeSelectorTerm::default();
    for taken in taken {
        let Some(of) = search.candidates.get(taken.candidate) else { continue };
        let (name, selector) = match of.slice.spec.per_device_node_selection {
            Some(true) => (&of.device.node_name, &of.device.node_selector),
            _ => (&of.slice.spec.node_name, &of.slice.spec.node_selector),
        };
        if name.is_some() || of.device.binds_to_node == Some(true) {
            let field = NodeSelectorRequirement {
                key: "metadata.name".into(),
                operator: "In".into(),
                values: Some(node.metadata.name.clone().into_iter().collect()),
            };
            let term = NodeSelectorTerm { match_fields: Some(vec![field]), ..Default::default() };
            return Ok(Some(NodeSelector { node_selector_terms: vec![term] }));
        }
        match selector.as_ref().map(|s| s.node_selector_terms.as_slice()).unwrap_or_default() {
            [] => {}
            [one] => {
                add(&one.match_fields, &mut term.match_fields);
                add(&one.match_expressions, &mut term.match_expressions);
            }
            many => {
                let n = many.len();
                return Err(format!("unsupported ResourceSlice.NodeSelector with {n} terms"));
            }
        }
    }
    let says = term.match_fields.is_some() || term.match_expressions.is_some();
    Ok(says.then(|| NodeSelector { node_selector_terms: vec![term] }))
}

fn add(from: &Option<Vec<NodeSelectorRequirement>>, to: &mut Option<Vec<NodeSelectorRequirement>>) {
    for one in from.iter().flatten() {
        let known = to.get_or_insert_default();
        let sorted = |r: &NodeSelectorRequirement| {
            let mut values = r.values.clone().unwrap_or_default();
            values.sort();
            values
        };
        let same = |k: &NodeSelectorRequirement| {
            k.key == one.key && k.operator == one.operator && sorted(k) == sorted(one)
        };
        if !known.iter().any(same) {
            known.push(one.clone());
        }
    }
}
