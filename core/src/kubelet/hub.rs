//! What the kubelets of one cluster share: one subscription, routed to the node it concerns.
//!
//! Real kubelets each watch their own pods; the API server does the filtering. Here the hub does, so
//! that five thousand kubelets don't each look at every change.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::{Rc, Weak},
};

use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod, Secret};

use super::{Inner, Uid};
use crate::{
    api::{KindId, Object, Typed, object::downcast_rc},
    client::{Change, Client, IndexId, Op, Subscription},
};

/// Kind, namespace and name of a ConfigMap or Secret.
type Source = (KindId, String, String);

/// What the kubelets of one cluster share.
pub struct Hub {
    client: Client,
    by_node: IndexId,
    kubelets: RefCell<BTreeMap<Rc<str>, Weak<Inner>>>,
    /// Which pods on which nodes use a ConfigMap or Secret.
    users: RefCell<BTreeMap<Source, BTreeSet<(Rc<str>, Uid)>>>,
    subscription: RefCell<Option<Subscription>>,
}

/// Pods by the node they are bound to.
pub fn pod_by_node(object: &dyn Object) -> Vec<String> {
    let node = object.downcast::<Pod>().and_then(|p| p.spec.as_ref()?.node_name.clone());
    node.filter(|n| !n.is_empty()).into_iter().collect()
}

impl Hub {
    /// The hub of a cluster.
    pub fn new(client: &Client) -> Rc<Hub> {
        let hub = Rc::new(Hub {
            client: client.clone(),
            by_node: client.index::<Pod>(pod_by_node),
            kubelets: RefCell::default(),
            users: RefCell::default(),
            subscription: RefCell::default(),
        });
        let weak = Rc::downgrade(&hub);
        let kinds = [Pod::ID, ConfigMap::ID, Secret::ID, Node::ID];
        let subscription = client.on_change(&kinds, move |change| {
            if let Some(hub) = weak.upgrade() {
                hub.changed(change);
            }
        });
        *hub.subscription.borrow_mut() = Some(subscription);
        hub
    }

    fn kubelet(&self, node: &str) -> Option<Rc<Inner>> {
        self.kubelets.borrow().get(node).and_then(Weak::upgrade)
    }

    fn changed(&self, change: &Change) {
        if let Some(node) = change.object.downcast::<Node>() {
            // The node IPAM controller gives a new node its range after it has registered.
            if let Some(kubelet) = self.kubelet(change.object.name()) {
                kubelet.take_pod_cidr(node);
            }
            return;
        }
        if change.kind != Pod::ID {
            return self.source_changed(change);
        }
        let Some(pod) = downcast_rc::<Pod>(&change.object) else { return };
        let node = pod.spec.as_ref().and_then(|s| s.node_name.as_deref()).unwrap_or_default();
        let Some(kubelet) = self.kubelet(node) else { return };
        match change.op {
            Op::Deleted => kubelet.pod_gone(&pod),
            _ => kubelet.pod_seen(&pod),
        }
    }

    fn source_changed(&self, change: &Change) {
        let object = &change.object;
        let source = (change.kind, object.namespace().to_string(), object.name().to_string());
        let users = self.users.borrow().get(&source).cloned().unwrap_or_default();
        for (node, uid) in users {
            if let Some(kubelet) = self.kubelet(&node) {
                kubelet.source_changed(&uid);
            }
        }
    }

    pub(super) fn join(&self, node: &Rc<str>, kubelet: Weak<Inner>) {
        self.kubelets.borrow_mut().insert(node.clone(), kubelet);
    }

    pub(super) fn leave(&self, node: &Rc<str>, kubelet: &Weak<Inner>) {
        let mut kubelets = self.kubelets.borrow_mut();
        if kubelets.get(node).is_some_and(|k| k.ptr_eq(kubelet)) {
            kubelets.remove(node);
            self.users.borrow_mut().retain(|_, users| {
                users.retain(|(n, _)| n != node);
                !users.is_empty()
            });
        }
    }

    pub(super) fn pods_of(&self, node: &str) -> Vec<Rc<Pod>> {
        self.client.by_index(self.by_node, node)
    }

    /// A pod uses a ConfigMap or Secret: its kubelet wants to hear of changes.
    pub(super) fn uses(&self, source: Source, node: &Rc<str>, uid: &Uid) {
        self.users.borrow_mut().entry(source).or_default().insert((node.clone(), uid.clone()));
    }

    pub(super) fn uses_no_more(&self, source: &Source, node: &Rc<str>, uid: &Uid) {
        let mut users = self.users.borrow_mut();
        if let Some(set) = users.get_mut(source) {
            set.remove(&(node.clone(), uid.clone()));
            if set.is_empty() {
                users.remove(source);
            }
        }
    }
}
