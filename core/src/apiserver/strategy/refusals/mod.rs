//! What is refused, word for word: the files beside this one have a line for each small change that
//! makes a good object (`good.txt`) bad, and what the server says of it.
//!
//! A line is `name: path=value & path=value => error | error`; a name with `~` before it is changed
//! after it was made, one with `^` has its status changed. Values are YAML; `!` removes a field, and
//! `~` in a field's name stands for a dot. In `warnings.txt` it is warnings and not errors. The words
//! are upstream's (`pkg/apis/*/validation`, `pkg/api/*/warnings.go`).

use serde_json::{Map, Value};

use super::tests::{api, create};
use crate::{
    api::{KindId, Status, patch::PatchType, yaml},
    apiserver::{ApiServer, Subresource},
};

const GOOD: &str = include_str!("good.txt");
const REFUSALS: &[&str] =
    &[include_str!("pods.txt"), include_str!("workloads.txt"), include_str!("others.txt")];
const WARNINGS: &str = include_str!("warnings.txt");

/// A good object by the name that the lines call it.
fn good(api: &ApiServer, name: &str) -> (KindId, &'static str) {
    let line = GOOD.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(' '));
    let line = line.unwrap_or_else(|| panic!("no good object {name:?}"));
    let (version, rest) = line.split_once(' ').unwrap();
    let (kind, object) = rest.split_once(' ').unwrap();
    let found = api.kinds().by_kind(version, kind).map(|k| k.id);
    (found.unwrap_or_else(|| panic!("no kind {version} {kind}")), object)
}

/// Sets a value at a path, making what leads there.
fn set(value: &mut Value, path: &str, new: Option<Value>) {
    let path = path.replace('[', ".[");
    let steps: Vec<&str> = path.split('.').filter(|s| !s.is_empty()).collect();
    let Some((last, way)) = steps.split_last() else { return };
    let mut here = value;
    for step in way {
        here = enter(here, step);
    }
    match (new, last.strip_prefix('[')) {
        (Some(new), _) => *enter(here, last) = new,
        (None, _) => {
            if let Some(map) = here.as_object_mut() {
                map.remove(&last.replace('~', "."));
            }
        }
    }
}

fn enter<'a>(here: &'a mut Value, step: &str) -> &'a mut Value {
    match step.strip_prefix('[').and_then(|s| s.strip_suffix(']')) {
        Some(index) => {
            if !here.is_array() {
                *here = Value::Array(Vec::new());
            }
            let (index, list) = (index.parse::<usize>().unwrap(), here.as_array_mut().unwrap());
            while list.len() <= index {
                list.push(Value::Null);
            }
            &mut list[index]
        }
        None => {
            if !here.is_object() {
                *here = Value::Object(Map::new());
            }
            here.as_object_mut().unwrap().entry(step.replace('~', ".")).or_insert(Value::Null)
        }
    }
}

/// What the server says of a line: what came of it, and its warnings.
fn said(line: &str) -> (Result<(), Status>, Vec<String>) {
    let (name, changes) = line.split_once(": ").unwrap();
    let sub = match name.chars().next() {
        Some('~') => Some(Subresource::Main),
        Some('^') => Some(Subresource::Status),
        _ => None,
    };
    let name = name.trim_start_matches(['~', '^']);
    let (api, cx) = api();
    let (kind, good) = good(&api, name);
    let mut value = yaml::parse(good).unwrap();
    if sub.is_some() {
        let made = create(&api, &cx, kind, good);
        value = made.unwrap_or_else(|e| panic!("{name} is no good object: {e}")).to_value();
        cx.warnings.take();
    }
    for change in changes.split(" & ").filter(|c| *c != "-") {
        let (path, new) = change.split_once('=').unwrap();
        let new = (new != "!").then(|| yaml::parse(new).unwrap());
        set(&mut value, path, new);
    }
    let result = match sub {
        None => create(&api, &cx, kind, &yaml::to_string(&value)),
        Some(sub) => {
            let text =
                |field: &str| value["metadata"][field].as_str().unwrap_or_default().to_owned();
            let (ns, own) = (text("namespace"), text("name"));
            let old = api.get(kind, &ns, &own).unwrap().to_value();
            let patch = crate::api::patch::two_way_merge(&old, &value);
            api.patch(&cx, kind, (&ns, &own), (PatchType::Merge, &patch), sub)
        }
    };
    (result.map(|_| ()), cx.warnings.take())
}

/// What each line of a file gives, where it is not what is wanted; and how many lines there are.
fn differing(files: &[&str], give: fn(&str) -> String) -> (Vec<String>, usize) {
    let all = || files.iter().flat_map(|f| f.lines());
    let sentences: Vec<(&str, &str)> =
        all().filter(|l| l.starts_with('$')).filter_map(|l| l.split_once(' ')).collect();
    let lines = all().filter(|line| !line.is_empty() && !line.starts_with(['#', '$']));
    let mut count = 0;
    let mut wrong = Vec::new();
    for line in lines {
        count += 1;
        let (change, want) = line.split_once(" => ").unwrap_or((line, "nothing"));
        let mut got = give(change).replace('\n', "\\n");
        let mut want = want.to_owned();
        for (name, sentence) in &sentences {
            got = got.replace(sentence, name);
            want = want.replace(sentence, name);
        }
        if got != want {
            wrong.push(format!("{change} => {got}"));
        }
    }
    (wrong, count)
}

#[test]
fn every_refusal_reads_as_upstreams() {
    let give = |line: &str| match said(line).0 {
        Ok(()) => "nothing".into(),
        Err(status) if status.causes.is_empty() => status.message,
        Err(status) => {
            let causes: Vec<_> = status.causes.iter().map(ToString::to_string).collect();
            causes.join(" | ")
        }
    };
    let (wrong, count) = differing(REFUSALS, give);
    assert!(wrong.is_empty(), "these differ:\n{}", wrong.join("\n"));
    assert!(count >= 300, "only {count} lines");
}

#[test]
fn every_warning_reads_as_upstreams() {
    let give = |line: &str| match said(line) {
        (Ok(()), warnings) if warnings.is_empty() => "nothing".into(),
        (Ok(()), warnings) => warnings.join(" | "),
        (Err(status), _) => format!("refused: {}", status.message),
    };
    let (wrong, count) = differing(&[WARNINGS], give);
    assert!(wrong.is_empty(), "these differ:\n{}", wrong.join("\n"));
    assert!(count >= 20, "only {count} lines");
}
