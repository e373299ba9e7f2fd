//! `kubectl run`. Models `k8s.io/kubectl/pkg/cmd/run`.

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Map, Value, json};

use super::{exec, waiting};
use crate::{
    api::{Typed, gofmt::quote, patch, yaml},
    client::{DeleteOptions, FieldValidation},
    programs::kubectl::{
        Conn, Cx, Error,
        flags::{Command, Flag, Parsed, parse_port},
        pods,
        things::Thing,
        write::{self, DryRun, at},
    },
};

/// `kubectl run`
pub static COMMAND: Command = Command {
    name: "run",
    usage: "run NAME --image=image [--env=\"key=value\"] [--port=port] [--dry-run=server|client] \
            [--overrides=inline-json] [--command] -- [COMMAND] [args...]",
    short: "Run an image in a pod",
    long: "Make a pod that runs an image.",
    examples: "# nginx\nkubectl run web --image=nginx\n\n# With a port, a variable and labels\n\
               kubectl run web --image=nginx --port=80 --env=A=1 --labels=app=web,tier=front\n\n\
               # What would be made\nkubectl run web --image=nginx --dry-run=client -o yaml\n\n\
               # A shell that is gone afterwards\nkubectl run -it --rm try --image=busybox -- sh",
    flags: &[
        &[
            Flag::array("annotations", "Annotations: key=value."),
            Flag::bool("attach", false, "Join the pod's process once it runs."),
            Flag::bool("command", false, "The arguments are the command, not its arguments."),
            write::DRY_RUN,
            Flag::array("env", "Variables: key=value."),
            Flag::bool("expose", false, "Make a service for the pod too; needs --port."),
            write::field_manager("kubectl-run"),
            Flag::str("image", "", "The image."),
            Flag::str("image-pull-policy", "", "Always, IfNotPresent or Never."),
            Flag::str("labels", "", "Labels: a=b,c=d.").short("l"),
            Flag::bool(
                "leave-stdin-open",
                false,
                "Leave standard input open after the first attach.",
            ),
            Flag::str(
                "override-type",
                "merge",
                "How --overrides are put in: json, merge or strategic.",
            ),
            Flag::str("overrides", "", "What else the pod should have, as JSON."),
            Flag::duration("pod-running-timeout", "1m0s", "How long to wait until the pod runs."),
            Flag::str("port", "", "The port that the container listens on."),
            Flag::bool("privileged", false, "Run the container privileged."),
            Flag::bool("quiet", false, "Only what the process prints.").short("q"),
            Flag::str("restart", "Always", "Always, OnFailure or Never."),
            Flag::bool("rm", false, "Delete the pod after it was attached."),
            write::SAVE_CONFIG,
            Flag::bool("stdin", false, "Keep the container's standard input open.").short("i"),
            Flag::bool("tty", false, "Give the container a terminal.").short("t"),
        ],
        write::OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    ..Command::EMPTY
};

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    let Some(name) = p.args.first().filter(|_| p.dash != Some(0)) else {
        return Err(Error::usage(&p.path, "NAME is required for run"));
    };
    if !p.changed("image") {
        return Err(Error::plain("required flag(s) \"image\" not set"));
    }
    let dry_run = DryRun::of(&cx, &p).await?;
    let image = p.str("image");
    if image.is_empty() || image.contains([' ', '\t']) {
        return Err(Error::plain(format!(
            "Invalid image name {}: invalid reference format",
            quote(image)
        )));
    }
    let interactive = p.bool("stdin") || p.bool("tty");
    let attach = if p.changed("attach") { p.bool("attach") } else { interactive };
    if p.bool("tty") && !p.bool("stdin") {
        return Err(Error::plain("--stdin is required for containers with -t/--tty=true"));
    }
    if p.bool("rm") && !attach {
        return Err(Error::plain("--rm should only be used for attached containers"));
    }
    if attach && dry_run != DryRun::No {
        let text = "--dry-run=[server|client] can't be used with attached containers options \
                    (--attach, --stdin, or --tty)";
        return Err(Error::plain(text));
    }
    if p.bool("expose") && p.str("port").is_empty() {
        return Err(Error::plain("--port must be set when exposing a service"));
    }
    if !["Always", "OnFailure", "Never"].contains(&p.str("restart")) {
        return Err(Error::plain(format!("invalid restart policy: {}", p.str("restart"))));
    }
    let mut pod = pod(&p, name)?;
    if !p.str("overrides").is_empty() {
        pod = overridden(&p, pod)?;
    }
    if p.bool("save-config") {
        write::note_last_applied(&mut pod);
    }
    let mut reports = write::Reports::new(&cx, &p, "created", dry_run)?;
    if dry_run == DryRun::Client {
        if !p.str("namespace").is_empty() {
            if let Some(meta) = write::map_at(&mut pod, &["metadata"]) {
                meta.insert("namespace".into(), p.str("namespace").into());
            }
        }
        reports.typed(true);
        reports.add(&cx, &pod).await?;
        if p.bool("expose") {
            reports.add(&cx, &service(&p, name)?).await?;
        }
        return Ok(());
    }
    let conn = dry_run.on(cx.connect(&p, 5)?);
    let made = conn.client.create_value(Pod::ID, &conn.namespace, pod, FieldValidation::Warn);
    cx.warnings(&conn).await;
    let made = made?.to_value();
    if p.bool("expose") {
        let kind = conn.client.kinds().by_kind("v1", "Service").cloned();
        let Some(kind) = kind else { return Err(Error::plain("the server has no services")) };
        let service = service(&p, name)?;
        let service =
            conn.client.create_value(kind.id, &conn.namespace, service, FieldValidation::Warn)?;
        reports.add(&cx, &service.to_value()).await?;
    }
    if attach {
        return attached(&cx, &conn, &p, name).await;
    }
    reports.add(&cx, &made).await
}

fn pod(p: &Parsed, name: &str) -> Result<Value, Error> {
    let mut labels = Map::new();
    match p.str("labels") {
        "" => drop(labels.insert("run".into(), name.into())),
        text => {
            for pair in text.split(',').filter(|s| !s.is_empty()) {
                let (key, value) = pair
                    .split_once('=')
                    .ok_or_else(|| Error::plain(format!("unexpected label spec: {pair}")))?;
                labels.insert(key.into(), value.into());
            }
        }
    }
    let mut container = json!({"name": name, "image": p.str("image"), "resources": {}});
    let words = p.args.get(1..).unwrap_or_default();
    if !words.is_empty() {
        container[if p.bool("command") { "command" } else { "args" }] = json!(words);
    }
    let mut env = Vec::new();
    for pair in p.list("env") {
        let (key, value) = pair
            .split_once('=')
            .filter(|(k, _)| !k.is_empty())
            .ok_or_else(|| Error::plain(format!("invalid env: {pair}")))?;
        env.push(json!({"name": key, "value": value}));
    }
    if !env.is_empty() {
        container["env"] = Value::Array(env);
    }
    if !p.str("port").is_empty() {
        let port = parse_port(p.str("port"))?;
        container["ports"] = json!([{"containerPort": port}]);
    }
    if !p.str("image-pull-policy").is_empty() {
        container["imagePullPolicy"] = p.str("image-pull-policy").into();
    }
    if p.bool("privileged") {
        container["securityContext"] = json!({"privileged": true});
    }
    if p.bool("stdin") {
        container["stdin"] = true.into();
        if !p.bool("leave-stdin-open") {
            container["stdinOnce"] = true.into();
        }
    }
    if p.bool("tty") {
        container["tty"] = true.into();
    }
    let mut metadata = json!({"name": name, "labels": labels});
    for pair in p.list("annotations") {
        if let Some((key, value)) = pair.split_once('=') {
            metadata["annotations"][key] = value.into();
        }
    }
    Ok(json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata,
        "spec": {"containers": [container], "dnsPolicy": "ClusterFirst",
            "restartPolicy": p.str("restart")},
        "status": {}}))
}

fn overridden(p: &Parsed, pod: Value) -> Result<Value, Error> {
    let change = yaml::parse(p.str("overrides")).map_err(|e| Error::plain(e.to_string()))?;
    let kinds = crate::api::KindTable::default();
    let kind = kinds.get(Pod::ID);
    let patch_type = match p.str("override-type") {
        "json" => patch::PatchType::Json,
        "merge" => patch::PatchType::Merge,
        "strategic" => patch::PatchType::Strategic,
        other => return Err(Error::plain(format!("invalid override type: {other}"))),
    };
    Ok(patch::apply(kind, patch_type, pod, change)?)
}

fn service(p: &Parsed, name: &str) -> Result<Value, Error> {
    let port = parse_port(p.str("port"))?;
    Ok(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"ports": [{"port": port, "protocol": "TCP", "targetPort": port}],
            "selector": {"run": name}},
        "status": {"loadBalancer": {}}}))
}

/// Waits until the pod runs, joins it, and deletes it with `--rm`.
async fn attached(cx: &Cx, conn: &Conn, p: &Parsed, name: &str) -> Result<(), Error> {
    let thing = Thing {
        kind: conn.client.kind(Pod::ID),
        namespace: conn.namespace.clone(),
        name: name.to_owned(),
        source: String::new(),
        object: Value::Null,
    };
    let phase =
        |v: &Value| at(v, &["status", "phase"]).and_then(Value::as_str).unwrap_or("").to_owned();
    let started = |v: Option<&Value>| {
        v.is_none_or(|v| ["Running", "Succeeded", "Failed"].contains(&phase(v).as_str()))
    };
    let timeout = p.duration("pod-running-timeout");
    let result = match waiting::until(cx, conn, &thing, timeout, started).await {
        Ok(Some(value)) if phase(&value) == "Running" => {
            let (pod, _) = pods::resolve(cx, conn, name, timeout).await?;
            exec::join(cx, conn, p, &pod, p.bool("stdin"), p.bool("tty")).await
        }
        Ok(_) => print_log(cx, conn, name).await,
        Err(_) => Err(Error::plain("timed out waiting for the condition")),
    };
    if p.bool("rm") {
        let options = DeleteOptions::default();
        let _ = conn.client.delete_any(Pod::ID, &conn.namespace, name, &options)?;
        if !p.bool("quiet") {
            let (name, ns) = (quote(name), &conn.namespace);
            cx.out(&format!("pod {name} deleted from {ns} namespace\n")).await;
        }
        return result;
    }
    result?;
    if p.str("restart") == "Always" {
        if p.bool("stdin") && p.bool("tty") {
            cx.out(&format!(
                "Session ended, resume using 'kubectl attach {name} -c {name} -i -t' command when \
                 the pod is running\n"
            ))
            .await;
        }
        return Ok(());
    }
    let ended =
        |v: Option<&Value>| v.is_none_or(|v| ["Succeeded", "Failed"].contains(&phase(v).as_str()));
    let last = waiting::until(cx, conn, &thing, 0, ended).await?;
    let code = last.as_ref().and_then(|v| {
        let statuses = at(v, &["status", "containerStatuses"])?.as_array()?;
        at(statuses.first()?, &["state", "terminated", "exitCode"])?.as_i64()
    });
    match code.unwrap_or(0) {
        0 => Ok(()),
        code => {
            let text = format!("pod {}/{name} terminated (Error)", conn.namespace);
            Err(Error::Code(Box::new(Error::Bare(text)), i32::try_from(code).unwrap_or(1)))
        }
    }
}

/// A pod that ended before it could be joined: what it wrote.
async fn print_log(cx: &Cx, conn: &Conn, name: &str) -> Result<(), Error> {
    let options = crate::client::LogOptions::default();
    let mut log = conn.client.logs(&conn.namespace, name, &options)?;
    while let Some(bytes) = log.recv().await {
        cx.proc.write(1, &bytes).await;
    }
    Ok(())
}
