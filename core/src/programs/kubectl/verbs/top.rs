//! `kubectl top`. Models `k8s.io/kubectl/pkg/cmd/top` and `pkg/metricsutil`.

use std::rc::Rc;

use k8s_openapi::api::core::v1::{Node, Pod};
use serde_json::Value;

use crate::{
    api::{
        Kind, duration,
        quantity::Amount,
        selector::{FieldSelector, Selector},
    },
    client::ListOptions,
    programs::kubectl::{
        Conn, Cx, Error,
        flags::{Command, Complete, Flag, Parsed},
        print::tabwriter::Tabwriter,
        write::at,
    },
    sim::Time,
};

/// `kubectl top`
pub static COMMAND: Command = Command {
    name: "top",
    usage: "top [flags]",
    short: "Show what nodes and pods use",
    long: "Show how much processor and memory nodes and pods use.\n\nThis needs a metrics server in \
           the cluster.",
    subcommands: &[&NODE, &POD],
    ..Command::EMPTY
};

const SHARED: &[Flag] = &[
    Flag::bool("no-headers", false, "Leave the headers out."),
    Flag::str("selector", "", "Only objects with these labels: a=b, a!=b, a in (b,c).").short("l"),
    Flag::bool("show-swap", false, "Show what is used of swap memory too."),
    Flag::str("sort-by", "", "Sort by 'cpu' or 'memory', the largest first."),
    Flag::bool(
        "use-protocol-buffers",
        true,
        "How the numbers travel from the server; what is shown stays the same.",
    ),
];

static NODE: Command = Command {
    name: "node",
    aliases: &["nodes", "no"],
    usage: "node [NAME | -l label]",
    short: "Show what nodes use",
    long: "Show how much processor and memory nodes use.",
    examples: "# All nodes\nkubectl top node\n\n# One of them\nkubectl top node node-1",
    flags: &[
        SHARED,
        &[Flag::bool(
            "show-capacity",
            false,
            "Compare with what the nodes have, not with what pods may use of it.",
        )],
    ],
    run: Some(|cx, p| Box::pin(nodes(cx, p))),
    complete: Complete::Names("nodes"),
    ..Command::EMPTY
};

static POD: Command = Command {
    name: "pod",
    aliases: &["pods", "po"],
    usage: "pod [NAME | -l label]",
    short: "Show what pods use",
    long: "Show how much processor and memory pods use.\n\nNumbers come about a minute after a pod \
           has started.",
    examples: "# All pods of the namespace\nkubectl top pod\n\n\
               # The containers of one\nkubectl top pod web --containers\n\n\
               # Those with a label, the hungriest first\nkubectl top pod -l app=web --sort-by=cpu",
    flags: &[
        SHARED,
        &[
            Flag::bool("all-namespaces", false, "In all namespaces.").short("A"),
            Flag::bool("containers", false, "Show each container."),
            Flag::str("field-selector", "", "Only pods whose fields have these values."),
            Flag::bool("sum", false, "Show the sum below."),
        ],
    ],
    run: Some(|cx, p| Box::pin(pods(cx, p))),
    complete: Complete::Names("pods"),
    ..Command::EMPTY
};

/// Since when there must be numbers of a pod.
const DELAY_SECONDS: u64 = 120;

/// Name and use of what is measured.
struct Line {
    cells: Vec<String>,
    use_of: Vec<Amount>,
}

fn resources(p: &Parsed) -> Vec<&'static str> {
    let mut all = vec!["cpu", "memory"];
    if p.bool("show-swap") {
        all.push("swap");
    }
    all
}

/// A list of metrics, checked and read.
fn read(conn: &Conn, p: &Parsed, kind: &str, scope: Option<&str>) -> Result<Vec<Value>, Error> {
    let kind = metrics_kind(conn, kind)?;
    if let Some(name) = p.args.first() {
        let namespace = scope.unwrap_or("");
        return Ok(vec![conn.client.get_any(kind.id, namespace, name)?.to_value()]);
    }
    let labels = Selector::parse(p.str("selector")).map_err(Error::plain)?;
    let options = ListOptions { labels, ..ListOptions::default() };
    let found = conn.client.list_any(kind.id, scope, &options)?;
    Ok(found.iter().map(|o| o.to_value()).collect())
}

fn metrics_kind(conn: &Conn, kind: &str) -> Result<Rc<Kind>, Error> {
    let kinds = conn.client.kinds();
    let found = ["metrics.k8s.io/v1", "metrics.k8s.io/v1beta1"]
        .iter()
        .find_map(|version| kinds.by_kind(version, kind).cloned());
    found.ok_or_else(|| Error::plain("Metrics API not available"))
}

fn check(p: &Parsed, selectors: &[&str], words: &str) -> Result<(), Error> {
    let usage =
        if words == "selector" { "pod [NAME | -l label]" } else { "node [NAME | -l label]" };
    if p.args.len() > 1 {
        return Err(Error::usage(&p.path, usage));
    }
    if !["", "cpu", "memory"].contains(&p.str("sort-by")) {
        return Err(Error::plain("--sort-by accepts only cpu or memory"));
    }
    if !p.args.is_empty() && selectors.iter().any(|s| !p.str(s).is_empty()) {
        return Err(Error::plain(format!("only one of NAME or {words} can be provided")));
    }
    Ok(())
}

fn usage(value: &Value, resource: &str) -> Amount {
    let text = at(value, &["usage", resource]).and_then(Value::as_str).unwrap_or("0");
    Amount::parse(text).unwrap_or(Amount::ZERO)
}

fn text(value: &Value, path: &[&str]) -> String {
    at(value, path).and_then(Value::as_str).unwrap_or("").to_owned()
}

/// Sorts by the resource that `--sort-by` names; without it what came in order stays.
fn sort(p: &Parsed, lines: &mut [Line]) {
    let key = |line: &Line, at: usize| line.use_of.get(at).copied().unwrap_or(Amount::ZERO).milli();
    match p.str("sort-by") {
        "cpu" => lines.sort_by_key(|l| std::cmp::Reverse(key(l, 0))),
        "memory" => lines.sort_by_key(|l| std::cmp::Reverse(key(l, 1))),
        _ => lines.sort_by(|a, b| a.cells.cmp(&b.cells)),
    }
}

fn amount(resource: &str, amount: Amount) -> String {
    match resource {
        "cpu" => format!("{}m", amount.milli()),
        _ => format!("{}Mi", amount.units() / (1024 * 1024)),
    }
}

async fn nodes(cx: Cx, p: Parsed) -> Result<(), Error> {
    check(&p, &["selector"], "--selector")?;
    let conn = cx.connect(&p, 5)?;
    let metrics = read(&conn, &p, "NodeMetrics", None)?;
    if metrics.is_empty() {
        return Err(Error::plain("metrics not available yet"));
    }
    let resources = resources(&p);
    let mut available = has(&conn, &p)?;
    let mut lines: Vec<Line> = metrics
        .iter()
        .map(|m| Line {
            cells: vec![text(m, &["metadata", "name"])],
            use_of: resources.iter().map(|r| usage(m, r)).collect(),
        })
        .collect();
    sort(&p, &mut lines);
    let mut out = Tabwriter::table();
    if !p.bool("no-headers") {
        out.write("NAME\tCPU(cores)\tCPU(%)\tMEMORY(bytes)\tMEMORY(%)\t");
        out.write(if p.bool("show-swap") { "SWAP(bytes)\tSWAP(%)\t\n" } else { "\n" });
    }
    for line in lines {
        let name = line.cells.concat();
        let at = available.iter().position(|(node, _)| *node == name);
        let room = at.map(|at| available.remove(at).1).unwrap_or_default();
        out.write(&format!("{name}\t"));
        for ((resource, used), room) in resources.iter().zip(&line.use_of).zip(&room) {
            let Some(room) = room else {
                out.write("<unknown>\t<unknown>\t");
                continue;
            };
            let share = match room.milli() {
                0 => 0,
                room => used.milli().saturating_mul(100) / room,
            };
            out.write(&format!("{}\t{share}%\t", amount(resource, *used)));
        }
        out.write("\n");
    }
    for (name, _) in available {
        out.write(&format!("{name}\t{}\n", "<unknown>\t<unknown>\t".repeat(resources.len())));
    }
    cx.out(&out.flush()).await;
    Ok(())
}

/// What nodes have of each resource; `None` where that is not known.
type Room = Vec<Option<Amount>>;

fn has(conn: &Conn, p: &Parsed) -> Result<Vec<(String, Room)>, Error> {
    let nodes: Vec<Rc<Node>> = match p.args.first() {
        Some(name) => vec![conn.client.get::<Node>("", name)?],
        None => {
            let labels = Selector::parse(p.str("selector")).map_err(Error::plain)?;
            let all: Vec<Rc<Node>> = conn.client.list(None);
            all.into_iter().filter(|n| labels.matches(n.metadata.labels.as_ref())).collect()
        }
    };
    let room = |node: &Node| {
        let status = node.status.as_ref();
        let list = match p.bool("show-capacity") {
            true => status.and_then(|s| s.capacity.as_ref()),
            false => status.and_then(|s| s.allocatable.as_ref()),
        };
        let swap = status.and_then(|s| s.node_info.as_ref()?.swap.as_ref()?.capacity);
        let of = |resource: &str| match resource {
            "swap" => swap.map(Amount::from_bytes),
            _ => Some(Amount::get(list, resource)),
        };
        resources(p).into_iter().map(of).collect()
    };
    let named = |n: &Rc<Node>| (n.metadata.name.clone().unwrap_or_default(), room(n));
    Ok(nodes.iter().map(named).collect())
}

async fn pods(cx: Cx, p: Parsed) -> Result<(), Error> {
    check(&p, &["selector", "field-selector"], "selector")?;
    let conn = cx.connect(&p, 5)?;
    let all = p.bool("all-namespaces");
    let scope = (!all).then_some(conn.namespace.as_str());
    let mut metrics = read(&conn, &p, "PodMetrics", scope)?;
    let key = |m: &Value| (text(m, &["metadata", "namespace"]), text(m, &["metadata", "name"]));
    if !metrics.is_empty() && !p.str("field-selector").is_empty() {
        let wanted = chosen(&conn, &p, scope)?;
        metrics.retain(|m| {
            let (namespace, name) = key(m);
            wanted.iter().any(|pod| pod.0 == namespace && pod.1 == name)
        });
    }
    if metrics.is_empty() {
        return missing(&cx, &conn, &p, scope).await;
    }
    let resources = resources(&p);
    let mut total = vec![Amount::ZERO; resources.len()];
    let mut groups: Vec<(Line, Vec<Line>)> = Vec::new();
    for pod in &metrics {
        let (namespace, name) = key(pod);
        let mut cells = if all { vec![namespace] } else { Vec::new() };
        cells.push(name);
        let containers = pod.get("containers").and_then(Value::as_array);
        let mut whole = Line { cells: cells.clone(), use_of: vec![Amount::ZERO; resources.len()] };
        let mut parts = Vec::new();
        for container in containers.into_iter().flatten() {
            let use_of: Vec<Amount> = resources.iter().map(|r| usage(container, r)).collect();
            for ((sum, all), own) in whole.use_of.iter_mut().zip(&mut total).zip(&use_of) {
                (*sum, *all) = (sum.plus(*own), all.plus(*own));
            }
            let mut cells = cells.clone();
            cells.push(text(container, &["name"]));
            parts.push(Line { cells, use_of });
        }
        sort(&p, &mut parts);
        groups.push((whole, parts));
    }
    sort_groups(&p, &mut groups);
    cx.out(&pod_table(&p, &resources, groups, &total)).await;
    Ok(())
}

fn sort_groups(p: &Parsed, groups: &mut [(Line, Vec<Line>)]) {
    let key = |line: &Line, at: usize| line.use_of.get(at).copied().unwrap_or(Amount::ZERO).milli();
    match p.str("sort-by") {
        "cpu" => groups.sort_by_key(|(l, _)| std::cmp::Reverse(key(l, 0))),
        "memory" => groups.sort_by_key(|(l, _)| std::cmp::Reverse(key(l, 1))),
        _ => groups.sort_by(|a, b| a.0.cells.cmp(&b.0.cells)),
    }
}

fn pod_table(
    p: &Parsed,
    resources: &[&str],
    groups: Vec<(Line, Vec<Line>)>,
    total: &[Amount],
) -> String {
    let mut out = Tabwriter::table();
    let mut columns = 1 + resources.len();
    if !p.bool("no-headers") {
        for (flag, head) in [("all-namespaces", "NAMESPACE\t"), ("containers", "POD\t")] {
            if p.bool(flag) {
                out.write(head);
                columns += 1;
            }
        }
        out.write("NAME\tCPU(cores)\tMEMORY(bytes)\t");
        out.write(if p.bool("show-swap") { "SWAP(bytes)\t\n" } else { "\n" });
    }
    let put = |out: &mut Tabwriter, cells: &[String], use_of: &[Amount]| {
        for cell in cells {
            out.write(&format!("{cell}\t"));
        }
        for (resource, used) in resources.iter().zip(use_of) {
            out.write(&format!("{}\t", amount(resource, *used)));
        }
        out.write("\n");
    };
    for (whole, parts) in groups {
        let lines = if p.bool("containers") { parts } else { vec![whole] };
        for line in lines {
            put(&mut out, &line.cells, &line.use_of);
        }
    }
    if p.bool("sum") {
        out.write(&"\t".repeat(columns.saturating_sub(2)));
        out.write("________\t________\t\n");
        out.write(&"\t".repeat(columns.saturating_sub(3)));
        put(&mut out, &[String::new()], total);
    }
    out.flush()
}

/// Namespace, name and age in seconds of the pods that are meant.
fn chosen(
    conn: &Conn,
    p: &Parsed,
    scope: Option<&str>,
) -> Result<Vec<(String, String, Time)>, Error> {
    let options = ListOptions {
        labels: Selector::parse(p.str("selector")).map_err(Error::plain)?,
        fields: FieldSelector::parse(p.str("field-selector")).map_err(Error::plain)?,
    };
    use crate::api::Typed;
    let found = match p.args.first() {
        Some(name) => vec![conn.client.get_any(Pod::ID, scope.unwrap_or(""), name)?],
        None => conn.client.list_any(Pod::ID, scope, &options)?,
    };
    let born = |o: &crate::api::ObjRef| {
        let created = o.metadata().creation_timestamp.as_ref();
        created.map_or(Time::from_secs(0), Time::from)
    };
    Ok(found.iter().map(|o| (o.namespace().into(), o.name().into(), born(o))).collect())
}

/// No numbers: because there are no pods, or because the pods are too young.
async fn missing(cx: &Cx, conn: &Conn, p: &Parsed, scope: Option<&str>) -> Result<(), Error> {
    let pods = chosen(conn, p, scope)?;
    let now = cx.proc.sim().now();
    for (namespace, name, born) in &pods {
        let age = now.since(*born);
        if age.as_secs() > DELAY_SECONDS {
            let age = duration::print_go(i64::try_from(age.as_nanos()).unwrap_or(i64::MAX));
            return Err(Error::plain(format!(
                "Metrics not available for pod {namespace}/{name}, age: {age}"
            )));
        }
    }
    if !pods.is_empty() {
        return Err(Error::plain("metrics not available yet"));
    }
    cx.err(&match scope {
        None => "No resources found\n".to_owned(),
        Some(namespace) => format!("No resources found in {namespace} namespace.\n"),
    })
    .await;
    Ok(())
}
