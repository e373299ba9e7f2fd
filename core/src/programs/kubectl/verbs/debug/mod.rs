//! `kubectl debug`: ephemeral containers, changed copies of pods, pods on nodes.
//!
//! Models `k8s.io/kubectl/pkg/cmd/debug`.

mod copy;
mod profile;

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Map, Value, json};

use super::{attach::Join, waiting};
use crate::{
    api::{Typed, gofmt::quote, names::random_suffix, object::from_value, patch, yaml},
    client::{FieldValidation, LogOptions, PatchType, Subresource},
    programs::kubectl::{
        Conn, Cx, Error,
        flags::{Command, Complete, Flag, Parsed},
        manifest, reference,
        resources::Query,
        things::{self, Thing},
        write::at,
    },
};

/// `kubectl debug`
pub static COMMAND: Command = Command {
    name: "debug",
    usage: "debug (POD | TYPE[[.VERSION].GROUP]/NAME) [ -- COMMAND [args...] ]",
    short: "Look into pods and nodes with containers made for it",
    long: "Look into pods and nodes with containers made for it.\n\n\
           Of a pod: a container more is started in it while it runs, or a changed copy of the pod is \
           made. Of a node: a pod is started on it that sees the node's processes and network, and \
           its files below /host.",
    examples: "# A shell beside what runs in the pod web\nkubectl debug web -it --image=busybox\n\n\
               # And see its container's processes\n\
               kubectl debug web -it --image=busybox --target=web\n\n\
               # A copy of it with another command\n\
               kubectl debug web -it --copy-to=web-debug --container=web -- sh\n\n\
               # A copy of it with another image\n\
               kubectl debug web --copy-to=web-debug --set-image=*=nginx:1.26\n\n\
               # A shell on a node\nkubectl debug node/node-1 -it --image=busybox",
    flags: &[&[
        Flag::bool("arguments-only", false, "What follows -- are arguments, not the command."),
        Flag::bool("attach", false, "Join the container; the default with --stdin."),
        Flag::str("container", "", "The new container's name.").short("c"),
        Flag::str("copy-to", "", "Make a copy of the pod, with this name."),
        Flag::str("custom", "", "A file with fields of the new container, JSON or YAML."),
        Flag::slice("env", "Variables of the new container: key=value."),
        manifest::FILENAME,
        Flag::str("image", "", "The new container's image."),
        Flag::str("image-pull-policy", "", "Always, IfNotPresent or Never."),
        Flag::bool("keep-annotations", false, "Keep the pod's annotations in the copy."),
        Flag::bool("keep-init-containers", true, "Run the pod's init containers in the copy."),
        Flag::bool("keep-labels", false, "Keep the pod's labels in the copy."),
        Flag::bool("keep-liveness", false, "Keep liveness probes in the copy."),
        Flag::bool("keep-readiness", false, "Keep readiness probes in the copy."),
        Flag::bool("keep-startup", false, "Keep startup probes in the copy."),
        Flag::str(
            "profile",
            "general",
            "What the new container may do: \"general\", \"baseline\", \"restricted\", \
             \"netadmin\" or \"sysadmin\".",
        ),
        Flag::bool("quiet", false, "Leave out what is only told.").short("q"),
        Flag::bool("replace", false, "Delete the pod that was copied."),
        Flag::bool("same-node", false, "Put the copy onto the pod's node."),
        Flag::slice("set-image", "Images of the copy's containers: name=image; * is all."),
        Flag::bool(
            "share-processes",
            true,
            "Let the copy's containers see each other's processes.",
        ),
        Flag::bool("stdin", false, "Keep the new container's standard input open.").short("i"),
        Flag::str("target", "", "The container whose processes the new one sees."),
        Flag::bool("tty", false, "Give the new container a terminal.").short("t"),
    ]],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    complete: Complete::Pods,
    ..Command::EMPTY
};

/// What the command line asks for.
struct Debug<'a> {
    cx: &'a Cx,
    conn: &'a Conn,
    p: &'a Parsed,
    /// What follows `--`.
    words: Vec<String>,
    env: Vec<Value>,
    custom: Option<Value>,
}

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    let dash = p.dash.filter(|dash| *dash < p.args.len()).unwrap_or(p.args.len());
    let (targets, words) = p.args.split_at(dash.min(p.args.len()));
    profile::known(p.str("profile"))?;
    let custom = custom(&cx, &p)?;
    let conn = cx.connect(&p, 5)?;
    validate(&cx, &p, targets, words).await?;
    if custom.as_ref().is_some_and(fixed_fields) {
        return Err(Error::plain(
            "name, command, image, lifecycle and volume devices are not modifiable via custom \
             profile",
        ));
    }
    let env = p.list("env").iter().map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        json!({"name": name, "value": value})
    });
    let debug =
        Debug { cx: &cx, conn: &conn, p: &p, words: words.to_vec(), env: env.collect(), custom };
    let slash = |t: &String| if t.contains('/') { t.clone() } else { format!("pods/{t}") };
    let named: Vec<String> = targets.iter().map(slash).collect();
    let (found, errors) = things::find(&cx, &conn, &p, &named, &Query::default(), true).await?;
    Error::collect(errors)?;
    for thing in found {
        let (pod, container) = match &*thing.kind.kind {
            "Pod" if p.str("copy-to").is_empty() => debug.ephemeral(&thing).await?,
            "Pod" => debug.copy(&thing).await?,
            "Node" => debug.node(&thing).await?,
            kind => {
                let version = thing.kind.api_version();
                let version = if version.contains('/') { version } else { format!("/{version}") };
                return Err(Error::plain(format!(
                    "{} not supported by debug",
                    quote(&format!("{version}, Kind={kind}"))
                )));
            }
        };
        cx.warnings(&conn).await;
        let attach = if p.changed("attach") { p.bool("attach") } else { p.bool("stdin") };
        if attach && !container.is_empty() {
            debug.join(&pod, &container).await?;
        }
    }
    Ok(())
}

fn custom(cx: &Cx, p: &Parsed) -> Result<Option<Value>, Error> {
    let path = p.str("custom");
    if path.is_empty() {
        return Ok(None);
    }
    let text = cx.proc.read_text(path).map_err(|e| {
        let why = e.to_string().to_lowercase();
        Error::plain(format!(
            "must pass a container spec json file for custom profile: open {path}: {why}"
        ))
    })?;
    let value = yaml::parse(&text).map_err(|e| {
        Error::plain(format!("{path} does not contain a valid container spec: {e}"))
    })?;
    Ok(Some(value))
}

fn fixed_fields(custom: &Value) -> bool {
    ["name", "command", "image", "lifecycle", "volumeDevices"]
        .iter()
        .any(|field| custom.get(field).is_some())
}

async fn validate(cx: &Cx, p: &Parsed, targets: &[String], words: &[String]) -> Result<(), Error> {
    let (image, copy) = (p.str("image"), !p.str("copy-to").is_empty());
    let fail = |text: &str| Err(Error::plain(text));
    if p.bool("attach") && image.is_empty() && p.str("container").is_empty() {
        return fail(
            "you must specify --container or create a new container using --image in order to \
             attach.",
        );
    }
    if copy {
        if image.is_empty() && p.list("set-image").is_empty() && words.is_empty() {
            return fail("you must specify --image, --set-image or command arguments.");
        }
        if !words.is_empty() && p.str("container").is_empty() && image.is_empty() {
            return fail(
                "you must specify an existing container or a new image when specifying args.",
            );
        }
    } else {
        let given = [
            ("--replace may only be used with --copy-to.", p.bool("replace")),
            ("--same-node may only be used with --copy-to.", p.bool("same-node")),
            ("--set-image may only be used with --copy-to.", !p.list("set-image").is_empty()),
            ("you must specify --image when not using --copy-to.", image.is_empty()),
        ];
        if let Some((text, _)) = given.iter().find(|(_, wrong)| *wrong) {
            return fail(text);
        }
    }
    let format = "invalid reference format";
    if !image.is_empty() && !reference::is_valid(image) {
        return Err(Error::plain(format!("invalid image name {}: {format}", quote(image))));
    }
    if targets.is_empty() && !manifest::given(p) {
        return fail("NAME or filename is required for debug");
    }
    let policy = p.str("image-pull-policy");
    if !["", "Always", "IfNotPresent", "Never"].contains(&policy) {
        return Err(Error::plain(format!("invalid image pull policy: {policy}")));
    }
    for (name, image) in images(p) {
        if !reference::is_valid(image) {
            let (image, name) = (quote(image), quote(name));
            return Err(Error::plain(format!(
                "invalid image name {image} for container {name}: {format}"
            )));
        }
    }
    let target = p.str("target");
    if !target.is_empty() {
        if copy {
            return fail("--target is incompatible with --copy-to. Use --share-processes instead.");
        }
        if !p.bool("quiet") {
            cx.out(&format!(
                "Targeting container {}. If you don't see processes from this container it may be \
                 because the container runtime doesn't support this feature.\n",
                quote(target)
            ))
            .await;
        }
    }
    if p.bool("tty") && !p.bool("stdin") {
        return fail("-i/--stdin is required for containers with -t/--tty=true");
    }
    if p.str("profile") == "legacy" {
        cx.err(
            "--profile=legacy is deprecated and planned to be removed in v1.39. It is recommended \
             to specify other profile, for example \"--profile=general\".\n",
        )
        .await;
    }
    Ok(())
}

/// `--set-image`: names and images.
fn images(p: &Parsed) -> impl Iterator<Item = (&str, &str)> {
    p.list("set-image").iter().filter_map(|pair| pair.split_once('='))
}

impl Debug<'_> {
    /// The new container, as far as all ways of debugging agree on it.
    fn container(&self, name: &str) -> Map<String, Value> {
        let mut map = Map::new();
        map.insert("name".into(), name.into());
        if !self.env.is_empty() {
            map.insert("env".into(), self.env.clone().into());
        }
        map.insert("image".into(), self.p.str("image").into());
        if !self.p.str("image-pull-policy").is_empty() {
            map.insert("imagePullPolicy".into(), self.p.str("image-pull-policy").into());
        }
        for (field, flag) in [("stdin", "stdin"), ("tty", "tty")] {
            if self.p.bool(flag) {
                map.insert(field.into(), true.into());
            }
        }
        map.insert("terminationMessagePolicy".into(), "File".into());
        if !self.words.is_empty() {
            let field = if self.p.bool("arguments-only") { "args" } else { "command" };
            map.insert(field.into(), self.words.clone().into());
        }
        map
    }

    /// The name that was asked for, or a new one, which is told.
    async fn name(&self, spec: &Value) -> String {
        let given = self.p.str("container");
        if !given.is_empty() {
            return given.to_owned();
        }
        let taken = |name: &str| {
            ["containers", "initContainers", "ephemeralContainers"].iter().any(|list| {
                let all = spec.get(list).and_then(Value::as_array);
                all.is_some_and(|all| all.iter().any(|c| c["name"] == name))
            })
        };
        let mut name = String::new();
        while name.is_empty() || taken(&name) {
            name = format!("debugger-{}", random_suffix(self.cx.proc.sim(), 5));
        }
        if !self.p.bool("quiet") {
            self.cx.out(&format!("Defaulting debug container name to {name}.\n")).await;
        }
        name
    }

    /// `--custom` over a container.
    fn customized(&self, container: &mut Value) -> Result<(), Error> {
        let Some(custom) = &self.custom else { return Ok(()) };
        // The patch engine knows the lists of containers by the field that they stand in.
        let name = container["name"].clone();
        let mut change = custom.clone();
        if let Some(map) = change.as_object_mut() {
            map.insert("name".into(), name);
        }
        let document = json!({"spec": {"containers": [container.take()]}});
        let change = json!({"spec": {"containers": [change]}});
        let kinds = self.conn.client.kinds();
        let made = patch::apply(kinds.get(Pod::ID), PatchType::Strategic, document, change)
            .map_err(Error::plain)?;
        *container = made["spec"]["containers"][0].clone();
        Ok(())
    }

    /// Starts a container in a pod that runs.
    async fn ephemeral(&self, thing: &Thing) -> Result<(Thing, String), Error> {
        let mut pod = thing.object.clone();
        let name = self.name(&pod["spec"]).await;
        let mut made = Value::Object(self.container(&name));
        if !self.p.str("target").is_empty() {
            made["targetContainerName"] = self.p.str("target").into();
        }
        profile::container(self.p.str("profile"), profile::Style::Ephemeral, &mut made);
        self.customized(&mut made)?;
        self.warn_of_user(&made, &pod["spec"]).await;
        let mut all = pod["spec"]["ephemeralContainers"].as_array().cloned().unwrap_or_default();
        all.push(made);
        pod["spec"]["ephemeralContainers"] = Value::Array(all);
        let change = patch::two_way(&thing.object, &pod);
        let change = (PatchType::Strategic, &change);
        let made =
            self.conn.client.patch(Pod::ID, thing.key(), change, Subresource::Other)?.to_value();
        Ok((Thing { object: made, ..thing.clone() }, name))
    }

    /// Makes a changed copy of a pod.
    async fn copy(&self, thing: &Thing) -> Result<(Thing, String), Error> {
        let (copy, container) = copy::make(self, &thing.object).await?;
        let made = copy["spec"]["containers"].as_array().into_iter().flatten();
        if let Some(made) = made.into_iter().find(|c| c["name"] == container.as_str()) {
            self.warn_of_user(made, &copy["spec"]).await;
        }
        let made = self.create(copy, &thing.namespace)?;
        if self.p.bool("replace") {
            let options =
                crate::client::DeleteOptions { grace_seconds: Some(0), ..Default::default() };
            self.conn.client.delete::<Pod>(&thing.namespace, &thing.name, &options)?;
        }
        Ok((made, container))
    }

    /// Starts a pod that sees a node's processes, network and files.
    async fn node(&self, thing: &Thing) -> Result<(Thing, String), Error> {
        let container = match self.p.str("container") {
            "" => "debugger",
            given => given,
        };
        let suffix = random_suffix(self.cx.proc.sim(), 5);
        let name = format!("node-debugger-{}-{suffix}", thing.name);
        if !self.p.bool("quiet") {
            self.cx
                .out(&format!(
                    "Creating debugging pod {name} with container {container} on node {}.\n",
                    thing.name
                ))
                .await;
        }
        let mut made = Value::Object(self.container(container));
        let style = profile::Style::Node;
        let mut spec = json!({"nodeName": thing.name, "restartPolicy": "Never",
            "tolerations": [{"operator": "Exists"}]});
        profile::container(self.p.str("profile"), style, &mut made);
        profile::node(self.p.str("profile"), &mut spec, &mut made);
        self.customized(&mut made)?;
        spec["containers"] = json!([made]);
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name,
            "labels": {"app.kubernetes.io/managed-by": "kubectl-debug"}}, "spec": spec});
        Ok((self.create(pod, &self.conn.namespace)?, container.to_owned()))
    }

    fn create(&self, pod: Value, namespace: &str) -> Result<Thing, Error> {
        let client = &self.conn.client;
        let made = client.create_value(Pod::ID, namespace, pod, FieldValidation::Warn)?;
        Ok(Thing {
            kind: client.kind(Pod::ID),
            namespace: made.namespace().to_owned(),
            name: made.name().to_owned(),
            source: String::new(),
            object: made.to_value(),
        })
    }

    /// What a profile grants is of little use to one who is not root.
    async fn warn_of_user(&self, container: &Value, spec: &Value) {
        let user = |v: &Value| at(v, &["securityContext", "runAsUser"]).and_then(Value::as_i64);
        if matches!(user(spec), None | Some(0)) || user(container) == Some(0) {
            return;
        }
        let added = at(container, &["securityContext", "capabilities", "add"]);
        let added = added.and_then(Value::as_array).is_some_and(|a| !a.is_empty());
        let privileged = at(container, &["securityContext", "privileged"]);
        if added || privileged == Some(&Value::Bool(true)) {
            self.cx
                .err(
                    "Warning: Non-root user is configured for the entire target Pod, and some \
                     capabilities granted by debug profile may not work. Please consider using \
                     \"--custom\" with a custom profile that specifies \"securityContext.runAsUser: \
                     0\".\n",
                )
                .await;
        }
    }

    /// Waits until the container runs and joins it; what it wrote, if it has ended.
    async fn join(&self, pod: &Thing, container: &str) -> Result<(), Error> {
        let (tell, mut told) = crate::sim::channel::<String>();
        let proc = self.cx.proc.clone();
        let teller = self.cx.proc.spawn_task(async move {
            while let Some(line) = told.recv().await {
                proc.eprint(&line).await;
            }
        });
        let state = |v: &Value| {
            let lists =
                ["initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"];
            lists.iter().find_map(|list| {
                let all = at(v, &["status", list])?.as_array()?;
                Some(all.iter().find(|s| s["name"] == container)?.get("state")?.clone())
            })
        };
        let begun = |v: Option<&Value>| {
            let Some(v) = v else { return true };
            let Some(state) = state(v) else { return false };
            let message = at(&state, &["waiting", "message"]).and_then(Value::as_str);
            if let Some(message) = message.filter(|m| !m.is_empty() && !self.p.bool("quiet")) {
                tell.send(format!("Warning: container {container}: {message}\n"));
            }
            state.get("running").is_some() || state.get("terminated").is_some()
        };
        let last = waiting::until(self.cx, self.conn, pod, 0, begun).await;
        self.cx.proc.sim().kill(&teller);
        let Some(last) = last? else {
            return Err(crate::api::Status::not_found(&pod.kind, "").into());
        };
        let ended = state(&last).is_some_and(|s| s.get("terminated").is_some());
        let typed: Pod = from_value(last).map_err(|e| Error::plain(e.to_string()))?;
        if ended {
            return self.log(pod, container).await;
        }
        let join = Join { container, ..Join::of(self.p) };
        if let Err(e) = join.run(self.cx, self.conn, &typed).await {
            let (name, why) = (&pod.name, e.message());
            self.cx
                .err(&format!(
                    "warning: couldn't attach to pod/{name}, falling back to streaming logs: {why}\n"
                ))
                .await;
            return self.log(pod, container).await;
        }
        Ok(())
    }

    async fn log(&self, pod: &Thing, container: &str) -> Result<(), Error> {
        let options = LogOptions { container: Some(container.to_owned()), ..LogOptions::default() };
        let mut log = self.conn.client.logs(&pod.namespace, &pod.name, &options)?;
        while let Some(bytes) = log.recv().await {
            self.cx.write(1, &bytes).await;
        }
        Ok(())
    }
}
