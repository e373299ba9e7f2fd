//! Comparing, merging and thinning values field by field.
//! Models `structured-merge-diff/typed` (`compare.go`, `merge.go`, `remove.go`, `tofieldset.go`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{
    set::{Set, Step, path_text},
    types::{Atom, ListKind, MapKind, Type},
};

/// What makes two values different.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// Fields of the first only.
    pub removed: Set,
    /// Fields of both that differ.
    pub modified: Set,
    /// Fields of the second only.
    pub added: Set,
}

impl Comparison {
    /// The same, without what is in `ignored` and below.
    pub fn without(self, ignored: &Set) -> Comparison {
        Comparison {
            removed: self.removed.without(ignored),
            modified: self.modified.without(ignored),
            added: self.added.without(ignored),
        }
    }
}

/// Compares two values of a type.
pub fn compare(of: Type, old: &Value, new: &Value) -> Comparison {
    let mut out = Comparison::default();
    compare_at(of, Some(old), Some(new), &mut Vec::new(), &mut out);
    out
}

fn compare_at(
    of: Type,
    old: Option<&Value>,
    new: Option<&Value>,
    at: &mut Vec<Step>,
    out: &mut Comparison,
) {
    if old == new {
        return;
    }
    let Some(shown) = new.filter(|v| !v.is_null()).or(old).or(new) else { return };
    let is_leaf = match of.atom(shown) {
        Atom::Scalar => true,
        Atom::List(element, by) => {
            let (a, b) = (list(old), list(new));
            let leaf = matches!(by, ListKind::Atomic) || (a.is_empty() && b.is_empty());
            if !leaf {
                compare_lists(element, by, (a, b), at, out);
            }
            leaf
        }
        Atom::Map(fields, atomic) => {
            let (a, b) = (map(old), map(new));
            let leaf = atomic || (a.is_none_or(Map::is_empty) && b.is_none_or(Map::is_empty));
            if !leaf {
                let names: BTreeSet<&String> =
                    a.into_iter().chain(b).flat_map(|m| m.keys()).collect();
                for name in names {
                    let left = a.and_then(|m| m.get(name));
                    let right = b.and_then(|m| m.get(name));
                    if left == right {
                        continue;
                    }
                    at.push(Step::Field(name.clone()));
                    compare_at(fields.field(name).0, left, right, at, out);
                    at.pop();
                }
            }
            leaf
        }
    };
    match (old, new) {
        (None, _) => out.added.insert(at),
        (_, None) => out.removed.insert(at),
        _ if is_leaf => out.modified.insert(at),
        _ => {}
    }
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn map(value: Option<&Value>) -> Option<&Map<String, Value>> {
    value.and_then(Value::as_object)
}

/// Items by how they are known, in order; the same may come several times.
fn by_step<'v>(element: Type, by: ListKind, items: &'v [Value]) -> Vec<(Step, Vec<&'v Value>)> {
    let mut place: BTreeMap<Step, usize> = BTreeMap::new();
    let mut out: Vec<(Step, Vec<&Value>)> = Vec::new();
    for item in items {
        let Some(step) = by.step(element, item) else { continue };
        match place.get(&step) {
            Some(at) => {
                if let Some(slot) = out.get_mut(*at) {
                    slot.1.push(item);
                }
            }
            None => {
                place.insert(step.clone(), out.len());
                out.push((step, vec![item]));
            }
        }
    }
    out
}

fn compare_lists(
    element: Type,
    by: ListKind,
    (old, new): (&[Value], &[Value]),
    at: &mut Vec<Step>,
    out: &mut Comparison,
) {
    let mut left = by_step(element, by, old);
    let right: BTreeMap<Step, Vec<&Value>> = by_step(element, by, new).into_iter().collect();
    let known: BTreeSet<Step> = left.iter().map(|(s, _)| s.clone()).collect();
    left.extend(right.keys().filter(|s| !known.contains(s)).map(|s| (s.clone(), Vec::new())));
    let none = Vec::new();
    for (step, olds) in left {
        let news = right.get(&step).unwrap_or(&none);
        at.push(step);
        match (olds.as_slice(), news.as_slice()) {
            (a @ ([] | [_]), b @ ([] | [_])) => {
                compare_at(element, a.first().copied(), b.first().copied(), at, out);
            }
            (a @ [_, _, ..], b @ [_, _, ..]) => {
                if a != b {
                    out.modified.insert(at);
                }
            }
            ([_, _, ..], b) => {
                if let Some(one) = b.first() {
                    compare_at(element, None, Some(one), at, out);
                }
                out.removed.insert(at);
            }
            (a, _) => {
                if let Some(one) = a.first() {
                    compare_at(element, Some(one), None, at, out);
                }
                out.added.insert(at);
            }
        }
        at.pop();
    }
}

/// Everything that a value says.
pub fn fields(of: Type, value: &Value) -> Set {
    let mut out = Set::default();
    fields_at(of, value, &mut Vec::new(), &mut out);
    out
}

fn fields_at(of: Type, value: &Value, at: &mut Vec<Step>, out: &mut Set) {
    match of.atom(value) {
        Atom::Scalar => out.insert(at),
        Atom::List(_, ListKind::Atomic) => out.insert(at),
        Atom::List(element, by) => {
            for (step, items) in by_step(element, by, list(Some(value))) {
                at.push(step);
                if let [one] = items.as_slice() {
                    fields_at(element, one, at, out);
                }
                out.insert(at);
                at.pop();
            }
        }
        Atom::Map(_, true) => out.insert(at),
        Atom::Map(fields, false) => {
            for (name, inner) in map(Some(value)).into_iter().flatten() {
                let (of, declared) = fields.field(name);
                at.push(Step::Field(name.clone()));
                fields_at(of, inner, at, out);
                let empty = inner.as_object().is_some_and(Map::is_empty);
                if inner.is_null() || empty || !declared {
                    out.insert(at);
                }
                at.pop();
            }
        }
    }
}

/// Checks what a client applies. Errors are worded as the server's.
pub fn check(of: Type, value: &Value) -> Result<(), String> {
    let mut errors = Vec::new();
    check_at(of, value, &mut Vec::new(), &mut errors);
    match errors.as_slice() {
        [] => Ok(()),
        [one] => Err(one.clone()),
        many => {
            let lines: Vec<String> = many.iter().map(|e| format!("  {e}")).collect();
            Err(format!("errors:\n{}", lines.join("\n")))
        }
    }
}

fn check_at(of: Type, value: &Value, at: &mut Vec<Step>, errors: &mut Vec<String>) {
    if value.is_null() {
        return;
    }
    match (of.atom(value), value) {
        (Atom::List(element, by), Value::Array(items)) => {
            let mut seen = BTreeSet::new();
            for (i, item) in items.iter().enumerate() {
                let step = match by {
                    ListKind::Atomic => Step::Index(i64::try_from(i).unwrap_or(i64::MAX)),
                    _ => match by.step(element, item) {
                        Some(step) => step,
                        None => {
                            let why = "associative list with keys has an element that omits key \
                                       field";
                            errors.push(format!("{}: element {i}: {why}", path_text(at)));
                            continue;
                        }
                    },
                };
                if !seen.insert(step.clone()) {
                    errors.push(format!("{}: duplicate entries for key {step}", path_text(at)));
                }
                at.push(step);
                check_at(element, item, at, errors);
                at.pop();
            }
        }
        (Atom::Map(fields, _), Value::Object(map)) => {
            for (name, inner) in map {
                at.push(Step::Field(name.clone()));
                if fields.takes(name) {
                    check_at(fields.field(name).0, inner, at, errors);
                } else {
                    errors.push(format!("{}: field not declared in schema", path_text(at)));
                }
                at.pop();
            }
        }
        (Atom::List(..), other) => {
            errors.push(format!("{}: expected list, got {}", path_text(at), shown(other)));
        }
        (Atom::Map(..), other) => {
            errors.push(format!("{}: expected map, got {}", path_text(at), shown(other)));
        }
        (Atom::Scalar, other) if other.is_array() || other.is_object() => {
            let what = if other.is_array() { "&[]" } else { "&map[]" };
            errors.push(format!("{}: expected string, got {what}", path_text(at)));
        }
        (Atom::Scalar, _) => {}
    }
}

/// Paths of lists and maps that are one value each.
pub fn wholes(of: Type, value: &Value) -> Vec<String> {
    let mut out = Vec::new();
    wholes_at(of, value, &mut String::new(), &mut out);
    out
}

fn wholes_at(of: Type, value: &Value, at: &mut String, out: &mut Vec<String>) {
    let before = at.len();
    match (of.atom(value), value) {
        (Atom::List(element, by), Value::Array(items)) => {
            if matches!(by, ListKind::Atomic) {
                out.push(at.clone());
            }
            for (i, item) in items.iter().enumerate() {
                at.push_str(&format!("[{i}]"));
                wholes_at(element, item, at, out);
                at.truncate(before);
            }
        }
        (Atom::Map(fields, atomic), Value::Object(map)) => {
            if atomic {
                out.push(at.clone());
            }
            for (name, inner) in map {
                let (kind, declared) = fields.field(name);
                if declared {
                    at.push_str(&format!(".{name}"));
                    wholes_at(kind, inner, at, out);
                    at.truncate(before);
                }
            }
        }
        _ => {}
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("&{{{text}}}"),
        Value::Array(_) => "&[]".into(),
        Value::Object(_) => "&map[]".into(),
        other => format!("&{{{other}}}"),
    }
}

/// What `live` becomes when `applied` is laid over it; `None` where nothing is left.
pub fn merge(of: Type, live: Option<&Value>, applied: Option<&Value>) -> Option<Value> {
    let shown = applied.filter(|v| !v.is_null()).or(live).or(applied)?;
    match of.atom(shown) {
        Atom::List(element, by) if !matches!(by, ListKind::Atomic) => {
            let (a, b) = (list(live), list(applied));
            if a.is_empty() && b.is_empty() {
                return applied.or(live).cloned();
            }
            let out = merge_lists(element, by, a, b);
            (!out.is_empty()).then_some(Value::Array(out))
        }
        Atom::Map(fields, false) => {
            let (a, b) = (map(live), map(applied));
            if a.is_none_or(Map::is_empty) && b.is_none_or(Map::is_empty) {
                return applied.or(live).cloned();
            }
            let mut out = Map::new();
            let names: BTreeSet<&String> = a.into_iter().chain(b).flat_map(|m| m.keys()).collect();
            for name in names {
                let of = fields.field(name).0;
                let merged = merge(of, a.and_then(|m| m.get(name)), b.and_then(|m| m.get(name)));
                if let Some(merged) = merged {
                    out.insert(name.clone(), merged);
                }
            }
            (!out.is_empty()).then_some(Value::Object(out))
        }
        _ => applied.or(live).cloned(),
    }
}

/// The order of the applied list, with what only the live one has in its place between.
fn merge_lists(element: Type, by: ListKind, live: &[Value], applied: &[Value]) -> Vec<Value> {
    let known = |items: &[Value]| -> Vec<Option<Step>> {
        items.iter().map(|item| by.step(element, item)).collect()
    };
    let (left, right) = (known(live), known(applied));
    let find = |steps: &[Option<Step>], step: &Option<Step>| {
        if step.is_none() { None } else { steps.iter().position(|s| s == step) }
    };
    let mut shared: std::collections::VecDeque<&Option<Step>> =
        right.iter().filter(|s| find(&left, s).is_some()).collect();
    let mut done: BTreeSet<&Step> = BTreeSet::new();
    let mut out = Vec::new();
    let (mut l, mut r) = (0, 0);
    while l < left.len() || r < right.len() {
        if let (Some(a), Some(b)) = (left.get(l), right.get(r)) {
            if a == b {
                done.extend(a.as_ref());
                out.extend(merge(element, live.get(l), applied.get(r)));
                (l, r) = (l + 1, r + 1);
                shared.pop_front();
                continue;
            }
            if find(&right, a).is_some() && shared.front().is_some_and(|next| *next != a) {
                l += 1;
                continue;
            }
        }
        if let Some(a) = left.get(l) {
            if find(&right, a).is_none() {
                out.extend(merge(element, live.get(l), None));
                l += 1;
                continue;
            }
            if a.as_ref().is_some_and(|a| done.contains(a)) {
                l += 1;
            }
        }
        if let Some(b) = right.get(r) {
            let before = find(&left, b).and_then(|at| live.get(at));
            out.extend(merge(element, before, applied.get(r)));
            done.extend(b.as_ref());
            if shared.front() == Some(&b) {
                shared.pop_front();
            }
            r += 1;
        }
    }
    out
}

/// The value without these fields; `None` where nothing is left.
pub fn remove(of: Type, value: &Value, gone: &Set) -> Option<Value> {
    match of.atom(value) {
        Atom::List(element, by) => {
            let items = list(Some(value));
            if items.is_empty() || matches!(by, ListKind::Atomic) {
                return None;
            }
            let mut out = Vec::new();
            for item in items {
                let Some(step) = by.step(element, item) else {
                    out.push(item.clone());
                    continue;
                };
                if gone.has_step(&step) {
                    continue;
                }
                match gone.below(&step) {
                    Some(inner) => out.extend(remove(element, item, inner).or(Some(Value::Null))),
                    None => out.push(item.clone()),
                }
            }
            (!out.is_empty()).then_some(Value::Array(out))
        }
        Atom::Map(fields, atomic) => {
            let items = map(Some(value))?;
            if items.is_empty() || atomic {
                return None;
            }
            let mut out = Map::new();
            for (name, inner) in items {
                let step = Step::Field(name.clone());
                if gone.has_step(&step) {
                    continue;
                }
                let kept = match gone.below(&step) {
                    Some(below) => remove(fields.field(name).0, inner, below),
                    None => Some(inner.clone()),
                };
                // An emptied map or list is null, which says nothing.
                out.insert(name.clone(), kept.unwrap_or(Value::Null));
            }
            (!out.is_empty()).then_some(Value::Object(out))
        }
        Atom::Scalar => Some(value.clone()),
    }
}

/// The set, with the structs and lists that lead to its members in it.
/// Models `Set.EnsureNamedFieldsAreMembers`.
pub fn with_ways(of: Type, value: &Value, set: &Set) -> Set {
    let mut out = set.clone();
    for path in set.paths() {
        let (mut of, mut here) = (of, Some(value));
        for (i, step) in path.iter().enumerate() {
            // Only fields that a struct declares are ways; items and entries count as they are.
            let declared = match (of.atom(here.unwrap_or(&Value::Null)), step) {
                (
                    Atom::Map(fields @ (MapKind::Struct(_) | MapKind::Schema(..)), _),
                    Step::Field(name),
                ) => {
                    let (inner, declared) = fields.field(name);
                    of = inner;
                    here = here.and_then(|v| v.get(name));
                    declared
                }
                (Atom::Map(fields, _), Step::Field(name)) => {
                    of = fields.field(name).0;
                    here = here.and_then(|v| v.get(name));
                    false
                }
                (Atom::List(element, by), step) => {
                    let items = list(here);
                    here = items.iter().find(|i| by.step(element, i).as_ref() == Some(step));
                    of = element;
                    false
                }
                _ => break,
            };
            if declared {
                if let Some(way) = path.get(..=i) {
                    out.insert(way);
                }
            }
        }
    }
    out
}
