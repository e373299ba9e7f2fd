//! Node.js: the program, its images and the applications of the exercises.

mod script;

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use super::{
    super::{ImageDef, LayerCx, LayerDef},
    base::{ALPINE_LAYER, DEBIAN_LAYER},
    serving::{self, emit},
};
use crate::{
    fabric::http::{HttpRequest, HttpResponse, Reply},
    machine::{ExitStatus, Proc, Program},
    sim::Time,
};
use script::{Expression, Part, Script, Step};

/// What a request costs.
const WORK: Duration = Duration::from_micros(900);
/// The version all images here have.
const VERSION: &str = "v20.18.0";

/// `node`
pub const PROGRAM: Program = Program {
    name: "node",
    summary: "runs JavaScript servers (those of the exercises)",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

/// `npm`: `npm start` runs what package.json says.
pub const NPM: Program = Program {
    name: "npm",
    summary: "starts Node.js applications",
    run: |proc| Box::pin(npm(proc)),
    complete: None,
};

async fn npm(proc: Proc) -> i32 {
    let what = proc.args().get(1).map_or("", String::as_str);
    match what {
        "start" => {}
        "install" | "ci" => {
            proc.sleep(Duration::from_secs(2)).await;
            proc.print("\nup to date in 2s\n").await;
            return 0;
        }
        "-v" | "--version" => {
            proc.print("10.8.2\n").await;
            return 0;
        }
        _ => {
            proc.eprint("npm: only start, install and ci are simulated\n").await;
            return 1;
        }
    }
    let package = proc.read_text("package.json").unwrap_or_default();
    let start = package.split_once("\"start\"").and_then(|(_, rest)| rest.split('"').nth(1));
    let command = start.unwrap_or("node server.js").to_string();
    proc.print(&format!("\n> start\n> {command}\n\n")).await;
    let argv = command.split_whitespace().map(str::to_string).collect();
    match proc.exec(argv) {
        Ok(run) => run.await,
        Err(error) => {
            proc.eprint(&format!("sh: 1: {command}: {error}\n")).await;
            error.code()
        }
    }
}

async fn main(proc: Proc) -> i32 {
    let file = match proc.args().get(1).map(String::as_str) {
        Some("-v" | "--version") => {
            proc.print(&format!("{VERSION}\n")).await;
            return 0;
        }
        Some(file) if !file.starts_with('-') => file.to_string(),
        _ => {
            proc.eprint("node: only scripts in files are simulated\n").await;
            return 9;
        }
    };
    let path = proc.resolve(&file);
    let text = match proc.read_text(&path).or_else(|_| proc.read_text(&format!("{path}.js"))) {
        Ok(text) => text,
        Err(_) => {
            proc.eprint(&format!(
                "node:internal/modules/cjs/loader:1228\n  throw err;\n  ^\n\nError: Cannot find \
                    module \
                 '{path}'\n    at Module._resolveFilename \
                 (node:internal/modules/cjs/loader:1225:15)\n  \
                 code: 'MODULE_NOT_FOUND',\n  requireStack: []\n}}\n\nNode.js {VERSION}\n"
            ))
            .await;
            return 1;
        }
    };
    match script::parse(&text) {
        Ok(script) => run(proc, script).await,
        Err((line, what)) => {
            proc.eprint(&format!(
                "{path}:{line}\n{what}\n\nnode: this JavaScript is not simulated\n"
            ))
            .await;
            1
        }
    }
}

struct App {
    proc: Proc,
    script: Script,
    /// Responses that can't differ from one request to the next.
    constant: RefCell<BTreeMap<String, Rc<HttpResponse>>>,
}

async fn run(proc: Proc, script: Script) -> i32 {
    serving::start_up(&proc, 350, 46 << 20).await;
    let app = Rc::new(App { proc: proc.clone(), script, constant: RefCell::default() });
    let Some(port) = &app.script.port else {
        let steps = app.script.start.clone();
        return app.steps(&steps, None).1.unwrap_or(0);
    };
    let port = app.evaluate(port, None);
    let listener = port.parse().ok().and_then(|port| serving::listen(&proc, port));
    let Some(listener) = listener else {
        proc.eprint(&format!(
            "node:events:497\n      throw er; // Unhandled 'error' event\n      ^\n\nError: listen \
             EADDRINUSE: address already in use :::{port}\n\nNode.js {VERSION}\n"
        ))
        .await;
        return 1;
    };
    if let Some(code) = app.steps(&app.script.start.clone(), None).1 {
        return code;
    }
    let answering = app.clone();
    serving::serve(&proc, listener, move |request, _| answering.answer(request));
    // Node handles no signals: as process 1 its kernel drops SIGTERM, and it serves until SIGKILL.
    std::future::pending().await
}

impl App {
    fn answer(&self, request: &Rc<HttpRequest>) -> Reply {
        self.proc.process().add_cpu_micros(WORK.as_micros() as u64);
        let known = self.constant.borrow().get(&request.path).cloned();
        if let Some(response) = known.filter(|_| request.method == "GET") {
            return Reply::Now(response, WORK);
        }
        let path = request.route();
        let route = self.script.routes.iter().find(|r| {
            (r.method == "*" || *r.method == *request.method || request.method == "HEAD")
                && (r.path == "*" || r.path == path)
        });
        let Some(route) = route else {
            let body = format!(
                "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta \
                    charset=\"utf-8\">\n<title>Error</title>\n\
                 </head>\n<body>\n<pre>Cannot {} {path}</pre>\n</body>\n</html>\n",
                request.method
            );
            return Reply::Now(Rc::new(response(404, body)), WORK);
        };
        let (answer, exit) = self.steps(&route.steps, Some(request));
        if let Some(code) = exit {
            let process = self.proc.process().clone();
            // The process ends, and with it this very task.
            self.proc.sim().after(Duration::ZERO, move || process.end(ExitStatus::Code(code)));
            return Reply::Hang;
        }
        let Some((status, body)) = answer else { return Reply::Hang };
        let response = Rc::new(response(status, body));
        let pure = route.steps.iter().all(|s| matches!(s, Step::Send(..))) && !self.is_dated(route);
        if pure && request.method == "GET" && route.path == request.path {
            self.constant.borrow_mut().insert(request.path.clone(), response.clone());
        }
        Reply::Now(response, WORK)
    }

    fn is_dated(&self, route: &script::Route) -> bool {
        let dated = |e: &Expression| e.iter().flatten().any(|p| *p == Part::Date);
        route.steps.iter().any(|s| matches!(s, Step::Send(_, e) if dated(e)))
    }

    /// Does what a handler says: what it sends, and the code it exits with if it does.
    fn steps(
        &self,
        steps: &[Step],
        request: Option<&HttpRequest>,
    ) -> (Option<(u16, String)>, Option<i32>) {
        let mut answer = None;
        for step in steps {
            match step {
                Step::Send(status, value) => {
                    answer = Some((*status, self.evaluate(value, request)))
                }
                Step::Log(fd, value) => {
                    emit(&self.proc, *fd, &format!("{}\n", self.evaluate(value, request)));
                }
                Step::Exit(code) => return (answer, Some(*code)),
            }
        }
        (answer, None)
    }

    fn evaluate(&self, expression: &Expression, request: Option<&HttpRequest>) -> String {
        let all = expression.iter().map(|parts| {
            let texts = parts.iter().map(|part| match part {
                Part::Text(text) => text.clone(),
                Part::Hostname => self.proc.machine().hostname(),
                Part::Env(name) => self.proc.env(name).unwrap_or_default(),
                Part::Url => request.map(|r| r.path.clone()).unwrap_or_default(),
                Part::Date => self.proc.sim().now().to_timestamp().to_string(),
                Part::Name(name) => match self.script.names.get(name) {
                    // A constant that names itself would never end.
                    Some(value) if !names(value, name) => self.evaluate(value, request),
                    _ => String::new(),
                },
            });
            texts.collect::<String>()
        });
        all.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
    }
}

fn names(value: &Expression, name: &str) -> bool {
    value.iter().flatten().any(|p| matches!(p, Part::Name(n) if n == name))
}

/// As Express sends it.
fn response(status: u16, body: String) -> HttpResponse {
    let length = body.len().to_string();
    HttpResponse {
        headers: vec![
            ("X-Powered-By".into(), "Express".into()),
            ("Content-Type".into(), "text/html; charset=utf-8".into()),
            ("Content-Length".into(), length.into()),
            ("Connection".into(), "keep-alive".into()),
            ("Keep-Alive".into(), "timeout=5".into()),
        ],
        status,
        body: Rc::new(body.into_bytes()),
    }
}

fn runtime(cx: &LayerCx) {
    cx.program("/usr/local/bin/node", "node");
    cx.program("/usr/local/bin/npm", "npm");
}

/// node in a Debian.
pub(super) const RUNTIME: LayerDef = LayerDef {
    id: "node",
    arg: "20",
    size: 445_000_000,
    created_by: "RUN /bin/sh -c ARCH= && dpkgArch=… && curl -fsSLO … \
        node-v20.18.0-linux-x64.tar.xz",
    build: |cx| {
        runtime(cx);
        cx.program("/usr/bin/curl", "curl");
        cx.program("/usr/bin/wget", "wget");
    },
};
const RUNTIME_SMALL: LayerDef =
    LayerDef { id: "node-alpine", size: 127_000_000, build: runtime, ..RUNTIME };

/// Its environment.
pub(super) const ENV: &[(&str, &str)] = &[
    ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ("NODE_VERSION", "20.18.0"),
    ("YARN_VERSION", "1.22.22"),
];

/// `node`
pub static NODE: ImageDef = ImageDef {
    repository: "node",
    tags: &["latest", "20", "20.18.0", "18", "22", "lts", "14", "16"],
    layers: &[
        LayerDef { id: "debian", size: 116_500_000, ..DEBIAN_LAYER },
        LayerDef { size: 980_000_000, ..RUNTIME },
    ],
    cmd: &["node"],
    env: ENV,
    created: Time::from_secs(1_728_000_000),
    ..ImageDef::EMPTY
};

/// `node:alpine`
pub static NODE_ALPINE: ImageDef = ImageDef {
    repository: "node",
    tags: &["alpine", "14-alpine", "16-alpine", "18-alpine", "20-alpine", "22-alpine"],
    layers: &[ALPINE_LAYER, RUNTIME_SMALL],
    cmd: &["node"],
    env: ENV,
    created: Time::from_secs(1_728_000_000),
    ..ImageDef::EMPTY
};

const MY_EXAMPLE: &str = "const express = require('express');
const os = require('os');

const app = express();
const port = process.env.PORT || 3000;

app.get('/', (req, res) => {
  res.send(`<!DOCTYPE html>
<html>
<head><title>hello-node</title></head>
<body>
<h1>Hello World!</h1>
<p>This page comes from <b>${os.hostname()}</b></p>
</body>
</html>
`);
});

app.listen(port, () => {
  console.log(`Example app listening on port ${port}`);
});
";

/// The application of the minikube practical.
pub static MY_EXAMPLE_IMAGE: ImageDef = ImageDef {
    repository: "trimhall/my-example",
    layers: &[
        DEBIAN_LAYER,
        RUNTIME,
        LayerDef {
            id: "my-example",
            arg: "",
            size: 4_100_000,
            created_by: "COPY . . # buildkit",
            build: |cx| {
                cx.file("/usr/src/app/index.js", MY_EXAMPLE);
                cx.file(
                    "/usr/src/app/package.json",
                    "{\n  \"name\": \"my-example\",\n  \"version\": \"1.0.0\",\n  \"main\": \
                        \"index.js\",\n  \
                     \"dependencies\": {\n    \"express\": \"^4.17.1\"\n  }\n}\n",
                );
            },
        },
    ],
    cmd: &["node", "index.js"],
    env: ENV,
    workdir: "/usr/src/app",
    exposed: &["3000/tcp"],
    created: Time::from_secs(1_635_100_000),
    ..ImageDef::EMPTY
};

fn first_app(cx: &LayerCx) {
    let more = if cx.arg == "v2" { "    <p>This is version 2 of the app.</p>\n" } else { "" };
    cx.file(
        "/app/app.js",
        format!(
            "const express = require('express');\n\nconst app = express();\n\n\
             app.get('/', (req, res) => {{\n  res.send(`\n    <h1>Hello from this NodeJS \
             app!</h1>\n{more}    \
             <p>Try sending a request to /error and see what happens</p>\n  `);\n}});\n\n\
             app.get('/error', (req, res) => {{\n  process.exit(1);\n}});\n\napp.listen(8080);\n"
        ),
    );
    cx.file(
        "/app/package.json",
        "{\n  \"name\": \"kub-first-app\",\n  \"version\": \"1.0.0\",\n  \"main\": \"app.js\",\n  \
         \"dependencies\": {\n    \"express\": \"^4.17.1\"\n  }\n}\n",
    );
}

macro_rules! first_app {
    ($name:ident $arg:literal [$($tag:literal)*]) => {
        /// The application that can be crashed.
        pub static $name: ImageDef = ImageDef {
            repository: "trueberryless/kub-first-app",
            tags: &[$($tag),*],
            layers: &[ALPINE_LAYER, RUNTIME_SMALL, LayerDef {
                id: "kub-first-app",
                arg: $arg,
                size: 4_300_000,
                created_by: "COPY . . # buildkit",
                build: first_app,
            }],
            cmd: &["node", "app.js"],
            env: ENV,
            workdir: "/app",
            exposed: &["8080/tcp"],
            created: Time::from_secs(1_713_000_000),
            ..ImageDef::EMPTY
        };
    };
}
first_app!(FIRST_APP "" ["latest" "v1"]);
first_app!(FIRST_APP_2 "v2" ["v2"]);
