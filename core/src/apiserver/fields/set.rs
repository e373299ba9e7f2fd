//! Sets of fields: who owns what is kept in these. Models `structured-merge-diff/fieldpath`.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde_json::{Map, Value};

use crate::api::{gofmt, json};

/// Sets of clients nest as deep as they like; ours follow no further.
const DEEPEST: usize = 64;

/// One step from an object to a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// A field of a map.
    Field(String),
    /// An item of a list, by its keys, sorted by name.
    Keys(Vec<(String, Value)>),
    /// An item of a set.
    Item(Value),
    /// An item by its place.
    Index(i64),
}

impl Eq for Step {}

impl PartialOrd for Step {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Step {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Step::Field(a), Step::Field(b)) => a.cmp(b),
            (Step::Keys(a), Step::Keys(b)) => {
                let each = a.iter().zip(b).map(|((a, v), (b, w))| a.cmp(b).then(order(v, w)));
                each.fold(Ordering::Equal, Ordering::then).then(a.len().cmp(&b.len()))
            }
            (Step::Item(a), Step::Item(b)) => order(a, b),
            (Step::Index(a), Step::Index(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

/// An order of values; which one does not matter as long as it is one.
fn order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => a.as_f64().partial_cmp(&b.as_f64()).unwrap_or(Ordering::Equal),
        },
        _ if a == b => Ordering::Equal,
        _ => json::compact(a).cmp(&json::compact(b)),
    }
}

impl Step {
    fn rank(&self) -> u8 {
        match self {
            Step::Field(_) => 0,
            Step::Keys(_) => 1,
            Step::Item(_) => 2,
            Step::Index(_) => 3,
        }
    }

    /// As it stands in FieldsV1: `f:name`, `k:{"name":"x"}`, `v:"x"`, `i:0`.
    fn text(&self) -> String {
        match self {
            Step::Field(name) => format!("f:{name}"),
            Step::Keys(keys) => {
                let map: Map<String, Value> = keys.iter().cloned().collect();
                format!("k:{}", json::compact(&Value::Object(map)))
            }
            Step::Item(value) => format!("v:{}", json::compact(value)),
            Step::Index(at) => format!("i:{at}"),
        }
    }

    fn parse(text: &str) -> Option<Step> {
        let (kind, rest) = text.split_once(':')?;
        match kind {
            "f" => Some(Step::Field(rest.to_owned())),
            "k" => match serde_json::from_str(rest).ok()? {
                Value::Object(map) => Some(Step::Keys(map.into_iter().collect())),
                _ => None,
            },
            "v" => Some(Step::Item(serde_json::from_str(rest).ok()?)),
            "i" => rest.parse().ok().map(Step::Index),
            _ => None,
        }
    }
}

/// As it stands in messages: `.name`, `[name="x"]`, `[="x"]`, `[0]`.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |v: &Value| match v {
            Value::String(text) => gofmt::quote(text),
            other => json::compact(other),
        };
        match self {
            Step::Field(name) => write!(f, ".{name}"),
            Step::Keys(keys) => {
                let all: Vec<_> = keys.iter().map(|(k, v)| format!("{k}={}", text(v))).collect();
                write!(f, "[{}]", all.join(","))
            }
            Step::Item(value) => write!(f, "[={}]", text(value)),
            Step::Index(at) => write!(f, "[{at}]"),
        }
    }
}

/// A set of fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set {
    members: BTreeSet<Step>,
    children: BTreeMap<Step, Set>,
}

impl Set {
    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty() && self.children.values().all(Set::is_empty)
    }

    /// Adds a field.
    pub fn insert(&mut self, path: &[Step]) {
        match path {
            [] => {}
            [last] => {
                self.members.insert(last.clone());
            }
            [first, rest @ ..] => self.children.entry(first.clone()).or_default().insert(rest),
        }
    }

    /// Whether a field is in it that is one step away.
    pub fn has_step(&self, step: &Step) -> bool {
        self.members.contains(step)
    }

    /// Whether a field is in it.
    pub fn has(&self, path: &[Step]) -> bool {
        match path {
            [] => false,
            [last] => self.members.contains(last),
            [first, rest @ ..] => self.children.get(first).is_some_and(|c| c.has(rest)),
        }
    }

    /// What is in it below a step.
    pub fn below(&self, step: &Step) -> Option<&Set> {
        self.children.get(step).filter(|c| !c.is_empty())
    }

    fn tidy(mut self) -> Set {
        self.children.retain(|_, c| !c.is_empty());
        self
    }

    /// What is in either.
    pub fn union(&self, other: &Set) -> Set {
        let mut out = self.clone();
        out.members.extend(other.members.iter().cloned());
        for (step, child) in &other.children {
            let joined = out.children.get(step).map_or_else(|| child.clone(), |c| c.union(child));
            out.children.insert(step.clone(), joined);
        }
        out
    }

    /// What is in both.
    pub fn intersection(&self, other: &Set) -> Set {
        let members = self.members.intersection(&other.members).cloned().collect();
        let both = |(step, child): (&Step, &Set)| {
            Some((step.clone(), child.intersection(other.children.get(step)?)))
        };
        Set { members, children: self.children.iter().filter_map(both).collect() }.tidy()
    }

    /// What is in this one only.
    pub fn difference(&self, other: &Set) -> Set {
        let members = self.members.difference(&other.members).cloned().collect();
        let only = |(step, child): (&Step, &Set)| {
            let left =
                other.children.get(step).map_or_else(|| child.clone(), |o| child.difference(o));
            (step.clone(), left)
        };
        Set { members, children: self.children.iter().map(only).collect() }.tidy()
    }

    /// What is in this one, without what the other names and everything below that.
    pub fn without(&self, other: &Set) -> Set {
        let members = self.members.difference(&other.members).cloned().collect();
        let kept = self.children.iter().filter(|(step, _)| !other.members.contains(step));
        let children = kept.map(|(step, child)| {
            let left = other.children.get(step).map_or_else(|| child.clone(), |o| child.without(o));
            (step.clone(), left)
        });
        Set { members, children: children.collect() }.tidy()
    }

    /// Everything in it, as paths, in order.
    pub fn paths(&self) -> Vec<Vec<Step>> {
        let mut out = Vec::new();
        self.collect(&mut Vec::new(), &mut out);
        out
    }

    fn collect(&self, at: &mut Vec<Step>, out: &mut Vec<Vec<Step>>) {
        let steps: BTreeSet<&Step> = self.members.iter().chain(self.children.keys()).collect();
        for step in steps {
            at.push(step.clone());
            if self.members.contains(step) {
                out.push(at.clone());
            }
            if let Some(child) = self.children.get(step) {
                child.collect(at, out);
            }
            at.pop();
        }
    }

    /// As FieldsV1.
    pub fn to_value(&self) -> Value {
        let mut map = Map::new();
        for step in &self.members {
            map.insert(step.text(), Value::Object(Map::new()));
        }
        for (step, child) in &self.children {
            let mut inner = child.to_value();
            if let (Value::Object(inner), true) = (&mut inner, self.members.contains(step)) {
                inner.insert(".".into(), Value::Object(Map::new()));
            }
            map.insert(step.text(), inner);
        }
        Value::Object(map)
    }

    /// From FieldsV1; `None` if it is none.
    pub fn from_value(value: &Value) -> Option<Set> {
        Set::read(value, DEEPEST).map(|(set, _)| set)
    }

    /// The set, and whether its `.` is in it.
    fn read(value: &Value, left: usize) -> Option<(Set, bool)> {
        let left = left.checked_sub(1)?;
        let map = value.as_object()?;
        let mut out = Set::default();
        let mut own = map.is_empty();
        for (key, inner) in map {
            if key == "." {
                own = true;
                continue;
            }
            let step = Step::parse(key)?;
            let (child, member) = Set::read(inner, left)?;
            if member {
                out.members.insert(step.clone());
            }
            if !child.is_empty() {
                out.children.insert(step, child);
            }
        }
        Some((out, own))
    }
}

/// A path as messages write it.
pub fn path_text(path: &[Step]) -> String {
    path.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(value: Value) -> Set {
        Set::from_value(&value).unwrap()
    }

    #[test]
    fn sets_read_and_write_themselves() {
        let value = json!({
            "f:metadata": {"f:finalizers": {".": {}, "v:\"a\"": {}}},
            "f:spec": {"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}}},
        });
        let read = set(value.clone());
        assert_eq!(read.to_value(), value);
        let texts: Vec<_> = read.paths().iter().map(|p| path_text(p)).collect();
        assert_eq!(
            texts,
            [
                ".metadata.finalizers",
                ".metadata.finalizers[=\"a\"]",
                ".spec.ports[port=80,protocol=\"TCP\"]",
                ".spec.ports[port=80,protocol=\"TCP\"].port",
            ]
        );
        assert!(Set::from_value(&json!({"x": {}})).is_none());
    }

    #[test]
    fn sets_are_joined_and_taken_apart() {
        let a = set(json!({"f:a": {".": {}, "f:b": {}, "f:c": {}}, "f:d": {}}));
        let b = set(json!({"f:a": {"f:b": {}}, "f:e": {}}));
        assert_eq!(a.difference(&b).to_value(), json!({"f:a": {".": {}, "f:c": {}}, "f:d": {}}));
        assert_eq!(a.intersection(&b).to_value(), json!({"f:a": {"f:b": {}}}));
        assert_eq!(b.union(&a).to_value()["f:e"], json!({}));
        let whole = set(json!({"f:a": {}}));
        assert_eq!(a.without(&whole).to_value(), json!({"f:d": {}}));
    }
}
