//! ValidatingAdmissionPolicy: expressions that users write decide what is let in.
//!
//! Looked at before anything is stored and before a deletion begins. `authorizer` is not offered to
//! expressions, and audit annotations go nowhere (there is no audit log).
//!
//! Models `apiserver/pkg/admission/plugin/policy/validating`.

use std::{collections::BTreeMap, rc::Rc};

use k8s_openapi::{
    api::{
        admissionregistration::v1::{
            MatchResources, NamedRuleWithOperations, ParamRef, ValidatingAdmissionPolicy,
            ValidatingAdmissionPolicyBinding, ValidatingAdmissionPolicyBindingSpec,
            ValidatingAdmissionPolicySpec, Validation,
        },
        core::v1::Namespace,
    },
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use serde_json::{Value, json};

use super::Attributes;
use crate::api::{
    FieldError, Object, Status, Typed,
    cel::{Program, Val},
    object::downcast_rc,
    selector::Selector,
};

/// What expressions may speak of.
const NAMES: &[&str] =
    &["object", "oldObject", "request", "params", "namespaceObject", "variables"];

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

/// Looks at a create or an update. Errors: Invalid, or what the policy says.
pub fn commit(attributes: &Attributes, object: &dyn Object) -> Result<(), Status> {
    let operation = if attributes.old.is_some() { "UPDATE" } else { "CREATE" };
    check(&Write { attributes, operation, new: Some(object), old: attributes.old })
}

/// Looks at a deletion.
pub fn delete(attributes: &Attributes, object: &dyn Object) -> Result<(), Status> {
    check(&Write { attributes, operation: "DELETE", new: None, old: Some(object) })
}

fn check(write: &Write) -> Result<(), Status> {
    let api = write.attributes.api;
    let store = api.store();
    let bindings = match store.count(ValidatingAdmissionPolicyBinding::ID) {
        0 => return Ok(()),
        _ if write.attributes.kind.group == OWN_GROUP => return Ok(()),
        _ => store.list(ValidatingAdmissionPolicyBinding::ID, None),
    };
    let base = write.variables();
    for binding in &bindings {
        let Some(typed) = binding.downcast::<ValidatingAdmissionPolicyBinding>() else { continue };
        let spec = &typed.spec;
        let policy = store.get(ValidatingAdmissionPolicy::ID, "", &spec.policy_name);
        let policy = policy.as_ref().and_then(downcast_rc::<ValidatingAdmissionPolicy>);
        let Some(rules) = policy.as_ref().and_then(|p| p.spec.as_ref()) else { continue };
        let constraints = rules.match_constraints.as_ref();
        let own = spec.match_resources.as_ref();
        if !constraints.is_some_and(|m| write.matches(m)) || !own.is_none_or(|m| write.matches(m)) {
            continue;
        }
        let denied = match params(write, rules, spec) {
            Ok(all) => all.iter().try_for_each(|params| {
                let mut variables = base.clone();
                variables.insert("params".into(), params.clone());
                evaluate(rules, variables)
            }),
            Err(why) => {
                // Whatever the binding wants to be done.
                let why = format!("failed to configure binding: {why}");
                let failed = fails(rules, why).map_err(|(why, _)| why);
                failed.map_err(|why| refusal(write, (binding.name(), spec), (why, None)))?;
                continue;
            }
        };
        if let Err((message, reason)) = denied {
            react(write, (binding.name(), spec), (message, reason))?;
        }
    }
    Ok(())
}

/// What was decided against a write: why, and the reason that the answer gives.
type Denied = (String, Option<String>);

/// An expression could not be worked out.
fn fails(rules: &ValidatingAdmissionPolicySpec, why: String) -> Result<(), Denied> {
    match rules.failure_policy.as_deref() {
        Some("Ignore") => Ok(()),
        _ => Err((why, None)),
    }
}

/// Does what the binding wants to be done.
fn react(
    write: &Write,
    (binding, spec): (&str, &ValidatingAdmissionPolicyBindingSpec),
    (message, reason): Denied,
) -> Result<(), Status> {
    let policy = &spec.policy_name;
    let wants = |action: &str| spec.validation_actions.iter().any(|own| own == action);
    if wants("Warn") {
        write.attributes.request.warn(format!(
            "Validation failed for ValidatingAdmissionPolicy '{policy}' with binding '{binding}': \
             {message}"
        ));
    }
    match wants("Deny") {
        true => Err(refusal(write, (binding, spec), (message, reason))),
        false => Ok(()),
    }
}

/// What the client is answered.
fn refusal(
    write: &Write,
    (binding, spec): (&str, &ValidatingAdmissionPolicyBindingSpec),
    (message, reason): Denied,
) -> Status {
    let policy = &spec.policy_name;
    let text = format!(
        "ValidatingAdmissionPolicy '{policy}' with binding '{binding}' denied request: {message}"
    );
    let name = write.new.or(write.old).map(|o| o.name()).unwrap_or_default();
    let mut status = Status::forbidden(write.attributes.kind, name, &text);
    (status.reason, status.code) = match reason.as_deref() {
        Some("Forbidden") => ("Forbidden", 403),
        Some("Unauthorized") => ("Unauthorized", 401),
        Some("RequestEntityTooLarge") => ("RequestEntityTooLarge", 413),
        _ => ("Invalid", 422),
    };
    status.causes = vec![FieldError::cause("", &text)];
    status
}

/// Works a policy's expressions out.
fn evaluate(rules: &ValidatingAdmissionPolicySpec, mut variables: Variables) -> Result<(), Denied> {
    variables.insert("variables".into(), Val::Map(Rc::from([])));
    for condition in rules.match_conditions.iter().flatten() {
        match run(&condition.expression, &variables) {
            Ok(Val::Bool(true)) => {}
            Ok(_) => return Ok(()),
            Err(why) => return fails(rules, why),
        }
    }
    let mut known: Vec<(Val, Val)> = Vec::new();
    for variable in rules.variables.iter().flatten() {
        // One that fails is missing where it is asked for.
        if let Ok(value) = run(&variable.expression, &variables) {
            known.push((variable.name.as_str().into(), value));
            variables.insert("variables".into(), Val::Map(known.clone().into()));
        }
    }
    for validation in rules.validations.iter().flatten() {
        match run(&validation.expression, &variables) {
            Ok(Val::Bool(true)) => {}
            Ok(_) => return Err((message(validation, &variables), validation.reason.clone())),
            Err(why) => {
                let own = validation.expression.trim();
                fails(rules, format!("expression '{own}' resulted in error: {why}"))?;
            }
        }
    }
    Ok(())
}

fn run(expression: &str, variables: &Variables) -> Result<Val, String> {
    let program = Program::compile(expression, NAMES);
    program.map_err(|why| format!("compilation error: {why}"))?.run(variables)
}

fn message(validation: &Validation, variables: &Variables) -> String {
    let made = validation.message_expression.as_deref().and_then(|e| run(e, variables).ok());
    if let Some(Val::Str(text)) = made {
        if !text.trim().is_empty() && !text.contains('\n') {
            return text.trim().to_owned();
        }
    }
    match validation.message.as_deref().map(str::trim) {
        Some(message) if !message.is_empty() => message.to_owned(),
        _ => format!("failed expression: {}", validation.expression.trim()),
    }
}

/// The objects that a binding gives to a policy; `null` where it takes none.
fn params(
    write: &Write,
    rules: &ValidatingAdmissionPolicySpec,
    spec: &ValidatingAdmissionPolicyBindingSpec,
) -> Result<Vec<Val>, String> {
    let (Some(kind), Some(wanted)) = (&rules.param_kind, &spec.param_ref) else {
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
