//! `kubectl version`.

use serde_json::{Map, Value, json};

use crate::{
    api::{json as gojson, yaml},
    programs::kubectl::{
        Cx, Error,
        flags::{Command, Flag, Parsed},
    },
};

/// What this kubectl says it is.
pub const CLIENT_VERSION: &str = "v1.37.1";
const KUSTOMIZE_VERSION: &str = "v5.8.1";
/// What our API servers say they are.
pub const SERVER_VERSION: &str = "v1.36.2";

/// `kubectl version`
pub static COMMAND: Command = Command {
    name: "version",
    usage: "version [flags]",
    short: "Print the versions of kubectl and of the server",
    examples: "# Both versions\nkubectl version\n\n# Only kubectl's, as JSON\nkubectl version --client -o json",
    flags: &[&[
        Flag::bool("client", false, "Only kubectl's version; no server is asked."),
        Flag::str("output", "", "One of 'yaml' or 'json'.").short("o"),
    ]],
    run: Some(|cx, parsed| Box::pin(run(cx, parsed))),
    ..Command::EMPTY
};

fn info(version: &str) -> Value {
    let minor = version.split('.').nth(1).unwrap_or("0");
    json!({
        "major": "1", "minor": minor, "gitVersion": version, "gitTreeState": "clean",
        "platform": "linux/amd64", "compiler": "gc",
    })
}

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    if !p.args.is_empty() {
        let args = p.args.join(" ");
        return Err(Error::plain(format!("extra arguments: [{args}]")));
    }
    let output = p.str("output");
    if !["", "yaml", "json"].contains(&output) {
        return Err(Error::plain("--output must be 'yaml' or 'json'"));
    }
    let mut map = Map::new();
    map.insert("clientVersion".into(), info(CLIENT_VERSION));
    map.insert("kustomizeVersion".into(), KUSTOMIZE_VERSION.into());
    let server = if p.bool("client") { None } else { Some(cx.connect(&p, 0)) };
    if let Some(Ok(conn)) = &server {
        conn.discovery.document(
            "/version",
            "timeout=32s",
            ("application/json", "application/json, */*"),
        )?;
        map.insert("serverVersion".into(), info(SERVER_VERSION));
    }
    match output {
        "yaml" => cx.out(&yaml::to_string(&Value::Object(map))).await,
        "json" => {
            // As upstream's encoder: two blanks.
            cx.out(&(gojson::indented(&Value::Object(map), 2) + "\n")).await;
        }
        _ => {
            let mut text = format!(
                "Client Version: {CLIENT_VERSION}\nKustomize Version: {KUSTOMIZE_VERSION}\n"
            );
            if let Some(Ok(_)) = server {
                text.push_str(&format!("Server Version: {SERVER_VERSION}\n"));
            }
            cx.out(&text).await;
        }
    }
    server.map_or(Ok(()), |s| s.map(|_| ()))
}
