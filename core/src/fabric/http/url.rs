//! The `http://` addresses people type.

use std::fmt;

/// An address of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// `http` or `https`.
    pub scheme: String,
    /// Name or address.
    pub host: String,
    /// The port, of the scheme if none is written.
    pub port: u16,
    /// Path and query, beginning with `/`.
    pub path: String,
    /// `user:password`, if there.
    pub user: Option<String>,
}

impl Url {
    /// Reads an address; without a scheme it is `http`. Errors are in words.
    pub fn parse(text: &str) -> Result<Url, String> {
        let text = text.trim();
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let scheme = scheme.to_ascii_lowercase();
        let default_port = match scheme.as_str() {
            "http" => 80,
            "https" => 443,
            _ => return Err(format!("unsupported scheme {scheme}")),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (user, address) = match authority.rsplit_once('@') {
            Some((user, address)) => (Some(user.to_string()), address),
            None => (None, authority),
        };
        let (host, port) = match address.rsplit_once(':') {
            Some((host, "")) => (host, default_port),
            Some((host, port)) => (host, port.parse().map_err(|_| "bad port".to_string())?),
            None => (address, default_port),
        };
        if host.is_empty() || host.contains(char::is_whitespace) {
            return Err("no host in the address".into());
        }
        let path = match path.chars().next() {
            None => "/".to_string(),
            Some('?') => format!("/{path}"),
            _ => path.to_string(),
        };
        Ok(Url { scheme, host: host.to_string(), port, path: path.replace(' ', "%20"), user })
    }

    /// Where a `Location` (or a link) of this page leads. Errors are in words.
    pub fn join(&self, location: &str) -> Result<Url, String> {
        if location.contains("://") {
            return Url::parse(location);
        }
        let mut url = self.clone();
        url.path = if location.starts_with('/') {
            location.to_string()
        } else {
            let dir = self.path.split('?').next().unwrap_or("/");
            let dir = dir.rsplit_once('/').map_or("", |(dir, _)| dir);
            format!("{dir}/{location}")
        };
        Ok(url)
    }

    /// The `Host` header: with the port unless it is the scheme's.
    pub fn host_header(&self) -> String {
        if (self.scheme == "http" && self.port == 80)
            || (self.scheme == "https" && self.port == 443)
        {
            return self.host.clone();
        }
        format!("{}:{}", self.host, self.port)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.host_header(), self.path)
    }
}
