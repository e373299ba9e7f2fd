//! Watches: changes as they come, one JSON document a line.
//!
//! Models `apiserver/pkg/endpoints/handlers/watch.go` and `storage/cacher`.

use std::{rc::Rc, time::Duration};

use serde_json::{Value, json};

use super::{Call, Handled, Response, negotiate::Accept, path::Target, tables::Shape};
use crate::{
    api::{Kind, ObjRef, Status},
    apiserver::{ApiServer, WatchStream},
    sim::{Either, Sender, channel, race},
    store::Op,
};

/// Bookmarks come once a minute to those who want them.
const BOOKMARKS: Duration = Duration::from_secs(60);
/// A watch without `timeoutSeconds` ends after this time (upstream draws between half an hour and
/// an hour).
const TIMEOUT: Duration = Duration::from_secs(2_700);
/// Whoever lets so many events pile up is cut off; a client watches again.
const MOST_WAITING: usize = 10_000;

/// Writes one watch's events.
struct Writer {
    api: ApiServer,
    kind: Rc<Kind>,
    shape: Shape,
    accept: Accept,
    to: Sender<Vec<u8>>,
    first: bool,
}

impl Writer {
    fn send(&self, what: &str, object: &Value) -> bool {
        let event = json!({"type": what, "object": object});
        let text = match self.accept.yaml {
            true => format!("---\n{}", self.accept.write(&event)),
            false => crate::api::json::compact_typed(&event) + "\n",
        };
        self.put(text)
    }

    fn put(&self, text: String) -> bool {
        self.to.queued() < MOST_WAITING && self.to.send(text.into_bytes())
    }

    fn object(&mut self, what: &str, object: &ObjRef) -> bool {
        if self.accept.is_plain_text() {
            let mut text = format!("{{\"type\":\"{what}\",\"object\":");
            self.api.object_text(object, &mut text);
            text.push_str("}\n");
            return self.put(text);
        }
        let value = self.shape.watched(&self.api, object, self.first);
        self.first = false;
        self.send(what, &value)
    }

    /// Up to here everything was told. `initial`: what was there at first, that is.
    fn bookmark(&self, initial: bool) -> bool {
        let revision = self.api.store().revision().to_string();
        let mut meta = json!({"resourceVersion": revision, "creationTimestamp": null});
        if initial {
            meta["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let object = json!({"kind": self.kind.kind, "apiVersion": self.kind.api_version(),
            "metadata": meta});
        self.send("BOOKMARK", &object)
    }

    /// Tells events until the time is over or nobody listens.
    async fn run(mut self, mut events: WatchStream, bookmarks: bool, timeout: Duration) {
        let sim = self.api.sim().clone();
        let end = sim.now() + timeout;
        let mut next_bookmark = sim.now() + BOOKMARKS;
        let to = self.to.clone();
        loop {
            let until = if bookmarks { next_bookmark.min(end) } else { end };
            let waited = race(events.next(), race(sim.sleep_until(until), to.closed())).await;
            let going = match waited {
                Either::Left(Some(event)) => self.object(word(event.op), &event.object),
                Either::Left(None) | Either::Right(Either::Right(())) => false,
                Either::Right(Either::Left(())) if sim.now() >= end => false,
                Either::Right(Either::Left(())) => {
                    next_bookmark = sim.now() + BOOKMARKS;
                    self.bookmark(false)
                }
            };
            if !going {
                return;
            }
        }
    }
}

fn word(op: Op) -> &'static str {
    match op {
        Op::Added => "ADDED",
        Op::Modified => "MODIFIED",
        Op::Deleted => "DELETED",
    }
}

impl Call<'_> {
    pub(super) fn watch(&self, kind: &Rc<Kind>, target: &Target, name: Option<&str>) -> Handled {
        self.permit("watch", kind, target)?;
        let options = self.selection(name)?;
        let version = self.version()?.filter(|v| *v > 0);
        let bookmarks = self.parameters.flag("allowWatchBookmarks");
        let wanted = self
            .parameters
            .get("sendInitialEvents")
            .map(|_| self.parameters.flag("sendInitialEvents"));
        if wanted == Some(true)
            && self.parameters.get("resourceVersionMatch") != Some("NotOlderThan")
        {
            return Err(Status::bad_request(
                "sendInitialEvents: Forbidden: sendInitialEvents requires setting \
                 resourceVersionMatch to NotOlderThan",
            ));
        }
        // Who names no version wants to hear first what there is.
        let initial = wanted.unwrap_or(version.is_none());
        let since = if initial { None } else { version };
        let (to, from) = channel();
        let mut writer = Writer {
            api: self.api.clone(),
            kind: kind.clone(),
            shape: self.shape()?,
            accept: self.accept.clone(),
            to,
            first: true,
        };
        let media_type = match self.accept.yaml {
            true => "application/yaml;stream=watch",
            false => "application/json",
        };
        let response = Response::stream(media_type, from);
        let events = match self.api.watch(kind.id, target.namespace, &options, since) {
            Ok(events) => events,
            Err(status) if status.code == 410 => {
                writer.send("ERROR", &status.to_value());
                return Ok(response.into());
            }
            Err(status) => return Err(status),
        };
        if initial {
            for object in self.api.list(kind.id, target.namespace, &options)? {
                writer.object("ADDED", &object);
            }
            if wanted == Some(true) && bookmarks {
                writer.bookmark(true);
            }
        }
        let seconds = self.parameters.number("timeoutSeconds").filter(|n| *n > 0);
        let timeout =
            seconds.map_or(TIMEOUT, |n| Duration::from_secs(n.unsigned_abs()).min(TIMEOUT * 2));
        self.api.sim().spawn(writer.run(events, bookmarks, timeout));
        Ok(response.into())
    }
}
