//! Fields that a kind does not have.
//!
//! A typed object keeps what its kind knows and drops the rest; what went in and does not come out
//! again is unknown. Models the strict decoder of `sigs.k8s.io/json`.

use serde_json::Value;

/// `unknown field "spec.replica"` for each field of `sent` that `kept` lacks, in order of path.
pub(super) fn unknown_fields(sent: &Value, kept: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare(sent, kept, &mut String::new(), &mut found);
    found
}

fn compare(sent: &Value, kept: &Value, path: &mut String, found: &mut Vec<String>) {
    let length = path.len();
    match (sent, kept) {
        (Value::Object(sent), Value::Object(kept)) => {
            for (key, value) in sent {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
                match kept.get(key) {
                    Some(kept) => compare(value, kept, path, found),
                    // A null is dropped whether its field is known or not: say nothing of it.
                    None if value.is_null() => {}
                    None => found.push(format!("unknown field {path:?}")),
                }
                path.truncate(length);
            }
        }
        (Value::Array(sent), Value::Array(kept)) => {
            for (i, (sent, kept)) in sent.iter().zip(kept).enumerate() {
                path.push_str(&format!("[{i}]"));
                compare(sent, kept, path, found);
                path.truncate(length);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_does_not_come_out_again_is_unknown() {
        let sent = json!({"spec": {"replica": 1, "x": null, "l": [{"a": 1, "b": 2}]}});
        let kept = json!({"spec": {"l": [{"a": 1}]}});
        let want = [r#"unknown field "spec.l[0].b""#, r#"unknown field "spec.replica""#];
        assert_eq!(unknown_fields(&sent, &kept), want);
    }
}
