//! `test`, `[` and `[[`: conditions.

use super::{
    Exec, Flow, Shell,
    ast::{TestWord, Word},
    pattern::Pattern,
};
use crate::machine::{Proc, fs::Kind};

const UNARY: &str = "bcdefghLknprstuwxzNSGO";
const BINARY: &[&str] =
    &["=", "==", "!=", "<", ">", "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-nt", "-ot", "-ef"];

/// Evaluates the arguments of `test`.
///
/// # Errors
/// What is wrong with them, as dash says it.
pub fn evaluate(proc: &Proc, args: &[String]) -> Result<bool, String> {
    // POSIX decides by the number of arguments first, so that `[ "$x" = -a ]` means what it says.
    match args {
        [] => return Ok(false),
        [one] => return Ok(!one.is_empty()),
        [not, rest @ ..] if not == "!" && rest.len() <= 3 => {
            return evaluate(proc, rest).map(|b| !b);
        }
        [op, arg] if is_unary(op) => return unary(proc, op, arg),
        [a, op, b] if BINARY.contains(&op.as_str()) => return binary(proc, a, op, b),
        _ => {}
    }
    let mut parser = Parser { proc, args, at: 0, depth: 0 };
    let value = parser.or()?;
    match parser.args.get(parser.at) {
        None => Ok(value),
        Some(arg) => Err(format!("{arg}: unexpected operator")),
    }
}

struct Parser<'a> {
    proc: &'a Proc,
    args: &'a [String],
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn take(&mut self, word: &str) -> bool {
        let found = self.args.get(self.at).is_some_and(|arg| arg == word);
        self.at += usize::from(found);
        found
    }

    fn or(&mut self) -> Result<bool, String> {
        self.depth += 1;
        if self.depth > 100 {
            return Err("too many arguments".into());
        }
        let mut value = self.and()?;
        while self.take("-o") {
            value |= self.and()?;
        }
        self.depth -= 1;
        Ok(value)
    }

    fn and(&mut self) -> Result<bool, String> {
        let mut value = self.not()?;
        while self.take("-a") {
            value &= self.not()?;
        }
        Ok(value)
    }

    fn not(&mut self) -> Result<bool, String> {
        let mut negated = false;
        while self.take("!") {
            negated = !negated;
        }
        Ok(self.primary()? != negated)
    }

    fn primary(&mut self) -> Result<bool, String> {
        let rest = &self.args[self.at.min(self.args.len())..];
        match rest {
            [] => Err("argument expected".into()),
            [a, op, b, ..] if BINARY.contains(&op.as_str()) => {
                self.at += 3;
                binary(self.proc, a, op, b)
            }
            [open, ..] if open == "(" => {
                self.at += 1;
                let value = self.or()?;
                if !self.take(")") {
                    return Err("closing paren expected".into());
                }
                Ok(value)
            }
            [op, arg, ..] if is_unary(op) => {
                self.at += 2;
                unary(self.proc, op, arg)
            }
            [one, ..] => {
                self.at += 1;
                Ok(!one.is_empty())
            }
        }
    }
}

fn is_unary(op: &str) -> bool {
    op.strip_prefix('-').is_some_and(|letter| letter.len() == 1 && UNARY.contains(letter))
}

fn unary(proc: &Proc, op: &str, arg: &str) -> Result<bool, String> {
    let node = || proc.stat(arg).ok();
    Ok(match op.trim_start_matches('-') {
        "n" => !arg.is_empty(),
        "z" => arg.is_empty(),
        "e" => node().is_some(),
        "f" => node().is_some_and(|n| n.is_file()),
        "d" => node().is_some_and(|n| n.is_dir()),
        "c" => node().is_some_and(|n| matches!(n.kind, Kind::Device(_))),
        "S" => node().is_some_and(|n| matches!(n.kind, Kind::Socket(_))),
        "L" | "h" => proc.lstat(arg).is_ok_and(|n| n.is_link()),
        "s" => node().is_some_and(|n| n.size() > 0),
        "r" => proc.may(arg, 4),
        "w" => proc.may(arg, 2),
        "x" => proc.may(arg, 1),
        "O" => node().is_some_and(|n| n.uid == proc.who().uid),
        "G" => node().is_some_and(|n| n.gid == proc.who().gid),
        "k" => node().is_some_and(|n| n.mode & 0o1000 != 0),
        "t" => {
            let fd = arg.parse().map_err(|_| format!("Illegal number: {arg}"))?;
            proc.io().get(fd).tty().is_some()
        }
        _ => false, // block devices, sockets, pipes, set-id bits: there are none
    })
}

fn binary(proc: &Proc, a: &str, op: &str, b: &str) -> Result<bool, String> {
    let number =
        |text: &str| text.trim().parse::<i64>().map_err(|_| format!("Illegal number: {text}"));
    let time = |path: &str| proc.stat(path).ok().map(|n| n.mtime);
    Ok(match op {
        "=" | "==" => a == b,
        "!=" => a != b,
        "<" => a < b,
        ">" => a > b,
        "-eq" => number(a)? == number(b)?,
        "-ne" => number(a)? != number(b)?,
        "-lt" => number(a)? < number(b)?,
        "-le" => number(a)? <= number(b)?,
        "-gt" => number(a)? > number(b)?,
        "-ge" => number(a)? >= number(b)?,
        "-nt" => time(a) > time(b),
        "-ot" => time(a) < time(b),
        _ => match (proc.stat(a), proc.stat(b)) {
            (Ok(a), Ok(b)) => a.ino == b.ino,
            _ => false,
        },
    })
}

impl Shell {
    /// `[[ … ]]`
    pub(super) async fn extended_test(&self, proc: &Proc, words: &[TestWord]) -> Exec {
        let mut at = 0;
        let value = Box::pin(self.test_or(proc, words, &mut at, true)).await?;
        if at < words.len() {
            return Err(self.fail(proc, "syntax error in conditional expression").await);
        }
        Ok(i32::from(!value))
    }

    async fn test_or(
        &self,
        proc: &Proc,
        words: &[TestWord],
        at: &mut usize,
        live: bool,
    ) -> Result<bool, Flow> {
        let mut value = self.test_and(proc, words, at, live).await?;
        while is_operator(words, *at, "||") {
            *at += 1;
            value |= self.test_and(proc, words, at, live && !value).await?;
        }
        Ok(value)
    }

    async fn test_and(
        &self,
        proc: &Proc,
        words: &[TestWord],
        at: &mut usize,
        live: bool,
    ) -> Result<bool, Flow> {
        let mut value = self.test_not(proc, words, at, live).await?;
        while is_operator(words, *at, "&&") {
            *at += 1;
            value &= self.test_not(proc, words, at, live && value).await?;
        }
        Ok(value)
    }

    async fn test_not(
        &self,
        proc: &Proc,
        words: &[TestWord],
        at: &mut usize,
        live: bool,
    ) -> Result<bool, Flow> {
        let mut negated = false;
        while is_operator(words, *at, "!") {
            *at += 1;
            negated = !negated;
        }
        if is_operator(words, *at, "(") {
            *at += 1;
            let value = Box::pin(self.test_or(proc, words, at, live)).await?;
            *at += 1; // the `)`
            return Ok(value != negated);
        }
        Ok(self.test_primary(proc, words, at, live).await? != negated)
    }

    async fn test_primary(
        &self,
        proc: &Proc,
        words: &[TestWord],
        at: &mut usize,
        live: bool,
    ) -> Result<bool, Flow> {
        let word = |i: usize| words.get(i).map(|w| &w.word);
        let operator = |i: usize| words.get(i).and_then(|w| w.operator.as_deref());
        let middle = operator(*at + 1).filter(|op| BINARY.contains(op) || *op == "=~");
        if let (Some(left), Some(op), Some(right)) = (word(*at), middle, word(*at + 2)) {
            *at += 3;
            return if live { self.compare(proc, left, op, right).await } else { Ok(false) };
        }
        if let (Some(op), Some(arg)) = (operator(*at).filter(|op| is_unary(op)), word(*at + 1)) {
            *at += 2;
            if !live {
                return Ok(false);
            }
            let arg = self.expand_string(proc, arg).await?;
            return Ok(unary(proc, op, &arg).unwrap_or(false));
        }
        let Some(one) = word(*at) else {
            return Err(self.fail(proc, "unexpected argument to conditional").await);
        };
        *at += 1;
        Ok(live && !self.expand_string(proc, one).await?.is_empty())
    }

    async fn compare(
        &self,
        proc: &Proc,
        left: &Word,
        op: &str,
        right: &Word,
    ) -> Result<bool, Flow> {
        let a = self.expand_string(proc, left).await?;
        match op {
            "=" | "==" | "!=" => {
                let pattern = self.expand_pattern(proc, right).await?;
                Ok(Pattern::new(&pattern).matches(&a) == (op != "!="))
            }
            "=~" => {
                let pattern = self.expand_string(proc, right).await?;
                self.match_regex(proc, &a, &pattern).await
            }
            "-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge" => {
                let a = self.arithmetic(proc, left).await?;
                let b = self.arithmetic(proc, right).await?;
                Ok(binary(proc, &a.to_string(), op, &b.to_string()).unwrap_or(false))
            }
            _ => {
                let b = self.expand_string(proc, right).await?;
                Ok(binary(proc, &a, op, &b).unwrap_or(false))
            }
        }
    }

    async fn match_regex(&self, proc: &Proc, text: &str, pattern: &str) -> Result<bool, Flow> {
        let Ok(regex) = super::regex::compile(pattern, super::regex::Syntax::Extended, false)
        else {
            return Err(self.fail(proc, "syntax error in regular expression").await);
        };
        let Some(found) = regex.captures(text) else { return Ok(false) };
        let groups = found.iter().map(|g| g.map_or("", |g| g.as_str()).to_string());
        let groups = super::vars::Value::Array((0..).zip(groups).collect());
        let _ = self.vars.borrow_mut().set("BASH_REMATCH", groups);
        Ok(true)
    }
}

fn is_operator(words: &[TestWord], at: usize, operator: &str) -> bool {
    words.get(at).is_some_and(|word| word.operator.as_deref() == Some(operator))
}
