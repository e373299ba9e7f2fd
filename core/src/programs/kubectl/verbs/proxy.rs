//! `kubectl proxy`: a server on this machine that passes requests on to the API server, with the
//! user's own credentials. Models `k8s.io/kubectl/pkg/cmd/proxy` and `pkg/proxy`.

use std::rc::Rc;

use regex_lite::Regex;

use crate::{
    clusters::api_endpoint::{self, plain},
    fabric::{
        Conn as Link, Endpoint,
        http::{Answer, HttpRequest, HttpResponse, converse},
    },
    machine::fs::Kind,
    programs::kubectl::{
        Conn, Cx, Error,
        flags::{Command, Flag, Parsed},
    },
};

/// `kubectl proxy`
pub static COMMAND: Command = Command {
    name: "proxy",
    usage: "proxy [--port=PORT] [--www=static-dir] [--www-prefix=prefix] [--api-prefix=prefix]",
    short: "Offer the API on a local port",
    long: "Offer the API on a port of this machine, for whoever is on it, with your credentials, \
           until it is interrupted. Files can be served beside it.",
    examples: "# Then: curl localhost:8001/api/v1/pods\nkubectl proxy\n\n\
               # On a port that is free\nkubectl proxy --port=0\n\n\
               # Below another path\nkubectl proxy --api-prefix=/k8s-api\n\n\
               # With files beside it\nkubectl proxy --www=./page --www-prefix=/page/",
    flags: &[&[
        Flag::str(
            "accept-hosts",
            r"^localhost$,^127\.0\.0\.1$,^\[::1\]$",
            "Patterns of the host names under which the proxy may be asked.",
        ),
        Flag::str("accept-paths", "^.*", "Patterns of the paths that may be asked for."),
        Flag::str("address", "127.0.0.1", "The address to listen on."),
        Flag::str("api-prefix", "/", "The path below which the API is."),
        Flag::bool("append-server-path", false, "Put the path of the server's address before all."),
        Flag::bool("disable-filter", false, "Let everyone ask for everything. Dangerous."),
        Flag::duration(
            "keepalive",
            "0s",
            "How often to see whether a connection still lives; ours cannot die unseen.",
        ),
        Flag::int("port", "8001", "The port to listen on; 0: one that is free.").short("p"),
        Flag::str("reject-methods", "^$", "Patterns of the methods that are refused."),
        Flag::str(
            "reject-paths",
            "^/api/.*/pods/.*/exec,^/api/.*/pods/.*/attach",
            "Patterns of the paths that are refused.",
        ),
        Flag::str("unix-socket", "", "A socket to listen on. Not simulated.").short("u"),
        Flag::str("www", "", "A folder whose files are served too.").short("w"),
        Flag::str("www-prefix", "/static/", "The path below which the files are.").short("P"),
    ]],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    ..Command::EMPTY
};

/// What the proxy goes by.
struct Proxy {
    cx: Cx,
    conn: Conn,
    filter: Option<Filter>,
    api: String,
    files: Option<(String, String)>,
    before: String,
}

struct Filter {
    accept_hosts: Vec<Regex>,
    accept_paths: Vec<Regex>,
    reject_methods: Vec<Regex>,
    reject_paths: Vec<Regex>,
}

impl Filter {
    fn of(p: &Parsed) -> Result<Filter, Error> {
        let list = |flag: &str| -> Result<Vec<Regex>, Error> {
            let text = p.str(flag).split(',').filter(|part| !part.is_empty());
            let made = text.map(|part| {
                Regex::new(part)
                    .map_err(|e| Error::plain(format!("error parsing regexp: {}: `{part}`", e)))
            });
            made.collect()
        };
        Ok(Filter {
            accept_hosts: list("accept-hosts")?,
            accept_paths: list("accept-paths")?,
            reject_methods: list("reject-methods")?,
            reject_paths: list("reject-paths")?,
        })
    }

    fn lets_pass(&self, request: &HttpRequest) -> bool {
        let any = |list: &[Regex], text: &str| list.iter().any(|r| r.is_match(text));
        let host = match request.host.rsplit_once(':') {
            Some((host, port)) if port.chars().all(|c| c.is_ascii_digit()) => host,
            _ => &request.host,
        };
        let path = request.route();
        !any(&self.reject_paths, path)
            && !any(&self.reject_methods, &request.method)
            && any(&self.accept_paths, path)
            && any(&self.accept_hosts, host)
    }
}

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    if !p.str("unix-socket").is_empty() {
        if p.changed("port") {
            return Err(Error::plain("cannot set --unix-socket and --port at the same time"));
        }
        return Err(Error::plain("sockets of the file system are not simulated in this sandbox"));
    }
    let slash = |text: &str| match text.ends_with('/') {
        true => text.to_owned(),
        false => format!("{text}/"),
    };
    let filter = match p.bool("disable-filter") {
        true => {
            let text = "Request filter disabled, your proxy is vulnerable to XSRF attacks, please \
                        be cautious";
            cx.err(&cx.klog('W', "proxy.go:175", text)).await;
            None
        }
        false => Some(Filter::of(&p)?),
    };
    let conn = cx.connect(&p, 0)?;
    let folder = p.str("www");
    if !folder.is_empty() && !cx.proc.is_dir(folder) {
        let text = match cx.proc.exists(folder) {
            true => format!("Static file directory {folder} is not a directory"),
            false => format!(
                "Failed to stat static file directory {folder}: stat {folder}: no such file or \
                 directory"
            ),
        };
        cx.err(&cx.klog('W', "proxy.go:150", &text)).await;
    }
    let address = p.str("address");
    let open = ["0.0.0.0", "::", ""].contains(&address);
    let Some(endpoint) = cx.proc.machine().get::<Endpoint>() else {
        return Err(Error::plain("this machine has no network"));
    };
    let own = address.parse().is_ok_and(|a| endpoint.is_own(a));
    if !open && !own && !["127.0.0.1", "localhost"].contains(&address) {
        return Err(Error::plain(format!(
            "listen tcp {address}:{}: bind: cannot assign requested address",
            p.int("port")
        )));
    }
    let port = match p.int("port") {
        0 => endpoint.free_port(),
        given => u16::try_from(given)
            .map_err(|_| Error::plain(format!("listen tcp: address {given}: invalid port")))?,
    };
    let Ok(listener) = endpoint.listen_on(port, !open && !own) else {
        return Err(Error::plain(format!(
            "listen tcp {address}:{port}: bind: address already in use"
        )));
    };
    let shown = if address == "localhost" { "127.0.0.1" } else { address };
    cx.out(&format!("Starting to serve on {shown}:{port}\n")).await;
    let before = conn.server.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
    let before = before.map_or(String::new(), |(_, path)| format!("/{path}"));
    let proxy = Rc::new(Proxy {
        before: if p.bool("append-server-path") { before } else { String::new() },
        api: slash(p.str("api-prefix")),
        files: Some((slash(p.str("www-prefix")), folder.to_owned())).filter(|(_, f)| !f.is_empty()),
        cx: cx.clone(),
        conn,
        filter,
    });
    loop {
        let link = listener.accept().await;
        let proxy = proxy.clone();
        cx.proc.spawn_task(async move { proxy.connection(link).await });
    }
}

impl Proxy {
    async fn connection(&self, link: Link) {
        converse(link, |request| async move { self.answer(&request).await }).await;
    }

    async fn answer(&self, request: &HttpRequest) -> Answer {
        let path = request.route();
        // The longest prefix that fits has the request, as in Go's mux.
        if let Some((prefix, folder)) = &self.files {
            if path.starts_with(prefix.as_str()) && prefix.len() > self.api.len() {
                return self.file(folder, path.get(prefix.len()..).unwrap_or(""));
            }
        }
        if !path.starts_with(&self.api) {
            return plain(404, "404 page not found\n");
        }
        if self.filter.as_ref().is_some_and(|f| !f.lets_pass(request)) {
            return plain(403, "Forbidden\n");
        }
        // An API below /api keeps its path; below another one the prefix goes.
        let rest = match self.api.starts_with("/api") {
            true => request.path.clone(),
            false => format!("/{}", request.path.get(self.api.len()..).unwrap_or("")),
        };
        let rest = format!("{}{rest}", self.before);
        let asked = HttpRequest { path: rest, ..request.clone() };
        api_endpoint::answer(&self.conn.client, &asked, Some(self.conn.client.user().clone())).await
    }

    fn file(&self, folder: &str, rest: &str) -> Answer {
        let missing = || plain(404, "404 page not found\n");
        if rest.split('/').any(|part| part == "..") {
            return plain(400, "invalid URL path\n");
        }
        let proc = &self.cx.proc;
        let mut path = format!("{}/{rest}", folder.trim_end_matches('/'));
        if proc.is_dir(&path) {
            let index = format!("{}/index.html", path.trim_end_matches('/'));
            if !proc.exists(&index) {
                let list = proc.list(&path).unwrap_or_default();
                let line = |(name, node): &(Rc<str>, Rc<crate::machine::fs::Node>)| {
                    let name = if node.is_dir() { format!("{name}/") } else { name.to_string() };
                    format!("<a href=\"{name}\">{name}</a>\n")
                };
                let lines: String = list.iter().map(line).collect();
                let body = format!(
                    "<!doctype html>\n<meta name=\"viewport\" content=\"width=device-width\">\n\
                     <pre>\n{lines}</pre>\n"
                );
                return Answer::Whole(HttpResponse::new(200, "text/html; charset=utf-8", body));
            }
            path = index;
        }
        match proc.stat(&path).as_deref().map(|node| &node.kind) {
            Ok(Kind::File(content)) => {
                let kind = crate::runtime::images::serving::media_type(&path);
                Answer::Whole(HttpResponse::new(200, kind, content.to_vec()))
            }
            _ => missing(),
        }
    }
}
