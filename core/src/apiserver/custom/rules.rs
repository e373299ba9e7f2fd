//! The rules of one custom kind: its schema, its subresources, its columns.
//!
//! Models `apiextensions-apiserver/pkg/registry/customresource` and `tableconvertor`.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{path, schema, validations};
use crate::{
    api::{DynamicObject, FieldError, Object, Status, duration, object::to_value},
    apiserver::{
        strategy::{DynStrategy, NameRule, StrategyCx},
        table::{Column, RowCx},
        webhooks::Hook,
    },
    sim::Time,
};

/// See the module.
pub struct Custom {
    /// `openAPIV3Schema`.
    pub schema: Value,
    /// The schema's rules in CEL.
    pub rules: validations::Rules,
    /// Whether the status is a subresource.
    pub status: bool,
    /// Paths of the replicas wanted, of those there and of the selector, if it scales.
    pub scale: Option<(String, String, String)>,
    /// Paths of fields that can be selected by.
    pub selectable: Vec<String>,
    /// Columns besides the name: type and path of each.
    pub columns: Vec<(Column, String, String)>,
    /// Whether this version says which fields are kept.
    pub is_storage: bool,
    /// What clients are told who use this version.
    pub deprecated: Option<&'static str>,
    /// Who is asked to convert between this version and others; nobody: they differ by name only.
    pub converter: Option<Hook>,
}

fn rest(object: &dyn Object) -> Option<&Map<String, Value>> {
    object.as_any().downcast_ref::<DynamicObject>().map(|o| &o.rest)
}

fn rest_mut(object: &mut dyn Object) -> Option<&mut Map<String, Value>> {
    object.as_any_mut().downcast_mut::<DynamicObject>().map(|o| &mut o.rest)
}

impl Custom {
    /// Drops fields that the schema does not have and tells which.
    pub fn prune(&self, value: &mut Value) -> Vec<String> {
        let mut dropped = Vec::new();
        let Some(map) = value.as_object_mut() else { return dropped };
        let kept: Vec<_> = ["apiVersion", "kind", "metadata"]
            .into_iter()
            .filter_map(|key| Some((key.to_string(), map.remove(key)?)))
            .collect();
        schema::prune(&self.schema, value, "", 0, &mut dropped);
        if let Some(map) = value.as_object_mut() {
            map.extend(kept);
        }
        dropped
    }

    /// The cells of a row, the name first.
    pub fn row(&self, cx: &RowCx, object: &dyn Object) -> Vec<String> {
        let value = object.to_value();
        let mut row = vec![object.name().to_string()];
        for (_, kind, path) in &self.columns {
            let found = path::find(&value, path);
            row.push(match (found, kind.as_str()) {
                (None | Some(Value::Null), _) => String::new(),
                (Some(Value::String(text)), "date") => {
                    let time = text.parse::<jiff::Timestamp>().ok();
                    time.map_or("<invalid>".into(), |t| {
                        duration::human(cx.now.since(Time::from_timestamp(t)))
                    })
                }
                (Some(Value::String(text)), _) => text,
                (Some(other), _) => other.to_string(),
            });
        }
        row
    }
}

impl Custom {
    /// What the rules in CEL say of an object.
    fn ruled(
        &self,
        cx: &StrategyCx,
        new: &dyn Object,
        old: Option<&dyn Object>,
    ) -> Vec<FieldError> {
        if self.rules.is_empty() {
            return Vec::new();
        }
        let errors = self.validate(cx, new);
        let (new, old) = (new.to_value(), old.map(|old| old.to_value()));
        self.rules.check(&self.schema, (&new, old.as_ref()), &errors)
    }
}

impl DynStrategy for Custom {
    fn defaults(&self, object: &mut dyn Object) {
        if let Some(map) = rest_mut(object) {
            let mut value = Value::Object(std::mem::take(map));
            schema::fill(&self.schema, &mut value, 0);
            if let Value::Object(filled) = value {
                *map = filled;
            }
        }
    }

    fn prepare_create(&self, _: &StrategyCx, object: &mut dyn Object) {
        if let Some(map) = rest_mut(object).filter(|_| self.status) {
            map.remove("status");
        }
    }

    fn prepare_update(&self, _: &StrategyCx, new: &mut dyn Object, old: &dyn Object) {
        if !self.status {
            return;
        }
        let status = rest(old).and_then(|map| map.get("status").cloned());
        if let Some(map) = rest_mut(new) {
            map.remove("status");
            map.extend(status.map(|status| ("status".to_string(), status)));
        }
    }

    fn prepare_status_update(&self, new: &mut dyn Object, old: &dyn Object) {
        let (Some(old), Some(new)) = (rest(old), rest_mut(new)) else { return };
        let status = new.remove("status");
        new.clone_from(old);
        new.remove("status");
        new.extend(status.map(|status| ("status".to_string(), status)));
    }

    /// The generation counts changes of everything but the status (which counts as well where it
    /// is no subresource).
    fn spec_changed(&self, new: &dyn Object, old: &dyn Object) -> Option<bool> {
        let without = |object: &dyn Object| {
            let mut map = rest(object).cloned().unwrap_or_default();
            if self.status {
                map.remove("status");
            }
            map
        };
        Some(without(new) != without(old))
    }

    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn validate(&self, _: &StrategyCx, object: &dyn Object) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if let Some(map) = rest(object) {
            let mut value = map.clone();
            value.insert("metadata".into(), to_value(object.metadata()));
            let mut schema = self.schema.clone();
            // Metadata is checked as that of every kind.
            if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
                properties.remove("metadata");
            }
            if let Some(list) = schema.get_mut("required").and_then(Value::as_array_mut) {
                list.retain(|name| !matches!(name.as_str(), Some("apiVersion" | "kind")));
            }
            schema::check(&schema, &Value::Object(value), "", 0, &mut errors);
        }
        errors
    }

    fn validate_new(&self, cx: &StrategyCx, object: &dyn Object) -> Vec<FieldError> {
        self.ruled(cx, object, None)
    }

    fn validate_update(
        &self,
        cx: &StrategyCx,
        new: &dyn Object,
        old: &dyn Object,
    ) -> Vec<FieldError> {
        self.ruled(cx, new, Some(old))
    }

    fn allocate(
        &self,
        _: &StrategyCx,
        _: &mut dyn Object,
        _: Option<&dyn Object>,
    ) -> Result<(), Status> {
        Ok(())
    }

    fn released(&self, _: &StrategyCx, _: &dyn Object) {}

    fn grace(&self, _: &dyn Object, _: Option<i64>) -> Option<i64> {
        None
    }

    fn may_be_removed(&self, _: &dyn Object) -> bool {
        true
    }

    fn deletion_begins(&self, _: &mut dyn Object) {}

    fn field(&self, object: &dyn Object, path: &str) -> Option<String> {
        let known = self.selectable.iter().find(|own| own.trim_start_matches('.') == path)?;
        let whole = Value::Object(rest(object)?.clone());
        Some(match path::find(&whole, known) {
            Some(Value::String(text)) => text,
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        })
    }

    fn warnings(&self, _: &dyn Object, _: Option<&dyn Object>) -> Vec<String> {
        Vec::new()
    }

    fn deprecated(&self) -> Option<&'static str> {
        self.deprecated
    }

    fn answer(&self, _: &StrategyCx, _: &mut dyn Object) -> Option<Result<(), Status>> {
        None
    }

    fn time_to_live(&self) -> Option<Duration> {
        None
    }

    fn scale(&self, object: &dyn Object) -> Option<(i32, i32, String)> {
        let (wanted, there, selector) = self.scale.as_ref()?;
        let value = object.to_value();
        let number = |path: &str| {
            let found = path::find(&value, path).and_then(|v| v.as_i64()).unwrap_or(0);
            i32::try_from(found).unwrap_or(0)
        };
        let text = path::find(&value, selector);
        let text = text.and_then(|v| v.as_str().map(str::to_string));
        Some((number(wanted), number(there), text.unwrap_or_default()))
    }

    fn set_scale(&self, object: &mut dyn Object, replicas: i32) {
        let Some((wanted, ..)) = &self.scale else { return };
        let Some(mut map) = rest_mut(object) else { return };
        let names: Vec<&str> = wanted.split('.').filter(|n| !n.is_empty()).collect();
        let Some((last, parents)) = names.split_last() else { return };
        for name in parents {
            let entry = map.entry(*name).or_insert_with(|| Value::Object(Map::new()));
            let Some(inner) = entry.as_object_mut() else { return };
            map = inner;
        }
        map.insert((*last).to_string(), replicas.into());
    }
}
