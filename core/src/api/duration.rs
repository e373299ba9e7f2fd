//! Durations as people and as Go read them: ages in tables, `1h30m`, `--timeout=30s`.

use std::time::Duration;

/// As ages are shown: two units at most, the second only while it says something.
/// Models `apimachinery/pkg/util/duration.HumanDuration`.
pub fn human(d: Duration) -> String {
    let seconds = d.as_secs();
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let two = |a: u64, unit_a: &str, b: u64, unit_b: &str| {
        if b == 0 { format!("{a}{unit_a}") } else { format!("{a}{unit_a}{b}{unit_b}") }
    };
    if seconds < 120 {
        format!("{seconds}s")
    } else if minutes < 10 {
        two(minutes, "m", seconds % 60, "s")
    } else if minutes < 180 {
        format!("{minutes}m")
    } else if hours < 8 {
        two(hours, "h", minutes % 60, "m")
    } else if hours < 48 {
        format!("{hours}h")
    } else if hours < 24 * 8 {
        two(hours / 24, "d", hours % 24, "h")
    } else if hours < 24 * 365 * 2 {
        format!("{}d", hours / 24)
    } else if hours < 24 * 365 * 8 {
        two(hours / 24 / 365, "y", (hours / 24) % 365, "d")
    } else {
        format!("{}y", hours / 24 / 365)
    }
}

/// Nanoseconds of a Go duration (`1h15m30.5s`, `-5ms`), or Go's own error text.
///
/// Models `time.ParseDuration`.
pub fn parse_go(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {}", super::gofmt::quote(text));
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: f64 = 0.0;
    let mut exact: i128 = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(end);
        if number.is_empty() || number == "." || number.matches('.').count() > 1 {
            return Err(invalid());
        }
        let end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        if unit.is_empty() {
            return Err(format!("time: missing unit in duration {}", super::gofmt::quote(text)));
        }
        let scale: i128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => {
                return Err(format!(
                    "time: unknown unit {} in duration {}",
                    super::gofmt::quote(unit),
                    super::gofmt::quote(text)
                ));
            }
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.len() > 18 {
            return Err(invalid());
        }
        exact += whole.parse::<i128>().unwrap_or(0) * scale;
        if !fraction.is_empty() {
            let f: f64 = format!("0.{fraction}").parse().unwrap_or(0.0);
            total += f * scale as f64;
        }
        rest = tail;
    }
    exact += total as i128;
    let value = i64::try_from(exact).map_err(|_| invalid())?;
    Ok(if negative { -value } else { value })
}

/// A duration as Go prints it: `0s`, `1.5s`, `250ms`, `1h0m0s`.
///
/// Models `time.Duration.String`.
pub fn print_go(nanos: i64) -> String {
    if nanos == 0 {
        return "0s".into();
    }
    let sign = if nanos < 0 { "-" } else { "" };
    let n = nanos.unsigned_abs();
    let fraction = |whole: u64, part: u64, digits: usize, unit: &str| {
        let text = format!("{part:0digits$}");
        let text = text.trim_end_matches('0');
        if part == 0 { format!("{whole}{unit}") } else { format!("{whole}.{text}{unit}") }
    };
    let text = if n < 1_000 {
        format!("{n}ns")
    } else if n < 1_000_000 {
        fraction(n / 1_000, n % 1_000, 3, "µs")
    } else if n < 1_000_000_000 {
        fraction(n / 1_000_000, n % 1_000_000, 6, "ms")
    } else {
        let seconds = n / 1_000_000_000;
        let tail = fraction(seconds % 60, n % 1_000_000_000, 9, "s");
        match (seconds / 3600, seconds / 60 % 60) {
            (0, 0) => tail,
            (0, m) => format!("{m}m{tail}"),
            (h, m) => format!("{h}h{m}m{tail}"),
        }
    };
    format!("{sign}{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_read_as_kubectl_shows_them() {
        for (seconds, text) in [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (121, "2m1s"),
            (600, "10m"),
            (3 * 3600 - 1, "179m"),
            (3 * 3600, "3h"),
            (4 * 3600 + 60, "4h1m"),
            (9 * 3600, "9h"),
            (48 * 3600, "2d"),
            (49 * 3600, "2d1h"),
            (9 * 86400, "9d"),
            (800 * 86400, "2y70d"),
        ] {
            assert_eq!(human(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn go_durations() {
        assert_eq!(parse_go("1h15m30.5s"), Ok(4_530_500_000_000));
        assert_eq!(parse_go("30"), Err("time: missing unit in duration \"30\"".into()));
        assert_eq!(parse_go("3x"), Err("time: unknown unit \"x\" in duration \"3x\"".into()));
        assert_eq!(parse_go(""), Err("time: invalid duration \"\"".into()));
        for (n, want) in
            [(1_500_000_000, "1.5s"), (250_000_000, "250ms"), (3_600_000_000_000, "1h0m0s")]
        {
            assert_eq!(print_go(n), want);
        }
    }
}
