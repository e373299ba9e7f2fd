//! The text of a line and where the cursor is in it.

/// A line being edited.
#[derive(Default)]
pub struct Buffer {
    text: Vec<char>,
    cursor: usize,
    undo: Vec<(Vec<char>, usize)>,
}

impl Buffer {
    pub fn text(&self) -> String {
        self.text.iter().collect()
    }

    pub fn before_cursor(&self) -> String {
        self.text[..self.cursor].iter().collect()
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    pub fn cursor(&self) -> usize {
        self.cursor
    }

    pub fn set_cursor(&mut self, cursor: usize) {
        self.cursor = cursor.min(self.text.len());
    }

    pub fn at_end(&self) -> bool {
        self.cursor == self.text.len()
    }

    pub fn set(&mut self, text: &str) {
        self.save();
        self.text = text.chars().collect();
        self.cursor = self.text.len();
    }

    fn save(&mut self) {
        if self.undo.len() >= 100 {
            self.undo.remove(0);
        }
        self.undo.push((self.text.clone(), self.cursor));
    }

    pub fn undo(&mut self) {
        if let Some((text, cursor)) = self.undo.pop() {
            (self.text, self.cursor) = (text, cursor);
        }
    }

    pub fn insert(&mut self, c: char) {
        if c == ' ' || self.text.is_empty() {
            self.save();
        }
        self.text.insert(self.cursor, c);
        self.cursor += 1;
    }

    pub fn insert_str(&mut self, text: &str) {
        self.save();
        let chars: Vec<char> = text.chars().collect();
        let length = chars.len();
        self.text.splice(self.cursor..self.cursor, chars);
        self.cursor += length;
    }

    pub fn left(&mut self) {
        self.cursor = self.cursor.saturating_sub(1);
    }

    pub fn right(&mut self) {
        self.set_cursor(self.cursor + 1);
    }

    pub fn home(&mut self) {
        self.cursor = 0;
    }

    pub fn end(&mut self) {
        self.cursor = self.text.len();
    }

    pub fn backspace(&mut self) {
        if self.cursor > 0 {
            self.save();
            self.cursor -= 1;
            self.text.remove(self.cursor);
        }
    }

    pub fn delete(&mut self) {
        if self.cursor < self.text.len() {
            self.save();
            self.text.remove(self.cursor);
        }
    }

    fn word_start(&self, blanks_only: bool) -> usize {
        let in_word = |c: char| if blanks_only { !c.is_whitespace() } else { c.is_alphanumeric() };
        let mut at = self.cursor;
        while at > 0 && !in_word(self.text[at - 1]) {
            at -= 1;
        }
        while at > 0 && in_word(self.text[at - 1]) {
            at -= 1;
        }
        at
    }

    fn word_end(&self) -> usize {
        let mut at = self.cursor;
        while at < self.text.len() && !self.text[at].is_alphanumeric() {
            at += 1;
        }
        while at < self.text.len() && self.text[at].is_alphanumeric() {
            at += 1;
        }
        at
    }

    pub fn word_left(&mut self) {
        self.cursor = self.word_start(false);
    }

    pub fn word_right(&mut self) {
        self.cursor = self.word_end();
    }

    fn kill(&mut self, from: usize, to: usize) -> String {
        self.save();
        self.cursor = from;
        self.text.drain(from..to).collect()
    }

    pub fn kill_to_end(&mut self) -> String {
        self.kill(self.cursor, self.text.len())
    }

    pub fn kill_to_start(&mut self) -> String {
        self.kill(0, self.cursor)
    }

    pub fn kill_word_back(&mut self, blanks_only: bool) -> String {
        self.kill(self.word_start(blanks_only), self.cursor)
    }

    pub fn kill_word(&mut self) -> String {
        self.kill(self.cursor, self.word_end())
    }

    /// Takes `count` characters before the cursor away and puts a text there.
    pub fn replace_before(&mut self, count: usize, text: &str) {
        self.kill(self.cursor.saturating_sub(count), self.cursor);
        self.insert_str(text);
    }

    pub fn transpose(&mut self) {
        if self.text.len() > 1 && self.cursor > 0 {
            let at = self.cursor.min(self.text.len() - 1);
            self.save();
            self.text.swap(at - 1, at);
            self.cursor = at + 1;
        }
    }

    pub fn change_word(&mut self, f: impl Fn(&str) -> String) {
        let end = self.word_end();
        let word: String = self.text[self.cursor..end].iter().collect();
        self.kill(self.cursor, end);
        self.insert_str(&f(&word));
    }
}
