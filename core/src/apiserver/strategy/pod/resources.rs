//! What is wrong with requests and limits.
//!
//! Models `ValidateContainerResourceRequirements` and `ValidateResourceQuantityValue`.

use k8s_openapi::api::core::v1::{ResourceFieldSelector, ResourceRequirements};

use crate::{
    api::{FieldError, Path, quantity::Amount, quota},
    apiserver::strategy::metadata::qualified_name_error,
};

/// Requests and limits of a container.
pub fn check(wanted: &ResourceRequirements, at: &Path, errors: &mut Vec<FieldError>) {
    let limits_at = at.child("limits");
    for (name, limit) in wanted.limits.iter().flatten() {
        let at = limits_at.key(name);
        container_name(name, &at, errors);
        value(name, Amount::of(limit), &at, errors);
    }
    let requests_at = at.child("requests");
    for (name, request) in wanted.requests.iter().flatten() {
        let at = requests_at.key(name);
        let request = Amount::of(request);
        container_name(name, &at, errors);
        value(name, request, &at, errors);
        let text = format!("{:?}", request.to_string());
        match wanted.limits.as_ref().and_then(|l| l.get(name)).map(Amount::of) {
            Some(limit) if request != limit && !may_overcommit(name) => {
                let why = format!("must be equal to {name} limit of {limit}");
                errors.push(FieldError::invalid(requests_at, text, &why));
            }
            Some(limit) if request > limit => {
                let why = format!("must be less than or equal to {name} limit of {limit}");
                errors.push(FieldError::invalid(requests_at, text, &why));
            }
            None if !may_overcommit(name) => {
                let why = "Limit must be set for non overcommitable resources";
                errors.push(FieldError::required(limits_at, why));
            }
            _ => {}
        }
    }
}

/// A quantity that can't be negative, nor broken where it counts things.
pub fn value(name: &str, amount: Amount, at: &Path, errors: &mut Vec<FieldError>) {
    if amount.is_negative() {
        let why = "must be greater than or equal to 0";
        errors.push(FieldError::invalid_str(at, &amount.to_string(), why));
    } else if is_counted(name) && !amount.is_whole() {
        errors.push(FieldError::invalid_str(at, &amount.to_string(), "must be an integer"));
    }
}

fn is_counted(name: &str) -> bool {
    name == "pods" || (name.contains('/') && !name.contains("kubernetes.io/"))
}

fn may_overcommit(name: &str) -> bool {
    (!name.contains('/') || name.contains("kubernetes.io/")) && !name.starts_with("hugepages-")
}

/// A name of a container's resource (`ValidateContainerResourceName`).
pub fn container_name(name: &str, at: &Path, errors: &mut Vec<FieldError>) {
    if let Some(why) = qualified_name_error(name) {
        errors.push(FieldError::invalid_str(at, name, &why));
    }
    if name.contains('/') {
        return;
    }
    if !is_standard(name) {
        let why = "must be a standard resource type or fully qualified";
        errors.push(FieldError::invalid_str(at, name, why));
    }
    let of_containers = matches!(name, "cpu" | "memory" | "ephemeral-storage");
    if !of_containers && !name.starts_with("hugepages-") {
        let why = "must be a standard resource for containers";
        errors.push(FieldError::invalid_str(at, name, why));
    }
}

/// Names of resources that Kubernetes itself knows (`IsStandardResourceName`).
pub fn is_standard(name: &str) -> bool {
    name == "storage"
        || quota::STANDARD.contains(&name)
        || name.starts_with("hugepages-")
        || name.starts_with("requests.hugepages-")
}

/// A reference to a container's request or limit.
pub fn field_ref(field: &ResourceFieldSelector, at: &Path, errors: &mut Vec<FieldError>) {
    const KNOWN: &[&str] = &[
        "limits.cpu",
        "limits.ephemeral-storage",
        "limits.memory",
        "requests.cpu",
        "requests.ephemeral-storage",
        "requests.memory",
    ];
    if field.resource.is_empty() {
        errors.push(FieldError::required(at.child("resource"), ""));
    } else if !KNOWN.contains(&field.resource.as_str()) && !field.resource.contains("hugepages-") {
        errors.push(FieldError::not_supported(at.child("resource"), &field.resource, KNOWN));
    }
    divisor(field, at, errors);
}

/// By what a request or limit is divided. Models `validateContainerResourceDivisor`.
pub fn divisor(field: &ResourceFieldSelector, at: &Path, errors: &mut Vec<FieldError>) {
    const BYTES: &[&str] =
        &["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"];
    const CPU: &[&str] = &["1m", "1"];
    let divisor = field.divisor.as_ref().map(Amount::of).filter(|d| !d.is_zero());
    let Some(divisor) = divisor.map(|d| d.to_string()) else { return };
    let resource = field.resource.as_str();
    let (known, what) = match resource {
        "limits.cpu" | "requests.cpu" => (CPU, "the cpu"),
        "limits.memory" | "requests.memory" => (BYTES, "the memory"),
        "limits.ephemeral-storage" | "requests.ephemeral-storage" => {
            (BYTES, "the local ephemeral storage")
        }
        r if r.contains("hugepages-") => (BYTES, "the hugepages"),
        _ => return,
    };
    if known.contains(&divisor.as_str()) {
        return;
    }
    let list = match known.len() {
        2 => "1m and 1".to_owned(),
        _ => known.join(", "),
    };
    let why = format!("only divisor's values {list} are supported with {what} resource");
    errors.push(FieldError::invalid_str(at.child("divisor"), resource, &why));
}
