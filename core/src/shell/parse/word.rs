//! Words: quotes, expansions, and where a word ends.

use std::rc::Rc;

use super::{Parse, ParseError, Parser};
use crate::shell::ast::{Index, ListBox, Param, ParamOp, Part, Word};

/// Where a word ends, apart from blanks.
#[derive(Clone, Copy, PartialEq)]
enum End {
    /// At an operator.
    Operator,
    /// At one of these characters (inside `${…}`); blanks don't end it.
    Chars(char, char),
}

struct Builder {
    parts: Word,
    text: String,
}

impl Builder {
    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.parts.push(Part::Text(std::mem::take(&mut self.text)));
        }
    }

    fn push(&mut self, part: Part) {
        self.flush();
        self.parts.push(part);
    }
}

impl Parser<'_> {
    /// The next word, if one is there.
    pub(super) fn word(&mut self) -> Parse<Option<Word>> {
        self.blanks();
        let start = self.at;
        let word = self.word_until(End::Operator, false)?;
        Ok((self.at > start).then_some(word))
    }

    /// The value of an assignment; may be empty, and `~` counts after `:` too.
    pub(super) fn assigned_word(&mut self) -> Parse<Word> {
        self.word_until(End::Operator, true)
    }

    /// `[…]` after a name, the bracket taken already.
    pub(super) fn subscript(&mut self) -> Parse<Word> {
        let word = self.word_until(End::Chars(']', ']'), false)?;
        if !self.take("]") {
            return Err(ParseError::Incomplete("]".into()));
        }
        Ok(word)
    }

    /// The right side of `=~`: parentheses and bars belong to it.
    pub(super) fn regex_word(&mut self) -> Parse<Option<Word>> {
        self.blanks();
        let mut word = Vec::new();
        loop {
            if let Some(more) = self.word()? {
                word.extend(more);
            }
            match self.peek() {
                Some(c @ ('(' | ')' | '|')) => {
                    self.at += 1;
                    word.push(Part::Text(c.to_string()));
                }
                _ => return Ok((!word.is_empty()).then_some(word)),
            }
            if matches!(self.peek(), Some(' ' | '\t' | '\n') | None) {
                return Ok(Some(word));
            }
        }
    }

    fn word_until(&mut self, end: End, assigned: bool) -> Parse<Word> {
        let mut out = Builder { parts: Vec::new(), text: String::new() };
        let mut tilde = end == End::Operator;
        while let Some(c) = self.peek() {
            let begins = std::mem::replace(&mut tilde, false);
            match (c, end) {
                (
                    ' ' | '\t' | '\n' | '\r' | '|' | '&' | ';' | '<' | '>' | '(' | ')',
                    End::Operator,
                ) => break,
                (c, End::Chars(a, b)) if c == a || c == b => break,
                ('~', _) if begins => {
                    self.at += 1;
                    let start = self.at;
                    while self
                        .peek()
                        .is_some_and(|c| c.is_ascii_alphanumeric() || "_-.+".contains(c))
                    {
                        self.at += 1;
                    }
                    let user = self.slice(start, self.at);
                    match self.peek() {
                        None
                        | Some(
                            '/' | ' ' | '\t' | '\n' | ';' | '|' | '&' | ')' | '>' | '<' | ':' | '}',
                        ) => {
                            out.push(Part::Tilde(user));
                        }
                        _ => out.text.push_str(&format!("~{user}")),
                    }
                }
                ('\\', _) => {
                    self.at += 1;
                    match self.next() {
                        None => out.text.push('\\'),
                        Some('\n') => {}
                        Some(c) => out.push(Part::Quoted(c.to_string())),
                    }
                }
                ('\'', _) => {
                    self.at += 1;
                    let text = self.single_quoted()?;
                    out.push(Part::Quoted(text));
                }
                ('"', _) => {
                    self.at += 1;
                    let parts = self.quoted_parts(Some('"'), false)?;
                    out.push(Part::Double(parts));
                }
                ('$' | '`', _) => match self.dollar(false)? {
                    Some(part) => out.push(part),
                    None => out.text.push('$'),
                },
                _ => {
                    self.at += 1;
                    out.text.push(c);
                    tilde = assigned && c == ':';
                }
            }
        }
        out.flush();
        Ok(out.parts)
    }

    fn single_quoted(&mut self) -> Parse<String> {
        let start = self.at;
        while let Some(c) = self.next() {
            if c == '\'' {
                return Ok(self.slice(start, self.at - 1));
            }
        }
        Err(ParseError::Incomplete("'".into()))
    }

    /// What is inside double quotes, up to and including `end`; without one up to the end of the
    /// text, where `"` is an ordinary character.
    pub(super) fn quoted_parts(&mut self, end: Option<char>, heredoc: bool) -> Parse<Word> {
        let (mut parts, mut text) = (Vec::new(), String::new());
        loop {
            let Some(c) = self.peek() else {
                if let Some(end) = end {
                    return Err(ParseError::Incomplete(end.to_string()));
                }
                break;
            };
            if Some(c) == end {
                self.at += 1;
                break;
            }
            match c {
                '\\' => {
                    self.at += 1;
                    match self.peek() {
                        Some('\n') => self.at += 1,
                        Some(c @ ('$' | '`' | '\\')) => {
                            self.at += 1;
                            text.push(c);
                        }
                        Some(c) if (c == '"' && !heredoc) || Some(c) == end => {
                            self.at += 1;
                            text.push(c);
                        }
                        _ => text.push('\\'),
                    }
                }
                '$' | '`' => match self.dollar(true)? {
                    Some(part) => {
                        if !text.is_empty() {
                            parts.push(Part::Quoted(std::mem::take(&mut text)));
                        }
                        parts.push(part);
                    }
                    None => text.push('$'),
                },
                _ => {
                    self.at += 1;
                    text.push(c);
                }
            }
        }
        if !text.is_empty() || (parts.is_empty() && end == Some('"')) {
            parts.push(Part::Quoted(text));
        }
        Ok(parts)
    }

    /// What begins with `$` or a backtick; `None` where the `$` (which is taken) stands for itself.
    fn dollar(&mut self, quoted: bool) -> Parse<Option<Part>> {
        if self.peek() == Some('`') {
            return self.backticks().map(Some);
        }
        self.at += 1;
        match self.peek() {
            Some('(') if self.peek_at(1) == Some('(') => {
                let start = self.at;
                self.at += 2;
                match self.arithmetic_parts() {
                    Ok(parts) => Ok(Some(Part::Arithmetic(parts))),
                    Err(_) => {
                        self.at = start;
                        self.command_substitution().map(Some)
                    }
                }
            }
            Some('(') => self.command_substitution().map(Some),
            Some('{') => {
                self.at += 1;
                self.braced(quoted).map(Some)
            }
            Some('\'') if !quoted && self.bash => {
                self.at += 1;
                self.ansi_quoted().map(|text| Some(Part::Quoted(text)))
            }
            Some('"') if !quoted && self.bash => {
                self.at += 1;
                Ok(Some(Part::Double(self.quoted_parts(Some('"'), false)?)))
            }
            Some(c) if c.is_ascii_digit() || "@*#?-$!".contains(c) => {
                self.at += 1;
                Ok(Some(plain(c.to_string())))
            }
            _ => match self.name_length(0) {
                0 => Ok(None),
                length => {
                    let name = self.slice(self.at, self.at + length);
                    self.at += length;
                    Ok(Some(plain(name)))
                }
            },
        }
    }

    fn command_substitution(&mut self) -> Parse<Part> {
        self.at += 1;
        let list = self.list(&[])?;
        self.newlines()?;
        if !self.take(")") {
            return Err(self.unexpected_here());
        }
        Ok(Part::Command(Rc::new(ListBox(list))))
    }

    fn backticks(&mut self) -> Parse<Part> {
        self.at += 1;
        let mut text = String::new();
        loop {
            match self.next() {
                None => return Err(ParseError::Incomplete("`".into())),
                Some('`') => break,
                Some('\\') => match self.next() {
                    Some(c @ ('$' | '`' | '\\')) => text.push(c),
                    Some(c) => text.extend(['\\', c]),
                    None => return Err(ParseError::Incomplete("`".into())),
                },
                Some(c) => text.push(c),
            }
        }
        let list = super::parse(&text, self.aliases, self.bash)?;
        Ok(Part::Command(Rc::new(ListBox(list))))
    }

    /// What is between `((` (taken already) and `))`, as if in double quotes.
    pub(super) fn arithmetic_parts(&mut self) -> Parse<Word> {
        let (mut parts, mut text, mut depth) = (Vec::new(), String::new(), 0_usize);
        loop {
            match self.peek() {
                None => return Err(ParseError::Incomplete("))".into())),
                Some(')') if depth == 0 => {
                    if !self.take("))") {
                        return Err(self.unexpected(")".into()));
                    }
                    break;
                }
                Some('$' | '`') => match self.dollar(true)? {
                    Some(part) => {
                        parts.push(Part::Quoted(std::mem::take(&mut text)));
                        parts.push(part);
                    }
                    None => text.push('$'),
                },
                Some('"') => self.at += 1,
                Some(c) => {
                    match c {
                        '(' => depth += 1,
                        ')' => depth -= 1,
                        _ => {}
                    }
                    self.at += 1;
                    text.push(c);
                }
            }
        }
        parts.push(Part::Quoted(text));
        Ok(parts)
    }

    fn ansi_quoted(&mut self) -> Parse<String> {
        let start = self.at;
        loop {
            match self.next() {
                None => return Err(ParseError::Incomplete("'".into())),
                Some('\\') => self.at += 1,
                Some('\'') => break,
                Some(_) => {}
            }
        }
        let text = self.slice(start, self.at - 1);
        let bytes = crate::shell::escape::unescape(&text, true).0;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// `${…}`, its opening taken already.
    fn braced(&mut self, quoted: bool) -> Parse<Part> {
        let start = self.at;
        let prefix = match (self.peek(), self.peek_at(1)) {
            (Some('#'), Some(c)) if c != '}' && !"-=?+:%/".contains(c) => Some('#'),
            (Some('!'), Some(c)) if c != '}' => Some('!'),
            _ => None,
        };
        self.at += usize::from(prefix.is_some());
        let length = self.name_length(0);
        let name = if length > 0 {
            self.at += length;
            self.slice(self.at - length, self.at)
        } else {
            let digits = (0..).find(|n| !self.peek_at(*n).is_some_and(|c| c.is_ascii_digit()));
            let length = digits.unwrap_or(0).max(1);
            self.at = (self.at + length).min(self.text.len());
            self.slice(self.at - length, self.at)
        };
        let mut index = None;
        if length > 0 && self.take("[") {
            index = Some(match (self.peek(), self.peek_at(1)) {
                (Some('@'), Some(']')) => Index::All,
                (Some('*'), Some(']')) => Index::Joined,
                _ => Index::One(self.word_until(End::Chars(']', ']'), false)?),
            });
            if !matches!(index, Some(Index::One(_))) {
                self.at += 1;
            }
            if !self.take("]") {
                return Err(ParseError::Incomplete("}".into()));
            }
        }
        let op = match prefix {
            Some('#') => ParamOp::Length,
            Some(_) => ParamOp::Indirect,
            None => self.param_op(quoted)?,
        };
        let valid = name
            .chars()
            .next()
            .is_some_and(|c| c.is_ascii_alphanumeric() || "_@*#?-$!".contains(c));
        let bad = matches!(op, ParamOp::Bad(_));
        if self.peek() == Some('}') && valid && !bad {
            self.at += 1;
            return Ok(Part::Param(Box::new(Param { name, index, op })));
        }
        while self.peek().is_some_and(|c| c != '}') {
            self.at += 1;
        }
        if !self.take("}") {
            return Err(ParseError::Incomplete("}".into()));
        }
        let op = ParamOp::Bad(format!("${{{}", self.slice(start, self.at)));
        Ok(Part::Param(Box::new(Param { name, index, op })))
    }

    fn param_op(&mut self, quoted: bool) -> Parse<ParamOp> {
        let colon =
            self.peek() == Some(':') && matches!(self.peek_at(1), Some('-' | '=' | '?' | '+'));
        self.at += usize::from(colon);
        let Some(c) = self.peek() else { return Err(ParseError::Incomplete("}".into())) };
        if c == '}' {
            return Ok(ParamOp::Plain);
        }
        self.at += 1;
        let doubled = self.peek() == Some(c) && "#%/^,".contains(c);
        self.at += usize::from(doubled);
        Ok(match c {
            '-' => ParamOp::Default(colon, self.operand('}', quoted)?),
            '=' => ParamOp::Assign(colon, self.operand('}', quoted)?),
            '?' => ParamOp::Error(colon, self.operand('}', quoted)?),
            '+' => ParamOp::Alternative(colon, self.operand('}', quoted)?),
            '#' => ParamOp::TrimStart(doubled, self.operand('}', false)?),
            '%' => ParamOp::TrimEnd(doubled, self.operand('}', false)?),
            '/' => {
                let anchor = self.peek().filter(|c| !doubled && (*c == '#' || *c == '%'));
                self.at += usize::from(anchor.is_some());
                let pattern = self.replace_pattern()?;
                let with = if self.take("/") { self.operand('}', quoted)? } else { Vec::new() };
                ParamOp::Replace { all: doubled, anchor, pattern, with }
            }
            '^' | ',' => ParamOp::Case(c == '^', doubled),
            ':' => {
                let offset = self.slice_operand()?;
                let length = if self.take(":") { Some(self.operand('}', true)?) } else { None };
                ParamOp::Slice(offset, length)
            }
            _ => ParamOp::Bad(String::new()),
        })
    }

    fn operand(&mut self, end: char, quoted: bool) -> Parse<Word> {
        if !quoted {
            return self.word_until(End::Chars(end, end), false);
        }
        // In double quotes only `"` itself and expansions are special.
        let mut parts = Vec::new();
        let mut text = String::new();
        while let Some(c) = self.peek().filter(|c| *c != end) {
            match c {
                '\\' if matches!(self.peek_at(1), Some('}' | '$' | '`' | '"' | '\\')) => {
                    self.at += 1;
                    text.extend(self.next());
                }
                '"' => {
                    self.at += 1;
                    parts.push(Part::Quoted(std::mem::take(&mut text)));
                    parts.extend(self.quoted_parts(Some('"'), false)?);
                }
                '$' | '`' => match self.dollar(true)? {
                    Some(part) => {
                        parts.push(Part::Quoted(std::mem::take(&mut text)));
                        parts.push(part);
                    }
                    None => text.push('$'),
                },
                _ => {
                    self.at += 1;
                    text.push(c);
                }
            }
        }
        if !text.is_empty() {
            parts.push(Part::Quoted(text));
        }
        Ok(parts)
    }

    fn replace_pattern(&mut self) -> Parse<Word> {
        self.word_until(End::Chars('/', '}'), false)
    }

    fn slice_operand(&mut self) -> Parse<Word> {
        self.word_until(End::Chars(':', '}'), false)
    }
}

fn plain(name: String) -> Part {
    Part::Param(Box::new(Param { name, index: None, op: ParamOp::Plain }))
}
