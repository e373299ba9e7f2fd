//! Decides what is to be done about a pod, from its specification and what runs. Does nothing itself.
//!
//! Models `kuberuntime_manager.go`: `computePodActions`, `computeInitContainerActions`,
//! `PodSandboxChanged`, `ShouldContainerBeRestarted`.

use k8s_openapi::api::core::v1::{Container, EphemeralContainer, Pod, PodSpec};

use crate::runtime::{State, digest};

/// A container that the runtime has for the pod.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// The runtime's id.
    pub id: String,
    /// The container's name in the pod.
    pub name: String,
    /// What it does.
    pub state: State,
    /// How it exited.
    pub exit_code: i32,
    /// [`container_hash`] of the specification that it was made from.
    pub hash: u64,
    /// What its probes say.
    pub health: Health,
}

/// What a container's probes say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Whether the liveness probe has failed for good.
    pub liveness_failed: bool,
    /// Whether the startup probe has failed for good.
    pub startup_failed: bool,
    /// Whether it counts as started: its startup probe has succeeded, or it has none.
    pub started: bool,
}

/// A sandbox that the runtime has for the pod.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenSandbox {
    /// The runtime's id.
    pub id: String,
    /// Whether it runs.
    pub ready: bool,
    /// Which attempt it is.
    pub attempt: u32,
    /// Whether it has the address it needs.
    pub has_address: bool,
}

/// Everything the runtime has for a pod, newest first.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Its sandboxes.
    pub sandboxes: Vec<SeenSandbox>,
    /// Its containers, init containers included.
    pub containers: Vec<Seen>,
}

impl Observed {
    /// The newest container of a name.
    pub fn container(&self, name: &str) -> Option<&Seen> {
        self.containers.iter().find(|c| c.name == name)
    }
}

/// Why a container is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillReason {
    /// Its specification changed.
    Changed,
    /// Its startup probe failed.
    StartupProbe,
    /// Its liveness probe failed.
    LivenessProbe,
}

/// A container to be killed.
#[derive(Clone, Debug, PartialEq)]
pub struct Kill {
    /// The runtime's id.
    pub id: String,
    /// The container's name in the pod.
    pub name: String,
    /// Told in the event `Killing`.
    pub message: String,
    /// Why.
    pub reason: KillReason,
}

/// What is to be done, in this order: kill, create the sandbox, start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Everything is killed, the sandbox too.
    pub kill_pod: bool,
    /// A sandbox is created.
    pub create_sandbox: bool,
    /// The sandbox that exists.
    pub sandbox: Option<String>,
    /// The new sandbox's attempt.
    pub attempt: u32,
    /// Containers to kill, where not everything is killed.
    pub kill: Vec<Kill>,
    /// Init containers to start, by place.
    pub init: Vec<usize>,
    /// Containers to start, by place.
    pub start: Vec<usize>,
    /// Ephemeral containers to start, by place.
    pub ephemeral: Vec<usize>,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_idle(&self) -> bool {
        !self.kill_pod
            && self.kill.is_empty()
            && self.init.is_empty()
            && self.start.is_empty()
            && self.ephemeral.is_empty()
    }
}

/// An ephemeral container as the ordinary one that it is to the runtime.
pub fn as_container(of: &EphemeralContainer) -> Container {
    Container {
        name: of.name.clone(),
        image: of.image.clone(),
        command: of.command.clone(),
        args: of.args.clone(),
        working_dir: of.working_dir.clone(),
        env: of.env.clone(),
        env_from: of.env_from.clone(),
        volume_mounts: of.volume_mounts.clone(),
        volume_devices: of.volume_devices.clone(),
        termination_message_path: of.termination_message_path.clone(),
        termination_message_policy: of.termination_message_policy.clone(),
        image_pull_policy: of.image_pull_policy.clone(),
        security_context: of.security_context.clone(),
        stdin: of.stdin,
        stdin_once: of.stdin_once,
        tty: of.tty,
        resources: of.resources.clone(),
        ..Container::default()
    }
}

/// Tells whether a container's specification changed: only its name and image count.
pub fn container_hash(container: &Container) -> u64 {
    let hex = digest::hex64([&*container.name, container.image.as_deref().unwrap_or_default()]);
    u64::from_str_radix(&hex[..16], 16).unwrap_or(0)
}

/// Whether an init container is a sidecar: it is restarted whatever happens, and the next one is
/// started while it runs.
pub fn is_sidecar(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

fn pod_policy(spec: &PodSpec) -> &str {
    spec.restart_policy.as_deref().unwrap_or("Always")
}

/// Whether a container that exited with this code is started again.
pub fn restarts_after(spec: &PodSpec, container: &Container, exit_code: i32) -> bool {
    for rule in container.restart_policy_rules.iter().flatten() {
        let matches = rule.exit_codes.as_ref().is_some_and(|codes| {
            let listed = codes.values.iter().flatten().any(|v| *v == exit_code);
            listed == (codes.operator == "In")
        });
        if rule.action == "Restart" && matches {
            return true;
        }
    }
    match container.restart_policy.as_deref().unwrap_or(pod_policy(spec)) {
        "Never" => false,
        "OnFailure" => exit_code != 0,
        _ => true,
    }
}

/// Whether a container is to be started, again or for the first time.
pub fn should_start(pod: &Pod, container: &Container, observed: &Observed) -> bool {
    let Some(spec) = &pod.spec else { return false };
    if pod.metadata.deletion_timestamp.is_some() {
        return false;
    }
    match observed.container(&container.name) {
        None => true,
        Some(seen) => match seen.state {
            State::Running => false,
            State::Created => true,
            State::Exited => restarts_after(spec, container, seen.exit_code),
        },
    }
}

/// What is to be done about a pod.
pub fn plan(pod: &Pod, observed: &Observed) -> Plan {
    let Some(spec) = &pod.spec else { return Plan::default() };
    let (changed, attempt, sandbox) = sandbox_changed(observed);
    let mut plan =
        Plan { kill_pod: changed, create_sandbox: changed, sandbox, attempt, ..Plan::default() };
    if changed {
        plan_new_sandbox(spec, observed, &mut plan);
        return plan;
    }
    // Ephemeral containers are started once, whatever the others do, and never again.
    for (index, container) in spec.ephemeral_containers.iter().flatten().enumerate() {
        if observed.container(&container.name).is_none() {
            plan.ephemeral.push(index);
        }
    }
    let initialized = plan_init(spec, observed, &mut plan);
    if plan.kill_pod || !initialized {
        return plan;
    }
    let mut kept = 0;
    for (index, container) in spec.containers.iter().enumerate() {
        let seen = observed.container(&container.name);
        let Some(seen) = seen.filter(|s| s.state == State::Running) else {
            if should_start(pod, container, observed) {
                plan.start.push(index);
            }
            continue;
        };
        let name = &container.name;
        let mut restart = restarts_after(spec, container, 137);
        let (mut message, reason) = if seen.hash != container_hash(container) {
            restart = true;
            (format!("Container {name} definition changed"), KillReason::Changed)
        } else if seen.health.liveness_failed {
            (format!("Container {name} failed liveness probe"), KillReason::LivenessProbe)
        } else if seen.health.startup_failed {
            (format!("Container {name} failed startup probe"), KillReason::StartupProbe)
        } else {
            kept += 1;
            continue;
        };
        if restart {
            message.push_str(", will be restarted");
            plan.start.push(index);
        }
        plan.kill.push(Kill { id: seen.id.clone(), name: name.clone(), message, reason });
    }
    if kept == 0 && plan.start.is_empty() {
        plan.kill_pod = true;
        plan.init.clear();
        plan.ephemeral.clear();
    }
    plan
}

fn sandbox_changed(observed: &Observed) -> (bool, u32, Option<String>) {
    let Some(newest) = observed.sandboxes.first() else { return (true, 0, None) };
    let ready = observed.sandboxes.iter().filter(|s| s.ready).count();
    let id = Some(newest.id.clone());
    if ready > 1 || !newest.ready || !newest.has_address {
        return (true, newest.attempt + 1, id);
    }
    (false, newest.attempt, id)
}

fn plan_new_sandbox(spec: &PodSpec, observed: &Observed, plan: &mut Plan) {
    let any_ran = !observed.containers.is_empty();
    if pod_policy(spec) == "Never" && plan.attempt != 0 && any_ran {
        plan.create_sandbox = false;
        return;
    }
    let succeeded = |c: &Container| {
        observed
            .container(&c.name)
            .is_some_and(|seen| seen.state == State::Exited && seen.exit_code == 0)
    };
    let start: Vec<usize> = (0..spec.containers.len())
        .filter(|i| pod_policy(spec) != "OnFailure" || !succeeded(&spec.containers[*i]))
        .collect();
    let initialized = spec.containers.iter().any(|c| observed.container(&c.name).is_some());
    if start.is_empty() && initialized {
        plan.create_sandbox = false;
        return;
    }
    if spec.init_containers.as_ref().is_some_and(|init| !init.is_empty()) {
        plan.init = vec![0];
        return;
    }
    plan.start = start;
}

/// Plans init containers; whether all have done their work.
fn plan_init(spec: &PodSpec, observed: &Observed, plan: &mut Plan) -> bool {
    let init = spec.init_containers.as_deref().unwrap_or_default();
    if init.is_empty() {
        return true;
    }
    // Containers of an earlier sandbox have all exited: only living ones tell.
    let mut initialized = spec.containers.iter().any(|c| {
        let seen = observed.container(&c.name);
        seen.is_some_and(|seen| seen.state != State::Exited)
    });
    let mut found = false;
    // Backwards, as the runtime may have lost those that completed.
    for (index, container) in init.iter().enumerate().rev() {
        let sidecar = is_sidecar(container);
        let Some(seen) = observed.container(&container.name) else {
            if initialized && sidecar {
                plan.init.push(index);
            }
            continue;
        };
        found = true;
        let last = index + 1 == init.len();
        match seen.state {
            State::Created => plan.init.push(index),
            State::Running if sidecar => {
                plan_running_sidecar((index, last), container, seen, plan, &mut initialized);
            }
            State::Running => {}
            State::Exited if sidecar => plan.init.push(index),
            State::Exited if initialized => {}
            State::Exited if seen.exit_code != 0 => {
                if pod_policy(spec) == "Never" {
                    plan.kill_pod = true;
                    plan.init.clear();
                    return false;
                }
                plan.init.push(index);
            }
            State::Exited if last => initialized = true,
            State::Exited => plan.init.push(index + 1),
        }
        if !initialized {
            break;
        }
    }
    if !found && !initialized {
        plan.init.push(0);
    }
    plan.init.reverse();
    initialized
}

fn plan_running_sidecar(
    (index, last): (usize, bool),
    container: &Container,
    seen: &Seen,
    plan: &mut Plan,
    initialized: &mut bool,
) {
    let name = &container.name;
    let kill = |what: &str, reason| Kill {
        id: seen.id.clone(),
        name: name.clone(),
        message: format!("Init container {name} {what}"),
        reason,
    };
    if seen.health.startup_failed {
        plan.kill.push(kill("failed startup probe", KillReason::StartupProbe));
        plan.init.push(index);
        return;
    }
    if !seen.health.started {
        return;
    }
    if seen.hash != container_hash(container) {
        plan.kill.push(kill("definition changed", KillReason::Changed));
        plan.init.push(index);
    } else if seen.health.liveness_failed {
        plan.kill.push(kill("failed liveness probe", KillReason::LivenessProbe));
        plan.init.push(index);
    }
    if last {
        *initialized = true;
    } else if !*initialized {
        plan.init.push(index + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::object::from_value;
    use serde_json::json;

    fn pod(policy: &str, init: &[(&str, &str)], containers: &[&str]) -> Pod {
        let container = |name: &str| json!({"name": name, "image": "i"});
        let init: Vec<_> = init
            .iter()
            .map(|(name, policy)| match *policy {
                "" => container(name),
                policy => json!({"name": name, "image": "i", "restartPolicy": policy}),
            })
            .collect();
        let containers: Vec<_> = containers.iter().map(|n| container(n)).collect();
        from_value(json!({"spec": {
            "restartPolicy": policy, "initContainers": init, "containers": containers
        }}))
        .unwrap()
    }

    /// `name:run`, `name:new`, `name:0`, `name:1` …, `name:dead` (liveness), `name:slow` (not
    /// started yet), `name:old` (specification changed); `sandbox` and `-sandbox` (exited).
    fn observed(pod: &Pod, words: &str) -> Observed {
        let mut observed = Observed::default();
        for word in words.split_whitespace() {
            if word.ends_with("sandbox") {
                observed.sandboxes.push(SeenSandbox {
                    id: "s".into(),
                    ready: !word.starts_with('-'),
                    attempt: 0,
                    has_address: true,
                });
                continue;
            }
            let (name, what) = word.split_once(':').unwrap();
            let spec = pod.spec.as_ref().unwrap();
            let all = spec.containers.iter().chain(spec.init_containers.iter().flatten());
            let hash = all.filter(|c| c.name == name).map(container_hash).next().unwrap();
            observed.containers.push(Seen {
                id: name.into(),
                name: name.into(),
                state: match what {
                    "run" | "dead" | "slow" | "old" => State::Running,
                    "new" => State::Created,
                    _ => State::Exited,
                },
                exit_code: what.parse().unwrap_or(0),
                hash: if what == "old" { 1 } else { hash },
                health: Health {
                    liveness_failed: what == "dead",
                    startup_failed: false,
                    started: what != "slow",
                },
            });
        }
        observed
    }

    fn say(plan: &Plan) -> String {
        let mut words = Vec::new();
        if plan.kill_pod {
            words.push("kill-pod".to_string());
        }
        if plan.create_sandbox {
            words.push(format!("sandbox-{}", plan.attempt));
        }
        words.extend(plan.kill.iter().map(|k| format!("kill-{}", k.name)));
        words.extend(plan.init.iter().map(|i| format!("init-{i}")));
        words.extend(plan.start.iter().map(|i| format!("start-{i}")));
        words.join(" ")
    }

    #[test]
    fn plans_follow_from_what_runs() {
        let two: &[&str] = &["a", "b"];
        let init: &[(&str, &str)] = &[("i", ""), ("j", "")];
        let side: &[(&str, &str)] = &[("s", "Always"), ("i", "")];
        for (policy, init, containers, seen, want) in [
            ("Always", &[][..], two, "", "kill-pod sandbox-0 start-0 start-1"),
            ("Always", &[], two, "-sandbox a:137 b:137", "kill-pod sandbox-1 start-0 start-1"),
            ("Always", &[], two, "sandbox", "start-0 start-1"),
            ("Always", &[], two, "sandbox a:run b:run", ""),
            ("Always", &[], two, "sandbox a:0 b:run", "start-0"),
            ("Always", &[], two, "sandbox a:new b:run", "start-0"),
            ("Always", &[], two, "sandbox a:dead b:run", "kill-a start-0"),
            ("Always", &[], two, "sandbox a:old b:run", "kill-a start-0"),
            ("Never", &[], two, "sandbox a:dead b:run", "kill-a"),
            ("OnFailure", &[], two, "sandbox a:0 b:1", "start-1"),
            ("OnFailure", &[], two, "sandbox a:0 b:0", "kill-pod"),
            ("Never", &[], two, "sandbox a:1 b:0", "kill-pod"),
            ("Never", &[], two, "-sandbox a:1 b:137", "kill-pod"),
            ("OnFailure", &[], two, "-sandbox a:0 b:137", "kill-pod sandbox-1 start-1"),
            ("OnFailure", &[], two, "-sandbox a:0 b:0", "kill-pod"),
            ("Always", init, two, "", "kill-pod sandbox-0 init-0"),
            ("Always", init, two, "sandbox", "init-0"),
            ("Always", init, two, "sandbox i:run", ""),
            ("Always", init, two, "sandbox i:0", "init-1"),
            ("Always", init, two, "sandbox i:1", "init-0"),
            ("Never", init, two, "sandbox i:1", "kill-pod"),
            ("Always", init, two, "sandbox j:0 i:0", "start-0 start-1"),
            ("Always", init, two, "sandbox j:0 i:0 a:run b:run", ""),
            ("Always", init, two, "sandbox a:run b:1", "start-1"),
            ("Always", side, two, "sandbox s:slow", ""),
            ("Always", side, two, "sandbox s:run", "init-1"),
            ("Always", side, two, "sandbox i:0 s:run", "start-0 start-1"),
            ("Always", side, two, "sandbox i:0 s:1 a:run b:run", "init-0"),
            ("Always", side, two, "sandbox i:0 s:dead a:run b:run", "kill-s init-0"),
        ] {
            let pod = pod(policy, init, containers);
            let got = say(&plan(&pod, &observed(&pod, seen)));
            assert_eq!(got, want, "{policy} {seen}");
        }
    }

    #[test]
    fn a_container_can_have_a_policy_of_its_own() {
        let spec: PodSpec = from_value(json!({"restartPolicy": "Never", "containers": [
            {"name": "a", "restartPolicy": "OnFailure"},
            {"name": "b", "restartPolicy": "Never", "restartPolicyRules": [
                {"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}]}
        ]}))
        .unwrap();
        let restarts = |i: usize, code| restarts_after(&spec, &spec.containers[i], code);
        assert!(restarts(0, 1) && !restarts(0, 0) && restarts(1, 42) && !restarts(1, 1));
    }
}
