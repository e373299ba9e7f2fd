//! From words to arguments: expansions, field splitting, file names, quote removal.

mod braces;
mod fields;
mod glob;
mod param;

use std::{future::Future, pin::Pin};

use super::{
    Flow, Shell,
    arith::{self, evaluate},
    ast::{Part, Word},
    pattern::Pattern,
    vars::Value,
};
use crate::machine::{Command, Fd, Proc, pipe};
use fields::Fields;
pub use glob::glob;

/// So many bytes one word may become.
const MOST_TEXT: usize = 16 << 20;

type Fut<'a, T> = Pin<Box<dyn Future<Output = Result<T, Flow>> + 'a>>;

impl Shell {
    /// Words as arguments.
    ///
    /// # Errors
    /// Where an expansion fails, which ends the command.
    pub async fn expand_words(&self, proc: &Proc, words: &[Word]) -> Result<Vec<String>, Flow> {
        let mut out = Vec::new();
        for word in words {
            if let [Part::Text(text)] = word.as_slice()
                && !text.contains(['*', '?', '[', '{'])
            {
                out.push(text.clone()); // by far most words
                continue;
            }
            if self.flavour.is_bash() {
                for word in braces::expand(word) {
                    self.expand_word(proc, &word, &mut out).await?;
                }
            } else {
                self.expand_word(proc, word, &mut out).await?;
            }
        }
        Ok(out)
    }

    async fn expand_word(
        &self,
        proc: &Proc,
        word: &Word,
        out: &mut Vec<String>,
    ) -> Result<(), Flow> {
        let mut fields = Fields::new(self.ifs());
        self.expand_parts(proc, word, false, &mut fields).await?;
        for field in fields.finish() {
            let pattern = field.pattern();
            if !self.options.get().noglob && Pattern::is_special(&pattern) {
                let found = glob(proc, &pattern);
                if !found.is_empty() {
                    out.extend(found);
                    continue;
                }
            }
            out.push(field.text());
        }
        Ok(())
    }

    /// A word as one string: no splitting, no file names.
    ///
    /// # Errors
    /// Where an expansion fails.
    pub async fn expand_string(&self, proc: &Proc, word: &Word) -> Result<String, Flow> {
        let mut fields = Fields::whole();
        self.expand_parts(proc, word, false, &mut fields).await?;
        Ok(fields.finish().first().map(fields::Field::text).unwrap_or_default())
    }

    /// A word as a pattern: what was quoted stands for itself.
    ///
    /// # Errors
    /// Where an expansion fails.
    pub async fn expand_pattern(&self, proc: &Proc, word: &Word) -> Result<String, Flow> {
        let mut fields = Fields::whole();
        self.expand_parts(proc, word, false, &mut fields).await?;
        Ok(fields.finish().first().map(fields::Field::pattern).unwrap_or_default())
    }

    fn ifs(&self) -> String {
        self.vars.borrow().get("IFS").map_or_else(|| " \t\n".into(), |v| v.text().to_string())
    }

    fn expand_parts<'a>(
        &'a self,
        proc: &'a Proc,
        parts: &'a [Part],
        quoted: bool,
        out: &'a mut Fields,
    ) -> Fut<'a, ()> {
        Box::pin(async move {
            for part in parts {
                match part {
                    Part::Text(text) => out.push(text, quoted),
                    Part::Quoted(text) => out.push(text, true),
                    Part::Double(parts) => {
                        if !matches!(parts.as_slice(), [Part::Param(p)] if p.is_list()) {
                            out.push("", true);
                        }
                        self.expand_parts(proc, parts, true, out).await?;
                    }
                    Part::Tilde(user) => {
                        let home = self.home(proc, user);
                        out.push(&home.unwrap_or_else(|| format!("~{user}")), true);
                    }
                    Part::Param(param) => self.expand_param(proc, param, quoted, out).await?,
                    Part::Command(list) => {
                        let text = self.substitute(proc, list).await?;
                        out.value(&text, quoted);
                    }
                    Part::Arithmetic(parts) => {
                        let value = self.arithmetic(proc, parts).await?;
                        out.value(&value.to_string(), quoted);
                    }
                }
                self.has_memory(proc, out.size()).await?;
            }
            Ok(())
        })
    }

    /// Text grows to [`MOST_TEXT`]; a machine has no more memory for one word.
    async fn has_memory(&self, proc: &Proc, bytes: usize) -> Result<(), Flow> {
        if bytes <= MOST_TEXT {
            return Ok(());
        }
        self.complain(proc, &format!("xrealloc: cannot allocate {bytes} bytes")).await;
        Err(Flow::Error(2))
    }

    fn home(&self, proc: &Proc, user: &str) -> Option<String> {
        let variable = |name: &str| self.vars.borrow().get(name).map(|v| v.text().to_string());
        match user {
            "" => variable("HOME").or_else(|| Some("/".into())),
            "+" => Some(proc.cwd()),
            "-" => variable("OLDPWD"),
            user => {
                let passwd = proc.read_text("/etc/passwd").ok()?;
                let line = passwd.lines().find(|l| l.split(':').next() == Some(user))?;
                line.split(':').nth(5).map(str::to_string)
            }
        }
    }

    /// Evaluates `$((…))`.
    ///
    /// # Errors
    /// Where the expression is wrong.
    pub async fn arithmetic(&self, proc: &Proc, parts: &Word) -> Result<i64, Flow> {
        let text = self.expand_string(proc, parts).await?;
        match evaluate(&text, self) {
            Ok(value) => Ok(value),
            Err(error) => {
                let message = match (self.flavour.is_bash(), error.as_str()) {
                    (true, _) => format!("{}: {error}", text.trim()),
                    (false, "division by 0") => "arithmetic expression: division by zero".into(),
                    (false, _) => format!("arithmetic expression: {error}: \"{}\"", text.trim()),
                };
                Err(self.fail(proc, &message).await)
            }
        }
    }

    /// Runs a list and returns what it prints, without the newlines at the end.
    async fn substitute(&self, proc: &Proc, list: &super::ast::ListBox) -> Result<String, Flow> {
        let (reader, writer) = pipe();
        let shell = self.fork();
        let command = Command::new(proc.args().to_vec()).stdout(Fd::PipeWriter(writer));
        let body = list.0.clone();
        let child =
            proc.fork(command, move |proc| async move { shell.run_forked(&proc, &body).await });
        let mut bytes = Vec::new();
        loop {
            let more = reader.read(65_536, None).await;
            if more.is_empty() {
                break;
            }
            bytes.extend(more);
            self.has_memory(proc, bytes.len()).await?;
        }
        let status = child.wait().await;
        self.status.set(status.code());
        self.substituted.set(true);
        bytes.retain(|b| *b != 0);
        while bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl arith::Variables for Shell {
    fn get(&self, name: &str) -> String {
        self.vars.borrow().get(name).map_or(String::new(), |v| v.text().to_string())
    }

    fn set(&self, name: &str, value: i64) {
        let _ = self.vars.borrow_mut().set(name, Value::Text(value.to_string()));
    }
}
