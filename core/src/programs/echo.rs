//! `echo`.

use crate::{
    machine::{Proc, Program},
    shell::escape::unescape,
};

/// `echo`
pub const PROGRAM: Program = Program {
    name: "echo",
    summary: "display a line of text",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

async fn main(proc: Proc) -> i32 {
    let mut words = proc.args().get(1..).unwrap_or_default();
    let (mut newline, mut escapes) = (true, false);
    while let Some(flags) = words.first().and_then(|w| w.strip_prefix('-')) {
        if flags.is_empty() || !flags.chars().all(|c| "neE".contains(c)) {
            break;
        }
        for flag in flags.chars() {
            match flag {
                'n' => newline = false,
                flag => escapes = flag == 'e',
            }
        }
        words = &words[1..];
    }
    let text = words.join(" ");
    let mut bytes = text.into_bytes();
    if escapes {
        let (new, stopped) = unescape(&String::from_utf8_lossy(&bytes), false);
        bytes = new;
        newline &= !stopped;
    }
    if newline {
        bytes.push(b'\n');
    }
    proc.write(1, &bytes).await;
    0
}
