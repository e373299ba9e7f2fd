//! `wget`: busybox's where a machine's commands are busybox's, otherwise GNU's.

use std::{net::SocketAddrV4, rc::Rc, time::Duration};

use super::support::net;
use crate::{
    fabric::{
        Conn,
        http::{self, HttpError, HttpRequest, HttpResponse, Url},
    },
    machine::{Proc, Program},
    sim::{Either, race},
};

/// `wget`
pub const PROGRAM: Program = Program {
    name: "wget",
    summary: "download a page",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

/// Patience of GNU's wget, which is also that for each of its tries; busybox's is the same.
const PATIENCE: Duration = Duration::from_secs(900);
/// Redirects that are followed.
const REDIRECTS: u32 = 20;

#[derive(Default)]
struct Options {
    urls: Vec<String>,
    quiet: bool,
    spider: bool,
    server_response: bool,
    output: Option<String>,
    directory: Option<String>,
    timeout: Option<Duration>,
    headers: Vec<http::Header>,
    body: Option<Vec<u8>>,
    agent: Option<String>,
}

/// Short letter, long name, whether it takes a value.
const TABLE: &[(char, &str, bool)] = &[
    ('q', "quiet", false),
    ('c', "continue", false),
    ('S', "server-response", false),
    ('O', "output-document", true),
    ('P', "directory-prefix", true),
    ('T', "timeout", true),
    ('U', "user-agent", true),
    ('t', "tries", true),
    ('\u{1}', "header", true),
    ('\u{2}', "post-data", true),
    ('\u{3}', "spider", false),
    ('\u{4}', "no-check-certificate", false),
    ('\u{5}', "no-verbose", false),
];

fn parse(args: &[String]) -> Result<Options, String> {
    let mut options = Options::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut found: Vec<(char, Option<String>)> = Vec::new();
        if let Some(long) = arg.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value.to_string())),
                None => (long, None),
            };
            let known = TABLE.iter().find(|(_, n, _)| *n == name);
            let (letter, _, takes) = known.ok_or(format!("unrecognized option '{arg}'"))?;
            let value = if *takes { value.or_else(|| args.next().cloned()) } else { None };
            found.push((*letter, value));
        } else if let Some(letters) = arg.strip_prefix('-').filter(|l| !l.is_empty()) {
            let mut rest = letters;
            while let Some(letter) = rest.chars().next() {
                rest = &rest[letter.len_utf8()..];
                if letter == 'n' && rest.starts_with('v') {
                    found.push(('\u{5}', None));
                    break;
                }
                let known = TABLE.iter().find(|(l, ..)| *l == letter);
                let (_, _, takes) = known.ok_or(format!("invalid option -- '{letter}'"))?;
                if *takes {
                    let value =
                        if rest.is_empty() { args.next().cloned() } else { Some(rest.into()) };
                    found.push((letter, value));
                    break;
                }
                found.push((letter, None));
            }
        } else {
            options.urls.push(arg.clone());
        }
        for (letter, value) in found {
            let takes = TABLE.iter().any(|(l, _, takes)| *l == letter && *takes);
            let value = match (takes, value) {
                (true, None) => return Err(format!("option requires an argument -- '{letter}'")),
                (_, value) => value.unwrap_or_default(),
            };
            options.set(letter, value)?;
        }
    }
    if options.urls.is_empty() { Err("missing URL".into()) } else { Ok(options) }
}

impl Options {
    fn set(&mut self, letter: char, value: String) -> Result<(), String> {
        match letter {
            'q' => self.quiet = true,
            'S' => self.server_response = true,
            'O' => self.output = Some(value),
            'P' => self.directory = Some(value),
            'T' => {
                let time = net::seconds(&value).ok_or(format!("invalid number '{value}'"))?;
                self.timeout = Some(time).filter(|t| !t.is_zero());
            }
            'U' => self.agent = Some(value),
            '\u{1}' => {
                if let Some((name, value)) = value.split_once(':') {
                    let (name, value) = (name.trim().to_string(), value.trim().to_string());
                    self.headers.push((name.into(), value.into()));
                }
            }
            '\u{2}' => self.body = Some(value.into_bytes()),
            '\u{3}' => self.spider = true,
            _ => {}
        }
        Ok(())
    }
}

async fn main(proc: Proc) -> i32 {
    let busybox = net::is_busybox(&proc);
    let options = match parse(&proc.args()[1.min(proc.args().len())..]) {
        Ok(options) => options,
        Err(error) => {
            let usage =
                "Usage: wget [-q] [-O FILE] [-T SEC] [--header STR] [--post-data STR] URL...\n";
            proc.eprint(&format!("wget: {error}\n{usage}")).await;
            return if busybox { 1 } else { 2 };
        }
    };
    let mut code = 0;
    for url in &options.urls {
        let download = Download { proc: &proc, options: &options, busybox };
        if let Err(error) = download.run(url).await {
            code = error;
        }
    }
    code
}

struct Download<'a> {
    proc: &'a Proc,
    options: &'a Options,
    busybox: bool,
}

impl Download<'_> {
    /// Tells how it goes, unless it is to be quiet.
    async fn tell(&self, text: &str) {
        if !self.options.quiet {
            self.proc.eprint(text).await;
        }
    }

    fn time(&self) -> String {
        self.proc.sim().now().to_timestamp().strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    async fn run(&self, text: &str) -> Result<(), i32> {
        let patience = self.options.timeout.unwrap_or(PATIENCE);
        match race(self.follow(text), self.proc.sleep(patience)).await {
            Either::Left(result) => result,
            Either::Right(()) => {
                let text = if self.busybox {
                    "wget: download timed out\n"
                } else {
                    "failed: Connection timed out.\n"
                };
                if self.busybox || !self.options.quiet {
                    self.proc.eprint(text).await;
                }
                Err(if self.busybox { 1 } else { 4 })
            }
        }
    }

    async fn follow(&self, text: &str) -> Result<(), i32> {
        let Ok(mut url) = Url::parse(text) else {
            self.proc.eprint(&format!("wget: bad address '{text}'\n")).await;
            return Err(1);
        };
        for _ in 0..=REDIRECTS {
            if url.scheme == "https" {
                self.proc.eprint("wget: TLS is not simulated: use http://\n").await;
                return Err(if self.busybox { 1 } else { 5 });
            }
            let conn = self.connect(&url).await?;
            let response = self.ask(&conn, &url).await?;
            let moved = matches!(response.status, 301 | 302 | 303 | 307 | 308);
            match response.header("Location").filter(|_| moved) {
                Some(location) => {
                    if !self.busybox {
                        self.tell(&format!("Location: {location} [following]\n")).await;
                    }
                    url = url.join(location).map_err(|_| 1)?;
                }
                None if response.status >= 300 => return Err(self.refused(&response).await),
                None => return self.save(&url, &response).await,
            }
        }
        let text = if self.busybox {
            "wget: too many redirections\n"
        } else {
            "20 redirections exceeded.\n"
        };
        self.proc.eprint(text).await;
        Err(if self.busybox { 1 } else { 8 })
    }

    async fn connect(&self, url: &Url) -> Result<Conn, i32> {
        let is_name = url.host.parse::<std::net::Ipv4Addr>().is_err();
        if !self.busybox {
            self.tell(&format!("--{}--  {url}\n", self.time())).await;
            if is_name {
                self.tell(&format!("Resolving {0} ({0})... ", url.host)).await;
            }
        }
        let Ok(address) = net::resolve(self.proc, &url.host).await else {
            let text = match self.busybox {
                true => format!("wget: bad address '{}'\n", url.host),
                false => {
                    let text = "failed: Name or service not known.\n";
                    self.tell(text).await;
                    format!("wget: unable to resolve host address \u{2018}{}\u{2019}\n", url.host)
                }
            };
            if self.busybox || !self.options.quiet {
                self.proc.eprint(&text).await;
            }
            return Err(if self.busybox { 1 } else { 4 });
        };
        if self.busybox {
            self.tell(&format!("Connecting to {} ({address}:{})\n", url.host, url.port)).await;
        } else {
            if is_name {
                self.tell(&format!("{address}\n")).await;
            }
            let who = match is_name {
                true => format!("{0} ({0})|{address}|:{1}", url.host, url.port),
                false => format!("{address}:{}", url.port),
            };
            self.tell(&format!("Connecting to {who}... ")).await;
        }
        let Some(endpoint) = net::endpoint(self.proc) else { return Err(1) };
        match endpoint.connect(SocketAddrV4::new(address, url.port)).await {
            Ok(conn) => {
                if !self.busybox {
                    self.tell("connected.\n").await;
                }
                Ok(conn)
            }
            Err(error) if self.busybox => {
                let why = net::strerror(error);
                let text = format!("wget: can't connect to remote host ({address}): {why}\n");
                self.proc.eprint(&text).await;
                Err(1)
            }
            Err(error) => {
                self.tell(&format!("failed: {}.\n", net::strerror(error))).await;
                Err(4)
            }
        }
    }

    async fn ask(&self, conn: &Conn, url: &Url) -> Result<Rc<HttpResponse>, i32> {
        let agent = match (&self.options.agent, self.busybox) {
            (Some(agent), _) => agent.clone(),
            (None, true) => "Wget".into(),
            (None, false) => "Wget/1.21.4".into(),
        };
        let mut headers: Vec<http::Header> = vec![("User-Agent".into(), agent.into())];
        if !self.busybox {
            headers.push(("Accept".into(), "*/*".into()));
            headers.push(("Accept-Encoding".into(), "identity".into()));
        }
        headers
            .push(("Connection".into(), if self.busybox { "close" } else { "Keep-Alive" }.into()));
        headers.extend(self.options.headers.iter().cloned());
        let method = match (&self.options.body, self.options.spider) {
            (Some(_), _) => "POST",
            (_, true) => "HEAD",
            _ => "GET",
        };
        let request = HttpRequest {
            method: method.into(),
            path: url.path.clone(),
            host: url.host_header(),
            headers,
            body: Rc::new(self.options.body.clone().unwrap_or_default()),
        };
        if !self.busybox {
            self.tell("HTTP request sent, awaiting response... ").await;
        }
        let response = http::request(conn, Rc::new(request)).await;
        match response {
            Ok(response) => {
                if !self.busybox {
                    let line = response.status_line();
                    self.tell(&format!("{}\n", line.trim_start_matches("HTTP/1.1 "))).await;
                }
                if self.options.server_response {
                    let head = response.head();
                    let text = String::from_utf8_lossy(&head);
                    let lines: String = text.lines().map(|l| format!("  {l}\n")).collect();
                    self.proc.eprint(&lines).await;
                }
                Ok(response)
            }
            Err(error) => {
                let text = match (error, self.busybox) {
                    (HttpError::Reset, true) => {
                        "wget: error getting response: Connection reset by peer\n"
                    }
                    (HttpError::Reset, false) => {
                        "Read error (Connection reset by peer) in headers.\nGiving up.\n"
                    }
                    (_, true) => "wget: error getting response\n",
                    (_, false) => "No data received.\nGiving up.\n",
                };
                if self.busybox || !self.options.quiet {
                    self.proc.eprint(text).await;
                }
                Err(if self.busybox { 1 } else { 4 })
            }
        }
    }

    async fn refused(&self, response: &HttpResponse) -> i32 {
        let line = response.status_line();
        if self.busybox {
            self.proc.eprint(&format!("wget: server returned error: {line}\n")).await;
            return 1;
        }
        let reason = http::reason(response.status);
        self.tell(&format!("{} ERROR {}: {reason}.\n\n", self.time(), response.status)).await;
        8
    }

    async fn save(&self, url: &Url, response: &HttpResponse) -> Result<(), i32> {
        if self.options.spider {
            let text =
                if self.busybox { "remote file exists\n" } else { "Remote file exists.\n\n" };
            self.tell(text).await;
            return Ok(());
        }
        let name = url.path.split('?').next().unwrap_or_default().rsplit('/').next();
        let name = name.filter(|n| !n.is_empty()).unwrap_or("index.html").to_string();
        let (target, size) = (self.options.output.clone(), response.body.len());
        let to_stdout = target.as_deref() == Some("-");
        let file = target.unwrap_or_else(|| match &self.options.directory {
            Some(directory) => format!("{}/{name}", directory.trim_end_matches('/')),
            None => name.clone(),
        });
        if self.busybox {
            let text = if to_stdout {
                "writing to stdout\n".into()
            } else {
                format!("saving to '{file}'\n")
            };
            self.tell(&text).await;
        } else {
            let kind = response.content_type().split(';').next().unwrap_or_default().to_string();
            self.tell(&format!("Length: {size} [{kind}]\n")).await;
            let target =
                if to_stdout { "STDOUT".into() } else { format!("\u{2018}{file}\u{2019}") };
            self.tell(&format!("Saving to: {target}\n\n")).await;
        }
        if to_stdout {
            self.proc.write(1, &response.body).await;
        } else if let Err(error) = self.proc.write_file(&file, &response.body) {
            let text = match self.busybox {
                true => format!("wget: can't open '{file}': {error}\n"),
                false => format!(
                    "{file}: {error}\n\nCannot write to \u{2018}{file}\u{2019} ({error}).\n"
                ),
            };
            self.proc.eprint(&text).await;
            return Err(if self.busybox { 1 } else { 3 });
        }
        let shown: String = if to_stdout { "-".into() } else { file.chars().take(19).collect() };
        if self.busybox {
            let bar = "*".repeat(32);
            self.tell(&format!("{shown:<20} 100% |{bar}| {size:>5}  0:00:00 ETA\n")).await;
            let text =
                if to_stdout { "written to stdout\n".into() } else { format!("'{file}' saved\n") };
            self.tell(&text).await;
        } else {
            let bar = format!("{}>", "=".repeat(19));
            self.tell(&format!("{shown:<20}100%[{bar}] {size:>7}  --.-KB/s    in 0s      \n\n"))
                .await;
            let what = if to_stdout {
                "written to stdout".into()
            } else {
                format!("\u{2018}{file}\u{2019} saved")
            };
            self.tell(&format!("{} (25.3 MB/s) - {what} [{size}/{size}]\n\n", self.time())).await;
        }
        Ok(())
    }
}
