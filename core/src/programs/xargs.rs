//! `xargs`.

use super::support::opts::{Spec, options};
use crate::machine::{Command, Fd, Proc, Program};

/// `xargs`
pub const PROGRAM: Program = Program {
    name: "xargs",
    summary: "build command lines from standard input",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec {
    usage: "xargs [OPTION]... [COMMAND [ARG]...]\n  -0   items end with a NUL\n  -d C   items end with C\n  -I MARK   one item each time, in the place of MARK\n  -n N   at most N items each time\n  -P N   N at once\n  -r   nothing to do without items\n  -t   show commands",
    short: "+0d:I:L:n:P:rt",
    long: &[
        ("null", '0'),
        ("max-args", 'n'),
        ("max-procs", 'P'),
        ("no-run-if-empty", 'r'),
        ("verbose", 't'),
        ("delimiter", 'd'),
    ],
    trouble: 1,
};

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let text = String::from_utf8_lossy(&proc.read_to_end().await).into_owned();
    let replace = options.value('I').map(str::to_string);
    let items: Vec<String> = if options.has('0') {
        text.split('\0').filter(|i| !i.is_empty()).map(String::from).collect()
    } else if let Some(delimiter) = options.value('d') {
        let delimiter = String::from_utf8_lossy(&crate::shell::escape::unescape(delimiter, true).0)
            .into_owned();
        text.trim_end_matches('\n').split(&delimiter).map(String::from).collect()
    } else if replace.is_some() {
        text.lines().map(|l| l.trim_start().to_string()).filter(|l| !l.is_empty()).collect()
    } else {
        words(&text)
    };
    let mut argv = options.rest.clone();
    if argv.is_empty() {
        argv.push("echo".into());
    }
    if items.is_empty() && (options.has('r') || replace.is_some()) {
        return 0;
    }
    let parse = |letter| options.value(letter).and_then(|n| n.parse::<usize>().ok());
    let batch =
        if replace.is_some() { 1 } else { parse('n').or(parse('L')).unwrap_or(5_000).max(1) };
    let batches: Vec<&[String]> =
        if items.is_empty() { vec![&[]] } else { items.chunks(batch).collect() };
    let parallel = parse('P').unwrap_or(1).max(1);
    let (mut running, mut status) = (Vec::new(), 0);
    for batch in batches {
        let command: Vec<String> = match &replace {
            Some(mark) => argv.iter().map(|a| a.replace(mark, &batch[0])).collect(),
            None => [argv.clone(), batch.to_vec()].concat(),
        };
        if options.has('t') {
            proc.eprint(&format!("{}\n", command.join(" "))).await;
        }
        let name = command[0].clone();
        match proc.spawn(Command::new(command).stdin(Fd::Null)) {
            Ok(child) => running.push(child),
            Err(error) => {
                let why = if error.code() == 127 {
                    "No such file or directory".into()
                } else {
                    error.to_string()
                };
                proc.eprint(&format!("xargs: {name}: {why}\n")).await;
                return error.code();
            }
        }
        if running.len() >= parallel {
            let child = running.remove(0);
            status = status.max(outcome(child.wait().await.code()));
        }
    }
    for child in running {
        status = status.max(outcome(child.wait().await.code()));
    }
    status
}

fn outcome(code: i32) -> i32 {
    match code {
        0 => 0,
        255 => 124,
        126.. => 125,
        _ => 123,
    }
}

/// Words as a shell would split them: quotes and backslashes count.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut started, mut quote) = (Vec::new(), String::new(), false, None);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some(_), c) => word.push(c),
            (None, '\'' | '"') => (quote, started) = (Some(c), true),
            (None, '\\') => {
                word.extend(chars.next());
                started = true;
            }
            (None, c) if c.is_whitespace() => {
                if started {
                    words.push(std::mem::take(&mut word));
                    started = false;
                }
            }
            (None, c) => {
                word.push(c);
                started = true;
            }
        }
    }
    if started {
        words.push(word);
    }
    words
}
