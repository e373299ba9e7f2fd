//! Volumes that are attached to the node before they are mounted: what the node says of them, and
//! what the kubelet waits for.
//!
//! The attach-detach controller writes into the node's status what is attached; the kubelet writes there, with
//! its regular updates, what it has mounted or is about to mount.
//!
//! Models `pkg/kubelet/volumemanager` (`VerifyControllerAttachedVolume`) and
//! `pkg/volume/csi/nodeinfomanager`.

use std::{collections::BTreeSet, rc::Rc, time::Duration};

use k8s_openapi::{
    api::{
        core::v1::Node,
        storage::v1::{CSIDriver, CSINode, CSINodeDriver, VolumeNodeResources},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{
    super::{Inner, node::node_owner, worker::Worker},
    Fails,
};
use crate::{api::volumes, machine::fs::Fs};

/// How often a node's status is looked at (`nodeStatusUpdateFrequency`), in microseconds.
const PERIOD: u64 = 10_000_000;
const MIGRATED: &str = "storage.alpha.kubernetes.io/migrated-plugins";
const PLUGINS: &str = "kubernetes.io/aws-ebs,kubernetes.io/azure-disk,kubernetes.io/azure-file,\
                       kubernetes.io/cinder,kubernetes.io/gce-pd,kubernetes.io/portworx-volume,\
                       kubernetes.io/vsphere-volume";
const NODE_ID: &str = "csi.volume.kubernetes.io/nodeid";

/// The part of a storage driver that runs on a node; hangs on the machine.
pub struct NodeDriver {
    /// Its name.
    pub name: &'static str,
    /// What it calls the node.
    pub node_id: String,
    /// Where it is: label and value.
    pub topology: Vec<(String, String)>,
    /// The most volumes that can be attached to the node.
    pub most: i32,
    /// The disk of a handle, where it is attached to this node.
    pub find: Box<dyn Fn(&str) -> Option<Rc<Fs>>>,
}

impl Inner {
    /// The node says which storage drivers it has. Models `nodeinfomanager.CreateCSINode` and
    /// `InstallCSIDriver`.
    pub(in crate::kubelet) fn register_drivers(&self) {
        let Some(node) = self.client.find::<Node>("", &self.node) else { return };
        let driver = self.machine.get::<NodeDriver>();
        let old = self.client.find::<CSINode>("", &self.node);
        let mut new = match &old {
            Some(old) => (**old).clone(),
            None => CSINode {
                metadata: ObjectMeta {
                    name: Some(self.node.to_string()),
                    annotations: Some([(MIGRATED.to_string(), PLUGINS.to_string())].into()),
                    owner_references: Some(vec![node_owner(&node)]),
                    ..ObjectMeta::default()
                },
                ..CSINode::default()
            },
        };
        if let Some(driver) = &driver {
            let keys = driver.topology.iter().map(|(key, _)| key.clone());
            new.spec.drivers = vec![CSINodeDriver {
                name: driver.name.into(),
                node_id: driver.node_id.clone(),
                topology_keys: Some(keys.collect()),
                allocatable: Some(VolumeNodeResources { count: Some(driver.most) }),
            }];
        }
        let _ = match old {
            None => self.client.create(new).map(|_| ()),
            Some(old) if *old != new => self.client.update(new).map(|_| ()),
            Some(_) => Ok(()),
        };
        if let Some(driver) = driver {
            let mut node = (*node).clone();
            let id = serde_json::json!({driver.name: driver.node_id}).to_string();
            node.metadata.annotations.get_or_insert_default().insert(NODE_ID.into(), id);
            let labels = node.metadata.labels.get_or_insert_default();
            labels.extend(driver.topology.iter().cloned());
            let _ = self.client.update(node);
        }
    }

    /// Whether a driver's volume is attached to this node, as far as its status says. Errors: not
    /// yet, or the driver is not here.
    pub(super) fn verify_attached(
        &self,
        worker: &Worker,
        driver: &str,
        handle: &str,
    ) -> Result<(), Fails> {
        let known = self.client.find::<CSIDriver>("", driver);
        if known.is_some_and(|d| d.spec.attach_required == Some(false)) {
            return Ok(());
        }
        let name = volumes::csi_name(driver, handle);
        if worker.attached.borrow_mut().insert(name.clone()) {
            self.volumes_changed();
        }
        let node = self.client.find::<Node>("", &self.node);
        let status = node.as_ref().and_then(|n| n.status.as_ref()).ok_or(Fails::NotYet)?;
        let used = status.volumes_in_use.iter().flatten().any(|n| *n == name);
        let attached = status.volumes_attached.iter().flatten().any(|v| v.name == name);
        if used && attached { Ok(()) } else { Err(Fails::NotYet) }
    }

    /// The disk behind a driver's volume.
    pub(super) fn driver_disk(&self, driver: &str, handle: &str) -> Result<Rc<Fs>, Fails> {
        let own = self.machine.get::<NodeDriver>().filter(|d| d.name == driver);
        let own = own.ok_or_else(|| {
            Fails::Device(format!(
                "kubernetes.io/csi: attacher.MountDevice failed to create newCsiDriverClient: \
                 driver name {driver} not found in the list of registered CSI drivers"
            ))
        })?;
        (own.find)(handle).ok_or_else(|| {
            Fails::Device(format!("rpc error: code = NotFound desc = disk {handle} is not there"))
        })
    }

    /// What the node's status says is in use: what pods have mounted or are about to.
    pub(in crate::kubelet) fn volumes_in_use(&self) -> Option<Vec<String>> {
        let mut names = BTreeSet::new();
        for worker in self.workers.borrow().values() {
            names.extend(worker.attached.borrow().iter().cloned());
        }
        (!names.is_empty()).then(|| names.into_iter().collect())
    }

    /// A pod began or ended to use such volumes: told with the next regular look at the node.
    pub(in crate::kubelet) fn volumes_changed(&self) {
        let (now, phase) = (self.sim.now().as_micros(), self.phase());
        let wait = PERIOD - (now + PERIOD - phase) % PERIOD;
        self.later("node-volumes", Duration::from_micros(wait), Inner::write_node_status);
    }
}
