//! Terminals: the line discipline between a terminal emulator and processes.
//!
//! The emulator's side calls [`Tty::input`] and [`Tty::resize`] and gets bytes through the callback;
//! the processes' side reads and writes. Cooked mode edits lines, echoes and turns `^C` into SIGINT
//! for the foreground process group. Stopping with `^Z` is not simulated; it says so.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::{Future, poll_fn},
    rc::{Rc, Weak},
    task::{Poll, Waker},
};

use super::{Machine, signal::Signal};
use crate::sim::Notify;

/// What the line discipline does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// Collects lines and lets them be edited (ICANON).
    pub canonical: bool,
    /// Shows what is typed (ECHO).
    pub echo: bool,
    /// Turns `^C` and `^\` into signals (ISIG).
    pub signals: bool,
    /// Turns `\n` into `\r\n` on output (OPOST, ONLCR).
    pub post: bool,
}

impl Mode {
    /// How a terminal begins.
    pub const COOKED: Mode = Mode { canonical: true, echo: true, signals: true, post: true };
    /// Every byte goes through as it is (`cfmakeraw`).
    pub const RAW: Mode = Mode { canonical: false, echo: false, signals: false, post: false };
    /// As line editors set it: bytes come in raw, output is still processed.
    pub const EDIT: Mode = Mode { canonical: false, echo: false, signals: false, post: true };
}

enum Chunk {
    Data(VecDeque<u8>),
    End,
}

struct Inner {
    mode: Cell<Mode>,
    size: Cell<(u16, u16)>,
    line: RefCell<Vec<u8>>,
    /// Typed bytes that a line editor gave back: they mean what they mean when they are read.
    typeahead: RefCell<VecDeque<u8>>,
    ready: RefCell<VecDeque<Chunk>>,
    readers: RefCell<Vec<Waker>>,
    output: Rc<dyn Fn(&[u8])>,
    foreground: RefCell<Option<(Weak<Machine>, u32)>>,
    resized: Notify,
    hung_up: Cell<bool>,
    name: String,
    reporter: RefCell<Option<Reporter>>,
    /// What was written since the row began; nothing where that can't be told.
    row: RefCell<Vec<u8>>,
}

/// So much of a row that does not end is remembered.
const ROW: usize = 4096;

/// Told the place and the foreground command whenever they change.
pub type Reporter = Rc<dyn Fn(&str, Option<&str>)>;

/// A terminal. Clones are the same terminal.
#[derive(Clone)]
pub struct Tty(Rc<Inner>);

impl Tty {
    /// A terminal of `cols` × `rows` cells, whose emulator gets everything through `output`.
    /// `name` is its device (`pts/0`).
    pub fn new(name: &str, cols: u16, rows: u16, output: Rc<dyn Fn(&[u8])>) -> Tty {
        Tty(Rc::new(Inner {
            mode: Cell::new(Mode::COOKED),
            size: Cell::new((cols, rows)),
            line: RefCell::default(),
            typeahead: RefCell::default(),
            ready: RefCell::default(),
            readers: RefCell::default(),
            output,
            foreground: RefCell::default(),
            resized: Notify::default(),
            hung_up: Cell::new(false),
            name: name.to_string(),
            reporter: RefCell::default(),
            row: RefCell::default(),
        }))
    }

    /// Whether both are the same terminal.
    pub fn is(&self, other: &Tty) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// Its device below `/dev`: `pts/0`.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Columns and rows.
    pub fn size(&self) -> (u16, u16) {
        self.0.size.get()
    }

    /// Emulator's side: the size changed. The foreground group gets SIGWINCH.
    pub fn resize(&self, cols: u16, rows: u16) {
        if self.0.size.replace((cols, rows)) != (cols, rows) {
            self.0.resized.notify();
            self.signal(Signal::Winch);
        }
    }

    /// Completes at the next change of size.
    pub fn resized(&self) -> impl Future<Output = ()> + use<> {
        self.0.resized.wait()
    }

    /// What the line discipline does now.
    pub fn mode(&self) -> Mode {
        self.0.mode.get()
    }

    /// Changes what the line discipline does. Typed bytes that wait stay readable.
    pub fn set_mode(&self, mode: Mode) {
        self.0.mode.set(mode);
        if !mode.canonical {
            let line = self.0.line.take();
            self.deliver(line);
        }
    }

    /// [`Mode::RAW`] or [`Mode::COOKED`].
    pub fn set_raw(&self, raw: bool) {
        self.set_mode(if raw { Mode::RAW } else { Mode::COOKED });
    }

    /// Names the process group that gets the keyboard and its signals.
    pub fn set_foreground(&self, machine: &Rc<Machine>, group: u32) {
        *self.0.foreground.borrow_mut() = Some((Rc::downgrade(machine), group));
        self.wake_readers();
    }

    /// The machine and process group that has the keyboard.
    pub fn foreground(&self) -> Option<(Rc<Machine>, u32)> {
        let foreground = self.0.foreground.borrow();
        let (machine, group) = foreground.as_ref()?;
        Some((machine.upgrade()?, *group))
    }

    fn is_foreground(&self, machine: &Rc<Machine>, group: u32) -> bool {
        self.foreground()
            .is_none_or(|(m, g)| g == group && Rc::ptr_eq(&m, machine) || !m.has_group(g))
    }

    fn signal(&self, signal: Signal) {
        if let Some((machine, group)) = self.foreground() {
            machine.signal_group(group, signal);
        }
    }

    /// Emulator's side: the terminal is gone. Reads end, the foreground group gets SIGHUP.
    pub fn hangup(&self) {
        if !self.0.hung_up.replace(true) {
            self.wake_readers();
            self.signal(Signal::Hup);
        }
    }

    /// Whether the emulator is gone.
    pub fn is_hung_up(&self) -> bool {
        self.0.hung_up.get()
    }

    /// Processes' side: writes to the emulator.
    pub fn write(&self, bytes: &[u8]) {
        if self.0.hung_up.get() || bytes.is_empty() {
            return;
        }
        self.note_row(bytes);
        if !self.0.mode.get().post || !bytes.contains(&b'\n') {
            return (self.0.output)(bytes);
        }
        let mut out = Vec::with_capacity(bytes.len() + 16);
        for byte in bytes {
            if *byte == b'\n' {
                out.push(b'\r');
            }
            out.push(*byte);
        }
        (self.0.output)(&out);
    }

    /// Remembers the row that `bytes` leave unfinished. Programs that move the cursor are not followed.
    fn note_row(&self, bytes: &[u8]) {
        let mut row = self.0.row.borrow_mut();
        let begin = bytes.iter().rposition(|b| matches!(b, b'\n' | b'\r' | 0x1b));
        if begin.is_some() {
            row.clear();
        }
        let odd = begin.is_some_and(|at| bytes.get(at) == Some(&0x1b));
        let rest = bytes.get(begin.map_or(0, |at| at + 1)..).unwrap_or_default();
        if !odd && row.len() + rest.len() <= ROW {
            row.extend_from_slice(rest);
        } else {
            row.clear();
        }
    }

    /// What stands on the cursor's row without a line end, such as the output of `printf x`.
    pub fn unfinished(&self) -> String {
        String::from_utf8_lossy(&self.0.row.borrow()).into_owned()
    }

    /// Emulator's side: bytes were typed or pasted.
    pub fn input(&self, bytes: &[u8]) {
        let interrupts = |byte: u8| self.mode().signals && (byte == 3 || byte == 28);
        for byte in bytes {
            if interrupts(*byte) {
                self.0.typeahead.borrow_mut().clear();
            } else if !self.0.typeahead.borrow().is_empty() {
                self.0.typeahead.borrow_mut().push_back(*byte);
                continue;
            }
            self.input_byte(*byte);
        }
    }

    /// A line editor gives back what was typed after the line it took: whoever reads next gets it.
    pub fn unread(&self, bytes: &[u8]) {
        self.0.typeahead.borrow_mut().extend(bytes);
        self.wake_readers();
    }

    fn use_typeahead(&self) {
        while self.0.ready.borrow().is_empty() {
            let next = self.0.typeahead.borrow_mut().pop_front();
            let Some(byte) = next else { return };
            self.input_byte(byte);
            if !self.0.mode.get().canonical {
                let rest: Vec<u8> = self.0.typeahead.borrow_mut().drain(..).collect();
                self.deliver(rest);
            }
        }
    }

    /// Says who is told about the place and the foreground command.
    pub fn set_reporter(&self, reporter: Reporter) {
        *self.0.reporter.borrow_mut() = Some(reporter);
    }

    /// A shell says where it is and what it runs (nothing while it waits for a command).
    pub fn report(&self, place: &str, running: Option<&str>) {
        let reporter = self.0.reporter.borrow().clone();
        if let Some(reporter) = reporter {
            reporter(place, running);
        }
    }

    fn input_byte(&self, byte: u8) {
        let mode = self.0.mode.get();
        if mode.signals {
            let (signal, shown) = match byte {
                3 => (Some(Signal::Int), "^C"),
                28 => (Some(Signal::Quit), "^\\"),
                26 => (None, "^Z"),
                _ => (None, ""),
            };
            if !shown.is_empty() {
                self.echo(shown.as_bytes());
            }
            if let Some(signal) = signal {
                self.0.line.borrow_mut().clear();
                return self.signal(signal);
            }
            if byte == 26 {
                return self.write(b"\nsandbar: stopping a process with ^Z is not simulated\n");
            }
        }
        if !mode.canonical {
            return self.deliver(vec![byte]);
        }
        match byte {
            b'\r' | b'\n' => {
                self.echo(b"\n");
                let mut line = self.0.line.take();
                line.push(b'\n');
                self.deliver(line);
            }
            4 => {
                let line = self.0.line.take();
                if line.is_empty() {
                    self.0.ready.borrow_mut().push_back(Chunk::End);
                    self.wake_readers();
                } else {
                    self.deliver(line);
                }
            }
            8 | 127 => {
                if let Some(gone) = self.erase_character() {
                    self.echo(&erase_sequence(&gone));
                }
            }
            21 => {
                while let Some(gone) = self.erase_character() {
                    self.echo(&erase_sequence(&gone));
                }
            }
            23 => self.erase_word(),
            _ => {
                self.0.line.borrow_mut().push(byte);
                match byte {
                    0..=8 | 11..=31 => self.echo(&[b'^', byte + 64]),
                    _ => self.echo(&[byte]),
                }
            }
        }
    }

    fn erase_character(&self) -> Option<Vec<u8>> {
        let mut line = self.0.line.borrow_mut();
        let mut start = line.len().checked_sub(1)?;
        while start > 0 && line[start] & 0xc0 == 0x80 {
            start -= 1;
        }
        Some(line.split_off(start))
    }

    fn erase_word(&self) {
        let mut in_word = false;
        loop {
            let last = self.0.line.borrow().last().copied();
            let Some(last) = last else { return };
            if last == b' ' && in_word {
                return;
            }
            in_word |= last != b' ';
            if let Some(gone) = self.erase_character() {
                self.echo(&erase_sequence(&gone));
            }
        }
    }

    fn echo(&self, bytes: &[u8]) {
        if self.0.mode.get().echo {
            self.write(bytes);
        }
    }

    fn deliver(&self, bytes: Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let mut ready = self.0.ready.borrow_mut();
        match ready.back_mut() {
            // Raw bytes that wait are read together, as from a real terminal.
            Some(Chunk::Data(last)) if !self.0.mode.get().canonical => last.extend(bytes),
            _ => ready.push_back(Chunk::Data(bytes.into())),
        }
        drop(ready);
        self.wake_readers();
    }

    fn wake_readers(&self) {
        self.0.readers.take().into_iter().for_each(Waker::wake);
    }

    /// Processes' side: what was typed, at most `max` bytes (in cooked mode one line), up to and
    /// including `stop`; empty at `^D` or when the emulator is gone. Waits while another process
    /// group has the keyboard.
    pub fn read<'a>(
        &'a self,
        machine: &'a Rc<Machine>,
        group: u32,
        max: usize,
        stop: Option<u8>,
    ) -> impl Future<Output = Vec<u8>> + 'a {
        poll_fn(move |cx| {
            if self.is_foreground(machine, group) || self.0.hung_up.get() {
                if let Some(bytes) = self.take_ready(max, stop) {
                    return Poll::Ready(bytes);
                }
                if self.0.hung_up.get() {
                    return Poll::Ready(Vec::new());
                }
            }
            let mut readers = self.0.readers.borrow_mut();
            if !readers.iter().any(|w| w.will_wake(cx.waker())) {
                readers.push(cx.waker().clone());
            }
            Poll::Pending
        })
    }

    fn take_ready(&self, max: usize, stop: Option<u8>) -> Option<Vec<u8>> {
        self.use_typeahead();
        let mut ready = self.0.ready.borrow_mut();
        let Chunk::Data(data) = ready.front_mut()? else {
            ready.pop_front();
            return Some(Vec::new());
        };
        let mut length = max.min(data.len());
        if let Some(stop) = stop
            && let Some(at) = data.iter().take(length).position(|b| *b == stop)
        {
            length = at + 1;
        }
        let bytes = data.drain(..length).collect();
        if data.is_empty() {
            ready.pop_front();
        }
        Some(bytes)
    }

    /// Forgets what was typed and not read yet.
    pub fn flush_input(&self) {
        self.0.ready.borrow_mut().clear();
        self.0.line.borrow_mut().clear();
        self.0.typeahead.borrow_mut().clear();
    }
}

/// Wipes a character from the screen.
fn erase_sequence(gone: &[u8]) -> Vec<u8> {
    let control = matches!(gone, [0..=31]);
    let width = if control { 2 } else { 1 };
    b"\x08 \x08".repeat(width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_row_lacks_its_end_is_known_until_it_ends() {
        for (written, left) in [
            (&["abc"][..], "abc"),
            (&["ab", "c"], "abc"),
            (&["abc\n"], ""),
            (&["one\ntwo"], "two"),
            (&["50%\r100%"], "100%"),
            (&["abc", "\x1b[H\x1b[J"], ""),
            (&["\x1b[2Jabc\nd"], "d"),
        ] {
            let tty = Tty::new("pts/0", 80, 24, Rc::new(|_| {}));
            written.iter().for_each(|text| tty.write(text.as_bytes()));
            assert_eq!(tty.unfinished(), left, "{written:?}");
        }
    }
}
