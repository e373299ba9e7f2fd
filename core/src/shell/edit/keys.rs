//! From the bytes of a terminal emulator to keys.

use std::collections::VecDeque;

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // they are named as they are labelled
pub enum Key {
    Char(char),
    Ctrl(char),
    Alt(char),
    AltBackspace,
    Up,
    Down,
    Left,
    Right,
    WordLeft,
    WordRight,
    Home,
    End,
    PageUp,
    PageDown,
    Delete,
    Backspace,
    Tab,
    Enter,
    PasteStart,
    PasteEnd,
    Unknown,
}

/// Collects bytes and hands out keys.
#[derive(Default)]
pub struct Decoder(VecDeque<u8>);

impl Decoder {
    /// Adds bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
    }

    /// What was not decoded.
    pub fn take_rest(&mut self) -> Vec<u8> {
        self.0.drain(..).collect()
    }

    fn at(&self, index: usize) -> Option<u8> {
        self.0.get(index).copied()
    }

    /// The next key, if its bytes are all there. (A lone escape at the end counts as Alt-Escape.)
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Option<Key> {
        let first = self.at(0)?;
        let (key, length) = match first {
            b'\r' => (Key::Enter, 1),
            b'\t' => (Key::Tab, 1),
            127 => (Key::Backspace, 1),
            27 => self.escape(),
            31 => (Key::Ctrl('_'), 1),
            0..=26 => (Key::Ctrl((first + 96) as char), 1),
            28..=30 => (Key::Unknown, 1),
            _ => {
                let length = match first {
                    0xf0.. => 4,
                    0xe0.. => 3,
                    0xc0.. => 2,
                    _ => 1,
                };
                if self.0.len() < length {
                    return None;
                }
                let bytes: Vec<u8> = self.0.iter().take(length).copied().collect();
                let c = std::str::from_utf8(&bytes).ok().and_then(|s| s.chars().next());
                (c.map_or(Key::Unknown, Key::Char), if c.is_some() { length } else { 1 })
            }
        };
        self.0.drain(..length.min(self.0.len()));
        Some(key)
    }

    fn escape(&self) -> (Key, usize) {
        match self.at(1) {
            None => (Key::Alt('\x1b'), 1),
            Some(b'[') => {
                let length = (2..self.0.len()).find(|i| (0x40..=0x7e).contains(&self.0[*i]));
                let Some(last) = length else { return (Key::Unknown, self.0.len()) };
                let text: String = self.0.range(2..=last).map(|b| *b as char).collect();
                (sequence(&text), last + 1)
            }
            Some(b'O') => {
                let key = self.at(2).map_or(Key::Unknown, |b| sequence(&(b as char).to_string()));
                (key, 3)
            }
            Some(8 | 127) => (Key::AltBackspace, 2),
            Some(byte @ b' '..=b'~') => (Key::Alt(byte as char), 2),
            Some(_) => (Key::Unknown, 2),
        }
    }
}

fn sequence(text: &str) -> Key {
    match text {
        "A" => Key::Up,
        "B" => Key::Down,
        "C" => Key::Right,
        "D" => Key::Left,
        "H" | "1~" | "7~" => Key::Home,
        "F" | "4~" | "8~" => Key::End,
        "3~" => Key::Delete,
        "5~" => Key::PageUp,
        "6~" => Key::PageDown,
        "1;5C" | "1;3C" => Key::WordRight,
        "1;5D" | "1;3D" => Key::WordLeft,
        "200~" => Key::PasteStart,
        "201~" => Key::PasteEnd,
        _ => Key::Unknown,
    }
}
