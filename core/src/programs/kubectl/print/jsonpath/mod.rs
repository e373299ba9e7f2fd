//! kubectl's dialect of JSONPath: `{range .items[*]}{.metadata.name}{"\n"}{end}`.
//!
//! Models `k8s.io/client-go/util/jsonpath`. Maps are walked in the order of their keys, where the
//! original's order is random.

mod parse;

use std::borrow::Cow;

pub use parse::unquote;
use parse::{Node, Param, parse};
use serde_json::Value;

use crate::api::{gofmt, json};

type Found<'a> = Vec<Cow<'a, Value>>;

/// A parsed template.
#[derive(Clone, Debug)]
pub struct JsonPath {
    nodes: Vec<Node>,
    /// Whether what is missing is passed over instead of an error.
    pub allow_missing: bool,
}

impl JsonPath {
    /// Parses a template. Errors are upstream's words.
    pub fn new(text: &str, allow_missing: bool) -> Result<Self, String> {
        Ok(JsonPath { nodes: parse(text)?, allow_missing })
    }

    /// What each piece of the template finds, in order.
    pub fn find<'a>(&'a self, data: &'a Value) -> Result<Vec<Found<'a>>, String> {
        let mut run = Run { allow_missing: self.allow_missing, ..Run::default() };
        run.results(&self.nodes, 0, Cow::Borrowed(data))
    }

    /// The template's text for `data`.
    pub fn execute(&self, data: &Value) -> Result<String, String> {
        let mut out = String::new();
        for results in self.find(data)? {
            for (i, value) in results.iter().enumerate() {
                if i > 0 {
                    out.push(' ');
                }
                out.push_str(&to_text(value));
            }
        }
        Ok(out)
    }

    /// Each piece's finds as an indented JSON list (`-o jsonpath-as-json`).
    pub fn execute_as_json(&self, data: &Value) -> Result<String, String> {
        let mut out = String::new();
        for results in self.find(data)? {
            let list = Value::Array(results.into_iter().map(Cow::into_owned).collect());
            out.push_str(&json::pretty(&list));
            out.push('\n');
        }
        Ok(out)
    }
}

fn to_text(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Array(_) | Value::Object(_) => json::compact(value),
        other => gofmt::value(other),
    }
}

/// Makes a whole expression of what people write: `metadata.name`, `.metadata.name`,
/// `{metadata.name}` and `{.metadata.name}` all become `{.metadata.name}`.
pub fn relaxed(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    let inner = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or(text);
    let spec = inner.strip_prefix('.').filter(|s| !s.is_empty()).unwrap_or(inner);
    if spec.is_empty() || spec.contains(['{', '}']) {
        return Err("unexpected path string, expected a 'name1.name2' or '.name1.name2' or \
                    '{name1.name2}' or '{.name1.name2}'"
            .into());
    }
    Ok(format!("{{.{spec}}}"))
}

#[derive(Default)]
struct Run {
    allow_missing: bool,
    begin_range: u32,
    in_range: u32,
    end_range: u32,
    last_end: Option<usize>,
}

impl Run {
    fn results<'a>(
        &mut self,
        nodes: &'a [Node],
        first: usize,
        data: Cow<'a, Value>,
    ) -> Result<Vec<Found<'a>>, String> {
        let mut full = Vec::new();
        let mut i = first;
        while i < nodes.len() {
            let results = self.walk(vec![data.clone()], &nodes[i])?;
            if self.end_range > 0 && self.end_range <= self.in_range {
                self.end_range -= 1;
                self.last_end = Some(i);
                break;
            }
            if self.begin_range > 0 {
                self.begin_range -= 1;
                self.in_range += 1;
                if self.in_range > 64 {
                    return Err("ranges are nested too deeply".into());
                }
                if results.is_empty() {
                    // The end is still to be found.
                    self.results(nodes, i + 1, Cow::Owned(Value::Null))?;
                }
                for value in results {
                    full.extend(self.results(nodes, i + 1, value)?);
                }
                self.in_range -= 1;
                if let Some(end) = self.last_end.filter(|&end| end > i) {
                    i = end;
                }
                i += 1;
                continue;
            }
            full.push(results);
            i += 1;
        }
        Ok(full)
    }

    fn walk<'a>(&mut self, input: Found<'a>, node: &'a Node) -> Result<Found<'a>, String> {
        let constant = |v: Value| Ok(input.iter().map(|_| Cow::Owned(v.clone())).collect());
        match node {
            Node::List(nodes) => self.list(input, nodes),
            Node::Text(text) => Ok(vec![Cow::Owned(Value::String(text.clone()))]),
            Node::Int(n) => constant((*n).into()),
            Node::Float(f) => constant((*f).into()),
            Node::Bool(b) => constant((*b).into()),
            Node::Field(name) => self.field(input, name),
            Node::Array(params) => array(input, params),
            Node::Filter(left, right, op) => self.filter(input, left, right, op),
            Node::Wildcard => Ok(input.into_iter().flat_map(children).collect()),
            Node::Recursive => {
                let mut found = Vec::new();
                recursive(input, &mut found);
                Ok(found)
            }
            Node::Union(lists) => {
                let mut found = Vec::new();
                for list in lists {
                    found.extend(self.list(input.clone(), list)?);
                }
                Ok(found)
            }
            Node::Identifier(name) => match name.as_str() {
                "range" => {
                    self.begin_range += 1;
                    Ok(input)
                }
                "end" if self.in_range > 0 => {
                    self.end_range += 1;
                    Ok(Vec::new())
                }
                "end" => Err("not in range, nothing to end".into()),
                _ => Err(format!("unrecognized identifier {name}")),
            },
        }
    }

    fn list<'a>(&mut self, input: Found<'a>, nodes: &'a [Node]) -> Result<Found<'a>, String> {
        nodes.iter().try_fold(input, |value, node| self.walk(value, node))
    }

    fn field<'a>(&self, input: Found<'a>, name: &str) -> Result<Found<'a>, String> {
        if input.is_empty() {
            return Ok(input);
        }
        let found: Found<'a> = input
            .into_iter()
            .filter_map(|value| match value {
                Cow::Borrowed(v) => v.get(name).map(Cow::Borrowed),
                Cow::Owned(mut v) => v.get_mut(name).map(|v| Cow::Owned(v.take())),
            })
            .collect();
        if found.is_empty() && !self.allow_missing {
            return Err(format!("{name} is not found"));
        }
        Ok(found)
    }

    fn filter<'a>(
        &mut self,
        input: Found<'a>,
        left: &'a [Node],
        right: &'a [Node],
        op: &str,
    ) -> Result<Found<'a>, String> {
        let mut found = Vec::new();
        for value in input {
            if !value.is_array() {
                let shown = gofmt::value(&value);
                return Err(format!("{shown} is not array or slice and cannot be filtered"));
            }
            for item in children(value) {
                let lefts = self.list(vec![item.clone()], left);
                if op == "exists" {
                    if lefts.is_ok_and(|l| !l.is_empty()) {
                        found.push(item);
                    }
                    continue;
                }
                let lefts = lefts?;
                let too_many = || "can only compare one element at a time".to_owned();
                if lefts.len() > 1 {
                    return Err(too_many());
                }
                let Some(l) = lefts.first() else { continue };
                let rights = self.list(vec![item.clone()], right)?;
                if rights.len() > 1 {
                    return Err(too_many());
                }
                let Some(r) = rights.first() else { continue };
                if compare(l, r, op)? {
                    found.push(item);
                }
            }
        }
        Ok(found)
    }
}

/// The items of a list or the values of a map.
fn children(value: Cow<'_, Value>) -> Found<'_> {
    match value {
        Cow::Borrowed(Value::Array(items)) => items.iter().map(Cow::Borrowed).collect(),
        Cow::Borrowed(Value::Object(map)) => map.values().map(Cow::Borrowed).collect(),
        Cow::Owned(Value::Array(items)) => items.into_iter().map(Cow::Owned).collect(),
        Cow::Owned(Value::Object(map)) => map.into_iter().map(|(_, v)| Cow::Owned(v)).collect(),
        _ => Vec::new(),
    }
}

fn recursive<'a>(input: Found<'a>, found: &mut Found<'a>) {
    for value in input {
        let inner = children(value.clone());
        if !inner.is_empty() {
            found.push(value);
            recursive(inner, found);
        }
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(n) if n.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

fn array<'a>(input: Found<'a>, params: &[Param; 3]) -> Result<Found<'a>, String> {
    let mut found = Vec::new();
    for value in input {
        if value.is_null() {
            continue;
        }
        let Some(len) = value.as_array().map(|a| a.len() as i64) else {
            return Err(format!("{} is not array or slice", type_name(&value)));
        };
        let mut from = if params[0].known { params[0].value } else { 0 };
        if from < 0 {
            from += len;
        }
        let mut to = if params[1].known { params[1].value } else { len };
        if to < 0 || (to == 0 && params[1].derived) {
            to += len;
        }
        if to == from {
            return Ok(found);
        }
        let out = |index| format!("array index out of bounds: index {index}, length {len}");
        if from >= len || from < 0 {
            return Err(out(from));
        }
        if to > len || to < 0 {
            return Err(out(to - 1));
        }
        if from > to {
            return Err(format!("starting index {from} is greater than ending index {to}"));
        }
        let step = if params[2].known { params[2].value } else { 1 };
        if step <= 0 {
            return Err("step must be > 0".into());
        }
        let items = children(value).into_iter();
        found.extend(items.take(to as usize).skip(from as usize).step_by(step as usize));
    }
    Ok(found)
}

fn compare(left: &Value, right: &Value, op: &str) -> Result<bool, String> {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let ordering = match (left, right) {
        (Value::Array(_) | Value::Object(_) | Value::Null, _)
        | (_, Value::Array(_) | Value::Object(_) | Value::Null) => {
            return Err("invalid type for comparison".into());
        }
        (Value::String(l), Value::String(r)) => l.cmp(r),
        (Value::Bool(l), Value::Bool(r)) if matches!(op, "==" | "!=") => l.cmp(r),
        (Value::Bool(_), Value::Bool(_)) => return Err("invalid type for comparison".into()),
        (Value::Number(l), Value::Number(r)) if l.is_f64() == r.is_f64() => {
            match (l.as_i64(), r.as_i64()) {
                (Some(l), Some(r)) => l.cmp(&r),
                _ => l.as_f64().partial_cmp(&r.as_f64()).unwrap_or(Equal),
            }
        }
        _ => return Err("incompatible types for comparison".into()),
    };
    Ok(match op {
        "<" => ordering == Less,
        ">" => ordering == Greater,
        "==" => ordering == Equal,
        "!=" => ordering != Equal,
        "<=" => ordering != Greater,
        ">=" => ordering != Less,
        _ => return Err(format!("unrecognized filter operator {op}")),
    })
}

#[cfg(test)]
mod tests;
