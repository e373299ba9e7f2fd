//! Gathering: a kustomization's resources, bases and components, then its generators and changes.
//! Models `kustomize/api/internal/target/kusttarget.go` and `internal/loader`.

use serde_json::Value;

use super::{generate, patches, replace, resource::Res, transform};
use crate::{
    api::{gofmt::quote, yaml},
    programs::kubectl::{Cx, Error, write::at},
};

/// Names that a folder's kustomization may have.
const FILES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Folders may refer to folders that deep.
const DEEPEST: usize = 32;

/// Fields that are done here, sorted.
const FIELDS: &[&str] = &[
    "apiVersion",
    "bases",
    "commonAnnotations",
    "commonLabels",
    "components",
    "configMapGenerator",
    "generatorOptions",
    "images",
    "kind",
    "labels",
    "metadata",
    "namePrefix",
    "nameSuffix",
    "namespace",
    "patches",
    "patchesJson6902",
    "patchesStrategicMerge",
    "replacements",
    "replicas",
    "resources",
    "secretGenerator",
    "sortOptions",
];

/// Fields that exist and are not done here, sorted.
const ABSENT: &[&str] = &[
    "buildMetadata",
    "configurations",
    "crds",
    "generators",
    "helmChartInflationGenerator",
    "helmCharts",
    "helmGlobals",
    "openapi",
    "transformers",
    "validators",
    "vars",
];

/// Fields that are discouraged, and what is to be used.
const DISCOURAGED: &[(&str, &str)] = &[
    ("bases", "resources"),
    ("commonLabels", "labels"),
    ("patchesJson6902", "patches"),
    ("patchesStrategicMerge", "patches"),
];

/// What reads files.
pub(super) struct Loader<'a> {
    cx: &'a Cx,
    within: bool,
    /// Folders that are being read.
    open: Vec<String>,
    pub warnings: Vec<String>,
    /// Whether the result is sorted by kind.
    pub legacy_order: bool,
}

/// One kustomization's file and folder.
pub(super) struct Target<'a> {
    pub root: &'a str,
    pub file: Value,
}

impl Target<'_> {
    /// A list of the file.
    pub fn list(&self, key: &str) -> &[Value] {
        self.file.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }

    /// A text of the file.
    pub fn text(&self, key: &str) -> &str {
        self.file.get(key).and_then(Value::as_str).unwrap_or_default()
    }
}

/// A path without `.` and `..`.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

impl<'a> Loader<'a> {
    pub fn new(cx: &'a Cx, within: bool) -> Self {
        Loader { cx, within, open: Vec::new(), warnings: Vec::new(), legacy_order: true }
    }

    /// The folder that is to be built.
    pub fn root(&self, folder: &str) -> Result<String, Error> {
        if is_remote(folder) {
            return Err(remote(folder));
        }
        let root = clean(&self.cx.proc.resolve(folder));
        if !self.cx.proc.exists(&root) {
            let why = no_file(folder, &root);
            let text = format!("must build at directory: not a valid directory: {why}");
            return Err(Error::plain(text));
        }
        if !self.cx.proc.is_dir(&root) {
            let text = format!("must build at directory: '{folder}': file is not directory");
            return Err(Error::plain(text));
        }
        Ok(root)
    }

    /// Everything that a folder says, `before` included, which a component changes, too.
    pub fn target(
        &mut self,
        root: &str,
        before: Vec<Res>,
        depth: usize,
    ) -> Result<Vec<Res>, Error> {
        if depth > DEEPEST {
            return Err(Error::plain(format!("{} is referred to too deeply", quote(root))));
        }
        let target = Target { root, file: self.file(root)? };
        if depth == 0 {
            let order = at(&target.file, &["sortOptions", "order"]).and_then(Value::as_str);
            self.legacy_order = order != Some("fifo");
        }
        self.open.push(root.to_owned());
        let made = self.accumulate(&target, before, depth);
        self.open.pop();
        made
    }

    fn accumulate(
        &mut self,
        target: &Target,
        mut all: Vec<Res>,
        depth: usize,
    ) -> Result<Vec<Res>, Error> {
        let listed = target.list("resources").iter().chain(target.list("bases"));
        for path in listed.filter_map(Value::as_str) {
            let more = self.resource(target, path, depth)?;
            for res in more {
                add(&mut all, res, path, &clean(&format!("{}/{path}", target.root)))?;
            }
        }
        generate::run(self, target, &mut all)?;
        for path in target.list("components").iter().filter_map(Value::as_str) {
            let root = self.folder(target, path)?;
            all = self.target(&root, all, depth + 1)?;
        }
        patches::run(self, target, &mut all)?;
        transform::run(target, &mut all)?;
        replace::run(self, target, &mut all)?;
        Ok(all)
    }

    /// A resource: a file of objects, or a folder with a kustomization.
    fn resource(&mut self, target: &Target, path: &str, depth: usize) -> Result<Vec<Res>, Error> {
        if is_remote(path) {
            return Err(remote(path));
        }
        let full = clean(&format!("{}/{path}", target.root));
        if self.cx.proc.is_dir(&full) {
            let root = self.folder(target, path)?;
            return self.target(&root, Vec::new(), depth + 1);
        }
        if !self.cx.proc.exists(&full) {
            let why = no_file(&full, &full);
            return Err(Error::plain(format!(
                "accumulating resources: accumulation err='accumulating resources from '{path}': \
                 {why}': must build at directory: not a valid directory: {why}"
            )));
        }
        let not_folder = format!("must build at directory: '{full}': file is not directory");
        let failed = |why: &str| {
            Error::plain(format!(
                "accumulating resources: accumulation err='accumulating resources from '{path}': \
                 {why}': {not_folder}"
            ))
        };
        let text = self.read(target, path).map_err(|e| failed(&e.message()))?;
        let (documents, error) = yaml::documents_words(&text);
        if let Some(error) = error {
            return Err(Error::plain(format!(
                "accumulating resources: accumulating resources from '{path}': \
                 MalformedYAMLError: {error} in File: {path}"
            )));
        }
        let mut out = Vec::new();
        for document in documents.into_iter().filter(|d| !d.is_null()) {
            let kind = document.get("kind").and_then(Value::as_str).unwrap_or_default();
            let items = document.get("items").and_then(Value::as_array);
            let each = match items {
                Some(items) if kind.ends_with("List") => items.clone(),
                _ => vec![document],
            };
            for object in each {
                let has = |path: &[&str]| at(&object, path).and_then(Value::as_str).is_some();
                if !has(&["kind"]) {
                    return Err(failed("missing Resource metadata"));
                }
                out.push(Res::new(object));
            }
        }
        Ok(out)
    }

    fn folder(&self, target: &Target, path: &str) -> Result<String, Error> {
        if is_remote(path) {
            return Err(remote(path));
        }
        let root = clean(&format!("{}/{path}", target.root));
        if !self.cx.proc.is_dir(&root) {
            let text = format!(
                "accumulating components: loader.New \"must build at directory: not a valid \
                 directory: {}\"",
                no_file(&root, &root)
            );
            return Err(Error::plain(text));
        }
        if let Some(open) = self.open.iter().find(|open| **open == root) {
            return Err(Error::plain(format!(
                "accumulating resources: accumulation err='accumulating resources from '{path}': \
                 '{root}' must resolve to a file': cycle detected: candidate root '{root}' contains \
                 visited root '{open}'"
            )));
        }
        Ok(root)
    }

    /// A file that a kustomization names.
    pub fn read(&self, target: &Target, path: &str) -> Result<String, Error> {
        self.bytes(target, path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// [`Loader::read`], as it is.
    pub fn bytes(&self, target: &Target, path: &str) -> Result<Vec<u8>, Error> {
        let full = match path.strip_prefix('/') {
            Some(_) => clean(path),
            None => clean(&format!("{}/{path}", target.root)),
        };
        let below = format!("{}/", target.root.trim_end_matches('/'));
        if self.within && !full.starts_with(&below) {
            return Err(Error::plain(format!(
                "security; file '{full}' is not in or below '{}'",
                target.root
            )));
        }
        if !self.cx.proc.exists(&full) {
            return Err(Error::plain(no_file(&full, &full)));
        }
        self.cx.proc.read_file(&full).map_err(|e| Error::plain(format!("open {full}: {e}")))
    }

    /// The kustomization of a folder.
    fn file(&mut self, root: &str) -> Result<Value, Error> {
        let there: Vec<String> = FILES
            .iter()
            .map(|name| format!("{}/{name}", root.trim_end_matches('/')))
            .filter(|path| self.cx.proc.exists(path))
            .collect();
        let path = match there.as_slice() {
            [one] => one,
            [] => {
                return Err(Error::plain(format!(
                    "unable to find one of 'kustomization.yaml', 'kustomization.yml' or \
                     'Kustomization' in directory '{root}'"
                )));
            }
            _ => {
                let text = format!("Found multiple kustomization files under: {root}\n");
                return Err(Error::plain(text));
            }
        };
        let text = self.cx.proc.read_text(path).map_err(|e| Error::plain(format!("{e}")))?;
        let file = yaml::parse_words(&text)
            .map_err(|e| Error::plain(format!("invalid Kustomization: {e}")))?;
        let Some(map) = file.as_object() else {
            return Err(Error::plain("kustomization.yaml is empty"));
        };
        for key in map.keys() {
            if ABSENT.contains(&key.as_str()) {
                let text = format!("{key} of a kustomization is not simulated in this sandbox");
                return Err(Error::plain(text));
            }
            if !FIELDS.contains(&key.as_str()) {
                let key = quote(key);
                let text = format!("invalid Kustomization: json: unknown field {key}");
                return Err(Error::plain(text));
            }
        }
        for key in ["namePrefix", "nameSuffix", "namespace", "apiVersion", "kind"] {
            let found = match map.get(key) {
                Some(Value::Number(_)) => "number",
                Some(Value::Bool(_)) => "bool",
                Some(Value::Array(_)) => "array",
                Some(Value::Object(_)) => "object",
                _ => continue,
            };
            return Err(Error::plain(format!(
                "invalid Kustomization: json: cannot unmarshal {found} into Go struct field \
                 Kustomization.{key} of type string"
            )));
        }
        let text = |key: &str| map.get(key).and_then(Value::as_str).unwrap_or_default();
        if !["", "Kustomization", "Component"].contains(&text("kind")) {
            return Err(Error::plain(format!(
                "Failed to read kustomization file under {root}:\nkind should be Kustomization or \
                 Component"
            )));
        }
        for (old, new) in DISCOURAGED {
            if map.contains_key(*old) {
                let warning = format!(
                    "# Warning: '{old}' is deprecated. Please use '{new}' instead. Run 'kustomize \
                     edit fix' to update your Kustomization automatically."
                );
                self.warnings.push(warning);
            }
        }
        Ok(file)
    }
}

/// Adds an object; two of the same name are an error.
fn add(all: &mut Vec<Res>, res: Res, path: &str, full: &str) -> Result<(), Error> {
    let id = res.id();
    if all.iter().any(|other| other.id().same(&id)) {
        let id = id.text();
        return Err(Error::plain(format!(
            "accumulating resources: accumulation err='merging resources from '{path}': may not add \
             resource with an already registered id: {id}': must build at directory: '{full}': file \
             is not directory"
        )));
    }
    all.push(res);
    Ok(())
}

/// What is said of a file that is not there.
fn no_file(path: &str, full: &str) -> String {
    format!("evalsymlink failure on '{path}' : lstat {full}: no such file or directory")
}

fn is_remote(path: &str) -> bool {
    path.contains("://") || path.starts_with("git@") || path.starts_with("github.com/")
}

fn remote(path: &str) -> Error {
    Error::plain(format!("{} is outside of the sandbox and cannot be fetched", quote(path)))
}
