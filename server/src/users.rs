//! Who asks: tokens and client certificates, and the kubeconfig that holds them.

use std::collections::BTreeMap;

use sandbar_core::{api::base64, client::User};

use crate::certs::{Authority, Signed};

/// Bearer tokens that the endpoint itself knows, and whose they are.
#[derive(Clone, Debug, Default)]
pub struct Tokens(BTreeMap<String, User>);

impl Tokens {
    /// With a token for an administrator.
    pub fn new(admin: &str) -> Self {
        let user = User::new(ADMIN, ["system:masters"]);
        Tokens([(admin.to_owned(), user)].into())
    }

    /// Whose a token is.
    pub fn find(&self, token: &str) -> Option<&User> {
        self.0.get(token)
    }
}

/// The administrator's name, as minikube has it.
pub const ADMIN: &str = "minikube-user";

/// A kubeconfig with two users of the same rights: one with a certificate, one with a token.
pub fn kubeconfig(
    server: &str,
    cluster: &str,
    authority: &Authority,
    client: &Signed,
    token: &str,
) -> String {
    let data = |pem: &str| base64::encode(pem.as_bytes());
    format!(
        "apiVersion: v1\nkind: Config\nclusters:\n- name: {cluster}\n  cluster:\n    \
         certificate-authority-data: {}\n    server: {server}\ncontexts:\n- name: {cluster}\n  \
         context:\n    cluster: {cluster}\n    user: {cluster}\n- name: {cluster}-token\n  context:\n    \
         cluster: {cluster}\n    user: {cluster}-token\ncurrent-context: {cluster}\nusers:\n- name: \
         {cluster}\n  user:\n    client-certificate-data: {}\n    client-key-data: {}\n- name: \
         {cluster}-token\n  user:\n    token: {token}\n",
        data(&authority.pem),
        data(&client.pem),
        data(&client.key_pem),
    )
}
