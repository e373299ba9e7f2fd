//! `kubectl auth can-i`. Models `k8s.io/kubectl/pkg/cmd/auth/cani.go`.

use k8s_openapi::api::{
    authorization::v1::{
        NonResourceAttributes, ResourceAttributes, SelfSubjectAccessReview, SelfSubjectRulesReview,
        SubjectRulesReviewStatus,
    },
    rbac::v1::PolicyRule,
};

use serde_json::Value;

use crate::{
    api::Kind,
    programs::kubectl::{
        Conn, Cx, Error,
        describe::rbac::rows,
        flags::{Command, Flag, Parsed},
        print::tabwriter::Tabwriter,
        resources,
    },
};

const VERBS: &[&str] = &[
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
    "use",
    "bind",
    "impersonate",
    "*",
    "approve",
    "sign",
    "escalate",
    "attest",
];
const PATH_VERBS: &[&str] = &["get", "put", "post", "head", "options", "delete", "patch", "*"];
/// Resources that rules know and discovery does not.
const UNLISTED: &[&str] = &["users", "groups"];

/// `kubectl auth can-i`
pub static COMMAND: Command = Command {
    name: "can-i",
    usage: "can-i VERB [TYPE | TYPE/NAME | NONRESOURCEURL]",
    short: "Tell whether you may do something",
    long: "Tell whether you may do something.\n\nVERB is a verb of the API: get, list, create … TYPE \
           is a kind of objects, by any of its names, NAME one of them. NONRESOURCEURL is a path of the \
           server and begins with a slash. With the global flag --as somebody else is asked about.",
    examples: "# May I create pods in any namespace?\nkubectl auth can-i create pods --all-namespaces\n\n\
               # May I list deployments here?\nkubectl auth can-i list deployments.apps\n\n\
               # May the account \"foo\" of namespace \"dev\" list pods in \"prod\"?\n\
               kubectl auth can-i list pods --as=system:serviceaccount:dev:foo -n prod\n\n\
               # May I read logs?\nkubectl auth can-i get pods --subresource=log\n\n\
               # What may I do in \"foo\"?\nkubectl auth can-i --list --namespace=foo",
    flags: &[&[
        Flag::bool("all-namespaces", false, "In all namespaces.").short("A"),
        Flag::bool("list", false, "Show everything that is allowed."),
        Flag::bool("no-headers", false, "With --list: without the line of headers."),
        Flag::bool("quiet", false, "Only the exit code.").short("q"),
        Flag::str("subresource", "", "A part of the objects: log, status, scale."),
    ]],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    ..Command::EMPTY
};

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    if p.bool("list") {
        if !p.args.is_empty() {
            return Err(Error::plain("list option must be specified with no arguments"));
        }
        if p.bool("quiet") || p.bool("all-namespaces") || !p.str("subresource").is_empty() {
            return Err(Error::plain(
                "list option can't be specified with neither quiet, all-namespaces nor subresource \
                 options",
            ));
        }
        return list(cx, p).await;
    }
    let [verb, what] = p.args.as_slice() else {
        return Err(Error::plain(
            "you must specify two arguments: verb resource or verb resource/resourceName.\n\
             See 'kubectl auth can-i -h' for help and examples.",
        ));
    };
    let conn = cx.connect(&p, 0)?;
    let namespace = if p.bool("all-namespaces") { "" } else { &conn.namespace };
    let mut review = SelfSubjectAccessReview::default();
    if what.starts_with('/') {
        if !p.str("subresource").is_empty() {
            return Err(Error::plain("--subresource can not be used with NonResourceURL"));
        }
        known_verb(&cx, verb, PATH_VERBS).await;
        review.spec.non_resource_attributes =
            Some(NonResourceAttributes { path: Some(what.clone()), verb: Some(verb.clone()) });
    } else {
        let (word, name) = what.split_once('/').unwrap_or((what, ""));
        let (group, resource) = resource(&cx, &conn, &p, word).await;
        if !p.bool("all-namespaces") {
            known_verb(&cx, verb, VERBS).await;
        }
        review.spec.resource_attributes = Some(ResourceAttributes {
            namespace: Some(namespace.to_owned()),
            verb: Some(verb.clone()),
            group: Some(group),
            resource: Some(resource),
            subresource: Some(p.str("subresource").to_owned()),
            name: Some(name.to_owned()),
            ..Default::default()
        });
    }
    if p.bool("no-headers") {
        return Err(Error::plain("--no-headers cannot be set without --list specified"));
    }
    let answer = conn.client.create(review)?;
    let status = answer.status.clone().unwrap_or_default();
    if !p.bool("quiet") {
        let why = [status.reason, status.evaluation_error].into_iter().flatten();
        let why: String = why.filter(|w| !w.is_empty()).map(|w| format!(" - {w}")).collect();
        cx.out(&if status.allowed { "yes\n".to_owned() } else { format!("no{why}\n") }).await;
    }
    if status.allowed { Ok(()) } else { Err(Error::Exit(1)) }
}

async fn warn(cx: &Cx, text: &str) {
    cx.err(&format!("Warning: {text}\n\n")).await;
}

async fn known_verb(cx: &Cx, verb: &str, known: &[&str]) {
    if !known.contains(&verb) {
        warn(cx, &format!("verb '{verb}' is not a known verb")).await;
    }
}

/// Whether a kind's objects are in namespaces, which is not taken from what is remembered. Where
/// the server does not tell they are.
fn in_namespaces(conn: &Conn, kind: &Kind) -> bool {
    let root = if kind.group.is_empty() { "api" } else { "apis" };
    let path = format!("/{root}/{}", kind.api_version());
    let media = ("application/json", "application/json, */*");
    let list = conn.discovery.document(&path, "", media).unwrap_or_default();
    let own = |entry: &&Value| entry["name"].as_str() == Some(&*kind.plural);
    let entry = list["resources"].as_array().into_iter().flatten().find(own);
    entry.is_none_or(|entry| entry["namespaced"].as_bool() == Some(true))
}

/// Group and plural of what a word means.
async fn resource(cx: &Cx, conn: &Conn, p: &Parsed, word: &str) -> (String, String) {
    if word == "*" {
        return (String::new(), word.to_owned());
    }
    let Ok(kind) = resources::kind_for(conn, &word.to_lowercase()) else {
        let lower = word.to_lowercase();
        let (name, group) = lower.split_once('.').unwrap_or((&lower, ""));
        if !UNLISTED.contains(&lower.as_str()) {
            let place = match group {
                "" => String::new(),
                group => format!(" in group '{group}'"),
            };
            warn(cx, &format!("the server doesn't have a resource type '{name}'{place}")).await;
        }
        return (String::new(), word.to_owned());
    };
    if !p.bool("all-namespaces") && !in_namespaces(conn, &kind) {
        let place = match &*kind.group {
            "" => String::new(),
            group => format!(" in group '{group}'"),
        };
        warn(cx, &format!("resource '{}' is not namespace scoped{place}", kind.plural)).await;
    }
    (kind.group.to_string(), kind.plural.to_string())
}

async fn list(cx: Cx, p: Parsed) -> Result<(), Error> {
    let conn = cx.connect(&p, 0)?;
    let mut review = SelfSubjectRulesReview::default();
    review.spec.namespace = Some(conn.namespace.clone());
    let answer = conn.client.create(review)?;
    let status = answer.status.clone().unwrap_or_default();
    if status.incomplete {
        let why = status.evaluation_error.clone().unwrap_or_default();
        cx.err(&format!("Warning: the list may be incomplete: {why}\n")).await;
    }
    let mut out = Tabwriter::table();
    if !p.bool("no-headers") {
        out.write("Resources\tNon-Resource URLs\tResource Names\tVerbs\n");
    }
    for row in rows(&rules(status)) {
        out.write(&format!("{row}\n"));
    }
    cx.out(&out.flush()).await;
    Ok(())
}

fn rules(status: SubjectRulesReviewStatus) -> Vec<PolicyRule> {
    let resources = status.resource_rules.into_iter().map(|r| PolicyRule {
        verbs: r.verbs,
        api_groups: r.api_groups,
        resources: r.resources,
        resource_names: r.resource_names,
        non_resource_urls: None,
    });
    let paths = status.non_resource_rules.into_iter().map(|r| PolicyRule {
        verbs: r.verbs,
        non_resource_urls: r.non_resource_urls,
        ..Default::default()
    });
    resources.chain(paths).collect()
}
