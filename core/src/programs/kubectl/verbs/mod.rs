//! The verbs: one file (or folder) and one line each.
//!
//! The order of [`ROOT`]'s table is that of kubectl's own start, which suggestions follow.

mod apply;
mod attach;
mod auth;
mod autoscale;
mod certificate;
mod cluster_info;
pub mod completion;
mod config;
mod cp;
mod create;
mod debug;
mod delete;
mod describe;
mod diff;
mod discovery;
mod drain;
mod edit;
mod events;
mod exec;
mod explain;
mod expose;
mod get;
mod kuberc;
mod kustomize;
mod label;
mod logs;
mod nodes;
mod options;
mod patch;
pub mod plugin;
mod port_forward;
mod proxy;
mod replace;
mod rollout;
mod run;
mod scale;
mod set;
mod top;
mod version;
mod wait;
mod waiting;

pub use version::{CLIENT_VERSION, SERVER_VERSION};

use super::flags::{Command, Flag, help::Groups};

/// `kubectl` itself.
pub static ROOT: Command = Command {
    name: "kubectl",
    usage: "kubectl",
    short: "Control a Kubernetes cluster from the command line.",
    long: "kubectl talks to a cluster's API server: it shows, creates, changes and deletes objects.",
    subcommands: &[
        &create::COMMAND,
        &expose::COMMAND,
        &run::COMMAND,
        &set::COMMAND,
        &explain::COMMAND,
        &get::COMMAND,
        &edit::COMMAND,
        &delete::COMMAND,
        &rollout::COMMAND,
        &scale::COMMAND,
        &autoscale::COMMAND,
        &certificate::COMMAND,
        &cluster_info::COMMAND,
        &top::COMMAND,
        &nodes::CORDON,
        &nodes::UNCORDON,
        &drain::COMMAND,
        &nodes::TAINT,
        &describe::COMMAND,
        &logs::COMMAND,
        &attach::COMMAND,
        &exec::COMMAND,
        &port_forward::COMMAND,
        &proxy::COMMAND,
        &cp::COMMAND,
        &auth::COMMAND,
        &debug::COMMAND,
        &events::COMMAND,
        &diff::COMMAND,
        &apply::COMMAND,
        &patch::COMMAND,
        &replace::COMMAND,
        &wait::COMMAND,
        &kustomize::COMMAND,
        &label::LABEL,
        &label::ANNOTATE,
        &plugin::COMMAND,
        &completion::COMMAND,
        &config::COMMAND,
        &version::COMMAND,
        &discovery::VERSIONS,
        &discovery::RESOURCES,
        &options::COMMAND,
        &kuberc::COMMAND,
        &kuberc::ALPHA,
    ],
    ..Command::EMPTY
};

/// Whether a label selector matches an object.
pub(super) fn selects(
    selector: &crate::api::selector::Selector,
    object: &serde_json::Value,
) -> bool {
    let labels = super::write::at(object, &["metadata", "labels"]).and_then(|l| l.as_object());
    let labels: std::collections::BTreeMap<String, String> = labels
        .into_iter()
        .flatten()
        .filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned())))
        .collect();
    selector.matches(Some(&labels))
}

/// The heads of the root's help.
pub const GROUPS: Groups = &[
    ("Basic Commands (Beginner):", &["create", "expose", "run", "set"]),
    ("Basic Commands (Intermediate):", &["explain", "get", "edit", "delete"]),
    ("Deploy Commands:", &["rollout", "scale", "autoscale"]),
    (
        "Cluster Management Commands:",
        &["certificate", "cluster-info", "top", "cordon", "uncordon", "drain", "taint"],
    ),
    (
        "Troubleshooting and Debugging Commands:",
        &[
            "describe",
            "logs",
            "attach",
            "exec",
            "port-forward",
            "proxy",
            "cp",
            "auth",
            "debug",
            "events",
        ],
    ),
    ("Advanced Commands:", &["diff", "apply", "patch", "replace", "wait", "kustomize"]),
    ("Settings Commands:", &["label", "annotate", "completion"]),
];

/// Flags that every verb takes.
pub static GLOBAL: &[Flag] = &[
    Flag::str("as", "", "Act as this user, who may be a service account."),
    Flag::array("as-group", "Groups to act in, with --as; may be given several times."),
    Flag::str("as-uid", "", "The uid to act as, with --as."),
    Flag::array("as-user-extra", "What else to say of the user of --as: key=value."),
    Flag::str("cache-dir", "/root/.kube/cache", "The folder for what is remembered of servers."),
    Flag::str("certificate-authority", "", "A file with the certificate authority to trust."),
    Flag::str("client-certificate", "", "A file with the certificate that shows who you are."),
    Flag::str("client-key", "", "A file with the key of that certificate."),
    Flag::str("cluster", "", "The kubeconfig's cluster to use."),
    Flag::str("context", "", "The kubeconfig's context to use."),
    Flag::bool("disable-compression", false, "Do not let the server pack its answers."),
    Flag::bool("insecure-skip-tls-verify", false, "Do not check the server's certificate."),
    Flag::str("kubeconfig", "", "The kubeconfig file to use."),
    Flag::str("kuberc", "", "The file with preferences (kubectl kuberc view shows them)."),
    Flag::duration("log-flush-frequency", "5s", "How often what is logged is written at last."),
    Flag::bool("match-server-version", false, "Refuse to work with a server of another version."),
    Flag::str("namespace", "", "The namespace to work in.").short("n"),
    Flag::str("password", "", "The password for --username."),
    Flag::str(
        "profile",
        "none",
        "What to measure of kubectl itself; only 'none' is there in the sandbox.",
    ),
    Flag::str("profile-output", "profile.pprof", "The file for what --profile measures."),
    Flag::str("proxy-url", "", "The proxy to the server. Not simulated."),
    Flag::str("request-timeout", "0", "How long to wait for one answer (1s, 2m); 0: for ever."),
    Flag::str("server", "", "The address of the API server.").short("s"),
    Flag::str("tls-server-name", "", "The name to expect in the server's certificate."),
    Flag::str("token", "", "A bearer token that shows who you are."),
    Flag::str("user", "", "The kubeconfig's user to use."),
    Flag::str("username", "", "A user with a password, --password."),
    Flag::int("v", "0", "How much to log.").short("v"),
    Flag::str("vmodule", "", "How much single parts log: pattern=N,…").bare_text(),
    Flag::bool("warnings-as-errors", false, "Fail if the server sent a warning."),
];

#[cfg(test)]
mod tests;
