//! Command line options as GNU's `getopt_long` reads them.

use crate::machine::Proc;

/// What a command line said.
#[derive(Debug, Default)]
pub struct Options {
    set: Vec<(char, String)>,
    /// What is no option.
    pub rest: Vec<String>,
}

impl Options {
    /// Whether an option was given.
    pub fn has(&self, letter: char) -> bool {
        self.set.iter().any(|(l, _)| *l == letter)
    }

    /// The value of an option, the last one given.
    pub fn value(&self, letter: char) -> Option<&str> {
        self.set.iter().rev().find(|(l, _)| *l == letter).map(|(_, v)| v.as_str())
    }

    /// All values of an option.
    pub fn values(&self, letter: char) -> Vec<&str> {
        self.set.iter().filter(|(l, _)| *l == letter).map(|(_, v)| v.as_str()).collect()
    }

    /// Which of these options was given last.
    pub fn last_of(&self, letters: &str) -> Option<char> {
        self.set.iter().rev().map(|(l, _)| *l).find(|l| letters.contains(*l))
    }
}

/// What a program understands.
pub struct Spec {
    /// What `--help` prints after `Usage: `.
    pub usage: &'static str,
    /// Letters; `:` after one that takes a value. A `+` first: options end at the first operand.
    pub short: &'static str,
    /// Long names and the letters they stand for.
    pub long: &'static [(&'static str, char)],
    /// The exit code of a wrong use.
    pub trouble: i32,
}

/// Reads the options of a process; prints help or what is wrong.
///
/// # Errors
/// The exit code with which the program is to end.
pub async fn options(proc: &Proc, spec: &Spec) -> Result<Options, i32> {
    match read(&proc.args()[1.min(proc.args().len())..], spec) {
        Ok(Some(options)) => Ok(options),
        Ok(None) => {
            proc.print(&format!("Usage: {}\n", spec.usage)).await;
            Err(0)
        }
        Err(error) => {
            let name = proc.name();
            let text = format!("{name}: {error}\nTry '{name} --help' for more information.\n");
            proc.eprint(&text).await;
            Err(spec.trouble)
        }
    }
}

/// Reads options; `None` for `--help`.
fn read(args: &[String], spec: &Spec) -> Result<Option<Options>, String> {
    let (short, in_order) = match spec.short.strip_prefix('+') {
        Some(short) => (short, true),
        None => (spec.short, false),
    };
    let takes_value = |letter: char| {
        let at = short.find(letter).filter(|_| letter != ':')?;
        Some(short[at + letter.len_utf8()..].starts_with(':'))
    };
    let mut options = Options::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == "--" {
            options.rest.extend(args.cloned());
            break;
        }
        if arg == "--help" {
            return Ok(None);
        }
        if let Some(long) = arg.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value.to_string())),
                None => (long, None),
            };
            let exact = spec.long.iter().find(|(n, _)| *n == name);
            let mut prefixed = spec.long.iter().filter(|(n, _)| n.starts_with(name));
            let found = exact.or_else(|| prefixed.next().filter(|_| prefixed.next().is_none()));
            let (name, letter) =
                found.copied().ok_or_else(|| format!("unrecognized option '--{name}'"))?;
            let value = match (takes_value(letter) == Some(true), value) {
                (true, Some(value)) => value,
                (true, None) => args
                    .next()
                    .cloned()
                    .ok_or_else(|| format!("option '--{name}' requires an argument"))?,
                (false, Some(value)) if letter.is_ascii_uppercase() || letter == 'w' => value,
                (false, Some(_)) => {
                    return Err(format!("option '--{name}' doesn't allow an argument"));
                }
                (false, None) => String::new(),
            };
            options.set.push((letter, value));
            continue;
        }
        let Some(letters) = arg.strip_prefix('-').filter(|l| !l.is_empty()) else {
            options.rest.push(arg.clone());
            if in_order {
                options.rest.extend(args.cloned());
                break;
            }
            continue;
        };
        for (at, letter) in letters.char_indices() {
            match takes_value(letter) {
                None => return Err(format!("invalid option -- '{letter}'")),
                Some(false) => options.set.push((letter, String::new())),
                Some(true) => {
                    let rest = &letters[at + letter.len_utf8()..];
                    let value = match rest.is_empty() {
                        false => rest.to_string(),
                        true => args
                            .next()
                            .cloned()
                            .ok_or_else(|| format!("option requires an argument -- '{letter}'"))?,
                    };
                    options.set.push((letter, value));
                    break;
                }
            }
        }
    }
    Ok(Some(options))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_values_and_long_names() {
        let long = &[("lines", 'n'), ("quiet", 'q')];
        let spec = Spec { usage: "", short: "n:qv", long, trouble: 1 };
        let read = |text: &str| {
            let args: Vec<String> = text.split_whitespace().map(String::from).collect();
            super::read(&args, &spec).map(|o| o.map(|o| (o.set, o.rest)))
        };
        let (set, rest) = read("-qn5 a --lines=7 -- -v").unwrap().unwrap();
        let want = [('q', ""), ('n', "5"), ('n', "7")];
        assert_eq!(set, want.map(|(l, v)| (l, v.to_string())));
        assert_eq!(rest, ["a", "-v"]);
        assert_eq!(read("-x").unwrap_err(), "invalid option -- 'x'");
        assert_eq!(read("-n").unwrap_err(), "option requires an argument -- 'n'");
        assert_eq!(read("--line").unwrap_err(), "option '--lines' requires an argument");
        assert!(read("--help").unwrap().is_none());
    }
}
