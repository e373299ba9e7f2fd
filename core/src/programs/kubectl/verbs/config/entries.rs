//! `kubectl config set-cluster | set-context | set-credentials`.

use serde_json::Value;

use super::{exactly_or_help, load};
use crate::{
    api::{base64, gofmt::quote},
    programs::kubectl::{
        Cx, Error,
        flags::{Command, Complete, Flag, Parsed},
        kubeconfig::{self, Config},
    },
};

pub(super) static CLUSTER: Command = Command {
    name: "set-cluster",
    usage: "set-cluster NAME [--server=server] [--certificate-authority=path/to/certificate/authority] \
            [--insecure-skip-tls-verify=true] [--tls-server-name=example.com]",
    short: "Add or change a cluster",
    examples: "# Say where the cluster dev is\nkubectl config set-cluster dev --server=https://10.0.0.1:6443",
    flags: &[&[
        Flag::str("certificate-authority", "", "A file with the certificate authority to trust."),
        Flag::bool("embed-certs", false, "Copy the file's content into the kubeconfig."),
        Flag::bool("insecure-skip-tls-verify", false, "Do not check the server's certificate."),
        Flag::str("proxy-url", "", "The proxy to go through."),
        Flag::str("server", "", "The API server's address."),
        Flag::str("tls-server-name", "", "The name to expect in the server's certificate."),
    ]],
    run: Some(|cx, p| Box::pin(cluster(cx, p))),
    complete: Complete::Config("clusters"),
    ..Command::EMPTY
};

async fn cluster(cx: Cx, p: Parsed) -> Result<(), Error> {
    exactly_or_help(&cx, &p, 1).await?;
    let name = p.args[0].clone();
    if name.is_empty() {
        return Err(Error::plain("you must specify a non-empty cluster name"));
    }
    if p.bool("insecure-skip-tls-verify") && !p.str("certificate-authority").is_empty() {
        return Err(Error::plain(
            "you cannot specify a certificate authority and insecure mode at the same time",
        ));
    }
    if p.bool("embed-certs") && p.str("certificate-authority").is_empty() {
        return Err(Error::plain("you must specify a --certificate-authority to embed"));
    }
    let (files, before) = load(&cx, &p)?;
    let mut after = before.clone();
    after.sections[kubeconfig::CLUSTERS]
        .entry(name.clone())
        .or_insert_with(|| serde_json::json!({}));
    texts(&mut after, kubeconfig::CLUSTERS, &name, &p, &["server", "tls-server-name", "proxy-url"]);
    if p.changed("insecure-skip-tls-verify") {
        let insecure = p.bool("insecure-skip-tls-verify");
        after.set_field(kubeconfig::CLUSTERS, &name, "insecure-skip-tls-verify", insecure);
        if insecure {
            after.remove_field(kubeconfig::CLUSTERS, &name, "certificate-authority");
            after.remove_field(kubeconfig::CLUSTERS, &name, "certificate-authority-data");
        }
    }
    file(&cx, &mut after, kubeconfig::CLUSTERS, &name, &p, "certificate-authority")?;
    files.save(&cx.proc, &before, &after)?;
    cx.out(&format!("Cluster {} set.\n", quote(&name))).await;
    Ok(())
}

pub(super) static CONTEXT: Command = Command {
    name: "set-context",
    usage: "set-context [NAME | --current] [--cluster=cluster_nickname] [--user=user_nickname] \
            [--namespace=namespace]",
    short: "Add or change a context",
    examples: "# Work in the namespace dev from now on\nkubectl config set-context --current --namespace=dev",
    flags: &[&[
        Flag::str("cluster", "", "The context's cluster."),
        Flag::bool("current", false, "Change the context in force."),
        Flag::str("namespace", "", "The context's namespace.").short("n"),
        Flag::str("user", "", "The context's user."),
    ]],
    run: Some(|cx, p| Box::pin(context(cx, p))),
    complete: Complete::Config("contexts"),
    ..Command::EMPTY
};

async fn context(cx: Cx, p: Parsed) -> Result<(), Error> {
    let current = p.bool("current");
    if p.args.len() > 1 {
        exactly_or_help(&cx, &p, 1).await?;
    }
    let given = p.args.first().cloned().unwrap_or_default();
    match (given.is_empty(), current) {
        (true, false) => {
            let text = "you must specify a non-empty context name or --current";
            return Err(Error::plain(text));
        }
        (false, true) => {
            return Err(Error::plain("you cannot specify both a context name and --current"));
        }
        _ => {}
    }
    let (files, before) = load(&cx, &p)?;
    let name = if current { before.current_context.clone() } else { given };
    if name.is_empty() {
        return Err(Error::plain("no current context is set"));
    }
    let mut after = before.clone();
    let existed = before.sections[kubeconfig::CONTEXTS].contains_key(&name);
    for field in ["cluster", "user"] {
        if !existed && !p.changed(field) {
            after.set_field(kubeconfig::CONTEXTS, &name, field, "");
        }
    }
    texts(&mut after, kubeconfig::CONTEXTS, &name, &p, &["cluster", "user", "namespace"]);
    files.save(&cx.proc, &before, &after)?;
    let what = if existed { "modified" } else { "created" };
    cx.out(&format!("Context {} {what}.\n", quote(&name))).await;
    Ok(())
}

pub(super) static CREDENTIALS: Command = Command {
    name: "set-credentials",
    usage: "set-credentials NAME [--client-certificate=path/to/certfile] [--client-key=path/to/keyfile] \
            [--token=bearer_token] [--username=basic_user] [--password=basic_password]",
    short: "Add or change a user",
    examples: "# Show a token to the server\nkubectl config set-credentials me --token=abc",
    flags: &[&[
        Flag::str("client-certificate", "", "A file with the certificate that shows who you are."),
        Flag::str("client-key", "", "A file with its key."),
        Flag::str("auth-provider", "", "The way to show who you are."),
        Flag::array("auth-provider-arg", "What that way needs: key=value, or key- for no more."),
        Flag::bool("embed-certs", false, "Copy the files' content into the kubeconfig."),
        Flag::str("exec-api-version", "", "The version in which the program is spoken to."),
        Flag::array("exec-arg", "Arguments of the program."),
        Flag::str("exec-command", "", "A program that shows who you are."),
        Flag::array("exec-env", "Variables of the program: key=value, or key- for no more."),
        Flag::str(
            "exec-interactive-mode",
            "",
            "Whether the program may ask: Never, IfAvailable, Always.",
        ),
        Flag::bool(
            "exec-provide-cluster-info",
            false,
            "Whether the program is told of the cluster.",
        ),
        Flag::str("password", "", "A password."),
        Flag::str("token", "", "A bearer token."),
        Flag::str("username", "", "A name to go with the password."),
    ]],
    run: Some(|cx, p| Box::pin(credentials(cx, p))),
    complete: Complete::Config("users"),
    ..Command::EMPTY
};

async fn credentials(cx: Cx, p: Parsed) -> Result<(), Error> {
    if p.args.len() != 1 {
        let args = p.args.join(" ");
        cx.out(&crate::programs::kubectl::help_of(&p.path)).await;
        return Err(Error::plain(format!("unexpected args: [{args}]")));
    }
    let name = p.args[0].clone();
    if name.is_empty() {
        return Err(Error::plain("you must specify a non-empty user name"));
    }
    let methods: Vec<&str> = [("token", "--token"), ("username", "--username/--password")]
        .into_iter()
        .filter(|(flag, _)| !p.str(flag).is_empty())
        .map(|(_, name)| name)
        .collect();
    if methods.len() > 1 {
        return Err(Error::plain(format!(
            "you cannot specify more than one authentication method at the same time: {}",
            methods.join(", ")
        )));
    }
    if p.bool("embed-certs")
        && p.str("client-certificate").is_empty()
        && p.str("client-key").is_empty()
    {
        return Err(Error::plain(
            "you must specify a --client-certificate or --client-key to embed",
        ));
    }
    let (files, before) = load(&cx, &p)?;
    let mut after = before.clone();
    after.sections[kubeconfig::USERS].entry(name.clone()).or_insert_with(|| serde_json::json!({}));
    texts(&mut after, kubeconfig::USERS, &name, &p, &["token", "username", "password"]);
    if p.changed("token") {
        after.remove_field(kubeconfig::USERS, &name, "username");
        after.remove_field(kubeconfig::USERS, &name, "password");
    } else if p.changed("username") {
        after.remove_field(kubeconfig::USERS, &name, "token");
    }
    let user = after.sections[kubeconfig::USERS].get_mut(&name);
    if let Some(user) = user.and_then(Value::as_object_mut) {
        programs(user, &p);
    }
    file(&cx, &mut after, kubeconfig::USERS, &name, &p, "client-certificate")?;
    file(&cx, &mut after, kubeconfig::USERS, &name, &p, "client-key")?;
    files.save(&cx.proc, &before, &after)?;
    cx.out(&format!("User {} set.\n", quote(&name))).await;
    Ok(())
}

/// Takes over what names a program, or another way, that shows who one is.
fn programs(user: &mut serde_json::Map<String, Value>, p: &Parsed) {
    use serde_json::json;
    // What was there, without what is to go, and with what is set.
    let pairs = |flag: &str| {
        let pair = |text: &String| match text.split_once('=') {
            Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
            None => (text.trim_end_matches('-').to_owned(), None),
        };
        p.list(flag).iter().map(pair).collect::<Vec<_>>()
    };
    if p.changed("auth-provider") || p.changed("auth-provider-arg") {
        let provider = user.entry("auth-provider").or_insert_with(|| json!({"config": {}}));
        if p.changed("auth-provider") {
            provider["name"] = p.str("auth-provider").into();
        }
        for (key, value) in pairs("auth-provider-arg") {
            if let Some(config) = provider["config"].as_object_mut() {
                match value {
                    Some(value) => drop(config.insert(key, value.into())),
                    None => drop(config.remove(&key)),
                }
            }
        }
    }
    if p.changed("exec-command") {
        let new = || json!({"provideClusterInfo": false});
        let exec = user.entry("exec").or_insert_with(new);
        exec["command"] = p.str("exec-command").into();
    }
    let Some(exec) = user.get_mut("exec") else { return };
    let texts = [("exec-api-version", "apiVersion"), ("exec-interactive-mode", "interactiveMode")];
    for (flag, field) in texts.iter().filter(|(flag, _)| p.changed(flag)) {
        exec[*field] = p.str(flag).into();
    }
    if p.changed("exec-arg") {
        exec["args"] = json!(p.list("exec-arg"));
    }
    if p.changed("exec-provide-cluster-info") {
        exec["provideClusterInfo"] = p.bool("exec-provide-cluster-info").into();
    }
    for (key, value) in pairs("exec-env") {
        let mut env = exec["env"].as_array().cloned().unwrap_or_default();
        env.retain(|var| var["name"] != key);
        env.extend(value.map(|value| json!({"name": key, "value": value})));
        exec["env"] = Value::Array(env);
    }
}

/// Takes over text flags that were given; an empty one removes the field.
fn texts(config: &mut Config, section: usize, name: &str, p: &Parsed, fields: &[&str]) {
    for field in fields.iter().filter(|f| p.changed(f)) {
        match p.str(field) {
            "" if section != kubeconfig::CONTEXTS || *field == "namespace" => {
                config.remove_field(section, name, field);
                if !config.sections[section].contains_key(name) {
                    config.sections[section]
                        .insert(name.to_owned(), Value::Object(Default::default()));
                }
            }
            value => config.set_field(section, name, field, value),
        }
    }
}

/// Takes over a file flag: its absolute path, or its content with `--embed-certs`.
fn file(
    cx: &Cx,
    config: &mut Config,
    section: usize,
    name: &str,
    p: &Parsed,
    field: &str,
) -> Result<(), Error> {
    let path = p.str(field);
    if path.is_empty() {
        return Ok(());
    }
    let data = format!("{field}-data");
    if p.bool("embed-certs") {
        let bytes = cx.proc.read_file(path).map_err(|_| {
            Error::plain(format!(
                "could not stat {field} file {path}: stat {path}: no such file or directory"
            ))
        })?;
        config.set_field(section, name, &data, base64::encode(&bytes));
        config.remove_field(section, name, field);
    } else {
        config.set_field(section, name, field, cx.proc.resolve(path));
        config.remove_field(section, name, &data);
    }
    Ok(())
}
