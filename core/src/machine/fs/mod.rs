//! File trees in memory.
//!
//! An [`Fs`] is one tree (an image's files, a container's, a volume). Trees are persistent: copying
//! one ([`Fs::copy`]) costs nothing, and a write copies only the directories on its path that are
//! still shared. So a thousand containers of one image share its files, and no layers need
//! merging at lookup. [`Files`] is what a machine sees: a root tree with others mounted into it.
//!
//! Paths given to an [`Fs`] are absolute, without links, `.` or `..` (as [`Files`] resolves them).

mod files;
mod node;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

pub use files::{Files, Place};
pub use node::{Device, Entries, Kind, Node, Who, program_file, program_name};

use super::errno::FsError;
use crate::sim::{Notify, Time};

/// One tree of files.
pub struct Fs {
    root: RefCell<Rc<Node>>,
    next_ino: Cell<u64>,
    changed: Notify,
}

impl Fs {
    /// An empty tree: a root directory that belongs to the superuser.
    pub fn new(now: Time) -> Rc<Fs> {
        let kind = Kind::Dir(BTreeMap::new());
        let root = Node { mode: 0o755, uid: 0, gid: 0, mtime: now, ino: 1, kind };
        Rc::new(Fs {
            root: RefCell::new(Rc::new(root)),
            next_ino: Cell::new(2),
            changed: Notify::default(),
        })
    }

    /// A tree with the same content now, which goes its own way from here.
    pub fn copy(&self) -> Rc<Fs> {
        Rc::new(Fs {
            root: RefCell::new(self.root.borrow().clone()),
            next_ino: self.next_ino.clone(),
            changed: Notify::default(),
        })
    }

    /// The root directory as it is now: a snapshot that later writes don't touch.
    pub fn root(&self) -> Rc<Node> {
        self.root.borrow().clone()
    }

    /// Notified at every change in this tree.
    pub fn changed(&self) -> &Notify {
        &self.changed
    }

    /// The node at a path.
    ///
    /// # Errors
    /// `NotFound`, or `NotADirectory` where a parent is a file.
    pub fn get(&self, path: &str) -> Result<Rc<Node>, FsError> {
        walk(&self.root.borrow(), path)
    }

    /// Bytes of all files, as `du` counts them.
    pub fn used(&self) -> u64 {
        fn sum(node: &Node) -> u64 {
            match &node.kind {
                Kind::Dir(entries) => entries.values().map(|n| sum(n)).sum(),
                _ => node.size(),
            }
        }
        sum(&self.root.borrow())
    }

    /// A new node for this tree.
    pub fn node(&self, kind: Kind, mode: u32, who: Who, now: Time) -> Node {
        let ino = self.next_ino.get();
        self.next_ino.set(ino + 1);
        Node { mode, uid: who.uid, gid: who.gid, mtime: now, ino, kind }
    }

    /// Changes the node at a path in place.
    ///
    /// # Errors
    /// As [`Fs::get`].
    pub fn update<R>(&self, path: &str, f: impl FnOnce(&mut Node) -> R) -> Result<R, FsError> {
        let mut root = self.root.borrow_mut();
        walk(&root, path)?; // don't unshare anything for a path that isn't there
        let mut node = Rc::make_mut(&mut root);
        for name in components(path) {
            let Kind::Dir(entries) = &mut node.kind else { return Err(FsError::NotADirectory) };
            node = Rc::make_mut(entries.get_mut(name).ok_or(FsError::NotFound)?);
        }
        let result = f(node);
        drop(root);
        self.changed.notify();
        Ok(result)
    }

    /// Puts a node at a path, in place of what is there.
    ///
    /// # Errors
    /// Where the parent directory is missing or none.
    pub fn put(&self, path: &str, node: Node) -> Result<(), FsError> {
        let (parent, name) = split(path).ok_or(FsError::Busy)?;
        let now = node.mtime;
        self.update(parent, |dir| match &mut dir.kind {
            Kind::Dir(entries) => {
                if entries.insert(name.into(), Rc::new(node)).is_none() {
                    dir.mtime = now;
                }
                Ok(())
            }
            _ => Err(FsError::NotADirectory),
        })?
    }

    /// Takes the node at a path out of the tree, a directory with all it holds.
    ///
    /// # Errors
    /// As [`Fs::get`]; `Busy` for the root.
    pub fn take(&self, path: &str, now: Time) -> Result<Rc<Node>, FsError> {
        let (parent, name) = split(path).ok_or(FsError::Busy)?;
        self.update(parent, |dir| match &mut dir.kind {
            Kind::Dir(entries) => {
                let node = entries.remove(name).ok_or(FsError::NotFound)?;
                dir.mtime = now;
                Ok(node)
            }
            _ => Err(FsError::NotADirectory),
        })?
    }

    /// Makes a directory and its missing parents, for the superuser, mode 755.
    ///
    /// # Errors
    /// `NotADirectory` where something else is in the way.
    pub fn make_dirs(&self, path: &str, now: Time) -> Result<(), FsError> {
        let mut done = String::new();
        for name in components(path) {
            done.push('/');
            done.push_str(name);
            match self.get(&done) {
                Ok(node) if node.is_dir() => {}
                Ok(_) => return Err(FsError::NotADirectory),
                Err(FsError::NotFound) => {
                    let dir = self.node(Kind::Dir(BTreeMap::new()), 0o755, Who::ROOT, now);
                    self.put(&done, dir)?;
                }
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Writes a whole file (mode 644 if new) for the superuser, making missing directories. For
    /// those who build trees: images, volumes. Processes write through [`Files`].
    ///
    /// # Errors
    /// `IsADirectory`, `NotADirectory`.
    pub fn write(&self, path: &str, content: impl Into<Vec<u8>>, now: Time) -> Result<(), FsError> {
        self.write_shared(path, Rc::new(content.into()), 0o644, now)
    }

    /// As [`Fs::write`], with content that other files share, and a mode.
    ///
    /// # Errors
    /// As [`Fs::write`].
    pub fn write_shared(
        &self,
        path: &str,
        content: Rc<Vec<u8>>,
        mode: u32,
        now: Time,
    ) -> Result<(), FsError> {
        match self.get(path) {
            Ok(node) if node.is_dir() => return Err(FsError::IsADirectory),
            Ok(_) => {
                return self.update(path, |node| {
                    (node.kind, node.mtime) = (Kind::File(content), now);
                });
            }
            Err(FsError::NotFound) => {}
            Err(e) => return Err(e),
        }
        if let Some((parent, _)) = split(path) {
            self.make_dirs(parent, now)?;
        }
        self.put(path, self.node(Kind::File(content), mode, Who::ROOT, now))
    }

    /// Makes a file that is a registered program: `/bin/ls` refers to `ls`.
    ///
    /// # Errors
    /// As [`Fs::write`].
    pub fn install(&self, path: &str, program: &str, now: Time) -> Result<(), FsError> {
        self.write_shared(path, program_file(program), 0o755, now)
    }

    /// Makes a symbolic link, and missing directories.
    ///
    /// # Errors
    /// As [`Fs::write`].
    pub fn link(&self, path: &str, target: &str, now: Time) -> Result<(), FsError> {
        if let Some((parent, _)) = split(path) {
            self.make_dirs(parent, now)?;
        }
        self.put(path, self.node(Kind::Link(target.into()), 0o777, Who::ROOT, now))
    }

    /// Makes `/dev` with its devices, `/tmp`, `/proc`, `/sys`, `/run` and `/etc` where missing.
    pub fn add_basics(&self, now: Time) {
        for dir in ["/dev", "/dev/shm", "/tmp", "/proc", "/sys", "/run", "/etc"] {
            let _ = self.make_dirs(dir, now);
        }
        let _ = self.update("/tmp", |tmp| tmp.mode = 0o1777);
        for (path, device) in [
            ("/dev/null", Device::Null),
            ("/dev/zero", Device::Zero),
            ("/dev/random", Device::Random),
            ("/dev/urandom", Device::Random),
            ("/dev/tty", Device::Tty),
        ] {
            let _ = self.put(path, self.node(Kind::Device(device), 0o666, Who::ROOT, now));
        }
        for (path, target) in [
            ("/dev/fd", "/proc/self/fd"),
            ("/dev/stdin", "/proc/self/fd/0"),
            ("/dev/stdout", "/proc/self/fd/1"),
            ("/dev/stderr", "/proc/self/fd/2"),
        ] {
            let _ = self.link(path, target, now);
        }
    }
}

/// A path's parts, without empty ones.
pub(crate) fn components(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}

/// Parent and last name of an absolute path; `None` for the root.
pub(crate) fn split(path: &str) -> Option<(&str, &str)> {
    let path = path.trim_end_matches('/');
    let (parent, name) = path.rsplit_once('/')?;
    Some((if parent.is_empty() { "/" } else { parent }, name))
}

pub(crate) fn walk(root: &Rc<Node>, path: &str) -> Result<Rc<Node>, FsError> {
    let mut node = root;
    for name in components(path) {
        let Kind::Dir(entries) = &node.kind else { return Err(FsError::NotADirectory) };
        node = entries.get(name).ok_or(FsError::NotFound)?;
    }
    Ok(node.clone())
}
