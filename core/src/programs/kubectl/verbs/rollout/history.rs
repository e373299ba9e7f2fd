//! `kubectl rollout history`.

use super::{SELECTOR, revisions, workloads};
use crate::programs::kubectl::{
    Conn, Cx, Error,
    flags::{Command, Complete, Flag, Parsed},
    manifest,
    output::Printer,
    print::tabwriter::Tabwriter,
    things::Thing,
    write,
};

/// `kubectl rollout history`
pub(super) static COMMAND: Command = Command {
    name: "history",
    usage: "history (TYPE NAME | TYPE/NAME) [flags]",
    short: "Show earlier rollouts",
    long: "Show the revisions that a workload has had, or what one of them was like.",
    examples: "# All revisions\nkubectl rollout history deployment/web\n\n\
               # What one was like\nkubectl rollout history daemonset/agent --revision=3",
    flags: &[
        &[Flag::int("revision", "0", "Show this revision in detail.")],
        SELECTOR,
        manifest::FLAGS,
        write::OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    complete: Complete::Resources,
    ..Command::EMPTY
};

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    let revision = p.int("revision");
    if revision < 0 {
        return Err(Error::plain(format!("revision must be a positive integer: {revision}")));
    }
    let conn = cx.connect(&p, 5)?;
    let (found, mut errors) = workloads(&cx, &conn, &p).await?;
    for thing in found {
        match show(&cx, &conn, &p, &thing, revision).await {
            Ok(text) => cx.out(&text).await,
            Err(e) => errors.push(e),
        }
    }
    Error::collect(errors)
}

async fn show(
    cx: &Cx,
    conn: &Conn,
    p: &Parsed,
    thing: &Thing,
    revision: i64,
) -> Result<String, Error> {
    let all = revisions::of(conn, thing, "history viewer")?;
    let missing = || Error::plain("unable to find the specified revision");
    if p.changed("output") || !p.str("template").is_empty() {
        let mut printer = Printer::new(cx, p, "", "")?;
        let mut text = String::new();
        for one in all.iter().filter(|r| revision == 0 || r.number == revision) {
            text.push_str(&printer.one(&one.object)?);
        }
        return if text.is_empty() && revision > 0 { Err(missing()) } else { Ok(text) };
    }
    let body = if all.is_empty() {
        "No rollout history found.".to_owned()
    } else if revision > 0 {
        all.iter().find(|r| r.number == revision).ok_or_else(missing)?.text()?
    } else {
        let mut out = Tabwriter::describe();
        out.write("REVISION\tCHANGE-CAUSE\n");
        for one in &all {
            let cause = if one.cause.is_empty() { "<none>" } else { &one.cause };
            out.write(&format!("{}\t{cause}\n", one.number));
        }
        out.flush()
    };
    let with = if revision > 0 { format!("with revision #{revision}") } else { String::new() };
    Ok(format!("{} {with}\n{body}\n", thing.named()))
}
