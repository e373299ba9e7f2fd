//! Claims of devices: pods wait until theirs exist, and go nowhere while no devices are offered.
//!
//! No driver offers devices here, so nothing allocates a claim; one that was allocated by hand counts.
//!
//! Models `pkg/scheduler/framework/plugins/dynamicresources` as far as that.

use k8s_openapi::api::resource::v1::{DeviceClass, ResourceClaim};

use crate::{
    client::Client,
    scheduler::{
        cache::{NodeInfo, PodInfo},
        framework::{Check, Cx, Event, Plugin, Point, Rejection, interest},
    },
};

pub const PLUGIN: Plugin = Plugin {
    events: interest::STORAGE,
    helps: |_, _, event| matches!(event, Event::Storage),
    check: |cx| {
        if let Some(why) = missing_claim(cx.client, cx.pod) {
            return Err(Rejection::about(why));
        }
        let mut waits = false;
        for claim in claims(cx.client, cx.pod).into_iter().flatten() {
            let allocated = claim.status.as_ref().is_some_and(|s| s.allocation.is_some());
            if !allocated {
                classes_exist(cx.client, &claim)?;
                waits = true;
            }
        }
        Ok(waits.then(|| Box::new(Unallocated) as Box<dyn Check>))
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

#[derive(Clone)]
struct Unallocated;

impl Check for Unallocated {
    fn filter(&self, _cx: &Cx, _node: &NodeInfo) -> Result<(), Rejection> {
        Err(Rejection::final_("cannot allocate all claims"))
    }

    fn boxed_clone(&self) -> Box<dyn Check> {
        Box::new(self.clone())
    }
}

fn classes_exist(client: &Client, claim: &ResourceClaim) -> Result<(), Rejection> {
    for request in claim.spec.devices.iter().flat_map(|d| d.requests.iter().flatten()) {
        let Some(exactly) = &request.exactly else { continue };
        let class = &exactly.device_class_name;
        if client.find::<DeviceClass>("", class).is_none() {
            let name = &request.name;
            let why = format!("request {name}: device class {class} does not exist");
            return Err(Rejection::about(why));
        }
    }
    Ok(())
}

/// The names of a pod's claims: given, or noted when they were made for it (`None`: not yet).
fn names(pod: &PodInfo) -> Vec<Option<String>> {
    let spec = pod.pod.spec.as_ref();
    let wanted = spec.and_then(|s| s.resource_claims.as_ref()).into_iter().flatten();
    let status = pod.pod.status.as_ref().and_then(|s| s.resource_claim_statuses.as_ref());
    wanted
        .map(|claim| {
            claim.resource_claim_name.clone().or_else(|| {
                let made = status?.iter().find(|s| s.name == claim.name)?;
                made.resource_claim_name.clone()
            })
        })
        .collect()
}

fn claims(client: &Client, pod: &PodInfo) -> Vec<Option<std::rc::Rc<ResourceClaim>>> {
    let find = |name: Option<String>| client.find::<ResourceClaim>(pod.namespace(), &name?);
    names(pod).into_iter().map(find).collect()
}

/// What a pod's claims lack, if it names any.
pub fn missing_claim(client: &Client, pod: &PodInfo) -> Option<String> {
    for (name, found) in names(pod).into_iter().zip(claims(client, pod)) {
        match (name, found) {
            (_, Some(_)) => {}
            (Some(name), None) => {
                return Some(format!("resourceclaim.resource.k8s.io {name:?} not found"));
            }
            (None, None) => {
                let (namespace, pod) = (pod.namespace(), pod.name());
                return Some(format!(
                    "waiting for dynamic resource controller to create the resourceclaim for pod \
                     {pod:?} in namespace {namespace:?}"
                ));
            }
        }
    }
    None
}
