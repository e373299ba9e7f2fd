//! Admission policies: expressions that users write change what comes in ([`mutating`]) and decide
//! what is let in ([`validating`]). Here is what both have: which writes a policy looks at, with which
//! parameters, and what its expressions may speak of.
//!
//! `authorizer` is not offered to expressions, and audit annotations go nowhere (there is no audit
//! log).
//!
//! Models `apiserver/pkg/admission/plugin/policy/{generic,matching}`.

pub mod mutating;
#[cfg(test)]
mod tests;
pub mod validating;

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        admissionregistration::v1::{
            MatchCondition, MatchResources, NamedRuleWithOperations, ParamKind, ParamRef, Variable,
        },
        core::v1::Namespace,
    },
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use serde_json::{Value, json};

use super::Attributes;
use crate::api::{
    Object, Typed,
    cel::{Program, Val},
    selector::Selector,
};

/// What expressions may speak of.
pub const NAMES: &[&str] = &[
    "object",
    "oldObject",
    "request",
    "params",
    "namespaceObject",
    "variables",
    // Types that only mutating policies make.
    "JSONPatch",
    "Object",
];

/// Kinds that no policy looks at, so that a bad one can be mended.
const OWN_GROUP: &str = "admissionregistration.k8s.io";

type Variables = BTreeMap<String, Val>;

/// A write that policies look at.
struct Write<'a> {
    attributes: &'a Attributes<'a>,
    operation: &'static str,
    new: Option<&'a dyn Object>,
    old: Option<&'a dyn Object>,
}

/// Whether a policy's conditions hold; why that can't be told.
fn conditions_hold(
    conditions: Option<&[MatchCondition]>,
    variables: &Variables,
) -> Result<bool, String> {
    for condition in conditions.unwrap_or_default() {
        match run(&condition.expression, variables)? {
            Val::Bool(true) => {}
            _ => return Ok(false),
        }
    }
    Ok(true)
}

/// Works out a policy's variables, in order.
fn add_variables(all: Option<&[Variable]>, variables: &mut Variables) {
    let mut known: Vec<(Val, Val)> = Vec::new();
    for variable in all.unwrap_or_default() {
        // One that fails is missing where it is asked for.
        if let Ok(value) = run(&variable.expression, variables) {
            known.push((variable.name.as_str().into(), value));
            variables.insert("variables".into(), Val::Map(known.clone().into()));
        }
    }
}

fn run(expression: &str, variables: &Variables) -> Result<Val, String> {
    let program = Program::compile(expression, NAMES);
    program.map_err(|why| format!("compilation error: {why}"))?.run(variables)
}

/// The objects that a binding gives to a policy; `null` where it takes none.
fn params(
    write: &Write,
    kind: Option<&ParamKind>,
    wanted: Option<&ParamRef>,
) -> Result<Vec<Val>, String> {
    let (Some(kind), Some(wanted)) = (kind, wanted) else {
        return Ok(vec![Val::Null]);
    };
    let api = write.attributes.api;
    let (version, name) =
        (kind.api_version.as_deref().unwrap_or_default(), kind.kind.as_deref().unwrap_or_default());
    let found = api.kinds().by_kind(version, name).cloned();
    let Some(found) = found else {
        return Err(format!(
            "failed to find resource referenced by paramKind: '{version}, Kind={name}'"
        ));
    };
    let own = write.new.or(write.old).map(|o| o.namespace()).unwrap_or_default();
    let ParamRef { name, namespace, selector, .. } = wanted;
    let place = match found.namespaced {
        true => namespace.as_deref().filter(|n| !n.is_empty()).unwrap_or(own),
        false => "",
    };
    let objects = match name.as_deref().filter(|n| !n.is_empty()) {
        Some(name) => api.store().get(found.storage(), place, name).into_iter().collect(),
        None => {
            let selector = Selector::from_label_selector(selector.as_ref())?;
            let mut all = api.store().list(found.storage(), found.namespaced.then_some(place));
            all.retain(|o| selector.matches(o.metadata().labels.as_ref()));
            all
        }
    };
    if objects.is_empty() {
        return match wanted.parameter_not_found_action.as_deref() {
            Some("Allow") => Ok(Vec::new()),
            _ => {
                Err("no params found for policy binding with `Deny` parameterNotFoundAction".into())
            }
        };
    }
    Ok(objects.iter().map(|o| Val::of(&o.to_value())).collect())
}

fn fits(selector: &Option<LabelSelector>, labels: Option<&BTreeMap<String, String>>) -> bool {
    let Some(selector) = selector else { return true };
    Selector::from_label_selector(Some(selector)).is_ok_and(|s| s.matches(labels))
}

impl Write<'_> {
    fn variables(&self) -> Variables {
        let cx = self.attributes.request;
        let kind = self.attributes.kind;
        let shown = |object: Option<&dyn Object>| {
            object.map_or(Val::Null, |object| Val::of(&object.to_value()))
        };
        let about = self.new.or(self.old);
        let namespace = about.map(|o| o.namespace()).unwrap_or_default();
        let request = json!({
            "kind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
            "resource": {"group": kind.group, "version": kind.version, "resource": kind.plural},
            "requestKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
            "requestResource":
                {"group": kind.group, "version": kind.version, "resource": kind.plural},
            "subResource": "",
            "name": about.map(|o| o.name()).unwrap_or_default(),
            "namespace": namespace,
            "operation": self.operation,
            "userInfo": {"username": cx.user.name, "uid": cx.user.uid, "groups": cx.user.groups,
                "extra": cx.user.extra},
            "dryRun": cx.dry_run,
        });
        let own = self.attributes.api.store().get(Namespace::ID, "", namespace);
        [
            ("object".to_owned(), shown(self.new)),
            ("oldObject".to_owned(), shown(self.old)),
            ("request".to_owned(), Val::of(&request)),
            ("namespaceObject".to_owned(), shown(own.as_deref())),
            ("params".to_owned(), Val::of(&Value::Null)),
        ]
        .into()
    }

    /// Whether this is what somebody wants to look at.
    fn matches(&self, wanted: &MatchResources) -> bool {
        let about = self.new.or(self.old);
        let labels = about.and_then(|o| o.metadata().labels.as_ref());
        let namespace = match about {
            Some(object) if self.attributes.kind.id == Namespace::ID => object.name(),
            Some(object) => object.namespace(),
            None => "",
        };
        if !namespace.is_empty() {
            let own = self.attributes.api.store().get(Namespace::ID, "", namespace);
            let labels = own.as_ref().and_then(|o| o.metadata().labels.as_ref());
            if !fits(&wanted.namespace_selector, labels) {
                return false;
            }
        }
        let before = self.old.and_then(|o| o.metadata().labels.as_ref());
        if !fits(&wanted.object_selector, labels) && !fits(&wanted.object_selector, before) {
            return false;
        }
        let any = |rules: &Option<Vec<NamedRuleWithOperations>>| {
            rules.iter().flatten().any(|rule| self.is_in(rule))
        };
        let rules = wanted.resource_rules.as_ref().is_none_or(Vec::is_empty);
        !any(&wanted.exclude_resource_rules) && (rules || any(&wanted.resource_rules))
    }

    fn is_in(&self, rule: &NamedRuleWithOperations) -> bool {
        let kind = self.attributes.kind;
        let has = |list: &Option<Vec<String>>, word: &str| {
            list.iter().flatten().any(|own| own == "*" || own == word)
        };
        let name = self.new.or(self.old).map(|o| o.name()).unwrap_or_default();
        let names = rule.resource_names.as_ref().is_none_or(|n| n.is_empty());
        let scope = match rule.scope.as_deref() {
            Some("Namespaced") => kind.namespaced,
            Some("Cluster") => !kind.namespaced,
            _ => true,
        };
        // A policy that names another version of a kind means the kind (`Equivalent`).
        scope
            && has(&rule.operations, self.operation)
            && has(&rule.api_groups, &kind.group)
            && (has(&rule.resources, &kind.plural) || has(&rule.resources, "*/*"))
            && (names || has(&rule.resource_names, name))
    }
}
