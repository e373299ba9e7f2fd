//! Deletes what nobody owns any more, in the background or before its owner; or sets it free.
//!
//! It keeps a graph of who owns whom, by uid, from what it is told; whether an owner is really
//! there is always asked of the API. Owners that are gone need no node of their own: whoever
//! names them is looked at when first seen.
//!
//! Models `pkg/controller/garbagecollector`.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};

use k8s_openapi::{
    api::core::v1::{Event, ObjectReference},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};

use super::framework::{Controller, Key, Queue};
use crate::{
    api::{KindId, ObjRef, Status, Typed, meta::is_deleting},
    client::{Change, Client, DeleteOptions, EventType, Op, Propagation, Recorder, Subresource},
};

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

/// The garbage collector.
pub fn make(client: &Client) -> Box<dyn Controller> {
    Box::new(Collector {
        client: client.clone(),
        events: Recorder::new(client, "garbage-collector-controller", ""),
        graph: RefCell::default(),
    })
}

/// An object in the graph.
#[derive(Clone)]
struct Node {
    kind: KindId,
    namespace: Rc<str>,
    name: Rc<str>,
    owners: Vec<OwnerReference>,
    foreground: bool,
    orphans: bool,
}

#[derive(Default)]
struct Graph {
    nodes: BTreeMap<Rc<str>, Node>,
    /// Who names an owner, by the owner's uid.
    dependents: BTreeMap<Rc<str>, BTreeSet<Rc<str>>>,
}

impl Graph {
    fn remove(&mut self, uid: &str) -> Option<Node> {
        let node = self.nodes.remove(uid)?;
        for owner in &node.owners {
            if let Some(list) = self.dependents.get_mut(owner.uid.as_str()) {
                list.remove(uid);
                if list.is_empty() {
                    self.dependents.remove(owner.uid.as_str());
                }
            }
        }
        Some(node)
    }

    fn insert(&mut self, uid: Rc<str>, node: Node) {
        for owner in &node.owners {
            self.dependents.entry(owner.uid.as_str().into()).or_default().insert(uid.clone());
        }
        self.nodes.insert(uid, node);
    }

    fn of(&self, owner: &str) -> Vec<Rc<str>> {
        self.dependents.get(owner).into_iter().flatten().cloned().collect()
    }
}

struct Collector {
    client: Client,
    events: Recorder,
    graph: RefCell<Graph>,
}

/// Whether an owner is in another namespace than what it is said to own.
fn is_elsewhere(owner: &Node, dependent: &Node) -> bool {
    !owner.namespace.is_empty() && owner.namespace != dependent.namespace
}

fn has(meta: &ObjectMeta, finalizer: &str) -> bool {
    meta.finalizers.iter().flatten().any(|f| f == finalizer)
}

fn key(uid: &str) -> Key {
    ("".into(), uid.into())
}

/// How an owner that is named stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Solid,
    /// It is gone, or another one has its name.
    Dangling,
    /// It waits for its dependents to go.
    Waiting,
}

impl Collector {
    fn seen(&self, object: &ObjRef, queue: &Queue) {
        let meta = object.metadata();
        let owners = meta.owner_references.clone().unwrap_or_default();
        let going = is_deleting(meta);
        let node = Node {
            kind: object.kind_id(),
            namespace: object.namespace().into(),
            name: object.name().into(),
            owners,
            foreground: going && has(meta, FOREGROUND),
            orphans: going && has(meta, ORPHAN),
        };
        let uid: Rc<str> = object.uid().into();
        let mut graph = self.graph.borrow_mut();
        let old = graph.remove(&uid);
        let was = |f: fn(&Node) -> bool| old.as_ref().is_some_and(f);
        // Owners that wait for this one look again when it no longer names or blocks them.
        let same = old.as_ref().is_some_and(|o| o.owners == node.owners);
        for owner in old.iter().flat_map(|o| &o.owners).filter(|_| !same) {
            if graph.nodes.get(owner.uid.as_str()).is_some_and(|n| n.foreground) {
                queue.add(key(&owner.uid));
            }
        }
        if (node.foreground && !was(|o| o.foreground)) || (node.orphans && !was(|o| o.orphans)) {
            queue.add(key(&uid));
            let dependents = if node.foreground { graph.of(&uid) } else { Vec::new() };
            dependents.iter().for_each(|d| queue.add(key(d)));
        }
        let unsure = |o: &OwnerReference| match graph.nodes.get(o.uid.as_str()) {
            None => true,
            Some(owner) => owner.foreground || is_elsewhere(owner, &node),
        };
        if !same && node.owners.iter().any(unsure) {
            queue.add(key(&uid));
        }
        for owner in node.owners.iter().filter(|_| !same) {
            if graph.nodes.get(owner.uid.as_str()).is_some_and(|n| is_elsewhere(n, &node)) {
                self.tell_elsewhere(&node, &uid, owner);
            }
        }
        graph.insert(uid, node);
    }

    /// Tells of a reference to an object of another namespace: such an owner can't be.
    fn tell_elsewhere(&self, node: &Node, uid: &str, owner: &OwnerReference) {
        let kind = self.client.kind(node.kind);
        let about = ObjectReference {
            api_version: Some(kind.api_version()),
            kind: Some(kind.kind.to_string()),
            namespace: Some(node.namespace.to_string()),
            name: Some(node.name.to_string()),
            uid: Some(uid.to_string()),
            ..Default::default()
        };
        let text = format!(
            "ownerRef [{}/{}, namespace: {ns}, name: {}, uid: {}] does not exist in namespace \
             {ns:?}",
            owner.api_version,
            owner.kind,
            owner.name,
            owner.uid,
            ns = node.namespace
        );
        self.events.record(about, EventType::Warning, "OwnerRefInvalidNamespace", &text);
    }

    fn gone(&self, object: &ObjRef, queue: &Queue) {
        let mut graph = self.graph.borrow_mut();
        let node = graph.remove(object.uid());
        for dependent in graph.of(object.uid()) {
            queue.add(key(&dependent));
        }
        for owner in node.iter().flat_map(|n| &n.owners) {
            if graph.nodes.get(owner.uid.as_str()).is_some_and(|n| n.foreground) {
                queue.add(key(&owner.uid));
            }
        }
    }

    fn owner_state(&self, owner: &OwnerReference, namespace: &str) -> Owner {
        let kind = self.client.kinds().by_kind(&owner.api_version, &owner.kind).cloned();
        // A kind that is not served says nothing about whether its objects are gone.
        let Some(kind) = kind else { return Owner::Solid };
        let namespace = if kind.namespaced { namespace } else { "" };
        match self.client.get_any(kind.id, namespace, &owner.name) {
            Ok(found) if found.uid() == owner.uid => {
                let meta = found.metadata();
                if is_deleting(meta) && has(meta, FOREGROUND) {
                    Owner::Waiting
                } else {
                    Owner::Solid
                }
            }
            _ => Owner::Dangling,
        }
    }

    /// An object without a solid owner goes; one that has one loses the others.
    fn look(&self, uid: &str, object: &ObjRef) -> Result<(), Status> {
        let meta = object.metadata();
        let owners = meta.owner_references.clone().unwrap_or_default();
        if owners.is_empty() || is_deleting(meta) {
            return Ok(());
        }
        let states: Vec<Owner> =
            owners.iter().map(|o| self.owner_state(o, object.namespace())).collect();
        if states.contains(&Owner::Solid) {
            if states.iter().all(|s| *s == Owner::Solid) {
                return Ok(());
            }
            let mut new = object.boxed_clone();
            let solid = owners.into_iter().zip(states).filter(|(_, s)| *s == Owner::Solid);
            new.metadata_mut().owner_references = Some(solid.map(|(o, _)| o).collect());
            return ignore_gone(self.client.update_any(new, Subresource::Main));
        }
        let waiting = states.contains(&Owner::Waiting);
        let has_dependents = !self.graph.borrow().of(uid).is_empty();
        let propagation = if waiting && has_dependents {
            Propagation::Foreground
        } else if has(meta, ORPHAN) {
            Propagation::Orphan
        } else if has(meta, FOREGROUND) {
            Propagation::Foreground
        } else {
            Propagation::Background
        };
        let options = DeleteOptions {
            propagation,
            uid: Some(object.uid().to_string()),
            ..Default::default()
        };
        let (namespace, name) = (object.namespace(), object.name());
        ignore_gone(self.client.delete_any(object.kind_id(), namespace, name, &options))
    }

    /// An object that waits for its dependents goes when none blocks it any more.
    fn wait_for_dependents(&self, object: &ObjRef, queue: &Queue) -> Result<(), Status> {
        let graph = self.graph.borrow();
        let blocks = |uid: &Rc<str>| {
            graph.nodes.get(uid).is_some_and(|n| {
                let mut refs = n.owners.iter().filter(|o| o.uid == object.uid());
                refs.any(|o| o.block_owner_deletion == Some(true))
            })
        };
        let blocking: Vec<_> = graph.of(object.uid()).into_iter().filter(blocks).collect();
        if blocking.is_empty() {
            return self.drop_finalizer(object, FOREGROUND);
        }
        for uid in &blocking {
            let Some(node) = graph.nodes.get(uid) else { continue };
            let found = self.client.get_any(node.kind, &node.namespace, &node.name);
            if found.is_ok_and(|f| f.uid() == &**uid && !is_deleting(f.metadata())) {
                queue.add(key(uid));
            }
        }
        Ok(())
    }

    /// Sets an object's dependents free before it goes.
    fn free_dependents(&self, object: &ObjRef) -> Result<(), Status> {
        let dependents = self.graph.borrow().of(object.uid());
        for uid in dependents {
            let Some(node) = self.graph.borrow().nodes.get(&uid).cloned() else { continue };
            let found = self.client.get_any(node.kind, &node.namespace, &node.name);
            let Some(found) = found.ok().filter(|f| f.uid() == &*uid) else { continue };
            let mut new = found.boxed_clone();
            let owners = &mut new.metadata_mut().owner_references;
            if let Some(list) = owners {
                list.retain(|o| o.uid != object.uid());
            }
            if owners.as_ref().is_some_and(Vec::is_empty) {
                *owners = None;
            }
            ignore_gone(self.client.update_any(new, Subresource::Main))?;
        }
        self.drop_finalizer(object, ORPHAN)
    }

    fn drop_finalizer(&self, object: &ObjRef, finalizer: &str) -> Result<(), Status> {
        let mut new = object.boxed_clone();
        if let Some(list) = &mut new.metadata_mut().finalizers {
            list.retain(|f| f != finalizer);
        }
        ignore_gone(self.client.update_any(new, Subresource::Main))
    }
}

fn ignore_gone<T>(result: Result<T, Status>) -> Result<(), Status> {
    match result {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}

impl Controller for Collector {
    fn name(&self) -> &'static str {
        "garbage-collector-controller"
    }

    /// All kinds but events, of which there are many and which own nothing.
    fn kinds(&self) -> Vec<KindId> {
        self.client.kinds().stored().map(|k| k.id).filter(|k| *k != Event::ID).collect()
    }

    fn follows_new_kinds(&self) -> bool {
        true
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        match change.op {
            Op::Deleted => self.gone(&change.object, queue),
            _ => self.seen(&change.object, queue),
        }
    }

    fn reconcile(&self, key: &Key, queue: &Queue) -> Result<Option<Duration>, Status> {
        let Some(node) = self.graph.borrow().nodes.get(&key.1).cloned() else { return Ok(None) };
        let found = self.client.get_any(node.kind, &node.namespace, &node.name);
        let Some(object) = found.ok().filter(|f| f.uid() == &*key.1) else { return Ok(None) };
        let meta = object.metadata();
        if is_deleting(meta) && has(meta, ORPHAN) {
            self.free_dependents(&object)?;
        } else if is_deleting(meta) && has(meta, FOREGROUND) {
            self.wait_for_dependents(&object, queue)?;
        } else {
            self.look(&key.1, &object)?;
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        controllers::{
            framework::{self, Running},
            testing::{cluster, make as create, pass},
        },
        sim::Sim,
    };
    use k8s_openapi::api::core::v1::ConfigMap;
    use serde_json::{Value, json};

    struct World {
        sim: Sim,
        client: Client,
        running: Option<Running>,
    }

    fn world() -> World {
        let (sim, client) = cluster(1);
        let running = Some(framework::start(&client, super::make(&client)));
        World { sim, client, running }
    }

    impl World {
        /// An object, owned by others (`name` or `name!` to block them).
        fn make(&self, name: &str, owners: &[&str]) {
            let reference = |owner: &&str| {
                let plain = owner.trim_end_matches('!');
                let found = self.client.get::<ConfigMap>("default", plain).unwrap();
                json!({"apiVersion": "v1", "kind": "ConfigMap", "name": plain,
                    "uid": found.metadata.uid, "blockOwnerDeletion": owner.ends_with('!')})
            };
            let owners: Vec<Value> = owners.iter().map(reference).collect();
            let meta = json!({"name": name, "namespace": "default", "ownerReferences": owners});
            create::<ConfigMap>(&self.client, json!({"metadata": meta}));
        }

        fn delete(&self, name: &str, propagation: Propagation) {
            let options = DeleteOptions { propagation, ..Default::default() };
            self.client.delete::<ConfigMap>("default", name, &options).unwrap();
            pass(&self.sim, 1.0);
        }

        fn names(&self) -> Vec<String> {
            let list = self.client.list::<ConfigMap>(Some("default"));
            list.iter().map(|c| c.metadata.name.clone().unwrap()).collect()
        }
    }

    #[test]
    fn what_an_object_owns_goes_with_it_unless_someone_else_owns_it_too() {
        let w = world();
        w.make("a", &[]);
        w.make("other", &[]);
        w.make("b", &["a"]);
        w.make("c", &["b"]);
        w.make("shared", &["a", "other"]);
        pass(&w.sim, 1.0);
        w.delete("a", Propagation::Background);
        assert_eq!(w.names(), ["other", "shared"]);
        let shared = w.client.get::<ConfigMap>("default", "shared").unwrap();
        assert_eq!(shared.metadata.owner_references.as_ref().unwrap().len(), 1);
    }

    #[test]
    fn orphans_stay_without_owner() {
        let w = world();
        w.make("a", &[]);
        w.make("b", &["a"]);
        pass(&w.sim, 1.0);
        w.delete("a", Propagation::Orphan);
        assert_eq!(w.names(), ["b"]);
        let b = w.client.get::<ConfigMap>("default", "b").unwrap();
        assert_eq!(b.metadata.owner_references, None);
    }

    #[test]
    fn in_the_foreground_the_owner_goes_last() {
        let w = world();
        w.make("a", &[]);
        w.make("b", &["a!"]);
        w.make("c", &["b!"]);
        // A finalizer of someone else holds the innermost.
        crate::controllers::testing::edit::<ConfigMap>(&w.client, "default", "c", |c| {
            c.metadata.finalizers = Some(vec!["example.com/hold".into()]);
        });
        pass(&w.sim, 1.0);
        w.delete("a", Propagation::Foreground);
        assert_eq!(w.names(), ["a", "b", "c"]);
        crate::controllers::testing::edit::<ConfigMap>(&w.client, "default", "c", |c| {
            c.metadata.finalizers = None;
        });
        pass(&w.sim, 1.0);
        assert!(w.names().is_empty(), "{:?}", w.names());
    }

    #[test]
    fn what_happened_while_nobody_looked_is_found_at_the_next_start() {
        let mut w = world();
        w.make("a", &[]);
        w.make("b", &["a"]);
        w.running = None;
        w.delete("a", Propagation::Background);
        assert_eq!(w.names(), ["b"]);
        w.running = Some(framework::start(&w.client, super::make(&w.client)));
        pass(&w.sim, 1.0);
        assert!(w.names().is_empty());
    }
}
