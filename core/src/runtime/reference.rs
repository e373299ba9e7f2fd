//! How images are named: `[domain/]path[:tag][@digest]`.
//!
//! Models `github.com/distribution/reference` and the kubelet's `parsers.ParseImageName`.

use std::fmt;

const HUB: &str = "docker.io";
const OFFICIAL: &str = "library/";

/// A parsed image name. Without a tag and a digest it means `latest`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// `docker.io`, `registry.k8s.io`, `localhost:5000`.
    pub domain: String,
    /// `library/nginx`, `kiamol/ch02-hello-kiamol`.
    pub path: String,
    /// `1.25`; `latest` where neither a tag nor a digest is given.
    pub tag: Option<String>,
    /// `sha256:…`
    pub digest: Option<String>,
}

impl Reference {
    /// Parses a name as people write it.
    ///
    /// # Errors
    /// The sentence of the reference library: `invalid reference format` and what of it.
    pub fn parse(text: &str) -> Result<Reference, String> {
        const BAD: &str = "invalid reference format";
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        if let Some(digest) = digest {
            let hex = digest.strip_prefix("sha256:").ok_or(BAD)?;
            if hex.len() != 64 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(BAD.into());
            }
        }
        let (domain, remainder) = split_domain(rest);
        let slash = remainder.rfind('/').map_or(0, |at| at + 1);
        // The library looks for the first colon of the whole remainder when it checks for capitals.
        let lower_end = remainder.find(':').unwrap_or(remainder.len());
        if remainder[..lower_end].bytes().any(|b| b.is_ascii_uppercase()) {
            let path = &remainder[..lower_end];
            return Err(format!("{BAD}: repository name ({path}) must be lowercase"));
        }
        let (path, tag) = match remainder[slash..].find(':') {
            Some(at) => (&remainder[..slash + at], Some(&remainder[slash + at + 1..])),
            None => (remainder.as_str(), None),
        };
        if !path.split('/').all(is_component) || !is_domain(&domain) || !tag.is_none_or(is_tag) {
            return Err(BAD.into());
        }
        if path.len() > 255 {
            return Err("repository name must not be more than 255 characters".into());
        }
        let tag = match (tag, digest) {
            (None, None) => Some("latest"),
            (tag, _) => tag,
        };
        Ok(Reference {
            domain,
            path: path.into(),
            tag: tag.map(Into::into),
            digest: digest.map(Into::into),
        })
    }

    /// The repository in full: `docker.io/library/nginx`.
    pub fn repository(&self) -> String {
        format!("{}/{}", self.domain, self.path)
    }

    /// The repository as people write it: `nginx`.
    pub fn familiar_repository(&self) -> String {
        if self.domain != HUB {
            return self.repository();
        }
        self.path.strip_prefix(OFFICIAL).unwrap_or(&self.path).to_string()
    }

    /// The name as people write it: `nginx:1.25`.
    pub fn familiar(&self) -> String {
        format!("{}{}", self.familiar_repository(), self.suffix())
    }

    fn suffix(&self) -> String {
        let mut out = String::new();
        if let Some(tag) = &self.tag {
            out.push(':');
            out.push_str(tag);
        }
        if let Some(digest) = &self.digest {
            out.push('@');
            out.push_str(digest);
        }
        out
    }
}

/// The name in full: `docker.io/library/nginx:1.25`.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}{}", self.domain, self.path, self.suffix())
    }
}

/// The first part is a registry if it has a dot or a port, or is `localhost`.
fn split_domain(text: &str) -> (String, String) {
    match text.split_once('/') {
        Some((first, rest))
            if first.contains(['.', ':'])
                || first == "localhost"
                || first.bytes().any(|b| b.is_ascii_uppercase()) =>
        {
            let domain = if first == "index.docker.io" { HUB } else { first };
            let official = domain == HUB && !rest.contains('/');
            let path = if official { format!("{OFFICIAL}{rest}") } else { rest.to_string() };
            (domain.to_string(), path)
        }
        Some(_) => (HUB.to_string(), text.to_string()),
        None => (HUB.to_string(), format!("{OFFICIAL}{text}")),
    }
}

fn is_component(part: &str) -> bool {
    let bytes = part.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    let plain = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let separators_fit = !part.contains("..") && !part.contains("___") && !part.contains("._");
    plain(first)
        && plain(last)
        && bytes.iter().all(|b| plain(b) || b"._-".contains(b))
        && separators_fit
}

fn is_domain(domain: &str) -> bool {
    let (host, port) = domain.split_once(':').unwrap_or((domain, "0"));
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
    !host.is_empty()
        && host.bytes().all(fits)
        && !port.is_empty()
        && port.bytes().all(|b| b.is_ascii_digit())
}

fn is_tag(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let bytes = tag.as_bytes();
    bytes.first().is_some_and(|b| word(*b))
        && bytes.len() <= 128
        && bytes.iter().all(|b| word(*b) || matches!(b, b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_completed_as_docker_completes_them() {
        for (text, full, familiar) in [
            ("nginx", "docker.io/library/nginx:latest", "nginx:latest"),
            ("nginx:1.25", "docker.io/library/nginx:1.25", "nginx:1.25"),
            ("kiamol/web", "docker.io/kiamol/web:latest", "kiamol/web:latest"),
            ("docker.io/nginx", "docker.io/library/nginx:latest", "nginx:latest"),
            (
                "registry.k8s.io/pause:3.10",
                "registry.k8s.io/pause:3.10",
                "registry.k8s.io/pause:3.10",
            ),
            ("localhost:5000/a/b", "localhost:5000/a/b:latest", "localhost:5000/a/b:latest"),
        ] {
            let reference = Reference::parse(text).unwrap();
            assert_eq!(reference.to_string(), full);
            assert_eq!(reference.familiar(), familiar);
        }
        let digest = format!("nginx@sha256:{}", "a".repeat(64));
        assert_eq!(Reference::parse(&digest).unwrap().tag, None);
    }

    #[test]
    fn bad_names_are_refused_in_the_librarys_words() {
        for (text, error) in [
            (
                "Bad_Image::1",
                "invalid reference format: repository name (library/Bad_Image) must be lowercase",
            ),
            ("", "invalid reference format"),
            ("nginx:", "invalid reference format"),
            ("nginx::1", "invalid reference format"),
            ("a//b", "invalid reference format"),
            ("-x", "invalid reference format"),
            ("nginx@sha256:12", "invalid reference format"),
            ("nginx é", "invalid reference format"),
        ] {
            assert_eq!(Reference::parse(text).unwrap_err(), error, "{text}");
        }
    }
}
