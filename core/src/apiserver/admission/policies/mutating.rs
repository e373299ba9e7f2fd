//! MutatingAdmissionPolicy: expressions that users write change what comes in.
//!
//! A mutation is a part of an object that is laid over what came (as server-side apply does, without
//! owning anything), or a list of operations of a JSON patch. When policies changed something, the
//! plugins before them look again, and once more those policies that want to be asked again.
//!
//! Models `apiserver/pkg/admission/plugin/policy/mutating`.

use std::rc::Rc;

use k8s_openapi::api::admissionregistration::v1::{
    MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding, MutatingAdmissionPolicySpec, Mutation,
};
use serde_json::{Map, Value};

use super::{NAMES, OWN_GROUP, Variables, Write, add_variables, conditions_hold, params};
use crate::{
    api::{
        FieldError, Object, Status, Typed,
        cel::{Program, Val},
        object::downcast_rc,
        patch,
    },
    apiserver::{admission::Attributes, fields},
};

/// Changes what is created or updated. Errors: Invalid, where a policy that must not fail does.
pub fn admit(attributes: &Attributes, object: &mut dyn Object) -> Result<(), Status> {
    let store = attributes.api.store();
    if store.count(MutatingAdmissionPolicyBinding::ID) == 0 || attributes.kind.group == OWN_GROUP {
        return Ok(());
    }
    if pass(attributes, object, false)? {
        super::super::again(attributes, object)?;
        pass(attributes, object, true)?;
    }
    Ok(())
}

/// Runs all policies, or those that want to be asked `again`. Whether anything changed.
fn pass(attributes: &Attributes, object: &mut dyn Object, again: bool) -> Result<bool, Status> {
    let store = attributes.api.store();
    let operation = if attributes.old.is_some() { "UPDATE" } else { "CREATE" };
    let before = object.boxed_clone();
    let mut refused: Vec<String> = Vec::new();
    for binding in store.list(MutatingAdmissionPolicyBinding::ID, None) {
        let own =
            binding.downcast::<MutatingAdmissionPolicyBinding>().and_then(|b| b.spec.as_ref());
        let Some(spec) = own else { continue };
        let name = spec.policy_name.as_deref().unwrap_or_default();
        let policy = store.get(MutatingAdmissionPolicy::ID, "", name);
        let policy = policy.as_ref().and_then(downcast_rc::<MutatingAdmissionPolicy>);
        let Some(rules) = policy.as_ref().and_then(|p| p.spec.as_ref()) else { continue };
        if again && rules.reinvocation_policy.as_deref() != Some("IfNeeded") {
            continue;
        }
        let write = Write { attributes, operation, new: Some(&*object), old: attributes.old };
        let fits = |m| write.matches(m);
        let asked = rules.match_constraints.as_ref().is_some_and(fits)
            && spec.match_resources.as_ref().is_none_or(fits);
        if !asked {
            continue;
        }
        let found = params(&write, rules.param_kind.as_ref(), spec.param_ref.as_ref());
        let mut failed = Vec::new();
        match found {
            Ok(all) => {
                for param in all {
                    mutate(attributes, operation, object, (rules, param), &mut failed);
                }
            }
            Err(why) => failed.push(format!("failed to configure binding: {why}")),
        }
        if rules.failure_policy.as_deref() != Some("Ignore") {
            refused.extend(failed.into_iter().map(|why| {
                let binding = binding.name();
                format!("policy '{name}' with binding '{binding}' denied request: {why}")
            }));
        }
    }
    if refused.is_empty() {
        return Ok(!object.equals(&*before));
    }
    let mut status = Status::forbidden(attributes.kind, object.name(), "");
    status.message = refused.join(", ");
    status.reason = "Invalid";
    status.causes = refused.iter().map(|why| FieldError::cause("", why)).collect();
    Err(status)
}

/// Does what one policy says, with one parameter. What fails is told in `failed`.
fn mutate(
    attributes: &Attributes,
    operation: &'static str,
    object: &mut dyn Object,
    (rules, param): (&MutatingAdmissionPolicySpec, Val),
    failed: &mut Vec<String>,
) {
    let known = |object: &dyn Object| {
        let write = Write { attributes, operation, new: Some(object), old: attributes.old };
        let mut variables = write.variables();
        variables.insert("params".into(), param.clone());
        variables.insert("variables".into(), Val::Map(Rc::from([])));
        variables
    };
    match conditions_hold(rules.match_conditions.as_deref(), &known(object)) {
        Ok(true) => {}
        Ok(false) => return,
        Err(why) => return failed.push(why),
    }
    for mutation in rules.mutations.iter().flatten() {
        let mut variables = known(object);
        add_variables(rules.variables.as_deref(), &mut variables);
        match changed(attributes, object, mutation, &variables) {
            Ok(None) => {}
            Ok(Some(value)) => match attributes.api.decode(attributes.kind.id, value) {
                Ok(mut new) => {
                    attributes.api.rules(attributes.request, attributes.kind).defaults(&mut *new);
                    object.become_as(&*new);
                }
                Err(status) => failed.push(status.message),
            },
            Err(why) => failed.push(why),
        }
    }
}

/// What a mutation makes of an object; `None` where it leaves it as it is.
fn changed(
    attributes: &Attributes,
    object: &dyn Object,
    mutation: &Mutation,
    variables: &Variables,
) -> Result<Option<Value>, String> {
    let apply = mutation.apply_configuration.as_ref().and_then(|a| a.expression.as_deref());
    let operations = mutation.json_patch.as_ref().and_then(|p| p.expression.as_deref());
    let (expression, is_apply) = match mutation.patch_type.as_str() {
        "ApplyConfiguration" => (apply.unwrap_or_default(), true),
        _ => (operations.unwrap_or_default(), false),
    };
    let program = Program::compile(expression.trim(), NAMES)
        .map_err(|why| format!("compilation failed: {why}"))?;
    let result = program.run(variables).map_err(|why| {
        let expression = expression.trim();
        format!("expression '{expression}' resulted in error: {why}")
    })?;
    if let Some(why) = program.mismatch() {
        return Err(format!("type mismatch: {why}"));
    }
    let live = object.to_value();
    if is_apply {
        let config = result.to_json();
        let merged = fields::lay_over(attributes.api, attributes.kind, live, config);
        return merged.map(Some).map_err(|why| format!("error applying patch: {why}"));
    }
    let patch = Value::Array(operations_of(&result)?);
    match patch::json(live, &patch) {
        Ok(value) => Ok(Some(value)),
        // Where a test fails the patch is not for this object.
        Err(why) if why.ends_with("test failed") => Ok(None),
        Err(why) => Err(format!("JSONPath: {why}")),
    }
}

/// The operations that a list of `JSONPatch` values stands for.
fn operations_of(result: &Val) -> Result<Vec<Value>, String> {
    let Val::List(items) = result else {
        let why = "JSONPatchType.expression should evaluate to array";
        return Err(format!("type mismatch: {why}"));
    };
    let operation = |item: &Val| {
        let mut out = Map::new();
        for key in ["op", "path", "from"] {
            if let Some(Val::Str(text)) = item.field(key) {
                out.insert(key.into(), Value::String(text.to_string()));
            }
        }
        if let Some(value) = item.field("value") {
            out.insert("value".into(), value.to_json());
        }
        Value::Object(out)
    };
    Ok(items.iter().map(operation).collect())
}
