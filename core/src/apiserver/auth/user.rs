//! Who somebody is to the API server.

use std::collections::BTreeMap;

use k8s_openapi::api::authentication::v1::UserInfo;

/// Members may do everything (`user.SystemPrivilegedGroup`).
pub const MASTERS: &str = "system:masters";
/// Everybody who showed who they are.
pub const AUTHENTICATED: &str = "system:authenticated";
/// Everybody who did not.
pub const UNAUTHENTICATED: &str = "system:unauthenticated";
/// The name of those who did not.
pub const ANONYMOUS: &str = "system:anonymous";
/// Kubelets.
pub const NODES: &str = "system:nodes";
/// What kubelets' names begin with.
pub const NODE_PREFIX: &str = "system:node:";
/// All service accounts.
pub const SERVICE_ACCOUNTS: &str = "system:serviceaccounts";
/// What service accounts' names begin with.
pub const SERVICE_ACCOUNT_PREFIX: &str = "system:serviceaccount:";

/// A user. Models `user.Info`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// `system:kube-scheduler`, `minikube-user` …
    pub name: String,
    /// `system:masters`, `system:nodes` …
    pub groups: Vec<String>,
    /// What tells users of the same name apart over time; may be empty.
    pub uid: String,
    /// What else is known: `authentication.kubernetes.io/pod-name` …
    pub extra: BTreeMap<String, Vec<String>>,
}

impl User {
    /// A user with nothing but a name and groups.
    pub fn new<S: Into<String>>(
        name: impl Into<String>,
        groups: impl IntoIterator<Item = S>,
    ) -> Self {
        let groups = groups.into_iter().map(Into::into).collect();
        User { name: name.into(), groups, ..Self::default() }
    }

    /// A service account, in the groups that it is in by being one.
    pub fn service_account(namespace: &str, name: &str) -> Self {
        let groups = [SERVICE_ACCOUNTS.to_string(), format!("{SERVICE_ACCOUNTS}:{namespace}")];
        User::new(format!("{SERVICE_ACCOUNT_PREFIX}{namespace}:{name}"), groups)
    }

    /// A kubelet.
    pub fn node(name: &str) -> Self {
        User::new(format!("{NODE_PREFIX}{name}"), [NODES])
    }

    /// Somebody who did not show who they are.
    pub fn anonymous() -> Self {
        User::new(ANONYMOUS, [UNAUTHENTICATED])
    }

    /// Whether they are in a group.
    pub fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|g| g == group)
    }

    /// Whether no rule can stop them.
    pub fn is_master(&self) -> bool {
        self.is_in(MASTERS)
    }

    /// The same user as one who showed who they are.
    pub fn authenticated(mut self) -> Self {
        if !self.is_in(AUTHENTICATED) && !self.is_in(UNAUTHENTICATED) {
            self.groups.push(AUTHENTICATED.into());
        }
        self
    }

    /// Namespace and name, if it is a service account.
    pub fn as_service_account(&self) -> Option<(&str, &str)> {
        self.name.strip_prefix(SERVICE_ACCOUNT_PREFIX)?.split_once(':')
    }

    /// The node, if it is a kubelet.
    pub fn as_node(&self) -> Option<&str> {
        self.is_in(NODES).then(|| self.name.strip_prefix(NODE_PREFIX)).flatten()
    }

    /// As reviews show it.
    pub fn info(&self) -> UserInfo {
        let some = |text: &String| (!text.is_empty()).then(|| text.clone());
        UserInfo {
            username: some(&self.name),
            uid: some(&self.uid),
            groups: (!self.groups.is_empty()).then(|| self.groups.clone()),
            extra: (!self.extra.is_empty()).then(|| self.extra.clone()),
        }
    }
}
