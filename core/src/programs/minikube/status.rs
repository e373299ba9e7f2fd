//! `minikube status`.

use serde_json::{Value, json};

use super::{Command, Outcome, kubeconfig, node};
use crate::{
    machine::Proc,
    programs::kubectl::flags::{Flag, Parsed},
};

pub(super) const COMMAND: Command = Command {
    name: "status",
    group: super::BASIC,
    short: "Tell whether the parts of the cluster run.",
    usage: "status [flags]",
    flags: &[Flag::str("output", "text", "How it is printed: text or json.").short("o")],
    run,
};

/// Bits of the exit code, as the real program sets them.
const HOST: i32 = 1;
const CLUSTER: i32 = 2;
const KUBERNETES: i32 = 4;

fn run(proc: Proc, parsed: Parsed) -> Outcome {
    Box::pin(async move {
        if !node::profile_exists(&proc) {
            return node::missing_profile(&proc).await;
        }
        let mut code = 0;
        let count = node::profile_nodes(&proc);
        let mut all = Vec::new();
        for index in 0..count {
            let (text, json, bits) = one(&proc, index);
            code |= bits;
            if parsed.str("output") == "json" {
                all.push(json);
            } else {
                proc.print(&text).await;
            }
        }
        match all.as_slice() {
            [] => {}
            [one] => proc.print(&format!("{one}\n")).await,
            all => proc.print(&format!("{}\n", Value::Array(all.to_vec()))).await,
        }
        code
    })
}

/// A node's status as text and as JSON, and its bits of the exit code.
fn one(proc: &Proc, index: u32) -> (String, Value, i32) {
    let name = node::name(index);
    let container = node::container(proc, &name);
    let runs = container.as_ref().is_some_and(|c| c.is_running());
    let kubelet = container.as_ref().is_some_and(|c| node::kubelet_runs(c));
    let part = |on: bool| match (&container, on) {
        (None, _) => "Nonexistent",
        (_, true) => "Running",
        (_, false) => "Stopped",
    };
    let mut code = if runs { 0 } else { HOST };
    if !kubelet {
        code |= CLUSTER;
    }
    if index > 0 {
        let text =
            format!("{name}\ntype: Worker\nhost: {}\nkubelet: {}\n\n", part(runs), part(kubelet));
        let json = json!({
            "Name": name, "Host": part(runs), "Kubelet": part(kubelet), "APIServer": "Irrelevant",
            "Kubeconfig": "Irrelevant", "Worker": true,
        });
        return (text, json, code);
    }
    let api = runs && node::cluster(proc).is_some_and(|c| node::client(proc, &c).is_some());
    if !api {
        code |= KUBERNETES;
    }
    let config = match (runs, kubeconfig::is_configured(proc)) {
        (true, true) => "Configured",
        (true, false) => "Misconfigured",
        (false, _) => part(false),
    };
    let text = format!(
        "{name}\ntype: Control Plane\nhost: {}\nkubelet: {}\napiserver: {}\nkubeconfig: {config}\n\n",
        part(runs),
        part(kubelet),
        part(api),
    );
    let json = json!({
        "Name": name, "Host": part(runs), "Kubelet": part(kubelet), "APIServer": part(api),
        "Kubeconfig": config, "Worker": false,
    });
    (text, json, code)
}
