//! `kubectl create secret generic | tls | docker-registry`.

use serde_json::{Map, Value, json};

use super::{SHARED, configmap, finish, name};
use crate::{
    api::{base64, gofmt::quote},
    programs::kubectl::{
        Cx, Error,
        flags::{Command, Flag, Parsed},
        write,
    },
};

/// `kubectl create secret`
pub(super) static COMMAND: Command = Command {
    name: "secret",
    usage: "secret (docker-registry | generic | tls)",
    short: "Create a secret",
    subcommands: &[&REGISTRY, &GENERIC, &TLS],
    ..Command::EMPTY
};

static GENERIC: Command = Command {
    name: "generic",
    usage: "generic NAME [--type=string] [--from-file=[key=]source] [--from-literal=key1=value1] \
            [--dry-run=server|client|none]",
    short: "Create a secret from files and values",
    examples: "# A password\nkubectl create secret generic db --from-literal=password=hunter2",
    flags: &[
        &[Flag::str("type", "", "The secret's type.")],
        configmap::FROM,
        SHARED,
        write::OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(generic(cx, p))),
    ..Command::EMPTY
};

async fn generic(cx: Cx, p: Parsed) -> Result<(), Error> {
    let name = name(&p)?;
    let what = format!("Data for Secret {}", quote(&name));
    let mut data = Map::new();
    for (key, bytes) in configmap::read(&cx, &p, "Secret", &what).await? {
        data.insert(key, base64::encode(&bytes).into());
    }
    let kind = p.str("type").to_owned();
    create(cx, p, &name, data, &kind).await
}

/// The first block of PEM that fits, as `tls.X509KeyPair` looks for it in what is a certificate or
/// a key. Errors: in Go's words.
fn pem_block(text: &str, what: &str, kind: &str) -> Result<(), Error> {
    let blocks: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("-----BEGIN ")?.strip_suffix("-----"))
        .filter(|name| text.contains(&format!("-----END {name}-----")))
        .collect();
    let fits = |name: &&str| match kind {
        "key" => name.ends_with("PRIVATE KEY"),
        kind => *name == kind,
    };
    if blocks.iter().any(fits) {
        return Ok(());
    }
    let wanted = if kind == "key" {
        "PEM block with type ending in \"PRIVATE KEY\"".to_owned()
    } else {
        format!("{} PEM block", quote(kind))
    };
    Err(Error::plain(if blocks.is_empty() {
        format!("tls: failed to find any PEM data in {what} input")
    } else {
        format!(
            "tls: failed to find {wanted} in {what} input after skipping PEM blocks of the following \
             types: [{}]",
            blocks.join(" ")
        )
    }))
}

static TLS: Command = Command {
    name: "tls",
    usage: "tls NAME --cert=path/to/cert/file --key=path/to/key/file [--dry-run=server|client|none]",
    short: "Create a secret for TLS",
    examples: "# A certificate and its key\nkubectl create secret tls cert --cert=tls.crt --key=tls.key",
    flags: &[
        &[
            configmap::APPEND_HASH,
            Flag::str("cert", "", "The certificate's file, PEM."),
            Flag::str("key", "", "The key's file, PEM."),
        ],
        SHARED,
        write::OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(tls(cx, p))),
    ..Command::EMPTY
};

async fn tls(cx: Cx, p: Parsed) -> Result<(), Error> {
    let name = name(&p)?;
    let mut data = Map::new();
    if p.str("key").is_empty() || p.str("cert").is_empty() {
        return Err(Error::plain("key and cert must be specified"));
    }
    let mut texts = Vec::new();
    for (key, flag) in [("tls.crt", "cert"), ("tls.key", "key")] {
        let path = p.str(flag);
        let bytes = cx.proc.read_file(path).map_err(|_| {
            let text = format!("Cannot read file {path}, open {path}: no such file or directory");
            Error::plain(text)
        })?;
        texts.push(String::from_utf8_lossy(&bytes).into_owned());
        data.insert(key.into(), base64::encode(&bytes).into());
    }
    let inputs = [("certificate", "CERTIFICATE"), ("key", "key")];
    for (text, (what, kind)) in texts.iter().zip(inputs) {
        pem_block(text, what, kind)?;
    }
    create(cx, p, &name, data, "kubernetes.io/tls").await
}

static REGISTRY: Command = Command {
    name: "docker-registry",
    usage: "docker-registry NAME --docker-username=user --docker-password=password \
            --docker-email=email [--docker-server=string] [--from-file=[key=]source] \
            [--dry-run=server|client|none]",
    short: "Create a secret for a registry of images",
    examples: "# Who I am at my registry\nkubectl create secret docker-registry reg \
               --docker-server=reg.example.com --docker-username=me --docker-password=pw",
    flags: &[
        &[
            configmap::APPEND_HASH,
            Flag::str("docker-email", "", "A mail address."),
            Flag::str("docker-password", "", "The password."),
            Flag::str("docker-server", "https://index.docker.io/v1/", "The registry's address."),
            Flag::str("docker-username", "", "The user's name."),
            Flag::slice("from-file", "A file with a registry configuration: [key=]path."),
        ],
        SHARED,
        write::OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(registry(cx, p))),
    ..Command::EMPTY
};

async fn registry(cx: Cx, p: Parsed) -> Result<(), Error> {
    let name = name(&p)?;
    let (user, password) = (p.str("docker-username"), p.str("docker-password"));
    if !p.list("from-file").is_empty() {
        let what = format!("Data for Secret {}", quote(&name));
        let mut data = Map::new();
        for spec in p.list("from-file") {
            let (key, path) = spec.split_once('=').unwrap_or((".dockerconfigjson", spec));
            let bytes = cx.proc.read_file(path).map_err(|e| {
                Error::plain(format!("{what}: open {path}: {}", e.to_string().to_lowercase()))
            })?;
            data.insert(key.to_owned(), base64::encode(&bytes).into());
        }
        return create(cx, p, &name, data, "kubernetes.io/dockerconfigjson").await;
    }
    if user.is_empty() || password.is_empty() {
        return Err(Error::plain(
            "either --from-file or the combination of --docker-username, --docker-password and \
             --docker-server is required",
        ));
    }
    let text = |s: &str| crate::api::json::compact(&Value::String(s.to_owned()));
    let email = match p.str("docker-email") {
        "" => String::new(),
        email => format!("\"email\":{},", text(email)),
    };
    let auth = base64::encode(format!("{user}:{password}").as_bytes());
    // In the order of Go's type, which the encoded text shows.
    let config = format!(
        "{{\"auths\":{{{}:{{\"username\":{},\"password\":{},{email}\"auth\":{}}}}}}}",
        text(p.str("docker-server")),
        text(user),
        text(password),
        text(&auth)
    );
    let mut data = Map::new();
    data.insert(".dockerconfigjson".into(), base64::encode(config.as_bytes()).into());
    create(cx, p, &name, data, "kubernetes.io/dockerconfigjson").await
}

async fn create(
    cx: Cx,
    p: Parsed,
    name: &str,
    data: Map<String, Value>,
    kind: &str,
) -> Result<(), Error> {
    let mut object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}});
    if !data.is_empty() {
        object["data"] = Value::Object(data);
    }
    if !kind.is_empty() {
        object["type"] = kind.into();
    }
    let object = configmap::hashed(&p, object);
    finish(cx, p, object, "failed to create secret").await
}
