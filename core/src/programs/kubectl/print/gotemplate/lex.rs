//! The text of a Go template to pieces of text and tokens of actions.
//!
//! Models `text/template/parse/lex.go`.

/// A token inside an action.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// `.name`
    Field(String),
    /// `.` alone.
    Dot,
    /// `$` or `$name`.
    Variable(String),
    /// A name: keyword or function.
    Word(String),
    /// A number as it is written.
    Number(String),
    /// Text in quotes, resolved.
    Text(String),
    /// `:=`, `=`, `|`, `,`, `(`, `)`.
    Mark(&'static str),
    /// Blanks, which separate arguments.
    Space,
}

/// A piece of a template, with the line it begins on.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    /// Text outside braces.
    Text(String),
    /// What is between braces.
    Action(Vec<Token>, usize),
}

/// Cuts a template up. Errors are the rest of Go's message after `template: output:`.
pub(super) fn lex(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut line = 1;
    let mut trim_next = false;
    loop {
        let (before, after) = match rest.split_once("{{") {
            Some((before, after)) => (before, Some(after)),
            None => (rest, None),
        };
        let mut plain = before;
        if trim_next {
            plain = plain.trim_start();
        }
        let Some(mut after) = after else {
            if !plain.is_empty() {
                pieces.push(Piece::Text(plain.to_owned()));
            }
            return Ok(pieces);
        };
        line += before.matches('\n').count();
        if let Some(trimmed) =
            after.strip_prefix('-').filter(|a| a.starts_with(char::is_whitespace))
        {
            plain = plain.trim_end();
            after = trimmed;
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain.to_owned()));
        }
        if let Some(comment) = after.trim_start().strip_prefix("/*") {
            let (inside, tail) =
                comment.split_once("*/").ok_or_else(|| format!("{line}: unclosed comment"))?;
            let tail_trim = tail.trim_start();
            trim_next = tail_trim.starts_with("-}}");
            let tail = tail_trim.strip_prefix('-').unwrap_or(tail_trim);
            rest = tail
                .strip_prefix("}}")
                .ok_or_else(|| format!("{line}: comment ends before closing delimiter"))?;
            line += inside.matches('\n').count();
            continue;
        }
        let (tokens, tail, trim) = action(after, line)?;
        trim_next = trim;
        line += after[..after.len() - tail.len()].matches('\n').count();
        pieces.push(Piece::Action(tokens, line));
        rest = tail;
    }
}

/// The tokens up to `}}`, what follows it, and whether blanks after it are dropped.
fn action(text: &str, line: usize) -> Result<(Vec<Token>, &str, bool), String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        if let Some(tail) = rest.strip_prefix("}}") {
            return Ok((tokens, tail, false));
        }
        let blank = rest.trim_start();
        if blank.len() < rest.len() {
            if let Some(tail) = blank.strip_prefix("-}}") {
                return Ok((tokens, tail, true));
            }
            tokens.push(Token::Space);
            rest = blank;
            continue;
        }
        let Some(c) = rest.chars().next() else { return Err(format!("{line}: unclosed action")) };
        let mark = [":=", "=", "|", ",", "(", ")"].into_iter().find(|m| rest.starts_with(m));
        if let Some(mark) = mark {
            tokens.push(Token::Mark(mark));
            rest = &rest[mark.len()..];
            continue;
        }
        match c {
            '"' | '\'' | '`' => {
                let end = quoted(&rest[1..], c)
                    .ok_or_else(|| format!("{line}: unterminated quoted string"))?;
                let inside = &rest[1..1 + end];
                tokens.push(match c {
                    '`' => Token::Text(inside.to_owned()),
                    '"' => {
                        let all = &rest[..end + 2];
                        let text = super::super::jsonpath::unquote(all);
                        Token::Text(text.ok_or_else(|| format!("{line}: invalid syntax"))?)
                    }
                    _ => {
                        let all = &rest[..end + 2];
                        let text = super::super::jsonpath::unquote(all).unwrap_or_default();
                        let code = text.chars().next().map_or(0, |c| c as u32);
                        Token::Number(code.to_string())
                    }
                });
                rest = &rest[end + 2..];
            }
            '.' if !rest[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                let word = word(&rest[1..]);
                tokens.push(if word.is_empty() {
                    Token::Dot
                } else {
                    Token::Field(word.to_owned())
                });
                rest = &rest[1 + word.len()..];
            }
            '$' => {
                let word = word(&rest[1..]);
                tokens.push(Token::Variable(word.to_owned()));
                rest = &rest[1 + word.len()..];
            }
            c if c.is_ascii_digit() || c == '-' || c == '+' || c == '.' => {
                let end = rest[1..]
                    .find(|c: char| !(c.is_alphanumeric() || c == '.' || c == '_'))
                    .map_or(rest.len(), |n| n + 1);
                tokens.push(Token::Number(rest[..end].to_owned()));
                rest = &rest[end..];
            }
            c if c.is_alphabetic() || c == '_' => {
                let word = word(rest);
                tokens.push(Token::Word(word.to_owned()));
                rest = &rest[word.len()..];
            }
            c => {
                let code = c as u32;
                return Err(format!(
                    "{line}: unrecognized character in action: U+{code:04X} '{c}'"
                ));
            }
        }
    }
}

fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (i, c) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' && quote != '`' {
            escaped = true;
        } else if c == quote {
            return Some(i);
        } else if c == '\n' && quote != '`' {
            return None;
        }
    }
    None
}

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    &text[..end]
}
