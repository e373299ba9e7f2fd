//! Programs that use up what they are told to: what the tasks about limits of memory and
//! processor time deploy.

use std::{collections::BTreeMap, time::Duration};

use super::{
    super::{ImageDef, LayerDef},
    base::{ALPINE_LAYER, DEBIAN_LAYER},
    serving::emit,
};
use crate::{
    api::{duration::parse_go, quantity::Amount},
    machine::{Proc, Program},
    sim::Time,
};

/// Amos Waterland's `stress`
pub const STRESS: Program = Program {
    name: "stress",
    summary: "use processors and memory, as much as is told",
    run: |proc| Box::pin(stress(proc)),
    complete: None,
};

/// Vish's `stress`
pub const VISH_STRESS: Program = Program {
    name: "vish-stress",
    summary: "use processors and memory, as much as is told",
    run: |proc| Box::pin(vish_stress(proc)),
    complete: None,
};

const USAGE: &str = "\
Usage: stress [OPTION [ARG]] ...
 -?, --help         show this help
     --version      show the version
 -v, --verbose      be verbose
 -q, --quiet        be quiet
 -n, --dry-run      only say what would be done
 -t, --timeout N    end after N seconds
 -c, --cpu N        N workers that compute
 -m, --vm N         N workers that use memory
     --vm-bytes B   each so many bytes (256M)
     --vm-hang N    each sleeps N seconds before it gives them back; 0 is for ever
     --vm-keep      each keeps them and writes to them again
";

/// Options with a value, and the letters for them.
const VALUES: &[(&str, char)] = &[
    ("timeout", 't'),
    ("backoff", 'b'),
    ("cpu", 'c'),
    ("io", 'i'),
    ("vm", 'm'),
    ("vm-bytes", 'B'),
    ("vm-hang", 'H'),
    ("vm-stride", 'S'),
    ("hdd", 'd'),
    ("hdd-bytes", 'D'),
];

/// Options without.
const SWITCHES: &[(&str, char)] = &[
    ("help", '?'),
    ("version", 'V'),
    ("verbose", 'v'),
    ("quiet", 'q'),
    ("dry-run", 'n'),
    ("vm-keep", 'K'),
];

/// The options of a command line by their letters.
fn options(args: &[String]) -> Result<BTreeMap<char, String>, String> {
    let mut found = BTreeMap::new();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let unknown = || format!("unrecognized option: {arg}");
        let by_letter = |c: char| VALUES.iter().chain(SWITCHES).any(|(_, l)| *l == c);
        let letter = match arg.strip_prefix("--") {
            Some(name) => VALUES.iter().chain(SWITCHES).find(|(n, _)| *n == name).map(|(_, l)| *l),
            None => arg
                .strip_prefix('-')
                .and_then(|l| l.parse::<char>().ok())
                .filter(|c| !c.is_ascii_uppercase() && by_letter(*c)),
        };
        let letter = letter.ok_or_else(unknown)?;
        let value = match VALUES.iter().any(|(_, l)| *l == letter) {
            true => rest.next().cloned().ok_or_else(|| format!("missing argument: {arg}"))?,
            false => String::new(),
        };
        found.insert(letter, value);
    }
    Ok(found)
}

/// A number with the letters that `stress` understands: seconds, minutes …, or kilo, mega, giga.
fn number(text: &str, units: &[(char, u64)]) -> Option<u64> {
    let (digits, unit) = match text.char_indices().last()? {
        (at, last) if last.is_ascii_alphabetic() => {
            let found = units.iter().find(|(l, _)| l.eq_ignore_ascii_case(&last))?;
            (text.get(..at)?, found.1)
        }
        _ => (text, 1),
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

const BYTES: &[(char, u64)] = &[('b', 1), ('k', 1 << 10), ('m', 1 << 20), ('g', 1 << 30)];
const SECONDS: &[(char, u64)] =
    &[('s', 1), ('m', 60), ('h', 3600), ('d', 86400), ('y', 31_556_952)];

/// What `stress` is asked for.
struct Load {
    cpu: u64,
    vm: u64,
    bytes: u64,
    /// How long a worker holds its memory before it gives it back; `Some(0)` is for ever.
    hang: Option<u64>,
    timeout: Option<u64>,
}

fn load(options: &BTreeMap<char, String>) -> Result<Load, String> {
    let read = |letter: char, units: &[(char, u64)]| match options.get(&letter) {
        None => Ok(None),
        Some(text) => {
            number(text, units).map(Some).ok_or_else(|| format!("unrecognized value: {text}"))
        }
    };
    if options.contains_key(&'i') || options.contains_key(&'d') {
        return Err("work on disks is not simulated in this sandbox".into());
    }
    Ok(Load {
        cpu: read('c', &[])?.unwrap_or(0),
        vm: read('m', &[])?.unwrap_or(0),
        bytes: read('B', BYTES)?.unwrap_or(256 << 20),
        hang: read('H', SECONDS)?,
        timeout: read('t', SECONDS)?,
    })
}

/// More workers than a node could ever have threads for are refused.
const MOST_WORKERS: u64 = 4096;

async fn stress(proc: Proc) -> i32 {
    let pid = proc.process().pid;
    let fail = async |why: &str| {
        proc.eprint(&format!("stress: FAIL: [{pid}] {why}\n")).await;
        1
    };
    let options = match options(proc.args().get(1..).unwrap_or_default()) {
        Ok(options) => options,
        Err(why) => return fail(&why).await,
    };
    if options.contains_key(&'V') {
        proc.print("stress 1.0.4\n").await;
        return 0;
    }
    let load = match load(&options) {
        Ok(load) if load.cpu.saturating_add(load.vm) > MOST_WORKERS => {
            return fail("too many workers").await;
        }
        Ok(load) => load,
        Err(why) => return fail(&why).await,
    };
    if load.cpu + load.vm == 0 {
        proc.print(USAGE).await;
        return 0;
    }
    let quiet = options.contains_key(&'q');
    if !quiet {
        let text = format!(
            "stress: info: [{pid}] dispatching hogs: {} cpu, 0 io, {} vm, 0 hdd\n",
            load.cpu, load.vm
        );
        proc.print(&text).await;
    }
    if options.contains_key(&'n') {
        return 0;
    }
    // A worker that sleeps with its memory, or keeps it, computes nothing meanwhile; others touch
    // it again and again.
    let busy = load.cpu + if load.hang.is_none() { load.vm } else { 0 };
    let process = proc.process();
    process.burn(busy.saturating_mul(1000));
    // A worker writes to its memory page by page: a gigabyte takes about half a second.
    let all = load.vm.saturating_mul(load.bytes);
    proc.sleep(Duration::from_micros((all >> 11).min(10_000_000))).await;
    process.set_memory((1 << 20) + all);
    match load.timeout {
        Some(seconds) => proc.sleep(Duration::from_secs(seconds)).await,
        None => std::future::pending().await,
    }
    process.burn(0);
    if !quiet {
        let seconds = load.timeout.unwrap_or(0);
        let text = format!("stress: info: [{pid}] successful run completed in {seconds}s\n");
        proc.print(&text).await;
    }
    0
}

/// A line of glog.
fn glog(proc: &Proc, line: u32, text: &str) {
    let now = proc.sim().now();
    let time = now.to_timestamp().strftime("%m%d %H:%M:%S").to_string();
    let micros = now.since(Time::from_secs(now.as_secs())).as_micros();
    let pid = proc.process().pid;
    emit(proc, 2, &format!("I{time}.{micros:06} {pid:>7} main.go:{line}] {text}\n"));
}

async fn vish_stress(proc: Proc) -> i32 {
    let args = proc.args();
    let mut rest = args.iter().skip(1);
    let (mut cpus, mut total, mut step) = (0_u64, "0".to_string(), "4Ki".to_string());
    let mut pause = "1ms".to_string();
    while let Some(arg) = rest.next() {
        let name = arg.trim_start_matches('-');
        let (name, value) = match name.split_once('=') {
            Some((name, value)) => (name, Some(value.to_string())),
            None => (name, None),
        };
        if name == "logtostderr" {
            continue;
        }
        let Some(value) = value.or_else(|| rest.next().cloned()) else {
            proc.eprint(&format!("flag needs an argument: -{name}\n")).await;
            return 2;
        };
        match (name, value.parse::<u64>()) {
            ("cpus", Ok(n)) if n <= MOST_WORKERS => cpus = n,
            ("cpus", _) => {
                let text = format!("invalid value \"{value}\" for flag -cpus: parse error\n");
                proc.eprint(&text).await;
                return 2;
            }
            ("mem-total", _) => total = value,
            ("mem-alloc-size", _) => step = value,
            ("mem-alloc-sleep", _) => pause = value,
            _ => {
                proc.eprint(&format!("flag provided but not defined: -{name}\n")).await;
                return 2;
            }
        }
    }
    let bytes = |text: &str| {
        let amount = Amount::parse(text).ok()?;
        u64::try_from(amount.units()).ok()
    };
    let wait = parse_go(&pause).ok().and_then(|nanos| u64::try_from(nanos).ok());
    let wait = wait.map(Duration::from_nanos);
    let (Some(all), Some(each), Some(wait)) = (bytes(&total), bytes(&step), wait) else {
        proc.eprint("panic: cannot parse a quantity or a duration of the command line\n").await;
        return 2;
    };
    let text = format!(
        "Allocating \"{total}\" memory, in \"{step}\" chunks, with a {pause} sleep between \
         allocations"
    );
    glog(&proc, 26, &text);
    for _ in 0..cpus {
        glog(&proc, 39, "Spawning a thread to consume CPU");
    }
    let process = proc.process();
    process.burn(cpus.saturating_mul(1000));
    // One step a second at most is looked at: chunks of a few kilobytes would be thousands of them.
    let mut got = 0;
    let chunks = (Duration::from_secs(1).as_nanos() / wait.as_nanos().max(1)).clamp(1, 1 << 20);
    let stride = each.max(1).saturating_mul(chunks as u64);
    while got < all {
        proc.sleep(wait.saturating_mul(u32::try_from(chunks).unwrap_or(1))).await;
        got = got.saturating_add(stride).min(all);
        process.set_memory((2 << 20) + got);
    }
    glog(&proc, 29, &format!("Allocated \"{total}\" memory"));
    std::future::pending().await
}

static POLINUX: ImageDef = ImageDef {
    repository: "polinux/stress",
    layers: &[
        ALPINE_LAYER,
        LayerDef {
            id: "stress",
            arg: "1.0.4",
            size: 4_340_000,
            created_by: "/bin/sh -c apk add --update stress",
            build: |cx| cx.program("/usr/bin/stress", "stress"),
        },
    ],
    cmd: &["/bin/sh"],
    created: Time::from_secs(1_499_000_000),
    ..ImageDef::EMPTY
};

static VISH: ImageDef = ImageDef {
    repository: "vish/stress",
    layers: &[
        DEBIAN_LAYER,
        LayerDef {
            id: "vish-stress",
            arg: "",
            size: 3_200_000,
            created_by: "/bin/sh -c #(nop) ADD file:stress in /",
            build: |cx| cx.program("/stress", "vish-stress"),
        },
    ],
    entrypoint: &["/stress", "-logtostderr"],
    created: Time::from_secs(1_430_000_000),
    ..ImageDef::EMPTY
};

/// The images.
pub const IMAGES: &[&ImageDef] = &[&POLINUX, &VISH];
