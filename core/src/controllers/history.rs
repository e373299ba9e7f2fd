//! ControllerRevisions: the history of templates that DaemonSets and StatefulSets keep.
//!
//! Models `pkg/controller/history` and `pkg/controller/daemon/update.go` (`constructHistory`).

use std::rc::Rc;

use k8s_openapi::{
    api::{apps::v1::ControllerRevision, core::v1::PodTemplateSpec},
    apimachinery::pkg::{apis::meta::v1::ObjectMeta, runtime::RawExtension},
};
use serde_json::{Value, json};

use super::{deployment::template_hash, owners};
use crate::{
    api::{
        Object, Status,
        meta::{controller_of, controller_ref, label},
        object::to_value,
        selector::Selector,
    },
    client::{Client, DeleteOptions, IndexId},
};

/// The label of pods (and of a DaemonSet's revisions) that names a template.
pub const HASH_LABEL: &str = "controller-revision-hash";
/// The label of a StatefulSet's revisions that holds the template's hash.
pub const REVISION_LABEL: &str = "controller.kubernetes.io/hash";

/// Index: revisions by the uid of their controller, or `orphan/<namespace>`.
pub fn by_controller(object: &dyn Object) -> Vec<String> {
    match controller_of(object.metadata()) {
        Some(owner) => vec![owner.uid.clone()],
        None => vec![format!("orphan/{}", object.namespace())],
    }
}

/// One owner's history.
pub struct History<'a> {
    /// The client.
    pub client: &'a Client,
    /// The index [`by_controller`].
    pub index: IndexId,
    /// The owner.
    pub owner: &'a dyn Object,
    /// Its selector.
    pub selector: &'a Selector,
    /// The label of revisions that holds the hash.
    pub label: &'static str,
}

/// What a revision holds: a patch that brings the template back.
fn data(template: &PodTemplateSpec) -> Value {
    let mut template = to_value(template);
    if let Some(map) = template.as_object_mut() {
        map.insert("$patch".into(), json!("replace"));
    }
    json!({"spec": {"template": template}})
}

/// The hash that a revision stands for.
pub fn hash_of(revision: &ControllerRevision) -> &str {
    label(&revision.metadata, HASH_LABEL).unwrap_or_default()
}

impl History<'_> {
    /// All revisions, oldest first.
    pub fn all(&self) -> Result<Vec<Rc<ControllerRevision>>, Status> {
        let mut found = self.client.by_index(self.index, self.owner.uid());
        let orphans = format!("orphan/{}", self.owner.namespace());
        found.extend(self.client.by_index::<ControllerRevision>(self.index, &orphans));
        let mut mine = owners::claim(self.client, self.owner, self.selector, found)?;
        mine.sort_by_key(|r| (r.revision, r.metadata.creation_timestamp.clone()));
        Ok(mine)
    }

    /// The revision of the template, made or made the newest if need be, and all others, oldest
    /// first. Errors: AlreadyExists when another template has its name; then `collisions` is to
    /// be counted up.
    pub fn current(
        &self,
        template: &PodTemplateSpec,
        collisions: Option<i32>,
    ) -> Result<(Rc<ControllerRevision>, Vec<Rc<ControllerRevision>>), Status> {
        let mut all = self.all()?;
        let wanted = data(template);
        let equal = |r: &Rc<ControllerRevision>| r.data.as_ref().is_some_and(|d| d.0 == wanted);
        let newest = all.last().map_or(0, |r| r.revision);
        if let Some(place) = all.iter().rposition(equal) {
            let found = all.remove(place);
            if found.revision == newest {
                return Ok((found, all));
            }
            let mut again = (*found).clone();
            again.revision = newest + 1;
            return Ok((self.client.update(again)?, all));
        }
        let hash = template_hash(template, collisions);
        let mut labels =
            template.metadata.as_ref().and_then(|m| m.labels.clone()).unwrap_or_default();
        labels.insert(self.label.into(), hash.clone());
        let made = self.client.create(ControllerRevision {
            metadata: ObjectMeta {
                name: Some(format!("{}-{hash}", self.owner.name())),
                namespace: Some(self.owner.namespace().to_string()),
                labels: Some(labels),
                annotations: self.owner.metadata().annotations.clone(),
                owner_references: Some(vec![controller_ref(&self.client.kinds(), self.owner)]),
                ..Default::default()
            },
            data: Some(RawExtension(wanted)),
            revision: newest + 1,
        })?;
        Ok((made, all))
    }

    /// Deletes the oldest of `old` beyond `limit` that no pod is made from (`is_live`).
    pub fn clean_up(
        &self,
        old: &[Rc<ControllerRevision>],
        limit: i32,
        is_live: impl Fn(&ControllerRevision) -> bool,
    ) -> Result<(), Status> {
        let dead: Vec<_> = old.iter().filter(|r| !is_live(r)).collect();
        let excess = dead.len().saturating_sub(limit.max(0) as usize);
        for revision in dead.into_iter().take(excess) {
            let object: &dyn Object = &**revision;
            let (ns, name) = (object.namespace(), object.name());
            let options = DeleteOptions::default();
            match self.client.delete::<ControllerRevision>(ns, name, &options) {
                Err(error) if !error.is_not_found() => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}
