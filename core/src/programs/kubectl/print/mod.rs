//! Everything `-o` knows: tables, JSONPath, custom columns, Go templates, sorting.
//!
//! Works on plain [`serde_json::Value`]s and knows neither the server nor a verb.

pub mod custom_columns;
pub mod gotemplate;
pub mod jsonpath;
pub mod sort_by;
pub mod table;
pub mod tabwriter;
