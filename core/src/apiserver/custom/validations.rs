//! Rules in CEL (`x-kubernetes-validations`) of custom resources' schemas.
//!
//! Models `apiextensions-apiserver/pkg/apiserver/schema/cel/validation.go`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::api::{
    FieldError,
    cel::{Program, Val},
    json,
};

/// Schemas may be nested so deep.
const DEEPEST: usize = 64;
/// What rules may speak of.
const NAMES: &[&str] = &["self", "oldSelf"];
/// Said where rules were not looked at, because the object is wrong anyhow.
const UNCHECKED: &str = "some validation rules were not checked because the object was invalid; \
    correct the existing errors to complete validation";
/// Rules of one object are looked at so often.
const MOST_RUNS: usize = 20_000;

/// The rules of a schema, compiled, by their text.
#[derive(Default)]
pub struct Rules(BTreeMap<String, Result<Program, String>>);

/// The rules that stand at a schema.
fn at_schema(schema: &Value) -> impl Iterator<Item = &Value> {
    schema.get("x-kubernetes-validations").and_then(Value::as_array).into_iter().flatten()
}

fn text<'a>(rule: &'a Value, key: &str) -> &'a str {
    rule.get(key).and_then(Value::as_str).unwrap_or_default()
}

impl Rules {
    /// Those of a whole schema.
    pub fn of(schema: &Value) -> Self {
        let mut rules = Rules::default();
        rules.gather(schema, 0);
        rules
    }

    fn gather(&mut self, schema: &Value, depth: usize) {
        if depth > DEEPEST {
            return;
        }
        for rule in at_schema(schema) {
            for key in ["rule", "messageExpression"] {
                let source = text(rule, key);
                if !source.is_empty() {
                    self.0
                        .entry(source.to_owned())
                        .or_insert_with(|| Program::compile(source, NAMES));
                }
            }
        }
        let inner = schema.get("properties").and_then(Value::as_object);
        let inner = inner.into_iter().flat_map(|map| map.values());
        let others = ["items", "additionalProperties"].into_iter().filter_map(|k| schema.get(k));
        for part in inner.chain(others).filter(|part| part.is_object()) {
            self.gather(part, depth + 1);
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the rules say of an object that was `old` before. `errors` are those that it has
    /// already: some of them leave nothing to look at.
    pub fn check(
        &self,
        schema: &Value,
        (new, old): (&Value, Option<&Value>),
        errors: &[FieldError],
    ) -> Vec<FieldError> {
        const BLOCKING: &[&str] = &[
            "FieldValueNotSupported",
            "FieldValueRequired",
            "FieldValueTooLong",
            "FieldValueTooMany",
            "FieldValueTypeInvalid",
        ];
        if self.is_empty() {
            return Vec::new();
        }
        let wrong_type = |e: &FieldError| e.body().contains(" in body must be of type ");
        if errors.iter().any(|e| BLOCKING.contains(&e.reason) || wrong_type(e)) {
            return vec![FieldError::invalid("<nil>", "null", UNCHECKED)];
        }
        let mut looker = Looker { rules: self, errors: Vec::new(), left: MOST_RUNS };
        looker.node(schema, new, old, "", 0);
        looker.errors
    }
}

struct Looker<'a> {
    rules: &'a Rules,
    errors: Vec<FieldError>,
    left: usize,
}

impl Looker<'_> {
    fn node(&mut self, schema: &Value, new: &Value, old: Option<&Value>, at: &str, depth: usize) {
        if depth > DEEPEST {
            return;
        }
        for rule in at_schema(schema) {
            self.rule(rule, schema, (new, old), at);
        }
        match new {
            Value::Object(map) => {
                for (name, value) in map {
                    let own = schema.get("properties").and_then(|p| p.get(name));
                    let others = schema.get("additionalProperties").filter(|o| o.is_object());
                    let Some(inner) = own.or(others) else { continue };
                    let place = if at.is_empty() {
                        name.clone()
                    } else if own.is_some() {
                        format!("{at}.{name}")
                    } else {
                        format!("{at}[{name}]")
                    };
                    let old = old.and_then(|o| o.get(name));
                    self.node(inner, value, old, &place, depth + 1);
                }
            }
            Value::Array(items) => {
                let Some(inner) = schema.get("items") else { return };
                for (i, item) in items.iter().enumerate() {
                    let old = old.and_then(|old| same_item(schema, item, old));
                    self.node(inner, item, old, &format!("{at}[{i}]"), depth + 1);
                }
            }
            _ => {}
        }
    }

    fn rule(
        &mut self,
        rule: &Value,
        schema: &Value,
        (new, old): (&Value, Option<&Value>),
        at: &str,
    ) {
        let source = text(rule, "rule").trim();
        let place = if at.is_empty() { "<nil>" } else { at };
        let kind = schema.get("type").and_then(Value::as_str).unwrap_or("object");
        let message = text(rule, "message").trim();
        let shown = if message.is_empty() { source } else { message };
        let Some(left) = self.left.checked_sub(1) else { return };
        self.left = left;
        let program = match self.rules.0.get(text(rule, "rule")) {
            Some(Ok(program)) => program,
            Some(Err(why)) => {
                let why = format!("rule compile error: compilation failed: {why}");
                self.errors.push(FieldError::invalid_str(place, kind, &why));
                return;
            }
            None => return,
        };
        let optional = rule.get("optionalOldSelf") == Some(&Value::Bool(true));
        let before = match (program.uses("oldSelf"), old, optional) {
            (false, ..) => Val::Null,
            (true, None, false) => return, // a transition needs something before
            (true, old, true) => Val::Optional(old.map(|o| Val::of_schema(o, schema).into())),
            (true, Some(old), false) => Val::of_schema(old, schema),
        };
        let variables: BTreeMap<String, Val> =
            [("self".to_owned(), Val::of_schema(new, schema)), ("oldSelf".to_owned(), before)]
                .into();
        match program.run(&variables) {
            Ok(Val::Bool(true)) => {}
            Ok(Val::Bool(false)) => {
                let detail = self.message(rule, &variables, message, source);
                let field = text(rule, "fieldPath");
                let place = match (field, at) {
                    ("", _) => place.to_owned(),
                    (field, "") => field.trim_start_matches('.').to_owned(),
                    (field, at) if field.starts_with('[') => format!("{at}{field}"),
                    (field, at) => format!("{at}.{}", field.trim_start_matches('.')),
                };
                self.errors.push(match text(rule, "reason") {
                    "FieldValueForbidden" => FieldError::forbidden(place, &detail),
                    "FieldValueRequired" => FieldError::required(place, &detail),
                    "FieldValueDuplicate" => {
                        FieldError::duplicate(place, crate::api::gofmt::quote(kind))
                    }
                    _ => FieldError::invalid_str(place, kind, &detail),
                });
            }
            Ok(_) => {
                let why = format!("rule did not evaluate to a bool: {shown}");
                self.errors.push(FieldError::invalid_str(place, kind, &why));
            }
            Err(why) => {
                let why = format!("{why} evaluating rule: {shown}");
                self.errors.push(FieldError::invalid_str(place, kind, &why));
            }
        }
    }

    /// What is said of a rule that does not hold.
    fn message(
        &self,
        rule: &Value,
        variables: &BTreeMap<String, Val>,
        message: &str,
        source: &str,
    ) -> String {
        let usual = match message {
            "" => format!("failed rule: {source}"),
            own => own.to_owned(),
        };
        let Some(Ok(program)) = self.rules.0.get(text(rule, "messageExpression")) else {
            return usual;
        };
        match program.run(variables) {
            Ok(Val::Str(own)) if !own.trim().is_empty() && !own.contains('\n') => {
                own.trim().to_owned()
            }
            _ => usual,
        }
    }
}

/// The item that an item was before: of lists whose items are known by keys.
fn same_item<'a>(schema: &Value, item: &Value, old: &'a Value) -> Option<&'a Value> {
    if text(schema, "x-kubernetes-list-type") != "map" {
        return None;
    }
    let keys = schema.get("x-kubernetes-list-map-keys")?.as_array()?;
    let key = |v: &Value| -> Vec<Option<Value>> {
        keys.iter().filter_map(Value::as_str).map(|k| v.get(k).cloned()).collect()
    };
    let wanted = key(item);
    old.as_array()?.iter().find(|other| key(other) == wanted)
}

/// What is wrong with the rules of a definition's schema, each with its place below `at`.
pub fn broken(schema: &Value, at: &str, depth: usize, errors: &mut Vec<FieldError>) {
    if depth > DEEPEST {
        return;
    }
    for (i, rule) in at_schema(schema).enumerate() {
        let place = format!("{at}.x-kubernetes-validations[{i}]");
        let source = text(rule, "rule");
        if source.trim().is_empty() {
            errors.push(FieldError::required(format!("{place}.rule"), "rule is not specified"));
        } else if let Err(why) = Program::compile(source, NAMES) {
            let why = format!("compilation failed: {why}");
            errors.push(FieldError::invalid(format!("{place}.rule"), shown(rule), &why));
        }
        let message = text(rule, "messageExpression");
        if !message.is_empty() {
            if let Err(why) = Program::compile(message, NAMES) {
                let why = format!("messageExpression compilation failed: {why}");
                errors.push(FieldError::invalid(
                    format!("{place}.messageExpression"),
                    shown(rule),
                    &why,
                ));
            }
        }
        let plain = text(rule, "message");
        if plain.trim().is_empty() && rule.get("message").is_some() && !plain.is_empty() {
            let why = "message must be non-empty if specified";
            errors.push(FieldError::invalid_str(format!("{place}.message"), plain, why));
        } else if plain.trim().contains('\n') {
            let why = "message must not contain line breaks";
            errors.push(FieldError::invalid_str(format!("{place}.message"), plain, why));
        } else if source.trim().contains('\n') && plain.is_empty() {
            let why = "message must be specified if rule contains line breaks";
            errors.push(FieldError::required(format!("{place}.message"), why));
        }
    }
    for (name, part) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        broken(part, &format!("{at}.properties[{name}]"), depth + 1, errors);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(part) = schema.get(key).filter(|part| part.is_object()) {
            broken(part, &format!("{at}.{key}"), depth + 1, errors);
        }
    }
}

/// A rule as Go writes its own type as JSON.
fn shown(rule: &Value) -> String {
    let quoted = |key: &str| {
        let mut out = String::new();
        json::string(text(rule, key), &mut out);
        out
    };
    let optional = rule.get("optionalOldSelf").cloned().unwrap_or(Value::Null);
    let reason = rule.get("reason").cloned().unwrap_or(Value::Null);
    format!(
        "{{\"Rule\":{},\"Message\":{},\"MessageExpression\":{},\"Reason\":{reason},\"FieldPath\":{},\
         \"OptionalOldSelf\":{optional}}}",
        quoted("rule"),
        quoted("message"),
        quoted("messageExpression"),
        quoted("fieldPath")
    )
}
