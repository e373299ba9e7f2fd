//! The simple JSON paths of printer columns and scale subresources: `.spec.size`, `.list[0].x`,
//! `.status.conditions[?(@.type=="Ready")].status`, `.metadata.labels['a\.b']`.

use serde_json::Value;

/// The first value that a path leads to; paths that can't be read lead nowhere.
pub fn find(value: &Value, path: &str) -> Option<Value> {
    let mut rest = path.trim();
    let mut here = vec![value.clone()];
    while !rest.is_empty() {
        let (next, after) = if let Some(inner) = rest.strip_prefix('[') {
            let end = closing(inner)?;
            (step(&here, inner.get(..end)?), inner.get(end + 1..)?)
        } else {
            let inner = rest.strip_prefix('.').unwrap_or(rest);
            let end = name_end(inner);
            if end == 0 {
                return None;
            }
            let name = inner.get(..end)?.replace("\\.", ".");
            (here.iter().filter_map(|v| v.get(&name).cloned()).collect(), inner.get(end..)?)
        };
        (here, rest) = (next, after);
    }
    here.into_iter().next()
}

/// Where a name ends; `\.` is part of it.
fn name_end(text: &str) -> usize {
    let mut escaped = false;
    for (i, c) in text.char_indices() {
        match c {
            '\\' => escaped = true,
            '.' | '[' if !escaped => return i,
            _ => escaped = false,
        }
    }
    text.len()
}

/// Where a bracket that was opened is closed.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    for (i, c) in text.char_indices() {
        match (quote, c) {
            (None, ']') => return Some(i),
            (None, '\'' | '"') => quote = Some(c),
            (Some(q), c) if q == c => quote = None,
            _ => {}
        }
    }
    None
}

fn unquoted(text: &str) -> Option<&str> {
    let text = text.trim();
    let quotes = ['\'', '"'];
    let quote = quotes.into_iter().find(|q| text.len() > 1 && text.starts_with(*q))?;
    text.strip_prefix(quote)?.strip_suffix(quote)
}

fn step(here: &[Value], inside: &str) -> Vec<Value> {
    let inside = inside.trim();
    let items = || here.iter().filter_map(Value::as_array).flatten();
    if inside == "*" {
        return items().cloned().collect();
    }
    if let Some(name) = unquoted(inside) {
        return here.iter().filter_map(|v| v.get(name).cloned()).collect();
    }
    if let Ok(index) = inside.parse::<i64>() {
        let pick = |list: &Vec<Value>| {
            let place = if index < 0 { list.len() as i64 + index } else { index };
            list.get(usize::try_from(place).ok()?).cloned()
        };
        return here.iter().filter_map(Value::as_array).filter_map(pick).collect();
    }
    let condition = inside.strip_prefix("?(").and_then(|c| c.strip_suffix(')'));
    let Some((field, wanted)) = condition.and_then(|c| c.split_once("==")) else {
        return Vec::new();
    };
    let field = field.trim().trim_start_matches('@');
    let wanted = unquoted(wanted).unwrap_or(wanted.trim());
    items()
        .filter(|item| {
            let have = find(item, field);
            have.is_some_and(|v| v.as_str().map_or_else(|| v.to_string(), Into::into) == wanted)
        })
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_lead_to_values() {
        let value = json!({"spec": {"size": 3, "list": [{"a": 1}, {"a": 2}]},
            "metadata": {"labels": {"a.b/c": "x"}}, "status": {"conditions": [
                {"type": "Done", "status": "False"}, {"type": "Ready", "status": "True"}]}});
        for (path, want) in [
            (".spec.size", json!(3)),
            (".spec.list[1].a", json!(2)),
            (".spec.list[-1].a", json!(2)),
            (".spec.list[*].a", json!(1)),
            (".status.conditions[?(@.type==\"Ready\")].status", json!("True")),
            (".metadata.labels['a.b/c']", json!("x")),
            (".metadata.labels.a\\.b/c", json!("x")),
            (".nope.x", json!(null)),
            ("[", json!(null)),
        ] {
            assert_eq!(find(&value, path).unwrap_or_default(), want, "{path}");
        }
    }
}
