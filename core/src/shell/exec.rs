//! Running lists, pipelines and compound commands.

use std::{cell::Cell, future::Future, pin::Pin, rc::Rc, time::Duration};

use super::{
    Exec, Flow, Shell,
    ast::{Command, Item, Kind, List, Pipeline, Word},
    pattern::Pattern,
    vars::Value,
};
use crate::{
    machine::{self, Child, ExitStatus, Fd, Proc, Signal, pipe},
    sim::Notify,
};

pub(super) type Fut<'a> = Pin<Box<dyn Future<Output = Exec> + 'a>>;

/// Lists (bodies, functions, `eval`, `.`) may be nested this deep.
const MAX_DEPTH: usize = 400;
/// So many of them may share a stack; then a function or `eval` gets a fresh one.
const FRESH_AFTER: usize = 8;
/// A bound on what may still come after that (see also the parser's bound).
const MAX_ON_STACK: usize = 44;

impl Shell {
    /// Runs a list in the process of a subshell, to its exit code.
    pub(super) async fn run_forked(&self, proc: &Proc, list: &List) -> i32 {
        let result = self.list(proc, list, true).await;
        self.finish(proc, result).await
    }

    /// Turns the end of a script into its exit code, running the EXIT trap.
    pub(super) async fn finish(&self, proc: &Proc, result: Exec) -> i32 {
        let mut status = match result {
            Ok(status) => status,
            Err(Flow::Exit(status) | Flow::Error(status) | Flow::Return(status)) => status,
            Err(Flow::Break(_) | Flow::Continue(_)) => self.status.get(),
            Err(Flow::Interrupt) => 130,
        };
        self.status.set(status);
        if let Some(status_of_trap) = self.run_exit_trap(proc).await {
            status = status_of_trap;
        }
        status
    }

    /// Runs commands one after another. `last` says that nothing comes after them in this process.
    pub(super) fn list<'a>(&'a self, proc: &'a Proc, list: &'a [Item], last: bool) -> Fut<'a> {
        Box::pin(async move {
            self.enter(proc).await?;
            let mut result = Ok(0);
            for (index, item) in list.iter().enumerate() {
                let last = last && index + 1 == list.len();
                result = self.item(proc, item, last).await;
                if result.is_err() {
                    break;
                }
            }
            self.depth.set(self.depth.get() - 1);
            self.on_stack.set(self.on_stack.get() - 1);
            result
        })
    }

    async fn item(&self, proc: &Proc, item: &Item, last: bool) -> Exec {
        if self.options.get().noexec {
            return Ok(0);
        }
        if item.background {
            return self.background(proc, item).await;
        }
        let mut final_pipeline = item.rest.is_empty();
        let only = final_pipeline;
        if !only {
            self.tolerant.set(self.tolerant.get() + 1);
        }
        let first = self.pipeline(proc, &item.first, last && only, &item.text).await;
        if !only {
            self.tolerant.set(self.tolerant.get() - 1);
        }
        let mut status = first?;
        let mut negated = item.first.negated;
        for (index, (and, pipeline)) in item.rest.iter().enumerate() {
            let is_last = index + 1 == item.rest.len();
            final_pipeline = false;
            if *and != (status == 0) {
                continue;
            }
            final_pipeline = is_last;
            negated = pipeline.negated;
            if !is_last {
                self.tolerant.set(self.tolerant.get() + 1);
            }
            let result = self.pipeline(proc, pipeline, last && is_last, &item.text).await;
            if !is_last {
                self.tolerant.set(self.tolerant.get() - 1);
            }
            status = result?;
        }
        let tolerated = !final_pipeline || negated || self.tolerant.get() > 0;
        if status != 0 && self.options.get().errexit && !tolerated {
            return Err(Flow::Exit(status));
        }
        Ok(status)
    }

    async fn background(&self, proc: &Proc, item: &Item) -> Exec {
        let shell = self.fork();
        let mut command = machine::Command::new(proc.args().to_vec());
        if self.is_interactive() {
            command.group = Some(0);
        } else if proc.tty().is_some() {
            command.stdin = Some(Fd::Null);
        }
        let body = Item { background: false, ..item.clone() };
        let child = proc
            .fork(command, move |proc| async move { shell.run_forked(&proc, &vec![body]).await });
        self.last_background.set(Some(child.pid()));
        let pid = child.pid();
        let id = self.jobs.borrow_mut().add(vec![child], item.text.clone());
        if self.is_interactive() {
            proc.eprint(&format!("[{id}] {pid}\n")).await;
        }
        self.status.set(0);
        Ok(0)
    }

    async fn pipeline(&self, proc: &Proc, pipeline: &Pipeline, last: bool, text: &Rc<str>) -> Exec {
        let start = proc.sim().now();
        let last = last && !pipeline.negated && !pipeline.timed;
        let status = match pipeline.commands.as_slice() {
            [] => 0,
            [command] => {
                if pipeline.negated {
                    self.tolerant.set(self.tolerant.get() + 1);
                }
                let result = self.command(proc, command, last).await;
                if pipeline.negated {
                    self.tolerant.set(self.tolerant.get() - 1);
                }
                result?
            }
            commands => self.piped(proc, commands, text).await?,
        };
        if pipeline.timed {
            let real = proc.sim().now().since(start).as_secs_f64();
            let (minutes, seconds) = ((real / 60.0) as u64, real % 60.0);
            let text = format!("\nreal\t{minutes}m{seconds:.3}s\nuser\t0m0.000s\nsys\t0m0.000s\n");
            proc.eprint(&text).await;
        }
        let status = if pipeline.negated { i32::from(status == 0) } else { status };
        self.status.set(status);
        self.run_traps(proc).await?;
        Ok(status)
    }

    async fn piped(&self, proc: &Proc, commands: &[Rc<Command>], text: &Rc<str>) -> Exec {
        let mut children: Vec<Child> = Vec::new();
        let mut input = None;
        for (index, command) in commands.iter().enumerate() {
            let mut start = machine::Command::new(proc.args().to_vec());
            start.stdin = input.take().map(Fd::PipeReader);
            if index + 1 < commands.len() {
                let (reader, writer) = pipe();
                input = Some(reader);
                start.stdout = Some(Fd::PipeWriter(writer));
            }
            if self.is_interactive() {
                start.group = Some(children.first().map_or(0, Child::pid));
            }
            let (shell, command) = (self.fork(), command.clone());
            children.push(proc.fork(start, move |proc| async move {
                let result = shell.command(&proc, &command, true).await;
                shell.finish(&proc, result).await
            }));
        }
        let codes = self.wait_foreground(proc, children, text).await?;
        let last = codes.last().copied().unwrap_or(0);
        if self.options.get().pipefail {
            return Ok(codes.iter().rev().find(|code| **code != 0).copied().unwrap_or(0));
        }
        Ok(last)
    }

    /// Gives children the keyboard, waits for them all and takes the keyboard back.
    pub(super) async fn wait_foreground(
        &self,
        proc: &Proc,
        children: Vec<Child>,
        text: &Rc<str>,
    ) -> Result<Vec<i32>, Flow> {
        let tty = proc.any_tty().filter(|_| self.is_interactive());
        if let (Some(tty), Some(first)) = (&tty, children.first()) {
            tty.set_foreground(proc.machine(), first.process().group.get());
        }
        let mut statuses = Vec::new();
        for child in &children {
            statuses.push(child.wait().await);
        }
        if let Some(tty) = &tty {
            tty.set_foreground(proc.machine(), proc.process().group.get());
            if !tty.mode().canonical {
                tty.set_raw(false); // a program that was killed left it raw
            }
        }
        let interrupted = statuses.contains(&ExitStatus::Signal(Signal::Int));
        if self.is_interactive() {
            self.report_signals(proc, &statuses, interrupted).await;
        } else if let Some(ExitStatus::Signal(signal)) = statuses.last()
            && !signal.description().is_empty()
            && !self.subshell
        {
            self.report_death(proc, &children, *signal, text).await;
        }
        if interrupted && (self.is_interactive() || self.loops.get() > 0) {
            self.status.set(130);
            return Err(Flow::Interrupt);
        }
        Ok(statuses.into_iter().map(ExitStatus::code).collect())
    }

    async fn report_signals(&self, proc: &Proc, statuses: &[ExitStatus], interrupted: bool) {
        if interrupted {
            proc.eprint("\n").await;
        }
        if let Some(ExitStatus::Signal(signal)) = statuses.last()
            && !signal.description().is_empty()
        {
            proc.eprint(&format!("{}\n", signal.description())).await;
        }
    }

    async fn report_death(&self, proc: &Proc, children: &[Child], signal: Signal, text: &str) {
        let pid = children.last().map_or(0, Child::pid);
        let word = signal.description();
        let line = match self.flavour.is_bash() {
            true => format!("{}{pid:>5} {word:<23} {text}\n", self.prefix()),
            false => format!("{word}\n"),
        };
        proc.eprint(&line).await;
    }

    /// Runs a command of any kind.
    pub(super) fn command<'a>(
        &'a self,
        proc: &'a Proc,
        command: &'a Command,
        last: bool,
    ) -> Fut<'a> {
        Box::pin(async move {
            self.line.set(command.line);
            if let Kind::Simple { assigns, words } = &command.kind {
                return self.simple(proc, assigns, words, &command.redirects, last).await;
            }
            if command.redirects.is_empty() {
                return self.compound(proc, &command.kind, last).await;
            }
            match self.redirect(proc, &command.redirects).await? {
                Some(proc) => self.compound(&proc, &command.kind, last).await,
                None => Ok(1),
            }
        })
    }

    async fn compound(&self, proc: &Proc, kind: &Kind, last: bool) -> Exec {
        match kind {
            Kind::Simple { .. } => Ok(0),
            Kind::Group(list) => self.list(proc, list, last).await,
            Kind::Subshell(list) => self.subshell(proc, list).await,
            Kind::If { branches, otherwise } => {
                for (condition, body) in branches {
                    if self.condition(proc, condition).await? == 0 {
                        return self.list(proc, body, last).await;
                    }
                }
                match otherwise {
                    Some(body) => self.list(proc, body, last).await,
                    None => Ok(0),
                }
            }
            Kind::While { until, condition, body } => {
                self.repeat(proc, body, async || {
                    Ok((self.condition(proc, condition).await? == 0) != *until)
                })
                .await
            }
            Kind::For { name, words, body } => self.for_loop(proc, name, words, body).await,
            Kind::CFor { parts, body } => self.c_for_loop(proc, parts, body).await,
            Kind::Case { word, arms } => self.case(proc, word, arms).await,
            Kind::Function { name, body } => {
                self.functions.borrow_mut().insert(name.clone(), body.clone());
                Ok(0)
            }
            Kind::Test(words) => self.extended_test(proc, words).await,
            Kind::Arithmetic(word) => Ok(i32::from(self.arithmetic(proc, word).await? == 0)),
        }
    }

    async fn condition(&self, proc: &Proc, list: &List) -> Exec {
        self.tolerant.set(self.tolerant.get() + 1);
        let result = self.list(proc, list, false).await;
        self.tolerant.set(self.tolerant.get() - 1);
        result
    }

    async fn subshell(&self, proc: &Proc, list: &Rc<List>) -> Exec {
        let (shell, body) = (self.fork(), list.clone());
        let mut command = machine::Command::new(proc.args().to_vec());
        if self.is_interactive() {
            command.group = Some(0);
        }
        let child =
            proc.fork(command, move |proc| async move { shell.run_forked(&proc, &body).await });
        let codes = self.wait_foreground(proc, vec![child], &"(…)".into()).await?;
        Ok(codes.first().copied().unwrap_or(0))
    }

    /// Runs a body as long as `again` says so. Each turn takes a millisecond.
    async fn repeat(
        &self,
        proc: &Proc,
        body: &List,
        mut again: impl AsyncFnMut() -> Result<bool, Flow>,
    ) -> Exec {
        let mut status = 0;
        self.loops.set(self.loops.get() + 1);
        let result = loop {
            match again().await {
                Ok(true) => {}
                Ok(false) => break Ok(status),
                Err(flow) => match leave(flow) {
                    Ok(true) => break Ok(0),
                    Ok(false) => continue,
                    Err(flow) => break Err(flow),
                },
            }
            match self.list(proc, body, false).await {
                Ok(new) => status = new,
                Err(flow) => match leave(flow) {
                    Ok(true) => break Ok(0),
                    Ok(false) => status = 0,
                    Err(flow) => break Err(flow),
                },
            }
            // A turn of a loop is work, not waiting.
            proc.process().add_cpu_micros(1000);
            proc.sleep(Duration::from_millis(1)).await;
            if let Err(flow) = self.run_traps(proc).await {
                break Err(flow);
            }
        };
        self.loops.set(self.loops.get() - 1);
        if let Ok(status) = result {
            self.status.set(status);
        }
        result
    }

    async fn for_loop(
        &self,
        proc: &Proc,
        name: &str,
        words: &Option<Vec<Word>>,
        body: &List,
    ) -> Exec {
        let words = match words {
            Some(words) => self.expand_words(proc, words).await?,
            None => self.positional.borrow().clone(),
        };
        let mut words = words.into_iter();
        self.repeat(proc, body, async || match words.next() {
            Some(word) => self.assign(proc, name, Value::Text(word)).await.map(|()| true),
            None => Ok(false),
        })
        .await
    }

    async fn c_for_loop(&self, proc: &Proc, parts: &[Word; 3], body: &List) -> Exec {
        self.arithmetic(proc, &parts[0]).await?;
        let mut first = true;
        self.repeat(proc, body, async || {
            if !std::mem::take(&mut first) {
                self.arithmetic(proc, &parts[2]).await?;
            }
            let text = self.expand_string(proc, &parts[1]).await?;
            Ok(text.trim().is_empty() || self.arithmetic(proc, &parts[1]).await? != 0)
        })
        .await
    }

    async fn case(&self, proc: &Proc, word: &Word, arms: &[(Vec<Word>, List, bool)]) -> Exec {
        let text = self.expand_string(proc, word).await?;
        let (mut status, mut running) = (0, false);
        for (patterns, body, falls_through) in arms {
            let mut matched = running;
            for pattern in patterns {
                if matched {
                    break;
                }
                let pattern = self.expand_pattern(proc, pattern).await?;
                matched = Pattern::new(&pattern).matches(&text);
            }
            if matched {
                status = self.list(proc, body, false).await?;
                running = *falls_through;
                if !running {
                    break;
                }
            }
        }
        Ok(status)
    }

    /// Calls a function.
    pub(super) async fn call(&self, proc: &Proc, body: &Rc<Command>, args: Vec<String>) -> Exec {
        proc.sleep(Duration::from_micros(10)).await; // two calls in each are 2^MAX_DEPTH
        let old = self.positional.replace(args);
        self.vars.borrow_mut().push_frame();
        let loops = self.loops.replace(0);
        let body = body.clone();
        let result = self
            .on_fresh_stack(proc, move |shell, proc| {
                Box::pin(async move { shell.command(&proc, &body, false).await })
            })
            .await;
        self.loops.set(loops);
        self.vars.borrow_mut().pop_frame();
        *self.positional.borrow_mut() = old;
        match result {
            Err(Flow::Return(status)) => Ok(status),
            other => other,
        }
    }

    /// Runs something that may nest without end: in a task of its own where the stack has become
    /// deep, since a future that waits for a task needs none.
    pub(super) async fn on_fresh_stack(
        &self,
        proc: &Proc,
        run: impl FnOnce(Rc<Shell>, Proc) -> Fut<'static>,
    ) -> Exec {
        let Some(shell) = self.me.upgrade() else { return Ok(1) };
        let run = run(shell, proc.clone());
        if self.on_stack.get() < FRESH_AFTER {
            return run.await;
        }
        let before = self.on_stack.replace(0);
        let result: Rc<Cell<Option<Exec>>> = Rc::default();
        let (done, into) = (Notify::default(), result.clone());
        let (waiting, notify) = (done.wait(), done.clone());
        proc.spawn_task(async move {
            into.set(Some(run.await));
            notify.notify();
        });
        waiting.await;
        self.on_stack.set(before);
        result.take().unwrap_or(Ok(1))
    }

    /// Counts nested lists; whoever calls it lowers the count again.
    async fn enter(&self, proc: &Proc) -> Result<(), Flow> {
        if self.depth.get() >= MAX_DEPTH || self.on_stack.get() >= MAX_ON_STACK {
            return Err(self.fail(proc, "maximum nesting level exceeded").await);
        }
        self.depth.set(self.depth.get() + 1);
        self.on_stack.set(self.on_stack.get() + 1);
        Ok(())
    }
}

/// What a loop makes of it: `true` to end, `false` to go on, or on to what is around it.
fn leave(flow: Flow) -> Result<bool, Flow> {
    match flow {
        Flow::Break(0 | 1) => Ok(true),
        Flow::Break(n) => Err(Flow::Break(n - 1)),
        Flow::Continue(0 | 1) => Ok(false),
        Flow::Continue(n) => Err(Flow::Continue(n - 1)),
        other => Err(other),
    }
}
