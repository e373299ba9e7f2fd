//! `ip` and `ifconfig`: the addresses of a machine. They show, they change nothing.

use std::net::Ipv4Addr;

use super::support::net;
use crate::machine::{Proc, Program};

/// `ip`
pub const PROGRAM: Program = Program {
    name: "ip",
    summary: "show addresses and routes",
    run: |proc| Box::pin(ip(proc)),
    complete: None,
};

/// `ifconfig`
pub const IFCONFIG: Program = Program {
    name: "ifconfig",
    summary: "show network interfaces",
    run: |proc| Box::pin(ifconfig(proc)),
    complete: None,
};

/// Name, address and prefix of the interfaces beside loopback.
fn interfaces(proc: &Proc) -> Vec<(String, Ipv4Addr, u8)> {
    let Some(endpoint) = net::endpoint(proc) else { return Vec::new() };
    let addresses = endpoint.addresses().into_iter().enumerate();
    addresses
        .map(|(n, a)| (format!("eth{n}"), a, if a.octets()[0] == 172 { 16 } else { 24 }))
        .collect()
}

fn mac(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("02:42:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

fn mask(prefix: u8) -> Ipv4Addr {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0).into()
}

fn broadcast(address: Ipv4Addr, prefix: u8) -> Ipv4Addr {
    (u32::from(address) | !u32::from(mask(prefix))).into()
}

async fn ip(proc: Proc) -> i32 {
    let args: Vec<&str> = proc.args().iter().skip(1).map(String::as_str).collect();
    let words: Vec<&str> = args.iter().copied().filter(|a| !a.starts_with('-')).collect();
    let brief = args.contains(&"-br") || args.contains(&"-brief");
    let object = words.first().copied().unwrap_or_default();
    let is = |name: &str| !object.is_empty() && name.starts_with(object);
    if words.get(1).is_some_and(|verb| !matches!(*verb, "show" | "list" | "ls" | "s" | "dev")) {
        proc.eprint("ip: changing addresses and routes is not simulated\n").await;
        return 1;
    }
    let all = interfaces(&proc);
    let text = if is("address") || is("link") {
        let mut text = lo(brief, is("address"));
        for (n, (name, address, prefix)) in all.iter().enumerate() {
            text += &interface(n + 2, name, *address, *prefix, brief, is("address"));
        }
        text
    } else if is("route") {
        let mut text = String::new();
        if let Some((name, address, prefix)) = all.first() {
            let base = u32::from(*address) & u32::from(mask(*prefix));
            let (gateway, base): (Ipv4Addr, Ipv4Addr) = ((base + 1).into(), base.into());
            text = format!(
                "default via {gateway} dev {name} \n{base}/{prefix} dev {name} scope link  src \
                    {address} \n"
            );
        }
        text
    } else {
        proc.eprint("Usage: ip [ OPTIONS ] { address | link | route } [ show ]\n").await;
        return if object.is_empty() { 255 } else { 1 };
    };
    proc.print(&text).await;
    0
}

fn lo(brief: bool, addresses: bool) -> String {
    if brief {
        return "lo               UNKNOWN        127.0.0.1/8 \n".into();
    }
    let mut text = String::from(
        "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN qlen 1000\n    \
         link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n",
    );
    if addresses {
        text +=
            "    inet 127.0.0.1/8 scope host lo\n       valid_lft forever preferred_lft forever\n";
    }
    text
}

fn interface(
    n: usize,
    name: &str,
    address: Ipv4Addr,
    prefix: u8,
    brief: bool,
    addresses: bool,
) -> String {
    if brief {
        return format!("{name:<16} UP             {address}/{prefix} \n");
    }
    let mut text = format!(
        "{n}: {name}: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP qlen \
            1000\n    \
         link/ether {} brd ff:ff:ff:ff:ff:ff\n",
        mac(address)
    );
    if addresses {
        text += &format!(
            "    inet {address}/{prefix} brd {} scope global {name}\n       valid_lft forever \
             preferred_lft forever\n",
            broadcast(address, prefix)
        );
    }
    text
}

async fn ifconfig(proc: Proc) -> i32 {
    let wanted = proc.args().get(1).cloned().filter(|a| a != "-a");
    let mut text = String::new();
    for (name, address, prefix) in interfaces(&proc) {
        if wanted.as_ref().is_none_or(|w| *w == name) {
            text += &format!(
                "{name:<10}Link encap:Ethernet  HWaddr {}\n          inet addr:{address}  \
                    Bcast:{}  Mask:{}\n          \
                 UP BROADCAST RUNNING MULTICAST  MTU:1500  Metric:1\n\n",
                mac(address).to_uppercase(),
                broadcast(address, prefix),
                mask(prefix)
            );
        }
    }
    if wanted.as_ref().is_none_or(|w| w == "lo") {
        text += "lo        Link encap:Local Loopback\n          inet addr:127.0.0.1  \
            Mask:255.0.0.0\n          \
                 UP LOOPBACK RUNNING  MTU:65536  Metric:1\n\n";
    }
    if text.is_empty() {
        let name = wanted.unwrap_or_default();
        proc.eprint(&format!(
            "ifconfig: {name}: error fetching interface information: Device not found\n"
        ))
        .await;
        return 1;
    }
    proc.print(&text).await;
    0
}
