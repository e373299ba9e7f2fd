//! What verbs that change objects share: dry runs, validation, owners' notes, messages.

use serde_json::{Map, Value};

use super::{
    Conn, Cx, Error,
    flags::{Flag, Parsed},
    output::{self, Printer},
};
use crate::{
    api::{Kind, gofmt::quote, json},
    client::FieldValidation,
};

/// The annotation in which `apply` remembers what it sent.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// `--dry-run`.
pub const DRY_RUN: Flag = Flag::str(
    "dry-run",
    "none",
    "Must be \"none\", \"server\", or \"client\". With client nothing is sent and what would be sent \
     is shown; with server the request is made, but nothing is kept.",
)
.bare("unchanged");

/// `--validate`.
pub const VALIDATE: Flag = Flag::str(
    "validate",
    "strict",
    "What is done about fields that the kind does not have: strict (or true) refuses them, warn \
     warns, ignore (or false) drops them.",
)
.bare("strict");

/// `--field-manager`, with its default.
pub const fn field_manager(default: &'static str) -> Flag {
    Flag::str("field-manager", default, "The name under which changes are noted in managedFields.")
}

/// `--save-config`.
pub const SAVE_CONFIG: Flag = Flag::bool(
    "save-config",
    false,
    "Note the object in its annotations, so that it can be applied later.",
);

/// `--record`, which is old-fashioned.
pub const RECORD: Flag =
    Flag::bool("record", false, "Note the command in the object's annotations.")
        .deprecated("--record will be removed in the future");

/// The annotation in which `--record` notes the command.
pub const CHANGE_CAUSE: &str = "kubernetes.io/change-cause";

/// Notes the command in an object, if `--record` was given.
pub fn record(p: &Parsed, object: &mut Value) {
    if p.bool("record") {
        annotate(object, CHANGE_CAUSE, p.line());
    }
}

/// Whether and where a change is only tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DryRun {
    /// It is made.
    No,
    /// Nothing is sent.
    Client,
    /// It is sent and not kept.
    Server,
}

impl DryRun {
    /// From the flag. A bare or boolean value is old-fashioned and says so.
    pub async fn of(cx: &Cx, p: &Parsed) -> Result<DryRun, Error> {
        let value = p.str("dry-run");
        match value {
            "none" | "" => return Ok(DryRun::No),
            "client" => return Ok(DryRun::Client),
            "server" => return Ok(DryRun::Server),
            "unchanged" => {
                let text = "--dry-run is deprecated and can be replaced with --dry-run=client.";
                cx.err(&cx.klog('W', "helpers.go:714", text)).await;
                return Ok(DryRun::Client);
            }
            _ => {}
        }
        let Ok(on) = super::flags::parse_bool(value) else {
            return Err(Error::plain(format!(
                "Invalid dry-run value ({value}). Must be \"none\", \"server\", or \"client\"."
            )));
        };
        let (mode, word) = if on { (DryRun::Client, "client") } else { (DryRun::No, "none") };
        let text = format!(
            "--dry-run={value} is deprecated (boolean value) and can be replaced with \
             --dry-run={word}."
        );
        cx.err(&cx.klog('W', "helpers.go:733", &text)).await;
        Ok(mode)
    }

    /// What stands behind the verb in messages.
    pub fn suffix(self) -> &'static str {
        match self {
            DryRun::No => "",
            DryRun::Client => " (dry run)",
            DryRun::Server => " (server dry run)",
        }
    }

    /// The connection for it.
    pub fn on(self, mut conn: Conn) -> Conn {
        if self == DryRun::Server {
            conn.client = conn.client.dry_run();
        }
        conn
    }
}

/// What `--validate` says.
pub fn validation(p: &Parsed) -> Result<FieldValidation, Error> {
    match p.str("validate") {
        "strict" | "true" | "" => Ok(FieldValidation::Strict),
        "warn" => Ok(FieldValidation::Warn),
        "ignore" | "false" => Ok(FieldValidation::Ignore),
        other => Err(Error::plain(format!(
            "invalid - validate option {}; must be one of: strict (or true), warn, ignore (or false)",
            quote(other)
        ))),
    }
}

/// The parts of objects that `--subresource` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// None: the object itself.
    Main,
    /// `status`
    Status,
    /// `scale`
    Scale,
    /// `resize`
    Resize,
}

/// What `--subresource` says. Errors: it is none of those that the verb knows.
pub fn subresource(p: &Parsed, known: &[&str]) -> Result<Part, Error> {
    match p.str("subresource") {
        "" => Ok(Part::Main),
        "status" => Ok(Part::Status),
        "scale" => Ok(Part::Scale),
        "resize" if known.contains(&"resize") => Ok(Part::Resize),
        _ => Err(no_subresource()),
    }
}

/// The answer where a kind has no such subresource.
pub fn no_subresource() -> Error {
    let text = "the server could not find the requested resource";
    crate::api::Status::new(404, "NotFound", text).into()
}

/// A part of objects that the sandbox does not have.
pub fn not_here(part: &str) -> Error {
    Error::plain(format!("the subresource {part} is not simulated in this sandbox"))
}

/// `deployment.apps/web`.
pub fn named(kind: &Kind, name: &str) -> String {
    format!("{}/{name}", kind.singular_resource())
}

/// A field of an object by its path; `None` if it is not there.
pub fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |v, key| v.get(key))
}

/// The map at a path, made if it is not there. `None` if something else is in the way.
pub fn map_at<'a>(value: &'a mut Value, path: &[&str]) -> Option<&'a mut Map<String, Value>> {
    let mut here = value;
    for key in path {
        if here.is_null() {
            *here = Value::Object(Map::new());
        }
        here = here.as_object_mut()?.entry((*key).to_owned()).or_insert(Value::Null);
    }
    if here.is_null() {
        *here = Value::Object(Map::new());
    }
    here.as_object_mut()
}

/// Sets an annotation.
pub fn annotate(object: &mut Value, key: &str, value: impl Into<Value>) {
    if let Some(map) = map_at(object, &["metadata", "annotations"]) {
        map.insert(key.to_owned(), value.into());
    }
}

/// The object as `apply` notes it: without the note itself, annotations always there.
pub fn last_applied(object: &Value) -> String {
    let mut copy = object.clone();
    if let Some(map) = map_at(&mut copy, &["metadata", "annotations"]) {
        map.remove(LAST_APPLIED);
    }
    json::compact(&copy) + "\n"
}

/// Puts that note on the object.
pub fn note_last_applied(object: &mut Value) {
    let note = last_applied(object);
    annotate(object, LAST_APPLIED, note);
}

/// The same for an object that a generator made, in the order of Go's types.
pub fn note_typed(object: &mut Value) {
    let mut copy = object.clone();
    if let Some(Value::Object(map)) =
        copy.get_mut("metadata").and_then(|m| m.get_mut("annotations"))
    {
        map.remove(LAST_APPLIED);
    }
    annotate(object, LAST_APPLIED, json::compact_typed(&copy) + "\n");
}

/// Prints one object after a change: the message, or the object where `-o` says so.
pub async fn report(
    cx: &Cx,
    p: &Parsed,
    object: &Value,
    operation: &str,
    dry_run: DryRun,
) -> Result<(), Error> {
    let operation = format!("{operation}{}", dry_run.suffix());
    let mut printer = Printer::new(cx, p, "", &operation)?;
    printer.typed(dry_run == DryRun::Client);
    cx.out(&printer.one(object)?).await;
    Ok(())
}

/// Prints several objects: messages as they come, or one list.
pub struct Reports {
    printer: Printer,
}

impl Reports {
    /// For objects to which `operation` happens.
    pub fn new(cx: &Cx, p: &Parsed, operation: &str, dry_run: DryRun) -> Result<Reports, Error> {
        let operation = format!("{operation}{}", dry_run.suffix());
        Ok(Reports { printer: Printer::new(cx, p, "", &operation)? })
    }

    /// Whether JSON comes in the order of Go's types.
    pub fn typed(&mut self, typed: bool) {
        self.printer.typed(typed);
    }

    /// Prints one.
    pub async fn add(&mut self, cx: &Cx, object: &Value) -> Result<(), Error> {
        cx.out(&self.printer.one(object)?).await;
        Ok(())
    }
}

/// Flags of the output, for verbs that change objects.
pub const OUTPUT: &[Flag] = output::FLAGS;
