//! `tar`: busybox's where a machine's commands are busybox's, otherwise GNU's. Not compressed.

use super::support::{
    archive::{self, Member, MemberKind, Reader},
    names::join,
    opts::{Options, Spec, options},
};
use crate::{
    machine::{Proc, Program, fs::Kind},
    sim::Time,
};

/// `tar`
pub const PROGRAM: Program = Program {
    name: "tar",
    summary: "put files into an archive and take them out",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec {
    usage: "tar c|x|t [-vfCmopO] [FILE]...
  -c   make an archive
  -x   take files out of it
  -t   list what is in it
  -f   the archive; - is standard input or output
  -C   the directory to work in
  -m   files get the time at which they are taken out
  -O   to standard output
  -p   keep modes as they are
  -v   say what is done",
    short: "cxtvf:C:mpokOhzjJ",
    long: &[
        ("create", 'c'),
        ("extract", 'x'),
        ("get", 'x'),
        ("list", 't'),
        ("verbose", 'v'),
        ("file", 'f'),
        ("directory", 'C'),
        ("touch", 'm'),
        ("no-same-owner", 'o'),
        ("no-same-permissions", 'k'),
        ("preserve-permissions", 'p'),
        ("to-stdout", 'O'),
        ("gzip", 'z'),
        ("bzip2", 'j'),
        ("xz", 'J'),
    ],
    trouble: 2,
};

/// A run of the program.
struct Tar<'a> {
    proc: &'a Proc,
    options: &'a Options,
    busybox: bool,
    failed: bool,
    told_slash: bool,
}

async fn main(proc: Proc) -> i32 {
    let proc = classic(proc);
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let busybox = busybox(&proc);
    let mut tar = Tar { proc: &proc, options: &options, busybox, failed: false, told_slash: false };
    if options.last_of("zjJ").is_some() {
        return tar.fatal("compressed archives are not simulated").await;
    }
    if let Some(dir) = options.value('C')
        && let Err(error) = proc.set_cwd(dir)
    {
        let text = match busybox {
            true => format!("can't change directory to '{dir}': {error}"),
            false => format!("{dir}: Cannot open: {error}"),
        };
        return tar.fatal(&text).await;
    }
    let result = match options.last_of("cxt") {
        Some('c') => tar.create().await,
        Some(_) => tar.read().await,
        None => Err(match busybox {
            true => "must specify one of c, x, t".to_owned(),
            false => "You must specify one of the '-Acdtrux', '--delete' or '--test-label' \
                      options\nTry 'tar --help' or 'tar --usage' for more information."
                .to_owned(),
        }),
    };
    match result {
        Err(text) => tar.fatal(&text).await,
        Ok(()) if tar.failed => {
            let text = match busybox {
                true => "error exit delayed from previous errors",
                false => "Exiting with failure status due to previous errors",
            };
            proc.eprint(&format!("tar: {text}\n")).await;
            if busybox { 1 } else { 2 }
        }
        Ok(()) => 0,
    }
}

#[cfg(feature = "cluster")]
fn busybox(proc: &Proc) -> bool {
    super::support::net::is_busybox(proc)
}

#[cfg(not(feature = "cluster"))]
fn busybox(_: &Proc) -> bool {
    false
}

/// `tar cf x` is `tar -cf x`.
fn classic(proc: Proc) -> Proc {
    let mut args = proc.args().to_vec();
    if let Some(first) = args.get_mut(1)
        && !first.starts_with('-')
    {
        first.insert(0, '-');
    }
    let io = proc.io().clone();
    proc.with(args, io)
}

impl Tar<'_> {
    async fn fatal(&self, text: &str) -> i32 {
        self.proc.eprint(&format!("tar: {text}\n")).await;
        if self.busybox {
            return 1;
        }
        if !text.starts_with("You must") {
            self.proc.eprint("tar: Error is not recoverable: exiting now\n").await;
        }
        2
    }

    async fn tell(&mut self, text: &str) {
        self.failed = true;
        self.proc.eprint(&format!("tar: {text}\n")).await;
    }

    async fn create(&mut self) -> Result<(), String> {
        if self.options.rest.is_empty() {
            return Err(match self.busybox {
                true => "empty archive".into(),
                false => "Cowardly refusing to create an empty archive".into(),
            });
        }
        let file = self.options.value('f').unwrap_or("-").to_owned();
        let mut bytes = Vec::new();
        for path in &self.options.rest {
            self.add(path, &file, &mut bytes).await;
        }
        bytes.extend(archive::end());
        match file.as_str() {
            "-" => self.proc.write(1, &bytes).await,
            path => self
                .proc
                .write_file(path, &bytes)
                .map_err(|error| format!("{path}: Cannot open: {error}"))?,
        }
        Ok(())
    }

    /// Adds a file or tree. What was collected goes out now and then.
    async fn add(&mut self, path: &str, archive: &str, bytes: &mut Vec<u8>) {
        let mut todo = vec![path.to_owned()];
        while let Some(path) = todo.pop() {
            let node = match self.proc.lstat(&path) {
                Ok(node) => node,
                Err(error) => {
                    let cannot = if self.busybox { "" } else { "Cannot stat: " };
                    self.tell(&format!("{path}: {cannot}{error}")).await;
                    continue;
                }
            };
            let kind = match &node.kind {
                Kind::Dir(_) => {
                    let list = self.proc.list(&path).unwrap_or_default();
                    todo.extend(list.iter().rev().map(|(name, _)| join(&path, name)));
                    MemberKind::Dir
                }
                Kind::Link(target) => MemberKind::Link(target.to_string()),
                Kind::File(_) => match self.proc.read_file(&path) {
                    Ok(data) => MemberKind::File(data),
                    Err(error) => {
                        let cannot = if self.busybox { "can't open" } else { "Cannot open" };
                        self.tell(&match self.busybox {
                            true => format!("{cannot} '{path}': {error}"),
                            false => format!("{path}: {cannot}: {error}"),
                        })
                        .await;
                        continue;
                    }
                },
                Kind::Device(_) | Kind::Socket(_) => continue,
            };
            let dir = kind == MemberKind::Dir;
            let mut name = self.member_name(&path).await;
            if dir && !name.is_empty() && !name.ends_with('/') {
                name.push('/');
            }
            if name.is_empty() {
                continue;
            }
            if self.options.has('v') {
                self.proc
                    .write(if archive == "-" { 2 } else { 1 }, format!("{name}\n").as_bytes())
                    .await;
            }
            let (mode, uid, gid) = (node.mode, node.uid, node.gid);
            let mtime = node.mtime.as_secs();
            bytes.extend(archive::encode(&Member { name, mode, uid, gid, mtime, kind }));
            if archive == "-" && bytes.len() > 65_536 {
                self.proc.write(1, &std::mem::take(bytes)).await;
            }
        }
    }

    async fn member_name(&mut self, path: &str) -> String {
        let name = path.trim_start_matches('/');
        if name.len() < path.len() && !self.told_slash {
            self.told_slash = true;
            let text = match self.busybox {
                true => "tar: removing leading '/' from member names\n",
                false => "tar: Removing leading `/' from member names\n",
            };
            self.proc.eprint(text).await;
        }
        name.to_owned()
    }

    async fn read(&mut self) -> Result<(), String> {
        let mut reader = Reader::default();
        let file = self.options.value('f').unwrap_or("-");
        let from_file = file != "-";
        if from_file {
            let cannot = if self.busybox { "can't open" } else { "Cannot open" };
            let data = self.proc.read_file(file).map_err(|error| match self.busybox {
                true => format!("{cannot} '{file}': {error}"),
                false => format!("{file}: {cannot}: {error}"),
            })?;
            reader.push(&data);
        }
        let mut any = from_file;
        loop {
            while let Some(member) = reader.next_member().map_err(|_| self.not_an_archive())? {
                any = true;
                self.take(member).await;
            }
            if reader.ended() || from_file {
                break;
            }
            let bytes = self.proc.read(65_536).await;
            if bytes.is_empty() {
                break;
            }
            reader.push(&bytes);
        }
        if !reader.ended() && (!any || !reader.is_empty()) {
            return Err(match self.busybox {
                true => "short read".into(),
                false => "Unexpected EOF in archive".into(),
            });
        }
        Ok(())
    }

    fn not_an_archive(&self) -> String {
        match self.busybox {
            true => "invalid tar magic".into(),
            false => "This does not look like a tar archive".into(),
        }
    }

    /// Lists or takes out one member, if it is wanted.
    async fn take(&mut self, member: Member) {
        let name = member.name.trim_end_matches('/');
        let inside = |p: &String| {
            let wanted = p.trim_end_matches('/');
            name == wanted || name.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('/'))
        };
        if !self.options.rest.is_empty() && !self.options.rest.iter().any(inside) {
            return;
        }
        if self.options.last_of("cxt") == Some('t') || self.options.has('v') {
            let list = self.options.last_of("cxt") == Some('t') && self.options.has('v');
            let line = if list { self.line(&member) } else { member.name.clone() };
            self.proc.print(&format!("{line}\n")).await;
        }
        if self.options.last_of("cxt") == Some('t') {
            return;
        }
        if let (MemberKind::File(data), true) = (&member.kind, self.options.has('O')) {
            self.proc.write(1, data).await;
            return;
        }
        if let Err(error) = self.put(&member) {
            let name = &member.name;
            self.tell(&match self.busybox {
                true => format!("can't open '{name}': {error}"),
                false => format!("{name}: Cannot open: {error}"),
            })
            .await;
        }
    }

    /// A member as `-tv` lists it.
    fn line(&self, member: &Member) -> String {
        let (kind, size, target) = match &member.kind {
            MemberKind::File(data) => ('-', data.len(), String::new()),
            MemberKind::Dir => ('d', 0, String::new()),
            MemberKind::Link(target) => ('l', 0, format!(" -> {target}")),
        };
        let bit = |at: u32, letter| if member.mode >> at & 1 == 1 { letter } else { '-' };
        let mode: String =
            (0..9).rev().map(|at| bit(at, ['x', 'w', 'r'][at as usize % 3])).collect();
        let owner = format!(
            "{}/{}",
            super::support::names::user(self.proc, member.uid),
            super::support::names::group(self.proc, member.gid)
        );
        let form = if self.busybox { "%Y-%m-%d %H:%M:%S" } else { "%Y-%m-%d %H:%M" };
        let time = Time::from_secs(member.mtime).to_timestamp().strftime(form).to_string();
        format!(
            "{kind}{mode} {owner} {size:>width$} {time} {}{target}",
            member.name,
            width = 18_usize.saturating_sub(owner.len())
        )
    }

    fn put(&self, member: &Member) -> Result<(), crate::machine::FsError> {
        let path = member.name.trim_start_matches('/').trim_end_matches('/');
        if path.is_empty() || path.split('/').any(|part| part == "..") {
            return Ok(());
        }
        make_parents(self.proc, path)?;
        match &member.kind {
            MemberKind::Dir => {
                if !self.proc.is_dir(path) {
                    self.proc.make_dir(path)?;
                }
            }
            MemberKind::Link(target) => {
                let _ = self.proc.remove(path); // what is in the way, if anything is
                return self.proc.symlink(target, path);
            }
            MemberKind::File(data) => self.proc.write_file(path, data)?,
        }
        let owner = self.proc.who().uid == 0 && !self.options.has('o');
        let touched = self.options.has('m');
        // Attributes are kept as far as one may.
        let _ = self.proc.set_attributes(path, |node| {
            node.mode = if self.options.has('k') { member.mode & 0o755 } else { member.mode };
            if owner {
                (node.uid, node.gid) = (member.uid, member.gid);
            }
            if !touched {
                node.mtime = Time::from_secs(member.mtime);
            }
        });
        Ok(())
    }
}

/// Makes the directories that a path needs.
pub fn make_parents(proc: &Proc, path: &str) -> Result<(), crate::machine::FsError> {
    let Some((folder, _)) = path.rsplit_once('/') else { return Ok(()) };
    if folder.is_empty() || proc.is_dir(folder) {
        return Ok(());
    }
    make_parents(proc, folder)?;
    proc.make_dir(folder)
}
