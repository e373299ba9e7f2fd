//! Simple commands: assignments, functions, builtins, programs.

use std::rc::Rc;

use super::{
    Exec, Flavour, Flow, Shell,
    ast::{self, Assign, Part, Redirect, Word, bare},
    builtins, main,
    vars::Value,
};
use crate::machine::{Child, Command, FsError, Proc, SpawnError};

/// Builtins whose arguments are assignments.
const DECLARING: &[&str] = &["declare", "export", "local", "readonly", "typeset"];

impl Shell {
    pub(super) async fn simple(
        &self,
        proc: &Proc,
        assigns: &[Assign],
        words: &[Word],
        redirects: &[Redirect],
        last: bool,
    ) -> Exec {
        self.substituted.set(false);
        let argv = match words.first().and_then(bare) {
            Some(name) if DECLARING.contains(&name) => self.expand_declaration(proc, words).await?,
            _ => self.expand_words(proc, words).await?,
        };
        if argv.is_empty() {
            return self.only_assign(proc, assigns, redirects).await;
        }
        if self.options.get().xtrace {
            self.trace(proc, assigns, &argv).await?;
        }
        let redirected;
        let mut on = proc;
        if !redirects.is_empty() {
            match self.redirect(proc, redirects).await? {
                Some(new) => redirected = new,
                None => return Ok(if self.flavour == Flavour::Dash { 2 } else { 1 }),
            }
            on = &redirected;
        }
        let name = argv[0].as_str();
        let function = self.functions.borrow().get(name).cloned();
        if let Some(body) = function {
            let saved = self.assign_for_now(on, assigns).await?;
            let result = self.call(on, &body, argv[1..].to_vec()).await;
            self.put_back(saved);
            return result;
        }
        if name == "exec" {
            return self.exec(proc, on, assigns, &argv).await;
        }
        if let Some(builtin) = builtins::find(name, self.flavour) {
            let saved = self.assign_for_now(on, assigns).await?;
            let call = on.with(argv.clone(), on.io().clone());
            let result = builtin.run(self, &call).await;
            self.put_back(saved);
            return result;
        }
        self.external(on, assigns, argv, last).await
    }

    async fn only_assign(&self, proc: &Proc, assigns: &[Assign], redirects: &[Redirect]) -> Exec {
        if !redirects.is_empty() && self.redirect(proc, redirects).await?.is_none() {
            return Ok(1);
        }
        for assign in assigns {
            self.do_assign(proc, assign).await?;
        }
        if self.options.get().xtrace && !assigns.is_empty() {
            self.trace(proc, assigns, &[]).await?;
        }
        Ok(if self.substituted.get() { self.status.get() } else { 0 })
    }

    /// `export A=$(x y)`: the arguments are assignments and not split.
    async fn expand_declaration(&self, proc: &Proc, words: &[Word]) -> Result<Vec<String>, Flow> {
        let mut argv = Vec::new();
        for word in words {
            let assigns = matches!(word.first(), Some(Part::Text(text)) if is_assignment(text));
            if assigns {
                argv.push(self.expand_string(proc, word).await?);
            } else {
                argv.extend(self.expand_words(proc, std::slice::from_ref(word)).await?);
            }
        }
        Ok(argv)
    }

    async fn do_assign(&self, proc: &Proc, assign: &Assign) -> Result<(), Flow> {
        let old = self.vars.borrow().get(&assign.name).cloned();
        let value = match &assign.value {
            ast::Value::Array(words) => {
                let mut items = match (assign.append, old) {
                    (true, Some(Value::Array(items))) => items,
                    (true, Some(Value::Text(text))) => [(0, text)].into(),
                    _ => Default::default(),
                };
                let next = items.keys().next_back().map_or(0, |k| k + 1);
                let words = self.expand_words(proc, words).await?;
                items.extend((next..).zip(words));
                Value::Array(items)
            }
            ast::Value::Word(word) => {
                let text = self.expand_string(proc, word).await?;
                match &assign.index {
                    Some(index) => {
                        let index = self.arithmetic(proc, index).await?;
                        let mut items = match old {
                            Some(Value::Array(items)) => items,
                            Some(Value::Text(text)) => [(0, text)].into(),
                            None => Default::default(),
                        };
                        let item = items.entry(index).or_default();
                        if assign.append {
                            item.push_str(&text)
                        } else {
                            *item = text
                        }
                        Value::Array(items)
                    }
                    None => match (assign.append, old) {
                        (true, Some(Value::Array(mut items))) => {
                            items.entry(0).or_default().push_str(&text);
                            Value::Array(items)
                        }
                        (true, Some(Value::Text(old))) => Value::Text(old + &text),
                        _ => Value::Text(text),
                    },
                }
            }
        };
        self.assign(proc, &assign.name, value).await
    }

    /// `A=1 command`, where the command runs in this shell: returns what to put back afterwards.
    async fn assign_for_now(
        &self,
        proc: &Proc,
        assigns: &[Assign],
    ) -> Result<Vec<(String, Option<super::vars::Variable>)>, Flow> {
        let mut saved = Vec::new();
        for assign in assigns {
            let old = self.vars.borrow().variable(&assign.name).cloned();
            self.do_assign(proc, assign).await?;
            self.vars.borrow_mut().entry(&assign.name).exported = true;
            saved.push((assign.name.clone(), old));
        }
        Ok(saved)
    }

    fn put_back(&self, saved: Vec<(String, Option<super::vars::Variable>)>) {
        for (name, old) in saved.into_iter().rev() {
            self.vars.borrow_mut().restore(name, old);
        }
    }

    async fn trace(&self, proc: &Proc, assigns: &[Assign], argv: &[String]) -> Result<(), Flow> {
        let mut words = Vec::new();
        for assign in assigns {
            if let ast::Value::Word(word) = &assign.value {
                let value = self.expand_string(proc, word).await?;
                words.push(format!("{}={value}", assign.name));
            }
        }
        words.extend(argv.iter().map(|arg| match self.flavour.is_bash() {
            true => super::escape::quote(arg),
            false => arg.clone(),
        }));
        let ps4 = self.variable("PS4").unwrap_or_else(|| "+ ".into());
        proc.eprint(&format!("{ps4}{}\n", words.join(" "))).await;
        Ok(())
    }

    /// Gives programs the exported variables as they are now.
    pub(super) fn sync_environment(&self, proc: &Proc) {
        let mut vars = self.vars.borrow_mut();
        if std::mem::take(&mut vars.exports_changed) {
            proc.set_env(vars.exported());
        }
    }

    async fn external(
        &self,
        proc: &Proc,
        assigns: &[Assign],
        argv: Vec<String>,
        last: bool,
    ) -> Exec {
        let saved = self.assign_for_now(proc, assigns).await?;
        self.sync_environment(proc);
        let result = self.start(proc, &argv, last).await;
        self.put_back(saved);
        let child = match result? {
            Ok(child) => child,
            Err(error) => return self.not_started(proc, &argv[0], &error).await,
        };
        let text: Rc<str> = argv.join(" ").into();
        let codes = self.wait_foreground(proc, vec![child], &text).await?;
        Ok(codes.first().copied().unwrap_or(0))
    }

    async fn start(
        &self,
        proc: &Proc,
        argv: &[String],
        last: bool,
    ) -> Result<Result<Child, SpawnError>, Flow> {
        if last && self.traps.borrow().is_empty() && self.source != super::Source::Interactive
            || last && self.subshell && self.traps.borrow().is_empty()
        {
            match proc.exec(argv.to_vec()) {
                Ok(run) => {
                    let code = run.await;
                    return Err(Flow::Exit(code));
                }
                Err(SpawnError::Format { .. }) => {} // a script, below
                Err(error) => return Ok(Err(error)),
            }
        }
        let mut command = Command::new(argv.to_vec());
        if self.is_interactive() {
            command.group = Some(0);
        }
        Ok(match proc.spawn(command.clone()) {
            Err(SpawnError::Format { path }) => {
                let flavour = self.flavour;
                let args = argv.to_vec();
                Ok(proc.fork(command, move |proc| main::file(proc, flavour, path, args)))
            }
            other => other,
        })
    }

    /// `exec`: without a command its redirections stay.
    async fn exec(&self, proc: &Proc, on: &Proc, assigns: &[Assign], argv: &[String]) -> Exec {
        let argv = match argv.get(1).map(String::as_str) {
            Some("--") => &argv[2..],
            _ => &argv[1..],
        };
        if argv.is_empty() {
            for fd in 0..64 {
                proc.io().set(fd, on.io().get(fd));
            }
            return Ok(0);
        }
        let _saved = self.assign_for_now(on, assigns).await?;
        self.sync_environment(on);
        match on.exec(argv.to_vec()) {
            Ok(run) => {
                if self.source == super::Source::Interactive
                    && let Some(tty) = on.any_tty()
                {
                    tty.set_raw(false);
                }
                Err(Flow::Exit(run.await))
            }
            Err(error) => {
                let status = self.not_started_as(on, "exec: ", &argv[0], &error).await;
                match self.is_interactive() {
                    true => Ok(status),
                    false => Err(Flow::Exit(status)),
                }
            }
        }
    }

    async fn not_started(&self, proc: &Proc, name: &str, error: &SpawnError) -> Exec {
        Ok(self.not_started_as(proc, "", name, error).await)
    }

    async fn not_started_as(&self, proc: &Proc, by: &str, name: &str, error: &SpawnError) -> i32 {
        let is_dir = proc.is_dir(name) && name.contains('/');
        let text = match (self.flavour, error) {
            (Flavour::Bash, SpawnError::NotOnPath) if by.is_empty() => {
                format!("{name}: command not found")
            }
            (Flavour::Bash, SpawnError::File(FsError::Access)) if is_dir => {
                format!("{name}: Is a directory")
            }
            (Flavour::Bash, SpawnError::NotOnPath) => format!("{by}{name}: not found"),
            (Flavour::Bash, SpawnError::File(error)) => format!("{by}{name}: {error}"),
            (_, SpawnError::NotOnPath | SpawnError::File(FsError::NotFound)) => {
                format!("{by}{name}: not found")
            }
            (_, error) => format!("{by}{name}: {error}"),
        };
        self.complain(proc, &text).await;
        error.code()
    }
}

/// Whether a word begins with `NAME=`.
pub(super) fn is_assignment(text: &str) -> bool {
    let Some((name, _)) = text.split_once('=') else { return false };
    is_name(name.strip_suffix('+').unwrap_or(name))
}

/// Whether a text can be a variable's name.
pub(super) fn is_name(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.chars().all(word) && text.starts_with(|c: char| !c.is_ascii_digit() && word(c))
}
