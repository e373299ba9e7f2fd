//! Small commands that look something up: ip, version, profile, node, addons, logs.

use super::{
    ADVANCED, CONFIG, Command, KUBERNETES, PROFILE as NAME, TROUBLE, VERSION, kubeconfig, node,
    style,
};
use crate::{machine, programs::kubectl::flags::Flag};

pub(super) const IP: Command = Command {
    name: "ip",
    group: TROUBLE,
    short: "Print the node's address.",
    usage: "ip",
    flags: &[],
    run: |proc, _| {
        Box::pin(async move {
            match node::healthy(&proc).await {
                Ok((cluster, _)) => {
                    let first = cluster.nodes().first().map(|n| n.address.to_string());
                    proc.print(&format!("{}\n", first.unwrap_or_default())).await;
                    0
                }
                Err(code) => code,
            }
        })
    },
};

pub(super) const VERSION_COMMAND: Command = Command {
    name: "version",
    group: TROUBLE,
    short: "Print minikube's version.",
    usage: "version [flags]",
    flags: &[Flag::bool("short", false, "The version only.")],
    run: |proc, parsed| {
        Box::pin(async move {
            let prefix = if parsed.bool("short") { "" } else { "minikube version: " };
            proc.print(&format!("{prefix}{VERSION}\n")).await;
            0
        })
    },
};

pub(super) const PROFILE: Command = Command {
    name: "profile",
    group: CONFIG,
    short: "Tell which profile is used, or list all.",
    usage: "profile [list]",
    flags: &[],
    run: |proc, parsed| {
        Box::pin(async move {
            if parsed.args.first().is_none_or(|a| a != "list") {
                proc.print(&format!("{NAME}\n")).await;
                return 0;
            }
            if !node::profile_exists(&proc) {
                let text = "No minikube profile was found.";
                style::err(&proc, "🤹", text).await;
                style::err(&proc, "💡", "To create one, run \"minikube start\"").await;
                return 85;
            }
            let runs = node::container(&proc, NAME).is_some_and(|c| c.is_running());
            let state = if runs { "OK" } else { "Stopped" };
            proc.print(&format!(
                "{:<10} {:<8} {:<9} {:<14} {:<6} {:<9} {:<8} NODES\n",
                "PROFILE", "DRIVER", "RUNTIME", "IP", "PORT", "VERSION", "STATUS"
            ))
            .await;
            proc.print(&format!(
                "{:<10} {:<8} {:<9} {:<14} {:<6} {:<9} {:<8} {}\n",
                NAME,
                "docker",
                "docker",
                "192.168.49.2",
                "8443",
                KUBERNETES,
                state,
                node::profile_nodes(&proc)
            ))
            .await;
            0
        })
    },
};

pub(super) const NODE: Command = Command {
    name: "node",
    group: ADVANCED,
    short: "List the nodes.",
    usage: "node list",
    flags: &[],
    run: |proc, parsed| {
        Box::pin(async move {
            if parsed.args.first().is_none_or(|a| a != "list") {
                proc.eprint("minikube node: only list is simulated.\n").await;
                return 1;
            }
            match node::healthy(&proc).await {
                Ok((cluster, _)) => {
                    for node in cluster.nodes() {
                        proc.print(&format!("{}\t{}\n", node.name, node.address)).await;
                    }
                    0
                }
                Err(code) => code,
            }
        })
    },
};

pub(super) const ADDONS: Command = Command {
    name: "addons",
    group: CONFIG,
    short: "List the addons.",
    usage: "addons list",
    flags: &[],
    run: |proc, parsed| {
        Box::pin(async move {
            if parsed.args.first().is_some_and(|a| a == "list") {
                proc.print("default-storageclass: enabled\nstorage-provisioner: enabled\n").await;
                return 0;
            }
            proc.eprint("minikube addons: enabling and disabling addons is not simulated.\n").await;
            1
        })
    },
};

pub(super) const UPDATE_CONTEXT: Command = Command {
    name: "update-context",
    group: CONFIG,
    short: "Write the cluster's address into the kubeconfig again.",
    usage: "update-context",
    flags: &[],
    run: |proc, _| {
        Box::pin(async move {
            let cluster = match node::healthy(&proc).await {
                Ok((cluster, _)) => cluster,
                Err(code) => return code,
            };
            let server = format!("https://{}", cluster.server());
            if let Err(error) = kubeconfig::add(&proc, &server) {
                return style::exit(&proc, "HOST_KUBECONFIG_UPDATE", &error, 50).await;
            }
            let text =
                format!("\"{NAME}\" context has been updated to point to {}", cluster.server());
            style::out(&proc, "🎉", &text).await;
            style::out(&proc, "💗", "Current context is \"minikube\"").await;
            0
        })
    },
};

pub(super) const LOGS: Command = Command {
    name: "logs",
    group: TROUBLE,
    short: "Print what the node's container wrote.",
    usage: "logs",
    flags: &[],
    run: |proc, _| {
        Box::pin(async move {
            if !node::profile_exists(&proc) {
                return node::missing_profile(&proc).await;
            }
            match proc.spawn(machine::Command::new(["docker", "logs", NAME])) {
                Ok(child) => child.wait().await.code(),
                Err(error) => {
                    proc.eprint(&format!("minikube logs: {error}\n")).await;
                    1
                }
            }
        })
    },
};
