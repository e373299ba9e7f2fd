//! `curl`: asks for pages.

mod options;
mod transfer;

use std::time::Duration;

use crate::machine::{Proc, Program};
use options::Options;

/// `curl`
pub const PROGRAM: Program = Program {
    name: "curl",
    summary: "transfer a URL",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const VERSION: &str = "8.5.0";

const HELP: &str = "Usage: curl [options...] <url>
 -d, --data <data>          Send this with POST
 -f, --fail                 Fail without output where the server says no
 -H, --header <header>      Send this header
 -I, --head                 Show headers only
 -i, --include              Show headers as well
 -L, --location             Follow redirects
 -m, --max-time <seconds>   Patience in all
     --connect-timeout <s>  Patience for connecting
 -o, --output <file>        Write to a file
 -s, --silent               Show neither progress nor errors
 -S, --show-error           With -s: show errors
 -v, --verbose              Show what is sent and received
 -w, --write-out <format>   Print this when done (%{http_code} …)
 -X, --request <method>     Use this method
     --retry <num>          Try again where that may help
";

async fn main(proc: Proc) -> i32 {
    let first = proc.args().get(1).map_or("", String::as_str);
    if matches!(first, "-V" | "--version") {
        let text = format!("curl {VERSION} (x86_64-pc-linux-gnu) (simulated)\nProtocols: http\n");
        proc.print(&text).await;
        return 0;
    }
    if matches!(first, "-h" | "--help") {
        proc.print(HELP).await;
        return 0;
    }
    let options = match Options::parse(&proc) {
        Ok(options) => options,
        Err((text, code)) => {
            proc.eprint(&text).await;
            return code;
        }
    };
    let mut code = 0;
    for (number, url) in options.urls.iter().enumerate() {
        let mut tries = 0;
        code = loop {
            let (code, again) = transfer::run(&proc, &options, url, number).await;
            if !again || tries >= options.retries {
                break code;
            }
            tries += 1;
            // One second, doubled each time, ten minutes at most.
            let wait = Duration::from_secs(1 << (tries - 1).min(9));
            let wait = options.retry_delay.unwrap_or(wait);
            if !options.silent {
                let left = options.retries - tries;
                let text = format!(
                    "Warning: Problem: transient error. Will retry in {} seconds. {left} retries \
                        left.\n",
                    wait.as_secs()
                );
                proc.eprint(&text).await;
            }
            proc.sleep(wait).await;
        };
    }
    code
}
