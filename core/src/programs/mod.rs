//! The programs that files on machines can refer to: one file (or folder) and one line each.
//!
//! A program is an `async fn` over a [`Proc`](crate::machine::Proc). Which machine has which programs
//! is decided by its files (`Fs::install`), so that images differ as real ones do.

mod r#false;
pub mod kubectl;
mod r#true;

use crate::machine::Program;

/// All programs, sorted by name.
pub static PROGRAMS: &[&Program] = &[&r#false::PROGRAM, &kubectl::PROGRAM, &r#true::PROGRAM];

/// A program by name.
pub fn find(name: &str) -> Option<&'static Program> {
    let index = PROGRAMS.binary_search_by(|p| p.name.cmp(name)).ok()?;
    Some(PROGRAMS[index])
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
            .filter(|name| name != "mod")
            .collect();
        let source = include_str!("mod.rs");
        for name in &folder {
            assert!(source.contains(&format!("{name}::")), "{name} is missing in the table");
        }
        assert!(PROGRAMS.is_sorted_by(|a, b| a.name < b.name), "the table is not sorted");
        assert!(PROGRAMS.iter().all(|p| !p.summary.is_empty()));
    }
}
