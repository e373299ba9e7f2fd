//! A terminal window: a shell on a machine, with keys going in and text coming out.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use crate::machine::{Child, Command, Env, Fd, Machine, Signal, SpawnError, Tty, fs::Who};

/// What a window shows beside its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Which machine's shell has the keyboard, and the command that runs in the foreground.
    Place {
        /// The machine's name.
        place: String,
        /// The command, if the prompt is not waiting for one.
        running: Option<String>,
    },
    /// The shell ended.
    Closed,
}

/// How a session on a machine begins.
pub struct Login {
    /// The shell, its name first.
    pub argv: Vec<String>,
    /// Its environment.
    pub env: Env,
    /// Where it begins.
    pub cwd: String,
    /// Who it runs as.
    pub who: Who,
}

/// A session window.
pub struct Terminal {
    tty: Tty,
    shell: Child,
}

impl Terminal {
    /// Opens a window: starts the shell. `output` gets text for a terminal emulator, `state` what
    /// the window's frame shows.
    ///
    /// # Errors
    /// Where the machine has no such shell.
    pub fn open(
        machine: &Rc<Machine>,
        login: Login,
        name: &str,
        (cols, rows): (u16, u16),
        output: Rc<dyn Fn(&str)>,
        state: Rc<dyn Fn(State)>,
    ) -> Result<Terminal, SpawnError> {
        let decoder = Decoder::default();
        let tty = Tty::new(name, cols, rows, Rc::new(move |bytes| decoder.decode(bytes, &*output)));
        let (report, last) = (state.clone(), RefCell::new(None));
        tty.set_reporter(Rc::new(move |place, running| {
            let (place, running) = (place.to_string(), running.map(str::to_string));
            let new = State::Place { place, running };
            if last.borrow().as_ref() != Some(&new) {
                *last.borrow_mut() = Some(new.clone());
                report(new);
            }
        }));
        let fd = || Some(Fd::Tty(tty.clone()));
        let command = Command {
            argv: login.argv,
            env: Some(login.env),
            cwd: Some(login.cwd),
            stdin: fd(),
            stdout: fd(),
            stderr: fd(),
            group: Some(0),
            who: Some(login.who),
        };
        let shell = machine.spawn(command)?;
        let child = shell.clone();
        machine.sim().spawn(async move {
            child.wait().await;
            state(State::Closed);
        });
        Ok(Terminal { tty, shell })
    }

    /// Keys were typed, or text pasted, as a terminal emulator encodes them.
    pub fn keys(&self, data: &str) {
        self.tty.input(data.as_bytes());
    }

    /// The window's size changed.
    pub fn resize(&self, cols: u16, rows: u16) {
        self.tty.resize(cols.max(1), rows.max(1));
    }

    /// The window is closed: what runs in it gets SIGHUP.
    pub fn hangup(&self) {
        self.tty.hangup();
        self.shell.kill(Signal::Hup);
        self.shell.kill(Signal::Cont);
    }

    /// The terminal.
    pub fn tty(&self) -> &Tty {
        &self.tty
    }
}

/// Keeps the bytes of a character that is not complete yet.
#[derive(Default)]
struct Decoder {
    rest: RefCell<Vec<u8>>,
    busy: Cell<bool>,
}

impl Decoder {
    fn decode(&self, bytes: &[u8], output: &dyn Fn(&str)) {
        if self.rest.borrow().is_empty()
            && let Ok(text) = std::str::from_utf8(bytes)
        {
            return output(text);
        }
        if self.busy.replace(true) {
            return; // the callback wrote to its own terminal
        }
        let mut all = self.rest.take();
        all.extend_from_slice(bytes);
        let mut start = 0;
        loop {
            match std::str::from_utf8(&all[start..]) {
                Ok(text) => {
                    output(text);
                    break;
                }
                Err(error) => {
                    let end = start + error.valid_up_to();
                    output(&String::from_utf8_lossy(&all[start..end]));
                    match error.error_len() {
                        Some(length) => {
                            output("\u{fffd}");
                            start = end + length;
                        }
                        None => {
                            *self.rest.borrow_mut() = all[end..].to_vec();
                            break;
                        }
                    }
                }
            }
        }
        self.busy.set(false);
    }
}
