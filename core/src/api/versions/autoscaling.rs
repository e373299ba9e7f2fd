//! HorizontalPodAutoscalers of `autoscaling/v1`, which can aim at processors only: what else a newer
//! one says is carried in annotations.
//!
//! Models `pkg/apis/autoscaling/v1/conversion.go` and `pkg/apis/autoscaling/helpers.go`.

use serde_json::{Map, Value, json};

use super::Conversion;
use crate::api::json::compact;

/// `autoscaling/v1`.
pub const V1: Conversion = Conversion { to_storage, from_storage, fields: &[] };

const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const CURRENT: &str = "autoscaling.alpha.kubernetes.io/current-metrics";
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";

/// Share of the requested processors that is aimed at where nothing else is said.
const DEFAULT_SHARE: i64 = 80;

/// Kinds of metrics: the field of each, in the order in which Go writes them.
const SOURCES: &[&str] = &["object", "pods", "resource", "containerResource", "external"];

type Object = Map<String, Value>;

fn is_cpu(metric: &Value) -> bool {
    metric.pointer("/resource/name").and_then(Value::as_str) == Some("cpu")
}

fn list(value: &Value, path: &str) -> Vec<Value> {
    value.pointer(path).and_then(Value::as_array).cloned().unwrap_or_default()
}

/// A JSON object whose fields come in this order; those without a value are left out.
fn ordered(fields: &[(&str, String)]) -> String {
    let shown = fields.iter().filter(|(_, text)| !text.is_empty());
    let all: Vec<String> = shown.map(|(name, text)| format!("\"{name}\":{text}")).collect();
    format!("{{{}}}", all.join(","))
}

fn text(value: Option<&Value>) -> String {
    value.filter(|v| !v.is_null()).map(compact).unwrap_or_default()
}

/// One metric as the annotations carry it. `now`: what is measured, and not what is aimed at.
fn metric_text(metric: &Value, now: bool) -> String {
    let (prefix, of) = if now { ("current", "current") } else { ("target", "target") };
    let name = |what: &str| format!("{prefix}{what}");
    let mut fields = vec![("type", text(metric.get("type")))];
    for source in SOURCES {
        let Some(found) = metric.get(*source) else { continue };
        let at = |path: &str| text(found.pointer(path));
        let aim = |field: &str| at(&format!("/{of}/{field}"));
        let (share, value, average) =
            (name("AverageUtilization"), name("Value"), name("AverageValue"));
        let inner = match *source {
            "object" => ordered(&[
                ("target", at("/describedObject")),
                ("metricName", at("/metric/name")),
                (&value, aim("value").or("\"0\"")),
                ("selector", at("/metric/selector")),
                ("averageValue", aim("averageValue")),
            ]),
            "pods" => ordered(&[
                ("metricName", at("/metric/name")),
                (&average, aim("averageValue").or("\"0\"")),
                ("selector", at("/metric/selector")),
            ]),
            "external" => ordered(&[
                ("metricName", at("/metric/name")),
                ("metricSelector", at("/metric/selector")),
                (&value, aim("value")),
                (&average, aim("averageValue")),
            ]),
            // What is measured always has an amount.
            _ => ordered(&[
                ("name", at("/name")),
                (&share, aim("averageUtilization")),
                (&average, aim("averageValue").or(if now { "\"0\"" } else { "" })),
                ("container", at("/container")),
            ]),
        };
        fields.push((source, inner));
    }
    ordered(&fields)
}

trait Or {
    /// This, or something else where there is nothing.
    fn or(self, other: &str) -> String;
}

impl Or for String {
    fn or(self, other: &str) -> String {
        if self.is_empty() { other.to_string() } else { self }
    }
}

/// A metric from an annotation.
fn metric_from(metric: &Value, now: bool) -> Value {
    let of = if now { "current" } else { "target" };
    let mut out = json!({"type": metric.get("type")});
    for source in SOURCES {
        let Some(found) = metric.get(*source) else { continue };
        let get = |name: &str| found.get(name).filter(|v| !v.is_null()).cloned();
        let aim = |name: &str| get(&format!("{of}{name}"));
        let mut goal = Object::new();
        let average = if *source == "object" { get("averageValue") } else { aim("AverageValue") };
        for (field, value) in [
            ("averageUtilization", aim("AverageUtilization")),
            ("averageValue", average),
            ("value", aim("Value").filter(|_| matches!(*source, "object" | "external"))),
        ] {
            goal.extend(value.map(|v| (field.to_string(), v)));
        }
        if *source == "object" && goal.contains_key("averageValue") {
            goal.remove("value");
        }
        if !now {
            let kind = ["averageUtilization", "averageValue", "value"];
            let kind = kind.into_iter().find(|k| goal.contains_key(*k)).unwrap_or("value");
            let kind = match kind {
                "averageUtilization" => "Utilization",
                "averageValue" => "AverageValue",
                _ => "Value",
            };
            goal.insert("type".into(), kind.into());
        }
        let mut inner = Object::new();
        inner.insert(of.into(), Value::Object(goal));
        if matches!(*source, "resource" | "containerResource") {
            for name in ["name", "container"] {
                inner.extend(get(name).map(|v| (name.to_string(), v)));
            }
        } else {
            let mut named = Object::new();
            named.extend(get("metricName").map(|v| ("name".to_string(), v)));
            let selector = get("selector").or_else(|| get("metricSelector"));
            named.extend(selector.map(|v| ("selector".to_string(), v)));
            inner.insert("metric".into(), Value::Object(named));
            if *source == "object" {
                inner.extend(get("target").map(|v| ("describedObject".to_string(), v)));
            }
        }
        out[*source] = Value::Object(inner);
    }
    out
}

/// Behaviour in the form of Go's internal type, whose fields have no names of their own.
fn behavior_text(behavior: &Value) -> String {
    let null = || "null".to_string();
    let policy = |p: &Value| {
        ordered(&[
            ("Type", text(p.get("type"))),
            ("Value", text(p.get("value"))),
            ("PeriodSeconds", text(p.get("periodSeconds"))),
        ])
    };
    let rules = |name: &str| {
        let Some(rules) = behavior.get(name).filter(|r| !r.is_null()) else { return null() };
        let policies: Vec<String> = list(rules, "/policies").iter().map(policy).collect();
        ordered(&[
            (
                "StabilizationWindowSeconds",
                text(rules.get("stabilizationWindowSeconds")).or("null"),
            ),
            ("SelectPolicy", text(rules.get("selectPolicy")).or("null")),
            ("Policies", format!("[{}]", policies.join(","))),
            ("Tolerance", text(rules.get("tolerance")).or("null")),
        ])
    };
    ordered(&[("ScaleUp", rules("scaleUp")), ("ScaleDown", rules("scaleDown"))])
}

/// The same JSON with small first letters in the names of fields, and without nulls.
fn small_names(value: Value, depth: usize) -> Value {
    match value {
        Value::Object(map) if depth < 8 => {
            let small = |name: String| {
                let mut chars = name.chars();
                let first = chars.next().map(|c| c.to_ascii_lowercase());
                first.into_iter().chain(chars).collect::<String>()
            };
            let kept = map.into_iter().filter(|(_, v)| !v.is_null());
            Value::Object(kept.map(|(k, v)| (small(k), small_names(v, depth + 1))).collect())
        }
        Value::Array(items) => {
            Value::Array(items.into_iter().map(|v| small_names(v, depth + 1)).collect())
        }
        other => other,
    }
}

fn conditions_text(conditions: &[Value]) -> String {
    let one = |c: &Value| {
        ordered(&[
            ("type", text(c.get("type"))),
            ("status", text(c.get("status"))),
            ("lastTransitionTime", text(c.get("lastTransitionTime")).or("null")),
            ("reason", text(c.get("reason"))),
            ("message", text(c.get("message"))),
        ])
    };
    format!("[{}]", conditions.iter().map(one).collect::<Vec<_>>().join(","))
}

fn from_storage(mut value: Value) -> Value {
    let metrics = list(&value, "/spec/metrics");
    let current = list(&value, "/status/currentMetrics");
    let conditions = list(&value, "/status/conditions");
    let share =
        |m: &&Value| is_cpu(m) && m.pointer("/resource/target/averageUtilization").is_some();
    let others: Vec<String> =
        metrics.iter().filter(|m| !share(m)).map(|m| metric_text(m, false)).collect();
    let mut notes: Vec<(&str, String)> = Vec::new();
    if !others.is_empty() {
        notes.push((METRICS, format!("[{}]", others.join(","))));
    }
    if !current.is_empty() {
        let all: Vec<String> = current.iter().map(|m| metric_text(m, true)).collect();
        notes.push((CURRENT, format!("[{}]", all.join(","))));
    }
    if !conditions.is_empty() {
        notes.push((CONDITIONS, conditions_text(&conditions)));
    }
    if let Some(behavior) = value.pointer("/spec/behavior").filter(|b| !b.is_null()) {
        notes.push((BEHAVIOR, behavior_text(behavior)));
    }
    let aim = metrics.iter().find(|m| is_cpu(m));
    let aim = aim.and_then(|m| m.pointer("/resource/target/averageUtilization")).cloned();
    let used = current.iter().rev().filter(|m| is_cpu(m));
    let used = used.filter_map(|m| m.pointer("/resource/current/averageUtilization")).next();
    let used = used.cloned();
    if let Some(spec) = value.get_mut("spec").and_then(Value::as_object_mut) {
        spec.remove("metrics");
        spec.remove("behavior");
        spec.extend(aim.map(|n| ("targetCPUUtilizationPercentage".to_string(), n)));
    }
    if let Some(status) = value.get_mut("status").and_then(Value::as_object_mut) {
        status.remove("currentMetrics");
        status.remove("conditions");
        status.entry("currentReplicas").or_insert_with(|| 0.into());
        status.extend(used.map(|n| ("currentCPUUtilizationPercentage".to_string(), n)));
    }
    annotate(&mut value, notes);
    value
}

/// Puts the notes in the place of those that are there.
fn annotate(value: &mut Value, notes: Vec<(&str, String)>) {
    let Some(meta) = value.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let old = meta.remove("annotations");
    let mut annotations = match old {
        Some(Value::Object(map)) => map,
        _ => Object::new(),
    };
    for name in [METRICS, CURRENT, CONDITIONS, BEHAVIOR] {
        annotations.remove(name);
    }
    annotations.extend(notes.into_iter().map(|(name, text)| (name.to_string(), text.into())));
    if !annotations.is_empty() {
        meta.insert("annotations".into(), Value::Object(annotations));
    }
}

fn to_storage(mut value: Value) -> Result<Value, String> {
    let note = |name: &str| {
        let text = value.get("metadata")?.get("annotations")?.get(name)?.as_str()?;
        serde_json::from_str::<Value>(text).ok()
    };
    let items = |name: &str, now: bool| -> Vec<Value> {
        let found = note(name).and_then(|v| v.as_array().cloned()).unwrap_or_default();
        found.iter().map(|m| metric_from(m, now)).collect()
    };
    let (others, mut current) = (items(METRICS, false), items(CURRENT, true));
    let conditions = note(CONDITIONS).filter(Value::is_array);
    let behavior = note(BEHAVIOR).filter(Value::is_object).map(|b| small_names(b, 0));
    let behavior = behavior.filter(|b| b.as_object().is_some_and(|b| !b.is_empty()));
    let mut metrics = Vec::new();
    let spec = value.get_mut("spec").and_then(Value::as_object_mut);
    if let Some(spec) = spec {
        let share = spec.remove("targetCPUUtilizationPercentage").filter(|v| !v.is_null());
        metrics.extend(share.map(cpu_share));
        metrics.extend(others);
        if metrics.is_empty() {
            metrics.push(cpu_share(DEFAULT_SHARE.into()));
        }
        spec.insert("metrics".into(), metrics.into());
        spec.extend(behavior.map(|b| ("behavior".to_string(), b)));
    }
    if let Some(status) = value.get_mut("status").and_then(Value::as_object_mut) {
        let share = status.remove("currentCPUUtilizationPercentage").filter(|v| !v.is_null());
        if current.is_empty() {
            current.extend(share.map(|n| {
                json!({"type": "Resource", "resource": {"name": "cpu",
                    "current": {"averageUtilization": n}}})
            }));
        }
        if !current.is_empty() {
            status.insert("currentMetrics".into(), current.into());
        }
        status.extend(conditions.map(|c| ("conditions".to_string(), c)));
    }
    annotate(&mut value, Vec::new());
    Ok(value)
}

fn cpu_share(share: Value) -> Value {
    json!({"type": "Resource", "resource": {"name": "cpu",
        "target": {"type": "Utilization", "averageUtilization": share}}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_v1_has_no_fields_for_goes_through_annotations_and_back() {
        let memory = json!({"type": "Resource", "resource": {"name": "memory",
            "target": {"type": "AverageValue", "averageValue": "200Mi"}}});
        let stored = json!({"metadata": {"name": "a"}, "spec": {"maxReplicas": 3,
            "metrics": [cpu_share(50.into()), memory],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60, "selectPolicy": "Max",
                "policies": [{"type": "Pods", "value": 1, "periodSeconds": 15}]}}}});
        let shown = from_storage(stored.clone());
        assert_eq!(shown["spec"], json!({"maxReplicas": 3, "targetCPUUtilizationPercentage": 50}));
        let notes = &shown["metadata"]["annotations"];
        assert_eq!(
            notes[METRICS],
            r#"[{"type":"Resource","resource":{"name":"memory","targetAverageValue":"200Mi"}}]"#
        );
        assert_eq!(
            notes[BEHAVIOR],
            "{\"ScaleUp\":null,\"ScaleDown\":{\"StabilizationWindowSeconds\":60,\
             \"SelectPolicy\":\"Max\",\"Policies\":[{\"Type\":\"Pods\",\"Value\":1,\
             \"PeriodSeconds\":15}],\"Tolerance\":null}}"
        );
        assert_eq!(to_storage(shown), Ok(stored));
    }

    #[test]
    fn nothing_said_means_four_fifths_of_the_processors() {
        let stored = to_storage(json!({"metadata": {}, "spec": {"maxReplicas": 3}})).unwrap();
        assert_eq!(stored["spec"]["metrics"], json!([cpu_share(80.into())]));
    }
}
