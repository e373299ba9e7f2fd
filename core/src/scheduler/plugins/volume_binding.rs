//! A pod goes only where its claims' volumes are, or can be.
//!
//! Claims of classes that wait for their first pod get their volume once a node is chosen: [`prepare`]
//! asks for it, and the pod waits until the claim is bound.
//!
//! Models `pkg/scheduler/framework/plugins/volumebinding`.

use std::rc::Rc;

use k8s_openapi::api::{
    core::v1::{Node, PersistentVolume, PersistentVolumeClaim, TopologySelectorTerm, Volume},
    storage::v1::{CSIDriver, CSIStorageCapacity, StorageClass},
};

use crate::{
    api::{
        Status,
        meta::{annotation, is_deleting, label},
        quantity::Amount,
        selector::Selector,
        volumes::{self, claim_class, claim_phase, is_fully_bound, volume_name},
    },
    client::{
        Client,
        volumes::{best_match, delays, give, reaches},
    },
    scheduler::{
        cache::{NodeInfo, PodInfo},
        framework::{Check, Cx, Event, Plugin, Point, Rejection, interest},
    },
};

/// Its name, for pods that wait for their volumes.
pub const NAME: &str = "VolumeBinding";

pub const PLUGIN: Plugin = Plugin {
    name: NAME,
    weight: 0,
    points: &[
        Point::PreFilter,
        Point::Filter,
        Point::PreScore,
        Point::Score,
        Point::Reserve,
        Point::PreBind,
    ],
    events: interest::NODE | interest::STORAGE | interest::POD_REMOVED,
    check: |cx| {
        let claims = volumes::claims(&cx.pod.pod);
        if claims.is_empty() {
            return Ok(None);
        }
        let binding = sort_out(cx.client, cx.pod, &claims)?;
        Ok(Some(Box::new(binding) as Box<dyn Check>))
    },
    helps: |_, _, event| matches!(event, Event::Storage | Event::Node(..) | Event::PodRemoved(_)),
};

#[derive(Clone, Default)]
struct Binding {
    /// Volumes of bound claims.
    bound: Vec<Rc<PersistentVolume>>,
    /// Claims that wait for a node.
    delayed: Vec<Rc<PersistentVolumeClaim>>,
}

fn sort_out(client: &Client, pod: &PodInfo, claims: &[String]) -> Result<Binding, Rejection> {
    let mut binding = Binding::default();
    for name in claims {
        let Some(claim) = client.find::<PersistentVolumeClaim>(pod.namespace(), name) else {
            return Err(Rejection::about(not_there(pod, name)));
        };
        if is_deleting(&claim.metadata) {
            return Err(Rejection::about(format!(
                "persistentvolumeclaim {name:?} is being deleted"
            )));
        }
        let volume = volume_name(&claim);
        if claim_phase(&claim) == "Lost" {
            let text = format!(
                "persistentvolumeclaim {name:?} bound to non-existent persistentvolume {volume:?}"
            );
            return Err(Rejection::about(text));
        }
        if is_fully_bound(&claim) {
            match client.find::<PersistentVolume>("", volume) {
                Some(volume) => binding.bound.push(volume),
                None => {
                    let text = format!("persistentvolume {volume:?} not found");
                    return Err(Rejection::about(text));
                }
            }
        } else if delays(client, &claim) && volume.is_empty() {
            binding.delayed.push(claim);
        } else {
            let text = "pod has unbound immediate PersistentVolumeClaims";
            return Err(Rejection::about(text.into()));
        }
    }
    Ok(binding)
}

/// What is said of a claim that is not there (yet, if it is one that is made for the pod).
fn not_there(pod: &PodInfo, claim: &str) -> String {
    let volumes = pod.pod.spec.as_ref().and_then(|s| s.volumes.as_deref()).unwrap_or_default();
    let of = |v: &&Volume| volumes::claim_of(&pod.pod, v).as_deref() == Some(claim);
    match volumes.iter().find(of).is_some_and(|v| v.ephemeral.is_some()) {
        true => format!(
            "waiting for ephemeral volume controller to create the persistentvolumeclaim {claim:?}"
        ),
        false => format!("persistentvolumeclaim {claim:?} not found"),
    }
}

impl Check for Binding {
    fn filter(&self, cx: &Cx, node: &NodeInfo) -> Result<(), Rejection> {
        if !self.bound.iter().all(|volume| reaches(volume, &node.node)) {
            let why = "node(s) didn't match PersistentVolume's node affinity";
            return Err(Rejection::final_(why));
        }
        plan(cx.client, &self.delayed, &node.node).map(|_| ()).map_err(Rejection::final_)
    }

    fn boxed_clone(&self) -> Box<dyn Check> {
        Box::new(self.clone())
    }
}

/// What is to be done for claims that wait for a node, once their pod has this one.
#[derive(Default)]
struct Plan {
    /// Volumes that there are, for these claims.
    found: Vec<(Rc<PersistentVolume>, Rc<PersistentVolumeClaim>)>,
    /// Claims whose volumes are to be made.
    made: Vec<Rc<PersistentVolumeClaim>>,
}

/// Sees whether each claim gets a volume of its own on a node, the smallest claims first; or why not.
fn plan(
    client: &Client,
    claims: &[Rc<PersistentVolumeClaim>],
    node: &Node,
) -> Result<Plan, &'static str> {
    const NONE: &str = "node(s) didn't find available persistent volumes to bind";
    let (mut plan, mut matching) = (Plan::default(), Vec::new());
    for claim in claims {
        // Its volume is being made for a node already.
        match annotation(&claim.metadata, volumes::SELECTED_NODE) {
            Some(chosen) if node.metadata.name.as_deref() == Some(chosen) => {
                plan.made.push(claim.clone());
            }
            Some(_) => return Err(NONE),
            None => matching.push(claim.clone()),
        }
    }
    matching.sort_by_key(|claim| volumes::requested(claim));
    let index = client.index::<PersistentVolume>(volumes::volumes_by_class);
    let mut taken = Vec::new();
    for claim in matching {
        match best_match(client, index, &claim, Some(node), false, &taken) {
            Some(volume) => {
                taken.push(volume.clone());
                plan.found.push((volume, claim));
            }
            None => plan.made.push(claim),
        }
    }
    for claim in &plan.made {
        let class = client.find::<StorageClass>("", claim_class(claim)).ok_or(NONE)?;
        if class.provisioner == volumes::NO_PROVISIONER || !allows(&class, node) {
            return Err(NONE);
        }
        // One that is being made has had its room.
        let begun = annotation(&claim.metadata, volumes::SELECTED_NODE).is_some();
        if !begun && !has_room(client, &class, claim, node) {
            return Err("node(s) did not have enough free storage");
        }
    }
    Ok(plan)
}

/// Whether a class has volumes made for a node's zone.
fn allows(class: &StorageClass, node: &Node) -> bool {
    let terms = class.allowed_topologies.as_deref().unwrap_or_default();
    let fits = |term: &TopologySelectorTerm| {
        let wanted = term.match_label_expressions.as_deref().unwrap_or_default();
        !wanted.is_empty()
            && wanted.iter().all(|w| {
                label(&node.metadata, &w.key).is_some_and(|has| w.values.iter().any(|v| v == has))
            })
    };
    terms.is_empty() || terms.iter().any(fits)
}

/// Whether a driver that tells how much it has left has enough for a claim.
fn has_room(
    client: &Client,
    class: &StorageClass,
    claim: &PersistentVolumeClaim,
    node: &Node,
) -> bool {
    let driver = client.find::<CSIDriver>("", &class.provisioner);
    if driver.is_none_or(|d| d.spec.storage_capacity != Some(true)) {
        return true;
    }
    let wanted = volumes::requested(claim);
    client.list::<CSIStorageCapacity>(None).iter().any(|left| {
        let most = left.maximum_volume_size.as_ref().or(left.capacity.as_ref());
        let selector = left.node_topology.as_ref();
        let selector = selector.and_then(|s| Selector::from_label_selector(Some(s)).ok());
        Some(&left.storage_class_name) == class.metadata.name.as_ref()
            && most.is_some_and(|most| Amount::of(most) >= wanted)
            && selector.is_some_and(|s| s.matches(node.metadata.labels.as_ref()))
    })
}

/// Before a pod is put on a node: sees to it that its claims get volumes there. Whether they have
/// them already; if not, the pod has to wait until they do. Errors: Conflict and others of writes,
/// and a volume that somebody else took meanwhile.
pub fn prepare(client: &Client, pod: &PodInfo, node: &str) -> Result<bool, Status> {
    let (mut ready, mut waiting) = (true, Vec::new());
    for name in volumes::claims(&pod.pod) {
        let Some(claim) = client.find::<PersistentVolumeClaim>(pod.namespace(), &name) else {
            return Ok(false);
        };
        if is_fully_bound(&claim) {
            continue;
        }
        ready = false;
        // Of those that have been given a volume, the binder's half is still to be done.
        if volume_name(&claim).is_empty() {
            waiting.push(claim);
        }
    }
    if waiting.is_empty() {
        return Ok(ready);
    }
    let Some(object) = client.find::<Node>("", node) else { return Ok(false) };
    let plan = plan(client, &waiting, &object).map_err(|why| Status::internal(why.to_string()))?;
    for (volume, claim) in &plan.found {
        give(client, volume, claim)?;
    }
    for claim in plan.made {
        if annotation(&claim.metadata, volumes::SELECTED_NODE).is_none() {
            let mut new = (*claim).clone();
            let annotations = new.metadata.annotations.get_or_insert_default();
            annotations.insert(volumes::SELECTED_NODE.into(), node.to_string());
            client.update(new)?;
        }
    }
    Ok(ready)
}
