//! A static file server for the built site, on this machine only.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
};

use tiny_http::{Header, Request, Response, Server, StatusCode};

use crate::{
    Res,
    bundle::{self, Profile},
    shell::say,
};

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
    let server = Server::http(&address).map_err(|e| {
        format!("{address} can't be served ({e}); choose another port with --port N")
    })?;
    let server = Arc::new(server);
    let port = server.server_addr().to_ip().map_or(port, |ip| ip.port());
    // A browser opens several connections; a few threads keep one slow one from holding up others.
    for _ in 0..4 {
        let (server, site) = (server.clone(), site.to_owned());
        std::thread::spawn(move || {
            for request in server.incoming_requests() {
                // A client that went away in the middle is no failure of ours.
                let _ = answer(request, &site);
            }
        });
    }
    Ok(port)
}

fn answer(request: Request, site: &Path) -> std::io::Result<()> {
    let Some(file) = locate(request.url(), site) else {
        let body = Response::from_string("404: there is no such file\n");
        return request.respond(body.with_status_code(StatusCode(404)));
    };
    let accepted = header(&request, "Accept-Encoding");
    let (body, encoding) = [("br", "br"), ("gzip", "gz")]
        .iter()
        .filter(|(name, _)| accepted.split(',').any(|a| a.trim().split(';').next() == Some(name)))
        .find_map(|(name, ext)| {
            let mut path = file.clone().into_os_string();
            path.push(format!(".{ext}"));
            File::open(path).ok().map(|f| (f, Some(*name)))
        })
        .map_or_else(|| File::open(&file).map(|f| (f, None)), Ok)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut response = Response::from_file(body);
    for (field, value) in [
        ("Content-Type", mime(&name)),
        ("Content-Encoding", encoding.unwrap_or_default()),
        ("Vary", "Accept-Encoding"),
        ("Cache-Control", caching(&name)),
        ("X-Content-Type-Options", "nosniff"),
    ] {
        if let (false, Ok(h)) = (value.is_empty(), Header::from_bytes(field, value)) {
            response.add_header(h);
        }
    }
    request.respond(response)
}

fn header(request: &Request, name: &'static str) -> String {
    let found = request.headers().iter().find(|h| h.field.equiv(name));
    found.map(|h| h.value.as_str().to_owned()).unwrap_or_default()
}

/// The file a URL names, if it is one below `site`.
fn locate(url: &str, site: &Path) -> Option<PathBuf> {
    let path = url.split(['?', '#']).next()?.trim_start_matches('/');
    if path.split('/').any(|part| part == ".." || part.contains('\\') || part.contains('\0')) {
        return None;
    }
    let file = if path.is_empty() { site.join("index.html") } else { site.join(path) };
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
    fn nothing_outside_the_site_is_served() {
        let site = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert!(locate("/Cargo.toml?x=1", site).is_some());
        for url in ["/../Cargo.toml", "/src/../../Cargo.toml", "/src", "/nothing"] {
            assert_eq!(locate(url, site), None, "{url}");
        }
    }
}
