//! The text of a JSONPath template to its nodes. Models `client-go/util/jsonpath/parser.go`.

/// A step of a path, or a piece of text.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// `{…}`: steps that follow each other.
    List(Vec<Node>),
    /// Text outside braces, or quoted within.
    Text(String),
    /// `.name`
    Field(String),
    /// `[from:to:step]`, each known or not; `to` may be derived from `from` (a single index).
    Array([Param; 3]),
    /// `[?(left op right)]`; `exists` is an operator too.
    Filter(Vec<Node>, Vec<Node>, String),
    /// A number in a filter.
    Int(i64),
    /// A number in a filter.
    Float(f64),
    /// `true` or `false`.
    Bool(bool),
    /// `.*` or `[*]` where it is not a slice.
    Wildcard,
    /// `..`
    Recursive,
    /// `[a,b]`
    Union(Vec<Vec<Node>>),
    /// `range`, `end`.
    Identifier(String),
}

/// A part of an array selection.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Param {
    /// Its value, if known.
    pub value: i64,
    /// Whether it was given.
    pub known: bool,
    /// Whether it was computed from the start.
    pub derived: bool,
}

/// Parses a template; its pieces alternate between text and `{…}`.
pub fn parse(text: &str) -> Result<Vec<Node>, String> {
    Parser::new(text, 0).template()
}

struct Parser {
    input: Vec<char>,
    pos: usize,
    start: usize,
    depth: usize,
}

impl Parser {
    fn new(text: &str, depth: usize) -> Self {
        Parser { input: text.chars().collect(), pos: 0, start: 0, depth }
    }

    fn next(&mut self) -> Option<char> {
        let c = self.input.get(self.pos).copied();
        self.pos += usize::from(c.is_some());
        c
    }

    fn peek(&self) -> Option<char> {
        self.input.get(self.pos).copied()
    }

    fn at(&self, prefix: &str) -> bool {
        prefix.chars().enumerate().all(|(i, c)| self.input.get(self.pos + i) == Some(&c))
    }

    fn consume(&mut self) -> String {
        let text = self.input[self.start..self.pos].iter().collect();
        self.start = self.pos;
        text
    }

    fn template(mut self) -> Result<Vec<Node>, String> {
        let mut root = Vec::new();
        loop {
            while self.peek().is_some_and(|c| c != '{') {
                self.pos += 1;
            }
            if self.pos > self.start {
                root.push(Node::Text(self.consume()));
            }
            if self.next().is_none() {
                return Ok(root);
            }
            self.consume();
            let list = self.action()?;
            root.push(Node::List(list));
        }
    }

    /// The steps up to and including `}`.
    fn action(&mut self) -> Result<Vec<Node>, String> {
        let mut list = Vec::new();
        loop {
            if self.at("}") {
                self.pos += 1;
                self.consume();
                return Ok(list);
            }
            if self.at("[?(") {
                list.push(self.filter()?);
                continue;
            }
            if self.at("..") {
                if list.last() == Some(&Node::Recursive) {
                    return Err("invalid multiple recursive descent".into());
                }
                self.pos += 2;
                self.consume();
                list.push(Node::Recursive);
                if self.peek().is_some_and(alphanumeric) {
                    list.push(self.field());
                }
                continue;
            }
            match self.next() {
                None | Some('\r' | '\n') => return Err("unclosed action".into()),
                Some(' ' | '@' | '$') => {
                    self.consume();
                }
                Some('[') => self.array(&mut list)?,
                Some(quote @ ('"' | '\'')) => list.push(self.quoted(quote)?),
                Some('.') => list.push(self.field()),
                Some(c) if c == '+' || c == '-' || c.is_numeric() => {
                    self.pos -= 1;
                    list.push(self.number()?);
                }
                Some(c) if alphanumeric(c) => {
                    self.pos -= 1;
                    while self.peek().is_some_and(|c| !terminator(c)) {
                        self.pos += 1;
                    }
                    list.push(match self.consume().as_str() {
                        "true" => Node::Bool(true),
                        "false" => Node::Bool(false),
                        name => Node::Identifier(name.into()),
                    });
                }
                Some(c) => {
                    let code = c as u32;
                    let shown = if crate::api::gofmt::printable(c) {
                        format!("U+{code:04X} '{c}'")
                    } else {
                        format!("U+{code:04X}")
                    };
                    return Err(format!("unrecognized character in action: {shown}"));
                }
            }
        }
    }

    fn field(&mut self) -> Node {
        self.consume();
        while let Some(c) = self.peek() {
            if c == '\\' {
                self.pos = (self.pos + 2).min(self.input.len());
            } else if terminator(c) {
                break;
            } else {
                self.pos += 1;
            }
        }
        match self.consume().as_str() {
            "*" => Node::Wildcard,
            name => Node::Field(name.replace('\\', "")),
        }
    }

    fn number(&mut self) -> Result<Node, String> {
        if matches!(self.peek(), Some('+' | '-')) {
            self.pos += 1;
        }
        while self.peek().is_some_and(|c| c == '.' || c.is_numeric()) {
            self.pos += 1;
        }
        let text = self.consume();
        if let Ok(i) = text.parse() {
            return Ok(Node::Int(i));
        }
        match text.parse::<f64>() {
            Ok(f) => Ok(Node::Float(f)),
            Err(_) => Err(format!("cannot parse number {text}")),
        }
    }

    fn quoted(&mut self, quote: char) -> Result<Node, String> {
        loop {
            match self.next() {
                None | Some('\n') => return Err("unterminated quoted string".into()),
                Some(c) if c == quote && self.input[self.pos - 2] != '\\' => break,
                Some(_) => {}
            }
        }
        let text = self.consume();
        match unquote(&text) {
            Some(s) => Ok(Node::Text(s)),
            None => Err(format!("unquote string {text} error invalid syntax")),
        }
    }

    /// The one action that `text` in braces is.
    fn nested(&self, text: &str) -> Result<Vec<Node>, String> {
        if self.depth > 64 {
            return Err("jsonpath is nested too deeply".into());
        }
        let root = Parser::new(&format!("{{{text}}}"), self.depth + 1).template()?;
        match root.into_iter().next() {
            Some(Node::List(list)) => Ok(list),
            _ => Ok(Vec::new()),
        }
    }

    fn array(&mut self, list: &mut Vec<Node>) -> Result<(), String> {
        loop {
            match self.next() {
                None | Some('\n') => return Err("unterminated array".into()),
                Some(']') => break,
                Some(_) => {}
            }
        }
        let text = self.consume();
        let text = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or("");
        let text = if text == "*" { ":" } else { text };
        if text.contains(',') {
            let parts = text.split(',').map(|p| self.nested(&format!("[{}]", p.trim_matches(' '))));
            list.push(Node::Union(parts.collect::<Result<_, _>>()?));
            return Ok(());
        }
        let key = text.strip_prefix('\'').and_then(|t| t.strip_suffix('\''));
        if let Some(key) = key.filter(|k| !k.contains('\'')) {
            list.extend(self.nested(&format!(".{key}"))?);
            return Ok(());
        }
        list.push(Node::Array(slice(text)?));
        Ok(())
    }

    fn filter(&mut self) -> Result<Node, String> {
        self.pos += 3;
        self.consume();
        let (mut begin, mut end, mut pair) = (false, false, '"');
        loop {
            match self.next() {
                None | Some('\n') => return Err("unterminated filter".into()),
                Some(c @ ('"' | '\'')) => {
                    if !begin {
                        (begin, pair) = (true, c);
                    } else if c == pair && self.input[self.pos - 2] != '\\' {
                        end = true;
                    }
                }
                Some(')') if begin == end => break,
                Some(_) => {}
            }
        }
        if self.next() != Some(']') {
            return Err("unclosed array expect ]".into());
        }
        let text = self.consume();
        let text = &text[..text.len().saturating_sub(2)];
        let op = |c: char| matches!(c, '!' | '<' | '>' | '=');
        let from = text.find(op).unwrap_or(0);
        let to = text[from..].find(|c| !op(c)).map_or(text.len(), |n| from + n);
        if from == 0 || to == text.len() {
            return Ok(Node::Filter(self.nested(text)?, Vec::new(), "exists".into()));
        }
        let (left, right) = (self.nested(&text[..from])?, self.nested(&text[to..])?);
        Ok(Node::Filter(left, right, text[from..to].into()))
    }
}

/// `^(-?\d*)(:-?\d*)?(:-?\d*)?$`
fn slice(text: &str) -> Result<[Param; 3], String> {
    let parts: Vec<&str> = text.split(':').collect();
    let good = |p: &&str| p.strip_prefix('-').unwrap_or(p).bytes().all(|b| b.is_ascii_digit());
    if parts.len() > 3 || !parts.iter().all(good) {
        return Err(format!("invalid array index {text}"));
    }
    let mut params = [Param::default(); 3];
    for i in 0..3 {
        match parts.get(i) {
            Some(&"") if i > 0 || parts.len() > 1 => {}
            Some(&"") | None if i == 1 => {
                params[1] = Param { value: params[0].value + 1, known: true, derived: true };
            }
            Some(&"") | None => {}
            Some(part) => {
                let value =
                    part.parse().map_err(|_| format!("array index {part} is not a number"))?;
                params[i] = Param { value, known: true, derived: false };
            }
        }
    }
    Ok(params)
}

fn terminator(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n' | '.' | ',' | '[' | ']' | '$' | '@' | '{' | '}')
}

fn alphanumeric(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// Takes the quotes off and resolves Go's escapes. `None` if they are wrong.
pub fn unquote(text: &str) -> Option<String> {
    let quote = text.chars().next()?;
    let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
    let mut out = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c == quote || c == '\n' {
            return None;
        }
        if c != '\\' {
            out.push(c);
            continue;
        }
        out.push(match chars.next()? {
            'a' => '\x07',
            'b' => '\x08',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            '\\' => '\\',
            'x' => char::from_u32(hex(&mut chars, 2)?)?,
            'u' => char::from_u32(hex(&mut chars, 4)?)?,
            'U' => char::from_u32(hex(&mut chars, 8)?)?,
            c if c == quote => c,
            _ => return None,
        });
    }
    Some(out)
}

fn hex(chars: &mut std::str::Chars<'_>, n: usize) -> Option<u32> {
    let digits: String = chars.by_ref().take(n).collect();
    if digits.len() == n { u32::from_str_radix(&digits, 16).ok() } else { None }
}
