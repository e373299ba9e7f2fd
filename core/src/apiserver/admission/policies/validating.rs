//! ValidatingAdmissionPolicy: expressions that users write decide what is let in.
//!
//! Looked at before anything is stored and before a deletion begins.
//!
//! Models `apiserver/pkg/admission/plugin/policy/validating`.

use std::rc::Rc;

use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
    ValidatingAdmissionPolicyBindingSpec, ValidatingAdmissionPolicySpec, Validation,
};

use super::{OWN_GROUP, Variables, Write, add_variables, conditions_hold, params, run};
use crate::{
    api::{FieldError, Object, Status, Typed, cel::Val, object::downcast_rc},
    apiserver::admission::Attributes,
};

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
        let denied = match params(write, rules.param_kind.as_ref(), spec.param_ref.as_ref()) {
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
    match conditions_hold(rules.match_conditions.as_deref(), &variables) {
        Ok(true) => {}
        Ok(false) => return Ok(()),
        Err(why) => return fails(rules, why),
    }
    add_variables(rules.variables.as_deref(), &mut variables);
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
