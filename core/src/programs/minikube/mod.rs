//! `minikube`: starts, stops and looks after the cluster in a container of the host's Docker.
//!
//! The program only does what the real one does: it runs a container of the node's image, writes
//! what the node needs into it, waits until the API server answers, and edits the kubeconfig. The
//! cluster itself is in that container. Models `kubernetes/minikube` v1.38.
//!
//! Commands that are not here say so and exit with an error.

mod dashboard;
mod delete;
mod help;
mod kubeconfig;
mod kubectl;
mod lookups;
mod node;
mod nodes;
mod service;
mod ssh;
mod start;
mod status;
mod stop;
mod style;
mod tunnel;

use std::{future::Future, pin::Pin};

use crate::{
    machine::{CompleteCx, Proc, Program},
    programs::kubectl::flags::{Flag, Parsed},
};

/// minikube's own version.
pub const VERSION: &str = "v1.38.1";
/// The version of Kubernetes that it starts.
pub const KUBERNETES: &str = "v1.36.2";
/// The only profile: one cluster at a time.
pub const PROFILE: &str = "minikube";

/// The program.
pub static PROGRAM: Program = Program {
    name: "minikube",
    summary: "run a local Kubernetes cluster",
    run: |proc| Box::pin(main(proc)),
    complete: Some(complete),
};

type Outcome = Pin<Box<dyn Future<Output = i32>>>;

/// A command of minikube.
struct Command {
    name: &'static str,
    /// The group of `minikube --help` that it is in.
    group: &'static str,
    short: &'static str,
    usage: &'static str,
    flags: &'static [Flag],
    run: fn(Proc, Parsed) -> Outcome,
}

const BASIC: &str = "Basic Commands";
const NETWORK: &str = "Networking and Connectivity Commands";
const CONFIG: &str = "Configuration and Management Commands";
const ADVANCED: &str = "Advanced Commands";
const TROUBLE: &str = "Troubleshooting Commands";

/// One line a command, in the order of the help.
const COMMANDS: &[&Command] = &[
    &start::COMMAND,
    &status::COMMAND,
    &stop::COMMAND,
    &delete::COMMAND,
    &dashboard::COMMAND,
    &lookups::PROFILE,
    &lookups::ADDONS,
    &lookups::UPDATE_CONTEXT,
    &service::COMMAND,
    &tunnel::COMMAND,
    &ssh::COMMAND,
    &kubectl::COMMAND,
    &nodes::COMMAND,
    &lookups::IP,
    &lookups::LOGS,
    &lookups::VERSION_COMMAND,
];

/// Commands of the real program that mean nothing here, and why.
const NOT_HERE: &[(&str, &str)] = &[
    ("cache", "images come from the simulated registries only"),
    ("completion", "completion of minikube is built into this shell"),
    ("config", "minikube's settings are fixed here"),
    ("cp", "use docker cp to copy files to the node"),
    ("docker-env", "use minikube ssh or docker exec to reach the node's Docker"),
    ("image", "images come from the simulated registries only"),
    ("license", "there is nothing to download here"),
    ("mount", "the host's folders can't be mounted into the node here"),
    ("pause", "pausing the cluster is not simulated; the clock below can be paused"),
    ("podman-env", "there is no Podman here"),
    ("ssh-host", "there is no SSH here; use minikube ssh"),
    ("ssh-key", "there is no SSH here; use minikube ssh"),
    ("unpause", "pausing the cluster is not simulated; the clock below can be paused"),
    ("update-check", "there is no network beyond the simulated one"),
];

/// Flags that every command takes.
const GLOBAL: &[Flag] = &[
    Flag::str("profile", "minikube", "The cluster's name.").short("p"),
    Flag::bool("alsologtostderr", false, "Log to standard error as well.").hidden(),
    Flag::int("v", "0", "How much is logged.").short("v").hidden(),
];

async fn main(proc: Proc) -> i32 {
    let args = proc.args()[1..].to_vec();
    // Flags may come before the command, as in `minikube -p x start`.
    let at = args.iter().position(|a| !a.starts_with('-')).unwrap_or(args.len());
    let at = if matches!(args.first().map(String::as_str), Some("-p" | "--profile")) {
        2.min(args.len())
    } else {
        at
    };
    let Some(name) = args.get(at) else { return help::general(&proc).await };
    if name == "help" {
        return match args.get(at + 1).and_then(|n| COMMANDS.iter().find(|c| c.name == n)) {
            Some(command) => help::of(&proc, command).await,
            None => help::general(&proc).await,
        };
    }
    let Some(command) = COMMANDS.iter().find(|c| c.name == name) else {
        return unknown(&proc, name).await;
    };
    let mut rest = args.clone();
    rest.remove(at);
    if command.name == "kubectl" {
        // Everything behind it is kubectl's.
        let mut parsed = Parsed::default();
        parsed.args = rest;
        return (command.run)(proc, parsed).await;
    }
    let flags = command.flags.iter().chain(GLOBAL);
    let parsed = match Parsed::read(&format!("minikube {name}"), flags, &rest) {
        Ok(parsed) => parsed,
        Err(error) => {
            proc.eprint(&format!("Error: {error}\nSee 'minikube {name} --help' for usage.\n"))
                .await;
            return 1;
        }
    };
    if parsed.help {
        return help::of(&proc, command).await;
    }
    if parsed.str("profile") != PROFILE {
        style::err(
            &proc,
            "⛔",
            "Only one cluster, named \"minikube\", can be simulated at a time.",
        )
        .await;
        return 64;
    }
    (command.run)(proc, parsed).await
}

async fn unknown(proc: &Proc, name: &str) -> i32 {
    if let Some((_, why)) = NOT_HERE.iter().find(|(n, _)| *n == name) {
        proc.eprint(&format!("minikube {name} is not simulated: {why}.\n")).await;
        return 1;
    }
    proc.eprint(&format!(
        "Error: unknown command \"{name}\" for \"minikube\"\nRun 'minikube --help' for usage.\n"
    ))
    .await;
    64
}

fn complete(cx: &CompleteCx) -> Vec<String> {
    if cx.words.len() <= 2 {
        return COMMANDS.iter().map(|c| c.name.to_string()).collect();
    }
    if cx.words[1] == "kubectl" {
        let mut words = vec!["kubectl".to_string()];
        words.extend(cx.words[2..].iter().filter(|w| *w != "--").cloned());
        let kubectl = cx.machine().registered("kubectl").and_then(|p| p.complete);
        let inner = CompleteCx { proc: cx.proc, words: &words };
        return kubectl.map(|complete| complete(&inner)).unwrap_or_default();
    }
    let command = COMMANDS.iter().find(|c| c.name == cx.words[1]);
    let flags = command.into_iter().flat_map(|c| c.flags).filter(|f| !f.hidden);
    flags.map(|f| format!("--{}", f.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_explains_itself() {
        for command in COMMANDS {
            assert!(!command.short.is_empty() && command.usage.starts_with(command.name));
            assert!(command.flags.iter().all(|f| !f.usage.is_empty()), "{}", command.name);
            assert!(NOT_HERE.iter().all(|(n, _)| *n != command.name));
        }
    }
}
