//! Running awk programs.

use std::{collections::BTreeMap, rc::Rc, time::Duration};

use regex_lite::Regex;

use super::{
    ast::{Expr, Pattern, Script, Stmt},
    value::Value,
};
use crate::{
    machine::{Child, Command, Fd, Io, Proc, pipe},
    programs::{printf, support::inputs},
    shell::regex::{Syntax, compile},
};

/// Separates the parts of `a[i, j]`.
const SUBSEP: &str = "\u{1c}";

/// So many statements run before the simulation gets a turn.
const SLICE: usize = 5_000;

/// What ends a statement.
pub(super) enum Flow {
    Next,
    Break,
    Continue,
    Exit(i32),
    Error(String),
}

type Outcome = Result<(), Flow>;

/// A running program.
pub struct Run<'a> {
    pub(super) proc: &'a Proc,
    script: &'a Script,
    pub(super) vars: BTreeMap<String, Value>,
    pub(super) arrays: BTreeMap<String, BTreeMap<String, Value>>,
    pub(super) record: String,
    pub(super) fields: Vec<String>,
    ranges: Vec<bool>,
    regexes: BTreeMap<String, Rc<Regex>>,
    pub(super) outputs: BTreeMap<String, (Proc, Option<Child>)>,
    buffer: String,
    steps: usize,
}

impl<'a> Run<'a> {
    /// A program that has not begun.
    pub fn new(proc: &'a Proc, script: &'a Script) -> Self {
        let mut vars = BTreeMap::new();
        for (name, value) in [
            ("FS", " "),
            ("OFS", " "),
            ("ORS", "\n"),
            ("RS", "\n"),
            ("OFMT", "%.6g"),
            ("CONVFMT", "%.6g"),
            ("SUBSEP", SUBSEP),
        ] {
            vars.insert(name.to_string(), Value::Text(value.to_string()));
        }
        let environ =
            proc.env_all().iter().map(|(n, v)| (n.clone(), Value::Input(v.clone()))).collect();
        Run {
            proc,
            script,
            vars,
            arrays: BTreeMap::from([("ENVIRON".to_string(), environ)]),
            record: String::new(),
            fields: Vec::new(),
            ranges: script.rules.iter().map(|_| false).collect(),
            regexes: BTreeMap::new(),
            outputs: BTreeMap::new(),
            buffer: String::new(),
            steps: 0,
        }
    }

    /// `-v`, and `NAME=VALUE` among the files.
    pub fn assign(&mut self, name: &str, value: &str) {
        let bytes = crate::shell::escape::unescape(value, true).0;
        let value = Value::Input(String::from_utf8_lossy(&bytes).into_owned());
        self.vars.insert(name.to_string(), value);
    }

    /// `ARGV` and `ARGC`.
    pub fn set_arguments(&mut self, files: &[String]) {
        let all = std::iter::once("awk".to_string()).chain(files.iter().cloned());
        let argv: BTreeMap<String, Value> =
            all.enumerate().map(|(i, a)| (i.to_string(), Value::Input(a))).collect();
        self.vars.insert("ARGC".into(), Value::Number(argv.len() as f64));
        self.arrays.insert("ARGV".into(), argv);
    }

    /// Runs everything, to the exit code.
    pub async fn whole(&mut self, files: &[String], assigned: &[String]) -> Result<i32, String> {
        let mut code = 0;
        let mut result = Ok(());
        let script = self.script;
        for block in &script.begin {
            result = self.statement(block).await;
            if result.is_err() {
                break;
            }
        }
        for assignment in assigned {
            if let Some((name, value)) = assignment.split_once('=') {
                self.assign(name, value);
            }
        }
        let reads = !script.rules.is_empty() || !script.end.is_empty();
        if result.is_ok() && reads {
            result = self.records(files, &mut code).await;
        }
        if let Err(Flow::Exit(exit)) = result {
            code = exit;
            result = Ok(());
        }
        if result.is_ok() {
            for block in &script.end {
                match self.statement(block).await {
                    Err(Flow::Exit(exit)) => {
                        code = exit;
                        break;
                    }
                    Err(flow) => {
                        result = Err(flow);
                        break;
                    }
                    Ok(()) => {}
                }
            }
        }
        self.flush().await;
        for (_, (to, child)) in std::mem::take(&mut self.outputs) {
            drop(to);
            if let Some(child) = child {
                child.wait().await;
            }
        }
        match result {
            Err(Flow::Error(error)) => Err(error),
            _ => Ok(code),
        }
    }

    /// Writes what is printed but not written yet.
    pub async fn flush(&mut self) {
        let text = std::mem::take(&mut self.buffer);
        self.proc.print(&text).await;
    }

    async fn records(&mut self, files: &[String], code: &mut i32) -> Outcome {
        let mut total = 0;
        for name in files {
            let source = match inputs::Source::open(self.proc, name) {
                Ok(source) => source,
                Err(error) => {
                    self.flush().await;
                    self.proc.eprint(&format!("awk: cannot open \"{name}\" ({error})\n")).await;
                    *code = 2;
                    continue;
                }
            };
            let shown = if name == "-" { "" } else { name };
            self.vars.insert("FILENAME".into(), Value::Input(shown.to_string()));
            let separator = self.var("RS").text("");
            let mut chunks = Vec::new();
            if separator != "\n" {
                let all = String::from_utf8_lossy(&source.all().await).into_owned();
                let all = all.trim_end_matches('\n').to_string();
                let parts: Vec<String> = match separator.as_str() {
                    "" => all.split("\n\n").map(|p| p.trim_matches('\n').to_string()).collect(),
                    separator => all.split(separator).map(String::from).collect(),
                };
                chunks = parts.into_iter().rev().filter(|p| !p.is_empty()).collect();
            }
            let mut in_file = 0;
            loop {
                let record = if separator == "\n" {
                    // What was printed must be seen before the program waits for more.
                    if self.buffer.len() > 8_192 || self.proc.tty().is_some() {
                        self.flush().await;
                    }
                    source.line().await
                } else {
                    chunks.pop()
                };
                let Some(record) = record else { break };
                total += 1;
                in_file += 1;
                self.vars.insert("NR".into(), Value::Number(f64::from(total)));
                self.vars.insert("FNR".into(), Value::Number(f64::from(in_file)));
                self.set_record(record);
                match self.rules().await {
                    Ok(()) | Err(Flow::Next) => {}
                    Err(flow) => return Err(flow),
                }
            }
        }
        Ok(())
    }

    async fn rules(&mut self) -> Outcome {
        let script = self.script;
        for (index, (pattern, action)) in script.rules.iter().enumerate() {
            let selected = match pattern {
                Pattern::Always => true,
                Pattern::If(expr) => self.value(expr).await?.truth(),
                Pattern::Range(from, to) => {
                    let inside = self.ranges[index] || self.value(from).await?.truth();
                    if inside {
                        self.ranges[index] = !self.value(to).await?.truth();
                    }
                    inside
                }
            };
            if !selected {
                continue;
            }
            match action {
                Some(action) => self.statement(action).await?,
                None => {
                    let record = format!("{}{}", self.record, self.var("ORS").text(""));
                    self.buffer.push_str(&record);
                }
            }
        }
        Ok(())
    }

    fn set_record(&mut self, record: String) {
        let separator = self.var("FS").text("");
        self.fields = self.split(&record, &separator).unwrap_or_default();
        self.record = record;
        self.vars.insert("NF".into(), Value::Number(self.fields.len() as f64));
    }

    pub(super) fn split(&mut self, text: &str, separator: &str) -> Result<Vec<String>, Flow> {
        if text.is_empty() {
            return Ok(Vec::new());
        }
        Ok(match separator {
            " " => text.split_whitespace().map(String::from).collect(),
            "" => text.chars().map(String::from).collect(),
            "\t" => text.split('\t').map(String::from).collect(),
            one if one.chars().count() == 1 && one != "\\" => {
                text.split(one).map(String::from).collect()
            }
            pattern => self.regex(pattern)?.split(text).map(String::from).collect(),
        })
    }

    pub(super) fn regex(&mut self, pattern: &str) -> Result<Rc<Regex>, Flow> {
        if let Some(regex) = self.regexes.get(pattern) {
            return Ok(regex.clone());
        }
        let regex = compile(pattern, Syntax::Extended, false)
            .map_err(|error| Flow::Error(format!("{error}: /{pattern}/")))?;
        let regex = Rc::new(regex);
        self.regexes.insert(pattern.to_string(), regex.clone());
        Ok(regex)
    }

    pub(super) fn var(&self, name: &str) -> Value {
        self.vars.get(name).cloned().unwrap_or(Value::Unset)
    }

    pub(super) fn text(&self, value: &Value) -> String {
        match value {
            Value::Number(_) => value.text(&self.var("CONVFMT").text("")),
            value => value.text(""),
        }
    }

    fn statement<'s>(
        &'s mut self,
        statement: &'s Stmt,
    ) -> std::pin::Pin<Box<dyn Future<Output = Outcome> + 's>> {
        Box::pin(async move {
            self.steps += 1;
            if self.steps.is_multiple_of(SLICE) {
                self.proc.sleep(Duration::from_millis(1)).await;
            }
            match statement {
                Stmt::Block(list) => {
                    for statement in list {
                        self.statement(statement).await?;
                    }
                }
                Stmt::Expr(expr) => drop(self.value(expr).await?),
                Stmt::Print(list, to) => {
                    let mut parts = Vec::new();
                    for expr in list {
                        let value = self.value(expr).await?;
                        parts.push(match value {
                            Value::Number(_) => value.text(&self.var("OFMT").text("")),
                            value => value.text(""),
                        });
                    }
                    let text = if list.is_empty() {
                        self.record.clone()
                    } else {
                        parts.join(&self.var("OFS").text(""))
                    };
                    let text = text + &self.var("ORS").text("");
                    self.output(text, to).await?;
                }
                Stmt::Printf(list, to) => {
                    let text = self.format(list).await?;
                    self.output(text, to).await?;
                }
                Stmt::If(condition, yes, no) => {
                    if self.value(condition).await?.truth() {
                        self.statement(yes).await?;
                    } else if let Some(no) = no {
                        self.statement(no).await?;
                    }
                }
                Stmt::While(condition, body) => {
                    while self.value(condition).await?.truth() {
                        if self.turn(body).await? {
                            break;
                        }
                    }
                }
                Stmt::Do(body, condition) => loop {
                    if self.turn(body).await? || !self.value(condition).await?.truth() {
                        break;
                    }
                },
                Stmt::For(first, condition, step, body) => {
                    self.statement(first).await?;
                    loop {
                        if let Some(condition) = condition
                            && !self.value(condition).await?.truth()
                        {
                            break;
                        }
                        if self.turn(body).await? {
                            break;
                        }
                        self.statement(step).await?;
                    }
                }
                Stmt::ForIn(var, array, body) => {
                    let mut keys: Vec<String> = self
                        .arrays
                        .get(array)
                        .map(|a| a.keys().cloned().collect())
                        .unwrap_or_default();
                    // Numbers in their order, as people expect from small arrays.
                    keys.sort_by(|a, b| match (a.parse::<f64>(), b.parse::<f64>()) {
                        (Ok(a), Ok(b)) => a.total_cmp(&b),
                        _ => a.cmp(b),
                    });
                    for key in keys {
                        self.vars.insert(var.clone(), Value::Input(key));
                        if self.turn(body).await? {
                            break;
                        }
                    }
                }
                Stmt::Next => return Err(Flow::Next),
                Stmt::Break => return Err(Flow::Break),
                Stmt::Continue => return Err(Flow::Continue),
                Stmt::Exit(code) => {
                    let code = match code {
                        Some(expr) => self.value(expr).await?.number() as i32,
                        None => 0,
                    };
                    return Err(Flow::Exit(code & 0xff));
                }
                Stmt::Delete(array, None) => drop(self.arrays.remove(array)),
                Stmt::Delete(array, Some(index)) => {
                    let key = self.key(index).await?;
                    if let Some(items) = self.arrays.get_mut(array) {
                        items.remove(&key);
                    }
                }
            }
            Ok(())
        })
    }

    /// Runs a loop's body; whether the loop ends.
    async fn turn(&mut self, body: &Stmt) -> Result<bool, Flow> {
        match self.statement(body).await {
            Err(Flow::Break) => Ok(true),
            Ok(()) | Err(Flow::Continue) => Ok(false),
            Err(flow) => Err(flow),
        }
    }

    async fn output(&mut self, text: String, to: &Option<(char, Expr)>) -> Outcome {
        let Some((mark, target)) = to else {
            self.buffer.push_str(&text);
            if self.buffer.len() > 32_768 {
                self.flush().await;
            }
            return Ok(());
        };
        let target = self.value(target).await?;
        let target = self.text(&target);
        if !self.outputs.contains_key(&target) {
            self.flush().await;
            let opened = match mark {
                '|' => {
                    let (reader, writer) = pipe();
                    let command = Command::new(["sh", "-c", &target]).stdin(Fd::PipeReader(reader));
                    let child = self.proc.spawn(command).map_err(|e| Flow::Error(e.to_string()))?;
                    (Fd::PipeWriter(writer), Some(child))
                }
                mark => {
                    let fd = self.proc.open_write(&target, *mark == 'a');
                    let fd =
                        fd.map_err(|e| Flow::Error(format!("can't redirect to {target} ({e})")))?;
                    (fd, None)
                }
            };
            let io = Io::new(Fd::Null, opened.0, Fd::Null);
            self.outputs.insert(target.clone(), (self.proc.with(Vec::new(), io), opened.1));
        }
        let to = self.outputs.get(&target).map(|(to, _)| to.clone());
        if let Some(to) = to {
            to.print(&text).await;
        }
        Ok(())
    }

    pub(super) async fn format(&mut self, list: &[Expr]) -> Result<String, Flow> {
        let mut words = Vec::new();
        for expr in list {
            let value = self.value(expr).await?;
            words.push(self.text(&value));
        }
        let Some((format, args)) = words.split_first() else { return Ok(String::new()) };
        // The format was unescaped as a string already; `%d` takes the whole part of numbers.
        let format = format.replace('\\', "\\\\");
        let mut kinds = format
            .split('%')
            .skip(1)
            .flat_map(|part| part.chars().find(|c| c.is_ascii_alphabetic()));
        let args: Vec<String> = args
            .iter()
            .map(|arg| match kinds.next() {
                Some('d' | 'i' | 'u' | 'x' | 'X' | 'o') => {
                    format!("{}", Value::Input(arg.clone()).number().trunc() as i64)
                }
                Some('f' | 'e' | 'g' | 'E' | 'G') => {
                    format!("{}", Value::Input(arg.clone()).number())
                }
                _ => arg.clone(),
            })
            .collect();
        let (bytes, _, _) = printf::one_round(&format, &mut args.as_slice());
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    pub(super) async fn key(&mut self, index: &[Expr]) -> Result<String, Flow> {
        let mut parts = Vec::new();
        for expr in index {
            let value = self.value(expr).await?;
            parts.push(self.text(&value));
        }
        Ok(parts.join(SUBSEP))
    }

    pub(super) async fn store(&mut self, to: &Expr, value: Value) -> Outcome {
        match to {
            Expr::Var(name) => {
                if name == "NF" {
                    let count = value.number().clamp(0.0, 10_000.0) as usize;
                    self.fields.resize(count, String::new());
                    self.record = self.fields.join(&self.var("OFS").text(""));
                }
                self.vars.insert(name.clone(), value);
            }
            Expr::Item(array, index) => {
                let key = self.key(index).await?;
                self.arrays.entry(array.clone()).or_default().insert(key, value);
            }
            Expr::Field(index) => {
                let index = self.value(index).await?.number();
                let text = self.text(&value);
                if !(0.0..=10_000.0).contains(&index) {
                    return Err(Flow::Error(format!("attempt to access field {index}")));
                }
                if index == 0.0 {
                    self.set_record(text);
                    return Ok(());
                }
                let index = index as usize;
                if self.fields.len() < index {
                    self.fields.resize(index, String::new());
                    self.vars.insert("NF".into(), Value::Number(index as f64));
                }
                self.fields[index - 1] = text;
                self.record = self.fields.join(&self.var("OFS").text(""));
            }
            _ => return Err(Flow::Error("assignment to something that can't be assigned".into())),
        }
        Ok(())
    }
}
