//! Service accounts' tokens: JSON web tokens that expire, bound to a pod, a secret or a node.
//!
//! They are signed with a key of the server's own by HMAC with SHA-256 (`HS256`), where a real
//! cluster uses RSA; everything else in them is as there. A token is worth nothing once it has
//! expired, or its account or what it is bound to is gone.
//!
//! Models `pkg/serviceaccount` and `pkg/registry/core/serviceaccount/storage/token.go`.

use std::time::Duration;

use k8s_openapi::api::{
    authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestStatus},
    core::v1::{Node, Pod, Secret, ServiceAccount},
};
use serde_json::{Map, Value, json};

use super::User;
use crate::{
    api::{FieldError, Status, Typed, base64},
    apiserver::ApiServer,
    sim::{
        Sim,
        digest::{hmac_sha256, sha256_bytes},
    },
};

/// Who issues tokens, and for whom they are unless they say so (`--service-account-issuer`).
pub const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
const LEGACY_ISSUER: &str = "kubernetes/serviceaccount";
/// Under which key a user's record says by what they were known.
pub const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";
/// How long a token is valid if nothing is said, and the shortest and longest that may be asked for.
const DEFAULT_SECONDS: i64 = 3600;
const SHORTEST: i64 = 600;
const LONGEST: i64 = 1 << 32;
/// What pods are given: such a token is good for a year and only warned about after an hour.
const POD_SECONDS: i64 = 3607;
const YEAR: i64 = 365 * 24 * 3600;
/// Longest token that is looked at.
const MAX_TOKEN: usize = 16 << 10;

/// The key of a new server. It follows from its start, so that equal runs have equal tokens, and
/// draws nothing from the simulation's randomness.
pub fn signing_key(sim: &Sim) -> [u8; 32] {
    sha256_bytes(format!("sandbar signing key {}", sim.now().as_micros()).as_bytes())
}

impl ApiServer {
    /// Makes a token for a service account. Errors: NotFound, Invalid, BadRequest, Conflict.
    pub fn create_token(
        &self,
        namespace: &str,
        account: &str,
        mut request: TokenRequest,
    ) -> Result<TokenRequest, Status> {
        self.count_request();
        let found = self.get(ServiceAccount::ID, namespace, account)?;
        let spec = request.spec.get_or_insert_default();
        let seconds = *spec.expiration_seconds.get_or_insert(DEFAULT_SECONDS);
        check_seconds(seconds)?;
        if spec.audiences.as_ref().is_none_or(Vec::is_empty) {
            spec.audiences = Some(vec![ISSUER.into()]);
        }
        let for_server = spec.audiences.as_deref() == Some(&[ISSUER.to_string()]);
        let bound = spec.bound_object_ref.as_mut();
        let mut private = Map::new();
        private.insert("namespace".into(), namespace.into());
        let mut to_pod = false;
        if let Some(bound) = bound {
            to_pod = bound.kind.as_deref() == Some("Pod");
            self.bind_claims(namespace, account, bound, &mut private)?;
        }
        private.insert("serviceaccount".into(), json!({"name": account, "uid": found.uid()}));
        let now = self.sim().now();
        let start = now.as_secs() as i64;
        let mut end = start + seconds;
        if seconds == POD_SECONDS && to_pod && for_server {
            private.insert("warnafter".into(), end.into());
            end = start + YEAR;
        }
        let mut claims = json!({"aud": spec.audiences, "exp": end, "iat": start, "iss": ISSUER,
            "kubernetes.io": private, "nbf": start,
            "sub": format!("system:serviceaccount:{namespace}:{account}")});
        claims["jti"] = uuid_of(&format!("{claims}{}", now.as_micros())).into();
        let expires = now + Duration::from_secs(u64::try_from(end - start).unwrap_or_default());
        request.metadata.name = Some(account.into());
        request.metadata.namespace = Some(namespace.into());
        request.metadata.creation_timestamp = Some(now.to_meta());
        request.status = Some(TokenRequestStatus {
            expiration_timestamp: Some(expires.to_meta()),
            token: Some(sign(&self.0.auth.key, &claims)),
        });
        Ok(request)
    }

    /// Adds to the claims what a token is bound to.
    fn bind_claims(
        &self,
        namespace: &str,
        account: &str,
        bound: &mut BoundObjectReference,
        claims: &mut Map<String, Value>,
    ) -> Result<(), Status> {
        let version = bound.api_version.as_deref().unwrap_or_default();
        let kind = bound.kind.clone().unwrap_or_default();
        let name = bound.name.clone().unwrap_or_default();
        let (id, place) = match (version, kind.as_str()) {
            ("v1", "Pod") => (Pod::ID, namespace),
            ("v1", "Secret") => (Secret::ID, namespace),
            ("v1", "Node") => (Node::ID, ""),
            _ => {
                let (group, version) = version.split_once('/').unwrap_or(("", version));
                let text =
                    format!("cannot bind token to object of type {group}/{version}, Kind={kind}");
                return Err(Status::bad_request(text));
            }
        };
        let object = self.get(id, place, &name)?;
        if let Some(pod) = object.downcast::<Pod>() {
            let spec = pod.spec.as_ref();
            let own = spec.and_then(|s| s.service_account_name.as_deref()).unwrap_or_default();
            if own != account {
                return Err(Status::bad_request(format!(
                    "cannot bind token for serviceaccount {account:?} to pod running with \
                     different serviceaccount name."
                )));
            }
            if let Some(node) = spec.and_then(|s| s.node_name.as_deref()) {
                let uid = self.store().get(Node::ID, "", node).map(|n| n.uid().to_string());
                claims.insert("node".into(), reference(node, uid.as_deref()));
            }
        }
        if let Some(wanted) = bound.uid.as_deref().filter(|u| !u.is_empty() && *u != object.uid()) {
            let why = format!(
                "the UID in the bound object reference ({wanted}) does not match the UID in \
                 record. The object might have been deleted and then recreated"
            );
            return Err(Status::conflict(&self.kind(id), &name, &why));
        }
        bound.uid = Some(object.uid().to_string());
        claims.insert(kind.to_lowercase(), reference(&name, Some(object.uid())));
        Ok(())
    }

    /// The token that a secret of the type `kubernetes.io/service-account-token` holds. It does not
    /// expire. Models `LegacyClaims`.
    pub fn legacy_token(&self, secret: &str, account: &ServiceAccount) -> String {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let meta = &account.metadata;
        let (namespace, name) = (text(&meta.namespace), text(&meta.name));
        let claims = json!({
            "iss": LEGACY_ISSUER,
            "kubernetes.io/serviceaccount/namespace": namespace,
            "kubernetes.io/serviceaccount/secret.name": secret,
            "kubernetes.io/serviceaccount/service-account.name": name,
            "kubernetes.io/serviceaccount/service-account.uid": text(&meta.uid),
            "sub": format!("system:serviceaccount:{namespace}:{name}"),
        });
        sign(&self.0.auth.key, &claims)
    }
}

fn reference(name: &str, uid: Option<&str>) -> Value {
    match uid {
        Some(uid) => json!({"name": name, "uid": uid}),
        None => json!({"name": name}),
    }
}

fn check_seconds(seconds: i64) -> Result<(), Status> {
    let why = match seconds {
        ..SHORTEST => "may not specify a duration less than 10 minutes",
        s if s > LONGEST => "may not specify a duration larger than 2^32 seconds",
        _ => return Ok(()),
    };
    let error = FieldError::invalid("spec.expirationSeconds", seconds, why);
    let mut status = Status::new(
        422,
        "Invalid",
        format!("TokenRequest.authentication.k8s.io \"\" is invalid: {error}"),
    );
    status.group = "authentication.k8s.io".into();
    status.kind = "TokenRequest".into();
    status.causes = vec![error];
    Err(status)
}

/// An id that follows from a text, in the form of a random one.
fn uuid_of(text: &str) -> String {
    let hash = sha256_bytes(text.as_bytes());
    let hex: String = hash.iter().take(16).map(|b| format!("{b:02x}")).collect();
    format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let mut plain = text.replace('-', "+").replace('_', "/");
    while !plain.len().is_multiple_of(4) {
        plain.push('=');
    }
    base64::decode(&plain)
}

fn sign(key: &[u8], claims: &Value) -> String {
    let id = base64::encode_url(&sha256_bytes(key));
    let header = json!({"alg": "HS256", "kid": id}).to_string();
    let head = format!(
        "{}.{}",
        base64::encode_url(header.as_bytes()),
        base64::encode_url(claims.to_string().as_bytes())
    );
    let signature = base64::encode_url(&hmac_sha256(key, head.as_bytes()));
    format!("{head}.{signature}")
}

/// The claims of a token with a good signature. Errors say what is wrong with it.
fn read(key: &[u8], token: &str) -> Result<Value, &'static str> {
    const BAD: &str = "invalid bearer token";
    if token.len() > MAX_TOKEN {
        return Err(BAD);
    }
    let (head, signature) = token.rsplit_once('.').ok_or(BAD)?;
    let (_, body) = head.split_once('.').ok_or(BAD)?;
    if decode(signature).ok_or(BAD)? != hmac_sha256(key, head.as_bytes()) {
        return Err(BAD);
    }
    serde_json::from_slice(&decode(body).ok_or(BAD)?).map_err(|_| BAD)
}

/// Whose token this is. `audiences` are those of whom it has to be for one (empty: the API
/// server). Errors as token reviews word them.
pub fn authenticate(api: &ApiServer, token: &str, audiences: &[String]) -> Result<User, String> {
    let claims = read(&api.0.auth.key, token)?;
    if claims["iss"] == LEGACY_ISSUER {
        return legacy(api, token, &claims);
    }
    let number = |name: &str| claims[name].as_i64().unwrap_or_default();
    let now = api.sim().now().as_secs() as i64;
    if now > number("exp") {
        return Err("[invalid bearer token, service account token has expired]".into());
    }
    if now < number("nbf") {
        return Err("[invalid bearer token, service account token is not valid yet]".into());
    }
    if !for_one_of(&claims["aud"], audiences) {
        return Err("[invalid bearer token, token audiences are not accepted]".into());
    }
    let private = &claims["kubernetes.io"];
    let text = |of: &Value, key: &str| of[key].as_str().unwrap_or_default().to_string();
    let namespace = text(private, "namespace");
    let (name, uid) = name_and_uid(&private["serviceaccount"]);
    still_there(api, ServiceAccount::ID, &namespace, &name, &uid, "service account")?;
    let mut user = User::service_account(&namespace, &name);
    user.uid = uid;
    let id = format!("JTI={}", text(&claims, "jti"));
    user.extra.insert(CREDENTIAL_ID.into(), vec![id]);
    let bound =
        [("pod", Pod::ID, &*namespace), ("secret", Secret::ID, &namespace), ("node", Node::ID, "")];
    for (key, kind, place) in bound {
        if private[key].is_null() {
            continue;
        }
        let (name, uid) = name_and_uid(&private[key]);
        // A pod's token outlives a change of its node's object.
        if key != "node" || private["pod"].is_null() {
            still_there(api, kind, place, &name, &uid, key)?;
        }
        if key != "secret" {
            let note = |what: &str| format!("authentication.kubernetes.io/{key}-{what}");
            user.extra.insert(note("name"), vec![name]);
            if !uid.is_empty() {
                user.extra.insert(note("uid"), vec![uid]);
            }
        }
    }
    Ok(user)
}

fn for_one_of(claimed: &Value, wanted: &[String]) -> bool {
    let own = [ISSUER.to_string()];
    let wanted = if wanted.is_empty() { &own[..] } else { wanted };
    let mut claimed = claimed.as_array().into_iter().flatten().filter_map(Value::as_str);
    claimed.any(|audience| wanted.iter().any(|w| w == audience))
}

fn name_and_uid(value: &Value) -> (String, String) {
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_string();
    (text("name"), text("uid"))
}

fn still_there(
    api: &ApiServer,
    kind: crate::api::KindId,
    namespace: &str,
    name: &str,
    uid: &str,
    what: &str,
) -> Result<(), String> {
    let found = api.store().get(kind, namespace, name);
    match found.filter(|o| uid.is_empty() || o.uid() == uid) {
        Some(_) => Ok(()),
        None => Err(format!("[invalid bearer token, {what} {namespace}/{name} has been deleted]")),
    }
}

fn legacy(api: &ApiServer, token: &str, claims: &Value) -> Result<User, String> {
    let text = |key: &str| {
        let key = format!("kubernetes.io/serviceaccount/{key}");
        claims[&key].as_str().unwrap_or_default().to_string()
    };
    let (namespace, name) = (text("namespace"), text("service-account.name"));
    let gone = || "[invalid bearer token, Token has been invalidated]".to_string();
    let secret = api.store().get(Secret::ID, &namespace, &text("secret.name")).ok_or_else(gone)?;
    let data = secret.downcast::<Secret>().and_then(|s| s.data.as_ref());
    if data.and_then(|d| d.get("token")).is_none_or(|held| held.0 != token.as_bytes()) {
        return Err(gone());
    }
    let uid = text("service-account.uid");
    still_there(api, ServiceAccount::ID, &namespace, &name, &uid, "service account")?;
    let mut user = User::service_account(&namespace, &name);
    user.uid = uid;
    Ok(user)
}
