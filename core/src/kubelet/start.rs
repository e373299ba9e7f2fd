//! Starts one container: back-off, image, configuration, creation, start, hook.
//!
//! Models `kuberuntime_container.go`: `startContainer`, `generateContainerConfig`.

use std::{rc::Rc, time::Duration};

use k8s_openapi::api::core::v1::Container as Spec;

use super::{Inner, labels, plan::container_hash, resources, worker::Worker};
use crate::{
    client::EventType,
    machine::fs::Who,
    runtime::{
        Container, ContainerSpec, EngineKind, Image, NetworkMode, PidMode, PodLabels, Reference,
        State, Work,
    },
    sim::Time,
};

/// Why a container could not be started.
pub struct StartError {
    /// Told as the reason why the container waits.
    pub reason: String,
    /// Told as the message.
    pub message: String,
    /// When it makes sense to try again, if that is known.
    pub again: Option<Time>,
}

impl StartError {
    /// An error without a known time to try again.
    pub fn new(reason: &str, message: impl Into<String>) -> Self {
        StartError { reason: reason.into(), message: message.into(), again: None }
    }
}

impl Inner {
    /// Starts a container of a pod. `field` names it in events.
    pub async fn start_container(
        &self,
        worker: &Rc<Worker>,
        spec: &Spec,
        field: &str,
        sandbox: &Rc<Container>,
    ) -> Result<(), StartError> {
        self.check_backoff(worker, spec, field)?;
        let (image, pulled) = self.ensure_image(worker, spec, field).await?;
        let fail = |reason: &str, message: String| {
            let pod = worker.pod();
            let text = format!("Error: {message}");
            self.recorder.event_at(&*pod, field, EventType::Warning, "Failed", &text);
            Err(StartError::new(reason, message))
        };
        let config = match self.configure(worker, spec, &image, sandbox) {
            Ok(mut config) => {
                let reference = Reference::parse(&config.image_name).ok();
                let repository = reference.map(|r| r.familiar_repository()).filter(|_| pulled);
                config.image_shown =
                    Some(repository.unwrap_or_else(|| image.short_id().to_string()));
                config
            }
            Err(message) => return fail("CreateContainerConfigError", message),
        };
        self.engine.takes(Work::Create).await;
        let container = match self.engine.create(&image, config) {
            Ok(container) => container,
            Err(error) => return fail("CreateContainerError", self.engine_words(&error.message)),
        };
        self.prepare_files(spec, &container);
        let pod = worker.pod();
        self.recorder.event_at(&*pod, field, EventType::Normal, "Created", "Container created");
        self.engine.takes(Work::Start).await;
        if let Err(error) = self.engine.launch(&container) {
            let message = match self.engine.kind() {
                EngineKind::Docker => format!(
                    "failed to start container \"{}\": {}",
                    container.id,
                    self.engine_words(&error.message)
                ),
                EngineKind::Containerd => error.message,
            };
            return fail("RunContainerError", message);
        }
        self.recorder.event_at(&*pod, field, EventType::Normal, "Started", "Container started");
        self.prune(worker);
        self.start_probes(worker, spec);
        self.post_start(worker, spec, field, &container).await
    }

    fn engine_words(&self, message: &str) -> String {
        match self.engine.kind() {
            EngineKind::Docker => format!("Error response from daemon: {message}"),
            EngineKind::Containerd => message.to_string(),
        }
    }

    /// Models `doBackOff`: a container that exited is not started again before its pause is over.
    fn check_backoff(
        &self,
        worker: &Rc<Worker>,
        spec: &Spec,
        field: &str,
    ) -> Result<(), StartError> {
        let last = self.newest(worker, &spec.name);
        let Some(last) = last.filter(|c| c.status().state == State::Exited) else { return Ok(()) };
        let now = self.sim.now();
        let ended = last.status().finished.unwrap_or(now);
        let key = format!("{}_{}_{:x}", worker.uid, spec.name, container_hash(spec));
        let pausing = self.crash_backoff.borrow().pausing(&key, ended, now);
        if let Some((pause, until)) = pausing {
            let (name, pod_name) = (&spec.name, worker.full_name());
            let text = format!("Back-off restarting failed container {name} in pod {pod_name}");
            let pod = worker.pod();
            self.recorder.event_at(&*pod, field, EventType::Warning, "BackOff", &text);
            let message = format!(
                "back-off {} restarting failed container={name} pod={pod_name}",
                super::images::go_duration(pause)
            );
            let mut error = StartError::new("CrashLoopBackOff", message);
            error.again = Some(until);
            return Err(error);
        }
        self.crash_backoff.borrow_mut().next(&key, ended, now);
        Ok(())
    }

    /// The newest container of a name that the engine has for a pod.
    pub fn newest(&self, worker: &Worker, name: &str) -> Option<Rc<Container>> {
        self.containers_of(&worker.uid).into_iter().find(|c| labels(c).container == name)
    }

    fn attempt(&self, worker: &Worker, name: &str) -> u32 {
        match self.newest(worker, name) {
            Some(last) => labels(&last).attempt + 1,
            // Someone removed it behind the kubelet's back; the log directory still counts.
            None => self.engine.last_attempt(&worker.uid, name).map_or(0, |n| n + 1),
        }
    }

    fn configure(
        &self,
        worker: &Rc<Worker>,
        spec: &Spec,
        image: &Image,
        sandbox: &Container,
    ) -> Result<ContainerSpec, String> {
        let pod = worker.pod();
        let env = self.environment(worker, &pod, spec, sandbox)?;
        let user = self.user(worker, spec, image)?;
        let expand = |list: &Option<Vec<String>>| {
            let list = list.as_ref().filter(|l| !l.is_empty())?;
            Some(list.iter().map(|word| super::env::expand(word, &|name| env.get(name))).collect())
        };
        let policy = spec.termination_message_policy.as_deref();
        let labels = PodLabels {
            namespace: worker.namespace.clone(),
            pod: worker.name.clone(),
            uid: worker.uid.to_string(),
            container: spec.name.clone(),
            attempt: self.attempt(worker, &spec.name),
            sandbox: sandbox.id.clone(),
            hash: container_hash(spec),
            message_path: spec.termination_message_path.clone().unwrap_or_default(),
            message_from_log: policy == Some("FallbackToLogsOnError"),
        };
        let security = spec.security_context.as_ref();
        Ok(ContainerSpec {
            name: labels.container_name(),
            image_name: spec.image.clone().unwrap_or_default(),
            entrypoint: expand(&spec.command),
            args: expand(&spec.args),
            mounts: self.mounts(worker, spec, &env)?,
            env: {
                let mut all = env.into_list();
                all.extend(self.device_variables(worker, &pod, spec)?);
                all
            },
            workdir: spec.working_dir.clone(),
            user,
            hostname: Some(sandbox.machine.hostname()),
            tty: spec.tty.unwrap_or(false),
            stdin: spec.stdin.unwrap_or(false),
            stdin_once: spec.stdin_once.unwrap_or(false),
            memory_limit: resources::limit(spec, "memory").map(resources::value).filter(|m| *m > 0),
            cpu_limit: resources::limit(spec, "cpu").map(resources::milli_value),
            network: match &sandbox.spec.network {
                NetworkMode::Host => NetworkMode::Host,
                _ => NetworkMode::Container(sandbox.id.clone()),
            },
            pids: self.pids(worker, spec, sandbox),
            read_only: security.and_then(|s| s.read_only_root_filesystem).unwrap_or(false),
            pod: Some(Rc::new(labels)),
            ..ContainerSpec::default()
        })
    }

    /// Whose processes a container sees: the node's, the pod's, its target's or its own.
    fn pids(&self, worker: &Worker, spec: &Spec, sandbox: &Container) -> PidMode {
        let pod = worker.pod();
        let Some(of_pod) = &pod.spec else { return PidMode::Own };
        if of_pod.host_pid == Some(true) {
            return PidMode::Host;
        }
        if of_pod.share_process_namespace == Some(true) {
            return PidMode::Container(sandbox.id.clone());
        }
        let ephemeral = of_pod.ephemeral_containers.iter().flatten();
        let target = ephemeral
            .filter(|c| c.name == spec.name)
            .find_map(|c| c.target_container_name.clone())
            .and_then(|name| self.newest(worker, &name));
        target.map_or(PidMode::Own, |target| PidMode::Container(target.id.clone()))
    }

    /// Who the container runs as. Models `verifyRunAsNonRoot`.
    fn user(&self, worker: &Worker, spec: &Spec, image: &Image) -> Result<Option<String>, String> {
        let pod = worker.pod();
        let of_pod = pod.spec.as_ref().and_then(|s| s.security_context.as_ref());
        let own = spec.security_context.as_ref();
        let uid = own.and_then(|s| s.run_as_user).or(of_pod.and_then(|s| s.run_as_user));
        let gid = own.and_then(|s| s.run_as_group).or(of_pod.and_then(|s| s.run_as_group));
        let non_root = own
            .and_then(|s| s.run_as_non_root)
            .or(of_pod.and_then(|s| s.run_as_non_root))
            .unwrap_or(false);
        if non_root {
            let who = format!("(pod: \"{}\", container: {})", worker.full_name(), spec.name);
            let image_user = image.config.user.split(':').next().unwrap_or_default();
            match (uid, image_user) {
                (Some(0), _) => {
                    return Err(format!("container's runAsUser breaks non-root policy {who}"));
                }
                (Some(_), _) => {}
                (None, "" | "0") => {
                    return Err(format!(
                        "container has runAsNonRoot and image will run as root {who}"
                    ));
                }
                (None, user) if user.parse::<u32>().is_err() => {
                    return Err(format!(
                        "container has runAsNonRoot and image has non-numeric user ({user}), \
                         cannot verify user is non-root {who}"
                    ));
                }
                _ => {}
            }
        }
        Ok(match (uid, gid) {
            (Some(uid), Some(gid)) => Some(format!("{uid}:{gid}")),
            (Some(uid), None) => Some(uid.to_string()),
            (None, Some(gid)) => Some(format!("{}:{gid}", image.config.user)),
            (None, None) => None,
        })
    }

    /// The file for the termination message exists before the container starts, for everyone to write.
    fn prepare_files(&self, spec: &Spec, container: &Container) {
        let path = spec.termination_message_path.as_deref().unwrap_or("/dev/termination-log");
        let files = container.machine.files();
        if files.stat(path, Who::ROOT).is_err() {
            let root = files.root();
            let _ = root.write_shared(path, Rc::default(), 0o666, self.sim.now());
        }
    }

    async fn post_start(
        &self,
        worker: &Rc<Worker>,
        spec: &Spec,
        field: &str,
        container: &Rc<Container>,
    ) -> Result<(), StartError> {
        let Some(hook) = spec.lifecycle.as_ref().and_then(|l| l.post_start.as_ref()) else {
            return Ok(());
        };
        let result = self.run_hook(worker, spec, hook, container).await;
        let Err(error) = result else { return Ok(()) };
        let pod = worker.pod();
        let event = "FailedPostStartHook";
        self.recorder.event_at(&*pod, field, EventType::Warning, event, "PostStartHook failed");
        let grace = pod.spec.as_ref().and_then(|s| s.termination_grace_period_seconds);
        let grace = Duration::from_secs(grace.unwrap_or(30).max(0) as u64);
        self.recorder.event_at(&*pod, field, EventType::Normal, "Killing", "FailedPostStartHook");
        self.engine.stop(container, grace).await;
        Err(StartError::new("PostStartHookError", error))
    }
}
