//! `kubectl config`: the kubeconfig.
//!
//! Models `k8s.io/kubectl/pkg/cmd/config`.

mod contexts;
mod delete;
mod entries;
mod lists;
mod property;
mod view;

use crate::programs::kubectl::{
    Cx, Error,
    flags::{Command, Parsed},
    kubeconfig::{Config, Files},
};

/// `kubectl config`
pub static COMMAND: Command = Command {
    name: "config",
    usage: "config SUBCOMMAND",
    short: "Show and change kubeconfig files",
    long: "Show and change kubeconfig files, which say where clusters are and who you are there.\n\n\
           The file named by --kubeconfig is used; without it those that $KUBECONFIG lists; without \
           that ~/.kube/config.",
    subcommands: &[
        &contexts::CURRENT,
        &delete::CLUSTER,
        &delete::CONTEXT,
        &delete::USER,
        &lists::CLUSTERS,
        &contexts::GET,
        &lists::USERS,
        &contexts::RENAME,
        &property::SET,
        &entries::CLUSTER,
        &entries::CONTEXT,
        &entries::CREDENTIALS,
        &property::UNSET,
        &contexts::USE,
        &view::VIEW,
    ],
    ..Command::EMPTY
};

/// The files in force and what they say; a missing explicit file is empty.
fn load(cx: &Cx, p: &Parsed) -> Result<(Files, Config), Error> {
    let files = Files::of(&cx.proc, p);
    let config = files.load(&cx.proc, false)?;
    Ok((files, config))
}

/// Refuses all but `n` arguments.
fn exactly(p: &Parsed, n: usize) -> Result<(), Error> {
    if p.args.len() == n {
        return Ok(());
    }
    let args = p.args.join(" ");
    Err(Error::plain(format!("Unexpected args: [{args}]")))
}

/// Refuses all but `n` arguments, after the whole help.
async fn exactly_or_help(cx: &Cx, p: &Parsed, n: usize) -> Result<(), Error> {
    let wrong = exactly(p, n);
    if wrong.is_err() {
        cx.out(&crate::programs::kubectl::help_of(&p.path)).await;
    }
    wrong
}
