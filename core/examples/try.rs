//! Types commands into a sandbox and prints what its terminal shows: `cargo run --example try -- 'minikube start' 'kubectl get pods -A'`.
use sandbar_core::{
    session::{
        Session,
        protocol::{Input, Output},
    },
    sim::Time,
};
use std::time::Duration;
fn main() {
    let mut s = Session::new(1, Time::from_secs(1_790_000_000));
    s.handle(Input::TerminalOpen { id: 1, place: String::new(), cols: 150, rows: 50 });
    let mut running = None;
    let look = |s: &mut Session, running: &mut Option<String>| {
        for o in s.take_outputs() {
            match o {
                Output::Terminal { data, .. } => print!("{}", data.replace("\r\n", "\n")),
                Output::TerminalState { running: r, .. } => *running = r,
                Output::View(_) | Output::Lesson(_) => {}
                other => println!("[{other:?}]"),
            }
        }
    };
    let pass = |s: &mut Session, ms: u64| {
        let t = s.now() + Duration::from_millis(ms);
        while !s.advance(t, 100_000).reached {}
    };
    pass(&mut s, 500);
    look(&mut s, &mut running);
    for c in std::env::args().skip(1) {
        if let Some(n) = c.strip_prefix("wait ") {
            pass(&mut s, n.parse::<u64>().unwrap() * 1000);
            look(&mut s, &mut running);
            continue;
        }
        if c == "^C" {
            s.handle(Input::TerminalKeys { id: 1, data: "\x03".into() });
            pass(&mut s, 300);
            look(&mut s, &mut running);
            continue;
        }
        if let Some(u) = c.strip_prefix("browse ") {
            s.handle(Input::Browse { request: 1, url: u.into() });
            pass(&mut s, 1000);
            look(&mut s, &mut running);
            continue;
        }
        s.handle(Input::TerminalKeys { id: 1, data: format!("{c}\r") });
        let t0 = std::time::Instant::now();
        let mut waited = 0;
        loop {
            pass(&mut s, 100);
            look(&mut s, &mut running);
            waited += 1;
            if running.is_none() || waited > 600 {
                break;
            }
        }
        eprintln!("   <{:?} real, {} ms simulated>", t0.elapsed(), waited * 100);
    }
    println!();
}
