//! From text to a [`List`]: a recursive descent over characters, since what a word is depends on
//! where it stands.

mod command;
mod heredoc;
mod redirect;
mod word;

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use super::ast::{Item, List, Pipeline, Word};

/// Why a text is not a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// More lines are needed (an open quote, an `if` without `fi`).
    Incomplete(String),
    /// A token where none can be; empty for the end of the text.
    Unexpected {
        /// The token.
        token: String,
        /// Its line, from 1.
        line: usize,
    },
}

type Parse<T> = Result<T, ParseError>;

struct Pending {
    end: String,
    strip_tabs: bool,
    quoted: bool,
    body: Rc<RefCell<Word>>,
}

struct Parser<'a> {
    text: Vec<char>,
    at: usize,
    heredocs: Vec<Pending>,
    aliases: &'a BTreeMap<String, String>,
    /// Where the text of an alias ends, and its name: it is not expanded in itself.
    in_alias: Vec<(usize, String)>,
    depth: usize,
    bash: bool,
}

/// Nesting beyond this is refused, so that no script can exhaust the stack.
const MAX_DEPTH: usize = 32;

const RESERVED: &[&str] = &[
    "!", "case", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if", "in", "then",
    "until", "while", "{", "}", "[[",
];

/// Parses a whole script. `bash` says whether what only bash understands is understood.
///
/// # Errors
/// Where it is not one, or not yet.
pub fn parse(text: &str, aliases: &BTreeMap<String, String>, bash: bool) -> Parse<List> {
    let text = text.chars().collect();
    let mut parser =
        Parser { text, at: 0, heredocs: Vec::new(), aliases, in_alias: Vec::new(), depth: 0, bash };
    let list = parser.list(&[])?;
    match parser.token() {
        None => Ok(list),
        Some(token) => Err(parser.unexpected(token)),
    }
}

/// Parses the text of a word as if in double quotes: prompts, here documents.
///
/// # Errors
/// Where an expansion in it is not complete.
pub fn parse_quoted(text: &str) -> Parse<Word> {
    let aliases = BTreeMap::new();
    let mut parser = Parser {
        text: text.chars().collect(),
        at: 0,
        heredocs: Vec::new(),
        aliases: &aliases,
        in_alias: Vec::new(),
        depth: 0,
        bash: true,
    };
    parser.quoted_parts(None, true)
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn peek_at(&self, ahead: usize) -> Option<char> {
        self.text.get(self.at + ahead).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    fn looking_at(&self, what: &str) -> bool {
        what.chars().enumerate().all(|(i, c)| self.peek_at(i) == Some(c))
    }

    fn take(&mut self, what: &str) -> bool {
        let found = self.looking_at(what);
        if found {
            self.at += what.chars().count();
        }
        found
    }

    fn line(&self) -> usize {
        1 + self.text[..self.at.min(self.text.len())].iter().filter(|c| **c == '\n').count()
    }

    fn slice(&self, from: usize, to: usize) -> String {
        self.text.get(from..to).unwrap_or_default().iter().collect()
    }

    /// Skips blanks, line continuations and a comment.
    fn blanks(&mut self) {
        loop {
            match self.peek() {
                Some(' ' | '\t' | '\r') => self.at += 1,
                Some('\\') if self.peek_at(1) == Some('\n') => self.at += 2,
                Some('#') => {
                    while self.peek().is_some_and(|c| c != '\n') {
                        self.at += 1;
                    }
                }
                _ => break,
            }
        }
        let at = self.at;
        self.in_alias.retain(|(end, _)| *end > at);
    }

    /// Takes a newline and the here documents that begin after it.
    fn newline(&mut self) -> Parse<bool> {
        self.blanks();
        if self.peek() != Some('\n') {
            return Ok(false);
        }
        self.at += 1;
        self.read_heredocs()?;
        Ok(true)
    }

    fn newlines(&mut self) -> Parse<()> {
        while self.newline()? {}
        Ok(())
    }

    /// The operator, word or newline that comes next, for messages and comparisons; nothing moves.
    fn token(&mut self) -> Option<String> {
        self.blanks();
        let first = self.peek()?;
        for operator in ["&&", "||", ";;", "<<", ">>", "<&", ">&", "&>", "<>", ">|"] {
            if self.looking_at(operator) {
                return Some(operator.to_string());
            }
        }
        if "|&;<>()".contains(first) {
            return Some(first.to_string());
        }
        if first == '\n' {
            return Some("newline".to_string());
        }
        let rest = self.text[self.at..].iter();
        Some(rest.take_while(|c| !" \t\n|&;<>()".contains(**c)).collect())
    }

    /// The reserved word that comes next, if one does.
    fn reserved(&mut self) -> Option<String> {
        let token = self.token()?;
        RESERVED.contains(&token.as_str()).then_some(token)
    }

    fn take_reserved(&mut self, word: &str) -> bool {
        if self.token().as_deref() == Some(word) {
            self.at += word.chars().count();
            return true;
        }
        false
    }

    fn expect(&mut self, word: &str) -> Parse<()> {
        if self.take_reserved(word) {
            return Ok(());
        }
        match self.token() {
            Some(token) => Err(self.unexpected(token)),
            None => Err(ParseError::Incomplete(word.to_string())),
        }
    }

    fn unexpected(&self, token: String) -> ParseError {
        ParseError::Unexpected { token, line: self.line() }
    }

    fn unexpected_here(&mut self) -> ParseError {
        match self.token() {
            Some(token) => self.unexpected(token),
            None => ParseError::Incomplete(String::new()),
        }
    }

    /// Commands up to the end, a `)` , `;;`, or one of these reserved words.
    fn list(&mut self, ends: &[&str]) -> Parse<List> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.unexpected("(".to_string()));
        }
        let mut list = Vec::new();
        loop {
            self.newlines()?;
            let Some(token) = self.token() else { break };
            if ends.contains(&token.as_str()) || token == ")" || token == ";;" {
                break;
            }
            let mut item = self.item()?;
            self.blanks();
            match self.token().as_deref() {
                Some("&") => {
                    self.at += 1;
                    item.background = true;
                }
                Some(";") => self.at += 1,
                Some("newline") => {}
                _ => {
                    list.push(item);
                    break;
                }
            }
            list.push(item);
        }
        self.depth -= 1;
        Ok(list)
    }

    /// A list that must not be empty.
    fn some_list(&mut self, ends: &[&str]) -> Parse<List> {
        let list = self.list(ends)?;
        if list.is_empty() {
            return Err(self.unexpected_here());
        }
        Ok(list)
    }

    fn item(&mut self) -> Parse<Item> {
        self.blanks();
        let start = self.at;
        let first = self.pipeline()?;
        let mut rest = Vec::new();
        loop {
            self.blanks();
            let and = self.looking_at("&&");
            if !and && !self.looking_at("||") {
                break;
            }
            self.at += 2;
            self.newlines()?;
            rest.push((and, self.pipeline()?));
        }
        let text = self.slice(start, self.at).trim().into();
        Ok(Item { first, rest, background: false, text })
    }

    fn pipeline(&mut self) -> Parse<Pipeline> {
        let (mut negated, mut timed) = (false, false);
        loop {
            if self.take_reserved("!") {
                negated = !negated;
            } else if self.bash && !timed && self.take_reserved("time") {
                timed = true;
            } else {
                break;
            }
        }
        let mut commands = Vec::new();
        if timed && matches!(self.token().as_deref(), None | Some("newline" | ";")) {
            return Ok(Pipeline { negated, timed, commands });
        }
        loop {
            commands.push(Rc::new(self.command()?));
            self.blanks();
            if self.looking_at("||") || self.peek() != Some('|') {
                break;
            }
            self.at += 1;
            let both = self.peek() == Some('&');
            if both {
                self.at += 1;
                if let Some(last) = commands.last_mut().and_then(Rc::get_mut) {
                    last.redirects.push(redirect::error_to_output());
                }
            }
            self.newlines()?;
        }
        Ok(Pipeline { negated, timed, commands })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_incomplete_and_what_is_wrong() {
        let none = BTreeMap::new();
        for text in [
            "if true",
            "echo 'a",
            "echo \"a",
            "a &&",
            "a |",
            "(a",
            "{ a",
            "cat <<E\nx",
            "echo $(a",
            "f() {",
            "case x in",
        ] {
            let got = parse(text, &none, true);
            assert!(matches!(got, Err(ParseError::Incomplete(_))), "{text}: {got:?}");
        }
        for (text, token) in [
            (")", ")"),
            ("a ;; b", ";;"),
            ("fi", "fi"),
            ("| a", "|"),
            ("a && ;", ";"),
            ("if ; then", ";"),
            ("a > ;", ";"),
        ] {
            match parse(text, &none, true) {
                Err(ParseError::Unexpected { token: got, .. }) => assert_eq!(got, token, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }
}
