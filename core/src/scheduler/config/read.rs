//! From a `KubeSchedulerConfiguration` to a [`Config`].
//!
//! Models `cmd/kube-scheduler/app/options/configfile.go` and `pkg/scheduler/apis/config/validation`.
//! Accepted and of no consequence here: `parallelism`, `clientConnection`, the debugging switches.

use serde_json::Value;

use super::{Config, DEFAULT, LeaderElection, Profile, args, plugins};
use crate::api::yaml;

const GROUP: &str = "kubescheduler.config.k8s.io";
const SCHEME: &str = "scheme \"k8s.io/kubernetes/pkg/scheduler/apis/config/scheme/scheme.go:30\"";

/// What is wrong with a configuration: fields that nobody knows, and values that are not allowed.
#[derive(Default)]
pub(super) struct Problems {
    /// Fields and their places.
    pub unknown: Vec<String>,
    /// As `field.ErrorList` writes them.
    pub invalid: Vec<String>,
}

impl Problems {
    /// The fields of an object, of which only `known` may be there.
    pub fn fields(&mut self, value: &Value, path: &str, known: &[&str]) {
        let Some(object) = value.as_object() else { return };
        for key in object.keys().filter(|k| !known.contains(&k.as_str())) {
            let at = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            self.unknown.push(format!("unknown field {at:?}"));
        }
    }

    /// A value that is not allowed.
    pub fn invalid(&mut self, path: &str, value: impl std::fmt::Display, why: &str) {
        self.invalid.push(format!("{path}: Invalid value: {value}: {why}"));
    }

    /// A whole number between two others.
    pub fn range(&mut self, path: &str, value: i64, low: i64, high: i64) {
        if !(low..=high).contains(&value) {
            self.invalid(path, value, &format!("not in valid range [{low}-{high}]"));
        }
    }
}

/// A whole number.
pub(super) fn number(value: &Value, name: &str) -> Option<i64> {
    value.get(name).and_then(Value::as_i64)
}

/// A text.
pub(super) fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

/// A list.
pub(super) fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Reads a configuration. Errors as kube-scheduler prints them before it ends.
pub fn read(source: &str) -> Result<Config, String> {
    let value = yaml::parse(source).map_err(|e| format!("error converting YAML to JSON: {e}"))?;
    check_kind(&value)?;
    let mut problems = Problems::default();
    problems.fields(
        &value,
        "",
        &[
            "apiVersion",
            "clientConnection",
            "delayCacheUntilActive",
            "enableContentionProfiling",
            "enableProfiling",
            "extenders",
            "kind",
            "leaderElection",
            "parallelism",
            "percentageOfNodesToScore",
            "podInitialBackoffSeconds",
            "podMaxBackoffSeconds",
            "profiles",
        ],
    );
    if !list(&value, "extenders").is_empty() {
        return Err("extenders are not simulated".into());
    }
    let leader_election = election(&value, &mut problems);
    let initial = number(&value, "podInitialBackoffSeconds").unwrap_or(1);
    let max = number(&value, "podMaxBackoffSeconds").unwrap_or(10);
    let percentage = number(&value, "percentageOfNodesToScore").unwrap_or(0);
    if number(&value, "parallelism").is_some_and(|n| n <= 0) {
        let given = number(&value, "parallelism").unwrap_or(0);
        problems.invalid("parallelism", given, "should be an integer value greater than zero");
    }
    let profiles = profiles(&value, percentage, &mut problems)?;
    problems.range("percentageOfNodesToScore", percentage, 0, 100);
    if initial <= 0 {
        problems.invalid("podInitialBackoffSeconds", initial, "must be greater than 0");
    }
    if max < initial {
        let why = "must be greater than or equal to PodInitialBackoffSeconds";
        problems.invalid("podMaxBackoffSeconds", max, why);
    }
    if !problems.unknown.is_empty() {
        return Err(format!("strict decoding error: {}", problems.unknown.join(", ")));
    }
    match problems.invalid.as_slice() {
        [] => {}
        [one] => return Err(one.clone()),
        more => return Err(format!("[{}]", more.join(", "))),
    }
    let seconds = |n: i64| std::time::Duration::from_secs(n.clamp(0, 1 << 31) as u64);
    Ok(Config {
        profiles,
        initial_backoff: seconds(initial),
        max_backoff: seconds(max),
        leader_election,
    })
}

fn check_kind(value: &Value) -> Result<(), String> {
    let (version, kind) = (text(value, "apiVersion"), text(value, "kind"));
    let shown = || value.to_string();
    let Some(kind) = kind.filter(|k| !k.is_empty()) else {
        return Err(format!("Object 'Kind' is missing in '{}'", shown()));
    };
    let Some(version) = version.filter(|v| !v.is_empty()) else {
        return Err(format!("Object 'apiVersion' is missing in '{}'", shown()));
    };
    if kind != "KubeSchedulerConfiguration" || version != format!("{GROUP}/v1") {
        return Err(format!("no kind {kind:?} is registered for version {version:?} in {SCHEME}"));
    }
    Ok(())
}

fn election(value: &Value, problems: &mut Problems) -> LeaderElection {
    let mut made = LeaderElection::default();
    let Some(given) = value.get("leaderElection") else { return made };
    let known = [
        "leaderElect",
        "leaseDuration",
        "renewDeadline",
        "resourceLock",
        "resourceName",
        "resourceNamespace",
        "retryPeriod",
    ];
    problems.fields(given, "leaderElection", &known);
    made.elect = given.get("leaderElect").and_then(Value::as_bool).unwrap_or(true);
    if let Some(name) = text(given, "resourceName") {
        made.name = name.to_string();
    }
    if let Some(namespace) = text(given, "resourceNamespace") {
        made.namespace = namespace.to_string();
    }
    for (name, field) in [
        ("leaseDuration", &mut made.lease),
        ("renewDeadline", &mut made.renew),
        ("retryPeriod", &mut made.retry),
    ] {
        if let Some(duration) = text(given, name).and_then(args::duration) {
            *field = duration;
        }
    }
    if made.elect && made.lease <= made.renew {
        let given = format!("{}s", made.lease.as_secs());
        let why = "LeaseDuration must be greater than RenewDeadline";
        problems.invalid("leaderElection.leaseDuration", given, why);
    }
    made
}

fn profiles(
    value: &Value,
    percentage: i64,
    problems: &mut Problems,
) -> Result<Vec<Profile>, String> {
    let given = list(value, "profiles");
    let alone = given.len() == 1;
    let mut profiles: Vec<Profile> = Vec::new();
    for (i, given) in given.iter().enumerate() {
        let path = format!("profiles[{i}]");
        let known = ["percentageOfNodesToScore", "pluginConfig", "plugins", "schedulerName"];
        problems.fields(given, &path, &known);
        // A single profile without name is the default scheduler's.
        let name = match text(given, "schedulerName") {
            Some(name) => name,
            None if alone => DEFAULT,
            None => "",
        };
        if name.is_empty() {
            problems.invalid.push(format!("{path}.schedulerName: Required value"));
        }
        if profiles.iter().any(|p| &*p.name == name) {
            problems.invalid.push(format!("{path}.schedulerName: Duplicate value: {name:?}"));
        }
        let own = number(given, "percentageOfNodesToScore");
        if let Some(own) = own {
            problems.range(&format!("{path}.percentageOfNodesToScore"), own, 0, 100);
        }
        let mut profile = Profile { name: name.into(), ..Profile::default() };
        profile.percentage = own.unwrap_or(percentage).clamp(0, 100) as usize;
        profile.args = args::read(list(given, "pluginConfig"), &path, problems);
        let nothing = Value::Null;
        let wanted = given.get("plugins").unwrap_or(&nothing);
        plugins::choose(&mut profile, wanted, &path, problems).map_err(|why| {
            format!("initializing profiles: creating profile for scheduler name {name}: {why}")
        })?;
        profiles.push(profile);
    }
    if profiles.is_empty() {
        let percentage = percentage.clamp(0, 100) as usize;
        profiles.push(Profile { percentage, ..Profile::default() });
    }
    Ok(profiles)
}
