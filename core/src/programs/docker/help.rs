//! What `docker --help` and `docker COMMAND --help` print.

use super::{GROUPED, SUBS, Sub};
use crate::programs::kubectl::flags::{Flag, Type};

/// What groups are about.
const GROUPS: &[(&str, &str)] = &[
    ("container", "Containers"),
    ("image", "Images"),
    ("network", "Networks"),
    ("system", "The engine itself"),
    ("volume", "Volumes"),
];

/// `docker --help`
pub fn overview() -> String {
    let mut text = String::from(
        "Usage:  docker [OPTIONS] COMMAND\n\nRuns containers on this machine\n\nCommon Commands:\n",
    );
    let line = |name: &str, short: &str| format!("  {name:<11} {short}\n");
    let (common, others): (Vec<&Sub>, Vec<&Sub>) = SUBS.iter().partition(|sub| sub.common);
    common.iter().for_each(|sub| text.push_str(&line(sub.name, sub.short)));
    text.push_str("\nManagement Commands:\n");
    GROUPS.iter().for_each(|(name, short)| text.push_str(&line(name, short)));
    text.push_str("\nCommands:\n");
    others.iter().for_each(|sub| text.push_str(&line(sub.name, sub.short)));
    text.push_str(
        "\nGlobal Options:\n  -v, --version            Print version information and quit\n\n\
         Run 'docker COMMAND --help' for more information on a command.\n",
    );
    text
}

/// `docker container --help`
pub fn group(name: &str) -> String {
    let short = GROUPS.iter().find(|(group, _)| *group == name).map_or("", |(_, short)| short);
    let mut text = format!("Usage:  docker {name} COMMAND\n\n{short}\n\nCommands:\n");
    for (_, sub, what) in GROUPED.iter().filter(|(group, ..)| *group == name) {
        text.push_str(&format!("  {sub:<11} {}\n", what.short));
    }
    text.push_str(&format!(
        "\nRun 'docker {name} COMMAND --help' for more information on a command.\n"
    ));
    text
}

/// `docker ps --help`
pub fn of(sub: &Sub) -> String {
    let mut text = format!("Usage:  docker {}\n\n{}\n", sub.usage, sub.short);
    let mut flags: Vec<&Flag> = sub.flags.iter().filter(|f| !f.hidden).collect();
    if flags.is_empty() {
        return text;
    }
    flags.sort_by_key(|f| f.name);
    let left = |flag: &Flag| {
        let short = match flag.short {
            "" => "    ".to_string(),
            letter => format!("-{letter}, "),
        };
        let kind = match flag.kind {
            Type::Bool => "",
            Type::Int | Type::Int32 => " int",
            Type::Duration => " duration",
            Type::Array | Type::Slice => " list",
            Type::Str | Type::Word => " string",
        };
        format!("{short}--{}{kind}", flag.name)
    };
    let width = flags.iter().map(|f| left(f).len()).max().unwrap_or(0);
    text.push_str("\nOptions:\n");
    for flag in flags {
        text.push_str(&format!("  {:<width$}   {}\n", left(flag), flag.usage));
    }
    text
}
