//! Reading objects: get, list, watch.

use std::cell::RefCell;

use super::ApiServer;
use crate::{
    api::{
        KindId, ObjRef, Object, Status,
        selector::{FieldSelector, Selector},
    },
    sim::{Receiver, channel},
    store::{Change, Op, Subscription},
};

/// Which objects are meant.
#[derive(Clone, Debug, Default)]
pub struct ListOptions {
    /// By labels.
    pub labels: Selector,
    /// By fields.
    pub fields: FieldSelector,
}

/// What a watch tells.
#[derive(Clone, Debug)]
pub struct WatchEvent {
    /// What happened, as this watch sees it: an object that begins to match is Added.
    pub op: Op,
    /// The object.
    pub object: ObjRef,
}

/// A running watch; dropping it ends it.
pub struct WatchStream {
    events: Receiver<WatchEvent>,
    _subscription: Subscription,
    /// Called when it is first waited for.
    waited_for: Option<Box<dyn FnOnce()>>,
}

impl WatchStream {
    /// The next event, in order. `None` if the server ended the watch.
    pub async fn next(&mut self) -> Option<WatchEvent> {
        if let Some(first) = self.waited_for.take() {
            first();
        }
        self.events.recv().await
    }

    /// Has `first` called when somebody first waits for an event.
    pub fn when_waited_for(&mut self, first: impl FnOnce() + 'static) {
        self.waited_for = Some(Box::new(first));
    }

    /// The next event if it has come already.
    pub fn try_next(&mut self) -> Option<WatchEvent> {
        self.events.try_recv()
    }
}

impl ApiServer {
    /// One object. Errors: NotFound.
    pub fn get(&self, kind: KindId, namespace: &str, name: &str) -> Result<ObjRef, Status> {
        self.count_request();
        if let Some(all) = self.worked_out(kind, Some(namespace)) {
            let found = all.into_iter().find(|o| o.name() == name && o.namespace() == namespace);
            return found.ok_or_else(|| self.not_found(kind, name));
        }
        let found = self.store().get(self.storage_of(kind), namespace, name);
        let found = found.ok_or_else(|| self.not_found(kind, name))?;
        self.convertible(kind)?;
        Ok(self.shown(kind, found))
    }

    /// Objects of a kind, sorted by namespace and name; of one namespace, or of all.
    /// Errors: BadRequest for a field that can't be selected by.
    pub fn list(
        &self,
        kind: KindId,
        namespace: Option<&str>,
        options: &ListOptions,
    ) -> Result<Vec<ObjRef>, Status> {
        self.count_request();
        if let Some(mut all) = self.worked_out(kind, namespace) {
            all.retain(|o| self.selects(options, &**o));
            return Ok(all);
        }
        let stored = self.storage_of(kind);
        let options = &self.stored_fields(kind, options)?;
        if let (Some(name), Some(ns)) = (options.fields.required("metadata.name"), namespace) {
            let one = self.store().get(stored, ns, name);
            let one = one.into_iter().filter(|o| self.selects(options, &**o)).collect();
            return self.all_shown(kind, one);
        }
        let mut objects = self.store().list(stored, namespace);
        if options.labels.is_everything() && options.fields.is_everything() {
            return self.all_shown(kind, objects);
        }
        self.check_fields(stored, options)?;
        objects.retain(|o| self.selects(options, &**o));
        self.all_shown(kind, objects)
    }

    /// Whether options select an object.
    pub fn selects(&self, options: &ListOptions, object: &dyn Object) -> bool {
        options.labels.matches(object.metadata().labels.as_ref())
            && (options.fields.is_everything()
                || options.fields.matches(|path| self.field(object, path).unwrap_or_default()))
    }

    fn field(&self, object: &dyn Object, path: &str) -> Option<String> {
        match path {
            "metadata.name" => Some(object.name().to_string()),
            "metadata.namespace" => Some(object.namespace().to_string()),
            _ => self.strategy(object.kind_id()).field(object, path),
        }
    }

    /// Models the conversion error of `AddFieldLabelConversionFunc`.
    fn check_fields(&self, kind: KindId, options: &ListOptions) -> Result<(), Status> {
        let kind = self.kind(kind);
        let Ok(blank) = kind.decode(serde_json::json!({})) else { return Ok(()) };
        for path in options.fields.fields() {
            if self.field(&*blank, path).is_none() {
                let why = format!("field label not supported: {path}");
                return Err(Status::bad_request(why));
            }
        }
        Ok(())
    }

    /// Watches objects from revision `since` on (`None`: from now). Errors: BadRequest as for
    /// lists, Expired where `since` is too long ago.
    pub fn watch(
        &self,
        kind: KindId,
        namespace: Option<&str>,
        options: &ListOptions,
        since: Option<u64>,
    ) -> Result<WatchStream, Status> {
        self.count_request();
        let shown = kind;
        let kind = self.storage_of(kind);
        let options = self.stored_fields(shown, options)?;
        self.check_fields(kind, &options)?;
        let (sender, events) = channel();
        let filter = Filter {
            api: self.clone(),
            shown,
            namespace: namespace.map(str::to_string),
            options,
            known: RefCell::default(),
        };
        if let Some(since) = since {
            let Some(past) = self.store().changes_since(since) else {
                return Err(Status::new(
                    410,
                    "Expired",
                    format!("too old resource version: {since} ({})", self.store().revision()),
                ));
            };
            filter.learn_before(kind, &past);
            for change in past.iter().filter(|c| c.kind == kind) {
                filter.event(change).map(|event| sender.send(event));
            }
        } else {
            filter.learn_before(kind, &[]);
        }
        let subscription = self.store().subscribe(&[kind], move |change| {
            if let Some(event) = filter.event(change) {
                sender.send(event);
            }
        });
        Ok(WatchStream { events, _subscription: subscription, waited_for: None })
    }
}

/// Turns changes into what one watch sees of them.
struct Filter {
    api: ApiServer,
    /// The kind that the watcher asked for.
    shown: KindId,
    namespace: Option<String>,
    options: ListOptions,
    /// uids of objects that the watcher knows as matching.
    known: RefCell<std::collections::BTreeSet<String>>,
}

impl Filter {
    fn matches(&self, object: &dyn Object) -> bool {
        self.namespace.as_deref().is_none_or(|ns| ns == object.namespace())
            && self.api.selects(&self.options, object)
    }

    /// What matched before the changes `past`: everything stored now, less what they added, plus
    /// what they removed.
    fn learn_before(&self, kind: KindId, past: &[Change]) {
        let mut known = self.known.borrow_mut();
        for object in self.api.store().list(kind, self.namespace.as_deref()) {
            if self.matches(&*object) {
                known.insert(object.uid().to_string());
            }
        }
        for change in past.iter().rev().filter(|c| c.kind == kind) {
            match change.op {
                Op::Added => {
                    known.remove(change.object.uid());
                }
                _ if self.matches(&*change.object) => {
                    known.insert(change.object.uid().to_string());
                }
                _ => {}
            }
        }
    }

    fn event(&self, change: &Change) -> Option<WatchEvent> {
        let uid = change.object.uid();
        let mut known = self.known.borrow_mut();
        let was = known.contains(uid);
        let is = change.op != Op::Deleted && self.matches(&*change.object);
        let op = match (was, is) {
            (false, true) => Op::Added,
            (true, true) => Op::Modified,
            (true, false) => Op::Deleted,
            (false, false) => return None,
        };
        if is {
            known.insert(uid.to_string());
        } else {
            known.remove(uid);
        }
        Some(WatchEvent { op, object: self.api.shown(self.shown, change.object.clone()) })
    }
}
