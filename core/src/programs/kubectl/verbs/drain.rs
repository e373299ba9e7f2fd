//! `kubectl drain`. Models `k8s.io/kubectl/pkg/{cmd/drain,drain}`.

use std::{rc::Rc, time::Duration};

use k8s_openapi::api::{apps::v1::DaemonSet, core::v1::Pod};
use serde_json::Value;

use super::{
    nodes::{mark, nodes},
    waiting,
};
use crate::{
    api::{
        Typed, duration,
        gofmt::quote,
        meta::controller_of,
        object::downcast_rc,
        selector::{FieldSelector, Selector},
    },
    client::{DeleteOptions, ListOptions},
    programs::kubectl::{
        Conn, Cx, Error,
        flags::{Command, Complete, Flag, Parsed},
        pods,
        things::Thing,
        write::{self, DryRun},
    },
    sim::{Either, Time, channel, race},
};

/// `kubectl drain`
pub static COMMAND: Command = Command {
    name: "drain",
    usage: "drain NODE",
    short: "Empty a node, for maintenance",
    long: "Empty a node: let no new pods onto it and make its pods end.\n\n\
           Pods are evicted, so that disruption budgets are respected: an eviction that is refused is \
           tried again every five seconds. Pods that nothing would replace, and those of daemon sets, \
           stop it, unless flags say otherwise.",
    examples: "# Empty node-1\nkubectl drain node-1 --ignore-daemonsets\n\n\
               # Also pods that nothing would replace\n\
               kubectl drain node-1 --ignore-daemonsets --force",
    flags: &[&[
        Flag::int("chunk-size", "500", "How many objects to ask for at once."),
        Flag::bool("delete-emptydir-data", false, "Also pods whose local data would be lost."),
        Flag::bool("disable-eviction", false, "Delete pods instead of evicting them."),
        write::DRY_RUN,
        Flag::bool("force", false, "Also pods that nothing would replace."),
        Flag::int(
            "grace-period",
            "-1",
            "Seconds that pods get to end; negative: what they ask for.",
        ),
        Flag::bool("ignore-daemonsets", false, "Leave the pods of daemon sets alone."),
        Flag::str("pod-selector", "", "Only pods with these labels."),
        Flag::str("selector", "", "Only nodes with these labels.").short("l"),
        Flag::int(
            "skip-wait-for-delete-timeout",
            "0",
            "Do not wait for pods that have been ending for longer than so many seconds.",
        ),
        Flag::duration("timeout", "0s", "How long to wait; 0: as long as it takes."),
    ]],
    run: Some(|cx, p| Box::pin(drain(cx, p))),
    complete: Complete::Names("nodes"),
    ..Command::EMPTY
};

/// Until an eviction that was refused is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// What a drain goes by.
#[derive(Clone)]
struct Drain {
    cx: Cx,
    conn: Conn,
    p: Rc<Parsed>,
    dry_run: DryRun,
    deadline: Option<Time>,
}

async fn drain(cx: Cx, p: Parsed) -> Result<(), Error> {
    let dry_run = DryRun::of(&cx, &p).await?;
    if Selector::parse(p.str("pod-selector")).is_err() {
        return Err(Error::plain("--pod-selector=<pod_selector> must be a valid label selector"));
    }
    let conn = dry_run.on(cx.connect(&p, 5)?);
    let found = nodes(&cx, &conn, &p, "drain").await?;
    for node in &found {
        mark(&cx, &conn, &p, node, true, dry_run).await?;
    }
    let p = Rc::new(p);
    let mut pending = Vec::new();
    let mut errors = Vec::new();
    for node in &found {
        let nanos = p.duration("timeout").max(0).unsigned_abs();
        let deadline = (nanos > 0).then(|| cx.proc.sim().now() + Duration::from_nanos(nanos));
        let drain = Drain { cx: cx.clone(), conn: conn.clone(), p: p.clone(), dry_run, deadline };
        let Err(faults) = drain.empty(node).await else {
            cx.out(&format!("{} drained{}\n", node.named(), dry_run.suffix())).await;
            continue;
        };
        let all = aggregate(&faults);
        cx.err(&format!(
            "error: unable to drain node {} due to error: {all}, continuing command...\n",
            quote(&node.name)
        ))
        .await;
        pending.push(node.name.clone());
        errors.extend(faults);
    }
    if pending.is_empty() {
        return Ok(());
    }
    cx.err("There are pending nodes to be drained:\n").await;
    for name in &pending {
        cx.err(&format!(" {name}\n")).await;
    }
    Err(Error::Bare(errors.join("\n")))
}

/// Several errors as Go's aggregate prints them.
fn aggregate(errors: &[String]) -> String {
    match errors {
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    }
}

impl Drain {
    /// What is to be done about a node's pods now.
    fn sort(&self, node: &str) -> Result<Sorted, Vec<String>> {
        let fields = FieldSelector::one("spec.nodeName", node);
        let labels = Selector::parse(self.p.str("pod-selector")).unwrap_or_default();
        let options = ListOptions { labels, fields };
        let found = self.conn.client.list_any(Pod::ID, None, &options);
        let found = found.map_err(|e| vec![e.message])?;
        let all: Vec<Rc<Pod>> = found.iter().filter_map(downcast_rc).collect();
        Ok(Sorted::of(&all, self))
    }

    async fn empty(&self, node: &Thing) -> Result<(), Vec<String>> {
        let sorted = self.sort(&node.name)?;
        if !sorted.faults.is_empty() {
            return Err(sorted.faults());
        }
        if !sorted.warnings.is_empty() {
            let text = sorted.warnings();
            self.cx.err(&format!("Warning: {text}\n")).await;
        }
        if self.dry_run == DryRun::Client {
            for pod in &sorted.delete {
                let (namespace, name) = (pods::namespace(pod), pods::name(pod));
                self.cx.out(&format!("evicting pod {namespace}/{name} (dry run)\n")).await;
            }
            return Ok(());
        }
        let result = match self.p.bool("disable-eviction") {
            true => self.delete(&sorted.delete).await,
            false => self.evict(&sorted.delete).await,
        };
        let Err(faults) = result else { return Ok(()) };
        let left = self.sort(&node.name).map(|s| s.delete).unwrap_or_default();
        if !left.is_empty() {
            self.cx
                .err(&format!(
                    "There are pending pods in node {} when an error occurred: {}\n",
                    quote(&node.name),
                    aggregate(&faults)
                ))
                .await;
            for pod in left {
                self.cx.err(&format!("pod/{}\n", pods::name(&pod))).await;
            }
        }
        Err(faults)
    }

    /// Evicts all pods at the same time; what went wrong.
    async fn evict(&self, all: &[Rc<Pod>]) -> Result<(), Vec<String>> {
        let (done, mut results) = channel();
        for pod in all {
            let (me, pod, done) = (self.clone(), pod.clone(), done.clone());
            self.cx.proc.spawn_task(async move {
                let result = me.evict_one(&pod).await;
                done.send(result);
            });
        }
        let mut faults = Vec::new();
        for _ in all {
            if let Some(Err(fault)) = results.recv().await {
                faults.push(fault);
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    async fn evict_one(&self, pod: &Rc<Pod>) -> Result<(), String> {
        let (namespace, name) = (pods::namespace(pod), pods::name(pod));
        let place = format!("pods/{} -n {}", quote(name), quote(namespace));
        loop {
            let how = if self.dry_run == DryRun::Server { " (server dry run)" } else { "" };
            self.cx.out(&format!("evicting pod {namespace}/{name}{how}\n")).await;
            if self.deadline.is_some_and(|at| self.cx.proc.sim().now() >= at) {
                let timeout = duration::print_go(self.p.duration("timeout"));
                return Err(format!(
                    "error when evicting {place}: global timeout reached: {timeout}"
                ));
            }
            match self.conn.client.evict(namespace, name, &self.options()) {
                Ok(()) => break,
                Err(e) if e.is_not_found() => return Ok(()),
                Err(e) if e.reason == "TooManyRequests" => {
                    let text = format!(
                        "error when evicting {place} (will retry after 5s): {}\n",
                        e.message
                    );
                    self.cx.err(&text).await;
                    self.cx.proc.sleep(AGAIN).await;
                }
                Err(e) => return Err(format!("error when evicting {place}: {}", e.message)),
            }
        }
        if self.dry_run == DryRun::Server {
            return Ok(());
        }
        self.gone(pod, "evicted").await.map_err(|why| {
            format!(
                "error when waiting for pod {} in namespace {} to terminate: {why}",
                quote(name),
                quote(namespace)
            )
        })
    }

    async fn delete(&self, all: &[Rc<Pod>]) -> Result<(), Vec<String>> {
        for pod in all {
            let (namespace, name) = (pods::namespace(pod), pods::name(pod));
            match self.conn.client.delete::<Pod>(namespace, name, &self.options()) {
                Err(e) if !e.is_not_found() => return Err(vec![e.message]),
                _ => {}
            }
        }
        if self.dry_run == DryRun::Server {
            return Ok(());
        }
        for pod in all {
            self.gone(pod, "deleted").await.map_err(|why| vec![why])?;
        }
        Ok(())
    }

    fn options(&self) -> DeleteOptions {
        let grace = self.p.int("grace-period");
        let grace_seconds = (grace >= 0).then_some(grace);
        DeleteOptions { grace_seconds, ..DeleteOptions::default() }
    }

    /// Waits until a pod is gone, and says so.
    async fn gone(&self, pod: &Rc<Pod>, word: &str) -> Result<(), String> {
        let name = pods::name(pod);
        let thing = Thing {
            kind: self.conn.client.kind(Pod::ID),
            namespace: pods::namespace(pod).to_owned(),
            name: name.to_owned(),
            source: String::new(),
            object: Value::Null,
        };
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        let limit = self.p.int("skip-wait-for-delete-timeout");
        let skipped = std::cell::Cell::new(false);
        let gone = |v: Option<&Value>| match v {
            Some(v) if v["metadata"]["uid"] == uid.as_str() => {
                skipped.set(late(v, limit, self.cx.proc.sim().now()));
                skipped.get()
            }
            _ => true,
        };
        let waiting = waiting::until(&self.cx, &self.conn, &thing, 0, gone);
        let end = async {
            match self.deadline {
                Some(at) => self.cx.proc.sim().sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        match race(waiting, end).await {
            Either::Left(result) => drop(result.map_err(|e| e.message())?),
            Either::Right(()) => return Err("context deadline exceeded".into()),
        }
        self.cx
            .out(&match skipped.get() {
                true => format!(
                    "pod {} has DeletionTimestamp older than {limit} seconds, skipping\n",
                    quote(name)
                ),
                false => format!("pod/{name} {word}\n"),
            })
            .await;
        Ok(())
    }
}

/// Whether a pod has been ending for longer than a limit, if there is one.
fn late(pod: &Value, limit: i64, now: Time) -> bool {
    let began = write::at(pod, &["metadata", "deletionTimestamp"]).and_then(Value::as_str);
    let began = began.and_then(|t| t.parse::<jiff::Timestamp>().ok()).map(Time::from_timestamp);
    let limit = u64::try_from(limit).unwrap_or(0);
    limit > 0 && began.is_some_and(|began| now.since(began).as_secs() > limit)
}

/// A node's pods by what is to be done about them.
#[derive(Default)]
struct Sorted {
    delete: Vec<Rc<Pod>>,
    /// Reasons and the pods they hold for, in the order in which they were met.
    faults: Vec<(String, Vec<String>)>,
    warnings: Vec<(String, Vec<String>)>,
}

fn add(list: &mut Vec<(String, Vec<String>)>, why: &str, name: String) {
    match list.iter_mut().find(|(known, _)| known == why) {
        Some((_, names)) => names.push(name),
        None => list.push((why.to_owned(), vec![name])),
    }
}

impl Sorted {
    fn faults(&self) -> Vec<String> {
        let line = |(why, names): &(String, Vec<String>)| {
            format!("cannot delete {why}: {}", names.join(", "))
        };
        self.faults.iter().map(line).collect()
    }

    fn warnings(&self) -> String {
        let line = |(why, names): &(String, Vec<String>)| format!("{why}: {}", names.join(", "));
        self.warnings.iter().map(line).collect::<Vec<_>>().join("; ")
    }

    fn of(all: &[Rc<Pod>], drain: &Drain) -> Sorted {
        let mut sorted = Sorted::default();
        for pod in all {
            sorted.judge(pod, drain);
        }
        sorted
    }

    /// Models the filters of `drain/filters.go`: the first that is against it decides. Of warnings
    /// only the last filter's is told.
    fn judge(&mut self, pod: &Rc<Pod>, drain: &Drain) {
        let p = &drain.p;
        let name = format!("{}/{}", pods::namespace(pod), pods::name(pod));
        let deleted = pod.metadata.deletion_timestamp.as_ref().map(|t| Time::from_timestamp(t.0));
        let limit = u64::try_from(p.int("skip-wait-for-delete-timeout")).unwrap_or(0);
        let now = drain.cx.proc.sim().now();
        if limit > 0 && deleted.is_some_and(|at| now.since(at).as_secs() > limit) {
            return;
        }
        let finished = ["Succeeded", "Failed"].contains(&pods::phase(pod));
        let owner = controller_of(&pod.metadata);
        if let Some(owner) = owner.filter(|o| o.kind == "DaemonSet" && !finished) {
            let of = drain.conn.client.get::<DaemonSet>(pods::namespace(pod), &owner.name);
            match of {
                Err(e) if e.is_not_found() && p.bool("force") => {}
                Err(e) => return add(&mut self.faults, &e.message, name),
                Ok(_) if p.bool("ignore-daemonsets") => {
                    let why = "ignoring DaemonSet-managed Pods";
                    return add(&mut self.warnings, why, name);
                }
                Ok(_) => {
                    let why = "DaemonSet-managed Pods (use --ignore-daemonsets to ignore)";
                    return add(&mut self.faults, why, name);
                }
            }
        }
        let annotations = pod.metadata.annotations.as_ref();
        if annotations.is_some_and(|a| a.contains_key("kubernetes.io/config.mirror")) {
            return;
        }
        let volumes = pod.spec.as_ref().and_then(|s| s.volumes.as_ref());
        if !finished && volumes.into_iter().flatten().any(|v| v.empty_dir.is_some()) {
            if !p.bool("delete-emptydir-data") {
                let why = "Pods with local storage (use --delete-emptydir-data to override)";
                return add(&mut self.faults, why, name);
            }
        }
        if !finished && owner.is_none() {
            if !p.bool("force") {
                let why = "Pods that declare no controller (use --force to override)";
                return add(&mut self.faults, why, name);
            }
            add(&mut self.warnings, "deleting Pods that declare no controller", name);
        }
        self.delete.push(pod.clone());
    }
}
