//! The terminals of a session and the files of the learner's host, as the page sees them.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use super::{
    host::{self, LEARNER},
    protocol::{Input, Output},
};
use crate::{
    machine::{Machine, Page, fs::Kind},
    shell::terminal::{State, Terminal},
};

/// Where outputs are gathered.
pub type Outputs = Rc<RefCell<Vec<Output>>>;

/// The open terminals.
pub struct Windows {
    host: Rc<Machine>,
    outputs: Outputs,
    open: BTreeMap<u32, Terminal>,
}

impl Windows {
    /// No terminals yet, on this host. Gives programs of the host a way to the page.
    pub fn new(host: Rc<Machine>, outputs: Outputs) -> Self {
        let (file, url, dashboard) = (outputs.clone(), outputs.clone(), outputs.clone());
        host.set(Rc::new(Page {
            open_file: Box::new(move |path, text| {
                let (path, text) = (path.to_string(), text.to_string());
                file.borrow_mut().push(Output::OpenFile { path, text });
            }),
            open_url: Box::new(move |address| {
                url.borrow_mut().push(Output::OpenUrl { url: address.to_string() });
            }),
            open_dashboard: Box::new(move || {
                dashboard.borrow_mut().push(Output::OpenDashboard);
            }),
        }));
        Windows { host, outputs, open: BTreeMap::new() }
    }

    /// Takes an input about terminals or files; `false` if it is about something else.
    pub fn handle(&mut self, input: &Input) -> bool {
        match input {
            Input::TerminalOpen { id, place, cols, rows } => {
                self.open(*id, place, (*cols, *rows));
            }
            Input::TerminalResize { id, cols, rows } => {
                if let Some(terminal) = self.open.get(id) {
                    terminal.resize(*cols, *rows);
                }
            }
            Input::TerminalKeys { id, data } => {
                if let Some(terminal) = self.open.get(id) {
                    terminal.keys(data);
                }
            }
            Input::TerminalClose { id } => {
                if let Some(terminal) = self.open.remove(id) {
                    terminal.hangup();
                }
            }
            Input::FileSave { path, text } => self.save(path, text),
            Input::FileRead { path } => {
                let text = self.read(path);
                self.push(Output::File { path: path.clone(), text });
            }
            Input::FileList { path } => {
                let names = self.list(path);
                self.push(Output::Files { path: path.clone(), names });
            }
            _ => return false,
        }
        true
    }

    fn push(&self, output: Output) {
        self.outputs.borrow_mut().push(output);
    }

    fn open(&mut self, id: u32, place: &str, size: (u16, u16)) {
        if !place.is_empty() && place != host::HOSTNAME {
            let data = format!("sandbar: there is no machine called {place}\r\n");
            self.push(Output::Terminal { id, data });
            self.push(Output::TerminalClosed { id });
            return;
        }
        let outputs = self.outputs.clone();
        let output = Rc::new(move |text: &str| {
            let mut outputs = outputs.borrow_mut();
            match outputs.last_mut() {
                Some(Output::Terminal { id: last, data }) if *last == id => data.push_str(text),
                _ => outputs.push(Output::Terminal { id, data: text.to_string() }),
            }
        });
        let outputs = self.outputs.clone();
        let state = Rc::new(move |state| {
            outputs.borrow_mut().push(match state {
                State::Place { place, running } => Output::TerminalState { id, place, running },
                State::Closed => Output::TerminalClosed { id },
            });
        });
        let size = (size.0.max(1), size.1.max(1));
        let name = format!("pts/{id}");
        match Terminal::open(&self.host, host::login(), &name, size, output, state) {
            Ok(terminal) => drop(self.open.insert(id, terminal)),
            Err(error) => {
                self.push(Output::Terminal { id, data: format!("bash: {error}\r\n") });
                self.push(Output::TerminalClosed { id });
            }
        }
    }

    fn save(&self, path: &str, text: &str) {
        let files = self.host.files();
        if let Err(error) = files.write(path, text.as_bytes(), 0o644, LEARNER) {
            self.push(Output::Notice { text: format!("{path} was not saved: {error}.") });
        }
    }

    fn read(&self, path: &str) -> Result<String, String> {
        let data = self.host.files().read(path, LEARNER).map_err(|e| format!("{path}: {e}"))?;
        String::from_utf8(data.to_vec()).map_err(|_| format!("{path}: not a text file"))
    }

    fn list(&self, path: &str) -> Vec<String> {
        let list = self.host.files().list(path, LEARNER).unwrap_or_default();
        list.iter()
            .map(|(name, node)| match node.kind {
                Kind::Dir(_) => format!("{name}/"),
                _ => name.to_string(),
            })
            .collect()
    }
}
