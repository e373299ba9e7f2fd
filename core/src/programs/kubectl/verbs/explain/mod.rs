//! `kubectl explain`. Models `k8s.io/kubectl/pkg/cmd/explain` and `pkg/explain`.

mod plain;
mod schema;
mod v2;
mod wrap;

use serde_json::Value;

use crate::{
    api::{gofmt::quote, openapi},
    programs::kubectl::{
        Cx, Error,
        flags::{Command, Complete, Flag, Parsed},
        resources,
    },
};

/// `kubectl explain`
pub static COMMAND: Command = Command {
    name: "explain",
    usage: "explain TYPE [--recursive=FALSE|TRUE] [--api-version=api-version-group] [-o|--output=plaintext|plaintext-openapiv2]",
    short: "Tell what the fields of a kind mean",
    long: "Tell what the fields of a kind mean, in the words of the API server's own documents.\n\nA \
           field is named by the path to it: TYPE.FIELD[.FIELD].",
    examples: "# What a pod is made of\nkubectl explain pods\n\n# Every field at once\nkubectl \
               explain pods --recursive\n\n# No deeper than two fields\nkubectl explain pods \
               --recursive --max-depth=2\n\n# In one version of the API\nkubectl explain deployments \
               --api-version=apps/v1\n\n# One field\nkubectl explain pods.spec.containers\n\n# In the \
               older form\nkubectl explain deployment --output=plaintext-openapiv2",
    flags: &[&[
        Flag::str("api-version", "", "The version of the API to explain."),
        Flag::int("max-depth", "0", "How deep --recursive goes; 0 means as deep as there is."),
        Flag::str("output", "plaintext", "plaintext or plaintext-openapiv2.").short("o"),
        Flag::bool("recursive", false, "The fields of fields, too.").short("R"),
    ]],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    complete: Complete::Resources,
    ..Command::EMPTY
};

/// What is to be explained, and how.
struct Question<'a> {
    /// `spec`, `containers` …
    fields: Vec<&'a str>,
    recursive: bool,
    /// 0: no limit.
    depth: i64,
}

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    let arg = match p.args.as_slice() {
        [] => {
            return Err(Error::plain(
                "You must specify the type of resource to explain. Use \"kubectl api-resources\" \
                 for a complete list of supported resources.\n",
            ));
        }
        [one] => one.as_str(),
        _ => return Err(Error::plain("We accept only this format: explain RESOURCE\n")),
    };
    let (depth, recursive) = (p.int("max-depth"), p.bool("recursive"));
    if depth > 0 && !recursive {
        return Err(Error::plain("--max-depth requires --recursive"));
    }
    if depth < 0 {
        return Err(Error::plain("--max-depth must be non-negative"));
    }
    let conn = cx.connect(&p, 5)?;
    let arg = arg.trim_end_matches('.');
    let mut parts = arg.split('.');
    let word = parts.next().unwrap_or_default();
    let mut kind = resources::kind_for(&conn, word).map_err(|_| {
        let word = quote(word);
        Error::Bare(format!("the server doesn't have a resource type {word}"))
    })?;
    let mut fields: Vec<&str> = parts.collect();
    if p.str("api-version").is_empty() {
        // `widgets.example.com.spec` names the group, too.
        let kinds = conn.kinds()?;
        let named = kinds.iter().find(|k| {
            k.group.contains('.') && k.plural == word && {
                let rest = arg.strip_prefix(&k.resource());
                rest.is_some_and(|r| r.is_empty() || r.starts_with('.'))
            }
        });
        if let Some(named) = named {
            let rest = &arg[named.resource().len()..];
            fields = rest.split('.').filter(|f| !f.is_empty()).collect();
            kind = named.clone();
        }
    }
    let question = Question { fields, recursive, depth };
    let version = match p.str("api-version") {
        "" => kind.api_version(),
        given => given.to_owned(),
    };
    let (group, number) = version.rsplit_once('/').unwrap_or(("", &version));
    let text = match p.str("output") {
        "plaintext-openapiv2" => {
            let document = conn.client.openapi_v2();
            let head = v2::Head { group, version: number, kind: &kind.kind };
            v2::explain(&document, &head, &question)?
        }
        "plaintext" => {
            let place = match group {
                "" => format!("api/{number}"),
                group => format!("apis/{group}/{number}"),
            };
            let Some(document) = conn.client.openapi_v3(&place) else {
                let gvr = quote(&format!("{group}/{number}, Resource={}", kind.plural));
                return Err(Error::plain(format!("couldn't find resource for {gvr}")));
            };
            let place = format!("/{place}");
            let Some(gvk) = find_gvk(&document, &place, &kind.plural) else {
                let gvr = format!("{group}/{number}, Resource={}", kind.plural);
                return Err(Error::plain(format!("GVR ({gvr}) not found in OpenAPI schema")));
            };
            let (head, body) = plain::explain(&document, gvk, &question);
            cx.out(&head).await;
            let Some(body) = body else {
                let field = question.fields.last().copied().unwrap_or_default();
                return Err(Error::plain(format!("field {} does not exist", quote(field))));
            };
            body
        }
        other => {
            return Err(Error::plain(format!("unrecognized format: {other}")));
        }
    };
    cx.out(&text).await;
    Ok(())
}

/// Group, version and kind of a resource, from the document's paths.
fn find_gvk<'a>(document: &'a Value, place: &str, plural: &str) -> Option<&'a Value> {
    let paths = document.get("paths")?;
    [
        format!("{place}/{plural}"),
        format!("{place}/{plural}/{{name}}"),
        format!("{place}/namespaces/{{namespace}}/{plural}"),
        format!("{place}/namespaces/{{namespace}}/{plural}/{{name}}"),
    ]
    .iter()
    .filter_map(|path| paths.get(path))
    .find_map(|path| {
        ["get", "post", "put", "patch", "delete"]
            .iter()
            .find_map(|m| path.get(m)?.get(openapi::GVK))
    })
}
