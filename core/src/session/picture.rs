//! The cluster's picture: rows that follow the API's objects, sent as changes.
//!
//! Changes mark objects; [`Picture::take`] turns what is marked into rows and sends those that
//! differ from what was sent. What a node's pods request is kept as sums, so that a pod's change
//! costs the same in a cluster of three pods and of three thousand.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
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

    /// What changed since the last call.
    pub fn take(&mut self) -> Vec<ViewChange> {
        let marked = self.marked.take();
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
