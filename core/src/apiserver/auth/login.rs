//! From what a client shows to who it is, and acting as somebody else.
//!
//! Models `staging/src/k8s.io/apiserver/pkg/authentication` and
//! `pkg/endpoints/filters/impersonation.go`.

use std::{collections::BTreeMap, rc::Rc, time::Duration};

use super::{
    Attributes, User, token,
    user::{ANONYMOUS, AUTHENTICATED, SERVICE_ACCOUNTS, UNAUTHENTICATED},
    x509,
};
use crate::{
    api::Status,
    apiserver::{ApiServer, RequestCx},
};

/// How long certificates are valid that a cluster's tools make, as minikube's are.
const THREE_YEARS: u64 = 26_280 * 3600;

/// What a client shows. Of several things the first that is understood counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// A client certificate in PEM form, whose key the client was found to hold.
    pub certificate: Option<String>,
    /// A bearer token.
    pub token: Option<String>,
}

/// Whom a client wants to act as (`--as`, `Impersonate-User` …).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Impersonation {
    /// `--as`; empty where nobody is meant.
    pub user: String,
    /// `--as-uid`.
    pub uid: String,
    /// `--as-group`.
    pub groups: Vec<String>,
    /// `--as-user-extra`.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl Impersonation {
    /// Whether nothing was asked for.
    pub fn is_empty(&self) -> bool {
        *self == Impersonation::default()
    }
}

impl ApiServer {
    /// Makes a token known, as a line of `--token-auth-file` does.
    pub fn add_static_token(&self, token: &str, user: User) {
        let user = Rc::new(user.authenticated());
        self.0.auth.static_tokens.borrow_mut().insert(token.to_string(), user);
    }

    /// The certificate of the authority that signs clients' certificates.
    pub fn authority(&self) -> String {
        x509::authority(&self.0.auth.key, self.0.auth.since)
    }

    /// A certificate by which somebody is known for three years, and a text in the form of its key.
    pub fn issue_certificate(&self, user: &User) -> (String, String) {
        let subject =
            x509::Subject { common_name: user.name.clone(), organizations: user.groups.clone() };
        let from = self.sim().now();
        x509::issue(&self.0.auth.key, &subject, from, from + Duration::from_secs(THREE_YEARS))
    }

    /// The certificate that a request asks for; `None` for what is no request.
    pub fn sign_certificate(&self, request: &str, seconds: u64) -> Option<String> {
        let request = x509::read_request(request)?;
        let from = self.sim().now();
        Some(x509::grant(&self.0.auth.key, &request, from, from + Duration::from_secs(seconds)))
    }

    /// Whose static token this is.
    pub(super) fn static_user(&self, token: &str) -> Option<User> {
        self.0.auth.static_tokens.borrow().get(token).map(|user| (**user).clone())
    }

    /// Who shows these. Nobody in particular where nothing is shown. Errors: Unauthorized for
    /// what is shown and not accepted.
    pub fn authenticate(&self, shown: &Credentials) -> Result<User, Status> {
        if let Some(user) = shown.certificate.as_deref().and_then(|c| self.by_certificate(c)) {
            return Ok(user.authenticated());
        }
        if let Some(text) = shown.token.as_deref().map(str::trim).filter(|t| !t.is_empty()) {
            if let Some(user) = self.static_user(text) {
                return Ok(user);
            }
            if let Ok(user) = token::authenticate(self, text, &[]) {
                return Ok(user.authenticated());
            }
            return self.bootstrap_user(text).ok_or_else(unauthorized);
        }
        if shown.certificate.is_some() { Err(unauthorized()) } else { Ok(User::anonymous()) }
    }

    fn by_certificate(&self, pem: &str) -> Option<User> {
        let found = x509::verify(&self.0.auth.key, pem, self.sim().now())?;
        let mut user = User::new(found.common_name, found.organizations);
        let id = format!("X509SHA256={}", found.fingerprint);
        user.extra.insert(token::CREDENTIAL_ID.into(), vec![id]);
        Some(user)
    }

    /// The user that a client acts as from now on. Errors: Forbidden where it may not,
    /// BadRequest where groups come without a name.
    pub fn impersonate(&self, cx: &RequestCx, wanted: &Impersonation) -> Result<User, Status> {
        if wanted.user.is_empty() {
            let text = "requested impersonation without impersonating a user";
            return Err(Status::internal(text));
        }
        let ask = |group: &str, resource: &str, sub: &str, namespace: &str, name: &str| {
            let attributes = Attributes {
                verb: "impersonate",
                group,
                resource,
                subresource: sub,
                namespace,
                name,
                path: "",
            };
            self.authorize(cx, &attributes)
        };
        const GROUP: &str = "authentication.k8s.io";
        let mut user = User::new(&wanted.user, wanted.groups.iter().cloned());
        user.uid.clone_from(&wanted.uid);
        user.extra.clone_from(&wanted.extra);
        match User::new(&wanted.user, Vec::<String>::new()).as_service_account() {
            Some((namespace, name)) => {
                ask("", "serviceaccounts", "", namespace, name)?;
                if wanted.groups.is_empty() {
                    user.groups =
                        vec![SERVICE_ACCOUNTS.into(), format!("{SERVICE_ACCOUNTS}:{namespace}")];
                }
            }
            None => ask("", "users", "", "", &wanted.user)?,
        }
        for group in &wanted.groups {
            ask("", "groups", "", "", group)?;
        }
        for (key, values) in &wanted.extra {
            for value in values {
                ask(GROUP, "userextras", key, "", value)?;
            }
        }
        if !wanted.uid.is_empty() {
            ask(GROUP, "uids", "", "", &wanted.uid)?;
        }
        let missing = |group: &str| !user.is_in(group);
        if wanted.user == ANONYMOUS {
            if missing(UNAUTHENTICATED) {
                user.groups.push(UNAUTHENTICATED.into());
            }
        } else if missing(AUTHENTICATED) && missing(UNAUTHENTICATED) {
            user.groups.push(AUTHENTICATED.into());
        }
        Ok(user)
    }

    /// A request of whoever shows these, as whom they want to be.
    pub fn login(
        &self,
        shown: &Credentials,
        wanted: &Impersonation,
        manager: &str,
    ) -> Result<RequestCx, Status> {
        let cx = RequestCx::new(self.authenticate(shown)?, manager);
        if wanted.is_empty() {
            return Ok(cx);
        }
        let user = self.impersonate(&cx, wanted)?;
        Ok(RequestCx::new(user, manager))
    }
}

fn unauthorized() -> Status {
    Status::new(401, "Unauthorized", "Unauthorized")
}
