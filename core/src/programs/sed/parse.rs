//! `sed` scripts.

use regex_lite::Regex;

use crate::shell::regex::{Syntax, compile};

/// A command with its addresses.
pub struct Command {
    /// None, one, or a range.
    pub addresses: Vec<Address>,
    /// `!`
    pub negated: bool,
    /// What to do.
    pub action: Action,
}

/// Which lines.
pub enum Address {
    /// A line's number.
    Line(usize),
    /// `first~step`
    Step(usize, usize),
    /// `$`
    Last,
    /// `/re/`; none for the last one used.
    Match(Option<Regex>),
    /// `+N`, after the first address.
    Plus(usize),
}

/// What to do.
pub enum Action {
    /// `s`
    Substitute(Box<Substitution>),
    /// `y`
    Transliterate(Vec<(char, char)>),
    /// `a`, `i`, `c`
    Text(char, String),
    /// `q`, `Q` with an exit code.
    Quit(char, i32),
    /// `b`, `t`, `T`: to where in the commands.
    Branch(char, usize),
    /// `{`: where the matching `}` is.
    Block(usize),
    /// Everything that is only a letter.
    Plain(char),
}

/// `s/pattern/replacement/flags`
pub struct Substitution {
    /// None for the last pattern used.
    pub pattern: Option<Regex>,
    /// Pieces of the replacement.
    pub pieces: Vec<Piece>,
    /// `g`
    pub all: bool,
    /// `p`
    pub print: bool,
    /// The first match that counts, from 1.
    pub from: usize,
}

/// A piece of a replacement.
pub enum Piece {
    /// Text.
    Text(String),
    /// A group; 0 for everything.
    Group(usize),
    /// `\U`, `\L`, `\u`, `\l`, `\E`
    Case(char),
}

/// Parses a script.
pub fn parse(text: &str, extended: bool) -> Result<Vec<Command>, String> {
    let syntax = if extended { Syntax::Extended } else { Syntax::Basic };
    let mut parser = Parser {
        text: text.chars().collect(),
        at: 0,
        syntax,
        labels: Vec::new(),
        jumps: Vec::new(),
    };
    let mut commands = Vec::new();
    let mut open = Vec::new();
    loop {
        parser.skip(" \t\n;");
        if parser.peek().is_none() {
            break;
        }
        if parser.peek() == Some('#') {
            while parser.peek().is_some_and(|c| c != '\n') {
                parser.at += 1;
            }
            continue;
        }
        if let Some(command) = parser.command(&mut commands, &mut open)? {
            commands.push(command);
        }
    }
    if !open.is_empty() {
        return Err("char 0: unmatched `{'".into());
    }
    for (index, label) in parser.jumps {
        let target = match label.as_str() {
            "" => commands.len(),
            label => {
                let found = parser.labels.iter().find(|(name, _)| name == label);
                found.ok_or_else(|| format!("char 0: can't find label for jump to `{label}'"))?.1
            }
        };
        if let Some(Command { action: Action::Branch(_, to), .. }) = commands.get_mut(index) {
            *to = target;
        }
    }
    Ok(commands)
}

struct Parser {
    text: Vec<char>,
    at: usize,
    syntax: Syntax,
    labels: Vec<(String, usize)>,
    jumps: Vec<(usize, String)>,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn skip(&mut self, set: &str) {
        while self.peek().is_some_and(|c| set.contains(c)) {
            self.at += 1;
        }
    }

    fn error(&self, what: &str) -> String {
        format!("char {}: {what}", self.at)
    }

    fn number(&mut self) -> Option<usize> {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
        self.text[start..self.at].iter().collect::<String>().parse().ok()
    }

    /// Text up to an unescaped delimiter, which is taken.
    fn until(&mut self, end: char, what: &str) -> Result<String, String> {
        let mut out = String::new();
        let mut in_set = false;
        while let Some(c) = self.peek() {
            self.at += 1;
            match c {
                '\\' => match self.peek() {
                    Some(next) if next == end => {
                        self.at += 1;
                        out.push(next);
                    }
                    Some(next) => {
                        self.at += 1;
                        out.extend(['\\', next]);
                    }
                    None => out.push('\\'),
                },
                '[' if what.contains("regex") && !in_set => {
                    in_set = true;
                    out.push(c);
                    for special in ['^', ']'] {
                        if self.peek() == Some(special) {
                            self.at += 1;
                            out.push(special);
                        }
                    }
                }
                ']' if in_set => {
                    in_set = false;
                    out.push(c);
                }
                c if c == end && !in_set => return Ok(out),
                c => out.push(c),
            }
        }
        Err(self.error(what.strip_suffix(" regex").filter(|w| w.contains('`')).unwrap_or(what)))
    }

    fn regex(&self, text: &str, ignore_case: bool) -> Result<Option<Regex>, String> {
        if text.is_empty() {
            return Ok(None);
        }
        compile(text, self.syntax, ignore_case).map(Some).map_err(|e| self.error(&e))
    }

    fn address(&mut self) -> Result<Option<Address>, String> {
        Ok(match self.peek() {
            Some('0'..='9') => {
                let line = self.number().ok_or_else(|| self.error("invalid address"))?;
                if self.peek() == Some('~') {
                    self.at += 1;
                    let step = self.number().unwrap_or(0);
                    return Ok(Some(Address::Step(line, step)));
                }
                Some(Address::Line(line))
            }
            Some('$') => {
                self.at += 1;
                Some(Address::Last)
            }
            Some('+') => {
                self.at += 1;
                Some(Address::Plus(self.number().unwrap_or(0)))
            }
            Some(c @ ('/' | '\\')) => {
                self.at += 1;
                let mut end = c;
                if c == '\\' {
                    end = self.peek().ok_or_else(|| self.error("unterminated address regex"))?;
                    self.at += 1;
                }
                let text = self.until(end, "unterminated address regex")?;
                let ignore_case = self.peek() == Some('I');
                self.at += usize::from(ignore_case);
                Some(Address::Match(self.regex(&text, ignore_case)?))
            }
            _ => None,
        })
    }

    fn command(
        &mut self,
        commands: &mut [Command],
        open: &mut Vec<usize>,
    ) -> Result<Option<Command>, String> {
        let mut addresses = Vec::new();
        if let Some(first) = self.address()? {
            addresses.push(first);
            self.skip(" \t");
            if self.peek() == Some(',') {
                self.at += 1;
                self.skip(" \t");
                let second = self.address()?;
                addresses.push(second.ok_or_else(|| self.error("unexpected `,'"))?);
            }
        }
        self.skip(" \t");
        let negated = self.peek() == Some('!');
        if negated {
            self.at += 1;
            self.skip(" \t!");
        }
        let letter = self.peek().ok_or_else(|| self.error("missing command"))?;
        self.at += 1;
        let action = match letter {
            '{' => {
                open.push(commands.len());
                Action::Block(0)
            }
            '}' => {
                let start = open.pop().ok_or_else(|| self.error("unexpected `}'"))?;
                commands[start].action = Action::Block(commands.len());
                return Ok(None);
            }
            's' => self.substitution()?,
            'y' => self.transliteration()?,
            'a' | 'i' | 'c' => Action::Text(letter, self.inserted()),
            ':' => {
                let label = self.label();
                self.labels.push((label, commands.len()));
                return Ok(None);
            }
            'b' | 't' | 'T' => {
                let label = self.label();
                self.jumps.push((commands.len(), label));
                Action::Branch(letter, 0)
            }
            'q' | 'Q' => {
                self.skip(" \t");
                let code = self.number().unwrap_or(0);
                Action::Quit(letter, code as i32 & 0xff)
            }
            'p' | 'P' | 'd' | 'D' | 'n' | 'N' | 'g' | 'G' | 'h' | 'H' | 'x' | '=' | 'l' | 'z' => {
                Action::Plain(letter)
            }
            'r' | 'w' | 'W' | 'R' | 'e' | 'F' => {
                return Err(self.error(&format!("the command `{letter}' is not simulated")));
            }
            other => return Err(self.error(&format!("unknown command: `{other}'"))),
        };
        if !matches!(action, Action::Text(..) | Action::Block(_)) {
            self.skip(" \t");
            if !matches!(self.peek(), None | Some('\n' | ';' | '}' | '#')) {
                return Err(self.error("extra characters after command"));
            }
        }
        Ok(Some(Command { addresses, negated, action }))
    }

    fn label(&mut self) -> String {
        self.skip(" \t");
        let start = self.at;
        while self.peek().is_some_and(|c| !"\n;}".contains(c)) {
            self.at += 1;
        }
        self.text[start..self.at].iter().collect::<String>().trim().to_string()
    }

    fn inserted(&mut self) -> String {
        self.skip(" \t");
        if self.peek() == Some('\\') {
            self.at += 1;
            self.skip(" \t");
            if self.peek() == Some('\n') {
                self.at += 1;
            }
        }
        let mut out = String::new();
        while let Some(c) = self.peek() {
            self.at += 1;
            match c {
                '\\' => match self.peek() {
                    Some(next) => {
                        self.at += 1;
                        out.push(if next == 't' { '\t' } else { next });
                    }
                    None => break,
                },
                '\n' => break,
                c => out.push(c),
            }
        }
        out
    }

    fn substitution(&mut self) -> Result<Action, String> {
        let end = self.peek().ok_or_else(|| self.error("unterminated `s' command"))?;
        self.at += 1;
        let text = self.until(end, "unterminated `s' command regex")?;
        let with = self.until(end, "unterminated `s' command")?;
        let (mut all, mut print, mut ignore_case, mut from) = (false, false, false, 1);
        loop {
            match self.peek() {
                Some('g') => all = true,
                Some('p') => print = true,
                Some('i' | 'I') => ignore_case = true,
                Some('1'..='9') => {
                    from = self.number().unwrap_or(1);
                    continue;
                }
                Some('m' | 'M' | 'e' | 'w') => {
                    return Err(self.error("unknown option to `s'"));
                }
                _ => break,
            }
            self.at += 1;
        }
        if !matches!(self.peek(), None | Some(' ' | '\t' | '\n' | ';' | '}' | '#')) {
            return Err(self.error("unknown option to `s'"));
        }
        let pattern = self.regex(&text, ignore_case)?;
        let groups = pattern.as_ref().map_or(10, Regex::captures_len);
        let pieces = pieces(&with);
        for piece in &pieces {
            if let Piece::Group(n) = piece
                && *n >= groups
            {
                let text = format!("invalid reference \\{n} on `s' command's RHS");
                return Err(self.error(&text));
            }
        }
        Ok(Action::Substitute(Box::new(Substitution { pattern, pieces, all, print, from })))
    }

    fn transliteration(&mut self) -> Result<Action, String> {
        let end = self.peek().ok_or_else(|| self.error("unterminated `y' command"))?;
        self.at += 1;
        let from = self.until(end, "unterminated `y' command")?.replace("\\n", "\n");
        let to = self.until(end, "unterminated `y' command")?.replace("\\n", "\n");
        if from.chars().count() != to.chars().count() {
            return Err(self.error("strings for `y' command are different lengths"));
        }
        Ok(Action::Transliterate(from.chars().zip(to.chars()).collect()))
    }
}

fn pieces(text: &str) -> Vec<Piece> {
    let (mut pieces, mut current) = (Vec::new(), String::new());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let piece = match c {
            '&' => Piece::Group(0),
            '\\' => match chars.next() {
                Some(digit @ '0'..='9') => Piece::Group(digit as usize - '0' as usize),
                Some(case @ ('U' | 'L' | 'u' | 'l' | 'E')) => Piece::Case(case),
                Some('n') => {
                    current.push('\n');
                    continue;
                }
                Some('t') => {
                    current.push('\t');
                    continue;
                }
                Some(other) => {
                    current.push(other);
                    continue;
                }
                None => continue,
            },
            c => {
                current.push(c);
                continue;
            }
        };
        if !current.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut current)));
        }
        pieces.push(piece);
    }
    if !current.is_empty() {
        pieces.push(Piece::Text(current));
    }
    pieces
}
