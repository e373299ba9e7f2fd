//! `agnhost`: the image that Kubernetes' own tutorials and tests serve, wait and fail with.
//!
//! Its subcommands that tutorials use are here; the others say that they are not simulated.
//!
//! Models `test/images/agnhost`.

use std::{rc::Rc, time::Duration};

use super::{
    super::{ImageDef, LayerDef},
    base::ALPINE_LAYER,
    serving::{self, emit},
};
use crate::{
    fabric::{
        Conn,
        http::{HttpRequest, HttpResponse, Reply},
    },
    machine::{ExitStatus, Proc, Program, Signal},
    sim::Time,
};

/// What a request costs.
const WORK: Duration = Duration::from_micros(120);
/// How long `liveness` is healthy.
const HEALTHY: Duration = Duration::from_secs(10);

/// `/agnhost`
pub const PROGRAM: Program = Program {
    name: "agnhost",
    summary: "serves, waits and fails, for tutorials and tests",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

/// A subcommand that serves: its default port, and what it answers.
struct Server {
    name: &'static str,
    flag: &'static str,
    port: u16,
    answer: fn(&Cx, &HttpRequest, &Conn) -> Reply,
}

struct Cx {
    proc: Proc,
    started: Time,
    name: &'static str,
}

const SERVERS: &[Server] = &[
    Server { name: "liveness", flag: "", port: 8080, answer: liveness },
    Server { name: "netexec", flag: "--http-port", port: 8080, answer: netexec },
    Server { name: "serve-hostname", flag: "--port", port: 9376, answer: hostname },
    Server { name: "test-webserver", flag: "--port", port: 80, answer: files },
];

async fn main(proc: Proc) -> i32 {
    let args = proc.args().to_vec();
    match args.get(1).map(String::as_str) {
        Some("pause") | None => {
            proc.print("Paused\n").await;
            until_stopped(&proc).await
        }
        Some("--version" | "version") => {
            proc.print("agnhost version 2.53\n").await;
            0
        }
        Some(name) => match SERVERS.iter().find(|s| s.name == name) {
            Some(server) => serve(proc, server, &args[2..]).await,
            None => {
                let known: Vec<_> = SERVERS.iter().map(|s| s.name).collect();
                let known = known.join(", ");
                proc.eprint(&format!(
                    "agnhost: {name} is not simulated; there are pause, {known}\n"
                ))
                .await;
                1
            }
        },
    }
}

/// The value of a flag, written `--flag=value` or `--flag value`.
fn flag<'a>(args: &'a [String], name: &str) -> Option<&'a str> {
    args.iter().enumerate().find_map(|(i, arg)| match arg.strip_prefix(name)? {
        "" => args.get(i + 1).map(String::as_str),
        rest => rest.strip_prefix('='),
    })
}

/// A line of klog.
fn log(proc: &Proc, text: &str) {
    let time = proc.sim().now().to_timestamp().strftime("%m%d %H:%M:%S%.6f").to_string();
    emit(proc, 2, &format!("I{time}       1 log.go:245] {text}\n"));
}

/// A Go program that handles no signals ends with 2 where the kernel would not let it die of one.
async fn until_stopped(proc: &Proc) -> i32 {
    while !matches!(proc.signal().await, Signal::Term | Signal::Int) {}
    2
}

async fn serve(proc: Proc, server: &'static Server, args: &[String]) -> i32 {
    serving::start_up(&proc, 30, 12 << 20).await;
    let port = match flag(args, server.flag).filter(|_| !server.flag.is_empty()) {
        None => server.port,
        Some(text) => match text.parse() {
            Ok(port) => port,
            Err(_) => {
                proc.eprint(&format!(
                    "Error: invalid argument \"{text}\" for \"{}\" flag: strconv.ParseInt: parsing \
                     \"{text}\": invalid syntax\n",
                    server.flag
                ))
                .await;
                return 1;
            }
        },
    };
    let Some(listener) = serving::listen(&proc, port) else {
        log(&proc, &format!("listen tcp :{port}: bind: address already in use"));
        return 1;
    };
    match server.name {
        "netexec" => {
            log(&proc, &format!("Started HTTP server on port {port}"));
            let udp = flag(args, "--udp-port").unwrap_or("8081");
            log(&proc, &format!("Started UDP server on port  {udp}"));
        }
        "serve-hostname" => log(&proc, "Serving on port 9376."),
        _ => {}
    }
    let cx = Cx { proc: proc.clone(), started: proc.sim().now(), name: server.name };
    serving::serve(&proc, listener, move |request, conn| {
        cx.proc.process().add_cpu_micros(WORK.as_micros() as u64);
        if cx.name == "netexec" {
            log(&cx.proc, &format!("{} {}", request.method, request.path));
        }
        (server.answer)(&cx, request, conn)
    });
    until_stopped(&proc).await
}

fn text(status: u16, body: impl Into<Vec<u8>>) -> Reply {
    let response = HttpResponse::new(status, "text/plain; charset=utf-8", body);
    Reply::Now(Rc::new(response), WORK)
}

/// Healthy for ten seconds, then never again: what a liveness probe is shown with.
fn liveness(cx: &Cx, request: &HttpRequest, _: &Conn) -> Reply {
    let age = cx.proc.sim().now().since(cx.started);
    match request.route() {
        "/started" => text(200, format!("{:.6}", age.as_secs_f64())),
        "/healthz" if age > HEALTHY => text(500, format!("error: {}", age.as_secs_f64())),
        "/healthz" => text(200, "ok"),
        _ => text(404, "404 page not found\n"),
    }
}

fn hostname(cx: &Cx, _: &HttpRequest, _: &Conn) -> Reply {
    text(200, cx.proc.machine().hostname())
}

fn netexec(cx: &Cx, request: &HttpRequest, conn: &Conn) -> Reply {
    match request.route() {
        "/" => {
            let now = cx.proc.sim().now();
            let time = now.to_timestamp().strftime("%Y-%m-%d %H:%M:%S%.9f +0000 UTC").to_string();
            let up = now.since(cx.started).as_secs_f64();
            text(200, format!("NOW: {time} m=+{up:.9}"))
        }
        "/clientip" => text(200, conn.peer().to_string()),
        "/echo" => text(200, request.query("msg").unwrap_or_default()),
        "/header" => {
            let key = request.query("key").unwrap_or_default();
            text(200, request.header(key).unwrap_or_default())
        }
        "/healthz" => text(200, ""),
        "/hostname" | "/hostName" => hostname(cx, request, conn),
        "/redirect" => {
            let code = request.query("code").and_then(|c| c.parse().ok()).unwrap_or(302);
            let to = request.query("url").unwrap_or("/").to_string();
            let response = HttpResponse::new(code, "text/html; charset=utf-8", "");
            Reply::Now(Rc::new(response.with("Location", to)), WORK)
        }
        "/exit" => {
            let code = request.query("code").and_then(|c| c.parse().ok()).unwrap_or(0);
            let process = cx.proc.process().clone();
            // The process ends, and with it this very task.
            cx.proc.sim().after(Duration::ZERO, move || process.end(ExitStatus::Code(code)));
            Reply::Hang
        }
        "/dial" | "/shell" | "/shutdown" | "/upload" => text(501, "this is not simulated\n"),
        _ => text(404, "404 page not found\n"),
    }
}

/// Serves the container's files.
fn files(cx: &Cx, request: &HttpRequest, _: &Conn) -> Reply {
    match cx.proc.read_file(request.route()) {
        Ok(content) => {
            let kind = serving::media_type(request.route());
            Reply::Now(Rc::new(HttpResponse::new(200, kind, content)), WORK)
        }
        Err(_) => text(404, "404 page not found\n"),
    }
}

/// `agnhost`
pub static IMAGE: ImageDef = ImageDef {
    repository: "registry.k8s.io/e2e-test-images/agnhost",
    tags: &["2.53", "2.52", "2.47", "2.45", "2.43", "2.40", "2.39", "2.38", "2.36", "2.33", "2.21"],
    layers: &[
        ALPINE_LAYER,
        LayerDef {
            id: "agnhost",
            arg: "2.53",
            size: 139_000_000,
            created_by: "ADD agnhost agnhost # buildkit",
            build: |cx| {
                cx.program("/agnhost", "agnhost");
                cx.program("/usr/bin/curl", "curl");
            },
        },
    ],
    entrypoint: &["/agnhost"],
    cmd: &["pause"],
    exposed: &["8080/tcp", "8081/udp", "9376/tcp"],
    created: Time::from_secs(1_729_500_000),
    ..ImageDef::EMPTY
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_written_in_two_ways() {
        let args = |line: &str| line.split(' ').map(str::to_string).collect::<Vec<_>>();
        assert_eq!(flag(&args("--http-port=80"), "--http-port"), Some("80"));
        assert_eq!(flag(&args("--udp-port -1 --http-port 81"), "--http-port"), Some("81"));
        assert_eq!(flag(&args("--http-portal=80"), "--http-port"), None);
        assert_eq!(flag(&args("--http-port"), "--http-port"), None);
    }
}
