//! The journal in the browser's local storage, so that a reload goes on where it was.
//!
//! A head and numbered blocks of entries: an input rewrites one short block and not the whole hour.
//! Storage that is full or forbidden loses the journal and nothing else.

use std::cell::RefCell;

use sandbar_core::session::{Entry, Journal};
use web_sys::Storage;

use crate::engine_host::JournalStore;

/// Entries in a block.
const BLOCK: usize = 64;

/// A place for texts under names; the browser's, or a test's.
pub trait Texts {
    /// The text under a name.
    fn get(&self, name: &str) -> Option<String>;
    /// Keeps a text under a name; false where that is not possible.
    fn set(&self, name: &str, text: &str) -> bool;
    /// Forgets a text.
    fn remove(&self, name: &str);
}

impl Texts for Storage {
    fn get(&self, name: &str) -> Option<String> {
        self.get_item(name).ok().flatten()
    }

    fn set(&self, name: &str, text: &str) -> bool {
        self.set_item(name, text).is_ok()
    }

    fn remove(&self, name: &str) {
        let _ = self.remove_item(name);
    }
}

/// A journal kept in [`Texts`].
pub struct TextStore<T> {
    texts: T,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    /// Full blocks that are kept.
    blocks: usize,
    /// Entries of the block that is being filled.
    open: Vec<Entry>,
    /// Nothing could be kept: stop trying until the next session.
    full: bool,
}

impl TextStore<Storage> {
    /// The browser's local storage, where it may be used.
    pub fn local() -> Option<Self> {
        Some(TextStore::new(web_sys::window()?.local_storage().ok()??))
    }
}

impl<T: Texts> TextStore<T> {
    /// A store in a place.
    pub fn new(texts: T) -> Self {
        TextStore { texts, state: RefCell::default() }
    }

    /// The journal that was kept, if there is one that this version understands.
    pub fn load(&self) -> Option<Journal> {
        let mut journal: Journal = serde_json::from_str(&self.texts.get(HEAD)?).ok()?;
        if journal.version != Journal::VERSION {
            return None;
        }
        for block in 0.. {
            let Some(text) = self.texts.get(&block_name(block)) else { break };
            journal.entries.extend(serde_json::from_str::<Vec<Entry>>(&text).ok()?);
        }
        Some(journal)
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.texts.remove(HEAD);
        for block in 0.. {
            let name = block_name(block);
            if self.texts.get(&name).is_none() {
                break;
            }
            self.texts.remove(&name);
        }
        *self.state.borrow_mut() = State::default();
    }
}

const HEAD: &str = "sandbar/journal";

fn block_name(n: usize) -> String {
    format!("{HEAD}/{n}")
}

impl<T: Texts> JournalStore for TextStore<T> {
    fn begin(&self, journal: &Journal) {
        self.clear();
        let head = Journal { entries: Vec::new(), ..journal.clone() };
        let kept = serde_json::to_string(&head).is_ok_and(|text| self.texts.set(HEAD, &text));
        self.state.borrow_mut().full = !kept;
        self.append(&journal.entries);
    }

    fn append(&self, entries: &[Entry]) {
        let mut state = self.state.borrow_mut();
        let mut rest = entries;
        while !rest.is_empty() && !state.full {
            let (now, later) = rest.split_at(rest.len().min(BLOCK - state.open.len()));
            rest = later;
            state.open.extend_from_slice(now);
            let text = serde_json::to_string(&state.open).unwrap_or_default();
            state.full = !self.texts.set(&block_name(state.blocks), &text);
            if state.open.len() == BLOCK {
                state.open.clear();
                state.blocks += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use sandbar_core::session::protocol::Input;

    use super::*;

    #[derive(Default)]
    struct Map(RefCell<BTreeMap<String, String>>);

    impl Texts for Map {
        fn get(&self, name: &str) -> Option<String> {
            self.0.borrow().get(name).cloned()
        }

        fn set(&self, name: &str, text: &str) -> bool {
            self.0.borrow_mut().insert(name.to_owned(), text.to_owned());
            true
        }

        fn remove(&self, name: &str) {
            self.0.borrow_mut().remove(name);
        }
    }

    fn entry(at_us: u64) -> Entry {
        Entry { at_us, input: Input::TerminalKeys { id: 1, data: "x".into() } }
    }

    fn journal(entries: Vec<Entry>) -> Journal {
        Journal { version: Journal::VERSION, seed: 3, start_us: 5, entries }
    }

    #[test]
    fn what_was_appended_one_by_one_is_loaded_whole() {
        let store = TextStore::new(Map::default());
        assert_eq!(store.load(), None);
        let entries: Vec<Entry> = (0..200).map(entry).collect();
        store.begin(&journal(entries[..10].to_vec()));
        entries[10..].iter().for_each(|e| store.append(std::slice::from_ref(e)));
        assert_eq!(store.load(), Some(journal(entries)));
    }

    #[test]
    fn a_new_session_forgets_the_old_one() {
        let store = TextStore::new(Map::default());
        store.begin(&journal((0..200).map(entry).collect()));
        store.begin(&journal(vec![entry(1)]));
        assert_eq!(store.load(), Some(journal(vec![entry(1)])));
        store.clear();
        assert_eq!(store.load(), None);
        assert!(store.texts.0.borrow().is_empty());
    }

    #[test]
    fn a_journal_of_another_version_is_not_guessed_at() {
        let store = TextStore::new(Map::default());
        store.begin(&Journal { version: 99, ..journal(vec![]) });
        assert_eq!(store.load(), None);
    }
}
