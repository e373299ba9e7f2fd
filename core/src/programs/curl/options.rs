//! curl's command line.

use std::{rc::Rc, time::Duration};

use super::super::support::net::seconds;
use crate::{fabric::http::Header, machine::Proc};

/// What was asked for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub urls: Vec<String>,
    pub silent: bool,
    pub show_error: bool,
    pub verbose: bool,
    pub include: bool,
    pub head: bool,
    pub follow: bool,
    pub max_redirects: u32,
    pub output: Option<String>,
    pub remote_name: bool,
    pub method: Option<String>,
    pub data: Option<Vec<u8>>,
    pub data_in_url: bool,
    pub headers: Vec<Header>,
    pub max_time: Option<Duration>,
    pub connect_timeout: Option<Duration>,
    pub write_out: Option<String>,
    pub fail: bool,
    pub fail_with_body: bool,
    pub retries: u32,
    pub retry_delay: Option<Duration>,
    pub retry_refused: bool,
    pub agent: Option<String>,
    pub no_meter: bool,
    pub user: Option<String>,
    pub insecure: bool,
    pub authority: Option<String>,
}

/// A line on standard error, and the exit code.
pub type Wrong = (String, i32);

/// Short letter, long name, whether it takes a value.
const TABLE: &[(char, &str, bool)] = &[
    ('A', "user-agent", true),
    ('d', "data", true),
    ('f', "fail", false),
    ('F', "form", true),
    ('G', "get", false),
    ('H', "header", true),
    ('I', "head", false),
    ('i', "include", false),
    ('k', "insecure", false),
    ('L', "location", false),
    ('m', "max-time", true),
    ('o', "output", true),
    ('O', "remote-name", false),
    ('s', "silent", false),
    ('S', "show-error", false),
    ('u', "user", true),
    ('v', "verbose", false),
    ('w', "write-out", true),
    ('X', "request", true),
    ('e', "referer", true),
    ('4', "ipv4", false),
    ('0', "http1.0", false),
    ('#', "progress-bar", false),
    ('N', "no-buffer", false),
    ('\u{1}', "connect-timeout", true),
    ('\u{2}', "max-redirs", true),
    ('\u{3}', "retry", true),
    ('\u{4}', "retry-delay", true),
    ('\u{5}', "retry-connrefused", false),
    ('\u{6}', "data-raw", true),
    ('\u{7}', "data-binary", true),
    ('\u{8}', "fail-with-body", false),
    ('\u{b}', "no-progress-meter", false),
    ('\u{c}', "url", true),
    ('\u{e}', "http1.1", false),
    ('\u{f}', "compressed", false),
    ('\u{10}', "json", true),
    ('\u{11}', "cacert", true),
];

impl Options {
    /// Reads the arguments of a process.
    pub fn parse(proc: &Proc) -> Result<Options, Wrong> {
        let mut options = Options { max_redirects: 50, ..Options::default() };
        let mut args = proc.args().iter().skip(1);
        while let Some(arg) = args.next() {
            if let Some(long) = arg.strip_prefix("--") {
                let found = TABLE.iter().find(|(_, name, _)| *name == long);
                let Some((letter, _, takes)) = found else {
                    return Err(wrong(&format!("option {arg}: is unknown"), 2));
                };
                let value = if *takes { Some(needed(args.next(), arg)?) } else { None };
                options.set(proc, *letter, value.unwrap_or_default(), arg)?;
            } else if let Some(letters) = arg.strip_prefix('-').filter(|l| !l.is_empty()) {
                for (at, letter) in letters.char_indices() {
                    let Some((_, _, takes)) = TABLE.iter().find(|(l, ..)| *l == letter) else {
                        return Err(wrong(&format!("option {arg}: is unknown"), 2));
                    };
                    if !takes {
                        options.set(proc, letter, String::new(), arg)?;
                        continue;
                    }
                    let rest = &letters[at + letter.len_utf8()..];
                    let value = match rest.is_empty() {
                        false => rest.to_string(),
                        true => needed(args.next(), arg)?,
                    };
                    options.set(proc, letter, value, arg)?;
                    break;
                }
            } else {
                options.urls.push(arg.clone());
            }
        }
        if options.urls.is_empty() {
            return Err(wrong("no URL specified", 2));
        }
        Ok(options)
    }

    fn set(&mut self, proc: &Proc, letter: char, value: String, arg: &str) -> Result<(), Wrong> {
        let number = || {
            seconds(&value).ok_or_else(|| {
                wrong(&format!("expected a proper numerical parameter for {arg}"), 2)
            })
        };
        match letter {
            'A' => self.agent = Some(value),
            'd' | '\u{6}' | '\u{7}' | '\u{10}' => self.add_data(proc, letter, &value)?,
            'e' => self.headers.push(("Referer".into(), value.into())),
            'f' => self.fail = true,
            'F' => return Err(("curl: forms (-F) are not simulated\n".into(), 2)),
            'G' => self.data_in_url = true,
            'H' => {
                if let Some((name, value)) = value.split_once(':') {
                    let (name, value) = (name.trim().to_string(), value.trim().to_string());
                    self.headers.push((name.into(), value.into()));
                }
            }
            'I' => self.head = true,
            'i' => self.include = true,
            'k' => self.insecure = true,
            'L' => self.follow = true,
            'm' => self.max_time = Some(number()?).filter(|t| !t.is_zero()),
            'o' => self.output = Some(value),
            'O' => self.remote_name = true,
            's' => self.silent = true,
            'S' => self.show_error = true,
            'u' => self.user = Some(value),
            'v' => self.verbose = true,
            'w' => self.write_out = Some(value),
            'X' => self.method = Some(value),
            '\u{1}' => self.connect_timeout = Some(number()?).filter(|t| !t.is_zero()),
            '\u{2}' => self.max_redirects = number()?.as_secs() as u32,
            '\u{3}' => self.retries = number()?.as_secs().min(1_000_000) as u32,
            '\u{4}' => self.retry_delay = Some(number()?).filter(|t| !t.is_zero()),
            '\u{5}' => self.retry_refused = true,
            '\u{8}' => self.fail_with_body = true,
            '\u{b}' => self.no_meter = true,
            '\u{c}' => self.urls.push(value),
            '\u{11}' => self.authority = Some(value),
            _ => {} // -4, -N and their kin change nothing here
        }
        Ok(())
    }

    fn add_data(&mut self, proc: &Proc, letter: char, value: &str) -> Result<(), Wrong> {
        let mut bytes = match value.strip_prefix('@').filter(|_| letter != '\u{6}') {
            Some(file) => proc.read_file(file).map_err(|_| {
                let text = format!("Failed to open {file}");
                (format!("curl: option -d: error encountered when reading a file\n{text}\n"), 26)
            })?,
            None => value.as_bytes().to_vec(),
        };
        if letter == 'd' && value.starts_with('@') {
            bytes.retain(|b| !matches!(b, b'\n' | b'\r'));
        }
        if letter == '\u{10}' {
            self.headers.push(("Content-Type".into(), "application/json".into()));
            self.headers.push(("Accept".into(), "application/json".into()));
        }
        match &mut self.data {
            Some(data) => {
                data.push(b'&');
                data.extend(bytes);
            }
            None => self.data = Some(bytes),
        }
        Ok(())
    }

    /// The method a request has.
    pub fn method(&self) -> String {
        let implied = match (self.head, self.data.is_some() && !self.data_in_url) {
            (true, _) => "HEAD",
            (_, true) => "POST",
            _ => "GET",
        };
        self.method.clone().unwrap_or_else(|| implied.to_string())
    }

    /// The body a request has.
    pub fn body(&self) -> Rc<Vec<u8>> {
        match &self.data {
            Some(data) if !self.data_in_url => Rc::new(data.clone()),
            _ => Rc::default(),
        }
    }
}

fn needed(value: Option<&String>, option: &str) -> Result<String, Wrong> {
    value.cloned().ok_or_else(|| wrong(&format!("option {option}: requires parameter"), 2))
}

fn wrong(text: &str, code: i32) -> Wrong {
    let more = "curl: try 'curl --help' or 'curl --manual' for more information";
    (format!("curl: {text}\n{more}\n"), code)
}
