//! Apply sets: an object notes which kinds and namespaces belong to it, members carry its label, and
//! pruning deletes members that were not applied. Models `k8s.io/kubectl/pkg/cmd/apply/applyset.go`.

use std::{collections::BTreeSet, rc::Rc};

use serde_json::json;

use super::prune;
use crate::{
    api::{Kind, base64, gofmt::quote},
    client::Subresource,
    programs::{
        kubectl::{
            Conn, Cx, Error,
            flags::Parsed,
            manifest::Manifest,
            resources::{self, Query},
            write::{self, DryRun},
        },
        support::digest::sha256,
    },
};

const TOOLING: &str = "applyset.kubernetes.io/tooling";
const NAMESPACES: &str = "applyset.kubernetes.io/additional-namespaces";
const KINDS: &str = "applyset.kubernetes.io/contains-group-kinds";
const ID: &str = "applyset.kubernetes.io/id";
const PART_OF: &str = "applyset.kubernetes.io/part-of";
const MANAGER: &str = "kubectl-applyset";

/// A set that is being applied.
pub(super) struct ApplySet {
    kind: Rc<Kind>,
    namespace: String,
    name: String,
    /// Kinds (`Deployment.apps`) and namespaces that the parent names now.
    known: (BTreeSet<String>, BTreeSet<String>),
    /// The same of what is applied.
    wanted: (BTreeSet<String>, BTreeSet<String>),
}

impl ApplySet {
    /// The set that `--applyset` names.
    pub(super) fn of(conn: &Conn, p: &Parsed) -> Result<Option<ApplySet>, Error> {
        let given = p.str("applyset");
        if given.is_empty() {
            return Ok(None);
        }
        let (word, name) = given.split_once('/').unwrap_or(("secrets", given));
        let about = |e: Error| e.about(&format!("invalid parent reference {}", quote(given)));
        if name.is_empty() {
            return Err(about(Error::plain("name cannot be blank")));
        }
        let kind = resources::kind_for(conn, word).map_err(|_| {
            let (word, group) = word.split_once('.').unwrap_or((word, ""));
            about(Error::plain(format!("no matches for {group}/, Resource={word}")))
        })?;
        if kind.namespaced && !conn.namespace_given {
            let text = "namespace is required to use namespace-scoped ApplySet";
            return Err(Error::plain(text));
        }
        if !(kind.group.is_empty() && ["secrets", "configmaps"].contains(&&*kind.plural)) {
            let resource = format!("{}/{}, Resource={}", kind.group, kind.version, kind.plural);
            let text =
                format!("resource {} is not permitted as an ApplySet parent", quote(&resource));
            return Err(Error::plain(text));
        }
        let (namespace, name) = (conn.namespace.clone(), name.to_owned());
        let mut set = ApplySet {
            kind,
            namespace,
            name,
            known: Default::default(),
            wanted: Default::default(),
        };
        set.fetch(conn)?;
        Ok(Some(set))
    }

    /// As errors name the parent.
    fn text(&self) -> String {
        quote(&format!("{}.{}/{}", self.kind.plural, self.kind.group, self.name))
    }

    fn id(&self) -> String {
        let text = [&*self.name, &*self.namespace, &*self.kind.kind, &*self.kind.group].join(".");
        let hex = sha256(text.as_bytes());
        let byte = |at: usize| hex.get(at..at + 2).and_then(|d| u8::from_str_radix(d, 16).ok());
        let bytes: Vec<u8> = (0..hex.len()).step_by(2).filter_map(byte).collect();
        let hash = base64::encode(&bytes);
        let hash = hash.trim_end_matches('=').replace('+', "-").replace('/', "_");
        format!("applyset-{hash}-v1")
    }

    /// Reads what the parent says, if it is there.
    fn fetch(&mut self, conn: &Conn) -> Result<(), Error> {
        let parent = match conn.client.get_any(self.kind.id, &self.namespace, &self.name) {
            Ok(parent) => parent,
            Err(e) if e.is_not_found() => return Ok(()),
            Err(e) => {
                let text = format!("failed to fetch ApplySet parent object {}", self.text());
                return Err(Error::from(e).about(&text));
            }
        };
        let empty = Default::default();
        let meta = parent.metadata();
        let notes = meta.annotations.as_ref().unwrap_or(&empty);
        let labels = meta.labels.as_ref().unwrap_or(&empty);
        let text = self.text();
        let Some(tool) = notes.get(TOOLING) else {
            return Err(Error::plain(format!(
                "ApplySet parent object {text} already exists and is missing required annotation {}",
                quote(TOOLING)
            )));
        };
        let tool = tool.rsplit_once('/').map_or(tool.as_str(), |(name, _)| name);
        if tool != "kubectl" {
            return Err(Error::plain(format!(
                "ApplySet parent object {text} already exists and is managed by tooling {} instead \
                 of \"kubectl\"",
                quote(tool)
            )));
        }
        match labels.get(ID) {
            None => {
                return Err(Error::plain(format!(
                    "ApplySet parent object {text} exists and does not have required label {ID}"
                )));
            }
            Some(id) if *id != self.id() => {
                return Err(Error::plain(format!(
                    "ApplySet parent object {text} exists and has incorrect value for label {} \
                     (got: {id}, want: {})",
                    quote(ID),
                    self.id()
                )));
            }
            Some(_) => {}
        }
        let Some(kinds) = notes.get(KINDS) else {
            return Err(Error::plain(format!(
                "parsing ApplySet annotation on {text}: kubectl requires the {} annotation to be set \
                 on all ApplySet parent objects",
                quote(KINDS)
            )));
        };
        let words = |text: &str| -> BTreeSet<String> {
            text.split(',').filter(|w| !w.is_empty()).map(str::to_owned).collect()
        };
        self.known = (words(kinds), words(notes.get(NAMESPACES).map_or("", String::as_str)));
        self.known.1.insert(self.namespace.clone());
        Ok(())
    }

    /// Puts the members' label on what is to be applied.
    pub(super) fn label(&mut self, manifests: &mut [Manifest]) -> Result<(), Error> {
        let id = self.id();
        for manifest in manifests {
            let Some(labels) = write::map_at(&mut manifest.object, &["metadata", "labels"]) else {
                continue;
            };
            if labels.insert(PART_OF.into(), id.clone().into()).is_some() {
                let text = format!("ApplySet label {} already set in input data", quote(PART_OF));
                return Err(Error::plain(text));
            }
            self.wanted.0.insert(group_kind(&manifest.kind));
            if manifest.kind.namespaced {
                self.wanted.1.insert(manifest.namespace().to_owned());
            }
        }
        Ok(())
    }

    /// Before anything is applied the parent names what was and what will be.
    pub(super) fn before(
        &self,
        conn: &Conn,
        manifests: &[Manifest],
        dry_run: DryRun,
    ) -> Result<(), Error> {
        for namespace in &self.wanted.1 {
            let Some(kind) = conn.by_kind("v1", "Namespace")? else { continue };
            let own = manifests.iter().any(|m| m.kind.id == kind.id && m.name() == namespace);
            if !own {
                conn.client.get_any(kind.id, "", namespace)?;
            }
        }
        let kinds = self.known.0.union(&self.wanted.0).cloned().collect();
        let namespaces = self.known.1.union(&self.wanted.1).cloned().collect();
        self.write(conn, (kinds, namespaces), dry_run)
    }

    fn write(
        &self,
        conn: &Conn,
        (kinds, mut namespaces): (BTreeSet<String>, BTreeSet<String>),
        dry_run: DryRun,
    ) -> Result<(), Error> {
        if dry_run == DryRun::Client {
            return Ok(());
        }
        namespaces.remove(&self.namespace);
        let join = |set: BTreeSet<String>| set.into_iter().collect::<Vec<_>>().join(",");
        let config = json!({
            "apiVersion": self.kind.api_version(), "kind": self.kind.kind,
            "metadata": {
                "name": self.name, "namespace": self.namespace, "labels": {ID: self.id()},
                "annotations": {
                    TOOLING: "kubectl/v1.37.1", KINDS: join(kinds), NAMESPACES: join(namespaces),
                },
            },
        });
        let client = conn.client.managed_by(MANAGER);
        let key = (self.namespace.as_str(), self.name.as_str());
        let send =
            |force| client.apply(self.kind.id, key, config.clone(), force, Subresource::Main);
        let sent = match send(false) {
            Err(e) if e.is_conflict() => send(true),
            other => other,
        };
        sent.map_err(|e| Error::from(e).about("failed to update ApplySet"))?;
        Ok(())
    }

    /// Deletes members that were not applied; the parent names what is left.
    pub(super) async fn prune(
        &self,
        cx: &Cx,
        conn: &Conn,
        p: &Parsed,
        (applied, dry_run): (&BTreeSet<String>, DryRun),
    ) -> Result<(), Error> {
        let selector = format!("{PART_OF}={}", self.id());
        let query = Query { selector, ..Query::default() };
        let kinds: Vec<Rc<Kind>> = {
            let table = conn.kinds()?;
            table.preferred().filter(|k| self.known.0.contains(&group_kind(k))).cloned().collect()
        };
        for kind in kinds {
            let namespaces: Vec<Option<&str>> = match kind.namespaced {
                true => self.known.1.iter().map(|n| Some(n.as_str())).collect(),
                false => vec![None],
            };
            for namespace in namespaces {
                let options = resources::list_options(&kind, &query)?;
                for object in conn.client.list_any(kind.id, namespace, &options)? {
                    if !applied.contains(object.uid()) {
                        let value = object.to_value();
                        prune::delete(cx, conn, p, (&kind, &value), dry_run).await?;
                    }
                }
            }
        }
        self.write(conn, self.wanted.clone(), dry_run)
    }
}

fn group_kind(kind: &Kind) -> String {
    match &*kind.group {
        "" => kind.kind.to_string(),
        group => format!("{}.{group}", kind.kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::KindTable;

    #[test]
    fn an_id_is_made_of_the_parents_name() {
        let table = KindTable::default();
        let set = ApplySet {
            kind: table.by_kind("v1", "Secret").unwrap().clone(),
            namespace: "test".into(),
            name: "my-set".into(),
            known: Default::default(),
            wanted: Default::default(),
        };
        // As upstream's tests have it.
        assert_eq!(set.id(), "applyset-0eFHV8ySqp7XoShsGvyWFQD3s96yqwHmzc4e0HR1dsY-v1");
    }
}
