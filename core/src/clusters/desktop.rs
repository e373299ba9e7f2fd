//! What hangs on the learner's host: which cluster there is, and the way to break it.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use super::Cluster;

/// Breaks things on purpose; hangs on the host. An error in words where that can't be.
pub struct Faults(pub Box<dyn Fn(crate::session::protocol::Fault) -> Result<(), String>>);

/// Which cluster there is; hangs on the host and on its nodes.
#[derive(Default)]
pub struct Current {
    cluster: RefCell<Option<Rc<Cluster>>>,
    version: Cell<u64>,
}

impl Current {
    /// The cluster, if one was made and not deleted.
    pub fn get(&self) -> Option<Rc<Cluster>> {
        self.cluster.borrow().clone()
    }

    /// Another cluster, or none.
    pub fn set(&self, cluster: Option<Rc<Cluster>>) {
        *self.cluster.borrow_mut() = cluster;
        self.touch();
    }

    /// Something about it changed (it started, it stopped).
    pub fn touch(&self) {
        self.version.set(self.version.get() + 1);
    }

    /// Counts up with every change.
    pub fn version(&self) -> u64 {
        self.version.get()
    }
}
