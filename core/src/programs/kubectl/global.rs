//! Flags that every verb takes and that say something about kubectl itself.

use super::{Cx, Error, flags::Parsed, kubeconfig::Files};
use crate::api::duration;

/// What `--profile` knows.
const PROFILES: &[&str] = &["cpu", "heap", "goroutine", "threadcreate", "block", "mutex", "trace"];

/// From this level on requests are logged.
const LOGS_REQUESTS: i64 = 6;

/// Honours what can be honoured before a verb runs. Errors: a value makes no sense, or the sandbox
/// does not have what is asked for.
pub async fn check(cx: &Cx, p: &Parsed) -> Result<(), Error> {
    timeout(p)?;
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
    if !p.str("proxy-url").is_empty() {
        return Err(Error::plain("proxies (--proxy-url) are not simulated in this sandbox"));
    }
    if p.bool("insecure-skip-tls-verify") && !p.str("certificate-authority").is_empty() {
        return Err(Error::plain(
            "specifying a root certificates file with the insecure flag is not allowed",
        ));
    }
    if p.int("v") >= LOGS_REQUESTS {
        for path in Files::of(&cx.proc, p).paths.iter().filter(|path| cx.proc.exists(path)) {
            let text = format!("\"Config loaded\" file=\"{path}\"");
            cx.err(&cx.klog('I', "loader.go:405", &text)).await;
        }
        cx.err("kubectl's requests are not logged in this sandbox, whatever -v says\n").await;
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
    if let Ok(seconds) = text.parse::<i64>() {
        return Ok(seconds.saturating_mul(1_000_000_000));
    }
    duration::parse_go(text).map_err(|_| {
        Error::plain(
            "Invalid timeout value. Timeout must be a single integer in seconds, or an integer \
             followed by a corresponding time unit (e.g. 1s | 2m | 3h)",
        )
    })
}

fn versions_differ() -> String {
    use super::verbs::{CLIENT_VERSION, SERVER_VERSION};
    let info = |version: &str| {
        let minor = version.split('.').nth(1).unwrap_or("0");
        format!(
            "version.Info{{Major:\"1\", Minor:\"{minor}\", GitVersion:\"{version}\", \
             GitTreeState:\"clean\", Compiler:\"gc\", Platform:\"linux/amd64\"}}"
        )
    };
    format!(
        "server version ({}) differs from client version ({})!",
        info(SERVER_VERSION),
        info(CLIENT_VERSION)
    )
}
