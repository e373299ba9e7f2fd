//! Deleting objects: at once, gracefully, or when the last finalizer is gone.
//!
//! Models `store.Delete` and `rest.BeforeDelete`.

use std::time::Duration;

use super::{
    ApiServer, RequestCx, admission,
    read::ListOptions,
    strategy::{DynStrategy, StrategyCx},
};
use crate::{
    api::{Kind, KindId, ObjRef, Object, Status},
    sim::{Time, trace::Did},
};

/// What happens to what an object owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// The garbage collector deletes it afterwards.
    #[default]
    Background,
    /// The object waits until it is deleted.
    Foreground,
    /// It stays, without owner.
    Orphan,
}

/// How something is deleted.
#[derive(Clone, Debug, Default)]
pub struct DeleteOptions {
    /// Seconds of grace; `None` for the object's own.
    pub grace_seconds: Option<i64>,
    /// What happens to what it owns.
    pub propagation: Propagation,
    /// Only if this is its uid.
    pub uid: Option<String>,
    /// Only if this is its resource version.
    pub resource_version: Option<String>,
}

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

impl ApiServer {
    /// Deletes an object, or begins to. Returns its last state, and whether it is gone.
    /// Errors: NotFound, Conflict (preconditions).
    pub fn delete(
        &self,
        cx: &RequestCx,
        kind: KindId,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<(ObjRef, bool), Status> {
        self.count_request();
        let stored = self.storage_of(kind);
        let gone = self.delete_stored(cx, (kind, stored), (namespace, name), options)?;
        Ok((self.shown(kind, gone.0), gone.1))
    }

    fn delete_stored(
        &self,
        cx: &RequestCx,
        (shown, kind): (KindId, KindId),
        (namespace, name): (&str, &str),
        options: &DeleteOptions,
    ) -> Result<(ObjRef, bool), Status> {
        let old =
            self.store().get(kind, namespace, name).ok_or_else(|| self.not_found(shown, name))?;
        let kind = self.kind(kind);
        check_preconditions(&kind, &old, options)?;
        let strategy = self.strategy(kind.id);
        let scx = StrategyCx { api: self, request: cx, now: self.sim().now() };
        let attributes =
            admission::Attributes { api: self, request: cx, kind: &kind, old: Some(&*old) };
        admission::delete(&attributes, &*old)?;
        let mut new = old.boxed_clone();
        set_propagation_finalizers(&mut *new, options.propagation);
        let was = old.metadata().deletion_grace_period_seconds;
        let begun = old.metadata().deletion_timestamp.is_some();
        if begun {
            shorten(&mut *new, options.grace_seconds, was);
        } else {
            let grace = strategy.grace(&*old, options.grace_seconds).unwrap_or(0).max(0);
            strategy.deletion_begins(&mut *new);
            let meta = new.metadata_mut();
            let at = scx.now + Duration::from_secs(grace as u64);
            meta.deletion_timestamp = Some(at.to_meta());
            meta.deletion_grace_period_seconds = Some(grace);
            if let Some(generation) = meta.generation.filter(|g| *g > 0) {
                meta.generation = Some(generation + 1);
            }
        }
        if cx.dry_run {
            return Ok((new.into_rc(), false));
        }
        if is_finished(&*strategy, &*new) {
            return Ok((self.remove(&scx, &*strategy, &old, new)?, true));
        }
        if new.equals(&*old) {
            return Ok((old, false));
        }
        let stored = self.store().update(&old, new, cx.by(Did::Changed));
        let stored = stored.map_err(|_| Status::modified(&kind, name))?;
        Ok((stored, false))
    }

    /// Deletes all objects of a kind in a namespace that the options select.
    pub fn delete_collection(
        &self,
        cx: &RequestCx,
        kind: KindId,
        namespace: Option<&str>,
        select: &ListOptions,
        options: &DeleteOptions,
    ) -> Result<Vec<ObjRef>, Status> {
        let objects = self.list(kind, namespace, select)?;
        let mut deleted = Vec::new();
        for object in objects {
            match self.delete(cx, kind, object.namespace(), object.name(), options) {
                Ok((object, _)) => deleted.push(object),
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(deleted)
    }
}

/// A second delete can only shorten the grace, counted from the first.
fn shorten(object: &mut dyn Object, wanted: Option<i64>, was: Option<i64>) {
    let (Some(was), Some(wanted)) = (was, wanted) else { return };
    let wanted = wanted.max(0);
    let meta = object.metadata_mut();
    if wanted >= was {
        return;
    }
    if let Some(at) = &meta.deletion_timestamp {
        let begun = Time::from(at) - Duration::from_secs(was.max(0) as u64);
        meta.deletion_timestamp = Some((begun + Duration::from_secs(wanted as u64)).to_meta());
        meta.deletion_grace_period_seconds = Some(wanted);
    }
}

/// Whether an object that is being deleted has nothing left to wait for.
pub(super) fn is_finished(strategy: &dyn DynStrategy, object: &dyn Object) -> bool {
    let meta = object.metadata();
    meta.deletion_timestamp.is_some()
        && meta.finalizers.as_ref().is_none_or(Vec::is_empty)
        && meta.deletion_grace_period_seconds.unwrap_or(0) == 0
        && strategy.may_be_removed(object)
}

fn set_propagation_finalizers(object: &mut dyn Object, propagation: Propagation) {
    let meta = object.metadata_mut();
    let mut finalizers = meta.finalizers.take().unwrap_or_default();
    finalizers.retain(|f| f != FOREGROUND && f != ORPHAN);
    match propagation {
        Propagation::Background => {}
        Propagation::Foreground => finalizers.push(FOREGROUND.into()),
        Propagation::Orphan => finalizers.push(ORPHAN.into()),
    }
    meta.finalizers = (!finalizers.is_empty()).then_some(finalizers);
}

fn check_preconditions(kind: &Kind, old: &ObjRef, options: &DeleteOptions) -> Result<(), Status> {
    let checks = [
        ("UID", &options.uid, &old.metadata().uid),
        ("ResourceVersion", &options.resource_version, &old.metadata().resource_version),
    ];
    for (what, wanted, have) in checks {
        if wanted.is_some() && wanted != have {
            let why = format!(
                "Precondition failed: {what} in precondition: {}, {what} in object meta: {}",
                wanted.as_deref().unwrap_or_default(),
                have.as_deref().unwrap_or_default()
            );
            return Err(Status::conflict(kind, old.name(), &why));
        }
    }
    Ok(())
}
