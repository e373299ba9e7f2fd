//! Tables: the columns in which the server shows a kind (`Accept: …;as=Table`).
//!
//! One file a kind (or family), one line in [`PRINTERS`]; a kind without a line shows NAME and
//! its age. Models `pkg/printers/internalversion/printers.go`.

use super::ApiServer;
use crate::{
    api::{KindId, ObjRef, Object},
    sim::Time,
};

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// As the table carries it (`Name`, `Ready`); kubectl prints it in capitals.
    pub name: &'static str,
    /// 0: always shown; 1: with `-o wide`.
    pub priority: u8,
}

/// A kind's columns and how an object fills them.
pub struct Printer {
    /// The columns, `Name` first.
    pub columns: &'static [Column],
    /// One cell a column.
    pub row: fn(&RowCx, &dyn Object) -> Vec<String>,
}

/// What a row may look at besides the object.
pub struct RowCx {
    /// Now, for ages.
    pub now: Time,
}

/// Objects as a table.
pub struct Table {
    /// Columns, all priorities.
    pub columns: Vec<Column>,
    /// One row an object.
    pub rows: Vec<Row>,
}

/// A row.
pub struct Row {
    /// One cell a column.
    pub cells: Vec<String>,
    /// The object.
    pub object: ObjRef,
}

/// One line a kind, sorted by the kind's name.
const PRINTERS: &[(KindId, Printer)] = &[];

impl ApiServer {
    /// Objects of one kind as a table.
    pub fn table(&self, kind: KindId, objects: &[ObjRef]) -> Table {
        let printer = PRINTERS.iter().find(|(id, _)| *id == kind).map_or(&PLAIN, |(_, p)| p);
        let cx = RowCx { now: self.sim().now() };
        Table {
            columns: printer.columns.to_vec(),
            rows: objects
                .iter()
                .map(|o| Row { cells: (printer.row)(&cx, &**o), object: o.clone() })
                .collect(),
        }
    }
}

const PLAIN: Printer = Printer {
    columns: &[Column { name: "Name", priority: 0 }, Column { name: "Age", priority: 0 }],
    row: |cx, object| vec![object.name().to_string(), age(cx, object)],
};

/// An object's age as tables show it; `<unknown>` without a creation time.
pub fn age(cx: &RowCx, object: &dyn Object) -> String {
    let created = object.metadata().creation_timestamp.as_ref();
    created.map_or("<unknown>".into(), |t| crate::api::duration::human(cx.now.since(Time::from(t))))
}
