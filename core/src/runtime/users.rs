//! Who a container's processes run as: names are looked up in the container's own files.

use crate::machine::fs::{Files, Who};

/// Resolves `name`, `uid`, `name:group` or `uid:gid`.
///
/// # Errors
/// docker's sentence, for names that `/etc/passwd` or `/etc/group` don't have.
pub fn resolve(files: &Files, user: &str) -> Result<Who, String> {
    let (name, group) = user.split_once(':').map_or((user, None), |(n, g)| (n, Some(g)));
    let mut who = Who::ROOT;
    if let Ok(uid) = name.parse() {
        let gid = by_name(files, "/etc/passwd", |f| f.get(2) == Some(&name), 3);
        who = Who { uid, gid: gid.unwrap_or(0) };
    } else if !name.is_empty() {
        let found = |field| by_name(files, "/etc/passwd", |f| f.first() == Some(&name), field);
        let uid = found(2).filter(|_| name != "root");
        match uid {
            Some(uid) => who = Who { uid, gid: found(3).unwrap_or(uid) },
            None if name == "root" => {}
            None => {
                return Err(format!(
                    "unable to find user {name}: no matching entries in passwd file"
                ));
            }
        }
    }
    match group {
        None => {}
        Some(group) => {
            let gid = group.parse().ok();
            let gid =
                gid.or_else(|| by_name(files, "/etc/group", |f| f.first() == Some(&group), 2));
            who.gid = gid.ok_or_else(|| {
                format!("unable to find group {group}: no matching entries in group file")
            })?;
        }
    }
    Ok(who)
}

/// The home directory of a user; `/` where there is none.
pub fn home(files: &Files, uid: u32) -> String {
    let uid = uid.to_string();
    let Ok(text) = files.read("/etc/passwd", Who::ROOT) else {
        return if uid == "0" { "/root".into() } else { "/".into() };
    };
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().find(|l| l.split(':').nth(2) == Some(&uid));
    line.and_then(|l| l.split(':').nth(5)).unwrap_or("/").to_string()
}

fn by_name(files: &Files, path: &str, is: impl Fn(&[&str]) -> bool, field: usize) -> Option<u32> {
    let text = files.read(path, Who::ROOT).ok()?;
    let text = String::from_utf8_lossy(&text);
    text.lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| is(fields))
        .and_then(|fields| fields.get(field)?.parse().ok())
}
