//! Pods that have a node in prospect, where victims are still going.
//!
//! Models `pkg/scheduler/backend/queue/nominator.go`.

use std::{collections::BTreeMap, rc::Rc};

use super::cache::PodInfo;

/// Who has which node in prospect.
#[derive(Default)]
pub struct Nominated {
    by_node: BTreeMap<Rc<str>, BTreeMap<Rc<str>, Rc<PodInfo>>>,
    nodes: BTreeMap<Rc<str>, Rc<str>>,
}

impl Nominated {
    /// Notes a pod's prospect (`None`: it has none any more).
    pub fn set(&mut self, pod: &Rc<PodInfo>, node: Option<&str>) {
        if node.is_none() && self.nodes.is_empty() {
            return;
        }
        let uid: Rc<str> = pod.uid().into();
        if let Some(old) = self.nodes.remove(&uid) {
            if let Some(pods) = self.by_node.get_mut(&old) {
                pods.remove(&uid);
                if pods.is_empty() {
                    self.by_node.remove(&old);
                }
            }
        }
        if let Some(node) = node {
            let node: Rc<str> = node.into();
            self.nodes.insert(uid.clone(), node.clone());
            self.by_node.entry(node).or_default().insert(uid, pod.clone());
        }
    }

    /// Pods with a prospect of a node.
    pub fn on<'a>(&'a self, node: &str) -> impl Iterator<Item = &'a Rc<PodInfo>> + use<'a> {
        self.by_node.get(node).into_iter().flat_map(BTreeMap::values)
    }

    /// The node in prospect for a pod.
    pub fn node(&self, uid: &str) -> Option<&Rc<str>> {
        self.nodes.get(uid)
    }
}
