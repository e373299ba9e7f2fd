//! One transfer: names, connection, request, redirects, and what is shown of it.

use std::{borrow::Cow, net::SocketAddrV4, rc::Rc, time::Duration};

use super::{super::support::net, VERSION, options::Options};
use crate::{
    fabric::{
        Conn, ConnectError, Endpoint,
        dns::{self, ResolveError},
        http::{self, HttpError, HttpRequest, HttpResponse, Tls, Url},
    },
    machine::Proc,
    sim::{Either, Time, race},
};

/// Why a transfer failed: curl's code and text.
struct Failure {
    code: i32,
    text: String,
    /// Whether `--retry` tries again.
    transient: bool,
}

fn failure(code: i32, text: impl Into<String>) -> Failure {
    Failure { code, text: text.into(), transient: code == 28 }
}

/// What is known at the end.
#[derive(Default)]
struct Facts {
    status: u16,
    size: usize,
    content_type: String,
    url: String,
    redirects: u32,
    remote: Option<SocketAddrV4>,
    connected: Duration,
    total: Duration,
}

struct Transfer<'a> {
    proc: &'a Proc,
    options: &'a Options,
    number: usize,
    began: Time,
    facts: Facts,
}

/// Runs a transfer: the exit code, and whether another try may help.
pub async fn run(proc: &Proc, options: &Options, url: &str, number: usize) -> (i32, bool) {
    let began = proc.sim().now();
    let mut transfer = Transfer { proc, options, number, began, facts: Facts::default() };
    let result = match options.max_time {
        None => transfer.all(url).await,
        Some(limit) => match race(transfer.all(url), proc.sleep(limit)).await {
            Either::Left(result) => result,
            Either::Right(()) => {
                let millis = proc.sim().now().since(began).as_millis() + 1;
                Err(failure(
                    28,
                    format!(
                        "Operation timed out after {millis} milliseconds with 0 bytes received"
                    ),
                ))
            }
        },
    };
    transfer.facts.total = proc.sim().now().since(began);
    let (code, again) = match result {
        Ok(()) => (0, matches!(transfer.facts.status, 408 | 429 | 500 | 502 | 503 | 504)),
        Err(error) => {
            if !options.silent || options.show_error {
                proc.eprint(&format!("curl: ({}) {}\n", error.code, error.text)).await;
            }
            (error.code, error.transient || (error.code == 7 && options.retry_refused))
        }
    };
    if let Some(format) = &options.write_out {
        proc.print(&transfer.facts.write(format)).await;
    }
    (code, again)
}

impl Transfer<'_> {
    async fn note(&self, text: &str) {
        if self.options.verbose {
            self.proc.eprint(&format!("* {text}\n")).await;
        }
    }

    async fn all(&mut self, text: &str) -> Result<(), Failure> {
        if text.contains("://") && !text.starts_with("http://") && !text.starts_with("https://") {
            let scheme = text.split("://").next().unwrap_or_default();
            return Err(failure(
                1,
                format!("Protocol \"{scheme}\" not supported or disabled in libcurl"),
            ));
        }
        let mut url = Url::parse(text)
            .map_err(|_| failure(3, "URL using bad/illegal format or missing URL"))?;
        if let (true, Some(data)) = (self.options.data_in_url, &self.options.data) {
            let mark = if url.path.contains('?') { '&' } else { '?' };
            url.path = format!("{}{mark}{}", url.path, String::from_utf8_lossy(data));
        }
        let (mut method, mut body) = (self.options.method(), self.options.body());
        loop {
            self.facts.url = url.to_string();
            let conn = self.connect(&url).await?;
            if url.scheme == "https" {
                self.greet(&conn)?;
            }
            let response = self.exchange(&conn, &url, &method, body.clone()).await?;
            let location = response.header("Location").filter(|_| {
                self.options.follow && matches!(response.status, 301 | 302 | 303 | 307 | 308)
            });
            self.note(&format!("Connection #{} to host {} left intact", self.number, url.host))
                .await;
            let Some(location) = location else {
                return self.finish(&url, &response, &method).await;
            };
            if self.facts.redirects >= self.options.max_redirects {
                return Err(failure(
                    47,
                    format!("Maximum ({}) redirects followed", self.options.max_redirects),
                ));
            }
            if self.options.include || self.options.head {
                self.proc.write(1, &response.head()).await;
            }
            self.facts.redirects += 1;
            url = url
                .join(location)
                .map_err(|_| failure(3, "URL using bad/illegal format or missing URL"))?;
            self.note(&format!("Issue another request to this URL: '{url}'")).await;
            if response.status < 304 && method == "POST" && self.options.method.is_none() {
                (method, body) = ("GET".into(), Rc::default());
            }
        }
    }

    /// What of a TLS handshake matters here: that the server speaks it, and who vouches for it.
    fn greet(&self, conn: &Conn) -> Result<(), Failure> {
        let endpoint = net::endpoint(self.proc);
        let Some(tls) = endpoint.and_then(|e| e.service_now::<Tls>(conn.peer()).ok()) else {
            let text = "OpenSSL/3.0.17: error:0A00010B:SSL routines::wrong version number";
            return Err(failure(35, text));
        };
        if self.options.insecure {
            return Ok(());
        }
        let trusted = match &self.options.authority {
            Some(path) => self.proc.read_text(path).map_err(|_| {
                failure(77, format!("error setting certificate verify locations:  CAfile: {path}"))
            })?,
            None => String::new(),
        };
        if !tls.authority.is_empty() && trusted.contains(tls.authority.trim()) {
            return Ok(());
        }
        let problem = match tls.authority.is_empty() {
            true => "self-signed certificate",
            false => "unable to get local issuer certificate",
        };
        Err(failure(
            60,
            format!(
                "SSL certificate problem: {problem}\nMore details here: \
                 https://curl.se/docs/sslcerts.html\n\ncurl failed to verify the legitimacy of the \
                 server and therefore could not\nestablish a secure connection to it. To learn more \
                 about this situation and\nhow to fix it, please visit the web page mentioned above."
            ),
        ))
    }

    async fn connect(&mut self, url: &Url) -> Result<Conn, Failure> {
        let Some(endpoint) = net::endpoint(self.proc) else {
            return Err(failure(6, format!("Could not resolve host: {}", url.host)));
        };
        let connecting = self.connect_with(&endpoint, url);
        let result = match self.options.connect_timeout {
            None => connecting.await,
            Some(limit) => match race(connecting, self.proc.sleep(limit)).await {
                Either::Left(result) => result,
                Either::Right(()) => {
                    let millis = self.proc.sim().now().since(self.began).as_millis() + 1;
                    Err(failure(
                        28,
                        format!(
                            "Failed to connect to {} port {} after {millis} ms: Timeout was \
                                reached",
                            url.host, url.port
                        ),
                    ))
                }
            },
        };
        let conn = result?;
        self.facts.connected = self.proc.sim().now().since(self.began);
        self.facts.remote = Some(conn.peer());
        self.note(&format!("Connected to {} ({}) port {}", url.host, conn.peer().ip(), url.port))
            .await;
        Ok(conn)
    }

    async fn connect_with(&self, endpoint: &Endpoint, url: &Url) -> Result<Conn, Failure> {
        let names = net::names(self.proc);
        let found = dns::resolve(endpoint, Some(&*names), &url.host).await;
        let addresses = found.map_err(|error| match error {
            ResolveError::NotFound | ResolveError::TryAgain => {
                failure(6, format!("Could not resolve host: {}", url.host))
            }
        })?;
        if url.host.parse::<std::net::Ipv4Addr>().is_err() {
            let list: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            self.note(&format!("Host {}:{} was resolved.", url.host, url.port)).await;
            self.note("IPv6: (none)").await;
            self.note(&format!("IPv4: {}", list.join(", "))).await;
        }
        let mut last = ConnectError::Refused;
        for address in addresses {
            self.note(&format!("  Trying {address}:{}...", url.port)).await;
            match endpoint.connect(SocketAddrV4::new(address, url.port)).await {
                Ok(conn) => return Ok(conn),
                Err(error) => last = error,
            }
            self.note(&format!(
                "connect to {address} port {} failed: {}",
                url.port,
                net::strerror(last)
            ))
            .await;
        }
        let millis = self.proc.sim().now().since(self.began).as_millis();
        let code = if last == ConnectError::TimedOut { 28 } else { 7 };
        let text = format!(
            "Failed to connect to {} port {} after {millis} ms: Couldn't connect to server",
            url.host, url.port
        );
        Err(failure(code, text))
    }

    async fn exchange(
        &mut self,
        conn: &Conn,
        url: &Url,
        method: &str,
        body: Rc<Vec<u8>>,
    ) -> Result<Rc<HttpResponse>, Failure> {
        let request = self.request(url, method, body);
        if self.options.verbose {
            self.show('>', &request.head()).await;
            self.data('}', request.body.len()).await;
        }
        let response =
            http::request(conn, Rc::new(request)).await.map_err(|error| match error {
                HttpError::Reset => failure(56, "Recv failure: Connection reset by peer"),
                HttpError::NotHttp => failure(1, "Received HTTP/0.9 when not allowed"),
                _ => failure(52, "Empty reply from server"),
            })?;
        if self.options.verbose {
            self.show('<', &response.head()).await;
            self.data('{', if method == "HEAD" { 0 } else { response.body.len() }).await;
        }
        self.facts.status = response.status;
        self.facts.content_type = response.content_type().to_string();
        Ok(response)
    }

    fn request(&self, url: &Url, method: &str, body: Rc<Vec<u8>>) -> HttpRequest {
        let given =
            |name: &str| self.options.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        let mut headers: Vec<http::Header> = Vec::new();
        let user = self.options.user.as_ref().or(url.user.as_ref());
        if let Some(user) = user.filter(|_| !given("Authorization")) {
            headers.push((
                "Authorization".into(),
                format!("Basic {}", base64(user.as_bytes())).into(),
            ));
        }
        if !given("User-Agent") {
            let agent = self.options.agent.clone().unwrap_or_else(|| format!("curl/{VERSION}"));
            headers.push(("User-Agent".into(), agent.into()));
        }
        if !given("Accept") {
            headers.push(("Accept".into(), "*/*".into()));
        }
        if !body.is_empty() {
            headers.push(("Content-Length".into(), body.len().to_string().into()));
            if !given("Content-Type") {
                headers.push(("Content-Type".into(), "application/x-www-form-urlencoded".into()));
            }
        }
        let mut host = url.host_header();
        for (name, value) in &self.options.headers {
            if name.eq_ignore_ascii_case("Host") {
                host = value.to_string();
            } else if !value.is_empty() {
                headers.push((name.clone(), value.clone()));
            }
        }
        let method = Cow::Owned(method.to_string());
        HttpRequest { method, path: url.path.clone(), host, headers, body }
    }

    async fn show(&self, mark: char, head: &[u8]) {
        let text = String::from_utf8_lossy(head);
        let lines: String = text.lines().map(|line| format!("{mark} {line}\n")).collect();
        self.proc.eprint(&lines).await;
    }

    /// Data is told of where it does not itself appear on the terminal.
    async fn data(&self, mark: char, bytes: usize) {
        if bytes > 0 && !self.proc.stdout_is_tty() {
            self.proc.eprint(&format!("{mark} [{bytes} bytes data]\n")).await;
        }
    }

    async fn finish(
        &mut self,
        url: &Url,
        response: &HttpResponse,
        method: &str,
    ) -> Result<(), Failure> {
        let failed = response.status >= 400;
        if failed && self.options.fail {
            let text = format!("The requested URL returned error: {}", response.status);
            let transient = matches!(response.status, 408 | 429 | 500 | 502 | 503 | 504);
            return Err(Failure { transient, ..failure(22, text) });
        }
        let mut out = Vec::new();
        if self.options.include || self.options.head {
            out.extend(response.head());
        }
        if method != "HEAD" {
            out.extend(response.body.iter());
            self.facts.size = response.body.len();
        }
        let file = match (&self.options.output, self.options.remote_name) {
            (Some(file), _) if file != "-" => Some(file.clone()),
            (_, true) => {
                let name = url.path.split('?').next().unwrap_or_default().rsplit('/').next();
                let name = name.filter(|n| !n.is_empty()).map(str::to_string);
                Some(name.ok_or_else(|| failure(23, "Remote file name has no length"))?)
            }
            _ => None,
        };
        self.meter(file.is_some(), out.len()).await;
        match file {
            None => self.proc.write(1, &out).await,
            Some(file) if file == "/dev/null" => {}
            Some(file) => self.proc.write_file(&file, &out).map_err(|error| {
                failure(23, format!("Failure writing output to destination ({file}: {error})"))
            })?,
        }
        if failed && self.options.fail_with_body {
            return Err(failure(
                22,
                format!("The requested URL returned error: {}", response.status),
            ));
        }
        Ok(())
    }

    /// The progress meter, which is shown where output does not go to the terminal.
    async fn meter(&self, to_file: bool, size: usize) {
        let options = self.options;
        if options.silent || options.no_meter || (self.proc.stdout_is_tty() && !to_file) {
            return;
        }
        let took = self.proc.sim().now().since(self.began).as_micros().max(1) as u64;
        let speed = amount(size as u64 * 1_000_000 / took);
        let head = "  % Total    % Received % Xferd  Average Speed   Time    Time     Time  \
            Current\n\
                    \x20                                Dload  Upload   Total   Spent    Left  Speed\n";
        let none =
            "\r  0     0    0     0    0     0      0      0 --:--:-- --:--:-- --:--:--     0";
        let size = amount(size as u64);
        let all = format!(
            "\r100 {size:>5}  100 {size:>5}    0     0  {speed:>5}      0 --:--:-- --:--:-- \
                --:--:-- {speed:>5}\n"
        );
        self.proc.eprint(&format!("{head}{none}{all}")).await;
    }
}

/// At most five characters: `615`, `12.3k`, `597k`.
fn amount(bytes: u64) -> String {
    match bytes {
        0..100_000 => bytes.to_string(),
        100_000..10_240_000 => format!("{}k", bytes / 1024),
        _ => format!("{}M", bytes / 1_048_576),
    }
}

impl Facts {
    fn write(&self, format: &str) -> String {
        let seconds = |d: Duration| format!("{:.6}", d.as_secs_f64());
        let mut out = String::new();
        let mut rest = format;
        while let Some((before, after)) = rest.split_once("%{") {
            out.push_str(before);
            let Some((name, after)) = after.split_once('}') else {
                out.push_str("%{");
                rest = after;
                break;
            };
            out.push_str(&match name {
                "http_code" | "response_code" => format!("{:03}", self.status),
                "size_download" => self.size.to_string(),
                "content_type" => self.content_type.clone(),
                "url" | "url_effective" => self.url.clone(),
                "num_redirects" => self.redirects.to_string(),
                "remote_ip" => self.remote.map(|r| r.ip().to_string()).unwrap_or_default(),
                "remote_port" => self.remote.map(|r| r.port().to_string()).unwrap_or_default(),
                "time_connect" => seconds(self.connected),
                "time_total" | "time_starttransfer" => seconds(self.total),
                _ => String::new(),
            });
            rest = after;
        }
        out.push_str(rest);
        out.replace("\\n", "\n").replace("\\t", "\t").replace("\\r", "\r").replace("%%", "%")
    }
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let n = chunk.iter().fold(0_u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let letter = LETTERS[(n >> (18 - 6 * i)) as usize & 63] as char;
            out.push(if i <= chunk.len() { letter } else { '=' });
        }
    }
    out
}
