//! The real kubectl as judge. `SANDBAR_KUBECTL` names its folder (`cargo xtask test kubectl` sets it).
//!
//! Each scenario is played twice, side by side in two worlds that begin alike: with the real kubectl
//! against an endpoint, and with our kubectl inside. (a) What the real one says is compared with the
//! recording of a real cluster; (b) what both say is compared to the byte. Our own scenarios have no
//! recording of a real cluster: they count for (b) only. Known differences are in
//! `tests/scenarios/kubectl-recorded.txt` and `kubectl-equal.txt`, each with its reason; one that is
//! not listed fails, and so does a line that is no longer true.
//!
//! Time stands still while a command computes and passes while it waits: as long as it has a watch
//! or another stream open.

mod judge;
mod stage;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Instant,
};

use judge::{Counts, Known, complaints, judge, listed};
use sandbar_tests::scenario::{
    normal::Rules,
    play::{is_bare, is_whole, steps},
};
use stage::Stage;

/// How often a scenario is played at most: what the real kubectl does within a moment, and when it
/// stops waiting, are its own chance, and a difference counts that is there each time.
const PLAYS: usize = 3;

/// Scenarios, with those first that take longest.
fn scenarios(folder: &Path) -> Vec<PathBuf> {
    let chosen = std::env::var("SANDBAR_SCENARIOS").unwrap_or_default();
    let chosen: Vec<&str> = chosen.split_whitespace().collect();
    let stem = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut paths: Vec<PathBuf> = sandbar_tests::scenario::files(folder)
        .into_iter()
        // No real cluster has `sandbar`, and no real kubectl plays its scenarios.
        .filter(|path| !path.parent().is_some_and(|folder| folder.ends_with("sandbar")))
        // Those without a cluster of this kind are about the sandbox's own programs.
        .filter(|path| !is_bare(&stem(path)))
        .filter(|path| chosen.is_empty() || chosen.contains(&stem(path).as_str()))
        .collect();
    paths.sort_by_key(|path| (!is_whole(&stem(path)), path.clone()));
    paths
}

/// Plays a scenario, and again if it surprises, and says how it went.
fn played_until_sure(
    path: &Path,
    known: &Known,
    rules: &Rules,
    kubectl: &Path,
    into: &Path,
) -> Counts {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let scenario = fs::read_to_string(path).unwrap();
    let own = path.parent().is_some_and(|folder| folder.ends_with("own"));
    let recording = (!own).then(|| fs::read_to_string(path.with_extension("txt")).unwrap());
    for play in 1.. {
        let begun = Instant::now();
        let steps = steps(&scenario);
        let mut stage = Stage::new(&stem, &steps, kubectl, into);
        let pairs = stage.play(steps);
        let mut counts = Counts::default();
        let (recorded, equal) = judge(&stem, &pairs, recording.as_deref(), rules, &mut counts);
        let recorded = if own { "own".into() } else { format!("{recorded} as recorded") };
        println!(
            "{stem}: {recorded}, {equal} equal, of {} ({:.1} s)",
            pairs.len(),
            begun.elapsed().as_secs_f64()
        );
        match known.surprise(&counts) {
            Some(name) if play < PLAYS => println!("{name} differs: {stem} is played again"),
            _ => return counts,
        }
    }
    unreachable!("the last play returns")
}

#[test]
fn the_real_kubectl_says_what_was_recorded_and_what_ours_says() {
    let Ok(kubectl) = std::env::var("SANDBAR_KUBECTL") else {
        println!(
            "not played: SANDBAR_KUBECTL names no folder; `cargo xtask test kubectl` installs it"
        );
        return;
    };
    let kubectl = PathBuf::from(kubectl);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/scenarios");
    let into = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kubectl");
    let queue = Arc::new(Mutex::new(scenarios(&folder)));
    let (counts, played) =
        (Arc::new(Mutex::new(Counts::default())), Arc::new(Mutex::new(BTreeSet::new())));
    let lists = ["kubectl-recorded.txt", "kubectl-equal.txt"].map(|name| folder.join(name));
    let known = Arc::new(Known { recorded: listed(&lists[0]), equal: listed(&lists[1]) });
    let workers: Vec<_> = (0..2)
        .map(|_| {
            let (queue, counts, played) = (queue.clone(), counts.clone(), played.clone());
            let (kubectl, into, known) = (kubectl.clone(), into.clone(), known.clone());
            std::thread::Builder::new()
                .stack_size(16 << 20)
                .spawn(move || {
                    let rules = Rules::default();
                    loop {
                        let next = {
                            let mut queue = queue.lock().unwrap();
                            (!queue.is_empty()).then(|| queue.remove(0))
                        };
                        let Some(path) = next else { return };
                        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
                        counts
                            .lock()
                            .unwrap()
                            .merge(played_until_sure(&path, &known, &rules, &kubectl, &into));
                        played.lock().unwrap().insert(stem);
                    }
                })
                .unwrap()
        })
        .collect();
    for worker in workers {
        worker.join().expect("a scenario was played");
    }
    let (counts, played) = (counts.lock().unwrap(), played.lock().unwrap());
    let mut wrong = complaints(&[&counts.recorded], &known.recorded, &lists[0], &played);
    let equal = [&counts.equal, &counts.own];
    wrong.extend(complaints(&equal, &known.equal, &lists[1], &played));
    println!(
        "(a) {} of {} commands: the real kubectl answers as recorded on a real cluster",
        counts.recorded.same, counts.recorded.all
    );
    println!(
        "(b) {} of {} commands: our kubectl answers as the real one; of our own scenarios {} of {} \
         ({} of all but for times, ids and a chance order)",
        counts.equal.same,
        counts.equal.all,
        counts.own.same,
        counts.own.all,
        counts.nearly.len()
    );
    if let Ok(path) = std::env::var("SANDBAR_DIFFERENCES") {
        let mut text = String::new();
        for (what, different) in [
            ("a", &counts.recorded.different),
            ("b", &counts.equal.different),
            ("b own", &counts.own.different),
            ("b but for times, ids and a chance order", &counts.nearly),
        ] {
            for (name, difference) in different {
                text.push_str(&format!("== ({what}) {name}\n{difference}\n"));
            }
        }
        fs::write(path, text).unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
