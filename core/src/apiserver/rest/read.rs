//! Reading: one object, lists and their pages.
//!
//! The store keeps no history, so the pages of a list are read when they are asked for; all carry
//! the first page's resource version, and a watch from there tells what changed in between.
//!
//! Models `apiserver/pkg/endpoints/handlers/get.go` and `storage/continue.go`.

use std::rc::Rc;

use serde_json::{Value, json};

use super::{Call, Handled, path::Target};
use crate::{
    api::{
        Kind, ObjRef, Status, base64,
        selector::{FieldSelector, Selector},
    },
    apiserver::ListOptions,
};

/// Where a list goes on: the first page's revision, and the last object that was told.
struct Continue {
    revision: u64,
    namespace: String,
    name: String,
}

impl Continue {
    fn parse(token: &str) -> Result<Self, Status> {
        let refuse = || Status::bad_request("continue key is not valid: illegal base64 data");
        let bytes = base64::decode(token).ok_or_else(refuse)?;
        let value: Value = serde_json::from_slice(&bytes).map_err(|_| refuse())?;
        let (Some(revision), Some(start)) = (value["rv"].as_u64(), value["start"].as_str()) else {
            return Err(refuse());
        };
        let (namespace, name) = start.split_once('/').ok_or_else(refuse)?;
        Ok(Continue { revision, namespace: namespace.into(), name: name.into() })
    }

    fn token(revision: u64, last: &ObjRef) -> String {
        let start = format!("{}/{}", last.namespace(), last.name());
        let value = json!({"v": "meta.k8s.io/v1", "rv": revision, "start": start});
        base64::encode(value.to_string().as_bytes())
    }
}

/// 410: what was asked for is no longer known.
pub fn expired(wanted: u64, oldest: u64) -> Status {
    Status::new(410, "Expired", format!("too old resource version: {wanted} ({oldest})"))
}

impl Call<'_> {
    /// Which objects are meant. Errors: BadRequest.
    pub(super) fn selection(&self, name: Option<&str>) -> Result<ListOptions, Status> {
        let labels = self.parameters.get("labelSelector").unwrap_or("");
        let fields = self.parameters.get("fieldSelector").unwrap_or("");
        let mut options = ListOptions {
            labels: Selector::parse(labels).map_err(Status::bad_request)?,
            fields: FieldSelector::parse(fields).map_err(Status::bad_request)?,
        };
        if let Some(name) = name {
            options.fields = FieldSelector::one("metadata.name", name);
        }
        Ok(options)
    }

    /// The `resourceVersion` parameter; `None` where it is not said, 0 for any.
    pub(super) fn version(&self) -> Result<Option<u64>, Status> {
        match self.parameters.get("resourceVersion").unwrap_or("") {
            "" => Ok(None),
            text => text
                .parse()
                .map(Some)
                .map_err(|_| Status::bad_request(format!("invalid resource version {text:?}"))),
        }
    }

    pub(super) fn get(&self, kind: &Rc<Kind>, target: &Target, name: &str) -> Handled {
        self.permit("get", kind, target)?;
        let object = self.api.get(kind.id, target.ns(), name)?;
        let value = self.shape()?.one(self.api, &object);
        Ok(self.document(200, &value).into())
    }

    pub(super) fn list(&self, kind: &Rc<Kind>, target: &Target) -> Handled {
        self.permit("list", kind, target)?;
        let options = self.selection(None)?;
        let shape = self.shape()?;
        let current = self.api.store().revision();
        let from = match self.parameters.get("continue") {
            Some(token) if !token.is_empty() => Some(Continue::parse(token)?),
            _ => None,
        };
        self.check_version(kind, from.is_some(), current)?;
        let mut objects = self.api.list(kind.id, target.namespace, &options)?;
        let mut revision = current;
        if let Some(from) = from {
            revision = from.revision;
            if self.api.store().changes_since(revision).is_none() {
                let why = "The provided continue parameter is too old to display a consistent list \
                           result. You can start a new list without the continue parameter, or use \
                           the continue token in this response to retrieve the remainder of the \
                           results. Continuing with the provided token results in an inconsistent \
                           list - objects that were created, modified, or deleted between the time \
                           the first chunk was returned and now may show up in the list.";
                return Err(Status::new(410, "Expired", why));
            }
            let key = (from.namespace.as_str(), from.name.as_str());
            objects.retain(|o| (o.namespace(), o.name()) > key);
        }
        let mut meta = json!({"resourceVersion": revision.to_string()});
        let limit = self.parameters.number("limit").filter(|n| *n > 0);
        if let Some(limit) = limit.and_then(|n| usize::try_from(n).ok()) {
            let left = objects.len().saturating_sub(limit);
            objects.truncate(limit);
            if let (true, Some(last)) = (left > 0, objects.last()) {
                meta["continue"] = Continue::token(revision, last).into();
                if options.labels.is_everything() && options.fields.is_everything() {
                    meta["remainingItemCount"] = left.into();
                }
            }
        }
        let value = shape.list(self.api, kind, &objects, meta);
        Ok(self.document(200, &value).into())
    }

    /// Whether a list can be of the version that is asked for. Models `ValidateListOptions` and the
    /// watch cache's waiting.
    fn check_version(&self, kind: &Kind, continued: bool, current: u64) -> Result<(), Status> {
        let version = self.version()?;
        let how = self.parameters.get("resourceVersionMatch").unwrap_or("");
        let forbid =
            |why: &str| Err(Status::bad_request(format!("resourceVersionMatch: Forbidden: {why}")));
        match (how, version) {
            ("", _) => {}
            ("Exact" | "NotOlderThan", None) => {
                return forbid(
                    "resourceVersionMatch is forbidden unless resourceVersion is provided",
                );
            }
            ("Exact", Some(0)) => {
                return forbid(
                    "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
                );
            }
            ("Exact" | "NotOlderThan", _) => {}
            (other, _) => {
                return Err(Status::bad_request(format!(
                    "resourceVersionMatch: Unsupported value: {other:?}: supported values: \
                     \"Exact\", \"NotOlderThan\""
                )));
            }
        }
        let Some(version) = version.filter(|v| *v > 0) else { return Ok(()) };
        if continued {
            return Err(Status::bad_request(
                "specifying resource version is not allowed when using continue",
            ));
        }
        if version > current {
            let why = format!("Too large resource version: {version}, current: {current}");
            return Err(Status::new(504, "Timeout", why));
        }
        if how == "Exact" {
            let since = self.api.store().changes_since(version);
            let changed = since.is_none_or(|c| c.iter().any(|change| change.kind == kind.id));
            if changed {
                return Err(expired(version, current));
            }
        }
        Ok(())
    }
}
