//! A static file server for the built site, on this machine only.
//!
//! A thread for each connection and the little of HTTP/1.1 that browsers need for files: GET and
//! HEAD, kept-alive connections, compressed files beside plain ones. No more than that.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    Res,
    bundle::{self, Profile},
    shell::say,
};

/// Bytes that a request's head may have.
const HEAD_LIMIT: u64 = 64 * 1024;
/// How long a connection may be silent.
const SILENCE: Duration = Duration::from_secs(60);

/// Builds the page and serves it until the process is ended.
pub fn serve(profile: Profile, port: u16) -> Res {
    let site = bundle::site(profile)?;
    let port = start(&site, port)?;
    say(format!("the page is at http://127.0.0.1:{port}/ (Ctrl-C ends)"));
    loop {
        std::thread::park();
    }
}

/// Serves a folder on a port of this machine (0: any) from threads of its own; the port.
pub fn start(site: &Path, port: u16) -> Res<u16> {
    let address = format!("127.0.0.1:{port}");
    let no = |e| format!("{address} can't be served ({e}); choose another port with --port N");
    let listener = TcpListener::bind(&address).map_err(no)?;
    let port = listener.local_addr().map_err(no)?.port();
    let site = site.to_owned();
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let site = site.clone();
            // A client that goes away in the middle is no failure of ours.
            std::thread::spawn(move || drop(converse(&connection, &site)));
        }
    });
    Ok(port)
}

/// Answers requests until the client closes the connection.
fn converse(connection: &TcpStream, site: &Path) -> std::io::Result<()> {
    connection.set_nodelay(true)?;
    connection.set_read_timeout(Some(SILENCE))?;
    let mut reader = BufReader::new(connection);
    while let Some(request) = Request::read(&mut reader)? {
        let (head, body) = answer(&request, site);
        let mut writer = connection;
        writer.write_all(head.as_bytes())?;
        if request.method == "GET" {
            writer.write_all(&body)?;
        }
        if !request.keeps_alive {
            break;
        }
    }
    Ok(())
}

/// What is needed of a request.
#[derive(Debug, Default)]
struct Request {
    method: String,
    url: String,
    accepts: String,
    keeps_alive: bool,
}

impl Request {
    /// The next request of a connection; `None` where it was closed or makes no sense.
    fn read(reader: &mut impl BufRead) -> std::io::Result<Option<Request>> {
        let mut head = reader.take(HEAD_LIMIT);
        let mut line = String::new();
        head.read_line(&mut line)?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let &[method, url, version] = words.as_slice() else { return Ok(None) };
        let mut request = Request {
            method: method.to_owned(),
            url: url.to_owned(),
            keeps_alive: version == "HTTP/1.1",
            ..Request::default()
        };
        loop {
            let mut line = String::new();
            if head.read_line(&mut line)? == 0 {
                return Ok(None);
            }
            let Some((name, value)) = line.split_once(':') else { break };
            match name.to_ascii_lowercase().as_str() {
                "accept-encoding" => request.accepts = value.trim().to_owned(),
                "connection" if value.trim().eq_ignore_ascii_case("close") => {
                    request.keeps_alive = false;
                }
                // Nobody sends a body to a file server; where it ends is not worth knowing.
                "content-length" if value.trim() != "0" => request.keeps_alive = false,
                "transfer-encoding" => request.keeps_alive = false,
                _ => {}
            }
        }
        Ok(Some(request))
    }
}

/// Head and body of the answer to a request.
fn answer(request: &Request, site: &Path) -> (String, Vec<u8>) {
    let failed = |status: &str| {
        let body = format!("{status}\n").into_bytes();
        let head = format!("HTTP/1.1 {status}\r\nContent-Type: text/plain\r\n");
        (format!("{head}Content-Length: {}\r\n\r\n", body.len()), body)
    };
    if !["GET", "HEAD"].contains(&request.method.as_str()) {
        return failed("405 Method Not Allowed");
    }
    let Some(file) = locate(&request.url, site) else { return failed("404 Not Found") };
    let Some((body, encoding)) = read_file(&file, &request.accepts) else {
        return failed("500 Internal Server Error");
    };
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let mut head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: {}\r\n\
         Vary: Accept-Encoding\r\nX-Content-Type-Options: nosniff\r\n",
        mime(&name),
        body.len(),
        caching(&name)
    );
    if let Some(encoding) = encoding {
        head.push_str(&format!("Content-Encoding: {encoding}\r\n"));
    }
    head.push_str("\r\n");
    (head, body)
}

/// A file's content, compressed where it lies compressed beside it and the client takes that.
fn read_file(file: &Path, accepts: &str) -> Option<(Vec<u8>, Option<&'static str>)> {
    for (encoding, ext) in [("br", "br"), ("gzip", "gz")] {
        if accepts.split(',').any(|a| a.trim().split(';').next() == Some(encoding)) {
            let mut path = file.as_os_str().to_owned();
            path.push(format!(".{ext}"));
            if let Ok(body) = fs::read(path) {
                return Some((body, Some(encoding)));
            }
        }
    }
    fs::read(file).ok().map(|body| (body, None))
}

/// The file a URL names, if it is one below `site`.
fn locate(url: &str, site: &Path) -> Option<PathBuf> {
    let path = url.split(['?', '#']).next()?.trim_start_matches('/');
    if path.split('/').any(|part| part == ".." || part.contains('\\') || part.contains('\0')) {
        return None;
    }
    let folder = path.is_empty() || path.ends_with('/');
    let file = if folder { site.join(path).join("index.html") } else { site.join(path) };
    file.is_file().then_some(file)
}

/// Names with a hash never change their content.
fn caching(name: &str) -> &'static str {
    let hashed = name
        .rsplit_once('.')
        .and_then(|(stem, _)| stem.rsplit_once('-'))
        .is_some_and(|(_, h)| h.len() == 8 && h.bytes().all(|b| b.is_ascii_alphanumeric()));
    if hashed { "public, max-age=31536000, immutable" } else { "no-cache" }
}

fn mime(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ext)| ext) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("json") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hashed_names_are_cached_for_ever() {
        for (name, immutable) in [
            ("app-1a2b3c4d.wasm", true),
            ("app-ABCD2345.js", true),
            ("index.html", false),
            ("app-icon.svg", false),
        ] {
            assert_eq!(caching(name).contains("immutable"), immutable, "{name}");
        }
    }

    #[test]
    fn a_connection_is_kept_until_the_client_wants_to_close_it() {
        let text = "GET /a?b HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip, br\r\n\r\n\
                    GET / HTTP/1.1\r\nConnection: close\r\n\r\nGET";
        let mut reader = std::io::Cursor::new(text);
        let mut next = || Request::read(&mut reader).expect("reads from memory");
        let first = next().expect("is whole");
        assert_eq!((first.url.as_str(), first.accepts.as_str()), ("/a?b", "gzip, br"));
        assert!(first.keeps_alive);
        assert!(!next().expect("is whole").keeps_alive);
        assert!(next().is_none(), "half a request is none");
    }

    #[test]
    fn nothing_outside_the_site_is_served() {
        let site = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert!(locate("/Cargo.toml?x=1", site).is_some());
        for url in ["/../Cargo.toml", "/src/../../Cargo.toml", "/src", "/nothing"] {
            assert_eq!(locate(url, site), None, "{url}");
        }
    }
}
