//! minikube's storage provisioner: makes volumes as folders of the node's disk, and removes them.
//!
//! Models `cmd/storage-provisioner` of minikube and the provisioning half of
//! `sig-storage-lib-external-provisioner`.

use std::{collections::BTreeMap, rc::Rc};

use k8s_openapi::{
    api::{
        core::v1::{
            HostPathVolumeSource, PersistentVolume, PersistentVolumeClaim, PersistentVolumeSpec,
        },
        storage::v1::StorageClass,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use crate::{
    api::{
        Object, Typed,
        meta::annotation,
        names,
        volumes::{self, claim_class, volume_name, volume_phase},
    },
    client::{
        Client, DeleteOptions, EventType, Op, Recorder, Subscription, volumes::claim_reference,
    },
    machine::{
        Machine,
        fs::{Files, Who},
    },
};

const NAME: &str = "k8s.io/minikube-hostpath";
const FOLDER: &str = "/tmp/hostpath-provisioner";
const IDENTITY: &str = "hostPathProvisionerIdentity";

/// A provisioner at work; it stops when this is dropped.
pub struct Provisioner {
    _subscription: Subscription,
}

struct Inner {
    client: Client,
    events: Recorder,
    machine: Rc<Machine>,
    identity: String,
}

impl Provisioner {
    /// Starts making volumes on a node's disk.
    pub fn start(client: &Client, machine: &Rc<Machine>, host: &str) -> Self {
        let identity = names::new_uid(client.sim());
        let component = format!("{NAME}_{host}_{identity}");
        let inner = Rc::new(Inner {
            client: client.clone(),
            events: Recorder::new(client, &component, ""),
            machine: machine.clone(),
            identity,
        });
        for claim in client.list::<PersistentVolumeClaim>(None) {
            inner.claim_changed(&claim);
        }
        for volume in client.list::<PersistentVolume>(None) {
            inner.volume_changed(&volume);
        }
        let kinds = [PersistentVolumeClaim::ID, PersistentVolume::ID];
        let subscription = client.on_change(&kinds, move |change| {
            if change.op == Op::Deleted {
                return;
            }
            if let Some(claim) = change.object.downcast::<PersistentVolumeClaim>() {
                inner.claim_changed(claim);
            } else if let Some(volume) = change.object.downcast::<PersistentVolume>() {
                inner.volume_changed(volume);
            }
        });
        Provisioner { _subscription: subscription }
    }
}

impl Inner {
    fn claim_changed(&self, claim: &PersistentVolumeClaim) {
        let mine = annotation(&claim.metadata, volumes::PROVISIONER) == Some(NAME);
        let going = claim.metadata.deletion_timestamp.is_some();
        if !mine || going || !volume_name(claim).is_empty() {
            return;
        }
        let Some(class) = self.client.find::<StorageClass>("", claim_class(claim)) else { return };
        let waits = class.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer");
        if waits && annotation(&claim.metadata, volumes::SELECTED_NODE).is_none() {
            return;
        }
        let object: &dyn Object = claim;
        let name = format!("pvc-{}", object.uid());
        if self.client.find::<PersistentVolume>("", &name).is_some() {
            return;
        }
        let which = format!("{}/{}", object.namespace(), object.name());
        let text = format!("External provisioner is provisioning volume for claim {which:?}");
        self.events.event(object, EventType::Normal, "Provisioning", &text);
        let path = format!("{FOLDER}/{which}");
        let made = self.make_folder(&path).and_then(|()| {
            let volume = self.volume(claim, &class, &name, path);
            self.client.create(volume).map(|_| ()).map_err(|error| error.message)
        });
        match made {
            Ok(()) => {
                let text = format!("Successfully provisioned volume {name}");
                self.events.event(object, EventType::Normal, "ProvisioningSucceeded", &text);
            }
            Err(error) => {
                let text = format!(
                    "failed to provision volume with StorageClass {:?}: {error}",
                    claim_class(claim)
                );
                self.events.event(object, EventType::Warning, "ProvisioningFailed", &text);
            }
        }
    }

    fn make_folder(&self, path: &str) -> Result<(), String> {
        let files = self.machine.files();
        let mut dir = String::new();
        for part in path.split('/').filter(|p| !p.is_empty()) {
            dir = format!("{dir}/{part}");
            if files.stat(&dir, Who::ROOT).is_err() {
                files.make_dir(&dir, 0o777, Who::ROOT).map_err(|e| format!("mkdir {dir}: {e}"))?;
            }
        }
        Ok(())
    }

    fn volume(
        &self,
        claim: &PersistentVolumeClaim,
        class: &StorageClass,
        name: &str,
        path: String,
    ) -> PersistentVolume {
        let spec = claim.spec.clone().unwrap_or_default();
        let storage = spec.resources.and_then(|r| r.requests?.get("storage").cloned());
        PersistentVolume {
            metadata: ObjectMeta {
                name: Some(name.to_string()),
                annotations: Some(BTreeMap::from([
                    (IDENTITY.to_string(), self.identity.clone()),
                    (volumes::PROVISIONED_BY.to_string(), NAME.to_string()),
                ])),
                ..Default::default()
            },
            spec: Some(PersistentVolumeSpec {
                access_modes: spec.access_modes,
                capacity: storage.map(|s| BTreeMap::from([("storage".to_string(), s)])),
                claim_ref: Some(claim_reference(claim)),
                host_path: Some(HostPathVolumeSource { path, type_: Some(String::new()) }),
                persistent_volume_reclaim_policy: class.reclaim_policy.clone(),
                storage_class_name: class.metadata.name.clone(),
                volume_mode: spec.volume_mode,
                ..Default::default()
            }),
            status: None,
        }
    }

    /// A released volume goes, and what is in it.
    fn volume_changed(&self, volume: &PersistentVolume) {
        let mine = annotation(&volume.metadata, volumes::PROVISIONED_BY) == Some(NAME);
        let spec = volume.spec.as_ref();
        let deletes = spec.and_then(|s| s.persistent_volume_reclaim_policy.as_deref());
        let over = volume_phase(volume) == "Released" && deletes == Some("Delete");
        if !mine || !over || volume.metadata.deletion_timestamp.is_some() {
            return;
        }
        if let Some(path) = spec.and_then(|s| s.host_path.as_ref()) {
            if path.path.starts_with(FOLDER) {
                remove_tree(self.machine.files(), &path.path, 0);
            }
        }
        let name = (volume as &dyn Object).name();
        let _ = self.client.delete::<PersistentVolume>("", name, &DeleteOptions::default());
    }
}

/// How deep folders may be nested that are removed.
const DEEPEST: usize = 64;

fn remove_tree(files: &Files, path: &str, depth: usize) {
    if depth < DEEPEST && files.lstat(path, Who::ROOT).is_ok_and(|node| node.is_dir()) {
        for (name, _) in files.list(path, Who::ROOT).unwrap_or_default() {
            remove_tree(files, &format!("{path}/{name}"), depth + 1);
        }
    }
    let _ = files.remove(path, Who::ROOT);
}
