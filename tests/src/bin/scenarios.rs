//! Plays scenarios and prints where our answers differ: `scenarios [--record] [NAME…]`.
//!
//! With `--record` the answers of our own scenarios (`scenarios/own`, `scenarios/sandbar`) are written beside them, to be
//! read and compared with upstream before they are kept. Recordings of the real cluster stay.

use std::path::PathBuf;

use sandbar_tests::scenario::{
    files,
    normal::Rules,
    play::{answers, play},
};

fn main() {
    let mut wanted: Vec<String> = std::env::args().skip(1).collect();
    let record = wanted.iter().any(|w| w == "--record");
    wanted.retain(|w| w != "--record");
    let rules = Rules::default();
    let (mut same, mut all) = (0, 0);
    for path in files(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scenarios")) {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if !wanted.is_empty() && !wanted.contains(&stem) {
            continue;
        }
        if record {
            if !path.parent().is_some_and(|folder| folder.ends_with("reference")) {
                std::fs::write(path.with_extension("txt"), answers(&path)).expect("a recording");
                println!("## {stem}: recorded");
            }
            continue;
        }
        let pairs = play(&path, &rules);
        let equal = pairs.iter().filter(|p| p.wanted == p.got).count();
        for pair in pairs.iter().filter(|p| p.wanted != p.got) {
            println!("== {}\n--- wanted\n{}\n+++ got\n{}", pair.name, pair.wanted, pair.got);
        }
        println!("## {stem}: {equal} of {}", pairs.len());
        same += equal;
        all += pairs.len();
    }
    println!("{same} of {all} commands answered the same");
}
