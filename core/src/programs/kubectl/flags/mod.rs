//! Commands and their flags as data, and the reading of command lines, as `cobra` and `pflag` do it.
//!
//! A verb declares [`Flag`]s and a [`Command`]; [`find`](find::find) and [`Parsed`] read a line;
//! [`help`] prints what `--help` prints. Nothing in here knows what a verb does.

pub mod find;
pub mod help;
mod parse;

use std::{future::Future, pin::Pin};

pub use parse::Parsed;
pub(crate) use parse::{parse_bool, parse_port};

use super::{Cx, Error};

/// The type of a flag's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// `--x`, `--x=false`.
    Bool,
    /// Text.
    Str,
    /// Text that help shows without quotes.
    Word,
    /// May be given several times; each is one value.
    Array,
    /// May be given several times, each a comma-separated list.
    Slice,
    /// 64 bits.
    Int,
    /// 32 bits.
    Int32,
    /// `1h30m`.
    Duration,
}

/// A flag of a command.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    /// Without dashes.
    pub name: &'static str,
    /// One letter, or empty.
    pub short: &'static str,
    /// The type of its value.
    pub kind: Type,
    /// The default as help shows it.
    pub default: &'static str,
    /// One or more sentences.
    pub usage: &'static str,
    /// The value of the bare flag (`--dry-run` means `--dry-run=unchanged`), or empty.
    pub bare: &'static str,
    /// Not in help.
    pub hidden: bool,
    /// Why it should no longer be used, or empty.
    pub deprecated: &'static str,
    /// Whether the command does not run without it.
    pub required: bool,
}

impl Flag {
    const fn new(
        kind: Type,
        name: &'static str,
        default: &'static str,
        usage: &'static str,
    ) -> Flag {
        let bare = if matches!(kind, Type::Bool) { "true" } else { "" };
        let (hidden, required) = (false, false);
        Flag { name, short: "", kind, default, usage, bare, hidden, deprecated: "", required }
    }

    /// A switch.
    pub const fn bool(name: &'static str, default: bool, usage: &'static str) -> Flag {
        Flag::new(Type::Bool, name, if default { "true" } else { "false" }, usage)
    }

    /// A text.
    pub const fn str(name: &'static str, default: &'static str, usage: &'static str) -> Flag {
        Flag::new(Type::Str, name, default, usage)
    }

    /// Texts, one each time.
    pub const fn array(name: &'static str, usage: &'static str) -> Flag {
        Flag::new(Type::Array, name, "[]", usage)
    }

    /// Texts, comma-separated or repeated.
    pub const fn slice(name: &'static str, usage: &'static str) -> Flag {
        Flag::new(Type::Slice, name, "[]", usage)
    }

    /// A whole number.
    pub const fn int(name: &'static str, default: &'static str, usage: &'static str) -> Flag {
        Flag::new(Type::Int, name, default, usage)
    }

    /// A whole number of 32 bits.
    pub const fn int32(name: &'static str, default: &'static str, usage: &'static str) -> Flag {
        Flag::new(Type::Int32, name, default, usage)
    }

    /// A duration.
    pub const fn duration(name: &'static str, default: &'static str, usage: &'static str) -> Flag {
        Flag::new(Type::Duration, name, default, usage)
    }

    /// With a letter.
    pub const fn short(mut self, short: &'static str) -> Flag {
        self.short = short;
        self
    }

    /// With another default, as help shows it.
    pub const fn default(mut self, default: &'static str) -> Flag {
        self.default = default;
        self
    }

    /// Whose value help shows without quotes.
    pub const fn bare_text(mut self) -> Flag {
        self.kind = Type::Word;
        self
    }

    /// With a value for the bare flag.
    pub const fn bare(mut self, bare: &'static str) -> Flag {
        self.bare = bare;
        self
    }

    /// Without which the command does not run.
    pub const fn required(mut self) -> Flag {
        self.required = true;
        self
    }

    /// Not in help.
    pub const fn hidden(mut self) -> Flag {
        self.hidden = true;
        self
    }

    /// Discouraged, and why.
    pub const fn deprecated(mut self, why: &'static str) -> Flag {
        self.deprecated = why;
        self.hidden = true;
        self
    }
}

/// What a command comes to.
pub type Outcome = Pin<Box<dyn Future<Output = Result<(), Error>>>>;

/// What Tab offers for a command's arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Complete {
    /// Nothing (files, by the shell).
    Nothing,
    /// Resource types, then names: `get TYPE NAME…`, `TYPE/NAME`.
    Resources,
    /// Names of one resource type.
    Names(&'static str),
    /// Pods, and `TYPE/NAME` of what has pods.
    Pods,
    /// Pods and then their containers' ports and the like: only the first argument.
    FirstPod,
    /// Contexts, clusters or users of the kubeconfig.
    Config(&'static str),
    /// These words.
    Words(&'static [&'static str]),
}

/// A verb or a verb's verb.
#[derive(Clone, Copy)]
pub struct Command {
    /// What is typed.
    pub name: &'static str,
    /// What may be typed instead.
    pub aliases: &'static [&'static str],
    /// The usage line after the parents' names, its own name first.
    pub usage: &'static str,
    /// One line.
    pub short: &'static str,
    /// Paragraphs, separated by empty lines. Empty: as `short`.
    pub long: &'static str,
    /// Lines of comments and commands.
    pub examples: &'static str,
    /// Its flags, in groups so that verbs can share some.
    pub flags: &'static [&'static [Flag]],
    /// Flags that help does not repeat but subcommands inherit. Mostly empty.
    pub subcommands: &'static [&'static Command],
    /// What it does; without it, it prints its help.
    pub run: Option<fn(Cx, Parsed) -> Outcome>,
    /// What Tab offers.
    pub complete: Complete,
    /// Not in help.
    pub hidden: bool,
}

impl Command {
    /// A command with nothing but a name.
    pub const EMPTY: Command = Command {
        name: "",
        aliases: &[],
        usage: "",
        short: "",
        long: "",
        examples: "",
        flags: &[],
        subcommands: &[],
        run: None,
        complete: Complete::Nothing,
        hidden: false,
    };

    /// Its own flags, in order of declaration.
    pub fn own_flags(&self) -> impl Iterator<Item = &'static Flag> + use<> {
        self.flags.iter().flat_map(|group| group.iter())
    }

    /// A subcommand by name or alias.
    pub fn subcommand(&self, name: &str) -> Option<&'static Command> {
        self.subcommands.iter().find(|c| c.name == name || c.aliases.contains(&name)).copied()
    }
}

#[cfg(test)]
mod tests;
