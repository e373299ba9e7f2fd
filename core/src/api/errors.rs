//! What the API server answers when it can't do what was asked.
//!
//! Models `apimachinery/pkg/api/errors` and `pkg/util/validation/field`.

use serde_json::{Value, json};

use super::Kind;

/// A failure as the API reports it.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// HTTP status code.
    pub code: u16,
    /// `NotFound`, `AlreadyExists`, `Conflict`, `Invalid`, `Forbidden`, `BadRequest` …
    pub reason: &'static str,
    /// What happened, as kubectl prints it after `Error from server (Reason): `.
    pub message: String,
    /// Group of the resource it is about.
    pub group: String,
    /// Plural (or, for `Invalid`, the kind) it is about.
    pub kind: String,
    /// Name of the object it is about.
    pub name: String,
    /// The fields at fault, for `Invalid`.
    pub causes: Vec<FieldError>,
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Status {}

impl Status {
    /// Any failure; the constructors below are the usual ones.
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Status {
            code,
            reason,
            message: message.into(),
            group: String::new(),
            kind: String::new(),
            name: String::new(),
            causes: Vec::new(),
        }
    }

    /// The same failure, about an object.
    pub fn about(mut self, kind: &Kind, name: &str) -> Self {
        self.group = kind.group.to_string();
        self.kind = kind.plural.to_string();
        self.name = name.to_string();
        self
    }

    /// 404: no such object.
    pub fn not_found(kind: &Kind, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", kind.resource());
        Status::new(404, "NotFound", message).about(kind, name)
    }

    /// 404: the server has no such path.
    pub fn no_such_resource() -> Self {
        Status::new(404, "NotFound", "the server could not find the requested resource")
    }

    /// The same, as `client-go` words a page that is no Status: `verb` is what was asked for.
    pub fn unserved(kind: &Kind, verb: &str, name: &str) -> Self {
        let method = match verb {
            "create" => "post",
            "update" => "put",
            "delete" | "deletecollection" => "delete",
            "patch" => "patch",
            _ => "get",
        };
        let mut status = Status::no_such_resource().about(kind, name);
        let asked = format!("{method} {} {name}", kind.resource());
        status.message = format!("{} ({})", status.message, asked.trim_end());
        status
    }

    /// 409: the name is taken.
    pub fn already_exists(kind: &Kind, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", kind.resource());
        Status::new(409, "AlreadyExists", message).about(kind, name)
    }

    /// 409: it was changed, or a precondition fails.
    pub fn conflict(kind: &Kind, name: &str, why: &str) -> Self {
        let message =
            format!("Operation cannot be fulfilled on {} \"{name}\": {why}", kind.resource());
        Status::new(409, "Conflict", message).about(kind, name)
    }

    /// 409: it was changed since it was read.
    pub fn modified(kind: &Kind, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version \
                   and try again";
        Status::conflict(kind, name, why)
    }

    /// 403.
    pub fn forbidden(kind: &Kind, name: &str, why: &str) -> Self {
        let message = if name.is_empty() {
            format!("{} is forbidden: {why}", kind.resource())
        } else {
            format!("{} \"{name}\" is forbidden: {why}", kind.resource())
        };
        Status::new(403, "Forbidden", message).about(kind, name)
    }

    /// 422: fields at fault. One reads `X "n" is invalid: f: …`, several are listed in brackets.
    pub fn invalid(kind: &Kind, name: &str, causes: Vec<FieldError>) -> Self {
        // What is told twice is read once (`Aggregate`).
        let mut all: Vec<String> = Vec::new();
        for text in causes.iter().map(ToString::to_string) {
            if !all.contains(&text) {
                all.push(text);
            }
        }
        let list = match all.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let gk = if kind.group.is_empty() {
            kind.kind.to_string()
        } else {
            format!("{}.{}", kind.kind, kind.group)
        };
        let mut status = Status::new(422, "Invalid", format!("{gk} \"{name}\" is invalid: {list}"));
        status.group = kind.group.to_string();
        status.kind = kind.kind.to_string();
        status.name = name.to_string();
        status.causes = causes;
        status
    }

    /// 400.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Status::new(400, "BadRequest", message)
    }

    /// 405.
    pub fn method_not_supported(kind: &Kind, verb: &str) -> Self {
        let message =
            format!("{verb} is not supported on resources of kind \"{}\"", kind.resource());
        Status::new(405, "MethodNotAllowed", message).about(kind, "")
    }

    /// 500.
    pub fn internal(message: impl std::fmt::Display) -> Self {
        Status::new(500, "InternalError", format!("Internal error occurred: {message}"))
    }

    /// Whether this is [`Status::not_found`].
    pub fn is_not_found(&self) -> bool {
        self.reason == "NotFound"
    }

    /// Whether this is a conflict of versions.
    pub fn is_conflict(&self) -> bool {
        self.reason == "Conflict"
    }

    /// Whether this is [`Status::already_exists`].
    pub fn is_already_exists(&self) -> bool {
        self.reason == "AlreadyExists"
    }

    /// As the API sends it (`metav1.Status`).
    pub fn to_value(&self) -> Value {
        let mut details = serde_json::Map::new();
        for (key, text) in [("name", &self.name), ("group", &self.group), ("kind", &self.kind)] {
            if !text.is_empty() {
                details.insert(key.into(), json!(text));
            }
        }
        if !self.causes.is_empty() {
            let causes = self
                .causes
                .iter()
                .map(|c| json!({"reason": c.reason, "message": c.body(), "field": c.field}));
            details.insert("causes".into(), causes.collect());
        }
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code,
        });
        if !details.is_empty() {
            status["details"] = Value::Object(details);
        }
        status
    }
}

/// Reasons that answers give, to find those of an answer that came as JSON.
const REASONS: &[&str] = &[
    "AlreadyExists",
    "BadRequest",
    "Conflict",
    "Expired",
    "Forbidden",
    "Gone",
    "InternalError",
    "Invalid",
    "MethodNotAllowed",
    "NotAcceptable",
    "NotFound",
    "RequestEntityTooLarge",
    "ServerTimeout",
    "ServiceUnavailable",
    "Timeout",
    "TooManyRequests",
    "Unauthorized",
    "UnsupportedMediaType",
];

impl Status {
    /// From what the API sent; `None` if that is no refusal.
    pub fn from_value(value: &Value) -> Option<Status> {
        let text = |v: &Value, key: &str| v.get(key).and_then(Value::as_str).map(String::from);
        if text(value, "kind").as_deref() != Some("Status") {
            return None;
        }
        let told = text(value, "reason").unwrap_or_default();
        let reason = REASONS.iter().find(|r| **r == told).copied().unwrap_or("");
        let code = value.get("code").and_then(Value::as_u64).unwrap_or(500);
        let mut status = Status::new(
            u16::try_from(code).unwrap_or(500),
            reason,
            text(value, "message").unwrap_or_default(),
        );
        let details = value.get("details").cloned().unwrap_or(Value::Null);
        status.name = text(&details, "name").unwrap_or_default();
        status.group = text(&details, "group").unwrap_or_default();
        status.kind = text(&details, "kind").unwrap_or_default();
        let causes = details.get("causes").and_then(Value::as_array);
        for cause in causes.into_iter().flatten() {
            let message = text(cause, "message").unwrap_or_default();
            let field = text(cause, "field").unwrap_or_default();
            status.causes.push(FieldError::make(field, "FieldValueInvalid", message));
        }
        Some(status)
    }
}

/// A field at fault. Models `field.Error`.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldError {
    /// Path: `spec.containers[0].image`.
    pub field: String,
    /// `FieldValueRequired`, `FieldValueInvalid` …
    pub reason: &'static str,
    /// The rest of the message.
    detail: String,
}

impl FieldError {
    /// `f: Required value[: detail]`
    pub fn required(field: impl Into<String>, detail: &str) -> Self {
        Self::make(field, "FieldValueRequired", with("Required value".into(), detail))
    }

    /// `f: Invalid value: <value>: detail`. `value` is as Go prints it: strings quoted
    /// (see [`FieldError::invalid_str`]), numbers bare, structs as JSON.
    pub fn invalid(field: impl Into<String>, value: impl std::fmt::Display, detail: &str) -> Self {
        Self::make(field, "FieldValueInvalid", with(format!("Invalid value: {value}"), detail))
    }

    /// [`FieldError::invalid`] for a string.
    pub fn invalid_str(field: impl Into<String>, value: &str, detail: &str) -> Self {
        Self::invalid(field, super::gofmt::quote(value), detail)
    }

    /// `f: Invalid value: detail`: the value is not shown (`field.OmitValueType`).
    pub fn invalid_unshown(field: impl Into<String>, detail: &str) -> Self {
        Self::make(field, "FieldValueInvalid", with("Invalid value".into(), detail))
    }

    /// `f: Unsupported value: "v": supported values: "a", "b"`, in the order given.
    pub fn not_supported(field: impl Into<String>, value: &str, supported: &[&str]) -> Self {
        Self::not_supported_value(field, &format!("{value:?}"), supported)
    }

    /// [`FieldError::not_supported`] for a value that is not a string, as Go prints it.
    pub fn not_supported_value(field: impl Into<String>, value: &str, supported: &[&str]) -> Self {
        let quoted: Vec<_> = supported.iter().map(|s| format!("{s:?}")).collect();
        let detail = format!("supported values: {}", quoted.join(", "));
        let text = with(format!("Unsupported value: {value}"), &detail);
        Self::make(field, "FieldValueNotSupported", text)
    }

    /// `f: Duplicate value: v`
    pub fn duplicate(field: impl Into<String>, value: impl std::fmt::Display) -> Self {
        Self::make(field, "FieldValueDuplicate", format!("Duplicate value: {value}"))
    }

    /// `f: Duplicate value: v: detail`
    pub fn duplicate_because(
        field: impl Into<String>,
        value: impl std::fmt::Display,
        detail: &str,
    ) -> Self {
        let text = with(format!("Duplicate value: {value}"), detail);
        Self::make(field, "FieldValueDuplicate", text)
    }

    /// `f: Not found: "v"`
    pub fn not_found(field: impl Into<String>, value: &str) -> Self {
        Self::make(field, "FieldValueNotFound", format!("Not found: {value:?}"))
    }

    /// `f: Forbidden: detail`
    pub fn forbidden(field: impl Into<String>, detail: &str) -> Self {
        Self::make(field, "FieldValueForbidden", with("Forbidden".into(), detail))
    }

    /// `f: Too long: may not be more than n bytes`
    pub fn too_long(field: impl Into<String>, max: usize) -> Self {
        let text = format!("Too long: may not be more than {max} bytes");
        Self::make(field, "FieldValueTooLong", text)
    }

    /// A field that another manager owns.
    pub fn manager_conflict(field: &str, manager: &str) -> Self {
        Self::make(field, "FieldManagerConflict", format!("conflict with {manager}"))
    }

    /// `f: Too many: n: must have at most m items`
    pub fn too_many(field: impl Into<String>, count: u64, most: u64) -> Self {
        let text = format!("Too many: {count}: must have at most {most} items");
        Self::make(field, "FieldValueTooMany", text)
    }

    /// A cause that is about no field.
    pub fn cause(reason: &'static str, message: &str) -> Self {
        Self::make("", reason, message.to_string())
    }

    fn make(field: impl Into<String>, reason: &'static str, detail: String) -> Self {
        FieldError { field: field.into(), reason, detail }
    }

    /// The message without the field.
    pub fn body(&self) -> &str {
        &self.detail
    }
}

fn with(head: String, detail: &str) -> String {
    if detail.is_empty() { head } else { format!("{head}: {detail}") }
}

impl std::fmt::Display for FieldError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.field.is_empty() {
            return f.write_str(&self.detail);
        }
        write!(f, "{}: {}", self.field, self.detail)
    }
}
