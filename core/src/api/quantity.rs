//! Quantities of resources: `100m`, `1.5Gi`, `2`.
//!
//! Models `apimachinery/pkg/api/resource.Quantity`: values are exact down to a billionth, and the
//! canonical text keeps the family of suffixes (decimal, binary, exponent) in which it was written.

use std::{cmp::Ordering, collections::BTreeMap, fmt};

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// What `v1.ResourceList` is here.
pub type ResourceList = BTreeMap<String, Quantity>;

const NANO: i128 = 1_000_000_000;
const FORMAT_WRONG: &str =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const SUFFIX_WRONG: &str = "unable to parse quantity's suffix";
const BINARY: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const DECIMAL: [&str; 9] = ["n", "u", "m", "", "k", "M", "G", "T", "P"];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Format {
    #[default]
    Decimal,
    Binary,
    Exponent,
}

/// A parsed quantity, counted in billionths.
#[derive(Clone, Copy, Debug, Default)]
pub struct Amount {
    nano: i128,
    format: Format,
}

impl Amount {
    /// Nothing, in decimal form.
    pub const ZERO: Amount = Amount { nano: 0, format: Format::Decimal };

    /// From its text. Errors are the API's own sentences.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (negative, rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let split = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, suffix) = rest.split_at(split);
        if number.is_empty() || !suffix_is_formed(suffix) {
            return Err(FORMAT_WRONG);
        }
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if fraction.contains('.') || (whole.is_empty() && fraction.is_empty()) {
            return Err(FORMAT_WRONG);
        }
        let (base, exponent, format) = interpret(suffix).ok_or(SUFFIX_WRONG)?;
        let nano = scale(whole, fraction, base, exponent);
        Ok(Amount { nano: if negative { -nano } else { nano }, format })
    }

    /// A quantity of an object; what does not parse counts as nothing (it can't have been stored).
    pub fn of(quantity: &Quantity) -> Self {
        Amount::parse(&quantity.0).unwrap_or_default()
    }

    /// An entry of a resource list; nothing if it is not there.
    pub fn get(list: Option<&ResourceList>, name: &str) -> Self {
        list.and_then(|l| l.get(name)).map_or(Amount::ZERO, Amount::of)
    }

    /// From thousandths.
    pub fn from_milli(milli: i64) -> Self {
        Amount { nano: i128::from(milli) * NANO / 1000, format: Format::Decimal }
    }

    /// From whole units, in decimal form.
    pub fn from_units(units: i64) -> Self {
        Amount { nano: i128::from(units) * NANO, format: Format::Decimal }
    }

    /// From bytes, in binary form.
    pub fn from_bytes(bytes: i64) -> Self {
        Amount { nano: i128::from(bytes) * NANO, format: Format::Binary }
    }

    /// Thousandths, rounded up.
    pub fn milli(self) -> i64 {
        clamp(div_up(self.nano, NANO / 1000))
    }

    /// Whole units, rounded up.
    pub fn units(self) -> i64 {
        clamp(div_up(self.nano, NANO))
    }

    /// Whether it is nothing.
    pub fn is_zero(self) -> bool {
        self.nano == 0
    }

    /// Whether it is less than nothing.
    pub fn is_negative(self) -> bool {
        self.nano < 0
    }

    /// Whether it has no fraction.
    pub fn is_whole(self) -> bool {
        self.nano % NANO == 0
    }

    /// The sum. The form is this one's unless this is nothing.
    pub fn plus(self, other: Amount) -> Amount {
        let format = if self.nano == 0 { other.format } else { self.format };
        Amount { nano: self.nano.saturating_add(other.nano), format }
    }

    /// The difference.
    pub fn minus(self, other: Amount) -> Amount {
        Amount { nano: self.nano.saturating_sub(other.nano), ..self }
    }

    /// As an object carries it.
    pub fn to_quantity(self) -> Quantity {
        Quantity(self.to_string())
    }
}

impl PartialEq for Amount {
    fn eq(&self, other: &Self) -> bool {
        self.nano == other.nano
    }
}

impl Eq for Amount {}

impl PartialOrd for Amount {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Amount {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nano.cmp(&other.nano)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let small = self.nano.abs() < 1024 * NANO;
        match self.format {
            Format::Binary if !small => {
                let (mut n, mut power) = (div_up(self.nano, NANO), 0);
                while n % 1024 == 0 && power < BINARY.len() {
                    n /= 1024;
                    power += 1;
                }
                let suffix = power.checked_sub(1).and_then(|p| BINARY.get(p)).unwrap_or(&"");
                write!(f, "{n}{suffix}")
            }
            format => {
                let (mut n, mut power) = (self.nano, 0);
                while n != 0 && n % 1000 == 0 && power < 9 {
                    n /= 1000;
                    power += 1;
                }
                if n == 0 {
                    return f.write_str("0");
                }
                let exponent = 3 * (power as i32 - 3);
                if format == Format::Exponent && exponent != 0 {
                    return write!(f, "{n}e{exponent}");
                }
                write!(f, "{n}{}", DECIMAL.get(power).unwrap_or(&"E"))
            }
        }
    }
}

/// The canonical text of a quantity.
pub fn canonical(text: &str) -> Result<String, &'static str> {
    Amount::parse(text.trim()).map(|a| a.to_string())
}

/// Makes all entries of a list canonical, as the server's decoder does.
pub fn canonicalize(list: &mut Option<ResourceList>) {
    for quantity in list.iter_mut().flat_map(|l| l.values_mut()) {
        if let Ok(text) = canonical(&quantity.0) {
            if text != quantity.0 {
                quantity.0 = text;
            }
        }
    }
}

fn suffix_is_formed(suffix: &str) -> bool {
    let rest = suffix.trim_start_matches(|c| "eEinumkKMGTP".contains(c));
    let rest = rest.strip_prefix(['-', '+']).unwrap_or(rest);
    rest.bytes().all(|b| b.is_ascii_digit())
}

/// Base, exponent and family of a suffix.
fn interpret(suffix: &str) -> Option<(i128, i32, Format)> {
    if let Some(at) = BINARY.iter().position(|b| *b == suffix) {
        return Some((1024, at as i32 + 1, Format::Binary));
    }
    if let Some(at) = DECIMAL.iter().position(|d| *d == suffix) {
        return Some((10, (at as i32 - 3) * 3, Format::Decimal));
    }
    if suffix == "E" {
        return Some((10, 18, Format::Decimal));
    }
    let exponent = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    Some((10, exponent, Format::Exponent))
}

/// `whole.fraction * base^exponent` in billionths, rounded up, held within bounds.
fn scale(whole: &str, fraction: &str, base: i128, exponent: i32) -> i128 {
    let fraction = &fraction[..fraction.len().min(15)];
    let digits = format!("{}{fraction}", whole.trim_start_matches('0'));
    let mut n: i128 = digits.parse().unwrap_or(if digits.is_empty() { 0 } else { i128::MAX >> 40 });
    let mut tens = 9 - fraction.len() as i32;
    if base == 10 {
        tens += exponent.clamp(-60, 30);
    } else {
        n = n.saturating_mul(1024i128.pow(exponent as u32));
    }
    while tens > 0 && n != 0 {
        n = n.saturating_mul(10);
        tens -= 1;
    }
    while tens < 0 && n != 0 {
        let step = tens.max(-15);
        n = div_up(n, 10i128.pow(-step as u32));
        tens -= step;
        if n == 1 {
            break;
        }
    }
    n.min(i128::from(i64::MAX) * NANO)
}

fn div_up(n: i128, by: i128) -> i128 {
    let (whole, rest) = (n / by, n % by);
    if rest > 0 { whole + 1 } else { whole - i128::from(rest < 0) }
}

fn clamp(n: i128) -> i64 {
    n.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_and_write_as_kubernetes_does() {
        for (text, canonical_text, milli) in [
            ("100m", "100m", 100),
            ("0.1", "100m", 100),
            ("1", "1", 1000),
            ("1000m", "1", 1000),
            ("1500m", "1500m", 1500),
            ("2.5", "2500m", 2500),
            ("1000", "1k", 1_000_000),
            ("110", "110", 110_000),
            ("128Mi", "128Mi", 134_217_728_000),
            ("1.5Gi", "1536Mi", 1_610_612_736_000),
            ("1024Ki", "1Mi", 1_048_576_000),
            ("512", "512", 512_000),
            ("1e3", "1e3", 1_000_000),
            ("1E", "1E", 1_000_000_000_000_000_000),
            ("-1", "-1", -1000),
            ("0", "0", 0),
            ("0.0001m", "100n", 1),
            ("0.5Ki", "512", 512_000),
        ] {
            let amount = Amount::parse(text).unwrap();
            assert_eq!(amount.to_string(), canonical_text, "{text}");
            if text != "1E" {
                assert_eq!(amount.milli(), milli, "{text}");
            }
        }
        assert_eq!(Amount::parse("100mm").unwrap_err(), SUFFIX_WRONG);
        for wrong in ["1GB!", "", "abc", "1.2.3", "."] {
            assert_eq!(Amount::parse(wrong).unwrap_err(), FORMAT_WRONG, "{wrong}");
        }
        assert!(Amount::parse("1Gi").unwrap() > Amount::parse("1G").unwrap());
        let sum = Amount::parse("100m").unwrap().plus(Amount::parse("1.9").unwrap());
        assert_eq!(sum.to_string(), "2");
    }
}
