//! Indexes over stored objects, kept by the store so that nobody has to scan.

use std::collections::BTreeMap;

use super::{Key, Store};
use crate::api::{KindId, ObjRef, Object};

/// The values under which an index finds an object.
pub type IndexFn = fn(&dyn Object) -> Vec<String>;

/// Names an index of one store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexId(usize);

struct Index {
    kind: KindId,
    values: IndexFn,
    entries: BTreeMap<String, BTreeMap<Key, ObjRef>>,
}

#[derive(Default)]
pub(super) struct Indexes {
    all: Vec<Index>,
    /// Indexes of each kind, by place.
    of_kind: Vec<Vec<usize>>,
}

impl Indexes {
    pub fn update(&mut self, kind: KindId, key: &Key, old: Option<&ObjRef>, new: Option<&ObjRef>) {
        let Some(ids) = self.of_kind.get(kind.0 as usize) else { return };
        for &id in ids {
            let index = &mut self.all[id];
            let before = old.map(|o| (index.values)(&**o)).unwrap_or_default();
            let after = new.map(|o| (index.values)(&**o)).unwrap_or_default();
            for value in before.iter().filter(|v| !after.contains(v)) {
                if let Some(entry) = index.entries.get_mut(value) {
                    entry.remove(key);
                    if entry.is_empty() {
                        index.entries.remove(value);
                    }
                }
            }
            if let Some(new) = new {
                for value in after {
                    index.entries.entry(value).or_default().insert(key.clone(), new.clone());
                }
            }
        }
    }
}

impl Store {
    /// Where indexes and objects disagree, in words. Looks at everything; for tests.
    pub fn check(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for index in &self.0.indexes.borrow().all {
            let mut real: BTreeMap<String, BTreeMap<Key, ObjRef>> = BTreeMap::new();
            for object in self.list(index.kind, None) {
                let key: Key = (object.namespace().into(), object.name().into());
                for value in (index.values)(&*object) {
                    real.entry(value).or_default().insert(key.clone(), object.clone());
                }
            }
            let version = |o: &ObjRef| o.metadata().resource_version.clone();
            let flat = |all: &BTreeMap<String, BTreeMap<Key, ObjRef>>| {
                let of = |(value, found): (&String, &BTreeMap<Key, ObjRef>)| {
                    let each = |(key, object): (&Key, &ObjRef)| {
                        (value.clone(), key.clone(), version(object))
                    };
                    found.iter().map(each).collect::<Vec<_>>()
                };
                all.iter().flat_map(of).collect::<Vec<_>>()
            };
            let (says, is) = (flat(&index.entries), flat(&real));
            if says != is {
                let odd = says.iter().find(|x| !is.contains(x));
                let odd = odd.or_else(|| is.iter().find(|x| !says.contains(x)));
                wrong.push(format!("an index of kind {} differs at {odd:?}", index.kind.0));
            }
        }
        wrong
    }

    /// Adds an index over a kind's objects, those that exist included. Asking again with the same
    /// function yields the same index.
    pub fn add_index(&self, kind: KindId, values: IndexFn) -> IndexId {
        let known = self
            .0
            .indexes
            .borrow()
            .all
            .iter()
            .position(|i| i.kind == kind && std::ptr::fn_addr_eq(i.values, values));
        if let Some(known) = known {
            return IndexId(known);
        }
        let mut entries: BTreeMap<String, BTreeMap<Key, ObjRef>> = BTreeMap::new();
        for object in self.list(kind, None) {
            let key: Key = (object.namespace().into(), object.name().into());
            for value in values(&*object) {
                entries.entry(value).or_default().insert(key.clone(), object.clone());
            }
        }
        let mut indexes = self.0.indexes.borrow_mut();
        let id = indexes.all.len();
        indexes.all.push(Index { kind, values, entries });
        if indexes.of_kind.len() <= kind.0 as usize {
            indexes.of_kind.resize_with(kind.0 as usize + 1, Vec::new);
        }
        indexes.of_kind[kind.0 as usize].push(id);
        IndexId(id)
    }

    /// Objects that an index finds under a value, sorted by namespace and name.
    pub fn by_index(&self, index: IndexId, value: &str) -> Vec<ObjRef> {
        let indexes = self.0.indexes.borrow();
        let found = indexes.all.get(index.0).and_then(|i| i.entries.get(value));
        found.map(|entry| entry.values().cloned().collect()).unwrap_or_default()
    }

    /// How many objects an index finds under a value.
    pub fn count_by_index(&self, index: IndexId, value: &str) -> usize {
        let indexes = self.0.indexes.borrow();
        indexes.all.get(index.0).and_then(|i| i.entries.get(value)).map_or(0, BTreeMap::len)
    }
}
