//! File names that match a pattern.

use crate::{machine::Proc, shell::pattern::Pattern};

/// The paths that match, sorted; none if there are none.
pub fn glob(proc: &Proc, pattern: &str) -> Vec<String> {
    let absolute = pattern.starts_with('/');
    let parts: Vec<&str> = pattern.split('/').filter(|p| !p.is_empty()).collect();
    let mut found = vec![if absolute { "/".to_string() } else { String::new() }];
    for (index, part) in parts.iter().enumerate() {
        let last = index + 1 == parts.len();
        let mut next = Vec::new();
        for base in &found {
            if Pattern::is_special(part) {
                matching(proc, base, part, last, &mut next);
            } else {
                let path = format!("{base}{}", Pattern::unescape(part));
                if proc.lstat(&path).is_ok() {
                    next.push(if last { path } else { path + "/" });
                }
            }
        }
        found = next;
    }
    if pattern.ends_with('/') {
        found.retain(|path| proc.is_dir(path));
        found.iter_mut().for_each(|path| path.push('/'));
    }
    found
}

fn matching(proc: &Proc, base: &str, part: &str, last: bool, out: &mut Vec<String>) {
    let pattern = Pattern::new(part);
    let dir = if base.is_empty() { "." } else { base };
    for (name, node) in proc.list(dir).unwrap_or_default() {
        if (name.starts_with('.') && !part.starts_with('.')) || !pattern.matches(&name) {
            continue;
        }
        if last {
            out.push(format!("{base}{name}"));
        } else if node.is_dir() || (node.is_link() && proc.is_dir(&format!("{base}{name}"))) {
            out.push(format!("{base}{name}/"));
        }
    }
}
