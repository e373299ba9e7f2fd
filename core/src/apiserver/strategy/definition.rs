//! The rules of CustomResourceDefinitions.
//!
//! Models `apiextensions-apiserver/pkg/apis/apiextensions/{v1/defaults.go,validation}` and
//! `pkg/registry/customresourcedefinition`.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceConversion, CustomResourceDefinition, CustomResourceDefinitionVersion,
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};

use super::{
    NameRule, Strategy, StrategyCx,
    metadata::name_error,
    pod::{containers::one_of, defaults::text},
    webhook,
};
use crate::{
    api::{FieldError, Path, object::to_value},
    apiserver::custom::{FINALIZER, broken},
};

/// Schemas may be nested so deep.
const DEEPEST: usize = 64;

/// See the module.
pub struct Definitions;

/// Models `validateCustomResourceConversion`.
fn check_conversion(
    conversion: &CustomResourceConversion,
    at: &Path,
    errors: &mut Vec<FieldError>,
) {
    one_of(&conversion.strategy, &["None", "Webhook"], &at.child("strategy"), errors);
    let client_at = at.child("webhookClientConfig");
    let client = conversion.webhook.as_ref().and_then(|w| w.client_config.as_ref());
    let reviews = conversion.webhook.as_ref().map(|w| w.conversion_review_versions.as_slice());
    if conversion.strategy != "Webhook" {
        let why = "should not be set when strategy is not set to Webhook";
        if client.is_some() {
            errors.push(FieldError::forbidden(client_at, why));
        }
        if reviews.is_some_and(|r| !r.is_empty()) {
            errors.push(FieldError::forbidden(at.child("conversionReviewVersions"), why));
        }
        return;
    }
    match client.map(|c| (c, &c.url, &c.service)) {
        None => {
            let why = "required when strategy is set to Webhook";
            errors.push(FieldError::required(client_at, why));
        }
        Some((_, Some(url), None)) => webhook::check_url(url, &client_at.child("url"), errors),
        Some((_, None, Some(service))) => {
            let port = service.port.unwrap_or(443);
            let place = (&*service.namespace, &*service.name, service.path.as_deref(), port);
            webhook::check_service(place, &client_at.child("service"), errors);
        }
        Some(_) => {
            let why = "exactly one of url or service is required";
            errors.push(FieldError::required(client_at, why));
        }
    }
    let at = at.child("conversionReviewVersions");
    webhook::check_review_versions(reviews.unwrap_or_default(), &["v1", "v1beta1"], &at, errors);
}

impl Strategy for Definitions {
    type Object = CustomResourceDefinition;

    fn defaults(&self, crd: &mut CustomResourceDefinition) {
        let names = &mut crd.spec.names;
        let kind = names.kind.clone();
        text(&mut names.singular, &kind.to_lowercase());
        if !kind.is_empty() {
            text(&mut names.list_kind, &format!("{kind}List"));
        }
        crd.spec.conversion.get_or_insert_with(|| CustomResourceConversion {
            strategy: "None".into(),
            webhook: None,
        });
    }

    fn prepare_create(&self, _: &StrategyCx, crd: &mut CustomResourceDefinition) {
        let stored = crd.spec.versions.iter().find(|v| v.storage).map(|v| v.name.clone());
        let status = crd.status.insert(Default::default());
        status.stored_versions = Some(stored.into_iter().collect());
    }

    fn prepare_update(
        &self,
        _: &StrategyCx,
        new: &mut CustomResourceDefinition,
        old: &CustomResourceDefinition,
    ) {
        new.status.clone_from(&old.status);
        if let Some(version) = new.spec.versions.iter().find(|v| v.storage) {
            let stored = new.status.get_or_insert_default().stored_versions.get_or_insert_default();
            if !stored.contains(&version.name) {
                stored.push(version.name.clone());
            }
        }
    }

    fn prepare_status_update(
        &self,
        new: &mut CustomResourceDefinition,
        old: &CustomResourceDefinition,
    ) {
        new.spec.clone_from(&old.spec);
    }

    fn spec_changed(
        &self,
        new: &CustomResourceDefinition,
        old: &CustomResourceDefinition,
    ) -> Option<bool> {
        Some(new.spec != old.spec)
    }

    fn deletion_begins(&self, crd: &mut CustomResourceDefinition) {
        let finalizers = crd.metadata.finalizers.get_or_insert_default();
        if !finalizers.iter().any(|f| f == FINALIZER) {
            finalizers.push(FINALIZER.into());
        }
    }

    fn validate(&self, _: &StrategyCx, crd: &CustomResourceDefinition) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let spec = &crd.spec;
        let (plural, group) = (&spec.names.plural, &spec.group);
        let name = crd.metadata.name.as_deref().unwrap_or_default();
        if name != format!("{plural}.{group}") {
            let why = "must be spec.names.plural+\".\"+spec.group";
            errors.push(FieldError::invalid_str("metadata.name", name, why));
        }
        let at = Path::new("spec");
        if group.is_empty() {
            errors.push(FieldError::required(at.child("group"), ""));
        } else if let Some(why) = name_error(NameRule::Subdomain, group) {
            errors.push(FieldError::invalid_str(at.child("group"), group, &why));
        } else if !group.contains('.') {
            let why = "should be a domain with at least one dot";
            errors.push(FieldError::invalid_str(at.child("group"), group, why));
        }
        one_of(&spec.scope, &["Cluster", "Namespaced"], &at.child("scope"), &mut errors);
        names(crd, &at.child("names"), &mut errors);
        versions(crd, &at.child("versions"), &mut errors);
        if let Some(conversion) = &spec.conversion {
            check_conversion(conversion, &at.child("conversion"), &mut errors);
        }
        errors
    }

    fn validate_update(
        &self,
        _: &StrategyCx,
        new: &CustomResourceDefinition,
        old: &CustomResourceDefinition,
    ) -> Vec<FieldError> {
        let (new, old) = (&new.spec, &old.spec);
        let pairs = [
            ("spec.group", &new.group, &old.group),
            ("spec.names.plural", &new.names.plural, &old.names.plural),
            ("spec.names.kind", &new.names.kind, &old.names.kind),
            ("spec.scope", &new.scope, &old.scope),
        ];
        let changed = pairs.into_iter().filter(|(_, new, old)| new != old);
        changed
            .map(|(field, value, _)| FieldError::invalid_str(field, value, "field is immutable"))
            .collect()
    }
}

fn names(crd: &CustomResourceDefinition, at: &Path, errors: &mut Vec<FieldError>) {
    let names = &crd.spec.names;
    let lower = |field: &str, value: &str, errors: &mut Vec<FieldError>| {
        if let Some(why) = name_error(NameRule::Label1035, value) {
            errors.push(FieldError::invalid_str(at.child(field), value, &why));
        }
    };
    if names.plural.is_empty() {
        errors.push(FieldError::required(at.child("plural"), ""));
    } else {
        lower("plural", &names.plural, errors);
    }
    if let Some(singular) = &names.singular {
        lower("singular", singular, errors);
    }
    if names.kind.is_empty() {
        errors.push(FieldError::required(at.child("kind"), ""));
    } else {
        let kind = names.kind.to_lowercase();
        if let Some(why) = name_error(NameRule::Label1035, &kind) {
            let why = format!("may have mixed case, but should otherwise match: {why}");
            errors.push(FieldError::invalid_str(at.child("kind"), &names.kind, &why));
        }
    }
    for short in names.short_names.iter().flatten() {
        lower("shortNames", short, errors);
    }
}

fn versions(crd: &CustomResourceDefinition, at: &Path, errors: &mut Vec<FieldError>) {
    let versions = &crd.spec.versions;
    if versions.is_empty() {
        errors.push(FieldError::required(at, ""));
    }
    if !versions.is_empty() && versions.iter().filter(|v| v.storage).count() != 1 {
        let why = "must have exactly one version marked as storage version";
        errors.push(FieldError::invalid(at, to_value(versions), why));
    }
    for (i, version) in versions.iter().enumerate() {
        let at = at.index(i);
        if versions.iter().take(i).any(|other| other.name == version.name) {
            let why = "must contain unique version names";
            errors.push(FieldError::invalid_str(at.child("name"), &version.name, why));
        }
        if let Some(why) = name_error(NameRule::Label1035, &version.name) {
            errors.push(FieldError::invalid_str(at.child("name"), &version.name, &why));
        }
        selectable(version, &at.child("selectableFields"), errors);
        let at = at.child("schema");
        let at = at.child("openAPIV3Schema");
        let schema = version.schema.as_ref().and_then(|s| s.open_api_v3_schema.as_ref());
        match schema {
            None => errors.push(FieldError::required(at, "schemas are required")),
            Some(schema) => {
                match schema.type_.as_deref() {
                    None | Some("") => {
                        let why = "must not be empty at the root";
                        errors.push(FieldError::required(at.child("type"), why));
                    }
                    Some("object") => {}
                    Some(other) => {
                        let why = "must be object at the root";
                        errors.push(FieldError::invalid_str(at.child("type"), other, why));
                    }
                }
                structure(schema, &at, 0, errors);
                broken(&to_value(schema), &at.to_string(), 0, errors);
            }
        }
    }
}

/// Fields to select by: texts, numbers and booleans of the schema. Models
/// `ValidateCustomResourceSelectableFields`.
fn selectable<'a>(
    version: &'a CustomResourceDefinitionVersion,
    at: &Path,
    errors: &mut Vec<FieldError>,
) {
    const MOST: usize = 8;
    let fields = version.selectable_fields.as_deref().unwrap_or_default();
    if fields.len() > MOST {
        errors.push(FieldError::too_many(at, fields.len() as u64, MOST as u64));
    }
    let root = version.schema.as_ref().and_then(|s| s.open_api_v3_schema.as_ref());
    for (i, field) in fields.iter().enumerate() {
        let path = field.json_path.as_str();
        let at = at.index(i);
        let at = at.child("jsonPath");
        if path.is_empty() {
            errors.push(FieldError::required(at, ""));
            continue;
        }
        let mut steps = path.split('.');
        let starts = steps.next() == Some("");
        let steps: Vec<&str> = steps.collect();
        if starts && steps.first() == Some(&"metadata") {
            let why = "must not point to fields in metadata";
            errors.push(FieldError::invalid_str(at, path, why));
            continue;
        }
        let step = |here: Option<&'a JSONSchemaProps>, step: &&str| {
            here.and_then(|h| h.properties.as_ref()?.get(*step))
        };
        let found = steps.iter().fold(root, step);
        match found.filter(|_| starts) {
            None => {
                let why = "is an invalid path: does not refer to a valid field";
                errors.push(FieldError::invalid_str(at, path, why));
            }
            Some(leaf) => {
                let kind = leaf.type_.as_deref().unwrap_or_default();
                if !matches!(kind, "boolean" | "integer" | "string") {
                    let why = "must point to a field of type string, boolean or integer. Enum \
                               string fields and strings with formats are allowed.";
                    errors.push(FieldError::invalid_str(at, path, why));
                }
            }
        }
        if fields.iter().take(i).any(|other| other.json_path == path) {
            errors.push(FieldError::duplicate(at, crate::api::gofmt::quote(path)));
        }
    }
}

/// Each part of a schema must say its type.
fn structure(schema: &JSONSchemaProps, at: &Path, depth: usize, errors: &mut Vec<FieldError>) {
    if depth > DEEPEST {
        errors.push(FieldError::forbidden(at, "schemas can't be nested deeper"));
        return;
    }
    let untyped = |s: &JSONSchemaProps| {
        s.type_.as_deref().is_none_or(str::is_empty)
            && s.x_kubernetes_int_or_string != Some(true)
            && s.x_kubernetes_preserve_unknown_fields != Some(true)
    };
    let properties_at = at.child("properties");
    for (name, inner) in schema.properties.iter().flatten() {
        let at = properties_at.key(name);
        if untyped(inner) {
            let why = "must not be empty for specified object fields";
            errors.push(FieldError::required(at.child("type"), why));
        }
        structure(inner, &at, depth + 1, errors);
    }
    match &schema.items {
        Some(JSONSchemaPropsOrArray::Schema(inner)) => {
            let at = at.child("items");
            if untyped(inner) {
                let why = "must not be empty for specified array items";
                errors.push(FieldError::required(at.child("type"), why));
            }
            structure(inner, &at, depth + 1, errors);
        }
        Some(JSONSchemaPropsOrArray::Schemas(_)) => {
            let why = "items must be a schema object and not an array";
            errors.push(FieldError::forbidden(at.child("items"), why));
        }
        None if schema.type_.as_deref() == Some("array") => {
            errors.push(FieldError::required(at.child("items"), "must be specified"));
        }
        None => {}
    }
    if let Some(JSONSchemaPropsOrBool::Schema(inner)) = &schema.additional_properties {
        let at = at.child("additionalProperties");
        if untyped(inner) {
            let why = "must not be empty for specified object fields";
            errors.push(FieldError::required(at.child("type"), why));
        }
        structure(inner, &at, depth + 1, errors);
    }
}
