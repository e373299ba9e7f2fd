//! The only door to the API server: a typed client and the event recorder.
//!
//! Reads share the stored objects; nothing is copied and nothing is stale. Writes are typed.
//! Whoever reacts to changes subscribes ([`Client::on_change`]) or, in a program, watches
//! ([`Client::watch`]).
//!
//! Invariant: no room but this one (and the HTTP entry) calls `apiserver`.

mod any;
mod correlate;
pub mod directory;
mod events;
mod history;
mod kubelets;
mod modern_events;
pub mod tap;
pub mod volumes;

use std::{cell::Ref, rc::Rc};

use k8s_openapi::api::{
    authentication::v1::TokenRequest,
    core::v1::{Namespace, Pod, ServiceAccount},
};
use serde_json::Value;

pub use crate::apiserver::{
    auth::{rules, x509},
    rest,
    table::certificate::condition as csr_condition,
};
use crate::{
    api::{Kind, KindId, ObjRef, Object, Status, Typed, object::downcast_rc},
    apiserver::{ApiServer, CreateOptions, RequestCx},
    sim::Sim,
};
pub use crate::{
    api::{kinds::KindTable, patch::PatchType},
    apiserver::{
        Attributes, Credentials, DeleteOptions, FieldValidation, Impersonation, ListOptions,
        Propagation, Subresource, User, WatchEvent, WatchStream,
        connect::{ExecOptions, ExecStreams, LogOptions, NodeAgent, PortStreams},
        table::{
            Column, Row, RowCx, Table,
            pod::{Summary as PodSummary, status as pod_status, summary as pod_summary},
        },
    },
    store::{Change, IndexFn, IndexId, Op, Subscription},
};
use tap::Asked;

pub use events::{EventType, Recorder};
pub use modern_events::ModernRecorder;

/// A client of one API server, acting for one user. Clones are cheap and share warnings.
#[derive(Clone)]
pub struct Client {
    api: ApiServer,
    cx: RequestCx,
    tap: Option<Rc<tap::Tap>>,
}

impl Client {
    /// A client that acts for `user`; `manager` names the program in managed fields.
    pub fn new(api: &ApiServer, user: User, manager: &str) -> Self {
        Client { api: api.clone(), cx: RequestCx::new(user.authenticated(), manager), tap: None }
    }

    /// A client of whoever shows these credentials, as whom they want to act. Errors: Unauthorized,
    /// Forbidden.
    pub fn login(
        api: &ApiServer,
        shown: &Credentials,
        wanted: &Impersonation,
        manager: &str,
    ) -> Result<Self, Status> {
        Ok(Client { api: api.clone(), cx: api.login(shown, wanted, manager)?, tap: None })
    }

    /// A client for a component of the system, which is trusted: `node:NAME` is a kubelet, the rest
    /// are `system:<name>`.
    pub fn system(api: &ApiServer, name: &str) -> Self {
        let user = match name.split_once(':') {
            Some(("node", node)) => User::node(node),
            _ => User::new(format!("system:{name}"), Vec::<String>::new()),
        };
        let mut cx = RequestCx::new(user.authenticated(), name).trusted();
        cx.actor = match name.split_once(':') {
            Some((_, node)) => format!("kubelet on {node}").into(),
            None => name.into(),
        };
        Client { api: api.clone(), cx, tap: None }
    }

    /// A client for a component that runs in a pod: it acts for a service account, and is trusted.
    pub fn system_account(api: &ApiServer, namespace: &str, name: &str) -> Self {
        let user = User::service_account(namespace, name).authenticated();
        Client { api: api.clone(), cx: RequestCx::new(user, name).trusted(), tap: None }
    }

    fn with(&self, cx: RequestCx) -> Self {
        Client { api: self.api.clone(), cx, tap: self.tap.clone() }
    }

    /// Whether this client's user may do something. Errors: Forbidden; MethodNotAllowed for what
    /// can't be done with a kind at all.
    fn may(&self, verb: &str, kind: KindId, place: (&str, &str), sub: &str) -> Result<(), Status> {
        if self.cx.trusted {
            return Ok(());
        }
        self.served(kind, verb, place.1)?;
        let kind = self.api.kind(kind);
        if sub.is_empty() && !kind.verbs().contains(&verb) {
            let text = "the server does not allow this method on the requested resource";
            return Err(Status::new(405, "MethodNotAllowed", text).about(&kind, ""));
        }
        let wish = Attributes::of(verb, &kind, place.0, place.1).of_subresource(sub);
        self.api.authorize(&self.cx, &wish)
    }

    /// Whoever remembers what kinds there were may ask for one that the server does not have (any
    /// more). Errors: NotFound, in the words of `client-go` for an answer that is no `Status`.
    fn served(&self, kind: KindId, verb: &str, name: &str) -> Result<(), Status> {
        let kinds = self.api.kinds();
        if kinds.serves(kind) {
            return Ok(());
        }
        let known = kinds.all().find(|k| k.id == kind);
        Err(known.map_or_else(Status::no_such_resource, |k| Status::unserved(k, verb, name)))
    }

    /// Whether this client's user may read a kind in a namespace (`None`: in all).
    fn sees<T: Typed>(&self, verb: &str, namespace: Option<&str>, name: &str) -> bool {
        self.may(verb, T::ID, (namespace.unwrap_or_default(), name), "").is_ok()
    }

    /// What a request that is about objects without reading or writing one by its kind needs: asks
    /// whether the user may do it. Errors: Forbidden.
    pub fn authorize(&self, wish: &Attributes) -> Result<(), Status> {
        self.api.authorize(&self.cx, wish)
    }

    /// The same client, whose writes are dry runs.
    pub fn dry_run(&self) -> Self {
        self.with(self.cx.clone().dry_run(true))
    }

    /// The same client, whose patches treat fields that a kind does not have as `validation` says
    /// (by default they are dropped with a warning).
    pub fn validating(&self, validation: FieldValidation) -> Self {
        let mut cx = self.cx.clone();
        cx.validation = validation;
        self.with(cx)
    }

    /// The simulation.
    pub fn sim(&self) -> &Sim {
        self.api.sim()
    }

    /// The kinds that the server has.
    pub fn kinds(&self) -> Ref<'_, KindTable> {
        self.api.kinds()
    }

    /// One kind.
    pub fn kind(&self, id: KindId) -> Rc<Kind> {
        self.api.kind(id)
    }

    /// The user it acts for.
    pub fn user(&self) -> &User {
        &self.cx.user
    }

    /// Warnings that the server sent since the last call (`Warning: …` lines).
    pub fn take_warnings(&self) -> Vec<String> {
        self.cx.warnings.take()
    }

    /// One object of a known type. Errors: NotFound.
    pub fn get<T: Typed>(&self, namespace: &str, name: &str) -> Result<Rc<T>, Status> {
        let result = self
            .may("get", T::ID, (namespace, name), "")
            .and_then(|()| typed(&self.api.get(T::ID, namespace, name)?));
        self.note(result, || Asked::new("GET", T::ID, namespace).name(name))
    }

    /// One object of a known type, if it is there and may be read.
    pub fn find<T: Typed>(&self, namespace: &str, name: &str) -> Option<Rc<T>> {
        if !self.sees::<T>("get", Some(namespace), name) {
            return None;
        }
        let found = self.api.store().get(T::ID, namespace, name).and_then(|o| downcast_rc(&o));
        let result = found.ok_or_else(|| self.api.not_found(T::ID, name));
        self.note(result, || Asked::new("GET", T::ID, namespace).name(name)).ok()
    }

    /// All objects of a known type in a namespace (`None`: in all), sorted by namespace and name;
    /// none where the user may not read them.
    pub fn list<T: Typed>(&self, namespace: Option<&str>) -> Vec<Rc<T>> {
        if !self.sees::<T>("list", namespace, "") {
            return Vec::new();
        }
        let all = self.api.store().list(T::ID, namespace).iter().filter_map(downcast_rc).collect();
        let asked = || Asked::new("GET", T::ID, namespace.unwrap_or_default()).list();
        self.note(Ok(all), asked).unwrap_or_default()
    }

    /// How many objects of a type there are.
    pub fn count<T: Typed>(&self) -> usize {
        self.api.store().count(T::ID)
    }

    /// Creates an object in its `metadata.namespace`. Errors: AlreadyExists, Invalid, Forbidden …
    pub fn create<T: Typed>(&self, object: T) -> Result<Rc<T>, Status> {
        let ns = object.metadata().namespace.clone().unwrap_or_default();
        let body = self.tap.as_ref().and_then(|_| self.body(&object.to_value()));
        let result = self.may("create", T::ID, (&ns, ""), "").and_then(|()| {
            typed(&self.api.create(
                &self.cx,
                Box::new(object),
                &CreateOptions { namespace: &ns },
            )?)
        });
        self.note(result, || {
            Asked::new("POST", T::ID, &ns).sending("application/json", body).written(self)
        })
    }

    fn may_update(&self, object: &dyn Object, sub: Subresource, verb: &str) -> Result<(), Status> {
        let place = (object.namespace(), object.name());
        self.may(verb, object.kind_id(), place, self.part(object.kind_id(), sub))
    }

    /// How rules name a part of an object.
    fn part(&self, kind: KindId, sub: Subresource) -> &'static str {
        match sub {
            Subresource::Main => "",
            Subresource::Status => "status",
            Subresource::Resize => "resize",
            Subresource::Other if kind == Pod::ID => "ephemeralcontainers",
            Subresource::Other if kind == Namespace::ID => "finalize",
            Subresource::Other => "approval",
        }
    }

    /// Replaces all of an object but its status. Errors: Conflict, NotFound, Invalid …
    pub fn update<T: Typed>(&self, object: T) -> Result<Rc<T>, Status> {
        let updated = self.update_any(Box::new(object), Subresource::Main)?;
        typed(&updated)
    }

    /// Replaces an object's status. Errors: Conflict, NotFound …
    pub fn update_status<T: Typed>(&self, object: T) -> Result<Rc<T>, Status> {
        self.may_update(&object, Subresource::Status, "update")?;
        typed(&self.api.update(&self.cx, Box::new(object), Subresource::Status)?)
    }

    /// Deletes an object, or begins to. Errors: NotFound, Conflict.
    pub fn delete<T: Typed>(
        &self,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<(), Status> {
        let result = self
            .may("delete", T::ID, (namespace, name), "")
            .and_then(|()| self.api.delete(&self.cx, T::ID, namespace, name, options));
        self.note(result, || Asked::new("DELETE", T::ID, namespace).name(name)).map(|_| ())
    }

    /// Puts a pod on a node. Errors: NotFound, Conflict.
    pub fn bind(&self, namespace: &str, pod: &str, node: &str) -> Result<(), Status> {
        self.may("create", Pod::ID, (namespace, pod), "binding")?;
        self.api.bind(&self.cx, namespace, pod, node).map(|_| ())
    }

    /// The revision up to which reads are (`metadata.resourceVersion` of lists).
    pub fn revision(&self) -> u64 {
        self.api.store().revision()
    }

    /// An object as JSON, with `metadata.managedFields`.
    pub fn full_value(&self, object: &dyn Object) -> Value {
        self.api.full_value(object)
    }

    /// The same client, whose writes are those of the program `manager`.
    pub fn managed_by(&self, manager: &str) -> Self {
        let mut cx = self.cx.clone();
        cx.manager = manager.into();
        self.with(cx)
    }

    /// The same client, whose writes are in another served version of their kind: rules that depend
    /// on the version and managed fields follow it. What is written has the stored version's type.
    pub fn speaking(&self, api_version: &str, kind: &str) -> Self {
        let mut cx = self.cx.clone();
        cx.version = self.api.kinds().by_kind(api_version, kind).map(|k| k.id);
        self.with(cx)
    }

    /// Objects of a kind as the server's table.
    pub fn table(&self, kind: KindId, objects: &[ObjRef]) -> Table {
        self.api.table(kind, objects)
    }

    /// A table of names and ages alone.
    pub fn plain_table(&self, objects: &[ObjRef]) -> Table {
        self.api.plain_table(objects)
    }

    /// Watches objects from revision `since` on (`None`: from now). For programs; control-plane
    /// code uses [`Client::on_change`].
    pub fn watch(
        &self,
        kind: KindId,
        namespace: Option<&str>,
        options: &ListOptions,
        since: Option<u64>,
    ) -> Result<WatchStream, Status> {
        let place = namespace.unwrap_or_default();
        let result = self
            .may("watch", kind, (place, ""), "")
            .and_then(|()| self.api.watch(kind, namespace, options, since));
        let mut stream = match (result, &self.tap) {
            (Ok(stream), Some(_)) => stream,
            (Err(status), Some(_)) => {
                let asked =
                    || Asked::new("GET", kind, place).list().selecting(options).watch(since);
                let told: Result<(), Status> = self.note(Err(status), asked);
                return Err(told.err().unwrap_or_else(Status::no_such_resource));
            }
            (result, None) => return result,
        };
        // Who reads before waiting opens the watch first here, a real client afterwards.
        let (client, place, options) = (self.clone(), place.to_owned(), options.clone());
        stream.when_waited_for(move || {
            let asked = Asked::new("GET", kind, &place).list().selecting(&options).watch(since);
            let _ = client.note(Ok(()), || asked);
        });
        Ok(stream)
    }

    /// Calls `handler` for each change of these kinds, from the event loop.
    pub fn on_change(&self, kinds: &[KindId], handler: impl Fn(&Change) + 'static) -> Subscription {
        self.api.store().subscribe(kinds, handler)
    }

    /// An index over a type's objects (the same function yields the same index).
    pub fn index<T: Typed>(&self, values: IndexFn) -> IndexId {
        self.api.store().add_index(T::ID, values)
    }

    /// Objects that an index finds and the user may read, sorted by namespace and name.
    pub fn by_index<T: Typed>(&self, index: IndexId, value: &str) -> Vec<Rc<T>> {
        let mut found = self.api.store().by_index(index, value);
        if !self.cx.trusted && !self.cx.user.is_master() {
            let mut known: Option<(String, bool)> = None;
            found.retain(|object| {
                let place = object.namespace();
                if known.as_ref().is_none_or(|(ns, _)| ns != place) {
                    known = Some((place.to_string(), self.sees::<T>("list", Some(place), "")));
                }
                known.as_ref().is_some_and(|(_, sees)| *sees)
            });
        }
        found.iter().filter_map(downcast_rc).collect()
    }

    /// How many objects an index finds.
    pub fn count_by_index(&self, index: IndexId, value: &str) -> usize {
        self.api.store().count_by_index(index, value)
    }

    /// What all clients of this server share (a cache of one type), made where nobody has it; it
    /// lives as long as somebody holds it.
    pub fn shared<T: 'static>(&self, make: impl FnOnce(&Client) -> Rc<T>) -> Rc<T> {
        self.api.shared(|| make(self))
    }

    /// The document that describes a group version (`api/v1`, `apis/apps/v1`), in OpenAPI 3.
    pub fn openapi_v3(&self, place: &str) -> Option<Value> {
        self.api.openapi_v3(place)
    }

    /// The document that describes the whole API, in OpenAPI 2.
    pub fn openapi_v2(&self) -> Value {
        self.api.openapi_v2()
    }

    /// Answers a request in the form of HTTP, for whoever it is from (not for this client's user).
    pub fn serve(&self, request: &rest::Request, respond: impl FnOnce(rest::Response) + 'static) {
        self.api.serve(request, respond);
    }

    /// A token for a service account. Errors: NotFound, Invalid, BadRequest, Conflict.
    pub fn create_token(
        &self,
        namespace: &str,
        account: &str,
        request: TokenRequest,
    ) -> Result<TokenRequest, Status> {
        let result = self
            .may("create", ServiceAccount::ID, (namespace, account), "token")
            .and_then(|()| self.api.create_token(namespace, account, request));
        let asked =
            || Asked::new("POST", ServiceAccount::ID, namespace).name(account).part("token");
        self.note(result, asked)
    }

    /// The token for a secret that is to hold an account's one: the controller manager signs with the
    /// same key as the API server. Empty for clients that are no part of the system.
    pub fn legacy_token(&self, secret: &str, account: &ServiceAccount) -> String {
        if self.cx.trusted { self.api.legacy_token(secret, account) } else { String::new() }
    }

    /// The certificate that a request asks for: the controller manager holds the authority's key.
    /// `None` for what is no request, and for clients that are no part of the system.
    pub fn sign_certificate(&self, request: &str, seconds: u64) -> Option<String> {
        if self.cx.trusted { self.api.sign_certificate(request, seconds) } else { None }
    }

    /// The certificate of the authority that signs for this cluster, which is no secret.
    pub fn authority(&self) -> String {
        self.api.authority()
    }

    /// Says that a component of the cluster works, as long as somebody holds the answer.
    pub fn announce(&self, component: &'static str) -> Rc<()> {
        self.api.announce(component)
    }

    /// Puts back the roles and bindings that every cluster has, as the API server does when it
    /// starts. Errors: Forbidden, and as for creates.
    pub fn ensure_policy(&self) -> Result<(), Status> {
        self.authorize(&Attributes { verb: "*", group: "*", resource: "*", ..Default::default() })?;
        self.api.register_own();
        self.api.ensure_policy(&self.cx)
    }
}

fn typed<T: Typed>(object: &ObjRef) -> Result<Rc<T>, Status> {
    downcast_rc(object).ok_or_else(|| Status::internal("the object has another type"))
}
