//! `printf`.

use crate::{
    machine::{Proc, Program},
    shell::escape::{quote, unescape},
};

/// `printf`
pub const PROGRAM: Program = Program {
    name: "printf",
    summary: "format and print data",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

async fn main(proc: Proc) -> i32 {
    let mut args = proc.args().get(1..).unwrap_or_default();
    if args.first().is_some_and(|a| a == "--") {
        args = &args[1..];
    }
    let Some((format, mut args)) = args.split_first() else {
        proc.eprint("printf: usage: printf [-v var] format [arguments]\n").await;
        return 2;
    };
    let mut status = 0;
    loop {
        let before = args.len();
        let (text, stop, errors) = one_round(format, &mut args);
        proc.write(1, &text).await;
        for error in errors {
            proc.eprint(&format!("printf: {error}\n")).await;
            status = 1;
        }
        if stop || args.is_empty() || args.len() == before {
            return status;
        }
    }
}

/// Prints the format once, taking arguments; whether `\c` stopped it; and what was wrong.
pub fn one_round(format: &str, args: &mut &[String]) -> (Vec<u8>, bool, Vec<String>) {
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        let (bytes, _) = unescape(&rest[..at], true);
        out.extend(bytes);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            out.push(b'%');
            rest = after;
            continue;
        }
        let flags_end = rest.find(|c: char| !"-+ #0'".contains(c)).unwrap_or(rest.len());
        let mut flags = rest[..flags_end].to_string();
        rest = &rest[flags_end..];
        let width = number(&mut rest, args);
        let mut precision = None;
        if let Some(after) = rest.strip_prefix('.') {
            rest = after;
            precision = Some(number(&mut rest, args).unwrap_or(0).max(0) as usize);
        }
        rest = rest.trim_start_matches(['l', 'h', 'q']);
        let Some(kind) = rest.chars().next() else {
            errors.push("missing format character".to_string());
            break;
        };
        rest = &rest[kind.len_utf8()..];
        let width = width.unwrap_or(0);
        if width < 0 {
            flags.push('-');
        }
        let width = (width.unsigned_abs() as usize).min(10_000);
        let arg = args.first().cloned();
        *args = args.get(1..).unwrap_or_default();
        let text = arg.clone().unwrap_or_default();
        let field = match kind {
            's' => truncate(text.into_bytes(), precision),
            'b' => {
                let (bytes, stop) = unescape(&text, false);
                out.extend(pad(truncate(bytes, precision), width, &flags, false));
                if stop {
                    return (out, true, errors);
                }
                continue;
            }
            'q' => quote(&text).into_bytes(),
            'c' => text.chars().take(1).collect::<String>().into_bytes(),
            'd' | 'i' | 'u' | 'x' | 'X' | 'o' => {
                let value = integer(&text, arg.is_some(), &mut errors);
                let digits = match kind {
                    'x' => format!("{value:x}"),
                    'X' => format!("{value:X}"),
                    'o' => format!("{value:o}"),
                    _ => value.unsigned_abs().to_string(),
                };
                let digits = match precision {
                    Some(least) => format!("{digits:0>least$}", least = least.min(10_000)),
                    None => digits,
                };
                signed(
                    digits,
                    value < 0 && "diu".contains(kind),
                    width,
                    &flags,
                    precision.is_some(),
                )
            }
            'f' | 'F' | 'e' | 'E' | 'g' | 'G' => {
                let value = text.trim().parse::<f64>().unwrap_or_else(|_| {
                    if arg.is_some() && !text.is_empty() {
                        errors.push(format!("{text}: invalid number"));
                    }
                    0.0
                });
                let digits = float(value.abs(), kind, precision.unwrap_or(6).min(100));
                signed(digits, value < 0.0, width, &flags, false)
            }
            other => {
                errors.push(format!("`{other}': invalid format character"));
                return (out, true, errors);
            }
        };
        out.extend(pad(field, width, &flags, false));
    }
    let (bytes, _) = unescape(rest, true);
    out.extend(bytes);
    (out, false, errors)
}

fn number(rest: &mut &str, args: &mut &[String]) -> Option<i64> {
    if let Some(after) = rest.strip_prefix('*') {
        *rest = after;
        let value = args.first().and_then(|a| a.parse().ok()).unwrap_or(0);
        *args = args.get(1..).unwrap_or_default();
        return Some(value);
    }
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let value = rest[..end].parse().ok();
    *rest = &rest[end..];
    value
}

fn integer(text: &str, given: bool, errors: &mut Vec<String>) -> i64 {
    let trimmed = text.trim();
    if let Some(c) = trimmed.strip_prefix(['\'', '"']) {
        return c.chars().next().map_or(0, |c| i64::from(u32::from(c)));
    }
    let (sign, digits) = match trimmed.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, trimmed.strip_prefix('+').unwrap_or(trimmed)),
    };
    let parsed = if let Some(hex) = digits.strip_prefix("0x") {
        i64::from_str_radix(hex, 16)
    } else if digits.len() > 1 && digits.starts_with('0') {
        i64::from_str_radix(digits, 8)
    } else {
        digits.parse()
    };
    parsed.map(|n| n.wrapping_mul(sign)).unwrap_or_else(|_| {
        if given && !text.is_empty() {
            errors.push(format!("{text}: invalid number"));
        }
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        digits[..end].parse::<i64>().map_or(0, |n| n.wrapping_mul(sign))
    })
}

/// A number's digits as `%f`, `%e` or `%g` print them.
pub fn float(value: f64, kind: char, precision: usize) -> String {
    match kind {
        'f' | 'F' => format!("{value:.precision$}"),
        'e' | 'E' => {
            let text = format!("{value:.precision$e}");
            let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let exponent: i32 = exponent.parse().unwrap_or(0);
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{mantissa}e{sign}{:02}", exponent.abs())
        }
        _ => {
            let precision = precision.max(1);
            let exponent = if value == 0.0 { 0 } else { value.log10().floor() as i32 };
            if exponent < -4 || exponent >= precision as i32 {
                let text = float(value, 'e', precision - 1);
                let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "+00"));
                return format!("{}e{exponent}", trim_zeros(mantissa));
            }
            let decimals = (precision as i32 - 1 - exponent).max(0) as usize;
            trim_zeros(&format!("{value:.decimals$}")).to_string()
        }
    }
}

fn trim_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

fn truncate(bytes: Vec<u8>, most: Option<usize>) -> Vec<u8> {
    let Some(most) = most else { return bytes };
    String::from_utf8_lossy(&bytes).chars().take(most).collect::<String>().into_bytes()
}

fn signed(digits: String, negative: bool, width: usize, flags: &str, exact: bool) -> Vec<u8> {
    let sign = match (negative, flags.contains('+'), flags.contains(' ')) {
        (true, ..) => "-",
        (_, true, _) => "+",
        (_, _, true) => " ",
        _ => "",
    };
    let zeros = flags.contains('0') && !flags.contains('-') && !exact;
    let fill = width.saturating_sub(sign.len() + digits.len());
    match zeros {
        true => format!("{sign}{}{digits}", "0".repeat(fill)).into_bytes(),
        false => format!("{sign}{digits}").into_bytes(),
    }
}

fn pad(field: Vec<u8>, width: usize, flags: &str, _zero: bool) -> Vec<u8> {
    let length = String::from_utf8_lossy(&field).chars().count();
    let fill = vec![b' '; width.saturating_sub(length)];
    if flags.contains('-') { [field, fill].concat() } else { [fill, field].concat() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        for (format, args, want) in [
            ("%s-%s", &["a", "b"][..], "a-b"),
            ("%5s|%-5s|", &["a", "b"], "    a|b    |"),
            ("%05d %x %o %+d", &["42", "255", "8", "3"], "00042 ff 10 +3"),
            ("%.2f %e %g", &["3.14159", "12345.678", "0.0001"], "3.14 1.234568e+04 0.0001"),
            ("%%\\t%c", &["xyz"], "%\tx"),
            ("%d", &[], "0"),
            ("%*d", &["4", "7"], "   7"),
            ("%.3s|%b", &["abcdef", "a\\nb"], "abc|a\nb"),
        ] {
            let args: Vec<String> = args.iter().map(|a| (*a).to_string()).collect();
            let (out, _, errors) = one_round(format, &mut args.as_slice());
            assert_eq!(
                (String::from_utf8_lossy(&out).as_ref(), errors.len()),
                (want, 0),
                "{format}"
            );
        }
    }
}
