//! Preferences (kuberc): defaults of flags, and aliases for commands, from a file of the user's.
//!
//! Models `k8s.io/kubectl/pkg/kuberc`. Credential plugins, of which the file may say which are
//! trusted, are never run here.

use serde_json::{Value, json};

use super::{
    Cx, Error,
    flags::find::{self, Found},
    verbs,
};
use crate::api::{gofmt::quote, yaml};

/// The version in which the file is written.
pub const VERSION: &str = "kubectl.config.k8s.io/v1beta1";

/// The file with the preferences and whether it was named explicitly; `None` where `KUBERC=off`.
pub fn file(cx: &Cx, given: &str) -> Option<(String, bool)> {
    let off = |name: &str, value: &str| cx.proc.env(name).as_deref() == Some(value);
    if off("KUBERC", "off") || off("KUBECTL_KUBERC", "false") {
        return None;
    }
    if !given.is_empty() {
        return Some((given.to_owned(), true));
    }
    if let Some(path) = cx.proc.env("KUBERC").filter(|path| !path.is_empty()) {
        return Some((path, true));
    }
    let home = cx.proc.env("HOME").unwrap_or_else(|| "/root".into());
    Some((format!("{}/.kube/kuberc", home.trim_end_matches('/')), false))
}

/// What went wrong with the file.
pub enum Fault {
    /// It is not there.
    Missing(String),
    /// It can't be understood.
    Bad(String),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::Missing(path) => write!(f, "open {path}: no such file or directory"),
            Fault::Bad(why) => f.write_str(why),
        }
    }
}

/// The first document of a file that holds preferences; null for an empty file.
pub fn read(cx: &Cx, path: &str) -> Result<Value, Fault> {
    let text = cx.proc.read_text(path).map_err(|_| Fault::Missing(path.to_owned()))?;
    let (documents, error) = yaml::documents(&text);
    let mut tried = error.is_some();
    for document in documents.into_iter().filter(|d| !d.is_null()) {
        tried = true;
        let version = document["apiVersion"].as_str().unwrap_or("");
        let known = version.starts_with("kubectl.config.k8s.io/v1");
        if known && document["kind"] == "Preference" {
            return Ok(document);
        }
    }
    if tried {
        let text = format!("no valid preferences found in {path}, use --v=5 to see details");
        return Err(Fault::Bad(text));
    }
    Ok(Value::Null)
}

/// Words that `--kuberc` is followed by. Errors: by none.
fn explicit(args: &[String]) -> Result<String, String> {
    for (at, arg) in args.iter().enumerate() {
        if arg == "--" {
            break;
        }
        let value = match arg.strip_prefix("--kuberc") {
            Some("") => args.get(at + 1).cloned(),
            Some(rest) => match rest.strip_prefix('=') {
                Some(value) => Some(value.to_owned()).filter(|v| !v.is_empty()),
                None => continue,
            },
            None => continue,
        };
        return value.ok_or_else(|| "kuberc file is not found".to_owned());
    }
    Ok(String::new())
}

/// The arguments with what the preferences add to them. Errors: the file, or what it asks for, makes
/// no sense.
pub async fn applied(cx: &Cx, args: &[String]) -> Result<Vec<String>, Error> {
    let failed =
        |why: String| Error::Bare(format!("error occurred while applying preferences {why}"));
    let given = explicit(args).map_err(failed)?;
    let Some((path, named)) = file(cx, &given) else { return Ok(args.to_vec()) };
    let preferences = match read(cx, &path) {
        Ok(Value::Null) => return Ok(args.to_vec()),
        Ok(value) => value,
        Err(fault) if named => return Err(failed(format!("kuberc error kuberc: {fault}"))),
        Err(Fault::Missing(_)) => return Ok(args.to_vec()),
        Err(fault) => {
            cx.err(&format!("kuberc: no preferences loaded from {path}: {fault}")).await;
            return Ok(args.to_vec());
        }
    };
    validate(&preferences).map_err(failed)?;
    let args = aliased(cx, &preferences, args).await.map_err(failed)?;
    defaulted(cx, &preferences, args).await.map_err(failed)
}

fn items<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or("")
}

fn texts(value: &Value, key: &str) -> Vec<String> {
    items(value, key).filter_map(Value::as_str).map(str::to_owned).collect()
}

fn validate(preferences: &Value) -> Result<(), String> {
    let mut names: Vec<&str> = Vec::new();
    let check = |entry: &Value| match items(entry, "options")
        .map(|o| text(o, "name"))
        .find(|n| n.starts_with('-'))
    {
        Some(name) => Err(format!("flag name {name} should be in long form without dashes")),
        None => Ok(()),
    };
    for alias in items(preferences, "aliases") {
        let name = text(alias, "name");
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphabetic()) {
            return Err("invalid alias name, can only include alphabetical characters".into());
        }
        check(alias)?;
        if names.contains(&name) {
            return Err(format!("duplicate alias name {name}"));
        }
        names.push(name);
    }
    items(preferences, "defaults").try_for_each(check)
}

fn command(words: &[String]) -> Option<Found> {
    let found = find::find(&verbs::ROOT, &[verbs::GLOBAL], words).ok()?;
    (found.way.len() > 1).then_some(found)
}

/// `--flag=value` for each option of an entry that the command line does not set itself.
fn options(entry: &Value, found: &Found, args: &[String]) -> Result<Vec<String>, String> {
    let mut out = Vec::new();
    for option in items(entry, "options") {
        let (name, value) = (text(option, "name"), text(option, "default"));
        let mut flags = found.command().own_flags().chain(verbs::GLOBAL);
        let flag = flags.find(|flag| flag.name == name).ok_or_else(|| name.to_owned())?;
        let long = format!("--{name}");
        let given = args.iter().any(|arg| {
            *arg == long
                || arg.starts_with(&format!("{long}="))
                || (!flag.short.is_empty() && arg.starts_with(&format!("-{}", flag.short)))
        });
        if !given {
            out.push(format!("{long}={value}"));
        }
    }
    Ok(out)
}

/// An alias in place of a command that kubectl does not know.
async fn aliased(cx: &Cx, preferences: &Value, args: &[String]) -> Result<Vec<String>, String> {
    if find::find(&verbs::ROOT, &[verbs::GLOBAL], args).is_ok() {
        return Ok(args.to_vec());
    }
    let Some(at) = args.iter().position(|a| !a.starts_with('-') && !a.starts_with("__complete"))
    else {
        return Ok(args.to_vec());
    };
    let Some(word) = args.get(at) else { return Ok(args.to_vec()) };
    let Some(alias) = items(preferences, "aliases").find(|alias| text(alias, "name") == word)
    else {
        return Ok(args.to_vec());
    };
    if verbs::ROOT.subcommand(word).is_some() {
        let word = quote(word);
        cx.err(&format!("Warning: Setting alias {word} to a built-in command is not supported\n"))
            .await;
        return Ok(args.to_vec());
    }
    let words: Vec<String> = text(alias, "command").split_whitespace().map(String::from).collect();
    let Some(found) = command(&words) else {
        let (wanted, name) = (quote(text(alias, "command")), quote(word));
        return Err(format!("command {wanted} not found to set alias {name}: {words:?}"));
    };
    let flags = options(alias, &found, args)
        .map_err(|name| format!("invalid alias flag {name} in alias kubectl"))?;
    let mut out: Vec<String> = args.get(..at).unwrap_or_default().to_vec();
    out.extend(words);
    out.extend(flags);
    out.extend(texts(alias, "prependArgs"));
    out.extend(args.get(at + 1..).unwrap_or_default().iter().cloned());
    out.extend(texts(alias, "appendArgs"));
    Ok(out)
}

/// The flags that are to have other values where the command line says nothing.
async fn defaulted(cx: &Cx, preferences: &Value, args: Vec<String>) -> Result<Vec<String>, String> {
    let Some(found) = command(&args) else { return Ok(args) };
    let mut flags = Vec::new();
    for entry in items(preferences, "defaults") {
        let words: Vec<String> =
            text(entry, "command").split_whitespace().map(String::from).collect();
        let Some(other) = command(&words) else {
            let wanted = quote(text(entry, "command"));
            cx.err(&format!("Warning: command {wanted} not found to set kuberc override\n")).await;
            continue;
        };
        if other.command().name != found.command().name {
            continue;
        }
        flags.extend(options(entry, &found, &args).map_err(|name| {
            format!("invalid flag {name} for command {}", text(entry, "command"))
        })?);
    }
    flags.extend(args);
    Ok(flags)
}

/// What `kuberc view` offers to write.
pub fn recommended() -> Value {
    let option = |name: &str| json!([{"name": name, "default": "true"}]);
    json!({"apiVersion": VERSION, "kind": "Preference", "aliases": null, "defaults": [
        {"command": "apply", "options": option("server-side")},
        {"command": "delete", "options": option("interactive")},
    ]})
}
