//! Fields while they are put together: text that remembers whether it was quoted.

use crate::shell::pattern::Pattern;

/// One argument to be.
#[derive(Default)]
pub struct Field(Vec<(String, bool)>);

impl Field {
    /// The argument.
    pub fn text(&self) -> String {
        self.0.iter().map(|(text, _)| text.as_str()).collect()
    }

    /// As a pattern: quoted text stands for itself.
    pub fn pattern(&self) -> String {
        let part = |(text, quoted): &(String, bool)| match quoted {
            true => Pattern::escape(text),
            false => text.clone(),
        };
        self.0.iter().map(part).collect()
    }
}

/// Fields in the making.
pub struct Fields {
    /// Characters that separate fields; `None` where nothing is split.
    ifs: Option<String>,
    done: Vec<Field>,
    current: Option<Field>,
    /// Whether a value ended in blanks, so that what follows is a field of its own.
    separated: bool,
    /// Bytes of all fields.
    size: usize,
}

impl Fields {
    /// Fields that are split at these characters.
    pub fn new(ifs: String) -> Self {
        Fields { ifs: Some(ifs), done: Vec::new(), current: None, separated: false, size: 0 }
    }

    /// A single field.
    pub fn whole() -> Self {
        Fields { ifs: None, done: Vec::new(), current: None, separated: false, size: 0 }
    }

    /// How much text there is, in bytes.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Whether fields can be split here at all.
    pub fn splits(&self) -> bool {
        self.ifs.is_some()
    }

    /// The first separator, which joins `"$*"`.
    pub fn joiner(ifs: &str) -> String {
        ifs.chars().next().map(String::from).unwrap_or_default()
    }

    /// Adds text that is not split.
    pub fn push(&mut self, text: &str, quoted: bool) {
        if self.separated {
            self.end();
        }
        if text.is_empty() && !quoted {
            return;
        }
        self.size += text.len();
        self.current.get_or_insert_default().0.push((text.to_string(), quoted));
    }

    /// Adds the value of an expansion: split unless quoted.
    pub fn value(&mut self, text: &str, quoted: bool) {
        let Some(ifs) = self.ifs.clone().filter(|_| !quoted) else {
            return self.push(text, quoted);
        };
        let blank = |c: char| matches!(c, ' ' | '\t' | '\n') && ifs.contains(c);
        let mut word = String::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            if !ifs.contains(c) {
                word.push(c);
                continue;
            }
            if !word.is_empty() {
                self.push(&std::mem::take(&mut word), false);
            } else if !blank(c) && self.current.is_none() {
                self.current = Some(Field::default()); // `a::b`: an empty field
            }
            let mut hard = !blank(c);
            while let Some(next) = chars.peek().copied() {
                if blank(next) || (!hard && ifs.contains(next)) {
                    hard |= !blank(next);
                    chars.next();
                } else {
                    break;
                }
            }
            self.separated = self.current.is_some();
            if self.separated && chars.peek().is_some() {
                self.end();
            }
        }
        if !word.is_empty() {
            self.push(&word, false);
        }
    }

    /// Ends the field that is being made.
    pub fn end(&mut self) {
        self.separated = false;
        self.done.extend(self.current.take());
    }

    /// The fields.
    pub fn finish(mut self) -> Vec<Field> {
        self.end();
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitting() {
        let split = |ifs: &str, text: &str| {
            let mut fields = Fields::new(ifs.to_string());
            fields.push("<", true);
            fields.value(text, false);
            fields.push(">", true);
            fields.finish().iter().map(Field::text).collect::<Vec<_>>().join("|")
        };
        for (ifs, text, want) in [
            (" \t\n", "a b", "<a|b>"),
            (" \t\n", "  a \n b  ", "<|a|b|>"),
            (" \t\n", "", "<>"),
            (":", "a::b", "<a||b>"),
            (": ", "a : b", "<a|b>"),
            ("", "a b", "<a b>"),
        ] {
            assert_eq!(split(ifs, text), want, "{ifs:?} {text:?}");
        }
    }
}
