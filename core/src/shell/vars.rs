//! Variables, positional parameters, options: what a subshell gets a copy of.

use std::collections::BTreeMap;

/// A variable's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// One string.
    Text(String),
    /// An indexed array.
    Array(BTreeMap<i64, String>),
}

impl Value {
    /// What `$x` gives.
    pub fn text(&self) -> &str {
        match self {
            Value::Text(text) => text,
            Value::Array(items) => items.get(&0).map_or("", String::as_str),
        }
    }
}

/// A variable.
#[derive(Clone, Debug)]
pub struct Variable {
    /// Its value; a variable can be exported or local without one.
    pub value: Option<Value>,
    /// Whether programs get it.
    pub exported: bool,
    /// Whether it can't be changed.
    pub read_only: bool,
}

/// All variables.
#[derive(Clone, Default)]
pub struct Variables {
    map: BTreeMap<String, Variable>,
    /// For each running function the variables it made local, with what they hide.
    frames: Vec<Vec<(String, Option<Variable>)>>,
    /// Counts changes of what programs get.
    pub exports_changed: bool,
}

impl Variables {
    /// A variable's value.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.map.get(name)?.value.as_ref()
    }

    /// A variable with its attributes.
    pub fn variable(&self, name: &str) -> Option<&Variable> {
        self.map.get(name)
    }

    /// All, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Variable)> {
        self.map.iter()
    }

    /// The variable, made if missing, for changing.
    pub fn entry(&mut self, name: &str) -> &mut Variable {
        self.exports_changed = true;
        self.map.entry(name.to_string()).or_insert(Variable {
            value: None,
            exported: false,
            read_only: false,
        })
    }

    /// Assigns; `false` if it is read-only.
    #[must_use]
    pub fn set(&mut self, name: &str, value: Value) -> bool {
        let variable = self.entry(name);
        if variable.read_only {
            return false;
        }
        variable.value = Some(value);
        true
    }

    /// Takes a variable away; `false` if it is read-only.
    #[must_use]
    pub fn unset(&mut self, name: &str) -> bool {
        if self.map.get(name).is_some_and(|v| v.read_only) {
            return false;
        }
        self.exports_changed = true;
        self.map.remove(name);
        true
    }

    /// Puts a variable back as it was.
    pub fn restore(&mut self, name: String, old: Option<Variable>) {
        self.exports_changed = true;
        match old {
            Some(variable) => drop(self.map.insert(name, variable)),
            None => drop(self.map.remove(&name)),
        }
    }

    /// A function begins.
    pub fn push_frame(&mut self) {
        self.frames.push(Vec::new());
    }

    /// A function ends: its local variables are gone.
    pub fn pop_frame(&mut self) {
        for (name, old) in self.frames.pop().unwrap_or_default().into_iter().rev() {
            self.restore(name, old);
        }
    }

    /// Makes a variable local to the running function; `false` outside of one.
    pub fn make_local(&mut self, name: &str) -> bool {
        let Some(frame) = self.frames.last_mut() else { return false };
        if frame.iter().any(|(n, _)| n == name) {
            return true;
        }
        let old = self.map.get(name).cloned();
        frame.push((name.to_string(), old.clone()));
        if let Some(old) = old {
            let new = Variable { value: None, exported: old.exported, read_only: false };
            self.map.insert(name.to_string(), new);
        }
        true
    }

    /// What programs get.
    pub fn exported(&self) -> BTreeMap<String, String> {
        let exported = self.map.iter().filter(|(_, v)| v.exported);
        exported
            .filter_map(|(name, v)| Some((name.clone(), v.value.as_ref()?.text().to_string())))
            .collect()
    }
}

/// `set -e` and the like.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// `-e`: the first failure ends the shell.
    pub errexit: bool,
    /// `-u`: an unset variable is an error.
    pub nounset: bool,
    /// `-x`: commands are shown before they run.
    pub xtrace: bool,
    /// `-f`: no file names for patterns.
    pub noglob: bool,
    /// `-n`: commands are read but don't run.
    pub noexec: bool,
    /// `-v`: input is shown as it is read.
    pub verbose: bool,
    /// `-a`: what is assigned is exported.
    pub allexport: bool,
    /// `-C`: `>` doesn't overwrite.
    pub noclobber: bool,
    /// `-o pipefail`
    pub pipefail: bool,
}

impl Options {
    /// The option of a letter.
    pub fn by_letter(&mut self, letter: char) -> Option<&mut bool> {
        Some(match letter {
            'e' => &mut self.errexit,
            'u' => &mut self.nounset,
            'x' => &mut self.xtrace,
            'f' => &mut self.noglob,
            'n' => &mut self.noexec,
            'v' => &mut self.verbose,
            'a' => &mut self.allexport,
            'C' => &mut self.noclobber,
            _ => return None,
        })
    }

    /// The option of a name of `set -o`.
    pub fn by_name(&mut self, name: &str) -> Option<&mut bool> {
        if name == "pipefail" {
            return Some(&mut self.pipefail);
        }
        let letter = NAMES.iter().find(|(_, n)| *n == name)?.0;
        self.by_letter(letter)
    }
}

/// Letters and names of options.
pub const NAMES: &[(char, &str)] = &[
    ('a', "allexport"),
    ('e', "errexit"),
    ('C', "noclobber"),
    ('n', "noexec"),
    ('f', "noglob"),
    ('u', "nounset"),
    ('v', "verbose"),
    ('x', "xtrace"),
];
