//! What people try things out with: shells, curl, servers that tell who asked.

use std::{fmt::Write, rc::Rc, time::Duration};

use super::{
    super::{ImageDef, LayerDef},
    base::{ALPINE_LAYER, DEBIAN_LAYER},
    serving,
};
use crate::{
    fabric::{
        Conn,
        http::{HttpRequest, HttpResponse, Reply},
    },
    machine::{Proc, Program, Signal},
    sim::Time,
};

/// What a request costs.
const WORK: Duration = Duration::from_micros(150);

/// Kubernetes' `echoserver`: nginx with a script
pub const ECHOSERVER: Program = Program {
    name: "echoserver",
    summary: "a web server that tells who asked what",
    run: |proc| Box::pin(echoserver(proc)),
    complete: None,
};

/// A proxy for HTTP, to try probes of ports with
pub const GOPROXY: Program = Program {
    name: "goproxy",
    summary: "a port that accepts connections",
    run: |proc| Box::pin(goproxy(proc)),
    complete: None,
};

/// Traefik's `whoami`
pub const WHOAMI: Program = Program {
    name: "whoami-server",
    summary: "a web server that tells who it is and who asked",
    run: |proc| Box::pin(whoami(proc)),
    complete: None,
};

/// Serves at a port until it is told to end; the code then is a program's that handles the signal,
/// or not.
async fn serve(
    proc: Proc,
    port: u16,
    status: u16,
    code: i32,
    answer: impl Fn(&Proc, &HttpRequest, &Conn) -> String + 'static,
) -> i32 {
    serving::start_up(&proc, 20, 8 << 20).await;
    let Some(listener) = serving::listen(&proc, port) else {
        let text = format!("listen tcp :{port}: bind: address already in use\n");
        proc.eprint(&text).await;
        return 1;
    };
    let server = proc.clone();
    serving::serve(&proc, listener, move |request, conn| {
        server.process().add_cpu_micros(WORK.as_micros() as u64);
        let body = answer(&server, request, conn);
        let response = HttpResponse::new(status, "text/plain; charset=utf-8", body);
        Reply::Now(Rc::new(response), WORK)
    });
    while !matches!(proc.signal().await, Signal::Term | Signal::Int | Signal::Quit) {}
    code
}

/// Headers as they came, by name.
fn headers(request: &HttpRequest) -> Vec<(&str, &str)> {
    let mut all: Vec<(&str, &str)> =
        request.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
    all.sort_unstable();
    all
}

async fn whoami(proc: Proc) -> i32 {
    let args = proc.args();
    let flag = args.iter().position(|a| a == "--port" || a == "-port");
    let port = flag.and_then(|at| args.get(at + 1).cloned());
    let port = port.or_else(|| proc.env("WHOAMI_PORT_NUMBER").map(|p| p.to_string()));
    let port = port.and_then(|p| p.parse().ok()).unwrap_or(80);
    let now = proc.sim().now().to_timestamp().strftime("%Y/%m/%d %H:%M:%S").to_string();
    proc.eprint(&format!("{now} Starting up on port {port}\n")).await;
    serve(proc, port, 200, 2, |proc, request, conn| {
        let mut out = format!("Hostname: {}\nIP: 127.0.0.1\nIP: ::1\n", proc.machine().hostname());
        if let Some(address) =
            serving::endpoint(proc).and_then(|e| e.addresses().into_iter().next())
        {
            let _ = writeln!(out, "IP: {address}");
        }
        let _ = writeln!(out, "RemoteAddr: {}", conn.peer());
        let _ = writeln!(out, "{} {} HTTP/1.1", request.method, request.path);
        let _ = writeln!(out, "Host: {}", request.host);
        for (name, value) in headers(request) {
            let _ = writeln!(out, "{name}: {value}");
        }
        out.push('\n');
        out
    })
    .await
}

async fn goproxy(proc: Proc) -> i32 {
    serve(proc, 8080, 500, 2, |_, _, _| {
        "This is a proxy server. Does not respond to non-proxy requests.\n".into()
    })
    .await
}

async fn echoserver(proc: Proc) -> i32 {
    let port = proc.env("HTTP_PORT").and_then(|p| p.parse().ok()).unwrap_or(8080);
    serve(proc, port, 200, 0, move |proc, request, conn| {
        let mut out = format!("\n\nHostname: {}\n\nPod Information:\n", proc.machine().hostname());
        let known = [
            ("node name", "NODE_NAME"),
            ("pod name", "POD_NAME"),
            ("pod namespace", "POD_NAMESPACE"),
            ("pod IP", "POD_IP"),
        ];
        let told: Vec<_> =
            known.iter().filter_map(|(name, env)| Some((name, proc.env(env)?))).collect();
        for (name, value) in &told {
            let _ = writeln!(out, "\t{name}:\t{value}");
        }
        if told.is_empty() {
            out.push_str("\t-no pod information available-\n");
        }
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let _ = write!(
            out,
            "\nServer values:\n\tserver_version=nginx: 1.13.3 - lua: 10008\n\n\
             Request Information:\n\tclient_address={}\n\tmethod={}\n\treal path={}\n\tquery={}\n\t\
             request_version=1.1\n\trequest_scheme=http\n\trequest_uri=http://{}:{port}{path}\n\n\
             Request Headers:\n",
            conn.peer().ip(),
            request.method,
            request.path,
            query,
            request.host.split(':').next().unwrap_or_default(),
        );
        let mut all: Vec<(String, &str)> =
            headers(request).into_iter().map(|(n, v)| (n.to_ascii_lowercase(), v)).collect();
        all.push(("host".into(), &request.host));
        all.sort_unstable();
        for (name, value) in all {
            let _ = writeln!(out, "\t{name}={value}");
        }
        out.push_str("\nRequest Body:\n");
        match request.body.is_empty() {
            true => out.push_str("\t-no body in request-\n\n"),
            false => out.push_str(&String::from_utf8_lossy(&request.body)),
        }
        out
    })
    .await
}

/// Runs what is there by its name, and anything else as arguments of one program.
macro_rules! entrypoint {
    ($program:literal) => {
        concat!(
            "#!/bin/sh\nif [ -z \"$(command -v \"$1\")\" ]; then\n\tset -- ",
            $program,
            " \"$@\"\nfi\nexec \"$@\"\n"
        )
    };
}

static BASH: ImageDef = ImageDef {
    repository: "bash",
    tags: &["latest", "5", "5.2", "5.3", "5.3.0"],
    layers: &[
        ALPINE_LAYER,
        LayerDef {
            id: "bash",
            arg: "5.3.0",
            size: 6_800_000,
            created_by: "COPY docker-entrypoint.sh /usr/local/bin/ # buildkit",
            build: |cx| {
                cx.program("/usr/local/bin/bash", "bash");
                cx.script("/usr/local/bin/docker-entrypoint.sh", entrypoint!("bash"));
            },
        },
    ],
    entrypoint: &["docker-entrypoint.sh"],
    cmd: &["bash"],
    created: Time::from_secs(1_752_000_000),
    ..ImageDef::EMPTY
};

static CURL: ImageDef = ImageDef {
    repository: "curlimages/curl",
    tags: &["latest", "8.11.1", "8.12.1", "8.14.1", "8.16.0"],
    layers: &[
        ALPINE_LAYER,
        LayerDef {
            id: "curlimages",
            arg: "",
            size: 14_300_000,
            created_by: "COPY entrypoint.sh /entrypoint.sh # buildkit",
            build: |cx| {
                cx.program("/usr/bin/curl", "curl");
                cx.script("/entrypoint.sh", entrypoint!("curl"));
                cx.dir("/home/curl_user");
                cx.own("/home/curl_user", 100, 101, 0o755);
            },
        },
    ],
    entrypoint: &["/entrypoint.sh"],
    cmd: &["curl"],
    user: "100:101",
    created: Time::from_secs(1_757_000_000),
    ..ImageDef::EMPTY
};

static ECHOSERVER_IMAGE: ImageDef = ImageDef {
    repository: "registry.k8s.io/echoserver",
    tags: &["1.4", "1.8", "1.9", "1.10"],
    layers: &[
        DEBIAN_LAYER,
        LayerDef {
            id: "echoserver",
            arg: "1.10",
            size: 42_000_000,
            created_by: "/bin/sh -c #(nop) ADD file:run.sh in /usr/local/bin/run.sh",
            build: |cx| cx.program("/usr/local/bin/run.sh", "echoserver"),
        },
    ],
    cmd: &["/usr/local/bin/run.sh"],
    created: Time::from_secs(1_515_000_000),
    ..ImageDef::EMPTY
};

static GOPROXY_IMAGE: ImageDef = ImageDef {
    repository: "registry.k8s.io/goproxy",
    tags: &["0.1"],
    layers: &[LayerDef {
        id: "goproxy",
        arg: "0.1",
        size: 5_500_000,
        created_by: "/bin/sh -c #(nop) ADD file:goproxy in /goproxy",
        build: |cx| cx.program("/goproxy", "goproxy"),
    }],
    cmd: &["/goproxy"],
    created: Time::from_secs(1_433_000_000),
    ..ImageDef::EMPTY
};

static WHOAMI_IMAGE: ImageDef = ImageDef {
    repository: "traefik/whoami",
    tags: &["latest", "v1.10", "v1.11"],
    layers: &[LayerDef {
        id: "whoami",
        arg: "v1.11",
        size: 6_750_000,
        created_by: "COPY whoami / # buildkit",
        build: |cx| cx.program("/whoami", "whoami-server"),
    }],
    entrypoint: &["/whoami"],
    exposed: &["80/tcp"],
    created: Time::from_secs(1_730_000_000),
    ..ImageDef::EMPTY
};

/// The images.
pub const IMAGES: &[&ImageDef] = &[&BASH, &CURL, &ECHOSERVER_IMAGE, &GOPROXY_IMAGE, &WHOAMI_IMAGE];
