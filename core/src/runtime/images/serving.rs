//! What server programs share: their port, their handler, their log, their manners when signalled.

use std::{rc::Rc, time::Duration};

use super::leak::Leak;
use crate::{
    fabric::{
        Conn, Endpoint, Listener,
        http::{self, HttpRequest, Reply},
    },
    machine::{Fd, Proc},
};

/// The network endpoint of a process's machine.
pub fn endpoint(proc: &Proc) -> Option<Rc<Endpoint>> {
    proc.machine().get::<Endpoint>()
}

/// Listens on a port of a process's machine; `None` where that is taken or there is no network.
pub fn listen(proc: &Proc, port: u16) -> Option<Listener> {
    endpoint(proc)?.listen(port).ok()
}

/// Writes to a descriptor at once, from where nobody can wait: a log line.
pub fn emit(proc: &Proc, fd: u8, text: &str) {
    match proc.io().get(fd) {
        Fd::Sink(sink) => sink(text.as_bytes()),
        Fd::Tty(tty) => tty.write(text.as_bytes()),
        Fd::File(file) => drop(file.write(text.as_bytes(), proc.sim().now())),
        Fd::PipeWriter(pipe) => drop(pipe.push(text.as_bytes())),
        _ => {}
    }
}

/// Serves a listener with tasks of a process. A leak in its machine makes it slower.
pub fn serve(
    proc: &Proc,
    listener: Listener,
    handler: impl Fn(&Rc<HttpRequest>, &Conn) -> Reply + 'static,
) -> http::Server {
    let (spawner, machine) = (proc.clone(), Rc::downgrade(proc.machine()));
    let handler = move |request: &Rc<HttpRequest>, conn: &Conn| {
        let reply = handler(request, conn);
        let Some(machine) = machine.upgrade() else { return Reply::Close };
        match machine.get::<Leak>() {
            None => reply,
            Some(leak) => match (leak.delay(machine.sim().now()), reply) {
                (None, _) => Reply::Hang,
                (Some(more), Reply::Now(response, delay)) => Reply::Now(response, delay + more),
                (Some(_), reply) => reply,
            },
        }
    };
    let spawn: http::Spawn = Rc::new(move |future| spawner.spawn_task(future));
    http::serve(listener, spawn, Rc::new(handler))
}

/// The time it takes a program to get going.
pub async fn start_up(proc: &Proc, millis: u64, memory: u64) {
    proc.process().set_memory(memory);
    proc.process().add_cpu_micros(millis * 300);
    proc.sleep(Duration::from_millis(millis)).await;
}

/// `Thu, 21 Nov 2024 08:00:00 GMT`
pub fn http_date(proc: &Proc) -> String {
    proc.sim().now().to_timestamp().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// The media type that servers tell for a file name.
pub fn media_type(path: &str) -> &'static str {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" | "htm" => "text/html",
        "css" => "text/css",
        "js" => "application/javascript",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "txt" => "text/plain",
        "xml" => "text/xml",
        _ => "application/octet-stream",
    }
}
