//! Validation of metadata, the same for all kinds.
//!
//! Models `apimachinery/pkg/api/validation/objectmeta.go` and `pkg/util/validation`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::NameRule;
use crate::api::{FieldError, Kind, Path};

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric \
    characters, '-' or '.', and must start and end with an alphanumeric character (e.g. \
    'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric \
    characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or \
    '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or \
    '-', start with an alphabetic character, and end with an alphanumeric character (e.g. \
    'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric \
    characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. \
    'MyValue',  or 'my_value',  or '12345', regex used for validation is \
    '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const QUALIFIED: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and \
    must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or \
    '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

/// Finalizers that need no domain.
const STANDARD_FINALIZERS: &[&str] = &["foregroundDeletion", "kubernetes", "orphan"];

/// Largest size of all annotations together.
const ANNOTATIONS_MAX: usize = 256 * 1024;

/// What is wrong with an object's metadata.
pub fn meta_errors(kind: &Kind, rule: NameRule, meta: &ObjectMeta) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let name = meta.name.as_deref().unwrap_or_default();
    if let Some(why) = name_error(rule, name) {
        errors.push(FieldError::invalid_str("metadata.name", name, &why));
    }
    let namespace = meta.namespace.as_deref().unwrap_or_default();
    if kind.namespaced {
        if let Some(why) = name_error(NameRule::Label, namespace) {
            errors.push(FieldError::invalid_str("metadata.namespace", namespace, &why));
        }
    }
    for (key, value) in meta.labels.iter().flatten() {
        errors.extend(label_errors("metadata.labels", key, value));
    }
    let mut size = 0;
    for (key, value) in meta.annotations.iter().flatten() {
        size += key.len() + value.len();
        if let Some(why) = qualified_name_error(&key.to_ascii_lowercase()) {
            errors.push(FieldError::invalid_str("metadata.annotations", key, &why));
        }
    }
    for (i, finalizer) in meta.finalizers.iter().flatten().enumerate() {
        errors.extend(finalizer_error(i, finalizer));
    }
    if size > ANNOTATIONS_MAX {
        errors.push(FieldError::too_long("metadata.annotations", ANNOTATIONS_MAX));
    }
    errors
}

/// Finalizers are known ones or say whose they are.
fn finalizer_error(i: usize, name: &str) -> Option<FieldError> {
    let why = match qualified_name_error(name) {
        Some(why) => why,
        None if name.contains('/') || STANDARD_FINALIZERS.contains(&name) => return None,
        None => "name is neither a standard finalizer name nor is it fully qualified".into(),
    };
    Some(FieldError::invalid_str(format!("metadata.finalizers[{i}]"), name, &why))
}

/// What is wrong with one label.
pub fn label_errors(field: &str, key: &str, value: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if let Some(why) = qualified_name_error(key) {
        errors.push(FieldError::invalid_str(field, key, &why));
    }
    if let Some(why) = label_value_error(value) {
        errors.push(FieldError::invalid_str(field, value, &why));
    }
    errors
}

/// Why a name breaks a rule.
pub fn name_error(rule: NameRule, name: &str) -> Option<String> {
    let (ok, max, text) = match rule {
        NameRule::Subdomain => (is_subdomain(name), 253, SUBDOMAIN),
        NameRule::Label => (is_label(name), 63, LABEL),
        NameRule::Label1035 => {
            (is_label(name) && name.starts_with(|c: char| c.is_ascii_lowercase()), 63, LABEL_1035)
        }
        NameRule::PathSegment => return path_segment_error(name),
    };
    if name.len() > max {
        return Some(format!("must be no more than {max} bytes"));
    }
    (!ok).then(|| text.to_string())
}

fn path_segment_error(name: &str) -> Option<String> {
    if matches!(name, "." | "..") {
        return Some(format!("may not be '{name}'"));
    }
    let bad = name.chars().find(|c| matches!(c, '/' | '%'))?;
    Some(format!("may not contain '{bad}'"))
}

/// Why a label's key (or an annotation's, a finalizer's …) is no qualified name.
pub fn qualified_name_error(key: &str) -> Option<String> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    if let Some(prefix) = prefix {
        if prefix.is_empty() {
            return Some("prefix part must be non-empty".into());
        }
        if !is_subdomain(prefix) {
            return Some(format!("prefix part {SUBDOMAIN}"));
        }
    }
    if name.is_empty() {
        return Some("name part must be non-empty".into());
    }
    if name.len() > 63 {
        return Some("name part must be no more than 63 bytes".into());
    }
    (!is_qualified(name)).then(|| QUALIFIED.to_string())
}

/// What is wrong with a name that says whose it is (`example.com/queue`). Models
/// `IsDomainPrefixedPath`.
pub fn domain_prefixed_path(name: &str, at: &Path, errors: &mut Vec<FieldError>) {
    if name.is_empty() {
        errors.push(FieldError::required(at, ""));
    }
    let Some((domain, path)) = name.split_once('/').filter(|(d, p)| !d.is_empty() && !p.is_empty())
    else {
        let why = "must be a domain-prefixed path (such as \"acme.io/foo\")";
        return errors.push(FieldError::invalid_str(at, name, why));
    };
    if let Some(why) = name_error(NameRule::Subdomain, domain) {
        errors.push(FieldError::invalid_str(at, domain, &why));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "/-._~%!$&'()*+,;=:".contains(c);
    if !path.chars().all(allowed) {
        let why = "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')";
        errors.push(FieldError::invalid_str(at, path, why));
    }
}

/// Why a label's value is none.
pub fn label_value_error(value: &str) -> Option<String> {
    if value.len() > 63 {
        return Some("must be no more than 63 bytes".into());
    }
    (!value.is_empty() && !is_qualified(value)).then(|| LABEL_VALUE.to_string())
}

fn is_qualified(text: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn is_label(text: &str) -> bool {
    let alnum = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    bytes.first().is_some_and(alnum)
        && bytes.last().is_some_and(alnum)
        && bytes.iter().all(|b| alnum(b) || *b == b'-')
}

fn is_subdomain(text: &str) -> bool {
    !text.is_empty() && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_their_rules() {
        for (rule, name, ok) in [
            (NameRule::Subdomain, "a.b-c.d", true),
            (NameRule::Subdomain, "Web_1", false),
            (NameRule::Subdomain, "a..b", false),
            (NameRule::Label, "a.b", false),
            (NameRule::Label1035, "1a", false),
            (NameRule::Label1035, "a1", true),
            (NameRule::PathSegment, "system:node", true),
            (NameRule::PathSegment, "a/b", false),
        ] {
            assert_eq!(name_error(rule, name).is_none(), ok, "{rule:?} {name}");
        }
        assert!(qualified_name_error("kubernetes.io/name").is_none());
        assert!(qualified_name_error("/name").is_some());
        assert!(label_value_error("no spaces").is_some());
        assert!(label_value_error("").is_none());
    }
}
