//! The revisions that a workload has had: replica sets of deployments, controller revisions of
//! daemon sets and stateful sets. Models `kubectl/pkg/polymorphichelpers/{history,rollback}.go`.

use std::rc::Rc;

use k8s_openapi::api::apps::v1::{ControllerRevision, ReplicaSet};
use serde_json::{Value, json};

use super::group_kind;
use crate::{
    api::{gofmt::quote, meta::controller_of, object::to_value, patch},
    client::PatchType,
    programs::kubectl::{
        Conn, Error, describe,
        things::Thing,
        write::{self, at},
    },
};

use crate::programs::kubectl::write::CHANGE_CAUSE as CAUSE;
const REVISION: &str = "deployment.kubernetes.io/revision";

/// One revision of a workload.
pub(super) struct Revision {
    /// Its number.
    pub number: i64,
    /// What noted it: a replica set, or the workload as it was then.
    pub object: Value,
    /// Why it came to be, empty if nobody said.
    pub cause: String,
    /// The patch that brings it back, for daemon sets and stateful sets.
    pub patch: Option<Value>,
}

impl Revision {
    /// The pods' template then.
    pub fn template(&self) -> Value {
        at(&self.object, &["spec", "template"]).cloned().unwrap_or(Value::Null)
    }

    /// The template as it is described.
    pub fn text(&self) -> Result<String, Error> {
        let mut template = self.template();
        // Replica sets carry their cause themselves, and it is shown as the template's.
        if self.patch.is_none() && !self.cause.is_empty() {
            if let Some(map) = write::map_at(&mut template, &["metadata", "annotations"]) {
                map.insert(CAUSE.into(), self.cause.clone().into());
            }
        }
        Self::described(template)
    }

    /// The same as a dry run of going back shows it: without the cause.
    pub fn plain_text(&self) -> Result<String, Error> {
        Self::described(self.template())
    }

    fn described(template: Value) -> Result<String, Error> {
        describe::template_text(template)
            .map_err(|e| Error::plain(format!("unable to parse history: {e}")))
    }
}

/// A workload's revisions in order. `doing` ends the sentence about kinds that have none.
pub(super) fn of(conn: &Conn, thing: &Thing, missing: &str) -> Result<Vec<Revision>, Error> {
    let mut found = match &*thing.kind.kind {
        "Deployment" => replica_sets(conn, thing),
        "DaemonSet" | "StatefulSet" => controller_revisions(conn, thing)?,
        _ => {
            let kind = quote(&group_kind(thing));
            // What is no workload at all is turned away elsewhere.
            let pods = ["apps", "batch", "extensions"].contains(&&*thing.kind.group)
                || ["Pod", "ReplicationController"].contains(&&*thing.kind.kind);
            if !pods {
                let what = missing.split(' ').next().unwrap_or(missing);
                let name = format!("{{{} {}}}", thing.kind.group, thing.kind.kind);
                return Err(Error::plain(format!(
                    "error retrieving {what} for {kind}, no visitor method exists for {name}"
                )));
            }
            return Err(Error::plain(format!("no {missing} has been implemented for {kind}")));
        }
    };
    found.sort_by_key(|r| r.number);
    Ok(found)
}

fn uid(thing: &Thing) -> &str {
    at(&thing.object, &["metadata", "uid"]).and_then(Value::as_str).unwrap_or("")
}

fn replica_sets(conn: &Conn, thing: &Thing) -> Vec<Revision> {
    let all: Vec<Rc<ReplicaSet>> = conn.client.list(Some(&thing.namespace));
    let mine = all
        .into_iter()
        .filter(|rs| controller_of(&rs.metadata).is_some_and(|owner| owner.uid == uid(thing)));
    mine.filter_map(|rs| {
        let annotations = rs.metadata.annotations.as_ref()?;
        Some(Revision {
            number: annotations.get(REVISION)?.parse().ok()?,
            cause: annotations.get(CAUSE).cloned().unwrap_or_default(),
            object: to_value(&*rs),
            patch: None,
        })
    })
    .collect()
}

fn controller_revisions(conn: &Conn, thing: &Thing) -> Result<Vec<Revision>, Error> {
    let selector = crate::programs::kubectl::pods::selector_of_value(&thing.object)?;
    let all: Vec<Rc<ControllerRevision>> = conn.client.list(Some(&thing.namespace));
    let mut found = Vec::new();
    for revision in all {
        let meta = &revision.metadata;
        let mine = controller_of(meta).is_some_and(|owner| owner.uid == uid(thing));
        if !mine || !selector.matches(meta.labels.as_ref()) {
            continue;
        }
        let change = revision.data.as_ref().map_or(Value::Null, |data| data.0.clone());
        let object = thing.object.clone();
        let object = patch::apply(&thing.kind, PatchType::Strategic, object, change.clone())
            .map_err(Error::plain)?;
        let cause = meta.annotations.as_ref().and_then(|a| a.get(CAUSE)).cloned();
        found.push(Revision {
            number: revision.revision,
            object,
            cause: cause.unwrap_or_default(),
            patch: Some(change),
        });
    }
    Ok(found)
}

/// What a daemon set's or stateful set's controller notes of the template that it has now.
pub(super) fn patch_of(object: &Value) -> Value {
    let mut template = at(object, &["spec", "template"]).cloned().unwrap_or(Value::Null);
    if let Some(map) = template.as_object_mut() {
        map.insert("$patch".into(), "replace".into());
    }
    json!({"spec": {"template": template}})
}
