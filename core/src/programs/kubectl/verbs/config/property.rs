//! `kubectl config set | unset`: single properties by path.

use super::{exactly_or_help, load};
use crate::{
    api::{base64, gofmt::quote},
    programs::kubectl::{
        Cx, Error,
        flags::{Command, Flag, Parsed},
        kubeconfig::Config,
    },
};

pub(super) static SET: Command = Command {
    name: "set",
    usage: "set PROPERTY_NAME PROPERTY_VALUE",
    short: "Set one property",
    long: "Set one property.\n\nA property is named by its path, with dots: \
           clusters.minikube.server.",
    examples: "# Move a cluster\nkubectl config set clusters.dev.server https://10.0.0.2:6443",
    flags: &[&[Flag::bool(
        "set-raw-bytes",
        false,
        "The value of a *-data property is text and still to be encoded.",
    )]],
    run: Some(|cx, p| Box::pin(set(cx, p))),
    ..Command::EMPTY
};

async fn set(cx: Cx, p: Parsed) -> Result<(), Error> {
    exactly_or_help(&cx, &p, 2).await?;
    let (path, value) = (&p.args[0], &p.args[1]);
    if value.is_empty() {
        return Err(Error::plain("you cannot use set to unset a property"));
    }
    let (files, before) = load(&cx, &p)?;
    let mut after = before.clone();
    match place(&before, path)? {
        Place::Current => after.current_context.clone_from(value),
        Place::Field(section, name, field) => {
            if field.ends_with("-data") {
                let text = if p.bool("set-raw-bytes") {
                    base64::encode(value.as_bytes())
                } else if base64::decode(value).is_some() {
                    value.clone()
                } else {
                    return Err(Error::plain(
                        "error decoding input value: illegal base64 data at input byte 0",
                    ));
                };
                after.set_field(section, &name, &field, text);
            } else if field == "insecure-skip-tls-verify" || field == "disable-compression" {
                let value = crate::programs::kubectl::flags::parse_bool(value)?;
                after.set_field(section, &name, &field, value);
            } else {
                after.set_field(section, &name, &field, value.clone());
            }
        }
        Place::Entry(..) | Place::Section(_) => {
            return Err(Error::plain("can't set a map to a value: map[]"));
        }
    }
    files.save(&cx.proc, &before, &after)?;
    cx.out(&format!("Property {} set.\n", quote(path))).await;
    Ok(())
}

pub(super) static UNSET: Command = Command {
    name: "unset",
    usage: "unset PROPERTY_NAME",
    short: "Remove one property",
    examples: "# No context is in force any more\nkubectl config unset current-context",
    run: Some(|cx, p| Box::pin(unset(cx, p))),
    ..Command::EMPTY
};

async fn unset(cx: Cx, p: Parsed) -> Result<(), Error> {
    exactly_or_help(&cx, &p, 1).await?;
    let path = &p.args[0];
    if path.is_empty() {
        return Err(Error::plain("you must specify a property"));
    }
    let (files, before) = load(&cx, &p)?;
    let mut after = before.clone();
    match place(&before, path)? {
        Place::Current => after.current_context.clear(),
        Place::Section(section) => after.sections[section].clear(),
        Place::Entry(section, name) => {
            after.sections[section].remove(&name);
        }
        Place::Field(section, name, field) => {
            if !before.sections[section].contains_key(&name) {
                return Err(Error::plain(format!("current map key `{name}` is invalid")));
            }
            after.remove_field(section, &name, &field);
        }
    }
    files.save(&cx.proc, &before, &after)?;
    cx.out(&format!("Property {} unset.\n", quote(path))).await;
    Ok(())
}

enum Place {
    Current,
    Section(usize),
    Entry(usize, String),
    Field(usize, String, String),
}

/// What a path names. Names of entries may hold dots: the longest that exists is meant.
fn place(config: &Config, path: &str) -> Result<Place, Error> {
    if path == "current-context" {
        return Ok(Place::Current);
    }
    let (head, rest) = path.split_once('.').unwrap_or((path, ""));
    let section = ["clusters", "contexts", "users"].iter().position(|s| *s == head);
    let Some(section) = section else {
        return Err(Error::plain(format!("unable to parse {path} after [] at api.Config")));
    };
    if rest.is_empty() {
        return Ok(Place::Section(section));
    }
    if config.sections[section].contains_key(rest) {
        return Ok(Place::Entry(section, rest.to_owned()));
    }
    match rest.rsplit_once('.') {
        Some((name, field)) => Ok(Place::Field(section, name.to_owned(), field.to_owned())),
        None => Ok(Place::Entry(section, rest.to_owned())),
    }
}
