//! Shell patterns: `*`, `?`, `[…]`. Used for file names, `case`, `[[ == ]]` and `${x%…}`.

/// One step of a pattern.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Char(char),
    Any,
    Many,
    Set { negated: bool, items: Vec<(char, char)> },
}

/// A pattern that was parsed.
#[derive(Clone, Debug)]
pub struct Pattern(Vec<Step>);

impl Pattern {
    /// Parses a pattern; `\` takes the special meaning of what follows.
    pub fn new(text: &str) -> Pattern {
        let chars: Vec<char> = text.chars().collect();
        let (mut steps, mut at) = (Vec::new(), 0);
        while let Some(&c) = chars.get(at) {
            at += 1;
            steps.push(match c {
                '\\' if at < chars.len() => {
                    at += 1;
                    Step::Char(chars[at - 1])
                }
                '?' => Step::Any,
                '*' => {
                    if steps.last() == Some(&Step::Many) {
                        continue;
                    }
                    Step::Many
                }
                '[' => match set(&chars, at) {
                    Some((step, end)) => {
                        at = end;
                        step
                    }
                    None => Step::Char('['),
                },
                c => Step::Char(c),
            });
        }
        Pattern(steps)
    }

    /// Whether the whole text matches.
    pub fn matches(&self, text: &str) -> bool {
        let chars: Vec<char> = text.chars().collect();
        self.matches_chars(&chars)
    }

    /// As [`Pattern::matches`], for a slice of characters.
    pub fn matches_chars(&self, text: &[char]) -> bool {
        let (mut step, mut at) = (0, 0);
        let mut retry: Option<(usize, usize)> = None;
        loop {
            let advanced = match self.0.get(step) {
                Some(Step::Many) => {
                    retry = Some((step + 1, at));
                    step += 1;
                    continue;
                }
                Some(one) => text.get(at).is_some_and(|c| one.takes(*c)),
                None if at == text.len() => return true,
                None => false,
            };
            if advanced {
                (step, at) = (step + 1, at + 1);
                continue;
            }
            match retry {
                Some((back, from)) if from < text.len() => {
                    retry = Some((back, from + 1));
                    (step, at) = (back, from + 1);
                }
                _ => return false,
            }
        }
    }

    /// Whether it could match something else than its own text.
    pub fn is_special(text: &str) -> bool {
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => drop(chars.next()),
                '*' | '?' | '[' => return true,
                _ => {}
            }
        }
        false
    }

    /// A text as a pattern that matches only itself.
    pub fn escape(text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            if "*?[]\\".contains(c) {
                out.push('\\');
            }
            out.push(c);
        }
        out
    }

    /// The text without the escapes of [`Pattern::escape`].
    pub fn unescape(text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if c == '\\' { out.extend(chars.next()) } else { out.push(c) }
        }
        out
    }
}

impl Step {
    fn takes(&self, c: char) -> bool {
        match self {
            Step::Char(want) => *want == c,
            Step::Any => true,
            Step::Many => false,
            Step::Set { negated, items } => {
                items.iter().any(|(a, b)| (*a..=*b).contains(&c)) != *negated
            }
        }
    }
}

fn set(chars: &[char], mut at: usize) -> Option<(Step, usize)> {
    let negated = matches!(chars.get(at), Some('!' | '^'));
    at += usize::from(negated);
    let (first, mut items) = (at, Vec::new());
    loop {
        let mut c = *chars.get(at)?;
        if c == ']' && at > first {
            return Some((Step::Set { negated, items }, at + 1));
        }
        if c == '[' && chars.get(at + 1) == Some(&':') {
            let end = (at + 2..chars.len()).find(|i| chars[*i] == ':')?;
            let name: String = chars[at + 2..end].iter().collect();
            if chars.get(end + 1) == Some(&']') {
                items.extend(class(&name)?);
                at = end + 2;
                continue;
            }
        }
        if c == '\\' {
            at += 1;
            c = *chars.get(at)?;
        }
        if chars.get(at + 1) == Some(&'-') && chars.get(at + 2).is_some_and(|e| *e != ']') {
            items.push((c, chars[at + 2]));
            at += 3;
        } else {
            items.push((c, c));
            at += 1;
        }
    }
}

/// The ranges of `[:name:]`.
pub fn class(name: &str) -> Option<&'static [(char, char)]> {
    Some(match name {
        "alpha" => &[('a', 'z'), ('A', 'Z')],
        "digit" => &[('0', '9')],
        "alnum" => &[('a', 'z'), ('A', 'Z'), ('0', '9')],
        "upper" => &[('A', 'Z')],
        "lower" => &[('a', 'z')],
        "space" => &[('\t', '\r'), (' ', ' ')],
        "blank" => &[('\t', '\t'), (' ', ' ')],
        "punct" => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
        "xdigit" => &[('0', '9'), ('a', 'f'), ('A', 'F')],
        "cntrl" => &[('\0', '\u{1f}'), ('\u{7f}', '\u{7f}')],
        "print" => &[(' ', '~')],
        "graph" => &[('!', '~')],
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, want) in [
            ("*.rs", "a.rs", true),
            ("*.rs", "a.rst", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("[!a-c]?", "dx", true),
            ("[a-c]", "d", false),
            ("[]x]", "]", true),
            ("[[:digit:]]*", "7up", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("[ab", "[ab", true),
            ("", "", true),
            ("*", "", true),
        ] {
            assert_eq!(Pattern::new(pattern).matches(text), want, "{pattern} {text}");
        }
    }
}
