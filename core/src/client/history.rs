//! What those need who ask what led to what: who wrote, how an object was, whether it may be told.

use super::{Client, KindId, ObjRef, Status};

impl Client {
    /// The same client for a part of a component, under whose name it is told what it did.
    pub fn acting_as(&self, name: &str) -> Self {
        let mut cx = self.cx.clone();
        cx.actor = name.into();
        self.with(cx)
    }

    /// Which store it writes, in the simulation's records.
    pub fn store_number(&self) -> u64 {
        self.api.store().number()
    }

    /// An object as a revision left it, if that is not too long ago and the user may read it.
    pub fn written(&self, revision: u64, (kind, ns, name): (KindId, &str, &str)) -> Option<ObjRef> {
        self.may_get(kind, ns, name).ok()?;
        let object = self.api.store().written(revision)?;
        (object.kind_id() == kind && object.name() == name && object.namespace() == ns)
            .then_some(object)
    }

    /// Whether this client's user may read an object, there or not. Errors: Forbidden.
    pub fn may_get(&self, kind: KindId, namespace: &str, name: &str) -> Result<(), Status> {
        self.may("get", kind, (namespace, name), "")
    }

    /// What the store's indexes say that its objects don't, in words. For tests: looks at everything.
    pub fn check_store(&self) -> Vec<String> {
        self.api.store().check()
    }
}
