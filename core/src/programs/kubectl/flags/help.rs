//! What `--help` prints. The form is kubectl's (`pkg/util/templates`); the sentences are the verbs'.

use super::{Command, Flag, Type};

/// The heads under which the root lists its commands, with their names in order.
pub type Groups = &'static [(&'static str, &'static [&'static str])];

/// Help of the command at the end of `way`. `width` is the terminal's, `None` where there is none.
pub fn help(way: &[&'static Command], groups: Groups, width: Option<usize>) -> String {
    let Some(command) = way.last() else { return String::new() };
    let limit = width.and_then(limit);
    let mut out = String::new();
    let long = if command.long.is_empty() { command.short } else { command.long };
    for (i, paragraph) in long.split("\n\n").enumerate() {
        if i > 0 {
            out.push_str("\n\n ");
        }
        let joined = paragraph.lines().map(str::trim).collect::<Vec<_>>().join("\n ");
        out.push_str(&joined);
    }
    out.push_str("\n\n");
    if !command.aliases.is_empty() {
        let names: Vec<&str> =
            std::iter::once(command.name).chain(command.aliases.iter().copied()).collect();
        out.push_str(&format!("Aliases:\n{}\n\n", names.join(", ")));
    }
    if !command.examples.is_empty() {
        out.push_str("Examples:\n");
        for line in command.examples.trim_matches('\n').lines() {
            let line = line.trim_end();
            out.push_str("  ");
            out.push_str(line);
            out.push('\n');
        }
        out.push('\n');
    }
    if command.subcommands.iter().any(|c| !c.hidden) {
        out.push_str(&subcommands(command, if way.len() == 1 { groups } else { &[] }));
        out.push_str("\n\n");
    }
    let options = if way.len() == 1 { String::new() } else { options(command.own_flags(), limit) };
    if !options.is_empty() {
        out.push_str(&format!("Options:\n{}\n\n", options.trim_end()));
    }
    let parents: Vec<&str> = way[..way.len() - 1].iter().map(|c| c.name).collect();
    let mut usage = parents.join(" ");
    if !usage.is_empty() {
        usage.push(' ');
    }
    usage.push_str(if way.len() == 1 { "kubectl [flags]" } else { command.usage });
    if !usage.contains("[options]") {
        usage.push_str(" [options]");
    }
    out.push_str(&format!("Usage:\n  {usage}\n\n"));
    let path: Vec<&str> = way.iter().map(|c| c.name).collect();
    if !command.subcommands.is_empty() {
        let path = path.join(" ");
        out.push_str(&format!(
            "Use \"{path} <command> --help\" for more information about a given command.\n"
        ));
    }
    out.push_str(
        "Use \"kubectl options\" for a list of global command-line options (applies to all \
         commands).\n",
    );
    match limit {
        Some(limit) => wrap_lines(&out, limit),
        None => out,
    }
}

/// The head under which the root lists programs that extend it; they are put in by who knows them.
pub const PLUGINS: &str = "Subcommands provided by plugins:";

fn subcommands(command: &Command, groups: Groups) -> String {
    let visible: Vec<&Command> =
        command.subcommands.iter().filter(|c| !c.hidden && c.name != "options").copied().collect();
    let padding = command.subcommands.iter().map(|c| c.name.len()).max().unwrap_or(0).max(11);
    let line = |c: &&Command| format!("  {:padding$}   {}", c.name, c.short);
    let mut sections = Vec::new();
    if groups.is_empty() {
        let mut sorted = visible.clone();
        sorted.sort_by_key(|c| c.name);
        let lines: Vec<String> = sorted.iter().map(line).collect();
        return format!("Available Commands:\n{}", lines.join("\n"));
    }
    let mut grouped: Vec<&str> = Vec::new();
    for (head, names) in groups {
        let lines: Vec<String> =
            names.iter().filter_map(|n| visible.iter().find(|c| c.name == *n)).map(line).collect();
        grouped.extend(*names);
        if !lines.is_empty() {
            sections.push(format!("{head}\n{}", lines.join("\n")));
        }
    }
    sections.push(PLUGINS.to_owned());
    let mut others: Vec<&&Command> =
        visible.iter().filter(|c| !grouped.contains(&c.name)).collect();
    others.sort_by_key(|c| c.name);
    if !others.is_empty() {
        let lines: Vec<String> = others.into_iter().map(line).collect();
        sections.push(format!("Other Commands:\n{}", lines.join("\n")));
    }
    sections.join("\n\n")
}

/// Flags as help shows them, sorted by name.
pub fn options(flags: impl Iterator<Item = &'static Flag>, limit: Option<usize>) -> String {
    let mut flags: Vec<&Flag> = flags.filter(|f| !f.hidden && f.name != "help").collect();
    flags.sort_by_key(|f| f.name);
    flags.dedup_by_key(|f| f.name);
    let mut out = String::new();
    for flag in flags {
        let short = if flag.short.is_empty() {
            "    ".to_owned()
        } else {
            format!("    -{}, ", flag.short)
        };
        let quote = if flag.kind == Type::Str { "'" } else { "" };
        let usage = match limit {
            Some(limit) => wrap(flag.usage, limit.saturating_sub(10)).replace('\n', "\n\t"),
            None => flag.usage.replace('\n', " "),
        };
        out.push_str(&format!(
            "{short}--{}={quote}{}{quote}:\n\t{usage}\n\n",
            flag.name, flag.default
        ));
    }
    out
}

/// `kubectl options`.
pub fn global_options(flags: impl Iterator<Item = &'static Flag>, width: Option<usize>) -> String {
    let options = options(flags, width.and_then(limit));
    format!("The following options can be passed to any command:\n\n{options}")
}

/// The width that text is wrapped at on a terminal.
fn limit(width: usize) -> Option<usize> {
    [120, 100, 80].into_iter().find(|&l| width >= l)
}

fn wrap(text: &str, limit: usize) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let size = word.chars().count();
        if column > 0 && column + 1 + size > limit {
            out.push('\n');
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += size;
    }
    out
}

/// Wraps lines that are too long; what is indented by tabs was wrapped before.
fn wrap_lines(text: &str, limit: usize) -> String {
    let lines = text.lines().map(|line| {
        if line.starts_with('\t') || line.chars().count() <= limit {
            line.to_owned()
        } else {
            let indent = &line[..line.len() - line.trim_start().len()];
            format!("{indent}{}", wrap(line, limit))
        }
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}
