//! `--raw`: requests to paths of the API.
//!
//! Objects, lists, discovery and health. Everything else is NotFound, as paths that do not exist are.

use serde_json::{Value, json};

use super::{Conn, Cx, Error, flags::Parsed};
use crate::{
    api::{Kind, Status, json as gojson, selector::FieldSelector, selector::Selector, yaml},
    client::{DeleteOptions, FieldValidation, ListOptions, Subresource},
};

/// Sends what `-f` names to the path that `--raw` names and prints the answer. Models
/// `kubectl/pkg/rawhttp`, and the checks of the verbs that use it.
pub async fn run(cx: &Cx, conn: &Conn, p: &Parsed, method: &str) -> Result<(), Error> {
    let uri = p.str("raw");
    let body = match p.list("filename") {
        [] if method == "DELETE" => String::new(),
        [name] if name.starts_with("http://") || name.starts_with("https://") => {
            return Err(Error::plain("--raw cannot read from a url"));
        }
        [name] if name == "-" => String::from_utf8_lossy(&cx.proc.read_to_end().await).into_owned(),
        [name] => cx
            .proc
            .read_text(name)
            .map_err(|e| Error::plain(format!("open {name}: {}", e.to_string().to_lowercase())))?,
        _ => return Err(Error::plain("--raw can only use a single local file or stdin")),
    };
    for flag in ["recursive", "output"] {
        if p.changed(flag) && p.str(flag) != "false" {
            return Err(Error::plain(format!("--raw and --{flag} are mutually exclusive")));
        }
    }
    if !uri.starts_with('/') {
        let uri = crate::api::gofmt::quote(uri);
        return Err(Error::plain(format!(
            "--raw must be a valid URL path: parse {uri}: invalid URI for request"
        )));
    }
    let answer = send(conn, method, uri, &body)?;
    cx.warnings(conn).await;
    cx.out(&answer).await;
    Ok(())
}

/// What the server answers to a request that changes something.
fn send(conn: &Conn, method: &str, uri: &str, body: &str) -> Result<String, Error> {
    let path = uri.split_once('?').map_or(uri, |(path, _)| path);
    let segments: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
    let (group, version, rest) = match segments.as_slice() {
        ["api", version, rest @ ..] => ("", *version, rest),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => return Err(missing()),
    };
    let (namespace, plural, rest) = match rest {
        ["namespaces", ns, plural, rest @ ..] => (*ns, *plural, rest),
        [plural, rest @ ..] => ("", *plural, rest),
        [] => return Err(missing()),
    };
    let kind = conn.client.kinds().by_resource(group, version, plural).cloned();
    let kind = kind.ok_or_else(missing)?;
    let object = || yaml::parse(body).map_err(|e| Error::plain(e.to_string()));
    let validation = FieldValidation::Warn;
    let answer = match (method, rest) {
        ("POST", []) => {
            conn.client.create_value(kind.id, namespace, object()?, validation)?.to_value()
        }
        ("PUT", [_]) => {
            conn.client.update_value(kind.id, object()?, validation, Subresource::Main)?.to_value()
        }
        ("PUT", [_, "status"]) => {
            let sub = Subresource::Status;
            conn.client.update_value(kind.id, object()?, validation, sub)?.to_value()
        }
        ("DELETE", [name]) => {
            let options = DeleteOptions::default();
            let (gone, done) = conn.client.delete_any(kind.id, namespace, name, &options)?;
            match done {
                false => gone.to_value(),
                true => json!({"kind": "Status", "apiVersion": "v1", "metadata": {},
                    "status": "Success", "details": {"name": name, "group": kind.group,
                        "kind": kind.plural, "uid": gone.uid()}}),
            }
        }
        _ => {
            let text = "the server does not allow this method on the requested resource";
            return Err(Status::new(405, "MethodNotAllowed", text).into());
        }
    };
    Ok(gojson::compact_typed(&answer) + "\n")
}

/// What the server answers to GET.
pub fn get(conn: &Conn, uri: &str) -> Result<String, Error> {
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let segments: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
    let value = match segments.as_slice() {
        ["healthz" | "livez" | "readyz", ..] => return Ok("ok".into()),
        ["version"] => {
            json!({"major": "1", "minor": "36", "gitVersion": super::verbs::SERVER_VERSION})
        }
        ["api"] => json!({"kind": "APIVersions", "versions": ["v1"]}),
        ["apis"] => groups(conn),
        ["api", version] => resources(conn, "", version)?,
        ["apis", group, version] => resources(conn, group, version)?,
        ["api", version, rest @ ..] => objects(conn, "", version, rest, query)?,
        ["apis", group, version, rest @ ..] => objects(conn, group, version, rest, query)?,
        _ => return Err(missing()),
    };
    Ok(gojson::compact_typed(&value) + "\n")
}

fn missing() -> Error {
    Status::new(404, "NotFound", "the server could not find the requested resource").into()
}

fn groups(conn: &Conn) -> Value {
    let mut names: Vec<(String, String)> = conn
        .client
        .kinds()
        .iter()
        .filter(|k| !k.group.is_empty())
        .map(|k| (k.group.to_string(), k.version.to_string()))
        .collect();
    names.sort();
    names.dedup();
    let groups = names.into_iter().map(|(name, version)| {
        let version = json!({"groupVersion": format!("{name}/{version}"), "version": version});
        json!({"name": name, "versions": [version], "preferredVersion": version})
    });
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups.collect::<Vec<_>>()})
}

fn resources(conn: &Conn, group: &str, version: &str) -> Result<Value, Error> {
    let kinds = conn.client.kinds();
    let resources: Vec<Value> = kinds
        .iter()
        .filter(|k| k.group == group && k.version == version)
        .map(|k| {
            json!({"name": k.plural, "singularName": k.singular, "namespaced": k.namespaced,
                "kind": k.kind, "verbs": k.verbs(), "shortNames": k.short_names,
                "categories": k.categories})
        })
        .collect();
    let name = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    if resources.is_empty() {
        return Err(missing());
    }
    Ok(json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name,
        "resources": resources}))
}

fn objects(
    conn: &Conn,
    group: &str,
    version: &str,
    rest: &[&str],
    query: &str,
) -> Result<Value, Error> {
    let (namespace, rest) = match rest {
        ["namespaces", ns, plural, rest @ ..] => (Some(*ns), [&[*plural], rest].concat()),
        other => (None, other.to_vec()),
    };
    let Some((plural, rest)) = rest.split_first() else { return Err(missing()) };
    let kind = conn.client.kinds().by_resource(group, version, plural).cloned();
    let kind = kind.ok_or_else(missing)?;
    match rest {
        [] => list(conn, &kind, namespace, query),
        [name] => Ok(conn.client.full_value(&*conn.client.get_any(
            kind.id,
            namespace.unwrap_or(""),
            name,
        )?)),
        _ => Err(missing()),
    }
}

fn list(conn: &Conn, kind: &Kind, namespace: Option<&str>, query: &str) -> Result<Value, Error> {
    let parameter = |name: &str| {
        let pair = query.split('&').find_map(|p| p.split_once('=').filter(|(k, _)| *k == name));
        pair.map_or(String::new(), |(_, value)| value.replace("%3D", "=").replace("%2C", ","))
    };
    let options = ListOptions {
        labels: Selector::parse(&parameter("labelSelector")).map_err(Status::bad_request)?,
        fields: FieldSelector::parse(&parameter("fieldSelector")).map_err(Status::bad_request)?,
    };
    let found = conn.client.list_any(kind.id, namespace, &options)?;
    let items: Vec<Value> = found.iter().map(|o| conn.client.full_value(&**o)).collect();
    Ok(json!({"kind": format!("{}List", kind.kind), "apiVersion": kind.api_version(),
        "metadata": {"resourceVersion": conn.client.revision().to_string()}, "items": items}))
}
