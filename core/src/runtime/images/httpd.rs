//! Two servers of files: busybox's `httpd` and Apache's, with the images that run them.

use std::{rc::Rc, time::Duration};

use super::{
    super::{ImageDef, LayerDef},
    base::{BUSYBOX_LAYER, DEBIAN_LAYER},
    serving::{self, emit},
};
use crate::{
    fabric::{
        Conn,
        http::{self, HttpRequest, HttpResponse, Reply},
    },
    machine::{Command, Proc, Program, Signal, fs::Kind},
    sim::Time,
};

/// What a request costs.
const WORK: Duration = Duration::from_micros(150);

/// Busybox's `httpd`
pub const BUSYBOX: Program = Program {
    name: "httpd",
    summary: "a small web server",
    run: |proc| Box::pin(busybox(proc)),
    complete: None,
};

/// Apache's `httpd-foreground`
pub const APACHE: Program = Program {
    name: "httpd-foreground",
    summary: "the Apache web server",
    run: |proc| Box::pin(apache(proc)),
    complete: None,
};

async fn busybox(proc: Proc) -> i32 {
    let (mut foreground, mut verbose, mut port, mut home) = (false, 0, 80_u16, proc.cwd());
    let mut args = proc.args()[1..].iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "-f" => foreground = true,
            "-v" => verbose += 1,
            "-vv" => verbose += 2,
            "-p" => {
                let value = args.next().map_or("", String::as_str);
                match value.rsplit(':').next().and_then(|p| p.parse().ok()) {
                    Some(number) => port = number,
                    None => {
                        proc.eprint(&format!("httpd: invalid number '{value}'\n")).await;
                        return 1;
                    }
                }
            }
            "-h" => home = proc.resolve(args.next().map_or(".", String::as_str)),
            "-c" | "-u" | "-r" => drop(args.next()),
            other => {
                proc.eprint(&format!(
                    "httpd: invalid option -- '{}'\n",
                    other.trim_start_matches('-')
                ))
                .await;
                return 1;
            }
        }
    }
    if !proc.is_dir(&home) {
        proc.eprint(&format!(
            "httpd: can't change directory to '{home}': No such file or directory\n"
        ))
        .await;
        return 1;
    }
    serving::start_up(&proc, 5, 1 << 20).await;
    let Some(listener) = serving::listen(&proc, port) else {
        proc.eprint("httpd: bind: Address already in use\n").await;
        return 1;
    };
    let serve = move |child: Proc| async move {
        let files = Files { proc: child.clone(), root: home, server: None };
        serving::serve(&child, listener, move |request, conn| {
            let response = files.respond(request);
            if verbose > 0 {
                let line = format!(
                    "[::ffff:{}]:{}: response:{}\n",
                    conn.peer().ip(),
                    conn.peer().port(),
                    response.status
                );
                emit(&files.proc, 2, &line);
            }
            Reply::Now(Rc::new(response), WORK)
        });
        std::future::pending::<i32>().await
    };
    if foreground {
        return serve(proc).await;
    }
    proc.fork(Command { group: Some(0), ..Command::new(proc.args().to_vec()) }, serve);
    0
}

/// A tree of files that is served.
struct Files {
    proc: Proc,
    root: String,
    server: Option<&'static str>,
}

impl Files {
    fn respond(&self, request: &HttpRequest) -> HttpResponse {
        self.proc.process().add_cpu_micros(WORK.as_micros() as u64);
        if !matches!(&*request.method, "GET" | "HEAD") {
            return self.error(501);
        }
        let clean: Vec<&str> = request.route().split('/').filter(|p| *p != "..").collect();
        let path = format!("{}{}", self.root, clean.join("/"));
        let found = match self.proc.stat(&path) {
            Ok(node) if node.is_dir() && !path.ends_with('/') => {
                return self.error(301).with("Location", format!("{}/", request.route()));
            }
            Ok(node) if node.is_dir() => self.proc.stat(&format!("{path}index.html")),
            other => other,
        };
        match found.as_deref().map(|node| &node.kind) {
            Ok(Kind::File(content)) => {
                let name = if path.ends_with('/') { "index.html" } else { path.as_str() };
                self.make(200, serving::media_type(name), content.clone())
            }
            _ => self.error(404),
        }
    }

    fn make(&self, status: u16, kind: &'static str, body: Rc<Vec<u8>>) -> HttpResponse {
        let mut headers: Vec<http::Header> =
            vec![("Date".into(), serving::http_date(&self.proc).into())];
        headers.extend(self.server.map(|name| ("Server".into(), name.into())));
        let how = if self.server.is_some() { "keep-alive" } else { "close" };
        headers.push(("Connection".into(), how.into()));
        headers.push(("Content-type".into(), kind.into()));
        headers.push(("Content-Length".into(), body.len().to_string().into()));
        HttpResponse { status, headers, body }
    }

    fn error(&self, status: u16) -> HttpResponse {
        let title = format!("{status} {}", http::reason(status));
        let text =
            if status == 404 { "The requested URL was not found" } else { http::reason(status) };
        let body = format!(
            "<HTML><HEAD><TITLE>{title}</TITLE></HEAD>\n<BODY><H1>{title}</H1>\n{text}\n</BODY></HTML>\n"
        );
        self.make(status, "text/html", Rc::new(body.into_bytes()))
    }
}

async fn apache(proc: Proc) -> i32 {
    serving::start_up(&proc, 60, 8 << 20).await;
    let Some(listener) = serving::listen(&proc, 80) else {
        proc.eprint(
            "(98)Address already in use: AH00072: make_sock: could not bind to address [::]:80\n",
        )
        .await;
        return 1;
    };
    let address = serving::endpoint(&proc).and_then(|e| e.addresses().first().copied());
    let address = address.map_or("127.0.0.1".to_string(), |a| a.to_string());
    for _ in 0..2 {
        emit(
            &proc,
            2,
            &format!(
                "AH00558: httpd: Could not reliably determine the server's fully qualified \
                    domain name, using \
             {address}. Set the 'ServerName' directive globally to suppress this message\n"
            ),
        );
    }
    notice(
        &proc,
        "mpm_event",
        "AH00489: Apache/2.4.62 (Unix) configured -- resuming normal operations",
    );
    notice(&proc, "core", "AH00094: Command line: 'httpd -D FOREGROUND'");
    let root = "/usr/local/apache2/htdocs".to_string();
    let files = Files { proc: proc.clone(), root, server: Some("Apache/2.4.62 (Unix)") };
    let server = serving::serve(&proc, listener, move |request, conn: &Conn| {
        let response = files.respond(request);
        let time =
            files.proc.sim().now().to_timestamp().strftime("%d/%b/%Y:%H:%M:%S +0000").to_string();
        let line = format!(
            "{} - - [{time}] \"{} {} HTTP/1.1\" {} {}\n",
            conn.peer().ip(),
            request.method,
            request.path,
            response.status,
            response.body.len()
        );
        emit(&files.proc, 1, &line);
        Reply::Now(Rc::new(response), WORK)
    });
    loop {
        match proc.signal().await {
            // The image's STOPSIGNAL: a graceful stop.
            Signal::Winch => {
                notice(&proc, "mpm_event", "AH00492: caught SIGWINCH, shutting down gracefully");
                server.drain(proc.sim()).await;
                return 0;
            }
            Signal::Term | Signal::Int => {
                notice(&proc, "mpm_event", "AH00491: caught SIGTERM, shutting down");
                return 0;
            }
            _ => {}
        }
    }
}

fn notice(proc: &Proc, module: &str, text: &str) {
    let time = proc.sim().now().to_timestamp().strftime("%a %b %d %H:%M:%S%.6f %Y").to_string();
    emit(proc, 2, &format!("[{time}] [{module}:notice] [pid 1:tid 1] {text}\n"));
}

/// `httpd`
pub static HTTPD: ImageDef = ImageDef {
    repository: "httpd",
    tags: &["latest", "2", "2.4", "2.4.62"],
    layers: &[
        DEBIAN_LAYER,
        LayerDef {
            id: "httpd",
            arg: "2.4.62",
            size: 73_300_000,
            created_by: "RUN /bin/sh -c set -eux; … httpd-2.4.62.tar.bz2 …",
            build: |cx| {
                cx.program("/usr/local/bin/httpd-foreground", "httpd-foreground");
                cx.file(
                    "/usr/local/apache2/htdocs/index.html",
                    "<html><body><h1>It works!</h1></body></html>\n",
                );
            },
        },
    ],
    cmd: &["httpd-foreground"],
    workdir: "/usr/local/apache2",
    exposed: &["80/tcp"],
    stop_signal: Signal::Winch,
    created: Time::from_secs(1_721_260_800),
    ..ImageDef::EMPTY
};

macro_rules! web_example {
    ($name:ident $arg:literal [$($tag:literal)*]) => {
        /// A busybox that serves `/www`: what exercises without a network of their own use.
        pub static $name: ImageDef = ImageDef {
            repository: "web-example",
            tags: &[$($tag),*],
            layers: &[BUSYBOX_LAYER, LayerDef {
                id: "web-example",
                arg: $arg,
                size: 16,
                created_by: "COPY www /www",
                build: |cx| {
                    cx.file("/www/index.html", "<h1>hello</h1>\n");
                    cx.file("/www/healthz", "ok\n");
                },
            }],
            cmd: &["httpd", "-f", "-p", "80", "-h", "/www"],
            created: Time::from_secs(1_727_386_302),
            ..ImageDef::EMPTY
        };
    };
}
web_example!(WEB_EXAMPLE "1.25" ["1.25" "latest"]);
web_example!(WEB_EXAMPLE_2 "1.26" ["1.26"]);
