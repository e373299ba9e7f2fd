//! Events of `events.k8s.io/v1`: the same objects as the core group's, with other names for fields.
//!
//! Models `pkg/apis/events/v1/conversion.go` and `zz_generated.conversion.go`.

use serde_json::Value;

use super::{Conversion, rename};

/// `events.k8s.io/v1`.
pub const V1: Conversion = Conversion {
    to_storage: |value| Ok(renamed(value, |(old, new)| (new, old))),
    from_storage,
    fields: FIELDS,
};

/// What the newer version can select by.
const FIELDS: &[(&str, &str)] = &[
    ("reason", "reason"),
    ("regarding.apiVersion", "involvedObject.apiVersion"),
    ("regarding.fieldPath", "involvedObject.fieldPath"),
    ("regarding.kind", "involvedObject.kind"),
    ("regarding.name", "involvedObject.name"),
    ("regarding.namespace", "involvedObject.namespace"),
    ("regarding.resourceVersion", "involvedObject.resourceVersion"),
    ("regarding.uid", "involvedObject.uid"),
    ("reportingController", "reportingComponent"),
    ("type", "type"),
];

/// Fields whose names differ: the core group's, and the newer one.
const NAMES: &[(&str, &str)] = &[
    ("count", "deprecatedCount"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("involvedObject", "regarding"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("message", "note"),
    ("reportingComponent", "reportingController"),
    ("source", "deprecatedSource"),
];

fn from_storage(value: Value) -> Value {
    let mut value = renamed(value, |names| names);
    if let Some(map) = value.as_object_mut() {
        // The older version always writes these.
        for name in ["reportingController", "reportingInstance"] {
            if map.get(name).and_then(Value::as_str) == Some("") {
                map.remove(name);
            }
        }
    }
    value
}

type Names = (&'static str, &'static str);

fn renamed(mut value: Value, order: fn(Names) -> Names) -> Value {
    if let Some(map) = value.as_object_mut() {
        for names in NAMES {
            let (from, to) = order(*names);
            rename(map, from, to);
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_gets_its_other_names_and_back() {
        let old = json!({"message": "m", "reason": "r", "involvedObject": {"kind": "Pod"},
            "reportingComponent": "c", "count": 2});
        let new = (V1.from_storage)(old.clone());
        assert_eq!(
            new,
            json!({"note": "m", "reason": "r", "regarding": {"kind": "Pod"},
                "reportingController": "c", "deprecatedCount": 2})
        );
        assert_eq!((V1.to_storage)(new), Ok(old));
    }
}
