//! What a machine sees of files: one root tree, others mounted into it, links followed and
//! permissions asked for.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use super::{Fs, Kind, Node, Who, components, split, walk};
use crate::{
    machine::errno::FsError,
    sim::{Sim, Time},
};

/// A tree that is made when it is looked at (`/proc`).
pub type Synthetic = Rc<dyn Fn() -> Rc<Node>>;

#[derive(Clone)]
enum Source {
    Tree { fs: Rc<Fs>, sub: String },
    Synthetic(Synthetic),
}

#[derive(Clone)]
struct Mount {
    at: String,
    source: Source,
    read_only: bool,
}

/// Where a path leads: a tree and a path in it.
#[derive(Clone)]
pub struct Place {
    /// The tree.
    pub fs: Rc<Fs>,
    /// The path in that tree.
    pub path: String,
    /// Whether it is mounted read-only.
    pub read_only: bool,
}

/// A machine's view of files.
pub struct Files {
    sim: Sim,
    mounts: RefCell<Vec<Mount>>, // by `at`, the root first
}

impl Files {
    /// A view of one tree.
    pub fn new(sim: &Sim, root: Rc<Fs>) -> Self {
        let source = Source::Tree { fs: root, sub: String::new() };
        let root = Mount { at: String::new(), source, read_only: false };
        Files { sim: sim.clone(), mounts: RefCell::new(vec![root]) }
    }

    /// The root tree.
    pub fn root(&self) -> Rc<Fs> {
        match &self.mounts.borrow()[0].source {
            Source::Tree { fs, .. } => fs.clone(),
            Source::Synthetic(_) => Fs::new(Time::default()), // the root is always a tree
        }
    }

    /// Makes the root tree read-only (`readOnlyRootFilesystem`).
    pub fn set_root_read_only(&self, read_only: bool) {
        self.mounts.borrow_mut()[0].read_only = read_only;
    }

    /// Mounts `sub` (a directory or a file) of a tree at an absolute path, in front of what is there.
    /// A missing mount point is made in the tree below, as container runtimes do.
    pub fn mount(&self, at: &str, fs: Rc<Fs>, sub: &str, read_only: bool) {
        let at = self.canonical(at, true, Who::ROOT).map_or_else(|_| at.to_string(), |(p, _)| p);
        let is_dir = fs.get(sub).is_ok_and(|node| node.is_dir());
        self.make_mount_point(&at, is_dir);
        self.add(Mount { at, source: Source::Tree { fs, sub: sub.to_string() }, read_only });
    }

    /// Mounts a tree that is made when it is looked at.
    pub fn mount_synthetic(&self, at: &str, tree: Synthetic) {
        self.add(Mount { at: at.to_string(), source: Source::Synthetic(tree), read_only: true });
    }

    /// Takes a mount away; `false` if there was none at this path.
    pub fn unmount(&self, at: &str) -> bool {
        let mut mounts = self.mounts.borrow_mut();
        let at = at.trim_end_matches('/');
        match mounts.iter().rposition(|m| m.at == at && !at.is_empty()) {
            Some(index) => {
                mounts.remove(index);
                true
            }
            None => false,
        }
    }

    /// The mount points, the root as `/`, with whether they are read-only.
    pub fn mount_points(&self) -> Vec<(String, bool)> {
        let name = |m: &Mount| if m.at.is_empty() { "/".to_string() } else { m.at.clone() };
        self.mounts.borrow().iter().map(|m| (name(m), m.read_only)).collect()
    }

    fn add(&self, mount: Mount) {
        let mut mounts = self.mounts.borrow_mut();
        let index = mounts.partition_point(|m| m.at <= mount.at);
        mounts.insert(index, mount);
    }

    fn make_mount_point(&self, at: &str, is_dir: bool) {
        let Ok(below) = self.place(at) else { return };
        if below.fs.get(&below.path).is_ok() {
            return;
        }
        let now = self.sim.now();
        if is_dir {
            let _ = below.fs.make_dirs(&below.path, now);
        } else {
            let _ = below.fs.write(&below.path, "", now);
        }
    }

    fn mount_of(&self, canonical: &str) -> Mount {
        let mounts = self.mounts.borrow();
        let covers = |m: &&Mount| {
            canonical
                .strip_prefix(m.at.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        // Later mounts of one path hide earlier ones, longer paths hide shorter ones.
        let best = mounts.iter().filter(covers).max_by_key(|m| m.at.len());
        best.unwrap_or(&mounts[0]).clone()
    }

    /// The node at a path without links.
    fn node(&self, canonical: &str) -> Result<Rc<Node>, FsError> {
        if self.mounts.borrow().len() == 1 {
            let mounts = self.mounts.borrow();
            if let Source::Tree { fs, .. } = &mounts[0].source {
                return fs.get(canonical);
            }
        }
        let mount = self.mount_of(canonical);
        let rest = &canonical[mount.at.len()..];
        match &mount.source {
            Source::Tree { fs, sub } if sub.is_empty() => fs.get(rest),
            Source::Tree { fs, sub } => fs.get(&format!("{sub}{rest}")),
            Source::Synthetic(tree) => walk(&tree(), rest),
        }
    }

    fn place(&self, canonical: &str) -> Result<Place, FsError> {
        let mount = self.mount_of(canonical);
        let rest = &canonical[mount.at.len()..];
        match mount.source {
            Source::Tree { fs, sub } => {
                Ok(Place { fs, path: format!("{sub}{rest}"), read_only: mount.read_only })
            }
            Source::Synthetic(_) => Err(FsError::NotPermitted),
        }
    }

    /// Follows links, `.` and `..`: the path without them, and the node if there is one (only the
    /// last part may be missing). The root is the empty string.
    fn canonical(
        &self,
        path: &str,
        follow_last: bool,
        who: Who,
    ) -> Result<(String, Option<Rc<Node>>), FsError> {
        if path.is_empty() {
            return Err(FsError::NotFound);
        }
        let mut pending: Vec<Rc<str>> = components(path).map(Rc::from).collect();
        pending.reverse();
        let must_be_dir = path.ends_with('/');
        let (mut out, mut links, mut found) = (String::new(), 0, None);
        while let Some(part) = pending.pop() {
            match &*part {
                "." => continue,
                ".." => {
                    out.truncate(out.rfind('/').unwrap_or(0));
                    found = None;
                    continue;
                }
                _ => {}
            }
            let (length, last) = (out.len(), pending.is_empty());
            out.push('/');
            out.push_str(&part);
            let node = match self.node(&out) {
                Ok(node) => node,
                Err(FsError::NotFound) if last && !must_be_dir => return Ok((out, None)),
                Err(e) => return Err(e),
            };
            match &node.kind {
                Kind::Link(target) if !last || follow_last || must_be_dir => {
                    links += 1;
                    if links > 40 {
                        return Err(FsError::Loop);
                    }
                    out.truncate(if target.starts_with('/') { 0 } else { length });
                    pending.extend(
                        components(target).map(Rc::from).collect::<Vec<_>>().into_iter().rev(),
                    );
                    found = None;
                    continue;
                }
                Kind::Dir(_) if !last && !node.allows(who, 1) => return Err(FsError::Access),
                Kind::Dir(_) => {}
                _ if !last || must_be_dir => return Err(FsError::NotADirectory),
                _ => {}
            }
            found = Some(node);
        }
        if found.is_none() {
            found = Some(self.node(&out)?);
        }
        Ok((out, found))
    }

    /// The absolute path without links, `.` and `..`. Only its last part may be missing.
    ///
    /// # Errors
    /// `NotFound`, `NotADirectory`, `Loop`, `Access`.
    pub fn real_path(&self, path: &str, who: Who) -> Result<String, FsError> {
        let (real, _) = self.canonical(path, true, who)?;
        Ok(if real.is_empty() { "/".to_string() } else { real })
    }

    /// What is at a path; a link's target.
    ///
    /// # Errors
    /// `NotFound`, `NotADirectory`, `Loop`, `Access`.
    pub fn stat(&self, path: &str, who: Who) -> Result<Rc<Node>, FsError> {
        self.canonical(path, true, who)?.1.ok_or(FsError::NotFound)
    }

    /// What is at a path; a link itself.
    ///
    /// # Errors
    /// `NotFound`, `NotADirectory`, `Loop`, `Access`.
    pub fn lstat(&self, path: &str, who: Who) -> Result<Rc<Node>, FsError> {
        self.canonical(path, false, who)?.1.ok_or(FsError::NotFound)
    }

    /// The content of a file.
    ///
    /// # Errors
    /// As [`Files::stat`], and `IsADirectory`, `Access`.
    pub fn read(&self, path: &str, who: Who) -> Result<Rc<Vec<u8>>, FsError> {
        let node = self.stat(path, who)?;
        if !node.allows(who, 4) {
            return Err(FsError::Access);
        }
        match &node.kind {
            Kind::File(data) => Ok(data.clone()),
            Kind::Dir(_) => Err(FsError::IsADirectory),
            _ => Ok(Rc::default()),
        }
    }

    /// A directory's names and nodes, sorted by name, mount points included.
    ///
    /// # Errors
    /// As [`Files::stat`], and `NotADirectory`, `Access`.
    pub fn list(&self, path: &str, who: Who) -> Result<Vec<(Rc<str>, Rc<Node>)>, FsError> {
        let (real, node) = self.canonical(path, true, who)?;
        let node = node.ok_or(FsError::NotFound)?;
        let Kind::Dir(entries) = &node.kind else { return Err(FsError::NotADirectory) };
        if !node.allows(who, 4) {
            return Err(FsError::Access);
        }
        let mut list: Vec<_> = entries.iter().map(|(n, c)| (n.clone(), c.clone())).collect();
        for mount in &*self.mounts.borrow() {
            if let Some((_, name)) =
                split(&mount.at).filter(|(p, _)| p.trim_end_matches('/') == real)
                && let Ok(node) = self.node(&mount.at)
            {
                list.retain(|(n, _)| &**n != name);
                list.push((name.into(), node));
            }
        }
        list.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(list)
    }

    /// Where a path leads for one who wants to change it, and what is there.
    ///
    /// # Errors
    /// As [`Files::stat`] except that the last part may be missing; `ReadOnly`.
    pub fn locate(
        &self,
        path: &str,
        follow_last: bool,
        who: Who,
    ) -> Result<(Place, Option<Rc<Node>>), FsError> {
        let (real, node) = self.canonical(path, follow_last, who)?;
        Ok((self.place(&real)?, node))
    }

    /// The place of an entry that is to be made or removed: its directory must be writable.
    fn entry(&self, path: &str, who: Who) -> Result<(Place, Option<Rc<Node>>), FsError> {
        let (real, node) = self.canonical(path, false, who)?;
        let (parent, _) = split(&real).ok_or(FsError::Busy)?;
        if self.mounts.borrow().iter().any(|m| m.at == real) {
            return Err(FsError::Busy);
        }
        let place = self.place(&real)?;
        let dir = self.node(parent)?;
        match (place.read_only, dir.allows(who, 3)) {
            (true, _) => Err(FsError::ReadOnly),
            (_, false) => Err(FsError::Access),
            _ if dir.mode & 0o1000 != 0
                && who.uid != 0
                && node.as_ref().is_some_and(|n| n.uid != who.uid) =>
            {
                Err(FsError::NotPermitted)
            }
            _ => Ok((place, node)),
        }
    }

    /// The file at a path, made empty if missing, for writing.
    ///
    /// # Errors
    /// As [`Files::stat`], and `IsADirectory`, `Access`, `ReadOnly`.
    pub fn create(&self, path: &str, mode: u32, who: Who) -> Result<Place, FsError> {
        let (place, node) = self.locate(path, true, who)?;
        match node {
            Some(node) if node.is_dir() => return Err(FsError::IsADirectory),
            Some(_) if place.read_only => return Err(FsError::ReadOnly),
            Some(node) if !node.allows(who, 2) => return Err(FsError::Access),
            Some(_) => return Ok(place),
            None => {}
        }
        let (real, _) = self.canonical(path, true, who)?;
        let (place, _) = self.entry(&real, who)?;
        let now = self.sim.now();
        let node = place.fs.node(Kind::File(Rc::default()), mode, who, now);
        place.fs.put(&place.path, node)?;
        Ok(place)
    }

    /// Writes a whole file; a new one gets `mode`.
    ///
    /// # Errors
    /// As [`Files::create`].
    pub fn write(&self, path: &str, data: &[u8], mode: u32, who: Who) -> Result<(), FsError> {
        let place = self.create(path, mode, who)?;
        let (data, now) = (Rc::new(data.to_vec()), self.sim.now());
        place.fs.update(&place.path, |node| {
            if let Kind::File(content) = &mut node.kind {
                (*content, node.mtime) = (data, now);
            }
        })
    }

    /// Adds to the end of a file, which is made if missing.
    ///
    /// # Errors
    /// As [`Files::create`].
    pub fn append(&self, path: &str, data: &[u8], who: Who) -> Result<(), FsError> {
        let place = self.create(path, 0o644, who)?;
        let now = self.sim.now();
        place.fs.update(&place.path, |node| {
            if let Kind::File(content) = &mut node.kind {
                Rc::make_mut(content).extend_from_slice(data);
                node.mtime = now;
            }
        })
    }

    /// Makes a directory.
    ///
    /// # Errors
    /// `Exists`, `NotFound` for the parent, `Access`, `ReadOnly`.
    pub fn make_dir(&self, path: &str, mode: u32, who: Who) -> Result<(), FsError> {
        let path = path.trim_end_matches('/');
        if path.is_empty() || self.lstat(path, who).is_ok() {
            return Err(FsError::Exists);
        }
        let (place, _) = self.entry(path, who)?;
        let dir = place.fs.node(Kind::Dir(BTreeMap::new()), mode, who, self.sim.now());
        place.fs.put(&place.path, dir)
    }

    /// Makes a symbolic link.
    ///
    /// # Errors
    /// `Exists`, `Access`, `ReadOnly`.
    pub fn symlink(&self, path: &str, target: &str, who: Who) -> Result<(), FsError> {
        let (place, node) = self.entry(path, who)?;
        if node.is_some() {
            return Err(FsError::Exists);
        }
        let link = place.fs.node(Kind::Link(target.into()), 0o777, who, self.sim.now());
        place.fs.put(&place.path, link)
    }

    /// Removes a file, a link or an empty directory.
    ///
    /// # Errors
    /// `NotFound`, `NotEmpty`, `Busy` for a mount point, `Access`, `ReadOnly`.
    pub fn remove(&self, path: &str, who: Who) -> Result<(), FsError> {
        let (place, node) = self.entry(path.trim_end_matches('/'), who)?;
        match &node.ok_or(FsError::NotFound)?.kind {
            Kind::Dir(entries) if !entries.is_empty() => Err(FsError::NotEmpty),
            _ => place.fs.take(&place.path, self.sim.now()).map(drop),
        }
    }

    /// Moves a file or directory, in place of a file that is there.
    ///
    /// # Errors
    /// `CrossDevice` between two trees, `NotEmpty`, `IsADirectory`, and as [`Files::remove`].
    pub fn rename(&self, from: &str, to: &str, who: Who) -> Result<(), FsError> {
        let (source, node) = self.entry(from.trim_end_matches('/'), who)?;
        let node = node.ok_or(FsError::NotFound)?;
        let (target, there) = self.entry(to.trim_end_matches('/'), who)?;
        if !Rc::ptr_eq(&source.fs, &target.fs) {
            return Err(FsError::CrossDevice);
        }
        if source.path == target.path {
            return Ok(());
        }
        if target.path.strip_prefix(&source.path).is_some_and(|rest| rest.starts_with('/')) {
            return Err(FsError::Invalid);
        }
        match there.as_deref().map(|n| (&n.kind, node.is_dir())) {
            Some((Kind::Dir(entries), true)) if !entries.is_empty() => {
                return Err(FsError::NotEmpty);
            }
            Some((Kind::Dir(_), false)) => return Err(FsError::IsADirectory),
            Some((kind, true)) if !matches!(kind, Kind::Dir(_)) => {
                return Err(FsError::NotADirectory);
            }
            _ => {}
        }
        let now = self.sim.now();
        let node = source.fs.take(&source.path, now)?;
        target.fs.put(&target.path, Rc::unwrap_or_clone(node))
    }

    /// Changes what `stat` tells of a file (mode, owner, time).
    ///
    /// # Errors
    /// As [`Files::stat`]; `NotPermitted` for one who is not the owner; `ReadOnly`.
    pub fn set_attributes(
        &self,
        path: &str,
        who: Who,
        f: impl FnOnce(&mut Node),
    ) -> Result<(), FsError> {
        let (place, node) = self.locate(path, true, who)?;
        let node = node.ok_or(FsError::NotFound)?;
        if place.read_only {
            return Err(FsError::ReadOnly);
        }
        if who.uid != 0 && who.uid != node.uid {
            return Err(FsError::NotPermitted);
        }
        place.fs.update(&place.path, f)
    }
}
