//! `kubectl describe`. Models `k8s.io/kubectl/pkg/cmd/describe`.

use crate::programs::kubectl::{
    Conn, Cx, Error, describe,
    flags::{Command, Complete, Flag, Parsed},
    manifest,
    resources::{self, Query, Selected},
    things::{self, Thing},
};

/// `kubectl describe`
pub static COMMAND: Command = Command {
    name: "describe",
    usage: "describe (-f FILENAME | TYPE [NAME_PREFIX | -l label] | TYPE/NAME)",
    short: "Show everything about objects",
    long: "Show objects in detail, with what belongs to them, such as their events.\n\n\
           A name may be cut short: what begins with it is shown if nothing is called exactly so.",
    examples: "# A node\nkubectl describe nodes minikube\n\n# A pod\nkubectl describe pods/web\n\n\
               # All pods with a label\nkubectl describe pods -l app=web",
    flags: &[
        &[
            Flag::bool("all-namespaces", false, "In all namespaces.").short("A"),
            Flag::int(
                "chunk-size",
                "500",
                "How many objects to ask for at once; the sandbox's \
                server sends them all.",
            ),
            Flag::str("selector", "", "Only objects with these labels.").short("l"),
            Flag::bool("show-events", true, "Show the objects' events too."),
        ],
        manifest::FLAGS,
    ],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    complete: Complete::Resources,
    ..Command::EMPTY
};

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    if p.args.is_empty() && !manifest::given(&p) {
        return Err(Error::plain(
            "You must specify the type of resource to describe. Use \"kubectl api-resources\" for a \
             complete list of supported resources.",
        ));
    }
    let conn = cx.connect(&p, 5)?;
    let query = Query {
        all_namespaces: p.bool("all-namespaces"),
        selector: p.str("selector").to_owned(),
        lists: true,
        ..Query::default()
    };
    let (found, mut errors) = if manifest::given(&p) {
        things::find(&cx, &conn, &p, &p.args, &query, false).await?
    } else {
        let selected = resources::select(&conn, &p.args, &query)?;
        let (found, errors) = things::fetch(&conn, &selected, &query);
        let prefix = matches!(&selected, Selected::Items(_)) && p.args.len() == 2;
        if let (true, Selected::Items(items), [error]) = (prefix, &selected, errors.as_slice()) {
            if error.is_not_found() && found.is_empty() {
                return by_prefix(&cx, &conn, items, error.clone()).await;
            }
        }
        (found, errors)
    };
    let empty = found.is_empty() && errors.is_empty();
    let several = found.len() > 1 || !errors.is_empty();
    let events = p.bool("show-events") && (!several || p.changed("show-events"));
    let mut first = true;
    for thing in &found {
        match text(&conn, thing, events) {
            Ok(text) => {
                // Two empty lines stand between objects.
                cx.out(&if first { text } else { format!("\n\n{text}") }).await;
                first = false;
            }
            Err(e) => errors.push(e),
        }
    }
    cx.warnings(&conn).await;
    if empty {
        if query.all_namespaces {
            cx.err("No resources found\n").await;
        } else {
            cx.err(&format!("No resources found in {} namespace.\n", conn.namespace)).await;
        }
    }
    Error::collect(errors)
}

fn text(conn: &Conn, thing: &Thing, events: bool) -> Result<String, Error> {
    let (namespace, name) = thing.key();
    Ok(describe::describe(&conn.client, thing.kind.storage(), namespace, name, events)?)
}

/// Objects whose names begin with what was given.
async fn by_prefix(
    cx: &Cx,
    conn: &Conn,
    items: &[resources::Item],
    not_found: Error,
) -> Result<(), Error> {
    let Some(item) = items.first() else { return Err(not_found) };
    let objects = resources::list(conn, &item.kind, &Query::default())?;
    let mut any = false;
    for object in objects.iter().filter(|o| o.name().starts_with(&item.name)) {
        // Upstream leaves events out here.
        let events = false;
        let (namespace, name) = (object.namespace(), object.name());
        let text = describe::describe(&conn.client, item.kind.storage(), namespace, name, events)?;
        cx.out(&format!("{text}\n\n")).await;
        any = true;
    }
    if any { Ok(()) } else { Err(not_found) }
}
