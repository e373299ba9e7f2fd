//! `kubectl auth reconcile`: roles and bindings that have at least what a file says.
//!
//! Models `k8s.io/kubectl/pkg/cmd/auth/reconcile.go` and `component-helpers/auth/rbac/reconciliation`.

use k8s_openapi::{
    api::{
        core::v1::Namespace,
        rbac::v1::{
            ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
        },
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use crate::{
    api::{Object, Typed, object::from_value},
    client::rules,
    programs::kubectl::{
        Conn, Cx, Error,
        flags::{Command, Flag, Parsed},
        manifest,
        output::{self, Printer},
        write::{self, DryRun},
    },
};

const AUTOUPDATE: &str = "rbac.authorization.kubernetes.io/autoupdate";

/// `kubectl auth reconcile`
pub static COMMAND: Command = Command {
    name: "reconcile",
    usage: "reconcile -f FILENAME",
    short: "Make roles and bindings have what a file says",
    long: "Make roles and bindings have what a file says.\n\nWhat is missing is created, its namespace \
           as well. Roles that are there get the rules that they lack, bindings the subjects; what they \
           have besides stays unless --remove-extra-permissions or --remove-extra-subjects says \
           otherwise.",
    examples: "# As the file says\nkubectl auth reconcile -f my-rbac-rules.yaml",
    flags: &[
        &[
            write::DRY_RUN,
            Flag::bool("remove-extra-permissions", false, "Take away rules that the file has not."),
            Flag::bool("remove-extra-subjects", false, "Take away subjects that the file has not."),
        ],
        manifest::FLAGS,
        output::FLAGS,
    ],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    ..Command::EMPTY
};

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    if !manifest::given(&p) {
        return Err(Error::plain("must specify one of -f and -k"));
    }
    if !p.args.is_empty() {
        return Err(Error::plain("no arguments are allowed"));
    }
    let dry_run = DryRun::of(&cx, &p).await?;
    if dry_run == DryRun::Server {
        let text = "--dry-run=server for command reconcile is not supported yet";
        return Err(Error::plain(text));
    }
    let conn = cx.connect(&p, 5)?;
    let operation = format!("reconciled{}", dry_run.suffix());
    let (found, error) = manifest::read(&cx, &conn, &p, false).await;
    let mut errors: Vec<Error> = error.into_iter().collect();
    for item in found {
        let mut job =
            Job { conn: &conn, p: &p, confirm: dry_run == DryRun::No, report: String::new() };
        let namespace = item.namespace().to_owned();
        let done = match &*item.kind.kind {
            "Role" => job.role::<Role>(item.object, &namespace),
            "ClusterRole" => job.role::<ClusterRole>(item.object, ""),
            "RoleBinding" => job.binding::<RoleBinding>(item.object, &namespace),
            "ClusterRoleBinding" => job.binding::<ClusterRoleBinding>(item.object, ""),
            _ => continue,
        };
        match done {
            Ok(object) => {
                let report = std::mem::take(&mut job.report);
                let mut printer = Printer::new(&cx, &p, "", &operation)?;
                cx.out(&printer.one(&object)?).await;
                cx.err(&report).await;
            }
            Err(error) => errors.push(error),
        }
    }
    Error::collect(errors)
}

/// What the two kinds of roles have in common.
trait RoleKind: Typed {
    fn rules(&mut self) -> &mut Option<Vec<PolicyRule>>;
}

impl RoleKind for Role {
    fn rules(&mut self) -> &mut Option<Vec<PolicyRule>> {
        &mut self.rules
    }
}

impl RoleKind for ClusterRole {
    fn rules(&mut self) -> &mut Option<Vec<PolicyRule>> {
        &mut self.rules
    }
}

/// What the two kinds of bindings have in common.
trait BindingKind: Typed {
    fn role(&self) -> &RoleRef;
    fn subjects(&mut self) -> &mut Option<Vec<Subject>>;
}

impl BindingKind for RoleBinding {
    fn role(&self) -> &RoleRef {
        &self.role_ref
    }

    fn subjects(&mut self) -> &mut Option<Vec<Subject>> {
        &mut self.subjects
    }
}

impl BindingKind for ClusterRoleBinding {
    fn role(&self) -> &RoleRef {
        &self.role_ref
    }

    fn subjects(&mut self) -> &mut Option<Vec<Subject>> {
        &mut self.subjects
    }
}

struct Job<'a> {
    conn: &'a Conn,
    p: &'a Parsed,
    confirm: bool,
    report: String,
}

fn list<T: Clone>(list: &Option<Vec<T>>) -> Vec<T> {
    list.clone().unwrap_or_default()
}

/// Labels and annotations that the wanted object has and the other lacks or has otherwise.
fn merge(have: &mut ObjectMeta, wanted: &ObjectMeta) {
    if let Some(labels) = &wanted.labels {
        have.labels.get_or_insert_default().extend(labels.clone());
    }
    if let Some(notes) = &wanted.annotations {
        have.annotations.get_or_insert_default().extend(notes.clone());
    }
}

fn is_protected(meta: &ObjectMeta) -> bool {
    meta.annotations.as_ref().and_then(|a| a.get(AUTOUPDATE)).is_some_and(|v| v == "false")
}

fn show_rule(rule: &PolicyRule) -> String {
    let text = |items: &Option<Vec<String>>| items.as_deref().unwrap_or_default().join(" ");
    format!(
        "{{Verbs:[{}] APIGroups:[{}] Resources:[{}] ResourceNames:[{}] NonResourceURLs:[{}]}}",
        rule.verbs.join(" "),
        text(&rule.api_groups),
        text(&rule.resources),
        text(&rule.resource_names),
        text(&rule.non_resource_urls)
    )
}

fn show_subject(subject: &Subject) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    format!(
        "{{Kind:{} APIGroup:{} Name:{} Namespace:{}}}",
        subject.kind,
        text(&subject.api_group),
        subject.name,
        text(&subject.namespace)
    )
}

impl Job<'_> {
    fn read<T: Typed>(&self, value: serde_json::Value) -> Result<T, Error> {
        from_value(value).map_err(|e| Error::plain(e.to_string()))
    }

    fn find<T: Typed>(&self, namespace: &str, name: &str) -> Result<Option<T>, Error> {
        match self.conn.client.get::<T>(namespace, name) {
            Ok(found) => Ok(Some((*found).clone())),
            Err(status) if status.is_not_found() => Ok(None),
            Err(status) => Err(status.into()),
        }
    }

    fn create<T: Typed>(&self, object: T, namespace: &str) -> Result<serde_json::Value, Error> {
        if !self.confirm {
            return Ok(object.to_value());
        }
        if !namespace.is_empty() && self.find::<Namespace>("", namespace)?.is_none() {
            let mut place = Namespace::default();
            place.metadata.name = Some(namespace.to_owned());
            self.conn.client.create(place)?;
        }
        Ok(self.conn.client.create(object)?.to_value())
    }

    fn update<T: Typed>(&self, object: T) -> Result<serde_json::Value, Error> {
        if !self.confirm {
            return Ok(object.to_value());
        }
        Ok(self.conn.client.update(object)?.to_value())
    }

    fn say(&mut self, operation: &str, protected: bool) {
        let caveat = if protected {
            ", but object opted out (rbac.authorization.kubernetes.io/autoupdate: false)"
        } else {
            ""
        };
        self.report.push_str(&format!("\treconciliation required {operation}{caveat}\n"));
    }

    fn tell(&mut self, title: &str, items: Vec<String>) {
        if items.is_empty() {
            return;
        }
        self.report.push_str(&format!("\t{title}:\n"));
        items.iter().for_each(|item| self.report.push_str(&format!("\t\t{item}\n")));
    }

    fn role<T: RoleKind>(
        &mut self,
        value: serde_json::Value,
        namespace: &str,
    ) -> Result<serde_json::Value, Error> {
        let mut wanted: T = self.read(value)?;
        let name = wanted.metadata().name.clone().unwrap_or_default();
        let rules_wanted = list(wanted.rules());
        let Some(mut have) = self.find::<T>(namespace, &name)? else {
            self.say("create", false);
            self.tell("missing rules added", rules_wanted.iter().map(show_rule).collect());
            return self.create(wanted, namespace);
        };
        let before = have.clone();
        let protected = is_protected(have.metadata());
        merge(have.metadata_mut(), wanted.metadata());
        let had = list(have.rules());
        let missing = rules::compact(rules::uncovered(&had, &rules_wanted));
        let extra = rules::compact(rules::uncovered(&rules_wanted, &had));
        let remove = self.p.bool("remove-extra-permissions");
        if remove && !extra.is_empty() {
            *have.rules() = Some(rules_wanted);
        } else if !missing.is_empty() {
            have.rules().get_or_insert_default().extend(missing.clone());
        }
        if have == before {
            return Ok(have.to_value());
        }
        self.say("update", protected);
        self.tell("missing rules added", missing.iter().map(show_rule).collect());
        if remove {
            self.tell("extra rules removed", extra.iter().map(show_rule).collect());
        }
        if protected { Ok(before.to_value()) } else { self.update(have) }
    }

    fn binding<T: BindingKind>(
        &mut self,
        value: serde_json::Value,
        namespace: &str,
    ) -> Result<serde_json::Value, Error> {
        let mut wanted: T = self.read(value)?;
        let name = wanted.metadata().name.clone().unwrap_or_default();
        let subjects = list(wanted.subjects());
        let Some(mut have) = self.find::<T>(namespace, &name)? else {
            self.say("create", false);
            self.tell("missing subjects added", subjects.iter().map(show_subject).collect());
            return self.create(wanted, namespace);
        };
        let before = have.clone();
        let protected = is_protected(have.metadata());
        let had = list(have.subjects());
        let lacks = |all: &[Subject], of: &[Subject]| -> Vec<Subject> {
            all.iter().filter(|s| !of.contains(s)).cloned().collect()
        };
        let (missing, extra) = (lacks(&subjects, &had), lacks(&had, &subjects));
        if have.role() != wanted.role() {
            self.say("recreate", protected);
            self.tell("missing subjects added", missing.iter().map(show_subject).collect());
            if protected {
                return Ok(before.to_value());
            }
            if self.confirm {
                self.conn.client.delete::<T>(namespace, &name, &Default::default())?;
            }
            return self.create(wanted, namespace);
        }
        merge(have.metadata_mut(), wanted.metadata());
        let remove = self.p.bool("remove-extra-subjects");
        have.subjects().get_or_insert_default().extend(missing.clone());
        if remove {
            have.subjects().get_or_insert_default().retain(|s| subjects.contains(s));
        }
        if missing.is_empty()
            && !(remove && !extra.is_empty())
            && have.metadata() == before.metadata()
        {
            return Ok(before.to_value());
        }
        self.say("update", protected);
        self.tell("missing subjects added", missing.iter().map(show_subject).collect());
        if remove {
            self.tell("extra subjects removed", extra.iter().map(show_subject).collect());
        }
        if protected { Ok(before.to_value()) } else { self.update(have) }
    }
}
