//! What can only be seen at the moment it happens: revisions that grow, pods that get nodes they may
//! be on, quotas that are not exceeded by what is new, metadata that no write may change, pods of
//! sets that come too early, writes without end.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use k8s_openapi::api::core::v1::{Node, Pod, ResourceQuota};

use super::{Seen, metadata, ordinals, placement, quotas, writes::Writes};
use crate::{
    api::{Object, Typed, pods, quantity::Amount, volumes},
    client::{Change, Client, Op, Subscription},
    sim::Time,
};

/// So long ago the scheduler may have seen a node last, in microseconds: news take a moment.
const NEWS: u128 = 50_000;

/// Watches a cluster from its beginning.
pub struct Watch {
    inner: Rc<Inner>,
    _subscription: Subscription,
}

struct Inner {
    client: Client,
    revision: Cell<u64>,
    /// Nodes as they were before their last change, and when that was.
    before: RefCell<BTreeMap<String, (Time, Rc<Node>)>>,
    /// What each quota had counted and allowed when it was looked at last.
    quotas: RefCell<BTreeMap<String, (i64, i64)>>,
    /// When pods of stateful sets went last, by name.
    gone: RefCell<BTreeMap<String, Time>>,
    writes: Writes,
    wrong: RefCell<Vec<String>>,
}

impl Watch {
    /// Begins to watch.
    pub fn start(client: &Client) -> Watch {
        let inner = Rc::new(Inner {
            client: client.clone(),
            revision: Cell::new(client.revision()),
            before: RefCell::default(),
            quotas: RefCell::default(),
            gone: RefCell::default(),
            writes: Writes::default(),
            wrong: RefCell::default(),
        });
        let kinds: Vec<_> = client.kinds().iter().filter(|k| k.is_stored()).map(|k| k.id).collect();
        let weak = Rc::downgrade(&inner);
        let subscription = client.on_change(&kinds, move |change| {
            if let Some(inner) = weak.upgrade() {
                inner.changed(change);
            }
        });
        Watch { inner, _subscription: subscription }
    }

    /// What was wrong since the last call.
    pub fn take(&self) -> Vec<String> {
        self.inner.look_at_quotas();
        self.inner.wrong.take()
    }

    /// How often each object was written since the last call, by its kind and name.
    pub fn take_writes(&self) -> BTreeMap<String, u32> {
        self.inner.writes.take()
    }
}

impl Inner {
    fn wrong(&self, text: String) {
        self.wrong.borrow_mut().push(text);
    }

    fn changed(&self, change: &Change) {
        let version = change.object.metadata().resource_version.clone().unwrap_or_default();
        let name = format!("{}/{}", change.object.namespace(), change.object.name());
        if version != change.revision.to_string() {
            self.wrong(format!("{name} has the version {version} at revision {}", change.revision));
        }
        if change.revision <= self.revision.get() {
            let last = self.revision.get();
            self.wrong(format!("{name} was told at revision {} after {last}", change.revision));
        }
        self.revision.set(change.revision);
        let kind = self.client.kind(change.kind);
        for text in metadata::objections(change) {
            self.wrong(format!("{} {name}: {text}", kind.singular));
        }
        let now = self.client.sim().now();
        if let Some(text) = self.writes.count(&kind.singular, change, now) {
            self.wrong(text);
        }
        if change.kind == Node::ID {
            let old = change.old.as_ref().and_then(crate::api::object::downcast_rc::<Node>);
            if let Some(old) = old {
                let key = change.object.name().to_string();
                self.before.borrow_mut().insert(key, (self.client.sim().now(), old));
            }
        }
        if change.kind != Pod::ID {
            return;
        }
        match change.op {
            Op::Added => self.came(change),
            Op::Modified => self.bound(change),
            Op::Deleted => {
                self.gone.borrow_mut().insert(change.object.name().to_string(), now);
            }
        }
    }

    /// A pod of a stateful set must not come before those before it are ready.
    fn came(&self, change: &Change) {
        let Some(pod) = change.object.downcast::<Pod>() else { return };
        let gone = |name: &str| self.gone.borrow().get(name).copied();
        for text in ordinals::objections(&self.client, pod, gone) {
            self.wrong(format!("pod {} came too early: {text}", change.object.name()));
        }
    }

    /// A pod that has just got its node must be one that the node may take.
    fn bound(&self, change: &Change) {
        let old = change.old.as_ref().and_then(|o| o.downcast::<Pod>());
        let (Some(old), Some(pod)) = (old, change.object.downcast::<Pod>()) else { return };
        let name = pods::node_name(pod);
        if name.is_empty() || !pods::node_name(old).is_empty() {
            return;
        }
        let Some(node) = self.client.find::<Node>("", name) else { return };
        let mut others = self.client.list::<Pod>(None);
        // Those that came to the node after it could not be seen.
        others.retain(|other| {
            pods::node_name(other) == name
                && other.metadata.uid != pod.metadata.uid
                && bound_before(other, change.revision)
        });
        let mut found = placement::objections(pod, &node, &others);
        if let Some((at, before)) = self.before.borrow().get(name) {
            let now = self.client.sim().now();
            if now.since(*at).as_micros() <= NEWS {
                let then = placement::objections(pod, before, &others);
                found.retain(|text| then.contains(text));
            }
        }
        // A pod that waited for its volumes has its node since before, whatever came of the node.
        if !volumes::claims(pod).is_empty() {
            found.retain(|text| !placement::is_about_node(text));
        }
        for text in found {
            self.wrong(format!("pod {} was put on {name}: {text}", change.object.name()));
        }
    }

    /// Usage above what is allowed may stay, but not grow.
    fn look_at_quotas(&self) {
        let seen = Seen { client: &self.client, engines: &[] };
        let mut now = BTreeMap::new();
        for quota in self.client.list::<ResourceQuota>(None) {
            let object: &dyn Object = &*quota;
            // A quota holds from when its controller has counted for the first time.
            let hard = quota.status.as_ref().and_then(|s| s.hard.as_ref());
            let hard = hard.and_then(|h| h.get("pods")).map(|q| Amount::of(q).units());
            let Some(hard) = hard else { continue };
            let used = quotas::pods_of(&seen, object.namespace());
            let before = self.quotas.borrow().get(object.uid()).copied();
            if let Some((was, allowed)) = before
                && used > hard
                && used > was
                && allowed <= hard
            {
                let name = object.namespace();
                self.wrong(format!("quota of {name}: {was} pods became {used} of {hard} allowed"));
            }
            now.insert(object.uid().to_string(), (used, hard));
        }
        *self.quotas.borrow_mut() = now;
    }
}

/// Whether a pod's last write was before a revision: later ones may have come to the node later.
fn bound_before(pod: &Pod, revision: u64) -> bool {
    let version = pod.metadata.resource_version.as_deref().and_then(|v| v.parse::<u64>().ok());
    version.is_none_or(|version| version < revision)
}
