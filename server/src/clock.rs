//! The clock of stored times and of expiry. It never goes back.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime};

/// Returns the time of the system. It does not fail before 1970.
pub fn system_time() -> DateTime<Utc> {
    SystemTime::now().into()
}

/// Formats a time, always with milliseconds, so that the texts sort by time.
pub fn to_text(time: &DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Serializes a time, or an optional one, like [`to_text`].
pub fn serialize<'a, T, S: Serializer>(time: &'a T, serializer: S) -> Result<S::Ok, S::Error>
where
    Option<&'a DateTime<Utc>>: From<&'a T>,
{
    Option::from(time).map(to_text).serialize(serializer)
}

/// The clock of a store: the time of the system, but never before a time that it has returned or
/// that the database has. So expired tokens stay refused if the system's clock is set back.
#[derive(Debug, Default)]
pub struct Clock {
    /// The newest time, in milliseconds since the Unix epoch.
    newest: AtomicI64,
    /// How far the clock is ahead of the system, in milliseconds.
    ahead: AtomicI64,
}

impl Clock {
    /// Returns the time now, in milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> i64 {
        let system = system_time().timestamp_millis();
        let time = system.saturating_add(self.ahead.load(Relaxed));
        self.raise(time);
        time.max(self.newest.load(Relaxed))
    }

    /// Returns the time now, to the millisecond.
    pub fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.now_ms()).unwrap_or_default()
    }

    /// Returns an instant for measuring ages. Changes of the system's clock do not affect it.
    pub fn instant(&self) -> Instant {
        let ahead = self.ahead.load(Relaxed).try_into().unwrap_or(0);
        Instant::now() + Duration::from_millis(ahead)
    }

    /// Makes sure that the clock never returns an earlier time than this.
    pub fn raise(&self, time: i64) {
        // Most requests only load, so that cores do not compete for the cache line.
        if time > self.newest.load(Relaxed) {
            self.newest.fetch_max(time, Relaxed);
        }
    }

    /// Moves the clock ahead, for tests that let tokens expire.
    pub fn advance(&self, by: Duration) {
        self.ahead.fetch_add(by.as_millis().try_into().unwrap_or(i64::MAX), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_times_sort_by_time() {
        #[derive(Serialize)]
        struct Times(
            #[serde(serialize_with = "serialize")] DateTime<Utc>,
            #[serde(serialize_with = "serialize")] Option<DateTime<Utc>>,
        );
        let time = |ms| DateTime::from_timestamp_millis(ms).unwrap();
        let text = serde_json::to_string(&Times(time(999), Some(time(1_000)))).unwrap();
        assert_eq!(text, r#"["1970-01-01T00:00:00.999Z","1970-01-01T00:00:01.000Z"]"#);
    }

    #[test]
    fn the_clock_never_goes_back() {
        let (clock, hour) = (Clock::default(), 3_600_000);
        let now = clock.now_ms();
        assert!(now > 1_700_000_000_000, "{now}");
        clock.raise(now + hour);
        assert_eq!(clock.now_ms(), now + hour);
        clock.advance(Duration::from_hours(2));
        assert!(clock.now_ms() >= now + 2 * hour);
        clock.raise(now);
        assert!(clock.now_ms() >= now + 2 * hour);
    }
}
