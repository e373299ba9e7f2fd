//! Small commands that look something up: ip, version, profile, node, addons, logs.

use super::{
    CONFIG, Command, KUBERNETES, PROFILE as NAME, TROUBLE, VERSION, kubeconfig, node, style,
};
use crate::{
    clusters,
    machine::{self, Proc},
    programs::kubectl::flags::Flag,
};

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

pub(super) const ADDONS: Command = Command {
    name: "addons",
    group: CONFIG,
    short: "List, enable and disable addons.",
    usage: "addons list | enable NAME | disable NAME",
    flags: &[],
    run: |proc, parsed| {
        Box::pin(async move {
            let words: Vec<&str> = parsed.args.iter().map(String::as_str).collect();
            addons(&proc, &words).await
        })
    },
};

const METRICS: &str = "metrics-server";

/// Whose addon it is, as minikube says.
const MAINTAINED: &str = "metrics-server is an addon maintained by Kubernetes. For any concerns \
                          contact minikube on GitHub.\nYou can view the list of minikube \
                          maintainers at: https://github.com/kubernetes/minikube/blob/master/OWNERS";

async fn addons(proc: &Proc, words: &[&str]) -> i32 {
    let cluster = match node::healthy(proc).await {
        Ok((cluster, _)) => cluster,
        Err(code) => return code,
    };
    let client = cluster.client();
    match words {
        ["list"] => {
            let metrics = if clusters::has_metrics(&client) { "enabled" } else { "disabled" };
            let text = format!(
                "default-storageclass: enabled\n{METRICS}: {metrics}\nstorage-provisioner: enabled\n"
            );
            proc.print(&text).await;
            0
        }
        ["enable", METRICS] => {
            style::out(proc, "💡", MAINTAINED).await;
            let image = "registry.k8s.io/metrics-server/metrics-server:v0.8.0";
            proc.print(&format!("    ▪ Using image {image}\n")).await;
            if let Err(error) = clusters::enable_metrics(&client) {
                return style::exit(proc, "MK_ADDON_ENABLE", &error, 80).await;
            }
            style::out(proc, "🌟", "The 'metrics-server' addon is enabled").await;
            0
        }
        ["disable", METRICS] => {
            if let Err(error) = clusters::disable_metrics(&client) {
                return style::exit(proc, "MK_ADDON_DISABLE", &error, 80).await;
            }
            style::out(proc, "🌑", "\"The 'metrics-server' addon is disabled").await;
            0
        }
        _ => {
            let text = "minikube addons: of the addons only metrics-server can be enabled and \
                        disabled here; storage-provisioner and default-storageclass always are.\n";
            proc.eprint(text).await;
            1
        }
    }
}

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
