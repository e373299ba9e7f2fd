//! `ping`: busybox's where a machine's commands are busybox's, otherwise iputils'.

use std::{net::Ipv4Addr, time::Duration};

use super::support::{
    net,
    opts::{self, Spec},
};
use crate::{
    fabric::PingError,
    machine::{Proc, Program, Signal},
    sim::{Either, Time, race},
};

/// `ping`
pub const PROGRAM: Program = Program {
    name: "ping",
    summary: "ask a host whether it is there",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

static SPEC: Spec = Spec {
    usage: "ping [-c COUNT] [-i SECONDS] [-W SECONDS] [-w SECONDS] [-q] HOST",
    short: "c:i:W:w:q4n",
    long: &[],
    trouble: 2,
};

struct Ping<'a> {
    proc: &'a Proc,
    busybox: bool,
    quiet: bool,
    sent: u64,
    times: Vec<Duration>,
    errors: u64,
    began: Time,
}

async fn main(proc: Proc) -> i32 {
    let options = match opts::options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let busybox = net::is_busybox(&proc);
    let Some(host) = options.rest.first() else {
        proc.eprint("ping: usage error: Destination address required\n").await;
        return if busybox { 1 } else { 2 };
    };
    let count = options.value('c').map(|c| c.parse::<u64>());
    let Ok(count) = count.transpose() else {
        let value = options.value('c').unwrap_or_default();
        proc.eprint(&format!("ping: invalid argument: '{value}'\n")).await;
        return if busybox { 1 } else { 2 };
    };
    let seconds = |letter, default| {
        options.value(letter).and_then(net::seconds).unwrap_or(Duration::from_secs(default))
    };
    let (every, patience) = (seconds('i', 1), seconds('W', 10));
    let deadline = options.value('w').and_then(net::seconds);
    let Ok(address) = net::resolve(&proc, host).await else {
        let text = match busybox {
            true => format!("ping: bad address '{host}'\n"),
            false => format!("ping: {host}: Name or service not known\n"),
        };
        proc.eprint(&text).await;
        return if busybox { 1 } else { 2 };
    };
    let head = match busybox {
        true => format!("PING {host} ({address}): 56 data bytes\n"),
        false => format!("PING {host} ({address}) 56(84) bytes of data.\n"),
    };
    proc.print(&head).await;
    let mut ping = Ping {
        proc: &proc,
        busybox,
        quiet: options.has('q'),
        sent: 0,
        times: Vec::new(),
        errors: 0,
        began: proc.sim().now(),
    };
    let work = ping.run(address, count, every, patience);
    let limit = async {
        match deadline {
            Some(limit) => proc.sleep(limit).await,
            None => std::future::pending().await,
        }
    };
    let interrupted = async { while !matches!(proc.signal().await, Signal::Int | Signal::Term) {} };
    let ended = race(work, race(interrupted, limit)).await;
    if let Either::Right(Either::Left(())) = ended
        && !busybox
    {
        proc.print("\n").await;
    }
    ping.report(host).await
}

impl Ping<'_> {
    async fn run(&mut self, to: Ipv4Addr, count: Option<u64>, every: Duration, patience: Duration) {
        let Some(endpoint) = net::endpoint(self.proc) else { return };
        loop {
            let sent = self.proc.sim().now();
            let number = self.sent + u64::from(!self.busybox);
            self.sent += 1;
            let last = count.is_some_and(|count| self.sent >= count);
            // The next one leaves in time, answer or not.
            let wait = if last { patience } else { every };
            match endpoint.ping(to, wait).await {
                Ok(took) => {
                    self.times.push(took);
                    self.line(to, number, took).await;
                }
                Err(PingError::Unreachable) if !self.busybox => {
                    self.errors += 1;
                    let own = endpoint.addresses().first().copied().unwrap_or(Ipv4Addr::LOCALHOST);
                    let text =
                        format!("From {own} icmp_seq={number} Destination Host Unreachable\n");
                    self.proc.print(&text).await;
                }
                Err(_) => {}
            }
            if last {
                return;
            }
            self.proc.sim().sleep_until(sent + every).await;
        }
    }

    async fn line(&self, to: Ipv4Addr, number: u64, took: Duration) {
        if self.quiet {
            return;
        }
        let millis = took.as_secs_f64() * 1000.0;
        let text = match self.busybox {
            true => format!("64 bytes from {to}: seq={number} ttl=64 time={millis:.3} ms\n"),
            false => format!("64 bytes from {to}: icmp_seq={number} ttl=64 time={millis:.3} ms\n"),
        };
        self.proc.print(&text).await;
    }

    async fn report(&self, host: &str) -> i32 {
        let (sent, got) = (self.sent, self.times.len() as u64);
        let loss = ((sent - got) * 100).checked_div(sent).unwrap_or(0);
        let millis: Vec<f64> = self.times.iter().map(|t| t.as_secs_f64() * 1000.0).collect();
        let total = self.proc.sim().now().since(self.began).as_millis();
        let errors =
            if self.errors > 0 { format!(", +{} errors", self.errors) } else { String::new() };
        let mut text = format!("\n--- {host} ping statistics ---\n");
        text += &match self.busybox {
            true => {
                format!("{sent} packets transmitted, {got} packets received, {loss}% packet loss\n")
            }
            false => format!(
                "{sent} packets transmitted, {got} received{errors}, {loss}% packet loss, time \
                    {total}ms\n"
            ),
        };
        if !millis.is_empty() {
            let min = millis.iter().copied().fold(f64::INFINITY, f64::min);
            let max = millis.iter().copied().fold(0.0, f64::max);
            let mean = millis.iter().sum::<f64>() / millis.len() as f64;
            let variance =
                millis.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / millis.len() as f64;
            text += &match self.busybox {
                true => format!("round-trip min/avg/max = {min:.3}/{mean:.3}/{max:.3} ms\n"),
                false => format!(
                    "rtt min/avg/max/mdev = {min:.3}/{mean:.3}/{max:.3}/{:.3} ms\n",
                    variance.sqrt()
                ),
            };
        } else if !self.busybox {
            text += "\n";
        }
        self.proc.print(&text).await;
        i32::from(got == 0)
    }
}
