//! Types random lines into a sandbox and sees to it that each comes to an end.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use sandbar_core::session::protocol::Input;

use super::{lines, manifests};
use crate::{chaos::Chance, driver::Driver};

/// So much simulated time a command has before it is interrupted, and to end after that.
const PATIENCE: Duration = Duration::from_secs(4);
/// So many steps one simulated half second may take; more never ends.
const STEPS: u64 = 3_000_000;
/// So much processor time a command may take. Most take milliseconds.
const WORK: Duration = Duration::from_secs(30);
/// Ways to end what runs: interrupt, end of input, quit of pagers, editors.
const ENDINGS: [&str; 7] = ["\x03", "\x03", "\x04", "q", "\x1b:q!\r", "\x03", "\x1c"];

/// A sandbox with a cluster and a bit of work in it.
fn sandbox(seed: u64) -> Driver {
    let mut driver = Driver::new(seed);
    for command in
        ["minikube start", "kubectl create deployment web --image=nginx:1.25 --replicas=2"]
    {
        let done = driver.run(command, Duration::from_secs(600));
        done.unwrap_or_else(|error| panic!("{error}"));
    }
    driver
}

/// Lets half a second pass; whether that came to an end.
fn pass(driver: &mut Driver) -> bool {
    let until = driver.session.now() + Duration::from_millis(500);
    let reached = driver.session.advance(until, STEPS).reached;
    if reached {
        driver.pass(Duration::ZERO);
    }
    reached
}

/// Whether the prompt came back within a while.
fn prompt(driver: &mut Driver) -> Result<bool, String> {
    let end = driver.session.now() + PATIENCE;
    while driver.session.now() < end {
        if !pass(driver) {
            return Err(format!("half a second takes more than {STEPS} steps"));
        }
        if driver.running.is_none() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Types a line and waits until it ended, with force if need be.
fn line(driver: &mut Driver, text: &str) -> Result<(), String> {
    let start = work();
    driver.keys(&format!("{text}\r"));
    let mut ended = prompt(driver)?;
    for ending in ENDINGS {
        if ended && ending != "\x03" {
            break;
        }
        // An unfinished line is given up as well.
        driver.keys(ending);
        ended = prompt(driver)?;
    }
    if !ended {
        return Err(format!("{:?} can't be ended", driver.running));
    }
    match work().saturating_sub(start) {
        long if long > WORK => Err(format!("it took {long:?} of processor time")),
        _ => Ok(()),
    }
}

/// Processor time of this thread: tests run beside others. Zero where the system does not tell.
fn work() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = told.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0);
    Duration::from_nanos(nanos)
}

/// Plays so many random lines from a seed; what went wrong, with the line.
pub fn check(seed: u64, count: usize) -> Result<(), String> {
    let mut chance = Chance::new(seed);
    let mut driver = sandbox(seed);
    for number in 0..count {
        let text = lines::draw(&mut chance);
        println!("seed {seed}, line {number}: {text}");
        if text.contains("odd.yaml") {
            let path = "/home/learner/odd.yaml".to_owned();
            driver.input(Input::FileSave { path, text: manifests::draw(&mut chance) });
        }
        let file = || {
            let file = text.contains("odd.yaml").then(|| driver_file(seed, number));
            file.flatten().map(|f| format!(" with\n{}", f.chars().take(400).collect::<String>()))
        };
        let played = catch_unwind(AssertUnwindSafe(|| line(&mut driver, &text)));
        let wrong = match played {
            Ok(Ok(())) => continue,
            Ok(Err(wrong)) => wrong,
            Err(panic) => {
                let told = panic.downcast_ref::<String>().cloned();
                let told = told.or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string()));
                // What is left of it can't be trusted, not even to be dropped.
                let file = file().unwrap_or_default();
                std::mem::forget(driver);
                return Err(format!(
                    "seed {seed}, line {number}: `{text}`{file} panicked: {told:?}"
                ));
            }
        };
        let file = file().unwrap_or_default();
        return Err(format!("seed {seed}, line {number}: `{text}`{file}: {wrong}"));
    }
    Ok(())
}

/// The file that was there at a line, drawn once more.
fn driver_file(seed: u64, upto: usize) -> Option<String> {
    let mut chance = Chance::new(seed);
    let mut last = None;
    for _ in 0..=upto {
        if lines::draw(&mut chance).contains("odd.yaml") {
            last = Some(manifests::draw(&mut chance));
        }
    }
    last
}
