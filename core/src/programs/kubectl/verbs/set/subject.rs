//! `kubectl set subject`.

use serde_json::{Value, json};

use super::{SHARED, objects, send};
use crate::programs::kubectl::{
    Cx, Error,
    flags::{Command, Complete, Flag, Parsed},
    manifest,
    things::Thing,
    write::{self, DryRun},
};

/// `kubectl set subject`
pub(super) static COMMAND: Command = Command {
    name: "subject",
    usage: "subject (-f FILENAME | TYPE NAME) [--user=username] [--group=groupname] \
            [--serviceaccount=namespace:serviceaccountname] [--dry-run=server|client|none]",
    short: "Add subjects to a role binding",
    long: "Add users, groups and service accounts to a role binding or cluster role binding.",
    examples: "# A service account more\n\
               kubectl set subject clusterrolebinding admin --serviceaccount=shop:bot\n\n\
               # Two users and a group\n\
               kubectl set subject rolebinding admin --user=ann --user=bob --group=ops",
    flags: &[
        &[
            Flag::array("group", "Groups to add."),
            Flag::array("serviceaccount", "Service accounts to add: namespace:name."),
            Flag::array("user", "Users to add."),
        ],
        SHARED,
        manifest::FLAGS,
        write::OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    complete: Complete::Resources,
    ..Command::EMPTY
};

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    let dry_run = DryRun::of(&cx, &p).await?;
    let (place, found) = objects(&cx, &p, &p.args, dry_run).await?;
    let flags = ["user", "group", "serviceaccount"];
    if flags.iter().all(|f| p.list(f).is_empty()) {
        return Err(Error::plain(
            "you must specify at least one value of user, group or serviceaccount",
        ));
    }
    check_accounts(&p, &found)?;
    let mut errors = Vec::new();
    for thing in found {
        if !["RoleBinding", "ClusterRoleBinding"].contains(&&*thing.kind.kind) {
            // Objects of files are called by what the name printer prints, its line end included.
            let name = match p.bool("local") {
                true => format!("{}/{}\n", thing.kind.singular_resource(), thing.name),
                false => super::object_name(&thing),
            };
            errors.push(Error::plain(format!(
                "error: {name} setting subjects is only supported for RoleBinding/ClusterRoleBinding\n"
            )));
            continue;
        }
        let mut new = thing.object.clone();
        let mut subjects = new["subjects"].as_array().cloned().unwrap_or_default();
        for subject in wanted(&p, &place.namespace) {
            if !subjects.contains(&subject) {
                subjects.push(subject);
            }
        }
        new["subjects"] = Value::Array(subjects);
        let how = ("subjects updated", "failed to patch subjects to rolebinding:", dry_run);
        errors.extend(send(&cx, &place, &p, &thing, new, how).await.err());
    }
    Error::collect(errors)
}

fn check_accounts(p: &Parsed, found: &[Thing]) -> Result<(), Error> {
    for account in p.list("serviceaccount") {
        let parts: Vec<&str> = account.split(':').collect();
        let [namespace, name] = parts.as_slice() else {
            return Err(Error::plain("serviceaccount must be <namespace>:<name>"));
        };
        if name.is_empty() {
            return Err(Error::plain("serviceaccount must be <namespace>:<name>"));
        }
        let everywhere = found.iter().any(|t| t.kind.kind == "ClusterRoleBinding");
        if namespace.is_empty() && everywhere {
            return Err(Error::plain(
                "serviceaccount must be <namespace>:<name>, namespace must be specified",
            ));
        }
    }
    Ok(())
}

/// The subjects that the flags name: users, groups, accounts, the former two sorted.
fn wanted(p: &Parsed, own: &str) -> Vec<Value> {
    let mut out = Vec::new();
    for (flag, kind) in [("user", "User"), ("group", "Group")] {
        let mut names = p.list(flag).to_vec();
        names.sort();
        names.dedup();
        let subject = |name: String| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name});
        out.extend(names.into_iter().map(subject));
    }
    let mut accounts = p.list("serviceaccount").to_vec();
    accounts.sort();
    accounts.dedup();
    for account in accounts {
        let (namespace, name) = account.split_once(':').unwrap_or(("", &account));
        let namespace = if namespace.is_empty() { own } else { namespace };
        out.push(json!({"kind": "ServiceAccount", "name": name, "namespace": namespace}));
    }
    out
}
