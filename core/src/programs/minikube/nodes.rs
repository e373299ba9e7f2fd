//! `minikube node`: lists the nodes and adds workers.

use std::rc::Rc;

use super::{ADVANCED, Command, PROFILE, node, start, style};
use crate::{
    clusters::{Cluster, MOST_NODES},
    machine::Proc,
    programs::kubectl::flags::{Flag, Parsed},
};

pub(super) const COMMAND: Command = Command {
    name: "node",
    group: ADVANCED,
    short: "List the nodes, or add one.",
    usage: "node list | add",
    flags: &[
        Flag::bool("control-plane", false, "Add a control plane. Only workers are simulated."),
        Flag::bool("worker", true, "Add a worker."),
    ],
    run: |proc, parsed| Box::pin(run(proc, parsed)),
};

async fn run(proc: Proc, parsed: Parsed) -> i32 {
    let what = parsed.args.first().map(String::as_str);
    if !matches!(what, Some("list" | "add")) || parsed.bool("control-plane") {
        proc.eprint("minikube node: only list and add of workers are simulated.\n").await;
        return 1;
    }
    let cluster = match node::healthy(&proc).await {
        Ok((cluster, _)) => cluster,
        Err(code) => return code,
    };
    if what == Some("add") {
        return add(&proc, &cluster).await;
    }
    for node in cluster.nodes() {
        proc.print(&format!("{}\t{}\n", node.name, node.address)).await;
    }
    0
}

async fn add(proc: &Proc, cluster: &Rc<Cluster>) -> i32 {
    let nodes = cluster.nodes().len() as u32;
    if nodes >= MOST_NODES {
        let text = format!("more than {MOST_NODES} nodes can't be simulated");
        return style::exit(proc, "MK_USAGE", &text, 64).await;
    }
    let name = format!("m{:02}", nodes + 1);
    let text = format!("Adding node {name} to cluster {PROFILE} as [worker]");
    style::out(proc, "😄", &text).await;
    match start::add_worker(proc, cluster).await {
        Ok(()) => {
            let text = format!("Successfully added {name} to {PROFILE}!");
            style::out(proc, "🏄", &text).await;
            0
        }
        Err((reason, text)) => style::exit(proc, reason, &text, 80).await,
    }
}
