//! Words of an expression.

/// A word, and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// A name.
    Ident(String),
    /// `1`
    Int(i64),
    /// `1u`
    Uint(u64),
    /// `1.5`
    Double(f64),
    /// `'text'`
    Str(String),
    /// `b'bytes'`
    Bytes(Vec<u8>),
    /// `==`, `(` …
    Mark(&'static str),
}

/// Longest first.
const MARKS: &[&str] = &[
    "&&", "||", "<=", ">=", "==", "!=", "[?", "{?", ".?", "(", ")", "[", "]", "{", "}", ".", ",",
    ":", "?", "+", "-", "*", "/", "%", "!", "<", ">",
];

type Lexed = Result<Vec<(usize, Token)>, (usize, String)>;

/// Takes a text apart. Errors say where and why.
pub fn lex(text: &str) -> Lexed {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..) {
        let Some(c) = rest.chars().next() else { break };
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
            continue;
        }
        let (token, length) = match c {
            '0'..='9' => number(rest).map_err(|why| (at, why))?,
            '.' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                number(rest).map_err(|why| (at, why))?
            }
            _ => match quoted(rest).map_err(|why| (at, why))? {
                Some(found) => found,
                None if c.is_ascii_alphabetic() || c == '_' => {
                    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
                    let end = rest.find(|c| !plain(c)).unwrap_or(rest.len());
                    (Token::Ident(rest[..end].to_owned()), end)
                }
                None => match MARKS.iter().find(|mark| rest.starts_with(**mark)) {
                    Some(mark) => (Token::Mark(mark), mark.len()),
                    None => {
                        let why = format!("Syntax error: token recognition error at: '{c}'");
                        return Err((at, why));
                    }
                },
            },
        };
        out.push((at, token));
        at += length;
    }
    Ok(out)
}

fn number(text: &str) -> Result<(Token, usize), String> {
    let bytes = text.as_bytes();
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        let end = hex.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(hex.len());
        let digits = &hex[..end];
        if hex[end..].starts_with(['u', 'U']) {
            let value = u64::from_str_radix(digits, 16).map_err(|_| "invalid uint literal")?;
            return Ok((Token::Uint(value), end + 3));
        }
        let value = i64::from_str_radix(digits, 16).map_err(|_| "invalid int literal")?;
        return Ok((Token::Int(value), end + 2));
    }
    let digits = |from: usize| {
        let rest = bytes.get(from..).unwrap_or_default();
        from + rest.iter().take_while(|b| b.is_ascii_digit()).count()
    };
    let mut end = digits(0);
    let mut float = false;
    if bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) {
        float = true;
        end = digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        if bytes.get(end + 1 + sign).is_some_and(u8::is_ascii_digit) {
            float = true;
            end = digits(end + 1 + sign);
        }
    }
    let word = &text[..end];
    if float {
        return Ok((Token::Double(word.parse().map_err(|_| "invalid double literal")?), end));
    }
    if matches!(bytes.get(end), Some(b'u' | b'U')) {
        return Ok((Token::Uint(word.parse().map_err(|_| "invalid uint literal")?), end + 1));
    }
    Ok((Token::Int(word.parse().map_err(|_| "invalid int literal")?), end))
}

/// A text in quotes with its prefixes, if one begins here.
fn quoted(text: &str) -> Result<Option<(Token, usize)>, String> {
    let mut head = text.char_indices().take(3).filter(|(_, c)| matches!(c, '"' | '\''));
    let head = head.next().map(|(at, _)| at);
    let Some(start) = head else { return Ok(None) };
    let prefix = text[..start].to_ascii_lowercase();
    if !matches!(prefix.as_str(), "" | "r" | "b" | "rb" | "br") {
        return Ok(None);
    }
    let (raw, bytes) = (prefix.contains('r'), prefix.contains('b'));
    let body = &text[start..];
    let quote = &body[..1];
    let triple = quote.repeat(3);
    let delimiter = if body.starts_with(&triple) { triple.as_str() } else { quote };
    let mut out: Vec<u8> = Vec::new();
    let mut at = delimiter.len();
    loop {
        let rest = &body[at..];
        if rest.starts_with(delimiter) {
            break;
        }
        let mut chars = rest.chars();
        match chars.next() {
            None => return Err("Syntax error: token recognition error at: unclosed text".into()),
            Some('\n') if delimiter.len() == 1 => {
                return Err("Syntax error: token recognition error at: unclosed text".into());
            }
            Some('\\') if !raw => at += 1 + escape(chars.as_str(), bytes, &mut out)?,
            Some(c) => {
                out.extend(c.to_string().bytes());
                at += c.len_utf8();
            }
        }
    }
    let length = start + at + delimiter.len();
    if bytes {
        return Ok(Some((Token::Bytes(out), length)));
    }
    let text = String::from_utf8(out).map_err(|_| "invalid UTF-8 in text".to_owned())?;
    Ok(Some((Token::Str(text), length)))
}

/// What follows a backslash; how long it is.
fn escape(text: &str, bytes: bool, out: &mut Vec<u8>) -> Result<usize, String> {
    let bad = || "Syntax error: invalid escape".to_owned();
    let c = text.chars().next().ok_or_else(bad)?;
    let simple = match c {
        'a' => Some(7),
        'b' => Some(8),
        'f' => Some(12),
        'n' => Some(b'\n'),
        'r' => Some(b'\r'),
        't' => Some(b'\t'),
        'v' => Some(11),
        '\\' | '\'' | '"' | '`' | '?' => Some(c as u8),
        _ => None,
    };
    if let Some(byte) = simple {
        out.push(byte);
        return Ok(1);
    }
    let (from, count, radix) = match c {
        'x' | 'X' => (1, 2, 16),
        'u' => (1, 4, 16),
        'U' => (1, 8, 16),
        '0'..='3' => (0, 3, 8),
        _ => return Err(bad()),
    };
    let digits = text.get(from..from + count).ok_or_else(bad)?;
    let value = u32::from_str_radix(digits, radix).map_err(|_| bad())?;
    if bytes && count <= 3 {
        out.push(u8::try_from(value).map_err(|_| bad())?);
    } else {
        let c = char::from_u32(value).ok_or_else(bad)?;
        out.extend(c.to_string().bytes());
    }
    Ok(from + count)
}
