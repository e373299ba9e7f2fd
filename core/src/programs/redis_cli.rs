//! `redis-cli`: talks to a redis server.

use std::{net::SocketAddrV4, rc::Rc};

use super::support::{
    net,
    opts::{self, Spec},
};
use crate::{
    fabric::{Conn, Frame},
    machine::{Proc, Program},
};

/// `redis-cli`
pub const PROGRAM: Program = Program {
    name: "redis-cli",
    summary: "talk to a redis server",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

static SPEC: Spec = Spec {
    usage: "redis-cli [-h HOST] [-p PORT] [COMMAND [ARG...]]",
    short: "+h:p:",
    long: &[],
    trouble: 1,
};

async fn main(proc: Proc) -> i32 {
    let options = match opts::options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let host = options.value('h').unwrap_or("127.0.0.1").to_string();
    let port = options.value('p').and_then(|p| p.parse().ok()).unwrap_or(6379);
    let found = net::resolve(&proc, &host).await;
    let (Ok(address), Some(endpoint)) = (found, net::endpoint(&proc)) else {
        let text =
            format!("Could not connect to Redis at {host}:{port}: Name or service not known\n");
        proc.eprint(&text).await;
        return 1;
    };
    let conn = match endpoint.connect(SocketAddrV4::new(address, port)).await {
        Ok(conn) => Rc::new(conn),
        Err(error) => {
            let why = net::strerror(error);
            proc.eprint(&format!("Could not connect to Redis at {host}:{port}: {why}\n")).await;
            return 1;
        }
    };
    if !options.rest.is_empty() {
        return run(&proc, &conn, &options.rest).await;
    }
    let prompt = format!("{host}:{port}> ");
    loop {
        if proc.tty().is_some() {
            proc.print(&prompt).await;
        }
        let Some(line) = proc.read_line().await else { return 0 };
        let words: Vec<String> = line.split_whitespace().map(str::to_string).collect();
        if words.first().is_some_and(|w| matches!(w.as_str(), "exit" | "quit")) {
            return 0;
        }
        if !words.is_empty() && run(&proc, &conn, &words).await > 1 {
            return 1;
        }
    }
}

/// Runs one command: 0, 1 for an error the server told, 2 where it is gone.
async fn run(proc: &Proc, conn: &Conn, words: &[String]) -> i32 {
    let mut request = format!("*{}\r\n", words.len());
    for word in words {
        request += &format!("${}\r\n{word}\r\n", word.len());
    }
    let _ = conn.send(Frame::Data(request.into_bytes()));
    let mut input = Vec::new();
    loop {
        if let Some(text) = reply(&String::from_utf8_lossy(&input), proc.stdout_is_tty()) {
            proc.print(&text).await;
            return i32::from(input.first() == Some(&b'-'));
        }
        match conn.recv_bytes().await {
            Ok(Some(bytes)) => input.extend(bytes),
            _ => {
                proc.eprint("Error: Server closed the connection\n").await;
                return 2;
            }
        }
    }
}

/// A whole reply as it is shown; `None` while more is to come.
fn reply(input: &str, quoted: bool) -> Option<String> {
    let (line, rest) = input.split_once("\r\n")?;
    let value = line.get(1..)?;
    Some(match line.as_bytes()[0] {
        b'+' => format!("{value}\n"),
        b'-' => format!("(error) {value}\n"),
        b':' if quoted => format!("(integer) {value}\n"),
        b':' => format!("{value}\n"),
        b'$' => match value.parse::<usize>() {
            Ok(length) => {
                let text = rest.get(..length)?;
                if quoted { format!("\"{text}\"\n") } else { format!("{text}\n") }
            }
            Err(_) if quoted => "(nil)\n".into(),
            Err(_) => "\n".into(),
        },
        b'*' => {
            let count: usize = value.parse().unwrap_or(0);
            let items: Vec<&str> = rest.split("\r\n").collect();
            if items.len() <= count * 2 && count > 0 {
                return None;
            }
            let shown = (0..count).map(|n| match quoted {
                true => format!("{}) \"{}\"\n", n + 1, items[n * 2 + 1]),
                false => format!("{}\n", items[n * 2 + 1]),
            });
            if count == 0 { "(empty array)\n".into() } else { shown.collect() }
        }
        _ => input.to_string(),
    })
}
