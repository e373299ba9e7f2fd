//! Subresources: what one line each does with a part of an object.

use std::rc::Rc;

use k8s_openapi::api::authentication::v1::TokenRequest;
use serde_json::{Value, json};

use super::{Call, Handled, not_allowed, page_not_found, path::Target};
use crate::{
    api::{
        Kind, Status,
        object::{from_value, to_value},
    },
    apiserver::{Subresource, auth::Attributes},
};

type Handler = fn(&Call, &Rc<Kind>, &Target, &str) -> Handled;

/// Sorted by name. A kind has those that its line in the table of kinds names.
const HANDLERS: &[(&str, Handler)] = &[
    ("approval", other),
    ("attach", |call, kind, target, name| call.attach(kind, target, name)),
    ("binding", binding),
    ("ephemeralcontainers", other),
    ("eviction", eviction),
    ("exec", |call, kind, target, name| call.exec(kind, target, name)),
    ("finalize", finalize),
    ("log", |call, kind, target, name| call.log(kind, target, name)),
    ("portforward", |call, kind, target, name| call.port_forward(kind, target, name)),
    ("proxy", |call, kind, target, name| call.proxy(kind, target, name)),
    ("resize", |call, kind, target, name| part(call, kind, target, name, Subresource::Resize)),
    ("scale", |call, kind, target, name| call.scale(kind, target, name)),
    ("status", status),
    ("token", token),
];

impl Call<'_> {
    pub(super) fn subresource(&self, kind: &Rc<Kind>, target: &Target) -> Handled {
        let (Some(name), Some(sub)) = (target.name, target.subresource) else {
            return Ok(page_not_found().into());
        };
        let handler = HANDLERS.iter().find(|(own, _)| *own == sub);
        match handler {
            Some((_, handler)) if kind.subresources.contains(&sub) => {
                handler(self, kind, target, name)
            }
            _ => Err(super::no_such_resource()),
        }
    }

    /// Whether the user may do this. Errors: Forbidden.
    pub(super) fn permit(&self, verb: &str, kind: &Kind, target: &Target) -> Result<(), Status> {
        let wish = Attributes::of(verb, kind, target.ns(), target.name.unwrap_or_default());
        let wish = wish.of_subresource(target.subresource.unwrap_or_default());
        self.api.authorize(&self.cx, &wish)
    }

    /// A success without an object, as subresources answer that only do something.
    pub(super) fn success(&self, code: u16) -> Handled {
        let value = json!({"kind": "Status", "apiVersion": "v1", "metadata": {},
            "status": "Success", "code": code});
        Ok(self.accept.plain().encode(code, &value).into())
    }
}

fn part(call: &Call, kind: &Rc<Kind>, target: &Target, name: &str, sub: Subresource) -> Handled {
    match call.method() {
        "GET" | "HEAD" => call.get(kind, target, name),
        "PUT" => call.update(kind, target, name, sub),
        "PATCH" => call.patch(kind, target, name, sub),
        _ => Err(not_allowed()),
    }
}

fn status(call: &Call, kind: &Rc<Kind>, target: &Target, name: &str) -> Handled {
    part(call, kind, target, name, Subresource::Status)
}

fn other(call: &Call, kind: &Rc<Kind>, target: &Target, name: &str) -> Handled {
    part(call, kind, target, name, Subresource::Other)
}

fn finalize(call: &Call, kind: &Rc<Kind>, target: &Target, name: &str) -> Handled {
    match call.method() {
        "PUT" => call.update(kind, target, name, Subresource::Other),
        _ => Err(not_allowed()),
    }
}

fn binding(call: &Call, kind: &Rc<Kind>, target: &Target, name: &str) -> Handled {
    if call.method() != "POST" {
        return Err(not_allowed());
    }
    call.permit("create", kind, target)?;
    let value = call.value("Binding")?;
    let node = value.pointer("/target/name").and_then(Value::as_str).unwrap_or_default();
    if node.is_empty() {
        let why = "Binding \"\" is invalid: target.name: Required value";
        return Err(Status::new(422, "Invalid", why));
    }
    call.api.bind(&call.cx, target.ns(), name, node)?;
    call.success(201)
}

/// Models `pkg/registry/core/pod/storage/eviction.go`.
fn eviction(call: &Call, kind: &Rc<Kind>, target: &Target, name: &str) -> Handled {
    if call.method() != "POST" {
        return Err(not_allowed());
    }
    call.permit("create", kind, target)?;
    let value = call.value("Eviction")?;
    let own = value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    if own != name {
        return Err(Status::bad_request("name in URL does not match name in Eviction object"));
    }
    let (options, dry_run) = match value.get("deleteOptions") {
        Some(options) => super::write::delete_options(options)?,
        None => Default::default(),
    };
    let cx = call.cx.clone().dry_run(call.cx.dry_run || dry_run);
    call.api.evict(&cx, target.ns(), name, &options)?;
    call.success(201)
}

/// A token for a service account.
fn token(call: &Call, kind: &Rc<Kind>, target: &Target, name: &str) -> Handled {
    if call.method() != "POST" {
        return Err(not_allowed());
    }
    call.permit("create", kind, target)?;
    let value = call.value("TokenRequest")?;
    let value = if value.is_null() { json!({}) } else { value };
    let request: TokenRequest = from_value(value).map_err(|error| {
        let why =
            format!("TokenRequest in version \"v1\" cannot be handled as a TokenRequest: {error}");
        Status::bad_request(why)
    })?;
    let made = call.api.create_token(target.ns(), name, request)?;
    Ok(call.document(201, &to_value(&made)).into())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_table_is_sorted() {
        assert!(super::HANDLERS.is_sorted_by_key(|(name, _)| *name));
    }
}
