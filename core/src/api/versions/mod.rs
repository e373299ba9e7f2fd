//! Kinds that are served in another version (or group) than the one in which they are stored.
//!
//! A [`View`] is one line: what it is called and how objects get from one form to the other, both
//! as JSON. Versions of custom resources are views as well, whose objects differ by `apiVersion`
//! only. Not here: when conversion happens (`apiserver::versions`).

pub mod autoscaling;
pub mod events;

use std::cmp::Reverse;

use serde_json::Value;

use super::kinds::KindId;

/// How objects get from one version of their kind to the other.
#[derive(Clone, Copy, Debug)]
pub struct Conversion {
    /// From the served version to the stored one. `apiVersion` and `kind` are set by the caller.
    /// Errors say what of the object can't be said in the stored version.
    pub to_storage: fn(Value) -> Result<Value, String>,
    /// From the stored version to the served one.
    pub from_storage: fn(Value) -> Value,
    /// Paths of field selectors and what they are called in the stored version; empty: they are
    /// the same. A path that is not named here can't be selected by.
    pub fields: &'static [(&'static str, &'static str)],
}

/// Objects of both versions are the same but for `apiVersion`.
pub const NONE: Conversion =
    Conversion { to_storage: Ok, from_storage: |value| value, fields: &[] };

/// A kind that is stored as another one.
pub struct View {
    /// The stored kind: group, version, kind.
    pub of: (&'static str, &'static str, &'static str),
    /// Group and version in which it is served, too.
    pub shown: (&'static str, &'static str),
    /// How objects are converted.
    pub conversion: Conversion,
}

/// The views of built-in kinds, sorted by group and version.
pub const VIEWS: &[View] = &[
    View {
        of: ("autoscaling", "v2", "HorizontalPodAutoscaler"),
        shown: ("autoscaling", "v1"),
        conversion: autoscaling::V1,
    },
    View { of: ("", "v1", "Event"), shown: ("events.k8s.io", "v1"), conversion: events::V1 },
];

/// Which kind's objects a kind's are stored as, and how. What is stored as it is has none.
#[derive(Clone, Copy, Debug)]
pub struct StoredAs {
    /// The stored kind.
    pub kind: KindId,
    /// How objects are converted.
    pub conversion: Conversion,
}

/// By what versions are ordered, the best first: `v2`, `v1`, `v2beta1`, `v1beta2`, `v1alpha1`, others by
/// name. Models `apimachinery/pkg/version/helpers.go`.
pub fn order(version: &str) -> (u8, Reverse<(u64, u64)>, String) {
    let rest = version.strip_prefix('v').unwrap_or("");
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (major, rest) = rest.split_at(digits);
    let Ok(major) = major.parse::<u64>() else {
        return (3, Reverse((0, 0)), version.to_string());
    };
    let stages = [("beta", 1), ("alpha", 2)];
    let stage = stages
        .iter()
        .find_map(|(word, place)| Some((*place, rest.strip_prefix(word)?.parse::<u64>().ok()?)));
    match (rest, stage) {
        ("", _) => (0, Reverse((major, 0)), String::new()),
        (_, Some((place, minor))) => (place, Reverse((major, minor)), String::new()),
        _ => (3, Reverse((0, 0)), version.to_string()),
    }
}

/// Moves a value of a map to another name; nothing where there is none.
fn rename(map: &mut serde_json::Map<String, Value>, from: &str, to: &str) {
    if let Some(value) = map.remove(from) {
        map.insert(to.into(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_maturity_and_number() {
        let wanted = ["v2", "v1", "v2beta1", "v1beta2", "v1beta1", "v10alpha1", "foo1", "v1x"];
        let mut versions = wanted;
        versions.sort_by_key(|v| std::cmp::Reverse(order(v)));
        versions.sort_by_key(|v| order(v));
        assert_eq!(versions, wanted);
    }
}
