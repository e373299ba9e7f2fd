//! YAML as Kubernetes' tools read and write it: text to [`Value`] and back, errors in their words.
//!
//! Reading follows YAML 1.1 as `go.yaml.in/yaml/v2` does (`yes` is true, `0777` is octal, dates stay
//! text); a document whose aliases expand without end is refused. Writing gives the same bytes as
//! `sigs.k8s.io/yaml`. Not here: comments and node styles, which no tool keeps.

mod emit;
mod kyaml;
mod parse;
mod resolve;

pub use kyaml::to_kyaml;
use serde_json::Value;

/// What is wrong with a text, in the words of the Go libraries, without a prefix naming the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(pub String);

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The first document of a text (null if there is none). Later duplicates of a key win.
/// Errors begin with `yaml: ` or `json: `.
pub fn parse(text: &str) -> Result<Value, Error> {
    parse::document(text, false)
}

/// The same, with `yes`, `on` and the like as words: as `go.yaml.in/yaml/v3` reads them, and with it
/// kustomize.
pub fn parse_words(text: &str) -> Result<Value, Error> {
    parse::document(text, true)
}

/// A value as `sigs.k8s.io/yaml.Marshal` writes it, with a line end.
pub fn to_string(value: &Value) -> String {
    emit::document(value)
}

/// All documents of a text that is YAML, or JSON objects one after the other, as `kubectl -f` reads
/// them. Empty documents are null. An error comes with the documents before it.
///
/// Models `k8s.io/apimachinery/pkg/util/yaml.YAMLOrJSONDecoder`.
pub fn documents(text: &str) -> (Vec<Value>, Option<Error>) {
    let mut found = Vec::new();
    if text.trim_start().starts_with('{') {
        match json_stream(text) {
            Ok(values) => return (values, None),
            Err(e) => {
                // An ambiguous stream: YAML may still understand it; if not, JSON's error is told.
                let (values, error) = yaml_stream(text, parse);
                return (values, error.map(|_| e));
            }
        }
    }
    let (values, error) = yaml_stream(text, parse);
    found.extend(values);
    (found, error)
}

/// The same, read as [`parse_words`] does.
pub fn documents_words(text: &str) -> (Vec<Value>, Option<Error>) {
    yaml_stream(text, parse_words)
}

fn json_stream(text: &str) -> Result<Vec<Value>, Error> {
    serde_json::Deserializer::from_str(text).into_iter::<Value>().collect::<Result<_, _>>().map_err(
        |e| {
            let before: usize =
                text.lines().take(e.line().saturating_sub(1)).map(|l| l.len() + 1).sum();
            let message = if e.is_eof() {
                "unexpected EOF".to_owned()
            } else {
                let at = text.get(before + e.column().saturating_sub(1)..);
                let c = at.and_then(|t| t.chars().next()).unwrap_or(' ');
                format!("invalid character '{c}' looking for beginning of value")
            };
            Error(format!("json: offset {}: {message}", before + e.column()))
        },
    )
}

fn yaml_stream(text: &str, parse: fn(&str) -> Result<Value, Error>) -> (Vec<Value>, Option<Error>) {
    let mut found = Vec::new();
    let chunks = match split(text) {
        Ok(chunks) => chunks,
        Err(e) => return (found, Some(e)),
    };
    for chunk in chunks {
        match parse(&chunk) {
            Ok(value) => found.push(value),
            Err(e) => return (found, Some(Error(format!("error converting YAML to JSON: {e}")))),
        }
    }
    (found, None)
}

/// Cuts a stream at lines that begin with `---`. Line numbers of errors count from each cut, as
/// they do upstream.
fn split(text: &str) -> Result<Vec<String>, Error> {
    let mut chunks = Vec::new();
    let mut current = String::new();
    for line in text.split_inclusive('\n') {
        if let Some(rest) = line.strip_prefix("---") {
            let rest = rest.trim();
            if !rest.is_empty() && !rest.starts_with('#') {
                return Err(Error(format!("invalid Yaml document separator: {rest}")));
            }
            if !current.is_empty() {
                chunks.push(std::mem::take(&mut current));
            }
        } else {
            current.push_str(line);
        }
    }
    if !current.is_empty() {
        chunks.push(current);
    }
    Ok(chunks)
}

#[cfg(test)]
mod tests;
