//! Pieces of a Go template to a tree. Models `text/template/parse/parse.go`.

use std::collections::BTreeMap;

use super::{
    funcs,
    lex::{Piece, Token, lex},
};

/// A node of a template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// Text.
    Text(String),
    /// A value that is printed (or only assigned).
    Action(Pipe),
    /// Condition, then, else.
    If(Pipe, Vec<Node>, Vec<Node>),
    /// As `if`, with the value as the dot.
    With(Pipe, Vec<Node>, Vec<Node>),
    /// For each item.
    Range(Pipe, Vec<Node>, Vec<Node>),
    /// Another template by name.
    Template(String, Option<Pipe>),
    /// Ends the innermost range.
    Break,
    /// Goes on with its next item.
    Continue,
}

/// Commands that pass values on, and the variables that get the last one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Pipe {
    /// Variables; with two in a range the first gets the index.
    pub variables: Vec<String>,
    /// Whether they are new (`:=`).
    pub declares: bool,
    /// Each a function with arguments or a single value.
    pub commands: Vec<Vec<Arg>>,
}

/// A part of a command.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Arg {
    /// `.a.b`
    Path(Vec<String>),
    /// `$x.a.b`
    Variable(String, Vec<String>),
    /// `(…).a.b`
    Group(Pipe, Vec<String>),
    /// A function.
    Function(String),
    /// A text.
    Text(String),
    /// A number.
    Number(serde_json::Number),
    /// `true`, `false`.
    Bool(bool),
    /// `nil`
    Nil,
}

/// All templates of a text by name; the text's own has the empty name.
pub(super) fn parse(text: &str) -> Result<BTreeMap<String, Vec<Node>>, String> {
    let mut parser =
        Parser { pieces: lex(text)?, at: 0, defined: BTreeMap::new(), depth: 0, line: 1 };
    let (nodes, end) = parser.list()?;
    if let Some((word, line)) = end {
        return Err(format!("{line}: unexpected {{{{{word}}}}}"));
    }
    let mut defined = parser.defined;
    defined.insert(String::new(), nodes);
    Ok(defined)
}

struct Parser {
    pieces: Vec<Piece>,
    at: usize,
    defined: BTreeMap<String, Vec<Node>>,
    depth: usize,
    line: usize,
}

/// What ended a list: `end` or `else` with what follows it, and the line.
type End = Option<(String, usize)>;

impl Parser {
    fn list(&mut self) -> Result<(Vec<Node>, End), String> {
        self.depth += 1;
        if self.depth > 64 {
            return Err(format!("{}: template is nested too deeply", self.line));
        }
        let mut nodes = Vec::new();
        while let Some(piece) = self.pieces.get(self.at).cloned() {
            self.at += 1;
            match piece {
                Piece::Text(text) => nodes.push(Node::Text(text)),
                Piece::Action(tokens, line) => {
                    self.line = line;
                    let mut tokens = Tokens { tokens, at: 0, line, depth: 0 };
                    tokens.skip();
                    let word = match tokens.peek() {
                        Some(Token::Word(word)) => word.clone(),
                        _ => String::new(),
                    };
                    if word == "end" || word == "else" {
                        let tail = tokens.tokens[tokens.at + 1..].to_vec();
                        self.depth -= 1;
                        if word == "else" && tail.iter().any(|t| *t != Token::Space) {
                            // `else if x` is an `else` that holds an `if` with the same `end`.
                            self.pieces.insert(self.at, Piece::Action(tail, line));
                            return Ok((nodes, Some(("else if".into(), line))));
                        }
                        return Ok((nodes, Some((word, line))));
                    }
                    nodes.extend(self.action(&word, tokens)?);
                }
            }
        }
        self.depth -= 1;
        Ok((nodes, None))
    }

    fn action(&mut self, word: &str, mut tokens: Tokens) -> Result<Option<Node>, String> {
        match word {
            "if" | "with" | "range" => {
                tokens.at += 1;
                let pipe = tokens.pipeline()?;
                let (then, otherwise) = self.branches()?;
                Ok(Some(match word {
                    "if" => Node::If(pipe, then, otherwise),
                    "with" => Node::With(pipe, then, otherwise),
                    _ => Node::Range(pipe, then, otherwise),
                }))
            }
            "define" | "block" => {
                tokens.at += 1;
                tokens.skip();
                let name = tokens.name(word)?;
                let pipe = if word == "block" { Some(tokens.pipeline()?) } else { None };
                let (body, end) = self.list()?;
                if end.is_none() {
                    return Err("unexpected EOF".to_owned());
                }
                self.defined.insert(name.clone(), body);
                Ok(pipe.map(|pipe| Node::Template(name, Some(pipe))))
            }
            "template" => {
                tokens.at += 1;
                tokens.skip();
                let name = tokens.name(word)?;
                tokens.skip();
                let pipe = if tokens.peek().is_some() { Some(tokens.pipeline()?) } else { None };
                Ok(Some(Node::Template(name, pipe)))
            }
            "break" => Ok(Some(Node::Break)),
            "continue" => Ok(Some(Node::Continue)),
            _ => Ok(Some(Node::Action(tokens.pipeline()?))),
        }
    }

    fn branches(&mut self) -> Result<(Vec<Node>, Vec<Node>), String> {
        let eof = || "unexpected EOF".to_owned();
        let (then, end) = self.list()?;
        match end.ok_or_else(eof)?.0.as_str() {
            "end" => Ok((then, Vec::new())),
            "else" => {
                let (otherwise, end) = self.list()?;
                end.ok_or_else(eof)?;
                Ok((then, otherwise))
            }
            _ => {
                let Some(Piece::Action(tokens, line)) = self.pieces.get(self.at).cloned() else {
                    return Err(eof());
                };
                self.at += 1;
                let mut tokens = Tokens { tokens, at: 0, line, depth: 0 };
                tokens.skip();
                let word = match tokens.peek() {
                    Some(Token::Word(word)) if word == "if" || word == "with" => word.clone(),
                    _ => return Err(format!("{line}: expected end; found {{{{else}}}}")),
                };
                let inner = self.action(&word, tokens)?;
                Ok((then, inner.into_iter().collect()))
            }
        }
    }
}

struct Tokens {
    tokens: Vec<Token>,
    at: usize,
    line: usize,
    depth: usize,
}

impl Tokens {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn skip(&mut self) {
        while self.peek() == Some(&Token::Space) {
            self.at += 1;
        }
    }

    fn name(&mut self, clause: &str) -> Result<String, String> {
        match self.peek().cloned() {
            Some(Token::Text(name)) => {
                self.at += 1;
                Ok(name)
            }
            _ => Err(format!("{}: unexpected token in {clause} clause", self.line)),
        }
    }

    fn pipeline(&mut self) -> Result<Pipe, String> {
        self.depth += 1;
        if self.depth > 32 {
            return Err(format!("{}: pipeline is nested too deeply", self.line));
        }
        let mut pipe = Pipe::default();
        self.skip();
        self.declarations(&mut pipe);
        loop {
            self.skip();
            let command = self.command()?;
            if command.is_empty() {
                return Err(format!("{}: missing value for command", self.line));
            }
            pipe.commands.push(command);
            self.skip();
            match self.peek() {
                Some(Token::Mark("|")) => self.at += 1,
                None | Some(Token::Mark(")")) => break,
                Some(other) => {
                    return Err(format!("{}: unexpected {other:?} in operand", self.line));
                }
            }
        }
        self.depth -= 1;
        Ok(pipe)
    }

    /// `$x :=`, `$x =`, `$i, $x :=` at the start of a pipeline.
    fn declarations(&mut self, pipe: &mut Pipe) {
        let start = self.at;
        let mut names = Vec::new();
        while let Some(Token::Variable(name)) = self.peek().cloned() {
            self.at += 1;
            names.push(name);
            self.skip();
            match self.peek() {
                Some(Token::Mark(",")) if names.len() == 1 => {
                    self.at += 1;
                    self.skip();
                }
                Some(Token::Mark(mark @ (":=" | "="))) => {
                    pipe.declares = *mark == ":=";
                    pipe.variables = names;
                    self.at += 1;
                    return;
                }
                _ => break,
            }
        }
        self.at = start;
    }

    fn command(&mut self) -> Result<Vec<Arg>, String> {
        let mut args = Vec::new();
        loop {
            self.skip();
            let Some(token) = self.peek().cloned() else { return Ok(args) };
            let arg = match token {
                Token::Mark("|" | ")") => return Ok(args),
                Token::Mark("(") => {
                    self.at += 1;
                    let pipe = self.pipeline()?;
                    if self.peek() != Some(&Token::Mark(")")) {
                        return Err(format!("{}: unclosed left paren", self.line));
                    }
                    self.at += 1;
                    Arg::Group(pipe, self.fields())
                }
                Token::Dot => {
                    self.at += 1;
                    Arg::Path(self.fields())
                }
                Token::Field(_) => Arg::Path(self.fields()),
                Token::Variable(name) => {
                    self.at += 1;
                    Arg::Variable(name, self.fields())
                }
                Token::Text(text) => {
                    self.at += 1;
                    Arg::Text(text)
                }
                Token::Number(text) => {
                    self.at += 1;
                    Arg::Number(self.number(&text)?)
                }
                Token::Word(word) => {
                    self.at += 1;
                    match word.as_str() {
                        "true" => Arg::Bool(true),
                        "false" => Arg::Bool(false),
                        "nil" => Arg::Nil,
                        name if funcs::known(name) => Arg::Function(word),
                        name => {
                            return Err(format!("{}: function \"{name}\" not defined", self.line));
                        }
                    }
                }
                Token::Mark(mark) => {
                    return Err(format!("{}: unexpected \"{mark}\" in operand", self.line));
                }
                Token::Space => continue,
            };
            args.push(arg);
        }
    }

    /// Fields that follow without a blank.
    fn fields(&mut self) -> Vec<String> {
        let mut fields = Vec::new();
        while let Some(Token::Field(name)) = self.peek().cloned() {
            self.at += 1;
            fields.push(name);
        }
        fields
    }

    fn number(&self, text: &str) -> Result<serde_json::Number, String> {
        let plain = text.replace('_', "");
        if let Ok(i) = plain.trim_start_matches('+').parse::<i64>() {
            return Ok(i.into());
        }
        if let Some(hex) = plain.strip_prefix("0x") {
            if let Ok(i) = i64::from_str_radix(hex, 16) {
                return Ok(i.into());
            }
        }
        let float = plain.parse::<f64>().ok().and_then(serde_json::Number::from_f64);
        float.ok_or_else(|| format!("{}: bad number syntax: \"{text}\"", self.line))
    }
}
