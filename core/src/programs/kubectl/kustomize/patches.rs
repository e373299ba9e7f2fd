//! Patches of a kustomization: strategic merges and lists of operations.
//! Models `PatchTransformer`, `PatchStrategicMergeTransformer` and `PatchJson6902Transformer`.

use serde_json::Value;

use super::{
    load::{Loader, Target},
    resource::{Id, Res},
};
use crate::{
    api::{KindTable, patch, selector::Selector, yaml},
    programs::kubectl::{Error, write::at},
};

/// Makes a kustomization's patches.
pub(super) fn run(loader: &Loader, target: &Target, all: &mut Vec<Res>) -> Result<(), Error> {
    for entry in target.list("patchesStrategicMerge").iter().filter_map(Value::as_str) {
        let text =
            if entry.contains('\n') { entry.to_owned() } else { loader.read(target, entry)? };
        for document in documents(&text)? {
            by_name(all, document, &Value::Null)?;
        }
    }
    for entry in target.list("patches").iter().chain(target.list("patchesJson6902")) {
        let text = match entry.get("path").and_then(Value::as_str) {
            Some(path) => loader.read(target, path)?,
            None => entry.get("patch").and_then(Value::as_str).unwrap_or_default().to_owned(),
        };
        if text.trim().is_empty() {
            return Err(Error::plain("must specify one of patch and path in PatchTransformer"));
        }
        let options = entry.get("options").cloned().unwrap_or(Value::Null);
        let documents = documents(&text)?;
        match (entry.get("target").filter(|t| !t.is_null()), documents.as_slice()) {
            (Some(select), [operations @ Value::Array(_)]) => {
                for res in selected(all, select)? {
                    let name = res.id();
                    let value = json(std::mem::take(&mut res.value), operations.clone())?;
                    finish(res, name, value, &options);
                }
            }
            (None, [Value::Array(_)]) => {
                let text = "must specify a target for JSON patch";
                return Err(Error::plain(format!("{text} {}", text_of(&documents))));
            }
            (Some(select), _) => {
                for document in &documents {
                    for res in selected(all, select)? {
                        strategic(res, document.clone(), &options)?;
                    }
                    all.retain(|res| !res.value.is_null());
                }
            }
            (None, _) => {
                for document in documents {
                    by_name(all, document, &options)?;
                }
            }
        }
    }
    Ok(())
}

fn text_of(documents: &[Value]) -> String {
    documents.iter().map(crate::api::json::compact).collect()
}

fn documents(text: &str) -> Result<Vec<Value>, Error> {
    let (documents, error) = yaml::documents_words(text);
    if let Some(error) = error {
        let text = format!("unable to parse SM or JSON patch from [{}]: {error}", text.trim());
        return Err(Error::plain(text));
    }
    Ok(documents.into_iter().filter(|d| !d.is_null()).collect())
}

/// Patches the object that the patch names.
fn by_name(all: &mut Vec<Res>, patch: Value, options: &Value) -> Result<(), Error> {
    let id = Res::new(patch.clone()).id();
    let same = |other: &Id| other.same(&id);
    let Some(res) = all.iter_mut().find(|res| res.was(same)) else {
        let id = id.text();
        return Err(Error::plain(format!(
            "no resource matches strategic merge patch \"{id}\": no matches for Id {id}; failed to \
             find unique target for patch {id}"
        )));
    };
    strategic(res, patch, options)?;
    all.retain(|res| !res.value.is_null());
    Ok(())
}

/// A strategic merge; an object that is deleted becomes null.
fn strategic(res: &mut Res, mut patch: Value, options: &Value) -> Result<(), Error> {
    let before = res.id();
    if at(&patch, &["$patch"]).and_then(Value::as_str) == Some("delete") {
        res.value = Value::Null;
        return Ok(());
    }
    let (_, version) = res.group_version();
    let known = KindTable::default()
        .iter()
        .any(|k| k.kind == before.kind && k.group == before.group && k.version == version);
    if let Value::Object(map) = &mut patch {
        map.remove("apiVersion");
        map.remove("kind");
    }
    let document = std::mem::take(&mut res.value);
    let value = if known || before.group.is_empty() || !before.group.contains('.') {
        patch::strategic(document, patch).map_err(Error::plain)?
    } else {
        patch::merge(document, patch)
    };
    finish(res, before, value, options);
    Ok(())
}

/// Names and kinds change only where that is allowed.
fn finish(res: &mut Res, before: Id, value: Value, options: &Value) {
    res.value = value;
    let on = |key: &str| options.get(key) == Some(&Value::Bool(true));
    let now = res.id();
    if now.kind != before.kind && !on("allowKindChange") {
        res.value["kind"] = before.kind.clone().into();
    }
    if now.name != before.name {
        if on("allowNameChange") {
            res.before.push(before);
        } else {
            res.value["metadata"]["name"] = before.name.into();
        }
    }
}

fn json(document: Value, operations: Value) -> Result<Value, Error> {
    patch::json(document, &operations).map_err(Error::plain)
}

/// The objects that a target means. Names and kinds are patterns.
pub(super) fn selected<'a>(all: &'a mut [Res], select: &Value) -> Result<Vec<&'a mut Res>, Error> {
    let matcher = Matcher::of(select)?;
    Ok(all.iter_mut().filter(|res| matcher.matches(res)).collect())
}

/// What a target says.
pub(super) struct Matcher {
    fields: Vec<(&'static str, regex_lite::Regex)>,
    labels: Selector,
    annotations: Selector,
}

impl Matcher {
    pub fn of(select: &Value) -> Result<Matcher, Error> {
        let text = |key: &str| select.get(key).and_then(Value::as_str).unwrap_or_default();
        let mut fields = Vec::new();
        for key in ["group", "version", "kind", "name", "namespace"] {
            if text(key).is_empty() {
                continue;
            }
            let pattern = regex_lite::Regex::new(&format!("^(?:{})$", text(key)));
            fields.push((key, pattern.map_err(|e| Error::plain(e.to_string()))?));
        }
        let parse = |key: &str| Selector::parse(text(key)).map_err(Error::plain);
        let (labels, annotations) = (parse("labelSelector")?, parse("annotationSelector")?);
        Ok(Matcher { fields, labels, annotations })
    }

    pub fn matches(&self, res: &Res) -> bool {
        let fits = |id: &Id| {
            self.fields.iter().all(|(key, pattern)| {
                pattern.is_match(match *key {
                    "group" => &id.group,
                    "version" => &id.version,
                    "kind" => &id.kind,
                    "name" => &id.name,
                    _ => &id.namespace,
                })
            })
        };
        let map = |key: &str| -> std::collections::BTreeMap<String, String> {
            let pairs = res.meta_map(key).into_iter();
            pairs.filter_map(|(k, v)| Some((k, v.as_str()?.to_owned()))).collect()
        };
        (fits(&res.id()) || fits(&res.first_id()))
            && self.labels.matches(Some(&map("labels")))
            && self.annotations.matches(Some(&map("annotations")))
    }
}
