//! Which zone each endpoint of a service is for, if the service leaves that to us
//! (`service.kubernetes.io/topology-mode: Auto`): so many for each zone as it has processors.
//!
//! Endpoints are for their own zone, as far as that leaves each zone its share; a zone with more gives
//! some to those with less. Where there are too few for that, there are no hints, and an event says why.
//!
//! Models `staging/src/k8s.io/endpointslice/topologycache`; where that takes zones in chance order,
//! here they are taken by name.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use k8s_openapi::api::{
    core::v1::{Node, Service},
    discovery::v1::{Endpoint, EndpointHints, EndpointSlice, ForZone},
};

use super::fill::Plan;
use crate::{
    api::{
        meta::{annotation, label},
        quantity::Amount,
    },
    client::Client,
};

/// So much more than its share a zone's endpoints may have to bear.
const OVERLOAD: f64 = 0.2;
const MODE: &str = "service.kubernetes.io/topology-mode";
const OLD_MODE: &str = "service.kubernetes.io/topology-aware-hints";
const ZONE: &str = "topology.kubernetes.io/zone";
const CONTROL_PLANE: [&str; 2] =
    ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"];

/// Each zone's share of the cluster's processors.
pub type Shares = BTreeMap<String, f64>;
/// How many endpoints are for each zone.
pub type Counts = BTreeMap<String, usize>;

/// Whether a service leaves it to us where its endpoints are used.
pub fn is_auto(service: &Service) -> bool {
    let mode = annotation(&service.metadata, OLD_MODE).or(annotation(&service.metadata, MODE));
    matches!(mode, Some("Auto" | "auto"))
}

fn is_ready(node: &Node) -> bool {
    let conditions = node.status.as_ref().and_then(|s| s.conditions.as_deref());
    conditions.unwrap_or_default().iter().any(|c| c.type_ == "Ready" && c.status == "True")
}

/// All of a node that matters here.
pub fn what_counts(node: &Node) -> (Option<&str>, bool) {
    (label(&node.metadata, ZONE), is_ready(node))
}

/// The zones' shares; `None` where a node does not say enough or there is one zone only.
pub fn shares(client: &Client) -> Option<Shares> {
    let mut processors: BTreeMap<String, i128> = BTreeMap::new();
    for node in client.list::<Node>(None) {
        if CONTROL_PLANE.iter().any(|key| label(&node.metadata, key).is_some()) || !is_ready(&node)
        {
            continue;
        }
        let has = node.status.as_ref().and_then(|s| s.allocatable.as_ref());
        let has = Amount::get(has, "cpu").milli();
        let zone = label(&node.metadata, ZONE).filter(|z| !z.is_empty() && has > 0)?;
        *processors.entry(zone.to_string()).or_default() += i128::from(has);
    }
    if processors.len() < 2 {
        return None;
    }
    let total: i128 = processors.values().sum();
    Some(processors.into_iter().map(|(zone, own)| (zone, own as f64 / total as f64)).collect())
}

/// Whether a zone has too few endpoints for its share.
pub fn is_overloaded(counts: &Counts, shares: Option<&Shares>) -> bool {
    if counts.is_empty() {
        return false;
    }
    let Some(shares) = shares else { return true };
    let total = counts.values().sum::<usize>() as f64;
    shares.iter().any(|(zone, share)| match counts.get(zone) {
        Some(own) => *own < least(total * share),
        None => true,
    })
}

fn least(desired: f64) -> usize {
    (desired * (1.0 / (1.0 + OVERLOAD))).ceil() as usize
}

/// What a zone should have.
struct Part {
    most: usize,
    desired: f64,
}

fn parts(shares: Option<&Shares>, endpoints: usize) -> Result<BTreeMap<String, Part>, String> {
    let shares = shares.ok_or(
        "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes",
    )?;
    let sizes = format!("({endpoints} endpoints, {} zones)", shares.len());
    if shares.len() > endpoints {
        return Err(format!("Insufficient number of endpoints {sizes}"));
    }
    let all = endpoints as f64;
    let total: usize = shares.values().map(|share| least(share * all)).sum();
    if total > endpoints {
        return Err(format!(
            "Unable to allocate minimum required endpoints to each zone without exceeding overload \
             threshold {sizes}"
        ));
    }
    let part = |(zone, share): (&String, &f64)| {
        let least = least(share * all);
        let part =
            Part { most: least + endpoints - total, desired: (share * all).max(least as f64) };
        (zone.clone(), part)
    };
    Ok(shares.iter().map(part).collect())
}

fn is_ready_endpoint(endpoint: &Endpoint) -> bool {
    endpoint.conditions.as_ref().and_then(|c| c.ready) == Some(true)
}

fn for_zone(zone: &str) -> Option<EndpointHints> {
    let zones = vec![ForZone { name: zone.to_string() }];
    Some(EndpointHints { for_zones: Some(zones), for_nodes: None })
}

fn zone_hints(endpoint: &Endpoint) -> impl Iterator<Item = &str> {
    let zones = endpoint.hints.iter().flat_map(|h| h.for_zones.iter().flatten());
    zones.map(|z| z.name.as_str())
}

/// The hints of a slice, by zone; `None` where they can't stay.
fn kept(slice: &EndpointSlice, given: &Counts, parts: &BTreeMap<String, Part>) -> Option<Counts> {
    let mut own = Counts::new();
    for endpoint in slice.endpoints.iter().flatten().filter(|e| is_ready_endpoint(e)) {
        let zones: Vec<&str> = zone_hints(endpoint).collect();
        if zones.is_empty() || zones.iter().any(|zone| !parts.contains_key(*zone)) {
            return None;
        }
        for zone in zones {
            *own.entry(zone.to_string()).or_default() += 1;
        }
    }
    let fits = own.iter().all(|(zone, count)| {
        let before = given.get(zone).copied().unwrap_or_default();
        parts.get(zone).is_some_and(|part| count + before <= part.most)
    });
    fits.then_some(own)
}

/// Who has the most, and how much.
fn most(zones: &BTreeMap<String, f64>) -> Option<(String, f64)> {
    let mut best: Option<(&String, f64)> = None;
    for (zone, n) in zones {
        if *n > best.map_or(0.0, |(_, most)| most) {
            best = Some((zone, *n));
        }
    }
    best.map(|(zone, n)| (zone.clone(), n))
}

/// How many endpoints each zone is to give to others, and to be given.
fn exchange(parts: &BTreeMap<String, Part>, given: &Counts) -> (Counts, Counts) {
    let (mut over, mut under) = (BTreeMap::new(), BTreeMap::new());
    for (zone, part) in parts {
        let has = given.get(zone).copied().unwrap_or_default() as f64;
        if has > part.desired {
            over.insert(zone.clone(), has - part.desired);
        } else if has < part.desired {
            under.insert(zone.clone(), part.desired - has);
        }
    }
    let (mut giving, mut receiving) = (Counts::new(), Counts::new());
    while let (Some((from, give)), Some((to, take))) = (most(&over), most(&under)) {
        if (give < 1.0 && take < 1.0) || give < 0.5 || take < 0.5 {
            break;
        }
        *giving.entry(from.clone()).or_default() += 1;
        *receiving.entry(to.clone()).or_default() += 1;
        over.entry(from).and_modify(|n| *n -= 1.0);
        under.entry(to).and_modify(|n| *n -= 1.0);
    }
    (giving, receiving)
}

/// Takes the hints from all endpoints of a service.
pub fn clear(plan: &mut Plan) {
    let changed = plan.create.iter_mut().chain(&mut plan.update);
    for endpoint in changed.flat_map(|s| s.endpoints.iter_mut().flatten()) {
        endpoint.hints = None;
    }
    let has = |s: &Rc<EndpointSlice>| s.endpoints.iter().flatten().any(|e| e.hints.is_some());
    let (with, without): (Vec<_>, Vec<_>) = plan.unchanged.drain(..).partition(has);
    plan.unchanged = without;
    for slice in with {
        let mut slice = (*slice).clone();
        for endpoint in slice.endpoints.iter_mut().flatten() {
            endpoint.hints = None;
        }
        plan.update.push(slice);
    }
}

/// Gives the endpoints of a service their hints: in slices that change anyway, and in those whose
/// hints can't stay. How many there are for each zone then. Errors: why there can be none; the
/// message of an event.
pub fn assign(plan: &mut Plan, shares: Option<&Shares>) -> Result<Counts, String> {
    let all = plan.create.iter().chain(&plan.update).chain(plan.unchanged.iter().map(|s| &**s));
    let all = all.flat_map(|s| s.endpoints.iter().flatten());
    let parts = parts(shares, all.filter(|e| is_ready_endpoint(e)).count())?;
    let mut given = Counts::new();
    let mut unchanged = Vec::new();
    for slice in plan.unchanged.drain(..) {
        match kept(&slice, &given, &parts) {
            Some(own) => {
                for (zone, count) in own {
                    *given.entry(zone).or_default() += count;
                }
                unchanged.push(slice);
            }
            None => plan.update.push((*slice).clone()),
        }
    }
    plan.unchanged = unchanged;
    let slices = plan.create.iter_mut().chain(&mut plan.update);
    let mut open: Vec<&mut Endpoint> =
        slices.flat_map(|s| s.endpoints.iter_mut().flatten()).collect();
    for endpoint in &mut open {
        endpoint.hints = None;
        if !is_ready_endpoint(endpoint) {
            continue;
        }
        let zone = endpoint.zone.clone().filter(|z| !z.is_empty());
        let zone = zone.ok_or("One or more endpoints do not have a zone specified")?;
        endpoint.hints = for_zone(&zone);
        *given.entry(zone).or_default() += 1;
    }
    let (mut giving, mut receiving) = exchange(&parts, &given);
    for endpoint in open.into_iter().filter(|e| is_ready_endpoint(e)) {
        let Some(from) = endpoint.zone.clone().filter(|zone| giving.contains_key(zone)) else {
            continue;
        };
        let Some(to) = receiving.keys().next().cloned() else { break };
        endpoint.hints = for_zone(&to);
        for (counts, zone) in [(&mut giving, &from), (&mut receiving, &to)] {
            counts.entry(zone.clone()).and_modify(|n| *n -= 1);
            counts.retain(|_, n| *n > 0);
        }
        *given.entry(to).or_default() += 1;
        given.entry(from).and_modify(|n| *n -= 1);
    }
    if given.is_empty() {
        return Err("No hints allocated for zones".into());
    }
    Ok(given)
}

/// The names of services that have hints and, after a change of nodes, too few in a zone.
pub fn overloaded<K: Clone + Ord>(
    hinted: &BTreeMap<K, Counts>,
    shares: Option<&Shares>,
) -> BTreeSet<K> {
    let bad = hinted.iter().filter(|(_, counts)| is_overloaded(counts, shares));
    bad.map(|(key, _)| key.clone()).collect()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::discovery::v1::EndpointConditions;

    use super::*;

    /// A new slice with so many ready endpoints in each zone; the zones that they are for then.
    fn hints(shares: &[(&str, f64)], endpoints: &[(&str, usize)]) -> Result<String, String> {
        let shares: Shares = shares.iter().map(|(z, s)| (z.to_string(), *s)).collect();
        let endpoint = |zone: &str| Endpoint {
            zone: Some(zone.to_string()),
            conditions: Some(EndpointConditions { ready: Some(true), ..Default::default() }),
            ..Default::default()
        };
        let all = endpoints.iter().flat_map(|(z, n)| std::iter::repeat_n(endpoint(z), *n));
        let slice = EndpointSlice { endpoints: Some(all.collect()), ..Default::default() };
        let mut plan = Plan { create: vec![slice], ..Default::default() };
        let counts = assign(&mut plan, Some(&shares))?;
        let told = plan.create[0].endpoints.as_ref().unwrap().iter().flat_map(zone_hints);
        let told: Vec<&str> = told.collect();
        assert_eq!(told.len(), counts.values().sum::<usize>());
        Ok(told.join(" "))
    }

    /// The cases follow from upstream's tests of `AddHints` and `getAllocations`.
    #[test]
    fn each_zone_gets_its_share() {
        let even = [("a", 0.5), ("b", 0.5)];
        let uneven = [("a", 0.2), ("b", 0.3), ("c", 0.5)];
        for (shares, endpoints, wanted) in [
            (&even[..], &[("a", 1), ("b", 1)][..], Ok("a b")),
            (&even, &[("a", 3), ("b", 1)], Ok("b a a b")),
            (&even, &[("a", 5)], Err("(5 endpoints, 2 zones)")),
            (&even, &[("a", 1)], Err("Insufficient number of endpoints (1 endpoints, 2 zones)")),
            (&uneven, &[("a", 4), ("b", 3), ("c", 3)], Ok("c c a a b b b c c c")),
        ] {
            let got = hints(shares, endpoints);
            match wanted {
                Ok(wanted) => assert_eq!(got.as_deref(), Ok(wanted)),
                Err(end) => assert!(got.as_ref().is_err_and(|e| e.ends_with(end)), "{got:?}"),
            }
        }
    }
}
