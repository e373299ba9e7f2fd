//! Operators and functions that stand alone: `a + b`, `size(x)`, `quantity('1Gi')`, `math.greatest(…)`.
//!
//! Models `cel-go/common/stdlib`, its `ext`, and `apiserver/pkg/cel/library`.

use std::{cmp::Ordering, rc::Rc};

use super::{
    eval::Run,
    methods,
    value::{Val, timestamp},
};
use crate::api::{base64, duration, quantity::Amount};

const OVERFLOW: &str = "integer overflow";

/// Why a function does not take these.
pub fn no_overload(name: &str, args: &[Val]) -> String {
    let types: Vec<_> = args.iter().map(Val::type_name).collect();
    format!("no such overload: {name}({})", types.join(", "))
}

/// Calls a function or an operator. `space`: `math`, `sets` …, or empty.
pub fn call(space: &str, name: &str, args: &[Val]) -> Run {
    match (space, name, args) {
        ("", _, [_, _]) if name.starts_with('_') => binary(name, args),
        ("", "!_", [Val::Bool(is)]) => Ok((!is).into()),
        ("", "-_", [Val::Int(n)]) => n.checked_neg().map(Val::Int).ok_or(OVERFLOW.into()),
        ("", "-_", [Val::Double(n)]) => Ok(Val::Double(-n)),
        ("", "-_", [Val::Duration(n)]) => Ok(Val::Duration(n.saturating_neg())),
        ("", "size", [of]) => methods::call(of, "size", &[]),
        ("", "type", [of]) => Ok(Val::Type(of.type_name())),
        ("", "dyn", [of]) => Ok(of.clone()),
        ("", "matches", [of, pattern]) => {
            methods::call(of, "matches", std::slice::from_ref(pattern))
        }
        ("", _, [one]) => convert(name, one),
        ("", "quantity", _) => Err(no_overload(name, args)),
        ("math", ..) => math(name, args),
        ("sets", _, [Val::List(a), Val::List(b)]) => sets(name, a, b),
        ("optional", "of", [one]) => Ok(Val::Optional(Some(Rc::new(one.clone())))),
        ("optional", "none", []) => Ok(Val::Optional(None)),
        ("optional", "ofNonZeroValue", [one]) => {
            Ok(Val::Optional((!is_zero(one)).then(|| Rc::new(one.clone()))))
        }
        ("strings", "quote", [Val::Str(text)]) => Ok(crate::api::gofmt::quote(text).into()),
        ("jsonpatch", "escapeKey", [Val::Str(text)]) => {
            Ok(text.replace('~', "~0").replace('/', "~1").into())
        }
        ("base64", "encode", [Val::Bytes(bytes)]) => Ok(base64::encode(bytes).into()),
        ("base64", "decode", [Val::Str(text)]) => base64::decode(text)
            .map(|bytes| Val::Bytes(bytes.into()))
            .ok_or_else(|| "illegal base64 data".to_owned()),
        ("ip", "isCanonical", [Val::Str(text)]) => {
            let ip = text.parse::<std::net::IpAddr>().map_err(|_| bad_ip(text))?;
            Ok((ip.to_string() == **text).into())
        }
        ("lists", "range", [Val::Int(n)]) => match usize::try_from(*n) {
            Ok(n) if n <= 100_000 => Ok((0..n as i64).map(Val::Int).collect::<Vec<_>>().into()),
            _ => Err("lists.range: out of bounds".into()),
        },
        ("format", "named", [Val::Str(name)]) => Ok(methods::format(name)
            .map_or(Val::Optional(None), |f| Val::Optional(Some(Rc::new(Val::Format(f)))))),
        ("format", name, []) => {
            methods::format(name).map(Val::Format).ok_or_else(|| no_overload(name, args))
        }
        _ => Err(no_overload(name, args)),
    }
}

fn is_zero(value: &Val) -> bool {
    match value {
        Val::Null | Val::Bool(false) | Val::Int(0) | Val::Uint(0) | Val::Duration(0) => true,
        Val::Double(n) => *n == 0.0,
        Val::Str(text) => text.is_empty(),
        Val::Bytes(bytes) => bytes.is_empty(),
        Val::List(items) => items.is_empty(),
        Val::Map(entries) | Val::Sparse(entries) => entries.is_empty(),
        Val::Optional(inner) => inner.is_none(),
        _ => false,
    }
}

fn binary(name: &str, args: &[Val]) -> Run {
    let [a, b] = args else { return Err(no_overload(name, args)) };
    match name {
        "_==_" => return Ok(a.same(b).into()),
        "_!=_" => return Ok((!a.same(b)).into()),
        "_in_" => return contains(a, b),
        "_<_" | "_<=_" | "_>_" | "_>=_" => {
            let order = a.order(b).ok_or_else(|| no_overload(name, args))?;
            let is = match name {
                "_<_" => order == Ordering::Less,
                "_<=_" => order != Ordering::Greater,
                "_>_" => order == Ordering::Greater,
                _ => order != Ordering::Less,
            };
            return Ok(is.into());
        }
        _ => {}
    }
    arithmetic(name, a, b).unwrap_or_else(|| Err(no_overload(name, args)))
}

fn contains(a: &Val, b: &Val) -> Run {
    match b {
        Val::List(items) => Ok(items.iter().any(|item| item.same(a)).into()),
        Val::Map(_) | Val::Sparse(_) => Ok(b.get(a).is_some().into()),
        _ => Err(no_overload("@in", &[a.clone(), b.clone()])),
    }
}

/// Sums and products; `None` where the types do not go together.
fn arithmetic(name: &str, a: &Val, b: &Val) -> Option<Run> {
    let int = |n: Option<i64>| n.map(Val::Int).ok_or_else(|| OVERFLOW.to_owned());
    let uint =
        |n: Option<u64>| n.map(Val::Uint).ok_or_else(|| "unsigned integer overflow".to_owned());
    let by_zero = || {
        let why = if name == "_%_" { "modulus by zero" } else { "division by zero" };
        Err(why.to_owned())
    };
    Some(match (name, a, b) {
        ("_/_" | "_%_", Val::Int(_), Val::Int(0)) | ("_/_" | "_%_", Val::Uint(_), Val::Uint(0)) => {
            by_zero()
        }
        ("_+_", Val::Int(a), Val::Int(b)) => int(a.checked_add(*b)),
        ("_-_", Val::Int(a), Val::Int(b)) => int(a.checked_sub(*b)),
        ("_*_", Val::Int(a), Val::Int(b)) => int(a.checked_mul(*b)),
        ("_/_", Val::Int(a), Val::Int(b)) => int(a.checked_div(*b)),
        ("_%_", Val::Int(a), Val::Int(b)) => int(a.checked_rem(*b)),
        ("_+_", Val::Uint(a), Val::Uint(b)) => uint(a.checked_add(*b)),
        ("_-_", Val::Uint(a), Val::Uint(b)) => uint(a.checked_sub(*b)),
        ("_*_", Val::Uint(a), Val::Uint(b)) => uint(a.checked_mul(*b)),
        ("_/_", Val::Uint(a), Val::Uint(b)) => uint(a.checked_div(*b)),
        ("_%_", Val::Uint(a), Val::Uint(b)) => uint(a.checked_rem(*b)),
        ("_+_", Val::Double(a), Val::Double(b)) => Ok(Val::Double(a + b)),
        ("_-_", Val::Double(a), Val::Double(b)) => Ok(Val::Double(a - b)),
        ("_*_", Val::Double(a), Val::Double(b)) => Ok(Val::Double(a * b)),
        ("_/_", Val::Double(a), Val::Double(b)) => Ok(Val::Double(a / b)),
        ("_+_", Val::Str(a), Val::Str(b)) => joined(a.len() + b.len(), || format!("{a}{b}").into()),
        ("_+_", Val::Bytes(a), Val::Bytes(b)) => {
            joined(a.len() + b.len(), || Val::Bytes([&**a, &**b].concat().into()))
        }
        ("_+_", Val::List(a), Val::List(b)) => {
            joined(a.len() + b.len(), || [&**a, &**b].concat().into())
        }
        ("_+_", Val::Duration(a), Val::Duration(b)) => Ok(Val::Duration(a.saturating_add(*b))),
        ("_-_", Val::Duration(a), Val::Duration(b)) => Ok(Val::Duration(a.saturating_sub(*b))),
        ("_+_", Val::Timestamp(t), Val::Duration(d))
        | ("_+_", Val::Duration(d), Val::Timestamp(t)) => {
            Ok(Val::Timestamp(t.saturating_add(i128::from(*d))))
        }
        ("_-_", Val::Timestamp(t), Val::Duration(d)) => {
            Ok(Val::Timestamp(t.saturating_sub(i128::from(*d))))
        }
        ("_-_", Val::Timestamp(a), Val::Timestamp(b)) => {
            Ok(Val::Duration(i64::try_from(a.saturating_sub(*b)).unwrap_or(i64::MAX)))
        }
        _ => return None,
    })
}

/// Texts and lists do not grow without end.
fn joined(length: usize, make: impl FnOnce() -> Val) -> Run {
    const MOST: usize = 4 << 20;
    if length > MOST { Err(super::eval::TOO_MUCH.into()) } else { Ok(make()) }
}

fn bad_ip(text: &str) -> String {
    format!(
        "IP Address {text:?} parse error during conversion from string: ParseAddr({text:?}): unable to parse IP"
    )
}

/// Functions of one argument that make something else of it.
fn convert(name: &str, one: &Val) -> Run {
    let bad = || Err(no_overload(name, std::slice::from_ref(one)));
    match (name, one) {
        ("string", Val::List(_) | Val::Map(_) | Val::Null | Val::Optional(_)) => bad(),
        ("string", other) => Ok(other.text().into()),
        ("bool", Val::Bool(is)) => Ok((*is).into()),
        ("bool", Val::Str(text)) => match &**text {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true.into()),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false.into()),
            _ => Err(format!("strconv.ParseBool: parsing {text:?}: invalid syntax")),
        },
        ("int", Val::Int(n)) => Ok(Val::Int(*n)),
        ("int", Val::Uint(n)) => i64::try_from(*n).map(Val::Int).map_err(|_| OVERFLOW.into()),
        ("int", Val::Double(n)) if n.is_finite() && n.abs() < 9.2e18 => Ok(Val::Int(*n as i64)),
        ("int", Val::Double(_)) => Err(OVERFLOW.into()),
        ("int", Val::Str(text)) => text
            .parse()
            .map(Val::Int)
            .map_err(|_| format!("strconv.ParseInt: parsing {text:?}: invalid syntax")),
        ("int", Val::Timestamp(n)) => Ok(Val::Int(i64::try_from(n / 1_000_000_000).unwrap_or(0))),
        ("int", Val::Duration(n)) => Ok(Val::Int(*n)),
        ("uint", Val::Uint(n)) => Ok(Val::Uint(*n)),
        ("uint", Val::Int(n)) => {
            u64::try_from(*n).map(Val::Uint).map_err(|_| "unsigned integer overflow".into())
        }
        ("uint", Val::Double(n)) if (0.0..1.8e19).contains(n) => Ok(Val::Uint(*n as u64)),
        ("uint", Val::Str(text)) => text
            .parse()
            .map(Val::Uint)
            .map_err(|_| format!("strconv.ParseUint: parsing {text:?}: invalid syntax")),
        ("double", Val::Double(n)) => Ok(Val::Double(*n)),
        ("double", Val::Int(n)) => Ok(Val::Double(*n as f64)),
        ("double", Val::Uint(n)) => Ok(Val::Double(*n as f64)),
        ("double", Val::Str(text)) => text
            .parse()
            .map(Val::Double)
            .map_err(|_| format!("strconv.ParseFloat: parsing {text:?}: invalid syntax")),
        ("bytes", Val::Bytes(_)) => Ok(one.clone()),
        ("bytes", Val::Str(text)) => Ok(Val::Bytes(text.as_bytes().into())),
        ("duration", Val::Duration(_)) | ("timestamp", Val::Timestamp(_)) => Ok(one.clone()),
        ("duration", Val::Str(text)) => duration::parse_go(text).map(Val::Duration),
        ("timestamp", Val::Int(n)) => Ok(Val::Timestamp(i128::from(*n) * 1_000_000_000)),
        ("timestamp", Val::Str(text)) => timestamp(text).ok_or_else(|| {
            format!("parsing time {text:?} as \"2006-01-02T15:04:05Z07:00\": cannot parse")
        }),
        ("quantity", Val::Str(text)) => {
            Amount::parse(text).map(Val::Quantity).map_err(str::to_owned)
        }
        ("isQuantity", Val::Str(text)) => Ok(Amount::parse(text).is_ok().into()),
        ("url", Val::Str(text)) if is_url(text) => Ok(Val::Url(text.clone())),
        ("url", Val::Str(text)) => {
            Err(format!("URL parse error during conversion from string: parse {text:?}: invalid URI for request"))
        }
        ("isURL", Val::Str(text)) => Ok(is_url(text).into()),
        ("ip", Val::Str(text)) => text.parse().map(Val::Ip).map_err(|_| bad_ip(text)),
        ("isIP", Val::Str(text)) => Ok(text.parse::<std::net::IpAddr>().is_ok().into()),
        ("cidr", Val::Str(text)) => methods::cidr(text)
            .ok_or_else(|| format!("network address parse error during conversion from string: invalid CIDR address: {text}")),
        ("isCIDR", Val::Str(text)) => Ok(methods::cidr(text).is_some().into()),
        ("semver", Val::Str(text)) => {
            methods::semver(text).ok_or_else(|| "No Major.Minor.Patch elements found".to_owned())
        }
        ("isSemver", Val::Str(text)) => Ok(methods::semver(text).is_some().into()),
        _ => bad(),
    }
}

fn is_url(text: &str) -> bool {
    let clean = !text.contains([' ', '\n', '\t']);
    let scheme = |s: &str| {
        s.starts_with(|c: char| c.is_ascii_alphabetic())
            && s.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    };
    clean && (text.starts_with('/') || text.split_once(':').is_some_and(|(s, _)| scheme(s)))
}

fn math(name: &str, args: &[Val]) -> Run {
    let list: &[Val] = match args {
        [Val::List(items)] => items,
        args => args,
    };
    let wanted = match name {
        "greatest" => Ordering::Greater,
        "least" => Ordering::Less,
        _ => {
            let [Val::Double(n)] = args else {
                return match (name, args) {
                    ("abs", [Val::Int(n)]) => {
                        n.checked_abs().map(Val::Int).ok_or_else(|| OVERFLOW.into())
                    }
                    ("sign", [Val::Int(n)]) => Ok(Val::Int(n.signum())),
                    _ => Err(no_overload(&format!("math.{name}"), args)),
                };
            };
            return Ok(match name {
                "ceil" => Val::Double(n.ceil()),
                "floor" => Val::Double(n.floor()),
                "round" => Val::Double(n.round()),
                "trunc" => Val::Double(n.trunc()),
                "abs" => Val::Double(n.abs()),
                "sign" => Val::Double(if *n == 0.0 { 0.0 } else { n.signum() }),
                "isNaN" => n.is_nan().into(),
                "isInf" => n.is_infinite().into(),
                "isFinite" => n.is_finite().into(),
                _ => return Err(no_overload(&format!("math.{name}"), args)),
            });
        }
    };
    let mut best: Option<&Val> = None;
    for item in list {
        let better = match best {
            None => true,
            Some(best) => item.order(best).ok_or_else(|| no_overload(name, args))? == wanted,
        };
        if better {
            best = Some(item);
        }
    }
    best.cloned().ok_or_else(|| format!("math.@{name}(list) argument must not be empty"))
}

fn sets(name: &str, a: &[Val], b: &[Val]) -> Run {
    let has = |list: &[Val], item: &Val| list.iter().any(|own| own.same(item));
    Ok(match name {
        "contains" => b.iter().all(|item| has(a, item)).into(),
        "intersects" => b.iter().any(|item| has(a, item)).into(),
        "equivalent" => {
            (a.iter().all(|item| has(b, item)) && b.iter().all(|item| has(a, item))).into()
        }
        _ => return Err(format!("no such overload: sets.{name}")),
    })
}
