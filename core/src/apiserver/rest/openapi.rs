//! `/openapi`: documents about the API itself.

use serde_json::{Value, json};

use super::{Call, Handled, not_allowed, page_not_found};
use crate::api::Kind;

/// `api/v1`, `apis/apps/v1`.
fn place(kind: &Kind) -> String {
    match kind.group.is_empty() {
        true => format!("api/{}", kind.version),
        false => format!("apis/{}/{}", kind.group, kind.version),
    }
}

impl Call<'_> {
    pub(super) fn openapi(&self, segments: &[&str]) -> Handled {
        if !matches!(self.method(), "GET" | "HEAD") {
            return Err(not_allowed());
        }
        let value = match segments {
            ["openapi", "v3"] => {
                let mut paths = serde_json::Map::new();
                for kind in self.api.kinds().iter() {
                    let place = place(kind);
                    let url = format!("/openapi/v3/{place}?hash=1");
                    paths.insert(place, json!({"serverRelativeURL": url}));
                }
                json!({"paths": paths})
            }
            ["openapi", "v3", rest @ ..] => match self.document_of(&rest.join("/")) {
                Some(document) => document,
                None => return Ok(page_not_found().into()),
            },
            _ => return Ok(page_not_found().into()),
        };
        Ok(self.accept.plain().encode(200, &value).into())
    }

    /// The paths of one group version, with what clients look for there: which parameters a patch
    /// takes.
    fn document_of(&self, wanted: &str) -> Option<Value> {
        let mut paths = serde_json::Map::new();
        for kind in self.api.kinds().iter().filter(|k| place(k) == wanted) {
            let scope = if kind.namespaced { "/namespaces/{namespace}" } else { "" };
            let path = format!("/{wanted}{scope}/{}/{{name}}", kind.plural);
            let parameter =
                |name: &str| json!({"name": name, "in": "query", "schema": {"type": "string"}});
            let patch = json!({
                "parameters": [parameter("dryRun"), parameter("fieldManager"),
                    parameter("fieldValidation"), parameter("force")],
                "x-kubernetes-action": "patch",
                "x-kubernetes-group-version-kind":
                    {"group": kind.group, "version": kind.version, "kind": kind.kind}});
            paths.insert(path, json!({"patch": patch}));
        }
        if paths.is_empty() {
            return None;
        }
        let info = json!({"title": "Kubernetes", "version": super::health::VERSION});
        Some(json!({"openapi": "3.0.0", "info": info, "paths": paths}))
    }
}
