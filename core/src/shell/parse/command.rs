//! Simple and compound commands.

use std::rc::Rc;

use super::{Parse, ParseError, Parser};
use crate::shell::ast::{Assign, Command, Kind, Part, TestWord, Value, Word, bare};

impl Parser<'_> {
    pub(super) fn command(&mut self) -> Parse<Command> {
        self.expand_alias();
        let line = self.line();
        let word = self.reserved();
        let compound = match word.as_deref() {
            Some("if") => Some(self.if_command()?),
            Some("for") => Some(self.for_command()?),
            Some("while" | "until") => Some(self.while_command()?),
            Some("case") => Some(self.case_command()?),
            Some("{") => {
                self.at += 1;
                let list = self.some_list(&["}"])?;
                self.expect("}")?;
                Some(Kind::Group(list))
            }
            Some("function") if self.bash => return self.function_keyword(line),
            Some("[[") if self.bash => Some(self.test_command()?),
            Some("function" | "[[" | "in" | "!") | None => None,
            Some(_) => return Err(self.unexpected_here()),
        };
        let kind = match compound {
            Some(kind) => kind,
            None if self.looking_at("((") && self.bash => match self.arithmetic_command() {
                Some(kind) => kind,
                None => self.subshell()?,
            },
            None if self.peek() == Some('(') => self.subshell()?,
            None => return self.simple(line),
        };
        let mut redirects = Vec::new();
        while let Some(redirect) = self.redirect()? {
            redirects.extend(redirect);
        }
        Ok(Command { kind, redirects, line })
    }

    fn subshell(&mut self) -> Parse<Kind> {
        self.at += 1;
        let list = self.some_list(&[])?;
        self.expect(")")?;
        Ok(Kind::Subshell(Rc::new(list)))
    }

    fn arithmetic_command(&mut self) -> Option<Kind> {
        let start = self.at;
        self.at += 2;
        match self.arithmetic_parts() {
            Ok(parts) => Some(Kind::Arithmetic(parts)),
            Err(_) => {
                self.at = start;
                None
            }
        }
    }

    fn if_command(&mut self) -> Parse<Kind> {
        self.at += 2;
        let mut branches = Vec::new();
        let mut otherwise = None;
        loop {
            let condition = self.some_list(&["then"])?;
            self.expect("then")?;
            let body = self.some_list(&["elif", "else", "fi"])?;
            branches.push((condition, body));
            if self.take_reserved("elif") {
                continue;
            }
            if self.take_reserved("else") {
                otherwise = Some(self.some_list(&["fi"])?);
            }
            self.expect("fi")?;
            return Ok(Kind::If { branches, otherwise });
        }
    }

    fn body(&mut self) -> Parse<Vec<crate::shell::ast::Item>> {
        self.expect("do")?;
        let body = self.some_list(&["done"])?;
        self.expect("done")?;
        Ok(body)
    }

    fn while_command(&mut self) -> Parse<Kind> {
        let until = self.take_reserved("until");
        if !until {
            self.at += 5;
        }
        let condition = self.some_list(&["do"])?;
        Ok(Kind::While { until, condition, body: self.body()? })
    }

    fn for_command(&mut self) -> Parse<Kind> {
        self.at += 3;
        self.blanks();
        if self.bash && self.take("((") {
            let parts = self.arithmetic_parts()?;
            let mut sections = split_semicolons(parts);
            sections.resize(3, Vec::new());
            let [a, b, c] =
                <[Word; 3]>::try_from(sections).map_err(|_| self.unexpected("((".into()))?;
            self.blanks();
            if self.peek() == Some(';') {
                self.at += 1;
            }
            self.newlines()?;
            return Ok(Kind::CFor { parts: [a, b, c], body: self.body()? });
        }
        let name = self.name().ok_or_else(|| self.unexpected_here())?;
        self.newlines()?;
        let mut words = None;
        if self.take_reserved("in") {
            let mut list = Vec::new();
            while let Some(word) = self.word()? {
                list.push(word);
            }
            words = Some(list);
        }
        self.blanks();
        if self.peek() == Some(';') {
            self.at += 1;
        }
        self.newlines()?;
        Ok(Kind::For { name, words, body: self.body()? })
    }

    fn case_command(&mut self) -> Parse<Kind> {
        self.at += 4;
        let word = self.word()?.ok_or_else(|| self.unexpected_here())?;
        self.newlines()?;
        self.expect("in")?;
        let mut arms = Vec::new();
        loop {
            self.newlines()?;
            if self.take_reserved("esac") {
                return Ok(Kind::Case { word, arms });
            }
            self.take("(");
            let mut patterns = Vec::new();
            loop {
                patterns.push(self.word()?.ok_or_else(|| self.unexpected_here())?);
                self.blanks();
                if !self.take("|") {
                    break;
                }
                self.blanks();
            }
            self.expect(")")?;
            let body = self.list(&["esac"])?;
            self.blanks();
            let falls_through = self.take(";&") || self.take(";;&");
            let ended = falls_through || self.take(";;");
            arms.push((patterns, body, falls_through));
            self.newlines()?;
            if !ended {
                self.expect("esac")?;
                return Ok(Kind::Case { word, arms });
            }
        }
    }

    fn function_keyword(&mut self, line: usize) -> Parse<Command> {
        self.at += "function".len();
        let word = self.word()?.ok_or_else(|| self.unexpected_here())?;
        let name = bare(&word).map(str::to_string).ok_or_else(|| self.unexpected_here())?;
        self.blanks();
        if self.take("(") {
            self.expect(")")?;
        }
        self.function(name, line)
    }

    fn function(&mut self, name: String, line: usize) -> Parse<Command> {
        self.newlines()?;
        let body = Rc::new(self.command()?);
        if matches!(body.kind, Kind::Simple { .. }) {
            return Err(self.unexpected_here());
        }
        Ok(Command { kind: Kind::Function { name, body }, redirects: Vec::new(), line })
    }

    fn test_command(&mut self) -> Parse<Kind> {
        self.at += 2;
        let mut words: Vec<TestWord> = Vec::new();
        loop {
            self.newlines()?;
            let after_match = words.last().is_some_and(|w| w.operator.as_deref() == Some("=~"));
            let operator =
                ["&&", "||", "(", ")", "<", ">"].into_iter().find(|o| self.looking_at(o));
            if let Some(operator) = operator.filter(|_| !after_match) {
                self.at += operator.len();
                words.push(TestWord { word: Vec::new(), operator: Some(operator.to_string()) });
                continue;
            }
            let word = if after_match { self.regex_word()? } else { self.word()? };
            let Some(word) = word else {
                return Err(match self.peek() {
                    None => ParseError::Incomplete("]]".to_string()),
                    Some(_) => self.unexpected_here(),
                });
            };
            match bare(&word) {
                Some("]]") => return Ok(Kind::Test(words)),
                text => {
                    let operator = text.map(str::to_string);
                    words.push(TestWord { word, operator });
                }
            }
        }
    }

    fn simple(&mut self, line: usize) -> Parse<Command> {
        let (mut assigns, mut words, mut redirects) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            self.blanks();
            if let Some(redirect) = self.redirect()? {
                redirects.extend(redirect);
                continue;
            }
            if words.is_empty()
                && let Some(assign) = self.assignment()?
            {
                assigns.push(assign);
                continue;
            }
            if words.is_empty() && !assigns.is_empty() {
                self.expand_alias();
            }
            let Some(word) = self.word()? else { break };
            self.blanks();
            if words.is_empty() && assigns.is_empty() && self.peek() == Some('(') {
                let Some(name) = bare(&word).map(str::to_string) else {
                    return Err(self.unexpected("(".into()));
                };
                self.at += 1;
                self.blanks();
                if self.peek() != Some(')') {
                    return Err(match self.peek() {
                        None => ParseError::Incomplete(")".into()),
                        Some(_) => {
                            let token = self.token().unwrap_or_default();
                            self.unexpected(if self.bash { token } else { "(".into() })
                        }
                    });
                }
                self.at += 1;
                return self.function(name, line);
            }
            words.push(word);
        }
        if assigns.is_empty() && words.is_empty() && redirects.is_empty() {
            return Err(self.unexpected_here());
        }
        Ok(Command { kind: Kind::Simple { assigns, words }, redirects, line })
    }

    pub(super) fn name(&mut self) -> Option<String> {
        self.blanks();
        let length = self.name_length(0);
        if length == 0 {
            return None;
        }
        let name = self.slice(self.at, self.at + length);
        self.at += length;
        Some(name)
    }

    pub(super) fn name_length(&self, from: usize) -> usize {
        if !self.peek_at(from).is_some_and(|c| c.is_ascii_alphabetic() || c == '_') {
            return 0;
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        (1..).find(|n| !self.peek_at(from + n).is_some_and(is_name)).unwrap_or(0)
    }

    fn assignment(&mut self) -> Parse<Option<Assign>> {
        self.blanks();
        let length = self.name_length(0);
        if length == 0 {
            return Ok(None);
        }
        let start = self.at;
        let name = self.slice(start, start + length);
        self.at += length;
        let mut index = None;
        if self.bash && self.take("[") {
            match self.subscript() {
                Ok(word) => index = Some(word),
                Err(_) => {
                    self.at = start;
                    return Ok(None);
                }
            }
        }
        let append = self.bash && self.take("+=");
        if !append && !self.take("=") {
            self.at = start;
            return Ok(None);
        }
        if self.bash && self.peek() == Some('(') {
            self.at += 1;
            let mut words = Vec::new();
            loop {
                self.newlines()?;
                match self.word()? {
                    Some(word) => words.push(word),
                    None => break,
                }
            }
            self.expect(")")?;
            return Ok(Some(Assign { name, index, append, value: Value::Array(words) }));
        }
        let value = self.assigned_word()?;
        Ok(Some(Assign { name, index, append, value: Value::Word(value) }))
    }

    /// Puts an alias's text in the place of its name.
    fn expand_alias(&mut self) {
        for _ in 0..16 {
            self.blanks();
            let Some(token) = self.token() else { return };
            let known = self.in_alias.iter().any(|(_, name)| *name == token);
            let Some(text) = self.aliases.get(&token).filter(|_| !known) else { return };
            let length = token.chars().count();
            let new: Vec<char> = text.chars().collect();
            let grown = new.len();
            self.text.splice(self.at..self.at + length, new);
            for (end, _) in &mut self.in_alias {
                *end = (*end + grown).saturating_sub(length);
            }
            self.in_alias.push((self.at + grown, token));
        }
    }
}

/// Splits `a; b; c` into its expressions.
fn split_semicolons(parts: Vec<Part>) -> Vec<Word> {
    let mut sections = vec![Vec::new()];
    for part in parts {
        let text = match part {
            Part::Text(text) | Part::Quoted(text) => text,
            other => {
                if let Some(last) = sections.last_mut() {
                    last.push(other);
                }
                continue;
            }
        };
        for (index, piece) in text.split(';').enumerate() {
            if index > 0 {
                sections.push(Vec::new());
            }
            if let Some(last) = sections.last_mut() {
                last.push(Part::Quoted(piece.to_string()));
            }
        }
    }
    sections
}
