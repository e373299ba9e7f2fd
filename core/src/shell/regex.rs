//! Regular expressions as `grep`, `sed` and `[[ =~ ]]` write them, on top of `regex-lite`.

use regex_lite::{Regex, RegexBuilder};

/// Which dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// `grep`, `sed`: `\(`, `\|`, `\+` are special, `(`, `|`, `+` are not.
    Basic,
    /// `grep -E`, `awk`.
    Extended,
    /// `grep -F`: nothing is special.
    Fixed,
}

/// Compiles a pattern.
///
/// # Errors
/// What is wrong with it, in a few words.
pub fn compile(pattern: &str, syntax: Syntax, ignore_case: bool) -> Result<Regex, String> {
    let translated = match syntax {
        Syntax::Fixed => regex_lite::escape(pattern),
        _ => translate(pattern, syntax)?,
    };
    RegexBuilder::new(&translated)
        .case_insensitive(ignore_case)
        .dot_matches_new_line(true)
        .build()
        .map_err(|_| "Invalid regular expression".to_string())
}

/// Rewrites a POSIX pattern in the dialect of the library.
fn translate(pattern: &str, syntax: Syntax) -> Result<String, String> {
    let extended = syntax == Syntax::Extended;
    let chars: Vec<char> = pattern.chars().collect();
    let mut out = String::new();
    let mut at = 0;
    let mut starts = true; // whether `*` or `^` here begins an expression
    while let Some(&c) = chars.get(at) {
        at += 1;
        let began = std::mem::replace(&mut starts, false);
        match c {
            '\\' => {
                let Some(&next) = chars.get(at) else {
                    return Err("Trailing backslash".into());
                };
                at += 1;
                match next {
                    '(' | ')' | '{' | '}' | '|' | '+' | '?' if !extended => {
                        starts = next == '(' || next == '|';
                        out.push(next);
                    }
                    '1'..='9' => return Err("back-references are not simulated".into()),
                    'w' | 'W' | 's' | 'S' | 'b' | 'B' => out.extend(['\\', next]),
                    '<' | '>' => out.push_str("\\b"),
                    'n' => out.push('\n'),
                    't' => out.push('\t'),
                    next => push_literal(&mut out, next),
                }
            }
            '[' => at = bracket(&chars, at, &mut out)?,
            '(' | '|' if extended => {
                starts = true;
                out.push(c);
            }
            '*' if began && !extended => out.push_str("\\*"),
            '*' | '+' | '?' if began && extended => push_literal(&mut out, c),
            '{' if extended => {
                // A brace that begins no bound stands for itself, as in GNU's.
                let bound = chars[at..].iter().position(|c| *c == '}').is_some_and(|end| {
                    end > 0 && chars[at..at + end].iter().all(|c| c.is_ascii_digit() || *c == ',')
                });
                if bound && !began { out.push('{') } else { out.push_str("\\{") }
            }
            '}' if extended => {
                let open = out
                    .rfind('{')
                    .is_some_and(|i| !out[..i].ends_with('\\') && !out[i..].contains('}'));
                if open { out.push('}') } else { out.push_str("\\}") }
            }
            '+' | '?' | ')' if extended => out.push(c),
            '*' | '.' => out.push(c),
            '^' if extended || began => {
                starts = true;
                out.push('^');
            }
            '$' => {
                let rest = &chars[at..];
                let ends = rest.is_empty()
                    || extended
                    || rest.starts_with(&['\\', ')'])
                    || rest.starts_with(&['\\', '|']);
                out.push_str(if ends { "$" } else { "\\$" });
            }
            c => push_literal(&mut out, c),
        }
    }
    Ok(out)
}

fn push_literal(out: &mut String, c: char) {
    out.push_str(&regex_lite::escape(c.encode_utf8(&mut [0; 4])));
}

/// `[…]`: a backslash in it stands for itself, `]` may come first.
fn bracket(chars: &[char], mut at: usize, out: &mut String) -> Result<usize, String> {
    let unmatched = || "Unmatched [, [^, [:, [., or [=".to_string();
    out.push('[');
    if chars.get(at) == Some(&'^') {
        out.push('^');
        at += 1;
    }
    let first = at;
    loop {
        let c = *chars.get(at).ok_or_else(unmatched)?;
        at += 1;
        match c {
            ']' if at - 1 > first => {
                out.push(']');
                return Ok(at);
            }
            '[' if chars.get(at) == Some(&':') => {
                let end = (at + 1..chars.len()).find(|i| chars[*i] == ':').ok_or_else(unmatched)?;
                out.push('[');
                out.extend(&chars[at..=end]);
                out.push(']');
                at = end + 2;
            }
            '-' if at - 1 > first && chars.get(at) != Some(&']') => out.push('-'),
            '\\' if matches!(chars.get(at), Some('n' | 't')) => {
                out.push_str(if chars[at] == 'n' { "\\n" } else { "\\t" });
                at += 1;
            }
            c if "[]\\^-&~".contains(c) => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dialects() {
        use Syntax::{Basic, Extended, Fixed};
        for (pattern, syntax, text, want) in [
            ("a+", Basic, "a+", true),
            ("a\\+b", Basic, "aab", true),
            ("a+b", Extended, "aab", true),
            ("\\(a\\|b\\)c", Basic, "bc", true),
            ("(a|b)c", Basic, "bc", false),
            ("^*a", Basic, "*a", true),
            ("a.c", Fixed, "abc", false),
            ("[]x]", Basic, "]", true),
            ("[^\\]$", Basic, "\\", false),
            ("[[:space:]]b", Extended, " b", true),
            ("a{2}", Extended, "aa", true),
            ("{x}", Extended, "{x}", true),
            ("a\\{2\\}$", Basic, "baa", true),
            ("\\bx\\b", Extended, "a x", true),
            ("a$b", Basic, "a$b", true),
            ("[a-c-]", Basic, "-", true),
        ] {
            let regex = compile(pattern, syntax, false).unwrap();
            assert_eq!(regex.is_match(text), want, "{pattern} {text}");
        }
        assert!(compile("[a", Basic, false).is_err());
        assert!(compile("(", Extended, false).is_err());
    }
}
