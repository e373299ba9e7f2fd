//! Bodies: from bytes of a media type to a JSON value, errors as the server words them.
//!
//! Models `apiserver/pkg/endpoints/handlers/rest.go` and `apimachinery/pkg/runtime/serializer`.

use serde_json::Value;

use super::{Call, MAX_BODY};
use crate::api::{Kind, Status, patch::PatchType, yaml};

/// How a patch is to be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patch {
    /// A change of the object.
    Change(PatchType),
    /// Server-side apply.
    Apply,
}

/// Media types of patches.
const PATCHES: &[(&str, Patch)] = &[
    ("application/json-patch+json", Patch::Change(PatchType::Json)),
    ("application/merge-patch+json", Patch::Change(PatchType::Merge)),
    ("application/strategic-merge-patch+json", Patch::Change(PatchType::Strategic)),
    ("application/apply-patch+yaml", Patch::Apply),
];

fn unsupported(accepted: &str) -> Status {
    let why = format!(
        "the body of the request was in an unknown format - accepted media types include: {accepted}"
    );
    Status::new(415, "UnsupportedMediaType", why)
}

/// What of a body is shown in an error. Models `summarizeData`.
fn summary(body: &[u8]) -> String {
    const MOST: usize = 30;
    match body.first() {
        None => "<empty>".into(),
        Some(b'{') => {
            let text = String::from_utf8_lossy(body);
            let head: String = text.chars().take(MOST).collect();
            if head.len() < text.len() { format!("{head} ...") } else { head }
        }
        Some(_) => {
            let hex: String = body.iter().take(MOST).map(|b| format!("{b:02x}")).collect();
            if body.len() > MOST { format!("{hex} ...") } else { hex }
        }
    }
}

pub use crate::api::json::parse as read_json;

impl Call<'_> {
    fn media_type(&self) -> String {
        let header = self.request.header("content-type");
        header.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
    }

    /// The body, if it is not too large.
    pub(super) fn bytes(&self) -> Result<&[u8], Status> {
        if self.request.body.len() > MAX_BODY {
            let why = format!("Request entity too large: limit is {MAX_BODY}");
            return Err(Status::new(413, "RequestEntityTooLarge", why));
        }
        Ok(&self.request.body)
    }

    /// The body as a JSON value; null where it is empty. `kind` is what is expected, for errors.
    pub(super) fn value(&self, kind: &str) -> Result<Value, Status> {
        let bytes = self.bytes()?;
        let refuse = |why: String| {
            Status::bad_request(format!(
                "the object provided is unrecognized (must be of type {kind}): couldn't get \
                 version/kind; json parse error: {why} ({})",
                summary(bytes)
            ))
        };
        let value = match self.media_type().as_str() {
            "" | "application/json" | "application/x-www-form-urlencoded" => {
                if bytes.is_empty() {
                    return Ok(Value::Null);
                }
                read_json(bytes).map_err(refuse)?
            }
            "application/yaml" => {
                let text = std::str::from_utf8(bytes).map_err(|e| refuse(e.to_string()))?;
                yaml::parse(text).map_err(|e| refuse(e.to_string()))?
            }
            _ => return Err(unsupported("application/json, application/yaml")),
        };
        match value {
            Value::Object(_) | Value::Null => Ok(value),
            other => {
                let what = match other {
                    Value::Array(_) => "array",
                    Value::String(_) => "string",
                    Value::Bool(_) => "bool",
                    _ => "number",
                };
                Err(refuse(format!(
                    "json: cannot unmarshal {what} into Go value of type struct {{ \
                    APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \
                    \"json:\\\"kind,omitempty\\\"\" }}"
                )))
            }
        }
    }

    /// The body as an object of a kind: JSON whose group, version and kind are that kind's.
    pub(super) fn object_value(&self, kind: &Kind) -> Result<Value, Status> {
        let mut value = self.value(&kind.kind)?;
        if value.is_null() {
            value = Value::Object(Default::default());
        }
        let expected = kind.api_version();
        let sent = value.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
        if !sent.is_empty() && sent != expected {
            return Err(Status::bad_request(format!(
                "the API version in the data ({sent}) does not match the expected API version \
                 ({expected})"
            )));
        }
        Ok(value)
    }

    /// The body as a patch.
    pub(super) fn patch_value(&self) -> Result<(Patch, Value), Status> {
        let media_type = self.media_type();
        let found = PATCHES.iter().find(|(name, _)| *name == media_type);
        let Some((_, patch)) = found else {
            let all: Vec<_> = PATCHES.iter().map(|(name, _)| *name).collect();
            return Err(unsupported(&all.join(", ")));
        };
        let bytes = self.bytes()?;
        let refuse = |why: String| Status::bad_request(format!("error decoding patch: {why}"));
        let value = match patch {
            Patch::Apply => {
                let text = std::str::from_utf8(bytes).map_err(|e| refuse(e.to_string()))?;
                yaml::parse(text)
                    .map_err(|e| Status::bad_request(format!("error decoding YAML: {e}")))?
            }
            Patch::Change(_) => read_json(bytes).map_err(refuse)?,
        };
        Ok((*patch, value))
    }
}
