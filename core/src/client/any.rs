//! Requests about objects of any kind. What they ask and are answered is told to a [`super::tap`].

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::{
    Client, DeleteOptions, FieldValidation, ListOptions, PatchType, Propagation, Subresource,
    tap::Asked,
};
use crate::{
    api::{KindId, ObjRef, Object, Status, Typed},
    apiserver::CreateOptions,
};

impl Client {
    /// One object. Errors: NotFound.
    pub fn get_any(&self, kind: KindId, namespace: &str, name: &str) -> Result<ObjRef, Status> {
        let result = self.may("get", kind, (namespace, name), "").and_then(|()| {
            self.warn_of(kind);
            self.api.get(kind, namespace, name)
        });
        self.note(result, || Asked::new("GET", kind, namespace).name(name))
    }

    /// Objects that options select, sorted by namespace and name. Errors: BadRequest.
    pub fn list_any(
        &self,
        kind: KindId,
        namespace: Option<&str>,
        options: &ListOptions,
    ) -> Result<Vec<ObjRef>, Status> {
        let place = namespace.unwrap_or_default();
        let result = self.may("list", kind, (place, ""), "").and_then(|()| {
            self.warn_of(kind);
            self.api.list(kind, namespace, options)
        });
        self.note(result, || Asked::new("GET", kind, place).list().selecting(options))
    }

    /// The server warns of deprecated kinds with every answer.
    fn warn_of(&self, kind: KindId) {
        if let Some(text) = self.api.strategy(kind).deprecated() {
            self.cx.warn(text);
        }
    }

    /// Makes an object of a kind from JSON. Errors: BadRequest.
    pub fn decode(&self, kind: KindId, value: Value) -> Result<Box<dyn Object>, Status> {
        self.served(kind, "create", "")?;
        self.api.decode(kind, value)
    }

    /// Creates an object from JSON, in `namespace` unless it names its own. Unknown fields are
    /// treated as `validation` says. Errors: as [`Client::create`], and BadRequest.
    pub fn create_value(
        &self,
        kind: KindId,
        namespace: &str,
        value: Value,
        validation: FieldValidation,
    ) -> Result<ObjRef, Status> {
        let sent = value["metadata"]["namespace"].as_str().filter(|ns| !ns.is_empty());
        let place = if namespace.is_empty() { sent.unwrap_or_default() } else { namespace };
        let place = place.to_owned();
        let body = self.body(&value);
        let result = self.may("create", kind, (&place, ""), "").and_then(|()| {
            self.warn_of(kind);
            let object = self.api.decode_checked(&self.cx, kind, value, validation)?;
            self.api.create(&self.cx, object, &CreateOptions { namespace })
        });
        let asked = || Asked::new("POST", kind, &place).sending("application/json", body);
        self.note(result, || asked().written(self).validated(validation))
    }

    /// Replaces an object from JSON. Errors: as [`Client::update`], and BadRequest.
    pub fn update_value(
        &self,
        kind: KindId,
        value: Value,
        validation: FieldValidation,
        sub: Subresource,
    ) -> Result<ObjRef, Status> {
        let text = |key: &str| value["metadata"][key].as_str().unwrap_or_default().to_owned();
        let (namespace, name, body) = (text("namespace"), text("name"), self.body(&value));
        let result = self.served(kind, "update", &name).and_then(|()| {
            self.warn_of(kind);
            let object = self.api.decode_checked(&self.cx, kind, value, validation)?;
            self.may_update(&*object, sub, "update")?;
            self.api.update(&self.cx, object, sub)
        });
        self.note(result, || {
            let asked = Asked::new("PUT", kind, &namespace).name(&name).part(self.part(kind, sub));
            asked.sending("application/json", body).written(self).validated(validation)
        })
    }

    /// Changes an object by a patch. Errors: NotFound, Conflict, Invalid, BadRequest.
    pub fn patch(
        &self,
        kind: KindId,
        key: (&str, &str),
        patch: (PatchType, &Value),
        sub: Subresource,
    ) -> Result<ObjRef, Status> {
        let part = self.part(kind, sub);
        let result = self
            .may("patch", kind, key, part)
            .and_then(|()| self.api.patch(&self.cx, kind, key, patch, sub));
        self.note(result, || {
            let media = match patch.0 {
                PatchType::Json => "application/json-patch+json",
                PatchType::Merge => "application/merge-patch+json",
                PatchType::Strategic => "application/strategic-merge-patch+json",
            };
            let asked = Asked::new("PATCH", kind, key.0).name(key.1).part(part);
            asked.sending(media, self.body(patch.1)).written(self).validated(self.cx.validation)
        })
    }

    /// Server-side apply: see [`ApiServer::apply`](crate::apiserver::ApiServer::apply). The object,
    /// and whether it is new.
    pub fn apply(
        &self,
        kind: KindId,
        key: (&str, &str),
        config: Value,
        force: bool,
        sub: Subresource,
    ) -> Result<(ObjRef, bool), Status> {
        let (part, body) = (self.part(kind, sub), self.body(&config));
        let result = self.may("patch", kind, key, part).and_then(|()| {
            let stored = self.api.storage_of(kind);
            if sub == Subresource::Main && self.api.store().get(stored, key.0, key.1).is_none() {
                self.may("create", kind, key, "")?;
            }
            self.api.apply(&self.cx, kind, key, config, (force, sub))
        });
        self.note(result, || {
            let asked = Asked::new("PATCH", kind, key.0).name(key.1).part(part);
            let asked = asked.sending("application/apply-patch+yaml", body).written(self);
            asked.query("force", force).validated(self.cx.validation)
        })
    }

    /// Replaces a part of an object of any kind. Errors: as [`Client::update`].
    pub fn update_any(&self, object: Box<dyn Object>, sub: Subresource) -> Result<ObjRef, Status> {
        let kind = object.kind_id();
        let (namespace, name) = (object.namespace().to_owned(), object.name().to_owned());
        let body = self.tap.as_ref().and_then(|_| self.body(&object.to_value()));
        let result = self
            .may_update(&*object, sub, "update")
            .and_then(|()| self.api.update(&self.cx, object, sub));
        self.note(result, || {
            let asked = Asked::new("PUT", kind, &namespace).name(&name).part(self.part(kind, sub));
            asked.sending("application/json", body).written(self)
        })
    }

    /// Deletes an object, or begins to; whether it is gone. Errors: NotFound, Conflict.
    pub fn delete_any(
        &self,
        kind: KindId,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<(ObjRef, bool), Status> {
        let result = self.served(kind, "delete", name).and_then(|()| {
            self.warn_of(kind);
            self.may("delete", kind, (namespace, name), "")?;
            self.warn_of(kind);
            self.api.delete(&self.cx, kind, namespace, name, options)
        });
        self.note(result, || {
            let mut wish = json!({"propagationPolicy": match options.propagation {
                Propagation::Foreground => "Foreground",
                Propagation::Orphan => "Orphan",
                _ => "Background",
            }});
            if let Some(seconds) = options.grace_seconds {
                wish["gracePeriodSeconds"] = seconds.into();
            }
            let asked = Asked::new("DELETE", kind, namespace).name(name);
            let asked = asked.sending("application/json", self.body(&wish));
            if self.cx.dry_run { asked.query("dryRun", "All") } else { asked }
        })
    }

    /// Evicts a pod, as drains do. Errors: NotFound, Conflict.
    pub fn evict(&self, namespace: &str, pod: &str, options: &DeleteOptions) -> Result<(), Status> {
        let result = self
            .may("create", Pod::ID, (namespace, pod), "eviction")
            .and_then(|()| self.api.evict(&self.cx, namespace, pod, options));
        self.note(result, || {
            let body = json!({"kind": "Eviction", "apiVersion": "policy/v1",
                "metadata": {"name": pod, "namespace": namespace}});
            let asked = Asked::new("POST", Pod::ID, namespace).name(pod).part("eviction");
            asked.sending("application/json", self.body(&body))
        })
    }

    /// Replicas wanted, replicas there and selector of a scalable object. Errors: NotFound.
    pub fn get_scale(
        &self,
        kind: KindId,
        namespace: &str,
        name: &str,
    ) -> Result<(ObjRef, (i32, i32, String)), Status> {
        let result = self
            .may("get", kind, (namespace, name), "scale")
            .and_then(|()| self.api.get_scale(kind, namespace, name));
        self.note(result, || Asked::new("GET", kind, namespace).name(name).part("scale"))
    }

    /// Sets the replicas wanted; `version` guards against changes meanwhile. Errors: Conflict …
    pub fn set_scale(
        &self,
        kind: KindId,
        key: (&str, &str),
        replicas: i32,
        version: Option<&str>,
    ) -> Result<ObjRef, Status> {
        let result = self
            .may("patch", kind, key, "scale")
            .and_then(|()| self.api.set_scale(&self.cx, kind, key, replicas, version));
        self.note(result, || {
            let mut wish = json!({"spec": {"replicas": replicas}});
            if let Some(version) = version {
                wish["metadata"] = json!({"resourceVersion": version});
            }
            let asked = Asked::new("PATCH", kind, key.0).name(key.1).part("scale");
            asked.sending("application/merge-patch+json", self.body(&wish))
        })
    }
}
