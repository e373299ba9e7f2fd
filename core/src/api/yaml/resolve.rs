//! What a plain scalar means: YAML 1.1 as `go.yaml.in/yaml/v2` reads it.

/// The meaning of a plain scalar.
#[derive(Debug, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Timestamp,
    Merge,
    Str,
}

impl Scalar {
    /// The short tag of the meaning.
    pub(super) fn tag(&self) -> &'static str {
        match self {
            Scalar::Null => "!!null",
            Scalar::Bool(_) => "!!bool",
            Scalar::Int(_) | Scalar::Uint(_) => "!!int",
            Scalar::Float(_) => "!!float",
            Scalar::Timestamp => "!!timestamp",
            Scalar::Merge => "!!merge",
            Scalar::Str => "!!str",
        }
    }
}

/// Resolves a plain scalar without a tag.
pub(super) fn plain(text: &str) -> Scalar {
    let Some(&first) = text.as_bytes().first() else { return Scalar::Null };
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Scalar::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Scalar::Bool(false);
        }
        "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        ".nan" | ".NaN" | ".NAN" => return Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Scalar::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Scalar::Float(f64::NEG_INFINITY),
        "<<" => return Scalar::Merge,
        _ => {}
    }
    match first {
        b'.' => go_float(text).map_or(Scalar::Str, Scalar::Float),
        b'0'..=b'9' | b'+' | b'-' => number(text),
        _ => Scalar::Str,
    }
}

/// Whether a plain scalar is a truth value in YAML 1.1 only.
pub(super) fn old_bool(text: &str) -> bool {
    let known = matches!(plain(text), Scalar::Bool(_));
    known && !matches!(text, "true" | "True" | "TRUE" | "false" | "False" | "FALSE")
}

fn number(text: &str) -> Scalar {
    if timestamp(text) {
        return Scalar::Timestamp;
    }
    let plain = text.replace('_', "");
    if let Some(n) = go_int(&plain) {
        return n;
    }
    if style_float(&plain) {
        if let Ok(f) = plain.parse::<f64>() {
            if f.is_finite() {
                return Scalar::Float(f);
            }
        }
    }
    Scalar::Str
}

/// `strconv.ParseInt(s, 0, 64)`, then `ParseUint`.
fn go_int(text: &str) -> Option<Scalar> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = if let Some(d) = lower.strip_prefix("0x") {
        (16, d)
    } else if let Some(d) = lower.strip_prefix("0b") {
        (2, d)
    } else if let Some(d) = lower.strip_prefix("0o") {
        (8, d)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, &lower[1..])
    } else {
        (10, lower.as_str())
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let size = u64::from_str_radix(digits, radix).ok()?;
    if negative {
        return (size <= 1 << 63).then(|| Scalar::Int((size as i64).wrapping_neg()));
    }
    Some(i64::try_from(size).map_or(Scalar::Uint(size), Scalar::Int))
}

/// `^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`
fn style_float(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let mantissa_good = match mantissa.split_once('.') {
        Some(("", f)) => digits(f),
        Some((w, f)) => digits(w) && (f.is_empty() || digits(f)),
        None => digits(mantissa),
    };
    mantissa_good && exponent.is_none_or(|e| digits(e.strip_prefix(['-', '+']).unwrap_or(e)))
}

fn go_float(text: &str) -> Option<f64> {
    if style_float(text) { text.parse().ok().filter(|f: &f64| f.is_finite()) } else { None }
}

/// Whether a text reads as a date (`2026-11-21`) or a time (`2026-11-21T10:00:00Z`).
pub(super) fn timestamp(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() < 8 || !bytes[..4].iter().all(u8::is_ascii_digit) || bytes[4] != b'-' {
        return false;
    }
    let mut rest = &text[5..];
    let Some(month) = take(&mut rest, 2) else { return false };
    if !rest.starts_with('-') {
        return false;
    }
    rest = &rest[1..];
    let Some(day) = take(&mut rest, 2) else { return false };
    let year: u32 = text[..4].parse().unwrap_or(0);
    if !(1..=12).contains(&month) || day == 0 || day > days(year, month) {
        return false;
    }
    if rest.is_empty() {
        return true;
    }
    let zoned = !rest.starts_with(' ');
    if !rest.starts_with(['T', 't', ' ']) {
        return false;
    }
    rest = &rest[1..];
    for (i, limit) in [24, 60, 60].into_iter().enumerate() {
        if i > 0 {
            match rest.strip_prefix(':') {
                Some(r) => rest = r,
                None => return false,
            }
        }
        if take(&mut rest, 2).is_none_or(|n| n >= limit) {
            return false;
        }
    }
    if let Some(fraction) = rest.strip_prefix('.') {
        let end = fraction.find(|c: char| !c.is_ascii_digit()).unwrap_or(fraction.len());
        if end == 0 {
            return false;
        }
        rest = &fraction[end..];
    }
    if !zoned { rest.is_empty() } else { rest == "Z" || zone(rest) }
}

fn zone(text: &str) -> bool {
    let b = text.as_bytes();
    b.len() == 6
        && matches!(b[0], b'+' | b'-')
        && b[3] == b':'
        && [1, 2, 4, 5].iter().all(|&i| b[i].is_ascii_digit())
}

fn days(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn take(rest: &mut &str, most: usize) -> Option<u32> {
    let end = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let n = rest[..end].parse().ok();
    *rest = &rest[end..];
    n
}

/// Whether a text reads as a base 60 number of YAML 1.1 (`12:30`), which must be quoted.
pub(super) fn base60(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let mut parts = text.split(':');
    let first = parts.next().unwrap_or("");
    if !first.starts_with(|c: char| c.is_ascii_digit())
        || !first.bytes().all(|b| b.is_ascii_digit() || b == b'_')
    {
        return false;
    }
    let rest: Vec<&str> = parts.collect();
    let last = rest.len().wrapping_sub(1);
    !rest.is_empty()
        && rest.iter().enumerate().all(|(i, part)| {
            let (whole, fraction) = match part.split_once('.') {
                Some((w, f)) if i == last => (w, f),
                Some(_) => return false,
                None => (*part, ""),
            };
            fraction.bytes().all(|b| b.is_ascii_digit() || b == b'_')
                && match whole.as_bytes() {
                    [a] => a.is_ascii_digit(),
                    [a, b] => (b'0'..=b'5').contains(a) && b.is_ascii_digit(),
                    _ => false,
                }
        })
}
