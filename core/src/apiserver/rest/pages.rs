//! Pages of lists: all show the state that the first one showed.
//!
//! What a list held is kept (the objects are shared, nothing is copied) for as long as etcd keeps old
//! revisions; then the token is too old, and the answer carries another one that goes on with what
//! is there now.
//!
//! Models `apiserver/pkg/storage/continue.go` and `etcd3/errors.go`.

use std::{cell::RefCell, rc::Rc, time::Duration};

use serde_json::{Value, json};

use crate::{
    api::{KindId, ObjRef, Status, base64},
    sim::Time,
};

/// How long a list can be gone on with (`--etcd-compaction-interval`).
const KEPT: Duration = Duration::from_secs(300);
/// So many lists are kept.
const MOST: usize = 32;
/// The format of tokens.
const VERSION: &str = "meta.k8s.io/v1";

const TOO_OLD: &str = "The provided continue parameter is too old to display a consistent list \
    result. You can start a new list without the continue parameter, or use the continue token in \
    this response to retrieve the remainder of the results. Continuing with the provided token \
    results in an inconsistent list - objects that were created, modified, or deleted between the \
    time the first chunk was returned and now may show up in the list.";

/// Where a list goes on: the first page's revision (-1: whatever is there now), and the key behind
/// the last object that was told.
pub struct Continue {
    /// The revision.
    pub revision: i64,
    namespace: String,
    name: String,
}

impl Continue {
    /// Reads a token. Errors: BadRequest.
    pub fn parse(token: &str) -> Result<Self, Status> {
        let refuse = |why: &str| {
            let why = format!("invalid continue token: continue key is not valid: {why}");
            Status::bad_request(why)
        };
        let mut plain = token.replace('-', "+").replace('_', "/");
        while !plain.len().is_multiple_of(4) {
            plain.push('=');
        }
        let bytes = base64::decode(&plain);
        let bytes = bytes.ok_or_else(|| refuse(&bad_base64(token)))?;
        let value: Value = serde_json::from_slice(&bytes)
            .map_err(|_| refuse("invalid character looking for beginning of value"))?;
        let version = value["v"].as_str().unwrap_or_default();
        if version != VERSION {
            return Err(refuse(&format!(
                "server does not recognize this encoded version {version:?}"
            )));
        }
        let revision = value["rv"].as_i64().filter(|rv| *rv != 0).ok_or_else(|| {
            refuse("incorrect encoded start resourceVersion (version meta.k8s.io/v1)")
        })?;
        let start = value["start"].as_str().unwrap_or_default();
        if start.is_empty() {
            return Err(refuse("encoded start key empty (version meta.k8s.io/v1)"));
        }
        let start = start.trim_end_matches('\0');
        let (namespace, name) = start.rsplit_once('/').unwrap_or(("", start));
        Ok(Continue { revision, namespace: namespace.into(), name: name.into() })
    }

    /// A token to go on behind an object.
    pub fn token(revision: i64, last: &ObjRef) -> String {
        Self::write(revision, last.namespace(), last.name())
    }

    fn write(revision: i64, namespace: &str, name: &str) -> String {
        let start = match namespace {
            "" => format!("{name}\0"),
            namespace => format!("{namespace}/{name}\0"),
        };
        let value = json!({"v": VERSION, "rv": revision, "start": start});
        let text = base64::encode(value.to_string().as_bytes());
        text.replace('+', "-").replace('/', "_").trim_end_matches('=').to_owned()
    }

    /// What is left of a sorted list.
    pub fn rest(&self, objects: &[ObjRef]) -> Vec<ObjRef> {
        let key = (self.namespace.as_str(), self.name.as_str());
        let from = objects.partition_point(|o| (o.namespace(), o.name()) <= key);
        objects.get(from..).unwrap_or_default().to_vec()
    }

    /// 410, with a token that goes on with what is there now.
    pub fn expired(&self) -> Value {
        let mut value = Status::new(410, "Expired", TOO_OLD).to_value();
        let token = Self::write(-1, &self.namespace, &self.name);
        value["metadata"] = json!({"continue": token});
        value
    }
}

fn bad_base64(token: &str) -> String {
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let at = token.bytes().position(|b| !good(b)).unwrap_or(token.len());
    format!("illegal base64 data at input byte {at}")
}

/// Which list it is: kind, namespace, selectors of labels and of fields.
pub type Which = (KindId, Option<String>, String, String);

/// A list that somebody goes through page by page.
struct Kept {
    which: Which,
    revision: u64,
    made: Time,
    objects: Rc<[ObjRef]>,
}

/// The lists that are kept.
#[derive(Default)]
pub struct Pages(RefCell<Vec<Kept>>);

impl Pages {
    /// Keeps a list whose first page was told.
    pub fn keep(&self, which: Which, revision: u64, now: Time, objects: &[ObjRef]) {
        let mut all = self.0.borrow_mut();
        all.retain(|kept| now.since(kept.made) < KEPT);
        if all.iter().any(|kept| kept.revision == revision && kept.which == which) {
            return;
        }
        if all.len() >= MOST {
            all.remove(0);
        }
        all.push(Kept { which, revision, made: now, objects: objects.into() });
    }

    /// The list as it was at a revision, if it is still known.
    pub fn find(&self, which: &Which, revision: i64, now: Time) -> Option<Rc<[ObjRef]>> {
        let all = self.0.borrow();
        let found = all.iter().find(|kept| {
            i64::try_from(kept.revision) == Ok(revision)
                && kept.which == *which
                && now.since(kept.made) < KEPT
        });
        found.map(|kept| kept.objects.clone())
    }
}
