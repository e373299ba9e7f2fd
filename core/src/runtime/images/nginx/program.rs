//! nginx as a process: a master that reads the configuration and takes signals, and a worker that
//! answers from the container's files.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    net::Ipv4Addr,
    rc::Rc,
    time::Duration,
};

use super::{
    super::serving::{self, emit},
    conf::{self, Config, Location},
    errno_number,
};
use crate::{
    fabric::{
        Conn,
        http::{self, HttpOptions, HttpRequest, HttpResponse, Reply},
    },
    machine::{Command, FsError, Proc, Signal, fs::Kind},
    sim::{Either, Notify, race},
};

/// What a request costs.
const WORK: Duration = Duration::from_micros(120);
const CONF: &str = "/etc/nginx/nginx.conf";

/// `/docker-entrypoint.sh`
pub async fn entrypoint(proc: Proc) -> i32 {
    let command: Vec<String> = proc.args()[1..].to_vec();
    let name = "/docker-entrypoint.sh";
    if matches!(command.first().map(String::as_str), Some("nginx" | "nginx-debug")) {
        let scripts: Vec<String> = proc
            .list("/docker-entrypoint.d")
            .unwrap_or_default()
            .into_iter()
            .map(|(name, _)| name.to_string())
            .collect();
        if scripts.is_empty() {
            proc.print(&format!(
                "{name}: No files found in /docker-entrypoint.d/, skipping configuration\n"
            ))
            .await;
        } else {
            proc.print(&format!(
                "{name}: /docker-entrypoint.d/ is not empty, will attempt to perform \
                    configuration\n\
                 {name}: Looking for shell scripts in /docker-entrypoint.d/\n"
            ))
            .await;
            for script in scripts {
                run_script(&proc, name, &script).await;
            }
            proc.print(&format!("{name}: Configuration complete; ready for start up\n")).await;
        }
    }
    match proc.exec(command) {
        Ok(run) => run.await,
        Err(error) => {
            let what = proc.args().get(1).cloned().unwrap_or_default();
            proc.eprint(&format!("{name}: 47: exec: {what}: {error}\n")).await;
            error.code()
        }
    }
}

async fn run_script(proc: &Proc, name: &str, script: &str) {
    let path = format!("/docker-entrypoint.d/{script}");
    let how = if script.ends_with(".envsh") { "Sourcing" } else { "Launching" };
    if !script.ends_with(".sh") && !script.ends_with(".envsh") {
        proc.print(&format!("{name}: Ignoring {path}\n")).await;
        return;
    }
    proc.print(&format!("{name}: {how} {path}\n")).await;
    proc.sleep(Duration::from_millis(1)).await;
    if script.starts_with("10-listen-on-ipv6") {
        let conf = "/etc/nginx/conf.d/default.conf";
        let text = proc.read_text(conf).unwrap_or_default();
        proc.print(&format!("{script}: info: Getting the checksum of {conf}\n")).await;
        let new = text.replacen("listen       80;", "listen       80;\n    listen  [::]:80;", 1);
        if new == text {
            proc.print(&format!("{script}: info: {conf} differs from the packaged version\n"))
                .await;
        } else if proc.write_file(conf, new.as_bytes()).is_ok() {
            proc.print(&format!("{script}: info: Enabled listen on IPv6 in {conf}\n")).await;
        }
    } else if how == "Launching"
        && let Ok(child) = proc.spawn(Command::new([path]))
    {
        child.wait().await;
    }
}

/// `nginx`
pub async fn main(proc: Proc) -> i32 {
    let (mut globals, mut test, mut signal, mut conf) =
        (String::new(), false, None, CONF.to_string());
    let mut args = proc.args()[1..].iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "-g" => globals = args.next().cloned().unwrap_or_default(),
            "-c" => conf = args.next().cloned().unwrap_or_default(),
            "-s" => signal = args.next().cloned(),
            "-t" => test = true,
            "-v" | "-V" => {
                proc.eprint(&format!("nginx version: nginx/{}\n", version(&proc))).await;
                return 0;
            }
            "-q" => {}
            other => {
                proc.eprint(&format!(
                    "nginx: invalid option: \"{}\"\n",
                    other.trim_start_matches('-')
                ))
                .await;
                return 1;
            }
        }
    }
    if let Some(signal) = signal {
        return send_signal(&proc, &signal).await;
    }
    let config = match conf::load(&proc, &conf) {
        Ok(config) => config,
        Err(error) => {
            proc.eprint(&format!("nginx: [emerg] {error}\n")).await;
            if test {
                proc.eprint(&format!("nginx: configuration file {conf} test failed\n")).await;
            }
            return 1;
        }
    };
    if test {
        proc.eprint(&format!(
            "nginx: the configuration file {conf} syntax is ok\n\
             nginx: configuration file {conf} test is successful\n"
        ))
        .await;
        return 0;
    }
    if config.foreground || globals.replace(' ', "").contains("daemonoff;") {
        return master(proc, conf, config).await;
    }
    // A daemon: it goes on alone, its parent ends at once.
    let command = Command { group: Some(0), ..Command::new(["nginx: master process nginx"]) };
    proc.fork(command, move |child| master(child, conf, config));
    0
}

fn version(proc: &Proc) -> String {
    let text = proc.read_text("/etc/nginx/version").unwrap_or_default();
    if text.is_empty() { "1.29.3".to_string() } else { text.trim().to_string() }
}

async fn send_signal(proc: &Proc, name: &str) -> i32 {
    let signal = match name {
        "stop" => Signal::Term,
        "quit" => Signal::Quit,
        "reload" => Signal::Hup,
        "reopen" => Signal::Usr1,
        _ => {
            proc.eprint(&format!("nginx: invalid option: \"-s {name}\"\n")).await;
            return 1;
        }
    };
    let pid = proc.read_text("/var/run/nginx.pid").unwrap_or_default();
    let process = pid.trim().parse().ok().and_then(|pid| proc.machine().process(pid));
    match process {
        Some(process) => {
            process.signal(signal, false);
            0
        }
        None => {
            proc.eprint("nginx: [error] invalid PID number \"\" in \"/var/run/nginx.pid\"\n").await;
            1
        }
    }
}

struct Worker {
    child: crate::machine::Child,
    quit: Notify,
    reload: Rc<Cell<bool>>,
}

async fn master(proc: Proc, conf: String, config: Config) -> i32 {
    serving::start_up(&proc, 4, 3 << 20).await;
    let pid = proc.pid();
    let _ = proc.write_file("/var/run/nginx.pid", format!("{pid}\n").as_bytes());
    let mut listeners = BTreeMap::new();
    for port in config.servers.iter().flat_map(|s| s.ports.clone()) {
        if listeners.contains_key(&port) {
            continue;
        }
        match serving::listen(&proc, port) {
            Some(listener) => listeners.insert(port, listener),
            None => {
                emit(
                    &proc,
                    2,
                    &format!(
                        "nginx: [emerg] bind() to 0.0.0.0:{port} failed (98: Address already in \
                            use)\n"
                    ),
                );
                return 1;
            }
        };
    }
    let version = version(&proc);
    for line in [
        "using the \"epoll\" event method",
        &format!("nginx/{version}"),
        "built by gcc 12.2.0 (Debian 12.2.0-14+deb12u1)",
        &format!("OS: Linux {}", crate::machine::KERNEL),
        "getrlimit(RLIMIT_NOFILE): 1048576:1048576",
        "start worker processes",
    ] {
        notice(&proc, pid, line);
    }
    let config = Rc::new(RefCell::new(Rc::new(config)));
    let worker = start_worker(&proc, listeners, config.clone(), version);
    loop {
        match race(proc.signal(), worker.child.wait()).await {
            Either::Left(Signal::Quit) => {
                notice(&proc, pid, "signal 3 (SIGQUIT) received, shutting down");
                worker.quit.notify();
                worker.child.wait().await;
                notice(&proc, pid, "signal 17 (SIGCHLD) received");
                notice(&proc, pid, "exit");
                return 0;
            }
            Either::Left(signal @ (Signal::Term | Signal::Int)) => {
                let line =
                    format!("signal {} (SIG{}) received, exiting", signal.number(), signal.name());
                notice(&proc, pid, &line);
                worker.child.process().signal(Signal::Kill, true);
                notice(&proc, pid, "exit");
                return 0;
            }
            Either::Left(Signal::Hup) => {
                notice(&proc, pid, "signal 1 (SIGHUP) received, reconfiguring");
                match conf::load(&proc, &conf) {
                    // Ports are opened at the start only.
                    Ok(new) => *config.borrow_mut() = Rc::new(new),
                    Err(error) => log(&proc, "emerg", pid, &error),
                }
                worker.reload.set(true);
            }
            Either::Left(_) => {}
            Either::Right(status) => {
                let line = format!(
                    "worker process {} exited with code {}",
                    worker.child.pid(),
                    status.code()
                );
                notice(&proc, pid, &line);
                return 1;
            }
        }
    }
}

fn notice(proc: &Proc, pid: u32, text: &str) {
    log(proc, "notice", pid, text);
}

fn log(proc: &Proc, level: &str, pid: u32, text: &str) {
    let time = proc.sim().now().to_timestamp().strftime("%Y/%m/%d %H:%M:%S").to_string();
    emit(proc, 2, &format!("{time} [{level}] {pid}#{pid}: {text}\n"));
}

fn start_worker(
    proc: &Proc,
    listeners: BTreeMap<u16, crate::fabric::Listener>,
    config: Rc<RefCell<Rc<Config>>>,
    version: String,
) -> Worker {
    let (quit, reload) = (Notify::default(), Rc::new(Cell::new(false)));
    let (quitting, reloaded) = (quit.clone(), reload.clone());
    let command = Command::new(["nginx: worker process"]);
    let child = proc.fork(command, move |worker| async move {
        worker.default_signals();
        let site = Rc::new(Site {
            proc: worker.clone(),
            server: format!("nginx/{version}"),
            cache: RefCell::default(),
            config,
            clock: RefCell::default(),
            reloaded,
        });
        let mut servers = Vec::new();
        for (port, listener) in listeners {
            let site = site.clone();
            servers.push(serving::serve(&worker, listener, move |request, conn| {
                site.answer(port, request, conn)
            }));
        }
        quitting.wait().await;
        notice(&worker, worker.pid(), "gracefully shutting down");
        for server in servers {
            server.drain(worker.sim()).await;
        }
        notice(&worker, worker.pid(), "exiting");
        0
    });
    notice(proc, proc.pid(), &format!("start worker process {}", child.pid()));
    Worker { child, quit, reload }
}

/// What a worker serves.
struct Site {
    proc: Proc,
    server: String,
    config: Rc<RefCell<Rc<Config>>>,
    reloaded: Rc<Cell<bool>>,
    /// Responses by path, as long as file and second are the same.
    cache: RefCell<BTreeMap<String, Cached>>,
    /// The second, as the log and as headers have it.
    clock: RefCell<(u64, String, String)>,
}

struct Cached {
    second: u64,
    content: Rc<Vec<u8>>,
    response: Rc<HttpResponse>,
}

impl Site {
    fn answer(self: &Rc<Self>, port: u16, request: &Rc<HttpRequest>, conn: &Conn) -> Reply {
        if self.reloaded.replace(false) {
            self.cache.borrow_mut().clear();
        }
        self.proc.process().add_cpu_micros(WORK.as_micros() as u64);
        let config = self.config.borrow().clone();
        let server = config.servers.iter().find(|s| s.ports.contains(&port));
        let location = server.and_then(|s| s.location(request.route()));
        let Some(location) = location else { return Reply::Close };
        if let Some(target) = &location.proxy {
            return self.forward(location, target, request, conn);
        }
        let response = self.respond(location, request, *conn.peer().ip());
        if !location.quiet {
            self.log_access(request, conn, &response);
        }
        Reply::Now(response, WORK)
    }

    fn respond(
        &self,
        location: &Location,
        request: &HttpRequest,
        client: Ipv4Addr,
    ) -> Rc<HttpResponse> {
        if let Some((code, text)) = &location.answer {
            if matches!(code, 301 | 302 | 303 | 307 | 308) {
                let text =
                    text.replace("$request_uri", &request.path).replace("$host", &request.host);
                return Rc::new(self.error(*code).with("Location", text));
            }
            let kind = location.default_type.clone().unwrap_or_else(|| "text/plain".into());
            let body = text.replace("$hostname", &self.proc.machine().hostname());
            return Rc::new(self.make(*code, kind, Rc::new(body.into_bytes())));
        }
        if !matches!(&*request.method, "GET" | "HEAD") {
            return Rc::new(self.error(405));
        }
        self.file(location, request, client)
    }

    fn file(
        &self,
        location: &Location,
        request: &HttpRequest,
        client: Ipv4Addr,
    ) -> Rc<HttpResponse> {
        let route = request.route();
        let mut last = 404;
        for attempt in attempts(location, route) {
            if let Some(code) = attempt.strip_prefix('=').and_then(|c| c.parse().ok()) {
                return Rc::new(self.error(code));
            }
            let path = path_of(location, &attempt);
            match self.content(&path, &attempt, location) {
                Ok(Found::File(path, content)) => return self.cached(path, content, location),
                Ok(Found::Redirect) => {
                    let to = format!("http://{}{attempt}/", request.host);
                    return Rc::new(self.error(301).with("Location", to));
                }
                Err((code, reason)) => {
                    last = code;
                    if let Some(reason) = reason {
                        let line = format!(
                            "{reason}, client: {client}, server: localhost, request: \"{} {} \
                                HTTP/1.1\", host: \"{}\"",
                            request.method, request.path, request.host
                        );
                        log(&self.proc, "error", self.proc.pid(), &line);
                    }
                }
            }
        }
        Rc::new(self.error(last))
    }

    fn content(
        &self,
        path: &str,
        uri: &str,
        location: &Location,
    ) -> Result<Found, (u16, Option<String>)> {
        let open = |path: &str, error: FsError| {
            let code = if error == FsError::Access { 403 } else { 404 };
            (code, Some(format!("open() \"{path}\" failed ({}: {error})", errno_number(&error))))
        };
        let node = self.proc.stat(path).map_err(|e| open(path, e))?;
        match &node.kind {
            Kind::File(content) => Ok(Found::File(path.to_string(), content.clone())),
            Kind::Dir(_) if !uri.ends_with('/') => Ok(Found::Redirect),
            Kind::Dir(_) => {
                for index in &location.index {
                    let file = format!("{path}{index}");
                    if let Ok(node) = self.proc.stat(&file)
                        && let Kind::File(content) = &node.kind
                    {
                        return Ok(Found::File(file, content.clone()));
                    }
                }
                Err((403, Some(format!("directory index of \"{path}\" is forbidden"))))
            }
            _ => Err((403, None)),
        }
    }

    fn cached(&self, path: String, content: Rc<Vec<u8>>, location: &Location) -> Rc<HttpResponse> {
        let second = self.proc.sim().now().as_secs();
        let mut cache = self.cache.borrow_mut();
        if let Some(known) = cache.get(&path)
            && known.second == second
            && Rc::ptr_eq(&known.content, &content)
        {
            return known.response.clone();
        }
        let kind = serving::media_type(&path).to_string();
        let mut response = self.make(200, kind, content.clone());
        for (name, value) in &location.headers {
            response = response.with(name.clone(), value.clone());
        }
        let response = Rc::new(response.with("Accept-Ranges", "bytes"));
        cache.insert(path, Cached { second, content, response: response.clone() });
        response
    }

    fn make(&self, status: u16, kind: String, body: Rc<Vec<u8>>) -> HttpResponse {
        let headers = vec![
            ("Server".into(), self.server.clone().into()),
            ("Date".into(), self.times().1.into()),
            ("Content-Type".into(), kind.into()),
            ("Content-Length".into(), body.len().to_string().into()),
            ("Connection".into(), "keep-alive".into()),
        ];
        HttpResponse { status, headers, body }
    }

    fn error(&self, status: u16) -> HttpResponse {
        let title = format!("{status} {}", http::reason(status));
        let body = format!(
            "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n\
             <hr><center>{}</center>\r\n</body>\r\n</html>\r\n",
            self.server
        );
        self.make(status, "text/html".into(), Rc::new(body.into_bytes()))
    }

    /// The time as the access log and as headers have it.
    fn times(&self) -> (String, String) {
        let now = self.proc.sim().now();
        let mut clock = self.clock.borrow_mut();
        if clock.0 != now.as_secs() {
            let log = now.to_timestamp().strftime("%d/%b/%Y:%H:%M:%S +0000").to_string();
            *clock = (now.as_secs(), log, serving::http_date(&self.proc));
        }
        (clock.1.clone(), clock.2.clone())
    }

    fn log_access(&self, request: &HttpRequest, conn: &Conn, response: &HttpResponse) {
        let header = |name| request.header(name).unwrap_or("-");
        let length = if request.method == "HEAD" { 0 } else { response.body.len() };
        emit(
            &self.proc,
            1,
            &format!(
                "{} - - [{}] \"{} {} HTTP/1.1\" {} {length} \"{}\" \"{}\" \"{}\"\n",
                conn.peer().ip(),
                self.times().0,
                request.method,
                request.path,
                response.status,
                header("Referer"),
                header("User-Agent"),
                header("X-Forwarded-For"),
            ),
        );
    }

    /// `proxy_pass`
    fn forward(
        self: &Rc<Self>,
        location: &Location,
        target: &str,
        request: &Rc<HttpRequest>,
        conn: &Conn,
    ) -> Reply {
        let after_host = target.splitn(4, '/').nth(3);
        let rest = match after_host {
            // With a path of its own the target replaces what the location matched.
            Some(_) => request.path.strip_prefix(location.path.as_str()).unwrap_or_default(),
            None => &request.path,
        };
        let (url, peer) = (format!("{target}{rest}"), *conn.peer().ip());
        let mut headers = request.headers.clone();
        headers.retain(|(name, _)| !name.eq_ignore_ascii_case("Connection"));
        headers.push(("X-Forwarded-For".into(), peer.to_string().into()));
        let options = HttpOptions {
            method: request.method.clone(),
            headers,
            body: request.body.clone(),
            timeout: Some(Duration::from_secs(60)),
            ..HttpOptions::default()
        };
        let (site, request, quiet) = (self.clone(), request.clone(), location.quiet);
        Reply::Later(Box::pin(async move {
            let Some(endpoint) = serving::endpoint(&site.proc) else { return Reply::Close };
            let response = match http::http_get(&endpoint, &url, &options).await {
                Ok(answer) => answer.response,
                Err(error) => {
                    let late = matches!(error, http::HttpError::TimedOut { .. });
                    let line = format!(
                        "{error} while connecting to upstream, client: {peer}, server: localhost, \
                         request: \"{} {} HTTP/1.1\", upstream: \"{url}\", host: \"{}\"",
                        request.method, request.path, request.host
                    );
                    log(&site.proc, "error", site.proc.pid(), &line);
                    Rc::new(site.error(if late { 504 } else { 502 }))
                }
            };
            if !quiet {
                let date = site.times().0;
                emit(
                    &site.proc,
                    1,
                    &format!(
                        "{peer} - - [{date}] \"{} {} HTTP/1.1\" {} {} \"-\" \"{}\" \"-\"\n",
                        request.method,
                        request.path,
                        response.status,
                        response.body.len(),
                        request.header("User-Agent").unwrap_or("-"),
                    ),
                );
            }
            Reply::Now(response, WORK)
        }))
    }
}

enum Found {
    File(String, Rc<Vec<u8>>),
    Redirect,
}

fn attempts(location: &Location, route: &str) -> Vec<String> {
    if location.try_files.is_empty() {
        return vec![route.to_string()];
    }
    location.try_files.iter().map(|t| t.replace("$uri", route)).collect()
}

fn path_of(location: &Location, uri: &str) -> String {
    // `..` never leads out of the root.
    let clean: Vec<&str> = uri.split('/').filter(|part| *part != "..").collect();
    let uri = clean.join("/");
    match &location.alias {
        Some(alias) => {
            format!("{alias}{}", uri.strip_prefix(location.path.as_str()).unwrap_or(&uri))
        }
        None => format!("{}{uri}", location.root),
    }
}
