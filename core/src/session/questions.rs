//! Answers to the page's questions why an object is as it is and what led to it, as plain data.

use std::rc::Rc;

use super::protocol::ObjectRef;
use crate::{
    api::Kind,
    client::Client,
    clusters::Current,
    explain,
    view::{Trace, Why},
};

/// Why an object is as it is; errors in words.
pub fn why(current: &Current, object: &ObjectRef) -> Result<Why, String> {
    let (client, kind) = find(current, object)?;
    explain::why(&client, &kind, &object.namespace, &object.name).map_err(|e| e.to_string())
}

/// What led to an object, and what it led to; errors in words.
pub fn trace(
    current: &Current,
    object: &ObjectRef,
    depth: Option<u32>,
    all: bool,
) -> Result<Trace, String> {
    let (client, kind) = find(current, object)?;
    let depth = depth.and_then(|depth| usize::try_from(depth).ok());
    explain::trace(&client, &kind, (&object.namespace, &object.name), depth, all)
        .ok_or_else(|| format!("nothing is remembered of {}", explain::called(&kind, &object.name)))
}

fn find(current: &Current, object: &ObjectRef) -> Result<(Client, Rc<Kind>), String> {
    let client = current.get().ok_or("there is no cluster")?.viewer();
    let kind = client.kinds().iter().find(|k| k.resource() == object.resource).cloned();
    let kind = kind.ok_or_else(|| format!("there is no resource type {}", object.resource))?;
    Ok((client, kind))
}
