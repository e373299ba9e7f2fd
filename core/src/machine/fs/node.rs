//! What a file tree is made of: immutable nodes, shared until one is written.

use std::{collections::BTreeMap, rc::Rc};

use crate::{machine::socket::Socket, sim::Time};

/// A directory's entries.
pub type Entries = BTreeMap<Rc<str>, Rc<Node>>;

/// A file, directory, link or device with what `stat` tells of it.
#[derive(Clone, Debug)]
pub struct Node {
    /// Permission bits, as `chmod` takes them.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Last change of the content.
    pub mtime: Time,
    /// Tells a file from another that took its name.
    pub ino: u64,
    /// What it is.
    pub kind: Kind,
}

/// What a node is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A directory.
    Dir(Entries),
    /// A file; trees that are copies of each other share the content.
    File(Rc<Vec<u8>>),
    /// A symbolic link and where it points.
    Link(Rc<str>),
    /// A device.
    Device(Device),
    /// A socket.
    Socket(Socket),
}

/// The devices there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// `/dev/null`
    Null,
    /// `/dev/zero`
    Zero,
    /// `/dev/urandom` and `/dev/random`: numbers from the simulation's seed.
    Random,
    /// `/dev/tty`: the process's terminal.
    Tty,
}

impl Node {
    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        matches!(self.kind, Kind::Dir(_))
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        matches!(self.kind, Kind::File(_))
    }

    /// Whether it is a symbolic link.
    pub fn is_link(&self) -> bool {
        matches!(self.kind, Kind::Link(_))
    }

    /// Bytes, as `ls -l` shows them.
    pub fn size(&self) -> u64 {
        match &self.kind {
            Kind::Dir(_) => 4096,
            Kind::File(data) => program_name(data).map_or(data.len(), program_size) as u64,
            Kind::Link(target) => target.len() as u64,
            Kind::Device(_) | Kind::Socket(_) => 0,
        }
    }

    /// Whether someone with these ids may do what `bits` says (4 read, 2 write, 1 search or run).
    pub fn allows(&self, who: Who, bits: u32) -> bool {
        if who.uid == 0 {
            return bits & 1 == 0 || self.is_dir() || self.mode & 0o111 != 0;
        }
        let shift = match (who.uid == self.uid, who.gid == self.gid) {
            (true, _) => 6,
            (_, true) => 3,
            _ => 0,
        };
        (self.mode >> shift) & bits == bits
    }

    /// `drwxr-xr-x`
    pub fn mode_string(&self) -> String {
        let first = match &self.kind {
            Kind::Dir(_) => 'd',
            Kind::File(_) => '-',
            Kind::Link(_) => 'l',
            Kind::Device(_) => 'c',
            Kind::Socket(_) => 's',
        };
        let mut out = String::from(first);
        for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
            let bits = self.mode >> shift;
            out.push(if bits & 4 != 0 { 'r' } else { '-' });
            out.push(if bits & 2 != 0 { 'w' } else { '-' });
            out.push(match (self.mode & special != 0, bits & 1 != 0) {
                (true, true) => letter,
                (true, false) => letter.to_ascii_uppercase(),
                (false, true) => 'x',
                (false, false) => '-',
            });
        }
        out
    }
}

/// Who asks for a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl Who {
    /// The superuser.
    pub const ROOT: Who = Who { uid: 0, gid: 0 };
}

/// A program's file begins with this; the program's name in the registry follows.
const MAGIC: &[u8] = b"\x7fELF\x02\x01\x01\0sandbar\0";

/// The content of the file of a registered program.
pub fn program_file(name: &str) -> Rc<Vec<u8>> {
    Rc::new([MAGIC, name.as_bytes()].concat())
}

/// The registered program a file's content names, if it is a program.
pub fn program_name(content: &[u8]) -> Option<&str> {
    std::str::from_utf8(content.strip_prefix(MAGIC)?).ok()
}

/// The size listings show of a program: plausible, and the same in every run.
fn program_size(name: &str) -> usize {
    18_000 + name.bytes().fold(7_usize, |h, b| (h * 31 + b as usize) % 130_000)
}
