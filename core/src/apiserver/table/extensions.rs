//! The tables of what extends or guards the API: webhooks, admission policies, API services, flow
//! control, and of the cluster's components.
//!
//! Models `printMutatingWebhook` and its neighbours, and `kube-aggregator/pkg/registry/apiservice`.

use k8s_openapi::{
    api::{
        admissionregistration::v1::{
            MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding, MutatingWebhookConfiguration,
            ParamKind, ParamRef, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
            ValidatingWebhookConfiguration,
        },
        core::v1::ComponentStatus,
        flowcontrol::v1::{FlowSchema, PriorityLevelConfiguration},
        networking::v1::{IPAddress, ServiceCIDR},
        node::v1::RuntimeClass,
        resource::v1::{ResourceClaim, ResourceSlice},
    },
    kube_aggregator::pkg::apis::apiregistration::v1::APIService,
};

use super::{Column, Printer, age, col};
use crate::api::{gofmt, meta::is_deleting, object::to_value};

const UNSET: &str = "<unset>";
const WEBHOOKS: &[Column] = &[col("Name"), col("Webhooks"), col("Age")];
const BINDING: &[Column] = &[col("Name"), col("PolicyName"), col("ParamRef"), col("Age")];

/// MutatingWebhookConfigurations.
pub const MUTATING_WEBHOOK: Printer = Printer {
    columns: WEBHOOKS,
    row: |cx, object| {
        let own = object.downcast::<MutatingWebhookConfiguration>();
        let count = own.and_then(|c| c.webhooks.as_ref()).map_or(0, Vec::len);
        vec![object.name().to_string(), count.to_string(), age(cx, object)]
    },
};

/// ValidatingWebhookConfigurations.
pub const VALIDATING_WEBHOOK: Printer = Printer {
    columns: WEBHOOKS,
    row: |cx, object| {
        let own = object.downcast::<ValidatingWebhookConfiguration>();
        let count = own.and_then(|c| c.webhooks.as_ref()).map_or(0, Vec::len);
        vec![object.name().to_string(), count.to_string(), age(cx, object)]
    },
};

fn param_kind(kind: Option<&ParamKind>) -> String {
    let text = |t: &Option<String>| t.clone().unwrap_or_default();
    kind.map_or(UNSET.into(), |k| format!("{}/{}", text(&k.api_version), text(&k.kind)))
}

fn param_ref(param: Option<&ParamRef>) -> String {
    let Some(param) = param else { return UNSET.into() };
    let name = param.name.clone().unwrap_or_default();
    let namespace = param.namespace.clone().filter(|n| !n.is_empty());
    match (&param.selector, name.is_empty()) {
        (_, false) => format!("{}/{name}", namespace.unwrap_or_else(|| "*".into())),
        (Some(selector), true) => gofmt::value(&to_value(selector)),
        (None, true) => UNSET.into(),
    }
}

/// ValidatingAdmissionPolicies.
pub const VALIDATING_POLICY: Printer = Printer {
    columns: &[col("Name"), col("Validations"), col("ParamKind"), col("Age")],
    row: |cx, object| {
        let own = object.downcast::<ValidatingAdmissionPolicy>().and_then(|p| p.spec.as_ref());
        let count = own.and_then(|s| s.validations.as_ref()).map_or(0, Vec::len);
        let kind = param_kind(own.and_then(|s| s.param_kind.as_ref()));
        vec![object.name().to_string(), count.to_string(), kind, age(cx, object)]
    },
};

/// ValidatingAdmissionPolicyBindings.
pub const VALIDATING_BINDING: Printer = Printer {
    columns: BINDING,
    row: |cx, object| {
        let own = object.downcast::<ValidatingAdmissionPolicyBinding>().map(|p| &p.spec);
        let policy = own.map(|s| s.policy_name.clone()).unwrap_or_default();
        let param = param_ref(own.and_then(|s| s.param_ref.as_ref()));
        vec![object.name().to_string(), policy, param, age(cx, object)]
    },
};

/// MutatingAdmissionPolicies.
pub const MUTATING_POLICY: Printer = Printer {
    columns: &[col("Name"), col("Mutations"), col("ParamKind"), col("Age")],
    row: |cx, object| {
        let own = object.downcast::<MutatingAdmissionPolicy>().and_then(|p| p.spec.as_ref());
        let count = own.and_then(|s| s.mutations.as_ref()).map_or(0, Vec::len);
        let kind = param_kind(own.and_then(|s| s.param_kind.as_ref()));
        vec![object.name().to_string(), count.to_string(), kind, age(cx, object)]
    },
};

/// MutatingAdmissionPolicyBindings.
pub const MUTATING_BINDING: Printer = Printer {
    columns: BINDING,
    row: |cx, object| {
        let own = object.downcast::<MutatingAdmissionPolicyBinding>();
        let own = own.and_then(|p| p.spec.as_ref());
        let policy = own.and_then(|s| s.policy_name.clone()).unwrap_or_default();
        let param = param_ref(own.and_then(|s| s.param_ref.as_ref()));
        vec![object.name().to_string(), policy, param, age(cx, object)]
    },
};

/// APIServices.
pub const API_SERVICE: Printer = Printer {
    columns: &[col("Name"), col("Service"), col("Available"), col("Age")],
    row: |cx, object| {
        let Some(service) = object.downcast::<APIService>() else { return Vec::new() };
        let place = service.spec.as_ref().and_then(|s| s.service.as_ref());
        let text = |t: &Option<String>| t.clone().unwrap_or_default();
        let place =
            place.map_or("Local".into(), |s| format!("{}/{}", text(&s.namespace), text(&s.name)));
        let conditions = service.status.as_ref().and_then(|s| s.conditions.as_ref());
        let found = conditions.into_iter().flatten().find(|c| c.type_ == "Available");
        let available = match found {
            Some(c) if c.status == "True" => "True".to_string(),
            Some(c) => format!("{} ({})", c.status, text(&c.reason)),
            None => "Unknown".into(),
        };
        vec![object.name().to_string(), place, available, age(cx, object)]
    },
};

/// FlowSchemas.
pub const FLOW_SCHEMA: Printer = Printer {
    columns: &[
        col("Name"),
        col("PriorityLevel"),
        col("MatchingPrecedence"),
        col("DistinguisherMethod"),
        col("Age"),
        col("MissingPL"),
    ],
    row: |cx, object| {
        let Some(schema) = object.downcast::<FlowSchema>() else { return Vec::new() };
        let none = Default::default();
        let spec = schema.spec.as_ref().unwrap_or(&none);
        let method = spec.distinguisher_method.as_ref().map(|m| m.type_.clone());
        let conditions = schema.status.as_ref().and_then(|s| s.conditions.as_ref());
        let mut all = conditions.into_iter().flatten();
        let dangling = all.find(|c| c.type_.as_deref() == Some("Dangling"));
        vec![
            object.name().to_string(),
            spec.priority_level_configuration.name.clone(),
            spec.matching_precedence.unwrap_or(0).to_string(),
            method.unwrap_or_else(|| "<none>".into()),
            age(cx, object),
            dangling.and_then(|c| c.status.clone()).unwrap_or_else(|| "?".into()),
        ]
    },
};

/// PriorityLevelConfigurations.
pub const PRIORITY_LEVEL: Printer = Printer {
    columns: &[
        col("Name"),
        col("Type"),
        col("NominalConcurrencyShares"),
        col("Queues"),
        col("HandSize"),
        col("QueueLengthLimit"),
        col("Age"),
    ],
    row: |cx, object| {
        let Some(level) = object.downcast::<PriorityLevelConfiguration>() else {
            return Vec::new();
        };
        let none = Default::default();
        let spec = level.spec.as_ref().unwrap_or(&none);
        let limited = spec.limited.as_ref();
        let queuing = limited.and_then(|l| l.limit_response.as_ref()?.queuing.as_ref());
        let number = |n: Option<i32>| n.map_or("<none>".into(), |n| n.to_string());
        vec![
            object.name().to_string(),
            spec.type_.clone(),
            number(limited.map(|l| l.nominal_concurrency_shares.unwrap_or(0))),
            number(queuing.map(|q| q.queues.unwrap_or(0))),
            number(queuing.map(|q| q.hand_size.unwrap_or(0))),
            number(queuing.map(|q| q.queue_length_limit.unwrap_or(0))),
            age(cx, object),
        ]
    },
};

/// ComponentStatuses.
pub const COMPONENT: Printer = Printer {
    columns: &[col("Name"), col("Status"), col("Message"), col("Error")],
    row: |_, object| {
        let own = object.downcast::<ComponentStatus>().and_then(|c| c.conditions.as_ref());
        let found = own.into_iter().flatten().find(|c| c.type_ == "Healthy");
        let status = found.map_or("Unknown", |c| match c.status.as_str() {
            "True" => "Healthy",
            _ => "Unhealthy",
        });
        let text = |t: Option<String>| t.unwrap_or_default();
        let message = text(found.and_then(|c| c.message.clone()));
        let error = text(found.and_then(|c| c.error.clone()));
        vec![object.name().to_string(), status.to_string(), message, error]
    },
};

/// IPAddresses.
pub const IP_ADDRESS: Printer = Printer {
    columns: &[col("Name"), col("ParentRef")],
    row: |_, object| {
        let Some(address) = object.downcast::<IPAddress>() else { return Vec::new() };
        let p = &address.spec.parent_ref;
        let dot = p.group.as_ref().filter(|g| !g.is_empty());
        let dot = dot.map_or(String::new(), |g| format!(".{g}"));
        let namespace = p.namespace.as_ref().filter(|n| !n.is_empty());
        let namespace = namespace.map_or(String::new(), |n| format!("{n}/"));
        let text = format!("{}{dot}/{namespace}{}", p.resource, p.name);
        vec![object.name().to_string(), text]
    },
};

/// ServiceCIDRs.
pub const SERVICE_CIDR: Printer = Printer {
    columns: &[col("Name"), col("CIDRs"), col("Age")],
    row: |cx, object| {
        let own = object.downcast::<ServiceCIDR>().and_then(|c| c.spec.as_ref());
        let cidrs = own.and_then(|s| s.cidrs.clone()).unwrap_or_default().join(",");
        vec![object.name().to_string(), cidrs, age(cx, object)]
    },
};

/// RuntimeClasses.
pub const RUNTIME_CLASS: Printer = Printer {
    columns: &[col("Name"), col("Handler"), col("Age")],
    row: |cx, object| {
        let handler = object.downcast::<RuntimeClass>().map(|c| c.handler.clone());
        vec![object.name().to_string(), handler.unwrap_or_default(), age(cx, object)]
    },
};

/// ResourceClaims.
pub const CLAIM: Printer = Printer {
    columns: &[col("Name"), col("State"), col("Age")],
    row: |cx, object| {
        let Some(claim) = object.downcast::<ResourceClaim>() else { return Vec::new() };
        let status = claim.status.as_ref();
        let deleted = is_deleting(&claim.metadata);
        let mut states = Vec::new();
        if deleted {
            states.push("deleted");
        }
        if status.is_some_and(|s| s.allocation.is_some()) {
            states.push("allocated");
            if status.is_some_and(|s| s.reserved_for.as_ref().is_some_and(|r| !r.is_empty())) {
                states.push("reserved");
            }
        } else if !deleted {
            states.push("pending");
        }
        vec![object.name().to_string(), states.join(","), age(cx, object)]
    },
};

/// ResourceSlices.
pub const SLICE: Printer = Printer {
    columns: &[col("Name"), col("Node"), col("Driver"), col("Pool"), col("Age")],
    row: |cx, object| {
        let Some(slice) = object.downcast::<ResourceSlice>() else { return Vec::new() };
        vec![
            object.name().to_string(),
            slice.spec.node_name.clone().unwrap_or_default(),
            slice.spec.driver.clone(),
            slice.spec.pool.name.clone(),
            age(cx, object),
        ]
    },
};
