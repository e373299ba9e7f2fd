//! File descriptors: what a process reads from and writes to.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use super::{
    errno::FsError,
    fs::{Fs, Kind},
    pipe::{PipeReader, PipeWriter},
    tty::Tty,
};
use crate::sim::Time;

/// Where a descriptor leads. Clones share it (`dup`).
#[derive(Clone, Default)]
pub enum Fd {
    /// Not open.
    Closed,
    /// `/dev/null`
    #[default]
    Null,
    /// `/dev/zero`
    Zero,
    /// `/dev/urandom`
    Random,
    /// The reading end of a pipe.
    PipeReader(PipeReader),
    /// The writing end of a pipe.
    PipeWriter(PipeWriter),
    /// A terminal.
    Tty(Tty),
    /// An open file.
    File(OpenFile),
    /// Whatever is written goes to a callback (a container's log). Never blocks; the callback must not
    /// write to the same process.
    Sink(Rc<dyn Fn(&[u8])>),
}

impl Fd {
    /// A descriptor that keeps what is written to it, and the buffer.
    pub fn capture() -> (Fd, Rc<RefCell<Vec<u8>>>) {
        let buffer = Rc::new(RefCell::new(Vec::new()));
        let into = buffer.clone();
        (Fd::Sink(Rc::new(move |bytes| into.borrow_mut().extend_from_slice(bytes))), buffer)
    }

    /// A descriptor to read these bytes from.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Fd {
        let tree = Fs::new(Time::default());
        let _ = tree.write("/data", bytes, Time::default());
        Fd::File(OpenFile::new(tree, "/data".into(), true, false, false))
    }

    /// The terminal, if it is one.
    pub fn tty(&self) -> Option<&Tty> {
        match self {
            Fd::Tty(tty) => Some(tty),
            _ => None,
        }
    }
}

/// An open file: a place in a tree and a position that duplicates share.
#[derive(Clone)]
pub struct OpenFile {
    fs: Rc<Fs>,
    path: Rc<str>,
    ino: u64,
    position: Rc<Cell<usize>>,
    readable: bool,
    writable: bool,
    append: bool,
}

impl OpenFile {
    /// Opens a file that exists in a tree.
    pub fn new(fs: Rc<Fs>, path: Rc<str>, readable: bool, writable: bool, append: bool) -> Self {
        let ino = fs.get(&path).map_or(0, |node| node.ino);
        OpenFile { fs, path, ino, position: Rc::default(), readable, writable, append }
    }

    /// Reads on from the position; empty at the end (also of a file that was removed).
    ///
    /// # Errors
    /// `BadDescriptor`, `IsADirectory`.
    pub fn read(&self, max: usize, stop: Option<u8>) -> Result<Vec<u8>, FsError> {
        if !self.readable {
            return Err(FsError::BadDescriptor);
        }
        let Some(node) = self.fs.get(&self.path).ok().filter(|node| node.ino == self.ino) else {
            return Ok(Vec::new());
        };
        let data = match &node.kind {
            Kind::File(data) => data,
            Kind::Dir(_) => return Err(FsError::IsADirectory),
            _ => return Ok(Vec::new()),
        };
        let rest = data.get(self.position.get()..).unwrap_or_default();
        let mut length = max.min(rest.len());
        if let Some(stop) = stop
            && let Some(at) = rest[..length].iter().position(|b| *b == stop)
        {
            length = at + 1;
        }
        self.position.set(self.position.get() + length);
        Ok(rest[..length].to_vec())
    }

    /// Writes at the position, or at the end of a file opened for appending. What is written to a
    /// file that was removed is gone with it.
    ///
    /// # Errors
    /// `BadDescriptor`.
    pub fn write(&self, bytes: &[u8], now: Time) -> Result<(), FsError> {
        if !self.writable {
            return Err(FsError::BadDescriptor);
        }
        if !self.fs.get(&self.path).is_ok_and(|node| node.ino == self.ino) {
            return Ok(());
        }
        self.fs.update(&self.path, |node| {
            let Kind::File(data) = &mut node.kind else { return };
            let data = Rc::make_mut(data);
            let start = if self.append { data.len() } else { self.position.get() };
            if data.len() < start {
                data.resize(start, 0);
            }
            let overlap = bytes.len().min(data.len() - start);
            data[start..start + overlap].copy_from_slice(&bytes[..overlap]);
            data.extend_from_slice(&bytes[overlap..]);
            self.position.set(start + bytes.len());
            node.mtime = now;
        })
    }

    /// The tree it is in.
    pub fn fs(&self) -> &Rc<Fs> {
        &self.fs
    }
}

/// A process's table of descriptors.
#[derive(Default)]
pub struct Io(RefCell<Vec<Fd>>);

impl Io {
    /// A table that begins with standard input, output and error.
    pub fn new(stdin: Fd, stdout: Fd, stderr: Fd) -> Rc<Io> {
        Rc::new(Io(RefCell::new(vec![stdin, stdout, stderr])))
    }

    /// Where a descriptor leads.
    pub fn get(&self, fd: u8) -> Fd {
        self.0.borrow().get(usize::from(fd)).cloned().unwrap_or(Fd::Closed)
    }

    /// Changes where a descriptor leads.
    pub fn set(&self, fd: u8, to: Fd) {
        let old = {
            let mut table = self.0.borrow_mut();
            let index = usize::from(fd);
            while table.len() <= index {
                table.push(Fd::Closed);
            }
            std::mem::replace(&mut table[index], to)
        };
        drop(old); // outside the borrow: closing wakes others
    }

    /// A table with the same entries, to be changed apart.
    pub fn copy(&self) -> Rc<Io> {
        Rc::new(Io(RefCell::new(self.0.borrow().clone())))
    }

    /// Closes everything.
    pub fn close_all(&self) {
        drop(self.0.take());
    }
}
