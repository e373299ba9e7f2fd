//! Names of users and groups, paths.

use crate::machine::Proc;

/// A user's name, or the number.
pub fn user(proc: &Proc, uid: u32) -> String {
    lookup(proc, "/etc/passwd", uid)
}

/// A group's name, or the number.
pub fn group(proc: &Proc, gid: u32) -> String {
    lookup(proc, "/etc/group", gid)
}

fn lookup(proc: &Proc, file: &str, id: u32) -> String {
    let id = id.to_string();
    let text = proc.read_text(file).unwrap_or_default();
    let line = text.lines().find(|line| line.split(':').nth(2) == Some(&id));
    match line.and_then(|line| line.split(':').next()) {
        Some(name) => name.to_string(),
        None if id == "0" => "root".to_string(),
        None => id,
    }
}

/// The number of a user or group by name or number.
pub fn id(proc: &Proc, file: &str, name: &str) -> Option<u32> {
    let text = proc.read_text(file).unwrap_or_default();
    let line = text.lines().find(|line| line.split(':').next() == Some(name));
    match line.and_then(|line| line.split(':').nth(2)) {
        Some(id) => id.parse().ok(),
        None if name == "root" => Some(0),
        None => name.parse().ok(),
    }
}

/// A path's last part.
pub fn base(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    match trimmed.rsplit('/').next() {
        Some("") | None => "/",
        Some(name) => name,
    }
}

/// A name below a directory.
pub fn join(dir: &str, name: &str) -> String {
    format!("{}/{name}", if dir == "/" { "" } else { dir.trim_end_matches('/') })
}

/// Bytes as `-h` shows them: `4.0K`, `12M`.
pub fn human(bytes: u64) -> String {
    if bytes < 1024 {
        return bytes.to_string();
    }
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= 1024.0 && unit < 5 {
        value /= 1024.0;
        unit += 1;
    }
    let letter = ["", "K", "M", "G", "T", "P"][unit];
    match value < 10.0 {
        true => format!("{:.1}{letter}", (value * 10.0).ceil() / 10.0),
        false => format!("{:.0}{letter}", value.ceil()),
    }
}
