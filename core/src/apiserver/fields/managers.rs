//! Who owns which fields of one object, and what applying does to that.
//! Models `structured-merge-diff/merge/update.go` and `apimachinery/pkg/util/managedfields`.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use serde_json::{Map, Value, json};

use super::{
    set::{Set, Step, path_text},
    types::Type,
    walk,
};
use crate::{
    api::{FieldError, Status, gofmt},
    sim::Time,
};

/// Managers that only updated are joined beyond so many (`DefaultMaxUpdateManagers`).
const MOST_UPDATERS: usize = 10;
const ANCIENT: &str = "ancient-changes";

/// Whether fields were applied or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// By server-side apply.
    Apply,
    /// By anything else.
    Update,
}

impl Operation {
    fn text(self) -> &'static str {
        match self {
            Operation::Apply => "Apply",
            Operation::Update => "Update",
        }
    }
}

/// Who owns fields: a program, in one of its ways to write.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Manager {
    /// How it wrote.
    pub operation: Operation,
    /// The program.
    pub name: String,
    /// Which part of the object it wrote, empty for the object itself.
    pub subresource: String,
    /// The API version it wrote in.
    pub version: String,
}

impl Manager {
    /// As conflicts name it. Models `printManager`.
    fn text(&self) -> String {
        let mut out = gofmt::quote(&self.name);
        if !self.subresource.is_empty() {
            out += &format!(" with subresource {}", gofmt::quote(&self.subresource));
        }
        if self.operation == Operation::Update {
            out += &format!(" using {}", self.version);
        }
        out
    }
}

/// What a manager owns.
#[derive(Clone, Debug, PartialEq)]
pub struct Owned {
    /// The fields.
    pub set: Set,
    /// When it last changed one.
    pub time: Option<Time>,
}

/// All managers of an object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Managed(pub BTreeMap<Manager, Owned>);

/// Fields that nobody owns.
fn system_fields() -> Set {
    let mut out = Set::default();
    let field = |name: &str| Step::Field(name.to_owned());
    for name in ["apiVersion", "kind", "metadata"] {
        out.insert(&[field(name)]);
    }
    for name in [
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "generation",
        "managedFields",
        "resourceVersion",
    ] {
        out.insert(&[field("metadata"), field(name)]);
    }
    out
}

/// Fields that a write to this part of an object can't change.
fn ignored(subresource: &str, has_status: bool) -> Set {
    let mut out = Set::default();
    match subresource {
        "" if has_status => out.insert(&[Step::Field("status".into())]),
        "status" => out.insert(&[Step::Field("spec".into())]),
        _ => {}
    }
    out
}

/// An object before and after a write, in one of its versions.
pub struct Side<'a> {
    /// `autoscaling/v1`.
    pub version: &'a str,
    /// What it is to be taken for.
    pub of: Type<'a>,
    /// Before.
    pub old: &'a Value,
    /// After.
    pub new: &'a Value,
}

impl Side<'_> {
    fn changes(&self, ignored: &Set) -> walk::Comparison {
        walk::compare(self.of, &strip(self.old), &strip(self.new)).without(ignored)
    }
}

/// Why an apply was refused.
#[derive(Debug)]
pub enum Refused {
    /// Others own fields that it wants to change.
    Conflicts(Vec<(String, Vec<Step>)>),
}

impl Refused {
    /// As the server answers it.
    pub fn status(&self) -> Status {
        let Refused::Conflicts(all) = self;
        let message = match all.as_slice() {
            [(manager, path)] => {
                format!(
                    "Apply failed with 1 conflict: conflict with {manager}: {}",
                    path_text(path)
                )
            }
            many => {
                let mut lines = Vec::new();
                let mut last = None;
                for (manager, path) in many {
                    if last != Some(manager) {
                        lines.push(format!("conflicts with {manager}:"));
                        last = Some(manager);
                    }
                    lines.push(format!("- {}", path_text(path)));
                }
                format!("Apply failed with {} conflicts: {}", many.len(), lines.join("\n"))
            }
        };
        let mut status = Status::new(409, "Conflict", message);
        status.causes = all
            .iter()
            .map(|(manager, path)| FieldError::manager_conflict(&path_text(path), manager))
            .collect();
        status
    }
}

impl Managed {
    /// Reads `metadata.managedFields`. `None` if something in it is no entry.
    pub fn read(entries: &[Value]) -> Option<Managed> {
        let mut out = Managed::default();
        for entry in entries {
            let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
            let operation = match text("operation") {
                "Apply" => Operation::Apply,
                "Update" => Operation::Update,
                _ => return None,
            };
            let manager = Manager {
                operation,
                name: text("manager").to_owned(),
                subresource: text("subresource").to_owned(),
                version: text("apiVersion").to_owned(),
            };
            let set = match entry.get("fieldsV1") {
                Some(fields) => Set::from_value(fields)?,
                None => Set::default(),
            };
            let time = Time::parse(text("time"));
            let owned = out.0.entry(manager).or_insert(Owned { set: Set::default(), time });
            owned.set = owned.set.union(&set);
        }
        Some(out)
    }

    /// As `metadata.managedFields`: appliers first, then by time and name.
    pub fn entries(&self) -> Vec<Value> {
        let mut all: Vec<(&Manager, &Owned)> = self.0.iter().collect();
        let seconds = |o: &Owned| o.time.map_or(0, Time::as_secs);
        all.sort_by(|(m, a), (n, b)| {
            (m.operation, seconds(a), &m.name, &m.version, &m.subresource).cmp(&(
                n.operation,
                seconds(b),
                &n.name,
                &n.version,
                &n.subresource,
            ))
        });
        let entry = |(manager, owned): (&Manager, &Owned)| {
            let mut out = json!({
                "apiVersion": manager.version, "fieldsType": "FieldsV1",
                "fieldsV1": owned.set.to_value(), "manager": manager.name,
                "operation": manager.operation.text(),
            });
            if !manager.subresource.is_empty() {
                out["subresource"] = manager.subresource.clone().into();
            }
            if let Some(time) = owned.time {
                out["time"] = crate::api::object::to_value(&time.to_meta());
            }
            out
        };
        all.into_iter().map(entry).collect()
    }

    /// Takes changed fields from everyone who wrote in this version, and gone ones.
    fn take(&mut self, version: &str, taken: &Set, except: Option<&Manager>) {
        for (manager, owned) in &mut self.0 {
            if manager.version == version && Some(manager) != except {
                owned.set = owned.set.difference(taken);
            }
        }
        self.0.retain(|_, owned| !owned.set.is_empty());
    }

    /// The versions in which managers wrote.
    pub fn versions(&self) -> BTreeSet<&str> {
        self.0.keys().map(|m| m.version.as_str()).collect()
    }

    /// Somebody wrote: what is different is theirs. There is a side for each version in which somebody
    /// wrote, the writer's among them.
    pub fn update(&mut self, sides: &[Side], manager: Manager, (time, has_status): (Time, bool)) {
        let ignored = ignored(&manager.subresource, has_status);
        let mut mine = Set::default();
        for side in sides {
            let changes = side.changes(&ignored);
            let set = changes.modified.union(&changes.added);
            self.take(side.version, &set.union(&changes.removed), None);
            if side.version == manager.version {
                mine = set;
            }
        }
        let mine = mine.difference(&system_fields());
        if mine.is_empty() {
            return;
        }
        let owned = self.0.entry(manager).or_insert(Owned { set: Set::default(), time: None });
        owned.set = owned.set.union(&mine);
        owned.time = Some(time);
        self.join_ancient();
    }

    /// Joins the oldest managers where too many only updated.
    fn join_ancient(&mut self) {
        let mut updaters: Vec<Manager> =
            self.0.keys().filter(|m| m.operation == Operation::Update).cloned().collect();
        let mut count = updaters.len();
        if count <= MOST_UPDATERS {
            return;
        }
        updaters
            .sort_by_key(|m| (self.0.get(m).and_then(|o| o.time).map(Time::as_secs), m.clone()));
        let mut first: BTreeMap<String, Manager> = BTreeMap::new();
        for manager in updaters {
            if count <= MOST_UPDATERS {
                break;
            }
            let version = manager.version.clone();
            let Some(earlier) = first.get(&version).cloned() else {
                first.insert(version, manager);
                continue;
            };
            let bucket = Manager {
                operation: Operation::Update,
                name: ANCIENT.into(),
                subresource: String::new(),
                version,
            };
            let Some(owned) = self.0.remove(&manager) else { continue };
            if !self.0.contains_key(&bucket) {
                if let Some(owned) = self.0.remove(&earlier) {
                    self.0.insert(bucket.clone(), owned);
                }
            }
            let joined = self.0.entry(bucket).or_insert_with(|| owned.clone());
            joined.set = joined.set.union(&owned.set);
            joined.time = owned.time;
            count -= 1;
        }
    }

    /// Lays what is applied over an object. The managers become those after it; the answer is the
    /// merged object. `other` shows an object in another version than the manager's.
    pub fn apply(
        &mut self,
        of: Type,
        (live, config): (&Value, &Value),
        manager: &Manager,
        (time, force, has_status): (Time, bool, bool),
        other: Convert,
    ) -> Result<Value, Refused> {
        let ignored = ignored(&manager.subresource, has_status);
        let (live, config) = (strip(live), strip(config));
        let merged = walk::merge(of, Some(&live), Some(&config)).unwrap_or(Value::Null);
        let before = self.0.get(manager).cloned();
        let set = walk::fields(of, &config).without(&ignored);
        let mut after = self.clone();
        let kept = before.as_ref().and_then(|b| b.time);
        after.0.insert(manager.clone(), Owned { set: set.clone(), time: kept });
        let merged = match &before {
            Some(before) if !before.set.is_empty() => prune(of, merged, &after, &before.set),
            _ => merged,
        };
        let changes = walk::compare(of, &live, &merged).without(&ignored);
        let changed = changes.modified.union(&changes.added);
        let elsewhere = changes_elsewhere(&after, &manager.version, (&live, &merged), other);
        let mut conflicts = Vec::new();
        let others = after.0.iter().filter(|(other, _)| *other != manager);
        for (other, owned) in others {
            let changed = match elsewhere.iter().find(|(version, ..)| *version == other.version) {
                Some((_, changed, _)) => changed,
                None if other.version == manager.version => &changed,
                None => continue,
            };
            let both = owned.set.intersection(changed);
            let text = other.text();
            conflicts.extend(both.paths().into_iter().map(|path| (text.clone(), path)));
        }
        if !force {
            let allowed = match manager.name.as_str() {
                "kubectl" => from_last_applied(of, &live),
                _ => None,
            };
            conflicts.retain(|(_, path)| !allowed.as_ref().is_some_and(|a| a.has(path)));
            if !conflicts.is_empty() {
                conflicts.sort_by(|a, b| a.0.cmp(&b.0));
                return Err(Refused::Conflicts(conflicts));
            }
        }
        after.take(&manager.version, &changed.union(&changes.removed), Some(manager));
        for (version, changed, removed) in &elsewhere {
            after.take(version, &changed.union(removed), None);
        }
        let set = set.difference(&system_fields());
        let moved = plain(&merged) != plain(&live);
        if let Some(owned) = after.0.get_mut(manager) {
            owned.set = set;
            if moved || owned.time.is_none() {
                owned.time = Some(time);
            }
        }
        after.0.retain(|_, owned| !owned.set.is_empty());
        *self = after;
        Ok(plain(&merged))
    }

    /// Whether the same managers own the same.
    pub fn same_but_times(&self, other: &Managed) -> bool {
        self.0.len() == other.0.len()
            && self.0.iter().all(|(m, o)| other.0.get(m).is_some_and(|x| x.set == o.set))
    }
}

/// An object in another version, and what it is to be taken for: given to whoever asks for two of them
/// (before and after a write). Not called for versions that are not served.
pub type Convert<'a> = &'a dyn Fn(&str, (&Value, &Value), &mut dyn FnMut(Type, &Value, &Value));

/// What changed and what was removed in the versions of other managers.
fn changes_elsewhere(
    managed: &Managed,
    own: &str,
    (live, merged): (&Value, &Value),
    other: Convert,
) -> Vec<(String, Set, Set)> {
    let mut out = Vec::new();
    for version in managed.versions().into_iter().filter(|v| *v != own) {
        other(version, (live, merged), &mut |of, old, new| {
            let changes = walk::compare(of, &strip(old), &strip(new));
            let changed = changes.modified.union(&changes.added);
            out.push((version.to_string(), changed, changes.removed));
        });
    }
    out
}

/// Removes what a manager applied before, does not apply any more, and nobody else owns.
/// `managed` has what is applied now.
fn prune(of: Type, merged: Value, managed: &Managed, before: &Set) -> Value {
    let all = |value: &Value, set: &Set| walk::with_ways(of, value, set);
    let last = all(&merged, before);
    let Some(pruned) = walk::remove(of, &merged, &last) else { return merged };
    // What others (or the new configuration) own comes back.
    let owned = managed.0.values().fold(Set::default(), |set, o| set.union(&o.set));
    let merged_set = all(&merged, &walk::fields(of, &merged));
    let pruned_set = all(&merged, &walk::fields(of, &pruned));
    let kept = pruned_set.union(&all(&merged, &owned));
    let Some(pruned) = walk::remove(of, &merged, &merged_set.difference(&kept)) else {
        return merged;
    };
    // What nobody owns and this manager did not own either stays, too.
    let pruned_set = all(&merged, &walk::fields(of, &pruned));
    let gone = merged_set.difference(&pruned_set).intersection(&last);
    walk::remove(of, &merged, &gone).unwrap_or(merged)
}

/// Fields that client-side apply set to what they still are: these kubectl may take over.
fn from_last_applied(of: Type, live: &Value) -> Option<Set> {
    let annotations = live.pointer("/metadata/annotations")?;
    let note = annotations.get("kubectl.kubernetes.io/last-applied-configuration")?.as_str()?;
    let note: Value = serde_json::from_str(note).ok()?;
    let changes = walk::compare(of, &note, live);
    let set = walk::fields(of, &note);
    Some(set.difference(&changes.modified).difference(&changes.added).difference(&changes.removed))
}

/// Without managed fields.
fn strip(value: &Value) -> Cow<'_, Value> {
    if value.pointer("/metadata/managedFields").is_none() {
        return Cow::Borrowed(value);
    }
    let mut out = value.clone();
    if let Some(meta) = out.get_mut("metadata").and_then(Value::as_object_mut) {
        meta.remove("managedFields");
    }
    Cow::Owned(out)
}

/// Without nulls, which say nothing.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().filter(|(_, v)| !v.is_null());
            Value::Object(kept.map(|(k, v)| (k.clone(), plain(v))).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.iter().map(plain).collect()),
        other => other.clone(),
    }
}
