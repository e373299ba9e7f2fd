//! Data stores: redis answers its protocol, MongoDB starts, logs and listens.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use super::{
    super::{ImageDef, LayerDef},
    base::DEBIAN_LAYER,
    serving::{self, emit},
};
use crate::{
    fabric::{Conn, Frame},
    machine::{Proc, Program, Signal},
    sim::{Either, Time, race},
};

/// `redis-server`
pub const REDIS: Program = Program {
    name: "redis-server",
    summary: "a store of keys and values",
    run: |proc| Box::pin(redis(proc)),
    complete: None,
};

/// `mongod`
pub const MONGO: Program = Program {
    name: "mongod",
    summary: "a document database (it starts and listens; its protocol is not simulated)",
    run: |proc| Box::pin(mongo(proc)),
    complete: None,
};

async fn redis(proc: Proc) -> i32 {
    serving::start_up(&proc, 20, 7 << 20).await;
    let args = proc.args().to_vec();
    let port = args.iter().position(|a| a == "--port").and_then(|n| args.get(n + 1)?.parse().ok());
    let port = port.unwrap_or(6379);
    let log = |text: &str| {
        let time = proc.sim().now().to_timestamp().strftime("%d %b %Y %H:%M:%S%.3f").to_string();
        emit(&proc, 1, &format!("{}:M {time} {text}\n", proc.pid()));
    };
    log("* Redis version=7.4.1, bits=64, commit=00000000, modified=0, pid=1, just started");
    log("# Warning: no config file specified, using the default config.");
    let Some(listener) = serving::listen(&proc, port) else {
        log(&format!(
            "# Warning: Could not create server TCP listening socket *:{port}: bind: Address \
                already in use"
        ));
        log("# Failed listening on port, aborting.");
        return 1;
    };
    log("* monotonic clock: POSIX clock_gettime");
    log(&format!("* Running mode=standalone, port={port}."));
    log("* Server initialized");
    log("* Ready to accept connections tcp");
    let data: Data = Rc::default();
    loop {
        match race(proc.signal(), listener.accept()).await {
            Either::Left(Signal::Term | Signal::Int) => {
                log("# User requested shutdown...");
                log("# Redis is now ready to exit, bye bye...");
                return 0;
            }
            Either::Left(_) => {}
            Either::Right(conn) => drop(proc.spawn_task(talk(conn, data.clone()))),
        }
    }
}

type Data = Rc<RefCell<BTreeMap<String, String>>>;

async fn talk(conn: Conn, data: Data) {
    let mut input = Vec::new();
    while let Ok(Some(bytes)) = conn.recv_bytes().await {
        input.extend(bytes);
        while let Some((words, used)) = command(&input) {
            input.drain(..used);
            if words.is_empty() {
                continue;
            }
            let (reply, quit) = answer(&words, &mut data.borrow_mut());
            if conn.send(Frame::Data(reply.into_bytes())).is_err() || quit {
                return;
            }
        }
    }
}

/// A whole command (inline, or an array of strings) and how many bytes it took.
fn command(input: &[u8]) -> Option<(Vec<String>, usize)> {
    let line = |from: usize| {
        let end = from + input.get(from..)?.iter().position(|b| *b == b'\n')?;
        Some((String::from_utf8_lossy(&input[from..end]).trim().to_string(), end + 1))
    };
    let (first, mut at) = line(0)?;
    let Some(count) = first.strip_prefix('*') else {
        return Some((first.split_whitespace().map(str::to_string).collect(), at));
    };
    let mut words = Vec::new();
    for _ in 0..count.parse::<usize>().unwrap_or(0).min(1024) {
        let (length, next) = line(at)?;
        let length: usize = length.strip_prefix('$')?.parse().ok()?;
        let word = input.get(next..next.checked_add(length)?)?;
        words.push(String::from_utf8_lossy(word).into_owned());
        at = next + length;
        at = line(at)?.1;
    }
    Some((words, at))
}

fn answer(words: &[String], data: &mut BTreeMap<String, String>) -> (String, bool) {
    let bulk = |text: &str| format!("${}\r\n{text}\r\n", text.len());
    let list = |items: Vec<String>| {
        let all: String = items.iter().map(|i| bulk(i)).collect();
        format!("*{}\r\n{all}", items.len())
    };
    let name = words.first().map(|w| w.to_ascii_uppercase()).unwrap_or_default();
    let args: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
    let reply = match (name.as_str(), args.as_slice()) {
        ("PING", []) => "+PONG\r\n".to_string(),
        ("PING" | "ECHO", [text]) => bulk(text),
        ("SET", [key, value, ..]) => {
            data.insert(key.to_string(), value.to_string());
            "+OK\r\n".to_string()
        }
        ("GET", [key]) => data.get(*key).map_or("$-1\r\n".to_string(), |v| bulk(v)),
        ("DEL", keys @ [_, ..]) => {
            format!(":{}\r\n", keys.iter().filter(|k| data.remove(**k).is_some()).count())
        }
        ("EXISTS", keys @ [_, ..]) => {
            format!(":{}\r\n", keys.iter().filter(|k| data.contains_key(**k)).count())
        }
        ("INCR" | "DECR", [key]) => {
            let old = data.get(*key).map_or(Ok(0), |v| v.parse::<i64>());
            let step = if name == "INCR" { 1 } else { -1 };
            match old.ok().and_then(|n| n.checked_add(step)) {
                Some(new) => {
                    data.insert(key.to_string(), new.to_string());
                    format!(":{new}\r\n")
                }
                None => "-ERR value is not an integer or out of range\r\n".to_string(),
            }
        }
        ("KEYS", ["*"]) => list(data.keys().cloned().collect()),
        ("DBSIZE", []) => format!(":{}\r\n", data.len()),
        ("FLUSHALL" | "FLUSHDB", _) => {
            data.clear();
            "+OK\r\n".to_string()
        }
        ("QUIT", _) => return ("+OK\r\n".to_string(), true),
        ("PING" | "SET" | "GET" | "DEL" | "EXISTS" | "INCR" | "DECR" | "ECHO" | "KEYS", _) => {
            format!(
                "-ERR wrong number of arguments for '{}' command\r\n",
                name.to_ascii_lowercase()
            )
        }
        _ => format!("-ERR unknown command '{}' (or not simulated)\r\n", words[0]),
    };
    (reply, false)
}

async fn mongo(proc: Proc) -> i32 {
    let log = |severity: &str, component: &str, id: u32, text: &str| {
        let time =
            proc.sim().now().to_timestamp().strftime("%Y-%m-%dT%H:%M:%S%.3f+00:00").to_string();
        let line = format!(
            "{{\"t\":{{\"$date\":\"{time}\"}},\"s\":\"{severity}\",  \
                \"c\":\"{component}\",\"id\":{id}, \
             \"ctx\":\"initandlisten\",\"msg\":{text}}}\n"
        );
        emit(&proc, 1, &line);
    };
    serving::start_up(&proc, 200, 60 << 20).await;
    let host = proc.machine().hostname();
    let user = proc.env("MONGO_INITDB_ROOT_USERNAME").filter(|u| !u.is_empty());
    let password = proc.env("MONGO_INITDB_ROOT_PASSWORD").filter(|p| !p.is_empty());
    if user.is_some() != password.is_some() {
        proc.eprint(
            "error: missing 'MONGO_INITDB_ROOT_USERNAME' or 'MONGO_INITDB_ROOT_PASSWORD'\n       \
                both must be \
             specified for a user to be created\n",
        )
        .await;
        return 1;
    }
    log(
        "I",
        "CONTROL",
        4_615_611,
        &format!(
            "\"MongoDB \
                starting\",\"attr\":{{\"pid\":{},\"port\":27017,\"dbPath\":\"/data/db\",\"architecture\":\"64-bit\",\"host\":\"{host}\"}}",
            proc.pid()
        ),
    );
    log(
        "I",
        "CONTROL",
        23_403,
        "\"Build Info\",\"attr\":{\"buildInfo\":{\"version\":\"7.0.14\",\"modules\":[]}}",
    );
    if let Some(user) = &user {
        proc.sleep(std::time::Duration::from_millis(1_500)).await;
        let database = proc.env("MONGO_INITDB_DATABASE").unwrap_or_else(|| "admin".into());
        log(
            "I",
            "ACCESS",
            20_436,
            &format!(
                "\"Successfully added \
                    user\",\"attr\":{{\"user\":\"{user}\",\"db\":\"{database}\",\"roles\":[{{\"role\":\"root\",\"db\":\"admin\"}}]}}"
            ),
        );
    } else {
        log(
            "W",
            "CONTROL",
            22_120,
            "\"Access control is not enabled for the database. Read and write access to data and \
                configuration is unrestricted\"",
        );
    }
    log("I", "STORAGE", 4_795_906, "\"WiredTiger opened\",\"attr\":{\"durationMillis\":312}");
    let Some(listener) = serving::listen(&proc, 27_017) else {
        log(
            "E",
            "NETWORK",
            23_024,
            "\"Failed to set up \
                listener\",\"attr\":{\"error\":{\"code\":9001,\"codeName\":\"SocketException\",\"errmsg\":\"Address already in use\"}}",
        );
        return 48;
    };
    log("I", "NETWORK", 23_015, "\"Listening on\",\"attr\":{\"address\":\"0.0.0.0:27017\"}");
    log(
        "I",
        "NETWORK",
        23_016,
        "\"Waiting for connections\",\"attr\":{\"port\":27017,\"ssl\":\"off\"}",
    );
    loop {
        match race(proc.signal(), listener.accept()).await {
            Either::Left(signal @ (Signal::Term | Signal::Int)) => {
                log(
                    "I",
                    "CONTROL",
                    23_377,
                    &format!(
                        "\"Received signal\",\"attr\":{{\"signal\":{},\"error\":\"Terminated\"}}",
                        signal.number()
                    ),
                );
                log("I", "CONTROL", 23_138, "\"Shutting down\",\"attr\":{\"exitCode\":0}");
                return 0;
            }
            Either::Left(_) => {}
            Either::Right(conn) => {
                let peer = conn.peer();
                log(
                    "I",
                    "NETWORK",
                    22_943,
                    &format!("\"Connection accepted\",\"attr\":{{\"remote\":\"{peer}\"}}"),
                );
                proc.spawn_task(async move {
                    // Bytes are read and not understood.
                    while let Ok(Some(_)) = conn.recv().await {}
                });
            }
        }
    }
}

/// `redis`
pub static REDIS_IMAGE: ImageDef = ImageDef {
    repository: "redis",
    tags: &["latest", "7", "7.4", "7.4.1", "6", "7-alpine", "alpine"],
    layers: &[
        DEBIAN_LAYER,
        LayerDef {
            id: "redis",
            arg: "7.4.1",
            size: 42_300_000,
            created_by: "RUN /bin/sh -c set -eux; … redis-7.4.1.tar.gz …",
            build: |cx| {
                cx.program("/usr/local/bin/redis-server", "redis-server");
                cx.program("/usr/local/bin/redis-cli", "redis-cli");
                cx.dir("/data");
            },
        },
    ],
    cmd: &["redis-server"],
    workdir: "/data",
    exposed: &["6379/tcp"],
    created: Time::from_secs(1_727_900_000),
    ..ImageDef::EMPTY
};

/// `mongo`
pub static MONGO_IMAGE: ImageDef = ImageDef {
    repository: "mongo",
    tags: &["latest", "7", "7.0", "6", "5", "4.4", "8"],
    layers: &[
        DEBIAN_LAYER,
        LayerDef {
            id: "mongo",
            arg: "7.0.14",
            size: 715_000_000,
            created_by: "RUN |2 MONGO_PACKAGE=mongodb-org … apt-get install -y \
                mongodb-org=7.0.14 …",
            build: |cx| {
                cx.program("/usr/bin/mongod", "mongod");
                cx.dir("/data/db");
            },
        },
    ],
    cmd: &["mongod"],
    exposed: &["27017/tcp"],
    created: Time::from_secs(1_726_000_000),
    ..ImageDef::EMPTY
};
