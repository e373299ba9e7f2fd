//! What kubectl logs of itself, from `-v=1` to `-v=10`, on standard error.
//!
//! Lines are kept until something is printed, so that they stand before what they led to. Bodies are
//! shown from level 8 on, cut at a kilobyte, at level 9 at ten; headers from level 7 on.
//!
//! Models klog's text format, and `client-go/transport/round_trippers.go`.

use std::{cell::RefCell, rc::Rc};

use super::{flags::Parsed, global, kubeconfig::Target};
use crate::{
    api::gofmt::quote,
    client::tap::{Exchange, Tap},
    fabric::http,
    machine::Proc,
};

/// From this level on requests are logged.
pub const REQUESTS: i64 = 6;

/// The gates of client-go, which are logged when the first of them is looked at.
const GATES: &[(&str, bool)] = &[
    ("AtomicFIFO", true),
    ("ClientsAllowCARotation", true),
    ("ClientsAllowCBOR", false),
    ("ClientsAllowTLSCacheGC", true),
    ("ClientsPreferCBOR", false),
    ("InOrderInformers", true),
    ("InOrderInformersBatchProcess", true),
    ("InformerResourceVersion", true),
    ("UnlockWhileProcessingFIFO", true),
    ("WatchListClient", true),
];

const AGENT: &str = "kubectl/v1.37.1 (linux/amd64) kubernetes/f78e722";

/// A command's log.
#[derive(Clone, Default)]
pub struct Log(Rc<RefCell<State>>);

#[derive(Default)]
struct State {
    level: i64,
    waiting: String,
    connected: bool,
    gates: bool,
}

/// A line as klog writes it: level, day, time, process, where in the source, and what.
pub fn line(proc: &Proc, level: char, source: &str, text: &str) -> String {
    let stamp = proc.sim().now().to_timestamp().to_string();
    let (date, time) = stamp.split_once('T').unwrap_or(("0000-00-00", "00:00:00"));
    let (day, time) = (date.get(5..).unwrap_or("").replace('-', ""), time.trim_end_matches('Z'));
    let (seconds, fraction) = time.split_once('.').unwrap_or((time, ""));
    let pid = proc.pid();
    format!("{level}{day} {seconds}.{fraction:0<6.6} {pid:>7} {source}] {text}\n")
}

impl Log {
    /// How much is logged, as far as that is known.
    pub fn level(&self) -> i64 {
        self.0.borrow().level
    }

    /// What waits to be printed.
    pub fn take(&self) -> String {
        std::mem::take(&mut self.0.borrow_mut().waiting)
    }

    /// Logs a line.
    pub fn info(&self, proc: &Proc, source: &str, text: &str) {
        self.0.borrow_mut().waiting.push_str(&line(proc, 'I', source, text));
    }

    /// The first connection of a command looks at the gates.
    pub fn gates(&self, proc: &Proc, p: &Parsed) {
        self.0.borrow_mut().level = p.int("v");
        if p.int("v") < 1 || std::mem::replace(&mut self.0.borrow_mut().gates, true) {
            return;
        }
        for (gate, enabled) in GATES {
            let gate = quote(gate);
            let text = format!("\"Feature gate default state\" feature={gate} enabled={enabled}");
            self.info(proc, "envvar.go:195", &text);
        }
    }

    /// Who is told of a client's requests; `None` where they are not logged.
    pub fn tap(&self, proc: &Proc, p: &Parsed, target: &Target) -> Option<Rc<Tap>> {
        let level = p.int("v");
        if level < REQUESTS {
            return None;
        }
        let (log, proc, server) = (self.clone(), proc.clone(), target.server.clone());
        let token = target.shown.token.is_some();
        let output = p.str("output");
        let get = p.path == "kubectl get";
        Some(Rc::new(Tap {
            texts: level >= 8,
            limit: p.int("chunk-size"),
            table: get && ["", "wide"].contains(&output),
            timeout: match global::timeout(p) {
                Ok(0) | Err(_) => String::new(),
                Ok(nanos) => crate::api::duration::print_go(nanos),
            },
            heard: Box::new(move |exchange| {
                log.exchange(&proc, (level, token), &server, &exchange)
            }),
        }))
    }

    fn exchange(&self, proc: &Proc, how: (i64, bool), server: &str, it: &Exchange) {
        let (level, token) = how;
        let url = match it.query.as_str() {
            "" => format!("{server}{}", it.path),
            query => format!("{server}{}?{query}", it.path),
        };
        let asked = format!("verb={} url={}", quote(it.method), quote(&url));
        let (body, trip) = (source(it), "round_trippers.go");
        if level >= 8 {
            let text = value("body", &cut(level, &it.body));
            self.info(proc, body, &format!("\"Request Body\" {text}"));
        }
        let mut headers = vec![("Accept", it.accept), ("User-Agent", AGENT)];
        if !it.content_type.is_empty() {
            headers.insert(1, ("Content-Type", it.content_type));
        }
        if token {
            headers.insert(1, ("Authorization", "Bearer <masked>"));
        }
        match level {
            ..=6 => {}
            7 | 8 => {
                let headers: String = headers.iter().map(|(k, v)| format!("{k}: {v}\n")).collect();
                let headers = value("headers", &headers);
                self.info(proc, &format!("{trip}:527"), &format!("\"Request\" {asked} {headers}"));
            }
            _ => {
                let text = value("curlCommand", &curl(it, &headers, &url));
                self.info(proc, &format!("{trip}:527"), &format!("\"Request\" {text}"));
                if !std::mem::replace(&mut self.0.borrow_mut().connected, true) {
                    let address = quote(super::error::host_of(server));
                    let text =
                        format!("\"HTTP Trace: Dial succeed\" network=\"tcp\" address={address}");
                    self.info(proc, &format!("{trip}:562"), &text);
                }
            }
        }
        let mut text = String::from("\"Response\"");
        if level == 6 || level >= 9 {
            text.push_str(&format!(" {asked}"));
        }
        let reason = match it.status {
            // Web servers have another word for it than Go.
            405 => "Method Not Allowed",
            status => http::reason(status),
        };
        let status = format!("{} {reason}", it.status);
        text.push_str(&format!(" status={}", quote(&status)));
        if level >= 8 {
            let date = proc.sim().now().to_timestamp().strftime("%a, %d %b %Y %H:%M:%S GMT");
            let headers = format!(
                "Cache-Control: no-cache, private\nContent-Length: {}\nContent-Type: {}\n\
                 Date: {date}\n",
                it.answer.len(),
                it.answer_type
            );
            text.push_str(&format!(" {}", value("headers", &headers)));
        }
        // An answer takes no time here.
        text.push_str(" milliseconds=0");
        if level >= 9 {
            text.push_str(" getConnectionMilliseconds=0");
        }
        self.info(proc, &format!("{trip}:632"), &text);
        if level >= 8 {
            let text = value("body", &cut(level, &it.answer));
            self.info(proc, body, &format!("\"Response Body\" {text}"));
        }
    }
}

/// Where in kubectl's libraries a body is logged.
fn source(it: &Exchange) -> &'static str {
    match (it.method, it.path.as_str()) {
        (_, "/api") => "discovery_client.go:665",
        (_, "/apis") => "discovery_client.go:721",
        ("DELETE", _) => "helper.go:202",
        ("PATCH", _) => "helper.go:269",
        ("POST", _) => "helper.go:246",
        ("PUT", _) => "helper.go:319",
        _ if it.list => "helper.go:113",
        _ => "helper.go:105",
    }
}

/// A text with its key: quoted, or on lines of its own where it has several.
fn value(key: &str, text: &str) -> String {
    if !text.contains('\n') {
        return format!("{key}={}", quote(text));
    }
    let lines: String =
        text.trim_end_matches('\n').split('\n').map(|l| format!("\t{l}\n")).collect();
    format!("{key}=<\n{lines} >")
}

fn cut(level: i64, text: &str) -> String {
    let max = match level {
        8 => 1024,
        9 => 10_240,
        _ => return text.to_owned(),
    };
    if text.len() <= max {
        return text.to_owned();
    }
    let mut end = max;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let (head, rest) = text.split_at(end);
    format!("{head} [truncated {} chars]", rest.len())
}

/// The command line that asks the same.
fn curl(it: &Exchange, headers: &[(&str, &str)], url: &str) -> String {
    let headers: Vec<String> =
        headers.iter().map(|(k, v)| format!("-H {}", quote(&format!("{k}: {v}")))).collect();
    format!("curl -v -X{}  {} '{url}'\n", it.method, headers.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_on_one_line_or_on_their_own() {
        assert_eq!(value("body", "{\"a\":1}"), "body=\"{\\\"a\\\":1}\"");
        assert_eq!(value("body", "a\nb\n"), "body=<\n\ta\n\tb\n >");
        assert_eq!(cut(8, &"ä".repeat(600)), format!("{} [truncated 176 chars]", "ä".repeat(512)));
        assert_eq!(cut(10, &"a".repeat(20_000)).len(), 20_000);
    }
}
