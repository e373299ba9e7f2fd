//! `minikube kubectl [--] …`: kubectl against this cluster, whatever the current context is.

use super::{Command, Outcome, PROFILE};
use crate::{
    machine::{self, Proc, SpawnError},
    programs::kubectl::flags::Parsed,
};

pub(super) const COMMAND: Command = Command {
    name: "kubectl",
    group: super::ADVANCED,
    short: "Run a kubectl binary that fits the cluster's version.",
    usage: "kubectl [--] [kubectl flags and arguments]",
    flags: &[],
    run,
};

fn run(proc: Proc, parsed: Parsed) -> Outcome {
    Box::pin(async move {
        let mut args = parsed.args;
        if args.first().is_some_and(|a| a == "--") {
            args.remove(0);
        }
        let mut argv = vec!["kubectl".to_string(), "--cluster".into(), PROFILE.into()];
        // kubectl's own flags come first so that a `--` in the arguments stays where it is.
        argv.append(&mut args);
        match proc.spawn(machine::Command::new(argv)) {
            Ok(child) => child.wait().await.code(),
            Err(error) => not_found(&proc, error).await,
        }
    })
}

async fn not_found(proc: &Proc, error: SpawnError) -> i32 {
    proc.eprint(&format!("minikube kubectl: {error}\n")).await;
    127
}
