//! Label and field selectors: parsing and matching.
//!
//! Models `apimachinery/pkg/labels/selector.go` and `pkg/fields/selector.go`.

use std::{collections::BTreeMap, fmt};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

type Labels = BTreeMap<String, String>;

/// One requirement of a label selector.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Requirement {
    Equals(String, String),
    NotEquals(String, String),
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    DoesNotExist(String),
    GreaterThan(String, i64),
    LessThan(String, i64),
}

impl Requirement {
    fn key(&self) -> &str {
        match self {
            Requirement::Equals(k, _) | Requirement::NotEquals(k, _) => k,
            Requirement::In(k, _) | Requirement::NotIn(k, _) => k,
            Requirement::Exists(k) | Requirement::DoesNotExist(k) => k,
            Requirement::GreaterThan(k, _) | Requirement::LessThan(k, _) => k,
        }
    }
}

/// A label selector; the default one matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Selector {
    requirements: Vec<Requirement>,
    nothing: bool,
}

impl Selector {
    /// Matches every object whose labels include all of `labels`.
    pub fn from_labels(labels: &Labels) -> Self {
        let eq = |(k, v): (&String, &String)| Requirement::Equals(k.clone(), v.clone());
        Selector { requirements: labels.iter().map(eq).collect(), nothing: false }
    }

    /// From an object's `spec.selector`. `None` matches nothing, an empty one everything.
    /// Models `metav1.LabelSelectorAsSelector`. Errors name the operator that is not one.
    pub fn from_label_selector(selector: Option<&LabelSelector>) -> Result<Self, String> {
        let Some(selector) = selector else {
            return Ok(Selector { requirements: Vec::new(), nothing: true });
        };
        let mut made = Selector::from_labels(&selector.match_labels.clone().unwrap_or_default());
        for e in selector.match_expressions.iter().flatten() {
            let (key, values) = (e.key.clone(), e.values.clone().unwrap_or_default());
            made.requirements.push(match e.operator.as_str() {
                "In" => Requirement::In(key, values),
                "NotIn" => Requirement::NotIn(key, values),
                "Exists" => Requirement::Exists(key),
                "DoesNotExist" => Requirement::DoesNotExist(key),
                other => return Err(format!("{other:?} is not a valid label selector operator")),
            });
        }
        made.sort();
        Ok(made)
    }

    /// From the command line's form: `a=b,c!=d,e in (f,g),!h,i`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut requirements = Vec::new();
        for part in split_outside_parens(text) {
            let part = part.trim();
            if part.is_empty() {
                continue;
            }
            requirements.push(parse_requirement(part)?);
        }
        let mut made = Selector { requirements, nothing: false };
        made.sort();
        Ok(made)
    }

    /// As an object's `spec.selector` has it. Models `metav1.ParseToLabelSelector`. Errors: an
    /// operator that such a field does not know.
    pub fn to_label_selector(&self) -> Result<LabelSelector, String> {
        let mut made = LabelSelector::default();
        for requirement in &self.requirements {
            let (operator, values) = match requirement {
                Requirement::Equals(key, value) => {
                    let labels = made.match_labels.get_or_insert_default();
                    labels.insert(key.clone(), value.clone());
                    continue;
                }
                Requirement::NotEquals(_, value) => ("NotIn", vec![value.clone()]),
                Requirement::In(_, values) => ("In", values.clone()),
                Requirement::NotIn(_, values) => ("NotIn", values.clone()),
                Requirement::Exists(_) => ("Exists", Vec::new()),
                Requirement::DoesNotExist(_) => ("DoesNotExist", Vec::new()),
                Requirement::GreaterThan(..) => {
                    return Err("\"gt\" isn't supported in label selectors".into());
                }
                Requirement::LessThan(..) => {
                    return Err("\"lt\" isn't supported in label selectors".into());
                }
            };
            made.match_expressions.get_or_insert_default().push(LabelSelectorRequirement {
                key: requirement.key().to_owned(),
                operator: operator.to_owned(),
                values: (!values.is_empty()).then_some(values),
            });
        }
        Ok(made)
    }

    /// By key, and the values of each by text: how Go writes selectors.
    fn sort(&mut self) {
        for requirement in &mut self.requirements {
            if let Requirement::In(_, values) | Requirement::NotIn(_, values) = requirement {
                values.sort();
            }
        }
        self.requirements.sort_by(|a, b| a.key().cmp(b.key()));
    }

    /// Whether it matches everything.
    pub fn is_everything(&self) -> bool {
        self.requirements.is_empty() && !self.nothing
    }

    /// Whether labels satisfy all requirements.
    pub fn matches(&self, labels: Option<&Labels>) -> bool {
        let get = |key: &str| labels.and_then(|l| l.get(key)).map(String::as_str);
        !self.nothing
            && self.requirements.iter().all(|r| match r {
                Requirement::Equals(k, v) => get(k) == Some(v),
                Requirement::NotEquals(k, v) => get(k) != Some(v),
                Requirement::In(k, vs) => get(k).is_some_and(|v| vs.iter().any(|x| x == v)),
                Requirement::NotIn(k, vs) => get(k).is_none_or(|v| vs.iter().all(|x| x != v)),
                Requirement::Exists(k) => get(k).is_some(),
                Requirement::DoesNotExist(k) => get(k).is_none(),
                Requirement::GreaterThan(k, n) => number(get(k)).is_some_and(|v| v > *n),
                Requirement::LessThan(k, n) => number(get(k)).is_some_and(|v| v < *n),
            })
    }
}

fn number(text: Option<&str>) -> Option<i64> {
    text?.parse().ok()
}

fn split_outside_parens(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (i, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn parse_requirement(text: &str) -> Result<Requirement, String> {
    let unable = || format!("unable to parse requirement: {text:?} is not a valid label selector");
    if let Some(key) = text.strip_prefix('!') {
        return Ok(Requirement::DoesNotExist(valid_key(key.trim())?));
    }
    for (op, negate) in [("!=", true), ("==", false), ("=", false)] {
        if let Some((key, value)) = text.split_once(op) {
            let (key, value) = (valid_key(key.trim())?, valid_value(value.trim())?);
            return Ok(if negate {
                Requirement::NotEquals(key, value)
            } else {
                Requirement::Equals(key, value)
            });
        }
    }
    for (op, greater) in [('>', true), ('<', false)] {
        if let Some((key, value)) = text.split_once(op) {
            let (key, n) = (valid_key(key.trim())?, value.trim().parse().map_err(|_| unable())?);
            return Ok(if greater {
                Requirement::GreaterThan(key, n)
            } else {
                Requirement::LessThan(key, n)
            });
        }
    }
    let Some(open) = text.find('(') else { return Ok(Requirement::Exists(valid_key(text)?)) };
    let inner = text[open + 1..]
        .strip_suffix(')')
        .ok_or_else(|| "unable to parse requirement: found '', expected: ',' or ')'".to_owned())?;
    let mut head = text[..open].split_whitespace();
    let (key, op) = (head.next().ok_or_else(unable)?, head.next().ok_or_else(unable)?);
    let values: Result<Vec<_>, _> = inner.split(',').map(|v| valid_value(v.trim())).collect();
    match op {
        "in" => Ok(Requirement::In(valid_key(key)?, values?)),
        "notin" => Ok(Requirement::NotIn(valid_key(key)?, values?)),
        _ => Err(unable()),
    }
}

fn valid_key(key: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    if key.is_empty() || !key.chars().all(plain) {
        return Err(format!(
            "unable to parse requirement: <nil>: Invalid value: {key:?}: name part must consist of \
             alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric \
             character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
             '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
        ));
    }
    Ok(key.to_string())
}

fn valid_value(value: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if value.chars().all(plain) {
        return Ok(value.to_string());
    }
    Err(format!("unable to parse requirement: found {value:?}, expected: identifier"))
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, r) in self.requirements.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            match r {
                Requirement::Equals(k, v) => write!(f, "{k}={v}")?,
                Requirement::NotEquals(k, v) => write!(f, "{k}!={v}")?,
                Requirement::In(k, v) => write!(f, "{k} in ({})", v.join(","))?,
                Requirement::NotIn(k, v) => write!(f, "{k} notin ({})", v.join(","))?,
                Requirement::Exists(k) => write!(f, "{k}")?,
                Requirement::DoesNotExist(k) => write!(f, "!{k}")?,
                Requirement::GreaterThan(k, n) => write!(f, "{k}>{n}")?,
                Requirement::LessThan(k, n) => write!(f, "{k}<{n}")?,
            }
        }
        Ok(())
    }
}

/// A field selector: `status.phase=Running,metadata.name!=x`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector(Vec<(String, bool, String)>);

impl FieldSelector {
    /// From the command line's form.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut terms = Vec::new();
        for part in text.split(',').filter(|p| !p.is_empty()) {
            let (key, equal, value) = if let Some((k, v)) = part.split_once("!=") {
                (k, false, v)
            } else if let Some((k, v)) = part.split_once("==").or_else(|| part.split_once('=')) {
                (k, true, v)
            } else {
                return Err(format!("invalid selector: '{text}'; can't understand '{part}'"));
            };
            terms.push((key.to_string(), equal, value.to_string()));
        }
        Ok(FieldSelector(terms))
    }

    /// As requests have it. Models `fields.Selector.String`.
    pub fn text(&self) -> String {
        let term = |(key, equal, value): &(String, bool, String)| {
            format!("{key}{}{value}", if *equal { "=" } else { "!=" })
        };
        self.0.iter().map(term).collect::<Vec<_>>().join(",")
    }

    /// The same with other names of fields.
    pub fn renamed(&self, name: impl Fn(&str) -> String) -> Self {
        FieldSelector(self.0.iter().map(|(k, eq, v)| (name(k), *eq, v.clone())).collect())
    }

    /// One field that must have one value.
    pub fn one(field: &str, value: &str) -> Self {
        FieldSelector(vec![(field.to_string(), true, value.to_string())])
    }

    /// Its fields, in order.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(k, ..)| k.as_str())
    }

    /// Whether it matches everything.
    pub fn is_everything(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the fields that `get` yields satisfy it.
    pub fn matches(&self, get: impl Fn(&str) -> String) -> bool {
        self.0.iter().all(|(key, equal, value)| (get(key) == *value) == *equal)
    }

    /// The value that `field` must have, if one is required.
    pub fn required(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|(k, eq, _)| k == field && *eq).map(|(.., v)| v.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_match_as_kubectl_writes_them() {
        let labels: Labels = [("app", "web"), ("tier", "front"), ("n", "5")]
            .map(|(k, v)| (k.into(), v.into()))
            .into();
        for (text, want) in [
            ("app=web", true),
            ("app==web,tier!=back", true),
            ("app in (api, web),!gone", true),
            ("app notin (web)", false),
            ("tier", true),
            ("gone", false),
            ("gone!=x", true),
            ("n>4,n<6", true),
            ("", true),
        ] {
            let selector = Selector::parse(text).unwrap();
            assert_eq!(selector.matches(Some(&labels)), want, "{text}");
        }
        assert!(Selector::parse("a b c").is_err());
        assert!(!Selector::from_label_selector(None).unwrap().matches(Some(&labels)));
        assert_eq!(Selector::parse("b in (2,1),a=1").unwrap().to_string(), "a=1,b in (1,2)");
    }
}
