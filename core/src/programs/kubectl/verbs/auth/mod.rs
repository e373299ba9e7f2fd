//! `kubectl auth`: what one may do, who one is, roles made as a file says.
//!
//! Models `k8s.io/kubectl/pkg/cmd/auth`.

mod can_i;
mod reconcile;
mod whoami;

use crate::programs::kubectl::flags::Command;

/// `kubectl auth`
pub static COMMAND: Command = Command {
    name: "auth",
    usage: "auth [flags]",
    short: "Find out what you may do",
    subcommands: &[&can_i::COMMAND, &reconcile::COMMAND, &whoami::COMMAND],
    ..Command::EMPTY
};
