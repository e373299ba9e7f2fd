//! What the engine said of the cluster: rows by uid, indexed by where pods run and who owns what.
//!
//! A change costs what changed. Each row carries when it last changed visibly, so that it can glow; each
//! node and workload carries a number that grows with every change below it, so that only it is drawn again.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use sandbar_core::session::protocol::ObjectRef;
use sandbar_core::view::{
    ClusterView, EventRow, NodeRow, PodRow, RouteRow, Row, ServiceRow, ViewChange, WorkloadRow,
};

use crate::app::topics::Topic;

/// How long a routing table's deleted line stays to be seen, real milliseconds.
pub const GHOST_MS: f64 = 4_000.0;
/// How long a change glows, real milliseconds.
pub const GLOW_MS: f64 = 1_600.0;
/// How many events are kept.
const EVENTS: usize = 400;

/// A row and when it changed. Equal only if nothing changed.
#[derive(Clone, Debug)]
pub struct Kept<T> {
    /// The row.
    pub row: Rc<T>,
    /// When what a person sees of it last changed, real milliseconds.
    pub changed: f64,
}

impl<T> PartialEq for Kept<T> {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.row, &other.row) && self.changed == other.changed
    }
}

impl<T> Kept<T> {
    /// Two classes take turns, so that the glow starts anew with each change.
    pub fn glow(&self, now: f64) -> Option<&'static str> {
        let fresh = now - self.changed < GLOW_MS;
        fresh.then_some(if (self.changed as u64).is_multiple_of(2) { "glow-a" } else { "glow-b" })
    }
}

/// A service, and lines of its table that have just gone.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptService {
    /// The row.
    pub kept: Kept<ServiceRow>,
    /// Deleted lines, and when they were deleted.
    pub ghosts: Vec<(RouteRow, f64)>,
}

type Index = BTreeMap<String, BTreeSet<(String, String)>>;

/// The picture.
#[derive(Default)]
pub struct Store {
    /// The cluster as a whole.
    pub cluster: ClusterView,
    /// Nodes by uid.
    pub nodes: BTreeMap<String, Kept<NodeRow>>,
    /// Pods by uid.
    pub pods: BTreeMap<String, Kept<PodRow>>,
    /// Workloads by uid.
    pub workloads: BTreeMap<String, Kept<WorkloadRow>>,
    /// Services by uid.
    pub services: BTreeMap<String, KeptService>,
    /// Events by uid.
    pub events: BTreeMap<String, Kept<EventRow>>,
    /// Namespaces and how many pods, workloads and services each has.
    pub namespaces: BTreeMap<String, usize>,
    /// Only this namespace is shown; empty for all but the system's.
    pub only: String,
    by_time: BTreeSet<(u64, String)>,
    by_node: Index,
    by_owner: Index,
    by_name: BTreeMap<String, String>,
    versions: BTreeMap<String, u64>,
    touched: Vec<Topic>,
}

impl Store {
    /// Takes a change that arrived at `now` (real milliseconds).
    pub fn apply(&mut self, change: ViewChange, now: f64) {
        match change {
            ViewChange::Upsert(row) => self.upsert(row, now),
            ViewChange::Remove { uid } => self.remove(&uid, now),
            ViewChange::Cluster(cluster) => {
                self.cluster = cluster;
                self.note(Topic::Cluster);
            }
            ViewChange::Clear => self.clear(),
        }
    }

    /// Forgets everything but what the person chose.
    pub fn clear(&mut self) {
        let only = std::mem::take(&mut self.only);
        *self = Store { only, ..Default::default() };
        self.touched = vec![
            Topic::Cluster,
            Topic::Nodes,
            Topic::Workloads,
            Topic::Services,
            Topic::Pods,
            Topic::Events,
        ];
    }

    /// What was touched since the last call.
    pub fn take_touched(&mut self) -> Vec<Topic> {
        std::mem::take(&mut self.touched)
    }

    fn note(&mut self, topic: Topic) {
        if !self.touched.contains(&topic) {
            self.touched.push(topic);
        }
    }

    fn upsert(&mut self, row: Row, now: f64) {
        match row {
            Row::Node(row) => {
                let changed = stamp(self.nodes.get(&row.uid), now, |old| old.status != row.status);
                self.bump(&row.name);
                if self.nodes.is_empty() {
                    self.note(Topic::Cluster);
                }
                self.nodes.insert(row.uid.clone(), Kept { row: Rc::new(row), changed });
                self.note(Topic::Nodes);
            }
            Row::Pod(row) => self.upsert_pod(row, now),
            Row::Workload(row) => {
                let seen = |r: &WorkloadRow| (r.ready, r.desired, r.current, r.revision);
                let changed =
                    stamp(self.workloads.get(&row.uid), now, |old| seen(old) != seen(&row));
                if let Some(old) = self.workloads.get(&row.uid).map(|k| k.row.clone()) {
                    unindex(&mut self.by_owner, &old.owner, &old.name, &old.uid);
                } else {
                    self.count(&row.namespace, 1);
                }
                index(&mut self.by_owner, &row.owner, &row.name, &row.uid);
                self.bump_owners(&row.uid);
                let owner = row.owner.clone();
                self.workloads.insert(row.uid.clone(), Kept { row: Rc::new(row), changed });
                self.bump_owners(&owner);
                self.note(Topic::Workloads);
            }
            Row::Service(row) => self.upsert_service(row, now),
            Row::Event(row) => self.upsert_event(row, now),
        }
    }

    fn upsert_pod(&mut self, row: PodRow, now: f64) {
        let seen = |r: &PodRow| (r.status.clone(), r.ready, r.restarts);
        let changed = stamp(self.pods.get(&row.uid), now, |old| seen(old) != seen(&row));
        if let Some(old) = self.pods.get(&row.uid).map(|k| k.row.clone()) {
            self.unindex_pod(&old);
        } else {
            self.count(&row.namespace, 1);
        }
        index(&mut self.by_node, &row.node, &row.name, &row.uid);
        index(&mut self.by_owner, &row.owner, &row.name, &row.uid);
        self.by_name.insert(row.name.clone(), row.uid.clone());
        self.bump(&row.node);
        let owner = row.owner.clone();
        self.bump_owners(&owner);
        self.pods.insert(row.uid.clone(), Kept { row: Rc::new(row), changed });
        for topic in [Topic::Pods, Topic::Nodes, Topic::Workloads] {
            self.note(topic);
        }
    }

    fn unindex_pod(&mut self, old: &PodRow) {
        unindex(&mut self.by_node, &old.node, &old.name, &old.uid);
        unindex(&mut self.by_owner, &old.owner, &old.name, &old.uid);
        if self.by_name.get(&old.name) == Some(&old.uid) {
            self.by_name.remove(&old.name);
        }
        self.bump(&old.node);
        self.bump_owners(&old.owner);
    }

    fn upsert_service(&mut self, row: ServiceRow, now: f64) {
        let old = self.services.remove(&row.uid);
        let seen = |r: &ServiceRow| {
            let routes: Vec<_> = r.routes.iter().map(|t| (t.ip.clone(), t.state.clone())).collect();
            (r.kind.clone(), r.ports.clone(), r.external_ip.clone(), routes)
        };
        let changed = stamp(old.as_ref().map(|o| &o.kept), now, |old| seen(old) != seen(&row));
        let mut ghosts = Vec::new();
        if let Some(old) = old {
            ghosts = old.ghosts;
            let gone = old
                .kept
                .row
                .routes
                .iter()
                .filter(|o| !row.routes.iter().any(|n| n.ip == o.ip && n.port == o.port));
            ghosts.extend(gone.map(|route| (route.clone(), now)));
        } else {
            self.count(&row.namespace, 1);
        }
        ghosts.retain(|g| {
            now - g.1 < GHOST_MS && !row.routes.iter().any(|r| r.ip == g.0.ip && r.port == g.0.port)
        });
        let kept = Kept { row: Rc::new(row), changed };
        self.services.insert(kept.row.uid.clone(), KeptService { kept, ghosts });
        self.note(Topic::Services);
    }

    /// Drops deleted lines that were shown long enough; whether any is left.
    pub fn bury_ghosts(&mut self, now: f64) -> bool {
        let mut left = false;
        for service in self.services.values_mut() {
            service.ghosts.retain(|g| now - g.1 < GHOST_MS);
            left |= !service.ghosts.is_empty();
        }
        left
    }

    fn upsert_event(&mut self, row: EventRow, now: f64) {
        if let Some(old) = self.events.get(&row.uid) {
            self.by_time.remove(&(old.row.last_ms, row.uid.clone()));
        }
        self.by_time.insert((row.last_ms, row.uid.clone()));
        self.events.insert(row.uid.clone(), Kept { row: Rc::new(row), changed: now });
        if self.by_time.len() > EVENTS {
            if let Some((_, uid)) = self.by_time.pop_first() {
                self.events.remove(&uid);
            }
        }
        self.note(Topic::Events);
    }

    fn remove(&mut self, uid: &str, _now: f64) {
        if let Some(old) = self.pods.remove(uid) {
            self.unindex_pod(&old.row);
            self.count(&old.row.namespace, -1);
            for topic in [Topic::Pods, Topic::Nodes, Topic::Workloads] {
                self.note(topic);
            }
        } else if let Some(old) = self.workloads.remove(uid) {
            unindex(&mut self.by_owner, &old.row.owner, &old.row.name, uid);
            self.bump_owners(&old.row.owner);
            self.count(&old.row.namespace, -1);
            self.versions.remove(uid);
            self.note(Topic::Workloads);
        } else if let Some(old) = self.services.remove(uid) {
            self.count(&old.kept.row.namespace, -1);
            self.note(Topic::Services);
        } else if let Some(old) = self.events.remove(uid) {
            self.by_time.remove(&(old.row.last_ms, uid.to_owned()));
            self.note(Topic::Events);
        } else if self.nodes.remove(uid).is_some() {
            self.note(Topic::Nodes);
            self.note(Topic::Cluster);
        }
    }

    fn count(&mut self, namespace: &str, by: isize) {
        let n =
            self.namespaces.get(namespace).copied().unwrap_or_default().saturating_add_signed(by);
        let known = if n == 0 {
            self.namespaces.remove(namespace).is_none()
        } else if let Some(count) = self.namespaces.get_mut(namespace) {
            *count = n;
            true
        } else {
            self.namespaces.insert(namespace.to_owned(), n);
            false
        };
        if !known {
            self.note(Topic::Cluster);
        }
    }

    fn bump(&mut self, key: &str) {
        match self.versions.get_mut(key) {
            Some(version) => *version += 1,
            None => drop(self.versions.insert(key.to_owned(), 1)),
        }
    }

    fn bump_owners(&mut self, uid: &str) {
        let mut at = uid.to_owned();
        // Owners of owners: four levels are more than Kubernetes has.
        for _ in 0..4 {
            if at.is_empty() {
                return;
            }
            self.bump(&at);
            at = self.workloads.get(&at).map(|w| w.row.owner.clone()).unwrap_or_default();
        }
    }

    /// Grows with every change of a node (by name) or a workload (by uid) and of what is below it.
    pub fn version(&self, key: &str) -> u64 {
        self.versions.get(key).copied().unwrap_or_default()
    }

    /// Whether a namespace's objects are shown.
    pub fn shows(&self, namespace: &str) -> bool {
        if self.only.is_empty() { !is_system(namespace) } else { self.only == namespace }
    }

    /// The pods on a node, by name; `""` for those that have none yet.
    pub fn on_node(&self, node: &str) -> Vec<Kept<PodRow>> {
        self.listed(&self.by_node, node)
    }

    /// The pods a workload owns directly, by name.
    pub fn owned_pods(&self, owner: &str) -> Vec<Kept<PodRow>> {
        self.listed(&self.by_owner, owner)
    }

    fn listed(&self, index: &Index, key: &str) -> Vec<Kept<PodRow>> {
        let uids = index.get(key).into_iter().flatten();
        uids.filter_map(|(_, uid)| self.pods.get(uid)).cloned().collect()
    }

    /// The workloads a workload owns directly, newest revision first; `""` for those without owner.
    pub fn owned_workloads(&self, owner: &str) -> Vec<Kept<WorkloadRow>> {
        let uids = self.by_owner.get(owner).into_iter().flatten();
        let mut found: Vec<_> =
            uids.filter_map(|(_, uid)| self.workloads.get(uid)).cloned().collect();
        found.sort_by_key(|w| std::cmp::Reverse(w.row.revision));
        found
    }

    /// Events, newest first.
    pub fn newest_events(&self) -> impl Iterator<Item = &Kept<EventRow>> {
        self.by_time.iter().rev().filter_map(|(_, uid)| self.events.get(uid))
    }

    /// What a word on a terminal names: a pod, or anything as `kind/name`.
    pub fn lookup(&self, word: &str) -> Option<ObjectRef> {
        let name = word.rsplit_once('/').map_or(word, |w| w.1);
        let kind = word.rsplit_once('/').map_or("pod", |w| w.0);
        if matches!(kind, "pod" | "pods") {
            let row = &self.pods.get(self.by_name.get(name)?)?.row;
            return Some(object("pods", &row.namespace, &row.name));
        }
        let found = self.objects().find(|(o, _)| o.name == name && same_kind(&o.resource, kind));
        found.map(|f| f.0)
    }

    /// Everything that has details, with its status in a word.
    pub fn objects(&self) -> impl Iterator<Item = (ObjectRef, String)> {
        let pods = self
            .pods
            .values()
            .map(|k| (object("pods", &k.row.namespace, &k.row.name), k.row.status.clone()));
        let nodes =
            self.nodes.values().map(|k| (object("nodes", "", &k.row.name), k.row.status.clone()));
        let workloads = self.workloads.values().map(|k| {
            let r = &k.row;
            (object(&r.resource, &r.namespace, &r.name), format!("{}/{}", r.ready, r.desired))
        });
        let services = self.services.values().map(|k| {
            let r = &k.kept.row;
            (object("services", &r.namespace, &r.name), r.kind.clone())
        });
        nodes.chain(workloads).chain(services).chain(pods)
    }
}

/// Whether a namespace is the system's own.
pub fn is_system(namespace: &str) -> bool {
    namespace.starts_with("kube-") || namespace == "kubernetes-dashboard"
}

/// Names an object.
pub fn object(resource: &str, namespace: &str, name: &str) -> ObjectRef {
    ObjectRef {
        resource: resource.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}

fn same_kind(resource: &str, kind: &str) -> bool {
    let plural = resource.split('.').next().unwrap_or(resource);
    let kind = kind.split('.').next().unwrap_or(kind);
    plural == kind || plural.strip_suffix('s') == Some(kind)
}

fn stamp<T>(old: Option<&Kept<T>>, now: f64, differs: impl Fn(&T) -> bool) -> f64 {
    old.filter(|k| !differs(&k.row)).map_or(now, |k| k.changed)
}

fn index(index: &mut Index, key: &str, name: &str, uid: &str) {
    index.entry(key.to_owned()).or_default().insert((name.to_owned(), uid.to_owned()));
}

fn unindex(index: &mut Index, key: &str, name: &str, uid: &str) {
    if let Some(set) = index.get_mut(key) {
        set.remove(&(name.to_owned(), uid.to_owned()));
        if set.is_empty() {
            index.remove(key);
        }
    }
}

#[cfg(test)]
mod tests;
