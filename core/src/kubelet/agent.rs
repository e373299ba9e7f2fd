//! The kubelet's server: logs, exec, attach and port-forward, as the API server asks for them.
//!
//! Models `kubelet_pods.go` (`GetKubeletContainerLogs`, `GetExec` …) and `pkg/kubelet/server`.

use std::{
    cell::RefCell,
    net::{Ipv4Addr, SocketAddrV4},
    rc::{Rc, Weak},
};

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};

use super::{Inner, labels, worker::Worker};
use crate::{
    api::Status,
    client::{ExecOptions, ExecStreams, LogOptions, NodeAgent, PortStreams},
    fabric::Frame,
    machine::{Fd, Tty, pipe},
    runtime::{Container, EngineKind, ExecSpec, digest, log::timestamp},
    sim::{Receiver, Sender, Sim, channel},
};

/// What the API server holds of a kubelet.
pub struct Agent(Weak<Inner>);

impl Agent {
    pub(super) fn of(kubelet: Weak<Inner>) -> Rc<dyn NodeAgent> {
        Rc::new(Agent(kubelet))
    }

    pub(super) fn kubelet(&self) -> Option<Rc<Inner>> {
        self.0.upgrade().filter(|me| me.alive.get())
    }

    fn worker(&self, pod: &Pod) -> Result<(Rc<Inner>, Rc<Worker>), Status> {
        let me = self.kubelet().ok_or_else(|| Status::internal("the kubelet has gone"))?;
        let worker = me.workers.borrow().get(&me.uid_of(pod)).cloned();
        match worker {
            Some(worker) => Ok((me, worker)),
            None => {
                let name = pod.metadata.name.as_deref().unwrap_or_default();
                Err(Status::new(404, "NotFound", format!("pod \"{name}\" not found")))
            }
        }
    }
}

/// The container that is meant. Models `ResourceLocation` helpers of the pod registry.
fn choose(pod: &Pod, wanted: Option<&str>) -> Result<String, Status> {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let Some(spec) = &pod.spec else { return Err(Status::internal("no spec")) };
    let init = spec.init_containers.iter().flatten();
    let ephemeral = spec.ephemeral_containers.iter().flatten().map(|c| c.name.as_str());
    let mut all = spec.containers.iter().chain(init).map(|c| c.name.as_str()).chain(ephemeral);
    match (wanted.filter(|w| !w.is_empty()), spec.containers.as_slice()) {
        (Some(wanted), _) if all.any(|n| n == wanted) => Ok(wanted.to_string()),
        (Some(wanted), _) => {
            Err(Status::bad_request(format!("container {wanted} is not valid for pod {name}")))
        }
        (None, [one]) => Ok(one.name.clone()),
        (None, many) => {
            let names: Vec<_> = many.iter().map(|c| c.name.as_str()).collect();
            Err(Status::bad_request(format!(
                "a container name must be specified for pod {name}, choose one of: [{}]",
                names.join(" ")
            )))
        }
    }
}

impl NodeAgent for Agent {
    fn serve(&self, method: &str, path: &str) -> (u16, &'static str, Vec<u8>) {
        self.answer(method, path)
    }

    fn logs(&self, pod: &Pod, options: &LogOptions) -> Result<Receiver<Vec<u8>>, Status> {
        let (me, worker) = self.worker(pod)?;
        let name = choose(pod, options.container.as_deref())?;
        let status = worker.status.borrow().clone().unwrap_or_default();
        let lists = [
            &status.container_statuses,
            &status.init_container_statuses,
            &status.ephemeral_container_statuses,
        ];
        let mut all = lists.into_iter().flatten().flatten();
        let of = all.find(|s| s.name == name);
        let id = log_container(&worker.name, &name, of, options.previous)
            .map_err(Status::bad_request)?;
        let container = me.engine.get(id.rsplit('/').next().unwrap_or(&id)).ok_or_else(|| {
            Status::bad_request(format!("unable to retrieve container logs for {id}"))
        })?;
        Ok(stream(&me.sim, &container, options))
    }

    fn exec(&self, pod: &Pod, options: &ExecOptions) -> Result<ExecStreams, Status> {
        let (me, worker) = self.worker(pod)?;
        let container = running(&me, &worker, pod, options)?;
        let (output, from) = channel();
        let open = Rc::new(RefCell::new(Some(output.clone())));
        let (streams, fds) = exec_streams(&me.sim, options, open.clone(), from);
        let terminal = options.tty.is_some();
        let spec = ExecSpec {
            argv: options.command.clone(),
            env: match options.tty {
                Some(_) => vec![("TERM".into(), "xterm".into())],
                None => Vec::new(),
            },
            fds: Some(fds),
            ..ExecSpec::default()
        };
        let (streams, exit) = streams;
        let failed = match me.engine.exec(&container, spec) {
            Ok(child) => {
                drop(output);
                me.sim.spawn(async move {
                    let code = child.wait().await.code();
                    exit.send(code);
                    if terminal {
                        // Whoever types holds the terminal, and the terminal its output.
                        open.take();
                    }
                });
                return Ok(streams);
            }
            Err(error) => error,
        };
        open.take();
        match me.engine.kind() {
            // cri-dockerd passes on what docker prints, and its exit code.
            EngineKind::Docker => {
                output.send((2, format!("{}\r\n", failed.message).into_bytes()));
                exit.send(failed.code);
                Ok(streams)
            }
            EngineKind::Containerd => Err(Status::internal(format!(
                "error executing command in container: failed to exec in container: failed to \
                 start exec \"{}\": {}",
                digest::random64(&me.sim),
                failed.message
            ))),
        }
    }

    fn attach(&self, pod: &Pod, options: &ExecOptions) -> Result<ExecStreams, Status> {
        let (me, worker) = self.worker(pod)?;
        let container = running(&me, &worker, pod, options)?;
        let output = me.engine.attach(&container);
        let (exit, exited) = channel();
        let (engine, watched) = (me.engine.clone(), container.clone());
        me.sim.spawn(async move {
            watched.exited().await;
            exit.send(watched.status().exit_code);
        });
        let stdin = options.stdin.then(|| {
            let (to, mut typed) = channel::<Vec<u8>>();
            let (engine, container) = (engine.clone(), container.clone());
            me.sim.spawn(async move {
                while let Some(bytes) = typed.recv().await {
                    engine.write_stdin(&container, &bytes);
                }
                engine.close_stdin(&container);
            });
            to
        });
        let resize = options.tty.map(|(cols, rows)| {
            engine.resize(&container, cols, rows);
            let (to, mut sizes) = channel::<(u16, u16)>();
            me.sim.spawn(async move {
                while let Some((cols, rows)) = sizes.recv().await {
                    engine.resize(&container, cols, rows);
                }
            });
            to
        });
        Ok(ExecStreams { stdin, output, resize, exit: exited })
    }

    fn port_forward(&self, pod: &Pod, port: u16) -> Result<PortStreams, Status> {
        let (me, worker) = self.worker(pod)?;
        let containers = me.containers_of(&worker.uid);
        let sandbox = containers.iter().find(|c| labels(c).is_sandbox() && c.is_running());
        let endpoint = sandbox.and_then(|c| c.endpoint().map(|e| (c.id.clone(), e)));
        let (id, endpoint) = endpoint.ok_or_else(|| {
            Status::internal(format!("pod not found (\"{}\")", worker.full_name()))
        })?;
        if !endpoint.listening().iter().any(|(p, _)| *p == port) {
            return Err(Status::internal(format!(
                "error forwarding port {port} to pod {id}, uid : failed to connect to \
                 localhost:{port} inside namespace \"{id}\", IPv4: dial tcp4 127.0.0.1:{port}: \
                 connect: connection refused"
            )));
        }
        let (to, mut outgoing) = channel::<Vec<u8>>();
        let (incoming, from) = channel::<Vec<u8>>();
        let sim = me.sim.clone();
        me.sim.spawn(async move {
            let target = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
            let Ok(conn) = endpoint.connect(target).await else { return };
            let conn = Rc::new(conn);
            let sending = conn.clone();
            sim.spawn(async move {
                while let Some(bytes) = outgoing.recv().await {
                    if sending.send(Frame::Data(bytes)).is_err() {
                        return;
                    }
                }
                sending.close();
            });
            while let Ok(Some(bytes)) = conn.recv_bytes().await {
                if !incoming.send(bytes) {
                    return;
                }
            }
        });
        Ok(PortStreams { to, from })
    }
}

/// The container whose log is meant. Models `validateContainerLogStatus`.
fn log_container(
    pod: &str,
    name: &str,
    status: Option<&ContainerStatus>,
    previous: bool,
) -> Result<String, String> {
    let Some(status) = status else {
        return Err(format!("container \"{name}\" in pod \"{pod}\" is not available"));
    };
    let id = |state: Option<&k8s_openapi::api::core::v1::ContainerState>| {
        let ended = state.and_then(|s| s.terminated.as_ref())?;
        Some(ended.container_id.clone().unwrap_or_default())
    };
    let last = id(status.last_state.as_ref());
    if previous {
        return last.filter(|id| !id.is_empty()).ok_or_else(|| {
            format!("previous terminated container \"{name}\" in pod \"{pod}\" not found")
        });
    }
    let state = status.state.clone().unwrap_or_default();
    if state.running.is_some() {
        return Ok(status.container_id.clone().unwrap_or_default());
    }
    let ended = || format!("container \"{name}\" in pod \"{pod}\" is terminated");
    if let Some(id) = id(Some(&state)) {
        let id = Some(id).filter(|id| !id.is_empty()).or(last);
        return id.filter(|id| !id.is_empty()).ok_or_else(ended);
    }
    if let Some(id) = last {
        return Some(id).filter(|id| !id.is_empty()).ok_or_else(ended);
    }
    let why = match state.waiting.and_then(|w| w.reason).as_deref() {
        Some("ErrImagePull") => "image can't be pulled".to_string(),
        Some("ImagePullBackOff") => "trying and failing to pull image".to_string(),
        Some(reason) => reason.to_string(),
        None => {
            return Err(format!(
                "container \"{name}\" in pod \"{pod}\" is waiting to start - no logs yet"
            ));
        }
    };
    Err(format!("container \"{name}\" in pod \"{pod}\" is waiting to start: {why}"))
}

/// A container's log as it is wanted.
fn stream(sim: &Sim, container: &Rc<Container>, options: &LogOptions) -> Receiver<Vec<u8>> {
    let (to, from) = channel();
    let log = container.log.clone();
    let mut next = log.position(options.tail, options.since);
    let mut left = options.limit_bytes.unwrap_or(u64::MAX);
    let stamps = options.timestamps;
    let mut send = move |to: &Sender<Vec<u8>>, log: &crate::runtime::log::Log| -> bool {
        let mut bytes = Vec::new();
        let mut number = next;
        next = log.read(next, |line| {
            if stamps {
                bytes.extend(timestamp(line.time, number).into_bytes());
                bytes.push(b' ');
            }
            number += 1;
            bytes.extend_from_slice(&line.text);
        });
        let room = usize::try_from(left).unwrap_or(usize::MAX);
        let full = bytes.len() >= room && left != u64::MAX;
        bytes.truncate(room);
        left = left.saturating_sub(bytes.len() as u64);
        (bytes.is_empty() || to.send(bytes)) && !full && !to.is_closed()
    };
    if !options.follow {
        send(&to, &log);
        return from;
    }
    sim.spawn(async move {
        loop {
            let wait = log.changed().wait();
            if !send(&to, &log) || log.is_closed() {
                return;
            }
            wait.await;
        }
    });
    from
}

/// The running container that is meant.
fn running(
    me: &Inner,
    worker: &Worker,
    pod: &Pod,
    options: &ExecOptions,
) -> Result<Rc<Container>, Status> {
    let name = choose(pod, options.container.as_deref())?;
    me.newest(worker, &name).filter(|c| c.is_running()).ok_or_else(|| {
        Status::internal(format!("unable to upgrade connection: container not found (\"{name}\")"))
    })
}

type Output = (u8, Vec<u8>);

/// The two sides of a process's standard streams.
fn exec_streams(
    sim: &Sim,
    options: &ExecOptions,
    to: Rc<RefCell<Option<Sender<Output>>>>,
    output: Receiver<Output>,
) -> ((ExecStreams, Sender<i32>), [Fd; 3]) {
    let (exit, exited) = channel();
    let sink = |stream: u8| {
        let to = to.clone();
        Rc::new(move |bytes: &[u8]| {
            if let Some(to) = &*to.borrow() {
                to.send((stream, bytes.to_vec()));
            }
        })
    };
    let (stdin, mut typed) = channel::<Vec<u8>>();
    let Some((cols, rows)) = options.tty else {
        let input = if options.stdin {
            let (reader, writer) = pipe();
            sim.spawn(async move {
                while let Some(bytes) = typed.recv().await {
                    if !writer.write(&bytes).await {
                        return;
                    }
                }
            });
            Fd::PipeReader(reader)
        } else {
            Fd::Null
        };
        let stdin = Some(stdin).filter(|_| options.stdin);
        let streams = ExecStreams { stdin, output, resize: None, exit: exited };
        return ((streams, exit), [input, Fd::Sink(sink(1)), Fd::Sink(sink(2))]);
    };
    let tty = Tty::new("pts/0", cols, rows, sink(1));
    let (resize, mut sizes) = channel::<(u16, u16)>();
    let (typing, sizing) = (tty.clone(), tty.clone());
    sim.spawn(async move {
        while let Some(bytes) = typed.recv().await {
            typing.input(&bytes);
        }
        typing.hangup(); // whoever typed has gone
    });
    sim.spawn(async move {
        while let Some((cols, rows)) = sizes.recv().await {
            sizing.resize(cols, rows);
        }
    });
    let streams = ExecStreams { stdin: Some(stdin), output, resize: Some(resize), exit: exited };
    let fd = || Fd::Tty(tty.clone());
    ((streams, exit), [fd(), fd(), fd()])
}
