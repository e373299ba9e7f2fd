//! `sandbar why` and `sandbar trace`: which object is meant and how to reach its cluster is told as to
//! kubectl, with the same flags.

use std::rc::Rc;

use serde_json::Value;

use crate::{
    api::{Kind, json, object::to_value},
    explain,
    machine::{CompleteCx, Proc},
    programs::kubectl::{
        Conn, Cx, Error, complete,
        flags::{Command, Complete, Flag, Parsed, find},
        resources::{self, Query, Selected},
        verbs,
    },
};

const OUTPUT: Flag = Flag::str("output", "", "Output format: json.").short("o");

static WHY: Command =
    Command { name: "why", flags: &[&[OUTPUT]], complete: Complete::Resources, ..Command::EMPTY };

static TRACE: Command = Command {
    name: "trace",
    flags: &[&[
        OUTPUT,
        Flag::bool("all", false, "Every step, mere changes of status too."),
        Flag::int("depth", "-1", "Levels below the object's own writes."),
    ]],
    complete: Complete::Resources,
    ..Command::EMPTY
};

static ROOT: Command = Command { name: "sandbar", subcommands: &[&TRACE, &WHY], ..Command::EMPTY };

const WHY_HELP: &str = "\
Says why an object is as it is: for a pod why it is on its node or on none, node by node, and what
keeps its containers from running; for everything else what holds back what it owns, and who warned.

Examples:
  # Why does the pod wait?
  sandbar why pod/web

  # Why are not all replicas ready?
  sandbar why deploy/web -n shop

Options:
  -n, --namespace=''  The namespace to work in.
  -o, --output=''     Output format: json.

Usage:
  sandbar why (TYPE NAME | TYPE/NAME) [options]

Options of kubectl that say which cluster to ask and as whom are understood too.
";

const TRACE_HELP: &str = "\
Shows what led to an object and what it led to, as a tree with times: from the command that was typed
down to the containers that started. Objects that are gone are remembered for a while. Leases, events
and, without --all, changes of status that led to nothing else are left out.

Examples:
  # From 'kubectl create' to the containers
  sandbar trace deploy/web

  # Who deleted the pod?
  sandbar trace pod/web --depth=0

Options:
      --all=false     Every step, mere changes of status too.
      --depth=-1      Levels below the object's own writes; -1: all.
  -n, --namespace=''  The namespace to work in.
  -o, --output=''     Output format: json.

Usage:
  sandbar trace (TYPE NAME | TYPE/NAME) [options]

Options of kubectl that say which cluster to ask and as whom are understood too.
";

/// Runs `sandbar why …` or `sandbar trace …`.
pub async fn run(proc: Proc, args: &[String]) -> i32 {
    let cx = Cx::new(proc);
    match answer(&cx, args) {
        Ok(text) => {
            cx.out(&text).await;
            0
        }
        Err(error) => {
            cx.err(&error.text()).await;
            error.code()
        }
    }
}

fn answer(cx: &Cx, args: &[String]) -> Result<String, Error> {
    let found = find::find(&ROOT, &[verbs::GLOBAL], args).map_err(Error::Plain)?;
    let (command, path) = (found.command(), found.path());
    let flags = command.own_flags().chain(verbs::GLOBAL);
    let parsed = Parsed::read(&path, flags, &found.args)
        .map_err(|e| Error::Plain(format!("{e}\nSee '{path} --help' for usage.")))?;
    let is_why = command.name == "why";
    if parsed.help {
        return Ok(if is_why { WHY_HELP } else { TRACE_HELP }.to_string());
    }
    let format = parsed.str("output");
    if !["", "json"].contains(&format) {
        return Err(Error::plain(format!("there is no output format {format:?}; it knows json")));
    }
    let conn = cx.connect(&parsed, 0)?;
    let (kind, namespace, name) = object(&conn, &parsed)?;
    let width = cx.proc.any_tty().filter(|_| cx.proc.stdout_is_tty());
    let width = width.map_or(0, |tty| usize::from(tty.size().0));
    let key = (namespace.as_str(), name.as_str());
    let (value, text) = if is_why {
        why(&conn, &kind, key, width)?
    } else {
        trace(&conn, &kind, key, &parsed, width)?
    };
    Ok(if format == "json" { json::pretty(&value) + "\n" } else { text })
}

/// The one object that is meant.
fn object(conn: &Conn, parsed: &Parsed) -> Result<(Rc<Kind>, String, String), Error> {
    if parsed.args.is_empty() {
        let path = &parsed.path;
        return Err(Error::plain(format!(
            "{path} needs to be told of which object: {path} TYPE/NAME or {path} TYPE NAME\n\
             See '{path} --help' for examples."
        )));
    }
    match resources::select(conn, &parsed.args, &Query::default())? {
        Selected::Items(items) => match items.as_slice() {
            [one] => Ok((one.kind.clone(), one.namespace.clone(), one.name.clone())),
            _ => Err(Error::plain("one object at a time")),
        },
        Selected::Lists(_) => Err(Error::plain("one object at a time")),
    }
}

type Answer = (Value, String);

fn why(conn: &Conn, kind: &Kind, key: (&str, &str), width: usize) -> Result<Answer, Error> {
    let why = explain::why(&conn.client, kind, key.0, key.1)?;
    Ok((to_value(&why), explain::text::why(&why, width)))
}

fn trace(
    conn: &Conn,
    kind: &Kind,
    key: (&str, &str),
    parsed: &Parsed,
    width: usize,
) -> Result<Answer, Error> {
    conn.client.may_get(kind.id, key.0, key.1)?;
    let depth = usize::try_from(parsed.int("depth")).ok();
    let found = explain::trace(&conn.client, kind, key, depth, parsed.bool("all"));
    let Some(trace) = found else {
        // Not there and never heard of is told as the server tells it.
        conn.client.get_any(kind.id, key.0, key.1)?;
        let name = explain::called(kind, key.1);
        return Err(Error::plain(format!("what led to {name} is too long ago to be remembered")));
    };
    Ok((to_value(&trace), explain::text::trace(&trace, width)))
}

/// What Tab offers.
pub fn complete(cx: &CompleteCx) -> Vec<String> {
    complete::words_of(&ROOT, cx, cx.words.get(1..).unwrap_or_default())
}
