//! Names of images, as far as kubectl looks at them. Models `distribution/reference`'s
//! `ReferenceRegexp`.

/// Whether a text can be the name of an image: `host:5000/folder/name:tag@sha256:…`.
pub fn is_valid(text: &str) -> bool {
    let (text, digest) = match text.split_once('@') {
        Some((text, digest)) => (text, Some(digest)),
        None => (text, None),
    };
    if digest.is_some_and(|d| !is_digest(d)) {
        return false;
    }
    // A colon before the last slash is a port's.
    let (name, tag) = match text.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (text, None),
    };
    if tag.is_some_and(|t| !is_tag(t)) {
        return false;
    }
    let parts: Vec<&str> = name.split('/').collect();
    match parts.as_slice() {
        [] => false,
        [only] => is_path(only),
        [first, rest @ ..] => {
            (is_path(first) || is_domain(first)) && rest.iter().all(|part| is_path(part))
        }
    }
}

fn is_tag(tag: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    tag.len() <= 128
        && tag.chars().next().is_some_and(word)
        && tag.chars().all(|c| word(c) || c == '.' || c == '-')
}

fn is_digest(digest: &str) -> bool {
    let Some((method, hex)) = digest.split_once(':') else { return false };
    method.chars().next().is_some_and(|c| c.is_ascii_alphabetic())
        && hex.len() >= 32
        && hex.chars().all(|c| c.is_ascii_hexdigit())
}

/// `a_b`, `a__b`, `a--b`, `a.b`: small letters and digits with separators between them.
fn is_path(part: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let ends = part.starts_with(plain) && part.ends_with(plain);
    let separators: Vec<&str> = part.split(plain).filter(|s| !s.is_empty()).collect();
    let good = |s: &&str| matches!(*s, "." | "_" | "__") || s.chars().all(|c| c == '-');
    ends && separators.iter().all(good)
}

fn is_domain(part: &str) -> bool {
    let (host, port) = part.split_once(':').map_or((part, None), |(h, p)| (h, Some(p)));
    let digits = |p: &str| !p.is_empty() && p.chars().all(|c| c.is_ascii_digit());
    let label = |l: &str| {
        let word = |c: char| c.is_ascii_alphanumeric();
        l.starts_with(word) && l.ends_with(word) && l.chars().all(|c| word(c) || c == '-')
    };
    port.is_none_or(digits) && host.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_images() {
        for good in ["nginx", "nginx:1.25", "reg.example.com:5000/a/b__c:V1", "a/b-c--d", "l:5/x"] {
            assert!(is_valid(good), "{good}");
        }
        for bad in ["", "Nginx", "a b", "a:", "a:b:c", "a/", "a..b", "x@sha256:12"] {
            assert!(!is_valid(bad), "{bad}");
        }
    }
}
