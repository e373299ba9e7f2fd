//! `kubectl edit`. Models `k8s.io/kubectl/pkg/cmd/util/editor`.

use serde_json::{Value, json};

use crate::{
    api::{gofmt::quote, json as gojson, patch, yaml},
    client::{PatchType, Subresource},
    machine,
    programs::kubectl::{
        Conn, Cx, Error,
        flags::{Command, Complete, Flag, Parsed},
        manifest, output,
        resources::Query,
        things::{self, Thing},
        write::{self, DryRun},
    },
};

/// `kubectl edit`
pub static COMMAND: Command = Command {
    name: "edit",
    usage: "edit (RESOURCE/NAME | -f FILENAME)",
    short: "Change an object in an editor",
    long: "Change an object in an editor.\n\nThe editor is the one that $KUBE_EDITOR or $EDITOR names, \
           or vi. What you save is sent; a file that is left as it was, or emptied, ends it.",
    examples: "# A service\nkubectl edit service/web\n\n# As JSON\nkubectl edit deployment/web -o json",
    flags: &[
        &[
            write::field_manager("kubectl-edit"),
            Flag::bool("output-patch", false, "Print what was sent."),
            Flag::bool("save-config", false, "Note the object in its annotations."),
            Flag::str("subresource", "", "A part of the object: status."),
            write::VALIDATE,
            Flag::bool("windows-line-endings", false, "Show lines to the editor with CR LF."),
        ],
        manifest::FLAGS,
        write::OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    complete: Complete::Resources,
    ..Command::EMPTY
};

/// What stands above an object in an editor.
pub(super) const HEADER: &str =
    "# Please edit the object below. Lines beginning with a '#' will be ignored,
# and an empty file will abort the edit. If an error occurs while saving this file will be
# reopened with the relevant failures.
#
";

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    let output = p.str("output");
    if !["", "json", "kyaml", "yaml"].contains(&output) {
        return Err(Error::plain(format!(
            "unable to match a printer suitable for the output format {}, allowed formats are: \
             json,kyaml,yaml",
            quote(output)
        )));
    }
    let conn = cx.connect(&p, 5)?;
    let (found, errors) = things::find(&cx, &conn, &p, &p.args, &Query::default(), true).await?;
    Error::collect(errors)?;
    let part = p.str("subresource");
    if !part.is_empty() && found.iter().any(|t| !t.kind.subresources.contains(&part)) {
        return Err(write::no_subresource());
    }
    if found.is_empty() {
        return Err(Error::plain("edit cancelled, no objects found"));
    }
    let mut original: Vec<Value> = found.iter().map(|t| t.object.clone()).collect();
    original.iter_mut().for_each(output::strip_managed_fields);
    let shown = match original.as_slice() {
        [one] => one.clone(),
        many => json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": many}),
    };
    let as_json = p.str("output") == "json";
    let text = if as_json { gojson::pretty(&shown) + "\n" } else { yaml::to_string(&shown) };
    let mut content = format!("{HEADER}{text}");
    let (mut before, mut old_file) = (String::new(), None::<String>);
    let mut failed = false;
    loop {
        let path = file_name(&cx, if as_json { "json" } else { "yaml" });
        let shown = match p.bool("windows-line-endings") {
            true => content.replace('\n', "\r\n"),
            false => content.clone(),
        };
        write_file(&cx, &path, &shown)?;
        let edited = match launch(&cx, &path).await {
            Ok(()) => cx.proc.read_text(&path).unwrap_or_default().replace("\r\n", "\n"),
            Err(e) => return Err(preserved(&cx, e, old_file.as_deref()).await),
        };
        // An editor that is a script could go on for ever; at least time passes.
        cx.proc.sleep(std::time::Duration::from_millis(50)).await;
        if failed && same(&before, &edited) {
            let text = "Edit cancelled, no valid changes were saved.";
            return Err(preserved(&cx, Error::plain(text), Some(&path)).await);
        }
        if let Some(old) = old_file.take() {
            let _ = cx.proc.remove(&old);
        }
        if !failed && same(&edited, &content) {
            let _ = cx.proc.remove(&path);
            cx.err("Edit cancelled, no changes made.\n").await;
            return Ok(());
        }
        let outcome = save(&cx, &conn, &p, &found, &edited, &path).await?;
        match outcome {
            Outcome::Done => {
                let _ = cx.proc.remove(&path);
                return Ok(());
            }
            Outcome::Again(reasons) => {
                content = format!("{HEADER}{reasons}{}", strip(&edited));
                before = edited;
                old_file = Some(path);
                failed = true;
            }
        }
    }
}

enum Outcome {
    Done,
    /// The file is to be opened again, with these reasons.
    Again(String),
}

/// Whether two texts say the same, comments and form apart.
fn same(a: &str, b: &str) -> bool {
    match (yaml::parse(a), yaml::parse(b)) {
        (Ok(a), Ok(b)) => a == b,
        _ => strip(a) == strip(b),
    }
}

/// The text without its comments.
fn strip(text: &str) -> String {
    text.lines().filter(|l| !l.trim_start().starts_with('#')).map(|l| format!("{l}\n")).collect()
}

fn file_name(cx: &Cx, extension: &str) -> String {
    let folder = cx.proc.env("TMPDIR").unwrap_or_else(|| "/tmp".into());
    let number = cx.proc.sim().random(1_000_000_000) + 1_000_000_000;
    // Go's filepath.Join would clean the path; a folder of "." is kept as upstream prints it.
    format!("{}/kubectl-edit-{number}.{extension}", folder.trim_end_matches('/'))
}

fn write_file(cx: &Cx, path: &str, text: &str) -> Result<(), Error> {
    cx.proc.write_file(path, text.as_bytes()).map_err(|e| Error::plain(format!("open {path}: {e}")))
}

/// Tells where changes are that could not be saved.
pub(super) async fn preserved(cx: &Cx, error: Error, file: Option<&str>) -> Error {
    if let Some(file) = file {
        cx.err(&format!("A copy of your changes has been stored to {}\n", quote(file))).await;
    }
    error
}

/// Opens a text in the editor once; what it is then.
pub(super) async fn once(cx: &Cx, text: &str, extension: &str) -> Result<String, Error> {
    let (edited, path) = kept(cx, text, extension).await?;
    let _ = cx.proc.remove(&path);
    Ok(edited)
}

/// The same; the file stays, and is named.
pub(super) async fn kept(cx: &Cx, text: &str, extension: &str) -> Result<(String, String), Error> {
    let path = file_name(cx, extension);
    write_file(cx, &path, text)?;
    let launched = launch(cx, &path).await;
    let edited = cx.proc.read_text(&path).unwrap_or_default();
    if let Err(error) = launched {
        let _ = cx.proc.remove(&path);
        return Err(error);
    }
    Ok((strip(&edited), path))
}

/// Runs the editor on a file and waits for it.
async fn launch(cx: &Cx, path: &str) -> Result<(), Error> {
    let editor = cx.proc.env("KUBE_EDITOR").or_else(|| cx.proc.env("EDITOR"));
    let editor = editor.filter(|e| !e.is_empty()).unwrap_or_else(|| "vi".into());
    let words: Vec<String> = editor.split_whitespace().map(String::from).collect();
    let argv = if editor.contains(['"', '\'', '\\']) {
        let line = format!("{editor} {}", quote(path));
        vec!["sh".to_owned(), "-c".to_owned(), line]
    } else {
        let mut words = words;
        words.push(path.to_owned());
        words
    };
    let cannot = || Error::plain(format!("unable to launch the editor {}", quote(&editor)));
    let child = cx.proc.spawn(machine::Command::new(argv)).map_err(|_| cannot())?;
    let status = child.wait().await;
    if status.success() {
        Ok(())
    } else {
        Err(Error::plain(format!("there was a problem with the editor {}", quote(&editor))))
    }
}

/// Sends what was saved.
async fn save(
    cx: &Cx,
    conn: &Conn,
    p: &Parsed,
    found: &[Thing],
    edited: &str,
    path: &str,
) -> Result<Outcome, Error> {
    let (documents, error) = yaml::documents(&strip(edited));
    let value = documents.into_iter().next().unwrap_or(Value::Null);
    let well = error.is_none() && value.get("kind").and_then(Value::as_str).is_some();
    if !well {
        let what = error.map_or("invalid object to validate".to_owned(), |e| e.to_string());
        return again(cx, found, &format!("The edited file failed validation: {what}")).await;
    }
    let items = match value.get("items").and_then(Value::as_array) {
        Some(items) if value["kind"] == "List" => items.clone(),
        _ => vec![value],
    };
    let mut again_reasons = String::new();
    for new in items {
        let same = |t: &&Thing| {
            t.object["metadata"]["name"] == new["metadata"]["name"]
                && t.object["kind"] == new["kind"]
                && t.object["apiVersion"] == new["apiVersion"]
        };
        let Some(thing) = found.iter().find(same) else {
            let text = "At least one of apiVersion, kind and name was changed";
            return Err(preserved(cx, Error::plain(text), Some(path)).await);
        };
        let mut old = thing.object.clone();
        output::strip_managed_fields(&mut old);
        let mut new = new;
        if p.bool("save-config") {
            write::note_last_applied(&mut new);
        }
        if old == new {
            let named = thing.named();
            cx.out(&format!("{named} skipped\n")).await;
            continue;
        }
        let validation = write::validation(p)?;
        if validation == crate::client::FieldValidation::Strict {
            // The server would only drop unknown fields of a patch; sent whole, it refuses them.
            let dry = conn.client.dry_run();
            let whole = dry.update_value(thing.kind.id, new.clone(), validation, Subresource::Main);
            if let Err(e) = whole {
                again_reasons.push_str(&reason(cx, thing, &e.message).await);
                continue;
            }
        }
        let diff = patch::two_way(&old, &new);
        if p.bool("output-patch") {
            cx.out(&format!("Patch: {}\n", gojson::compact(&diff))).await;
        }
        let diff = (PatchType::Strategic, &diff);
        let sub = match write::subresource(p, &["status"])? {
            write::Part::Status => Subresource::Status,
            _ => Subresource::Main,
        };
        let result = conn.client.patch(thing.kind.id, thing.key(), diff, sub);
        cx.warnings(conn).await;
        match result {
            Ok(object) => {
                write::report(cx, p, &conn.value(&object), "edited", DryRun::No).await?;
            }
            Err(e) if e.is_not_found() => {
                cx.err(&format!(
                    "The edits you made on deleted resources have been saved to {}\n",
                    quote(path)
                ))
                .await;
                return Err(Error::Exit(1));
            }
            Err(e) if e.reason == "Invalid" || e.reason == "BadRequest" => {
                again_reasons.push_str(&reason(cx, thing, &e.message).await);
            }
            Err(e) => {
                cx.err(&Error::from(e).text()).await;
                let text =
                    format!("You can run `kubectl replace -f {path}` to try this update again.\n");
                cx.err(&text).await;
                return Err(Error::Exit(1));
            }
        }
    }
    Ok(if again_reasons.is_empty() { Outcome::Done } else { Outcome::Again(again_reasons) })
}

async fn again(cx: &Cx, found: &[Thing], why: &str) -> Result<Outcome, Error> {
    let Some(thing) = found.first() else { return Ok(Outcome::Done) };
    Ok(Outcome::Again(reason(cx, thing, why).await))
}

/// Tells that an object is not valid; the reason as a comment for the file.
async fn reason(cx: &Cx, thing: &Thing, why: &str) -> String {
    let (resource, name) = (thing.kind.resource(), quote(&thing.name));
    cx.err(&format!("error: {resource} {name} is invalid\n")).await;
    format!("# {resource} {name} was not valid:\n# * {why}\n#\n")
}
