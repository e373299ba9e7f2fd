//! Reading: one object, lists and their pages.
//!
//! Models `apiserver/pkg/endpoints/handlers/get.go`.

use std::rc::Rc;

use serde_json::json;

use super::{Call, Handled, pages::Continue, path::Target};
use crate::{
    api::{
        Kind, Status,
        selector::{FieldSelector, Selector},
    },
    apiserver::ListOptions,
};

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
        Ok(self.shown(200, &object)?.into())
    }

    pub(super) fn list(&self, kind: &Rc<Kind>, target: &Target) -> Handled {
        self.permit("list", kind, target)?;
        let options = self.selection(None)?;
        self.shape()?;
        let current = self.api.store().revision();
        let now = self.api.sim().now();
        let from = match self.parameters.get("continue") {
            Some(token) if !token.is_empty() => Some(Continue::parse(token)?),
            _ => None,
        };
        self.check_version(kind, from.is_some(), current)?;
        let text = |name| self.parameters.get(name).unwrap_or_default().to_owned();
        let namespace = target.namespace.map(str::to_owned);
        let which = (kind.id, namespace, text("labelSelector"), text("fieldSelector"));
        let pages = &self.api.0.pages;
        let mut revision = i64::try_from(current).unwrap_or(i64::MAX);
        let mut objects = match &from {
            Some(from) if from.revision > 0 => {
                revision = from.revision;
                let Some(kept) = pages.find(&which, revision, now) else {
                    return Ok(self.accept.plain().encode(410, &from.expired()).into());
                };
                from.rest(&kept)
            }
            Some(from) => from.rest(&self.api.list(kind.id, target.namespace, &options)?),
            None => self.api.list(kind.id, target.namespace, &options)?,
        };
        let mut meta = json!({"resourceVersion": revision.to_string()});
        let limit = self.parameters.number("limit").filter(|n| *n > 0);
        if let Some(limit) = limit.and_then(|n| usize::try_from(n).ok()) {
            let left = objects.len().saturating_sub(limit);
            if left > 0 && revision == i64::try_from(current).unwrap_or(i64::MAX) {
                pages.keep(which, current, now, &objects);
            }
            objects.truncate(limit);
            if let (true, Some(last)) = (left > 0, objects.last()) {
                meta["continue"] = Continue::token(revision, last).into();
                if options.labels.is_everything() && options.fields.is_everything() {
                    meta["remainingItemCount"] = left.into();
                }
            }
        }
        Ok(self.shown_list(kind, &objects, meta)?.into())
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
            let changed =
                since.is_none_or(|c| c.iter().any(|change| change.kind == kind.storage()));
            if changed {
                return Err(expired(version, current));
            }
        }
        Ok(())
    }
}
