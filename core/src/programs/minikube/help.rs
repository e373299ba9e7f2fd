//! `minikube --help` and `minikube COMMAND --help`.

use super::{COMMANDS, Command};
use crate::machine::Proc;

/// All commands.
pub async fn general(proc: &Proc) -> i32 {
    let mut text = String::from(
        "minikube starts and looks after a local Kubernetes cluster, for learning and development.\n",
    );
    let mut group = "";
    for command in COMMANDS {
        if command.group != group {
            group = command.group;
            text.push_str(&format!("\n{group}:\n"));
        }
        text.push_str(&format!("  {:<16} {}\n", command.name, command.short));
    }
    text.push_str(
        "\nUse \"minikube <command> --help\" for more information about a given command.\n",
    );
    proc.print(&text).await;
    0
}

/// One command.
pub(super) async fn of(proc: &Proc, command: &Command) -> i32 {
    let mut text = format!("{}\n", command.short);
    let flags: Vec<_> = command.flags.iter().filter(|f| !f.hidden).collect();
    if !flags.is_empty() {
        text.push_str("\nOptions:\n");
        for flag in flags {
            let short =
                if flag.short.is_empty() { String::new() } else { format!("-{}, ", flag.short) };
            let default = match flag.default {
                "" => "''".to_string(),
                other => other.to_string(),
            };
            text.push_str(&format!("    {short}--{}={default}:\n\t{}\n\n", flag.name, flag.usage));
        }
    }
    text.push_str(&format!("\nUsage:\n  minikube {}\n", command.usage));
    proc.print(&text).await;
    0
}
