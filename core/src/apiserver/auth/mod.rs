//! Who asks, and whether they may: authentication, authorisation, tokens, reviews.
//!
//! - [`User`]: who somebody is to the API server.
//! - [`login`]: from a token or a certificate to a user; acting as somebody else.
//! - [`rbac`]: what roles and bindings allow. [`node`]: what kubelets may besides.
//! - [`policy`]: the roles and bindings that every cluster has.
//! - [`escalation`]: nobody gives away what they don't have.
//! - [`reviews`]: the kinds that are questions (`SubjectAccessReview` …).
//! - [`token`]: service accounts' tokens. [`bootstrap`]: joining machines'. [`x509`]: certificates.
//!
//! Invariant: every request of a client or of the HTTP entry passes [`ApiServer::authorize`] once.
//! Components of the system run inside the simulation's own process and are trusted: their requests
//! carry their real user and skip the rules, as the rules of a fresh cluster let them do all they do.
//!
//! Models `staging/src/k8s.io/apiserver/pkg/authorization` and `pkg/kubeapiserver/authorizer`.

pub mod bootstrap;
pub mod escalation;
pub mod login;
pub mod node;
pub mod policy;
pub mod rbac;
pub mod reviews;
pub mod rules;
pub mod token;
pub mod user;
pub mod x509;

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use super::{ApiServer, RequestCx};
use crate::{
    api::{Kind, Status, Typed},
    sim::{Sim, Time},
    store::{IndexId, Store},
};
use k8s_openapi::api::core::v1::Namespace;
pub use login::{Credentials, Impersonation};
pub use user::User;

/// What the rooms of `auth` keep besides what the store holds.
pub(crate) struct State {
    /// Cluster role bindings by subject.
    pub cluster_bindings: IndexId,
    /// Role bindings by namespace and subject.
    pub bindings: IndexId,
    /// Pods by node, for the node authoriser.
    pub pods_by_node: IndexId,
    /// Tokens that are known from the start, as those of `--token-auth-file`.
    pub static_tokens: RefCell<BTreeMap<String, Rc<User>>>,
    /// When the server first started: from then on its authority's certificate is valid.
    pub since: Time,
    /// What service account tokens and certificates are signed with.
    pub key: [u8; 32],
}

impl State {
    /// For a new server.
    pub fn new(sim: &Sim, store: &Store) -> Self {
        let (cluster_bindings, bindings) = rbac::indexes(store);
        State {
            cluster_bindings,
            bindings,
            pods_by_node: node::index(store),
            static_tokens: RefCell::default(),
            since: sim.now(),
            key: token::signing_key(sim),
        }
    }
}

/// What somebody wants to do. Models `authorizer.Attributes`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes<'a> {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection` …
    pub verb: &'a str,
    /// API group; empty for the core group.
    pub group: &'a str,
    /// Plural; empty for a path that is no resource.
    pub resource: &'a str,
    /// `log`, `status` …, or empty.
    pub subresource: &'a str,
    /// Namespace; empty at the cluster scope.
    pub namespace: &'a str,
    /// The object's name; empty for lists and creates.
    pub name: &'a str,
    /// `/healthz`, where no resource is meant.
    pub path: &'a str,
}

impl<'a> Attributes<'a> {
    /// A verb on objects of a kind. `namespace` and `name` may be empty.
    pub fn of(verb: &'a str, kind: &'a Kind, namespace: &'a str, name: &'a str) -> Self {
        // One namespace is in itself, for those who may do things in it only.
        let namespace = match kind.namespaced {
            true => namespace,
            false if kind.id == Namespace::ID => name,
            false => "",
        };
        let (group, resource) = (&*kind.group, &*kind.plural);
        Attributes { verb, group, resource, namespace, name, ..Self::default() }
    }

    /// The same of a subresource.
    pub fn of_subresource(mut self, subresource: &'a str) -> Self {
        self.subresource = subresource;
        self
    }

    /// A verb (a method in small letters) on a path.
    pub fn of_path(verb: &'a str, path: &'a str) -> Self {
        Attributes { verb, path, ..Self::default() }
    }

    /// Whether a resource is meant, and not a path.
    pub fn is_resource(&self) -> bool {
        self.path.is_empty()
    }

    /// `pods/log`, as rules name it.
    pub fn full_resource(&self) -> String {
        match self.subresource {
            "" => self.resource.to_string(),
            sub => format!("{}/{sub}", self.resource),
        }
    }
}

/// What the authorisers make of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// Whether it is allowed.
    pub allowed: bool,
    /// Why, as reviews and errors say; may be empty.
    pub reason: String,
    /// What was wrong with the rules themselves, as reviews say; may be empty.
    pub error: String,
}

impl ApiServer {
    /// Whether the request's user may do this. Errors: Forbidden, worded as upstream's
    /// `responsewriters.Forbidden`.
    pub fn authorize(&self, cx: &RequestCx, attributes: &Attributes) -> Result<(), Status> {
        if cx.trusted || cx.user.is_master() {
            return Ok(());
        }
        let decision = self.decide(&cx.user, attributes);
        if decision.allowed {
            Ok(())
        } else {
            Err(forbidden(&cx.user, attributes, &decision.reason))
        }
    }

    /// What the authorisers say about somebody's wish.
    pub fn decide(&self, user: &User, attributes: &Attributes) -> Decision {
        if user.is_master() {
            return Decision { allowed: true, ..Decision::default() };
        }
        let node = node::decide(self, user, attributes);
        if node.allowed {
            return node;
        }
        let mut decision = rbac::decide(self, user, attributes);
        if !decision.allowed && !node.reason.is_empty() {
            decision.reason = node.reason;
        }
        decision
    }
}

/// Models `forbiddenMessage`.
fn forbidden(user: &User, attributes: &Attributes, reason: &str) -> Status {
    let Attributes { verb, group, resource, namespace, name, path, .. } = *attributes;
    let who = &user.name;
    let mut why = if !attributes.is_resource() {
        format!("User {who:?} cannot {verb} path {path:?}")
    } else {
        let full = attributes.full_resource();
        let place = match namespace {
            "" => "at the cluster scope".to_string(),
            ns => format!("in the namespace {ns:?}"),
        };
        format!("User {who:?} cannot {verb} resource {full:?} in API group {group:?} {place}")
    };
    if !reason.is_empty() {
        why = format!("{why}: {reason}");
    }
    let qualified =
        if group.is_empty() { resource.to_string() } else { format!("{resource}.{group}") };
    let message = match (attributes.is_resource(), name) {
        (false, _) => format!("forbidden: {why}"),
        (true, "") => format!("{qualified} is forbidden: {why}"),
        (true, name) => format!("{qualified} {name:?} is forbidden: {why}"),
    };
    let mut status = Status::new(403, "Forbidden", message);
    status.group = group.to_string();
    status.kind = resource.to_string();
    status.name = name.to_string();
    status
}

#[cfg(test)]
mod tests;
