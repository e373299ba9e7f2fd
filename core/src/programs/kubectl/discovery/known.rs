//! What kubectl knows of a server's kinds, ready to be looked up.

use std::{borrow::Cow, rc::Rc};

use serde_json::Value;

use super::files::{Group, items, text};
use crate::api::{
    Kind,
    kinds::{DynamicKind, KindTable},
};

/// Groups, versions and kinds.
pub struct Known {
    /// `v1`, `apps/v1` …, in the server's order.
    places: Vec<String>,
    /// In the order of places; whether it is in its group's preferred version.
    kinds: Vec<(Rc<Kind>, bool)>,
}

impl Known {
    /// From lists of kinds by place. `table` is the server's, which gives kinds the places by which
    /// requests name them.
    pub(super) fn new(
        table: &KindTable,
        groups: &[Group],
        lists: &[(String, Rc<Vec<Value>>)],
    ) -> Known {
        let mut kinds: Vec<(Rc<Kind>, bool)> = Vec::new();
        for group in groups {
            let begin = kinds.len();
            let rest = group.versions.iter().filter(|v| **v != group.preferred);
            for version in std::iter::once(&group.preferred).chain(rest) {
                let place = match group.name.as_str() {
                    "" => version.clone(),
                    name => format!("{name}/{version}"),
                };
                let list = lists.iter().find(|(of, _)| *of == place);
                for entry in list.into_iter().flat_map(|(_, list)| list.iter()) {
                    if text(entry, "name").contains('/') {
                        continue;
                    }
                    let kind = table.remembered(told(entry, (&group.name, version)));
                    let own = kinds.get(begin..).unwrap_or_default();
                    let better = own.iter().any(|(k, _)| k.plural == kind.plural);
                    kinds.push((kind, !better));
                }
            }
        }
        let places = groups.iter().flat_map(Group::places).collect();
        Known { places, kinds }
    }

    /// Groups with their versions, in the server's order.
    pub fn places(&self) -> &[String] {
        &self.places
    }

    /// All kinds in all of their versions.
    pub fn iter(&self) -> impl Iterator<Item = &Rc<Kind>> {
        self.kinds.iter().map(|(kind, _)| kind)
    }

    /// Each kind once, in the version that clients are to prefer.
    pub fn preferred(&self) -> impl Iterator<Item = &Rc<Kind>> {
        self.kinds.iter().filter(|(_, preferred)| *preferred).map(|(kind, _)| kind)
    }

    /// By group, version and kind, as an object names it.
    pub fn by_kind(&self, api_version: &str, kind: &str) -> Option<&Rc<Kind>> {
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
        self.iter().find(|k| k.group == group && k.version == version && k.kind == kind)
    }
}

fn told(entry: &Value, (group, version): (&str, &str)) -> DynamicKind {
    let list = |key: &str| {
        let texts = items(entry, key).filter_map(Value::as_str);
        texts.map(|text| Cow::Owned(text.to_owned())).collect::<Vec<_>>()
    };
    DynamicKind {
        group: group.to_owned(),
        version: version.to_owned(),
        kind: text(entry, "kind").to_owned(),
        plural: text(entry, "name").to_owned(),
        singular: text(entry, "singularName").to_owned(),
        short_names: list("shortNames"),
        namespaced: entry.get("namespaced").and_then(Value::as_bool).unwrap_or(false),
        categories: list("categories"),
        subresources: &[],
        stored_as: None,
        verbs: None,
    }
}
