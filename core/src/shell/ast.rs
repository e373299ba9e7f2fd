//! What a script means once it is parsed. Plain data; nothing here runs anything.

use std::{cell::RefCell, rc::Rc};

/// A sequence of commands separated by `;`, `&` or newlines.
pub type List = Vec<Item>;

/// One command line of a [`List`].
#[derive(Clone, Debug)]
pub struct Item {
    /// The first pipeline.
    pub first: Pipeline,
    /// Those after it, with whether `&&` (otherwise `||`) is before them.
    pub rest: Vec<(bool, Pipeline)>,
    /// Whether it ends with `&`.
    pub background: bool,
    /// As it was written, for `jobs`.
    pub text: Rc<str>,
}

/// Commands joined by `|`.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// Whether it begins with `!`.
    pub negated: bool,
    /// Whether it begins with `time`.
    pub timed: bool,
    /// The commands, at least one.
    pub commands: Vec<Rc<Command>>,
}

/// A command with its redirections.
#[derive(Clone, Debug)]
pub struct Command {
    /// What it is.
    pub kind: Kind,
    /// Its redirections, in order.
    pub redirects: Vec<Redirect>,
    /// The line it begins on, from 1.
    pub line: usize,
}

/// What a command is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Assignments and words.
    Simple {
        /// `NAME=value` before the words.
        assigns: Vec<Assign>,
        /// Command and arguments.
        words: Vec<Word>,
    },
    /// `if`: conditions with what follows them, and `else`.
    If {
        /// `if` and `elif` branches.
        branches: Vec<(List, List)>,
        /// `else`.
        otherwise: Option<List>,
    },
    /// `for NAME in WORDS`; without `in` over the positional parameters.
    For {
        /// The variable.
        name: String,
        /// What it ranges over.
        words: Option<Vec<Word>>,
        /// The body.
        body: List,
    },
    /// `for ((init; condition; step))`
    CFor {
        /// The three expressions.
        parts: [Word; 3],
        /// The body.
        body: List,
    },
    /// `while`, or `until`.
    While {
        /// Whether it is `until`.
        until: bool,
        /// The condition.
        condition: List,
        /// The body.
        body: List,
    },
    /// `case`
    Case {
        /// What is compared.
        word: Word,
        /// Patterns, their commands, and whether the next ones run too (`;&`).
        arms: Vec<(Vec<Word>, List, bool)>,
    },
    /// A function's definition.
    Function {
        /// Its name.
        name: String,
        /// Its body.
        body: Rc<Command>,
    },
    /// `{ …; }`
    Group(List),
    /// `( … )`
    Subshell(Rc<List>),
    /// `[[ … ]]`
    Test(Vec<TestWord>),
    /// `(( … ))`
    Arithmetic(Word),
}

/// A word of `[[ … ]]`: an operator stands there unquoted.
#[derive(Clone, Debug)]
pub struct TestWord {
    /// The word.
    pub word: Word,
    /// Its text where it is a bare operator (`&&`, `(`, `==`, `-f`).
    pub operator: Option<String>,
}

/// `NAME=value`
#[derive(Clone, Debug)]
pub struct Assign {
    /// The variable.
    pub name: String,
    /// `[index]`
    pub index: Option<Word>,
    /// Whether it is `+=`.
    pub append: bool,
    /// The value.
    pub value: Value,
}

/// What is assigned.
#[derive(Clone, Debug)]
pub enum Value {
    /// One string.
    Word(Word),
    /// `(a b c)`
    Array(Vec<Word>),
}

/// A redirection.
#[derive(Clone, Debug)]
pub struct Redirect {
    /// The descriptor that changes.
    pub fd: u8,
    /// How.
    pub op: RedirectOp,
}

/// How a descriptor changes.
#[derive(Clone, Debug)]
pub enum RedirectOp {
    /// `< file`
    Read(Word),
    /// `> file`, `>| file`
    Write(Word),
    /// `>> file`
    Append(Word),
    /// `<> file`
    ReadWrite(Word),
    /// `>&n`, `<&n`, `>&-`
    Duplicate(Word),
    /// `&> file`, `&>> file` (with whether it appends)
    Both(Word, bool),
    /// `<< END`; the text comes after the line.
    Here(Rc<RefCell<Word>>),
    /// `<<< word`
    HereString(Word),
}

/// A word: parts that expand one after another.
pub type Word = Vec<Part>;

/// A part of a word.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Unquoted text.
    Text(String),
    /// Quoted text.
    Quoted(String),
    /// `"…"`
    Double(Vec<Part>),
    /// `~` or `~user` at the beginning.
    Tilde(String),
    /// `$name`, `${name…}`
    Param(Box<Param>),
    /// `$(…)`
    Command(Rc<ListBox>),
    /// `$((…))`
    Arithmetic(Vec<Part>),
}

/// A list inside a word.
#[derive(Clone, Debug)]
pub struct ListBox(pub List);

impl PartialEq for ListBox {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

/// A parameter expansion.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// `x`, `1`, `@`, `?`
    pub name: String,
    /// `[…]`
    pub index: Option<Index>,
    /// What is done with the value.
    pub op: ParamOp,
}

/// `[@]`, `[*]`, `[1]`
#[derive(Clone, Debug, PartialEq)]
pub enum Index {
    /// Every element, each a field of its own where quoted.
    All,
    /// Every element, joined where quoted.
    Joined,
    /// One.
    One(Word),
}

/// What is done with a parameter's value.
#[derive(Clone, Debug, PartialEq)]
pub enum ParamOp {
    /// Nothing.
    Plain,
    /// `${#x}`
    Length,
    /// `${!x}`
    Indirect,
    /// `${x-w}`, `${x:-w}`: the flag says whether an empty value counts as unset.
    Default(bool, Word),
    /// `${x=w}`
    Assign(bool, Word),
    /// `${x?w}`
    Error(bool, Word),
    /// `${x+w}`
    Alternative(bool, Word),
    /// `${x#p}`; the flag says longest.
    TrimStart(bool, Word),
    /// `${x%p}`
    TrimEnd(bool, Word),
    /// `${x/p/w}`: all matches; at the start or end only (`#`, `%`).
    Replace {
        /// `//`
        all: bool,
        /// `#` or `%` before the pattern.
        anchor: Option<char>,
        /// What to look for.
        pattern: Word,
        /// What to put there.
        with: Word,
    },
    /// `${x:offset:length}`
    Slice(Word, Option<Word>),
    /// `${x^}`, `${x^^}`, `${x,}`, `${x,,}`: upper, all.
    Case(bool, bool),
    /// Something that no shell understands: an error when it is expanded.
    Bad(String),
}

/// A word that is one piece of unquoted text.
pub fn bare(word: &Word) -> Option<&str> {
    match word.as_slice() {
        [Part::Text(text)] => Some(text),
        _ => None,
    }
}
