//! Whatever is typed: no panic, no endless loop, and always a prompt in the end.
//!
//! `SANDBAR_FUZZ=N` plays N seeds instead of the few that fit into half a minute; `SANDBAR_SEED=S`
//! begins with seed S.

use sandbar_tests::fuzz::play;

/// Seeds that are always played.
const SEEDS: u64 = 4;
/// Lines of each.
const LINES: usize = 60;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn whatever_is_typed_a_prompt_comes_back() {
    let (first, count) = (number("SANDBAR_SEED").unwrap_or(1), number("SANDBAR_FUZZ"));
    let mut wrong = Vec::new();
    for seed in first..first + count.unwrap_or(SEEDS) {
        if let Err(error) = play::check(seed, LINES) {
            println!("{error}\n");
            wrong.push(error);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
