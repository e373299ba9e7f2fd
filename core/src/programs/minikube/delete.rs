//! `minikube delete`.

use super::{Command, Outcome, kubeconfig, node, style};
use crate::{
    machine::Proc,
    programs::kubectl::flags::{Flag, Parsed},
    runtime::Engine,
};

pub(super) const COMMAND: Command = Command {
    name: "delete",
    group: super::BASIC,
    short: "Delete the cluster and everything in it.",
    usage: "delete [flags]",
    flags: &[
        Flag::bool("all", false, "Delete all profiles."),
        Flag::bool("purge", false, "Delete minikube's own directory as well."),
    ],
    run,
};

fn run(proc: Proc, parsed: Parsed) -> Outcome {
    Box::pin(async move {
        let home = proc.env("HOME").unwrap_or_else(|| "/root".into());
        let names: Vec<_> = (0..node::profile_nodes(&proc)).map(node::name).collect();
        let there = names.iter().any(|name| node::container(&proc, name).is_some());
        if !node::profile_exists(&proc) && !there {
            let text = "\"minikube\" profile does not exist, trying anyways.";
            style::err(&proc, "🙄", text).await;
        } else {
            style::out(&proc, "🔥", "Deleting \"minikube\" in docker ...").await;
        }
        for name in names.iter().rev() {
            if let (Some(engine), Some(container)) =
                (Engine::of(proc.machine()), node::container(&proc, name))
            {
                style::out(&proc, "🔥", &format!("Deleting container \"{name}\" ...")).await;
                proc.sleep(std::time::Duration::from_millis(900)).await;
                if let Err(error) = engine.remove(&container, true) {
                    return style::exit(&proc, "GUEST_DELETION", &error.message, 80).await;
                }
            }
        }
        for name in &names {
            let machine = format!("{home}/.minikube/machines/{name}");
            style::out(&proc, "🔥", &format!("Removing {machine} ...")).await;
        }
        let _ = proc.remove(&format!("{}/config.json", node::profile_dir(&proc)));
        if let Err(error) = kubeconfig::remove(&proc) {
            return style::exit(&proc, "HOST_KUBECONFIG_DELETE_CTX", &error, 50).await;
        }
        style::out(&proc, "💀", "Removed all traces of the \"minikube\" cluster.").await;
        if parsed.bool("all") {
            style::out(&proc, "🔥", "Successfully deleted all profiles").await;
        }
        if parsed.bool("purge") {
            let text =
                format!("Successfully purged minikube directory located at - [{home}/.minikube]");
            style::out(&proc, "💀", &text).await;
        }
        0
    })
}
