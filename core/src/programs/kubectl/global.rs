//! Flags that every verb takes and that say something about kubectl itself.

use std::{future::Future, time::Duration};

use super::{
    Cx, Error,
    flags::Parsed,
    kubeconfig::{self, Files},
    logging,
};
use crate::{
    api::{duration, gofmt::quote},
    sim::{Either, race},
};

/// What `--profile` knows.
const PROFILES: &[&str] = &["cpu", "heap", "goroutine", "threadcreate", "block", "mutex", "trace"];

/// Honours what can be honoured before a verb runs. Errors: a value makes no sense, or the sandbox
/// does not have what is asked for.
pub async fn check(cx: &Cx, p: &Parsed) -> Result<(), Error> {
    timeout(p)?;
    modules(p)?;
    match p.str("profile") {
        // `debug` has a flag of this name for itself.
        "" | "none" => {}
        _ if p.path.ends_with(" debug") => {}
        known if PROFILES.contains(&known) => {
            return Err(Error::plain(format!(
                "profiles of kubectl itself ({known}) are not simulated in this sandbox"
            )));
        }
        other => return Err(Error::plain(format!("unknown profile '{other}'"))),
    }
    if p.path.starts_with("kubectl config ") {
        return Ok(());
    }
    if !p.str("proxy-url").is_empty() {
        return Err(Error::plain("proxies (--proxy-url) are not simulated in this sandbox"));
    }
    if !p.str("tls-server-name").is_empty() {
        return Err(Error::plain(
            "names in servers' certificates (--tls-server-name) are not simulated in this sandbox",
        ));
    }
    let authority = p.str("certificate-authority");
    if !authority.is_empty() && !cx.proc.exists(authority) {
        let cluster = kubeconfig::cluster_in_force(&cx.proc, p);
        return Err(Error::plain(format!(
            "unable to read certificate-authority {authority} for {cluster} due to open \
             {authority}: no such file or directory"
        )));
    }
    if p.bool("insecure-skip-tls-verify") && !authority.is_empty() {
        return Err(Error::plain(
            "specifying a root certificates file with the insecure flag is not allowed",
        ));
    }
    if p.int("v") >= logging::REQUESTS {
        for path in Files::of(&cx.proc, p).paths.iter().filter(|path| cx.proc.exists(path)) {
            let text = format!("Config loaded from file:  {path}");
            cx.log.info(&cx.proc, "loader.go:408", &text);
        }
    }
    if p.bool("match-server-version") && !p.path.ends_with(" version") {
        cx.connect(p, 0)?;
        return Err(Error::plain(versions_differ()));
    }
    Ok(())
}

/// `--request-timeout` in nanoseconds; 0: none. Errors as `clientcmd.ParseTimeout` words them.
pub fn timeout(p: &Parsed) -> Result<i64, Error> {
    let text = p.str("request-timeout");
    match text.parse::<i64>() {
        _ if text.is_empty() => return Ok(0),
        Ok(seconds) if seconds >= 0 => return Ok(seconds.saturating_mul(1_000_000_000)),
        _ => {}
    }
    duration::parse_go(text).map_err(|_| {
        Error::plain(
            "Invalid timeout value. Timeout must be a single integer in seconds, or an integer \
             followed by a corresponding time unit (e.g. 1s | 2m | 3h)",
        )
    })
}

/// Does something that one answer of the server may take long for. `None`: it took longer than
/// `--request-timeout` allows.
pub async fn within<T>(
    cx: &Cx,
    p: &Parsed,
    work: impl Future<Output = T>,
) -> Result<Option<T>, Error> {
    let nanos = timeout(p)?;
    if nanos <= 0 {
        return Ok(Some(work.await));
    }
    match race(work, cx.proc.sleep(Duration::from_nanos(nanos.unsigned_abs()))).await {
        Either::Left(done) => Ok(Some(done)),
        Either::Right(()) => Ok(None),
    }
}

/// `--vmodule`: what klog makes of it, and that it does nothing here.
fn modules(p: &Parsed) -> Result<(), Error> {
    let text = p.str("vmodule");
    let fits = |part: &str| match part.split_once('=') {
        Some((file, level)) => !file.is_empty() && level.parse::<i32>().is_ok(),
        None => part.is_empty(),
    };
    if !text.split(',').all(fits) {
        let text = quote(text);
        return Err(Error::plain(format!(
            "invalid argument {text} for \"--vmodule\" flag: syntax error: expect comma-separated \
             list of filename=N\nSee '{} --help' for usage.",
            p.path
        )));
    }
    if !text.is_empty() {
        return Err(Error::plain(
            "levels of single files (--vmodule) are not simulated in this sandbox; -v is",
        ));
    }
    Ok(())
}

fn versions_differ() -> String {
    use super::verbs::{CLIENT_VERSION, SERVER_VERSION};
    let info = |version: &str, known: [&str; 6]| {
        let minor = version.split('.').nth(1).unwrap_or("0");
        let [emulation_major, emulation, least_major, least, commit, go] = known;
        let built = if commit.is_empty() { "2026-06-09T00:00:00Z" } else { "2026-09-23T17:10:04Z" };
        format!(
            "version.Info{{Major:\"1\", Minor:\"{minor}\", EmulationMajor:\"{emulation_major}\", \
             EmulationMinor:\"{emulation}\", MinCompatibilityMajor:\"{least_major}\", \
             MinCompatibilityMinor:\"{least}\", GitVersion:\"{version}\", GitCommit:\"{commit}\", \
             GitTreeState:\"clean\", BuildDate:\"{built}\", GoVersion:\"{go}\", Compiler:\"gc\", \
             Platform:\"linux/amd64\"}}"
        )
    };
    let commit = "f78e722310e50bcaca9276be22276d9e91d91308";
    format!(
        "server version (&{}) differs from client version ({})",
        info(SERVER_VERSION, ["1", "36", "1", "35", "", "go1.26"]),
        info(CLIENT_VERSION, ["", "", "", "", commit, "go1.26.8"])
    )
}
