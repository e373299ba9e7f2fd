//! The form `plaintext-openapiv2`, from an OpenAPI v2 document.
//! Models `k8s.io/kubectl/pkg/explain` (`model_printer.go`, `fields_printer.go`, `formatter.go`).

use serde_json::Value;

use super::{
    Question,
    schema::{DEEPEST, items, properties, reference, requires, resolve, text, values},
};
use crate::{api::gofmt::quote, api::openapi, programs::kubectl::Error};

/// Which kind is explained.
pub(super) struct Head<'a> {
    pub group: &'a str,
    pub version: &'a str,
    pub kind: &'a str,
}

/// The whole text.
pub(super) fn explain(document: &Value, head: &Head, question: &Question) -> Result<String, Error> {
    let wanted = serde_json::json!({
        "group": head.group, "version": head.version, "kind": head.kind,
    });
    let definitions = document.get("definitions").and_then(Value::as_object);
    let found = definitions.into_iter().flat_map(|d| d.values()).find(|schema| {
        let kinds = schema.get(openapi::GVK).and_then(Value::as_array);
        kinds.is_some_and(|k| k.contains(&wanted))
    });
    let Some(mut schema) = found else {
        let Head { group, version, kind } = head;
        let gvk = quote(&format!("{group}/{version}, Kind={kind}"));
        return Err(Error::plain(format!("couldn't find resource for {gvk}")));
    };
    for field in &question.fields {
        schema = look_up(document, schema, field)
            .ok_or_else(|| Error::plain(format!("field {} does not exist", quote(field))))?;
    }
    let version = match head.group {
        "" => head.version.to_owned(),
        group => format!("{group}/{}", head.version),
    };
    let mut out = Printer { document, question, out: String::new() };
    out.out = format!("KIND:     {}\nVERSION:  {version}\n\n", head.kind);
    out.model(schema, question.fields.last().copied().unwrap_or_default());
    Ok(out.out)
}

/// Through lists and maps to the field of a struct.
fn look_up<'a>(document: &'a Value, schema: &'a Value, field: &str) -> Option<&'a Value> {
    let mut here = schema;
    for _ in 0..DEEPEST {
        here = resolve(document, here);
        if let Some(all) = properties(here) {
            return all.get(field);
        }
        here = items(here).or_else(|| values(here))?;
    }
    None
}

struct Printer<'a> {
    document: &'a Value,
    question: &'a Question<'a>,
    out: String,
}

impl<'a> Printer<'a> {
    fn model(&mut self, schema: &'a Value, name: &str) {
        let kind = self.type_name(schema, DEEPEST);
        let mut texts = Vec::new();
        let mut here = schema;
        for _ in 0..DEEPEST {
            let inner = match reference(here) {
                Some(_) => Some(resolve(self.document, here)),
                None => items(here).or_else(|| values(here)),
            };
            let Some(inner) = inner.filter(|i| !std::ptr::eq(*i, here)) else { break };
            texts.push(text(here, "description"));
            here = inner;
        }
        texts.push(text(here, "description"));
        let is_struct = properties(here).is_some();
        if !name.is_empty() {
            let what = if is_struct { "RESOURCE:" } else { "FIELD:   " };
            self.out += &format!("{what} {name} <{kind}>\n\n");
        }
        self.out += "DESCRIPTION:\n";
        let mut empty = true;
        for (i, text) in texts.iter().enumerate().filter(|(_, t)| !t.is_empty()) {
            empty = false;
            if i != 0 {
                self.out += "\n";
            }
            self.wrapped(5, text);
        }
        if empty {
            self.line(5, "<empty>");
        }
        if is_struct {
            self.out += "\nFIELDS:\n";
            if self.question.recursive {
                self.recursive(here, 3, 0, &mut Vec::new());
            } else {
                self.fields(here);
            }
        }
    }

    fn fields(&mut self, schema: &Value) {
        for (name, field) in properties(schema).into_iter().flatten() {
            let required = if requires(schema, name) { " -required-" } else { "" };
            let kind = self.type_name(field, DEEPEST);
            self.line(3, &format!("{name}\t<{kind}>{required}"));
            self.wrapped(5, text(field, "description"));
            self.out += "\n";
        }
    }

    fn recursive(&mut self, schema: &'a Value, by: usize, depth: i64, seen: &mut Vec<&'a str>) {
        if by > DEEPEST * 3 {
            return;
        }
        let named = reference(schema);
        if named.is_some_and(|r| seen.contains(&r)) {
            return;
        }
        seen.extend(named);
        let here = resolve(self.document, schema);
        match (properties(here), items(here).or_else(|| values(here))) {
            (Some(all), _) => {
                for (name, field) in all {
                    let kind = self.type_name(field, DEEPEST);
                    self.line(by, &format!("{name}\t<{kind}>"));
                    if self.question.depth == 0 || depth + 1 < self.question.depth {
                        self.recursive(field, by + 3, depth + 1, seen);
                    }
                }
            }
            (None, Some(inner)) => self.recursive(inner, by, depth, seen),
            (None, None) => {}
        }
        if named.is_some() {
            seen.pop();
        }
    }

    fn type_name(&self, schema: &Value, left: usize) -> String {
        let Some(left) = left.checked_sub(1) else { return String::new() };
        let here = resolve(self.document, schema);
        if properties(here).is_some() {
            return "Object".into();
        }
        if let Some(inner) = items(here) {
            return format!("[]{}", self.type_name(inner, left));
        }
        if let Some(inner) = values(here) {
            return format!("map[string]{}", self.type_name(inner, left));
        }
        match text(here, "type") {
            // Anything at all has no name there.
            "object" => String::new(),
            plain => plain.to_owned(),
        }
    }

    fn line(&mut self, by: usize, text: &str) {
        if text.is_empty() {
            self.out.push('\n');
        } else {
            self.out += &format!("{}{text}\n", " ".repeat(by));
        }
    }

    fn wrapped(&mut self, by: usize, text: &str) {
        for line in lines(text, 80 - by) {
            self.line(by, &line);
        }
    }
}

/// Lines of a description: paragraphs, lists and code stay apart.
fn lines(text: &str, width: usize) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut line = String::new();
    let flush = |line: &mut String, out: &mut Vec<String>| {
        if !line.is_empty() {
            out.push(std::mem::take(line));
            return true;
        }
        false
    };
    let mut last = String::new();
    for piece in text.split('\n') {
        if piece.starts_with("    ") {
            if flush(&mut line, &mut out) {
                last.clear();
            }
            out.push(piece.to_owned());
            continue;
        }
        if !out.is_empty() && piece.trim().is_empty() {
            if flush(&mut line, &mut out) {
                last.clear();
            }
            out.push(String::new());
            continue;
        }
        if (last.ends_with(':') || starts_item(piece.trim())) && flush(&mut line, &mut out) {
            last.clear();
        }
        for word in piece.split_whitespace() {
            last = word.to_owned();
            if !line.is_empty() && line.len() + 1 + word.len() > width {
                flush(&mut line, &mut out);
                last.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    flush(&mut line, &mut out);
    out
}

/// Whether a line begins a list's item, or is empty.
fn starts_item(line: &str) -> bool {
    let Some((mark, _)) = line.split_once(char::is_whitespace) else { return line.is_empty() };
    let digits = mark.trim_end_matches('.');
    mark == "-"
        || mark == "*"
        || (mark.len() - digits.len() <= 1
            && !digits.is_empty()
            && digits.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_lists_and_code_stay_apart() {
        let text = "One two three four five.\n\nValues:\n- a\n* b\n    code stays\nlast";
        assert_eq!(
            lines(text, 12),
            [
                "One two",
                "three four",
                "five.",
                "",
                "Values:",
                "- a",
                "* b",
                "    code stays",
                "last"
            ]
        );
    }
}
