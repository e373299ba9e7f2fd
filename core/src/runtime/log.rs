//! A container's log: what it wrote to standard output and error, line by line.
//!
//! Bounded, as on a node that rotates logs. Models docker's `json-file` driver and the kubelet's
//! reading of it.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
};

use crate::sim::{Notify, Sim, Time};

/// Lines kept; the kubelet rotates at 10 MiB, which no browser should hold per container.
const MAX_LINES: usize = 5_000;
/// Bytes kept.
const MAX_BYTES: usize = 1 << 20;
/// A line is cut at this length (`defaultBufSize` of docker's copier).
const MAX_LINE: usize = 16 * 1024;

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When it was complete.
    pub time: Time,
    /// 1 for standard output, 2 for standard error.
    pub stream: u8,
    /// Its bytes with the newline; without one if the stream ended or the line was cut.
    pub text: Vec<u8>,
}

/// A container's log.
pub struct Log {
    sim: Sim,
    lines: RefCell<VecDeque<LogLine>>,
    /// Number of the first line that is still there.
    first: Cell<u64>,
    bytes: Cell<usize>,
    partial: RefCell<[Vec<u8>; 2]>,
    closed: Cell<bool>,
    changed: Notify,
}

impl Log {
    /// An empty log.
    pub fn new(sim: &Sim) -> Self {
        Log {
            sim: sim.clone(),
            lines: RefCell::default(),
            first: Cell::new(0),
            bytes: Cell::new(0),
            partial: RefCell::default(),
            closed: Cell::new(false),
            changed: Notify::default(),
        }
    }

    /// Adds what was written to a stream (1 or 2).
    pub fn write(&self, stream: u8, mut bytes: &[u8]) {
        let index = usize::from(stream == 2);
        let mut added = false;
        while !bytes.is_empty() {
            let mut partial = self.partial.borrow_mut();
            let held = &mut partial[index];
            let room = MAX_LINE.saturating_sub(held.len()).max(1).min(bytes.len());
            let end = bytes[..room].iter().position(|b| *b == b'\n');
            let take = end.map_or(room, |at| at + 1);
            held.extend_from_slice(&bytes[..take]);
            bytes = &bytes[take..];
            if end.is_some() || held.len() >= MAX_LINE {
                let text = std::mem::take(held);
                drop(partial);
                self.push(stream, text);
                added = true;
            }
        }
        if added {
            self.changed.notify();
        }
    }

    fn push(&self, stream: u8, text: Vec<u8>) {
        let mut lines = self.lines.borrow_mut();
        self.bytes.set(self.bytes.get() + text.len());
        lines.push_back(LogLine { time: self.sim.now(), stream, text });
        while lines.len() > MAX_LINES || self.bytes.get() > MAX_BYTES {
            let Some(gone) = lines.pop_front() else { return };
            self.bytes.set(self.bytes.get() - gone.text.len());
            self.first.set(self.first.get() + 1);
        }
    }

    /// The process ended: what it wrote without a newline becomes a line, and followers end.
    pub fn close(&self) {
        let rest = self.partial.take();
        for (stream, text) in (1..).zip(rest) {
            if !text.is_empty() {
                self.push(stream, text);
            }
        }
        self.closed.set(true);
        self.changed.notify();
    }

    /// A process writes to it again (`docker start`).
    pub fn reopen(&self) {
        self.closed.set(false);
    }

    /// Whether nothing is written to it any more.
    pub fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// Notified when lines are added and when it is closed.
    pub fn changed(&self) -> &Notify {
        &self.changed
    }

    /// The number that the next line will have.
    pub fn end(&self) -> u64 {
        self.first.get() + self.lines.borrow().len() as u64
    }

    /// Calls `f` with the lines from number `from` on that are still there, and returns the number
    /// after the last.
    pub fn read(&self, from: u64, mut f: impl FnMut(&LogLine)) -> u64 {
        let skip = from.saturating_sub(self.first.get()) as usize;
        self.lines.borrow().iter().skip(skip).for_each(&mut f);
        self.end()
    }

    /// The number of the line from which on there are `tail` lines, none older than `since`.
    pub fn position(&self, tail: Option<u64>, since: Option<Time>) -> u64 {
        let lines = self.lines.borrow();
        let first = self.first.get();
        let by_time = since.map_or(0, |since| lines.partition_point(|l| l.time < since)) as u64;
        let by_count = tail.map_or(0, |n| (lines.len() as u64).saturating_sub(n));
        first + by_time.max(by_count)
    }

    /// The last bytes, whole lines: at most `max_lines` and `max_bytes` (`FallbackToLogsOnError`).
    pub fn tail_text(&self, max_lines: usize, max_bytes: usize) -> String {
        let lines = self.lines.borrow();
        let mut text = Vec::new();
        for line in lines.iter().skip(lines.len().saturating_sub(max_lines)) {
            text.extend_from_slice(&line.text);
        }
        let cut = text.len().saturating_sub(max_bytes);
        String::from_utf8_lossy(&text[cut..]).into_owned()
    }
}

/// A line's time as logs show it: RFC 3339 with nine digits. The clock has microseconds; the last
/// three digits follow from the line's number, so that no two lines look simultaneous.
pub fn timestamp(time: Time, number: u64) -> String {
    let seconds = time.to_timestamp().to_string();
    let date = seconds.get(..19).unwrap_or(&seconds);
    let nanos = number.wrapping_mul(379) % 1000;
    format!("{date}.{:06}{nanos:03}Z", time.as_micros() % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> Log {
        Log::new(&Sim::new(1, Time::from_secs(1_700_000_000)))
    }

    #[test]
    fn lines_are_kept_whole_until_the_stream_ends() {
        let log = log();
        log.write(1, b"a\nb");
        log.write(2, b"err\n");
        log.write(1, b"c\n\nrest");
        log.close();
        let mut seen = Vec::new();
        log.read(0, |l| seen.push((l.stream, String::from_utf8_lossy(&l.text).into_owned())));
        let want = [(1, "a\n"), (2, "err\n"), (1, "bc\n"), (1, "\n"), (1, "rest")];
        assert_eq!(seen, want.map(|(s, t)| (s, t.to_string())));
        assert_eq!(log.tail_text(2, 100), "\nrest");
        assert_eq!(log.tail_text(80, 3), "est");
        assert_eq!((log.position(Some(1), None), log.position(None, None)), (4, 0));
    }

    #[test]
    fn a_log_is_bounded_and_numbers_go_on() {
        let log = log();
        for n in 0..6_000 {
            log.write(1, format!("{n}\n").as_bytes());
        }
        log.write(1, &[b'x'; 40_000]);
        assert_eq!(log.end(), 6_002);
        let mut lines = 0;
        log.read(0, |_| lines += 1);
        assert_eq!(lines, MAX_LINES);
        let stamp = timestamp(Time::from_micros(1_700_000_000_000_042), 1);
        assert_eq!(stamp, "2023-11-14T22:13:20.000042379Z");
    }
}
