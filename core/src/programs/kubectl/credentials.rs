//! Who somebody is, as flags and a kubeconfig's user say it, and as whom they want to act.
//!
//! Models `k8s.io/client-go/tools/clientcmd`: `getUserIdentificationPartialConfig` and
//! `validateAuthInfo`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Error,
    flags::Parsed,
    kubeconfig::{Config, USERS},
};
use crate::{
    api::base64,
    client::{Credentials, Impersonation},
    machine::Proc,
};

/// What the flags, or else the kubeconfig's user, has to show.
pub fn shown(
    proc: &Proc,
    config: &Config,
    user: &str,
    parsed: &Parsed,
) -> Result<Credentials, Error> {
    let field = |flag: &str, field: &str| {
        let given = parsed.str(flag);
        if given.is_empty() { config.field(USERS, user, field) } else { given }.to_owned()
    };
    for (field, what) in [("exec", "programs"), ("auth-provider", "providers")] {
        if config.sections[USERS].get(user).is_some_and(|user| user.get(field).is_some()) {
            return Err(Error::plain(format!(
                "{what} that show who somebody is (user {user}) are not simulated in this sandbox"
            )));
        }
    }
    let mut errors = Vec::new();
    let mut methods = Vec::new();
    let mut shown = Credentials::default();
    let file = config.field(USERS, user, "tokenFile");
    let token = field("token", "token");
    if !token.is_empty() || !file.is_empty() {
        methods.push("token");
    }
    // No server here knows passwords: who shows one is nobody.
    if !field("username", "username").is_empty() || !field("password", "password").is_empty() {
        methods.push("basicAuth");
    }
    let data = |name: &str| {
        let text = base64::decode(config.field(USERS, user, name))?;
        Some(String::from_utf8_lossy(&text).into_owned()).filter(|t| !t.is_empty())
    };
    let read = |what: &str, path: &str, errors: &mut Vec<String>| match proc.read_text(path) {
        Ok(text) => Some(text),
        Err(error) => {
            let error = error.to_string().to_lowercase();
            errors.push(format!(
                "unable to read {what} {path} for {user} due to open {path}: {error}"
            ));
            None
        }
    };
    // A flag replaces what the file holds itself.
    let held = |flag: &str, name: &str| parsed.str(flag).is_empty().then(|| data(name)).flatten();
    let certificate = held("client-certificate", "client-certificate-data");
    let path = field("client-certificate", "client-certificate");
    if certificate.is_some() || !path.is_empty() {
        let (key, key_path) =
            (held("client-key", "client-key-data"), field("client-key", "client-key"));
        if key.is_none() && key_path.is_empty() {
            errors.push(format!(
                "client-key-data or client-key must be specified for {user} to use the clientCert \
                 authentication method."
            ));
        }
        shown.certificate = match certificate {
            Some(certificate) => Some(certificate),
            None => read("client-cert", &path, &mut errors),
        };
        if key.is_none() && !key_path.is_empty() {
            read("client-key", &key_path, &mut errors);
        }
    }
    if methods.len() > 1 {
        errors.push(format!(
            "more than one authentication method found for {user}; found [{}], only one is allowed",
            methods.join(" ")
        ));
    }
    if let Err(error) = wanted(config, user, parsed) {
        errors.push(error.message());
    }
    match errors.len() {
        0 => {}
        1 => return Err(Error::plain(errors.remove(0))),
        _ => return Err(Error::Config(errors)),
    }
    if !token.is_empty() {
        shown.token = Some(token);
    } else if !file.is_empty() {
        shown.token = read("token file", file, &mut errors);
    }
    if errors.is_empty() { Ok(shown) } else { Err(Error::Config(errors)) }
}

/// As whom the flags, or else the kubeconfig's user, want to act.
pub fn wanted(config: &Config, user: &str, parsed: &Parsed) -> Result<Impersonation, Error> {
    let own = config.sections[USERS].get(user);
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(String::from).collect()
    };
    let either = |flag: &str, field: &str| match parsed.str(flag) {
        "" => config.field(USERS, user, field).to_owned(),
        given => given.to_owned(),
    };
    let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, value) in parsed.list("as-user-extra").iter().filter_map(|p| p.split_once('=')) {
        extra.entry(key.to_owned()).or_default().push(value.to_owned());
    }
    if extra.is_empty() {
        let map = own.and_then(|u| u.get("as-user-extra")).and_then(Value::as_object);
        extra = map.into_iter().flatten().map(|(k, v)| (k.clone(), texts(v))).collect();
    }
    let groups = match parsed.list("as-group") {
        [] => own.and_then(|u| u.get("as-groups")).map(texts).unwrap_or_default(),
        given => given.to_vec(),
    };
    let wanted =
        Impersonation { user: either("as", "as"), uid: either("as-uid", "as-uid"), groups, extra };
    if wanted.user.is_empty() && !wanted.is_empty() {
        return Err(Error::plain(format!(
            "requesting uid, groups or user-extra for {user} without impersonating a user"
        )));
    }
    Ok(wanted)
}
