//! An etcd-like store: revisions, compare-and-swap, indexes, watches.
//!
//! Objects are immutable and shared: everyone who reads one holds the same one. Each change gets
//! the next revision, is put in a bounded log (for watches that start in the past) and handed to
//! subscribers through the simulation's queue, in order, [`WATCH_LATENCY`] later.
//!
//! Invariants: `metadata.resourceVersion` of a stored object is the revision that wrote it; only
//! `apiserver` writes; indexes agree with the objects after every change.

mod index;
mod subscribe;

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, VecDeque},
    ops::Bound,
    rc::Rc,
    time::Duration,
};

pub use index::{IndexFn, IndexId};
pub use subscribe::Subscription;

use k8s_openapi::api::{coordination::v1::Lease, core::v1::Event};

use crate::{
    api::{KindId, ObjRef, Object, Typed},
    sim::{
        Cause, Sim,
        trace::{Did, Fact, Write},
    },
};

/// From a change to those who watch it. A real watch takes about a millisecond.
pub const WATCH_LATENCY: Duration = Duration::from_millis(1);

/// Changes kept for watches that start in the past; older ones answer 410 Gone. etcd keeps five
/// minutes' worth. `old` is left out of them.
const LOG_LENGTH: usize = 5_000;

/// Namespace and name.
pub type Key = (Rc<str>, Rc<str>);

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// It is new.
    Added,
    /// It is different.
    Modified,
    /// It is gone.
    Deleted,
}

/// One change. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Change {
    /// The revision that made it.
    pub revision: u64,
    /// What happened.
    pub op: Op,
    /// The object's kind.
    pub kind: KindId,
    /// The object after the change (for a deletion: its last state, with the deletion's revision).
    pub object: ObjRef,
    /// The object before the change.
    pub old: Option<ObjRef>,
    /// The write's record: what those who react to the change do is done because of it.
    pub cause: Cause,
}

impl Change {
    /// An object that was there already, told as if it had just been added.
    pub fn found(revision: u64, cause: Cause, kind: KindId, object: ObjRef) -> Self {
        Change { revision, op: Op::Added, kind, object, old: None, cause }
    }
}

/// Who writes, and what part of an object.
#[derive(Clone, Copy, Debug)]
pub struct By<'a> {
    /// The component or user.
    pub actor: &'a Rc<str>,
    /// What a write does that neither begins nor ends an object.
    pub did: Did,
}

/// Why a write was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// The key exists already.
    Exists,
    /// The key does not exist, or not with the expected revision.
    Changed,
}

/// The store. Clones share it.
#[derive(Clone)]
pub struct Store(Rc<Inner>);

struct Inner {
    sim: Sim,
    /// Which store it is, in records.
    number: u64,
    revision: Cell<u64>,
    kinds: RefCell<Vec<BTreeMap<Key, ObjRef>>>,
    indexes: RefCell<index::Indexes>,
    log: RefCell<VecDeque<Change>>,
    subscribers: RefCell<subscribe::Subscribers>,
}

impl Store {
    /// An empty store.
    pub fn new(sim: &Sim) -> Self {
        Store(Rc::new(Inner {
            sim: sim.clone(),
            number: sim.number(),
            revision: Cell::new(1),
            kinds: RefCell::default(),
            indexes: RefCell::default(),
            log: RefCell::default(),
            subscribers: RefCell::default(),
        }))
    }

    /// The revision of the last change.
    pub fn revision(&self) -> u64 {
        self.0.revision.get()
    }

    /// Which store it is, in the simulation's records.
    pub fn number(&self) -> u64 {
        self.0.number
    }

    /// One object.
    pub fn get(&self, kind: KindId, namespace: &str, name: &str) -> Option<ObjRef> {
        let kinds = self.0.kinds.borrow();
        kinds.get(kind.0 as usize)?.get(&(namespace.into(), name.into())).cloned()
    }

    /// Objects of a kind, sorted by namespace and name; of one namespace, or of all.
    pub fn list(&self, kind: KindId, namespace: Option<&str>) -> Vec<ObjRef> {
        let kinds = self.0.kinds.borrow();
        let Some(objects) = kinds.get(kind.0 as usize) else { return Vec::new() };
        match namespace {
            None => objects.values().cloned().collect(),
            Some(ns) => {
                let from: Key = (ns.into(), "".into());
                objects
                    .range((Bound::Included(from), Bound::Unbounded))
                    .take_while(|((n, _), _)| **n == *ns)
                    .map(|(_, o)| o.clone())
                    .collect()
            }
        }
    }

    /// How many objects of a kind there are.
    pub fn count(&self, kind: KindId) -> usize {
        self.0.kinds.borrow().get(kind.0 as usize).map_or(0, BTreeMap::len)
    }

    /// Adds an object; its namespace and name are its key.
    pub fn create(&self, object: Box<dyn Object>, by: By) -> Result<ObjRef, WriteError> {
        if self.get(object.kind_id(), object.namespace(), object.name()).is_some() {
            return Err(WriteError::Exists);
        }
        Ok(self.commit(Op::Added, object, None, by))
    }

    /// Replaces an object if its revision is still that of `old`.
    pub fn update(
        &self,
        old: &ObjRef,
        object: Box<dyn Object>,
        by: By,
    ) -> Result<ObjRef, WriteError> {
        let current = self.current(old)?;
        Ok(self.commit(Op::Modified, object, Some(current), by))
    }

    /// Removes an object if its revision is still that of `old`. `last` is its final state, as
    /// watchers see it.
    pub fn delete(
        &self,
        old: &ObjRef,
        last: Box<dyn Object>,
        by: By,
    ) -> Result<ObjRef, WriteError> {
        let current = self.current(old)?;
        Ok(self.commit(Op::Deleted, last, Some(current), by))
    }

    fn current(&self, old: &ObjRef) -> Result<ObjRef, WriteError> {
        let current = self.get(old.kind_id(), old.namespace(), old.name());
        current
            .filter(|c| c.metadata().resource_version == old.metadata().resource_version)
            .ok_or(WriteError::Changed)
    }

    fn commit(&self, op: Op, mut object: Box<dyn Object>, old: Option<ObjRef>, by: By) -> ObjRef {
        let revision = self.0.revision.get() + 1;
        self.0.revision.set(revision);
        object.metadata_mut().resource_version = Some(revision.to_string());
        let object = object.into_rc();
        let kind = object.kind_id();
        let key: Key = (object.namespace().into(), object.name().into());
        {
            let mut kinds = self.0.kinds.borrow_mut();
            if kinds.len() <= kind.0 as usize {
                kinds.resize_with(kind.0 as usize + 1, BTreeMap::new);
            }
            let objects = &mut kinds[kind.0 as usize];
            match op {
                Op::Deleted => objects.remove(&key),
                _ => objects.insert(key.clone(), object.clone()),
            };
        }
        let new = (op != Op::Deleted).then_some(&object);
        self.0.indexes.borrow_mut().update(kind, &key, old.as_ref(), new);
        let cause = self.record(op, &key, (&object, old.as_ref()), revision, by);
        let change = Change { revision, op, kind, object: object.clone(), old, cause };
        subscribe::publish(&self.0, &change);
        let change = Change { old: None, ..change }; // the log need not keep old states alive
        let mut log = self.0.log.borrow_mut();
        if log.len() == LOG_LENGTH {
            log.pop_front();
        }
        log.push_back(change);
        object
    }

    /// Notes a write for those who ask afterwards. Events and leases only tell of what else
    /// happened; they pass on the cause that led to them.
    fn record(
        &self,
        op: Op,
        key: &Key,
        (new, old): (&ObjRef, Option<&ObjRef>),
        revision: u64,
        by: By,
    ) -> Cause {
        let (kind, sim) = (new.kind_id(), &self.0.sim);
        if kind == Event::ID || kind == Lease::ID {
            return sim.cause();
        }
        let ends = |o: &ObjRef| o.metadata().deletion_timestamp.is_some();
        let did = match (op, old) {
            (Op::Added, _) => Did::Created,
            (Op::Deleted, _) => Did::Deleted,
            (Op::Modified, Some(old)) if ends(new) && !ends(old) => Did::DeletionBegan,
            (Op::Modified, _) => by.did,
        };
        let fact = Fact::Write(Write {
            store: self.0.number,
            kind: kind.0,
            namespace: key.0.clone(),
            name: key.1.clone(),
            revision,
            did,
            by: by.actor.clone(),
        });
        sim.record(fact, did != Did::Status)
    }

    /// An object as a recent revision left it.
    pub fn written(&self, revision: u64) -> Option<ObjRef> {
        let log = self.0.log.borrow();
        let place = log.binary_search_by_key(&revision, |change| change.revision).ok()?;
        log.get(place).map(|change| change.object.clone())
    }

    /// Changes after `revision`, oldest first; `None` if that is too long ago.
    pub fn changes_since(&self, revision: u64) -> Option<Vec<Change>> {
        let log = self.0.log.borrow();
        let oldest = log.front().map_or(self.revision() + 1, |c| c.revision);
        if revision + 1 < oldest {
            return None;
        }
        Some(log.iter().skip_while(|c| c.revision <= revision).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Time;
    use k8s_openapi::api::core::v1::ConfigMap;

    fn config(name: &str, value: &str) -> Box<ConfigMap> {
        let mut c = ConfigMap::default();
        c.metadata.name = Some(name.into());
        c.metadata.namespace = Some("default".into());
        c.data = Some([("k".to_string(), value.to_string())].into());
        Box::new(c)
    }

    #[test]
    fn writes_compare_revisions_and_watchers_see_them_in_order() {
        let sim = Sim::new(1, Time::from_secs(0));
        let store = Store::new(&sim);
        let actor: Rc<str> = "test".into();
        let by = By { actor: &actor, did: Did::Changed };
        let seen = Rc::new(RefCell::new(Vec::new()));
        let s = seen.clone();
        let sub = store.subscribe(&[ConfigMap::ID], move |c: &Change| {
            s.borrow_mut().push((c.op, c.object.name().to_string(), c.revision));
        });
        let by_value: IndexFn = |o| {
            o.downcast::<ConfigMap>()
                .and_then(|c| c.data.clone())
                .into_iter()
                .flatten()
                .map(|(_, v)| v)
                .collect()
        };
        let index = store.add_index(ConfigMap::ID, by_value);
        let a = store.create(config("a", "1"), by).unwrap();
        assert_eq!(store.create(config("a", "1"), by).unwrap_err(), WriteError::Exists);
        let a2 = store.update(&a, config("a", "2"), by).unwrap();
        assert_eq!(store.update(&a, config("a", "3"), by).unwrap_err(), WriteError::Changed);
        store.create(config("b", "2"), by).unwrap();
        assert_eq!(store.by_index(index, "2").len(), 2);
        assert_eq!(store.by_index(index, "1").len(), 0);
        store.delete(&a2, a2.boxed_clone(), by).unwrap();
        assert!(seen.borrow().is_empty(), "watchers hear later, not inside the write");
        sim.advance(Time::from_secs(1), 1_000);
        let names: Vec<_> = seen.borrow().iter().map(|(op, n, _)| (*op, n.clone())).collect();
        assert_eq!(
            names,
            [
                (Op::Added, "a".into()),
                (Op::Modified, "a".into()),
                (Op::Added, "b".into()),
                (Op::Deleted, "a".into())
            ]
        );
        assert_eq!(store.by_index(index, "2").len(), 1);
        assert_eq!(store.changes_since(store.revision() - 1).unwrap().len(), 1);
        drop(sub);
        store.create(config("c", "2"), by).unwrap();
        sim.advance(Time::from_secs(2), 1_000);
        assert_eq!(seen.borrow().len(), 4, "a dropped subscription hears nothing more");
    }
}
