//! The terminals there are: tabs, the two panes, what runs in each, and typing on the person's behalf.

use std::collections::VecDeque;
use std::rc::Rc;

use gloo::timers::callback::{Interval, Timeout};
use sandbar_core::session::protocol::Input;

use super::xterm::Emulator;
use crate::app::dom;
use crate::app::page::Page;
use crate::app::topics::Topic;
use crate::app::ui::Place;

/// A command is said to run once it has for this long, so that quick ones don't flicker.
const RUNS_AFTER_MS: u32 = 900;
/// By now what was asked for has been drawn, real milliseconds.
const SETTLED_MS: u32 = 60;
/// Real milliseconds between two characters typed for the person.
const TYPE_MS: u32 = 14;

/// A terminal.
#[derive(Default)]
pub struct Tab {
    /// Its number.
    pub id: u32,
    /// The machine whose shell has the keyboard.
    pub place: String,
    /// The foreground command.
    pub running: Option<String>,
    /// Whether that is shown.
    pub lasting: bool,
    /// Whether its shell ended.
    pub ended: bool,
    /// Whether the prompt has typed text on it, as far as the keys tell.
    dirty: bool,
    /// Changes with each command, to tell a late timer.
    turn: u32,
    /// Whether the engine knows it.
    opened: bool,
    emulator: Option<Rc<Emulator>>,
    /// What came before the emulator was there.
    early: String,
}

impl Tab {
    /// What its tab says.
    pub fn title(&self) -> String {
        if self.place.is_empty() { "host".to_owned() } else { self.place.clone() }
    }
}

/// All terminals.
pub struct Terminals {
    /// In the order of their tabs.
    pub tabs: Vec<Tab>,
    /// What the left and the right pane show.
    pub panes: (u32, Option<u32>),
    /// Whether the right pane is the active one.
    pub right: bool,
    /// Whether a terminal has the keyboard.
    pub focused: bool,
    /// What is searched for, while the search line is open.
    pub find: Option<String>,
    next: u32,
    queue: VecDeque<(u32, char)>,
    typist: Option<Interval>,
}

impl Default for Terminals {
    fn default() -> Self {
        Terminals {
            tabs: vec![Tab { id: 1, ..Default::default() }],
            panes: (1, None),
            right: false,
            focused: false,
            find: None,
            next: 2,
            queue: VecDeque::new(),
            typist: None,
        }
    }
}

impl Terminals {
    /// The terminal keys go to.
    pub fn active(&self) -> u32 {
        if self.right { self.panes.1.unwrap_or(self.panes.0) } else { self.panes.0 }
    }

    /// A terminal by number.
    pub fn tab(&self, id: u32) -> Option<&Tab> {
        self.tabs.iter().find(|t| t.id == id)
    }

    fn tab_mut(&mut self, id: u32) -> Option<&mut Tab> {
        self.tabs.iter_mut().find(|t| t.id == id)
    }

    fn emulator(&self, id: u32) -> Option<Rc<Emulator>> {
        self.tab(id)?.emulator.clone()
    }

    /// A terminal of a session that goes on.
    pub fn restore(&mut self, id: u32, place: &str) {
        if self.next == 2 && !self.tabs.iter().any(|t| t.opened) {
            self.tabs.clear();
        }
        self.tabs.push(Tab { id, place: place.to_owned(), opened: true, ..Default::default() });
        self.next = self.next.max(id + 1);
    }

    /// A terminal that was closed again in a session that goes on.
    pub fn forget(&mut self, id: u32) {
        self.tabs.retain(|t| t.id != id);
    }

    /// All terminals of the session are there: the last one is shown.
    pub fn restored(&mut self) {
        if self.tabs.is_empty() {
            self.add();
        }
        self.panes = (self.tabs.last().map_or(1, |t| t.id), None);
    }

    fn add(&mut self) -> u32 {
        let id = self.next;
        self.next += 1;
        self.tabs.push(Tab { id, ..Default::default() });
        id
    }

    /// Shows a terminal in the active pane (or makes the pane active that shows it).
    fn select(&mut self, id: u32) {
        if self.panes.0 == id {
            self.right = false;
        } else if self.panes.1 == Some(id) {
            self.right = true;
        } else if self.right && self.panes.1.is_some() {
            self.panes.1 = Some(id);
        } else {
            self.panes.0 = id;
            self.right = false;
        }
    }
}

impl Page {
    /// The emulator of a terminal is there: what came early is shown, and the machine is told.
    pub fn terminal_mounted(&self, id: u32, emulator: Rc<Emulator>) {
        let (cols, rows) = emulator.size();
        let (place, opened) = {
            let mut terminals = self.terminals.borrow_mut();
            let Some(tab) = terminals.tab_mut(id) else { return };
            emulator.write(&std::mem::take(&mut tab.early));
            tab.emulator = Some(emulator.clone());
            (tab.place.clone(), std::mem::replace(&mut tab.opened, true))
        };
        if opened {
            self.send(Input::TerminalResize { id, cols, rows });
        } else {
            let place = if place == "host" { String::new() } else { place };
            self.send(Input::TerminalOpen { id, place, cols, rows });
        }
        if self.terminals.borrow().active() == id {
            emulator.focus();
        }
    }

    /// The machine writes.
    pub fn terminal_write(&self, id: u32, data: &str) {
        let emulator = {
            let mut terminals = self.terminals.borrow_mut();
            let Some(tab) = terminals.tab_mut(id) else { return };
            if tab.emulator.is_none() {
                tab.early.push_str(data);
            }
            tab.emulator.clone()
        };
        if let Some(emulator) = emulator {
            emulator.write(data);
        }
    }

    /// What a terminal does changed.
    pub fn terminal_state(&self, id: u32, place: String, running: Option<String>) {
        let mut terminals = self.terminals.borrow_mut();
        let Some(tab) = terminals.tab_mut(id) else { return };
        tab.turn += 1;
        tab.lasting = tab.lasting && tab.running == running;
        if let Some(emulator) = &tab.emulator {
            emulator.label(&format!("Terminal {id} on {place}"));
        }
        tab.place = place;
        tab.running = running;
        let turn = tab.turn;
        if tab.running.is_some() && !tab.lasting {
            let page = self.clone();
            Timeout::new(RUNS_AFTER_MS, move || {
                if let Some(tab) =
                    page.terminals.borrow_mut().tab_mut(id).filter(|t| t.turn == turn)
                {
                    tab.lasting = true;
                }
                page.touch(Topic::Terminals);
            })
            .forget();
        }
        drop(terminals);
        self.touch(Topic::Terminals);
    }

    /// A terminal's shell ended.
    pub fn terminal_ended(&self, id: u32) {
        if self.terminals.borrow().tabs.len() > 1 {
            return self.drop_terminal(id);
        }
        // The last one: another takes its place, so that there is always a prompt.
        self.new_terminal();
        self.drop_terminal(id);
    }

    /// Keys were pressed.
    pub fn terminal_typed(&self, id: u32, data: String) {
        let Ok(mut terminals) = self.terminals.try_borrow_mut() else { return };
        if let Some(tab) = terminals.tab_mut(id) {
            tab.dirty = !matches!(data.chars().last(), Some('\r' | '\n' | '\u{3}' | '\u{15}'));
        }
        drop(terminals);
        self.send(Input::TerminalKeys { id, data });
    }

    /// The emulator took another size.
    pub fn terminal_sized(&self, id: u32, cols: u16, rows: u16) {
        let known = self.terminals.try_borrow().is_ok_and(|t| t.tab(id).is_some_and(|t| t.opened));
        if known {
            self.send(Input::TerminalResize { id, cols, rows });
        }
    }

    /// A terminal took the keyboard.
    pub fn terminal_focused(&self, id: u32) {
        if let Ok(mut terminals) = self.terminals.try_borrow_mut() {
            terminals.focused = true;
            if terminals.active() != id {
                terminals.select(id);
                self.touch(Topic::Terminals);
            }
        }
    }

    /// The keyboard went elsewhere.
    pub fn terminal_blurred(&self) {
        if let Ok(mut terminals) = self.terminals.try_borrow_mut() {
            terminals.focused = false;
        }
    }

    /// Gives the active terminal the keyboard, at once if it can be seen, else once it is drawn.
    pub fn focus_terminal(&self) {
        self.focus_active();
        let page = self.clone();
        Timeout::new(SETTLED_MS, move || {
            if page.ui.borrow().overlay.is_none() && dom::nothing_has_focus() {
                page.focus_active();
            }
        })
        .forget();
    }

    fn focus_active(&self) {
        let id = self.terminals.borrow().active();
        let emulator = self.terminals.borrow().emulator(id);
        if let Some(emulator) = emulator {
            emulator.focus();
        }
    }

    /// Opens a terminal on the learner's host, in the active pane.
    pub fn new_terminal(&self) -> u32 {
        let id = {
            let mut terminals = self.terminals.borrow_mut();
            let id = terminals.add();
            terminals.select(id);
            id
        };
        self.hide_editor();
        self.show(Place::Terminal);
        self.touch(Topic::Terminals);
        id
    }

    /// Shows a terminal.
    pub fn select_terminal(&self, id: u32) {
        self.terminals.borrow_mut().select(id);
        self.hide_editor();
        self.touch(Topic::Terminals);
        self.focus_terminal();
    }

    /// Goes to the next terminal, or with -1 to the one before.
    pub fn step_terminal(&self, by: isize) {
        let id = {
            let terminals = self.terminals.borrow();
            let at = terminals.tabs.iter().position(|t| t.id == terminals.active()).unwrap_or(0);
            let n = terminals.tabs.len() as isize;
            terminals.tabs.get((at as isize + by).rem_euclid(n.max(1)) as usize).map(|t| t.id)
        };
        if let Some(id) = id {
            self.select_terminal(id);
        }
    }

    /// Two panes, or one.
    pub fn split_terminal(&self) {
        let mut terminals = self.terminals.borrow_mut();
        if terminals.panes.1.take().is_some() {
            terminals.right = false;
        } else {
            let left = terminals.panes.0;
            let other = terminals.tabs.iter().map(|t| t.id).find(|id| *id != left);
            let other = other.unwrap_or_else(|| terminals.add());
            terminals.panes.1 = Some(other);
            terminals.right = true;
        }
        drop(terminals);
        self.hide_editor();
        self.touch(Topic::Terminals);
        self.focus_terminal();
    }

    /// Closes a terminal; what runs in it is told to go.
    pub fn close_terminal(&self, id: u32) {
        self.send(Input::TerminalClose { id });
        if self.terminals.borrow().tabs.len() == 1 {
            self.new_terminal();
        }
        self.drop_terminal(id);
    }

    fn drop_terminal(&self, id: u32) {
        let gone = {
            let mut terminals = self.terminals.borrow_mut();
            let at = terminals.tabs.iter().position(|t| t.id == id);
            let gone = at.map(|at| terminals.tabs.remove(at));
            if terminals.panes.1 == Some(id) {
                terminals.panes.1 = None;
                terminals.right = false;
            }
            if terminals.panes.0 == id {
                let free = terminals
                    .tabs
                    .iter()
                    .rev()
                    .map(|t| t.id)
                    .find(|t| Some(*t) != terminals.panes.1);
                match (free, terminals.panes.1) {
                    (Some(free), _) => terminals.panes.0 = free,
                    (None, Some(right)) => {
                        terminals.panes = (right, None);
                        terminals.right = false;
                    }
                    (None, None) => {}
                }
            }
            gone
        };
        drop(gone);
        self.touch(Topic::Terminals);
        self.focus_terminal();
    }

    /// A new engine plays the journal: terminals show it again from the beginning.
    pub fn terminals_restart(&self) {
        for tab in &mut self.terminals.borrow_mut().tabs {
            if let Some(emulator) = &tab.emulator {
                emulator.reset();
            }
            tab.running = None;
            tab.lasting = false;
            tab.turn += 1;
        }
        self.touch(Topic::Terminals);
    }

    /// Theme or size of type changed.
    pub fn terminals_restyle(&self) {
        for emulator in self.emulators() {
            emulator.restyle();
        }
    }

    /// Panes changed their size or were shown.
    pub fn terminals_fit(&self) {
        for emulator in self.emulators() {
            emulator.fit();
        }
    }

    fn emulators(&self) -> Vec<Rc<Emulator>> {
        self.terminals.borrow().tabs.iter().filter_map(|t| t.emulator.clone()).collect()
    }

    /// Sends keys to the active terminal.
    pub fn send_keys(&self, data: &str) {
        let id = self.terminals.borrow().active();
        self.send(Input::TerminalKeys { id, data: data.to_owned() });
    }

    /// Opens or closes the search line.
    pub fn toggle_find(&self) {
        let mut terminals = self.terminals.borrow_mut();
        let open = terminals.find.is_none();
        terminals.find = open.then(String::new);
        drop(terminals);
        self.touch(Topic::Terminals);
        if !open {
            self.find_in_terminal("", false);
            self.focus_terminal();
        }
    }

    /// Searches the active terminal; whether something was found.
    pub fn find_in_terminal(&self, query: &str, back: bool) -> bool {
        let terminals = self.terminals.borrow();
        let emulator = terminals.emulator(terminals.active());
        drop(terminals);
        emulator.is_some_and(|e| e.find(query, back))
    }

    /// Types a command visibly, with Enter, where a prompt waits for it: in the active terminal if
    /// nothing runs there, else in another that is free, else in a new one.
    pub fn type_for_me(&self, command: &str) {
        if command.starts_with("watch ") && self.terminals.borrow().panes.1.is_none() {
            // It stays: beside the terminal in which the work goes on.
            self.split_terminal();
        }
        let free = {
            let terminals = self.terminals.borrow();
            let idle = |t: &&Tab| t.running.is_none() && !t.ended;
            let active = terminals.tab(terminals.active()).filter(idle);
            active.or_else(|| terminals.tabs.iter().find(idle)).map(|t| t.id)
        };
        let id = match free {
            Some(id) => id,
            None => self.new_terminal(),
        };
        self.hide_editor();
        self.terminals.borrow_mut().select(id);
        if self.ui.borrow().single() {
            self.show(Place::Terminal);
        }
        self.touch(Topic::Terminals);
        self.focus_terminal();
        self.queue_keys(id, command);
    }

    fn queue_keys(&self, id: u32, command: &str) {
        let mut terminals = self.terminals.borrow_mut();
        let dirty = terminals.tab_mut(id).is_some_and(|t| std::mem::take(&mut t.dirty));
        if dirty {
            // To the end of the line, and away with it.
            terminals.queue.extend([(id, '\u{5}'), (id, '\u{15}')]);
        }
        let keys =
            command.trim_end().chars().map(|c| if c == '\n' { '\r' } else { c }).chain(['\r']);
        terminals.queue.extend(keys.map(|c| (id, c)));
        if terminals.typist.is_none() {
            let page = self.clone();
            terminals.typist = Some(Interval::new(TYPE_MS, move || page.type_some()));
        }
    }

    /// Types what is due: a character, or more where the command is long or motion unwanted.
    fn type_some(&self) {
        let mut sent: Vec<(u32, String)> = Vec::new();
        {
            let mut terminals = self.terminals.borrow_mut();
            let count =
                if dom::reduced_motion() { usize::MAX } else { 1 + terminals.queue.len() / 80 };
            while let Some((id, c)) = terminals.queue.front().copied() {
                if sent.iter().map(|s| s.1.len()).sum::<usize>() >= count {
                    break;
                }
                terminals.queue.pop_front();
                match sent.last_mut().filter(|s| s.0 == id) {
                    Some(last) => last.1.push(c),
                    None => sent.push((id, c.to_string())),
                }
            }
        }
        for (id, data) in sent {
            self.send(Input::TerminalKeys { id, data });
        }
        // Dropped outside of the borrow and after the call: this runs inside it.
        let done = {
            let mut terminals = self.terminals.borrow_mut();
            if terminals.queue.is_empty() { terminals.typist.take() } else { None }
        };
        if let Some(done) = done {
            Timeout::new(0, move || drop(done)).forget();
        }
    }
}
