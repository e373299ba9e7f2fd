//! Paths and query parameters: what a URL names.
//!
//! Models `apiserver/pkg/endpoints/request/requestinfo.go`.

/// Undoes percent-encoding; `None` where that is not UTF-8. `plus` stands for a blank in queries.
pub fn decode(text: &str, plus: bool) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = bytes.get(at + 1..at + 3).and_then(|h| std::str::from_utf8(h).ok());
        match (byte, hex.and_then(|h| u8::from_str_radix(h, 16).ok())) {
            (b'%', Some(value)) => {
                out.push(value);
                at += 2;
            }
            (b'+', _) if plus => out.push(b' '),
            _ => out.push(*byte),
        }
        at += 1;
    }
    String::from_utf8(out).ok()
}

/// A path's segments, decoded; empty ones are left out. `None` for what is no text.
pub fn segments(path: &str) -> Option<Vec<String>> {
    path.split('/').filter(|s| !s.is_empty()).map(|s| decode(s, false)).collect()
}

/// The query, decoded.
#[derive(Clone, Debug, Default)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// From what follows the question mark; what is no text is dropped.
    pub fn parse(query: &str) -> Self {
        let pairs = query.split('&').filter(|p| !p.is_empty()).filter_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(key, true)?, decode(value, true)?))
        });
        Parameters(pairs.collect())
    }

    /// The first value of a parameter.
    pub fn get<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).next()
    }

    /// All values of a parameter.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether a switch is on. Go's conversion takes everything but `false` and `0` for true.
    pub fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|v| !matches!(v, "false" | "0" | "False" | "FALSE"))
    }

    /// A number; `None` where it is missing or none.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.get(name)?.parse().ok()
    }
}

/// What a path below `/api/v1` or `/apis/group/version` names.
#[derive(Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// API group, empty for the core group.
    pub group: &'a str,
    /// `v1`.
    pub version: &'a str,
    /// The namespace, where the path names one.
    pub namespace: Option<&'a str>,
    /// `pods`.
    pub resource: &'a str,
    /// One object.
    pub name: Option<&'a str>,
    /// `log`, `scale` …
    pub subresource: Option<&'a str>,
    /// What follows the subresource (proxies).
    pub rest: &'a [&'a str],
}

impl<'a> Target<'a> {
    /// From a path's segments. `None` where they are too few or too many.
    pub fn parse(segments: &'a [&'a str]) -> Option<Self> {
        let (group, version, rest) = match segments {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return None,
        };
        let (namespace, rest) = match rest {
            // A namespace itself, or a part of it.
            ["namespaces", _, "status" | "finalize"] => (None, rest),
            ["namespaces", ns, resource, ..] if !resource.is_empty() => (Some(*ns), rest.get(2..)?),
            _ => (None, rest),
        };
        let (resource, rest) = rest.split_first()?;
        let (name, subresource, rest) = match rest {
            [] => (None, None, rest),
            [name] => (Some(*name), None, rest.get(1..)?),
            [name, sub, rest @ ..] => (Some(*name), Some(*sub), rest),
        };
        if subresource.is_some_and(|s| s != "proxy") && !rest.is_empty() {
            return None;
        }
        Some(Target { group, version, namespace, resource, name, subresource, rest })
    }

    /// The namespace, empty where there is none: how the store has it.
    pub fn ns(&self) -> &'a str {
        self.namespace.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_objects_and_their_parts() {
        for (path, want) in [
            ("/api/v1/pods", (None, "pods", None, None)),
            ("/api/v1/namespaces", (None, "namespaces", None, None)),
            ("/api/v1/namespaces/a", (None, "namespaces", Some("a"), None)),
            ("/api/v1/namespaces/a/status", (None, "namespaces", Some("a"), Some("status"))),
            ("/api/v1/namespaces/a/pods", (Some("a"), "pods", None, None)),
            ("/api/v1/namespaces/a/pods/b%2Dc/log", (Some("a"), "pods", Some("b-c"), Some("log"))),
            ("/apis/apps/v1/deployments", (None, "deployments", None, None)),
            ("/api/v1/nodes/n/status", (None, "nodes", Some("n"), Some("status"))),
        ] {
            let segments = segments(path).unwrap();
            let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
            let target = Target::parse(&segments).unwrap();
            let got = (target.namespace, target.resource, target.name, target.subresource);
            assert_eq!(got, want, "{path}");
        }
        assert_eq!(segments("/api/%ff"), None);
        let parameters = Parameters::parse("a=1%2C2&b&c=x+y&watch=true&d=false");
        assert_eq!(parameters.get("a"), Some("1,2"));
        assert_eq!(parameters.get("c"), Some("x y"));
        assert!(parameters.flag("b") && parameters.flag("watch") && !parameters.flag("d"));
    }
}
