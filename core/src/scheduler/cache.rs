//! What the scheduler knows of nodes and the pods on them, kept up change by change.
//!
//! Pods that selectors can't tell apart (namespace, labels, whether they are going) are one group, so
//! that counting the pods that a selector matches costs the number of groups and not of pods; and what
//! was counted once is kept up ([`super::tally`]).
//!
//! Models `pkg/scheduler/backend/cache` and `framework.NodeInfo`.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use k8s_openapi::api::core::v1::{Node, Pod};

use super::{
    resources::{self, Resources},
    tally::{Domains, Sort, Tallies, Tally, Wishes},
    terms::{Term, Terms},
};
use crate::{
    api::{Object, meta, pods},
    client::Client,
    sim::Cause,
};

/// A pod, and what every plugin would otherwise work out again.
#[derive(Debug)]
pub struct PodInfo {
    /// The pod.
    pub pod: Rc<Pod>,
    /// What it asks for.
    pub requests: Resources,
    /// The same with a little for containers that ask for nothing.
    pub counted: Resources,
    /// Host ports: address, protocol, port.
    pub ports: Vec<(String, String, i32)>,
    /// Its (anti-)affinity to other pods.
    pub terms: Rc<Terms>,
    /// Why it is to be looked at, while it waits.
    pub cause: Cell<Cause>,
    /// Pods with equal groups are alike.
    group: Rc<str>,
}

impl PodInfo {
    /// Works a pod out.
    pub fn new(pod: &Rc<Pod>) -> Self {
        let object: &dyn Object = &**pod;
        let mut group = format!("{}/", object.namespace());
        if pod.metadata.deletion_timestamp.is_some() {
            group.push('!');
        }
        for (key, value) in pod.metadata.labels.iter().flatten() {
            group.push_str(key);
            group.push('=');
            group.push_str(value);
            group.push(',');
        }
        let affinity = pod.spec.as_ref().and_then(|s| s.affinity.as_ref());
        PodInfo {
            requests: resources::of_pod(pod, false),
            counted: resources::of_pod(pod, true),
            ports: pods::host_ports(pod),
            terms: Rc::new(Terms::of(object.namespace(), affinity)),
            cause: Cell::default(),
            group: group.into(),
            pod: pod.clone(),
        }
    }

    /// The same for a later state of the pod, of which often nothing here differs.
    pub fn updated(&self, pod: &Rc<Pod>) -> Self {
        let same = self.pod.spec == pod.spec
            && self.pod.metadata.labels == pod.metadata.labels
            && self.pod.metadata.deletion_timestamp.is_some()
                == pod.metadata.deletion_timestamp.is_some()
            && !resources::may_differ(&self.pod, pod);
        if !same {
            return PodInfo::new(pod);
        }
        self.with(pod)
    }

    /// The same pod on a node.
    pub fn updated_placed(&self, pod: &Rc<Pod>) -> Self {
        let labels = self.pod.metadata.labels == pod.metadata.labels;
        if !labels || pod.metadata.deletion_timestamp.is_some() {
            return PodInfo::new(pod);
        }
        self.with(pod)
    }

    fn with(&self, pod: &Rc<Pod>) -> Self {
        PodInfo {
            pod: pod.clone(),
            requests: self.requests.clone(),
            counted: self.counted.clone(),
            ports: self.ports.clone(),
            terms: self.terms.clone(),
            cause: self.cause.clone(),
            group: self.group.clone(),
        }
    }

    /// Whether it and an earlier state of it are the same to every plugin.
    pub fn counts_as(&self, other: &PodInfo) -> bool {
        self.group == other.group
            && Rc::ptr_eq(&self.terms, &other.terms)
            && self.requests == other.requests
    }

    /// Its uid.
    pub fn uid(&self) -> &str {
        (&*self.pod as &dyn Object).uid()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        (&*self.pod as &dyn Object).name()
    }

    /// Its namespace.
    pub fn namespace(&self) -> &str {
        (&*self.pod as &dyn Object).namespace()
    }

    /// Whether it is being deleted.
    pub fn is_going(&self) -> bool {
        self.pod.metadata.deletion_timestamp.is_some()
    }

    /// Its priority.
    pub fn priority(&self) -> i32 {
        self.pod.spec.as_ref().and_then(|s| s.priority).unwrap_or(0)
    }
}

/// Pods that are alike, wherever they are.
#[derive(Debug)]
struct Group {
    sample: Rc<PodInfo>,
    by_node: BTreeMap<usize, i64>,
}

/// A node and what is on it.
#[derive(Clone, Debug)]
pub struct NodeInfo {
    /// Its place in the cache.
    pub place: usize,
    /// Its name.
    pub name: Rc<str>,
    /// The node.
    pub node: Rc<Node>,
    /// What it has for pods.
    pub allocatable: Resources,
    /// What its pods ask for.
    pub requested: Resources,
    /// The same with a little for containers that ask for nothing.
    pub counted: Resources,
    /// Its pods, by uid.
    pub pods: BTreeMap<Rc<str>, Rc<PodInfo>>,
    /// How many of its pods have ports of the node.
    pub with_ports: usize,
    /// Images it has, with their sizes in bytes.
    pub images: Rc<BTreeMap<String, i64>>,
}

impl NodeInfo {
    fn new(place: usize, node: &Rc<Node>) -> Self {
        let mut info = NodeInfo {
            place,
            name: (&**node as &dyn Object).name().into(),
            node: node.clone(),
            allocatable: Resources::default(),
            requested: Resources::default(),
            counted: Resources::default(),
            pods: BTreeMap::new(),
            with_ports: 0,
            images: Rc::default(),
        };
        info.set_node(node);
        info
    }

    fn set_node(&mut self, node: &Rc<Node>) {
        let status = node.status.as_ref();
        self.allocatable = Resources::of(status.and_then(|s| s.allocatable.as_ref()));
        let images = status.and_then(|s| s.images.as_ref()).into_iter().flatten();
        let named = images.flat_map(|image| {
            let size = image.size_bytes.unwrap_or(0);
            image.names.iter().flatten().map(move |name| (name.clone(), size))
        });
        self.images = Rc::new(named.collect());
        self.node = node.clone();
    }

    /// A label's value.
    pub fn label(&self, key: &str) -> Option<&str> {
        meta::label(&self.node.metadata, key)
    }

    /// Puts a pod on it.
    pub fn add(&mut self, info: Rc<PodInfo>) {
        self.requested.add(&info.requests);
        self.counted.add(&info.counted);
        self.with_ports += usize::from(!info.ports.is_empty());
        self.pods.insert(info.uid().into(), info);
    }

    /// Takes a pod away.
    pub fn remove(&mut self, uid: &str) -> Option<Rc<PodInfo>> {
        let info = self.pods.remove(uid)?;
        self.requested.sub(&info.requests);
        self.counted.sub(&info.counted);
        self.with_ports -= usize::from(!info.ports.is_empty());
        Some(info)
    }
}

/// All nodes.
pub struct Cache {
    client: Client,
    /// Nodes at their places; a place stays with its node.
    nodes: Vec<Option<NodeInfo>>,
    places: BTreeMap<Rc<str>, usize>,
    free: Vec<usize>,
    /// The order in which nodes are looked at: zone by zone in turn.
    order: Rc<[usize]>,
    stale_order: bool,
    /// Names of the nodes of pods that are known, by uid (the pod may be there before its node).
    homes: BTreeMap<Rc<str>, Rc<str>>,
    /// Pods on nodes that are not known (yet, or any more).
    strays: BTreeMap<Rc<str>, Rc<PodInfo>>,
    /// How many nodes have an image, by its name.
    pub images: BTreeMap<String, usize>,
    /// Pods on nodes by likeness.
    groups: BTreeMap<Rc<str>, Group>,
    tallies: RefCell<Tallies>,
    /// How many nodes have which values of a label.
    values: RefCell<BTreeMap<String, Rc<Domains>>>,
    /// Where those are who want nobody of some sort near.
    pub repelling: Wishes<Term>,
    /// Where those are who need somebody of some sort near.
    pub attracted: Wishes<Term>,
    /// Where those are who like somebody near, or far.
    pub preferring: Wishes<(Term, i64)>,
    /// Labels of nodes changed: the wishes' domains are to be found anew.
    stale_wishes: bool,
}

impl Cache {
    /// Of a cluster without nodes.
    pub fn new(client: &Client) -> Self {
        Cache {
            client: client.clone(),
            nodes: Vec::new(),
            places: BTreeMap::new(),
            free: Vec::new(),
            order: Rc::default(),
            stale_order: false,
            homes: BTreeMap::new(),
            strays: BTreeMap::new(),
            images: BTreeMap::new(),
            groups: BTreeMap::new(),
            tallies: RefCell::default(),
            values: RefCell::default(),
            repelling: Wishes::default(),
            attracted: Wishes::default(),
            preferring: Wishes::default(),
            stale_wishes: false,
        }
    }

    /// A node is new or different.
    pub fn set_node(&mut self, node: &Rc<Node>) {
        let name = (&**node as &dyn Object).name();
        let Some(&place) = self.places.get(name) else { return self.new_node(name.into(), node) };
        let Some(mut info) = self.nodes.get_mut(place).and_then(Option::take) else { return };
        if info.node.metadata.labels != node.metadata.labels {
            self.stale_order |= zone(&info.node) != zone(node);
            self.labels_changed();
        }
        let before = info.images.clone();
        info.set_node(node);
        if info.images != before {
            self.count_images(&before, false);
            self.count_images(&info.images, true);
        }
        self.nodes[place] = Some(info);
    }

    fn new_node(&mut self, name: Rc<str>, node: &Rc<Node>) {
        let place = self.free.pop().unwrap_or(self.nodes.len());
        if place == self.nodes.len() {
            self.nodes.push(None);
        }
        let info = NodeInfo::new(place, node);
        self.count_images(&info.images, true);
        self.nodes[place] = Some(info);
        self.places.insert(name.clone(), place);
        self.stale_order = true;
        self.labels_changed();
        let here = |uid: &&Rc<str>| self.homes.get(*uid) == Some(&name);
        let uids: Vec<_> = self.strays.keys().filter(here).cloned().collect();
        for uid in uids {
            if let Some(pod) = self.strays.remove(&uid) {
                self.settle(place, pod);
            }
        }
    }

    fn labels_changed(&mut self) {
        self.tallies.get_mut().clear();
        self.values.get_mut().clear();
        self.stale_wishes = true;
    }

    fn count_images(&mut self, images: &BTreeMap<String, i64>, more: bool) {
        for name in images.keys() {
            let count = self.images.entry(name.clone()).or_default();
            *count = if more { *count + 1 } else { count.saturating_sub(1) };
        }
    }

    /// A node is gone.
    pub fn remove_node(&mut self, name: &str) {
        let Some(place) = self.places.remove(name) else { return };
        let pods = self.nodes[place].as_ref().map(|n| n.pods.clone()).unwrap_or_default();
        for uid in pods.keys() {
            self.unsettle(place, uid);
        }
        self.strays.extend(pods);
        if let Some(info) = self.nodes[place].take() {
            self.count_images(&info.images, false);
        }
        self.free.push(place);
        self.stale_order = true;
        self.labels_changed();
    }

    /// A pod is on a node, newly or changed.
    pub fn set_pod(&mut self, info: Rc<PodInfo>) {
        self.remove_pod(info.uid());
        let (uid, node): (Rc<str>, Rc<str>) =
            (info.uid().into(), pods::node_name(&info.pod).into());
        match self.places.get(&node).copied() {
            Some(place) => self.settle(place, info),
            None => {
                self.strays.insert(uid.clone(), info);
            }
        }
        self.homes.insert(uid, node);
    }

    /// The same for a pod of which nothing has changed that anybody counts.
    pub fn renew_pod(&mut self, info: Rc<PodInfo>) {
        let node = self.homes.get(info.uid()).and_then(|home| self.places.get(home)).copied();
        let known = match node.and_then(|place| self.nodes[place].as_mut()) {
            Some(node) => node.pods.get_mut(info.uid()),
            None => self.strays.get_mut(info.uid()),
        };
        if let Some(known) = known {
            *known = info;
        }
    }

    /// A pod has left its node.
    pub fn remove_pod(&mut self, uid: &str) -> Option<Rc<PodInfo>> {
        let home = self.homes.remove(uid)?;
        let place = self.places.get(&home).copied();
        place.and_then(|place| self.unsettle(place, uid)).or_else(|| self.strays.remove(uid))
    }

    fn settle(&mut self, place: usize, info: Rc<PodInfo>) {
        let Some(mut node) = self.nodes[place].take() else { return };
        let group = self.groups.entry(info.group.clone());
        let group =
            group.or_insert_with(|| Group { sample: info.clone(), by_node: BTreeMap::new() });
        *group.by_node.entry(place).or_default() += 1;
        self.count(&node, &info, 1);
        node.add(info);
        self.nodes[place] = Some(node);
    }

    fn unsettle(&mut self, place: usize, uid: &str) -> Option<Rc<PodInfo>> {
        let mut node = self.nodes[place].take()?;
        let info = node.remove(uid);
        if let Some(info) = &info {
            if let Some(group) = self.groups.get_mut(&info.group) {
                let count = group.by_node.entry(place).or_default();
                *count -= 1;
                if *count <= 0 {
                    group.by_node.remove(&place);
                }
                if group.by_node.is_empty() {
                    self.groups.remove(&info.group);
                }
            }
            self.count(&node, info, -1);
        }
        self.nodes[place] = Some(node);
        info
    }

    fn count(&mut self, node: &NodeInfo, info: &PodInfo, amount: i64) {
        let label = |key: &str| node.label(key);
        self.tallies.get_mut().changed(&self.client, info, node.place, label, amount);
        if !self.stale_wishes {
            self.count_wishes(node, &info.terms, amount);
        }
    }

    fn count_wishes(&mut self, node: &NodeInfo, terms: &Terms, amount: i64) {
        for term in &terms.repels {
            self.repelling.changed(term, node.label(&term.topology_key), amount);
        }
        for term in &terms.attracts {
            self.attracted.changed(term, node.label(&term.topology_key), amount);
        }
        for wish in &terms.prefers {
            self.preferring.changed(wish, node.label(&wish.0.topology_key), amount);
        }
    }

    /// Before a pod is scheduled: brings up to date what many changes made out of date.
    pub fn refresh(&mut self) {
        if std::mem::take(&mut self.stale_wishes) {
            self.repelling.clear();
            self.attracted.clear();
            self.preferring.clear();
            for place in 0..self.nodes.len() {
                let Some(node) = self.nodes[place].take() else { continue };
                for pod in node.pods.values() {
                    self.count_wishes(&node, &pod.terms, 1);
                }
                self.nodes[place] = Some(node);
            }
        }
        if std::mem::take(&mut self.stale_order) {
            self.order = self.ordered();
        }
    }

    /// Labels of a namespace changed.
    pub fn namespaces_changed(&mut self) {
        self.tallies.get_mut().clear();
    }

    /// What is known of a pod on a node.
    pub fn pod(&self, uid: &str) -> Option<&Rc<PodInfo>> {
        let home = self.homes.get(uid)?;
        self.node(home).and_then(|n| n.pods.get(uid)).or_else(|| self.strays.get(uid))
    }

    /// One node.
    pub fn node(&self, name: &str) -> Option<&NodeInfo> {
        self.at(*self.places.get(name)?)
    }

    /// The node at a place.
    pub fn at(&self, place: usize) -> Option<&NodeInfo> {
        self.nodes.get(place)?.as_ref()
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// All nodes, by name.
    pub fn nodes(&self) -> impl Iterator<Item = &NodeInfo> {
        self.places.values().filter_map(|place| self.at(*place))
    }

    /// The order in which nodes are looked at, as of the last [`Cache::refresh`].
    pub fn order(&self) -> Rc<[usize]> {
        self.order.clone()
    }

    fn ordered(&self) -> Rc<[usize]> {
        let mut zones: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for info in self.nodes() {
            zones.entry(zone(&info.node)).or_default().push(info.place);
        }
        let longest = zones.values().map(Vec::len).max().unwrap_or(0);
        (0..longest).flat_map(|i| zones.values().filter_map(move |z| z.get(i).copied())).collect()
    }

    fn with_tally<R>(&self, sort: &Sort, use_it: impl FnOnce(&mut Tally) -> R) -> R {
        let mut tallies = self.tallies.borrow_mut();
        let tally = tallies.get(sort, || {
            let mut by_node = BTreeMap::new();
            for group in self.groups.values() {
                if sort.includes(&self.client, &group.sample) {
                    for (place, count) in &group.by_node {
                        *by_node.entry(*place).or_default() += count;
                    }
                }
            }
            by_node
        });
        use_it(tally)
    }

    /// How many pods of a sort are where, by the values of a node label.
    pub fn domains(&self, sort: &Sort, key: &str) -> Rc<Domains> {
        let nodes = || self.nodes.iter().flatten().map(|n| (n.place, n.label(key)));
        self.with_tally(sort, |tally| tally.domains(key, nodes()))
    }

    /// How many pods of a sort are on each node, by its place.
    pub fn by_node(&self, sort: &Sort) -> BTreeMap<usize, i64> {
        self.with_tally(sort, |tally| tally.by_node.clone())
    }

    /// The same for some nodes.
    pub fn on_nodes(&self, sort: &Sort, places: impl Iterator<Item = usize>) -> Vec<i64> {
        let count = |tally: &Tally, place| tally.by_node.get(&place).copied().unwrap_or(0);
        self.with_tally(sort, |tally| places.map(|place| count(tally, place)).collect())
    }

    /// How many nodes have which value of a label.
    pub fn values(&self, key: &str) -> Rc<Domains> {
        let mut values = self.values.borrow_mut();
        let known = values.entry(key.to_string()).or_insert_with(|| {
            let mut made = Domains::default();
            for value in self.nodes.iter().flatten().filter_map(|n| n.label(key)) {
                made.add(value, 1);
            }
            Rc::new(made)
        });
        known.clone()
    }
}

fn zone(node: &Node) -> &str {
    meta::label(&node.metadata, "topology.kubernetes.io/zone").unwrap_or_default()
}
