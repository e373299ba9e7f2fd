//! Time zones by name, as rules: what a zone's clocks will do from now on, not what they once did.
//!
//! The table was made from the last line of each file of the IANA database (POSIX form): one rule a
//! line, then the zones that follow it.

use jiff::tz::TimeZone;

const ZONES: &str = include_str!("zones.txt");

/// The zone of a name; `None` for names that the database does not have.
pub fn find(name: &str) -> Option<TimeZone> {
    let known = !name.is_empty() && !name.contains(char::is_whitespace);
    let mut lines = ZONES.lines().filter(|_| known);
    let rule = lines.find_map(|line| {
        let (rule, zones) = line.split_once(' ')?;
        zones.split(' ').any(|zone| zone == name).then_some(rule)
    })?;
    TimeZone::posix(rule).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_understood_and_summer_comes() {
        for line in ZONES.lines() {
            let (rule, _) = line.split_once(' ').unwrap();
            assert!(TimeZone::posix(rule).is_ok(), "{rule}");
        }
        assert!(find("Mars/Base").is_none() && find("").is_none());
        let berlin = find("Europe/Berlin").unwrap();
        for (time, want) in [
            ("2026-01-15T12:00:00Z", "2026-01-15T13:00:00"),
            ("2026-07-15T12:00:00Z", "2026-07-15T14:00:00"),
        ] {
            let time: jiff::Timestamp = time.parse().unwrap();
            assert_eq!(time.to_zoned(berlin.clone()).datetime().to_string(), want);
        }
    }
}
