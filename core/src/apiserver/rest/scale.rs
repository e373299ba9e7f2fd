//! The subresource `scale`: how many replicas are wanted, for every kind that has some.
//!
//! Models `autoscaling/v1` Scale as `pkg/registry/apps/*/storage` serve it.

use std::rc::Rc;

use serde_json::{Value, json};

use super::{Call, Handled, body::Patch, not_allowed, path::Target};
use crate::{
    api::{FieldError, Kind, ObjRef, Status, patch},
    apiserver::ApiServer,
};

fn scale_of(api: &ApiServer, object: &ObjRef) -> Value {
    let (wanted, there, selector) =
        api.strategy(object.kind_id()).scale(&**object).unwrap_or_default();
    let meta = object.metadata();
    let mut status = json!({"replicas": there});
    if !selector.is_empty() {
        status["selector"] = selector.into();
    }
    let mut spec = json!({});
    if wanted != 0 {
        spec["replicas"] = wanted.into();
    }
    let mut metadata = json!({"name": object.name(), "uid": object.uid(),
        "resourceVersion": meta.resource_version,
        "creationTimestamp": crate::api::object::to_value(&meta.creation_timestamp)});
    if !object.namespace().is_empty() {
        metadata["namespace"] = object.namespace().into();
    }
    json!({"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec,
        "status": status})
}

impl Call<'_> {
    pub(super) fn scale(&self, kind: &Rc<Kind>, target: &Target, name: &str) -> Handled {
        let key = (target.ns(), name);
        let wanted = match self.method() {
            "GET" | "HEAD" => {
                self.permit("get", kind, target)?;
                let (object, _) = self.api.get_scale(kind.id, key.0, key.1)?;
                return Ok(self.document(200, &scale_of(self.api, &object)).into());
            }
            "PUT" => {
                self.permit("update", kind, target)?;
                self.value("Scale")?
            }
            "PATCH" => {
                self.permit("patch", kind, target)?;
                let (how, change) = self.patch_value()?;
                let (object, _) = self.api.get_scale(kind.id, key.0, key.1)?;
                let mut old = scale_of(self.api, &object);
                if let Some(meta) = old["metadata"].as_object_mut() {
                    meta.remove("resourceVersion");
                }
                match how {
                    Patch::Change(how) => patch::apply(kind, how, old, change)
                        .map_err(|why| Status::new(422, "Invalid", why))?,
                    Patch::Apply => patch::merge(old, change),
                }
            }
            _ => return Err(not_allowed()),
        };
        let replicas = match wanted.pointer("/spec/replicas") {
            None | Some(Value::Null) => 0,
            Some(number) => {
                number.as_i64().and_then(|n| i32::try_from(n).ok()).ok_or_else(|| {
                    let what = if number.is_string() { "string" } else { "number" };
                    Status::bad_request(format!(
                        "Scale in version \"v1\" cannot be handled as a Scale: json: cannot \
                         unmarshal {what} into Go struct field ScaleSpec.spec.replicas of type int32"
                    ))
                })?
            }
        };
        if replicas < 0 {
            let error = FieldError::invalid(
                "spec.replicas",
                replicas,
                "must be greater than or equal to 0",
            );
            let mut status = Status::invalid(kind, name, vec![error]);
            status.message = status.message.replacen(
                &format!("{}.{}", kind.kind, kind.group),
                "Scale.autoscaling",
                1,
            );
            return Err(status);
        }
        let version = wanted.pointer("/metadata/resourceVersion").and_then(Value::as_str);
        let version = version.filter(|v| !v.is_empty());
        let new = self.api.set_scale(&self.cx, kind.id, key, replicas, version)?;
        Ok(self.document(200, &scale_of(self.api, &new)).into())
    }
}
