//! `kubectl logs`. Models `k8s.io/kubectl/pkg/cmd/logs`.

use std::{rc::Rc, time::Duration};

use k8s_openapi::api::core::v1::Pod;

use crate::{
    api::selector::Selector,
    client::LogOptions,
    programs::kubectl::{
        Conn, Cx, Error,
        flags::{Command, Complete, Flag, Parsed},
        global, pods,
    },
    sim::{Receiver, Time},
};

/// `kubectl logs`
pub static COMMAND: Command = Command {
    name: "logs",
    usage: "logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]",
    short: "Print what a container wrote",
    long: "Print what a container of a pod wrote.\n\nIf the pod has only one container its name may be \
           left out.",
    examples: "# All of it\nkubectl logs web\n\n# The last 20 lines, and what comes\n\
               kubectl logs -f --tail=20 web\n\n# What the container wrote before it was restarted\n\
               kubectl logs -p web\n\n# All containers of all pods with a label\n\
               kubectl logs -l app=web --all-containers --prefix",
    flags: &[&[
        Flag::bool("all-containers", false, "All containers of the pod."),
        Flag::bool("all-pods", false, "All pods of the workload, with prefixes."),
        Flag::str("container", "", "The container.").short("c"),
        Flag::bool("follow", false, "Go on as lines come.").short("f"),
        Flag::bool("ignore-errors", false, "Go on with the other logs if one cannot be had."),
        Flag::bool(
            "insecure-skip-tls-verify-backend",
            false,
            "Do not check the certificate of the kubelet that has the log.",
        ),
        Flag::int("limit-bytes", "0", "At most so many bytes; 0: no limit."),
        Flag::int("max-log-requests", "5", "How many logs may be followed at once."),
        Flag::duration("pod-running-timeout", "20s", "How long to wait for a pod."),
        Flag::bool("prefix", false, "Begin each line with its pod and container."),
        Flag::bool("previous", false, "What the container wrote in its run before this.")
            .short("p"),
        Flag::str("selector", "", "All pods with these labels.").short("l"),
        Flag::duration("since", "0s", "Only lines younger than this: 5s, 2m, 3h."),
        Flag::str("since-time", "", "Only lines after this time (RFC 3339)."),
        Flag::int("tail", "-1", "Only the last lines; -1: all, but 10 with a selector."),
        Flag::bool("timestamps", false, "Begin each line with its time."),
    ]],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    complete: Complete::Pods,
    ..Command::EMPTY
};

const USAGE: &str = "expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\nPOD or TYPE/NAME \
    is a required argument for the logs command";

/// One container's log.
struct Source {
    pod: Rc<Pod>,
    container: String,
}

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    let selector = p.str("selector");
    let mut container = p.str("container").to_owned();
    match p.args.as_slice() {
        [] if selector.is_empty() => return Err(Error::usage(&p.path, USAGE)),
        [] => {}
        [_] if !selector.is_empty() => {
            let text = "only a selector (-l) or a POD name is allowed";
            return Err(Error::usage(&p.path, text));
        }
        [_] => {}
        [_, inline] => {
            if p.changed("container") {
                let text = "only one of -c or an inline [CONTAINER] arg is allowed";
                return Err(Error::plain(text));
            }
            container = inline.clone();
        }
        _ => return Err(Error::usage(&p.path, USAGE)),
    }
    let options = options(&cx, &p, &container)?;
    let conn = cx.connect(&p, 0)?;
    let found = chosen(&cx, &conn, &p).await?;
    let mut sources = Vec::new();
    for pod in found {
        sources.extend(containers(&cx, &p, &pod, &container).await?);
    }
    if options.follow && sources.len() > 1 && sources.len() as i64 > p.int("max-log-requests") {
        return Err(Error::plain(format!(
            "you are attempting to follow {} log streams, but maximum allowed concurrency is {}, \
             use --max-log-requests to increase the limit",
            sources.len(),
            p.int("max-log-requests")
        )));
    }
    let shown = show(&cx, &conn, &p, sources, &options);
    if !options.follow {
        return shown.await;
    }
    if let Some(result) = global::within(&cx, &p, shown).await? {
        return result;
    }
    let text =
        "net/http: request canceled (Client.Timeout or context cancellation while reading body)";
    cx.err(&format!("{text}\n")).await;
    Err(Error::plain(text))
}

/// How long until a log that is not there yet is asked for again.
const PAUSE: Duration = Duration::from_secs(1);

/// Prints all logs, one after the other, or together as they grow.
async fn show(
    cx: &Cx,
    conn: &Conn,
    p: &Parsed,
    sources: Vec<Source>,
    options: &LogOptions,
) -> Result<(), Error> {
    if options.follow && sources.len() > 1 {
        return together(cx, conn, p, sources, options).await;
    }
    for source in sources {
        one(cx, conn, p, &source, options).await?;
    }
    Ok(())
}

/// Prints one log. Who follows a log that is not there yet asks for it every second, as long as
/// `--pod-running-timeout` says. Models `LogsOptions.consumeWithRetry`.
async fn one(
    cx: &Cx,
    conn: &Conn,
    p: &Parsed,
    source: &Source,
    options: &LogOptions,
) -> Result<(), Error> {
    let prefix = p.bool("prefix") || p.bool("all-pods");
    let patience = Duration::from_nanos(p.duration("pod-running-timeout").unsigned_abs());
    let end = cx.proc.sim().now() + patience;
    loop {
        let error = match open(conn, source, options) {
            Ok(log) => {
                copy(cx, log, &mark(source, prefix)).await;
                return Ok(());
            }
            Err(error) => error,
        };
        if p.bool("ignore-errors") {
            cx.out(&format!("error: {}\n", error.message())).await;
            return Ok(());
        }
        if !options.follow {
            return Err(error);
        }
        cx.err(&format!("{}\n", error.message())).await;
        cx.proc.sleep(PAUSE.min(end.since(cx.proc.sim().now()))).await;
        if cx.proc.sim().now() >= end {
            return Err(Error::plain("context deadline exceeded"));
        }
    }
}

/// Why a text is no RFC 3339 time, in the words of Go's `time.Parse`.
fn not_a_time(text: &str) -> String {
    use crate::api::gofmt::quote;
    const LAYOUT: &str = "2006-01-02T15:04:05Z07:00";
    let parts =
        [("2006", 4), ("-", 0), ("01", 2), ("-", 0), ("02", 2), ("T", 0), ("15", 2), (":", 0)]
            .into_iter()
            .chain([("04", 2), (":", 0), ("05", 2), ("Z07:00", 1)]);
    let mut rest = text;
    for (element, digits) in parts {
        let fits = match digits {
            0 => rest.starts_with(element),
            1 => false,
            n => rest.get(..n).is_some_and(|head| head.bytes().all(|b| b.is_ascii_digit())),
        };
        if !fits {
            let (text, rest) = (quote(text), quote(rest));
            return format!(
                "parsing time {text} as \"{LAYOUT}\": cannot parse {rest} as \"{element}\""
            );
        }
        rest = rest.get(if digits == 0 { element.len() } else { digits }..).unwrap_or("");
    }
    format!("parsing time {}: extra text: {}", quote(text), quote(rest))
}

fn options(cx: &Cx, p: &Parsed, container: &str) -> Result<LogOptions, Error> {
    if !p.str("since-time").is_empty() && p.changed("since") {
        return Err(Error::plain("at most one of `sinceTime` or `sinceSeconds` may be specified"));
    }
    if p.bool("all-containers") && !container.is_empty() {
        return Err(Error::plain(format!(
            "--all-containers=true should not be specified with container name {container}"
        )));
    }
    if p.int("limit-bytes") < 0 {
        return Err(Error::plain("--limit-bytes must be greater than 0"));
    }
    if p.duration("since") < 0 {
        return Err(Error::plain("--since must be greater than 0"));
    }
    if p.int("tail") < -1 {
        return Err(Error::plain("--tail must be greater than or equal to -1"));
    }
    let now = cx.proc.sim().now();
    let since = if p.duration("since") > 0 {
        let micros = p.duration("since").unsigned_abs() / 1_000;
        Some(Time::from_micros(now.as_micros().saturating_sub(micros)))
    } else if !p.str("since-time").is_empty() {
        let text = p.str("since-time");
        let time = text.parse::<jiff::Timestamp>().map_err(|_| Error::plain(not_a_time(text)))?;
        Some(Time::from_timestamp(time))
    } else {
        None
    };
    let tail = match p.int("tail") {
        -1 if !p.str("selector").is_empty() && !p.changed("tail") => Some(10),
        -1 => None,
        n => Some(n.unsigned_abs()),
    };
    Ok(LogOptions {
        container: None,
        follow: p.bool("follow"),
        previous: p.bool("previous"),
        since,
        timestamps: p.bool("timestamps"),
        tail,
        limit_bytes: (p.int("limit-bytes") > 0).then(|| p.int("limit-bytes").unsigned_abs()),
    })
}

/// The pods whose logs are wanted.
async fn chosen(cx: &Cx, conn: &Conn, p: &Parsed) -> Result<Vec<Rc<Pod>>, Error> {
    if !p.str("selector").is_empty() {
        let selector = Selector::parse(p.str("selector"))?;
        let mut found = pods::by_selector(conn, &conn.namespace, &selector)?;
        found.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
        if found.is_empty() {
            cx.err(&format!("No resources found in {} namespace.\n", conn.namespace)).await;
        }
        return Ok(found);
    }
    let target = p.args.first().map_or("", String::as_str);
    let found = pods::resolve(cx, conn, target, p.duration("pod-running-timeout")).await;
    let (pod, count) = found.map_err(|e| {
        let text = e.message();
        if let Some(rest) = text.strip_prefix("cannot attach to ") {
            return Error::plain(format!("cannot get the logs from {rest}"));
        }
        if e.is_not_found() {
            return Error::Plain(format!(
                "error from server (NotFound): {} in namespace {}",
                e.message(),
                crate::api::gofmt::quote(&conn.namespace)
            ));
        }
        e
    })?;
    if count > 1 {
        if p.bool("all-pods") {
            let labels = pod.metadata.labels.clone().unwrap_or_default();
            let hash = labels.get("pod-template-hash").cloned();
            let same = |other: &Rc<Pod>| {
                let labels = other.metadata.labels.as_ref();
                hash.is_none() || labels.and_then(|l| l.get("pod-template-hash")) == hash.as_ref()
            };
            let everything = Selector::default();
            let all = pods::by_selector(conn, pods::namespace(&pod), &everything)?;
            return Ok(all.into_iter().filter(|o| same(o)).collect());
        }
        cx.err(&format!("Found {count} pods, using pod/{}\n", pods::name(&pod))).await;
    }
    Ok(vec![pod])
}

async fn containers(
    cx: &Cx,
    p: &Parsed,
    pod: &Rc<Pod>,
    container: &str,
) -> Result<Vec<Source>, Error> {
    if p.bool("all-containers") {
        let Some(spec) = &pod.spec else { return Ok(Vec::new()) };
        let all = spec.init_containers.iter().flatten().chain(&spec.containers);
        return Ok(all.map(|c| Source { pod: pod.clone(), container: c.name.clone() }).collect());
    }
    let (container, note) = pods::container(pod, container)?;
    if let Some(note) = note.filter(|_| !p.bool("all-pods")) {
        cx.err(&note).await;
    }
    Ok(vec![Source { pod: pod.clone(), container }])
}

fn open(conn: &Conn, source: &Source, options: &LogOptions) -> Result<Receiver<Vec<u8>>, Error> {
    let options = LogOptions { container: Some(source.container.clone()), ..options.clone() };
    let (namespace, name) = (pods::namespace(&source.pod), pods::name(&source.pod));
    Ok(conn.client.logs(namespace, name, &options)?)
}

fn mark(source: &Source, prefix: bool) -> String {
    if prefix {
        format!("[pod/{}/{}] ", pods::name(&source.pod), source.container)
    } else {
        String::new()
    }
}

/// Prints a log; whole lines at a time, so that several don't mix.
async fn copy(cx: &Cx, mut log: Receiver<Vec<u8>>, mark: &str) {
    let mut rest = Vec::new();
    while let Some(bytes) = log.recv().await {
        if mark.is_empty() {
            cx.write(1, &bytes).await;
            continue;
        }
        rest.extend(bytes);
        let end = rest.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let lines: Vec<u8> = rest.drain(..end).collect();
        let mut text = Vec::with_capacity(lines.len());
        for line in lines.split_inclusive(|b| *b == b'\n') {
            text.extend(mark.as_bytes());
            text.extend(line);
        }
        cx.write(1, &text).await;
    }
    if !rest.is_empty() {
        let text = [mark.as_bytes(), &rest].concat();
        cx.write(1, &text).await;
    }
}

async fn together(
    cx: &Cx,
    conn: &Conn,
    p: &Parsed,
    sources: Vec<Source>,
    options: &LogOptions,
) -> Result<(), Error> {
    let (done, mut ended) = crate::sim::channel::<Result<(), Error>>();
    let count = sources.len();
    for source in sources {
        let (cx, conn, p, options) = (cx.clone(), conn.clone(), p.clone(), options.clone());
        let (done, proc) = (done.clone(), cx.proc.clone());
        proc.spawn_task(async move {
            done.send(one(&cx, &conn, &p, &source, &options).await);
        });
    }
    for _ in 0..count {
        ended.recv().await.unwrap_or(Ok(()))?;
    }
    Ok(())
}
