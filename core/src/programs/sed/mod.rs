//! `sed`.

mod parse;
mod run;

use self::{parse::parse, run::Machine};
use super::support::{
    inputs,
    opts::{Spec, options},
};
use crate::machine::{Proc, Program};

/// `sed`
pub const PROGRAM: Program = Program {
    name: "sed",
    summary: "edit text, line by line",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec {
    usage: "sed [OPTION]... SCRIPT [FILE]...
  -e SCRIPT   a script; may come several times
  -E, -r   extended patterns
  -f FILE   a script from a file
  -i   change the files themselves
  -n   print only what p asks for
  -s   each file for itself",
    short: "e:Ef:inrsuz",
    long: &[
        ("quiet", 'n'),
        ("silent", 'n'),
        ("regexp-extended", 'E'),
        ("expression", 'e'),
        ("file", 'f'),
        ("in-place", 'i'),
        ("separate", 's'),
    ],
    trouble: 1,
};

async fn main(proc: Proc) -> i32 {
    // `-i.bak` would read as more letters: the suffix is taken off first.
    let mut suffix = String::new();
    let args: Vec<String> = proc
        .args()
        .iter()
        .map(|arg| match arg.strip_prefix("-i").filter(|s| s.starts_with(['.', '~', '_'])) {
            Some(rest) => {
                suffix = rest.to_string();
                "-i".to_string()
            }
            None => arg.clone(),
        })
        .collect();
    let proc = proc.with(args, proc.io().clone());
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let mut script: Vec<String> = options.values('e').iter().map(|s| (*s).to_string()).collect();
    for path in options.values('f') {
        match proc.read_text(path) {
            Ok(text) => script.push(text.trim_end_matches('\n').to_string()),
            Err(error) => {
                proc.eprint(&format!("sed: couldn't open file {path}: {error}\n")).await;
                return 1;
            }
        }
    }
    let mut files = options.rest.clone();
    if script.is_empty() {
        if files.is_empty() {
            proc.eprint(&format!("Usage: {}\n", SPEC.usage)).await;
            return 1;
        }
        script.push(files.remove(0));
    }
    let commands = match parse(&script.join("\n"), options.last_of("Er").is_some()) {
        Ok(commands) => commands,
        Err(error) => {
            proc.eprint(&format!("sed: -e expression #1, {error}\n")).await;
            return 1;
        }
    };
    let in_place = options.has('i');
    let mut status = 0;
    let names = inputs::names(&files);
    let groups: Vec<Vec<String>> = match in_place || options.has('s') {
        true => names.into_iter().map(|n| vec![n]).collect(),
        false => vec![names],
    };
    for group in groups {
        let mut text = Vec::new();
        for name in &group {
            match inputs::Source::open(&proc, name) {
                Ok(source) => text.extend(source.all().await),
                Err(error) => {
                    let verb = if error == crate::machine::FsError::IsADirectory {
                        format!("couldn't edit {name}: not a regular file")
                    } else {
                        format!("can't read {name}: {error}")
                    };
                    proc.eprint(&format!("sed: {verb}\n")).await;
                    status = 2;
                }
            }
        }
        if in_place && !proc.exists(&group[0]) {
            continue;
        }
        let text = String::from_utf8_lossy(&text).into_owned();
        let mut machine = Machine::new(&commands, &text, options.has('n'));
        while let Some(printed) = machine.cycle() {
            if !in_place {
                proc.print(&printed).await;
            } else {
                machine.keep(printed);
            }
            if machine.used_up() {
                proc.sleep(std::time::Duration::from_millis(1)).await;
            }
        }
        if in_place {
            if !suffix.is_empty() {
                let _ = proc.write_file(&format!("{}{suffix}", group[0]), text.as_bytes());
            }
            if let Err(error) = proc.write_file(&group[0], machine.kept().as_bytes()) {
                proc.eprint(&format!("sed: couldn't open file {}: {error}\n", group[0])).await;
                return 4;
            }
        }
        if let Some(code) = machine.quit() {
            return code;
        }
    }
    status
}
