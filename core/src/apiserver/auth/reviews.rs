//! The kinds that are questions: they are sent back with their answer, and nothing is stored.
//!
//! Models `pkg/registry/authorization`, `pkg/registry/authentication` and
//! `pkg/apis/authorization/validation`.

use k8s_openapi::api::{
    authentication::v1::{
        SelfSubjectReview, SelfSubjectReviewStatus, TokenReview, TokenReviewStatus,
    },
    authorization::v1::{
        LocalSubjectAccessReview, NonResourceAttributes, NonResourceRule, ResourceAttributes,
        ResourceRule, SelfSubjectAccessReview, SelfSubjectRulesReview, SubjectAccessReview,
        SubjectAccessReviewSpec, SubjectAccessReviewStatus, SubjectRulesReviewStatus,
    },
};

use super::{Attributes, User, rbac, token};
use crate::{
    api::{FieldError, Status},
    apiserver::{
        ApiServer,
        strategy::{Strategy, StrategyCx},
    },
};

/// `SubjectAccessReview`: may somebody do something?
pub struct SubjectAccess;
/// `LocalSubjectAccessReview`: may somebody do something in this namespace?
pub struct LocalSubjectAccess;
/// `SelfSubjectAccessReview`: may I?
pub struct SelfSubjectAccess;
/// `SelfSubjectRulesReview`: what may I?
pub struct SelfSubjectRules;
/// `SelfSubjectReview`: who am I?
pub struct SelfSubject;
/// `TokenReview`: whose token is this?
pub struct TokenReviews;

fn text(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or_default()
}

fn wish<'a>(
    resource: Option<&'a ResourceAttributes>,
    path: Option<&'a NonResourceAttributes>,
) -> Attributes<'a> {
    match (resource, path) {
        (Some(r), _) => Attributes {
            verb: text(&r.verb),
            group: text(&r.group),
            resource: text(&r.resource),
            subresource: text(&r.subresource),
            namespace: text(&r.namespace),
            name: text(&r.name),
            path: "",
        },
        (None, Some(p)) => Attributes::of_path(text(&p.verb), text(&p.path)),
        (None, None) => Attributes::default(),
    }
}

fn answer(api: &ApiServer, user: &User, wish: &Attributes) -> SubjectAccessReviewStatus {
    let decision = api.decide(user, wish);
    let some = |text: String| (!text.is_empty()).then_some(text);
    SubjectAccessReviewStatus {
        allowed: decision.allowed,
        denied: None,
        evaluation_error: some(decision.error),
        reason: some(decision.reason),
    }
}

/// Exactly one of the two may be asked about.
fn one_wish(resource: bool, path: bool, errors: &mut Vec<FieldError>) {
    let at = "spec.resourceAttributes";
    if resource && path {
        let why = "cannot be specified in combination with resourceAttributes";
        errors.push(FieldError::invalid_str("spec.nonResourceAttributes", "", why));
    } else if !resource && !path {
        let why = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
        errors.push(FieldError::invalid(at, "null", why));
    }
}

fn subject(spec: &SubjectAccessReviewSpec) -> User {
    User {
        name: text(&spec.user).into(),
        groups: spec.groups.clone().unwrap_or_default(),
        uid: text(&spec.uid).into(),
        extra: spec.extra.clone().unwrap_or_default(),
    }
}

fn check(spec: &SubjectAccessReviewSpec) -> Vec<FieldError> {
    let mut errors = Vec::new();
    one_wish(
        spec.resource_attributes.is_some(),
        spec.non_resource_attributes.is_some(),
        &mut errors,
    );
    if text(&spec.user).is_empty() && spec.groups.as_ref().is_none_or(Vec::is_empty) {
        let why = "at least one of user or group must be specified";
        errors.push(FieldError::invalid_str("spec.user", "", why));
    }
    errors
}

fn review(api: &ApiServer, spec: &SubjectAccessReviewSpec) -> SubjectAccessReviewStatus {
    let wish = wish(spec.resource_attributes.as_ref(), spec.non_resource_attributes.as_ref());
    answer(api, &subject(spec), &wish)
}

impl Strategy for SubjectAccess {
    type Object = SubjectAccessReview;

    fn validate(&self, _: &StrategyCx, review: &SubjectAccessReview) -> Vec<FieldError> {
        check(&review.spec)
    }

    fn answer(
        &self,
        cx: &StrategyCx,
        object: &mut SubjectAccessReview,
    ) -> Option<Result<(), Status>> {
        object.status = Some(review(cx.api, &object.spec));
        Some(Ok(()))
    }
}

impl Strategy for LocalSubjectAccess {
    type Object = LocalSubjectAccessReview;

    fn validate(&self, _: &StrategyCx, review: &LocalSubjectAccessReview) -> Vec<FieldError> {
        let mut errors = check(&review.spec);
        let own = text(&review.metadata.namespace);
        let wanted = review.spec.resource_attributes.as_ref().map(|r| text(&r.namespace));
        if let Some(wanted) = wanted.filter(|w| *w != own) {
            let field = "spec.resourceAttributes.namespace";
            let why = "must match metadata.namespace";
            errors.push(FieldError::invalid_str(field, wanted, why));
        }
        if review.spec.non_resource_attributes.is_some() {
            let why = "disallowed on this kind of request";
            errors.push(FieldError::invalid_str("spec.nonResourceAttributes", "", why));
        }
        errors
    }

    fn answer(
        &self,
        cx: &StrategyCx,
        object: &mut LocalSubjectAccessReview,
    ) -> Option<Result<(), Status>> {
        object.status = Some(review(cx.api, &object.spec));
        Some(Ok(()))
    }
}

impl Strategy for SelfSubjectAccess {
    type Object = SelfSubjectAccessReview;

    fn validate(&self, _: &StrategyCx, review: &SelfSubjectAccessReview) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let spec = &review.spec;
        let path = spec.non_resource_attributes.is_some();
        one_wish(spec.resource_attributes.is_some(), path, &mut errors);
        errors
    }

    fn answer(
        &self,
        cx: &StrategyCx,
        object: &mut SelfSubjectAccessReview,
    ) -> Option<Result<(), Status>> {
        let spec = &object.spec;
        let wish = wish(spec.resource_attributes.as_ref(), spec.non_resource_attributes.as_ref());
        object.status = Some(answer(cx.api, &cx.request.user, &wish));
        Some(Ok(()))
    }
}

impl Strategy for SelfSubjectRules {
    type Object = SelfSubjectRulesReview;

    fn answer(
        &self,
        cx: &StrategyCx,
        object: &mut SelfSubjectRulesReview,
    ) -> Option<Result<(), Status>> {
        let namespace = text(&object.spec.namespace);
        if namespace.is_empty() {
            return Some(Err(Status::bad_request("no namespace on request")));
        }
        let user = &cx.request.user;
        let (rules, mut problems) = rbac::rules_for(cx.api, user, namespace);
        if user.as_node().is_some() {
            problems.push("node authorizer does not support user rule resolution".into());
        }
        let mut status = SubjectRulesReviewStatus {
            incomplete: !problems.is_empty(),
            evaluation_error: (!problems.is_empty()).then(|| problems.join(", ")),
            ..Default::default()
        };
        for rule in rules {
            let urls = rule.non_resource_urls.clone().filter(|u| !u.is_empty());
            if rule.resources.as_ref().is_some_and(|r| !r.is_empty()) {
                status.resource_rules.push(ResourceRule {
                    api_groups: rule.api_groups,
                    resource_names: rule.resource_names,
                    resources: rule.resources,
                    verbs: rule.verbs.clone(),
                });
            }
            if urls.is_some() {
                let rule = NonResourceRule { non_resource_urls: urls, verbs: rule.verbs };
                status.non_resource_rules.push(rule);
            }
        }
        object.status = Some(status);
        Some(Ok(()))
    }
}

impl Strategy for SelfSubject {
    type Object = SelfSubjectReview;

    fn answer(
        &self,
        cx: &StrategyCx,
        object: &mut SelfSubjectReview,
    ) -> Option<Result<(), Status>> {
        object.metadata.creation_timestamp = Some(cx.now.to_meta());
        let user_info = Some(cx.request.user.info());
        object.status = Some(SelfSubjectReviewStatus { user_info });
        Some(Ok(()))
    }
}

impl Strategy for TokenReviews {
    type Object = TokenReview;

    fn answer(&self, cx: &StrategyCx, object: &mut TokenReview) -> Option<Result<(), Status>> {
        if object.spec.token.is_empty() {
            let why = "token is required for TokenReview in authentication";
            return Some(Err(Status::bad_request(why)));
        }
        let audiences = object.spec.audiences.clone().unwrap_or_default();
        let shown = &object.spec.token;
        let known = cx.api.static_user(shown).or_else(|| cx.api.bootstrap_user(shown)).map(Ok);
        let found = known.unwrap_or_else(|| token::authenticate(cx.api, shown, &audiences));
        object.status = Some(match found {
            Ok(user) => TokenReviewStatus {
                authenticated: Some(true),
                audiences: Some(match audiences.is_empty() {
                    true => vec![token::ISSUER.into()],
                    false => audiences,
                }),
                user: Some(user.authenticated().info()),
                error: None,
            },
            Err(error) => TokenReviewStatus { error: Some(error), ..Default::default() },
        });
        Some(Ok(()))
    }
}
