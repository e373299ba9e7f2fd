//! Plays every scenario and compares with what the real cluster answered.
//!
//! Commands that differ are listed in `scenarios/exceptions.txt`, each with its reason. A command that
//! is not listed must answer the same.

use std::{collections::BTreeMap, path::PathBuf};

use sandbar_tests::scenario::{files, normal::Rules, play::play};

fn exceptions(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .filter_map(|line| line.split_once(": "))
        .map(|(name, reason)| (name.to_owned(), reason.to_owned()))
        .collect()
}

#[test]
fn answers_are_those_of_the_real_cluster() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let listed = exceptions(&std::fs::read_to_string(folder.join("exceptions.txt")).unwrap());
    let paths = files(&folder);
    let rules = Rules::default();
    let (mut same, mut all, mut wrong) = (0, 0, Vec::new());
    for path in paths {
        for pair in play(&path, &rules) {
            all += 1;
            match (pair.wanted == pair.got, listed.get(&pair.name)) {
                (true, None) => same += 1,
                (true, Some(_)) => {
                    same += 1;
                    println!("{} answers the same now: strike it from the exceptions", pair.name);
                }
                (false, Some(_)) => {}
                (false, None) => {
                    wrong.push(format!("== {}\n--- {}\n+++ {}", pair.name, pair.wanted, pair.got))
                }
            }
        }
    }
    println!("{same} of {all} commands answered the same");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(same >= 690, "only {same} of {all} commands answered the same");
}
