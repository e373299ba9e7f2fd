//! `chmod`.

use super::support::{
    names::join,
    opts::{Spec, options},
};
use crate::machine::{Proc, Program};

/// `chmod`
pub const PROGRAM: Program = Program {
    name: "chmod",
    summary: "change file mode bits",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

async fn main(proc: Proc) -> i32 {
    // Modes may begin with a minus, so they are told apart from options first.
    let spec = Spec {
        usage: "chmod [-R] [-v] MODE FILE...\nMODE is octal, or like u+x, go-w, a=r.",
        short: "Rrvfwx",
        long: &[("recursive", 'R')],
        trouble: 1,
    };
    let args = proc.args();
    let minus = args.iter().skip(1).find(|a| {
        a.starts_with('-') && a.len() > 1 && a[1..].chars().all(|c| "rwxXst".contains(c))
    });
    let options = match options(&proc, &spec).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let (mode, files) = match (minus, options.rest.split_first()) {
        (Some(mode), _) => (mode.clone(), options.rest.clone()),
        (None, Some((mode, files))) => (mode.clone(), files.to_vec()),
        (None, None) => (String::new(), Vec::new()),
    };
    if files.is_empty() {
        proc.eprint("chmod: missing operand\nTry 'chmod --help' for more information.\n").await;
        return 1;
    }
    if new_mode(&mode, 0, false).is_none() {
        proc.eprint(&format!(
            "chmod: invalid mode: '{mode}'\nTry 'chmod --help' for more information.\n"
        ))
        .await;
        return 1;
    }
    let mut status = 0;
    let mut pending = files;
    while let Some(path) = pending.pop() {
        let node = match proc.stat(&path) {
            Ok(node) => node,
            Err(error) => {
                proc.eprint(&format!("chmod: cannot access '{path}': {error}\n")).await;
                status = 1;
                continue;
            }
        };
        let new = new_mode(&mode, node.mode, node.is_dir()).unwrap_or(node.mode);
        if let Err(error) = proc.set_attributes(&path, |n| n.mode = new) {
            proc.eprint(&format!("chmod: changing permissions of '{path}': {error}\n")).await;
            status = 1;
        }
        if options.has('R') && node.is_dir() {
            let list = proc.list(&path).unwrap_or_default();
            pending.extend(list.iter().map(|(name, _)| join(&path, name)));
        }
    }
    status
}

/// A mode after a change like `755` or `u+x,go-w`; `None` where that is no mode.
pub fn new_mode(text: &str, old: u32, is_dir: bool) -> Option<u32> {
    if !text.is_empty() && text.chars().all(|c| ('0'..='7').contains(&c)) {
        return u32::from_str_radix(text, 8).ok().filter(|m| *m <= 0o7777);
    }
    let mut mode = old;
    for clause in text.split(',') {
        let start = clause.find(['+', '-', '='])?;
        let (who, rest) = clause.split_at(start);
        let mut mask = 0;
        for c in who.chars() {
            mask |= match c {
                'u' => 0o4700,
                'g' => 0o2070,
                'o' => 0o1007,
                'a' => 0o7777,
                _ => return None,
            };
        }
        if who.is_empty() {
            mask = 0o7777;
        }
        let mut op = '+';
        let mut bits = 0;
        let apply = |mode: &mut u32, op: char, bits: u32| match op {
            '+' => *mode |= bits & mask,
            '-' => *mode &= !(bits & mask),
            _ => *mode = (*mode & !(mask & 0o777)) | (bits & mask),
        };
        for (index, c) in rest.chars().enumerate() {
            match c {
                '+' | '-' | '=' => {
                    if index > 0 {
                        apply(&mut mode, op, bits);
                    }
                    (op, bits) = (c, 0);
                }
                'r' => bits |= 0o444,
                'w' => bits |= 0o222,
                'x' => bits |= 0o111,
                'X' if is_dir || old & 0o111 != 0 => bits |= 0o111,
                'X' => {}
                's' => bits |= 0o6000,
                't' => bits |= 0o1000,
                _ => return None,
            }
        }
        apply(&mut mode, op, bits);
    }
    Some(mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes() {
        for (text, old, want) in [
            ("755", 0, Some(0o755)),
            ("u+x", 0o644, Some(0o744)),
            ("+x", 0o644, Some(0o755)),
            ("go-rwx", 0o755, Some(0o700)),
            ("a=r", 0o755, Some(0o444)),
            ("u=rw,g=r,o=", 0o777, Some(0o640)),
            ("q", 0, None),
            ("888", 0, None),
        ] {
            assert_eq!(new_mode(text, old, false), want, "{text}");
        }
    }
}
