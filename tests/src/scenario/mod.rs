//! Scenarios: commands and what a real cluster answered to them, played with our kubectl in virtual
//! time.
//!
//! - `scenarios/reference/`: `*.scn` and `*.txt`, recorded with the real kubectl on a real cluster.
//! - `scenarios/own/`: likewise, for what the recordings do not reach; the answers are ours, held
//!   against upstream's source.
//! - [`play`]: reads a scenario and plays it in a [`world`].
//! - [`normal`]: makes answers comparable, as the recordings' own tool does.

pub mod normal;
pub mod play;
pub mod world;

use std::path::{Path, PathBuf};

/// All scenario files below a folder, sorted by name: recordings of the real cluster (`reference`), our
/// own that kubectl plays (`own`), and those of `sandbar`, which no real cluster has.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let list = |name: &str| std::fs::read_dir(folder.join(name)).expect("a folder of scenarios");
    let all = ["reference", "own", "sandbar"].into_iter().flat_map(list);
    let mut paths: Vec<PathBuf> = all
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "scn"))
        .collect();
    paths.sort();
    paths
}
