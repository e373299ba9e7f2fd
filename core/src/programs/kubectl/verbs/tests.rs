//! What holds for every verb.

use std::collections::BTreeSet;

use super::*;
use crate::programs::kubectl::flags::{Parsed, find::find};

fn visit(way: &mut Vec<&'static Command>, f: &mut impl FnMut(&[&'static Command])) {
    f(way);
    let Some(command) = way.last().copied() else { return };
    for sub in command.subcommands {
        way.push(sub);
        visit(way, f);
        way.pop();
    }
}

#[test]
fn every_verb_explains_itself() {
    visit(&mut vec![&ROOT], &mut |way| {
        let path: Vec<&str> = way.iter().map(|c| c.name).collect();
        let (command, path) = (way[way.len() - 1], path.join(" "));
        assert!(!command.short.is_empty(), "{path} has no short help");
        assert!(command.usage.starts_with(command.name), "{path}: usage {}", command.usage);
        let mut names = BTreeSet::new();
        for flag in command.own_flags() {
            assert!(!flag.usage.is_empty(), "{path} --{} has no description", flag.name);
            assert!(names.insert(flag.name), "{path} --{} is there twice", flag.name);
        }
        let mut letters = BTreeSet::new();
        let inherited = GLOBAL.iter().filter(|f| !names.contains(f.name));
        for flag in command.own_flags().chain(inherited).filter(|f| !f.short.is_empty()) {
            assert!(letters.insert(flag.short), "{path} -{} is there twice", flag.short);
        }
        let leaf = command.subcommands.is_empty() && path != "kubectl options";
        assert!(!leaf || !command.examples.is_empty(), "{path} has no examples");
        assert!(command.run.is_some() || !command.subcommands.is_empty(), "{path} does nothing");
    });
}

#[test]
fn examples_are_commands_that_exist() {
    visit(&mut vec![&ROOT], &mut |way| {
        let command = way[way.len() - 1];
        for line in command.examples.lines().filter(|l| l.contains("kubectl ")) {
            if line.trim_start().starts_with('#') {
                continue;
            }
            let line = line.rsplit("| ").find(|part| part.contains("kubectl ")).unwrap_or(line);
            let (_, args) = line.split_once("kubectl ").unwrap_or_default();
            let args: Vec<String> = args
                .split(['|', '>'])
                .next()
                .unwrap_or("")
                .split_whitespace()
                .map(String::from)
                .collect();
            let found = find(&ROOT, &[GLOBAL], &args).unwrap_or_else(|e| panic!("{line}: {e}"));
            assert!(found.way.iter().any(|c| c.name == command.name), "{line}");
            let flags = found.command().own_flags().chain(GLOBAL);
            if let Err(e) = Parsed::read("", flags, &found.args) {
                panic!("{line}: {e}");
            }
        }
    });
}

#[test]
fn every_group_names_what_exists_or_is_not_simulated() {
    let known: BTreeSet<&str> = ROOT.subcommands.iter().map(|c| c.name).collect();
    for command in ROOT.subcommands {
        assert_eq!(ROOT.subcommand(command.name).map(|c| c.name), Some(command.name));
    }
    assert!(known.contains("config"));
}
