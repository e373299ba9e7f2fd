//! Running `sed` scripts over lines.

use regex_lite::Regex;

use super::parse::{Action, Address, Command, Piece, Substitution};

/// Steps that one call of [`Machine::cycle`] may take, so that endless scripts can be interrupted.
const STEPS: usize = 10_000;

/// The state of a run.
pub struct Machine<'a> {
    commands: &'a [Command],
    lines: Vec<&'a str>,
    ends_in_newline: bool,
    next: usize,
    pattern: String,
    hold: String,
    active: Vec<Option<usize>>,
    silent: bool,
    quit: Option<i32>,
    finished: bool,
    last_regex: Option<Regex>,
    kept: String,
    /// Where a cycle goes on that took too many steps, and whether a substitution was made.
    resume: Option<(usize, bool)>,
    after: String,
    used_up: bool,
}

impl<'a> Machine<'a> {
    /// A run over a text.
    pub fn new(commands: &'a [Command], text: &'a str, silent: bool) -> Self {
        Machine {
            commands,
            lines: text.lines().collect(),
            ends_in_newline: text.is_empty() || text.ends_with('\n'),
            next: 0,
            pattern: String::new(),
            hold: String::new(),
            active: commands.iter().map(|_| None).collect(),
            silent,
            quit: None,
            finished: false,
            last_regex: None,
            kept: String::new(),
            resume: None,
            after: String::new(),
            used_up: false,
        }
    }

    /// The exit code if `q` ended the run.
    pub fn quit(&self) -> Option<i32> {
        self.quit
    }

    /// Keeps what was printed.
    pub fn keep(&mut self, text: String) {
        self.kept.push_str(&text);
    }

    /// What was kept.
    pub fn kept(&self) -> &str {
        &self.kept
    }

    /// Whether the last cycle took as many steps as it may.
    pub fn used_up(&self) -> bool {
        self.used_up
    }

    fn put(&self, out: &mut String, text: &str) {
        out.push_str(text);
        if self.ends_in_newline || self.next < self.lines.len() {
            out.push('\n');
        }
    }

    /// Runs the script for the next line; what it prints, or `None` at the end.
    pub fn cycle(&mut self) -> Option<String> {
        if self.finished || (self.resume.is_none() && self.next >= self.lines.len()) {
            return None;
        }
        let mut out = String::new();
        let (mut at, mut substituted) = match self.resume.take() {
            Some(state) => state,
            None => {
                self.pattern = self.lines[self.next].to_string();
                self.next += 1;
                (0, false)
            }
        };
        let mut print = !self.silent;
        for _ in 0..STEPS {
            let Some(command) = self.commands.get(at) else {
                self.used_up = false;
                self.finish_cycle(&mut out, print);
                return Some(out);
            };
            let index = at;
            at += 1;
            if self.selects(command, index) == command.negated {
                if let Action::Block(end) = command.action {
                    at = end;
                }
                continue;
            }
            match &command.action {
                Action::Block(_) => {}
                Action::Substitute(how) => {
                    if self.substitute(how) {
                        substituted = true;
                        if how.print {
                            let pattern = self.pattern.clone();
                            self.put(&mut out, &pattern);
                        }
                    }
                }
                Action::Transliterate(map) => {
                    let change =
                        |c: char| map.iter().find(|(from, _)| *from == c).map_or(c, |m| m.1);
                    self.pattern = self.pattern.chars().map(change).collect();
                }
                Action::Text('i', text) => out.push_str(&format!("{text}\n")),
                Action::Text('a', text) => self.after.push_str(&format!("{text}\n")),
                Action::Text(_, text) => {
                    let ranged = command.addresses.len() == 2 && self.active[index].is_some();
                    if !ranged || command.negated {
                        out.push_str(&format!("{text}\n"));
                    }
                    print = false;
                    at = self.commands.len();
                }
                Action::Quit(letter, code) => {
                    self.quit = Some(*code);
                    self.finished = true;
                    print &= *letter == 'q';
                    at = self.commands.len();
                }
                Action::Branch(letter, to) => {
                    let jump = match letter {
                        'b' => true,
                        't' => std::mem::take(&mut substituted),
                        _ => !std::mem::take(&mut substituted),
                    };
                    if jump {
                        at = *to;
                    }
                }
                Action::Plain(letter) => match self.plain(*letter, &mut out, print) {
                    Step::Next => {}
                    Step::End => {
                        print = false;
                        at = self.commands.len();
                    }
                    Step::Restart => at = 0,
                    Step::Over => {
                        self.finished = true;
                        print = !self.silent && *letter == 'N';
                        at = self.commands.len();
                    }
                },
            }
        }
        self.resume = Some((at, substituted));
        self.used_up = true;
        Some(out)
    }

    fn finish_cycle(&mut self, out: &mut String, print: bool) {
        if print {
            let pattern = std::mem::take(&mut self.pattern);
            self.put(out, &pattern);
        }
        out.push_str(&std::mem::take(&mut self.after));
    }

    fn plain(&mut self, letter: char, out: &mut String, print: bool) -> Step {
        let pattern = self.pattern.clone();
        match letter {
            'p' => self.put(out, &pattern),
            'P' => out.push_str(&format!("{}\n", pattern.split('\n').next().unwrap_or_default())),
            '=' => out.push_str(&format!("{}\n", self.next)),
            'l' => out.push_str(&format!("{}$\n", pattern.escape_default())),
            'd' => return Step::End,
            'D' => match pattern.split_once('\n') {
                Some((_, rest)) => {
                    self.pattern = rest.to_string();
                    return Step::Restart;
                }
                None => return Step::End,
            },
            'n' | 'N' => {
                if self.next >= self.lines.len() {
                    if letter == 'n' && print {
                        self.put(out, &pattern);
                    }
                    return Step::Over;
                }
                let line = self.lines[self.next];
                if letter == 'n' {
                    if print {
                        self.put(out, &pattern);
                    }
                    out.push_str(&std::mem::take(&mut self.after));
                    self.pattern = line.to_string();
                } else {
                    self.pattern.push('\n');
                    self.pattern.push_str(line);
                }
                self.next += 1;
            }
            'g' => self.pattern = self.hold.clone(),
            'G' => {
                self.pattern.push('\n');
                self.pattern.push_str(&self.hold);
            }
            'h' => self.hold = pattern,
            'H' => {
                self.hold.push('\n');
                self.hold.push_str(&pattern);
            }
            'x' => std::mem::swap(&mut self.pattern, &mut self.hold),
            _ => self.pattern.clear(),
        }
        Step::Next
    }

    fn matches(&mut self, regex: Option<&Regex>) -> bool {
        if let Some(regex) = regex {
            self.last_regex = Some(regex.clone());
        }
        self.last_regex.as_ref().is_some_and(|regex| regex.is_match(&self.pattern))
    }

    fn is_at(&mut self, address: &Address) -> bool {
        match address {
            Address::Line(line) => self.next == *line,
            Address::Step(first, 0) => self.next == *first,
            Address::Step(first, step) => {
                self.next >= *first && (self.next - first).is_multiple_of(*step)
            }
            Address::Last => self.next == self.lines.len(),
            Address::Match(regex) => self.matches(regex.as_ref()),
            Address::Plus(_) => false,
        }
    }

    fn selects(&mut self, command: &Command, index: usize) -> bool {
        match command.addresses.as_slice() {
            [] => true,
            [one] => self.is_at(one),
            [first, second, ..] => {
                if let Some(end) = self.active[index] {
                    let over = match second {
                        Address::Match(regex) => self.matches(regex.as_ref()),
                        _ => self.next >= end,
                    };
                    if over {
                        self.active[index] = None;
                    }
                    return match second {
                        Address::Match(_) => true,
                        _ => self.next <= end,
                    };
                }
                let zero = matches!(first, Address::Line(0)) && self.next == 1;
                if !zero && !self.is_at(first) {
                    return false;
                }
                let end = match second {
                    Address::Line(line) => *line,
                    Address::Plus(count) => self.next + count,
                    Address::Last => self.lines.len(),
                    Address::Step(_, step) => self.next.div_ceil((*step).max(1)) * step,
                    Address::Match(regex) if zero && self.matches(regex.as_ref()) => return true,
                    Address::Match(_) => usize::MAX,
                };
                if end > self.next {
                    self.active[index] = Some(end);
                }
                true
            }
        }
    }

    fn substitute(&mut self, how: &Substitution) -> bool {
        if let Some(pattern) = &how.pattern {
            self.last_regex = Some(pattern.clone());
        }
        let Some(regex) = &self.last_regex else { return false };
        let (mut out, mut at, mut count) = (String::new(), 0, 0);
        for found in regex.captures_iter(&self.pattern) {
            let Some(whole) = found.get(0) else { continue };
            count += 1;
            if count < how.from || (count > how.from && !how.all) {
                continue;
            }
            out.push_str(&self.pattern[at..whole.start()]);
            at = whole.end();
            let mut case = Case::default();
            for piece in &how.pieces {
                match piece {
                    Piece::Text(text) => case.push(&mut out, text),
                    Piece::Group(n) => {
                        case.push(&mut out, found.get(*n).map_or("", |g| g.as_str()))
                    }
                    Piece::Case(letter) => case.set(*letter),
                }
            }
        }
        if count < how.from {
            return false;
        }
        out.push_str(&self.pattern[at..]);
        self.pattern = out;
        true
    }
}

enum Step {
    Next,
    End,
    Restart,
    Over,
}

#[derive(Default)]
struct Case {
    lasting: Option<char>,
    once: Option<char>,
}

impl Case {
    fn set(&mut self, letter: char) {
        match letter {
            'u' | 'l' => self.once = Some(letter),
            'E' => self.lasting = None,
            letter => self.lasting = Some(letter),
        }
    }

    fn push(&mut self, out: &mut String, text: &str) {
        for c in text.chars() {
            match self.once.take().or(self.lasting) {
                Some('U' | 'u') => out.extend(c.to_uppercase()),
                Some(_) => out.extend(c.to_lowercase()),
                None => out.push(c),
            }
        }
    }
}
