//! Points in simulated time.

use std::{
    ops::{Add, Sub},
    time::Duration,
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time as MetaTime};

/// Microseconds since the Unix epoch, simulated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// From whole seconds since the epoch.
    pub const fn from_secs(secs: u64) -> Self {
        Time(secs.saturating_mul(1_000_000))
    }

    /// From milliseconds since the epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Time(millis.saturating_mul(1_000))
    }

    /// From microseconds since the epoch.
    pub const fn from_micros(micros: u64) -> Self {
        Time(micros)
    }

    /// Whole seconds since the epoch.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Whole milliseconds since the epoch.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Time from `earlier` to here; zero if that is later.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// As API objects carry it: whole seconds (`metav1.Time` drops the rest on the wire).
    pub fn to_meta(self) -> MetaTime {
        MetaTime(jiff::Timestamp::from_second(self.as_secs() as i64).unwrap_or_default())
    }

    /// As leases and events carry it.
    pub fn to_micro(self) -> MicroTime {
        MicroTime(self.to_timestamp())
    }

    /// As a timestamp of the calendar library.
    pub fn to_timestamp(self) -> jiff::Timestamp {
        jiff::Timestamp::from_microsecond(self.0 as i64).unwrap_or_default()
    }

    /// From text as the API writes it; `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(Time::from_timestamp)
    }

    /// From a timestamp; those before 1970 become 1970.
    pub fn from_timestamp(t: jiff::Timestamp) -> Self {
        Time(t.as_microsecond().max(0) as u64)
    }
}

impl From<&MetaTime> for Time {
    fn from(t: &MetaTime) -> Self {
        Time::from_timestamp(t.0)
    }
}

impl From<&MicroTime> for Time {
    fn from(t: &MicroTime) -> Self {
        Time::from_timestamp(t.0)
    }
}

impl Add<Duration> for Time {
    type Output = Time;

    fn add(self, d: Duration) -> Time {
        Time(self.0.saturating_add(u64::try_from(d.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Time {
    type Output = Time;

    fn sub(self, d: Duration) -> Time {
        Time(self.0.saturating_sub(u64::try_from(d.as_micros()).unwrap_or(u64::MAX)))
    }
}
