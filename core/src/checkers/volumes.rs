//! Volumes and claims: who is bound to whom, and what goes when its claim went.

use std::collections::BTreeMap;

use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{PersistentVolume, PersistentVolumeClaim, Pod},
};

use super::Seen;
use crate::api::{Object, meta, pods, volumes};

fn full_name(object: &dyn Object) -> String {
    format!("{}/{}", object.namespace(), object.name())
}

/// Volumes that two claims have, and claims of one pod that two pods on nodes use.
pub fn check(seen: &Seen) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut holders: BTreeMap<String, String> = BTreeMap::new();
    let all = seen.client.list::<Pod>(None);
    for claim in seen.client.list::<PersistentVolumeClaim>(None) {
        let name = full_name(&*claim);
        if volumes::is_fully_bound(&claim) {
            let volume = volumes::volume_name(&claim).to_string();
            if let Some(other) = holders.insert(volume.clone(), name.clone()) {
                wrong.push(format!("{other} and {name} are both bound to {volume}"));
            }
        }
        let modes = claim.spec.as_ref().and_then(|s| s.access_modes.clone()).unwrap_or_default();
        if modes.iter().any(|mode| mode == "ReadWriteOncePod") {
            let namespace = (&*claim as &dyn Object).namespace();
            let uses = |pod: &&std::rc::Rc<Pod>| {
                (&***pod as &dyn Object).namespace() == namespace
                    && !pods::node_name(pod).is_empty()
                    && !pods::is_terminal(pod)
                    && volumes::claims(pod).iter().any(|c| Some(c) == claim.metadata.name.as_ref())
            };
            let users: Vec<String> = all.iter().filter(uses).map(|p| full_name(&**p)).collect();
            if users.len() > 1 {
                wrong.push(format!("{name} is for one pod, and {} use it", users.join(", ")));
            }
        }
    }
    wrong
}

/// Halves of a pair that do not point at each other.
pub fn pairs(seen: &Seen) -> Vec<String> {
    let mut wrong = Vec::new();
    for claim in seen.client.list::<PersistentVolumeClaim>(None) {
        if volumes::claim_phase(&claim) != "Bound" {
            continue;
        }
        let (name, volume) = (full_name(&*claim), volumes::volume_name(&claim));
        let Some(found) = seen.client.find::<PersistentVolume>("", volume) else {
            wrong.push(format!("{name} is bound to {volume:?}, which is not there"));
            continue;
        };
        let back = found.spec.as_ref().and_then(|s| s.claim_ref.as_ref()?.uid.clone());
        if back != claim.metadata.uid {
            wrong.push(format!("{name} is bound to {volume}, which is bound to {back:?}"));
        }
    }
    for volume in seen.client.list::<PersistentVolume>(None) {
        let name = (&*volume as &dyn Object).name();
        let Some(of) = volume.spec.as_ref().and_then(|s| s.claim_ref.as_ref()) else { continue };
        let (ns, claim) = (of.namespace.clone(), of.name.clone());
        let (ns, claim) = (ns.unwrap_or_default(), claim.unwrap_or_default());
        let found = seen.client.find::<PersistentVolumeClaim>(&ns, &claim);
        let there = found.is_some_and(|f| f.metadata.uid == of.uid);
        match volumes::volume_phase(&volume) {
            "Bound" if !there => {
                wrong.push(format!("{name} is bound to {ns}/{claim}, which is not there"));
            }
            "Released" if there => {
                wrong.push(format!("{name} is released, and {ns}/{claim} is there"));
            }
            _ => {}
        }
    }
    wrong
}

/// Volumes that nobody has and that should have gone; claims that their set should have let go;
/// claims that did not grow.
pub fn settled(seen: &Seen) -> Vec<String> {
    let mut wrong = Vec::new();
    for volume in seen.client.list::<PersistentVolume>(None) {
        let policy = volume.spec.as_ref().and_then(|s| s.persistent_volume_reclaim_policy.clone());
        let deletes = policy.as_deref() == Some("Delete");
        if deletes && !matches!(volumes::volume_phase(&volume), "Bound" | "Available") {
            let (name, phase) = ((&*volume as &dyn Object).name(), volumes::volume_phase(&volume));
            wrong.push(format!("volume {name} is {phase}, and its policy is Delete"));
        }
    }
    for claim in seen.client.list::<PersistentVolumeClaim>(None) {
        let size = claim.status.as_ref().and_then(|s| s.capacity.as_ref());
        let has = crate::api::quantity::Amount::get(size, "storage");
        let wants = volumes::requested(&claim);
        if volumes::claim_phase(&claim) == "Bound" && has < wants {
            wrong.push(format!("claim {} has {has:?} of {wants:?}", full_name(&*claim)));
        }
    }
    for set in seen.client.list::<StatefulSet>(None) {
        wrong.extend(kept(seen, &set));
    }
    wrong
}

/// Claims beyond a set's replicas that its retention policy does not keep.
fn kept(seen: &Seen, set: &StatefulSet) -> Vec<String> {
    let Some(spec) = &set.spec else { return Vec::new() };
    let policy = spec.persistent_volume_claim_retention_policy.as_ref();
    if policy.and_then(|p| p.when_scaled.as_deref()) != Some("Delete") {
        return Vec::new();
    }
    let object: &dyn Object = set;
    let most = spec.replicas.unwrap_or(1);
    let mut wrong = Vec::new();
    for template in spec.volume_claim_templates.iter().flatten() {
        let begin =
            format!("{}-{}-", template.metadata.name.as_deref().unwrap_or_default(), object.name());
        for claim in seen.client.list::<PersistentVolumeClaim>(Some(object.namespace())) {
            let name = (&*claim as &dyn Object).name();
            let number = name.strip_prefix(&begin).and_then(|n| n.parse::<i32>().ok());
            if number.is_some_and(|n| n >= most) && !meta::is_deleting(&claim.metadata) {
                wrong.push(format!("claim {name} stays, and {} wants {most}", object.name()));
            }
        }
    }
    wrong
}
