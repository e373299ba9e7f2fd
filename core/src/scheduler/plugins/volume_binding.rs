//! A pod goes only where its claims' volumes are, or can be.
//!
//! Claims of classes that wait for their first pod get their volume once a node is chosen: [`prepare`]
//! asks for it, and the pod waits until the claim is bound.
//!
//! Models `pkg/scheduler/framework/plugins/volumebinding`.

use std::rc::Rc;

use k8s_openapi::api::{
    core::v1::{Node, PersistentVolume, PersistentVolumeClaim, Volume},
    storage::v1::StorageClass,
};

use crate::{
    api::{
        Status,
        meta::{annotation, is_deleting},
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
        } else if delays(client, &claim) {
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
        for claim in &self.delayed {
            if !can_be_bound(cx.client, claim, &node.node) {
                let why = "node(s) didn't find available persistent volumes to bind";
                return Err(Rejection::final_(why));
            }
        }
        Ok(())
    }

    fn boxed_clone(&self) -> Box<dyn Check> {
        Box::new(self.clone())
    }
}

/// Whether a claim finds a volume that reaches the node, or somebody can make one.
fn can_be_bound(client: &Client, claim: &PersistentVolumeClaim, node: &Node) -> bool {
    // Its volume is being made for a node already.
    if let Some(chosen) = annotation(&claim.metadata, volumes::SELECTED_NODE) {
        return node.metadata.name.as_deref() == Some(chosen);
    }
    let index = client.index::<PersistentVolume>(volumes::volumes_by_class);
    if best_match(client, index, claim, Some(node), false).is_some() {
        return true;
    }
    let class = client.find::<StorageClass>("", claim_class(claim));
    class.is_some_and(|c| c.provisioner != volumes::NO_PROVISIONER)
}

/// Before a pod is put on a node: sees to it that its claims get volumes there. Whether they have
/// them already; if not, the pod has to wait until they do. Errors: Conflict and others of writes.
pub fn prepare(client: &Client, pod: &PodInfo, node: &str) -> Result<bool, Status> {
    let mut ready = true;
    for name in volumes::claims(&pod.pod) {
        let Some(claim) = client.find::<PersistentVolumeClaim>(pod.namespace(), &name) else {
            return Ok(false);
        };
        if is_fully_bound(&claim) {
            continue;
        }
        ready = false;
        if annotation(&claim.metadata, volumes::SELECTED_NODE).is_some() {
            continue;
        }
        let Some(object) = client.find::<Node>("", node) else { return Ok(false) };
        let index = client.index::<PersistentVolume>(volumes::volumes_by_class);
        if let Some(volume) = best_match(client, index, &claim, Some(&object), false) {
            give(client, &volume, &claim)?;
            continue;
        }
        let mut new = (*claim).clone();
        let annotations = new.metadata.annotations.get_or_insert_default();
        annotations.insert(volumes::SELECTED_NODE.into(), node.to_string());
        client.update(new)?;
    }
    Ok(ready)
}
