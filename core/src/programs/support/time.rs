//! Calendar dates of simulated time (UTC; machines here know no other zone).

use crate::sim::Time;

/// A moment taken apart.
#[derive(Clone, Copy, Debug)]
pub struct Date {
    /// Year.
    pub year: i64,
    /// 1 to 12.
    pub month: usize,
    /// 1 to 31.
    pub day: u64,
    /// 0 to 23.
    pub hour: u64,
    /// 0 to 59.
    pub minute: u64,
    /// 0 to 59.
    pub second: u64,
    /// 0 is Sunday.
    pub weekday: usize,
    /// 1 to 366.
    pub yearday: u64,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

impl Date {
    /// From simulated time.
    pub fn new(time: Time) -> Date {
        Date::from_secs(time.as_secs() as i64)
    }

    /// From seconds since the epoch. (Howard Hinnant's days-to-civil algorithm.)
    pub fn from_secs(secs: i64) -> Date {
        let (days, rest) = (secs.div_euclid(86_400), secs.rem_euclid(86_400) as u64);
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let doe = shifted.rem_euclid(146_097);
        let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let day = (doy - (153 * mp + 2) / 5 + 1) as u64;
        let month = if mp < 10 { mp + 3 } else { mp - 9 };
        let year = yoe + era * 400 + i64::from(month <= 2);
        let yearday = (days - days_of(year, 1, 1) + 1) as u64;
        Date {
            year,
            month: month as usize,
            day,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
            weekday: (days + 4).rem_euclid(7) as usize,
            yearday,
        }
    }

    /// `Jan`
    pub fn month_short(&self) -> &'static str {
        &MONTHS[self.month - 1][..3]
    }

    /// `Mon`
    pub fn day_short(&self) -> &'static str {
        &DAYS[self.weekday][..3]
    }

    /// `strftime`: the conversions that `date` is asked for.
    pub fn format(&self, format: &str, time: Time) -> String {
        let mut out = String::new();
        let mut chars = format.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            let mut c = chars.next().unwrap_or('%');
            let unpadded = c == '-';
            if unpadded {
                c = chars.next().unwrap_or('%');
            }
            let two = |n: u64| if unpadded { n.to_string() } else { format!("{n:02}") };
            let hour12 = (self.hour + 11) % 12 + 1;
            let text = match c {
                'Y' => self.year.to_string(),
                'y' => two(self.year.rem_euclid(100) as u64),
                'm' => two(self.month as u64),
                'd' => two(self.day),
                'e' => format!("{:>2}", self.day),
                'H' => two(self.hour),
                'I' => two(hour12),
                'M' => two(self.minute),
                'S' => two(self.second),
                'p' => if self.hour < 12 { "AM" } else { "PM" }.to_string(),
                'j' => format!("{:03}", self.yearday),
                'a' => self.day_short().to_string(),
                'A' => DAYS[self.weekday].to_string(),
                'b' | 'h' => self.month_short().to_string(),
                'B' => MONTHS[self.month - 1].to_string(),
                'u' => if self.weekday == 0 { 7 } else { self.weekday }.to_string(),
                'w' => self.weekday.to_string(),
                'F' => self.format("%Y-%m-%d", time),
                'T' | 'X' => self.format("%H:%M:%S", time),
                'R' => self.format("%H:%M", time),
                'D' | 'x' => self.format("%m/%d/%y", time),
                'c' => self.format("%a %b %e %H:%M:%S %Y", time),
                'r' => self.format("%I:%M:%S %p", time),
                's' => time.as_secs().to_string(),
                'N' => format!("{:09}", time.as_micros() % 1_000_000 * 1_000),
                'Z' => "UTC".to_string(),
                'z' => "+0000".to_string(),
                'n' => "\n".to_string(),
                't' => "\t".to_string(),
                '%' => "%".to_string(),
                other => format!("%{other}"),
            };
            out.push_str(&text);
        }
        out
    }
}

/// Days since the epoch of a date.
pub fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let yoe = year.rem_euclid(400);
    let mp = (month + 9) % 12;
    let doy = (153 * mp + 2) / 5 + day - 1;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    era * 146_097 + doe - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (secs, want) in [
            (0, "Thu Jan  1 00:00:00 UTC 1970 001"),
            (951_782_400, "Tue Feb 29 00:00:00 UTC 2000 060"),
            (1_767_225_599, "Wed Dec 31 23:59:59 UTC 2025 365"),
        ] {
            let time = Time::from_secs(secs);
            assert_eq!(Date::new(time).format("%a %b %e %H:%M:%S %Z %Y %j", time), want);
        }
        assert_eq!(days_of(2000, 2, 29) * 86_400, 951_782_400);
    }
}
