//! Names that the system makes up: uids and the random ends of generated names.

use crate::sim::Sim;

/// Characters of generated names: no vowels, and none that look alike.
/// Models `apimachinery/pkg/util/rand`.
pub const SAFE: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// `n` random characters of [`SAFE`].
pub fn random_suffix(sim: &Sim, n: usize) -> String {
    (0..n).map(|_| SAFE[sim.random(SAFE.len() as u64) as usize] as char).collect()
}

/// Each character of `digits` mapped to one of [`SAFE`], as hashes in names are
/// (`rand.SafeEncodeString`).
pub fn safe_encode(digits: &str) -> String {
    digits.bytes().map(|b| SAFE[b as usize % SAFE.len()] as char).collect()
}

/// A version 4 UUID from the simulation's randomness.
pub fn new_uid(sim: &Sim) -> String {
    let (a, b) = (sim.random(u64::MAX), sim.random(u64::MAX));
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        a >> 32,
        (a >> 16) & 0xffff,
        a & 0xfff,
        0x8000 | ((b >> 48) & 0x3fff),
        b & 0xffff_ffff_ffff
    )
}

/// Longest name that `generateName` makes, random end included (63 for a DNS label).
const MAX_NAME: usize = 63;
const SUFFIX: usize = 5;

/// Models `apiserver/pkg/storage/names.SimpleNameGenerator`.
pub fn generate_name(sim: &Sim, base: &str) -> String {
    let mut end = base.len().min(MAX_NAME - SUFFIX);
    while !base.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{}", &base[..end], random_suffix(sim, SUFFIX))
}
