//! Nobody gives away what they don't have: who writes a role must have all it allows (or may
//! `escalate`), who binds one as well (or may `bind` it).
//!
//! Models `pkg/registry/rbac/{role,clusterrole,rolebinding,clusterrolebinding}/policybased`.

use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef,
};

use super::{Attributes, rbac, rules};
use crate::{
    api::{Kind, Object, Status},
    apiserver::{ApiServer, RequestCx},
};

const GROUP: &str = "rbac.authorization.k8s.io";

/// Refuses a create or an update (`old`) of a role or a binding by which somebody would get more
/// than the user has. Errors: Forbidden.
pub fn check(
    api: &ApiServer,
    cx: &RequestCx,
    kind: &Kind,
    new: &dyn Object,
    old: Option<&dyn Object>,
) -> Result<(), Status> {
    if kind.group != GROUP || cx.trusted || cx.user.is_master() {
        return Ok(());
    }
    if let Some(rules) = rules_of(new) {
        let same = old.and_then(rules_of).is_some_and(|old| old == rules);
        let aggregated = aggregation(new).is_some();
        if same && aggregation(new) == old.and_then(aggregation)
            || may(api, cx, kind, "escalate", new)
        {
            return Ok(());
        }
        if aggregated {
            // Who can make a role that grows must have everything already.
            let all = PolicyRule {
                api_groups: Some(vec!["*".into()]),
                resources: Some(vec!["*".into()]),
                verbs: vec!["*".into()],
                ..PolicyRule::default()
            };
            let urls = PolicyRule {
                non_resource_urls: Some(vec!["*".into()]),
                verbs: vec!["*".into()],
                ..PolicyRule::default()
            };
            let why = |problem| {
                Status::forbidden(
                    kind,
                    new.name(),
                    &format!(
                        "must have cluster-admin privileges to use the aggregationRule: {problem}"
                    ),
                )
            };
            covered(api, cx, "", &[all, urls]).map_err(why)?;
        }
        return covered(api, cx, new.namespace(), rules)
            .map_err(|problem| Status::forbidden(kind, new.name(), &problem));
    }
    let Some((role, subjects)) = binding_of(new) else { return Ok(()) };
    if old.and_then(binding_of).is_some_and(|old| old == (role, subjects)) {
        return Ok(());
    }
    let resource = if role.kind == "Role" { "roles" } else { "clusterroles" };
    let bind = Attributes {
        verb: "bind",
        group: GROUP,
        resource,
        namespace: new.namespace(),
        name: &role.name,
        ..Attributes::default()
    };
    if api.decide(&cx.user, &bind).allowed {
        return Ok(());
    }
    let wanted = rbac::rules_of(api, role, new.namespace()).map_err(|problem| {
        let mut status = Status::new(404, "NotFound", problem);
        status.group = GROUP.into();
        status.kind = resource.into();
        status.name.clone_from(&role.name);
        status
    })?;
    covered(api, cx, new.namespace(), &wanted)
        .map_err(|problem| Status::forbidden(kind, new.name(), &problem))
}

fn may(api: &ApiServer, cx: &RequestCx, kind: &Kind, verb: &str, object: &dyn Object) -> bool {
    let attributes = Attributes::of(verb, kind, object.namespace(), object.name());
    api.decide(&cx.user, &attributes).allowed
}

fn rules_of(object: &dyn Object) -> Option<&[PolicyRule]> {
    let role = object.downcast::<Role>().map(|r| &r.rules);
    let rules = role.or_else(|| object.downcast::<ClusterRole>().map(|r| &r.rules))?;
    Some(rules.as_deref().unwrap_or_default())
}

fn aggregation(object: &dyn Object) -> Option<&k8s_openapi::api::rbac::v1::AggregationRule> {
    object.downcast::<ClusterRole>()?.aggregation_rule.as_ref()
}

type Subjects<'a> = Option<&'a [k8s_openapi::api::rbac::v1::Subject]>;

fn binding_of(object: &dyn Object) -> Option<(&RoleRef, Subjects<'_>)> {
    let local = object.downcast::<RoleBinding>().map(|b| (&b.role_ref, b.subjects.as_deref()));
    local.or_else(|| {
        object.downcast::<ClusterRoleBinding>().map(|b| (&b.role_ref, b.subjects.as_deref()))
    })
}

/// Whether the user has all of some rules. Models `ConfirmNoEscalation`.
fn covered(
    api: &ApiServer,
    cx: &RequestCx,
    namespace: &str,
    wanted: &[PolicyRule],
) -> Result<(), String> {
    let (own, problems) = rbac::rules_for(api, &cx.user, namespace);
    let missing = rules::uncovered(&own, wanted);
    if missing.is_empty() {
        return Ok(());
    }
    let mut shown: Vec<String> = rules::compact(missing).iter().map(rules::show).collect();
    shown.sort();
    let groups: Vec<String> = cx.user.groups.iter().map(|g| format!("{g:?}")).collect();
    let mut text = format!(
        "user {:?} (groups=[{}]) is attempting to grant RBAC permissions not currently held:\n{}",
        cx.user.name,
        groups.join(" "),
        shown.join("\n")
    );
    if !problems.is_empty() {
        text.push_str(&format!("; resolution errors: [{}]", problems.join(", ")));
    }
    Err(text)
}
