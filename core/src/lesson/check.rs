//! Whether what a step asks for holds, and what is missing until it does.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    schema::{Condition, ObjectsCondition, Visited},
    vars,
    witness::Witness,
};
use crate::{client::Client, sim::Time};

/// What a check may look at.
pub struct Facts<'a> {
    /// The cluster's state: `Absent`, `Starting`, `Running`, `Stopped`.
    pub cluster: &'a str,
    /// The cluster's API, where there is one.
    pub client: Option<&'a Client>,
    /// What was looked at.
    pub witness: &'a Witness,
    /// When the step began.
    pub since: Time,
    /// The step's command, for words about what is missing.
    pub command: &'a str,
}

/// `Ok` if all conditions hold, else what is missing first. `held` remembers which `once`
/// conditions held before; it has as many entries as there are conditions.
pub fn check(facts: &Facts, conditions: &[Condition], held: &mut Vec<bool>) -> Result<(), String> {
    held.resize(conditions.len(), false);
    let mut missing = None;
    // All are looked at, even after one that fails: a `once` must not be missed.
    for (condition, held) in conditions.iter().zip(held.iter_mut()) {
        let result = match condition {
            Condition::Once(inner) => {
                let now = holds(facts, inner);
                *held |= now.is_ok();
                if *held { Ok(()) } else { now }
            }
            other => holds(facts, other),
        };
        if let (Err(why), None) = (result, &missing) {
            missing = Some(why);
        }
    }
    missing.map_or(Ok(()), Err)
}

fn holds(facts: &Facts, condition: &Condition) -> Result<(), String> {
    match condition {
        Condition::Cluster(state) if facts.cluster == state => Ok(()),
        Condition::Cluster(state) => {
            Err(format!("The cluster is {}, not {}.", word(facts.cluster), word(state)))
        }
        Condition::Objects(wanted) => objects(facts, wanted),
        Condition::Ran(patterns) => ran(facts, patterns, |r| r.exit == Some(0))
            .then_some(())
            .ok_or_else(|| format!("Waiting for {}.", wanted(facts, patterns))),
        Condition::Running(patterns) => ran(facts, patterns, |r| r.exit.is_none())
            .then_some(())
            .ok_or_else(|| format!("{} is not running in any terminal.", wanted(facts, patterns))),
        Condition::Visited(wanted) => visited(facts, wanted),
        Condition::Once(inner) => holds(facts, inner),
        Condition::Any(list) => {
            let mut first = None;
            for condition in list {
                match holds(facts, condition) {
                    Ok(()) => return Ok(()),
                    Err(why) => first = first.or(Some(why)),
                }
            }
            Err(first.unwrap_or_default())
        }
        Condition::Dashboard(_) => facts
            .witness
            .dashboard
            .is_some_and(|at| at >= facts.since)
            .then_some(())
            .ok_or_else(|| "The dashboard has not been opened yet.".into()),
    }
}

/// The command that is waited for, as the learner would type it.
fn wanted(facts: &Facts, patterns: &[String]) -> String {
    let command = match facts.command {
        "" => patterns.first().map_or("", String::as_str),
        command => command,
    };
    format!("`{command}`")
}

fn word(state: &str) -> &str {
    match state {
        "Absent" => "not there",
        "Starting" => "starting",
        "Running" => "running",
        "Stopped" => "stopped",
        other => other,
    }
}

fn ran(facts: &Facts, patterns: &[String], ok: impl Fn(&super::witness::Ran) -> bool) -> bool {
    facts.witness.ran.iter().filter(|r| r.at >= facts.since || r.exit.is_none()).any(|r| {
        ok(r)
            && patterns.iter().any(|pattern| {
                pattern.split_whitespace().all(|wanted| {
                    wanted
                        .split('|')
                        .any(|alternative| r.argv.iter().any(|w| same_word(w, alternative)))
                })
            })
    })
}

/// Words compare as kubectl would take them: `pods`, `pod` and `po` are one.
fn same_word(typed: &str, wanted: &str) -> bool {
    if typed == wanted {
        return true;
    }
    let plain = |w: &str| match w {
        "po" | "pod" => "pods".to_string(),
        "svc" | "service" => "services".to_string(),
        "deploy" | "deployment" => "deployments".to_string(),
        "rs" | "replicaset" => "replicasets".to_string(),
        "no" | "node" => "nodes".to_string(),
        other => other.rsplit('/').next().unwrap_or(other).to_string(),
    };
    plain(typed) == plain(wanted)
}

fn objects(facts: &Facts, wanted: &ObjectsCondition) -> Result<(), String> {
    let Some(client) = facts.client else { return Err("The cluster is not running.".into()) };
    let have = vars::select(client, &wanted.of)
        .iter()
        .filter(|o| !wanted.new || created(&***o) >= facts.since.as_secs())
        .filter(|o| wanted.fields.is_empty() || fields_are(&o.to_value(), &wanted.fields))
        .count();
    let enough = match wanted.count {
        None => have > 0,
        Some(count) if wanted.or_more => have >= count,
        Some(count) => have == count,
    };
    if enough { Ok(()) } else { Err(wanted.missing.replace("{have}", &have.to_string())) }
}

fn created(object: &dyn crate::api::Object) -> u64 {
    object.metadata().creation_timestamp.as_ref().map_or(0, |t| Time::from(t).as_secs())
}

/// Whether an object's fields are as said; each as [`field_is`] tells.
pub(super) fn fields_are(value: &Value, wanted: &BTreeMap<String, Value>) -> bool {
    wanted.iter().all(|(path, want)| field_is(value, path, want))
}

/// Whether the value at `path` (a JSON pointer; `*` is any element of a list) is `want`; `null`
/// is an absent value, and a text `>N` asks for a larger number.
fn field_is(value: &Value, path: &str, want: &Value) -> bool {
    if let Some((head, tail)) = path.split_once("/*") {
        let list = value.pointer(head).and_then(Value::as_array);
        return list.is_some_and(|l| l.iter().any(|v| field_is(v, tail, want)));
    }
    let have = value.pointer(path);
    match want {
        Value::Null => have.is_none_or(Value::is_null),
        Value::String(text) if text.starts_with('>') => {
            let bound: i64 = text[1..].trim().parse().unwrap_or(i64::MAX);
            have.and_then(Value::as_i64).is_some_and(|n| n > bound)
        }
        want => have == Some(want),
    }
}

fn visited(facts: &Facts, wanted: &Visited) -> Result<(), String> {
    let seen = || {
        let seen = facts.witness.seen.iter();
        seen.filter(|s| s.at >= facts.since && s.by.starts_with(&wanted.pods))
    };
    let (requests, different) =
        (seen().count(), seen().map(|s| s.by.as_str()).collect::<BTreeSet<_>>().len());
    if requests < wanted.requests {
        return Err(if wanted.requests == 1 {
            "The page has not been opened yet.".into()
        } else {
            format!("{requests} of {} requests made.", wanted.requests)
        });
    }
    if different < wanted.different {
        return Err(format!("{different} of {} different pods have answered.", wanted.different));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_compare_by_pointer_and_by_any_element() {
        let pod = json!({"status": {"n": 3, "list": [{"a": 1}, {"a": {"b": "x"}}]}});
        for (path, want, is) in [
            ("/status/n", json!(3), true),
            ("/status/n", json!(">2"), true),
            ("/status/n", json!(">3"), false),
            ("/status/list/*/a", json!(1), true),
            ("/status/list/*/a/b", json!("x"), true),
            ("/status/list/*/a/b", json!("y"), false),
            ("/status/gone", json!(null), true),
        ] {
            assert_eq!(field_is(&pod, path, &want), is, "{path} {want}");
        }
    }

    #[test]
    fn commands_count_however_they_are_spelt() {
        let mut witness = Witness::default();
        let words = |text: &str| text.split(' ').map(str::to_string).collect::<Vec<_>>();
        witness.begin(1, Time::from_secs(10), words("kubectl get po -A"));
        let patterns = ["kubectl get pods -A|--all-namespaces".to_string()];
        let facts = Facts {
            cluster: "Running",
            client: None,
            witness: &witness,
            since: Time::from_secs(5),
            command: "",
        };
        assert!(holds(&facts, &Condition::Running(patterns.to_vec())).is_ok());
        assert!(holds(&facts, &Condition::Ran(patterns.to_vec())).is_err());
        witness.end(1, &words("kubectl get po -A"), 0);
        let facts = Facts {
            cluster: "Running",
            client: None,
            witness: &witness,
            since: Time::from_secs(5),
            command: "",
        };
        assert!(holds(&facts, &Condition::Ran(patterns.to_vec())).is_ok());
        assert!(holds(&facts, &Condition::Ran(vec!["kubectl get nodes".into()])).is_err());
    }
}
