//! `kubectl run`. Models `k8s.io/kubectl/pkg/cmd/run`.

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Map, Value, json};

use super::{
    attach::{self, Join},
    delete::{CASCADE, FORCE, GRACE, TIMEOUT, WAIT},
    waiting,
};
use crate::{
    api::{KindId, ObjRef, Typed, gofmt::quote, patch},
    client::{DeleteOptions, FieldValidation},
    programs::kubectl::{
        Conn, Cx, Error,
        flags::{Command, Flag, Parsed, parse_port},
        manifest, pods, reference,
        things::Thing,
        valid,
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
            CASCADE,
            Flag::bool("command", false, "The arguments are the command, not its arguments."),
            attach::DETACH_KEYS,
            write::DRY_RUN,
            Flag::array("env", "Variables: key=value."),
            Flag::bool("expose", false, "Make a service for the pod too; needs --port."),
            write::field_manager("kubectl-run"),
            FORCE,
            GRACE,
            Flag::str("image", "", "The image.").required(),
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
            write::RECORD,
            Flag::bool("quiet", false, "Only what the process prints.").short("q"),
            Flag::str("restart", "Always", "Always, OnFailure or Never."),
            Flag::bool("rm", false, "Delete the pod after it was attached."),
            write::SAVE_CONFIG,
            Flag::bool("stdin", false, "Keep the container's standard input open.").short("i"),
            TIMEOUT,
            Flag::bool("tty", false, "Give the container a terminal.").short("t"),
            WAIT,
            manifest::KUSTOMIZE,
            Flag::bool("recursive", false, "Go into the folders of a folder with files.")
                .short("R"),
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
    let dry_run = DryRun::of(&cx, &p).await?;
    let image = p.str("image");
    if !reference::is_valid(image) {
        let text = format!("invalid image name {}: invalid reference format", quote(image));
        return Err(Error::plain(text));
    }
    let attach = if p.changed("attach") { p.bool("attach") } else { p.bool("stdin") };
    if p.bool("tty") && !p.bool("stdin") {
        return Err(Error::plain("-i/--stdin is required for containers with -t/--tty=true"));
    }
    if p.bool("expose") && p.str("port").is_empty() {
        return Err(Error::plain("--port must be set when exposing a service"));
    }
    if !p.str("port").is_empty() && p.str("port").parse::<i64>().is_err() {
        return Err(Error::plain("--port must be a number"));
    }
    if p.bool("rm") && !attach {
        return Err(Error::plain("--rm should only be used for attached containers"));
    }
    if attach && dry_run != DryRun::No {
        let text = "--dry-run=[server|client] can't be used with attached containers options \
                    (--attach, --stdin, or --tty)";
        return Err(Error::plain(text));
    }
    if !["", "Always", "OnFailure", "Never"].contains(&p.str("restart")) {
        return Err(Error::plain(format!(
            "invalid restart policy: {}, valid values are: Always, OnFailure, Never",
            p.str("restart")
        )));
    }
    if !["", "Always", "IfNotPresent", "Never"].contains(&p.str("image-pull-policy")) {
        return Err(Error::plain(format!(
            "invalid image pull policy: {}, valid values are: Always, IfNotPresent, Never",
            p.str("image-pull-policy")
        )));
    }
    let mut pod = pod(&p, name)?;
    if !p.str("overrides").is_empty() {
        pod = overridden(&p, Pod::ID, pod)?;
    }
    write::record(&p, &mut pod);
    if p.bool("save-config") && dry_run != DryRun::Client {
        write::note_typed(&mut pod);
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
    let mut objects = vec![(Pod::ID, pod)];
    if p.bool("expose") {
        use k8s_openapi::api::core::v1::Service;
        objects.push((Service::ID, service(&p, name)?));
    }
    let (mut made, mut errors) = (Vec::new(), Vec::new());
    for (kind, object) in objects {
        let result = conn.client.create_value(kind, &conn.namespace, object, FieldValidation::Warn);
        cx.warnings(&conn).await;
        match result {
            Ok(object) => made.push(object),
            Err(e) if made.is_empty() => return Err(e.into()),
            Err(e) => errors.push(Error::from(e)),
        }
    }
    if attach {
        let result = attached(&cx, &conn, &p, name).await;
        if p.bool("rm") {
            for object in &made {
                remove(&cx, &conn, &p, object).await?;
            }
        }
        return result;
    }
    for object in made {
        reports.add(&cx, &object.to_value()).await?;
    }
    Error::collect(errors)
}

/// Deletes what was made, as `--rm` asks.
async fn remove(cx: &Cx, conn: &Conn, p: &Parsed, object: &ObjRef) -> Result<(), Error> {
    let (namespace, name) = (object.namespace(), object.name());
    let result =
        conn.client.delete_any(object.kind_id(), namespace, name, &DeleteOptions::default());
    match result {
        Err(e) if !e.is_not_found() => return Err(e.into()),
        Ok(_) if !p.bool("quiet") => {
            let kind = conn.client.kind(object.kind_id()).singular_resource();
            let name = quote(name);
            cx.out(&format!("{kind} {name} deleted from {namespace} namespace\n")).await;
        }
        _ => {}
    }
    Ok(())
}

fn pod(p: &Parsed, name: &str) -> Result<Value, Error> {
    let labels = labels(p, name)?;
    let mut container = json!({"name": name, "image": p.str("image"), "resources": {}});
    let words = p.args.get(1..).unwrap_or_default();
    if !words.is_empty() {
        container[if p.bool("command") { "command" } else { "args" }] = json!(words);
    }
    let mut env = Vec::new();
    for pair in p.list("env") {
        let (key, value) = pair
            .split_once('=')
            .filter(|(k, _)| valid::env_name(k).is_ok())
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
            "restartPolicy": policy(p)},
        "status": {}}))
}

/// The pod's labels, by which its service finds it.
fn labels(p: &Parsed, name: &str) -> Result<Map<String, Value>, Error> {
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
    Ok(labels)
}

/// An object with what `--overrides` says over it.
pub fn overridden(p: &Parsed, kind: KindId, object: Value) -> Result<Value, Error> {
    let text = p.str("overrides");
    let change: Option<Value> = serde_json::from_str(text).ok();
    let kinds = crate::api::KindTable::default();
    let kind = kinds.get(kind);
    let patch_type = match p.str("override-type") {
        "json" => patch::PatchType::Json,
        "" | "merge" => patch::PatchType::Merge,
        "strategic" => patch::PatchType::Strategic,
        other => {
            return Err(Error::plain(format!("invalid override type: {other}")));
        }
    };
    let Some(change) = change else {
        return Err(Error::plain(match patch_type {
            patch::PatchType::Merge => "Invalid JSON Patch",
            _ => "invalid JSON document",
        }));
    };
    let mut object = patch::apply(kind, patch_type, object, change)?;
    // What a container does not say, Go's types do.
    let containers = object.get_mut("spec").and_then(|spec| spec.get_mut("containers"));
    for container in containers.and_then(Value::as_array_mut).into_iter().flatten() {
        if let Value::Object(map) = container {
            map.entry("resources").or_insert_with(|| json!({}));
        }
    }
    Ok(object)
}

fn service(p: &Parsed, name: &str) -> Result<Value, Error> {
    let port = parse_port(p.str("port"))?;
    Ok(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"ports": [{"port": port, "protocol": "TCP", "targetPort": port}],
            "selector": labels(p, name)?},
        "status": {"loadBalancer": {}}}))
}

/// Waits until the pod runs, joins it, and tells how it ended where it is not started again.
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
        v.is_none_or(|v| match phase(v).as_str() {
            "Running" => is_ready(v),
            phase => ["Succeeded", "Failed"].contains(&phase),
        })
    };
    let timeout = p.duration("pod-running-timeout");
    let timed_out = |_| Error::plain("timed out waiting for the condition");
    let last = waiting::until(cx, conn, &thing, timeout, started).await.map_err(timed_out)?;
    print_log(cx, conn, name).await?;
    if last.is_some_and(|v| phase(&v) == "Running") {
        let (pod, _) = pods::resolve(cx, conn, name, timeout).await?;
        let result = Join::of(p).run(cx, conn, &pod).await;
        // A container that has ended meanwhile has no more to say than its log.
        let ended = |e: &Error| e.message().contains("container not found");
        if let Err(e) = result.or_else(|e| if ended(&e) { Ok(()) } else { Err(e) }) {
            cx.err(&format!(
                "warning: couldn't attach to pod/{name}, falling back to streaming logs: {}\n",
                e.message()
            ))
            .await;
        }
    }
    if policy(p) == "Always" || p.bool("leave-stdin-open") {
        return Ok(());
    }
    let only_success = policy(p) == "OnFailure";
    let ended = |v: Option<&Value>| {
        v.is_none_or(|v| match phase(v).as_str() {
            "Succeeded" => true,
            phase => !only_success && phase == "Failed",
        })
    };
    let last = waiting::until(cx, conn, &thing, timeout, ended).await.map_err(timed_out)?;
    let Some(last) = last else {
        return Err(crate::api::Status::not_found(&thing.kind, "").into());
    };
    if phase(&last) == "Succeeded" {
        return Ok(());
    }
    let statuses = at(&last, &["status", "containerStatuses"]).and_then(Value::as_array);
    let ended = statuses.and_then(|all| at(all.first()?, &["state", "terminated"]));
    let code = ended.and_then(|e| e.get("exitCode")?.as_i64()).unwrap_or(0);
    let pod = format!("pod {}/{name}", conn.namespace);
    if code == 0 {
        return Err(Error::plain(format!("{pod} failed with unknown exit code")));
    }
    let text = |key: &str| ended.and_then(|e| e.get(key)?.as_str()).unwrap_or("").to_owned();
    let told = format!("{pod} terminated ({})\n{}", text("reason"), text("message"));
    Err(Error::Code(Box::new(Error::Bare(told)), i32::try_from(code).unwrap_or(1)))
}

fn is_ready(pod: &Value) -> bool {
    let conditions = at(pod, &["status", "conditions"]).and_then(Value::as_array);
    let ready = |c: &Value| c["type"] == "Ready" && c["status"] == "True";
    conditions.is_some_and(|all| all.iter().any(ready))
}

/// `--restart`: what is typed to is not started again for ever.
fn policy(p: &Parsed) -> &str {
    match p.str("restart") {
        "" if p.bool("stdin") => "OnFailure",
        "" => "Always",
        given => given,
    }
}

/// What a pod has written so far.
async fn print_log(cx: &Cx, conn: &Conn, name: &str) -> Result<(), Error> {
    let options = crate::client::LogOptions::default();
    match conn.client.logs(&conn.namespace, name, &options) {
        Ok(mut log) => {
            while let Some(bytes) = log.recv().await {
                cx.write(1, &bytes).await;
            }
        }
        Err(e) => {
            let text = format!("warning: couldn't fetch pre-attach logs: {}\n", e.message);
            cx.err(&text).await;
        }
    }
    Ok(())
}
