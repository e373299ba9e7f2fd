//! `kubectl config get-clusters | get-users`.

use super::load;
use crate::programs::kubectl::{
    Cx, Error,
    flags::{Command, Parsed},
    kubeconfig,
};

pub(super) static CLUSTERS: Command = Command {
    name: "get-clusters",
    usage: "get-clusters [flags]",
    short: "List clusters",
    examples: "# All clusters that are known here\nkubectl config get-clusters",
    run: Some(|cx, p| Box::pin(run(cx, p, kubeconfig::CLUSTERS))),
    ..Command::EMPTY
};

pub(super) static USERS: Command = Command {
    name: "get-users",
    usage: "get-users [flags]",
    short: "List users",
    examples: "# All users that are known here\nkubectl config get-users",
    run: Some(|cx, p| Box::pin(run(cx, p, kubeconfig::USERS))),
    ..Command::EMPTY
};

async fn run(cx: Cx, p: Parsed, section: usize) -> Result<(), Error> {
    let (_, config) = load(&cx, &p)?;
    let mut text = String::from("NAME\n");
    for name in config.sections[section].keys() {
        text.push_str(name);
        text.push('\n');
    }
    cx.out(&text).await;
    Ok(())
}
