//! The programs that files on machines can refer to: one file (or folder) and one line each.
//!
//! A program is an `async fn` over a [`Proc`](crate::machine::Proc). Which machine has which programs
//! is decided by its files (`Fs::install`), so that images differ as real ones do.

mod busybox;
mod cat;
mod clear;
mod echo;
mod r#false;
mod init;
pub mod kubectl;
mod ls;
mod printf;
mod pwd;
mod sh;
mod sleep;
pub mod support;
mod test;
mod r#true;

use crate::machine::Program;

/// All programs, sorted by name.
pub static PROGRAMS: &[&Program] = &[
    &test::BRACKET,
    &sh::ASH,
    &sh::BASH,
    &busybox::PROGRAM,
    &cat::PROGRAM,
    &clear::PROGRAM,
    &sh::DASH,
    &echo::PROGRAM,
    &r#false::PROGRAM,
    &init::PROGRAM,
    &kubectl::PROGRAM,
    &ls::PROGRAM,
    &printf::PROGRAM,
    &pwd::PROGRAM,
    &sleep::PROGRAM,
    &test::PROGRAM,
    &r#true::PROGRAM,
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
