//! Has volumes attached to the nodes whose pods want them, and detached where nobody does any more.
//!
//! A volume is looked at as a whole: who wants it, where it is attached. What attaches it is its
//! driver, which is told by a VolumeAttachment; the kubelet reads in its node's status what it may
//! mount, and says there what it still has mounted. What is remembered besides are times (since when a
//! node should let go, since when it is tried) and whether pods were told: all of it may be lost.
//!
//! Models `pkg/controller/volume/attachdetach` and the attacher of `pkg/volume/csi`.

mod node;
#[cfg(test)]
mod tests;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};

use k8s_openapi::{
    api::{
        core::v1::{Node, PersistentVolume, PersistentVolumeClaim, Pod},
        storage::v1::{CSIDriver, VolumeAttachment, VolumeAttachmentSource, VolumeAttachmentSpec},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use crate::{
    api::{
        KindId, Status, Typed,
        meta::is_deleting,
        pods,
        volumes::{self, claim_phase, volume_name},
    },
    client::{Change, Client, DeleteOptions, EventType, IndexId, Op, Recorder},
    controllers::framework::{Controller, Key, Queue},
    sim::Time,
};

/// How long a node that does not answer may keep what it has mounted (`maxWaitForUnmountDuration`).
const LET_GO: Duration = Duration::from_secs(6 * 60);
/// How long a driver may take to attach (`csiTimeout`).
const PATIENCE: Duration = Duration::from_secs(120);
/// After a failure: this long, then twice as long each time, up to … (`exponentialbackoff`).
const RETRY: Duration = Duration::from_millis(500);
const LONGEST_RETRY: Duration = Duration::from_secs(122);

/// The attach-detach controller.
pub fn make(client: &Client) -> Box<dyn Controller> {
    Box::new(Attacher {
        client: client.clone(),
        events: Recorder::new(client, "attachdetach-controller", ""),
        pods: client.index::<Pod>(volumes::pods_by_claim),
        attachments: client.index::<VolumeAttachment>(volumes::attachments_by_volume),
        on_node: client.index::<VolumeAttachment>(volumes::attachments_by_node),
        known: RefCell::default(),
        last_seen: RefCell::default(),
    })
}

struct Attacher {
    client: Client,
    events: Recorder,
    pods: IndexId,
    attachments: IndexId,
    on_node: IndexId,
    /// By volume and node.
    known: RefCell<BTreeMap<(String, String), Known>>,
    /// What nodes that are gone had mounted when they went.
    last_seen: RefCell<BTreeMap<String, Vec<String>>>,
}

/// What is remembered of a volume and a node.
#[derive(Clone, Debug, Default)]
struct Known {
    /// Since when nobody there wants it.
    unwanted: Option<Time>,
    /// Since when it is tried to attach it.
    begun: Option<Time>,
    /// Until when nothing is tried after a failure, and how many there were.
    rest: Option<Time>,
    failures: u32,
    /// Whether pods were told that it is attached elsewhere.
    told: bool,
}

/// A volume that is attached by a driver.
struct Disk {
    volume: Rc<PersistentVolume>,
    name: String,
    driver: String,
    handle: String,
    /// As nodes name it in their status.
    unique: String,
}

type Wanted = BTreeMap<String, Vec<Rc<Pod>>>;

fn earliest(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    a.into_iter().chain(b).min()
}

/// Whether a volume may be attached to several nodes at a time.
fn may_be_shared(volume: &PersistentVolume) -> bool {
    let modes = volume.spec.as_ref().and_then(|s| s.access_modes.as_deref()).unwrap_or_default();
    modes.is_empty() || modes.iter().any(|m| m == "ReadOnlyMany" || m == "ReadWriteMany")
}

/// Whether a pod has given up its volumes. Models `pkg/volume/util.IsPodTerminated`.
fn is_over(pod: &Pod) -> bool {
    let status = pod.status.as_ref();
    let containers = status.and_then(|s| s.container_statuses.as_deref()).unwrap_or_default();
    let runs = containers
        .iter()
        .any(|c| c.state.as_ref().is_none_or(|s| s.terminated.is_none() && s.waiting.is_none()));
    pods::is_terminal(pod) || (is_deleting(&pod.metadata) && !runs)
}

impl Attacher {
    fn disk(&self, name: &str) -> Option<Disk> {
        let volume = self.client.find::<PersistentVolume>("", name)?;
        let csi = volume.spec.as_ref()?.csi.as_ref()?;
        let known = self.client.find::<CSIDriver>("", &csi.driver);
        if known.is_some_and(|d| d.spec.attach_required == Some(false)) {
            return None;
        }
        let (driver, handle) = (csi.driver.clone(), csi.volume_handle.clone());
        let unique = volumes::csi_name(&driver, &handle);
        Some(Disk { name: name.to_string(), driver, handle, unique, volume: volume.clone() })
    }

    /// The nodes that are to have a volume, and for which pods.
    fn wanted(&self, disk: &Disk) -> Wanted {
        let mut wanted = Wanted::new();
        let Some(given) = disk.volume.spec.as_ref().and_then(|s| s.claim_ref.as_ref()) else {
            return wanted;
        };
        let text = |t: &Option<String>| t.clone().unwrap_or_default();
        let (namespace, name) = (text(&given.namespace), text(&given.name));
        let claim = self.client.find::<PersistentVolumeClaim>(&namespace, &name);
        if !claim.is_some_and(|c| claim_phase(&c) == "Bound" && volume_name(&c) == disk.name) {
            return wanted;
        }
        for pod in self.client.by_index::<Pod>(self.pods, &format!("{namespace}/{name}")) {
            let node = pods::node_name(&pod).to_string();
            if !node.is_empty() && !is_over(&pod) && self.client.find::<Node>("", &node).is_some() {
                wanted.entry(node).or_default().push(pod);
            }
        }
        wanted
    }

    fn with<R>(&self, disk: &Disk, node: &str, f: impl FnOnce(&mut Known) -> R) -> R {
        let mut known = self.known.borrow_mut();
        f(known.entry((disk.name.clone(), node.to_string())).or_default())
    }

    fn forget(&self, volume: &str, node: &str) {
        self.known.borrow_mut().remove(&(volume.to_string(), node.to_string()));
    }

    /// Has an attachment undone that nobody wants any more. Errors: those of writes.
    fn detach(
        &self,
        disk: &Disk,
        attachment: &VolumeAttachment,
    ) -> Result<Option<Duration>, Status> {
        if is_deleting(&attachment.metadata) {
            return Ok(None);
        }
        let (name, now) = (attachment.spec.node_name.as_str(), self.client.sim().now());
        let since = self.with(disk, name, |k| *k.unwanted.get_or_insert(now));
        let node = self.client.find::<Node>("", name);
        let mounted = match &node {
            Some(node) => node::uses(node, &disk.unique),
            None => self.last_seen.borrow().get(name).is_some_and(|l| l.contains(&disk.unique)),
        };
        let answers = node.as_ref().is_some_and(|n| node::is_ready(n));
        let given_up = node.as_ref().is_some_and(|n| node::is_out_of_service(n));
        if mounted && !given_up {
            if answers {
                return Ok(None); // the node's status will tell
            }
            if now.since(since) < LET_GO {
                return Ok(Some(LET_GO - now.since(since)));
            }
        }
        if let Some(node) = node {
            node::set_attached(&self.client, &node, &disk.unique, false)?;
        }
        self.delete(attachment)
    }

    fn delete(&self, attachment: &VolumeAttachment) -> Result<Option<Duration>, Status> {
        let name = attachment.metadata.name.as_deref().unwrap_or_default();
        match self.client.delete::<VolumeAttachment>("", name, &DeleteOptions::default()) {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(None),
        }
    }

    fn tell(&self, pods: &[Rc<Pod>], kind: EventType, reason: &str, text: &str) {
        for pod in pods {
            self.events.event(&**pod, kind, reason, text);
        }
    }

    /// An attempt failed: pods are told, and nothing is tried for a while.
    fn fail(&self, disk: &Disk, node: &str, pods: &[Rc<Pod>], why: &str) -> Option<Duration> {
        let text = format!("AttachVolume.Attach failed for volume \"{}\" : {why}", disk.name);
        self.tell(pods, EventType::Warning, "FailedAttachVolume", &text);
        let now = self.client.sim().now();
        Some(self.with(disk, node, |known| {
            let rest = (RETRY * 2u32.pow(known.failures.min(10))).min(LONGEST_RETRY);
            known.failures += 1;
            known.begun = None;
            known.rest = Some(now + rest);
            rest
        }))
    }

    /// Looks after an attachment that is wanted.
    fn follow(
        &self,
        disk: &Disk,
        attachment: &VolumeAttachment,
        pods: &[Rc<Pod>],
    ) -> Result<Option<Duration>, Status> {
        let (name, now) = (attachment.spec.node_name.as_str(), self.client.sim().now());
        self.with(disk, name, |known| known.unwanted = None);
        let status = attachment.status.as_ref();
        if is_deleting(&attachment.metadata) {
            return Ok(None);
        }
        if status.is_some_and(|s| s.attached) {
            self.with(disk, name, |known| *known = Known::default());
            let Some(node) = self.client.find::<Node>("", name) else { return Ok(None) };
            if node::set_attached(&self.client, &node, &disk.unique, true)? {
                // As the real one ends: with a space.
                let text = format!("AttachVolume.Attach succeeded for volume \"{}\" ", disk.name);
                self.tell(pods, EventType::Normal, "SuccessfulAttachVolume", &text);
            }
            return Ok(None);
        }
        let known = self.with(disk, name, |known| known.clone());
        if let Some(rest) = known.rest.filter(|rest| *rest > now) {
            return Ok(Some(rest.since(now)));
        }
        if let Some(error) = status.and_then(|s| s.attach_error.as_ref()) {
            let why = error.message.clone().unwrap_or_default();
            return Ok(self.fail(disk, name, pods, &why));
        }
        let begun = self.with(disk, name, |known| *known.begun.get_or_insert(now));
        if now.since(begun) < PATIENCE {
            return Ok(Some(PATIENCE - now.since(begun)));
        }
        let why = format!(
            "timed out waiting for external-attacher of {} CSI driver to attach volume {}",
            disk.driver, disk.handle
        );
        Ok(self.fail(disk, name, pods, &why))
    }

    /// Tells pods, once, that their volume is attached to another node.
    fn refuse(&self, disk: &Disk, node: &str, pods: &[Rc<Pod>], others: &[Rc<Pod>]) {
        if self.with(disk, node, |known| std::mem::replace(&mut known.told, true)) {
            return;
        }
        for pod in pods {
            let here = |p: &&Rc<Pod>| p.metadata.namespace == pod.metadata.namespace;
            let near: Vec<_> =
                others.iter().filter(here).filter_map(|p| p.metadata.name.clone()).collect();
            let far = others.len() - near.len();
            let what = match (near.is_empty(), far) {
                (true, 0) => "Volume is already exclusively attached to one node and can't be \
                              attached to another"
                    .to_string(),
                (true, _) => {
                    format!("Volume is already used by {far} pod(s) in different namespaces")
                }
                (false, 0) => format!("Volume is already used by pod(s) {}", near.join(", ")),
                (false, _) => format!(
                    "Volume is already used by pod(s) {} and {far} pod(s) in different namespaces",
                    near.join(", ")
                ),
            };
            let text = format!("Multi-Attach error for volume \"{}\" {what}", disk.name);
            self.events.event(&**pod, EventType::Warning, "FailedAttachVolume", &text);
        }
    }

    fn attach(&self, disk: &Disk, node: &str) -> Result<Option<Duration>, Status> {
        let attachment = VolumeAttachment {
            metadata: ObjectMeta {
                name: Some(volumes::attachment_name(&disk.driver, &disk.handle, node)),
                ..ObjectMeta::default()
            },
            spec: VolumeAttachmentSpec {
                attacher: disk.driver.clone(),
                node_name: node.to_string(),
                source: VolumeAttachmentSource {
                    persistent_volume_name: Some(disk.name.clone()),
                    ..VolumeAttachmentSource::default()
                },
            },
            status: None,
        };
        self.client.create(attachment)?;
        let now = self.client.sim().now();
        self.with(disk, node, |known| known.begun = Some(now));
        Ok(Some(PATIENCE))
    }

    fn sync(&self, disk: &Disk) -> Result<Option<Duration>, Status> {
        let wanted = self.wanted(disk);
        let attachments = self.client.by_index::<VolumeAttachment>(self.attachments, &disk.name);
        let mut again = None;
        let mut there = BTreeSet::new();
        for attachment in &attachments {
            let node = attachment.spec.node_name.as_str();
            there.insert(node);
            let next = match wanted.get(node) {
                Some(pods) => self.follow(disk, attachment, pods)?,
                None => self.detach(disk, attachment)?,
            };
            again = earliest(again, next);
        }
        for (node, pods) in &wanted {
            if there.contains(node.as_str()) {
                continue;
            }
            if !there.is_empty() && !may_be_shared(&disk.volume) {
                let users = there.iter().filter_map(|other| wanted.get(*other));
                let others: Vec<Rc<Pod>> = users.flatten().cloned().collect();
                self.refuse(disk, node, pods, &others);
                continue;
            }
            again = earliest(again, self.attach(disk, node)?);
            there.insert(node.as_str());
        }
        let is_current = |node: &str| wanted.contains_key(node) || there.contains(node);
        self.known.borrow_mut().retain(|(v, node), _| *v != disk.name || is_current(node));
        Ok(again)
    }

    fn add_volumes_of(&self, object: &Pod, queue: &Queue) {
        let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
        for claim in volumes::claims(object) {
            let claim = self.client.find::<PersistentVolumeClaim>(namespace, &claim);
            if let Some(claim) = claim.filter(|c| !volume_name(c).is_empty()) {
                queue.add_name("", volume_name(&claim));
            }
        }
    }

    fn node_changed(&self, node: &Node, change: &Change, queue: &Queue) {
        let name = change.object.name();
        let old = change.old.as_ref().and_then(|o| o.downcast::<Node>());
        if change.op == Op::Deleted {
            self.last_seen.borrow_mut().insert(name.to_string(), node::in_use(node).to_vec());
        } else if old.is_none() {
            self.last_seen.borrow_mut().remove(name);
        } else if old.is_some_and(|old| node::what_counts(old) == node::what_counts(node)) {
            return;
        }
        for attachment in self.client.by_index::<VolumeAttachment>(self.on_node, name) {
            if let Some(volume) = &attachment.spec.source.persistent_volume_name {
                queue.add_name("", volume);
            }
        }
    }
}

impl Controller for Attacher {
    fn name(&self) -> &'static str {
        "persistentvolume-attach-detach-controller"
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![
            Pod::ID,
            PersistentVolumeClaim::ID,
            PersistentVolume::ID,
            VolumeAttachment::ID,
            Node::ID,
            CSIDriver::ID,
        ]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        let object = &*change.object;
        if let Some(pod) = object.downcast::<Pod>() {
            let old = change.old.as_ref().and_then(|o| o.downcast::<Pod>());
            let of = |p: &Pod| (pods::node_name(p).is_empty(), is_over(p));
            if change.op != Op::Modified || old.is_none_or(|old| of(old) != of(pod)) {
                self.add_volumes_of(pod, queue);
            }
        } else if let Some(claim) = object.downcast::<PersistentVolumeClaim>() {
            if !volume_name(claim).is_empty() {
                queue.add_name("", volume_name(claim));
            }
        } else if let Some(attachment) = object.downcast::<VolumeAttachment>() {
            if let Some(volume) = &attachment.spec.source.persistent_volume_name {
                if change.op == Op::Deleted {
                    self.forget(volume, &attachment.spec.node_name);
                }
                queue.add_name("", volume);
            }
        } else if let Some(node) = object.downcast::<Node>() {
            self.node_changed(node, change, queue);
        } else if change.kind == PersistentVolume::ID {
            queue.add_name("", object.name());
        } else {
            // A driver says from now on whether it attaches.
            for volume in self.client.list::<PersistentVolume>(None) {
                let csi = volume.spec.as_ref().and_then(|s| s.csi.as_ref());
                if csi.is_some_and(|c| c.driver == object.name()) {
                    queue.add_name("", volume.metadata.name.as_deref().unwrap_or_default());
                }
            }
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        if let Some(disk) = self.disk(&key.1) {
            return self.sync(&disk);
        }
        if self.client.find::<PersistentVolume>("", &key.1).is_some() {
            return Ok(None);
        }
        for attachment in self.client.by_index::<VolumeAttachment>(self.attachments, &key.1) {
            // Only those that a pod may have had: by their names.
            let own = attachment.metadata.name.as_deref().is_some_and(|n| n.starts_with("csi-"));
            if own && !is_deleting(&attachment.metadata) {
                self.delete(&attachment)?;
            }
        }
        Ok(None)
    }
}
