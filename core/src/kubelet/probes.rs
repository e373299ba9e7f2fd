//! Probes: whether containers have started, live and are ready.
//!
//! Models `pkg/kubelet/prober`. Each probe of a running container is a task that sleeps between
//! attempts; an attempt over HTTP is one connection and nothing else, as idle clusters do little but
//! probe.

use std::{
    cell::{Cell, RefCell},
    net::{Ipv4Addr, SocketAddrV4},
    rc::{Rc, Weak},
    time::Duration,
};

use k8s_openapi::{
    api::core::v1::{Container as Spec, HTTPGetAction, Pod, Probe},
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{
    Inner, labels,
    plan::Health,
    worker::{Phase, Worker},
};
use crate::{
    client::EventType,
    fabric::{
        ConnectError,
        http::{HttpError, HttpRequest, Tls, probe as ask},
    },
    machine::Fd,
    runtime::{Container, ExecSpec},
    sim::{Either, Notify, Sim, TaskHandle, Time, race},
};

/// Bytes of a probe's output that are kept (`maxReadLength`).
const OUTPUT: usize = 10 << 10;

/// What a probe is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeKind {
    /// Until it succeeds, the others wait.
    Startup,
    /// When it fails for good, the container is killed.
    Liveness,
    /// While it fails, services don't ask the pod.
    Readiness,
}

impl ProbeKind {
    const ALL: [ProbeKind; 3] = [ProbeKind::Startup, ProbeKind::Liveness, ProbeKind::Readiness];

    fn name(self) -> &'static str {
        match self {
            ProbeKind::Startup => "Startup",
            ProbeKind::Liveness => "Liveness",
            ProbeKind::Readiness => "Readiness",
        }
    }

    fn of(self, spec: &Spec) -> Option<&Probe> {
        match self {
            ProbeKind::Startup => spec.startup_probe.as_ref(),
            ProbeKind::Liveness => spec.liveness_probe.as_ref(),
            ProbeKind::Readiness => spec.readiness_probe.as_ref(),
        }
    }
}

/// The probes of one pod.
#[derive(Default)]
pub struct Probes(Vec<Running>);

struct Running {
    container: String,
    id: String,
    kind: ProbeKind,
    state: Rc<ProbeState>,
    task: TaskHandle,
}

#[derive(Default)]
struct ProbeState {
    /// What counts: the threshold was reached.
    result: Cell<Option<bool>>,
    changed: Notify,
}

impl Probes {
    fn result(&self, id: &str, kind: ProbeKind) -> Option<Option<bool>> {
        let found = self.0.iter().find(|r| r.kind == kind && r.id == id);
        found.map(|r| r.state.result.get())
    }

    /// What the probes of a running container say.
    pub fn health(&self, container: &str, id: &str) -> Health {
        debug_assert!(self.0.iter().all(|r| r.id != id || r.container == container));
        let startup = self.result(id, ProbeKind::Startup);
        Health {
            liveness_failed: self.result(id, ProbeKind::Liveness) == Some(Some(false)),
            startup_failed: startup == Some(Some(false)),
            started: startup.is_none_or(|result| result == Some(true)),
        }
    }

    /// Whether a running container is ready: it has no readiness probe, or that has succeeded.
    pub fn is_ready(&self, container: &str, id: &str, spec: &Spec) -> bool {
        debug_assert_eq!(container, spec.name);
        match self.result(id, ProbeKind::Readiness) {
            Some(result) => result == Some(true),
            None => spec.readiness_probe.is_none(),
        }
    }

    /// Ends all probes.
    pub fn stop(self, sim: &Sim) {
        for running in self.0 {
            sim.kill(&running.task);
        }
    }

    /// The pod is being terminated: only readiness matters still.
    pub fn stop_but_readiness(&mut self, sim: &Sim) {
        self.0.retain(|running| {
            let keep = running.kind == ProbeKind::Readiness;
            if !keep {
                sim.kill(&running.task);
            }
            keep
        });
    }
}

/// What a probe's task knows.
struct Job {
    me: Weak<Inner>,
    worker: Weak<Worker>,
    container: Rc<Container>,
    spec: Rc<Spec>,
    kind: ProbeKind,
    state: Rc<ProbeState>,
    /// The startup probe's, if there is one.
    startup: Option<Rc<ProbeState>>,
    target: RefCell<Option<(SocketAddrV4, Rc<HttpRequest>)>>,
    field: String,
}

enum Outcome {
    Success,
    Failure(String),
}

impl Inner {
    /// Starts the probes of containers that run without them: new ones, and those of a kubelet
    /// that was here before.
    pub fn ensure_probes(&self, worker: &Rc<Worker>) {
        let pod = worker.pod();
        let Some(pod_spec) = &pod.spec else { return };
        let init = pod_spec.init_containers.iter().flatten().filter(|c| super::plan::is_sidecar(c));
        for spec in pod_spec.containers.iter().chain(init) {
            if ProbeKind::ALL.iter().any(|kind| kind.of(spec).is_some()) {
                self.start_probes(worker, spec);
            }
        }
    }

    /// Starts the probes of a container, if it runs and does not have them yet.
    pub fn start_probes(&self, worker: &Rc<Worker>, spec: &Spec) {
        let Some(container) = self.newest(worker, &spec.name).filter(|c| c.is_running()) else {
            return;
        };
        let mut probes = worker.probes.borrow_mut();
        if probes.0.iter().any(|r| r.id == container.id) {
            return;
        }
        probes.0.retain(|running| {
            let keep = running.container != spec.name;
            if !keep {
                self.sim.kill(&running.task);
            }
            keep
        });
        let shared = Rc::new(spec.clone());
        let mut startup = None;
        for kind in ProbeKind::ALL {
            let Some(probe) = kind.of(spec) else { continue };
            let state = Rc::new(ProbeState::default());
            if self.was_fine(worker, &container, kind) {
                state.result.set(Some(true));
            }
            if kind == ProbeKind::Startup {
                startup = Some(state.clone());
            }
            let job = Job {
                me: self.me.clone(),
                worker: Rc::downgrade(worker),
                container: container.clone(),
                spec: shared.clone(),
                kind,
                state: state.clone(),
                startup: startup.clone().filter(|_| kind != ProbeKind::Startup),
                target: RefCell::default(),
                field: self.field_of(worker, &spec.name),
            };
            let first = first_attempt(&self.sim, worker, &container, kind, probe);
            let task = self.sim.spawn(job.run(self.sim.clone(), first));
            let id = container.id.clone();
            probes.0.push(Running { container: spec.name.clone(), id, kind, state, task });
        }
    }

    /// A container that was started or ready before this kubelet came stays so until a probe says
    /// otherwise.
    fn was_fine(&self, worker: &Worker, container: &Container, kind: ProbeKind) -> bool {
        let status = worker.pod().status.clone().unwrap_or_default();
        let name = &labels(container).container;
        let mut all =
            status.container_statuses.iter().chain(&status.init_container_statuses).flatten();
        let Some(of) = all.find(|s| s.name == *name) else { return false };
        let same = of.container_id.as_ref().is_some_and(|id| id.ends_with(&container.id));
        same && match kind {
            ProbeKind::Startup => of.started == Some(true),
            ProbeKind::Readiness => of.ready,
            ProbeKind::Liveness => false,
        }
    }
}

/// The real kubelet's probes tick from when the pod came; a new container is first probed at the next
/// tick after its initial delay. Readiness is asked for at once where there is no delay.
fn first_attempt(
    sim: &Sim,
    worker: &Worker,
    container: &Container,
    kind: ProbeKind,
    probe: &Probe,
) -> Time {
    let delay = seconds(probe.initial_delay_seconds, 0);
    let started = container.status().started.unwrap_or(container.created);
    let earliest = (started + delay).max(sim.now());
    if kind == ProbeKind::Readiness && delay.is_zero() {
        return earliest;
    }
    let period = period(probe).as_micros() as u64;
    let since = earliest.since(worker.started).as_micros() as u64;
    worker.started + Duration::from_micros(since.div_ceil(period) * period)
}

fn seconds(value: Option<i32>, default: u64) -> Duration {
    Duration::from_secs(value.and_then(|v| u64::try_from(v).ok()).unwrap_or(default))
}

fn period(probe: &Probe) -> Duration {
    seconds(probe.period_seconds.filter(|p| *p > 0), 10)
}

impl Job {
    async fn run(self, sim: Sim, first: Time) {
        let Some(probe) = self.kind.of(&self.spec).cloned() else { return };
        let period = period(&probe);
        let (mut last, mut count) = (None, 0);
        let mut next = first;
        loop {
            sim.sleep_until(next).await;
            next = next + period;
            if next <= sim.now() {
                next = sim.now() + period; // an attempt took longer than a period
            }
            if !self.container.is_running() {
                return;
            }
            if let Some(startup) = &self.startup
                && startup.result.get() != Some(true)
            {
                // Whoever waits for the startup probe is asked as soon as that succeeds.
                startup.changed.wait().await;
                next = sim.now();
                continue;
            }
            let outcome = self.attempt(&probe).await;
            if !self.container.is_running() {
                return;
            }
            let success = matches!(outcome, Outcome::Success);
            if let Outcome::Failure(text) = outcome {
                self.tell_failure(&text);
            }
            count = if last == Some(success) { count + 1 } else { 1 };
            last = Some(success);
            let needed = match success {
                true => probe.success_threshold.unwrap_or(1),
                false => probe.failure_threshold.unwrap_or(3),
            };
            if count < needed.max(1) {
                continue;
            }
            let changed = self.state.result.replace(Some(success)) != Some(success);
            if changed {
                self.state.changed.notify();
                self.tell_result(success);
            }
            // What has started stays so; what has failed is killed.
            match (self.kind, success) {
                (ProbeKind::Startup, _) | (ProbeKind::Liveness, false) => return,
                _ => {}
            }
        }
    }

    fn tell_failure(&self, text: &str) {
        let (Some(me), Some(worker)) = (self.me.upgrade(), self.worker.upgrade()) else { return };
        let message = format!("{} probe failed: {text}", self.kind.name());
        let pod = worker.pod();
        me.recorder.event_at(&*pod, &self.field, EventType::Warning, "Unhealthy", &message);
    }

    fn tell_result(&self, success: bool) {
        let (Some(me), Some(worker)) = (self.me.upgrade(), self.worker.upgrade()) else { return };
        if worker.phase.get() != Phase::Syncing {
            return me.write_status(&worker);
        }
        match (self.kind, success) {
            (ProbeKind::Liveness, true) => {}
            _ => me.kick(&worker),
        }
    }

    async fn attempt(&self, probe: &Probe) -> Outcome {
        let timeout = seconds(probe.timeout_seconds.filter(|t| *t > 0), 1);
        let (Some(me), Some(worker)) = (self.me.upgrade(), self.worker.upgrade()) else {
            return Outcome::Success; // nobody is there to hear it
        };
        if let Some(http) = &probe.http_get {
            return self.http(&me, &worker, http, timeout).await;
        }
        if let Some(tcp) = &probe.tcp_socket {
            let to = address(&me, &worker, &self.spec, tcp.host.as_deref(), &tcp.port);
            return match to {
                Ok(to) => connect(&me, to, timeout).await,
                Err(error) => Outcome::Failure(error),
            };
        }
        if let Some(exec) = &probe.exec {
            let argv = exec.command.clone().unwrap_or_default();
            return self.exec(&me, argv, timeout).await;
        }
        if probe.grpc.is_some() {
            return Outcome::Failure("gRPC probes are not simulated".into());
        }
        Outcome::Failure("missing probe handler".into())
    }

    async fn http(
        &self,
        me: &Rc<Inner>,
        worker: &Worker,
        http: &HTTPGetAction,
        timeout: Duration,
    ) -> Outcome {
        let known = self.target.borrow().clone();
        let (to, request) = match known {
            Some(known) => known,
            None => match target(me, worker, &self.spec, http) {
                Ok((to, request)) => {
                    let target = (to, Rc::new(request));
                    *self.target.borrow_mut() = Some(target.clone());
                    target
                }
                Err(error) => return Outcome::Failure(error),
            },
        };
        let Some(endpoint) = &me.endpoint else { return Outcome::Failure("no network".into()) };
        let url = || {
            let scheme = http.scheme.as_deref().unwrap_or("HTTP").to_lowercase();
            format!("Get \"{scheme}://{}{}\": ", to, request.path)
        };
        match ask(endpoint, to, request.clone(), timeout).await {
            Ok(response) if (200..400).contains(&response.status) => Outcome::Success,
            Ok(response) => {
                Outcome::Failure(format!("HTTP probe failed with statuscode: {}", response.status))
            }
            Err(HttpError::Connect(to, error)) => {
                Outcome::Failure(format!("{}{}", url(), dial(to, error)))
            }
            Err(HttpError::TimedOut { .. }) => Outcome::Failure(format!(
                "{}context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
                url()
            )),
            Err(HttpError::Reset) => Outcome::Failure(format!(
                "{}read tcp {}->{to}: read: connection reset by peer",
                url(),
                me.node_ip().unwrap_or(Ipv4Addr::LOCALHOST)
            )),
            Err(HttpError::Empty) => Outcome::Failure(format!("{}EOF", url())),
            Err(other) => Outcome::Failure(format!("{}{other}", url())),
        }
    }

    async fn exec(&self, me: &Rc<Inner>, argv: Vec<String>, timeout: Duration) -> Outcome {
        let (out, text) = Fd::capture();
        let shown = argv.join(" ");
        let spec =
            ExecSpec { argv, fds: Some([Fd::Null, out.clone(), out]), ..ExecSpec::default() };
        let child = match me.engine.exec(&self.container, spec) {
            Ok(child) => child,
            Err(error) => return Outcome::Failure(error.message),
        };
        match race(child.wait(), me.sim.sleep(timeout)).await {
            Either::Left(status) if status.success() => Outcome::Success,
            Either::Left(_) => {
                let mut bytes = text.take();
                bytes.truncate(OUTPUT);
                Outcome::Failure(String::from_utf8_lossy(&bytes).into_owned())
            }
            Either::Right(()) => {
                child.kill(crate::machine::Signal::Kill);
                let timeout = timeout.as_secs();
                Outcome::Failure(format!(
                    "command timed out: \"{shown}\" timed out after {timeout}s"
                ))
            }
        }
    }
}

async fn connect(me: &Rc<Inner>, to: SocketAddrV4, timeout: Duration) -> Outcome {
    let Some(endpoint) = &me.endpoint else { return Outcome::Failure("no network".into()) };
    match race(endpoint.connect(to), me.sim.sleep(timeout)).await {
        Either::Left(Ok(_)) => Outcome::Success,
        Either::Left(Err(error)) => Outcome::Failure(dial(to, error)),
        Either::Right(()) => Outcome::Failure(format!("dial tcp {to}: i/o timeout")),
    }
}

/// As Go's `net` package words it.
fn dial(to: SocketAddrV4, error: ConnectError) -> String {
    match error {
        ConnectError::TimedOut => format!("dial tcp {to}: i/o timeout"),
        other => format!("dial tcp {to}: connect: {other}"),
    }
}

fn pod_address(me: &Inner, pod: &Pod, worker: &Worker) -> Option<Ipv4Addr> {
    if super::act::uses_host_network(pod) {
        return me.node_ip();
    }
    let containers = me.containers_of(&worker.uid);
    containers.iter().find(|c| labels(c).is_sandbox() && c.is_running())?.address()
}

fn port_number(spec: &Spec, port: &IntOrString) -> Option<u16> {
    match port {
        IntOrString::Int(number) => u16::try_from(*number).ok().filter(|n| *n > 0),
        IntOrString::String(name) => {
            let mut ports = spec.ports.iter().flatten();
            let named = ports.find(|p| p.name.as_deref() == Some(name));
            let number = named.map(|p| p.container_port);
            number.and_then(|n| u16::try_from(n).ok()).or_else(|| name.parse().ok())
        }
    }
}

fn address(
    me: &Inner,
    worker: &Worker,
    spec: &Spec,
    host: Option<&str>,
    port: &IntOrString,
) -> Result<SocketAddrV4, String> {
    let pod = worker.pod();
    let ip = match host.filter(|h| !h.is_empty()) {
        Some("localhost") => Some(Ipv4Addr::LOCALHOST),
        Some(host) => {
            Some(host.parse().map_err(|_| format!("dial tcp: lookup {host}: no such host"))?)
        }
        None => pod_address(me, &pod, worker),
    };
    let ip = ip.ok_or("the pod has no address")?;
    let port = port_number(spec, port).ok_or_else(|| match port {
        IntOrString::String(name) => format!("couldn't find port: \"{name}\""),
        IntOrString::Int(number) => format!("invalid port number: {number}"),
    })?;
    Ok(SocketAddrV4::new(ip, port))
}

/// Whether something listens there that does not speak TLS.
fn speaks_plain_http(me: &Inner, to: SocketAddrV4) -> bool {
    let Some(endpoint) = &me.endpoint else { return false };
    endpoint.listens_now(to) && endpoint.service_now::<Tls>(to).is_err()
}

/// Where an HTTP probe or hook goes, and what it asks.
pub fn target(
    me: &Inner,
    worker: &Worker,
    spec: &Spec,
    http: &HTTPGetAction,
) -> Result<(SocketAddrV4, HttpRequest), String> {
    let to = address(me, worker, spec, http.host.as_deref(), &http.port)?;
    let path = http.path.as_deref().unwrap_or("/");
    let path = if path.starts_with('/') { path.to_string() } else { format!("/{path}") };
    if http.scheme.as_deref() == Some("HTTPS") && speaks_plain_http(me, to) {
        let why = "http: server gave HTTP response to HTTPS client";
        return Err(format!("Get \"https://{to}{path}\": {why}"));
    }
    let mut request = HttpRequest::get(to.to_string(), path);
    let version = me.config.version.trim_start_matches('v');
    let minor = version.rsplit_once('.').map_or(version, |(minor, _)| minor);
    let agent = format!("kube-probe/{minor}");
    request.headers.push(("User-Agent".into(), agent.into()));
    request.headers.push(("Accept".into(), "*/*".into()));
    request.headers.push(("Connection".into(), "close".into()));
    for header in http.http_headers.iter().flatten() {
        if header.name.eq_ignore_ascii_case("host") {
            request.host.clone_from(&header.value);
        } else {
            request.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(&header.name));
            request.headers.push((header.name.clone().into(), header.value.clone().into()));
        }
    }
    Ok((to, request))
}
