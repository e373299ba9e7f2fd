//! Statuses of a pod's containers.
//!
//! Models `convertToAPIContainerStatuses` and `prober_manager.UpdatePodStatus`.

use std::rc::Rc;

use k8s_openapi::api::core::v1::{
    Container as Spec, ContainerState, ContainerStateRunning, ContainerStateTerminated,
    ContainerStateWaiting, ContainerStatus, ContainerUser, LinuxContainerUser, Pod,
    ResourceRequirements, VolumeMountStatus,
};

use crate::{
    kubelet::{
        Inner, labels,
        plan::{Observed, Seen, is_sidecar, should_start},
        worker::{Phase, Worker},
    },
    machine::fs::Who,
    runtime::{Container, EngineKind, Reference, State},
    sim::Time,
};

/// Bytes of a termination message (`MaxContainerTerminationMessageLength`).
const MESSAGE: usize = 4096;
/// Lines and bytes of a log that stand in for a message (`FallbackToLogsOnError`).
const FALLBACK: (usize, usize) = (80, 2048);

/// What statuses are made from.
pub struct Made<'a> {
    pub me: &'a Inner,
    pub worker: &'a Worker,
    pub pod: &'a Pod,
    /// The engine's containers of the pod, newest first.
    pub engine: &'a [Rc<Container>],
}

impl Made<'_> {
    /// The statuses of containers (or init containers), in the order in which they are told.
    pub fn statuses(
        &self,
        specs: &[Spec],
        old: Option<&[ContainerStatus]>,
        init: bool,
    ) -> Vec<ContainerStatus> {
        let mut list: Vec<_> = specs
            .iter()
            .map(|spec| {
                let old = old.unwrap_or_default().iter().find(|s| s.name == spec.name);
                self.status(spec, old, init)
            })
            .collect();
        if !init {
            list.sort_by(|a, b| a.name.cmp(&b.name));
        }
        list
    }

    fn status(&self, spec: &Spec, old: Option<&ContainerStatus>, init: bool) -> ContainerStatus {
        let of_name: Vec<_> =
            self.engine.iter().filter(|c| labels(c).container == spec.name).collect();
        let mut status = match of_name.first() {
            Some(newest) => self.of_container(spec, newest),
            None => self.without_container(spec, old),
        };
        // Where someone removed its predecessor, nothing is told of that, as by the real kubelet.
        if let Some(before) = of_name.get(1) {
            status.last_state = Some(self.state(before));
        }
        self.make_waiting(spec, &mut status, init, of_name.first());
        if self.worker.phase.get() == Phase::Terminated {
            end(&mut status);
        }
        self.readiness(spec, &mut status, of_name.first(), init);
        status
    }

    fn blank(&self, spec: &Spec) -> ContainerStatus {
        ContainerStatus {
            name: spec.name.clone(),
            image: spec.image.clone().unwrap_or_default(),
            last_state: Some(ContainerState::default()),
            started: Some(false),
            ..ContainerStatus::default()
        }
    }

    /// The engine has nothing for it: it waits, or it was taken away.
    fn without_container(&self, spec: &Spec, old: Option<&ContainerStatus>) -> ContainerStatus {
        let has_init = self
            .pod
            .spec
            .as_ref()
            .is_some_and(|s| s.init_containers.as_ref().is_some_and(|i| !i.is_empty()));
        let reason = if has_init { "PodInitializing" } else { "ContainerCreating" };
        let mut status = self.blank(spec);
        status.state = Some(waiting(reason, None));
        let Some(old) = old else { return status };
        let state = old.state.clone().unwrap_or_default();
        if state.terminated.is_some() {
            return old.clone();
        }
        status.restart_count = old.restart_count;
        status.last_state = old.last_state.clone().or(status.last_state);
        if state.running.is_some() {
            status.last_state = Some(unknown_end(
                "The container could not be located when the pod was deleted.  The container used \
                 to be Running",
            ));
            if self.pod.metadata.deletion_timestamp.is_none() {
                status.restart_count += 1;
            }
        }
        status
    }

    fn of_container(&self, spec: &Spec, container: &Rc<Container>) -> ContainerStatus {
        let engine = &self.me.engine;
        let digest = engine.images().repo_digest(&container.image);
        let (image, image_id) = match engine.kind() {
            EngineKind::Docker => {
                let id = match digest.contains('@') {
                    true => format!("docker-pullable://{digest}"),
                    false => format!("docker://{digest}"),
                };
                (familiar(&container.spec.image_name), id)
            }
            EngineKind::Containerd => {
                let full = Reference::parse(&container.spec.image_name);
                let full = full.map_or(container.spec.image_name.clone(), |r| r.to_string());
                let id = match digest.split_once('@') {
                    Some((name, sum)) => {
                        let repository = Reference::parse(name).map(|r| r.repository());
                        format!("{}@{sum}", repository.unwrap_or(name.to_string()))
                    }
                    None => digest,
                };
                (full, id)
            }
        };
        let mut status = self.blank(spec);
        status.image = image;
        status.image_id = image_id;
        status.container_id = Some(format!("{}://{}", engine.kind().scheme(), container.id));
        status.restart_count = i32::try_from(labels(container).attempt).unwrap_or(i32::MAX);
        status.state = Some(self.state(container));
        self.add_resources(spec, &mut status);
        status.volume_mounts = mount_statuses(spec);
        if engine.kind() == EngineKind::Containerd && container.is_running() {
            status.user = Some(user(container));
        }
        status
    }

    fn add_resources(&self, spec: &Spec, status: &mut ContainerStatus) {
        let given = spec.resources.clone().unwrap_or_default();
        status.allocated_resources = given.requests.clone().filter(|r| !r.is_empty());
        let full =
            |list: Option<_>| list.filter(|l: &std::collections::BTreeMap<_, _>| !l.is_empty());
        status.resources = Some(ResourceRequirements {
            limits: full(given.limits),
            requests: full(given.requests),
            claims: None,
        });
    }

    /// A container's state as the API tells it.
    fn state(&self, container: &Rc<Container>) -> ContainerState {
        let status = container.status();
        match status.state {
            State::Created => waiting("ContainerCreating", None),
            State::Running => ContainerState {
                running: Some(ContainerStateRunning {
                    started_at: status.started.map(Time::to_meta),
                }),
                ..ContainerState::default()
            },
            State::Exited => {
                let failed_start = !status.error.is_empty();
                let docker = self.me.engine.kind() == EngineKind::Docker;
                let reason = match status.exit_code {
                    _ if failed_start && docker => "ContainerCannotRun",
                    _ if failed_start => "StartError",
                    _ if status.oom_killed => "OOMKilled",
                    0 => "Completed",
                    _ => "Error",
                };
                let message = match failed_start {
                    true => status.error.clone(),
                    false => self.message(container, status.exit_code),
                };
                // A container that was never started has the beginning of time as its start.
                let started = status.started.unwrap_or_default();
                ContainerState {
                    terminated: Some(ContainerStateTerminated {
                        container_id: Some(format!(
                            "{}://{}",
                            self.me.engine.kind().scheme(),
                            container.id
                        )),
                        exit_code: status.exit_code,
                        reason: Some(reason.into()),
                        message: Some(message).filter(|m| !m.is_empty()),
                        signal: None,
                        started_at: Some(started.to_meta()),
                        finished_at: status.finished.map(Time::to_meta),
                    }),
                    ..ContainerState::default()
                }
            }
        }
    }

    /// What a container left in its termination message file, or the end of its log.
    fn message(&self, container: &Container, exit_code: i32) -> String {
        let labels = labels(container);
        let file = match labels.message_path.is_empty() {
            true => None,
            false => container.machine.files().read(&labels.message_path, Who::ROOT).ok(),
        };
        let text = file.map(|bytes| {
            let cut = bytes.len().saturating_sub(MESSAGE);
            String::from_utf8_lossy(&bytes[cut..]).into_owned()
        });
        let text = text.unwrap_or_default();
        if text.is_empty() && labels.message_from_log && exit_code != 0 {
            return container.log.tail_text(FALLBACK.0, FALLBACK.1);
        }
        text
    }

    /// A container that is to be started and can't be says why it waits.
    fn make_waiting(
        &self,
        spec: &Spec,
        status: &mut ContainerStatus,
        init: bool,
        newest: Option<&&Rc<Container>>,
    ) {
        let reasons = self.worker.waiting.borrow();
        let Some(why) = reasons.get(&spec.name) else { return };
        let succeeded = newest.is_some_and(|c| {
            let status = c.status();
            status.state == State::Exited && status.exit_code == 0
        });
        if init && succeeded && !is_sidecar(spec) {
            return;
        }
        let observed = Observed {
            containers: newest
                .map(|c| Seen {
                    id: c.id.clone(),
                    name: spec.name.clone(),
                    state: c.status().state,
                    exit_code: c.status().exit_code,
                    hash: 0,
                    health: Default::default(),
                })
                .into_iter()
                .collect(),
            ..Observed::default()
        };
        if !should_start(self.pod, spec, &observed) {
            return;
        }
        if status.state.as_ref().is_some_and(|s| s.terminated.is_some()) {
            status.last_state = status.state.take();
        }
        status.state = Some(waiting(&why.reason, Some(why.message.clone())));
    }

    /// Whether it is started and ready. Models `prober_manager.UpdatePodStatus`.
    fn readiness(
        &self,
        spec: &Spec,
        status: &mut ContainerStatus,
        newest: Option<&&Rc<Container>>,
        init: bool,
    ) {
        let state = status.state.clone().unwrap_or_default();
        let running = newest.filter(|_| state.running.is_some());
        let health = running.map(|c| {
            let probes = self.worker.probes.borrow();
            (probes.health(&spec.name, &c.id).started, probes.is_ready(&spec.name, &c.id, spec))
        });
        let (started, ready) = health.unwrap_or((false, false));
        let gated = spec.startup_probe.is_some();
        status.started = Some(if gated { started } else { running.is_some() });
        if init && !is_sidecar(spec) {
            status.started = Some(false);
            status.ready = state.terminated.is_some_and(|t| t.exit_code == 0);
            return;
        }
        status.ready = status.started == Some(true) && ready;
    }
}

/// The image's name as docker tells it.
fn familiar(name: &str) -> String {
    Reference::parse(name).map_or(name.to_string(), |r| r.familiar())
}

fn waiting(reason: &str, message: Option<String>) -> ContainerState {
    ContainerState {
        waiting: Some(ContainerStateWaiting { reason: Some(reason.into()), message }),
        ..ContainerState::default()
    }
}

fn unknown_end(message: &str) -> ContainerState {
    ContainerState {
        terminated: Some(ContainerStateTerminated {
            exit_code: 137,
            reason: Some("ContainerStatusUnknown".into()),
            message: Some(message.into()),
            ..ContainerStateTerminated::default()
        }),
        ..ContainerState::default()
    }
}

/// The pod has ended: so has whatever is not known to have. Models `TerminatePod`.
fn end(status: &mut ContainerStatus) {
    if status.state.as_ref().is_some_and(|s| s.terminated.is_some()) {
        return;
    }
    if let Some(last @ ContainerState { terminated: Some(_), .. }) = &status.last_state {
        let last = last.clone();
        status.state = Some(last);
        status.last_state = Some(ContainerState::default());
        return;
    }
    status.state =
        Some(unknown_end("The container could not be located when the pod was terminated"));
}

fn mount_statuses(spec: &Spec) -> Option<Vec<VolumeMountStatus>> {
    let mounts = spec.volume_mounts.as_ref().filter(|m| !m.is_empty())?;
    let status = |m: &k8s_openapi::api::core::v1::VolumeMount| VolumeMountStatus {
        name: m.name.clone(),
        mount_path: m.mount_path.clone(),
        read_only: m.read_only.filter(|r| *r),
        recursive_read_only: (m.read_only == Some(true)).then(|| "Disabled".to_string()),
        ..Default::default()
    };
    Some(mounts.iter().map(status).collect())
}

fn user(container: &Container) -> ContainerUser {
    let who = container.process().map_or(Who::ROOT, |p| p.process().who.get());
    ContainerUser {
        linux: Some(LinuxContainerUser {
            uid: who.uid.into(),
            gid: who.gid.into(),
            supplemental_groups: Some(vec![who.gid.into()]),
        }),
    }
}
