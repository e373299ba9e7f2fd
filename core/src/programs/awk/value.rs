//! awk's values: strings that can be numbers.

use crate::programs::printf::float;

/// A value.
#[derive(Clone, Debug)]
pub enum Value {
    /// A number.
    Number(f64),
    /// A string.
    Text(String),
    /// Input: a number if it looks like one.
    Input(String),
    /// A variable that was never set.
    Unset,
}

impl Value {
    /// As a string; whole numbers without a point, others as `format` says (`%.6g`).
    pub fn text(&self, format: &str) -> String {
        match self {
            Value::Number(n) => number_text(*n, format),
            Value::Text(text) | Value::Input(text) => text.clone(),
            Value::Unset => String::new(),
        }
    }

    /// As a number: what a string begins with.
    pub fn number(&self) -> f64 {
        match self {
            Value::Number(n) => *n,
            Value::Text(text) | Value::Input(text) => leading_number(text),
            Value::Unset => 0.0,
        }
    }

    /// Whether it counts as true.
    pub fn truth(&self) -> bool {
        match self {
            Value::Number(n) => *n != 0.0,
            Value::Text(text) => !text.is_empty(),
            Value::Input(text) => match self.looks_numeric() {
                true => self.number() != 0.0,
                false => !text.is_empty(),
            },
            Value::Unset => false,
        }
    }

    /// Whether comparisons treat it as a number.
    pub fn looks_numeric(&self) -> bool {
        match self {
            Value::Number(_) | Value::Unset => true,
            Value::Text(_) => false,
            Value::Input(text) => {
                let text = text.trim();
                text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
                    && text.parse::<f64>().is_ok()
            }
        }
    }
}

/// A number as awk prints it.
pub fn number_text(n: f64, format: &str) -> String {
    if n.is_nan() {
        return "nan".into();
    }
    if n.is_infinite() {
        return if n > 0.0 { "inf".into() } else { "-inf".into() };
    }
    if n == n.trunc() && n.abs() < 1e16 {
        return format!("{}", n as i64);
    }
    let digits = format.trim_start_matches("%.").trim_end_matches(char::is_alphabetic);
    let text =
        float(n.abs(), format.chars().next_back().unwrap_or('g'), digits.parse().unwrap_or(6));
    if n < 0.0 { format!("-{text}") } else { text }
}

fn leading_number(text: &str) -> f64 {
    let text = text.trim_start();
    let bytes = text.as_bytes();
    let digits = |mut at: usize| {
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        at
    };
    let mut end = digits(usize::from(matches!(bytes.first(), Some(b'+' | b'-'))));
    if bytes.get(end) == Some(&b'.') {
        end = digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let start = end + 1 + usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        if digits(start) > start {
            end = digits(start);
        }
    }
    text[..end].parse().unwrap_or(0.0)
}
