//! `minikube stop`.

use std::time::Duration;

use super::{Command, Outcome, kubeconfig, node, style};
use crate::{
    machine::Proc,
    programs::kubectl::flags::{Flag, Parsed},
    runtime::Engine,
};

pub(super) const COMMAND: Command = Command {
    name: "stop",
    group: super::BASIC,
    short: "Stop the running cluster; everything in it is kept.",
    usage: "stop [flags]",
    flags: &[
        Flag::bool("all", false, "Stop all profiles."),
        Flag::bool("keep-context-active", false, "Leave the context in the kubeconfig."),
    ],
    run,
};

/// Shutting the node down, and what docker gives it to end (`docker stop`'s ten seconds).
const POWER_OFF: Duration = Duration::from_millis(1_200);
const GRACE: Duration = Duration::from_secs(10);

fn run(proc: Proc, parsed: Parsed) -> Outcome {
    Box::pin(async move {
        if !node::profile_exists(&proc) {
            return node::missing_profile(&proc).await;
        }
        let mut stopped = 0;
        // The control plane goes last, and comes first next time.
        for name in (0..node::profile_nodes(&proc)).rev().map(node::name) {
            style::out(&proc, "✋", &format!("Stopping node \"{name}\"  ...")).await;
            let (Some(engine), Some(container)) =
                (Engine::of(proc.machine()), node::container(&proc, &name))
            else {
                let text = format!("\"{name}\" does not exist, nothing to stop");
                style::out(&proc, "🙄", &text).await;
                continue;
            };
            if container.is_running() {
                let text = format!("Powering off \"{name}\" via SSH ...");
                style::out(&proc, "🛑", &text).await;
                proc.sleep(POWER_OFF).await;
                engine.stop(&container, GRACE).await;
            }
            stopped += 1;
        }
        if !parsed.bool("keep-context-active") {
            if let Err(error) = kubeconfig::remove(&proc) {
                return style::exit(&proc, "HOST_KUBECONFIG_DELETE_CTX", &error, 50).await;
            }
        }
        let plural = if stopped == 1 { "" } else { "s" };
        style::out(&proc, "🛑", &format!("{stopped} node{plural} stopped.")).await;
        0
    })
}
