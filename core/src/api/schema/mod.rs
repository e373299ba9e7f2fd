//! What fields each kind has, and of which type: to read what clients send as Go does.
//!
//! The table is made from the source of the crate that also holds the types (`generate`): one
//! line a type, `Name field:type …`, a `*` behind the names of kinds. Types are `s` string, `i`
//! int32, `l` int64, `b` bool, `f` float64, `y` bytes, `q` quantity, `x` number or string, `t` and
//! `u` times, `j` anything, `[T` list, `{T` map, or the name of another line.
//!
//! Not here: rules of values (`apiserver::strategy`), descriptions of fields.

#[cfg(test)]
pub(super) mod generate;
mod read;

use std::{collections::BTreeMap, sync::OnceLock};

pub use read::{TypeError, Unknown, read};

const TYPES: &str = include_str!("types.txt");

/// The type of a field, as the table writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldType(&'static str);

/// What a field's type is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A list of these.
    List(FieldType),
    /// A map from strings to these.
    Map(FieldType),
    /// A struct.
    Struct(Struct),
    /// Something without parts: its letter in the table.
    Plain(char),
}

/// A struct of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Struct {
    /// Its name in the table: the Go name, with a group before it where two have the same.
    pub key: &'static str,
    /// Its Go name.
    pub name: &'static str,
    /// Whether it has `apiVersion` and `kind`.
    pub is_kind: bool,
    /// Its line in the table, by which others keep what they know of it.
    pub place: usize,
    fields: &'static str,
}

/// Something about each struct, worked out when it is first asked for.
pub struct PerStruct<T>(OnceLock<Vec<OnceLock<T>>>);

impl<T> PerStruct<T> {
    /// Nothing yet.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        PerStruct(OnceLock::new())
    }

    /// What is known of a struct; `None` if it is none of the table's.
    pub fn get(&self, of: Struct, make: impl FnOnce() -> T) -> Option<&T> {
        let all = self.0.get_or_init(|| table().iter().map(|_| OnceLock::new()).collect());
        all.get(of.place).map(|slot| slot.get_or_init(make))
    }
}

fn table() -> &'static BTreeMap<&'static str, Struct> {
    static TABLE: OnceLock<BTreeMap<&'static str, Struct>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let lines = TYPES.lines().enumerate().map(|(place, line)| {
            let (name, fields) = line.split_once(' ').unwrap_or((line, ""));
            let key = name.trim_end_matches('*');
            let go = key.rsplit('.').next().unwrap_or(key);
            (key, Struct { key, name: go, is_kind: name.ends_with('*'), place, fields })
        });
        lines.collect()
    })
}

/// The struct of a kind; `None` for kinds that are not in the table (custom resources).
pub fn of_kind(group: &str, version: &str, kind: &str) -> Option<Struct> {
    let short = group.split('.').next().unwrap_or(group);
    let short = if short.is_empty() { "core" } else { short };
    let found = table().get(kind).filter(|s| s.is_kind);
    found
        .or_else(|| table().get(format!("{short}/{version}.{kind}").as_str()))
        .or_else(|| table().get(format!("{short}.{kind}").as_str()))
        .copied()
}

/// A struct by its key in the table.
pub fn by_key(key: &str) -> Option<Struct> {
    table().get(key).copied()
}

impl Struct {
    /// Its fields and their types, sorted by Rust name.
    pub fn fields(self) -> impl Iterator<Item = (&'static str, FieldType)> {
        let words = self.fields.split(' ').filter_map(|word| word.split_once(':'));
        words.map(|(name, kind)| (name, FieldType(kind)))
    }

    /// A field's type.
    pub fn field(self, name: &str) -> Option<FieldType> {
        static SORTED: PerStruct<Vec<(&str, FieldType)>> = PerStruct::new();
        let sorted = SORTED.get(self, || {
            let mut fields: Vec<_> = self.fields().collect();
            fields.sort_by_key(|(name, _)| *name);
            fields
        })?;
        let at = sorted.binary_search_by_key(&name, |(own, _)| *own).ok()?;
        sorted.get(at).map(|(_, kind)| *kind)
    }
}

impl FieldType {
    /// What it is like.
    pub fn shape(self) -> Shape {
        if let Some(inner) = self.0.strip_prefix('[') {
            return Shape::List(FieldType(inner));
        }
        if let Some(inner) = self.0.strip_prefix('{') {
            return Shape::Map(FieldType(inner));
        }
        if let [letter] = self.0.as_bytes() {
            return Shape::Plain(char::from(*letter));
        }
        match table().get(self.0) {
            Some(found) => Shape::Struct(*found),
            None => Shape::Plain(self.0.chars().next().unwrap_or('j')),
        }
    }

    /// As Go names it in errors. `field` tells apart what the table has no names for.
    pub fn go_name(self, field: &str) -> String {
        match self.shape() {
            Shape::List(inner) => format!("[]{}", inner.go_name("")),
            Shape::Map(FieldType("q")) => "v1.ResourceList".into(),
            Shape::Map(inner) => format!("map[string]{}", inner.go_name("")),
            Shape::Struct(found) => format!("v1.{}", found.name),
            Shape::Plain('s') => match NAMED.iter().find(|(name, _)| *name == field) {
                Some((_, named)) => format!("v1.{named}"),
                None => "string".into(),
            },
            Shape::Plain('i') => "int32".into(),
            Shape::Plain('l') => "int64".into(),
            Shape::Plain('b') => "bool".into(),
            Shape::Plain('f') => "float64".into(),
            Shape::Plain('y') => "[]uint8".into(),
            Shape::Plain('q') => "resource.Quantity".into(),
            Shape::Plain('x') => "intstr.IntOrString".into(),
            Shape::Plain(_) => "interface {}".into(),
        }
    }
}

/// Fields whose strings have a Go type of their own.
const NAMED: &[(&str, &str)] = &[
    ("dnsPolicy", "DNSPolicy"),
    ("imagePullPolicy", "PullPolicy"),
    ("protocol", "Protocol"),
    ("restartPolicy", "RestartPolicy"),
    ("sessionAffinity", "ServiceAffinity"),
    ("terminationMessagePolicy", "TerminationMessagePolicy"),
    ("whenUnsatisfiable", "UnsatisfiableConstraintAction"),
];
