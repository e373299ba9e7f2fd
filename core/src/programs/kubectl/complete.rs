//! What Tab offers: verbs, flags, resource types and the names of objects, live from the server.

use super::{
    Conn, Cx,
    flags::{Command, Complete, Flag, Parsed, find},
    kubeconfig::{self, Files},
    resources::{self, Query},
    verbs,
};
use crate::machine::CompleteCx;

const FORMATS: &[&str] = &[
    "custom-columns=",
    "custom-columns-file=",
    "go-template=",
    "go-template-file=",
    "json",
    "jsonpath=",
    "jsonpath-as-json=",
    "jsonpath-file=",
    "kyaml",
    "name",
    "wide",
    "yaml",
];

/// Completions of the last word, `kubectl` being the first.
pub fn complete(line: &CompleteCx) -> Vec<String> {
    words(line, line.words.get(1..).unwrap_or_default())
}

/// Completions of the last of `words`, which are kubectl's arguments: for `minikube kubectl` too.
pub fn words(line: &CompleteCx, words: &[String]) -> Vec<String> {
    words_of(&verbs::ROOT, line, words)
}

/// The same for the arguments of another program that understands kubectl's flags.
pub fn words_of(root: &'static Command, line: &CompleteCx, words: &[String]) -> Vec<String> {
    let Some((word, before)) = words.split_last() else { return Vec::new() };
    let Ok(found) = find::find(root, &[verbs::GLOBAL], before) else { return Vec::new() };
    let command = found.command();
    let cx = Cx::new(line.proc.clone());
    let flags: Vec<&Flag> =
        command.own_flags().chain(verbs::GLOBAL).filter(|f| !f.hidden).collect();
    let parsed = Parsed::read(&found.path(), command.own_flags().chain(verbs::GLOBAL), &found.args);
    // A line that ends with a flag that still needs its value cannot be read without it.
    let parsed = parsed.or_else(|_| {
        let cut = &found.args[..found.args.len().saturating_sub(1)];
        Parsed::read(&found.path(), command.own_flags().chain(verbs::GLOBAL), cut)
    });
    let Ok(parsed) = parsed else { return Vec::new() };
    if before.iter().any(|w| w == "--") {
        return Vec::new();
    }
    if let Some(offers) = value_of_flag(&cx, &parsed, &flags, before.last(), word) {
        return offers;
    }
    let offers = if word.starts_with('-') {
        flag_names(&flags)
    } else if parsed.args.is_empty() && !command.subcommands.is_empty() {
        command.subcommands.iter().filter(|c| !c.hidden).map(|c| c.name.to_owned()).collect()
    } else if command.complete == Complete::Resources
        && parsed.args.is_empty()
        && !word.contains('/')
    {
        // In the order of the server's documents.
        return types(&cx, &parsed).into_iter().filter(|o| o.starts_with(word)).collect();
    } else {
        arguments(&cx, &parsed, command, word)
    };
    matching(offers, word)
}

fn matching(mut offers: Vec<String>, word: &str) -> Vec<String> {
    offers.retain(|o| o.starts_with(word));
    offers.sort();
    offers.dedup();
    offers
}

fn flag_names(flags: &[&Flag]) -> Vec<String> {
    let name = |f: &&Flag| match f.bare {
        "" => format!("--{}=", f.name),
        _ => format!("--{}", f.name),
    };
    flags.iter().map(name).collect()
}

/// Offers for a flag's value: `-n ku`, `--namespace=ku`.
fn value_of_flag(
    cx: &Cx,
    p: &Parsed,
    flags: &[&Flag],
    before: Option<&String>,
    word: &str,
) -> Option<Vec<String>> {
    let by_name = |name: &str| flags.iter().find(|f| f.name == name);
    let by_letter = |letter: &str| flags.iter().find(|f| !f.short.is_empty() && f.short == letter);
    let (flag, prefix, typed) = match word.strip_prefix("--").and_then(|w| w.split_once('=')) {
        Some((name, typed)) => (by_name(name)?, format!("--{name}="), typed),
        None => {
            let before = before?;
            let flag = match before.strip_prefix("--") {
                Some(long) if !long.contains('=') => by_name(long)?,
                None if before.len() == 2 && before.starts_with('-') => by_letter(&before[1..])?,
                _ => return None,
            };
            (flag, String::new(), word)
        }
    };
    if !flag.bare.is_empty() && prefix.is_empty() {
        return None;
    }
    let offers = match flag.name {
        "namespace" => names(cx, p, "namespaces"),
        "output" => FORMATS.iter().map(|f| (*f).to_owned()).collect(),
        "context" => entries(cx, p, kubeconfig::CONTEXTS),
        "cluster" => entries(cx, p, kubeconfig::CLUSTERS),
        "user" => entries(cx, p, kubeconfig::USERS),
        "dry-run" => ["none", "client", "server"].map(String::from).to_vec(),
        "container" => containers(cx, p),
        _ => return None,
    };
    let offers = matching(offers, typed);
    Some(offers.into_iter().map(|o| format!("{prefix}{o}")).collect())
}

fn arguments(cx: &Cx, p: &Parsed, command: &Command, word: &str) -> Vec<String> {
    match command.complete {
        Complete::Nothing => Vec::new(),
        Complete::Words(words) => words.iter().map(|w| (*w).to_owned()).collect(),
        Complete::Config(section) => {
            let index = ["clusters", "contexts", "users"].iter().position(|s| *s == section);
            entries(cx, p, index.unwrap_or(kubeconfig::CONTEXTS))
        }
        Complete::Names(resource) => names(cx, p, resource),
        Complete::Resources => match (p.args.first(), word.split_once('/')) {
            (_, Some((kind, _))) => prefixed(cx, p, kind),
            (None, None) => types(cx, p),
            (Some(kind), None) if !kind.contains('/') => names(cx, p, kind),
            _ => Vec::new(),
        },
        Complete::Pods | Complete::FirstPod => match word.split_once('/') {
            _ if command.complete == Complete::FirstPod && !p.args.is_empty() => Vec::new(),
            Some((kind, _)) => prefixed(cx, p, kind),
            None => {
                let mut offers = names(cx, p, "pods");
                let kinds = [
                    "daemonset/",
                    "deployment/",
                    "job/",
                    "replicaset/",
                    "service/",
                    "statefulset/",
                ];
                if !word.is_empty() {
                    offers.extend(kinds.map(String::from));
                }
                offers
            }
        },
    }
}

fn prefixed(cx: &Cx, p: &Parsed, kind: &str) -> Vec<String> {
    names(cx, p, kind).into_iter().map(|name| format!("{kind}/{name}")).collect()
}

fn connect(cx: &Cx, p: &Parsed) -> Option<Conn> {
    cx.connect(p, 0).ok()
}

/// Types as they are typed: plurals, and with their group where another has the same plural.
pub(super) fn types(cx: &Cx, p: &Parsed) -> Vec<String> {
    let Some(conn) = connect(cx, p) else { return Vec::new() };
    let Ok(kinds) = conn.kinds() else { return Vec::new() };
    let mut kinds: Vec<_> = kinds.preferred().collect();
    kinds.sort_by_key(|k| (k.group.clone(), k.plural.clone()));
    kinds.into_iter().map(|k| k.resource()).collect()
}

pub(super) fn names(cx: &Cx, p: &Parsed, resource: &str) -> Vec<String> {
    let Some(conn) = connect(cx, p) else { return Vec::new() };
    let Ok(kind) = resources::kind_for(&conn, resource) else { return Vec::new() };
    let query = Query { all_namespaces: !kind.namespaced, ..Query::default() };
    let found = resources::list(&conn, &kind, &query).unwrap_or_default();
    let given = |name: &str| p.args.iter().any(|a| a == name);
    found.iter().map(|o| o.name().to_owned()).filter(|n| !given(n)).collect()
}

pub(super) fn entries(cx: &Cx, p: &Parsed, section: usize) -> Vec<String> {
    let config = Files::of(&cx.proc, p).load(&cx.proc, false).unwrap_or_default();
    config.sections[section].keys().cloned().collect()
}

/// Containers of the pod that was named.
pub(super) fn containers(cx: &Cx, p: &Parsed) -> Vec<String> {
    use k8s_openapi::api::core::v1::Pod;
    let Some(conn) = connect(cx, p) else { return Vec::new() };
    let name =
        p.args.first().map_or("", |a| a.trim_start_matches("pod/").trim_start_matches("pods/"));
    let pod = conn.client.find::<Pod>(&conn.namespace, name);
    let spec = pod.as_ref().and_then(|pod| pod.spec.as_ref());
    let Some(spec) = spec else { return Vec::new() };
    let init = spec.init_containers.iter().flatten();
    spec.containers.iter().chain(init).map(|c| c.name.clone()).collect()
}
