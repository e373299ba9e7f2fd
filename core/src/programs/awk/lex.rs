//! awk's tokens.

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    Number(f64),
    Text(String),
    Regex(String),
    /// A name; the flag says that `(` follows at once.
    Name(String, bool),
    Op(&'static str),
    Newline,
}

const OPS: &[&str] = &[
    "**=", "&&", "||", "==", "!=", "<=", ">=", "!~", "++", "--", "+=", "-=", "*=", "/=", "%=",
    "^=", "**", ">>", "{", "}", "(", ")", "[", "]", ";", ",", "+", "-", "*", "/", "%", "^", "!",
    "<", ">", "=", "~", "?", ":", "$", "|",
];

/// Splits a program into tokens.
///
/// # Errors
/// Where a string or pattern does not end.
pub fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let chars: Vec<char> = text.chars().collect();
    let (mut out, mut at): (Vec<Token>, usize) = (Vec::new(), 0);
    while let Some(&c) = chars.get(at) {
        match c {
            ' ' | '\t' | '\r' => at += 1,
            '\\' if chars.get(at + 1) == Some(&'\n') => at += 2,
            '#' => {
                while chars.get(at).is_some_and(|c| *c != '\n') {
                    at += 1;
                }
            }
            '\n' => {
                out.push(Token::Newline);
                at += 1;
            }
            '"' => {
                let (text, end) = quoted(&chars, at + 1, '"')?;
                let bytes = crate::shell::escape::unescape(&text, true).0;
                out.push(Token::Text(String::from_utf8_lossy(&bytes).into_owned()));
                at = end;
            }
            '/' if regex_may_begin(out.last()) => {
                let (text, end) = quoted(&chars, at + 1, '/')?;
                out.push(Token::Regex(text.replace("\\/", "/")));
                at = end;
            }
            c if c.is_ascii_digit()
                || (c == '.' && chars.get(at + 1).is_some_and(char::is_ascii_digit)) =>
            {
                let start = at;
                while chars.get(at).is_some_and(|c| c.is_ascii_digit() || *c == '.') {
                    at += 1;
                }
                if chars.get(at).is_some_and(|c| *c == 'e' || *c == 'E') {
                    let sign = usize::from(matches!(chars.get(at + 1), Some('+' | '-')));
                    if chars.get(at + 1 + sign).is_some_and(char::is_ascii_digit) {
                        at += 1 + sign;
                        while chars.get(at).is_some_and(char::is_ascii_digit) {
                            at += 1;
                        }
                    }
                }
                let text: String = chars[start..at].iter().collect();
                out.push(Token::Number(
                    text.parse().map_err(|_| format!("syntax error at {text}"))?,
                ));
            }
            c if c.is_ascii_alphabetic() || c == '_' => {
                let start = at;
                while chars.get(at).is_some_and(|c| c.is_ascii_alphanumeric() || *c == '_') {
                    at += 1;
                }
                out.push(Token::Name(
                    chars[start..at].iter().collect(),
                    chars.get(at) == Some(&'('),
                ));
            }
            _ => {
                let op = OPS
                    .iter()
                    .find(|op| op.chars().enumerate().all(|(i, c)| chars.get(at + i) == Some(&c)));
                let op = op.ok_or_else(|| format!("syntax error near '{c}'"))?;
                out.push(Token::Op(op));
                at += op.len();
            }
        }
    }
    Ok(out)
}

fn regex_may_begin(last: Option<&Token>) -> bool {
    match last {
        None | Some(Token::Newline) => true,
        Some(Token::Op(op)) => ![")", "]", "$", "++", "--"].contains(op),
        Some(Token::Name(name, _)) => ["print", "return", "in"].contains(&name.as_str()),
        _ => false,
    }
}

fn quoted(chars: &[char], mut at: usize, end: char) -> Result<(String, usize), String> {
    let mut text = String::new();
    while let Some(&c) = chars.get(at) {
        at += 1;
        match c {
            '\\' if chars.get(at).is_some() => {
                text.extend(['\\', chars[at]]);
                at += 1;
            }
            '\n' => break,
            c if c == end => return Ok((text, at)),
            c => text.push(c),
        }
    }
    Err(format!(
        "non-terminated {} {}...",
        if end == '/' { "regular expression" } else { "string" },
        text.chars().take(10).collect::<String>()
    ))
}
