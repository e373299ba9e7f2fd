//! Creating objects.

use std::rc::Rc;

use super::{
    ApiServer, FieldValidation, RequestCx, admission, auth,
    strategy::{self, StrategyCx},
};
use crate::{
    api::{
        FieldError, Kind, KindId, ObjRef, Object, Status, Typed, meta, names,
        schema::{self, TypeError},
    },
    sim::trace::Did,
    store::{By, WriteError},
};
use k8s_openapi::api::core::v1::Namespace;

/// How often a taken random name is replaced by another (`maxNameGenerationCreateAttempts`).
const NAME_ATTEMPTS: usize = 8;

/// Where a new object goes.
#[derive(Clone, Debug, Default)]
pub struct CreateOptions<'a> {
    /// The namespace of the request; empty for cluster-scoped kinds.
    pub namespace: &'a str,
}

impl ApiServer {
    /// Creates an object. Errors: AlreadyExists, Invalid, Forbidden, NotFound (namespace),
    /// BadRequest.
    pub fn create(
        &self,
        cx: &RequestCx,
        object: Box<dyn Object>,
        options: &CreateOptions,
    ) -> Result<ObjRef, Status> {
        self.count_request();
        let shown = object.kind_id();
        let (cx, object) = self.for_storage(cx, object)?;
        let made = self.create_noting(&cx, object, options, true)?;
        Ok(self.shown(shown, made))
    }

    /// [`ApiServer::create`] for who keeps track of fields itself.
    pub(super) fn create_tracked(
        &self,
        cx: &RequestCx,
        object: Box<dyn Object>,
        options: &CreateOptions,
    ) -> Result<ObjRef, Status> {
        self.create_noting(cx, object, options, false)
    }

    fn create_noting(
        &self,
        cx: &RequestCx,
        mut object: Box<dyn Object>,
        options: &CreateOptions,
        note: bool,
    ) -> Result<ObjRef, Status> {
        object.metadata_mut().managed_fields = None;
        let kind = self.kind(object.kind_id());
        let strategy = self.rules(cx, &kind);
        let scx = StrategyCx { api: self, request: cx, now: self.sim().now() };
        if !kind.is_stored() {
            return self.answer(&kind, &scx, object, options.namespace);
        }
        self.place(&kind, &mut *object, options.namespace)?;
        strategy.defaults(&mut *object);
        let said = (note && !cx.dry_run && self.completes(&kind)).then(|| object.boxed_clone());
        self.check_namespace(&kind, object.namespace(), object.name())?;
        let attributes = admission::Attributes { api: self, request: cx, kind: &kind, old: None };
        admission::admit(&attributes, &mut *object)?;
        auth::escalation::check(self, cx, &kind, &*object, None)?;
        strategy::certificatesigningrequest::restrict(&kind, &*object)?;
        self.stamp(&*strategy, &mut *object);
        strategy.prepare_create(&scx, &mut *object);
        let mut errors = strategy::meta_errors(&kind, strategy.name_rule(), object.metadata());
        errors.extend(strategy.validate(&scx, &*object));
        errors.extend(strategy.validate_new(&scx, &*object));
        if !errors.is_empty() {
            return Err(Status::invalid(&kind, object.name(), errors));
        }
        for warning in strategy.warnings(&*object, None) {
            cx.warn(warning);
        }
        if self.store().get(kind.id, object.namespace(), object.name()).is_some() {
            return Err(Status::already_exists(&kind, object.name()));
        }
        strategy.allocate(&scx, &mut *object, None)?;
        admission::commit(&attributes, &*object)?;
        if cx.dry_run {
            return Ok(object.into_rc());
        }
        let name = object.name().to_string();
        let stored =
            self.store().create(object, cx.by(Did::Changed)).map_err(|error| match error {
                WriteError::Exists => Status::already_exists(&kind, &name),
                WriteError::Changed => Status::modified(&kind, &name),
            })?;
        strategy.stored(&scx, &*stored, None);
        if note {
            let said = said.map(|mut said| {
                said.metadata_mut().uid.clone_from(&stored.metadata().uid);
                said.into_rc()
            });
            self.note_write(cx, "", None, said.as_ref().unwrap_or(&stored));
        }
        if let Some(ttl) = strategy.time_to_live() {
            self.expire(stored.clone(), ttl);
        }
        Ok(stored)
    }

    /// A question: it is sent back with its answer.
    fn answer(
        &self,
        kind: &Kind,
        scx: &StrategyCx,
        mut object: Box<dyn Object>,
        namespace: &str,
    ) -> Result<ObjRef, Status> {
        let strategy = self.strategy(kind.id);
        if kind.namespaced {
            object.metadata_mut().namespace.get_or_insert_with(|| namespace.to_string());
        }
        strategy.defaults(&mut *object);
        let errors = strategy.validate(scx, &*object);
        if !errors.is_empty() {
            return Err(Status::invalid(kind, object.name(), errors));
        }
        match strategy.answer(scx, &mut *object) {
            Some(result) => result.map(|()| object.into_rc()),
            None => Err(Status::method_not_supported(kind, "create")),
        }
    }

    /// Puts the object into the request's namespace and gives it a name.
    fn place(&self, kind: &Kind, object: &mut dyn Object, namespace: &str) -> Result<(), Status> {
        let meta = object.metadata_mut();
        if !kind.namespaced {
            meta.namespace = None;
        } else if meta.namespace.as_deref().is_none_or(str::is_empty) {
            meta.namespace = Some(namespace.to_string());
        } else if !namespace.is_empty() && meta.namespace.as_deref() != Some(namespace) {
            return Err(Status::bad_request(
                "the namespace of the provided object does not match the namespace sent on the \
                 request",
            ));
        }
        if meta.name.as_deref().is_none_or(str::is_empty) {
            let Some(base) = meta.generate_name.clone().filter(|b| !b.is_empty()) else {
                let error =
                    FieldError::required("metadata.name", "name or generateName is required");
                return Err(Status::invalid(kind, "", vec![error]));
            };
            let ns = meta.namespace.clone().unwrap_or_default();
            let name = (0..NAME_ATTEMPTS)
                .map(|_| names::generate_name(self.sim(), &base))
                .find(|name| self.store().get(kind.id, &ns, name).is_none());
            meta.name = name;
        }
        Ok(())
    }

    /// Sets what only the server sets.
    fn stamp(&self, strategy: &dyn strategy::DynStrategy, object: &mut dyn Object) {
        let generation = strategy.spec_changed(object, object).map(|_| 1);
        let meta = object.metadata_mut();
        meta.uid = Some(names::new_uid(self.sim()));
        meta.creation_timestamp = Some(self.sim().now().to_meta());
        meta.generation = generation;
        meta.deletion_timestamp = None;
        meta.deletion_grace_period_seconds = None;
        meta.resource_version = None;
        meta.self_link = None;
    }

    /// NamespaceLifecycle: nothing is made in a namespace that isn't there or is going.
    fn check_namespace(&self, kind: &Kind, namespace: &str, name: &str) -> Result<(), Status> {
        if !kind.namespaced {
            return Ok(());
        }
        let Some(ns) = self.store().get(Namespace::ID, "", namespace) else {
            return Err(self.not_found(Namespace::ID, namespace));
        };
        if meta::is_deleting(ns.metadata()) {
            let why = format!(
                "unable to create new content in namespace {namespace} because it is being \
                 terminated"
            );
            return Err(Status::forbidden(kind, name, &why));
        }
        Ok(())
    }

    /// Removes an object that nobody wrote for `ttl`.
    fn expire(&self, object: ObjRef, ttl: std::time::Duration) {
        let weak = Rc::downgrade(&self.0);
        let key = (object.kind_id(), object.namespace().to_string(), object.name().to_string());
        let version = object.metadata().resource_version.clone();
        self.sim().after(ttl, move || {
            let Some(inner) = weak.upgrade() else { return };
            let api = ApiServer(inner);
            let Some(current) = api.store().get(key.0, &key.1, &key.2) else { return };
            if current.metadata().resource_version == version {
                api.forget_fields(&*current);
                let actor: Rc<str> = "time to live".into();
                let by = By { actor: &actor, did: Did::Changed };
                let _ = api.store().delete(&current, current.boxed_clone(), by);
            } else {
                api.expire(current, ttl);
            }
        });
    }

    /// [`ApiServer::decode`], and fields that the kind does not have are told or refused.
    pub fn decode_checked(
        &self,
        cx: &RequestCx,
        kind: KindId,
        value: serde_json::Value,
        validation: FieldValidation,
    ) -> Result<Box<dyn Object>, Status> {
        let known = self.kind(kind);
        let sent = value.get("kind").and_then(serde_json::Value::as_str).unwrap_or_default();
        if !sent.is_empty() && sent != known.kind {
            let why = format!(
                "no kind {sent:?} is registered for version {:?} in scheme \
                 \"pkg/api/legacyscheme/scheme.go:30\"",
                known.api_version()
            );
            return Err(unhandled(&known, sent, &why));
        }
        let read = self.read(kind, value);
        let kind = known;
        let (object, unknown) = read.map_err(|error| unhandled(&kind, &kind.kind, &error.json))?;
        if validation == FieldValidation::Strict && !unknown.is_empty() {
            let why = format!("strict decoding error: {}", unknown.join(", "));
            return Err(unhandled(&kind, &kind.kind, &why));
        }
        if validation == FieldValidation::Warn {
            unknown.into_iter().for_each(|field| cx.warn(field));
        }
        Ok(object)
    }

    /// Makes an object from JSON, for a request about `kind`. Errors are BadRequest.
    pub fn decode(
        &self,
        kind: KindId,
        value: serde_json::Value,
    ) -> Result<Box<dyn Object>, Status> {
        let read = self.read(kind, value);
        read.map(|(object, _)| object).map_err(|error| {
            let kind = self.kind(kind);
            unhandled(&kind, &kind.kind, &error.json)
        })
    }

    /// The object, and a sentence for each field that the kind does not have.
    pub(super) fn read(
        &self,
        kind: KindId,
        value: serde_json::Value,
    ) -> Result<(Box<dyn Object>, Vec<String>), TypeError> {
        let kind = self.kind(kind);
        let mut unknown = Vec::new();
        let value = match (self.custom(kind.id), value) {
            (Some(custom), mut value) => {
                unknown = custom.prune(&mut value);
                value
            }
            (None, value) => match schema::of_kind(&kind.group, &kind.version, &kind.kind) {
                Some(known) => schema::read(known, value, &mut unknown)?,
                None => value,
            },
        };
        let unknown = unknown.iter().map(|path| format!("unknown field {path:?}")).collect();
        match kind.decode(value) {
            Ok(object) => Ok((object, unknown)),
            Err(error) => Err(TypeError { json: error.clone(), convert: error }),
        }
    }
}

/// `as_kind` is what the client called it.
fn unhandled(kind: &Kind, as_kind: &str, why: &str) -> Status {
    let (version, name) = (&kind.version, &kind.kind);
    let text = format!("{as_kind} in version {version:?} cannot be handled as a {name}: {why}");
    Status::bad_request(text)
}
