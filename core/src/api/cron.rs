//! When cron's five fields say that something is due.
//!
//! Models `robfig/cron/v3` (`ParseStandard`, `SpecSchedule.Next`), with its errors.

use std::time::Duration;

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use crate::sim::Time;

/// A schedule that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Bits of the minutes, hours … at which it is due.
    Fields(Fields),
    /// `@every 5m`
    Every(Duration),
}

/// One bit a value; [`STAR`] where the field said `*` or `?`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fields {
    minute: u64,
    hour: u64,
    day: u64,
    month: u64,
    weekday: u64,
}

const STAR: u64 = 1 << 63;

struct Bounds {
    min: u32,
    max: u32,
    names: &'static [&'static str],
}

const MINUTES: Bounds = Bounds { min: 0, max: 59, names: &[] };
const HOURS: Bounds = Bounds { min: 0, max: 23, names: &[] };
const DAYS: Bounds = Bounds { min: 1, max: 31, names: &[] };
const MONTHS: Bounds = Bounds {
    min: 1,
    max: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
const WEEKDAYS: Bounds =
    Bounds { min: 0, max: 6, names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] };

/// How far ahead is looked, in years, before a schedule counts as never due.
const HORIZON: i16 = 5;

impl Schedule {
    /// Reads a schedule. Errors are worded as the library's.
    pub fn parse(text: &str) -> Result<Schedule, String> {
        if text.is_empty() {
            return Err("empty spec string".into());
        }
        if text.starts_with('@') {
            return descriptor(text);
        }
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields.as_slice() else {
            let list = fields.join(" ");
            return Err(format!("expected exactly 5 fields, found {}: [{list}]", fields.len()));
        };
        Ok(Schedule::Fields(Fields {
            minute: field(minute, &MINUTES)?,
            hour: field(hour, &HOURS)?,
            day: field(day, &DAYS)?,
            month: field(month, &MONTHS)?,
            weekday: field(weekday, &WEEKDAYS)?,
        }))
    }

    /// When it is due next after `after`, by the clocks of a zone; `None` if it never is.
    pub fn next(&self, after: Time, zone: &TimeZone) -> Option<Time> {
        match self {
            Schedule::Every(delay) => {
                let whole = after.to_timestamp().as_second();
                let start = Timestamp::from_second(whole).ok()?;
                Some(Time::from_timestamp(start) + *delay)
            }
            Schedule::Fields(fields) => fields.next(after, zone),
        }
    }
}

fn descriptor(text: &str) -> Result<Schedule, String> {
    let spec = match text {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        _ => {
            let Some(every) = text.strip_prefix("@every ") else {
                return Err(format!("unrecognized descriptor: {text}"));
            };
            let nanos = super::duration::parse_go(every)
                .map_err(|error| format!("failed to parse duration {text}: {error}"))?;
            let seconds = (nanos.max(0) as u64 / 1_000_000_000).max(1);
            return Ok(Schedule::Every(Duration::from_secs(seconds)));
        }
    };
    Schedule::parse(spec)
}

fn field(text: &str, bounds: &Bounds) -> Result<u64, String> {
    let mut bits = 0;
    for part in text.split(',').filter(|part| !part.is_empty()) {
        bits |= range(part, bounds)?;
    }
    Ok(bits)
}

fn range(text: &str, bounds: &Bounds) -> Result<u64, String> {
    let parts: Vec<&str> = text.split('/').collect();
    let low_high: Vec<&str> = parts[0].split('-').collect();
    let single = low_high.len() == 1;
    let mut extra = 0;
    let (start, mut end);
    if matches!(low_high[0], "*" | "?") {
        (start, end) = (bounds.min, bounds.max);
        extra = STAR;
    } else {
        start = number(low_high[0], bounds)?;
        end = match low_high.as_slice() {
            [_] => start,
            [_, high] => number(high, bounds)?,
            _ => return Err(format!("too many hyphens: {text}")),
        };
    }
    let step = match parts.as_slice() {
        [_] => 1,
        [_, step] => {
            let step = digits(step)?;
            if single {
                end = bounds.max;
            }
            if step > 1 {
                extra = 0;
            }
            step
        }
        _ => return Err(format!("too many slashes: {text}")),
    };
    if start < bounds.min {
        let min = bounds.min;
        return Err(format!("beginning of range ({start}) below minimum ({min}): {text}"));
    }
    if end > bounds.max {
        let max = bounds.max;
        return Err(format!("end of range ({end}) above maximum ({max}): {text}"));
    }
    if start > end {
        return Err(format!("beginning of range ({start}) beyond end of range ({end}): {text}"));
    }
    if step == 0 {
        return Err(format!("step of range should be a positive number: {text}"));
    }
    let bits = (start..=end).step_by(step as usize).fold(0, |bits, n| bits | 1 << n);
    Ok(bits | extra)
}

fn number(text: &str, bounds: &Bounds) -> Result<u32, String> {
    let lower = text.to_ascii_lowercase();
    match bounds.names.iter().position(|name| *name == lower) {
        Some(place) => Ok(place as u32 + bounds.min),
        None => digits(text),
    }
}

fn digits(text: &str) -> Result<u32, String> {
    let quoted = super::gofmt::quote(text);
    let why = || format!("failed to parse int from {text}: strconv.Atoi: parsing {quoted}: ");
    match text.parse::<i64>() {
        Ok(n) if n < 0 => Err(format!("negative number ({n}) not allowed: {text}")),
        Ok(n) => Ok(u32::try_from(n).unwrap_or(u32::MAX)),
        Err(_) => Err(why() + "invalid syntax"),
    }
}

impl Fields {
    fn has(bits: u64, n: i8) -> bool {
        u32::try_from(n).is_ok_and(|n| bits & (1 << n) != 0)
    }

    /// Both days must match where one of them is `*`, else either.
    fn day_matches(&self, t: DateTime) -> bool {
        let day = Self::has(self.day, t.day());
        let weekday = Self::has(self.weekday, t.weekday().to_sunday_zero_offset());
        if self.day & STAR != 0 || self.weekday & STAR != 0 {
            day && weekday
        } else {
            day || weekday
        }
    }

    fn next(&self, after: Time, zone: &TimeZone) -> Option<Time> {
        let second = after.to_timestamp().as_second() + 1;
        let mut at = Timestamp::from_second(second).ok()?;
        let last_year = at.to_zoned(zone.clone()).year() + HORIZON;
        loop {
            let now = at.to_zoned(zone.clone()).datetime();
            if now.year() > last_year {
                return None;
            }
            // To the beginning of the next month, day, hour or minute, whatever does not match.
            let next = if !Self::has(self.month, now.month()) {
                now.date().last_of_month().tomorrow().ok()?.at(0, 0, 0, 0)
            } else if !self.day_matches(now) {
                now.date().tomorrow().ok()?.at(0, 0, 0, 0)
            } else if !Self::has(self.hour, now.hour()) {
                at = next_multiple(at, now, 3600)?;
                continue;
            } else if !Self::has(self.minute, now.minute()) || now.second() != 0 {
                at = next_multiple(at, now, 60)?;
                continue;
            } else {
                return Some(Time::from_timestamp(at));
            };
            let later = zone.to_ambiguous_timestamp(next).compatible().ok()?;
            if later <= at {
                return None;
            }
            at = later;
        }
    }
}

/// The next full hour or minute of the clock; real time goes on where clocks are set.
fn next_multiple(at: Timestamp, now: DateTime, unit: i64) -> Option<Timestamp> {
    let within = match unit {
        60 => i64::from(now.second()),
        _ => i64::from(now.minute()) * 60 + i64::from(now.second()),
    };
    Timestamp::from_second(at.as_second() + unit - within).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_due_when_they_say() {
        let berlin = super::super::zones::find("Europe/Berlin").unwrap();
        for (spec, zone, after, want) in [
            ("*/5 * * * *", None, "2026-11-21T08:02:30Z", "2026-11-21T08:05:00Z"),
            ("0 0 1 1 *", None, "2026-11-21T08:00:00Z", "2027-01-01T00:00:00Z"),
            ("30 8 * * mon-fri", None, "2026-11-21T08:00:00Z", "2026-11-23T08:30:00Z"),
            ("0 0 13 * 5", None, "2026-11-21T08:00:00Z", "2026-11-27T00:00:00Z"),
            ("0 0 29 2 ?", None, "2026-11-21T08:00:00Z", "2028-02-29T00:00:00Z"),
            ("@hourly", None, "2026-11-21T08:00:00Z", "2026-11-21T09:00:00Z"),
            ("@every 90s", None, "2026-11-21T08:00:00.5Z", "2026-11-21T08:01:30Z"),
            ("0 9 * * *", Some(&berlin), "2026-07-01T00:00:00Z", "2026-07-01T07:00:00Z"),
            ("0 9 * * *", Some(&berlin), "2026-12-01T00:00:00Z", "2026-12-01T08:00:00Z"),
        ] {
            let after = Time::from_timestamp(after.parse().unwrap());
            let zone = zone.cloned().unwrap_or(TimeZone::UTC);
            let next = Schedule::parse(spec).unwrap().next(after, &zone);
            assert_eq!(next.unwrap().to_timestamp().to_string(), want, "{spec}");
        }
        let never = Schedule::parse("0 0 31 2 *").unwrap();
        assert_eq!(never.next(Time::from_secs(1_795_000_000), &TimeZone::UTC), None);
    }

    #[test]
    fn errors_are_the_librarys() {
        for (spec, want) in [
            ("61 * * * *", "end of range (61) above maximum (59): 61"),
            ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
            ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
            ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
            ("*/0 * * * *", "step of range should be a positive number: */0"),
            (
                "x * * * *",
                "failed to parse int from x: strconv.Atoi: parsing \"x\": invalid syntax",
            ),
            ("@fortnightly", "unrecognized descriptor: @fortnightly"),
        ] {
            assert_eq!(Schedule::parse(spec).unwrap_err(), want);
        }
    }
}
