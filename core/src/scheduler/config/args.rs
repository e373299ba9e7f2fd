//! What a profile tells its plugins (`pluginConfig`).
//!
//! Models `pkg/scheduler/apis/config/validation/validation_pluginargs.go`.

use std::time::Duration;

use k8s_openapi::api::core::v1::{NodeAffinity, TopologySpreadConstraint};
use serde_json::Value;

use super::{
    Args, Scoring, Strategy,
    read::{Problems, list, number, text},
};
use crate::api::object::from_value;

/// `10s`, `1m30s`, as Go writes them.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let (mut total, mut rest) = (Duration::ZERO, text);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let amount: f64 = rest[..end].parse().ok()?;
        let unit_end = rest[end..].find(|c: char| c.is_ascii_digit() || c == '.');
        let unit_end = unit_end.map_or(rest.len(), |n| end + n);
        let unit = match &rest[end..unit_end] {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        total += Duration::try_from_secs_f64(amount * unit).ok()?;
        rest = &rest[unit_end..];
    }
    Some(total)
}

/// Reads the plugins' arguments; plugins that take none are passed over.
pub(super) fn read(given: &[Value], profile: &str, problems: &mut Problems) -> Args {
    let mut made = Args::default();
    for (i, config) in given.iter().enumerate() {
        let path = format!("{profile}.pluginConfig[{i}]");
        problems.fields(config, &path, &["args", "name"]);
        let Some(args) = config.get("args") else { continue };
        let path = format!("{path}.args");
        let mut own = |fields: &[&str]| {
            let known: Vec<&str> = fields.iter().copied().chain(["apiVersion", "kind"]).collect();
            problems.fields(args, &path, &known);
        };
        match text(config, "name").unwrap_or_default() {
            "NodeResourcesFit" => {
                own(&["ignoredResourceGroups", "ignoredResources", "scoringStrategy"]);
                fit(args, &path, &mut made, problems);
            }
            "NodeResourcesBalancedAllocation" => {
                own(&["resources"]);
                let resources = resources(list(args, "resources"), &path, problems);
                if !resources.is_empty() {
                    made.balanced = resources.into_iter().map(|(name, _)| name).collect();
                }
            }
            "NodeAffinity" => {
                own(&["addedAffinity"]);
                let added = args.get("addedAffinity").cloned();
                made.added_affinity = added.and_then(|a| from_value::<NodeAffinity>(a).ok());
            }
            "PodTopologySpread" => {
                own(&["defaultConstraints", "defaultingType"]);
                spread(args, &path, &mut made, problems);
            }
            "InterPodAffinity" => {
                own(&["hardPodAffinityWeight", "ignorePreferredTermsOfExistingPods"]);
                let weight = number(args, "hardPodAffinityWeight").unwrap_or(1);
                problems.range(&format!("{path}.hardPodAffinityWeight"), weight, 0, 100);
                made.hard_affinity_weight = weight;
                let ignore = args.get("ignorePreferredTermsOfExistingPods");
                made.ignore_preferences_of_others =
                    ignore.and_then(Value::as_bool).unwrap_or(false);
            }
            "DefaultPreemption" => {
                own(&["minCandidateNodesAbsolute", "minCandidateNodesPercentage"]);
                preemption(args, &path, &mut made, problems);
            }
            "VolumeBinding" => {
                own(&["bindTimeoutSeconds", "shape"]);
                let seconds = number(args, "bindTimeoutSeconds").unwrap_or(600);
                if seconds < 0 {
                    let why = "invalid BindTimeoutSeconds, should not be a negative value";
                    problems.invalid(&format!("{path}.bindTimeoutSeconds"), seconds, why);
                }
                made.bind_timeout = Duration::from_secs(seconds.clamp(0, 1 << 31) as u64);
            }
            _ => {}
        }
    }
    made
}

fn preemption(args: &Value, path: &str, made: &mut Args, problems: &mut Problems) {
    let percent = number(args, "minCandidateNodesPercentage").unwrap_or(10);
    let absolute = number(args, "minCandidateNodesAbsolute").unwrap_or(100);
    problems.range(&format!("{path}.minCandidateNodesPercentage"), percent, 0, 100);
    if absolute < 0 {
        let why = "not in valid range [0, inf)";
        problems.invalid(&format!("{path}.minCandidateNodesAbsolute"), absolute, why);
    }
    if percent == 0 && absolute == 0 {
        problems.invalid.push(format!(
            "{path}: Invalid value: [0,0]: both minCandidateNodesPercentage and \
             minCandidateNodesAbsolute cannot be zero"
        ));
    }
    made.candidates_percent = percent.clamp(0, 100) as usize;
    made.candidates = absolute.clamp(0, 1 << 31) as usize;
}

fn fit(args: &Value, path: &str, made: &mut Args, problems: &mut Problems) {
    let names = |field| list(args, field).iter().filter_map(Value::as_str).map(String::from);
    made.ignored_resources = names("ignoredResources").collect();
    made.ignored_groups = names("ignoredResourceGroups").collect();
    for (i, group) in made.ignored_groups.iter().enumerate().filter(|(_, g)| g.contains('/')) {
        let why = "resource group name can't contain '/'";
        problems.invalid(&format!("{path}.ignoredResourceGroups[{i}]"), format!("{group:?}"), why);
    }
    let Some(strategy) = args.get("scoringStrategy") else { return };
    let path = format!("{path}.scoringStrategy");
    problems.fields(strategy, &path, &["requestedToCapacityRatio", "resources", "type"]);
    let chosen = match text(strategy, "type").unwrap_or("LeastAllocated") {
        "LeastAllocated" => Strategy::Least,
        "MostAllocated" => Strategy::Most,
        "RequestedToCapacityRatio" => {
            let given = strategy.get("requestedToCapacityRatio").unwrap_or(&Value::Null);
            let path = format!("{path}.requestedToCapacityRatio");
            problems.fields(given, &path, &["shape"]);
            Strategy::Ratio(shape(list(given, "shape"), &format!("{path}.shape"), problems))
        }
        other => {
            problems.invalid.push(format!(
                "{path}.type: Unsupported value: {other:?}: supported values: \
                 \"LeastAllocated\", \"MostAllocated\", \"RequestedToCapacityRatio\""
            ));
            return;
        }
    };
    let mut resources = resources(list(strategy, "resources"), &path, problems);
    if resources.is_empty() {
        resources = Scoring::default().resources;
    }
    made.fit = Scoring { strategy: chosen, resources };
}

fn resources(given: &[Value], path: &str, problems: &mut Problems) -> Vec<(String, i64)> {
    let mut made = Vec::new();
    for (i, resource) in given.iter().enumerate() {
        let path = format!("{path}.resources[{i}]");
        problems.fields(resource, &path, &["name", "weight"]);
        let name = text(resource, "name").unwrap_or_default();
        let weight = match number(resource, "weight") {
            None | Some(0) => 1,
            Some(weight) => weight,
        };
        if !(1..=100).contains(&weight) {
            let why = format!("resource weight of {name} not in valid range [1-100]");
            problems.invalid(&format!("{path}.weight"), weight, &why);
        }
        made.push((name.to_string(), weight));
    }
    made
}

/// Points of the line, their heights as percent.
fn shape(given: &[Value], path: &str, problems: &mut Problems) -> Vec<(i64, i64)> {
    if given.is_empty() {
        let why = "Required value: at least one point must be specified";
        problems.invalid.push(format!("{path}: {why}"));
    }
    let mut made: Vec<(i64, i64)> = Vec::new();
    for (i, point) in given.iter().enumerate() {
        let path = format!("{path}[{i}]");
        problems.fields(point, &path, &["score", "utilization"]);
        let x = number(point, "utilization").unwrap_or(0);
        let y = number(point, "score").unwrap_or(0);
        problems.range(&format!("{path}.utilization"), x, 0, 100);
        if made.last().is_some_and(|(before, _)| *before >= x) {
            let why = "utilization values must be sorted in increasing order";
            problems.invalid(&format!("{path}.utilization"), x, why);
        }
        problems.range(&format!("{path}.score"), y, 0, 10);
        made.push((x, y.clamp(0, 10) * 10));
    }
    made
}

fn spread(args: &Value, path: &str, made: &mut Args, problems: &mut Problems) {
    let given = list(args, "defaultConstraints");
    let kind = text(args, "defaultingType").unwrap_or("System");
    if !["System", "List"].contains(&kind) {
        problems.invalid.push(format!(
            "{path}.defaultingType: Unsupported value: {kind:?}: supported values: \"System\", \
             \"List\""
        ));
    }
    if kind == "System" && !given.is_empty() {
        let why = "when .defaultConstraints are not empty";
        problems.invalid(&format!("{path}.defaultingType"), format!("{kind:?}"), why);
    }
    let mut constraints = Vec::new();
    for (i, value) in given.iter().enumerate() {
        let path = format!("{path}.defaultConstraints[{i}]");
        let Ok(constraint) = from_value::<TopologySpreadConstraint>(value.clone()) else {
            problems.invalid.push(format!("{path}: Invalid value: not a constraint"));
            continue;
        };
        if constraint.max_skew <= 0 {
            let why = "not in valid range (0, inf)";
            problems.invalid(&format!("{path}.maxSkew"), constraint.max_skew, why);
        }
        if constraint.topology_key.is_empty() {
            let why = "Required value: can not be empty";
            problems.invalid.push(format!("{path}.topologyKey: {why}"));
        }
        if constraint.label_selector.is_some() {
            let why = "Forbidden: constraint must not define a selector, as they deduced for each \
                       pod";
            problems.invalid.push(format!("{path}.labelSelector: {why}"));
        }
        constraints.push(constraint);
    }
    if kind == "List" {
        made.spread = Some(constraints);
    }
}
