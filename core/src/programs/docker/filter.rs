//! `--filter` and `--format`, as the lists have them.

use super::{Error, doc::Doc, template::Template};
use crate::programs::kubectl::print::tabwriter::Tabwriter;

/// `name=web`, several times.
pub struct Filters(Vec<(String, String)>);

impl Filters {
    /// Reads filters; only `known` ones are.
    pub fn read(given: &[String], known: &[&str]) -> Result<Filters, Error> {
        let mut filters = Vec::new();
        for text in given {
            let Some((key, value)) = text.split_once('=') else {
                return Err(Error {
                    text: format!(
                        "invalid argument \"{text}\" for \"-f, --filter\" flag: invalid filter \
                         '{text}'"
                    ),
                    code: 125,
                });
            };
            if !known.contains(&key) {
                return Err(Error::new(format!(
                    "Error response from daemon: invalid filter '{key}'"
                )));
            }
            filters.push((key.to_string(), value.to_string()));
        }
        Ok(Filters(filters))
    }

    /// Whether a filter is given.
    pub fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(k, _)| k == key)
    }

    /// Whether one of the values of a filter fits, or there is none.
    pub fn fits(&self, key: &str, test: impl Fn(&str) -> bool) -> bool {
        let mut of_key = self.0.iter().filter(|(k, _)| k == key).peekable();
        of_key.peek().is_none() || of_key.any(|(_, value)| test(value))
    }

    /// Whether all values of a filter fit (labels).
    pub fn all_fit(&self, key: &str, test: impl Fn(&str) -> bool) -> bool {
        self.0.iter().filter(|(k, _)| k == key).all(|(_, value)| test(value))
    }
}

/// A list's columns: heading, and the field that templates know it by.
pub type Columns = &'static [(&'static str, &'static str)];

/// Prints rows as `--format` wants them: a table, a table of a template's own, a template, JSON.
pub fn rows(format: &str, columns: Columns, all: Columns, rows: &[Doc]) -> Result<String, Error> {
    let wrong = |text: String| Error::new(text);
    let text = |row: &Doc, field: &str| row.get(field).map(Doc::text).unwrap_or_default();
    if format == "json" {
        return Ok(rows.iter().map(|row| row.json() + "\n").collect());
    }
    let table = format.strip_prefix("table ").or(format.strip_prefix("table\\t"));
    let unescape = |text: &str| text.replace("\\t", "\t").replace("\\n", "\n");
    match (format, table) {
        ("" | "table", _) => {
            let mut out = Tabwriter::new(10, 3, false);
            let heads: Vec<_> = columns.iter().map(|(head, _)| *head).collect();
            out.write(&(heads.join("\t") + "\n"));
            for row in rows {
                let cells: Vec<_> = columns.iter().map(|(_, field)| text(row, field)).collect();
                out.write(&(cells.join("\t") + "\n"));
            }
            Ok(out.flush())
        }
        (_, Some(template)) => {
            let parsed = Template::parse(&unescape(template)).map_err(wrong)?;
            let heading = |field: &str| {
                all.iter()
                    .find(|(_, f)| *f == field)
                    .map_or(field.to_uppercase(), |(h, _)| h.to_string())
            };
            let names = parsed.headings();
            let heads = Doc::Map(
                all.iter()
                    .map(|(_, field)| field.to_string())
                    .chain(names)
                    .map(|field| (field.clone(), Doc::Text(heading(&field))))
                    .collect(),
            );
            let mut out = Tabwriter::new(10, 3, false);
            // The heading is the template filled in with the columns' names.
            out.write(&(parsed.fill(&heads).unwrap_or_default() + "\n"));
            for row in rows {
                out.write(&(parsed.fill(row).map_err(wrong)? + "\n"));
            }
            Ok(out.flush())
        }
        _ => {
            let parsed = Template::parse(&unescape(format)).map_err(wrong)?;
            let mut out = String::new();
            for row in rows {
                out.push_str(&parsed.fill(row).map_err(wrong)?);
                out.push('\n');
            }
            Ok(out)
        }
    }
}
