//! Small things all steps need: saying, running commands, fingerprints of inputs.

use std::{
    collections::hash_map::DefaultHasher,
    ffi::OsStr,
    fs,
    hash::{Hash, Hasher},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use crate::Res;

/// The workspace's folder.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Tells the person at the terminal what happens now.
pub fn say(what: impl AsRef<str>) {
    eprintln!("==> {}", what.as_ref());
}

/// Says what is done and how long it took.
pub fn timed<T>(what: &str, f: impl FnOnce() -> Res<T>) -> Res<T> {
    say(what);
    let start = Instant::now();
    let got = f()?;
    let took = start.elapsed().as_secs_f64();
    if took > 2.0 {
        say(format!("    {took:.0} s"));
    }
    Ok(got)
}

/// A command that runs in the workspace's folder.
pub fn cmd(program: impl AsRef<OsStr>, args: &[&str]) -> Command {
    let mut c = Command::new(program);
    c.args(args).current_dir(root());
    c
}

/// Runs a command to its end; `remedy` completes the sentence where it fails.
pub fn run(mut c: Command, remedy: &str) -> Res {
    let shown = show(&c);
    match c.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(format!("`{shown}` failed; {remedy}")),
        Err(e) => Err(format!("`{shown}` can't be started ({e}); {remedy}")),
    }
}

/// What a command prints, without its last newline; `None` if it can't run or fails.
pub fn output(mut c: Command) -> Option<String> {
    let out = c.stderr(Stdio::null()).output().ok().filter(|o| o.status.success())?;
    String::from_utf8(out.stdout).ok().map(|s| s.trim_end().to_owned())
}

/// Whether a program is on PATH.
pub fn on_path(program: &str) -> bool {
    which(program).is_some()
}

/// Where PATH has a program.
pub fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.is_file())
}

fn show(c: &Command) -> String {
    let mut words = vec![c.get_program().to_string_lossy().into_owned()];
    words.extend(c.get_args().map(|a| a.to_string_lossy().into_owned()));
    let line = words.join(" ");
    if line.len() > 120 {
        format!("{} …", line.chars().take(119).collect::<String>())
    } else {
        line
    }
}

/// Fingerprint of files and folders (their paths below the root, and contents) and of `more`.
pub fn fingerprint(paths: &[PathBuf], more: &str) -> String {
    let mut hasher = DefaultHasher::new();
    more.hash(&mut hasher);
    for path in paths {
        hash_path(path, &mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

fn hash_path(path: &Path, hasher: &mut DefaultHasher) {
    if path.is_dir() {
        for entry in list(path) {
            hash_path(&entry, hasher);
        }
    } else if let Ok(bytes) = fs::read(path) {
        path.strip_prefix(root()).unwrap_or(path).hash(hasher);
        bytes.hash(hasher);
    }
}

/// What a folder holds, sorted; empty if it can't be read.
pub fn list(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path()).collect();
    found.sort();
    found
}

/// A step that is done once for each fingerprint of its inputs: true if it was done already.
pub fn is_fresh(stamp: &Path, fingerprint: &str) -> bool {
    fs::read_to_string(stamp).is_ok_and(|s| s == fingerprint)
}

/// Notes that a step is done.
pub fn set_stamp(stamp: &Path, fingerprint: &str) -> Res {
    write(stamp, fingerprint)
}

/// Writes a file, making its folder.
pub fn write(path: &Path, content: impl AsRef<[u8]>) -> Res {
    path.parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(path, content))
        .map_err(|e| format!("{} can't be written: {e}", path.display()))
}

/// Reads a text file.
pub fn read(path: &Path) -> Res<String> {
    fs::read_to_string(path).map_err(|e| format!("{} can't be read: {e}", path.display()))
}
