//! nginx's configuration files, as far as web servers of exercises use them.

use crate::machine::Proc;

/// A directive: words, and a block if it has one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directive {
    /// Name and arguments.
    pub words: Vec<String>,
    /// What is in its braces.
    pub block: Option<Vec<Directive>>,
    /// Where it begins.
    pub line: usize,
}

impl Directive {
    fn name(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    fn arg(&self, n: usize) -> &str {
        self.words.get(n).map_or("", String::as_str)
    }
}

/// A `location`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Location {
    /// The path it is for.
    pub path: String,
    /// Whether only that very path.
    pub exact: bool,
    /// `root`, of the server if it has none.
    pub root: String,
    /// `alias`
    pub alias: Option<String>,
    /// `index`
    pub index: Vec<String>,
    /// `return CODE [TEXT]`
    pub answer: Option<(u16, String)>,
    /// `proxy_pass`
    pub proxy: Option<String>,
    /// `try_files`
    pub try_files: Vec<String>,
    /// `access_log off`
    pub quiet: bool,
    /// `add_header`
    pub headers: Vec<(String, String)>,
    /// `default_type`
    pub default_type: Option<String>,
}

/// A `server`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// The ports it listens on.
    pub ports: Vec<u16>,
    /// What it serves, the server's own directives first.
    pub locations: Vec<Location>,
}

impl Server {
    /// The location for a path: the exact one, or the longest that it begins with.
    pub fn location(&self, path: &str) -> Option<&Location> {
        let exact = self.locations.iter().find(|l| l.exact && l.path == path);
        let prefix = self.locations.iter().filter(|l| !l.exact && path.starts_with(&l.path));
        exact.or_else(|| prefix.max_by_key(|l| l.path.len()))
    }
}

/// The whole configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Its servers.
    pub servers: Vec<Server>,
    /// `daemon off`
    pub foreground: bool,
}

/// Directives that are understood and have no effect here.
const IGNORED: &[&str] = &[
    "access_log",
    "charset",
    "client_max_body_size",
    "error_log",
    "error_page",
    "events",
    "gzip",
    "include",
    "keepalive_timeout",
    "log_format",
    "pid",
    "proxy_http_version",
    "proxy_set_header",
    "sendfile",
    "server_name",
    "server_tokens",
    "tcp_nodelay",
    "tcp_nopush",
    "types",
    "user",
    "worker_connections",
    "worker_processes",
    "daemon",
    "proxy_connect_timeout",
    "resolver",
    "proxy_read_timeout",
    "proxy_buffering",
    "autoindex",
    "expires",
    "types_hash_max_size",
];

/// Reads the configuration of a process's machine. Errors as nginx logs them.
pub fn load(proc: &Proc, path: &str) -> Result<Config, String> {
    let directives = read(proc, path, 0)?;
    let mut config = Config::default();
    for directive in &directives {
        match directive.name() {
            "daemon" => config.foreground = directive.arg(1) == "off",
            "http" => {
                let block = directive.block.iter().flatten();
                for server in block.filter(|d| d.name() == "server") {
                    config.servers.push(server_of(server, path)?);
                }
            }
            name if IGNORED.contains(&name) => {}
            name => return Err(unknown(name, path, directive.line)),
        }
    }
    Ok(config)
}

fn unknown(name: &str, path: &str, line: usize) -> String {
    format!("unknown directive \"{name}\" in {path}:{line}")
}

fn read(proc: &Proc, path: &str, depth: usize) -> Result<Vec<Directive>, String> {
    let bytes = proc.read_file(path).map_err(|error| {
        format!("open() \"{path}\" failed ({}: {error})", super::errno_number(&error))
    })?;
    let mut list = parse(&String::from_utf8_lossy(&bytes), path)?;
    include(proc, &mut list, depth)?;
    Ok(list)
}

fn include(proc: &Proc, list: &mut Vec<Directive>, depth: usize) -> Result<(), String> {
    let mut out = Vec::new();
    for mut directive in list.drain(..) {
        if let Some(block) = &mut directive.block {
            include(proc, block, depth)?;
        }
        let pattern = directive.arg(1).to_string();
        if directive.name() != "include" || pattern.ends_with("mime.types") || depth > 4 {
            out.push(directive);
            continue;
        }
        match pattern.split_once('*') {
            None => out.extend(read(proc, &pattern, depth + 1)?),
            Some((dir, end)) => {
                for (name, _) in proc.list(dir).unwrap_or_default() {
                    if name.ends_with(end) {
                        out.extend(read(proc, &format!("{dir}{name}"), depth + 1)?);
                    }
                }
            }
        }
    }
    *list = out;
    Ok(())
}

fn server_of(server: &Directive, path: &str) -> Result<Server, String> {
    let mut base = Location {
        path: "/".into(),
        root: "/etc/nginx/html".into(),
        index: vec!["index.html".into()],
        ..Location::default()
    };
    let (mut ports, mut locations) = (Vec::new(), Vec::new());
    let block = || server.block.iter().flatten();
    for directive in block().filter(|d| d.name() != "location") {
        if directive.name() != "listen" {
            apply(&mut base, directive, path)?;
        } else if !directive.arg(1).starts_with('[') {
            let port = directive.arg(1).rsplit(':').next().unwrap_or_default();
            let port = port.parse().map_err(|_| {
                let line = directive.line;
                format!(
                    "invalid port in \"{}\" of the \"listen\" directive in {path}:{line}",
                    directive.arg(1)
                )
            })?;
            ports.push(port);
        }
    }
    if ports.is_empty() {
        ports.push(80);
    }
    for directive in block().filter(|d| d.name() == "location") {
        let (exact, at) = match directive.arg(1) {
            "=" => (true, directive.arg(2)),
            "^~" => (false, directive.arg(2)),
            // Regular expressions are not simulated; what they deny by default is denied anyway.
            "~" | "~*" => continue,
            at => (false, at),
        };
        let mut location = Location { path: at.to_string(), exact, ..base.clone() };
        for inner in directive.block.iter().flatten() {
            apply(&mut location, inner, path)?;
        }
        locations.push(location);
    }
    locations.insert(0, base);
    Ok(Server { ports, locations })
}

fn apply(location: &mut Location, directive: &Directive, path: &str) -> Result<(), String> {
    let arg = |n| directive.arg(n).to_string();
    match directive.name() {
        "root" => location.root = arg(1),
        "alias" => location.alias = Some(arg(1)),
        "index" => location.index = directive.words[1..].to_vec(),
        "return" => {
            let text = arg(2);
            location.answer = Some(match arg(1).parse() {
                Ok(code) => (code, text),
                Err(_) => (302, arg(1)),
            });
        }
        "proxy_pass" => location.proxy = Some(arg(1)),
        "try_files" => location.try_files = directive.words[1..].to_vec(),
        "access_log" => location.quiet = arg(1) == "off",
        "add_header" => location.headers.push((arg(1), arg(2))),
        "default_type" => location.default_type = Some(arg(1)),
        name if IGNORED.contains(&name) => {}
        name => return Err(unknown(name, path, directive.line)),
    }
    Ok(())
}

/// Reads the text of a file. Errors as nginx logs them.
pub fn parse(text: &str, path: &str) -> Result<Vec<Directive>, String> {
    let mut stack: Vec<(Directive, Vec<Directive>)> = Vec::new();
    let (mut list, mut current, mut line) = (Vec::new(), Directive::default(), 1);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' => line += 1,
            c if c.is_whitespace() => {}
            '#' => while chars.next_if(|c| *c != '\n').is_some() {},
            ';' => {
                if current.words.is_empty() {
                    return Err(format!("unexpected \";\" in {path}:{line}"));
                }
                list.push(std::mem::take(&mut current));
            }
            '{' => stack.push((std::mem::take(&mut current), std::mem::take(&mut list))),
            '}' => {
                let Some((mut directive, outer)) = stack.pop().filter(|_| current.words.is_empty())
                else {
                    return Err(format!("unexpected \"}}\" in {path}:{line}"));
                };
                directive.block = Some(std::mem::replace(&mut list, outer));
                list.push(directive);
            }
            quote @ ('"' | '\'') => {
                let mut word = String::new();
                while let Some(c) = chars.next_if(|c| *c != quote) {
                    line += usize::from(c == '\n');
                    let escaped = if c == '\\' { chars.next() } else { None };
                    word.push(match escaped {
                        Some('n') => '\n',
                        Some(other) => other,
                        None => c,
                    });
                }
                chars.next();
                current.words.push(word);
            }
            first => {
                let mut word = String::from(first);
                while let Some(c) = chars.next_if(|c| !c.is_whitespace() && !"{};".contains(*c)) {
                    word.push(c);
                    // `${name}` belongs to the word.
                    if word.ends_with('$') && chars.next_if_eq(&'{').is_some() {
                        word.push('{');
                        while let Some(c) = chars.next_if(|c| *c != '}') {
                            word.push(c);
                        }
                    }
                }
                if current.words.is_empty() {
                    current.line = line;
                }
                current.words.push(word);
            }
        }
    }
    if !stack.is_empty() {
        return Err(format!("unexpected end of file, expecting \"}}\" in {path}:{line}"));
    }
    if !current.words.is_empty() {
        return Err(format!("unexpected end of file, expecting \";\" or \"}}\" in {path}:{line}"));
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_and_errors() {
        let text = "server {\n  listen 80; # port\n  location = /a { return 200 'ok\\n'; }\n}\n";
        let list = parse(text, "f").unwrap();
        let server = server_of(&list[0], "f").unwrap();
        assert_eq!(server.ports, [80]);
        assert_eq!(server.location("/a").unwrap().answer, Some((200, "ok\n".into())));
        assert_eq!(server.location("/b").unwrap().path, "/");
        for (text, want) in [
            ("a", "unexpected end of file, expecting \";\" or \"}\" in f:1"),
            ("a {\n", "unexpected end of file, expecting \"}\" in f:2"),
            ("}", "unexpected \"}\" in f:1"),
            ("\n;", "unexpected \";\" in f:2"),
        ] {
            assert_eq!(parse(text, "f").unwrap_err(), want);
        }
        let list = parse("server {\n listen 80;\n foo bar;\n}", "f").unwrap();
        assert_eq!(server_of(&list[0], "f").unwrap_err(), "unknown directive \"foo\" in f:3");
    }
}
