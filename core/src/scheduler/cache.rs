//! What the scheduler knows of nodes and the pods on them, kept up change by change.
//!
//! Pods that look alike to every plugin (namespace, labels, affinity, whether they are going) are
//! counted as one group, so that counting the pods that a selector matches costs the number of
//! groups and not of pods.
//!
//! Models `pkg/scheduler/backend/cache` and `framework.NodeInfo`.

use std::{cell::Cell, collections::BTreeMap, rc::Rc};

use k8s_openapi::api::core::v1::{Node, Pod};

use super::{
    resources::{self, Resources},
    terms::Terms,
};
use crate::{
    api::pods,
    api::{Object, object::to_value},
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
        if let Some(affinity) = affinity {
            group.push_str(&to_value(affinity).to_string());
        }
        PodInfo {
            requests: resources::of_pod(pod, false),
            counted: resources::of_pod(pod, true),
            ports: host_ports(pod),
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
                == pod.metadata.deletion_timestamp.is_some();
        if !same {
            return PodInfo::new(pod);
        }
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

    /// Its priority.
    pub fn priority(&self) -> i32 {
        self.pod.spec.as_ref().and_then(|s| s.priority).unwrap_or(0)
    }
}

fn host_ports(pod: &Pod) -> Vec<(String, String, i32)> {
    let Some(spec) = &pod.spec else { return Vec::new() };
    let sidecars = spec.init_containers.iter().flatten();
    let sidecars = sidecars.filter(|c| c.restart_policy.as_deref() == Some("Always"));
    let ports = spec.containers.iter().chain(sidecars).flat_map(|c| c.ports.iter().flatten());
    ports
        .filter_map(|p| {
            let port = p.host_port.filter(|n| *n > 0)?;
            let ip = p.host_ip.clone().filter(|ip| !ip.is_empty());
            let protocol = p.protocol.clone().unwrap_or_else(|| "TCP".into());
            Some((ip.unwrap_or_else(|| "0.0.0.0".into()), protocol, port))
        })
        .collect()
}

/// Pods on one node that are alike.
#[derive(Clone, Debug)]
pub struct Group {
    /// One of them.
    pub sample: Rc<PodInfo>,
    /// How many.
    pub count: i64,
    /// Whether they are going.
    pub going: bool,
}

/// A node and what is on it.
#[derive(Clone, Debug)]
pub struct NodeInfo {
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
    /// Its pods by likeness.
    pub groups: BTreeMap<Rc<str>, Group>,
    /// Images it has, with their sizes in bytes.
    pub images: BTreeMap<String, i64>,
}

impl NodeInfo {
    fn new(node: &Rc<Node>) -> Self {
        let mut info = NodeInfo {
            name: (&**node as &dyn Object).name().into(),
            node: node.clone(),
            allocatable: Resources::default(),
            requested: Resources::default(),
            counted: Resources::default(),
            pods: BTreeMap::new(),
            groups: BTreeMap::new(),
            images: BTreeMap::new(),
        };
        info.set_node(node);
        info
    }

    fn set_node(&mut self, node: &Rc<Node>) {
        let status = node.status.as_ref();
        self.allocatable = Resources::of(status.and_then(|s| s.allocatable.as_ref()));
        self.images = status
            .and_then(|s| s.images.as_ref())
            .into_iter()
            .flatten()
            .flat_map(|image| {
                let size = image.size_bytes.unwrap_or(0);
                image.names.iter().flatten().map(move |name| (name.clone(), size))
            })
            .collect();
        self.node = node.clone();
    }

    /// A label's value.
    pub fn label(&self, key: &str) -> Option<&str> {
        crate::api::meta::label(&self.node.metadata, key)
    }

    /// Puts a pod on it.
    pub fn add(&mut self, info: Rc<PodInfo>) {
        self.requested.add(&info.requests);
        self.counted.add(&info.counted);
        let group = self.groups.entry(info.group.clone()).or_insert_with(|| Group {
            sample: info.clone(),
            count: 0,
            going: info.pod.metadata.deletion_timestamp.is_some(),
        });
        group.count += 1;
        self.pods.insert(info.uid().into(), info);
    }

    /// Takes a pod away.
    pub fn remove(&mut self, uid: &str) -> Option<Rc<PodInfo>> {
        let info = self.pods.remove(uid)?;
        self.requested.sub(&info.requests);
        self.counted.sub(&info.counted);
        if let Some(group) = self.groups.get_mut(&info.group) {
            group.count -= 1;
            if group.count <= 0 {
                self.groups.remove(&info.group);
            }
        }
        Some(info)
    }
}

/// All nodes.
#[derive(Debug, Default)]
pub struct Cache {
    nodes: BTreeMap<Rc<str>, NodeInfo>,
    /// The order in which nodes are looked at: zone by zone in turn.
    order: Vec<Rc<str>>,
    stale: bool,
    /// Nodes of pods that are known, by uid (the pod may be there before its node).
    places: BTreeMap<Rc<str>, Rc<str>>,
    /// Pods on nodes that are not known (yet, or any more).
    strays: BTreeMap<Rc<str>, Rc<PodInfo>>,
    /// How many nodes have an image, by its name.
    pub images: BTreeMap<String, usize>,
    /// How many pods have required anti-affinity: where there are none, nobody has to look.
    pub repelling: usize,
    /// How many pods have any affinity to pods.
    pub affine: usize,
}

impl Cache {
    /// A node is new or different.
    pub fn set_node(&mut self, node: &Rc<Node>) {
        let name: Rc<str> = (&**node as &dyn Object).name().into();
        let zone = |n: &Node| zone(n).to_string();
        let before = self.nodes.get(&name).map(|n| (zone(&n.node), n.images.clone()));
        self.stale |= before.as_ref().map(|b| &b.0) != Some(&zone(node));
        self.count_images(before.map(|b| b.1).unwrap_or_default(), false);
        let is_new = !self.nodes.contains_key(&name);
        let info = self.nodes.entry(name.clone()).or_insert_with(|| NodeInfo::new(node));
        info.set_node(node);
        let images = info.images.clone();
        if is_new {
            let here = |uid: &&Rc<str>| self.places.get(*uid) == Some(&name);
            let uids: Vec<_> = self.strays.keys().filter(here).cloned().collect();
            for uid in uids {
                if let Some(pod) = self.strays.remove(&uid) {
                    info.add(pod);
                }
            }
        }
        self.count_images(images, true);
    }

    fn count_images(&mut self, images: BTreeMap<String, i64>, more: bool) {
        for name in images.into_keys() {
            let count = self.images.entry(name).or_default();
            *count = if more { *count + 1 } else { count.saturating_sub(1) };
        }
    }

    /// A node is gone.
    pub fn remove_node(&mut self, name: &str) {
        let Some(info) = self.nodes.remove(name) else { return };
        self.stale = true;
        self.count_images(info.images, false);
        self.strays.extend(info.pods);
    }

    /// A pod is on a node, newly or changed.
    pub fn set_pod(&mut self, info: Rc<PodInfo>) {
        self.remove_pod(info.uid());
        let (uid, node): (Rc<str>, Rc<str>) =
            (info.uid().into(), pods::node_name(&info.pod).into());
        self.count_terms(&info.terms, true);
        self.places.insert(uid.clone(), node.clone());
        match self.nodes.get_mut(&node) {
            Some(node) => node.add(info),
            None => {
                self.strays.insert(uid, info);
            }
        }
    }

    /// A pod has left its node.
    pub fn remove_pod(&mut self, uid: &str) -> Option<Rc<PodInfo>> {
        let node = self.places.remove(uid)?;
        let on_node = self.nodes.get_mut(&node).and_then(|n| n.remove(uid));
        let info = on_node.or_else(|| self.strays.remove(uid))?;
        self.count_terms(&info.terms, false);
        Some(info)
    }

    fn count_terms(&mut self, terms: &Terms, more: bool) {
        let step = |n: usize| if more { n + 1 } else { n.saturating_sub(1) };
        if !terms.repels.is_empty() {
            self.repelling = step(self.repelling);
        }
        if !terms.is_empty() {
            self.affine = step(self.affine);
        }
    }

    /// What is known of a pod on a node.
    pub fn pod(&self, uid: &str) -> Option<&Rc<PodInfo>> {
        let node = self.places.get(uid)?;
        self.nodes.get(node).and_then(|n| n.pods.get(uid)).or_else(|| self.strays.get(uid))
    }

    /// One node.
    pub fn node(&self, name: &str) -> Option<&NodeInfo> {
        self.nodes.get(name)
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// All nodes, by name.
    pub fn nodes(&self) -> impl Iterator<Item = &NodeInfo> {
        self.nodes.values()
    }

    /// The order in which nodes are looked at.
    pub fn order(&mut self) -> &[Rc<str>] {
        if self.stale {
            self.stale = false;
            let mut zones: BTreeMap<&str, Vec<&Rc<str>>> = BTreeMap::new();
            for (name, info) in &self.nodes {
                zones.entry(zone(&info.node)).or_default().push(name);
            }
            let longest = zones.values().map(Vec::len).max().unwrap_or(0);
            let turns = (0..longest).flat_map(|i| zones.values().filter_map(move |z| z.get(i)));
            let order: Vec<Rc<str>> = turns.map(|name| (*name).clone()).collect();
            self.order = order;
        }
        &self.order
    }
}

fn zone(node: &Node) -> &str {
    crate::api::meta::label(&node.metadata, "topology.kubernetes.io/zone").unwrap_or_default()
}
