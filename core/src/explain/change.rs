//! What a write changed, as long as the store still has the object as it was before and after.

use serde_json::Value;

use crate::{
    api::KindId,
    client::Client,
    sim::trace::{Did, Write},
};

/// Differences that are told; of more, only how many.
const TOLD: usize = 2;
/// Characters of a value that are told.
const LONG: usize = 30;
/// Where controllers and kubectl write notes.
const NOTES: &str = "metadata.annotations";
/// How deep differences are looked for.
const DEPTH: usize = 30;

/// What a write changed, in a few words: `replicas 2 → 1`. `before` is the object's last write
/// before it. Empty where that is not known any more.
pub fn change(client: &Client, write: &Write, before: Option<&Write>) -> String {
    let key = (KindId(write.kind), &*write.namespace, &*write.name);
    let Some(new) = client.written(write.revision, key) else { return String::new() };
    if write.did == Did::Bound {
        let value = new.to_value();
        return value["spec"]["nodeName"].as_str().unwrap_or_default().to_string();
    }
    let Some(old) = before.and_then(|b| client.written(b.revision, key)) else {
        return String::new();
    };
    let (old, new) = (old.to_value(), new.to_value());
    let mut found = Vec::new();
    differences(&old, &new, &mut String::new(), 0, &mut found);
    // Annotations are mostly notes of the controllers to themselves.
    if found.iter().any(|text| !text.starts_with(NOTES)) {
        found.retain(|text| !text.starts_with(NOTES));
    }
    let surplus = found.len().saturating_sub(TOLD);
    found.truncate(TOLD);
    let mut text = found.join(", ");
    if surplus > 0 {
        text.push_str(&format!(" and {surplus} more"));
    }
    text
}

/// What is not what anybody wants of an object.
fn is_noise(path: &str) -> bool {
    const NOISE: &[&str] = &[
        ".metadata.generation",
        ".metadata.managedFields",
        ".metadata.resourceVersion",
        ".metadata.deletionGracePeriodSeconds",
        ".metadata.deletionTimestamp",
        ".status",
    ];
    NOISE.contains(&path)
}

fn differences(old: &Value, new: &Value, path: &mut String, depth: usize, found: &mut Vec<String>) {
    if old == new || is_noise(path) || depth > DEPTH {
        return;
    }
    match (old, new) {
        (Value::Null, Value::Object(b)) if !b.is_empty() => {
            differences(
                &Value::Object(Default::default()),
                &Value::Object(b.clone()),
                path,
                depth,
                found,
            );
        }
        (Value::Object(a), Value::Object(b)) => {
            let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let (x, y) =
                    (a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null));
                step(x, y, path, &format!(".{key}"), depth, found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (i, (x, y)) in a.iter().zip(b).enumerate() {
                let name = y["name"].as_str().map_or_else(|| i.to_string(), str::to_string);
                step(x, y, path, &format!("[{name}]"), depth, found);
            }
        }
        _ => {
            let place = path.strip_prefix(".spec.").unwrap_or(path.trim_start_matches('.'));
            let place = place.strip_prefix("template.spec.").unwrap_or(place);
            found.push(format!("{place} {} → {}", short(old), short(new)));
        }
    }
}

fn step(
    old: &Value,
    new: &Value,
    path: &mut String,
    part: &str,
    depth: usize,
    found: &mut Vec<String>,
) {
    let length = path.len();
    path.push_str(part);
    differences(old, new, path, depth + 1, found);
    path.truncate(length);
}

fn short(value: &Value) -> String {
    let text = match value {
        Value::Null => "nothing".to_string(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.chars().count() > LONG {
        true => text.chars().take(LONG - 1).chain(['…']).collect(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn differences_are_told_by_path_and_names_of_list_items() {
        let pod = |image: &str, n: i32| {
            json!({"metadata": {"name": "web", "generation": n, "resourceVersion": n.to_string()},
                "spec": {"replicas": n, "containers": [{"name": "c", "image": image}]},
                "status": {"replicas": n}})
        };
        let mut found = Vec::new();
        let (old, mut new) = (pod("nginx:1.25", 1), pod("nginx:1.26", 2));
        new["metadata"]["labels"] = json!({"a": "b"});
        differences(&old, &new, &mut String::new(), 0, &mut found);
        expect![[r#"
            metadata.labels.a nothing → b
            containers[c].image nginx:1.25 → nginx:1.26
            replicas 1 → 2"#]]
        .assert_eq(&found.join("\n"));
    }
}
