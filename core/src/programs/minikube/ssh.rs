//! `minikube ssh`: a shell on the node.

use super::{Command, Outcome, PROFILE, node, style};
use crate::{
    machine::{self, Proc},
    programs::kubectl::flags::{Flag, Parsed},
};

pub(super) const COMMAND: Command = Command {
    name: "ssh",
    group: super::ADVANCED,
    short: "Open a shell on the node, or run a command there.",
    usage: "ssh [-- command]",
    flags: &[Flag::str("node", "", "Which node: the control plane if none is named.").short("n")],
    run,
};

fn run(proc: Proc, parsed: Parsed) -> Outcome {
    Box::pin(async move {
        if let Err(code) = node::healthy(&proc).await {
            return code;
        }
        let name = match parsed.str("node") {
            "" => PROFILE,
            name => name,
        };
        if node::container(&proc, name).is_none() {
            let text = format!("retrieving node: Could not find node {name}");
            return style::exit(&proc, "GUEST_NODE_RETRIEVE", &text, 80).await;
        }
        // The same way the learner would go by hand.
        let mut argv: Vec<String> = vec!["docker".into(), "exec".into()];
        if parsed.args.is_empty() {
            argv.extend(["-it", "-w", "/home/docker", name, "/bin/bash"].map(String::from));
        } else {
            argv.extend([name, "/bin/sh", "-c"].map(String::from));
            argv.push(parsed.args.join(" "));
        }
        match proc.spawn(machine::Command::new(argv)) {
            Ok(child) => child.wait().await.code(),
            Err(error) => {
                proc.eprint(&format!("minikube ssh: {error}\n")).await;
                1
            }
        }
    })
}
