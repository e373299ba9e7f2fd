//! The rules of FlowSchemas and PriorityLevelConfigurations. Requests are answered as they come: what
//! these objects say limits nothing here.
//!
//! Models `pkg/apis/flowcontrol/{v1/defaults.go,validation}` and `pkg/registry/flowcontrol`.

use k8s_openapi::api::flowcontrol::v1::{
    FlowSchema, FlowSchemaCondition, PriorityLevelConfiguration, QueuingConfiguration, Subject,
};

use super::{NameRule, Strategy, StrategyCx, metadata::name_error, pod::containers::one_of};
use crate::api::{FieldError, Path, Typed};

/// See the module.
pub struct FlowSchemas;

const EXEMPT: &str = "exempt";
/// Of schemas that do not say it.
const PRECEDENCE: i32 = 1000;
const LAST_PRECEDENCE: i32 = 10_000;

impl Strategy for FlowSchemas {
    type Object = FlowSchema;

    fn defaults(&self, schema: &mut FlowSchema) {
        let spec = schema.spec.get_or_insert_default();
        if spec.matching_precedence.unwrap_or(0) == 0 {
            spec.matching_precedence = Some(PRECEDENCE);
        }
    }

    /// Upstream's controller writes the condition a moment later.
    fn prepare_create(&self, cx: &StrategyCx, schema: &mut FlowSchema) {
        let level = schema.spec.as_ref().map(|s| s.priority_level_configuration.name.clone());
        let level = level.unwrap_or_default();
        let there = cx.api.store().get(PriorityLevelConfiguration::ID, "", &level).is_some();
        let (status, reason, message) = match there {
            true => (
                "False",
                "Found",
                format!(
                    "This FlowSchema references the PriorityLevelConfiguration object named \
                     {level:?} and it exists"
                ),
            ),
            false => (
                "True",
                "NotFound",
                format!(
                    "This FlowSchema references the PriorityLevelConfiguration object named \
                     {level:?} but there is no such object"
                ),
            ),
        };
        let conditions = &mut schema.status.insert(Default::default()).conditions;
        *conditions = Some(vec![FlowSchemaCondition {
            type_: Some("Dangling".into()),
            status: Some(status.into()),
            reason: Some(reason.into()),
            message: Some(message),
            last_transition_time: Some(cx.now.to_meta()),
        }]);
    }

    fn prepare_update(&self, _: &StrategyCx, new: &mut FlowSchema, old: &FlowSchema) {
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(&self, new: &mut FlowSchema, old: &FlowSchema) {
        new.spec.clone_from(&old.spec);
    }

    fn spec_changed(&self, new: &FlowSchema, old: &FlowSchema) -> Option<bool> {
        Some(new.spec != old.spec)
    }

    fn validate(&self, _: &StrategyCx, schema: &FlowSchema) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let Some(spec) = &schema.spec else { return errors };
        let at = Path::new("spec");
        let precedence = spec.matching_precedence.unwrap_or(0);
        let field = at.child("matchingPrecedence");
        if precedence <= 0 {
            let why = "must be a positive value";
            errors.push(FieldError::invalid(field, precedence, why));
        }
        if precedence > LAST_PRECEDENCE {
            let why = format!("must not be greater than {LAST_PRECEDENCE}");
            errors.push(FieldError::invalid(field, precedence, &why));
        }
        let name = schema.metadata.name.as_deref().unwrap_or_default();
        if precedence == 1 && name != EXEMPT {
            let why = format!("only the schema named '{EXEMPT}' may have matchingPrecedence 1");
            errors.push(FieldError::invalid(field, precedence, &why));
        }
        if let Some(method) = &spec.distinguisher_method {
            let at = at.child("distinguisherMethod");
            let known = &["ByNamespace", "ByUser"];
            one_of(&method.type_, known, &at.child("type"), &mut errors);
        }
        let level = &spec.priority_level_configuration.name;
        let level_at = at.child("priorityLevelConfiguration");
        if level.is_empty() {
            let why = "must reference a priority level";
            errors.push(FieldError::required(level_at.child("name"), why));
        } else if let Some(why) = name_error(NameRule::Subdomain, level) {
            errors.push(FieldError::invalid_str(level_at.child("name"), level, &why));
        }
        let rules_at = at.child("rules");
        for (i, rule) in spec.rules.iter().flatten().enumerate() {
            let at = rules_at.index(i);
            if rule.subjects.is_empty() {
                let why = "subjects must contain at least one value";
                errors.push(FieldError::required(at.child("subjects"), why));
            }
            let subjects_at = at.child("subjects");
            for (i, subject) in rule.subjects.iter().enumerate() {
                check_subject(subject, &subjects_at.index(i), &mut errors);
            }
            let none = |len: Option<usize>| len.unwrap_or(0) == 0;
            let resources = rule.resource_rules.as_ref().map(Vec::len);
            let others = rule.non_resource_rules.as_ref().map(Vec::len);
            if none(resources) && none(others) {
                let why = "at least one of resourceRules and nonResourceRules has to be non-empty";
                errors.push(FieldError::required(at, why));
            }
        }
        errors
    }
}

fn check_subject(subject: &Subject, at: &Path, errors: &mut Vec<FieldError>) {
    one_of(&subject.kind, &["Group", "ServiceAccount", "User"], &at.child("kind"), errors);
    let (field, there) = match subject.kind.as_str() {
        "User" => ("user", subject.user.is_some()),
        "Group" => ("group", subject.group.is_some()),
        "ServiceAccount" => ("serviceAccount", subject.service_account.is_some()),
        _ => return,
    };
    if !there {
        let why = format!("{field} is required when subject kind is '{}'", subject.kind);
        errors.push(FieldError::required(at.child(field), &why));
    }
    for (field, kind, there) in [
        ("serviceAccount", "ServiceAccount", subject.service_account.is_some()),
        ("user", "User", subject.user.is_some()),
        ("group", "Group", subject.group.is_some()),
    ] {
        if there && kind != subject.kind {
            let why = format!("{field} is forbidden when subject kind is not '{kind}'");
            errors.push(FieldError::forbidden(at.child(field), &why));
        }
    }
}

/// See the module.
pub struct PriorityLevels;

impl Strategy for PriorityLevels {
    type Object = PriorityLevelConfiguration;

    fn defaults(&self, level: &mut PriorityLevelConfiguration) {
        let spec = level.spec.get_or_insert_default();
        if spec.type_ == "Exempt" {
            let exempt = spec.exempt.get_or_insert_default();
            exempt.nominal_concurrency_shares.get_or_insert(0);
            exempt.lendable_percent.get_or_insert(0);
        }
        if let Some(limited) = &mut spec.limited {
            limited.nominal_concurrency_shares.get_or_insert(30);
            limited.lendable_percent.get_or_insert(0);
            let queuing = limited.limit_response.as_mut().and_then(|r| r.queuing.as_mut());
            if let Some(queuing) = queuing {
                for (value, usual) in [
                    (&mut queuing.hand_size, 8),
                    (&mut queuing.queues, 64),
                    (&mut queuing.queue_length_limit, 50),
                ] {
                    if value.unwrap_or(0) == 0 {
                        *value = Some(usual);
                    }
                }
            }
        }
    }

    fn prepare_create(&self, _: &StrategyCx, level: &mut PriorityLevelConfiguration) {
        level.status = Some(Default::default());
    }

    fn prepare_update(
        &self,
        _: &StrategyCx,
        new: &mut PriorityLevelConfiguration,
        old: &PriorityLevelConfiguration,
    ) {
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(
        &self,
        new: &mut PriorityLevelConfiguration,
        old: &PriorityLevelConfiguration,
    ) {
        new.spec.clone_from(&old.spec);
    }

    fn spec_changed(
        &self,
        new: &PriorityLevelConfiguration,
        old: &PriorityLevelConfiguration,
    ) -> Option<bool> {
        Some(new.spec != old.spec)
    }

    fn validate(&self, _: &StrategyCx, level: &PriorityLevelConfiguration) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let Some(spec) = &level.spec else { return errors };
        let at = Path::new("spec");
        let name = level.metadata.name.as_deref().unwrap_or_default();
        if (spec.type_ == "Exempt") != (name == EXEMPT) {
            let why = "type must be 'Exempt' if and only if `name` is 'exempt'";
            errors.push(FieldError::invalid_str(at.child("type"), &spec.type_, why));
        }
        match spec.type_.as_str() {
            "Exempt" if spec.limited.is_some() => {
                let why = "must be nil if the type is not Limited";
                errors.push(FieldError::forbidden(at.child("limited"), why));
            }
            "Limited" => {
                if spec.exempt.is_some() {
                    let why = "must be nil if the type is Limited";
                    errors.push(FieldError::forbidden(at.child("exempt"), why));
                }
                let limited_at = at.child("limited");
                match &spec.limited {
                    None => {
                        let why = "must not be empty when type is Limited";
                        errors.push(FieldError::required(limited_at, why));
                    }
                    Some(limited) => {
                        let shares = limited.nominal_concurrency_shares.unwrap_or(0);
                        if shares < 0 {
                            let at = limited_at.child("nominalConcurrencyShares");
                            let why = "must be a non-negative integer";
                            errors.push(FieldError::invalid(at, shares, why));
                        }
                        let response = limited.limit_response.clone().unwrap_or_default();
                        let at = limited_at.child("limitResponse");
                        one_of(
                            &response.type_,
                            &["Queue", "Reject"],
                            &at.child("type"),
                            &mut errors,
                        );
                        if response.type_ == "Reject" && response.queuing.is_some() {
                            let why = "must be nil if limited.limitResponse.type is not Limited";
                            errors.push(FieldError::forbidden(at.child("queuing"), why));
                        }
                        if response.type_ == "Queue" && response.queuing.is_none() {
                            let why = "must not be empty if limited.limitResponse.type is Limited";
                            errors.push(FieldError::required(at.child("queuing"), why));
                        }
                        if let ("Queue", Some(queuing)) =
                            (response.type_.as_str(), &response.queuing)
                        {
                            check_queuing(queuing, &at.child("queuing"), &mut errors);
                        }
                    }
                }
            }
            "Exempt" => {}
            other => {
                let known = &["Exempt", "Limited"];
                errors.push(FieldError::not_supported(at.child("type"), other, known));
            }
        }
        errors
    }
}

/// Models `ValidatePriorityLevelQueuingConfiguration`, without the limit to the entropy of hands.
fn check_queuing(queuing: &QueuingConfiguration, at: &Path, errors: &mut Vec<FieldError>) {
    const MOST_QUEUES: i32 = 10_000_000;
    let queues = queuing.queues.unwrap_or(0);
    let hand = queuing.hand_size.unwrap_or(0);
    let positive = "must be positive";
    if let Some(length) = queuing.queue_length_limit.filter(|n| *n <= 0) {
        errors.push(FieldError::invalid(at.child("queueLengthLimit"), length, positive));
    }
    if queues <= 0 {
        errors.push(FieldError::invalid(at.child("queues"), queues, positive));
    } else if queues > MOST_QUEUES {
        let why = format!("must not be greater than {MOST_QUEUES}");
        errors.push(FieldError::invalid(at.child("queues"), queues, &why));
    }
    if hand <= 0 {
        errors.push(FieldError::invalid(at.child("handSize"), hand, positive));
    } else if hand > queues {
        let why = format!("should not be greater than queues ({queues})");
        errors.push(FieldError::invalid(at.child("handSize"), hand, &why));
    }
}
