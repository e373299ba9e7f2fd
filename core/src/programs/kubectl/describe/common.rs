//! What many kinds show: labels, annotations, taints, tolerations, points in time.

use std::collections::BTreeMap;

use jiff::{Timestamp, tz::TimeZone};
use k8s_openapi::{
    api::core::v1::{Taint, Toleration, TopologySpreadConstraint},
    apimachinery::pkg::{
        apis::meta::v1::{LabelSelector, MicroTime, ObjectMeta, Time as MetaTime},
        util::intstr::IntOrString,
    },
};

use super::{Cx, Writer};
use crate::{
    api::{Object, duration, selector::Selector},
    sim::Time,
};

/// The annotation that `kubectl apply` keeps for itself.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Longest annotation on one line.
const MAX_ANNOTATION: usize = 140;

type Map = BTreeMap<String, String>;

/// `Name:` and, where it has one, `Namespace:`.
pub fn name(object: &dyn Object, w: &mut Writer) {
    w.put(0, format_args!("Name:\t{}\n", object.name()));
    w.put(0, format_args!("Namespace:\t{}\n", object.namespace()));
}

/// Labels and annotations.
pub fn labels_and_annotations(meta: &ObjectMeta, w: &mut Writer) {
    labels("Labels", meta.labels.as_ref(), w);
    annotations("Annotations", meta.annotations.as_ref(), w);
}

/// A map, one entry a line. The title brings its own indentation.
pub fn labels(title: &str, map: Option<&Map>, w: &mut Writer) {
    w.put(0, format_args!("{title}:\t"));
    if map.is_none_or(|m| m.is_empty()) {
        w.put(0, "<none>\n");
    }
    for (i, (key, value)) in map.into_iter().flatten().enumerate() {
        w.put(0, format_args!("{}{key}={value}\n", if i > 0 { "\t" } else { "" }));
    }
}

/// Annotations, long ones cut.
pub fn annotations(title: &str, map: Option<&Map>, w: &mut Writer) {
    w.put(0, format_args!("{title}:\t"));
    let mut first = true;
    for (key, value) in map.into_iter().flatten().filter(|(key, _)| *key != LAST_APPLIED) {
        if !first {
            w.put(0, "\t");
        }
        first = false;
        let value = value.strip_suffix('\n').unwrap_or(value);
        if value.len() + key.len() + 2 <= MAX_ANNOTATION && !value.contains('\n') {
            w.put(0, format_args!("{key}: {value}\n"));
            continue;
        }
        w.put(0, format_args!("{key}:\n"));
        for line in value.split('\n') {
            w.put(0, format_args!("\t  {}\n", shorten(line, MAX_ANNOTATION - 2)));
        }
    }
    if first {
        w.put(0, "<none>\n");
    }
}

fn shorten(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_string();
    }
    let mut end = max;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}...", &text[..end])
}

/// A map on one line: `a=b,c=d` or `<none>`.
pub fn one_line(map: Option<&Map>) -> String {
    let pairs: Vec<_> =
        map.into_iter().flatten().map(|(key, value)| format!("{key}={value}")).collect();
    or(pairs.join(","), "<none>")
}

/// `instead` for nothing.
pub fn or(text: String, instead: &str) -> String {
    if text.is_empty() { instead.to_string() } else { text }
}

/// An optional text; empty if it is not there.
pub fn text(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or_default()
}

/// A selector as text; `<none>` if it selects by nothing.
pub fn selector(selector: Option<&LabelSelector>) -> String {
    match Selector::from_label_selector(selector) {
        Ok(parsed) => or(parsed.to_string(), "<none>"),
        Err(_) => "<error>".into(),
    }
}

/// `True` and `False`.
pub fn capital(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

/// A count or percentage.
pub fn int_or_string(value: Option<&IntOrString>) -> String {
    match value {
        Some(IntOrString::Int(n)) => n.to_string(),
        Some(IntOrString::String(s)) => s.clone(),
        None => "0".into(),
    }
}

/// `Sat, 21 Nov 2026 04:19:40 +0000`. A time that never was reads as Go's first.
pub fn date(time: Option<Timestamp>) -> String {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let Some(time) = time else { return "Mon, 01 Jan 0001 00:00:00 +0000".into() };
    let t = time.to_zoned(TimeZone::UTC).datetime();
    let day = DAYS.get(t.weekday().to_monday_zero_offset() as usize).unwrap_or(&"");
    let month = MONTHS.get(t.month() as usize - 1).unwrap_or(&"");
    format!(
        "{day}, {:02} {month} {:04} {:02}:{:02}:{:02} +0000",
        t.day(),
        t.year(),
        t.hour(),
        t.minute(),
        t.second()
    )
}

/// [`date`] of an API time.
pub fn meta_date(time: Option<&MetaTime>) -> String {
    date(time.map(|t| t.0))
}

/// [`date`] of an API time with microseconds.
pub fn micro_date(time: Option<&MicroTime>) -> Option<String> {
    time.map(|t| date(Some(t.0)))
}

/// How long ago something was.
pub fn ago(cx: &Cx, time: Option<Timestamp>) -> String {
    let since = |t| duration::human(cx.now.since(Time::from_timestamp(t)));
    time.map_or("<unknown>".into(), since)
}

/// Taints, sorted by effect and key.
pub fn taints(title: &str, taints: &[Taint], w: &mut Writer) {
    w.put(0, format_args!("{title}:\t"));
    if taints.is_empty() {
        w.put(0, "<none>\n");
    }
    let mut sorted: Vec<_> = taints.iter().collect();
    sorted.sort_by_key(|t| format!("{},{}", t.effect, t.key));
    for (i, taint) in sorted.iter().enumerate() {
        if i > 0 {
            w.put(0, "\t");
        }
        let value = text(&taint.value);
        match (taint.effect.is_empty(), value.is_empty()) {
            (true, true) => w.put(0, format_args!("{}\n", taint.key)),
            (true, false) => w.put(0, format_args!("{}={value}:\n", taint.key)),
            (false, true) => w.put(0, format_args!("{}:{}\n", taint.key, taint.effect)),
            (false, false) => w.put(0, format_args!("{}={value}:{}\n", taint.key, taint.effect)),
        }
    }
}

/// Tolerations, sorted by key.
pub fn tolerations(title: &str, tolerations: &[Toleration], w: &mut Writer) {
    w.put(0, format_args!("{title}:\t"));
    if tolerations.is_empty() {
        w.put(0, "<none>\n");
    }
    let mut sorted: Vec<_> = tolerations.iter().collect();
    sorted.sort_by_key(|t| text(&t.key).to_string());
    for (i, t) in sorted.iter().enumerate() {
        let (key, value, effect) = (text(&t.key), text(&t.value), text(&t.effect));
        let mut line = String::from(if i > 0 { "\t" } else { "" });
        line += key;
        if !value.is_empty() {
            line += &format!("={value}");
        }
        if !effect.is_empty() {
            line += &format!(":{effect}");
        }
        if text(&t.operator) == "Exists" && value.is_empty() {
            let alone = key.is_empty() && effect.is_empty();
            line += if alone { "op=Exists" } else { " op=Exists" };
        }
        if let Some(seconds) = t.toleration_seconds {
            line += &format!(" for {seconds}s");
        }
        w.put(0, format_args!("{line}\n"));
    }
}

/// How pods are spread; nothing if nothing is said.
pub fn spread(space: &str, constraints: &[TopologySpreadConstraint], w: &mut Writer) {
    if constraints.is_empty() {
        return;
    }
    let mut sorted: Vec<_> = constraints.iter().collect();
    sorted.sort_by_key(|c| c.topology_key.clone());
    w.put(0, format_args!("{space}Topology Spread Constraints:\t"));
    for (i, c) in sorted.iter().enumerate() {
        if i > 0 {
            w.put(0, format_args!("{space}\t"));
        }
        let (key, action, skew) = (&c.topology_key, &c.when_unsatisfiable, c.max_skew);
        w.put(0, format_args!("{key}:{action} when max skew {skew} is exceeded"));
        if c.label_selector.is_some() {
            w.put(0, format_args!(" for selector {}", selector(c.label_selector.as_ref())));
        }
        w.put(0, "\n");
    }
}
