//! `find`.

use super::support::names::{base, join, user};
use crate::{
    machine::{
        Command, Proc, Program,
        fs::{Kind, Node},
    },
    shell::pattern::Pattern,
    sim::Time,
};

/// `find`
pub const PROGRAM: Program = Program {
    name: "find",
    summary: "search for files",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

enum Test {
    And(Vec<Test>),
    Or(Vec<Test>),
    Not(Box<Test>),
    Name(Pattern, bool),
    Path(Pattern),
    Type(char),
    Size(char, u64, u64),
    Minutes(char, u64),
    Days(char, u64),
    Newer(Time),
    User(String),
    Perm(u32),
    Empty,
    Print(char),
    Delete,
    Prune,
    Quit,
    Exec(Vec<String>, bool),
    True,
}

async fn main(proc: Proc) -> i32 {
    let args = proc.args().get(1..).unwrap_or_default();
    let begins = |a: &String| a.starts_with('-') || a == "(" || a == "!";
    let split = args.iter().position(begins).unwrap_or(args.len());
    let (paths, mut rest) = args.split_at(split);
    let paths = if paths.is_empty() { vec![".".to_string()] } else { paths.to_vec() };
    let (mut least, mut most) = (0, usize::MAX);
    let mut kept = Vec::new();
    while let Some((arg, after)) = rest.split_first() {
        rest = after;
        match (arg.as_str(), rest.first().and_then(|n| n.parse::<usize>().ok())) {
            ("-maxdepth", Some(n)) => (most, rest) = (n, &rest[1..]),
            ("-mindepth", Some(n)) => (least, rest) = (n, &rest[1..]),
            ("-maxdepth" | "-mindepth", None) => {
                proc.eprint(&format!("find: missing argument to '{arg}'\n")).await;
                return 1;
            }
            ("-xdev" | "-mount" | "-depth", _) => {}
            _ => kept.push(arg.clone()),
        }
    }
    let mut at = 0;
    let test = match parse_or(&proc, &kept, &mut at) {
        Ok(test) if at == kept.len() => test,
        Ok(_) => {
            proc.eprint(&format!("find: unexpected argument '{}'\n", kept[at])).await;
            return 1;
        }
        Err(error) => {
            proc.eprint(&format!("find: {error}\n")).await;
            return 1;
        }
    };
    let prints = kept
        .iter()
        .any(|a| ["-print", "-print0", "-delete", "-exec", "-ls", "-quit"].contains(&a.as_str()));
    let mut walk = Walk {
        proc: &proc,
        test: &test,
        prints: !prints,
        least,
        most,
        batch: Vec::new(),
        status: 0,
        quit: false,
    };
    for path in paths {
        match proc.lstat(&path) {
            Ok(_) => Box::pin(walk.visit(path, 0)).await,
            Err(error) => {
                proc.eprint(&format!("find: '{path}': {error}\n")).await;
                walk.status = 1;
            }
        }
    }
    let (batch, mut status) = (std::mem::take(&mut walk.batch), walk.status);
    if let Some(argv) = batched(&test).filter(|_| !batch.is_empty()) {
        let argv =
            argv.iter().flat_map(|a| if a == "{}" { batch.clone() } else { vec![a.clone()] });
        status |= i32::from(!execute(&proc, argv.collect()).await);
    }
    status
}

/// The command of `-exec … +`.
fn batched(test: &Test) -> Option<&Vec<String>> {
    match test {
        Test::Exec(argv, true) => Some(argv),
        Test::And(tests) | Test::Or(tests) => tests.iter().find_map(batched),
        Test::Not(test) => batched(test),
        _ => None,
    }
}

fn parse_or(proc: &Proc, args: &[String], at: &mut usize) -> Result<Test, String> {
    let mut tests = vec![parse_and(proc, args, at)?];
    while args.get(*at).is_some_and(|a| a == "-o" || a == "-or") {
        *at += 1;
        tests.push(parse_and(proc, args, at)?);
    }
    Ok(Test::Or(tests))
}

fn parse_and(proc: &Proc, args: &[String], at: &mut usize) -> Result<Test, String> {
    let mut tests = Vec::new();
    while let Some(arg) = args.get(*at) {
        match arg.as_str() {
            "-o" | "-or" | ")" => break,
            "-a" | "-and" => *at += 1,
            _ => tests.push(parse_one(proc, args, at)?),
        }
    }
    Ok(Test::And(tests))
}

fn parse_one(proc: &Proc, args: &[String], at: &mut usize) -> Result<Test, String> {
    let name = args[*at].clone();
    *at += 1;
    let value = |at: &mut usize| {
        *at += 1;
        args.get(*at - 1).cloned().ok_or_else(|| format!("missing argument to '{name}'"))
    };
    let compared = |text: &str| -> Result<(char, u64), String> {
        let sign = text.chars().next().filter(|c| "+-".contains(*c)).unwrap_or('=');
        let digits = text.trim_start_matches(['+', '-']);
        let number =
            digits.parse().map_err(|_| format!("invalid argument '{text}' to '{name}'"))?;
        Ok((sign, number))
    };
    Ok(match name.as_str() {
        "(" => {
            let test = parse_or(proc, args, at)?;
            if value(at)? != ")" {
                return Err("missing ')'".into());
            }
            test
        }
        "!" | "-not" if args.get(*at).is_some() => Test::Not(Box::new(parse_one(proc, args, at)?)),
        "-name" => Test::Name(Pattern::new(&value(at)?), false),
        "-iname" => Test::Name(Pattern::new(&value(at)?.to_lowercase()), true),
        "-path" | "-wholename" => Test::Path(Pattern::new(&value(at)?)),
        "-type" => Test::Type(value(at)?.chars().next().unwrap_or('f')),
        "-size" => {
            let text = value(at)?;
            let unit = match text.chars().next_back() {
                Some('c') => 1,
                Some('k') => 1 << 10,
                Some('M') => 1 << 20,
                Some('G') => 1 << 30,
                _ => 512,
            };
            let (sign, number) = compared(text.trim_end_matches(char::is_alphabetic))?;
            Test::Size(sign, number, unit)
        }
        "-mmin" => {
            let (sign, number) = compared(&value(at)?)?;
            Test::Minutes(sign, number)
        }
        "-mtime" => {
            let (sign, number) = compared(&value(at)?)?;
            Test::Days(sign, number)
        }
        "-newer" => {
            let path = value(at)?;
            Test::Newer(proc.stat(&path).map_err(|e| format!("'{path}': {e}"))?.mtime)
        }
        "-user" => Test::User(value(at)?),
        "-perm" => {
            let text = value(at)?;
            let bits = u32::from_str_radix(text.trim_start_matches(['-', '/']), 8);
            Test::Perm(bits.map_err(|_| format!("invalid mode '{text}'"))?)
        }
        "-empty" => Test::Empty,
        "-print" => Test::Print('\n'),
        "-print0" => Test::Print('\0'),
        "-delete" => Test::Delete,
        "-prune" => Test::Prune,
        "-quit" => Test::Quit,
        "-true" => Test::True,
        "-exec" | "-ok" => {
            let mut argv = Vec::new();
            loop {
                match value(at)?.as_str() {
                    ";" => break Test::Exec(argv, false),
                    "+" if argv.last().is_some_and(|a| a == "{}") => break Test::Exec(argv, true),
                    word => argv.push(word.to_string()),
                }
            }
        }
        other => return Err(format!("unknown predicate '{other}'")),
    })
}

struct Walk<'a> {
    proc: &'a Proc,
    test: &'a Test,
    prints: bool,
    least: usize,
    most: usize,
    batch: Vec<String>,
    status: i32,
    quit: bool,
}

async fn execute(proc: &Proc, argv: Vec<String>) -> bool {
    let name = argv.first().cloned().unwrap_or_default();
    match proc.spawn(Command::new(argv)) {
        Ok(child) => child.wait().await.success(),
        Err(_) => {
            proc.eprint(&format!("find: '{name}': No such file or directory\n")).await;
            false
        }
    }
}

impl Walk<'_> {
    async fn visit(&mut self, path: String, depth: usize) {
        let Ok(node) = self.proc.lstat(&path) else { return };
        let deletes = depth_first(self.test);
        let mut pruned = false;
        if !deletes {
            pruned = self.examine(&path, &node, depth).await;
        }
        if node.is_dir() && !pruned && depth < self.most && !self.quit {
            match self.proc.list(&path) {
                Ok(list) => {
                    for (name, _) in list {
                        Box::pin(self.visit(join(&path, &name), depth + 1)).await;
                        if self.quit {
                            return;
                        }
                    }
                }
                Err(error) => {
                    self.proc.eprint(&format!("find: '{path}': {error}\n")).await;
                    self.status = 1;
                }
            }
        }
        if deletes {
            self.examine(&path, &node, depth).await;
        }
    }

    async fn examine(&mut self, path: &str, node: &Node, depth: usize) -> bool {
        if depth < self.least {
            return false;
        }
        let mut pruned = false;
        let test = self.test;
        if Box::pin(self.holds(test, path, node, &mut pruned)).await && self.prints {
            self.proc.print(&format!("{path}\n")).await;
        }
        pruned
    }

    async fn holds(&mut self, test: &Test, path: &str, node: &Node, pruned: &mut bool) -> bool {
        let compare = |sign: char, have: u64, want: u64| match sign {
            '+' => have > want,
            '-' => have < want,
            _ => have == want,
        };
        let age = self.proc.sim().now().since(node.mtime).as_secs();
        match test {
            Test::And(tests) => {
                for test in tests {
                    if !Box::pin(self.holds(test, path, node, pruned)).await {
                        return false;
                    }
                }
                true
            }
            Test::Or(tests) => {
                for test in tests {
                    if Box::pin(self.holds(test, path, node, pruned)).await {
                        return true;
                    }
                }
                false
            }
            Test::Not(test) => !Box::pin(self.holds(test, path, node, pruned)).await,
            Test::Name(pattern, fold) => match fold {
                true => pattern.matches(&base(path).to_lowercase()),
                false => pattern.matches(base(path)),
            },
            Test::Path(pattern) => pattern.matches(path),
            Test::Type(kind) => match node.kind {
                Kind::Dir(_) => *kind == 'd',
                Kind::File(_) => *kind == 'f',
                Kind::Link(_) => *kind == 'l',
                Kind::Device(_) => *kind == 'c',
                Kind::Socket(_) => *kind == 's',
            },
            Test::Size(sign, number, unit) => compare(*sign, node.size().div_ceil(*unit), *number),
            Test::Minutes(sign, number) => compare(*sign, age / 60, *number),
            Test::Days(sign, number) => compare(*sign, age / 86_400, *number),
            Test::Newer(time) => node.mtime > *time,
            Test::User(name) => user(self.proc, node.uid) == *name || node.uid.to_string() == *name,
            Test::Perm(bits) => node.mode & bits == *bits,
            Test::Empty => match &node.kind {
                Kind::Dir(entries) => entries.is_empty(),
                Kind::File(data) => data.is_empty(),
                _ => false,
            },
            Test::Print(end) => {
                self.proc.print(&format!("{path}{end}")).await;
                true
            }
            Test::Delete => match self.proc.remove(path) {
                Ok(()) => true,
                Err(_) if path == "." => true,
                Err(error) => {
                    self.proc.eprint(&format!("find: cannot delete '{path}': {error}\n")).await;
                    self.status = 1;
                    false
                }
            },
            Test::Prune => {
                *pruned = true;
                true
            }
            Test::Quit => {
                self.quit = true;
                true
            }
            Test::True => true,
            Test::Exec(_, true) => {
                self.batch.push(path.to_string());
                true
            }
            Test::Exec(argv, false) => {
                let argv = argv.iter().map(|a| a.replace("{}", path)).collect();
                execute(self.proc, argv).await
            }
        }
    }
}

fn depth_first(test: &Test) -> bool {
    match test {
        Test::Delete => true,
        Test::And(tests) | Test::Or(tests) => tests.iter().any(depth_first),
        Test::Not(test) => depth_first(test),
        _ => false,
    }
}
