//! What has to be there before a step can run: Node and its packages.

use crate::{
    Res,
    shell::{cmd, fingerprint, is_fresh, on_path, output, root, run, say, set_stamp},
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
