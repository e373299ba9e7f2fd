//! YAML text to values: events of the parser become a tree of nodes, nodes become values.
//!
//! Models `go.yaml.in/yaml/v2` `decode.go` and `sigs.k8s.io/yaml` `convertToJSONableObject`.

use std::{collections::BTreeMap, rc::Rc};

use libyaml_safer::{Event, EventData, Parser, ScalarStyle, Scanner, TokenData};
use serde_json::{Map, Number, Value};

use super::{
    Error,
    resolve::{self, Scalar},
};
use crate::api::gofmt;

/// Deeper documents are refused: everything here that walks a value recurses.
const MAX_DEPTH: usize = 256;

enum Node {
    Scalar { text: String, tag: Option<String>, plain: bool },
    Seq(Vec<Rc<Node>>),
    Map(Vec<(Rc<Node>, Rc<Node>)>),
    Alias(Rc<Node>),
}

/// Reads the first document.
pub(super) fn document(text: &str, words: bool) -> Result<Value, Error> {
    guard_tags(text)?;
    // The parser reads past the end where a last line has no end; see `Composer::padded` too.
    let padded = if text.ends_with('\n') { String::new() } else { format!("{text}\n") };
    let mut input = if padded.is_empty() { text } else { &padded }.as_bytes();
    let mut parser = Parser::new();
    parser.set_input_string(&mut input);
    let mut composer =
        Composer { parser, anchors: BTreeMap::new(), depth: 0, padded: padded.len() };
    composer.next()?; // the start of the stream
    match composer.next()?.data {
        EventData::DocumentStart { .. } => {}
        _ => return Ok(Value::Null),
    }
    let event = composer.next()?;
    let node = composer.node(event)?;
    composer.next()?; // what follows the document on its last line is checked
    Decoder { words, ..Decoder::default() }.value(&node)
}

fn failed(message: impl std::fmt::Display) -> Error {
    Error(format!("yaml: {message}"))
}

fn convert(e: &libyaml_safer::Error) -> Error {
    let scanner = u64::from(e.kind() == libyaml_safer::ErrorKind::Scanner);
    let problem = e.problem_mark().map_or(0, |m| m.line);
    let context = e.context_mark().map_or(0, |m| m.line);
    let line = if problem != 0 { problem + scanner } else { context };
    let at = if line != 0 { format!("line {line}: ") } else { String::new() };
    failed(format_args!("{at}{}", e.problem()))
}

/// The parser cannot read a tag directly followed by a comma (`[!a, b]`) and would stop the
/// program; such text is refused here.
fn guard_tags(text: &str) -> Result<(), Error> {
    let mut tried = 0;
    for (at, _) in text.match_indices('!') {
        let before = text[..at].chars().next_back();
        let word = text[at..].split(|c: char| c.is_whitespace()).next().unwrap_or("");
        if !word.contains(',')
            || before.is_some_and(|c| !matches!(c, ' ' | '\t' | '\n' | '[' | '{' | ','))
        {
            continue;
        }
        tried += 1;
        if tried > 50 || in_flow(&text[..at]) {
            let line = text[..at].matches('\n').count() + 1;
            return Err(failed(format_args!(
                "line {line}: did not find expected whitespace or line break"
            )));
        }
    }
    Ok(())
}

fn in_flow(prefix: &str) -> bool {
    let mut input = prefix.as_bytes();
    let mut scanner = Scanner::new();
    scanner.set_input(&mut input);
    let mut level = 0i64;
    for token in scanner {
        match token {
            Ok(t) => match t.data {
                TokenData::FlowSequenceStart | TokenData::FlowMappingStart => level += 1,
                TokenData::FlowSequenceEnd | TokenData::FlowMappingEnd => level -= 1,
                _ => {}
            },
            Err(_) => return false, // inside quotes
        }
    }
    level > 0
}

struct Composer<'r, 'b> {
    parser: Parser<&'b mut &'r [u8]>,
    anchors: BTreeMap<String, Rc<Node>>,
    depth: usize,
    /// Length of the text if a line end was added to it, or 0. A block scalar that reaches it has
    /// one line end too many.
    padded: usize,
}

impl Composer<'_, '_> {
    fn next(&mut self) -> Result<Event, Error> {
        self.parser.parse().map_err(|e| convert(&e))
    }

    fn node(&mut self, event: Event) -> Result<Rc<Node>, Error> {
        if self.depth > MAX_DEPTH {
            return Err(failed("exceeded max depth of 256"));
        }
        self.depth += 1;
        let result = self.node_inner(event);
        self.depth -= 1;
        result
    }

    fn node_inner(&mut self, event: Event) -> Result<Rc<Node>, Error> {
        let (node, anchor) = match event.data {
            EventData::Alias { anchor } => {
                let target = self.anchors.get(&anchor).cloned();
                let target = target
                    .ok_or_else(|| failed(format_args!("unknown anchor '{anchor}' referenced")))?;
                (Node::Alias(target), None)
            }
            EventData::Scalar { anchor, tag, mut value, plain_implicit, style, .. } => {
                let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                if block && self.padded > 0 && event.end_mark.index as usize >= self.padded {
                    value.truncate(value.strip_suffix('\n').unwrap_or(&value).len());
                }
                let plain = plain_implicit && style == ScalarStyle::Plain;
                let tag = tag.filter(|t| t != "!");
                (Node::Scalar { text: value, tag, plain }, anchor)
            }
            EventData::SequenceStart { anchor, .. } => {
                let mut items = Vec::new();
                loop {
                    let event = self.next()?;
                    if matches!(event.data, EventData::SequenceEnd) {
                        break;
                    }
                    items.push(self.node(event)?);
                }
                (Node::Seq(items), anchor)
            }
            EventData::MappingStart { anchor, .. } => {
                let mut items = Vec::new();
                loop {
                    let event = self.next()?;
                    if matches!(event.data, EventData::MappingEnd) {
                        break;
                    }
                    let key = self.node(event)?;
                    let event = self.next()?;
                    items.push((key, self.node(event)?));
                }
                (Node::Map(items), anchor)
            }
            _ => return Err(failed("unknown problem parsing YAML content")),
        };
        let node = Rc::new(node);
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }
}

#[derive(Default)]
struct Decoder {
    decoded: u64,
    through_aliases: u64,
    alias_depth: u32,
    depth: usize,
    /// Whether `yes`, `on` and the like are words, as YAML 1.2 has it.
    words: bool,
}

impl Decoder {
    /// Counts a step, and refuses documents that are mostly aliases ("billion laughs").
    fn step(&mut self) -> Result<(), Error> {
        self.decoded += 1;
        if self.alias_depth > 0 {
            self.through_aliases += 1;
        }
        let allowed = match self.decoded {
            ..=400_000 => 0.99,
            4_000_000.. => 0.10,
            n => 0.99 - 0.89 * ((n - 400_000) as f64 / 3_600_000.0),
        };
        let ratio = self.through_aliases as f64 / self.decoded as f64;
        if self.through_aliases > 100 && self.decoded > 1_000 && ratio > allowed {
            return Err(failed("document contains excessive aliasing"));
        }
        Ok(())
    }

    fn value(&mut self, node: &Rc<Node>) -> Result<Value, Error> {
        self.step()?;
        if self.depth > 2 * MAX_DEPTH {
            return Err(failed("exceeded max depth of 256"));
        }
        self.depth += 1;
        let result = match &**node {
            Node::Alias(target) => {
                self.alias_depth += 1;
                let result = self.value(target);
                self.alias_depth -= 1;
                result
            }
            Node::Scalar { text, tag, plain } => match tag {
                None if self.words && *plain && resolve::old_bool(text) => {
                    Ok(Value::String(text.clone()))
                }
                _ => scalar(text, tag.as_deref(), *plain),
            },
            Node::Seq(items) => {
                items.iter().map(|i| self.value(i)).collect::<Result<_, _>>().map(Value::Array)
            }
            Node::Map(items) => {
                let mut map = Map::new();
                self.fill(items, &mut map).map(|()| Value::Object(map))
            }
        };
        self.depth -= 1;
        result
    }

    fn fill(
        &mut self,
        items: &[(Rc<Node>, Rc<Node>)],
        map: &mut Map<String, Value>,
    ) -> Result<(), Error> {
        for (key, value) in items {
            if is_merge(key) {
                self.merge(value, map)?;
                continue;
            }
            self.step()?;
            let key = self.key(key)?;
            let value = self.value(value)?;
            map.insert(key, value);
        }
        Ok(())
    }

    fn merge(&mut self, node: &Rc<Node>, map: &mut Map<String, Value>) -> Result<(), Error> {
        let wrong = || failed("map merge requires map or sequence of maps as the value");
        self.step()?;
        match &**node {
            Node::Map(items) => self.fill(items, map),
            Node::Alias(target) => {
                self.alias_depth += 1;
                let result = match &**target {
                    Node::Map(items) => self.fill(items, map),
                    _ => Err(wrong()),
                };
                self.alias_depth -= 1;
                result
            }
            Node::Seq(items) => {
                // Backwards, as earlier maps take precedence.
                for item in items.iter().rev() {
                    if matches!(**item, Node::Seq(_) | Node::Scalar { .. }) {
                        return Err(wrong());
                    }
                    self.merge(item, map)?;
                }
                Ok(())
            }
            Node::Scalar { .. } => Err(wrong()),
        }
    }

    fn key(&mut self, node: &Rc<Node>) -> Result<String, Error> {
        let node = match &**node {
            Node::Alias(target) => target,
            _ => node,
        };
        match self.value(node)? {
            Value::String(s) => Ok(s),
            Value::Bool(b) => Ok(b.to_string()),
            Value::Number(n) if n.is_f64() => Ok(gofmt::float_g(n.as_f64().unwrap_or(0.0))),
            Value::Number(n) => Ok(n.to_string()),
            Value::Null => Err(Error(
                "unsupported map key of type: %!s(<nil>), key: <nil>, value: <nil>".into(),
            )),
            v => Err(failed(format_args!("invalid map key: {}", gofmt::value(&v)))),
        }
    }
}

fn is_merge(node: &Node) -> bool {
    match node {
        Node::Scalar { text, tag, plain } => {
            text == "<<" && (*plain || tag.as_deref() == Some("tag:yaml.org,2002:merge"))
        }
        _ => false,
    }
}

fn scalar(text: &str, tag: Option<&str>, plain: bool) -> Result<Value, Error> {
    let text_value = || Value::String(text.to_owned());
    let short = tag.map(|t| t.strip_prefix("tag:yaml.org,2002:").map_or(t, |s| s));
    let meaning = match short {
        None if !plain => return Ok(text_value()),
        None => resolve::plain(text),
        Some("str") => return Ok(text_value()),
        Some("binary") => {
            let bytes = crate::api::base64::decode(text)
                .ok_or_else(|| failed("!!binary value contains invalid base64 data"))?;
            return Ok(Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        }
        Some(wanted @ ("bool" | "int" | "float" | "null" | "timestamp")) => {
            let got = resolve::plain(text);
            let fits = got.tag()[2..] == *wanted
                || (wanted == "float" && matches!(got, Scalar::Int(_) | Scalar::Uint(_)));
            if !fits {
                let tag = got.tag();
                return Err(failed(format_args!("cannot decode {tag} `{text}` as a !!{wanted}")));
            }
            got
        }
        Some(_) => return Ok(text_value()),
    };
    Ok(match meaning {
        Scalar::Null => Value::Null,
        Scalar::Bool(b) => Value::Bool(b),
        Scalar::Int(i) => i.into(),
        Scalar::Uint(u) => u.into(),
        Scalar::Float(f) => match Number::from_f64(f) {
            Some(n) => Value::Number(n),
            None => {
                return Err(Error(format!("json: unsupported value: {}", gofmt::float_g(f))));
            }
        },
        Scalar::Timestamp | Scalar::Merge | Scalar::Str => text_value(),
    })
}
