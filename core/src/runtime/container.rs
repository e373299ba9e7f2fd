//! Containers: what they were made from, what they are doing, what they wrote.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    net::Ipv4Addr,
    rc::Rc,
};

use super::{Image, log::Log};
use crate::{
    fabric::Endpoint,
    machine::{Child, Machine, PipeWriter, Tty, fs::Fs},
    sim::{Notify, Sender, TaskHandle, Time},
};

/// What a container is made from. What is left open comes from the image.
#[derive(Clone, Default)]
pub struct ContainerSpec {
    /// Its name, without a slash; empty for one that the engine makes up.
    pub name: String,
    /// The image as it was asked for (`nginx:1.25`).
    pub image_name: String,
    /// The image as `docker ps` shows it, where that differs: the kubelet asks for images by id, or
    /// by digest where it has just pulled them.
    pub image_shown: Option<String>,
    /// In place of the image's `ENTRYPOINT`; then its `CMD` does not count either.
    pub entrypoint: Option<Vec<String>>,
    /// In place of the image's `CMD`.
    pub args: Option<Vec<String>>,
    /// Environment variables, on top of the image's.
    pub env: Vec<(String, String)>,
    /// Working directory.
    pub workdir: Option<String>,
    /// User: a name or a number, with or without `:group`.
    pub user: Option<String>,
    /// Host name; the short id if there is none.
    pub hostname: Option<String>,
    /// Labels, on top of the image's.
    pub labels: BTreeMap<String, String>,
    /// What is mounted into it.
    pub mounts: Vec<Mount>,
    /// Whether it has a terminal.
    pub tty: bool,
    /// Whether its standard input stays open.
    pub stdin: bool,
    /// Whether standard input closes when the first one attached leaves.
    pub stdin_once: bool,
    /// Bytes of memory at which it is killed.
    pub memory_limit: Option<u64>,
    /// Thousandths of a processor.
    pub cpu_limit: Option<u64>,
    /// Its network.
    pub network: NetworkMode,
    /// Whose processes it sees.
    pub pids: PidMode,
    /// Ports of the machine that lead to it.
    pub ports: Vec<PortBinding>,
    /// What is done when it exits.
    pub restart: RestartPolicy,
    /// Whether it is removed when it exits.
    pub auto_remove: bool,
    /// Whether its root file system can't be written.
    pub read_only: bool,
    /// Whether it may do everything.
    pub privileged: bool,
    /// What the kubelet knows it by.
    pub pod: Option<Rc<PodLabels>>,
}

/// Whose processes a container sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PidMode {
    /// Its own.
    #[default]
    Own,
    /// Those of another container too, by its id.
    Container(String),
    /// Those of the machine that the engine runs on.
    Host,
}

/// What the kubelet finds its containers by: the labels that it gives them, typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodLabels {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub pod: String,
    /// The pod's uid.
    pub uid: String,
    /// The container's name; empty for the sandbox.
    pub container: String,
    /// Which attempt it is, from 0.
    pub attempt: u32,
    /// The sandbox's id; empty for the sandbox itself.
    pub sandbox: String,
    /// Hash of the container's specification.
    pub hash: u64,
    /// `terminationMessagePath`
    pub message_path: String,
    /// Whether the log's end is the message where a failed container left none.
    pub message_from_log: bool,
}

impl PodLabels {
    /// Whether it is a sandbox.
    pub fn is_sandbox(&self) -> bool {
        self.container.is_empty()
    }

    /// The container's name, as dockershim and cri-dockerd give it.
    pub fn container_name(&self) -> String {
        let container = if self.is_sandbox() { "POD" } else { &self.container };
        format!("k8s_{container}_{}_{}_{}_{}", self.pod, self.namespace, self.uid, self.attempt)
    }

    /// As labels.
    pub fn to_labels(&self) -> BTreeMap<String, String> {
        let sandbox = self.is_sandbox();
        let mut labels = BTreeMap::new();
        let mut add = |key: &str, value: &str| {
            labels.insert(key.to_string(), value.to_string());
        };
        add("io.kubernetes.docker.type", if sandbox { "podsandbox" } else { "container" });
        add("io.kubernetes.container.name", if sandbox { "POD" } else { &self.container });
        add("io.kubernetes.pod.name", &self.pod);
        add("io.kubernetes.pod.namespace", &self.namespace);
        add("io.kubernetes.pod.uid", &self.uid);
        if !sandbox {
            add("annotation.io.kubernetes.container.hash", &format!("{:x}", self.hash));
            add("annotation.io.kubernetes.container.restartCount", &self.attempt.to_string());
            add("annotation.io.kubernetes.container.terminationMessagePath", &self.message_path);
            let policy = if self.message_from_log { "FallbackToLogsOnError" } else { "File" };
            add("annotation.io.kubernetes.container.terminationMessagePolicy", policy);
            add("io.kubernetes.sandbox.id", &self.sandbox);
        }
        labels
    }
}

/// A file tree (or a part of one) at a path of a container.
#[derive(Clone)]
pub struct Mount {
    /// The path in the container.
    pub at: String,
    /// The tree.
    pub fs: Rc<Fs>,
    /// The directory or file of the tree; empty for all of it.
    pub sub: String,
    /// Whether it can't be written.
    pub read_only: bool,
    /// Where it comes from, for `docker inspect`: a path of the machine, or a volume's name.
    pub source: String,
    /// Whether it is a named volume.
    pub volume: bool,
}

/// Which network a container is in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NetworkMode {
    /// One of the engine's networks by name; `bridge` if empty.
    #[default]
    Bridge,
    /// One of the engine's networks, with the address wanted if any.
    Named(String, Option<Ipv4Addr>),
    /// The machine's own.
    Host,
    /// None but loopback.
    None,
    /// An address of the node's pod range (what a CNI plugin gives a sandbox).
    Pod,
    /// That of another container, by id.
    Container(String),
}

/// A port of the machine that leads to one of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortBinding {
    /// The machine's address; `None` for all.
    pub host_ip: Option<Ipv4Addr>,
    /// The machine's port; 0 for any.
    pub host_port: u16,
    /// The container's port.
    pub port: u16,
    /// Whether it is UDP.
    pub udp: bool,
}

/// What an engine does when a container exits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RestartPolicy {
    /// Nothing.
    #[default]
    No,
    /// Starts it again, also when the engine starts.
    Always,
    /// As `Always`, but not if it was stopped on purpose.
    UnlessStopped,
    /// Starts it again if it failed; at most so often (0: for ever).
    OnFailure(u32),
}

/// What a container does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It has not been started.
    Created,
    /// It runs.
    Running,
    /// It exited, or could not be started.
    Exited,
}

/// A container's state and how it came to it.
#[derive(Clone, Debug)]
pub struct Status {
    /// What it does.
    pub state: State,
    /// When it was last started.
    pub started: Option<Time>,
    /// When it last exited.
    pub finished: Option<Time>,
    /// How it last exited.
    pub exit_code: i32,
    /// Whether it was killed because it used too much memory.
    pub oom_killed: bool,
    /// Why it could not be started.
    pub error: String,
    /// How often the engine started it again.
    pub restarts: u32,
}

/// A container.
pub struct Container {
    /// 64 hex digits.
    pub id: String,
    /// Its name.
    pub name: RefCell<String>,
    /// Its image.
    pub image: Rc<Image>,
    /// What it was made from.
    pub spec: ContainerSpec,
    /// Its command line in full.
    pub argv: Vec<String>,
    /// When it was created.
    pub created: Time,
    /// Its files and processes.
    pub machine: Rc<Machine>,
    /// What it wrote.
    pub log: Rc<Log>,
    pub(super) status: RefCell<Status>,
    pub(super) endpoint: RefCell<Option<Endpoint>>,
    pub(super) ports: RefCell<Vec<PortBinding>>,
    pub(super) process: RefCell<Option<Child>>,
    pub(super) watcher: RefCell<Vec<TaskHandle>>,
    pub(super) changed: Notify,
    pub(super) attached: RefCell<Vec<Sender<(u8, Vec<u8>)>>>,
    pub(super) tty: RefCell<Option<Tty>>,
    pub(super) stdin: RefCell<Option<PipeWriter>>,
    /// Whether it was told to stop: a restart policy then leaves it alone.
    pub(super) stopped: Cell<bool>,
    pub(super) removed: Cell<bool>,
}

impl Container {
    /// The id as lists show it: 12 digits.
    pub fn short_id(&self) -> &str {
        &self.id[..12.min(self.id.len())]
    }

    /// Its state and how it came to it.
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        self.status.borrow().state == State::Running
    }

    /// Whether it was removed.
    pub fn is_removed(&self) -> bool {
        self.removed.get()
    }

    /// Its network namespace, while it has one.
    pub fn endpoint(&self) -> Option<Endpoint> {
        self.endpoint.borrow().clone()
    }

    /// Its address, if it has one of its own.
    pub fn address(&self) -> Option<Ipv4Addr> {
        self.endpoint.borrow().as_ref()?.addresses().first().copied()
    }

    /// The machine's ports that lead to it now.
    pub fn ports(&self) -> Vec<PortBinding> {
        self.ports.borrow().clone()
    }

    /// Its first process, while it runs.
    pub fn process(&self) -> Option<Child> {
        self.process.borrow().clone()
    }

    /// Notified when it starts, exits or is removed.
    pub fn changed(&self) -> &Notify {
        &self.changed
    }

    /// Completes when it does not run; at once if it does not.
    pub async fn exited(&self) {
        while self.is_running() {
            self.changed.wait().await;
        }
    }

    /// Bytes of memory that its processes use.
    pub fn memory(&self) -> u64 {
        self.machine.memory()
    }

    /// Its labels: the image's, its own, the kubelet's.
    pub fn labels(&self) -> BTreeMap<String, String> {
        let mut labels: BTreeMap<_, _> = self.image.config.labels.iter().cloned().collect();
        labels.extend(self.spec.labels.clone());
        if let Some(pod) = &self.spec.pod {
            labels.extend(pod.to_labels());
        }
        labels
    }
}
