//! Full-screen programs: the alternate screen, keys, text without escape sequences.

use crate::{
    machine::{Mode, Proc, Signal, Tty},
    shell::edit::{Decoder, Key},
    sim::{Either, race},
};

/// Text without escape sequences and carriage returns.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\x1b' => match chars.next() {
                Some('[') => while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
                Some(']') => while chars.next().is_some_and(|c| c != '\x07') {},
                _ => {}
            },
            '\r' => {}
            c => out.push(c),
        }
    }
    out
}

/// What a full-screen program waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A key.
    Key(Key),
    /// The size changed.
    Resized,
    /// The terminal is gone, or the process is to end.
    Ended,
}

/// A terminal taken over by a program. [`Screen::close`] gives it back.
pub struct Screen {
    proc: Proc,
    tty: Tty,
    before: Mode,
    decoder: Decoder,
}

impl Screen {
    /// Takes the process's terminal over: alternate screen, raw keys. `None` without a terminal.
    pub fn open(proc: &Proc) -> Option<Screen> {
        let tty = proc.any_tty().filter(|_| proc.stdout_is_tty())?;
        drop(proc.signal()); // signals come as events
        let before = tty.mode();
        tty.set_mode(Mode::RAW);
        tty.write(b"\x1b[?1049h\x1b[H\x1b[2J");
        // Keys come from the terminal even where standard input is a pipe (`… | less`).
        let io = proc.io().copy();
        io.set(0, crate::machine::Fd::Tty(tty.clone()));
        let proc = proc.with(proc.args().to_vec(), io);
        Some(Screen { proc, tty, before, decoder: Decoder::default() })
    }

    /// Columns and rows.
    pub fn size(&self) -> (usize, usize) {
        let (cols, rows) = self.tty.size();
        (usize::from(cols).max(1), usize::from(rows).max(1))
    }

    /// Writes to the screen.
    pub fn write(&self, text: &str) {
        self.tty.write(text.as_bytes());
    }

    /// The next event.
    pub async fn event(&mut self) -> Event {
        loop {
            if let Some(key) = self.decoder.next() {
                return Event::Key(key);
            }
            match race(self.proc.read(4096), self.proc.signal()).await {
                Either::Left(bytes) if bytes.is_empty() => return Event::Ended,
                Either::Left(bytes) => self.decoder.push(&bytes),
                Either::Right(Signal::Winch) => return Event::Resized,
                Either::Right(Signal::Int) => {}
                Either::Right(_) => return Event::Ended,
            }
        }
    }

    /// Gives the terminal back as it was.
    pub fn close(mut self) {
        self.tty.write(b"\x1b[?25h\x1b[?1049l");
        self.tty.set_mode(self.before);
        let rest = self.decoder.take_rest();
        if !rest.is_empty() {
            self.tty.unread(&rest);
        }
    }
}
