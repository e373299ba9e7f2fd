//! Functions of a value: `'abc'.contains('b')`, `list.sum()`, `quantity('1').isLessThan(…)`.
//!
//! Models `cel-go/ext/{strings,lists}.go` and `apiserver/pkg/cel/library/{lists,regex,urls,
//! quantity,ip,cidr,format,semverlib}.go`.

use std::{cmp::Ordering, net::IpAddr, rc::Rc};

use regex_lite::Regex;

use super::{
    eval::Run,
    functions::{call as function, no_overload},
    value::Val,
};
use crate::api::quantity::Amount;

/// The longest text that is worked on character by character.
const LONGEST: usize = 4 << 20;

/// `of[index]`.
pub fn index(of: &Val, index: &Val, optional: bool) -> Run {
    let found = match (of, index) {
        (Val::Optional(None), _) => return Ok(Val::Optional(None)),
        (Val::Optional(Some(inner)), _) => return self::index(inner, index, true),
        (Val::List(items), Val::Int(n)) => {
            let found = usize::try_from(*n).ok().and_then(|n| items.get(n)).cloned();
            found.ok_or_else(|| format!("index out of bounds: {n}"))
        }
        (Val::List(items), Val::Uint(n)) => {
            let found = usize::try_from(*n).ok().and_then(|n| items.get(n)).cloned();
            found.ok_or_else(|| format!("index out of bounds: {n}"))
        }
        (Val::Sparse(_), key) => Ok(of.get(key).cloned().unwrap_or_else(Val::empty_map)),
        (Val::Map(_), key) => {
            of.get(key).cloned().ok_or_else(|| format!("no such key: {}", key.text()))
        }
        _ => return Err(no_overload("_[_]", &[of.clone(), index.clone()])),
    };
    match optional {
        true => Ok(Val::Optional(found.ok().map(Rc::new))),
        false => found,
    }
}

/// Calls a function of a value.
pub fn call(of: &Val, name: &str, args: &[Val]) -> Run {
    let found = match of {
        Val::Str(text) => text_call(text, name, args),
        Val::Bytes(bytes) if name == "size" => Some(Ok(Val::Int(bytes.len() as i64))),
        Val::List(items) => list_call(items, name, args),
        Val::Map(entries) | Val::Sparse(entries) if name == "size" => {
            Some(Ok(Val::Int(entries.len() as i64)))
        }
        Val::Duration(nanos) => duration_call(*nanos, name),
        Val::Timestamp(nanos) => time_call(*nanos, name, args),
        Val::Quantity(amount) => quantity_call(*amount, of, name, args),
        Val::Url(url) => url_call(url, name),
        Val::Ip(ip) => ip_call(*ip, name),
        Val::Cidr(ip, bits) => cidr_call((*ip, *bits), name, args),
        Val::Optional(inner) => optional_call(inner.as_ref(), name),
        Val::Semver(..) => semver_call(of, name, args),
        Val::Format(format) => format_call(format, name, args),
        _ => None,
    };
    found.unwrap_or_else(|| {
        let all: Vec<Val> = std::iter::once(of.clone()).chain(args.iter().cloned()).collect();
        Err(no_overload(name, &all))
    })
}

fn regex(pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|error| format!("error parsing regexp: {error}"))
}

fn text_call(text: &Rc<str>, name: &str, args: &[Val]) -> Option<Run> {
    if text.len() > LONGEST {
        return Some(Err(super::eval::TOO_MUCH.into()));
    }
    let chars = || text.chars().collect::<Vec<char>>();
    let place = |at: Option<usize>| Val::Int(at.map_or(-1, |at| text[..at].chars().count() as i64));
    Some(match (name, args) {
        ("size", []) => Ok(Val::Int(text.chars().count() as i64)),
        ("contains", [Val::Str(part)]) => Ok(text.contains(&**part).into()),
        ("startsWith", [Val::Str(part)]) => Ok(text.starts_with(&**part).into()),
        ("endsWith", [Val::Str(part)]) => Ok(text.ends_with(&**part).into()),
        ("matches", [Val::Str(pattern)]) => regex(pattern).map(|r| r.is_match(text).into()),
        ("find", [Val::Str(pattern)]) => {
            regex(pattern).map(|r| r.find(text).map_or("", |m| m.as_str()).into())
        }
        ("findAll", [Val::Str(pattern)]) => regex(pattern)
            .map(|r| r.find_iter(text).map(|m| Val::from(m.as_str())).collect::<Vec<_>>().into()),
        ("findAll", [Val::Str(pattern), Val::Int(most)]) => regex(pattern).map(|r| {
            let most = usize::try_from(*most).unwrap_or(usize::MAX);
            r.find_iter(text).take(most).map(|m| Val::from(m.as_str())).collect::<Vec<_>>().into()
        }),
        ("charAt", [Val::Int(at)]) => {
            let all = chars();
            match usize::try_from(*at).ok().filter(|at| *at <= all.len()) {
                Some(at) => Ok(all.get(at).map_or(String::new(), char::to_string).into()),
                None => Err(format!("index out of range: {at}")),
            }
        }
        ("indexOf", [Val::Str(part)]) => Ok(place(text.find(&**part))),
        ("lastIndexOf", [Val::Str(part)]) => Ok(place(text.rfind(&**part))),
        ("indexOf", [Val::Str(part), Val::Int(from)]) => {
            let from = usize::try_from(*from).unwrap_or(0);
            let start = text.char_indices().nth(from).map_or(text.len(), |(at, _)| at);
            Ok(place(text[start..].find(&**part).map(|at| at + start)))
        }
        ("lowerAscii", []) => Ok(text.to_ascii_lowercase().into()),
        ("upperAscii", []) => Ok(text.to_ascii_uppercase().into()),
        ("trim", []) => Ok(text.trim().into()),
        ("reverse", []) => Ok(text.chars().rev().collect::<String>().into()),
        ("replace", [Val::Str(a), Val::Str(b)]) => replaced(text, a, b, usize::MAX),
        ("replace", [Val::Str(a), Val::Str(b), Val::Int(n)]) => {
            replaced(text, a, b, usize::try_from(*n).unwrap_or(usize::MAX))
        }
        ("split", [Val::Str(by)]) => Ok(split(text, by, None)),
        ("split", [Val::Str(by), Val::Int(n)]) => Ok(split(text, by, Some(*n))),
        ("substring", [Val::Int(from)]) => substring(&chars(), *from, None),
        ("substring", [Val::Int(from), Val::Int(to)]) => substring(&chars(), *from, Some(*to)),
        ("format", [Val::List(items)]) => formatted(text, items),
        _ => return None,
    })
}

fn replaced(text: &str, a: &str, b: &str, most: usize) -> Run {
    let count = if a.is_empty() { text.len() + 1 } else { text.matches(a).take(most).count() };
    if text.len() + count.saturating_mul(b.len()) > LONGEST {
        return Err(super::eval::TOO_MUCH.into());
    }
    Ok(text.replacen(a, b, most).into())
}

fn split(text: &str, by: &str, most: Option<i64>) -> Val {
    let parts: Vec<Val> = match most {
        Some(0) => Vec::new(),
        Some(n) if n > 0 => {
            text.splitn(usize::try_from(n).unwrap_or(usize::MAX), by).map(Val::from).collect()
        }
        _ if by.is_empty() => text.chars().map(|c| Val::from(c.to_string())).collect(),
        _ => text.split(by).map(Val::from).collect(),
    };
    parts.into()
}

fn substring(chars: &[char], from: i64, to: Option<i64>) -> Run {
    let length = chars.len() as i64;
    let to = to.unwrap_or(length);
    if !(0..=length).contains(&from) {
        return Err(format!("index out of range: {from}"));
    }
    if !(0..=length).contains(&to) {
        return Err(format!("index out of range: {to}"));
    }
    if from > to {
        return Err(format!("invalid substring range. start: {from}, end: {to}"));
    }
    let part = chars.get(from as usize..to as usize).unwrap_or_default();
    Ok(part.iter().collect::<String>().into())
}

/// `'%s is %d'.format([…])`.
fn formatted(text: &str, items: &[Val]) -> Run {
    let mut out = String::new();
    let mut items = items.iter();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut precision = String::new();
        if chars.next_if_eq(&'.').is_some() {
            while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                precision.push(digit);
            }
        }
        let digits = precision.parse::<usize>().ok().filter(|d| *d <= 1_000);
        let verb = chars.next().ok_or("could not parse formatting clause: unexpected end")?;
        if verb == '%' {
            out.push('%');
            continue;
        }
        let item = items.next().ok_or("index out of range in string.format")?;
        let piece = match (verb, item) {
            ('s', item) => shown(item),
            ('d', Val::Int(_) | Val::Uint(_)) => item.text(),
            ('f', Val::Double(n)) => format!("{n:.*}", digits.unwrap_or(6)),
            ('f', Val::Int(n)) => format!("{:.*}", digits.unwrap_or(6), *n as f64),
            ('e', Val::Double(n)) => format!("{n:.*e}", digits.unwrap_or(6)),
            ('x', Val::Int(n)) => format!("{n:x}"),
            ('X', Val::Int(n)) => format!("{n:X}"),
            ('o', Val::Int(n)) => format!("{n:o}"),
            ('b', Val::Int(n)) => format!("{n:b}"),
            ('b', Val::Bool(is)) => u8::from(*is).to_string(),
            ('x', Val::Str(text)) => text.bytes().map(|b| format!("{b:02x}")).collect(),
            (verb, _) => {
                return Err(format!(
                    "error during formatting: {verb} clause can not be used on this type"
                ));
            }
        };
        out.push_str(&piece);
        if out.len() > LONGEST {
            return Err(super::eval::TOO_MUCH.into());
        }
    }
    Ok(out.into())
}

/// As `%s` writes a value: lists and maps with their items.
fn shown(value: &Val) -> String {
    match value {
        Val::List(items) => {
            let all: Vec<_> = items.iter().map(shown).collect();
            format!("[{}]", all.join(", "))
        }
        Val::Map(entries) => {
            let mut all: Vec<_> =
                entries.iter().map(|(k, v)| format!("{}: {}", shown(k), shown(v))).collect();
            all.sort();
            format!("{{{}}}", all.join(", "))
        }
        other => other.text(),
    }
}

fn list_call(items: &Rc<[Val]>, name: &str, args: &[Val]) -> Option<Run> {
    let same = |wanted: &Val| items.iter().position(|item| item.same(wanted));
    Some(match (name, args) {
        ("size", []) => Ok(Val::Int(items.len() as i64)),
        ("isSorted", []) => Ok(items
            .windows(2)
            .all(|pair| matches!(pair, [a, b] if a.order(b) != Some(Ordering::Greater)))
            .into()),
        ("sum", []) => {
            let mut items = items.iter();
            let first = items.next().cloned().unwrap_or(Val::Int(0));
            items.try_fold(first, |sum, item| function("", "_+_", &[sum, item.clone()]))
        }
        ("min" | "max", []) => {
            let which = if name == "min" { "least" } else { "greatest" };
            if items.is_empty() {
                return Some(Err(format!("{name} called on empty list")));
            }
            function("math", which, items)
        }
        ("indexOf", [wanted]) => Ok(Val::Int(same(wanted).map_or(-1, |at| at as i64))),
        ("lastIndexOf", [wanted]) => {
            let found = items.iter().rposition(|item| item.same(wanted));
            Ok(Val::Int(found.map_or(-1, |at| at as i64)))
        }
        ("join", _) => {
            let by = match args {
                [] => "",
                [Val::Str(by)] => by,
                _ => return None,
            };
            let texts: Option<Vec<&str>> = items
                .iter()
                .map(|item| match item {
                    Val::Str(text) => Some(&**text),
                    _ => None,
                })
                .collect();
            texts?.join(by).pipe(|text| Ok(text.into()))
        }
        ("distinct", []) => {
            let mut out: Vec<Val> = Vec::new();
            for item in items.iter() {
                if !out.iter().any(|own| own.same(item)) {
                    out.push(item.clone());
                }
            }
            Ok(out.into())
        }
        ("reverse", []) => Ok(items.iter().rev().cloned().collect::<Vec<_>>().into()),
        ("sort", []) => {
            let mut out = items.to_vec();
            out.sort_by(|a, b| a.order(b).unwrap_or(Ordering::Equal));
            Ok(out.into())
        }
        ("first", []) => Ok(Val::Optional(items.first().cloned().map(Rc::new))),
        ("last", []) => Ok(Val::Optional(items.last().cloned().map(Rc::new))),
        ("flatten", []) => {
            let each = |item: &Val| match item {
                Val::List(inner) => inner.to_vec(),
                other => vec![other.clone()],
            };
            Ok(items.iter().flat_map(each).collect::<Vec<_>>().into())
        }
        ("slice", [Val::Int(from), Val::Int(to)]) => {
            let range = usize::try_from(*from).ok().zip(usize::try_from(*to).ok());
            let part = range.and_then(|(from, to)| items.get(from..to));
            part.map(|part| part.to_vec().into())
                .ok_or_else(|| format!("cannot slice({from}, {to}), index out of range"))
        }
        ("includes", [wanted]) => Ok(same(wanted).is_some().into()),
        _ => return None,
    })
}

/// So that a chain can end in a result.
trait Pipe: Sized {
    fn pipe<T>(self, f: impl FnOnce(Self) -> T) -> T {
        f(self)
    }
}

impl Pipe for String {}

fn duration_call(nanos: i64, name: &str) -> Option<Run> {
    let unit = match name {
        "getHours" => 3_600_000_000_000,
        "getMinutes" => 60_000_000_000,
        "getSeconds" => 1_000_000_000,
        "getMilliseconds" => 1_000_000,
        _ => return None,
    };
    Some(Ok(Val::Int(nanos / unit)))
}

fn time_call(nanos: i128, name: &str, args: &[Val]) -> Option<Run> {
    let zone = match args {
        [] => jiff::tz::TimeZone::UTC,
        [Val::Str(name)] => match crate::api::zones::find(name) {
            Some(zone) => zone,
            None => return Some(Err(format!("unknown time zone {name}"))),
        },
        _ => return None,
    };
    let time = jiff::Timestamp::from_nanosecond(nanos).ok()?.to_zoned(zone);
    let value = match name {
        "getFullYear" => i64::from(time.year()),
        "getMonth" => i64::from(time.month()) - 1,
        "getDayOfYear" => i64::from(time.day_of_year()) - 1,
        "getDayOfMonth" => i64::from(time.day()) - 1,
        "getDate" => i64::from(time.day()),
        "getDayOfWeek" => i64::from(time.weekday().to_sunday_zero_offset()),
        "getHours" => i64::from(time.hour()),
        "getMinutes" => i64::from(time.minute()),
        "getSeconds" => i64::from(time.second()),
        "getMilliseconds" => i64::from(time.millisecond()),
        _ => return None,
    };
    Some(Ok(Val::Int(value)))
}

fn quantity_call(own: Amount, of: &Val, name: &str, args: &[Val]) -> Option<Run> {
    let sign = || {
        if own.is_zero() {
            0
        } else if own.is_negative() {
            -1
        } else {
            1
        }
    };
    let whole = own.is_whole();
    Some(match (name, args) {
        ("sign", []) => Ok(Val::Int(sign())),
        ("isInteger", []) => Ok(whole.into()),
        ("asInteger", []) if whole => Ok(Val::Int(own.units())),
        ("asInteger", []) => Err("cannot convert value to integer".into()),
        ("asApproximateFloat", []) => Ok(Val::Double(own.milli() as f64 / 1_000.0)),
        ("compareTo", [other]) => compare(of, other)?,
        ("isLessThan", [other]) => Ok((of.order(other)? == Ordering::Less).into()),
        ("isGreaterThan", [other]) => Ok((of.order(other)? == Ordering::Greater).into()),
        ("add" | "sub", [other]) => {
            let other = match other {
                Val::Quantity(other) => *other,
                Val::Int(n) => Amount::from_units(*n),
                _ => return None,
            };
            let sum = if name == "add" { own.plus(other) } else { own.minus(other) };
            Ok(Val::Quantity(sum))
        }
        _ => return None,
    })
}

fn compare(a: &Val, b: &Val) -> Option<Run> {
    Some(Ok(Val::Int(match a.order(b)? {
        Ordering::Less => -1,
        Ordering::Equal => 0,
        Ordering::Greater => 1,
    })))
}

fn url_call(url: &str, name: &str) -> Option<Run> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, tail) = if scheme.is_empty() { ("", rest) } else { rest.split_at(at) };
    let host = host.rsplit('@').next().unwrap_or(host);
    let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
    let port_at = host.rfind(':').filter(|at| !host[*at..].contains(']'));
    Some(Ok(match name {
        "getScheme" => scheme.into(),
        "getHost" => host.into(),
        "getHostname" => {
            let name = port_at.and_then(|at| host.get(..at)).unwrap_or(host);
            name.trim_matches(['[', ']']).into()
        }
        "getPort" => port_at.and_then(|at| host.get(at + 1..)).unwrap_or_default().into(),
        "getEscapedPath" => path.into(),
        "getQuery" => {
            let mut found: Vec<(Val, Vec<Val>)> = Vec::new();
            for pair in query.split('&').filter(|pair| !pair.is_empty()) {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                let key = Val::from(key);
                match found.iter_mut().find(|(own, _)| own.same(&key)) {
                    Some((_, values)) => values.push(value.into()),
                    None => found.push((key, vec![value.into()])),
                }
            }
            Val::Map(found.into_iter().map(|(key, values)| (key, values.into())).collect())
        }
        _ => return None,
    }))
}

fn ip_call(ip: IpAddr, name: &str) -> Option<Run> {
    let link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.segments()[0] & 0xffc0 == 0xfe80,
    };
    Some(Ok(match name {
        "family" => Val::Int(if ip.is_ipv4() { 4 } else { 6 }),
        "isUnspecified" => ip.is_unspecified().into(),
        "isLoopback" => ip.is_loopback().into(),
        "isLinkLocalUnicast" => link_local.into(),
        "isGlobalUnicast" => {
            let special = ip.is_unspecified() || ip.is_loopback() || ip.is_multicast();
            (!special && !link_local).into()
        }
        _ => return None,
    }))
}

/// `10.0.0.0/8`; `None` if it is none.
pub fn cidr(text: &str) -> Option<Val> {
    let (ip, bits) = text.split_once('/')?;
    let (ip, bits) = (ip.parse::<IpAddr>().ok()?, bits.parse::<u8>().ok()?);
    let most = if ip.is_ipv4() { 32 } else { 128 };
    (bits <= most).then_some(Val::Cidr(ip, bits))
}

fn masked(ip: IpAddr, bits: u8) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits.min(32))).unwrap_or(0);
            IpAddr::V4((u32::from(ip) & mask).into())
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits.min(128))).unwrap_or(0);
            IpAddr::V6((u128::from(ip) & mask).into())
        }
    }
}

fn cidr_call((ip, bits): (IpAddr, u8), name: &str, args: &[Val]) -> Option<Run> {
    let holds =
        |other: IpAddr| other.is_ipv4() == ip.is_ipv4() && masked(other, bits) == masked(ip, bits);
    Some(Ok(match (name, args) {
        ("containsIP", [Val::Ip(other)]) => holds(*other).into(),
        ("containsIP", [Val::Str(text)]) => match text.parse() {
            Ok(other) => holds(other).into(),
            Err(_) => return Some(Err(format!("ParseAddr({text:?}): unable to parse IP"))),
        },
        ("containsCIDR", [Val::Cidr(other, more)]) => (holds(*other) && *more >= bits).into(),
        ("containsCIDR", [Val::Str(text)]) => match cidr(text) {
            Some(Val::Cidr(other, more)) => (holds(other) && more >= bits).into(),
            _ => return Some(Err(format!("invalid CIDR address: {text}"))),
        },
        ("ip", []) => Val::Ip(ip),
        ("masked", []) => Val::Cidr(masked(ip, bits), bits),
        ("prefixLength", []) => Val::Int(i64::from(bits)),
        _ => return None,
    }))
}

fn optional_call(inner: Option<&Rc<Val>>, name: &str) -> Option<Run> {
    match name {
        "hasValue" => Some(Ok(inner.is_some().into())),
        "value" => Some(match inner {
            Some(inner) => Ok((**inner).clone()),
            None => Err("optional.none() dereference".into()),
        }),
        _ => None,
    }
}

/// `1.2.3-rc.1`; `None` if it is none.
pub fn semver(text: &str) -> Option<Val> {
    let text = text.split('+').next()?;
    let (core, pre) = text.split_once('-').unwrap_or((text, ""));
    let number = |part: &str| {
        let plain = part == "0" || !part.starts_with('0');
        part.parse::<u64>().ok().filter(|_| plain && part.bytes().all(|b| b.is_ascii_digit()))
    };
    let parts: Vec<&str> = core.split('.').collect();
    match parts.as_slice() {
        [a, b, c] => Some(Val::Semver(number(a)?, number(b)?, number(c)?, pre.into())),
        _ => None,
    }
}

fn semver_call(of: &Val, name: &str, args: &[Val]) -> Option<Run> {
    let Val::Semver(major, minor, patch, _) = of else { return None };
    let int = |n: &u64| Some(Ok(Val::Int(i64::try_from(*n).unwrap_or(i64::MAX))));
    match (name, args) {
        ("major", []) => int(major),
        ("minor", []) => int(minor),
        ("patch", []) => int(patch),
        ("compareTo", [other]) => compare(of, other),
        ("isLessThan", [other]) => Some(Ok((of.order(other)? == Ordering::Less).into())),
        ("isGreaterThan", [other]) => Some(Ok((of.order(other)? == Ordering::Greater).into())),
        _ => None,
    }
}

/// Formats by name, and the rule that each is.
const FORMATS: &[&str] = &[
    "dns1035Label",
    "dns1035LabelPrefix",
    "dns1123Label",
    "dns1123LabelPrefix",
    "dns1123Subdomain",
    "dns1123SubdomainPrefix",
    "labelValue",
    "qualifiedName",
    "uri",
    "uuid",
];

/// A format by its name.
pub fn format(name: &str) -> Option<&'static str> {
    FORMATS.iter().find(|own| **own == name).copied()
}

fn format_call(format: &str, name: &str, args: &[Val]) -> Option<Run> {
    let ("validate", [Val::Str(text)]) = (name, args) else { return None };
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let label = |text: &str| {
        let bytes = text.as_bytes();
        (1..=63).contains(&bytes.len())
            && bytes.first().copied().is_some_and(plain)
            && bytes.last().copied().is_some_and(plain)
            && bytes.iter().all(|b| plain(*b) || *b == b'-')
    };
    let value = |text: &str| {
        let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = text.as_bytes();
        bytes.len() <= 63
            && edge(bytes.first())
            && edge(bytes.last())
            && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    let subdomain = |text: &str| text.len() <= 253 && text.split('.').all(label);
    let bare = format.trim_end_matches("Prefix");
    let text: &str = if bare.len() < format.len() { text.trim_end_matches('-') } else { text };
    let fits = match bare {
        "dns1123Label" => label(text),
        "dns1123Subdomain" => subdomain(text),
        "dns1035Label" => label(text) && text.starts_with(|c: char| c.is_ascii_lowercase()),
        "labelValue" => text.is_empty() || value(text),
        "qualifiedName" => match text.split_once('/') {
            Some((prefix, name)) => subdomain(prefix) && value(name),
            None => value(text),
        },
        "uuid" => {
            let parts: Vec<usize> = text.split('-').map(str::len).collect();
            parts == [8, 4, 4, 4, 12] && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
        }
        _ => text.contains("://"),
    };
    let why = Val::from(vec![Val::from(format!("not a valid {format}"))]);
    Some(Ok(Val::Optional((!fits).then(|| Rc::new(why)))))
}
