//! Go templates: `-o go-template='{{range .items}}{{.metadata.name}}{{"\n"}}{{end}}'`.
//!
//! Models `text/template` over decoded JSON, and kubectl's functions. Numbers of objects are floats,
//! as they are to the original.

mod funcs;
mod lex;
mod parse;

use std::collections::BTreeMap;

use parse::{Arg, Node, Pipe, parse};
use serde_json::Value;

/// How much a template may do: loops over loops over lists end.
const STEPS: u32 = 2_000_000;

/// A parsed template.
#[derive(Clone, Debug)]
pub struct Template {
    templates: BTreeMap<String, Vec<Node>>,
    allow_missing: bool,
}

impl Template {
    /// Parses a text. Errors are Go's words.
    pub fn new(text: &str, allow_missing: bool) -> Result<Self, String> {
        let templates = parse(text).map_err(|e| format!("template: output:{e}"))?;
        Ok(Template { templates, allow_missing })
    }

    /// The template's text for `data`.
    pub fn execute(&self, data: &Value) -> Result<String, String> {
        let mut run = Run {
            template: self,
            out: String::new(),
            variables: vec![(String::new(), data.clone())],
            steps: 0,
            depth: 0,
        };
        let nodes = self.templates.get("").map_or(&[][..], Vec::as_slice);
        run.nodes(nodes, data)
            .map_err(|e| format!("template: output: executing \"output\": {e}"))?;
        Ok(run.out)
    }
}

/// How a list of nodes ended.
#[derive(PartialEq)]
enum Flow {
    On,
    Break,
    Continue,
}

struct Run<'a> {
    template: &'a Template,
    out: String,
    variables: Vec<(String, Value)>,
    steps: u32,
    depth: u32,
}

impl Run<'_> {
    fn nodes(&mut self, nodes: &[Node], dot: &Value) -> Result<Flow, String> {
        for node in nodes {
            self.steps += 1;
            if self.steps > STEPS {
                return Err("the template does not come to an end".into());
            }
            let flow = self.node(node, dot)?;
            if flow != Flow::On {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    fn node(&mut self, node: &Node, dot: &Value) -> Result<Flow, String> {
        match node {
            Node::Text(text) => self.out.push_str(text),
            Node::Action(pipe) => {
                let value = self.pipe(pipe, dot)?;
                if pipe.variables.is_empty() {
                    self.out.push_str(&funcs::show(&value));
                }
            }
            Node::If(pipe, then, otherwise) | Node::With(pipe, then, otherwise) => {
                let mark = self.variables.len();
                let value = self.pipe(pipe, dot)?;
                let yes = funcs::truth(&value);
                let dot = if yes && matches!(node, Node::With(..)) { &value } else { dot };
                let flow = self.nodes(if yes { then } else { otherwise }, dot);
                self.variables.truncate(mark);
                return flow;
            }
            Node::Range(pipe, body, otherwise) => return self.range(pipe, body, otherwise, dot),
            Node::Template(name, pipe) => {
                let data = match pipe {
                    Some(pipe) => self.pipe(pipe, dot)?,
                    None => Value::Null,
                };
                let body = self.template.templates.get(name);
                let body = body.ok_or_else(|| format!("template \"{name}\" not defined"))?;
                self.depth += 1;
                if self.depth > 100 {
                    return Err("exceeded maximum template depth (100)".into());
                }
                let outer =
                    std::mem::replace(&mut self.variables, vec![(String::new(), data.clone())]);
                let result = self.nodes(body, &data);
                self.variables = outer;
                self.depth -= 1;
                result?;
            }
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::On)
    }

    fn range(
        &mut self,
        pipe: &Pipe,
        body: &[Node],
        otherwise: &[Node],
        dot: &Value,
    ) -> Result<Flow, String> {
        let bare = Pipe { variables: Vec::new(), ..pipe.clone() };
        let items: Vec<(Value, Value)> = match self.pipe(&bare, dot)? {
            Value::Array(items) => {
                items.into_iter().enumerate().map(|(i, v)| (i.into(), v)).collect()
            }
            Value::Object(map) => map.into_iter().map(|(k, v)| (k.into(), v)).collect(),
            Value::Number(n) => {
                let n = n.as_u64().unwrap_or(0).min(u64::from(STEPS));
                (0..n).map(|i| (i.into(), i.into())).collect()
            }
            Value::Null => Vec::new(),
            other => {
                return Err(format!(
                    "range can't iterate over {}",
                    crate::api::gofmt::value(&other)
                ));
            }
        };
        if items.is_empty() {
            return self.nodes(otherwise, dot);
        }
        let mark = self.variables.len();
        for (index, item) in items {
            match pipe.variables.as_slice() {
                [one] => self.variables.push((one.clone(), item.clone())),
                [first, second] => {
                    self.variables.push((first.clone(), index));
                    self.variables.push((second.clone(), item.clone()));
                }
                _ => {}
            }
            let flow = self.nodes(body, &item)?;
            self.variables.truncate(mark);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(Flow::On)
    }

    fn pipe(&mut self, pipe: &Pipe, dot: &Value) -> Result<Value, String> {
        let mut last: Option<Value> = None;
        for command in &pipe.commands {
            last = Some(self.command(command, dot, last)?);
        }
        let value = last.unwrap_or(Value::Null);
        for name in &pipe.variables {
            if pipe.declares {
                self.variables.push((name.clone(), value.clone()));
            } else if let Some(slot) = self.variables.iter_mut().rev().find(|(n, _)| n == name) {
                slot.1 = value.clone();
            } else {
                return Err(format!("undefined variable: ${name}"));
            }
        }
        Ok(value)
    }

    fn command(
        &mut self,
        command: &[Arg],
        dot: &Value,
        last: Option<Value>,
    ) -> Result<Value, String> {
        let Some((first, rest)) = command.split_first() else { return Ok(Value::Null) };
        let Arg::Function(name) = first else {
            if !rest.is_empty() || last.is_some() {
                return Err(format!("can't give argument to non-function {}", shown(first)));
            }
            return self.value(first, dot);
        };
        if name == "and" || name == "or" {
            let mut value = Value::Null;
            for arg in rest {
                value = self.value(arg, dot)?;
                if funcs::truth(&value) == (name == "or") {
                    return Ok(value);
                }
            }
            return Ok(last.unwrap_or(value));
        }
        let mut args = Vec::new();
        for arg in rest {
            args.push(self.value(arg, dot)?);
        }
        args.extend(last);
        funcs::call(name, &args)
    }

    fn value(&mut self, arg: &Arg, dot: &Value) -> Result<Value, String> {
        self.steps += 1;
        match arg {
            Arg::Path(fields) => self.path(dot.clone(), fields),
            Arg::Variable(name, fields) => {
                let found = self.variables.iter().rev().find(|(n, _)| n == name);
                let value = found.map(|(_, v)| v.clone());
                let value = value.ok_or_else(|| format!("undefined variable: ${name}"))?;
                self.path(value, fields)
            }
            Arg::Group(pipe, fields) => {
                let value = self.pipe(pipe, dot)?;
                self.path(value, fields)
            }
            Arg::Function(name) => funcs::call(name, &[]),
            Arg::Text(text) => Ok(text.clone().into()),
            Arg::Number(n) => Ok(Value::Number(n.clone())),
            Arg::Bool(b) => Ok((*b).into()),
            Arg::Nil => Ok(Value::Null),
        }
    }

    fn path(&self, mut value: Value, fields: &[String]) -> Result<Value, String> {
        for (i, field) in fields.iter().enumerate() {
            value = match value {
                Value::Object(mut map) => match map.remove(field) {
                    Some(value) => value,
                    None if self.template.allow_missing => Value::Null,
                    None => return Err(format!("map has no entry for key \"{field}\"")),
                },
                Value::Null if i == 0 && self.template.allow_missing => Value::Null,
                Value::Null => {
                    return Err(format!("nil pointer evaluating interface {{}}.{field}"));
                }
                other => {
                    let kind = match other {
                        Value::Array(_) => "[]interface {}",
                        Value::String(_) => "string",
                        Value::Bool(_) => "bool",
                        _ => "float64",
                    };
                    return Err(format!("can't evaluate field {field} in type {kind}"));
                }
            };
        }
        Ok(value)
    }
}

fn shown(arg: &Arg) -> String {
    match arg {
        Arg::Path(fields) if fields.is_empty() => ".".into(),
        Arg::Path(fields) => format!(".{}", fields.join(".")),
        Arg::Variable(name, _) => format!("${name}"),
        Arg::Text(text) => crate::api::gofmt::quote(text),
        Arg::Number(n) => n.to_string(),
        Arg::Bool(b) => b.to_string(),
        Arg::Nil => "nil".into(),
        Arg::Function(name) => name.clone(),
        Arg::Group(..) => "(…)".into(),
    }
}

#[cfg(test)]
mod tests;
