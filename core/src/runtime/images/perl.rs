//! perl, as far as the tutorials of Jobs go: `perl -Mbignum=bpi -wle 'print bpi(2000)'`.

use std::time::Duration;

use super::{
    super::{ImageDef, LayerDef},
    base::DEBIAN_LAYER,
};
use crate::{
    machine::{Proc, Program},
    sim::Time,
};

/// More digits would hold up the simulation.
const MOST_DIGITS: usize = 10_000;

/// `perl`
pub const PROGRAM: Program = Program {
    name: "perl",
    summary: "works out digits of pi",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

async fn main(proc: Proc) -> i32 {
    let args = proc.args()[1..].to_vec();
    if args.iter().any(|a| a == "-v") {
        proc.print("\nThis is perl 5, version 34, subversion 1 (v5.34.1) built for x86_64-linux\n")
            .await;
        return 0;
    }
    let script = args.last().map_or("", String::as_str);
    let digits = script
        .trim()
        .trim_end_matches(';')
        .strip_prefix("print bpi(")
        .and_then(|rest| rest.strip_suffix(')')?.trim().parse::<usize>().ok());
    match digits {
        Some(digits) if (1..=MOST_DIGITS).contains(&digits) => {
            // bignum takes about 7 seconds for 2,000 digits, and twice as many take four times as long.
            let micros = (digits * digits) as u64 * 7 / 4;
            proc.process().add_cpu_micros(micros);
            proc.process().set_memory(20 << 20);
            proc.sleep(Duration::from_micros(micros)).await;
            proc.print(&format!("{}\n", pi(digits))).await;
            0
        }
        _ => {
            let text = "perl: only `print bpi(N)` is simulated, for N from 1 to 10000\n";
            proc.eprint(text).await;
            1
        }
    }
}

/// So many digits of pi, the 3 included, rounded. By the spigot of Rabinowitz and Wagon.
fn pi(digits: usize) -> String {
    // The last digits may still change by a carry.
    let wanted = digits + 8;
    let mut cells = vec![2_u64; wanted * 10 / 3 + 2];
    let mut out: Vec<u8> = Vec::with_capacity(wanted + 1);
    while out.len() < wanted {
        let mut carry = 0;
        for i in (1..cells.len()).rev() {
            let value = cells[i] * 10 + carry;
            let base = 2 * i as u64 + 1;
            cells[i] = value % base;
            carry = value / base * i as u64;
        }
        let value = cells[0] * 10 + carry;
        cells[0] = value % 10;
        out.push((value / 10 % 10) as u8);
        if value >= 100 {
            add_one(&mut out, 1);
        }
    }
    let next = out.get(digits).copied().unwrap_or(0);
    out.truncate(digits);
    if next >= 5 {
        add_one(&mut out, 0);
    }
    let text: String = out.iter().map(|d| char::from(b'0' + d)).collect();
    match text.split_at(1) {
        (whole, "") => whole.to_string(),
        (whole, rest) => format!("{whole}.{rest}"),
    }
}

/// Adds one to the digit that stands `from_end` places before the last.
fn add_one(digits: &mut [u8], from_end: usize) {
    let end = digits.len().saturating_sub(from_end);
    for digit in digits[..end].iter_mut().rev() {
        *digit = (*digit + 1) % 10;
        if *digit != 0 {
            return;
        }
    }
}

/// `perl`
pub static IMAGE: ImageDef = ImageDef {
    repository: "perl",
    tags: &["latest", "5", "5.34", "5.34.0", "5.34.1", "5.36", "5.38", "5.40"],
    layers: &[
        LayerDef { id: "debian", size: 116_500_000, ..DEBIAN_LAYER },
        LayerDef {
            id: "perl",
            arg: "5.34.1",
            size: 745_000_000,
            created_by: "RUN /bin/sh -c true && curl -fL …/perl-5.34.1.tar.xz … # buildkit",
            build: |cx| {
                cx.program("/usr/local/bin/perl", "perl");
                cx.program("/usr/local/bin/perl5.34.1", "perl");
            },
        },
    ],
    cmd: &["perl5.34.1", "-de0"],
    created: Time::from_secs(1_648_000_000),
    ..ImageDef::EMPTY
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_pi_are_right() {
        assert_eq!(pi(1), "3");
        assert_eq!(pi(5), "3.1416");
        assert_eq!(pi(31), "3.141592653589793238462643383280");
        // …2113 4999999 8…: what rounding makes of six nines.
        assert!(pi(768).ends_with("21135000000"), "{}", pi(768));
        assert!(pi(1001).ends_with("2164201989"));
    }
}
