//! Server-side tables on a terminal: `kubectl get` without `-o`, and with `-o wide`.
//!
//! Models `k8s.io/cli-runtime/pkg/printers/tableprinter.go`.

use std::collections::BTreeMap;

use super::tabwriter::Tabwriter;
use crate::client::{Column, Row, Table};

/// How a table is to be shown.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `--no-headers`.
    pub no_headers: bool,
    /// A NAMESPACE column in front (`-A`).
    pub with_namespace: bool,
    /// What names are prefixed with, e.g. `deployment.apps`; empty for no prefix.
    pub kind: String,
    /// `-o wide`.
    pub wide: bool,
    /// `--show-labels`.
    pub show_labels: bool,
    /// `-L`: labels that get a column.
    pub column_labels: Vec<String>,
    /// What stands in an EVENT column in front (`--output-watch-events`); empty for none.
    pub event: String,
}

/// Prints tables one after the other; headers appear again only when the columns change.
#[derive(Clone, Debug, Default)]
pub struct TablePrinter {
    last_columns: Vec<Column>,
    printed_headers: bool,
}

impl TablePrinter {
    /// Writes a table to `out`, which lines it up when flushed. A table without columns has those of
    /// the last one.
    pub fn print(&mut self, table: &Table, options: &Options, out: &mut Tabwriter) {
        let same = table.columns.is_empty() || table.columns == self.last_columns;
        let no_headers = options.no_headers || (self.printed_headers && same);
        if !same {
            self.last_columns = table.columns.clone();
            self.printed_headers = false;
        }
        if table.rows.is_empty() {
            return;
        }
        self.printed_headers = true;
        let shown: Vec<usize> = (0..self.last_columns.len())
            .filter(|&i| options.wide || self.last_columns[i].priority == 0)
            .collect();
        if !no_headers {
            let mut names = front(options, "EVENT", "NAMESPACE");
            names.extend(shown.iter().map(|&i| self.last_columns[i].name.to_uppercase()));
            for label in &options.column_labels {
                names.push(label.rsplit('/').next().unwrap_or(label).to_uppercase());
            }
            names.extend(options.show_labels.then(|| "LABELS".to_owned()));
            out.write(&names.join("\t"));
            out.write("\n");
        }
        for row in &table.rows {
            write_row(row, &shown, options, out);
        }
    }
}

fn front(options: &Options, event: &str, namespace: &str) -> Vec<String> {
    let mut cells = Vec::new();
    if !options.event.is_empty() {
        cells.push(event.to_owned());
    }
    if options.with_namespace {
        cells.push(namespace.to_owned());
    }
    cells
}

fn write_row(row: &Row, shown: &[usize], options: &Options, out: &mut Tabwriter) {
    let meta = row.object.metadata();
    let namespace = meta.namespace.as_deref().unwrap_or_default();
    let mut cells = front(options, &format!("{:<8}", options.event), namespace);
    for &i in shown {
        let cell = row.cells.get(i).map(|c| cell_text(c)).unwrap_or_default();
        let prefixed = i == 0 && !options.kind.is_empty();
        cells.push(if prefixed { format!("{}/{cell}", options.kind) } else { cell });
    }
    let label = |key: &String| meta.labels.as_ref().and_then(|l| l.get(key)).cloned();
    for key in &options.column_labels {
        cells.push(label(key).unwrap_or_default());
    }
    if options.show_labels {
        cells.push(format_labels(meta.labels.as_ref()));
    }
    out.write(&cells.join("\t"));
    out.write("\n");
}

/// Labels as `a=b,c=d`, or `<none>`.
pub fn format_labels(labels: Option<&BTreeMap<String, String>>) -> String {
    let pairs: Vec<String> =
        labels.into_iter().flatten().map(|(k, v)| format!("{k}={v}")).collect();
    if pairs.is_empty() { "<none>".into() } else { pairs.join(",") }
}

/// A cell on one line: cut at the first line end, with nothing in it that moves a cursor.
fn cell_text(text: &str) -> String {
    match text.find(['\n', '\r', '\x0c']) {
        Some(at) => escape_terminal(&text[..at]) + "...",
        None => escape_terminal(text),
    }
}

/// Escape characters become `^[`, as upstream's `WriteEscaped`.
pub fn escape_terminal(text: &str) -> String {
    text.replace('\x1b', "^[").replace('\r', "\\r")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{DynamicObject, KindId};
    use expect_test::{Expect, expect};

    fn pods() -> Table {
        let column = |name, priority| Column { name, priority };
        let row = |name: &str, ip: &str| {
            let mut object = DynamicObject {
                kind_id: KindId(0),
                api_version: "v1".into(),
                kind: "Pod".into(),
                metadata: Default::default(),
                rest: Default::default(),
            };
            object.metadata.namespace = Some("dev".into());
            let labels = [("app".into(), "shop".into()), ("x/tier".into(), name.into())];
            object.metadata.labels = Some(labels.into());
            let cells = [name, "1/1", "0", ip].map(String::from).to_vec();
            Row { cells, object: std::rc::Rc::new(object) }
        };
        Table {
            columns: vec![
                column("Name", 0),
                column("Ready", 0),
                column("Restarts", 0),
                column("IP", 1),
            ],
            rows: vec![row("alpha", "10.0.0.1"), row("b", "x\ny")],
        }
    }

    fn check(options: Options, want: Expect) {
        let mut out = Tabwriter::table();
        TablePrinter::default().print(&pods(), &options, &mut out);
        want.assert_eq(&out.flush());
    }

    #[test]
    fn columns_follow_the_options() {
        check(
            Options::default(),
            expect![[r#"
            NAME    READY   RESTARTS
            alpha   1/1     0
            b       1/1     0
        "#]],
        );
        check(
            Options { wide: true, with_namespace: true, kind: "pod".into(), ..Options::default() },
            expect![[r#"
                NAMESPACE   NAME        READY   RESTARTS   IP
                dev         pod/alpha   1/1     0          10.0.0.1
                dev         pod/b       1/1     0          x...
            "#]],
        );
        check(
            Options {
                show_labels: true,
                column_labels: vec!["x/tier".into(), "no".into()],
                event: "ADDED".into(),
                ..Options::default()
            },
            expect![[r#"
                EVENT      NAME    READY   RESTARTS   TIER    NO    LABELS
                ADDED      alpha   1/1     0          alpha         app=shop,x/tier=alpha
                ADDED      b       1/1     0          b             app=shop,x/tier=b
            "#]],
        );
    }

    #[test]
    fn headers_come_once() {
        let (mut out, mut printer) = (Tabwriter::table(), TablePrinter::default());
        printer.print(&pods(), &Options::default(), &mut out);
        out.flush();
        printer.print(&pods(), &Options::default(), &mut out);
        assert_eq!(out.flush(), "alpha   1/1     0\nb       1/1     0\n");
    }
}
