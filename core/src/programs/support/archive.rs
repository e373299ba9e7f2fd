//! Tape archives: members to bytes and back, in the form of POSIX (`ustar`) with GNU's long names.
//!
//! Knows no files; [`tar`](crate::programs) and `kubectl cp` put members into files.

/// What archives are made of.
const BLOCK: usize = 512;
/// Nothing larger is read: simulated disks hold no more.
const LARGEST: usize = 256 << 20;

/// One member of an archive.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Its path.
    pub name: String,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Last change, in seconds since 1970.
    pub mtime: u64,
    /// What it is.
    pub kind: MemberKind,
}

/// What a member is.
#[derive(Clone, Debug, PartialEq)]
pub enum MemberKind {
    /// A file and what is in it.
    File(Vec<u8>),
    /// A directory.
    Dir,
    /// A symbolic link and where it points.
    Link(String),
}

/// The end of an archive.
pub fn end() -> Vec<u8> {
    vec![0; 2 * BLOCK]
}

/// A member as it stands in an archive.
pub fn encode(member: &Member) -> Vec<u8> {
    let mut out = Vec::new();
    if member.name.len() > 99 {
        out.extend(header(b'L', "././@LongLink", &member_of_size(member), member.name.len() + 1));
        padded(&mut out, &[member.name.as_bytes(), b"\0"].concat());
    }
    match &member.kind {
        MemberKind::File(data) => {
            out.extend(header(b'0', &member.name, member, data.len()));
            padded(&mut out, data);
        }
        MemberKind::Dir => out.extend(header(b'5', &member.name, member, 0)),
        MemberKind::Link(_) => out.extend(header(b'2', &member.name, member, 0)),
    }
    out
}

fn member_of_size(member: &Member) -> Member {
    Member { kind: MemberKind::Dir, name: String::new(), ..member.clone() }
}

fn padded(out: &mut Vec<u8>, data: &[u8]) {
    out.extend_from_slice(data);
    out.resize(out.len().next_multiple_of(BLOCK), 0);
}

fn header(kind: u8, name: &str, member: &Member, size: usize) -> [u8; BLOCK] {
    let mut block = [0u8; BLOCK];
    let mut put = |at: usize, bytes: &[u8], room: usize| {
        for (to, from) in block.iter_mut().skip(at).zip(bytes.iter().take(room)) {
            *to = *from;
        }
    };
    let octal = |value: u64, digits: usize| format!("{value:0digits$o}\0");
    put(0, name.as_bytes(), 99);
    put(100, octal(u64::from(member.mode & 0o7777), 7).as_bytes(), 8);
    put(108, octal(u64::from(member.uid), 7).as_bytes(), 8);
    put(116, octal(u64::from(member.gid), 7).as_bytes(), 8);
    put(124, octal(size as u64, 11).as_bytes(), 12);
    put(136, octal(member.mtime, 11).as_bytes(), 12);
    put(148, b"        ", 8);
    put(156, &[kind], 1);
    if let MemberKind::Link(target) = &member.kind {
        put(157, target.as_bytes(), 99);
    }
    put(257, b"ustar\x0000", 8);
    let sum: u64 = block.iter().map(|b| u64::from(*b)).sum();
    for (to, from) in block.iter_mut().skip(148).zip(format!("{sum:06o}\0 ").bytes()) {
        *to = from;
    }
    block
}

/// Reads an archive as it comes.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: Vec<u8>,
    from: usize,
    long: Option<String>,
    zeros: usize,
    started: bool,
}

impl Reader {
    /// More of the archive.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.from > 0 {
            self.buffer.drain(..self.from);
            self.from = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether the end mark was read.
    pub fn ended(&self) -> bool {
        self.zeros >= 2
    }

    /// Whether everything that came was read.
    pub fn is_empty(&self) -> bool {
        self.from >= self.buffer.len()
    }

    /// The next member, if all of it has come. Errors: what came is no archive.
    pub fn next_member(&mut self) -> Result<Option<Member>, String> {
        loop {
            if self.ended() {
                return Ok(None);
            }
            let Some(head) = self.buffer.get(self.from..self.from + BLOCK) else { return Ok(None) };
            if head.iter().all(|b| *b == 0) {
                self.zeros += 1;
                self.from += BLOCK;
                continue;
            }
            let head: Vec<u8> = head.to_vec();
            self.zeros = 0;
            check(&head)?;
            let size = usize::try_from(number(&head, 124, 12)?).unwrap_or(usize::MAX);
            if size > LARGEST {
                return Err("archive/tar: a member is too large".into());
            }
            let start = self.from + BLOCK;
            let end = start + size.next_multiple_of(BLOCK);
            let Some(data) = self.buffer.get(start..end) else { return Ok(None) };
            let data = data.get(..size).unwrap_or(data).to_vec();
            self.from = end;
            self.started = true;
            match head.get(156).copied().unwrap_or(0) {
                b'L' => self.long = Some(text(&data)),
                b'x' | b'g' => {}
                kind => return self.member(&head, kind, data).map(Some),
            }
        }
    }

    fn member(&mut self, head: &[u8], kind: u8, data: Vec<u8>) -> Result<Member, String> {
        let field = |from: usize, size: usize| text(head.get(from..from + size).unwrap_or(&[]));
        let prefix = if field(257, 5) == "ustar" { field(345, 155) } else { String::new() };
        let short = match prefix.as_str() {
            "" => field(0, 100),
            prefix => format!("{prefix}/{}", field(0, 100)),
        };
        let name = self.long.take().unwrap_or(short);
        let dir = kind == b'5' || name.ends_with('/');
        let small = |from, size| Ok::<u32, String>(number(head, from, size)? as u32);
        Ok(Member {
            mode: small(100, 8)? & 0o7777,
            uid: small(108, 8)?,
            gid: small(116, 8)?,
            mtime: number(head, 136, 12)?,
            kind: match kind {
                b'2' => MemberKind::Link(field(157, 100)),
                _ if dir => MemberKind::Dir,
                _ => MemberKind::File(data),
            },
            name,
        })
    }
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or(&[])).into_owned()
}

fn number(head: &[u8], from: usize, size: usize) -> Result<u64, String> {
    let field = text(head.get(from..from + size).unwrap_or(&[]));
    let field = field.trim();
    if field.is_empty() {
        return Ok(0);
    }
    u64::from_str_radix(field, 8).map_err(|_| "archive/tar: invalid tar header".to_owned())
}

fn check(head: &[u8]) -> Result<(), String> {
    let blank = |at: usize| (148..156).contains(&at);
    let sum: u64 =
        head.iter().enumerate().map(|(at, b)| if blank(at) { 32 } else { u64::from(*b) }).sum();
    match number(head, 148, 8) {
        Ok(told) if told == sum => Ok(()),
        _ => Err("archive/tar: invalid tar header".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, kind: MemberKind) -> Member {
        Member { name: name.into(), mode: 0o644, uid: 0, gid: 5, mtime: 1_795_000_000, kind }
    }

    #[test]
    fn what_is_written_is_read_again_in_any_pieces() {
        let long = format!("{}/file", "d".repeat(150));
        let members = [
            member("a.txt", MemberKind::File(b"hello\n".to_vec())),
            member("dir", MemberKind::Dir),
            member("link", MemberKind::Link("a.txt".into())),
            member(&long, MemberKind::File(vec![7; 1000])),
        ];
        let mut all: Vec<u8> = members.iter().flat_map(encode).collect();
        all.extend(end());
        for size in [1, 511, 512, 5000] {
            let mut reader = Reader::default();
            let mut read = Vec::new();
            for piece in all.chunks(size) {
                reader.push(piece);
                while let Some(member) = reader.next_member().unwrap() {
                    read.push(member);
                }
            }
            assert_eq!(read, members);
            assert!(reader.ended());
        }
    }

    #[test]
    fn what_is_no_archive_is_refused() {
        let mut reader = Reader::default();
        reader.push(&[b'x'; 600]);
        assert!(reader.next_member().is_err());
    }
}
