//! `minikube ssh`: a shell on the node.

use super::{Command, Outcome, node};
use crate::{
    machine::{self, Proc},
    programs::kubectl::flags::Parsed,
};

pub(super) const COMMAND: Command = Command {
    name: "ssh",
    group: super::ADVANCED,
    short: "Open a shell on the node, or run a command there.",
    usage: "ssh [-- command]",
    flags: &[],
    run,
};

fn run(proc: Proc, parsed: Parsed) -> Outcome {
    Box::pin(async move {
        if let Err(code) = node::healthy(&proc).await {
            return code;
        }
        // The same way the learner would go by hand.
        let mut argv: Vec<String> = vec!["docker".into(), "exec".into()];
        if parsed.args.is_empty() {
            argv.extend(["-it", "-w", "/home/docker", "minikube", "/bin/bash"].map(String::from));
        } else {
            argv.extend(["minikube", "/bin/sh", "-c"].map(String::from));
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
