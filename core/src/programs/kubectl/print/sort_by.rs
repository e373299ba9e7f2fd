//! `--sort-by=.metadata.name`. Models `k8s.io/kubectl/pkg/cmd/get/sorter.go`.

use std::cmp::Ordering;

use serde_json::Value;

use super::jsonpath::{JsonPath, relaxed};

/// Sorts things by what a path finds in the object behind each. Things without the field come first.
///
/// Errors if the path is wrong, finds nothing anywhere, or finds what has no order.
pub fn sort<T>(
    things: Vec<T>,
    path: &str,
    object: impl Fn(&T) -> &Value,
) -> Result<Vec<T>, String> {
    let field = relaxed(path)?;
    let parsed = JsonPath::new(&field, true)?;
    let mut keyed = Vec::new();
    for thing in things {
        let found = parsed.find(object(&thing))?;
        let key = found.first().and_then(|f| f.first()).map(|v| v.clone().into_owned());
        keyed.push((key, thing));
    }
    if !keyed.is_empty() && keyed.iter().all(|(key, _)| key.is_none()) {
        return Err(format!(
            "couldn't find any field with path \"{field}\" in the list of objects"
        ));
    }
    if let Some(bad) = keyed.iter().filter_map(|k| k.0.as_ref()).find(|k| k.is_object()) {
        let kind = if bad.is_object() { "map" } else { "slice" };
        return Err(format!(
            "Field {field} is an unsortable type: interface, err: unsortable type: {kind}"
        ));
    }
    if keyed.len() <= 12 {
        // Go sorts so few by insertion; with what has no order among itself, that shows.
        for i in 1..keyed.len() {
            let mut j = i;
            while j > 0 && less(&keyed[j].0, &keyed[j - 1].0) {
                keyed.swap(j, j - 1);
                j -= 1;
            }
        }
    } else {
        keyed.sort_by(|a, b| match (less(&a.0, &b.0), less(&b.0, &a.0)) {
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            _ => Ordering::Equal,
        });
    }
    Ok(keyed.into_iter().map(|(_, thing)| thing).collect())
}

fn less(a: &Option<Value>, b: &Option<Value>) -> bool {
    let Some(a) = a else { return true };
    let Some(b) = b else { return false };
    value_less(a, b)
}

fn value_less(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Null, Value::Null) => false,
        (Value::Null, _) => true,
        (_, Value::Null) => false,
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a < b,
            _ => a.as_f64() < b.as_f64(),
        },
        (Value::String(a), Value::String(b)) => match (quantity(a), quantity(b)) {
            (Some(a), Some(b)) => a < b,
            _ => a < b,
        },
        (Value::Array(a), Value::Array(b)) => a.iter().zip(b).all(|(a, b)| value_less(a, b)),
        (Value::Bool(a), Value::Bool(b)) => a < b,
        _ => false,
    }
}

/// A quantity (`100m`, `2Gi`, `1e3`) in thousandths of a thousandth, enough to compare by.
fn quantity(text: &str) -> Option<f64> {
    let end = text
        .char_indices()
        .find(|&(i, c)| !(c.is_ascii_digit() || c == '.' || (i == 0 && matches!(c, '+' | '-'))))
        .map_or(text.len(), |(i, _)| i);
    let (number, suffix) = text.split_at(end);
    let number: f64 = number.parse().ok()?;
    let scale = match suffix {
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "" => 1.0,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024f64,
        "Mi" => 1024f64.powi(2),
        "Gi" => 1024f64.powi(3),
        "Ti" => 1024f64.powi(4),
        "Pi" => 1024f64.powi(5),
        "Ei" => 1024f64.powi(6),
        _ => 10f64.powi(suffix.strip_prefix(['e', 'E'])?.parse().ok()?),
    };
    Some(number * scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sorted(path: &str, things: Vec<Value>) -> Result<String, String> {
        let names = sort(things, path, |t| t)?;
        Ok(names.iter().filter_map(|t| t["n"].as_str()).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn sorts_by_number_quantity_and_text() {
        let things = vec![
            json!({"n": "a", "i": 10, "q": "1Gi", "s": "x"}),
            json!({"n": "b", "i": 9, "q": "500Mi"}),
            json!({"n": "c", "i": 11, "q": "2", "s": "b"}),
        ];
        assert_eq!(sorted(".i", things.clone()), Ok("b a c".into()));
        assert_eq!(sorted("{.q}", things.clone()), Ok("c b a".into()));
        assert_eq!(sorted("s", things.clone()), Ok("b c a".into()));
        assert_eq!(
            sorted(".nope", things),
            Err("couldn't find any field with path \"{.nope}\" in the list of objects".into())
        );
    }
}
