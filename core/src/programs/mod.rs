//! The programs that files on machines can refer to: one file (or folder) and one line each.
//!
//! A program is an `async fn` over a [`Proc`](crate::machine::Proc). Which machine has which programs
//! is decided by its files (`Fs::install`), so that images differ as real ones do.

#[cfg(feature = "cluster")]
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
#[cfg(feature = "cluster")]
mod curl;
mod cut;
mod date;
mod df;
mod diff;
mod dirname;
#[cfg(feature = "cluster")]
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
#[cfg(feature = "cluster")]
mod ip;
mod kill;
#[cfg(feature = "cluster")]
pub mod kubectl;
#[cfg(not(feature = "cluster"))]
mod later;
mod less;
mod ln;
mod ls;
mod man;
mod md5sum;
#[cfg(feature = "cluster")]
pub mod minikube;
mod mkdir;
mod mktemp;
mod mv;
mod nano;
#[cfg(feature = "cluster")]
mod nc;
mod nl;
mod nohup;
mod nproc;
#[cfg(feature = "cluster")]
mod nslookup;
#[cfg(feature = "cluster")]
mod openssl;
#[cfg(feature = "cluster")]
mod ping;
mod pkill;
mod printenv;
pub(crate) mod printf;
mod ps;
mod pwd;
mod readlink;
mod realpath;
#[cfg(feature = "cluster")]
mod redis_cli;
mod rev;
mod rm;
mod rmdir;
#[cfg(feature = "cluster")]
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
pub mod tar;
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
#[cfg(feature = "cluster")]
mod wget;
mod which;
mod whoami;
mod xargs;
mod yes;

use crate::machine::Program;

/// All programs, sorted by name.
pub static PROGRAMS: &[&Program] = &[
    &test::BRACKET,
    #[cfg(feature = "cluster")]
    &apt_get::PROGRAM,
    #[cfg(not(feature = "cluster"))]
    &later::APT_GET,
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
    #[cfg(feature = "cluster")]
    &curl::PROGRAM,
    #[cfg(not(feature = "cluster"))]
    &later::CURL,
    &cut::PROGRAM,
    &sh::DASH,
    &date::PROGRAM,
    &df::PROGRAM,
    &diff::PROGRAM,
    &dirname::PROGRAM,
    #[cfg(feature = "cluster")]
    &docker::PROGRAM,
    #[cfg(not(feature = "cluster"))]
    &later::DOCKER,
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
    #[cfg(feature = "cluster")]
    &ip::IFCONFIG,
    #[cfg(not(feature = "cluster"))]
    &later::IFCONFIG,
    &init::PROGRAM,
    #[cfg(feature = "cluster")]
    &ip::PROGRAM,
    #[cfg(not(feature = "cluster"))]
    &later::IP,
    &kill::PROGRAM,
    #[cfg(feature = "cluster")]
    &kubectl::PROGRAM,
    #[cfg(not(feature = "cluster"))]
    &later::KUBECTL,
    &less::PROGRAM,
    &ln::PROGRAM,
    &ls::PROGRAM,
    &man::PROGRAM,
    &md5sum::PROGRAM,
    #[cfg(feature = "cluster")]
    &minikube::PROGRAM,
    #[cfg(not(feature = "cluster"))]
    &later::MINIKUBE,
    &mkdir::PROGRAM,
    &mktemp::PROGRAM,
    &less::MORE,
    &mv::PROGRAM,
    &nano::PROGRAM,
    #[cfg(feature = "cluster")]
    &nc::PROGRAM,
    #[cfg(not(feature = "cluster"))]
    &later::NC,
    &nl::PROGRAM,
    &nohup::PROGRAM,
    &nproc::PROGRAM,
    #[cfg(feature = "cluster")]
    &nslookup::PROGRAM,
    #[cfg(feature = "cluster")]
    &nslookup::OLD,
    #[cfg(not(feature = "cluster"))]
    &later::NSLOOKUP,
    #[cfg(feature = "cluster")]
    &openssl::PROGRAM,
    #[cfg(not(feature = "cluster"))]
    &later::OPENSSL,
    &pkill::PGREP,
    #[cfg(feature = "cluster")]
    &ping::PROGRAM,
    #[cfg(not(feature = "cluster"))]
    &later::PING,
    &pkill::PROGRAM,
    &printenv::PROGRAM,
    &printf::PROGRAM,
    &ps::PROGRAM,
    &pwd::PROGRAM,
    &readlink::PROGRAM,
    &realpath::PROGRAM,
    #[cfg(feature = "cluster")]
    &redis_cli::PROGRAM,
    #[cfg(not(feature = "cluster"))]
    &later::REDIS_CLI,
    &rev::PROGRAM,
    &rm::PROGRAM,
    &rmdir::PROGRAM,
    #[cfg(feature = "cluster")]
    &sandbar::PROGRAM,
    #[cfg(not(feature = "cluster"))]
    &later::SANDBAR,
    &sed::PROGRAM,
    &seq::PROGRAM,
    &md5sum::SHA256,
    &sleep::PROGRAM,
    &sort::PROGRAM,
    &stat::PROGRAM,
    &sudo::PROGRAM,
    &tac::PROGRAM,
    &tail::PROGRAM,
    &tar::PROGRAM,
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
    #[cfg(feature = "cluster")]
    &wget::PROGRAM,
    #[cfg(not(feature = "cluster"))]
    &later::WGET,
    &which::PROGRAM,
    &whoami::PROGRAM,
    &xargs::PROGRAM,
    &yes::PROGRAM,
];

/// A program by name: one of these, or one that only images have.
pub fn find(name: &str) -> Option<&'static Program> {
    match PROGRAMS.binary_search_by(|p| p.name.cmp(name)) {
        Ok(index) => Some(PROGRAMS[index]),
        #[cfg(feature = "cluster")]
        Err(_) => crate::runtime::images::program(name),
        #[cfg(not(feature = "cluster"))]
        Err(_) => None,
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
