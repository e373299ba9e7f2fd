//! The programs that files on machines can refer to: one file (or folder) and one line each.
//!
//! A program is an `async fn` over a [`Proc`](crate::machine::Proc). Which machine has which programs
//! is decided by its files (`Fs::install`), so that images differ as real ones do.

mod apt_get;
mod arch;
mod awk;
mod base64;
mod basename;
mod busybox;
mod cat;
mod chmod;
mod chown;
mod clear;
mod cp;
mod curl;
mod cut;
mod date;
mod df;
mod diff;
mod dirname;
mod docker;
mod du;
mod echo;
mod edit;
mod env;
mod expr;
mod r#false;
mod find;
mod free;
mod grep;
mod head;
mod hostname;
mod id;
mod init;
mod ip;
mod kill;
pub mod kubectl;
mod less;
mod ln;
mod ls;
mod man;
mod md5sum;
pub mod minikube;
mod mkdir;
mod mktemp;
mod mv;
mod nano;
mod nc;
mod nl;
mod nohup;
mod nproc;
mod nslookup;
mod ping;
mod pkill;
mod printenv;
pub(crate) mod printf;
mod ps;
mod pwd;
mod readlink;
mod realpath;
mod redis_cli;
mod rev;
mod rm;
mod rmdir;
pub mod sandbar;
mod sed;
mod seq;
mod sh;
mod sleep;
mod sort;
mod stat;
mod sudo;
pub mod support;
mod tac;
mod tail;
mod tee;
mod test;
mod timeout;
mod top;
mod touch;
mod tr;
mod r#true;
mod tty;
mod uname;
mod uniq;
mod uptime;
mod vi;
mod watch;
mod wc;
mod wget;
mod which;
mod whoami;
mod xargs;
mod yes;

use crate::machine::Program;

/// All programs, sorted by name.
pub static PROGRAMS: &[&Program] = &[
    &test::BRACKET,
    &apt_get::PROGRAM,
    &arch::PROGRAM,
    &sh::ASH,
    &awk::PROGRAM,
    &base64::PROGRAM,
    &basename::PROGRAM,
    &sh::BASH,
    &busybox::PROGRAM,
    &cat::PROGRAM,
    &chmod::PROGRAM,
    &chown::PROGRAM,
    &clear::PROGRAM,
    &cp::PROGRAM,
    &curl::PROGRAM,
    &cut::PROGRAM,
    &sh::DASH,
    &date::PROGRAM,
    &df::PROGRAM,
    &diff::PROGRAM,
    &dirname::PROGRAM,
    &docker::PROGRAM,
    &du::PROGRAM,
    &echo::PROGRAM,
    &edit::PROGRAM,
    &grep::EGREP,
    &env::PROGRAM,
    &expr::PROGRAM,
    &r#false::PROGRAM,
    &grep::FGREP,
    &find::PROGRAM,
    &free::PROGRAM,
    &grep::PROGRAM,
    &head::PROGRAM,
    &hostname::PROGRAM,
    &id::PROGRAM,
    &ip::IFCONFIG,
    &init::PROGRAM,
    &ip::PROGRAM,
    &kill::PROGRAM,
    &kubectl::PROGRAM,
    &less::PROGRAM,
    &ln::PROGRAM,
    &ls::PROGRAM,
    &man::PROGRAM,
    &md5sum::PROGRAM,
    &minikube::PROGRAM,
    &mkdir::PROGRAM,
    &mktemp::PROGRAM,
    &less::MORE,
    &mv::PROGRAM,
    &nano::PROGRAM,
    &nc::PROGRAM,
    &nl::PROGRAM,
    &nohup::PROGRAM,
    &nproc::PROGRAM,
    &nslookup::PROGRAM,
    &pkill::PGREP,
    &ping::PROGRAM,
    &pkill::PROGRAM,
    &printenv::PROGRAM,
    &printf::PROGRAM,
    &ps::PROGRAM,
    &pwd::PROGRAM,
    &readlink::PROGRAM,
    &realpath::PROGRAM,
    &redis_cli::PROGRAM,
    &rev::PROGRAM,
    &rm::PROGRAM,
    &rmdir::PROGRAM,
    &sandbar::PROGRAM,
    &sed::PROGRAM,
    &seq::PROGRAM,
    &md5sum::SHA256,
    &sleep::PROGRAM,
    &sort::PROGRAM,
    &stat::PROGRAM,
    &sudo::PROGRAM,
    &tac::PROGRAM,
    &tail::PROGRAM,
    &tee::PROGRAM,
    &test::PROGRAM,
    &timeout::PROGRAM,
    &top::PROGRAM,
    &touch::PROGRAM,
    &tr::PROGRAM,
    &r#true::PROGRAM,
    &tty::PROGRAM,
    &uname::PROGRAM,
    &uniq::PROGRAM,
    &uptime::PROGRAM,
    &vi::PROGRAM,
    &watch::PROGRAM,
    &wc::PROGRAM,
    &wget::PROGRAM,
    &which::PROGRAM,
    &whoami::PROGRAM,
    &xargs::PROGRAM,
    &yes::PROGRAM,
];

/// A program by name: one of these, or one that only images have.
pub fn find(name: &str) -> Option<&'static Program> {
    match PROGRAMS.binary_search_by(|p| p.name.cmp(name)) {
        Ok(index) => Some(PROGRAMS[index]),
        Err(_) => crate::runtime::images::program(name),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn folder_and_table_agree() {
        let folder: BTreeSet<String> = std::fs::read_dir("src/programs")
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().replace(".rs", ""))
            .filter(|name| name != "mod" && name != "support")
            .collect();
        let source = include_str!("mod.rs");
        for name in &folder {
            assert!(source.contains(&format!("{name}::")), "{name} is missing in the table");
        }
        assert!(PROGRAMS.is_sorted_by(|a, b| a.name < b.name), "the table is not sorted");
        assert!(PROGRAMS.iter().all(|p| !p.summary.is_empty()));
    }
}
