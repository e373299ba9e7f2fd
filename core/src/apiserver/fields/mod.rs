//! Managed fields: who set what on each object, and server-side apply.
//!
//! Writes are only noted (who, when, the shared objects before and after); sets of fields are made of
//! them when somebody reads them or applies. An object's notes are bounded: writes of one manager in
//! a row are one note, and beyond [`MOST_WRITES`] notes are folded.
//!
//! Invariant: stored objects carry no `metadata.managedFields`; [`ApiServer::full_value`] adds them.

pub mod managers;
pub mod set;
pub mod types;
pub mod walk;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use serde_json::{Value, json};

use super::{ApiServer, CreateOptions, RequestCx, Subresource};
use crate::{
    api::{Kind, KindId, ObjRef, Object, Status, json, object::to_value},
    sim::Time,
};
use managers::{Managed, Manager, Operation, Side};
use types::{Type, blank};

/// So many notes are kept of an object before they become sets.
const MOST_WRITES: usize = 8;

/// Where client-side apply notes what it applied.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Kinds that admission and allocation change before they are stored: what those add is nobody's.
const COMPLETED: &[&str] = &["Ingress", "PersistentVolumeClaim", "Pod", "Service"];

/// One or several writes of one manager in a row.
struct Write {
    manager: Rc<str>,
    part: &'static str,
    /// The kind in whose version it was written, where that is not the stored one.
    version: Option<KindId>,
    time: Time,
    before: Option<ObjRef>,
    after: ObjRef,
}

/// An object before and after a write in one of its versions.
struct State {
    version: String,
    kind: Rc<Kind>,
    custom: Option<Value>,
    old: Value,
    new: Value,
}

impl State {
    fn side(&self) -> Side<'_> {
        Side {
            version: &self.version,
            of: Type::of_kind(&self.kind, self.custom.as_ref()),
            old: &self.old,
            new: &self.new,
        }
    }
}

#[derive(Default)]
struct Track {
    base: Managed,
    writes: Vec<Write>,
    /// `base` as it is shown, once somebody looked.
    shown: Option<Vec<Value>>,
    /// A client emptied the list; until somebody applies, nothing is tracked.
    off: bool,
}

/// What is known of all objects' fields, by uid.
#[derive(Default)]
pub(super) struct Fields(RefCell<BTreeMap<u128, Track>>);

/// A uid as a number; those that are no uids share one.
pub(super) fn number(object: &dyn Object) -> u128 {
    let digits = object.uid().bytes().filter_map(|b| char::from(b).to_digit(16));
    digits.fold(0, |n, d| n << 4 | u128::from(d))
}

/// The part of an object that a write is about, as entries name it.
pub(super) fn part(sub: Subresource) -> &'static str {
    match sub {
        Subresource::Status => "status",
        Subresource::Resize => "resize",
        Subresource::Main | Subresource::Other => "",
    }
}

/// Lays a part of an object over the whole, as server-side apply does, but owns nothing. Errors are
/// worded as those of `ApplyStructuredMergeDiff`.
pub(super) fn lay_over(
    api: &ApiServer,
    kind: &Kind,
    live: Value,
    config: Value,
) -> Result<Value, String> {
    let custom = api.custom_schema(kind);
    let of = Type::of_kind(kind, custom.as_ref());
    walk::check(of, &config)
        .map_err(|why| format!("failed to convert patch object to typed object: {why}"))?;
    let whole = walk::wholes(of, &config);
    if !whole.is_empty() {
        return Err(format!(
            "invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: {}",
            whole.join(", ")
        ));
    }
    Ok(walk::merge(of, Some(&live), Some(&config)).unwrap_or(live))
}

impl ApiServer {
    /// Whether what a client sends of this kind is changed before it is stored.
    pub(super) fn completes(&self, kind: &Kind) -> bool {
        COMPLETED.contains(&&*kind.kind)
    }

    /// Notes a write.
    pub(super) fn note_write(
        &self,
        cx: &RequestCx,
        part: &'static str,
        before: Option<&ObjRef>,
        after: &ObjRef,
    ) {
        let mut tracks = self.0.fields.0.borrow_mut();
        let track = tracks.entry(number(&**after)).or_default();
        if track.off {
            return;
        }
        let time = self.sim().now();
        if let (Some(last), Some(before)) = (track.writes.last_mut(), before) {
            let same =
                last.part == part && last.manager == cx.manager && last.version == cx.version;
            if same && Rc::ptr_eq(&last.after, before) {
                last.after = after.clone();
                last.time = time;
                return;
            }
        }
        if track.writes.len() >= MOST_WRITES {
            self.fold(track, &self.kind(after.kind_id()));
        }
        let (manager, before, after) = (cx.manager.clone(), before.cloned(), after.clone());
        track.writes.push(Write { manager, part, version: cx.version, time, before, after });
    }

    /// An object is gone.
    pub(super) fn forget_fields(&self, object: &dyn Object) {
        self.0.fields.0.borrow_mut().remove(&number(object));
    }

    /// Whether the list that a client sent with an object says something else than what is known.
    pub(super) fn changes_managed(&self, object: &dyn Object, entries: &[Value]) -> bool {
        is_reset(entries) || Managed::read(entries).is_some_and(|m| m != self.managed(object))
    }

    /// Takes over the list that a client sent with an object.
    pub(super) fn set_managed(&self, object: &dyn Object, entries: &[Value]) {
        let base = Managed::read(entries).unwrap_or_default();
        let off = is_reset(entries);
        let track = Track { base, off, ..Track::default() };
        self.0.fields.0.borrow_mut().insert(number(object), track);
    }

    /// Makes sets of what was noted.
    fn fold(&self, track: &mut Track, kind: &Kind) {
        if track.writes.is_empty() {
            return;
        }
        track.shown = None;
        let own = kind.api_version();
        let custom = self.custom_schema(kind);
        let of = Type::of_kind(kind, custom.as_ref());
        let none = json!({});
        let empty = match of {
            Type::Struct(known) => blank(known),
            _ => &none,
        };
        // What a write left is mostly what the next one found.
        let mut last: Option<(ObjRef, Value)> = None;
        for write in std::mem::take(&mut track.writes) {
            let before = write.before.map(|before| match last.take() {
                Some((object, value)) if Rc::ptr_eq(&object, &before) => value,
                _ => before.to_value(),
            });
            let after = write.after.to_value();
            let version = match write.version {
                Some(shown) => self.kind(shown).api_version(),
                None => own.clone(),
            };
            let mut versions: BTreeSet<String> =
                track.base.versions().into_iter().map(str::to_string).collect();
            versions.insert(version.clone());
            versions.remove(&own);
            let states: Vec<State> = versions
                .into_iter()
                .filter_map(|v| self.state(kind, v, (before.as_ref(), &after)))
                .collect();
            let mut sides: Vec<Side> = states.iter().map(State::side).collect();
            let old = before.as_ref().unwrap_or(empty);
            sides.push(Side { version: &own, of, old, new: &after });
            let manager = Manager {
                operation: Operation::Update,
                name: write.manager.to_string(),
                subresource: write.part.to_owned(),
                version,
            };
            track.base.update(&sides, manager, (write.time, has_status(kind)));
            drop(sides);
            last = Some((write.after, after));
        }
    }

    /// A stored object before and after a write as a version shows it. `None` for a version that is
    /// not served.
    fn state(
        &self,
        stored: &Kind,
        version: String,
        (before, after): (Option<&Value>, &Value),
    ) -> Option<State> {
        let kind = self.kind_in(stored, &version)?;
        let custom = self.custom_schema(&kind);
        let empty = match Type::of_kind(&kind, custom.as_ref()) {
            Type::Struct(known) => blank(known).clone(),
            _ => json!({}),
        };
        let shown = |value: &Value| self.shown_value(&kind, value.clone());
        let old = before.map_or(empty, shown);
        let new = shown(after);
        Some(State { version, kind, custom, old, new })
    }

    /// The version of a kind that has this name.
    fn kind_in(&self, of: &Kind, version: &str) -> Option<Rc<Kind>> {
        let kinds = self.kinds();
        let mut all = kinds.iter().filter(|k| k.storage() == of.storage());
        all.find(|k| k.api_version() == version).cloned()
    }

    fn managed(&self, object: &dyn Object) -> Managed {
        let mut tracks = self.0.fields.0.borrow_mut();
        let Some(track) = tracks.get_mut(&number(object)) else { return Managed::default() };
        self.fold(track, &self.kind(self.storage_of(object.kind_id())));
        track.base.clone()
    }

    /// An object as JSON, with `metadata.managedFields`.
    pub fn full_value(&self, object: &dyn Object) -> Value {
        let mut value = object.to_value();
        let mut tracks = self.0.fields.0.borrow_mut();
        let Some(track) = tracks.get_mut(&number(object)) else { return value };
        self.fold(track, &self.kind(self.storage_of(object.kind_id())));
        let entries = track.shown.get_or_insert_with(|| track.base.entries());
        if let (false, Some(meta)) =
            (entries.is_empty(), value.get_mut("metadata").and_then(Value::as_object_mut))
        {
            meta.insert("managedFields".into(), entries.clone().into());
        }
        value
    }

    /// Server-side apply: what `config` says is merged into the object (or is a new one), and is
    /// owned by the request's manager from then on. What the manager applied before and does not
    /// apply any more is removed. The object, and whether it is new.
    ///
    /// Errors: Conflict where others own what would change and it is not forced; BadRequest, Invalid,
    /// Forbidden, NotFound (a part of an object that is not there).
    pub fn apply(
        &self,
        cx: &RequestCx,
        kind: KindId,
        key: (&str, &str),
        config: Value,
        (force, sub): (bool, Subresource),
    ) -> Result<(ObjRef, bool), Status> {
        self.count_request();
        let kind = self.kind(kind);
        check_config(&kind, key, &config)?;
        let custom = self.custom_schema(&kind);
        let of = Type::of_kind(&kind, custom.as_ref());
        walk::check(of, &config).map_err(|why| {
            let (version, name) = (kind.api_version(), &kind.kind);
            let what = format!("{}/{}; {version}, Kind={name}", key.0, key.1);
            Status::new(500, "", format!("failed to create typed patch object ({what}): {why}"))
        })?;
        let stored_kind = self.kind(kind.storage());
        let old = self.store().get(stored_kind.id, key.0, key.1);
        if old.is_none() && sub != Subresource::Main {
            return Err(Status::not_found(&kind, key.1));
        }
        let mut managed = match &old {
            Some(old) => self.managed(&**old),
            None => Managed::default(),
        };
        let before = managed.clone();
        let live = match (&old, of) {
            (Some(old), _) => self.shown_value(&kind, old.to_value()),
            (None, Type::Struct(known)) => blank(known).clone(),
            (None, _) => json!({}),
        };
        let now = self.sim().now();
        let has_status = has_status(&kind);
        if let (Some(_), true) = (&old, managed.0.is_empty()) {
            let manager = self.manager("before-first-apply", Operation::Update, &kind, sub);
            let version = &manager.version.clone();
            let side = Side { version, of, old: &json!({}), new: &live };
            managed.update(&[side], manager, (now, has_status));
        }
        let manager = self.manager(&cx.manager, Operation::Apply, &kind, sub);
        let how = (now, force, has_status);
        let merged = managed.apply(of, (&live, &config), &manager, how, &|version, pair, take| {
            self.in_version(&kind, version, pair, take);
        });
        let mut merged = merged.map_err(|refused| refused.status().about(&kind, key.1))?;
        if &*cx.manager == "kubectl" {
            note_last_applied(&mut merged, &config);
        }
        let (object, _) =
            self.read(kind.id, merged).map_err(|error| Status::bad_request(error.json))?;
        let (cx, object) = self.for_storage(cx, object)?;
        let (stored, created) = match &old {
            Some(old) => {
                let moved = !managed.same_but_times(&before);
                (self.replace_tracked(&cx, &stored_kind, old, object, (sub, moved))?, false)
            }
            None => {
                let options = CreateOptions { namespace: key.0 };
                (self.create_tracked(&cx, object, &options)?, true)
            }
        };
        if !cx.dry_run {
            let track = Track { base: managed, ..Track::default() };
            self.0.fields.0.borrow_mut().insert(number(&*stored), track);
        }
        Ok((self.shown(kind.id, stored), created))
    }

    /// Documents of a kind as another of its versions shows them.
    fn in_version(
        &self,
        kind: &Kind,
        version: &str,
        (old, new): (&Value, &Value),
        take: &mut dyn FnMut(Type, &Value, &Value),
    ) {
        let Some(other) = self.kind_in(kind, version) else { return };
        let stored = |value: &Value| match &kind.stored_as {
            Some(stored) => (stored.conversion.to_storage)(value.clone()).unwrap_or_default(),
            None => value.clone(),
        };
        let custom = self.custom_schema(&other);
        let of = Type::of_kind(&other, custom.as_ref());
        let shown = |value| self.shown_value(&other, stored(value));
        take(of, &shown(old), &shown(new));
    }

    fn manager(&self, name: &str, operation: Operation, kind: &Kind, sub: Subresource) -> Manager {
        Manager {
            operation,
            name: name.to_owned(),
            subresource: part(sub).to_owned(),
            version: kind.api_version(),
        }
    }
}

/// Whether a list means that nobody is to own anything.
fn is_reset(entries: &[Value]) -> bool {
    let blank = |e: &Value| e.as_object().is_none_or(|m| m.values().all(is_nothing));
    entries.len() <= 1 && entries.iter().all(blank)
}

fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_str() == Some("")
}

fn has_status(kind: &Kind) -> bool {
    kind.subresources.contains(&"status")
}

/// Whether what is to be applied is about this object.
fn check_config(kind: &Kind, key: (&str, &str), config: &Value) -> Result<(), Status> {
    let text = |pointer: &str| config.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    if !config.is_object() {
        return Err(Status::bad_request("error decoding YAML: a map is needed"));
    }
    let (version, wanted) = (text("/apiVersion"), kind.api_version());
    if version != wanted {
        return Err(Status::bad_request(format!(
            "Incorrect version specified in apply patch. Specified patch version: {version}, \
             expected: {wanted}"
        )));
    }
    if config.pointer("/metadata/managedFields").is_some_and(|v| !v.is_null()) {
        return Err(Status::bad_request("metadata.managedFields must be nil"));
    }
    let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
    if !name.is_empty() && name != key.1 {
        let why = format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            key.1
        );
        return Err(Status::bad_request(why));
    }
    if kind.namespaced && !namespace.is_empty() && namespace != key.0 {
        return Err(Status::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    Ok(())
}

/// Client-side apply's note follows what kubectl applies on the server.
fn note_last_applied(object: &mut Value, config: &Value) {
    let path = "/metadata/annotations";
    let annotations = object.pointer_mut(path).and_then(Value::as_object_mut);
    let Some(note) = annotations.and_then(|a| a.get_mut(LAST_APPLIED)) else { return };
    let mut config = config.clone();
    if let Some(own) = config.pointer_mut(path).and_then(Value::as_object_mut) {
        own.remove(LAST_APPLIED);
    }
    *note = Value::from(json::compact(&config) + "\n");
}

/// The entries that an object came with, taken from it.
pub(super) fn take_entries(object: &mut dyn Object) -> Option<Vec<Value>> {
    let given = object.metadata_mut().managed_fields.take()?;
    Some(given.iter().map(to_value).collect())
}

#[cfg(test)]
mod tests;
