//! `kubectl config delete-cluster | delete-context | delete-user`.

use super::load;
use crate::programs::kubectl::{
    Cx, Error,
    flags::{Command, Complete, Parsed},
    kubeconfig,
};

pub(super) static CLUSTER: Command = Command {
    name: "delete-cluster",
    usage: "delete-cluster NAME",
    short: "Remove a cluster",
    examples: "# Forget minikube's cluster\nkubectl config delete-cluster minikube",
    run: Some(|cx, p| Box::pin(run(cx, p, kubeconfig::CLUSTERS, "cluster"))),
    complete: Complete::Config("clusters"),
    ..Command::EMPTY
};

pub(super) static CONTEXT: Command = Command {
    name: "delete-context",
    usage: "delete-context NAME",
    short: "Remove a context",
    examples: "# Forget minikube's context\nkubectl config delete-context minikube",
    run: Some(|cx, p| Box::pin(run(cx, p, kubeconfig::CONTEXTS, "context"))),
    complete: Complete::Config("contexts"),
    ..Command::EMPTY
};

pub(super) static USER: Command = Command {
    name: "delete-user",
    usage: "delete-user NAME",
    short: "Remove a user",
    examples: "# Forget minikube's user\nkubectl config delete-user minikube",
    run: Some(|cx, p| Box::pin(run(cx, p, kubeconfig::USERS, "user"))),
    complete: Complete::Config("users"),
    ..Command::EMPTY
};

async fn run(cx: Cx, p: Parsed, section: usize, what: &str) -> Result<(), Error> {
    if p.args.len() != 1 {
        if what == "user" {
            return Err(Error::usage(&p.path, "user to delete is required"));
        }
        // Upstream prints the help and succeeds; so do we, on stderr's side of things.
        return Err(Error::usage(&p.path, format_args!("one {what} is required")));
    }
    let name = &p.args[0];
    let (files, before) = load(&cx, &p)?;
    let file = files.default_file().to_owned();
    let mut after = before.clone();
    if after.sections[section].remove(name).is_none() {
        return Err(Error::plain(format!("cannot delete {what} {name}, not in {file}")));
    }
    if what == "context" && before.current_context == *name {
        cx.err(
            "warning: this removed your active context, use \"kubectl config use-context\" to \
             select a different one\n",
        )
        .await;
    }
    files.save(&cx.proc, &before, &after)?;
    cx.out(&format!("deleted {what} {name} from {file}\n")).await;
    Ok(())
}
