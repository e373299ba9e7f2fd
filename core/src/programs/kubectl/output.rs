//! `-o`: from the flags to a printer of single objects.
//!
//! Models `k8s.io/cli-runtime/pkg/genericclioptions.PrintFlags`. Server-side tables are `get`'s.

use serde_json::Value;

use super::{
    Cx, Error,
    flags::{Flag, Parsed},
    print::{
        custom_columns::CustomColumns, gotemplate::Template, jsonpath::JsonPath,
        tabwriter::Tabwriter,
    },
};
use crate::api::{gofmt::quote, json, yaml};

/// What `-o` knows.
pub const USAGE: &str = "Output format. One of: (json, yaml, kyaml, name, go-template, \
    go-template-file, template, templatefile, jsonpath, jsonpath-as-json, jsonpath-file).";

/// `-o`, `--template` and what belongs to them.
pub const FLAGS: &[Flag] = &[
    Flag::bool(
        "allow-missing-template-keys",
        true,
        "Pass over fields and keys that a template names and the object does not have.",
    ),
    Flag::str("output", "", USAGE).short("o"),
    Flag::bool("show-managed-fields", false, "Show managedFields in JSON and YAML."),
    Flag::str("template", "", "The template, or the file that holds it, for template formats."),
];

const FORMATS: &[&str] = &[
    "go-template",
    "go-template-file",
    "json",
    "jsonpath",
    "jsonpath-as-json",
    "jsonpath-file",
    "kyaml",
    "name",
    "template",
    "templatefile",
    "yaml",
];

/// The formats of `get`, which has tables besides.
pub fn formats_of_get() -> Vec<&'static str> {
    let mut all = FORMATS.to_vec();
    all.extend(["custom-columns", "custom-columns-file", "wide"]);
    all.sort_unstable();
    all
}

/// [`FLAGS`] without `-o`, for verbs whose own has another default.
pub const FLAGS_BUT_OUTPUT: &[Flag] = &[
    Flag::bool(
        "allow-missing-template-keys",
        true,
        "Pass over fields and keys that a template names and the object does not have.",
    ),
    Flag::bool("show-managed-fields", false, "Show managedFields in JSON and YAML."),
    Flag::str("template", "", "The template, or the file that holds it, for template formats."),
];

/// Whether what is asked for shows `metadata.managedFields`, or may: templates do.
pub fn wants_managed_fields(p: &Parsed) -> bool {
    let templates = ["jsonpath", "go-template", "template", "custom-columns"];
    p.bool("show-managed-fields")
        || !p.str("template").is_empty()
        || templates.iter().any(|format| p.str("output").starts_with(format))
}

/// Prints objects in one format.
pub struct Printer {
    format: Format,
    managed_fields: bool,
    operation: String,
    printed: usize,
    tabs: Tabwriter,
    typed: bool,
}

enum Format {
    Name,
    Json,
    Yaml,
    Kyaml,
    JsonPath { template: String, path: JsonPath, as_json: bool },
    Columns(CustomColumns),
    Go { text: String, template: Template },
}

impl Printer {
    /// A printer for the `-o` that was given, or `default`. `operation` is what happened to the
    /// objects (`created`), for the default form: `pod/web created`.
    pub fn new(cx: &Cx, p: &Parsed, default: &str, operation: &str) -> Result<Printer, Error> {
        let given = p.str("output");
        let given =
            if given.is_empty() && !p.str("template").is_empty() { "go-template" } else { given };
        let output = if given.is_empty() { default } else { given };
        let format = Self::format(cx, p, output, false)?;
        let operation = if output == "name" { "" } else { operation };
        Ok(Printer {
            format: format.ok_or_else(|| no_match(output, FORMATS))?,
            managed_fields: p.bool("show-managed-fields"),
            operation: operation.to_owned(),
            printed: 0,
            tabs: Tabwriter::table(),
            typed: false,
        })
    }

    /// As [`Printer::new`], for `get`: columns are known too, tables are not made here (`None`).
    pub fn for_get(cx: &Cx, p: &Parsed) -> Result<Option<Printer>, Error> {
        let given = p.str("output");
        let output =
            if given.is_empty() && !p.str("template").is_empty() { "go-template" } else { given };
        if output.is_empty() || output == "wide" {
            return Ok(None);
        }
        let all = formats_of_get();
        Ok(Some(Printer {
            format: Self::format(cx, p, output, true)?.ok_or_else(|| no_match(output, &all))?,
            managed_fields: p.bool("show-managed-fields"),
            operation: String::new(),
            printed: 0,
            tabs: Tabwriter::table(),
            typed: false,
        }))
    }

    fn format(cx: &Cx, p: &Parsed, output: &str, columns: bool) -> Result<Option<Format>, Error> {
        let (kind, argument) = match output.split_once('=') {
            Some((kind, argument)) => (kind, argument.to_owned()),
            None => (output, p.str("template").to_owned()),
        };
        let read = |path: &str| {
            cx.proc.read_text(path).map_err(|_| {
                Error::plain(format!(
                    "error reading --template {path}, open {path}: no such file or directory\n"
                ))
            })
        };
        Ok(Some(match kind {
            "" | "name" => Format::Name,
            "json" => Format::Json,
            "yaml" => Format::Yaml,
            "kyaml" => Format::Kyaml,
            "jsonpath" | "jsonpath-as-json" | "jsonpath-file" => {
                if argument.is_empty() {
                    return Err(Error::plain("template format specified but no template given"));
                }
                let template = if kind == "jsonpath-file" { read(&argument)? } else { argument };
                let path = JsonPath::new(&template, p.bool("allow-missing-template-keys"))
                    .map_err(|e| Error::plain(format!("error parsing jsonpath {template}, {e}")))?;
                Format::JsonPath { template, path, as_json: kind == "jsonpath-as-json" }
            }
            "go-template" | "go-template-file" | "template" | "templatefile" => {
                if argument.is_empty() {
                    return Err(Error::plain("template format specified but no template given"));
                }
                let text = if kind.ends_with("file") { read(&argument)? } else { argument };
                let template = Template::new(&text, p.bool("allow-missing-template-keys"))
                    .map_err(|e| Error::plain(format!("error parsing template {text}, {e}\n")))?;
                Format::Go { text, template }
            }
            "custom-columns" if columns => {
                Format::Columns(CustomColumns::from_spec(&argument, p.bool("no-headers"))?)
            }
            "custom-columns-file" if columns => {
                let text = cx.proc.read_text(&argument).map_err(|_| {
                    Error::plain(format!(
                        "error reading template {argument}, open {argument}: no such file or \
                         directory\n"
                    ))
                })?;
                Format::Columns(CustomColumns::from_template(&text, p.bool("no-headers"))?)
            }
            _ => return Ok(None),
        }))
    }

    /// Whether JSON comes in the order of Go's types, as for objects that no server has seen.
    pub fn typed(&mut self, typed: bool) {
        self.typed = typed;
    }

    /// Whether all objects are to be printed as one list.
    pub fn wants_list(&self) -> bool {
        !matches!(self.format, Format::Name)
    }

    /// Whether it is the short form `kind/name …`.
    pub fn is_name(&self) -> bool {
        matches!(self.format, Format::Name)
    }

    /// What is printed for an object.
    pub fn one(&mut self, object: &Value) -> Result<String, Error> {
        let stripped;
        // Templates see all of an object, and print what they ask for.
        let whole = matches!(self.format, Format::JsonPath { .. } | Format::Go { .. })
            || matches!(self.format, Format::Columns(_));
        let object = if self.managed_fields || whole {
            object
        } else {
            let mut copy = object.clone();
            strip_managed_fields(&mut copy);
            stripped = copy;
            &stripped
        };
        self.printed += 1;
        Ok(match &mut self.format {
            Format::Name => name(object, &self.operation),
            Format::Json if self.typed => json::pretty_typed(object) + "\n",
            Format::Json => json::pretty(object) + "\n",
            Format::Yaml => {
                let text = yaml::to_string(object);
                if self.printed > 1 { format!("---\n{text}") } else { text }
            }
            Format::Kyaml => yaml::to_kyaml(object),
            Format::JsonPath { template, path, as_json } => {
                let result =
                    if *as_json { path.execute_as_json(object) } else { path.execute(object) };
                result.map_err(|e| template_error("jsonpath", template, &e, object))?
            }
            Format::Go { text, template } => template.execute(object).map_err(|e| {
                Error::plain(format!("error executing template {}: {e}", quote(text)))
            })?,
            Format::Columns(columns) => {
                columns.print(object, &mut self.tabs)?;
                self.tabs.flush()
            }
        })
    }
}

fn template_error(engine: &str, template: &str, error: &str, object: &Value) -> Error {
    let details = format!(
        "Error executing template: {error}. Printing more information for debugging the template:\n\
         \ttemplate was:\n\t\t{template}\n\tobject given to {engine} engine was:\n\t\t{}\n\n",
        crate::api::gofmt::syntax(object)
    );
    Error::plain(format!("error executing {engine} {}: {details}\n", quote(template)))
}

fn no_match(output: &str, allowed: &[&str]) -> Error {
    Error::plain(format!(
        "unable to match a printer suitable for the output format {}, allowed formats are: {}",
        quote(output),
        allowed.join(",")
    ))
}

/// `deployment.apps/web created`; a list's items one a line.
pub fn name(object: &Value, operation: &str) -> String {
    if let Some(items) = object.get("items").and_then(Value::as_array) {
        return items.iter().map(|item| name(item, operation)).collect();
    }
    let text = |path: &[&str]| {
        path.iter().try_fold(object, |v, key| v.get(key)).and_then(Value::as_str).unwrap_or("")
    };
    let (version, kind) = (text(&["apiVersion"]), text(&["kind"]).to_lowercase());
    let group = version.rsplit_once('/').map_or("", |(group, _)| group);
    let kind = if group.is_empty() { kind } else { format!("{kind}.{group}") };
    let name = match text(&["metadata", "name"]) {
        "" => "<unknown>",
        name => name,
    };
    let operation = if operation.is_empty() { String::new() } else { format!(" {operation}") };
    format!("{kind}/{name}{operation}\n")
}

/// Removes `metadata.managedFields` from an object or a list's items.
pub fn strip_managed_fields(object: &mut Value) {
    if let Some(Value::Object(meta)) = object.get_mut("metadata") {
        meta.remove("managedFields");
    }
    if let Some(Value::Array(items)) = object.get_mut("items") {
        items.iter_mut().for_each(strip_managed_fields);
    }
}
