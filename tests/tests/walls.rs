//! The walls between the rooms of `core`, and the habits that a machine can check.
//!
//! A room may use itself and the rooms its row names. A use is any `crate::room` outside comments.
//! Code under `#[cfg(test)]` may reach further, as may the rooms that put everything together.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Room, and the rooms it may use. `*` is all.
const WALLS: &[(&str, &[&str])] = &[
    ("sim", &[]),
    ("view", &[]),
    ("api", &["sim"]),
    ("store", &["api", "sim"]),
    ("apiserver", &["api", "sim", "store"]),
    ("client", &["api", "apiserver", "sim", "store"]),
    ("controllers", &["api", "client", "sim"]),
    ("scheduler", &["api", "client", "sim"]),
    ("explain", &["api", "client", "scheduler", "sim", "view"]),
    ("fabric", &["sim"]),
    ("machine", &["fabric", "sim"]),
    ("runtime", &["api", "fabric", "machine", "sim"]),
    ("network", &["api", "client", "fabric", "sim"]),
    ("kubelet", &["api", "client", "fabric", "machine", "runtime", "sim"]),
    ("shell", &["fabric", "machine", "sim"]),
    (
        "programs",
        &["api", "client", "clusters", "explain", "fabric", "machine", "runtime", "shell", "sim"],
    ),
    ("lesson", &["api", "client", "machine", "sim", "view"]),
    ("checkers", &["*"]),
    ("cluster", &["*"]),
    ("clusters", &["*"]),
    ("session", &["*"]),
];

/// Uses that no row allows, each with its reason: a file of `core/src`, and a room.
const EXCEPTIONS: &[(&str, &str)] = &[
    // A fault is named in the protocol, since lessons and the page cause faults too; `sandbar` reads
    // its arguments into that same type and hands it to the clusters.
    ("programs/sandbar/fault.rs", "session"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Rust files below a folder, sorted, with their text.
fn rust_files(dir: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).expect("a source file is readable");
                found.push((path, text));
            }
        }
    }
    found.sort();
    found
}

/// The code of a file: without comments, and without what follows `#[cfg(test)]` on a module.
/// Files `tests.rs` and `testing.rs` are such modules, and those in folders of these names.
fn code(path: &Path, text: &str) -> String {
    let test_module =
        |s: Option<&std::ffi::OsStr>| s.is_some_and(|s| s == "tests" || s == "testing");
    if test_module(path.file_stem()) || test_module(path.parent().and_then(Path::file_name)) {
        return String::new();
    }
    let text = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or(text);
    text.lines().map(|l| l.split("//").next().unwrap_or(l)).collect::<Vec<_>>().join("\n")
}

/// Rooms named after `crate::` in some code, groups `crate::{a, b::c}` included.
fn used_rooms(code: &str) -> BTreeSet<String> {
    let name =
        |s: &str| s.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut used = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue; // the end of a longer path: some_crate::
        }
        let rest = &code[at + "crate::".len()..];
        let Some(group) = rest.strip_prefix('{') else {
            used.insert(name(rest));
            continue;
        };
        let (mut depth, mut fresh) = (0, true);
        for (i, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => fresh = true,
                c if fresh && depth == 0 && !c.is_whitespace() => {
                    used.insert(name(&group[i..]));
                    fresh = false;
                }
                _ => {}
            }
        }
    }
    used
}

fn room_of(path: &Path, src: &Path) -> String {
    let inside = path.strip_prefix(src).expect("below src");
    let first = inside.components().next().expect("not empty").as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

#[test]
fn rooms_use_only_what_their_row_allows() {
    let src = root().join("core/src");
    let rooms: BTreeSet<&str> = WALLS.iter().map(|(room, _)| *room).collect();
    let (mut wrong, mut unused) = (Vec::new(), EXCEPTIONS.to_vec());
    for (path, text) in rust_files(&src) {
        let room = room_of(&path, &src);
        let file = path.strip_prefix(&src).expect("below src").to_string_lossy();
        if room == "lib" {
            continue;
        }
        let Some((_, allowed)) = WALLS.iter().find(|(name, _)| *name == room) else {
            wrong.push(format!("{}: the room {room} has no row in WALLS", path.display()));
            continue;
        };
        for used in used_rooms(&code(&path, &text)) {
            if EXCEPTIONS.contains(&(&*file, used.as_str())) {
                unused.retain(|e| *e != (&*file, used.as_str()));
                continue;
            }
            let fine = used == room || allowed.contains(&"*") || allowed.contains(&used.as_str());
            if rooms.contains(used.as_str()) && !fine {
                wrong.push(format!("{}: {room} uses {used}", path.display()));
            }
        }
    }
    wrong.extend(unused.iter().map(|(file, room)| format!("{file} no longer uses {room}")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_engine_knows_no_real_time_no_threads_and_no_unseeded_chance() {
    const FORBIDDEN: &[&str] = &[
        "SystemTime",
        "Instant::now",
        "Timestamp::now",
        "Zoned::now",
        "std::thread",
        "TcpStream",
        "TcpListener",
        "UdpSocket",
        "std::fs",
        "fastrand::u",
        "fastrand::Rng::new()",
        "println!",
        "eprintln!",
        "dbg!",
        "todo!",
        "unimplemented!",
    ];
    let mut wrong = Vec::new();
    for (path, text) in rust_files(&root().join("core/src")) {
        let code = code(&path, &text);
        for word in FORBIDDEN.iter().filter(|w| code.contains(**w)) {
            wrong.push(format!("{}: {word}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_is_and_none_is_too_long() {
    let mut wrong = Vec::new();
    for dir in ["core", "web", "server", "tests", "xtask"] {
        for (path, text) in rust_files(&root().join(dir)) {
            if !text.starts_with("//!") {
                wrong.push(format!("{}: does not open with //!", path.display()));
            }
            let lines = text.lines().count();
            if lines > 600 && !text.contains("//! Long because") {
                wrong.push(format!("{}: {lines} lines; give its parts files", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_page_sees_the_session_and_the_view_only() {
    let allowed = ["session", "view", "sim"]; // `sim` for its `Time`
    let mut wrong = Vec::new();
    for (path, text) in rust_files(&root().join("web/src")) {
        let code = code(&path, &text).replace("sandbar_core::", " crate::");
        let uses_core = text.contains("sandbar_core");
        for used in used_rooms(&code) {
            let is_room = WALLS.iter().any(|(room, _)| *room == used);
            if uses_core && is_room && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{}: uses core's {used}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn uses_are_found_in_groups_and_not_in_longer_names() {
    let code = "use crate::{api::{Kind, name}, store, sim::Time};\nuse other_crate::client::X;\n\
                let x = crate::fabric::y();";
    let used: Vec<String> = used_rooms(code).into_iter().collect();
    assert_eq!(used, ["api", "fabric", "sim", "store"]);
}
