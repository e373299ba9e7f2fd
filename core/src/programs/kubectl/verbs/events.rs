//! `kubectl events`. Models `k8s.io/kubectl/pkg/cmd/events`.

use std::rc::Rc;

use k8s_openapi::api::core::v1::Event;
use serde_json::json;

use crate::{
    api::{Kind, Typed, duration, object::downcast_rc, object::to_value},
    client::{ListOptions, Op},
    programs::kubectl::{
        Cx, Error,
        flags::{Command, Flag, Parsed},
        global, output,
        print::{table::escape_terminal, tabwriter::Tabwriter},
        resources,
    },
    sim::Time,
};

/// `kubectl events`
pub static COMMAND: Command = Command {
    name: "events",
    usage: "events [(-o|--output=)json|yaml|kyaml|name|go-template|go-template-file|template|templatefile|jsonpath|jsonpath-as-json|jsonpath-file] [--for TYPE/NAME] [--watch] [--types=Normal,Warning]",
    short: "List events",
    long: "List what happened lately, oldest first, and go on with --watch.",
    examples: "# Of the namespace\nkubectl events\n\n# About one pod, and what comes\n\
               kubectl events --for pod/web --watch\n\n# Only what went wrong\n\
               kubectl events --types=Warning",
    flags: &[
        &[
            Flag::bool("all-namespaces", false, "Of all namespaces.").short("A"),
            Flag::int(
                "chunk-size",
                "500",
                "How many objects to ask for at once; the sandbox's \
                server sends them all.",
            ),
            Flag::str("for", "", "Only those about this object: TYPE/NAME."),
            Flag::bool("no-headers", false, "Leave the headers out."),
            Flag::slice("types", "Only events of these types: Normal, Warning."),
            Flag::bool("watch", false, "Go on and show what happens.").short("w"),
        ],
        output::FLAGS,
    ],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    ..Command::EMPTY
};

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    let known = |t: &String| ["normal", "warning"].contains(&t.to_lowercase().as_str());
    if !p.list("types").iter().all(known) {
        return Err(Error::plain("valid --types are Normal or Warning"));
    }
    let conn = cx.connect(&p, 0)?;
    let about = match p.str("for") {
        "" => None,
        text => {
            let (kind, name) = text
                .split_once('/')
                .ok_or_else(|| Error::plain("--for must be in resource/name form"))?;
            // What is not known is told without an introduction, other than elsewhere.
            let kind = resources::kind_for(&conn, kind).map_err(|e| Error::Bare(e.message()))?;
            Some((kind, name.to_owned()))
        }
    };
    let wanted = |event: &Event| {
        let kind = event.type_.clone().unwrap_or_default();
        let types = p.list("types");
        let fits = types.is_empty() || types.iter().any(|t| t.eq_ignore_ascii_case(&kind));
        fits && about.as_ref().is_none_or(|(kind, name)| concerns(event, kind, name))
    };
    let namespace = (!p.bool("all-namespaces")).then_some(conn.namespace.as_str());
    let now = || cx.proc.sim().now();
    let mut out = Tabwriter::table();
    if p.bool("watch") {
        // What is there comes first, as the server begins a watch.
        let since = Some(conn.client.revision());
        let mut stream = conn.client.watch(Event::ID, namespace, &ListOptions::default(), since)?;
        heading(&p, &mut out);
        let there: Vec<Rc<Event>> = conn.client.list(namespace);
        for event in there.iter().filter(|event| wanted(event)) {
            line(&p, event, now(), &mut out);
            cx.out(&out.flush()).await;
        }
        let shown = async {
            while let Some(change) = stream.next().await {
                let event = downcast_rc::<Event>(&change.object);
                let Some(event) = event.filter(|e| change.op != Op::Deleted && wanted(e)) else {
                    continue;
                };
                line(&p, &event, now(), &mut out);
                cx.out(&out.flush()).await;
            }
        };
        global::within(&cx, &p, shown).await?;
        return Ok(());
    }
    let mut events: Vec<Rc<Event>> = conn.client.list(namespace);
    events.retain(|e| wanted(e));
    if events.is_empty() {
        let text = match namespace {
            None => "No events found.\n".to_owned(),
            Some(namespace) => format!("No events found in {namespace} namespace.\n"),
        };
        cx.err(&text).await;
        return Ok(());
    }
    events.sort_by_key(|e| last(e));
    if p.str("output") == "name" {
        // Upstream's printer of names refuses lists, and nobody hears of it.
        return Ok(());
    }
    if !p.str("output").is_empty() {
        let items: Vec<_> = events.iter().map(|e| to_value(&**e)).collect();
        let list = json!({"apiVersion": "v1", "kind": "EventList", "metadata": {}, "items": items});
        let mut printer = output::Printer::new(&cx, &p, "", "")?;
        cx.out(&printer.one(&list)?).await;
        return Ok(());
    }
    heading(&p, &mut out);
    for event in &events {
        line(&p, event, now(), &mut out);
    }
    cx.out(&out.flush()).await;
    Ok(())
}

fn concerns(event: &Event, kind: &Kind, name: &str) -> bool {
    let object = &event.involved_object;
    object.kind.as_deref() == Some(&*kind.kind)
        && object.api_version.as_deref() == Some(&kind.api_version())
        && object.name.as_deref() == Some(name)
}

/// When an event was last seen.
fn last(event: &Event) -> Option<Time> {
    let series = event.series.as_ref().and_then(|s| s.last_observed_time.as_ref());
    let series = series.map(|t| Time::from_timestamp(t.0));
    let stamp = |t: &Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>| {
        t.as_ref().map(|t| Time::from_timestamp(t.0))
    };
    series
        .or_else(|| stamp(&event.last_timestamp))
        .or_else(|| event.event_time.as_ref().map(|t| Time::from_timestamp(t.0)))
}

fn heading(p: &Parsed, out: &mut Tabwriter) {
    if !p.bool("no-headers") {
        if p.bool("all-namespaces") {
            out.write("NAMESPACE\t");
        }
        out.write("LAST SEEN\tTYPE\tREASON\tOBJECT\tMESSAGE\n");
    }
}

fn line(p: &Parsed, event: &Event, now: Time, out: &mut Tabwriter) {
    let ago = |t: Option<Time>| t.map_or("<unknown>".to_owned(), |t| duration::human(now.since(t)));
    let first = event
        .event_time
        .as_ref()
        .map(|t| Time::from_timestamp(t.0))
        .or_else(|| event.first_timestamp.as_ref().map(|t| Time::from_timestamp(t.0)));
    let count = event.series.as_ref().and_then(|s| s.count).or(event.count).unwrap_or(0);
    let seen = if event.series.is_some() || count > 1 {
        format!("{} (x{count} over {})", ago(last(event)), ago(first))
    } else {
        ago(first)
    };
    if p.bool("all-namespaces") {
        out.write(&format!("{}\t", event.metadata.namespace.as_deref().unwrap_or("")));
    }
    let text = |t: &Option<String>| escape_terminal(t.as_deref().unwrap_or(""));
    out.write(&format!(
        "{seen}\t{}\t{}\t{}/{}\t{}\n",
        text(&event.type_),
        text(&event.reason),
        text(&event.involved_object.kind),
        text(&event.involved_object.name),
        text(&event.message).trim()
    ));
}
