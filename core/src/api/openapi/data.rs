//! The two files of descriptions and markers, read where they are asked.
//!
//! `docs.txt` (made by `generate` from the crate that also holds the types): a line a type, `key
//! definition description`, and below it a tab and `field description`; `!` behind a field that is
//! required, `@Type` where the table of types says "any JSON".
//!
//! `markers.txt` holds what upstream's types (v1.36) say in comments and tags and the crate does not
//! carry: `group.version.Type [atomic]`, and below it a tab and `field marks…`: `a` atomic, `g`
//! granular, `s` a set, `k=key,…` a list of maps with these keys, `d=JSON` the default, `e=ENUM`,
//! `z` a struct that Go writes even if it is empty, `p=STRATEGY[:KEY]` for strategic patches. `enum NAME`, and below it a tab and `"value" meaning`.

use std::{borrow::Cow, collections::BTreeMap, sync::OnceLock};

use crate::api::schema::{PerStruct, Struct};

const DOCS: &str = include_str!("docs.txt");
const MARKERS: &str = include_str!("markers.txt");

/// Blocks of a file: the first line's first word, the rest of that line, the indented lines.
type Blocks = BTreeMap<&'static str, (&'static str, &'static str)>;

fn blocks(text: &'static str, key: fn(&'static str) -> (&'static str, &'static str)) -> Blocks {
    let mut out = Blocks::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (head, below) = rest.split_once('\n').unwrap_or((rest, ""));
        // The block ends where a line begins without a tab.
        let mut end = 0;
        while below[end..].starts_with('\t') {
            end += below[end..].find('\n').map_or(below.len() - end, |n| n + 1);
        }
        let (name, more) = key(head);
        out.insert(name, (more, &below[..end]));
        rest = &below[end..];
    }
    out
}

fn first_word(line: &'static str) -> (&'static str, &'static str) {
    line.split_once(' ').unwrap_or((line, ""))
}

fn docs() -> &'static Blocks {
    static BLOCKS: OnceLock<Blocks> = OnceLock::new();
    BLOCKS.get_or_init(|| blocks(DOCS, first_word))
}

fn markers() -> &'static Blocks {
    static BLOCKS: OnceLock<Blocks> = OnceLock::new();
    BLOCKS.get_or_init(|| {
        blocks(MARKERS, |line| match line.strip_prefix("enum ") {
            Some(name) => (name, "enum"),
            None => first_word(line),
        })
    })
}

fn plain(text: &'static str) -> Cow<'static, str> {
    if !text.contains('\\') {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some(other) => out.push(other),
                None => {}
            },
            c => out.push(c),
        }
    }
    out.into()
}

/// What is said of a type.
#[derive(Clone, Copy)]
pub(super) struct TypeDoc {
    /// `io.k8s.api.core.v1.Pod`
    pub full: &'static str,
    text: &'static str,
    fields: &'static str,
}

/// What is said of a field.
#[derive(Clone, Copy)]
pub(super) struct FieldDoc {
    /// Whether it is required.
    pub required: bool,
    /// The type, where the table of types says "any JSON".
    pub opaque: Option<&'static str>,
    text: &'static str,
}

/// The description of a type by its key in the table of types, or of one that is no struct.
pub(super) fn type_doc(key: &str) -> Option<TypeDoc> {
    let (line, fields) = docs().get(key)?;
    let (full, text) = first_word(line);
    Some(TypeDoc { full, text, fields })
}

impl TypeDoc {
    /// The description, empty if there is none.
    pub fn text(self) -> Cow<'static, str> {
        plain(self.text)
    }

    /// Fields in order of name.
    pub fn fields(self) -> impl Iterator<Item = (&'static str, FieldDoc)> {
        self.fields.lines().map(|line| {
            let (head, text) = first_word(line.trim_start_matches('\t'));
            let (head, opaque) = match head.split_once('@') {
                Some((head, opaque)) => (head, Some(opaque)),
                None => (head, None),
            };
            let name = head.trim_end_matches('!');
            (name, FieldDoc { required: name.len() < head.len(), opaque, text })
        })
    }
}

impl FieldDoc {
    /// The description, empty if there is none.
    pub fn text(self) -> Cow<'static, str> {
        plain(self.text)
    }
}

/// How a list or map is merged (`x-kubernetes-list-type`, `x-kubernetes-map-type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// As a whole.
    Atomic,
    /// Maps and structs: by their fields.
    Granular,
    /// Lists of plain values: each value once.
    Set,
    /// Lists of maps, known by these fields (separated by commas).
    Keys(&'static str),
}

/// What markers say of a field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// How it is merged; `None`: nothing was said.
    pub merge: Option<Merge>,
    /// The default, as JSON.
    pub default: Option<&'static str>,
    /// The name of the enumeration of its values.
    pub values: Option<&'static str>,
    /// Whether Go always writes it, as an empty struct where nothing was said.
    pub always: bool,
    /// `merge`, `retainKeys`, `merge,retainKeys` and the key.
    pub patch: Option<(&'static str, &'static str)>,
}

fn marker_name(full: &str) -> &str {
    ["io.k8s.api.", "io.k8s.apimachinery.pkg.apis.", "io.k8s.apiextensions-apiserver.pkg.apis."]
        .iter()
        .find_map(|prefix| full.strip_prefix(prefix))
        .unwrap_or(full)
}

/// What markers say of a type's fields.
#[derive(Clone, Copy, Default)]
pub struct TypeMarks {
    /// Whether it is merged as a whole.
    pub atomic: bool,
    fields: &'static str,
}

/// What markers say of a struct of the table of types, read once: comparing objects asks for it at
/// every field.
#[derive(Default)]
pub struct StructMarks {
    /// Whether it is merged as a whole.
    pub atomic: bool,
    fields: BTreeMap<&'static str, Marks>,
}

impl StructMarks {
    /// What is said of a field.
    pub fn field(&self, name: &str) -> Marks {
        self.fields.get(name).copied().unwrap_or_default()
    }
}

/// The markers of a struct.
pub fn marks_of(of: Struct) -> &'static StructMarks {
    static KNOWN: PerStruct<StructMarks> = PerStruct::new();
    static NONE: OnceLock<StructMarks> = OnceLock::new();
    let read = || {
        let own = type_doc(of.key).map(|doc| type_marks(doc.full)).unwrap_or_default();
        let names = own.fields.lines().filter_map(|l| Some(l.trim_start().split_once(' ')?.0));
        let fields = names.map(|name| (name, own.field(name))).collect();
        StructMarks { atomic: own.atomic, fields }
    };
    KNOWN.get(of, read).unwrap_or_else(|| NONE.get_or_init(StructMarks::default))
}

/// What is said of a field of a struct.
pub fn description_of(of: Struct, field: &str) -> Option<String> {
    let (_, doc) = type_doc(of.key)?.fields().find(|(name, _)| *name == field)?;
    Some(doc.text().into_owned())
}

/// Whether a field of a struct is required.
pub fn requires(of: Struct, field: &str) -> bool {
    let found = type_doc(of.key).and_then(|doc| doc.fields().find(|(name, _)| *name == field));
    found.is_some_and(|(_, doc)| doc.required)
}

/// The markers of a definition.
pub(super) fn type_marks(full: &str) -> TypeMarks {
    let found = markers().get(marker_name(full));
    let (own, fields) = found.copied().unwrap_or_default();
    TypeMarks { atomic: own == "atomic", fields }
}

impl TypeMarks {
    /// What is said of a field.
    pub fn field(self, name: &str) -> Marks {
        let lines = self.fields.lines().filter_map(|l| l.trim_start().split_once(' '));
        let mut marks = Marks::default();
        let Some((_, words)) = lines.into_iter().find(|(n, _)| *n == name) else { return marks };
        for word in words.split(' ') {
            let (mark, value) = word.split_once('=').unwrap_or((word, ""));
            match mark {
                "a" => marks.merge = Some(Merge::Atomic),
                "g" => marks.merge = Some(Merge::Granular),
                "z" => marks.always = true,
                "s" => marks.merge = Some(Merge::Set),
                "k" => marks.merge = Some(Merge::Keys(value)),
                "d" => marks.default = Some(value),
                "e" => marks.values = Some(value),
                "p" => marks.patch = Some(value.split_once(':').unwrap_or((value, ""))),
                _ => {}
            }
        }
        marks
    }
}

/// The values of an enumeration and what they mean, sorted.
pub(super) fn values(name: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = markers().get(name).map(|(_, lines)| *lines).unwrap_or_default();
    lines.lines().filter_map(|line| {
        let (value, text) = line.trim_start_matches('\t').strip_prefix('"')?.split_once('"')?;
        Some((value, text.trim_start()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::schema;

    #[test]
    fn types_fields_and_enumerations_are_found() {
        let spec = schema::of_kind("", "v1", "Service").and_then(|s| s.field("spec"));
        let Some(schema::Shape::Struct(spec)) = spec.map(|s| s.shape()) else { panic!("a struct") };
        let marks = marks_of(spec);
        assert_eq!(marks.field("ports").merge, Some(Merge::Keys("port,protocol")));
        assert_eq!(marks.field("ports").patch, Some(("merge", "port")));
        assert_eq!(marks.field("type").values, Some("core.v1.ServiceType"));
        assert_eq!(values("core.v1.ServiceType").count(), 4);
        assert_eq!(marks.field("nope"), Marks::default());
    }

    /// A marker that names nothing would be a change upstream that nobody noticed.
    #[test]
    fn every_marker_names_a_field_that_exists() {
        for key in docs().keys() {
            let Some(doc) = type_doc(key) else { continue };
            let names: Vec<_> = doc.fields().map(|(name, _)| name).collect();
            for line in type_marks(doc.full).fields.lines() {
                let (name, words) = line.trim_start().split_once(' ').unwrap_or((line, ""));
                assert!(names.contains(&name), "{key} has no {name}");
                for name in words.split(' ').filter_map(|w| w.strip_prefix("e=")) {
                    assert!(values(name).next().is_some(), "{name}");
                }
            }
        }
    }
}
