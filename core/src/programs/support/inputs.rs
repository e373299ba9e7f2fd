//! Reading the files a command line names, or standard input.

use crate::machine::{Fd, FsError, Proc};

/// A program's input: a file's name as given (`-` or nothing for standard input) and its descriptor.
pub struct Source {
    /// As given.
    pub name: String,
    proc: Proc,
}

impl Source {
    /// Opens a file, or standard input for `-`.
    ///
    /// # Errors
    /// As `open(2)` has them; a directory can't be read.
    pub fn open(proc: &Proc, name: &str) -> Result<Source, FsError> {
        let io = proc.io().copy();
        if name != "-" {
            let fd = proc.open_read(name)?;
            if matches!(fd, Fd::File(_)) && proc.is_dir(name) {
                return Err(FsError::IsADirectory);
            }
            io.set(0, fd);
        }
        Ok(Source { name: name.to_string(), proc: proc.with(proc.args().to_vec(), io) })
    }

    /// The next line without its end; `None` at the end.
    pub async fn line(&self) -> Option<String> {
        self.proc.read_line().await
    }

    /// The next bytes; empty at the end.
    pub async fn read(&self) -> Vec<u8> {
        self.proc.read(65_536).await
    }

    /// The next line with its end, as bytes; empty at the end.
    pub async fn raw_line(&self) -> Vec<u8> {
        let mut line = Vec::new();
        while line.last() != Some(&b'\n') {
            let more = self.proc.read_fd(0, 65_536, Some(b'\n')).await;
            if more.is_empty() {
                break;
            }
            line.extend(more);
        }
        line
    }

    /// Everything.
    pub async fn all(&self) -> Vec<u8> {
        self.proc.read_to_end().await
    }
}

/// The files a command line names; standard input where it names none.
pub fn names(rest: &[String]) -> Vec<String> {
    if rest.is_empty() { vec!["-".to_string()] } else { rest.to_vec() }
}

/// Opens a file and says why if that fails: `cat: x: No such file or directory`.
pub async fn open(proc: &Proc, name: &str) -> Option<Source> {
    match Source::open(proc, name) {
        Ok(source) => Some(source),
        Err(error) => {
            // Those of busybox that read by descriptor say it in words of their own.
            let own = ["cat", "md5sum", "sha256sum", "tail"].contains(&proc.name());
            let text = match own && proc.exists("/bin/busybox") {
                true => format!("{}: can't open '{name}': {error}\n", proc.name()),
                false => format!("{}: {name}: {error}\n", proc.name()),
            };
            proc.eprint(&text).await;
            None
        }
    }
}

/// All inputs as one text, and whether all could be read.
pub async fn all_text(proc: &Proc, rest: &[String]) -> (String, bool) {
    let (mut text, mut complete) = (String::new(), true);
    for name in names(rest) {
        match open(proc, &name).await {
            Some(source) => text.push_str(&String::from_utf8_lossy(&source.all().await)),
            None => complete = false,
        }
    }
    (text, complete)
}
