//! Bootstrap tokens: Secrets by which a machine that knows the token in them may join.
//!
//! Who reads one knows whether it is well formed, until when it is good and what it is good for;
//! what it allows is the API server's business.
//!
//! Models `k8s.io/cluster-bootstrap/util/{secrets,tokens}`.

use std::collections::BTreeMap;

use k8s_openapi::{
    ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use crate::sim::Time;

/// The type of such Secrets.
pub const TYPE: &str = "bootstrap.kubernetes.io/token";
/// The namespace in which they count.
pub const NAMESPACE: &str = "kube-system";
/// What their names begin with; the token's id follows.
pub const PREFIX: &str = "bootstrap-token-";
/// The group that kubeadm's tokens are in besides the one of all.
pub const KUBEADM_GROUP: &str = "system:bootstrappers:kubeadm:default-node-token";

const ID: usize = 6;
const SECRET: usize = 16;
const EXPIRATION: &str = "expiration";
const GROUPS: &str = "auth-extra-groups";

/// What such a Secret holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Six characters that are no secret.
    pub id: String,
    /// Sixteen that are.
    pub secret: String,
}

fn is_word(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

impl Token {
    /// Reads `abcdef.0123456789abcdef`.
    pub fn parse(text: &str) -> Option<Token> {
        let (id, secret) = text.split_once('.')?;
        let good = is_word(id, ID) && is_word(secret, SECRET);
        good.then(|| Token { id: id.into(), secret: secret.into() })
    }

    /// The token of a Secret whose name, type and content agree.
    pub fn of(secret: &Secret) -> Option<Token> {
        let name = secret.metadata.name.as_deref()?.strip_prefix(PREFIX)?;
        let id = value(secret, "token-id");
        let well_formed = secret.type_.as_deref() == Some(TYPE) && name == id;
        let token = Token::parse(&format!("{id}.{}", value(secret, "token-secret")))?;
        well_formed.then_some(token)
    }

    /// The Secret that kubeadm keeps it in. `until`: when it ends to be good.
    pub fn to_secret(&self, until: Option<Time>) -> Secret {
        let mut data: BTreeMap<String, String> = [
            (GROUPS, KUBEADM_GROUP),
            ("token-id", &self.id),
            ("token-secret", &self.secret),
            ("usage-bootstrap-authentication", "true"),
            ("usage-bootstrap-signing", "true"),
        ]
        .map(|(key, text)| (key.to_string(), text.to_string()))
        .into();
        if let Some(until) = until {
            data.insert(EXPIRATION.into(), until.to_meta().0.to_string());
        }
        let bytes = |(key, text): (String, String)| (key, ByteString(text.into_bytes()));
        Secret {
            metadata: ObjectMeta {
                name: Some(format!("{PREFIX}{}", self.id)),
                namespace: Some(NAMESPACE.into()),
                ..ObjectMeta::default()
            },
            type_: Some(TYPE.into()),
            data: Some(data.into_iter().map(bytes).collect()),
            ..Secret::default()
        }
    }
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.id, self.secret)
    }
}

fn value<'a>(secret: &'a Secret, key: &str) -> &'a str {
    let bytes = secret.data.as_ref().and_then(|data| data.get(key));
    bytes.and_then(|b| std::str::from_utf8(&b.0).ok()).unwrap_or_default()
}

/// Until when a Secret's token is good; `None` for one that is good for ever. What can't be read
/// is long past.
pub fn end(secret: &Secret) -> Option<Time> {
    let text = value(secret, EXPIRATION);
    (!text.is_empty()).then(|| Time::parse(text).unwrap_or_default())
}

/// Whether a Secret's token may be used for `signing` or `authentication` at a time.
pub fn allows(secret: &Secret, what: &str, now: Time) -> bool {
    value(secret, &format!("usage-bootstrap-{what}")) == "true"
        && end(secret).is_none_or(|end| end > now)
}

/// The groups of whoever shows the token, besides `system:bootstrappers`; `None` where one may not
/// be given.
pub fn groups(secret: &Secret) -> Option<Vec<String>> {
    let text = value(secret, GROUPS);
    let given: Vec<String> = text.split(',').filter(|g| !g.is_empty()).map(String::from).collect();
    let good = |group: &String| {
        let rest = group.strip_prefix("system:bootstrappers:").unwrap_or_default();
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ":-".contains(c);
        let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        (1..=255).contains(&rest.len()) && rest.chars().all(inner) && rest.ends_with(edge)
    };
    given.iter().all(good).then_some(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_gives_back_the_token_that_made_it() {
        let token = Token::parse("abcdef.0123456789abcdef").unwrap();
        let noon = Time::parse("2026-11-21T12:00:00Z").unwrap();
        let mut secret = token.to_secret(Some(noon));
        assert_eq!(Token::of(&secret), Some(token));
        assert_eq!(end(&secret), Some(noon));
        assert!(allows(&secret, "signing", Time::parse("2026-11-21T11:59:59Z").unwrap()));
        assert!(!allows(&secret, "signing", noon));
        assert_eq!(groups(&secret), Some(vec![KUBEADM_GROUP.to_string()]));
        secret.metadata.name = Some("bootstrap-token-other1".into());
        assert_eq!(Token::of(&secret), None);
        for bad in ["", "abcdef", "abcdef.short", "ABCDEF.0123456789abcdef", "a.b.c"] {
            assert_eq!(Token::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn groups_that_may_not_be_given_make_a_token_worthless() {
        let token = Token::parse("abcdef.0123456789abcdef").unwrap();
        for (given, good) in [
            ("", true),
            ("system:bootstrappers:a,system:bootstrappers:b-c", true),
            ("system:masters", false),
            ("system:bootstrappers:a-", false),
        ] {
            let mut secret = token.to_secret(None);
            let data = secret.data.as_mut().unwrap();
            data.insert(GROUPS.into(), ByteString(given.as_bytes().to_vec()));
            assert_eq!(groups(&secret).is_some(), good, "{given}");
        }
    }
}
