//! `cat`.

use super::support::{
    inputs,
    opts::{Spec, options},
};
use crate::machine::{Proc, Program};

/// `cat`
pub const PROGRAM: Program = Program {
    name: "cat",
    summary: "concatenate files and print on the standard output",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec {
    usage: "cat [OPTION]... [FILE]...
  -A   show everything: -vET
  -b   number lines that aren't empty
  -E   show the end of each line as $
  -n   number all lines
  -s   show only one of several empty lines
  -T   show tabs as ^I
  -v   show other control characters as ^X
With no FILE, or when FILE is -, read standard input.",
    short: "AbeEnstTuv",
    long: &[
        ("number", 'n'),
        ("number-nonblank", 'b'),
        ("show-all", 'A'),
        ("show-ends", 'E'),
        ("show-tabs", 'T'),
        ("squeeze-blank", 's'),
        ("show-nonprinting", 'v'),
    ],
    trouble: 1,
};

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let plain = options.last_of("AbeEnstTv").is_none();
    let (mut status, mut number, mut blank) = (0, 0, false);
    for name in inputs::names(&options.rest) {
        let Some(source) = inputs::open(&proc, &name).await else {
            status = 1;
            continue;
        };
        if plain {
            loop {
                let bytes = source.read().await;
                if bytes.is_empty() {
                    break;
                }
                proc.write(1, &bytes).await;
            }
            continue;
        }
        loop {
            let line = source.raw_line().await;
            if line.is_empty() {
                break;
            }
            let empty = line == b"\n";
            if options.has('s') && empty && std::mem::replace(&mut blank, true) {
                continue;
            }
            blank = empty;
            let mut out = Vec::new();
            if options.has('b') && !empty || options.has('n') && !options.has('b') {
                number += 1;
                out.extend(format!("{number:>6}\t").into_bytes());
            }
            let has = |letters: &str| options.last_of(letters).is_some();
            for byte in line {
                match byte {
                    b'\n' if has("AEe") => out.extend(b"$\n"),
                    b'\t' if has("ATt") => out.extend(b"^I"),
                    b'\n' | b'\t' => out.push(byte),
                    0..=31 if has("Avet") => out.extend([b'^', byte + 64]),
                    127 if has("Avet") => out.extend(b"^?"),
                    byte => out.push(byte),
                }
            }
            proc.write(1, &out).await;
        }
    }
    status
}
