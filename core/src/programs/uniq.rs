//! `uniq`.

use super::support::{
    inputs,
    opts::{Spec, options},
};
use crate::machine::{Proc, Program};

/// `uniq`
pub const PROGRAM: Program = Program {
    name: "uniq",
    summary: "leave out repeated lines",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec {
    usage: "uniq [OPTION]... [INPUT]\n  -c   how often each line comes\n  -d   only lines that are repeated\n  -f N   ignore N fields\n  -i   ignore case\n  -s N   ignore N characters\n  -u   only lines that are not repeated",
    short: "cdf:is:u",
    long: &[("count", 'c'), ("repeated", 'd'), ("unique", 'u'), ("ignore-case", 'i')],
    trouble: 1,
};

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let name = options.rest.first().map_or("-", String::as_str);
    let Some(source) = inputs::open(&proc, name).await else { return 1 };
    let count = |letter| options.value(letter).and_then(|n| n.parse::<usize>().ok()).unwrap_or(0);
    let (fields, characters) = (count('f'), count('s'));
    let fold = |line: &str| {
        let mut rest = line;
        for _ in 0..fields {
            let trimmed = rest.trim_start();
            rest = &trimmed[trimmed.find(char::is_whitespace).unwrap_or(trimmed.len())..];
        }
        let rest: String = rest.chars().skip(characters).collect();
        if options.has('i') { rest.to_lowercase() } else { rest }
    };
    let mut group: Option<(String, String, usize)> = None;
    loop {
        let line = source.line().await;
        let ended = line.is_none();
        let line = line.unwrap_or_default();
        let key = fold(&line);
        match &mut group {
            Some((_, old, times)) if !ended && *old == key => *times += 1,
            _ => {
                if let Some((text, _, times)) = group.take() {
                    let wanted = !(options.has('d') && times < 2 || options.has('u') && times > 1);
                    if wanted {
                        let prefix =
                            if options.has('c') { format!("{times:>7} ") } else { String::new() };
                        proc.print(&format!("{prefix}{text}\n")).await;
                    }
                }
                group = Some((line, key, 1));
            }
        }
        if ended {
            return 0;
        }
    }
}
