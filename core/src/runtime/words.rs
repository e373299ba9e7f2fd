//! Names for containers that were given none: an adjective and somebody to remember.

use crate::sim::Sim;

const LEFT: &[&str] = &[
    "admiring",
    "bold",
    "brave",
    "calm",
    "clever",
    "cool",
    "dazzling",
    "eager",
    "elastic",
    "festive",
    "focused",
    "friendly",
    "gallant",
    "gifted",
    "happy",
    "hopeful",
    "inspiring",
    "jolly",
    "keen",
    "kind",
    "laughing",
    "loving",
    "lucid",
    "modest",
    "nifty",
    "optimistic",
    "peaceful",
    "quirky",
    "relaxed",
    "serene",
    "sharp",
    "sweet",
    "tender",
    "upbeat",
    "vibrant",
    "wizardly",
    "youthful",
    "zealous",
    "zen",
];
const RIGHT: &[&str] = &[
    "agnesi", "babbage", "bardeen", "bell", "bohr", "borg", "cerf", "curie", "darwin", "dijkstra",
    "einstein", "elion", "euclid", "euler", "fermat", "feynman", "galileo", "gates", "germain",
    "goldberg", "goodall", "hamilton", "hopper", "hypatia", "jackson", "johnson", "kepler",
    "knuth", "lamport", "liskov", "lovelace", "meitner", "mendel", "newton", "noether", "pascal",
    "ritchie", "shannon", "thompson", "torvalds", "turing", "wing",
];

/// A name like `calm_hopper`.
pub fn random_name(sim: &Sim) -> String {
    let left = LEFT[sim.random(LEFT.len() as u64) as usize];
    let right = RIGHT[sim.random(RIGHT.len() as u64) as usize];
    format!("{left}_{right}")
}
