//! The provider's disks, and the driver that makes them volumes: claims of the class `standard-rwo`
//! get a disk in the zone of their first pod's node, larger ones on demand.
//!
//! A disk follows its pod to any machine of its zone. Not simulated: attachments as objects (the
//! driver needs none), snapshots, snapshots' restoration, how full a disk is.
//!
//! Models the sidecars `external-provisioner` and `external-resizer` with a driver that needs no
//! help of the node to grow a file system.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use k8s_openapi::{
    api::{
        core::v1::{
            CSIPersistentVolumeSource, Node, NodeSelector, NodeSelectorRequirement,
            NodeSelectorTerm, PersistentVolume, PersistentVolumeClaim,
            PersistentVolumeClaimCondition, PersistentVolumeSpec, VolumeNodeAffinity,
        },
        storage::v1::StorageClass,
    },
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::ObjectMeta},
};

use crate::{
    api::{
        KindId, Object, Status, Typed,
        meta::{annotation, is_deleting, label},
        names,
        quantity::Amount,
        volumes::{self, claim_class, volume_name, volume_phase},
    },
    client::{Change, Client, DeleteOptions, EventType, Op, Recorder, volumes::claim_reference},
    controllers::framework::{Controller, Key, Queue},
    machine::fs::Fs,
    sim::{Sim, Time},
};

/// The driver's name.
pub const DRIVER: &str = "disk.csi.sandbar.dev";
const ZONE: &str = "topology.kubernetes.io/zone";
/// How long the provider takes to make a disk, and to make one larger.
const MAKE: Duration = Duration::from_secs(4);
const GROW: Duration = Duration::from_secs(6);

/// The disks of a cluster, by handle.
#[derive(Default)]
pub struct Disks(RefCell<BTreeMap<String, Rc<Fs>>>);

impl Disks {
    /// What is on a disk.
    pub fn get(&self, handle: &str) -> Option<Rc<Fs>> {
        self.0.borrow().get(handle).cloned()
    }

    fn make(&self, handle: &str, sim: &Sim) {
        let fs = Fs::new(sim.now());
        let _ = fs.make_dirs("/lost+found", sim.now());
        self.0.borrow_mut().entry(handle.to_string()).or_insert(fs);
    }

    fn remove(&self, handle: &str) {
        self.0.borrow_mut().remove(handle);
    }
}

/// The driver's controller: it makes and removes these disks.
pub fn make(client: &Client, disks: &Rc<Disks>) -> Box<dyn Controller> {
    let id = names::random_suffix(client.sim(), 5);
    Box::new(Driver {
        client: client.clone(),
        provisioner: Recorder::new(client, &format!("{DRIVER}_csi-controller-{id}"), ""),
        resizer: Recorder::new(client, &format!("external-resizer {DRIVER}"), ""),
        disks: disks.clone(),
        pending: RefCell::default(),
    })
}

struct Driver {
    client: Client,
    provisioner: Recorder,
    resizer: Recorder,
    disks: Rc<Disks>,
    /// When the provider has done what it was asked for a claim, by uid.
    pending: RefCell<BTreeMap<String, Time>>,
}

fn storage(amount: Amount) -> BTreeMap<String, Quantity> {
    BTreeMap::from([("storage".to_string(), amount.to_quantity())])
}

impl Driver {
    /// How long until the provider has done something for a claim; `None` once it has. `begin` is
    /// called the first time.
    fn wait(
        &self,
        uid: &str,
        takes: Duration,
        begin: impl FnOnce() -> Result<(), Status>,
    ) -> Result<Option<Duration>, Status> {
        let now = self.client.sim().now();
        let due = self.pending.borrow().get(uid).copied();
        match due {
            None => {
                begin()?;
                self.pending.borrow_mut().insert(uid.to_string(), now + takes);
                Ok(Some(takes))
            }
            Some(due) if due > now => Ok(Some(due.since(now))),
            Some(_) => {
                self.pending.borrow_mut().remove(uid);
                Ok(None)
            }
        }
    }

    fn provision(&self, claim: &PersistentVolumeClaim) -> Result<Option<Duration>, Status> {
        let object: &dyn Object = claim;
        let mine = annotation(&claim.metadata, volumes::PROVISIONER) == Some(DRIVER);
        if !mine || is_deleting(&claim.metadata) || !volume_name(claim).is_empty() {
            return Ok(None);
        }
        let Some(class) = self.client.find::<StorageClass>("", claim_class(claim)) else {
            return Ok(None);
        };
        let chosen = annotation(&claim.metadata, volumes::SELECTED_NODE);
        let waits = class.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer");
        if waits && chosen.is_none() {
            return Ok(None);
        }
        let node = chosen.and_then(|name| self.client.find::<Node>("", name));
        let zone = node.as_ref().and_then(|n| label(&n.metadata, ZONE)).unwrap_or(super::ZONES[0]);
        let name = format!("pvc-{}", object.uid());
        if self.client.find::<PersistentVolume>("", &name).is_some() {
            return Ok(None);
        }
        let which = format!("{}/{}", object.namespace(), object.name());
        let text = format!("External provisioner is provisioning volume for claim {which:?}");
        let wait = self.wait(object.uid(), MAKE, || {
            self.provisioner.event(object, EventType::Normal, "Provisioning", &text);
            Ok(())
        })?;
        if wait.is_some() {
            return Ok(wait);
        }
        let volume = volume(claim, &class, &name, zone);
        self.disks.make(&handle(zone, &name), self.client.sim());
        self.client.create(volume)?;
        let text = format!("Successfully provisioned volume {name}");
        self.provisioner.event(object, EventType::Normal, "ProvisioningSucceeded", &text);
        Ok(None)
    }

    /// Makes a claim's disk larger, if the claim asks for it.
    fn resize(&self, claim: &Rc<PersistentVolumeClaim>) -> Result<Option<Duration>, Status> {
        let object: &dyn Object = &**claim;
        let Some(volume) = self.client.find::<PersistentVolume>("", volume_name(claim)) else {
            return Ok(None);
        };
        let ours = annotation(&volume.metadata, volumes::PROVISIONED_BY) == Some(DRIVER);
        if !ours || !crate::controllers::wants_more(claim) {
            return Ok(None);
        }
        let wanted = storage(volumes::requested(claim));
        let name = (&*volume as &dyn Object).name();
        let wait = self.wait(object.uid(), GROW, || {
            let mut new = (**claim).clone();
            let status = new.status.get_or_insert_default();
            let now = self.client.sim().now().to_meta();
            status.allocated_resources = Some(wanted.clone());
            status.allocated_resource_statuses = Some(BTreeMap::from([(
                "storage".to_string(),
                "ControllerResizeInProgress".to_string(),
            )]));
            let conditions = status.conditions.get_or_insert_default();
            conditions.retain(|c| c.type_ != "Resizing");
            conditions.push(PersistentVolumeClaimCondition {
                type_: "Resizing".into(),
                status: "True".into(),
                last_transition_time: Some(now),
                ..Default::default()
            });
            self.client.update_status(new)?;
            let text = format!("External resizer is resizing volume {name}");
            self.resizer.event(object, EventType::Normal, "Resizing", &text);
            Ok(())
        })?;
        if wait.is_some() {
            return Ok(wait);
        }
        let mut larger = (*volume).clone();
        larger.spec.get_or_insert_default().capacity = Some(wanted.clone());
        self.client.update(larger)?;
        let mut new = (**claim).clone();
        let status = new.status.get_or_insert_default();
        status.capacity = Some(wanted);
        status.allocated_resource_statuses = None;
        status.conditions = None;
        self.client.update_status(new)?;
        let text = "Resize volume succeeded";
        self.resizer.event(object, EventType::Normal, "VolumeResizeSuccessful", text);
        Ok(None)
    }

    /// A released volume goes, and its disk.
    fn reclaim(&self, volume: &PersistentVolume) -> Result<(), Status> {
        let mine = annotation(&volume.metadata, volumes::PROVISIONED_BY) == Some(DRIVER);
        let spec = volume.spec.as_ref();
        let policy = spec.and_then(|s| s.persistent_volume_reclaim_policy.as_deref());
        let over = volume_phase(volume) == "Released" && policy == Some("Delete");
        if !mine || !over || is_deleting(&volume.metadata) {
            return Ok(());
        }
        if let Some(csi) = spec.and_then(|s| s.csi.as_ref()) {
            self.disks.remove(&csi.volume_handle);
        }
        let name = (volume as &dyn Object).name();
        match self.client.delete::<PersistentVolume>("", name, &DeleteOptions::default()) {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }
}

fn handle(zone: &str, name: &str) -> String {
    format!("zones/{zone}/disks/{name}")
}

fn volume(
    claim: &PersistentVolumeClaim,
    class: &StorageClass,
    name: &str,
    zone: &str,
) -> PersistentVolume {
    let spec = claim.spec.clone().unwrap_or_default();
    let term = NodeSelectorTerm {
        match_expressions: Some(vec![NodeSelectorRequirement {
            key: ZONE.into(),
            operator: "In".into(),
            values: Some(vec![zone.to_string()]),
        }]),
        ..Default::default()
    };
    let provisioned = (volumes::PROVISIONED_BY.to_string(), DRIVER.to_string());
    PersistentVolume {
        metadata: ObjectMeta {
            name: Some(name.to_string()),
            annotations: Some(BTreeMap::from([provisioned])),
            ..Default::default()
        },
        spec: Some(PersistentVolumeSpec {
            access_modes: spec.access_modes,
            capacity: Some(storage(volumes::requested(claim))),
            claim_ref: Some(claim_reference(claim)),
            csi: Some(CSIPersistentVolumeSource {
                driver: DRIVER.into(),
                volume_handle: handle(zone, name),
                fs_type: Some("ext4".into()),
                ..Default::default()
            }),
            node_affinity: Some(VolumeNodeAffinity {
                required: Some(NodeSelector { node_selector_terms: vec![term] }),
            }),
            persistent_volume_reclaim_policy: class.reclaim_policy.clone(),
            storage_class_name: class.metadata.name.clone(),
            volume_mode: spec.volume_mode,
            ..Default::default()
        }),
        status: None,
    }
}

impl Controller for Driver {
    fn name(&self) -> &'static str {
        "csi-controller"
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![PersistentVolumeClaim::ID, PersistentVolume::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        if change.op != Op::Deleted {
            queue.add_name(change.object.namespace(), change.object.name());
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        if key.0.is_empty() {
            let volume = self.client.find::<PersistentVolume>("", &key.1);
            return volume.map_or(Ok(()), |v| self.reclaim(&v)).map(|()| None);
        }
        let Some(claim) = self.client.find::<PersistentVolumeClaim>(&key.0, &key.1) else {
            return Ok(None);
        };
        match volume_name(&claim).is_empty() {
            true => self.provision(&claim),
            false => self.resize(&claim),
        }
    }
}
