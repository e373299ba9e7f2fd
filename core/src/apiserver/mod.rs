//! The API server: the one door to the store, with the real one's pipeline.
//!
//! A write goes: namespace lifecycle → strategy (defaults, preparation) → admission → validation →
//! store. One implementation serves everyone: the built-in clients call it with typed objects, the
//! HTTP entry turns requests into the same calls.
//!
//! Invariant: nothing is stored that has not gone through a strategy's validation; every stored
//! object has uid, creation time and resource version.
//!
//! Models `staging/src/k8s.io/apiserver/pkg/registry/generic/registry/store.go`.

pub mod admission;
pub mod aggregation;
pub mod auth;
pub mod connect;
mod create;
pub mod custom;
mod delete;
mod evict;
pub mod fields;
mod openapi;
mod read;
pub mod rest;
pub mod strategy;
pub mod table;
mod update;
mod versions;
mod webhooks;

use std::{
    cell::{Cell, Ref, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

pub use auth::{Attributes, Credentials, Impersonation, User};
pub use create::CreateOptions;
pub use delete::{DeleteOptions, Propagation};
pub use read::{ListOptions, WatchEvent, WatchStream};
use strategy::DynStrategy;
pub use update::Subresource;

use crate::{
    api::{Kind, KindId, KindTable, Status},
    sim::{Sim, trace::Did},
    store::{By, Store},
};

/// What is done with fields that a kind does not have (`--validate`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldValidation {
    /// They are dropped.
    Ignore,
    /// They are dropped, with a warning.
    Warn,
    /// The request is refused.
    #[default]
    Strict,
}

/// The circumstances of a request. Warnings gather in it.
#[derive(Clone, Debug)]
pub struct RequestCx {
    /// Who asks.
    pub user: Rc<User>,
    /// Whether it is a component of the system itself, which no rule stops.
    pub trusted: bool,
    /// `kubectl-create`, `kube-controller-manager` …
    pub manager: Rc<str>,
    /// Who is named where somebody asks what led to what: a user, or a part of the system.
    pub actor: Rc<str>,
    /// Whether everything is done but the storing.
    pub dry_run: bool,
    /// The kind that the request speaks of, where that is not the one that is stored.
    pub version: Option<KindId>,
    /// What is done with fields that a kind does not have, in patches.
    pub validation: FieldValidation,
    /// `Warning:` headers for the client.
    pub warnings: Rc<RefCell<Vec<String>>>,
}

impl RequestCx {
    /// A request by `user`, on behalf of the program `manager`.
    pub fn new(user: User, manager: &str) -> Self {
        RequestCx {
            actor: user.name.as_str().into(),
            user: Rc::new(user),
            trusted: false,
            manager: manager.into(),
            dry_run: false,
            version: None,
            validation: FieldValidation::Warn,
            warnings: Rc::default(),
        }
    }

    /// The same request, by a component of the system.
    pub fn trusted(mut self) -> Self {
        self.trusted = true;
        self
    }

    /// The same request, as a dry run or not.
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// Who writes, for the store.
    pub(crate) fn by(&self, did: Did) -> By<'_> {
        By { actor: &self.actor, did }
    }

    /// Adds a warning, once.
    pub fn warn(&self, text: impl Into<String>) {
        let text = text.into();
        let mut warnings = self.warnings.borrow_mut();
        if !warnings.contains(&text) {
            warnings.push(text);
        }
    }
}

/// The API server of one cluster. Clones share it.
#[derive(Clone)]
pub struct ApiServer(pub(crate) Rc<Inner>);

pub(crate) struct Inner {
    pub sim: Sim,
    pub store: Store,
    pub auth: auth::State,
    kinds: RefCell<KindTable>,
    strategies: RefCell<Vec<Rc<dyn DynStrategy>>>,
    agents: RefCell<BTreeMap<String, Rc<dyn connect::NodeAgent>>>,
    requests: Cell<u64>,
    documents: rest::openapi::Documents,
    texts: rest::Texts,
    pages: rest::Pages,
    counts: rest::Counts,
    fields: fields::Fields,
    customs: custom::Customs,
    brought: aggregation::Brought,
    at_work: RefCell<BTreeMap<&'static str, std::rc::Weak<()>>>,
    watched_services: RefCell<std::collections::BTreeSet<(String, String)>>,
    services: RefCell<Option<crate::store::Subscription>>,
    shared: RefCell<BTreeMap<std::any::TypeId, std::rc::Weak<dyn std::any::Any>>>,
}

impl ApiServer {
    /// An API server over an empty store.
    pub fn new(sim: &Sim) -> Self {
        let kinds = KindTable::default();
        let strategies = strategy::for_kinds(&kinds);
        let store = Store::new(sim);
        let api = ApiServer(Rc::new(Inner {
            sim: sim.clone(),
            auth: auth::State::new(sim, &store),
            store,
            kinds: RefCell::new(kinds),
            strategies: RefCell::new(strategies),
            agents: RefCell::default(),
            requests: Cell::new(0),
            documents: Default::default(),
            texts: Default::default(),
            pages: Default::default(),
            counts: Default::default(),
            fields: fields::Fields::default(),
            customs: custom::Customs::default(),
            brought: aggregation::Brought::default(),
            at_work: RefCell::default(),
            watched_services: RefCell::default(),
            services: RefCell::default(),
            shared: RefCell::default(),
        }));
        api.watch_definitions();
        *api.0.services.borrow_mut() = Some(aggregation::watch(&api));
        api
    }

    /// What clients of the same server share (a cache of one type), made where nobody has it.
    pub fn shared<T: 'static>(&self, make: impl FnOnce() -> Rc<T>) -> Rc<T> {
        let id = std::any::TypeId::of::<T>();
        let known = self.0.shared.borrow().get(&id).and_then(std::rc::Weak::upgrade);
        if let Some(known) = known.and_then(|known| known.downcast().ok()) {
            return known;
        }
        let made = make();
        let erased: Rc<dyn std::any::Any> = made.clone();
        self.0.shared.borrow_mut().insert(id, Rc::downgrade(&erased));
        made
    }

    /// The simulation it runs in.
    pub fn sim(&self) -> &Sim {
        &self.0.sim
    }

    /// The store, to read, index and subscribe. Only this room writes it.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// The kinds it serves.
    pub fn kinds(&self) -> Ref<'_, KindTable> {
        self.0.kinds.borrow()
    }

    /// One kind.
    pub fn kind(&self, id: KindId) -> Rc<Kind> {
        self.0.kinds.borrow().get(id).clone()
    }

    /// The rules of a kind.
    pub fn strategy(&self, id: KindId) -> Rc<dyn DynStrategy> {
        self.0.strategies.borrow()[id.0 as usize].clone()
    }

    /// Requests served so far.
    pub fn requests(&self) -> u64 {
        self.0.requests.get()
    }

    fn count_request(&self) {
        self.0.requests.set(self.0.requests.get() + 1);
    }

    /// 404: there is no such object.
    pub fn not_found(&self, kind: KindId, name: &str) -> Status {
        Status::not_found(&self.kind(kind), name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{api::Typed, sim::Time};
    use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
    use serde_json::json;

    /// An API server with the namespace `default`, and a request to it.
    pub(in crate::apiserver) fn api() -> (ApiServer, RequestCx) {
        let api = ApiServer::new(&Sim::new(1, Time::from_secs(1_700_000_000)));
        let user = User::new("admin", ["system:masters"]);
        let cx = RequestCx::new(user, "test");
        let ns = api.decode(Namespace::ID, json!({"metadata": {"name": "default"}})).unwrap();
        api.create(&cx, ns, &CreateOptions::default()).unwrap();
        (api, cx)
    }

    fn config(api: &ApiServer, value: serde_json::Value) -> Box<dyn crate::api::Object> {
        api.decode(ConfigMap::ID, value).unwrap()
    }

    #[test]
    fn an_object_is_created_changed_and_deleted_with_the_servers_own_words() {
        let (api, cx) = api();
        let here = CreateOptions { namespace: "default" };
        let made =
            api.create(&cx, config(&api, json!({"metadata": {"generateName": "a-"}})), &here);
        assert_eq!(made.unwrap().name().len(), 7);
        let web = json!({"metadata": {"name": "web"}, "data": {"k": "1"}});
        let web1 = api.create(&cx, config(&api, web.clone()), &here).unwrap();
        let again = api.create(&cx, config(&api, web), &here).unwrap_err();
        assert_eq!(again.message, "configmaps \"web\" already exists");
        let patch = json!({"data": {"k": "2", "l": "3"}});
        let key = ("default", "web");
        let patch = (crate::api::patch::PatchType::Merge, &patch);
        let web2 = api.patch(&cx, ConfigMap::ID, key, patch, Subresource::Main).unwrap();
        assert_eq!(web2.to_value()["data"], json!({"k": "2", "l": "3"}));
        let same = api.patch(&cx, ConfigMap::ID, key, patch, Subresource::Main).unwrap();
        assert_eq!(same.metadata().resource_version, web2.metadata().resource_version);
        let stale = api.update(&cx, web1.boxed_clone(), Subresource::Main).unwrap_err();
        assert_eq!(
            stale.message,
            "Operation cannot be fulfilled on configmaps \"web\": the object has been modified; \
             please apply your changes to the latest version and try again"
        );
        let (_, gone) =
            api.delete(&cx, ConfigMap::ID, key.0, key.1, &DeleteOptions::default()).unwrap();
        assert!(gone);
        let missing = api.get(ConfigMap::ID, key.0, key.1).unwrap_err();
        assert_eq!(missing.message, "configmaps \"web\" not found");
        let nowhere = CreateOptions { namespace: "nope" };
        let lost = api.create(&cx, config(&api, json!({"metadata": {"name": "x"}})), &nowhere);
        assert_eq!(lost.unwrap_err().message, "namespaces \"nope\" not found");
    }

    #[test]
    fn finalizers_hold_an_object_until_they_are_gone() {
        let (api, cx) = api();
        let here = CreateOptions { namespace: "default" };
        let held = json!({"metadata": {"name": "held", "finalizers": ["example.com/hold"]}});
        api.create(&cx, config(&api, held), &here).unwrap();
        let (object, gone) =
            api.delete(&cx, ConfigMap::ID, "default", "held", &DeleteOptions::default()).unwrap();
        assert!(!gone && object.metadata().deletion_timestamp.is_some());
        let patch = json!({"metadata": {"finalizers": null}});
        let patch = (crate::api::patch::PatchType::Merge, &patch);
        api.patch(&cx, ConfigMap::ID, ("default", "held"), patch, Subresource::Main).unwrap();
        assert!(api.get(ConfigMap::ID, "default", "held").is_err());
    }

    #[test]
    fn a_watch_tells_what_begins_and_ceases_to_match() {
        let (api, cx) = api();
        let here = CreateOptions { namespace: "default" };
        let options = ListOptions {
            labels: crate::api::selector::Selector::parse("app=web").unwrap(),
            ..Default::default()
        };
        let mut watch = api.watch(ConfigMap::ID, Some("default"), &options, None).unwrap();
        let labelled = json!({"metadata": {"name": "a", "labels": {"app": "web"}}});
        api.create(&cx, config(&api, labelled), &here).unwrap();
        api.create(&cx, config(&api, json!({"metadata": {"name": "b"}})), &here).unwrap();
        let patch = json!({"metadata": {"labels": {"app": "other"}}});
        let patch = (crate::api::patch::PatchType::Merge, &patch);
        api.patch(&cx, ConfigMap::ID, ("default", "a"), patch, Subresource::Main).unwrap();
        api.sim().advance(api.sim().now() + std::time::Duration::from_secs(1), 1_000);
        let seen: Vec<_> = std::iter::from_fn(|| watch.try_next()).map(|e| e.op).collect();
        assert_eq!(seen, [crate::store::Op::Added, crate::store::Op::Deleted]);
    }
}
