//! `minikube service`.

use std::time::Duration;

use k8s_openapi::api::core::v1::Service;

use super::{Command, NETWORK, node, style};
use crate::{
    client::Client,
    clusters::Cluster,
    machine::{Page, Proc},
    programs::kubectl::flags::{Flag, Parsed},
};

pub(super) const COMMAND: Command = Command {
    name: "service",
    group: NETWORK,
    short: "Show how to reach a service, and open it.",
    usage: "service [flags] SERVICE",
    flags: &[
        Flag::str("namespace", "default", "The service's namespace.").short("n"),
        Flag::bool("url", false, "Print the address instead of opening it."),
        Flag::bool("all", false, "All services of the namespace."),
        Flag::bool("https", false, "Open the address with https."),
        Flag::int("wait", "2", "Seconds to wait for the service."),
    ],
    run: |proc, parsed| Box::pin(service(proc, parsed)),
};

/// A service as it is shown.
struct Shown {
    name: String,
    ports: Vec<String>,
    urls: Vec<String>,
}

async fn service(proc: Proc, parsed: Parsed) -> i32 {
    let (all, names) = (parsed.bool("all"), &parsed.args);
    if names.first().is_some_and(|n| n == "list") && names.len() == 1 {
        return list(&proc, &parsed).await;
    }
    if names.is_empty() != all {
        let text = "You must specify service name(s) or --all";
        return style::exit(&proc, "MK_USAGE", text, 64).await;
    }
    let (cluster, client) = match node::healthy(&proc).await {
        Ok(healthy) => healthy,
        Err(code) => return code,
    };
    let namespace = parsed.str("namespace");
    let address = address(&cluster);
    let mut found = Vec::new();
    for service in client.list::<Service>(Some(namespace)) {
        let name = service.metadata.name.clone().unwrap_or_default();
        if all || names.contains(&name) {
            found.push(shown(&service, &address, parsed.bool("https")));
        }
    }
    if found.is_empty() {
        return not_found(&proc, namespace, names.first(), all).await;
    }
    show(&proc, &client, namespace, found, parsed.bool("url")).await
}

async fn show(
    proc: &Proc,
    client: &Client,
    namespace: &str,
    found: Vec<Shown>,
    only_url: bool,
) -> i32 {
    let mut without = Vec::new();
    for service in &found {
        if !only_url {
            proc.print(&table(namespace, std::slice::from_ref(service))).await;
        }
        if service.urls.is_empty() {
            let text = format!("service {namespace}/{} has no node port", service.name);
            style::out(proc, "😿", &text).await;
            without.push(format!("{namespace}/{}", service.name));
            continue;
        }
        if !running_pods(client, namespace, &service.name) {
            let text =
                format!("service not available: no running pod for service {} found", service.name);
            return style::exit(proc, "SVC_UNREACHABLE", &text, 115).await;
        }
        if only_url {
            proc.print(&format!("{}\n", service.urls.join("\n"))).await;
        }
    }
    if !without.is_empty() {
        let text = format!(
            "Services [{}] have type \"ClusterIP\" not meant to be exposed, however for local \
             development minikube allows you to access this !",
            without.join(" ")
        );
        style::err(proc, "❗", &text).await;
    }
    if only_url {
        return 0;
    }
    let page = proc.machine().get::<Page>();
    for service in found.iter().filter(|s| !s.urls.is_empty()) {
        let text = format!("Opening service {namespace}/{} in default browser...", service.name);
        style::out(proc, "🎉", &text).await;
        proc.sleep(Duration::from_millis(100)).await;
        if let (Some(page), Some(url)) = (&page, service.urls.first()) {
            (page.open_url)(url);
        }
    }
    0
}

async fn not_found(proc: &Proc, namespace: &str, name: Option<&String>, all: bool) -> i32 {
    let text = if all {
        format!(
            "No services were found in the '{namespace}' namespace.\nYou may select another \
             namespace by using 'minikube service --all -n <namespace>'"
        )
    } else {
        let name = name.map_or("", String::as_str);
        format!(
            "Service '{name}' was not found in '{namespace}' namespace.\nYou may select another \
             namespace by using 'minikube service {name} -n <namespace>'. Or list out all the \
             services using 'minikube service list'"
        )
    };
    style::exit(proc, "SVC_NOT_FOUND", &text, 115).await
}

/// The address of the control plane, by which minikube names node ports.
fn address(cluster: &Cluster) -> String {
    cluster.nodes().first().map(|n| n.address.to_string()).unwrap_or_default()
}

/// `minikube service list`
async fn list(proc: &Proc, parsed: &Parsed) -> i32 {
    let (cluster, client) = match node::healthy(proc).await {
        Ok(healthy) => healthy,
        Err(code) => return code,
    };
    let address = address(&cluster);
    let mut rows = Vec::new();
    for service in client.list::<Service>(None) {
        let namespace = service.metadata.namespace.clone().unwrap_or_default();
        rows.push((namespace, shown(&service, &address, parsed.bool("https"))));
    }
    proc.print(&boxed(rows.iter().map(|(ns, s)| (ns.as_str(), s)))).await;
    0
}

fn shown(service: &Service, address: &str, https: bool) -> Shown {
    let spec = service.spec.clone().unwrap_or_default();
    let scheme = if https { "https" } else { "http" };
    let (mut ports, mut urls) = (Vec::new(), Vec::new());
    for port in spec.ports.iter().flatten() {
        let Some(node_port) = port.node_port else { continue };
        ports.push(match &port.name {
            Some(name) => format!("{name}/{}", port.port),
            None => port.port.to_string(),
        });
        urls.push(format!("{scheme}://{address}:{node_port}"));
    }
    Shown { name: service.metadata.name.clone().unwrap_or_default(), ports, urls }
}

/// Models `service.CheckServicePods`.
fn running_pods(client: &Client, namespace: &str, name: &str) -> bool {
    use k8s_openapi::api::core::v1::Pod;
    let Some(service) = client.find::<Service>(namespace, name) else { return false };
    let selector = service.spec.as_ref().and_then(|s| s.selector.clone()).unwrap_or_default();
    if selector.is_empty() {
        return true;
    }
    let selector = crate::api::selector::Selector::from_labels(&selector);
    client.list::<Pod>(Some(namespace)).iter().any(|pod| {
        selector.matches(pod.metadata.labels.as_ref())
            && pod.status.as_ref().and_then(|s| s.phase.as_deref()) == Some("Running")
    })
}

fn table(namespace: &str, services: &[Shown]) -> String {
    boxed(services.iter().map(|s| (namespace, s)))
}

/// As `olekukonko/tablewriter` draws it.
fn boxed<'a>(services: impl Iterator<Item = (&'a str, &'a Shown)>) -> String {
    let mut rows: Vec<[String; 4]> = Vec::new();
    for (namespace, service) in services {
        if service.urls.is_empty() {
            let cells = [namespace, &service.name, "No node port", ""];
            rows.push(cells.map(str::to_string));
            continue;
        }
        for (i, url) in service.urls.iter().enumerate() {
            let (ns, name) = if i == 0 { (namespace, service.name.as_str()) } else { ("", "") };
            let port = service.ports.get(i).map_or("", String::as_str);
            rows.push([ns, name, port, url].map(str::to_string));
        }
    }
    let head = ["NAMESPACE", "NAME", "TARGET PORT", "URL"];
    let width =
        |i: usize| rows.iter().map(|r| r[i].chars().count()).max().unwrap_or(0).max(head[i].len());
    let widths = [width(0), width(1), width(2), width(3)];
    let rule = |left: &str, middle: &str, right: &str| {
        let parts: Vec<_> = widths.iter().map(|w| "─".repeat(w + 2)).collect();
        format!("{left}{}{right}\n", parts.join(middle))
    };
    let mut text = rule("┌", "┬", "┐");
    // Headers are centred, cells are not.
    let centred: Vec<_> = (0..4).map(|i| format!(" {:^w$} ", head[i], w = widths[i])).collect();
    text.push_str(&format!("│{}│\n", centred.join("│")));
    text.push_str(&rule("├", "┼", "┤"));
    for row in &rows {
        let cells: Vec<_> = (0..4).map(|i| format!(" {:<w$} ", row[i], w = widths[i])).collect();
        text.push_str(&format!("│{}│\n", cells.join("│")));
    }
    text.push_str(&rule("└", "┴", "┘"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_shown_in_a_box() {
        let service = Shown {
            name: "hello-node".into(),
            ports: vec!["3000".into()],
            urls: vec!["http://192.168.49.2:32201".into()],
        };
        expect_test::expect![[r#"
            ┌───────────┬────────────┬─────────────┬───────────────────────────┐
            │ NAMESPACE │    NAME    │ TARGET PORT │            URL            │
            ├───────────┼────────────┼─────────────┼───────────────────────────┤
            │ default   │ hello-node │ 3000        │ http://192.168.49.2:32201 │
            └───────────┴────────────┴─────────────┴───────────────────────────┘
        "#]]
        .assert_eq(&table("default", &[service]));
    }
}
