//! `expr`.

use crate::{
    machine::{Proc, Program},
    shell::regex::{Syntax, compile},
};

/// `expr`
pub const PROGRAM: Program = Program {
    name: "expr",
    summary: "evaluate expressions",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

async fn main(proc: Proc) -> i32 {
    let args = proc.args().get(1..).unwrap_or_default();
    let mut at = 0;
    let value = match or(args, &mut at, 0) {
        Ok(value) if at == args.len() => value,
        Ok(_) => {
            proc.eprint(&format!("expr: syntax error: unexpected argument '{}'\n", args[at])).await;
            return 2;
        }
        Err(error) => {
            proc.eprint(&format!("expr: {error}\n")).await;
            return 2;
        }
    };
    proc.print(&format!("{value}\n")).await;
    i32::from(value.is_empty() || value == "0")
}

type Value = Result<String, String>;

fn or(args: &[String], at: &mut usize, depth: usize) -> Value {
    if depth > 50 {
        return Err("syntax error: nested too deeply".into());
    }
    binary(args, at, 0, depth)
}

fn binary(args: &[String], at: &mut usize, level: usize, depth: usize) -> Value {
    const LEVELS: &[&[&str]] = &[
        &["|"],
        &["&"],
        &["<", "<=", "=", "==", "!=", ">=", ">"],
        &["+", "-"],
        &["*", "/", "%"],
        &[":"],
    ];
    let Some(ops) = LEVELS.get(level) else { return primary(args, at, depth) };
    let mut left = binary(args, at, level + 1, depth)?;
    while let Some(op) = args.get(*at).filter(|a| ops.contains(&a.as_str())) {
        *at += 1;
        let right = binary(args, at, level + 1, depth)?;
        left = apply(op, left, right)?;
    }
    Ok(left)
}

fn primary(args: &[String], at: &mut usize, depth: usize) -> Value {
    let word = args.get(*at).ok_or("syntax error: missing argument after last operand")?;
    *at += 1;
    match word.as_str() {
        "(" => {
            let value = or(args, at, depth + 1)?;
            if args.get(*at).map(String::as_str) != Some(")") {
                return Err("syntax error: expecting ')'".into());
            }
            *at += 1;
            Ok(value)
        }
        "length" if args.get(*at).is_some() => {
            *at += 1;
            Ok(args[*at - 1].chars().count().to_string())
        }
        _ => Ok(word.clone()),
    }
}

fn apply(op: &str, a: String, b: String) -> Value {
    let empty = |text: &str| text.is_empty() || text == "0";
    let numbers = a.parse::<i64>().ok().zip(b.parse::<i64>().ok());
    let flag = |value: bool| i32::from(value).to_string();
    Ok(match op {
        "|" => {
            if empty(&a) {
                b
            } else {
                a
            }
        }
        "&" => {
            if empty(&a) || empty(&b) {
                "0".into()
            } else {
                a
            }
        }
        ":" => {
            let regex = compile(&format!("^{b}"), Syntax::Basic, false)?;
            match (regex.captures(&a), regex.captures_len() > 1) {
                (Some(found), true) => found.get(1).map_or("", |g| g.as_str()).to_string(),
                (Some(found), false) => found[0].chars().count().to_string(),
                (None, true) => String::new(),
                (None, false) => "0".into(),
            }
        }
        "<" => flag(numbers.map_or(a < b, |(a, b)| a < b)),
        "<=" => flag(numbers.map_or(a <= b, |(a, b)| a <= b)),
        ">" => flag(numbers.map_or(a > b, |(a, b)| a > b)),
        ">=" => flag(numbers.map_or(a >= b, |(a, b)| a >= b)),
        "=" | "==" => flag(a == b),
        "!=" => flag(a != b),
        _ => {
            let (a, b) = numbers.ok_or("non-integer argument")?;
            match op {
                "+" => a.wrapping_add(b),
                "-" => a.wrapping_sub(b),
                "*" => a.wrapping_mul(b),
                _ if b == 0 => return Err("division by zero".into()),
                "/" => a.wrapping_div(b),
                _ => a.wrapping_rem(b),
            }
            .to_string()
        }
    })
}
