//! Copying and removing directory trees.

use super::names::join;
use crate::machine::{
    FsError, Proc,
    fs::{Device, Kind},
};

/// Removes a file or a whole tree; what could not be removed, with the reason.
pub fn remove_all(proc: &Proc, path: &str, failed: &mut Vec<(String, FsError)>) {
    let node = match proc.lstat(path) {
        Ok(node) => node,
        Err(error) => return failed.push((path.to_string(), error)),
    };
    if node.is_dir() {
        match proc.list(path) {
            Ok(list) => {
                for (name, _) in list {
                    remove_all(proc, &join(path, &name), failed);
                }
            }
            Err(error) => return failed.push((path.to_string(), error)),
        }
    }
    if let Err(error) = proc.remove(path)
        && failed.is_empty()
    {
        failed.push((path.to_string(), error));
    }
}

/// How a tree is copied.
#[derive(Clone, Copy, Default)]
pub struct Copy {
    /// Directories too.
    pub recursive: bool,
    /// Mode, owner and time as well.
    pub preserve: bool,
    /// Links as links (otherwise what they point at).
    pub links: bool,
}

/// Copies a file or tree; what could not be copied, in words.
pub fn copy(proc: &Proc, from: &str, to: &str, how: Copy, failed: &mut Vec<String>) {
    let found = if how.links { proc.lstat(from) } else { proc.stat(from) };
    let node = match found {
        Ok(node) => node,
        Err(error) => return failed.push(format!("cannot stat '{from}': {error}")),
    };
    let result = match &node.kind {
        Kind::Dir(_) if !how.recursive => {
            return failed.push(format!("-r not specified; omitting directory '{from}'"));
        }
        Kind::Dir(_) => {
            if !proc.is_dir(to)
                && let Err(error) = proc.make_dir(to)
            {
                return failed.push(format!("cannot create directory '{to}': {error}"));
            }
            let inside = proc.resolve(to);
            let list = proc.list(from).unwrap_or_default();
            for (name, _) in list {
                let child = join(from, &name);
                if proc.resolve(&child) == inside {
                    failed.push(format!("cannot copy a directory, '{from}', into itself, '{to}'"));
                    continue;
                }
                copy(proc, &child, &join(to, &name), Copy { links: true, ..how }, failed);
            }
            Ok(())
        }
        Kind::File(_) => match proc.read_file(from) {
            Ok(data) => {
                let new = !proc.exists(to);
                proc.write_file(to, &data).and_then(|()| match new {
                    true => proc.set_attributes(to, |n| n.mode = node.mode & 0o777),
                    false => Ok(()),
                })
            }
            Err(error) => return failed.push(format!("cannot open '{from}' for reading: {error}")),
        },
        Kind::Link(target) => proc.symlink(target, to),
        // What is read from it; others have no end.
        Kind::Device(Device::Null) => proc.write_file(to, &[]),
        Kind::Device(_) | Kind::Socket(_) => Err(FsError::NotSupported),
    };
    if let Err(error) = result {
        return failed.push(format!("cannot create regular file '{to}': {error}"));
    }
    if how.preserve && !node.is_link() {
        let _ = proc.set_attributes(to, |n| {
            (n.mode, n.mtime) = (node.mode, node.mtime);
        });
    }
}
