//! The part of the provider's disk driver that attaches disks to machines, as VolumeAttachments ask.
//!
//! A disk is on one machine at a time. An attachment that goes is held until its disk is off the
//! machine, a volume until no attachment names it.
//!
//! Models the sidecar `external-attacher`.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use k8s_openapi::api::{
    core::v1::PersistentVolume,
    storage::v1::{CSINode, VolumeAttachment, VolumeError},
};

use super::disks::{DRIVER, Disks};
use crate::{
    api::{KindId, Object, Status, Typed, meta::is_deleting, volumes},
    client::{Change, Client, IndexId, Op},
    controllers::framework::{Controller, Key, Queue},
    sim::Time,
};

const FINALIZER: &str = "external-attacher/disk-csi-sandbar-dev";
const NODE_ID: &str = "csi.alpha.kubernetes.io/node-id";
/// How long the provider takes to put a disk on a machine, and to take it off.
const ATTACH: Duration = Duration::from_secs(3);
const DETACH: Duration = Duration::from_secs(2);

/// The attacher.
pub fn make(client: &Client, disks: &Rc<Disks>) -> Box<dyn Controller> {
    Box::new(Attacher {
        client: client.clone(),
        disks: disks.clone(),
        attachments: client.index::<VolumeAttachment>(volumes::attachments_by_volume),
        pending: RefCell::default(),
    })
}

struct Attacher {
    client: Client,
    disks: Rc<Disks>,
    attachments: IndexId,
    /// When the provider has done what it was asked for an attachment, by name.
    pending: RefCell<BTreeMap<String, Time>>,
}

fn has_finalizer(object: &dyn Object) -> bool {
    object.metadata().finalizers.iter().flatten().any(|f| f == FINALIZER)
}

fn set_finalizer(object: &mut dyn Object, wanted: bool) {
    let finalizers = object.metadata_mut().finalizers.get_or_insert_default();
    finalizers.retain(|f| f != FINALIZER);
    if wanted {
        finalizers.push(FINALIZER.into());
    }
}

impl Attacher {
    /// How long until the provider has done what takes so long; `None` once it has.
    fn wait(&self, name: &str, takes: Duration) -> Option<Duration> {
        let now = self.client.sim().now();
        let mut pending = self.pending.borrow_mut();
        let due = *pending.entry(name.to_string()).or_insert(now + takes);
        if due > now {
            return Some(due.since(now));
        }
        pending.remove(name);
        None
    }

    /// Puts a disk on a machine. Errors: what the attachment's status says.
    fn attach(&self, attachment: &Rc<VolumeAttachment>) -> Result<Option<Duration>, String> {
        let fails = |error: Status| error.message;
        let node = attachment.spec.node_name.as_str();
        let name = attachment.spec.source.persistent_volume_name.as_deref().unwrap_or_default();
        let volume = self.client.get::<PersistentVolume>("", name).map_err(fails)?;
        if is_deleting(&volume.metadata) {
            return Err(format!("PersistentVolume {name:?} is marked for deletion"));
        }
        if !has_finalizer(&*volume) {
            let mut new = (*volume).clone();
            set_finalizer(&mut new, true);
            self.client.update(new).map_err(fails)?;
        }
        let csi = volume.spec.as_ref().and_then(|s| s.csi.as_ref());
        let handle = csi.map(|c| c.volume_handle.as_str()).unwrap_or_default();
        let drivers = self.client.get::<CSINode>("", node).map_err(fails)?;
        let driver = drivers.spec.drivers.iter().find(|d| d.name == DRIVER);
        let driver =
            driver.ok_or_else(|| format!("CSINode {node} does not contain driver {DRIVER}"))?;
        let mut attachment = attachment.clone();
        if !has_finalizer(&*attachment) {
            let mut new = (*attachment).clone();
            set_finalizer(&mut new, true);
            let notes = new.metadata.annotations.get_or_insert_default();
            notes.insert(NODE_ID.into(), driver.node_id.clone());
            attachment = self.client.update(new).map_err(fails)?;
        }
        let own = (&*attachment as &dyn Object).name().to_string();
        if let Some(wait) = self.wait(&own, ATTACH) {
            return Ok(Some(wait));
        }
        let device = self.disks.attach(handle, node)?;
        let mut new = (*attachment).clone();
        let status = new.status.get_or_insert_default();
        status.attached = true;
        status.attach_error = None;
        status.attachment_metadata = Some(BTreeMap::from([("devicePath".to_string(), device)]));
        self.client.update_status(new).map_err(fails)?;
        Ok(None)
    }

    fn attach_or_tell(
        &self,
        attachment: &Rc<VolumeAttachment>,
    ) -> Result<Option<Duration>, Status> {
        let status = attachment.status.as_ref();
        if status.is_some_and(|s| s.attached) {
            return Ok(None);
        }
        let why = match self.attach(attachment) {
            Ok(again) => return Ok(again),
            Err(why) => why,
        };
        let name = (&**attachment as &dyn Object).name();
        let Some(current) = self.client.find::<VolumeAttachment>("", name) else {
            return Ok(None);
        };
        let mut new = (*current).clone();
        new.status.get_or_insert_default().attach_error = Some(VolumeError {
            message: Some(why.clone()),
            time: Some(self.client.sim().now().to_meta()),
            ..VolumeError::default()
        });
        self.client.update_status(new)?;
        // It is tried again, later and later.
        Err(Status::internal(format!("failed to attach: {why}")))
    }

    fn detach(&self, attachment: &Rc<VolumeAttachment>) -> Result<Option<Duration>, Status> {
        if !has_finalizer(&**attachment) {
            return Ok(None);
        }
        let name = (&**attachment as &dyn Object).name();
        if let Some(wait) = self.wait(name, DETACH) {
            return Ok(Some(wait));
        }
        let volume = attachment.spec.source.persistent_volume_name.as_deref().unwrap_or_default();
        let volume = self.client.find::<PersistentVolume>("", volume);
        let csi = volume.as_ref().and_then(|v| v.spec.as_ref()?.csi.as_ref());
        if let Some(csi) = csi {
            self.disks.detach(&csi.volume_handle, &attachment.spec.node_name);
        }
        let mut new = (**attachment).clone();
        if new.status.as_ref().is_some_and(|s| s.attached) {
            new.status.get_or_insert_default().attached = false;
            new = (*self.client.update_status(new)?).clone();
        }
        set_finalizer(&mut new, false);
        match self.client.update(new) {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(None),
        }
    }

    /// A volume may go once nothing is attached any more.
    fn release(&self, volume: &PersistentVolume) -> Result<(), Status> {
        let name = (volume as &dyn Object).name();
        let free = self.client.count_by_index(self.attachments, name) == 0;
        if !is_deleting(&volume.metadata) || !has_finalizer(volume) || !free {
            return Ok(());
        }
        let mut new = volume.clone();
        set_finalizer(&mut new, false);
        match self.client.update(new) {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }
}

impl Controller for Attacher {
    fn name(&self) -> &'static str {
        "csi-attacher"
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![VolumeAttachment::ID, PersistentVolume::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        let Some(attachment) = change.object.downcast::<VolumeAttachment>() else {
            return queue.add_name("volume", change.object.name());
        };
        if attachment.spec.attacher != DRIVER {
            return;
        }
        if change.op != Op::Deleted {
            return queue.add_name("", change.object.name());
        }
        self.pending.borrow_mut().remove(change.object.name());
        if let Some(volume) = &attachment.spec.source.persistent_volume_name {
            queue.add_name("volume", volume);
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        if !key.0.is_empty() {
            let volume = self.client.find::<PersistentVolume>("", &key.1);
            return volume.map_or(Ok(()), |v| self.release(&v)).map(|()| None);
        }
        let Some(attachment) = self.client.find::<VolumeAttachment>("", &key.1) else {
            return Ok(None);
        };
        match is_deleting(&attachment.metadata) {
            true => self.detach(&attachment),
            false => self.attach_or_tell(&attachment),
        }
    }
}
