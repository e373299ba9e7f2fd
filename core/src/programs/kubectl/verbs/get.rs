//! `kubectl get`. Models `k8s.io/kubectl/pkg/cmd/get/get.go`.

use std::rc::Rc;

use serde_json::{Value, json};

use crate::{
    api::{Kind, ObjRef},
    client::{Op, Row, Table},
    programs::kubectl::{
        Conn, Cx, Error,
        flags::{Command, Complete, Flag, Parsed},
        global, manifest,
        output::{self, Printer},
        print::{
            sort_by,
            table::{Options, TablePrinter},
            tabwriter::Tabwriter,
        },
        resources::{self, Query, Selected},
    },
};

/// `kubectl get`
pub static COMMAND: Command = Command {
    name: "get",
    usage: "get [(-o|--output=)json|yaml|kyaml|name|go-template|go-template-file|template|templatefile|jsonpath|jsonpath-as-json|jsonpath-file|custom-columns|custom-columns-file|wide] (TYPE[.VERSION][.GROUP] [NAME | -l label] | TYPE[.VERSION][.GROUP]/NAME ...) [flags]",
    short: "Show one or many objects",
    long: "Show the most important information about objects, one line each.\n\n\
           Objects are named by type and name, or chosen by labels (--selector) and fields \
           (--field-selector). Without -A only those of one namespace are shown.\n\n\
           Use \"kubectl api-resources\" for a complete list of supported resources.",
    examples: "# All pods of the namespace\n\
        kubectl get pods\n\n\
        # With node and address\n\
        kubectl get pods -o wide\n\n\
        # One deployment as YAML\n\
        kubectl get deployment web -o yaml\n\n\
        # Pods and services with a label, in all namespaces\n\
        kubectl get pods,services -l app=web -A\n\n\
        # One field of one pod\n\
        kubectl get pod web -o jsonpath={.status.podIP}\n\n\
        # Go on and show what changes\n\
        kubectl get pods -w",
    flags: &[
        &[
            Flag::bool("all-namespaces", false, "Show the objects of all namespaces.").short("A"),
            Flag::int(
                "chunk-size",
                "500",
                "How many objects to ask for at once; the sandbox's \
                server sends them all.",
            ),
            Flag::str(
                "field-selector",
                "",
                "Only objects whose fields have these values: \
                field=value, field!=value.",
            ),
            Flag::bool("ignore-not-found", false, "Say nothing if an object does not exist."),
            Flag::slice("label-columns", "Labels that get a column each.").short("L"),
            Flag::bool("no-headers", false, "Leave the headers out."),
            Flag::bool(
                "output-watch-events",
                false,
                "Tell with --watch what happened to each \
                object: ADDED, MODIFIED, DELETED.",
            ),
            Flag::str("raw", "", "A path to ask the server for, as it is."),
            Flag::str("selector", "", "Only objects with these labels: a=b, a!=b, a in (b,c).")
                .short("l"),
            Flag::bool("server-print", true, "Let the server choose the columns."),
            Flag::bool("show-kind", false, "Put the kind before each name."),
            Flag::bool("show-labels", false, "Show all labels in the last column."),
            Flag::str("sort-by", "", "Sort by the field that this JSONPath names."),
            Flag::str("subresource", "", "A part of the object: status, scale."),
            Flag::bool("watch", false, "Go on and show what changes.").short("w"),
            Flag::bool("watch-only", false, "Show only what changes, not what is there now."),
        ],
        manifest::FLAGS,
        output::FLAGS,
    ],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    complete: Complete::Resources,
    ..Command::EMPTY
};

/// What the flags say about columns.
fn options(p: &Parsed) -> Options {
    Options {
        no_headers: p.bool("no-headers"),
        wide: p.str("output") == "wide",
        show_labels: p.bool("show-labels"),
        column_labels: p.list("label-columns").to_vec(),
        ..Options::default()
    }
}

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    if !p.str("raw").is_empty() {
        return raw(&cx, &p).await;
    }
    let watching = p.bool("watch") || p.bool("watch-only");
    if !p.str("sort-by").is_empty() && p.bool("watch") {
        cx.err("warning: --watch requested, --sort-by will be ignored for watch events received\n")
            .await;
    } else if !p.str("sort-by").is_empty() && p.bool("watch-only") {
        cx.err("warning: --watch-only requested, --sort-by will be ignored\n").await;
    }
    if !watching && p.args.is_empty() && !manifest::given(&p) {
        cx.err(
            "You must specify the type of resource to get. Use \"kubectl api-resources\" for a \
             complete list of supported resources.\n\n",
        )
        .await;
        return Err(Error::usage(
            &p.path,
            "Required resource not specified.\nUse \"kubectl explain <resource>\" for a detailed \
             description of that resource (e.g. kubectl explain pods).",
        ));
    }
    validate(&p)?;
    let conn = cx.connect(&p, 5)?;
    let query = Query {
        all_namespaces: p.bool("all-namespaces"),
        selector: p.str("selector").to_owned(),
        fields: p.str("field-selector").to_owned(),
        lists: true,
        single_type: watching,
        subresource: !p.str("subresource").is_empty(),
        ..Query::default()
    };
    let selected = selection(&cx, &conn, &p, &query).await?;
    if watching {
        return watch(&cx, &conn, &p, &query, &selected).await;
    }
    let result = match Printer::for_get(&cx, &p) {
        Ok(Some(printer)) => generic(&cx, &conn, &p, &query, &selected, printer).await,
        Ok(None) => tables(&cx, &conn, &p, &query, &selected).await,
        Err(e) => Err(e),
    };
    cx.warnings(&conn).await;
    result
}

fn validate(p: &Parsed) -> Result<(), Error> {
    let output = p.str("output");
    if p.bool("show-labels") && !["", "wide"].contains(&output) {
        let text = format!("--show-labels option cannot be used with {output} printer");
        return Err(Error::plain(text));
    }
    if !p.list("label-columns").is_empty() && output.starts_with("custom-columns") {
        let text = format!("--label-columns option cannot be used with {output} printer");
        return Err(Error::plain(text));
    }
    if p.bool("output-watch-events") && !(p.bool("watch") || p.bool("watch-only")) {
        return Err(Error::plain(
            "--output-watch-events option can only be used with --watch or --watch-only",
        ));
    }
    Ok(())
}

/// What is meant: arguments, or the objects of files.
async fn selection(cx: &Cx, conn: &Conn, p: &Parsed, query: &Query) -> Result<Selected, Error> {
    if !manifest::given(p) {
        return resources::select(conn, &p.args, query);
    }
    let (found, error) = manifest::read(cx, conn, p, false).await;
    if let Some(error) = error {
        // What building a kustomization says is wrapped twice upstream, and told bare.
        let wrapped = error.message().starts_with("must build at directory");
        return Err(if wrapped { Error::Many(vec![error]) } else { error });
    }
    if !p.args.is_empty() {
        return Err(Error::plain(
            "when paths, URLs, or stdin is provided as input, you may not specify resource \
             arguments as well",
        ));
    }
    let item = |m: manifest::Manifest| resources::Item {
        namespace: m.namespace().to_owned(),
        name: m.name().to_owned(),
        kind: m.kind,
    };
    Ok(Selected::Items(found.into_iter().map(item).collect()))
}

/// What upstream logs of objects where it looks for a table.
const NO_TABLE: &str = "Unable to decode server response into a Table. Falling back to hardcoded \
                        types: attempt to decode non-Table object";

/// Objects grouped by kind in the order in which they were asked for; one group a list or item.
type Groups = Vec<(Rc<Kind>, Vec<ObjRef>)>;

fn gather(conn: &Conn, p: &Parsed, query: &Query, selected: &Selected) -> (Groups, Vec<Error>) {
    let (mut groups, mut errors) = (Vec::new(), Vec::new());
    match selected {
        Selected::Lists(kinds) => {
            for kind in kinds {
                match resources::list(conn, kind, query) {
                    Ok(objects) => groups.push((kind.clone(), objects)),
                    Err(e) => errors.push(e),
                }
            }
        }
        Selected::Items(items) => {
            for item in items {
                let sub = p.str("subresource");
                if !sub.is_empty() && !item.kind.subresources.contains(&sub) {
                    let text = "the server could not find the requested resource";
                    errors.push(crate::api::Status::new(404, "NotFound", text).into());
                    continue;
                }
                match conn.client.get_any(item.kind.id, &item.namespace, &item.name) {
                    Ok(object) => groups.push((item.kind.clone(), vec![object])),
                    Err(e) if e.is_not_found() && p.bool("ignore-not-found") => {}
                    Err(e) => errors.push(e.into()),
                }
            }
        }
    }
    (groups, errors)
}

async fn tables(
    cx: &Cx,
    conn: &Conn,
    p: &Parsed,
    query: &Query,
    selected: &Selected,
) -> Result<(), Error> {
    let (groups, errors) = gather(conn, p, query, selected);
    cx.warnings(conn).await;
    let several = groups.iter().any(|(kind, _)| kind.id != groups[0].0.id);
    let with_kind = (several && groups.len() > 1) || p.bool("show-kind");
    let all_namespaced = !query.all_namespaces && groups.iter().all(|(kind, _)| kind.namespaced);
    let mut text = String::new();
    let mut out = Tabwriter::table();
    let mut printer = TablePrinter::default();
    let mut last: Option<Rc<Kind>> = None;
    if groups.len() > 1 && !p.str("sort-by").is_empty() {
        // Upstream looks for the field in the tables themselves, where it is not.
        let path = crate::programs::kubectl::print::jsonpath::relaxed(p.str("sort-by"))?;
        let text = format!("couldn't find any field with path \"{path}\" in the list of objects");
        return Err(Error::plain(text));
    }
    for (kind, objects) in groups {
        let plain = p.str("subresource") == "scale" || !p.bool("server-print");
        let mut table = if plain {
            conn.client.plain_table(&objects)
        } else {
            conn.client.table(kind.id, &objects)
        };
        // What cannot be sorted is not shown; upstream does not tell why either.
        if objects.len() > 1 && sort_table(&mut table, p).is_err() {
            table.rows.clear();
        }
        let mut options = options(p);
        options.with_namespace = query.all_namespaces && kind.namespaced;
        if with_kind {
            options.kind = kind.singular_resource();
        }
        if last.as_ref().is_none_or(|l| l.id != kind.id) {
            text.push_str(&out.flush());
            out = Tabwriter::table();
            printer = TablePrinter::default();
            if !text.is_empty() && !table.rows.is_empty() && !options.no_headers {
                text.push('\n');
            }
            last = Some(kind);
        }
        printer.print(&table, &options, &mut out);
    }
    text.push_str(&out.flush());
    cx.out(&text).await;
    if text.is_empty() && errors.is_empty() && !p.bool("ignore-not-found") {
        if all_namespaced {
            cx.err(&format!("No resources found in {} namespace.\n", conn.namespace)).await;
        } else {
            cx.err("No resources found\n").await;
        }
    }
    Error::collect(errors)
}

fn sort_table(table: &mut Table, p: &Parsed) -> Result<(), Error> {
    let path = p.str("sort-by");
    if path.is_empty() {
        return Ok(());
    }
    let rows = std::mem::take(&mut table.rows);
    let keyed: Vec<(Value, Row)> = rows.into_iter().map(|r| (r.object.to_value(), r)).collect();
    let sorted = sort_by::sort(keyed, path, |(value, _)| value)?;
    table.rows = sorted.into_iter().map(|(_, row)| row).collect();
    Ok(())
}

async fn generic(
    cx: &Cx,
    conn: &Conn,
    p: &Parsed,
    query: &Query,
    selected: &Selected,
    mut printer: Printer,
) -> Result<(), Error> {
    let (groups, mut errors) = gather(conn, p, query, selected);
    let single = matches!(selected, Selected::Items(items) if items.len() == 1);
    if single && !errors.is_empty() {
        return Error::collect(errors);
    }
    let mut values: Vec<Value> =
        groups.iter().flat_map(|(_, objects)| objects).map(|o| conn.value(o)).collect();
    if p.bool("ignore-not-found") && values.is_empty() {
        return Error::collect(errors);
    }
    if p.str("subresource") == "scale" {
        values = scales(conn, selected)?;
    }
    if !p.str("sort-by").is_empty() && values.len() > 1 {
        values = sort_by::sort(values, p.str("sort-by"), |v| v)?;
    }
    if cx.log.level() >= 2 && ["name", "go-template"].iter().any(|o| p.str("output").starts_with(o))
    {
        // These formats are printed by what was made for tables, which looks for one in vain.
        cx.log.info(&cx.proc, "table_printer.go:45", NO_TABLE);
    }
    if single && values.len() == 1 {
        cx.out(&printer.one(&values[0])?).await;
        return Ok(());
    }
    let list = json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""},
        "items": values});
    match printer.one(&list) {
        Ok(text) => cx.out(&text).await,
        Err(e) => errors.push(e),
    }
    Error::collect(errors)
}

/// The Scale subresources of named objects.
fn scales(conn: &Conn, selected: &Selected) -> Result<Vec<Value>, Error> {
    let Selected::Items(items) = selected else { return Ok(Vec::new()) };
    items.iter().map(|item| scale(conn, &item.kind, (&item.namespace, &item.name))).collect()
}

/// The Scale subresource of an object.
pub(super) fn scale(conn: &Conn, kind: &Kind, key: (&str, &str)) -> Result<Value, Error> {
    let (object, (wanted, there, selector)) = conn.client.get_scale(kind.id, key.0, key.1)?;
    let meta = object.to_value();
    let mut kept = serde_json::Map::new();
    for key in ["creationTimestamp", "name", "namespace", "resourceVersion", "uid"] {
        if let Some(value) = meta.get("metadata").and_then(|m| m.get(key)) {
            kept.insert(key.into(), value.clone());
        }
    }
    Ok(json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": kept,
        "spec": {"replicas": wanted}, "status": {"replicas": there, "selector": selector}}))
}

async fn watch(
    cx: &Cx,
    conn: &Conn,
    p: &Parsed,
    query: &Query,
    selected: &Selected,
) -> Result<(), Error> {
    let (kind, mut query, objects) = match selected {
        Selected::Lists(kinds) => {
            let Some(kind) = kinds.first() else { return Err(Error::plain(resources::MISSING)) };
            (kind.clone(), query.clone(), resources::list(conn, kind, query)?)
        }
        Selected::Items(items) => {
            let Some(item) = items.first() else { return Err(Error::plain(resources::MISSING)) };
            if items.len() > 1 {
                return Err(Error::plain(
                    "watch is only supported on individual resources and resource collections - more than 1 resource was found",
                ));
            }
            let got = conn.client.get_any(item.kind.id, &item.namespace, &item.name);
            match got {
                Err(e) if e.is_not_found() && p.bool("ignore-not-found") => return Ok(()),
                Err(e) => return Err(e.into()),
                Ok(object) => {
                    let fields = format!("metadata.name={}", item.name);
                    (item.kind.clone(), Query { fields, ..query.clone() }, vec![object])
                }
            }
        }
    };
    let options = resources::list_options(&kind, &query)?;
    query.all_namespaces |= !kind.namespaced;
    let namespace = (!query.all_namespaces).then_some(conn.namespace.as_str());
    let since = Some(conn.client.revision());
    let mut stream = conn
        .client
        .watch(kind.id, namespace, &options, since)
        .map_err(|s| resources::unable(&kind, &query, s))?;
    let mut show = Show::new(cx, p, &kind)?;
    if !p.bool("watch-only") {
        let mut text = String::new();
        for object in &objects {
            text.push_str(&show.event(conn, Op::Added, object)?);
        }
        text.push_str(&show.flush());
        cx.out(&text).await;
    }
    let shown = async {
        while let Some(event) = stream.next().await {
            let mut text = show.event(conn, event.op, &event.object)?;
            text.push_str(&show.flush());
            cx.out(&text).await;
        }
        Ok(())
    };
    global::within(cx, p, shown).await?.unwrap_or(Ok(()))
}

/// Prints the events of a watch.
struct Show {
    kind: Rc<Kind>,
    printer: Option<Printer>,
    options: Options,
    tables: TablePrinter,
    out: Tabwriter,
    events: bool,
}

impl Show {
    fn new(cx: &Cx, p: &Parsed, kind: &Rc<Kind>) -> Result<Show, Error> {
        let mut options = options(p);
        options.with_namespace = p.bool("all-namespaces") && kind.namespaced;
        if p.bool("show-kind") {
            options.kind = kind.singular_resource();
        }
        Ok(Show {
            kind: kind.clone(),
            printer: Printer::for_get(cx, p)?,
            options,
            tables: TablePrinter::default(),
            out: Tabwriter::table(),
            events: p.bool("output-watch-events"),
        })
    }

    fn event(&mut self, conn: &Conn, op: Op, object: &ObjRef) -> Result<String, Error> {
        let word = match op {
            Op::Added => "ADDED",
            Op::Modified => "MODIFIED",
            Op::Deleted => "DELETED",
        };
        let Some(printer) = &mut self.printer else {
            if self.events {
                self.options.event = word.to_owned();
            }
            let table = conn.client.table(self.kind.id, std::slice::from_ref(object));
            self.tables.print(&table, &self.options, &mut self.out);
            return Ok(String::new());
        };
        let mut value = conn.value(object);
        if self.events && !printer.is_name() {
            output::strip_managed_fields(&mut value);
            value = json!({"type": word, "object": value});
        }
        printer.one(&value)
    }

    fn flush(&mut self) -> String {
        self.out.flush()
    }
}

/// `--raw`: what the server answers to a path.
async fn raw(cx: &Cx, p: &Parsed) -> Result<(), Error> {
    if !p.args.is_empty() {
        return Err(Error::plain("arguments may not be passed when --raw is specified"));
    }
    if p.bool("watch") || p.bool("watch-only") || !p.str("selector").is_empty() {
        return Err(Error::plain(
            "--raw may not be specified with other flags that filter the server request or alter \
             the output",
        ));
    }
    if !p.str("output").is_empty() {
        return Err(Error::plain("--raw and --output are mutually exclusive"));
    }
    let conn = cx.connect(p, 0)?;
    crate::programs::kubectl::raw::send(cx, &conn, p, "GET", Vec::new()).await
}
