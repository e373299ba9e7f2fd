//! Waiting for an object to be as it is wanted, by watching it.

use std::time::Duration;

use serde_json::Value;

use crate::{
    client::{ListOptions, Op},
    programs::kubectl::{Conn, Cx, Error, things::Thing},
    sim::{Either, race},
};

/// Waits until `done` holds for the object (`None`: it is gone), for at most `nanos`; negative or
/// zero: a week, as upstream. Errors: the time ran out.
pub async fn until(
    cx: &Cx,
    conn: &Conn,
    thing: &Thing,
    nanos: i64,
    done: impl Fn(Option<&Value>) -> bool,
) -> Result<Option<Value>, Error> {
    let timeout = if nanos > 0 { nanos.unsigned_abs() } else { 7 * 24 * 3600 * 1_000_000_000 };
    match race(watch(conn, thing, done), cx.proc.sleep(Duration::from_nanos(timeout))).await {
        Either::Left(result) => result,
        Either::Right(()) => Err(Error::plain(format!(
            "timed out waiting for the condition on {}/{}",
            thing.kind.plural, thing.name
        ))),
    }
}

async fn watch(
    conn: &Conn,
    thing: &Thing,
    done: impl Fn(Option<&Value>) -> bool,
) -> Result<Option<Value>, Error> {
    let fields = crate::api::selector::FieldSelector::one("metadata.name", &thing.name);
    let options = ListOptions { fields, ..ListOptions::default() };
    let namespace = Some(thing.namespace.as_str());
    let since = Some(conn.client.revision());
    let mut stream = conn.client.watch(thing.kind.id, namespace, &options, since)?;
    let current = conn.client.get_any(thing.kind.id, &thing.namespace, &thing.name).ok();
    let current = current.map(|o| o.to_value());
    if done(current.as_ref()) {
        return Ok(current);
    }
    while let Some(event) = stream.next().await {
        let value = event.object.to_value();
        let value = (event.op != Op::Deleted).then_some(value);
        if done(value.as_ref()) {
            return Ok(value);
        }
    }
    Err(Error::plain("the watch was closed by the server"))
}
