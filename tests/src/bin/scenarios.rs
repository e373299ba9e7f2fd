//! Plays scenarios and prints where our answers differ: `scenarios [NAME…]`.

use std::path::PathBuf;

use sandbar_tests::scenario::{normal::Rules, play::play};

fn main() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scenarios/reference");
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("the folder of scenarios")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "scn"))
        .collect();
    paths.sort();
    let rules = Rules::default();
    let (mut same, mut all) = (0, 0);
    for path in paths {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if !wanted.is_empty() && !wanted.contains(&stem) {
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
