//! Expirations, lifetimes and overlaps, as requests write them.

use crate::name::{Quoted, parse_strings};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

macro_rules! duration {
    () => {
        "([0-9]+[wdhms])+"
    };
}

/// The pattern of an [`Expiration`]. Some texts that match it are refused, such as `0d`.
pub const EXPIRATION: &str = concat!(
    "^(never|",
    duration!(),
    "|[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}",
    r"(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2}))$"
);

/// The pattern of a [`Lifetime`].
pub const LIFETIME: &str = concat!("^(never|", duration!(), ")$");

/// The pattern of an [`Overlap`].
pub const OVERLAP: &str = concat!("^", duration!(), "$");

/// The first second of the year 10000, which RFC 3339 cannot write.
const END: i64 = 253_402_300_800;

/// The text for no expiry.
const NEVER: &str = "never";

/// The longest overlap, in seconds.
const MAX_OVERLAP: i64 = 7 * 86_400;

/// When a token expires: a duration such as `2w1d30m`, a time of RFC 3339, or `never`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Expiration {
    /// Never.
    #[default]
    Never,
    /// This long after it is minted.
    After(TimeDelta),
    /// At this time.
    At(DateTime<Utc>),
}

impl Expiration {
    /// Returns the expiry of a token that is minted now.
    ///
    /// # Errors
    /// A sentence, if the expiry is not in the future.
    pub fn resolve(self, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, String> {
        let time = match self {
            Self::Never => return Ok(None),
            Self::After(duration) => now.checked_add_signed(duration),
            Self::At(time) => Some(time),
        };
        match time.filter(|time| time.timestamp() < END) {
            None => Err("the expiration is after the year 9999: use `never`".to_owned()),
            Some(time) if time <= now => {
                let shown = time.to_rfc3339();
                Err(format!("the expiration {shown} has passed: use a time in the future"))
            }
            time => Ok(time),
        }
    }
}

impl FromStr for Expiration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == NEVER {
            return Ok(Self::Never);
        }
        if let Some(seconds) = seconds(text).filter(|seconds| *seconds > 0) {
            return Ok(Self::After(TimeDelta::seconds(seconds)));
        }
        // chrono accepts a minus sign that is not ASCII.
        if let (true, Ok(time)) = (text.is_ascii(), DateTime::parse_from_rfc3339(text)) {
            // Times are stored in milliseconds.
            let time = DateTime::from_timestamp_millis(time.timestamp_millis());
            return time.map(Self::At).ok_or_else(|| refusal(text));
        }
        Err(refusal(text))
    }
}

/// The lifetime of a token: a duration, or `never` if it need not expire. It keeps its text.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub struct Lifetime(String);

impl Lifetime {
    /// Returns the duration; `None` is `never`.
    pub fn duration(&self) -> Option<TimeDelta> {
        seconds(&self.0).map(TimeDelta::seconds)
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Lifetime {
    fn default() -> Self {
        Self(NEVER.to_owned())
    }
}

impl FromStr for Lifetime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == NEVER || seconds(text).is_some_and(|seconds| seconds > 0) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!("{} is not a lifetime: use a duration such as 30d, or never", Quoted(text)))
    }
}

/// How long the old secret of a rotated token is accepted: a duration of at most one week.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Overlap(TimeDelta);

impl Overlap {
    /// Returns the end of an overlap that begins now, unless it is zero.
    pub fn end(self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        now.checked_add_signed(self.0).filter(|end| *end > now)
    }
}

impl FromStr for Overlap {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seconds = seconds(text).filter(|seconds| *seconds <= MAX_OVERLAP);
        let overlap = seconds.map(|seconds| Self(TimeDelta::seconds(seconds)));
        let expected = "a duration of at most 7d, such as 1h";
        overlap.ok_or_else(|| format!("{} is not an overlap: use {expected}", Quoted(text)))
    }
}

parse_strings!(Expiration, Lifetime, Overlap);

fn refusal(text: &str) -> String {
    let expected =
        "a duration such as 30d or 2w1d30m, a time such as 2030-01-31T12:00:00Z, or never";
    format!("{} is not an expiration: use {expected}", Quoted(text))
}

/// Parses numbers with units: weeks, days, hours, minutes and seconds.
fn seconds(text: &str) -> Option<i64> {
    if text.is_empty() {
        return None;
    }
    text.split_inclusive(|letter: char| !letter.is_ascii_digit()).try_fold(0, |sum: i64, part| {
        let (number, unit) = part.split_at_checked(part.len() - 1)?;
        let unit = match unit {
            "w" => 7 * 86_400,
            "d" => 86_400,
            "h" => 3_600,
            "m" => 60,
            "s" => 1,
            _ => return None,
        };
        // Each number is below 2^32, so one part cannot overflow.
        sum.checked_add(i64::from(number.parse::<u32>().ok()?) * unit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Expiration, String> {
        text.parse()
    }

    #[test]
    fn an_expiration_is_a_duration_a_time_or_never() {
        let after = |seconds| Ok(Expiration::After(TimeDelta::seconds(seconds)));
        assert_eq!(parse("never"), Ok(Expiration::Never));
        assert_eq!(parse("30d"), after(30 * 86_400));
        assert_eq!(parse("2w1d30m"), after(15 * 86_400 + 1_800));
        assert_eq!(parse("90s"), after(90));
        assert_eq!(parse("1h"), after(3_600));
        let time = DateTime::from_timestamp_millis(1_900_000_000_123).unwrap();
        assert_eq!(parse("2030-03-17T18:46:40.123456+01:00"), Ok(Expiration::At(time)));
    }

    #[test]
    fn a_zero_malformed_or_too_large_expiration_is_refused() {
        for text in [
            "",
            "0s",
            "0d0h",
            "30",
            "d",
            "-1d",
            "+1d",
            "1 d",
            "1D",
            "1y",
            "1.5d",
            "1d ",
            "5é",
            "Never",
            "99999999999d",
            "2030-03-17",
            "2030-03-17T18:46:40\u{2212}01:00",
            "2030-13-17T18:46:40Z",
        ] {
            let refusal = parse(text).unwrap_err();
            assert!(refusal.contains("is not an expiration: use a duration"), "{text}: {refusal}");
        }
    }

    #[test]
    fn an_expiration_must_be_in_the_future() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let resolve = |text: &str| text.parse::<Expiration>().unwrap().resolve(now);
        assert_eq!(resolve("never"), Ok(None));
        assert_eq!(resolve("90s"), Ok(DateTime::from_timestamp(1_800_000_090, 0)));
        assert!(resolve("2026-01-01T00:00:00Z").unwrap_err().contains("has passed"));
        assert!(resolve(&now.to_rfc3339()).unwrap_err().contains("has passed"));
        assert!(resolve("4294967295w").unwrap_err().contains("use `never`"));
    }
}
