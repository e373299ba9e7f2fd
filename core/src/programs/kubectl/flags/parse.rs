//! Reading flags from a command line, with `pflag`'s rules and words.

use std::collections::BTreeMap;

use super::{Flag, Type};
use crate::api::{duration, gofmt};

/// A command line that was read: values of flags and the other arguments.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// The command's full name, `kubectl rollout undo`.
    pub path: String,
    /// Arguments that are not flags.
    pub args: Vec<String>,
    /// How many of them came before `--`, if it was given.
    pub dash: Option<usize>,
    /// What to tell the user on stderr (deprecated flags).
    pub notices: Vec<String>,
    /// Whether `--help` or `-h` was given.
    pub help: bool,
    flags: BTreeMap<&'static str, &'static Flag>,
    /// Flags as they were given, one after the other.
    order: Vec<(&'static str, String)>,
    values: BTreeMap<&'static str, Vec<String>>,
}

impl Parsed {
    /// Reads `args` (without the command's own name) given the flags there are.
    pub fn read(
        path: &str,
        flags: impl Iterator<Item = &'static Flag>,
        args: &[String],
    ) -> Result<Parsed, String> {
        Parsed::read_mixed(path, flags, args, true)
    }

    /// As [`Parsed::read`], but flags end at the first argument: what follows is another command's.
    pub fn read_leading(
        path: &str,
        flags: impl Iterator<Item = &'static Flag>,
        args: &[String],
    ) -> Result<Parsed, String> {
        Parsed::read_mixed(path, flags, args, false)
    }

    fn read_mixed(
        path: &str,
        flags: impl Iterator<Item = &'static Flag>,
        args: &[String],
        mixed: bool,
    ) -> Result<Parsed, String> {
        let mut parsed = Parsed { path: path.to_owned(), ..Parsed::default() };
        for flag in flags {
            parsed.flags.entry(flag.name).or_insert(flag);
        }
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            if arg == "--" {
                parsed.dash = Some(parsed.args.len());
                parsed.args.extend(rest.by_ref().cloned());
            } else if let Some(long) = arg.strip_prefix("--") {
                parsed.long(arg, long, &mut rest)?;
            } else if arg.len() > 1 && arg.starts_with('-') {
                parsed.shorts(&arg[1..], &mut rest)?;
            } else {
                parsed.args.push(arg.clone());
                if !mixed {
                    parsed.args.extend(rest.by_ref().cloned());
                }
            }
        }
        Ok(parsed)
    }

    fn long<'a>(
        &mut self,
        arg: &str,
        long: &str,
        rest: &mut impl Iterator<Item = &'a String>,
    ) -> Result<(), String> {
        if long.starts_with(['-', '=']) {
            return Err(format!("bad flag syntax: {arg}"));
        }
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (long, None),
        };
        let normal = name.replace('_', "-");
        let Some(flag) = self.flags.get(normal.as_str()).copied() else {
            if name == "help" {
                self.help = value.as_deref() != Some("false");
                return Ok(());
            }
            return Err(format!("unknown flag: --{name}"));
        };
        let value = match value {
            Some(value) => value,
            None if !flag.bare.is_empty() => flag.bare.to_owned(),
            None => rest.next().ok_or_else(|| format!("flag needs an argument: --{name}"))?.clone(),
        };
        self.set(flag, &value)
    }

    fn shorts<'a>(
        &mut self,
        letters: &str,
        rest: &mut impl Iterator<Item = &'a String>,
    ) -> Result<(), String> {
        let mut at = letters;
        while let Some(c) = at.chars().next() {
            let after = &at[c.len_utf8()..];
            let letter = &at[..c.len_utf8()];
            let found = self.flags.values().find(|f| f.short == letter).copied();
            let Some(flag) = found else {
                if c == 'h' {
                    self.help = true;
                    return Ok(());
                }
                return Err(format!("unknown shorthand flag: '{c}' in -{at}"));
            };
            if let Some(value) = after.strip_prefix('=').filter(|v| !v.is_empty()) {
                return self.set(flag, value);
            }
            if !flag.bare.is_empty() {
                self.set(flag, flag.bare)?;
                at = after;
            } else if !after.is_empty() {
                return self.set(flag, after);
            } else {
                let value = rest
                    .next()
                    .ok_or_else(|| format!("flag needs an argument: '{c}' in -{at}"))?
                    .clone();
                return self.set(flag, &value);
            }
        }
        Ok(())
    }

    fn set(&mut self, flag: &'static Flag, value: &str) -> Result<(), String> {
        let bad = |cause: String| {
            let name = if flag.short.is_empty() {
                format!("--{}", flag.name)
            } else {
                format!("-{}, --{}", flag.short, flag.name)
            };
            let value = gofmt::quote(value);
            format!("invalid argument {value} for \"{name}\" flag: {cause}")
        };
        let changed = self.values.contains_key(flag.name);
        self.order.push((flag.name, value.to_owned()));
        let slot = self.values.entry(flag.name).or_default();
        match flag.kind {
            Type::Str | Type::Word => *slot = vec![value.to_owned()],
            Type::Bool => {
                *slot = vec![parse_bool(value).map_err(bad)?.to_string()];
            }
            Type::Int => *slot = vec![parse_int(value, 64).map_err(bad)?.to_string()],
            Type::Int32 => *slot = vec![parse_int(value, 32).map_err(bad)?.to_string()],
            Type::Duration => {
                // klog's own flag, the only one of its type, has its own words.
                let worded = |why| match flag.name {
                    "log-flush-frequency" => bad("parse error".into()),
                    _ => bad(why),
                };
                duration::parse_go(value).map_err(worded)?;
                *slot = vec![value.to_owned()];
            }
            Type::Array => slot.push(value.to_owned()),
            Type::Slice => {
                let parts = csv(value).map_err(bad)?;
                slot.extend(parts);
            }
        }
        if !flag.deprecated.is_empty() && !changed {
            self.notices
                .push(format!("Flag --{} has been deprecated, {}", flag.name, flag.deprecated));
        }
        Ok(())
    }

    /// Required flags that are missing, as cobra says so.
    pub fn check_required(&self) -> Result<(), String> {
        let missing = self.flags.values().filter(|f| f.required && !self.changed(f.name));
        let names: Vec<String> = missing.map(|f| format!("\"{}\"", f.name)).collect();
        if names.is_empty() {
            return Ok(());
        }
        Err(format!("required flag(s) {} not set", names.join(", ")))
    }

    /// The command line as it is noted with `--record`: command, arguments, flags.
    pub fn line(&self) -> String {
        let args = self.args.iter().map(|arg| format!(" {arg}"));
        let flags = self.order.iter().map(|(name, value)| format!(" --{name}={value}"));
        let rest: String = args.chain(flags).collect();
        format!("{}{rest}", self.path)
    }

    /// Whether the flag was given.
    pub fn changed(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// Names of the flags that were given, sorted.
    pub fn given(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.values.keys().copied()
    }

    /// Whether there is such a flag.
    pub fn has(&self, name: &str) -> bool {
        self.flags.contains_key(name)
    }

    /// A text flag's value (or any single value as text), or its default.
    pub fn str(&self, name: &str) -> &str {
        match self.values.get(name).and_then(|v| v.last()) {
            Some(value) => value,
            None => self.flags.get(name).map_or("", |f| f.default),
        }
    }

    /// The value of a text flag that every command has; empty where the command has a list of its own
    /// by that name (`create rolebinding --user`).
    pub fn global(&self, name: &str) -> &str {
        let own = self.flags.get(name).is_some_and(|f| matches!(f.kind, Type::Array | Type::Slice));
        if own { "" } else { self.str(name) }
    }

    /// A switch's value.
    pub fn bool(&self, name: &str) -> bool {
        self.str(name) == "true"
    }

    /// A number's value.
    pub fn int(&self, name: &str) -> i64 {
        self.str(name).parse().unwrap_or(0)
    }

    /// A duration's value in nanoseconds.
    pub fn duration(&self, name: &str) -> i64 {
        duration::parse_go(self.str(name)).unwrap_or(0)
    }

    /// A list flag's values.
    pub fn list(&self, name: &str) -> &[String] {
        self.values.get(name).map_or(&[], Vec::as_slice)
    }
}

/// `strconv.ParseBool`, errors included.
pub(crate) fn parse_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err(format!("strconv.ParseBool: parsing {}: invalid syntax", gofmt::quote(text))),
    }
}

/// `strconv.ParseInt(text, 0, bits)`, errors included.
pub(crate) fn parse_int(text: &str, bits: u32) -> Result<i64, String> {
    let error = |why: &str| format!("strconv.ParseInt: parsing {}: {why}", gofmt::quote(text));
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(error("invalid syntax"));
    }
    let size = i128::from_str_radix(digits, radix).map_err(|_| error("value out of range"))?;
    let value = if negative { -size } else { size };
    let limit = 1i128 << (bits - 1);
    if value < -limit || value >= limit {
        return Err(error("value out of range"));
    }
    i64::try_from(value).map_err(|_| error("value out of range"))
}

/// A port number, or Go's words for what is wrong with it.
pub(crate) fn parse_port(text: &str) -> Result<i64, String> {
    let port = parse_int(text, 32).map_err(|e| e.replace("ParseInt", "Atoi"))?;
    if (0..=65_535).contains(&port) {
        Ok(port)
    } else {
        Err(format!("must be between 1 and 65535, inclusive: {port}"))
    }
}

/// One record of comma-separated values, quotes allowed.
fn csv(text: &str) -> Result<Vec<String>, String> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut field = String::new();
            let mut tail = quoted;
            loop {
                let at = tail.find('"').ok_or_else(|| {
                    "parse error on line 1, column 1: extraneous or missing \" in quoted-field"
                        .to_owned()
                })?;
                field.push_str(&tail[..at]);
                tail = &tail[at + 1..];
                match tail.strip_prefix('"') {
                    Some(t) => {
                        field.push('"');
                        tail = t;
                    }
                    None => break,
                }
            }
            fields.push(field);
            match tail.strip_prefix(',') {
                Some(t) => rest = t,
                None => return Ok(fields),
            }
        } else {
            match rest.split_once(',') {
                Some((field, tail)) => {
                    fields.push(field.to_owned());
                    rest = tail;
                }
                None => {
                    fields.push(rest.to_owned());
                    return Ok(fields);
                }
            }
        }
    }
}
