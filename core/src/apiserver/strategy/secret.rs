//! The rules of Secrets.
//!
//! Models `ValidateSecret`, `ValidateSecretUpdate` and the conversion of `stringData`.

use k8s_openapi::{ByteString, api::core::v1::Secret};
use serde_json::Value;

use super::{
    Strategy, StrategyCx,
    configmap::{MAX_SIZE, check_key},
    pod::defaults::text,
};
use crate::api::{FieldError, json, meta};

const FIXED: &str = "field is immutable when `immutable` is set";

/// What Go's decoder calls a value.
fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Number(_) => "number",
        _ => "bool",
    }
}

/// See the module.
pub struct Secrets;

impl Strategy for Secrets {
    type Object = Secret;

    fn defaults(&self, secret: &mut Secret) {
        text(&mut secret.type_, "Opaque");
        if let Some(texts) = secret.string_data.take() {
            let data = secret.data.get_or_insert_default();
            data.extend(texts.into_iter().map(|(key, text)| (key, ByteString(text.into_bytes()))));
        }
    }

    fn validate(&self, _: &StrategyCx, secret: &Secret) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut size = 0;
        for (key, value) in secret.data.iter().flatten() {
            check_key("data", key, &mut errors);
            size += value.0.len();
        }
        if size > MAX_SIZE {
            errors.push(FieldError::too_long("data", MAX_SIZE));
        }
        let has = |key: &str| secret.data.as_ref().is_some_and(|d| d.contains_key(key));
        let wanted: &[&str] = match secret.type_.as_deref().unwrap_or_default() {
            "kubernetes.io/service-account-token" => {
                let account =
                    meta::annotation(&secret.metadata, "kubernetes.io/service-account.name");
                if account.is_none_or(str::is_empty) {
                    let field = "metadata.annotations[kubernetes.io/service-account.name]";
                    errors.push(FieldError::required(field, ""));
                }
                &[]
            }
            "kubernetes.io/dockercfg" => &[".dockercfg"],
            "kubernetes.io/dockerconfigjson" => &[".dockerconfigjson"],
            "kubernetes.io/basic-auth" if !has("username") && !has("password") => {
                &["username", "password"]
            }
            "kubernetes.io/ssh-auth" => &["ssh-privatekey"],
            "kubernetes.io/tls" => &["tls.crt", "tls.key"],
            _ => &[],
        };
        for key in wanted.iter().filter(|key| !has(key)) {
            errors.push(FieldError::required(format!("data[{key}]"), ""));
        }
        for (kind, key) in [
            ("kubernetes.io/dockercfg", ".dockercfg"),
            ("kubernetes.io/dockerconfigjson", ".dockerconfigjson"),
        ] {
            let value = secret.data.as_ref().and_then(|d| d.get(key));
            let value = value.filter(|_| secret.type_.as_deref() == Some(kind));
            let parsed = value.map(|v| json::parse(&v.0));
            let why = match parsed {
                Some(Ok(Value::Object(_)) | Ok(Value::Null)) | None => continue,
                Some(Err(why)) => why,
                Some(Ok(other)) => format!(
                    "json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
                    go_type(&other)
                ),
            };
            let at = format!("data[{key}]");
            errors.push(FieldError::invalid_str(at, "<secret contents redacted>", &why));
        }
        errors
    }

    fn validate_update(&self, _: &StrategyCx, new: &Secret, old: &Secret) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if new.type_ != old.type_ {
            let value = new.type_.as_deref().unwrap_or_default();
            errors.push(FieldError::invalid_str("type", value, "field is immutable"));
        }
        if old.immutable == Some(true) {
            if new.immutable != Some(true) {
                errors.push(FieldError::forbidden("immutable", FIXED));
            }
            if new.data != old.data {
                errors.push(FieldError::forbidden("data", FIXED));
            }
        }
        errors
    }

    fn field(&self, secret: &Secret, path: &str) -> Option<String> {
        (path == "type").then(|| secret.type_.clone().unwrap_or_default())
    }
}
