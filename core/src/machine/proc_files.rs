//! The half of [`Proc`] that deals with files.

use std::rc::Rc;

use super::{
    Proc,
    errno::FsError,
    fd::{Fd, OpenFile},
    fs::{Device, Kind, Node},
};

impl Proc {
    /// A path made absolute with the working directory. Links and `..` stay.
    pub fn resolve(&self, path: &str) -> String {
        let path = if path.starts_with('/') {
            path.to_string()
        } else {
            format!("{}/{path}", self.process.cwd().trim_end_matches('/'))
        };
        match path.strip_prefix("/proc/self") {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                format!("/proc/{}{rest}", self.pid())
            }
            _ => path,
        }
    }

    /// As [`Proc::resolve`], but an empty path stays empty (and is not found).
    fn path(&self, path: &str) -> String {
        if path.is_empty() { String::new() } else { self.resolve(path) }
    }

    /// The content of a file.
    ///
    /// # Errors
    /// As `open(2)` and `read(2)` have them.
    pub fn read_file(&self, path: &str) -> Result<Vec<u8>, FsError> {
        match self.machine.files().read(&self.path(path), self.who()) {
            Ok(data) => Ok(data.to_vec()),
            Err(e) => match self.open_descriptor(path) {
                Some(Fd::File(file)) => file.read(usize::MAX, None),
                _ => Err(e),
            },
        }
    }

    /// The content of a file as text; bytes that aren't UTF-8 are replaced.
    ///
    /// # Errors
    /// As [`Proc::read_file`].
    pub fn read_text(&self, path: &str) -> Result<String, FsError> {
        self.read_file(path).map(|data| String::from_utf8_lossy(&data).into_owned())
    }

    /// Writes a whole file.
    ///
    /// # Errors
    /// As `open(2)` has them.
    pub fn write_file(&self, path: &str, data: &[u8]) -> Result<(), FsError> {
        self.machine.files().write(&self.path(path), data, 0o644, self.who())
    }

    /// Adds to the end of a file.
    ///
    /// # Errors
    /// As `open(2)` has them.
    pub fn append(&self, path: &str, data: &[u8]) -> Result<(), FsError> {
        self.machine.files().append(&self.path(path), data, self.who())
    }

    /// What is at a path, links followed.
    ///
    /// # Errors
    /// As `stat(2)` has them.
    pub fn stat(&self, path: &str) -> Result<Rc<Node>, FsError> {
        self.machine.files().stat(&self.path(path), self.who())
    }

    /// What is at a path; a link itself.
    ///
    /// # Errors
    /// As `lstat(2)` has them.
    pub fn lstat(&self, path: &str) -> Result<Rc<Node>, FsError> {
        self.machine.files().lstat(&self.path(path), self.who())
    }

    /// Whether there is something at a path.
    pub fn exists(&self, path: &str) -> bool {
        self.stat(path).is_ok()
    }

    /// Whether there is a directory at a path.
    pub fn is_dir(&self, path: &str) -> bool {
        self.stat(path).is_ok_and(|node| node.is_dir())
    }

    /// Whether this process may read (4), write (2), search or run (1) what is at a path.
    pub fn may(&self, path: &str, bits: u32) -> bool {
        let path = self.path(path);
        let writable = || {
            let place = self.machine.files().locate(&path, true, self.who());
            bits & 2 == 0 || place.is_ok_and(|(place, _)| !place.read_only)
        };
        self.stat(&path).is_ok_and(|node| node.allows(self.who(), bits)) && writable()
    }

    /// A directory's names and what they are, sorted.
    ///
    /// # Errors
    /// As `opendir(3)` has them.
    pub fn list(&self, path: &str) -> Result<Vec<(Rc<str>, Rc<Node>)>, FsError> {
        self.machine.files().list(&self.path(path), self.who())
    }

    /// Makes a directory.
    ///
    /// # Errors
    /// As `mkdir(2)` has them.
    pub fn make_dir(&self, path: &str) -> Result<(), FsError> {
        self.machine.files().make_dir(&self.path(path), 0o755, self.who())
    }

    /// Removes a file, a link or an empty directory.
    ///
    /// # Errors
    /// As `unlink(2)` and `rmdir(2)` have them.
    pub fn remove(&self, path: &str) -> Result<(), FsError> {
        self.machine.files().remove(&self.path(path), self.who())
    }

    /// Moves a file or directory.
    ///
    /// # Errors
    /// As `rename(2)` has them.
    pub fn rename(&self, from: &str, to: &str) -> Result<(), FsError> {
        self.machine.files().rename(&self.path(from), &self.path(to), self.who())
    }

    /// Makes a symbolic link at `path`.
    ///
    /// # Errors
    /// As `symlink(2)` has them.
    pub fn symlink(&self, target: &str, path: &str) -> Result<(), FsError> {
        self.machine.files().symlink(&self.path(path), target, self.who())
    }

    /// Changes mode, owner or time of a file.
    ///
    /// # Errors
    /// As `chmod(2)` has them.
    pub fn set_attributes(&self, path: &str, f: impl FnOnce(&mut Node)) -> Result<(), FsError> {
        self.machine.files().set_attributes(&self.path(path), self.who(), f)
    }

    /// Changes the working directory.
    ///
    /// # Errors
    /// As `chdir(2)` has them.
    pub fn set_cwd(&self, path: &str) -> Result<(), FsError> {
        let node = self.stat(path)?;
        if !node.is_dir() {
            return Err(FsError::NotADirectory);
        }
        if !node.allows(self.who(), 1) {
            return Err(FsError::Access);
        }
        *self.process.cwd.borrow_mut() = self.resolve(path).into();
        Ok(())
    }

    /// Opens a file for reading.
    ///
    /// # Errors
    /// As `open(2)` has them.
    pub fn open_read(&self, path: &str) -> Result<Fd, FsError> {
        if let Some(fd) = self.open_descriptor(path) {
            return Ok(fd);
        }
        let node = self.stat(path)?;
        if !node.allows(self.who(), 4) {
            return Err(FsError::Access);
        }
        match &node.kind {
            Kind::Device(device) => self.open_device(*device),
            _ => match self.machine.files().locate(&self.path(path), true, self.who()) {
                Ok((place, _)) => {
                    Ok(Fd::File(OpenFile::new(place.fs, place.path.into(), true, false, false)))
                }
                // A synthetic file: what it says now.
                Err(_) => self.read_file(path).map(Fd::bytes),
            },
        }
    }

    /// Opens a file for writing, making it if missing: emptied unless `append`.
    ///
    /// # Errors
    /// As `open(2)` has them.
    pub fn open_write(&self, path: &str, append: bool) -> Result<Fd, FsError> {
        self.open_for(path, append, !append)
    }

    /// Opens a file for writing (and reading) without emptying it.
    ///
    /// # Errors
    /// As `open(2)` has them.
    pub fn open_update(&self, path: &str) -> Result<Fd, FsError> {
        self.open_for(path, false, false)
    }

    fn open_for(&self, path: &str, append: bool, truncate: bool) -> Result<Fd, FsError> {
        if let Some(fd) = self.open_descriptor(path) {
            return Ok(fd);
        }
        if let Ok(node) = self.stat(path)
            && let Kind::Device(device) = &node.kind
        {
            return self.open_device(*device);
        }
        let place = self.machine.files().create(&self.path(path), 0o644, self.who())?;
        if truncate {
            let now = self.sim().now();
            place.fs.update(&place.path, |node| {
                (node.kind, node.mtime) = (Kind::File(Rc::default()), now);
            })?;
        }
        Ok(Fd::File(OpenFile::new(place.fs, place.path.into(), true, true, append)))
    }

    fn open_device(&self, device: Device) -> Result<Fd, FsError> {
        match device {
            Device::Null => Ok(Fd::Null),
            Device::Zero => Ok(Fd::Zero),
            Device::Random => Ok(Fd::Random),
            Device::Tty => self.any_tty().map(Fd::Tty).ok_or(FsError::NoDevice),
        }
    }

    /// `/dev/stdout`, `/dev/fd/3`, `/proc/1/fd/1`: another descriptor, opened by name. Links to
    /// them (`access.log -> /dev/stdout`) count as well.
    fn open_descriptor(&self, path: &str) -> Option<Fd> {
        let mut path = self.path(path);
        for _ in 0..8 {
            let own = match path.as_str() {
                "/dev/stdin" => Some(0),
                "/dev/stdout" => Some(1),
                "/dev/stderr" => Some(2),
                _ => path.strip_prefix("/dev/fd/").and_then(|n| n.parse().ok()),
            };
            if let Some(fd) = own {
                return Some(self.io.get(fd));
            }
            if let Some(rest) = path.strip_prefix("/proc/") {
                let (pid, fd) = rest.split_once("/fd/")?;
                let (pid, fd) = (pid.parse::<u32>().ok()?, fd.parse().ok()?);
                if pid == self.pid() {
                    return Some(self.io.get(fd));
                }
                return Some(self.machine.process(pid)?.io()?.get(fd));
            }
            let node = self.lstat(&path).ok()?;
            let Kind::Link(target) = &node.kind else { return None };
            path = match target.starts_with('/') {
                true => target.to_string(),
                false => format!("{}/{target}", path.rsplit_once('/').map_or("", |(dir, _)| dir)),
            };
        }
        None
    }
}
