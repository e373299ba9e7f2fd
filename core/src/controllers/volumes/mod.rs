//! Binds claims to volumes, has volumes made where a claim's class says so, and deals with volumes
//! whose claim is gone.
//!
//! Keys with a namespace are claims, keys without one volumes. `client::volumes` finds the volume
//! for a claim, [`protection`] keeps what is in use, [`ephemeral`] makes claims that go with their
//! pod, [`attach`] has volumes attached to nodes.
//!
//! Models `pkg/controller/volume/persistentvolume/pv_controller.go`.

pub mod attach;
pub mod classes;
pub mod ephemeral;
pub mod expand;
pub mod protection;
mod reclaim;
mod recycle;
#[cfg(test)]
mod tests;

use std::{rc::Rc, time::Duration};

use k8s_openapi::api::{
    core::v1::{Event, PersistentVolume, PersistentVolumeClaim, Pod},
    storage::v1::StorageClass,
};

use super::{
    framework::{Controller, Key, Queue},
    pods,
};
use crate::{
    api::{
        KindId, Object, Status, Typed,
        meta::annotation,
        volumes::{self, claim_class, volume_name, volume_phase},
    },
    client::{
        Change, Client, EventType, IndexId, Op, Recorder,
        volumes::{best_match, check_named, claim_ref, default_class, delays, give, is_given_to},
    },
};

/// How often a claim that found nothing is looked at again (`resyncPeriod`).
const RESYNC: Duration = Duration::from_secs(15);

/// The binder.
pub fn make(client: &Client) -> Box<dyn Controller> {
    Box::new(Binder {
        client: client.clone(),
        events: Recorder::new(client, "persistentvolume-controller", ""),
        pods: client.index::<Pod>(volumes::pods_by_claim),
        claims: client.index::<PersistentVolumeClaim>(volumes::claims_by_volume),
        volumes: client.index::<PersistentVolume>(volumes::volumes_by_class),
    })
}

struct Binder {
    client: Client,
    events: Recorder,
    pods: IndexId,
    claims: IndexId,
    volumes: IndexId,
}

fn has(object: &dyn Object, key: &str) -> bool {
    annotation(object.metadata(), key).is_some()
}

fn annotate(object: &mut dyn Object, key: &str, value: &str) {
    let annotations = object.metadata_mut().annotations.get_or_insert_default();
    annotations.insert(key.into(), value.into());
}

impl Binder {
    fn sync_claim(&self, claim: &Rc<PersistentVolumeClaim>) -> Result<Option<Duration>, Status> {
        if has(&**claim, volumes::BIND_COMPLETED) {
            return self.sync_bound(claim).map(|()| None);
        }
        let wanted = volume_name(claim);
        if !wanted.is_empty() {
            return self.sync_named(claim, wanted).map(|()| None);
        }
        let claim = self.with_default_class(claim)?;
        let delayed = delays(&self.client, &claim) && !has(&*claim, volumes::SELECTED_NODE);
        let found = best_match(&self.client, self.volumes, &claim, None, delayed, &[]);
        if let Some(volume) = found {
            self.bind(&volume, &claim)?;
            return Ok(None);
        }
        self.set_claim_phase(&claim, "Pending")?;
        if delayed {
            self.tell_delayed(&claim);
        } else if claim_class(&claim).is_empty() {
            let text = "no persistent volumes available for this claim and no storage class is set";
            self.events.event(&*claim, EventType::Normal, "FailedBinding", text);
        } else {
            self.provision(&claim)?;
        }
        Ok(Some(RESYNC))
    }

    /// A claim that names no class gets the default one as soon as there is one.
    fn with_default_class(
        &self,
        claim: &Rc<PersistentVolumeClaim>,
    ) -> Result<Rc<PersistentVolumeClaim>, Status> {
        if !volumes::names_no_class(claim) {
            return Ok(claim.clone());
        }
        let Some(class) = default_class(&self.client) else { return Ok(claim.clone()) };
        let mut new = (**claim).clone();
        new.spec.get_or_insert_default().storage_class_name = class.metadata.name.clone();
        self.client.update(new)
    }

    fn tell_delayed(&self, claim: &PersistentVolumeClaim) {
        let object: &dyn Object = claim;
        let key = format!("{}/{}", object.namespace(), object.name());
        let users = self.client.by_index::<Pod>(self.pods, &key);
        let waiting = users.iter().find(|p| pods::node_name(p).is_empty());
        let (reason, text) = match waiting {
            Some(pod) => (
                "WaitForPodScheduled",
                format!("waiting for pod {} to be scheduled", (&**pod as &dyn Object).name()),
            ),
            None => (
                "WaitForFirstConsumer",
                "waiting for first consumer to be created before binding".into(),
            ),
        };
        self.events.event(claim, EventType::Normal, reason, &text);
    }

    /// Has a volume made by whom the claim's class names.
    fn provision(&self, claim: &Rc<PersistentVolumeClaim>) -> Result<(), Status> {
        let name = claim_class(claim);
        let fail = |text: &str| {
            self.events.event(&**claim, EventType::Warning, "ProvisioningFailed", text);
        };
        let Some(class) = self.client.find::<StorageClass>("", name) else {
            // As caches word it: in the singular.
            fail(&format!("storageclass.storage.k8s.io {name:?} not found"));
            return Ok(());
        };
        let provisioner = &class.provisioner;
        if provisioner.starts_with("kubernetes.io/") {
            fail(&format!("no volume plugin matched name: {provisioner}"));
            return Ok(());
        }
        if annotation(&claim.metadata, volumes::PROVISIONER) != Some(provisioner) {
            let mut new = (**claim).clone();
            annotate(&mut new, volumes::PROVISIONER, provisioner);
            annotate(&mut new, volumes::BETA_PROVISIONER, provisioner);
            self.client.update(new)?;
        }
        let text = format!(
            "Waiting for a volume to be created either by the external provisioner \
             '{provisioner}' or manually by the system administrator. If volume creation is \
             delayed, please verify that the provisioner is running and correctly registered."
        );
        self.events.event(&**claim, EventType::Normal, "ExternalProvisioning", &text);
        Ok(())
    }

    /// A claim that asks for a certain volume.
    fn sync_named(&self, claim: &Rc<PersistentVolumeClaim>, wanted: &str) -> Result<(), Status> {
        let Some(volume) = self.client.find::<PersistentVolume>("", wanted) else {
            return self.set_claim_phase(claim, "Pending");
        };
        if claim_ref(&volume).is_some() && !is_given_to(&volume, claim) {
            return self.set_claim_phase(claim, "Pending");
        }
        if let Err(why) = check_named(&volume, claim) {
            if claim_ref(&volume).is_none() {
                let name = wanted;
                let text = format!("Cannot bind to requested volume {name:?}: {why}");
                self.events.event(&**claim, EventType::Warning, "VolumeMismatch", &text);
                return self.set_claim_phase(claim, "Pending");
            }
        }
        self.bind(&volume, claim)
    }

    /// A claim that was bound before.
    fn sync_bound(&self, claim: &Rc<PersistentVolumeClaim>) -> Result<(), Status> {
        let name = volume_name(claim);
        if name.is_empty() {
            let text =
                "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!";
            return self.lose(claim, "ClaimLost", text);
        }
        let Some(volume) = self.client.find::<PersistentVolume>("", name) else {
            let text = "Bound claim has lost its PersistentVolume. Data on the volume is lost!";
            return self.lose(claim, "ClaimLost", text);
        };
        match claim_ref(&volume) {
            Some(given) if given.uid != claim.metadata.uid => {
                let text = "Two claims are bound to the same volume, this one is bound incorrectly";
                self.lose(claim, "ClaimMisbound", text)
            }
            _ => self.bind(&volume, claim),
        }
    }

    fn lose(&self, claim: &PersistentVolumeClaim, reason: &str, text: &str) -> Result<(), Status> {
        if volumes::claim_phase(claim) != "Lost" {
            self.set_claim_phase(claim, "Lost")?;
            self.events.event(claim, EventType::Warning, reason, text);
        }
        Ok(())
    }

    fn set_claim_phase(&self, claim: &PersistentVolumeClaim, phase: &str) -> Result<(), Status> {
        if volumes::claim_phase(claim) == phase {
            return Ok(());
        }
        let mut new = claim.clone();
        let status = new.status.get_or_insert_default();
        status.phase = Some(phase.into());
        status.capacity = None;
        status.access_modes = None;
        self.client.update_status(new).map(|_| ())
    }

    fn set_volume_phase(
        &self,
        volume: &PersistentVolume,
        phase: &str,
        message: Option<&str>,
    ) -> Result<Rc<PersistentVolume>, Status> {
        let mut new = volume.clone();
        let status = new.status.get_or_insert_default();
        if status.phase.as_deref() == Some(phase) && status.message.as_deref() == message {
            return Ok(Rc::new(new));
        }
        if status.phase.as_deref() != Some(phase) {
            status.last_phase_transition_time = Some(self.client.sim().now().to_meta());
        }
        status.phase = Some(phase.into());
        status.message = message.map(str::to_string);
        self.client.update_status(new)
    }

    /// Gives a volume to a claim, and the claim its volume; each write only where it is needed.
    fn bind(
        &self,
        volume: &Rc<PersistentVolume>,
        claim: &Rc<PersistentVolumeClaim>,
    ) -> Result<(), Status> {
        let volume = give(&self.client, volume, claim)?;
        let volume = self.set_volume_phase(&volume, "Bound", None)?;
        let name = (&*volume as &dyn Object).name().to_string();
        let mut new = (**claim).clone();
        if volume_name(claim) != name {
            new.spec.get_or_insert_default().volume_name = Some(name);
            annotate(&mut new, volumes::BOUND_BY_CONTROLLER, "yes");
        }
        annotate(&mut new, volumes::BIND_COMPLETED, "yes");
        let claim = if new == **claim { claim.clone() } else { self.client.update(new)? };
        let mut new = (*claim).clone();
        let status = new.status.get_or_insert_default();
        let spec = volume.spec.as_ref();
        if status.phase.as_deref() != Some("Bound") {
            status.phase = Some("Bound".into());
            status.capacity = spec.and_then(|s| s.capacity.clone());
        }
        status.access_modes = spec.and_then(|s| s.access_modes.clone());
        if new != *claim {
            self.client.update_status(new)?;
        }
        Ok(())
    }

    fn sync_volume(&self, volume: &Rc<PersistentVolume>) -> Result<Option<Duration>, Status> {
        let given = claim_ref(volume);
        let Some(given) = given.filter(|g| g.uid.as_deref().is_some_and(|u| !u.is_empty())) else {
            self.set_volume_phase(volume, "Available", None)?;
            return Ok(None);
        };
        let text = |t: &Option<String>| t.clone().unwrap_or_default();
        let claim =
            self.client.find::<PersistentVolumeClaim>(&text(&given.namespace), &text(&given.name));
        let claim = claim.filter(|c| c.metadata.uid == given.uid);
        match claim {
            None => {
                let mut volume = volume.clone();
                if !matches!(volume_phase(&volume), "Released" | "Failed") {
                    volume = self.set_volume_phase(&volume, "Released", None)?;
                }
                return self.reclaim(&volume);
            }
            Some(claim) if Some(volume_name(&claim)) == volume.metadata.name.as_deref() => {
                self.set_volume_phase(volume, "Bound", None)?;
            }
            // The claim's own sync finishes the binding, or it is bound elsewhere.
            Some(claim) if !volume_name(&claim).is_empty() => {
                if has(&**volume, volumes::PROVISIONED_BY) && reclaim::deletes(volume) {
                    let volume = self.set_volume_phase(volume, "Released", None)?;
                    return self.reclaim(&volume);
                }
            }
            Some(_) => {}
        }
        Ok(None)
    }

    /// Claims that may want a volume that is new or free again.
    fn add_waiting(&self, class: Option<&str>, queue: &Queue) {
        for claim in self.client.list::<PersistentVolumeClaim>(None) {
            let waits = !has(&*claim, volumes::BIND_COMPLETED);
            if waits && class.is_none_or(|c| c == claim_class(&claim)) {
                let claim: &dyn Object = &*claim;
                queue.add_name(claim.namespace(), claim.name());
            }
        }
    }

    fn volume_changed(&self, volume: &PersistentVolume, op: Op, queue: &Queue) {
        let name = volume.metadata.name.as_deref().unwrap_or_default();
        queue.add_name("", name);
        if let Some(given) = claim_ref(volume) {
            let text = |t: &Option<String>| t.clone().unwrap_or_default();
            queue.add_name(&text(&given.namespace), &text(&given.name));
        }
        for claim in self.client.by_index::<PersistentVolumeClaim>(self.claims, name) {
            let claim: &dyn Object = &*claim;
            queue.add_name(claim.namespace(), claim.name());
        }
        if op != Op::Deleted && claim_ref(volume).is_none() && volume_phase(volume) == "Available" {
            self.add_waiting(Some(volumes::volume_class(volume)), queue);
        }
    }
}

impl Controller for Binder {
    fn name(&self) -> &'static str {
        "persistentvolume-binder-controller"
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![PersistentVolumeClaim::ID, PersistentVolume::ID, StorageClass::ID, Pod::ID, Event::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        if let Some(volume) = change.object.downcast::<PersistentVolume>() {
            self.volume_changed(volume, change.op, queue);
        } else if let Some(claim) = change.object.downcast::<PersistentVolumeClaim>() {
            queue.add_name(change.object.namespace(), change.object.name());
            let volume = volume_name(claim);
            if change.op == Op::Deleted && !volume.is_empty() {
                queue.add_name("", volume);
            }
        } else if change.kind == Pod::ID || change.kind == Event::ID {
            self.recycler_changed(change, queue);
        } else if change.op != Op::Deleted {
            self.add_waiting(None, queue);
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        if key.0.is_empty() {
            let volume = self.client.find::<PersistentVolume>("", &key.1);
            return volume.map_or(Ok(None), |v| self.sync_volume(&v));
        }
        let claim = self.client.find::<PersistentVolumeClaim>(&key.0, &key.1);
        claim.map_or(Ok(None), |c| self.sync_claim(&c))
    }
}
