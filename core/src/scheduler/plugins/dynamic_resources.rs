//! Claims of devices: pods go where theirs are, or where devices can be found for them.
//!
//! [`super::super::devices`] finds devices. A pod's claims get theirs once a node is chosen
//! ([`prepare`]), before the pod is bound; as all of a turn happens at one instant, no claim is ever
//! "in the process of being allocated".
//!
//! Models `pkg/scheduler/framework/plugins/dynamicresources`. Not simulated: claims of pod groups.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use k8s_openapi::api::{
    core::v1::{Node, Pod},
    resource::v1::{AllocationResult, DeviceClass, DeviceRequest, ResourceClaim},
};

use crate::{
    api::{Object, claims, meta::is_deleting, scheduling},
    client::Client,
    scheduler::{
        cache::{NodeInfo, PodInfo},
        cycle::Failure,
        devices::{
            self, Offers, Trouble, binding,
            extended::{self, Extended},
        },
        framework::{self, Check, Cx, Event, Plugin, Point, Rejection, interest},
    },
};

/// The score of a request's first alternative; each after it is worth one less
/// (`FirstAvailableDeviceRequestMaxSize`).
const BEST_ALTERNATIVE: i64 = 8;

const ELSEWHERE: &str = "resourceclaim not available on the node";

pub const PLUGIN: Plugin = Plugin {
    weight: 1,
    events: interest::NODE | interest::DEVICES,
    helps,
    check: |cx| {
        let found = of_pod(cx.client, &cx.pod.pod).map_err(Rejection::about)?;
        let extended = extended::of_pod(cx.client, cx.pod).map(Rc::new);
        if found.is_empty() && extended.is_none() {
            return Ok(None);
        }
        let unallocated = found.iter().filter(|c| !claims::is_allocated(c));
        for claim in unallocated.clone() {
            classes_exist(cx.client, claim)?;
        }
        let asks = unallocated.count() > 0 || extended.is_some();
        let offers = asks.then(|| Rc::new(Offers::new(cx.client)));
        let claims = found.into();
        let check = Claims { claims, extended, offers, scores: Rc::default() };
        Ok(Some(Box::new(check) as Box<dyn Check>))
    },
    ..Plugin::silent(
        super::CLAIMS,
        &[
            Point::PreEnqueue,
            Point::PreFilter,
            Point::Filter,
            Point::PostFilter,
            Point::Score,
            Point::Reserve,
            Point::PreBind,
        ],
    )
};

/// A pod's claims. Errors: one is not there (yet), goes, or is another pod's.
fn of_pod(client: &Client, pod: &Pod) -> Result<Vec<Rc<ResourceClaim>>, String> {
    let mut found = Vec::new();
    let namespace = (pod as &dyn Object).namespace();
    for wanted in claims::of_pod(pod) {
        let Some((name, own)) = claims::name(pod, wanted)? else { continue };
        let Some(claim) = client.find::<ResourceClaim>(namespace, &name) else {
            return Err(format!("resourceclaim.resource.k8s.io {name:?} not found"));
        };
        if is_deleting(&claim.metadata) {
            return Err(format!("resourceclaim {name:?} is being deleted"));
        }
        if own {
            claims::check_owner(pod, &claim)?;
        }
        found.push(claim);
    }
    Ok(found)
}

/// What a pod's claims lack, if it names any: it is not tried before they are there.
pub fn missing_claim(client: &Client, pod: &Pod) -> Option<String> {
    of_pod(client, pod).err()
}

fn classes_exist(client: &Client, claim: &ResourceClaim) -> Result<(), Rejection> {
    let exists = |name: &str, request: &str| match client.find::<DeviceClass>("", name) {
        Some(_) => Ok(()),
        None => {
            let why = format!("request {request}: device class {name} does not exist");
            Err(Rejection::about(why))
        }
    };
    for request in requests(claim) {
        if let Some(exactly) = &request.exactly {
            exists(&exactly.device_class_name, &request.name)?;
        }
        for sub in request.first_available.iter().flatten() {
            exists(&sub.device_class_name, &format!("{}/{}", request.name, sub.name))?;
        }
    }
    Ok(())
}

fn requests(claim: &ResourceClaim) -> &[DeviceRequest] {
    let devices = claim.spec.devices.as_ref();
    devices.and_then(|d| d.requests.as_deref()).unwrap_or_default()
}

fn allocation(claim: &ResourceClaim) -> Option<&AllocationResult> {
    claim.status.as_ref()?.allocation.as_ref()
}

#[derive(Clone)]
struct Claims {
    claims: Rc<[Rc<ResourceClaim>]>,
    /// What it asks for by extended resources.
    extended: Option<Rc<Extended>>,
    /// Where claims have no devices yet.
    offers: Option<Rc<Offers>>,
    /// What the nodes that were let pass are worth, by name.
    scores: Rc<RefCell<BTreeMap<Rc<str>, i64>>>,
}

/// Whether a claim's devices can be used on a node, and still come.
fn is_available(client: &Client, claim: &ResourceClaim, node: &Node) -> bool {
    let Some(allocation) = allocation(claim) else { return true };
    let reaches = allocation.node_selector.as_ref().is_none_or(|s| scheduling::any_term(s, node));
    reaches && !binding::has_failed(claim, client.sim().now())
}

impl Check for Claims {
    fn filter(&self, cx: &Cx, node: &NodeInfo) -> Result<(), Rejection> {
        let mut results = Vec::new();
        let extended = self.extended.as_ref().map(|e| e.claim_on(cx.client, cx.pod, node));
        let extended = extended.transpose()?.flatten();
        let open = self.claims.iter().filter(|c| !claims::is_allocated(c)).cloned();
        let open: Vec<_> = open.chain(extended).collect();
        if let Some(offers) = self.offers.as_ref().filter(|_| !open.is_empty()) {
            match devices::allocate(offers, &node.node, &open) {
                Ok(Some(found)) => results = found,
                Ok(None) => return Err(Rejection::final_("cannot allocate all claims")),
                Err(Trouble::Node(why)) => return Err(Rejection::about(why)),
                Err(Trouble::Fatal(why)) => return Err(Rejection::fatal(why)),
            }
        }
        if !self.claims.iter().all(|claim| is_available(cx.client, claim, &node.node)) {
            return Err(Rejection::final_(ELSEWHERE));
        }
        self.scores.borrow_mut().insert(node.name.clone(), worth(&self.claims, &results));
        Ok(())
    }

    fn prepare_scores(&mut self, _cx: &Cx, _nodes: &[&NodeInfo]) -> bool {
        true
    }

    fn score(&self, _cx: &Cx, _i: usize, node: &NodeInfo) -> i64 {
        self.scores.borrow().get(&node.name).copied().unwrap_or(0)
    }

    fn normalize(&self, scores: &mut [i64]) {
        framework::normalize(scores, false);
    }

    fn boxed_clone(&self) -> Box<dyn Check> {
        Box::new(self.clone())
    }
}

/// How good the alternatives are that claims get.
fn worth(claims: &[Rc<ResourceClaim>], new: &[AllocationResult]) -> i64 {
    let mut new = new.iter();
    let mut sum = 0;
    for claim in claims {
        let Some(got) = allocation(claim).or_else(|| new.next()) else { continue };
        let results = got.devices.iter().flat_map(|d| d.results.iter().flatten());
        let taken: Vec<&str> = results.map(|r| r.request.as_str()).collect();
        for request in requests(claim) {
            for (i, sub) in request.first_available.iter().flatten().enumerate() {
                let name = format!("{}/{}", request.name, sub.name);
                if taken.contains(&name.as_str()) {
                    sum += BEST_ALTERNATIVE - i64::try_from(i).unwrap_or(BEST_ALTERNATIVE);
                }
            }
        }
    }
    sum
}

/// Whether a change may help a pod that waits for devices.
fn helps(client: &Client, pod: &PodInfo, event: Event) -> bool {
    match event {
        Event::Node(new, old) => old.is_none_or(|old| {
            let has = |n: &Node| n.status.as_ref().and_then(|s| s.allocatable.clone());
            new.metadata.labels != old.metadata.labels || has(new) != has(old)
        }),
        Event::Devices => true,
        Event::Claim(new, old) => {
            let Ok(own) = of_pod(client, &pod.pod) else { return false };
            if old.is_some_and(|old| claims::is_allocated(old) && !claims::is_allocated(new)) {
                return true; // its devices are free
            }
            own.iter().any(|claim| claim.metadata.uid == new.metadata.uid)
                && old.is_none_or(|old| old.status != new.status)
        }
        Event::Own(new, old) => {
            let made = |p: &Pod| p.status.as_ref().and_then(|s| s.resource_claim_statuses.clone());
            made(new) != made(old) && of_pod(client, &pod.pod).is_ok()
        }
        _ => false,
    }
}

/// What may be done for a pod that fits nowhere (`PostFilter`): a claim whose devices are elsewhere
/// and that nobody uses gives them back. What is said of it.
pub fn give_back(cx: &Cx, failure: &Failure) -> Result<&'static str, crate::api::Status> {
    let (found, extended) = match &failure.before {
        Some(_) => (Vec::new(), None),
        None => (
            of_pod(cx.client, &cx.pod.pod).unwrap_or_default(),
            extended::of_pod(cx.client, cx.pod),
        ),
    };
    if found.is_empty() && extended.is_none() {
        return Ok("no new claims to deallocate");
    }
    let refused = failure.nodes.iter().filter(|(_, (plugin, why))| {
        *plugin == super::CLAIMS && why.reasons.iter().any(|r| r == ELSEWHERE)
    });
    let nodes: Vec<&NodeInfo> = refused.filter_map(|(place, _)| cx.cache.at(*place)).collect();
    let useless = found.iter().find(|claim| {
        let reserved = claim.status.as_ref().and_then(|s| s.reserved_for.as_deref());
        let mut others = reserved.unwrap_or_default().iter().filter(|r| r.uid != cx.pod.uid());
        others.next().is_none()
            && nodes.iter().any(|node| !is_available(cx.client, claim, &node.node))
    });
    let Some(claim) = useless else {
        let Some(claim) = extended.and_then(|e| e.left_over) else {
            return Ok("still not schedulable");
        };
        extended::delete(cx.client, &claim)?;
        return Ok("deletion of ResourceClaim completed");
    };
    let mut new = (**claim).clone();
    new.status = Some(Default::default());
    cx.client.update_status(new)?;
    Ok("deallocation of ResourceClaim completed")
}

/// Before a pod is bound to a node: gives its claims their devices there and reserves them for it.
/// Whether it can be bound now; if not, devices have to be made ready first. Errors: of writes, and
/// what drivers say went wrong.
pub fn prepare(client: &Client, pod: &PodInfo, node: &NodeInfo) -> Result<bool, String> {
    let found = of_pod(client, &pod.pod)?;
    // A claim that was made on an earlier look is bound already.
    let extended = extended::of_pod(client, pod).filter(|e| e.left_over.is_none());
    let extended = extended.map(|e| e.claim_on(client, pod, node)).transpose();
    let extended = extended.map_err(|why| why.reasons.join(", "))?.flatten();
    if found.is_empty() && extended.is_none() {
        return Ok(true);
    }
    let open = found.iter().filter(|c| !claims::is_allocated(c)).chain(&extended);
    let open: Vec<_> = open.cloned().collect();
    let mut results = Vec::new();
    if !open.is_empty() {
        let offers = Offers::new(client);
        results = match devices::allocate(&offers, &node.node, &open) {
            Ok(Some(results)) => results,
            Ok(None) => return Err("claim allocation not found for node".into()),
            Err(Trouble::Node(why) | Trouble::Fatal(why)) => return Err(why),
        };
    }
    let mut results = results.into_iter();
    let mut bound = Vec::new();
    for claim in found {
        let new = if claims::is_allocated(&claim) { None } else { results.next() };
        bound.push(binding::bind(client, &pod.pod, &claim, new)?);
    }
    if let Some(claim) = extended {
        let made = extended::create(client, &claim)?;
        let made = binding::bind(client, &pod.pod, &made, results.next())?;
        extended::note(client, pod, &made)?;
        bound.push(made);
    }
    binding::are_ready(&bound, client.sim().now())
}

/// After a pod could not be bound: its claims are not reserved for it any more.
pub fn release(client: &Client, pod: &PodInfo) {
    for claim in of_pod(client, &pod.pod).unwrap_or_default() {
        // What can't be written now is written by the claims' controller once the pod is gone.
        let _ = binding::release(client, &pod.pod, &claim);
    }
    if let Some(claim) = extended::of_pod(client, pod).and_then(|e| e.left_over) {
        let _ = extended::delete(client, &claim);
    }
}
