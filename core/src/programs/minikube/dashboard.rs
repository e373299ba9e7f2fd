//! `minikube dashboard`: asks the page to show its dashboard, and stays until Ctrl-C.
//!
//! The dashboard here is the page's own picture of the cluster, so nothing is installed in the
//! cluster for it, and no proxy is needed to reach it.

use std::time::Duration;

use super::{Command, Outcome, node, style};
use crate::{
    machine::{Page, Proc},
    programs::kubectl::flags::{Flag, Parsed},
};

pub(super) const COMMAND: Command = Command {
    name: "dashboard",
    group: super::BASIC,
    short: "Show the dashboard.",
    usage: "dashboard [flags]",
    flags: &[Flag::bool("url", false, "Print the dashboard's address instead of opening it.")],
    run,
};

fn run(proc: Proc, parsed: Parsed) -> Outcome {
    Box::pin(async move {
        if let Err(code) = node::healthy(&proc).await {
            return code;
        }
        if parsed.bool("url") {
            proc.eprint(
                "minikube dashboard --url is not simulated: the dashboard is part of this page.\n",
            )
            .await;
            return 1;
        }
        style::err(&proc, "🤔", "Verifying dashboard health ...").await;
        proc.sleep(Duration::from_millis(400)).await;
        let Some(page) = proc.machine().get::<Page>() else {
            return style::exit(&proc, "HOST_BROWSER", "there is no page to open it in", 50).await;
        };
        style::out(&proc, "🎉", "Opening the dashboard beside this terminal...").await;
        (page.open_dashboard)();
        // The real one serves a proxy until it is interrupted.
        std::future::pending::<()>().await;
        0
    })
}
