//! What kubectl itself checks before it asks a server. Models `apimachinery/pkg/util/validation`.

use crate::api::gofmt::quote;

/// Longest value of a label.
const LABEL: usize = 63;
/// Longest DNS subdomain, and prefix of a label's key.
const SUBDOMAIN: usize = 253;

/// Whether a name can be an environment variable's, as strict as it was before Kubernetes 1.30.
/// Models `IsEnvVarName`. Errors: why not.
pub fn env_name(name: &str) -> Result<(), String> {
    let first = |c: char| c.is_ascii_alphabetic() || "-._".contains(c);
    let rest = |c: char| first(c) || c.is_ascii_digit();
    let fits = name.chars().next().is_some_and(first) && name.chars().all(rest);
    let mut faults = Vec::new();
    if !fits {
        faults.push(
            "a valid environment variable name must consist of alphabetic characters, digits, '_', \
             '-', or '.', and must not start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  \
             or 'MyEnvName1', regex used for validation is '[-._a-zA-Z][-._a-zA-Z0-9]*')",
        );
    }
    match name {
        "." => faults.push("must not be '.'"),
        ".." => faults.push("must not be '..'"),
        _ if name.starts_with("..") => faults.push("must not start with '..'"),
        _ => {}
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join(";")) }
}

/// The same as a whole sentence. Errors: `"1A" is not a valid key name: …`.
pub fn env_key(name: &str) -> Result<(), String> {
    env_name(name).map_err(|why| format!("{} is not a valid key name: {why}", quote(name)))
}

fn word(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    edge(text.chars().next())
        && edge(text.chars().last())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// A label's value. Models `IsValidLabelValue`. Errors: why not.
pub fn label_value(value: &str) -> Result<(), String> {
    let mut faults = Vec::new();
    if value.len() > LABEL {
        faults.push("must be no more than 63 bytes");
    }
    if !value.is_empty() && !word(value) {
        faults.push(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' \
             or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or \
             'my_value',  or '12345', regex used for validation is \
             '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
        );
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
}

/// Whether a text is a DNS subdomain (RFC 1123).
pub fn is_subdomain(text: &str) -> bool {
    let label = |part: &str| {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        part.chars().next().is_some_and(fits)
            && part.chars().last().is_some_and(fits)
            && part.chars().all(|c| fits(c) || c == '-')
    };
    text.len() <= SUBDOMAIN && text.split('.').all(label)
}

/// A label's key: a name, with a prefix if it likes. Models `IsQualifiedName`. Errors: why not.
pub fn qualified_name(text: &str) -> Result<(), String> {
    const NAME: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and \
                        end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or \
                        '123-abc', regex used for validation is \
                        '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
    const SUB: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric \
                       characters, '-' or '.', and must start and end with an alphanumeric character \
                       (e.g. 'example.com', regex used for validation is \
                       '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
    let mut faults = Vec::new();
    let parts: Vec<&str> = text.split('/').collect();
    let name = match parts.as_slice() {
        [name] => name,
        [prefix, name] => {
            if prefix.is_empty() {
                faults.push("prefix part must be non-empty".to_owned());
            } else if !is_subdomain(prefix) {
                faults.push(format!("prefix part {SUB}"));
            }
            name
        }
        _ => {
            return Err(format!(
                "a qualified name {NAME} with an optional DNS subdomain prefix and '/' (e.g. \
                 'example.com/MyName')"
            ));
        }
    };
    if name.is_empty() {
        faults.push("name part must be non-empty".into());
    } else if name.len() > LABEL {
        faults.push("name part must be no more than 63 bytes".into());
    }
    if !word(name) {
        faults.push(format!("name part {NAME}"));
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
}

/// A port's name. Models `IsValidPortName`. Errors: why not, all of it.
pub fn port_name(text: &str) -> Result<(), String> {
    let mut faults = Vec::new();
    if text.len() > 15 {
        faults.push("must be no more than 15 characters");
    }
    if !text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-') {
        faults.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
    }
    if !text.chars().any(|c| c.is_ascii_lowercase()) {
        faults.push("must contain at least one letter (a-z)");
    }
    if text.contains("--") {
        faults.push("must not contain consecutive hyphens");
    }
    if text.starts_with('-') || text.ends_with('-') {
        faults.push("must not begin or end with a hyphen");
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join(",")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_fit() {
        assert!(env_name("A.b-C_1").is_ok() && env_name("1A").is_err() && env_name("").is_err());
        assert!(is_subdomain("a.b-c.d") && !is_subdomain("A.b") && !is_subdomain("a..b"));
        assert!(qualified_name("example.com/My_Name").is_ok() && qualified_name("a/b/c").is_err());
        assert!(label_value("").is_ok() && label_value("-a").is_err());
        assert!(port_name("http-1").is_ok() && port_name("80").is_err());
    }
}
