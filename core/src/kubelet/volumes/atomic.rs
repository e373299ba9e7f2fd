//! Directories whose content changes as a whole: a link `..data` to a directory named by time.
//!
//! Models `pkg/volume/util/atomic_writer.go`.

use std::{collections::BTreeSet, rc::Rc};

use crate::{
    machine::fs::{Fs, Kind, Who},
    sim::Time,
};

/// A file's path in the volume, its content and mode.
pub type File = (String, Rc<Vec<u8>>, u32);

/// Makes `files` the content of a volume, in place of what it held. Nothing happens where nothing
/// changed.
pub fn write(fs: &Fs, files: &[File], now: Time) {
    let old = data_dir(fs);
    if let Some(old) = &old
        && same(fs, old, files)
    {
        return;
    }
    let stamp = now.to_timestamp().to_string();
    let stamp = stamp.get(..19).unwrap_or_default().replace(['-', 'T', ':'], "_");
    let dir = format!("..{stamp}.{:09}", (now.as_micros() % 1_000_000) * 1000);
    let _ = fs.update("/", |root| root.mode = 0o1777);
    let _ = fs.make_dirs(&format!("/{dir}"), now);
    for (path, content, mode) in files {
        let _ = fs.write_shared(&format!("/{dir}/{path}"), content.clone(), *mode, now);
    }
    let link = |name: &str, to: &str| {
        let node = fs.node(Kind::Link(to.into()), 0o777, Who::ROOT, now);
        let _ = fs.put(&format!("/{name}"), node);
    };
    link("..data", &dir);
    let names: BTreeSet<&str> = files.iter().filter_map(|f| f.0.split('/').next()).collect();
    for name in &names {
        link(name, &format!("..data/{name}"));
    }
    if let Some(old) = old.filter(|old| *old != dir) {
        let _ = fs.take(&format!("/{old}"), now);
    }
    let root = fs.root();
    if let Kind::Dir(entries) = &root.kind {
        for name in entries.keys().filter(|n| !n.starts_with("..") && !names.contains(&***n)) {
            let _ = fs.take(&format!("/{name}"), now);
        }
    }
}

/// Where a file of such a volume really is.
pub fn resolve(fs: &Fs, path: &str) -> String {
    match data_dir(fs) {
        Some(dir) => format!("/{dir}/{path}"),
        None => format!("/{path}"),
    }
}

fn data_dir(fs: &Fs) -> Option<String> {
    match &fs.get("/..data").ok()?.kind {
        Kind::Link(to) => Some(to.to_string()),
        _ => None,
    }
}

fn same(fs: &Fs, dir: &str, files: &[File]) -> bool {
    let Ok(node) = fs.get(&format!("/{dir}")) else { return false };
    fn count(node: &crate::machine::fs::Node) -> usize {
        match &node.kind {
            Kind::Dir(entries) => entries.values().map(|n| count(n)).sum(),
            _ => 1,
        }
    }
    count(&node) == files.len()
        && files.iter().all(|(path, content, mode)| {
            fs.get(&format!("/{dir}/{path}")).is_ok_and(|node| {
                node.mode == *mode && matches!(&node.kind, Kind::File(is) if is == content)
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_changes_as_a_whole() {
        let fs = Fs::new(Time::from_secs(1));
        let file = |name: &str, text: &str| (name.to_string(), Rc::new(text.into()), 0o644);
        write(&fs, &[file("a", "1"), file("dir/b", "2")], Time::from_secs(1_700_000_000));
        let first = resolve(&fs, "a");
        assert_eq!(first, "/..2023_11_14_22_13_20.000000000/a");
        write(&fs, &[file("a", "1"), file("dir/b", "2")], Time::from_secs(1_700_000_050));
        assert_eq!(resolve(&fs, "a"), first, "nothing changed");
        write(&fs, &[file("a", "3")], Time::from_secs(1_700_000_060));
        assert!(fs.get(&first).is_err() && fs.get("/dir").is_err());
        let now = fs.get(&resolve(&fs, "a")).unwrap();
        assert!(matches!(&now.kind, Kind::File(is) if **is == b"3"));
    }
}
