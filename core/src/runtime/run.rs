//! Containers come to life and end: start, exit, stop, kill, exec.

use std::{rc::Rc, time::Duration};

use super::{
    Container, Engine, EngineError, EngineKind, EventKind, State,
    container::{NetworkMode, RestartPolicy},
    users,
};
use crate::{
    machine::{Child, Command, ExitStatus, Fd, FsError, Signal, SpawnError, Tty, fs::Who, pipe},
    sim::{Either, Receiver, Time, channel, race},
};

/// Preparing a container's files and configuration.
const CREATE: Duration = Duration::from_millis(45);
/// From the request to the first instruction of the process.
const START: Duration = Duration::from_millis(140);
/// A sandbox: namespaces, the network plugin, its own container.
const SANDBOX: Duration = Duration::from_millis(280);
/// From the request to stop until the process has its signal: kubelet, engine and shim take turns.
const STOP: Duration = Duration::from_millis(45);
/// Joining a running container's namespaces.
const EXEC: Duration = Duration::from_millis(45);
/// Chance adds at most a third to each.
const JITTER: u64 = 3;

/// What takes time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// [`Engine::create`]
    Create,
    /// [`Engine::launch`]
    Start,
    /// A pod's sandbox, created and started.
    Sandbox,
    /// [`Engine::stop`], which takes it itself.
    Stop,
    /// [`Engine::exec`]
    Exec,
}

/// What is run in a container that runs.
#[derive(Clone, Default)]
pub struct ExecSpec {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Variables on top of the container's.
    pub env: Vec<(String, String)>,
    /// In place of the container's working directory.
    pub workdir: Option<String>,
    /// In place of the container's user.
    pub user: Option<String>,
    /// Standard input, output and error.
    pub fds: Option<[Fd; 3]>,
}

impl Engine {
    /// Lets the time pass that a piece of work takes.
    pub async fn takes(&self, work: Work) {
        let base = match work {
            Work::Create => CREATE,
            Work::Start => START,
            Work::Sandbox => SANDBOX,
            Work::Stop => STOP,
            Work::Exec => EXEC,
        };
        let most = base.as_micros() as u64 / JITTER;
        let extra = Duration::from_micros(self.sim().random(most));
        self.sim().sleep(base + extra).await;
    }

    /// Starts a container that does not run. Whoever wants it to take its time waits for
    /// [`Engine::takes`] before.
    ///
    /// # Errors
    /// Where its program or its network can't be had; the container has exited then.
    pub fn launch(&self, container: &Rc<Container>) -> Result<(), EngineError> {
        if container.is_running() {
            return Ok(());
        }
        container.stopped.set(false);
        if let Err(error) = self.connect(container) {
            self.failed(container, &error);
            return Err(error);
        }
        container.log.reopen();
        let who = self.who(container, None)?;
        let cwd = self.workdir(container);
        let [stdin, stdout, stderr] = self.descriptors(container);
        let mut command = Command::new(container.argv.iter().cloned());
        command = command.stdin(stdin).stdout(stdout).stderr(stderr).cwd(cwd);
        command.who = Some(who);
        match container.machine.spawn(command) {
            Ok(child) => {
                self.started(container, child);
                Ok(())
            }
            Err(error) => {
                let error = self.start_error(container, &error);
                container.log.close();
                self.failed(container, &error);
                Err(error)
            }
        }
    }

    fn who(&self, container: &Container, user: Option<&str>) -> Result<Who, EngineError> {
        let own = container.spec.user.as_deref().unwrap_or(&container.image.config.user);
        users::resolve(container.machine.files(), user.unwrap_or(own)).map_err(EngineError::new)
    }

    /// The working directory, made if it is missing.
    fn workdir(&self, container: &Container) -> String {
        let own = container.spec.workdir.as_deref().filter(|dir| !dir.is_empty());
        let dir = own.unwrap_or(&container.image.config.workdir);
        if dir.is_empty() {
            return "/".into();
        }
        let files = container.machine.files();
        if files.stat(dir, Who::ROOT).is_err() {
            let mut path = String::new();
            for part in dir.split('/').filter(|p| !p.is_empty()) {
                path.push('/');
                path.push_str(part);
                let _ = files.make_dir(&path, 0o755, Who::ROOT);
            }
        }
        dir.to_string()
    }

    fn descriptors(&self, container: &Rc<Container>) -> [Fd; 3] {
        let weak = Rc::downgrade(container);
        let sink = move |stream: u8| {
            let weak = weak.clone();
            Rc::new(move |bytes: &[u8]| {
                if let Some(container) = weak.upgrade() {
                    container.log.write(stream, bytes);
                    let mut attached = container.attached.borrow_mut();
                    attached.retain(|to| to.send((stream, bytes.to_vec())));
                }
            })
        };
        if container.spec.tty {
            let tty = Tty::new("pts/0", 80, 24, sink(1));
            *container.tty.borrow_mut() = Some(tty.clone());
            return [Fd::Tty(tty.clone()), Fd::Tty(tty.clone()), Fd::Tty(tty)];
        }
        let stdin = if container.spec.stdin {
            let (reader, writer) = pipe();
            *container.stdin.borrow_mut() = Some(writer);
            Fd::PipeReader(reader)
        } else {
            Fd::Null
        };
        [stdin, Fd::Sink(sink(1)), Fd::Sink(sink(2))]
    }

    fn started(&self, container: &Rc<Container>, child: Child) {
        {
            let mut status = container.status.borrow_mut();
            status.state = State::Running;
            status.started = Some(self.sim().now());
            status.finished = None;
            status.oom_killed = false;
            status.error.clear();
        }
        *container.process.borrow_mut() = Some(child.clone());
        let (engine, watched) = (Rc::downgrade(&self.0), container.clone());
        let waiting = child.clone();
        let mut tasks = vec![self.sim().spawn(async move {
            let status = waiting.wait().await;
            let Some(engine) = engine.upgrade().map(Engine) else { return };
            let cause = waiting.process().ended_for().unwrap_or_else(|| engine.sim().cause());
            engine.sim().clone().under(cause, || engine.exited(&watched, status));
        })];
        if let Some(limit) = container.spec.memory_limit {
            let machine = Rc::downgrade(&container.machine);
            let changed = container.machine.memory_changed().clone();
            tasks.push(self.sim().spawn(async move {
                loop {
                    let wait = changed.wait();
                    let Some(machine) = machine.upgrade() else { return };
                    if machine.memory() > limit {
                        // The kernel ends the whole group (memory.oom.group).
                        child.process().end(ExitStatus::OutOfMemory);
                        return;
                    }
                    drop(machine);
                    wait.await;
                }
            }));
        }
        *container.watcher.borrow_mut() = tasks;
        self.tell(EventKind::Start, container);
    }

    fn failed(&self, container: &Rc<Container>, error: &EngineError) {
        let now = self.sim().now();
        {
            let mut status = container.status.borrow_mut();
            status.state = State::Exited;
            status.exit_code = error.code;
            status.error.clone_from(&error.message);
            status.started = None;
            status.finished = Some(now);
        }
        self.disconnect(container);
        self.tell(EventKind::Die, container);
    }

    /// Its first process ended: everything that follows from it.
    fn exited(&self, container: &Rc<Container>, status: ExitStatus) {
        if !container.is_running() {
            return;
        }
        {
            let mut now = container.status.borrow_mut();
            now.state = State::Exited;
            now.finished = Some(self.sim().now());
            now.exit_code = status.code();
            now.oom_killed = status == ExitStatus::OutOfMemory;
        }
        if let Some(inner) = container.machine.get::<Engine>() {
            inner.halt(); // a machine in a container takes its own containers with it
        }
        *container.process.borrow_mut() = None;
        container.machine.kill_all(); // its group, where its first process was not number 1
        let tasks = container.watcher.take();
        container.log.close();
        container.stdin.take();
        container.tty.take();
        drop(container.attached.take());
        self.disconnect(container);
        self.tell(EventKind::Die, container);
        if container.spec.auto_remove {
            let _ = self.remove(container, false);
        } else {
            self.restart_by_policy(container);
        }
        for task in tasks {
            self.sim().kill(&task); // the last may be the caller: nothing may follow
        }
    }

    fn restart_by_policy(&self, container: &Rc<Container>) {
        let status = container.status();
        let again = match container.spec.restart {
            RestartPolicy::No => false,
            RestartPolicy::Always | RestartPolicy::UnlessStopped => true,
            RestartPolicy::OnFailure(max) => {
                status.exit_code != 0 && (max == 0 || status.restarts < max)
            }
        };
        if !again || container.stopped.get() || !self.is_running() {
            return;
        }
        container.status.borrow_mut().restarts += 1;
        // Docker doubles from 100 ms and begins anew after 10 s of running.
        let ran = status.started.map_or(Duration::ZERO, |s| self.sim().now().since(s));
        let doubling = if ran >= Duration::from_secs(10) { 0 } else { status.restarts.min(9) };
        let delay = Duration::from_millis(100 << doubling);
        let (engine, container) = (Rc::downgrade(&self.0), container.clone());
        self.sim().after(delay, move || {
            if let Some(engine) = engine.upgrade().map(Engine)
                && !container.is_removed()
                && !container.stopped.get()
                && engine.is_running()
            {
                let _ = engine.launch(&container);
            }
        });
    }

    /// The engine started: containers that should run are started.
    pub(super) fn start_by_policy(&self, container: &Rc<Container>) {
        let always = match container.spec.restart {
            RestartPolicy::Always => true,
            RestartPolicy::UnlessStopped => !container.stopped.get(),
            _ => false,
        };
        if always && !container.is_running() {
            let _ = self.launch(container);
        }
    }

    /// SIGKILL, and everything that follows from it, at this instant.
    pub(super) fn kill_now(&self, container: &Rc<Container>) {
        self.kill(container, Signal::Kill);
        self.exited(container, ExitStatus::Signal(Signal::Kill));
    }

    /// Sends a signal to a container's first process.
    pub fn kill(&self, container: &Container, signal: Signal) {
        if let Some(process) = container.process() {
            process.kill(signal);
        }
    }

    /// Stops a container: its stop signal, and SIGKILL when the grace is over.
    pub async fn stop(&self, container: &Rc<Container>, grace: Duration) {
        if !container.is_running() {
            return;
        }
        container.stopped.set(true);
        if grace > Duration::ZERO {
            self.takes(Work::Stop).await;
            self.kill(container, container.image.config.stop_signal);
            let over = self.sim().now() + grace;
            if let Either::Left(()) = race(container.exited(), self.sim().sleep_until(over)).await {
                return;
            }
        }
        self.kill(container, Signal::Kill);
        container.exited().await;
    }

    /// Runs a process in a container.
    ///
    /// # Errors
    /// Where it does not run, or the program or user is not there.
    pub fn exec(&self, container: &Rc<Container>, spec: ExecSpec) -> Result<Child, EngineError> {
        if !container.is_running() {
            return Err(EngineError::new(format!("container {} is not running", container.id)));
        }
        let mut env = (*container.machine.env()).clone();
        env.extend(spec.env);
        let mut command = Command::new(spec.argv);
        command.who = Some(self.who(container, spec.user.as_deref())?);
        if spec.user.is_some()
            && let Some(who) = command.who
        {
            env.insert("HOME".into(), users::home(container.machine.files(), who.uid));
        }
        command.env = Some(Rc::new(env));
        command.cwd = Some(spec.workdir.unwrap_or_else(|| self.workdir(container)));
        command.group = Some(0);
        if let Some([stdin, stdout, stderr]) = spec.fds {
            command = command.stdin(stdin).stdout(stdout).stderr(stderr);
        }
        let argv = command.argv.clone();
        container.machine.spawn(command).map_err(|error| EngineError {
            message: format!(
                "OCI runtime exec failed: exec failed: unable to start container process: {}",
                exec_words(&argv, &error)
            ),
            code: if error.code() == 127 { 127 } else { 126 },
        })
    }

    /// Joins a container's output from now on. The stream ends with the container.
    pub fn attach(&self, container: &Container) -> Receiver<(u8, Vec<u8>)> {
        let (sender, receiver) = channel();
        if container.is_running() {
            container.attached.borrow_mut().push(sender);
        }
        receiver
    }

    /// Writes to a container's standard input, if that is open.
    pub fn write_stdin(&self, container: &Container, bytes: &[u8]) {
        if let Some(tty) = &*container.tty.borrow() {
            tty.input(bytes);
        } else if let Some(pipe) = &*container.stdin.borrow() {
            pipe.push(bytes);
        }
    }

    /// Whoever wrote to standard input leaves.
    pub fn close_stdin(&self, container: &Container) {
        if container.spec.stdin_once {
            let pipe = container.stdin.take();
            drop(pipe);
            if let Some(tty) = &*container.tty.borrow() {
                tty.hangup();
            }
        }
    }

    /// Changes the size of a container's terminal.
    pub fn resize(&self, container: &Container, cols: u16, rows: u16) {
        if let Some(tty) = &*container.tty.borrow() {
            tty.resize(cols, rows);
        }
    }

    fn start_error(&self, container: &Container, error: &SpawnError) -> EngineError {
        let head = match self.kind() {
            EngineKind::Docker => {
                "failed to create task for container: failed to create shim task: OCI runtime \
                 create failed: runc create failed: unable to start container process: error \
                 during container init:"
            }
            EngineKind::Containerd => {
                "failed to create containerd task: failed to create shim task: OCI runtime create \
                 failed: runc create failed: unable to start container process:"
            }
        };
        let code = match self.kind() {
            EngineKind::Docker => error.code(),
            EngineKind::Containerd => 128,
        };
        let message = format!("{head} {}", exec_words(&container.argv, error));
        EngineError { message, code }
    }

    /// When a container's process was last started; its creation if never.
    pub fn started_at(container: &Container) -> Time {
        container.status.borrow().started.unwrap_or(container.created)
    }

    /// Whether a container's network is the machine's own.
    pub fn uses_host_network(container: &Container) -> bool {
        container.spec.network == NetworkMode::Host
    }
}

/// What runc says about a program that can't be started.
fn exec_words(argv: &[String], error: &SpawnError) -> String {
    let name = argv.first().map_or("", String::as_str);
    match error {
        SpawnError::NotOnPath => {
            format!("exec: \"{name}\": executable file not found in $PATH: unknown")
        }
        SpawnError::File(FsError::NotFound) => {
            format!("exec: \"{name}\": stat {name}: no such file or directory: unknown")
        }
        SpawnError::File(FsError::Access) => {
            format!("exec: \"{name}\": permission denied: unknown")
        }
        SpawnError::File(FsError::IsADirectory) => {
            format!("exec: \"{name}\": is a directory: unknown")
        }
        SpawnError::Format { path } => format!("exec {path}: exec format error: unknown"),
        other => format!("exec: \"{name}\": {other}: unknown"),
    }
}
