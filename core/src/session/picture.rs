//! The cluster's picture: rows that follow the API's objects, sent as changes.
//!
//! Changes mark objects; [`Picture::take`] turns what is marked into rows and sends those that
//! differ from what was sent. What a node's pods request is kept as sums, so that a pod's change
//! costs the same in a cluster of three pods and of three thousand.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    rc::Rc,
};

use k8s_openapi::api::{
    apps::v1::{DaemonSet, Deployment, ReplicaSet},
    core::v1::{Event, Node, Pod, Service},
    discovery::v1::EndpointSlice,
};

use super::rows;
use crate::{
    api::{ObjRef, Typed, meta::label},
    client::{Client, Op, Subscription},
    view::{Row, ServiceRow, ViewChange},
};

/// The label by which a slice names its service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// What is asked of the network for a service's routing table.
pub type Routes = Rc<dyn Fn(&str, &str) -> Vec<crate::view::RouteRow>>;

#[derive(Default)]
struct Marked {
    /// Objects by uid as they are now; `None` where they are gone.
    objects: BTreeMap<String, Option<ObjRef>>,
    /// Services (namespace, name) whose endpoints changed.
    services: BTreeSet<(String, String)>,
    /// The last object whose turn it was: the next goes on behind it, so that none waits for ever.
    turn: String,
}

impl Marked {
    fn take(&mut self, most: usize) -> Marked {
        let services = std::mem::take(&mut self.services);
        if self.objects.len() <= most {
            let objects = std::mem::take(&mut self.objects);
            return Marked { objects, services, turn: String::new() };
        }
        let behind = (Bound::Excluded(self.turn.as_str()), Bound::Unbounded);
        let later = self.objects.range::<str, _>(behind);
        let turn: Vec<String> =
            later.chain(&self.objects).take(most).map(|(uid, _)| uid.clone()).collect();
        let last = turn.last().cloned().unwrap_or_default();
        self.turn.clone_from(&last);
        let taken = turn.into_iter().filter_map(|uid| self.objects.remove_entry(&uid));
        Marked { objects: taken.collect(), services, turn: last }
    }
}

/// What is asked of the network to learn whether a service's counts changed: any number that differs
/// when they do.
pub type Traffic = Rc<dyn Fn(&str, &str) -> u64>;

/// What a pod adds to its node.
#[derive(Clone, Debug, Default, PartialEq)]
struct Load {
    node: String,
    cpu_milli: u64,
    memory: u64,
}

/// The picture of one cluster.
pub struct Picture {
    client: Client,
    routes: Routes,
    traffic: Traffic,
    marked: Rc<RefCell<Marked>>,
    sent: BTreeMap<String, Row>,
    /// Services that were sent: namespace, name and how many requests they had.
    services: BTreeMap<String, (String, String, u64)>,
    loads: BTreeMap<String, Load>,
    totals: BTreeMap<String, (u64, u64)>,
    _subscription: Subscription,
}

impl Picture {
    /// A picture of everything that the API has. `routes` tells a service's routing table,
    /// `traffic` whether it changed without the API noticing.
    pub fn new(client: &Client, routes: Routes, traffic: Traffic) -> Self {
        let marked = Rc::new(RefCell::new(Marked::default()));
        let all = [
            Node::ID,
            Pod::ID,
            Deployment::ID,
            ReplicaSet::ID,
            DaemonSet::ID,
            Service::ID,
            Event::ID,
        ];
        for kind in all {
            for object in client.list_any(kind, None, &Default::default()).unwrap_or_default() {
                marked.borrow_mut().objects.insert(object.uid().to_string(), Some(object));
            }
        }
        let mut kinds = all.to_vec();
        kinds.push(EndpointSlice::ID);
        let m = marked.clone();
        let subscription = client.on_change(&kinds, move |change| {
            let mut marked = m.borrow_mut();
            if change.kind == EndpointSlice::ID {
                let meta = change.object.metadata();
                if let Some(service) = label(meta, SERVICE_NAME) {
                    let ns = meta.namespace.clone().unwrap_or_default();
                    marked.services.insert((ns, service.to_string()));
                }
                return;
            }
            let now = (change.op != Op::Deleted).then(|| change.object.clone());
            marked.objects.insert(change.object.uid().to_string(), now);
        });
        Picture {
            client: client.clone(),
            routes,
            traffic,
            marked,
            sent: BTreeMap::new(),
            services: BTreeMap::new(),
            loads: BTreeMap::new(),
            totals: BTreeMap::new(),
            _subscription: subscription,
        }
    }

    /// What changed since the last call, of at most `most` objects; the others' turn is next, and
    /// what changes meanwhile is told once.
    pub fn take(&mut self, most: usize) -> Vec<ViewChange> {
        let marked = self.marked.borrow_mut().take(most);
        let (mut changes, mut nodes) = (Vec::new(), BTreeSet::new());
        for (uid, object) in &marked.objects {
            self.account(uid, object.as_ref(), &mut nodes);
            match object {
                Some(object) => {
                    if let Some(row) = self.row(object) {
                        self.send(row, &mut changes);
                    }
                }
                None => {
                    self.services.remove(uid);
                    if self.sent.remove(uid).is_some() {
                        changes.push(ViewChange::Remove { uid: uid.clone() });
                    }
                }
            }
        }
        for name in nodes {
            if let Some(node) = self.client.find::<Node>("", &name) {
                let row = rows::node(&node, self.totals.get(&name).copied().unwrap_or_default());
                self.send(Row::Node(row), &mut changes);
            }
        }
        for (namespace, name) in marked.services {
            if let Some(service) = self.client.find::<Service>(&namespace, &name) {
                self.send(Row::Service(self.service(&service)), &mut changes);
            }
        }
        self.follow_traffic(&mut changes);
        changes
    }

    /// Whether objects still wait for their turn.
    pub fn waits(&self) -> bool {
        !self.marked.borrow().objects.is_empty()
    }

    /// Counts of requests change without the API noticing.
    fn follow_traffic(&mut self, changes: &mut Vec<ViewChange>) {
        let busy: Vec<(String, String)> = self
            .services
            .values()
            .filter(|(namespace, name, told)| (self.traffic)(namespace, name) != *told)
            .map(|(namespace, name, _)| (namespace.clone(), name.clone()))
            .collect();
        for (namespace, name) in busy {
            if let Some(service) = self.client.find::<Service>(&namespace, &name) {
                self.send(Row::Service(self.service(&service)), changes);
            }
        }
    }

    fn service(&self, service: &Service) -> ServiceRow {
        let meta = &service.metadata;
        let name = |n: &Option<String>| n.clone().unwrap_or_default();
        let routes = (self.routes)(&name(&meta.namespace), &name(&meta.name));
        rows::service(service, routes, &self.client)
    }

    fn send(&mut self, row: Row, changes: &mut Vec<ViewChange>) {
        if self.sent.get(row.uid()) == Some(&row) {
            return;
        }
        if let Row::Service(s) = &row {
            let told = (s.namespace.clone(), s.name.clone(), (self.traffic)(&s.namespace, &s.name));
            self.services.insert(s.uid.clone(), told);
        }
        self.sent.insert(row.uid().to_string(), row.clone());
        changes.push(ViewChange::Upsert(row));
    }

    fn row(&self, object: &ObjRef) -> Option<Row> {
        let now = self.client.sim().now();
        if let Some(pod) = object.downcast::<Pod>() {
            return Some(Row::Pod(rows::pod(pod, now)));
        }
        if let Some(node) = object.downcast::<Node>() {
            let totals = self.totals.get(object.name()).copied().unwrap_or_default();
            return Some(Row::Node(rows::node(node, totals)));
        }
        if let Some(service) = object.downcast::<Service>() {
            return Some(Row::Service(self.service(service)));
        }
        if let Some(event) = object.downcast::<Event>() {
            return Some(Row::Event(rows::event(event)));
        }
        rows::workload(&self.client, object).map(Row::Workload)
    }

    /// Keeps the sums of what pods request on their nodes.
    fn account(&mut self, uid: &str, object: Option<&ObjRef>, nodes: &mut BTreeSet<String>) {
        let pod = object.and_then(|o| o.downcast::<Pod>());
        if pod.is_none() && !self.loads.contains_key(uid) {
            return;
        }
        let new = pod.and_then(load);
        let old = self.loads.get(uid).cloned();
        if new == old {
            return;
        }
        if let Some(old) = self.loads.remove(uid) {
            let total = self.totals.entry(old.node.clone()).or_default();
            total.0 = total.0.saturating_sub(old.cpu_milli);
            total.1 = total.1.saturating_sub(old.memory);
            nodes.insert(old.node);
        }
        if let Some(new) = new {
            let total = self.totals.entry(new.node.clone()).or_default();
            total.0 += new.cpu_milli;
            total.1 += new.memory;
            nodes.insert(new.node.clone());
            self.loads.insert(uid.to_string(), new);
        }
    }
}

/// What a pod adds to its node; nothing before it has one or after it ended.
fn load(pod: &Pod) -> Option<Load> {
    let node = pod.spec.as_ref()?.node_name.clone()?;
    let phase = pod.status.as_ref().and_then(|s| s.phase.as_deref());
    if matches!(phase, Some("Succeeded" | "Failed")) {
        return None;
    }
    let (cpu_milli, memory) = rows::requests(pod);
    Some(Load { node, cpu_milli, memory })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_take_turns_and_none_waits_for_ever() {
        let mut marked = Marked::default();
        let mark = |marked: &mut Marked, uids: &str| {
            marked.objects.extend(uids.chars().map(|uid| (uid.to_string(), None)));
        };
        let take = |marked: &mut Marked, most| {
            marked.take(most).objects.into_keys().collect::<Vec<_>>().concat()
        };
        mark(&mut marked, "abcde");
        assert_eq!(take(&mut marked, 2), "ab");
        mark(&mut marked, "ab"); // they change all the time
        assert_eq!(take(&mut marked, 2), "cd");
        mark(&mut marked, "cd");
        assert_eq!(take(&mut marked, 2), "ae", "behind the last one the first ones' turn comes");
        assert_eq!(take(&mut marked, usize::MAX), "bcd");
        assert!(marked.objects.is_empty());
    }
}
