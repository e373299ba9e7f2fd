//! `kubectl auth can-i`, `kubectl auth whoami`.
//!
//! There is no authorisation in the sandbox but that members of `system:masters` may do everything,
//! and who has credentials is one.

use crate::programs::kubectl::{
    Cx, Error,
    flags::{Command, Flag, Parsed},
    print::tabwriter::Tabwriter,
    resources,
};

/// `kubectl auth`
pub static COMMAND: Command = Command {
    name: "auth",
    usage: "auth",
    short: "Find out what you may do",
    subcommands: &[&CAN_I, &WHOAMI],
    ..Command::EMPTY
};

static CAN_I: Command = Command {
    name: "can-i",
    usage: "can-i VERB [TYPE | TYPE/NAME | NONRESOURCEURL]",
    short: "Tell whether you may do something",
    examples: "# May I create pods?\nkubectl auth can-i create pods",
    flags: &[&[
        Flag::bool("all-namespaces", false, "In all namespaces.").short("A"),
        Flag::bool("quiet", false, "Only the exit code.").short("q"),
        Flag::str("subresource", "", "A part of the objects: log, status."),
    ]],
    run: Some(|cx, p| Box::pin(can_i(cx, p))),
    ..Command::EMPTY
};

async fn can_i(cx: Cx, p: Parsed) -> Result<(), Error> {
    let [_, what] = p.args.as_slice() else {
        return Err(Error::plain(
            "you must specify two arguments: verb resource or verb resource/resourceName.\nSee 'kubectl auth can-i -h' for help and examples.",
        ));
    };
    let conn = cx.connect(&p, 0)?;
    let word = what.split('/').next().unwrap_or(what);
    if !what.starts_with('/') && word != "*" && resources::kind_for(&conn, word).is_err() {
        cx.err(&format!("Warning: the server doesn't have a resource type '{word}'\n\n")).await;
    }
    let allowed = conn.client.user().groups.iter().any(|g| g == "system:masters");
    if !p.bool("quiet") {
        cx.out(if allowed { "yes\n" } else { "no\n" }).await;
    }
    if allowed { Ok(()) } else { Err(Error::Exit(1)) }
}

static WHOAMI: Command = Command {
    name: "whoami",
    usage: "whoami",
    short: "Tell who you are to the server",
    examples: "# Who am I?\nkubectl auth whoami",
    run: Some(|cx, p| Box::pin(whoami(cx, p))),
    ..Command::EMPTY
};

async fn whoami(cx: Cx, p: Parsed) -> Result<(), Error> {
    let conn = cx.connect(&p, 0)?;
    let user = conn.client.user();
    let mut groups = user.groups.clone();
    if !groups.iter().any(|g| g == "system:authenticated") {
        groups.push("system:authenticated".into());
    }
    let mut out = Tabwriter::table();
    out.write(&format!(
        "ATTRIBUTE\tVALUE\nUsername\t{}\nGroups\t[{}]\n",
        user.name,
        groups.join(" ")
    ));
    cx.out(&out.flush()).await;
    Ok(())
}
