//! `kubectl apply --prune`: objects that were applied once and are in the files no more are deleted.
//! Models `k8s.io/kubectl/pkg/cmd/apply/prune.go` and `pkg/util/prune`.

use std::{collections::BTreeSet, rc::Rc};

use serde_json::Value;

use crate::{
    api::Kind,
    client::{DeleteOptions, Propagation},
    programs::kubectl::{
        Conn, Cx, Error,
        flags::Parsed,
        resources::{self, Query},
        write::{self, DryRun, LAST_APPLIED, at},
    },
};

/// Kinds that are pruned unless others are named.
const KINDS: &[(&str, &str)] = &[
    ("v1", "ConfigMap"),
    ("v1", "Endpoints"),
    ("v1", "PersistentVolumeClaim"),
    ("v1", "Pod"),
    ("v1", "ReplicationController"),
    ("v1", "Secret"),
    ("v1", "Service"),
    ("batch/v1", "Job"),
    ("batch/v1", "CronJob"),
    ("networking.k8s.io/v1", "Ingress"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "ReplicaSet"),
    ("apps/v1", "StatefulSet"),
    ("v1", "Namespace"),
    ("v1", "PersistentVolume"),
];

/// Which kinds `--prune-allowlist` names, or the usual ones. Kinds that the server does not have are
/// an error where they were named.
pub(in crate::programs::kubectl::verbs) fn kinds(
    conn: &Conn,
    p: &Parsed,
) -> Result<Vec<Rc<Kind>>, Error> {
    let named = p.list("prune-allowlist");
    if named.is_empty() {
        let table = conn.kinds()?;
        let found = KINDS.iter().filter_map(|(version, kind)| table.by_kind(version, kind));
        return Ok(found.cloned().collect());
    }
    let mut out = Vec::new();
    for word in named {
        let parts: Vec<&str> = word.split('/').collect();
        let [group, version, kind] = parts.as_slice() else {
            return Err(Error::plain(format!(
                "invalid GroupVersionKind format: {word}, please follow <group/version/kind>"
            )));
        };
        let version = match *group {
            "" | "core" => (*version).to_owned(),
            group => format!("{group}/{version}"),
        };
        match conn.by_kind(&version, kind)? {
            Some(found) => out.push(found),
            None => {
                let (kind, version) = (quoted(kind), quoted(&version));
                let text = format!("no matches for kind {kind} in version {version}");
                return Err(Error::plain(text));
            }
        }
    }
    Ok(out)
}

fn quoted(text: &str) -> String {
    crate::api::gofmt::quote(text)
}

/// What is left to do once everything was applied.
pub(in crate::programs::kubectl::verbs) struct Prune<'a> {
    /// Kinds to look at.
    pub kinds: &'a [Rc<Kind>],
    /// Namespaces that applied objects are in, and the one that was named.
    pub namespaces: BTreeSet<String>,
    /// uids of applied objects.
    pub applied: BTreeSet<String>,
    /// Which run it is.
    pub dry_run: DryRun,
}

/// How objects are deleted.
pub(super) fn options(p: &Parsed) -> DeleteOptions {
    let propagation = match p.str("cascade") {
        "orphan" | "false" => Propagation::Orphan,
        "foreground" => Propagation::Foreground,
        _ => Propagation::Background,
    };
    let grace = p.int("grace-period");
    let grace_seconds = (p.changed("grace-period") && grace >= 0).then_some(grace);
    DeleteOptions { grace_seconds, propagation, ..DeleteOptions::default() }
}

/// Deletes what was applied before and not now.
pub(super) async fn run(cx: &Cx, conn: &Conn, p: &Parsed, prune: &Prune<'_>) -> Result<(), Error> {
    if p.list("prune-allowlist").is_empty() {
        let text = "Deprecated: kubectl apply will no longer prune non-namespaced resources by \
                    default when used with the --namespace flag in a future release. To preserve \
                    the current behaviour, list the resources you want to target explicitly in the \
                    --prune-allowlist flag.";
        cx.err(&cx.klog('W', "prune.go:71", text)).await;
    }
    let gone = left(conn, p, prune)?;
    cx.warnings(conn).await;
    for (kind, value) in gone {
        delete(cx, conn, p, (&kind, &value), prune.dry_run).await?;
    }
    Ok(())
}

/// What was applied before and not now.
pub(in crate::programs::kubectl::verbs) fn left(
    conn: &Conn,
    p: &Parsed,
    prune: &Prune<'_>,
) -> Result<Vec<(Rc<Kind>, Value)>, Error> {
    let query = Query { selector: p.str("selector").to_owned(), ..Query::default() };
    let none = [String::new()];
    let mut out = Vec::new();
    for namespaced in [true, false] {
        let places: Vec<&String> =
            if namespaced { prune.namespaces.iter().collect() } else { none.iter().collect() };
        for namespace in places {
            for kind in prune.kinds.iter().filter(|k| k.namespaced == namespaced) {
                let options = resources::list_options(kind, &query)?;
                let within = namespaced.then_some(namespace.as_str());
                for object in conn.client.list_any(kind.id, within, &options)? {
                    let value = object.to_value();
                    let note = at(&value, &["metadata", "annotations", LAST_APPLIED]);
                    if note.is_some() && !prune.applied.contains(object.uid()) {
                        out.push((kind.clone(), value));
                    }
                }
            }
        }
    }
    Ok(out)
}

/// Deletes one object and says so.
pub(super) async fn delete(
    cx: &Cx,
    conn: &Conn,
    p: &Parsed,
    (kind, object): (&Kind, &Value),
    dry_run: DryRun,
) -> Result<(), Error> {
    let text = |key: &str| at(object, &["metadata", key]).and_then(Value::as_str).unwrap_or("");
    if dry_run != DryRun::Client {
        match conn.client.delete_any(kind.id, text("namespace"), text("name"), &options(p)) {
            Err(e) if !e.is_not_found() => return Err(e.into()),
            _ => {}
        }
    }
    write::report(cx, p, object, "pruned", dry_run).await
}
