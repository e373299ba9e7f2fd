//! The provider's disks, and the driver that makes them volumes: claims of the class `standard-rwo`
//! get a disk in the zone of their first pod's node, larger ones on demand.
//!
//! A disk follows its pod to any machine of its zone: [`super::attacher`] puts it there. Not simulated:
//! snapshots, snapshots' restoration, how full a disk is.
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
    kubelet::NodeDriver,
    machine::fs::Fs,
    sim::{Sim, Time},
};

/// The driver's name.
pub const DRIVER: &str = "disk.csi.sandbar.dev";
/// The most disks that a machine can have besides its own.
const MOST_DISKS: i32 = 15;
const ZONE: &str = "topology.kubernetes.io/zone";
/// How long the provider takes to make a disk, and to make one larger.
const MAKE: Duration = Duration::from_secs(4);
const GROW: Duration = Duration::from_secs(6);
/// After a delete that failed: this long, then twice as long each time.
const RETRY: Duration = Duration::from_secs(1);
/// Holds volumes until their disks are gone.
const FINALIZER: &str = "external-provisioner.volume.kubernetes.io/finalizer";

/// The disks of a cluster, by handle.
#[derive(Default)]
pub struct Disks(RefCell<BTreeMap<String, Disk>>);

struct Disk {
    fs: Rc<Fs>,
    /// The machine that it is attached to.
    machine: Option<String>,
}

impl Disks {
    /// What is on a disk that is attached to a machine.
    pub fn get(&self, handle: &str, machine: &str) -> Option<Rc<Fs>> {
        let disks = self.0.borrow();
        let disk = disks.get(handle).filter(|d| d.machine.as_deref() == Some(machine))?;
        Some(disk.fs.clone())
    }

    /// Attaches a disk to a machine; the path of its device there. Errors as the driver words them.
    pub fn attach(&self, handle: &str, machine: &str) -> Result<String, String> {
        let mut disks = self.0.borrow_mut();
        let disk = disks.get_mut(handle);
        let disk = disk.ok_or_else(|| {
            format!("rpc error: code = NotFound desc = disk {handle} does not exist")
        })?;
        if let Some(other) = disk.machine.as_deref().filter(|other| *other != machine) {
            return Err(format!(
                "rpc error: code = FailedPrecondition desc = disk {handle} is already attached to \
                 machine {other}"
            ));
        }
        disk.machine = Some(machine.to_string());
        let name = handle.rsplit('/').next().unwrap_or_default();
        Ok(format!("/dev/disk/by-id/sandbar-{name}"))
    }

    /// Takes a disk off a machine.
    pub fn detach(&self, handle: &str, machine: &str) {
        if let Some(disk) = self.0.borrow_mut().get_mut(handle) {
            disk.machine.take_if(|m| m == machine);
        }
    }

    /// A machine is gone: its disks are free.
    pub fn machine_gone(&self, machine: &str) {
        for disk in self.0.borrow_mut().values_mut() {
            disk.machine.take_if(|m| m == machine);
        }
    }

    /// Where a disk is.
    fn machine_of(&self, handle: &str) -> Option<String> {
        self.0.borrow().get(handle)?.machine.clone()
    }

    fn make(&self, handle: &str, sim: &Sim) {
        let fs = Fs::new(sim.now());
        let _ = fs.make_dirs("/lost+found", sim.now());
        let disk = Disk { fs, machine: None };
        self.0.borrow_mut().entry(handle.to_string()).or_insert(disk);
    }

    fn remove(&self, handle: &str) {
        self.0.borrow_mut().remove(handle);
    }
}

/// What of the driver runs beside the control plane: it makes disks, and attaches them.
pub fn parts(client: &Client, disks: &Rc<Disks>) -> [Box<dyn Controller>; 2] {
    [make(client, disks), super::attacher::make(client, disks)]
}

/// What of the driver runs on a machine.
pub fn node_driver(disks: &Rc<Disks>, machine: &str, zone: &str) -> NodeDriver {
    let (disks, own) = (disks.clone(), machine.to_string());
    NodeDriver {
        name: DRIVER,
        node_id: format!("zones/{zone}/machines/{machine}"),
        topology: vec![(ZONE.into(), zone.into())],
        most: MOST_DISKS,
        find: Box::new(move |handle| disks.get(handle, &own)),
    }
}

/// What makes disks.
fn make(client: &Client, disks: &Rc<Disks>) -> Box<dyn Controller> {
    let id = names::random_suffix(client.sim(), 5);
    Box::new(Driver {
        client: client.clone(),
        provisioner: Recorder::new(client, &format!("{DRIVER}_csi-controller-{id}"), ""),
        resizer: Recorder::new(client, &format!("external-resizer {DRIVER}"), ""),
        disks: disks.clone(),
        identity: format!(
            "{}-{}-{DRIVER}",
            client.sim().now().as_millis(),
            client.sim().random(10_000)
        ),
        pending: RefCell::default(),
        refused: RefCell::default(),
    })
}

struct Driver {
    client: Client,
    provisioner: Recorder,
    resizer: Recorder,
    disks: Rc<Disks>,
    /// When the provider has done what it was asked for a claim, by uid.
    pending: RefCell<BTreeMap<String, Time>>,
    /// How often a volume could not be deleted, by name.
    refused: RefCell<BTreeMap<String, u32>>,
    /// Which provisioner this is, as volumes say.
    identity: String,
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
        let volume = self.volume(claim, &class, &name, zone);
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
    fn reclaim(&self, volume: &PersistentVolume) -> Result<Option<Duration>, Status> {
        let mine = annotation(&volume.metadata, volumes::PROVISIONED_BY) == Some(DRIVER);
        let spec = volume.spec.as_ref();
        let policy = spec.and_then(|s| s.persistent_volume_reclaim_policy.as_deref());
        let over = volume_phase(volume) == "Released" && policy == Some("Delete");
        let kept = volume.metadata.finalizers.iter().flatten().any(|f| f == FINALIZER);
        let csi = spec.and_then(|s| s.csi.as_ref());
        let (Some(csi), true) = (csi, mine && over && kept) else { return Ok(None) };
        let name = (volume as &dyn Object).name();
        if let Some(machine) = self.disks.machine_of(&csi.volume_handle) {
            let text = format!("persistentvolume {name} is still attached to node {machine}");
            self.provisioner.event(volume, EventType::Warning, "VolumeFailedDelete", &text);
            let mut refused = self.refused.borrow_mut();
            let times = refused.entry(name.to_string()).or_default();
            *times += 1;
            return Ok(Some(RETRY * 2u32.pow((*times - 1).min(8))));
        }
        self.refused.borrow_mut().remove(name);
        self.disks.remove(&csi.volume_handle);
        if !is_deleting(&volume.metadata) {
            let deleted =
                self.client.delete::<PersistentVolume>("", name, &DeleteOptions::default());
            if let Err(error) = deleted
                && !error.is_not_found()
            {
                return Err(error);
            }
        }
        let Some(volume) = self.client.find::<PersistentVolume>("", name) else { return Ok(None) };
        let mut new = (*volume).clone();
        new.metadata.finalizers.get_or_insert_default().retain(|f| f != FINALIZER);
        match self.client.update(new) {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(None),
        }
    }

    fn volume(
        &self,
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
        let notes = [
            (volumes::PROVISIONED_BY, DRIVER),
            ("volume.kubernetes.io/provisioner-deletion-secret-name", ""),
            ("volume.kubernetes.io/provisioner-deletion-secret-namespace", ""),
        ];
        let notes = notes.map(|(key, value)| (key.to_string(), value.to_string()));
        let identity = "storage.kubernetes.io/csiProvisionerIdentity".to_string();
        PersistentVolume {
            metadata: ObjectMeta {
                name: Some(name.to_string()),
                annotations: Some(BTreeMap::from(notes)),
                finalizers: Some(vec![FINALIZER.into()]),
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
                    volume_attributes: Some(BTreeMap::from([(identity, self.identity.clone())])),
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
}

fn handle(zone: &str, name: &str) -> String {
    format!("zones/{zone}/disks/{name}")
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
            return volume.map_or(Ok(None), |v| self.reclaim(&v));
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
