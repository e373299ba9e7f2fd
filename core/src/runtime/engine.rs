//! A container engine: the containers and images of one machine.
//!
//! What takes time on a real machine takes it here in `run.rs`; the functions of this file are the
//! instants at which something is so. Everything that happens is told to those who watch
//! ([`Engine::watch`]); nobody polls.
//!
//! Models docker's daemon; with [`EngineKind::Containerd`] only names and words differ.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::{Rc, Weak},
};

use super::{
    Container, ContainerSpec, Image, ImageStore, Registries, State,
    container::{NetworkMode, PidMode, Status},
    digest,
    log::Log,
    network::Networks,
    users,
};
use crate::{
    fabric::{Cidr, Endpoint, Fabric},
    machine::{Machine, MachineSpec, MemoryTotal, ProgramFinder},
    sim::{Cause, Notify, Sim, trace},
};

/// Which engine it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineKind {
    /// Docker, which the kubelet reaches through cri-dockerd.
    #[default]
    Docker,
    /// containerd.
    Containerd,
}

impl EngineKind {
    /// `docker`: the scheme of container ids in pod status.
    pub fn scheme(self) -> &'static str {
        match self {
            EngineKind::Docker => "docker",
            EngineKind::Containerd => "containerd",
        }
    }

    /// Its version.
    pub fn version(self) -> &'static str {
        match self {
            EngineKind::Docker => "28.5.1",
            EngineKind::Containerd => "2.1.4",
        }
    }
}

/// What an engine is made from.
pub struct EngineConfig {
    /// Which engine it is.
    pub kind: EngineKind,
    /// The machine it runs on; its network endpoint must hang on it already.
    pub machine: Rc<Machine>,
    /// The network.
    pub fabric: Fabric,
    /// Where images come from.
    pub registries: Registries,
    /// Finds the programs in containers.
    pub programs: ProgramFinder,
}

/// What happened to a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// It was created.
    Create,
    /// It was started.
    Start,
    /// It exited.
    Die,
    /// It was removed.
    Destroy,
}

type Watcher = Rc<dyn Fn(EventKind, &Rc<Container>)>;

/// Keeps a watch on an engine; dropping it ends it.
#[must_use]
pub struct EngineWatch(#[allow(dead_code)] Watcher);

/// The container engine of a machine, and what hangs on the machine so that `docker` finds it.
/// Clones share it.
#[derive(Clone)]
pub struct Engine(pub(super) Rc<Inner>);

pub(super) struct Inner {
    pub sim: Sim,
    pub kind: EngineKind,
    pub machine: Weak<Machine>,
    pub images: ImageStore,
    pub programs: ProgramFinder,
    pub networks: Networks,
    pub containers: RefCell<BTreeMap<String, Rc<Container>>>,
    names: RefCell<BTreeMap<String, String>>,
    watchers: RefCell<Vec<Weak<dyn Fn(EventKind, &Rc<Container>)>>>,
    /// The highest attempt per pod uid and container: what a node's log directory remembers.
    attempts: RefCell<BTreeMap<(String, String), u32>>,
    running: Cell<bool>,
    changed: Notify,
}

/// Why the engine refused; worded as docker's daemon does, without `Error response from daemon: `.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineError {
    /// What it says.
    pub message: String,
    /// The exit code of `docker run`.
    pub code: i32,
}

impl EngineError {
    /// An error; `docker run` exits with 125.
    pub fn new(message: impl Into<String>) -> Self {
        EngineError { message: message.into(), code: 125 }
    }
}

impl std::fmt::Display for EngineError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl Engine {
    /// Starts an engine without containers and hangs it on its machine.
    pub fn start(config: EngineConfig) -> Engine {
        let sim = config.machine.sim().clone();
        let host = config.machine.get::<Endpoint>();
        let engine = Engine(Rc::new(Inner {
            images: ImageStore::new(&sim, &config.registries),
            kind: config.kind,
            machine: Rc::downgrade(&config.machine),
            programs: config.programs,
            networks: Networks::new(&config.fabric, host.as_deref().cloned()),
            containers: RefCell::default(),
            names: RefCell::default(),
            watchers: RefCell::default(),
            attempts: RefCell::default(),
            running: Cell::new(true),
            changed: Notify::default(),
            sim,
        }));
        config.machine.set(Rc::new(engine.clone()));
        engine
    }

    /// The engine of a machine, if it has one that runs.
    pub fn of(machine: &Machine) -> Option<Engine> {
        let engine = machine.get::<Engine>()?;
        engine.is_running().then(|| (*engine).clone())
    }

    /// The simulation.
    pub fn sim(&self) -> &Sim {
        &self.0.sim
    }

    /// Which engine it is.
    pub fn kind(&self) -> EngineKind {
        self.0.kind
    }

    /// The machine it runs on, while that exists.
    pub fn machine(&self) -> Option<Rc<Machine>> {
        self.0.machine.upgrade()
    }

    /// Its images.
    pub fn images(&self) -> &ImageStore {
        &self.0.images
    }

    /// Its networks.
    pub fn networks(&self) -> &Networks {
        &self.0.networks
    }

    /// The addresses that pods on this machine get.
    pub fn set_pod_range(&self, range: Cidr) {
        self.0.networks.set_pod_range(range);
    }

    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        self.0.running.get()
    }

    /// Notified whenever a container is created, starts, exits, is renamed or removed.
    pub fn changed(&self) -> &Notify {
        &self.0.changed
    }

    /// Calls `f` at every event, at once. `f` must not change containers itself.
    pub fn watch(&self, f: impl Fn(EventKind, &Rc<Container>) + 'static) -> EngineWatch {
        let watcher: Watcher = Rc::new(f);
        self.0.watchers.borrow_mut().push(Rc::downgrade(&watcher));
        EngineWatch(watcher)
    }

    pub(super) fn tell(&self, event: EventKind, container: &Rc<Container>) {
        let cause = self.record(event, container);
        container.changed.notify();
        self.0.changed.notify();
        let watchers: Vec<_> = {
            let mut all = self.0.watchers.borrow_mut();
            all.retain(|w| w.strong_count() > 0);
            all.iter().filter_map(Weak::upgrade).collect()
        };
        self.0.sim.under(cause, || watchers.iter().for_each(|w| w(event, container)));
    }

    /// Notes what happened to a container of a pod, for those who ask afterwards.
    fn record(&self, event: EventKind, container: &Container) -> Cause {
        let pod = container.spec.pod.as_ref().filter(|pod| !pod.is_sandbox());
        let Some(pod) = pod else { return self.0.sim.cause() };
        let exited = event == EventKind::Die;
        let what = match event {
            EventKind::Create => "created",
            EventKind::Start => "started",
            EventKind::Die => "exited",
            EventKind::Destroy => "removed",
        };
        let fact = trace::Container {
            machine: self.machine().map(|m| m.hostname()).unwrap_or_default(),
            namespace: pod.namespace.clone(),
            pod: pod.pod.clone(),
            uid: pod.uid.clone(),
            container: pod.container.clone(),
            what,
            exit_code: exited.then(|| container.status().exit_code),
        };
        self.0.sim.record(trace::Fact::Container(Rc::new(fact)), true)
    }

    /// All containers, newest first.
    pub fn containers(&self) -> Vec<Rc<Container>> {
        let mut all: Vec<_> = self.0.containers.borrow().values().cloned().collect();
        all.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| b.id.cmp(&a.id)));
        all
    }

    /// A container by id.
    pub fn get(&self, id: &str) -> Option<Rc<Container>> {
        self.0.containers.borrow().get(id).cloned()
    }

    /// A container by name, id or the beginning of one.
    ///
    /// # Errors
    /// `No such container: x`, or that several ids begin so.
    pub fn find(&self, name: &str) -> Result<Rc<Container>, EngineError> {
        let bare = name.strip_prefix('/').unwrap_or(name);
        if let Some(id) = self.0.names.borrow().get(bare)
            && let Some(container) = self.get(id)
        {
            return Ok(container);
        }
        let containers = self.0.containers.borrow();
        let mut found = containers
            .range(name.to_string()..)
            .take_while(|(id, _)| !name.is_empty() && id.starts_with(name))
            .map(|(_, c)| c);
        match (found.next(), found.next()) {
            (Some(one), None) => Ok(one.clone()),
            (None, _) => Err(EngineError::new(format!("No such container: {name}"))),
            _ => Err(EngineError::new(format!("multiple IDs found with provided prefix: {name}"))),
        }
    }

    /// Creates a container.
    ///
    /// # Errors
    /// Where the name is taken, there is no command, or the network can't be had.
    pub fn create(
        &self,
        image: &Rc<Image>,
        mut spec: ContainerSpec,
    ) -> Result<Rc<Container>, EngineError> {
        let argv = command_line(image, &spec);
        if argv.is_empty() {
            return Err(EngineError::new("no command specified"));
        }
        let id = digest::random64(&self.0.sim);
        let name = self.choose_name(&spec)?;
        spec.name.clone_from(&name);
        let machine = self.make_machine(&id, image, &spec)?;
        let container = Rc::new(Container {
            id: id.clone(),
            name: RefCell::new(name.clone()),
            image: image.clone(),
            spec,
            argv,
            created: self.0.sim.now(),
            machine,
            log: Rc::new(Log::new(&self.0.sim)),
            status: RefCell::new(Status {
                state: State::Created,
                started: None,
                finished: None,
                exit_code: 0,
                oom_killed: false,
                error: String::new(),
                restarts: 0,
            }),
            endpoint: RefCell::default(),
            ports: RefCell::default(),
            process: RefCell::default(),
            watcher: RefCell::default(),
            changed: Notify::default(),
            attached: RefCell::default(),
            tty: RefCell::default(),
            stdin: RefCell::default(),
            stopped: Cell::new(false),
            removed: Cell::new(false),
        });
        self.remember_attempt(&container);
        self.0.names.borrow_mut().insert(name, id.clone());
        self.0.containers.borrow_mut().insert(id, container.clone());
        self.tell(EventKind::Create, &container);
        Ok(container)
    }

    fn choose_name(&self, spec: &ContainerSpec) -> Result<String, EngineError> {
        if !spec.name.is_empty() {
            return match self.0.names.borrow().get(&spec.name) {
                Some(id) => Err(EngineError::new(format!(
                    "Conflict. The container name \"/{}\" is already in use by container \
                     \"{id}\". You have to remove (or rename) that container to be able to reuse \
                     that name.",
                    spec.name
                ))),
                None => Ok(spec.name.clone()),
            };
        }
        loop {
            let name = super::words::random_name(&self.0.sim);
            if !self.0.names.borrow().contains_key(&name) {
                return Ok(name);
            }
        }
    }

    fn make_machine(
        &self,
        id: &str,
        image: &Image,
        spec: &ContainerSpec,
    ) -> Result<Rc<Machine>, EngineError> {
        let hostname = match (&spec.hostname, &spec.network, self.machine()) {
            (Some(name), ..) => name.clone(),
            (None, NetworkMode::Host, Some(host)) => host.hostname(),
            _ => id[..12.min(id.len())].to_string(),
        };
        let fs = image.files();
        let mut env: BTreeMap<String, String> = image.config.env.iter().cloned().collect();
        env.insert("HOSTNAME".into(), hostname.clone());
        if spec.tty {
            env.insert("TERM".into(), "xterm".into());
        }
        let made = MachineSpec { hostname, fs, env: BTreeMap::new(), programs: self.0.programs };
        let beside = match &spec.pids {
            PidMode::Own => None,
            PidMode::Host => self.machine(),
            PidMode::Container(id) => self.get(id).map(|other| other.machine.clone()),
        };
        let machine = match beside {
            Some(other) => Machine::beside(&self.0.sim, made, &other),
            None => Machine::new(&self.0.sim, made),
        };
        for mount in &spec.mounts {
            machine.files().mount(&mount.at, mount.fs.clone(), &mount.sub, mount.read_only);
        }
        if spec.read_only {
            machine.files().set_root_read_only(true);
        }
        let user = spec.user.as_deref().unwrap_or(&image.config.user);
        let who = users::resolve(machine.files(), user).map_err(EngineError::new)?;
        env.insert("HOME".into(), users::home(machine.files(), who.uid));
        env.extend(spec.env.iter().cloned());
        machine.set_env(env);
        if let Some(memory) = self.machine().and_then(|host| host.get::<MemoryTotal>()) {
            machine.set(memory);
        }
        Ok(machine)
    }

    /// Changes a container's name.
    ///
    /// # Errors
    /// Where the name is taken.
    pub fn rename(&self, container: &Container, name: &str) -> Result<(), EngineError> {
        let mut names = self.0.names.borrow_mut();
        if let Some(id) = names.get(name) {
            return Err(EngineError::new(format!(
                "Conflict. The container name \"/{name}\" is already in use by container \
                 \"{id}\". You have to remove (or rename) that container to be able to reuse that \
                 name."
            )));
        }
        names.remove(&*container.name.borrow());
        names.insert(name.to_string(), container.id.clone());
        *container.name.borrow_mut() = name.to_string();
        self.0.changed.notify();
        Ok(())
    }

    /// Removes a container; with `force` even if it runs.
    ///
    /// # Errors
    /// Where it runs and `force` is not given.
    pub fn remove(&self, container: &Rc<Container>, force: bool) -> Result<(), EngineError> {
        if container.is_running() {
            if !force {
                return Err(EngineError::new(format!(
                    "cannot remove container \"{}\": container is running: stop the container \
                     before removing or force remove",
                    container.name.borrow()
                )));
            }
            container.stopped.set(true);
            self.kill_now(container);
        }
        if container.removed.replace(true) {
            return Ok(());
        }
        self.disconnect(container);
        self.0.containers.borrow_mut().remove(&container.id);
        self.0.names.borrow_mut().remove(&*container.name.borrow());
        container.log.close();
        self.tell(EventKind::Destroy, container);
        Ok(())
    }

    fn remember_attempt(&self, container: &Container) {
        if let Some(pod) = container.spec.pod.as_ref().filter(|p| !p.is_sandbox()) {
            let key = (pod.uid.clone(), pod.container.clone());
            let mut attempts = self.0.attempts.borrow_mut();
            let last = attempts.entry(key).or_insert(pod.attempt);
            *last = (*last).max(pod.attempt);
        }
    }

    /// The highest attempt a pod's container has had on this machine, even if all its containers
    /// were removed: the log directory still tells. Models `calcRestartCountByLogDir`.
    pub fn last_attempt(&self, uid: &str, container: &str) -> Option<u32> {
        self.0.attempts.borrow().get(&(uid.to_string(), container.to_string())).copied()
    }

    /// A pod is gone for good: so is its log directory.
    pub fn forget_pod(&self, uid: &str) {
        let mut attempts = self.0.attempts.borrow_mut();
        let from = (uid.to_string(), String::new());
        let keys: Vec<_> =
            attempts.range(from..).map(|(k, _)| k.clone()).take_while(|k| k.0 == uid).collect();
        for key in keys {
            attempts.remove(&key);
        }
    }

    /// The machine was switched off, or the engine stopped with everything it runs. Containers keep
    /// their files; nobody is told, as nobody is there.
    pub fn halt(&self) {
        self.0.running.set(false);
        for container in self.containers() {
            if container.is_running() {
                self.kill_now(&container);
            }
        }
    }

    /// The engine starts again: containers whose policy says so are started.
    pub fn resume(&self) {
        if self.0.running.replace(true) {
            return;
        }
        if let Some(endpoint) = self.machine().and_then(|machine| machine.get::<Endpoint>()) {
            self.networks().replug(&endpoint);
        }
        for container in self.containers() {
            self.start_by_policy(&container);
        }
        self.0.changed.notify();
    }
}

/// The command line of a container: entrypoint and arguments, each from its specification or from
/// the image. An entrypoint of its own hides the image's arguments.
fn command_line(image: &Image, spec: &ContainerSpec) -> Vec<String> {
    let (entrypoint, default_args) = match &spec.entrypoint {
        Some(own) => (own.clone(), Vec::new()),
        None => (image.config.entrypoint.clone(), image.config.cmd.clone()),
    };
    let args = spec.args.clone().unwrap_or(default_args);
    [entrypoint, args].concat()
}
