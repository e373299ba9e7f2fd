//! The form `plaintext`, from an OpenAPI v3 document.
//! Models the template `kubectl/pkg/explain/v2/templates/plaintext.tmpl`.

use serde_json::Value;

use super::{
    Question,
    schema::{DEEPEST, all_of, items, properties, reference, requires, resolve, text, values},
    wrap::{indent, wrap},
};
use crate::api::openapi;

/// The lines that name the kind, and the rest; the rest is `None` if there is no such field.
pub(super) fn explain(
    document: &Value,
    gvk: &Value,
    question: &Question,
) -> (String, Option<String>) {
    let mut head = String::new();
    if !text(gvk, "group").is_empty() {
        head += &format!("GROUP:      {}\n", text(gvk, "group"));
    }
    head += &format!("KIND:       {}\nVERSION:    {}\n\n", text(gvk, "kind"), text(gvk, "version"));
    let schemas = document.pointer("/components/schemas").and_then(Value::as_object);
    let found = schemas.into_iter().flat_map(|s| s.values()).find(|schema| {
        let kinds = schema.get(openapi::GVK).and_then(Value::as_array);
        kinds.is_some_and(|k| k.contains(gvk))
    });
    let mut out = Explainer { document, question, out: String::new() };
    let ok = found.is_some_and(|schema| out.path(schema, &question.fields, DEEPEST));
    (head, ok.then(|| out.out + "\n"))
}

struct Explainer<'a> {
    document: &'a Value,
    question: &'a Question<'a>,
    out: String,
}

impl<'a> Explainer<'a> {
    /// Follows the fields; whether they exist.
    fn path(&mut self, schema: &'a Value, fields: &[&str], left: usize) -> bool {
        let Some(left) = left.checked_sub(1) else { return false };
        let resolved = resolve(self.document, schema);
        let Some((first, rest)) = fields.split_first() else {
            self.here(resolved);
            return true;
        };
        if let Some(field) = properties(resolved).and_then(|p| p.get(*first)) {
            if rest.is_empty() {
                let kind = self.type_name(field, DEEPEST);
                self.out += &format!("FIELD: {first} <{kind}>\n");
                self.long_enum(field);
                self.out += "\n\n";
            }
            return self.path(field, rest, left);
        }
        if let Some(inner) = items(resolved).or_else(|| values(resolved)) {
            return self.path(inner, fields, left);
        }
        all_of(resolved).iter().any(|inner| self.path(inner, fields, left))
    }

    /// Prints description and fields.
    fn here(&mut self, schema: &'a Value) {
        self.out += "DESCRIPTION:\n";
        let mut described = String::new();
        self.description(schema, &mut described, DEEPEST);
        if described.is_empty() {
            described.push_str("<empty>");
        }
        self.out += &indent(&wrap(&described, 76), 4);
        self.out += "\n";
        self.external(schema, 0, 76);
        let mut fields =
            Explainer { document: self.document, question: self.question, out: String::new() };
        fields.fields(schema, 1, &mut Vec::new(), DEEPEST);
        if !fields.out.is_empty() {
            self.out += "FIELDS:\n";
            self.out += &fields.out;
        }
    }

    fn description(&self, schema: &Value, out: &mut String, left: usize) {
        let Some(left) = left.checked_sub(1) else { return };
        let schema = resolve(self.document, schema);
        if !text(schema, "description").is_empty() {
            out.push_str(text(schema, "description"));
            out.push('\n');
        }
        for inner in all_of(schema).iter().chain(items(schema)).chain(values(schema)) {
            self.description(inner, out, left);
        }
    }

    fn external(&mut self, schema: &Value, by: usize, width: usize) {
        let Some(docs) = schema.get("externalDocs") else { return };
        self.out += "\n";
        self.out += &indent("EXTERNAL DOCS:", by);
        self.out += "\n";
        if !text(docs, "description").is_empty() {
            self.out += &indent(&wrap(text(docs, "description"), width), by + 4);
            self.out += "\n";
        }
        if !text(docs, "url").is_empty() {
            self.out += &indent(&format!("URL: {}", text(docs, "url")), by + 4);
            self.out += "\n";
        }
    }

    /// Prints the fields of a schema; `seen` are the references on the way here.
    fn fields(&mut self, schema: &'a Value, level: i64, seen: &mut Vec<&'a str>, left: usize) {
        let Some(left) = left.checked_sub(1) else { return };
        let named = reference(schema);
        if named.is_some_and(|r| seen.contains(&r)) {
            return;
        }
        seen.extend(named);
        let resolved = resolve(self.document, schema);
        for (name, field) in properties(resolved).into_iter().flatten() {
            self.field(resolved, name, field, level);
            let deeper = self.question.depth == 0 || level < self.question.depth;
            if self.question.recursive && deeper {
                self.fields(field, level + 1, seen, left);
            }
        }
        let inner = all_of(resolved).iter().chain(items(resolved)).chain(values(resolved));
        for inner in inner {
            self.fields(inner, level, seen, left);
        }
        if named.is_some() {
            seen.pop();
        }
    }

    fn field(&mut self, of: &Value, name: &str, field: &Value, level: i64) {
        let by = usize::try_from(level).unwrap_or(0) * 2;
        self.out += &indent(name, by);
        self.out += &format!("\t<{}>", self.type_name(field, DEEPEST));
        if requires(of, name) {
            self.out += " -required-";
        }
        if let Some(all) = enumeration(field) {
            let shown: Vec<String> = all.iter().take(4).map(value).collect();
            self.out += &format!("\n{}enum: {}", " ".repeat(by), shown.join(", "));
            if all.len() > 4 {
                self.out += ", ....";
            }
        }
        self.out += "\n";
        if self.question.recursive {
            return;
        }
        let described = match text(field, "description") {
            "" => "<no description>",
            text => text,
        };
        self.out += &indent(&wrap(described, 78usize.saturating_sub(by)), by + 2);
        self.out += "\n";
        self.external(field, by + 2, 76usize.saturating_sub(by));
        self.out += "\n";
    }

    fn long_enum(&mut self, field: &Value) {
        if let Some(all) = enumeration(field) {
            self.out += "ENUM:";
            for one in all {
                self.out += &format!("\n    {}", value(one));
            }
        }
    }

    /// `string`, `[]Container`, `map[string]Quantity`.
    fn type_name(&self, schema: &Value, left: usize) -> String {
        let object = |name: &str| match name {
            "" | "object" => "Object".to_owned(),
            name => name.to_owned(),
        };
        let Some(left) = left.checked_sub(1) else { return object("") };
        if let Some(inner) = items(schema) {
            return format!("[]{}", self.type_name(inner, left));
        }
        if let Some(inner) = values(schema) {
            return format!("map[string]{}", self.type_name(inner, left));
        }
        if let ([one], None) = (all_of(schema), properties(schema)) {
            return self.type_name(one, left);
        }
        match reference(schema) {
            Some(name) => match text(resolve(self.document, schema), "type") {
                "" | "object" => object(name.rsplit(['/', '.']).next().unwrap_or_default()),
                plain => plain.to_owned(),
            },
            None => object(text(schema, "type")),
        }
    }
}

fn enumeration(field: &Value) -> Option<&Vec<Value>> {
    field.get("enum")?.as_array().filter(|all| !all.is_empty())
}

fn value(one: &Value) -> String {
    match one {
        Value::String(text) if text.is_empty() => "\"\"".into(),
        Value::String(text) => text.clone(),
        other => crate::api::gofmt::value(other),
    }
}
