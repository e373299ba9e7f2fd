//! The objects that a verb works on: from files, or by type and name, as they are on the server.

use std::rc::Rc;

use serde_json::Value;

use super::{
    Conn, Cx, Error,
    flags::Parsed,
    manifest,
    resources::{self, Query, Selected},
};
use crate::api::Kind;

/// One object.
#[derive(Clone, Debug)]
pub struct Thing {
    /// Its kind.
    pub kind: Rc<Kind>,
    /// Its namespace, empty for cluster-scoped kinds.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The file it was named in, empty if it was named by arguments.
    pub source: String,
    /// What it is.
    pub object: Value,
}

impl Thing {
    /// `deployment.apps/web`.
    pub fn named(&self) -> String {
        super::write::named(&self.kind, &self.name)
    }

    /// Namespace and name, as the client's calls take them.
    pub fn key(&self) -> (&str, &str) {
        (&self.namespace, &self.name)
    }
}

/// Objects that `-f` or the arguments name, and what went wrong with single ones. With `latest`,
/// what files name is read from the server. A command line that makes no sense is an error as a whole.
pub async fn find(
    cx: &Cx,
    conn: &Conn,
    p: &Parsed,
    args: &[String],
    query: &Query,
    latest: bool,
) -> Result<(Vec<Thing>, Vec<Error>), Error> {
    if manifest::given(p) {
        if !args.is_empty() {
            return Err(Error::plain(
                "when paths, URLs, or stdin is provided as input, you may not specify resource \
                 arguments as well",
            ));
        }
        let (found, error) = manifest::read(cx, conn, p, false).await;
        let mut errors: Vec<Error> = error.into_iter().collect();
        let mut things = Vec::new();
        let selector = crate::api::selector::Selector::parse(&query.selector)?;
        for manifest in found.into_iter().filter(|m| super::verbs::selects(&selector, &m.object)) {
            let (namespace, name) = (manifest.namespace().to_owned(), manifest.name().to_owned());
            let mut object = manifest.object;
            if latest {
                match conn.client.get_any(manifest.kind.id, &namespace, &name) {
                    Ok(current) => object = conn.value(&current),
                    Err(e) => {
                        errors.push(e.into());
                        continue;
                    }
                }
            }
            let (kind, source) = (manifest.kind, manifest.source);
            things.push(Thing { kind, namespace, name, source, object });
        }
        return Ok((things, errors));
    }
    let selected = resources::select(conn, args, query)?;
    Ok(fetch(conn, &selected, query))
}

/// What arguments name, without reading it; `None` where they do not name single objects.
pub fn unread(conn: &Conn, args: &[String], query: &Query) -> Result<Option<Vec<Thing>>, Error> {
    let Selected::Items(items) = resources::select(conn, args, query)? else { return Ok(None) };
    let thing = |item: resources::Item| Thing {
        kind: item.kind,
        namespace: item.namespace,
        name: item.name,
        source: String::new(),
        object: Value::Null,
    };
    Ok(Some(items.into_iter().map(thing).collect()))
}

/// Objects of files, without asking a server (`--local`).
pub async fn local(cx: &Cx, p: &Parsed, args: &[String]) -> Result<Vec<Thing>, Error> {
    if !args.is_empty() || !manifest::given(p) {
        return Err(Error::plain(
            "error: you must specify resources by --filename when --local is set.\n\
             Example resource specifications include:\n   '-f rsrc.yaml'\n   \
             '--filename=rsrc.json'",
        ));
    }
    let thing = |m: manifest::Manifest| Thing {
        namespace: m.namespace().to_owned(),
        name: m.name().to_owned(),
        kind: m.kind,
        source: m.source,
        object: m.object,
    };
    Ok(manifest::read_local(cx, p).await?.into_iter().map(thing).collect())
}

/// Selected objects as things.
pub fn fetch(conn: &Conn, selected: &Selected, query: &Query) -> (Vec<Thing>, Vec<Error>) {
    let (found, errors) = resources::fetch(conn, selected, query);
    let thing = |object: crate::api::ObjRef| Thing {
        kind: conn.client.kind(object.kind_id()),
        namespace: object.namespace().to_owned(),
        name: object.name().to_owned(),
        source: String::new(),
        object: conn.value(&object),
    };
    (found.into_iter().map(thing).collect(), errors)
}
