//! Redirections.

use std::{cell::RefCell, rc::Rc};

use super::{Parse, Parser, Pending};
use crate::shell::ast::{Part, Redirect, RedirectOp, Word};

/// `2>&1`
pub(super) fn error_to_output() -> Redirect {
    Redirect { fd: 2, op: RedirectOp::Duplicate(vec![Part::Text("1".into())]) }
}

impl Parser<'_> {
    /// A redirection, if one comes next.
    pub(super) fn redirect(&mut self) -> Parse<Option<Vec<Redirect>>> {
        self.blanks();
        let digits = (0..).find(|n| !self.peek_at(*n).is_some_and(|c| c.is_ascii_digit()));
        let digits = digits.unwrap_or(0);
        if !matches!(self.peek_at(digits), Some('<' | '>')) {
            if self.bash && self.looking_at("&>") {
                let append = self.looking_at("&>>");
                self.at += if append { 3 } else { 2 };
                let op = RedirectOp::Both(self.target()?, append);
                return Ok(Some(vec![Redirect { fd: 1, op }]));
            }
            return Ok(None);
        }
        let number = self.slice(self.at, self.at + digits);
        self.at += digits;
        let fd = number.parse::<u8>().ok();
        if digits > 0 && fd.is_none() {
            return Err(self.unexpected(number));
        }
        let reads = self.peek() == Some('<');
        let fd = fd.unwrap_or(if reads { 0 } else { 1 });
        let op = if self.take("<<<") {
            RedirectOp::HereString(self.target()?)
        } else if self.take("<<") {
            self.heredoc()?
        } else if self.take("<>") {
            RedirectOp::ReadWrite(self.target()?)
        } else if self.take("<&") {
            RedirectOp::Duplicate(self.target()?)
        } else if self.take(">&") {
            let word = self.target()?;
            match word.as_slice() {
                // `>& file` is the old way to write `&> file`.
                [Part::Text(text)]
                    if self.bash
                        && digits == 0
                        && text != "-"
                        && !text.chars().all(|c| c.is_ascii_digit()) =>
                {
                    RedirectOp::Both(word, false)
                }
                _ => RedirectOp::Duplicate(word),
            }
        } else if self.take(">>") {
            RedirectOp::Append(self.target()?)
        } else if self.take(">|") || self.take(">") {
            RedirectOp::Write(self.target()?)
        } else {
            self.at += 1;
            RedirectOp::Read(self.target()?)
        };
        Ok(Some(vec![Redirect { fd, op }]))
    }

    fn target(&mut self) -> Parse<Word> {
        self.blanks();
        match self.word()? {
            Some(word) => Ok(word),
            None => Err(match self.token() {
                Some(token) => self.unexpected(token),
                None => self.unexpected("newline".into()),
            }),
        }
    }

    fn heredoc(&mut self) -> Parse<RedirectOp> {
        let strip_tabs = self.take("-");
        let word = self.target()?;
        let (mut end, mut quoted) = (String::new(), false);
        for part in &word {
            match part {
                Part::Text(text) => end.push_str(text),
                Part::Quoted(text) => {
                    end.push_str(text);
                    quoted = true;
                }
                Part::Double(parts) => {
                    quoted = true;
                    for part in parts {
                        if let Part::Quoted(text) | Part::Text(text) = part {
                            end.push_str(text);
                        }
                    }
                }
                _ => {}
            }
        }
        let body = Rc::new(RefCell::new(Vec::new()));
        self.heredocs.push(Pending { end, strip_tabs, quoted, body: body.clone() });
        Ok(RedirectOp::Here(body))
    }
}
