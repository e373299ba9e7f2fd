//! A pod's volumes: trees of files that are mounted into its containers.
//!
//! Models `pkg/kubelet/volumemanager` and the volume plugins `emptydir`, `hostpath`, `local`,
//! `configmap`, `secret`, `downwardapi`, `projected` and, where the machine has disks, `csi`, also
//! behind claims. Volumes of other types are not simulated, and say so in the
//! event `FailedMount`.

mod atomic;
mod attached;
mod content;

pub use attached::NodeDriver;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};

use k8s_openapi::api::core::v1::{
    Container as Spec, HostPathVolumeSource, PersistentVolume, PersistentVolumeClaim,
    Volume as VolumeSpec,
};

use super::{
    Inner, Uid,
    env::{Environment, expand},
    worker::{Phase, Worker},
};
use crate::{
    api::{KindId, volumes},
    machine::fs::{Fs, Kind, Who},
    runtime::Mount,
};

/// Files that are kept as their sources are: how long after a change, at least …
const UPDATE: Duration = Duration::from_secs(15);
/// … and how much later at most (the kubelet syncs each pod about once a minute).
const UPDATE_SPREAD: u64 = 60_000;

/// Why a volume can't be mounted.
pub enum Fails {
    /// It is not attached to the node yet; nobody is told.
    NotYet,
    /// The driver can't make it a directory of the node.
    Device(String),
    /// It can't be mounted for the pod.
    SetUp(String),
}

impl From<String> for Fails {
    fn from(text: String) -> Self {
        Fails::SetUp(text)
    }
}

/// A pod's volumes, and the directory of files that the kubelet manages for it.
pub struct PodVolumes {
    /// `/etc-hosts`, `/resolv.conf`, `/hostname`
    pub dir: Rc<Fs>,
    volumes: BTreeMap<String, Volume>,
    sources: BTreeSet<(KindId, String, String)>,
    updating: RefCell<Option<crate::sim::TimerId>>,
}

struct Volume {
    fs: Rc<Fs>,
    /// The directory or file of the tree that is the volume.
    sub: String,
    /// Whether it can only be read, whatever a mount says.
    read_only: bool,
    /// The plugin's name in paths.
    plugin: &'static str,
    /// Whether it holds the content of objects, and is written anew when they change.
    updated: bool,
    /// Its path on the node, where it is the node's own.
    path: Option<String>,
}

impl Inner {
    /// Makes a pod's volumes. The error is the message of the event `FailedMount`; none where the
    /// pod has to wait.
    pub fn mount_volumes(&self, worker: &Rc<Worker>) -> Result<Rc<PodVolumes>, Option<String>> {
        let pod = worker.pod();
        let now = self.sim.now();
        let mut sources = BTreeSet::new();
        let mut volumes = BTreeMap::new();
        for spec in pod.spec.iter().flat_map(|s| s.volumes.iter().flatten()) {
            let text = |what: &str, name: &str, error: &str| {
                Some(format!("MountVolume.{what} failed for volume \"{name}\" : {error}"))
            };
            let volume = match self.volume(worker, spec, &mut sources) {
                Ok(volume) => Ok(volume),
                Err(Fails::NotYet) => Err(None),
                Err(Fails::SetUp(error)) => Err(text("SetUp", &spec.name, &error)),
                Err(Fails::Device(error)) => {
                    let name = self.volume_name(worker, spec);
                    Err(text("MountDevice", name.as_deref().unwrap_or(&spec.name), &error))
                }
            };
            volumes.insert(spec.name.clone(), volume?);
        }
        for source in &sources {
            self.hub.uses(source.clone(), &self.node, &worker.uid);
        }
        let dir = Fs::new(now);
        Ok(Rc::new(PodVolumes { dir, volumes, sources, updating: RefCell::default() }))
    }

    fn volume(
        &self,
        worker: &Worker,
        spec: &VolumeSpec,
        sources: &mut BTreeSet<(KindId, String, String)>,
    ) -> Result<Volume, Fails> {
        let now = self.sim.now();
        if spec.empty_dir.is_some() {
            let fs = Fs::new(now);
            let _ = fs.update("/", |root| root.mode = 0o777);
            return Ok(Volume::new(fs, "kubernetes.io~empty-dir"));
        }
        if let Some(host) = &spec.host_path {
            return Ok(self.host_path(host)?);
        }
        if let Some(claim) = volumes::claim_of(&worker.pod(), spec) {
            return self.claim(worker, &claim);
        }
        let Some((plugin, files)) = self.content(worker, spec, sources)? else {
            return Err(not_simulated(spec).into());
        };
        let fs = Fs::new(now);
        atomic::write(&fs, &files, now);
        let mut volume = Volume::new(fs, plugin);
        (volume.read_only, volume.updated) = (true, true);
        Ok(volume)
    }

    /// The name of the volume that a claim of a pod is bound to.
    fn volume_name(&self, worker: &Worker, spec: &VolumeSpec) -> Option<String> {
        let claim = volumes::claim_of(&worker.pod(), spec)?;
        let claim = self.client.find::<PersistentVolumeClaim>(&worker.namespace, &claim)?;
        Some(volumes::volume_name(&claim).to_string())
    }

    /// What a claim is bound to. Models `getPVCExtractPV` of the desired state of the world.
    fn claim(&self, worker: &Worker, name: &str) -> Result<Volume, Fails> {
        let ns = worker.namespace.as_str();
        let fails = |why: String| format!("error processing PVC {ns}/{name}: {why}");
        let claim = self.client.get::<PersistentVolumeClaim>(ns, name).map_err(|error| {
            fails(format!("failed to fetch PVC from API server: {}", error.message))
        })?;
        if claim.metadata.deletion_timestamp.is_some() {
            return Err(fails("PVC is being deleted".into()).into());
        }
        if volumes::claim_phase(&claim) != "Bound" || volumes::volume_name(&claim).is_empty() {
            let (phase, volume) = (volumes::claim_phase(&claim), volumes::volume_name(&claim));
            let text = format!(
                "PVC {ns}/{name} has non-bound phase ({phase:?}) or empty pvc.Spec.VolumeName \
                 ({volume:?})"
            );
            return Err(fails(text).into());
        }
        let volume = self.client.get::<PersistentVolume>("", volumes::volume_name(&claim));
        let volume = volume.map_err(|error| {
            fails(format!("failed to fetch PV from API server: {}", error.message))
        })?;
        let spec = volume.spec.as_ref();
        if let Some(host) = spec.and_then(|s| s.host_path.as_ref()) {
            return Ok(self.host_path(host)?);
        }
        if let Some(local) = spec.and_then(|s| s.local.as_ref()) {
            let host =
                HostPathVolumeSource { path: local.path.clone(), type_: Some("Directory".into()) };
            let made = self.host_path(&host);
            return Ok(made.map_err(|_| format!("path {:?} does not exist", local.path))?);
        }
        if let Some(csi) = spec.and_then(|s| s.csi.as_ref()) {
            self.verify_attached(worker, &csi.driver, &csi.volume_handle)?;
            let fs = self.driver_disk(&csi.driver, &csi.volume_handle)?;
            return Ok(Volume::new(fs, "kubernetes.io~csi"));
        }
        Err("volumes of this type are not simulated on this node".to_string().into())
    }

    fn host_path(&self, host: &HostPathVolumeSource) -> Result<Volume, String> {
        let files = self.machine.files();
        let path = host.path.as_str();
        let type_ = host.type_.as_deref().unwrap_or_default();
        let node = files.stat(path, Who::ROOT).ok();
        let fails = |what: &str| Err(format!("hostPath type check failed: {path} is not {what}"));
        match (type_, node.as_deref()) {
            ("" | "DirectoryOrCreate", None) => {
                let mut dir = String::new();
                for part in path.split('/').filter(|p| !p.is_empty()) {
                    dir = format!("{dir}/{part}");
                    let _ = files.make_dir(&dir, 0o755, Who::ROOT);
                }
            }
            ("FileOrCreate", None) => {
                files.write(path, b"", 0o644, Who::ROOT).map_err(|e| format!("{path}: {e}"))?;
            }
            ("Directory" | "DirectoryOrCreate", node) if !node.is_some_and(|n| n.is_dir()) => {
                return fails("a directory");
            }
            ("File" | "FileOrCreate", node) if !node.is_some_and(|n| n.is_file()) => {
                return fails("a file");
            }
            ("Socket", node) if !node.is_some_and(|n| matches!(n.kind, Kind::Socket(_))) => {
                return fails("a socket file");
            }
            ("BlockDevice", _) => return fails("a block device"),
            ("CharDevice", node) if !node.is_some_and(|n| matches!(n.kind, Kind::Device(_))) => {
                return fails("a character device");
            }
            _ => {}
        }
        let place = files.locate(path, true, Who::ROOT).map_err(|e| format!("{path}: {e}"))?.0;
        let mut volume = Volume::new(place.fs, "kubernetes.io~host-path");
        (volume.sub, volume.path) = (place.path, Some(path.to_string()));
        volume.read_only = place.read_only;
        Ok(volume)
    }

    /// What is mounted into a container. Errors are messages of `CreateContainerConfigError`.
    pub fn mounts(
        &self,
        worker: &Worker,
        spec: &Spec,
        env: &Environment,
    ) -> Result<Vec<Mount>, String> {
        let Some(volumes) = worker.volumes.borrow().clone() else { return Ok(Vec::new()) };
        let base = format!("/var/lib/kubelet/pods/{}", worker.uid);
        let mut mounts = Vec::new();
        let mut paths = BTreeSet::new();
        for wanted in spec.volume_mounts.iter().flatten() {
            let Some(volume) = volumes.volumes.get(&wanted.name) else {
                return Err(format!(
                    "cannot find volume \"{}\" to mount into container \"{}\"",
                    wanted.name, spec.name
                ));
            };
            let sub_path = match (&wanted.sub_path, &wanted.sub_path_expr) {
                (Some(path), _) => path.clone(),
                (None, Some(text)) => expand(text, &|name| env.get(name)),
                (None, None) => String::new(),
            };
            let (fs, sub) = self.sub_path(volume, &sub_path)?;
            let source = match &volume.path {
                Some(path) if sub_path.is_empty() => path.clone(),
                Some(path) => format!("{path}/{sub_path}"),
                None => format!("{base}/volumes/{}/{}", volume.plugin, wanted.name),
            };
            paths.insert(wanted.mount_path.trim_end_matches('/').to_string());
            mounts.push(Mount {
                at: wanted.mount_path.clone(),
                fs,
                sub,
                read_only: volume.read_only || wanted.read_only == Some(true),
                source,
                volume: false,
            });
        }
        for (at, sub) in [
            ("/etc/hosts", "/etc-hosts"),
            ("/etc/resolv.conf", "/resolv.conf"),
            ("/etc/hostname", "/hostname"),
        ] {
            if !paths.contains(at) {
                mounts.push(Mount {
                    at: at.into(),
                    fs: volumes.dir.clone(),
                    sub: sub.into(),
                    read_only: false,
                    source: format!("{base}{sub}"),
                    volume: false,
                });
            }
        }
        Ok(mounts)
    }

    /// A part of a volume. Of a volume that is written anew, what is there now: a mount of a
    /// part does not see later versions.
    fn sub_path(&self, volume: &Volume, path: &str) -> Result<(Rc<Fs>, String), String> {
        let path = path.trim_matches('/');
        if path.is_empty() {
            return Ok((volume.fs.clone(), volume.sub.clone()));
        }
        if path.split('/').any(|part| part == "..") {
            return Err(format!("subPath \"{path}\" must not contain '..'"));
        }
        if volume.updated {
            let copy = volume.fs.copy();
            let sub = atomic::resolve(&copy, path);
            return Ok((copy, sub));
        }
        let sub = format!("{}/{path}", volume.sub.trim_end_matches('/'));
        if volume.fs.get(&sub).is_err() {
            let made = volume.fs.make_dirs(&sub, self.sim.now());
            made.map_err(|_| {
                format!("failed to create subPath directory for volumeMount \"{path}\"")
            })?;
        }
        Ok((volume.fs.clone(), sub))
    }

    /// An object that a pod's volumes are made from changed (or the pod's own labels): the files
    /// change when the pod is next synced.
    pub fn source_changed(&self, uid: &Uid) {
        let worker = self.workers.borrow().get(uid).cloned();
        let Some(worker) = worker.filter(|w| w.phase.get() == Phase::Syncing) else { return };
        let Some(volumes) = worker.volumes.borrow().clone() else { return };
        if volumes.updating.borrow().is_some() || !volumes.volumes.values().any(|v| v.updated) {
            return;
        }
        let delay = UPDATE + Duration::from_millis(self.sim.random(UPDATE_SPREAD));
        let (me, of) = (self.me.clone(), Rc::downgrade(&worker));
        let timer = self.sim.after(delay, move || {
            if let (Some(me), Some(worker)) = (me.upgrade(), of.upgrade())
                && me.alive.get()
            {
                me.update_volumes(&worker);
            }
        });
        *volumes.updating.borrow_mut() = Some(timer);
    }

    fn update_volumes(&self, worker: &Rc<Worker>) {
        let Some(volumes) = worker.volumes.borrow().clone() else { return };
        volumes.updating.take();
        let pod = worker.pod();
        let mut sources = BTreeSet::new();
        for spec in pod.spec.iter().flat_map(|s| s.volumes.iter().flatten()) {
            let Some(volume) = volumes.volumes.get(&spec.name).filter(|v| v.updated) else {
                continue;
            };
            match self.content(worker, spec, &mut sources) {
                Ok(Some((_, files))) => atomic::write(&volume.fs, &files, self.sim.now()),
                Ok(None) => {}
                Err(error) => {
                    let name = &spec.name;
                    let text = format!("MountVolume.SetUp failed for volume \"{name}\" : {error}");
                    let kind = crate::client::EventType::Warning;
                    self.recorder.event(&*pod, kind, "FailedMount", &text);
                }
            }
        }
    }

    /// A pod has ended: nobody needs to hear of its sources.
    pub fn unmount_volumes(&self, worker: &Worker) {
        if !worker.attached.take().is_empty() {
            self.volumes_changed();
        }
        let Some(volumes) = worker.volumes.borrow().clone() else { return };
        if let Some(timer) = volumes.updating.take() {
            self.sim.cancel(timer);
        }
        for source in &volumes.sources {
            self.hub.uses_no_more(source, &self.node, &worker.uid);
        }
    }
}

impl Volume {
    fn new(fs: Rc<Fs>, plugin: &'static str) -> Self {
        let (read_only, updated) = (false, false);
        Volume { fs, sub: String::new(), read_only, plugin, updated, path: None }
    }
}

fn not_simulated(spec: &VolumeSpec) -> String {
    let kind = match spec {
        VolumeSpec { csi: Some(_), .. } => "csi",
        VolumeSpec { image: Some(_), .. } => "image",
        VolumeSpec { nfs: Some(_), .. } => "nfs",
        _ => "these",
    };
    format!("{kind} volumes are not simulated on this node")
}
