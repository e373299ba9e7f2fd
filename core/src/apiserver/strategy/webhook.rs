//! What all references to webhooks must be like. Models `apiserver/pkg/util/webhook/validation.go`.

use super::{NameRule, metadata::name_error};
use crate::api::{FieldError, Path};

/// Namespace, name, path and port of a service that a webhook is at.
pub type ServiceRef<'a> = (&'a str, &'a str, Option<&'a str>, i32);

/// A URL that a webhook is at.
pub fn check_url(url: &str, at: &Path, errors: &mut Vec<FieldError>) {
    const FORM: &str = "; desired format: https://host[/path]";
    let mut wrong = |what: &str, why: &str| {
        errors.push(FieldError::invalid_str(*at, what, &format!("{why}{FORM}")));
    };
    let Some((scheme, rest)) = url.split_once("://") else {
        return wrong(url, "'https' is the only allowed URL scheme");
    };
    if scheme != "https" {
        wrong(scheme, "'https' is the only allowed URL scheme");
    }
    let (place, query) = rest.split_once('?').map_or((rest, ""), |(p, q)| (p, q));
    let host = place.split('/').next().unwrap_or_default();
    if host.is_empty() {
        wrong(host, "host must be specified");
    }
    if let Some((user, _)) = host.split_once('@') {
        wrong(user, "user information is not permitted in the URL");
    }
    if let Some((_, fragment)) = rest.split_once('#') {
        wrong(fragment, "fragments are not permitted in the URL");
    }
    if !query.is_empty() {
        wrong(query, "query parameters are not permitted in the URL");
    }
}

/// A service that a webhook is at.
pub fn check_service(
    (namespace, name, path, port): ServiceRef,
    at: &Path,
    errors: &mut Vec<FieldError>,
) {
    if name.is_empty() {
        errors.push(FieldError::required(at.child("name"), "service name is required"));
    }
    if namespace.is_empty() {
        let why = "service namespace is required";
        errors.push(FieldError::required(at.child("namespace"), why));
    }
    if !(1..=65_535).contains(&port) {
        let why = "port is not valid: must be between 1 and 65535, inclusive";
        errors.push(FieldError::invalid(at.child("port"), port, why));
    }
    let Some(path) = path else { return };
    if path == "/" || path.is_empty() {
        return;
    }
    let at = at.child("path");
    if path == "//" {
        let why = "segment[0] may not be empty";
        return errors.push(FieldError::invalid_str(at, path, why));
    }
    if !path.starts_with('/') {
        errors.push(FieldError::invalid_str(at, path, "must start with a '/'"));
    }
    let inner = path.strip_prefix('/').unwrap_or(path);
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    for (i, part) in inner.split('/').enumerate() {
        if part.is_empty() {
            let why = format!("segment[{i}] may not be empty");
            errors.push(FieldError::invalid_str(at, path, &why));
        } else if let Some(why) = name_error(NameRule::Subdomain, part) {
            let why = format!("segment[{i}]: {why}");
            errors.push(FieldError::invalid_str(at, path, &why));
        }
    }
}

/// Versions of the review that a webhook understands; `known` are ours.
pub fn check_review_versions(
    versions: &[String],
    known: &[&str],
    at: &Path,
    errors: &mut Vec<FieldError>,
) {
    if versions.is_empty() {
        let why = format!("must specify one of {}", known.join(", "));
        return errors.push(FieldError::required(*at, &why));
    }
    let mut seen: Vec<&String> = Vec::new();
    let mut any = false;
    for (i, version) in versions.iter().enumerate() {
        let at = at.index(i);
        if seen.contains(&version) {
            errors.push(FieldError::invalid_str(at, version, "duplicate version"));
            continue;
        }
        if let Some(why) = name_error(NameRule::Label1035, version) {
            errors.push(FieldError::invalid_str(at, version, &why));
        }
        any |= known.contains(&version.as_str());
        seen.push(version);
    }
    if !any {
        let text = format!("[{}]", versions.join(" "));
        let why = format!("must include at least one of {}", known.join(", "));
        errors.push(FieldError::invalid(*at, text, &why));
    }
}
