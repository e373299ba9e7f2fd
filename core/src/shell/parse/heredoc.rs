//! Here documents: the lines after the line that asks for them.

use super::{Parse, ParseError, Parser, parse_quoted};
use crate::shell::ast::Part;

impl Parser<'_> {
    /// Reads the bodies of all here documents of the line that just ended.
    pub(super) fn read_heredocs(&mut self) -> Parse<()> {
        for pending in std::mem::take(&mut self.heredocs) {
            let mut text = String::new();
            loop {
                if self.at >= self.text.len() {
                    return Err(ParseError::Incomplete(pending.end));
                }
                let start = self.at;
                while self.peek().is_some_and(|c| c != '\n') {
                    self.at += 1;
                }
                let line = self.slice(start, self.at);
                self.at = (self.at + 1).min(self.text.len());
                let line = match pending.strip_tabs {
                    true => line.trim_start_matches('\t'),
                    false => line.as_str(),
                };
                if line == pending.end {
                    break;
                }
                text.push_str(line);
                text.push('\n');
            }
            *pending.body.borrow_mut() = match pending.quoted {
                true => vec![Part::Quoted(text)],
                false => parse_quoted(&text)?,
            };
        }
        Ok(())
    }
}
