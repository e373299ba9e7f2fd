//! Values that `docker inspect` prints and templates look at: JSON whose fields keep their order.

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Doc {
    /// `null`
    Null,
    /// `true`
    Bool(bool),
    /// `42`
    Number(i64),
    /// `"text"`
    Text(String),
    /// `[…]`
    List(Vec<Doc>),
    /// `{…}`, in order.
    Map(Vec<(String, Doc)>),
}

impl From<&str> for Doc {
    fn from(text: &str) -> Self {
        Doc::Text(text.into())
    }
}

impl From<String> for Doc {
    fn from(text: String) -> Self {
        Doc::Text(text)
    }
}

impl From<bool> for Doc {
    fn from(value: bool) -> Self {
        Doc::Bool(value)
    }
}

impl From<i64> for Doc {
    fn from(value: i64) -> Self {
        Doc::Number(value)
    }
}

impl From<u64> for Doc {
    fn from(value: u64) -> Self {
        Doc::Number(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<i32> for Doc {
    fn from(value: i32) -> Self {
        Doc::Number(value.into())
    }
}

impl<T: Into<Doc>> From<Vec<T>> for Doc {
    fn from(list: Vec<T>) -> Self {
        Doc::List(list.into_iter().map(Into::into).collect())
    }
}

/// A map from pairs.
pub fn map<K: Into<String>, V: Into<Doc>>(pairs: impl IntoIterator<Item = (K, V)>) -> Doc {
    Doc::Map(pairs.into_iter().map(|(k, v)| (k.into(), v.into())).collect())
}

/// A map whose values have different types.
macro_rules! fields {
    ($($name:literal: $value:expr),* $(,)?) => {
        $crate::programs::docker::doc::Doc::Map(vec![
            $(($name.to_string(), $crate::programs::docker::doc::Doc::from($value))),*
        ])
    };
}
pub(super) use fields;

impl Doc {
    /// A field of a map.
    pub fn get(&self, name: &str) -> Option<&Doc> {
        match self {
            Doc::Map(fields) => fields.iter().find(|(k, _)| k == name).map(|(_, v)| v),
            _ => None,
        }
    }

    /// Whether Go's templates take it for true.
    pub fn truth(&self) -> bool {
        match self {
            Doc::Null => false,
            Doc::Bool(value) => *value,
            Doc::Number(value) => *value != 0,
            Doc::Text(text) => !text.is_empty(),
            Doc::List(list) => !list.is_empty(),
            Doc::Map(fields) => !fields.is_empty(),
        }
    }

    /// As Go's `fmt` prints it in templates.
    pub fn text(&self) -> String {
        match self {
            Doc::Null => "<no value>".into(),
            Doc::Bool(value) => value.to_string(),
            Doc::Number(value) => value.to_string(),
            Doc::Text(text) => text.clone(),
            Doc::List(list) => {
                let parts: Vec<_> = list.iter().map(Doc::text).collect();
                format!("[{}]", parts.join(" "))
            }
            Doc::Map(fields) => {
                let parts: Vec<_> =
                    fields.iter().map(|(k, v)| format!("{k}:{}", v.text())).collect();
                format!("map[{}]", parts.join(" "))
            }
        }
    }

    /// As JSON on one line.
    pub fn json(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, None);
        out
    }

    /// As JSON, four blanks a level, as `docker inspect` prints it.
    pub fn pretty(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, Some(0));
        out
    }

    fn write(&self, out: &mut String, level: Option<usize>) {
        let inner = level.map(|l| l + 1);
        let line = |out: &mut String, level: Option<usize>| {
            if let Some(level) = level {
                out.push('\n');
                out.push_str(&"    ".repeat(level));
            }
        };
        match self {
            Doc::Null => out.push_str("null"),
            Doc::Bool(value) => out.push_str(&value.to_string()),
            Doc::Number(value) => out.push_str(&value.to_string()),
            Doc::Text(text) => out.push_str(&serde_json::Value::from(text.as_str()).to_string()),
            Doc::List(list) if list.is_empty() => out.push_str("[]"),
            Doc::Map(fields) if fields.is_empty() => out.push_str("{}"),
            Doc::List(list) => {
                out.push('[');
                for (index, value) in list.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    line(out, inner);
                    value.write(out, inner);
                }
                line(out, level);
                out.push(']');
            }
            Doc::Map(fields) => {
                out.push('{');
                for (index, (name, value)) in fields.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    line(out, inner);
                    out.push_str(&serde_json::Value::from(name.as_str()).to_string());
                    out.push_str(if level.is_some() { ": " } else { ":" });
                    value.write(out, inner);
                }
                line(out, level);
                out.push('}');
            }
        }
    }
}
