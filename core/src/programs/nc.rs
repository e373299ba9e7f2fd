//! `nc`: connects standard input and output to a port, or waits for a connection.

use std::{net::SocketAddrV4, rc::Rc, time::Duration};

use super::support::{
    net,
    opts::{self, Spec},
};
use crate::{
    fabric::{Conn, Frame},
    machine::{Proc, Program},
    sim::{Either, race},
};

/// `nc`
pub const PROGRAM: Program = Program {
    name: "nc",
    summary: "talk over a connection",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

static SPEC: Spec = Spec {
    usage: "nc [-lvzkn] [-p PORT] [-w SECONDS] [HOST] [PORT]",
    short: "lvzknup:w:q:N",
    long: &[],
    trouble: 1,
};

async fn main(proc: Proc) -> i32 {
    let options = match opts::options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    if options.has('u') {
        proc.eprint("nc: UDP is not simulated\n").await;
        return 1;
    }
    let Some(endpoint) = net::endpoint(&proc) else {
        proc.eprint("nc: no network\n").await;
        return 1;
    };
    let verbose = options.has('v');
    if options.has('l') {
        let port = options.value('p').or(options.rest.last().map(String::as_str));
        let Some(port) = port.and_then(|p| p.parse().ok()) else {
            proc.eprint("nc: missing port number\n").await;
            return 1;
        };
        let Ok(listener) = endpoint.listen(port) else {
            proc.eprint("nc: bind: Address already in use\n").await;
            return 1;
        };
        if verbose {
            proc.eprint(&format!("listening on [::]:{port} ...\n")).await;
        }
        loop {
            let conn = listener.accept().await;
            if verbose {
                let (local, peer) = (conn.local(), conn.peer());
                proc.eprint(&format!(
                    "connect to [::ffff:{}]:{port} from [::ffff:{}]:{}\n",
                    local.ip(),
                    peer.ip(),
                    peer.port()
                ))
                .await;
            }
            talk(&proc, conn).await;
            if !options.has('k') {
                return 0;
            }
        }
    }
    let [host, ports] = options.rest.as_slice() else {
        proc.eprint("nc: a host and a port are needed\n").await;
        return 1;
    };
    let Ok(address) = net::resolve(&proc, host).await else {
        proc.eprint(&format!("nc: bad address '{host}'\n")).await;
        return 1;
    };
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) else {
        proc.eprint(&format!("nc: port range not valid: {ports}\n")).await;
        return 1;
    };
    let patience = options.value('w').and_then(net::seconds);
    let busybox = net::is_busybox(&proc);
    let mut code = 1;
    for port in first..=last {
        let connecting = endpoint.connect(SocketAddrV4::new(address, port));
        let result = match patience {
            None => connecting.await.map_err(net::strerror),
            Some(patience) => match race(connecting, proc.sleep(patience)).await {
                Either::Left(result) => result.map_err(net::strerror),
                Either::Right(()) => Err("Connection timed out"),
            },
        };
        match result {
            Ok(conn) => {
                code = 0;
                if verbose {
                    let text = match busybox {
                        true => format!("{host} ({address}:{port}) open\n"),
                        false => format!(
                            "Connection to {host} ({address}) {port} port [tcp/*] succeeded!\n"
                        ),
                    };
                    proc.eprint(&text).await;
                }
                if !options.has('z') {
                    talk(&proc, conn).await;
                }
            }
            // A scan tells of ports that are closed only when asked to.
            Err(_) if options.has('z') && !verbose => {}
            Err(error) => {
                let text = match busybox {
                    true if verbose => format!("nc: {host} ({address}:{port}): {error}\n"),
                    true => format!("nc: can't connect to remote host ({address}): {error}\n"),
                    false => format!(
                        "nc: connect to {host} ({address}) port {port} (tcp) failed: {error}\n"
                    ),
                };
                proc.eprint(&text).await;
            }
        }
    }
    code
}

/// Copies both ways until the other side has closed.
async fn talk(proc: &Proc, conn: Conn) {
    let conn = Rc::new(conn);
    let (input, sending) = (proc.clone(), conn.clone());
    let up = proc.spawn_task(async move {
        loop {
            let bytes = input.read(16_384).await;
            if bytes.is_empty() {
                sending.close();
                return;
            }
            if sending.send(Frame::Data(bytes)).is_err() {
                return;
            }
        }
    });
    while let Ok(Some(bytes)) = conn.recv_bytes().await {
        proc.write(1, &bytes).await;
    }
    proc.sim().kill(&up);
    // The other side learns that this one is gone.
    proc.sleep(Duration::from_micros(1)).await;
}
