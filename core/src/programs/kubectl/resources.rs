//! Which objects a command means: `pods`, `pod web`, `deploy/web svc/web`, `all -l app=web`.
//!
//! Models `k8s.io/cli-runtime/pkg/resource.Builder` and the REST mapper of `client-go`.

use std::rc::Rc;

use super::{Conn, Error, discovery::Known};
use crate::{
    api::{Kind, ObjRef, Status, gofmt::quote, selector::FieldSelector, selector::Selector},
    client::ListOptions,
};

/// What kubectl says when it was told of nothing.
pub const MISSING: &str = "You must provide one or more resources by argument or filename.
Example resource specifications include:
   '-f rsrc.yaml'
   '--filename=rsrc.json'
   '<resource> <name>'
   '<resource>'";

/// One object that was named.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its kind.
    pub kind: Rc<Kind>,
    /// Its namespace, empty for cluster-scoped kinds.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// What the arguments select.
#[derive(Clone, Debug)]
pub enum Selected {
    /// All objects of these kinds that match the selectors.
    Lists(Vec<Rc<Kind>>),
    /// These objects.
    Items(Vec<Item>),
}

/// How arguments are to be understood.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// `-A`.
    pub all_namespaces: bool,
    /// `-l`.
    pub selector: String,
    /// `--field-selector`.
    pub fields: String,
    /// `--all`.
    pub all: bool,
    /// Whether a type alone means all of its objects.
    pub lists: bool,
    /// Whether only one type may be meant.
    pub single_type: bool,
    /// Whether a subresource was asked for, which lists don't have.
    pub subresource: bool,
}

/// The kind that a word means: a plural, singular, short name or kind, with `.version.group` or
/// `.group` after it if it likes.
pub fn kind_for(conn: &Conn, word: &str) -> Result<Rc<Kind>, Error> {
    if let Some(kind) = conn.discovery.find(|known| meant(known, word))? {
        return Ok(kind);
    }
    let rest = word.split_once('.').map_or("", |(_, rest)| rest);
    if rest.is_empty() {
        let word = quote(word);
        return Err(Error::plain(format!("the server doesn't have a resource type {word}")));
    }
    let (name, group) = (quote(word.split('.').next().unwrap_or(word)), quote(rest));
    let text = format!("the server doesn't have a resource type {name} in group {group}");
    Err(Error::plain(text))
}

/// What a word means among what is known.
fn meant(kinds: &Known, word: &str) -> Option<Rc<Kind>> {
    let (exact, rest) = word.split_once('.').unwrap_or((word, ""));
    let name = exact.to_lowercase();
    let fits = |kind: &&Rc<Kind>| kind.plural == name || kind.singular == name;
    let short = |kind: &&Rc<Kind>| kind.short_names.iter().any(|s| *s == exact);
    if let Some((version, group)) = rest.split_once('.') {
        let of_version = |k: &&Rc<Kind>| k.version == version && k.group == group;
        if let Some(kind) = kinds.iter().filter(of_version).find(fits) {
            return Some(kind.clone());
        }
        // Short names mean the preferred version, whatever version is asked for with them: the
        // real kubectl's mapper expands them so.
        let of_group = |k: &&Rc<Kind>| short(k) && k.group == group;
        let known = kinds.iter().filter(of_version).any(|k| short(&k));
        if let Some(kind) = kinds.preferred().find(of_group).filter(|_| known) {
            return Some(kind.clone());
        }
    }
    // A group may be shortened from its end, as far as a dot.
    let in_group = |kind: &&Rc<Kind>| {
        rest.is_empty() || kind.group == rest || kind.group.starts_with(&format!("{rest}."))
    };
    let found = kinds.preferred().find(|k| fits(k) && in_group(k));
    let found = found.or_else(|| kinds.preferred().find(|k| short(k) && in_group(k)));
    found.cloned()
}

/// Unique parts of a comma-separated word, in order.
fn parts(word: &str) -> Vec<&str> {
    let mut out: Vec<&str> = Vec::new();
    for part in word.split(',') {
        if !out.contains(&part) {
            out.push(part);
        }
    }
    out
}

/// Kinds that a comma-separated word means; categories (`all`) are expanded.
fn kinds_for(conn: &Conn, word: &str) -> Result<Vec<Rc<Kind>>, Error> {
    let mut out: Vec<Rc<Kind>> = Vec::new();
    for part in parts(word) {
        let category: Vec<Rc<Kind>> = {
            let kinds = conn.kinds()?;
            kinds.preferred().filter(|k| k.categories.iter().any(|c| *c == part)).cloned().collect()
        };
        let found = if category.is_empty() { vec![kind_for(conn, part)?] } else { category };
        for kind in found {
            if !out.iter().any(|k| k.id == kind.id) {
                out.push(kind);
            }
        }
    }
    Ok(out)
}

fn split_tuple(word: &str) -> Result<(&str, &str), Error> {
    let segments: Vec<&str> = word.split('/').collect();
    match segments.as_slice() {
        [kind, name] if !kind.is_empty() && !name.is_empty() && parts(kind).len() == 1 => {
            Ok((kind, name))
        }
        [_, _] => Err(Error::plain(
            "arguments in resource/name form must have a single resource and name",
        )),
        _ => Err(Error::plain("arguments in resource/name form may not have more than one slash")),
    }
}

/// Whether arguments are of the form `TYPE/NAME`. Errors if only some are.
pub fn are_tuples(args: &[String]) -> Result<bool, Error> {
    let with = args.iter().filter(|a| a.contains('/')).count();
    match with {
        0 => Ok(false),
        n if n == args.len() => Ok(true),
        _ => Err(Error::plain(
            "there is no need to specify a resource type as a separate argument when passing \
             arguments in resource/name form (e.g. 'kubectl get resource/<resource_name>' instead \
             of 'kubectl get resource resource/<resource_name>'",
        )),
    }
}

/// `a,b x y` becomes `a/x a/y b/x b/y`.
pub fn normalize(args: &[String]) -> Vec<String> {
    if let [types, names @ ..] = args {
        let types = parts(types);
        if !names.is_empty() && types.len() > 1 {
            let pair = |t: &str| names.iter().map(move |n| format!("{t}/{n}")).collect::<Vec<_>>();
            return types.into_iter().flat_map(pair).collect();
        }
    }
    args.to_vec()
}

/// What the arguments select. Nothing is read yet but the table of kinds.
pub fn select(conn: &Conn, args: &[String], query: &Query) -> Result<Selected, Error> {
    let args = normalize(args);
    let mut tuples = Vec::new();
    let mut kinds = Vec::new();
    let mut names: &[String] = &[];
    if are_tuples(&args)? {
        for arg in &args {
            tuples.push(split_tuple(arg)?);
        }
    } else if let Some((types, rest)) = args.split_first() {
        names = rest;
        if !types.is_empty() {
            kinds = vec![types.as_str()];
        }
    }
    if query.all && !(query.selector.is_empty() && query.fields.is_empty()) {
        return Err(Error::plain("setting 'all' parameter but found a non empty selector. "));
    }
    let bulk = query.lists && names.is_empty() && !kinds.is_empty();
    if bulk || query.all || !query.selector.trim().is_empty() || !query.fields.is_empty() {
        return select_lists(conn, &kinds, names, &tuples, query);
    }
    let item = |kind: Rc<Kind>, name: &str| {
        let namespace = if kind.namespaced { conn.namespace.clone() } else { String::new() };
        if kind.namespaced && query.all_namespaces {
            let text = "a resource cannot be retrieved by name across all namespaces";
            return Err(Error::plain(text));
        }
        Ok(Item { kind, namespace, name: name.to_owned() })
    };
    if !tuples.is_empty() {
        let mut items = Vec::new();
        for (kind, name) in tuples {
            items.push((kind_for(conn, kind)?, name));
        }
        if query.single_type && items.iter().any(|(k, _)| k.id != items[0].0.id) {
            return Err(Error::plain("you may only specify a single resource type"));
        }
        let items = items.into_iter().map(|(kind, name)| item(kind, name));
        return items.collect::<Result<_, _>>().map(Selected::Items);
    }
    let Some(types) = kinds.first() else { return Err(Error::plain(MISSING)) };
    let found = kinds_for(conn, types)?;
    if names.is_empty() {
        return Err(Error::plain("resource(s) were provided, but no name was specified"));
    }
    let [kind] = found.as_slice() else {
        return Err(Error::plain("you must specify only one resource"));
    };
    let items = names.iter().map(|name| item(kind.clone(), name));
    items.collect::<Result<_, _>>().map(Selected::Items)
}

fn select_lists(
    conn: &Conn,
    kinds: &[&str],
    names: &[String],
    tuples: &[(&str, &str)],
    query: &Query,
) -> Result<Selected, Error> {
    if !names.is_empty() {
        return Err(Error::plain("name cannot be provided when a selector is specified"));
    }
    if !tuples.is_empty() {
        return Err(Error::plain(
            "selectors and the all flag cannot be used when passing resource/name arguments",
        ));
    }
    let Some(types) = kinds.first() else {
        return Err(Error::plain("at least one resource must be specified to use a selector"));
    };
    if query.subresource {
        return Err(Error::plain("subresource cannot be used when bulk resources are specified"));
    }
    let found = kinds_for(conn, types)?;
    if query.single_type && found.len() > 1 {
        return Err(Error::plain("you may only specify a single resource type"));
    }
    Ok(Selected::Lists(found))
}

/// The selectors for one kind. Errors as the server would word them.
pub fn list_options(kind: &Kind, query: &Query) -> Result<ListOptions, Error> {
    let bad = |text: String| unable(kind, query, Status::bad_request(text));
    let labels = Selector::parse(&query.selector).map_err(&bad)?;
    let fields = FieldSelector::parse(&query.fields).map_err(&bad)?;
    Ok(ListOptions { labels, fields })
}

/// Objects of a kind that match, sorted by namespace and name.
pub fn list(conn: &Conn, kind: &Kind, query: &Query) -> Result<Vec<ObjRef>, Error> {
    let options = list_options(kind, query)?;
    let namespace = (kind.namespaced && !query.all_namespaces).then_some(conn.namespace.as_str());
    conn.client.list_any(kind.id, namespace, &options).map_err(|s| unable(kind, query, s))
}

/// Puts what was looked for before a server's refusal to look for it.
pub fn unable(kind: &Kind, query: &Query, mut status: Status) -> Error {
    if ["BadRequest", "NotFound"].contains(&status.reason) {
        let resource = quote(&format!("{}/{}, Resource={}", kind.group, kind.version, kind.plural));
        let (labels, fields) = (query.selector.trim(), query.fields.as_str());
        status.message = if labels.is_empty() && fields.is_empty() {
            format!("Unable to list {resource}: {}", status.message)
        } else {
            format!(
                "Unable to find {resource} that match label selector {}, field selector {}: {}",
                quote(labels),
                quote(fields),
                status.message
            )
        };
    }
    status.into()
}

/// Every object that is selected, with what went wrong on the way.
pub fn fetch(conn: &Conn, selected: &Selected, query: &Query) -> (Vec<ObjRef>, Vec<Error>) {
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    match selected {
        Selected::Lists(kinds) => {
            for kind in kinds {
                match list(conn, kind, query) {
                    Ok(objects) => found.extend(objects),
                    Err(e) => errors.push(e),
                }
            }
        }
        Selected::Items(items) => {
            for item in items {
                match conn.client.get_any(item.kind.id, &item.namespace, &item.name) {
                    Ok(object) => found.push(object),
                    Err(e) => errors.push(e.into()),
                }
            }
        }
    }
    (found, errors)
}
