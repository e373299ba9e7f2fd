//! `hostname`.

use super::support::opts::{Spec, options};
use crate::machine::{Proc, Program};

/// `hostname`
pub const PROGRAM: Program = Program {
    name: "hostname",
    summary: "show or set the host name",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec =
    Spec { usage: "hostname [-i] [-s] [NAME]", short: "iIsf", long: &[], trouble: 1 };

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    if let Some(name) = options.rest.first() {
        if proc.who().uid != 0 {
            proc.eprint("hostname: you must be root to change the host name\n").await;
            return 1;
        }
        proc.machine().set_hostname(name);
        return 0;
    }
    let host = proc.machine().hostname();
    if options.has('i') || options.has('I') {
        // What /etc/hosts says of the own name, as the resolver would find it first.
        let hosts = proc.read_text("/etc/hosts").unwrap_or_default();
        let address = hosts.lines().filter(|l| !l.trim_start().starts_with('#')).find_map(|line| {
            let mut words = line.split_whitespace();
            let address = words.next()?;
            words.any(|word| word == host).then(|| address.to_string())
        });
        let Some(address) = address else {
            proc.eprint(&format!("hostname: {host}: Unknown host\n")).await;
            return 1;
        };
        proc.print(&format!("{address}\n")).await;
        return 0;
    }
    let shown = if options.has('s') { host.split('.').next().unwrap_or(&host) } else { &host };
    proc.print(&format!("{shown}\n")).await;
    0
}
