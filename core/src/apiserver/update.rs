//! Changing objects: update, patch, status, scale, binding.

use serde_json::Value;

use super::{
    ApiServer, FieldValidation, RequestCx, admission, auth, fields,
    strategy::{self, DynStrategy, StrategyCx},
};
use crate::{
    api::{
        FieldError, Kind, KindId, ObjRef, Object, Status, Typed, gofmt, patch, patch::PatchType,
    },
    sim::trace::Did,
    store::WriteError,
};
use k8s_openapi::{
    api::certificates::v1::CertificateSigningRequest,
    api::core::v1::{Pod, PodCondition},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

/// How often a patch is tried again when someone else wrote meanwhile (`MaxRetryWhenPatchConflicts`).
const PATCH_ATTEMPTS: usize = 5;
/// So many operations a JSON patch may have (`maxJSONPatchOperations`).
const MOST_OPERATIONS: usize = 10_000;

/// Which part of an object a write is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Subresource {
    /// All but the status.
    #[default]
    Main,
    /// The status only.
    Status,
    /// Requests and limits of a pod's containers.
    Resize,
    /// A pod's ephemeral containers, a namespace's finalizers: what the name says, unchecked.
    Other,
}

impl ApiServer {
    /// Replaces an object. Its resource version, if it carries one, must be the current one.
    /// An object equal to the stored one is not written. Errors: NotFound, Conflict, Invalid,
    /// Forbidden.
    pub fn update(
        &self,
        cx: &RequestCx,
        object: Box<dyn Object>,
        sub: Subresource,
    ) -> Result<ObjRef, Status> {
        self.count_request();
        let shown = object.kind_id();
        let (cx, object) = self.for_storage(cx, object)?;
        let kind = self.kind(object.kind_id());
        let old = self
            .store()
            .get(kind.id, object.namespace(), object.name())
            .ok_or_else(|| self.not_found(shown, object.name()))?;
        check_uid(&kind, old.metadata(), object.metadata())?;
        Ok(self.shown(shown, self.replace(&cx, &kind, &old, object, sub)?))
    }

    /// Changes an object by a patch. Errors: NotFound, Conflict (if the patch names a resource
    /// version), Invalid, BadRequest, Forbidden.
    pub fn patch(
        &self,
        cx: &RequestCx,
        kind: KindId,
        key: (&str, &str),
        patch: (PatchType, &Value),
        sub: Subresource,
    ) -> Result<ObjRef, Status> {
        self.count_request();
        let kind = self.kind(kind);
        if kind.is_custom() && patch.0 == PatchType::Strategic {
            return Err(Status::new(
                415,
                "UnsupportedMediaType",
                "the body of the request was in an unknown format - accepted media types include: \
                 application/json-patch+json, application/merge-patch+json, \
                 application/apply-patch+yaml",
            ));
        }
        let stored = self.kind(kind.storage());
        if let (PatchType::Json, Value::Array(operations)) = patch {
            if operations.len() > MOST_OPERATIONS {
                let why = format!(
                    "Request entity too large: The allowed maximum operations in a JSON patch is \
                     {MOST_OPERATIONS}, got {}",
                    operations.len()
                );
                return Err(Status::new(413, "RequestEntityTooLarge", why));
            }
        }
        let mut last = Status::modified(&kind, key.1);
        for _ in 0..PATCH_ATTEMPTS {
            let old = self
                .store()
                .get(stored.id, key.0, key.1)
                .ok_or_else(|| Status::not_found(&kind, key.1))?;
            let shown = self.shown(kind.id, old.clone());
            let document =
                if names_managers(patch.1) { self.full_value(&*shown) } else { shown.to_value() };
            let patched = patch::apply(&kind, patch.0, document, patch.1.clone())
                .map_err(|error| unprocessable(&kind, key.1, error))?;
            let new = self.read_patched(cx, &kind, patched, patch)?;
            if new.namespace() != old.namespace() {
                return Err(Status::bad_request(
                    "the namespace of the provided object does not match the namespace sent on the \
                     request",
                ));
            }
            if new.name() != old.name() {
                let error =
                    FieldError::invalid_str("metadata.name", new.name(), "field is immutable");
                return Err(Status::invalid(&kind, key.1, vec![error]));
            }
            let (cx, new) = self.for_storage(cx, new)?;
            match self.replace(&cx, &stored, &old, new, sub) {
                Err(error) if error.is_conflict() => last = error,
                other => return other.map(|object| self.shown(kind.id, object)),
            }
        }
        Err(last)
    }

    /// The patched document as an object. What can't be one is the patch's fault.
    fn read_patched(
        &self,
        cx: &RequestCx,
        kind: &Kind,
        patched: Value,
        patch: (PatchType, &Value),
    ) -> Result<Box<dyn Object>, Status> {
        let refuse = |why: &str| {
            let error = FieldError::invalid_str("patch", &gofmt::value(patch.1), why);
            let mut status = Status::invalid(kind, "", vec![error]);
            let causes: Vec<_> = status.causes.iter().map(ToString::to_string).collect();
            status.message = format!(" \"\" is invalid: {}", causes.join(", "));
            status.kind = String::new();
            status.group = String::new();
            status
        };
        let (object, unknown) = match (self.read(kind.id, patched), patch.0) {
            (Ok(read), _) => read,
            (Err(error), PatchType::Json) => return Err(Status::bad_request(error.json)),
            (Err(error), _) => return Err(refuse(&error.convert)),
        };
        match cx.validation {
            FieldValidation::Strict if !unknown.is_empty() => {
                Err(refuse(&format!("strict decoding error: {}", unknown.join(", "))))
            }
            FieldValidation::Warn => {
                unknown.into_iter().for_each(|field| cx.warn(field));
                Ok(object)
            }
            _ => Ok(object),
        }
    }

    fn replace(
        &self,
        cx: &RequestCx,
        kind: &Kind,
        old: &ObjRef,
        mut new: Box<dyn Object>,
        sub: Subresource,
    ) -> Result<ObjRef, Status> {
        let given = fields::take_entries(&mut *new)
            .filter(|given| sub == Subresource::Main && self.changes_managed(&**old, given));
        let stored = self.replace_tracked(cx, kind, old, new, (sub, given.is_some()))?;
        let unchanged = std::rc::Rc::ptr_eq(&stored, old);
        if !cx.dry_run && !unchanged {
            if let Some(given) = given {
                self.set_managed(&*stored, &given);
            }
            self.note_write(cx, fields::part(sub), Some(old), &stored);
        }
        Ok(stored)
    }

    /// Replaces an object and leaves it to the caller to keep track of fields. `moved`: it is
    /// written even if only their managers changed.
    pub(super) fn replace_tracked(
        &self,
        cx: &RequestCx,
        kind: &Kind,
        old: &ObjRef,
        mut new: Box<dyn Object>,
        (sub, moved): (Subresource, bool),
    ) -> Result<ObjRef, Status> {
        check_preconditions(kind, old.metadata(), new.metadata())?;
        let strategy = self.rules(cx, kind);
        let scx = StrategyCx { api: self, request: cx, now: self.sim().now() };
        keep_system_metadata(new.metadata_mut(), old.metadata());
        match sub {
            Subresource::Main => {
                strategy.defaults(&mut *new);
                let attributes =
                    admission::Attributes { api: self, request: cx, kind, old: Some(&**old) };
                admission::admit(&attributes, &mut *new)?;
                auth::escalation::check(self, cx, kind, &*new, Some(&**old))?;
                strategy.prepare_update(&scx, &mut *new, &**old);
            }
            Subresource::Status => {
                strategy.prepare_status_update(&mut *new, &**old);
                let attributes =
                    admission::Attributes { api: self, request: cx, kind, old: Some(&**old) };
                admission::status(&attributes, &*new)?;
            }
            Subresource::Resize => {
                if let Some(pod) = new.downcast_mut::<Pod>() {
                    strategy::pod::resize::prepare(pod, &**old);
                }
                let attributes =
                    admission::Attributes { api: self, request: cx, kind, old: Some(&**old) };
                admission::resize(&attributes, &mut *new)?;
            }
            Subresource::Other => {
                if let Some(pod) = new.downcast_mut::<Pod>() {
                    strategy::pod::ephemeral::prepare(pod, &**old);
                }
                if let Some(request) = new.downcast_mut::<CertificateSigningRequest>() {
                    let prepare = strategy::certificatesigningrequest::prepare_approval;
                    prepare(self, cx, kind, request, &**old)?;
                }
            }
        }
        let counts = sub != Subresource::Status;
        if counts && strategy.spec_changed(&*new, &**old) == Some(true) {
            let generation = old.metadata().generation.unwrap_or(0) + 1;
            new.metadata_mut().generation = Some(generation);
        }
        if new.equals(&**old) && !moved {
            return Ok(old.clone());
        }
        if let (Subresource::Other | Subresource::Resize, Some(pod)) = (sub, new.downcast::<Pod>())
        {
            let errors = match sub {
                Subresource::Resize => strategy::pod::resize::validate(pod, &**old),
                _ => strategy::pod::ephemeral::validate(pod, &**old),
            };
            if !errors.is_empty() {
                return Err(Status::invalid(kind, old.name(), errors));
            }
        }
        if sub == Subresource::Status {
            let mut errors = immutable_metadata(new.metadata(), old.metadata());
            errors.extend(strategy.validate_status(&*new, &**old));
            if kind.is_custom() {
                errors.extend(strategy.validate(&scx, &*new));
                errors.extend(strategy.validate_update(&scx, &*new, &**old));
            }
            if !errors.is_empty() {
                return Err(Status::invalid(kind, old.name(), errors));
            }
        }
        if sub == Subresource::Main {
            self.check_update(&scx, kind, &*strategy, &mut *new, old)?;
            let old = Some(&**old);
            let attributes = admission::Attributes { api: self, request: cx, kind, old };
            admission::commit(&attributes, &*new)?;
        }
        if cx.dry_run {
            return Ok(new.into_rc());
        }
        if super::delete::is_finished(&*strategy, &*new) {
            return self.remove(&scx, &*strategy, old, new);
        }
        let did = if sub == Subresource::Status { Did::Status } else { Did::Changed };
        let stored = self.store().update(old, new, cx.by(did));
        let stored = stored.map_err(|error| changed(kind, old.name(), error))?;
        strategy.stored(&scx, &*stored, Some(&**old));
        Ok(stored)
    }

    fn check_update(
        &self,
        scx: &StrategyCx,
        kind: &Kind,
        strategy: &dyn DynStrategy,
        new: &mut dyn Object,
        old: &ObjRef,
    ) -> Result<(), Status> {
        let mut errors = strategy::meta_errors(kind, strategy.name_rule(), new.metadata());
        errors.extend(immutable_metadata(new.metadata(), old.metadata()));
        errors.extend(strategy.validate(scx, new));
        errors.extend(strategy.validate_update(scx, new, &**old));
        if !errors.is_empty() {
            return Err(Status::invalid(kind, old.name(), errors));
        }
        for warning in strategy.warnings(new, Some(&**old)) {
            scx.request.warn(warning);
        }
        strategy.allocate(scx, new, Some(&**old))
    }

    /// Takes an object out of the store for good.
    pub(super) fn remove(
        &self,
        scx: &StrategyCx,
        strategy: &dyn DynStrategy,
        old: &ObjRef,
        last: Box<dyn Object>,
    ) -> Result<ObjRef, Status> {
        let kind = self.kind(old.kind_id());
        let gone = self.store().delete(old, last, scx.request.by(Did::Changed));
        let gone = gone.map_err(|e| changed(&kind, old.name(), e))?;
        self.forget_fields(&*gone);
        strategy.released(scx, &*gone);
        Ok(gone)
    }

    /// Replicas wanted, replicas there and the selector of a scalable object.
    pub fn get_scale(
        &self,
        kind: KindId,
        namespace: &str,
        name: &str,
    ) -> Result<(ObjRef, (i32, i32, String)), Status> {
        self.count_request();
        let stored = self.storage_of(kind);
        let object =
            self.store().get(stored, namespace, name).ok_or_else(|| self.not_found(kind, name))?;
        let scale = self.strategy(kind).scale(&*object).ok_or_else(|| {
            Status::new(404, "NotFound", "the server could not find the requested resource")
        })?;
        Ok((object, scale))
    }

    /// Sets the replicas wanted of a scalable object; `version` guards against changes meanwhile.
    pub fn set_scale(
        &self,
        cx: &RequestCx,
        kind: KindId,
        key: (&str, &str),
        replicas: i32,
        version: Option<&str>,
    ) -> Result<ObjRef, Status> {
        let (old, _) = self.get_scale(kind, key.0, key.1)?;
        let mut new = old.boxed_clone();
        new.metadata_mut().resource_version = version.map(str::to_string);
        self.strategy(kind).set_scale(&mut *new, replicas);
        let kind = self.kind(self.storage_of(kind));
        let stored = self.replace_tracked(cx, &kind, &old, new, (Subresource::Main, false))?;
        if !cx.dry_run && !std::rc::Rc::ptr_eq(&stored, &old) {
            self.note_write(cx, "scale", Some(&old), &stored);
        }
        Ok(stored)
    }

    /// Puts a pod on a node. Errors: NotFound, Conflict if it is on one already or is going.
    /// Models `pkg/registry/core/pod/storage/storage.go` (`assignPod`).
    pub fn bind(
        &self,
        cx: &RequestCx,
        namespace: &str,
        pod: &str,
        node: &str,
    ) -> Result<ObjRef, Status> {
        self.count_request();
        let kind = self.kind(Pod::ID);
        let old = self
            .store()
            .get(Pod::ID, namespace, pod)
            .ok_or_else(|| Status::not_found(&kind, pod))?;
        let Some(old_pod) = old.downcast::<Pod>() else {
            return Err(Status::internal("not a pod"));
        };
        if old_pod.metadata.deletion_timestamp.is_some() {
            let why = format!("pod {pod} is being deleted, cannot be assigned to a host");
            return Err(Status::conflict(&kind, pod, &why));
        }
        if let Some(on) = old_pod.spec.as_ref().and_then(|s| s.node_name.as_deref()) {
            let why = format!("pod {pod} is already assigned to node {on:?}");
            return Err(Status::conflict(&kind, pod, &why));
        }
        let gates = old_pod.spec.as_ref().and_then(|s| s.scheduling_gates.as_ref());
        if gates.is_some_and(|g| !g.is_empty()) {
            let why = format!("pod {pod} has non-empty .spec.schedulingGates");
            return Err(Status::conflict(&kind, pod, &why));
        }
        let mut new = old_pod.clone();
        new.spec.get_or_insert_default().node_name = Some(node.to_string());
        // What was a prospect is no prospect any more.
        new.status.get_or_insert_default().nominated_node_name = None;
        let now = self.sim().now().to_meta();
        let generation = new.metadata.generation;
        let conditions = new.status.get_or_insert_default().conditions.get_or_insert_default();
        conditions.retain(|c| c.type_ != "PodScheduled");
        conditions.push(PodCondition {
            type_: "PodScheduled".into(),
            status: "True".into(),
            last_transition_time: Some(now),
            observed_generation: generation,
            ..Default::default()
        });
        if cx.dry_run {
            return Ok(Box::new(new).into_rc());
        }
        let stored = self.store().update(&old, Box::new(new), cx.by(Did::Bound));
        stored.map_err(|e| changed(&kind, pod, e))
    }
}

/// Whether a patch is about who manages fields.
fn names_managers(patch: &Value) -> bool {
    match patch {
        Value::Array(operations) => operations.iter().any(|o| {
            let path = o.get("path").and_then(Value::as_str).unwrap_or_default();
            path.starts_with("/metadata/managedFields")
        }),
        patch => patch.pointer("/metadata/managedFields").is_some(),
    }
}

fn changed(kind: &Kind, name: &str, error: WriteError) -> Status {
    match error {
        WriteError::Exists => Status::already_exists(kind, name),
        WriteError::Changed => Status::modified(kind, name),
    }
}

fn unprocessable(kind: &Kind, name: &str, error: String) -> Status {
    let mut status = Status::new(422, "Invalid", error);
    status = status.about(kind, name);
    status
}

/// Preconditions that an object sent back carries in itself.
fn check_preconditions(kind: &Kind, old: &ObjectMeta, new: &ObjectMeta) -> Result<(), Status> {
    let name = old.name.as_deref().unwrap_or_default();
    let given = |value: &Option<String>| value.clone().filter(|v| !v.is_empty());
    if given(&new.resource_version).is_some_and(|v| Some(v) != old.resource_version) {
        return Err(Status::modified(kind, name));
    }
    if let (Some(want), Some(have)) = (given(&new.uid), &old.uid) {
        if want != *have {
            let error = FieldError::invalid_str("metadata.uid", &want, "field is immutable");
            return Err(Status::invalid(kind, name, vec![error]));
        }
    }
    Ok(())
}

/// An object that is put in place of another must be the same one, if it says which it is. The words
/// are the storage's.
fn check_uid(kind: &Kind, old: &ObjectMeta, new: &ObjectMeta) -> Result<(), Status> {
    let (Some(want), Some(have)) = (new.uid.as_deref().filter(|u| !u.is_empty()), &old.uid) else {
        return Ok(());
    };
    if want == have {
        return Ok(());
    }
    let name = old.name.as_deref().unwrap_or_default();
    let namespace = old.namespace.as_deref().map_or(String::new(), |n| format!("{n}/"));
    let why = format!(
        "StorageError: invalid object, Code: 4, Key: /registry/{}/{namespace}{name}, \
         ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {want}, \
         UID in object meta: {have}",
        registry_folder(kind)
    );
    Err(Status::conflict(kind, name, &why))
}

/// Where etcd keeps a kind's objects: below the group only for custom resources, and some kinds have
/// kept the names of Kubernetes' first days (`DefaultStorageFactory`).
fn registry_folder(kind: &Kind) -> String {
    match (&*kind.group, &*kind.plural) {
        ("", "services") => "services/specs".into(),
        ("", "endpoints") => "services/endpoints".into(),
        ("", "nodes") => "minions".into(),
        ("", "replicationcontrollers") => "controllers".into(),
        ("networking.k8s.io", "ingresses") => "ingress".into(),
        (group, plural) if group.contains('.') && !group.ends_with(".k8s.io") => {
            format!("{group}/{plural}")
        }
        (_, plural) => plural.to_string(),
    }
}

/// What a client can't change, whatever it sends.
fn keep_system_metadata(new: &mut ObjectMeta, old: &ObjectMeta) {
    new.uid.clone_from(&old.uid);
    new.creation_timestamp.clone_from(&old.creation_timestamp);
    new.deletion_timestamp.clone_from(&old.deletion_timestamp);
    new.deletion_grace_period_seconds = old.deletion_grace_period_seconds;
    new.generation = old.generation;
    new.resource_version.clone_from(&old.resource_version);
    new.self_link = None;
    if new.generate_name.is_none() {
        new.generate_name.clone_from(&old.generate_name);
    }
    if new.finalizers.as_ref().is_some_and(Vec::is_empty) {
        new.finalizers = None;
    }
}

fn immutable_metadata(new: &ObjectMeta, old: &ObjectMeta) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if old.deletion_timestamp.is_some() {
        // Finalizers can only go once deletion began.
        let had = old.finalizers.as_deref().unwrap_or_default();
        let mut added: Vec<_> = new.finalizers.iter().flatten().collect();
        added.retain(|f| !had.contains(f));
        added.sort();
        if !added.is_empty() {
            let list: Vec<_> = added.iter().map(|f| gofmt::quote(f)).collect();
            let why = format!(
                "no new finalizers can be added if the object is being deleted, found new \
                 finalizers []string{{{}}}",
                list.join(", ")
            );
            errors.push(FieldError::forbidden("metadata.finalizers", &why));
        }
    }
    if new.namespace != old.namespace {
        let value = new.namespace.as_deref().unwrap_or_default();
        errors.push(FieldError::invalid_str("metadata.namespace", value, "field is immutable"));
    }
    errors
}
