//! `-o custom-columns=NAME:.metadata.name,IMAGES:.spec.containers[*].image`.
//!
//! Models `k8s.io/kubectl/pkg/cmd/get/customcolumn.go`.

use serde_json::Value;

use super::{
    jsonpath::{JsonPath, relaxed},
    table::escape_terminal,
    tabwriter::Tabwriter,
};
use crate::api::gofmt;

/// A printer of columns that the user named.
#[derive(Clone, Debug)]
pub struct CustomColumns {
    columns: Vec<(String, JsonPath)>,
    no_headers: bool,
    printed_headers: bool,
}

impl CustomColumns {
    /// From `HEADER:path,HEADER:path`.
    pub fn from_spec(spec: &str, no_headers: bool) -> Result<Self, String> {
        if spec.is_empty() {
            return Err("custom-columns format specified but no custom columns given".into());
        }
        let mut pairs = Vec::new();
        for part in spec.split(',') {
            pairs.push(part.split_once(':').ok_or_else(|| {
                format!(
                    "unexpected custom-columns spec: {part}, expected <header>:<json-path-expr>"
                )
            })?);
        }
        Self::new(pairs, no_headers)
    }

    /// From a file of two lines: headers, then paths, separated by blanks.
    pub fn from_template(text: &str, no_headers: bool) -> Result<Self, String> {
        let form = "Expected format is one line of space separated headers, one line of space \
                    separated column specs.";
        let mut lines = text.lines();
        let headers =
            lines.next().ok_or_else(|| format!("invalid template, missing header line. {form}"))?;
        let specs =
            lines.next().ok_or_else(|| format!("invalid template, missing spec line. {form}"))?;
        let headers: Vec<&str> = headers.split_whitespace().collect();
        let specs: Vec<&str> = specs.split_whitespace().collect();
        if headers.len() != specs.len() {
            return Err(format!(
                "number of headers ({}) and field specifications ({}) don't match",
                headers.len(),
                specs.len()
            ));
        }
        Self::new(headers.into_iter().zip(specs).collect(), no_headers)
    }

    fn new(pairs: Vec<(&str, &str)>, no_headers: bool) -> Result<Self, String> {
        let columns = pairs
            .into_iter()
            .map(|(header, path)| Ok((header.to_owned(), JsonPath::new(&relaxed(path)?, true)?)));
        let columns = columns.collect::<Result<_, String>>()?;
        Ok(CustomColumns { columns, no_headers, printed_headers: false })
    }

    /// Writes an object, or each object of a list.
    pub fn print(&mut self, object: &Value, out: &mut Tabwriter) -> Result<(), String> {
        if !self.no_headers && !self.printed_headers {
            let headers: Vec<&str> = self.columns.iter().map(|c| c.0.as_str()).collect();
            out.write(&headers.join("\t"));
            out.write("\n");
            self.printed_headers = true;
        }
        let is_list =
            object.get("kind").and_then(Value::as_str).is_some_and(|k| k.ends_with("List"));
        match object.get("items").and_then(Value::as_array).filter(|_| is_list) {
            Some(items) => items.iter().try_for_each(|item| self.row(item, out)),
            None => self.row(object, out),
        }
    }

    fn row(&self, object: &Value, out: &mut Tabwriter) -> Result<(), String> {
        let mut cells = Vec::new();
        for (_, path) in &self.columns {
            let found = path.find(object)?;
            let mut shown = Vec::new();
            if found.first().is_none_or(Vec::is_empty) {
                shown.push("<none>".to_owned());
            }
            shown.extend(found.iter().flatten().map(|v| escape_terminal(&gofmt::value(v))));
            cells.push(shown.join(","));
        }
        out.write(&cells.join("\t"));
        out.write("\n");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn columns_of_a_list() {
        let list = json!({"kind": "List", "items": [
            {"metadata": {"name": "alpha", "annotations": {"note": "first pod"}},
             "spec": {"containers": [{"image": "nginx:1.25"}]}},
            {"metadata": {"name": "beta"},
             "spec": {"containers": [{"image": "redis:7"}, {"image": "busybox:1.36"}]}}]});
        let spec =
            "NAME:.metadata.name,IMAGES:.spec.containers[*].image,NOTE:.metadata.annotations.note";
        let mut out = Tabwriter::table();
        let mut columns = CustomColumns::from_spec(spec, false).unwrap_or_else(|e| panic!("{e}"));
        columns.print(&list, &mut out).unwrap_or_else(|e| panic!("{e}"));
        expect![[r#"
            NAME    IMAGES                 NOTE
            alpha   nginx:1.25             first pod
            beta    redis:7,busybox:1.36   <none>
        "#]]
        .assert_eq(&out.flush());
    }

    #[test]
    fn errors() {
        let error = |spec: &str| CustomColumns::from_spec(spec, false).err();
        assert_eq!(
            error(""),
            Some("custom-columns format specified but no custom columns given".into())
        );
        assert_eq!(
            error("NAME"),
            Some("unexpected custom-columns spec: NAME, expected <header>:<json-path-expr>".into())
        );
    }
}
