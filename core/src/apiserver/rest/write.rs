//! Writing: create, update, patch, delete.
//!
//! Models `apiserver/pkg/endpoints/handlers/{create,update,patch,delete}.go`.

use std::rc::Rc;

use serde_json::{Value, json};

use super::{Call, Handled, body::Patch, path::Target};
use crate::{
    api::{Kind, ObjRef, Object, Status},
    apiserver::{CreateOptions, DeleteOptions, Propagation, Subresource},
};

impl Call<'_> {
    pub(super) fn create(&self, kind: &Rc<Kind>, target: &Target) -> Handled {
        self.permit("create", kind, target)?;
        let value = self.object_value(kind)?;
        let object = self.api.decode_checked(&self.cx, kind.id, value, self.cx.validation)?;
        let options = CreateOptions { namespace: target.ns() };
        let made = self.api.create(&self.cx, object, &options)?;
        self.written(201, &made)
    }

    fn written(&self, status: u16, object: &ObjRef) -> Handled {
        Ok(self.shown(status, object)?.into())
    }

    pub(super) fn update(
        &self,
        kind: &Rc<Kind>,
        target: &Target,
        name: &str,
        sub: Subresource,
    ) -> Handled {
        self.permit("update", kind, target)?;
        let value = self.object_value(kind)?;
        let mut object = self.api.decode_checked(&self.cx, kind.id, value, self.cx.validation)?;
        check_place(&mut *object, target, name)?;
        let new = self.api.update(&self.cx, object, sub)?;
        self.written(200, &new)
    }

    pub(super) fn patch(
        &self,
        kind: &Rc<Kind>,
        target: &Target,
        name: &str,
        sub: Subresource,
    ) -> Handled {
        self.permit("patch", kind, target)?;
        let (patch, value) = self.patch_value()?;
        let key = (target.ns(), name);
        match patch {
            Patch::Change(patch) => {
                let new = self.api.patch(&self.cx, kind.id, key, (patch, &value), sub)?;
                self.written(200, &new)
            }
            Patch::Apply => {
                if self.parameters.get("fieldManager").is_none_or(str::is_empty) {
                    let why = "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required \
                               value: is required for apply patch";
                    return Err(Status::new(422, "Invalid", why));
                }
                let force = self.parameters.flag("force");
                let (new, created) = self.api.apply(&self.cx, kind.id, key, value, (force, sub))?;
                self.written(if created { 201 } else { 200 }, &new)
            }
        }
    }

    pub(super) fn delete(&self, kind: &Rc<Kind>, target: &Target, name: &str) -> Handled {
        self.permit("delete", kind, target)?;
        let (options, dry_run) = self.delete_options()?;
        let cx = self.cx.clone().dry_run(self.cx.dry_run || dry_run);
        let (object, gone) = self.api.delete(&cx, kind.id, target.ns(), name, &options)?;
        if !gone {
            return self.written(200, &object);
        }
        let mut details = json!({"name": name, "kind": kind.plural, "uid": object.uid()});
        if !kind.group.is_empty() {
            details["group"] = kind.group.as_ref().into();
        }
        let value = json!({"kind": "Status", "apiVersion": "v1", "metadata": {},
            "status": "Success", "details": details});
        Ok(self.accept.plain().encode(200, &value).into())
    }

    pub(super) fn delete_collection(&self, kind: &Rc<Kind>, target: &Target) -> Handled {
        if !kind.verbs().contains(&"deletecollection") {
            return Err(super::not_allowed());
        }
        self.permit("deletecollection", kind, target)?;
        let (options, dry_run) = self.delete_options()?;
        let cx = self.cx.clone().dry_run(self.cx.dry_run || dry_run);
        let select = self.selection(None)?;
        let gone = self.api.delete_collection(&cx, kind.id, target.namespace, &select, &options)?;
        let meta = json!({"resourceVersion": self.api.store().revision().to_string()});
        Ok(self.shown_list(kind, &gone, meta)?.into())
    }

    /// `DeleteOptions` of the body, or of the query where there is no body; and whether it is a
    /// dry run.
    pub(super) fn delete_options(&self) -> Result<(DeleteOptions, bool), Status> {
        let value = self.value("DeleteOptions")?;
        if !value.is_null() {
            return delete_options(&value);
        }
        let mut value = json!({});
        if let Some(text) = self.parameters.get("gracePeriodSeconds") {
            let seconds: i64 = text.parse().map_err(|_| {
                Status::bad_request(format!("strconv.ParseInt: parsing {text:?}: invalid syntax"))
            })?;
            value["gracePeriodSeconds"] = seconds.into();
        }
        if let Some(text) = self.parameters.get("propagationPolicy") {
            value["propagationPolicy"] = text.into();
        }
        if self.parameters.get("orphanDependents").is_some() {
            value["orphanDependents"] = self.parameters.flag("orphanDependents").into();
        }
        delete_options(&value)
    }
}

/// Reads `metav1.DeleteOptions`. Errors: BadRequest, Invalid.
pub(super) fn delete_options(value: &Value) -> Result<(DeleteOptions, bool), Status> {
    let text = |value: &Value| value.as_str().filter(|s| !s.is_empty()).map(str::to_owned);
    let invalid = |why: String| {
        let why = format!("DeleteOptions.meta.k8s.io \"\" is invalid: {why}");
        Status::new(422, "Invalid", why)
    };
    let orphan = value.get("orphanDependents").and_then(Value::as_bool);
    let policy = value.get("propagationPolicy").and_then(Value::as_str);
    if orphan.is_some() && policy.is_some() {
        return Err(invalid(
            "orphanDependents: Invalid value: orphanDependents and deletionPropagation cannot be \
             both set"
                .into(),
        ));
    }
    let propagation = match policy {
        None if orphan == Some(true) => Propagation::Orphan,
        None | Some("Background" | "") => Propagation::Background,
        Some("Foreground") => Propagation::Foreground,
        Some("Orphan") => Propagation::Orphan,
        Some(other) => {
            return Err(invalid(format!(
                "propagationPolicy: Unsupported value: {other:?}: supported values: \
                 \"Background\", \"Foreground\", \"Orphan\", \"nil\""
            )));
        }
    };
    let grace_seconds = match value.get("gracePeriodSeconds") {
        None | Some(Value::Null) => None,
        Some(seconds) => Some(seconds.as_i64().ok_or_else(|| {
            Status::bad_request(
                "DeleteOptions in version \"v1\" cannot be handled as a DeleteOptions: json: cannot \
                 unmarshal into Go struct field DeleteOptions.gracePeriodSeconds of type int64",
            )
        })?),
    };
    let conditions = value.get("preconditions");
    let condition = |name: &str| conditions.and_then(|c| c.get(name)).and_then(text);
    let dry = value.get("dryRun").and_then(Value::as_array);
    let dry_run = dry.is_some_and(|list| list.iter().any(|v| v == "All"));
    let options = DeleteOptions {
        grace_seconds,
        propagation,
        uid: condition("uid"),
        resource_version: condition("resourceVersion"),
    };
    Ok((options, dry_run))
}

/// The object must be the one that the URL names; what it leaves out is taken from there.
pub(super) fn check_place(
    object: &mut dyn Object,
    target: &Target,
    name: &str,
) -> Result<(), Status> {
    let meta = object.metadata_mut();
    match meta.name.as_deref() {
        None | Some("") => meta.name = Some(name.to_owned()),
        Some(own) if own != name => {
            return Err(Status::bad_request(format!(
                "the name of the object ({own}) does not match the name on the URL ({name})"
            )));
        }
        _ => {}
    }
    match (meta.namespace.as_deref(), target.namespace) {
        (None | Some(""), Some(ns)) => meta.namespace = Some(ns.to_owned()),
        (Some(own), Some(ns)) if own != ns => {
            return Err(Status::bad_request(format!(
                "the namespace of the object ({own}) does not match the namespace on the request \
                 ({ns})"
            )));
        }
        _ => {}
    }
    Ok(())
}
