//! Times and sizes as docker prints them.
//!
//! Models `github.com/docker/go-units`.

use std::time::Duration;

use crate::sim::Time;

/// `About a minute`, `3 hours`.
pub fn human(d: Duration) -> String {
    let seconds = d.as_secs();
    let minutes = seconds / 60;
    let hours = (d.as_secs_f64() / 3600.0 + 0.5) as u64;
    match () {
        () if seconds < 1 => "Less than a second".into(),
        () if seconds == 1 => "1 second".into(),
        () if seconds < 60 => format!("{seconds} seconds"),
        () if minutes == 1 => "About a minute".into(),
        () if minutes < 60 => format!("{minutes} minutes"),
        () if hours == 1 => "About an hour".into(),
        () if hours < 48 => format!("{hours} hours"),
        () if hours < 24 * 7 * 2 => format!("{} days", hours / 24),
        () if hours < 24 * 30 * 2 => format!("{} weeks", hours / 24 / 7),
        () if hours < 24 * 365 * 2 => format!("{} months", hours / 24 / 30),
        () => format!("{} years", hours / 24 / 365),
    }
}

/// `3 hours ago`
pub fn ago(then: Time, now: Time) -> String {
    format!("{} ago", human(now.since(then)))
}

/// `1.234MB`: at most four significant digits, in powers of 1000.
pub fn size(bytes: u64) -> String {
    units(bytes as f64, 1000.0, &["B", "kB", "MB", "GB", "TB"], 4)
}

/// `187MB`: three digits, as `docker images` shows sizes.
pub fn size3(bytes: u64) -> String {
    units(bytes as f64, 1000.0, &["B", "kB", "MB", "GB", "TB"], 3)
}

/// `1.5MiB`: in powers of 1024.
pub fn binary(bytes: u64) -> String {
    units(bytes as f64, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB"], 4)
}

fn units(mut value: f64, base: f64, names: &[&str], digits: usize) -> String {
    let mut unit = 0;
    while value >= base && unit + 1 < names.len() {
        value /= base;
        unit += 1;
    }
    let whole = if value < 1.0 { 1 } else { value.log10().floor() as usize + 1 };
    let mut text = format!("{value:.*}", digits.saturating_sub(whole));
    if text.contains('.') {
        text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    }
    text + names[unit]
}

/// A time as `docker inspect` has it.
pub fn stamp(time: Option<Time>) -> String {
    match time {
        None => "0001-01-01T00:00:00Z".into(),
        Some(time) => {
            let text = time.to_timestamp().to_string();
            let date = text.get(..19).unwrap_or(&text).to_string();
            format!("{date}.{:06}000Z", time.as_micros() % 1_000_000)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_read_as_docker_prints_them() {
        for (seconds, text) in [
            (0, "Less than a second"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "About a minute"),
            (125, "2 minutes"),
            (3_599, "59 minutes"),
            (3_600, "About an hour"),
            (7_200, "2 hours"),
            (3 * 86_400, "3 days"),
            (20 * 86_400, "2 weeks"),
            (70 * 86_400, "2 months"),
            (800 * 86_400, "2 years"),
        ] {
            assert_eq!(human(Duration::from_secs(seconds)), text);
        }
        for (bytes, text) in [(0, "0B"), (999, "999B"), (1_234_567, "1.235MB"), (736_000, "736kB")]
        {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(size3(187_654_321), "188MB");
        assert_eq!(binary(8 << 30), "8GiB");
        assert_eq!(binary(5_767_168), "5.5MiB");
    }
}
