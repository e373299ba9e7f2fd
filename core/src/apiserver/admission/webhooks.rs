//! MutatingAdmissionWebhook and ValidatingAdmissionWebhook: which requests would go to a webhook, and
//! what becomes of them because none can answer here: its `failurePolicy` decides.
//!
//! Models `apiserver/pkg/admission/plugin/webhook/{generic,mutating,validating,predicates}`.

use k8s_openapi::{
    api::{
        admissionregistration::v1::{
            MutatingWebhookConfiguration, RuleWithOperations, ValidatingWebhookConfiguration,
            WebhookClientConfig,
        },
        core::v1::Namespace,
    },
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};

use super::Attributes;
use crate::{
    api::{Kind, Object, Status, Typed, selector::Selector},
    apiserver::webhooks::{Hook, PORT},
};

/// Kinds that webhooks are never asked about.
const EXEMPT: &[&str] = &[
    "mutatingadmissionpolicies",
    "mutatingadmissionpolicybindings",
    "mutatingwebhookconfigurations",
    "validatingadmissionpolicies",
    "validatingadmissionpolicybindings",
    "validatingwebhookconfigurations",
];

/// What both kinds of webhooks have.
struct Asked<'a> {
    name: &'a str,
    rules: &'a [RuleWithOperations],
    namespaces: Option<&'a LabelSelector>,
    objects: Option<&'a LabelSelector>,
    ignore: bool,
    seconds: i32,
    client: &'a WebhookClientConfig,
}

macro_rules! asked {
    ($hook:expr) => {
        Asked {
            name: &$hook.name,
            rules: $hook.rules.as_deref().unwrap_or_default(),
            namespaces: $hook.namespace_selector.as_ref(),
            objects: $hook.object_selector.as_ref(),
            ignore: $hook.failure_policy.as_deref() == Some("Ignore"),
            seconds: $hook.timeout_seconds.unwrap_or(10),
            client: &$hook.client_config,
        }
    };
}

fn operation(attributes: &Attributes) -> &'static str {
    if attributes.old.is_some() { "UPDATE" } else { "CREATE" }
}

/// Asks mutating webhooks. Errors: InternalError where one that has to answer does not.
pub fn mutate(attributes: &Attributes, object: &mut dyn Object) -> Result<(), Status> {
    ask_mutating(attributes, operation(attributes), object)
}

/// Asks validating webhooks. Errors: as [`mutate`].
pub fn validate(attributes: &Attributes, object: &dyn Object) -> Result<(), Status> {
    ask_validating(attributes, operation(attributes), object)
}

/// Asks all webhooks about a deletion. Errors: as [`mutate`].
pub fn delete(attributes: &Attributes, object: &dyn Object) -> Result<(), Status> {
    ask_mutating(attributes, "DELETE", object)?;
    ask_validating(attributes, "DELETE", object)
}

fn ask_mutating(
    attributes: &Attributes,
    operation: &str,
    object: &dyn Object,
) -> Result<(), Status> {
    for config in attributes.api.store().list(MutatingWebhookConfiguration::ID, None) {
        let own = config.downcast::<MutatingWebhookConfiguration>();
        for hook in own.and_then(|c| c.webhooks.as_ref()).into_iter().flatten() {
            ask(attributes, operation, object, &asked!(hook))?;
        }
    }
    Ok(())
}

fn ask_validating(
    attributes: &Attributes,
    operation: &str,
    object: &dyn Object,
) -> Result<(), Status> {
    for config in attributes.api.store().list(ValidatingWebhookConfiguration::ID, None) {
        let own = config.downcast::<ValidatingWebhookConfiguration>();
        for hook in own.and_then(|c| c.webhooks.as_ref()).into_iter().flatten() {
            ask(attributes, operation, object, &asked!(hook))?;
        }
    }
    Ok(())
}

fn ask(
    attributes: &Attributes,
    operation: &str,
    object: &dyn Object,
    hook: &Asked,
) -> Result<(), Status> {
    let kind = attributes.kind;
    let exempt = kind.group == "admissionregistration.k8s.io" && EXEMPT.contains(&&*kind.plural);
    if exempt || hook.ignore || !hook.rules.iter().any(|rule| is_about(rule, kind, operation)) {
        return Ok(());
    }
    if !selects(hook.objects, object.metadata().labels.as_ref())
        || !selects_namespace(attributes, hook.namespaces, object)
    {
        return Ok(());
    }
    let service = hook.client.service.clone().unwrap_or_default();
    let place = Hook {
        url: hook.client.url.clone(),
        service: (service.namespace, service.name, service.port.unwrap_or(PORT)),
        path: service.path.unwrap_or_default(),
    };
    let why = attributes.api.call_webhook(&place, hook.seconds);
    let name = hook.name;
    Err(Status::internal(format!("failed calling webhook {name:?}: failed to call webhook: {why}")))
}

fn has(list: &Option<Vec<String>>, wanted: &str) -> bool {
    list.iter().flatten().any(|item| item == "*" || item == wanted)
}

fn is_about(rule: &RuleWithOperations, kind: &Kind, operation: &str) -> bool {
    let scope = match rule.scope.as_deref() {
        Some("Namespaced") => kind.namespaced,
        Some("Cluster") => !kind.namespaced,
        _ => true,
    };
    let resource = rule
        .resources
        .iter()
        .flatten()
        .any(|r| matches!(r.as_str(), "*" | "*/*") || r.trim_end_matches("/*") == kind.plural);
    scope
        && resource
        && has(&rule.operations, operation)
        && has(&rule.api_groups, &kind.group)
        && has(&rule.api_versions, &kind.version)
}

fn selects(
    selector: Option<&LabelSelector>,
    labels: Option<&std::collections::BTreeMap<String, String>>,
) -> bool {
    let all = selector.is_none();
    all || Selector::from_label_selector(selector).is_ok_and(|s| s.matches(labels))
}

fn selects_namespace(
    attributes: &Attributes,
    selector: Option<&LabelSelector>,
    object: &dyn Object,
) -> bool {
    if attributes.kind.id == Namespace::ID {
        return selects(selector, object.metadata().labels.as_ref());
    }
    if !attributes.kind.namespaced {
        return true;
    }
    let namespace = attributes.api.store().get(Namespace::ID, "", object.namespace());
    selects(selector, namespace.as_ref().and_then(|n| n.metadata().labels.as_ref()))
}
