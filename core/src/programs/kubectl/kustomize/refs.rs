//! References to names that changed. Models `namereferencetransformer.go` and
//! `api/filters/nameref`.

use serde_json::Value;

use super::{
    resource::Res,
    specs::{POD_REFERENCES, PODS, REFERENCES, visit},
};

/// An object that may be referred to: what it was called, and is called now.
struct Candidate {
    kind: String,
    /// Names and namespaces that it had.
    was: Vec<(String, String)>,
    name: String,
    namespace: String,
    cluster: bool,
    affixes: Vec<String>,
}

/// Mends every reference.
pub(super) fn mend(all: &mut [Res]) {
    let candidates: Vec<Candidate> = all
        .iter()
        .filter(|res| !res.before.is_empty())
        .map(|res| Candidate {
            kind: res.kind().to_owned(),
            was: res.before.iter().map(|id| (id.name.clone(), id.namespace.clone())).collect(),
            name: res.name().to_owned(),
            namespace: res.namespace().to_owned(),
            cluster: res.is_cluster_scoped(),
            affixes: res.affixes.clone(),
        })
        .collect();
    if candidates.is_empty() {
        return;
    }
    for res in all {
        let kind = res.kind().to_owned();
        let referrer = (res.namespace().to_owned(), res.affixes.clone());
        for (_, prefix) in PODS.iter().filter(|(of, _)| *of == kind) {
            for (target, path) in POD_REFERENCES {
                let path = format!("{prefix}/{path}");
                let mend = &mut |v: &mut Value| one(v, target, &candidates, &referrer);
                visit(&mut res.value, &path, false, mend);
            }
        }
        for (target, _, path) in REFERENCES.iter().filter(|(_, of, _)| *of == kind) {
            let about = res
                .value
                .pointer("/roleRef/kind")
                .or(res.value.pointer("/spec/scaleTargetRef/kind"));
            let typed = path.ends_with("Ref/name");
            if typed && about.and_then(Value::as_str) != Some(*target) {
                continue;
            }
            let mend = &mut |v: &mut Value| one(v, target, &candidates, &referrer);
            visit(&mut res.value, path, false, mend);
        }
    }
}

/// Mends one reference: a name, or a map with name and namespace.
fn one(value: &mut Value, kind: &str, candidates: &[Candidate], referrer: &(String, Vec<String>)) {
    match value {
        Value::String(name) => {
            if let Some(found) = find(candidates, kind, name, Some(&referrer.0), &referrer.1) {
                *name = found.name.clone();
            }
        }
        Value::Object(map) => {
            let text = |key: &str| map.get(key).and_then(Value::as_str).unwrap_or_default();
            // Subjects say what they are.
            if map.contains_key("kind") && text("kind") != kind {
                return;
            }
            if let Some(found) = find(candidates, kind, text("name"), None, &referrer.1) {
                let moved = !found.namespace.is_empty();
                let said = match text("namespace") {
                    "default" => "",
                    namespace => namespace,
                };
                let known = found.was.iter().any(|(_, ns)| ns == said || ns == "default");
                if known || said.is_empty() || said == found.namespace {
                    map.insert("name".into(), found.name.clone().into());
                    if moved {
                        map.insert("namespace".into(), found.namespace.clone().into());
                    }
                }
            }
        }
        _ => {}
    }
}

/// The object that a name means: of the referrer's namespace, and if there are several the one whose
/// name changed as the referrer's did.
fn find<'a>(
    candidates: &'a [Candidate],
    kind: &str,
    name: &str,
    namespace: Option<&str>,
    affixes: &[String],
) -> Option<&'a Candidate> {
    let fits = |c: &&Candidate| {
        c.kind == kind
            && c.was.iter().any(|(was, _)| was == name)
            && (c.cluster || namespace.is_none_or(|ns| ns == c.namespace))
    };
    let found: Vec<&Candidate> = candidates.iter().filter(fits).collect();
    let alike = found.iter().find(|c| c.affixes == affixes);
    alike.or(found.first()).copied()
}
