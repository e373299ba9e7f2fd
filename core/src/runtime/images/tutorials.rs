//! Small servers that say who they are: what Kubernetes' and minikube's own tutorials deploy.

use std::{rc::Rc, time::Duration};

use super::{
    super::{ImageDef, LayerDef},
    base::{ALPINE_LAYER, BUSYBOX_1_28_IMAGE, DEBIAN_LAYER},
    nginx, node,
    serving::{self, emit},
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
const WORK: Duration = Duration::from_micros(120);

/// Google's `hello-app`
pub const HELLO_APP: Program = Program {
    name: "hello-app",
    summary: "a web server that tells its version and host",
    run: |proc| Box::pin(hello_app(proc)),
    complete: None,
};

/// minikube's `echo-server`
pub const ECHO_SERVER: Program = Program {
    name: "echo-server",
    summary: "a web server that sends back what it was asked",
    run: |proc| Box::pin(echo_server(proc)),
    complete: None,
};

/// The server of upstream's walkthrough of autoscaling: each request is hard work
pub const HPA_EXAMPLE: Program = Program {
    name: "hpa-example",
    summary: "a web server that computes for each request",
    run: |proc| Box::pin(hpa_example(proc)),
    complete: None,
};

/// What a request of `hpa-example` costs: a million square roots in PHP.
const HARD_WORK: Duration = Duration::from_millis(50);

async fn hpa_example(proc: Proc) -> i32 {
    serving::start_up(&proc, 100, 14 << 20).await;
    let Some(listener) = serving::listen(&proc, 80) else {
        emit(
            &proc,
            2,
            "(98)Address already in use: AH00072: make_sock: could not bind to address\n",
        );
        return 1;
    };
    let server = proc.clone();
    serving::serve(&proc, listener, move |request, conn| {
        server.process().add_cpu_micros(HARD_WORK.as_micros() as u64);
        let time = server.sim().now().to_timestamp().strftime("%d/%b/%Y:%H:%M:%S +0000");
        let line = format!("\"{} {} HTTP/1.1\" 200 181", request.method, request.path);
        emit(&server, 1, &format!("{} - - [{time}] {line} \"-\" \"-\"\n", conn.peer().ip()));
        let response = HttpResponse::new(200, "text/html", "OK!".to_string());
        Reply::Now(Rc::new(response), HARD_WORK)
    });
    while !matches!(proc.signal().await, Signal::Term | Signal::Int) {}
    0
}

/// A line of Go's log package.
fn log(proc: &Proc, text: &str) {
    let time = proc.sim().now().to_timestamp().strftime("%Y/%m/%d %H:%M:%S").to_string();
    emit(proc, 2, &format!("{time} {text}\n"));
}

/// Serves at `PORT` (8080) until it is told to end. As process 1, a Go program that handles no
/// signals ends with 2.
async fn serve(
    proc: Proc,
    answer: impl Fn(&Proc, &HttpRequest, &Conn) -> String + 'static,
    greet: fn(&Proc, u16),
) -> i32 {
    serving::start_up(&proc, 15, 6 << 20).await;
    let port = proc.env("PORT").and_then(|p| p.parse().ok()).unwrap_or(8080);
    let Some(listener) = serving::listen(&proc, port) else {
        log(&proc, &format!("listen tcp :{port}: bind: address already in use"));
        return 1;
    };
    greet(&proc, port);
    let server = proc.clone();
    serving::serve(&proc, listener, move |request, conn| {
        server.process().add_cpu_micros(WORK.as_micros() as u64);
        let body = answer(&server, request, conn);
        let response = HttpResponse::new(200, "text/plain; charset=utf-8", body);
        Reply::Now(Rc::new(response), WORK)
    });
    while !matches!(proc.signal().await, Signal::Term | Signal::Int) {}
    2
}

async fn hello_app(proc: Proc) -> i32 {
    let version = proc.read_text("/version").unwrap_or_default().trim().to_string();
    serve(
        proc,
        move |proc, request, _| {
            log(proc, &format!("Serving request: {}", request.route()));
            let host = proc.machine().hostname();
            format!("Hello, world!\nVersion: {version}\nHostname: {host}\n")
        },
        |proc, port| log(proc, &format!("Server listening on port {port}")),
    )
    .await
}

async fn echo_server(proc: Proc) -> i32 {
    serve(
        proc,
        |proc, request, conn| {
            emit(proc, 1, &format!("{} | {} {}\n", conn.peer(), request.method, request.path));
            let mut headers: Vec<String> =
                request.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
            headers.sort();
            format!(
                "Request served by {}\n\n{} {} HTTP/1.1\n\nHost: {}\n{}{}",
                proc.machine().hostname(),
                request.method,
                request.path,
                request.host,
                headers.concat(),
                match request.body.is_empty() {
                    true => String::new(),
                    false => format!("\n{}", String::from_utf8_lossy(&request.body)),
                },
            )
        },
        |proc, port| emit(proc, 1, &format!("Echo server listening on port {port}.\n")),
    )
    .await
}

macro_rules! hello_app {
    ($name:ident $tag:literal $version:literal) => {
        static $name: ImageDef = ImageDef {
            repository: "gcr.io/google-samples/hello-app",
            tags: &[$tag],
            layers: &[
                ALPINE_LAYER,
                LayerDef {
                    id: "hello-app",
                    arg: $version,
                    size: 6_700_000,
                    created_by: "COPY --from=0 /app . # buildkit",
                    build: |cx| {
                        cx.program("/hello-app", "hello-app");
                        cx.file("/version", format!("{}\n", cx.arg));
                    },
                },
            ],
            cmd: &["/hello-app"],
            env: &[("PORT", "8080")],
            exposed: &["8080/tcp"],
            created: Time::from_secs(1_636_000_000),
            ..ImageDef::EMPTY
        };
    };
}
hello_app!(HELLO_1 "1.0" "1.0.0");
hello_app!(HELLO_2 "2.0" "2.0.0");

static ECHO: ImageDef = ImageDef {
    repository: "kicbase/echo-server",
    tags: &["1.0", "latest"],
    layers: &[LayerDef {
        id: "echo-server",
        arg: "1.0",
        size: 4_940_000,
        created_by: "COPY artifacts/build/release/linux/amd64 /bin/ # buildkit",
        build: |cx| cx.program("/bin/echo-server", "echo-server"),
    }],
    entrypoint: &["/bin/echo-server"],
    env: &[("PORT", "8080")],
    created: Time::from_secs(1_646_600_000),
    ..ImageDef::EMPTY
};

static HPA: ImageDef = ImageDef {
    repository: "registry.k8s.io/hpa-example",
    tags: &["latest"],
    layers: &[
        DEBIAN_LAYER,
        LayerDef {
            id: "hpa-example",
            arg: "",
            size: 355_000_000,
            created_by: "/bin/sh -c #(nop) ADD file:index.php in /var/www/html/index.php",
            build: |cx| cx.program("/usr/local/bin/apache2-foreground", "hpa-example"),
        },
    ],
    cmd: &["/usr/local/bin/apache2-foreground"],
    exposed: &["80/tcp"],
    created: Time::from_secs(1_430_000_000),
    ..ImageDef::EMPTY
};

macro_rules! bootcamp {
    ($name:ident $tag:literal $number:literal) => {
        static $name: ImageDef = ImageDef {
            repository: "gcr.io/google-samples/kubernetes-bootcamp",
            tags: &[$tag],
            layers: &[
                DEBIAN_LAYER,
                LayerDef { size: 126_000_000, ..node::RUNTIME },
                LayerDef {
                    id: "kubernetes-bootcamp",
                    arg: $number,
                    size: 742,
                    created_by: "/bin/sh -c #(nop) COPY file:server.js in .",
                    build: |cx| cx.file("/server.js", bootcamp_script(cx.arg)),
                },
            ],
            cmd: &["/bin/sh", "-c", "node server.js"],
            env: node::ENV,
            workdir: "/",
            exposed: &["8080/tcp"],
            created: Time::from_secs(1_465_000_000),
            ..ImageDef::EMPTY
        };
    };
}
bootcamp!(BOOTCAMP_1 "v1" "1");
bootcamp!(BOOTCAMP_2 "v2" "2");

/// The same image under the name that the tutorial's update uses.
static BOOTCAMP_JOCATALIN: ImageDef = ImageDef {
    repository: "docker.io/jocatalin/kubernetes-bootcamp",
    tags: &["v2"],
    layers: BOOTCAMP_2.layers,
    cmd: BOOTCAMP_2.cmd,
    env: node::ENV,
    workdir: "/",
    exposed: &["8080/tcp"],
    created: Time::from_secs(1_465_000_000),
    ..ImageDef::EMPTY
};

fn bootcamp_script(version: &str) -> String {
    format!(
        "const express = require('express');\nconst os = require('os');\n\n\
         const app = express();\nconst version = '{version}';\n\n\
         app.get('*', (req, res) => {{\n  \
         res.send(`Hello Kubernetes bootcamp! | Running on: ${{os.hostname()}} | v=${{version}}\\n`);\n  \
         console.log(`Running On: ${{os.hostname()}} | Log Time: ${{new Date().toISOString()}}`);\n\
         }});\n\n\
         app.listen(8080, () => {{\n  \
         console.log(`Kubernetes Bootcamp App Started At: ${{new Date().toISOString()}} | Running On: ${{os.hostname()}}`);\n\
         }});\n"
    )
}

/// nginx with curl beside it, for the tutorials of StatefulSets.
macro_rules! nginx_slim {
    ($name:ident $tag:literal $version:literal) => {
        static $name: ImageDef = ImageDef {
            repository: "registry.k8s.io/nginx-slim",
            tags: &[$tag],
            layers: &[
                DEBIAN_LAYER,
                nginx::layer($version, 67_500_000),
                LayerDef {
                    id: "nginx-slim",
                    arg: $tag,
                    size: 5_600_000,
                    created_by: "RUN /bin/sh -c clean-install curl # buildkit",
                    build: |cx| cx.program("/usr/bin/curl", "curl"),
                },
            ],
            entrypoint: &[],
            ..nginx::BASE
        };
    };
}
nginx_slim!(SLIM_21 "0.21" "1.21.6");
nginx_slim!(SLIM_24 "0.24" "1.23.4");
nginx_slim!(SLIM_25 "0.25" "1.25.5");
nginx_slim!(SLIM_26 "0.26" "1.26.3");
nginx_slim!(SLIM_27 "0.27" "1.27.5");
nginx_slim!(SLIM_8 "0.8" "1.9.1");

/// busybox, where Kubernetes' own registry has it.
static BUSYBOX: ImageDef = ImageDef {
    repository: "registry.k8s.io/busybox",
    tags: &["latest", "1.24", "1.27", "1.27.2"],
    ..BUSYBOX_1_28_IMAGE
};

/// The images.
pub const IMAGES: &[&ImageDef] = &[
    &BOOTCAMP_1,
    &BOOTCAMP_2,
    &BOOTCAMP_JOCATALIN,
    &BUSYBOX,
    &ECHO,
    &HELLO_1,
    &HELLO_2,
    &HPA,
    &SLIM_21,
    &SLIM_24,
    &SLIM_25,
    &SLIM_26,
    &SLIM_27,
    &SLIM_8,
];
